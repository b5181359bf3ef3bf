"""The log of identity claims: events in a chain of hashes, and what is in force after them.

Each record holds the hash of the one before, so a record that is changed, left out, put in or moved no longer fits. What
the chain alone cannot tell is that its end was cut off: for that somebody has to have kept the hash of its head
(`precipitate claim list` prints it). A correction is a further event. Pure: no store, no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from index.errors import PrecipitateError, StoreError
from index.store import canonical_json
from index.tables_claims import LogRow
from rewards.claimtext import digest_of, parse_claim
from rewards.signatures import is_for_contract, parse_signature, recover

EVENT_SCHEMA = "precipitate/claim-event/1"
Kind = Literal["claimed", "merged", "rotated", "pending", "revoked"]


@dataclass(frozen=True, slots=True)
class PostBack:
    """Where an account said that a claim is its own."""

    account: str
    post: str
    permalink: str
    created: str


@dataclass(frozen=True, slots=True)
class ClaimEvent:
    """One thing that happened to claims. A revocation repeats what it revokes, without its signatures."""

    kind: Kind
    at: str
    digest: str  # of the claim's text
    accounts: tuple[str, ...]  # whom it concerns: of a revocation, who no longer has the claim
    address: str
    chain: int
    round: str
    text: str = ""
    signature: str = ""  # lower-case hex
    posts: tuple[PostBack, ...] = ()
    previous: tuple[tuple[str, str], ...] = ()  # (account, address that was in force), where it was another one
    consents: tuple[str, ...] = ()  # signatures of the wallets of `previous`, over the same text
    reason: str = ""  # a person's: of a revocation, or of a change without the old wallet
    checked_at_block: int | None = None  # a contract wallet's: where a person saw it answer that the signature is good


def next_row(rows: Sequence[LogRow], event: ClaimEvent) -> LogRow:
    """The line that appends `event` to the log."""
    seq, before = (rows[-1].seq + 1, rows[-1].hash) if rows else (1, "")
    record = canonical_json({"schema": EVENT_SCHEMA, "seq": seq, "prev": before, **asdict(event)})
    return LogRow(seq, _hash(record), record)


def _hash(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()


def head(rows: Sequence[LogRow]) -> str:
    """The hash that stands for the whole log; "" for an empty one."""
    return rows[-1].hash if rows else ""


def read_event(row: LogRow) -> ClaimEvent:
    """Raises StoreError where the record is not one that `next_row` makes."""
    try:
        data: dict[str, Any] = json.loads(row.record)
        event = ClaimEvent(
            **{
                field.name: data[field.name]
                for field in fields(ClaimEvent)
                if field.name not in ("accounts", "posts", "previous", "consents")
            },
            accounts=tuple(data["accounts"]),
            posts=tuple(PostBack(**post) for post in data["posts"]),
            previous=tuple((account, address) for account, address in data["previous"]),
            consents=tuple(data["consents"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"line {row.seq} of the log of claims cannot be read: {error!r}", WAY_OUT) from None
    if canonical_json({"schema": EVENT_SCHEMA, "seq": row.seq, "prev": data.get("prev"), **asdict(event)}) != row.record:
        raise StoreError(f"line {row.seq} of the log of claims is not written as this program writes it", WAY_OUT)
    return event


WAY_OUT = "somebody changed the log: restore the workspace from a copy, and compare with `precipitate claim list --log` of it"


# --- checking -----------------------------------------------------------------------------------------------------------


def check_chain(rows: Sequence[LogRow]) -> list[str]:
    """What does not hold of hashes, order and form, the first thing first. Empty: all well."""
    befores = ["", *(row.hash for row in rows)]
    return [finding for number, row in enumerate(rows, 1) for finding in _check_row(number, row, befores[number - 1])]


def _check_row(number: int, row: LogRow, before: str) -> list[str]:
    where = f"line {number} of the log of claims"
    if row.seq != number:
        return [f"{where} has number {row.seq}"]
    if _hash(row.record) != row.hash:
        return [f"{where} does not have the hash that is stored for it"]
    try:
        read_event(row)
    except StoreError as error:
        return [error.message]
    return [] if json.loads(row.record)["prev"] == before else [f"{where} does not follow on line {number - 1}"]


def check_log(rows: Sequence[LogRow], known_head: str | None = None) -> list[str]:
    """As check_chain, and beyond it: the signatures over the logged texts, and a head that somebody kept."""
    findings = check_chain(rows)
    if not findings:
        findings = [f"line {row.seq} of the log of claims: {problem}" for row in rows for problem in _check_evidence(read_event(row))]
    if known_head is not None and known_head not in (row.hash for row in rows):
        findings.append(f"no line of the log has the hash {known_head}: lines were cut off or written anew")
    return findings


def _check_evidence(event: ClaimEvent) -> list[str]:
    """Does the logged text say what the event says, and did the keys sign it? Posts may be gone by now: not asked."""
    if event.kind == "revoked":
        return []
    try:
        claim = parse_claim(event.text)
        said = (digest_of(claim.render()), tuple(a.id for a in claim.accounts), claim.address, claim.chain, claim.round)
        if said != (event.digest, event.accounts, event.address, event.chain, event.round):
            return ["its text says something else"]
        signature = parse_signature(event.signature)
        by_key = event.kind != "pending" and event.checked_at_block is None
        if by_key and (is_for_contract(signature) or recover(event.text, signature) != event.address):
            return ["the signature is not that of its address"]
        signers = {recover(event.text, parse_signature(consent)) for consent in event.consents}
    except PrecipitateError as error:
        return [error.message]
    if event.kind != "pending" and not event.reason and not {address for _, address in event.previous} <= signers:
        return ["an address was changed without its wallet's consent or a reason"]
    return []


def trusted_events(rows: Sequence[LogRow]) -> list[ClaimEvent]:
    """The events of a log whose chain holds. Raises StoreError with the first thing that does not."""
    findings = check_chain(rows)
    if findings:
        raise StoreError(findings[0], WAY_OUT)
    return [read_event(row) for row in rows]


# --- what is in force ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What the events come to."""

    in_force: Mapping[str, ClaimEvent]  # account → its claim
    pending: Mapping[str, ClaimEvent]  # digest → a contract wallet's claim that nobody has checked yet
    used: Mapping[str, ClaimEvent]  # digest → the last event of every claim that was ever taken


def standing(events: Iterable[ClaimEvent]) -> Standing:
    in_force: dict[str, ClaimEvent] = {}
    pending: dict[str, ClaimEvent] = {}
    used: dict[str, ClaimEvent] = {}
    for event in events:
        used[event.digest] = event
        pending.pop(event.digest, None)
        if event.kind == "pending":
            pending[event.digest] = event
        elif event.kind == "revoked":
            for account in event.accounts:
                if account in in_force and in_force[account].digest == event.digest:
                    del in_force[account]
        else:
            in_force |= dict.fromkeys(event.accounts, event)
    return Standing(in_force, pending, used)


def merged_accounts(now: Standing) -> dict[str, str]:
    """Accounts that one person holds by a claim in force → the first of them; accounts that stand alone are left out.

    For whoever counts people: rules that hold per person must not take two accounts of one person for two.
    """
    together: dict[str, list[str]] = {}
    for account, event in sorted(now.in_force.items()):
        together.setdefault(event.digest, []).append(account)
    return {account: group[0] for group in together.values() if len(group) > 1 for account in group}
