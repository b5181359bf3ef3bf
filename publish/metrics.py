"""Figures of a run for Prometheus, in the text format that node exporter's textfile collector reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from index.errors import UsageError
from index.records import Run
from index.workspace import write_atomic

STATUSES = ("ok", "partial", "error", "interrupted")
RUN = (
    ("precipitate_run_number", "Number of the last run.", "run"),
    ("precipitate_run_duration_seconds", "How long the last run took.", "seconds"),
)
SOURCE = (
    ("precipitate_source_posts", "Readable posts of a source.", "posts"),
    ("precipitate_source_posts_read", "Posts read from a source by the last crawl.", "read"),
    ("precipitate_source_requests", "Requests to a source in the last crawl.", "requests"),
)


def write_metrics(path: Path, run: Run, fares: Iterable[Mapping[str, Any]]) -> None:
    """Write them whole or not at all: the collector may read at any moment."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder, so no metrics can be written there", "make it, or mend watch.metrics")
    finished = run.finished or run.started
    told = {"run": run.id, "status": run.status, "seconds": _unix(finished) - _unix(run.started)}
    write_atomic(path, metrics(told, fares, finished))


def metrics(told: Mapping[str, Any], fares: Iterable[Mapping[str, Any]], finished: str) -> str:
    """`told`: {"run", "status", "seconds"}; `fares`: rows of index.tables_watch.last_fares."""
    fares = list(fares)
    lines = [line for name, meaning, key in RUN for line in _gauge(name, meaning, [({}, told[key])])]
    lines += _gauge("precipitate_run_finished_timestamp_seconds", "When the last run ended.", [({}, _unix(finished))])
    statuses = [({"status": status}, int(told["status"] == status)) for status in STATUSES]
    lines += _gauge("precipitate_run_status", "How the last run ended: 1 for that status.", statuses)
    for name, meaning, key in SOURCE:
        lines += _gauge(name, meaning, [({"source": fare["source"]}, fare[key]) for fare in fares])
    errors = [({"source": fare["source"]}, int(fare["error"] is not None)) for fare in fares]
    lines += _gauge(
        "precipitate_source_error", "1 where the last crawl of a source did not come to its end, or found it silent or shrunk.", errors
    )
    newest = [({"source": fare["source"]}, _unix(fare["newest"])) for fare in fares if fare["newest"]]
    lines += _gauge("precipitate_source_newest_post_timestamp_seconds", "When the newest post of a source was written.", newest)
    return "\n".join(lines) + "\n"


def _gauge(name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> list[str]:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        inner = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return lines


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unix(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())
