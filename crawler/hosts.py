"""The hosts that are asked in this process: each with its checked addresses, its pace, and one turn at a time.

However many sources live on a host, one request is under way there at once, and they share its pace. Hosts know
nothing of each other, so a slow one holds up nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from crawler.job import Budget
from crawler.network import check_host
from crawler.politeness import MAX_WAIT, Pace
from index.errors import SourceError

# host name → addresses that were checked: the only ones that crawler/resolver.py gives to connections. One for the
# process, as Twisted's resolver is.
CHECKED: dict[str, list[str]] = {}
STOPPED = "stopped"
SPENT = "budget"


@dataclass(slots=True)
class Host:
    name: str  # with the port: "forum.example.org:8443"
    pace: Pace
    stop: asyncio.Event
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    streaming: asyncio.Lock = field(default_factory=asyncio.Lock)  # one WebSocket at a time
    budget: Budget | None = None  # of whose turn it is

    @asynccontextmanager
    async def turn(self, budget: Budget) -> AsyncIterator[None]:
        """The only turn at this host while it lasts."""
        async with self.lock:
            self.budget = budget
            try:
                yield
            finally:
                self.budget = None

    async def may_send(self) -> str:
        """Wait until the next request may go; "" then, and it is counted. Else why it may not."""
        while (wait := self.pace.may_send(time.time())) > 0 and not self.stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), wait)
        if self.stop.is_set():
            return STOPPED
        if wait < 0:
            return self.pace.stopped
        if self.budget is not None:
            if not self.budget.left:
                return SPENT
            self.budget.spent += 1
        return ""


class Hosts:
    """All hosts by name. `known` holds those that were checked."""

    def __init__(self, delay: float, stop: asyncio.Event) -> None:
        self.known: dict[str, Host] = {}
        self._delay, self._stop = delay, stop
        self._allowed: set[tuple[str, str, bool]] = set()
        self._met: set[tuple[str, str]] = set()

    async def host(self, url: str, allow_private: bool, source: str, not_before: str, keep: Callable[[float], None]) -> Host:
        """The host of a URL, checked. Raises SourceError where it may not be asked, or not yet.

        A name is resolved once in a process: one that changes its mind later leads nowhere else. A source that may not
        ask private hosts is refused also where another source may. `keep` is told of long rests that the host asks for.
        """
        parts = urlsplit(url)
        name = parts.netloc.lower()
        if (parts.scheme, name, allow_private) not in self._allowed:
            addresses = await asyncio.to_thread(check_host, url, allow_private)
            CHECKED.setdefault((parts.hostname or "").lower(), addresses)
            self._allowed.add((parts.scheme, name, allow_private))
        host = self.known.setdefault(name, Host(name, Pace(self._delay), self._stop))
        if (source, name) not in self._met:
            self._met.add((source, name))
            host.pace.keep.append(keep)
            _hold(host, not_before)
        return host


def _hold(host: Host, not_before: str) -> None:
    """A rest that the host asked for in an earlier run."""
    until = datetime.fromisoformat(not_before).timestamp() if not_before else 0.0
    if until - time.time() > MAX_WAIT:
        raise SourceError(f"{host.name} asked not to be read before {not_before}", "run again after that")
    host.pace.not_before = max(host.pace.not_before, until)


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
