"""Queries about reports that somebody carried an SOP out, and about SOPs that people made of others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from index.store import Store, canonical_json
from index.tables_claims import LogRow

OUTCOME_SCHEMA = "precipitate/outcome-event/1"


def log_rows(store: Store) -> list[LogRow]:
    return [LogRow(**row) for row in store.rows("SELECT seq, hash, record FROM outcome_events ORDER BY seq")]


def append_event(store: Store, row: LogRow) -> None:
    with store.transaction():
        store.execute("INSERT INTO outcome_events VALUES (?, ?, ?)", [row.seq, row.hash, row.record])


def outcome_records(store: Store) -> list[dict[str, Any]]:
    """The log as a release publishes it: each event with its place and hash, so that the chain can be checked from outside."""
    return [{**json.loads(row.record), "hash": row.hash} for row in log_rows(store)]


# --- composed SOPs --------------------------------------------------------------------------------------------------


def composed(store: Store) -> list[tuple[dict[str, Any], str, str]]:
    """(record, made, author) of every SOP that somebody made of others."""
    rows = store.execute("SELECT record, made, by_author FROM composed ORDER BY id")
    return [(json.loads(record), made, author) for record, made, author in rows]


def put_composed(store: Store, record: Mapping[str, Any], made: str, author: str, origin: str) -> None:
    """Keep the record, and put it beside the distilled ones at once; where it lies among goals is where its origin lies."""
    text = canonical_json(record)
    with store.transaction():
        store.execute("INSERT OR REPLACE INTO composed VALUES (?, ?, ?, ?)", [record["id"], text, made, author])
        store.execute(
            "INSERT OR REPLACE INTO procedures SELECT ?, ?, ?, true, ?, ?, sha256(?), goal_vector, cluster FROM procedures "
            "WHERE id = ? AND current",
            [record["id"], record["version"], record["version_id"], record["threads"], text, text, origin],
        )
