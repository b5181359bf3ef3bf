"""A distiller of a few lines, for tests of what comes after: every list of three items and more is an SOP.

Its vectors are of letters, not of meaning; its citations are exact. It needs no model, so a test takes no second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distill.versions import version_id
from index.config import Config
from index.embed import DIMENSIONS
from index.store import Store
from index.tables_discussion import StoredPost, StoredThread, read_threads, thread_hashes
from index.tables_procedures import KeptPassage, StoredProcedure, ThreadWork, save_procedures, save_work, work_hashes

MODEL = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class ToyReport:
    threads: int
    changed: int
    procedures: int
    abstained: int
    costs: dict[str, tuple[int, int]]


def distill(store: Store, config: Config, progress: Callable[[str, int, int | None], None]) -> ToyReport:
    hashes, known = thread_hashes(store), work_hashes(store)
    changed = [thread for thread in hashes if known.get(thread) != hashes[thread]]
    threads = read_threads(store, hashes)
    found = [record for thread in threads if (record := _record(thread)) is not None]
    save_work(store, [_work(thread, hashes[thread.id]) for thread in threads if thread.id in set(changed)])
    with store.transaction():
        save_procedures(store, [StoredProcedure(r["id"], 1, r["version_id"], r, vector(r["title"])) for r in found])
    progress("distill", len(threads), len(threads))
    return ToyReport(len(threads), len(changed), len(found), len(threads) - len(found), {"toy": (len(changed), 1)})


def vector(text: str) -> bytes:
    """How often each letter occurs: near where the letters are near."""
    counts = [text.casefold().count(chr(97 + i)) for i in range(26)]
    return bytes(min(c * 10, 127) for c in counts) + bytes(DIMENSIONS - 26)


def _list(thread: StoredThread) -> tuple[StoredPost, list[tuple[int, int]]] | None:
    for post in thread.posts:
        items = [(block.start, block.end) for block in post.blocks if block.kind == "item" and block.list_id == 0]
        if len(items) >= 3:
            return post, items
    return None


def _record(thread: StoredThread) -> dict[str, Any] | None:
    found = _list(thread)
    if found is None:
        return None
    post, items = found
    steps = [_step(n, post, thread, start, end) for n, (start, end) in enumerate(items, start=1)]
    digest = version_id(thread.title, steps)
    return {
        "schema": "precipitate/procedure/1",
        "id": "sop-" + hashlib.sha256(thread.id.encode()).hexdigest()[:12],
        "version": 1,
        "version_id": digest,
        "supersedes": None,
        "status": "draft",
        "title": thread.title,
        "goal": thread.title,
        **dict.fromkeys(("purpose", "forked_from")),
        **{name: [] for name in ("preconditions", "roles", "tools", "verification", "stances", "alternatives")},
        "language": "en",
        "ordered": True,
        "steps": steps,
        "sources": [{"source": thread.source, "licence": None}],
        "threads": [thread.id],
        "quality": {"coherence_bp": 5000, "coverage_bp": 5000},
        "generator": {"config": "sha256:toy", "models": [MODEL], "code": "toy", "plain": "plain/1"},
    }


def _step(n: int, post: StoredPost, thread: StoredThread, start: int, end: int) -> dict[str, Any]:
    citation = {
        "role": "states",
        "post": post.id,
        "thread": thread.id,
        "number": post.number,
        "author": post.author,
        "handle": post.handle,
        "permalink": post.permalink,
        "created": post.created,
        "start": start,
        "end": end,
        "exact": post.plain[start:end],
    }
    return {
        **{"n": n, "text": post.plain[start:end], "previous_text": None, "actor": None, "condition": None, "after": [], "optional": False},
        **{"flags": [], "citations": [citation], "support": 0, "dissent": 0, "first_said_by": post.author, "first_said_in": post.id},
    }


def _work(thread: StoredThread, input_hash: str) -> ThreadWork:
    found = _list(thread)
    post, items = found or (None, [])
    kept = tuple(
        KeptPassage(post.id, thread.id, start, end, post.plain[start:end], 9000, vector(post.plain[start:end]))
        for start, end in items
        if post is not None
    )
    outcome, reason = ("procedures", "") if found else ("abstained", "no list")
    return ThreadWork(thread.id, input_hash, outcome, reason, {"lists": int(bool(found))}, [], len(thread.posts), 0, 1, kept)
