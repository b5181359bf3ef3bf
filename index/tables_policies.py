"""Queries about how a round shares out: its settings, and contributions imported for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from index.store import Store


@dataclass(frozen=True, slots=True)
class Contribution:
    """Somebody gave to a contributor, outside; what a voting policy counts."""

    voter: str  # an author id or a checksummed address
    author: str  # who received
    amount: int  # base units
    trust_bp: int | None  # how much of it counts, in basis points; None where nobody said
    origin: str  # "votes.csv:3"


def put_terms(store: Store, round_: str, terms: str) -> None:
    store.execute("INSERT OR REPLACE INTO round_terms VALUES (?, ?)", [round_, terms])


def terms(store: Store, round_: str) -> str | None:
    """The round's settings as canonical JSON; None for a round made before there were any."""
    rows = store.execute("SELECT terms FROM round_terms WHERE round = ?", [round_])
    return str(rows[0][0]) if rows else None


def contributions(store: Store, round_: str) -> list[Contribution]:
    rows = store.rows("SELECT voter, author, amount, trust_bp, origin FROM contributions WHERE round = ? ORDER BY voter, author", [round_])
    return [Contribution(**{**row, "amount": int(row["amount"])}) for row in rows]


def put_contributions(store: Store, round_: str, entries: Iterable[Contribution]) -> None:
    """Add contributions; one voter gives to one author once in a round, a later entry replaces an earlier one."""
    import pyarrow as pa

    rows = list(entries)
    columns = {
        "round": pa.array([round_] * len(rows), pa.string()),
        "voter": pa.array([row.voter for row in rows], pa.string()),
        "author": pa.array([row.author for row in rows], pa.string()),
        "amount": pa.array([str(row.amount) for row in rows], pa.string()),
        "trust_bp": pa.array([row.trust_bp for row in rows], pa.int32()),
        "origin": pa.array([row.origin for row in rows], pa.string()),
    }
    with store.transaction():
        store.upsert("contributions", pa.table(columns))
