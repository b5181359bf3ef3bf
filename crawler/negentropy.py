"""Negentropy, version 1 (NIP-77): which of a set of events the other side has and we lack, at the cost of what differs.

Both sides hold items sorted by (second, id). Messages walk over ranges of that order: a range with the same
fingerprint is done, another is split, a small one is listed. This is the side that begins. Pure; a message that is
none raises ValueError.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

VERSION = 0x61
SKIP, FINGERPRINT, LIST = 0, 1, 2
BUCKETS = 16
FOREVER = 2**63
Item = tuple[int, bytes]  # second, id of 32 bytes
Bound = tuple[int, bytes]  # second, and as many bytes of an id as it takes


@dataclass(slots=True)
class Reconciliation:
    """`lacking`: ids that the other side has and we do not; they grow with each answer."""

    items: Sequence[Item]  # sorted, each once
    lacking: list[bytes] = field(default_factory=list)

    def begin(self) -> bytes:
        writer = _Writer()
        self._split(writer, 0, len(self.items), (FOREVER, b""))
        return bytes(writer.out)

    def answer(self, message: bytes) -> bytes | None:
        """What to send next; None when nothing differs any more. Raises ValueError on a broken message."""
        reader, writer = _Reader(message), _Writer()
        if reader.byte() != VERSION:
            raise ValueError("another version of negentropy")
        lower, before, skipping = 0, (0, b""), False
        while reader.left:
            bound, mode = reader.bound(), reader.number()
            upper = bisect_left(self.items, bound)
            if upper < lower:
                raise ValueError("ranges out of order")
            differs = False
            if mode == FINGERPRINT:
                differs = reader.take(16) != fingerprint(self.items[lower:upper])
            elif mode == LIST:
                theirs = [reader.take(32) for _ in range(reader.number())]
                ours = {item[1] for item in self.items[lower:upper]}
                self.lacking += [found for found in theirs if found not in ours]
            elif mode != SKIP:
                raise ValueError("unknown mode")
            if differs:
                if skipping:
                    writer.bound(before)
                    writer.number(SKIP)
                self._split(writer, lower, upper, bound)
            skipping = not differs
            lower, before = upper, bound
        return bytes(writer.out) if len(writer.out) > 1 else None

    def _split(self, writer: _Writer, lower: int, upper: int, bound: Bound) -> None:
        count = upper - lower
        if count < BUCKETS * 2:
            writer.bound(bound)
            writer.number(LIST)
            writer.number(count)
            for item in self.items[lower:upper]:
                writer.out += item[1]
            return
        start = lower
        for bucket in range(BUCKETS):
            end = start + count // BUCKETS + (bucket < count % BUCKETS)
            writer.bound(bound if bucket == BUCKETS - 1 else _between(self.items[end - 1], self.items[end]))
            writer.number(FINGERPRINT)
            writer.out += fingerprint(self.items[start:end])
            start = end


def fingerprint(items: Sequence[Item]) -> bytes:
    """16 bytes of the SHA-256 of the sum of the ids, as little-endian numbers modulo 2^256, and of their count."""
    total = sum(int.from_bytes(item[1], "little") for item in items) % 2**256
    return hashlib.sha256(total.to_bytes(32, "little") + _number(len(items))).digest()[:16]


def _between(one: Item, two: Item) -> Bound:
    """The shortest bound above `one` and not above `two`."""
    if one[0] != two[0]:
        return two[0], b""
    shared = next(place for place in range(32) if one[1][place] != two[1][place])
    return two[0], two[1][: shared + 1]


def _number(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.append(value & 127 | 128)
    return bytes(reversed(out))


class _Writer:
    def __init__(self) -> None:
        self.out = bytearray([VERSION])
        self._second = 0

    def number(self, value: int) -> None:
        self.out += _number(value)

    def bound(self, bound: Bound) -> None:
        second, prefix = bound
        self.number(0 if second >= FOREVER else second - self._second + 1)
        self._second = second
        self.number(len(prefix))
        self.out += prefix


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._place, self._second = data, 0, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._place

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("message breaks off")
        self._place += count
        return self._data[self._place - count : self._place]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = 0
        for _ in range(10):
            byte = self.byte()
            value = value << 7 | byte & 127
            if byte < 128:
                return value
        raise ValueError("number too long")

    def bound(self) -> Bound:
        step = self.number()
        self._second = FOREVER if step == 0 or self._second >= FOREVER else self._second + step - 1
        length = self.number()
        if length > 32:
            raise ValueError("bound too long")
        return self._second, self.take(length)
