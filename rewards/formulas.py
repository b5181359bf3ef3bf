"""The policies' formulas: points and votes → weights, in exact integers. Pure: no store, no clock, no floats.

A weight is relative: only its share of the sum counts. Where a formula has a root or a quotient it is taken once, rounded
down, at the fixed scale that its docstring names, so that anyone who does the same gets the same integers.

`Votes` maps payee → voter → what the voter gave, in base units of the token. Nothing is negative. A vote of zero is a
ballot for the median rule and nothing elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import combinations
from math import isqrt

from index.errors import MoneyError

Votes = Mapping[str, Mapping[str, int]]
Weights = dict[str, int]

ROOT = 10**12  # square roots keep twelve decimal places
RATIO = 10**18  # quotients keep eighteen
ALPHA = 10**18  # clr.fund's precision of α


def root(amount: int) -> int:
    """⌊√amount · ROOT⌋."""
    return isqrt(amount * ROOT * ROOT)


def quadratic(votes: Votes) -> Weights:
    """Quadratic funding: (Σ√c)² − Σc (Buterin, Hitzig, Weyl 2018, arXiv 1809.06421). Scale ROOT².

    One voter alone brings nothing: what they gave is not matched.
    """
    return {payee: max(0, sum(root(c) for c in given.values()) ** 2 - sum(given.values()) * ROOT**2) for payee, given in votes.items()}


def pairwise(votes: Votes, bound: int) -> Weights:
    """Pairwise-bounded quadratic funding: Σ_{i<j} k_ij·√c_i·√c_j, k_ij = M / (M + Σ_p √c_ip·√c_jp) (ethresear.ch 5553).

    The more two voters agree, the less their agreeing brings. M is `bound`, in base units; each term is rounded down
    at the scale ROOT².
    """
    roots = {payee: {voter: root(c) for voter, c in given.items() if c} for payee, given in votes.items()}
    shared: defaultdict[tuple[str, str], int] = defaultdict(int)
    for given in roots.values():
        for i, j in combinations(sorted(given), 2):
            shared[i, j] += given[i] * given[j]
    scaled = bound * ROOT**2
    return {
        payee: sum(given[i] * given[j] * scaled // (scaled + shared[i, j]) for i, j in combinations(sorted(given), 2))
        for payee, given in roots.items()
    }


def cluster_match(votes: Votes) -> Weights:
    """Connection-oriented cluster match: Σ_{g≠h} √(P_gh·P_hg), P_gh = Σ_i (1 − k_ig)·c_i·w_ih.

    After Miller, Weyl, Erichsen, "Beyond Collusion Resistance" (SSRN 4311507), in the form that gitcoinco/qf-calculator
    runs by default ("markov", "harsh"). The clusters are the payees' circles of voters: w_ih is the share of i's money
    that went to h, and k_ig is how near i stands to g: 1 if i gave to g, else the chance to come to g by going from i
    to a payee of theirs, to one of that payee's voters and to a payee of that one. So agreement counts for as much as
    it crosses circles. Quotients are rounded down at RATIO, the root at RATIO².
    """
    voters = _by_voter(votes)
    sums = {payee: sum(given.values()) for payee, given in votes.items()}
    w = {i: {g: c * RATIO // sum(gave.values()) for g, c in gave.items()} for i, gave in voters.items()}
    near = {h: _step(((c * RATIO // sums[h]), w[i]) for i, c in sorted(votes[h].items()) if c) for h in votes if sums[h]}
    k = {i: _step((w[i][h], near[h]) for h in w[i]) for i in w}
    return {payee: _across({i: c for i, c in given.items() if c}, w, k) for payee, given in votes.items()}


def _across(given: Mapping[str, int], w: Mapping[str, Mapping[str, int]], k: Mapping[str, Mapping[str, int]]) -> int:
    """Σ_{g≠h} √(P_gh·P_hg) of one payee. A backer adds to P_gh who is in h and outside g; pairs that lack a side bring nothing."""
    circles = {g for i in given for g in w[i]}
    outside: defaultdict[tuple[str, str], int] = defaultdict(int)
    for i, amount in given.items():
        for g in circles - w[i].keys():
            apart = (RATIO - k[i].get(g, 0)) * amount
            for h, share in w[i].items():
                outside[g, h] += apart * share
    return 2 * sum(isqrt(both * outside[h, g]) for (g, h), both in outside.items() if g < h and (h, g) in outside)


def _by_voter(votes: Votes) -> dict[str, dict[str, int]]:
    """Voter → payee → amount, without zeros."""
    voters: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for payee, given in votes.items():
        for voter, amount in given.items():
            if amount:
                voters[voter][payee] = amount
    return voters


def _step(parts: Iterable[tuple[int, Mapping[str, int]]]) -> dict[str, int]:
    """One step of a walk: Σ chance · row, rounded down at RATIO."""
    total: defaultdict[str, int] = defaultdict(int)
    for chance, row in parts:
        for target, share in row.items():
            total[target] += chance * share
    return {target: value // RATIO for target, value in total.items()}


def median(votes: Votes, quorum: int, minimum: int) -> Weights:
    """RetroPGF 3: the median of a payee's ballots, for payees with `quorum` ballots and a median of `minimum` or more.

    Zero is a ballot. Twice the median, so that the mean of two middle ballots stays whole. All medians are then scaled
    by one factor to the budget (Optimism, RetroPGF 3 results: .9938 there, quorum 17, minimum 1,500).
    """
    return {payee: doubled for payee, given in votes.items() if (doubled := _median(given.values(), quorum)) >= 2 * minimum and doubled}


def _median(ballots: Iterable[int], quorum: int) -> int:
    """Twice the median; 0 below the quorum."""
    ordered = sorted(ballots)
    count = len(ordered)
    return ordered[(count - 1) // 2] + ordered[count // 2] if count and count >= quorum else 0


# --- clr.fund -------------------------------------------------------------------------------------------------------


def voice(votes: Votes, factor: int) -> dict[str, tuple[int, int]]:
    """Payee → (votes, credits spent): what clr.fund tallies. A voter of c base units has v = ⌊√(c / factor)⌋ votes, which cost v²."""
    cast = {payee: [isqrt(amount // factor) for amount in given.values()] for payee, given in votes.items()}
    return {payee: (sum(each), sum(v * v for v in each)) for payee, each in cast.items()}


def capital_constrained(tally: Mapping[str, tuple[int, int]]) -> Weights:
    """clr.fund since its second version: what is matched is α·factor·(v² − spent); α and factor are the same for all."""
    return {payee: v * v - spent for payee, (v, spent) in tally.items()}


def linear_votes(tally: Mapping[str, tuple[int, int]]) -> Weights:
    """clr.fund's first rounds: the pool is shared by votes, pool·v / Σv."""
    return {payee: v for payee, (v, _) in tally.items()}


def clrfund_alpha(tally: Mapping[str, tuple[int, int]], pool: int, factor: int) -> int:
    """α = pool / (factor·(Σv² − Σspent)) at scale ALPHA, as the contract computes it. Raises MoneyError where nothing is to match."""
    unmatched = sum(v * v - spent for v, spent in tally.values())
    if unmatched <= 0:
        raise MoneyError("no payee has two voters: there is nothing to match", "use another policy, or wait for more contributions")
    return pool * ALPHA // (factor * unmatched)


def clrfund_payouts(tally: Mapping[str, tuple[int, int]], pool: int, factor: int) -> dict[str, int]:
    """What the contract pays, donations included: (α·factor·v² + (1 − α)·factor·spent), rounded down for each payee.

    The sum may fall short of pool and donations by less than a base unit for each payee and for α: a round here is
    shared out by `capital_constrained` and largest remainder, so that nothing is lost.
    """
    alpha = clrfund_alpha(tally, pool, factor)
    return {payee: factor * (alpha * v * v + (ALPHA - alpha) * spent) // ALPHA for payee, (v, spent) in tally.items()}


def clrfund_linear_payouts(tally: Mapping[str, tuple[int, int]], pool: int, factor: int) -> dict[str, int]:
    """What the first contract paid, donations included: ⌊pool·v / Σv⌋ + factor·spent."""
    total = sum(v for v, _ in tally.values())
    return {payee: pool * v // total + factor * spent for payee, (v, spent) in tally.items()}


# --- roots of any degree --------------------------------------------------------------------------------------------


def integer_root(value: int, degree: int) -> int:
    """⌊value^(1/degree)⌋, by Newton's method from above."""
    if degree == 1 or value < 2:
        return value
    if degree == 2:
        return isqrt(value)
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def power(weight: int, total: int, exponent: Fraction) -> int:
    """⌊RATIO · (weight / total)^exponent⌋ for an exponent between 0 and 1."""
    p, q = exponent.numerator, exponent.denominator
    return integer_root(RATIO**q * weight**p // total**p, q)
