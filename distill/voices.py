"""Voices: what sounds like an instruction and is none. Imagined, ironic, pledged, campaigned, reported, left to fill in.

Only what its own words give away is caught; what needs the world to be understood is left to the scorers.
"""

from __future__ import annotations

import re

READ = 600  # characters of a passage that are looked at
_NAMED = r"(?:that\b|(?:there|we|you|the|an?|each|every|all|[A-Z]\w+)\s+(?:[\w-]+\s+)?(?:\w+s|is|are|has|have|can|will)\b)"

_HYPOTHETICAL = re.compile(
    r"^\W*(?:(?:so|and|but|now|for example|e\.g\.|let['’]?s|let us|just|(?:one|we|you)\s+(?:could|can|might))[\s,]+)*(?:imagine|suppose|picture|pretend)\b(?!\s+(?:is|was)\b)"
    rf"|^\W*(?:(?:so|and|but|now)[\s,]+)?(?:let['’]?s\s+(?:say|assume)\b|(?:assume|say)\s+{_NAMED}|what\s+if\b|(?:in theory|hypothetically|theoretically)\b)"
    r"|\bif\s+(?:we|you|i|one)\s+were\s+to\b",
    re.I,
)
_IRONY = re.compile(
    r"(?<!ask )(?<!consider )(?<!check )(?<!explain )(?<!list )(?<!about )\bwhat\s+could\s+(?:possibly\s+)?go\s+wrong\b"
    r"|\s/s\W*$|^\W*(?:yeah,?\s+right|oh,?\s+(?:sure|great)|brilliant|great\s+(?:plan|idea))[,!.]\s",
    re.I,
)
_PLEDGE = re.compile(
    r"^\W*(?:(?:we|our team|the team|i)\s*(?:are|am|is|['’]re|['’]m)\s+going\s+to|(?:our|my)\s+(?:plan|aim|goal)\s+is\s+to)\b", re.I
)
_CAMPAIGN = re.compile(
    r"^\W*(?:please\s+)?(?:consider\s+)?(?:vot(?:e|ing)|delegat(?:e|ing)(?:\s+your\s+\w+)?)\s+(?:for|to)\s+me\b|\bif\s+(?:i\s+am\s+|i['’]m\s+)?elected,?\s+i\b"
    r"|^\W*as\s+(?:an?|your)\s+[\w -]{3,30}?,?\s+i\s*(?:will|would|['’]ll|['’]d)\b",
    re.I,
)
_TO_FILL_IN = re.compile(
    r"^\W*(?:replace|delete|remove|overwrite|edit)\s+this\s+(?:text|line|section|paragraph|sentence|placeholder|comment)\b"
    r"|^\s*\[(?:insert|describe|add|your|enter|name|list|explain)\b[^\]]*\]\W*$|^\W*(?:insert|write|put|type|enter|add)\s+your\s+(?:text|answer|summary|description)\s+here\b",
    re.I,
)
# A line of a change log: it names its pull request, or its kind as commits do.
_CHANGE = re.compile(
    r"\(#\d+\)\W*$|^\W*(?:fix|feat|chore|refactor|docs|perf|ci|build|test)\([\w-]+\)!?:\s|^\W*(?:feat|chore|refactor)!?:\s"
)


def other_voice(text: str) -> str | None:
    """The modality of a passage that gives itself away as no instruction, else None."""
    read = text[:READ] if len(text) > READ else text
    if _HYPOTHETICAL.search(read) or _IRONY.search(read):
        return "hypothetical"
    if _PLEDGE.search(read) or _CAMPAIGN.search(read) or _TO_FILL_IN.search(read):
        return "statement"
    return "account" if _CHANGE.search(read) else None
