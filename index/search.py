"""Search over a release: words (BM25) and meaning (vectors), over procedures and over the passages they cite, fused by rank.

Reciprocal rank fusion (Cormack et al. 2009) needs no scales that agree: each list gives 1 / (60 + place). Integers here,
ties by id, so that one release answers alike everywhere up to the rounding of its vectors. Whoever asks again and again
keeps a Searcher; nothing of it opens a database or loads torch (docs/decisions/0024-search.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import facets, lexical, vectors
from index.config import Config
from index.embed import DIMENSIONS, PACKAGED, PACKAGED_SHA256
from index.facets import NO_FILTERS, Facets, Filters
from index.snapshot import goal_vectors
from index.store import Store, canonical_json
from index.tables_procedures import current_records, kept_passages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

GOALS, PASSAGES = "goals", "passages"
WORDS_OF_PROCEDURES, WORDS_OF_PASSAGES = "lexical/procedures", "lexical/passages"
FILES = (
    *(f"{GOALS}.faiss", f"{GOALS}.ids.json", f"{PASSAGES}.faiss", f"{PASSAGES}.ids.json"),
    *(WORDS_OF_PROCEDURES, WORDS_OF_PASSAGES, facets.FILE),
)
DEPTH = 60  # places of each list that count
RRF = 60
SCALE = 1_000_000
# Below this cosine two texts have nothing to do with each other; a vector index answers with something all the same.
MIN_COSINE_BP = 3_000

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


# --- building -------------------------------------------------------------------------------------------------------


def build_search(store: Store, folder: Path) -> None:
    """Write FAISS and tantivy indexes of the current procedures and kept passages into a folder, and what to filter by."""
    passages = kept_passages(store)
    names = {_passage_id((p.post, p.start, p.stop)): (p.post, p.start, p.stop) for p in passages}
    _save_vectors(folder, GOALS, goal_vectors(store))
    _save_vectors(folder, PASSAGES, [(name, p.vector) for name, p in zip(names, passages, strict=True)])
    lexical.build(folder / WORDS_OF_PROCEDURES, (_document(record) for record in current_records(store)))
    lexical.build(folder / WORDS_OF_PASSAGES, ((name, "", p.text) for name, p in zip(names, passages, strict=True)))
    facets.facets_of(current_records(store), thread_tags(store), names).save(folder)


def thread_tags(store: Store) -> dict[str, list[str]]:
    """Tags and category of every thread that a current procedure names."""
    rows = store.execute(
        "SELECT t.id, t.category, t.tags FROM threads t WHERE t.id IN (SELECT unnest(threads) FROM procedures WHERE current) ORDER BY t.id"
    )
    return {thread: [tag for tag in (*tags, category) if tag] for thread, category, tags in rows}


def _save_vectors(folder: Path, name: str, rows: Iterable[tuple[str, bytes]]) -> None:
    import numpy as np

    kept = [(identifier, vector) for identifier, vector in rows if vector]
    size = len(kept[0][1]) if kept else DIMENSIONS
    matrix = np.frombuffer(b"".join(vector for _, vector in kept), dtype=np.int8).reshape(len(kept), size)
    vectors.build([identifier for identifier, _ in kept], matrix).save(folder, name)


def _document(record: Mapping[str, Any]) -> lexical.Document:
    """Found by its words, and stored whole: so an answer needs no database."""
    body = "\n".join(step["text"] for step in record["steps"])
    return lexical.Document(record["id"], f"{record['title']}\n{record['goal']}", body, canonical_json(record))


def _passage_id(span: Span) -> str:
    return f"{span[0]}#{span[1]}-{span[2]}"


def _span(passage_id: str) -> Span:
    post, _, place = passage_id.rpartition("#")
    start, _, stop = place.partition("-")
    return post, int(start), int(stop)


# --- asking ---------------------------------------------------------------------------------------------------------


def search(folder: Path, query: str, k: int, config: Config, words_only: bool = False, filters: Filters = NO_FILTERS) -> list[Hit]:
    """The best `k` procedures for a question, of the release whose local/ this is. With `words_only` no model is loaded."""
    return Searcher(folder, config.distill.model).search(query, k, words_only, filters)


class Searcher:
    """A release's indexes, each opened when first needed and kept open. Raises StoreError where one is missing."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._model = folder, model

    @cached_property
    def facets(self) -> Facets:
        return facets.load(self._folder)

    @cached_property
    def _words_of_procedures(self) -> lexical.Lexical:
        return lexical.Lexical(self._folder / WORDS_OF_PROCEDURES)

    @cached_property
    def _words_of_passages(self) -> lexical.Lexical:
        return lexical.Lexical(self._folder / WORDS_OF_PASSAGES)

    @cached_property
    def _goals(self) -> vectors.VectorIndex:
        return vectors.load(self._folder, GOALS)

    @cached_property
    def _passages(self) -> vectors.VectorIndex:
        return vectors.load(self._folder, PASSAGES)

    def records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {identifier: json.loads(text) for identifier, text in self._words_of_procedures.stored(ids).items()}

    def search(self, query: str, k: int, words_only: bool = False, filters: Filters = NO_FILTERS) -> list[Hit]:
        allowed = self.facets.allowed(filters)
        if not self.facets.procedures:
            return []
        ranked, best = self.rank(query, words_only, allowed)
        records = self.records([identifier for identifier, _ in ranked[:k]])
        asked = frozenset(lexical.stems(telling_words(query)))
        return [_hit(records[identifier], score, best.get(identifier, []), asked) for identifier, score in ranked[:k]]

    def rank(
        self, query: str, words_only: bool = False, allowed: frozenset[str] | None = None
    ) -> tuple[list[tuple[str, int]], dict[str, list[Span]]]:
        """(procedure, score), best first; and of each the passages that were found, those found by meaning first."""
        words = telling_words(query)
        cited = None if allowed is None else frozenset(n for n, ids in self.facets.citing.items() if not allowed.isdisjoint(ids))
        by_procedure = [self._words_of_procedures.search(words, DEPTH, allowed)]
        by_passage = [self._words_of_passages.search(words, DEPTH, cited)]
        if not words_only:
            goals, passages = self._by_meaning(query, allowed, cited)
            by_procedure.append(goals)
            by_passage.insert(0, passages)
        citing = self.facets.citing
        lists = [*by_procedure, *([p for name in names for p in citing[name]] for names in by_passage)]
        if allowed is not None:
            lists = [[name for name in names if name in allowed] for names in lists]
        return fuse(lists), _best_spans(by_passage, citing)

    def _by_meaning(self, query: str, allowed: Collection[str] | None, cited: Collection[str] | None) -> tuple[list[str], list[str]]:
        """Goals and passages near the question; the model is only loaded where there is something to compare with."""
        if not query.strip() or not (self._goals.ids or self._passages.ids):
            return [], []
        from index import query as questions

        # What the release was made with counts, not what the configuration says since.
        model = PACKAGED if f"sha256:{PACKAGED_SHA256}" in self.facets.models else self._model
        asked = questions.asker(model).encode([query[: lexical.LONGEST_QUERY]])
        near = [index.search(asked, DEPTH, among)[0] for index, among in ((self._goals, allowed), (self._passages, cited))]
        kept = [[identifier for identifier, cosine in line if cosine >= MIN_COSINE_BP] for line in near]
        return kept[0], kept[1]


def telling_words(query: str) -> str:
    """The query's words but the common ones; all of them where there are no others."""
    words = re.findall(r"\w+", query[: lexical.LONGEST_QUERY])
    return " ".join([word for word in words if word.casefold() not in COMMON] or words)


def fuse(lists: Iterable[Sequence[str]]) -> list[tuple[str, int]]:
    """(id, score), best first. A list names a procedure once: at its best place."""
    scores: dict[str, int] = {}
    for names in lists:
        for place, name in enumerate(dict.fromkeys(names), start=1):
            scores[name] = scores.get(name, 0) + SCALE // (RRF + place)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _best_spans(lists: Iterable[Sequence[str]], citing: Mapping[str, Sequence[str]]) -> dict[str, list[Span]]:
    """For each procedure the passages that were found of it; those found by meaning before those found by words."""
    best: dict[str, list[Span]] = {}
    for names in lists:
        for name in names:
            for procedure in citing[name]:
                best.setdefault(procedure, []).append(_span(name))
    return best


def _hit(record: Mapping[str, Any], score: int, spans: Sequence[Span], asked: frozenset[str]) -> Hit:
    step, citation = _best_step(record, spans, asked)
    shown = {"title": record["title"], "step_text": step["text"], "quote": citation["exact"]}
    return Hit(
        id=record["id"],
        goal=record["goal"],
        score=score,
        status=record["status"],
        steps=len(record["steps"]),
        step=step["n"],
        handle=citation["handle"],
        permalink=citation["permalink"],
        created=citation["created"],
        highlights={name: lexical.matches(text, asked) for name, text in shown.items()},
        **shown,
    )


def _best_step(record: Mapping[str, Any], spans: Sequence[Span], asked: frozenset[str]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The step whose cited words were found; else the one that shares most words with the question, the first of equals."""
    pairs = [(step, citation) for step in record["steps"] for citation in step["citations"]]
    for post, start, stop in spans:
        for step, citation in pairs:
            if citation["post"] == post and citation["start"] < stop and citation["end"] > start:
                return step, citation
    return max(pairs, key=lambda pair: len(asked.intersection(lexical.stems(pair[1]["exact"]))))
