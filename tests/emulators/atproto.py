"""AT Protocol's parts that cannot be run here: people with signed repositories, their server, a directory of DIDs, and a Jetstream.

Repositories are CAR files with a tree of one node, which is a valid tree though not the one that a PDS would make: real
ones come from the PDS of tests/crawler/test_pds.py. Jetstream keeps what happened, and is asked with a cursor: it is
inclusive, delivers at least once, forgets after a while (version 1 without a word, version 2 with a refusal), and its
clock may jump back.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from coincurve import PrivateKey
from coincurve.ecdsa import der_to_cdata, serialize_compact

from crawler.dagcbor import Link, encode
from tests.emulators.gate import Gate
from tests.emulators.loopback import Quiet

POST, LIKE, REPOST, PROFILE = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost", "app.bsky.actor.profile"
_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def tid(micros: int) -> str:
    number, out = micros << 10, ""
    for _ in range(13):
        out, number = _LETTERS[number & 31] + out, number >> 5
    return out


def iso(micros: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000)) + f".{micros // 1000 % 1000:03d}Z"


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def block(value: Any) -> tuple[bytes, bytes]:
    data = encode(value)
    return b"\x01\x71\x12\x20" + hashlib.sha256(data).digest(), data


class Person:
    """A DID with a repository. `rev` moves with every change."""

    def __init__(self, world: AtWorld, name: str, method: str = "plc") -> None:
        digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()
        self.world, self.name, self.handle = world, name, f"{name}.example.org"
        self.did = f"did:plc:{digest[:24]}" if method == "plc" else f"did:web:{name}.example.org"
        self.new_key(name)
        self.records: dict[str, dict[str, Any]] = {}
        self.rev, self.status = tid(world.clock), ""

    def new_key(self, seed: str) -> None:
        self._key = PrivateKey(hashlib.sha256(seed.encode()).digest())
        raw = b"\xe7\x01" + self._key.public_key.format(compressed=True)
        number, out = int.from_bytes(raw, "big"), ""
        while number:
            number, digit = divmod(number, 58)
            out = _BASE58[digit] + out
        self.multibase = "z" + out

    def write(self, collection: str, record: dict[str, Any], rkey: str = "") -> str:
        now = self.world.tick()
        rkey = rkey or tid(now)
        path = f"{collection}/{rkey}"
        operation = "update" if path in self.records else "create"
        self.records[path] = {"$type": collection, **record}
        self._commit(operation, collection, rkey, self.records[path])
        return f"at://{self.did}/{path}"

    def post(self, text: str, parent: str = "", root: str = "", **more: Any) -> str:
        record: dict[str, Any] = {"text": text, "createdAt": iso(self.world.clock), **more}
        if parent:
            record["reply"] = {"root": {"uri": root or parent, "cid": "x"}, "parent": {"uri": parent, "cid": "x"}}
        return self.write(POST, record)

    def like(self, uri: str, collection: str = LIKE) -> str:
        return self.write(collection, {"subject": {"uri": uri, "cid": "x"}, "createdAt": iso(self.world.clock)})

    def edit(self, uri: str, text: str) -> None:
        path = uri.split("/", 3)[3]
        self.write(POST, {**self.records[path], "text": text}, path.split("/")[1])

    def delete(self, uri: str) -> None:
        path = uri.split("/", 3)[3]
        del self.records[path]
        self.world.tick()
        self._commit("delete", *path.split("/"), None)

    def say_handle(self, handle: str) -> None:
        self.handle = handle
        self.world.tick()
        self.world.event(self.did, "identity", {"did": self.did, "handle": handle, "time": iso(self.world.clock)})

    def set_status(self, status: str) -> None:
        self.status = status
        self.world.tick()
        account = {"active": not status, "did": self.did, "time": iso(self.world.clock)} | ({"status": status} if status else {})
        self.world.event(self.did, "account", account)

    def _commit(self, operation: str, collection: str, rkey: str, record: dict[str, Any] | None) -> None:
        self.rev = tid(self.world.clock)
        commit: dict[str, Any] = {"rev": self.rev, "operation": operation, "collection": collection, "rkey": rkey}
        if record is not None:
            commit |= {"record": json.loads(json.dumps(record)), "cid": str(Link(block(record)[0]))}
        self.world.event(self.did, "commit", commit)

    def car(self) -> bytes:
        blocks = []
        entries = []
        for path in sorted(self.records):
            cid, data = block(self.records[path])
            blocks.append((cid, data))
            entries.append({"p": 0, "k": path.encode(), "v": Link(cid), "t": None})
        root, node = block({"l": None, "e": entries})
        unsigned = {"did": self.did, "version": 3, "data": Link(root), "rev": self.rev, "prev": None}
        signature = serialize_compact(der_to_cdata(self._key.sign(encode(unsigned))))
        head, commit = block({**unsigned, "sig": signature})
        header = encode({"roots": [Link(head)], "version": 1})
        parts = [varint(len(header)) + header]
        parts += [varint(len(cid) + len(data)) + cid + data for cid, data in [(head, commit), (root, node), *blocks]]
        return b"".join(parts)

    def document(self) -> dict[str, Any]:
        return {
            "id": self.did,
            "alsoKnownAs": [f"at://{self.handle}"],
            "verificationMethod": [
                {"id": f"{self.did}#atproto", "type": "Multikey", "controller": self.did, "publicKeyMultibase": self.multibase}
            ],
            "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.world.url}],
        }


@dataclass
class AtWorld:
    """Everybody, the server that holds them, and what happened in order. `failing` is the share of requests that fail."""

    clock: int = field(default_factory=lambda: int(time.time() * 1_000_000) - 3_600_000_000)
    people: dict[str, Person] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    failing: float = 0.0
    no_car: bool = False
    look_back: int = 36 * 3_600_000_000  # microseconds
    refuses_old: bool = False  # version 2
    drop_after: int = 0  # events, then the connection breaks; 0 = never
    asked: list[str] = field(default_factory=list)
    streamed: int = 0  # events
    gate: Gate = field(default_factory=Gate)
    url: str = ""
    stream: str = ""

    def __post_init__(self) -> None:
        self._chance = random.Random(9)

    def person(self, name: str, method: str = "plc") -> Person:
        made = Person(self, name, method)
        self.people[made.did] = made
        return made

    def tick(self, micros: int = 1_000_003) -> int:
        self.clock += micros
        return self.clock

    def event(self, did: str, kind: str, body: dict[str, Any]) -> None:
        """Jetstream counts by its own clock, whatever people's servers say of theirs."""
        moment = max(int(time.time() * 1_000_000), self.events[-1]["time_us"] + 1 if self.events else 0)
        self.events.append({"did": did, "time_us": moment, "kind": kind, kind: body})

    def fails(self) -> bool:
        return self._chance.random() < self.failing

    # --- the server

    def answer(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.fails():
            return 503, b"busy"
        if parts.path.startswith("/plc/"):
            person = self.people.get(unquote(parts.path[5:]))
            return _json(person.document()) if person else _json({"message": "not registered"}, 404)
        name = parts.path.removeprefix("/xrpc/com.atproto.")
        person = self.people.get(query.get("did") or query.get("repo") or "")
        if name == "server.describeServer":
            return _json({"did": "did:web:localhost", "availableUserDomains": [".example.org"]})
        if name == "identity.resolveHandle":
            found = [one.did for one in self.people.values() if one.handle == query["handle"]]
            return _json({"did": found[0]}) if found else _json({"error": "HandleNotFound"}, 400)
        if name == "sync.listRepos":
            return _json(self._repos(int(query.get("cursor", 0))))
        if person is None:
            return _json({"error": "RepoNotFound"}, 400)
        if name == "repo.describeRepo":
            return _json(
                {"handle": person.handle, "did": person.did, "didDoc": person.document(), "handleIsCorrect": True, "collections": []}
            )
        if name == "sync.getRepoStatus":
            told = {"did": person.did, "active": not person.status, "rev": person.rev}
            return _json(told | ({"status": person.status} if person.status else {}))
        if person.status:
            return _json({"error": {"takendown": "RepoTakendown", "suspended": "RepoSuspended"}.get(person.status, "RepoDeactivated")}, 400)
        if name == "sync.getRepo":
            return (501, b"") if self.no_car else (200, person.car())
        if name == "repo.listRecords":
            return _json(self._records(person, query["collection"], query.get("cursor", "")))
        return 404, b"{}"

    def _repos(self, start: int) -> dict[str, Any]:
        people = list(self.people.values())
        page = people[start : start + 3]
        listed = [
            {"did": one.did, "head": "x", "rev": one.rev, "active": not one.status} | ({"status": one.status} if one.status else {})
            for one in page
        ]
        return {"repos": listed} | ({"cursor": str(start + 3)} if start + 3 < len(people) else {})

    def _records(self, person: Person, collection: str, after: str) -> dict[str, Any]:
        paths = sorted((path for path in person.records if path.startswith(collection + "/")), reverse=True)
        paths = [path for path in paths if not after or path < after]
        page = [
            {"uri": f"at://{person.did}/{path}", "cid": str(Link(block(person.records[path])[0])), "value": person.records[path]}
            for path in paths[:10]
        ]
        return {"records": page} | ({"cursor": paths[9]} if len(paths) > 10 else {})


def _json(value: Any, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()


class AtServer:
    """The world's HTTP server and its Jetstream, on loopback."""

    def __init__(self, world: AtWorld) -> None:
        self.world = world

    def __enter__(self) -> AtWorld:
        world = self.world

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536

            def do_GET(self) -> None:
                world.gate.wait()
                status, body = (404, b"") if self.path == "/robots.txt" else world.answer(self.path)
                world.asked.append(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if body[:1] in b"{[" else "application/vnd.ipld.car")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._threads = [threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)]
        self._loop = asyncio.new_event_loop()
        self._threads.append(threading.Thread(target=self._loop.run_forever, daemon=True))
        for thread in self._threads:
            thread.start()
        self._stream = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        world.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        world.stream = f"ws://127.0.0.1:{self._stream.sockets[0].getsockname()[1]}/subscribe"
        return world

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(10)
        self._loop.close()

    async def _listen(self) -> Any:
        from websockets.asyncio.server import serve

        return await serve(self._follow, "127.0.0.1", 0, process_request=self._admit)

    async def _close(self) -> None:
        self._stream.close()
        await self._stream.wait_closed()

    def _admit(self, connection: Any, request: Any) -> Any:
        cursor = int(parse_qs(urlsplit(request.path).query).get("cursor", ["0"])[0])
        if self.world.refuses_old and cursor and time.time() * 1_000_000 - cursor > self.world.look_back:
            return connection.respond(HTTPStatus.BAD_REQUEST, '{"error": "CursorTooOld"}')
        return None

    async def _follow(self, socket: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        query = parse_qs(urlsplit(socket.request.path).query)
        people, collections = set(query.get("wantedDids", [])), set(query.get("wantedCollections", []))
        oldest = time.time() * 1_000_000 - self.world.look_back
        cursor = max(int(query.get("cursor", [str(int(time.time() * 1_000_000))])[0]), oldest)
        place = next((n for n, event in enumerate(self.world.events) if event["time_us"] >= cursor), len(self.world.events))
        sent = 0
        try:
            while socket.close_code is None:
                for event in self.world.events[place:]:
                    place += 1
                    wanted = event["kind"] != "commit" or event["commit"]["collection"] in collections
                    if event["did"] in people and wanted:
                        await socket.send(json.dumps(event))
                        sent += 1
                        self.world.streamed += 1
                        if self.world.drop_after and sent >= self.world.drop_after:
                            await socket.close(1011, "restart")
                            return
                await asyncio.sleep(0.05)
        except ConnectionClosed:
            pass
