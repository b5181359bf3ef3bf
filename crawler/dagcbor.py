"""DAG-CBOR, the part of CBOR that AT Protocol writes: checked while it is read, so that no block can hurt its reader.

Integers are bounded to 64 bits, floats and unknown tags are refused, nesting and counts are bounded by the block's
own length. Links come out as `Link`; `as_json` turns a value into what the HTTP API would give for it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64
CID_TAG = 42


@dataclass(frozen=True, slots=True)
class Link:
    """A CID in binary form: version, codec, hash function, length, digest."""

    cid: bytes

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.cid).decode("ascii").lower().rstrip("=")


def decode(data: bytes) -> Any:
    """The value of a block. Raises ValueError for anything that is no DAG-CBOR, or has bytes left over."""
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise ValueError("bytes behind the value")
    return value


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if at >= len(data):
        raise ValueError("value breaks off")
    major, detail = data[at] >> 5, data[at] & 31
    if major == 7:
        if detail in (20, 21, 22):
            return {20: False, 21: True, 22: None}[detail], at + 1
        if detail == 27 and at + 9 <= len(data):  # a float: nothing that we read is one
            return None, at + 9
        raise ValueError("simple value that is none of DAG-CBOR's")
    number, at = _argument(data, at, detail)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        if at + number > len(data):
            raise ValueError("text or bytes break off")
        raw = data[at : at + number]
        return (raw if major == 2 else raw.decode("utf-8")), at + number
    if major == 6:
        return _link(data, at, number, depth)
    if number > len(data) - at:
        raise ValueError("more entries than bytes")
    return _entries(data, at, number, depth, is_map=major == 5)


def _argument(data: bytes, at: int, detail: int) -> tuple[int, int]:
    if detail < 24:
        return detail, at + 1
    length = {24: 1, 25: 2, 26: 4, 27: 8}.get(detail)
    if length is None or at + 1 + length > len(data):
        raise ValueError("length that is none of DAG-CBOR's")
    return int.from_bytes(data[at + 1 : at + 1 + length], "big"), at + 1 + length


def _link(data: bytes, at: int, tag: int, depth: int) -> tuple[Link, int]:
    raw, end = _read(data, at, depth + 1)
    if tag != CID_TAG or not isinstance(raw, bytes) or len(raw) < 5 or raw[0] != 0:
        raise ValueError("tag that is no link")
    return Link(raw[1:]), end


def _entries(data: bytes, at: int, count: int, depth: int, is_map: bool) -> tuple[Any, int]:
    if not is_map:
        values: list[Any] = []
        for _ in range(count):
            value, at = _read(data, at, depth + 1)
            values.append(value)
        return values, at
    entries: dict[str, Any] = {}
    for _ in range(count):
        key, at = _read(data, at, depth + 1)
        if not isinstance(key, str) or key in entries:
            raise ValueError("key that is no text, or twice")
        entries[key], at = _read(data, at, depth + 1)
    return entries, at


def encode(value: Any) -> bytes:
    """The one way DAG-CBOR writes a value: keys by length, then by bytes."""
    if value is None or isinstance(value, bool):
        return bytes((0xF6 if value is None else 0xF5 if value else 0xF4,))
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, Link):
        return _head(6, CID_TAG) + encode(b"\0" + value.cid)
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(encode(entry) for entry in value)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return _head(5, len(value)) + b"".join(encode(key) + encode(value[key]) for key in keys)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    length = next(length for length in (1, 2, 4, 8) if number < 1 << 8 * length)
    return bytes((major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[length],)) + number.to_bytes(length, "big")


def as_json(value: Any) -> Any:
    """As AT Protocol's JSON has it: {"$link": …} and {"$bytes": …}."""
    if isinstance(value, Link):
        return {"$link": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii").rstrip("=")}
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    if isinstance(value, dict):
        return {key: as_json(entry) for key, entry in value.items()}
    return value
