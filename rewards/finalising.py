"""The end of a round: final amounts and root, held shares that are claimed or expire, and what was sent.

After `finalise` the round's file does not change any more. Held shares that are claimed later are paid in further batches,
each with its own root (`batches/<round>/<n>.json`); so nobody can be paid twice by a second root over the same payees.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index import tables_rewards as tables
from index import tables_rounds
from index.counted import counted
from index.errors import StateError, StoreError, UnknownName, UsageError
from index.records import Allocation, Payout, Round
from index.store import Store
from index.workspace import Workspace, write_atomic
from rewards import ledger, merkle
from rewards.allocation import Settlement, payouts, settle
from rewards.corrections import corrections_of
from rewards.disputes import disputes_of, window_end
from rewards.ledger import Event
from rewards.published import life_value, read_round, snapshot_text, snapshot_value
from rewards.results import lately, outcome_value, result_of, settle_result
from rewards.rounds import find_round, frozen_of, require, rules_of
from rewards.rules import after, read_rules
from rewards.teams import teams_of

BATCH_SCHEMA = "precipitate/batch/1"
BATCHES = "batches"  # in the folder of rounds


@dataclass(frozen=True, slots=True)
class FinalReport:
    round: Round
    settlement: Settlement
    merkle_root: str | None
    claim_until: str
    notes: tuple[str, ...]
    path: Path


def finalise(store: Store, workspace: Workspace, name: str, at: str | None = None) -> FinalReport:
    """Make an allocated round final: its window is over and every dispute decided.

    Opt-outs and deletions until now count by the round's rules, and payees are those of now: who claimed since the freeze is
    paid. From here on amounts do not change. Raises StateError inside the window or with open disputes.
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    require(round_, ("allocated",), "it is made final once, after it was allocated")
    events = ledger.read_events(store)
    mine = ledger.about(events, name)
    if at < window_end(mine):
        raise StateError(f"round {name} can be disputed until {window_end(mine)}, it is {at} now", "wait until then")
    open_ones = [dispute.id for dispute in disputes_of(mine) if dispute.outcome is None]
    if open_ones:
        raise StateError(
            f"round {name} has open disputes: {', '.join(open_ones)}", f"decide them first: precipitate round decide {name} {open_ones[0]}"
        )
    frozen, known = frozen_of(workspace, events, name), corrections_of(mine)
    fresh = lately(store, frozen, result_of(frozen, known).amounts, known)
    found = result_of(frozen, [*known, *fresh])
    before = settle_result(round_, frozen, found)
    round_, teams = replace(round_, state="final"), teams_of(store)
    settlement = settle(round_, found.inputs.points, tables.identities(store), found.amounts, teams)
    settlement = replace(settlement, allocations=tuple(_in_batch(a, 1) for a in settlement.allocations))
    claim_until = after(at, read_rules(frozen["rules"]).claim_within)
    made = Event("round_finalised", at, name, outcome_value(settlement, found) | {"claim_until": claim_until, "batch": 1})
    changed = _payee_changes(store, before, settlement, at, name)
    path = workspace.rounds / f"{name}.json"
    members = {team.name: dict(team.members) for team in teams.values()}
    with store.transaction():
        head = ledger.append(store, [*(Event("corrected", at, name, c.value()) for c in fresh), *changed, made])
        tables.replace_allocations(store, name, settlement.allocations)
        tables_rounds.set_round(store, name, "final", round_.budget)
        life = life_value([*mine, made], head, rules_of(store, round_))
        write_atomic(path, snapshot_text(snapshot_value(round_, {**frozen, "teams": members}, found, settlement, life)))
    ledger.publish(store, workspace)
    notes = [f"lowered by opt-outs and deletions: {counted(len(fresh), 'share')}"] * bool(fresh)
    notes += [f"paid elsewhere than at the freeze: {counted(len(changed), 'account')}"] * bool(changed)
    return FinalReport(round_, settlement, made.data["merkle_root"], claim_until, tuple(notes), path)


def _in_batch(allocation: Allocation, batch: int) -> Allocation:
    return replace(allocation, batch=batch) if allocation.state == "paid" else allocation


def _payee_changes(store: Store, before: Settlement, now_: Settlement, at: str, name: str) -> list[Event]:
    """Who is paid elsewhere than at the freeze: a claim since then, a rotation, a revocation."""
    identities = tables.identities(store)
    was = {a.author: a for a in before.allocations}
    return [
        Event(
            "payee",
            at,
            name,
            {
                "author": a.author,
                "address_before": was[a.author].address,
                "team_before": was[a.author].team,
                "address": a.address,
                "team": a.team,
                "origin": identities[a.author].origin if a.author in identities else "",
            },
        )
        for a in now_.allocations
        if (a.address, a.team) != (was[a.author].address, was[a.author].team)
    ]


# --- held shares ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SettleReport:
    released: tuple[Allocation, ...]  # paid in `batch`
    expired: tuple[Allocation, ...]
    forfeited: tuple[Allocation, ...]
    held: int  # base units that are still held
    batch: int | None
    path: Path | None


def settle_held(store: Store, workspace: Workspace, name: str, at: str | None = None) -> SettleReport:
    """Deal with a final round's held shares: pay who has claimed since in a new batch, let the others expire at the deadline.

    A claim that was taken before the deadline is paid even if this is run later. Raises StateError where the round is not final.
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    require(round_, ("final",), "held shares are dealt with once it is final")
    events = ledger.read_events(store)
    mine = ledger.about(events, name)
    final = next(event for event in mine if event.kind == "round_finalised")
    _, rules = rules_of(store, round_)
    identities, teams, out = tables.identities(store), teams_of(store), tables_rounds.opt_outs(store)
    rows = tables.allocations(store, name)
    held = [a for a in rows if a.state == "held" and a.amount]
    over = at > final.data["claim_until"]
    forfeited = [replace(a, state="forfeited") for a in held if a.author in out]
    rest = {a.author: a for a in held if a.author not in out}
    as_now = settle(
        replace(round_, budget=sum(a.amount for a in rest.values())),
        {a: r.points for a, r in rest.items()},
        identities,
        {a: r.amount for a, r in rest.items()},
        teams,
    )
    batch = 1 + max((a.batch or 0 for a in rows), default=0)
    batch = max(batch, 2)
    released = [replace(a, batch=batch) for a in as_now.allocations if a.state == "paid"]
    expired = [replace(a, state="expired") for a in as_now.allocations if a.state == "held" and over]
    to = "next" if rules.forfeited == "next" else "residual"
    made = [Event("share_forfeited", at, name, {"author": a.author, "amount": str(a.amount), "goes_to": to}) for a in forfeited]
    made += [Event("share_expired", at, name, {"author": a.author, "amount": str(a.amount), "goes_to": rules.unclaimed}) for a in expired]
    members = {team.name: dict(team.members) for team in teams.values()}
    paid = payouts(released, members)
    made += [Event("share_released", at, name, _released_value(a, members)) for a in released]
    root = merkle.root(merkle.dump(paid)["tree"]) if paid else None
    if paid:
        data = {"batch": batch, "amount": str(sum(p.amount for p in paid)), "payouts": len(paid), "merkle_root": root}
        made.append(Event("batch_made", at, name, data))
    path = workspace.rounds / BATCHES / name / f"{batch}.json" if paid else None
    changed = {a.author: a for a in (*forfeited, *released, *expired)}
    if made:
        with store.transaction():
            ledger.append(store, made)
            tables.replace_allocations(store, name, [changed.get(a.author, a) for a in rows])
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, snapshot_text(_batch_value(name, batch, at, released, paid, members, root)))
        ledger.publish(store, workspace)
    left = sum(a.amount for a in held) - sum(a.amount for a in changed.values())
    return SettleReport(tuple(released), tuple(expired), tuple(forfeited), left, batch if paid else None, path)


def _released_value(a: Allocation, members: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    value = {"author": a.author, "amount": str(a.amount), "address": a.address, "team": a.team, "batch": a.batch}
    return {**value, **({"members": dict(members[a.team])} if a.team else {})}


def _batch_value(
    name: str, batch: int, at: str, released: Sequence[Allocation], paid: Sequence[Payout], members: Mapping[str, Any], root: str | None
) -> dict[str, Any]:
    return {
        "schema": BATCH_SCHEMA,
        "round": name,
        "batch": batch,
        "at": at,
        "merkle_root": root,
        "shares": [{**asdict(a), "amount": str(a.amount)} for a in released],
        "teams": {a.team: members[a.team] for a in released if a.team},
        "payouts": [{"address": p.address, "amount": str(p.amount), "authors": list(p.authors)} for p in paid],
    }


def read_batches(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """The later batches of a round, in order; never opens the database."""
    folder = workspace.rounds / BATCHES / name
    paths = sorted((path for path in folder.glob("*.json") if path.stem.isdecimal()), key=lambda path: int(path.stem))
    try:
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    except (OSError, ValueError) as error:
        raise StoreError(f"a batch in {folder} cannot be read: {error}", "restore it from a copy") from None


def read_payouts(workspace: Workspace, name: str, batch: int | None = None) -> dict[str, Any]:
    """What one batch pays, in the shape of a round's snapshot: what every export of payouts is made from.

    Without a number: the round itself, which is the only one as long as nothing was claimed late. `sent` has the transaction
    of each address that was paid, as the published ledger says.
    """
    sent = sent_addresses(ledger.about(ledger.published_events(workspace), name), batch or 1)
    snapshot = {**read_round(workspace, name), "sent": sent}
    if batch in (None, 1):
        return snapshot
    found = {entry["batch"]: entry for entry in read_batches(workspace, name)}
    if batch not in found:
        raise UnknownName("batch", str(batch), ["1", *map(str, found)], f"round {name} has: {', '.join(['1', *map(str, found)])}")
    entry = found[batch]
    shares = {share["author"]: share for share in entry["shares"]}
    paid = str(sum(int(payout["amount"]) for payout in entry["payouts"]))
    allocations = [
        {
            **a,
            "address": shares[a["author"]]["address"],
            "state": "paid",
            **({"team": team} if (team := shares[a["author"]]["team"]) else {}),
        }
        for a in snapshot["allocations"]
        if a["author"] in shares
    ]
    return {
        **snapshot,
        "round": {**snapshot["round"], "name": f"{name}-batch-{batch}", "budget": paid, "created": entry["at"]},
        "totals": {"points": sum(a["points"] for a in allocations), "paid": paid, "held": "0", "residual": "0"},
        "allocations": allocations,
        "teams": entry["teams"],
        "payouts": entry["payouts"],
        "credits": [record for record in snapshot["credits"] if record["author"] in shares],
        "uncredited": [],
    }


# --- what was sent --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaidReport:
    batch: int
    tx: str
    addresses: tuple[str, ...]
    amount: int


def mark_paid(
    store: Store, workspace: Workspace, name: str, tx: str, batch: int = 1, addresses: Sequence[str] = (), at: str | None = None
) -> PaidReport:
    """Note that payouts of a batch were sent in a transaction: those to `addresses`, else all that were not sent yet.

    Nobody is asked whether it is so. Raises StateError (state, sent before), UsageError (hash) or UnknownName (batch, address).
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    require(round_, ("final",), "only a final round is paid")
    if not re.fullmatch("0x[0-9a-fA-F]{64}", tx):
        raise UsageError(f"{tx!r} is not the hash of a transaction", "give 0x and 64 hex digits")
    due = {p["address"]: int(p["amount"]) for p in read_payouts(workspace, name, batch)["payouts"]}
    sent = sent_addresses(ledger.about(ledger.read_events(store), name), batch)
    by_lower = {address.lower(): address for address in due}
    unknown = [address for address in addresses if address.lower() not in by_lower]
    if unknown:
        raise UnknownName(f"payee of batch {batch}", unknown[0], [], f"`precipitate export payouts --round {name} --format csv` lists them")
    wanted = sorted({by_lower[address.lower()] for address in addresses} if addresses else due.keys() - sent.keys())
    again = [address for address in wanted if address in sent]
    if not due:
        raise StateError(f"batch {batch} of round {name} pays nobody", f"`precipitate round show {name}` says whose shares are held")
    if again or not wanted:
        what = f"the payout to {again[0]} was sent in {sent[again[0]]}" if again else f"all payouts of batch {batch} were sent before"
        raise StateError(what, "a payout is marked once")
    amount = sum(due[address] for address in wanted)
    data = {"batch": batch, "tx": tx.lower(), "addresses": wanted, "amount": str(amount)}
    with store.transaction():
        ledger.append(store, [Event("payout_paid", at, name, data)])
    ledger.publish(store, workspace)
    return PaidReport(batch, tx.lower(), tuple(wanted), amount)


def sent_addresses(events: Iterable[Event], batch: int) -> dict[str, str]:
    """Address → transaction, of what was marked as sent."""
    return {
        address: e.data["tx"] for e in events if e.kind == "payout_paid" and e.data["batch"] == batch for address in e.data["addresses"]
    }
