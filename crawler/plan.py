"""What a crawl would ask, found out without asking: each sweep is begun, and its first request is written down, not sent.

What follows is told as far as cursor and store know it (crawler/outlook.py); the rest depends on the answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.ask import WAITS
from crawler.job import Budget, Channel, Job, StoppedError
from crawler.outlook import outlook
from crawler.registry import ARCHIVES, network, part
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import Store


def plan(store: Store, config: CrawlConfig) -> list[dict[str, Any]]:
    """For every source: what is asked first, how much waits, how much may be asked, how fast, and from when on."""
    return [_archive(source) if source.kind in ARCHIVES else _live(store, source, config) for source in tables.sources(store)]


def _archive(source: Source) -> dict[str, Any]:
    return {"source": source.id, "kind": source.kind, "reads": source.address, "asks": []}


def _live(store: Store, source: Source, config: CrawlConfig) -> dict[str, Any]:
    cursor = tables.cursor(store, source.id)
    holds = {name.removeprefix(WAITS): until for name, until in cursor.items() if name.startswith(WAITS)}
    told: dict[str, Any] = {
        "source": source.id,
        "kind": source.kind,
        "reads": source.address,
        "asks": [],
        "then": [],
        "waiting": 0,
        "error": None,
    }
    try:
        hints = network(source.kind).hints
        job = Job(source, cursor, config, Budget(config.max_requests), asyncio.Event(), _no_stream, _no_archive)
        job.hints = part(hints)(store, source) if hints else {}
        cursor = dict(cursor)  # a sweep may change its own copy
        told["asks"] = asyncio.run(_begin(job))
        job.cursor = cursor
        told["waiting"] = job.report.waiting
        told["then"] = outlook(job)
    except SourceError as error:
        told["error"] = error.message
    return told | {
        "at_most": config.max_requests,
        "seconds_between": config.delay_seconds,
        "at_most_seconds": int(config.max_requests * config.delay_seconds),
        "not_before": {host: until for host, until in holds.items() if datetime.fromisoformat(until).timestamp() > time.time()},
    }


async def _begin(job: Job) -> list[str]:
    """The first requests of a sweep: it is stopped at its first one, as where nothing may be asked."""
    asked: list[str] = []

    async def ask(
        url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None, keep: bool = True
    ) -> Answer:
        parts = urlsplit(url)
        asked.extend([f"GET {parts.scheme}://{parts.netloc}/robots.txt", f"{method} {url}"])
        raise StoppedError("nothing is asked")

    def connect(url: str) -> AbstractAsyncContextManager[Channel]:
        asked.append(f"CONNECT {url}")
        raise StoppedError("nothing is asked")

    job.connect = connect
    with suppress(SourceError):
        await part(network(job.source.kind).sweep)(job, ask, _forget)
    return asked


def _forget(records: Iterable[Record], cursor: Mapping[str, str], done: int | None = None, total: int | None = None) -> None:
    """Nothing of a dry run is kept."""


def _no_stream(url: str) -> AbstractAsyncContextManager[Channel]:
    raise StoppedError("nothing is asked")


def _no_archive(url: str, body: bytes) -> Answer:
    return Answer(url, 0, {}, body)
