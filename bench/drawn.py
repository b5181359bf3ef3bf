"""Procedures drawn at random, printed whole with their quotes, for people to judge: would you act on it?

    python -m bench.drawn WORKSPACE --number 20 --seed 2 --leave-out written.example --form form.jsonl > drawn.txt
    python -m bench.drawn --tally reader-a.jsonl reader-b.jsonl

WORKSPACE was distilled with `precipitate run`. Each source gives as near as can be the same number, whatever its size;
the draw depends on nothing but the seed and the ids. `--form` writes a line per procedure for a reader to fill in after
bench/judging.md; `--tally` counts filled forms and how far two readers agree. Judgements of readers who did not build the
procedures lie in docs/decisions/0014-judged.md.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from index.errors import UsageError
from index.store import Store
from index.tables_procedures import current_procedures
from publish.show import render_procedure

ANSWERS = ("yes", "edits", "no")
Record = Mapping[str, Any]


def draw(records: Sequence[Record], number: int, seed: int) -> list[Record]:
    """`number` of the records, in turn from each source."""
    chance = random.Random(seed)
    by_source: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: str(record["id"])):
        by_source.setdefault(record["sources"][0]["source"], []).append(record)
    for pile in by_source.values():
        chance.shuffle(pile)
    drawn: list[Record] = []
    while len(drawn) < number and any(by_source.values()):
        drawn += [pile.pop() for pile in by_source.values() if pile]
    return drawn[:number]


def form(drawn: Sequence[Record]) -> str:
    """A line per procedure, to be filled in by one reader who sees nobody else's."""
    rows = [{"place": place, "id": record["id"], "answer": "", "wrong_steps": [], "why": ""} for place, record in enumerate(drawn, 1)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def read_form(path: Path) -> dict[str, str]:
    """Procedure → answer; an answer that is none, or one that is missing, is named with its line."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        if row["answer"] not in ANSWERS:
            raise UsageError(f"{path}:{number} answers {row['answer']!r}", f"answer one of {', '.join(ANSWERS)} (bench/judging.md)")
        found[row["id"]] = row["answer"]
    return found


def tally(forms: Sequence[Mapping[str, str]]) -> list[str]:
    """A line per reader; with two of them also how often they say the same, and κ, for the three answers and for a plain no."""
    lines = []
    for number, answers in enumerate(forms):
        counts = Counter(answers.values())
        good = counts["yes"] + counts["edits"]
        cells = ", ".join(f"{counts[answer]} {answer}" for answer in ANSWERS)
        lines.append(
            f"reader {'abcdefgh'[number]}: {cells}; yes or with edits {good} of {len(answers)} ({100 * good // max(1, len(answers))} %)"
        )
    if len(forms) == 2:
        shared = sorted(set(forms[0]) & set(forms[1]))
        pairs = [(forms[0][i], forms[1][i]) for i in shared]
        plain = [(a == "no", b == "no") for a, b in pairs]
        lines.append(
            f"same answer {sum(a == b for a, b in pairs)} of {len(pairs)} (κ {kappa(pairs):.2f}), same on no {sum(a == b for a, b in plain)} (κ {kappa(plain):.2f})"
        )
    return lines


def kappa(pairs: Sequence[tuple[Any, Any]]) -> float:
    """Cohen's κ: agreement beyond what the readers' habits alone would give; 1 where both always say one and the same."""
    if not pairs:
        return 0.0
    same = sum(a == b for a, b in pairs) / len(pairs)
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(one[answer] * other[answer] for answer in one) / len(pairs) ** 2
    return 1.0 if by_chance == 1 else (same - by_chance) / (1 - by_chance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leave-out", metavar="HOST", action="append", default=[], help="a source that is not drawn from")
    parser.add_argument("--form", type=Path, metavar="FILE", help="write the form that a reader fills in")
    parser.add_argument("--tally", type=Path, nargs="+", metavar="FORM", help="count filled forms instead")
    arguments = parser.parse_args()
    if arguments.tally:
        print("\n".join(tally([read_form(path) for path in arguments.tally])))
        return
    if arguments.workspace is None:
        parser.error("name a workspace, or filled forms with --tally")
    with Store(arguments.workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        records = [procedure.record for procedure in current_procedures(store)]
    left_out = {f"discourse:{host}" for host in arguments.leave_out}
    records = [record for record in records if record["sources"][0]["source"] not in left_out]
    drawn = draw(records, arguments.number, arguments.seed)
    if arguments.form:
        arguments.form.write_text(form(drawn), encoding="utf-8")
    for place, record in enumerate(drawn, 1):
        print(f"=== {place} ===\n\n{render_procedure(record)}")


if __name__ == "__main__":
    main()
