"""`ask` and `emit` as a sweep gets them: requests through Scrapy's downloader, batches into the spool."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.hosts import SPENT, STOPPED, Host, Hosts, iso
from crawler.job import ForbiddenError, Job, StoppedError
from crawler.warc import RawArchive
from index.errors import SourceError
from index.records import Post, Thread
from index.spool import Record, write_batch
from index.store import now

KEPT = (200, 404, 410)  # statuses of answers that say something of the discussion
WAITS = "not_before:"  # how the entries of a cursor begin that hold what a host asked for: "not_before:forum.example.org"


class Output:
    """Where the batches of one source go. Called as `emit`."""

    def __init__(self, job: Job, spool: Path, archive: RawArchive) -> None:
        self.job, self.spool, self.archive = job, spool, archive
        self._batches = 0

    def __call__(self, records: Iterable[Record], cursor: Mapping[str, str], done: int | None = None, total: int | None = None) -> None:
        records = list(records)
        raws = self.archive.take()
        if not (records or cursor or raws):
            return
        write_batch(self.spool, self.job.source.id, [*raws, *records], cursor, self._batches)
        self._batches += 1
        report = self.job.report
        report.threads += sum(isinstance(record, Thread) for record in records)
        report.posts += sum(isinstance(record, Post) for record in records)
        tell({"source": self.job.source.id, "done": report.threads if done is None else done, "total": total})

    def keep_hold(self, host: str, until: float) -> None:
        """A host asked for a long rest: it has it also if this run is stopped and another one begins."""
        self([], {WAITS + host: iso(until)})


class Asker:
    """Called as `ask`."""

    def __init__(self, engine: Any, hosts: Hosts, job: Job, output: Output) -> None:
        self.engine, self.hosts, self.job, self.output = engine, hosts, job, output

    async def __call__(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, keep: bool = True
    ) -> Answer:
        import scrapy

        host = await self.host(url)
        request = scrapy.Request(url, method=method, body=body, headers=dict(headers or {}), dont_filter=True)
        async with host.turn(self.job.budget):
            try:
                response = await self._unless_stopped(self.engine.download_async(request))
            except Exception as error:
                raise self._meaning(host, url, error) from error
        if host.pace.stopped:
            raise self._stopped(host, url, host.pace.stopped)
        found = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in response.headers.items() if values}
        answer = Answer(response.url, response.status, found, response.body, seen=now(), sent=body or b"")
        return self.output.archive.write(answer) if keep and answer.status in KEPT else answer

    async def host(self, url: str) -> Host:
        """The host of a URL, checked. Raises SourceError where it may not be asked."""
        if self.job.stop.is_set():
            raise StoppedError(f"{self.job.source.id}: {STOPPED}", "run again to resume")
        name = urlsplit(url).netloc.lower()
        earlier = self.job.cursor.get(WAITS + name, "")
        return await self.hosts.host(
            url, self.job.source.allow_private, self.job.source.id, earlier, lambda until: self.output.keep_hold(name, until)
        )

    async def _unless_stopped(self, asking: Any) -> Any:
        """What comes of a request, or StoppedError at once when the run is to stop: what is under way is given up."""
        download = asyncio.ensure_future(asking)
        stopping = asyncio.ensure_future(self.job.stop.wait())
        try:
            await asyncio.wait({download, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not download.done():
                raise StoppedError(f"{self.job.source.id}: {STOPPED}", "run again to resume")
            return download.result()
        finally:
            for task in (download, stopping):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await task

    def _meaning(self, host: Host, url: str, error: Exception) -> SourceError:
        from scrapy.exceptions import IgnoreRequest

        if isinstance(error, SourceError):
            return error
        if host.pace.stopped:
            return self._stopped(host, url, host.pace.stopped)
        if isinstance(error, IgnoreRequest) and str(error) in (STOPPED, SPENT):
            return self._stopped(host, url, str(error))
        if isinstance(error, IgnoreRequest) and "robots.txt" in str(error):
            return ForbiddenError(f"robots.txt forbids {url}", "ask the operators for leave, or for an export")
        if type(error).__name__ == "DownloadCancelledError" or "DOWNLOAD_MAXSIZE" in str(error):
            limit = self.job.config.max_response_bytes
            return SourceError(f"{url} answers with more than {limit:,} bytes", "raise crawl.max_response_bytes")
        return SourceError(f"{url} cannot be reached: {str(error) or type(error).__name__}", "run again later")

    def _stopped(self, host: Host, url: str, why: str) -> StoppedError:
        if why == STOPPED:
            return StoppedError(f"{self.job.source.id}: {STOPPED}", "run again to resume")
        if why == SPENT:
            budget = self.job.budget
            return StoppedError(
                f"{self.job.source.id}: stopped after {budget.spent:,} requests", "run again for the rest, or raise crawl.max_requests"
            )
        return StoppedError(f"{urlsplit(url).scheme}://{host.name}: {why}", host.pace.way_out)


def tell(event: dict[str, Any]) -> None:
    """An event for the parent; it is gone when the pipe is, and then this process ends by itself."""
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
