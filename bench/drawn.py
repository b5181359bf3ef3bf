"""Procedures drawn at random, printed whole with their quotes, for people to judge: would you act on it?

    python -m bench.drawn WORKSPACE --number 20 --seed 1

WORKSPACE was distilled with `precipitate run`. Each source gives as near as can be the same number, whatever its size;
the draw depends on nothing but the seed and the ids. Judgements of two readers who did not build them lie in
docs/decisions/0014-judged.md.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from index.store import Store
from index.tables_procedures import current_procedures
from publish.show import render_procedure


def draw(records: Sequence[Mapping[str, Any]], number: int, seed: int) -> list[Mapping[str, Any]]:
    """`number` of the records, in turn from each source."""
    chance = random.Random(seed)
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for record in sorted(records, key=lambda record: str(record["id"])):
        by_source.setdefault(record["sources"][0]["source"], []).append(record)
    for pile in by_source.values():
        chance.shuffle(pile)
    drawn: list[Mapping[str, Any]] = []
    while len(drawn) < number and any(by_source.values()):
        drawn += [pile.pop() for pile in by_source.values() if pile]
    return drawn[:number]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with Store(arguments.workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        records = [procedure.record for procedure in current_procedures(store)]
    for place, record in enumerate(draw(records, arguments.number, arguments.seed), 1):
        print(f"=== {place} ===\n\n{render_procedure(record)}")


if __name__ == "__main__":
    main()
