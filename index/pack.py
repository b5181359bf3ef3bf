"""The body pack: everything that distilling depends on, as lines; only made when asked for, and only of sources that allow it.

It holds the masked plain text and its blocks, not the raw bodies: spans count characters of it, and what a body hides
(markup, invisible text) does not leave. With it anybody makes the release again from nothing (`verify --rebuild`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from index.errors import StoreError
from index.private import MASK_VERSION
from index.snapshot import ERASED
from index.store import Store, canonical_json
from index.tables_private import JOIN_MASKS, MASKED_PLAIN, mask_of
from index.tables_rewards import LIKE_KINDS

SCHEMA = "precipitate/bodies/1"
BATCH = 2_000
COLUMNS = {
    "source": ("id", "kind", "base_url", "title", "licence", "payable"),
    "author": ("id", "source", "handle", "staff"),
    "thread": ("id", "source", "title", "created", "permalink", "category", "tags", "accepted_post"),
    "post": (
        *("id", "source", "thread", "number", "author", "created", "permalink", "edited", "version", "reply_to", "state", "likes", "kind"),
        *("body_hash", "plain_version", "blocks", "plain"),
    ),
    "reaction": ("post", "actor", "kind", "count"),
    "tombstone": ("post", "state"),
}
QUERIES = {
    "source": "SELECT id, kind, base_url, title, licence, payable FROM sources ORDER BY id",
    "author": "SELECT id, source, handle, staff FROM authors WHERE id NOT IN (SELECT author FROM optouts) ORDER BY id",
    "thread": "SELECT id, source, title, created, permalink, category, tags, accepted_post FROM threads ORDER BY id",
    "post": "SELECT p.id, p.source, p.thread, p.number, "
    f"CASE WHEN p.state NOT IN {ERASED} THEN p.author ELSE '' END AS author, p.created, p.permalink, p.edited, p.version, p.reply_to, p.state, p.likes, p.kind, "
    f"CASE WHEN p.state NOT IN {ERASED} THEN coalesce(m.body_digest, p.body_hash) END AS body_hash, p.plain_version, p.blocks, {MASKED_PLAIN} AS plain "
    f"FROM posts p {JOIN_MASKS} ORDER BY p.id",
    "reaction": f"SELECT post, actor, kind, count FROM reactions WHERE kind IN {LIKE_KINDS} ORDER BY post, actor, kind",
    "tombstone": "SELECT post, state FROM tombstones WHERE post NOT IN (SELECT id FROM posts) ORDER BY post",
}
TABLES = {
    "source": "sources",
    "author": "authors",
    "thread": "threads",
    "post": "posts",
    "reaction": "reactions",
    "tombstone": "tombstones",
}
# Columns that a pack leaves out, since nothing that is published depends on them.
FIXED: dict[str, dict[str, Any]] = {
    "source": {"address": "", "allow_private": False},
    "author": {"name": ""},
    "post": {"format": "plain", "body": "", "offsets": b"", "first_seen": "", "last_seen": ""},
    "tombstone": {"reason": "", "seen": ""},
}
WORDS = {"author": ("handle",), "thread": ("title", "category")}


def pack_rows(store: Store, sources: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Lines of a pack: a head, then records by kind, each with its `type`. Posts of other sources come without their words."""
    allowed, hide = set(sources), mask_of(store)
    yield {"schema": SCHEMA, "mask": MASK_VERSION, "sources": sorted(allowed)}
    for kind, sql in QUERIES.items():
        cursor = store.connection.cursor()
        cursor.execute(sql)
        while rows := cursor.fetchmany(BATCH):
            for row in rows:
                record = dict(zip(COLUMNS[kind], row, strict=True))
                for name in WORDS.get(kind, ()):
                    record[name] = hide(record[name])
                if kind == "post" and record["source"] not in allowed:
                    record |= {"plain": "", "blocks": "[]"}
                yield {"type": kind, **record}


def load_pack(store: Store, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Fill an empty store with the lines of a pack; returns its head. Raises StoreError for what is no pack."""
    rows = iter(rows)
    head = dict(next(rows, {}))
    if head.get("schema") != SCHEMA:
        raise StoreError(
            f"the body pack is of schema {str(head.get('schema'))[:60]!r}, this program reads {SCHEMA!r}", "install a newer precipitate"
        )
    held: list[Mapping[str, Any]] = []
    for row in rows:
        if held and (row.get("type") != held[0].get("type") or len(held) == BATCH):
            _load(store, held)
            held = []
        held.append(row)
    if held:
        _load(store, held)
    return head


def _load(store: Store, rows: list[Mapping[str, Any]]) -> None:
    import pyarrow as pa

    kind = rows[0].get("type")
    if kind not in COLUMNS or any(set(row) != {"type", *COLUMNS[kind]} for row in rows):
        raise StoreError(f"the body pack holds a record of kind {str(kind)[:40]!r} that cannot be read", "fetch it again")
    texts = {name: [row[name] for row in rows] for name in COLUMNS[kind]}
    if kind == "post":
        texts["body_hash"] = [value or "" for value in texts["body_hash"]]
        texts["blocks"] = [text if isinstance(json.loads(text), list) else "[]" for text in texts["blocks"]]
    try:
        arrays = {name: pa.array(values, _type(name)) for name, values in texts.items()}
        store.upsert(
            TABLES[kind], pa.table({**arrays, **{name: pa.array([value] * len(rows)) for name, value in FIXED.get(str(kind), {}).items()}})
        )
        if kind == "post":  # looked through already: their hashes are those of the masked text
            looked = {"post": arrays["id"], "body_hash": arrays["body_hash"], "basis": pa.array([MASK_VERSION] * len(rows))}
            store.upsert("post_masks", pa.table(looked))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise StoreError(
            f"the body pack holds a {kind} that cannot be read: {str(error).splitlines()[0][:200]}", "fetch it again"
        ) from None


def _type(name: str) -> Any:
    """Types of columns that rows of nulls or of nothing do not tell."""
    import pyarrow as pa

    if name in ("accepted_post", "licence", "reply_to", "edited"):
        return pa.string()
    if name == "tags":
        return pa.list_(pa.string())
    return pa.int32() if name in ("number", "version", "likes", "count") else None


def seed_lineages(store: Store, records: Iterable[Mapping[str, Any]]) -> None:
    """Put a release's procedures in as what was there before: ids and version numbers depend on earlier releases."""
    for record in records:
        text = canonical_json(record)
        store.execute(
            "INSERT OR REPLACE INTO procedures VALUES (?, ?, ?, false, ?, ?, sha256(?), ''::BLOB, NULL)",
            [record["id"], record["version"], record["version_id"], record["threads"], text, text],
        )


def texts_of(store: Store, ids: Iterable[str]) -> dict[str, str]:
    """Masked plain text of posts that are held with their words."""
    rows = store.execute(
        f"SELECT p.id, {MASKED_PLAIN} FROM posts p {JOIN_MASKS} WHERE p.id IN (SELECT unnest(?::VARCHAR[])) AND p.plain <> '' AND p.state NOT IN {ERASED}",
        [list(ids)],
    )
    return {str(post): str(text) for post, text in rows}
