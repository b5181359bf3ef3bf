"""The measures of `bench.praise` on a handful of praises."""

from __future__ import annotations

import pytest

from bench.praise import Praise, ceiling, copies_out, correlated, scores_by_name, trusted

SEED = frozenset({"s"})


def praise(giver: str, taker: str, text: str = "for help", value: float = 1, **scores: float) -> Praise:
    return Praise(1, "2022-01-01T00:00:00Z", giver, taker, text, value, scores)


def test_the_same_words_to_many_count_for_the_first() -> None:
    words = "for the great work on the budget report of spring"
    found = copies_out(
        [praise("a", "x", words), praise("a", "y", words), praise("b", "y", words), praise("a", "z", "for quick translations into french")],
        [],
    )
    assert found == {"x": 1, "y": 1, "z": 1}


def test_trust_is_a_budget_and_comes_from_the_seeds() -> None:
    many = [praise("s", f"t{n}") for n in range(4)]
    found = trusted(SEED)([*many, praise("nobody", "u"), praise("s2", "s2")], many)
    assert found["u"] == found["s2"] == 0 and len({found[f"t{n}"] for n in range(4)}) == 1
    assert trusted(SEED)([praise("s", "t")], many)["t"] == pytest.approx(4 * found["t0"])


def test_every_measure_scores_every_person() -> None:
    praises = [praise(f"g{n % 3}", f"t{n}", s=1.0) for n in range(10)]
    for name, score in scores_by_name(praises).items():
        assert score(praises, praises).keys() == {f"t{n}" for n in range(10)}, name


def test_correlations_need_people_and_differences() -> None:
    assert correlated({"a": 1.0}, {"a": 1.0}) is None
    ten = {str(n): float(n) for n in range(10)}
    assert correlated(ten, ten) == (pytest.approx(1), 10) and correlated(ten, dict.fromkeys(ten, 1.0)) is None


def test_the_ceiling_is_one_scorer_against_the_others() -> None:
    praises = [praise("g", f"t{n}", p=float(n), q=float(n), r=float(9 - n)) for n in range(10)]
    assert [rho for rho, _ in ceiling(praises, sum)] == [pytest.approx(-1)]  # to p and q the others are all alike: no ρ
    both = [praise("g", f"t{n}", p=float(n), q=float(n)) for n in range(10)]
    assert [rho for rho, _ in ceiling(both, sum)] == [pytest.approx(1)] * 2
