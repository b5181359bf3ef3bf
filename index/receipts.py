"""The receipt of a credit: the words that it was earned with, from a procedure, or from beside it. Pure values, no store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from index.errors import StoreError

CREDIT_SCHEMA = "precipitate/credit/1"
WHOLE_SOP = 0  # the step of credits for what is about the whole procedure
Row = Mapping[str, Any]


def credit_record(credit: Row, procedure: Row | None, name: tuple[str, str] | None, beside: Mapping[str, Row]) -> dict[str, Any]:
    """A line of credits.jsonl. `credit`: fields of records.Credit; `name`: (handle, source) of its author where it is known.

    Raises StoreError where there is no receipt.
    """
    step = step_of(procedure, credit["step"]) if procedure else None
    receipt = (receipt_of(procedure, step, credit["role"], credit["post"]) or beside.get(credit["post"])) if procedure and step else None
    if procedure is None or step is None or receipt is None:
        raise StoreError(
            f"the credits are older than the SOPs: {credit['procedure']} step {credit['step']} has no receipt", "run `precipitate run`"
        )
    handle, source = name or (receipt["handle"], "")
    return {
        "schema": CREDIT_SCHEMA,
        "author": credit["author"],
        "handle": handle,
        "source": source,
        "procedure": credit["procedure"],
        "version_id": credit["version_id"],
        "title": procedure["title"],
        "step": credit["step"],
        "step_text": step["text"],
        "role": credit["role"],
        "points": credit["points"],
        "why": credit["why"],
        "post": credit["post"],
        "permalink": receipt["permalink"],
        "created": receipt["created"],
        "start": receipt["start"],
        "end": receipt["end"],
        "quote": receipt["exact"],
    }


def step_of(procedure: Row, number: int) -> Row | None:
    """A step by its number; the whole procedure counts as a step without words of its own."""
    if number == WHOLE_SOP:
        return {"n": None, "text": procedure["title"], "citations": []}
    return next((step for step in procedure["steps"] if step["n"] == number), None)


def quotes_of(procedure: Row, step: Row) -> list[Row]:
    """Citations of a step, then of stances on it."""
    return [*step["citations"], *(s["citation"] for s in procedure["stances"] if s["step"] == step["n"])]


def receipt_of(procedure: Row, step: Row, role: str, post: str) -> Row | None:
    """The citation of `post` that bears on the step; an amendment's own words come before other words of its post."""
    own = [c for c in step["citations"] if c["post"] == post]
    stances = [s["citation"] for s in procedure["stances"] if s["step"] == step["n"] and s["citation"]["post"] == post]
    return next(iter(stances + own if role == "amended" else own + stances), None)


def receipts_beside(evidence: Iterable[Row], reports: Iterable[Row], procedures: Sequence[Row]) -> dict[str, Row]:
    """By post: receipts that stand outside the procedures: questions, signed outcomes, composed SOPs."""
    found: dict[str, Row] = {}
    titles = {record["id"]: record["title"] for record in procedures}
    for row in evidence:
        if row["kind"] == "question":
            found[row["post"]] = row
        elif row["kind"] == "composer" and row["procedure"] in titles:
            title = titles[row["procedure"]]
            found[row["procedure"]] = _words("", row["created"], title, row["procedure"])
    return found | dict(map(outcome_receipt, reports))


def outcome_receipt(event: Row) -> tuple[str, Row]:
    """(id, what a credit shows of a signed outcome): its note, or its result where it has none."""
    lines = dict(line.partition(": ")[::2] for line in event["text"].split("\n")[1:])
    words = json.loads(lines["Note"]) or lines["Result"]
    return "outcome:" + hashlib.sha256(event["text"].encode()).hexdigest(), _words("", lines["At"], words, lines["By"])


def _words(permalink: str, created: str, words: str, handle: str) -> Row:
    return {"permalink": permalink, "created": created, "start": 0, "end": len(words), "exact": words, "handle": handle}
