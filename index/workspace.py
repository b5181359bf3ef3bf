"""A workspace: a folder with precipitate.toml and .precipitate/, found from inside like a git repository."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index.config import DEFAULT_TOML, Config, read_config
from index.errors import Locked, StoreError, UsageError

CONFIG_NAME = "precipitate.toml"
FOLDER = ".precipitate"


@dataclass(frozen=True, slots=True)
class Workspace:
    root: Path

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    @property
    def database(self) -> Path:
        return self.folder / "work.duckdb"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def raw(self) -> Path:
        """Answers as they came, *.warc.gz; made by the first crawl that keeps one."""
        return self.folder / "raw"

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    @property
    def current(self) -> Path:
        """Link to the release that readers open; missing before the first run."""
        return self.folder / "current"

    @property
    def rounds(self) -> Path:
        return self.folder / "rounds"

    def config(self) -> Config:
        return read_config(self.root / CONFIG_NAME)

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the workspace for one writer; a second one is told who is at work (exit 75).

        The lock is the kernel's (flock), so it goes with the process however that ends.
        """
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "lock", "a+", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                handle.seek(0)
                holder = _holder(handle.read())
                raise Locked(f"{self.folder} is being written by {holder}", "wait for it to end, or stop it") from None
            handle.seek(0)
            handle.truncate()
            handle.write(json.dumps({"pid": os.getpid(), "command": what, "since": int(time.time())}))
            handle.flush()
            yield
            handle.seek(0)
            handle.truncate()

    def holder(self) -> str:
        """Who writes in it, in words."""
        try:
            return _holder((self.folder / "lock").read_text(encoding="utf-8"))
        except OSError:
            return "another process"


def init_workspace(root: Path) -> Workspace:
    """Make a workspace in `root`; refuses one that is there already."""
    workspace = Workspace(root.resolve())
    config = workspace.root / CONFIG_NAME
    if config.exists():
        raise UsageError(f"{config} is there already", "run `precipitate doctor` in it, or choose another folder")
    workspace.folder.mkdir(parents=True, exist_ok=True)
    for folder in (workspace.spool, workspace.releases, workspace.rounds):
        folder.mkdir(exist_ok=True)
    write_atomic(config, DEFAULT_TOML)
    write_atomic(workspace.root / ".gitignore", FOLDER + "/\n")
    return workspace


def find_workspace(start: Path) -> Workspace:
    """The workspace that `start` lies in."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / CONFIG_NAME).is_file():
            workspace = Workspace(folder)
            for inner in (workspace.folder, workspace.spool, workspace.releases, workspace.rounds):
                inner.mkdir(exist_ok=True)
            return workspace
    raise StoreError(f"{start} is not in a workspace: no {CONFIG_NAME} here or above", "run `precipitate init NAME` and cd into it")


def write_atomic(path: Path, text: str | bytes) -> None:
    """Write a file so that readers see the old one or the whole new one, also after a crash."""
    data = text.encode() if isinstance(text, str) else text
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _holder(text: str) -> str:
    """Who wrote the lock file, in words."""
    try:
        told = json.loads(text)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(told["since"]))
        return f"`precipitate {told['command']}` (process {told['pid']}, since {since})"
    except (ValueError, KeyError, TypeError):
        return "another process"
