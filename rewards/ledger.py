"""The ledger: everything that happens to programs and rounds, as events in a chain of hashes.

A record holds the hash of the one before it, so that none can be changed, left out, put in or moved unseen. Whoever writes
all of it anew makes another chain: for that somebody has to have kept a hash of the old one. Each published round does (its
`life.ledger`), and `precipitate round audit` prints the head. A correction is a further event, never an edit. The ledger holds
no words of posts, since nothing can be taken out of it again. rewards/verify_life.py reads it without this file.

What an event's `data` holds is in docs/rounds.md. The functions on rows and events are pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from index import tables_rounds as tables
from index.errors import StoreError
from index.store import Store, canonical_json, now
from index.tables_rounds import LedgerRow
from index.workspace import Workspace, write_atomic

EVENT_SCHEMA = "precipitate/ledger/1"
FILE = "ledger.jsonl"  # in the folder of rounds
WAY_OUT = "somebody changed the ledger: restore the workspace from a copy, and compare with a published ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    at: str
    subject: str  # the round or program, "" where it is about neither
    data: dict[str, Any]


def next_rows(rows: Sequence[LedgerRow], events: Iterable[Event]) -> list[LedgerRow]:
    """The lines that append events to the ledger. Raises StoreError where the ledger does not hold."""
    findings = check_chain(rows)
    if findings:
        raise StoreError(findings[0], WAY_OUT)
    seq, before = (rows[-1].seq, rows[-1].hash) if rows else (0, "")
    made = []
    for event in events:
        seq += 1
        record = canonical_json(
            {
                "schema": EVENT_SCHEMA,
                "seq": seq,
                "prev": before,
                "at": event.at,
                "kind": event.kind,
                "subject": event.subject,
                "data": event.data,
            }
        )
        before = _hash(record)
        made.append(LedgerRow(seq, before, record))
    return made


def _hash(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()


def check_chain(rows: Sequence[LedgerRow]) -> list[str]:
    """What does not hold of hashes and order, the first thing only: behind a break nothing can be said."""
    before = ""
    for number, row in enumerate(rows, 1):
        where = f"line {number} of the ledger"
        if row.seq != number or _hash(row.record) != row.hash:
            return [f"{where} does not have the number or the hash that is stored for it"]
        try:
            fits = json.loads(row.record)["prev"] == before
        except (ValueError, KeyError, TypeError):
            return [f"{where} cannot be read"]
        if not fits:
            return [f"{where} does not follow on line {number - 1}"]
        before = row.hash
    return []


def events_of(rows: Iterable[LedgerRow]) -> list[Event]:
    """The events of a ledger, in order; not checked."""
    found = (json.loads(row.record) for row in rows)
    return [Event(e["kind"], e["at"], e["subject"], e["data"]) for e in found]


def about(events: Iterable[Event], subject: str) -> list[Event]:
    """The events of one round or program."""
    return [event for event in events if event.subject == subject]


# --- stored ---------------------------------------------------------------------------------------------------------


def append(store: Store, events: Iterable[Event]) -> LedgerRow | None:
    """Append events, inside the caller's transaction, with what they are about; the new head."""
    rows = tables.ledger_rows(store)
    made = next_rows(rows, events)
    tables.append_rows(store, made)
    return made[-1] if made else rows[-1] if rows else None


def moment(store: Store, at: str | None) -> str:
    """`at`, else now; never before the last event: a clock that was set back does not turn the order around."""
    rows = tables.ledger_rows(store)
    return max(at or now(), events_of(rows[-1:])[0].at if rows else "")


def read_events(store: Store) -> list[Event]:
    """All events. Raises StoreError where the chain does not hold: nothing is decided by a ledger that somebody changed."""
    rows = tables.ledger_rows(store)
    findings = check_chain(rows)
    if findings:
        raise StoreError(findings[0], WAY_OUT)
    return events_of(rows)


def publish(store: Store, workspace: Workspace) -> None:
    """Write the ledger beside the rounds, a record a line: what readers and strangers see of it."""
    workspace.rounds.mkdir(exist_ok=True)
    write_atomic(workspace.rounds / FILE, "".join(f"{row.record}\n" for row in tables.ledger_rows(store)))


def published_events(workspace: Workspace) -> list[Event]:
    """The events in the published file, for readers: they never open the database. Not checked; none before the first."""
    try:
        lines = (workspace.rounds / FILE).read_text(encoding="utf-8").splitlines()
        return events_of(LedgerRow(0, "", line) for line in lines)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{workspace.rounds / FILE} cannot be read: {error}", "`precipitate round audit` says more") from None
