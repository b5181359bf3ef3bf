"""Versions are kept, and their difference is whole: applied to the old steps it gives the new ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import StoreError, UnknownName
from index.records import Tombstone
from index.snapshot import FILE, Snapshot, build_snapshot, fingerprint
from index.store import Store, canonical_json
from index.tables_discussion import load_records
from index.tables_procedures import StoredProcedure, current_records, save_procedures
from publish.diff import diff, match, render_diff, words_changed
from tests.rewards.builders import author_id, cite, procedure, stance, step

Record = dict[str, Any]


def version(record: Record, number: int) -> Record:
    return {**record, "version": number, "version_id": f"v{number}", "supersedes": f"v{number - 1}" if number > 1 else None, "sources": []}


def rows(*records: Record) -> list[Record]:
    return [{"version": r["version"], "current": r is records[-1], "record": r} for r in records]


def applied(old: list[Record], changes: list[Record]) -> list[Record]:
    """The new steps, from the old ones and the diff alone."""
    by_number = {item["n"]: item for item in old}
    made = []
    for change in changes:
        if change["op"] == "removed":
            assert by_number[change["old"]] == change["step"]
        elif change["op"] == "added":
            made.append(change["step"])
        else:
            before = by_number[change["old"]]
            assert "".join(words for sign, words in change["text"] if sign != "+") == before["text"]
            pool = list(before["citations"])
            for lost in change["citations"]["lost"]:
                pool.remove(lost)
            for shifted in change["citations"]["shifted"]:
                pool[pool.index(shifted["old"])] = shifted["new"]
            pool += change["citations"]["gained"]
            order = change["citations"]["order"]
            made.append(
                {
                    **before,
                    **{key: value["new"] for key, value in change["fields"].items()},
                    "n": change["new"],
                    "text": "".join(words for sign, words in change["text"] if sign != "-"),
                    "citations": pool if order is None else [pool[place] for place in order],
                }
            )
    return made


TEXTS = st.lists(st.sampled_from(["Open", "the", "form", "Send", "it", "not", "before", "Friday", ",", "é", "\n"]), max_size=8).map(
    " ".join
)
CITES = st.builds(
    cite,
    st.integers(1, 4),
    st.sampled_from(["ann", "bob"]),
    st.integers(1, 5),
    role=st.sampled_from(["states", "confirms"]),
    exact=st.sampled_from(["Open it.", "Send the form.", "Wait."]),
)


@st.composite
def steps(draw: st.DrawFn) -> list[Record]:
    made = []
    for n in range(1, draw(st.integers(0, 6)) + 1):
        extra = {
            "optional": draw(st.booleans()),
            "after": draw(st.lists(st.integers(1, 6), max_size=2)),
            "support": draw(st.integers(0, 2)),
        }
        made.append({**step(n, *draw(st.lists(CITES, max_size=4))), "text": draw(TEXTS), **extra})
    return made


@settings(max_examples=300, deadline=None)
@given(steps(), steps(), st.permutations(range(6)), st.integers(0, 63))
def test_the_old_steps_and_the_diff_give_the_new_ones(old: list[Record], fresh: list[Record], order: list[int], kept: int) -> None:
    """The new version is the old one in part, in another order, with other steps among it."""
    mixed = [old[i] for i in order if i < len(old) and kept >> i & 1] + fresh
    new = [{**item, "n": n} for n, item in enumerate(mixed, start=1)]
    told = diff(rows(version(procedure(*old), 1), version(procedure(*new), 2)))
    assert applied(old, told["steps"]) == new
    assert json.loads(canonical_json(told)) == told
    render_diff(told)


@settings(max_examples=200, deadline=None)
@given(steps())
def test_nothing_differs_from_itself(some: list[Record]) -> None:
    told = diff(rows(version(procedure(*some), 1), version(procedure(*copy.deepcopy(some)), 1)), 1, 1)
    assert not told["changed"] and {change["op"] for change in told["steps"]} <= {"kept"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_words_put_together_are_both_texts(old: str, new: str) -> None:
    pieces = words_changed(old, new)
    assert "".join(words for sign, words in pieces if sign != "+") == old
    assert "".join(words for sign, words in pieces if sign != "-") == new


@settings(max_examples=200, deadline=None)
@given(steps(), steps())
def test_each_step_is_matched_once(old: list[Record], new: list[Record]) -> None:
    pairs = match(old, new)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


# --- what it says -----------------------------------------------------------------------------------------------------

ONE, TWO, THREE, FOUR = (cite(n, name, n, exact=f"Words number {n}.") for n, name in enumerate(("ann", "bob", "cleo", "dora"), start=1))


def grown() -> list[Record]:
    """Two versions: a step removed, one added, one reworded with a new receipt, one moved to the front."""
    old = [
        step(1, ONE, text="Open the form"),
        step(2, TWO, text="Wait a week"),
        step(3, THREE, text="Sign it"),
        step(4, FOUR, text="Send it to the desk"),
    ]
    new = [
        step(1, FOUR, cite(6, "eve", 6, exact="To the office.")) | {"text": "Send it to the office by Friday"},
        step(2, ONE, text="Open the form"),
        step(3, cite(5, "eve", 5, exact="Take a number."), text="Take a number"),
        step(4, THREE, text="Sign it"),
    ]
    objection = stance("dissent", 2, cite(7, "finn", 7, exact="Nobody waits."))
    support = stance("support", 1, cite(8, "gus", 8, exact="Works."))
    first = version(procedure(*old, stances=(objection, support)), 1)
    return rows(first, version(procedure(*new, stances=({**support, "step": 2},)) | {"title": "How to file sop-1"}, 2))


def test_what_changed_is_told() -> None:
    told = diff(grown())
    assert [(c["op"], c["old"], c["new"]) for c in told["steps"]] == [
        ("moved", 4, 1), ("kept", 1, 2), ("added", None, 3), ("kept", 3, 4), ("removed", 2, None),
    ]  # fmt: skip
    assert told["steps"][0]["text"] == [["=", "Send it to the "], ["-", "desk"], ["+", "office by Friday"]]
    assert [c["exact"] for c in told["steps"][0]["citations"]["gained"]] == ["To the office."]
    assert told["supersedes"] and told["changed"] and not told["withdrawn"]
    assert [s["citation"]["exact"] for s in told["stances"]["lost"]] == ["Nobody waits."]
    assert told["stances"]["gained"] == told["stances"]["moved"] == []  # its step has another number, that is all
    text = " ".join(render_diff(told).split())
    for part in (
        *("sop-1: version 1 → 2 (supersedes 1)", "1 added, 1 removed, 1 moved; 2 as they were", "Title: How to [-do-]{+file+} sop-1"),
        *("↕ 1. (was 4) Send it to the [-desk-]{+office by Friday+}", "+ “To the office.”", "+ 3. Take a number", "- 2. Wait a week"),
        "- dissented of step 2: “Nobody waits.”",
    ):
        assert part in text, part


def test_an_inserted_step_does_not_touch_those_behind_it() -> None:
    old = [step(n, cite(n, "ann", n, exact=f"Words {n}.")) | {"after": [n - 1] if n > 1 else []} for n in (1, 2, 3)]
    new = [
        old[0],
        step(2, cite(9, "bob", 9, exact="More.")) | {"after": [1]},
        *({**s, "n": s["n"] + 1, "after": [s["n"]]} for s in old[1:]),
    ]
    told = diff(rows(version(procedure(*old), 1), version(procedure(*new), 2)))
    assert [c["op"] for c in told["steps"]] == ["kept", "added", "kept", "kept"]


def test_an_edit_further_up_in_a_post_changes_no_step_below_it() -> None:
    old = [step(n, cite(n, "ann", n, exact=f"Words {n}.")) for n in (1, 2)]
    new = [{**item, "citations": [{**c, "start": c["start"] + 9, "end": c["end"] + 9} for c in item["citations"]]} for item in old]
    told = diff(rows(version(procedure(*old), 1), version(procedure(*new), 2)))
    assert {c["op"] for c in told["steps"]} == {"kept"} and not told["changed"]
    assert [len(c["citations"]["shifted"]) for c in told["steps"]] == [1, 1]
    assert "Nothing changed but where its words stand" in render_diff(told)
    assert applied(old, told["steps"]) == new


def test_which_versions_are_compared() -> None:
    three = rows(
        *(version(procedure(step(1, ONE, text=text)), n) for n, text in enumerate(("Open it", "Open it wide", "Shut it"), start=1))
    )
    assert [(t["from"], t["to"]) for t in (diff(three), diff(three, 1), diff(three, 1, 2), diff(three, 3, 1))] == [
        (2, 3),
        (1, 3),
        (1, 2),
        (3, 1),
    ]
    assert not diff(three, 3, 1)["supersedes"] and not diff(three, 1, 3)["supersedes"]
    only = diff(three[:1])
    assert (only["from"], only["to"], only["changed"]) == (1, 1, False)
    assert "the only one that is kept" in render_diff(only)
    with pytest.raises(UnknownName, match="no version of sop-1 named '7'") as error:
        diff(three, 7)
    assert error.value.way_out == "there are: 1, 2, 3"
    with pytest.raises(UnknownName) as error:
        diff(three[1:], 1)
    assert error.value.way_out == "there are: 2, 3; versions that quote a post which was taken back are not kept"


# --- where versions are kept ------------------------------------------------------------------------------------------


def save(store: Store, *records: Record) -> None:
    with store.transaction():
        save_procedures(store, [StoredProcedure(r["id"], r["version"], r["version_id"], r, b"") for r in records])


def read(store: Store, path: Path) -> Snapshot:
    path.unlink(missing_ok=True)
    build_snapshot(store, path)
    return Snapshot(path)


def test_readers_have_the_versions_before(tmp_path: Path) -> None:
    first, second = (row["record"] for row in grown())
    with Store(tmp_path / "work.duckdb") as store:
        save(store, first)
        before = fingerprint(store)
        save(store, second)
        assert current_records(store) == [json.loads(canonical_json(second))]
        assert fingerprint(store) != before
        with read(store, tmp_path / FILE) as opened:
            found = opened.versions("sop-1")
            assert [(row["version"], row["current"]) for row in found] == [(1, False), (2, True)]
            assert diff(found) == json.loads(canonical_json(diff(grown())))
        save(store)  # the discussion no longer holds it
        with read(store, tmp_path / FILE) as opened:
            withdrawn = diff(opened.versions("sop-"))
            assert (withdrawn["from"], withdrawn["to"], withdrawn["withdrawn"]) == (1, 2, True)
            assert "No version of it is current" in render_diff(withdrawn)
            with pytest.raises(UnknownName, match="no SOP named 'sop-9'"):
                opened.versions("sop-9")


@pytest.mark.parametrize("how", ["tombstone", "pruned"])
def test_a_version_that_quotes_a_post_taken_back_is_no_history(tmp_path: Path, how: str) -> None:
    from index.records import Author, Post
    from tests.rewards.builders import SOURCE

    first, second = (row["record"] for row in grown())  # the objection, post 7, is quoted by the first alone
    with Store(tmp_path / "work.duckdb") as store:
        post = Post(
            f"{SOURCE}/p/7", SOURCE, f"{SOURCE}/t/1", 7, author_id("finn"), "2024-05-07T10:00:00Z", "raw", "Nobody waits.", "https://x"
        )
        with store.transaction():
            load_records(store, SOURCE, "2024-06-01T00:00:00Z", {Author: [Author(author_id("finn"), SOURCE, "finn")], Post: [post]})
        save(store, first)
        save(store, second)
        if how == "tombstone":
            with store.transaction():
                load_records(store, SOURCE, "2024-06-02T00:00:00Z", {Tombstone: [Tombstone(post.id, "author_deleted", "asked")]})
        else:
            store.execute("UPDATE posts SET state = 'pruned'")
        with read(store, tmp_path / FILE) as opened:
            assert [row["version"] for row in opened.versions("sop-1")] == [2]


def test_a_release_of_an_older_program_says_so(tmp_path: Path) -> None:
    import duckdb

    with Store(tmp_path / "work.duckdb") as store:
        build_snapshot(store, tmp_path / FILE)
    with duckdb.connect(str(tmp_path / FILE)) as old:
        old.execute("DROP TABLE history")
    with Snapshot(tmp_path / FILE) as opened, pytest.raises(StoreError, match="older precipitate") as error:
        opened.versions("sop-1")
    assert "precipitate run" in error.value.way_out
