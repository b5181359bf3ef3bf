"""Reading AT Protocol repositories: all of a PDS, or one person's. Each repository that changed is read whole, as a CAR.

One request for a repository is less than a page of every collection, and it comes with its author's signature: so
what is not in it any more is known to be deleted. Where no CAR can be had, `listRecords` is read instead, and then it
takes two looks. Only what is new or changed is emitted and kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from crawler.answers import Answer, complain, read_object
from crawler.atproto import (
    COLLECTIONS,
    DID,
    POST,
    Repo,
    account_records,
    handle_records,
    record_records,
    rests,
    tid_moment,
    uri_of,
)
from crawler.atproto_identity import Person, ask_person, find_person, handle_question
from crawler.domains import look_up
from crawler.fields import line, mapping, mappings, parsed
from crawler.job import Ask, Emit, ForbiddenError, Job, StoppedError, told_by
from crawler.probe import Probe
from crawler.repository import BrokenRepository, Repository, is_signed_by, read_repository
from crawler.social import source_host
from index.errors import SourceError
from index.records import Holdings, Post, ReactionEvent, Reject, Source
from index.spool import Record
from index.store import Store, now
from index.tables_discussion import body_hash

BATCH = 1_000  # records in one batch
PAGE, LISTED = 100, 1_000  # records and repositories that one answer lists
MOST_KNOWN = 300_000  # posts and reactions that a job is told of; beyond that all is emitted again
FAILED = 5  # repositories failing in a row: then it is the server that fails
NO_REV = "none"
# What a server answers for an account that is not there for now, or not any more → the account's status.
AWAY = {"RepoDeactivated": "deactivated", "RepoSuspended": "suspended", "RepoTakendown": "takendown"}


class _Away(Exception):
    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


def find(address: str, probe: Probe) -> Source | None:
    """`at://handle`, `at://did:plc:…`, either with `@https://pds.example.org` behind it, or a PDS's own address."""
    if address.startswith("at://"):
        person = find_person(address.removeprefix("at://"), probe)
        return Source(
            id=f"at://{person.did}",
            kind="atproto",
            address=address,
            base_url=person.pds,
            title=person.handle,
            allow_private=probe.allow_private,
        )
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or parts.path.strip("/"):
        return None
    base_url = f"{parts.scheme}://{parts.netloc.lower()}"
    answer = probe.reads(f"{base_url}/xrpc/com.atproto.server.describeServer")
    if answer is None or answer.status != 200:
        return None
    about = _object(answer.body)
    if not isinstance(about.get("availableUserDomains"), list):
        return None
    return Source(f"atproto:{source_host(base_url)}", "atproto", address, base_url, allow_private=probe.allow_private)


def hints(store: Store, source: Source) -> dict[str, Any]:
    """What is known already: posts with the hash of their text, reactions by id."""
    from index.tables_networks import known_texts
    from index.tables_people import claimed_domains

    return {"known": known_texts(store, source.id, MOST_KNOWN), "domains": claimed_domains(store, source.id, "at/handle")}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    """Read what changed, then ask a few of the domains that people have for handles."""
    await _read(job, ask, emit)
    names = {author: (domain, evidence) for author, domain, evidence in job.hints.get("domains", ())}
    await look_up(job, ask, emit, names, "at/domain", handle_question)


async def _read(job: Job, ask: Ask, emit: Emit) -> None:
    reading = Reading(job, ask, emit, job.source.base_url, dict(job.hints.get("known", {})))
    single = job.source.id.removeprefix("at://")
    if DID.match(single):
        await reading.read_if_changed(await reading.status(single))
        return
    failures, last = 0, SourceError("")
    async for entry in reading.listed():
        try:
            await reading.read_if_changed(entry)
            failures = 0
        except (StoppedError, ForbiddenError):
            raise
        except SourceError as error:
            failures, last = failures + 1, error
            job.report.failed += 1
            emit([Reject(job.source.id, f"at://{entry['did']}", "not read: repository", error.message)], {})
        if failures >= FAILED:
            raise SourceError(f"left alone after {failures} repositories in a row failed: {last.message}", last.way_out)
    if job.report.failed:
        raise SourceError(f"{job.report.failed} repositories could not be read", "run again: they are tried again")


def read_mark(text: str) -> tuple[str, str, str]:
    """A repository's entry in the cursor: its rev, the key that signed it, and the rev under which it was listed.

    Some servers list another rev than the repository itself has.
    """
    parts = [*text.split(" "), "", "", ""]
    return parts[0], parts[1], parts[2]


def write_mark(rev: str, key: str, listed: str = "") -> str:
    return " ".join((rev, key, listed.replace(" ", ""))).rstrip()


@dataclass(slots=True)
class Reading:
    """Repositories of one server. The cursor has an entry for each: "repo:did", see `read_mark`."""

    job: Job
    ask: Ask
    emit: Emit
    server: str
    known: dict[str, str]  # id of a post → hash of its text; id of a reaction → ""
    _records: list[Record] = field(default_factory=list)

    async def listed(self) -> Any:
        """Every repository of the server that is not the way it was when it was read last."""
        cursor = ""
        seen: set[str] = set()
        while True:
            url = f"{self.server}/xrpc/com.atproto.sync.listRepos?limit={LISTED}" + (f"&cursor={quote(cursor)}" if cursor else "")
            page = read_object(await self.ask(url, keep=False))
            entries = [entry for entry in mappings(page.get("repos")) if DID.match(str(entry.get("did")))]
            fresh = [entry for entry in entries if entry["did"] not in seen]
            seen.update(entry["did"] for entry in fresh)
            for entry in fresh:
                yield entry
            cursor = line(page.get("cursor"), 500) or ""
            if not cursor:
                return
            if not fresh:
                raise SourceError(f"{self.server} lists its repositories in a circle", "report it to its operators")

    async def status(self, did: str) -> dict[str, Any]:
        """What the server lists of one repository: whether it is active, and its rev. Servers that do not say it are asked
        for the repository itself."""
        answer = await self.ask(f"{self.server}/xrpc/com.atproto.sync.getRepoStatus?did={quote(did)}", keep=False)
        told = _object(answer.body) if answer.status == 200 else {}
        return {**told, "did": did} if told.get("did") == did else {"did": did, "active": True}

    async def read_if_changed(self, entry: Mapping[str, Any]) -> None:
        did = str(entry["did"])
        rev, key, listed = read_mark(self.job.cursor.get(f"repo:{did}", ""))
        if entry.get("active") is False:
            self._away(did, entry, key)
            return
        if rev and str(entry.get("rev")) in (rev, listed):
            return
        person = await ask_person(self.ask, did, self.server)
        if did.startswith("did:web:") and key and person.key and person.key != key:
            raise SourceError(
                f"at://{did} has another signing key than before: its domain may have changed hands",
                "if it is the same person, add it anew",
            )
        try:
            await self._read(did, person, key, line(entry.get("rev"), 100) or "")
        except _Away as away:
            self._away(did, {"active": False, "status": away.status}, key)

    def _away(self, did: str, account: Mapping[str, Any], key: str) -> None:
        """An account that is gone, or rests: then its repository is read again once it is back."""
        held = [Holdings(f"at://{did}", f"at://{did}/", (), False, "account at rest")] if rests(account) else []
        self.job.cursor[f"repo:{did}"] = write_mark(NO_REV, key)
        self.emit([*account_records(self.job.source.id, did, account, now()), *held], {f"repo:{did}": self.job.cursor[f"repo:{did}"]})

    async def _read(self, did: str, person: Person, key: str, listed: str) -> None:
        """One repository: what is new or changed in batches, then what it holds, and only then its cursor."""
        repository, proven = await self._fetch(did, person)
        if repository.did != did:
            raise SourceError(f"{self.server} gives the repository of {repository.did:.100} for {did}", "report it to its operators")
        read = now()
        changed = tid_moment(repository.rev, read) or read
        self._records = handle_records(self.job.source.id, did, person.handle, changed) if person.handle else []
        held = [f"at://{did}/{path}" for path, _, _ in repository.records] + [f"at://{did}/{path}" for path, _ in repository.broken]
        self._records += [Reject(self.job.source.id, f"at://{did}/{path}", "record cannot be read", why) for path, why in repository.broken]
        fresh: list[tuple[str, Record]] = []
        for number, (path, cid, record) in enumerate(repository.records):
            self._take(did, path, cid, record, read, changed, fresh)
            if len(self._records) + len(fresh) >= BATCH:
                self._flush(fresh, {})
            if number % 2_000 == 0:
                await asyncio.sleep(0)  # others go on meanwhile
        self._flush(fresh, {})
        ids = tuple(uri for uri in held if uri.split("/")[3] in COLLECTIONS)
        self.job.cursor[f"repo:{did}"] = write_mark(repository.rev or NO_REV, person.key or key, listed)
        self.emit([Holdings(f"at://{did}", f"at://{did}/", ids, proven)], {f"repo:{did}": self.job.cursor[f"repo:{did}"]})

    def _take(self, did: str, path: str, cid: str, record: object, read: str, changed: str, fresh: list[tuple[str, Record]]) -> None:
        collection, _, rkey = path.partition("/")
        if collection not in COLLECTIONS:
            return
        uri = uri_of(did, collection, rkey)
        if collection != POST and uri in self.known:
            return
        found = record_records(Repo(self.job.source.id, did, read, changed), collection, rkey, record)
        post = next((one for one in found if isinstance(one, Post)), None)
        if post is not None and uri in self.known:
            if body_hash(post.body) == self.known[uri]:
                return
            # Known with another text: so it was written again at some time up to now.
            found = record_records(Repo(self.job.source.id, did, read, changed, update=True), collection, rkey, record)
        if post is not None:
            fresh.append((json.dumps({"uri": uri, "cid": cid, "changed": changed, "known": uri in self.known, "record": record}), post))
        self._records += found
        self.known.update(
            {
                one.id: "" if isinstance(one, ReactionEvent) else body_hash(one.body)
                for one in found
                if isinstance(one, Post | ReactionEvent)
            }
        )

    def _flush(self, fresh: list[tuple[str, Record]], cursor: Mapping[str, str]) -> None:
        """Posts are kept a record a line, so that words which are taken back can go from the archive alone."""
        answers = (
            [self.job.keep(f"{self.server}/xrpc/com.atproto.sync.getRepo", "\n".join(row for row, _ in fresh).encode())] if fresh else []
        )
        if self._records or cursor:
            self.emit(told_by(self._records, *answers), cursor)
        self._records = []
        fresh.clear()

    async def _fetch(self, did: str, person: Person) -> tuple[Repository, bool]:
        """The repository, and whether its author's signature holds for the whole of it."""
        url = f"{self.server}/xrpc/com.atproto.sync.getRepo?did={quote(did)}"
        why = ""
        try:
            answer = await self.ask(url, headers={"Accept": "application/vnd.ipld.car"}, keep=False)
            status = AWAY.get(str(_object(answer.body).get("error"))) if answer.status in (400, 403, 404) else None
            if status:
                raise _Away(status)
            complain(answer)
            repository = await asyncio.to_thread(read_repository, answer.body)
            return repository, bool(person.key) and is_signed_by(repository, person.key)
        except (StoppedError, ForbiddenError):
            raise
        except BrokenRepository as error:
            why = f"{url}: {error}"
        except SourceError as error:
            why = error.message
        self.emit([Reject(self.job.source.id, f"at://{did}", "repository cannot be had whole; its records are listed instead", why)], {})
        return await self._list(did), False

    async def _list(self, did: str) -> Repository:
        records: list[tuple[str, str, Any]] = []
        for collection in COLLECTIONS:
            cursor, seen = "", set[str]()
            while True:
                url = f"{self.server}/xrpc/com.atproto.repo.listRecords?repo={quote(did)}&collection={collection}&limit={PAGE}"
                page = read_object(await self.ask(url + (f"&cursor={quote(cursor)}" if cursor else ""), keep=False))
                entries = [
                    entry for entry in mappings(page.get("records")) if str(entry.get("uri")).startswith(f"at://{did}/{collection}/")
                ]
                fresh = [entry for entry in entries if entry["uri"] not in seen]
                seen.update(entry["uri"] for entry in fresh)
                records += [(entry["uri"].removeprefix(f"at://{did}/"), str(entry.get("cid")), entry.get("value")) for entry in fresh]
                cursor = line(page.get("cursor"), 500) or ""
                if not cursor or not fresh:
                    break
        return Repository(did, "", tuple(records), (), b"", b"")


def parse(source: Source, answers: Sequence[Answer]) -> Iterator[list[Record]]:
    """Records of kept posts, for `precipitate reparse`."""
    for answer in answers:
        records: list[Record] = []
        for row in answer.body.splitlines():
            kept = _object(row)
            did, _, path = str(kept.get("uri")).removeprefix("at://").partition("/")
            collection, _, rkey = path.partition("/")
            update = kept.get("known") is True
            records += record_records(
                Repo(source.id, did, answer.seen, str(kept.get("changed")), update), collection, rkey, kept.get("record")
            )
        yield told_by(records, answer)


def redact(body: bytes, post: str) -> bytes | None:
    kept = [row for row in body.splitlines() if _object(row).get("uri") != post]
    return b"\n".join(kept) if kept else None


def _object(row: bytes) -> dict[str, Any]:
    return mapping(parsed(row))
