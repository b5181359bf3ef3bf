"""The parent's side of live crawling: starts the process that asks, loads its batches as they come, tells it to stop."""

from __future__ import annotations

import fcntl
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from crawler.registry import network, part
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import load_spool
from index.store import Store
from index.workspace import Workspace

LOG_NAME, LOCK_NAME = "crawl.log", "crawl.lock"
END_SECONDS = 20.0  # how long a process may take to end once it is told to

Event = dict[str, Any]


class Live:
    """The process that asks all live sources, as `with Live(…) as live:`; it never outlives the block."""

    def __init__(self, workspace: Workspace, store: Store, sources: Sequence[Source], config: CrawlConfig) -> None:
        self.workspace, self.store = workspace, store
        self._left = {source.id for source in sources}
        self._log_path = workspace.folder / LOG_NAME
        self._log: IO[str] = open(self._log_path, "w", encoding="utf-8")  # noqa: SIM115
        self._events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        work = {
            "sources": [_task(store, source) for source in sources],
            "config": asdict(config),
            "spool": str(workspace.spool),
            "raw": str(workspace.raw),
            "lock": str(workspace.folder / LOCK_NAME),
        }
        self._process = _start(self._log)
        self._say(json.dumps(work))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def stop(self) -> None:
        """Tell every sweep to end soon with what it has."""
        self._say("stop")

    def events(self, wait: bool) -> Iterator[Event]:
        """What has come since, each event after its batches were loaded; with `wait` until the process has ended.

        A source for which no report ever comes gets one that says how the process ended.
        """
        while True:
            try:
                line = self._events.get(block=wait)
            except queue.Empty:
                return
            for _ in load_spool(self.workspace.spool, self.store):
                pass
            if line is None:
                yield from self._without_report()
                return
            event: Event = json.loads(line)
            if "report" in event:
                self._left.discard(event["source"])
            yield event

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(line)
        self._events.put(None)

    def _without_report(self) -> Iterator[Event]:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)  # by itself, so that the exit status is its own
        if self._left:
            last = self._log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["no word"]
            why = f"the crawling process ended with status {self._process.returncode}: {last[0][:300]}"
            for source in sorted(self._left):
                yield {"source": source, "report": {"error": f"{source}: {why}", "way_out": f"see {self._log_path}"}}

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _end(self) -> None:
        """Close the child's standard input, which is its word to end, and wait."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._log.close()


def wait_for_orphan(workspace: Workspace) -> None:
    """Wait until the process of a run that was killed has ended: its last batch must be there before the spool is loaded."""
    deadline = time.monotonic() + END_SECONDS
    with open(workspace.folder / LOCK_NAME, "a", encoding="utf-8") as handle:
        while True:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise SourceError(f"{handle.name} is still held by the crawling process of an earlier run", "end that process")
            time.sleep(0.05)


def _task(store: Store, source: Source) -> dict[str, Any]:
    hints = network(source.kind).hints
    return {
        "source": asdict(source),
        "cursor": tables.cursor(store, source.id),
        "hints": part(hints)(store, source) if hints else {},
    }


def _start(log: IO[str]) -> subprocess.Popen[str]:
    """The child finds this very code, wherever it is installed, and (-P) none in the folder where the user stands.

    A session of its own keeps the keyboard's interrupt from it: it ends when its standard input closes.
    """
    root = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "crawler.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        env=environment,
        start_new_session=True,
    )
