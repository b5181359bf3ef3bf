"""Activities and actors in process descriptions that others annotated, read by our rules with and without the scorers.

    python -m bench.pet FOLDER

FOLDER holds the folds of the PET corpus as N.test.IOB2.tsv (word, tag; sentences apart by an empty line) with
N.test-doc-name.IOB2.tsv (document, number of sentences). Each document is read as a thread of one post.

Annotated are activities (the verb), activity data (what it is done to) and actors (who does it, and who is told or sent
something). Ours are the same as spans of the text. Found and annotated spans of a kind are matched one to one within a
document. Strict: both cover the same words. Relaxed: they share a word. Precision, recall and F1 are of the sums over
documents; `all` sums the three kinds. Intervals are 95 %, by bootstrap over documents.
The reader of activities was developed on fold 0; folds 1 and 2 were only ever scored.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from distill.activities import read_activities
from distill.drafts import distill_thread
from distill.frames import read_frame, verb_lemma
from distill.passages import ReadThread, read_thread
from distill.pipeline import lazy_model
from distill.scaffold import IN_SCAFFOLD_BP, find_scaffold
from distill.scorers import Scorers, load_scorers
from distill.scoring import Model, score_thread
from index.config import DistillConfig
from index.plain import derive
from index.records import Passage
from index.tables_discussion import StoredPost, StoredThread

KINDS = {"activity": "Activity", "data": "Activity Data", "actor": "Actor"}
ROUNDS = 1000
DEVELOPED_ON = 0
Words = frozenset[int]  # a span, as the places of its words in the document
Marked = dict[str, list[Words]]  # kind → spans


@dataclass(frozen=True, slots=True)
class Document:
    fold: int
    name: str
    thread: ReadThread
    words: tuple[tuple[int, int], ...]  # where each word lies in the post's plain text
    marked: Marked


def load(folder: Path) -> list[Document]:
    """All documents of a folder, in the order of its files."""
    found: list[Document] = []
    for path in sorted(folder.glob("*.test.IOB2.tsv")):
        fold = int(path.name.split(".")[0])
        sentences = [[line.split("\t") for line in part.split("\n")] for part in path.read_text(encoding="utf-8").strip().split("\n\n")]
        rows = iter(sentences)
        for line in path.with_name(f"{fold}.test-doc-name.IOB2.tsv").read_text(encoding="utf-8").strip().split("\n"):
            name, count = line.split("\t")
            found.append(document(fold, name, [(word, tag) for row in itertools.islice(rows, int(count)) for word, tag in row]))
        if next(rows, None) is not None:
            raise ValueError(f"{path}: more sentences than its documents have")
    if not found:
        raise FileNotFoundError(f"{folder}: no *.test.IOB2.tsv")
    return found


def document(fold: int, name: str, tagged: Sequence[tuple[str, str]]) -> Document:
    plain = derive(prose([word for word, _ in tagged]), "raw")
    words: list[tuple[int, int]] = []
    at = 0
    for word, _ in tagged:
        start = plain.text.index(word, at)
        at = start + len(word)
        words.append((start, at))
    post = StoredPost("pet", "pet", 1, "a", "a", "2022-01-01T00:00:00Z", "", None, 0, False, plain.text, plain.blocks)
    thread = StoredThread("pet", "pet", name.rpartition(" - ")[2], post.created, "", "", (), None, (post,))
    return Document(fold, name, read_thread(thread), tuple(words), spans([tag for _, tag in tagged]))


def prose(words: Sequence[str]) -> str:
    """The text that the words were cut from, near enough: no space before a closing mark or after an opening one."""
    text = ""
    for word in words:
        glued = not text or text[-1] in "(’/" or word in (".", ",", ";", ":", ")", "?", "!", "’", "/") or word.startswith("’")
        text += word if glued else " " + word
    return text


def spans(tags: Sequence[str]) -> Marked:
    """IOB2 tags → spans of the kinds that are scored."""
    found: Marked = {kind: [] for kind in KINDS}
    for kind, label in KINDS.items():
        place = 0
        while place < len(tags):
            end = place + 1
            if tags[place] == f"B-{label}":
                while end < len(tags) and tags[end] == f"I-{label}":
                    end += 1
                found[kind].append(frozenset(range(place, end)))
            place = end
    return found


def covered(document: Document, start: int, end: int) -> Words:
    """The words that a span of the plain text touches."""
    return frozenset(n for n, (a, b) in enumerate(document.words) if a < end and b > start)


Part = tuple[int, int] | None
_WORD = re.compile(r"[A-Za-z'’-]+")


def main_frames(passage: Passage) -> dict[str, list[Part]]:
    """What `read_frame` says: one activity a passage, as words that are then looked up in it."""
    frame = read_frame(passage.text)
    if frame is None:
        return {kind: [] for kind in KINDS}
    verb = next((m.span() for m in _WORD.finditer(passage.text) if verb_lemma(m.group()) == frame.verb), None)
    return {
        "activity": [verb],
        "data": [_looked_up(passage.text, frame.object, verb[1] if verb else 0)],
        "actor": [_looked_up(passage.text, frame.actor or "", 0)],
    }


def _looked_up(text: str, part: str, start: int) -> Part:
    at = text.find(part, start) if part else -1
    return (at, at + len(part)) if at >= 0 else None


def all_activities(passage: Passage) -> dict[str, list[Part]]:
    found = [activity for activity in read_activities(passage.text) if not activity.negated]  # what is not done is none
    return {
        "activity": [a.verb for a in found],
        "data": [a.object for a in found],
        "actor": [part for a in found for part in (a.actor, a.party)],
    }


def told(document: Document, reader: Callable[[Passage], Mapping[str, Sequence[Part]]], places: set[int] | None) -> Marked:
    """What a reader finds in the passages at `places` (None: in all), as words of the document; a span once only."""
    found: Marked = {kind: [] for kind in KINDS}
    for place, passage in enumerate(document.thread.posts[0].passages):
        if places is None or place in places:
            for kind, parts in reader(passage).items():
                for start, end in filter(None, parts):
                    span = covered(document, passage.start + start, passage.start + end)
                    if span and span not in found[kind]:
                        found[kind].append(span)
    return found


def right(found: Sequence[Words], marked: Sequence[Words], strict: bool) -> int:
    """How many found spans are matched one to one with annotated ones."""
    if not found or not marked:
        return 0
    fits = np.array([[a == b if strict else bool(a & b) for b in marked] for a in found], dtype=np.int64)
    rows, columns = linear_sum_assignment(-fits)
    return int(fits[rows, columns].sum())


Counts = tuple[int, int, int]  # right, found, annotated


def counts(found: Marked, marked: Marked, strict: bool) -> dict[str, Counts]:
    by_kind = {kind: (right(found[kind], marked[kind], strict), len(found[kind]), len(marked[kind])) for kind in KINDS}
    return by_kind | {"all": _sum(list(by_kind.values()))}


def _sum(rows: Sequence[Counts]) -> Counts:
    return tuple(map(sum, zip(*rows, strict=True)))  # type: ignore[return-value]


def prf(total: Counts) -> tuple[float, float, float]:
    hits, found, marked = total
    return hits / max(1, found), hits / max(1, marked), 2 * hits / max(1, found + marked)


def interval(rows: Sequence[Counts]) -> tuple[float, float]:
    """Of F1, over documents."""
    chance = random.Random(0)
    scores = sorted(prf(_sum([chance.choice(rows) for _ in rows]))[2] for _ in range(ROUNDS))
    return scores[ROUNDS // 40], scores[-ROUNDS // 40 - 1]


def step_places(document: Document, scorers: Scorers, model: Model) -> set[int]:
    """The passages that the pipeline takes for steps, before it asks whether they make a procedure."""
    scored = score_thread(document.thread, scorers, model.read)
    scaffold = find_scaffold(scored)
    return {place.passage for place in scaffold.steps} if scaffold else set()


def passage_counts(document: Document, places: set[int]) -> Counts:
    """Passages taken for steps, against those that hold an annotated activity."""
    wanted = {
        n
        for n, passage in enumerate(document.thread.posts[0].passages)
        if any(covered(document, passage.start, passage.end) & span for span in document.marked["activity"])
    }
    return len(wanted & places), len(places), len(wanted)


def show(name: str, rows: Sequence[Counts]) -> None:
    precision, recall, f1 = prf(_sum(rows))
    low, high = interval(rows)
    print(f"  {name:34} P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  [{low:.3f}, {high:.3f}]")


def report(documents: Sequence[Document], steps: Mapping[str, set[int]], emitted: Mapping[str, bool]) -> None:
    ways: dict[str, list[Marked]] = {
        "read_frame": [told(d, main_frames, None) for d in documents],
        "read_activities": [told(d, all_activities, None) for d in documents],
        "read_frame + scorers": [told(d, main_frames, steps[d.name]) for d in documents],
        "read_activities + scorers": [told(d, all_activities, steps[d.name]) for d in documents],
    }
    for strict in (True, False):
        for kind in (*KINDS, "all"):
            print(f" {kind}, {'strict' if strict else 'relaxed'}: {sum(len(d.marked.get(kind, ())) for d in documents) or ''}")
            for name, found in ways.items():
                show(name, [counts(f, d.marked, strict)[kind] for f, d in zip(found, documents, strict=True)])
    print(" passages that hold an activity")
    everything = {d.name: set(range(len(d.thread.posts[0].passages))) for d in documents}
    framed = {d.name: {n for n, p in enumerate(d.thread.posts[0].passages) if read_frame(p.text)} for d in documents}
    for name, places in (("every passage", everything), ("with a frame", framed), (f"step_bp >= {IN_SCAFFOLD_BP}", steps)):
        show(name, [passage_counts(d, places[d.name]) for d in documents])
    print(f" documents that the gate lets pass: {sum(emitted[d.name] for d in documents)} of {len(documents)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fold", type=int, help="this fold only")
    arguments = parser.parse_args()
    documents = [d for d in load(arguments.folder) if arguments.fold in (None, d.fold)]
    scorers, model = load_scorers(), lazy_model(DistillConfig().model)
    steps = {d.name: step_places(d, scorers, model) for d in documents}
    emitted = {d.name: bool(distill_thread(d.thread.thread, "", DistillConfig(), scorers, model).drafts) for d in documents}
    for title, chosen in (
        (f"fold {DEVELOPED_ON}, developed on", [d for d in documents if d.fold == DEVELOPED_ON]),
        ("other folds, unseen", [d for d in documents if d.fold != DEVELOPED_ON]),
    ):
        if chosen:
            print(f"{title}: {len(chosen)} documents, {sum(len(d.words) for d in chosen)} words")
            report(chosen, steps, emitted)


if __name__ == "__main__":
    main()
