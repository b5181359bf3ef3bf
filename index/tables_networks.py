"""Queries about what networks tell piece by piece: accounts, single reactions, deletions, who is to be forgotten, who is who.

A network hands these over in any order and more than once: a deletion before the post, an old name after a new one. So
each is remembered, and what it binds is worked out anew for whatever a batch touches. The result does not depend on
the order of reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from index.records import Account, Deletion, Holdings, IdentityLink, Post, ReactionEvent, Reject, Thread, Tombstone, Vanish
from index.store import Store, storable
from index.tables_people import forget_people, load_accounts, load_links

EVER = "9999"  # after every moment that is written out
MOMENT = "coalesce(p.edited, p.created)"
MAX_DEPTH = 500  # levels of replies that one batch may move


def prepare(store: Store, by_type: Mapping[type, Sequence[Any]]) -> dict[type, list[Any]]:
    """What the other tables are to load, before they do: threads known only by their replies are kept apart."""
    told = {kind: list(records) for kind, records in by_type.items()}
    stubs = [thread for thread in told.get(Thread, ()) if _is_stub(thread)]
    told[Thread] = [thread for thread in told.get(Thread, ()) if not _is_stub(thread)]
    _add_stubs(store, stubs)
    if "deletions" in _filled(store):
        _revive(store, told.get(Post, ()))
    return told


def _filled(store: Store) -> set[str]:
    """Which of these tables hold anything: an archive fills none of them, and is spared the queries that join them."""
    tables = ("deletions", "vanished", "reaction_events", "post_versions", "tombstones")
    (found,) = store.execute("SELECT " + ", ".join(f"EXISTS (FROM {table})" for table in tables))
    return {table for table, filled in zip(tables, found, strict=True) if filled}


def settle(store: Store, source: str, seen: str, by_type: Mapping[type, Sequence[Any]]) -> tuple[list[Tombstone], list[Reject]]:
    """After posts and edges: what follows from the rest. Returns the tombstones and rejects that follow."""
    _remember(store, seen, by_type.get(Deletion, ()), by_type.get(Vanish, ()))
    rejects = load_accounts(store, source, by_type.get(Account, ()))
    load_links(store, by_type.get(IdentityLink, ()))
    posts, filled = [post.id for post in by_type.get(Post, ())], _filled(store)
    stones: list[Tombstone] = []
    if filled & {"deletions", "vanished"}:
        stones += _due(store, posts, by_type.get(Deletion, ()), by_type.get(Vanish, ()))
    for holdings in by_type.get(Holdings, ()):
        stones += _missing(store, holdings)
    forget_people(store, by_type.get(Vanish, ()))
    if "post_versions" in filled:
        _mark_edited(store, posts)
    if "tombstones" in filled:
        _hide_titles(store, [thread.id for thread in by_type.get(Thread, ())])
    if "reaction_events" in filled or by_type.get(ReactionEvent):
        _load_reaction_events(store, posts, by_type)
    if any(post.reply_to for post in by_type.get(Post, ())) or _awaited(store, posts):
        _settle_threads(store, by_type.get(Post, ()))
    return stones, rejects


@contextmanager
def _registered(store: Store, **columns: Iterable[str]) -> Iterator[None]:
    """The view `told` with columns of text, for as long as a query needs it."""
    import pyarrow as pa

    store.connection.register(
        "told", pa.table({name: pa.array([storable(v) for v in values], pa.string()) for name, values in columns.items()})
    )
    try:
        yield
    finally:
        store._forget("told")


# --- threads and posts --------------------------------------------------------------------------------------------


def _is_stub(thread: Thread) -> bool:
    return not (thread.title or thread.category or thread.tags or thread.accepted_post) and not thread.source.startswith("discourse:")


def _add_stubs(store: Store, threads: Sequence[Thread]) -> None:
    """A thread whose first post was not read yet: it takes the place of nothing."""
    for thread in threads:
        store.execute(
            "INSERT INTO threads VALUES (?, ?, ?, ?, ?, '', [], NULL) ON CONFLICT (id) DO UPDATE SET created = least(created, excluded.created)",
            [thread.id, thread.source, thread.title, thread.created, thread.permalink],
        )


def _revive(store: Store, posts: Sequence[Post]) -> None:
    """A post written again under the same id after its deletion is a new one: the deletion bound only what was before."""
    if not posts:
        return
    with _registered(store, id=[p.id for p in posts], author=[p.author for p in posts], moment=[p.edited or p.created for p in posts]):
        store.execute(
            "DELETE FROM tombstones WHERE post IN (SELECT w.id FROM told w JOIN deletions d ON d.target = w.id AND d.by_author = w.author "
            f"WHERE d.until <> '{EVER}' AND w.moment > d.until)"
        )


def _mark_edited(store: Store, posts: Sequence[str]) -> None:
    """A post of which an older version was read after the newest is an edited one, too."""
    if posts:
        with _registered(store, id=posts):
            store.execute(
                "UPDATE posts SET state = 'edited' WHERE state = 'live' AND id IN (SELECT id FROM told) AND id IN (SELECT post FROM post_versions)"
            )


def _hide_titles(store: Store, threads: Sequence[str]) -> None:
    """A thread that has its first post's words for a title has none once that post is gone, also where it is read again."""
    if threads:
        with _registered(store, id=threads):
            store.execute("UPDATE threads SET title = '' WHERE id IN (SELECT id FROM told) AND id IN (SELECT post FROM tombstones)")


def _awaited(store: Store, posts: Sequence[str]) -> bool:
    """Whether replies to these posts were read before them."""
    if not posts:
        return False
    with _registered(store, id=posts):
        return bool(store.execute("SELECT 1 FROM posts c JOIN told w ON c.reply_to = w.id LIMIT 1"))


def _settle_threads(store: Store, posts: Sequence[Post]) -> None:
    """A reply stands in the thread of what it answers, once that is known; down the tree, level by level."""
    wanted, left = [post.id for post in posts], {post.thread for post in posts}
    tried: set[tuple[str, str]] = set()
    for _ in range(MAX_DEPTH):
        with _registered(store, id=wanted):
            moved = store.execute(
                "SELECT c.id, c.thread, p.thread FROM posts c JOIN posts p ON c.reply_to = p.id "
                "WHERE (c.id IN (SELECT id FROM told) OR p.id IN (SELECT id FROM told)) AND c.thread <> p.thread "
                "AND NOT starts_with(c.source, 'discourse:') ORDER BY c.id"
            )
        moved = [row for row in moved if (row[0], row[2]) not in tried]  # in a ring of replies threads go round
        if not moved:
            break
        tried.update((row[0], row[2]) for row in moved)
        with _registered(store, id=[row[0] for row in moved], thread=[row[2] for row in moved]):
            store.execute("UPDATE posts SET thread = w.thread FROM told w WHERE posts.id = w.id")
        wanted = [row[0] for row in moved]
        left.update(row[1] for row in moved)
    with _registered(store, id=sorted(left)):
        unnamed = "title = '' AND id IN (SELECT id FROM told)"
        if store.execute(f"SELECT 1 FROM threads WHERE {unnamed} LIMIT 1"):
            store.execute(f"DELETE FROM threads WHERE {unnamed} AND id NOT IN (SELECT thread FROM posts)")


# --- deletions ----------------------------------------------------------------------------------------------------


def _remember(store: Store, seen: str, deletions: Sequence[Deletion], vanishings: Sequence[Vanish]) -> None:
    for deletion in deletions:
        store.execute(
            "INSERT INTO deletions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = greatest(until, excluded.until)",
            [storable(deletion.target), deletion.by, deletion.until or EVER, deletion.state, storable(deletion.reason), seen],
        )
    for vanish in vanishings:
        store.execute(
            "INSERT INTO vanished VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = greatest(until, excluded.until)",
            [vanish.author, vanish.until, vanish.state, storable(vanish.reason), seen],
        )


def _due(store: Store, posts: Sequence[str], deletions: Sequence[Deletion], vanishings: Sequence[Vanish]) -> list[Tombstone]:
    """Tombstones for the posts that were just read or just spoken of, and are bound by some word."""
    stones: list[tuple[Any, ...]] = []
    targets = [deletion.target for deletion in deletions]
    if posts or targets:
        with _registered(store, id=[*posts, *targets]):
            stones += store.execute(
                "SELECT p.id, d.state, d.reason FROM posts p JOIN deletions d ON d.target = p.id AND d.by_author = p.author "
                f"WHERE p.id IN (SELECT id FROM told) AND {MOMENT} <= d.until AND p.id NOT IN (SELECT post FROM tombstones) ORDER BY p.id"
            )
    people = [vanish.author for vanish in vanishings]
    if posts or people:
        with _registered(store, id=[*posts, *people]):
            stones += store.execute(
                "SELECT p.id, v.state, v.reason FROM posts p JOIN vanished v ON v.author = p.author "
                f"WHERE (p.id IN (SELECT id FROM told) OR p.author IN (SELECT id FROM told)) AND {MOMENT} <= v.until "
                "AND p.id NOT IN (SELECT post FROM tombstones) ORDER BY p.id"
            )
    return [Tombstone(*row) for row in dict.fromkeys(stones)]


def _missing(store: Store, holdings: Holdings) -> list[Tombstone]:
    """Posts that are gone from their author's own store: tombstones where that is the author's word."""
    mine = [holdings.author, holdings.prefix]
    absent = "author = ? AND starts_with(id, ?) AND id NOT IN (SELECT id FROM told)"
    with _registered(store, id=holdings.ids):
        store.execute(
            "UPDATE posts SET state = CASE WHEN id IN (SELECT post FROM post_versions) THEN 'edited' ELSE 'live' END "
            "WHERE author = ? AND state IN ('missing_unconfirmed', 'pruned') AND id IN (SELECT id FROM told)",
            [holdings.author],
        )
        if holdings.proven:
            rows = store.execute(f"SELECT id FROM posts WHERE {absent} AND id NOT IN (SELECT post FROM tombstones) ORDER BY id", mine)
            return [Tombstone(row[0], "author_deleted", holdings.reason) for row in rows]
        store.execute(
            "UPDATE posts SET state = CASE state WHEN 'missing_unconfirmed' THEN 'pruned' ELSE 'missing_unconfirmed' END "
            f"WHERE {absent} AND state IN ('live', 'edited', 'missing_unconfirmed')",
            mine,
        )
    return []


# --- reactions ----------------------------------------------------------------------------------------------------


def _load_reaction_events(store: Store, posts: Sequence[str], by_type: Mapping[type, Sequence[Any]]) -> None:
    """Keep each event; a post's reactions are those of its events that nobody took back."""
    import pyarrow as pa

    events: list[ReactionEvent] = list(
        {event.id: event for event in sorted(by_type.get(ReactionEvent, ()), key=lambda event: event.created)}.values()
    )
    names = ("id", "post", "actor", "kind", "created")
    if events:
        columns = {name: pa.array([storable(getattr(event, name)) for event in events], pa.string()) for name in names}
        store.connection.register("told", pa.table(columns))
        try:
            store.connection.execute(
                "INSERT INTO reaction_events (id, post, actor, kind, created) SELECT id, post, actor, kind, created FROM told "
                "ON CONFLICT (id) DO UPDATE SET created = greatest(created, excluded.created)"
            )
        finally:
            store._forget("told")
    changed = {event.post for event in events} | _take_back(store, events, by_type)
    if changed:
        _gather_reactions(store, sorted(changed))
        _count_likes(store, sorted(changed))
    _count_likes(store, _with_events(store, posts))


def _take_back(store: Store, events: Sequence[ReactionEvent], by_type: Mapping[type, Sequence[Any]]) -> set[str]:
    """Remove the events that are bound by some word; the posts whose reactions change by it."""
    deletions, vanishings = by_type.get(Deletion, ()), by_type.get(Vanish, ())
    gone: list[tuple[Any, ...]] = []
    touched = [*(event.id for event in events), *(d.target for d in deletions), *(v.author for v in vanishings)]
    if touched:
        with _registered(store, id=touched):
            gone += store.execute(
                "SELECT e.id, e.post FROM reaction_events e LEFT JOIN deletions d ON d.target = e.id AND d.by_author = e.actor "
                "LEFT JOIN vanished v ON v.author = e.actor WHERE (e.id IN (SELECT id FROM told) OR e.actor IN (SELECT id FROM told)) "
                "AND (e.created <= d.until OR e.created <= v.until)"
            )
    for held in by_type.get(Holdings, ()):
        with _registered(store, id=held.ids):
            gone += store.execute(
                "SELECT id, post FROM reaction_events WHERE actor = ? AND starts_with(id, ?) AND id NOT IN (SELECT id FROM told)",
                [held.author, held.prefix],
            )
    if gone:
        with _registered(store, id=[row[0] for row in gone]):
            store.execute("DELETE FROM reaction_events WHERE id IN (SELECT id FROM told)")
    return {row[1] for row in gone}


def _gather_reactions(store: Store, posts: Sequence[str]) -> None:
    """Bring `reactions` to what the events say, for posts whose events changed."""
    with _registered(store, id=posts):
        store.execute("DELETE FROM reactions WHERE actor <> '' AND post IN (SELECT id FROM told)")
        store.execute(
            "INSERT OR REPLACE INTO reactions SELECT DISTINCT post, actor, kind, 1 FROM reaction_events "
            "WHERE post IN (SELECT id FROM told) AND post NOT IN (SELECT post FROM tombstones)"
        )


def _with_events(store: Store, posts: Sequence[str]) -> list[str]:
    if not posts:
        return []
    with _registered(store, id=posts):
        return [row[0] for row in store.execute("SELECT DISTINCT post FROM reaction_events WHERE post IN (SELECT id FROM told)")]


def _count_likes(store: Store, posts: Sequence[str]) -> None:
    """The likes of posts whose reactions come one by one: a post that is read again brings no count of its own."""
    if not posts:
        return
    with _registered(store, id=posts):
        store.execute(
            "UPDATE posts SET likes = n.likes FROM (SELECT w.id, count(DISTINCT e.actor) FILTER (e.kind = 'like')::INTEGER AS likes "
            "FROM told w LEFT JOIN reaction_events e ON e.post = w.id GROUP BY w.id) n "
            "WHERE posts.id = n.id AND posts.id NOT IN (SELECT post FROM tombstones)"
        )


# --- reading ---------------------------------------------------------------------------------------------------


def known_events(store: Store, prefix: str, most: int) -> list[tuple[int, str]]:
    """(second, id without prefix) of posts and reactions named by a hash of 64 hex digits, the newest `most`."""
    rows = store.execute(
        "SELECT epoch(created::TIMESTAMP)::BIGINT AS second, id[length(?) + 1:] AS name FROM (SELECT id, created FROM posts UNION ALL "
        "SELECT id, created FROM reaction_events) WHERE starts_with(id, ?) AND length(id) = length(?) + 64 ORDER BY second DESC, name LIMIT ?",
        [prefix, prefix, prefix, most],
    )
    return [(row[0], row[1]) for row in rows]


def known_texts(store: Store, source: str, most: int) -> dict[str, str]:
    """Posts of a source by id with the hash of their text, reactions of its people with "": none at all where there are
    more than `most`, since half a list says nothing of the rest."""
    rows = store.execute(
        "SELECT id, body_hash FROM posts WHERE source = ? UNION ALL SELECT e.id, '' FROM reaction_events e "
        "JOIN authors a ON a.id = e.actor WHERE a.source = ? LIMIT ?",
        [source, source, most + 1],
    )
    return dict(rows) if len(rows) <= most else {}


def writers(store: Store, source: str) -> list[str]:
    """Authors of a source's posts, in order of their ids."""
    return [row[0] for row in store.execute("SELECT DISTINCT author FROM posts WHERE source = ? ORDER BY author", [source])]


def known_permalinks(store: Store, source: str) -> list[tuple[str, str]]:
    """(post, permalink) of a source's posts that are not known to be gone, the youngest first."""
    rows = store.execute(
        "SELECT id, permalink FROM posts WHERE source = ? AND state NOT IN ('author_deleted', 'moderated', 'pruned') ORDER BY created DESC, id",
        [source],
    )
    return [(row[0], row[1]) for row in rows]
