"""Search over a release: words (BM25) and meaning (vectors) of procedures and of the passages they cite, in one score.

A procedure's score is its cosine with the question, of its goal and of its nearest passage, plus a share for words in
common: which of many ways of fusing was measured best, rank fusion among them, is in docs/decisions/0024-search.md.
Integers, ties by id, so that one release answers alike everywhere up to the rounding of its vectors. Whoever asks again
and again keeps a Searcher; nothing of it opens a database or loads torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import facets, lexical, vectors
from index.config import Config
from index.embed import DIMENSIONS, PACKAGED, PACKAGED_SHA256
from index.errors import UsageError
from index.facets import NO_FILTERS, Facets, Filters
from index.snapshot import goal_vectors
from index.store import Store, canonical_json
from index.tables_private import mask_of, published_records
from index.tables_procedures import kept_passages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

GOALS, PASSAGES = "goals", "passages"
WORDS = "lexical/procedures"
FILES = (f"{GOALS}.faiss", f"{GOALS}.ids.json", f"{PASSAGES}.faiss", f"{PASSAGES}.ids.json", WORDS, facets.FILE)
DEPTH = 300  # nearest goals, passages and procedures by words that are looked at
GOAL_PARTS, PASSAGE_PARTS = 2, 3  # of five: how much the cosines of goal and nearest passage count
WORDS_BP = 3_000  # what the procedure that has most of the words gets for that; the others their share
# Below this cosine two texts have nothing to do with each other; a vector index answers with something all the same.
MIN_COSINE_BP = 3_000
KEPT_RECORDS = 200  # parsed ones that a Searcher keeps

# Words that every question has and no answer is known by.
_COMMON = (
    "a about an and are as at be been but by can could did do does for from get had has have he her his how i if in into is it its me my "
    "of on one or our she should so some that the their them then there they this to up us was we were what when where which who why "
    "will with would you your"
)
COMMON = frozenset(_COMMON.split())

Span = tuple[str, int, int]  # post, start, stop in its plain text


@dataclass(frozen=True, slots=True)
class Hit:
    """A procedure that answers, with the words of it that answer best."""

    id: str
    title: str
    goal: str
    score: int
    status: str
    steps: int
    step: int  # the one that matches best
    step_text: str
    quote: str
    handle: str
    permalink: str
    created: str
    highlights: dict[str, list[tuple[int, int]]]  # of title, step_text and quote: spans of the words that were asked for


@dataclass(frozen=True, slots=True)
class Ranked:
    """A procedure with its score and what made it: cosines in basis points, and its nearest passage, "" where none was near."""

    id: str
    score: int
    goal_bp: int
    passage_bp: int
    passage: str


# --- building -------------------------------------------------------------------------------------------------------


def build_search(store: Store, folder: Path) -> None:
    """Write FAISS and tantivy indexes of the current procedures, as they are published, and of kept passages into a folder,
    and what to filter by."""
    passages = kept_passages(store)
    names = {_passage_id((p.post, p.start, p.stop)): (p.post, p.start, p.stop) for p in passages}
    _save_vectors(folder, GOALS, goal_vectors(store))
    _save_vectors(folder, PASSAGES, [(name, p.vector) for name, p in zip(names, passages, strict=True)])
    lexical.build(folder / WORDS, (_document(record) for record in published_records(store)))
    _save_facets(store, names, folder)


def build_facets(store: Store, folder: Path) -> None:
    """Only what to filter by: tags may change while SOPs do not."""
    spans = [(p.post, p.start, p.stop) for p in kept_passages(store)]
    _save_facets(store, {_passage_id(span): span for span in spans}, folder)


def _save_facets(store: Store, passages: Mapping[str, Span], folder: Path) -> None:
    facets.facets_of(published_records(store), thread_tags(store), passages).save(folder)


def thread_tags(store: Store) -> dict[str, list[str]]:
    """Tags and category of every thread that a current procedure names."""
    rows = store.execute(
        "SELECT t.id, t.category, t.tags FROM threads t WHERE t.id IN (SELECT unnest(threads) FROM procedures WHERE current) ORDER BY t.id"
    )
    hide = mask_of(store)
    return {thread: [hide(tag) for tag in (*tags, category) if tag] for thread, category, tags in rows}


def _save_vectors(folder: Path, name: str, rows: Iterable[tuple[str, bytes]]) -> None:
    import numpy as np

    kept = [(identifier, vector) for identifier, vector in rows if vector]
    size = len(kept[0][1]) if kept else DIMENSIONS
    matrix = np.frombuffer(b"".join(vector for _, vector in kept), dtype=np.int8).reshape(len(kept), size)
    vectors.build([identifier for identifier, _ in kept], matrix).save(folder, name)


def _document(record: Mapping[str, Any]) -> lexical.Document:
    """Found by its words, and stored whole: so an answer needs no database."""
    text = "\n".join([record["title"], record["goal"], *(step["text"] for step in record["steps"])])
    return lexical.Document(record["id"], text, canonical_json(record))


def _passage_id(span: Span) -> str:
    return f"{span[0]}#{span[1]}-{span[2]}"


def span_of(passage_id: str) -> Span:
    post, _, place = passage_id.rpartition("#")
    start, _, stop = place.partition("-")
    return post, int(start), int(stop)


# --- asking ---------------------------------------------------------------------------------------------------------


def search(folder: Path, query: str, k: int, config: Config, words_only: bool = False, filters: Filters = NO_FILTERS) -> list[Hit]:
    """The best `k` procedures for a question, of the release whose local/ this is. With `words_only` no model is loaded.
    Raises UsageError where nothing was asked."""
    must_ask(query)
    return Searcher(folder, config.distill.model).search(query, k, words_only, filters)


def must_ask(text: str) -> None:
    """A question without a letter or digit asks nothing, and is no question that found nothing."""
    if not any(character.isalnum() for character in text):
        shown = text if len(text) <= 40 else text[:39] + "…"
        raise UsageError(f"{shown!r} asks nothing", 'say in a few words what you want to do, such as "apply for a grant"')


class Searcher:
    """A release's indexes, each opened when first needed and kept open. Raises StoreError where one is missing."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._model = folder, model
        self._kept: dict[str, dict[str, Any]] = {}

    @cached_property
    def facets(self) -> Facets:
        return facets.load(self._folder)

    @cached_property
    def _words(self) -> lexical.Lexical:
        return lexical.Lexical(self._folder / WORDS)

    @cached_property
    def _goals(self) -> vectors.VectorIndex:
        return vectors.load(self._folder, GOALS)

    @cached_property
    def _passages(self) -> vectors.VectorIndex:
        return vectors.load(self._folder, PASSAGES)

    def records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Whole records by id: what callers get is kept here as well, and not theirs to change."""
        fresh = self._words.stored([identifier for identifier in ids if identifier not in self._kept])
        self._kept |= {identifier: json.loads(text) for identifier, text in fresh.items()}
        found = {identifier: self._kept[identifier] for identifier in ids}
        for oldest in list(self._kept)[: max(0, len(self._kept) - KEPT_RECORDS)]:
            del self._kept[oldest]
        return found

    def search(self, query: str, k: int, words_only: bool = False, filters: Filters = NO_FILTERS) -> list[Hit]:
        allowed = self.facets.allowed(filters)
        if not self.facets.procedures:
            return []
        ranked = self.rank(query, words_only, allowed)[:k]
        records = self.records([found.id for found in ranked])
        asked = frozenset(lexical.stems(telling_words(query)))
        return [_hit(records[found.id], found, asked) for found in ranked]

    def rank(self, query: str, words_only: bool = False, allowed: frozenset[str] | None = None) -> list[Ranked]:
        """Procedures with words of the question, or near it in meaning, best first."""
        by_words = self._words.scores(telling_words(query), DEPTH, allowed)
        most = max((score for _, score in by_words), default=1)
        scores = {identifier: WORDS_BP * score // most for identifier, score in by_words}
        goals, passages = ({}, {}) if words_only else self.by_meaning(query, allowed)
        found = {
            *scores,
            *(i for i, bp in goals.items() if bp >= MIN_COSINE_BP),
            *(i for i, (bp, _) in passages.items() if bp >= MIN_COSINE_BP),
        }
        least = min((bp for bp, _ in passages.values()), default=0)  # no passage of the others is nearer
        ranked = []
        for identifier in found:
            near, passage = passages.get(identifier, (least, ""))
            goal = goals.get(identifier, 0)
            ranked.append(Ranked(identifier, meaning_bp(goal, near) + scores.get(identifier, 0), goal, near, passage))
        return sorted(ranked, key=lambda entry: (-entry.score, entry.id))

    def by_meaning(self, query: str, allowed: frozenset[str] | None = None) -> tuple[dict[str, int], dict[str, tuple[int, str]]]:
        """Cosines in basis points of goals, and of each procedure's nearest passage with its id. The model is only loaded
        where there is something to compare with."""
        goals, passages = self.near(query, allowed)
        nearest: dict[str, tuple[int, str]] = {}
        for cosine, name, identifiers in passages:
            for identifier in identifiers:
                if identifier not in nearest and (allowed is None or identifier in allowed):
                    nearest[identifier] = (cosine, name)
        return dict(goals), nearest

    def near(self, query: str, allowed: frozenset[str] | None = None) -> tuple[list[tuple[str, int]], list[tuple[int, str, Sequence[str]]]]:
        """Procedures by the cosine of their goal, and passages with theirs and the procedures that cite them, nearest first."""
        if not query.strip() or not (self._goals.ids or self._passages.ids):
            return [], []
        return self.near_vector(self.embed([query[: lexical.LONGEST_QUERY]]), allowed)

    def near_vector(
        self, asked: Vectors, allowed: frozenset[str] | None = None
    ) -> tuple[list[tuple[str, int]], list[tuple[int, str, Sequence[str]]]]:
        """As `near`, for one int8 vector of shape (1, dimensions)."""
        citing = self.facets.citing
        cited = None if allowed is None else frozenset(name for name, ids in citing.items() if not allowed.isdisjoint(ids))
        passages = [(cosine, name, citing[name]) for name, cosine in self._passages.search(asked, DEPTH, cited)[0]]
        return self._goals.search(asked, DEPTH, allowed)[0], passages

    @property
    def model(self) -> str:
        """What the release was made with counts, not what the configuration says since."""
        return PACKAGED if f"sha256:{PACKAGED_SHA256}" in self.facets.models else self._model

    def embed(self, texts: Sequence[str]) -> Vectors:
        """int8 vectors of shape (len(texts), dimensions), by the model of the release."""
        from index import query as questions

        return questions.asker(self.model).encode(texts)


def meaning_bp(goal: int, passage: int) -> int:
    """How near an SOP is to a question in meaning, of the cosines of its goal and of its nearest passage."""
    return (GOAL_PARTS * goal + PASSAGE_PARTS * passage) // (GOAL_PARTS + PASSAGE_PARTS)


def telling_words(query: str) -> str:
    """The query's words but the common ones; all of them where there are no others."""
    words = re.findall(r"\w+", query[: lexical.LONGEST_QUERY])
    return " ".join([word for word in words if word.casefold() not in COMMON] or words)


def _hit(record: Mapping[str, Any], found: Ranked, asked: frozenset[str]) -> Hit:
    step, citation = _best_step(record, found.passage, asked)
    shown = {"title": record["title"], "step_text": step["text"], "quote": citation["exact"]}
    return Hit(
        id=record["id"],
        goal=record["goal"],
        score=found.score,
        status=record["status"],
        steps=len(record["steps"]),
        step=step["n"],
        handle=citation["handle"],
        permalink=citation["permalink"],
        created=citation["created"],
        highlights={name: lexical.matches(text, asked) for name, text in shown.items()},
        **shown,
    )


def _best_step(record: Mapping[str, Any], passage: str, asked: frozenset[str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The step whose cited words are nearest; else the one that shares most words with the question, the first of equals."""
    pairs = [(step, citation) for step in record["steps"] for citation in step["citations"]]
    if passage:
        post, start, stop = span_of(passage)
        for step, citation in pairs:
            if citation["post"] == post and citation["start"] < stop and citation["end"] > start:
                return step, citation
    return max(pairs, key=lambda pair: len(asked.intersection(lexical.stems(pair[1]["exact"]))))
