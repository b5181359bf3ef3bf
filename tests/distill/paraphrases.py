"""Short procedures written for this project, and how well copies and alternatives are told apart among them.

    python -m tests.distill.paraphrases

Each family has a base, a `copy` (every step in other words, under another title), a `near` miss (another goal in nearly
the same words: the opposite act, another network, another tool) and an `other` way to the goal of the base. All families
lie in one pool, so that every pair across families is a chance for a wrong link. paraphrases.json was at hand while the
rules of distill/link.py were made; paraphrases_held_out.json was written when they stood.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from distill.frames import read_frame
from distill.goals import goal_of
from distill.link import link
from index.embed import encoder
from tests.distill.builders import draft

HERE = Path(__file__).parent
FILES = ("paraphrases.json", "paraphrases_held_out.json")
KINDS = ("base", "copy", "near", "other")
Place = tuple[int, str]  # family and kind


@dataclass(frozen=True, slots=True)
class Found:
    """What link makes of a file: pairs joined as copies, pairs of standing procedures that are alternatives, and what should be."""

    copies: set[frozenset[Place]]
    alternatives: set[frozenset[Place]]
    wanted_copies: set[frozenset[Place]]
    wanted_alternatives: set[frozenset[Place]]


def drafts_of(name: str) -> dict[Place, dict[str, Any]]:
    families = json.loads((HERE / name).read_text(encoding="utf-8"))
    return {
        (number, kind): written(len(KINDS) * number + place, kind, family[kind])
        for number, family in enumerate(families)
        for place, kind in enumerate(KINDS)
    }


def written(thread: int, kind: str, procedure: dict[str, Any]) -> dict[str, Any]:
    """The base is said a day before the others."""
    goal = goal_of(procedure["goal"], "")
    frames = [read_frame(step) for step in procedure["steps"]]
    vectors = encoder().encode([goal, *procedure["steps"]])
    made = draft(thread, 1 if kind == "base" else 2, list(vectors[1:]), vectors[0], [frame.verb if frame else "" for frame in frames])
    for step, text in zip(made["steps"], procedure["steps"], strict=True):
        step["text"] = step["citations"][0]["exact"] = text
    return made | {"goal": goal, "title": goal, "step_negated": [bool(frame and frame.negated) for frame in frames]}


def linked(drafts: dict[Place, dict[str, Any]]) -> Found:
    places = list(drafts)
    standing = link(list(drafts.values()))
    copies, alternatives = set(), set()
    for origin, entry in standing.items():
        copies |= {frozenset((places[i], places[j])) for i, j in combinations([origin, *entry.copies], 2)}
        alternatives |= {frozenset((places[origin], places[i])) for i in entry.alternatives}
    families = {number for number, _ in places}
    stands = {places[origin] for origin in standing}
    ways = {frozenset(((n, "other"), (n, kind))) for n in families for kind in ("base", "copy") if {(n, kind), (n, "other")} <= stands}
    return Found(copies, alternatives, {frozenset(((n, "base"), (n, "copy"))) for n in families}, ways)


def told(name: str, found: set[frozenset[Place]], wanted: set[frozenset[Place]]) -> str:
    return f"{name} P {len(found & wanted)}/{len(found)} R {len(found & wanted)}/{len(wanted)}"


def main() -> None:
    for name in FILES:
        found = linked(drafts_of(name))
        copies = told("copies", found.copies, found.wanted_copies)
        print(f"{name}: {copies}, {told('alternatives', found.alternatives, found.wanted_alternatives)}")


if __name__ == "__main__":
    main()
