"""An archive: `topics.jsonl`, a thread a line as Discourse's `/t/{id}.json` gives it, beside `site.json`.

Read line by line, one thread in memory at a time. No line can stop the reading: a bad one becomes a Reject with its
number. The cursor holds the digest of what is read and the place after the last committed batch, so that an unchanged
archive is not read again and an interrupted reading goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from crawler.discourse import MAPPING_VERSION, Forum, read_categories, source_id, thread_records
from crawler.fields import line
from index.errors import SourceError
from index.records import Post, Reject, Source
from index.spool import Record

POSTS_FILE, SITE_FILE = "topics.jsonl", "site.json"
MAX_SITE_BYTES = 32_000_000
BATCH_POSTS = 2_000
BATCH_LINES = 5_000  # so that a file of bad lines comes in batches, too
BATCH_BYTES = 2_000_000  # so that a file of long posts takes no more memory than one of short ones
MAX_LINE = 64_000_000  # bytes; the longest real thread seen has about a hundredth of it


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an archive was when its reading began."""

    digest: str
    lines: int
    stat: tuple[int, int]  # size in bytes, time of the last change in nanoseconds


@dataclass(frozen=True, slots=True)
class Part:
    """Records of some lines, and the cursor that stands behind them."""

    records: list[Record]
    cursor: dict[str, str]
    line: int  # lines read so far
    lines: int  # lines in all
    fresh: bool  # the reading has just begun with the first line


def find(path: Path, allow_private: bool) -> Source | None:
    """The archive that a folder holds, or that a topics.jsonl belongs to; None for every other file."""
    if path.is_file():
        if path.name != POSTS_FILE:
            return None
        path = path.parent
    if not (path / POSTS_FILE).is_file():
        raise SourceError(f"{path} holds no {POSTS_FILE}", "an archive is a folder with topics.jsonl, a thread a line, and site.json")
    site = read_site(path)
    base_url = archive_base_url(path, site)
    return Source(
        id=source_id(base_url),
        kind="archive",
        address=str(path),
        base_url=base_url,
        title=line(site.get("title")) or "",
        licence=line(site.get("licence")) or None,
        allow_private=allow_private,
    )


def read_site(folder: Path) -> dict[str, Any]:
    """`site.json` of an archive: `base_url`, and where they are known `title`, `licence`, `ids`, `categories`."""
    path = folder / SITE_FILE
    way_out = 'write one that says where the forum lives: {"base_url": "https://forum.example.org"}'
    try:
        if path.stat().st_size > MAX_SITE_BYTES:
            raise SourceError(f"{path} has more than {MAX_SITE_BYTES:,} bytes", way_out)
        site = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SourceError(f"{folder} holds no {SITE_FILE}", way_out) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "mend its permissions") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not valid JSON: {error}", way_out) from None
    if not isinstance(site, dict):
        raise SourceError(f"{path} is not a JSON object", way_out)
    return site


def archive_base_url(folder: Path, site: dict[str, Any]) -> str:
    base_url = (line(site.get("base_url")) or "").rstrip("/")
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in base_url):
        raise SourceError(
            f"{folder / SITE_FILE}: base_url is {site.get('base_url')!r}", 'write where the forum lives: "https://forum.example.org"'
        )
    return parts._replace(netloc=parts.netloc.lower(), query="", fragment="").geturl()


def read_archive(source: Source, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """What an archive holds beyond the cursor; nothing if it was read to its end and has not changed since.

    Raises SourceError if it cannot be read, or changes meanwhile (then the next reading starts again).
    """
    folder = Path(source.address)
    forum = forum_of(source, folder, now)
    try:
        found = fingerprint(folder)
        yield from _read_from(folder, forum, found, *_start(cursor, found))
    except OSError as error:
        raise SourceError(f"{folder / POSTS_FILE} cannot be read: {error.strerror}", "see that the folder is still there") from None


def forum_of(source: Source, folder: Path, now: str) -> Forum:
    """The forum that an archive is of. Raises SourceError where it is another one by now."""
    site = read_site(folder)
    base_url = archive_base_url(folder, site)
    if source_id(base_url) != source.id:
        raise SourceError(f"{folder / SITE_FILE} now says {base_url}, it was {source.base_url}", f"add {folder} again")
    return Forum(source.id, base_url, now, site.get("ids") == "synthetic", read_categories(site))


def fingerprint(folder: Path) -> Fingerprint:
    """Digest of both files and of the mapping's version: what the records depend on."""
    digest = hashlib.sha256(f"{MAPPING_VERSION}\n".encode() + (folder / SITE_FILE).read_bytes() + b"\n")
    lines, last = 0, b"\n"
    with open(folder / POSTS_FILE, "rb") as file:
        stat = _stat(file)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return Fingerprint("sha256:" + digest.hexdigest(), lines + (last != b"\n"), stat)


def _stat(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_size, stat.st_mtime_ns


def _start(cursor: Mapping[str, str], found: Fingerprint) -> tuple[int, int] | tuple[None, None]:
    """(lines, bytes) to skip; (None, None) if there is nothing to read."""
    if cursor.get("archive_digest") != found.digest:
        return 0, 0
    if cursor.get("archive_state") == "read":
        return None, None
    return int(cursor.get("archive_line", 0)), int(cursor.get("archive_byte", 0))


def _read_from(folder: Path, forum: Forum, found: Fingerprint, line: int | None, byte: int | None) -> Iterator[Part]:
    if line is None or byte is None:
        return
    with open(folder / POSTS_FILE, "rb") as file:
        file.seek(byte)
        records: list[Record] = []
        posts = begun = size = 0
        fresh = line == 0
        for number, raw in enumerate(_lines(file), line + 1):
            found_here = line_records(forum, number, raw)
            records += found_here
            posts += sum(isinstance(record, Post) for record in found_here)
            begun += 1
            size += len(raw or b"")
            if posts >= BATCH_POSTS or begun >= BATCH_LINES or size >= BATCH_BYTES:
                yield Part(records, _cursor(found, number, file.tell(), "reading"), number, found.lines, fresh)
                records, posts, begun, size, fresh = [], 0, 0, 0, False
        if _stat(file) != found.stat or file.tell() != found.stat[0]:
            raise SourceError(f"{folder / POSTS_FILE} was changed while it was read", "run again: it is read from its start then")
        yield Part(records, _cursor(found, found.lines, file.tell(), "read"), found.lines, found.lines, fresh)


def _cursor(found: Fingerprint, line: int, byte: int, state: str) -> dict[str, str]:
    size, changed = found.stat
    return {
        "archive_digest": found.digest,
        "archive_file": f"{size} bytes, changed {changed}",
        "archive_line": str(line),
        "archive_byte": str(byte),
        "archive_state": state,
    }


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines as bytes; None for one that is too long, which is never held whole."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def line_records(forum: Forum, number: int, line: bytes | None) -> list[Record]:
    where = f"{POSTS_FILE}:{number}"
    if line is None:
        return [Reject(forum.source, where, "line too long", f"more than {MAX_LINE:,} bytes")]
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        return thread_records(forum, json.loads(text), where) if text else []
    except UnicodeDecodeError as error:
        return [Reject(forum.source, where, "line is not UTF-8", f"byte {error.start + 1}: {error.reason}")]
    except RecursionError:
        return [Reject(forum.source, where, "line is nested too deeply")]
    except ValueError as error:
        return [Reject(forum.source, where, "line is not JSON", str(error)[:200])]
