"""Stands between a client and a server on loopback and breaks a share of what is said: for servers that never fail."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from tests.emulators.gate import Gate


class Flaky:
    """`with Flaky(url, 0.2) as proxy`: each message from the client breaks its connection with that probability."""

    def __init__(self, url: str, share: float, seed: int = 1) -> None:
        self._to, self.share, self._chance = urlsplit(url), share, random.Random(seed)
        self.gate = Gate()  # for what the client says
        self.url, self.passed = "", 0  # pieces that went through, in either direction

    def __enter__(self) -> Flaky:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result(10)
        self.url = f"{self._to.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with suppress(RuntimeError):
            self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            theirs, to_them = await asyncio.open_connection(self._to.hostname, self._to.port)
            await asyncio.gather(self._pass(reader, to_them, True), self._pass(theirs, writer, False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, breaks: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if breaks and self._chance.random() < self.share:
                    break
                if breaks and not self.gate.take():
                    while not self.gate.is_open():
                        await asyncio.sleep(0.02)
                self.passed += 1
                writer.write(data)
                await writer.drain()
        writer.close()
