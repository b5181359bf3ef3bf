"""Labelled threads as the trainers see them: passages, words, facts, and which passages are steps or stances."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from distill.features import read_frames
from distill.passages import ReadThread, read_thread
from distill.scorers import Linear, to_bp
from distill.scoring import see
from distill.windows import Window, windows_of
from index.records import Frame
from index.store import Store
from index.tables_discussion import read_threads

MOST_KEPT = 10  # most hopeful windows of a thread by the cheap scorer: others are never read, so nothing is learnt from them


@dataclass(slots=True)
class Example:
    read: ReadThread
    label: dict[str, Any]
    steps: set[tuple[int, int]]  # (post, passage) that state a step
    stances: dict[tuple[int, int], str]
    frames: tuple[tuple[Frame | None, ...], ...]  # per post
    inputs: tuple[tuple[list[list[int]], np.ndarray[Any, Any]], ...]  # per post: hashed words and facts of its passages
    readings: dict[tuple[int, int], np.ndarray[Any, Any]] = field(default_factory=dict)  # by (post, passage)
    vectors: dict[tuple[int, int], np.ndarray[Any, Any]] = field(default_factory=dict)


def load_examples(workspace: Path, labels: Path) -> list[Example]:
    rows = {row["thread"]: row for row in map(json.loads, labels.read_text().strip().split("\n"))}
    with Store(workspace / ".precipitate" / "work.duckdb") as store:  # not read-only: see bench.lifecycle
        threads = read_threads(store, sorted(rows))
    missing = set(rows) - {thread.id for thread in threads}
    if missing:
        print(f"{len(missing)} labelled threads are not in the workspace, such as {sorted(missing)[0]}", file=sys.stderr)
    return [example(read_thread(thread), rows[thread.id]) for thread in threads]


def example(read: ReadThread, label: dict[str, Any]) -> Example:
    frames = tuple(tuple(read_frames(post)) for post in read.posts)
    inputs = tuple(see(read, post, own) for post, own in zip(read.posts, frames, strict=True))
    steps = {place for p in label["procedures"] for s in p["steps"] for e in s["evidence"] if (place := find(read, e))}
    stances: dict[tuple[int, int], str] = {}
    for procedure in label["procedures"]:
        for kind, name in (("support", "support"), ("dissent", "dissent"), ("amendments", "amendment")):
            for stance in procedure[kind]:
                if (place := find(read, stance["span"])) and place not in steps:
                    stances[place] = name
    return Example(read, label, steps, stances, frames, inputs)


def find(read: ReadThread, span: Sequence[Any]) -> tuple[int, int] | None:
    """The passage that covers most of a labelled span."""
    post_id, start, end = span
    best: tuple[int, tuple[int, int]] | None = None
    for number, post in enumerate(read.posts):
        if post.post.id == post_id:
            for place, passage in enumerate(post.passages):
                overlap = min(end, passage.end) - max(start, passage.start)
                if overlap > 0 and (best is None or overlap > best[0]):
                    best = (overlap, (number, place))
    return best[1] if best else None


def hopeful(example: Example, cheap: Linear) -> list[Window]:
    """The windows of a thread that may come to be read, and all that hold a label."""
    labelled = example.steps | set(example.stances)
    ranked: list[tuple[int, int, int, Window]] = []
    for post in example.read.posts:
        if post.passages:
            hopes = to_bp(cheap.margins(*example.inputs[post.number]))
            for window in windows_of(example.read, post):
                hope = sum(sorted((hopes[place] for place in window.places), reverse=True)[:3])
                ranked.append((-hope, window.post, window.first, window))
    kept = [window for *_, window in sorted(ranked, key=lambda r: r[:3])]
    return kept[:MOST_KEPT] + [w for w in kept[MOST_KEPT:] if any((w.post, place) in labelled for place in w.places)]
