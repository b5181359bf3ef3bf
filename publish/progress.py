"""How far a run is: a bar on a terminal, a line now and then in a log, nothing when asked to be quiet. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from publish.text import clean

Progress = Callable[[str, int, int | None], None]  # (stage, done, in all if known)
EVERY_SECONDS = 10.0


@contextmanager
def reporting(quiet: bool) -> Iterator[Progress]:
    if quiet:
        yield lambda stage, done, total: None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(escape(clean(stage)), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield report


def _lines() -> Progress:
    """One line when a stage begins, ends, and every ten seconds between."""
    told: dict[str, float] = {}

    def report(stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage not in told or done == total or now - told[stage] >= EVERY_SECONDS:
            told[stage] = now
            print(f"{clean(stage)}: {done:,}" + (f" of {total:,}" if total is not None else ""), file=sys.stderr, flush=True)

    return report
