"""Other ways to the same goal, side by side: which steps they share, which only one has, and what people say of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from publish.diff import match
from publish.text import clean, wrap

SCHEMA = "precipitate/alternatives/1"

Record = Mapping[str, Any]


def alternatives(record: Record, others: Sequence[Record]) -> dict[str, Any]:
    """An SOP and its alternatives: of each how many steps, voices, support and dissent, and how its steps match the SOP's."""
    return {"schema": SCHEMA, "sop": _facts(record), "alternatives": [_beside(record, other) for other in others]}


def _facts(record: Record) -> dict[str, Any]:
    citations = [citation for step in record["steps"] for citation in step["citations"]]
    return {
        **{key: record[key] for key in ("id", "title", "goal", "status", "version", "threads")},
        "steps": len(record["steps"]),
        "authors": len({citation["author"] for citation in citations}),
        "support": sum(step["support"] for step in record["steps"]),
        "dissent": sum(step["dissent"] for step in record["steps"]),
        "newest": max(citation["created"] for citation in citations),
    }


def _beside(record: Record, other: Record) -> dict[str, Any]:
    """`step_pairs`: each step of either, by number, with the one of the other that it matches or null, in order of the first."""
    pairs = dict(match(record["steps"], other["steps"]))
    taken = set(pairs.values())
    rows = [(step, other["steps"][pairs[i]] if i in pairs else None) for i, step in enumerate(record["steps"])]
    rows += [(None, step) for j, step in enumerate(other["steps"]) if j not in taken]
    told = [{"ours": _step(ours), "theirs": _step(theirs)} for ours, theirs in rows]
    return {**_facts(other), "shared": len(pairs), "step_pairs": told}


def _step(step: Record | None) -> dict[str, Any] | None:
    return None if step is None else {key: step[key] for key in ("n", "text", "support", "dissent", "flags")}


# --- as text ----------------------------------------------------------------------------------------------------------


def render_alternatives(told: Mapping[str, Any]) -> str:
    lines = list(_head(told["sop"]))
    if not told["alternatives"]:
        lines += ["", "No other SOP has this goal."]
    for other in told["alternatives"]:
        lines += ["", *_head(other), f"  {other['shared']} of its steps are like steps of the first"]
        for pair in other["step_pairs"]:
            lines += _pair(pair["ours"], pair["theirs"])
    return "\n".join(lines) + "\n"


def _head(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(facts["title"], f"{clean(facts['id'])}  ", "  ")
    counted = f"{facts['steps']} steps, {facts['authors']} authors, {facts['support']} for, {facts['dissent']} against"
    yield f"  {counted}, newest words {facts['newest'][:10]}, {clean(facts['status'])}"


def _pair(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> Iterator[str]:
    """As in a difference: = in both, - only in the first, + only in the other."""
    if ours and theirs:
        yield from wrap(theirs["text"], f"  = {ours['n']:>2} {theirs['n']:>2}  ", " " * 11)
    elif ours:
        yield from wrap(ours["text"], f"  - {ours['n']:>2}     ", " " * 11)
    elif theirs:
        yield from wrap(theirs["text"], f"  +    {theirs['n']:>2}  ", " " * 11)
