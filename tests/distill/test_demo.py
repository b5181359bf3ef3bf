"""The demo forum, distilled: every word where it was said, no injected step, no reward for a copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.records import PROCEDURE_SCHEMA
from index.store import Store, canonical_json
from index.tables_discussion import StoredPost, read_threads
from index.tables_procedures import current_records, drafts, outcomes, runs, thread_outcome
from index.workspace import find_workspace
from tests.conftest import FORUM, Command
from tests.distill.builders import floats_in

HOST = "discourse:forum.harbourside.example"
RECORD = set(
    "schema id version version_id supersedes status title goal purpose preconditions roles tools verification language ordered steps stances "
    "alternatives forked_from sources threads quality generator".split()
)
STEP = set("n text previous_text actor condition after optional flags citations support dissent first_said_by first_said_in".split())
CITATION = set("role post thread number author handle permalink created start end exact".split())


@pytest.fixture(scope="module")
def store(demo: Path) -> Iterator[Store]:
    with Store(find_workspace(demo).database, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def records(store: Store) -> list[dict[str, Any]]:
    return current_records(store)


@pytest.fixture(scope="module")
def posts(store: Store) -> dict[str, StoredPost]:
    threads = [row["thread"] for row in outcomes(store)]
    return {post.id: post for thread in read_threads(store, threads) for post in thread.posts}


def citations(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for step in record["steps"] for c in step["citations"]] + [stance["citation"] for stance in record["stances"]]


def of_thread(records: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    return [record for record in records if f"{HOST}/t/{number}" in record["threads"]]


def test_citations_are_verbatim_and_the_authors_own(records: list[dict[str, Any]], posts: dict[str, StoredPost]) -> None:
    assert len(records) >= 5
    for citation in [c for record in records for c in citations(record)]:
        post = posts[citation["post"]]
        assert post.plain[citation["start"] : citation["end"]] == citation["exact"] != ""
        assert (post.author, post.thread, post.number, post.created) == tuple(
            citation[k] for k in ("author", "thread", "number", "created")
        )
        for block in post.blocks:
            overlaps = block.start < citation["end"] and citation["start"] < block.end
            assert not (overlaps and block.kind in ("quote", "code", "table", "embed"))


def test_records_have_the_documented_keys(records: list[dict[str, Any]]) -> None:
    for record in records:
        assert set(record) == RECORD and record["schema"] == PROCEDURE_SCHEMA
        assert set(record["generator"]) == {"config", "models", "code", "plain"}
        assert all(set(source) == {"source", "licence"} for source in record["sources"])
        assert [step["n"] for step in record["steps"]] == list(range(1, len(record["steps"]) + 1))
        for step in record["steps"]:
            assert set(step) == STEP and step["citations"] and step["text"]
            assert all(1 <= n < step["n"] for n in step["after"])
        for citation in citations(record):
            assert set(citation) == CITATION and citation["role"] in ("states", "confirms")
        for stance in record["stances"]:
            assert set(stance) == {"kind", "step", "citation"} and stance["kind"] in ("support", "dissent", "amendment", "alternative")
            assert stance["step"] is None or 1 <= stance["step"] <= len(record["steps"])
        assert all(type(bp) is int and key.endswith("_bp") and 0 <= bp <= 10_000 for key, bp in record["quality"].items())


def test_ids_are_unique_and_alternatives_exist_both_ways(records: list[dict[str, Any]]) -> None:
    by_id = {record["id"]: record for record in records}
    assert len(by_id) == len(records)
    for record in records:
        assert record["id"] not in record["alternatives"]
        assert all(record["id"] in by_id[other]["alternatives"] for other in record["alternatives"])


def test_first_said_is_the_earliest_citation(records: list[dict[str, Any]]) -> None:
    for step in [step for record in records for step in record["steps"]]:
        first = min(step["citations"], key=lambda c: (c["created"], c["post"]))
        assert (step["first_said_by"], step["first_said_in"]) == (first["author"], first["post"])


def test_nothing_hashed_holds_a_float(store: Store, records: list[dict[str, Any]]) -> None:
    assert floats_in(records) == [] and floats_in(drafts(store)) == []
    assert json.loads(canonical_json(records)) == records


def test_the_injected_instruction_is_no_step(records: list[dict[str, Any]]) -> None:
    for record in records:
        said = canonical_json(
            [record["steps"], record["title"], record["purpose"], record["preconditions"], record["verification"]]
        ).lower()
        for trick in ("ignore all previous", "000dead", "500 usdc", "largest share", "verified by the moderators", "whoever summarises"):
            assert trick not in said
        assert not re.search("[\u200b-\u200f\u202a-\u202e\u2060-\u2069]", said)


def test_the_copycat_is_folded_into_the_original(records: list[dict[str, Any]], posts: dict[str, StoredPost]) -> None:
    (record,) = of_thread(records, 41)
    assert of_thread(records, 58) == [record]
    kev = next(post.author for post in posts.values() if post.handle == "brightpath_kev")
    assert kev not in {step["first_said_by"] for step in record["steps"]}
    assert kev in {c["author"] for c in citations(record)}
    assert all(step["first_said_in"] and posts[step["first_said_in"]].thread == f"{HOST}/t/41" for step in record["steps"])


def test_the_steps_of_the_grant_are_there_in_order(records: list[dict[str, Any]]) -> None:
    (record,) = of_thread(records, 41)
    said = [step["text"] for step in record["steps"]]
    wanted = (
        "fits one of the three themes",
        "Find a sponsor",
        "Fill in Form G4",
        "Write a budget",
        "Post the finished application",
        "Answer every question",
        "payout address",
    )
    places = [next(n for n, text in enumerate(said) if words in text) for words in wanted]
    assert record["ordered"] and places == sorted(places)
    assert "never in the topic itself" in said[places[-1]]
    form = record["steps"][places[2]]
    assert "Form G2" in form["previous_text"], "the form was renewed by a panelist, and the author gave way"
    assert [s["step"] for s in record["stances"] if s["kind"] == "amendment" and s["citation"]["handle"] == "okafor_d"] == [form["n"]]


def test_every_thread_has_an_outcome_and_silence_has_a_reason(store: Store) -> None:
    found = outcomes(store)
    with (FORUM / "topics.jsonl").open(encoding="utf-8") as lines:
        assert {row["thread"] for row in found} == {f"{HOST}/t/{json.loads(line)['id']}" for line in lines}
    for row in found:
        assert row["outcome"] in ("procedures", "abstained")
        assert bool(row["reason"]) == (row["outcome"] == "abstained")
        detail = thread_outcome(store, row["thread"])
        assert detail is not None and floats_in(detail["report"]) == []


def test_chatter_holds_no_procedure(store: Store) -> None:
    outcome = {row["thread"]: row["outcome"] for row in outcomes(store)}
    assert {outcome[f"{HOST}/t/{number}"] for number in (38, 50)} == {"abstained"}


def test_a_second_run_says_nothing_new(demo_copy: Path, command: Command, records: list[dict[str, Any]]) -> None:
    done = command("run", "--quiet", cwd=demo_copy)
    assert done.returncode == 0, done.stderr
    with Store(find_workspace(demo_copy).database, read_only=True) as again:
        assert current_records(again) == records
        assert len(runs(again)) == 2
