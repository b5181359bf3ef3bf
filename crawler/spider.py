"""The process that asks a live forum: `python -m crawler.spider`, one per source and run, started by crawler/live.py.

Twisted's reactor runs once in a process and Scrapy is heavy, so both stay out of the parent. The job comes as one line
of JSON on standard input, which then stays open: when it closes the parent is gone, and this process ends at once.
It writes batches into the spool, and events to standard output, a JSON object a line: {"threads", "total"} after each
batch, {"report"} at the end. Everything else goes to standard error.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import IgnoreRequest

from crawler.answers import Answer
from crawler.discourse import Forum
from crawler.network import check_host
from crawler.politeness import MAX_WAIT, Pace
from crawler.sweep import ForbiddenError, Report, StoppedError, Sweep
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.store import now

ORPHAN = 70  # exit status when the parent is gone
LOCK_SECONDS = 20.0  # how long the process of an interrupted run may take to end


class DiscourseSpider(scrapy.Spider):  # type: ignore[misc]
    """Carries a sweep: gives it `ask`, and ends with it."""

    name = "discourse"

    def __init__(self, job: dict[str, Any], outcome: Report, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        config = CrawlConfig(**job["config"])
        source = Source(**job["source"])
        self.job, self.outcome = job, outcome
        self.pace = Pace(config.delay_seconds, config.max_requests)
        self.pace.not_before = _unix(job["cursor"].get("not_before", ""))
        forum = Forum(source.id, source.base_url, now())
        self.sweep = Sweep.begin(forum, Path(job["spool"]), job["cursor"], self.ask, _tell)
        self.sweep.report = outcome
        self.pace.keep = self.sweep.keep_hold

    async def start(self) -> AsyncIterator[Any]:
        try:
            await self.sweep.run(self.job["recheck"])
        finally:
            self.outcome.requests = self.pace.requests
        for request in list[Any]():  # the sweep asks for itself: this generator has nothing to hand on
            yield request

    async def ask(self, url: str) -> Answer:
        """One GET through Scrapy's downloader. Raises StoppedError, ForbiddenError or SourceError where no answer comes."""
        try:
            response = await self.crawler.engine.download_async(scrapy.Request(url, dont_filter=True))
        except Exception as error:
            raise self._meaning(url, error) from error
        if self.pace.stopped:
            raise self._stopped()
        headers = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in response.headers.items() if values}
        return Answer(response.url, response.status, headers, response.body)

    def _meaning(self, url: str, error: Exception) -> SourceError:
        if self.pace.stopped:
            return self._stopped()
        if isinstance(error, IgnoreRequest) and "robots.txt" in str(error):
            return ForbiddenError(f"robots.txt forbids {url}", "ask the forum's operators for leave, or for an export")
        if type(error).__name__ == "DownloadCancelledError" or "DOWNLOAD_MAXSIZE" in str(error):
            limit = self.job["config"]["max_response_bytes"]
            return SourceError(f"{url} answers with more than {limit:,} bytes", "raise crawl.max_response_bytes")
        return SourceError(f"{url} cannot be reached: {str(error) or type(error).__name__}", "run again later")

    def _stopped(self) -> StoppedError:
        return StoppedError(f"{self.sweep.forum.base_url}: {self.pace.stopped}", self.pace.way_out)


def settings(config: CrawlConfig, addresses: list[str], host: str) -> dict[str, Any]:
    """Scrapy's settings: polite, checked, and without its open doors."""
    return {
        "USER_AGENT": config.user_agent,
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": config.user_agent.partition("/")[0].strip() or "precipitate",
        "CONCURRENT_REQUESTS": 1,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
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
        "DOWNLOADER_MIDDLEWARES": {"crawler.politeness.PolitenessMiddleware": 560},
        "DEFAULT_REQUEST_HEADERS": {"Accept": "application/json"},
        "TWISTED_DNS_RESOLVER": "crawler.resolver.CheckedResolver",
        "CHECKED_ADDRESSES": {host: addresses},
        "LOG_LEVEL": "WARNING",
    }


def crawl(job: dict[str, Any]) -> Report:
    """Carry out a job in this process; it can be done once."""
    from urllib.parse import urlsplit

    report = Report(way_out="see crawl.log in the workspace's folder")
    source, config = Source(**job["source"]), CrawlConfig(**job["config"])
    wait = _unix(job["cursor"].get("not_before", "")) - time.time()
    try:
        if wait > MAX_WAIT:
            raise SourceError(f"{source.base_url} asked not to be read before {job['cursor']['not_before']}", "run again after that")
        addresses = check_host(source.base_url, source.allow_private)
    except SourceError as error:
        report.error, report.way_out = error.message, error.way_out
        return report
    process = AsyncCrawlerProcess(settings(config, addresses, urlsplit(source.base_url).hostname or ""))
    process.crawl(DiscourseSpider, job=job, outcome=report)
    process.start(install_signal_handlers=False)
    return report


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0


def _tell(threads: int, total: int) -> None:
    print(json.dumps({"threads": threads, "total": total}), flush=True)


def _end_with_parent() -> None:
    """End when standard input closes: the parent holds its other end, and the kernel closes it with the parent."""
    while os.read(0, 1024):
        pass
    os._exit(ORPHAN)


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
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = _alone(Path(job["lock"]))
    report = crawl(job)
    print(json.dumps({"report": asdict(report)}), flush=True)
    os.close(lock)


if __name__ == "__main__":
    main()
