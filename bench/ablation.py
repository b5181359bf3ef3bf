"""What each link of the chain is worth: threads and steps out of fold, with the link taken out or by itself.

    python -m bench.ablation WORKSPACE READINGS.npz

As for bench.train. The gate is fitted anew for every row, and each row is shown at the threshold that suits it best, so
that none is judged by another's. Only threads of real forums count in the figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import train
from bench.examples import Example, load_examples
from distill import scaffold, scoring
from distill.scorers import READINGS, Linear

Passages = tuple[Linear, Linear, Linear]
NEVER = 10_001  # basis points that nothing reaches
ACTS = ("imperative", "obligation", "proposal")


def rules_alone(examples: Sequence[Example]) -> list[train.Drafted | None]:
    """Frames without anything trained: the post with most instructions, if it has three."""
    found: list[train.Drafted | None] = []
    for e in examples:
        posts = [{(n, i) for i, frame in enumerate(own) if frame and frame.modality in ACTS} for n, own in enumerate(e.frames)]
        best = max(posts, key=len, default=set())
        found.append(train.Drafted([], dict.fromkeys(best, 10_000)) if len(best) >= train.MIN_STEPS else None)
    return found


def words_and_facts(examples: Sequence[Example]) -> Passages:
    """The linear scorers without the reading; what was read stays the same, so that only the knowledge differs."""
    blind = [replace(e, readings={place: np.zeros(len(READINGS)) for place in e.readings}) for e in examples]
    return train.passage_scorers(blind)


def reading_alone(examples: Sequence[Example]) -> Passages:
    cheap, _, _ = train.passage_scorers(examples)
    nothing = np.zeros_like(cheap.words), np.zeros_like(cheap.facts)
    says = Linear(*nothing, np.eye(len(READINGS))[READINGS.index("step")], 0.0)
    # Within its post a passage is held against the window's own surety: two log-odds more where the window holds steps.
    inside = Linear(*nothing, says.dense, 2.0)
    return cheap, says, inside


def one_scorer(examples: Sequence[Example]) -> Passages:
    cheap, full, _ = train.passage_scorers(examples)
    return cheap, full, full


FITTED: dict[str, Callable[[Sequence[Example]], Passages]] = {
    "words and facts, no reading": words_and_facts,
    "reading, no words and facts": reading_alone,
    "no scorer of its own inside a post": one_scorer,
}
SETTINGS: dict[str, dict[tuple[Any, str], int]] = {
    "no cascade (all windows that were kept are read)": {
        (scoring, "CLIMB_BP"): 0, (scoring, "HOPELESS_BP"): 0, (scoring, "MOST_WINDOWS"): 10**6, (scoring, "PROMISING_BP"): 0,
    },
    "scaffold's post alone, nothing amended": {(scaffold, "SAME_AUTHOR_BP"): NEVER, (scaffold, "OTHER_AUTHOR_BP"): NEVER},
    "no additions by others": {(scaffold, "OTHER_AUTHOR_BP"): NEVER},
    "any passage of a read post is a step": {(scaffold, "IN_SCAFFOLD_BP"): 0, (scaffold, "EXPECTED_BP"): 0},
    "no pruning after the gate": {(scaffold, "EXPECTED_BP"): 0},
}  # fmt: skip


@contextmanager
def set_to(values: dict[tuple[Any, str], int]) -> Iterator[None]:
    kept = {(module, name): getattr(module, name) for module, name in values}
    try:
        for (module, name), value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for (module, name), value in kept.items():
            setattr(module, name, value)


def folds_with(examples: Sequence[Example], folds: train.Folds, fit: Callable[[Sequence[Example]], Passages]) -> train.Folds:
    return train.Folds(
        folds.fold_of, [fit([e for e, f in zip(examples, folds.fold_of, strict=True) if f != fold]) for fold in range(train.FOLDS)]
    )


def show(name: str, examples: Sequence[Example], drafts: Sequence[train.Drafted | None], sure: Sequence[int]) -> None:
    figures = train.thread_figures(examples, drafts, sure)
    found = {key: value for key, value in figures.items() if key.startswith("at_")}
    threads = max(found, key=lambda key: float(found[key]["threads"].split()[-1]))
    steps = max(found, key=lambda key: float(found[key]["steps"].split()[-1]))
    print(
        f"{name}: thread AP {figures['thread_ap']}; threads {found[threads]['threads']}, noise {found[threads]['noise']} {threads}; "
        f"steps {found[steps]['steps']} {steps}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--labels", type=Path, default=train.ROOT / "labels" / "threads.jsonl")
    arguments = parser.parse_args()
    examples = load_examples(arguments.workspace, arguments.labels)
    train.read_readings(arguments.readings, examples)
    labels = [bool(e.label["procedural"]) for e in examples]

    drafts = rules_alone(examples)
    show("rules alone, no gate", examples, drafts, [10_000 if draft else 0 for draft in drafts])
    folds = train.Folds.fit(examples)
    drafts = folds.drafts(examples)
    show("the whole chain", examples, drafts, folds.gated(drafts, labels))
    show("no gate", examples, drafts, [10_000 if draft else 0 for draft in drafts])
    for name, fit in FITTED.items():
        other = folds_with(examples, folds, fit)
        drafts = other.drafts(examples)
        show(name, examples, drafts, other.gated(drafts, labels))
    for name, values in SETTINGS.items():
        with set_to(values):
            drafts = folds.drafts(examples)
            show(name, examples, drafts, folds.gated(drafts, labels))


if __name__ == "__main__":
    main()
