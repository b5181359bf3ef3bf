"""A sweep without a network or a process: requests are answered by a function, batches are read back from the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from crawler.answers import Answer
from crawler.job import Budget, Channel, Job, Report, StoppedError, Sweep
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import Batch, Record, read_batch, waiting, write_batch

Server = Callable[[str, str, bytes | None], Answer]  # (url, method, body) → answer


class Scripted:
    """Visits one after the other; `cursor` and `batches` are what they bring, `asked` the addresses of the last one."""

    def __init__(self, source: Source, sweep: Sweep, server: Server, spool: Path, config: CrawlConfig | None = None) -> None:
        self.source, self.sweep, self.server, self.spool = source, sweep, server, spool
        self.config = config or CrawlConfig(delay_seconds=0.0)
        self.cursor: dict[str, str] = {}
        self.batches: list[Batch] = []
        self.asked: list[str] = []
        self._order = 0

    def visit(self, requests: int = 10_000, hints: dict[str, Any] | None = None, stop_after: int | None = None) -> Report:
        """One visit that is cut off after so many requests, or told to stop after so many."""
        return asyncio.run(self._visit(requests, hints or {}, stop_after))

    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch.records]

    async def _visit(self, requests: int, hints: dict[str, Any], stop_after: int | None) -> Report:
        self.asked = []
        job = Job(self.source, dict(self.cursor), self.config, Budget(requests), asyncio.Event(), _no_stream, _keep, hints)

        async def ask(
            url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, keep: bool = True
        ) -> Answer:
            await asyncio.sleep(0)
            if job.stop.is_set() or not job.budget.left:
                raise StoppedError("cut off")
            job.budget.spent += 1
            self.asked.append(url)
            if stop_after is not None and len(self.asked) >= stop_after:
                job.stop.set()
            return self.server(url, method, body)

        def emit(records: Iterable[Record], cursor: Mapping[str, str], done: int | None = None, total: int | None = None) -> None:
            records = list(records)
            if records or cursor:
                self._order += 1
                write_batch(self.spool, self.source.id, records, cursor, self._order)

        try:
            await self.sweep(job, ask, emit)
            job.report.error = None
        except SourceError as error:
            job.report.error, job.report.way_out = error.message, error.way_out
        self._load()
        job.report.requests = job.budget.spent
        return job.report

    def _load(self) -> None:
        for path in waiting(self.spool):
            batch = read_batch(path)
            self.batches.append(batch)
            self.cursor |= batch.cursor
            path.unlink()


def _no_stream(url: str) -> AbstractAsyncContextManager[Channel]:
    raise AssertionError(f"{url}: this test has no stream")


def _keep(url: str, body: bytes) -> Answer:
    return Answer(url, 0, {}, body, raw="sha256:kept")
