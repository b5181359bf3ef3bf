"""An archive of any network: `posts.jsonl` or `posts.parquet`, a post a row, beside `site.json`.

    {"id": "12", "thread": "3", "author": "ann", "created": "2024-05-01T10:00:00Z", "text": "…"}

is all that a row needs. It may say besides: `title` (of its thread), `author_id` (that lasts when the name changes),
`format` ("markdown", "html" or "text"; markdown if it says nothing), `edited`, `version`, `reply_to`, `number`, `likes`,
`permalink`, `deleted` (true: the post was taken back), `links` (addresses that it refers to). Rows of one post that differ
are its versions, oldest first. Ids keep within the archive: `archive:NAME/p/ID`, where NAME is the host of `base_url`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crawler.archive import BATCH_BYTES, MAX_LINE, SITE_FILE, Part, archive_base_url, read_site
from crawler.fields import MAX_COUNT, line, mapping, whole
from crawler.files import last_place, open_tape
from crawler.reading import Reading, thread_meant
from index.errors import SourceError
from index.records import Edge, PostFormat, Reject, Source
from index.spool import Record

MAPPING_VERSION = "table/1"
LINES, COLUMNS = "posts.jsonl", "posts.parquet"
BATCH_ROWS = 2_000
FORMATS: dict[str, PostFormat] = {"markdown": "raw", "html": "cooked", "text": "text"}
_PLAIN = re.compile(r"[\w.:@/+~=-]{1,300}$")


def find(path: Path, allow_private: bool) -> Source | None:
    """A folder with posts.jsonl or posts.parquet, or one of these files."""
    folder = path.parent if path.name in (LINES, COLUMNS) else path
    if not any((folder / name).is_file() for name in (LINES, COLUMNS)):
        return None
    site = read_site(folder)
    base_url = archive_base_url(folder, site)
    return Source(
        id=f"archive:{base_url.partition('://')[2]}",
        kind="table",
        address=str(folder),
        base_url=base_url,
        title=line(site.get("title")) or "",
        licence=line(site.get("licence")) or None,
        payable=site.get("payable") is not False,
        allow_private=allow_private,
    )


def read_table(source: Source, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """What the archive holds beyond the cursor. Raises SourceError if it cannot be read."""
    folder = Path(source.address)
    if not (folder / SITE_FILE).is_file():
        raise SourceError(f"{folder} holds no {SITE_FILE} any more", f"add {folder} again")
    yield from (_lines if (folder / LINES).is_file() else _columns)(source, folder, cursor, now)


def _lines(source: Source, folder: Path, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """JSON lines: a file that grew is read from where it ended."""
    path = folder / LINES
    place = last_place(path, cursor, MAPPING_VERSION)
    size, fresh, number = max(1, path.stat().st_size // 1024), place.byte == 0, 0
    records: list[Record] = []
    with open_tape(path, MAPPING_VERSION) as tape:
        waiting = held = 0
        while raw := tape.line(MAX_LINE + 1):
            number += 1
            if tape.byte <= place.byte:
                continue
            records += line_records(source, raw, f"{LINES}:{number}", now)
            waiting += 1
            held += len(raw)
            if waiting >= BATCH_ROWS or held >= BATCH_BYTES:
                yield Part(records, tape.cursor(), min(size, tape.byte // 1024), size, fresh)
                records, waiting, held, fresh = [], 0, 0, False
        if waiting:
            yield Part(records, tape.cursor(), size, size, fresh)


def line_records(source: Source, raw: bytes, where: str, now: str) -> list[Record]:
    if len(raw) > MAX_LINE:
        return [Reject(source.id, where, "line too long", f"more than {MAX_LINE:,} bytes")]
    try:
        text = raw.decode("utf-8-sig").strip()
        return row_records(source, json.loads(text), where, now) if text else []
    except UnicodeDecodeError as error:
        return [Reject(source.id, where, "line is not UTF-8", f"byte {error.start + 1}: {error.reason}")]
    except RecursionError:
        return [Reject(source.id, where, "line is nested too deeply")]
    except ValueError as error:
        return [Reject(source.id, where, "line is not JSON", str(error)[:200])]


def _columns(source: Source, folder: Path, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """Parquet: batch by batch; a changed file is read from its start."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / COLUMNS
    try:
        digest = _digest(path)
        if cursor.get("table_digest") == digest and cursor.get("table_state") == "read":
            return
        skip = int(cursor.get("table_row") or 0) if cursor.get("table_digest") == digest else 0
        with pq.ParquetFile(path, memory_map=True) as file:
            rows = file.metadata.num_rows
            number, fresh = 0, skip == 0
            for batch in file.iter_batches(BATCH_ROWS):
                number += batch.num_rows
                if number > skip:
                    records = [
                        record
                        for place, row in enumerate(batch.to_pylist(), number - batch.num_rows + 1)
                        for record in row_records(source, _plain(row), f"{COLUMNS}:{place}", now)
                    ]
                    yield Part(records, _cursor(digest, number, "reading"), number, rows, fresh)
                    fresh = False
            yield Part([], _cursor(digest, number, "read"), rows, rows, False)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} cannot be read: {str(error)[:200]}", "see that it is a whole Parquet file") from None


def numbered_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file with their numbers, from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            for start, batch in enumerate(file.iter_batches(BATCH_ROWS)):
                yield from enumerate(batch.to_pylist(), start * BATCH_ROWS + 1)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} cannot be read: {str(error)[:200]}", "see that it is a whole Parquet file") from None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Times of Parquet are Python's; they become ISO 8601, taken as UTC where they say nothing."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _cursor(digest: str, row: int, state: str) -> dict[str, str]:
    return {"table_digest": digest, "table_row": str(row), "table_state": state}


def _digest(path: Path) -> str:
    digest = hashlib.sha256(MAPPING_VERSION.encode())
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def row_records(source: Source, value: object, where: str, now: str) -> list[Record]:
    """Records of one row; a Reject and nothing else where it lacks what a post must have."""
    raw, reading = mapping(value), Reading(source.id, now)
    name, told = _name(raw.get("id")), _name(raw.get("thread"))
    if name is None or told is None:
        reading.reject(where, "row without id" if name is None else "row without thread")
        return reading.records
    post, thread = f"{source.id}/p/{name}", f"{source.id}/t/{told}"
    if raw.get("deleted") is True:
        reading.gone(post, "author_deleted", "taken back, says the archive")
        return reading.records
    format = FORMATS.get(str(raw.get("format") or "markdown"))
    if format is None:
        reading.reject(where, "format that is not known", f"{raw.get('format')!r:.60}; known: {', '.join(FORMATS)}")
        return reading.records
    link = _link(source, raw.get("permalink"), f"/{quote(told)}/{quote(name)}")
    answered = _name(raw.get("reply_to"))
    reply = None if answered is None else f"{source.id}/p/{answered}"
    number, created = whole(raw.get("number"), 0, MAX_COUNT), raw.get("created")
    author = _person(reading, source, raw)
    if not reading.post(post, thread, author, created, raw.get("text"), format, link, raw.get("edited"), reply, raw.get("likes"), number):
        return reading.records
    if line(raw.get("title")) or (answered is None and name == told):
        reading.thread(
            thread, raw.get("title"), created, _link(source, raw.get("thread_permalink"), f"/{quote(told)}"), raw.get("category"), ()
        )
    if raw.get("likes") is not None:
        reading.likes(post, raw.get("likes"))
    links = raw.get("links") if isinstance(raw.get("links"), list) else []
    reading.records += [Edge("link", post, meant) for each in (links or [])[:200] if (meant := thread_meant(each))]
    return reading.records


def _name(value: object) -> str | None:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and _PLAIN.match(text) else None


def _person(reading: Reading, source: Source, raw: Mapping[str, Any]) -> str | None:
    handle = line(raw.get("author"), 100)
    if not handle:
        return None
    lasting = _name(raw.get("author_id"))
    return reading.author(f"{source.id}/u/{lasting or quote(handle.lower())}", handle, line(raw.get("author_name"), 100) or "")


def _link(source: Source, value: object, path: str) -> str:
    told = line(value, 1_000) or ""
    return told if told.startswith(("https://", "http://")) else source.base_url + path
