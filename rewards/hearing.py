"""Who spoke to a step, and as what: citations and stances sorted into voices by role. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from rewards.facts import Result
from rewards.novelty import alike, step_words

_FAILED = re.compile(
    r"\b(?:(?:did|does|do|has|have|would)(?: not|n['’]t) work|not working|failed|fails|(?:got|get|getting|threw|throws) an error|broke|no luck)\b",
    re.I,
)
_WORKED = re.compile(
    r"\b(?:worked|works (?:for me|fine|great|well|now|perfectly)|did the trick|solved (?:it|my|the)|fixed (?:it|my|the)|"
    r"(?:i|we) (?:just |have )?(?:followed|tried|did|went through|completed|ran through) (?:this|these|it|the|every|all|your|both)|"
    r"did every step|no problems?|got (?:it|mine) (?:working|done|approved))\b",
    re.I,
)


Person = Callable[[str], str]  # account → who it is known to be, which is the account itself where nobody knows more


def itself(account: str) -> str:
    return account


@dataclass(frozen=True, slots=True)
class Voice:
    """An author's words in one role of one step."""

    author: str
    post: str
    created: str  # when they were said, as far as anything vouches for it
    exact: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A report of how it went."""

    voice: Voice
    result: Result
    part_bp: int = 10_000
    pays: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """Who spoke to a step, in the order of speaking."""

    first: Voice
    copiers: list[Voice]  # others who state it later
    amendments: list[Voice]  # distinct ones; an author may have several, in several posts; the first speaker's own are among them
    repeated: list[Voice]  # amendments that say what an earlier one said
    objectors: list[Voice]  # whose objection a later correction followed
    confirmers: list[Voice]
    dissenters: list[Voice]  # whose objection nothing followed
    reports: list[Told]


def hear(step: Mapping[str, Any], stances: Sequence[Mapping[str, Any]], person: Person = itself) -> Heard | None:
    """Sort a step's citations and stances by role; None where nobody states it, so nothing is amended or confirmed.

    A person is heard in one role of a step: as first, else as amender, objector, confirmer. Reports stand beside. Who said
    the step first and amends it keeps the place of that amendment against who repeats it.
    """
    states = [c for c in step["citations"] if c["role"] == "states"]
    if not states:
        return None
    first, *later = once(states, person)
    on_step = [stance for stance in stances if stance["step"] == step["n"]]
    amendments, again = distinct(voices(_of(on_step, "amendment")))
    repeated = [v for v in again if person(v.author) != person(first.author)]
    taken = {person(v.author) for v in (first, *amendments, *repeated)}
    objections = [v for v in once(_of(on_step, "dissent"), person) if person(v.author) not in taken]
    states = sorted(states, key=lambda c: (c["created"], c["post"], c["start"]))
    followed = last_correction(step, [*states[1:], *_of(on_step, "amendment")])
    objectors = [v for v in objections if v.created < followed]
    taken |= {person(v.author) for v in objectors}
    # A post that restates the step is a copy of it, and does not become a confirmation by being nice about it.
    restating = {c["post"] for c in states}
    agreeing = [c for c in step["citations"] if c["role"] == "confirms"] + _of(on_step, "support")
    agreeing = [c for c in agreeing if c["post"] not in restating]
    confirmers = [v for v in once(agreeing, person) if person(v.author) not in taken]
    return Heard(
        first,
        [v for v in later if person(v.author) not in taken],
        amendments,
        repeated,
        objectors,
        confirmers,
        [v for v in objections if person(v.author) not in taken],
        reported(agreeing, _of(on_step, "dissent"), {person(first.author)}, person),
    )


def _of(stances: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [stance["citation"] for stance in stances if stance["kind"] == kind]


def voices(citations: Iterable[Mapping[str, Any]]) -> list[Voice]:
    """Every citation, in the order of speaking; of one post the first words."""
    seen: dict[tuple[str, str], Voice] = {}
    for cited in sorted(citations, key=lambda c: (c["created"], c["post"], c["start"])):
        seen.setdefault((cited["author"], cited["post"]), Voice(cited["author"], cited["post"], cited["created"], cited["exact"]))
    return list(seen.values())


def once(citations: Iterable[Mapping[str, Any]], person: Person = itself) -> list[Voice]:
    """Each person's earliest citation, in the order of speaking: a second mention is not a second contribution."""
    earliest: dict[str, Voice] = {}
    for voice in voices(citations):
        earliest.setdefault(person(voice.author), voice)
    return list(earliest.values())


def distinct(spoken: Iterable[Voice]) -> tuple[list[Voice], list[Voice]]:
    """Groups of near-duplicates by their earliest words, and the voices that repeat one of them."""
    owners: list[tuple[Voice, frozenset[str]]] = []
    repeated = []
    for voice in spoken:
        words = step_words(voice.exact)
        if any(alike(words, known) for _, known in owners):
            repeated.append(voice)
        else:
            owners.append((voice, words))
    return [voice for voice, _ in owners], repeated


def last_correction(step: Mapping[str, Any], citations: Iterable[Mapping[str, Any]]) -> str:
    """When the words came that changed the step's text for the last time; "" where it is as it was first said."""
    if not step["previous_text"]:
        return ""
    new = step_words(step["text"]) - step_words(step["previous_text"])
    return max((c["created"] for c in citations if new & step_words(c["exact"])), default="")


def reported(
    agreeing: Sequence[Mapping[str, Any]], against: Sequence[Mapping[str, Any]], own: AbstractSet[str], person: Person
) -> list[Told]:
    """Stances that say that it was done and how it went; a person's first word counts."""
    told = [(c, "worked") for c in agreeing if _WORKED.search(c["exact"]) and not _FAILED.search(c["exact"])]
    told += [(c, "failed") for c in (*agreeing, *against) if _FAILED.search(c["exact"])]
    found: dict[str, Told] = {}
    for c, result in sorted(told, key=lambda pair: (pair[0]["created"], pair[0]["post"], pair[0]["start"])):
        if person(c["author"]) not in own:
            voice = Voice(c["author"], c["post"], c["created"], c["exact"])
            found.setdefault(person(c["author"]), Told(voice, "worked" if result == "worked" else "failed"))
    return list(found.values())
