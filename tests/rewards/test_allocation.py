from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import MoneyError
from index.records import Identity, Round
from rewards.allocation import settle, split
from tests.rewards.builders import ADDRESSES, TOKEN

POINTS = st.dictionaries(st.text("abcdefgh/:", min_size=1, max_size=5), st.integers(0, 10**12), max_size=25)
BUDGETS = st.one_of(st.integers(1, 1_000), st.integers(1, 2**256 - 1))


def a_round(budget: int) -> Round:
    return Round("r1", budget, TOKEN, 18, "proportional", "open", "2024-06-01T00:00:00Z")


@settings(max_examples=2_000, deadline=None)
@given(POINTS, BUDGETS, st.randoms(use_true_random=False))
def test_shares_sum_exactly_whatever_the_order(points: dict[str, int], budget: int, chance: random.Random) -> None:
    shares = split(points, budget)
    assert sum(shares.values()) == (budget if sum(points.values()) else 0)
    total = sum(points.values())
    for author, amount in shares.items():
        assert 0 <= points[author] * budget // total <= amount <= points[author] * budget // total + 1
    mixed = list(points.items())
    chance.shuffle(mixed)
    assert split(dict(mixed), budget) == shares
    for more, less in zip(sorted(shares, key=points.__getitem__)[1:], sorted(shares, key=points.__getitem__), strict=False):
        assert shares[more] >= shares[less] - (points[more] == points[less])


@settings(max_examples=1_000, deadline=None)
@given(POINTS, BUDGETS, st.data())
def test_paid_held_and_residual_are_the_budget(points: dict[str, int], budget: int, data: st.DataObject) -> None:
    addressed = data.draw(st.dictionaries(st.sampled_from(sorted(points) or ["x"]), st.sampled_from((*ADDRESSES, TOKEN))))
    settlement = settle(a_round(budget), points, {author: Identity(author, address, "test") for author, address in addressed.items()})
    assert settlement.paid + settlement.held + settlement.residual == budget
    assert sum(p.amount for p in settlement.payouts) == settlement.paid
    assert len({p.address for p in settlement.payouts}) == len(settlement.payouts)
    assert all(p.amount > 0 and p.address != TOKEN for p in settlement.payouts)


def test_what_is_left_goes_by_largest_remainder_then_id() -> None:
    assert split({"b": 1, "a": 1, "c": 1}, 100) == {"a": 34, "b": 33, "c": 33}
    assert split({"a": 1, "b": 2}, 100) == {"a": 33, "b": 67}


def test_nobody_earned_leaves_all_residual() -> None:
    settlement = settle(a_round(7), {"a": 0}, {})
    assert (settlement.paid, settlement.held, settlement.residual, settlement.allocations) == (0, 0, 7, ())


def test_authors_who_share_an_address_are_one_payout() -> None:
    identities = {a: Identity(a, ADDRESSES[0], "test") for a in ("a", "b")}
    (payout,) = settle(a_round(10), {"a": 1, "b": 1}, identities).payouts
    assert (payout.amount, payout.authors) == (10, ("a", "b"))


def test_negative_points_and_budgets_are_refused() -> None:
    with pytest.raises(MoneyError, match="a has -1 points"):
        split({"a": -1, "b": 3}, 10)
    with pytest.raises(MoneyError, match="budget is -5"):
        split({"a": 1}, -5)
