"""Support, dissent and amendments: how well they are heard, given the labelled procedures and end to end.

    python -m bench.stances WORKSPACE [--fit] [--held-out]

WORKSPACE holds the forums of bench/labels and bench/labels/written, crawled. Given the steps that a reader labelled, the
stances that the same reader labelled are looked for by several ways of hearing; all trained ones out of fold by thread (five
folds). So what is lost through missed threads and steps is told apart from what is not heard. A stance is found where its
quote and a labelled span share at least 60 % of the shorter, one to one. `--fit` trains on all labelled threads and writes
distill/weights/stances.npz and its card. `--held-out` measures the shipped weights on the held-out threads, given each
reader's steps and end to end, each thread distilled by itself as code and weights stand. Only threads of real forums count.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from bench.examples import Example, example, find
from bench.held_out import LABELS, Reading, Span, labelled, matched
from distill import hearing
from distill.amend import outspoken
from distill.drafts import distill_thread
from distill.hearing import SEEN, WEIGHTS, Spoken, margins, runs, see_places
from distill.passages import read_thread
from distill.pipeline import lazy_model
from distill.scaffold import Place
from distill.scorers import STANCES, load_scorers, to_bp
from distill.scoring import ScoredPost, ScoredThread
from distill.steptext import injects
from index.config import DistillConfig
from index.embed import encoder
from index.store import Store
from index.tables_discussion import read_threads

OUT = Path(__file__).parent.parent / "distill" / "weights"
WRITTEN = "discourse:written.example/"  # threads written for training: learnt from, not counted
FOLDS, C, KIND_C = 5, 0.003, 0.01
THRESHOLDS = (1000, 1300, 1500, 1700, 2000, 2300, 2700)
Floats = np.ndarray[Any, Any]


@dataclass(slots=True)
class Case:
    """A labelled thread: what may be a stance on its procedure, what is seen of it, and what the reader said."""

    read: Any
    places: list[Place]
    rows: Floats  # (places, SEEN + vector)
    names: list[str]  # kind of stance of each place; "" for none
    wanted: list[Span]
    fold: int

    @property
    def real(self) -> bool:
        return WRITTEN not in self.read.thread.id


def procedural(workspace: Path, labels: Path, real_only: bool = False) -> list[Example]:
    """The labelled threads that hold a procedure; of real forums only, where asked."""
    rows = {row["thread"]: row for row in map(json.loads, labels.read_text().strip().split("\n")) if row["procedural"]}
    wanted = sorted(thread for thread in rows if not real_only or WRITTEN not in thread)
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        threads = read_threads(store, wanted)
    return [example(read_thread(thread), rows[thread.id]) for thread in threads]


def load_cases(workspace: Path, labels: Path, real_only: bool = False) -> list[Case]:
    examples = procedural(workspace, labels, real_only)
    folds = np.random.default_rng(0).permutation(len(examples)) % FOLDS
    return [case_of(e, int(fold)) for e, fold in zip(examples, folds, strict=True)]


def case_of(e: Example, fold: int) -> Case:
    scored = unscored(e)
    steps = sorted(Place(*place) for place in e.steps)
    home = Counter(place.post for place in steps).most_common(1)[0][0]
    places = [
        Place(post.number, i)
        for post in e.read.posts
        for i, passage in enumerate(post.passages)
        if post.number != home and (post.number, i) not in e.steps and not injects(passage.text)
    ]
    said = encoder().encode([e.read.posts[p.post].passages[p.passage].text for p in [*steps, *places]])
    spoken = Spoken(home, dict(zip(steps, said[: len(steps)], strict=True)))
    vectors = said[len(steps) :]
    seen = np.hstack([see_places(scored, spoken, places, vectors), vectors / 127.0])
    spans = [tuple(s["span"]) for p in e.label["procedures"] for kind in ("amendments", "dissent", "support") for s in p[kind]]
    return Case(e.read, places, seen, [e.stances.get((p.post, p.passage), "") for p in places], list(dict.fromkeys(spans)), fold)


def unscored(e: Example) -> ScoredThread:
    posts = tuple(
        ScoredPost(post, own, (nothing := (0,) * len(post.passages)), nothing, nothing, facts)
        for post, own, (_, facts) in zip(e.read.posts, e.frames, e.inputs, strict=True)
    )
    return ScoredThread(e.read, posts, 0, e.inputs)


# --- training -------------------------------------------------------------------------------------------------------


def fit(rows: Floats, wanted: Floats, c: float) -> Floats:
    """Logistic regression on standardised columns as weights of the raw ones, bias last; a row for each class but two have one."""
    mean, scale = rows.mean(0), np.maximum(rows.std(0), 1e-3)
    model = LogisticRegression(C=c, max_iter=300).fit((rows - mean) / scale, wanted)
    raw = model.coef_ / scale
    found = np.column_stack([raw, model.intercept_ - raw @ mean])
    return found[0] if len(found) == 1 else found


def columns(rows: Floats, kept: Sequence[int]) -> Floats:
    blank = np.zeros_like(rows)
    blank[:, kept] = rows[:, kept]
    return blank


def out_of_fold(cases: Sequence[Case], kept: Sequence[int]) -> list[Floats]:
    """Log-odds of being a stance for each place of each case, from scorers that see `kept` columns and not the thread."""
    found: list[Floats] = [np.zeros(0)] * len(cases)
    for fold in range(FOLDS):
        others = [case for case in cases if case.fold != fold and case.places]
        wanted = np.array([bool(name) for case in others for name in case.names])
        weights = fit(columns(np.vstack([case.rows for case in others]), kept), wanted, C)
        for number, case in enumerate(cases):
            if case.fold == fold and case.places:
                found[number] = margins(columns(case.rows, kept), weights)
    return found


def kinds_out_of_fold(cases: Sequence[Case]) -> tuple[float, float]:
    """Share of labelled stances whose kind is named right: by the scorer, and where plain words outrank it."""
    right = said = total = 0
    for fold in range(FOLDS):
        pairs = [(row, name) for c in cases if c.fold != fold for row, name in zip(c.rows, c.names, strict=True) if name]
        weights = fit(np.array([row for row, _ in pairs]), np.array([STANCES.index(name) for _, name in pairs]), KIND_C)
        for case in (c for c in cases if c.fold == fold and c.real):
            for place, row, name in zip(case.places, case.rows, case.names, strict=True):
                if name:
                    guess = STANCES[int(margins(row[None], weights).argmax())]
                    text = case.read.posts[place.post].passages[place.passage].text
                    right, said, total = right + (guess == name), said + (outspoken(text, guess) == name), total + 1
    return right / max(1, total), said / max(1, total)


# --- figures --------------------------------------------------------------------------------------------------------


def quotes(case: Case, scores: Floats, threshold: int, joined: bool) -> list[Span]:
    """What would be quoted at a threshold (basis points), each stance with the sentences around it or alone."""
    surety = dict(zip(case.places, to_bp(scores), strict=True))
    kept, hearing.HEARD_BP = hearing.HEARD_BP, threshold
    try:
        found = runs(case.read, surety) if joined else [(p, (p.passage, p.passage)) for p, bp in surety.items() if bp >= threshold]
    finally:
        hearing.HEARD_BP = kept
    posts = case.read.posts
    return [(posts[p.post].post.id, posts[p.post].passages[first].start, posts[p.post].passages[last].end) for p, (first, last) in found]


def counted(cases: Sequence[Case], scores: Sequence[Floats], threshold: int, joined: bool) -> Floats:
    """(right, said, wanted) of each thread."""
    rows = []
    for case, own in zip(cases, scores, strict=True):
        said = quotes(case, own, threshold, joined) if case.places else []
        rows.append((len(matched([[s] for s in said], [[s] for s in case.wanted])), len(said), len(case.wanted)))
    return np.array(rows)


def f_one(rows: Floats) -> float:
    right, said, wanted = rows.sum(0)
    return float(2 * right / max(1, said + wanted))


def told(rows: Floats) -> str:
    right, said, wanted = rows.sum(0)
    chance = np.random.default_rng(0)
    spread = np.quantile([f_one(rows[chance.integers(0, len(rows), len(rows))]) for _ in range(1000)], (0.025, 0.975))
    return f"P {right / max(1, said):.3f} R {right / max(1, wanted):.3f} F1 {f_one(rows):.3f} [{spread[0]:.3f}, {spread[1]:.3f}]"


def show(name: str, cases: Sequence[Case], scores: Sequence[Floats]) -> None:
    own = [(case, row) for case, row in zip(cases, scores, strict=True) if case.real and case.places]
    real, rows = [case for case, _ in own], [row for _, row in own]
    precision = average_precision_score([bool(n) for case in real for n in case.names], np.concatenate(rows))
    for joined in (False, True):
        best = max(THRESHOLDS, key=lambda t: f_one(counted(real, rows, t, joined)))
        with_around = "with the sentences around it" if joined else "sentence alone"
        print(f"{name:38} {with_around:30} AP {precision:.3f} at {best}: {told(counted(real, rows, best, joined))}", flush=True)


def ways(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Columns that each way of hearing sees."""
    relations = [i for i, name in enumerate(SEEN) if ":" not in name and name in hearing.RELATIONS]
    own_cues = [i for i, name in enumerate(SEEN) if ":" not in name and i not in relations]
    around = [i for i, name in enumerate(SEEN) if ":" in name and not name.startswith("fact: ")]
    facts = [i for i, name in enumerate(SEEN) if name.startswith("fact: ")]
    meaning = list(range(len(SEEN), cases[0].rows.shape[1]))
    return {
        "cues of the sentence": own_cues,
        "relations": relations,
        "meaning and facts": [*facts, *meaning],
        "cues and relations": [*own_cues, *relations],
        "cues, cues around, relations": [*own_cues, *around, *relations],
        "all": list(range(cases[0].rows.shape[1])),
    }


def plain_words(case: Case) -> Floats:
    """No training: a passage is a stance where plain words say so."""
    texts = [case.read.posts[p.post].passages[p.passage].text for p in case.places]
    return np.array([5.0 if outspoken(t, "support") != "support" or outspoken(t, "dissent") != "dissent" else -5.0 for t in texts])


def cued(case: Case, scores: Floats) -> Floats:
    """Scores that leave out what the chain leaves out: passages without a cue."""
    kept = hearing.audible(case.read, dict.fromkeys(case.places, 10_000))
    return np.array([score if kept[place] == 10_000 else -9.0 for place, score in zip(case.places, scores, strict=True)])


def measure(cases: Sequence[Case]) -> None:
    print(f"{sum(c.real for c in cases)} threads of real forums, {sum(len(c.wanted) for c in cases if c.real)} labelled stances")
    lost = Counter[str]()
    for case in (c for c in cases if c.real):
        open_places = {(p.post, p.passage) for p in case.places}
        for span in case.wanted:
            place = find(case.read, span)
            lost["in no passage" if place is None else "asked" if place in open_places else "in the procedure's post or a step"] += 1
    print("of these: " + ", ".join(f"{n} {where}" for where, n in lost.most_common()))
    show("plain words, nothing trained", cases, [plain_words(case) for case in cases])
    scores: list[Floats] = []
    for name, kept in ways(cases).items():
        show(name, cases, scores := out_of_fold(cases, kept))
    show("all, where a cue is heard", cases, [cued(case, row) for case, row in zip(cases, scores, strict=True)])
    scorer, words = kinds_out_of_fold(cases)
    print(f"kind of a labelled stance right: {scorer:.3f} by the scorer, {words:.3f} where plain words outrank it")


def held_out(workspace: Path) -> None:
    """The shipped weights on threads that nothing was trained on, against each reader: given the reader's steps, and end to end."""
    ears = hearing.load_ears()
    readers = {name: labelled(LABELS / f"held_out.{name}.jsonl") for name in "ab"}
    found = distilled(workspace, sorted(readers["a"]))
    for name, wanted in readers.items():
        cases = load_cases(workspace, LABELS / f"held_out.{name}.jsonl", real_only=True)
        scores = [cued(case, margins(case.rows, ears.stance)) if case.places else np.zeros(0) for case in cases]
        print(f"reader {name}, given their steps: {told(counted(cases, scores, hearing.HEARD_BP, True))}", flush=True)
        rows = [
            (len(matched([[s] for s in found[t].stances], [[s] for s in r.stances])), len(found[t].stances), len(r.stances))
            for t, r in sorted(wanted.items())
        ]
        reached = sum(len(r.stances) for t, r in wanted.items() if found[t].steps)
        within = [row for row, (t, r) in zip(rows, sorted(wanted.items()), strict=True) if found[t].steps and r.steps]
        print(f"reader {name}, end to end: {told(np.array(rows))}; in threads that both call procedural: {told(np.array(within))}")
        print(
            f"reader {name}: {reached} of {sum(len(r.stances) for r in wanted.values())} labelled stances lie in threads with an SOP",
            flush=True,
        )


def distilled(workspace: Path, threads: Sequence[str]) -> dict[str, Reading]:
    """What the chain makes of single threads as the code and the weights stand, whatever the workspace holds; nothing is linked."""
    scorers, config = load_scorers(), DistillConfig()
    model = lazy_model(config.model)
    found = {thread: Reading() for thread in threads}
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        stored = read_threads(store, threads)
    for thread in stored:
        for draft in distill_thread(thread, "", config, scorers, model).drafts:
            for step in draft["steps"]:
                found[thread.id].steps.append([(c["post"], c["start"], c["end"]) for c in step["citations"] if c["role"] == "states"])
            for stance in draft["stances"]:
                found[thread.id].stances.append(tuple(stance["citation"][key] for key in ("post", "start", "end")))
    return found


def write(cases: Sequence[Case], figures: Mapping[str, Any]) -> None:
    rows = np.vstack([case.rows for case in cases if case.places])
    names = [name for case in cases for name in case.names]
    stance = np.array([bool(name) for name in names])
    blind = columns(rows, [i for i in range(len(SEEN)) if i >= 3])[:, : len(SEEN)]
    kinds = fit(rows[stance], np.array([STANCES.index(name) for name in names if name]), KIND_C)
    arrays = {"seen": fit(blind, stance, C), "stance": fit(rows, stance, C), "kinds": kinds}
    np.savez_compressed(OUT / WEIGHTS, **{key: value.astype(np.float32) for key, value in arrays.items()})  # type: ignore[arg-type]
    (OUT / "stances.json").write_text(json.dumps(figures, indent=2) + "\n")


def card(cases: Sequence[Case]) -> dict[str, Any]:
    scores = out_of_fold(cases, range(cases[0].rows.shape[1]))
    own = [(case, row) for case, row in zip(cases, scores, strict=True) if case.real and case.places]
    real, rows = [case for case, _ in own], [row for _, row in own]
    return {
        "trained_on": {
            "threads": len(cases),
            "passages": sum(len(c.places) for c in cases),
            "stances": dict(sorted(Counter(n for c in cases for n in c.names if n).items())),
        },
        "labels": "bench/labels/threads.jsonl (post ids and offsets); none of the held-out or gold threads",
        "features": {"seen": len(SEEN), "encoder": encoder().digest},
        "out_of_fold": {f"at_{t}": told(counted(real, rows, t, True)) for t in THRESHOLDS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--fit", action="store_true", help="train on all labelled threads and write distill/weights")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--labels", type=Path, default=LABELS / "threads.jsonl")
    arguments = parser.parse_args()
    if arguments.held_out:
        held_out(arguments.workspace)
        return
    cases = load_cases(arguments.workspace, arguments.labels)
    measure(cases)
    if arguments.fit:
        write(cases, card(cases))


if __name__ == "__main__":
    main()
