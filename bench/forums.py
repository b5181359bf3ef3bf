"""Does the chain hold on a forum that it has not learnt from? Each forum left out, beside folds that mix the forums.

    python -m bench.forums WORKSPACE READINGS.npz

As for bench.train. The scorers and the gate are fitted without the forum; the readings are out of fold by thread, so
their adapters have seen other threads of it (`python -m bench.adapter WORKSPACE --leave-out HOST --out OTHER.npz` reads
a forum with an adapter that has not; give such a file for that forum alone). Intervals are 95 %, by bootstrap over threads.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from bench import train
from bench.examples import Example, load_examples
from index.config import DistillConfig

ROUNDS = 500


def host(example: Example) -> str:
    return example.read.thread.id.split(":")[1].split("/")[0]


def step_counts(e: Example, draft: train.Drafted | None, sure: int) -> tuple[int, int, int]:
    """(right, said, labelled) steps of a thread at the product's threshold."""
    said = draft.emitted(sure, DistillConfig().thread_threshold_bp) if draft else set()
    return len(said & e.steps), len(said), len(e.steps)


def f_one(counts: Sequence[tuple[int, int, int]]) -> float:
    right, said, labelled = (sum(column) for column in zip(*counts, strict=True))
    return 2 * right / max(1, said + labelled)


def interval(counts: Sequence[tuple[int, int, int]]) -> str:
    chance = random.Random(0)
    drawn = sorted(f_one(chance.choices(counts, k=len(counts))) for _ in range(ROUNDS))
    return f"[{drawn[ROUNDS // 40]:.2f}, {drawn[-ROUNDS // 40 - 1]:.2f}]"


def without(examples: Sequence[Example], name: str) -> list[tuple[int, int, int]]:
    """Counts of the forum's threads by scorers and a gate that were fitted on all the others."""
    others, own = [e for e in examples if host(e) != name], [e for e in examples if host(e) == name]
    folds = train.Folds.fit(others)
    gate = train.fit_gate(folds.drafts(others), [bool(e.label["procedural"]) for e in others])
    passages = train.passage_scorers(others)
    drafts = [train.drafted(e, passages) for e in own]
    return [step_counts(e, draft, train.gate_bp(draft, gate)) for e, draft in zip(own, drafts, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--labels", type=Path, default=train.ROOT / "labels" / "threads.jsonl")
    arguments = parser.parse_args()
    examples = load_examples(arguments.workspace, arguments.labels)
    train.read_readings(arguments.readings, examples)
    folds = train.Folds.fit(examples)
    drafts = folds.drafts(examples)
    sure = folds.gated(drafts, [bool(e.label["procedural"]) for e in examples])
    mixed = [step_counts(*row) for row in zip(examples, drafts, sure, strict=True)]
    for name in sorted({host(e) for e in examples}):
        own = [counts for e, counts in zip(examples, mixed, strict=True) if host(e) == name]
        left_out = without(examples, name)
        print(
            f"{name}: {len(own)} threads; steps F1 {f_one(own):.3f} {interval(own)} with it, "
            f"{f_one(left_out):.3f} {interval(left_out)} without: {f_one(left_out) - f_one(own):+.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
