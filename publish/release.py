"""A release: an immutable folder with everything published, a manifest with the hash of each file, and a signature.

    *.jsonl            the records; their hashes make the root (manifest.json)
    release.car        the same as content-addressed blocks, parquet/ the same as columns
    datapackage.json   what is there, for whoever finds it without us; LICENCES.txt per source
    signed.json        the hash of every file, opened from the signed line that stands in log.jsonl

What the root hashes depends on posts, configuration and code alone: no time of the run, no path, no float, a fixed order.
Two workspaces that hold the same posts get the same root, manifest and CAR, byte for byte; signature and log are outside.
`local/` is for the readers on this machine and is no part of the release.

A kill at any moment leaves the current release valid: a release is built in a folder of another name, renamed when it
is whole and synced, and only then does the link `current` change, in one step.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index import snapshot, tables_rewards
from index.config import Config
from index.current import LOCAL, MANIFEST
from index.current import RELEASE_SCHEMA as SCHEMA
from index.errors import StoreError
from index.plain import PLAIN_VERSION
from index.private import MASK_VERSION
from index.store import Store, canonical_json
from index.tables_evidence import evidence_records
from index.tables_outcomes import outcome_records
from index.tables_private import published_records, refresh_masks, set_quote_chars
from index.tables_procedures import current_records, outcomes
from index.workspace import Workspace
from publish.bodies import FILE as BODIES
from publish.bodies import write_bodies
from publish.car import write_car
from publish.cbor import encode, link_to
from publish.datapackage import FILE as PACKAGE
from publish.datapackage import datapackage, licences_text
from publish.keys import release_key
from publish.local import build_local, refresh_local, sync
from publish.log import FILE as LOG
from publish.log import EthereumSign, append_release
from publish.parquet import write_parquet
from publish.signed import FILE as SIGNED
from publish.signed import describe_all, files_digest, read_signed, write_signed

CAR = "release.car"
LICENCES = "LICENCES.txt"
SETTINGS = ("distill", "rewards", "publish")  # what the hashed files depend on
KEPT = 5  # releases, the current one included
LOCAL_KEPT = 2  # of these with their local/: a reader that opened the one before may still be reading


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    number: int
    root: str
    changed: bool  # False: the current release says the same, and nothing was written
    path: Path
    counts: dict[str, int]  # records per file


FILES: dict[str, Callable[[Store], Iterable[Any]]] = {
    "procedures.jsonl": published_records,
    "credits.jsonl": tables_rewards.credit_records,
    "evidence.jsonl": evidence_records,
    "posts.jsonl": snapshot.post_rows,
    "outcomes.jsonl": outcomes,
    "reports.jsonl": outcome_records,
    "sources.jsonl": snapshot.source_rows,
    "scores.jsonl": snapshot.score_rows,
}


def release(
    workspace: Workspace,
    store: Store,
    config: Config,
    code_version: str,
    ethereum: EthereumSign | None = None,
    bodies: Sequence[str] = (),
) -> ReleaseReport:
    """Publish what the store holds, if that differs from the current release. To be called under the workspace's lock.

    `ethereum` signs for EIP-191 beside the workspace's own key; `bodies` are sources whose posts go into a body pack.
    """
    workspace.releases.mkdir(exist_ok=True)
    set_quote_chars(store, config.publish.quote_chars)
    refresh_masks(store)
    current = current_number(workspace)
    _clear_unfinished(workspace, current)
    building = Path(tempfile.mkdtemp(prefix=".new-", dir=workspace.releases))
    building.chmod(0o755)
    files = _write_all_lines(store, building)
    before = workspace.releases / str(current)
    if (known := is_same(before, files)) and (not bodies or (before / BODIES).exists()):
        shutil.rmtree(building)
        refresh_local(store, before / LOCAL, config)
        return _report(current, before, known, changed=False)
    manifest = write_manifest(building, files, _facts(store, config, code_version))
    dress(building, manifest)
    if bodies:
        write_bodies(store, building, bodies)
    sign(workspace, building, manifest, ethereum)
    build_local(store, building / LOCAL, config)
    path = _make_current(workspace, building, current + 1)
    _prune(workspace, current + 1)
    return _report(current + 1, path, manifest, changed=True)


def _report(number: int, path: Path, manifest: dict[str, Any], changed: bool) -> ReleaseReport:
    counts = {name.removesuffix(".jsonl"): entry["records"] for name, entry in manifest["files"].items()}
    return ReleaseReport(number, manifest["root"], changed, path, counts)


def render_release(report: ReleaseReport) -> str:
    counts = ", ".join(f"{count:,} {what}" for what, count in report.counts.items())
    return f"release {report.number}{', new' if report.changed else ', as before'}: {report.root}\n{counts}\nin {report.path}\n"


# --- the published files --------------------------------------------------------------------------------------------


def write_files(store: Store, folder: Path, config: Config, code_version: str) -> dict[str, Any]:
    """Write the hashed files and their manifest; returns the manifest."""
    return write_manifest(folder, _write_all_lines(store, folder), _facts(store, config, code_version))


def _write_all_lines(store: Store, folder: Path) -> dict[str, Any]:
    return {name: write_lines(folder / name, rows(store)) for name, rows in FILES.items()}


def _facts(store: Store, config: Config, code_version: str) -> dict[str, Any]:
    """How the files were made."""
    records = list(current_records(store))
    return {
        "config": {section: config.digest(section) for section in SETTINGS},
        "settings": config.settings(*SETTINGS),
        "code": code_version,
        "plain": PLAIN_VERSION,
        "mask": MASK_VERSION,
        "models": sorted({model for record in records for model in record["generator"].get("models", [])}),
        "until": snapshot.newest_post(store),
    } | _refined(records)


def write_manifest(folder: Path, files: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The CAR of the files that are there, and manifest.json over all; `facts` say how they were made."""
    roots = {
        "root": sha256(canonical_json(files).encode()),
        "set_root": set_root((row["id"], row["body_hash"]) for row in read_lines(folder, "posts.jsonl")),
        "procedure_root": procedure_root(read_lines(folder, "procedures.jsonl")),
    }
    car = write_car(folder / CAR, {name: read_lines(folder, name) for name in files}, {**roots, **facts})
    manifest = {"schema": SCHEMA, "files": dict(files), **roots, "car": asdict(car), **facts}
    (folder / MANIFEST).write_text(json.dumps(manifest, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    return manifest


def dress(folder: Path, manifest: Mapping[str, Any]) -> None:
    """What stands beside the hashed files: Parquet, the data package, the licences."""
    tables = write_parquet(folder, lambda name: read_lines(folder, name))
    sources = list(read_lines(folder, "sources.jsonl"))
    package = datapackage(manifest, sources, tables)
    (folder / PACKAGE).write_text(json.dumps(package, ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    (folder / LICENCES).write_text(licences_text(sources), encoding="utf-8")


def sign(workspace: Workspace, folder: Path, manifest: Mapping[str, Any], ethereum: EthereumSign | None = None) -> None:
    """Enter the release into the workspace's log and put the signed line, its opening and the log into the folder."""
    names = [path.relative_to(folder).as_posix() for path in _files(folder) if path.is_file()]
    files = describe_all(folder, [name for name in names if name not in (SIGNED, LOG) and not name.startswith(f"{LOCAL}/")])
    values = {name: manifest[name] for name in ("set_root", "procedure_root", "root")} | {"files": files_digest(files)}
    facts = {
        "config_hash": sha256(canonical_json(manifest["config"]).encode()),
        "code_version": manifest["code"],
        "model_hash": sha256(canonical_json(manifest["models"]).encode()),
    }
    line, salt = append_release(workspace, release_key(workspace), values, facts, ethereum)
    write_signed(folder, line, salt, values, files)
    shutil.copyfile(workspace.folder / LOG, folder / LOG)


def _refined(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Which language models refined how many procedures; nothing where none did."""
    asked = [record["generator"]["refined"]["model"] for record in records if "refined" in record["generator"]]
    return {"refined": {model: asked.count(model) for model in sorted(set(asked))}} if asked else {}


def read_lines(folder: Path, name: str) -> Iterator[Any]:
    """The records of a published file."""
    with open(folder / name, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def write_lines(path: Path, rows: Iterable[Any]) -> dict[str, Any]:
    digest, size, records = hashlib.sha256(), 0, 0
    with open(path, "wb") as out:
        for row in rows:
            line = (canonical_json(row) + "\n").encode()
            digest.update(line)
            size += out.write(line)
            records += 1
    return {"sha256": digest.hexdigest(), "bytes": size, "records": records}


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def set_root(posts: Iterable[tuple[str, str | None]]) -> str:
    """Do two workspaces hold the same posts? sha256 over "id hash" lines in order of id; erased posts are not in it."""
    digest = hashlib.sha256()
    for identifier, body_hash in posts:
        if body_hash is not None:
            digest.update(f"{identifier} {body_hash}\n".encode())
    return "sha256:" + digest.hexdigest()


def procedure_root(records: Iterable[Mapping[str, Any]]) -> str:
    """Do two releases say the same? sha256 over "id version_id CID" lines of all procedures in order of id."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record['id']} {record['version_id']} {link_to(encode(record))}\n".encode())
    return "sha256:" + digest.hexdigest()


# --- checking -------------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a release; None where it is missing or damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return manifest if manifest["schema"] == SCHEMA and isinstance(manifest["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tampered(folder: Path) -> list[str]:
    """What of a release is not as its manifest says; empty where all is well."""
    manifest = read_manifest(folder)
    if manifest is None:
        return [f"{folder / MANIFEST} is missing or damaged, or a newer precipitate made it"]
    found = [] if sha256(canonical_json(manifest["files"]).encode()) == manifest.get("root") else [f"{folder / MANIFEST}: wrong root"]
    for name in sorted(set(FILES) | set(manifest["files"])):
        want = manifest["files"].get(name, {}).get("sha256", "nothing")
        have = _file_hash(folder / name) if name in FILES else "not a file of a release"
        if have != want:
            found.append(f"{folder / name} has hash {have[:12]}…, the manifest says {want[:12]}…")
    return found + [f"{folder / name} is not as it was signed" for name in unsigned(folder)]


def unsigned(folder: Path) -> list[str]:
    """Files that are not as signed.json says, signed.json itself where it cannot be read."""
    try:
        told = read_signed(folder).files
    except StoreError:
        return [SIGNED]
    return [name for name, entry in told.items() if name not in FILES and _file_hash(folder / name) != entry["sha256"]]


def _file_hash(path: Path) -> str:
    try:
        with open(path, "rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError:
        return "missing"


def is_same(folder: Path, files: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of a release that says what these files say; a damaged one does not, whatever its manifest says."""
    known = read_manifest(folder)
    same = known is not None and known.get("root") == sha256(canonical_json(files).encode())
    return known if same and not tampered(folder) else None


# --- folders and the link -------------------------------------------------------------------------------------------


def current_number(workspace: Workspace) -> int:
    """Number of the current release, 0 before the first."""
    try:
        name = workspace.current.readlink().name
    except OSError:
        return 0
    return int(name) if name.isdecimal() else 0


def numbers(workspace: Workspace) -> list[int]:
    return sorted(int(path.name) for path in workspace.releases.iterdir() if path.name.isdecimal())


def _clear_unfinished(workspace: Workspace, current: int) -> None:
    """Remove what a crash left behind: folders half built, and whole ones that never became current."""
    for path in workspace.releases.glob(".new-*"):
        shutil.rmtree(path)
    for number in numbers(workspace):
        if number > current:
            shutil.rmtree(workspace.releases / str(number))


def _make_current(workspace: Workspace, building: Path, number: int) -> Path:
    path = workspace.releases / str(number)
    for file in _files(building):
        sync(file)
    building.rename(path)
    sync(workspace.releases)
    link = workspace.folder / ".current-new"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(workspace.releases.name) / str(number))
    link.replace(workspace.current)
    sync(workspace.folder)
    return path


def _files(folder: Path) -> Iterator[Path]:
    """Everything in a folder and the folder, inner ones first."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path)
        else:
            yield path
    yield folder


def _prune(workspace: Workspace, current: int) -> None:
    """Older releases go, and text goes from those that stay: what was deleted at its source must not live on in them."""
    older = [number for number in numbers(workspace) if number < current]
    for number in older[: -(KEPT - 1)]:
        shutil.rmtree(workspace.releases / str(number))
    for number in older[: -(LOCAL_KEPT - 1)]:
        shutil.rmtree(workspace.releases / str(number) / LOCAL, ignore_errors=True)
