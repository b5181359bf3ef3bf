"""Credits worked out again from a release's own lines, by the same rules: for `verify` and `merge`.

`rewards/verify_credit.py` does the same by code of its own, for whoever trusts neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from index.config import Config, RewardsConfig
from rewards.credit import Earned, earn
from rewards.evidence import trust_levels
from rewards.facts import Evidence, PostFacts, Question, Report
from rewards.moments import Moment

Row = Mapping[str, Any]


def recompute(procedures: Sequence[Row], evidence: Iterable[Row], config: Config) -> list[dict[str, Any]]:
    """Credits from procedures.jsonl and evidence.jsonl. Raises KeyError, TypeError or ValueError for lines that are none."""
    return [asdict(credit) for credit in earned_by(procedures, by_kind(evidence), config.rewards).credits]


def earned_by(procedures: Sequence[Row], rows: Mapping[str, Sequence[Row]], weights: RewardsConfig) -> Earned:
    return earn(procedures, facts_of(rows), weights, frozenset(), evidence_of(rows, weights))


def by_kind(evidence: Iterable[Row]) -> Mapping[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in evidence:
        found[str(row["kind"])].append(row)
    return found


def facts_of(rows: Mapping[str, Sequence[Row]]) -> dict[str, PostFacts]:
    """Likes that their author returns are not among the published ones."""
    return {
        row["post"]: PostFacts(row["author"], row["payable"], row["gone"], tuple(row["likers"]), row["unnamed_likes"], row["forums_own"])
        for row in rows.get("post", ())
    }


def evidence_of(rows: Mapping[str, Sequence[Row]], weights: RewardsConfig) -> Evidence:
    """Trust is walked again from the endorsements; everything else is taken as it is told."""
    said = ("author", "post", "created", "start", "end", "exact", "handle", "permalink")
    return Evidence(
        moments={(row["post"], row["start"], row["end"]): Moment(row["since"], row["why"]) for row in rows.get("moment", ())},
        trust=levels_of(rows, weights),
        questions={row["answer"]: Question(**{name: row[name] for name in said}) for row in rows.get("question", ())},
        reports=tuple(_report(row) for row in rows.get("outcome", ())),
        composers={row["procedure"]: (row["author"], row["created"]) for row in rows.get("composer", ())},
        near=tuple(_near(row) for row in rows.get("likeness", ())),
        echoes={(row["post"], row["exact"]): row["earlier"] for row in rows.get("echo", ())},
        persons={row["account"]: row["person"] for row in rows.get("person", ())},
    )


def levels_of(rows: Mapping[str, Sequence[Row]], weights: RewardsConfig) -> dict[str, int] | None:
    seeds = {row["account"]: row["weight"] for row in rows.get("seed", ())}
    if not seeds:
        return None
    edges = [(row["giver"], row["taker"], row["weight"]) for row in rows.get("edge", ())]
    scores = rows.get("score", ())
    verified = frozenset(row["account"] for row in scores if row["verified"])
    return trust_levels(edges, seeds, weights, verified, bool(scores))


def settled(evidence: Sequence[Row], config: Config) -> list[dict[str, Any]]:
    """Evidence that was put together from several releases, with the trust that its endorsements give, in order."""
    from index.store import canonical_json
    from index.tables_evidence import EVIDENCE_SCHEMA
    from rewards.weights import weights_hash, weights_value

    kept = [dict(row) for row in evidence if row["kind"] not in ("trust", "weights")]
    head = {"schema": EVIDENCE_SCHEMA, "kind": "weights", "weights": weights_value(config.rewards), "hash": weights_hash(config.rewards)}
    levels = levels_of(by_kind(kept), config.rewards) or {}
    trust = [{"schema": EVIDENCE_SCHEMA, "kind": "trust", "account": name, "level_bp": level} for name, level in levels.items()]
    return sorted([*kept, head, *trust], key=lambda row: (row["kind"], canonical_json(row)))


def _report(row: Row) -> Report:
    names = ("author", "procedure", "step", "result", "created", "receipt", "part_bp", "pays")
    return Report(**{name: row[name] for name in names})


def _near(row: Row) -> tuple[tuple[str, int], tuple[str, int], int]:
    (one, n), (other, m) = row["steps"]
    return (one, n), (other, m), row["bp"]
