"""Threads of a snapshot with the words of their posts and who liked them, one after the other: never all in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from index.snapshot import Snapshot
from index.tables_discussion import READABLE
from index.tables_rewards import LIKE_KINDS

BATCH = 200  # threads whose posts are held in memory


def discussions(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Every thread with two readable posts or more, in order of id: {id, title, permalink, accepted_post, source, licence,
    posts}. Posts come in their order, each with `plain`, `blocks` (JSON, see index.plain), `reply_to`, and who liked it:
    `likers` are author ids, `unnamed` is the number of likes whose givers the network does not tell.
    """
    snapshot.need("reactions")
    heads = snapshot.store.rows(
        "SELECT t.id, t.title, t.permalink, t.accepted_post, t.source, s.licence FROM threads t LEFT JOIN sources s ON s.id = t.source "
        f"WHERE t.id IN (SELECT thread FROM posts WHERE {READABLE} GROUP BY thread HAVING count(*) > 1) ORDER BY t.id"
    )
    for start in range(0, len(heads), BATCH):
        part = heads[start : start + BATCH]
        posts = _posts(snapshot, [head["id"] for head in part])
        yield from ({**head, "posts": posts[head["id"]]} for head in part)


def _posts(snapshot: Snapshot, threads: list[str]) -> dict[str, list[dict[str, Any]]]:
    rows = snapshot.store.rows(
        f"WITH wanted AS (SELECT * FROM posts WHERE {READABLE} AND thread IN (SELECT unnest(?::VARCHAR[]))), "
        "likes AS (SELECT post, list(DISTINCT actor ORDER BY actor) FILTER (actor <> '') AS likers, "
        f"(sum(count) FILTER (actor = ''))::BIGINT AS unnamed FROM reactions WHERE kind IN {LIKE_KINDS} GROUP BY post) "
        "SELECT w.id, w.thread, w.number, w.author, coalesce(a.handle, w.author) AS handle, w.permalink, w.created, w.reply_to, w.plain, "
        "w.blocks, coalesce(l.likers, []) AS likers, coalesce(l.unnamed, 0) AS unnamed "
        "FROM wanted w LEFT JOIN authors a ON a.id = w.author LEFT JOIN likes l ON l.post = w.id ORDER BY w.thread, w.number, w.created, w.id",
        [threads],
    )
    found: dict[str, list[dict[str, Any]]] = {thread: [] for thread in threads}
    for row in rows:
        found[row["thread"]].append(row)
    return found
