"""Programs: rounds that belong together, with a token, defaults, and a pot that one round leaves to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from index import tables_rounds
from index.config import RewardsConfig
from index.errors import UnknownName, UsageError
from index.store import Store, canonical_json
from index.tables_rounds import Program
from index.workspace import Workspace
from rewards import ledger, policies
from rewards.ledger import Event
from rewards.money import check_decimals, parse_token
from rewards.rules import parse_rules
from rewards.weights import weights_value


def new_program(
    store: Store,
    name: str,
    token: str,
    decimals: int,
    defaults: Mapping[str, Any],
    at: str | None = None,
    weights: RewardsConfig | None = None,
    workspace: Workspace | None = None,
) -> Program:
    """Make a program; `defaults` are options as `round new` takes them, `weights` those of credit that its rounds have.

    With the workspace the ledger is published. Raises UsageError, UnknownName or MoneyError.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f"program name {name!r}", "use letters, digits, - and _, such as docs-2026")
    if any(other.name.casefold() == name.casefold() for other in tables_rounds.programs(store)):
        raise UsageError(f"there is a program {name!r} already", "choose another name")
    check_decimals(decimals)
    given = {key: value for key, value in defaults.items() if value not in (None, [], ())}
    policies.parse_terms(given.get("policy", "proportional"), 10**30, decimals, given)  # refused here rather than by each round
    parse_rules(given, name)
    if weights is not None:
        given["weights"] = weights_value(weights)
    program = Program(name, parse_token(token), decimals, canonical_json(given), ledger.moment(store, at))
    with store.transaction():
        tables_rounds.add_program(store, program)
        data = {"token": program.token, "decimals": decimals, "defaults": given}
        ledger.append(store, [Event("program_made", program.created, name, data)])
    if workspace is not None:
        ledger.publish(store, workspace)
    return program


def read_defaults(weights: Mapping[str, int] | None) -> RewardsConfig | None:
    """The weights of credit among a program's defaults."""
    return RewardsConfig(**weights) if weights else None


def program_named(store: Store, name: str) -> Program:
    known = {program.name: program for program in tables_rounds.programs(store)}
    if name not in known:
        raise UnknownName("program", name, known)
    return known[name]


def list_programs(store: Store) -> list[dict[str, Any]]:
    """Every program with its rounds, and what they left to the next one, in base units."""
    events = ledger.read_events(store)
    return [
        {
            "name": program.name,
            "token": program.token,
            "decimals": program.decimals,
            "defaults": json.loads(program.defaults),
            "created": program.created,
            "rounds": tables_rounds.rounds_of_program(store, program.name),
            "pot": str(carried_to(store, events, program.name, "")),
        }
        for program in tables_rounds.programs(store)
    ]


def carried_to(store: Store, events: Iterable[Event], program: str, round_: str) -> int:
    """What the program's other rounds left and none has taken yet, in base units: it goes to the one that freezes next."""
    return pot(events, frozenset(tables_rounds.rounds_of_program(store, program)) - {round_})


def pot(events: Iterable[Event], rounds: frozenset[str]) -> int:
    """What events of `rounds` put by for the next round, less what they took. Only final rounds put by: others may yet change."""
    final: set[str] = set()
    put: dict[str, int] = {}
    taken: dict[str, int] = {}
    for event in events:
        if event.subject not in rounds:
            continue
        if event.kind == "round_frozen":
            put[event.subject], taken[event.subject] = 0, int(event.data["carried"])
        elif event.kind == "corrected" and event.data["goes_to"] == "next":
            put[event.subject] = put.get(event.subject, 0) + int(event.data["before"]) - int(event.data["after"])
        elif event.kind in ("share_expired", "share_forfeited") and event.data["goes_to"] == "next":
            put[event.subject] = put.get(event.subject, 0) + int(event.data["amount"])
        elif event.kind == "round_finalised":
            final.add(event.subject)
    return sum(amount for name, amount in put.items() if name in final) - sum(taken.values())
