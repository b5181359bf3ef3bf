"""Rounds: made, allocated, and published as a file that readers open in place of the database."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index import tables_policies
from index import tables_rewards as tables
from index.errors import StoreError, UnknownName, UsageError
from index.records import Author, Round
from index.store import Store, canonical_json, now
from index.workspace import Workspace, write_atomic
from rewards import policies
from rewards.allocation import Settlement, settle
from rewards.ballots import ballots
from rewards.limits import Earlier
from rewards.money import format_amount, parse_amount, parse_token
from rewards.policies import Inputs, Terms

ROUND_SCHEMA = "precipitate/round/1"


def new_round(
    store: Store,
    name: str,
    budget_text: str,
    token: str,
    decimals: int = 18,
    policy: str = "proportional",
    options: Mapping[str, Any] | None = None,
) -> Round:
    """Open a round; `options` are the policy's settings, see policies.parse_terms.

    Raises UsageError (name, settings), MoneyError (budget, token, decimals) or UnknownName (policy).
    """
    _check_name(name)
    for other in tables.rounds(store):
        if other.name.casefold() == name.casefold():  # one file for both on some disks
            raise UsageError(f"there is a round {other.name!r} already", "choose another name")
    round_ = Round(name, parse_amount(budget_text, decimals), parse_token(token), decimals, policy, "open", now())
    terms = policies.parse_terms(policy, round_.budget, decimals, options)
    with store.transaction():
        tables.add_round(store, round_)
        tables_policies.put_terms(store, name, canonical_json(policies.terms_value(terms)))
    return round_


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith("."):
        raise UsageError(f"round name {name!r} cannot be a file name", "use letters, digits, - and _, such as r1 or 2024-q2")


def find_round(store: Store, name: str) -> Round:
    known = {round_.name: round_ for round_ in tables.rounds(store)}
    if name not in known:
        raise UnknownName("round", name, known)
    return known[name]


def terms_of(store: Store, round_: Round) -> Terms:
    """The round's settings; those of a round from before there were any are the defaults."""
    text = tables_policies.terms(store, round_.name)
    return policies.read_terms(json.loads(text)) if text else policies.parse_terms(round_.policy, round_.budget, round_.decimals)


def inputs_of(store: Store, round_: Round, terms: Terms) -> Inputs:
    """What the round shares by, as it stands: credits, votes, identities, and what earlier rounds of the token gave."""
    past = [r for r in tables.rounds(store) if r.token == round_.token and (r.created, r.name) < (round_.created, round_.name)]
    given = {r.name: tables.allocations(store, r.name) for r in sorted(past, key=lambda r: (r.created, r.name))}
    earlier = [Earlier(n, {a.author: a.points for a in rows}, {a.author: a.amount for a in rows}) for n, rows in given.items() if rows]
    persons = {author: identity.address for author, identity in tables.identities(store).items()}
    return Inputs(tables.points_by_author(store), ballots(store, round_.name, terms.vouch), persons, earlier)


@dataclass(frozen=True, slots=True)
class AllocationReport:
    round: Round
    settlement: Settlement  # what is paid, held and residual, in base units
    path: Path  # the published snapshot
    notes: tuple[str, ...]  # what the operator should know: "replaces …"


def allocate(store: Store, workspace: Workspace, name: str) -> AllocationReport:
    """Allocate a round by the credits as they stand, and publish the snapshot. An allocated round is allocated anew.

    The file is written last inside the transaction: readers see a round that the database has, or the one before.
    """
    before = find_round(store, name)
    identities = tables.identities(store)
    terms = terms_of(store, before)
    inputs = inputs_of(store, before, terms)
    shares = policies.share(terms, inputs, before.budget)
    settlement = settle(before, inputs.points, identities, shares.amounts)
    round_ = replace(before, state="allocated")
    path = workspace.rounds / f"{name}.json"
    notes = [*policies.notes(terms, shares, before.budget, before.decimals), *policies.warnings(terms)]
    if before.state == "allocated":
        old = sum(a.amount for a in tables.allocations(store, name) if a.state == "paid")
        shown = [format_amount(amount, round_.decimals) for amount in (old, settlement.paid)]
        notes.append(f"replaces the earlier allocation of {name}: paid was {shown[0]}, now {shown[1]}")
    swallowed = sum(identity.address.lower() == round_.token.lower() for identity in identities.values())
    if swallowed:
        notes.append(f"{swallowed} identities name the token's own contract: held until they give another address")
    with store.transaction():
        tables.replace_allocations(store, name, settlement.allocations)
        workspace.rounds.mkdir(exist_ok=True)
        snapshot = _snapshot(store, round_, settlement, release_root(workspace))
        if not terms.plain:  # else points say all: what is published is what can be checked
            snapshot["policy"] = policies.policy_value(terms, inputs, shares)
        write_atomic(path, _snapshot_text(snapshot))
    return AllocationReport(round_, settlement, path, tuple(notes))


def _snapshot(store: Store, round_: Round, settlement: Settlement, release: str | None) -> dict[str, Any]:
    """The round as readers see it. Amounts are strings of base units: JSON numbers lose digits past 2**53 elsewhere."""
    people = {author.id: author for author in tables.authors(store)}
    return {
        "schema": ROUND_SCHEMA,
        "round": {**asdict(round_), "budget": str(round_.budget)},
        "release": release,
        "totals": {
            "points": sum(a.points for a in settlement.allocations),
            "paid": str(settlement.paid),
            "held": str(settlement.held),
            "residual": str(settlement.residual),
        },
        "allocations": [
            {
                "author": a.author,
                **_named(people.get(a.author), a.author),
                "points": a.points,
                "amount": str(a.amount),
                "address": a.address,
                "state": a.state,
            }
            for a in settlement.allocations
        ],
        "payouts": [{"address": p.address, "amount": str(p.amount), "authors": list(p.authors)} for p in settlement.payouts],
        "credits": tables.credit_records(store),
        "uncredited": tables.uncredited_records(store),
    }


def _named(author: Author | None, author_id: str) -> dict[str, str]:
    return {"handle": author.handle, "source": author.source} if author else {"handle": author_id, "source": ""}


def _snapshot_text(snapshot: Mapping[str, Any]) -> str:
    return json.dumps(snapshot, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def release_root(workspace: Workspace) -> str | None:
    """The root of the current release, which says what the credits were computed from; None before the first."""
    manifest = workspace.current / "manifest.json"
    try:
        root = json.loads(manifest.read_text(encoding="utf-8")).get("root")
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise StoreError(f"{manifest} cannot be read: {error}", "run `precipitate run` to make a new release") from None
    return str(root) if root else None


def read_round(workspace: Workspace, name: str) -> dict[str, Any]:
    """The published snapshot of an allocated round; never opens the database."""
    _check_name(name)
    path = workspace.rounds / f"{name}.json"
    if not path.is_file():
        names = [found.stem for found in sorted(workspace.rounds.glob("*.json"))]
        raise UnknownName("allocated round", name, names, "" if names else f"run `precipitate round allocate {name}` first")
    try:
        snapshot: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}", f"run `precipitate round allocate {name}` again") from None
    if not isinstance(snapshot, dict) or snapshot.get("schema") != ROUND_SCHEMA:
        raise StoreError(f"{path} is not a {ROUND_SCHEMA} file", f"run `precipitate round allocate {name}` again")
    return snapshot
