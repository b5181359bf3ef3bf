"""Which stretches of time were read: whole seconds, both ends included. What is not covered is still to be read.

One such set is both watermarks at once: the head is its upper end, and every gap below is a backfill that an
interrupted run left. A gap is never forgotten, however often runs break off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Covered:
    """Spans in order of time, none touching the next."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def read(cls, text: str) -> Covered:
        """From a cursor's value; one that is damaged covers nothing, so that it costs requests and no posts."""
        try:
            spans = [(low, high) for low, high in json.loads(text or "[]") if type(low) is int and type(high) is int and low <= high]
        except (ValueError, TypeError, RecursionError):
            spans = []
        return cls(_joined(spans))

    def write(self) -> str:
        return json.dumps(self.spans, separators=(",", ":"))

    def add(self, low: int, high: int) -> Covered:
        return Covered(_joined([*self.spans, (low, high)])) if low <= high else self

    def without(self, low: int, high: int) -> Covered:
        """The same but for a stretch that is to be read again."""
        kept: list[Span] = []
        for begin, end in self.spans:
            kept += [(begin, min(end, low - 1)), (max(begin, high + 1), end)]
        return Covered(_joined(span for span in kept if span[0] <= span[1]))

    def gaps(self, low: int, high: int) -> list[Span]:
        """What of a stretch is not covered, newest first."""
        found: list[Span] = []
        start = low
        for begin, end in self.spans:
            if start < begin:
                found.append((start, min(begin - 1, high)))
            start = max(start, end + 1)
        if start <= high:
            found.append((start, high))
        return [span for span in reversed(found) if span[0] <= span[1]]


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)
