"""Outcomes: a person or a program carried an SOP out, says how it went, and signs it. Everything is checked offline.

One text, one layout: it is parsed, rendered again and must be equal. It is signed by an Ethereum wallet (EIP-191, as
identity claims are) or by an Ed25519 key named as did:key, and appended to a log whose records are chained by hash. What
is in force follows from the log: of one signer's reports on the same step the last counts.

A step is named by its number and by a hash of its words, so a report does not wander to another step when an SOP changes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import tables_outcomes, tables_rewards
from index.errors import ClaimError, StoreError, UnknownName, UsageError
from index.records import Outcome
from index.store import Store, canonical_json, now
from index.tables_claims import LogRow
from index.tables_outcomes import OUTCOME_SCHEMA
from index.tables_procedures import current_records
from rewards import didkey
from rewards.facts import Report
from rewards.identities import find_author
from rewards.money import parse_address
from rewards.signatures import parse_signature, recover

RESULTS = ("worked", "failed", "partly")
LONGEST_NOTE = 500
RECEIPT = "outcome:"
TITLE = "precipitate outcome/1"
_LAYOUT = re.compile(
    r"precipitate outcome/1\nSOP: (?P<procedure>sop-[a-z0-9-]{1,40})\nVersion: (?P<version_id>[\x21-\x7e]{1,100})\n"
    r"Step: (?:all|(?P<step>[1-9][0-9]{0,3}) (?P<words>sha256:[0-9a-f]{64}))\nResult: (?P<result>worked|failed|partly)\n"
    r"By: (?P<by>did:key:z[1-9A-HJ-NP-Za-km-z]{40,60}|0x[0-9a-fA-F]{40})\nAt: (?P<at>[0-9-]{10}T[0-9:]{8}Z)\nNote: (?P<note>\"[\x20-\x7e]*\")"
)
AGAIN = "make the text again with `precipitate outcome add`, and sign exactly that"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed."""

    text: str
    digest: str  # hex SHA-256 of the text
    outcome: Outcome


def new_outcome(store: Store, sop: str, step: int | None, result: str, by: str, note: str = "", at: str | None = None) -> Draft:
    """The text by which `by` (did:key:…, an address, or an account that is paid at one) reports on an SOP. Changes nothing."""
    if result not in RESULTS:
        raise UnknownName("result", result, RESULTS, f"there are: {', '.join(RESULTS)}")
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"the note has {len(note)} characters", f"say it in {LONGEST_NOTE}")
    record = find_record(current_records(store), sop)
    words = words_hash(_step(record, step)) if step is not None else ""
    outcome = Outcome("", record["id"], record["version_id"], step, words, result, _signer(store, by), at or now(), note)
    text = render(outcome)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Draft(text, digest, read_text(text))


def add_outcome(store: Store, sop: str, step: int | None, result: str, by: str, note: str = "", key: Path | None = None) -> dict[str, Any]:
    """With a key: signed and taken. Without: the text to sign, and nothing is changed."""
    if key is None:
        if not by:
            raise UsageError("nobody is named who signs", "give --by did:key:…, --by 0x… or --by ACCOUNT; or --key with a PEM file")
        draft = new_outcome(store, sop, step, result, by, note)
        return {"taken": False, "text": draft.text, "digest": draft.digest, "outcome": _told(draft.outcome)}
    did, private = didkey.read_key(key)
    if by not in ("", did):
        raise UsageError(f"{key} is the key of {did}, --by says {by}", "leave --by out")
    draft = new_outcome(store, sop, step, result, did, note)
    taken = take_outcome(store, draft.text, didkey.sign(private, draft.text.encode()))
    return {"taken": True, "text": draft.text, "digest": draft.digest, "outcome": _told(taken)}


def find_record(records: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The one SOP that an id, or enough of its beginning, names. Raises UnknownName or UsageError."""
    found = [record for record in records if record["id"].startswith(name)] if name else []
    exact = [record for record in found if record["id"] == name]
    if len(exact or found) != 1:
        if found:
            raise UsageError(f"{name!r} begins {len(found)} SOPs", "give more of its id")
        raise UnknownName("SOP", name, [record["id"] for record in records])
    return (exact or found)[0]


def _step(record: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    steps = {step["n"]: step for step in record["steps"]}
    if number not in steps:
        raise UsageError(f"{record['id']} has no step {number}", f"give 1 to {len(steps)}, or leave it out for the whole")
    return dict(steps[number])


def words_hash(step: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(str(step["text"]).encode()).hexdigest()


def _signer(store: Store, by: str) -> str:
    if by.startswith("did:key:"):
        didkey.public_key(by)
        return by
    if by.startswith("0x"):
        return parse_address(by)
    account = find_author(store, by)
    identity = tables_rewards.identities(store).get(account.id)
    if identity is None:
        raise UsageError(
            f"{by} has no wallet here to sign with", "give --by did:key:… or --by 0x…, or claim a wallet for the account first"
        )
    return identity.address


def render(outcome: Outcome) -> str:
    step = "all" if outcome.step is None else f"{outcome.step} {outcome.words}"
    note = json.dumps(outcome.note)  # ASCII: what is signed looks the same everywhere
    return (
        f"{TITLE}\nSOP: {outcome.procedure}\nVersion: {outcome.version_id}\nStep: {step}\nResult: {outcome.result}\n"
        f"By: {outcome.by}\nAt: {outcome.at}\nNote: {note}"
    )


def read_text(text: str) -> Outcome:
    """Raises ClaimError where the text is not exactly one that `render` makes."""
    found = _LAYOUT.fullmatch(text)
    if found is None:
        raise ClaimError("the text is not an outcome's: its layout differs", AGAIN)
    digest = hashlib.sha256(text.encode()).hexdigest()
    try:
        note = json.loads(found["note"])
    except ValueError:
        raise ClaimError("the note is no JSON string", AGAIN) from None
    step = int(found["step"]) if found["step"] else None
    parts = (found["procedure"], found["version_id"], step, found["words"] or "", found["result"], found["by"], found["at"], note)
    outcome = Outcome(RECEIPT + digest, *parts)
    if not isinstance(note, str) or render(outcome) != text:
        raise ClaimError("the text is not written as this program writes it", AGAIN)
    return outcome


def check_signature(outcome: Outcome, text: str, signature: bytes) -> None:
    """Raises ClaimError unless `outcome.by` signed the text."""
    if outcome.by.startswith("did:key:"):
        didkey.verify(outcome.by, text.encode(), signature)
        return
    signer = recover(text, signature)
    if signer != parse_address(outcome.by):
        raise ClaimError(f"the text was signed by {signer}, it is by {outcome.by}", "sign with the wallet that the text names")


# --- the log ----------------------------------------------------------------------------------------------------------


def take_outcome(store: Store, text: str, signature: str) -> Outcome:
    """Check a signed text and append it to the log. Raises ClaimError (signature, layout, again) or UsageError (no such SOP)."""
    text = text.rstrip("\n")
    outcome = read_text(text)
    data = parse_signature(signature)
    check_signature(outcome, text, data)
    if outcome.at > now():
        raise ClaimError(f"the outcome is dated {outcome.at}, which is to come", "check the clock of the machine that made it")
    find_record(current_records(store), outcome.procedure)
    rows = tables_outcomes.log_rows(store)
    findings = check_chain(rows)
    if findings:
        raise StoreError(findings[0], "restore the workspace from a copy: the log of outcomes was changed")
    if any(json.loads(row.record)["text"] == text for row in rows):
        raise ClaimError(f"{outcome.id} is in the log already", "nothing is to be done")
    tables_outcomes.append_event(store, next_row(rows, text, data))
    return outcome


def next_row(rows: Sequence[LogRow], text: str, signature: bytes) -> LogRow:
    seq, before = (rows[-1].seq + 1, rows[-1].hash) if rows else (1, "")
    event = {"schema": OUTCOME_SCHEMA, "seq": seq, "prev": before, "text": text, "signature": "0x" + signature.hex(), "logged": now()}
    record = canonical_json(event)
    return LogRow(seq, hashlib.sha256(record.encode()).hexdigest(), record)


def check_chain(rows: Sequence[LogRow]) -> list[str]:
    """What does not hold of hashes, order and form; empty: all well."""
    findings, before = [], ""
    for number, row in enumerate(rows, 1):
        where = f"line {number} of the log of outcomes"
        try:
            event = json.loads(row.record)
            well = (event["seq"], event["prev"], event["schema"]) == (number, before, OUTCOME_SCHEMA)
            if row.seq != number or not well:
                findings.append(f"{where} does not follow the one before")
            if row.hash != hashlib.sha256(row.record.encode()).hexdigest() or canonical_json(event) != row.record:
                findings.append(f"{where} was changed")
        except (ValueError, KeyError, TypeError):
            findings.append(f"{where} cannot be read")
        before = row.hash
    return findings


def check_log(rows: Sequence[LogRow], head: str | None = None) -> list[str]:
    """Chain, layout and every signature; with `head`, that a hash printed earlier still stands in the log."""
    findings = check_chain(rows)
    for row in rows if not findings else ():
        event = json.loads(row.record)
        try:
            check_signature(read_text(event["text"]), event["text"], parse_signature(event["signature"]))
        except ClaimError as error:
            findings.append(f"line {row.seq} of the log of outcomes: {error.message}")
    if head is not None and head not in {row.hash for row in rows}:
        findings.append(f"no line of the log has the hash {head}: it was cut off or belongs to another workspace")
    return findings


def list_outcomes(store: Store, head: str | None = None) -> dict[str, Any]:
    """Every outcome in the order of the log, the log's head, and what does not hold."""
    rows = tables_outcomes.log_rows(store)
    findings = check_log(rows, head)
    told = [_told(read_text(json.loads(row.record)["text"])) for row in rows] if not findings else []
    return {"outcomes": told, "head": rows[-1].hash if rows else "", "findings": findings}


def _told(outcome: Outcome) -> dict[str, Any]:
    names = ("id", "procedure", "version_id", "step", "result", "by", "at", "note")
    return {name: getattr(outcome, name) for name in names}


# --- for credit -------------------------------------------------------------------------------------------------------


def reports(store: Store, records: Sequence[Mapping[str, Any]]) -> list[Report]:
    """The log as credit counts it: the last word of each author on each step that still says the same; of forks, for the origins.

    Raises StoreError where the log does not hold: credit is not computed from what somebody changed.
    """
    rows = tables_outcomes.log_rows(store)
    findings = check_log(rows)
    if findings:
        raise StoreError(findings[0], "restore the workspace from a copy; `precipitate outcome list` says more")
    accounts = _accounts(store)
    last: dict[tuple[str, str, str], tuple[Outcome, str]] = {}
    for row in rows:
        outcome = read_text(json.loads(row.record)["text"])
        author = accounts.get(outcome.by, outcome.by)
        last[author, outcome.procedure, outcome.words] = (outcome, author)
    known = {record["id"]: record for record in records}
    found = []
    for outcome, author in last.values():
        place = _current_step(known.get(outcome.procedure), outcome)
        found += [Report(author, outcome.procedure, step, _RESULT[outcome.result], outcome.at, outcome.id) for step in place]
    return sorted(found, key=lambda r: (r.created, r.receipt))


_RESULT: dict[str, Any] = {name: name for name in RESULTS}


def _current_step(record: Mapping[str, Any] | None, outcome: Outcome) -> list[int | None]:
    """The number that the reported step has now, None for the whole; nothing where it is no more."""
    if record is None:
        return []
    if outcome.step is None:
        return [None]
    same: list[int | None] = [int(step["n"]) for step in record["steps"] if words_hash(step) == outcome.words]
    return same[:1]


def _accounts(store: Store) -> dict[str, str]:
    """Wallet → the account that is paid there, the first by id where there are several."""
    found: dict[str, str] = {}
    for author, identity in sorted(tables_rewards.identities(store).items()):
        found.setdefault(identity.address, author)
    return found
