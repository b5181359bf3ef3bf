"""When a host may be asked again: the only place that decides it.

`Pace` keeps the time before which nothing is sent and counts failures in a row, `asked_wait` reads what a server asks
for; crawler/middleware.py puts both to work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_WAIT = 900.0  # seconds; a server that asks for more is left for the next run
RETRIES = 4  # further attempts for one request
LONG_HOLD = 5.0  # seconds; a longer one is kept for the next run, should this one be stopped meanwhile
LONGEST_BACKOFF = 60.0  # seconds between attempts where the server asks for nothing
BREAKER = 15  # failed attempts in a row, whatever they were for, after which the host is left alone
TRY_AGAIN = (408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
EPOCH = 1_000_000_000  # a reset "in" more seconds than that is a date


def asked_wait(status: int, headers: Mapping[str, str], body: bytes, now: float) -> float:
    """Seconds that an answer asks to wait, 0 if it does not; header names in lower case.

    Retry-After (seconds or an HTTP date), X-RateLimit-Reset and RateLimit-Reset where none remain, and Discourse's
    `extras.wait_seconds` in the body of a 429.
    """
    used_up = [prefix for prefix in ("x-ratelimit-", "ratelimit-") if headers.get(prefix + "remaining", "").strip() == "0"]
    resets = [_reset(headers.get(prefix + "reset", ""), now) for prefix in used_up]
    return max(_retry_after(headers.get("retry-after", ""), now), _wait_seconds(body) if status == 429 else 0.0, *resets)


def _retry_after(value: str, now: float) -> float:
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def _reset(value: str, now: float) -> float:
    """A number of seconds, a Unix time, or an ISO date, as each network likes."""
    seconds = _seconds(value)
    if seconds is not None:
        return max(0.0, seconds - now) if seconds > EPOCH else seconds
    try:
        when = datetime.fromisoformat(value.strip())
        return max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, (str, int, float)) else -1.0
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 1e12 else None


def _wait_seconds(body: bytes) -> float:
    try:
        extras = json.loads(body)["extras"]
        return _seconds(extras["wait_seconds"]) or 0.0
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0.0


@dataclass(slots=True)
class Pace:
    """How one host is asked, by however many sources: the pause between requests, holds that it asked for, failures in a row."""

    delay: float
    failures: int = 0
    not_before: float = 0.0  # Unix time
    stopped: str = ""  # why nothing more is asked in this run
    way_out: str = "run again later: what was read stays, the rest is waiting"
    keep: list[Callable[[float], None]] = field(default_factory=list)  # told of long holds

    def stop(self, why: str, way_out: str = "") -> None:
        if not self.stopped:
            self.stopped, self.way_out = why, way_out or self.way_out

    def may_send(self, now: float) -> float:
        """Seconds to wait before the next request; negative if there may be none."""
        wait = max(0.0, self.not_before - now)
        if wait > MAX_WAIT:
            self.stop(f"asks to be left alone for {wait:,.0f} seconds", "run again after that: it is not asked before")
        return -1.0 if self.stopped else wait

    def ended(self, now: float) -> None:
        """The pause counts from the end of an answer, so that a slow server gets more rest."""
        self.hold(now, self.delay)

    def hold(self, now: float, seconds: float) -> None:
        self.not_before = max(self.not_before, now + seconds)

    def hold_as_asked(self, now: float, seconds: float) -> None:
        self.hold(now, seconds)
        if seconds > LONG_HOLD:
            for told in self.keep:
                told(self.not_before)

    def worked(self) -> None:
        self.failures = 0

    def failed(self, what: str) -> None:
        self.failures += 1
        if self.failures >= BREAKER:
            self.stop(f"left alone after {self.failures} failures in a row, the last: {what}")

    def backoff(self, attempt: int) -> float:
        """Seconds before attempt 1, 2, 3…: doubled each time, up to a minute."""
        return min(LONGEST_BACKOFF, max(self.delay, 0.05) * 2.0**attempt)

    def slow_down(self, seconds: float) -> None:
        """The Crawl-delay of robots.txt: it lengthens the pause, never shortens it."""
        self.delay = max(self.delay, seconds)
        if seconds > MAX_WAIT:
            self.stop(f"robots.txt asks for {seconds:,.0f} seconds between requests", "ask the forum's operators for an export")
