"""Contracts that split what comes in by parts in a million: Splits and Drips. They hold shares, not amounts."""

from __future__ import annotations

from index.errors import MoneyError
from rewards.exports.files import Files, json_text
from rewards.exports.payees import Paying
from rewards.money import ZERO_ADDRESS

MILLION = 1_000_000
DRIPS_RECEIVERS = 200


def splits(paying: Paying) -> Files:
    """Arguments of Splits v1's createSplit: two accounts or more, strictly ascending, uint32 parts that sum to a million.

    The controller is nobody: what is split this way cannot be changed afterwards.
    """
    shares = sorted(paying.shares(MILLION, "a split"), key=lambda share: int(share[0].address, 16))
    if len(shares) < 2:
        raise MoneyError(f"round {paying.name} pays one address, a split needs two", f"send the payout itself: {shares[0][0].address}")
    data = {
        "accounts": [payout.address for payout, _ in shares],
        "percentAllocations": [part for _, part in shares],
        "distributorFee": 0,
        "controller": ZERO_ADDRESS,
    }
    return [(f"splits-{paying.name}.json", json_text(data))]


def drips(paying: Paying) -> Files:
    """Drips' splits receivers, by account id: that of an address is the address itself, its driver having the number 0."""
    if len(paying.some()) > DRIPS_RECEIVERS:
        raise MoneyError(
            f"round {paying.name} pays {len(paying.payouts)} addresses, Drips holds {DRIPS_RECEIVERS} receivers",
            "use a merkle distributor (--format merkle), or smaller rounds",
        )
    shares = sorted(paying.shares(MILLION, "Drips"), key=lambda share: int(share[0].address, 16))
    receivers = [
        {"type": "address", "address": payout.address, "accountId": str(int(payout.address, 16)), "weight": part} for payout, part in shares
    ]
    return [(f"drips-{paying.name}.json", json_text(receivers))]
