"""A Discourse forum on loopback that keeps its state: threads, posts, edits, deletions, limits and failures.

It answers as Discourse does in the parts that a reader sees, logs every request with its time and how many were under
way at once, and can be told to misbehave.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import zip_longest
from typing import Any
from urllib.parse import parse_qs, urlsplit

PER_PAGE, FIRST_POSTS, LATEST_POSTS, WINDOW = 30, 20, 50, 50
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
LOGIN_PAGE = b"<!DOCTYPE html><html><body><form action='/login'><input type='password'></form></body></html>"


@dataclass(frozen=True)
class Reply:
    """What the server answers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A request as it came in; `at_once` counts it and those still being answered."""

    path: str
    at: float
    at_once: int
    status: int
    agent: str


@dataclass
class Fault:
    """Answers that stand in for the true ones: for paths that match, `times` times."""

    path: re.Pattern[str]
    reply: Callable[[], Reply]
    times: int


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


def not_found() -> Reply:
    return json_reply({"errors": ["The requested URL or resource could not be found."], "error_type": "not_found"}, 404)


def too_many(seconds: float) -> Reply:
    """The limit of the whole site, which its first proxy answers: plain text."""
    headers = {"Content-Type": "text/plain", "Retry-After": f"{seconds:g}", "Discourse-Rate-Limit-Error-Code": "ip_10_secs_limit"}
    return Reply(429, b"Slow down, too many requests from this IP address", headers)


def too_many_of_this(seconds: float) -> Reply:
    """The limit of one action, which the application answers: JSON."""
    return json_reply({"errors": ["slow"], "error_type": "rate_limit", "extras": {"wait_seconds": seconds, "time_left": "a while"}}, 429)


def failure(status: int = 500) -> Reply:
    return Reply(status, b"<html><body>Oops</body></html>", {"Content-Type": "text/html"})


class DiscourseEmulator:
    """`with DiscourseEmulator() as forum:` serves it at `forum.url`."""

    def __init__(self) -> None:
        self.topics: dict[int, dict[str, Any]] = {}
        self.posts: dict[int, dict[str, Any]] = {}
        self.users: dict[str, int] = {}
        self.log: list[Hit] = []
        self.faults: list[Fault] = []
        self.robots = "User-agent: *\nDisallow: /search\n"
        self.login_page = False
        self.slow = 0.0
        self.old_before = False  # `before` of /posts.json as older versions have it: ids of the window (n - 50, n]
        self.hides: set[str] = set()  # "likers", "history", "posts": not shown to everybody
        self.reactions_plugin = False
        self.main_reaction, self.no_likes = "heart", {"-1"}
        self.flaky = 0.0  # share of requests that fail, each in one of the ways that servers have
        self.while_answering: Callable[[str], None] | None = None  # life goes on: told of each path before it is answered
        self.history: dict[int, list[str]] = {}  # post → earlier texts
        self._chance = random.Random(20)
        self._clock = EPOCH
        self._busy = 0
        self._guard = threading.Lock()

    def __enter__(self) -> DiscourseEmulator:
        emulator = self

        class Handler(_Handler):
            forum = emulator

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    # --- what people do there

    def tick(self, seconds: float = 60.0) -> str:
        self._clock += timedelta(seconds=seconds)
        return self._clock.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self._clock.microsecond // 1000:03d}Z"

    def user(self, name: str) -> int:
        return self.users.setdefault(name, len(self.users) + 1)

    def thread(self, title: str, *texts: str, by: str = "ann", **more: Any) -> int:
        """A new thread whose posts have these texts; its number."""
        topic = max(self.topics, default=0) + 1
        created = self.tick()
        self.topics[topic] = {"id": topic, "title": title, "slug": f"t-{topic}", "created_at": created, "bumped_at": created} | more
        self.topics[topic].setdefault("category_id", 5)
        for text in texts:
            self.reply(topic, text, by=by)
        return topic

    def reply(self, topic: int, text: str, by: str = "ann", to: int | None = None, **more: Any) -> int:
        """A new post, which bumps its thread; its id."""
        post, at = max(self.posts, default=100) + 1, self.tick()
        number = 1 + max((p["post_number"] for p in self.posts.values() if p["topic_id"] == topic), default=0)
        self.posts[post] = {
            "id": post,
            "topic_id": topic,
            "post_number": number,
            "post_type": 1,
            "username": by,
            "name": by.title(),
            "user_id": self.user(by),
            "created_at": at,
            "updated_at": at,
            "version": 1,
            "reply_to_post_number": to,
            "cooked": f"<p>{text}</p>",
            "actions_summary": [],
            "hidden": False,
            "user_deleted": False,
            "deleted_at": None,
        } | more
        self.topics[topic]["bumped_at"] = at
        return post

    def edit(self, post: int, text: str, bump: bool = True) -> None:
        self.history.setdefault(post, []).append(self.posts[post]["cooked"][3:-4])
        self.posts[post] |= {"cooked": f"<p>{text}</p>", "version": self.posts[post]["version"] + 1, "updated_at": self.tick()}
        self.bump(self.posts[post]["topic_id"], bump)

    def like(self, post: int, count: int) -> None:
        self.posts[post]["actions_summary"] = [{"id": 2, "count": count}] if count else []

    def like_by(self, post: int, *names: str) -> None:
        """These people like a post, and no others."""
        self.like(post, len(names))
        self.posts[post]["liked_by"] = [self.user(name) for name in names]

    def react(self, post: int, name: str, emoji: str = "") -> None:
        """With the reactions plugin: one reaction for each person, "" takes it back. Kinds that are no likes are in `no_likes`."""
        given = self.posts[post].setdefault("reacted_by", {})
        given.pop(name, None)
        if emoji:
            self.user(name)
            given[name] = emoji
        self.reactions_plugin = True
        likes = [person for person, kind in given.items() if kind not in self.no_likes]
        self.like(post, len(likes))
        self.posts[post]["liked_by"] = [self.user(person) for person in likes if given[person] == self.main_reaction]

    def delete_by_author(self, post: int) -> None:
        self.posts[post] |= {"cooked": "<p>(post deleted by author)</p>", "user_deleted": True, "version": 2, "updated_at": self.tick()}
        self.bump(self.posts[post]["topic_id"])

    def vanish(self, post: int, bump: bool = True) -> None:
        """Deleted by the staff: readers without an account no longer see that it was there."""
        topic = self.posts.pop(post)["topic_id"]
        self.bump(topic, bump)

    def delete_thread(self, topic: int) -> None:
        self.topics.pop(topic)
        self.posts = {number: post for number, post in self.posts.items() if post["topic_id"] != topic}

    def bump(self, topic: int, really: bool = True) -> None:
        if really:
            self.topics[topic]["bumped_at"] = self.tick()

    # --- what goes wrong

    def fail(self, path: str, reply: Callable[[], Reply], times: int = 1_000_000) -> None:
        self.faults.append(Fault(re.compile(path), reply, times))

    def mend(self) -> None:
        self.faults.clear()

    def asked(self, path: str = "") -> list[Hit]:
        """Requests so far whose path holds this."""
        return [hit for hit in self.log if path in hit.path]

    # --- answering

    def answer(self, path: str) -> Reply:
        if self.while_answering is not None:
            self.while_answering(path)
        if self._chance.random() < self.flaky:
            return self._chance.choice([failure(502), failure(500), too_many(0.02), too_many_of_this(0.02)])
        for fault in self.faults:
            if fault.times > 0 and fault.path.search(path):
                fault.times -= 1
                return fault.reply()
        url = urlsplit(path)
        if url.path == "/robots.txt":
            return Reply(200, self.robots.encode(), {"Content-Type": "text/plain"})
        if self.login_page:
            return Reply(200, LOGIN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        query = parse_qs(url.query)
        for pattern, answer in self.routes():
            match = re.fullmatch(pattern, url.path)
            if match:
                return answer(query, *map(int, match.groups()))
        return not_found()

    def routes(self) -> Iterator[tuple[str, Callable[..., Reply]]]:
        yield r"/site\.json", self._site
        yield r"/about\.json", self._about
        yield r"/latest\.json", self._latest
        yield r"/", self._front
        yield r"/c/[\w-]+/(\d+)\.json", self._category
        yield r"/t/(?:[\w-]*[a-z-][\w-]*/)?(\d+)\.json", self._topic
        yield r"/t/(\d+)/posts\.json", self._topic_posts
        yield r"/posts\.json", self._latest_posts
        yield r"/post_action_users\.json", self._likers
        yield r"/discourse-reactions/posts/(\d+)/reactions-users\.json", self._reaction_users
        yield r"/posts/(\d+)/revisions/latest\.json", self._latest_revision
        yield r"/posts/(\d+)/revisions/(\d+)\.json", self._revision

    def _site(self, _: dict[str, list[str]]) -> Reply:
        categories = [{"id": 5, "name": "Grants", "slug": "grants"}, {"id": 6, "name": "Help", "slug": "help"}]
        return json_reply({"default_archetype": "regular", "post_types": {"regular": 1}, "categories": categories})

    def _about(self, _: dict[str, list[str]]) -> Reply:
        return json_reply({"about": {"title": "The emulated forum", "description": ""}})

    def _front(self, _: dict[str, list[str]]) -> Reply:
        """What a reader without JavaScript gets: other archivers know a Discourse forum by it."""
        page = b'<html><body><nav class="crawler-nav"><a href="/">Home</a></nav></body></html>'
        return Reply(200, page, {"Content-Type": "text/html"})

    def _category(self, query: dict[str, list[str]], category: int) -> Reply:
        return self._latest(query, category)

    def _latest(self, query: dict[str, list[str]], category: int | None = None) -> Reply:
        page = int(query.get("page", ["0"])[0])
        listed = [topic for topic in self.topics.values() if category in (None, topic["category_id"])]
        newest = sorted(listed, key=lambda topic: (topic["bumped_at"], topic["id"]), reverse=True)
        newest.sort(key=lambda topic: not topic.get("pinned"))
        shown = newest[page * PER_PAGE : (page + 1) * PER_PAGE]
        keys = ("id", "title", "slug", "created_at", "bumped_at", "category_id")
        topic_list: dict[str, Any] = {"topics": [{key: t[key] for key in keys} | {"pinned": bool(t.get("pinned"))} for t in shown]}
        if len(newest) > (page + 1) * PER_PAGE:
            more = "/latest?order=activity&" if category is None else f"/c/x/{category}?"
            topic_list["more_topics_url"] = f"{more}page={page + 1}"
        return json_reply({"topic_list": topic_list})

    def _posts_of(self, topic: int) -> list[dict[str, Any]]:
        return sorted((p for p in self.posts.values() if p["topic_id"] == topic), key=lambda post: post["post_number"])

    def _topic(self, _: dict[str, list[str]], topic: int) -> Reply:
        if topic not in self.topics:
            return not_found()
        posts = self._posts_of(topic)
        stream = {"posts": [self._public(post) for post in posts[:FIRST_POSTS]], "stream": [post["id"] for post in posts]}
        valid = {"valid_reactions": [self.main_reaction, "tada", "thinking", "-1"]} if self.reactions_plugin else {}
        return json_reply(self.topics[topic] | {"posts_count": len(posts), "tags": ["t"], "post_stream": stream} | valid)

    def _topic_posts(self, query: dict[str, list[str]], topic: int) -> Reply:
        wanted = {int(post) for post in query.get("post_ids[]", [])}
        posts = [self._public(post) for post in self._posts_of(topic) if post["id"] in wanted]
        return json_reply({"post_stream": {"posts": posts}, "id": topic})

    def _latest_posts(self, query: dict[str, list[str]]) -> Reply:
        if "posts" in self.hides:
            return not_found()
        before = int(query.get("before", ["0"])[0])
        newest = sorted((p for p in self.posts.values() if p["post_type"] == 1 and p["deleted_at"] is None), key=lambda post: -post["id"])
        if before > 0 and self.old_before:
            newest = [post for post in newest if before - WINDOW < post["id"] <= before]
        elif before > 0:
            newest = [post for post in newest if post["id"] < before]
        shown = [
            self._public(post) | {"raw": post["cooked"][3:-4], "topic_title": self.topics[post["topic_id"]]["title"]}
            for post in newest[:LATEST_POSTS]
        ]
        return json_reply({"latest_posts": shown})

    def _likers(self, query: dict[str, list[str]]) -> Reply:
        post = self.posts.get(int(query.get("id", ["0"])[0]))
        if post is None or query.get("post_action_type_id") != ["2"] or "likers" in self.hides:
            return not_found()
        names = {number: name for name, number in self.users.items()}
        people = [{"id": user, "username": names[user], "name": None, "avatar_template": ""} for user in post.get("liked_by", ())]
        return json_reply({"post_action_users": people})

    def _reaction_users(self, _: dict[str, list[str]], post: int) -> Reply:
        """Names without numbers, 27 of each kind at most."""
        if post not in self.posts or not self.reactions_plugin or "reactions" in self.hides:
            return not_found()
        given = self.posts[post].get("reacted_by", {})
        users = [
            {
                "id": entry["id"],
                "count": entry["count"],
                "users": [
                    {"username": name, "name": name.title(), "can_undo": False} for name, kind in given.items() if kind == entry["id"]
                ][:27],
            }
            for entry in self._reactions(self.posts[post])
        ]
        return json_reply({"reaction_users": users})

    def _reactions(self, post: dict[str, Any]) -> list[dict[str, Any]]:
        counts = Counter(post.get("reacted_by", {}).values())
        return [{"id": kind, "type": "emoji", "count": count} for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]

    def _public(self, post: dict[str, Any]) -> dict[str, Any]:
        """What readers see of a post: not who likes it."""
        shown = {name: value for name, value in post.items() if name not in ("liked_by", "reacted_by")}
        shown["topic_slug"] = f"t-{post['topic_id']}"
        if self.reactions_plugin:
            shown |= {"reactions": self._reactions(post), "reaction_users_count": len(post.get("reacted_by", {}))}
        return shown

    def _latest_revision(self, query: dict[str, list[str]], post: int) -> Reply:
        return self._revision(query, post, 1 + len(self.history.get(post, ())))

    def _revision(self, _: dict[str, list[str]], post: int, number: int) -> Reply:
        texts = [*self.history.get(post, ()), self.posts[post]["cooked"][3:-4] if post in self.posts else ""]
        if post not in self.posts or "history" in self.hides:
            return json_reply({"errors": ["You are not permitted to view the requested resource."], "error_type": "invalid_access"}, 403)
        if not 2 <= number <= len(texts):
            return not_found()
        return json_reply(
            {
                "created_at": self.posts[post]["updated_at"],
                "post_id": post,
                "previous_hidden": False,
                "current_hidden": False,
                "first_revision": 2,
                "previous_revision": number - 1 if number > 2 else None,
                "current_revision": number,
                "next_revision": number + 1 if number < len(texts) else None,
                "last_revision": len(texts),
                "current_version": number,
                "version_count": len(texts),
                "username": self.posts[post]["username"],
                "body_changes": {
                    "inline": "",
                    "side_by_side": "",
                    "side_by_side_markdown": side_by_side(texts[number - 2], texts[number - 1]),
                },
                "title_changes": None,
            }
        )

    @contextmanager
    def _under_way(self) -> Iterator[int]:
        with self._guard:
            self._busy += 1
            at_once = self._busy
        try:
            yield at_once
        finally:
            with self._guard:
                self._busy -= 1


def side_by_side(before: str, after: str) -> str:
    """Two texts as columns, line by line: what left is marked on the left, what came on the right."""
    rows = []
    for old, new in zip_longest(before.splitlines(keepends=True), after.splitlines(keepends=True), fillvalue=""):
        if old == new:
            rows.append(f"<tr><td>{escape(old)}</td><td>{escape(new)}</td></tr>")
        else:
            left = f'<td class="diff-del"><del>{escape(old)}</del></td>' if old else "<td></td>"
            right = f'<td class="diff-ins"><ins>{escape(new)}</ins></td>' if new else "<td></td>"
            rows.append(f"<tr>{left}{right}</tr>")
    return f'<table class="markdown">{"".join(rows)}</table>'


class _Handler(BaseHTTPRequestHandler):
    forum: DiscourseEmulator
    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 65_536  # an answer in one piece: in two, delayed acknowledgements cost 40 ms each time

    def do_GET(self) -> None:
        at = time.time()
        with self.forum._under_way() as at_once:
            if self.forum.slow:
                time.sleep(self.forum.slow)
            reply = self.forum.answer(self.path)
            self.forum.log.append(Hit(self.path, at, at_once, reply.status, self.headers.get("User-Agent", "")))
        # The answer leaves after the request is over for the count: its reader may ask again at once.
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True  # the reader was killed

    def log_message(self, format: str, *args: Any) -> None:
        pass
