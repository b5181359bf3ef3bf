"""Finding out what an address is: plain requests, few and paced, each answer asked for once whoever wants it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.network import ask, check_host
from index.config import CrawlConfig
from index.errors import SourceError


@dataclass(slots=True)
class Probe:
    """What `find` of a network may use to ask. Hosts are checked before they are asked, and asked one request at a time."""

    allow_private: bool
    config: CrawlConfig
    _addresses: dict[str, list[str]] = field(default_factory=dict)
    _answers: dict[tuple[str, str, bytes | None, str], Answer] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)  # host → when its last answer ended

    def ask(self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request, with redirects at home; the same one twice is answered from memory. SourceError where none comes."""
        key = (url, method, body, repr(sorted((headers or {}).items())))
        if key not in self._answers:
            host = urlsplit(url).netloc.lower()
            if host not in self._addresses:
                self._addresses[host] = check_host(url, self.allow_private)
            self._rest(host)
            try:
                self._answers[key] = ask(url, self._addresses[host], self.config, method, body, headers)
            finally:
                self._asked[host] = time.monotonic()
        return self._answers[key]

    def reads(self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer | None:
        """The same, but None where no answer comes: for asking whether something is there at all."""
        try:
            return self.ask(url, method, body, headers)
        except SourceError:
            return None

    def _rest(self, host: str) -> None:
        if host in self._asked:
            time.sleep(max(0.0, self._asked[host] + self.config.delay_seconds - time.monotonic()))
