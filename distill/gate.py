"""The coherence gate: is the draft a procedure? If not, the reason is stored. Most threads hold none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.scaffold import Place, Scaffold
from distill.scorers import Scorers, to_bp
from distill.scoring import ScoredThread

if TYPE_CHECKING:
    from collections.abc import Sequence

THREAD_FACTS = (
    "weight", "top3", "top5", "window3", "window5", "window8", "steps", "log_steps", "mean", "items", "thread_top5", "thread_top10",
    "share_over", "log_passages", "log_posts", "opening_post", "in_scaffold", "imperative", "obligation", "statement", "no_frame",
    "first_person", "ordered", "agenda", "howto_title", "about_title", "negated", "one_author_thread", "spread", "question_share",
)  # fmt: skip

_AGENDA = re.compile(r"\b(?:agenda|meeting|call #?\d|acd[cet]?|breakout|notes|minutes|recap|roundup|release|election|nominations?|EIP-?\d+|ERC-?\d+|about the)\b", re.I)
_HOWTO = re.compile(r"\b(?:how|guide|process|procedure|instructions?|steps?|setting up|set up|tutorial|workflow|guidelines?|best practices?|framework|help|problem|error|issue)\b", re.I)
_ABOUT = re.compile(r"\b(?:proposal|update|announc\w+|introducing|discussion|feedback|thoughts|report|review)\b", re.I)


@dataclass(frozen=True, slots=True)
class Verdict:
    emitted: bool
    score_bp: int
    reason: str  # countable; "" when emitted


def thread_facts(scored: ScoredThread, scaffold: Scaffold, places: Sequence[Place]) -> list[float]:
    """What the gate sees of a draft, in the order of THREAD_FACTS; all from quantised scores."""
    import math

    posts = scored.posts
    home = posts[scaffold.post]
    bp = list(home.bp)
    best = sorted(bp, reverse=True)
    every = scored.top_bp
    chosen = [posts[p.post].bp[p.passage] for p in places]
    frames = [posts[p.post].frames[p.passage] for p in places]
    passages = [posts[p.post].passage(p.passage) for p in places]
    count = max(1, len(places))
    title = scored.read.thread.title

    def mean(values: Sequence[int]) -> float:
        return sum(values) / len(values) / 10_000 if values else 0.0

    def window(width: int) -> float:
        return max((mean(bp[i : i + width]) for i in range(max(1, len(bp) - width + 1))), default=0.0)

    def share(modality: str) -> float:
        return sum(f is not None and f.modality == modality for f in frames) / count

    inside = [p.passage for p in places if p.post == scaffold.post]
    return [
        sum(max(0, x - 1500) for x in best[:10]) / 10_000, mean(best[:3]), mean(best[:5]), window(3), window(5), window(8),
        float(len(places)), math.log1p(len(places)), mean(chosen), sum(p.kind == "item" for p in passages) / count, mean(every[:5]),
        mean(every[:10]), sum(x > 3000 for x in every) / max(1, len(every)), math.log(max(1, len(every))), math.log(max(1, len(posts))),
        float(scaffold.post == 0), len(inside) / count, share("imperative"), share("obligation"), share("statement"),
        sum(f is None for f in frames) / count, sum(bool(f and f.actor and f.actor.lower() in ("i", "we")) for f in frames) / count,
        sum(p.ordered for p in passages) / count, float(bool(_AGENDA.search(title))), float(bool(_HOWTO.search(title))),
        float(bool(_ABOUT.search(title))), sum(bool(f and f.negated) for f in frames) / count,
        float(len({p.read.post.author for p in posts}) == 1), (len(inside) / (max(inside) - min(inside) + 1)) if inside else 0.0,
        sum("?" in p.text for p in passages) / count,
    ]  # fmt: skip


def judge(scored: ScoredThread, scaffold: Scaffold | None, places: Sequence[Place], scorers: Scorers, min_steps: int, threshold_bp: int) -> Verdict:
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
    if score < threshold_bp:
        return Verdict(False, score, "the steps do not make a procedure")
    return Verdict(True, score, "")
