"""Crawling as a list of stages: for each source load what waits, read what is new, load it with its cursor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from index import tables_discussion as tables
from index.config import Config
from index.errors import SourceError
from index.records import Post, Source, Thread
from index.spool import clear_unfinished, load_spool, write_batch
from index.store import Store, now
from index.workspace import Workspace

Progress = Callable[[str, int, int | None], None]  # (source, done, in all if known): lines of an archive, threads of a forum


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What was read from one source in this run; `error` says why it is not all, `way_out` what to do."""

    source: str
    threads: int = 0
    posts: int = 0
    waiting: int = 0  # threads known of but not read yet
    requests: int = 0
    milliseconds: int = 0
    error: str | None = None
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class CrawlReport:
    sources: tuple[SourceReport, ...]

    @property
    def partial(self) -> bool:
        """True if some source was not read, or not to its end."""
        return any(report.error for report in self.sources)

    @property
    def errors(self) -> dict[str, str]:
        return {report.source: report.error for report in self.sources if report.error}


def crawl(workspace: Workspace, store: Store, config: Config, progress: Progress) -> CrawlReport:
    """Read every source. To be called under the workspace's lock; a source that fails does not stop the others."""
    load_waiting(workspace, store)
    return CrawlReport(tuple(crawl_source(workspace, store, config, source, progress) for source in tables.sources(store)))


def load_waiting(workspace: Workspace, store: Store) -> None:
    """Commit what an interrupted run left in the spool."""
    from crawler.live import wait_for_orphan

    wait_for_orphan(workspace)
    clear_unfinished(workspace.spool)
    for _ in load_spool(workspace.spool, store):
        pass


def crawl_source(workspace: Workspace, store: Store, config: Config, source: Source, progress: Progress) -> SourceReport:
    """Read one source as far as it goes; what stops it is noted with the source and in the report."""
    started = time.monotonic()
    try:
        report = READERS[source.kind](workspace, store, config, source, progress)
    except SourceError as error:
        report = {"error": error.message, "way_out": error.way_out}
    tables.set_source_error(store, source.id, report.get("error"))
    return SourceReport(source.id, **report, milliseconds=int((time.monotonic() - started) * 1000))


def _crawl_archive(workspace: Workspace, store: Store, config: Config, source: Source, progress: Progress) -> dict[str, Any]:
    from crawler.archive import read_archive

    threads = posts = 0
    for order, part in enumerate(read_archive(source, tables.cursor(store, source.id), now())):
        if part.fresh:
            tables.forget_rejects(store, source.id)
        write_batch(workspace.spool, source.id, part.records, part.cursor, order)
        for _ in load_spool(workspace.spool, store):
            pass
        threads += sum(isinstance(record, Thread) for record in part.records)
        posts += sum(isinstance(record, Post) for record in part.records)
        progress(source.id, part.line, part.lines)
    return {"threads": threads, "posts": posts}


def _crawl_discourse(workspace: Workspace, store: Store, config: Config, source: Source, progress: Progress) -> dict[str, Any]:
    from crawler.live import crawl_live
    from crawler.sweep import NOT_READ

    tables.forget_rejects(store, source.id, NOT_READ)
    report = crawl_live(workspace, store, source, config.crawl, lambda done, total: progress(source.id, done, total))
    failed = report.pop("failed")
    if failed and not report["error"]:
        report["error"] = f"{failed} of {failed + report['threads']} threads could not be read"
        report["way_out"] = "run again: they are tried again; `precipitate sources` says why"
    return report


READERS: dict[str, Callable[[Workspace, Store, Config, Source, Progress], dict[str, Any]]] = {
    "archive": _crawl_archive,
    "discourse": _crawl_discourse,
}
