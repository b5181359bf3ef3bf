"""Crawling as a list of stages: load what waits, start the live sources, read the archives meanwhile, load what comes.

All live sources are asked by one process, side by side; this one loads their batches and reads archives between them.
"""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from crawler.archive import Part
from crawler.live import Event, Live, wait_for_orphan
from crawler.rawfiles import clear_unknown, redact
from crawler.registry import ARCHIVES, network, part
from crawler.report import CrawlReport, SourceReport
from crawler.watch import judge
from index import tables_discussion as tables
from index.config import Config
from index.errors import SourceError
from index.plain_apart import PlainApart
from index.records import Post, Source, Thread
from index.spool import Batch, bodies, clear_unfinished, load_batch, load_spool
from index.store import Store, now
from index.workspace import Workspace

Progress = Callable[[str, int, int | None], None]  # (source, done, in all if known): lines of an archive, threads of a forum
NOT_READ = "not read: "  # rejects whose reason begins so wait for another try: they are told anew by each run


def crawl(workspace: Workspace, store: Store, config: Config, progress: Progress) -> CrawlReport:
    """Read every source. To be called under the workspace's lock; a source that fails does not stop the others."""
    load_waiting(workspace, store)
    sources = tables.sources(store)
    redact(workspace, store, sources)  # what a run left undone that was killed
    try:
        reports = _Crawl(workspace, store, config, progress).run(sources)
    finally:
        redact(workspace, store, sources)
    judged = judge(store, config.watch, sources, reports)
    for report in judged:
        tables.set_source_error(store, report.source, report.error)
    return CrawlReport(judged)


def load_waiting(workspace: Workspace, store: Store) -> None:
    """Commit what an interrupted run left in the spool, and clear the raw archive of what no batch speaks of."""
    wait_for_orphan(workspace)
    clear_unfinished(workspace.spool)
    for _ in load_spool(workspace.spool, store):
        pass
    clear_unknown(workspace, store)


def read_archive(store: Store, source: Source) -> Iterator[Part]:
    """Bring what an archive holds beyond its cursor into the store; each part once it is committed.

    No way through the spool: the archive itself is what a crash reads again.
    """
    parts = part(ARCHIVES[source.kind].read)(source, tables.cursor(store, source.id), now())
    with store.frugal(), PlainApart() as apart:
        for piece, plains in apart.ahead(parts, lambda piece: bodies(piece.records)):
            if piece.fresh:
                tables.forget_rejects(store, source.id)
            load_batch(store, Batch(uuid.uuid4().hex, source.id, now(), piece.cursor, tuple(piece.records), plains))
            yield piece


class _Crawl:
    def __init__(self, workspace: Workspace, store: Store, config: Config, progress: Progress) -> None:
        self.workspace, self.store, self.config, self.progress = workspace, store, config, progress
        self._started = time.monotonic()
        self._reports: dict[str, SourceReport] = {}

    def run(self, sources: list[Source]) -> list[SourceReport]:
        archives = [source for source in sources if source.kind in ARCHIVES]
        live = [source for source in sources if source.kind not in ARCHIVES and self._known(source)]
        if live:
            for source in live:
                tables.forget_rejects(self.store, source.id, NOT_READ)
            with Live(self.workspace, self.store, live, self.config.crawl) as process, _stopping(process):
                for source in archives:
                    self._read_archive(source, process)
                for event in process.events(wait=True):
                    self._take(event)
        else:
            for source in archives:
                self._read_archive(source, None)
        return [self._reports[source.id] for source in sources]

    def _known(self, source: Source) -> bool:
        """A source of a kind that this version cannot read is reported, and the others are read."""
        try:
            network(source.kind)
        except SourceError as error:
            self._note(source.id, self._started, {"error": error.message, "way_out": error.way_out})
            return False
        return True

    def _take(self, event: Event) -> None:
        source = event["source"]
        if "report" not in event:
            self.progress(source, event["done"], event["total"])
            return
        report = dict(event["report"])
        failed = report.pop("failed", 0)
        if failed and not report["error"]:
            report["error"] = f"{failed} of {failed + report['threads']} threads could not be read"
            report["way_out"] = "run again: they are tried again; `precipitate sources` says why"
        self._note(source, self._started, report)

    def _read_archive(self, source: Source, process: Live | None) -> None:
        started = time.monotonic()
        try:
            report = self._read_parts(source, process)
        except SourceError as error:
            report = {"error": error.message, "way_out": error.way_out}
        self._note(source.id, started, report)

    def _read_parts(self, source: Source, process: Live | None) -> dict[str, Any]:
        threads = posts = 0
        for piece in read_archive(self.store, source):
            threads += sum(isinstance(record, Thread) for record in piece.records)
            posts += sum(isinstance(record, Post) for record in piece.records)
            self.progress(source.id, piece.line, piece.lines)
            for event in process.events(wait=False) if process else ():
                self._take(event)
        return {"threads": threads, "posts": posts}

    def _note(self, source: str, started: float, report: dict[str, Any]) -> None:
        tables.set_source_error(self.store, source, report.get("error"))
        self._reports[source] = SourceReport(source, **report, milliseconds=int((time.monotonic() - started) * 1000))


@contextmanager
def _stopping(process: Live) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the crawl softly, with all that was read so far; a second one at once.

    Either way KeyboardInterrupt is what comes of it: after a soft stop nothing further of a run is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told = False

    def stop(number: int, frame: object) -> None:
        nonlocal told
        if told:
            raise KeyboardInterrupt
        told = True
        process.stop()

    earlier = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in earlier.items():
            if handler is not signal.SIG_IGN:  # as nohup and a shell's background want it
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt
