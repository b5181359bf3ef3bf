"""DAG-CBOR, strict both ways: one value has one encoding, and bytes that are not that encoding are refused.

https://ipld.io/specs/codecs/dag-cbor/spec/ without floats, which nothing here may hash. Links are CIDs v1 of DAG-CBOR
blocks by sha256, and nothing else. Decoding never follows a length that its input cannot hold, and never nests deeper
than DEEPEST: hostile blocks end in a StoreError.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from index.errors import StoreError

DEEPEST = 32
PREFIX = b"\x01\x71\x12\x20"  # CID v1, dag-cbor, sha2-256, 32 bytes
LINK_TAG = 42
WHOLE = 1 << 64


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A CID as its binary form; `str` gives the base32 that people and gateways use."""

    cid: bytes

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.cid).decode().lower().rstrip("=")


def link_to(block: bytes) -> Link:
    return Link(PREFIX + hashlib.sha256(block).digest())


def parse_link(text: str) -> Link:
    """Raises StoreError where the text is not the CID of a DAG-CBOR block by sha256."""
    try:
        body = text[1:].upper()
        cid = base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError:
        cid = b""
    if not text.startswith("b") or len(cid) != 36 or not cid.startswith(PREFIX) or str(Link(cid)) != text:
        raise StoreError(f"{text[:80]!r} is not the CID of a DAG-CBOR block", "CIDs here are version 1, dag-cbor, sha2-256, in base32")
    return Link(cid)


# --- writing --------------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """Raises TypeError for what must not be hashed: floats, keys that are no strings, integers over 64 bits."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


def _write(value: Any, out: bytearray) -> None:
    kind = type(value)
    if kind is str:
        data = value.encode()
        _head(3, len(data), out)
        out += data
    elif kind is int:
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif kind is dict:
        _write_map(value, out)
    elif kind is list or kind is tuple:
        _head(4, len(value), out)
        for held in value:
            _write(held, out)
    elif value is None or kind is bool:
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif kind is bytes:
        _head(2, len(value), out)
        out += value
    elif kind is Link:
        _head(6, LINK_TAG, out)
        _head(2, 1 + len(value.cid), out)
        out += b"\x00" + value.cid
    else:
        raise TypeError(f"a {kind.__name__} has no place in what is hashed: {value!r:.80}")


def _write_map(value: dict[Any, Any], out: bytearray) -> None:
    _head(5, len(value), out)
    for key, data in _ordered(tuple(value)):
        out += data
        _write(value[key], out)


@lru_cache(maxsize=4096)
def _ordered(keys: tuple[Any, ...]) -> tuple[tuple[str, bytes], ...]:
    """(key, its encoding) in the order of DAG-CBOR: shorter ones first, then by bytes. Records share few sets of keys."""
    pairs = []
    for key in keys:
        if type(key) is not str:
            raise TypeError(f"the key {key!r:.80} is no string")
        data, head = key.encode(), bytearray()
        _head(3, len(data), head)
        pairs.append((len(data), data, key, bytes(head) + data))
    return tuple((key, encoded) for _, _, key, encoded in sorted(pairs))


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
        return
    if number >= WHOLE:
        raise TypeError(f"an integer of {number.bit_length()} bits does not fit into 64")
    size = next(n for n in (1, 2, 4, 8) if number < 1 << 8 * n)
    out.append(major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size])
    out += number.to_bytes(size, "big")


# --- reading --------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> Any:
    """Raises StoreError that says at which byte what is wrong."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise StoreError(f"{len(data) - reader.at} bytes follow the value at byte {reader.at}", "a block is one value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def wrong(self, why: str) -> StoreError:
        return StoreError(f"at byte {self.at} of the block: {why}", "a release is written in strict DAG-CBOR: fetch it again")

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise self.wrong(f"{count:,} bytes should follow, {len(self.data) - self.at:,} do")
        self.at += count
        return self.data[self.at - count : self.at]

    def head(self) -> tuple[int, int]:
        if self.at >= len(self.data):
            raise self.wrong("1 bytes should follow, 0 do")
        first = self.data[self.at]
        self.at += 1
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if major == 7 or info > 27:
            raise self.wrong(f"{first:#04x} is no value here (no floats, no open lengths)")
        size = 1 << (info - 24)
        number = int.from_bytes(self.take(size), "big")
        if number < 24 or (size > 1 and number < 1 << 4 * size):
            raise self.wrong(f"{number} is written longer than need be")
        return major, number

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise self.wrong(f"nested deeper than {DEEPEST}")
        major, number = self.head()
        if major < 2:
            return number if major == 0 else -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            return self.text(number)
        if major == 4:
            if number > len(self.data) - self.at:
                raise self.wrong(f"a list of {number:,} does not fit")
            return [self.value(depth + 1) for _ in range(number)]
        if major == 5:
            return self.map(number, depth)
        if major == 6:
            return self.link(number)
        if number not in (20, 21, 22):
            raise self.wrong(f"simple value {number} has no place here")
        return {20: False, 21: True, 22: None}[number]

    def text(self, count: int) -> str:
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise self.wrong("text that is not UTF-8") from None

    def map(self, count: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        last: tuple[int, bytes] | None = None
        for _ in range(count):
            major, length = self.head()
            if major != 3:
                raise self.wrong("a key that is no text")
            begin = self.at
            key = self.text(length)
            order = (length, self.data[begin : self.at])
            if last is not None and order <= last:
                raise self.wrong(f"the key {key!r:.60} is out of order or there twice")
            last = order
            found[key] = self.value(depth + 1)
        return found

    def link(self, tag: int) -> Link:
        major, length = self.head()
        held = self.take(length) if major == 2 and length == 37 else b""
        if tag != LINK_TAG or not held.startswith(b"\x00" + PREFIX):
            raise self.wrong("a tag that is not the CID of a DAG-CBOR block")
        return Link(held[1:])
