"""Queries about identity claims: their log, the posts that hold a digest, the releases that a claim may name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from index.plain import Block, blocks_from_json
from index.records import Identity
from index.store import Store


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of the log as it is stored: nothing in it is believed before the chain is checked."""

    seq: int
    hash: str  # hex SHA-256 of `record`
    record: str  # canonical JSON of a ClaimEvent


@dataclass(frozen=True, slots=True)
class DigestPost:
    """A post whose plain text holds a digest somewhere; where in it is for the reader to look at."""

    id: str
    author: str
    permalink: str
    created: str
    state: str
    plain: str
    blocks: tuple[Block, ...]


def log_rows(store: Store) -> list[LogRow]:
    return [LogRow(**row) for row in store.rows("SELECT seq, hash, record FROM claim_events ORDER BY seq")]


def append_event(store: Store, row: LogRow, put: Iterable[Identity] = (), drop: Sequence[str] = ()) -> None:
    """Append a line and what follows from it for the identities: all of it in one transaction, or nothing."""
    with store.transaction():
        store.execute("INSERT INTO claim_events VALUES (?, ?, ?)", [row.seq, row.hash, row.record])
        for author in drop:
            store.execute("DELETE FROM identities WHERE author = ?", [author])
        for entry in put:
            store.execute("INSERT OR REPLACE INTO identities VALUES (?, ?, ?)", [entry.author, entry.address, entry.origin])


def posts_with(store: Store, digest: str) -> list[DigestPost]:
    """Every stored post of a person that holds these characters, the earliest first."""
    rows = store.rows(
        "SELECT id, author, permalink, created, state, plain, blocks FROM posts WHERE kind = 'post' AND contains(plain, ?) "
        "ORDER BY created, id",
        [digest],
    )
    return [DigestPost(**{**row, "blocks": blocks_from_json(row["blocks"])}) for row in rows]


def released_roots(store: Store) -> set[str]:
    """Roots of all releases that this workspace ever made, also of those that are no longer kept."""
    counts = [json.loads(text) for (text,) in store.execute("SELECT counts FROM runs ORDER BY id")]
    return {str(found["release"]["root"]) for found in counts if isinstance(found.get("release"), dict) and "root" in found["release"]}
