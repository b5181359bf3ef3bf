"""What a site is made of, opened from a workspace: the current release and the files of allocated rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from index import vectors
from index.current import MANIFEST, current_local
from index.errors import StoreError
from index.snapshot import FILE, Snapshot
from index.workspace import Workspace
from publish import __version__
from publish.exports import read_records
from publish.site.data import SiteData

ROUND_SCHEMA = "precipitate/round/"
UNNAMED = "(opted out)"


@contextmanager
def open_site(workspace: Workspace, title: str, agents: bool = False) -> Iterator[tuple[SiteData, tuple[Sequence[str], Any]]]:
    """The data of all pages, and the goals' unit vectors (ids, rows)."""
    local = current_local(workspace)
    release = local.parent
    manifest = json.loads((release / MANIFEST).read_text(encoding="utf-8"))
    goals = vectors.load(local, "goals")
    with Snapshot(local / FILE) as snapshot:
        nameless = snapshot.nameless()
        data = SiteData(
            title=title,
            root=manifest["root"],
            made_by=f"precipitate {__version__}",
            until=manifest.get("until") or "",
            snapshot=snapshot,
            credits=read_records(release, "credits.jsonl"),
            rounds=[_without_names(each, nameless) for each in _rounds(workspace)],
            agents=agents,
        )
        yield data, (goals.ids, goals.rows())


def _without_names(raw: dict[str, Any], nameless: set[str]) -> dict[str, Any]:
    """A round is a record of money and stays; whoever opted out since is named in it no more."""
    rows = [{**row, "handle": UNNAMED} if row["author"] in nameless else row for row in raw["allocations"]]
    return {**raw, "allocations": rows}


def _rounds(workspace: Workspace) -> list[dict[str, Any]]:
    """Every allocated round's file, by name. Raises StoreError where one is damaged."""
    found = []
    for path in sorted(workspace.rounds.glob("*.json")) if workspace.rounds.is_dir() else ():
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{path} is damaged: {error}", f"run `precipitate round allocate {path.stem}` again") from None
        if isinstance(value, dict) and str(value.get("schema", "")).startswith(ROUND_SCHEMA) and "allocations" in value:
            found.append(value)
    return found
