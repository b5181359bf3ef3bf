"""Queries about how sources fare from crawl to crawl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from index.store import Store
from index.tables_discussion import READABLE


@dataclass(frozen=True, slots=True)
class Fare:
    """How a source stands: readable posts now and at the last crawl, its newest post, and how long it usually pauses."""

    source: str
    posts: int
    newest: str  # "" without posts
    longest_pause: int  # days, within the year before the newest post
    posts_before: int | None  # None at the first crawl
    spoke_before: bool  # it was not silent at some earlier crawl


def fares(store: Store) -> dict[str, Fare]:
    rows = store.rows(
        f"WITH readable AS (SELECT source, created FROM posts WHERE {READABLE}), "
        "newest AS (SELECT source, count(*) AS posts, max(created) AS newest FROM readable GROUP BY source), "
        "days AS (SELECT DISTINCT r.source, CAST(left(r.created, 10) AS DATE) AS day FROM readable r JOIN newest n ON n.source = r.source "
        "WHERE CAST(left(r.created, 10) AS DATE) > CAST(left(n.newest, 10) AS DATE) - 365), "
        "pauses AS (SELECT source, day - lag(day) OVER (PARTITION BY source ORDER BY day) AS pause FROM days), "
        "longest AS (SELECT source, max(pause) AS pause FROM pauses GROUP BY source), "
        "earlier AS (SELECT source, arg_max(posts, number) AS posts, bool_or(NOT silent) AS spoke FROM source_runs GROUP BY source) "
        "SELECT s.id AS source, coalesce(n.posts, 0)::BIGINT AS posts, coalesce(n.newest, '') AS newest, "
        "coalesce(l.pause, 0)::INTEGER AS longest_pause, e.posts AS posts_before, coalesce(e.spoke, false) AS spoke_before "
        "FROM sources s LEFT JOIN newest n ON n.source = s.id LEFT JOIN longest l ON l.source = s.id LEFT JOIN earlier e ON e.source = s.id "
        "ORDER BY s.id"
    )
    return {row["source"]: Fare(**row) for row in rows}


def next_crawl(store: Store) -> int:
    return int(store.execute("SELECT coalesce(max(number), 0) + 1 FROM source_runs")[0][0])


def remember_fare(store: Store, number: int, fare: Fare, seen: str, silent: bool, report: Mapping[str, Any]) -> None:
    store.execute(
        "INSERT OR REPLACE INTO source_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            number,
            fare.source,
            seen,
            fare.posts,
            fare.newest,
            silent,
            *(report[key] for key in ("posts", "requests", "milliseconds", "error")),
        ],
    )


def last_fares(store: Store) -> list[dict[str, Any]]:
    """Each source as the last crawl found it."""
    return store.rows("SELECT * FROM source_runs QUALIFY row_number() OVER (PARTITION BY source ORDER BY number DESC) = 1 ORDER BY source")
