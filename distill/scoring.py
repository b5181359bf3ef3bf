"""Scores for the passages of a thread: linear first, the encoder only for what is still uncertain.

The cascade: every passage gets the cheap linear score. A thread in which nothing comes near a step ends there; in the
others the passages that may be steps, and their neighbours, are encoded and scored again with their vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.features import FACTS, facts, hashed, imperatives_by_list, read_frames
from distill.passages import ReadPost, ReadThread
from distill.scorers import Scorers, to_bp
from index.records import Frame, Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Vectors = npt.NDArray[np.int8]
    Encode = Callable[[Sequence[str]], Vectors]

# Basis points of the cheap score from which a passage is encoded, and the thread's third best below which none is.
CLIMB_BP = 60
HOPELESS_BP = 250
# What a passage keeps of its own score; the rest comes from its two strongest near neighbours. Steps stand together.
OWN_SHARE = 0.7
NOT_ENCODED = -6.0  # log-odds of being a step inside a procedure for a passage that did not climb


@dataclass(frozen=True, slots=True)
class ScoredPost:
    read: ReadPost
    frames: tuple[Frame | None, ...]
    bp: tuple[int, ...]  # how surely there is a procedure's step here, seen from the whole forum
    step_bp: tuple[int, ...]  # how surely the passage is a step, given that its post holds a procedure
    facts: Floats  # (passages, FACTS)
    vectors: dict[int, Vectors]  # int8 row by passage place; only for what was encoded

    def passage(self, place: int) -> Passage:
        return self.read.passages[place]


@dataclass(frozen=True, slots=True)
class ScoredThread:
    read: ReadThread
    posts: tuple[ScoredPost, ...]
    encoded: int  # passages that went through the encoder
    inputs: tuple[tuple[list[list[int]], Floats], ...]  # per post: what the scorers saw, for the stance scorers

    @property
    def top_bp(self) -> list[int]:
        return sorted((bp for post in self.posts for bp in post.bp), reverse=True)


def score_thread(thread: ReadThread, scorers: Scorers, encode: Encode) -> ScoredThread:
    """Every passage's scores; only what may be a step costs an embedding. The thread's texts are encoded in one call,
    so that its scores do not depend on what else is being worked on."""
    frames = tuple(tuple(read_frames(post)) for post in thread.posts)
    inputs = tuple(see(thread, post, frame) for post, frame in zip(thread.posts, frames, strict=True))
    margins = [scorers.cheap.margins(words, numbers) for words, numbers in inputs]
    cheap = [to_bp(row) for row in margins]
    best = sorted((bp for row in cheap for bp in row), reverse=True)
    climbing: list[list[int]] = [[] for _ in thread.posts]
    if len(best) >= 3 and best[2] >= HOPELESS_BP:
        climbing = [[place for place, bp in enumerate(row) if bp >= CLIMB_BP] for row in cheap]
    texts = [post.passages[place].text for post, places in zip(thread.posts, climbing, strict=True) for place in places]
    vectors = encode(texts) if texts else None
    posts: list[ScoredPost] = []
    row = 0
    for post, places, margin, (words, numbers), frame in zip(thread.posts, climbing, margins, inputs, frames, strict=True):
        block = vectors[row : row + len(places)] if vectors is not None else None
        row += len(places)
        posts.append(_scored_post(post, places, margin, words, numbers, frame, block, scorers))
    return ScoredThread(thread, tuple(posts), len(texts), inputs)


def _scored_post(
    post: ReadPost, places: list[int], cheap: Floats, words: list[list[int]], numbers: Floats, frames: tuple[Frame | None, ...],
    vectors: Vectors | None, scorers: Scorers,
) -> ScoredPost:  # fmt: skip
    import numpy as np

    overall, inside = cheap.copy(), np.full(len(cheap), NOT_ENCODED)
    if places and vectors is not None:
        chosen = [words[i] for i in places]
        overall[places] = scorers.full.margins(chosen, numbers[places], vectors)
        inside[places] = scorers.inside.margins(chosen, numbers[places], vectors)
    held = {place: vectors[i] for i, place in enumerate(places)} if vectors is not None else {}
    return ScoredPost(post, frames, tuple(to_bp(lent(overall))), tuple(to_bp(lent(inside))), numbers, held)


def see(thread: ReadThread, post: ReadPost, frames: Sequence[Frame | None]) -> tuple[list[list[int]], Floats]:
    """What the scorers see of a post: hashed words per passage and facts of shape (passages, FACTS)."""
    import numpy as np

    imperatives = imperatives_by_list(post, frames)
    words = [hashed(passage, context, frame) for passage, context, frame in zip(post.passages, post.contexts, frames, strict=True)]
    rows = [facts(thread, post, i, frames[i], imperatives.get(p.list_id, 0) if p.list_id != -1 else 0) for i, p in enumerate(post.passages)]
    return words, np.array(rows, dtype=np.float64).reshape(len(rows), len(FACTS))


def lent(margins: Floats) -> Floats:
    """Each passage's log-odds mixed with the mean of its two strongest neighbours within two places."""
    import numpy as np

    mixed = margins.copy()
    count = len(margins)
    for place in range(count):
        near = [margins[k] for k in (place - 2, place - 1, place + 1, place + 2) if 0 <= k < count]
        if near:
            mixed[place] = OWN_SHARE * margins[place] + (1 - OWN_SHARE) * float(np.mean(sorted(near)[-2:]))
    return mixed

