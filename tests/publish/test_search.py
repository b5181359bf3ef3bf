"""Search: words and meaning, fused; the same answer each time; nothing for nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.config import Config
from index.search import Hit, _fuse, build_search, search, telling_words
from index.snapshot import FILE, build_snapshot
from index.store import Store
from index.workspace import Workspace
from tests.publish import toy

QUESTION = "how do I apply for a small grant"


class ToyEncoder:
    """Letters for meaning, as in the toy's vectors."""

    def encode(self, texts: Sequence[str]) -> Any:
        return np.frombuffer(b"".join(toy.vector(text) for text in texts), dtype=np.int8).reshape(len(texts), -1)


@pytest.fixture
def folder(workspace: Workspace, store: Store, tmp_path: Path) -> Path:
    build_snapshot(store, tmp_path / FILE)
    build_search(store, tmp_path)
    return tmp_path


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.embed.encoder", lambda name: ToyEncoder())


def by_words(folder: Path, query: str, k: int = 5) -> list[Hit]:
    return search(folder, query, k, Config(), words_only=True)


def test_words_find_a_procedure_with_its_best_words(folder: Path) -> None:
    best = by_words(folder, "flash the firmware of a mesh node")[0]
    assert best.title == "Flash a node and join the harbour mesh"
    assert best.quote
    assert best.permalink.startswith("https://forum.harbourside.example/t/47")
    assert best.handle == "jun_mesh"


def test_best_words_are_those_of_the_step_that_was_asked_for(folder: Path) -> None:
    asked = "find a sponsor with six months standing"
    hit = next(hit for hit in by_words(folder, asked) if hit.permalink.endswith("/41/1"))
    assert "sponsor" in hit.quote
    assert hit.quote in hit.step_text


def test_meaning_joins_in(folder: Path, encoder: None) -> None:
    words, both = by_words(folder, QUESTION, 20), search(folder, QUESTION, 20, Config())
    assert {hit.id for hit in words} <= {hit.id for hit in both}
    assert max(hit.score for hit in both) > max(hit.score for hit in words)
    assert search(folder, QUESTION, 20, Config()) == both


def test_as_many_as_asked_for(folder: Path, encoder: None) -> None:
    assert len(search(folder, QUESTION, 3, Config())) == 3
    assert len({hit.id for hit in search(folder, QUESTION, 100, Config())}) == len(search(folder, QUESTION, 100, Config()))


def test_equal_places_go_by_id() -> None:
    assert _fuse([["b", "a"], ["a", "b"]]) == [("a", 16393 + 16129), ("b", 16393 + 16129)]
    assert [name for name, _ in _fuse([["z", "y"], ["x"]])] == ["x", "z", "y"]


@pytest.mark.parametrize("query", ["", "   ", "?!", "zzzyqx", '"', 'body:"zzzyqx"^9 (', "\x00\u202e", "*" * 10_000])
def test_nothing_for_nothing(folder: Path, query: str) -> None:
    assert by_words(folder, query) == []


def test_common_words_find_nothing_by_themselves(folder: Path) -> None:
    assert by_words(folder, "how do I zzzyqx for the one of us") == []
    assert telling_words("how do I apply for a Grant?") == "apply Grant"
    assert telling_words("what to do") == "what to do"


def test_long_question_is_answered_at_once(folder: Path) -> None:
    started = time.monotonic()
    assert by_words(folder, "apply for a small grant " * 20_000)
    assert time.monotonic() - started < 5


def test_empty_index_asks_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.embed.encoder", lambda name: pytest.fail("the model was loaded for nothing"))
    with Store(tmp_path / "work.duckdb") as store:
        build_snapshot(store, tmp_path / FILE)
        build_search(store, tmp_path)
    assert search(tmp_path, QUESTION, 5, Config()) == []
