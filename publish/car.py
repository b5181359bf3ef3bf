"""A release as one CAR file: https://ipld.io/specs/transport/car/carv1/ with DAG-CBOR blocks, each checked as it is read.

The blocks are written children first, so that the root is last and a reader that stops early knows it. Procedures and
sources have a block of their own (a procedure's CID is what a token or another site points at); small rows share blocks
of ROWS. A list of blocks is a tree of FAN links a node. The same lines give the same file, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from index.errors import StoreError
from publish.cbor import PREFIX, Link, decode, encode, link_to

SCHEMA = "precipitate/dag/1"
ROWS = 256  # small rows in one block
FAN = 512  # links in one node
SINGLE = ("procedures.jsonl", "sources.jsonl")  # files whose records have a block of their own
# A reader goes no further, whatever a file says of itself.
MOST_BLOCK = 2_000_000  # bytes: gateways and bitswap take no larger ones
MOST_BLOCKS = 2_000_000
MOST_BYTES = 8_000_000_000
MOST_HEADER = 1_000
DEEPEST_TREE = 6


@dataclass(frozen=True, slots=True)
class Car:
    """What a written file is: its root, size, hash and number of blocks."""

    root: str
    sha256: str
    bytes: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Block:
    link: Link
    data: bytes
    number: int  # from 0 in the file
    offset: int  # of its first byte, the length before it included
    end: int
    sound: bool  # its bytes have the hash that its CID says


# --- writing --------------------------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, out: BinaryIO) -> None:
        self.out, self.size, self.blocks = out, 0, 0
        self.written: set[bytes] = set()

    def put(self, value: Any) -> Link:
        data = encode(value)
        link = link_to(data)
        if len(data) > MOST_BLOCK:
            raise StoreError(f"a record takes {len(data):,} bytes, a block at most {MOST_BLOCK:,}", "shorten publish.quote_chars")
        if link.cid not in self.written:
            self.written.add(link.cid)
            self.blocks += 1
            self.size += self.out.write(_varint(36 + len(data)) + link.cid + data)
        return link


def write_car(path: Path, files: Mapping[str, Iterable[Any]], facts: Mapping[str, Any]) -> Car:
    """Write the records of all files, with `facts` (no floats) in the root block.

    The root's CID stands in the header, before the blocks that make it: so the header is written last.
    """
    empty = Link(PREFIX + bytes(32))
    with open(path, "wb+") as out:
        writer = _Writer(out)
        out.write(header := _header(empty))
        links = {name: _put_file(writer, name, records) for name, records in files.items()}
        root = writer.put({"schema": SCHEMA, "files": links, **facts})
        out.seek(0)
        out.write(_header(root))
        out.flush()
        out.seek(0)
        digest = hashlib.file_digest(out, "sha256").hexdigest()
    return Car(str(root), digest, len(header) + writer.size, writer.blocks)


def _header(root: Link) -> bytes:
    data = encode({"roots": [root], "version": 1})
    return _varint(len(data)) + data


def _put_file(writer: _Writer, name: str, records: Iterable[Any]) -> Link:
    size = 1 if name in SINGLE else ROWS
    leaves: list[Link] = []
    held: list[Any] = []
    for record in records:
        held.append(record)
        if len(held) == size:
            leaves.append(writer.put(held[0] if size == 1 else held))
            held = []
    if held:
        leaves.append(writer.put(held))
    return _tree(writer, leaves)


def _tree(writer: _Writer, links: list[Link]) -> Link:
    """A node {depth, links}: at depth 0 the links are the file's blocks, above they are nodes."""
    depth = 0
    while True:
        nodes = [writer.put({"depth": depth, "links": links[i : i + FAN]}) for i in range(0, len(links), FAN)] or [
            writer.put({"depth": 0, "links": []})
        ]
        if len(nodes) == 1:
            return nodes[0]
        links, depth = nodes, depth + 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


# --- reading --------------------------------------------------------------------------------------------------------


def read_blocks(path: Path, found_roots: Callable[[list[Link]], None] | None = None) -> Iterator[Block]:
    """Every block in order, with whether its bytes are those of its CID. Raises StoreError, with the place, for a file
    that is cut off, larger than any release, or no CAR at all."""
    with open(path, "rb") as file:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise StoreError(f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}", "no release is so large: it is refused")
        roots = _read_header(file, path.name)
        if found_roots:
            found_roots(roots)
        number = 0
        while (offset := file.tell()) < size:
            length = _read_varint(file, path.name, offset)
            where = f"{path.name}: block {number} at byte {offset:,}"
            if not 36 < length <= MOST_BLOCK + 36:
                raise StoreError(f"{where} says that it has {length:,} bytes", f"a block has at most {MOST_BLOCK:,}: it is refused")
            if number == MOST_BLOCKS:
                raise StoreError(f"{path.name} has more than {MOST_BLOCKS:,} blocks", "no release is so large: it is refused")
            data = file.read(length)
            if len(data) < length:
                raise StoreError(f"{where} is cut off: {len(data):,} of {length:,} bytes are there", "fetch it again")
            link = Link(data[:36])
            sound = link.cid.startswith(PREFIX) and hashlib.sha256(data[36:]).digest() == link.cid[4:]
            yield Block(link, data[36:], number, offset, file.tell(), sound)
            number += 1


def _read_header(file: BinaryIO, name: str) -> list[Link]:
    length = _read_varint(file, name, 0)
    data = file.read(length) if 0 < length <= MOST_HEADER else b""
    try:
        header = decode(data)
        if header["version"] == 1 and set(header) == {"roots", "version"} and all(isinstance(root, Link) for root in header["roots"]):
            return list(header["roots"])
    except (StoreError, TypeError, KeyError):
        pass
    raise StoreError(f"{name}: its header, bytes 0 to {length:,}, is not that of a CAR version 1", "fetch it again")


def _read_varint(file: BinaryIO, name: str, offset: int) -> int:
    number = shift = 0
    for _ in range(5):
        byte = file.read(1)
        if not byte:
            raise StoreError(f"{name} is cut off within a length at byte {offset:,}", "fetch it again")
        number |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            if byte[0] == 0 and shift > 7:
                break  # padded with zeros: a second way to write the same length
            return number
    raise StoreError(f"{name}: no length at byte {offset:,}", "fetch it again")


@dataclass(frozen=True, slots=True)
class Node:
    """What a sound CAR says: the root's facts, and for each file its blocks in order."""

    root: Link
    facts: dict[str, Any]
    files: dict[str, list[Link]]


class Blocks:
    """Where the sound blocks of a CAR lie: only offsets are held, contents are read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[bytes, tuple[int, int, int]] = {}  # cid: start of the data, end, number
        self.roots: list[Link] = []
        self.unsound: list[Block] = []
        self.count = 0
        for block in read_blocks(path, self.roots.extend):
            self.count += 1
            if block.sound:
                self.places[block.link.cid] = (block.end - len(block.data), block.end, block.number)
            else:
                self.unsound.append(block)

    def get(self, link: Link) -> Any:
        """Raises StoreError where the block is not in the file, or is not strict DAG-CBOR."""
        place = self.places.get(link.cid)
        if place is None:
            raise StoreError(f"{self.path.name}: block {link} is missing or damaged", "fetch it again")
        with open(self.path, "rb") as file:
            file.seek(place[0])
            data = file.read(place[1] - place[0])
        try:
            return decode(data)
        except StoreError as error:
            raise StoreError(f"{self.path.name}: block {place[2]} ({link}): {error.message}", error.way_out) from None

    def walk(self) -> Node:
        """The root and every file's blocks. Raises StoreError where the tree is not whole or not a release's."""
        if len(self.roots) != 1:
            raise StoreError(f"{self.path.name} has {len(self.roots)} roots", "a release has one")
        root = self.get(self.roots[0])
        try:
            if root["schema"] != SCHEMA:
                raise StoreError(
                    f"{self.path.name} is of schema {root['schema']!r}, this program reads {SCHEMA!r}", "install a newer precipitate"
                )
            files = {name: self._leaves(link) for name, link in root["files"].items()}
        except (TypeError, KeyError, AttributeError):
            raise StoreError(f"{self.path.name}: its root block is not that of a release", "fetch it again") from None
        return Node(self.roots[0], {key: value for key, value in root.items() if key not in ("schema", "files")}, files)

    def _leaves(self, link: Link) -> list[Link]:
        node = self.get(link)
        links: list[Link] = node["links"]
        depth: int = node["depth"]
        if depth > DEEPEST_TREE or type(depth) is not int:
            raise StoreError(f"{self.path.name}: the tree of {link} is {depth} deep", "it is refused")
        while depth > 0:
            if len(set(links)) < len(links):
                raise StoreError(f"{self.path.name}: the tree of {link} comes to the same node twice", "it is refused")
            nodes = [self.get(inner) for inner in links]
            if any(inner["depth"] != depth - 1 for inner in nodes):
                raise StoreError(f"{self.path.name}: the tree of {link} is uneven", "fetch it again")
            links, depth = [leaf for inner in nodes for leaf in inner["links"]], depth - 1
        if len(links) > MOST_BLOCKS or not all(isinstance(leaf, Link) for leaf in links):
            raise StoreError(f"{self.path.name}: the tree of {link} is not one of blocks", "it is refused")
        return links


def rows_of(name: str, block: Any) -> Sequence[Any]:
    """The records that a leaf of a file holds."""
    return [block] if name in SINGLE else block
