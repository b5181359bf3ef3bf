"""Why a thread is an SOP or not, and what would change it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.features import FACTS
from distill.gate import THREAD_FACTS
from index.errors import UsageError
from index.records import Source, Thread, Tombstone
from index.snapshot import FILE, Snapshot, build_snapshot
from index.store import Store, canonical_json
from index.tables_discussion import add_source, load_records
from publish.explain import REASONS, explain, render_explanation
from publish.facts import OF_STEP, OF_THREAD, in_words
from tests.conftest import HOME, Command
from tests.distill.builders import floats_in
from tests.publish.test_text import NASTY

HOST = "discourse:forum.harbourside.example"
THREAD = f"{HOST}/t/44"  # an opinion debate: the toy finds no list in it


@pytest.fixture(scope="module")
def real(demo: Path) -> Iterator[Snapshot]:
    with Snapshot(demo / ".precipitate" / "current" / "local" / FILE) as opened:
        yield opened


def test_every_fact_and_every_reason_has_words() -> None:
    assert set(FACTS) == set(OF_STEP)
    assert {fact for fact in THREAD_FACTS if not fact.startswith("share of ")} == set(OF_THREAD)
    assert in_words("share of item", 100) == "how many of the steps are list items: more than usual"
    assert in_words("howto_title", -50).endswith(": no")
    told = {
        line.split('"')[1]
        for name in ("gate.py", "drafts.py")
        for line in (HOME / "distill" / name).read_text(encoding="utf-8").splitlines()
        if "Verdict(False" in line or "reason=" in line
        if '"' in line
    }
    assert told == set(REASONS)


def test_a_thread_that_gave_an_sop(real: Snapshot) -> None:
    told = explain(real, "41")
    assert (told["outcome"], told["verdict"], told["language"]) == ("procedures", "It gave 1 SOP.", "en")
    assert told["passages_seen"] >= told["passages_scored"] > 0
    odds = told["gate"]["odds"]
    assert odds["start"] + odds["rest"] + sum(fact["adds"] for fact in odds["facts"]) == odds["total"]
    assert sum(fact["adds"] > 0 for fact in odds["facts"]) == sum(fact["adds"] < 0 for fact in odds["facts"]) == 5
    assert told["gate"]["score_bp"] >= told["gate"]["threshold_bp"] == 3500
    assert told["scaffold"]["number"] == 1 and told["scaffold"]["candidates"][0]["post"] == told["scaffold"]["post"]
    (sop,) = told["sops"]
    assert sop["origin"] == f"{HOST}/t/41" and sop["copies"] == [f"{HOST}/t/58"]
    assert all(step["bp"] is not None and step["said_here"] for step in sop["steps"])
    assert {"dissent", "support"} <= {stance["kind"] for stance in sop["stances"]}
    posts = dict(real.store.execute("SELECT id, plain FROM posts"))
    assert len(told["surest"]) == 12
    assert all(posts[entry["post"]][entry["start"] : entry["end"]] == entry["exact"] for entry in told["surest"])
    assert floats_in(told) == [] and json.loads(canonical_json(told)) == told
    text = render_explanation(told)
    for part in (
        "Skeleton: post 1 by wrenfield",
        "Gate: ",
        "Find a sponsor",
        "dissented of step 2",
        "raise distill.thread_threshold_bp",
        "/t/58, as a copy",
    ):
        assert part in text, part


def test_a_copy_says_whose_it_is(real: Snapshot) -> None:
    told = explain(real, "58")
    assert told["sops"][0]["origin"] == f"{HOST}/t/41"
    assert any(step["said_here"] for step in told["sops"][0]["steps"])
    assert "said it first" in render_explanation(told)


def test_silence_says_why_and_what_to_do(real: Snapshot) -> None:
    silent = [row[0] for row in real.store.execute("SELECT id FROM threads WHERE outcome = 'abstained' ORDER BY id")]
    assert silent
    for thread in silent:
        told = explain(real, thread)
        assert told["ways_out"][0]["for"] == "writer" and told["sops"] == []
        assert "→ for its writers: " in render_explanation(told)


def test_the_command_takes_a_number(demo: Path, command: Command) -> None:
    done = command("explain", "41", "--json", cwd=demo)
    assert json.loads(done.stdout)["schema"] == "precipitate/explanation/1"
    assert command("explain", "41", cwd=demo).stdout == command("explain", "https://forum.harbourside.example/t/x/41/3", cwd=demo).stdout


# --- reports made by hand ---------------------------------------------------------------------------------------------


def work(store: Store, outcome: str, reason: str, report: dict[str, Any]) -> None:
    store.execute(
        "UPDATE thread_work SET outcome = ?, reason = ?, report = ? WHERE thread = ?", [outcome, reason, json.dumps(report), THREAD]
    )


def told_of(store: Store, path: Path, text: str = THREAD) -> dict[str, Any]:
    path.unlink(missing_ok=True)
    build_snapshot(store, path)
    with Snapshot(path) as opened:
        return explain(opened, text)


def report_on(store: Store, **changes: Any) -> dict[str, Any]:
    first, second = (row[0] for row in store.execute("SELECT id FROM posts WHERE thread = ? ORDER BY number LIMIT 2", [THREAD]))
    facts = [
        {"fact": "mean", "adds": 900, "above": 90},
        {"fact": "agenda", "adds": -700, "above": 300},
        {"fact": "unheard of", "adds": -5, "above": 0},
    ]
    report = {
        "posts": 9, "language": "en", "other_language_posts": 0, "left_out_passages": 0, "min_steps": 3, "threshold_bp": 3500, "gate_bp": 2100,
        "odds": {"total": -13000, "start": -8000, "rest": -5195, "facts": facts},
        "surest": [{"post": first, "start": 0, "end": 20, "bp": 4000, "step_bp": 5000}, {"post": second, "start": 0, "end": 9, "bp": 3000, "step_bp": 900}],
        "scaffold": {"post": first, "steps": 4, "added": 1, "candidates": [{"post": first, "weight": 9000, "steps": 4}, {"post": second, "weight": 3000, "steps": 0}]},
        "sequences": [],
    }  # fmt: skip
    return report | changes


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_reads_as_a_sentence(store: Store, tmp_path: Path, reason: str) -> None:
    scaffold = {} if "the steps" in reason else {"scaffold": None, "odds": None}
    work(store, "abstained", reason, report_on(store, **scaffold))
    text = render_explanation(told_of(store, tmp_path / FILE))
    assert "{" not in text and "→ for its writers: " in text
    work(store, "abstained", reason, {})  # as a program from before left it
    text = render_explanation(told_of(store, tmp_path / FILE))
    assert "{" not in text and "→ for its writers: " in text and "None" not in text


def test_the_gate_is_told_with_its_threshold(store: Store, tmp_path: Path) -> None:
    work(store, "abstained", "the steps do not make a procedure", report_on(store))
    told = told_of(store, tmp_path / FILE)
    text = " ".join(render_explanation(told).split())
    for part in (
        *(
            "was 21.0 % sure that they are a procedure; it takes 35.0 %",
            "distill.thread_threshold_bp is 3500: at 2100 or lower",
            "not passed",
        ),
        *(
            "+0.09 how sure all passages of the post are: more than usual",
            "-0.07 the title is of an agenda",
            "-1.30 in all",
            "weighs 33.3 %",
        ),
    ):
        assert part in text, part


def test_what_was_taken_back_is_not_quoted(store: Store, tmp_path: Path) -> None:
    report = report_on(store)
    work(store, "abstained", "the steps do not make a procedure", report)
    assert len(told_of(store, tmp_path / FILE)["surest"]) == 2
    with store.transaction():
        load_records(store, HOST, "2026-01-01T00:00:00Z", {Tombstone: [Tombstone(report["scaffold"]["post"], "author_deleted", "asked")]})
    told = told_of(store, tmp_path / FILE)
    assert len(told["surest"]) == 1 and "(taken back since)" in render_explanation(told)


def test_threads_without_work(store: Store, tmp_path: Path) -> None:
    store.execute("DELETE FROM thread_work WHERE thread = ?", [THREAD])
    assert told_of(store, tmp_path / FILE)["ways_out"] == [{"for": "operator", "do": "run `precipitate run`"}]
    store.execute("UPDATE posts SET state = 'moderated' WHERE thread = ?", [THREAD])
    told = told_of(store, tmp_path / FILE)
    assert told["ways_out"] == [] and "no readable post" in told["verdict"] and told["readable"] == 0


def test_a_number_that_two_sources_have(store: Store, tmp_path: Path) -> None:
    other = Source("discourse:b.example.org", "archive", "/b", "https://b.example.org")
    add_source(store, other)
    thread = Thread(f"{other.id}/t/44", other.id, "Another", "2024-05-01T10:00:00Z", "https://b.example.org/t/44")
    with store.transaction():
        load_records(store, other.id, "2026-01-01T00:00:00Z", {Thread: [thread, replace(thread, id=f"{other.id}/t/144")]})
    with pytest.raises(UsageError, match="2 sources have a thread 44") as error:
        told_of(store, tmp_path / FILE, "44")
    assert f"{other.id}/t/44, {THREAD}" in error.value.way_out
    assert told_of(store, tmp_path / FILE, "144")["id"] == f"{other.id}/t/144"


def test_hostile_words_stay_words(store: Store, tmp_path: Path) -> None:
    first = store.execute("SELECT id FROM posts WHERE thread = ? ORDER BY number LIMIT 1", [THREAD])[0][0]
    store.execute("UPDATE posts SET plain = ? WHERE id = ?", [NASTY, first])
    store.execute("UPDATE threads SET title = ? WHERE id = ?", [NASTY, THREAD])
    store.execute("UPDATE authors SET handle = ?", [NASTY])
    work(store, "abstained", NASTY, report_on(store))
    text = render_explanation(told_of(store, tmp_path / FILE))
    assert all(c.isprintable() or c == "\n" for c in text) and "\ufe0f" not in text
