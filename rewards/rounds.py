"""Rounds: made, opened, frozen, allocated, and published as a file that readers open in place of the database.

    new → open → frozen → allocated → final        (disputes and finalising: rewards/disputes.py, rewards/finalising.py)

A command that needs an earlier stage does it first; the ledger has each. What a round is allocated from is its frozen
snapshot (rewards/frozen.py) and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from index import tables_policies, tables_rounds
from index import tables_rewards as tables
from index.config import RewardsConfig
from index.errors import StateError, StoreError, UnknownName, UsageError
from index.records import Round
from index.store import Store, canonical_json
from index.workspace import Workspace, write_atomic
from rewards import ledger, merkle, policies
from rewards.allocation import Settlement, settle
from rewards.ballots import ballots
from rewards.corrections import Correction, apply, corrections_of, for_deletions, for_opt_outs
from rewards.credit import Earned
from rewards.frozen import FOLDER, excluded, frozen_value, inputs_from, payees_from, read_frozen, terms_from
from rewards.ledger import Event
from rewards.limits import Earlier
from rewards.money import format_amount, parse_amount, parse_token
from rewards.own_weights import own_value, round_credits
from rewards.policies import Inputs, Terms
from rewards.programs import carried_to, program_named
from rewards.rules import Rules, after, parse_rules, read_rules, rules_value

ROUND_SCHEMA = "precipitate/round/1"
STATES = ("new", "open", "frozen", "allocated", "final")


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
) -> Round:
    """Make a round; `options` are the policy's settings (policies.parse_terms) and the round's rules (rules.parse_rules).

    `weights` of credit are the round's own (own_weights.read_own); without them it shares by the workspace's credits.

    A round of a program has its token and decimals, and its defaults where nothing else is said. Raises UsageError (name,
    settings), MoneyError (budget, token, decimals) or UnknownName (policy, program, rules).
    """
    _check_name(name)
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
        token, decimals, given = found.token, found.decimals, json.loads(found.defaults) | given
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
    return round_


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith("."):
        raise UsageError(f"round name {name!r} cannot be a file name", "use letters, digits, - and _, such as r1 or 2024-q2")


def find_round(store: Store, name: str) -> Round:
    known = {round_.name: round_ for round_ in tables.rounds(store)}
    if name not in known:
        raise UnknownName("round", name, known)
    return known[name]


def require(round_: Round, states: Sequence[str], what: str, way_out: str = "") -> None:
    """Raises StateError where the round is in none of `states`; without a way out it names the round's next command."""
    if round_.state not in states:
        raise StateError(f"round {round_.name} is {round_.state}: {what}", way_out or _next(round_.name, round_.state))


def _next(name: str, state: str) -> str:
    """What is done with a round in a state."""
    if state == "final":
        return f"`precipitate round show {name}` has its amounts, `precipitate round settle {name}` pays late claims"
    return f"next: precipitate round {'finalise' if state == 'allocated' else 'allocate'} {name}"


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
    authors = {record["author"] for record in frozen["credits"]}
    return FreezeReport(round_, frozen["root"], len(frozen["credits"]), len(authors), len(frozen["votes"]), out, carried, path)


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


@dataclass(frozen=True, slots=True)
class Result:
    """What a frozen round comes to."""

    inputs: Inputs
    shares: policies.Shares
    amounts: dict[str, int]  # by account, after corrections
    excluded: dict[str, str]
    corrections: tuple[Correction, ...]


def result_of(frozen: Mapping[str, Any], corrections: Sequence[Correction]) -> Result:
    """Share a snapshot out by its own terms, then correct."""
    out, budget = excluded(frozen), int(frozen["round"]["budget"])
    inputs = inputs_from(frozen, out)
    shares = policies.share(terms_from(frozen), inputs, budget)
    return Result(inputs, shares, apply(shares.amounts, corrections, budget), out, tuple(corrections))


def lately(store: Store, frozen: Mapping[str, Any], amounts: Mapping[str, int], known: Sequence[Correction]) -> list[Correction]:
    """What opt-outs and deletions since the freeze take, by the round's rules."""
    rules = read_rules(frozen["rules"])
    opted = for_opt_outs(amounts, tables_rounds.opt_outs(store).keys(), rules)
    left = {author: amount for author, amount in amounts.items() if author not in {c.author for c in opted}}
    return opted + for_deletions(left, frozen["credits"], tables_rounds.gone_posts(store).keys(), known, rules)


def settle_result(round_: Round, frozen: Mapping[str, Any], found: Result) -> Settlement:
    identities, teams = payees_from(frozen)
    return settle(round_, found.inputs.points, identities, found.amounts, teams)


def outcome_value(settlement: Settlement, found: Result) -> dict[str, Any]:
    """What the ledger keeps of an allocation: hashes and sums."""
    return {
        "amounts": amounts_root(found.amounts),
        "paid": str(settlement.paid),
        "held": str(settlement.held),
        "residual": str(settlement.residual),
        "merkle_root": merkle.root(merkle.dump(settlement.payouts)["tree"]) if settlement.payouts else None,
    }


def amounts_root(amounts: Mapping[str, int]) -> str:
    """SHA-256 over "account amount" lines in order of account, zeros left out."""
    lines = "".join(f"{account} {amount}\n" for account, amount in sorted(amounts.items()) if amount)
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def _notes(frozen: Mapping[str, Any], found: Result, round_: Round, settlement: Settlement) -> list[str]:
    terms = terms_from(frozen)
    notes = [*policies.notes(terms, found.shares, round_.budget, round_.decimals), *policies.warnings(terms)]
    if found.excluded:
        notes.append(
            f"{len(found.excluded)} authors have no share by the round's rules, such as {min(found.excluded)}: {found.excluded[min(found.excluded)]}"
        )
    notes += [
        f"{c.author}: {format_amount(c.before, round_.decimals)} → {format_amount(c.after, round_.decimals)} ({c.kind})"
        for c in found.corrections
    ]
    swallowed = sum(address.lower() == round_.token.lower() for address in frozen["identities"].values())
    if swallowed:
        notes.append(f"{swallowed} identities name the token's own contract: held until they give another address")
    return notes


# --- the published file ---------------------------------------------------------------------------------------------


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
    """The published snapshot of an allocated round; never opens the database.

    Raises UnknownName where there is no such round, StateError where it is not allocated yet, StoreError for a damaged file.
    """
    _check_name(name)
    path = workspace.rounds / f"{name}.json"
    if not path.is_file():
        state = told_states(ledger.published_events(workspace)).get(name)
        if state:
            raise StateError(f"round {name} is {state}: nothing is shared out yet", _next(name, state))
        raise UnknownName("round", name, [found.stem for found in sorted(workspace.rounds.glob("*.json"))])
    try:
        snapshot: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}", "restore it from a copy; `precipitate round audit` says more") from None
    if not isinstance(snapshot, dict) or snapshot.get("schema") != ROUND_SCHEMA:
        raise StoreError(f"{path} is not a {ROUND_SCHEMA} file", "restore it from a copy; `precipitate round audit` says more")
    return snapshot
