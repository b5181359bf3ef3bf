"""Trust: a seeded walk over endorsements (EigenTrust), in exact integers, so that whoever repeats it gets the same to the bit.

    t ← a·p + (1−a)·Cᵀt        p: the seeds' shares, C: each account's endorsements as shares of all it gave

`t` is fixed-point: ONE is all trust there is. Each flow is rounded down once, which loses at most one unit of ONE for each
endorsement; who endorses nobody hands its trust back to the seeds. The walk ends when nothing moves by more than an
endorsement's rounding, or after ROUNDS. Endorsements weigh their number, less what has faded: `decay_bp` of it is left a
quarter of a year later, counted back from the newest, not from today.

Bounds (docs/decisions/0018): accounts that nobody outside endorses get nothing, however many they are; accounts that get x
from outside hold at most x/a among them; and whoever bribes one seed of n gets at most what that seed has.

numpy does the sums; all of them are of 64-bit integers, in which order does not matter. rewards/verify_credit.py does the
same in plain Python.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

ONE = 1 << 40
WEIGHT_BITS = 22  # t·w stays below 2^63
UNIT = 1_000  # weight of a fresh endorsement
MOST_WEIGHT = (1 << WEIGHT_BITS) - 1
ROUNDS = 100
EPOCH_DAYS = 91
WHOLE = 10_000
FULL = 20  # accounts with a FULLth of what a seed has by being one are trusted fully


@dataclass(frozen=True, slots=True)
class Endorsement:
    """Somebody stood behind somebody else's words."""

    giver: str
    taker: str
    created: str
    kind: str  # "like" | "reply" | "support" | "accepted"
    post: str  # where it was said


Edge = tuple[str, str, int]  # giver, taker, weight


def faded(endorsements: Iterable[Endorsement], decay_bp: int) -> list[Edge]:
    """Endorsements as edges of the walk, sorted: one for each pair, weighing what is left of them; own ones count nothing."""
    counted = [e for e in endorsements if e.giver != e.taker and e.giver and e.taker]
    newest = max((e.created for e in counted), default="")[:10]
    left: dict[str, int] = {}  # by day: there are few days, and many endorsements
    total: defaultdict[tuple[str, str], int] = defaultdict(int)
    for e in counted:
        day = e.created[:10]
        if day not in left:
            age = _epochs(day, newest)
            left[day] = UNIT * decay_bp**age // WHOLE**age
        total[e.giver, e.taker] += left[day]
    return [(giver, taker, min(weight, MOST_WEIGHT)) for (giver, taker), weight in sorted(total.items()) if weight]


def _epochs(day: str, newest: str) -> int:
    return max(0, (date.fromisoformat(newest) - date.fromisoformat(day)).days // EPOCH_DAYS)


def walk(edges: Sequence[Edge], seeds: Mapping[str, int], restart_bp: int) -> dict[str, int]:
    """Trust of every account that gets any, in units of ONE. `seeds`: account → weight; none means that nobody has any."""
    import numpy as np

    if not any(seeds.values()):
        return {}
    names = sorted({*seeds, *(giver for giver, _, _ in edges), *(taker for _, taker, _ in edges)})
    place = {name: number for number, name in enumerate(names)}
    givers = np.fromiter((place[giver] for giver, _, _ in edges), np.int64, len(edges))
    takers = np.fromiter((place[taker] for _, taker, _ in edges), np.int64, len(edges))
    weights = np.fromiter((weight for _, _, weight in edges), np.int64, len(edges))
    start = np.array([ONE * seeds.get(name, 0) // sum(seeds.values()) for name in names], np.int64)
    trust = walk_arrays(givers, takers, weights, start, restart_bp)
    return {name: int(trust[number]) for number, name in enumerate(names) if trust[number]}


def walk_arrays(givers, takers, weights, start, restart_bp: int):  # type: ignore[no-untyped-def]  # numpy is imported lazily
    """The walk over accounts by number; arrays of int64, `start` sums to ONE at most."""
    import numpy as np

    count = len(start)
    order = np.argsort(takers, kind="stable")
    givers, takers, weights = givers[order], takers[order], weights[order]
    heads = np.flatnonzero(np.r_[True, takers[1:] != takers[:-1]]) if len(takers) else np.zeros(0, np.int64)
    totals = np.zeros(count, np.int64)
    np.add.at(totals, givers, weights)
    silent = totals == 0
    totals[silent] = 1
    base = start * restart_bp // WHOLE
    trust, slack = start.copy(), 0
    for _ in range(ROUNDS):
        after = base + _part(start, int(trust[silent].sum()) * (WHOLE - restart_bp) // WHOLE)
        if len(heads):
            flows = trust[givers] * weights // totals[givers]
            after[takers[heads]] += np.add.reduceat(flows, heads) * (WHOLE - restart_bp) // WHOLE
        slack = int(np.abs(after - trust).max()) if count else 0
        trust = after
        if slack <= 1:
            break
    return trust


def _part(start, amount: int):  # type: ignore[no-untyped-def]
    """`amount` units shared like `start`, in halves of 20 bits so that no product passes 63."""
    high, low = amount >> 20, amount & ((1 << 20) - 1)
    return (start * high >> 20) + (start * low >> 40)


def levels(trust: Mapping[str, int], seeds: Mapping[str, int], restart_bp: int) -> dict[str, int]:
    """Trust as basis points: 10000 is trusted fully, which is a FULLth of what a seed has by being one; there may be more.

    The yardstick is the seeds' alone, so nobody's standing changes because others open accounts. It is not cut off at
    10000: then who has more would gain by dividing it among several accounts.
    """
    weight = sum(seeds.values())
    count = sum(1 for share in seeds.values() if share)
    if not weight:
        return {}
    full = max(1, ONE * restart_bp // WHOLE // count // FULL)
    return {name: amount * WHOLE // full for name, amount in sorted(trust.items()) if amount * WHOLE // full}
