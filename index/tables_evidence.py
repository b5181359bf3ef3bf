"""Queries about what credit is computed from: times of posts as observed, questions, endorsements, seeds, identity scores."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.plain import blocks_from_json, derive
from index.private import masked_value
from index.store import Store, canonical_json
from index.tables_discussion import GONE, READABLE

EVIDENCE_SCHEMA = "precipitate/evidence/1"
_GONE = ", ".join(f"'{state}'" for state in GONE)
_READABLE = READABLE.replace("state", "p.state").replace("kind", "p.kind").replace("plain <>", "p.plain <>")


@dataclass(frozen=True, slots=True)
class TrustSeed:
    author: str
    weight: int
    note: str
    added: str


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """A proof about an account, as imported: of a person (passport) or of another account that is the same person's."""

    author: str
    kind: str  # "passport" | "farcaster" | "ens" | "nostr"
    score_bp: int  # 10000 is passing
    subject: str  # the address, name or key that the proof is about
    origin: str  # "scores.csv:3"


def _wanted(store: Store, ids: Iterable[str], sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Run a query that joins the ids as table `wanted`."""
    import pyarrow as pa

    store.connection.register("wanted", pa.table({"id": pa.array(sorted(set(ids)), pa.string())}))
    try:
        return store.rows(sql, parameters)
    finally:
        store.connection.unregister("wanted")


# --- posts as they were observed ------------------------------------------------------------------------------------


def observed_rows(store: Store, posts: Iterable[str]) -> list[dict[str, Any]]:
    """Cited posts that are stored: who wrote them, whether they may be paid, and every time that is known of them."""
    return _wanted(
        store,
        posts,
        f"SELECT p.id, p.author, coalesce(a.handle, p.author) AS handle, p.source, p.thread, p.number, p.reply_to, p.permalink, p.created, "
        f"p.edited, p.first_seen, p.last_seen, s.payable, p.state IN ({_GONE}) AS gone FROM posts p JOIN wanted w ON w.id = p.id "
        "JOIN sources s ON s.id = p.source LEFT JOIN authors a ON a.id = p.author ORDER BY p.id",
    )


def earlier_versions(store: Store, posts: Iterable[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Post → (plain text, edited) of each body that it had before, oldest first."""
    found: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)
    rows = _wanted(
        store,
        posts,
        "SELECT v.post, v.body, v.format, v.edited FROM post_versions v JOIN wanted w ON w.id = v.post ORDER BY v.post, v.version, v.edited NULLS FIRST, v.first_seen",
    )
    for row in rows:
        found[row["post"]].append((derive(row["body"], row["format"]).text, row["edited"]))
    return found


def quoting(store: Store, posts: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Post → (created, quoted text) of each post by another author that quotes it, where neither was edited since."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    rows = _wanted(
        store,
        posts,
        "SELECT e.target, p.created, p.plain, p.blocks FROM edges e JOIN wanted w ON w.id = e.target JOIN posts p ON p.id = e.post "
        f"JOIN posts o ON o.id = e.target WHERE e.kind = 'quote' AND p.author <> o.author AND p.edited IS NULL AND {_READABLE} ORDER BY e.target, p.created, p.id",
    )
    for row in rows:
        text = "\n".join(row["plain"][b.start : b.end] for b in blocks_from_json(row["blocks"]) if b.kind == "quote")
        found[row["target"]].append((row["created"], text))
    return found


def linked_from(store: Store, posts: Iterable[str], sources: Sequence[str]) -> dict[str, str]:
    """Post → when a post of another one of these sources first linked to it or to its thread."""
    marks = ", ".join("?" * len(sources)) or "NULL"
    rows = _wanted(
        store,
        posts,
        "SELECT o.id, min(p.created) AS created FROM posts o JOIN wanted w ON w.id = o.id JOIN edges e ON e.kind IN ('link', 'discusses') "
        "AND (e.target IN (o.id, o.thread, o.permalink) OR e.target = o.thread || '#' || o.number) JOIN posts p ON p.id = e.post "
        f"WHERE p.source <> o.source AND p.source IN ({marks}) AND p.edited IS NULL GROUP BY o.id ORDER BY o.id",
        list(sources),
    )
    return {row["id"]: row["created"] for row in rows}


def looks(store: Store) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Source → its kind and the days on which reading it brought posts that were new."""
    rows = store.execute(
        "SELECT s.id, s.kind, list(DISTINCT p.first_seen[:10] ORDER BY p.first_seen[:10]) FROM sources s JOIN posts p ON p.source = s.id "
        "GROUP BY s.id, s.kind ORDER BY s.id"
    )
    return {source: (kind, tuple(days)) for source, kind, days in rows}


# --- questions ------------------------------------------------------------------------------------------------------


def question_rows(store: Store, posts: Iterable[str]) -> list[dict[str, Any]]:
    """For each post: the post that it replies to and its thread's opening post, as far as they are readable."""
    return _wanted(
        store,
        posts,
        "SELECT o.id AS answer, o.reply_to = p.id AS replied, p.id, p.author, coalesce(a.handle, p.author) AS handle, p.permalink, p.created, "
        "p.thread, p.plain, p.blocks, t.title FROM posts o JOIN wanted w ON w.id = o.id JOIN threads t ON t.id = o.thread "
        "JOIN posts p ON p.id <> o.id AND (p.id = o.reply_to OR (p.thread = o.thread AND p.number = 1)) LEFT JOIN authors a ON a.id = p.author "
        f"WHERE {_READABLE} ORDER BY o.id, replied DESC NULLS LAST, p.id",
    )


# --- endorsements ---------------------------------------------------------------------------------------------------


def like_rows(store: Store, kinds: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """(giver, taker, created of the post, post) of every like whose author is known."""
    marks = ", ".join("?" * len(kinds))
    rows: list[tuple[str, str, str, str]] = store.execute(
        "SELECT r.actor, p.author, p.created, p.id FROM reactions r JOIN posts p ON p.id = r.post "
        f"WHERE r.actor <> '' AND r.actor <> p.author AND r.kind IN ({marks}) AND p.state NOT IN ({_GONE}) ORDER BY p.id, r.actor",
        list(kinds),
    )
    return rows


def accepted_rows(store: Store) -> list[tuple[str, str, str, str]]:
    """(asker, answerer, created, post) of every answer that the thread's opener accepted."""
    rows: list[tuple[str, str, str, str]] = store.execute(
        "SELECT o.author, p.author, p.created, p.id FROM threads t JOIN posts p ON p.id = t.accepted_post "
        f"JOIN posts o ON o.thread = t.id AND o.number = 1 WHERE o.author <> p.author AND {_READABLE} ORDER BY p.id"
    )
    return rows


def reply_rows(store: Store, pattern: str) -> Iterator[dict[str, Any]]:
    """Posts that match the pattern and answer somebody: a post, else an account that they mention, else the thread's opener.
    An answer to a post that is gone, or by name to somebody who opted out, endorses nobody: else it would name them still."""
    yield from store.rows(
        "WITH mentioned AS (SELECT post, min(target) AS author FROM edges WHERE kind = 'mention' "
        "AND target NOT IN (SELECT author FROM optouts) GROUP BY post) "
        "SELECT p.id, p.author, p.created, p.plain, p.blocks, coalesce(r.author, m.author, o.author) AS taker "
        "FROM posts p LEFT JOIN posts r ON r.id = p.reply_to LEFT JOIN mentioned m ON m.post = p.id "
        "LEFT JOIN posts o ON o.thread = p.thread AND o.number = 1 "
        f"WHERE {_READABLE} AND p.number > 1 AND regexp_matches(p.plain, ?, 'i') AND taker <> p.author "
        f"AND coalesce(r.state, '') NOT IN ({_GONE}) AND (taker IN (r.author, m.author) OR o.state NOT IN ({_GONE})) ORDER BY p.id",
        [pattern],
    )


# --- seeds and identity scores --------------------------------------------------------------------------------------


def seeds(store: Store) -> list[TrustSeed]:
    return [TrustSeed(**row) for row in store.rows("SELECT author, weight, note, added FROM trust_seeds ORDER BY author")]


def put_seed(store: Store, seed: TrustSeed) -> None:
    store.execute("INSERT OR REPLACE INTO trust_seeds VALUES (?, ?, ?, ?)", [seed.author, seed.weight, seed.note, seed.added])


def drop_seed(store: Store, author: str) -> None:
    store.execute("DELETE FROM trust_seeds WHERE author = ?", [author])


def standing_accounts(store: Store) -> list[dict[str, Any]]:
    """Every account with posts: source, handle, staff, first and last post, posts, months in which it wrote."""
    return store.rows(
        "SELECT a.id, a.source, a.handle, a.staff, min(p.created) AS first, max(p.created) AS last, count(*)::BIGINT AS posts, "
        "count(DISTINCT p.created[:7])::BIGINT AS months FROM posts p JOIN authors a ON a.id = p.author "
        f"WHERE {_READABLE} GROUP BY a.id, a.source, a.handle, a.staff ORDER BY a.source, first, a.id"
    )


def scores(store: Store) -> list[IdentityScore]:
    rows = store.rows("SELECT author, kind, score_bp, subject, origin FROM identity_scores ORDER BY author, kind")
    return [IdentityScore(**row) for row in rows]


def put_scores(store: Store, entries: Sequence[IdentityScore]) -> None:
    with store.transaction():
        for e in entries:
            store.execute(
                "INSERT OR REPLACE INTO identity_scores VALUES (?, ?, ?, ?, ?)", [e.author, e.kind, e.score_bp, e.subject, e.origin]
            )


# --- the evidence as it is kept and published -----------------------------------------------------------------------


def replace_evidence(store: Store, records: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    """All evidence at once, (kind, key) → record. Called inside the transaction that replaces the credits."""
    import pyarrow as pa

    from index.tables_private import WORDS, mask_of

    hide = mask_of(store)
    store.execute("DELETE FROM credit_evidence")
    kinds, keys = [kind for kind, _ in records], [key for _, key in records]
    shown = [masked_value({"schema": EVIDENCE_SCHEMA, "kind": kind, **record}, hide, WORDS) for (kind, _), record in records.items()]
    texts = [canonical_json(record) for record in shown]
    store.upsert("credit_evidence", pa.table({"kind": kinds, "key": keys, "record": texts}))


def evidence_records(store: Store, kind: str | None = None) -> list[dict[str, Any]]:
    """What the credits were computed from, for the release: one line each, in order of kind and text."""
    rows = store.execute("SELECT record FROM credit_evidence WHERE ? IS NULL OR kind = ? ORDER BY kind, record", [kind, kind])
    return [json.loads(text) for (text,) in rows]


def says(store: Store, author: str, words: str) -> bool:
    """Whether an unedited post of the author holds these words, in their own name or not: for names and keys, which nobody quotes by chance."""
    sql = f"SELECT 1 FROM posts p WHERE p.author = ? AND p.edited IS NULL AND contains(lower(p.plain), lower(?)) AND {_READABLE} LIMIT 1"
    return bool(store.execute(sql, [author, words]))


def own_words(store: Store, authors: Iterable[str]) -> dict[str, list[str]]:
    """Account → its posts' plain text without what they quote."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    rows = _wanted(
        store,
        authors,
        f"SELECT p.author, p.plain, p.blocks FROM posts p JOIN wanted w ON w.id = p.author WHERE {_READABLE} ORDER BY p.author, p.id",
    )
    for row in rows:
        kept = [row["plain"][b.start : b.end] for b in blocks_from_json(row["blocks"]) if b.kind in ("paragraph", "item")]
        found[row["author"]].append("\n".join(kept))
    return found


def permalinks(store: Store, posts: Iterable[str]) -> dict[str, str]:
    return {
        row["id"]: row["permalink"] for row in _wanted(store, posts, "SELECT p.id, p.permalink FROM posts p JOIN wanted w ON w.id = p.id")
    }


def texts(store: Store, posts: Iterable[str]) -> dict[str, str]:
    return {row["id"]: row["plain"] for row in _wanted(store, posts, "SELECT p.id, p.plain FROM posts p JOIN wanted w ON w.id = p.id")}


def passage_vectors(store: Store, posts: Iterable[str]) -> dict[str, list[tuple[int, int, bytes]]]:
    """Post → (start, end, int8 vector) of each of its passages that a procedure cites."""
    found: defaultdict[str, list[tuple[int, int, bytes]]] = defaultdict(list)
    rows = _wanted(
        store,
        posts,
        "SELECT k.post, k.start, k.stop, k.vector FROM kept_passages k JOIN wanted w ON w.id = k.post ORDER BY k.post, k.start, k.stop",
    )
    for row in rows:
        found[row["post"]].append((row["start"], row["stop"], bytes(row["vector"])))
    return found
