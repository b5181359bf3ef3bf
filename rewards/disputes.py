"""Disputes: somebody says within the window that a round's amounts are wrong, somebody decides, and what changes is an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from index import tables_rewards as tables
from index.errors import MoneyError, StateError, UnknownName, UsageError
from index.store import Store
from index.workspace import Workspace, write_atomic
from rewards import ledger
from rewards.allocation import Settlement
from rewards.corrections import DISPUTE, Correction, corrections_of
from rewards.identities import find_author
from rewards.ledger import Event
from rewards.money import format_amount
from rewards.policies import zero_or_amount
from rewards.published import life_value, snapshot_text, snapshot_value
from rewards.results import result_of, settle_result
from rewards.rounds import find_round, frozen_of, require, rules_of, terms_of

OUTCOMES = ("upheld", "rejected")


@dataclass(frozen=True, slots=True)
class Dispute:
    id: str  # "r1-d1"
    author: str  # who disputes
    reason: str
    evidence: tuple[str, ...]  # posts
    at: str
    outcome: str | None  # "upheld" | "rejected"; None as long as it is open
    decided: str | None  # why


def disputes_of(events: Iterable[Event]) -> list[Dispute]:
    """A round's disputes since it was frozen last."""
    found: dict[str, Dispute] = {}
    for event in events:
        if event.kind == "round_frozen":
            found = {}
        elif event.kind == "dispute_raised":
            data = event.data
            found[data["dispute"]] = Dispute(data["dispute"], data["author"], data["reason"], tuple(data["evidence"]), event.at, None, None)
        elif event.kind == "dispute_decided":
            open_one = found[event.data["dispute"]]
            found[open_one.id] = replace(open_one, outcome=event.data["outcome"], decided=event.data["reason"])
    return list(found.values())


def window_end(events: Iterable[Event]) -> str:
    return str([event.data["window_ends"] for event in events if event.kind == "round_allocated"][-1])


def raise_dispute(
    store: Store, workspace: Workspace, name: str, who: str, reason: str, evidence: Sequence[str] = (), at: str | None = None
) -> Dispute:
    """Note that an author disputes an allocated round. It cannot be final until that is decided.

    Raises StateError (the round's state, the window), UsageError (no reason) or UnknownName (author, a post that is not stored).
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    require(round_, ("allocated",), "only an allocated round can be disputed, until it is final")
    events = ledger.about(ledger.read_events(store), name)
    ends = window_end(events)
    if at > ends:
        raise StateError(
            f"the window of round {name} closed at {ends}, it is {at} now", "what is wrong with it can be made good in the next round"
        )
    if not reason.strip():
        raise UsageError("a dispute needs a reason", 'give --reason "…": it is published with the round')
    person = find_author(store, who)
    stored = {row["id"] for row in tables.post_rows(store, evidence)}
    for post in evidence:
        if post not in stored:
            raise UnknownName("post", post, [], "give the id of a post that was read, such as discourse:forum.example.org/p/12")
    number = sum(event.kind == "dispute_raised" for event in events) + 1
    made = Dispute(f"{name}-d{number}", person.id, reason.strip(), tuple(evidence), at, None, None)
    data = {"dispute": made.id, "author": made.author, "reason": made.reason, "evidence": list(evidence)}
    with store.transaction():
        ledger.append(store, [Event("dispute_raised", at, name, data)])
    ledger.publish(store, workspace)
    return made


def decide(
    store: Store,
    workspace: Workspace,
    name: str,
    dispute_id: str,
    outcome: str,
    reason: str,
    amounts: Sequence[str] = (),
    at: str | None = None,
) -> tuple[Dispute, Settlement]:
    """Decide a dispute. An upheld one may set amounts, each `AUTHOR=TOKENS`; all is published anew.

    What is taken is left over; what is given comes from what is left over, and no more than that. Raises StateError,
    UsageError, UnknownName or MoneyError (over the budget or the cap).
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    require(round_, ("allocated",), "a dispute is decided before the round is final")
    if outcome not in OUTCOMES:
        raise UnknownName("outcome", outcome, OUTCOMES)
    if not reason.strip():
        raise UsageError("a decision needs a reason", 'give --reason "…": it is published with the round')
    events = ledger.read_events(store)
    mine = ledger.about(events, name)
    open_ones = {dispute.id: dispute for dispute in disputes_of(mine) if dispute.outcome is None}
    if dispute_id not in open_ones:
        raise UnknownName("open dispute", dispute_id, open_ones)
    if amounts and outcome == "rejected":
        raise UsageError("a rejected dispute changes no amounts", "leave --set out, or say --uphold")
    frozen, known = frozen_of(workspace, events, name), corrections_of(mine)
    fresh = _corrections(store, round_.decimals, dispute_id, amounts, result_of(frozen, known).amounts)
    _check_cap(store, round_, fresh)
    found = result_of(frozen, [*known, *fresh])
    settlement = settle_result(round_, frozen, found)
    decided = Event("dispute_decided", at, name, {"dispute": dispute_id, "outcome": outcome, "reason": reason.strip()})
    with store.transaction():
        head = ledger.append(store, [decided, *(Event("corrected", at, name, c.value()) for c in fresh)])
        tables.replace_allocations(store, name, settlement.allocations)
        life = life_value(mine, head, rules_of(store, round_))
        write_atomic(workspace.rounds / f"{name}.json", snapshot_text(snapshot_value(round_, frozen, found, settlement, life)))
    ledger.publish(store, workspace)
    return replace(open_ones[dispute_id], outcome=outcome, decided=reason.strip()), settlement


def _corrections(store: Store, decimals: int, dispute: str, texts: Sequence[str], amounts: dict[str, int]) -> list[Correction]:
    found: dict[str, Correction] = {}
    for text in texts:
        who, sign, tokens = text.rpartition("=")
        if not sign:
            raise UsageError(f"{text!r} sets no amount", "write AUTHOR=TOKENS, such as --set ann@forum.example.org=120.5")
        author = find_author(store, who).id
        if author in found:
            raise UsageError(f"{who} is set twice", "set each author once")
        after = zero_or_amount(tokens, decimals, f"amount of {who}")
        found[author] = Correction(author, amounts.get(author, 0), after, DISPUTE, dispute, "residual")
    total = sum(amounts.values()) + sum(c.after - c.before for c in found.values())
    round_ = find_round(store, dispute.rpartition("-d")[0])
    if total > round_.budget:
        over = format_amount(total - round_.budget, decimals)
        raise MoneyError(
            f"the amounts would be {over} over the budget of {format_amount(round_.budget, decimals)}",
            "set somebody else lower by that much",
        )
    return sorted((c for c in found.values() if c.before != c.after), key=lambda c: (c.after - c.before, c.author))


def _check_cap(store: Store, round_: Any, corrections: Iterable[Correction]) -> None:
    cap = terms_of(store, round_).cap
    for correction in corrections:
        if cap is not None and correction.after > cap:
            shown = [format_amount(amount, round_.decimals) for amount in (correction.after, cap)]
            raise MoneyError(f"{correction.author} would get {shown[0]}, the cap is {shown[1]}", "a round's cap holds for corrections, too")
