"""From procedures to credits, as stages; allocation is a round's own affair (rewards/rounds.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from index import tables_rewards as tables
from index.config import Config
from index.errors import StoreError
from index.records import PROCEDURE_SCHEMA
from index.store import Store
from rewards.credit import LIKE_KINDS, Earned, PostFacts, earn


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
    records = read_procedures(store)
    facts = read_post_facts(store, records)
    earned = earn(records, facts, config.rewards, tables.returned_likes(store, LIKE_KINDS))
    tables.replace_credits(store, earned.credits, earned.uncredited)
    return report(records, earned)


def recompute(procedures: Sequence[Mapping[str, Any]], facts: Sequence[Mapping[str, Any]], config: Config) -> list[dict[str, Any]]:
    """Credits from a release's own lines (procedures.jsonl, facts.jsonl): what anybody gets who does not trust ours."""
    known = {
        row["post"]: PostFacts(row["author"], row["payable"], row["gone"], tuple(row["likers"]), row["unnamed_likes"]) for row in facts
    }
    returned = frozenset((liker, row["author"]) for row in facts for liker in row["returned"])
    return [asdict(credit) for credit in earn(procedures, known, config.rewards, returned).credits]


def read_procedures(store: Store) -> list[dict[str, Any]]:
    from index.tables_procedures import current_records

    records: list[dict[str, Any]] = current_records(store)
    for record in records:
        if record["schema"] != PROCEDURE_SCHEMA:
            raise StoreError(
                f"{record['id']} is of schema {record['schema']!r}, credit reads {PROCEDURE_SCHEMA!r}", "run `precipitate run`"
            )
    return records


def read_post_facts(store: Store, records: Sequence[Mapping[str, Any]]) -> dict[str, PostFacts]:
    """What the store knows of every cited post; a post it does not hold is not in the result."""
    cited = {c["post"] for record in records for step in record["steps"] for c in step["citations"]}
    cited |= {stance["citation"]["post"] for record in records for stance in record["stances"]}
    likes: dict[str, dict[str, int]] = {}
    for row in tables.reaction_rows(store, cited, LIKE_KINDS):
        likes.setdefault(row["post"], {})[row["actor"]] = row["count"]
    return {row["id"]: _facts(row, likes.get(row["id"], {})) for row in tables.post_rows(store, cited)}


def _facts(row: Mapping[str, Any], likes: Mapping[str, int]) -> PostFacts:
    named = tuple(sorted(actor for actor in likes if actor))
    return PostFacts(row["author"], row["payable"], row["gone"], named, unnamed_likes=likes.get("", 0))


def report(records: Sequence[Mapping[str, Any]], earned: Earned) -> CreditReport:
    return CreditReport(
        procedures=len(records),
        steps=sum(len(record["steps"]) for record in records),
        credits=len(earned.credits),
        authors=len({credit.author for credit in earned.credits}),
        points=sum(credit.points for credit in earned.credits),
        left_out=dict(sorted(Counter(entry.reason for entry in earned.uncredited).items())),
    )
