"""Fuzz targets of the networks beside Discourse: sound payloads from the tests' emulators, and their mappings.

Mail and feeds are no JSON: their payload is the list of their lines, so that whole lines go, come twice or change.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

from bench.fuzz_target import Target, nothing_swallowed, said_there
from crawler import atproto, github, hackernews, hive, lemmy, nostr, snapshot, stackexchange
from crawler.feed import feed_records
from crawler.fields import mapping, mappings, whole
from crawler.mail import Conversations, MailList, message_records, public_inbox_link
from crawler.table import row_records
from index.records import Source
from index.spool import Record
from tests.emulators.conversations import (
    GitHubServer,
    HackerNewsServer,
    HiveServer,
    LemmyServer,
    SnapshotServer,
    StackExchangeServer,
    mail,
)
from tests.emulators.nostr import Person
from tests.emulators.world import World, WorldServer, iso

NOW = "2026-01-01T00:00:00Z"
EVENT_AT = 1_714_557_600
ARCHIVE = Source("archive:a.example.org", "table", "/a", "https://a.example.org")
MAILS = MailList("list:dev.example.org", NOW, public_inbox_link("https://lists.example.org/dev"))
RELAY = nostr.Relay("nostr:relay.example.org", "wss://relay.example.org", NOW)
JETSTREAM = "jetstream:j.example.org"
DID, OTHER = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24


def world() -> World:
    """Conversations with answers to answers, an edit, a deletion and likes."""
    made = World.filled(2, 4)
    made.edit(2, "Then do it another way.")
    made.delete(len(made.posts))
    made.like(1, "gwen")
    return made


def asked(server: WorldServer, path: str, sent: Any = None, **query: str) -> Any:
    """What an emulator answers, as JSON."""
    reply = server.answer(path, query, json.dumps(sent).encode())
    assert reply is not None and reply.status == 200, (path, reply)
    return json.loads(reply.body)


# --- votes, stories, communities --------------------------------------------------------------------------------------


def proposals_and_votes() -> list[Any]:
    server, variables = SnapshotServer(world()), {"space": "tide.eth", "from": 0, "skip": 0, "first": 100}
    return [asked(server, "/graphql", {"query": text, "variables": variables}) for text in (snapshot.PROPOSALS, snapshot.VOTES)]


def proposals_of(payload: Any) -> list[Any]:
    data = mapping(mapping(payload).get("data"))
    votes = [{"id": (vote.get("voter"), mapping(vote.get("proposal")).get("id"))} for vote in mappings(data.get("votes"))]
    return [*mappings(data.get("proposals")), *votes]


def stories() -> list[Any]:
    made = world()
    return [asked(HackerNewsServer(made), f"/v1/items/{root.id}") for root in made.roots()]


def story_items(payload: Any) -> list[Any]:
    """What has an author in a story that can be read; nobody's comment is one that was deleted."""
    found, todo = [], [mapping(payload)]
    while todo:
        item = todo.pop()
        if item.get("author") is not None:
            found.append({"id": item.get("id")})
        todo += mappings(item.get("children"))
    return found if mapping(payload).get("type") in ("story", "poll", "job") and whole(mapping(payload).get("id")) is not None else []


def lemmy_views(version: int) -> list[Any]:
    server = LemmyServer(world())
    server.version = version
    listed = [
        asked(server, f"/api/v{version}/{name}/list", community_name="tide", limit="50", page="1", post_id="1")
        for name in ("post", "comment")
    ]
    return [{"posts": listed[0].get("posts", []), "comments": listed[1].get("comments", [])}]


def read_lemmy(payload: Any) -> list[Record]:
    return lemmy.answer_records("lemmy:h.example", "https://h.example/api/v3/modlog", json.dumps(payload).encode(), {}, NOW)


def lemmy_entries(payload: Any) -> list[Any]:
    views = [(name, view) for name in ("post", "comment") for view in mappings(mapping(payload).get(f"{name}s"))]
    return [{"id": mapping(view.get(name)).get("ap_id")} for name, view in views]


def hive_discussions() -> list[Any]:
    made = world()
    ask = {"method": "bridge.get_discussion", "params": {"author": made.posts[1].author, "permlink": "post-1"}}
    return [asked(HiveServer(made), "/", ask)["result"]]


def read_hive(payload: Any) -> list[Record]:
    root = f"{world().posts[1].author}/post-1"
    return hive.discussion_records("hive:hive-100", root, payload, NOW)


def hive_entries(payload: Any) -> list[Any]:
    root = f"{world().posts[1].author}/post-1"
    return [{"id": key} for key in mapping(payload)] if root in mapping(payload) else []


# --- GitHub, Stack Exchange -------------------------------------------------------------------------------------------


def github_discussions() -> list[Any]:
    server = GitHubServer(world())
    server.headers = {"authorization": "Bearer let-me-in"}
    variables = {"owner": "tide", "name": "harbour", "number": 1, "after": None}
    return [asked(server, "/graphql", {"query": github.DISCUSSION, "variables": variables})["data"]["repository"]["discussion"]]


def github_entries(payload: Any) -> list[Any]:
    if whole(mapping(payload).get("number")) is None:
        return []
    comments = list(mappings(mapping(mapping(payload).get("comments")).get("nodes")))
    named = [comment for comment in comments if whole(comment.get("databaseId")) is not None]
    replies = [reply for comment in named for reply in mappings(mapping(comment.get("replies")).get("nodes"))]
    return [{"id": entry.get("databaseId")} for entry in (*comments, *replies)]


def questions() -> list[Any]:
    server = StackExchangeServer(world())
    query = {"site": server.site, "filter": "!shape", "pagesize": "100", "page": "1", "min": "0"}
    found: list[Any] = asked(server, "/questions", **query)["items"]
    return found


def question_entries(payload: Any) -> list[Any]:
    raw = mapping(payload)
    return [{"id": answer.get("answer_id")} for answer in mappings(raw.get("answers"))] if whole(raw.get("question_id")) is not None else []


def dump_rows() -> list[Any]:
    """A question, its answer and a comment, as rows of a data dump."""
    at = "2024-05-01T10:00:00.123"
    question = {"Id": "1", "PostTypeId": "1", "CreationDate": at, "Score": "3", "Body": "<p>How?</p>", "OwnerUserId": "7", "Title": "How", "Tags": "<a><b>", "AcceptedAnswerId": "2"}  # fmt: skip
    answer = {"Id": "2", "PostTypeId": "2", "ParentId": "1", "CreationDate": at, "Score": "-1", "Body": "<p>So.</p>", "OwnerDisplayName": "Ann", "LastEditDate": "2024-06-01T10:00:00.000"}  # fmt: skip
    comment = {"Id": "5", "PostId": "2", "Score": "1", "Text": "Thanks!", "CreationDate": at, "UserId": "8"}
    return [{"posts": [question, answer], "comments": [comment]}]


def read_dump_rows(payload: Any) -> list[Record]:
    held, found = stackexchange.Questions(), []
    for row in mappings(mapping(payload).get("posts")):
        found += stackexchange.dump_post_records("dba.example.com", row, held, lambda _: "", NOW)
    for row in mappings(mapping(payload).get("comments")):
        found += stackexchange.dump_comment_records("dba.example.com", row, held, lambda _: "", NOW)
    return found


def dump_entries(payload: Any) -> list[Any]:
    posts = [row for row in mappings(mapping(payload).get("posts")) if row.get("PostTypeId") in ("1", "2") or "Id" not in row]
    return [{"id": row.get("Id")} for row in posts]


# --- mail, feeds, tables ----------------------------------------------------------------------------------------------


def mails() -> list[Any]:
    made = world()
    return [[line.decode("latin-1") for line in mail(made, post).as_bytes().split(b"\n")] for post in made.posts.values()]


def as_bytes(payload: Any) -> bytes:
    lines = payload if isinstance(payload, list) else [payload]
    return "\n".join(line if isinstance(line, str) else str(line)[:1000] for line in lines).encode("utf-8", "surrogatepass")


def read_mail(payload: Any) -> list[Record]:
    return message_records(MAILS, Conversations(), as_bytes(payload), "here")


def one_told(payload: Any, records: list[Record]) -> str:
    """A message is a post or a reject."""
    return "" if any(type(record).__name__ in ("Post", "Reject") for record in records) else "a message became nothing"


def feeds() -> list[Any]:
    made, lines = (
        world(),
        ['<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0">', "<title>News</title>"],
    )
    for post in made.posts.values():
        lines += ["<entry>", f"<id>urn:post:{post.id}</id>", f"<title>{escape(post.title or 'Re')}</title>"]
        lines += [f"<author><name>{post.author}</name></author>", f'<link href="https://news.example.org/{post.id}"/>']
        lines += [f"<published>{iso(post.created)}</published>", f"<updated>{iso(post.moment)}</updated>"]
        lines += [f'<content type="text">{escape(post.text)}</content>', "</entry>"]
    return [[*lines, "</feed>"]]


def read_feed(payload: Any) -> list[Record]:
    return feed_records("feed:n.example.org", "https://n.example.org/feed", as_bytes(payload), NOW)


def table_rows() -> list[Any]:
    row = {
        "id": "12",
        "thread": "3",
        "author": "ann",
        "author_id": "7",
        "created": "2024-05-01T10:00:00Z",
        "text": "Dig.",
        "title": "How to dig",
    }
    more = row | {
        "id": 13,
        "reply_to": "12",
        "format": "html",
        "edited": "2024-05-02T10:00:00Z",
        "likes": 3,
        "permalink": "https://a.example.org/13",
    }
    return [row, more | {"links": ["https://f.example.org/t/x/7"], "number": 2}, {"id": "14", "thread": "3", "deleted": True}]


def one_row(payload: Any) -> list[Any]:
    return [{"id": 1}]


# --- Nostr, AT Protocol -----------------------------------------------------------------------------------------------


def nostr_events() -> list[Any]:
    ann, bob = Person("ann"), Person("bob")
    note = ann.note("How to plant\n1. dig", at=EVENT_AT)
    article = ann.article("planting", "# How\nDig.", at=EVENT_AT)
    said = [note, bob.note("No: water first.", note, at=EVENT_AT), article, bob.like(note, at=EVENT_AT), ann.delete(note, at=EVENT_AT)]
    about = ["E", note["id"]], ["e", note["id"]], ["A", f"30023:{ann.pubkey}:planting"], ["q", note["id"]], ["t", "garden"]
    said += [
        bob.event(1111, "Yes, and see https://example.org", *map(list, about), at=EVENT_AT),
        ann.event(11, "First.", ["title", "T"], at=EVENT_AT),
    ]
    said += [bob.event(0, json.dumps({"name": "bob", "nip05": "b@example.org", "website": "https://b.example"}), at=EVENT_AT)]
    return [
        *said,
        ann.event(10011, "", ["i", "github:ann", "proof"], at=EVENT_AT),
        ann.event(62, "bye", ["relay", "ALL_RELAYS"], at=EVENT_AT),
    ]


def read_nostr(payload: Any) -> list[Record]:
    return nostr.event_records(RELAY, payload, "here")


def read_signed(payload: Any) -> list[Record]:
    """The broken event, signed by its author: its signature holds, and its content is what is wrong."""
    raw = mapping(payload)
    tags = raw.get("tags") if isinstance(raw.get("tags"), list) else []
    try:
        event = Person("ann").event(raw.get("kind", 1), raw.get("content", ""), *(tags or []), at=raw.get("created_at", EVENT_AT))
    except (UnicodeEncodeError, TypeError):
        return []  # nobody can sign what is no UTF-8
    return read_nostr(event)


def nostr_told(payload: Any, records: list[Record]) -> str:
    """An event becomes something or says why not; a forged one is no post."""
    return said_there(payload, records) if records else "an event became nothing"


def jetstream_events() -> list[Any]:
    post: dict[str, Any] = {"text": "How to plant\n1. dig", "createdAt": "2024-05-01T10:00:00.123Z", "tags": ["garden"]}
    root = f"at://{OTHER}/{atproto.POST}/3kroot"
    reply = post | {"reply": {"root": {"uri": root}, "parent": {"uri": root}}, "embed": {"record": {"uri": root}}}
    reply["facets"] = [{"features": [{"did": OTHER}, {"uri": "https://example.org/c"}]}]
    records: list[tuple[str, Any]] = [
        (atproto.POST, post),
        (atproto.POST, reply),
        (atproto.LIKE, {"subject": {"uri": root}, "createdAt": "2024-05-01T10:00:00Z"}),
    ]
    records += [(atproto.PROFILE, {"displayName": "Ann", "description": "see https://ann.example"})]
    commits = [
        {
            "operation": operation,
            "collection": name,
            "rkey": "self" if name == atproto.PROFILE else "3kabc",
            "rev": "3kabcdefghijk",
            "record": record,
        }
        for name, record in records
        for operation in ("create", "update", "delete")
    ]
    head = {"did": DID, "time_us": EVENT_AT * 1_000_000}
    found: list[Any] = [head | {"kind": "commit", "commit": commit} for commit in commits]
    found += [head | {"kind": "identity", "identity": {"handle": "ann.example", "time": "2024-05-01T10:00:00Z"}}]
    return [*found, head | {"kind": "account", "account": {"active": False, "status": "deleted"}}]


def read_jetstream(payload: Any) -> list[Record]:
    return atproto.event_records(JETSTREAM, payload, NOW)


def _lemmy(version: int) -> Target:
    return Target(lambda: lemmy_views(version), read_lemmy, nothing_swallowed(lemmy_entries))


NETWORKS: dict[str, Target] = {
    "snapshot": Target(
        proposals_and_votes,
        lambda payload: snapshot.answer_records("tide.eth", json.dumps(payload).encode(), NOW),
        nothing_swallowed(proposals_of),
    ),
    "hackernews": Target(stories, lambda payload: hackernews.tree_records("hackernews:x", payload, NOW), nothing_swallowed(story_items)),
    "lemmy-0.19": _lemmy(3),
    "lemmy-1.0": _lemmy(4),
    "hive": Target(hive_discussions, read_hive, nothing_swallowed(hive_entries)),
    "github": Target(
        github_discussions, lambda payload: github.discussion_records("tide/harbour", payload, NOW), nothing_swallowed(github_entries)
    ),
    "stackexchange": Target(
        questions,
        lambda payload: stackexchange.question_records("stackexchange:t", "t.example.com", payload, NOW),
        nothing_swallowed(question_entries),
    ),
    "stackexchange-dump": Target(dump_rows, read_dump_rows, nothing_swallowed(dump_entries)),
    "mail": Target(mails, read_mail, one_told),
    "feed": Target(feeds, read_feed),
    "table": Target(table_rows, lambda payload: row_records(ARCHIVE, payload, "here", NOW), nothing_swallowed(one_row)),
    "nostr": Target(nostr_events, read_nostr, nostr_told),
    "nostr-signed": Target(nostr_events, read_signed),
    "jetstream": Target(jetstream_events, read_jetstream, said_there),
}
