"""Check how a published round was shared out, from its own file alone: nothing here imports the code that did it.

Weights are worked out again from points and votes, by the plainest way to write each formula; tilt, cap and floor are
checked by what must hold of their results, not by doing them again. Findings in plain words; empty means all holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import permutations
from math import isqrt
from statistics import median
from typing import Any

Finding = str
Table = dict[str, dict[str, int]]  # payee → voter → base units

ROOT, RATIO = 10**12, 10**18  # the scales at which roots and quotients are rounded down


def verify_policy(snapshot: Mapping[str, Any]) -> list[Finding]:
    """Units are the payees, votes count as they should, weights are the formula's, amounts follow from them."""
    policy = snapshot.get("policy")
    if policy is None or policy["terms"]["policy"] != snapshot["round"]["policy"]:
        return [f"the round says policy {snapshot['round']['policy']}, its settings do not"]
    units = {unit["name"]: unit for unit in policy["units"]}
    findings = _verify_units(snapshot, units)
    if findings:
        return findings
    findings = _verify_votes(policy, units)
    weights = _weights(policy, units)
    findings += [
        f"{name} weighs {unit['weight']}, the votes give {weights[name]}"
        for name, unit in units.items()
        if int(unit["weight"]) != weights[name]
    ]
    due = _balanced(policy, units, _tilted(policy, weights), int(snapshot["round"]["budget"]))
    return findings + _verify_fill(policy["terms"], units, due, int(snapshot["round"]["budget"]))


def _verify_units(snapshot: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Every allocation is its unit's amount by points, and what belongs to no unit gets nothing."""
    amounts = {a["author"]: int(a["amount"]) for a in snapshot["allocations"]}
    points = {a["author"]: a["points"] for a in snapshot["allocations"]}
    findings = []
    owner = [account for unit in units.values() for account in unit["accounts"]]
    if len(owner) != len(set(owner)) or len(units) != len(snapshot["policy"]["units"]):
        findings.append("an account belongs to two payees")
    for name, unit in units.items():
        whole, mine = int(unit["amount"]), unit["accounts"]
        if unit["amount"] != str(whole) or unit["weight"] != str(int(unit["weight"])):
            findings.append(f"{name} has the amount {unit['amount']!r} or the weight {unit['weight']!r}, which is no plain number")
        if sum(amounts.get(a, 0) for a in mine) != whole or sum(points.get(a, 0) for a in mine) != unit["points"]:
            findings.append(f"the accounts of {name} do not sum to its amount and points")
        findings += [
            f"{a} does not get its part of {name}"
            for a in mine
            if abs(amounts.get(a, 0) - Fraction(whole * points.get(a, 0), unit["points"] or 1)) >= 1
        ]
    return findings + [f"{a} gets {amounts[a]} but belongs to no payee" for a in sorted(amounts.keys() - set(owner)) if amounts[a]]


def _verify_votes(policy: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    persons, findings = policy["persons"], []
    verified = policy["terms"]["verified"]
    for vote in policy["votes"]:
        voter, author = vote["voter"], vote["author"]
        own = persons.get(voter, voter) == persons.get(author, author)
        known = vote["trust_bp"] is not None or voter in persons or voter in persons.values()
        paid = (persons.get(author) if verified else author) in units
        counts = not own and paid and (known or not verified)
        if counts != (vote["aside"] is None):
            findings.append(f"the vote of {voter} for {author} {'counts' if counts else 'does not count'}, the round says otherwise")
    return findings


def _weights(policy: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    if policy["terms"]["policy"] == "proportional":
        return _points(policy, units)
    table: Table = {name: {} for name in units}  # ten thousandths of base units at first, since trust is in basis points
    for vote in policy["votes"]:
        if vote["aside"] is None:
            voter = policy["persons"].get(vote["voter"], vote["voter"]) if policy["terms"]["verified"] else vote["voter"]
            row = table[_unit(policy, vote["author"])]
            row[voter] = row.get(voter, 0) + int(vote["amount"]) * (10_000 if vote["trust_bp"] is None else vote["trust_bp"])
    whole = {name: {voter: amount // 10_000 for voter, amount in row.items()} for name, row in table.items()}
    found = FORMULAS[policy["terms"]["policy"]](whole, policy["terms"])
    return {name: found.get(name, 0) for name in units}


def _unit(policy: Mapping[str, Any], account: str) -> str:
    return str(policy["persons"][account]) if policy["terms"]["verified"] else account


def _points(policy: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Points as the emission counts them: since the last round, or halved for each round since they were new."""
    history: list[dict[str, int]] = []
    for earlier in policy["earlier"]:
        had: defaultdict[str, int] = defaultdict(int)
        for account, count in earlier["points"].items():
            had[_unit(policy, account)] += count
        history.append({name: had[name] for name in units})
    history.append({name: unit["points"] for name, unit in units.items()})
    emission = policy["terms"]["emission"]
    if emission not in ("immediate", "recent"):
        return history[-1]
    gains = [{n: max(0, now[n] - (history[i - 1][n] if i else 0)) for n in units} for i, now in enumerate(history)]
    if emission == "immediate":
        return gains[-1]
    return {name: sum(gain[name] * 2**i for i, gain in enumerate(gains)) for name in units}


# --- the formulas, written plainly ----------------------------------------------------------------------------------


def _sqrt(amount: int) -> int:
    return isqrt(amount * 10**24)


def _quadratic(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    return {p: max(0, sum(map(_sqrt, row.values())) ** 2 - 10**24 * sum(row.values())) for p, row in table.items()}


def _pairwise(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    bound = int(terms["bound"]) * 10**24
    weights = dict.fromkeys(table, 0)
    voters = sorted({voter for row in table.values() for voter in row})
    for place, i in enumerate(voters):
        for j in voters[place + 1 :]:
            both = {p: _sqrt(row[i]) * _sqrt(row[j]) for p, row in table.items() if row.get(i) and row.get(j)}
            for p, product in both.items():
                weights[p] += bound * product // (bound + sum(both.values()))
    return weights


def _cluster(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    """The same walk in dense tables: voter → payee → voter → payee, each quotient rounded down."""
    voters, payees = sorted({v for row in table.values() for v, c in row.items() if c}), sorted(table)
    c = {(i, g): table[g].get(i, 0) for i in voters for g in payees}
    gave = {i: sum(c[i, g] for g in payees) for i in voters}
    got = {g: sum(c[i, g] for i in voters) for g in payees}
    w = {(i, g): c[i, g] * RATIO // gave[i] for i in voters for g in payees}
    u = {(g, i): c[i, g] * RATIO // got[g] if got[g] else 0 for g in payees for i in voters}
    j = {(h, g): sum(u[h, i] * w[i, g] for i in voters) // RATIO for h in payees for g in payees}
    k = {(i, g): RATIO if c[i, g] else sum(w[i, h] * j[h, g] for h in payees) // RATIO for i in voters for g in payees}

    def weight(p: str) -> int:
        across = {(g, h): sum((RATIO - k[i, g]) * c[i, p] * w[i, h] for i in voters) for g in payees for h in payees}
        return sum(isqrt(across[g, h] * across[h, g]) for g, h in permutations(payees, 2))

    return {p: weight(p) for p in payees}


def _median(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    enough = {p: median(Fraction(c) for c in row.values()) for p, row in table.items() if len(row) >= terms["quorum"]}
    return {p: int(2 * middle) for p, middle in enough.items() if middle >= int(terms["minimum"])}


def _clrfund(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    votes = {p: [isqrt(c // int(terms["factor"])) for c in row.values()] for p, row in table.items()}
    return {p: sum(a * b for place, a in enumerate(each) for other, b in enumerate(each) if place != other) for p, each in votes.items()}


def _clrfund_linear(table: Table, terms: Mapping[str, Any]) -> dict[str, int]:
    return {p: sum(isqrt(c // int(terms["factor"])) for c in row.values()) for p, row in table.items()}


FORMULAS: dict[str, Callable[[Table, Mapping[str, Any]], dict[str, int]]] = {
    "quadratic": _quadratic,
    "pairwise": _pairwise,
    "cluster": _cluster,
    "median": _median,
    "clrfund": _clrfund,
    "clrfund-linear": _clrfund_linear,
}


# --- from weights to amounts ----------------------------------------------------------------------------------------


def _tilted(policy: Mapping[str, Any], weights: Mapping[str, int]) -> dict[str, int]:
    """RATIO·(w/W)^(p/q) rounded down: found by halving, as the largest t with t^q·W^p ≤ RATIO^q·w^p."""
    beta, total = Fraction(policy["terms"]["tilt_bp"], 10_000), sum(weights.values())
    if beta == 1 or not total:
        return dict(weights)
    p, q = beta.numerator, beta.denominator
    found = {}
    for name, weight in weights.items():
        low, high = 0, RATIO + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if middle**q * total**p <= RATIO**q * weight**p else (low, middle)
        found[name] = low
    return found


def _balanced(policy: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]], weights: dict[str, int], budget: int) -> dict[str, int]:
    if policy["terms"]["emission"] != "balanced":
        return weights
    paid = dict.fromkeys(units, 0)
    for earlier in policy["earlier"]:
        for account, amount in earlier["amounts"].items():
            paid[_unit(policy, account)] += int(amount)
    total, lifetime = sum(weights.values()), sum(paid.values()) + budget
    return {name: max(0, lifetime * weight - paid[name] * total) for name, weight in weights.items()}


def _verify_fill(terms: Mapping[str, Any], units: Mapping[str, Mapping[str, Any]], due: Mapping[str, int], budget: int) -> list[Finding]:
    """One rate for all who are neither capped nor dropped; caps and floors where that rate puts them; ends spent to the unit."""
    cap, floor = terms["cap"] and int(terms["cap"]), int(terms["floor"])
    amounts = {name: int(unit["amount"]) for name, unit in units.items()}
    capped = {n for n in due if cap is not None and amounts[n] == cap and units[n]["state"] == "capped"}
    dropped = {n for n in due if units[n]["state"] == "below floor"}
    free = {n for n in due if due[n] and n not in capped | dropped}
    rest, total = budget - sum(amounts[n] for n in capped), sum(due[n] for n in free)
    states = {n: "capped" if n in capped else "below floor" if n in dropped else "shared" if due[n] else "no weight" for n in due}
    findings = [f"{n} is {units[n]['state']!r}, it should be {states[n]!r}" for n in due if units[n]["state"] != states[n]]
    findings += [f"{n} gets {amounts[n]}, over the cap" for n in due if cap is not None and amounts[n] > cap]
    findings += [f"{n} gets {amounts[n]}, under the floor" for n in free if amounts[n] < floor]
    findings += [f"{n} gets {amounts[n]} but should get nothing" for n in due if amounts[n] and (not due[n] or n in dropped)]
    findings += [
        f"{n} gets {amounts[n]}, {due[n]} of {total} is not that" for n in free if abs(amounts[n] * total - due[n] * rest) >= total
    ]
    findings += [f"{n} is at the cap, its share is less" for n in capped if total and due[n] * rest < (cap or 0) * total]
    if sum(amounts[n] for n in free) != (rest if free else 0) or rest < 0:
        findings.append(f"{sum(amounts[n] for n in free)} is shared out of {rest}")
    return findings + _verify_dropped(due, capped | free, dropped, budget, cap, floor)


def _verify_dropped(due: Mapping[str, int], kept: set[str], dropped: set[str], budget: int, cap: int | None, floor: int) -> list[Finding]:
    """Nobody was dropped who weighs as much as one who was kept, nor who would have reached the floor."""
    if not dropped:
        return []
    heaviest = max(due[n] for n in dropped)
    if kept and min(due[n] for n in kept) <= heaviest:
        return ["one below the floor weighs as much as one above it"]
    back = {n for n in dropped if due[n] == heaviest}
    left, total = budget, sum(due[n] for n in kept | back)
    for name in sorted(kept | back, key=lambda n: (-due[n], n)):
        if cap is None or due[name] * left <= cap * total:
            break
        left, total = left - cap, total - due[name]
    return [f"{min(back)} would reach the floor"] if heaviest * left >= floor * total else []
