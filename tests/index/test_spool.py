"""From spool to store: nothing lost, nothing twice, edits kept, deletions final."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.errors import StoreError
from index.records import Author, Edge, Reaction, Reject, Tombstone
from index.spool import Batch, Record, Roster, clear_unfinished, load_batch, load_spool, read_batch, waiting, write_batch
from index.store import Store, canonical_json, migration_names
from index.tables_discussion import cursor, forget_rejects, read_threads, reject_counts, thread_hashes, unconfirmed_threads
from tests.index.builders import BASE, SOURCE, THREAD, post, post_id


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(":memory:") as opened:
        yield opened


_numbers = iter(range(10_000))


def load(store: Store, *records: Record, at: str = "1", seen: str = "2024-06-01T00:00:00Z") -> None:
    load_batch(store, Batch(f"batch-{next(_numbers)}", SOURCE, seen, {"at": at}, (*BASE, *records)))


def bodies(store: Store) -> dict[str, Any]:
    return {row["id"]: row for row in store.rows("SELECT * FROM posts ORDER BY id")}


def older(store: Store) -> list[str]:
    return [row[0] for row in store.execute("SELECT body FROM post_versions ORDER BY version, body")]


def test_batch_comes_back_as_it_was_written(tmp_path: Path) -> None:
    records = (
        *BASE,
        post(1, "a\nb \ud800"),
        Reaction(post_id(1), "", count=3),
        Roster(THREAD, (post_id(1),)),
        Tombstone("x", "moderated", ""),
    )
    path = write_batch(tmp_path, SOURCE, records, {"at": "9"})
    batch = read_batch(path)
    assert (batch.source, batch.cursor, batch.records) == (SOURCE, {"at": "9"}, records)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_spool_is_loaded_in_order_and_emptied(tmp_path: Path, store: Store) -> None:
    write_batch(tmp_path, SOURCE, [*BASE, post(1, "old")], {"at": "1"}, order=1)
    write_batch(tmp_path, SOURCE, [post(1, "new", version=2)], {"at": "2"}, order=2)
    assert [batch.cursor["at"] for batch in load_spool(tmp_path, store)] == ["1", "2"]
    assert waiting(tmp_path) == [] and cursor(store, SOURCE) == {"at": "2"}
    assert bodies(store)[post_id(1)]["body"] == "new"


def test_killed_between_commit_and_unlink(tmp_path: Path, store: Store) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    path = write_batch(spool, SOURCE, [*BASE, post(1, "body"), Reaction(post_id(1), "", count=2)], {"at": "1"})
    shutil.copy(path, tmp_path / "kept")
    assert len(list(load_spool(spool, store))) == 1
    load(store, post(1, "later", version=2), at="2")
    before = store.execute("SELECT * FROM posts"), cursor(store, SOURCE)
    shutil.copy(tmp_path / "kept", path)
    assert len(list(load_spool(spool, store))) == 1
    assert (store.execute("SELECT * FROM posts"), cursor(store, SOURCE)) == before
    assert waiting(spool) == []


def test_unfinished_files_are_no_batches(tmp_path: Path, store: Store) -> None:
    (tmp_path / ".20240601-00000000-abc.part").write_text('{"id": "x"')
    assert list(load_spool(tmp_path, store)) == []
    clear_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_writer_that_fails_leaves_no_batch(tmp_path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield BASE[0]
        raise OSError("network gone")

    with pytest.raises(OSError, match="network gone"):
        write_batch(tmp_path, SOURCE, broken(), {"at": "1"})
    assert waiting(tmp_path) == []


def test_cursor_moves_only_with_its_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    load(store, post(1, "one"), at="1")
    batch = Batch("failing", SOURCE, "2024-06-02T00:00:00Z", {"at": "2"}, (post(2, "two"),))

    def broken(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("index.tables_discussion.set_cursor", broken)
        with pytest.raises(OSError, match="disk full"):
            load_batch(store, batch)
    assert cursor(store, SOURCE) == {"at": "1"} and list(bodies(store)) == [post_id(1)]
    load_batch(store, batch)
    assert cursor(store, SOURCE) == {"at": "2"} and list(bodies(store)) == [post_id(1), post_id(2)]


def test_a_batch_that_cannot_be_stored_rolls_back_whole(store: Store) -> None:
    load(store, post(1, "one"), at="1")
    wrong = replace(post(2, "two"), number=2**40)
    with pytest.raises(Exception, match=r"(?i)int|range|convert|large"):
        load(store, Author(f"{SOURCE}/u/9", SOURCE, "new"), wrong, at="2")
    assert cursor(store, SOURCE) == {"at": "1"} and list(bodies(store)) == [post_id(1)]
    assert store.execute("SELECT count(*) FROM authors") == [(1,)]
    load(store, post(2, "two"), at="2")
    assert len(bodies(store)) == 2


def test_edit_across_batches_keeps_the_older_version(store: Store) -> None:
    load(store, post(1, "old"), seen="2024-06-01T00:00:00Z")
    load(store, post(1, "new", version=2, edited="2024-05-02T00:00:00Z"), seen="2024-06-02T00:00:00Z")
    row = bodies(store)[post_id(1)]
    assert (row["body"], row["plain"], row["state"], row["version"]) == ("new", "new\n", "edited", 2)
    assert (row["first_seen"], row["last_seen"]) == ("2024-06-01T00:00:00Z", "2024-06-02T00:00:00Z")
    assert older(store) == ["old"]


def test_edit_within_one_batch_keeps_the_older_version(store: Store) -> None:
    load(store, post(1, "old"), post(1, "newer", version=2), post(1, "newest", version=3))
    assert bodies(store)[post_id(1)]["body"] == "newest"
    assert older(store) == ["old", "newer"]


def test_an_older_version_that_comes_late_does_not_take_over(store: Store) -> None:
    load(store, post(1, "new", version=2))
    load(store, post(1, "old", version=1))
    assert bodies(store)[post_id(1)]["body"] == "new" and older(store) == ["old"]


def test_seen_again_is_no_edit(store: Store) -> None:
    load(store, post(1, "same"))
    load(store, post(1, "same", likes=4))
    row = bodies(store)[post_id(1)]
    assert (row["state"], row["likes"]) == ("live", 4) and older(store) == []


def test_what_was_edited_stays_edited_when_seen_again(store: Store) -> None:
    load(store, post(1, "old"), post(1, "new", version=2))
    load(store, post(1, "new", version=2))
    assert bodies(store)[post_id(1)]["state"] == "edited" and older(store) == ["old"]


def test_tombstone_erases_text_and_versions_for_good(store: Store) -> None:
    load(store, post(1, "secret one"), post(2, "other"), Reaction(post_id(1), "x"))
    load(store, post(1, "secret two", version=2))
    load(store, Tombstone(post_id(1), "author_deleted", "asked"))
    load(store, post(1, "secret three", version=3))
    row = bodies(store)[post_id(1)]
    assert (row["body"], row["plain"], row["blocks"], bytes(row["offsets"]), row["state"]) == ("", "", "[]", b"", "author_deleted")
    assert older(store) == [] and store.execute("SELECT * FROM reactions") == []
    (thread,) = read_threads(store, [THREAD])
    assert [p.id for p in thread.posts] == [post_id(2)]


def test_tombstone_in_the_batch_of_its_post(store: Store) -> None:
    load(store, Tombstone(post_id(1), "moderated", "spam"), post(1, "secret"))
    assert bodies(store)[post_id(1)]["body"] == ""


def test_missing_then_pruned_then_back(store: Store) -> None:
    load(store, post(1, "one"), post(2, "two"))
    before = thread_hashes(store)
    states = []
    for present in ((1,), (1,), (1,), (1, 2)):
        load(store, Roster(THREAD, tuple(post_id(n) for n in present)))
        states.append((bodies(store)[post_id(2)]["state"], unconfirmed_threads(store, SOURCE)))
    assert states == [("missing_unconfirmed", [THREAD]), ("pruned", []), ("pruned", []), ("live", [])]
    assert bodies(store)[post_id(2)]["body"] == "two" and thread_hashes(store) == before


def test_missing_once_is_still_read(store: Store) -> None:
    load(store, post(1, "one"))
    load(store, Roster(THREAD, ()))
    assert [p.id for p in read_threads(store, [THREAD])[0].posts] == [post_id(1)]
    load(store, Roster(THREAD, ()))
    assert read_threads(store, [THREAD])[0].posts == () and thread_hashes(store) == {}


def test_an_edited_post_that_comes_back_is_edited(store: Store) -> None:
    load(store, post(1, "old"), post(1, "new", version=2))
    load(store, Roster(THREAD, ()))
    load(store, post(1, "new", version=2), Roster(THREAD, (post_id(1),)))
    assert bodies(store)[post_id(1)]["state"] == "edited"


SURROGATE = "a \ud800 b"


def test_lone_surrogates_in_posts_authors_threads_and_rejects(store: Store) -> None:
    load(
        store,
        Author(f"{SOURCE}/u/2", SOURCE, SURROGATE, SURROGATE),
        replace(BASE[2], title=SURROGATE, tags=(SURROGATE,)),  # type: ignore[type-var]
        post(1, SURROGATE),
        Reject(SOURCE, SURROGATE, "odd", SURROGATE),
        Edge("link", post_id(1), SURROGATE),
    )
    assert bodies(store)[post_id(1)]["body"] == "a ? b"
    load(store, post(1, SURROGATE))
    assert bodies(store)[post_id(1)]["state"] == "live" and older(store) == []
    load(store, post(1, SURROGATE + "!", version=2))
    assert older(store) == ["a ? b"]


@pytest.mark.parametrize(
    "record",
    [Reaction(post_id(1), SURROGATE), Tombstone(post_id(1), "moderated", SURROGATE), replace(BASE[0], title=SURROGATE)],  # type: ignore[type-var]
    ids=["reaction", "tombstone", "source"],
)
def test_lone_surrogates_in_other_records(store: Store, record: Record) -> None:
    load(store, post(1, "one"), record)
    assert list(bodies(store)) == [post_id(1)]


def test_reactions_are_told_whole(store: Store) -> None:
    load(store, post(1, "one"), Reaction(post_id(1), "a"), Reaction(post_id(1), "b"))
    load(store, Reaction(post_id(1), "b"), Reaction(post_id(1), "c", count=0))
    assert store.execute("SELECT actor, count FROM reactions") == [("b", 1)]


def test_post_read_in_part_is_said(store: Store) -> None:
    load(store, post(1, "word " * 100_000))
    assert [(row["reason"], row["count"]) for row in reject_counts(store)] == [("post read only in part", 1)]
    assert len(bodies(store)[post_id(1)]["body"]) == 500_000
    forget_rejects(store, SOURCE)
    assert reject_counts(store) == []


def test_thread_hash_follows_what_distilling_depends_on(store: Store) -> None:
    load(store, post(1, "one"))
    seen = [thread_hashes(store)[THREAD]]
    for change in (post(2, "two"), post(1, "other", version=2), Author(f"{SOURCE}/u/1", SOURCE, "anna"), replace(BASE[2], title="New")):  # type: ignore[type-var]
        load_batch(store, Batch(f"batch-{next(_numbers)}", SOURCE, "2024-06-01T00:00:00Z", {}, (change,)))
        seen.append(thread_hashes(store)[THREAD])
    assert len(set(seen)) == len(seen)
    load_batch(store, Batch(f"batch-{next(_numbers)}", SOURCE, "2024-07-01T00:00:00Z", {}, (post(2, "two", likes=9),)))
    assert thread_hashes(store)[THREAD] == seen[-1]


def test_migrations_run_once_and_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "work.duckdb"
    for _ in range(2):
        with Store(path) as opened:
            assert opened.execute("SELECT name FROM migrations ORDER BY number") == [(name,) for name in migration_names()]
    with Store(path) as opened:
        opened.execute("INSERT INTO migrations VALUES (9999, '9999_later.sql', '2030-01-01T00:00:00Z')")
    with pytest.raises(StoreError, match="9999") as error:
        Store(path)
    assert "newer precipitate" in error.value.way_out


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "work.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="cannot open"):
        Store(path)


def test_transaction_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.execute("INSERT INTO batches VALUES ('a')")
        raise ZeroDivisionError
    assert store.execute("SELECT * FROM batches") == []


def test_canonical_json() -> None:
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
