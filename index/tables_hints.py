"""Queries about what a source holds already, for sweeps that look again at what is known."""

from __future__ import annotations

from index.store import Store


def thread_ids(store: Store, source: str) -> list[str]:
    """Threads of a source that still have a post which is not known to be gone, in order of their ids."""
    return [
        row[0]
        for row in store.execute(
            "SELECT DISTINCT thread FROM posts WHERE source = ? AND state NOT IN ('author_deleted', 'moderated', 'pruned') ORDER BY thread",
            [source],
        )
    ]


def youngest_threads(store: Store, source: str, most: int) -> list[tuple[str, str]]:
    """(thread, moment of its newest post) of the threads that were spoken in last, youngest first."""
    rows = store.execute(
        "SELECT thread, max(greatest(created, coalesce(edited, ''))) AS newest FROM posts WHERE source = ? GROUP BY thread "
        "ORDER BY newest DESC, thread LIMIT ?",
        [source, most],
    )
    return [(row[0], row[1]) for row in rows]


def unsettled_threads(store: Store, source: str) -> list[str]:
    """Threads where a post was missing at the last look: a second look settles it."""
    return [
        row[0]
        for row in store.execute(
            "SELECT DISTINCT thread FROM posts WHERE source = ? AND state = 'missing_unconfirmed' ORDER BY thread", [source]
        )
    ]


def youngest_posts(store: Store, source: str, most: int) -> list[str]:
    """Posts of a source that are not known to be gone, youngest first."""
    return [
        row[0]
        for row in store.execute(
            "SELECT id FROM posts WHERE source = ? AND state NOT IN ('author_deleted', 'moderated', 'pruned') ORDER BY created DESC, id LIMIT ?",
            [source, most],
        )
    ]


def known_threads(store: Store, source: str, young: int) -> dict[str, list[str]]:
    """What a sweep that looks again has to know: unsettled threads, the `young` ones that were spoken in last, and all."""
    return {
        "unsettled": unsettled_threads(store, source),
        "young": [thread for thread, _ in youngest_threads(store, source, young)],
        "known": thread_ids(store, source),
    }
