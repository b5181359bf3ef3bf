"""Queries about what must not leave: masks of posts, authors who opted out, and procedures as they may be published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.private import HIDDEN, MASK_VERSION, Mask, masked_value, masking
from index.store import Store, canonical_json

BATCH = 2_000  # posts held in memory while they are looked through
# Fields of a record that hold words of people; all others are ids, numbers, times and addresses of posts.
WORDS = frozenset(
    (
        *("title", "goal", "purpose", "preconditions", "roles", "tools", "verification", "text", "previous_text", "actor", "condition"),
        *("exact", "handle", "step_text", "quote"),
    )
)
QUOTE_CHARS = 600  # longest quote that is published by default
# The plain text of posts p as anybody but the store may see it; joins post_masks as m.
MASKED_PLAIN = "coalesce(m.plain, p.plain)"
JOIN_MASKS = "LEFT JOIN post_masks m ON m.post = p.id AND m.body_hash = p.body_hash"


# --- masks ----------------------------------------------------------------------------------------------------------


def mask_of(store: Store) -> Mask:
    """What hides personal data here: mask/1, and mentions of whoever opted out."""
    return masking(handle for (handle,) in store.execute("SELECT handle FROM optouts ORDER BY handle"))


def _basis(store: Store) -> str:
    handles = [handle for (handle,) in store.execute("SELECT DISTINCT handle FROM optouts ORDER BY handle")]
    return f"{MASK_VERSION} {hashlib.sha256(json.dumps(handles).encode()).hexdigest()[:16]}" if handles else MASK_VERSION


def refresh_masks(store: Store) -> int:
    """Look through posts that were not looked through yet; how many. To be called before posts are read or published."""
    basis, hide, seen = _basis(store), mask_of(store), 0
    while True:
        rows = store.execute(
            f"SELECT p.id, p.body_hash, p.body, p.plain FROM posts p {JOIN_MASKS} AND m.basis = ? WHERE m.post IS NULL LIMIT {BATCH}",
            [basis],
        )
        if not rows:
            return seen
        _save_masks(store, basis, [(row[0], row[1], *_masked(hide, row[2], row[3])) for row in rows])
        seen += len(rows)


def _masked(hide: Mask, body: str, plain: str) -> tuple[str | None, str | None, str | None]:
    """(masked plain text, digest of the masked body, of the masked plain text); all None where nothing is hidden."""
    hidden_body, hidden_plain = hide(body), hide(plain)
    if (hidden_body, hidden_plain) == (body, plain):
        return None, None, None
    return hidden_plain, _digest(hidden_body), _digest(hidden_plain)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _save_masks(store: Store, basis: str, rows: Sequence[tuple[Any, ...]]) -> None:
    import pyarrow as pa

    names = ("post", "body_hash", "plain", "body_digest", "plain_digest")
    columns = {name: pa.array(column, pa.string()) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    store.upsert("post_masks", pa.table({**columns, "basis": pa.array([basis] * len(rows))}))


# --- opting out -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OptOut:
    """An author who is to be left out; `proof` says why this is believed: a post, a signature, or the operator's word."""

    author: str
    handle: str
    proof: str
    added: str


def optouts(store: Store) -> list[OptOut]:
    return [OptOut(*row) for row in store.execute("SELECT author, handle, proof, added FROM optouts ORDER BY author")]


def add_optouts(store: Store, entries: Iterable[OptOut]) -> int:
    """Enter who opts out and take their words out of the store at once; how many posts went. One transaction."""
    with store.transaction():
        for entry in entries:
            store.execute("INSERT OR REPLACE INTO optouts VALUES (?, ?, ?, ?)", [entry.author, entry.handle, entry.proof, entry.added])
        return bury_optouts(store)


def bury_optouts(store: Store) -> int:
    """Posts, versions, likes and names of whoever opted out go; called when they opt out, and after every batch that is read."""
    if not store.execute("SELECT 1 FROM optouts LIMIT 1"):
        return 0
    from index.records import Tombstone
    from index.tables_discussion import bury

    rows = store.execute(
        "SELECT p.id, p.last_seen FROM posts p JOIN optouts o ON o.author = p.author WHERE p.state <> 'author_deleted' ORDER BY p.id"
    )
    for post, seen in rows:
        bury(store, seen, [Tombstone(post, "author_deleted", "opted out")])
    store.execute("DELETE FROM reactions WHERE actor IN (SELECT author FROM optouts)")
    store.execute("UPDATE authors SET handle = '', name = '' WHERE id IN (SELECT author FROM optouts) AND (handle <> '' OR name <> '')")
    return len(rows)


# --- procedures as they may be published ----------------------------------------------------------------------------


def set_quote_chars(store: Store, quote_chars: int) -> None:
    """The longest quote that is published from now on, in credits of rounds as in releases; 0 for any length."""
    store.execute("INSERT OR REPLACE INTO publishing VALUES ('quote_chars', ?)", [str(quote_chars)])


def quote_chars(store: Store) -> int:
    rows = store.execute("SELECT value FROM publishing WHERE name = 'quote_chars'")
    return int(rows[0][0]) if rows else QUOTE_CHARS


def published_records(store: Store) -> Iterator[dict[str, Any]]:
    """Current procedures in order of id as others may see them: words masked, quotes no longer than is said."""
    basis = refresh_published(store)
    rows = store.execute(
        "SELECT s.record FROM procedures p JOIN published s ON s.record_hash = p.record_hash AND s.basis = ? WHERE p.current ORDER BY p.id",
        [basis],
    )
    for (text,) in rows:
        yield json.loads(text)


def refresh_published(store: Store) -> str:
    """Make the published form of current procedures that have none yet, and forget those of others; returns their basis."""
    hide, longest = mask_of(store), quote_chars(store)
    basis = f"{_basis(store)} quotes {longest}"
    store.execute(
        "DELETE FROM published WHERE basis <> ? OR record_hash NOT IN (SELECT record_hash FROM procedures WHERE current)", [basis]
    )
    missing = "SELECT p.record_hash, p.record FROM procedures p WHERE p.current AND p.record_hash NOT IN (SELECT record_hash FROM published) LIMIT 500"
    while rows := store.execute(missing):
        import pyarrow as pa

        texts = [canonical_json(publishable(json.loads(text), hide, longest)) for _, text in rows]
        held = {"record_hash": [row[0] for row in rows], "basis": [basis] * len(rows), "record": texts}
        store.upsert("published", pa.table(held))
    return basis


def publishable(record: Mapping[str, Any], hide: Mask, longest: int) -> dict[str, Any]:
    """A record with its words masked and its quotes cut. A citation says so: `masked` where characters of it are hidden,
    `whole_end` where it stopped before that place: `text[start:end] == exact` holds either way, for the masked text."""
    shown: dict[str, Any] = masked_value(record, hide, WORDS)  # type: ignore[assignment]
    for step in shown["steps"]:
        step["citations"] = [_short(citation, longest) for citation in step["citations"]]
    shown["stances"] = [{**stance, "citation": _short(stance["citation"], longest)} for stance in shown["stances"]]
    return shown


def _short(citation: dict[str, Any], longest: int) -> dict[str, Any]:
    exact: str = citation["exact"]
    if longest and len(exact) > longest:
        citation = {**citation, "exact": exact[:longest], "end": citation["start"] + longest, "whole_end": citation["end"]}
    return {**citation, "masked": True} if HIDDEN in citation["exact"] else citation
