"""`local/` of a release: what the readers on this machine open (search, list, show, explain, the site, MCP). Never published.

It follows from the workspace's database and is made anew where it is missing, of another form, or no longer what the
database says: a handle, a source's error or a tag may change while nothing that is published does.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from index import facets, snapshot
from index.config import Config
from index.current import LOCAL_SCHEMA, SCHEMA_FILE, local_schema
from index.errors import StoreError
from index.search import FILES as SEARCH_FILES
from index.search import build_facets, build_search
from index.store import Store

README = """\
For the readers on this machine (search, list, show, diff, sources, explain, why). Not part of the release: not hashed, never
published. It holds the plain text of posts. It is made anew from the workspace's database.
"""


def build_local(store: Store, folder: Path, config: Config) -> None:
    """Write all of it into a new folder."""
    folder.mkdir(exist_ok=True)
    (folder / "README").write_text(README, encoding="utf-8")
    _build_snapshot(store, folder / snapshot.FILE, config)
    build_search(store, folder)
    (folder / SCHEMA_FILE).write_text(f"{LOCAL_SCHEMA}\n", encoding="utf-8")


def _build_snapshot(store: Store, path: Path, config: Config) -> None:
    snapshot.build_snapshot(store, path, {"model": config.distill.model})


def missing(folder: Path) -> list[str]:
    """What keeps readers from it; nothing where all is well."""
    found = [f"{folder / name} is missing" for name in (snapshot.FILE, *SEARCH_FILES) if not (folder / name).exists()]
    if not found and local_schema(folder) != LOCAL_SCHEMA:
        found.append(f"{folder} was made by another precipitate")
    return found


def refresh_local(store: Store, folder: Path, config: Config) -> None:
    """Make it what the database says, for a release that stays as it is. Each file that readers open changes in one step."""
    if missing(folder):
        _replace(store, folder, config)
    elif _fingerprint(folder / snapshot.FILE) != snapshot.fingerprint(store):
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent.parent) as fresh:
            _build_snapshot(store, Path(fresh) / snapshot.FILE, config)
            build_facets(store, Path(fresh))
            for name in (facets.FILE, snapshot.FILE):
                sync(Path(fresh) / name)
                (Path(fresh) / name).replace(folder / name)


def _replace(store: Store, folder: Path, config: Config) -> None:
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent.parent) as fresh:
        build_local(store, Path(fresh) / "local", config)
        if folder.exists():
            folder.rename(Path(fresh) / "before")
        (Path(fresh) / "local").rename(folder)


def _fingerprint(path: Path) -> str | None:
    try:
        with snapshot.Snapshot(path) as known:
            return known.meta().get("fingerprint")
    except StoreError:
        return None


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
