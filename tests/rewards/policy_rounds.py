"""Random rounds over every policy and setting, and what must hold of each. Used by the tests and by bench.rounds."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from index.records import Round
from rewards.allocation import settle
from rewards.compare import gini_bp, lorenz_bp, split_account
from rewards.limits import Earlier
from rewards.policies import (
    EMISSIONS,
    OF_POINTS,
    POLICIES,
    VOTING,
    Ballot,
    Inputs,
    Shares,
    Terms,
    policy_value,
    read_terms,
    share,
    terms_value,
)
from rewards.verify_policies import verify_policy

NAMES = st.sampled_from([f"a{n}" for n in range(12)])
VOTERS = st.one_of(NAMES, st.sampled_from([f"0x{n}" for n in range(8)]))
PERSONS = st.sampled_from([f"0x{n}" for n in range(9)])
AMOUNTS = st.one_of(st.integers(0, 20), st.integers(1, 10**24), st.sampled_from([10**18, 25 * 10**17]))
POINTS = st.dictionaries(NAMES, st.one_of(st.integers(0, 5), st.integers(1, 10**12)), max_size=12)


@dataclass(frozen=True)
class Case:
    terms: Terms
    inputs: Inputs
    budget: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few names and small numbers among large ones: ties, empty payees, more payees than units, caps that bind."""
    policy, verified = draw(st.sampled_from(POLICIES)), draw(st.booleans())
    budget = draw(st.one_of(st.integers(1, 30), st.integers(10**6, 10**30)))
    crowd = draw(st.sampled_from([0, 4, 8, 8]))  # most rounds have some authors, some have none
    cap = draw(st.none() | st.integers(1, budget))
    emission = draw(st.sampled_from([e for e in EMISSIONS if e not in OF_POINTS or policy not in VOTING]))
    terms = Terms(
        policy,
        cap,
        draw(st.just(0) | st.integers(0, min(cap or budget, budget))),
        draw(st.sampled_from([10_000, 7500, 5000, 3300])) if verified else 10_000,
        emission,
        verified,
        bound=draw(st.sampled_from([1, 10**18])),
        quorum=draw(st.integers(1, 3)),
        minimum=draw(st.sampled_from([0, 5])),
        factor=draw(st.sampled_from([1, 10**13])),
    )
    pairs = draw(
        st.dictionaries(st.tuples(VOTERS, NAMES), st.tuples(AMOUNTS, st.none() | st.integers(0, 10_000)), min_size=2 * crowd, max_size=30)
    )
    ballots = [Ballot(voter, author, amount, "test", trust) for (voter, author), (amount, trust) in pairs.items()]
    earlier = [Earlier(f"r{n}", draw(POINTS), draw(POINTS)) for n in range(draw(st.integers(0, 2)))]
    points = draw(st.dictionaries(NAMES, st.one_of(st.integers(0, 5), st.integers(1, 10**12)), min_size=crowd, max_size=12))
    persons = draw(st.dictionaries(NAMES, PERSONS, min_size=crowd if verified else 0, max_size=12))
    return Case(terms, Inputs(points, ballots, persons, earlier), budget)


def shuffled(inputs: Inputs, chance: random.Random) -> Inputs:
    def mixed(mapping: Any) -> dict[str, Any]:
        return dict(chance.sample(list(mapping.items()), len(mapping)))

    earlier = [Earlier(e.name, mixed(e.points), mixed(e.amounts)) for e in inputs.earlier]
    return Inputs(mixed(inputs.points), chance.sample(list(inputs.ballots), len(inputs.ballots)), mixed(inputs.persons), earlier)


def snapshot_of(case: Case, shares: Shares) -> dict[str, Any]:
    """As much of a published round as the verifier of policies reads."""
    return {
        "round": {"policy": case.terms.policy, "budget": str(case.budget)},
        "policy": policy_value(case.terms, case.inputs, shares),
        "allocations": [{"author": a, "points": case.inputs.points[a], "amount": str(amount)} for a, amount in shares.amounts.items()],
    }


def check(case: Case) -> Shares:
    """Everything that holds of every round; raises AssertionError where it does not."""
    terms, inputs, budget = case.terms, case.inputs, case.budget
    shares = share(terms, inputs, budget)
    units = [unit.amount for unit in shares.units]
    assert sum(shares.amounts.values()) + shares.residual == budget and sum(units) == sum(shares.amounts.values())
    assert all(amount >= 0 for amount in shares.amounts.values()) and shares.residual >= 0
    assert all(amount <= (terms.cap or budget) for amount in units)
    assert all(amount >= terms.floor for unit in shares.units if (amount := unit.amount) or unit.state in ("shared", "capped"))
    mixed = share(terms, shuffled(inputs, random.Random(1)), budget)
    assert (mixed.amounts, mixed.units, mixed.aside) == (shares.amounts, shares.units, shares.aside)
    assert read_terms(terms_value(terms)) == terms
    round_ = Round("r", budget, "native", 0, terms.policy, "open", "2024-06-01T00:00:00Z")
    settlement = settle(round_, inputs.points, {}, shares.amounts)
    assert (settlement.paid, settlement.held, settlement.residual) == (0, budget - shares.residual, shares.residual)
    assert verify_policy(snapshot_of(case, shares)) == []
    _check_proportional(case, shares)
    _check_splitting(case)
    amounts = sorted(shares.amounts.values())
    curve, gini = lorenz_bp(amounts), gini_bp(amounts)
    assert curve is None or (curve == sorted(curve) and curve[-1] == 10_000 and gini is not None and 0 <= gini < 10_000)
    return shares


def _check_proportional(case: Case, shares: Shares) -> None:
    """More points never lower one's own share, unless they come late under an emission that looks back."""
    if case.terms.policy != "proportional" or case.terms.emission != "whole":
        return
    for unit in shares.units:
        more = dict(case.inputs.points)
        more[unit.accounts[0]] += 1 + unit.points // 3
        after = share(case.terms, replace(case.inputs, points=more), case.budget)
        assert next(u.amount for u in after.units if u.name == unit.name) >= unit.amount


def _check_splitting(case: Case) -> None:
    """Once identities are verified, one person's ten accounts get no more than one account gets, under every policy."""
    if not case.terms.verified:
        return
    for unit in share(case.terms, case.inputs, case.budget).units:
        after = share(case.terms, split_account(case.inputs, unit.accounts[0]), case.budget).units
        assert sum(u.amount for u in after if u.name == unit.name) <= unit.amount
