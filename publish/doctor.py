"""Is all well here? Each check says what it looked at, what is wrong and what to do; none changes anything."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from index import embed
from index.current import LOCAL
from index.errors import Locked, PrecipitateError
from index.snapshot import missing_migrations
from index.spool import waiting
from index.workspace import Workspace, find_workspace
from publish.local import missing
from publish.release import current_number, tampered
from publish.text import clean

OLDEST_PYTHON = (3, 11)
PACKAGES = (
    *(
        "coincurve",
        "cryptography",
        "duckdb",
        "eth_hash",
        "faiss",
        "hdbscan",
        "lemminflect",
        "markdown_it",
        "mnemonic",
        "networkx",
        "numpy",
        "nupunkt",
        "pyarrow",
        "rapidfuzz",
    ),
    *("rich", "scrapy", "sentence_transformers", "tantivy", "torch", "typer"),
)
LEAST_DISK = 1_000_000_000  # bytes: a release, its snapshot and the database's log of a large run


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    ok: bool
    detail: str
    way_out: str = ""


def doctor(start: Path) -> list[Finding]:
    """All checks of this installation and of the workspace that `start` lies in."""
    found = [check() for check in (check_python, check_packages, check_model)]
    try:
        workspace = find_workspace(start)
    except PrecipitateError as error:
        return [*found, Finding("workspace", False, error.message, error.way_out)]
    return [*found, *(_safely(name, check, workspace) for name, check in CHECKS.items())]


def _safely(name: str, check: Callable[[Workspace], Finding], workspace: Workspace) -> Finding:
    try:
        return check(workspace)
    except PrecipitateError as error:
        return Finding(name, False, error.message, error.way_out)


# --- the installation -----------------------------------------------------------------------------------------------


def check_python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] >= OLDEST_PYTHON
    return Finding("python", good, f"Python {version}", "" if good else f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")


def check_packages() -> Finding:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        return Finding("packages", False, f"not installed: {', '.join(missing)}", "install precipitate again, in an environment of its own")
    return Finding("packages", True, f"all {len(PACKAGES)} are there")


def check_model() -> Finding:
    try:
        weights = embed.packaged_folder() / "model.safetensors"
        with open(weights, "rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
    except PrecipitateError as error:
        return Finding("model", False, error.message, error.way_out)
    except OSError as error:
        return Finding("model", False, f"the weights of {embed.PACKAGED} cannot be read: {error.strerror}", f"reinstall {embed.PACKAGED}")
    if digest != embed.PACKAGED_SHA256:
        detail = f"{weights} has hash {digest[:12]}…, expected {embed.PACKAGED_SHA256[:12]}…"
        return Finding("model", False, detail, f"reinstall {embed.PACKAGED}")
    return Finding("model", True, f"{embed.PACKAGED}, hash as expected")


# --- the workspace --------------------------------------------------------------------------------------------------


def check_config(workspace: Workspace) -> Finding:
    workspace.config()
    return Finding("configuration", True, str(workspace.root / "precipitate.toml"))


def check_database(workspace: Workspace) -> Finding:
    """Opened read-only, under the lock: a database at work cannot be looked into, which is no fault."""
    if not workspace.database.exists():
        return Finding("database", True, "none yet: the first `precipitate add` makes it")
    try:
        with workspace.lock("doctor"):
            missing = missing_migrations(workspace.database)
    except Locked as error:
        return Finding("database", True, f"not looked into: {error.message}")
    if missing:
        return Finding("database", True, f"opens; `precipitate run` will bring in {', '.join(missing)}")
    return Finding("database", True, "opens, with all migrations")


def check_spool(workspace: Workspace) -> Finding:
    batches, unfinished = len(waiting(workspace.spool)), len(list(workspace.spool.glob(".*.part")))
    if batches or unfinished:
        detail = f"{batches} batches wait to be loaded, {unfinished} are unfinished: a run was interrupted or is at work"
        return Finding("spool", False, detail, "run `precipitate run`: it goes on from there")
    return Finding("spool", True, "empty")


def check_release(workspace: Workspace) -> Finding:
    number = current_number(workspace)
    if not number:
        return Finding("release", True, "none yet: `precipitate run` makes it")
    folder = workspace.releases / str(number)
    wrong = tampered(folder) + missing(folder / LOCAL)
    if wrong:
        return Finding("release", False, f"release {number}: {'; '.join(wrong)}", "run `precipitate run`: it makes a sound one")
    return Finding("release", True, f"release {number}: every file has the hash that its manifest says")


def check_lock(workspace: Workspace) -> Finding:
    try:
        with workspace.lock("doctor"):
            return Finding("lock", True, "free")
    except Locked as error:
        return Finding("lock", True, error.message)


def check_disk(workspace: Workspace) -> Finding:
    free = shutil.disk_usage(workspace.root).free
    good = free >= LEAST_DISK
    return Finding("disk", good, f"{free / 1e9:,.1f} GB free", "" if good else f"make room: a run may need {LEAST_DISK / 1e9:.0f} GB")


CHECKS: dict[str, Callable[[Workspace], Finding]] = {
    "configuration": check_config,
    "database": check_database,
    "spool": check_spool,
    "release": check_release,
    "lock": check_lock,
    "disk": check_disk,
}


def render_findings(findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{'ok     ' if finding.ok else 'FINDING'}  {finding.check}: {clean(finding.detail)}")
        if finding.way_out:
            lines.append(f"         → {clean(finding.way_out)}")
    return "\n".join(lines) + "\n"
