"""Search over a release: words (BM25) and meaning (vectors), over procedures and over the passages they cite, fused by rank.

Reciprocal rank fusion (Cormack et al. 2009) needs no scales that agree: each list gives 1 / (60 + place). Integers here,
ties by id, so that one release answers alike everywhere up to the rounding of its vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import lexical, vectors
from index.config import Config
from index.embed import DIMENSIONS
from index.snapshot import FILE, Snapshot, goal_vectors
from index.store import Store
from index.tables_procedures import current_records, kept_passages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

GOALS, PASSAGES = "goals", "passages"
WORDS_OF_PROCEDURES, WORDS_OF_PASSAGES = "lexical/procedures", "lexical/passages"
FILES = (f"{GOALS}.faiss", f"{GOALS}.ids.json", f"{PASSAGES}.faiss", f"{PASSAGES}.ids.json", WORDS_OF_PROCEDURES, WORDS_OF_PASSAGES)
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
    steps: int
    step: int  # the one that matches best
    step_text: str
    quote: str
    handle: str
    permalink: str
    created: str


# --- building -------------------------------------------------------------------------------------------------------


def build_search(store: Store, folder: Path) -> None:
    """Write FAISS and tantivy indexes of the current procedures and kept passages into a folder."""
    passages = kept_passages(store)
    names = [_passage_id((p.post, p.start, p.stop)) for p in passages]
    _save_vectors(folder, GOALS, goal_vectors(store))
    _save_vectors(folder, PASSAGES, [(name, p.vector) for name, p in zip(names, passages, strict=True)])
    lexical.build(folder / WORDS_OF_PROCEDURES, (_document(record) for record in current_records(store)))
    lexical.build(folder / WORDS_OF_PASSAGES, ((name, "", p.text) for name, p in zip(names, passages, strict=True)))


def _save_vectors(folder: Path, name: str, rows: Iterable[tuple[str, bytes]]) -> None:
    import numpy as np

    kept = [(identifier, vector) for identifier, vector in rows if vector]
    size = len(kept[0][1]) if kept else DIMENSIONS
    matrix = np.frombuffer(b"".join(vector for _, vector in kept), dtype=np.int8).reshape(len(kept), size)
    vectors.build([identifier for identifier, _ in kept], matrix).save(folder, name)


def _document(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return record["id"], f"{record['title']}\n{record['goal']}", "\n".join(step["text"] for step in record["steps"])


def _passage_id(span: Span) -> str:
    return f"{span[0]}#{span[1]}-{span[2]}"


def _span(passage_id: str) -> Span:
    post, _, place = passage_id.rpartition("#")
    start, _, stop = place.partition("-")
    return post, int(start), int(stop)


# --- asking ---------------------------------------------------------------------------------------------------------


def search(snapshot_folder: Path, query: str, k: int, config: Config, words_only: bool = False) -> list[Hit]:
    """The best `k` procedures for a question. With `words_only` no model is loaded."""
    words = telling_words(query)
    with Snapshot(snapshot_folder / FILE) as snapshot:
        by_procedure = [lexical.search(snapshot_folder / WORDS_OF_PROCEDURES, words, DEPTH)]
        by_passage = [lexical.search(snapshot_folder / WORDS_OF_PASSAGES, words, DEPTH)]
        if not words_only:
            goals, passages = _by_meaning(snapshot_folder, query, snapshot.meta().get("model") or config.distill.model)
            by_procedure.append(goals)
            by_passage.insert(0, passages)
        spans = [[_span(name) for name in names] for names in by_passage]
        citing = snapshot.citing(sorted({span for line in spans for span in line}))
        ranked = _fuse([*by_procedure, *([p for span in line for p in citing.get(span, ())] for line in spans)])[:k]
        records = snapshot.records([identifier for identifier, _ in ranked])
    best = _best_spans(spans, citing)
    return [_hit(records[identifier], score, best.get(identifier, []), query) for identifier, score in ranked]


def telling_words(query: str) -> str:
    """The query's words but the common ones; all of them where there are no others."""
    words = re.findall(r"\w+", query[: lexical.LONGEST_QUERY])
    return " ".join([word for word in words if word.casefold() not in COMMON] or words)


def _by_meaning(folder: Path, query: str, model: str) -> tuple[list[str], list[str]]:
    """Goals and passages near the question; the model is only loaded where there is something to compare with."""
    goals, passages = vectors.load(folder, GOALS), vectors.load(folder, PASSAGES)
    if not query.strip() or not (goals.ids or passages.ids):
        return [], []
    from index.embed import encoder

    asked = encoder(model).encode([query[: lexical.LONGEST_QUERY]])
    near = [index.search(asked, DEPTH)[0] for index in (goals, passages)]
    kept = [[identifier for identifier, cosine in line if cosine >= MIN_COSINE_BP] for line in near]
    return kept[0], kept[1]


def _fuse(lists: Iterable[Sequence[str]]) -> list[tuple[str, int]]:
    """(id, score), best first. A list names a procedure once: at its best place."""
    scores: dict[str, int] = {}
    for names in lists:
        for place, name in enumerate(dict.fromkeys(names), start=1):
            scores[name] = scores.get(name, 0) + SCALE // (RRF + place)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _best_spans(lists: Iterable[Sequence[Span]], citing: Mapping[Span, Sequence[str]]) -> dict[str, list[Span]]:
    """For each procedure the passages that were found of it; those found by meaning before those found by words."""
    best: dict[str, list[Span]] = {}
    for spans in lists:
        for span in spans:
            for procedure in citing.get(span, ()):
                best.setdefault(procedure, []).append(span)
    return best


def _hit(record: Mapping[str, Any], score: int, spans: Sequence[Span], query: str) -> Hit:
    step, citation = _best_step(record, spans, query)
    return Hit(
        id=record["id"],
        title=record["title"],
        goal=record["goal"],
        score=score,
        steps=len(record["steps"]),
        step=step["n"],
        step_text=step["text"],
        quote=citation["exact"],
        handle=citation["handle"],
        permalink=citation["permalink"],
        created=citation["created"],
    )


def _best_step(record: Mapping[str, Any], spans: Sequence[Span], query: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The step whose cited words were found; else the one that shares most words with the question, the first of equals."""
    pairs = [(step, citation) for step in record["steps"] for citation in step["citations"]]
    for post, start, stop in spans:
        for step, citation in pairs:
            if citation["post"] == post and citation["start"] < stop and citation["end"] > start:
                return step, citation
    asked = set(telling_words(query).casefold().split())
    return max(pairs, key=lambda pair: len(asked & set(re.findall(r"\w+", pair[1]["exact"].casefold()))))
