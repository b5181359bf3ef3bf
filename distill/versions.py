"""Lineages: an id lasts while enough of the evidence does; a version is a hash of goal, steps and what states them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from index.store import canonical_json
from index.tables_procedures import StoredProcedure

TAKE_OVER = 3  # tenths of the smaller evidence that must be shared

Said = tuple[str, str]  # post, words


def version_id(goal: str, steps: Sequence[Mapping[str, Any]]) -> str:
    """Hash of what the procedure says and where it was said. Support, stances and alternatives stay outside."""
    said = [
        [step["text"], [[c["post"], c["start"], c["end"], c["exact"]] for c in step["citations"] if c["role"] == "states"]]
        for step in steps
    ]
    return "sha256:" + hashlib.sha256(canonical_json({"goal": goal, "steps": said}).encode()).hexdigest()


def new_id(draft: Mapping[str, Any]) -> str:
    """ "sop-" and twelve letters of a hash of where the procedure's first words stand."""
    first = min((c["created"], c["post"], c["start"]) for step in draft["steps"] for c in step["citations"])
    digest = hashlib.sha256(canonical_json([draft["thread"], *first]).encode()).digest()
    return "sop-" + base64.b32encode(digest).decode().lower()[:12]


def evidence(steps: Sequence[Mapping[str, Any]]) -> set[Said]:
    """By words, not by span: an edit at the top of a post moves all that stands below it, and says none of it anew."""
    return {(c["post"], c["exact"]) for step in steps for c in step["citations"] if c["role"] == "states"}


def lineages(drafts: Mapping[int, Mapping[str, Any]], known: Sequence[StoredProcedure]) -> dict[int, tuple[str, StoredProcedure | None]]:
    """For each draft: the id it carries, and the version before it. Most shared evidence first, each lineage once."""
    by_words: dict[Said, list[int]] = {}
    for place, old in enumerate(known):
        for said in evidence(old.record["steps"]):
            by_words.setdefault(said, []).append(place)
    shared: list[tuple[int, str, int, int]] = []
    for index, draft in drafts.items():
        told = evidence(draft["steps"])
        counts: dict[int, int] = {}
        for said in told:
            for place in by_words.get(said, ()):
                counts[place] = counts.get(place, 0) + 1
        for place, count in counts.items():
            smaller = min(len(told), len(evidence(known[place].record["steps"])))
            if count * 10 >= smaller * TAKE_OVER:
                shared.append((-count, known[place].id, index, place))
    found: dict[int, tuple[str, StoredProcedure | None]] = {}
    used = {old.id for old in known}
    taken: set[str] = set()
    for _, identifier, index, place in sorted(shared):
        if index not in found and identifier not in taken:
            found[index] = (identifier, known[place])
            taken.add(identifier)
    for index, draft in drafts.items():
        if index not in found:
            identifier = new_id(draft)
            # Two drafts that start with the same words, or one that starts with those of a lineage it does not continue.
            while identifier in taken or identifier in used:
                identifier = "sop-" + hashlib.sha256(identifier.encode()).hexdigest()[:12]
            found[index] = (identifier, None)
            taken.add(identifier)
    return found
