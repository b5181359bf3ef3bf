"""Procedures and facts about posts → credits, in integer points. Pure: no store, no clock, no floats.

Every step has the same pool of POINTS_PER_STEP, whatever its length and however many posts repeat it. Shares of it
(basis points, `[rewards]` in precipitate.toml):

- `first_said` to the author of the earliest post that states the step, ties by post id. Later statements are copies.
- `amended` to authors whose amendment of the step was taken up, in the order of speaking: each weighs half of the one
  before, so the first keeps at least half of the share however many come after, and who splits into many accounts
  wins only the tail.
- `confirmed` to others who confirmed or supported the step, weighed the same way: vouching early is worth more than
  joining in.
- `liked` is added on top: likes of the post that said the step first, on a curve that doubles for each further level.

An author earns at most one of the first three in a step. A share without a taker stays unearned, and so does the share
of a taker who may not be paid: were it passed on, an author would gain by keeping others from being credited, and the
same sentence would be worth more in an empty thread than in a lively one. Points are relative, so nothing is lost to
the round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.config import RewardsConfig
from index.errors import ConfigError
from index.records import Credit
from index.tables_rewards import LIKE_KINDS as LIKE_KINDS
from index.tables_rewards import Uncredited
from rewards.novelty import copied_steps

POINTS_PER_STEP = 1_000_000
LIKE_LEVELS = 5  # a level needs twice the likes of the one before: 1, 3, 7, 15, 31

ROLES = ("first_said", "amended", "confirmed", "liked")


@dataclass(frozen=True, slots=True)
class PostFacts:
    """What the store knows of a cited post."""

    author: str
    payable: bool  # its source's posts may be paid for
    gone: bool  # deleted or removed since
    likers: tuple[str, ...] = ()  # distinct authors
    unnamed_likes: int = 0  # likes whose authors the network hides


@dataclass(frozen=True, slots=True)
class Earned:
    credits: tuple[Credit, ...]
    uncredited: tuple[Uncredited, ...]


@dataclass(frozen=True, slots=True)
class _Voice:
    """One author's earliest post in one role of one step."""

    author: str
    post: str
    created: str


class _Ledger:
    """Collects what a step's voices earn, and what they do not and why."""

    def __init__(self, facts: Mapping[str, PostFacts]) -> None:
        self.facts = facts
        self.created: dict[str, str] = {}  # of credited posts
        self.credits: list[Credit] = []
        self.uncredited: list[Uncredited] = []

    def grant(self, at: _At, voice: _Voice, role: str, points: int, why: str) -> None:
        """Credit the voice, unless its post may not be paid."""
        bar = _bar(self.facts.get(voice.post), voice)
        if bar is None and points == 0:
            bar = ("share too small", f"{why}: the share comes to no whole point")
        if bar:
            self.refuse(at, voice, role, *bar)
            return
        self.created[voice.post] = voice.created
        self.credits.append(Credit(voice.author, at.procedure, at.version_id, at.step, role, points, voice.post, why))

    def refuse(self, at: _At, voice: _Voice, role: str, reason: str, detail: str) -> None:
        self.uncredited.append(Uncredited(voice.author, at.procedure, at.version_id, at.step, role, voice.post, reason, detail))


@dataclass(frozen=True, slots=True)
class _At:
    """A step's address."""

    procedure: str
    version_id: str
    step: int


def earn(
    records: Sequence[Mapping[str, Any]],
    facts: Mapping[str, PostFacts],
    weights: RewardsConfig,
    returned: frozenset[tuple[str, str]] = frozenset(),
) -> Earned:
    """Credits of all current procedures, sorted; the order of `records` and of what is in them does not matter.

    `returned`: (liker, author) pairs whose author likes the liker's posts too. Raises ConfigError on shares over a whole.
    """
    if weights.first_said_bp + weights.amended_bp + weights.confirmed_bp > 10_000:
        raise ConfigError("rewards: first_said_bp + amended_bp + confirmed_bp is over 10000", "lower one of them in precipitate.toml")
    copies = copied_steps(records)
    ledger = _Ledger(facts)
    for record in sorted(records, key=lambda record: str(record["id"])):
        for step in sorted(record["steps"], key=lambda step: int(step["n"])):
            at = _At(record["id"], record["version_id"], step["n"])
            heard = _hear(step, record["stances"])
            copy = copies.get((at.procedure, at.step))
            if heard and copy:
                _refuse_step(ledger, at, heard, copy)
            elif heard:
                _earn_step(ledger, at, heard, weights)
    _earn_likes(ledger, weights.likes_bp, returned)
    return Earned(
        tuple(sorted(ledger.credits, key=lambda c: (c.procedure, c.step, ROLES.index(c.role), c.author, c.post))),
        tuple(sorted(ledger.uncredited, key=lambda u: (u.procedure, u.step, u.role, u.author, u.post, u.reason))),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """Who spoke to a step, each author once, in the order of speaking."""

    first: _Voice
    copiers: list[_Voice]  # others who state it later
    amenders: list[_Voice]
    confirmers: list[_Voice]


def _hear(step: Mapping[str, Any], stances: Sequence[Mapping[str, Any]]) -> _Step | None:
    """Sort a step's citations and stances by role; None where nobody states it, so nothing is amended or confirmed."""
    states = [c for c in step["citations"] if c["role"] == "states"]
    if not states:
        return None
    first, *later = _voices(states)
    on_step = [stance for stance in stances if stance["step"] == step["n"]]
    amenders = [v for v in _voices(s["citation"] for s in on_step if s["kind"] == "amendment") if v.author != first.author]
    taken = {first.author, *(voice.author for voice in amenders)}
    # A post that restates the step is a copy of it, and does not become a confirmation by being nice about it.
    restating = {c["post"] for c in states}
    agreeing = [c for c in step["citations"] if c["role"] == "confirms"] + [s["citation"] for s in on_step if s["kind"] == "support"]
    confirmers = [v for v in _voices(c for c in agreeing if c["post"] not in restating) if v.author not in taken]
    return _Step(first, [v for v in later if v.author not in taken], amenders, confirmers)


def _earn_step(ledger: _Ledger, at: _At, heard: _Step, weights: RewardsConfig) -> None:
    copiers = len(heard.copiers)
    repeats = f"; {copiers} who repeated it later earn{'s' * (copiers == 1)} nothing for that" if copiers else ""
    ledger.grant(at, heard.first, "first_said", _share(weights.first_said_bp), f"first to say step {at.step}{repeats}")
    for voice in heard.copiers:
        ledger.refuse(at, voice, "first_said", "late copy", f"step {at.step} was said before, in post {heard.first.post}")
    _grant_in_order(ledger, at, "amended", heard.amenders, _share(weights.amended_bp), "amendment")
    _grant_in_order(ledger, at, "confirmed", heard.confirmers, _share(weights.confirmed_bp), "confirmation")


def _refuse_step(ledger: _Ledger, at: _At, heard: _Step, why: str) -> None:
    """A copied step earns nothing for anyone: what was said of it belongs to the original."""
    by_role = {"first_said": [heard.first, *heard.copiers], "amended": heard.amenders, "confirmed": heard.confirmers}
    for role, voices in by_role.items():
        for voice in voices:
            ledger.refuse(at, voice, role, "copied step", why)


def _voices(citations: Iterable[Mapping[str, Any]]) -> list[_Voice]:
    """Each author's earliest citation, in the order of speaking: a second mention is not a second contribution."""
    earliest: dict[str, _Voice] = {}
    for cited in sorted(citations, key=lambda c: (c["created"], c["post"], c["start"])):
        earliest.setdefault(cited["author"], _Voice(cited["author"], cited["post"], cited["created"]))
    return list(earliest.values())


def _share(basis_points: int) -> int:
    return POINTS_PER_STEP * basis_points // 10_000


def _grant_in_order(ledger: _Ledger, at: _At, role: str, voices: Sequence[_Voice], pool: int, noun: str) -> None:
    for place, (voice, points) in enumerate(zip(voices, halving_shares(pool, len(voices)), strict=True), 1):
        ledger.grant(at, voice, role, points, f"{noun} {place} of {len(voices)} of step {at.step}, in order of speaking")


def halving_shares(pool: int, count: int) -> list[int]:
    """Split `pool` so that each weighs half of the one before, exactly; what rounding leaves goes to the first."""
    if count == 0:
        return []
    whole = 2**count - 1
    shares = [pool * 2 ** (count - 1 - place) // whole for place in range(count)]
    shares[0] += pool - sum(shares)
    return shares


def _earn_likes(ledger: _Ledger, likes_bp: int, returned: frozenset[tuple[str, str]]) -> None:
    """Add the likes of first statements. A liker counts once for an author, at the earliest post that was liked.

    Own likes and likes that the author returns count nothing: likes exchanged by a ring say nothing of the words.
    """
    firsts = [credit for credit in ledger.credits if credit.role == "first_said"]
    levels: dict[str, tuple[int, str]] = {}
    counted: set[tuple[str, str]] = set()
    for post in sorted({credit.post for credit in firsts}, key=lambda post: (ledger.created[post], post)):
        facts = ledger.facts[post]
        fresh = {(liker, facts.author) for liker in facts.likers if liker != facts.author} - returned - counted
        counted |= fresh
        levels[post] = (
            like_level(len(fresh), facts.unnamed_likes),
            _why_liked(len(fresh), facts.unnamed_likes, len(facts.likers) - len(fresh)),
        )
    for credit in firsts:
        level, why = levels[credit.post]
        points = _share(likes_bp) * level // LIKE_LEVELS
        if points:
            liked = Credit(credit.author, credit.procedure, credit.version_id, credit.step, "liked", points, credit.post, why)
            ledger.credits.append(liked)


def _why_liked(named: int, unnamed: int, left_out: int) -> str:
    why = f"the post has {named} like{'s' * (named != 1)} of others" + (f" and {unnamed} unnamed" if unnamed else "")
    return why + (f"; not counted: {left_out} own, returned, or counted at another post" if left_out else "")


def like_level(named: int, unnamed: int) -> int:
    """0 to LIKE_LEVELS: log2 of one plus the likes, rounded down; an unnamed like weighs half, as nobody vouches for it."""
    return min(LIKE_LEVELS, ((2 + 2 * named + unnamed) // 2).bit_length() - 1)


def _bar(facts: PostFacts | None, voice: _Voice) -> tuple[str, str] | None:
    """Why a post cannot be a receipt, if it cannot: a short reason and plain words."""
    if facts is None or facts.author != voice.author:
        return "no receipt", f"post {voice.post} by {voice.author} is not in the store"
    if facts.gone:
        return "post gone", f"post {voice.post} was deleted or removed"
    if not facts.payable:
        return "source not payable", f"the source of post {voice.post} does not allow paid posts"
    return None
