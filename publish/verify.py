"""`precipitate verify`: can a release be believed by someone who trusts nobody? In levels, from cheap to dear.

    1 hashes      every byte is one that was signed; CAR, Parquet and roots follow from the lines
    2 signatures  the release is the newest of an append-only log, signed by the key that the log hands over to
    3 decisions   emission, versions and credits follow from the published scores and records
    4 quotes      every quote stands in the post it is cited from          (needs a body pack or a crawl of one's own)
    5 rebuild     the same posts give the same release, byte for byte      (needs all posts, and takes as long as a run)

Distilling and crediting are other rooms' business: whoever calls hands in what does them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.config import Config
from index.current import MANIFEST, RELEASE_SCHEMA, is_newer
from index.errors import StoreError
from index.store import Store
from publish.bodies import FILE as BODIES
from publish.bodies import read_bodies
from publish.findings import LEVELS, NEEDS, Level
from publish.log import COMMITTED, EthereumRecover, LogReport, commitment, line_hash, read_log
from publish.log import FILE as LOG
from publish.release import FILES, write_files
from publish.signed import FILE as SIGNED
from publish.signed import MOST_BYTES, Signed, read_signed
from publish.text import clean
from publish.verify_bytes import check_bytes, records
from publish.verify_said import Earn, Settle, Texts, check_decisions, check_quotes, config_of

REPORT = "precipitate/verification/1"
Rebuild = Callable[[Store, Config], None]  # distil and credit what the store holds


@dataclass(frozen=True, slots=True)
class Means:
    """What the caller can bring to bear, and what the caller knows already."""

    earn: Earn | None = None
    settle: Settle | None = None  # evidence of several releases, with the trust that follows from it
    recover: EthereumRecover | None = None
    texts: Texts | None = None  # a crawl of one's own
    rebuild: Rebuild | None = None
    own: Callable[[], Iterator[dict[str, Any]]] | None = None  # the lines of a pack of one's own crawl
    key: str | None = None  # the did:key that is expected
    head: str | None = None  # of the log, seen earlier
    deepest: int = 5


@dataclass(frozen=True, slots=True)
class Verification:
    folder: str
    root: str | None
    key: str | None
    head: str | None
    levels: tuple[Level, ...]

    @property
    def sound(self) -> bool:
        return not any(level.findings for level in self.levels)

    def value(self) -> dict[str, Any]:
        told = {"schema": REPORT, "release": self.folder, "root": self.root, "key": self.key, "log_head": self.head}
        return {**told, "sound": self.sound, "levels": [level.value() for level in self.levels]}


def verify(folder: Path, means: Means) -> Verification:
    """Check a release folder. Raises StoreError where it is none, or of a newer program: then nothing can be said of it."""
    levels = {number: Level(number) for number in LEVELS}
    manifest = read_newest_manifest(folder)
    signed = _signed(folder, levels[1])
    log = _log(folder, means, levels[2])
    if manifest is None:
        levels[1].add(MANIFEST, "", "it is not a manifest")
    if manifest is not None and signed is not None:
        check_bytes(folder, manifest, signed, levels[1])
    if signed is not None and log is not None:
        _check_signature(signed, log, manifest or {}, means, levels[2])
    for number in (3, 4, 5):
        _deeper(number, folder, manifest or {}, means, levels)
    key = log.keys[-1] if log and log.keys else None
    return Verification(str(folder), (manifest or {}).get("root"), key, log.head if log else None, tuple(levels.values()))


def read_newest_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest; None where it cannot be read as one. Raises StoreError for no release at all, or a newer one's."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StoreError(f"{path} has more than {MOST_BYTES:,} bytes", "no manifest is so long: it is refused")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", "give the folder of a release, its number, or an address") from None
    except UnicodeDecodeError:
        return None
    try:
        manifest = json.loads(text)
        schema = manifest["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if schema != RELEASE_SCHEMA:
        if is_newer(RELEASE_SCHEMA, str(schema)):
            raise StoreError(f"{path} is of schema {schema}, before releases were signed", "make it anew with `precipitate run`")
        if is_newer(schema, RELEASE_SCHEMA):
            raise StoreError(f"{path} is of schema {str(schema)[:60]}, this program reads {RELEASE_SCHEMA}", "install a newer precipitate")
        return None
    return dict(manifest)


def _signed(folder: Path, level: Level) -> Signed | None:
    try:
        return read_signed(folder)
    except StoreError as error:
        if "newer" in error.way_out:
            raise
        level.add(SIGNED, "", error.message)
        return None


def _log(folder: Path, means: Means, level: Level) -> LogReport | None:
    try:
        log = read_log(folder / LOG, means.recover)
    except StoreError as error:
        if "newer" in error.way_out:
            raise
        level.add(LOG, "", error.message)
        return None
    for line, what in log.findings:
        level.add(LOG, f"line {line}", what)
    level.count("log entries", len(log.lines))
    return log


# --- level 2: signatures --------------------------------------------------------------------------------------------


def _check_signature(signed: Signed, log: LogReport, manifest: Mapping[str, Any], means: Means, level: Level) -> None:
    """The release's line is the last of the log, and commits to exactly what was found at level 1."""
    releases = [line for line, entry in zip(log.lines, log.entries, strict=True) if entry.get("kind") == "release"]
    if not releases or signed.line != releases[-1]:
        level.add(SIGNED, "line", f"it is not the newest release of {LOG}" + (", but an older one" if signed.line in releases else ""))
    try:
        entry = json.loads(signed.line)["entry"]
        told = entry["commitments"]
        for name in COMMITTED:
            level.count("commitments")
            if told[name] != commitment(signed.salt, name, signed.values[name]):
                level.add(SIGNED, name, "the signed line commits to another value")
    except (ValueError, KeyError, TypeError):
        level.add(SIGNED, "line", "it is not a line of a log")
        return
    for name in ("root", "set_root", "procedure_root"):
        if manifest.get(name) != signed.values[name]:
            level.add(MANIFEST, name, f"it is {str(manifest.get(name))[:19]}…, {signed.values[name][:19]}… was signed")
    if means.key and means.key not in log.keys:
        level.add(LOG, "", f"it is signed by {log.keys[-1] if log.keys else 'nobody'}, not by {means.key}")
    if means.head and means.head not in map(line_hash, log.lines):
        level.add(LOG, "", f"the head {means.head[:19]}… that was seen earlier is not in it: the log was rewritten, or it is another's")
    if not means.key:
        level.notes.append("signed by a key that was not compared with any: give --key if you know whose it should be")


# --- levels 3 to 5 --------------------------------------------------------------------------------------------------


def _deeper(number: int, folder: Path, manifest: Mapping[str, Any], means: Means, levels: dict[int, Level]) -> None:
    level = levels[number]
    if number > means.deepest:
        level.left_out = "not asked for"
    elif levels[1].findings:
        level.left_out = "the bytes are not those that were signed"
    elif number == 3:
        check_decisions(folder, manifest, level, means.earn)
    elif number == 4:
        _quotes(folder, means, level)
    else:
        _rebuild(folder, manifest, means, level)


def _quotes(folder: Path, means: Means, level: Level) -> None:
    """In one's own crawl first, which nobody else made; in the body pack for posts that it lacks."""
    packed = (folder / BODIES).is_file()
    if not packed and means.texts is None:
        level.left_out = "no body pack, and no crawl of your own: run it inside a workspace that read the same sources"
        return
    with tempfile.TemporaryDirectory() as scratch, Store(Path(scratch) / "pack.duckdb") as store:
        try:
            if packed:
                _load(store, read_bodies(folder))
        except StoreError as error:
            level.add(BODIES, "", error.message)
            return
        from index.pack import texts_of

        own = means.texts or (lambda ids: {})
        check_quotes(folder, lambda ids: texts_of(store, ids) | own(ids), level)
    level.notes += ["read in this workspace's own crawl, where it holds the post"] if means.texts else []
    level.notes += [f"read in {BODIES}, which the publisher made, where no crawl of your own holds the post"] if packed else []


def _load(store: Store, rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    from index.pack import load_pack

    with store.transaction():
        return load_pack(store, rows)


def _rebuild(folder: Path, manifest: Mapping[str, Any], means: Means, level: Level) -> None:
    """The release once more from nothing but posts; ids and version numbers are taken over, as they depend on history."""
    if means.rebuild is None:
        level.left_out = "not asked for: --rebuild"
        return
    rows = read_bodies(folder) if (folder / BODIES).is_file() else means.own() if means.own else None
    if rows is None:
        level.left_out = "no body pack, and no crawl of your own: run it inside a workspace that read the same sources"
        return
    from index.pack import seed_lineages

    config = config_of(manifest["settings"])
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "release"
        made.mkdir()
        with Store(Path(scratch) / "work.duckdb") as store:
            _load(store, rows)
            seed_lineages(store, records(folder, "procedures.jsonl"))
            means.rebuild(store, config)
            anew = write_files(store, made, config, str(manifest["code"]))
        if anew["set_root"] != manifest["set_root"]:
            level.left_out = "the posts held are not those of the release: their set roots differ"
        for name in FILES:
            level.count("files")
            if anew["files"][name] != manifest["files"][name]:
                level.add(name, *_first_difference(folder, made, name))


def _first_difference(folder: Path, made: Path, name: str) -> tuple[str, str]:
    pairs = enumerate(zip(records(folder, name), records(made, name), strict=False), 1)
    for number, (told, anew) in pairs:
        if told != anew:
            odd = sorted(key for key in told.keys() | anew.keys() if told.get(key) != anew.get(key))
            return f"line {number}", f"made anew it differs in {', '.join(odd)[:200]}"
    return "", "made anew it has more or fewer lines"


# --- as text --------------------------------------------------------------------------------------------------------


def render_verification(told: Mapping[str, Any]) -> str:
    lines = [f"release {clean(str(told['root']))}", f"signed by {clean(str(told['key']))}, log head {clean(str(told['log_head']))}"]
    for level in told["levels"]:
        counts = ", ".join(f"{count:,} {what}" for what, count in level["checked"].items())
        lines.append(f"{level['level']} {level['name']:<11}{level['state']:<9}{f' {counts}' if counts else ''}")
        lines += [f"    left out: {clean(level['left_out'])}"] if level["left_out"] else []
        lines += [f"    needs {level['needs']}"] if level["left_out"] and level["needs"] else []
        lines += [f"    {clean(note)}" for note in level["notes"]]
        for finding in level["findings"]:
            where = f", {clean(finding['where'])}" if finding["where"] else ""
            lines.append(f"    FINDING {clean(finding['file'])}{where}: {clean(finding['what'])}")
        lines += [f"    and {level['more']:,} more"] if level["more"] else []
    lines.append("all that was looked at holds" if told["sound"] else "this release does not hold")
    return "\n".join(lines) + "\n"


def deepest_of(word: str) -> int:
    """A level by name or number. Raises UnknownName."""
    from index.errors import UnknownName

    names = {name: number for number, name in LEVELS.items()} | {str(number): number for number in LEVELS}
    if word not in names:
        raise UnknownName("level", word, names, f"there are: {', '.join(LEVELS.values())}")
    return names[word]


__all__ = ["NEEDS", "Means", "Verification", "deepest_of", "render_verification", "verify"]
