"""A file that is read forwards, and gone on with where the last reading ended if nothing before that place has changed.

The cursor holds the place and the digest of everything before it. A file that has only grown is read from where it
ended; one that was changed is read from its start. Compressed files are read through, with a bound on what comes out.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from index.errors import SourceError

CHUNK = 1 << 20
MAX_RATIO = 200  # bytes that come out of one compressed byte; text has about 4, a bomb 1,000
ALLOWED = 64 << 20  # bytes that may come out whatever the ratio


@dataclass(frozen=True, slots=True)
class Place:
    """Where the last reading ended; 0 where the file has to be read from its start."""

    byte: int = 0
    digest: str = ""


class Tape:
    """Lines of a file in order; cursors say where we are, or where the last line began, and what came before."""

    def __init__(self, path: Path, file: IO[bytes] | gzip.GzipFile, version: str) -> None:
        self.path, self.byte = path, 0
        self._file, self._digest, self._last = file, hashlib.sha256(version.encode()), b""
        self._most = ALLOWED + path.stat().st_size * MAX_RATIO

    def line(self, longest: int) -> bytes:
        """The next line with its end, or the first `longest` bytes of it; b"" at the end of the file."""
        self._digest.update(self._last)
        self._last = self._file.readline(longest)
        self.byte += len(self._last)
        if self.byte > self._most:
            raise SourceError(f"{self.path} unpacks to more than {MAX_RATIO} times its size", "it is a decompression bomb, or no text")
        return self._last

    def cursor(self) -> dict[str, str]:
        """Behind the last line."""
        digest = self._digest.copy()
        digest.update(self._last)
        return {"file_byte": str(self.byte), "file_digest": digest.hexdigest()}

    def cursor_before(self) -> dict[str, str]:
        """Before the last line."""
        return {"file_byte": str(self.byte - len(self._last)), "file_digest": self._digest.hexdigest()}


@contextmanager
def open_tape(path: Path, version: str) -> Iterator[Tape]:
    """The file from its start. Raises SourceError where it cannot be opened or unpacked."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            yield Tape(path, file, version)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}", "fetch it again; what was read of it is kept") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}", "see that the file is still there") from None


def last_place(path: Path, cursor: Mapping[str, str], version: str) -> Place:
    """Where to go on: the cursor's place if the file still begins as it did, else the start."""
    byte = int(cursor.get("file_byte") or 0)
    if byte == 0:
        return Place()
    with open_tape(path, version) as tape:
        while tape.byte < byte:
            if not tape.line(min(CHUNK, byte - tape.byte)):
                return Place()
        same = tape.cursor()["file_digest"] == cursor.get("file_digest")
    return Place(byte, cursor["file_digest"]) if same else Place()
