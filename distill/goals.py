"""Goals and titles a person would choose, from the words of the thread; purpose, tools and checks copied or empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from distill.frames import verb_lemma
from distill.passages import ReadPost

LONGEST_TITLE = 90
_TAG = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]|\([^)]{1,25}\)|(?:FINAL|DRAFT|REVIEW|RFC|RFP|PROPOSAL|DISCUSSION|GUIDE|TUTORIAL|ANN|FAQ|Solved|Request for comments?)\s*[:\-–—])\s*",
    re.I,
)
_HOWTO = re.compile(
    r"^\s*(?:how (?:to|do i|do you|do we|can i|can we|we|i)|guide (?:to|for)|a guide to|steps? to|tutorial:?|instructions for|what is the best way to|best way to|a (?:simple|quick) way to)\s+",
    re.I,
)
_PURPOSE = re.compile(
    r"\b(?:in order to|so that|(?:the |our |my )?(?:goal|purpose|aim|objective|intention) (?:of this|is|here is|was)|this (?:guide|post|proposal|process|procedure|document) (?:explains|describes|outlines|sets out|shows|is meant|aims))\b",
    re.I,
)
_CHECK = re.compile(
    r"\b(?:you should (?:now )?see|it (?:should|will) (?:show|say|display|return|print)|to (?:verify|check|confirm)|make sure (?:that )?it|verify that|confirm that|if it (?:worked|works|returns))\b",
    re.I,
)
_NEEDS = re.compile(
    r"\b(?:you(?:'ll| will)? need|(?:pre-?)?requisites?|requires? that|before you (?:start|begin)|assumes? (?:that )?you|must (?:first )?have|needs? to have)\b",
    re.I,
)
_CODE_NAME = re.compile(r"\b(?:[a-z]+[-_][a-z-_]+|[a-z]+\.(?:py|sh|js|exe|io|org|com|xyz)|[A-Z][a-z]+[A-Z]\w+)\b")


def goal_of(title: str, heading: str) -> str:
    """The thread's title as a goal: tags and "how to" gone, a leading gerund as an imperative."""
    text = title.strip()
    while (tag := _TAG.match(text)) and tag.end() < len(text):
        text = text[tag.end() :]
    if (howto := _HOWTO.match(text)) and howto.end() < len(text):
        text = text[howto.end() :]
    words = text.split()
    for place in (0, 2) if len(words) > 3 and words[1].lower() in ("and", "or") else (0,) if words else ():
        if words[place].lower().endswith("ing") and (lemma := verb_lemma(words[place].strip(":,"))):
            words[place] = lemma
    text = " ".join(words).strip(" ?!.:-–—")
    if len(text.split()) < 2 and heading:
        text = f"{text}: {heading}" if text else heading
    text = text[:1].upper() + text[1:]
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1].rsplit(" ", 1)[0] + "…"


def purpose_of(post: ReadPost, steps: set[int]) -> str | None:
    """The first sentence of the scaffold's post that says what it is for, verbatim; None where none does."""
    for index, passage in enumerate(post.passages):
        if index not in steps and passage.kind == "sentence" and 6 <= len(passage.text.split()) <= 45 and _PURPOSE.search(passage.text):
            return _one_line(passage.text)
    return None


def checks_of(post: ReadPost, steps: set[int]) -> list[str]:
    return _matching(post, steps, _CHECK)


def preconditions_of(post: ReadPost, steps: set[int]) -> list[str]:
    return _matching(post, steps, _NEEDS)


def _matching(post: ReadPost, steps: set[int], pattern: re.Pattern[str]) -> list[str]:
    found = [
        p.text
        for i, p in enumerate(post.passages)
        if i not in steps and len(p.text.split()) <= 40 and "?" not in p.text and pattern.search(p.text)
    ]
    return [_one_line(text) for text in found[:3]]


# What names nobody who could take the part: somebody's own, a thing pointed at, a shortened verb.
_NO_ROLE = re.compile(
    r"(?i)(?:(?:my|our|your|his|her|their|its|i|you|we|he|she|they|it|this|that|these|those|there|what|which|who|one|some|any|each|every|all|both)\b"
    r"|.*\b\w+['’](?:ve|re|ll|d|m|s)$|[^a-z]*$)"
)


def roles_of(actors: Iterable[str | None]) -> list[str]:
    """Who takes part, as the steps name them, each once; what is no role of anybody is left out."""
    return sorted({actor for actor in actors if actor and len(actor.split()) <= 5 and not _NO_ROLE.match(actor)})


def tools_of(texts: Sequence[str]) -> list[str]:
    """Names of programs, files and sites that the steps speak of."""
    seen: dict[str, None] = {}
    for text in texts:
        for match in _CODE_NAME.finditer(text):
            seen.setdefault(match.group(), None)
    return sorted(seen)[:8]


def _one_line(text: str) -> str:
    return " ".join(text.split())
