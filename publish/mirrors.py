"""Mirrors of releases in folders and on web servers: static files that anybody can serve, and fetching them back.

    MIRROR/latest.json               which release is the newest: {schema, path, root, key, log_head}
    MIRROR/releases/<16 hex>/…       the release, named by its root

Only the newest release stays in a mirror: what was taken back at its source does not live on in older ones. `latest.json`
changes last, in one step, so that who fetches meanwhile gets the old release or the new one whole. Nothing that is
fetched is believed: file by file it has to have the bytes that signed.json says, and then comes `verify`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from index.current import MANIFEST
from index.errors import SourceError, StoreError, UsageError
from index.hosts import Place, asked, check_place, pieces
from index.store import canonical_json
from index.workspace import Workspace, write_atomic
from publish.log import FILE as LOG
from publish.log import MOST_BYTES as MOST_LOG
from publish.log import read_log
from publish.signed import FILE as SIGNED
from publish.signed import MOST_BYTES as MOST_SIGNED
from publish.signed import read_signed

SCHEMA = "precipitate/mirror/1"
LATEST = "latest.json"
MOST_LATEST = 10_000
MOST_RELEASE = 16_000_000_000
MOST_FILES = 64
KNOWN_LOGS = "known_logs.json"
_PATH = re.compile(r"releases/[0-9a-f]{16}")


def latest_of(folder: Path) -> dict[str, str]:
    """What latest.json says of a release folder."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    log = read_log(folder / LOG)
    root = str(manifest["root"])
    return {
        "schema": SCHEMA,
        "path": f"releases/{root.removeprefix('sha256:')[:16]}",
        "root": root,
        "key": log.keys[-1],
        "log_head": log.head,
    }


def files_of(folder: Path) -> list[str]:
    """Names of all files of a release that leave; `local/` is not signed and stays."""
    return [*sorted(read_signed(folder).files), LOG, SIGNED]


def read_latest(data: bytes, where: str) -> str:
    """The path that latest.json names. Raises SourceError for anything else."""
    try:
        value = json.loads(data)
        if value["schema"] == SCHEMA and _PATH.fullmatch(value["path"]):
            return str(value["path"])
        schema = str(value["schema"])[:60]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SourceError(f"{where} is not a mirror's {LATEST}", "give the address of a mirror, or of a release's folder") from None
    raise SourceError(f"{where} is of schema {schema!r} or names no release", f"this program reads {SCHEMA!r}")


# --- folders --------------------------------------------------------------------------------------------------------


def publish_folder(folder: Path, mirror: Path) -> dict[str, Any]:
    """Put a release into a mirror and take out all others."""
    told = latest_of(folder)
    target = mirror / told["path"]
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".new-{target.name}")
    shutil.rmtree(building, ignore_errors=True)
    names = files_of(folder)
    for name in names:
        (building / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, building / name)
    if target.exists():
        shutil.rmtree(target)
    building.rename(target)
    write_atomic(mirror / LATEST, canonical_json(told) + "\n")
    removed = [path for path in target.parent.iterdir() if path != target and re.fullmatch(r"(\.new-)?[0-9a-f]{16}", path.name)]
    for path in removed:
        shutil.rmtree(path)
    return {**told, "to": str(mirror), "files": len(names), "removed": len(removed)}


def newest_in(mirror: Path) -> Path:
    """The folder of a mirror's newest release."""
    folder = mirror / read_latest((mirror / LATEST).read_bytes()[:MOST_LATEST], str(mirror / LATEST))
    if not folder.is_dir():
        raise StoreError(f"{mirror / LATEST} names {folder.name}, which is not there", "publish it again")
    return folder


def fetch_folder(mirror: Path, out: Path) -> Path:
    """Copy the newest release of a mirror, or a release's folder."""
    folder = newest_in(mirror) if (mirror / LATEST).exists() else mirror
    signed = read_signed(folder)
    _check_sizes(signed.files)
    for name in [*signed.files, LOG, SIGNED]:
        source = folder / name
        if source.is_symlink() or not source.is_file():
            raise StoreError(f"{source} is missing", "it is not a whole release")
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / name)
    return out


# --- web servers ----------------------------------------------------------------------------------------------------


def publish_http(folder: Path, url: str, allow_private: bool, token: str = "") -> dict[str, Any]:
    """Send a release by HTTP PUT, as WebDAV and most object stores take it; `latest.json` last, and older files go."""
    place = check_place(url.rstrip("/"), allow_private)
    told = latest_of(folder)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    base = place.parts.path
    names = files_of(folder)
    for name in names:
        _put(place, f"{base}/{told['path']}/{name}", folder / name, headers)
    old = _latest(place, base)
    with asked(place, f"{base}/{LATEST}", "PUT", (canonical_json(told) + "\n").encode(), headers) as response:
        _expect(response.status, url, LATEST)
    removed = 0
    if old and old != told["path"]:
        removed = _remove(place, f"{base}/{old}", headers)
    return {**told, "to": url, "files": len(names), "removed": removed}


def _put(place: Place, path: str, file: Path, headers: Mapping[str, str]) -> None:
    size = str(file.stat().st_size)
    with open(file, "rb") as data, asked(place, path, "PUT", data, {**headers, "Content-Length": size}) as response:
        _expect(response.status, f"{place.parts.scheme}://{place.parts.netloc}", path)


def _expect(status: int, where: str, path: str) -> None:
    if status in (401, 403):
        raise SourceError(f"{where} does not let {path} be written ({status})", "put a token into a file and give --token-file")
    if status not in (200, 201, 204):
        raise SourceError(f"{where} answers {status} to {path}", "see that it takes PUT requests, or publish to a folder that it serves")


def _latest(place: Place, base: str) -> str:
    """The path of the release that is there now; "" where there is none."""
    try:
        with asked(place, f"{base}/{LATEST}") as response:
            return read_latest(b"".join(pieces(response, MOST_LATEST, LATEST)), LATEST) if response.status == 200 else ""
    except SourceError:
        return ""


def _remove(place: Place, path: str, headers: Mapping[str, str]) -> int:
    """Delete the files of an older release; how many went. A server that refuses is no error: it is told in the count."""
    count = 0
    try:
        with asked(place, f"{path}/{SIGNED}") as response:
            names = list(json.loads(b"".join(pieces(response, MOST_SIGNED, SIGNED)))["files"]) if response.status == 200 else []
    except (SourceError, ValueError, KeyError, TypeError):
        names = []
    for name in [*names[:MOST_FILES], LOG, SIGNED]:
        with asked(place, f"{path}/{name}", "DELETE", None, headers) as response:
            count += response.status in (200, 202, 204)
    return count


def fetch_http(url: str, out: Path, allow_private: bool = False) -> Path:
    """Fetch the newest release of a mirror, or the release at an address. Every file has to be as signed.json says."""
    place = check_place(url.rstrip("/"), allow_private)
    base = place.parts.path.removesuffix(f"/{LATEST}")
    path = _release_path(place, base)
    out.mkdir(parents=True, exist_ok=True)
    _get(place, f"{path}/{SIGNED}", out / SIGNED, MOST_SIGNED)
    _get(place, f"{path}/{LOG}", out / LOG, MOST_LOG)
    files = read_signed(out).files
    _check_sizes(files)
    for name, told in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        digest = _get(place, f"{path}/{name}", out / name, told["bytes"])
        if digest != told["sha256"]:
            raise SourceError(f"{url}: {name} is not as {SIGNED} says", "fetch it again; if it stays so, ask who runs that mirror")
    return out


def _release_path(place: Place, base: str) -> str:
    with asked(place, f"{base}/{LATEST}") as response:
        if response.status == 200:
            return f"{base}/{read_latest(b''.join(pieces(response, MOST_LATEST, LATEST)), LATEST)}"
        if response.status != 404:
            raise SourceError(
                f"{place.parts.netloc} answers {response.status} to {base}/{LATEST}", "redirects are not followed: give the address itself"
            )
    return base


def _get(place: Place, path: str, out: Path, limit: int) -> str:
    """Fetch one file of at most `limit` bytes; returns its sha256."""
    digest = hashlib.sha256()
    with asked(place, path) as response:
        if response.status != 200:
            raise SourceError(
                f"{place.parts.netloc} answers {response.status} to {path}", "see that it is the address of a mirror or a release"
            )
        with open(out, "wb") as file:
            for piece in pieces(response, limit, path):
                digest.update(piece)
                file.write(piece)
    return digest.hexdigest()


def _check_sizes(files: Mapping[str, Mapping[str, Any]]) -> None:
    total = sum(told["bytes"] for told in files.values())
    if len(files) > MOST_FILES or total > MOST_RELEASE or any(told["bytes"] < 0 for told in files.values()):
        raise StoreError(
            f"{len(files):,} files of {total:,} bytes are no release", f"at most {MOST_FILES} of {MOST_RELEASE:,} in all: it is refused"
        )


# --- logs that were seen --------------------------------------------------------------------------------------------


def check_known(workspace: Workspace, log: Path) -> list[str]:
    """Does a fetched log still hold what was seen of it before? Remembers it where it does; findings where it does not."""
    report = read_log(log)
    path = workspace.folder / KNOWN_LOGS
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    hashes = {"sha256:" + hashlib.sha256(line.encode()).hexdigest() for line in report.lines}
    found = [
        f"the log of {key} was seen with head {known[key]}, which is no longer in it: it was rewritten"
        for key in _lost(known, report.keys, hashes)
    ]
    if not found and report.keys:
        write_atomic(path, json.dumps({**known, report.keys[0]: report.head}, indent=1, sort_keys=True) + "\n")
    return found


def _lost(known: Mapping[str, str], keys: Iterable[str], hashes: set[str]) -> list[str]:
    return [key for key in keys if key in known and known[key] not in hashes]


# --- one door -------------------------------------------------------------------------------------------------------


def token_from(path: Path | None) -> str:
    """A secret from a file, never from the command line."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "give a file that holds the token alone") from None


def render_published(told: Mapping[str, Any]) -> str:
    from publish.text import clean

    counts = ", ".join(
        f"{told[name]:,} {name.replace('_', ' ')}" for name in ("files", "sops", "commits", "removed", "too_large") if name in told
    )
    lines = [f"published {clean(str(told.get('root', '')))} to {clean(str(told['to']))}: {counts}"]
    lines += [f"HELD BACK {clean(entry['id'])}: {clean(entry['why'])}" for entry in told.get("held_back", ())]
    return "\n".join(lines) + "\n"


def make_empty(folder: Path) -> Path:
    """A folder that is there and empty. Raises UsageError where something lies in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "name another folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
