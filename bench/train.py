"""Train the scorers of the chain from labelled threads and write distill/weights/.

    python -m bench.adapter WORKSPACE --out bench/labels/readings.npz
    python -m bench.train WORKSPACE bench/labels/readings.npz

WORKSPACE holds the forums of bench/labels/threads.jsonl, crawled (`precipitate add` each of the three corpora and
bench/labels/written, then `precipitate run`). Labels are post ids and offsets into plain/1. Everything that is
reported is out of fold by thread: readings come from adapters, and scores from scorers, that have not seen the thread.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from bench.examples import Example, hopeful, load_examples
from distill.features import BUCKETS, FACTS, HASH_BITS
from distill.gate import THREAD_FACTS, thread_facts
from distill.scaffold import expected, find_scaffold
from distill.scorers import ADAPTER, READINGS, STANCES, WEIGHTS, Linear, Scorers, load_adapter, to_bp
from distill.scoring import score_seen
from distill.windows import Window
from index.config import DistillConfig
from index.embed import Reader, encoder

ROOT = Path(__file__).parent
OUT = ROOT.parent / "distill" / "weights"
WORDS_SCALE, VECTOR_SCALE = 3.0, 2.0  # how much words and vectors weigh against facts under one regularisation
CHEAP_C, FULL_C, INSIDE_C, GATE_C, STANCE_C = 0.2, 0.1, 0.1, 0.01, 0.3
FOLDS = 5
MIN_STEPS = DistillConfig().min_steps
WRITTEN = "discourse:written.example/"  # threads written for training: learnt from, not counted in figures
HOPELESS = (-6.0, -6.0, -7.0, -7.0, -7.0)  # readings of a window that the adapter's folds left out as hopeless


def read_readings(path: Path, examples: Sequence[Example]) -> int:
    """Fills in what the adapters trained on other folds say of each passage.

    Threads that were labelled after the adapter was trained are read with it: it has not seen them either. Returns how
    many it was trained on.
    """
    with np.load(path) as arrays:
        rows = zip(arrays["threads"].tolist(), arrays["places"].tolist(), arrays["readings"].astype(np.float64), strict=True)
        by_thread: dict[str, dict[tuple[int, int], Any]] = {}
        for thread, (post, place), row in rows:
            by_thread.setdefault(thread, {})[post, place] = row
    trained_on = len(by_thread)
    late = [e for e in examples if e.read.thread.id not in by_thread]
    reader, cheap = (Reader(load_adapter()), cheap_scorer(examples)) if late else (None, None)
    for e in examples:
        if reader and cheap and e.read.thread.id not in by_thread:
            windows = hopeful(e, cheap)
            found = reader.read([(w.head, w.pieces) for w in windows])
            by_thread[e.read.thread.id] = {
                (w.post, place): row for w, rows in zip(windows, found, strict=True) for place, row in zip(w.places, rows, strict=True)
            }
        e.readings = by_thread[e.read.thread.id]
    return trained_on


Place = tuple[int, int, int]  # example, post, passage


def places_of(examples: Sequence[Example]) -> list[Place]:
    return [(g, n, i) for g, e in enumerate(examples) for n, post in enumerate(e.read.posts) for i in range(len(post.passages))]


def matrix(examples: Sequence[Example], places: Sequence[Place], dense: np.ndarray[Any, Any] | None = None) -> Any:
    """Words, facts and what comes densely, of shape (places, features)."""
    rows = [examples[g].inputs[n][0][i] for g, n, i in places]
    words = sparse.csr_matrix(
        (np.ones(sum(map(len, rows))), np.concatenate([np.array(r, int) for r in rows]), np.cumsum([0] + [len(r) for r in rows])),
        shape=(len(rows), BUCKETS),
    )
    scale = sparse.diags(1 / np.sqrt(np.maximum(1, np.asarray(words.sum(1)).ravel())))
    parts = [scale @ words * WORDS_SCALE, sparse.csr_matrix(np.array([examples[g].inputs[n][1][i] for g, n, i in places]))]
    return sparse.hstack([*parts, *([] if dense is None else [sparse.csr_matrix(dense)])]).tocsr()


def is_step(examples: Sequence[Example], places: Sequence[Place]) -> np.ndarray[Any, Any]:
    return np.array([(n, i) in examples[g].steps for g, n, i in places])


def fit(features: Any, labels: np.ndarray[Any, Any], c: float, scale_dense: float = 1.0) -> Linear:
    """Logistic regression as a Linear whose words weights are what they will be after quantising."""
    model = LogisticRegression(C=c, max_iter=500).fit(features, labels)
    weights = model.coef_[0]
    words = weights[:BUCKETS] * WORDS_SCALE
    scale = np.abs(words).max() / 127
    dense = weights[BUCKETS + len(FACTS) :] * scale_dense
    return Linear(
        np.rint(words / scale) * scale, weights[BUCKETS : BUCKETS + len(FACTS)].astype(np.float32).astype(float),
        dense.astype(np.float32).astype(float) if len(dense) else None, float(np.float32(model.intercept_[0])),
    )  # fmt: skip


def cheap_scorer(examples: Sequence[Example]) -> Linear:
    """Words and facts alone, on every passage: what says which windows are worth reading."""
    places = places_of(examples)
    return fit(matrix(examples, places), is_step(examples, places), CHEAP_C)


def passage_scorers(examples: Sequence[Example]) -> tuple[Linear, Linear, Linear]:
    """(cheap, full, inside). `full` learns from what was read; `inside` from posts with at least two steps: which are the steps."""
    places = places_of(examples)
    read = [(g, n, i) for g, n, i in places if (n, i) in examples[g].readings]
    home = [(g, n, i) for g, n, i in read if sum(m == n for m, _ in examples[g].steps) >= 2]
    dense = {place: examples[place[0]].readings[place[1:]] for place in read}
    full, inside = (matrix(examples, some, np.array([dense[p] for p in some])) for some in (read, home))
    return (
        cheap_scorer(examples),
        fit(full, is_step(examples, read), FULL_C),
        fit(inside, is_step(examples, home), INSIDE_C),
    )


def stance_scorers(examples: Sequence[Example]) -> dict[str, Linear]:
    """Trained on procedural threads only: what stands there that is no step."""
    chosen = [e for e in examples if e.steps]
    places = [(g, n, i) for g, n, i in places_of(chosen) if (n, i) not in chosen[g].steps]
    features = matrix(chosen, places, np.array([chosen[g].vectors[n, i] for g, n, i in places]) / 127 * VECTOR_SCALE)
    names = np.array([chosen[g].stances.get((n, i), "") for g, n, i in places])
    return {kind: fit(features, names == kind, STANCE_C, VECTOR_SCALE) for kind in STANCES}


def with_vectors(examples: Sequence[Example]) -> None:
    """Sentence vectors for the threads that the stance scorers learn from."""
    for e in examples:
        if e.steps:
            places = [(n, i) for n, post in enumerate(e.read.posts) for i in range(len(post.passages))]
            e.vectors = dict(zip(places, encoder().encode([e.read.posts[n].passages[i].text for n, i in places]), strict=True))


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the chain makes of a thread up to the gate."""

    row: list[float]  # THREAD_FACTS
    step_bp: dict[tuple[int, int], int]  # how surely each (post, passage) that it takes for a step is one

    def places(self, gate_bp: int) -> set[tuple[int, int]]:
        """What it takes for steps once the gate has said how sure it is."""
        return {place for place, bp in self.step_bp.items() if expected(bp, gate_bp)}

    def emitted(self, gate_bp: int, threshold_bp: int) -> set[tuple[int, int]]:
        """The steps of what is emitted; none where the gate, or what is left after it, says that it is no procedure."""
        places = self.places(gate_bp) if gate_bp >= threshold_bp else set()
        return places if len(places) >= MIN_STEPS else set()


def drafted(example: Example, passages: tuple[Linear, Linear, Linear]) -> Drafted | None:
    def read(windows: Sequence[Window]) -> list[np.ndarray[Any, Any]]:
        return [np.array([example.readings.get((w.post, place), HOPELESS) for place in w.places]) for w in windows]

    found = score_seen(example.read, example.frames, example.inputs, with_gate(passages, None, {}), read)
    scaffold = find_scaffold(found)
    places = [*scaffold.steps, *scaffold.added] if scaffold else []
    if scaffold is None or len(places) < MIN_STEPS:
        return None
    return Drafted(thread_facts(found, scaffold, places), {(p.post, p.passage): found.posts[p.post].step_bp[p.passage] for p in places})


Gate = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]  # weights and bias, mean, scale


def with_gate(passages: tuple[Linear, Linear, Linear], gate: Gate | None, stances: dict[str, Linear]) -> Scorers:
    width = len(THREAD_FACTS)
    weights, mean, scale = gate or (np.zeros(width + 1), np.zeros(width), np.ones(width))
    return Scorers(*passages, weights, mean, scale, stances, "", {})


def fit_gate(drafts: Sequence[Drafted | None], labels: Sequence[bool]) -> Gate:
    x = np.array([draft.row for draft in drafts if draft])
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-3)
    model = LogisticRegression(C=GATE_C, max_iter=1000).fit(
        (x - mean) / scale, [label for draft, label in zip(drafts, labels, strict=True) if draft]
    )
    return np.append(model.coef_[0], model.intercept_[0]), mean, scale


def gate_bp(draft: Drafted | None, gate: Gate) -> int:
    if draft is None:
        return 0
    weights, mean, scale = gate
    return to_bp(np.array([(np.array(draft.row) - mean) / scale @ weights[:-1] + weights[-1]]))[0]


@dataclass(frozen=True, slots=True)
class Folds:
    """Everything out of fold: the fold of each example and what was fitted on the others."""

    fold_of: list[int]
    passages: list[tuple[Linear, Linear, Linear]]

    @classmethod
    def fit(cls, examples: Sequence[Example]) -> Folds:
        groups = np.arange(len(examples))
        fold_of, passages = [0] * len(examples), []
        for fold, (seen, unseen) in enumerate(GroupKFold(FOLDS, shuffle=True, random_state=0).split(groups, groups=groups)):
            passages.append(passage_scorers([examples[i] for i in seen]))
            for i in unseen:
                fold_of[i] = fold
        return cls(fold_of, passages)

    def drafts(self, examples: Sequence[Example]) -> list[Drafted | None]:
        return [drafted(e, self.passages[fold]) for e, fold in zip(examples, self.fold_of, strict=True)]

    def gated(self, drafts: Sequence[Drafted | None], labels: Sequence[bool]) -> list[int]:
        """How sure a gate fitted on the other folds is of each draft, in basis points."""
        found = [0] * len(drafts)
        for fold in range(FOLDS):
            others = [i for i, f in enumerate(self.fold_of) if f != fold]
            gate = fit_gate([drafts[i] for i in others], [labels[i] for i in others])
            for i, f in enumerate(self.fold_of):
                if f == fold:
                    found[i] = gate_bp(drafts[i], gate)
        return found


def save(scorers: Scorers, card: dict[str, Any]) -> None:
    OUT.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {"thread": scorers.thread, "thread_mean": scorers.thread_mean, "thread_scale": scorers.thread_scale}
    for name, linear in {"cheap": scorers.cheap, "full": scorers.full, "inside": scorers.inside, **scorers.stances}.items():
        scale = np.abs(linear.words).max() / 127
        arrays |= {f"{name}_words": np.rint(linear.words / scale).astype(np.int8), f"{name}_scale": np.float64(scale)}
        arrays |= {f"{name}_facts": linear.facts.astype(np.float32), f"{name}_bias": np.float32(linear.bias)}
        if linear.dense is not None:
            arrays[f"{name}_dense"] = linear.dense.astype(np.float32)
    np.savez_compressed(OUT / WEIGHTS, **arrays)
    (OUT / "card.json").write_text(json.dumps(card, indent=2) + "\n")


def passage_figures(examples: Sequence[Example], folds: Folds) -> dict[str, float]:
    """Average precision of "is a step" over passages that were read: what each link of the chain knows."""
    margins: dict[str, list[float]] = {"cheap": [], "reading": [], "full": []}
    labels: list[bool] = []
    for e, fold in zip(examples, folds.fold_of, strict=True):
        cheap, full, _ = folds.passages[fold]
        for number, post in enumerate(e.read.posts):
            places = [i for i in range(len(post.passages)) if (number, i) in e.readings]
            if places:
                words, numbers = [e.inputs[number][0][i] for i in places], e.inputs[number][1][places]
                dense = np.array([e.readings[number, i] for i in places])
                margins["cheap"] += list(cheap.margins(words, numbers))
                margins["reading"] += list(dense[:, 0])
                margins["full"] += list(full.margins(words, numbers, dense))
                labels += [(number, i) in e.steps for i in places]
    return {f"{name}_ap": round(float(average_precision_score(labels, values)), 3) for name, values in margins.items()}


def thread_figures(examples: Sequence[Example], drafts: Sequence[Drafted | None], sure: Sequence[int]) -> dict[str, Any]:
    """How the gate decides on threads of real forums at each threshold, and how well the passages it lets through are steps."""
    real = [i for i, e in enumerate(examples) if not e.read.thread.id.startswith(WRITTEN)]
    labels = [bool(examples[i].label["procedural"]) for i in real]
    figures: dict[str, Any] = {"thread_ap": round(float(average_precision_score(labels, [sure[i] for i in real])), 3)}
    for threshold in range(1500, 6001, 500):
        places = {i: draft.emitted(sure[i], threshold) for i in real if (draft := drafts[i])}
        emitted = {i for i, found in places.items() if found}
        procedural = {i for i, label in zip(real, labels, strict=True) if label}
        figures[f"at_{threshold}"] = {
            "threads": f_one(len(emitted & procedural), len(emitted), len(procedural)),
            "noise": round(len(emitted - procedural) / (len(real) - len(procedural)), 3),
            "steps": f_one(
                sum(len(found & examples[i].steps) for i, found in places.items()),
                sum(map(len, places.values())),
                sum(len(examples[i].steps) for i in real),
            ),
        }
    return figures


def f_one(right: int, said: int, labelled: int) -> str:
    precision, recall = right / max(1, said), right / max(1, labelled)
    return f"P {precision:.3f} R {recall:.3f} F1 {2 * precision * recall / max(1e-9, precision + recall):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--labels", type=Path, default=ROOT / "labels" / "threads.jsonl")
    arguments = parser.parse_args()
    examples = load_examples(arguments.workspace, arguments.labels)
    adapted_on = read_readings(arguments.readings, examples)
    with_vectors(examples)
    train(examples, adapted_on)


def train(examples: Sequence[Example], adapted_on: int) -> None:
    folds = Folds.fit(examples)
    labels = [bool(e.label["procedural"]) for e in examples]
    drafts = folds.drafts(examples)
    figures: dict[str, Any] = passage_figures(examples, folds) | thread_figures(examples, drafts, folds.gated(drafts, labels))
    final = with_gate(passage_scorers(examples), fit_gate(drafts, labels), stance_scorers(examples))
    card = {
        "trained_on": {
            "threads": len(examples),
            "procedural": sum(labels),
            "passages": sum(e.read.passage_count for e in examples),
            "steps": sum(len(e.steps) for e in examples),
        },
        "labels": "bench/labels/threads.jsonl (post ids and offsets); where a second reader differed, the majority of three; none of the forty gold threads",
        "features": {
            "hash_bits": HASH_BITS,
            "facts": len(FACTS),
            "thread_facts": len(THREAD_FACTS),
            "encoder": encoder().digest,
            "readings": list(READINGS),
            "adapter": {"file": ADAPTER, "trained_on_threads": adapted_on},
        },
        "out_of_fold": figures,
    }
    save(final, card)
    print(json.dumps(card["out_of_fold"], indent=2))


if __name__ == "__main__":
    main()
