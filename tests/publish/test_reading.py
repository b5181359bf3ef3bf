"""Reading one SOP: its quotes where they were said, other ways beside it, and how to get to a goal from what there is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.facets import Facets
from index.search import Ranked
from index.snapshot import FILE, Snapshot, build_snapshot
from index.store import Store
from publish.alternatives import alternatives, render_alternatives
from publish.context import MOST, around, with_context
from publish.plan import GOAL_BP, STEP_BP, needs_of, plan, render_plan
from publish.show import render_procedure


@pytest.fixture
def snapshot(store: Store, tmp_path: Path) -> Iterator[Snapshot]:
    build_snapshot(store, tmp_path / FILE)
    with Snapshot(tmp_path / FILE) as opened:
        yield opened


@pytest.fixture
def record(snapshot: Snapshot) -> dict[str, Any]:
    found = next(row for row in snapshot.procedures() if "apply for a small grant" in row["title"])
    return snapshot.record(found["id"])


# --- context --------------------------------------------------------------------------------------------------------


def test_a_quote_stands_between_its_neighbours() -> None:
    plain = "First things first. Open the form! Then sign it.\n\nSend it to Ann. Wait."
    start = plain.index("Then sign it.")
    assert around(plain, start, start + len("Then sign it.")) == ("Open the form!", "Send it to Ann.")
    assert around(plain, 0, len("First things first.")) == ("", "Open the form!")
    assert around(plain, plain.index("Wait."), len(plain)) == ("Send it to Ann.", "")
    middle = plain.index("things")
    assert around(plain, middle, middle + 6) == ("First", "first.")


@given(plain=st.text(max_size=3000), data=st.data())
def test_context_is_short_and_from_the_post(plain: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(plain)))
    end = data.draw(st.integers(start, len(plain)))
    for side, where in zip(around(plain, start, end), (plain[:start], plain[end:]), strict=True):
        assert len(side) <= MOST
        assert side.strip("…") in where or "…" in where


def test_show_gives_the_sentences_around(snapshot: Snapshot, record: dict[str, Any]) -> None:
    told = with_context(record, snapshot)
    citations = [c for step in told["steps"] for c in step["citations"]]
    assert any(c["before"] for c in citations) and any(c["after"] for c in citations)
    for c in citations:
        plain = snapshot.posts([c["post"]])[c["post"]]["plain"]
        assert c["before"].strip("…") in plain[: c["start"]] and c["after"].strip("…") in plain[c["end"] :]
    text, bare = render_procedure(told), render_procedure(record)
    assert set(bare.splitlines()) <= set(text.splitlines()) and len(text) > len(bare)
    stripped = [{k: v for k, v in c.items() if k not in ("before", "after")} for c in citations]
    assert stripped == [c for step in record["steps"] for c in step["citations"]]


def test_no_context_where_the_words_are_not_there(snapshot: Snapshot, record: dict[str, Any]) -> None:
    """A post that was taken back, or is not on this machine, or whose span does not hold."""
    moved = copy.deepcopy(record)
    moved["steps"][0]["citations"][0]["post"] = "discourse:elsewhere.example/p/1"
    moved["steps"][1]["citations"][0]["start"] += 1
    told = with_context(moved, snapshot)
    for step in told["steps"][:2]:
        assert (step["citations"][0]["before"], step["citations"][0]["after"]) == ("", "")


# --- alternatives ---------------------------------------------------------------------------------------------------


def test_alternatives_pair_every_step_once(record: dict[str, Any]) -> None:
    other = copy.deepcopy(record) | {"id": "sop-other"}
    other["steps"] = [*other["steps"][1:], {**copy.deepcopy(other["steps"][0]), "text": "Paint the fence with two coats", "n": 99}]
    other["steps"][-1]["citations"][0] |= {"exact": "Paint the fence", "post": "discourse:elsewhere.example/p/1"}
    told = alternatives(record, [other])
    (beside,) = told["alternatives"]
    assert [pair["ours"]["n"] for pair in beside["step_pairs"] if pair["ours"]] == [step["n"] for step in record["steps"]]
    assert sorted(pair["theirs"]["n"] for pair in beside["step_pairs"] if pair["theirs"]) == sorted(step["n"] for step in other["steps"])
    assert beside["shared"] == len(record["steps"]) - 1
    assert beside["step_pairs"][0]["theirs"] is None and beside["step_pairs"][-1] == {
        "ours": None,
        "theirs": {"n": 99, "text": "Paint the fence with two coats", "support": 0, "dissent": 0, "flags": []},
    }
    text = render_alternatives(told)
    assert "+    99  Paint the fence" in text and "-  1" in text and "=  2" in text
    assert "No other SOP has this goal" in render_alternatives(alternatives(record, []))


# --- plan -----------------------------------------------------------------------------------------------------------


def sop(identifier: str, *steps: str, preconditions: Sequence[str] = ()) -> dict[str, Any]:
    cited = [{"post": f"p:{identifier}", "start": 100 * n, "end": 100 * n + 50, "exact": text} for n, text in enumerate(steps)]
    rows = [{"n": n + 1, "text": text, "condition": None, "flags": [], "citations": [cited[n]]} for n, text in enumerate(steps)]
    return {"id": identifier, "title": identifier, "status": "draft", "preconditions": list(preconditions), "steps": rows}


class Stub:
    """A searcher whose nearness is written down: {question: {procedure: goal's cosine, (procedure, step): passage's cosine}}."""

    def __init__(self, records: Sequence[dict[str, Any]], near: dict[str, dict[Any, int]]) -> None:
        self._records = {record["id"]: record for record in records}
        self._near = near
        self.facets = Facets({i: {} for i in self._records}, {}, {})

    def records(self, ids: Sequence[str]) -> dict[str, Any]:
        return {identifier: self._records[identifier] for identifier in ids}

    def rank(self, text: str) -> list[Ranked]:
        found = {name: bp for name, bp in self._near.get(text, {}).items() if isinstance(name, str)}
        return sorted((Ranked(i, bp, bp, bp, "") for i, bp in found.items()), key=lambda entry: (-entry.score, entry.id))

    def near(self, text: str) -> Any:
        said = self._near.get(text, {})
        goals = sorted(((i, bp) for i, bp in said.items() if isinstance(i, str)), key=lambda hit: (-hit[1], hit[0]))
        passages = [
            (bp, f"p:{i[0]}#{100 * (i[1] - 1)}-{100 * (i[1] - 1) + 50}", [i[0]]) for i, bp in said.items() if not isinstance(i, str)
        ]
        return goals, sorted(passages, key=lambda hit: (-hit[0], hit[1]))


def test_needs_are_verbatim() -> None:
    record = sop(
        "sop-a",
        "Once the multisig is set up, send the form",
        "You will need a funded wallet for this",
        "Vote after the poll has opened for a week",
        "Make sure you have an archive node",
        "Press the button",
        preconditions=["Be a delegate"],
    )
    found = needs_of(record)
    assert [(need.text, need.step) for need in found] == [
        ("Be a delegate", None),
        ("the multisig is set up", 1),
        ("a funded wallet for this", 2),
        ("the poll has opened for a week", 3),
        ("an archive node", 4),
    ]
    for need in found[1:]:
        assert need.step is not None and need.text in record["steps"][need.step - 1]["text"]


def test_a_plan_runs_from_what_is_there_to_the_goal() -> None:
    grant = sop("sop-grant", "Write it", "Once the multisig is set up, send the form", preconditions=["Be a member", "Own a unicorn"])
    multisig = sop("sop-multisig", "Take five signers", "After the keys are made, add them")
    keys = sop("sop-keys", "Make keys", "Back them up")
    join = sop("sop-join", "Post hello", "Ask for the badge of a member")
    near: dict[str, dict[Any, int]] = {
        "get a grant": {"sop-grant": 8000, "sop-keys": 4100},
        "the multisig is set up": {"sop-multisig": GOAL_BP, "sop-grant": 9000},
        "the keys are made": {"sop-keys": GOAL_BP + 1, "sop-multisig": 9999},
        "Be a member": {"sop-join": GOAL_BP - 1, ("sop-join", 2): STEP_BP},
        "Own a unicorn": {"sop-keys": GOAL_BP - 1, ("sop-join", 1): STEP_BP - 1},
    }
    told = plan(Stub([grant, multisig, keys, join], near), "get a grant")  # type: ignore[arg-type]
    assert told["reached"]
    assert [link["id"] for link in told["sops"]] == ["sop-join", "sop-keys", "sop-multisig", "sop-grant"]
    assert [(need["text"], need["met_by"] and need["met_by"]["by"]) for need in told["sops"][-1]["needs"]] == [
        ("Be a member", "step"),
        ("Own a unicorn", None),
        ("the multisig is set up", "goal"),
    ]
    assert [(gap["sop"], gap["text"]) for gap in told["gaps"]] == [("sop-grant", "Own a unicorn")]
    text = render_plan(told)
    assert "needs “Be a member”: sop-join, step 2" in text and "“Own a unicorn” (sop-grant)" in text


def test_a_plan_does_not_go_round_in_circles() -> None:
    one = sop("sop-one", "Do it once the other is done")
    two = sop("sop-two", "Begin after the first is finished")
    near = {"goal": {"sop-one": 9000}, "the other is done": {"sop-two": 9000}, "the first is finished": {"sop-one": 9000}}
    told = plan(Stub([one, two], near), "goal")  # type: ignore[arg-type]
    assert [link["id"] for link in told["sops"]] == ["sop-two", "sop-one"]
    assert told["gaps"] == []


def test_own_earlier_steps_meet_a_need_and_later_ones_do_not() -> None:
    record = sop("sop-a", "Open the vote", "Count once the vote is closed", "Close the vote")
    text = "the vote is closed"
    early = plan(Stub([record], {"g": {"sop-a": 9000}, text: {("sop-a", 1): 9000}}), "g")  # type: ignore[arg-type]
    assert early["sops"][0]["needs"][0]["met_by"] == {"by": "own", "sop": "sop-a", "step": 1, "bp": 9000}
    late = plan(Stub([record], {"g": {"sop-a": 9000}, text: {("sop-a", 3): 9000}}), "g")  # type: ignore[arg-type]
    assert late["gaps"][0]["text"] == text


def test_a_goal_that_nothing_reaches_names_the_nearest() -> None:
    stub = Stub([sop("sop-a", "x")], {"knit": {"sop-a": 3100}})
    told = plan(stub, "knit")  # type: ignore[arg-type]
    assert (told["reached"], told["sops"], told["nearest"]) == (False, [], [{"id": "sop-a", "title": "sop-a"}])
    assert "No SOP reaches “knit”" in render_plan(told) and "sop-a" in render_plan(told)
    nothing = plan(Stub([], {}), "x" * 100_000)  # type: ignore[arg-type]
    assert nothing["nearest"] == [] and len(render_plan(nothing)) < 400
