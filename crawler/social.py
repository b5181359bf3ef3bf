"""What the networks of short messages share: a thread's headline, links in a text, moments told as numbers. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

from crawler.fields import EARLIEST, LEEWAY
from index.records import Edge, Thread

MAX_BODY = 400_000  # characters; the longest article seen on these networks has about a hundredth of it
MAX_EDGES = 50  # mentions, links, quotes of one post; more is no discussion
HEADLINE = 100

_URL = re.compile(r"https?://[^\s<>\"'`{}|\\^\[\]]{1,1000}")


def unix_moment(value: object, now: str, unit: int = 1) -> str | None:
    """Seconds since 1970 (or a `unit`-th of them) as "2024-05-01T10:00:00Z"; None before 1980 or after `now`."""
    if type(value) is not int or not 0 < value < 2**63:
        return None
    try:
        when = datetime.fromtimestamp(value / unit, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if EARLIEST <= when <= datetime.fromisoformat(now) + LEEWAY else None


def source_host(url: str) -> str:
    """Host of an address, with the port and path where they are not the usual ones: what a source is named by."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    usual = {"https": 443, "http": 80, "wss": 443, "ws": 80}.get(parts.scheme)
    port = f":{parts.port}" if parts.port and parts.port != usual else ""
    return f"{host}{port}{parts.path.rstrip('/')}"


def seconds_of(moment: str) -> int:
    """Seconds since 1970 of a moment as the records write it."""
    return int(datetime.fromisoformat(moment).timestamp())


def headline(text: str) -> str:
    """The first line of a message with words in it, cut at a word: such threads have no other title."""
    for line in text.splitlines():
        words = " ".join(line.split())
        if any(letter.isalnum() for letter in words):
            return words if len(words) <= HEADLINE else words[:HEADLINE].rsplit(" ", 1)[0] + "…"
    return ""


def urls(text: str) -> list[str]:
    """Web addresses in a text, each once, without the punctuation that ends a sentence."""
    found = (match.group().rstrip(".,;:!?*_)") for match in _URL.finditer(text))
    return list(dict.fromkeys(url for url in found if url.partition("://")[2]))[:MAX_EDGES]


def edges(post: str, *groups: tuple[str, list[str]]) -> list[Edge]:
    """Edges of one post, each once, none to itself: edges(post, ("quote", […]), ("mention", […]))."""
    found: list[Edge] = []
    for kind, targets in groups:
        found += [Edge(kind, post, target) for target in dict.fromkeys(targets) if target and target != post][:MAX_EDGES]  # type: ignore[arg-type]
    return found


def stub(thread: str, source: str, created: str, permalink: str) -> Thread:
    """A thread of which only a reply was read: it gives way to the thread itself."""
    return Thread(thread, source, "", created, permalink)
