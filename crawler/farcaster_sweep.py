"""Reading Farcaster from a Snapchain node: accounts, a channel, or all of a small node; then what happened since.

What stands in the stores is read once, in pages whose place is kept. Everything later comes from the node's events,
which also tell what was taken back. A node keeps events for three days: who was away longer is told so, and reads the
stores again. What the stores lack is not deleted for that: nodes prune.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from crawler.answers import Answer, read_object
from crawler.farcaster import MAX_FID, Node, cast_id, cast_ref, event_records, message_records, name_records
from crawler.farcaster_signed import hash_of
from crawler.fields import line, mapping, mappings, parsed, whole
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from crawler.social import source_host
from index.errors import SourceError
from index.records import Post, Reject, Source
from index.spool import Record
from index.store import Store, now

PAGE, TREE_PAGE, EVENTS_PAGE = 200, 20, 1_000
KEPT_SECONDS = 60 * 3600  # of three days, with a margin for clocks and for the reading itself
SEQUENCE_BITS = 14  # an event's id is its block's number and its place there
MOST_KNOWN = 300_000
MOST_PEOPLE = 300  # whose names and addresses one run asks for, beside those that are followed
MOST_DEPTH = 100
_ADDRESS = re.compile(r"farcaster:(?:(?P<fids>\d{1,12}(?:,\d{1,12}){0,199})|(?P<channel>https?://[^\s@]+))@(?P<node>https?://\S+)\Z")


def find(address: str, probe: Probe) -> Source | None:
    """`farcaster:557,2@https://node.example.org`, `farcaster:https://channel…@https://node…`, or a node's own address."""
    named = _ADDRESS.match(address)
    if address.startswith("farcaster:") and not named:
        raise SourceError(f"{address!r} names no Farcaster account", "write it like farcaster:557@https://node.example.org:3381")
    if not named and not address.startswith(("https://", "http://")):
        return None
    node = (named["node"] if named else address).rstrip("/")
    answer = probe.ask(f"{node}/v1/info") if named else probe.reads(f"{node}/v1/info")
    about = _object(answer.body) if answer is not None and answer.status == 200 else {}
    if whole(about.get("numShards"), 1, 1_000) is None:
        if named:
            raise SourceError(f"{node} is no Snapchain node: its /v1/info says something else", "give the address of a node's HTTP API")
        return None
    what = f"{named['fids'] or named['channel']}@" if named else ""
    return Source(f"farcaster:{what}{source_host(node)}", "farcaster", address, node, allow_private=probe.allow_private)


def hints(store: Store, source: Source) -> dict[str, Any]:
    """Casts that are known, to tell which events are about them; and who wrote them."""
    from index.tables_networks import known_texts, writers

    return {"known": sorted(known_texts(store, source.id, MOST_KNOWN)), "people": writers(store, source.id)}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    named = _ADDRESS.match(job.source.address)
    fids = [int(fid) for fid in named["fids"].split(",")] if named and named["fids"] else []
    reading = _Reading(job, ask, emit, fids, (named["channel"] or "") if named else "", set(job.hints.get("known", ())))
    reading.people.update(int(author.removeprefix("farcaster:")) for author in job.hints.get("people", ()))
    await reading.begin()
    await reading.read_stores()
    await reading.read_events()
    await reading.read_people()


@dataclass(slots=True)
class _Reading:
    """A visit. `fids` and `channel` say what is followed; neither means all of the node.

    Cursor: "event:1" → last event read of shard 1 and when; "read:…" → where the reading of a store stands, or "done".
    """

    job: Job
    ask: Ask
    emit: Emit
    fids: list[int]
    channel: str
    known: set[str]
    shards: int = 1
    people: set[int] = field(default_factory=set)

    @property
    def everything(self) -> bool:
        return not (self.fids or self.channel)

    @property
    def node(self) -> str:
        return self.job.source.base_url

    async def _get(self, path: str, keep: bool = False, **query: Any) -> tuple[Answer, dict[str, Any]]:
        words = urlencode({name: value for name, value in query.items() if value != ""})
        answer = await self.ask(f"{self.node}/v1/{path}" + (f"?{words}" if words else ""), keep=keep)
        return answer, read_object(answer)

    async def _pages(self, path: str, mark: str = "", **query: Any) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        """Pages of messages, each with the token of the next; from `mark` on. A token that comes twice ends it."""
        token, seen = mark, set[str]()
        while True:
            _, page = await self._get(path, pageToken=token, **query)
            token = line(page.get("nextPageToken"), 500) or ""
            if token in seen:
                raise SourceError(f"{self.node}/v1/{path} gives pages in a circle", "report it to the node's operators")
            seen.add(token)
            yield list(mappings(page.get("messages"))), token
            if not token:
                return

    # --- what happened since

    async def begin(self) -> None:
        """Where events begin that this visit has to read: before the stores are read, so that nothing falls between."""
        _, about = await self._get("info")
        self.shards = whole(about.get("numShards"), 1, 1_000) or 1
        heights = {whole(shard.get("shardId"), 0): whole(shard.get("maxHeight"), 0) for shard in mappings(about.get("shardInfos"))}
        late = [shard for shard in range(1, self.shards + 1) if self._age(shard) > KEPT_SECONDS]
        if late:
            where = ", ".join(f"shard {shard}: {self.job.cursor[f'event:{shard}']}" for shard in late)
            reason = "events since the last run are gone from the node; its stores were read again"
            again = {name: "" for name in self.job.cursor if name.startswith("read:")} | {f"event:{shard}": "" for shard in late}
            self.emit([Reject(self.job.source.id, self.node, reason, where)], again)
            self.job.cursor.update(again)
        for shard in range(1, self.shards + 1):
            if not self.job.cursor.get(f"event:{shard}"):
                self._move(shard, (heights.get(shard) or 0) << SEQUENCE_BITS, [])

    def _age(self, shard: int) -> float:
        """Seconds since events of a shard were read; 0 where they never were."""
        moment = self.job.cursor.get(f"event:{shard}", "").partition(" ")[2]
        return time.time() - int(moment) if moment.isdecimal() else 0.0

    def _move(self, shard: int, event: int, records: list[Record]) -> None:
        self.job.cursor[f"event:{shard}"] = f"{event} {int(time.time())}"
        self.emit(records, {f"event:{shard}": self.job.cursor[f"event:{shard}"]})

    async def read_events(self) -> None:
        for shard in range(1, self.shards + 1):
            last = int(self.job.cursor[f"event:{shard}"].partition(" ")[0])
            while True:
                _, page = await self._get("events", from_event_id=last + 1, shard_index=shard, pageSize=EVENTS_PAGE)
                events = list(mappings(page.get("events")))
                ids = [number for event in events if (number := whole(event.get("id"), 0, 2**63)) is not None]
                if any(number <= last for number in ids):
                    raise SourceError(f"{self.node} gives events of shard {shard} from before {last}", "its cursor cannot be trusted")
                last = max(ids, default=last)
                self._move(shard, last, self._of_events(events))
                if not ids:  # a node may give fewer at once than it is asked for
                    break

    def _of_events(self, events: Sequence[dict[str, Any]]) -> list[Record]:
        relevant = [event for event in events if self.everything or self._concerns(event)]
        kept = [event for event in relevant if mapping(_message(event).get("data")).get("type") == "MESSAGE_TYPE_CAST_ADD"]
        node = Node(self.job.source.id, now())
        return self._told([record for event in relevant for record in event_records(node, event)], kept, "events")

    def _concerns(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is about what is followed: by somebody, in the channel, under or on a known cast."""
        proof = mapping(mapping(event.get("mergeUsernameProofBody")).get("usernameProof"))
        data = mapping(_message(event).get("data"))
        fid = whole(data.get("fid", proof.get("fid")), 1, MAX_FID)
        if fid is None or fid in self.fids or fid in self.people or f"person:{fid}" in self.job.cursor:
            return True
        add = mapping(data.get("castAddBody"))
        refs = [cast_ref(add.get("parentCastId")), cast_ref(mapping(data.get("reactionBody")).get("targetCastId"))]
        refs.append(cast_id(fid, hash_of(mapping(data.get("castRemoveBody")).get("targetHash"))))
        return any(ref in self.known for ref in refs) or bool(self.channel and add.get("parentUrl") == self.channel)

    # --- what stands in the stores

    async def read_stores(self) -> None:
        if self.channel:
            await self._read_store(f"read:{self.channel}", "castsByParent", url=self.channel)
        for fid in self.fids:
            await self._read_store(f"read:{fid}", "castsByFid", fid=fid)
        if self.everything:
            for shard in range(1, self.shards + 1):
                await self._read_shard(shard)

    async def _read_store(self, mark: str, path: str, **query: Any) -> None:
        """Casts in pages, each with all that was said below and about them; then the place moves on."""
        place = self.job.cursor.get(mark, "")
        if place == "done":
            return
        async for casts, token in self._pages(path, place, pageSize=TREE_PAGE, **query):
            messages = [*casts]
            for cast in casts:
                await self._below(cast, messages, 0)
            self._emit_messages(messages, {mark: token or "done"})

    async def _below(self, cast: Mapping[str, Any], messages: list[dict[str, Any]], depth: int) -> None:
        """Replies to a cast, reactions to it, and the same of the replies."""
        fid, hash = whole(mapping(cast.get("data")).get("fid"), 1, MAX_FID), cast.get("hash")
        if fid is None or not isinstance(hash, str) or depth > MOST_DEPTH:
            return
        for kind in ("REACTION_TYPE_LIKE", "REACTION_TYPE_RECAST"):
            async for page, _ in self._pages("reactionsByCast", target_fid=fid, target_hash=hash, reaction_type=kind, pageSize=PAGE):
                messages += page
        async for page, _ in self._pages("castsByParent", fid=fid, hash=hash, pageSize=PAGE):
            messages += page
            for reply in page:
                await self._below(reply, messages, depth + 1)

    async def _read_shard(self, shard: int) -> None:
        """Every account of a shard with all that it wrote. Who comes later is known by events."""
        token, mark = "", f"read:shard {shard}"
        if self.job.cursor.get(mark) == "done":
            return
        while True:
            _, page = await self._get("fids", shard_id=shard, pageSize=PAGE, pageToken=token)
            for fid in [fid for fid in page.get("fids") or [] if whole(fid, 1, MAX_FID)]:
                await self._read_account(fid)
            before, token = token, line(page.get("nextPageToken"), 500) or ""
            if not token or token == before:
                break
        self.emit([], {mark: "done"})
        self.job.cursor[mark] = "done"

    async def _read_account(self, fid: int) -> None:
        """Casts and reactions of one account, page by page; "read:7" → the store and the token of the next page."""
        mark = self.job.cursor.get(f"read:{fid}", "")
        if mark == "done":
            return
        stores = ["castsByFid", "like", "recast"]
        at, _, token = mark.partition(" ")
        for store in stores[stores.index(at) if at in stores else 0 :]:
            path = "castsByFid" if store == "castsByFid" else "reactionsByFid"
            query = {} if store == "castsByFid" else {"reaction_type": f"REACTION_TYPE_{store.upper()}"}
            async for messages, following in self._pages(path, token if store == at else "", fid=fid, pageSize=PAGE, **query):
                if following:
                    self._emit_messages(messages, {f"read:{fid}": f"{store} {following}"})
                else:
                    self._emit_messages(messages, {})
        self.people.add(fid)
        await self._read_person(fid, {f"read:{fid}": "done"})

    # --- people

    async def read_people(self) -> None:
        """Names and addresses of those who are followed, and of some that were met; others wait for the next run."""
        new = [fid for fid in sorted(self.people) if f"person:{fid}" not in self.job.cursor]
        for fid in [*(fid for fid in self.fids if f"person:{fid}" not in self.job.cursor), *new[:MOST_PEOPLE]]:
            await self._read_person(fid, {})

    async def _read_person(self, fid: int, cursor: dict[str, str]) -> None:
        node = Node(self.job.source.id, now())
        records: list[Record] = []
        for path in ("userDataByFid", "verificationsByFid"):
            async for messages, _ in self._pages(path, fid=fid, pageSize=PAGE):
                records += [record for message in messages for record in message_records(node, message)]
        _, page = await self._get("userNameProofsByFid", fid=fid)
        records += [record for proof in mappings(page.get("proofs")) for record in name_records(node, proof)]
        moved = {**cursor, f"person:{fid}": now()}
        self.emit(records, moved)
        self.job.cursor.update(moved)

    # --- writing

    def _emit_messages(self, messages: Sequence[dict[str, Any]], cursor: Mapping[str, str]) -> None:
        node = Node(self.job.source.id, now())
        kept = [message for message in messages if mapping(message.get("data")).get("type") == "MESSAGE_TYPE_CAST_ADD"]
        records = [record for message in messages for record in message_records(node, message)]
        self.emit(self._told(records, kept, "casts"), cursor)
        self.job.cursor.update(cursor)

    def _told(self, records: list[Record], kept: Sequence[Mapping[str, Any]], what: str) -> list[Record]:
        """Casts are kept one a line; those known from before are in the archive already."""
        fresh = [one for one in kept if _id_of(one) not in self.known]
        for record in records:
            if isinstance(record, Post):
                self.people.add(int(record.author.removeprefix("farcaster:")))
        raw = "\n".join(json.dumps(one) for one in fresh).encode()
        answers = [self.job.keep(f"{self.node}/v1/{what}", raw)] if fresh else []
        ids = {_id_of(one) for one in fresh}
        new = [record for record in records if isinstance(record, Post) and record.id in ids]
        self.known.update(record.id for record in new)
        return [*(record for record in records if record not in new), *told_by(new, *answers)]


def _message(event: Mapping[str, Any]) -> dict[str, Any]:
    return mapping(mapping(event.get("mergeMessageBody")).get("message"))


def _id_of(value: Mapping[str, Any]) -> str:
    """The cast that a kept line holds: a message, or an event with one."""
    message = _message(value) or value
    return cast_id(whole(mapping(message.get("data")).get("fid"), 1, MAX_FID) or 0, str(message.get("hash")))


def parse(source: Source, answers: Sequence[Answer]) -> Iterator[list[Record]]:
    """Records of kept casts, for `precipitate reparse`."""
    for answer in answers:
        node = Node(source.id, answer.seen)
        rows = [_object(row) for row in answer.body.splitlines()]
        yield told_by(
            [record for row in rows for record in (event_records if "mergeMessageBody" in row else message_records)(node, row)], answer
        )


def redact(body: bytes, post: str) -> bytes | None:
    kept = [row for row in body.splitlines() if _id_of(_object(row)) != post]
    return b"\n".join(kept) if kept else None


def _object(row: bytes) -> dict[str, Any]:
    return mapping(parsed(row))
