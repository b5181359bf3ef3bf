"""The parent's side of a live crawl: starts the process that asks the forum, and loads its batches as they come."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import load_spool
from index.store import Store
from index.workspace import Workspace

LOG_NAME, LOCK_NAME = "crawl.log", "crawl.lock"
END_SECONDS = 20.0  # how long a process may take to end once it is told to


def crawl_live(workspace: Workspace, store: Store, source: Source, config: CrawlConfig, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Crawl one live forum; returns the process's report (crawler/sweep.py). Raises SourceError if it gives none."""
    log_path = workspace.folder / LOG_NAME
    with open(log_path, "w", encoding="utf-8") as log:
        process = _start(log)
        try:
            report = _follow(process, _job(workspace, store, source, config), workspace.spool, store, tell)
        finally:
            status = _end(process)
    if report is None:
        last = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise SourceError(f"{source.base_url}: the crawling process ended with status {status}: {last[0][:300]}", f"see {log_path}")
    return report


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


def _job(workspace: Workspace, store: Store, source: Source, config: CrawlConfig) -> dict[str, Any]:
    return {
        "source": asdict(source),
        "config": asdict(config),
        "cursor": tables.cursor(store, source.id),
        "recheck": _recheck(store, source),
        "spool": str(workspace.spool),
        "lock": str(workspace.folder / LOCK_NAME),
    }


def _recheck(store: Store, source: Source) -> list[int]:
    """Numbers of the threads where a post was missing at the last look: a second look settles it."""
    numbers = (thread.rpartition("/t/")[2] for thread in tables.unconfirmed_threads(store, source.id))
    return [int(number) for number in numbers if number.isdecimal()]


def _start(log: IO[str]) -> subprocess.Popen[str]:
    """The child finds this very code, wherever it is installed, and (-P) none in the folder where the user stands.

    A session of its own keeps the keyboard's interrupt from it: it ends when its standard input closes.
    """
    root = str(Path(__file__).resolve().parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "crawler.spider"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        env=environment,
        start_new_session=True,
    )


def _follow(
    process: subprocess.Popen[str], job: dict[str, Any], spool: Path, store: Store, tell: Callable[[int, int], None]
) -> dict[str, Any] | None:
    """Load batches while the child writes further ones; its report, or None if it ended without."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    report: dict[str, Any] | None = None
    for text in process.stdout:
        event = json.loads(text)
        for _ in load_spool(spool, store):
            pass
        report = event.get("report", report)
        if "threads" in event:
            tell(event["threads"], event["total"])
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)  # by itself, so that the exit status is its own
    return report


def _end(process: subprocess.Popen[str]) -> int:
    """Close the child's standard input, which is its word to end, and wait."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        return process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        process.stdout.close()
