"""Shapley shares in exact integers: what each player adds, averaged over the orders in which they could have come.

The value of a set of players is given by a function with integer results. Up to EXACT players every subset is visited;
above, PERMUTATIONS orders are drawn by hashing, so that every machine draws the same, and an order is cut off once it has
reached the value of all. Shares sum to the value of all, by the largest remainder; ties go to the earlier player.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial

EXACT = 8  # players: 2^8 subsets
PERMUTATIONS = 256
SEED = "precipitate/shapley/1"

Value = Callable[[Sequence[int]], int]  # of players by number, ascending


def shapley(count: int, value: Value) -> list[int]:
    """The shares of `count` players. `value` of nobody is 0, and more players never make it smaller."""
    if count == 0:
        return []
    means = _exact(count, value) if count <= EXACT else _sampled(count, value)
    return _rounded(means, value(range(count)))


def _exact(count: int, value: Value) -> list[Fraction]:
    values = {subset: value(subset) for size in range(count + 1) for subset in combinations(range(count), size)}
    means = []
    for player in range(count):
        total = Fraction(0)
        for subset, worth in values.items():
            if player not in subset:
                joined = tuple(sorted((*subset, player)))
                ways = factorial(len(subset)) * factorial(count - len(subset) - 1)
                total += Fraction(ways * (values[joined] - worth), factorial(count))
        means.append(total)
    return means


def _sampled(count: int, value: Value) -> list[Fraction]:
    """Truncated Monte Carlo: whoever comes after the value of all is reached adds nothing."""
    whole = value(range(count))
    totals = [0] * count
    for number in range(PERMUTATIONS):
        came: list[int] = []
        before = 0
        for player in sorted(range(count), key=lambda p: _draw(number, p)):
            if before == whole:
                break
            came.append(player)
            after = value(sorted(came))
            totals[player] += after - before
            before = after
    return [Fraction(total, PERMUTATIONS) for total in totals]


def _draw(number: int, player: int) -> bytes:
    return hashlib.sha256(f"{SEED} {number} {player}".encode()).digest()


def _rounded(means: Sequence[Fraction], whole: int) -> list[int]:
    shares = [int(mean) for mean in means]
    order = sorted(range(len(means)), key=lambda p: (shares[p] - means[p], p))
    for player in order[: whole - sum(shares)]:
        shares[player] += 1
    return shares
