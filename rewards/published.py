"""A round's published file, which readers open in place of the database: as it is written, as it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from index.errors import StateError, StoreError, UnknownName, UsageError
from index.records import Round
from index.workspace import Workspace
from rewards import ledger, policies
from rewards.allocation import Settlement
from rewards.frozen import terms_from
from rewards.ledger import Event
from rewards.own_weights import own_value
from rewards.results import Result
from rewards.rules import Rules, rules_value

ROUND_SCHEMA = "precipitate/round/1"


# --- writing --------------------------------------------------------------------------------------------------------


def life_value(events: Sequence[Event], head: Any, of: tuple[str | None, Rules]) -> dict[str, Any]:
    """Where the round is in its life, and the ledger's head as it was: who has the file can tell a ledger that was written anew."""
    last = {event.kind: event for event in events}
    allocated = last["round_allocated"]
    final = last.get("round_finalised")
    return {
        "program": of[0],
        "rules": rules_value(of[1]),
        "frozen": allocated.data["frozen"],
        "allocated_at": allocated.at,
        "window_ends": allocated.data["window_ends"],
        "finalised_at": final.at if final else None,
        "claim_until": final.data["claim_until"] if final else None,
        "ledger": {"seq": head.seq, "hash": head.hash},
    }


def snapshot_value(
    round_: Round, frozen: Mapping[str, Any], found: Result, settlement: Settlement, life: Mapping[str, Any]
) -> dict[str, Any]:
    """The round as readers see it. Amounts are strings of base units: JSON numbers lose digits past 2**53 elsewhere."""
    people = {
        record["author"]: {"handle": record["handle"], "source": record["source"]} for record in (*frozen["credits"], *frozen["uncredited"])
    }
    nobody = {"handle": "", "source": ""}
    earned: dict[str, int] = {}
    for record in frozen["credits"]:
        earned[record["author"]] = earned.get(record["author"], 0) + record["points"]
    snapshot = {
        "schema": ROUND_SCHEMA,
        "round": {**asdict(round_), "budget": str(round_.budget)},
        "release": frozen["release"],
        "life": life,
        "totals": {
            "points": sum(a.points for a in settlement.allocations),
            "paid": str(settlement.paid),
            "held": str(settlement.held),
            "residual": str(settlement.residual),
        },
        "allocations": [
            {
                "author": a.author,
                **people.get(a.author, {**nobody, "handle": a.author}),
                "points": a.points,
                "amount": str(a.amount),
                "address": a.address,
                "state": a.state,
                **({"team": a.team} if a.team else {}),
            }
            for a in settlement.allocations
        ],
        "excluded": [
            {"author": author, **people.get(author, nobody), "points": earned[author], "reason": reason}
            for author, reason in sorted(found.excluded.items())
        ],
        "corrections": [correction.value() for correction in found.corrections],
        "payouts": [{"address": p.address, "amount": str(p.amount), "authors": list(p.authors)} for p in settlement.payouts],
        "credits": frozen["credits"],
        "uncredited": frozen["uncredited"],
    }
    teams = {a.team: frozen["teams"].get(a.team) for a in settlement.allocations if a.team}
    if teams:
        snapshot["teams"] = teams
    weights = terms_from(frozen).weights
    if weights is not None:
        snapshot["weights"] = own_value(weights)
    if not terms_from(frozen).plain:  # else points say all: what is published is what can be checked
        snapshot["policy"] = policies.policy_value(terms_from(frozen), found.inputs, found.shares)
    return snapshot


def snapshot_text(snapshot: Mapping[str, Any]) -> str:
    return json.dumps(snapshot, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


# --- reading --------------------------------------------------------------------------------------------------------


def check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith("."):
        raise UsageError(f"round name {name!r} cannot be a file name", "use letters, digits, - and _, such as r1 or 2024-q2")


def waiting_round(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """A round that is made and not allocated, as the ledger tells it; None where it is allocated, or not there."""
    mine = ledger.about(ledger.published_events(workspace), name)
    state = told_states(mine).get(name)
    if state is None or state in ("allocated", "final"):
        return None
    last = {event.kind: event.data for event in mine}
    made, frozen = last["round_made"], last.get("round_frozen", {})
    round_ = {key: made[key] for key in ("name", "token", "decimals", "policy", "created")}
    round_ |= {"budget": frozen.get("budget", made["budget"]), "state": state}
    told = {"round": round_, "program": made["program"], "terms": made["terms"], "rules": made["rules"]}
    return {**told, "frozen": frozen.get("root"), "excluded": frozen.get("excluded", {}), "next": next_command(name, state)}


STATE_AFTER = {
    "round_made": "new",
    "round_opened": "open",
    "round_frozen": "frozen",
    "round_allocated": "allocated",
    "round_finalised": "final",
}


def told_states(events: Iterable[Event]) -> dict[str, str]:
    """Where each round stands by the ledger, for readers, who have no database."""
    return {event.subject: STATE_AFTER[event.kind] for event in events if event.kind in STATE_AFTER}


def next_command(name: str, state: str) -> str:
    """What is done with a round in a state."""
    if state == "final":
        return f"`precipitate round show {name}` has its amounts, `precipitate round settle {name}` pays late claims"
    return f"next: precipitate round {'finalise' if state == 'allocated' else 'allocate'} {name}"


def read_round(workspace: Workspace, name: str) -> dict[str, Any]:
    """The published snapshot of an allocated round; never opens the database.

    Raises UnknownName where there is no such round, StateError where it is not allocated yet, StoreError for a damaged file.
    """
    check_name(name)
    path = workspace.rounds / f"{name}.json"
    if not path.is_file():
        states = told_states(ledger.published_events(workspace))
        if name in states:
            raise StateError(f"round {name} is {states[name]}: nothing is shared out yet", next_command(name, states[name]))
        raise UnknownName("round", name, states)
    try:
        snapshot: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}", "restore it from a copy; `precipitate round audit` says more") from None
    if not isinstance(snapshot, dict) or snapshot.get("schema") != ROUND_SCHEMA:
        raise StoreError(f"{path} is not a {ROUND_SCHEMA} file", "restore it from a copy; `precipitate round audit` says more")
    return snapshot
