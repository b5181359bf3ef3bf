"""Policies: formulas on cases worked out by hand, limits, and what must hold of any round."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.errors import MoneyError, UnknownName, UsageError
from rewards import formulas
from rewards.compare import split_account, split_attack
from rewards.formulas import ROOT, integer_root, power
from rewards.limits import Earlier, balanced, fill, fresh_points, recent_points, tilted
from rewards.policies import POLICIES, VOTING, Ballot, Inputs, Terms, notes, parse_terms, share, warnings
from rewards.verify_policies import verify_policy
from tests.rewards.policy_rounds import Case, cases, check, snapshot_of


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_what_holds_of_every_round(case: Case) -> None:
    check(case)


# --- formulas -------------------------------------------------------------------------------------------------------

SQUARES = {"p": {"a": 1, "b": 4, "c": 9}, "q": {"a": 16}, "r": {}}


def test_quadratic_matches_what_several_gave() -> None:
    assert formulas.quadratic(SQUARES) == {"p": (36 - 14) * ROOT**2, "q": 0, "r": 0}


def test_pairwise_is_half_of_quadratic_for_strangers_and_less_for_friends() -> None:
    one = formulas.pairwise({"p": {"a": 1, "b": 4, "c": 9}}, 10**30)
    assert one["p"] == pytest.approx(11 * ROOT**2, rel=1e-20)  # the pairs of (36 − 14) counted once; k is 1 for a huge M
    friends = formulas.pairwise({"p": {"a": 4, "b": 4}, "q": {"a": 4, "b": 4}}, 8)
    assert friends == {"p": 2 * ROOT**2, "q": 2 * ROOT**2}  # k = 8 / (8 + 4 + 4), of a product of 4
    assert formulas.pairwise({"p": {"a": 4, "b": 4}}, 8)["p"] == 4 * ROOT**2 * 8 // 12


def test_cluster_match_pays_for_what_crosses_circles() -> None:
    """Two voters of one circle bring nothing; each with a circle of their own beside it, they do."""
    together = formulas.cluster_match({"p": {"a": 100, "b": 100}, "q": {"a": 100, "b": 100}})
    assert together == {"p": 0, "q": 0}
    across = formulas.cluster_match({"p": {"a": 100, "b": 100}, "q": {"a": 100}, "r": {"b": 100}})
    # a gave half to p, half to q. From a to r: half of the way to p, half of that to b, half of that to r: 1/8.
    half = Fraction(1, 2)
    outside = (1 - Fraction(1, 8)) * 100 * half
    assert across["p"] == 2 * outside * formulas.RATIO**2
    assert across["q"] == across["r"] == 0


def test_median_needs_a_quorum_and_a_minimum() -> None:
    votes = {
        "even": {"a": 1, "b": 2, "c": 4, "d": 9},
        "odd": {"a": 0, "b": 5, "c": 9},
        "few": {"a": 9, "b": 9},
        "poor": {"a": 0, "b": 0, "c": 9},
    }
    assert formulas.median(votes, quorum=3, minimum=0) == {"even": 6, "odd": 10}
    assert formulas.median(votes, quorum=3, minimum=4) == {"odd": 10}
    assert formulas.median(votes, quorum=2, minimum=0)["few"] == 18


def test_clrfund_pays_donations_and_the_pool() -> None:
    tally = formulas.voice({"p": {"a": 40, "b": 99}, "q": {"a": 10}}, 10)
    assert tally == {"p": (2 + 3, 4 + 9), "q": (1, 1)}
    assert formulas.capital_constrained(tally) == {"p": 12, "q": 0} and formulas.linear_votes(tally) == {"p": 5, "q": 1}
    paid = formulas.clrfund_payouts(tally, 600, 10)
    assert paid == {"p": 130 + 600, "q": 10}
    assert formulas.clrfund_linear_payouts(tally, 600, 10) == {"p": 500 + 130, "q": 100 + 10}
    with pytest.raises(MoneyError, match="nothing to match"):
        formulas.clrfund_payouts({"q": (1, 1)}, 600, 10)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**90), st.integers(1, 20))
def test_roots_are_exact(value: int, degree: int) -> None:
    found = integer_root(value, degree)
    assert found**degree <= value < (found + 1) ** degree


def test_a_power_is_rounded_down_once() -> None:
    assert power(1, 4, Fraction(1, 2)) == 5 * 10**17
    assert power(1, 2, Fraction(1, 2)) == isqrt(5 * 10**35)
    assert power(0, 4, Fraction(1, 2)) == 0 and power(4, 4, Fraction(3, 4)) == 10**18


# --- cap, floor, tilt, emission -------------------------------------------------------------------------------------


def test_what_is_over_the_cap_goes_to_the_others_until_nobody_is_over() -> None:
    assert fill({"a": 60, "b": 30, "c": 10}, 100, cap=40).amounts == {"a": 40, "b": 40, "c": 20}
    filled = fill({"a": 60, "b": 30, "c": 10}, 100, cap=20)
    assert filled.amounts == dict.fromkeys("abc", 20) and filled.capped == frozenset("abc")


def test_the_lowest_are_dropped_until_all_others_reach_the_floor() -> None:
    filled = fill({"a": 50, "b": 30, "c": 9, "d": 6, "e": 5}, 100, floor=10)
    assert filled.amounts == {"a": 56, "b": 34, "c": 10, "d": 0, "e": 0}  # without d and e, c reaches it
    assert filled.dropped == frozenset("de")
    assert fill({"a": 1, "b": 1}, 100, floor=60).amounts == {"a": 0, "b": 0}  # alike, so both or none


def test_cap_and_floor_together() -> None:
    assert fill({"a": 90, "b": 6, "c": 4}, 100, cap=50, floor=25).amounts == {"a": 50, "b": 50, "c": 0}
    assert fill({"a": 90, "b": 6, "c": 4}, 100, cap=50, floor=20).amounts == {"a": 50, "b": 30, "c": 20}


def test_the_tilt_lifts_the_small() -> None:
    shares = tilted({"a": 81, "b": 16, "z": 0}, 5000)
    assert shares["z"] == 0 and shares["a"] * 4 == pytest.approx(shares["b"] * 9, rel=1e-15)
    assert tilted({"a": 81}, 10_000) == {"a": 81}


def test_emission_takes_account_of_earlier_rounds() -> None:
    past = [Earlier("r1", {"a": 8}, {"a": 100}), Earlier("r2", {"a": 8, "b": 8}, {"a": 50, "b": 50})]
    now = {"a": 8, "b": 8, "c": 8}
    assert fresh_points(now, past) == {"a": 0, "b": 0, "c": 8}
    assert recent_points(now, past) == {"a": 8, "b": 16, "c": 32}
    due = balanced(now, past, 100)  # 300 in all, 100 for each: a had 150, b 50, c nothing
    assert due == {"a": 0, "b": 50 * 24, "c": 100 * 24}


def shares_of(terms: Terms, budget: int = 100, **points: int) -> dict[str, int]:
    return share(terms, Inputs(points), budget).amounts


def test_balanced_rounds_add_up_to_one_round() -> None:
    """Three rounds of growing credit pay in all what one round of the last credit would."""
    past: list[Earlier] = []
    for points in ({"a": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}):
        amounts = share(Terms(emission="balanced"), Inputs(points, earlier=past), 100).amounts
        past.append(Earlier("r", points, amounts))
    assert [round_.amounts for round_ in past] == [{"a": 100}, {"a": 0, "b": 100}, {"a": 0, "b": 0, "c": 100}]


# --- people and votes -----------------------------------------------------------------------------------------------


def test_accounts_of_one_person_share_one_cap_and_others_get_nothing() -> None:
    inputs = Inputs({"a1": 30, "a2": 10, "b": 40, "nobody": 40}, persons={"a1": "0xA", "a2": "0xA", "b": "0xB"})
    shares = share(Terms(verified=True, cap=40), inputs, 100)
    assert shares.amounts == {"a1": 30, "a2": 10, "b": 40, "nobody": 0} and shares.residual == 20
    assert "1 payee without a share" in " ".join(notes(Terms(verified=True, cap=40), shares, 100, 0))


def test_votes_that_do_not_count_are_told() -> None:
    ballots = [
        Ballot("a", "b", 4, "x"),
        Ballot("c", "b", 4, "x"),
        Ballot("b", "b", 99, "x"),
        Ballot("0xB", "b", 99, "x"),
        Ballot("a", "stranger", 9, "x"),
    ]
    shares = share(Terms("quadratic"), Inputs({"a": 1, "b": 1}, ballots, {"b": "0xB"}), 10)
    assert shares.amounts == {"a": 0, "b": 10}
    assert shares.aside == {"for oneself": 2, "for an account without credit or identity": 1}
    verified = share(Terms("quadratic", verified=True), Inputs({"a": 1, "b": 1}, ballots, {"b": "0xB"}), 10)
    assert verified.residual == 10 and verified.aside["of a voter without identity"] == 2
    trusted = [Ballot("0xC", "b", 4, "x", 10_000), Ballot("0xD", "b", 8, "x", 5000)]
    (unit,) = share(Terms("quadratic", verified=True), Inputs({"b": 1}, trusted, {"b": "0xB"}), 10).units
    assert unit.weight == 8 * ROOT**2  # two votes of four


def test_votes_for_any_account_of_a_person_count_for_the_person() -> None:
    """Else who splits chooses which votes count, and under cluster fewer votes can weigh more."""
    persons = {name: f"0x{name}" for name in "abc"}
    ballots = [Ballot("a", "b", 1, "x"), Ballot("a", "c", 1, "x"), Ballot("c", "a", 1, "x"), Ballot("c", "b", 10**18, "x", 3_333)]
    inputs = Inputs(dict.fromkeys("abc", 1), ballots, persons)
    for policy in POLICIES:
        whole = share(Terms(policy, verified=True), inputs, 1)
        for account in "abc":
            parts = share(Terms(policy, verified=True), split_account(inputs, account), 1)
            assert [(u.name, u.weight, u.amount) for u in parts.units] == [(u.name, u.weight, u.amount) for u in whole.units], policy


def test_ten_voters_for_one_gain_under_quadratic_and_not_once_verified() -> None:
    one, ten = ([Ballot(f"v{n}", "a", 100 // count, "x") for n in range(count)] for count in (1, 10))
    others = [Ballot(v, "b", 100, "x") for v in ("x", "y")]
    points = {"a": 1, "b": 1}
    assert share(Terms("quadratic"), Inputs(points, [*one, *others]), 100).amounts["a"] == 0
    assert share(Terms("quadratic"), Inputs(points, [*ten, *others]), 100).amounts["a"] > 80
    persons = {"a": "A", "b": "B", "x": "X", "y": "Y"} | {f"v{n}": "V" for n in range(10)}
    assert share(Terms("quadratic", verified=True), Inputs(points, [*ten, *others], persons), 100).amounts["a"] == 0


def test_splitting_pays_under_a_cap_and_not_once_verified() -> None:
    inputs = Inputs({"a": 60, "b": 20, "c": 20}, persons={name: name for name in "abc"})
    assert split_attack(Terms(), inputs, 1000) == 10_000
    assert (split_attack(Terms(cap=350), inputs, 1000) or 0) > 17_000
    for policy in POLICIES:
        gain = split_attack(Terms(policy, cap=350, tilt_bp=5000, verified=True), inputs, 1000)
        assert gain is None or gain <= 10_000, policy


def test_where_splitting_could_pay_the_operator_is_warned() -> None:
    assert warnings(Terms()) == [] and warnings(Terms(floor=5)) == []
    for policy in VOTING:
        assert "many accounts" in warnings(Terms(policy))[0]
        assert warnings(Terms(policy, verified=True)) == []
    assert "cap is for each account" in warnings(Terms(cap=5))[0]
    assert "balanced" in warnings(Terms(emission="balanced"))[0]


# --- bad input ------------------------------------------------------------------------------------------------------


def test_a_budget_smaller_than_the_number_of_payees() -> None:
    points = {f"a{n}": 1 for n in range(10)}
    shares = share(Terms(), Inputs(points), 3)
    assert shares.amounts == dict.fromkeys(points, 0) | dict.fromkeys(("a0", "a1", "a2"), 1)
    assert notes(Terms(), shares, 3, 0) == ["the budget has 3 base units for more payees: the smallest get nothing"]


@pytest.mark.parametrize("policy", POLICIES)
def test_nobody_one_and_no_votes(policy: str) -> None:
    assert share(Terms(policy), Inputs({}), 7).residual == 7
    assert share(Terms(policy), Inputs({"a": 0}), 7).amounts == {}
    alone = share(Terms(policy), Inputs({"a": 5}), 7)
    assert (alone.amounts["a"], alone.residual) == ((7, 0) if policy == "proportional" else (0, 7))
    assert ("no votes" in " ".join(notes(Terms(policy), alone, 7, 0))) == (policy in VOTING)


def test_a_cap_below_an_equal_share_leaves_the_rest_over_and_says_so() -> None:
    shares = share(Terms(cap=10), Inputs({"a": 5, "b": 1}), 100)
    assert shares.amounts == {"a": 10, "b": 10} and shares.residual == 80
    assert "the cap leaves 80 over" in " ".join(notes(Terms(cap=10), shares, 100, 0))


def terms_of(**options: Any) -> Terms:
    return parse_terms(options.pop("policy", "proportional"), 10**6, 2, options)


def test_settings_are_read_as_people_write_them() -> None:
    terms = terms_of(policy="median", cap="5%", floor="1.50", tilt="0.75", verified=True, quorum=17, minimum="15", vouch="0")
    assert (terms.cap, terms.floor, terms.tilt_bp, terms.quorum, terms.minimum, terms.vouch) == (50_000, 150, 7500, 17, 1500, 0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"policy": "quadratik"}, UnknownName, "no policy"),
        ({"emission": "often"}, UnknownName, "no emission"),
        ({"tilt": "0.75"}, UsageError, "would gain"),
        ({"tilt": "1.5", "verified": True}, UsageError, "above 1"),
        ({"tilt": "0.755", "verified": True}, MoneyError, "decimal places"),
        ({"tilt": "0", "verified": True}, MoneyError, "zero"),
        ({"cap": "NaN"}, MoneyError, "not a number"),
        ({"cap": "inf"}, MoneyError, "not a number"),
        ({"cap": "120%"}, MoneyError, "more than the budget"),
        ({"cap": "1e3"}, MoneyError, "exponent"),
        ({"cap": "-5"}, MoneyError, "negative"),
        ({"cap": "5", "floor": "6"}, UsageError, "below the floor"),
        ({"policy": "median", "quorum": 0}, UsageError, "quorum"),
        ({"policy": "quadratic", "emission": "recent"}, UsageError, "counts points"),
        ({"vouch": "0.001"}, MoneyError, "decimal places"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(options: dict[str, Any], error: type[UsageError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        terms_of(**options)
    assert caught.value.way_out


# --- the verifier ---------------------------------------------------------------------------------------------------

PAIRS = (("a", "b"), ("c", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("d", "b"), ("c", "d"), ("d", "a"))
BALLOTS = tuple(Ballot(voter, author, 10**18 * n, "x") for n, (voter, author) in enumerate(PAIRS, 1))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("change", ["amount", "weight", "vote", "aside", "state", "policy", "cap"])
def test_the_verifier_finds_a_changed_share(policy: str, change: str) -> None:
    case = Case(Terms(policy, cap=600, floor=20, quorum=2), Inputs({"a": 90, "b": 30, "c": 40, "d": 1}, BALLOTS), 1000)
    shares = share(case.terms, case.inputs, case.budget)
    snapshot = snapshot_of(case, shares)
    assert verify_policy(snapshot) == []
    told = snapshot["policy"]
    paid = [a for a in snapshot["allocations"] if int(a["amount"])]
    assert paid
    unit = next(u for u in told["units"] if u["name"] == paid[0]["author"])
    if change == "amount":
        unit["amount"] = paid[0]["amount"] = str(int(unit["amount"]) - 2)
    elif change == "weight":
        unit["weight"] = str(int(unit["weight"]) + 1)
    elif change == "vote":
        told["votes"][0]["voter"] = told["votes"][0]["author"]
    elif change == "aside":
        told["votes"][1]["aside"] = "for oneself"
    elif change == "state":
        unit["state"] = "below floor"
    elif change == "policy":
        snapshot["round"]["policy"] = "other"
    else:
        told["terms"]["cap"] = "100"
    assert verify_policy(snapshot)
