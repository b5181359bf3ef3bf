"""Reading a Jetstream: what the people named in its address write, as it happens, since the moment that was read last.

Delivery is at least once and the cursor is inclusive, so events are known by their repository's rev. A Jetstream looks
back about a day and a half; one that is asked for more either refuses or, in older versions, starts later without a
word. So whoever was away too long reads the people's repositories again and goes on from there: nothing between is
lost, and what was deleted meanwhile is seen to be gone.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from crawler.answers import Answer
from crawler.atproto import COLLECTIONS, DID, POST, event_records, rests
from crawler.atproto_identity import PLC, handle_question, locate
from crawler.atproto_sweep import NO_REV, Reading, hints, read_mark, write_mark
from crawler.atproto_sweep import parse as parse_repositories
from crawler.atproto_sweep import redact as redact_repository
from crawler.domains import look_up
from crawler.fields import mapping, parsed, whole
from crawler.job import Ask, Channel, Emit, Job, StoppedError, told_by
from crawler.network import check_host
from crawler.probe import Probe
from crawler.social import source_host, unix_moment
from index.errors import SourceError
from index.records import Holdings, Reject, Source
from index.spool import Record
from index.store import now

LOOK_BACK = 24 * 3600  # seconds; Jetstreams keep 36 hours, with a margin for clocks and for the time that reading takes
OVERLAP = 5_000_000  # microseconds that are asked for again
QUIET_SECONDS = 5.0  # without an event: then the stream has caught up
BATCH, BATCH_SECONDS = 500, 5.0
ATTEMPTS = 4
MOST_PEOPLE = 10_000  # that one subscription may name

__all__ = ["find", "hints", "parse", "redact", "sweep"]


def find(address: str, probe: Probe) -> Source | None:
    """`wss://jetstream.example.org/subscribe?wantedDids=did:plc:…&wantedDids=…`, with `#plc=https://…` for another directory."""
    parts = urlsplit(address)
    if parts.scheme not in ("wss", "ws") or not parts.path.rstrip("/").endswith("/subscribe"):
        return None
    people = people_of(address)
    if not people:
        raise SourceError(f"{address} names nobody", "name whom to read: ?wantedDids=did:plc:…&wantedDids=…")
    if len(people) > MOST_PEOPLE:
        raise SourceError(f"{address[:100]}… names {len(people):,} people", f"one Jetstream takes {MOST_PEOPLE:,}: add several")
    base_url = f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    check_host(base_url, probe.allow_private)
    digest = hashlib.sha256("\n".join(sorted(people)).encode()).hexdigest()[:8]
    return Source(f"jetstream:{source_host(base_url)}#{digest}", "jetstream", address, base_url, allow_private=probe.allow_private)


def people_of(address: str) -> list[str]:
    """The DIDs that a Jetstream's address names."""
    named = (did for value in parse_qs(urlsplit(address).query).get("wantedDids", []) for did in value.split(","))
    return list(dict.fromkeys(did for did in named if DID.match(did)))


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    """Catch up from repositories where the stream does not reach back, then follow the stream."""
    following = _Following(job, emit, people_of(job.source.address))
    unread = following.unread()
    if unread:
        await _read_repositories(job, ask, emit, unread)
        following.start()
    await _follow(job, following)
    if following.back:
        await _read_repositories(job, ask, emit, sorted(following.back))
    names = {author: (domain, evidence) for author, domain, evidence in job.hints.get("domains", ())}
    await look_up(job, ask, emit, names, "at/domain", handle_question)


async def _follow(job: Job, following: _Following) -> None:
    failures = 0
    while not following.done:
        before = following.cursor
        try:
            async with job.connect(following.url()) as channel:
                await following.follow(channel)
        except StoppedError:
            following.flush()
            raise
        except SourceError:
            following.flush()
            failures = 1 if following.cursor > before else failures + 1
            if failures >= ATTEMPTS:
                raise


async def _read_repositories(job: Job, ask: Ask, emit: Emit, people: Sequence[str]) -> None:
    """Each person's repository from where it lives. The cursor of the stream stays where it was until all are read."""
    directory = parse_qs(urlsplit(job.source.address).fragment).get("plc", [PLC])[0]
    known = dict(job.hints.get("known", {}))
    failed: list[str] = []
    for did in people:
        try:
            person = await locate(ask, did, directory)
            if not person.pds:
                raise SourceError(f"{did} names no server that holds its repository", "its account may be gone")
            await Reading(job, ask, emit, person.pds, known).read_if_changed({"did": did, "active": True})
        except StoppedError:
            raise
        except SourceError as error:
            failed.append(did)
            emit([Reject(job.source.id, f"at://{did}", "not read: repository", error.message)], {})
    if failed:
        job.report.failed += len(failed)
        raise SourceError(
            f"{len(failed)} of {len(people)} repositories could not be read, such as {failed[0]}", "run again: they are tried again"
        )


@dataclass(slots=True)
class _Following:
    """The stream under way. The cursor is the last event's time as the server counts it, also where it jumps back."""

    job: Job
    emit: Emit
    people: list[str]
    events: int = 0
    done: bool = False
    back: set[str] = field(default_factory=set)  # who rested and is back
    cursor: int = 0
    begun: int = field(default_factory=lambda: int(time.time() * 1_000_000))
    _known: dict[str, str] = field(default_factory=dict)  # DID → rev up to which all was read before
    _revs: dict[str, str] = field(default_factory=dict)  # DID → newest rev seen
    _resting: set[str] = field(default_factory=set)
    _begun_at: int = 0  # the cursor that this run began with
    _records: list[Record] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _changed: dict[str, str] = field(default_factory=dict)
    _flushed: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.cursor = int(self.job.cursor.get("cursor") or 0)
        self._begun_at = self.cursor
        self._set_out()

    def _set_out(self) -> None:
        self._resting = {did for did in self.people if self.job.cursor.get(f"repo:{did}", "").startswith(NO_REV)}
        self._known = {did: read_mark(self.job.cursor.get(f"repo:{did}", ""))[0] for did in self.people}
        self._revs = dict(self._known)

    def unread(self) -> list[str]:
        """Whose repositories are to be read first: all, if the stream does not reach back to the last run. That is said."""
        if self.cursor and self.begun - self.cursor > LOOK_BACK * 1_000_000:
            since = unix_moment(self.cursor, now(), 1_000_000) or str(self.cursor)
            reason = "the stream does not reach back to the last run; repositories were read again"
            self.emit([Reject(self.job.source.id, self.job.source.base_url, reason, f"last event at {since}")], {})
            self.cursor = 0
        return [did for did in self.people if not self.cursor or not self.job.cursor.get(f"repo:{did}")]

    def start(self) -> None:
        """Repositories were read: the stream goes on from before that, and knows what they held."""
        self.cursor = self._begun_at = self.cursor or self.begun
        self._set_out()
        self.emit([], {"cursor": str(self.cursor)})
        self.job.cursor["cursor"] = str(self.cursor)

    def url(self) -> str:
        wanted = "&".join([*(f"wantedCollections={name}" for name in COLLECTIONS), *(f"wantedDids={quote(did)}" for did in self.people)])
        return f"{self.job.source.base_url}?{wanted}&cursor={max(1, self.cursor - (0 if self.events else OVERLAP))}"

    async def follow(self, channel: Channel) -> None:
        """Until the stream has caught up with the moment of the run's beginning, and as long after as is configured."""
        tail = time.monotonic() + self.job.config.tail_seconds
        while True:
            left = tail - time.monotonic()
            text = await channel.receive(min(QUIET_SECONDS, left) if left > 0 else QUIET_SECONDS)
            if text is not None:
                self._take(text)
            if len(self._records) >= BATCH or time.monotonic() - self._flushed > BATCH_SECONDS:
                self.flush()
            caught_up = text is None or self.cursor >= self.begun
            if caught_up and time.monotonic() >= tail:
                self.done = True
                self.flush()
                return

    def _take(self, text: str | bytes) -> None:
        event = mapping(parsed(text))
        did, when = str(event.get("did")), whole(event.get("time_us"))
        if not event or when is None:
            self._records.append(Reject(self.job.source.id, self.job.source.base_url, "event that is none", f"{text[:100]!r}"))
            return
        if when < self.cursor - 60 * 1_000_000 and self.events:
            self._note(did, "the stream's clock jumped back", f"from {self.cursor} to {when}")
        self.events += 1
        self.cursor = when
        if did not in self._revs:
            self._note(did, "event of somebody who was not asked for")
            return
        if event.get("kind") != "commit" and self._begun_at - OVERLAP <= when <= self._begun_at:
            return  # told in the last run; commits are known by their rev
        rev = mapping(event.get("commit")).get("rev")
        if isinstance(rev, str):
            if rev <= self._known[did]:
                return  # in what was read from the repository, or in an earlier run
            if rev > self._revs[did]:
                # Several records may share the newest rev, and some of them be still to come: the one before is complete.
                self._changed[f"repo:{did}"] = write_mark(self._revs[did], read_mark(self.job.cursor.get(f"repo:{did}", ""))[1])
                self._revs[did] = rev
        found = event_records(self.job.source.id, event, now())
        if event.get("kind") == "account" and rests(mapping(event.get("account"))):
            found.append(Holdings(f"at://{did}", f"at://{did}/", (), False, "account at rest"))
            self._changed[f"repo:{did}"] = NO_REV
            self._resting.add(did)
        elif event.get("kind") == "account" and did in self._resting:
            self._resting.discard(did)
            self.back.add(did)  # all that it holds is read again
        if mapping(event.get("commit")).get("collection") == POST and found:
            self._raw.append(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
        self._records += found

    def _note(self, did: str, reason: str, detail: str = "") -> None:
        self._records.append(Reject(self.job.source.id, f"at://{did[:250]}", reason, detail))

    def flush(self) -> None:
        """One batch, with the time of its last event."""
        if self._records or self._changed or self.cursor > int(self.job.cursor.get("cursor") or 0):
            answers = [self.job.keep(self.job.source.base_url, b"\n".join(self._raw))] if self._raw else []
            cursor = {"cursor": str(self.cursor), **self._changed, **{f"repo:{did}": "" for did in self.back}}
            self.emit(told_by(self._records, *answers), cursor)
            self.job.cursor.update(cursor)
        self._records, self._raw, self._changed = [], [], {}
        self._flushed = time.monotonic()


def parse(source: Source, answers: Sequence[Answer]) -> Iterator[list[Record]]:
    """Records of kept answers: events of the stream, and records of repositories."""
    for answer in answers:
        if not answer.url.endswith("getRepo"):
            events = [mapping(parsed(row)) for row in answer.body.splitlines()]
            yield told_by([record for event in events for record in event_records(source.id, event, answer.seen)], answer)
        else:
            yield from parse_repositories(source, [answer])


def redact(body: bytes, post: str) -> bytes | None:
    """A kept answer without the words of one post."""
    rest = redact_repository(body, post)
    kept = [row for row in (rest or b"").splitlines() if _post_of(row) != post]
    return b"\n".join(kept) if kept else None


def _post_of(row: bytes) -> str:
    event = mapping(parsed(row))
    commit = mapping(event.get("commit"))
    return f"at://{event.get('did')}/{commit.get('collection')}/{commit.get('rkey')}"
