"""SOPs on Nostr: an addressable event of kind 30818 (NIP-54) for each, and one of kind 30078 that names the release.

The content of an SOP's event is for people (Asciidoc); its tag "precipitate" holds the record, so that who fetches it gets
what was released. The release's event holds its signed.json line and the CID of every SOP: an SOP counts only if its
record has the CID that is named there. SOPs that are no longer in the release are taken back with NIP-09 (kind 5).

Events are signed with the workspace's network key (secp256k1, BIP-340). Nothing that a relay sends is believed before its
id and signature hold and its author is the one that was asked for.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.current import MANIFEST
from index.errors import SourceError, UsageError
from index.hosts import Place, check_place
from index.store import canonical_json
from publish.cbor import encode, link_to
from publish.log import FILE as LOG
from publish.log import check_lines, read_log
from publish.release import read_lines
from publish.text import clean
from publish.verify_said import record_problems

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

KIND_SOP, KIND_RELEASE, KIND_DELETE = 30818, 30078, 5
RELEASE_D = "precipitate/release"
SCHEMA = "precipitate/nostr/1"
LARGEST = 60_000  # bytes of one event: many relays take 64 KiB, few take more
MOST_EVENTS = 200_000
PAGE = 500
TIMEOUT = 20.0  # seconds for one answer

Event = dict[str, Any]


# --- events ---------------------------------------------------------------------------------------------------------


def event_id(event: Mapping[str, Any]) -> str:
    """NIP-01: sha256 of the event as a list."""
    parts = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def make_event(secret: bytes, kind: int, tags: Sequence[Sequence[str]], content: str, created: int) -> Event:
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    event: Event = {
        **{"pubkey": key.public_key.format()[1:].hex(), "created_at": created, "kind": kind},
        **{"tags": [list(tag) for tag in tags], "content": content},
    }
    event["id"] = event_id(event)
    return {**event, "sig": key.sign_schnorr(bytes.fromhex(event["id"])).hex()}


def is_sound(event: Any) -> bool:
    """Whether an event has the id of its content and the signature of its author."""
    from coincurve import PublicKeyXOnly

    try:
        right = (
            isinstance(event["content"], str)
            and type(event["kind"]) is int
            and type(event["created_at"]) is int
            and all(isinstance(tag, list) and tag and all(isinstance(part, str) for part in tag) for tag in event["tags"])
            and event_id(event) == event["id"]
        )
        return right and PublicKeyXOnly(bytes.fromhex(event["pubkey"])).verify(bytes.fromhex(event["sig"]), bytes.fromhex(event["id"]))
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeEncodeError):
        return False


def tag_of(event: Mapping[str, Any], name: str) -> str:
    return next((tag[1] for tag in event["tags"] if tag[0] == name and len(tag) > 1), "")


def sop_event(secret: bytes, record: Mapping[str, Any], root: str, created: int) -> Event:
    """The event of one SOP."""
    tags = [
        ["d", record["id"]],
        ["title", clean(record["title"])],
        ["summary", clean(record["goal"])],
        ["version", str(record["version"])],
        ["x", str(link_to(encode(record)))],
        ["root", root],
        ["precipitate", canonical_json(record)],
    ]
    return make_event(secret, KIND_SOP, tags, asciidoc(record), created)


def asciidoc(record: Mapping[str, Any]) -> str:
    """The SOP as Asciidoc. Strangers' words stand in pass-through blocks of literal text: no markup in them has effect."""
    mark = "." if record["ordered"] else "*"
    lines = [f"= {_literal(record['title'])}", "", _literal(record["goal"]), ""]
    for step in record["steps"]:
        lines += [f"{mark} {_literal(step['text'])}"]
        for citation in step["citations"]:
            lines += [
                "+",
                "....",
                f"“{clean(citation['exact'])}”",
                f"-- {clean(citation['handle'])}, {clean(citation['created'])[:10]}, {clean(citation['permalink'])}",
                "....",
            ]
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    """A line of plain words: what Asciidoc would act on is written as a character reference."""
    return "".join(c if c.isalnum() or c in " ,.;?!" else f"&#{ord(c)};" for c in clean(text))


# --- relays ---------------------------------------------------------------------------------------------------------


@contextmanager
def relay(url: str, allow_private: bool) -> Iterator[ClientConnection]:
    """A connection to a relay at its checked addresses. Raises SourceError where there is none."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    place = check_place(url, allow_private, ("wss", "ws"))
    try:
        with connect(url, sock=_socket(place), max_size=4_000_000, open_timeout=TIMEOUT, proxy=None) as connection:
            yield connection
    except TimeoutError:
        raise SourceError(f"{url} did not answer within {TIMEOUT:.0f} seconds", "run again later") from None
    except (OSError, WebSocketException) as error:
        raise SourceError(f"{url} cannot be used: {error}", "see that it is a Nostr relay and that it is up") from None


def _socket(place: Place) -> socket.socket:
    plain = socket.create_connection((place.addresses[0], place.port), TIMEOUT)
    if place.parts.scheme != "wss":
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=place.parts.hostname)


def send(connection: ClientConnection, event: Event) -> str | None:
    """Send one event; why the relay refused it, None where it took it."""
    connection.send(json.dumps(["EVENT", event]))
    while True:
        answer = _answer(connection)
        if answer[:2] == ["OK", event["id"]]:
            return None if answer[2] is True else str(answer[3] if len(answer) > 3 else "refused")[:200]


def ask(connection: ClientConnection, wanted: Mapping[str, Any]) -> Iterator[Event]:
    """Sound events that match a filter, newest first, page by page."""
    until: int | None = None
    seen: set[str] = set()
    while True:
        page = list(_page(connection, {**wanted, "limit": PAGE, **({"until": until} if until is not None else {})}))
        fresh = [event for event in page if event["id"] not in seen]
        for event in fresh:
            seen.add(event["id"])
            yield event
        if not fresh or len(seen) > MOST_EVENTS:
            return
        until = min(event["created_at"] for event in page)


def _page(connection: ClientConnection, wanted: Mapping[str, Any]) -> Iterator[Event]:
    connection.send(json.dumps(["REQ", "p", wanted]))
    deadline = time.monotonic() + 6 * TIMEOUT
    count = 0
    while time.monotonic() < deadline and count < MOST_EVENTS:
        answer = _answer(connection)
        if answer[0] in ("EOSE", "CLOSED"):
            break
        if answer[:2] == ["EVENT", "p"] and is_sound(answer[2]) and _matches(answer[2], wanted):
            count += 1
            yield answer[2]
    connection.send(json.dumps(["CLOSE", "p"]))


def _matches(event: Event, wanted: Mapping[str, Any]) -> bool:
    return event["kind"] in wanted["kinds"] and event["pubkey"] in wanted["authors"]


def _answer(connection: ClientConnection) -> list[Any]:
    try:
        answer = json.loads(connection.recv(TIMEOUT))
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, list) and answer and isinstance(answer[0], str) else ["NOTICE", ""]


# --- publishing and fetching ----------------------------------------------------------------------------------------


def publish_nostr(folder: Path, url: str, secret: bytes, allow_private: bool, now: int | None = None) -> dict[str, Any]:
    """Send every SOP that changed and the release's event; take back what is no longer in it."""
    created = int(time.time()) if now is None else now
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    records = list(read_lines(folder, "procedures.jsonl"))
    events = {record["id"]: sop_event(secret, record, manifest["root"], created) for record in records}
    large = {name: event for name, event in events.items() if len(json.dumps(event).encode()) > LARGEST}
    held_back = [{"id": name, "why": f"its event has more than {LARGEST:,} bytes"} for name in large]
    pubkey = make_event(secret, KIND_SOP, [], "", created)["pubkey"]
    sent = removed = 0
    with relay(url, allow_private) as connection:
        there = {tag_of(event, "d"): event for event in ask(connection, {"kinds": [KIND_SOP], "authors": [pubkey]})}
        for name, event in events.items():
            old = there.get(name)
            if name in large or (old is not None and tag_of(old, "x") == tag_of(event, "x")):
                continue
            refused = send(connection, event)
            sent += refused is None
            held_back += [] if refused is None else [{"id": name, "why": f"the relay: {refused}"}]
        gone = [there[name] for name in sorted(there) if name and (name not in events or name in large)]
        for event in gone:
            coordinate = f"{KIND_SOP}:{pubkey}:{tag_of(event, 'd')}"
            taken_back = make_event(
                secret, KIND_DELETE, [["e", event["id"]], ["a", coordinate], ["k", str(KIND_SOP)]], "no longer in the release", created
            )
            removed += send(connection, taken_back) is None
        told = release_value(folder, [record for record in records if record["id"] not in large])
        for part in _release_events(secret, told, created):
            if refused := send(connection, part):
                raise SourceError(f"{url} refuses the release's event: {refused}", "try another relay")
    return {
        "to": url,
        "root": manifest["root"],
        "pubkey": pubkey,
        "sops": sent,
        "removed": removed,
        "too_large": len(large),
        "held_back": held_back,
    }


def release_value(folder: Path, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the release's events hold: its line of the log, and the CID of every SOP that was sent."""
    return {"schema": SCHEMA, "line": read_log(folder / LOG).lines[-1], "sops": {r["id"]: str(link_to(encode(r))) for r in records}}


def _release_events(secret: bytes, told: Mapping[str, Any], created: int) -> Iterator[Event]:
    """The list of CIDs in parts that fit into events; each part says how many there are."""
    names = sorted(told["sops"])
    parts = [names[start : start + PAGE] for start in range(0, len(names), PAGE)] or [[]]
    for number, part in enumerate(parts):
        content = {**told, "sops": {name: told["sops"][name] for name in part}, "part": number, "parts": len(parts)}
        yield make_event(secret, KIND_RELEASE, [["d", f"{RELEASE_D}/{number}"]], canonical_json(content), created)


def fetch_nostr(url: str, pubkey: str, allow_private: bool) -> dict[str, Any]:
    """SOPs of one publisher: {records, left_out, line, key}. Only records with the CID that the release names are in it."""
    if len(pubkey) != 64 or not set(pubkey) <= set("0123456789abcdef"):
        raise UsageError(f"{pubkey[:70]!r} is no public key", "give 64 hex digits: `precipitate key show` of the publisher says them")
    with relay(url, allow_private) as connection:
        parts = [
            event for event in ask(connection, {"kinds": [KIND_RELEASE], "authors": [pubkey]}) if tag_of(event, "d").startswith(RELEASE_D)
        ]
        events = list(ask(connection, {"kinds": [KIND_SOP], "authors": [pubkey]}))
    line, named = _read_release(parts, url)
    found, left_out = [], []
    for event in sorted(events, key=lambda event: (tag_of(event, "d"), event["created_at"])):
        record, why = _read_sop(event, named)
        if record is not None:
            found.append(record)
        else:
            left_out.append({"id": tag_of(event, "d")[:80], "why": why})
    missing = sorted(set(named) - {record["id"] for record in found})
    left_out += [{"id": name, "why": "the relay does not have it"} for name in missing]
    return {"records": found, "left_out": left_out, "line": line, "key": json.loads(line)["entry"]["key"]}


def _read_release(parts: Sequence[Event], url: str) -> tuple[str, dict[str, str]]:
    newest = max((event["created_at"] for event in parts), default=0)
    values = []
    for event in parts:
        if event["created_at"] == newest:
            try:
                value = json.loads(event["content"])
                if value["schema"] == SCHEMA and isinstance(value["sops"], dict) and isinstance(value["line"], str):
                    values.append(value)
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    if not values or len(values) != values[0].get("parts") or len({value["line"] for value in values}) != 1:
        raise SourceError(f"{url} has no whole release of that publisher", "see the address of the relay and the public key")
    line = values[0]["line"]
    wrong = [why for _, why in check_lines([line]).findings if "line before" not in why and "numbered" not in why]
    if wrong:
        raise SourceError(f"the release that {url} has is not signed rightly: {wrong[0]}", "ask who publishes it")
    return line, {str(name): str(cid) for value in values for name, cid in value["sops"].items()}


def _read_sop(event: Event, named: Mapping[str, str]) -> tuple[dict[str, Any] | None, str]:
    try:
        record = json.loads(tag_of(event, "precipitate"))
        posts = {c["post"]: {"body_hash": ""} for step in record["steps"] for c in step["citations"]} | {
            stance["citation"]["post"]: {"body_hash": ""} for stance in record["stances"]
        }
        if record["id"] != tag_of(event, "d") or named.get(record["id"]) != str(link_to(encode(record))):
            return None, "it is not the one that the release names"
        problems = record_problems(record, posts)
        return (None, problems[0]) if problems else (record, "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return None, f"it holds no record: {type(error).__name__}"
