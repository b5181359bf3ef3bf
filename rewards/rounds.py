"""Rounds: made, opened, frozen, allocated.

    new → open → frozen → allocated → final        (disputes and finalising: rewards/disputes.py, rewards/finalising.py)

A command that needs an earlier stage does it first; the ledger has each. What a round is allocated from is its frozen
snapshot (rewards/frozen.py) and nothing else; what that comes to is in rewards/results.py, the file that readers open in
rewards/published.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index import tables_policies, tables_rounds
from index import tables_rewards as tables
from index.config import RewardsConfig
from index.counted import counted
from index.errors import StateError, StoreError, UnknownName, UsageError
from index.records import Round
from index.store import Store, canonical_json
from index.workspace import Workspace, write_atomic
from rewards import ledger, policies
from rewards.allocation import Settlement
from rewards.ballots import ballots
from rewards.corrections import corrections_of
from rewards.credit import Earned
from rewards.frozen import FOLDER, excluded, frozen_value, read_frozen, terms_from
from rewards.ledger import Event
from rewards.limits import Earlier
from rewards.money import format_amount, parse_amount, parse_token
from rewards.own_weights import round_credits
from rewards.policies import Inputs, Terms
from rewards.programs import carried_to, program_named, read_defaults
from rewards.published import check_name, life_value, next_command, snapshot_text, snapshot_value
from rewards.results import Result, lately, outcome_value, result_of, settle_result
from rewards.rules import Rules, after, parse_rules, read_rules, rules_value

STATES = ("new", "open", "frozen", "allocated", "final")
MOST_REASONS = 5  # that a note names


# --- making and finding ---------------------------------------------------------------------------------------------


def new_round(
    store: Store,
    name: str,
    budget_text: str,
    token: str | None = None,
    decimals: int | None = None,
    policy: str | None = None,
    options: Mapping[str, Any] | None = None,
    program: str | None = None,
    at: str | None = None,
    weights: RewardsConfig | None = None,
    workspace: Workspace | None = None,
) -> Round:
    """Make a round; `options` are the policy's settings (policies.parse_terms) and the round's rules (rules.parse_rules).

    `weights` of credit are the round's own (own_weights.read_own); without them it shares by the workspace's credits. With
    the workspace the ledger is published, so that readers see the round.

    A round of a program has its token and decimals, and its defaults where nothing else is said. Raises UsageError (name,
    settings), MoneyError (budget, token, decimals) or UnknownName (policy, program, rules).
    """
    check_name(name)
    for other in tables.rounds(store):
        if other.name.casefold() == name.casefold():  # one file for both on some disks
            raise UsageError(f"there is a round {other.name!r} already", "choose another name")
    given = {key: value for key, value in (options or {}).items() if value is not None}
    if program is not None:
        found = program_named(store, program)
        if (token is not None and parse_token(token) != found.token) or decimals not in (None, found.decimals):
            raise UsageError(
                f"rounds of program {program} are paid in {found.token}, of {found.decimals} decimals", "leave --token and --decimals out"
            )
        defaults = json.loads(found.defaults)
        weights = weights or read_defaults(defaults.pop("weights", None))
        token, decimals, given = found.token, found.decimals, defaults | given
    if token is None:
        raise UsageError("a round needs a token", "give --token, or a --program that has one")
    decimals, policy = 18 if decimals is None else decimals, policy or given.get("policy", "proportional")
    at = ledger.moment(store, at)
    round_ = Round(name, parse_amount(budget_text, decimals), parse_token(token), decimals, policy, "new", at)
    terms = replace(policies.parse_terms(policy, round_.budget, decimals, given), weights=weights)
    rules = parse_rules(given, program)
    for earlier in (*rules.paid_in, *rules.not_paid_in):
        find_round(store, earlier)
    data = {**asdict(round_), "budget": str(round_.budget), "program": program}
    data |= {"terms": policies.terms_value(terms), "rules": rules_value(rules)}
    with store.transaction():
        tables.add_round(store, round_)
        tables_policies.put_terms(store, name, canonical_json(data["terms"]))
        tables_rounds.put_rules(store, name, program, canonical_json(data["rules"]))
        ledger.append(store, [Event("round_made", at, name, data)])
    if workspace is not None:
        ledger.publish(store, workspace)
    return round_


def find_round(store: Store, name: str) -> Round:
    known = {round_.name: round_ for round_ in tables.rounds(store)}
    if name not in known:
        raise UnknownName("round", name, known)
    return known[name]


def require(round_: Round, states: Sequence[str], what: str, way_out: str = "") -> None:
    """Raises StateError where the round is in none of `states`; without a way out it names the round's next command."""
    if round_.state not in states:
        raise StateError(f"round {round_.name} is {round_.state}: {what}", way_out or next_command(round_.name, round_.state))


def terms_of(store: Store, round_: Round) -> Terms:
    """The round's settings; those of a round from before there were any are the defaults."""
    text = tables_policies.terms(store, round_.name)
    return policies.read_terms(json.loads(text)) if text else policies.parse_terms(round_.policy, round_.budget, round_.decimals)


def rules_of(store: Store, round_: Round) -> tuple[str | None, Rules]:
    """The round's program and rules; none and the defaults for a round from before there were any."""
    found = tables_rounds.rules(store, round_.name)
    return (found[0], read_rules(json.loads(found[1]))) if found else (None, Rules())


def inputs_of(store: Store, round_: Round, terms: Terms, earned: Earned) -> Inputs:
    """What the round would share by, as the store stands: credits, votes, identities, and what earlier rounds of the token gave."""
    points: Counter[str] = Counter()
    for credit in earned.credits:
        points[credit.author] += credit.points
    past = [r for r in tables.rounds(store) if r.token == round_.token and (r.created, r.name) < (round_.created, round_.name)]
    given = {r.name: _counting(tables.allocations(store, r.name)) for r in sorted(past, key=lambda r: (r.created, r.name))}
    earlier = [Earlier(n, {a.author: a.points for a in rows}, {a.author: a.amount for a in rows}) for n, rows in given.items() if rows]
    persons = {author: identity.address for author, identity in tables.identities(store).items()}
    return Inputs(dict(sorted(points.items())), ballots(store, round_.name, terms.vouch, earned.credits), persons, earlier)


def _counting(rows: Iterable[Any]) -> list[Any]:
    """What an earlier round gave: a share that expired or was not wanted gave nothing."""
    return [replace(a, amount=0) if a.state in ("expired", "forfeited") else a for a in rows]


# --- opening and freezing -------------------------------------------------------------------------------------------


def open_round(store: Store, workspace: Workspace, name: str, at: str | None = None) -> Round:
    """A new round is open from now on. Raises StateError where it was opened before."""
    round_ = find_round(store, name)
    require(round_, ("new",), "it was opened before")
    with store.transaction():
        tables_rounds.set_round(store, name, "open", round_.budget)
        ledger.append(store, [Event("round_opened", ledger.moment(store, at), name, {})])
    ledger.publish(store, workspace)
    return replace(round_, state="open")


@dataclass(frozen=True, slots=True)
class FreezeReport:
    round: Round
    root: str
    credits: int
    authors: int
    votes: int
    excluded: Mapping[str, str]  # author → why they have no share
    handles: Mapping[str, str]  # of those
    carried: int  # base units that the program's earlier rounds left to this one
    path: Path


def freeze(store: Store, workspace: Workspace, name: str, again: str = "", at: str | None = None) -> FreezeReport:
    """Take the snapshot that the round is allocated from: whatever happens to the forum later, it does not change.

    `again` is the reason for taking it anew before the round is final: what was allocated, disputed and corrected since the
    last one is void then, and the ledger says so. Raises StateError where the round's state does not allow it.
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    if again.strip():
        instead = f"precipitate round freeze {name}, without --again" if round_.state in ("new", "open") else ""
        require(round_, ("frozen", "allocated"), "there is nothing to freeze again", instead)
    else:
        require(round_, ("new", "open"), "it was frozen before", 'its snapshot stays; if it has to be taken anew: --again "the reason"')
    events = ledger.read_events(store)
    program, rules = rules_of(store, round_)
    made = int(next((e.data["budget"] for e in ledger.about(events, name) if e.kind == "round_made"), round_.budget))
    carried = carried_to(store, events, program, name) if program else 0
    round_ = replace(round_, state="frozen", budget=made + carried)
    terms = terms_of(store, round_)
    earned = round_credits(store, terms)
    frozen = frozen_value(store, round_, terms, rules, inputs_of(store, round_, terms, earned), earned, release_root(workspace), at)
    out = excluded(frozen)
    data = {"root": frozen["root"], "roots": frozen["roots"], "release": frozen["release"], "budget": str(round_.budget)}
    data |= {"carried": str(carried), "again": again.strip(), "excluded": out}
    opened = [Event("round_opened", at, name, {})] if find_round(store, name).state == "new" else []
    path = workspace.rounds / FOLDER / f"{name}.json"
    with store.transaction():
        tables_rounds.set_round(store, name, "frozen", round_.budget)
        ledger.append(store, [*opened, Event("round_frozen", at, name, data)])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, snapshot_text(frozen))
        if again.strip():  # what readers see must not outlive what it stood on
            tables.replace_allocations(store, name, ())
            (workspace.rounds / f"{name}.json").unlink(missing_ok=True)
    ledger.publish(store, workspace)
    handles = {record["author"]: record["handle"] for record in frozen["credits"]}
    counts = len(frozen["credits"]), len(handles), len(frozen["votes"])
    return FreezeReport(round_, frozen["root"], *counts, out, {author: handles[author] for author in out}, carried, path)


def frozen_of(workspace: Workspace, events: Iterable[Event], name: str) -> dict[str, Any]:
    """The round's snapshot, checked against the ledger. Raises StoreError where there is none."""
    found = [event.data["root"] for event in events if event.subject == name and event.kind == "round_frozen"]
    if not found:
        raise StoreError(f"round {name} is from before rounds were frozen", "what it published stands; make a new round for what comes")
    return read_frozen(workspace, name, found[-1])


# --- allocating -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllocationReport:
    round: Round
    settlement: Settlement  # what is paid, held and residual, in base units
    path: Path  # the published snapshot
    notes: tuple[str, ...]  # what the operator should know


def allocate(store: Store, workspace: Workspace, name: str, at: str | None = None) -> AllocationReport:
    """Share a round's budget out by its frozen snapshot, and publish the result, which can be disputed from now on.

    A round that is not frozen yet is frozen first. One that is allocated already stays as it is: what it was allocated from
    does not change, and corrections come by disputes. The file is written last inside the transaction: readers see a round
    that the database has, or the one before. Raises StateError for a final round.
    """
    at, round_ = ledger.moment(store, at), find_round(store, name)
    if round_.state in ("new", "open"):
        round_ = freeze(store, workspace, name, at=at).round
    require(round_, ("frozen", "allocated"), "its amounts do not change any more")
    events = ledger.read_events(store)
    frozen = frozen_of(workspace, events, name)
    mine = ledger.about(events, name)
    known = corrections_of(mine)
    found = result_of(frozen, known)
    if round_.state == "allocated":
        settlement = settle_result(round_, frozen, found)
        path = workspace.rounds / f"{name}.json"
        return AllocationReport(
            round_, settlement, path, (f"{name} is allocated already, from the snapshot of {frozen['at']}: nothing changed",)
        )
    fresh = lately(store, frozen, found.amounts, known)
    found = result_of(frozen, [*known, *fresh])
    round_ = replace(round_, state="allocated")
    settlement = settle_result(round_, frozen, found)
    window_ends = after(at, read_rules(frozen["rules"]).window)
    made = Event("round_allocated", at, name, outcome_value(settlement, found) | {"frozen": frozen["root"], "window_ends": window_ends})
    path = workspace.rounds / f"{name}.json"
    with store.transaction():
        tables.replace_allocations(store, name, settlement.allocations)
        tables_rounds.set_round(store, name, "allocated", round_.budget)
        head = ledger.append(store, [*(Event("corrected", at, name, c.value()) for c in fresh), made])
        write_atomic(
            path, snapshot_text(snapshot_value(round_, frozen, found, settlement, life_value([*mine, made], head, rules_of(store, round_))))
        )
    ledger.publish(store, workspace)
    return AllocationReport(round_, settlement, path, tuple(_notes(frozen, found, round_, settlement)))


def _notes(frozen: Mapping[str, Any], found: Result, round_: Round, settlement: Settlement) -> list[str]:
    terms = terms_from(frozen)
    notes = [*policies.notes(terms, found.shares, round_.budget, round_.decimals), *policies.warnings(terms)]
    if found.excluded:
        reasons = Counter(found.excluded.values())
        told = "; ".join(f"{reason} ({number:,})" for reason, number in reasons.most_common(MOST_REASONS))
        notes.append(
            f"no share by the round's rules: {counted(len(found.excluded), 'author')}: {told}{'; …' * (len(reasons) > MOST_REASONS)}"
        )
    notes += [
        f"{c.author}: {format_amount(c.before, round_.decimals)} → {format_amount(c.after, round_.decimals)} ({c.kind})"
        for c in found.corrections
    ]
    swallowed = sum(address.lower() == round_.token.lower() for address in frozen["identities"].values())
    if swallowed:
        notes.append(
            f"held until they give another address, as they name the token's own contract: {counted(swallowed, 'identity', 'identities')}"
        )
    return notes


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
