"""Queries about what was read: sources, cursors, authors, threads, posts, reactions, edges, tombstones, rejects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from index.plain import PLAIN_VERSION, Block, PlainRow, Plains, blocks_from_json, plain_row
from index.records import Author, Edge, Post, Reaction, Reject, Source, Thread, Tombstone
from index.store import Store, storable
from index.tables_private import JOIN_MASKS, MASKED_PLAIN, bury_optouts, mask_of, refresh_masks

if TYPE_CHECKING:
    import pyarrow as pa

NO_PLAINS: Plains = {}
GONE = ("author_deleted", "moderated", "pruned")
READABLE = "state NOT IN ('author_deleted', 'moderated', 'pruned') AND kind = 'post' AND plain <> ''"


def body_hash(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


# --- sources and cursors ------------------------------------------------------------------------------------------


def add_source(store: Store, source: Source) -> None:
    store.execute(
        "INSERT INTO sources (id, kind, address, base_url, title, licence, payable, allow_private) VALUES (?,?,?,?,?,?,?,?) "
        "ON CONFLICT (id) DO UPDATE SET kind=excluded.kind, address=excluded.address, base_url=excluded.base_url, "
        "title=excluded.title, licence=excluded.licence, payable=excluded.payable, allow_private=excluded.allow_private",
        [source.id, source.kind, source.address, source.base_url, source.title, source.licence, source.payable, source.allow_private],
    )


def sources(store: Store) -> list[Source]:
    rows = store.rows("SELECT id, kind, address, base_url, title, licence, payable, allow_private FROM sources ORDER BY id")
    return [Source(**row) for row in rows]


def set_source_error(store: Store, source: str, error: str | None) -> None:
    store.execute("UPDATE sources SET last_error = ? WHERE id = ?", [error, source])


def cursor(store: Store, source: str) -> dict[str, str]:
    return dict(store.execute("SELECT name, value FROM cursors WHERE source = ? ORDER BY name", [source]))


def set_cursor(store: Store, source: str, values: Mapping[str, str]) -> None:
    if values:
        rows = ", ".join(["(?, ?, ?)"] * len(values))
        told = [text for name, value in values.items() for text in (source, name, value)]
        store.execute(f"INSERT OR REPLACE INTO cursors (source, name, value) VALUES {rows}", told)


def remember_batch(store: Store, batch: str) -> bool:
    """True the first time a batch id is seen."""
    if store.execute("SELECT 1 FROM batches WHERE id = ?", [batch]):
        return False
    store.execute("INSERT INTO batches VALUES (?)", [batch])
    return True


# --- loading ------------------------------------------------------------------------------------------------------


def load_records(store: Store, source: str, seen: str, by_type: Mapping[type, Sequence[Any]], plains: Plains = NO_PLAINS) -> None:
    """Bring records of one batch into the tables, with the plain text that is at hand. Called inside a transaction."""
    from index import tables_forum as forum
    from index import tables_networks as networks

    by_type = forum.by_number(store, networks.prepare(store, by_type))
    for record in by_type.get(Source, ()):
        add_source(store, record)
    _load_plainly(store, "authors", ["id", "source", "handle", "name", "staff"], by_type.get(Author, ()))
    _load_plainly(
        store, "threads", ["id", "source", "title", "created", "permalink", "category", "tags", "accepted_post"], by_type.get(Thread, ())
    )
    rejects = list(by_type.get(Reject, ()))
    rejects += _load_posts(store, source, seen, by_type.get(Post, ()), plains)
    _load_reactions(store, by_type.get(Reaction, ()))
    _load_plainly(store, "edges", ["kind", "post", "target"], by_type.get(Edge, ()))
    _note_missing(store, by_type.get(_roster(), ()))
    stones, found = networks.settle(store, source, seen, by_type)
    bury(store, seen, [*by_type.get(Tombstone, ()), *stones])
    bury_optouts(store)
    _load_rejects(store, [*rejects, *found])


def _roster() -> type:
    from index.spool import Roster

    return Roster


def _load_plainly(store: Store, table: str, columns: list[str], records: Sequence[Any]) -> None:
    if not records:
        return
    import pyarrow as pa

    last = {tuple(getattr(r, c) for c in _keys(table)): r for r in records}  # the last word in a batch counts
    data: dict[str, Any] = {c: [_plain_value(getattr(r, c)) for r in last.values()] for c in columns}
    if "tags" in data:
        data["tags"] = pa.array(data["tags"], pa.list_(pa.string()))
    if "accepted_post" in data:
        data["accepted_post"] = pa.array(data["accepted_post"], pa.string())
    store.upsert(table, pa.table(data))


def _keys(table: str) -> tuple[str, ...]:
    return {"authors": ("id",), "threads": ("id",), "edges": ("kind", "post", "target")}[table]


def _plain_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [storable(v) for v in value]
    return storable(value) if isinstance(value, str) else value


def _load_rejects(store: Store, rejects: Sequence[Reject]) -> None:
    if not rejects:
        return
    import pyarrow as pa

    last = {(r.source, r.where, r.reason): r for r in rejects}
    rows = list(last.values())
    store.upsert(
        "rejects",
        pa.table(
            {
                "source": [r.source for r in rows],
                "place": [storable(r.where) for r in rows],
                "reason": [r.reason for r in rows],
                "detail": [storable(r.detail)[:500] for r in rows],
            }
        ),
    )


def _load_reactions(store: Store, reactions: Sequence[Reaction]) -> None:
    """Those of earlier tellings give way: of a post all, or where kinds are told alone those of the same kind."""
    reactions = _with_known_names(store, reactions)
    if not reactions:
        return
    import pyarrow as pa

    whole = {r.post for r in reactions if not r.alone}
    told = sorted({(r.post, r.kind if r.post not in whole else "") for r in reactions})
    store.connection.register("told", pa.table({"post": [post for post, _ in told], "kind": [kind for _, kind in told]}))
    try:
        store.connection.execute("DELETE FROM reactions r USING told t WHERE r.post = t.post AND (t.kind = '' OR r.kind = t.kind)")
    finally:
        store._forget("told")
    last = {(r.post, r.actor, r.kind): r for r in reactions if r.count > 0}
    if last:
        rows = list(last.values())
        store.upsert(
            "reactions",
            pa.table(
                {
                    "post": [r.post for r in rows],
                    "actor": [r.actor for r in rows],
                    "kind": [r.kind for r in rows],
                    "count": pa.array([r.count for r in rows], pa.int32()),
                }
            ),
        )


def _with_known_names(store: Store, reactions: Sequence[Reaction]) -> list[Reaction]:
    """A count without names keeps the names that are known of its kind, as long as it is not less than they are."""
    named = {(reaction.post, reaction.kind) for reaction in reactions if reaction.actor}
    counted = [reaction for reaction in reactions if (reaction.post, reaction.kind) not in named]
    if not counted:
        return list(reactions)
    import pyarrow as pa

    known: dict[tuple[str, str], list[str]] = {}
    store.connection.register("counted", pa.table({"post": sorted({reaction.post for reaction in counted})}))
    try:
        names = "SELECT r.post, r.kind, r.actor FROM reactions r SEMI JOIN counted c ON r.post = c.post WHERE r.actor <> '' ORDER BY ALL"
        for post, kind, actor in store.execute(names):
            known.setdefault((post, kind), []).append(actor)
    finally:
        store._forget("counted")
    told = [reaction for reaction in reactions if (reaction.post, reaction.kind) in named]
    for reaction in counted:
        actors = known.get((reaction.post, reaction.kind), [])
        actors = actors if len(actors) <= reaction.count else []
        told += [replace(reaction, actor=actor, count=1) for actor in actors]
        told.append(replace(reaction, count=reaction.count - len(actors)))
    return told


@dataclass(slots=True)
class _Known:
    body_hash: str
    version: int
    edited: str | None
    first_seen: str
    state: str
    plain_version: str


def _load_posts(store: Store, source: str, seen: str, posts: Sequence[Post], plains: Plains) -> list[Reject]:
    """New posts come in; a post with another body is an edit, and the older body goes to post_versions."""
    if not posts:
        return []
    known, buried = _known_posts(store, [post.id for post in posts])
    current: dict[str, tuple[Post, _Known]] = {}
    versions: list[tuple[Post | None, str, _Known]] = []
    for post in posts:
        if post.id in buried:
            continue
        digest = body_hash(post.body)
        if post.id in current:
            earlier_post, earlier = current[post.id]
        else:
            earlier_post, earlier = None, known.get(post.id)  # type: ignore[assignment]
        fresh = _Known(digest, post.version, post.edited, seen if earlier is None else earlier.first_seen, post.state, PLAIN_VERSION)
        if earlier is None or earlier.body_hash == digest:
            # Seen again as it was: what was edited once stays edited.
            current[post.id] = (_as_edited(post) if earlier is not None and _was_edited(store, post, earlier) else post, fresh)
        elif (post.version, post.edited or "") >= (earlier.version, earlier.edited or ""):
            versions.append((earlier_post, post.id, earlier))
            current[post.id] = (_as_edited(post), fresh)
        else:
            versions.append((post, post.id, fresh))
    _store_versions(store, seen, versions)
    return _store_posts(store, source, seen, list(current.values()), plains)


def _was_edited(store: Store, post: Post, earlier: _Known) -> bool:
    """Whether a post was edited before; one that went missing in between has to ask its versions."""
    if earlier.state in ("missing_unconfirmed", "pruned"):
        return bool(store.execute("SELECT 1 FROM post_versions WHERE post = ? LIMIT 1", [post.id]))
    return earlier.state == "edited"


def _as_edited(post: Post) -> Post:
    return replace(post, state="edited") if post.state == "live" else post


def _known_posts(store: Store, ids: Sequence[str]) -> tuple[dict[str, _Known], set[str]]:
    """Those of these posts that are stored, and those that were taken back."""
    import pyarrow as pa

    store.connection.register("wanted", pa.table({"id": sorted(set(ids))}))
    try:
        rows = store.execute(
            "SELECT p.id, p.body_hash, p.version, p.edited, p.first_seen, p.state, p.plain_version FROM posts p JOIN wanted w ON p.id = w.id"
        )
        buried = {row[0] for row in store.execute("SELECT t.post FROM tombstones t JOIN wanted w ON t.post = w.id")}
    finally:
        store._forget("wanted")
    return {row[0]: _Known(*row[1:]) for row in rows}, buried


def _store_versions(store: Store, seen: str, versions: Sequence[tuple[Post | None, str, _Known]]) -> None:
    for post, post_id, known in versions:
        if post is None:  # the stored body is the older one
            store.execute(
                "INSERT OR IGNORE INTO post_versions SELECT id, body_hash, version, edited, format, body, first_seen FROM posts WHERE id = ?",
                [post_id],
            )
        else:
            store.execute(
                "INSERT OR IGNORE INTO post_versions VALUES (?, ?, ?, ?, ?, ?, ?)",
                [post_id, body_hash(post.body), post.version, post.edited, post.format, storable(post.body), known.first_seen or seen],
            )


def _store_posts(store: Store, source: str, seen: str, rows: Sequence[tuple[Post, _Known]], plains: Plains) -> list[Reject]:
    import pyarrow as pa

    if not rows:
        return []
    posts, knowns = zip(*rows, strict=True)
    bodies = [(storable(post.body), post.format) for post in posts]
    read = [plains.get(body) or plain_row(*body) for body in bodies]
    columns: dict[str, pa.Array] = {
        name: pa.array(map(attrgetter(name), posts), pa.string())
        for name in ("id", "source", "thread", "author", "created", "format", "permalink", "edited", "reply_to", "state", "kind")
    }
    columns |= {name: pa.array(map(attrgetter(name), posts), pa.int32()) for name in ("number", "version", "likes")}
    columns |= {
        "body": pa.array([body for body, _ in bodies]),
        "body_hash": pa.array([known.body_hash for known in knowns]),
        "plain": pa.array([row.text for row in read]),
        "blocks": pa.array([row.blocks for row in read]),
        "offsets": pa.array([row.offsets for row in read], pa.binary()),
        "plain_version": pa.array([PLAIN_VERSION] * len(rows)),
        "first_seen": pa.array([known.first_seen for known in knowns]),
        "last_seen": pa.array([seen] * len(rows)),
    }
    store.upsert("posts", pa.table(columns))
    return [reject for post, row in zip(posts, read, strict=True) if (reject := _reading_reject(source, post, row))]


def _reading_reject(source: str, post: Post, row: PlainRow) -> Reject | None:
    """What is to be told of a post whose body was not read, or not to its end."""
    if row.trouble:
        return Reject(source, post.id, "post that cannot be read", f"{row.trouble}; the body is stored, without plain text")
    if row.truncated:
        return Reject(source, post.id, "post read only in part", f"{len(post.body):,} characters; the whole body is stored")
    return None


def _note_missing(store: Store, rosters: Sequence[Any]) -> None:
    """A post gone from its thread is unconfirmed the first time and pruned the second; one that is back is live."""
    import pyarrow as pa

    while rosters:  # one roster of each thread at a time: two in a batch are two observations
        present = {roster.thread: set(roster.posts) for roster in reversed(rosters)}
        firsts = {roster.thread: roster for roster in reversed(rosters)}
        rosters = [roster for roster in rosters if firsts[roster.thread] is not roster]
        store.connection.register("seen_threads", pa.table({"thread": list(present)}))
        try:
            rows = store.execute(
                "SELECT p.id, p.thread, p.state FROM posts p SEMI JOIN seen_threads s ON p.thread = s.thread "
                "WHERE p.state NOT IN ('author_deleted','moderated') ORDER BY p.id"
            )
        finally:
            store._forget("seen_threads")
        for post, thread, state in rows:
            _note_presence(store, post, state, post in present[thread])


def _note_presence(store: Store, post: str, state: str, here: bool) -> None:
    if here:
        if state in ("missing_unconfirmed", "pruned"):
            store.execute("UPDATE posts SET state = CASE WHEN version > 1 THEN 'edited' ELSE 'live' END WHERE id = ?", [post])
    elif state == "missing_unconfirmed":
        store.execute("UPDATE posts SET state = 'pruned' WHERE id = ?", [post])
    elif state != "pruned":
        store.execute("UPDATE posts SET state = 'missing_unconfirmed' WHERE id = ?", [post])


def bury(store: Store, seen: str, tombstones: Sequence[Tombstone]) -> None:
    """Word that a post is gone: its text goes from the store, in every version; that it was there stays known."""
    for stone in tombstones:
        store.execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?)", [stone.post, stone.state, stone.reason, seen])
        store.execute(
            "UPDATE posts SET state = ?, body = '', likes = 0, plain = '', blocks = '[]', offsets = ''::BLOB WHERE id = ?",
            [stone.state, stone.post],
        )
        store.execute("DELETE FROM post_versions WHERE post = ?", [stone.post])
        store.execute("DELETE FROM post_masks WHERE post = ?", [stone.post])
        store.execute("UPDATE threads SET title = '' WHERE id = ?", [stone.post])  # where a thread has its first post's words for a title
        store.execute("DELETE FROM reactions WHERE post = ?", [stone.post])
        store.execute("DELETE FROM kept_passages WHERE post = ?", [stone.post])
        store.execute("DELETE FROM llm_answers WHERE thread IN (SELECT thread FROM posts WHERE id = ?)", [stone.post])


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post as the distiller reads it: plain text and blocks."""

    id: str
    thread: str
    number: int | None
    author: str
    handle: str
    created: str
    permalink: str
    reply_to: str | None
    likes: int
    staff: bool
    plain: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class StoredThread:
    id: str
    source: str
    title: str
    created: str
    permalink: str
    category: str
    tags: tuple[str, ...]
    accepted_post: str | None
    posts: tuple[StoredPost, ...]


def thread_hashes(store: Store) -> dict[str, str]:
    """For each thread with readable posts: a hash of all that distilling it depends on."""
    refresh_masks(store)
    return dict(
        store.execute(
            "SELECT t.id, sha256(t.title || chr(10) || coalesce(t.accepted_post, '') || chr(10) || string_agg("
            "p.id || ' ' || p.body_hash || ' ' || p.state || ' ' || p.author || ' ' || a.handle || ' ' || p.created || ' ' || p.plain_version || ' ' || coalesce(p.reply_to, '') || coalesce(' masked ' || m.plain_digest, ''), "
            "chr(10) ORDER BY p.number, p.created, p.id)) FROM threads t JOIN posts p ON p.thread = t.id JOIN authors a ON a.id = p.author "
            f"{JOIN_MASKS} WHERE {READABLE.replace('state', 'p.state').replace('kind', 'p.kind').replace('plain <>', 'p.plain <>')} "
            "GROUP BY t.id, t.title, t.accepted_post ORDER BY t.id"
        )
    )


def read_threads(store: Store, ids: Iterable[str]) -> list[StoredThread]:
    """Threads with their readable posts in order, in the order of `ids`. Personal data in them is masked (index/private.py)."""
    import pyarrow as pa

    hide = mask_of(store)
    ids = list(ids)
    store.connection.register("wanted", pa.table({"id": pa.array(ids, pa.string())}))
    try:
        heads = {
            row["id"]: row
            for row in store.rows(
                "SELECT t.id, t.source, t.title, t.created, t.permalink, t.category, t.tags, t.accepted_post FROM threads t JOIN wanted w ON t.id = w.id"
            )
        }
        posts: dict[str, list[StoredPost]] = {}
        for row in store.rows(
            "SELECT p.id, p.thread, p.number, p.author, a.handle, p.created, p.permalink, p.reply_to, p.likes, a.staff, "
            f"{MASKED_PLAIN} AS plain, p.blocks FROM posts p JOIN wanted w ON p.thread = w.id JOIN authors a ON a.id = p.author {JOIN_MASKS} "
            "WHERE p.state NOT IN ('author_deleted', 'moderated', 'pruned') AND p.kind = 'post' AND p.plain <> '' ORDER BY p.thread, p.number, p.created, p.id"
        ):
            posts.setdefault(row["thread"], []).append(StoredPost(**{**row, "blocks": blocks_from_json(row["blocks"])}))
    finally:
        store._forget("wanted")
    return [
        StoredThread(**{**heads[i], "title": hide(heads[i]["title"]), "tags": tuple(heads[i]["tags"])}, posts=tuple(posts.get(i, ())))
        for i in ids
        if i in heads
    ]


def forget_rejects(store: Store, source: str, reason: str = "") -> None:
    """Before a source is read again: what was left out of it, for reasons that begin like this."""
    store.execute("DELETE FROM rejects WHERE source = ? AND starts_with(reason, ?)", [source, reason])


def unconfirmed_threads(store: Store, source: str) -> list[str]:
    """Threads where a post was missing at the last look: it counts as gone when a second look misses it, too."""
    return [
        row[0]
        for row in store.execute(
            "SELECT DISTINCT thread FROM posts WHERE source = ? AND state = 'missing_unconfirmed' ORDER BY thread", [source]
        )
    ]


def source_of_post(store: Store, post: str) -> str | None:
    rows = store.execute("SELECT source FROM posts WHERE id = ?", [post])
    return str(rows[0][0]) if rows else None


def gone(store: Store) -> int:
    """How many posts were taken back."""
    return int(store.execute("SELECT count(*) FROM posts WHERE state IN ('author_deleted', 'moderated')")[0][0])


def reject_counts(store: Store) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT source, reason, count(*) AS count, min(place) AS example FROM rejects GROUP BY source, reason ORDER BY source, count DESC, reason"
    )


def post_counts(store: Store) -> dict[str, dict[str, int]]:
    """Per source: threads, posts and their states."""
    rows = store.rows(
        "SELECT source, count(*) AS posts, count(DISTINCT thread) AS threads, count(DISTINCT author) AS authors, "
        "count(*) FILTER (state = 'edited') AS edited, count(*) FILTER (state IN ('author_deleted','moderated','pruned')) AS gone, "
        "count(*) FILTER (state = 'missing_unconfirmed') AS missing FROM posts GROUP BY source ORDER BY source"
    )
    return {row.pop("source"): row for row in rows}
