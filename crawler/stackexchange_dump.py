"""A Stack Exchange data dump: a folder with Posts.xml, and where they are there Users.xml and Comments.xml.

Read row by row with expat, which refuses what does not belong into a dump: entities and document types. The cursor holds
the digest of the files and how many rows are written; a dump never grows, so a changed one is read from its start.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

from crawler.archive import BATCH_BYTES, Part
from crawler.stackexchange import LICENCE, Questions, dump_comment_records, dump_post_records, source_id
from index.errors import SourceError
from index.records import Post, Reject, Source
from index.spool import Record

MAPPING_VERSION = "stackexchange-dump/1"
POSTS, COMMENTS, USERS = "Posts.xml", "Comments.xml", "Users.xml"
BATCH_POSTS = 2_000
CHUNK = 1 << 18
MAX_ROW = 8_000_000  # bytes that expat may hold for one row
_HOST = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.I)


def find(path: Path, allow_private: bool) -> Source | None:
    """A folder named for its site ("dba.stackexchange.com"), as the dumps unpack."""
    folder = path.parent if path.name == POSTS else path
    if not (folder / POSTS).is_file():
        return None
    named = _HOST.search(folder.name)
    if not named:
        raise SourceError(f"{folder} does not say which site it is of", "name the folder for it, such as dba.stackexchange.com")
    host = named.group(1).lower()
    return Source(
        id=source_id(host),
        kind="stackexchange-dump",
        address=str(folder),
        base_url=f"https://{host}",
        title=host,
        licence=LICENCE,
        allow_private=allow_private,
    )


def read_dump(source: Source, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """What a dump holds beyond the cursor. Raises SourceError where a file is no XML; what came before is kept."""
    folder = Path(source.address)
    try:
        digest = _digest(folder)
        if cursor.get("dump_digest") == digest and cursor.get("dump_state") == "read":
            return
        skip = int(cursor.get("dump_row") or 0) if cursor.get("dump_digest") == digest else 0
        yield from _parts(source, folder, digest, skip, now)
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror or error}", "see that the folder is still there") from None


def _parts(source: Source, folder: Path, digest: str, skip: int, now: str) -> Iterator[Part]:
    host = source.id.partition(":")[2]
    names, questions = _Names(folder), Questions()
    size = max(1, sum((folder / name).stat().st_size for name in (POSTS, COMMENTS) if (folder / name).is_file()) // 1024)
    records: list[Record] = []
    posts = number = before = held = 0
    fresh = skip == 0
    for name in (POSTS, COMMENTS):
        if not (folder / name).is_file():
            continue
        for byte, row in rows(folder / name):
            number += 1
            records_of = dump_post_records if name == POSTS else dump_comment_records
            found = records_of(host, row, questions, names.of, now)
            if number <= skip:
                continue
            records += found
            posts += sum(isinstance(record, Post) for record in found)
            held += sum(map(len, row.values()))
            if posts >= BATCH_POSTS or held >= BATCH_BYTES:
                yield Part(records, _cursor(digest, number, "reading"), (before + byte) // 1024, size, fresh)
                records, posts, held, fresh = [], 0, 0, False
        before += (folder / name).stat().st_size
    if number == 0:
        records.append(Reject(source.id, POSTS, "no rows"))
    yield Part(records, _cursor(digest, number, "read"), size, size, fresh)


def _cursor(digest: str, row: int, state: str) -> dict[str, str]:
    return {"dump_digest": digest, "dump_row": str(row), "dump_state": state}


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(MAPPING_VERSION.encode())
    for name in (USERS, POSTS, COMMENTS):
        path = folder / name
        digest.update(f"\n{name} {path.stat().st_size if path.is_file() else -1}\n".encode())
        if path.is_file():
            with open(path, "rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return "sha256:" + digest.hexdigest()


class _Names:
    """Display names by user number, packed: a dump of Stack Overflow names twenty million people."""

    def __init__(self, folder: Path) -> None:
        self._numbers, self._places, self._text = array("q"), array("Q"), bytearray()
        if (folder / USERS).is_file():
            self._read(folder / USERS)

    def _read(self, path: Path) -> None:
        """Users are in order of their numbers; one that is not has no name."""
        for _, row in rows(path):
            number, name = row.get("Id", ""), row.get("DisplayName", "")
            if name and len(number) < 10 and number.lstrip("-").isdecimal() and (not self._numbers or int(number) > self._numbers[-1]):
                self._numbers.append(int(number))
                self._places.append(len(self._text))
                self._text += name[:100].encode("utf-8", "replace") + b"\0"

    def of(self, number: int) -> str:
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return ""
        start = self._places[place]
        return self._text[start : self._text.index(0, start)].decode("utf-8", "replace")


def rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(bytes read so far, attributes) of each <row …/>. Raises SourceError where the file is no XML, or holds entities."""
    found: list[dict[str, str]] = []
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            found.append(attributes)

    def refuse(*_: object) -> None:
        raise SourceError(f"{path} declares a document type or entities", "a dump holds none; fetch it from archive.org again")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    held = 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            _feed(path, parser, chunk, False)
            held = 0 if found else held + len(chunk)
            if held > MAX_ROW:
                raise SourceError(f"{path} has a row of more than {MAX_ROW:,} bytes", "it is damaged; fetch it again")
            byte = file.tell()
            yield from ((byte, row) for row in found)
            found.clear()
        _feed(path, parser, b"", True)


def _feed(path: Path, parser: Any, chunk: bytes, last: bool) -> None:
    try:
        parser.Parse(chunk, last)
    except expat.ExpatError as error:
        raise SourceError(
            f"{path} line {error.lineno} is not well-formed: {expat.ErrorString(error.code)}",
            "fetch the dump again; what came before is kept",
        ) from None
