"""The current release of a workspace as its readers find it, and whether this program can read what is there.

A release and the `local/` beside it each name the form that they are in. One that a newer program wrote is refused, before
something is misread; a `local/` of an older one is made anew by the next run.
"""

from __future__ import annotations

import json
from pathlib import Path

from index.errors import StoreError
from index.workspace import Workspace

MANIFEST = "manifest.json"
RELEASE_SCHEMA = "precipitate/release/2"
LOCAL = "local"
LOCAL_SCHEMA = "precipitate/local/2"  # which files local/ has and in which form: to be raised with every change of that
SCHEMA_FILE = "SCHEMA"


def current_release(workspace: Workspace) -> Path:
    """The folder of the current release, resolved once: a newer release does not change what this reader sees."""
    try:
        folder = workspace.current.resolve(strict=True)
    except OSError:
        raise StoreError(f"nothing has been released in {workspace.root} yet", "run `precipitate run`") from None
    try:
        schema = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        return folder  # damaged: `doctor` and `verify` say so, and what is sound of it can be read
    if is_newer(schema, RELEASE_SCHEMA):
        raise StoreError(f"{folder} is of schema {schema[:60]!r}, this program reads {RELEASE_SCHEMA!r}", "install a newer precipitate")
    return folder


def current_local(workspace: Workspace) -> Path:
    """The current release's local/. Raises StoreError where it is of another form than this program's."""
    folder = current_release(workspace) / LOCAL
    schema = local_schema(folder)
    if schema != LOCAL_SCHEMA:
        newer = is_newer(schema, LOCAL_SCHEMA)
        raise StoreError(
            f"{folder} was made by {'a newer' if newer else 'an older'} precipitate: its form is {schema[:60] or 'not stated'!r}, "
            f"this program reads {LOCAL_SCHEMA!r}",
            ("install a newer precipitate, or " if newer else "") + "run `precipitate run` to make it anew",
        )
    return folder


def local_schema(folder: Path) -> str:
    """What form a local/ says that it is of; "" where it does not say."""
    try:
        return (folder / SCHEMA_FILE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def is_newer(schema: object, ours: str) -> bool:
    """Whether a schema such as "precipitate/release/3" is a later one than ours."""
    kind, _, number = str(schema).rpartition("/")
    known, _, own = ours.rpartition("/")
    numbers = number.isdecimal() and own.isdecimal()
    return kind == known and numbers and int(number[:9]) > int(own[:9])
