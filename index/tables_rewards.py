"""Queries about what is owed: credits, what earned nothing, identities, rounds and allocations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from index.private import mask, masked_value
from index.receipts import CREDIT_SCHEMA as CREDIT_SCHEMA
from index.receipts import WHOLE_SOP as WHOLE_SOP
from index.receipts import credit_record, receipts_beside
from index.records import Allocation, Author, Credit, Identity, Round
from index.store import Store
from index.tables_discussion import GONE
from index.tables_evidence import evidence_records, replace_evidence
from index.tables_private import WORDS, mask_of, published_records

if TYPE_CHECKING:
    import pyarrow as pa

LIKE_KINDS = ("like", "heart", "+1")  # reactions that count as one
ROLE_ORDER = "['first_said', 'amended', 'objected', 'confirmed', 'asked', 'outcome', 'worked', 'supported', 'composed', 'liked']"
ORDER = f"procedure, step, list_position({ROLE_ORDER}, role), author, post"


@dataclass(frozen=True, slots=True)
class Uncredited:
    """A contribution that earned nothing, and why: nothing is dropped silently."""

    author: str
    procedure: str
    version_id: str
    step: int
    role: str  # the role it would have had
    post: str
    reason: str  # short and countable: "late copy"
    detail: str  # plain words for `why`


# --- what credit is computed from -----------------------------------------------------------------------------------


def post_rows(store: Store, posts: Iterable[str]) -> list[dict[str, Any]]:
    """For each post that is stored: id, author, payable (may its source's posts be paid), gone (is it deleted)."""
    marks = ", ".join(f"'{state}'" for state in GONE)
    return _joined(
        store,
        posts,
        f"SELECT p.id, p.author, s.payable, p.state IN ({marks}) AS gone FROM posts p JOIN wanted w ON w.id = p.id "
        "JOIN sources s ON s.id = p.source ORDER BY p.id",
    )


def reaction_rows(store: Store, posts: Iterable[str], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Reactions of the given kinds: post, actor ("" where unnamed), count."""
    return _joined(
        store,
        posts,
        "SELECT r.post, r.actor, sum(r.count)::BIGINT AS count FROM reactions r JOIN wanted w ON w.id = r.post "
        f"WHERE r.kind IN ({_marks(kinds)}) GROUP BY r.post, r.actor ORDER BY r.post, r.actor",
        kinds,
    )


def returned_likes(store: Store, kinds: Sequence[str]) -> frozenset[tuple[str, str]]:
    """(liker, author) pairs whose author has liked a post of the liker too, anywhere in the store."""
    rows = store.execute(
        "WITH liked AS (SELECT DISTINCT r.actor, p.author FROM reactions r JOIN posts p ON p.id = r.post "
        f"WHERE r.actor <> '' AND r.actor <> p.author AND r.kind IN ({_marks(kinds)})) "
        "SELECT a.actor, a.author FROM liked a JOIN liked b ON a.actor = b.author AND a.author = b.actor",
        list(kinds),
    )
    return frozenset((liker, author) for liker, author in rows)


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _joined(store: Store, ids: Iterable[str], sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Run a query that joins the ids as table `wanted`."""
    import pyarrow as pa

    store.connection.register("wanted", pa.table({"id": pa.array(sorted(set(ids)), pa.string())}))
    try:
        return store.rows(sql, parameters)
    finally:
        store.connection.unregister("wanted")


# --- credits --------------------------------------------------------------------------------------------------------


def replace_credits(
    store: Store,
    earned: Sequence[Credit],
    uncredited: Sequence[Uncredited],
    evidence: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> None:
    """All credits at once with their evidence, in one transaction: they are computed whole, and readers see one computation."""
    import pyarrow as pa

    with store.transaction():
        store.execute("DELETE FROM credits")
        store.execute("DELETE FROM uncredited")
        store.upsert("credits", _table(pa, Credit, earned, points=pa.int64()))
        store.upsert("uncredited", _table(pa, Uncredited, uncredited))
        replace_evidence(store, evidence or {})


def _table(pa: Any, cls: Any, records: Sequence[Any], **types: Any) -> pa.Table:
    types = {"step": pa.int32()} | types
    names = list(cls.__dataclass_fields__)
    return pa.table({name: pa.array([getattr(r, name) for r in records], types.get(name, pa.string())) for name in names})


def credits(store: Store) -> list[Credit]:
    rows = store.rows(f"SELECT author, procedure, version_id, step, role, points, post, why FROM credits ORDER BY {ORDER}")
    return [Credit(**row) for row in rows]


def uncredited(store: Store) -> list[Uncredited]:
    rows = store.rows(f"SELECT author, procedure, version_id, step, role, post, reason, detail FROM uncredited ORDER BY {ORDER}")
    return [Uncredited(**row) for row in rows]


def points_by_author(store: Store) -> dict[str, int]:
    return dict(store.execute("SELECT author, sum(points)::BIGINT FROM credits GROUP BY author ORDER BY author"))


def credit_records(store: Store) -> list[dict[str, Any]]:
    """Exported credit records: every credit with its receipt, the words it was earned with.

    Raises StoreError where a credit's receipt is not in the current procedures: they are newer than the credits.
    """
    return with_receipts(store, credits(store))


def uncredited_records(store: Store) -> list[dict[str, Any]]:
    """What earned nothing, in the same shape: `points` 0, `why` the reason."""
    return with_receipts(store, uncredited(store))


def with_receipts(store: Store, rows: Sequence[Credit | Uncredited]) -> list[dict[str, Any]]:
    """Credits, or what earned nothing, as exported records, in their order."""
    from index.tables_outcomes import outcome_records

    people = {author.id: (mask(author.handle), author.source) for author in authors(store)}
    records = list(published_records(store))
    found = {(record["id"], record["version_id"]): record for record in records}
    hide = mask_of(store)
    told = receipts_beside(evidence_records(store), outcome_records(store), records)
    beside: dict[str, Any] = {post: masked_value(receipt, hide, WORDS) for post, receipt in told.items()}
    return [credit_record(_plain(row), found.get((row.procedure, row.version_id)), people.get(row.author), beside) for row in rows]


def _plain(row: Credit | Uncredited) -> dict[str, Any]:
    """What earned nothing has no points, and its reason in words."""
    told = asdict(row)
    return told if isinstance(row, Credit) else {**told, "points": 0, "why": row.detail}


# --- authors and identities -----------------------------------------------------------------------------------------


def authors(store: Store) -> list[Author]:
    return [Author(**row) for row in store.rows("SELECT id, source, handle, name, staff FROM authors ORDER BY id")]


def identities(store: Store) -> dict[str, Identity]:
    rows = store.rows("SELECT author, address, origin FROM identities ORDER BY author")
    return {row["author"]: Identity(**row) for row in rows}


def put_identities(store: Store, entries: Iterable[Identity]) -> None:
    import pyarrow as pa

    with store.transaction():
        store.upsert("identities", _table(pa, Identity, list(entries)))


# --- rounds ---------------------------------------------------------------------------------------------------------


def rounds(store: Store) -> list[Round]:
    rows = store.rows("SELECT name, budget, token, decimals, policy, state, created FROM rounds ORDER BY name")
    return [Round(**{**row, "budget": int(row["budget"])}) for row in rows]


def add_round(store: Store, round_: Round) -> None:
    store.execute(
        "INSERT INTO rounds (name, budget, token, decimals, policy, state, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [round_.name, str(round_.budget), round_.token, round_.decimals, round_.policy, round_.state, round_.created],
    )


def replace_allocations(store: Store, round_: str, allocations: Iterable[Allocation]) -> None:
    """Put a round's allocations in place of earlier ones. Called inside a transaction."""
    import pyarrow as pa

    store.execute("DELETE FROM allocations WHERE round = ?", [round_])
    rows = [replace(a, amount=str(a.amount)) for a in allocations]  # type: ignore[arg-type]  # the table holds amounts as text: 256 bits
    store.upsert("allocations", _table(pa, Allocation, rows, points=pa.int64(), batch=pa.int32()))


def allocations(store: Store, round_: str) -> list[Allocation]:
    rows = store.rows(
        "SELECT round, author, points, amount, address, state, team, batch FROM allocations WHERE round = ? ORDER BY author", [round_]
    )
    return [Allocation(**{**row, "amount": int(row["amount"])}) for row in rows]
