"""From procedures to credits, as stages; allocation is a round's own affair (rewards/rounds.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index import tables_rewards as tables
from index.config import Config, RewardsConfig
from index.errors import StoreError
from index.records import PROCEDURE_SCHEMA
from index.store import Store
from rewards.credit import Earned, earn
from rewards.evidence import Gathered, evidence_records, gather


@dataclass(frozen=True, slots=True)
class CreditReport:
    procedures: int
    steps: int
    credits: int
    authors: int  # who earned something
    points: int
    left_out: dict[str, int]  # why contributions earned nothing → how many


def credit(store: Store, config: Config) -> CreditReport:
    """Compute all credits anew and put them in place of the old ones: the same procedures give the same credits."""
    records, earned, gathered = credits_by(store, config.rewards)
    tables.replace_credits(store, earned.credits, earned.uncredited, evidence_records(gathered, config.rewards))
    return report(records, earned)


def credits_by(store: Store, weights: RewardsConfig) -> tuple[list[dict[str, Any]], Earned, Gathered]:
    """What everybody earns by these weights, without keeping it: for rounds that have weights of their own."""
    records = read_procedures(store)
    gathered = gather(store, records, weights)
    return records, earn(records, gathered.facts, weights, gathered.returned, gathered.evidence), gathered


def read_procedures(store: Store) -> list[dict[str, Any]]:
    """Current procedures as they are published, so that whoever holds a release gets the same credits."""
    from index.tables_private import published_records

    records = list(published_records(store))
    for record in records:
        if record["schema"] != PROCEDURE_SCHEMA:
            raise StoreError(
                f"{record['id']} is of schema {record['schema']!r}, credit reads {PROCEDURE_SCHEMA!r}", "run `precipitate run`"
            )
    return records


def report(records: Sequence[Mapping[str, Any]], earned: Earned) -> CreditReport:
    return CreditReport(
        procedures=len(records),
        steps=sum(len(record["steps"]) for record in records),
        credits=len(earned.credits),
        authors=len({credit.author for credit in earned.credits}),
        points=sum(credit.points for credit in earned.credits),
        left_out=dict(sorted(Counter(entry.reason for entry in earned.uncredited).items())),
    )
