"""Listings that begin with the newest, read from the oldest on: so that one mark says what is read, and nothing is lost.

Most networks list conversations by their last activity, newest first. Reading them in that order would lose the older
ones for ever if the first reading broke off after the mark was set. So the listing is followed down to the mark, what
stands above it is remembered, and then read upwards; the mark rises with each conversation that is written. What
could not be read is kept by name and tried again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from crawler.job import Emit, Job, StoppedError
from index.errors import SourceError
from index.records import Reject
from index.store import now

MAX_PAGES = 20_000
MAX_AGAIN = 2_000  # names kept for another try
SEPARATOR = " "


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A conversation in a listing: when it last changed, and its name (without spaces)."""

    moment: str
    key: str


Read = Callable[[str, dict[str, str]], Awaitable[None]]  # (key, cursor to write with its records)


async def read_rising(job: Job, emit: Emit, pages: AsyncIterator[Iterable[Found]], read: Read, mark: str = "read_until") -> None:
    """Follow `pages` down to the mark, then `read` upwards. SourceError of single conversations are counted and retried."""
    start, at = job.cursor.get(mark, ""), set(job.cursor.get(f"{mark}_at", "").split())
    again = [key for key in job.cursor.get(f"{mark}_again", "").split() if key]
    waiting = [one for one in await _above(pages, start) if not (one.moment == start and one.key in at)]
    again = [key for key in again if key not in {one.key for one in waiting}]
    job.report.waiting = len(waiting) + len(again)
    for key in list(again):
        if why := await _try(job, read, key, {f"{mark}_again": SEPARATOR.join(other for other in again if other != key)}):
            emit([Reject(job.source.id, key, why)], {})
        else:
            again.remove(key)
    for one in sorted(waiting):
        at = {*at, one.key} if one.moment == start else {one.key}
        start = one.moment
        cursor = {mark: start, f"{mark}_at": SEPARATOR.join(sorted(at))}
        if why := await _try(job, read, one.key, cursor):
            again = [*again, one.key][-MAX_AGAIN:]
            emit([Reject(job.source.id, one.key, why)], cursor | {f"{mark}_again": SEPARATOR.join(again)})


async def look_again(job: Job, emit: Emit, read: Read, key: Callable[[str], str], most: int) -> None:
    """Read up to `most` known conversations anew, for what changes without moving them in a listing: edits, deletions, likes.

    First those where a post was missing at the last look, then a third of the rest for the youngest, then all in turn, a
    little further in each run. `job.hints` is index.tables_hints.known_threads; `key` makes names for `read` of thread ids.
    """
    known: list[str] = job.hints.get("known", [])
    place = int(job.cursor.get("looked_at") or 0) % max(1, len(known))
    urgent = list(dict.fromkeys([*job.hints.get("unsettled", [])[:most], *job.hints.get("young", [])[: most // 3]]))[:most]
    in_turn = [thread for thread in known[place:] + known[:place] if thread not in set(urgent)][: most - len(urgent)]
    for thread in urgent:
        if why := await _try(job, read, key(thread), {}):
            emit([Reject(job.source.id, key(thread), why)], {})
    for thread in in_turn:
        cursor = {"looked_at": str(known.index(thread) + 1)}
        if why := await _try(job, read, key(thread), cursor):
            emit([Reject(job.source.id, key(thread), why)], cursor)


async def _try(job: Job, read: Read, key: str, cursor: dict[str, str]) -> str:
    """ "" if the conversation was read; else why not, as a reason that each run tells anew."""
    try:
        await read(key, cursor)
    except StoppedError:
        raise
    except SourceError as error:
        job.report.failed += 1
        return f"not read: {error.message}"[:200]
    job.report.waiting = max(0, job.report.waiting - 1)
    return ""


async def _above(pages: AsyncIterator[Iterable[Found]], start: str) -> list[Found]:
    """What stands above the mark, each once with its newest moment. A listing that repeats itself, or never ends, ends here."""
    newest: dict[str, str] = {}
    latest = now()
    number = 0
    async for page in pages:
        fresh = 0
        for one in page:
            moment = min(one.moment, latest)  # a clock ahead of ours must not lift the mark over what is to come
            if moment >= start and moment > newest.get(one.key, ""):
                fresh += one.key not in newest
                newest[one.key] = moment
        number += 1
        if not fresh:
            break
        if number >= MAX_PAGES:
            raise SourceError(f"a listing has more than {MAX_PAGES:,} pages", "it may never end; report it to the server's operators")
    return [Found(moment, key) for key, moment in newest.items()]
