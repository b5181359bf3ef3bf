"""Conversations that change, and a server on loopback that tells of them in some network's words.

A `World` holds what people said, edited, took back and liked. Subclasses of `WorldServer` answer as one network's API
does. The server logs each request with its time and how many were under way at once, and can be told to fail.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.emulators.gate import Gate
from tests.emulators.loopback import Quiet

EPOCH = 1_700_000_000


@dataclass
class Said:
    """One post; the first of a conversation has no parent."""

    id: int
    root: int
    parent: int | None
    author: str
    created: int
    text: str
    title: str = ""
    edited: int | None = None
    deleted: bool = False
    likes: dict[str, str] = field(default_factory=dict)  # who → what they chose
    liked: dict[str, int] = field(default_factory=dict)  # who → when
    link: str = ""

    @property
    def moment(self) -> int:
        return self.edited or self.created


class World:
    def __init__(self, start: int = EPOCH) -> None:
        self.posts: dict[int, Said] = {}
        self.clock = start

    def tick(self, seconds: int = 60) -> int:
        self.clock += seconds
        return self.clock

    def thread(self, author: str, title: str, text: str, link: str = "") -> int:
        number = len(self.posts) + 1
        self.posts[number] = Said(number, number, None, author, self.tick(), text, title, link=link)
        return number

    def reply(self, parent: int, author: str, text: str) -> int:
        number = len(self.posts) + 1
        self.posts[number] = Said(number, self.posts[parent].root, parent, author, self.tick(), text)
        return number

    def edit(self, post: int, text: str) -> None:
        self.posts[post].text, self.posts[post].edited = text, self.tick()

    def delete(self, post: int) -> None:
        self.posts[post].deleted = True
        self.tick()

    def like(self, post: int, who: str, what: str = "like") -> None:
        self.posts[post].likes[who], self.posts[post].liked[who] = what, self.tick()

    def roots(self) -> list[Said]:
        return [post for post in self.posts.values() if post.parent is None]

    def of(self, root: int) -> list[Said]:
        return [post for post in self.posts.values() if post.root == root]

    def below(self, post: int) -> list[Said]:
        return [other for other in self.posts.values() if other.parent == post]

    def active(self, root: int) -> int:
        return max(post.moment for post in self.of(root))

    @staticmethod
    def filled(threads: int = 5, replies: int = 4, seed: int = 1) -> World:
        """Conversations of several people, with answers to answers."""
        chance, world = random.Random(seed), World()
        people = ["ann", "bob", "carol", "dan", "eve"]
        for number in range(1, threads + 1):
            root = world.thread(chance.choice(people), f"How to do thing {number}", f"First, open the door of house {number}.")
            for count in range(chance.randrange(replies + 1) if number > 1 else replies):
                parent = chance.choice([post.id for post in world.of(root)])
                world.reply(parent, chance.choice(people), f"Then do step {count} of thing {number}, slowly.")
            for who in chance.sample(people, 2):
                world.like(root, who)
        return world


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    method: str
    path: str
    at: float
    at_once: int
    status: int
    headers: dict[str, str]


def told(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status, json.dumps(value).encode(), {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    )


class WorldServer:
    """`with SomeServer(world) as server:` serves it at `server.url`; `answer` is what a subclass adds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log: list[Hit] = []
        self.failing = 0.0  # share of requests that fail
        self.gate = Gate()
        self.chance = random.Random(7)
        self._busy = 0
        self._guard = threading.Lock()

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        raise AssertionError("a subclass answers")

    def __enter__(self) -> Any:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve(b"")

            def do_POST(self) -> None:
                self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def _serve(self, body: bytes) -> None:
                outer.gate.wait()
                reply = outer._handle(self, body)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: Any) -> None:
                return

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def _handle(self, request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        with self._guard:
            self._busy += 1
            at_once, at = self._busy, time.monotonic()
        try:
            parts = urlsplit(request.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            self.headers = {name.lower(): value for name, value in request.headers.items()}
            if parts.path == "/robots.txt":
                reply = Reply(404, b"")
            elif self.chance.random() < self.failing:
                reply = self.chance.choice(
                    [Reply(500, b"Oops"), Reply(503, b"", {"Retry-After": "0"}), Reply(429, b"slow", {"Retry-After": "0"})]
                )
            else:
                reply = self.answer(unquote(parts.path), query, body) or told({"error": "not found"}, 404)
        finally:
            with self._guard:
                self._busy -= 1
        self.log.append(Hit(request.command, request.path, at, at_once, reply.status, self.headers))
        return reply
