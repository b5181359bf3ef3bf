"""A mailing list as an mbox file, plain or gzipped: read message by message, gone on with where it grew.

Messages begin with a line "From …" after an empty line; ">From" within a message is "From" (mboxrd). One message is in
memory at a time, whatever the size of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from crawler.archive import BATCH_BYTES, Part
from crawler.files import Tape, last_place, open_tape
from crawler.mail import MAPPING_VERSION, Conversations, MailList, message_records, mid_link, parse, replay
from index.errors import SourceError
from index.records import Post, Reject, Source
from index.spool import Record

BATCH_POSTS = 2_000
MAX_MESSAGE = 64_000_000  # bytes, attachments included
MAX_LINE = 1 << 20
_FROM = re.compile(rb"From \S+.*\d{4}|From .*[+-]\d{4}")
_ESCAPED = re.compile(rb"^>+From ")
_LIST_ID = re.compile(r"<([\w.-]{3,200})>")


def read_mbox(source: Source, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """What an mbox file holds beyond the cursor. Raises SourceError if it cannot be read."""
    path = Path(source.address)
    place = last_place(path, cursor, MAPPING_VERSION)
    mails, conversations = MailList(source.id, now, mid_link), Conversations()
    records: list[Record] = []
    posts, held, fresh, size = 0, 0, place.byte == 0, max(1, path.stat().st_size // 1024)
    with open_tape(path, MAPPING_VERSION) as tape:
        end: dict[str, str] = {}
        for number, (raw, received, end) in enumerate(messages(tape), 1):
            if int(end["file_byte"]) <= place.byte:
                replay(conversations, raw or b"")
                continue
            found = _message(mails, conversations, raw, f"{path.name} message {number}", received)
            records += found
            posts += sum(isinstance(record, Post) for record in found)
            held += len(raw or b"")
            if posts >= BATCH_POSTS or held >= BATCH_BYTES:
                yield Part(records, end, min(tape.byte // 1024, size), size, fresh)
                records, posts, held, fresh = [], 0, 0, False
        if end and int(end["file_byte"]) > place.byte:
            yield Part(records, end, size, size, fresh)


def _message(mails: MailList, conversations: Conversations, raw: bytes | None, where: str, received: str) -> list[Record]:
    if raw is None:
        return [Reject(mails.source, where, "message too large", f"more than {MAX_MESSAGE:,} bytes")]
    return message_records(mails, conversations, raw, where, received)


def messages(tape: Tape) -> Iterator[tuple[bytes | None, str, dict[str, str]]]:
    """(message or None if too large, date of its "From" line, cursor behind it)."""
    splitter = _Splitter()
    while line := tape.line(MAX_LINE):
        if ended := splitter.take(line):
            yield *ended, tape.cursor_before()
    if ended := splitter.end():
        yield *ended, tape.cursor()


def split_messages(file: IO[bytes]) -> Iterator[tuple[bytes | None, str]]:
    """The same of an mbox that is at hand whole."""
    splitter = _Splitter()
    while line := file.readline(MAX_LINE):
        if ended := splitter.take(line):
            yield ended
    if ended := splitter.end():
        yield ended


@dataclass(slots=True)
class _Splitter:
    """Lines in, messages out: one ends where a "From" line follows an empty line."""

    lines: list[bytes] = field(default_factory=list)
    length: int = 0
    received: str = ""
    started: bool = False
    blank: bool = True

    def take(self, line: bytes) -> tuple[bytes | None, str] | None:
        """The message that this line ends, if it does."""
        ended = None
        if self.blank and _FROM.match(line):
            ended = self.end()
            self.lines, self.length, self.started, self.received = [], 0, True, _received(line)
        elif self.started:
            self.length += len(line)
            if self.length <= MAX_MESSAGE:
                self.lines.append(line[1:] if _ESCAPED.match(line) else line)
        self.blank = not line.strip()
        return ended

    def end(self) -> tuple[bytes | None, str] | None:
        if not self.started:
            return None
        return (b"".join(self.lines) if self.length <= MAX_MESSAGE else None), self.received


def _received(line: bytes) -> str:
    """ "From ann@x.org Mon May  3 10:00:00 2021" holds a date of its own, in no order that the parser of headers knows."""
    found = re.search(rb"(\w{3}) +(\w{3}) +(\d{1,2}) +(\d\d:\d\d:\d\d) +(\d{4})", line)
    return b" ".join(found.group(3, 2, 5, 4)).decode("ascii", "replace") + " +0000" if found else ""


def find(path: Path, allow_private: bool) -> Source | None:
    """A file whose name ends in .mbox or .mbox.gz, or that begins like one."""
    if not path.is_file():
        return None
    named = path.name.lower().removesuffix(".gz").endswith((".mbox", ".mbx"))
    with open(path, "rb") as file:
        if not named and file.read(5) != b"From ":
            return None
    name, title = _list_of(path)
    return Source(id=f"list:{name}", kind="mbox", address=str(path), base_url="mid:", title=title, allow_private=allow_private)


def _list_of(path: Path) -> tuple[str, str]:
    """(list id, title) from the first message. Raises SourceError where the file holds no mail."""
    with open_tape(path, MAPPING_VERSION) as tape:
        first = next(messages(tape), None)
    if first is None or first[0] is None:
        raise SourceError(f"{path} holds no mail", 'an mbox file begins with a line "From address date"')
    told = str(parse(first[0]).get("List-Id", ""))
    named = _LIST_ID.search(told)
    plain = re.sub(r"[^a-z0-9.-]+", "-", path.name.lower()).partition(".mbox")[0].strip("-.")
    return (named.group(1).lower() if named else plain or "mail"), told.partition("<")[0].strip('" ')[:200]
