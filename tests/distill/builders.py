"""Threads, scored posts and drafts made by hand, without any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from distill.drafts import pack
from distill.frames import read_frame
from distill.passages import read_post, read_thread
from distill.scoring import ScoredPost, ScoredThread
from index.plain import derive
from index.records import PostFormat
from index.tables_discussion import StoredPost, StoredThread

SOURCE = "discourse:forum.example.org"


def stored(body: str, number: int = 1, author: str = "ann", format: PostFormat = "raw", thread: int = 1) -> StoredPost:
    plain = derive(body, format)
    return StoredPost(
        f"{SOURCE}/p/{thread}{number:02d}", f"{SOURCE}/t/{thread}", number, f"{SOURCE}/u/{author}", author, f"2024-05-{number:02d}T10:00:00Z",
        f"https://forum.example.org/t/{thread}/{number}", None, 0, False, plain.text, plain.blocks,
    )  # fmt: skip


def texts(body: str, format: PostFormat = "raw") -> list[str]:
    return [" ".join(p.text.split()) for p in read_post(stored(body, format=format), 0).passages]


def scored(*bodies: str, authors: Sequence[str] = ()) -> ScoredThread:
    """A thread whose passages all are as sure as can be."""
    names = authors or [f"author{n}" for n in range(len(bodies))]
    posts = tuple(stored(body, n + 1, names[n]) for n, body in enumerate(bodies))
    read = read_thread(StoredThread(f"{SOURCE}/t/1", SOURCE, "How to plant", "2024-05-01T10:00:00Z", "", "", (), None, posts))
    made = tuple(
        ScoredPost(
            post,
            tuple(read_frame(p.text) for p in post.passages),
            *[(9000,) * len(post.passages)] * 3,
            np.zeros((len(post.passages), 1)),
        )
        for post in read.posts
    )
    return ScoredThread(read, made, 1, ())


def axis(number: int) -> np.ndarray:
    """Unit vectors that have nothing in common."""
    vector = np.zeros(64, dtype=np.int8)
    vector[number] = 127
    return vector


def between(a: int, b: int, share: float) -> np.ndarray:
    """A vector whose cosine with axis(a) is `share`, the rest along axis(b)."""
    return np.rint(share * axis(a) + (1 - share**2) ** 0.5 * axis(b).astype(float)).astype(np.int8)


def draft(
    thread: int,
    day: int,
    steps: Sequence[np.ndarray],
    goal: np.ndarray,
    verbs: Sequence[str] = (),
    author: str = "ann",
    words: str = "Do thing",
) -> dict[str, Any]:
    written = []
    for n, _ in enumerate(steps, 1):
        exact = f"{words} {n}."
        citation = {
            "role": "states", "post": f"{SOURCE}/p/{thread}", "thread": f"{SOURCE}/t/{thread}", "number": 1, "author": f"{SOURCE}/u/{author}",
            "handle": author, "permalink": f"https://forum.example.org/t/{thread}/1", "created": f"2024-05-{day:02d}T10:00:00Z",
            "start": n * 100, "end": n * 100 + len(exact), "exact": exact,
        }  # fmt: skip
        written.append({
            "n": n, "text": exact.rstrip("."), "previous_text": None, "actor": None, "condition": None, "after": [], "optional": False, "flags": [],
            "citations": [citation], "support": 0, "dissent": 0, "supporters": [], "dissenters": [],
            "first_said_by": f"{SOURCE}/u/{author}", "first_said_in": f"{SOURCE}/p/{thread}",
        })  # fmt: skip
    return {
        "thread": f"{SOURCE}/t/{thread}", "source": SOURCE, "title": "Plant", "goal": "Plant", "steps": written, "stances": [],
        "goal_vector": pack(goal), "step_vectors": [pack(v) for v in steps], "step_verbs": list(verbs) or [""] * len(steps),
    }  # fmt: skip


def floats_in(value: Any) -> list[float]:
    if isinstance(value, float):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [found for child in children for found in floats_in(child)]
