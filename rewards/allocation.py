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


@dataclass(frozen=True, slots=True)
class Team:
    """A shared payee: what it is paid is split over its addresses by fixed weights."""

    name: str
    members: Mapping[str, int]  # address → weight


def settle(
    round_: Round,
    points: Mapping[str, int],
    identities: Mapping[str, Identity],
    amounts: Mapping[str, int] | None = None,
    teams: Mapping[str, Team] | None = None,
) -> Settlement:
    """Split the round's budget: paid where an identity is known, held where not, residual where nobody earned.

    `amounts` are the shares that the round's policy gives, in base units; without them they are proportional to points.
    `teams` are the shared payees of accounts; an account's own identity goes before its team.
    """
    amounts = split(points, round_.budget) if amounts is None else amounts
    teams = teams or {}
    allocations = [
        _allocation(round_, author, points.get(author, 0), amount, identities.get(author), teams.get(author))
        for author, amount in sorted(amounts.items())
    ]
    paid = sum(a.amount for a in allocations if a.state == "paid")
    held = sum(a.amount for a in allocations if a.state == "held")
    residual = round_.budget - sum(amounts.values())
    if paid + held + residual != round_.budget or min(paid, held, residual) < 0:
        raise MoneyError(
            f"paid {paid} + held {held} + residual {residual} is not the budget {round_.budget}", "this is a defect: please report it"
        )
    members = {team.name: team.members for team in teams.values()}
    return Settlement(tuple(allocations), payouts(allocations, members), paid, held, residual)


def _allocation(round_: Round, author: str, points: int, amount: int, identity: Identity | None, team: Team | None) -> Allocation:
    # An address that is the token's own contract swallows what it is sent: hold until the payee gives another.
    if identity is not None and identity.address.lower() != round_.token.lower():
        return Allocation(round_.name, author, points, amount, identity.address, "paid")
    if identity is None and team is not None and round_.token.lower() not in {address.lower() for address in team.members}:
        return Allocation(round_.name, author, points, amount, None, "paid", team.name)
    return Allocation(round_.name, author, points, amount, None, "held")


def payouts(allocations: Sequence[Allocation], teams: Mapping[str, Mapping[str, int]] | None = None) -> tuple[Payout, ...]:
    """One payout for each address: authors that share one are summed; nothing of zero is paid.

    A team's address gets its part of each account's amount, by the weights in `teams`, by largest remainder.
    """
    by_address: dict[str, list[tuple[str, int]]] = {}
    for allocation in allocations:
        parts = {allocation.address: allocation.amount} if allocation.address is not None else {}
        if allocation.team is not None and allocation.state == "paid":
            parts = dict(split((teams or {})[allocation.team], allocation.amount))
        for address, amount in parts.items():
            if amount:
                by_address.setdefault(address, []).append((allocation.author, amount))
    return tuple(
        Payout(address, sum(amount for _, amount in group), tuple(sorted(author for author, _ in group)))
        for address, group in sorted(by_address.items(), key=lambda item: item[0].lower())
    )
