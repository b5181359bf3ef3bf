"""Nostr events, checked: shape, id and signature. Pure; a bad event gives the reason, never an exception."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_TAGS, MAX_TAG, MAX_CONTENT = 5_000, 20_000, 400_000

_HEX64, _HEX128 = re.compile(r"[0-9a-f]{64}\Z"), re.compile(r"[0-9a-f]{128}\Z")


@dataclass(frozen=True, slots=True)
class Event:
    """A signed event. `tags` hold at least a name and are strings throughout."""

    id: str  # 64 hex digits: the hash of all the rest
    pubkey: str
    created_at: int  # seconds since 1970, as its author says
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str

    def tagged(self, name: str) -> Iterator[tuple[str, ...]]:
        """Tags of that name that have a value."""
        return (tag for tag in self.tags if tag[0] == name and len(tag) > 1)

    def value(self, name: str) -> str | None:
        """The value of the first tag of that name."""
        return next((tag[1] for tag in self.tagged(name)), None)


def is_hex64(value: object) -> bool:
    return isinstance(value, str) and bool(_HEX64.match(value))


def read_event(value: object) -> Event | str:
    """The event, or why it is refused. A forged signature or an id that is not the hash of the rest is refused here."""
    if not isinstance(value, dict):
        return "event is not an object"
    lack = _lack(value)
    if lack:
        return lack
    tags = tuple(tuple(tag) for tag in value["tags"])
    event = Event(value["id"], value["pubkey"], value["created_at"], value["kind"], tags, value["content"])
    digest = event_id(event)
    if digest != event.id:
        return "event id is not the hash of the event"
    return event if _signed(event, value["sig"]) else "forged signature"


def _lack(value: dict[str, Any]) -> str:
    if not is_hex64(value.get("id")):
        return "event without id"
    if not is_hex64(value.get("pubkey")):
        return "event without pubkey"
    if type(value.get("created_at")) is not int or not 0 <= value["created_at"] < 2**53:
        return "event without date"
    if type(value.get("kind")) is not int or not 0 <= value["kind"] < 65_536:
        return "event without kind"
    if not isinstance(value.get("content"), str) or len(value["content"]) > MAX_CONTENT:
        return "event too large" if isinstance(value.get("content"), str) else "event without content"
    if not isinstance(value.get("sig"), str) or not _HEX128.match(value["sig"]):
        return "event without signature"
    return _tags_lack(value.get("tags"))


def _tags_lack(tags: object) -> str:
    if not isinstance(tags, list):
        return "event without tags"
    if len(tags) > MAX_TAGS:
        return "event too large"
    for tag in tags:
        if not isinstance(tag, list) or not tag or not all(isinstance(part, str) and len(part) <= MAX_TAG for part in tag):
            return "event with a broken tag"
    return ""


def event_id(event: Event) -> str:
    """NIP-01: the SHA-256 of the event as JSON; "" where the text cannot be UTF-8."""
    text = json.dumps([0, event.pubkey, event.created_at, event.kind, event.tags, event.content], separators=(",", ":"), ensure_ascii=False)
    try:
        return hashlib.sha256(text.encode("utf-8")).hexdigest()
    except UnicodeEncodeError:
        return ""


def _signed(event: Event, signature: str) -> bool:
    """BIP-340 through libsecp256k1."""
    from coincurve import PublicKeyXOnly

    try:
        return PublicKeyXOnly(bytes.fromhex(event.pubkey)).verify(bytes.fromhex(signature), bytes.fromhex(event.id))
    except ValueError:  # no point of the curve
        return False
