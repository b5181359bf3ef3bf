"""Working backwards from a goal: which SOP reaches it, what that needs to be there, which SOPs bring that about, what is missing.

A need is verbatim: a precondition of the record, or a clause of a step that says what must be there first ("once the
multisig is set up", "you will need a funded wallet"). It is met by an earlier step of the same SOP, by the goal of another
SOP, or by a step of one, by the cosine of their vectors; what nothing meets is a gap, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.search import Searcher, Span, span_of
from publish.text import clean, shortened, wrap

SCHEMA = "precipitate/plan/1"
# Cosines in basis points from which a need counts as met; chosen by reading what the three corpora give (decision 0024).
GOAL_BP, STEP_BP, OWN_BP = 6_000, 6_500, 6_000
REACHED_BP = 4_000  # of the SOP that is to reach the goal itself: its whole score without the part for words
MOST_SOPS, MOST_DEPTH, MOST_NEEDS = 12, 4, 12
NEAREST = 3  # SOPs named where none reaches the goal

_STATE = re.compile(
    r"\b(?:once|after|as soon as|provided(?: that)?|assuming(?: that)?)\s+((?:you|we|they|it|the|your|our|all|an?|both|this|these|their|its)\b"
    r"[^.;:()\n]{0,80}?\b(?:have|has|is|are|been|was|were)\b[^.,;:()\n]{2,80})",
    re.I,
)
_NEED = re.compile(
    r"\b(?:you(?:'ll|’ll| will)? (?:also )?need|you must (?:already )?have|requires?|make sure (?:that )?you have|prerequisites?:?)\s+"
    r"((?:an?|the|your|at least|some|access|[a-z]+ed)\b[^.;:()\n]{4,120})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Need:
    """What must be there first, in the words of the SOP; `step` is null for a precondition of the whole."""

    text: str
    step: int | None
    citation: Mapping[str, Any] | None


def needs_of(record: Mapping[str, Any]) -> list[Need]:
    found = [Need(text, None, None) for text in record["preconditions"]]
    for step in record["steps"]:
        for words in dict.fromkeys(filter(None, (step["condition"], step["text"]))):
            matches = sorted((*_STATE.finditer(words), *_NEED.finditer(words)), key=lambda match: match.start())
            found += [Need(match[1].strip(), step["n"], step["citations"][0]) for match in matches]
    return list({need.text.casefold(): need for need in found}.values())[:MOST_NEEDS]


def plan(searcher: Searcher, goal: str) -> dict[str, Any]:
    """The chain as docs/records.md has it: SOPs in the order in which they are carried out, the last reaching the goal."""
    ranked = searcher.rank(goal) if searcher.facets.procedures else []
    best = next((entry for entry in ranked if (2 * entry.goal_bp + 3 * entry.passage_bp) // 5 >= REACHED_BP), None)
    chain: list[dict[str, Any]] = []
    if best is not None:
        _add(searcher, best.id, {"goal": True, "text": goal, "bp": best.score}, chain, set(), 0)
    gaps = [{"sop": link["id"], **need} for link in chain for need in link["needs"] if need["met_by"] is None]
    near = searcher.records([entry.id for entry in ranked[:NEAREST] if best is None or entry.id != best.id])
    return {
        "schema": SCHEMA,
        "goal": goal,
        "reached": best is not None,
        "sops": chain,
        "gaps": gaps,
        "nearest": [{"id": identifier, "title": record["title"]} for identifier, record in near.items()],
    }


def _add(searcher: Searcher, identifier: str, why: Mapping[str, Any], chain: list[dict[str, Any]], seen: set[str], depth: int) -> None:
    """Put an SOP into the chain, after those that bring about what it needs."""
    seen.add(identifier)
    record = searcher.records([identifier])[identifier]
    needs = []
    for need in needs_of(record):
        met = _met(searcher, record, need, seen)
        if met is not None and met["by"] != "own" and met["sop"] not in seen and depth < MOST_DEPTH and len(seen) < MOST_SOPS:
            _add(searcher, met["sop"], {"goal": False, "text": need.text, "bp": met["bp"]}, chain, seen, depth + 1)
        needs.append({"text": need.text, "step": need.step, "citation": need.citation, "met_by": met})
    chain.append(
        {
            "id": identifier,
            "title": record["title"],
            "status": record["status"],
            "for": dict(why),
            "steps": [{"n": step["n"], "text": step["text"], "flags": list(step["flags"])} for step in record["steps"]],
            "needs": needs,
        }
    )


def _met(searcher: Searcher, record: Mapping[str, Any], need: Need, seen: set[str]) -> dict[str, Any] | None:
    """By what a need is met: an earlier step of the same SOP, the goal or a step of another one; None where by nothing."""
    goals, passages = searcher.near(need.text)
    for cosine, name, identifiers in passages:
        if record["id"] in identifiers and cosine >= OWN_BP:
            own = _step_at(record, span_of(name))
            if own is not None and (need.step is None or own < need.step):
                return {"by": "own", "sop": record["id"], "step": own, "bp": cosine}
    other = next(((i, bp) for i, bp in goals if i != record["id"] and bp >= GOAL_BP), None)
    if other is not None:
        return {"by": "goal", "sop": other[0], "step": None, "bp": other[1]}
    for cosine, name, identifiers in passages:
        others = [i for i in identifiers if i != record["id"]]
        if others and cosine >= STEP_BP:
            step = _step_at(searcher.records(others[:1])[others[0]], span_of(name))
            return {"by": "step", "sop": others[0], "step": step, "bp": cosine}
    return None


def _step_at(record: Mapping[str, Any], span: Span) -> int | None:
    post, start, stop = span
    for step in record["steps"]:
        if any(c["post"] == post and c["start"] < stop and c["end"] > start for c in step["citations"]):
            return int(step["n"])
    return None


# --- as text ----------------------------------------------------------------------------------------------------------


def render_plan(told: Mapping[str, Any]) -> str:
    if not told["reached"]:
        lines = [f"No SOP reaches “{shortened(told['goal'])}”."]
        lines += (
            ["Nearest:", *(line for near in told["nearest"] for line in wrap(f"{near['id']}  {near['title']}", "  ", "    "))]
            if told["nearest"]
            else []
        )
        return "\n".join([*lines, "`precipitate frontier` lists what many ask and nothing answers."]) + "\n"
    lines = []
    for number, link in enumerate(told["sops"], start=1):
        lines += _link(number, link)
    lines += _gaps(told["gaps"])
    return "\n".join(lines).rstrip() + "\n"


def _link(number: int, link: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(f"{link['id']}  {link['title']}  ({len(link['steps'])} steps)", f"{number}. ", "   ")
    if not link["for"]["goal"]:
        yield from wrap(f"for “{link['for']['text']}”", "   ", "     ")
    for need in link["needs"]:
        of = f"step {need['step']} needs" if need["step"] else "needs"
        yield from wrap(f"{of} “{need['text']}”: {_how(need['met_by'])}", "   ", "     ")
    yield ""


def _how(met: Mapping[str, Any] | None) -> str:
    if met is None:
        return "a gap"
    if met["by"] == "own":
        return f"its own step {met['step']}"
    return clean(met["sop"]) + (f", step {met['step']}" if met["by"] == "step" else "")


def _gaps(gaps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "Nothing is missing." if not gaps else "No SOP says how to bring about:"
    for gap in gaps:
        where = f"{gap['sop']}, step {gap['step']}" if gap["step"] else gap["sop"]
        yield from wrap(f"“{gap['text']}” ({where})", "  ", "    ")
