"""Levels 3 and 4: what a release decided follows from what it published, and its quotes stand in the posts.

Level 3 needs nothing but the release: gate decisions from quantised scores, version ids, first statements and credits from
the records. That scores are what the model gives is level 5's to say, and that words are the posts' is level 4's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from index.config import SECTIONS, Config, settings_digest
from index.current import MANIFEST
from index.private import HIDDEN
from index.receipts import quotes_of, receipts_beside, step_of
from index.records import PROCEDURE_SCHEMA
from index.store import canonical_json
from publish.findings import Level
from publish.verify_bytes import records

Row = Mapping[str, Any]
Earn = Callable[[Sequence[Row], Sequence[Row], Config], list[dict[str, Any]]]  # procedures, evidence → author, step, role, points…
Settle = Callable[[Sequence[Row], Config], list[dict[str, Any]]]
Texts = Callable[[Sequence[str]], dict[str, str]]  # post ids → masked plain text of those that are held
CREDITED = ("author", "procedure", "version_id", "step", "role", "points", "post")
BATCH = 500  # posts asked for at once
ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError)

CITATION = {
    **dict.fromkeys(("role", "post", "thread", "author", "handle", "permalink", "created", "exact"), str),
    **{"start": int, "end": int},
}
STEP = {
    "n": int,
    "text": str,
    "citations": list,
    "support": int,
    "dissent": int,
    "first_said_by": str,
    "first_said_in": str,
    "flags": list,
    "after": list,
}
PROCEDURE = {
    **dict.fromkeys(("id", "version_id", "status", "title", "goal", "language"), str),
    **{
        "version": int,
        "steps": list,
        "stances": list,
        "alternatives": list,
        "sources": list,
        "threads": list,
        "quality": dict,
        "generator": dict,
    },
}


# --- level 3: decisions ---------------------------------------------------------------------------------------------


def check_decisions(folder: Path, manifest: Row, level: Level, earn: Earn | None) -> None:
    states = {row["id"]: row for row in records(folder, "posts.jsonl") if isinstance(row.get("id"), str)}
    scores = {str(row.get("thread")): row for row in records(folder, "scores.jsonl")}
    config = _config(manifest, level)
    procedures = []
    for number, record in enumerate(records(folder, "procedures.jsonl"), 1):
        level.count("procedures")
        wrong = record_problems(record, states) + _emission_problems(record, scores)
        for what in wrong:
            level.add("procedures.jsonl", f"line {number} ({str(record.get('id'))[:40]})", what)
        if not wrong:
            procedures.append(record)
    _check_gate(folder, scores, level)
    if config and earn and not level.findings:
        _check_credits(folder, procedures, config, earn, level)
    elif not level.findings:
        level.left_out = "credits were not recomputed"


def _config(manifest: Row, level: Level) -> Config | None:
    """The settings that a release says it was made with; their digests have to be those that were signed."""
    try:
        config = config_of(manifest["settings"])
        told = {section: settings_digest({section: values}) for section, values in manifest["settings"].items()}
    except ODD:
        level.add(MANIFEST, "settings", "they are not settings of this program")
        return None
    if told != manifest.get("config"):
        level.add(MANIFEST, "config", "the digests are not those of the settings")
    return config


def config_of(settings: Mapping[str, Mapping[str, str]]) -> Config:
    """Settings as text → configuration. Raises KeyError, TypeError or ValueError for what is none."""
    parts = {}
    for section, values in settings.items():
        cls = SECTIONS[section]
        kinds = {name: type(getattr(cls(), name)) for name in values}
        parts[section] = cls(**{name: kinds[name](value) for name, value in values.items()})
    return Config(**parts)


def record_problems(record: Row, states: Mapping[str, Row]) -> list[str]:
    """What is wrong with one procedure by itself; `states` are the posts of its release by id."""
    try:
        shape = _shape_problems(record)
        return shape or [
            *_version_problems(record),
            *(what for citation in cited(record) for what in _citation_problems(citation, states)),
            *(what for step in record["steps"] for what in _step_problems(step)),
        ]
    except ODD as error:
        return [f"not a record of {PROCEDURE_SCHEMA}: {type(error).__name__} {error}"[:200]]


def cited(record: Row) -> list[dict[str, Any]]:
    return [c for step in record["steps"] for c in step["citations"]] + [stance["citation"] for stance in record["stances"]]


def _shape_problems(record: Row) -> list[str]:
    if record.get("schema") != PROCEDURE_SCHEMA:
        return [f"it is of schema {str(record.get('schema'))[:60]!r}, this program reads {PROCEDURE_SCHEMA!r}"]
    found = [f"{key} is not a {kind.__name__}" for key, kind in PROCEDURE.items() if type(record.get(key)) is not kind]
    if found:
        return found
    if not record["id"].startswith("sop-") or not record["id"][4:].isalnum() or not record["id"].isascii() or len(record["id"]) > 40:
        found.append("its id is not sop- and letters")
    steps = record["steps"]
    found += [
        f"step {n}: {key} is not a {kind.__name__}"
        for n, step in enumerate(steps, 1)
        for key, kind in STEP.items()
        if type(step.get(key)) is not kind
    ]
    if not found and [step["n"] for step in steps] != list(range(1, len(steps) + 1)):
        found.append("its steps are not numbered from 1")
    for citation in [] if found else cited(record):
        found += [
            f"a citation's {key} is not a {kind.__name__}"
            for key, kind in CITATION.items()
            if type(citation.get(key, "" if key == "role" else None)) is not kind
        ]
    return found


def _version_problems(record: Row) -> list[str]:
    """The version id is the hash of goal, steps and what states them; with a quote that was cut it cannot be known here."""
    if any("whole_end" in citation for citation in cited(record)):
        return []
    said = [
        [step["text"], [[c["post"], c["start"], c["end"], c["exact"]] for c in step["citations"] if c["role"] == "states"]]
        for step in record["steps"]
    ]
    made = "sha256:" + hashlib.sha256(canonical_json({"goal": record["goal"], "steps": said}).encode()).hexdigest()
    return [] if made == record["version_id"] else [f"its version id is {record['version_id'][:19]}…, goal and steps make {made[:19]}…"]


def _citation_problems(citation: Row, states: Mapping[str, Row]) -> list[str]:
    found = []
    if not 0 <= citation["start"] <= citation["end"] or citation["end"] - citation["start"] != len(citation["exact"]):
        found.append(
            f"a quote of {citation['post']} has {len(citation['exact'])} characters, its span {citation['end'] - citation['start']}"
        )
    if citation.get("masked", False) != (HIDDEN in citation["exact"]):
        found.append(f"a quote of {citation['post']} does not say rightly whether it is masked")
    post = states.get(citation["post"])
    if post is None:
        found.append(f"it quotes {citation['post']}, which is not among the posts")
    elif post.get("body_hash") is None:
        found.append(f"it quotes {citation['post']}, which was taken back ({post.get('state')})")
    return found


def _step_problems(step: Row) -> list[str]:
    """Who said a step first is whoever states it earliest; nobody can be given the place by writing it in."""
    states = [c for c in step["citations"] if c["role"] == "states"]
    if not states:
        return [f"step {step['n']} has nothing that states it"]
    first = min(states, key=lambda c: (c["created"], c["post"]))
    if (first["author"], first["post"]) != (step["first_said_by"], step["first_said_in"]):
        return [f"step {step['n']} was first said by {first['author']} in {first['post']}, not in {step['first_said_in']}"]
    return []


def _emission_problems(record: Row, scores: Mapping[str, Row]) -> list[str]:
    """A procedure comes from a thread whose gate was passed, with the score that it shows."""
    try:
        held = [scores[thread] for thread in record["threads"] if thread in scores]
        passed = [row for row in held if row["outcome"] == "procedures"]
        if not passed:
            return ["no thread of it passed the gate"]
        told = record["quality"].get("gate_bp")
        gates = {sequence["gate_bp"] for row in passed for sequence in row["sequences"] or ()}
        return (
            [f"its gate's score is {told}, its threads were given {', '.join(map(str, sorted(gates)))}"]
            if told is not None and gates and told not in gates
            else []
        )
    except ODD as error:
        return [f"its threads' scores cannot be read: {type(error).__name__}"]


def _check_gate(folder: Path, scores: Mapping[str, Row], level: Level) -> None:
    """Emitted or not follows from scores and thresholds, and outcomes.jsonl says the same."""
    outcomes = {str(row.get("thread")): row for row in records(folder, "outcomes.jsonl")}
    for number, (thread, row) in enumerate(sorted(scores.items()), 1):
        level.count("gates")
        try:
            wrong = gate_problem(row)
        except ODD:
            wrong = "its scores cannot be read"
        if wrong:
            level.add("scores.jsonl", f"line {number} ({thread})", wrong)
        if outcomes.get(thread) != {key: row.get(key) for key in ("thread", "outcome", "reason")}:
            level.add("outcomes.jsonl", thread, "it does not say what scores.jsonl says")
    if set(outcomes) != set(scores):
        level.add("outcomes.jsonl", "", "its threads are not those of scores.jsonl")


def gate_problem(row: Row) -> str | None:
    """Whether the decision of one thread is not what its scores give; None where it is."""
    score, threshold, fewest = row["gate_bp"], row["threshold_bp"], row["min_steps"]
    if score is None:
        return None  # by a distiller without a gate
    sequences = row["sequences"] or []
    passing = [s for s in sequences if s["gate_bp"] >= threshold and len(s["steps"]) >= fewest and not s["reason"]]
    emitted = row["outcome"] == "procedures"
    if emitted and not passing:
        return f"it was emitted, though no sequence has the {fewest} steps and the score of {threshold} that it takes"
    if emitted and score < threshold:
        return f"it was emitted with {score}, below {threshold}"
    if not emitted and passing and not row["reason"].startswith("the language model"):
        return f"it was not emitted ({row['reason']}), though a sequence passed with {max(s['gate_bp'] for s in passing)}"
    odds = row["odds"]
    if odds is not None and odds["start"] + odds["rest"] + sum(fact["adds"] for fact in odds["facts"]) != odds["total"]:
        return "the parts of its score do not add up"
    return None


def _check_credits(folder: Path, procedures: Sequence[Row], config: Config, earn: Earn, level: Level) -> None:
    """Credits are what procedures, evidence and shares give, to the point."""
    evidence, told = list(records(folder, "evidence.jsonl")), list(records(folder, "credits.jsonl"))
    try:
        made = {_comes_to(credit) for credit in earn(procedures, evidence, config)}
        held = {_comes_to(row): number for number, row in enumerate(told, 1)}
        beside = receipts_beside(evidence, records(folder, "reports.jsonl"), procedures)
    except ODD as error:
        level.add("credits.jsonl", "", f"it cannot be recomputed: {type(error).__name__} {error}"[:200])
        return
    level.count("credits", len(told))
    for key, number in held.items():
        if key not in made:
            level.add(
                "credits.jsonl",
                f"line {number}",
                f"{key[0]} has {key[5]} points for {key[4]} in step {key[3]} of {key[1]}, which do not follow",
            )
    for key in sorted(made - held.keys(), key=str):
        level.add("credits.jsonl", "", f"{key[0]} should have {key[5]} points for {key[4]} in step {key[3]} of {key[1]}")
    known = {(record["id"], record["version_id"]): record for record in procedures}
    for number, row in enumerate(told, 1):
        if problem := _receipt_problem(row, known, beside):
            level.add("credits.jsonl", f"line {number}", problem)


def _comes_to(credit: Row) -> tuple[Any, ...]:
    """What has to follow: all of a credit, and its reason; that of likes counts some which the evidence leaves out."""
    return (*(credit[key] for key in CREDITED), "" if credit["role"] == "liked" else credit["why"])


RECEIPT = {"start": "start", "end": "end", "exact": "quote", "permalink": "permalink", "created": "created"}


def _receipt_problem(row: Row, procedures: Mapping[tuple[str, str], Row], beside: Mapping[str, Row]) -> str | None:
    record = procedures.get((row["procedure"], row["version_id"]))
    step = step_of(record, row["step"]) if record else None
    if record is None or step is None:
        return "it is for a step that is not there"
    if (row["title"], row["step_text"]) != (record["title"], step["text"]):
        return "its title or step are not those of the SOP"
    own = [c for c in quotes_of(record, step) if (c["post"], c["author"]) == (row["post"], row["author"])]
    other = [beside[row["post"]]] if row["post"] in beside else []
    if not any(all(c[name] == row[told] for name, told in RECEIPT.items()) for c in [*own, *other]):
        return "its quote is not one of that step"
    return None


# --- level 4: quotes ------------------------------------------------------------------------------------------------


def check_quotes(folder: Path, texts: Texts, level: Level) -> None:
    """Every quote stands at its span in the post's words, and the words have the hash that the release gives them."""
    hashes = {row["id"]: row.get("plain_hash") for row in records(folder, "posts.jsonl")}
    procedures = list(records(folder, "procedures.jsonl"))
    wanted = sorted({c["post"] for record in procedures for c in cited(record)})
    held: dict[str, str] = {}
    for start in range(0, len(wanted), BATCH):
        held |= texts(wanted[start : start + BATCH])
    differing = {post for post, text in held.items() if hashlib.sha256(text.encode()).hexdigest() != hashes.get(post)}
    missing = 0
    for number, record in enumerate(procedures, 1):
        for citation in cited(record):
            text = held.get(citation["post"])
            if text is None:
                missing += 1
                continue
            level.count("quotes")
            if not stands_in(citation, text):
                why = (
                    "the post held here is another version of it"
                    if citation["post"] in differing
                    else "the words are not those of the post"
                )
                level.add(
                    "procedures.jsonl",
                    f"line {number} ({record['id']})",
                    f"{citation['post']} {citation['start']}–{citation['end']}: {why}",
                )
    level.count("posts", len(held))
    if missing:
        level.left_out = f"{missing:,} quotes are of posts that are not held here"
    if differing:
        level.notes.append(f"{len(differing):,} posts held here are other versions than those released")


def stands_in(citation: Row, text: str) -> bool:
    """`text[start:end] == exact`, but for characters that either side hides."""
    words = text[citation["start"] : citation["end"]]
    exact = citation["exact"]
    return words == exact or (
        len(words) == len(exact) and all(a == b or HIDDEN in (a, b) for a, b in zip(words, exact, strict=True)) and HIDDEN in words + exact
    )
