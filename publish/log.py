"""The append-only log of signed manifests: which releases there were, in which order, and that none was slipped in since.

A line is {"entry": …, "signatures": […]} in canonical JSON; its entry names the hash of the line before. The log lives for
ever, so it holds no hash of anything that may have to be erased: each root stands in it as sha256(salt ‖ name ‖ root). The
salt and the roots, the opening, lie in the release (signed.json) and go with it; who holds a release can still prove that
it was logged, and from the log alone nobody can guess what was in one.

    entry of a release  {schema, kind: "release", seq, prev, at, commitments {set_root, procedure_root, root, files},
                         config_hash, code_version, model_hash, key}
    entry of a new key  {schema, kind: "key", seq, prev, at, key, next}      signed by the old key
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.errors import PrecipitateError, StoreError
from index.store import canonical_json, now
from index.workspace import Workspace, write_atomic
from publish.keys import ReleaseKey, signed_by

SCHEMA = "precipitate/log/1"
FILE = "log.jsonl"
COMMITTED = ("set_root", "procedure_root", "root", "files")
START = "sha256:" + "0" * 64  # what the first entry names as the line before
MOST_BYTES = 64_000_000
KINDS = {
    "release": {"schema", "kind", "seq", "prev", "at", "commitments", "config_hash", "code_version", "model_hash", "key"},
    "key": {"schema", "kind", "seq", "prev", "at", "key", "next"},
}

EthereumSign = Callable[[str], tuple[str, str]]  # text → (address, signature)
EthereumRecover = Callable[[str, str], str]  # text, signature → address


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log says and what is wrong with it. `keys`: every key that it hands over, the newest last."""

    entries: list[dict[str, Any]]
    lines: list[str]
    findings: list[tuple[int, str]]  # line (from 1; 0 for the whole), what is wrong
    keys: list[str] = field(default_factory=list)

    @property
    def head(self) -> str:
        return line_hash(self.lines[-1]) if self.lines else START


def line_hash(line: str) -> str:
    return "sha256:" + hashlib.sha256(line.encode()).hexdigest()


def commitment(salt: str, name: str, value: str) -> str:
    return "sha256:" + hashlib.sha256(bytes.fromhex(salt) + name.encode() + b"\0" + value.encode()).hexdigest()


# --- writing --------------------------------------------------------------------------------------------------------


def append_release(
    workspace: Workspace, key: ReleaseKey, values: Mapping[str, str], facts: Mapping[str, Any], ethereum: EthereumSign | None = None
) -> tuple[str, str]:
    """Enter a release; `values` are what is committed to, `facts` stand in the open. Returns (line, salt)."""
    salt = secrets.token_hex(32)
    commitments = {name: commitment(salt, name, values[name]) for name in COMMITTED}
    return _append(workspace, key, {"kind": "release", "commitments": commitments, **facts}, ethereum), salt


def append_key(workspace: Workspace, old: ReleaseKey, new: ReleaseKey) -> str:
    """The old key hands over to the new one."""
    return _append(workspace, old, {"kind": "key", "next": new.did}, None)


def _append(workspace: Workspace, key: ReleaseKey, told: Mapping[str, Any], ethereum: EthereumSign | None) -> str:
    path = workspace.folder / FILE
    known = read_log(path) if path.exists() else LogReport([], [], [])
    if known.findings:
        number, why = known.findings[0]
        raise StoreError(
            f"{path}, line {number}: {why}", "put the log back from the newest release; nothing may be appended to a broken one"
        )
    if known.keys and known.keys[-1] != key.did:
        raise StoreError(f"{path} belongs to {known.keys[-1]}, the key here is {key.did}", "put that key back, or move the log away")
    entry = {"schema": SCHEMA, "seq": len(known.lines) + 1, "prev": known.head, "at": now(), "key": key.did, **told}
    line = canonical_json({"entry": entry, "signatures": _signatures(canonical_json(entry), key, ethereum)})
    write_atomic(path, "".join(f"{held}\n" for held in [*known.lines, line]))
    return line


def _signatures(text: str, key: ReleaseKey, ethereum: EthereumSign | None) -> list[dict[str, str]]:
    made = [{"type": "ed25519", "key": key.did, "value": key.sign(text.encode())}]
    if ethereum:
        address, value = ethereum(text)
        made.append({"type": "eip191", "key": address, "value": value})
    return made


# --- checking -------------------------------------------------------------------------------------------------------


def read_log(path: Path, recover: EthereumRecover | None = None) -> LogReport:
    """Read and check a log. Raises StoreError only where there is none or it is of a newer program."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise StoreError(f"{path.name} has more than {MOST_BYTES:,} bytes", "no log is so long: it is refused")
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", "fetch the release again") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return LogReport([], [], [(data[: error.start].count(b"\n") + 1, f"not UTF-8 at byte {error.start:,}")])
    return check_lines(
        text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"), recover, cut=bool(text) and not text.endswith("\n")
    )


def check_lines(lines: Sequence[str], recover: EthereumRecover | None = None, cut: bool = False) -> LogReport:
    """Chain, form and every signature: each line follows the one before, signed by the key that was in force there."""
    report = LogReport([], [], [(len(lines), "the last line is cut off")] if cut else [])
    previous = START
    for number, line in enumerate(lines, 1):
        try:
            held = json.loads(line)
            entry, signatures = held["entry"], held["signatures"]
            newer = entry["schema"] != SCHEMA
        except (ValueError, KeyError, TypeError, RecursionError):
            report.findings.append((number, "not an entry of a log"))
            previous = line_hash(line)
            continue
        if newer:
            raise StoreError(
                f"{FILE}, line {number} is of schema {str(entry['schema'])[:60]!r}, this program reads {SCHEMA!r}",
                "install a newer precipitate",
            )
        report.findings.extend((number, why) for why in _wrong(number, line, held, entry, signatures, previous, report.keys, recover))
        if not report.keys and isinstance(entry.get("key"), str):
            report.keys.append(entry["key"])
        if entry.get("kind") == "key" and isinstance(entry.get("next"), str):
            report.keys.append(entry["next"])
        report.entries.append(entry)
        report.lines.append(line)
        previous = line_hash(line)
    return report


def _wrong(
    number: int,
    line: str,
    held: dict[str, Any],
    entry: dict[str, Any],
    signatures: Any,
    previous: str,
    keys: Sequence[str],
    recover: EthereumRecover | None,
) -> list[str]:
    found = [] if canonical_json(held) == line and set(held) == {"entry", "signatures"} else ["not in canonical form"]
    if set(entry) != KINDS.get(str(entry.get("kind")), set()):
        found.append("an entry of no known kind")
    if entry.get("seq") != number:
        found.append(f"numbered {str(entry.get('seq'))[:20]}")
    if entry.get("prev") != previous:
        found.append(f"names {str(entry.get('prev'))[:19]}… as the line before, which is {previous[:19]}…: the log was rewritten there")
    if keys and entry.get("key") != keys[-1]:
        found.append(f"by {str(entry.get('key'))[:60]}, which no entry before hands over to; in force is {keys[-1]}")
    return found + _wrong_signatures(canonical_json(entry), entry, signatures, recover)


def _wrong_signatures(text: str, entry: Mapping[str, Any], signatures: Any, recover: EthereumRecover | None) -> list[str]:
    if not isinstance(signatures, list) or not all(isinstance(s, dict) and set(s) == {"type", "key", "value"} for s in signatures):
        return ["its signatures cannot be read"]
    found = [f"a signature of unknown kind {str(s['type'])[:20]!r}" for s in signatures if s["type"] not in ("ed25519", "eip191")]
    main = [s for s in signatures if s["type"] == "ed25519"]
    if len(main) != 1 or main[0]["key"] != entry.get("key"):
        found.append("not signed by the key that it names")
    elif not signed_by(str(main[0]["key"]), str(main[0]["value"]), text.encode()):
        found.append(f"the signature is not that of {str(main[0]['key'])[:60]}")
    for extra in (s for s in signatures if s["type"] == "eip191" and recover):
        try:
            right = recover(text, str(extra["value"])) == extra["key"] if recover else True
        except PrecipitateError:
            right = False
        found += [] if right else [f"the EIP-191 signature is not that of {str(extra['key'])[:60]}"]
    return found
