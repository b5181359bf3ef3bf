"""What a visit to a forum looks at again: posts as they were last seen, likes without names, edits without earlier texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from index.records import Author, Reaction
from index.store import Store

_NUMBER = "TRY_CAST(regexp_extract(p.id, '/p/([0-9]+)$', 1) AS BIGINT)"
_SEEN = "p.source = ? AND p.kind = 'post' AND p.state IN ('live', 'edited')"

Known = tuple[int, int, int, str, str]  # (number, version, likes, thread, other reactions as "tada 3, thinking 1")


def posts_below(store: Store, source: str, below: int | None, most: int) -> list[Known]:
    """Posts with the highest numbers under `below`, as they were last seen, highest first."""
    rows = store.execute(
        f"WITH seen AS (SELECT p.id, {_NUMBER} AS number, p.version, p.likes, p.thread FROM posts p WHERE {_SEEN} AND number < ? "
        "ORDER BY number DESC LIMIT ?), kinds AS (SELECT r.post, r.kind, sum(r.count)::BIGINT AS count FROM reactions r SEMI JOIN seen s "
        "ON s.id = r.post WHERE r.kind <> 'like' GROUP BY ALL) SELECT s.number, s.version, s.likes, s.thread, "
        "coalesce(string_agg(k.kind || ' ' || k.count, ', ' ORDER BY k.kind), '') "
        "FROM seen s LEFT JOIN kinds k ON k.post = s.id GROUP BY ALL ORDER BY s.number DESC",
        [source, below if below is not None else 2**62, most],
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def unnamed_likes(store: Store, source: str, most: int) -> list[tuple[int, int]]:
    """(number, likes) of posts that somebody likes whose name is not known, newest first."""
    return _unnamed(store, "r.kind = 'like'", source, most)


def unnamed_reactions(store: Store, source: str, most: int) -> list[tuple[int, int]]:
    """(number, reactions) of posts with other reactions than likes of somebody whose name is not known, newest first."""
    return _unnamed(store, "r.kind <> 'like'", source, most)


def _unnamed(store: Store, kinds: str, source: str, most: int) -> list[tuple[int, int]]:
    rows = store.execute(
        f"SELECT {_NUMBER} AS number, sum(r.count)::BIGINT FROM posts p JOIN reactions r ON r.post = p.id WHERE {_SEEN} AND {kinds} "
        "GROUP BY p.id HAVING sum(r.count) FILTER (r.actor = '') > 0 ORDER BY number DESC LIMIT ?",
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


# --- people who were known by their handles alone -------------------------------------------------------------------

_BY_HANDLE = re.compile(r"(discourse:.+/u/)(?!-?\d+\Z)(.+)\Z")


def by_number(store: Store, by_type: Mapping[type, Sequence[Any]]) -> Mapping[type, Sequence[Any]]:
    """A forum names who reacted by handle alone. Whoever is known by number is meant by it, and whoever is met later, too."""
    authors: Sequence[Author] = by_type.get(Author, ())
    if not any(author.source.startswith("discourse:") for author in authors):
        return by_type
    numbered = {_handle_id(author): author.id for author in authors if not _BY_HANDLE.match(author.id)}
    _rename(store, numbered)
    handles = {author.id for author in authors if _BY_HANDLE.match(author.id)}
    known = _numbers_of(store, handles) | {handle: number for handle, number in numbered.items() if handle in handles}
    if not known:
        return by_type
    reactions = [
        replace(reaction, actor=known[reaction.actor]) if reaction.actor in known else reaction for reaction in by_type.get(Reaction, ())
    ]
    spoken = {getattr(record, "author", "") for records in by_type.values() for record in records}
    return {**by_type, Author: [one for one in authors if one.id not in known or one.id in spoken], Reaction: reactions}


def _handle_id(author: Author) -> str:
    """The id that an author had who was known by handle alone."""
    start, handle = author.id.rpartition("/u/")[0], author.handle.lower()
    return f"{start}/u/{'@' if handle.isdecimal() else ''}{handle}"


def _numbers_of(store: Store, handles: set[str]) -> dict[str, str]:
    """Ids by number for ids by handle, of those that are known."""
    wanted: dict[tuple[str, str], str] = {}
    for name in handles:
        start, handle = name.rpartition("/u/")[0], name.rpartition("/u/")[2].removeprefix("@")
        wanted[(start, handle)] = name
    found: dict[str, str] = {}
    for source in {source for source, _ in wanted}:
        names = [handle for origin, handle in wanted if origin == source]
        rows = store.execute(
            "SELECT id, lower(handle) FROM authors WHERE source = ? AND lower(handle) IN (SELECT unnest(?::VARCHAR[])) ORDER BY id",
            [source, names],
        )
        found |= {wanted[(source, handle)]: number for number, handle in rows if not _BY_HANDLE.match(number)}
    return found


def _rename(store: Store, numbered: Mapping[str, str]) -> None:
    """Reactions of people that were known by handle, now that their numbers are."""
    if not numbered:
        return
    known = store.execute("SELECT id FROM authors WHERE id IN (SELECT unnest(?::VARCHAR[])) ORDER BY id", [sorted(numbered)])
    for (name,) in known:
        store.execute(
            "DELETE FROM reactions WHERE actor = ? AND (post, kind) IN (SELECT (post, kind) FROM reactions WHERE actor = ?)",
            [name, numbered[name]],
        )
        store.execute("UPDATE reactions SET actor = ? WHERE actor = ?", [numbered[name], name])
        store.execute("DELETE FROM authors WHERE id = ? AND id NOT IN (SELECT author FROM posts)", [name])
