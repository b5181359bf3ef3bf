"""Words taken back at somebody's request: as if the network had told it, and at once in the raw archive too."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.pipeline import load_waiting
from crawler.rawfiles import redact
from index import tables_discussion as tables
from index.errors import UsageError
from index.records import Tombstone, Vanish
from index.spool import load_spool, write_batch
from index.store import Store, now
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Forgotten:
    what: str
    posts: int  # whose words are gone from the store
    raw_answers: int  # that were changed or dropped


def forget_author(workspace: Workspace, store: Store, author: str, source: str, reason: str) -> Forgotten:
    """All that an author wrote up to now: posts, versions, reactions, name; what they write later is read again."""
    return _forget(workspace, store, author, source, Vanish(author, now(), reason))


def forget_post(workspace: Workspace, store: Store, post: str, reason: str) -> Forgotten:
    """One post. Raises UsageError where there is none of this id."""
    source = tables.source_of_post(store, post)
    if source is None:
        raise UsageError(f"there is no post {post!r}", "give its full id, as `precipitate show` and exports write it")
    return _forget(workspace, store, post, source, Tombstone(post, "author_deleted", reason))


def _forget(workspace: Workspace, store: Store, what: str, source: str, word: Tombstone | Vanish) -> Forgotten:
    load_waiting(workspace, store)
    before = tables.gone(store)
    write_batch(workspace.spool, source, [word], {})
    for _ in load_spool(workspace.spool, store):
        pass
    return Forgotten(what, tables.gone(store) - before, redact(workspace, store, tables.sources(store)))
