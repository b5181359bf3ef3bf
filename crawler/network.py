"""One plain request of a crawl to a host whose addresses were checked (index/hosts.py), with redirects at home."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from crawler.answers import REDIRECTS, Answer, is_login, redirect_target
from index.config import CrawlConfig
from index.errors import SourceError
from index.hosts import PORTS, Place, asked, check_place
from index.hosts import split_address as split

MAX_REDIRECTS = 3
SCHEMES = tuple(PORTS)


def check_host(url: str, allow_private: bool) -> list[str]:
    """The addresses behind a URL, each of which may be asked. Raises SourceError otherwise."""
    return list(check_place(url, allow_private, SCHEMES).addresses)


def port_of(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def split_address(url: str) -> SplitResult:
    """The parts of a web address. Raises SourceError where it is none, or holds a password."""
    return split(url, SCHEMES)


def may_follow(url: str, target: str) -> bool:
    """Only redirects within scheme, host and port are followed, and none to a login page."""
    one, two = urlsplit(url), urlsplit(target)
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower()) and not is_login(target)


def ask(
    url: str,
    addresses: list[str],
    config: CrawlConfig,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, with up to three redirects within the host. Raises SourceError where no answer comes."""
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask_once(url, addresses, config, method, body, headers or {})
        target = redirect_target(url, answer.headers.get("location", ""))
        if answer.status not in REDIRECTS or not may_follow(url, target):
            return answer
        time.sleep(config.delay_seconds)
        url = target
    return answer


def _ask_once(url: str, addresses: list[str], config: CrawlConfig, method: str, sent: bytes | None, extra: Mapping[str, str]) -> Answer:
    place = Place(urlsplit(url), tuple(addresses))
    path = (place.parts.path or "/") + (f"?{place.parts.query}" if place.parts.query else "")
    headers = {"Accept": "application/json", **extra, "User-Agent": config.user_agent}
    with asked(place, path, method, sent, headers, config.timeout_seconds) as response:
        return Answer(url, response.status, {name.lower(): value for name, value in response.getheaders()}, _read(response, url, config))


def _read(response: http.client.HTTPResponse, url: str, config: CrawlConfig) -> bytes:
    """The body, of bounded size and within a bounded time even if it comes byte by byte."""
    deadline = time.monotonic() + config.timeout_seconds
    chunks: list[bytes] = []
    length = 0
    while chunk := response.read1(65_536):
        chunks.append(chunk)
        length += len(chunk)
        if length > config.max_response_bytes:
            raise SourceError(f"{url} answers with more than {config.max_response_bytes:,} bytes", "raise crawl.max_response_bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(chunks)
