"""The coherence gate: is the draft a procedure? If not, the reason is stored. Most threads hold none."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.scaffold import Place, Scaffold
from distill.scorers import Scorers, to_bp
from distill.scoring import ScoredThread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

THREAD_FACTS = (
    "top3", "top5", "top8", "window3", "window5", "window8", "thread_top5", "thread_top10", "thread_top20", "odds_window3", "odds_window5",
    "odds_window8", "log_steps", "in_scaffold", "log_passages", "log_thread_passages", "log_posts", "opening_post", "step_window5",
    "step_window8", "step_mean", "mean", "thread_mean", "chosen_mean", "agenda", "howto_title", "about_title", "home3", "home8", "home_chosen", "home_thread10",
)  # fmt: skip

_AGENDA = re.compile(
    r"\b(?:agenda|meeting|call #?\d|acd[cet]?|breakout|notes|minutes|recap|roundup|release|election|nominations?|EIP-?\d+|ERC-?\d+|about the)\b",
    re.I,
)
_HOWTO = re.compile(
    r"\b(?:how|guide|process|procedure|instructions?|steps?|setting up|set up|tutorial|workflow|guidelines?|best practices?|framework|help|problem|error|issue)\b",
    re.I,
)
_ABOUT = re.compile(r"\b(?:proposal|update|announc\w+|introducing|discussion|feedback|thoughts|report|review)\b", re.I)


MOST_TOLD = 5  # facts for and facts against that are kept with a verdict


@dataclass(frozen=True, slots=True)
class Odds:
    """What made the gate's score: log-odds × 10,000, where start + told + rest = total and total = ln(p / (1 - p)).

    Facts overlap (the three surest passages are among the five surest), so single ones may pull against each other.
    """

    total: int
    start: int  # of the average labelled thread
    rest: int  # of all facts that are not told
    told: tuple[tuple[str, int, int], ...]  # (fact, what it adds, hundredths of a standard deviation above the average), most first


@dataclass(frozen=True, slots=True)
class Verdict:
    emitted: bool
    score_bp: int
    reason: str  # countable; "" when emitted
    odds: Odds | None = None  # None where the gate was never asked


def thread_facts(scored: ScoredThread, scaffold: Scaffold, places: Sequence[Place]) -> list[float]:
    """What the gate sees of a draft, in the order of THREAD_FACTS; all from quantised scores."""
    home = scored.posts[scaffold.post]
    overall, inside = [bp / 10_000 for bp in home.bp], [bp / 10_000 for bp in home.step_bp]
    odds = [math.log(max(p, 1e-4) / max(1 - p, 1e-4)) for p in overall]
    best = sorted(overall, reverse=True)
    homes = sorted((bp / 10_000 for bp in home.home_bp), reverse=True)
    every = [bp / 10_000 for bp in scored.top_bp]
    chosen = [p.passage for p in places if p.post == scaffold.post]
    title = scored.read.thread.title
    return [
        _padded(best, 3), _padded(best, 5), _padded(best, 8), _window(overall, 3), _window(overall, 5), _window(overall, 8),
        _padded(every, 5), _padded(every, 10), _padded(every, 20), _window(odds, 3), _window(odds, 5), _window(odds, 8),
        math.log1p(len(places)), len(chosen) / max(1, len(places)), math.log(max(1, len(overall))), math.log(max(1, len(every))),
        math.log(max(1, len(scored.posts))), float(scaffold.post == 0), _window(inside, 5), _window(inside, 8), _mean(inside),
        _mean(overall), _mean(every), _mean([inside[i] for i in chosen]), float(bool(_AGENDA.search(title))),
        float(bool(_HOWTO.search(title))), float(bool(_ABOUT.search(title))), _padded(homes, 3), _padded(homes, 8), _mean([home.home_bp[i] / 10_000 for i in chosen]),
        _padded(sorted((bp / 10_000 for post in scored.posts for bp in post.home_bp), reverse=True), 10),
    ]  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _padded(values: Sequence[float], width: int) -> float:
    """Mean of the first `width` values, missing ones counted as nothing."""
    return sum(values[:width]) / width


def _window(values: Sequence[float], width: int) -> float:
    """The best mean of `width` neighbours: steps stand together."""
    return max((_mean(values[i : i + width]) for i in range(max(1, len(values) - width + 1))), default=0.0)


def judge(
    scored: ScoredThread, scaffold: Scaffold | None, places: Sequence[Place], scorers: Scorers, min_steps: int, threshold_bp: int
) -> Verdict:
    """Emit, or abstain with a reason that can be counted."""
    import numpy as np

    if scored.read.passage_count < min_steps:
        return Verdict(False, 0, "fewer passages than a procedure has steps")
    if scaffold is None:
        return Verdict(False, 0, "nothing reads like a step")
    if len(places) < min_steps:
        return Verdict(False, 0, "fewer steps than a procedure has")
    numbers = (np.array(thread_facts(scored, scaffold, places)) - scorers.thread_mean) / scorers.thread_scale
    score = to_bp(np.array([numbers @ scorers.thread[:-1] + scorers.thread[-1]]))[0]
    odds = _odds(numbers, scorers.thread)
    if score < threshold_bp:
        return Verdict(False, score, "the steps do not make a procedure", odds)
    return Verdict(True, score, "", odds)


def _odds(numbers: Floats, weights: Floats) -> Odds:
    """The strongest facts on either side. `numbers`: standardised facts; `weights`: theirs, and the bias last."""
    parts = [round(float(part) * 10_000) for part in numbers * weights[:-1]]
    start, total = round(float(weights[-1]) * 10_000), round(float(numbers @ weights[:-1] + weights[-1]) * 10_000)
    order = sorted(range(len(parts)), key=lambda i: (-parts[i], i))
    chosen = [i for i in order[:MOST_TOLD] if parts[i] > 0] + [i for i in order[: -MOST_TOLD - 1 : -1] if parts[i] < 0]
    told = tuple((THREAD_FACTS[i], parts[i], round(float(numbers[i]) * 100)) for i in chosen)
    return Odds(total, start, total - start - sum(part for _, part, _ in told), told)
