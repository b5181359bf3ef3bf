"""How well the procedures of a workspace agree with two readers, on 160 threads that no trained part has seen.

    python -m bench.held_out WORKSPACE

WORKSPACE holds the forums of bench/labels/held_out.a.jsonl, distilled with `precipitate run`. Two readers labelled the
threads without seeing each other's work; `ceiling` is how well the one agrees with the other, measured in the same way.
A step is found where a citation that states it and a labelled span of the same post share at least 60 % of the shorter.
Intervals are 95 %, by bootstrap over threads.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from index.store import Store
from index.tables_procedures import current_procedures

LABELS = Path(__file__).parent / "labels"
ROUNDS = 1000
Span = tuple[str, int, int]  # post, start, end in its plain text


@dataclass(slots=True)
class Reading:
    """What somebody, or the pipeline, sees in a thread."""

    steps: list[list[Span]] = field(default_factory=list)
    rank: list[tuple[int, int] | None] = field(default_factory=list)  # (procedure, place) of a step; None where unordered
    stances: list[Span] = field(default_factory=list)


def labelled(path: Path) -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for row in map(json.loads, path.read_text().strip().split("\n")):
        reading = found[row["thread"]] = Reading()
        for number, procedure in enumerate(row["procedures"]):
            for step in procedure["steps"]:
                reading.steps.append([(post, start, end) for post, start, end in step["evidence"]])
                reading.rank.append((number, step["n"]) if procedure["ordered"] else None)
            reading.stances += [tuple(s["span"]) for kind in ("amendments", "dissent", "support") for s in procedure[kind]]
    return found


def distilled(workspace: Path, threads: Sequence[str]) -> dict[str, Reading]:
    found = {thread: Reading() for thread in threads}
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        for number, procedure in enumerate(current_procedures(store)):
            for step in procedure.record["steps"]:
                by_thread: dict[str, list[Span]] = {}
                for c in step["citations"]:
                    if c["role"] == "states" and c["thread"] in found:
                        by_thread.setdefault(c["thread"], []).append((c["post"], c["start"], c["end"]))
                for thread, spans in by_thread.items():
                    found[thread].steps.append(spans)
                    found[thread].rank.append((number, step["n"]))
            for stance in procedure.record["stances"]:
                c = stance["citation"]
                if c["thread"] in found:
                    found[c["thread"]].stances.append((c["post"], c["start"], c["end"]))
    return found


def likeness(a: Sequence[Span], b: Sequence[Span]) -> float:
    best = 0.0
    for post, start, end in a:
        for other, begin, stop in b:
            shared = min(end, stop) - max(start, begin)
            if post == other and shared >= 0.6 * min(end - start, stop - begin):
                best = max(best, 1 + shared / max(end - start, stop - begin))
    return best


def matched(a: Sequence[Sequence[Span]], b: Sequence[Sequence[Span]]) -> list[tuple[int, int]]:
    if not a or not b:
        return []
    weights = np.array([[likeness(x, y) for y in b] for x in a])
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(-weights), strict=True) if weights[i, j] > 0]


def counted(found: Reading, wanted: Reading) -> dict[str, int]:
    pairs = matched(found.steps, wanted.steps)
    stances = matched([[s] for s in found.stances], [[s] for s in wanted.stances])
    agree = ordered = 0
    for n, (i, j) in enumerate(pairs):
        for k, m in pairs[n + 1 :]:
            a, b, x, y = found.rank[i], found.rank[k], wanted.rank[j], wanted.rank[m]
            if a and b and x and y and a[0] == b[0] and x[0] == y[0] and a[1] != b[1]:
                ordered += 1
                agree += 1 if (a[1] < b[1]) == (x[1] < y[1]) else -1
    return {
        "t_right": bool(found.steps and wanted.steps), "t_said": bool(found.steps), "t_wanted": bool(wanted.steps),
        "s_right": len(pairs), "s_said": len(found.steps), "s_wanted": len(wanted.steps),
        "v_right": len(stances), "v_said": len(found.stances), "v_wanted": len(wanted.stances),
        "quiet": not wanted.steps, "noisy": bool(found.steps) and not wanted.steps, "agree": agree, "ordered": ordered,
    }  # fmt: skip


def figures(rows: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    total = {key: sum(row[key] for row in rows) for key in rows[0]}
    out: dict[str, Any] = {}
    for name, key in (("threads", "t"), ("steps", "s"), ("stances", "v")):
        precision, recall = total[f"{key}_right"] / max(1, total[f"{key}_said"]), total[f"{key}_right"] / max(1, total[f"{key}_wanted"])
        out |= {f"{name} P": precision, f"{name} R": recall, f"{name} F1": 2 * precision * recall / max(1e-9, precision + recall)}
    return out | {"noise": total["noisy"] / max(1, total["quiet"]), "order tau": total["agree"] / max(1, total["ordered"])}


def averaged(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: sum(part[key] for part in parts) / len(parts) for key in parts[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    readers = [labelled(LABELS / f"held_out.{name}.jsonl") for name in "ab"]
    threads = sorted(readers[0])
    found = distilled(parser.parse_args().workspace, threads)
    rows = [{t: counted(found[t], reader[t]) for t in threads} for reader in readers]
    one, other = ({t: counted(a[t], b[t]) for t in threads} for a, b in (readers, readers[::-1]))
    project = averaged([figures(list(row.values())) for row in rows])
    ceiling = averaged([figures(list(row.values())) for row in (one, other)])
    chance = random.Random(0)
    drawn = [[chance.choice(threads) for _ in threads] for _ in range(ROUNDS)]
    spread = [averaged([figures([row[t] for t in sample]) for row in rows]) for sample in drawn]
    print(f"{len(threads)} threads, {[sum(bool(r[t].steps) for t in threads) for r in readers]} of them procedural to the two readers")
    for key, value in project.items():
        low, *_, high = sorted(s[key] for s in spread)[ROUNDS // 40 : -ROUNDS // 40]
        print(f"{key:12} {value:.3f}  [{low:.3f}, {high:.3f}]  ceiling {ceiling[key]:.3f}")


if __name__ == "__main__":
    main()
