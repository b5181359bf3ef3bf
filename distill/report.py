"""What is kept of how a thread was read, for whoever asks why it became an SOP or not. Integers and strings, no words of posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill.amend import distinct_steps
from distill.languages import other_language
from distill.scaffold import Scaffold, acts, scaffold_floor, weight

if TYPE_CHECKING:
    from distill.amend import DraftStep
    from distill.gate import Odds, Verdict
    from distill.passages import ReadThread
    from distill.scoring import ScoredThread
    from index.config import DistillConfig

MOST_SUREST = 12
MOST_RIVALS = 3  # posts told as candidates for the scaffold


def thread_report(
    read: ReadThread,
    scored: ScoredThread | None,
    scaffold: Scaffold | None,
    verdict: Verdict,
    sequences: Sequence[dict[str, Any]],
    config: DistillConfig,
) -> dict[str, Any]:
    """Counts, the surest passages by span, the scaffold beside its rivals, the gate's score with what made it, and the
    sequences that were judged. What never came about (no scaffold, gate not asked) is null."""
    return {
        "posts": len(read.posts),
        "language": "en" if scored else "other",  # only English is scored
        "other_language_posts": sum(other_language(post.post.plain) for post in read.posts),
        "left_out_passages": sum(post.left_out for post in read.posts),
        "min_steps": config.min_steps,
        "threshold_bp": config.thread_threshold_bp,
        "gate_bp": verdict.score_bp,
        "odds": _odds(verdict.odds) if verdict.odds else None,
        "surest": _surest(scored) if scored else [],
        "scaffold": _scaffold(scored, scaffold) if scored and scaffold else None,
        "sequences": list(sequences),
    }


def sequence(scored: ScoredThread, scaffold: Scaffold, steps: Sequence[DraftStep], verdict: Verdict, min_steps: int) -> dict[str, Any]:
    """One post's sequence as it was judged: the span that each distinct step was said at first, and its surety."""
    few = verdict.emitted and distinct_steps(steps) < min_steps
    return {
        "post": scored.posts[scaffold.post].read.post.id,
        "gate_bp": verdict.score_bp,
        "reason": "fewer distinct steps than a procedure has" if few else verdict.reason,
        "steps": [_stated(scored, step) for step in steps],
    }


def _stated(scored: ScoredThread, step: DraftStep) -> dict[str, Any]:
    first = min(step.statements, key=lambda s: (scored.posts[s.place.post].read.post.created, s.sort_key()))
    passage = scored.posts[first.place.post].passage(first.place.passage)
    return {"post": passage.post, "start": passage.start + first.clause.start, "end": passage.start + first.clause.end, "bp": step.bp}


def _odds(odds: Odds) -> dict[str, Any]:
    told = [{"fact": fact, "adds": adds, "above": above} for fact, adds, above in odds.told]
    return {"total": odds.total, "start": odds.start, "rest": odds.rest, "facts": told}


def _surest(scored: ScoredThread) -> list[dict[str, Any]]:
    """`bp`: how surely a step is here, seen from the whole forum; `step_bp`: given that the post holds a procedure."""
    found = [
        (bp, step_bp, post.read.post.id, passage)
        for post in scored.posts
        for bp, step_bp, passage in zip(post.bp, post.step_bp, post.read.passages, strict=True)
    ]
    found.sort(key=lambda f: (-f[0], f[2], f[3].start))
    return [
        {"post": post, "start": passage.start, "end": passage.end, "bp": bp, "step_bp": step_bp}
        for bp, step_bp, post, passage in found[:MOST_SUREST]
    ]


def _scaffold(scored: ScoredThread, scaffold: Scaffold) -> dict[str, Any]:
    """The post taken as skeleton, and the posts that came nearest to it: the sum of the surest passages decides."""
    posts = scored.posts
    best = sorted(range(len(posts)), key=lambda i: (-weight(posts[i]), i))[:MOST_RIVALS]
    return {
        "post": posts[scaffold.post].read.post.id,
        "steps": len(scaffold.steps),
        "added": len(scaffold.added),
        "candidates": [
            {
                "post": posts[i].read.post.id,
                "weight": weight(posts[i]),
                "steps": sum(bp >= scaffold_floor(posts[i]) and acts(posts[i], place) for place, bp in enumerate(posts[i].step_bp)),
            }
            for i in best
        ],
    }
