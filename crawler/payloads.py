"""Files of payloads as the networks' own APIs give them: a JSON list, or a payload a line. Read like any archive.

For what somebody else collected: events of Nostr relays and Jetstreams, statuses of Mastodon, hydrated casts of Farcaster.
The kind is told by the first payload. A line that cannot be read is left out with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from crawler.archive import MAX_LINE, Part
from crawler.atproto import event_records as at_records
from crawler.farcaster import Node, hydrated_records
from crawler.fields import mapping, moment, parsed
from crawler.mastodon import Instance, parents, status_records
from crawler.nostr import Relay, event_records
from index.errors import SourceError
from index.records import Reject, Source
from index.spool import Record

BATCH = 1_000
MAX_LIST = 256_000_000  # bytes of a file that is one JSON list: it is held whole

Read = Callable[[str, list[Any], str], list[Record]]  # (source, payloads, now) → records


@dataclass(frozen=True, slots=True)
class Payloads:
    """One network's payloads: what each of them has, and how they are read."""

    keys: frozenset[str]
    base_url: str
    read: Read


def _nostr(source: str, payloads: list[Any], now: str) -> list[Record]:
    relay = Relay(source, "", now)
    return [record for payload in payloads for record in event_records(relay, _without_extras(payload), source)]


def _without_extras(payload: Any) -> Any:
    """Collections add fields of their own; the signature is over these."""
    return {
        key: payload[key] for key in ("id", "pubkey", "created_at", "kind", "tags", "content", "sig") if key in mapping(payload)
    } or payload


def _mastodon(source: str, payloads: list[Any], now: str) -> list[Record]:
    statuses = [mapping(payload) for payload in payloads]
    known = parents(statuses)
    return [record for status in statuses for record in status_records(Instance(source, "", now), status, known, source)]


KINDS: dict[str, Payloads] = {
    "nostr": Payloads(frozenset({"pubkey", "sig", "kind"}), "https://njump.me", _nostr),
    "jetstream": Payloads(
        frozenset({"did", "time_us", "kind"}),
        "https://bsky.app",
        lambda source, payloads, now: [record for payload in payloads for record in at_records(source, payload, now)],
    ),
    "farcaster": Payloads(
        frozenset({"author", "timestamp", "embeds"}),
        "https://farcaster.xyz",
        lambda source, payloads, now: [record for payload in payloads for record in hydrated_records(Node(source, now), payload, moment)],
    ),
    "mastodon": Payloads(frozenset({"uri", "account", "visibility"}), "https://joinmastodon.org", _mastodon),
}


def find(path: Path, allow_private: bool) -> Source | None:
    """A `.json` or `.jsonl` file whose first payload is one of KINDS; None for any other."""
    if not path.is_file() or path.suffix.lower() not in (".json", ".jsonl", ".ndjson"):
        return None
    kind = _kind(path)
    if kind is None:
        return None
    name = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return Source(
        f"payloads:{kind}-{path.stem}-{name}", "payloads", str(path), KINDS[kind].base_url, path.stem, allow_private=allow_private
    )


def _kind(path: Path) -> str | None:
    try:
        first = next((payload for payload, _ in _payloads(path, 0) if isinstance(payload, dict)), {})
    except (OSError, SourceError):
        return None
    return next((name for name, kind in KINDS.items() if kind.keys <= set(first)), None)


def read_payloads(source: Source, cursor: Mapping[str, str], now: str) -> Iterator[Part]:
    """What a file holds beyond the cursor: nothing where it was read to its end and is the same."""
    path = Path(source.address)
    kind = _kind(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "see that it is still there") from None
    if kind is None:
        raise SourceError(f"{path} does not begin with a payload of {', '.join(KINDS)}", "see that it is the file you mean")
    print_of = f"{stat.st_size} {stat.st_mtime_ns}"
    done = int(cursor.get("payloads_read") or 0) if cursor.get("payloads_file") == print_of else 0
    if cursor.get("payloads_file") == print_of and cursor.get("payloads_state") == "read":
        return
    rest, number = _payloads(path, done), done
    while chunk := list(islice(rest, BATCH)):
        fresh, number = number == 0, number + len(chunk)
        records = KINDS[kind].read(source.id, [payload for payload, fault in chunk if not fault], now)
        records += [Reject(source.id, f"{path.name}:{fault}", "line is not JSON, or too long") for _, fault in chunk if fault]
        yield Part(records, _cursor(print_of, number, "reading"), number, number, fresh)
    yield Part([], _cursor(print_of, number, "read"), number, number, False)


def numbered(path: Path) -> Iterator[tuple[int, Any]]:
    """Payloads of a file with their numbers, from 1."""
    yield from ((number, payload) for number, (payload, fault) in enumerate(_payloads(path, 0), 1) if not fault)


def read_one(source: Source, payload: Any, now: str) -> list[Record]:
    """Records of one payload, by itself."""
    kind = _kind(Path(source.address))
    return KINDS[kind].read(source.id, [payload], now) if kind else []


def _cursor(file: str, read: int, state: str) -> dict[str, str]:
    return {"payloads_file": file, "payloads_read": str(read), "payloads_state": state}


def _payloads(path: Path, skip: int) -> Iterator[tuple[Any, int]]:
    """(payload, 0), or (None, number of the line) where it is none; without the first `skip`."""
    with open(path, "rb") as file:
        if file.read(64).lstrip()[:1] == b"[":
            if path.stat().st_size > MAX_LIST:
                raise SourceError(f"{path} is one JSON list of more than {MAX_LIST:,} bytes", "write it a payload a line")
            file.seek(0)
            found = parsed(file.read())
            yield from ((payload, 0) for payload in (found if isinstance(found, list) else [])[skip:])
            return
        file.seek(0)
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            long = len(line) > MAX_LINE
            while long and not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
                pass
            if number > skip:
                payload = None if long else parsed(line)
                yield (payload, 0) if payload is not None else (None, number)
