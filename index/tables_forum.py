"""What a visit to a forum looks at again: posts as they were last seen, likes without names, edits without earlier texts."""

from __future__ import annotations

from index.store import Store

_NUMBER = "TRY_CAST(regexp_extract(p.id, '/p/([0-9]+)$', 1) AS BIGINT)"
_SEEN = "p.source = ? AND p.kind = 'post' AND p.state IN ('live', 'edited')"

Known = tuple[int, int, int, str]  # (number, version, likes, thread)


def posts_below(store: Store, source: str, below: int | None, most: int) -> list[Known]:
    """Posts with the highest numbers under `below`, as they were last seen, highest first."""
    rows = store.execute(
        f"SELECT {_NUMBER} AS number, p.version, p.likes, p.thread FROM posts p WHERE {_SEEN} AND number < ? ORDER BY number DESC LIMIT ?",
        [source, below if below is not None else 2**62, most],
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def unnamed_likes(store: Store, source: str, most: int) -> list[tuple[int, int]]:
    """(number, likes) of posts that somebody likes whose name is not known, newest first."""
    rows = store.execute(
        f"SELECT {_NUMBER} AS number, p.likes FROM posts p JOIN reactions r ON r.post = p.id "
        f"WHERE {_SEEN} AND r.actor = '' AND r.kind = 'like' AND r.count > 0 ORDER BY number DESC LIMIT ?",
        [source, most],
    )
    return [(row[0], row[1]) for row in rows]


def unknown_edits(store: Store, source: str, most: int) -> list[tuple[int, int]]:
    """(number, version) of posts that were edited and of which no earlier text is known, newest first."""
    rows = store.execute(
        f"SELECT {_NUMBER} AS number, p.version FROM posts p WHERE {_SEEN} AND p.version > 1 "
        "AND p.id NOT IN (SELECT post FROM post_versions) ORDER BY number DESC LIMIT ?",
        [source, most],
    )
    return [(row[0], row[1]) for row in rows]


def stalest_threads(store: Store, source: str, most: int) -> list[str]:
    """Threads that were looked at longest ago, for forums that list no posts."""
    rows = store.execute(
        f"SELECT p.thread FROM posts p WHERE {_SEEN} GROUP BY p.thread ORDER BY max(p.last_seen), p.thread LIMIT ?", [source, most]
    )
    return [row[0] for row in rows]
