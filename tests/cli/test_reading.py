"""Reading commands from the outside: filters, context, plans, alternatives, files for agents; odd input and an empty index."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.conftest import HOME
from tests.publish.test_search import ToyEncoder


@pytest.fixture(autouse=True)
def _letters_for_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.query.asker", lambda name: ToyEncoder())


def test_search_is_narrowed_by_options(filled: Workspace, run: Runner) -> None:
    every = run.json("search", "apply for a grant", "-k", "50")
    some = run.json("search", "apply for a grant", "-k", "50", "--author", "wrenfield", "--until", "2025-03", "--status", "draft")
    assert 0 < len(some) < len(every)
    assert run.json("search", "apply for a grant", "--since", "2030") == []
    told = run.json("search", "x", "--author", "wrenfeld", code=2)
    assert "no author" in told["message"] and "wrenfield" in told["next"]
    assert run.json("search", "x", "--since", "last week", code=2)["next"] == "write 2024, 2024-05 or 2024-05-01"


def test_words_asked_for_stand_out_on_a_terminal_alone(filled: Workspace) -> None:
    """The command in a process of its own: once into a pipe, once on a terminal, once on one that wants no colours."""
    import pty

    code = "import sys; sys.argv[0] = 'precipitate'; from cli import app; app()"
    words = [sys.executable, "-c", code, "search", "apply for a grant", "--lexical"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "TERM": "xterm"}
    assert b"\x1b" not in subprocess.run(words, env=environment, capture_output=True, check=True).stdout
    for more, expected in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(words, env={**environment, **more}, stdout=theirs)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        assert process.wait(60) == 0
        assert (b"\x1b[1mgrant\x1b[22m" in shown) is expected, (more, shown[:300])


def test_show_with_context(filled: Workspace, run: Runner) -> None:
    best = run.json("search", "apply for a small grant", "-k", "1")[0]["id"]
    record = run.json("show", best, "--context")
    assert any(c["before"] or c["after"] for step in record["steps"] for c in step["citations"])
    assert "before" not in run.json("show", best)["steps"][0]["citations"][0]
    assert "…" in run("show", best, "-c").stdout


def test_plan_frontier_and_alternatives_answer(filled: Workspace, run: Runner) -> None:
    best = run.json("search", "apply for a small grant", "-k", "1")[0]["id"]
    assert run.json("plan", "apply for a small grant")["schema"] == "precipitate/plan/1"
    assert run.json("alternatives", best)["sop"]["id"] == best
    found = run.json("frontier", "--least", "1", "-q")
    assert found == run.json("frontier", "--least", "1", "-q") and (filled.folder / "cache" / "questions.npz").is_file() == bool(found)
    told = run.json("alternatives", "sop-0000", code=2)
    assert "no SOP named" in told["message"] and "nearest: sop-" in told["next"]


def test_files_for_agents_go_into_a_folder(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    count = len(run.json("list"))
    for kind in ("skills", "sop-md", "jsonld", "llms-txt"):
        out = tmp_path / kind
        files = run.json("export", kind, "-o", f"{out}/")["files"]
        assert len(files) == count + (kind == "llms-txt")
        assert all(Path(file).is_relative_to(out) and Path(file).stat().st_size > 100 for file in files)
        assert len(run.json("export", kind)) == len(files)
        assert f"there is one: {kind}" in run.json("export", kind, "--format", "csv", code=2)["next"]


def test_an_empty_index_answers_every_command(empty: Workspace, run: Runner, toy_distiller: None) -> None:
    for words in (("search", "x"), ("plan", "x"), ("frontier", "-q"), ("list",)):
        assert run.json(*words, code=1)["next"] == "run `precipitate run`", words
    assert run("run", "--quiet").exit_code == 0
    assert run.json("search", "x", "--tag", "y") == run.json("frontier", "-q") == run.json("list") == []
    assert run.json("plan", "x")["reached"] is False
    assert run.json("export", "skills") == [] and len(run.json("export", "llms-txt")) == 1
    for words in (("show", "sop-x"), ("alternatives", "sop-x"), ("diff", "sop-x")):
        assert run.json(*words, code=2)["message"].startswith("no SOP named"), words


ODD = ("x" * 100_000, "grant " * 16_000, "\x01\x1b[2J\u202e\u200b", "", "🙂" * 30_000)


def test_odd_words_are_answered(filled: Workspace, run: Runner) -> None:
    for text in ODD:
        for words in (("search", text), ("plan", text)):
            if not any(c.isalnum() for c in text):
                message = run.json(*words, code=2)["message"]
                assert message.endswith("asks nothing") and len(message) < 100
                continue
            result = run(*words)
            assert result.exit_code == (0 if text else 2) and len(result.stdout) < 20_000
            assert all(c.isprintable() or c == "\n" for c in result.stdout)
            assert not text or json.loads(run(*words, "--json").stdout) is not None
        for words in (("show", text), ("alternatives", text), ("explain", text)):
            result = run(*words)
            assert result.exit_code in (0, 2), words[0]
            assert len(result.stderr) < 3_000, "a long name is not repeated whole"
