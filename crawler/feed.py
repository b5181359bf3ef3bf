"""From RSS and Atom to records: pure. Each entry is a thread of one post, or a reply where the feed says to what."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from crawler.fields import line
from crawler.reading import Reading, thread_meant
from index.records import Edge
from index.spool import Record

if TYPE_CHECKING:
    from feedparser import FeedParserDict

MAX_ENTRIES = 10_000


def parse_feed(body: bytes, url: str) -> FeedParserDict:
    """What feedparser makes of a body. It never asks anything, and its own cleaning of HTML is off: ours reads what was sent."""
    import feedparser

    return feedparser.parse(body, response_headers={"content-location": url}, sanitize_html=False, resolve_relative_uris=False)


def feed_title(feed: FeedParserDict) -> str | None:
    """The feed's title, "" where it has none; None where this is no feed at all."""
    known = bool(feed.get("version")) and ("title" in feed.get("feed", {}) or bool(feed.get("entries")))
    return line(feed.get("feed", {}).get("title"), 200) or "" if known else None


def feed_records(source: str, url: str, body: bytes, now: str) -> list[Record]:
    """Records of all entries. An entry without id is named by its link."""
    reading = Reading(source, now)
    feed = parse_feed(body, url)
    if feed_title(feed) is None:
        reading.reject(url, "no feed", str(feed.get("bozo_exception", ""))[:200])
        return reading.records
    owner = line(feed.feed.get("author"), 100) or line(feed.feed.get("title"), 100) or urlsplit(url).hostname or "feed"
    for number, entry in enumerate(feed.entries[:MAX_ENTRIES], 1):
        _entry(reading, source, url, entry, number, owner)
    return reading.records


def _entry(reading: Reading, source: str, url: str, entry: Any, number: int, owner: str) -> None:
    name = line(entry.get("id"), 1_000) or line(entry.get("link"), 1_000)
    if not name:
        reading.reject(f"{url} entry {number}", "entry without id or link")
        return
    post = f"{source}/{_short(name)}"
    answered = _answered(entry)
    thread = f"{source}/t/{_short(answered or name)}"
    link = urljoin(url, line(entry.get("link"), 1_000) or "")
    link = link if link.startswith(("http://", "https://")) else url
    shown = line(entry.get("author"), 100) or owner
    author = reading.author(f"{source}/u/{shown.lower()}", shown)
    # Not `entry.get`: feedparser would take the one for the other where one is missing.
    edited = _time(dict.get(entry, "updated_parsed"))
    created = _time(dict.get(entry, "published_parsed")) or edited
    format, text = _words(entry)
    reply = None if answered is None else f"{source}/{_short(answered)}"
    if not reading.post(post, thread, author, created, text, "cooked" if format else "text", link, edited, reply):
        return
    if answered is None:
        tags = [tag.get("term") for tag in entry.get("tags", ()) if isinstance(tag, dict)]
        reading.thread(thread, entry.get("title"), created, link, "", tags)
    meant = thread_meant(entry.get("comments"))
    if meant and meant.startswith("discourse:"):
        reading.records.append(Edge("discusses", post, meant))


def _short(name: str) -> str:
    """Ids of feeds are addresses of any length: a post is named by a hash of them."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:24]


def _answered(entry: Any) -> str | None:
    """RFC 4685: `<thr:in-reply-to ref="…"/>`."""
    told = entry.get("thr_in-reply-to")
    return line(told.get("ref"), 1_000) or None if isinstance(told, dict) else None


def _time(parsed: Any) -> str | None:
    try:
        return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*parsed[:6]) if parsed else None
    except (TypeError, ValueError, IndexError):
        return None


def _words(entry: Any) -> tuple[bool, str]:
    """(is HTML, text): the content where there is one, else the summary, else the title."""
    for part in [*entry.get("content", ()), entry.get("summary_detail"), entry.get("title_detail")]:
        if isinstance(part, dict) and str(part.get("value") or "").strip():
            return "html" in str(part.get("type")), str(part["value"])
    return False, ""
