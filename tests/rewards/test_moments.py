"""When words count from: each rule of rewards/moments.py, by what a store observed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from index import tables_evidence as tables
from index.records import Author, Edge, Post, Source, Thread
from index.store import Store
from index.tables_discussion import load_records
from rewards.evidence import moments_of
from rewards.moments import Looks, Observed, Quote, Version, holds, moment_of

WORDS = "Submit the signed form to the treasury clerk before noon."
POST = Observed("2024-01-01T00:00:00Z", None, "2024-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "discourse:a")
LIVE = Looks("discourse", ("2024-01-02", "2024-06-01"))
FOUNDED = "2024-01-02"


def since(post: Observed, looks: Looks | None = LIVE, words: str = WORDS, founded: str = FOUNDED) -> str:
    return moment_of(words, post, looks, founded).since[:10]


def test_an_unedited_post_counts_from_its_date() -> None:
    assert since(POST) == "2024-01-01"
    assert moment_of(WORDS, POST, LIVE, FOUNDED).why == ""


def test_words_put_in_later_count_from_the_edit_that_brought_them() -> None:
    old = Version("Something else entirely, about gardens and rivers.", None)
    edited = replace(POST, edited="2025-03-03T00:00:00Z", earlier=(old,))
    assert since(edited) == "2025-03-03"
    assert since(replace(POST, earlier=(old,))) == "2026-01-01", "the source hides that it was edited: when it was last seen"
    between = Version(f"Something else. {WORDS}", "2024-09-09T00:00:00Z")
    assert since(replace(edited, earlier=(old, between))) == "2024-09-09"


def test_mending_a_typo_costs_nothing() -> None:
    typo = Version("Submit the singed form to the treasury clerk before noon.", None)
    assert since(replace(POST, edited="2025-03-03T00:00:00Z", earlier=(typo,))) == "2024-01-01"
    assert not holds("clerk form noon submit\nthe treasury\nsigned before", WORDS), "the words must stand together"


def test_an_edit_before_the_first_look_counts_from_the_edit_unless_somebody_quoted_the_words() -> None:
    edited = replace(POST, edited="2024-05-05T00:00:00Z")
    assert since(edited) == "2024-05-05"
    assert since(replace(edited, quotes=(Quote("2024-02-02T00:00:00Z", f"…{WORDS}"),))) == "2024-02-02"
    assert since(replace(edited, quotes=(Quote("2024-02-02T00:00:00Z", "other words of the post"),))) == "2024-05-05"


def test_a_source_that_came_later_counts_from_the_day_it_came() -> None:
    late = Looks("archive", ("2025-07-01",))
    old = replace(POST, created="2019-01-01T00:00:00Z", first_seen="2025-07-01T08:00:00Z")
    assert since(old, late) == "2025-07-01"
    assert since(old, late, founded="2025-07-01") == "2019-01-01", "the workspace began with it"
    assert since(replace(old, created="2025-08-08T00:00:00Z", first_seen="2025-08-09T00:00:00Z"), late) == "2025-08-08"
    assert since(replace(old, linked="2021-04-04T00:00:00Z"), late) == "2021-04-04"


def test_what_an_archive_brings_on_a_later_reading_counts_from_that_reading() -> None:
    archive = Looks("archive", ("2024-01-02", "2025-07-01"))
    slipped_in = replace(POST, created="2023-01-01T00:00:00Z", first_seen="2025-07-01T08:00:00Z")
    assert since(slipped_in, archive) == "2025-07-01"
    assert since(replace(slipped_in, created="2025-06-01T00:00:00Z"), archive) == "2025-06-01", "later than the reading before"
    assert since(replace(slipped_in, first_seen="2024-01-02T00:00:00Z"), archive) == "2023-01-01"
    assert since(slipped_in, Looks("discourse", archive.days)) == "2023-01-01", "a forum is read in parts"


# --- through the store ----------------------------------------------------------------------------------------------

A, B = "discourse:a.example.org", "discourse:b.example.org"


def load(store: Store, source: str, kind: str, seen: str, *posts: Post, edges: tuple[Edge, ...] = ()) -> None:
    with store.transaction():
        load_records(
            store,
            source,
            seen,
            {
                Source: [Source(source, kind, "address", "https://" + source.partition(":")[2])],
                Author: [Author(f"{source}/u/{name}", source, name) for name in ("ann", "eve")],
                Thread: [Thread(f"{source}/t/1", source, "A thread", "2019-01-01T00:00:00Z", f"https://{source}/t/1")],
                Post: list(posts),
                Edge: list(edges),
            },
        )


def post(source: str, number: int, author: str, created: str, body: str, edited: str | None = None, version: int = 1) -> Post:
    link = f"https://{source}/t/1/{number}"
    return Post(
        f"{source}/p/{number}", source, f"{source}/t/1", number, f"{source}/u/{author}", created, "raw", body, link, edited, version
    )


def cited(p: Post) -> dict[str, object]:
    said = {"role": "states", "post": p.id, "thread": p.thread, "number": p.number, "author": p.author, "handle": "x"}
    return {**said, "permalink": p.permalink, "created": p.created, "start": 0, "end": len(WORDS), "exact": WORDS}


def moments(store: Store, *posts: Post) -> dict[str, str]:
    record = {"id": "sop-1", "steps": [{"n": 1, "citations": [cited(p) for p in posts]}], "stances": []}
    rows = {row["id"]: row for row in tables.observed_rows(store, [p.id for p in posts])}
    return {key[0]: moment.since[:10] for key, moment in moments_of(store, [record], rows).items()}


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "work.duckdb")


def test_the_store_tells_an_edit_after_the_fact(empty: Store) -> None:
    with empty as store:
        old = post(A, 1, "eve", "2024-01-01T00:00:00Z", "Nothing of the kind stands here.")
        load(store, A, "discourse", "2024-01-02T00:00:00Z", old)
        thief = post(A, 1, "eve", "2024-01-01T00:00:00Z", WORDS, "2024-04-04T00:00:00Z", 2)
        honest = post(A, 2, "ann", "2024-03-03T00:00:00Z", WORDS)
        load(store, A, "discourse", "2024-04-05T00:00:00Z", thief, honest)
        assert moments(store, thief, honest) == {thief.id: "2024-04-04"}


def test_the_store_tells_a_backdated_archive_and_believes_a_link(empty: Store) -> None:
    with empty as store:
        honest = post(A, 2, "ann", "2024-03-03T00:00:00Z", WORDS)
        load(store, A, "discourse", "2024-03-04T00:00:00Z", honest)
        claimed = post(B, 1, "eve", "2019-01-01T00:00:00Z", WORDS)
        load(store, B, "archive", "2025-01-01T00:00:00Z", claimed)
        assert moments(store, claimed, honest) == {claimed.id: "2025-01-01"}
        linking = post(A, 3, "ann", "2024-02-02T00:00:00Z", "as they say over there")
        load(store, A, "discourse", "2024-03-04T00:00:00Z", linking, edges=(Edge("link", linking.id, claimed.thread),))
        assert moments(store, claimed, honest) == {claimed.id: "2024-02-02"}
