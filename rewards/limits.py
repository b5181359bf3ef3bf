"""What comes between a policy's weights and the amounts: tilt, what was paid before, cap and floor. Pure, exact integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rewards.allocation import split
from rewards.formulas import Weights, power


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier round of the same token: what each payee had and got. Rounds go from the oldest to the newest."""

    name: str
    points: Mapping[str, int]
    amounts: Mapping[str, int]  # base units, paid or held


def tilted(weights: Mapping[str, int], tilt_bp: int) -> Weights:
    """s^β of each share s, at scale formulas.RATIO: β < 1 lifts the small. Splittable: payees must be verified people.

    Who splits a share in n gets n·(s/n)^β = n^(1−β)·s^β. `tilt_bp` is β in basis points, 10000 for none.
    """
    total = sum(weights.values())
    if tilt_bp == 10_000 or total == 0:
        return dict(weights)
    return {payee: power(weight, total, Fraction(tilt_bp, 10_000)) for payee, weight in weights.items()}


# --- emission: several rounds ---------------------------------------------------------------------------------------


def fresh_points(points: Mapping[str, int], earlier: Sequence[Earlier]) -> Weights:
    """`immediate`, as SourceCred calls it: only points that are new since the last round."""
    last = earlier[-1].points if earlier else {}
    return {payee: max(0, count - last.get(payee, 0)) for payee, count in points.items()}


def recent_points(points: Mapping[str, int], earlier: Sequence[Earlier]) -> Weights:
    """`recent`: points that are new now count whole, those that were new a round ago half, two rounds ago a quarter …

    Scaled by 2^(number of earlier rounds), so that they stay whole.
    """
    counted: defaultdict[str, int] = defaultdict(int)
    before: Mapping[str, int] = {}
    for age, had in enumerate([*(round_.points for round_ in earlier), points]):
        for payee in points:
            counted[payee] += max(0, had.get(payee, 0) - before.get(payee, 0)) << age
        before = had
    return dict(counted)


def balanced(weights: Mapping[str, int], earlier: Sequence[Earlier], budget: int) -> Weights:
    """`balanced`: shares of what each is behind, so that all rounds together come near to the weights.

    A payee's due is max(0, (paid to all before + budget)·w / Σw − paid to them before), here times Σw. Who was paid too
    much gives nothing back.
    """
    paid: defaultdict[str, int] = defaultdict(int)
    for round_ in earlier:
        for payee, amount in round_.amounts.items():
            paid[payee] += amount
    total, lifetime = sum(weights.values()), sum(paid.values()) + budget
    return {payee: max(0, lifetime * weight - paid[payee] * total) for payee, weight in weights.items()}


# --- cap and floor --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filled:
    amounts: dict[str, int]  # base units, for every payee with a weight
    capped: frozenset[str]
    dropped: frozenset[str]  # below the floor


def fill(weights: Mapping[str, int], budget: int, cap: int | None = None, floor: int = 0) -> Filled:
    """Share a budget by weight, nobody over `cap`, nobody under `floor`: who would be gets nothing.

    Cap: what is over it goes to the others, until nobody is over it (water-filling). Floor: the payees of the lowest
    weight are dropped, all who have the same together, until the lowest that are left reach it. What the caps leave is
    not shared out. The rest is split by largest remainder, ties by id.
    """
    named = {payee: weight for payee, weight in weights.items() if weight > 0}
    levels = sorted(set(named.values()))
    low, high = 0, len(levels)  # the fewest levels to drop: fewer payees get more each, so it can be bisected
    while low < high:
        middle = (low + high) // 2
        if _lowest_reaches(named, levels[middle], budget, cap, floor):
            high = middle
        else:
            low = middle + 1
    kept = {payee: weight for payee, weight in named.items() if low < len(levels) and weight >= levels[low]}
    capped, rest = _cap(kept, budget, cap)
    amounts = dict.fromkeys(named, 0) | split({p: w for p, w in kept.items() if p not in capped}, rest)
    if cap is not None:
        amounts |= dict.fromkeys(capped, cap)
    return Filled(dict(sorted(amounts.items())), capped, frozenset(named.keys() - kept.keys()))


def _lowest_reaches(weights: Mapping[str, int], level: int, budget: int, cap: int | None, floor: int) -> bool:
    """Whether the payees of weight `level` get the floor when all of a lower weight are dropped."""
    kept = {payee: weight for payee, weight in weights.items() if weight >= level}
    capped, rest = _cap(kept, budget, cap)
    total = sum(weight for payee, weight in kept.items() if payee not in capped)
    return total == 0 or level * rest >= floor * total  # all capped: a cap is never below the floor


def _cap(weights: Mapping[str, int], budget: int, cap: int | None) -> tuple[frozenset[str], int]:
    """Who is at the cap, and what is left for the others."""
    if cap is None:
        return frozenset(), budget
    capped, total = [], sum(weights.values())
    for payee, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        if weight * budget <= cap * total:
            break  # the heaviest is not over it, so nobody is
        capped.append(payee)
        budget, total = budget - cap, total - weight
    return frozenset(capped), budget
