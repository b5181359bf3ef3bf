"""Reading a Snapshot space from a hub: proposals and votes from the oldest on, then what has changed, then what is gone.

All pages run forwards in time, so one mark for each kind says what is read: an interrupted reading goes on there. A
page begins at the moment of the last entry, since several may share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from crawler.answers import Answer
from crawler.fields import line, mapping, mappings, whole
from crawler.graphql import ask_graphql, data_of, question
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from crawler.snapshot import CHANGED, NAMED, PROPOSALS, SPACE, VOTES, answer_records, proposal_records, thread_id, vote_records
from index.errors import SourceError
from index.records import Source
from index.spool import Record, Roster
from index.store import Store, now

HUB = "https://hub.snapshot.org"
PAGE, VOTES_PAGE, NAMES = 100, 1000, 100
MOST_SKIPPED = 5000  # what hubs allow
LOOKED_AT = 300  # known proposals that a run looks at again, to learn which are gone
_NAME = re.compile(r"snapshot:([a-z0-9][a-z0-9.-]{1,100})(?:@(https?://\S+))?$")
_PAGE = re.compile(r"https://(?:www\.)?snapshot\.(?:org|box)/#/(?:s:)?([a-z0-9][a-z0-9.-]{1,100})(?:/.*)?$")
Mapper = Callable[[str, object, str], list[Record]]


def find(address: str, probe: Probe) -> Source | None:
    """`snapshot:space.eth`, `snapshot:space.eth@https://hub.example.org`, or the space's page."""
    named = _NAME.match(address) or _PAGE.match(address)
    if not named:
        if address.startswith("snapshot:"):
            raise SourceError(f"{address!r} names no Snapshot space", "write it like snapshot:ens.eth")
        return None
    space, hub = named.group(1), (named.group(2) if named.re is _NAME else None) or HUB
    sent = question(SPACE, {"id": space})
    found = mapping(data_of(probe.ask(f"{hub}/graphql", "POST", sent, {"Content-Type": "application/json"})).get("space"))
    if found.get("id") != space:
        raise SourceError(f"{hub} knows no space {space!r}", "see that its name is written as in its address on snapshot.org")
    return Source(
        id=f"snapshot:{space}",
        kind="snapshot",
        address=address,
        base_url=hub,
        title=line(found.get("name")) or "",
        allow_private=probe.allow_private,
    )


def hints(store: Store, source: Source) -> dict[str, Any]:
    """Which proposals are known, in order: their presence is looked at again bit by bit."""
    from index.tables_hints import thread_ids

    return {"proposals": [thread.rpartition("/")[2] for thread in thread_ids(store, source.id)]}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    """Read the space as far as the hub lets us."""
    space, url = job.source.id.removeprefix("snapshot:"), f"{job.source.base_url}/graphql"
    first = "changed_from" not in job.cursor
    begun = str(_seconds(now()))
    await _forwards(job, ask, emit, url, space, PROPOSALS, "proposals", "created", PAGE, proposal_records)
    await _forwards(job, ask, emit, url, space, VOTES, "votes", "created", VOTES_PAGE, vote_records)
    if first:
        emit([], {"changed_from": begun})
    else:
        await _forwards(job, ask, emit, url, space, CHANGED, "proposals", "updated", PAGE, proposal_records, "changed_from")
    await _look_again(job, ask, emit, url, space)


async def _forwards(
    job: Job, ask: Ask, emit: Emit, url: str, space: str, query: str, name: str, by: str, size: int, records: Mapper, mark: str = ""
) -> None:
    """Pages of entries in order of time; each is written with the mark behind it."""
    mark = mark or f"{name}_from"
    start, skip = int(job.cursor.get(mark) or 0), 0
    while True:
        answer, data = await ask_graphql(ask, url, query, {"space": space, "from": start, "skip": skip, "first": size})
        page = list(mappings(data.get(name)))
        moments = [moment for raw in page if (moment := whole(raw.get(by))) is not None]
        if any(moment < start for moment in moments) or moments != sorted(moments):
            raise SourceError(f"{url} gives {name} out of order of time", "its cursor cannot be trusted; report it to the hub's operators")
        last = max(moments, default=start)
        emit(told_by(records(space, page, answer.seen or now()), answer), {mark: str(last)})
        if len(page) < size:
            return
        skip = skip + len(page) if last == start else 0
        start = last
        if skip > MOST_SKIPPED:
            raise SourceError(f"{url} gives more than {MOST_SKIPPED} {name} of one moment ({start})", "report it to the hub's operators")


async def _look_again(job: Job, ask: Ask, emit: Emit, url: str, space: str) -> None:
    """Some of the proposals that are known, by name: who is missing is noted, and gone when missing twice."""
    known: list[str] = sorted(job.hints.get("proposals", ()))
    place = int(job.cursor.get("looked_at") or 0) % max(1, len(known))
    wanted = (known[place:] + known[:place])[:LOOKED_AT]
    for start in range(0, len(wanted), NAMES):
        names = wanted[start : start + NAMES]
        answer, data = await ask_graphql(ask, url, NAMED, {"ids": names, "first": NAMES})
        found = list(mappings(data.get("proposals")))
        here = {raw.get("id") for raw in found}
        missing = [Roster(thread_id(space, name), ()) for name in names if name not in here]
        records = told_by(proposal_records(space, found, answer.seen or now()), answer)
        emit([*records, *missing], {"looked_at": str((place + start + len(names)) % len(known))})


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    space = source.id.removeprefix("snapshot:")
    for answer in answers:
        yield told_by(answer_records(space, answer.body, answer.seen), answer)


def _seconds(moment: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(moment).timestamp())
