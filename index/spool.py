"""From crawler to store: batches on disk first, then one loader.

A crawler writes each batch of records together with the cursor that stands behind it. The loader commits records and
cursor in one transaction and only then removes the file. So a `kill -9` at any moment loses nothing: an unfinished
file has no final name yet, a finished one is loaded by the next run, and one that was committed but not yet removed is
recognised by its id.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

from index.plain import Body, Plains
from index.records import (
    Account,
    Author,
    Deletion,
    Edge,
    Holdings,
    IdentityLink,
    Origin,
    Post,
    PostVersion,
    Raw,
    Reaction,
    ReactionEvent,
    Reject,
    Source,
    Thread,
    Tombstone,
    Vanish,
)
from index.store import Store, now, storable


@dataclass(frozen=True, slots=True)
class Roster:
    """Which posts a thread held when it was looked at: one that is missing twice counts as pruned."""

    thread: str
    posts: tuple[str, ...]


Record = (
    Source
    | Author
    | Thread
    | Post
    | Reaction
    | Edge
    | Tombstone
    | Reject
    | Roster
    | Account
    | ReactionEvent
    | Deletion
    | Vanish
    | IdentityLink
    | Holdings
    | PostVersion
    | Raw
    | Origin
)

RECORDS: dict[str, Any] = {cls.__name__: cls for cls in get_args(Record)}


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one source in the order they were read; `cursor` takes effect with them."""

    id: str
    source: str
    seen: str  # when it was read
    cursor: dict[str, str] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    plains: Plains = field(default_factory=dict)  # plain text of bodies as far as it is at hand; the loader derives the rest


def write_batch(spool: Path, source: str, records: Iterable[Record], cursor: Mapping[str, str], order: int = 0) -> Path:
    """Put a batch into the spool; it is there whole and synced, or not at all. `order` sorts files of one moment."""
    seen = now()
    name = f"{seen.replace(':', '')}-{order:08d}-{uuid.uuid4().hex[:8]}"
    temporary, final = spool / f".{name}.part", spool / f"{name}.jsonl"
    with open(temporary, "w", encoding="utf-8", errors="surrogatepass") as out:
        out.write(json.dumps({"id": name, "source": source, "seen": seen, "cursor": dict(cursor)}) + "\n")
        for record in records:
            out.write(json.dumps({"type": type(record).__name__, **{name: getattr(record, name) for name in record.__slots__}}) + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, final)
    return final


def read_batch(path: Path) -> Batch:
    with open(path, encoding="utf-8") as lines:
        head = json.loads(next(lines))
        return Batch(**head, records=tuple(_record(json.loads(line)) for line in lines))


def _record(data: dict[str, Any]) -> Record:
    cls = RECORDS[data.pop("type")]
    for key, value in data.items():
        if isinstance(value, list):
            data[key] = tuple(value)
    record: Record = cls(**data)
    return record


def waiting(spool: Path) -> list[Path]:
    """Finished batches, oldest first."""
    return sorted(spool.glob("*.jsonl"))


def clear_unfinished(spool: Path) -> None:
    """Remove what a crash left half-written; only to be called under the workspace lock."""
    for part in spool.glob(".*.part"):
        part.unlink(missing_ok=True)


def load_spool(spool: Path, store: Store) -> Iterator[Batch]:
    """Commit every waiting batch, in order, and yield each after its commit."""
    for path in waiting(spool):
        batch = read_batch(path)
        load_batch(store, batch)
        path.unlink()
        yield batch


def load_batch(store: Store, batch: Batch) -> None:
    """Commit one batch and its cursor in one transaction; a batch that was committed before does nothing."""
    from index import tables_discussion as tables

    def load() -> None:
        if tables.remember_batch(store, batch.id):
            load_records_of(store, batch)
            tables.set_cursor(store, batch.source, batch.cursor)

    store.commit(load)


def load_records_of(store: Store, batch: Batch) -> None:
    """The records of a batch alone. Called inside a transaction."""
    from index import tables_discussion as tables
    from index import tables_raw

    by_type: dict[type, list[Any]] = {}
    for record in batch.records:
        by_type.setdefault(type(record), []).append(_clean(record))
    tables.load_records(store, batch.source, batch.seen, by_type, batch.plains)
    tables_raw.load_raw_records(store, batch.seen, by_type)


def bodies(records: Iterable[Record]) -> list[Body]:
    """What plain text will be wanted of, as the loader asks for it."""
    return [(storable(record.body), record.format) for record in records if isinstance(record, Post)]


# Where a record holds text, and so perhaps what the store cannot hold; a post's body is looked at when it is stored.
_TEXTS = {cls: attrgetter(*(name for name in cls.__slots__ if name != "body")) for cls in RECORDS.values()}


def _clean(record: Record) -> Record:
    """The record with text that the store can hold; a post's body is hashed as it came and cleaned when it is stored."""
    if all(value.isascii() for value in _TEXTS[type(record)](record) if type(value) is str):
        return record
    odd: dict[str, Any] = {
        name: storable(value)
        for name in record.__slots__
        if name != "body" and isinstance(value := getattr(record, name), str) and storable(value) != value
    }
    return replace(record, **odd) if odd else record
