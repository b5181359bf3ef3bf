"""How far a live forum has been read: two watermarks and a list of threads that wait. Pure; kept in the cursor.

    bumped:   oldest ─────────── head ╌╌╌╌╌╌ bottom ─────── top ╌╌╌╌ now
              read or waiting ───┘   not yet   └ read or ─────┘  not yet
                                     listed      waiting         listed

Threads are listed from the newest bump downwards and first only noted as waiting. The head moves up to the top when
the listing has met it, never before: so an interrupted first crawl loses no old thread. Until then the listed interval
[bottom, top] and the page that it ends on are kept, so that a long listing goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CHUNK = 100  # waiting threads in one entry of the cursor: a batch rewrites only the entries that it changes


@dataclass(frozen=True, slots=True)
class Listed:
    """A thread as a listing names it."""

    thread: int
    bumped: str  # ISO with milliseconds, so that text order is time order
    pinned: bool = False  # stands on top whatever its bump


@dataclass(slots=True)
class Frontier:
    head: str = ""
    head_threads: set[int] = field(default_factory=set)  # threads bumped in the very millisecond of the head
    top: str = ""
    top_threads: set[int] = field(default_factory=set)
    bottom: str = ""
    page: int = 0  # the page that holds the bottom
    waiting: dict[int, list[int]] = field(default_factory=dict)  # chunk → threads
    chunk_of: dict[int, int] = field(default_factory=dict)  # thread → chunk
    _written: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Mapping[str, str]) -> Frontier:
        frontier = cls(
            head=cursor.get("head", ""),
            head_threads=set(json.loads(cursor.get("head_threads", "[]"))),
            top=cursor.get("top", ""),
            top_threads=set(json.loads(cursor.get("top_threads", "[]"))),
            bottom=cursor.get("bottom", ""),
            page=int(cursor.get("page", "0")),
        )
        for name, value in sorted(cursor.items()):
            if name.startswith("waiting:"):
                chunk = int(name.partition(":")[2])
                frontier.waiting[chunk] = json.loads(value)
                frontier.chunk_of.update(dict.fromkeys(frontier.waiting[chunk], chunk))
        frontier._written = frontier._entries()
        return frontier

    def changes(self) -> dict[str, str]:
        """The entries of the cursor that are new since the last call."""
        entries = self._entries()
        changed = {name: value for name, value in entries.items() if self._written.get(name) != value}
        self._written = entries
        return changed

    def _entries(self) -> dict[str, str]:
        entries = {f"waiting:{chunk:06d}": json.dumps(threads) for chunk, threads in self.waiting.items()}
        entries |= {"head": self.head, "top": self.top, "bottom": self.bottom, "page": str(self.page)}
        entries |= {"head_threads": json.dumps(sorted(self.head_threads)), "top_threads": json.dumps(sorted(self.top_threads))}
        return entries

    # --- waiting threads

    def threads(self) -> list[int]:
        return [thread for _, threads in sorted(self.waiting.items()) for thread in threads]

    def add(self, threads: Iterable[int]) -> int:
        """Note threads as waiting; returns how many are new."""
        added = 0
        chunk = max(self.waiting, default=0)
        for thread in threads:
            if thread in self.chunk_of:
                continue
            while len(self.waiting.get(chunk, ())) >= CHUNK:
                chunk += 1
            self.waiting.setdefault(chunk, []).append(thread)
            self.chunk_of[thread] = chunk
            added += 1
        return added

    def done(self, thread: int) -> None:
        chunk = self.chunk_of.pop(thread, None)
        if chunk is not None:
            self.waiting[chunk].remove(thread)

    # --- watermarks

    def is_news(self, listed: Listed) -> bool:
        """False if the thread was read or waits as it is now."""
        bumped = listed.bumped
        if bumped < self.head or (bumped == self.head and listed.thread in self.head_threads):
            return False
        inside = self.bottom < bumped < self.top or (bumped == self.top and listed.thread in self.top_threads)
        return not (self.top and inside)

    def extend(self, newest: Mapping[int, str]) -> None:
        """The news above the top are noted: the listed interval begins with them now."""
        if newest:
            self.top = max(newest.values())
            self.top_threads = {thread for thread, bumped in newest.items() if bumped == self.top}

    def reach(self, bottom: str, page: int) -> None:
        self.bottom, self.page = bottom, page

    def close(self) -> None:
        """The listing has met the head: all is read or waiting."""
        if self.top >= self.head:
            self.head, self.head_threads = self.top, self.top_threads
        self.top, self.bottom, self.page, self.top_threads = "", "", 0, set()


def passes(page: Iterable[Listed], mark: str) -> bool:
    """True if a listing has come to threads older than a watermark. What is pinned stands out of order."""
    return any(listed.bumped < mark for listed in page if not listed.pinned)


def reaches_into(page: Iterable[Listed], mark: str) -> bool:
    """True if a page still holds threads from a watermark upwards."""
    return any(listed.bumped >= mark for listed in page if not listed.pinned)
