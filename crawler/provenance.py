"""Where a post came from: the raw answers it was read from, or the file of an archive and the place in it.

What came from an archive is looked for in the archive itself, which is its own record: nothing is stored about it
twice, and it is told where the archive holds it no more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crawler.registry import ARCHIVES
from index.aside import beside
from index.errors import SourceError, UnknownName
from index.records import Post, Source, Tombstone
from index.snapshot import open_current
from index.spool import Record
from index.store import Store, now
from index.tables_raw import origins, source_of
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Place:
    """One record of an archive that a post was read from."""

    file: str
    record: str  # "line 17", "message 4", "row 12"
    digest: str  # "sha256:…" of the record's bytes, "" where it has none of its own


def provenance(workspace: Workspace, post: str) -> dict[str, Any]:
    """Where a post came from, by the database or, while somebody writes, as of the current release."""
    with beside(workspace) as store:
        if store is not None:
            return _told(store, post) | {"as_of_release": False}
    with open_current(workspace) as snapshot:
        snapshot.need("origins")
        return _told(snapshot.store, post) | {"as_of_release": True}


def _told(store: Store, post: str) -> dict[str, Any]:
    source = source_of(store, post)
    if source is None:
        raise UnknownName("post", post, [], "give its full id, as `precipitate show` and exports write it")
    told: dict[str, Any] = {"post": post, "source": source.id, "answers": origins(store, post), "archive": None, "places": []}
    if source.kind in ARCHIVES:
        told |= {"archive": source.address, "places": [asdict(place) for place in places(source, post)]}
    return told


def places(source: Source, post: str) -> Iterator[Place]:
    """The records of an archive that a post is read from now: none where the archive is gone, or holds it no more."""
    find = _FINDERS.get(source.kind)
    try:
        yield from find(source, post) if find else ()
    except (OSError, SourceError):
        return


def _matches(records: list[Record], post: str) -> bool:
    return any(
        (isinstance(record, Post) and record.id == post) or (isinstance(record, Tombstone) and record.post == post) for record in records
    )


def _in_lines(path: Path, needle: bytes, records: Callable[[int, bytes], list[Record]], post: str) -> Iterator[Place]:
    """Lines that hold a post; only those that name it are read as JSON."""
    name = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(needle) + rb"(?![0-9A-Za-z])")
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if name.search(line) and _matches(records(number, line), post):
                yield Place(str(path), f"line {number}", _digest(line))


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _in_threads(source: Source, post: str) -> Iterator[Place]:
    from crawler.archive import POSTS_FILE, forum_of, line_records

    folder = Path(source.address)
    forum = forum_of(source, folder, now())
    name = post.rpartition("/t/")[2].partition("/")[0] if forum.synthetic else post.rpartition("/p/")[2]
    yield from _in_lines(folder / POSTS_FILE, name.encode(), lambda number, line: line_records(forum, number, line), post)


def _in_table(source: Source, post: str) -> Iterator[Place]:
    from crawler.table import COLUMNS, LINES, line_records, numbered_rows

    folder, name = Path(source.address), post.rpartition("/p/")[2]
    if (folder / LINES).is_file():
        yield from _in_lines(folder / LINES, name.encode(), lambda number, line: line_records(source, line, str(number), now()), post)
        return
    for number, row in numbered_rows(folder / COLUMNS):
        if str(row.get("id")) == name:
            yield Place(str(folder / COLUMNS), f"row {number}", "")


def _in_payloads(source: Source, post: str) -> Iterator[Place]:
    from crawler.payloads import numbered, read_one

    path = Path(source.address)
    name = re.split(r"[/:]", post)[-1]
    for number, payload in numbered(path):
        text = json.dumps(payload)
        if name in text and _matches(read_one(source, payload, now()), post):
            yield Place(str(path), f"payload {number}", "")


def _in_mails(source: Source, post: str) -> Iterator[Place]:
    from crawler.files import open_tape
    from crawler.mail import MAPPING_VERSION, Conversations, MailList, message_records, mid_link
    from crawler.mbox import messages

    path, name = Path(source.address), post.removeprefix("msgid:").encode()
    mails, conversations = MailList(source.id, now(), mid_link), Conversations()
    with open_tape(path, MAPPING_VERSION) as tape:
        for number, (raw, received, _) in enumerate(messages(tape), 1):
            if raw and name in raw and _matches(message_records(mails, conversations, raw, path.name, received), post):
                yield Place(str(path), f"message {number}", _digest(raw))


def _in_dump(source: Source, post: str) -> Iterator[Place]:
    from crawler.stackexchange_dump import COMMENTS, POSTS, rows

    kind, _, name = post.rpartition("/")
    file = Path(source.address) / (COMMENTS if kind.endswith("/c") else POSTS)
    for number, (_, row) in enumerate(rows(file), 1):
        if row.get("Id") == name:
            yield Place(str(file), f"row {number}", "")


_FINDERS: dict[str, Callable[[Source, str], Iterator[Place]]] = {
    "archive": _in_threads,
    "table": _in_table,
    "payloads": _in_payloads,
    "mbox": _in_mails,
    "stackexchange-dump": _in_dump,
}
