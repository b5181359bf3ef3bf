"""Train the scorers of the chain from labelled threads and write distill/weights/.

    python -m bench.train WORKSPACE

WORKSPACE holds the forums of bench/labels/threads.jsonl, crawled (`precipitate add` each of the three corpora and
bench/labels/written, then `precipitate run`). Labels are post ids and offsets into plain/1. Everything that is
reported is out of fold: five folds by thread, so no figure comes from a thread that the scorer has seen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from distill.features import BUCKETS, FACTS, HASH_BITS, read_frames
from distill.gate import THREAD_FACTS, thread_facts
from distill.passages import ReadThread, read_thread
from distill.scaffold import find_scaffold
from distill.scorers import STANCES, WEIGHTS, Linear, Scorers
from distill.scoring import score_thread, see
from index.embed import encoder
from index.store import Store
from index.tables_discussion import read_threads

ROOT = Path(__file__).parent
OUT = ROOT.parent / "distill" / "weights"
WORDS_SCALE, VECTOR_SCALE = 3.0, 2.0  # how much words and vectors weigh against facts under one regularisation
CHEAP_C, FULL_C, INSIDE_C, GATE_C, STANCE_C = 0.2, 0.1, 0.1, 0.005, 0.3
FOLDS = 5


@dataclass(slots=True)
class Example:
    read: ReadThread
    label: dict[str, Any]
    steps: set[tuple[int, int]]  # (post, passage) that state a step
    stances: dict[tuple[int, int], str]
    words: list[list[list[int]]]
    facts: list[np.ndarray[Any, Any]]
    vectors: dict[str, np.ndarray[Any, Any]]


def load_examples(workspace: Path, labels: Path) -> list[Example]:
    rows = {row["thread"]: row for row in map(json.loads, labels.read_text().strip().split("\n"))}
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        threads = read_threads(store, sorted(rows))
    missing = set(rows) - {thread.id for thread in threads}
    if missing:
        print(f"{len(missing)} labelled threads are not in the workspace, such as {sorted(missing)[0]}", file=sys.stderr)
    return [example(read_thread(thread), rows[thread.id]) for thread in threads]


def example(read: ReadThread, label: dict[str, Any]) -> Example:
    seen = [see(read, post, read_frames(post)) for post in read.posts]
    texts = sorted({p.text for post in read.posts for p in post.passages})
    vectors = dict(zip(texts, encoder().encode(texts), strict=True)) if texts else {}
    steps = {place for p in label["procedures"] for s in p["steps"] for e in s["evidence"] if (place := find(read, e))}
    stances: dict[tuple[int, int], str] = {}
    for procedure in label["procedures"]:
        for kind, name in (("support", "support"), ("dissent", "dissent"), ("amendments", "amendment")):
            for stance in procedure[kind]:
                if (place := find(read, stance["span"])) and place not in steps:
                    stances[place] = name
    return Example(read, label, steps, stances, [s[0] for s in seen], [s[1] for s in seen], vectors)


def find(read: ReadThread, span: Sequence[Any]) -> tuple[int, int] | None:
    """The passage that covers most of a labelled span."""
    post_id, start, end = span
    best: tuple[int, tuple[int, int]] | None = None
    for number, post in enumerate(read.posts):
        if post.post.id == post_id:
            for place, passage in enumerate(post.passages):
                overlap = min(end, passage.end) - max(start, passage.start)
                if overlap > 0 and (best is None or overlap > best[0]):
                    best = (overlap, (number, place))
    return best[1] if best else None


def matrix(examples: Sequence[Example], vectors: bool) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(features, labels, thread number) of every passage."""
    rows = [row for e in examples for post in e.words for row in post]
    words = sparse.csr_matrix(
        (np.ones(sum(map(len, rows))), np.concatenate([np.array(r, int) for r in rows]), np.cumsum([0] + [len(r) for r in rows])),
        shape=(len(rows), BUCKETS),
    )
    scale = sparse.diags(1 / np.sqrt(np.maximum(1, np.asarray(words.sum(1)).ravel())))
    numbers = np.vstack([post for e in examples for post in e.facts if len(post)])
    parts = [scale @ words * WORDS_SCALE, sparse.csr_matrix(numbers)]
    if vectors:
        embedded = np.vstack([e.vectors[p.text] for e in examples for post in e.read.posts for p in post.passages]) / 127
        parts.append(sparse.csr_matrix(embedded * VECTOR_SCALE))
    labels = np.array([(n, i) in e.steps for e in examples for n, post in enumerate(e.read.posts) for i in range(len(post.passages))])
    groups = np.array([g for g, e in enumerate(examples) for post in e.read.posts for _ in post.passages])
    return sparse.hstack(parts).tocsr(), labels, groups


def fit(features: Any, labels: np.ndarray[Any, Any], c: float) -> Linear:
    """Logistic regression as a Linear whose words weights are what they will be after quantising."""
    model = LogisticRegression(C=c, max_iter=500).fit(features, labels)
    weights = model.coef_[0]
    words = weights[:BUCKETS] * WORDS_SCALE
    scale = np.abs(words).max() / 127
    vector = weights[BUCKETS + len(FACTS) :] * VECTOR_SCALE
    return Linear(
        np.rint(words / scale) * scale, weights[BUCKETS : BUCKETS + len(FACTS)].astype(np.float32).astype(float),
        vector.astype(np.float32).astype(float) if len(vector) else None, float(np.float32(model.intercept_[0])),
    )  # fmt: skip


def passage_scorers(examples: Sequence[Example]) -> tuple[Linear, Linear, Linear]:
    """(cheap, full, inside). `inside` learns from posts with at least two steps: which of their sentences are the steps."""
    cheap_features, labels, _ = matrix(examples, vectors=False)
    full_features, _, _ = matrix(examples, vectors=True)
    holds = [sum(n == number for n, _ in e.steps) >= 2 for e in examples for number, post in enumerate(e.read.posts) for _ in post.passages]
    inside = np.array(holds)
    return fit(cheap_features, labels, CHEAP_C), fit(full_features, labels, FULL_C), fit(full_features[inside], labels[inside], INSIDE_C)


def stance_scorers(examples: Sequence[Example]) -> dict[str, Linear]:
    """Trained on procedural threads only: what stands in the other posts, steps left out."""
    chosen = [e for e in examples if e.steps]
    features, _, _ = matrix(chosen, vectors=True)
    names = [e.stances.get((n, i), "") for e in chosen for n, post in enumerate(e.read.posts) for i in range(len(post.passages))]
    outside = np.array([(n, i) not in e.steps for e in chosen for n, post in enumerate(e.read.posts) for i in range(len(post.passages))])
    return {kind: fit(features[outside], np.array([n == kind for n in names])[outside], STANCE_C) for kind in STANCES}


def empty_gate(scorers: tuple[Linear, Linear, Linear], stances: dict[str, Linear]) -> Scorers:
    width = len(THREAD_FACTS)
    return Scorers(*scorers, np.zeros(width + 1), np.zeros(width), np.ones(width), stances, "", {})


def scored(example: Example, scorers: Scorers) -> Any:
    return score_thread(example.read, scorers, lambda texts: np.array([example.vectors[t] for t in texts]))


def gate_row(example: Example, scorers: Scorers) -> list[float] | None:
    found = scored(example, scorers)
    scaffold = find_scaffold(found)
    if scaffold is None:
        return None
    places = [*scaffold.steps, *scaffold.added]
    return thread_facts(found, scaffold, places) if len(places) >= 3 else None


def fit_gate(
    rows: Sequence[list[float] | None], labels: Sequence[bool]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    known = [i for i, row in enumerate(rows) if row is not None]
    x = np.array([rows[i] for i in known])
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-3)
    model = LogisticRegression(C=GATE_C, max_iter=1000).fit((x - mean) / scale, np.array([labels[i] for i in known]))
    return np.append(model.coef_[0], model.intercept_[0]), mean, scale


def cross_validate(examples: Sequence[Example]) -> tuple[list[Scorers], list[int], list[list[float] | None]]:
    """Scorers per fold with gates from the other folds' out-of-fold rows; the fold of each example; its row."""
    groups = np.arange(len(examples))
    fold_of = [0] * len(examples)
    per_fold: list[Scorers] = []
    rows: list[list[float] | None] = [None] * len(examples)
    for fold, (train, test) in enumerate(GroupKFold(FOLDS, shuffle=True, random_state=0).split(groups, groups=groups)):
        seen = [examples[i] for i in train]
        per_fold.append(empty_gate(passage_scorers(seen), stance_scorers(seen)))
        for i in test:
            fold_of[i] = fold
            rows[i] = gate_row(examples[i], per_fold[-1])
    labels = [bool(e.label["procedural"]) for e in examples]
    for fold in range(FOLDS):
        others = [i for i in range(len(examples)) if fold_of[i] != fold]
        gate, mean, scale = fit_gate([rows[i] for i in others], [labels[i] for i in others])
        old = per_fold[fold]
        per_fold[fold] = Scorers(old.cheap, old.full, old.inside, gate, mean, scale, old.stances, "", {})
    return per_fold, fold_of, rows


def save(scorers: Scorers, card: dict[str, Any]) -> None:
    OUT.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {"thread": scorers.thread, "thread_mean": scorers.thread_mean, "thread_scale": scorers.thread_scale}
    for name, linear in {"cheap": scorers.cheap, "full": scorers.full, "inside": scorers.inside, **scorers.stances}.items():
        scale = np.abs(linear.words).max() / 127
        arrays |= {f"{name}_words": np.rint(linear.words / scale).astype(np.int8), f"{name}_scale": np.float64(scale)}
        arrays |= {f"{name}_facts": linear.facts.astype(np.float32), f"{name}_bias": np.float32(linear.bias)}
        if linear.vector is not None:
            arrays[f"{name}_vector"] = linear.vector.astype(np.float32)
    np.savez_compressed(OUT / WEIGHTS, **arrays)
    (OUT / "card.json").write_text(json.dumps(card, indent=2) + "\n")


def passage_figures(examples: Sequence[Example], per_fold: Sequence[Scorers], fold_of: Sequence[int]) -> dict[str, float]:
    cheap: list[float] = []
    full: list[float] = []
    labels: list[bool] = []
    for e, fold in zip(examples, fold_of, strict=True):
        s = per_fold[fold]
        for number, post in enumerate(e.read.posts):
            if post.passages:
                vectors = np.array([e.vectors[p.text] for p in post.passages])
                cheap += list(s.cheap.margins(e.words[number], e.facts[number]))
                full += list(s.full.margins(e.words[number], e.facts[number], vectors))
                labels += [(number, i) in e.steps for i in range(len(post.passages))]
    return {
        "cheap_ap": round(float(average_precision_score(labels, cheap)), 3),
        "full_ap": round(float(average_precision_score(labels, full)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--labels", type=Path, default=ROOT / "labels" / "threads.jsonl")
    arguments = parser.parse_args()
    train(load_examples(arguments.workspace, arguments.labels))


def train(examples: Sequence[Example]) -> None:
    per_fold, fold_of, rows = cross_validate(examples)
    labels = [bool(e.label["procedural"]) for e in examples]
    figures: dict[str, Any] = passage_figures(examples, per_fold, fold_of)
    final = empty_gate(passage_scorers(examples), stance_scorers(examples))
    gate, mean, scale = fit_gate(rows, labels)
    final = Scorers(final.cheap, final.full, final.inside, gate, mean, scale, final.stances, "", {})
    card = {
        "trained_on": {
            "threads": len(examples),
            "procedural": sum(labels),
            "passages": sum(e.read.passage_count for e in examples),
            "steps": sum(len(e.steps) for e in examples),
        },
        "labels": "bench/labels/threads.jsonl (post ids and offsets), one careful reader per thread; none of the forty gold threads",
        "features": {"hash_bits": HASH_BITS, "facts": len(FACTS), "thread_facts": len(THREAD_FACTS), "encoder": encoder().digest},
        "out_of_fold": figures,
    }
    save(final, card)
    print(json.dumps(card["out_of_fold"], indent=2))


if __name__ == "__main__":
    main()
