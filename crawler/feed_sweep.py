"""Reading a feed: asked with ETag and Last-Modified, so that one that has not changed costs an empty answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from crawler.answers import Answer, complain
from crawler.feed import feed_records, feed_title, parse_feed
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import now

KINDS = {"Accept": "application/atom+xml, application/rss+xml, application/feed+json;q=0.5, application/xml;q=0.9, */*;q=0.1"}


def find(address: str, probe: Probe) -> Source | None:
    """Any web address that answers with a feed."""
    if not address.startswith(("http://", "https://")):
        return None
    answer = probe.reads(address, headers=KINDS)
    if answer is None or answer.status != 200:
        return None
    title = feed_title(parse_feed(answer.body, answer.url))
    if title is None:
        return None
    parts = urlsplit(address)
    name = f"feed:{parts.netloc.lower()}{parts.path.rstrip('/')}" + (f"?{parts.query}" if parts.query else "")
    return Source(id=name, kind="feed", address=address, base_url=address, title=title, allow_private=probe.allow_private)


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    url, headers = job.source.base_url, dict(KINDS)
    if job.cursor.get("etag"):
        headers["If-None-Match"] = job.cursor["etag"]
    if job.cursor.get("modified"):
        headers["If-Modified-Since"] = job.cursor["modified"]
    answer = await ask(url, headers=headers)
    if answer.status == 304:
        return
    complain(answer)
    if feed_title(parse_feed(answer.body, answer.url)) is None:
        raise SourceError(f"{url} is no feed any more", "see whether it has moved, and add the new address")
    records = feed_records(job.source.id, url, answer.body, answer.seen or now())
    cursor = {"etag": answer.headers.get("etag", "")[:500], "modified": answer.headers.get("last-modified", "")[:100]}
    emit(told_by(records, answer), cursor)


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    for answer in answers:
        if answer.status == 200:
            yield told_by(feed_records(source.id, source.base_url, answer.body, answer.seen), answer)
