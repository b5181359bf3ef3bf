"""What credit is computed from, beside the procedures: facts about posts, moments, trust, questions, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rewards.moments import Moment
from rewards.novelty import Near

Span = tuple[str, int, int]  # post, start, end
Result = Literal["worked", "failed", "partly"]
WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class PostFacts:
    """What the store knows of a cited post."""

    author: str
    payable: bool  # its source's posts may be paid for
    gone: bool  # deleted or removed since
    likers: tuple[str, ...] = ()  # distinct authors
    unnamed_likes: int = 0  # likes whose authors the network hides
    forums_own: bool = False  # written by an account of the forum itself: nobody to pay


@dataclass(frozen=True, slots=True)
class Question:
    """What a post answers: the post that it replies to, or its thread's opening post, where that asks something."""

    author: str
    post: str
    created: str
    start: int
    end: int
    exact: str
    handle: str = ""
    permalink: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody carried an SOP or one of its steps out, and said how it went, in the log of outcomes."""

    author: str  # an author id, or the key that signed
    procedure: str
    step: int | None
    result: Result
    created: str
    receipt: str  # "outcome:" and the digest of what was signed
    part_bp: int = WHOLE  # of a report about a fork: what the origins get of it
    pays: bool = True  # whether its author is paid for it here: for one about a fork they are paid there


@dataclass(frozen=True, slots=True)
class Evidence:
    """Without any, every date is believed and everybody is trusted fully."""

    moments: Mapping[Span, Moment] = field(default_factory=dict)  # only where it is not the post's own date
    trust: Mapping[str, int] | None = None  # author → basis points; None: nothing is known of anybody
    questions: Mapping[str, Question] = field(default_factory=dict)  # by the answering post
    reports: Sequence[Report] = ()
    composers: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # composed SOP → (who made it, when)

    near: Sequence[Near] = ()  # steps of different SOPs that say the same in other words
    echoes: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (post, words) → an earlier post that has them
    persons: Mapping[str, str] = field(default_factory=dict)  # account → the first account of the same person, where it has several

    def person(self, account: str) -> str:
        return self.persons.get(account, account)

    def level(self, author: str) -> int:
        return WHOLE if self.trust is None else self.trust.get(author, 0)


def forums_own(author: str, handle: str) -> bool:
    """Discourse's own accounts: `system` and the tour's robot. They have negative ids, archives may have names alone."""
    last = author.rpartition("/")[2]
    return (last.startswith("-") and last[1:].isdecimal()) or handle.casefold() in ("system", "discobot")
