"""Procedures and evidence → credits, in integer points. Pure: no store, no clock, no floats.

Every step has the same pool of POINTS_PER_STEP, whatever its length and however many posts repeat it. Shares of it
(basis points, `[rewards]` in precipitate.toml, argued in docs/decisions/0017):

- `first_said` to the author of the earliest post that states the step, ties by post id. Later statements are copies.
- `amended`, a part of that, to others who amended it: near-duplicates are one amendment, its earliest speaker's; Shapley
  shares among them. What no other takes stays with who said it first: so amending oneself, also from a second account,
  neither gains nor costs anything.
- `confirmed` to others who confirmed or supported the step, first come, first served: each takes as much of the share as
  they are trusted, until nothing is left. It goes to nobody where trusted dissent outweighs the support.
- `objected` to who objected before a correction that changed the step.
- `asked`, a part of `first_said`, too, to another who asked what drew the step out, as far as they and others who stood
  behind the answer are trusted.
- `outcome` to who reported how it went, and `worked` to who said the step, as far as those who say it worked are trusted.
- `supported`, once for a procedure, to who stood behind all of it; `composed` to who made an SOP of others that worked.
- `liked`, on top, for likes of the post that said the step first, on a curve that doubles for each further level.

All but the first need trust: what a voice takes grows in proportion to it, so dividing it among accounts changes nothing.
Trust is a budget for each way of speaking (AT_FULL): an account that vouches for n steps counts for each of them an nth, so
vouching for everything is worth no more than vouching for one thing.
A share without a taker stays unearned, and so does the share of a taker who may not be paid: were it passed on, an author
would gain by keeping others from being credited. Points are relative, so nothing is lost to the round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from index.config import RewardsConfig
from index.records import Credit
from index.tables_rewards import LIKE_KINDS as LIKE_KINDS
from index.tables_rewards import Uncredited
from rewards.facts import Evidence, PostFacts, Report
from rewards.hearing import Heard, Person, Told, Voice, hear, once, reported
from rewards.novelty import copied_steps
from rewards.shapley import shapley
from rewards.weights import checked

__all__ = ["POINTS_PER_STEP", "ROLES", "Earned", "Evidence", "PostFacts", "earn", "like_level"]

POINTS_PER_STEP = 1_000_000
LIKE_LEVELS = 5  # a level needs twice the likes of the one before: 1, 3, 7, 15, 31
ROLES = ("first_said", "amended", "objected", "confirmed", "asked", "outcome", "worked", "supported", "composed", "liked")
FULL = 10_000
AT_FULL = {"vouch": 1, "ask": 5, "amend": 5}  # steps that an account speaks to at its full trust: a word of praise costs least
WHOLE_SOP = 0  # the step of what is about the whole procedure


@dataclass(frozen=True, slots=True)
class Earned:
    credits: tuple[Credit, ...]
    uncredited: tuple[Uncredited, ...]


@dataclass(frozen=True, slots=True)
class _At:
    """A step's address."""

    procedure: str
    version_id: str
    step: int


class _Ledger:
    """Collects what voices earn, and what they do not and why."""

    def __init__(self, facts: Mapping[str, PostFacts], evidence: Evidence, weights: RewardsConfig) -> None:
        self.facts, self.evidence, self.weights = facts, evidence, weights
        self.spoken: Counter[tuple[str, str]] = Counter()  # way of speaking, account → steps that it speaks to so
        self.credits: dict[tuple[str, str, int, str, str], Credit] = {}
        self.uncredited: dict[tuple[str, str, int, str, str], Uncredited] = {}

    def pool(self, role: str) -> int:
        return POINTS_PER_STEP * int(getattr(self.weights, f"{role}_bp")) // FULL

    def voice(self, author: str, way: str = "vouch") -> int:
        """How far an account's word counts for one step, in basis points: its trust, spread over what it speaks to that way."""
        return self.evidence.level(author) * AT_FULL[way] // max(AT_FULL[way], self.spoken[way, author])

    def grant(self, at: _At, voice: Voice, role: str, points: int, why: str, nothing: str = "share too small") -> None:
        """Credit the voice, unless its post may not be paid; `nothing` is the reason where the points are none."""
        bar = _bar(self.facts.get(voice.post), voice)
        if bar is None and points == 0:
            bar = (nothing, f"{why}: the share comes to no whole point")
        if bar:
            self.refuse(at, voice, role, *bar)
            return
        key = (voice.author, at.procedure, at.step, role, voice.post)
        self.credits[key] = Credit(voice.author, at.procedure, at.version_id, at.step, role, points, voice.post, why)

    def refuse(self, at: _At, voice: Voice, role: str, reason: str, detail: str) -> None:
        key = (voice.author, at.procedure, at.step, role, voice.post)
        self.uncredited.setdefault(key, Uncredited(voice.author, at.procedure, at.version_id, at.step, role, voice.post, reason, detail))


def earn(
    records: Sequence[Mapping[str, Any]],
    facts: Mapping[str, PostFacts],
    weights: RewardsConfig,
    returned: frozenset[tuple[str, str]] = frozenset(),
    evidence: Evidence | None = None,
) -> Earned:
    """Credits of all current procedures, sorted; the order of `records` and of what is in them does not matter.

    `returned`: (liker, author) pairs whose author likes the liker's posts too. Raises ConfigError on shares over a whole.
    """
    evidence = evidence or Evidence()
    ledger = _Ledger(facts, evidence, checked(weights))
    dated = [as_said(record, evidence) for record in sorted(records, key=lambda record: str(record["id"]))]
    copies = copied_steps(dated, evidence.near)
    spoken = [_Spoken.of(record, [r for r in evidence.reports if r.procedure == record["id"]], evidence) for record in dated]
    for said in spoken:
        ledger.spoken.update(said.speaking(evidence))
    for said in spoken:
        _earn_procedure(ledger, said, copies)
    _earn_likes(ledger, returned)
    return Earned(
        tuple(sorted(ledger.credits.values(), key=lambda c: (c.procedure, c.step, ROLES.index(c.role), c.author, c.post))),
        tuple(sorted(ledger.uncredited.values(), key=lambda u: (u.procedure, u.step, u.role, u.author, u.post, u.reason))),
    )


def as_said(record: Mapping[str, Any], evidence: Evidence) -> Mapping[str, Any]:
    """The record with each citation's `created` the moment from which its words count."""
    if not evidence.moments:
        return record

    def told(c: Mapping[str, Any]) -> Mapping[str, Any]:
        moment = evidence.moments.get((c["post"], c["start"], c["end"]))
        return {**c, "created": moment.since} if moment else c

    steps = [{**step, "citations": [told(c) for c in step["citations"]]} for step in record["steps"]]
    return {**record, "steps": steps, "stances": [{**stance, "citation": told(stance["citation"])} for stance in record["stances"]]}


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Everything that was said of a procedure, sorted once."""

    record: Mapping[str, Any]
    heard: dict[int, Heard]  # by step; without steps that nobody states
    told: dict[int, list[Told]]  # reports on a step
    overall: list[Told]  # reports on the whole
    backers: list[Voice]  # who supports the whole, and said none of it
    firsts: frozenset[str]  # the persons who said a step first
    person: Person

    @classmethod
    def of(cls, record: Mapping[str, Any], reports: Sequence[Report], evidence: Evidence) -> _Spoken:
        heard = {step["n"]: spoken for step in record["steps"] if (spoken := hear(step, record["stances"], evidence.person))}
        person = evidence.person
        firsts = frozenset(person(h.first.author) for h in heard.values())
        whole = [stance for stance in record["stances"] if stance["step"] is None]
        support, dissent = ([s["citation"] for s in whole if s["kind"] == kind] for kind in ("support", "dissent"))
        told = {n: spoken.reports + _logged(reports, n, frozenset({person(spoken.first.author)}), person) for n, spoken in heard.items()}
        overall = reported(support, dissent, firsts, person) + _logged(reports, None, firsts, person)
        backers = [voice for voice in once(support, person) if person(voice.author) not in firsts]
        return cls(record, heard, told, overall, backers, firsts, person)

    def of_step(self, n: int) -> list[Told]:
        """Reports on a step, those on the whole among them."""
        known = {self.person(name) for name in (self.heard[n].first.author, *(one.voice.author for one in self.told[n]))}
        return [*self.told[n], *(one for one in self.overall if self.person(one.voice.author) not in known)]

    def speaking(self, evidence: Evidence) -> Counter[tuple[str, str]]:
        """(way of speaking, account) → steps that it speaks to so; one's own steps do not count."""
        found: Counter[tuple[str, str]] = Counter()
        for n, heard in self.heard.items():
            question = evidence.questions.get(heard.first.post)
            ways = {
                "vouch": {v.author for v in heard.confirmers} | {one.voice.author for one in self.of_step(n)},
                "ask": {question.author} if question else set(),
                "amend": {v.author for v in heard.amendments},
            }
            found.update((way, name) for way, names in ways.items() for name in names - {heard.first.author})
        return found


def _earn_procedure(ledger: _Ledger, said: _Spoken, copies: Mapping[tuple[str, int], str]) -> None:
    identifier, version = said.record["id"], said.record["version_id"]
    standing = False
    for n, spoken in sorted(said.heard.items()):
        at = _At(identifier, version, n)
        copy = copies.get((identifier, n)) or _echoed(spoken.first, ledger.evidence)
        if copy:
            _refuse_step(ledger, at, spoken, copy)
        else:
            standing = True
            _earn_step(ledger, at, spoken, said.told[n], said.of_step(n), said.backers)
    at = _At(identifier, version, WHOLE_SOP)
    if identifier in ledger.evidence.composers:
        _earn_reports(ledger, at, said.overall)
        _earn_composed(ledger, at, said.overall, said.firsts)
    else:
        _earn_whole(ledger, at, said.backers, said.overall, standing)


def _echoed(first: Voice, evidence: Evidence) -> str | None:
    """Why words that nobody else is cited for are no news: an earlier post, of this SOP or of one like it, has them."""
    earlier = evidence.echoes.get((first.post, first.exact))
    return f"post {earlier} said it before" if earlier else None


def _logged(reports: Sequence[Report], step: int | None, own: frozenset[str], person: Person) -> list[Told]:
    """Reports of the log about a step, or about the whole; those about one's own steps count nothing."""
    found = [r for r in sorted(reports, key=lambda r: (r.created, r.receipt)) if r.step == step and person(r.author) not in own]
    return [Told(Voice(r.author, r.receipt, r.created), r.result, r.part_bp, r.pays) for r in found]


def _earn_step(ledger: _Ledger, at: _At, heard: Heard, told: Sequence[Told], everyone: Sequence[Told], backers: Sequence[Voice]) -> None:
    copiers = len(heard.copiers)
    repeats = f"; {copiers} who repeated it later earn{'s' * (copiers == 1)} nothing for that" if copiers else ""
    parts = {"amended it": _earn_amendments(ledger, at, heard), "asked for it": _earn_question(ledger, at, heard, everyone, backers)}
    less = "".join(f"; who {what} takes {points:,} of it" for what, points in parts.items() if points)
    left = ledger.pool("first_said") - sum(parts.values())
    ledger.grant(at, heard.first, "first_said", left, f"first to say step {at.step}{repeats}{less}")
    for voice in heard.copiers:
        ledger.refuse(at, voice, "first_said", "late copy", f"step {at.step} was said before, in post {heard.first.post}")
    _in_turn(ledger, at, "objected", heard.objectors, f"objected to step {at.step} before it was corrected")
    _earn_confirmations(ledger, at, heard)
    _earn_reports(ledger, at, told)
    _earn_worked(ledger, at, heard.first, everyone)


def _earn_amendments(ledger: _Ledger, at: _At, heard: Heard) -> int:
    """Shapley shares of a pool that is as full as those who amended are trusted; an author's trust is shared by their
    amendments. Returns what others than the first speaker take of the first speaker's points: also from one who may not be
    paid, else having them barred would pay."""
    pool, count, person = ledger.pool("amended"), len(heard.amendments), ledger.evidence.person
    each = Counter(voice.author for voice in heard.amendments)
    levels = [ledger.voice(voice.author, "amend") // each[voice.author] for voice in heard.amendments]
    shares = shapley(count, lambda players: pool * min(FULL, sum(levels[p] for p in players)) // FULL)
    taken = 0
    for place, (voice, points) in enumerate(zip(heard.amendments, shares, strict=True), 1):
        if person(voice.author) != person(heard.first.author):
            taken += points
            ledger.grant(at, voice, "amended", points, f"amendment {place} of {count} of step {at.step}", "not trusted")
    for voice in heard.repeated:
        ledger.refuse(at, voice, "amended", "late copy", f"this amendment of step {at.step} was made before")
    return taken


def _in_turn(ledger: _Ledger, at: _At, role: str, voices: Sequence[Voice], why: str) -> None:
    """First come, first served: each takes as much of the pool as they are trusted, until nothing is left."""
    pool = left = ledger.pool(role)
    for voice in voices:
        level = min(FULL, ledger.voice(voice.author))
        points = min(left, pool * level // FULL)
        left -= points
        nothing = "not trusted" if level == 0 else "nothing left"
        ledger.grant(at, voice, role, points, f"{why} (trusted {level // 100} %)", nothing)


def _earn_confirmations(ledger: _Ledger, at: _At, heard: Heard) -> None:
    against, for_it = (sum(ledger.voice(v.author) for v in voices) for voices in (heard.dissenters, heard.confirmers))
    if against > for_it:
        for voice in heard.confirmers:
            ledger.refuse(at, voice, "confirmed", "outweighed", f"trusted accounts objected to step {at.step} more than confirmed it")
    else:
        _in_turn(ledger, at, "confirmed", heard.confirmers, f"confirmed step {at.step}")


def _earn_question(ledger: _Ledger, at: _At, heard: Heard, told: Sequence[Told], backers: Sequence[Voice]) -> int:
    """The asker's share is bounded by their own trust, and by that of others who stood behind the answer.

    Returns what it takes of the first speaker's points, so that asking oneself from a second account gains nothing.
    """
    question = ledger.evidence.questions.get(heard.first.post)
    person = ledger.evidence.person
    if question is None or person(question.author) == person(heard.first.author) or question.created >= heard.first.created:
        return 0
    behind = {v.author for v in (*heard.amendments, *heard.confirmers, *backers)} | {t.voice.author for t in told if t.result == "worked"}
    both = {person(question.author), person(heard.first.author)}
    vouched = sum(ledger.voice(author) for author in behind if person(author) not in both)
    level = min(FULL, vouched, ledger.voice(question.author, "ask"))
    points = ledger.pool("asked") * level // FULL
    why = f"asked what step {at.step} answers (trusted {level // 100} %, with those who stood behind it)"
    ledger.grant(at, Voice(question.author, question.post, question.created), "asked", points, why, "not vouched for")
    return points


def _earn_reports(ledger: _Ledger, at: _At, told: Sequence[Told]) -> None:
    where = f"step {at.step}" if at.step else "the SOP"
    pool = left = ledger.pool("outcome")
    seen: set[str] = set()
    for one in told:
        if one.voice.author in seen or not one.pays:
            continue
        seen.add(one.voice.author)
        level = min(FULL, ledger.voice(one.voice.author))
        points = min(left, pool * level // FULL)
        left -= points
        why = f"reported that {where} {_RESULT[one.result]} (trusted {level // 100} %)"
        ledger.grant(at, one.voice, "outcome", points, why, "not trusted" if level == 0 else "nothing left")


_RESULT = {"worked": "worked", "failed": "failed", "partly": "worked in part"}
_HALVES = {"worked": 2, "partly": 1, "failed": -2}


def _strength(ledger: _Ledger, told: Sequence[Told]) -> int:
    """How far trusted accounts say that it worked, in basis points: half for in part, and failures are taken off."""
    seen: dict[str, int] = {}
    for one in told:
        level = min(FULL, ledger.voice(one.voice.author))
        seen.setdefault(one.voice.author, _HALVES[one.result] * level * one.part_bp // (2 * FULL))
    return max(0, min(FULL, sum(seen.values())))


def _earn_worked(ledger: _Ledger, at: _At, first: Voice, told: Sequence[Told]) -> None:
    level = _strength(ledger, told)
    points = ledger.pool("worked") * level // FULL
    if points:
        people = len({t.voice.author for t in told if t.result != "failed"})
        ledger.grant(at, first, "worked", points, f"step {at.step} worked for {people} who reported it (trusted {level // 100} %)")


def _earn_whole(ledger: _Ledger, at: _At, backers: Sequence[Voice], overall: Sequence[Told], standing: bool) -> None:
    """What was said of the procedure as a whole; nothing where every step of it is a copy."""
    if not standing:
        for voice in backers:
            ledger.refuse(at, voice, "supported", "copied step", "every step of this SOP was said before, in another")
        return
    _in_turn(ledger, at, "supported", backers, "stood behind the whole SOP")
    _earn_reports(ledger, at, overall)


def _earn_composed(ledger: _Ledger, at: _At, overall: Sequence[Told], firsts: frozenset[str]) -> None:
    composer, made = ledger.evidence.composers.get(at.procedure, ("", ""))
    person = ledger.evidence.person
    if composer and person(composer) not in firsts:
        level = _strength(ledger, [t for t in overall if person(t.voice.author) != person(composer)])
        points = ledger.pool("worked") * ledger.weights.composed_bp // FULL * level // FULL
        ledger.grant(
            at, Voice(composer, at.procedure, made), "composed", points, "made this SOP of others, and it worked", "no outcome yet"
        )


def _refuse_step(ledger: _Ledger, at: _At, heard: Heard, why: str) -> None:
    """A copied step earns nothing for anyone: what was said of it belongs to the original."""
    by_role = {
        "first_said": [heard.first, *heard.copiers],
        "amended": [v for v in (*heard.amendments, *heard.repeated) if v.author != heard.first.author],
        "objected": heard.objectors,
        "confirmed": heard.confirmers,
    }
    for role, voices in by_role.items():
        for voice in voices:
            ledger.refuse(at, voice, role, "copied step", why)


def _earn_likes(ledger: _Ledger, returned: frozenset[tuple[str, str]]) -> None:
    """Add the likes of first statements, each counting as far as its giver is trusted.

    Own likes and likes that the author returns count nothing: likes exchanged by a ring say nothing of the words.
    """
    pool = POINTS_PER_STEP * ledger.weights.likes_bp // FULL
    for credit in [credit for credit in ledger.credits.values() if credit.role == "first_said"]:
        facts = ledger.facts[credit.post]
        fresh = [liker for liker in facts.likers if liker != facts.author and (liker, facts.author) not in returned]
        weight = sum(ledger.evidence.level(liker) for liker in fresh) + facts.unnamed_likes * ledger.weights.unnamed_like_bp
        points = pool * like_level(weight) // LIKE_LEVELS
        if points:
            why = _why_liked(len(fresh), facts.unnamed_likes, len(facts.likers) - len(fresh), weight)
            key = (credit.author, credit.procedure, credit.step, "liked", credit.post)
            ledger.credits[key] = replace(credit, role="liked", points=points, why=why)


def _why_liked(named: int, unnamed: int, left_out: int, weight: int) -> str:
    why = f"the post has {named} like{'s' * (named != 1)} of others" + (f" and {unnamed} unnamed" if unnamed else "")
    why += f", which count as {weight // FULL} of trusted accounts"
    return why + (f"; not counted: {left_out} own or returned" if left_out else "")


def like_level(weight: int) -> int:
    """0 to LIKE_LEVELS: log2 of one plus the likes, rounded down; `weight` is in basis points of a trusted like."""
    return min(LIKE_LEVELS, (1 + weight // FULL).bit_length() - 1)


def _bar(facts: PostFacts | None, voice: Voice) -> tuple[str, str] | None:
    """Why a post cannot be a receipt, if it cannot: a short reason and plain words. Logged outcomes are checked by their log."""
    if voice.post.startswith(("outcome:", "sop-")):
        return None
    if facts is None or facts.author != voice.author:
        return "no receipt", f"post {voice.post} by {voice.author} is not in the store"
    if facts.gone:
        return "post gone", f"post {voice.post} was deleted or removed"
    if facts.forums_own:
        return "forum's own account", f"post {voice.post} is by an account of the forum itself, not of a person"
    if not facts.payable:
        return "source not payable", f"the source of post {voice.post} does not allow paid posts"
    return None
