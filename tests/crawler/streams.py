"""Visits in this process: a sweep with real sockets, and a store that takes its batches. It can break off anywhere.

What the process of a real run adds (pace, robots.txt, checked hosts, the raw archive) is left out: tests/crawler/
test_live.py and the tests of kill -9 have it. `faults` is asked before each request and each message that is received.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.job import Budget, Channel, Job, StoppedError, Sweep
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import Batch, Record, load_batch
from index.store import Store, now
from tests.crawler.conftest import CONTENT as SHOWN

CONTENT = {name: sql for name, sql in SHOWN.items() if name != "rejects"} | {
    "links": "SELECT * EXCLUDE (told) FROM identity_links ORDER BY ALL",
}


class Cut(Exception):
    """The process was killed here."""


class Visits:
    """One source and its store over many visits."""

    def __init__(self, store: Store, source: Source, sweep: Sweep, hints: Callable[[Store, Source], dict[str, Any]] | None = None) -> None:
        self.store, self.source, self.sweep, self.hints = store, source, sweep, hints
        self.config = CrawlConfig(delay_seconds=0.0, timeout_seconds=10)
        self.faults: Callable[[], None] = lambda: None
        self.kept: list[Answer] = []
        self.requests = 0
        self._batches = 0
        tables.add_source(store, source)

    def visit(
        self, budget: int = 10_000, cut_after: int | None = None, stop_after: int | None = None, **changes: Any
    ) -> SourceError | None:
        """One run. `cut_after` so many batches it is killed; `stop_after` so many it is told to stop. The error it ended with."""
        try:
            asyncio.run(self._visit(budget, cut_after, stop_after, replace(self.config, **changes)))
        except SourceError as error:
            return error
        except Cut:
            return SourceError("killed")
        return None

    async def _visit(self, budget: int, cut_after: int | None, stop_after: int | None, config: CrawlConfig) -> None:
        batches = 0
        given = self.hints(self.store, self.source) if self.hints else {}

        def emit(records: Iterable[Record], cursor: Mapping[str, str], done: int | None = None, total: int | None = None) -> None:
            nonlocal batches
            batches += 1
            if cut_after is not None and batches > cut_after:
                raise Cut
            self._batches += 1
            load_batch(self.store, Batch(f"{id(self)}-{self._batches}", self.source.id, now(), dict(cursor), tuple(records)))
            if stop_after is not None and batches >= stop_after:
                job.stop.set()

        def keep(url: str, body: bytes) -> Answer:
            answer = Answer(url, 0, {}, body, "sha256:" + hashlib.sha256(body).hexdigest(), now())
            self.kept.append(answer)
            return answer

        cursor = tables.cursor(self.store, self.source.id)
        job = Job(self.source, cursor, config, Budget(budget), asyncio.Event(), lambda url: self._connect(job, url), keep, given)

        async def ask(
            url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, keep: bool = True
        ) -> Answer:
            self._spend(job)
            answer = await asyncio.to_thread(_request, url, method, body, dict(headers or {}))
            answer = replace(answer, raw="sha256:" + hashlib.sha256(answer.body).hexdigest(), seen=now())
            if keep and answer.status == 200:
                self.kept.append(answer)
            return answer

        await self.sweep(job, ask, emit)

    def _spend(self, job: Job) -> None:
        if job.stop.is_set() or not job.budget.left:
            raise StoppedError("stopped here", "run again")
        job.budget.spent += 1
        self.requests += 1
        self.faults()

    def _connect(self, job: Job, url: str) -> AbstractAsyncContextManager[Channel]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Channel]:
            import websockets

            self._spend(job)
            async with websockets.connect(url, proxy=None, max_size=2**24) as connection:
                yield _Channel(self, job, connection)

        return opened()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.store.execute(sql) for name, sql in CONTENT.items()}

    def rejects(self) -> dict[str, int]:
        return dict(self.store.execute("SELECT reason, count(*) FROM rejects GROUP BY reason ORDER BY reason"))

    def states(self) -> dict[str, str]:
        return dict(self.store.execute("SELECT id, state FROM posts ORDER BY id"))


class _Channel:
    def __init__(self, visits: Visits, job: Job, connection: Any) -> None:
        self.visits, self.job, self.connection = visits, job, connection

    async def send(self, text: str) -> None:
        from websockets.exceptions import ConnectionClosed

        self.visits._spend(self.job)
        try:
            await self.connection.send(text)
        except ConnectionClosed as error:
            raise SourceError(f"closed: {error}") from None

    async def receive(self, seconds: float) -> str | bytes | None:
        from websockets.exceptions import ConnectionClosed

        if self.job.stop.is_set():
            raise StoppedError("stopped here", "run again")
        try:
            message: str | bytes = await asyncio.wait_for(self.connection.recv(), seconds)
            return message
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise SourceError(f"closed: {error}") from None


def _request(url: str, method: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = connection.getresponse()
        return Answer(url, response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{url}: {error}") from None
    finally:
        connection.close()
