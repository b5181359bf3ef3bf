"""Procedures as files for other programs: functions from a release's published lines to (file name, content) pairs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from index.errors import StoreError, UnknownName, UsageError
from index.workspace import write_atomic

Files = list[tuple[str, str | bytes]]
STDOUT = "-"


def read_lines(release: Path, name: str) -> list[str]:
    """Lines of one published file, as they stand."""
    try:
        with open(release / name, encoding="utf-8", newline="\n") as lines:
            return list(lines)
    except OSError as error:
        raise StoreError(f"{release / name} cannot be read: {error.strerror}", "run `precipitate run` to make a new release") from None


def read_records(release: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_lines(release, name)]


def procedures_jsonl(lines: Iterable[str]) -> Files:
    return [("procedures.jsonl", "".join(lines))]


def procedures_json(lines: Iterable[str]) -> Files:
    records = [json.loads(line) for line in lines]
    return [("procedures.json", json.dumps(records, ensure_ascii=False, indent=1, sort_keys=True) + "\n")]


EXPORTS: dict[str, Callable[[Iterable[str]], Files]] = {"jsonl": procedures_jsonl, "json": procedures_json}


def export_procedures(release: Path, form: str) -> Files:
    if form not in EXPORTS:
        raise UnknownName("format of procedures", form, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    return EXPORTS[form](read_lines(release, "procedures.jsonl"))


def write_files(files: Files, out: str) -> list[Path]:
    """Write files to `out`: a folder, made where several files go to a new place; else the name of the one file. Each is
    written whole or not at all."""
    target = Path(out)
    several = len(files) > 1 or any("/" in name for name, _ in files)
    into_folder = target.is_dir() or out.endswith("/") or (several and not target.exists())
    if several and not into_folder:
        raise UsageError(f"{len(files)} files do not go into {out!r}, which is a file", "give a folder with -o")
    folder = target if into_folder else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [target / name if into_folder else target for name, _ in files]
        for path, (_, content) in zip(paths, files, strict=True):
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}", "choose another place with -o") from None
    return paths


def one_file(files: Files) -> bytes:
    """The content of an export that is one file, for standard output."""
    if len(files) > 1:
        raise UsageError(f"this export is {len(files)} files", "give a folder: -o FOLDER/")
    content = files[0][1]
    return content if isinstance(content, bytes) else content.encode()


def as_values(files: Files) -> list[dict[str, str]]:
    """Files inside JSON: text as it is, anything else in base64."""
    return [
        {"name": name, "text": content} if isinstance(content, str) else {"name": name, "base64": base64.b64encode(content).decode()}
        for name, content in files
    ]
