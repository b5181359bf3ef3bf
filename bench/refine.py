"""What an optional language model adds on the held-out threads, and what it costs: with and without it, in one run.

    python -m bench.refine WORKSPACE [--endpoint http://127.0.0.1:8080/v1 --model NAME] [--keep FILE]

WORKSPACE holds the forums of bench/labels/held_out.a.jsonl, distilled with `precipitate run`; it is not changed: a copy of
its database is worked on. The labelled threads are distilled anew twice, without a model and with the one of --endpoint,
or of WORKSPACE's precipitate.toml, and scored as in bench.held_out. Differences are paired; intervals are 95 %, by
bootstrap over threads. --keep keeps the copy, with its answers, so that the same run can be printed again for nothing.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.held_out import LABELS, ROUNDS, Reading, averaged, counted, distilled, figures, labelled
from distill.pipeline import link_procedures, refiner_of, wanted_work, work_on
from distill.refine import RefineReport
from index.config import Config, read_config
from index.store import Store
from index.workspace import CONFIG_NAME, FOLDER
from publish.report import as_value, dollars

Counts = list[dict[str, dict[str, int]]]  # per reader: thread → what agrees


def score(workspace: Path, config: Config, threads: list[str], readers: list[dict[str, Reading]]) -> tuple[Counts, RefineReport | None]:
    """Distil the labelled threads anew, link everything, and count what agrees with each reader."""
    with Store(workspace / FOLDER / "work.duckdb") as store:
        hashes = wanted_work(store, config)
        refiner = refiner_of(store, config)
        for done in work_on(store, config, [t for t in threads if t in hashes], hashes, refiner):
            print(f"  {done} of {len(threads)}", flush=True)
        link_procedures(store, config)
    found = distilled(workspace, threads)
    return [{t: counted(found[t], reader[t]) for t in threads} for reader in readers], refiner.report if refiner else None


def of(counts: Counts, threads: list[str]) -> dict[str, float]:
    return averaged([figures([row[t] for t in threads]) for row in counts])


def interval(values: list[float]) -> str:
    low, *_, high = sorted(values)[ROUNDS // 40 : -ROUNDS // 40]
    return f"[{low:+.3f}, {high:+.3f}]"


def print_score(threads: list[str], without: Counts, with_it: Counts) -> None:
    chance = random.Random(0)
    drawn = [[chance.choice(threads) for _ in threads] for _ in range(ROUNDS)]
    spread = [(of(without, sample), of(with_it, sample)) for sample in drawn]
    before, after = of(without, threads), of(with_it, threads)
    print(f"{'':12} without   with  difference")
    for key, value in before.items():
        print(f"{key:12} {value:7.3f} {after[key]:6.3f}  {after[key] - value:+.3f} {interval([b[key] - a[key] for a, b in spread])}")


def print_cost(report: RefineReport) -> None:
    for key, value in as_value(report).items():
        print(f"{key:12} {value}")
    print(f"cost         {dollars(report.microdollars)}, {report.micros / 1e6:.1f} s of waiting; remembered answers cost nothing again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--endpoint")
    parser.add_argument("--model")
    parser.add_argument("--keep", type=Path, help="folder for the copy; used again where it is there")
    arguments = parser.parse_args()
    config = read_config(arguments.workspace / CONFIG_NAME)
    told = {key: value for key in ("endpoint", "model") if (value := getattr(arguments, key))}
    with_llm = replace(config, llm=replace(config.llm, max_threads=10_000, **told))
    if not (with_llm.llm.on and with_llm.llm.model):
        raise SystemExit("no language model: give --endpoint and --model, or set them in the workspace's precipitate.toml")
    readers = [labelled(LABELS / f"held_out.{name}.jsonl") for name in "ab"]
    threads = sorted(readers[0])
    with tempfile.TemporaryDirectory() as folder:
        copy = arguments.keep or Path(folder)
        if not (copy / FOLDER / "work.duckdb").exists():
            (copy / FOLDER).mkdir(parents=True)
            shutil.copy(arguments.workspace / FOLDER / "work.duckdb", copy / FOLDER / "work.duckdb")
        print(f"{len(threads)} threads without a model", flush=True)
        without, _ = score(copy, replace(config, llm=replace(config.llm, endpoint="")), threads, readers)
        print(f"… and with {with_llm.llm.model}", flush=True)
        with_it, report = score(copy, with_llm, threads, readers)
    print_score(threads, without, with_it)
    if report:
        print_cost(report)


if __name__ == "__main__":
    main()
