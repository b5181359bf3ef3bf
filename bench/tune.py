"""The constants of scoring and scaffold, each varied alone, out of fold: where do threads and steps fit the labels best?

    python -m bench.tune WORKSPACE READINGS.npz

As for bench.train. The gate is fitted anew for every setting. Only threads of real forums count in the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import train
from bench.examples import Example, load_examples
from distill import scaffold, scoring

VARIED = (
    (scoring, "PROMISING_BP", (600, 1200, 1800, 2400)),
    (scoring, "MOST_WINDOWS", (4, 8, 12, 16)),
    (scoring, "CLIMB_BP", (75, 150, 300)),
    (scaffold, "IN_SCAFFOLD_BP", (2500, 3000, 3500, 4000, 4500, 5000)),
    (scaffold, "SAME_AUTHOR_BP", (4000, 5000, 6000, 7000)),
    (scaffold, "OTHER_AUTHOR_BP", (5000, 6000, 7000, 8000)),
    (scaffold, "MOST_STEPS", (12, 24, 40)),
    (scaffold, "OUTSIDE_BP", (500, 1000, 2000, 3000)),
)


def best(examples: list[Example], folds: train.Folds) -> str:
    drafts = folds.drafts(examples)
    figures = train.thread_figures(examples, drafts, folds.gated(drafts, [bool(e.label["procedural"]) for e in examples]))
    found = {key: value for key, value in figures.items() if key.startswith("at_")}
    surest = max(found, key=lambda key: found[key]["steps"].split()[-1])
    return f"thread AP {figures['thread_ap']}, {surest}: threads {found[surest]['threads']}, steps {found[surest]['steps']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("readings", type=Path)
    parser.add_argument("--labels", type=Path, default=train.ROOT / "labels" / "threads.jsonl")
    arguments = parser.parse_args()
    examples = load_examples(arguments.workspace, arguments.labels)
    train.read_readings(arguments.readings, examples)
    folds = train.Folds.fit(examples)
    print(f"as it is: {best(examples, folds)}", flush=True)
    for module, name, values in VARIED:
        kept = getattr(module, name)
        for value in values:
            if value != kept:
                setattr(module, name, value)
                print(f"{name} {value} instead of {kept}: {best(examples, folds)}", flush=True)
        setattr(module, name, kept)


if __name__ == "__main__":
    main()
