"""Asides: passages of a draft that are no step by their own words or by where they stand. Dropped behind the gate.

The scorers read a sentence in its window and still take preambles, examples and news for steps. Only what readers of the
labelled threads hardly ever call a step is dropped (docs/decisions/0031-fields.md has each rule's share); what is merely
badly put stays, since its words may be all that says a step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from distill.circumstances import subject_of
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredPost, ScoredThread

LIST_TENTHS, LIST_ITEMS = 6, 4  # a list carries the procedure where so much of the scaffold's steps are its items
_EXAMPLE = re.compile(r"(?i)^\W*(?:for (?:example|instance)|e\.g\.|i\.e\.|examples?\s*:|as an example)")
_LEADS_IN = re.compile(
    r"(?i)^\W*(?:(?:here|below|above|attached)(?:['’]s| is| are)\b|note that\b|(?:the )?(?:following|above) (?:is|are)\b"
    r"|(?:this|the following) (?:post|guide|thread|topic|tutorial|document|proposal) (?:is|describes|explains|outlines|covers|aims|contains|provides|proposes|summari[sz]es)\b)"
)
_GREETS = re.compile(r"(?i)^\W*(?:thanks?\b|thank you|hi\b|hello\b|hey\b|gm\b|welcome to\b|dear\b|congrat)")
_ANSWERS = re.compile(r"(?i)^\W*(?:yes|yeah|yep|nope|no|sure|right|ok(?:ay)?|agreed|exactly|indeed)\s*(?:[,.!–—-]|$)")
_PLANS = re.compile(
    r"(?i)^\W*i(?:['’]ll| will|['’]m going to| am going to| plan to| intend to|['’]d like to| would like to| want to|['’]m planning)\b"
)
_NEWS = re.compile(
    r"(?i)^\W*(?:(?:done|fixed|solved|update|edit)\b\s*[,:.!–—-]|edited (?:post|to)\b|(?:that|this|it) (?:worked|fixed|solved|did the trick|helped)\b"
    r"|i (?:did|followed|tried) (?:it|this|that|the|all|every)\b[^.]*\b(?:work|worked|works|fixed|solved|order|thanks?)\b)"
)
_TELLS = re.compile(r"(?i)^\W*(?:i|we|people)\b")
_ASKED = re.compile(r"(?i)\b(?:should|must|needs? to|ha(?:ve|s) to)\b")


def without_asides(scored: ScoredThread, scaffold: Scaffold) -> Scaffold:
    """The scaffold without its asides."""
    steps = [place for place in scaffold.steps if not is_aside(scored.posts[place.post], place.passage, home=True)]
    steps = _without_preamble(scored.posts[scaffold.post], steps)
    added = [place for place in scaffold.added if not is_aside(scored.posts[place.post], place.passage, home=False)]
    return replace(scaffold, steps=tuple(steps), added=tuple(added))


def is_aside(post: ScoredPost, passage: int, home: bool) -> bool:
    """Whether a passage says by its own words that it is no step. Plans of one's own are asides in the procedure's post,
    where others are told what to do; what answers somebody may still add a step."""
    text = post.passage(passage).text
    patterns = (_EXAMPLE, _LEADS_IN, _GREETS, _NEWS, *((_PLANS, _ANSWERS) if home else ()))
    return any(pattern.search(text) for pattern in patterns)


def _without_preamble(post: ScoredPost, steps: Sequence[Place]) -> list[Place]:
    """Steps without the sentences that stand before the list that carries the procedure, but for those that say what to do."""
    items = [place for place in steps if post.passage(place.passage).kind == "item"]
    if len(items) < LIST_ITEMS or len(items) * 10 < len(steps) * LIST_TENTHS:
        return list(steps)
    return [place for place in steps if place >= items[0] or _commands(post, place.passage)]


def _commands(post: ScoredPost, passage: int) -> bool:
    """Whether a sentence says to do something, or who does it."""
    text = post.passage(passage).text
    if _TELLS.match(text) and not _ASKED.search(text):
        return False
    frame, subject = post.frames[passage], subject_of(text)
    return (frame is not None and frame.modality in ("imperative", "obligation")) or subject is not None
