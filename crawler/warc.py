"""The raw archive: answers as WARC records, one file for each source and run, each record a gzip member of its own.

A record is named by the digest of address, request and answer, and is written before the batch that was read from it.
So the store knows every record that anything was derived from; what lies in a file behind the last known record came
from a run that was killed, and goes (index/tables_raw.py, crawler/rawfiles.py).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from crawler.answers import Answer
from index.errors import SourceError
from index.records import Raw

MAX_FILE = 256_000_000  # bytes; then the next file begins
STREAM = "application/octet-stream"
# What described the bytes on the wire: bodies are kept unpacked.
ON_THE_WIRE = ("content-encoding", "transfer-encoding", "content-length", "connection", "set-cookie")


class RawArchive:
    """Writes the answers of one source. `fresh` are the records since `take` was called last."""

    def __init__(self, folder: Path, source: str, stamp: str) -> None:
        self.folder, self.source = folder, source
        self._stem = f"{stamp}-{re.sub(r'[^a-zA-Z0-9.]+', '-', source)[:80]}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
        self._number = 0
        self._file: IO[bytes] | None = None
        self._known: set[str] = set()
        self._fresh: list[Raw] = []

    def write(self, answer: Answer) -> Answer:
        """The answer with the id of its record; one that was written in this run already is not written again."""
        body_digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        name = "\n".join((self.source, answer.url, hashlib.sha256(answer.sent).hexdigest(), body_digest))
        raw = "sha256:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        if raw not in self._known:
            self._known.add(raw)
            out = self._open()
            start = out.tell()
            out.write(members(answer))
            record = Raw(raw, self.source, answer.url, answer.seen, Path(out.name).name, start, out.tell() - start, body_digest)
            self._fresh.append(record)
        return replace(answer, raw=raw)

    def take(self) -> list[Raw]:
        """Records written since the last call, now safely on disk."""
        if self._fresh and self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        fresh, self._fresh = self._fresh, []
        return fresh

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> IO[bytes]:
        if self._file is None or self._file.tell() > MAX_FILE:
            if self._file is not None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
            self.folder.mkdir(exist_ok=True)
            self._file = open(self.folder / f"{self._stem}-{self._number:03d}.warc.gz", "xb")  # noqa: SIM115
            self._number += 1
        return self._file


def members(answer: Answer) -> bytes:
    """The gzip members of an answer: its request where that says more than its address, then the answer."""
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True, warc_version="WARC/1.1")
    extra = {"WARC-Date": answer.seen, "WARC-Payload-Digest": "sha256:" + hashlib.sha256(answer.body).hexdigest()}
    if answer.status == 0:  # from a stream
        writer.write_record(
            writer.create_warc_record(answer.url, "resource", io.BytesIO(answer.body), len(answer.body), STREAM, warc_headers_dict=extra)
        )
        return out.getvalue()
    if answer.sent:
        request = StatusAndHeaders("POST / HTTP/1.1", [("Content-Length", str(len(answer.sent)))], is_http_request=True)
        writer.write_record(
            writer.create_warc_record(
                answer.url,
                "request",
                io.BytesIO(answer.sent),
                len(answer.sent),
                http_headers=request,
                warc_headers_dict={"WARC-Date": answer.seen},
            )
        )
    kept = [(_ascii(name), _ascii(value)) for name, value in answer.headers.items() if name not in ON_THE_WIRE]
    headers = StatusAndHeaders(
        f"{answer.status} {_phrase(answer.status)}", [*kept, ("content-length", str(len(answer.body)))], protocol="HTTP/1.1"
    )
    writer.write_record(
        writer.create_warc_record(
            answer.url, "response", io.BytesIO(answer.body), len(answer.body), http_headers=headers, warc_headers_dict=extra
        )
    )
    return out.getvalue()


def _ascii(text: str) -> str:
    """A header as a server may write it: what is not printable ASCII becomes a question mark."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:8_000])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def read_raw(folder: Path, raw: Raw) -> Answer:
    """One answer out of the archive. Raises SourceError where it is not there as it was written."""
    try:
        with open(folder / raw.file, "rb") as file:
            file.seek(raw.start)
            data = file.read(raw.length)
    except OSError as error:
        raise SourceError(f"{folder / raw.file} cannot be read: {error.strerror}", "bring it back, or crawl the source again") from None
    sent = b""
    for record in _records(data, folder / raw.file):
        body = record.content_stream().read()
        if record.rec_type == "request":
            sent = body
            continue
        if "sha256:" + hashlib.sha256(body).hexdigest() != raw.digest:
            break
        stream = record.rec_type == "resource"
        status = 0 if stream else int(record.http_headers.get_statuscode())
        headers = {} if stream else {name.lower(): value for name, value in record.http_headers.headers}
        return Answer(raw.url, status, headers, body, raw.id, raw.seen, sent)
    raise SourceError(f"{folder / raw.file} does not hold at {raw.start} what was written there", "bring the file back from a copy")


def _records(data: bytes, path: Path) -> Iterator[Any]:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        yield from ArchiveIterator(io.BytesIO(data))
    except (ArchiveLoadFailed, OSError, EOFError) as error:
        raise SourceError(f"{path} is damaged: {error}", "bring the file back from a copy") from None
