"""Broken payloads: a real one with something in it cut, swapped, nested, blown up or turned into another type."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterable
from typing import Any

from index.records import Account, Author, Edge, IdentityLink, Post, Reaction, ReactionEvent, Reject, Thread
from index.spool import Record

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**64, 10**400, 1e300, float("nan"), float("inf")),
    *("", " ", "\x00", "\ud800", "a" * 5_000, "é" * 300, "0" * 64, "f" * 128, "1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "not a date"),
    *(
        "https://",
        "http://[::1",
        "javascript:alert(1)",
        "../../etc/passwd",
        "<script>x</script>",
        "'; DROP TABLE posts; --",
        "‮evil",
        "did:plc:",
    ),
    *([], {}, [[]], [{}], [None] * 50, {"$type": 7}, {"": {"": {}}}, [["e"], ["e", None], [7, 8]]),
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")


def mutate(value: Any, chance: random.Random) -> Any:
    """A copy of a JSON value with one to three things broken in it."""
    broken = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        broken = _break(broken, chance)
    return broken


def _break(value: Any, chance: random.Random) -> Any:
    places = list(_places(value))
    if not places or chance.random() < 0.02:
        return chance.choice(JUNK)
    holder, key = chance.choice(places)
    way = chance.random()
    if way < 0.45:
        holder[key] = copy.deepcopy(chance.choice(JUNK))
    elif way < 0.6:
        del holder[key]
    elif way < 0.75:
        other, there = chance.choice(places)
        holder[key] = copy.deepcopy(other[there]) if there in other or (isinstance(other, list) and there < len(other)) else None
    elif way < 0.9:
        holder[key] = _bent(holder[key], chance)
    else:
        holder[key] = [holder[key]] * chance.randint(1, 3)
    return value


def _bent(value: Any, chance: random.Random) -> Any:
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", "\u0000", "😀", "g", "\ud83d", "/")) + value[at + 1 :]
    if type(value) is int:
        return value + chance.choice((-1, 1, 10**12, -(10**12)))
    return str(value)


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    todo = [value]
    while todo:
        holder = todo.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in list(keys):
            yield holder, key
            todo.append(holder[key])


def check_records(records: Iterable[Record]) -> None:
    """What holds of all records, whatever they were read from: they can be stored, and are what they say."""
    for record in records:
        json.dumps(record.__class__.__name__)
        for name in record.__slots__:
            value = getattr(record, name)
            assert value is None or isinstance(value, str | int | tuple | bool), (record, name)
        if isinstance(record, Post):
            assert record.id and record.author and record.thread and record.body.strip(), record
            assert MOMENT.match(record.created) and (record.edited is None or MOMENT.match(record.edited)), record
            assert "1980" <= record.created < "2098" and record.likes >= 0, record
            assert record.permalink.startswith(("https://", "http://")), record
        elif isinstance(record, Thread):
            assert record.id and MOMENT.match(record.created) and "\n" not in record.title, record
        elif isinstance(record, Account | Author):
            assert record.id and (record.handle or getattr(record, "told", "")) and "\n" not in record.handle, record
        elif isinstance(record, ReactionEvent | Reaction):
            assert record.post and (isinstance(record, Reaction) or (record.actor and record.kind)), record
        elif isinstance(record, Edge):
            assert record.post and record.target and record.post != record.target, record
        elif isinstance(record, IdentityLink):
            assert record.author and record.via and MOMENT.match(record.told) and bool(record.kind) == bool(record.target), record
        elif isinstance(record, Reject):
            assert record.reason and len(record.reason) < 80 and record.source, record
