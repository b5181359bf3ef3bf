"""Who stood behind whose words: named likes, thanks and agreement in answers, support of steps, accepted answers.

What somebody writes counts only where it says so plainly within its first words and takes nothing back there; the test is
narrow on purpose, since an endorsement that is missed costs little and one that is misread gives trust away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from index import tables_evidence as tables
from index.plain import blocks_from_json
from index.store import Store
from rewards.facts import forums_own
from rewards.trust import Endorsement

OPENING = 240  # characters of a post's own words that are read
KIND = (
    r"\b(thanks|thank you|thx|great (post|work|write-?up|point|idea|job|question|proposal)|nice (work|write-?up|one|idea|find)|"
    r"well (said|done|written|put)|agreed|i (fully |strongly |totally )?agree|i (fully |strongly )?support|in favou?r of|makes? sense|"
    r"good (point|idea|catch|call|question|work)|works? for me|worked|did the trick|very (helpful|useful)|excellent|awesome|"
    r"love (this|it|the idea))\b|(?:^|\s)\+1\b"
)
_KIND = re.compile(KIND, re.I)
_REFUSES = re.compile(
    r"\b(?:disagree|wrong|incorrect|however|unfortunately|but|although|(?:not|n['’]t) (?:agree|support|think|work|make|right|correct|true)|"
    r"oppos|against)",
    re.I,
)


def supportive(own_words: str) -> bool:
    """Whether a post begins by thanking or agreeing, and takes nothing back."""
    opening = own_words[:OPENING]
    return bool(_KIND.search(opening)) and not _REFUSES.search(opening)


def endorsements(store: Store, records: Sequence[Mapping[str, Any]], like_kinds: Sequence[str]) -> list[Endorsement]:
    """All endorsements that the store knows of, but for those by or of a forum's own accounts."""
    own = {row["id"] for row in tables.standing_accounts(store) if forums_own(row["id"], row["handle"])}
    found = [Endorsement(giver, taker, created, "like", post) for giver, taker, created, post in tables.like_rows(store, like_kinds)]
    found += [Endorsement(giver, taker, created, "accepted", post) for giver, taker, created, post in tables.accepted_rows(store)]
    found += _replies(store)
    found += of_steps(records)
    return [e for e in found if e.giver not in own and e.taker not in own and e.giver != e.taker]


def _replies(store: Store) -> Iterator[Endorsement]:
    for row in tables.reply_rows(store, KIND):
        quotes = [b for b in blocks_from_json(row["blocks"]) if b.kind == "quote"]
        if supportive(without(row["plain"], [(b.start, b.end) for b in quotes])):
            yield Endorsement(row["author"], row["taker"], row["created"], "reply", row["id"])


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without these spans."""
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at:start])
        at = max(at, end)
    return "".join([*kept, text[at:]]).strip()


def of_steps(records: Sequence[Mapping[str, Any]]) -> Iterator[Endorsement]:
    """Who confirmed or supported a step endorses who said it first; each once for a post."""
    seen: set[tuple[str, str, str]] = set()
    for record in records:
        for step in record["steps"]:
            agreeing = [c for c in step["citations"] if c["role"] == "confirms"]
            agreeing += [s["citation"] for s in record["stances"] if s["step"] == step["n"] and s["kind"] == "support"]
            for c in agreeing:
                key = (c["author"], step["first_said_by"], c["post"])
                if step["first_said_by"] and key not in seen:
                    seen.add(key)
                    yield Endorsement(c["author"], step["first_said_by"], c["created"], "support", c["post"])
