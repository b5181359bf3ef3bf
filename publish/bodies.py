"""bodies.jsonl.gz: the words of posts beside a release, only made when asked for.

A source whose licence does not let whole posts be passed on is left out unless the operator names it. Packed the same way
the same posts give the same bytes. Unpacking stops at caps, whatever the file says: a gzip bomb ends in a StoreError.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from index.errors import StoreError, UnknownName
from index.pack import pack_rows
from index.store import Store, canonical_json
from index.tables_discussion import sources
from publish.datapackage import may_pass_on

FILE = "bodies.jsonl.gz"
MOST_BYTES = 16_000_000_000  # unpacked
MOST_RATIO = 200  # unpacked bytes for one packed; prose takes 3 to 10
MOST_LINE = 8_000_000
CHUNK = 1 << 20


def chosen_sources(store: Store, named: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """(sources whose posts may be passed on or were named, all others). Raises UnknownName."""
    known = {source.id: source.licence for source in sources(store)}
    for name in named:
        if name not in known:
            raise UnknownName("source", name, known)
    chosen = [name for name, licence in known.items() if name in named or may_pass_on(licence)]
    return chosen, [name for name in known if name not in chosen]


def write_bodies(store: Store, folder: Path, chosen: Sequence[str]) -> int:
    """Write the pack into a release folder; returns how many lines it has."""
    count = 0
    with open(folder / FILE, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as out:
        for row in pack_rows(store, chosen):
            out.write((canonical_json(row) + "\n").encode())
            count += 1
    return count


def read_bodies(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of the pack. Raises StoreError for a bomb, a damaged file, or lines that are no records."""
    for number, line in enumerate(unpacked_lines(folder / FILE), 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise StoreError(f"{FILE}, line {number} is no record", "fetch it again")
        yield value


def unpacked_lines(path: Path) -> Iterator[bytes]:
    rest = b""
    for piece in unpacked(path):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > MOST_LINE:
            raise StoreError(f"{path.name} holds a line of more than {MOST_LINE:,} bytes", "no post is so long: it is refused")
    if rest:
        raise StoreError(f"{path.name} is cut off within a line", "fetch it again")


def unpacked(path: Path) -> Iterator[bytes]:
    """The bytes of a gzip file in pieces of at most CHUNK, up to the caps."""
    packed = done = 0
    engine = zlib.decompressobj(wbits=31)
    with open(path, "rb") as data:
        try:
            while not engine.eof:
                held = engine.unconsumed_tail or data.read(CHUNK)
                if not held:
                    raise StoreError(f"{path.name} is cut off after {packed:,} bytes", "fetch it again")
                packed = data.tell()
                piece = engine.decompress(held, CHUNK)
                done += len(piece)
                if done > MOST_BYTES or done > MOST_RATIO * max(packed, CHUNK // 16):
                    raise StoreError(
                        f"{path.name} unpacks to more than {done:,} bytes from {packed:,}", "it is a bomb, or no pack: it is refused"
                    )
                yield piece
        except zlib.error as error:
            raise StoreError(f"{path.name} is damaged near byte {packed:,}: {error}", "fetch it again") from None
        if engine.unused_data or data.read(1):
            raise StoreError(f"{path.name} has bytes after its end", "fetch it again")
