"""The process that asks: `python -m crawler.child`, one per run for all live sources, started by crawler/live.py.

Twisted's reactor runs once in a process and Scrapy is heavy, so both stay out of the parent. The job comes as one line
of JSON on standard input, which then stays open: a further line "stop" ends the sweeps softly, and when it closes the
parent is gone and this process ends at once. Sweeps run side by side on asyncio's loop, Scrapy's downloader and
WebSockets with them. They write batches into the spool; events go to standard output, a JSON object a line:
{"source", "done", "total"} after each batch, {"source", "report"} at the end of each source. Everything else goes to
standard error.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess

from crawler.answers import Answer
from crawler.ask import Asker, Output, tell
from crawler.hosts import Hosts
from crawler.job import Budget, Channel, Job
from crawler.registry import network, part
from crawler.stream import open_socket
from crawler.warc import RawArchive
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.store import now

ORPHAN = 70  # exit status when the parent is gone
LOCK_SECONDS = 20.0  # how long the process of an interrupted run may take to end
STOP_SECONDS = 10.0  # how long a sweep may take to end once the run is to stop


class Carrier(scrapy.Spider):  # type: ignore[misc]
    """Carries the sweeps of all sources: gives each its `ask` and `emit`, and ends with the last."""

    name = "carrier"

    def __init__(self, work: dict[str, Any], stop: asyncio.Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.work, self.stop = work, stop
        self.config = CrawlConfig(**work["config"])
        self.hosts = Hosts(self.config.delay_seconds, stop)
        self.stamp = now().replace(":", "").replace("-", "") + f"-{os.getpid()}"

    async def start(self) -> AsyncIterator[Any]:
        PARENT.on_stop(self.stop)
        await asyncio.gather(*(self._carry(task) for task in self.work["sources"]))
        for request in list[Any]():  # sweeps ask for themselves: this generator has nothing to hand on
            yield request

    async def _carry(self, task: dict[str, Any]) -> None:
        """One source from its beginning to its report; whatever happens to it, the others go on."""
        source = Source(**task["source"])
        archive = RawArchive(Path(self.work["raw"]), source.id, self.stamp)
        job = Job(
            source=source,
            cursor=task["cursor"],
            config=self.config,
            budget=Budget(self.config.max_requests),
            stop=self.stop,
            connect=lambda url: self._connect(asker, url),
            keep=lambda url, body: archive.write(Answer(url, 0, {}, body, seen=now())),
            hints=task["hints"],
        )
        output = Output(job, Path(self.work["spool"]), archive)
        asker = Asker(self.crawler.engine, self.hosts, job, output)
        try:
            await self._until_stopped(part(network(source.kind).sweep)(job, asker, output))
            job.report.error, job.report.way_out = None, ""
        except SourceError as error:
            job.report.error, job.report.way_out = error.message, error.way_out
        except OSError as error:
            job.report.error, job.report.way_out = f"{source.id}: cannot write: {error.strerror}", "make room on the disk, then run again"
        except Exception as error:  # a mistake of ours in one network must not take the others with it
            self.logger.exception("%s", source.id)
            job.report.error = f"{source.id}: {type(error).__name__}: {error}"[:300]
            job.report.way_out = "this is a bug: please report it with crawl.log"
        try:
            output([], {})  # what was kept and nothing was read from
            archive.close()
        except OSError as error:
            job.report.error, job.report.way_out = f"{source.id}: cannot write: {error.strerror}", "make room on the disk, then run again"
        job.report.requests = job.budget.spent
        tell({"source": source.id, "report": asdict(job.report)})

    async def _until_stopped(self, sweeping: Any) -> None:
        """A sweep, cut off where it does not end by itself soon after the run is to stop."""
        sweep = asyncio.ensure_future(sweeping)
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({sweep, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not sweep.done():
                await asyncio.wait({sweep}, timeout=STOP_SECONDS)
            if not sweep.done():
                sweep.cancel()
                raise SourceError(f"cut off: it did not end within {STOP_SECONDS:.0f} seconds of being told to", "run again to resume")
            sweep.result()
        finally:
            stopping.cancel()

    def _connect(self, asker: Asker, url: str) -> AbstractAsyncContextManager[Channel]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Channel]:
            async with open_socket(url, await asker.host(url), asker.job) as channel:
                yield channel

        return opened()


def settings(config: CrawlConfig) -> dict[str, Any]:
    """Scrapy's settings: polite, checked, and without its open doors."""
    return {
        "USER_AGENT": config.user_agent,
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": config.user_agent.partition("/")[0].strip() or "precipitate",
        "CONCURRENT_REQUESTS": 1000,  # over all hosts: each host is asked one request at a time (crawler/hosts.py)
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1000,  # Scrapy tells hosts apart without their ports; we do with
        "DOWNLOAD_DELAY": 0,  # politeness.py paces; Scrapy's jitter would shorten the pause
        "DOWNLOAD_TIMEOUT": config.timeout_seconds,
        "DOWNLOAD_MAXSIZE": config.max_response_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,  # not Scrapy's default
        "RETRY_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "HTTPPROXY_ENABLED": False,  # a proxy would resolve the name again
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "DOWNLOADER_MIDDLEWARES": {"crawler.middleware.PolitenessMiddleware": 560},
        "DEFAULT_REQUEST_HEADERS": {"Accept": "application/json"},
        "TWISTED_DNS_RESOLVER": "crawler.resolver.CheckedResolver",
        "LOG_LEVEL": "WARNING",
    }


def crawl(work: dict[str, Any]) -> None:
    """Carry out the work in this process; it can be done once."""
    process = AsyncCrawlerProcess(settings(CrawlConfig(**work["config"])))
    process.crawl(Carrier, work=work, stop=asyncio.Event())
    process.start(install_signal_handlers=False)


class Parent:
    """Standard input: the work as one line, then perhaps a word. When it closes, the parent is gone.

    Read with os.read, since a thread that waits inside a buffered reader would break the end of the process.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._told = False

    def work(self) -> dict[str, Any]:
        work: dict[str, Any] = json.loads(self._line())
        threading.Thread(target=self._follow, daemon=True).start()
        return work

    def on_stop(self, stop: asyncio.Event) -> None:
        """Set this event of the running loop when the parent says "stop", or now if it has."""
        self._stop, self._loop = stop, asyncio.get_running_loop()
        if self._told:
            stop.set()

    def _follow(self) -> None:
        while True:
            if self._line().strip() == b"stop":
                self._told = True
                if self._loop is not None and self._stop is not None:
                    self._loop.call_soon_threadsafe(self._stop.set)

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            data = os.read(0, 1 << 16)
            if not data:
                os._exit(ORPHAN)
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line


PARENT = Parent()


def _alone(lock: Path) -> int:
    """Wait until no process of an earlier run asks anything any more; the kernel frees the lock with its holder."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main() -> None:
    work = PARENT.work()
    lock = _alone(Path(work["lock"]))
    crawl(work)
    os.close(lock)


if __name__ == "__main__":
    main()
