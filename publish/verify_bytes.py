"""Level 1: every byte of a release is one that was signed, its forms say the same, and its roots follow from its lines.

A changed byte is named by file and place: by line where JSON lines and CAR blocks can be compared, by block in the CAR, by
the piece of 64 KiB anywhere else. Nothing here believes a length, a name or a count before it is held against a cap.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from index.current import LOCAL, MANIFEST
from index.errors import StoreError
from index.store import canonical_json
from publish import parquet
from publish.car import Blocks, rows_of
from publish.cbor import WHOLE
from publish.datapackage import FILE as PACKAGE
from publish.datapackage import datapackage, licences_text
from publish.findings import Level
from publish.log import FILE as LOG
from publish.release import CAR, FILES, LICENCES, procedure_root, set_root, sha256
from publish.signed import FILE as SIGNED
from publish.signed import Signed, changed_pieces, files_digest

MOST_LINE = 8_000_000  # bytes of one record
MOST_FILES = 64
EXTRA = ("bodies.jsonl.gz",)  # what a release may hold beside what every release holds


def check_bytes(folder: Path, manifest: dict[str, Any], signed: Signed, level: Level) -> None:
    """All of level 1; `manifest` and `signed` were read before."""
    changed = _check_files(folder, signed, level)
    blocks = _check_car(folder, manifest, level, changed)
    for name in FILES:
        _check_lines(folder, name, blocks, level, located=name in changed)
    if not level.findings:
        _check_roots(folder, manifest, signed, level)
        _check_forms(folder, manifest, level)


# --- files against signed.json --------------------------------------------------------------------------------------


def _check_files(folder: Path, signed: Signed, level: Level) -> set[str]:
    """Names of files that are not as they were signed; each is told with the bytes where it differs."""
    changed: set[str] = set()
    for name, told in signed.files.items():
        level.count("files")
        path = folder / name
        if not path.is_file() or path.is_symlink():
            level.add(name, "", "it is missing")
            changed.add(name)
            continue
        size = path.stat().st_size
        if size != told["bytes"]:
            level.add(
                name,
                "",
                f"it has {size:,} bytes, {told['bytes']:,} were signed: {'cut off' if size < told['bytes'] else 'something was added'}",
            )
            changed.add(name)
        elif _hash(path) != told["sha256"]:
            changed.add(name)
        if name in changed:
            for start, end in changed_pieces(path, told):
                level.add(name, f"bytes {start:,} to {end - 1:,}", "not the bytes that were signed")
    for name in _present(folder):
        if name not in signed.files and name not in (SIGNED, LOG):
            level.add(name, "", "it is no part of what was signed")
    for name in (*FILES, MANIFEST, CAR, PACKAGE, LICENCES, *map(parquet.file_name, parquet.TABLES)):
        if name not in signed.files:
            level.add(name, "", "every release holds it, this one was signed without")
    return changed


def _hash(path: Path) -> str:
    with open(path, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _present(folder: Path) -> list[str]:
    names = []
    for path in sorted(folder.iterdir()):
        if path.name == LOCAL and path.is_dir():
            continue  # for the readers on its own machine
        names += [f"{path.name}/{inner.name}" for inner in sorted(path.iterdir())] if path.is_dir() else [path.name]
    return names


# --- the CAR --------------------------------------------------------------------------------------------------------


def _check_car(folder: Path, manifest: dict[str, Any], level: Level, changed: set[str]) -> dict[str, list[Any]]:
    """For each file the CIDs of its leaves; empty where the CAR cannot be walked. Findings name the block."""
    try:
        blocks = Blocks(folder / CAR)
    except StoreError as error:
        level.add(CAR, "", error.message)
        return {}
    except OSError:
        return {}  # missing: told already
    level.count("blocks", blocks.count)
    for block in blocks.unsound:
        level.add(
            CAR,
            f"block {block.number}, bytes {block.offset:,} to {block.end - 1:,}",
            f"its bytes do not have the hash of its CID {block.link}",
        )
    try:
        node = blocks.walk()
    except (StoreError, TypeError, KeyError, AttributeError) as error:
        level.add(CAR, "", error.message if isinstance(error, StoreError) else "its tree is not that of a release")
        return {}
    if CAR not in changed:
        _compare_root(node.root, node.facts, node.files, manifest, blocks.count, level)
    return {name: [blocks, links] for name, links in node.files.items()}


def _compare_root(root: Any, facts: dict[str, Any], files: dict[str, Any], manifest: dict[str, Any], count: int, level: Level) -> None:
    told = manifest.get("car", {})
    if (told.get("root"), told.get("blocks")) != (str(root), count):
        level.add(
            MANIFEST, "", f"it says that the CAR has root {told.get('root')} and {told.get('blocks')} blocks; it has {root} and {count}"
        )
    same = {key: value for key, value in manifest.items() if key not in ("schema", "files", "car")}
    if facts != same:
        odd = sorted(key for key in facts.keys() | same.keys() if facts.get(key) != same.get(key))
        level.add(CAR, "root block", f"it does not say the same as {MANIFEST}: {', '.join(odd)}")
    if set(files) != set(FILES):
        level.add(CAR, "root block", f"it names the files {', '.join(sorted(files))}")


# --- JSON lines beside CAR blocks -----------------------------------------------------------------------------------


def _check_lines(folder: Path, name: str, blocks: dict[str, list[Any]], level: Level, located: bool) -> None:
    """Every line is one canonical record, and the one that the CAR holds at its place."""
    if not (folder / name).is_file():
        return
    wanted = _car_rows(name, blocks) if name in blocks else None
    number = 0
    for number, (offset, line) in enumerate(_raw_lines(folder / name), 1):
        where = f"line {number}, bytes {offset:,} to {offset + len(line) - 1:,}"
        record = _record(line)
        if record is None:
            level.add(name, where, "not a record in canonical form")
            if wanted is not None:
                _next(wanted)
            continue
        level.count("records")
        if wanted is not None:
            want = _next(wanted)
            if want is _END:
                level.add(name, where, f"the {CAR} holds no such record")
                wanted = None
            elif want is not _UNKNOWN and not _is_line(want, line):
                level.add(name, where, f"it is not the record that the {CAR} holds at its place")
    if wanted is not None and not located and _next(wanted) is not _END:
        level.add(name, f"after line {number}", f"the {CAR} holds further records")


_END, _UNKNOWN = object(), object()


def _next(rows: Iterator[Any]) -> Any:
    return next(rows, _END)


def _car_rows(name: str, blocks: dict[str, list[Any]]) -> Iterator[Any]:
    """Records of a file from its blocks; of a damaged block of one record _UNKNOWN, of a larger one nothing more."""
    held, links = blocks[name]
    for link in links:
        try:
            rows = rows_of(name, held.get(link))
        except StoreError:
            if name not in ("procedures.jsonl", "sources.jsonl"):
                while True:
                    yield _UNKNOWN
            rows = [_UNKNOWN]
        yield from rows


def _is_line(value: Any, line: bytes) -> bool:
    """Whether a value from a block is what the line says; a block may hold what no line can, such as bytes and links."""
    try:
        return canonical_json(value).encode() == line
    except (TypeError, ValueError, UnicodeEncodeError):
        return False


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, line) without the newline; a line longer than any record comes in parts, which are no records."""
    offset = 0
    with open(path, "rb") as lines:
        while line := lines.readline(MOST_LINE):
            yield offset, line.removesuffix(b"\n") if line.endswith(b"\n") else line + b"\0"
            offset += len(line)


def _record(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None where it is not JSON of an object without floats, in the one form that is hashed."""
    try:
        value = _DECODER.decode(line.decode())
        if isinstance(value, dict) and canonical_json(value).encode() == line:
            return value
    except (ValueError, RecursionError, TypeError):
        pass
    return None


def _whole(text: str) -> int:
    """Integers that a block can hold: 64 bits and a sign."""
    value = int(text) if len(text) <= 21 else WHOLE
    if not -WHOLE <= value < WHOLE:
        raise ValueError(f"{text[:30]} is too large for a block")
    return value


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is hashed nowhere")


_DECODER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_whole)


def records(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Records of a file that are sound in form, for the levels after this one."""
    if (folder / name).is_file():
        for _, line in _raw_lines(folder / name):
            if (record := _record(line)) is not None:
                yield record


# --- roots, Parquet, the data package -------------------------------------------------------------------------------


def _check_roots(folder: Path, manifest: dict[str, Any], signed: Signed, level: Level) -> None:
    """The manifest says of the files what they are, and its roots follow from them."""
    files = {}
    for name in FILES:
        told = signed.files.get(name, {})
        with open(folder / name, "rb") as lines:
            files[name] = {"sha256": told.get("sha256"), "bytes": told.get("bytes"), "records": sum(1 for _ in lines)}
    if manifest.get("files") != files:
        level.add(MANIFEST, "files", "hashes, sizes or counts are not those of the files")
    rows = list(records(folder, "posts.jsonl"))
    ids = [str(row.get("id")) for row in rows]
    if any(one >= other for one, other in pairwise(ids)):
        level.add("posts.jsonl", "", "posts are not in order of id, each once")
    procedures = list(records(folder, "procedures.jsonl"))
    roots = {
        "root": sha256(canonical_json(files).encode()),
        "set_root": set_root((str(row.get("id")), row.get("body_hash")) for row in rows),
        "procedure_root": procedure_root({"id": None, "version_id": None, **record} for record in procedures),
    }
    for name, root in roots.items():
        level.count("roots")
        if manifest.get(name) != root:
            level.add(MANIFEST, name, f"it is {str(manifest.get(name))[:19]}…, the files make {root[:19]}…")
    if signed.values["files"] != files_digest(signed.files):
        level.add(SIGNED, "values.files", "not the hash of the files that it lists")


def _check_forms(folder: Path, manifest: dict[str, Any], level: Level) -> None:
    """Parquet, data package and licences are what follows from the lines."""
    for table in parquet.TABLES:
        level.count("tables")
        try:
            wrong = parquet.differing(folder, table, lambda name: records(folder, name))
        except (KeyError, TypeError, AttributeError):
            wrong = "the records are not of the form that it is made of"
        if wrong:
            level.add(parquet.file_name(table), "", wrong)
    sources = list(records(folder, "sources.jsonl"))
    package = datapackage(manifest, sources, [parquet.file_name(table) for table in parquet.TABLES])
    for name, want in (
        (PACKAGE, json.dumps(package, ensure_ascii=False, sort_keys=True, indent=1) + "\n"),
        (LICENCES, licences_text(sources)),
    ):
        if (folder / name).read_bytes() != want.encode():
            level.add(name, "", "it does not follow from the manifest and the sources")
