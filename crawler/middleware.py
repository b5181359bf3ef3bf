"""Scrapy's downloader made polite: waits, retries and redirects, by the pace of each host.

Scrapy by itself neither honours Retry-After nor counts failures in a row.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import REDIRECTS, redirect_target
from crawler.hosts import Host, Hosts
from crawler.network import MAX_REDIRECTS, may_follow
from crawler.politeness import RETRIES, TRY_AGAIN, asked_wait


class PolitenessMiddleware:
    """Waits before each request, tries again after failures, follows redirects at home.

    It stands in for Scrapy's retry and redirect middlewares. Attempts and redirects are requests like any other: they
    wait, count, and obey robots.txt.
    """

    def __init__(self, hosts: Hosts, robots_agent: str) -> None:
        self.hosts, self.robots_agent = hosts, robots_agent

    @classmethod
    def from_crawler(cls, crawler: Any) -> PolitenessMiddleware:
        from scrapy import signals

        middleware = cls(crawler.spider.hosts, crawler.settings["ROBOTSTXT_USER_AGENT"])
        crawler.signals.connect(middleware.robots_read, signal=signals.robots_parsed)
        return middleware

    def robots_read(self, robotparser: Any, request: Any) -> None:
        delay = robotparser.rp.crawl_delay(self.robots_agent)
        if delay:
            host = self._host(request)
            host.pace.slow_down(float(delay))
            host.pace.ended(time.time())

    async def process_request(self, request: Any) -> None:
        refusal = await self._host(request).may_send()
        if refusal:
            raise _ignored(refusal)

    def process_response(self, request: Any, response: Any) -> Any:
        now, pace = time.time(), self._host(request).pace
        headers = {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in response.headers.items() if values}
        pace.ended(now)
        pace.hold_as_asked(now, asked_wait(response.status, headers, response.body, now))
        if response.status in TRY_AGAIN:
            pace.failed(f"{request.url} answered {response.status}")
            return self._again(request, f"answered {response.status}") or response
        pace.worked()
        if response.status in REDIRECTS:
            return self._redirected(request, headers.get("location", "")) or response
        return response

    def process_exception(self, request: Any, exception: Exception) -> Any:
        from scrapy import exceptions

        mendable = (
            exceptions.CannotResolveHostError,
            exceptions.DownloadConnectionRefusedError,
            exceptions.DownloadFailedError,
            exceptions.DownloadTimeoutError,
            exceptions.ResponseDataLossError,
            OSError,
        )
        if not isinstance(exception, mendable):
            return None
        pace = self._host(request).pace
        pace.ended(time.time())
        pace.failed(f"{request.url}: {str(exception) or type(exception).__name__}")
        return self._again(request, str(exception) or type(exception).__name__)

    def _host(self, request: Any) -> Host:
        return self.hosts.known[urlsplit(request.url).netloc.lower()]

    def _again(self, request: Any, why: str) -> Any:
        """The same request once more, after a pause that doubles; None when it was tried often enough."""
        pace = self._host(request).pace
        attempt = request.meta.get("attempt", 0) + 1
        if attempt > RETRIES or pace.stopped:
            if request.url.endswith("/robots.txt") and "dont_obey_robotstxt" in request.meta:
                # RFC 9309: what robots.txt forbids is unknown then, so everything is.
                pace.stop(f"{request.url} cannot be read: {why}")
            return None
        pace.hold(time.time(), pace.backoff(attempt))
        return request.replace(dont_filter=True, meta={**request.meta, "attempt": attempt})

    def _redirected(self, request: Any, location: str) -> Any:
        """A redirect within scheme, host and port; None for every other, which is then the answer."""
        target = redirect_target(request.url, location)
        steps = request.meta.get("redirects", 0) + 1
        if not location or steps > MAX_REDIRECTS or not may_follow(request.url, target):
            return None
        return request.replace(url=target, dont_filter=True, meta={**request.meta, "redirects": steps})


def _ignored(why: str) -> Exception:
    from scrapy.exceptions import IgnoreRequest

    ignored: Exception = IgnoreRequest(why)
    return ignored
