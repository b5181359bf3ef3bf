"""People on Nostr who sign events, and the relay of nostr-sdk (software none of us wrote) that takes them, on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from coincurve import PrivateKey

EPOCH = 1_700_000_000
Event = dict[str, Any]


class Person:
    """A key pair; the same name has the same keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = PrivateKey(hashlib.sha256(name.encode()).digest())
        self.pubkey = self._key.public_key.format(compressed=True)[1:].hex()

    @property
    def id(self) -> str:
        return f"nostr:u/{self.pubkey}"

    def event(self, kind: int, content: str = "", *tags: list[str], at: int = EPOCH) -> Event:
        body = [0, self.pubkey, at, kind, list(tags), content]
        digest = hashlib.sha256(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()).digest()
        signature = self._key.sign_schnorr(digest, b"\0" * 32).hex()
        return {
            "id": digest.hex(), "pubkey": self.pubkey, "created_at": at, "kind": kind, "tags": list(tags), "content": content, "sig": signature,
        }  # fmt: skip

    def note(self, content: str, parent: Event | None = None, root: Event | None = None, at: int = EPOCH) -> Event:
        """A kind 1, or a reply by NIP-10."""
        if parent is None:
            return self.event(1, content, at=at)
        tags = [["e", (root or parent)["id"], "", "root"], ["p", parent["pubkey"]]]
        if root is not None and root is not parent:
            tags.append(["e", parent["id"], "", "reply"])
        return self.event(1, content, *tags, at=at)

    def like(self, target: Event, content: str = "+", at: int = EPOCH) -> Event:
        return self.event(7, content, ["e", target["id"]], ["p", target["pubkey"]], at=at)

    def delete(self, *targets: Event, at: int = EPOCH) -> Event:
        return self.event(5, "", *(["e", target["id"]] for target in targets), at=at)

    def article(self, name: str, content: str, at: int = EPOCH, title: str = "An article") -> Event:
        return self.event(30023, content, ["d", name], ["title", title], ["published_at", str(EPOCH)], at=at)


class RelayThread:
    """A relay in a thread with a loop of its own."""

    url = ""

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> RelayThread:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        from nostr_sdk import LocalRelayBuilder, RateLimit

        builder = LocalRelayBuilder().addr("127.0.0.1").max_filter_limit(self._most).default_filter_limit(self._most)
        self._relay = builder.rate_limit(RateLimit(max_reqs=500, notes_per_minute=1_000_000)).build()
        await self._relay.run()
        self.url = str(await self._relay.url()).rstrip("/")

    async def _stop(self) -> None:
        self._relay.shutdown()

    def publish(self, *events: Event) -> list[str]:
        """Send events; what the relay refuses, with its reason."""
        return asyncio.run(publish(self.url, events))


async def publish(url: str, events: Iterable[Event]) -> list[str]:
    import websockets

    refused = []
    async with websockets.connect(url, proxy=None) as socket:
        for event in events:
            await socket.send(json.dumps(["EVENT", event]))
            while (answer := json.loads(await asyncio.wait_for(socket.recv(), 20)))[0] != "OK":
                pass
            if not answer[2]:
                refused.append(answer[3])
    return refused
