"""Fork and compose: a new SOP of steps of others, each with its citations as they are, and credit that flows to the origins.

    precipitate fork sop-a --drop 3 --by ann
    precipitate compose sop-a sop-b --by ann

What is made says in `generator.composed` which step came from where. A step that was taken over earns nothing a second
time (rewards/novelty.py): its words are paid where they were said first. What is reported of the new SOP is counted for the
origins' steps, less `composed_bp` of it, and that part is the composer's, unless they said one of the steps themselves: so
forking oneself gains nothing, and no fork makes more of a report than the report is worth.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from index import tables_outcomes
from index.errors import UsageError
from index.records import PROCEDURE_SCHEMA
from index.store import Store, canonical_json, now
from index.tables_procedures import current_records
from rewards.facts import Report
from rewards.identities import find_author
from rewards.outcomes import find_record

Pick = tuple[str, int]  # SOP, step
WHOLE = 10_000


def fork(store: Store, sop: str, by: str, drop: Sequence[int] = (), order: Sequence[int] = (), title: str = "") -> dict[str, Any]:
    """A fork of one SOP: without the steps in `drop`, or the steps of `order` in that order. Raises UsageError, UnknownName."""
    record = find_record(current_records(store), sop)
    numbers = [step["n"] for step in record["steps"]]
    wrong = sorted(set(drop) - set(numbers)) + [n for n in order if n not in numbers]
    if wrong or len(set(order)) != len(order) or (drop and order):
        raise UsageError(
            f"{record['id']} has the steps {numbers[0]} to {numbers[-1]}", "give some of them once, with --drop or with --order"
        )
    kept = list(order) or [n for n in numbers if n not in drop]
    return put(store, [(record["id"], n) for n in kept], by, title or f"{record['title']} (fork)")


def compose(
    store: Store, sops: Sequence[str], by: str, title: str = "", picks: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """One SOP after the other; `picks` says which steps of one (by the name it was given), else all. Raises UsageError, UnknownName."""
    if len(sops) < 2:
        raise UsageError("compose needs two SOPs at least", "to change one, use `precipitate fork`")
    records = current_records(store)
    chosen: list[Pick] = []
    for name in sops:
        record = find_record(records, name)
        numbers = [step["n"] for step in record["steps"]]
        wanted = list((picks or {}).get(name, numbers))
        if missing := [n for n in wanted if n not in numbers]:
            raise UsageError(f"{record['id']} has no step {missing[0]}", f"it has {numbers[0]} to {numbers[-1]}")
        chosen += [(record["id"], n) for n in wanted]
    first = find_record(records, sops[0])
    return put(store, chosen, by, title or f"{first['title']} and {len(sops) - 1} more")


def read_picks(words: Sequence[str]) -> tuple[list[str], dict[str, list[int]]]:
    """'sop-a', 'sop-b:1,2' → names, and the steps of those that name some. Raises UsageError."""
    names, picks = [], {}
    for word in words:
        name, colon, steps = word.partition(":")
        names.append(name)
        if colon:
            numbers = steps.split(",")
            if not all(number.isdecimal() and number.isascii() for number in numbers):
                raise UsageError(f"{word!r} names no steps", "write sop-3f9a:1,2,5")
            picks[name] = [int(number) for number in numbers]
    return names, picks


def put(store: Store, picks: Sequence[Pick], by: str, title: str) -> dict[str, Any]:
    """Make the record and keep it. Raises UsageError where it is no new SOP."""
    author = find_author(store, by).id
    record = composed_record(current_records(store), picks, author, title)
    if any(known["id"] == record["id"] for known, _, _ in tables_outcomes.composed(store)):
        raise UsageError(f"{record['id']} was made before, of the same steps in the same order", "nothing is to be done")
    tables_outcomes.put_composed(store, record, now(), author, picks[0][0])
    return record


def composed_record(records: Sequence[Mapping[str, Any]], picks: Sequence[Pick], author: str, title: str) -> dict[str, Any]:
    """A new procedure record of steps of others. A composed step of a composed SOP names the SOP that it came from first."""
    if not picks or len(set(picks)) != len(picks):
        raise UsageError("no steps, or one step twice", "choose at least one step, each once")
    by_id = {record["id"]: record for record in records}
    origins = [_first_origin(by_id, pick) for pick in picks]
    numbers = {pick: place for place, pick in enumerate(picks, 1)}
    steps = [_taken(by_id[sop], n, place, numbers) for place, (sop, n) in enumerate(picks, 1)]
    parts = [by_id[sop] for sop in dict.fromkeys(sop for sop, _ in picks)]
    composed = {"by": author, "steps": [[sop, n] for sop, n in origins], "of": [[r["id"], r["version_id"]] for r in parts]}
    head = parts[0]
    goal = title or head["goal"]
    said = [[s["text"], [[c["post"], c["start"], c["end"], c["exact"]] for c in s["citations"] if c["role"] == "states"]] for s in steps]
    digest = hashlib.sha256(canonical_json([author, origins]).encode()).digest()
    return {
        **head,
        "schema": PROCEDURE_SCHEMA,
        "id": "sop-" + base64.b32encode(digest).decode().lower()[:12],
        "version": 1,
        # The same hash as of distilled ones: what it says and where that was said.
        "version_id": "sha256:" + hashlib.sha256(canonical_json({"goal": goal, "steps": said}).encode()).hexdigest(),
        "supersedes": None,
        "status": "draft",
        "title": title,
        "goal": goal,
        "steps": steps,
        "stances": [],
        "alternatives": [],
        "forked_from": head["id"],
        **{
            name: sorted({value for r in parts for value in r.get(name, ())})
            for name in ("threads", "roles", "tools", "preconditions", "verification")
        },
        "sources": list({canonical_json(s): s for r in parts for s in r.get("sources", ())}.values()),
        "generator": {**head.get("generator", {}), "composed": composed},
    }


def _first_origin(by_id: Mapping[str, Mapping[str, Any]], pick: Pick) -> Pick:
    made = by_id[pick[0]].get("generator", {}).get("composed")
    return (made["steps"][pick[1] - 1][0], made["steps"][pick[1] - 1][1]) if made else pick


def _taken(record: Mapping[str, Any], number: int, place: int, numbers: Mapping[Pick, int]) -> dict[str, Any]:
    """A step at its new place; what it must follow is kept as far as it was taken over, too."""
    step = next(step for step in record["steps"] if step["n"] == number)
    after = sorted(numbers[record["id"], n] for n in step["after"] if (record["id"], n) in numbers and numbers[record["id"], n] < place)
    return {**step, "n": place, "after": after}


# --- for credit -------------------------------------------------------------------------------------------------------


def origins_of(record: Mapping[str, Any]) -> list[Pick]:
    """Where each step of a composed SOP came from, in order; empty for a distilled one."""
    made = record.get("generator", {}).get("composed")
    return [(sop, n) for sop, n in made["steps"]] if made else []


def composers(store: Store) -> dict[str, tuple[str, str]]:
    """Composed SOP → (author, when)."""
    return {record["id"]: (author, made) for record, made, author in tables_outcomes.composed(store)}


def passed_on(reports: Iterable[Report], records: Sequence[Mapping[str, Any]], composed_bp: int) -> list[Report]:
    """The reports, and for each about a composed SOP what the origins' steps have of it. The reporter is paid once, at the fork."""
    origins = {record["id"]: origins_of(record) for record in records}
    found = []
    for report in reports:
        found.append(report)
        steps = origins.get(report.procedure, [])
        picked = steps if report.step is None else steps[report.step - 1 : report.step]
        part = WHOLE - composed_bp
        found += [Report(report.author, sop, n, report.result, report.created, report.receipt, part, False) for sop, n in picked]
    return found
