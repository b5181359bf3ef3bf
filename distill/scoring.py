"""Scores for the passages of a thread: linear first, the encoder only for what is still uncertain.

The cascade: every passage gets the cheap linear score. A thread in which nothing comes near a step ends there. In the
others the few passages that look most like steps are encoded; only where these promise something does the rest climb.
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

CLIMB_BP = 150  # of the cheap score: what is below is never encoded
HOPELESS_BP = 400  # of the thread's third best cheap score: below, nothing is
SCOUTS = 8  # passages that are encoded first
MOST_CLIMBING = 40  # passages of one thread that are encoded at all
PROMISING_BP = 1800  # mean of the four surest scouts from which the rest is encoded
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
    """Every passage's scores; only what may be a step costs an embedding. A thread's texts are encoded apart from those
    of other threads, so that its scores do not depend on what else is being worked on."""
    frames = tuple(tuple(read_frames(post)) for post in thread.posts)
    inputs = tuple(see(thread, post, frame) for post, frame in zip(thread.posts, frames, strict=True))
    cheap = [scorers.cheap.margins(words, numbers) for words, numbers in inputs]
    surety = sorted(((bp, -n, -i) for n, row in enumerate(cheap) for i, bp in enumerate(to_bp(row))), reverse=True)
    climbing = [(-n, -i) for bp, n, i in surety if bp >= CLIMB_BP][:MOST_CLIMBING]
    vectors: dict[tuple[int, int], Vectors] = {}
    if len(surety) >= 3 and surety[2][0] >= HOPELESS_BP:
        scouts = _Encoded.of(climbing[:SCOUTS], thread, inputs, encode)
        vectors |= scouts.vectors
        first = sorted(to_bp(scorers.full.margins(*scouts.seen())), reverse=True)[:4]
        if sum(first) >= 4 * PROMISING_BP and len(climbing) > SCOUTS:
            vectors |= _Encoded.of(climbing[SCOUTS:], thread, inputs, encode).vectors
    posts = [
        _scored_post(post, cheap[n], inputs[n], frames[n], {i: row for (m, i), row in vectors.items() if m == n}, scorers)
        for n, post in enumerate(thread.posts)
    ]
    return ScoredThread(thread, tuple(posts), len(vectors), inputs)


@dataclass(frozen=True, slots=True)
class _Encoded:
    places: list[tuple[int, int]]  # (post, passage)
    inputs: tuple[tuple[list[list[int]], Floats], ...]
    rows: Vectors

    @classmethod
    def of(
        cls, places: list[tuple[int, int]], thread: ReadThread, inputs: tuple[tuple[list[list[int]], Floats], ...], encode: Encode
    ) -> _Encoded:
        return cls(places, inputs, encode([thread.posts[n].passages[i].text for n, i in places]))

    @property
    def vectors(self) -> dict[tuple[int, int], Vectors]:
        return {place: self.rows[row] for row, place in enumerate(self.places)}

    def seen(self) -> tuple[list[list[int]], Floats, Vectors]:
        import numpy as np

        return [self.inputs[n][0][i] for n, i in self.places], np.array([self.inputs[n][1][i] for n, i in self.places]), self.rows


def _scored_post(
    post: ReadPost,
    cheap: Floats,
    seen: tuple[list[list[int]], Floats],
    frames: tuple[Frame | None, ...],
    held: dict[int, Vectors],
    scorers: Scorers,
) -> ScoredPost:
    import numpy as np

    words, numbers = seen
    overall, inside = cheap.copy(), np.full(len(cheap), NOT_ENCODED)
    if held:
        places = sorted(held)
        chosen, rows = [words[i] for i in places], np.array([held[i] for i in places])
        overall[places] = scorers.full.margins(chosen, numbers[places], rows)
        inside[places] = scorers.inside.margins(chosen, numbers[places], rows)
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
