"""Which steps were said before in another SOP: a copy earns nothing, whoever made it.

Words are compared here, in exact integers, so that anyone recomputes the decision to the bit. Closeness in meaning comes
in as published numbers (rewards/likeness.py), or by `forked_from`, `alternatives` or a step's "copy_of…" flag.
On the demo forum a paraphrase with "the words moved about" shares 53 to 75 % of the shorter step's words with its
original in 7 of 8 steps and 37 % in one, and no two other steps of different procedures share half.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEWEST_SHARED = 4  # words: below that, half of a short step is chance
COMMON = 200  # a word in more steps than this nominates no pairs, which keeps the work near linear in steps

NOMINATING = 2  # shared words, none of them common, that make a pair worth comparing

_GRAMMAR = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by for from if in into is it its not of on or that the their them then this to up with you your will",
    )
)

StepKey = tuple[str, int]  # procedure id, step number
Near = tuple[StepKey, StepKey, int]  # two steps that say the same in other words, and how surely, in basis points
NEAR_BP, REST_BP = 7_000, 4_000  # from which steps are near, and from which the rest of a copy's are


@dataclass(frozen=True, slots=True)
class _Said:
    """A step as it was first said; `moment` orders all steps: created, post id, place in the post, origins before forks, key."""

    key: StepKey
    moment: tuple[str, str, int, bool, str, int]
    words: frozenset[str]
    post: str


def step_words(text: str) -> frozenset[str]:
    """The words that carry a step's content; a plural -s is dropped."""
    words = (word for word in re.findall(r"\w+", text.casefold()) if word not in _GRAMMAR)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words)


def alike(one: frozenset[str], other: frozenset[str], part: int = 2) -> bool:
    """The same words, or at least 1/part of the shorter step's: adding words to a copy does not hide it."""
    shared = len(one & other)
    return one == other or (shared >= FEWEST_SHARED and part * shared >= min(len(one), len(other)))


def copied_steps(records: Sequence[Mapping[str, Any]], near: Sequence[Near] = ()) -> dict[StepKey, str]:
    """Steps that earn nothing because they were said before in another SOP → why, in plain words.

    A likeness counts where the two SOPs are linked, or where half of the later one's steps are like the earlier one's:
    one like step in an unrelated SOP may well be two people's own. In a copy of half, a third of the words is enough, or
    a nearness in meaning of REST_BP.
    """
    said = _said_in_order(records)
    likenesses = _likenesses(said)
    sizes = {record["id"]: len(record["steps"]) for record in records}
    meant = _near_in_time(said, near)
    like = {(key, other.key[0]) for key, others in likenesses.items() for other in others}
    like |= {(key, other.key[0]) for key, other, bp in meant if bp >= NEAR_BP}
    matched = Counter((key[0], procedure) for key, procedure in like)
    wholesale = {pair for pair, count in matched.items() if count >= 2 and 2 * count >= min(sizes[pair[0]], max(4, sizes[pair[1]]))}
    related = wholesale | _links(records)
    copied = _forks_without_origin(records) | _rest_of_copies(said, wholesale) | _composed(records)
    for key, other, _ in meant:
        if (key[0], other.key[0]) in wholesale:
            copied.setdefault(key, _said_before(other))
    for key, others in likenesses.items():
        earliest = next((other for other in others if (key[0], other.key[0]) in related), None)
        if earliest:
            copied[key] = _said_before(earliest)
    return copied | _flagged(records)


def _near_in_time(said: Sequence[_Said], near: Sequence[Near]) -> list[tuple[StepKey, _Said, int]]:
    """(the later step, the earlier one, how near), in the order of speaking."""
    known = {step.key: step for step in said}
    found = []
    for one, other, bp in near:
        if bp >= REST_BP and one in known and other in known:
            early, late = sorted((known[one], known[other]), key=lambda step: step.moment)
            found.append((late.moment, early.moment, late.key, early, bp))
    return [(key, early, bp) for _, _, key, early, bp in sorted(found, key=lambda row: row[:3])]


def _said_before(other: _Said) -> str:
    return f"post {other.post} said it before, in {other.key[0]} step {other.key[1]}"


def _rest_of_copies(said: Sequence[_Said], wholesale: set[tuple[str, str]]) -> dict[StepKey, str]:
    """The steps of a procedure that copies another by half, compared with that one's steps less strictly."""
    steps: defaultdict[str, list[_Said]] = defaultdict(list)
    for step in said:
        steps[step.key[0]].append(step)
    return {
        step.key: _said_before(other)
        for later, earlier in sorted(wholesale)
        for step in steps[later]
        for other in steps[earlier]
        if other.moment < step.moment and alike(step.words, other.words, part=3)
    }


def _said_in_order(records: Iterable[Mapping[str, Any]]) -> list[_Said]:
    """Composed SOPs are not in it: they say nothing first, and must not make two like steps of their origin copies of each other."""
    said = []
    for record in records:
        for step in record["steps"] if not record.get("generator", {}).get("composed") else ():
            places = [(c["created"], c["post"], c["start"]) for c in step["citations"] if c["role"] == "states"]
            if places:
                first = min(places)
                key = (record["id"], step["n"])
                said.append(_Said(key, (*first, record["forked_from"] is not None, *key), step_words(step["text"]), first[1]))
    return sorted(said, key=lambda step: step.moment)


def _likenesses(said: Sequence[_Said]) -> dict[StepKey, list[_Said]]:
    """For each step: the earliest like step of each other procedure, earliest first."""
    frequency = Counter(word for step in said for word in step.words)
    earlier: defaultdict[str, list[int]] = defaultdict(list)
    found: dict[StepKey, list[_Said]] = {}
    for place, step in enumerate(said):
        rare = [word for word in step.words if frequency[word] <= COMMON]
        by_procedure: dict[str, _Said] = {}
        hits = Counter(candidate for word in rare for candidate in earlier[word])
        for candidate in sorted(candidate for candidate, count in hits.items() if count >= min(NOMINATING, len(step.words))):
            other = said[candidate]
            if other.key[0] != step.key[0] and other.key[0] not in by_procedure and alike(step.words, other.words):
                by_procedure[other.key[0]] = other
        if by_procedure:
            found[step.key] = list(by_procedure.values())
        for word in rare:
            earlier[word].append(place)
    return found


def _links(records: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    pairs = {(record["id"], other) for record in records for other in (*record["alternatives"], record["forked_from"]) if other}
    return pairs | {(other, one) for one, other in pairs}


def _composed(records: Iterable[Mapping[str, Any]]) -> dict[StepKey, str]:
    """Steps that somebody took over into an SOP of their own (rewards/compose.py): their words are paid at the origin."""
    return {
        (record["id"], place): f"the step was taken over from {sop} step {n}, where its words are paid"
        for record in records
        if (made := record.get("generator", {}).get("composed"))
        for place, (sop, n) in enumerate(made["steps"], 1)
    }


def _forks_without_origin(records: Sequence[Mapping[str, Any]]) -> dict[StepKey, str]:
    """Steps of a fork whose origin is not at hand: nobody can show that they are new, so they are not paid as new."""
    known = {record["id"] for record in records}
    return {
        (record["id"], step["n"]): f"the SOP is a fork of {record['forked_from']}, which is not here to compare with"
        for record in records
        if record["forked_from"] and record["forked_from"] not in known
        for step in record["steps"]
    }


def _flagged(records: Iterable[Mapping[str, Any]]) -> dict[StepKey, str]:
    return {
        (record["id"], step["n"]): f"the step is marked {flag}"
        for record in records
        for step in record["steps"]
        for flag in step["flags"]
        if flag.startswith("copy_of")
    }
