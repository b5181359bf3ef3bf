"""The language model may choose among spans, and no more: whatever it says, every word stays where somebody said it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill import endpoint
from distill.drafts import distill_thread
from distill.operations import KEYS, REJECTIONS, read_operations
from distill.pipeline import distill, lazy_model, wanted_work
from distill.refine import Refiner
from distill.scorers import load_scorers
from index.config import Config, LlmConfig
from index.errors import ConfigError
from index.store import Store, canonical_json
from index.tables_discussion import StoredThread, read_threads
from index.tables_procedures import ThreadWork, current_records, runs, work_hashes
from index.workspace import Workspace, find_workspace
from tests.conftest import Command
from tests.distill.builders import floats_in
from tests.emulators.language_model import LanguageModelEmulator, endless, raw, shown_to, status

HOST = "discourse:forum.harbourside.example"
Script = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def threads(demo: Path) -> dict[int, StoredThread]:
    with Store(find_workspace(demo).database, read_only=True) as store:
        return {n: read_threads(store, [f"{HOST}/t/{n}"])[0] for n in (41, 84)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "work.duckdb") as opened:
        yield opened


MODEL = lazy_model(Config().distill.model)


def worked(thread: StoredThread, refiner: Refiner | None = None) -> ThreadWork:
    """The thread's work by the real chain, its time left out."""
    if refiner is None:
        work = distill_thread(thread, "hash", Config().distill, load_scorers(), MODEL)
    else:
        refiner.begin()
        with refiner.turn(0) as refine:
            work = refiner.signed(distill_thread(thread, "hash", Config().distill, load_scorers(), MODEL, refine))
    return replace(work, micros=0)


@pytest.fixture(scope="module")
def extractive(threads: dict[int, StoredThread]) -> dict[int, ThreadWork]:
    return {n: worked(thread) for n, thread in threads.items()}


def refined(store: Store, thread: StoredThread, script: Script, **config: Any) -> tuple[ThreadWork, Refiner]:
    store.execute("DELETE FROM llm_answers")
    with LanguageModelEmulator(script) as model:
        refiner = Refiner(store, LlmConfig(model.url, "toy-1", timeout_seconds=2, **config))
        return worked(thread, refiner), refiner


def span(request: dict[str, Any], words: str) -> str:
    """The id of the span that holds these words."""
    return str(next(s["id"] for s in shown_to(request)["spans"] if words in s["words"]))


def said(work: ThreadWork, draft: int = 0) -> list[str]:
    return [step["text"] for step in work.drafts[draft]["steps"]]


def check_words(work: ThreadWork, thread: StoredThread) -> None:
    """Every word of the drafts stands in the thread, where the citation says."""
    plain = {post.id: post.plain for post in thread.posts}
    everything = " ".join(" ".join([thread.title, *plain.values()]).split()).lower()
    for draft in work.drafts:
        for citation in [c for s in draft["steps"] for c in s["citations"]] + [s["citation"] for s in draft["stances"]]:
            assert plain[citation["post"]][citation["start"] : citation["end"]] == citation["exact"] != ""
        assert re.sub(r" \(\d\)$", "", draft["title"].lower()).removesuffix("…") in everything
        assert floats_in(draft) == []
        assert [step["n"] for step in draft["steps"]] == list(range(1, len(draft["steps"]) + 1))
        assert all(1 <= n < step["n"] for step in draft["steps"] for n in step["after"])


# --- what it may do -------------------------------------------------------------------------------------------------


def test_off_means_not_a_byte_more(extractive: dict[int, ThreadWork]) -> None:
    assert "language_model" not in extractive[41].report
    assert all("refined" not in draft for draft in extractive[41].drafts)


def test_what_is_shown_is_numbered_words_and_no_name(store: Store, threads: dict[int, StoredThread]) -> None:
    seen: list[dict[str, Any]] = []
    refined(store, threads[41], lambda request: [seen.append(request) or {"op": "keep"}])  # type: ignore[func-returns-value]
    data = shown_to(seen[0])
    assert [s["id"] for s in data["spans"]] == [f"s{n}" for n in range(1, len(data["spans"]) + 1)]
    plain = {" ".join(post.plain.split()) for post in threads[41].posts}
    assert all(any(s["words"] in text for text in plain) for s in data["spans"])
    assert {"id", "post", "by", "words"} == set(data["spans"][0])
    sent = json.dumps(data["spans"])
    assert "wrenfield" not in sent and "discourse:" not in sent
    assert data["draft"]["steps"][0] == ["s1"] and seen[0]["temperature"] == 0 and seen[0]["model"] == "toy-1"


def test_keep_keeps_and_is_no_refinement(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    work, refiner = refined(store, threads[41], lambda _: [{"op": "keep"}])
    assert work.drafts == extractive[41].drafts and refiner.report.kept == 1
    assert work.report["language_model"][0]["state"] == "kept"


def test_drop_add_and_retitle(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    def script(request: dict[str, Any]) -> list[dict[str, str]]:
        return [
            {"op": "drop", "span": span(request, "Half of the questions the panel")},
            {"op": "add", "span": span(request, "applications now close at 18:00")},
            {"op": "retitle", "words": "apply for a small grant"},
        ]

    assert any("Half of the questions" in text for text in said(extractive[41]))
    assert not any("applications now close" in text for text in said(extractive[41]))
    work, refiner = refined(store, threads[41], script)
    assert not any("Half of the questions" in text for text in said(work))
    added = next(step for step in work.drafts[0]["steps"] if "applications now close" in step["text"])
    assert [c["handle"] for c in added["citations"]] == ["okafor_d"] and added["first_said_by"] == added["citations"][0]["author"]
    assert work.drafts[0]["title"] == work.drafts[0]["goal"] == "apply for a small grant"
    assert refiner.report.operations == {"drop": 1, "add": 1, "retitle": 1} and refiner.report.refined == 1
    assert set(work.drafts[0]["refined"]) == {"model", "prompt", "request", "answer"}
    assert {(p.start, p.post) for p in work.kept} >= {(c["start"], c["post"]) for c in added["citations"]}
    check_words(work, threads[41])


def test_forms_with_other_numbers_are_not_the_same(
    store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]
) -> None:
    """Form G4 took the place of Form G2: were they one step, half of the readers would send the wrong form."""
    script: Script = lambda r: [{"op": "merge", "span": span(r, "Fill in Form G4"), "into": span(r, "Fill in Form G2")}]  # noqa: E731
    work, refiner = refined(store, threads[41], script)
    assert refiner.report.refusals == {"a changed number": 1} and work.drafts == extractive[41].drafts


def test_merge_makes_a_voice_of_another_author(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    """As without a model: who says the same later supports it, and both receipts stand."""

    def script(request: dict[str, Any]) -> list[dict[str, str]]:
        return [{"op": "merge", "span": span(request, "applications now close at 18:00"), "into": span(request, "Post the finished")}]

    def posting(work: ThreadWork) -> dict[str, Any]:
        return next(step for step in work.drafts[0]["steps"] if "Post the finished" in step["text"])

    work, refiner = refined(store, threads[41], script)
    assert refiner.report.operations == {"merge": 1}, refiner.report.refusals
    step, before = posting(work), posting(extractive[41])
    assert step["text"] == before["text"] and len(work.drafts[0]["steps"]) == len(extractive[41].drafts[0]["steps"])
    assert [c["handle"] for c in step["citations"]] == ["wrenfield", "okafor_d"] and step["first_said_by"] == before["first_said_by"]
    assert set(step["supporters"]) == {*before["supporters"], step["citations"][1]["author"]}
    check_words(work, threads[41])


def test_what_says_something_else_is_not_merged(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    script: Script = lambda r: [{"op": "merge", "span": span(r, "usually cake"), "into": span(r, "Find a sponsor")}]  # noqa: E731
    work, refiner = refined(store, threads[41], script)
    assert refiner.report.refusals == {"says something else": 1} and work.drafts == extractive[41].drafts


def test_reorder_where_nobody_said_an_order(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    """What the author numbered is not turned round, and what has no order is given none."""
    work, refiner = refined(
        store, threads[41], lambda r: [{"op": "reorder", "order": [line[0] for line in reversed(shown_to(r)["draft"]["steps"])]}]
    )
    assert refiner.report.refusals == {"against the order that is said": 1}
    assert work.drafts == extractive[41].drafts


def test_relabel(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    def stances(work: ThreadWork, words: str) -> set[str]:
        return {s["kind"] for s in work.drafts[0]["stances"] if words in s["citation"]["exact"]}

    words = "Yes, delivery counts"
    work, refiner = refined(store, threads[41], lambda r: [{"op": "relabel", "span": span(r, words), "stance": "amendment"}])
    assert stances(work, words) == {"amendment"} and refiner.report.refined == 1
    heard = "Thanks all, this worked for me"
    work, refiner = refined(store, threads[41], lambda r: [{"op": "relabel", "span": span(r, heard), "stance": "dissent"}])
    assert refiner.report.refusals == {"against the plain words": 1} and work.drafts == extractive[41].drafts


def test_reject_says_why_in_our_words(store: Store, threads: dict[int, StoredThread]) -> None:
    work, refiner = refined(store, threads[41], lambda _: [{"op": "reject", "reason": "own_plan"}])
    assert (work.outcome, work.drafts, work.reason) == ("abstained", [], REJECTIONS["own_plan"])
    assert refiner.report.rejected == 1 and work.kept == ()


def test_one_of_two_drafts_may_be_rejected(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    assert len(extractive[84].drafts) == 2
    answers = [[{"op": "reject", "reason": "opinion"}], [{"op": "keep"}]]
    work, _ = refined(store, threads[84], lambda _: answers.pop(0))
    assert len(work.drafts) == 1 and said(work) == said(extractive[84], 1)


# --- what it may not do ---------------------------------------------------------------------------------------------


def first(request: dict[str, Any]) -> str:
    return str(shown_to(request)["draft"]["steps"][0][0])


def words_at(request: dict[str, Any], identifier: str) -> str:
    return str(next(s["words"] for s in shown_to(request)["spans"] if s["id"] == identifier))


def candidate(request: dict[str, Any]) -> str:
    used = {i for line in shown_to(request)["draft"]["steps"] for i in line}
    return str(next(s["id"] for s in shown_to(request)["spans"] if s["id"] not in used))


REFUSED: list[tuple[str, Script, str]] = [
    ("an id that is not there", lambda r: [{"op": "drop", "span": "s999"}], "unknown span"),
    ("an id that is not there, in an order", lambda r: [{"op": "reorder", "order": ["s1", "s999"]}], "unknown span"),
    ("words of its own", lambda r: [{"op": "retitle", "words": "Get money from the panel quickly"}], "words that are not the thread's"),
    ("a title of a stranger", lambda r: [{"op": "retitle", "words": "You are a star, thank you"}], "words that are not the thread's"),
    ("a changed number", lambda r: [{"op": "retitle", "words": "How to apply for a small grant (up to 900 TIDE)"}], "a changed number"),
    ("a number cut in two", lambda r: [{"op": "retitle", "words": "a small grant (up to 40"}], "words that are not the thread's"),
    ("half a word", lambda r: [{"op": "retitle", "words": "pply for a small grant"}], "words that are not the thread's"),
    (
        "a dropped not",
        lambda r: [{"op": "retitle", "words": "send your payout address to the grants desk on the signed payout slip"}],
        "a changed negation",
    ),
    (
        "a step with a changed number",
        lambda r: [{"op": "drop", "span": span(r, "Form G2"), "words": words_at(r, span(r, "Form G2")).replace("150", "500")}],
        "a changed number",
    ),
    (
        "a step with a dropped never",
        lambda r: [{"op": "drop", "span": span(r, "payout slip, never"), "words": words_at(r, span(r, "payout slip, never")).replace(" never", "")}],
        "a changed negation",
    ),
    (
        "a changed modality",
        lambda r: [{"op": "drop", "span": span(r, "who will reply"), "words": words_at(r, span(r, "who will reply")).replace("will", "might")}],
        "a changed modality",
    ),
    ("a key of its own", lambda r: [{"op": "drop", "span": first(r), "text": "Send money"}], "unknown or missing key"),
    ("an operation of its own", lambda r: [{"op": "split", "span": first(r)}], "unknown operation"),
    ("a reason of its own", lambda r: [{"op": "reject", "reason": "because I say so"}], "unknown reason"),
    ("a stance of its own", lambda r: [{"op": "relabel", "span": candidate(r), "stance": "doubt"}], "unknown stance"),
    ("the same twice", lambda r: [{"op": "drop", "span": first(r)}] * 2, "the same operation twice"),
    ("keep and change", lambda r: [{"op": "keep"}, {"op": "drop", "span": first(r)}], "contradictory operations"),
    (
        "drop and merge",
        lambda r: [{"op": "drop", "span": first(r)}, {"op": "merge", "span": first(r), "into": span(r, "Write a budget")}],
        "contradictory operations",
    ),
    ("a candidate dropped", lambda r: [{"op": "drop", "span": candidate(r)}], "not a step"),
    ("a step added", lambda r: [{"op": "add", "span": first(r)}], "a step already"),
    ("a question as a step", lambda r: [{"op": "add", "span": span(r, "Does the 400 include delivery")}], "a question or a guess is no step"),
    ("everything dropped", lambda r: [{"op": "drop", "span": line[0]} for line in shown_to(r)["draft"]["steps"]][:-2], "too few steps left"),
    ("an order that forgets", lambda r: [{"op": "reorder", "order": [first(r)]}], "an order of other steps"),
    ("too much", lambda r: [{"op": "relabel", "span": candidate(r), "stance": "none"}] * 41, "too many operations"),
    ("nothing", lambda r: [], "no list of operations"),
    ("prose around it", lambda r: 'Sure! Here it is: {"operations": [{"op": "keep"}]}', "not JSON"),
    ("a fence around it", lambda r: '```json\n{"operations": [{"op": "keep"}]}\n```', "not JSON"),
    ("prose alone", lambda r: "The draft looks good to me.", "not JSON"),
    ("nested without end", lambda r: "[" * 200_000, "not JSON"),
    ("a key twice", lambda r: '{"operations": [{"op": "keep"}], "operations": [{"op": "reject"}]}', "not JSON"),
    ("not a number", lambda r: '{"operations": [{"op": "drop", "span": NaN}]}', "not JSON"),
    ("a number as an id", lambda r: [{"op": "drop", "span": 1}], "a value of the wrong kind"),
    ("a list in a list", lambda r: [{"op": "reorder", "order": [["s1"]]}], "a value of the wrong kind"),
    ("something beside", lambda r: json.dumps({"operations": [{"op": "keep"}], "note": "hello"}), "no list of operations"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_answers_leave_the_draft_as_it_was(
    store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork], script: Script, reason: str
) -> None:
    work, refiner = refined(store, threads[41], script)
    assert canonical_json(work.drafts) == canonical_json(extractive[41].drafts)
    assert work.kept == extractive[41].kept and work.reason == ""
    assert reason in refiner.report.refusals and refiner.report.refused == 1 and refiner.report.refined == 0
    assert work.input_hash == "hash", "it was answered: the next run asks nothing"
    assert work.report["language_model"][0]["refused"] == dict(refiner.report.refusals)


def test_no_good_operation_saves_a_bad_one(store: Store, threads: dict[int, StoredThread], extractive: dict[int, ThreadWork]) -> None:
    script: Script = lambda r: [{"op": "drop", "span": first(r)}, {"op": "drop", "span": "s999"}]  # noqa: E731
    work, _ = refined(store, threads[41], script)
    assert work.drafts == extractive[41].drafts


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (raw(b"x" * 50_000_000), "sends too much"),
        (endless(b" ", pause=0.1), "does not answer in time"),
        (status(429, Retry_After="3600"), "asks for fewer requests (429)"),
        (status(500), "answers with status 500"),
        (raw(b"<html></html>", "text/html"), "answers with something that is not JSON"),
        (raw(b"[" * 500_000), "answers with JSON that is no chat completion"),
    ],
    ids=("50 MB", "never ending", "429", "500", "a web page", "nested"),
)
def test_a_failing_endpoint_leaves_the_draft_and_the_next_run_asks_again(
    store: Store,
    threads: dict[int, StoredThread],
    extractive: dict[int, ThreadWork],
    answer: Any,
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint, "BACKOFF_SECONDS", 0.02)
    work, refiner = refined(store, threads[41], lambda _: answer)
    assert canonical_json(work.drafts) == canonical_json(extractive[41].drafts)
    assert refiner.report.failures == {failure: 1} and refiner.report.unanswered == 1
    assert work.input_hash == "hash waits"
    work, refiner = refined(store, threads[41], lambda _: [{"op": "keep"}])
    assert work.input_hash == "hash" and refiner.report.kept == 1


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*KEYS, *REJECTIONS, "s1", "s2", "s9"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["op", "span", "into", "order", "words", "stance", "reason", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
IDS = st.sampled_from([f"s{n}" for n in range(1, 40)])
LIKELY = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["drop", "add"]), "span": IDS}),
    st.fixed_dictionaries({"op": st.just("merge"), "span": IDS, "into": IDS}),
    st.fixed_dictionaries({"op": st.just("relabel"), "span": IDS, "stance": st.sampled_from(["support", "dissent", "amendment", "none"])}),
    st.fixed_dictionaries({"op": st.just("retitle"), "span": IDS}),
    st.fixed_dictionaries({"op": st.just("reorder"), "order": st.permutations([f"s{n}" for n in range(1, 12)])}),
)


@given(ANY | st.fixed_dictionaries({"operations": st.lists(ANY, max_size=4)}))
def test_any_json_is_read_or_refused(value: Any) -> None:
    operations, refused = read_operations(json.dumps(value))
    assert bool(operations) != bool(refused)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(LIKELY, min_size=1, max_size=5), thread=st.sampled_from([41, 84]))
def test_whatever_is_chosen_every_word_has_its_place(
    open_threads: dict[int, Any], threads: dict[int, StoredThread], operations: list[dict[str, Any]], thread: int
) -> None:
    work = open_threads[thread](json.dumps({"operations": operations}))
    check_words(work, threads[thread])
    assert len(work.drafts) == 0 or min(len(draft["steps"]) for draft in work.drafts) >= 3


@pytest.fixture(scope="module")
def open_threads(threads: dict[int, StoredThread], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Any]]:
    """For each thread: a function from an answer to the work, over a real endpoint. What the sentence model says is kept."""
    from functools import cache

    from distill.scoring import Model

    class Kept(Model):
        pass

    by_text: dict[str, Any] = {}
    by_windows: dict[str, Any] = {}

    def encode(texts: Any) -> Any:
        import numpy as np

        for text in texts:
            if text not in by_text:
                by_text[text] = MODEL.encode([text])[0]
        return np.array([by_text[text] for text in texts])

    def read(windows: Any) -> Any:
        return (
            by_windows.setdefault(repr(windows), None)
            or by_windows.update({repr(windows): MODEL.read(windows)})
            or by_windows[repr(windows)]
        )

    model = Kept(encode, read)
    answers: list[str] = [""]
    with (
        LanguageModelEmulator(lambda _: answers[0]) as emulator,
        Store(tmp_path_factory.mktemp("refine") / "work.duckdb") as store,
    ):

        @cache
        def of(number: int) -> Callable[[str], ThreadWork]:
            def work(answer: str) -> ThreadWork:
                answers[0] = answer
                store.execute("DELETE FROM llm_answers")
                refiner = Refiner(store, LlmConfig(emulator.url, "toy-1", timeout_seconds=5))
                with refiner.turn(0) as refine:
                    return distill_thread(threads[number], "hash", Config().distill, load_scorers(), model, refine)

            return work

        yield {41: of(41), 84: of(84)}


# --- what it costs, and that nothing is asked twice -----------------------------------------------------------------


def configured(workspace: Workspace, url: str, **more: Any) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"endpoint": url, "model": "toy-1", **more}.items()]
    (workspace.root / "precipitate.toml").write_text("[llm]\n" + "\n".join(lines) + "\n")


def polite(request: dict[str, Any]) -> Any:
    """Drops the last step where enough are left and it is no prohibition."""
    steps = shown_to(request)["draft"]["steps"]
    last = words_at(request, steps[-1][0])
    return [{"op": "drop", "span": steps[-1][0]}] if len(steps) > 3 and "n't" not in last and "ever" not in last else [{"op": "keep"}]


def flat(text: str) -> str:
    return " ".join(text.split())


def stages(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)["stages"]
    return told


def test_a_whole_run_is_counted_paid_for_and_remembered(demo_copy: Path, command: Command) -> None:
    workspace = find_workspace(demo_copy)
    before = json.loads((workspace.current / "manifest.json").read_text())
    with LanguageModelEmulator(polite) as model:
        configured(workspace, model.url, input_price=150_000, output_price=600_000, max_threads=5)
        first_run = stages(command("run", "--quiet", "--json", cwd=demo_copy))
        asked = len(model.requests)
        told = first_run["distill"]["refined"]
        assert told["requests"] == asked >= 5 and told["waiting"] > 0 and told["refined"] > 0
        assert (told["tokens_in"], told["tokens_out"]) == (1000 * asked, 50 * asked)
        assert told["operations"] == {"drop": told["refined"]} and told["refusals"] == told["failures"] == {}
        assert told["microdollars"] == asked * (1000 * 150_000 + 50 * 600_000) // 1_000_000
        configured(workspace, model.url, input_price=150_000, output_price=600_000)
        second = command("run", "--quiet", cwd=demo_copy)
        assert second.returncode == 0, second.stderr
        assert f"llm toy-1: {told['waiting']} drafts shown" in flat(second.stdout) and "written, $0.00" in flat(second.stdout)
        everything = len(model.requests)
    manifest = json.loads((workspace.current / "manifest.json").read_text())
    assert manifest["root"] != before["root"] and "refined" not in before
    sources = json.loads(command("sources", "--json", cwd=demo_copy).stdout)
    assert sources["language_models"] == [
        {"model": "toy-1", "requests": everything, "tokens_in": 1000 * everything, "tokens_out": 50 * everything, "microdollars": everything * 180}
    ]  # fmt: skip
    assert "LANGUAGE MODEL" in command("sources", cwd=demo_copy).stdout
    with Store(workspace.database) as store:
        records = current_records(store)
        marked = [r["generator"]["refined"] for r in records if "refined" in r["generator"]]
        assert manifest["refined"] == {"toy-1": len(marked)} and len(marked) > 0
        assert all(set(m) == {"model", "prompt", "request", "answer"} for m in marked)
        assert runs(store, 2)[1].counts["distill"]["refined"]["requests"] == asked
        # Everything is worked on again, and nobody is listening any more: all answers are remembered, and nothing differs.
        store.execute("DELETE FROM thread_work")
        again = distill(store, workspace.config(), lambda *_: None)
        assert again.refined is not None and again.refined.requests == 0 and again.refined.remembered >= everything
        assert canonical_json(current_records(store)) == canonical_json(records)


def test_a_dead_endpoint_makes_a_run_partial_and_changes_nothing(demo_copy: Path, command: Command) -> None:
    workspace = find_workspace(demo_copy)
    before = json.loads((workspace.current / "manifest.json").read_text())
    with LanguageModelEmulator(lambda _: "") as model:
        pass
    configured(workspace, model.url)
    began = time.monotonic()
    done = command("run", "--quiet", cwd=demo_copy)
    assert done.returncode == 3, done.stderr
    assert "failed: cannot be reached, or breaks off 3" in flat(done.stdout)
    assert json.loads((workspace.current / "manifest.json").read_text())["root"] == before["root"]
    assert time.monotonic() - began < 120


def test_off_and_on_are_other_work(demo: Path) -> None:
    """Turning the model on, or taking another, works on threads again; its address, price and bounds do not."""
    on = Config(llm=LlmConfig("http://127.0.0.1:9/v1", "toy-1"))
    with Store(find_workspace(demo).database, read_only=True) as store:
        assert wanted_work(store, Config()) == work_hashes(store)
        assert wanted_work(store, on) != wanted_work(store, Config())
        assert wanted_work(store, replace(on, llm=replace(on.llm, model="toy-2"))) != wanted_work(store, on)
        other = replace(on.llm, endpoint="https://host/v1", key_env="KEY", max_threads=1, input_price=9, max_cost=1, timeout_seconds=3)
        assert wanted_work(store, replace(on, llm=other)) == wanted_work(store, on)


def test_a_missing_key_is_said(store: Store, threads: dict[int, StoredThread], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_KEY_NOT_SET", raising=False)
    with pytest.raises(ConfigError, match="LLM_KEY_NOT_SET, which is not set"):
        refined(store, threads[41], lambda _: [], key_env="LLM_KEY_NOT_SET")


def test_money_ends_where_the_bound_is(store: Store, threads: dict[int, StoredThread]) -> None:
    work, refiner = refined(store, threads[84], lambda _: [{"op": "keep"}], input_price=1_000_000, max_cost=1000)
    assert (refiner.report.requests, refiner.report.waiting, refiner.report.microdollars) == (1, 1, 1000)
    assert work.input_hash == "hash waits"


def test_answers_go_with_the_posts_that_were_shown(demo_copy: Path) -> None:
    from index.records import Tombstone
    from index.tables_discussion import load_records
    from index.tables_llm import StoredAnswer, known_answer, save_answer

    with Store(find_workspace(demo_copy).database) as opened:
        post, thread = opened.execute("SELECT id, thread FROM posts ORDER BY id LIMIT 1")[0]
        save_answer(opened, "sha256:a", thread, "toy-1", StoredAnswer("{}", 1, 1))
        save_answer(opened, "sha256:b", "another", "toy-1", StoredAnswer("{}", 1, 1))
        load_records(opened, HOST, "2026-01-01T00:00:00Z", {Tombstone: [Tombstone(post, "author_deleted", "deleted")]})
        assert known_answer(opened, "sha256:a") is None and known_answer(opened, "sha256:b") is not None


def test_turns_are_taken_in_order_on_any_number_of_cores(demo_copy: Path, command: Command) -> None:
    """With a budget of four threads, the same four are asked about whatever core is first."""
    import os

    from distill import pipeline

    workspace = find_workspace(demo_copy)
    asked: list[list[str]] = []
    for cores in (1, 5):
        with LanguageModelEmulator(polite) as model, Store(workspace.database) as opened, pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "cpu_count", lambda cores=cores: cores)
            opened.execute("DELETE FROM llm_answers")
            config = replace(Config(), llm=LlmConfig(model.url, "toy-1", max_threads=4))
            hashes = pipeline.wanted_work(opened, config)
            for _ in pipeline.work_on(opened, config, sorted(hashes), hashes, Refiner(opened, config.llm)):
                pass
            asked.append([shown_to(request)["title"] for request in model.requests])
    assert asked[0] == asked[1] and len(set(asked[0])) == 4
