"""Published rounds of any size, settled by the real allocation: no store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from index.records import Identity, Round
from rewards.allocation import settle
from rewards.money import checksum_address, keccak256
from tests.rewards.builders import SOURCE, TOKEN, author_id

DAY = "2024-05-01T10:00:00Z"


def address_of(name: str) -> str:
    return checksum_address("0x" + keccak256(name.encode())[:20].hex())


def round_of(
    points: dict[str, int], budget: int = 10_000 * 10**18, token: str = TOKEN, decimals: int = 18, held: int = 0
) -> dict[str, Any]:
    """A round in which each name has these points, one credit each; the last `held` names have no address."""
    round_ = Round("r1", budget, token, decimals, "proportional", "allocated", DAY)
    names = sorted(points)
    payable = names[: len(names) - held]
    identities = {author_id(name): Identity(author_id(name), address_of(name), "test") for name in payable}
    settled = settle(round_, {author_id(name): count for name, count in points.items()}, identities)
    handles = {author_id(name): name for name in names}
    return {
        "schema": "precipitate/round/1",
        "round": {**asdict(round_), "budget": str(budget)},
        "release": None,
        "totals": {
            "points": sum(points.values()),
            "paid": str(settled.paid),
            "held": str(settled.held),
            "residual": str(settled.residual),
        },
        "allocations": [
            {
                "author": a.author,
                "handle": handles[a.author],
                "source": SOURCE,
                "points": a.points,
                "amount": str(a.amount),
                "address": a.address,
                "state": a.state,
            }
            for a in settled.allocations
        ],
        "payouts": [{"address": p.address, "amount": str(p.amount), "authors": list(p.authors)} for p in settled.payouts],
        "credits": [credit_of(name, points[name], place) for place, name in enumerate(names, 1)],
        "uncredited": [],
    }


def credit_of(name: str, points: int, step: int) -> dict[str, Any]:
    return {
        "schema": "precipitate/credit/1",
        "author": author_id(name),
        "handle": name,
        "source": SOURCE,
        "procedure": f"sop-{step % 3}",
        "version_id": "sha256:" + f"{step % 3:064x}",
        "title": "Fill in the form",
        "step": step,
        "step_text": "Fill in the form",
        "role": "first_said",
        "points": points,
        "why": "first to say it",
        "post": f"{SOURCE}/p/{step}",
        "permalink": f"https://forum.example.org/t/1/{step}",
        "created": DAY,
        "start": 0,
        "end": 16,
        "quote": "Fill in the form",
    }


def crowd(count: int) -> dict[str, int]:
    """Points of `count` people, all different, the first three equal: ties are part of life."""
    return {f"p{n:05d}": 700_000 + 1_000 * max(n, 2) for n in range(count)}
