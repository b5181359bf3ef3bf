"""Networks whose servers cannot be run here, as emulators over a `World`: Snapshot, Hacker News, Lemmy, Hive, GitHub, Stack Exchange.

Field names and shapes are those of the public descriptions of each API; what a reader does not see is left out.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from tests.emulators.world import Reply, Said, World, WorldServer, iso, told


def address(name: str) -> str:
    """A wallet of its own for each name."""
    return "0x" + hashlib.sha256(name.encode()).hexdigest()[:40]


class SnapshotServer(WorldServer):
    """The hub's GraphQL: proposals are conversations, replies are votes with a reason, likes are votes without."""

    space = "tide.eth"

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if path != "/graphql":
            return None
        asked = json.loads(body)
        text, variables = asked["query"], asked["variables"]
        if "space(id:" in text:
            return told({"data": {"space": {"id": self.space, "name": "Tide"} if variables["id"] == self.space else None}})
        if "votes(" in text:
            return self._page("votes", self._votes(), "created", variables)
        proposals = [self._proposal(post) for post in self.world.roots() if not post.deleted]
        if "id_in" in text:
            return told({"data": {"proposals": [raw for raw in proposals if raw["id"] in variables["ids"]][: variables["first"]]}})
        return self._page("proposals", proposals, "updated" if "updated_gte" in text else "created", variables)

    def _page(self, name: str, entries: list[dict[str, Any]], by: str, variables: dict[str, Any]) -> Reply:
        assert variables["first"] <= 1000 and variables["skip"] <= 5000, "the hub refuses more"
        known = sorted((raw for raw in entries if (raw[by] or 0) >= variables["from"]), key=lambda raw: raw[by] or 0)
        return told({"data": {name: known[variables["skip"] : variables["skip"] + variables["first"]]}})

    def _proposal(self, post: Said) -> dict[str, Any]:
        return {
            "id": self.name(post.id),
            "author": address(post.author),
            "title": post.title,
            "body": post.text,
            "choices": ["For", "Against", "Abstain"],
            "created": post.created,
            "updated": post.edited,
            "discussion": post.link,
            "flagged": False,
            "type": "basic",
            "state": "closed",
            "scores": [1.5, 0],
            "votes": 2,
            "space": {"id": self.space},
        }

    @staticmethod
    def name(post: int) -> str:
        return "0x" + f"{post:064x}"

    def _votes(self) -> list[dict[str, Any]]:
        """A vote's id changes with each new vote of the same voter, and only the last one is there."""
        found = []
        for post in self.world.posts.values():
            root = self.world.posts[post.root]
            if root.deleted or post.deleted:
                continue
            if post.parent is not None:
                found.append(self._vote(root, post.author, post.moment, 1, post.text))
            else:
                found += [self._vote(post, who, post.liked[who], 1 if what == "like" else 2, "") for who, what in post.likes.items()]
        last = {(raw["voter"], raw["proposal"]["id"]): raw for raw in sorted(found, key=lambda raw: raw["created"])}
        return list(last.values())

    def _vote(self, root: Said, who: str, when: int, choice: int, reason: str) -> dict[str, Any]:
        return {
            "id": "0x" + hashlib.sha256(f"{who} {root.id} {when}".encode()).hexdigest(),
            "voter": address(who),
            "created": when,
            "choice": choice,
            "vp": 1.5,
            "reason": reason,
            "space": {"id": self.space},
            "proposal": {"id": self.name(root.id), "choices": ["For", "Against", "Abstain"]},
        }


class HackerNewsServer(WorldServer):
    """Algolia's search and items, and Firebase's items and updates."""

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if path == "/v1/search_by_date":
            return self._search(query)
        if found := re.fullmatch(r"/v1/items/(\d+)", path):
            post = self.world.posts.get(int(found.group(1)))
            return told(self._tree(post)) if post and post.parent is None else None
        if path == "/v0/updates.json":
            return told({"items": [post.id for post in self.world.posts.values() if post.deleted or post.edited], "profiles": []})
        if found := re.fullmatch(r"/v0/item/(\d+)\.json", path):
            post = self.world.posts.get(int(found.group(1)))
            return told(
                {"id": post.id, "type": "comment", "time": post.created, "deleted": True}
                if post and post.deleted
                else {"id": 1, "type": "x"}
            )
        return None

    def _search(self, query: dict[str, str]) -> Reply:
        since = int(query["numericFilters"].rpartition("=")[2])
        words = query["query"].split()
        stories = sorted((post for post in self.world.roots() if post.created >= since), key=lambda post: -post.created)
        stories = [post for post in stories if all(word.lower() in (post.title + post.text).lower() for word in words)]
        size, page = int(query["hitsPerPage"]), int(query["page"])
        hits = [
            {"objectID": str(post.id), "created_at_i": post.created, "title": post.title}
            for post in stories[page * size : (page + 1) * size]
        ]
        return told({"hits": hits, "page": page, "nbHits": len(stories), "nbPages": -(-len(stories) // size), "hitsPerPage": size})

    def _tree(self, post: Said) -> dict[str, Any]:
        return {
            "id": post.id,
            "created_at": iso(post.created),
            "created_at_i": post.created,
            "type": "story" if post.parent is None else "comment",
            "author": None if post.deleted else post.author,
            "title": post.title or None,
            "url": post.link or None,
            "text": None if post.deleted else f"<p>{post.text}",
            "points": len(post.likes) if post.parent is None else None,
            "parent_id": post.parent,
            "story_id": post.root,
            "children": [self._tree(child) for child in self.world.below(post.id)],
            "options": [],
        }


class LemmyServer(WorldServer):
    """One instance; `version` 3 is API v3 (pages by number), 4 is API v4 (pages by cursor)."""

    version = 3

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if not path.startswith(f"/api/v{self.version}/"):
            return None
        what = path.split("/", 3)[3]
        if what == "site":
            return told({"site_view": {"site": {"name": "Harbour"}}, "version": "0.19.11" if self.version == 3 else "1.0.0", "admins": []})
        if what == "community":
            return told({"community_view": {"community": {"name": query["name"]}}})
        if what == "post/list":
            roots = sorted((post for post in self.world.roots() if not post.deleted), key=lambda post: -self.world.active(post.id))
            return self._page("posts", [self._post(post) for post in roots], query)
        if what == "post":
            post = self.world.posts[int(query["id"])]
            return told({"post_view": self._post(post), "moderators": []})
        if what == "comment/list":
            comments = [post for post in self.world.of(int(query["post_id"])) if post.parent is not None]
            return self._page("comments", [self._comment(post) for post in comments], query)
        if what == "resolve_object":
            return told({"post": self._post(self.world.posts[int(query["q"].rpartition("/")[2])])})
        return told({"removed_posts": [], "removed_comments": []}) if what == "modlog" else None

    def _page(self, name: str, views: list[dict[str, Any]], query: dict[str, str]) -> Reply:
        size = int(query["limit"])
        start = int(query.get("page_cursor") or 0) if self.version == 4 else (int(query.get("page", 1)) - 1) * size
        page = {name: views[start : start + size]}
        if self.version == 4:
            page["next_page"] = str(start + size) if start + size < len(views) else None  # type: ignore[assignment]
        return told(page)

    def uri(self, post: Said) -> str:
        return f"https://harbour.example/{'post' if post.parent is None else 'comment'}/{post.id}"

    def _person(self, name: str) -> dict[str, Any]:
        return {"id": 1, "name": name, "local": True, "actor_id" if self.version == 3 else "ap_id": f"https://harbour.example/u/{name}"}

    def _times(self, post: Said) -> dict[str, Any]:
        names = ("published", "updated") if self.version == 3 else ("published_at", "updated_at")
        return {names[0]: iso(post.created), names[1]: iso(post.edited) if post.edited else None}

    def _view(self, name: str, post: Said, raw: dict[str, Any], counts: dict[str, Any]) -> dict[str, Any]:
        view = {name: raw, "creator": self._person(post.author), "community": {"name": "tide"}}
        if self.version == 3:
            view["counts"] = counts
        else:
            raw |= counts
        return view

    def _post(self, post: Said) -> dict[str, Any]:
        raw = {
            "id": post.id,
            "name": post.title,
            "body": "" if post.deleted else post.text,
            "ap_id": self.uri(post),
            "deleted": post.deleted,
        }
        raw |= {"removed": False, "url": post.link or None} | self._times(post)
        newest = "newest_comment_time" if self.version == 3 else "newest_comment_time_at"
        return self._view("post", post, raw, {"upvotes": len(post.likes), newest: iso(self.world.active(post.id))})

    def _comment(self, post: Said) -> dict[str, Any]:
        path, above = [post.id], post.parent
        while above is not None and above != post.root:
            path, above = [above, *path], self.world.posts[above].parent
        text = "" if post.deleted else post.text
        raw = {"id": post.id, "content": text, "path": ".".join(map(str, [0, *path])), "ap_id": self.uri(post), "deleted": post.deleted}
        view = self._view("comment", post, raw | {"removed": False} | self._times(post), {"upvotes": len(post.likes)})
        root = self.world.posts[post.root]
        return view | {"post": {"id": root.id, "name": root.title, "ap_id": self.uri(root)}}


class HiveServer(WorldServer):
    """The bridge of one node."""

    tag = "hive-100"

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        asked = json.loads(body)
        method, given = asked["method"], asked["params"]
        if method == "bridge.get_community":
            return self._result({"name": self.tag, "title": "Tide"} if given["name"] == self.tag else None)
        if method == "bridge.get_ranked_posts":
            assert given["limit"] <= 20, "the bridge refuses more"
            roots = sorted((post for post in self.world.roots() if not post.deleted), key=lambda post: -post.created)
            keys = [self.key(post) for post in roots]
            start = keys.index(f"{given['start_author']}/{given['start_permlink']}") + 1 if "start_author" in given else 0
            return self._result([self._post(post) for post in roots[start : start + given["limit"]]])
        root = next((post for post in self.world.roots() if self.key(post) == f"{given['author']}/{given['permlink']}"), None)
        if root is None or root.deleted:
            return told({"jsonrpc": "2.0", "error": {"code": -32602, "message": "post does not exist"}, "id": 1})
        return self._result({self.key(post): self._post(post) for post in self.world.of(root.id) if not post.deleted})

    def _result(self, value: Any) -> Reply:
        return told({"jsonrpc": "2.0", "result": value, "id": 1})

    @staticmethod
    def key(post: Said) -> str:
        return f"{post.author}/post-{post.id}"

    def _post(self, post: Said) -> dict[str, Any]:
        raw: dict[str, Any] = {"author": post.author, "permlink": f"post-{post.id}", "title": post.title, "body": post.text}
        raw |= {
            "created": iso(post.created)[:-1],
            "updated": iso(post.moment)[:-1],
            "category": self.tag,
            "json_metadata": {"tags": ["tide"]},
        }
        raw["active_votes"] = [{"voter": who, "rshares": 9 if what == "like" else -9} for who, what in post.likes.items()]
        if post.parent is not None:
            above = self.world.posts[post.parent]
            raw |= {"parent_author": above.author, "parent_permlink": f"post-{above.id}"}
        return raw


class GitHubServer(WorldServer):
    """The GraphQL of one repository; comments below the top level are replies to their comment."""

    repository = "tide/harbour"

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if self.headers.get("authorization") != "Bearer let-me-in":
            return told({"message": "Bad credentials"}, 401)
        asked = json.loads(body)
        text, given = asked["query"], asked["variables"]
        if "node(id:" in text:
            comment = self.world.posts[int(given["id"][1:])]
            replies = self._connection(self._replies(comment), given["after"], 100)
            return told({"data": {"node": {"databaseId": comment.id, "discussion": {"number": comment.root}, "replies": replies}}})
        if f"{given['owner']}/{given['name']}" != self.repository:
            return told({"data": {"repository": None}, "errors": [{"message": "Could not resolve to a Repository"}]})
        if "hasDiscussionsEnabled" in text:
            about = {
                "nameWithOwner": self.repository,
                "description": "Tide",
                "hasDiscussionsEnabled": True,
                "discussions": {"totalCount": 1},
            }
            return told({"data": {"repository": about}})
        if "discussions(first: 50" in text:
            roots = sorted((post for post in self.world.roots() if not post.deleted), key=lambda post: -self.world.active(post.id))
            listed = [{"number": post.id, "updatedAt": iso(self.world.active(post.id))} for post in roots]
            return told({"data": {"repository": {"discussions": self._connection(listed, given["after"], 50)}}})
        root = self.world.posts[given["number"]]
        return told({"data": {"repository": {"discussion": None if root.deleted else self._discussion(root, given["after"])}}})

    def _connection(self, nodes: list[Any], after: str | None, size: int) -> dict[str, Any]:
        start = int(after or 0)
        more = start + size < len(nodes)
        return {"pageInfo": {"hasNextPage": more, "endCursor": str(start + size) if more else None}, "nodes": nodes[start : start + size]}

    def _said(self, post: Said) -> dict[str, Any]:
        nodes = [{"content": "THUMBS_UP", "user": self._actor(who)} for who in post.likes]
        raw = {"id": f"D{post.id}", "databaseId": post.id, "url": f"https://github.com/{self.repository}/discussions/{post.root}#{post.id}"}
        raw |= {"body": post.text, "createdAt": iso(post.created), "lastEditedAt": iso(post.edited) if post.edited else None}
        return raw | {"author": self._actor(post.author), "reactions": {"totalCount": len(nodes), "nodes": nodes[:100]}}

    def _actor(self, name: str) -> dict[str, Any]:
        return {"login": name, "databaseId": int(hashlib.sha256(name.encode()).hexdigest()[:6], 16), "name": name.title()}

    def _replies(self, comment: Said) -> list[dict[str, Any]]:
        """All below a comment, whatever they answer: GitHub has two levels."""
        found, level = [], self.world.below(comment.id)
        while level:
            found += level
            level = [below for post in level for below in self.world.below(post.id)]
        return [self._said(post) | {"isMinimized": False} for post in sorted(found, key=lambda post: post.id) if not post.deleted]

    def _discussion(self, root: Said, after: str | None) -> dict[str, Any]:
        comments = []
        for post in self.world.below(root.id):
            if not post.deleted:
                replies = self._connection(self._replies(post), None, 100)
                comments.append(self._said(post) | {"isMinimized": False, "isAnswer": False, "replies": replies})
        raw = self._said(root) | {
            "number": root.id,
            "title": root.title,
            "category": {"name": "Ideas"},
            "labels": {"nodes": []},
            "answer": None,
        }
        return raw | {"comments": self._connection(comments, after, 50)}


class StackExchangeServer(WorldServer):
    """API 2.3 of one site: conversations are questions, replies to them answers, replies to those comments."""

    site = "tide.stackexchange.com"

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if path == "/filters/create":
            return self._items([{"filter": "!shape", "included_fields": query["include"].split(";")}])
        if query.get("site") != self.site:
            return told(
                {"error_id": 400, "error_message": f"No site found for name `{query.get('site')}`", "error_name": "bad_parameter"}, 400
            )
        if path == "/info":
            return self._items([{"total_questions": len(self.world.roots())}])
        assert query["filter"] == "!shape" and int(query["pagesize"]) <= 100, "the API refuses more"
        questions = sorted((post for post in self.world.roots() if not post.deleted), key=lambda post: self.world.active(post.id))
        if named := re.fullmatch(r"/questions/([\d;]+)", path):
            wanted = {int(number) for number in named.group(1).split(";")}
            return self._items([self._question(post) for post in questions if post.id in wanted])
        if path != "/questions":
            return None
        since, size, page = int(query["min"]), int(query["pagesize"]), int(query["page"])
        known = [post for post in questions if self.world.active(post.id) >= since]
        return self._items([self._question(post) for post in known[(page - 1) * size : page * size]], page * size < len(known))

    def _items(self, items: list[Any], more: bool = False) -> Reply:
        return told({"items": items, "has_more": more, "quota_max": 300, "quota_remaining": 299})

    def _owner(self, name: str) -> dict[str, Any]:
        return {"user_id": int(hashlib.sha256(name.encode()).hexdigest()[:6], 16), "display_name": name, "user_type": "registered"}

    def _said(self, post: Said) -> dict[str, Any]:
        raw = {"owner": self._owner(post.author), "creation_date": post.created, "body": f"<p>{post.text}</p>", "score": len(post.likes)}
        return raw | ({"last_edit_date": post.edited} if post.edited else {})

    def _question(self, post: Said) -> dict[str, Any]:
        answers = [self._answer(child) for child in self.world.below(post.id) if not child.deleted]
        raw = self._said(post) | {"question_id": post.id, "title": post.title, "tags": ["tide"], "answers": answers, "comments": []}
        return raw | {"last_activity_date": self.world.active(post.id), "link": f"https://{self.site}/q/{post.id}"}

    def _answer(self, post: Said) -> dict[str, Any]:
        below, level = [], self.world.below(post.id)
        while level:
            below += level
            level = [child for other in level for child in self.world.below(other.id)]
        comments = [
            self._said(child) | {"comment_id": child.id, "edited": child.edited is not None} for child in below if not child.deleted
        ]
        return self._said(post) | {"answer_id": post.id, "is_accepted": False, "comments": comments}


class HyperKittyServer(WorldServer):
    """One list's REST interface and export; mails are what was said, without edits."""

    name = "dev@lists.example.org"

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if path == f"/archives/api/list/{self.name}/":
            return told({"name": self.name, "display_name": "Developers", "description": ""})
        if path == f"/archives/api/list/{self.name}/threads/":
            size, page = 10, int(query.get("page", 1))
            roots = sorted(self.world.roots(), key=lambda post: -self.world.active(post.id))
            listed = [{"thread_id": self.thread(post), "date_active": iso(self.world.active(post.id))} for post in roots]
            following = f"{self.url}{path}?format=json&page={page + 1}" if page * size < len(listed) else None
            return told({"count": len(listed), "next": following, "previous": None, "results": listed[(page - 1) * size : page * size]})
        if path.startswith(f"/archives/list/{self.name}/export/"):
            root = next((post for post in self.world.roots() if self.thread(post) == query["thread"]), None)
            return (
                Reply(200, gzip.compress(mbox(self.world, self.world.of(root.id))), {"Content-Type": "application/gzip"}) if root else None
            )
        return None

    @staticmethod
    def thread(post: Said) -> str:
        return base64.b32encode(hashlib.sha1(message_id(post).encode()).digest()).decode()


def message_id(post: Said) -> str:
    return f"{post.id}.{post.author}@mail.example.org"


def mail(world: World, post: Said) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"{post.author.title()} <{post.author}@example.org>"
    message["To"] = "dev@lists.example.org"
    message["Date"] = format_datetime(datetime.fromtimestamp(post.created, UTC))
    message["Message-ID"] = f"<{message_id(post)}>"
    message["Subject"] = f"[dev] {'Re: ' if post.parent else ''}{world.posts[post.root].title}"
    message["List-Id"] = "Developers <dev.lists.example.org>"
    if post.parent is not None:
        above, chain = world.posts[post.parent], []
        while above is not None:
            chain.append(f"<{message_id(above)}>")
            above = world.posts[above.parent] if above.parent is not None else None  # type: ignore[assignment]
        message["In-Reply-To"] = chain[0]
        message["References"] = " ".join(reversed(chain))
    message.set_content(post.text + "\n")
    return message


def mbox(world: World, posts: list[Said]) -> bytes:
    """In the order of their dates, as lists are kept (mboxrd)."""
    parts = []
    for post in sorted(posts, key=lambda post: post.created):
        when = datetime.fromtimestamp(post.created, UTC).strftime("%a %b %d %H:%M:%S %Y")
        body = re.sub(rb"^(>*From )", rb">\1", mail(world, post).as_bytes(), flags=re.M)
        parts.append(f"From {post.author}@example.org {when}\n".encode() + body + b"\n")
    return b"".join(parts)
