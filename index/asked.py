"""What people ask: posts of a release's snapshot that hold a question, and replies that may say "I wonder, too"."""

from __future__ import annotations

from typing import Any

from index.snapshot import Snapshot
from index.tables_discussion import READABLE

SHORT = 400  # characters: a reply that agrees with a question says little else


def posts_that_ask(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Readable posts with a question mark, oldest first, with handle, blocks and likes."""
    return snapshot.store.rows(
        "SELECT p.id, p.thread, p.number, p.author, coalesce(a.handle, p.author) AS handle, p.permalink, p.created, p.plain, p.blocks, "
        "coalesce(r.likes, 0)::BIGINT AS likes "
        f"FROM (SELECT * FROM posts WHERE {READABLE} AND contains(plain, '?')) p "
        "LEFT JOIN authors a ON a.id = p.author LEFT JOIN (SELECT post, sum(count) AS likes FROM reactions GROUP BY post) r ON r.post = p.id "
        "ORDER BY p.created, p.id"
    )


def short_replies(snapshot: Snapshot, threads: list[str]) -> list[dict[str, Any]]:
    """Short readable posts of these threads, oldest first."""
    return snapshot.store.rows(
        "SELECT p.id, p.thread, p.author, coalesce(a.handle, p.author) AS handle, p.permalink, p.created, p.plain "
        f"FROM (SELECT * FROM posts WHERE {READABLE} AND length(plain) <= ?) p LEFT JOIN authors a ON a.id = p.author "
        "WHERE p.thread IN (SELECT unnest(?::VARCHAR[])) ORDER BY p.created, p.id",
        [SHORT, threads],
    )
