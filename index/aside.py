"""What can be asked of a workspace beside whoever writes in it: no lock is taken, and nobody is kept from writing.

The database is opened only to read. While somebody writes nobody else can open it; then there is what was left aside:
the table of runs as a file, and the snapshot of the current release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from index.errors import Locked, StoreError
from index.store import Store
from index.tables_procedures import runs
from index.workspace import Workspace, write_atomic

LEFT = 200  # runs that are left aside
FILE = "runs.json"


@contextmanager
def beside(workspace: Workspace) -> Iterator[Store | None]:
    """The database, only to be read; None while somebody writes, or where nothing was written yet."""
    if not workspace.database.is_file():
        yield None
        return
    try:
        store = Store(workspace.database, read_only=True)
    except StoreError:
        yield None
        return
    with store:
        yield store


def leave_runs(workspace: Workspace, store: Store) -> None:
    """For those who ask while this run, or another one, is at work."""
    write_atomic(workspace.folder / FILE, json.dumps([asdict(run) for run in runs(store, LEFT)]))


def known_runs(workspace: Workspace, limit: int) -> list[dict[str, Any]]:
    """The runs so far, newest first; those of the run that is at work as it began."""
    with beside(workspace) as store:
        if store is not None:
            return [asdict(run) for run in runs(store, limit)]
    try:
        left: list[dict[str, Any]] = json.loads((workspace.folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return left[:limit]


@contextmanager
def reading(workspace: Workspace) -> Iterator[Store]:
    """The database as it stands, only to be read; an empty one where nothing was written yet. Raises Locked while somebody writes."""
    with beside(workspace) as store:
        if store is not None:
            yield store
            return
    if workspace.database.is_file():
        raise Locked(f"{workspace.folder} is being written by {workspace.holder()}", "wait for it to end")
    with Store(":memory:") as empty:
        yield empty
