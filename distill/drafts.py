"""One thread in, its work out: read → score → scaffold → amend → order → gate → draft. A pure function of the thread.

A draft is plain JSON (integers, strings), so that it can lie in the store until procedures are linked across threads.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distill import goals
from distill.amend import DraftStance, DraftStep, Statement, attach_stances, gather_steps, hear_stances, vectors_of
from distill.gate import Verdict, judge
from distill.order import Order, find_order
from distill.passages import ReadThread, read_thread
from distill.scaffold import Place, Scaffold, find_scaffold, find_scaffolds
from distill.scorers import Scorers
from distill.scoring import ScoredThread, score_thread
from distill.spans import Open
from distill.steptext import Clause, step_text
from index.config import DistillConfig
from index.tables_discussion import StoredThread
from index.tables_procedures import KeptPassage, ThreadWork

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.refine import Chosen, Refine
    from distill.scoring import Model

    Vectors = npt.NDArray[np.int8]

MOST_CITATIONS = 4
_ENGLISH = frozenset(
    "the of to and a in is it you that for on with as are this be at or have from not by but what all were we when your can there an which their if will do about how then them would so these has more could".split()
)


def distill_thread(
    thread: StoredThread, input_hash: str, config: DistillConfig, scorers: Scorers, model: Model, refine: Refine | None = None
) -> ThreadWork:
    """The drafts of a thread, or the reason why there are none. `refine`: the language model's say, where one is asked."""
    began = time.thread_time_ns()
    read = read_thread(thread)
    if not speaks_english(read):
        return _work(read, input_hash, began, Verdict(False, 0, "not in English"), None, [], ())
    scored = score_thread(read, scorers, model.read)
    scaffold = find_scaffold(scored)
    places = [*scaffold.steps, *scaffold.added] if scaffold else []
    verdict = judge(scored, scaffold, places, scorers, config.min_steps, config.thread_threshold_bp)
    if not verdict.emitted or scaffold is None:
        return _work(read, input_hash, began, verdict, scored, [], ())
    vectors = vectors_of(scored, sorted(set(places)), model.encode)
    found: list[tuple[Scaffold, list[DraftStep], Verdict]] = []
    for number, part in enumerate(find_scaffolds(scored)):
        own = judge(scored, part, [*part.steps, *part.added], scorers, config.min_steps, config.thread_threshold_bp) if number else verdict
        steps = gather_steps(scored, part, vectors)
        if own.emitted and len(steps) >= config.min_steps:
            found.append((part, steps, own))
    if not found:
        return _work(read, input_hash, began, Verdict(False, verdict.score_bp, "fewer distinct steps than a procedure has"), scored, [], ())
    goal = goals.goal_of(thread.title, _heading(scored, scaffold))
    vector = model.encode([goal])[0]
    taken = {statement.place for _, steps, _ in found for step in steps for statement in step.statements}
    stances = hear_stances(scored, {part.post for part, _, _ in found}, taken, scorers, model.encode)
    chosen: list[Chosen] = []
    if refine is not None:
        refined = refine(Open(scored, found, stances, goal, vectors, model.encode, config.min_steps))
        found, stances, chosen = refined.found, refined.stances, refined.chosen
        if not found:
            return _work(read, input_hash, began, Verdict(False, verdict.score_bp, refined.reason), scored, [], ())
    drafts = []
    for number, (part, steps, own) in enumerate(found):
        others = [step for n, (_, rival, _) in enumerate(found) if n != number for step in rival]
        spoken = attach_stances(scored, part, steps, others, stances, leftover=number == 0)
        choice = chosen[number] if chosen else None
        order = (choice.order if choice else None) or find_order(scored, steps)
        if choice is None or choice.goal == goal:
            drafts.append(_draft(scored, part, steps, spoken, order, own, goal, vector))
        else:
            drafts.append(_draft(scored, part, steps, spoken, order, own, choice.goal, model.encode([choice.goal])[0]))
        if choice and choice.receipt:
            drafts[-1]["refined"] = choice.receipt
    return _work(
        read, input_hash, began, verdict, scored, drafts, _kept(scored, [step for _, steps, _ in found for step in steps], vectors)
    )


def speaks_english(read: ReadThread) -> bool:
    """A thread in another language is said so and left out: its verbs would be misread."""
    words = [w for post in read.posts for w in re.findall(r"[^\W\d_]+", post.post.plain[:2000].lower())][:600]
    return len(words) < 20 or sum(w in _ENGLISH for w in words) * 100 >= len(words) * 12


def _work(
    read: ReadThread,
    input_hash: str,
    began: int,
    verdict: Verdict,
    scored: ScoredThread | None,
    drafts: list[dict[str, Any]],
    kept: tuple[KeptPassage, ...],
) -> ThreadWork:
    top = sorted(
        ((bp, post.read.post.id, post.passage(i)) for post in scored.posts for i, bp in enumerate(post.bp)), key=lambda t: (-t[0], t[1], t[2].start)
    )[:12] if scored else []  # fmt: skip
    report = {
        "gate_bp": verdict.score_bp,
        "posts": len(read.posts),
        "left_out_passages": sum(post.left_out for post in read.posts),
        "surest": [{"post": post, "start": p.start, "end": p.end, "bp": bp} for bp, post, p in top],
    }
    return ThreadWork(
        thread=read.thread.id,
        input_hash=input_hash,
        outcome="procedures" if drafts else "abstained",
        reason=verdict.reason,
        report=report,
        drafts=drafts,
        passages_seen=read.passage_count,
        passages_scored=scored.passages_read if scored else 0,
        micros=(time.thread_time_ns() - began) // 1000,
        kept=kept,
    )


def _heading(scored: ScoredThread, scaffold: Scaffold) -> str:
    return scored.posts[scaffold.post].read.contexts[scaffold.steps[0].passage].heading if scaffold.steps else ""


def _draft(
    scored: ScoredThread,
    scaffold: Scaffold,
    steps: Sequence[DraftStep],
    stances: Sequence[DraftStance],
    order: Order,
    verdict: Verdict,
    goal: str,
    vector: Vectors,
) -> dict[str, Any]:
    thread = scored.read.thread
    home = scored.posts[scaffold.post].read
    used = {s.place.passage for step in steps for s in step.statements if s.place.post == scaffold.post}
    number = {index: place + 1 for place, index in enumerate(order.sequence)}
    written = [_step(scored, steps[index], number[index], order.after[place]) for place, index in enumerate(order.sequence)]
    return {
        "thread": thread.id,
        "source": thread.source,
        "title": goal,
        "goal": goal,
        "purpose": goals.purpose_of(home, used),
        "preconditions": goals.preconditions_of(home, used),
        "roles": sorted({step["actor"] for step in written if step["actor"]}),
        "tools": goals.tools_of([step["text"] for step in written]),
        "verification": goals.checks_of(home, used),
        "ordered": order.ordered,
        "steps": written,
        "stances": [
            {"kind": s.kind, "step": number[s.step] if s.step is not None else None, "citation": _citation(scored, s.place, None)}
            for s in stances
        ],
        "quality": {
            "coherence_bp": sum(step.bp for step in steps) // len(steps),
            "coverage_bp": _coverage(scored, scaffold, used),
            "gate_bp": verdict.score_bp,
        },
        "goal_vector": pack(vector),
        "step_vectors": [pack(steps[index].vector) for index in order.sequence],
        "step_negated": [bool((frame := steps[index].frame) and frame.negated) for index in order.sequence],
        "step_verbs": [frame.verb if (frame := steps[index].frame) else "" for index in order.sequence],
    }


def _coverage(scored: ScoredThread, scaffold: Scaffold, used: set[int]) -> int:
    """Share of the scaffold post's step-like weight that its steps hold."""
    weights = scored.posts[scaffold.post].step_bp
    whole = sum(weights)
    return 10_000 * sum(weights[i] for i in used) // whole if whole else 0


def _step(scored: ScoredThread, step: DraftStep, n: int, after: tuple[int, ...]) -> dict[str, Any]:
    statements = sorted(step.statements, key=lambda s: (_created(scored, s), s.sort_key()))
    # The scaffold's words are the step's text; who said it first is who is credited.
    lead = step.statements[0]
    passage = scored.posts[lead.place.post].passage(lead.place.passage)
    frame = step.frame
    text = step_text(passage.text[lead.clause.start : lead.clause.end], frame)
    first = statements[0]
    first_post = scored.posts[first.place.post].read.post
    voices = {scored.posts[s.place.post].read.post.author for s in statements}
    flags = [*step.flags, "one-voice"] if step.flags and len(voices) == 1 else list(step.flags)
    actor = (
        frame.actor
        if frame
        and frame.actor
        and frame.actor.lower() not in ("you", "we", "i", "it", "this", "that", "they", "one", "there", "which", "who")
        else None
    )
    return {
        "n": n,
        "text": text,
        "previous_text": None,
        "actor": actor,
        "condition": frame.condition if frame else None,
        "after": list(after),
        "optional": bool(frame and frame.optional),
        "flags": flags,
        "citations": [_citation(scored, s.place, s.clause) for s in statements[:MOST_CITATIONS]],
        "support": len(step.supporters - {first_post.author}),
        "dissent": len(step.dissenters - {first_post.author}),
        "supporters": sorted(step.supporters - {first_post.author}),
        "dissenters": sorted(step.dissenters - {first_post.author}),
        "first_said_by": first_post.author,
        "first_said_in": first_post.id,
    }


def _created(scored: ScoredThread, statement: Statement) -> tuple[str, str]:
    post = scored.posts[statement.place.post].read.post
    return (post.created, post.id)


def _citation(scored: ScoredThread, place: Place, clause: Clause | None) -> dict[str, Any]:
    post = scored.posts[place.post].read.post
    passage = scored.posts[place.post].passage(place.passage)
    start = passage.start + (clause.start if clause else 0)
    end = passage.start + clause.end if clause else passage.end
    return {
        "role": "states" if clause else "confirms",
        "post": post.id,
        "thread": post.thread,
        "number": post.number,
        "author": post.author,
        "handle": post.handle,
        "permalink": post.permalink,
        "created": post.created,
        "start": start,
        "end": end,
        "exact": post.plain[start:end],
    }


def _kept(scored: ScoredThread, steps: Sequence[DraftStep], vectors: Mapping[Place, Vectors]) -> tuple[KeptPassage, ...]:
    kept = []
    for place in (statement.place for step in steps for statement in step.statements):
        post = scored.posts[place.post]
        p = post.passage(place.passage)
        kept.append(KeptPassage(p.post, scored.read.thread.id, p.start, p.end, p.text, post.bp[place.passage], vectors[place].tobytes()))
    return tuple(kept)


def pack(vector: Vectors) -> str:
    return base64.b85encode(vector.tobytes()).decode()


def unpack(text: str) -> bytes:
    return base64.b85decode(text)
