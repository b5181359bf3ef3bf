"""What rows of several releases come to: one post, score, lineage, piece of evidence or source out of several tellings.

Every choice is the greatest by a total order of the records themselves, so it depends on no order of arguments. What does
not enter is told with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.config import Config
from index.private import mask, masked_value
from index.receipts import credit_record, receipts_beside
from index.store import canonical_json
from index.tables_private import WORDS
from publish.verify import Means, Verification
from publish.verify_bytes import records
from publish.verify_said import Row, Texts, cited, gate_problem, record_problems, stands_in

SHARED = 3  # tenths of the smaller evidence that make two records one lineage, as in distill/versions.py
TAKEN_BACK = ("author_deleted", "moderated")
MOST_TOLD = 1000
SCORE_KEYS = {"thread", "outcome", "reason", "passages", "gate_bp", "threshold_bp", "min_steps", "odds", "sequences"}


@dataclass(frozen=True, slots=True)
class LeftOut:
    release: str
    what: str
    why: str


@dataclass(slots=True)
class Merged:
    """What the releases come to, before it is written."""

    rows: dict[str, list[dict[str, Any]]]
    left_out: list[LeftOut] = field(default_factory=list)
    more: int = 0  # left out beyond MOST_TOLD
    taken_back: dict[str, int] = field(default_factory=dict)  # release → posts of others that its word took out

    def leave(self, release: str, what: str, why: str) -> None:
        if len(self.left_out) < MOST_TOLD:
            self.left_out.append(LeftOut(release, what, why))
        else:
            self.more += 1


Held = Sequence[tuple[str, Path, Verification]]


# --- posts and scores -----------------------------------------------------------------------------------------------


def join_posts(held: Held, merged: Merged) -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    bare: dict[str, set[str]] = defaultdict(set)  # release → posts that it says were taken back
    with_words: dict[str, set[str]] = defaultdict(set)  # post → releases that have it
    for name, folder, _ in held:
        for row in records(folder, "posts.jsonl"):
            if not _is_post(row):
                merged.leave(name, f"post {str(row.get('id'))[:80]}", "not a row of posts.jsonl")
                continue
            if row["body_hash"] is None:
                bare[name].add(row["id"])
            else:
                with_words[row["id"]].add(name)
            if row["id"] not in known or _post_order(row) > _post_order(known[row["id"]]):
                known[row["id"]] = row
    merged.taken_back = {name: count for name, ids in bare.items() if (count := sum(bool(with_words[post] - {name}) for post in ids))}
    return known


def _is_post(row: Row) -> bool:
    words = (row.get("body_hash"), row.get("plain_hash"))
    right = words == (None, None) or all(isinstance(word, str) and len(word) == 64 for word in words)
    bare = row.get("state") in TAKEN_BACK
    return (
        right
        and set(row) == {"id", "thread", "body_hash", "plain_hash", "state", "plain_version"}
        and isinstance(row["id"], str)
        and bare == (words[0] is None)
    )


def _post_order(row: Row) -> tuple[Any, ...]:
    """Taken back over all, then edited over as it was, then gone from its thread; between equals the hash decides."""
    return (row["body_hash"] is None, row["state"] == "edited", row["state"] == "pruned", canonical_json(row))


def join_scores(held: Held, merged: Merged) -> dict[str, dict[str, Any]]:
    """Of each thread the row of whoever saw most of it, with the sequences that any of them judged."""
    found: dict[str, dict[str, Any]] = {}
    sequences: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, folder, _ in held:
        for row in records(folder, "scores.jsonl"):
            thread = row.get("thread")
            if not isinstance(thread, str) or set(row) != SCORE_KEYS or _gate(row):
                merged.leave(name, f"scores of {str(thread)[:80]}", _gate(row) or "not a row of scores.jsonl")
                continue
            sequences[thread] |= {canonical_json(entry): entry for entry in row["sequences"] or () if row["outcome"] == "procedures"}
            if thread not in found or _score_order(row) > _score_order(found[thread]):
                found[thread] = row
    return {
        thread: {**row, "sequences": [sequences[thread][text] for text in sorted(sequences[thread])]} if sequences[thread] else row
        for thread, row in found.items()
    }


def _score_order(row: Row) -> tuple[Any, ...]:
    return (row["outcome"] == "procedures", row["passages"] or 0, canonical_json(row))


# --- procedures -----------------------------------------------------------------------------------------------------


def join_procedures(held: Held, posts: Mapping[str, Row], gone: set[str], texts: Texts | None, merged: Merged) -> list[dict[str, Any]]:
    """One record for each lineage, in order of id, with alternatives that are there."""
    sound: list[dict[str, Any]] = []
    for name, folder, _ in held:
        states = {row["id"]: row for row in records(folder, "posts.jsonl") if isinstance(row.get("id"), str)}
        scores = {str(row.get("thread")): row for row in records(folder, "scores.jsonl")}
        for record in records(folder, "procedures.jsonl"):
            why = _unsound(record, states, scores) or forged(record, posts, texts)
            if why is None and (quoted := sorted({c["post"] for c in cited(record)} & gone)):
                why = f"it quotes {quoted[0]}, which was taken back: distil that thread again to have it without"
            if why is None and masked_value(record, mask, WORDS) != record:
                why = "it shows personal data"
            if why is None:
                sound.append(record)
            else:
                merged.leave(name, f"procedure {str(record.get('id'))[:40]}", why)
    chosen = lineages(sound)
    ids = {record["id"] for record in chosen}
    return [{**record, "alternatives": [other for other in record["alternatives"] if other in ids]} for record in chosen]


def _unsound(record: Row, states: Mapping[str, Row], scores: Mapping[str, Row]) -> str | None:
    """Why a record does not hold by itself, in its own release."""
    wrong = record_problems(record, states)
    if wrong:
        return wrong[0]
    passed = [scores[thread] for thread in record["threads"] if scores.get(thread, {}).get("outcome") == "procedures"]
    if not passed or all(_gate(row) for row in passed):
        return "no thread of it passed the gate"
    return None


def _gate(row: Row) -> str | None:
    try:
        return gate_problem(row)
    except (KeyError, TypeError, ValueError, AttributeError):
        return "its scores cannot be read"


def forged(record: Row, posts: Mapping[str, Row], texts: Texts | None) -> str | None:
    """Whether words are put into somebody's mouth: known where the post is held here in the version that was released."""
    if texts is None:
        return None
    import hashlib

    for post, text in texts(sorted({c["post"] for c in cited(record)})).items():
        if hashlib.sha256(text.encode()).hexdigest() != posts.get(post, {}).get("plain_hash"):
            continue
        if not all(stands_in(citation, text) for citation in cited(record) if citation["post"] == post):
            return f"a quote of {post} is not in that post"
    return None


def lineages(sound: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of one id, or of enough shared evidence, come down to one: the greatest, under the oldest id."""
    by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in sound:
        by_id[record["id"]].append(record)
    best = {identifier: max(group, key=_record_order) for identifier, group in by_id.items()}
    leader = {identifier: identifier for identifier in best}

    def lead(identifier: str) -> str:
        while leader[identifier] != identifier:
            identifier = leader[identifier]
        return identifier

    by_said: dict[tuple[str, str], list[str]] = defaultdict(list)
    # A fork shares its origin's words on purpose: it stays beside it.
    evidence = {identifier: set() if record["forked_from"] else _evidence(record) for identifier, record in best.items()}
    for identifier in sorted(best):
        for said in evidence[identifier]:
            by_said[said].append(identifier)
    pairs: dict[tuple[str, str], int] = defaultdict(int)
    for holders in by_said.values():
        for i, one in enumerate(holders):
            for other in holders[i + 1 :]:
                pairs[one, other] += 1
    for (one, other), shared in sorted(pairs.items()):
        if shared * 10 >= SHARED * min(len(evidence[one]), len(evidence[other])):
            first, second = sorted((lead(one), lead(other)))
            leader[second] = first
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for identifier in sorted(best):
        groups[lead(identifier)].append(best[identifier])
    return sorted((_one(group) for group in groups.values()), key=lambda record: str(record["id"]))


def _one(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    chosen = max(group, key=_record_order)
    oldest = min(group, key=lambda record: (_first_said(record), record["id"]))
    return {**chosen, "id": oldest["id"]}


def _evidence(record: Row) -> set[tuple[str, str]]:
    return {(c["post"], c["exact"]) for step in record["steps"] for c in step["citations"] if c["role"] == "states"}


def _first_said(record: Row) -> str:
    return min(str(c["created"]) for c in cited(record))


def _record_order(record: Row) -> tuple[Any, ...]:
    """The higher version, then who heard more people, then whatever is written last."""
    return (record["version"], len({c["author"] for c in cited(record)}), len(cited(record)), canonical_json(record))


# --- evidence, credits, sources -------------------------------------------------------------------------------------


def join_evidence(held: Held, gone: set[str], procedures: Sequence[Row], config: Config, means: Means) -> list[dict[str, Any]]:
    """What any release says against paying counts, and the later of two moments; likes are joined. Trust is walked anew."""
    steps = {(record["id"], step["n"]) for record in procedures for step in record["steps"]}
    ids = {record["id"] for record in procedures}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for _, folder, _ in held:
        for row in records(folder, "evidence.jsonl"):
            key = _evidence_key(row, gone, ids, steps)
            if key is not None:
                found[key] = _joined(found[key], row) if key in found else dict(row)
    rows = [found[key] for key in sorted(found)]
    return means.settle(rows, config) if means.settle else rows


# What names a row of each kind; rows of other kinds follow from these.
EVIDENCE_KEYS: dict[str, tuple[str, ...]] = {
    "post": ("post",),
    "moment": ("post", "start", "end"),
    "question": ("answer",),
    "seed": ("account",),
    "edge": ("giver", "taker"),
    "score": ("account",),
    "likeness": ("steps",),
    "echo": ("post", "exact"),
    "person": ("account",),
    "outcome": ("receipt", "procedure", "step"),
    "composer": ("procedure",),
}


def _evidence_key(row: Row, gone: set[str], ids: set[str], steps: set[tuple[str, int]]) -> tuple[str, ...] | None:
    """None for what says nothing of what came of the merge, or is no row."""
    kind = row.get("kind")
    try:
        names = EVIDENCE_KEYS[str(kind)]
        if any(row.get(name) in gone for name in ("post", "answer", "earlier")):
            return None
        if kind == "likeness" and not all((one, n) in steps for one, n in row["steps"]):
            return None
        if kind in ("outcome", "composer") and row["procedure"] not in ids:
            return None
        return (str(kind), *(canonical_json(row[name]) for name in names))
    except (KeyError, TypeError, ValueError):
        return None


def _joined(one: dict[str, Any], other: Row) -> dict[str, Any]:
    """Two rows of one name; the same whichever comes first."""
    kind = one["kind"]
    greater = dict(max(one, other, key=canonical_json))
    if kind == "post" and isinstance(one["likers"], list) and isinstance(other["likers"], list):
        return greater | {
            "payable": bool(one["payable"] and other["payable"]),
            "gone": bool(one["gone"] or other["gone"]),
            "forums_own": bool(one["forums_own"] or other["forums_own"]),
            "likers": sorted({*map(str, one["likers"]), *map(str, other["likers"])}),
            "unnamed_likes": max(one["unnamed_likes"], other["unnamed_likes"]),
        }
    if kind == "moment":
        return dict(max(one, other, key=lambda row: (str(row["since"]), canonical_json(row))))
    if kind in ("edge", "seed"):
        return dict(max(one, other, key=lambda row: (row["weight"], canonical_json(row))))
    return greater


def join_reports(held: Held) -> list[dict[str, Any]]:
    """Signed outcomes of all, each once; each stands by its own signature."""
    found = {
        str(row["text"]): dict(row) for _, folder, _ in held for row in records(folder, "reports.jsonl") if isinstance(row.get("text"), str)
    }
    return [found[text] for text in sorted(found)]


def earned_credits(
    held: Held, procedures: Sequence[Row], evidence: Sequence[Row], reports: Sequence[Row], config: Config, means: Means
) -> list[dict[str, Any]]:
    """Computed anew, each with its receipt; names as the releases told them."""
    if means.earn is None:
        return []
    people: dict[str, tuple[str, str]] = {}
    for _, folder, _ in held:
        for row in records(folder, "credits.jsonl"):
            if all(isinstance(row.get(name), str) for name in ("author", "handle", "source")):
                people[row["author"]] = max(people.get(row["author"], ("", "")), (row["handle"], row["source"]))
    known = {record["id"]: record for record in procedures}
    beside = receipts_beside(evidence, reports, procedures)
    earned = means.earn(procedures, evidence, config)
    return [credit_record(credit, known[credit["procedure"]], people.get(credit["author"]), beside) for credit in earned]


def join_sources(held: Held) -> list[dict[str, Any]]:
    """Counts are the greatest that any release told: how much its posts overlap with those of others cannot be known."""
    found: dict[str, dict[str, Any]] = {}
    for _, folder, _ in held:
        for row in records(folder, "sources.jsonl"):
            if not isinstance(row.get("id"), str) or not isinstance(row.get("counts"), dict):
                continue
            known = found.get(row["id"])
            better = row if known is None or _source_order(row) > _source_order(known) else known
            counts = {
                name: max(int(entry["counts"].get(name, 0)) for entry in ((row, known) if known else (row,)))
                for name in ("posts", "threads", "authors", "gone")
            }
            payable = bool(row.get("payable")) and (known is None or bool(known["payable"]))
            found[row["id"]] = {**better, "counts": counts, "payable": payable}
    return [found[name] for name in sorted(found)]


def _source_order(row: Row) -> str:
    text: str = canonical_json({key: value for key, value in row.items() if key not in ("counts", "payable")})
    return text
