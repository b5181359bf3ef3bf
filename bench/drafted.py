"""What the chain makes of a draft behind the gate, against the labelled threads: twins, asides, kinds and steps of stances.

    python -m bench.drafted WORKSPACE [--labels FILE]

WORKSPACE holds the forums of bench/labels, distilled. The scorers have learnt from these threads, so the figures say what the
rules behind the gate do to given steps, not how good the chain is (bench/held_out.py says that).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.held_out import LABELS, Span, likeness
from distill import asides
from distill.passages import ReadThread, read_thread
from index.store import Store
from index.tables_discussion import read_threads
from index.tables_procedures import current_procedures

WRITTEN = "discourse:written.example/"
Record = Mapping[str, Any]
Label = Mapping[str, Any]
ASIDES = ("_EXAMPLE", "_LEADS_IN", "_GREETS", "_ANSWERS", "_PLANS", "_NEWS")


def span_of(citation: Record) -> Span:
    return citation["post"], citation["start"], citation["end"]


def labelled_step(label: Label, span: Span) -> tuple[int, int] | None:
    """(procedure, step) that a reader saw in these words."""
    for number, procedure in enumerate(label["procedures"]):
        for step in procedure["steps"]:
            if likeness([span], [(post, start, end) for post, start, end in step["evidence"]]):
                return number, step["n"]
    return None


def joined(records: Sequence[tuple[Record, Label]]) -> Counter[str]:
    """Statements that were joined with a step's first one: whether a reader calls them one step."""
    found: Counter[str] = Counter()
    for record, label in records:
        for step in record["steps"]:
            first, *others = [labelled_step(label, span_of(c)) for c in step["citations"] if c["role"] == "states"]
            for other in others:
                found["one step" if first and first == other else "two steps" if first and other else "not both steps"] += 1
    return found


def stances(records: Sequence[tuple[Record, Label]]) -> tuple[Counter[str], Counter[str]]:
    """Of heard stances that a reader labelled: whether the kind is right, and the step that they are put beside."""
    kinds: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    for record, label in records:
        for stance in record["stances"]:
            known = _labelled_stance(label, span_of(stance["citation"]))
            if known is None:
                kinds["not labelled"] += 1
                continue
            kind, number, meant = known
            kinds["right" if kind == stance["kind"] else "wrong"] += 1
            if stance["step"] is None:
                steps["of the whole, right" if meant is None else "of the whole, but labelled for a step"] += 1
            else:
                spans = [span_of(c) for c in record["steps"][stance["step"] - 1]["citations"]]
                right = meant is not None and any(labelled_step(label, span) == (number, meant) for span in spans)
                steps[
                    "step right" if right else "step, but labelled for the whole" if meant is None else "step wrong or not in the draft"
                ] += 1
    return kinds, steps


def _labelled_stance(label: Label, span: Span) -> tuple[str, int, int | None] | None:
    """(kind, procedure, step or None for the whole)."""
    for number, procedure in enumerate(label["procedures"]):
        for name, kind in (("support", "support"), ("dissent", "dissent"), ("amendments", "amendment")):
            for stance in procedure[name]:
                post, start, end = stance["span"]
                if likeness([span], [(post, start, end)]):
                    return kind, number, stance["step"]
    return None


def dropped(threads: Sequence[tuple[ReadThread, Label]]) -> Iterator[tuple[str, int, int]]:
    """(rule, passages that it drops in posts that hold labelled steps, how many of them are steps to a reader)."""
    for name in ASIDES:
        said = steps = 0
        for read, label in threads:
            homes = {post for p in label["procedures"] for s in p["steps"] for post, _, _ in s["evidence"]}
            for post in read.posts:
                if post.post.id not in homes:
                    continue
                for passage in post.passages:
                    if getattr(asides, name).search(passage.text):
                        said += 1
                        steps += labelled_step(label, (passage.post, passage.start, passage.end)) is not None
        yield name.strip("_").lower().replace("_", " "), said, steps


def told(name: str, counts: Counter[str]) -> str:
    return f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--labels", type=Path, default=LABELS / "threads.jsonl")
    arguments = parser.parse_args()
    rows = map(json.loads, arguments.labels.read_text().strip().split("\n"))
    labels: dict[str, Label] = {row["thread"]: row for row in rows if row["procedural"] and WRITTEN not in row["thread"]}
    with Store(arguments.workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        records = [(p.record, labels[p.record["threads"][0]]) for p in current_procedures(store) if p.record["threads"][0] in labels]
        threads = [(read_thread(thread), labels[thread.id]) for thread in read_threads(store, sorted(labels))]
    kinds, steps = stances(records)
    print(f"{len(records)} SOPs of labelled procedural threads of real forums")
    print(told("statements joined", joined(records)))
    print(told("kinds of heard stances", kinds))
    print(told("what they are put beside", steps))
    for rule, said, right in dropped(threads):
        print(f"aside “{rule}”: {said} passages of posts with steps, {right} of them steps")


if __name__ == "__main__":
    main()
