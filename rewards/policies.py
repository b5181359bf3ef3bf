"""A round's policy: from points and votes to exact shares. Pure: no store, no clock, no floats.

`share` reads as the list of stages. What a policy counts is in rewards/formulas.py, tilt, emission, cap and floor in
rewards/limits.py, where votes come from in rewards/ballots.py; docs/decisions/0010 argues the defaults.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from index.config import RewardsConfig
from index.counted import counted
from index.errors import MoneyError, UnknownName, UsageError
from rewards import formulas, limits
from rewards.allocation import split
from rewards.formulas import Votes, Weights
from rewards.limits import Earlier
from rewards.money import format_amount, parse_amount

EMISSIONS = ("whole", "immediate", "recent", "balanced")
MONEY = ("cap", "floor", "vouch", "bound", "minimum", "factor")  # settings in base units
OF_POINTS = ("immediate", "recent")  # emissions that need points


@dataclass(frozen=True, slots=True)
class Terms:
    """How a round shares out. Amounts are base units."""

    policy: str = "proportional"
    cap: int | None = None  # most that one payee gets
    floor: int = 0  # least that one payee gets: who would get less gets nothing
    tilt_bp: int = 10_000  # β of s^β; below 10000 lifts small shares, for verified people only
    emission: str = "whole"  # how earlier rounds count
    verified: bool = False  # one identity is one person: others get no share, their votes do not count
    vouch: int = 10**18  # what a contributor's vouch counts, beside imported contributions
    bound: int = 10**18  # M of the pairwise policy
    quorum: int = 3  # fewest ballots of the median policy
    minimum: int = 0  # least median of the median policy
    factor: int = 10**13  # base units that one clr.fund voice credit costs
    weights: RewardsConfig | None = None  # of credit, where the round has its own

    @property
    def plain(self) -> bool:
        """Shares by points and nothing else."""
        return (self.policy, self.cap, self.floor, self.tilt_bp, self.emission, self.verified) == (
            "proportional",
            None,
            0,
            10_000,
            "whole",
            False,
        )


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it came in: a vouch, or an imported contribution."""

    voter: str  # an author id or an address
    author: str
    amount: int  # base units
    origin: str  # "vouch" or "votes.csv:3"
    trust_bp: int | None = None  # how much of it counts; None where nobody said


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a policy shares by. Points, authors and earlier amounts are by account."""

    points: Mapping[str, int]
    ballots: Sequence[Ballot] = ()
    persons: Mapping[str, str] = field(default_factory=dict)  # account → the identity it is paid at
    earlier: Sequence[Earlier] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """Who is paid once: an account, or under `verified` all accounts of one identity."""

    name: str
    accounts: tuple[str, ...]
    points: int
    weight: int  # by the policy, before tilt, emission, cap and floor
    amount: int
    state: str  # "shared" | "capped" | "below floor" | "no weight"


@dataclass(frozen=True, slots=True)
class Shares:
    amounts: dict[str, int]  # by account, for every account with points; zeros too
    units: tuple[Unit, ...]
    residual: int
    aside: Mapping[str, int]  # ballots that do not count, by reason
    verdicts: tuple[str | None, ...]  # for each ballot: why it does not count, or None


WEIGH: dict[str, Callable[[Mapping[str, int], Votes, Terms], Weights]] = {
    "proportional": lambda points, votes, terms: dict(points),
    "quadratic": lambda points, votes, terms: formulas.quadratic(votes),
    "pairwise": lambda points, votes, terms: formulas.pairwise(votes, terms.bound),
    "cluster": lambda points, votes, terms: formulas.cluster_match(votes),
    "median": lambda points, votes, terms: formulas.median(votes, terms.quorum, terms.minimum),
    "clrfund": lambda points, votes, terms: formulas.capital_constrained(formulas.voice(votes, terms.factor)),
    "clrfund-linear": lambda points, votes, terms: formulas.linear_votes(formulas.voice(votes, terms.factor)),
}
POLICIES = tuple(WEIGH)
VOTING = tuple(name for name in POLICIES if name != "proportional")


def share(terms: Terms, inputs: Inputs, budget: int) -> Shares:
    """Share `budget` base units out; amounts and residual sum to it exactly. The order of anything in `inputs` does not matter."""
    unit_of = _units(terms, inputs)
    points = _sum_by_unit(inputs.points, unit_of)
    votes, verdicts = count(terms, inputs, unit_of)
    earlier = [Earlier(e.name, *(_history(terms, inputs, part, points) for part in (e.points, e.amounts))) for e in inputs.earlier]
    basis = _basis(terms, points, earlier)
    weighed = WEIGH[terms.policy](basis, votes, terms)
    weights = {unit: weighed.get(unit, 0) for unit in points}
    due = limits.tilted(weights, terms.tilt_bp)
    due = limits.balanced(due, earlier, budget) if terms.emission == "balanced" else due
    filled = limits.fill(due, budget, terms.cap, terms.floor)
    amounts = dict.fromkeys((account for account, had in inputs.points.items() if had), 0)
    units = []
    for unit, accounts in _accounts(unit_of).items():
        amount = filled.amounts.get(unit, 0)
        amounts |= split({account: inputs.points[account] for account in accounts}, amount)
        units.append(Unit(unit, accounts, points[unit], weights[unit], amount, _state(unit, filled)))
    paid = sum(amounts.values())
    if paid != sum(filled.amounts.values()) or not 0 <= paid <= budget:
        raise MoneyError(f"shares sum to {paid}, the budget is {budget}", "this is a defect: please report it")
    aside = dict(sorted(Counter(verdict for verdict in verdicts if verdict).items()))
    return Shares(dict(sorted(amounts.items())), tuple(units), budget - paid, aside, verdicts)


def _units(terms: Terms, inputs: Inputs) -> dict[str, str]:
    """Account → who is paid for it; accounts that get no share are not in it."""
    accounts = {account for account, points in inputs.points.items() if points}
    return {a: inputs.persons[a] for a in accounts if a in inputs.persons} if terms.verified else {a: a for a in accounts}


def _accounts(unit_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Unit → its accounts, both in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for account, unit in sorted(unit_of.items()):
        found[unit].append(account)
    return {unit: tuple(accounts) for unit, accounts in sorted(found.items())}


def _sum_by_unit(by_account: Mapping[str, int], unit_of: Mapping[str, str]) -> dict[str, int]:
    total: defaultdict[str, int] = defaultdict(int)
    for account, number in by_account.items():
        if account in unit_of:
            total[unit_of[account]] += number
    return dict(sorted(total.items()))


def _history(terms: Terms, inputs: Inputs, by_account: Mapping[str, int], units: Mapping[str, int]) -> dict[str, int]:
    """What the payees of this round had in an earlier one, also by accounts that have no points now."""
    unit_of = {account: inputs.persons.get(account, "") if terms.verified else account for account in by_account}
    return _sum_by_unit(by_account, {account: unit for account, unit in unit_of.items() if unit in units})


def count(terms: Terms, inputs: Inputs, unit_of: Mapping[str, str]) -> tuple[Votes, tuple[str | None, ...]]:
    """Votes by payee and voter, and for each ballot why it does not count.

    Under `verified` a vote for any account of an identity counts for the identity, and what trust takes off is rounded once
    for each voter and payee: else who splits their accounts could choose which votes count.
    """
    votes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))  # at scale 10,000
    units = set(unit_of.values())
    verdicts: list[str | None] = []
    for ballot in inputs.ballots:
        voter = inputs.persons.get(ballot.voter, ballot.voter)
        known = ballot.voter in inputs.persons or ballot.voter in inputs.persons.values() or ballot.trust_bp is not None
        payee = inputs.persons.get(ballot.author, "") if terms.verified else ballot.author
        reason = None
        if voter == inputs.persons.get(ballot.author, ballot.author):
            reason = "for oneself"
        elif payee not in units:
            reason = "for an account without credit or identity"
        elif terms.verified and not known:
            reason = "of a voter without identity"
        verdicts.append(reason)
        if reason is None:
            voter = voter if terms.verified else ballot.voter
            votes[payee][voter] += ballot.amount * (10_000 if ballot.trust_bp is None else ballot.trust_bp)
    return {payee: {voter: amount // 10_000 for voter, amount in given.items()} for payee, given in votes.items()}, tuple(verdicts)


def _basis(terms: Terms, points: Mapping[str, int], earlier: Sequence[Earlier]) -> Mapping[str, int]:
    if terms.emission == "immediate":
        return limits.fresh_points(points, earlier)
    return limits.recent_points(points, earlier) if terms.emission == "recent" else points


def _state(unit: str, filled: limits.Filled) -> str:
    if unit in filled.capped:
        return "capped"
    if unit in filled.dropped:
        return "below floor"
    return "shared" if unit in filled.amounts else "no weight"


def policy_fits(terms: Terms) -> Terms:
    """The same terms, with an emission that the policy has: those that count points do nothing to votes."""
    return replace(terms, emission="whole") if terms.emission in OF_POINTS and terms.policy in VOTING else terms


# --- what the operator is told --------------------------------------------------------------------------------------


def warnings(terms: Terms) -> list[str]:
    """Where splitting into accounts can pay, as long as nobody knows who is one person."""
    if terms.verified:
        return []
    told = []
    if terms.policy in VOTING:
        told.append(f"under {terms.policy} who votes from many accounts moves more money than who votes from one")
    if terms.cap is not None:
        told.append("the cap is for each account: who is over it gains by having several")
    if terms.emission == "balanced":
        told.append("balanced counts what each account was paid: who starts again under a new one is not held to the old one")
    return [f"{text}; --verified holds it to one share for each identity" for text in told]


NOBODY = "nobody has earned any credit, so nothing is shared out: `precipitate run` first, and `precipitate list` shows what SOPs there are"
NOBODY_VERIFIED = "nobody who earned credit has a verified identity, so nothing is shared out: import or claim some, then freeze again"


def notes(terms: Terms, shares: Shares, budget: int, decimals: int) -> list[str]:
    """What came of the settings."""
    states = Counter(unit.state for unit in shares.units)
    paid = [unit for unit in shares.units if unit.amount]
    told = []
    if states["capped"]:
        reach = "reaches" if states["capped"] == 1 else "reach"
        told.append(f"{counted(states['capped'], 'payee')} {reach} the cap of {format_amount(terms.cap or 0, decimals)}")
    if states["below floor"]:
        told.append(
            f"less than the floor of {format_amount(terms.floor, decimals)}, and so nothing: {counted(states['below floor'], 'payee')}"
        )
    if shares.residual and paid:
        told.append(
            f"the cap leaves {format_amount(shares.residual, decimals)} over: {counted(len(paid), 'payee')} cannot hold the whole budget"
        )
    if terms.policy in VOTING and not any(unit.weight for unit in shares.units):
        told.append(f"no votes bring anybody a share under {terms.policy}: import contributions, or choose another policy")
    if not shares.units:
        told.append(NOBODY_VERIFIED if terms.verified and shares.amounts else NOBODY)
    if len(shares.units) - states["no weight"] - states["below floor"] > budget:
        told.append(f"the budget has {budget} base units for more payees: the smallest get nothing")
    left = sum(1 for amount in shares.amounts.values() if not amount) if terms.verified else 0
    if left and terms.verified:
        told.append(f"{counted(left, 'payee')} without a share, many for want of a verified identity")
    return told + [f"votes {reason}, which do not count: {number}" for reason, number in shares.aside.items()]


# --- settings as people type and as rounds keep them ----------------------------------------------------------------


def parse_terms(policy: str, budget: int, decimals: int, options: Mapping[str, Any] | None = None) -> Terms:
    """Settings from a command's options; a missing or None option is its default.

    `cap` and `floor` are tokens or a percentage of the budget, `tilt` a decimal above 0 and up to 1, `vouch`, `bound` and
    `minimum` tokens. Raises UnknownName (policy, emission), MoneyError (an amount) or UsageError (what does not go together).
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    if policy not in POLICIES:
        raise UnknownName("policy", policy, POLICIES, f"there are: {', '.join(POLICIES)}")
    emission = given.get("emission", "whole")
    if emission not in EMISSIONS:
        raise UnknownName("emission", emission, EMISSIONS, f"there are: {', '.join(EMISSIONS)}")
    terms = Terms(
        policy,
        _part_of(given["cap"], budget, decimals, "cap") if "cap" in given else None,
        _part_of(given["floor"], budget, decimals, "floor") if "floor" in given else 0,
        parse_tilt(given["tilt"]) if "tilt" in given else 10_000,
        emission,
        bool(given.get("verified", False)),
        zero_or_amount(given.get("vouch", "1"), decimals, "vouch"),
        parse_amount(given.get("bound", "1"), decimals, "bound"),
        int(given.get("quorum", 3)),
        zero_or_amount(given.get("minimum", "0"), decimals, "minimum"),
        10 ** max(0, decimals - 5),  # as clr.fund's rounds: 10^13 for 18 decimals
    )
    _check(terms, decimals)
    return terms


def _check(terms: Terms, decimals: int) -> None:
    if terms.tilt_bp != 10_000 and not terms.verified:
        raise UsageError(
            "--tilt lifts small shares, so who splits into many accounts would gain",
            "add --verified: then one identity is one share, and accounts without one get none",
        )
    if terms.cap is not None and terms.cap < terms.floor:
        shown = [format_amount(amount, decimals) for amount in (terms.cap, terms.floor)]
        raise UsageError(f"the cap {shown[0]} is below the floor {shown[1]}: nobody could be paid", "raise the cap or lower the floor")
    if terms.emission in OF_POINTS and terms.policy in VOTING:
        raise UsageError(
            f"--emission {terms.emission} counts points, {terms.policy} counts votes", "use --emission balanced, or --policy proportional"
        )
    if terms.quorum < 1:
        raise UsageError(f"the quorum is {terms.quorum}", "give at least 1")


def _part_of(text: str, budget: int, decimals: int, what: str) -> int:
    """'500' tokens or '2.5%' of the budget, in base units."""
    text = text.strip()
    if not text.endswith("%"):
        return parse_amount(text, decimals, what)
    bp = parse_amount(text[:-1], 2, what)
    amount = budget * bp // 10_000
    if bp > 10_000:
        raise MoneyError(f"{what} {text} is more than the budget", "give 100% at most")
    if amount == 0:
        raise MoneyError(f"{what} {text} of the budget is less than a base unit", "give a larger percentage")
    return amount


def zero_or_amount(text: str, decimals: int, what: str) -> int:
    return 0 if re.fullmatch(r"0+(\.0+)?", text.strip()) else parse_amount(text, decimals, what)


def parse_tilt(text: str) -> int:
    """'0.75' → 7500. Two places: the root of s^β is of a degree up to 100."""
    bp = parse_amount(text, 2, "tilt") * 100
    if bp > 10_000:
        raise UsageError(f"tilt {text} is above 1: it would favour the large", "give a decimal above 0 and up to 1, such as 0.75")
    return bp


def terms_value(terms: Terms) -> dict[str, Any]:
    """As stored and published: base units as text, JSON numbers lose digits past 2**53 elsewhere."""
    value = {name: str(value) if name in MONEY and value is not None else value for name, value in asdict(terms).items()}
    if terms.weights is None:  # as all rounds were written before they could have weights of their own
        del value["weights"]
    return value


def read_terms(value: Mapping[str, Any]) -> Terms:
    plain: dict[str, Any] = {name: int(found) if name in MONEY and found is not None else found for name, found in value.items()}
    return Terms(**{**plain, "weights": RewardsConfig(**plain["weights"])} if "weights" in plain else plain)


def policy_value(terms: Terms, inputs: Inputs, shares: Shares) -> dict[str, Any]:
    """What a stranger needs to share the budget out again: settings, payees, every vote, and earlier rounds where they count."""
    units = {unit.name for unit in shares.units}
    seen = {who for ballot in inputs.ballots for who in (ballot.voter, ballot.author)}
    seen |= {account for other in inputs.earlier for account in other.points.keys() | other.amounts.keys()}
    persons = {who: identity for who, identity in inputs.persons.items() if who in seen or identity in seen}

    def counts(account: str) -> bool:
        return (persons.get(account) if terms.verified else account) in units

    earlier = inputs.earlier if terms.emission != "whole" else ()
    return {
        "terms": terms_value(terms),
        "units": [{**asdict(unit), "weight": str(unit.weight), "amount": str(unit.amount)} for unit in shares.units],
        "votes": [
            {**asdict(ballot), "amount": str(ballot.amount), "aside": verdict}
            for ballot, verdict in zip(inputs.ballots, shares.verdicts, strict=True)
        ],
        "persons": dict(sorted(persons.items())),
        "earlier": [
            {
                "round": other.name,
                "points": {account: count for account, count in sorted(other.points.items()) if counts(account)},
                "amounts": {account: str(amount) for account, amount in sorted(other.amounts.items()) if counts(account)},
            }
            for other in earlier
        ],
    }
