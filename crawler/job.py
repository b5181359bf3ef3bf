"""The contract between a network and the machinery that asks for it: what a sweep is given, and what it gives back.

    async def sweep(job: Job, ask: Ask, emit: Emit) -> None

A sweep reads one source as far as the server lets it and ends by returning, or by raising SourceError. Politeness,
robots.txt, budget, retries, the check of hosts and the raw archive all lie behind `ask` and `job.connect`. `emit`
writes one batch of records with the cursor that stands behind it: what was not emitted is read again by the next run,
what was emitted is never lost. Sweeps of all sources run side by side in one asyncio loop, so none may block it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from crawler.answers import Answer
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Origin, Post, PostVersion, Source, Tombstone
from index.spool import Record


class StoppedError(SourceError):
    """Nothing more is asked for this source in this run: its budget is spent, the host rests, or the run is to stop.

    A sweep emits what it has gathered and lets this pass on.
    """


class ForbiddenError(SourceError):
    """robots.txt forbids this one address; others may be asked."""


class Ask(Protocol):
    """One polite request: waits its turn with the host, tries again after 429 and 5xx, follows redirects at home.

    Gives every answer that comes at last, whatever its status (`read_object` and `complain` of crawler/answers.py say
    what it means). Raises ForbiddenError, StoppedError, or SourceError where no answer comes. The answer is kept in the
    raw archive unless `keep` is False: for pages that no record is derived from, such as listings.
    """

    async def __call__(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, keep: bool = True
    ) -> Answer: ...


class Emit(Protocol):
    """Write one batch: records first, the cursor with them, whole or not at all.

    `cursor` holds only the entries that change; values are strings. `done` and `total` are for the progress line.
    """

    def __call__(self, records: Iterable[Record], cursor: Mapping[str, str], done: int | None = None, total: int | None = None) -> None: ...


class Channel(Protocol):
    """An open WebSocket. Sending is paced and counted like a request; both raise StoppedError once the run is to stop."""

    async def send(self, text: str) -> None: ...

    async def receive(self, seconds: float) -> str | bytes | None:
        """The next message, or None where none comes within so many seconds. SourceError where the server has closed."""
        ...


Connect = Callable[[str], AbstractAsyncContextManager[Channel]]
Keep = Callable[[str, bytes], Answer]


@dataclass(slots=True)
class Budget:
    """Requests of one source in one run. Attempts, redirects, robots.txt and messages sent are requests, too."""

    most: int
    spent: int = 0

    @property
    def left(self) -> int:
        return max(0, self.most - self.spent)


@dataclass(slots=True)
class Report:
    """What came of one source, as the child process tells its parent. Emit counts threads and posts by itself."""

    threads: int = 0
    posts: int = 0
    failed: int = 0  # items that wait for another try
    waiting: int = 0  # items known of but not read yet, these included
    requests: int = 0
    error: str | None = "the visit broke off"  # until it has come to its end
    way_out: str = ""


@dataclass(slots=True)
class Job:
    """What a sweep needs to know. `cursor` is as the store holds it; a sweep may change its own copy as it likes."""

    source: Source
    cursor: dict[str, str]
    config: CrawlConfig
    budget: Budget
    stop: asyncio.Event  # set by SIGINT and SIGTERM: end soon, with what you have
    connect: Connect  # `async with job.connect("wss://…") as channel`
    keep: Keep  # puts what came by a stream into the raw archive; the answer it gives is for `told_by`
    hints: dict[str, Any] = field(default_factory=dict)  # what Network.hints read from the store before the run
    report: Report = field(default_factory=Report)


Sweep = Callable[[Job, Ask, Emit], Any]


def told_by(records: Iterable[Record], *answers: Answer) -> list[Record]:
    """The records, and for each post among them which raw answers it was read from: its provenance.

    Not for a post that is taken back right here: of what stands in its place nothing has to be found again.
    """
    records = list(records)
    raws = [answer.raw for answer in answers if answer.raw]
    gone = {record.post for record in records if isinstance(record, Tombstone)}
    told = [record.id for record in records if isinstance(record, Post)]
    told += [record.post for record in records if isinstance(record, PostVersion)]
    posts = dict.fromkeys(post for post in told if post not in gone)
    return records + [Origin(post, raw) for post in posts for raw in raws]


async def messages(channel: Channel, seconds: float) -> AsyncIterator[str | bytes]:
    """Messages of a channel until none comes for so many seconds."""
    while (message := await channel.receive(seconds)) is not None:
        yield message
