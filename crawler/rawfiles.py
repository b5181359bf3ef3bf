"""The files of the raw archive: what a killed run left in them, what taken-back posts said in them, and reading them again."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from crawler.answers import Answer
from crawler.registry import network, part
from crawler.warc import members, read_raw
from index import tables_raw as tables
from index.errors import SourceError
from index.records import Origin, Raw, Source
from index.spool import Batch, Record, load_records_of
from index.store import Store
from index.workspace import Workspace


def clear_unknown(workspace: Workspace, store: Store) -> None:
    """Cut off what the store knows nothing of: answers whose batch was never written. Only while no process asks."""
    known = tables.files(store)
    for path in sorted(workspace.raw.glob("*.warc.gz*")) if workspace.raw.is_dir() else ():
        if path.name not in known:
            path.unlink()
        elif path.stat().st_size > known[path.name]:
            os.truncate(path, known[path.name])


def redact(workspace: Workspace, store: Store, sources: Sequence[Source]) -> int:
    """Take the words of taken-back posts out of the archive; returns how many answers were changed or dropped.

    Each file is written anew under another name, the store is told, then the old one goes: so a crash at any moment
    leaves the words at most in a file that the next run removes.
    """
    kinds = {source.id: source.kind for source in sources}
    changed = 0
    found = tables.to_redact(store)
    for file, places in found.items():
        fresh = _without(workspace.raw, tables.in_file(store, file), places, kinds)
        tables.replace_file(store, file, fresh[0], fresh[1])
        (workspace.raw / file).unlink(missing_ok=True)
        changed += len(places)
    if found:
        tables.forget_origins(store)
    return changed


def _without(folder: Path, answers: Sequence[Raw], places: dict[int, list[str]], kinds: dict[str, str]) -> tuple[list[Raw], set[str]]:
    """A copy of one file without these posts: its answers, and the ids of those that changed."""
    name = f"{answers[0].file.partition('.')[0]}.{uuid.uuid4().hex[:8]}.warc.gz"
    kept: list[Raw] = []
    redacted: set[str] = set()
    with open(folder / name, "xb") as out:
        for raw in answers:
            if raw.start in places:
                data, digest = _redacted(folder, raw, places[raw.start], kinds.get(raw.source, ""))
                redacted.add(raw.id)
            else:
                data, digest = _copied(folder, raw), raw.digest
            if data:
                kept.append(replace(raw, file=name, start=out.tell(), length=len(data), digest=digest))
                out.write(data)
        out.flush()
        os.fsync(out.fileno())
    if not kept:
        (folder / name).unlink()
    return kept, redacted


def _redacted(folder: Path, raw: Raw, posts: Sequence[str], kind: str) -> tuple[bytes, str]:
    """The members of an answer without these posts, and the digest of its body; b"" where it has to go whole."""
    try:
        answer = read_raw(folder, raw)
        hide = network(kind).redact
    except SourceError:  # damaged, or of a network that this version does not know: nothing of it is kept
        return b"", ""
    body: bytes | None = answer.body
    for post in posts:
        body = part(hide)(body, post) if hide and body is not None else None
    if body is None:
        return b"", ""
    return members(replace(answer, body=body)), "sha256:" + hashlib.sha256(body).hexdigest()


def _copied(folder: Path, raw: Raw) -> bytes:
    with open(folder / raw.file, "rb") as file:
        file.seek(raw.start)
        return file.read(raw.length)


def reparse(workspace: Workspace, store: Store, source: Source) -> Iterator[int]:
    """Derive a source anew from its raw answers, asking nobody: all of it or, where an answer cannot be read, nothing.

    Yields the number of records after each batch. What has no origin in the archive, and what was taken back, stays
    as it is.
    """
    answers = _Told(workspace.raw, tables.raw_answers(store, source.id))
    parse = part(network(source.kind).parse)
    with store.transaction():
        tables.forget_derived(store, source.id)
        for records in parse(source, answers):
            load_records_of(store, Batch("", source.id, answers.seen(records), {}, tuple(records)))
            yield len(records)
        tables.recall_names(store)


class _Told:
    """Answers one after the other; knows when each came."""

    def __init__(self, folder: Path, raws: Iterator[Raw]) -> None:
        self.folder, self.raws = folder, raws
        self._seen: dict[str, str] = {}
        self._last = ""

    def __iter__(self) -> Iterator[Answer]:
        for raw in self.raws:
            self._seen[raw.id] = self._last = raw.seen
            yield read_raw(self.folder, raw)

    def seen(self, records: Sequence[Record]) -> str:
        """When the last of the answers came that these records were read from."""
        return max((self._seen[record.raw] for record in records if isinstance(record, Origin)), default=self._last)
