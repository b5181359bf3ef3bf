"""Versions through the store: the same words keep id and version, new words supersede, and what was said before is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distill.pipeline import link_procedures
from index.config import Config
from index.store import Store
from index.tables_procedures import ThreadWork, current_records, save_work, versions
from publish.diff import diff
from tests.distill.builders import SOURCE, axis, draft

GOAL = axis(60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "work.duckdb") as opened:
        yield opened


def whole(thread: int, *places: int) -> dict[str, Any]:
    made = draft(thread, thread, [axis(place) for place in places], axis(thread) if thread > 1 else GOAL)
    lists: dict[str, Any] = {name: [] for name in ("preconditions", "roles", "tools", "verification")}
    return {**made, **lists, "purpose": None, "ordered": True, "quality": {"coherence_bp": 1, "coverage_bp": 1, "gate_bp": 9000}}


def link(store: Store, *drafts: dict[str, Any]) -> list[dict[str, Any]]:
    save_work(store, [ThreadWork(made["thread"], "h", "procedures", "", {}, [made], 9, 9, 1) for made in drafts])
    link_procedures(store, Config())
    return current_records(store)


def kept(store: Store, identifier: str) -> list[dict[str, Any]]:
    return [{"version": old.version, "current": False, "record": old.record} for old in versions(store, identifier)]


def test_nothing_new_said_changes_no_byte(store: Store) -> None:
    first = link(store, whole(1, 1, 2, 3))
    assert link(store, whole(1, 1, 2, 3)) == first
    both = link(store, whole(1, 1, 2, 3), whole(2, 11, 12, 13))  # another thread is none of its business
    assert [record for record in both if record["id"] == first[0]["id"]] == first
    assert len(versions(store, first[0]["id"])) == 1


def test_support_alone_is_no_new_version(store: Store) -> None:
    (first,) = link(store, whole(1, 1, 2, 3))
    more = whole(1, 1, 2, 3)
    more["steps"][0] |= {"support": 4, "supporters": [f"{SOURCE}/u/x"]}
    (second,) = link(store, more)
    assert (second["id"], second["version"], second["steps"][0]["support"]) == (first["id"], 1, 4)
    assert len(versions(store, first["id"])) == 1


def test_new_words_supersede_and_the_old_ones_stay(store: Store) -> None:
    (first,) = link(store, whole(1, 1, 2, 3))
    grown = whole(1, 1, 2, 3, 4)
    (second,) = link(store, grown)
    assert (second["id"], second["version"], second["supersedes"]) == (first["id"], 2, first["version_id"])
    (third,) = link(store, whole(1, 1, 2, 3))  # the addition was taken out again: a version of its own, not the first again
    assert (third["id"], third["version"], third["supersedes"]) == (first["id"], 3, second["version_id"])
    history = kept(store, first["id"])
    assert [row["record"] for row in history] == [first, second, third]
    told = diff(history, 1, 2)
    assert ([step["op"] for step in told["steps"]], told["supersedes"]) == (["kept", "kept", "kept", "added"], True)
    assert [step["op"] for step in diff(history)["steps"]] == ["kept", "kept", "kept", "removed"]
    assert not any(step["op"] != "kept" for step in diff(history, 1, 3)["steps"])


def test_a_withdrawn_procedure_comes_back_under_its_id(store: Store) -> None:
    (first,) = link(store, whole(1, 1, 2, 3))
    save_work(store, [ThreadWork(first["threads"][0], "h2", "abstained", "nothing reads like a step", {}, [], 9, 9, 1)])
    link_procedures(store, Config())
    assert current_records(store) == [] and len(kept(store, first["id"])) == 1
    assert link(store, whole(1, 1, 2, 3)) == [first]


def test_an_edit_at_the_top_of_a_post_keeps_the_id(store: Store) -> None:
    """Every span moves, no word does: a version of its own, for its receipts are others, in the same lineage."""
    (first,) = link(store, whole(1, 1, 2, 3))
    moved = whole(1, 1, 2, 3)
    for step in moved["steps"]:
        step["citations"][0] |= {"start": step["citations"][0]["start"] + 7, "end": step["citations"][0]["end"] + 7}
    (second,) = link(store, moved)
    assert (second["id"], second["version"]) == (first["id"], 2)
    assert {step["op"] for step in diff(kept(store, first["id"]))["steps"]} == {"kept"}
