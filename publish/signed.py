"""signed.json: the opening of a release's log entry, with the hash of every file, in pieces.

{"schema", "line": the release's line of the log, "salt", "values": {set_root, procedure_root, root, files},
 "files": {path: {"sha256", "bytes", "pieces": [sha256 of each PIECE bytes]}}}

`values.files` is the hash of `files`, so that the one signature in the line covers every byte of the release. The pieces
tell where a file was changed, not only that it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import StoreError
from index.store import canonical_json

SCHEMA = "precipitate/signed/1"
FILE = "signed.json"
PIECE = 65_536
MOST_BYTES = 256_000_000  # of signed.json: a release of eight gigabytes needs 10 MB


@dataclass(frozen=True, slots=True)
class Signed:
    line: str
    salt: str
    values: dict[str, str]
    files: dict[str, dict[str, Any]]


def describe(path: Path) -> dict[str, Any]:
    """Hash, size and piece hashes of a file."""
    whole, pieces, size = hashlib.sha256(), [], 0
    with open(path, "rb") as data:
        while piece := data.read(PIECE):
            whole.update(piece)
            pieces.append(hashlib.sha256(piece).hexdigest())
            size += len(piece)
    return {"sha256": whole.hexdigest(), "bytes": size, "pieces": pieces}


def describe_all(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {name: describe(folder / name) for name in sorted(names)}


def files_digest(files: Mapping[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(files).encode()).hexdigest()


def write_signed(folder: Path, line: str, salt: str, values: Mapping[str, str], files: Mapping[str, Any]) -> None:
    value = {"schema": SCHEMA, "line": line, "salt": salt, "values": dict(values), "files": dict(files)}
    (folder / FILE).write_text(canonical_json(value) + "\n", encoding="utf-8")


def read_signed(folder: Path) -> Signed:
    """Raises StoreError where it is missing, not in canonical form, or of a newer program."""
    path = folder / FILE
    again = "fetch the release again"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StoreError(f"{FILE} has more than {MOST_BYTES:,} bytes", "no release needs that: it is refused")
        text = path.read_bytes().decode()
        value = json.loads(text)
        schema = value["schema"]
    except OSError as error:
        raise StoreError(f"{FILE} cannot be read: {error.strerror}", "it is not a whole release; fetch it again") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{FILE} is damaged: {error}", again) from None
    if schema != SCHEMA:
        raise StoreError(f"{FILE} is of schema {str(schema)[:60]!r}, this program reads {SCHEMA!r}", "install a newer precipitate")
    if canonical_json(value) + "\n" != text or not _well_formed(value):
        raise StoreError(f"{FILE} is damaged: not in the form in which it is written", again)
    return Signed(value["line"], value["salt"], value["values"], value["files"])


def _well_formed(value: dict[str, Any]) -> bool:
    """Types of everything that is used later."""
    from publish.log import COMMITTED

    try:
        return (
            set(value) == {"schema", "line", "salt", "values", "files"}
            and isinstance(value["line"], str)
            and len(bytes.fromhex(value["salt"])) == 32
            and set(value["values"]) == set(COMMITTED)
            and all(isinstance(held, str) for held in value["values"].values())
            and all(set(entry) == {"sha256", "bytes", "pieces"} and type(entry["bytes"]) is int for entry in value["files"].values())
            and all(is_plain_name(name) for name in value["files"])
        )
    except (ValueError, TypeError, AttributeError):
        return False


def is_plain_name(name: str) -> bool:
    """A file of a release, or one in a folder of it: nothing that leads anywhere else."""
    parts = name.split("/")
    return (
        len(name) < 200
        and len(parts) <= 2
        and all(
            part and not part.startswith(".") and part.replace("-", "").replace("_", "").replace(".", "").isalnum() and part.isascii()
            for part in parts
        )
    )


def changed_pieces(path: Path, told: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The byte ranges (from, to) of a file whose pieces are not those that were signed; neighbours joined. What was cut
    off is not among them: there is nothing to point at."""
    found: list[tuple[int, int]] = []
    pieces = told["pieces"]
    with open(path, "rb") as data:
        for number in range(max(len(pieces), (path.stat().st_size + PIECE - 1) // PIECE)):
            piece = data.read(PIECE)
            if not piece:
                break
            if number < len(pieces) and hashlib.sha256(piece).hexdigest() == pieces[number]:
                continue
            start, end = number * PIECE, number * PIECE + len(piece)
            found[-1:] = [(found[-1][0], end)] if found and found[-1][1] == start else [*found[-1:], (start, end)]
    return found
