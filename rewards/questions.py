"""Which words of a post ask something. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.plain import Block

_SENTENCE = re.compile(r"[^.!?\n]+\?(?=\s|$)")
_WANTS = re.compile(
    r"[^.!?\n]*\b(?:how (?:do|can|should|would|to)|what (?:is|are) the (?:best|right|process|steps)|is there (?:a|any) (?:way|guide)|"
    r"(?:i|we)(?:['’]m| am|['’]re| are)? (?:looking for|trying to|stuck|struggling|not sure how)|(?:any(?:one|body)) know|"
    r"(?:need|would like|want) (?:help|to know))\b[^.!?\n]*",
    re.I,
)
_OWN = ("paragraph", "item", "heading")
FEWEST_WORDS = 4
LONGEST = 400


def find_question(plain: str, blocks: Sequence[Block], title: str) -> tuple[int, int] | None:
    """The span of the first words of the post's own that ask something; where only the title asks, of its first own words.

    Quoted text asks nothing in the quoter's name.
    """
    own = [block for block in blocks if block.kind in _OWN]
    for pattern in (_SENTENCE, _WANTS):
        for block in own:
            for found in pattern.finditer(plain, block.start, block.end):
                span = _trimmed(plain, found.start(), found.end())
                if len(plain[slice(*span)].split()) >= FEWEST_WORDS and span[1] - span[0] <= LONGEST:
                    return span
    if own and (title.rstrip().endswith("?") or _WANTS.match(title)):
        return _trimmed(plain, own[0].start, min(own[0].end, own[0].start + LONGEST))
    return None


def _trimmed(plain: str, start: int, end: int) -> tuple[int, int]:
    while start < end and plain[start].isspace():
        start += 1
    while end > start and plain[end - 1].isspace():
        end -= 1
    return start, end
