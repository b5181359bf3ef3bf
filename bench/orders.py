"""Order of steps, given the labelled steps: how often two of them stand as the reader has them, by several ways to order.

    python -m bench.orders WORKSPACE

WORKSPACE holds the forums of bench/labels and bench/labels/written, crawled. The steps that a reader labelled are gathered
as the chain gathers them (those of the post that carries most of them in reading order, others beside what they are
closest to); then each way puts them in order. Kendall's tau over all pairs of a procedure that the reader calls ordered:
`pairs` sums over pairs, `mean` is the mean of procedures. What is trained is out of fold by thread (five folds) and learns from
the written threads too, at three tenths of the weight. Intervals are 95 %, by bootstrap over procedures.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.examples import Example, find
from bench.held_out import LABELS
from bench.stances import WRITTEN, procedural, unscored
from distill.amend import DraftStep, Statement, position_of
from distill.order import find_order
from distill.scaffold import Place
from distill.scoring import ScoredThread
from distill.steptext import Clause
from index.embed import encoder
from index.records import Passage

FOLDS, WRITTEN_WEIGHT, SURE = 5, 0.3, 50.0
Floats = np.ndarray[Any, Any]
CUES = {
    name: re.compile(pattern, re.I)
    for name, pattern in {
        "first": r"^\W*(?:first|to begin|to start|initially|start by|begin by)\b",
        "last": r"^\W*(?:finally|lastly|at the end|in the end)\b",
        "next": r"^\W*(?:then|next|after|once|when|subsequently|second|third|now|upon|following)\b",
        "before": r"\b(?:before|prior to|in advance|ahead of)\b",
        "until": r"\b(?:until|by the end|at the end|end of|final|ultimately)\b",
        "begins": r"\b(?:start|begin|initial|create|set ?up|install|define|draft|establish|register|nominat)\w*\b",
        "ends": r"\b(?:publish|report|announc|monitor|review|evaluat|distribut|pay|reward|veto|appeal|renew|maintain|update|remove|result)\w*\b",
        "vote": r"\bvot(?:e|es|ing)\b",
        "fails": r"\b(?:if|in case|in the event|should)\b.{0,60}\b(?:fail|not|error|reject|dispute|problem|veto)",
        "condition": r"^\W*(?:if|in case|in the event|should)\b",
        "note": r"^\W*(?:note|please note|also|additionally|in addition|furthermore|optionally)\b",
        "always": r"\b(?:always|never|generally|at all times|should be|must be)\b",
        "needs": r"\b(?:require|need|prerequisite|eligib|must have|make sure|ensure)\w*\b",
    }.items()
}
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DATE = re.compile(r"\b(?P<month>" + "|".join(_MONTHS) + r")[a-z]*\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?\b", re.I)
_PHASE = re.compile(r"\b(?P<unit>phase|stage|week|day|step|round|month)\s+(?P<number>\d{1,2})\b", re.I)


@dataclass(slots=True)
class Case:
    thread: str
    scored: ScoredThread
    steps: list[DraftStep]  # as the chain gathers them
    ranks: list[int]  # where the reader has them
    ordered: bool
    fold: int = 0

    @property
    def real(self) -> bool:
        return WRITTEN not in self.thread

    def place(self, step: int) -> Place:
        return self.steps[step].statements[0].place

    def passage(self, step: int) -> Passage:
        place = self.place(step)
        return self.scored.posts[place.post].passage(place.passage)


def cases_of(examples: Sequence[Example]) -> list[Case]:
    found = [case for e in examples for procedure in e.label["procedures"] if (case := _case(e, procedure))]
    threads = sorted({case.thread for case in found})
    folds = dict(zip(threads, np.random.default_rng(0).permutation(len(threads)) % FOLDS, strict=True))
    for case in found:
        case.fold = int(folds[case.thread])
    return found


def _case(e: Example, procedure: dict[str, Any]) -> Case | None:
    ranks: dict[Place, int] = {}
    for step in procedure["steps"]:
        if step["evidence"] and (place := find(e.read, step["evidence"][0])):
            ranks.setdefault(Place(*place), step["n"])
    if len(ranks) < 2:
        return None
    scored = unscored(e)
    home = Counter(place.post for place in ranks).most_common(1)[0][0]
    texts = {place: scored.posts[place.post].passage(place.passage).text for place in ranks}
    vectors = dict(zip(texts, encoder().encode(list(texts.values())), strict=True))
    steps: list[DraftStep] = []
    for place in sorted(ranks, key=lambda place: (place.post != home, place)):
        step = DraftStep(
            [Statement(place, Clause(0, len(texts[place])))], scored.posts[place.post].frames[place.passage], vectors[place], 0
        )
        steps.insert(len(steps) if place.post == home else position_of(step, steps), step)
    return Case(e.read.thread.id, scored, steps, [ranks[step.statements[0].place] for step in steps], procedure["ordered"])


# --- ways to order --------------------------------------------------------------------------------------------------


def as_now(case: Case) -> list[int]:
    return list(find_order(case.scored, case.steps).sequence)


def reading_order(case: Case) -> list[int]:
    return sorted(range(len(case.steps)), key=case.place)


def others_last(case: Case) -> list[int]:
    home = Counter(case.place(i).post for i in range(len(case.steps))).most_common(1)[0][0]
    return sorted(range(len(case.steps)), key=lambda i: (case.place(i).post != home, case.place(i)))


def numbered_first(case: Case) -> list[int]:
    """Where most steps stand in numbered lists, these as they are and what is said in prose behind."""
    sequence = as_now(case)
    numbered = [i for i in sequence if case.passage(i).ordered]
    return [*numbered, *(i for i in sequence if i not in numbered)] if len(numbered) * 2 >= len(sequence) else sequence


def dated(case: Case) -> list[int]:
    """Steps with dates, or numbered phases and weeks, in the order of these; the others keep their places."""
    sequence = as_now(case)
    keys = {i: _when(case, i) for i in sequence}
    units = Counter(key[0] for key in keys.values() if key)
    if not units or units.most_common(1)[0][1] < 2:
        return sequence
    unit = units.most_common(1)[0][0]
    dated = [i for i in sequence if (key := keys[i]) and key[0] == unit]
    in_order = iter(sorted(dated, key=lambda i: (keys[i] or ("", 0))[1]))
    return [next(in_order) if i in dated else i for i in sequence]


def _when(case: Case, step: int) -> tuple[str, int] | None:
    place = case.place(step)
    heading = case.scored.posts[place.post].read.contexts[place.passage].heading
    text = f"{heading} | {case.passage(step).text}"
    if day := _DATE.search(text):
        return "day", _MONTHS.index(day["month"].lower()) * 31 + int(day["day"])
    phase = _PHASE.search(text)
    return (phase["unit"].lower(), int(phase["number"])) if phase else None


# --- a scorer of pairs ----------------------------------------------------------------------------------------------


def pair(case: Case, i: int, j: int, meaning: bool) -> list[float]:
    """Why i, which stands before j now, should come before it: their places, and the difference of cues and meaning."""
    a, b, one, other = case.passage(i), case.passage(j), case.place(i), case.place(j)
    same = one.post == other.post
    listed = same and a.list_id == b.list_id and a.list_id != -1
    places = [
        1, listed and a.ordered, listed, same and abs(one.passage - other.passage) <= 3, same, not same, one.post < other.post,
        same and a.kind == b.kind == "sentence", same and abs(one.passage - other.passage) == 1, same and a.block == b.block, same and a.kind != b.kind,
    ]  # fmt: skip
    told = [float(bool(cue.search(a.text))) - bool(cue.search(b.text)) for cue in CUES.values()]
    kinds = [float(a.kind == "item") - (b.kind == "item"), float(a.depth > 1) - (b.depth > 1)]
    meant: Any = (case.steps[i].vector.astype(float) - case.steps[j].vector) / 127 if meaning else []
    return [float(x) for x in (*places, *told, *kinds, *meant)]


def paired(cases: Sequence[Case], meaning: bool, c: float) -> list[list[int]]:
    """The sequence of each case that agrees best with what pairs of steps say, out of fold. Numbered lists stay as they are."""
    starts = [as_now(case) for case in cases]
    pairs = [list(itertools.combinations(start, 2)) for start in starts]
    rows = [np.array([pair(case, i, j, meaning) for i, j in own]) for case, own in zip(cases, pairs, strict=True)]
    found: list[list[int]] = [[] for _ in cases]
    for fold in range(FOLDS):
        seen = [n for n, case in enumerate(cases) if case.fold != fold and case.ordered]
        x = np.vstack([rows[n] for n in seen])
        y = np.array([cases[n].ranks[i] < cases[n].ranks[j] for n in seen for i, j in pairs[n]])
        weights = np.array([(1 if cases[n].real else WRITTEN_WEIGHT) / (len(cases[n].ranks) - 1) for n in seen for _ in pairs[n]])
        model = LogisticRegression(C=c, fit_intercept=False, max_iter=300)
        model.fit(np.vstack([x, -x]), np.concatenate([y, ~y]), sample_weight=np.concatenate([weights, weights]))
        for n, case in enumerate(cases):
            if case.fold == fold:
                sure = np.where(rows[n][:, 1] > 0, SURE, model.decision_function(rows[n]))
                found[n] = settled(starts[n], dict(zip(pairs[n], sure, strict=True)))
    return found


def settled(sequence: list[int], sure: dict[tuple[int, int], float]) -> list[int]:
    """Moves one step at a time to where most pairs want it, until none wants to move."""

    def before(i: int, j: int) -> float:
        return sure[i, j] if (i, j) in sure else -sure[j, i]

    moved = True
    while moved:
        moved = False
        for step in tuple(sequence):
            at, rest = sequence.index(step), [other for other in sequence if other != step]
            gains = [
                sum(before(other, step) for other in rest[:k]) + sum(before(step, other) for other in rest[k:])
                for k in range(len(rest) + 1)
            ]
            best = int(np.argmax(gains))
            if gains[best] > gains[at] + 1e-6:
                sequence, moved = [*rest[:best], step, *rest[best:]], True
    return sequence


# --- figures --------------------------------------------------------------------------------------------------------


def tau(case: Case, sequence: Sequence[int]) -> tuple[int, int]:
    ranks = [case.ranks[i] for i in sequence]
    return sum(1 if a < b else -1 for a, b in itertools.combinations(ranks, 2)), len(ranks) * (len(ranks) - 1) // 2


def show(name: str, cases: Sequence[Case], sequences: Sequence[Sequence[int]], beside: Sequence[Sequence[int]]) -> None:
    own = [n for n, case in enumerate(cases) if case.real and case.ordered]
    rows = np.array([(*tau(cases[n], sequences[n]), tau(cases[n], beside[n])[0]) for n in own])
    chance = np.random.default_rng(0)
    draws = [rows[chance.integers(0, len(rows), len(rows))] for _ in range(1000)]
    value, gain = (
        np.quantile([f(d) for d in draws], (0.025, 0.975)) for f in (_pairs, lambda d: _pairs(d) - d[:, 2].sum() / d[:, 1].sum())
    )
    print(
        f"{name:44} pairs {_pairs(rows):.3f} [{value[0]:.3f}, {value[1]:.3f}]  mean {(rows[:, 0] / rows[:, 1]).mean():.3f}"
        f"  against now {_pairs(rows) - rows[:, 2].sum() / rows[:, 1].sum():+.3f} [{gain[0]:+.3f}, {gain[1]:+.3f}]",
        flush=True,
    )


def _pairs(rows: Floats) -> float:
    return float(rows[:, 0].sum() / rows[:, 1].sum())


def lost(cases: Sequence[Case]) -> None:
    """Where the pairs lie that are put the wrong way round."""
    counts: dict[str, list[int]] = {}
    for case in (c for c in cases if c.real and c.ordered):
        for i, j in itertools.combinations(as_now(case), 2):
            a, b = case.passage(i), case.passage(j)
            same = case.place(i).post == case.place(j).post
            listed = same and a.list_id == b.list_id and a.list_id != -1
            where = (
                ("one numbered list" if a.ordered else "one list of bullets") if listed
                else "different posts" if not same
                else "sentences of one post" if a.kind == b.kind == "sentence"
                else "lists of one post" if a.kind == b.kind
                else "a sentence and an item of one post"
            )  # fmt: skip
            agree = counts.setdefault(where, [0, 0])
            agree[0] += 1 if case.ranks[i] < case.ranks[j] else -1
            agree[1] += 1
    print("now: " + "; ".join(f"{where} {a / n:.2f} of {n}" for where, (a, n) in sorted(counts.items(), key=lambda x: -x[1][1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--labels", type=Path, default=LABELS / "threads.jsonl")
    arguments = parser.parse_args()
    cases = cases_of(procedural(arguments.workspace, arguments.labels))
    now = [as_now(case) for case in cases]
    called = Counter((case.ordered, find_order(case.scored, case.steps).ordered) for case in cases if case.real)
    right = called[True, True] + called[False, False]
    print(f"called ordered or not as the reader does: {right} of {called.total()} ({called[True, True] + called[True, False]} are ordered)")
    lost(cases)
    rules: dict[str, Callable[[Case], list[int]]] = {
        "reading order": reading_order, "what others added last": others_last, "numbered lists before prose": numbered_first,
        "dates and phases": dated,
    }  # fmt: skip
    show("now", cases, now, now)
    for name, way in rules.items():
        show(name, cases, [way(case) for case in cases], now)
    for c in (0.3, 1.0):
        show(f"pairs by place and cues, C = {c}", cases, paired(cases, False, c), now)
        show(f"pairs by place, cues and meaning, C = {c}", cases, paired(cases, True, c), now)


if __name__ == "__main__":
    main()
