"""What readers see of a store, and that they can see nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from index.current import current_release
from index.errors import StoreError, UnknownName, UsageError
from index.snapshot import FILE, Snapshot, build_snapshot, fingerprint, missing_migrations
from index.store import Store
from index.workspace import Workspace
from publish.inventory import inventory, render_inventory

THREAD = "discourse:forum.harbourside.example/t/41"


@pytest.fixture
def snapshot(store: Store, tmp_path: Path) -> Iterator[Snapshot]:
    build_snapshot(store, tmp_path / FILE)
    with Snapshot(tmp_path / FILE) as opened:
        yield opened


@pytest.mark.parametrize(
    "text",
    [
        THREAD,
        "discourse:forum.harbourside.example/p/126",
        "https://forum.harbourside.example/t/41",
        "https://forum.harbourside.example/t/41/",
        "https://forum.harbourside.example/t/41/3",
        "https://forum.harbourside.example/t/how-to-apply/41/3?u=ann#reply",
        "https://FORUM.harbourside.example/t/any-words/41",
    ],
)
def test_thread_is_found_by_id_address_or_post(snapshot: Snapshot, text: str) -> None:
    if "/p/" in text:
        text = snapshot.store.execute("SELECT id FROM posts WHERE thread = ? AND number = 2", [THREAD])[0][0]
    row = snapshot.thread(text)
    assert row["id"] == THREAD
    assert (row["outcome"], row["report"], len(row["procedures"])) == ("procedures", {"lists": 1}, 1)


def test_unknown_thread_is_answered_with_the_nearest(snapshot: Snapshot) -> None:
    with pytest.raises(UnknownName, match="no thread named") as told:
        snapshot.thread("discourse:forum.harbourside.example/t/4l")
    assert "/t/41" in told.value.way_out


def test_enough_of_an_id_is_enough(snapshot: Snapshot) -> None:
    known = [row["id"] for row in snapshot.procedures()]
    assert snapshot.record(known[0])["id"] == snapshot.record(known[0][:10])["id"] == snapshot.record(known[0][4:12])["id"] == known[0]
    with pytest.raises(UsageError, match="SOPs") as told:
        snapshot.record("sop-")
    assert "and 7 more" in told.value.way_out
    with pytest.raises(UnknownName, match="no SOP named 'sop-nope'"):
        snapshot.record("sop-nope")


def test_inventory_counts_add_up(snapshot: Snapshot, store: Store) -> None:
    (row,) = inventory(snapshot)["sources"]
    assert (row["posts"], row["threads"]) == store.execute("SELECT count(*), count(DISTINCT thread) FROM posts")[0]
    assert row["procedures"] == row["threads_with_procedures"] == len(snapshot.procedures())
    assert row["threads"] - row["threads_with_procedures"] == sum(entry["threads"] for entry in row["threads_without_procedure"])
    assert row["procedures_per_1000_posts"] == round(1000 * row["procedures"] / row["posts"], 2)
    assert sum(entry["count"] for entry in row["left_out"]) == store.execute("SELECT count(*) FROM rejects")[0][0]
    text = render_inventory(inventory(snapshot))
    assert "no list" in text
    assert "moderator's action without text" in text


def test_inventory_of_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "work.duckdb") as store:
        build_snapshot(store, tmp_path / FILE)
    with Snapshot(tmp_path / FILE) as opened:
        assert inventory(opened) == {"sources": [], "stages": []}
        assert "No source yet" in render_inventory(inventory(opened))


def test_snapshot_reads_no_other_file_and_writes_none(snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"ATTACH '{tmp_path}/other.duckdb'",
        f"COPY posts TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
        "DELETE FROM posts",
    ):
        with pytest.raises(duckdb.Error):
            snapshot.store.execute(sql)


def test_fingerprint_follows_what_is_shown(store: Store) -> None:
    before = fingerprint(store)
    assert fingerprint(store) == before
    store.execute("UPDATE threads SET title = 'Another title' WHERE id = ?", [THREAD])
    assert fingerprint(store) != before


def test_missing_release_and_missing_snapshot_say_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing has been released") as told:
        current_release(workspace)
    assert told.value.way_out == "run `precipitate run`"
    with pytest.raises(StoreError, match="is missing"):
        Snapshot(tmp_path / "nothing.duckdb")


def test_database_newer_than_the_program(workspace: Workspace) -> None:
    assert missing_migrations(workspace.database) == []
    with Store(workspace.database) as store:
        store.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql', '')")
    with pytest.raises(StoreError, match=r"9999_later\.sql"):
        missing_migrations(workspace.database)
