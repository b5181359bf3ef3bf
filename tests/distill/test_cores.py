"""Threads of discussion are worked on side by side: what comes of them must not depend on how many cores there are."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from distill import pipeline
from index.store import Store
from index.tables_discussion import thread_hashes
from index.workspace import find_workspace


def works(demo: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> list[object]:
    """The work of every thread of the demo forum, but for the time that it took."""
    done: list[object] = []
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(pipeline, "save_work", lambda _, works: done.extend(dataclasses.replace(work, micros=0) for work in works))
    workspace = find_workspace(demo)
    with Store(workspace.database, read_only=True) as store:
        hashes = thread_hashes(store)
        for _ in pipeline.work_on(store, workspace.config(), sorted(hashes), hashes):
            pass
    return done


def test_one_core_and_five_give_the_same(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = works(demo, monkeypatch, 1), works(demo, monkeypatch, 5)
    assert len(alone) == 18
    assert alone == together
