"""`round compare` as text: a row for each policy, and the attacks below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from publish.text import clean, table

BARS = "▁▂▃▄▅▆▇█"


def render_comparison(told: Mapping[str, Any]) -> str:
    lines = [
        f"round {clean(told['round'])}: {told['authors']} credited authors, {told['newcomers']} of them newcomers, {told['votes']} votes"
        + (", verified identities only" if told["verified"] else "")
        + (f", {told['excluded']} not eligible" if told["excluded"] else ""),
        "",
        table([SHARES_HEAD, *(_shares_row(row) for row in told["policies"])], right=frozenset({1, 2, 3, 4})),
        table([LORENZ_HEAD, *(_lorenz_row(row) for row in told["policies"])], right=frozenset(range(1, 11))),
        table([ATTACKS_HEAD, *(_attacks_row(row) for row in told["policies"])], right=frozenset({1, 2, 3})),
        NOTE,
    ]
    return "\n".join(lines)


SHARES_HEAD = ["POLICY", "PAYEES", "GINI", "TOP 10", "NEWCOMERS", "LORENZ"]
LORENZ_HEAD = ["POOREST", *(f"{decile}0%" for decile in range(1, 11))]
ATTACKS_HEAD = ["ATTACK GAINS", "10 ACCOUNTS", "10 VOTERS", "RING OF 5"]
NOTE = (
    "* the round's own policy. Lorenz: what the poorest 10 % to 100 % of the credited authors get together.\n"
    "10 accounts: the largest earner splits everything; 10 voters: the largest vote for the largest earner is split; 1.00 is\n"
    "no gain. Ring: share of the budget of the five smallest earners before and after they vote for each other.\n"
)


def sparkline(curve: Sequence[int]) -> str:
    """One bar for each number of basis points."""
    return "".join(BARS[min(len(BARS) - 1, value * len(BARS) // 10_000)] for value in curve)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['policy']}{' *' if row['chosen'] else ''}"


def _percent(bp: int | None) -> str:
    return "-" if bp is None else f"{bp / 100:.1f}%"


def _times(bp: int | None) -> str:
    return "-" if bp is None else f"{bp / 10_000:.2f}"


def _shares_row(row: Mapping[str, Any]) -> list[str]:
    shown = [_percent(row[key]) for key in ("top_share_bp", "newcomer_share_bp")]
    return [_name(row), str(row["payees"]), _times(row["gini_bp"]), *shown, sparkline(row["lorenz_bp"] or [])]


def _lorenz_row(row: Mapping[str, Any]) -> list[str]:
    return [_name(row), *(_percent(bp) for bp in row["lorenz_bp"] or [None] * 10)]


def _attacks_row(row: Mapping[str, Any]) -> list[str]:
    ring = row["ring"]
    shown = f"{_percent(ring['before_bp'])} → {_percent(ring['after_bp'])}" if ring else "-"
    return [_name(row), _times(row["splitting_gain_bp"]), _times(row["vote_splitting_gain_bp"]), shown]
