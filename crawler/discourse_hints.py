"""What a visit to a forum has to know of the store: read by the parent, which alone opens it."""

from __future__ import annotations

from typing import Any

from index import tables_discussion as tables
from index import tables_forum as forum
from index.records import Source
from index.store import Store

PAGE = 50  # posts on a page of /posts.json
PAGES = 200  # pages that a visit can compare at most, of the newest posts and of older ones
UNNAMED, EDITS, STALE = 20_000, 20_000, 1_000


def hints(store: Store, source: Source) -> dict[str, Any]:
    """
    recheck   numbers of threads where a post was missing at the last look: a second look settles it
    newest    the newest posts as they were last seen: [number, version, likes, thread's number, other reactions]
    older     the same of those below the place that looking again has come to
    unnamed   [post, likes]: somebody likes it whose name is not known
    reacted   [post, reactions]: the same of other reactions
    edited    [post, version]: no earlier text of it is known
    stale     numbers of the threads that were looked at longest ago
    """
    before = tables.cursor(store, source.id).get("again_before", "")
    return {
        "recheck": _numbers(tables.unconfirmed_threads(store, source.id)),
        "newest": _known(forum.posts_below(store, source.id, None, PAGES * PAGE)),
        "older": _known(forum.posts_below(store, source.id, int(before) if before.isdecimal() else None, PAGES * PAGE)),
        "unnamed": forum.unnamed_likes(store, source.id, UNNAMED),
        "reacted": forum.unnamed_reactions(store, source.id, UNNAMED),
        "edited": forum.unknown_edits(store, source.id, EDITS),
        "stale": _numbers(forum.stalest_threads(store, source.id, STALE)),
    }


def _numbers(threads: list[str]) -> list[int]:
    numbers = (thread.rpartition("/t/")[2] for thread in threads)
    return [int(number) for number in numbers if number.isdecimal()]


def _known(posts: list[forum.Known]) -> list[list[Any]]:
    return [[number, version, likes, found[0], others] for number, version, likes, thread, others in posts if (found := _numbers([thread]))]
