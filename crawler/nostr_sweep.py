"""Reading a Nostr relay: every stretch of time that is not covered yet, newest first, then what comes live.

A page is what a REQ gives until EOSE. The next one asks up to the oldest second plus one, since some relays take
`until` as exclusive; what came before is known by its id. So no relay can lose us the rest of a second, and one that
makes no progress ends the stretch instead of turning for ever.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.domains import look_up
from crawler.fields import line, mapping, parsed, whole
from crawler.intervals import Covered
from crawler.job import Ask, Channel, Emit, Job, StoppedError, told_by
from crawler.negentropy import Reconciliation
from crawler.network import check_host
from crawler.nostr import KINDS, Relay, checked_records, domain_question, source_id
from crawler.nostr_event import Event, is_hex64, read_event
from crawler.probe import Probe
from crawler.social import unix_moment
from index.errors import SourceError
from index.records import IdentityLink, Reject, Source
from index.spool import Record
from index.store import Store, now

PAGE = 500  # what most relays give at once; one that gives fewer is known by its pages
LEAST_PAGE = 20  # a page shorter than that was not cut off
MOST_EVENTS = 5_000  # of one page: then the relay heeds no limit
AGAIN = 86_400  # seconds before the head that a run reads again: events come late, and dated back
AGAIN_TOO = 600  # the same where negentropy tells what came late
COMPARED = (1, 6, 7, 11, 1111)  # kinds whose events are all known by their ids
MOST_KNOWN, MOST_LACKING, MOST_TURNS = 200_000, 5_000, 50
NEGENTROPY_SECONDS = 5
ATTEMPTS = 4  # connections to a relay that fail in a row
ARCHIVED = {1, 5, 11, 62, 1111, 30023}  # profiles and reactions are told anew by relays and hold no post's words


def find(address: str, probe: Probe) -> Source | None:
    """`wss://relay.example.org`. A relay that has no NIP-11 page is taken at its word by its scheme."""
    scheme, _, rest = address.partition("://")
    if scheme.lower() not in ("wss", "ws") or urlsplit(address).path.rstrip("/").endswith("/subscribe"):
        return None
    page = f"{'https' if scheme.lower() == 'wss' else 'http'}://{rest}"
    check_host(page, probe.allow_private)
    answer = probe.reads(page, headers={"Accept": "application/nostr+json"})
    about = _page(answer) if answer is not None else {}
    if mapping(about.get("limitation")).get("auth_required") is True:
        raise SourceError(f"{address} wants a login (NIP-42)", "only relays that can be read without one are read")
    base_url = f"{scheme.lower()}://{urlsplit(page).netloc.lower()}{urlsplit(page).path.rstrip('/')}"
    return Source(
        id=source_id(base_url),
        kind="nostr",
        address=address,
        base_url=base_url,
        title=line(about.get("name"), 100) or "",
        allow_private=probe.allow_private,
    )


def _page(answer: Answer) -> dict[str, Any]:
    try:
        return mapping(json.loads(answer.body))
    except (ValueError, RecursionError):
        return {}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    """Read the relay. A connection that breaks is opened again, and reading goes on where it was."""
    reading = _Reading(job, emit, Covered.read(job.cursor.get("covered", "")), int(time.time()))
    reading.seen.update(name for _, name in job.hints.get("known", ()))  # events never change: known ones are done with
    failures = 0
    while True:
        before = reading.events
        try:
            async with job.connect(job.source.base_url) as channel:
                await reading.compare(channel)
                await reading.read_gaps(channel)
                await reading.follow(channel)
            break
        except StoppedError:
            raise
        except SourceError:
            failures = 1 if reading.events > before else failures + 1
            if failures >= ATTEMPTS:
                raise
    known = {author: (name, evidence) for author, name, evidence in job.hints.get("domains", ())}
    await look_up(job, ask, emit, known | reading.names, "nostr/nip05", domain_question)


def hints(store: Store, source: Source) -> dict[str, Any]:
    """The domains that people of this relay name in their profiles, and the events that are known, from any relay."""
    from index.tables_networks import known_events
    from index.tables_people import claimed_domains

    return {"domains": claimed_domains(store, source.id, "nostr/profile"), "known": known_events(store, "nostr:", MOST_KNOWN)}


@dataclass(slots=True)
class _Page:
    """What one REQ gave."""

    events: dict[str, Event] = field(default_factory=dict)  # within what was asked for, by id
    raw: list[bytes] = field(default_factory=list)  # of those that are archived
    rejects: list[Record] = field(default_factory=list)
    dates: list[int] = field(default_factory=list)  # of all, also the refused: they say how far the page reaches
    outside: int = 0


@dataclass(slots=True)
class _Reading:
    job: Job
    emit: Emit
    covered: Covered
    begun: int  # seconds since 1970
    names: dict[str, tuple[str, str]] = field(default_factory=dict)  # author → (NIP-05 name, event that says it)
    events: int = 0
    largest: int = 0  # the largest page so far: what the relay gives at most
    seen: set[str] = field(default_factory=set)
    _requests: int = 0
    _compared: bool = False

    @property
    def url(self) -> str:
        return self.job.source.base_url

    async def compare(self, channel: Channel) -> None:
        """What came late or dated back into a stretch that is covered: by negentropy, or where there is none by reading
        the last day again. Once in a visit."""
        if self._compared or not self.covered.spans:
            return
        lacking: list[bytes] | None = None
        if self.job.cursor.get("negentropy") != "none":
            lacking = await self._reconcile(channel)
            self.emit([], {"negentropy": "offered" if lacking is not None else "none"})
        self.covered = self.covered.without(self.begun - (AGAIN if lacking is None else AGAIN_TOO), 2**40)
        for start in range(0, min(len(lacking or ()), MOST_LACKING), PAGE):
            ids = [found.hex() for found in (lacking or [])[start : start + PAGE]]
            page = await self._ask(channel, {"kinds": list(KINDS), "ids": ids, "limit": PAGE})
            self._store(page, self._fresh(page), 1, 0)
        self._compared = True

    async def _reconcile(self, channel: Channel) -> list[bytes] | None:
        """Ids of events that the relay has and we have not; None where it knows no negentropy."""
        known = sorted({(second, bytes.fromhex(name)) for second, name in self.job.hints.get("known", ())})
        since = known[0][0] if len(known) >= MOST_KNOWN else 0
        talk = Reconciliation(known)
        wanted = {"kinds": list(COMPARED), **({"since": since} if since else {})}
        await channel.send(json.dumps(["NEG-OPEN", "n", wanted, talk.begin().hex()]))
        for _ in range(MOST_TURNS):
            said = await self._negentropy_answer(channel)
            if said is None:
                return None
            try:
                answer = talk.answer(bytes.fromhex(said))
            except ValueError:
                return None
            if answer is None:
                break
            await channel.send(json.dumps(["NEG-MSG", "n", answer.hex()]))
        await channel.send(json.dumps(["NEG-CLOSE", "n"]))
        return talk.lacking

    async def _negentropy_answer(self, channel: Channel) -> str | None:
        while (text := await channel.receive(min(NEGENTROPY_SECONDS, self.job.config.timeout_seconds))) is not None:
            said = _message(text)
            if said[:2] == ["NEG-MSG", "n"] and len(said) > 2 and isinstance(said[2], str):
                return said[2]
            if said[:1] in (["NEG-ERR"], ["NOTICE"], ["CLOSED"]):
                return None
        return None

    async def read_gaps(self, channel: Channel) -> None:
        for low, high in self.covered.gaps(0, self.begun):
            await self._read_gap(channel, low, high)

    async def _read_gap(self, channel: Channel, low: int, high: int) -> None:
        """Pages from the newest down. The newest stretch is open to the future: clocks differ."""
        until = None if high >= self.begun else high
        last, stuck = 2**60, 0
        while True:
            page = await self._ask(channel, _filter(low, until))
            if page.outside and not page.dates:
                raise SourceError(f"{self.url} answers with events outside of the time asked for", "it cannot be read")
            fresh = self._fresh(page)
            oldest = min(page.dates, default=low)
            moves = bool(fresh) or oldest < last
            if not page.dates or not (moves or self._is_full(page)):
                self._store(page, fresh, low, high)
                return
            # All that is younger than this page's oldest second has come; of that second itself, perhaps not all.
            self._store(page, fresh, oldest + 1, high)
            stuck, last = 0 if moves else stuck + 1, oldest
            if stuck == 1:
                await self._read_second(channel, oldest)
            until = oldest + 1 - stuck
            if until < max(1, low):
                self._store(_Page(), [], low, high)
                return

    def _fresh(self, page: _Page) -> list[Event]:
        return [event for event in page.events.values() if event.id not in self.seen]

    def _is_full(self, page: _Page) -> bool:
        """Whether the relay may have cut the page off there."""
        return len(page.dates) >= max(self.largest, LEAST_PAGE)

    async def _read_second(self, channel: Channel, second: int) -> None:
        """More events in a second than a page holds: kind by kind there may be fewer."""
        for kind in KINDS:
            page = await self._ask(channel, {"kinds": [kind], "since": second, "until": second + 1, "limit": PAGE})
            if self._is_full(page):
                where = f"{self.url} kind {kind} at {unix_moment(second, now()) or second}"
                page.rejects.append(Reject(self.job.source.id, where, "perhaps more events in one second than the relay gives at once"))
            self._store(page, self._fresh(page), 1, 0)

    async def _ask(self, channel: Channel, wanted: Mapping[str, Any]) -> _Page:
        """One REQ up to its EOSE. Raises SourceError where the relay refuses, falls silent or heeds no limit."""
        self._requests += 1
        name = f"p{self._requests}"
        await channel.send(json.dumps(["REQ", name, wanted]))
        page = _Page()
        deadline = time.monotonic() + 10 * self.job.config.timeout_seconds
        while True:
            text = await channel.receive(self.job.config.timeout_seconds)
            if text is None or time.monotonic() > deadline:
                raise SourceError(f"{self.url} did not end its answer in time", "run again later")
            said = _message(text)
            if said[:2] == ["EOSE", name]:
                break
            if said[:2] == ["CLOSED", name]:
                raise _refused(self.url, said)
            if said[:1] == ["EVENT"] and said[1:2] == [name]:
                self._take(page, said[2] if len(said) > 2 else None, wanted)
            elif said[:1] not in (["NOTICE"], ["AUTH"], ["EOSE"], ["EVENT"], ["OK"], ["COUNT"]):
                page.rejects.append(Reject(self.job.source.id, self.url, "message that is none of Nostr's", f"{text!r:.100}"))
            if len(page.dates) + page.outside > MOST_EVENTS:
                raise SourceError(f"{self.url} sends more than {MOST_EVENTS:,} events at once, asked for {PAGE}", "it cannot be read")
        await channel.send(json.dumps(["CLOSE", name]))
        self.largest = max(self.largest, len(page.dates))
        await asyncio.sleep(0)  # checking signatures takes its time: others go on
        return page

    def _take(self, page: _Page, value: object, wanted: Mapping[str, Any]) -> None:
        raw = mapping(value)
        date = whole(raw.get("created_at"), 0)
        if date is None or raw.get("kind") not in wanted["kinds"] or not wanted.get("since", 0) <= date <= wanted.get("until", 2**60):
            page.outside += 1
            return
        page.dates.append(date)
        event = read_event(value)
        if isinstance(event, str):
            where = f"nostr:{raw['id']}" if is_hex64(raw.get("id")) else self.url
            page.rejects.append(Reject(self.job.source.id, where, event, f"sent by {self.url}"))
        elif event.id not in page.events:
            page.events[event.id] = event
            if event.kind in ARCHIVED and event.id not in self.seen:
                page.raw.append(json.dumps(value, ensure_ascii=False).encode())

    def _store(self, page: _Page, fresh: Sequence[Event], low: int, high: int) -> None:
        """One batch: the page's records, and the stretch that is read with it."""
        self.covered = self.covered.add(low, min(high, self.begun))
        self.seen.update(event.id for event in fresh)
        self.events += len(fresh)
        self._note(fresh, page.raw, page.rejects)

    def _note(self, events: Sequence[Event], raw: Sequence[bytes], rejects: Sequence[Record] = ()) -> None:
        relay = Relay(self.job.source.id, self.url, now())
        records = [record for event in events for record in checked_records(relay, event)]
        for record in records:
            if isinstance(record, IdentityLink) and record.via == "nostr/profile" and record.kind == "domain":
                self.names[record.author] = (record.target, record.evidence)
        answers = [self.job.keep(relay.url, b"\n".join(raw))] if raw else []
        self.emit([*told_by(records, *answers), *rejects], {"covered": self.covered.write()})

    async def follow(self, channel: Channel) -> None:
        """What comes live, for as long as the configuration says; each batch moves the head."""
        seconds = self.job.config.tail_seconds
        if not seconds:
            return
        begun, name = int(time.time()), "tail"
        wanted = {"kinds": list(KINDS), "since": self.begun - 1}
        await channel.send(json.dumps(["REQ", name, wanted]))
        deadline, page = time.monotonic() + seconds, _Page()
        while (left := deadline - time.monotonic()) > 0:
            try:
                text = await channel.receive(min(left, 1.0))
            except StoppedError:
                self._store_live(page, begun)
                raise
            said = _message(text) if text is not None else []
            if said[:2] == ["CLOSED", name]:
                raise _refused(self.url, said)
            if said[:2] == ["EVENT", name]:
                self._take(page, said[2] if len(said) > 2 else None, wanted)
            if text is None or len(page.events) >= PAGE:
                self._store_live(page, begun)
                page, begun = _Page(), int(time.time())
        self._store_live(page, begun)

    def _store_live(self, page: _Page, begun: int) -> None:
        fresh = self._fresh(page)
        if fresh or page.rejects:
            self.covered = self.covered.add(self.begun, begun)
            self.seen.update(event.id for event in fresh)
            self.events += len(fresh)
            self._note(fresh, page.raw, page.rejects)


def _filter(low: int, until: int | None) -> dict[str, Any]:
    """Some relays take 0 as no bound at all, so none is given then."""
    bounds = ({"since": low} if low > 0 else {}) | ({} if until is None else {"until": until})
    return {"kinds": list(KINDS), "limit": PAGE, **bounds}


def _message(text: str | bytes) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else []


def _refused(url: str, said: Sequence[Any]) -> SourceError:
    why = line(said[2] if len(said) > 2 else "", 200) or "no reason"
    if why.startswith("auth-required"):
        return SourceError(f"{url} wants a login (NIP-42): {why}", "only relays that can be read without one are read")
    return SourceError(f"{url} refuses: {why}", "run again later, or ask its operators")


# --- the raw archive ----------------------------------------------------------------------------------------------


def parse(source: Source, answers: Sequence[Answer]) -> Iterator[list[Record]]:
    """Records of kept pages, an event a line, for `precipitate reparse`."""
    for answer in answers:
        relay = Relay(source.id, source.base_url, answer.seen)
        records: list[Record] = []
        for row in answer.body.splitlines():
            event = read_event(parsed(row))
            records += checked_records(relay, event) if isinstance(event, Event) else [Reject(source.id, answer.url, event)]
        yield told_by(records, answer)


def redact(body: bytes, post: str) -> bytes | None:
    """A kept page without the words of one post."""
    kept = [row for row in body.splitlines() if post not in _posts_of(row)]
    return b"\n".join(kept) if kept else None


def _posts_of(row: bytes) -> tuple[str, str]:
    event = mapping(parsed(row))
    tags = event.get("tags")
    identifier = (
        next((tag[1] for tag in tags if isinstance(tag, list) and len(tag) > 1 and tag[0] == "d"), "") if isinstance(tags, list) else ""
    )
    return f"nostr:{event.get('id')}", f"nostr:{event.get('kind')}:{event.get('pubkey')}:{identifier}"
