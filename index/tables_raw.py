"""Queries about the raw archive: which answers are kept where, which posts were read from them, what has to go from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from index.records import Origin, PostVersion, Raw, Source
from index.store import Store, storable
from index.tables_discussion import body_hash

CHUNK = 500  # rows of answers held at once
_COLUMNS = "id, source, url, seen, file, start, length, digest"


def load_raw_records(store: Store, seen: str, by_type: Mapping[type, Sequence[Any]]) -> None:
    """Bring answers, origins and earlier texts of one batch into the tables. Called inside its transaction."""
    import pyarrow as pa

    if raws := by_type.get(Raw, ()):
        names = ("file", "start", "id", "source", "url", "seen", "length", "digest")
        store.upsert("raws", pa.table({name: [getattr(raw, name) for raw in raws] for name in names}), replace=False)
    if origins := {(origin.post, origin.raw): origin for origin in by_type.get(Origin, ())}:
        store.upsert("origins", pa.table({"post": [post for post, _ in origins], "raw": [raw for _, raw in origins]}), replace=False)
    for version in by_type.get(PostVersion, ()):
        _load_version(store, seen, version)


def _load_version(store: Store, seen: str, version: PostVersion) -> None:
    """An earlier text, unless the post is gone or says just that now."""
    digest = body_hash(version.body)
    known = store.execute("SELECT body_hash FROM posts WHERE id = ?", [version.post])
    if not known or known[0][0] == digest or store.execute("SELECT 1 FROM tombstones WHERE post = ?", [version.post]):
        return
    store.execute(
        "INSERT OR IGNORE INTO post_versions VALUES (?, ?, ?, ?, ?, ?, ?)",
        [version.post, digest, version.version, version.edited, version.format, storable(version.body), seen],
    )


# --- provenance and reading again ---------------------------------------------------------------------------------


def origins(store: Store, post: str) -> list[dict[str, Any]]:
    """The answers that a post was read from, oldest first, with how often each was rid of taken-back words."""
    return store.rows(
        f"SELECT {_COLUMNS}, redacted FROM raws WHERE id IN (SELECT raw FROM origins WHERE post = ?) ORDER BY seen, file, start", [post]
    )


def source_of(store: Store, post: str) -> Source | None:
    """The source that a post was read from, as far as provenance needs it: also in a release's snapshot."""
    rows = store.execute("SELECT s.id, s.kind, s.address, s.base_url FROM posts p JOIN sources s ON s.id = p.source WHERE p.id = ?", [post])
    return Source(*rows[0]) if rows else None


def raw_answers(store: Store, source: str) -> Iterator[Raw]:
    """All kept answers of a source in the order they came, a few at a time: reading and loading alternate on one connection."""
    after = ("", "", -1)
    while True:
        rows = store.execute(
            f"SELECT {_COLUMNS} FROM raws WHERE source = ? AND (seen, file, start) > (?, ?, ?) ORDER BY seen, file, start LIMIT {CHUNK}",
            [source, *after],
        )
        for row in rows:
            yield Raw(*row)
        if len(rows) < CHUNK:
            return
        after = (rows[-1][3], rows[-1][4], rows[-1][5])


def raw_counts(store: Store) -> dict[str, int]:
    """Kept answers of each source."""
    return dict(store.execute("SELECT source, count(*) FROM raws GROUP BY source ORDER BY source"))


def forget_derived(store: Store, source: str) -> None:
    """Before a source is read again from its raw answers: what was read from them. What has no origin there stays."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE derived AS SELECT DISTINCT p.id, p.thread FROM posts p JOIN origins o ON o.post = p.id "
        "WHERE p.source = ? AND p.id NOT IN (SELECT post FROM tombstones)",
        [source],
    )
    # Reactions stay: names of those who liked a post are not in the archive. What is told whole takes their place, so the
    # names are remembered for as long as it takes to read everything again.
    store.execute(
        "CREATE OR REPLACE TEMP TABLE known_names AS SELECT r.post, r.kind, r.actor FROM reactions r "
        "SEMI JOIN derived d ON d.id = r.post WHERE r.actor <> ''"
    )
    for table, key in (("post_versions", "post"), ("edges", "post"), ("posts", "id")):
        store.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT id FROM derived)")
    store.execute("DELETE FROM rejects WHERE source = ?", [source])
    store.execute("DROP TABLE derived")


def recall_names(store: Store) -> None:
    """After a source was read again: a count without names has the names back that were known, if it is not less than they are."""
    store.execute(
        "CREATE OR REPLACE TEMP TABLE recalled AS SELECT k.post, k.kind, k.actor, t.total, count(*) OVER (PARTITION BY k.post, k.kind) AS names "
        "FROM known_names k JOIN (SELECT post, kind, sum(count)::INTEGER AS total, count(*) FILTER (actor <> '') AS named FROM reactions "
        "GROUP BY post, kind) t ON t.post = k.post AND t.kind = k.kind WHERE t.named = 0 QUALIFY names <= t.total"
    )
    store.execute("DELETE FROM reactions WHERE (post, kind) IN (SELECT (post, kind) FROM recalled)")
    store.execute("INSERT INTO reactions SELECT post, actor, kind, 1 FROM recalled")
    store.execute("INSERT INTO reactions SELECT DISTINCT post, '', kind, (total - names)::INTEGER FROM recalled WHERE total > names")
    store.execute("DROP TABLE recalled")
    store.execute("DROP TABLE known_names")


# --- taking words back --------------------------------------------------------------------------------------------


def files(store: Store) -> dict[str, int]:
    """Files of the archive, and where the last known answer in each ends."""
    return dict(store.execute("SELECT file, max(start + length) FROM raws GROUP BY file ORDER BY file"))


def to_redact(store: Store) -> dict[str, dict[int, list[str]]]:
    """For each file the places of answers that hold words of posts that were taken back, and which posts."""
    found: dict[str, dict[int, list[str]]] = {}
    rows = store.execute(
        "SELECT r.file, r.start, o.post FROM origins o JOIN tombstones t ON t.post = o.post JOIN raws r ON r.id = o.raw ORDER BY ALL"
    )
    for file, start, post in rows:
        found.setdefault(file, {}).setdefault(start, []).append(post)
    return found


def in_file(store: Store, file: str) -> list[Raw]:
    return [Raw(*row) for row in store.execute(f"SELECT {_COLUMNS} FROM raws WHERE file = ? ORDER BY start", [file])]


def replace_file(store: Store, file: str, answers: Sequence[Raw], redacted: Iterable[str]) -> None:
    """A file was written anew under another name; answers in `redacted` hold fewer words than before."""
    fewer = set(redacted)
    with store.transaction():
        counts = dict(store.execute("SELECT id, redacted FROM raws WHERE file = ?", [file]))
        store.execute("DELETE FROM raws WHERE file = ?", [file])
        for raw in answers:
            store.execute(
                "INSERT INTO raws (file, start, id, source, url, seen, length, digest, redacted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [raw.file, raw.start, raw.id, raw.source, raw.url, raw.seen, raw.length, raw.digest, counts[raw.id] + (raw.id in fewer)],
            )


def forget_origins(store: Store) -> None:
    """Once all files were written anew: posts that were taken back have no origin any more."""
    store.execute("DELETE FROM origins WHERE post IN (SELECT post FROM tombstones)")
