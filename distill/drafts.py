"""One thread in, its work out: read → score → scaffold → amend → order → gate → draft. A pure function of the thread.

A draft is plain JSON (integers, strings), so that it can lie in the store until procedures are linked across threads.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distill import goals
from distill.amend import DraftStance, DraftStep, HeardStance, Statement, attach_stances, distinct_steps, gather_steps, vectors_of
from distill.asides import without_asides
from distill.circumstances import actors_of, condition_of, is_optional
from distill.consensus import Vote, consensus
from distill.corrections import Correction, correct_steps, without_renewed
from distill.gate import Verdict, judge
from distill.hearing import Spoken, hear_stances
from distill.languages import other_language, speaks_english
from distill.order import Order, find_order
from distill.passages import ReadThread, read_thread
from distill.report import sequence, thread_report
from distill.scaffold import Place, Scaffold, find_scaffold, find_scaffolds, pruned
from distill.scorers import Scorers
from distill.scoring import ScoredThread, score_thread
from distill.spans import Open
from distill.steptext import Clause, injects, step_text
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


def distill_thread(
    thread: StoredThread, input_hash: str, config: DistillConfig, scorers: Scorers, model: Model, refine: Refine | None = None
) -> ThreadWork:
    """The drafts of a thread, or the reason why there are none. `refine`: the language model's say, where one is asked."""
    began = time.thread_time_ns()
    read = read_thread(thread)
    if not speaks_english([post.post.plain for post in read.posts]):
        return _work(read, input_hash, began, Verdict(False, 0, "not in English"), None, [], (), config)
    read = _in_english(read)
    scored = score_thread(read, scorers, model.read)
    scaffold = find_scaffold(scored)
    places = [*scaffold.steps, *scaffold.added] if scaffold else []
    verdict = judge(scored, scaffold, places, scorers, config.min_steps, config.thread_threshold_bp)
    if not verdict.emitted or scaffold is None:
        return _work(read, input_hash, began, verdict, scored, [], (), config, scaffold)
    vectors = vectors_of(scored, sorted(set(places)), model.encode)
    found: list[tuple[Scaffold, list[DraftStep], Verdict]] = []
    judged: list[dict[str, Any]] = []
    for number, part in enumerate(find_scaffolds(scored)):
        own = judge(scored, part, [*part.steps, *part.added], scorers, config.min_steps, config.thread_threshold_bp) if number else verdict
        part = without_renewed(scored, without_asides(scored, pruned(scored, part, own.score_bp))) if own.emitted else part
        steps = gather_steps(scored, part, vectors)
        judged.append(sequence(scored, part, steps, own, config.min_steps))
        if own.emitted and distinct_steps(steps) >= config.min_steps:
            found.append((part, steps, own))
    if not found:
        few = replace(verdict, emitted=False, reason="fewer distinct steps than a procedure has")
        return _work(read, input_hash, began, few, scored, [], (), config, scaffold, judged)
    goal = _goal(scored, scaffold)
    vector = model.encode([goal])[0]
    taken = sorted({statement.place for _, steps, _ in found for step in steps for statement in step.statements})
    spoken = Spoken(found[0][0].post, {place: vectors[place] for place in taken})
    stances = hear_stances(scored, spoken, {part.post for part, _, _ in found}, model.encode)
    chosen: list[Chosen] = []
    if refine is not None:
        refined = refine(Open(scored, found, stances, goal, vectors, model.encode, config.min_steps))
        found, stances, chosen = refined.found, refined.stances, refined.chosen
        if not found:
            rejected = replace(verdict, emitted=False, reason=refined.reason)
            return _work(read, input_hash, began, rejected, scored, [], (), config, scaffold, judged)
    drafts = _drafts(scored, found, stances, chosen, goal, vector, model)
    kept = _kept(scored, [step for _, steps, _ in found for step in steps], vectors)
    return _work(read, input_hash, began, verdict, scored, drafts, kept, config, scaffold, judged)


def _drafts(
    scored: ScoredThread,
    found: Sequence[tuple[Scaffold, list[DraftStep], Verdict]],
    stances: Sequence[HeardStance],
    chosen: Sequence[Chosen],
    goal: str,
    vector: Vectors,
    model: Model,
) -> list[dict[str, Any]]:
    """A draft for each sequence: stances attached, words corrected, ordered; `chosen` is the language model's say."""
    drafts = []
    for number, (part, steps, own) in enumerate(found):
        others = [step for n, (_, rival, _) in enumerate(found) if n != number for step in rival]
        spoken = attach_stances(scored, part, steps, others, stances, leftover=number == 0)
        corrections = correct_steps(scored, steps, spoken)
        choice = chosen[number] if chosen else None
        order = (choice.order if choice else None) or find_order(scored, steps)
        own_goal, own_vector = goal, vector
        if choice and choice.goal != goal:
            own_goal, own_vector = choice.goal, model.encode([choice.goal])[0]
        drafts.append(_draft(scored, part, steps, spoken, corrections, order, own, own_goal, own_vector))
        place = 1 + sum(other.post < part.post for other, _, _ in found)
        if place > 1 and own_goal == goal:  # what comes later in the thread has its goal, too, and needs a title of its own
            drafts[-1]["title"] = goals.title_of_rival(goal, _heading(scored, part), place)
        if choice and choice.receipt:
            drafts[-1]["refined"] = choice.receipt
    return drafts


def _in_english(read: ReadThread) -> ReadThread:
    """The thread without the words of posts in other languages; the posts stay, so that places keep their numbers."""
    posts = tuple(replace(post, passages=(), contexts=()) if other_language(post.post.plain) else post for post in read.posts)
    return replace(read, posts=posts)


def _work(
    read: ReadThread,
    input_hash: str,
    began: int,
    verdict: Verdict,
    scored: ScoredThread | None,
    drafts: list[dict[str, Any]],
    kept: tuple[KeptPassage, ...],
    config: DistillConfig,
    scaffold: Scaffold | None = None,
    judged: Sequence[dict[str, Any]] = (),
) -> ThreadWork:
    return ThreadWork(
        thread=read.thread.id,
        input_hash=input_hash,
        outcome="procedures" if drafts else "abstained",
        reason=verdict.reason,
        report=thread_report(read, scored, scaffold, verdict, judged, config),
        drafts=drafts,
        passages_seen=read.passage_count,
        passages_scored=scored.passages_read if scored else 0,
        micros=(time.thread_time_ns() - began) // 1000,
        kept=kept,
    )


def _goal(scored: ScoredThread, scaffold: Scaffold) -> str:
    """Title and heading as a goal; words that are aimed at the reading program are none, then the first step has to do."""
    title, heading = ("" if injects(text) else text for text in (scored.read.thread.title, _heading(scored, scaffold)))
    return goals.goal_of(title, heading) or goals.goal_of(scored.posts[scaffold.post].passage(scaffold.steps[0].passage).text, "")


def _heading(scored: ScoredThread, scaffold: Scaffold) -> str:
    return scored.posts[scaffold.post].read.contexts[scaffold.steps[0].passage].heading if scaffold.steps else ""


def _draft(
    scored: ScoredThread,
    scaffold: Scaffold,
    steps: Sequence[DraftStep],
    stances: Sequence[DraftStance],
    corrections: Mapping[int, Correction],
    order: Order,
    verdict: Verdict,
    goal: str,
    vector: Vectors,
) -> dict[str, Any]:
    thread = scored.read.thread
    home = scored.posts[scaffold.post].read
    used = {s.place.passage for step in steps for s in step.statements if s.place.post == scaffold.post}
    unfit = used | {index for index, passage in enumerate(home.passages) if injects(passage.text)}
    number = {index: place + 1 for place, index in enumerate(order.sequence)}
    actors = actors_of([_stated(scored, steps[index]) for index in order.sequence])
    written = [
        _step(scored, steps[index], number[index], order.after[place], corrections.get(index), actors[place])
        for place, index in enumerate(order.sequence)
    ]
    return {
        "thread": thread.id,
        "source": thread.source,
        "title": goal,
        "goal": goal,
        "purpose": goals.purpose_of(home, unfit),
        "preconditions": goals.preconditions_of(home, unfit),
        "roles": goals.roles_of(step["actor"] for step in written),
        "tools": goals.tools_of([step["text"] for step in written], thread.source.rpartition(":")[2]),
        "verification": goals.checks_of(home, unfit),
        "ordered": order.ordered,
        "steps": written,
        "stances": [
            {"kind": s.kind, "step": number[s.step] if s.step is not None else None, "citation": _citation(scored, s.place, None, s.span)}
            for s in stances
        ],
        "quality": {
            "coherence_bp": sum(step.bp for step in steps) // len(steps),
            "coverage_bp": _coverage(scored, scaffold, used),
            "gate_bp": verdict.score_bp,
            "support_bp": _support(steps),
        },
        "goal_vector": pack(vector),
        "step_vectors": [pack(steps[index].vector) for index in order.sequence],
        "step_negated": [bool((frame := steps[index].frame) and frame.negated) for index in order.sequence],
        "step_verbs": [frame.verb if (frame := steps[index].frame) else "" for index in order.sequence],
    }


def _support(steps: Sequence[DraftStep]) -> int:
    """Mean support of the steps that others spoke of, 5000 where nobody did: few voices say little either way."""
    votes: list[Vote] = [(author, str(n), "agree") for n, step in enumerate(steps) for author in step.supporters]
    votes += [(author, str(n), "disagree") for n, step in enumerate(steps) for author in step.dissenters]
    found = consensus(votes)
    return sum(support.support_bp for support in found.values()) // len(found) if found else 5000


def _coverage(scored: ScoredThread, scaffold: Scaffold, used: set[int]) -> int:
    """Share of the scaffold post's step-like weight that its steps hold."""
    weights = scored.posts[scaffold.post].step_bp
    whole = sum(weights)
    return 10_000 * sum(weights[i] for i in used) // whole if whole else 0


def _step(
    scored: ScoredThread, step: DraftStep, n: int, after: tuple[int, ...], correction: Correction | None, actor: str | None
) -> dict[str, Any]:
    statements = sorted(step.statements, key=lambda s: (_created(scored, s), s.sort_key()))
    # The scaffold's words are the step's text; who said it first is who is credited.
    lead = step.statements[0]
    passage = scored.posts[lead.place.post].passage(lead.place.passage)
    frame = step.frame
    text = step_text(_stated(scored, step), frame)
    first = statements[0]
    first_post = scored.posts[first.place.post].read.post
    voices = {scored.posts[s.place.post].read.post.author for s in statements}
    flags = [*step.flags, "one-voice"] if step.flags and len(voices) == 1 else list(step.flags)
    citations = [_citation(scored, s.place, s.clause) for s in statements[: MOST_CITATIONS - bool(correction)]]
    if correction:
        citations.append(_citation(scored, correction.place, correction.clause))
    return {
        "n": n,
        "text": correction.text if correction else text,
        "previous_text": text if correction else None,
        "actor": actor,
        "condition": condition_of(passage.text, lead.clause.start, lead.clause.end),
        "after": list(after),
        "optional": is_optional(_stated(scored, step)),
        "flags": flags,
        "citations": citations,
        "support": len(step.supporters - {first_post.author}),
        "dissent": len(step.dissenters - {first_post.author}),
        "supporters": sorted(step.supporters - {first_post.author}),
        "dissenters": sorted(step.dissenters - {first_post.author}),
        "first_said_by": first_post.author,
        "first_said_in": first_post.id,
    }


def _stated(scored: ScoredThread, step: DraftStep) -> str:
    """The words that state a step."""
    lead = step.statements[0]
    return scored.posts[lead.place.post].passage(lead.place.passage).text[lead.clause.start : lead.clause.end]


def _created(scored: ScoredThread, statement: Statement) -> tuple[str, str]:
    post = scored.posts[statement.place.post].read.post
    return (post.created, post.id)


def _citation(scored: ScoredThread, place: Place, clause: Clause | None, span: tuple[int, int] | None = None) -> dict[str, Any]:
    """The receipt of a clause that states a step, or of a passage that confirms; `span` names the passages to quote instead."""
    post = scored.posts[place.post].read.post
    first, last = (scored.posts[place.post].passage(index) for index in span or (place.passage, place.passage))
    start = first.start + (clause.start if clause else 0)
    end = first.start + clause.end if clause else last.end
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
