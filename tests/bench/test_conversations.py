"""Networks of conversations by whole runs, small: killed once, a fifth of all requests failing, then all is found."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import conversations, together
from bench.kills import kill_again_and_again, run
from index.store import Store
from tests.crawler.test_conversations import CASES
from tests.emulators.gate import Gate


@pytest.mark.system
@pytest.mark.parametrize("name", CASES)
def test_what_was_said_is_found(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "let-me-in")
    assert conversations.measure(name, kills=1, conversations=4, seed=3), capsys.readouterr().out


@pytest.mark.system
def test_twelve_networks_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "let-me-in")
    assert together.measure(threads=10, kills=1, seed=2), capsys.readouterr().out


@pytest.mark.parametrize("name", CASES)
def test_the_measure_sees_what_is_missing(name: str) -> None:
    """Of an empty store nothing is found, and of a deletion nothing is left."""
    world = conversations.populated(3)
    world.edit(1, "Other words.")
    world.delete(9)
    with Store(":memory:") as store:
        told = conversations.compare(store, CASES[name], world)
    gone = told.pop("deletions")
    assert gone[0] == gone[1] and all(found == 0 < pushed for kind, (pushed, found) in told.items() if kind != "edits" or CASES[name].edits)


def test_a_kill_is_one_of_a_crawl_at_work(tmp_path: Path) -> None:
    """Processes that end before their kill do not count, and are tried again; life goes on after each kill."""
    asked, lived = [0], list[int]()

    def crawl(kill: Callable[[], bool]) -> int:
        asked[0] += 5
        if asked[0] % 10 == 0:
            return 0  # ended by itself
        return run([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, {}, kill)

    killed = kill_again_and_again(crawl, lambda: asked[0], 10, 3, random.Random(1), lived.append)
    assert killed == 3 and lived == [1, 2, 3] and asked[0] == 25
    assert run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, {}) == 3


def test_a_gate_holds_what_comes_after_so_many() -> None:
    gate = Gate()
    assert gate.take() and gate.is_open() and not gate.held
    gate.close(2)
    assert gate.take() and gate.take() and not gate.held
    assert not gate.take() and gate.held and not gate.is_open()
    gate.open()
    assert gate.take() and not gate.held
