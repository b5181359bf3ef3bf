"""Points and a budget → integer amounts that sum to it exactly, or an error. Pure: no store, no clock, no floats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.errors import MoneyError
from index.records import Allocation, Identity, Payout, Round


def split(points: Mapping[str, int], budget: int) -> dict[str, int]:
    """Share `budget` base units in proportion to points: floors first, what is left by largest remainder, ties by id.

    The result sums to the budget exactly, or is empty where nobody has points (the budget is then residual).
    Raises MoneyError on a budget or points below zero, and if the sums ever disagreed.
    """
    if budget < 0:
        raise MoneyError(f"the budget is {budget} base units", "give an amount above zero")
    wrong = sorted(author for author, count in points.items() if count < 0)
    if wrong:
        raise MoneyError(f"{wrong[0]} has {points[wrong[0]]} points", "credit is never negative: run `precipitate run` again")
    total = sum(points.values())
    if total == 0:
        return {}
    amounts = {author: count * budget // total for author, count in points.items() if count}
    left = budget - sum(amounts.values())
    by_remainder = sorted(amounts, key=lambda author: (-(points[author] * budget % total), author))
    for author in by_remainder[:left]:
        amounts[author] += 1
    if sum(amounts.values()) != budget:
        raise MoneyError(f"shares sum to {sum(amounts.values())}, the budget is {budget}", "this is a defect: please report it")
    return dict(sorted(amounts.items()))


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a budget goes, in base units: paid + held + residual == budget, always."""

    allocations: tuple[Allocation, ...]  # by author id
    payouts: tuple[Payout, ...]  # by address, amounts above zero
    paid: int
    held: int
    residual: int


def settle(
    round_: Round, points: Mapping[str, int], identities: Mapping[str, Identity], amounts: Mapping[str, int] | None = None
) -> Settlement:
    """Split the round's budget: paid where an identity is known, held where not, residual where nobody earned.

    `amounts` are the shares that the round's policy gives, in base units; without them they are proportional to points.
    """
    amounts = split(points, round_.budget) if amounts is None else amounts
    allocations = []
    for author, amount in amounts.items():
        identity = identities.get(author)
        # An address that is the token's own contract swallows what it is sent: hold until the payee gives another.
        payable = identity is not None and identity.address.lower() != round_.token.lower()
        address = identity.address if identity is not None and payable else None
        allocations.append(Allocation(round_.name, author, points[author], amount, address, "paid" if payable else "held"))
    paid = sum(a.amount for a in allocations if a.state == "paid")
    held = sum(a.amount for a in allocations if a.state == "held")
    residual = round_.budget - sum(amounts.values())
    if paid + held + residual != round_.budget or min(paid, held, residual) < 0:
        raise MoneyError(
            f"paid {paid} + held {held} + residual {residual} is not the budget {round_.budget}", "this is a defect: please report it"
        )
    return Settlement(tuple(allocations), payouts(allocations), paid, held, residual)


def payouts(allocations: Sequence[Allocation]) -> tuple[Payout, ...]:
    """One payout for each address: authors that share one are summed; nothing of zero is paid."""
    by_address: dict[str, list[Allocation]] = {}
    for allocation in allocations:
        if allocation.address is not None and allocation.amount > 0:
            by_address.setdefault(allocation.address, []).append(allocation)
    return tuple(
        Payout(address, sum(a.amount for a in group), tuple(sorted(a.author for a in group)))
        for address, group in sorted(by_address.items(), key=lambda item: item[0].lower())
    )
