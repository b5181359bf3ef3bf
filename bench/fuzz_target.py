"""What a fuzz target is, and what holds of whatever a mapping made of a broken payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from index.records import Post, PostVersion, ReactionEvent, Reject, Tombstone
from index.spool import Record, Roster

Complaint = Callable[[Any, list[Record]], str]


@dataclass(frozen=True, slots=True)
class Target:
    """`payloads()` gives sound JSON values, `read` maps one that was broken, `account` complains of what went unsaid."""

    payloads: Callable[[], Sequence[Any]]
    read: Callable[[Any], list[Record]]
    account: Complaint = lambda payload, records: ""


def strings(value: Any) -> Iterator[str]:
    """All texts of a JSON value, at any depth."""
    todo = [value]
    while todo:
        found = todo.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            todo += found.values()
        elif isinstance(found, list):
            todo += found


def said_there(payload: Any, records: list[Record]) -> str:
    """A post's words stand in the payload."""
    words = {text.encode("utf-8", "replace") for text in strings(payload)}
    odd = next((record for record in records if isinstance(record, Post | PostVersion) and record.body.encode() not in words), None)
    return f"{odd} says what the payload does not"[:300] if odd else ""


def nothing_swallowed(entries: Callable[[Any], list[Any]]) -> Complaint:
    """Each of the `entries` that a payload lists became a post, a vote, a tombstone or a reject; no word was invented."""

    def account(payload: Any, records: list[Record]) -> str:
        listed = {repr(entry.get("id", entry)) for entry in entries(payload)}
        posts = {record.id for record in records if isinstance(record, Post)}
        gone = {record.post for record in records if isinstance(record, Tombstone)}
        votes = {record.id for record in records if isinstance(record, ReactionEvent)}
        rejects = sum(isinstance(record, Reject) for record in records)
        if len(posts | gone | votes) + rejects < len(listed):
            return f"{len(listed)} entries became {len(posts)} posts, {len(gone)} tombstones, {len(votes)} votes, {rejects} rejects"
        return said_there(payload, records) or listed_stays(records)

    return account


def listed_stays(records: list[Record]) -> str:
    """A post that is listed but cannot be read is not missing: a roster without it would count it as taken away."""
    there = {post for record in records if isinstance(record, Roster) for post in record.posts}
    unread = {record.where: record.reason for record in records if isinstance(record, Reject) and "date" in record.reason}
    lost = next((post for post in unread if post not in there and unread[post].startswith("post ")), None)
    return f"{lost} is listed and counts as missing" if there and lost else ""
