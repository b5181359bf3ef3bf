"""Written guidelines read as posts: do the steps that we extract cover the actions that the agents' system knows?

    python -m bench.workflows FOLDER

FOLDER is abcd-workflows: guidelines.json (per intent, the written steps with the button that each is about), kb.json
(per intent, the sequence of actions) and ontology.json (the intents' names). Each guideline is laid out as one post, in
two ways: as a numbered list with its details as inner bullets, and as running text without any list.

A step covers an action where its citation lies in the guideline's text of that action. Recall: actions of kb.json that
some step covers. Precision: steps that cover an action of kb.json. Both are of sums over guidelines. Steps an action: how
finely the text is cut. Kendall's tau: the order of the actions by the first step that covers them, against kb.json.
Intervals are 95 %, by bootstrap over the ten flows: guidelines of one flow are much alike.
"""

from __future__ import annotations

import argparse
import html
import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.drafts import distill_thread
from distill.passages import ReadThread, read_thread
from distill.pipeline import lazy_model
from distill.scaffold import find_scaffold
from distill.scorers import Scorers, load_scorers
from distill.scoring import Model, score_thread
from index.config import DistillConfig
from index.plain import derive
from index.tables_discussion import StoredPost, StoredThread

ROUNDS = 1000
# Buttons whose action has another name in kb.json; all others differ by case and hyphens only.
NAMES = {"notify-internal-team": "notify-team", "membership-privileges": "membership", "enter-detail": "enter-details",
         "select-answer": "select-faq", "log-out/in": "log-out-in",
         **{name: f"search-{name}" for name in ("boots", "shirt", "jeans", "jacket", "pricing", "membership", "timing", "policy")}}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guideline:
    flow: str
    name: str
    wanted: tuple[str, ...]  # actions of kb.json, in order
    actions: tuple[tuple[str, tuple[str, ...]], ...]  # of the text: (action, its sentence and details)
    around: tuple[str, ...]  # what is said before and after


def load(folder: Path) -> list[Guideline]:
    written, known, ontology = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("guidelines", "kb", "ontology")
    )
    found = []
    for flow, part in written.items():
        intents = ontology["intents"]["subflows"][flow.lower().replace(" ", "_").replace("-", "_")]
        for (name, guideline), intent in zip(part["subflows"].items(), intents, strict=True):
            actions = tuple((action_name(a["button"]), (a["text"], *a["subtext"])) for a in guideline["actions"])
            found.append(Guideline(flow, name, tuple(known[intent]), actions, tuple(guideline["instructions"])))
    return found


def action_name(button: str) -> str:
    """The name in kb.json of what a button does; of buttons without an action, some name that is not there."""
    name = button.lower().replace(" ", "-")
    return NAMES.get(name, name)


def laid_out(guideline: Guideline, as_list: bool) -> str:
    """Markdown of the guideline."""
    lead, *rest = [html.escape(line, quote=False) for line in guideline.around]
    if as_list:
        items = []
        for number, (_, lines) in enumerate(guideline.actions, start=1):
            first, *details = [html.escape(line, quote=False) for line in lines]
            items += [f"{number}. {first}", *(f"    - {line}" for line in details)]
        return "\n\n".join([lead, "\n".join(items), *rest])
    told = [html.escape(line, quote=False).rstrip(" :.") + "." for _, lines in guideline.actions for line in lines]
    return "\n\n".join([lead, " ".join(told), *rest])


Region = tuple[int, int, str]  # start, end in the plain text; action


def posted(guideline: Guideline, as_list: bool) -> tuple[ReadThread, list[Region]]:
    """The guideline as a thread of one post, and where its actions lie in the post's plain text."""
    plain = derive(laid_out(guideline, as_list), "raw")
    starts, at = [], plain.text.index(squeezed(guideline.around[0])) + len(squeezed(guideline.around[0]))
    for _, lines in guideline.actions:
        for line in lines:
            line = squeezed(line).rstrip(" :.")
            at = plain.text.index(line, at)
            if line == squeezed(lines[0]).rstrip(" :."):
                starts.append(at)
            at += len(line)
    ends = [*starts[1:], at + 1]
    post = StoredPost("abcd", "abcd", 1, "a", "a", "2021-01-01T00:00:00Z", "", None, 0, False, plain.text, plain.blocks)
    thread = StoredThread("abcd", "abcd", guideline.name, post.created, "", "", (), None, (post,))
    return read_thread(thread), [(s, e, name) for s, e, (name, _) in zip(starts, ends, guideline.actions, strict=True)]


def squeezed(line: str) -> str:
    return " ".join(line.split())


Steps = list[tuple[int, int]]  # spans in the post's plain text, in the order in which they are to be done


def ways(read: ReadThread, scorers: Scorers, model: Model) -> dict[str, Steps]:
    post = read.posts[0]
    scored = score_thread(read, scorers, model.read)
    scaffold = find_scaffold(scored)
    frames = scored.posts[0].frames
    spans = [(p.start, p.end) for p in post.passages]
    work = distill_thread(read.thread, "", DistillConfig(), scorers, model)
    return {
        "every passage": spans,
        "rules: says to do something": [
            span
            for span, frame in zip(spans, frames, strict=True)
            if frame and frame.modality in ("imperative", "obligation", "permission")
        ],
        "scorers, before the gate": [spans[place.passage] for place in scaffold.steps] if scaffold else [],
        "whole pipeline": [_stated(step) for draft in work.drafts for step in draft["steps"]],
    }


def _stated(step: dict[str, Any]) -> tuple[int, int]:
    first = next(c for c in step["citations"] if c["role"] == "states")
    return first["start"], first["end"]


@dataclass(frozen=True, slots=True)
class Row:
    flow: str
    covered: int
    wanted: int
    good: int  # steps that cover a wanted action
    said: int
    agree: int  # pairs of covered actions in the order of kb.json, less those against it
    pairs: int


def scored(guideline: Guideline, regions: Sequence[Region], steps: Steps) -> Row:
    named = [next((name for a, b, name in regions if start < b and end > a), "") for start, end in steps]
    order = list(dict.fromkeys(name for name in named if name in guideline.wanted))
    ranks = [guideline.wanted.index(name) for name in order]
    agree = sum(1 if a < b else -1 for a, b in itertools.combinations(ranks, 2))
    pairs = len(ranks) * (len(ranks) - 1) // 2
    good = sum(name in guideline.wanted for name in named)
    return Row(guideline.flow, len(order), len(guideline.wanted), good, len(named), agree, pairs)


def figures(rows: Sequence[Row]) -> dict[str, float]:
    def total(name: str) -> int:
        return sum(getattr(row, name) for row in rows)

    recall, precision = total("covered") / max(1, total("wanted")), total("good") / max(1, total("said"))
    return {
        "R": recall, "P": precision, "F1": 2 * recall * precision / max(1e-9, recall + precision),
        "steps/action": total("good") / max(1, total("covered")), "tau": total("agree") / max(1, total("pairs")),
    }  # fmt: skip


def show(name: str, rows: Sequence[Row]) -> None:
    flows = sorted({row.flow for row in rows})
    chance = random.Random(0)
    drawn = []
    for _ in range(ROUNDS):
        chosen = [chance.choice(flows) for _ in flows]
        drawn.append(figures([row for flow in chosen for row in rows if row.flow == flow]))
    cells = []
    for key, value in figures(rows).items():
        spread = sorted(f[key] for f in drawn)
        cells.append(f"{key} {value:.2f} [{spread[ROUNDS // 40]:.2f}, {spread[-ROUNDS // 40 - 1]:.2f}]")
    print(f"  {name:28} {'  '.join(cells)}  silent {sum(not row.said for row in rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    guidelines = load(parser.parse_args().folder)
    scorers, model = load_scorers(), lazy_model(DistillConfig().model)
    unsaid = sum(name not in dict(g.actions) for g in guidelines for name in g.wanted)
    print(
        f"{len(guidelines)} guidelines, {sum(len(g.wanted) for g in guidelines)} actions in kb.json, {unsaid} of them with no text of their own"
    )
    for as_list in (True, False):
        rows: dict[str, list[Row]] = {}
        for guideline in guidelines:
            read, regions = posted(guideline, as_list)
            for name, steps in ways(read, scorers, model).items():
                rows.setdefault(name, []).append(scored(guideline, regions, steps))
        print("as a list" if as_list else "as running text")
        for name, found in rows.items():
            show(name, found)


if __name__ == "__main__":
    main()
