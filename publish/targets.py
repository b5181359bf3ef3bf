"""What a command means by a release: its number here, a folder, a zip file, or an address; and safe unpacking."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from index.current import LOCAL, MANIFEST
from index.errors import StoreError, UsageError
from index.workspace import Workspace
from publish.release import numbers
from publish.signed import is_plain_name

MOST_ENTRIES = 64
MOST_BYTES = 16_000_000_000  # of a release, unpacked
MOST_RATIO = 200
CHUNK = 1 << 20
STAMP = (1980, 1, 1, 0, 0, 0)  # the same release gives the same zip


@contextmanager
def all_opened(targets: Sequence[str], workspace: Workspace | None) -> Iterator[list[tuple[str, Path]]]:
    """The folders of several releases, by what they were called."""
    with ExitStack() as stack:
        yield [(target, stack.enter_context(opened(target, workspace))) for target in targets]


@contextmanager
def opened(target: str, workspace: Workspace | None) -> Iterator[Path]:
    """The folder of a release, fetched or unpacked where need be; what was is gone afterwards."""
    if target.startswith(("http://", "https://")):
        from publish.mirrors import fetch_http

        with tempfile.TemporaryDirectory() as scratch:
            yield fetch_http(target, Path(scratch) / "release")
    elif target.endswith(".zip") and not Path(target).is_dir():
        with tempfile.TemporaryDirectory() as scratch:
            yield unzip(Path(target), Path(scratch) / "release")
    else:
        yield local_folder(target, workspace)


def local_folder(target: str, workspace: Workspace | None) -> Path:
    """A release by number, or by folder: its own, or one of a mirror, which names its newest."""
    if target.isdecimal() and workspace is not None:
        folder = workspace.releases / target
        if not folder.is_dir():
            known = ", ".join(map(str, numbers(workspace))) or "none"
            raise StoreError(f"there is no release {target} in {workspace.root}", f"there are: {known}")
        return folder
    folder = Path(target)
    if not folder.is_dir():
        raise UsageError(f"{target!r} is no release", "give its number in a workspace, a folder, a .zip or an address")
    if not (folder / MANIFEST).exists() and (folder / "latest.json").exists():
        from publish.mirrors import newest_in

        return newest_in(folder)
    return folder


# --- zip ------------------------------------------------------------------------------------------------------------


def zip_release(folder: Path, path: Path) -> None:
    """A release as one file; `local/` stays here."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            if file.is_file() and not name.startswith(f"{LOCAL}/"):
                entry = zipfile.ZipInfo(name, STAMP)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with open(file, "rb") as data, out.open(entry, "w", force_zip64=True) as held:
                    shutil.copyfileobj(data, held, CHUNK)


def unzip(path: Path, folder: Path) -> Path:
    """Unpack a release. Raises StoreError for names that lead elsewhere, for bombs, and for what is no zip file."""
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as held:
            entries = [entry for entry in held.infolist() if not entry.is_dir()]
            if len(entries) > MOST_ENTRIES:
                raise StoreError(f"{path.name} holds {len(entries):,} files, a release at most {MOST_ENTRIES}", "it is refused")
            room = min(MOST_BYTES, MOST_RATIO * path.stat().st_size + CHUNK)
            for entry in entries:
                if not is_plain_name(entry.filename):
                    raise StoreError(f"{path.name} holds a file named {entry.filename[:80]!r}", "no release does: it is refused")
                room = _unpack(held, entry, folder / entry.filename, room)
    except FileNotFoundError:
        raise StoreError(f"{path} is not there", "give the name of a .zip file") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise StoreError(f"{path.name} cannot be unpacked: {error}", "fetch it again") from None
    return folder


def _unpack(held: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, room: int) -> int:
    """Unpack one entry into at most `room` bytes; returns what is left of it. The sizes that the file tells count nothing."""
    target.parent.mkdir(exist_ok=True)
    with held.open(entry) as data, open(target, "xb") as out:
        while piece := data.read(CHUNK):
            room -= len(piece)
            if room < 0:
                raise StoreError(f"{entry.filename} unpacks to far more than it was packed from", "it is a bomb: it is refused")
            out.write(piece)
    return room
