"""Scores for the passages of a thread: linear first, the adapted model only for what is still uncertain.

The cascade: every passage gets the cheap linear score. A thread in which nothing comes near a step ends there. In the
others the windows that look most like steps are read; only where these promise something are the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.features import FACTS, facts, hashed, imperatives_by_list, read_frames
from distill.passages import ReadPost, ReadThread
from distill.scorers import READINGS, Scorers, to_bp
from distill.windows import Window, windows_of
from index.records import Frame, Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Vectors = npt.NDArray[np.int8]
    Encode = Callable[[Sequence[str]], Vectors]
    Inputs = tuple[tuple[list[list[int]], Floats], ...]  # per post: hashed words and facts of its passages
    Read = Callable[[Sequence[Window]], list[Floats]]  # (passages, READINGS) for each window

CLIMB_BP = 150  # of the cheap score: a window without such a passage is never read
HOPELESS_BP = 350  # of the thread's third best cheap score: below, nothing is
SCOUTS = 2  # windows that are read first
MOST_WINDOWS = 12  # of one thread that are read at all
PROMISING_BP = 1200  # mean of the four surest passages of the scouts from which the rest is read
NOT_READ = -6.0  # log-odds of being a step inside a procedure for a passage that was not read


@dataclass(frozen=True, slots=True)
class Model:
    """What the pipeline asks of the sentence model: the meaning of texts, and how passages read in their context."""

    encode: Encode
    read: Read


@dataclass(frozen=True, slots=True)
class ScoredPost:
    read: ReadPost
    frames: tuple[Frame | None, ...]
    bp: tuple[int, ...]  # how surely there is a procedure's step here, seen from the whole forum
    step_bp: tuple[int, ...]  # how surely the passage is a step, given that its post holds a procedure
    home_bp: tuple[int, ...]  # how surely the passage's window holds several steps; 0 where it was not read
    facts: Floats  # (passages, FACTS)

    def passage(self, place: int) -> Passage:
        return self.read.passages[place]


@dataclass(frozen=True, slots=True)
class ScoredThread:
    read: ReadThread
    posts: tuple[ScoredPost, ...]
    passages_read: int  # by the adapted model
    inputs: Inputs  # what the scorers saw, for the stance scorers

    @property
    def top_bp(self) -> list[int]:
        return sorted((bp for post in self.posts for bp in post.bp), reverse=True)


def score_thread(thread: ReadThread, scorers: Scorers, read: Read) -> ScoredThread:
    """Every passage's scores; only what may be a step costs a reading. A thread's windows are read apart from those of
    other threads, so that its scores do not depend on what else is being worked on."""
    frames = tuple(tuple(read_frames(post)) for post in thread.posts)
    inputs = tuple(see(thread, post, frame) for post, frame in zip(thread.posts, frames, strict=True))
    return score_seen(thread, frames, inputs, scorers, read)


def score_seen(
    thread: ReadThread, frames: Sequence[tuple[Frame | None, ...]], inputs: Inputs, scorers: Scorers, read: Read
) -> ScoredThread:
    cheap = [scorers.cheap.margins(words, numbers) for words, numbers in inputs]
    readings: dict[tuple[int, int], Floats] = {}
    climbing = _climbing(thread, [to_bp(row) for row in cheap])
    for part in (climbing[:SCOUTS], climbing[SCOUTS:]):
        for window, rows in zip(part, read(part) if part else [], strict=True):
            readings |= {(window.post, place): rows[row] for row, place in enumerate(window.places)}
        if not _promising(readings, inputs, scorers):
            break
    posts = [
        _scored_post(post, cheap[n], inputs[n], frames[n], {i: row for (m, i), row in readings.items() if m == n}, scorers)
        for n, post in enumerate(thread.posts)
    ]
    return ScoredThread(thread, tuple(posts), len(readings), inputs)


def _climbing(thread: ReadThread, cheap: Sequence[Sequence[int]]) -> list[Window]:
    """The windows worth reading, the most hopeful first; none where the whole thread is hopeless."""
    surest = sorted((bp for row in cheap for bp in row), reverse=True)[:3]
    if len(surest) < 3 or surest[2] < HOPELESS_BP:
        return []
    worth: list[tuple[int, int, int, Window]] = []
    for post in thread.posts:
        row = cheap[post.number]
        if max(row, default=0) >= CLIMB_BP:
            for window in windows_of(thread, post):
                best = sorted((row[place] for place in window.places), reverse=True)[:3]
                if best[0] >= CLIMB_BP:
                    worth.append((-sum(best), window.post, window.first, window))
    return [window for _, _, _, window in sorted(worth, key=lambda w: w[:3])[:MOST_WINDOWS]]


def _promising(readings: dict[tuple[int, int], Floats], inputs: Inputs, scorers: Scorers) -> bool:
    import numpy as np

    if not readings:
        return False
    words = [inputs[n][0][i] for n, i in readings]
    margins = scorers.full.margins(words, np.array([inputs[n][1][i] for n, i in readings]), np.array(list(readings.values())))
    return sum(sorted(to_bp(margins), reverse=True)[:4]) >= 4 * PROMISING_BP


def _scored_post(
    post: ReadPost,
    cheap: Floats,
    seen: tuple[list[list[int]], Floats],
    frames: tuple[Frame | None, ...],
    held: dict[int, Floats],
    scorers: Scorers,
) -> ScoredPost:
    import numpy as np

    words, numbers = seen
    overall, inside, home = cheap.copy(), np.full(len(cheap), NOT_READ), [0] * len(cheap)
    if held:
        places = sorted(held)
        chosen, rows = [words[i] for i in places], np.array([held[i] for i in places])
        overall[places] = scorers.full.margins(chosen, numbers[places], rows)
        inside[places] = scorers.inside.margins(chosen, numbers[places], rows)
        for place, bp in zip(places, to_bp(rows[:, READINGS.index("home")]), strict=True):
            home[place] = bp
    return ScoredPost(post, frames, tuple(to_bp(overall)), tuple(to_bp(inside)), tuple(home), numbers)


def see(thread: ReadThread, post: ReadPost, frames: Sequence[Frame | None]) -> tuple[list[list[int]], Floats]:
    """What the scorers see of a post: hashed words per passage and facts of shape (passages, FACTS)."""
    import numpy as np

    imperatives = imperatives_by_list(post, frames)
    words = [hashed(passage, context, frame) for passage, context, frame in zip(post.passages, post.contexts, frames, strict=True)]
    rows = [facts(thread, post, i, frames[i], imperatives.get(p.list_id, 0) if p.list_id != -1 else 0) for i, p in enumerate(post.passages)]
    return words, np.array(rows, dtype=np.float64).reshape(len(rows), len(FACTS))
