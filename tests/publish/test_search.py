"""Search: words and meaning, fused; the same answer each time; nothing for nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.config import Config
from index.embed import DIMENSIONS
from index.errors import StoreError, UnknownName, UsageError
from index.facets import Filters
from index.search import Hit, Searcher, build_search, search, telling_words
from index.snapshot import FILE, build_snapshot
from index.store import Store
from index.workspace import Workspace
from publish.plan import plan
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
    monkeypatch.setattr("index.query.asker", lambda name: ToyEncoder())


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


# --- filters --------------------------------------------------------------------------------------------------------


def ids(folder: Path, **filters: Any) -> set[str]:
    return {hit.id for hit in search(folder, QUESTION, 100, Config(), filters=Filters(**filters))}


def test_filters_keep_what_passes_and_nothing_else(folder: Path, encoder: None) -> None:
    """By each kind of filter: exactly the procedures of the unfiltered list that the records say pass."""
    searcher = Searcher(folder, Config().distill.model)
    records = searcher.records(sorted(searcher.facets.procedures))
    every = ids(folder)
    assert len(every) > 5
    handles = {i: {c["handle"] for s in r["steps"] for c in s["citations"]} for i, r in records.items()}
    days = {i: {c["created"][:10] for s in r["steps"] for c in s["citations"]} for i, r in records.items()}
    assert ids(folder, authors=["wrenfield"]) == {i for i in records if "wrenfield" in handles[i]} != set()
    assert ids(folder, authors=["wrenfield@forum.harbourside.example", "jun_mesh"]) == {
        i for i in records if {"wrenfield", "jun_mesh"} & handles[i]
    }
    assert ids(folder, since="2025-04") == {i for i in every if max(days[i]) >= "2025-04"} < every
    assert ids(folder, until="2025-03") == {i for i in every if min(days[i]) < "2025-04"} < every
    assert ids(folder, since="2025-05-01", until="2025") == {i for i in every if any("2025-05-01" <= d < "2026" for d in days[i])}
    assert ids(folder, statuses=["Draft"]) == every
    for name in ("discourse:forum.harbourside.example", "forum.harbourside.example", "https://forum.harbourside.example/"):
        assert ids(folder, sources=[name]) == every
    assert ids(folder, statuses=["draft"], authors=["wrenfield"], until="2001") == set()


def test_filters_see_past_the_first_places(folder: Path, encoder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes a filter is found although sixty others stand before it."""
    monkeypatch.setattr("index.search.DEPTH", 1)
    searcher = Searcher(folder, Config().distill.model)
    for identifier, facet in searcher.facets.procedures.items():
        found = searcher.search(QUESTION, 50, filters=Filters(authors=facet["authors"][:1]))
        assert found and all(facet["authors"][0] in searcher.facets.procedures[hit.id]["authors"] for hit in found), identifier


def test_tags_are_those_of_the_threads(store: Store, tmp_path: Path, encoder: None) -> None:
    store.execute("UPDATE threads SET tags = ['Rare-Tag', 'odd'], category = 'Curious' WHERE id LIKE '%/t/41'")
    build_search(store, tmp_path)
    found = {tag: ids(tmp_path, tags=[tag]) for tag in ("rare-tag", "ODD", "curious")}
    assert len(found["rare-tag"]) == 1 and len(set(map(frozenset, found.values()))) == 1
    with pytest.raises(UnknownName, match="no tag named 'rare-tg'") as told:
        ids(tmp_path, tags=["rare-tg"])
    assert "rare-tag" in told.value.way_out


@pytest.mark.parametrize(
    ("filters", "error", "way_out"),
    [
        ({"authors": ["wrenfeild"]}, UnknownName, "wrenfield"),
        ({"sources": ["forum.harborside.example"]}, UnknownName, "discourse:forum.harbourside.example"),
        ({"statuses": ["draught"]}, UnknownName, "draft"),
        ({"since": "last week"}, UsageError, "2024-05-01"),
        ({"until": "2024-5"}, UsageError, "2024-05-01"),
        ({"authors": ["\x1b[31m" * 10]}, UnknownName, "nearest"),
    ],
)
def test_unknown_values_are_answered_with_known_ones(folder: Path, filters: dict[str, Any], error: type[Exception], way_out: str) -> None:
    with pytest.raises(error) as told:
        search(folder, QUESTION, 5, Config(), True, Filters(**filters))
    assert way_out in told.value.way_out  # type: ignore[attr-defined]


def test_a_handle_of_two_authors_lists_both(folder: Path) -> None:
    searcher = Searcher(folder, Config().distill.model)
    one, two = sorted(searcher.facets.authors)[:2]
    searcher.facets.authors[two] = searcher.facets.authors[one].upper()  # type: ignore[index]
    with pytest.raises(UsageError, match="is 2 authors") as told:
        searcher.facets.allowed(Filters(authors=[searcher.facets.authors[one].title()]))
    assert one in told.value.way_out and two in told.value.way_out


# --- highlights and edges -------------------------------------------------------------------------------------------


def test_highlights_are_the_words_that_were_asked_for(folder: Path) -> None:
    hit = by_words(folder, "How do I find sponsors with standing?")[0]
    marked = {name: [getattr(hit, name)[a:b].casefold() for a, b in spans] for name, spans in hit.highlights.items()}
    assert "sponsor" in marked["quote"] and "standing" in marked["quote"]
    assert not {"i", "how", "do", "with"} & {word for words in marked.values() for word in words}


def test_a_release_without_facets_says_what_to_do(folder: Path) -> None:
    (folder / "facets.json").write_text("{}")
    with pytest.raises(StoreError, match="another version") as told:
        by_words(folder, QUESTION)
    assert "precipitate run" in told.value.way_out


@pytest.mark.parametrize("query", ["\x00\x1b[2J\u202e", "grant " * 20_000, "\ud800 grant", "🙂" * 100_000 + " grant", "\n\t grant"])
def test_hostile_questions_are_answered(folder: Path, encoder: None, query: str) -> None:
    assert len(search(folder, query, 3, Config())) <= 3


def test_a_score_is_what_it_is_said_to_be(folder: Path, encoder: None) -> None:
    """Two fifths of the goal's cosine, three of the nearest passage's, and up to 3,000 for words; ties by id."""
    searcher = Searcher(folder, Config().distill.model)
    ranked = searcher.rank(QUESTION)
    words = dict(searcher._words.scores(telling_words(QUESTION), 100))
    assert len(ranked) > 5
    for entry in ranked:
        share = 3000 * words.get(entry.id, 0) // max(words.values())
        assert entry.score == (2 * entry.goal_bp + 3 * entry.passage_bp) // 5 + share
        assert entry.passage in searcher.facets.citing and entry.id in searcher.facets.citing[entry.passage]
    assert ranked == sorted(ranked, key=lambda entry: (-entry.score, entry.id))
    assert [hit.score for hit in search(folder, QUESTION, 100, Config())] == [entry.score for entry in ranked]


def test_an_answer_needs_words_or_meaning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector index answers with something all the same: what is far from the question is not shown."""

    class Nowhere:
        def encode(self, texts: Sequence[str]) -> Any:
            return np.full((len(texts), DIMENSIONS), -1, dtype=np.int8)

    monkeypatch.setattr("index.query.asker", lambda name: Nowhere())
    assert search(folder, "zzzyqx", 5, Config()) == []
    assert {hit.id for hit in search(folder, QUESTION, 50, Config())} == {hit.id for hit in by_words(folder, QUESTION, 50)}


@pytest.mark.parametrize("query", ["zzzyqx", 'body:"zzzyqx"^9 (', "zzzyqx" + "*" * 10_000])
def test_nothing_for_nothing(folder: Path, query: str) -> None:
    assert by_words(folder, query) == []


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "?!", '"', "\x00\u202e", "*" * 10_000, "🙂" * 100_000])
def test_whoever_asks_nothing_is_told_how_to_ask(folder: Path, query: str) -> None:
    for ask in (by_words, lambda _, text: plan(Searcher(folder, Config().distill.model), text)):
        with pytest.raises(UsageError, match="asks nothing") as told:
            ask(folder, query)
        assert "a few words" in told.value.way_out


def test_common_words_find_nothing_by_themselves(folder: Path) -> None:
    assert by_words(folder, "how do I zzzyqx for the one of us") == []
    assert telling_words("how do I apply for a Grant?") == "apply Grant"
    assert telling_words("what to do") == "what to do"


def test_long_question_is_answered_at_once(folder: Path) -> None:
    started = time.monotonic()
    assert by_words(folder, "apply for a small grant " * 20_000)
    assert time.monotonic() - started < 5


def test_empty_index_asks_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.query.asker", lambda name: pytest.fail("the model was loaded for nothing"))
    with Store(tmp_path / "work.duckdb") as store:
        build_snapshot(store, tmp_path / FILE)
        build_search(store, tmp_path)
    assert search(tmp_path, QUESTION, 5, Config()) == []
