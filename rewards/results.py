"""What a frozen round comes to: its shares, then what was corrected, who is paid, and what the ledger keeps of that.

All but `lately` is pure: the frozen snapshot and the corrections say everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index import tables_rounds
from index.records import Round
from index.store import Store
from rewards import merkle, policies
from rewards.allocation import Settlement, settle
from rewards.corrections import Correction, apply, for_deletions, for_opt_outs
from rewards.frozen import excluded, inputs_from, payees_from, terms_from
from rewards.policies import Inputs
from rewards.rules import read_rules


@dataclass(frozen=True, slots=True)
class Result:
    """What a frozen round comes to."""

    inputs: Inputs
    shares: policies.Shares
    amounts: dict[str, int]  # by account, after corrections
    excluded: dict[str, str]
    corrections: tuple[Correction, ...]


def result_of(frozen: Mapping[str, Any], corrections: Sequence[Correction]) -> Result:
    """Share a snapshot out by its own terms, then correct."""
    out, budget = excluded(frozen), int(frozen["round"]["budget"])
    inputs = inputs_from(frozen, out)
    shares = policies.share(terms_from(frozen), inputs, budget)
    return Result(inputs, shares, apply(shares.amounts, corrections, budget), out, tuple(corrections))


def lately(store: Store, frozen: Mapping[str, Any], amounts: Mapping[str, int], known: Sequence[Correction]) -> list[Correction]:
    """What opt-outs and deletions since the freeze take, by the round's rules."""
    rules = read_rules(frozen["rules"])
    opted = for_opt_outs(amounts, tables_rounds.opt_outs(store).keys(), rules)
    left = {author: amount for author, amount in amounts.items() if author not in {c.author for c in opted}}
    return opted + for_deletions(left, frozen["credits"], tables_rounds.gone_posts(store).keys(), known, rules)


def settle_result(round_: Round, frozen: Mapping[str, Any], found: Result) -> Settlement:
    identities, teams = payees_from(frozen)
    return settle(round_, found.inputs.points, identities, found.amounts, teams)


def outcome_value(settlement: Settlement, found: Result) -> dict[str, Any]:
    """What the ledger keeps of an allocation: hashes and sums."""
    return {
        "amounts": amounts_root(found.amounts),
        "paid": str(settlement.paid),
        "held": str(settlement.held),
        "residual": str(settlement.residual),
        "merkle_root": merkle.root(merkle.dump(settlement.payouts)["tree"]) if settlement.payouts else None,
    }


def amounts_root(amounts: Mapping[str, int]) -> str:
    """SHA-256 over "account amount" lines in order of account, zeros left out."""
    lines = "".join(f"{account} {amount}\n" for account, amount in sorted(amounts.items()) if amount)
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
