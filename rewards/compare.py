"""One round under every policy: who gets what, how even it is, and what an attacker would gain. Pure and exact.

Ratios are basis points, rounded down. Shares are of the round's budget, so what the caps leave over is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from index.store import Store
from rewards.frozen import excluded, frozen_value, inputs_from
from rewards.limits import Earlier
from rewards.own_weights import round_credits
from rewards.policies import POLICIES, Ballot, Inputs, Terms, policy_fits, share, warnings
from rewards.rounds import find_round, inputs_of, rules_of, terms_of

COMPARISON_SCHEMA = "precipitate/comparison/1"
SPLIT = 10  # accounts that the largest earner splits into, voters that the largest vote is split among
RING = 5  # payees who vouch for each other
TOP = 10
NEWCOMER_DAYS = 365  # first credited words no older than this, before the newest
WHOLE = 10_000


def compare_round(store: Store, name: str) -> dict[str, Any]:
    """The round under every policy, with its other settings as they are; `chosen` is its own. Changes nothing."""
    round_ = find_round(store, name)
    terms = terms_of(store, round_)
    earned = round_credits(store, terms)
    whole = inputs_of(store, round_, terms, earned)
    frozen = frozen_value(store, round_, terms, rules_of(store, round_)[1], whole, earned, None, round_.created)  # as if it were frozen now
    new = newcomers(frozen["credits"], whole.earlier)
    out = excluded(frozen)
    inputs = inputs_from(frozen, out)
    rows = []
    for policy in POLICIES:
        tried = policy_fits(replace(terms, policy=policy))
        rows.append({"policy": policy, "chosen": policy == terms.policy, **figures(tried, inputs, round_.budget, new)})
    return {
        "schema": COMPARISON_SCHEMA,
        "round": round_.name,
        "budget": str(round_.budget),
        "decimals": round_.decimals,
        "authors": sum(1 for points in inputs.points.values() if points),
        "excluded": len(out),
        "newcomers": len(new),
        "votes": len(inputs.ballots),
        "verified": terms.verified,
        "policies": rows,
    }


def newcomers(credits: Sequence[Mapping[str, Any]], earlier: Sequence[Earlier]) -> frozenset[str]:
    """Authors whom no earlier round gave anything, and whose first credited words are of the last year before the newest."""
    first: dict[str, str] = {}
    for record in credits:
        first[record["author"]] = min(record["created"], first.get(record["author"], record["created"]))
    if not first:
        return frozenset()
    newest = datetime.fromisoformat(max(record["created"] for record in credits))
    since = newest - timedelta(days=NEWCOMER_DAYS)
    had = {author for round_ in earlier for author, amount in round_.amounts.items() if amount}
    return frozenset(author for author, created in first.items() if datetime.fromisoformat(created) >= since and author not in had)


def figures(terms: Terms, inputs: Inputs, budget: int, new: frozenset[str]) -> dict[str, Any]:
    """How even a policy's shares are, and what three attacks gain."""
    shares = share(terms, inputs, budget)
    amounts = sorted(shares.amounts.values())
    paid = sum(amounts)
    split_gain, socks_gain, ring = (attack(terms, inputs, budget) for attack in (split_attack, socks_attack, ring_attack))
    return {
        "payees": sum(1 for amount in amounts if amount),
        "residual": str(shares.residual),
        "gini_bp": gini_bp(amounts),
        "lorenz_bp": lorenz_bp(amounts),
        "top_share_bp": _bp(sum(amounts[-TOP:]), paid),
        "newcomer_share_bp": _bp(sum(amount for author, amount in shares.amounts.items() if author in new), paid),
        "splitting_gain_bp": split_gain,
        "vote_splitting_gain_bp": socks_gain,
        "ring": ring,
        "warnings": warnings(terms),
    }


def _bp(part: int, whole: int) -> int | None:
    return part * WHOLE // whole if whole else None


def gini_bp(amounts: Sequence[int]) -> int | None:
    """Gini coefficient of ascending amounts: 0 is all alike, near 10000 is all for one. None where nothing is paid."""
    count, total = len(amounts), sum(amounts)
    if not total:
        return None
    ranked = sum((2 * rank - count - 1) * amount for rank, amount in enumerate(amounts, 1))
    return ranked * WHOLE // (count * total)


def lorenz_bp(amounts: Sequence[int]) -> list[int] | None:
    """What the poorest 10, 20 … 100 % of all credited authors get together; between two authors, in proportion."""
    total = sum(amounts)
    if not total:
        return None
    curve = []
    for decile in range(1, 11):
        place = Fraction(len(amounts) * decile, 10)
        whole = place.numerator // place.denominator
        part = (place - whole) * amounts[whole] if whole < len(amounts) else Fraction(0)
        curve.append(int((sum(amounts[:whole]) + part) * WHOLE / total))
    return curve


# --- attacks --------------------------------------------------------------------------------------------------------


def split_attack(terms: Terms, inputs: Inputs, budget: int) -> int | None:
    """What the largest earner gets with everything in ten accounts, against one: 10000 is no gain. None where nobody earns.

    Points, votes for them, and what earlier rounds gave are divided evenly. Under `verified` the accounts can show one
    identity between them.
    """
    amounts = share(terms, inputs, budget).amounts
    if not any(amounts.values()):
        return None
    target = min(amounts, key=lambda author: (-amounts[author], author))
    after = share(terms, split_account(inputs, target), budget).amounts
    return _bp(sum(after.get(part, 0) for part in parts_of(target)), amounts[target])


def parts_of(account: str) -> list[str]:
    return [f"{account}\x00{part}" for part in range(SPLIT)]  # no name holds a NUL


def split_account(inputs: Inputs, account: str) -> Inputs:
    """The same round with one account's everything in ten."""
    parts = parts_of(account)

    def divided(by_account: Mapping[str, int]) -> dict[str, int]:
        rest = {name: number for name, number in by_account.items() if name != account}
        return rest | dict(zip(parts, _tenths(by_account.get(account, 0)), strict=True))

    ballots: list[Ballot] = []
    for ballot in inputs.ballots:
        if ballot.author == account:
            ballots += [replace(ballot, author=p, amount=a) for p, a in zip(parts, _tenths(ballot.amount), strict=True)]
        elif ballot.voter == account:
            ballots.append(replace(ballot, voter=parts[0]))
        else:
            ballots.append(ballot)
    person = inputs.persons.get(account)
    persons = dict(inputs.persons) | (dict.fromkeys(parts, person) if person else {})
    earlier = [Earlier(round_.name, divided(round_.points), divided(round_.amounts)) for round_ in inputs.earlier]
    return Inputs(divided(inputs.points), ballots, persons, earlier)


def _tenths(number: int) -> list[int]:
    return [number // SPLIT + (place < number % SPLIT) for place in range(SPLIT)]


def socks_attack(terms: Terms, inputs: Inputs, budget: int) -> int | None:
    """What the largest earner gets when the largest vote for them comes from ten accounts, each a tenth of it, against one.

    None where they earn without votes. The new accounts have no identity: under `verified` they do not count.
    """
    shares = share(terms, inputs, budget)
    counted = [b for b, verdict in zip(inputs.ballots, shares.verdicts, strict=True) if verdict is None and b.amount]
    backed = {ballot.author for ballot in counted} & {author for author, amount in shares.amounts.items() if amount}
    if not backed:
        return None
    target = min(backed, key=lambda author: (-shares.amounts[author], author))
    largest = min((b for b in counted if b.author == target), key=lambda b: (-b.amount, b.voter))
    names = [f"{largest.voter}\x00{place}" for place in range(SPLIT)]
    trust = None if terms.verified else largest.trust_bp
    socks = [replace(largest, voter=n, amount=a, trust_bp=trust) for n, a in zip(names, _tenths(largest.amount), strict=True)]
    rest = [ballot for ballot in inputs.ballots if ballot is not largest]
    after = share(terms, replace(inputs, ballots=[*rest, *socks]), budget)
    return _bp(after.amounts[target], shares.amounts[target])


def ring_attack(terms: Terms, inputs: Inputs, budget: int) -> dict[str, int] | None:
    """Share of the budget that the five smallest earners get, before and after each gives the others a middling vote.

    They are real people, so no identity stops them. None with fewer than ten authors.
    """
    payees = {u.accounts[0]: u.points for u in share(terms, replace(inputs, ballots=()), budget).units}
    if len(payees) < 2 * RING:
        return None
    ring = sorted(payees, key=lambda author: (payees[author], author))[:RING]
    sizes = sorted(ballot.amount for ballot in inputs.ballots if ballot.amount)
    size = sizes[len(sizes) // 2] if sizes else terms.vouch
    votes = [Ballot(a, b, size, "ring") for a in ring for b in ring if a != b and size]
    before, after = (share(terms, replace(inputs, ballots=[*inputs.ballots, *extra]), budget).amounts for extra in ([], votes))
    return {"before_bp": sum(before[a] for a in ring) * WHOLE // budget, "after_bp": sum(after[a] for a in ring) * WHOLE // budget}
