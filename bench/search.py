"""Search: quality on 138 questions, and how long an answer takes.

    python -m bench.search WORKSPACE [--labels bench/labels/questions.jsonl] [--fts PYTHON] [--sweep] [--cold 10]

WORKSPACE holds the three forums, distilled and released (others in it are taken out of every list: nobody labelled them).
Prints nDCG@10 of words (BM25), meaning (vectors), what `precipitate search` does with both, both fused by rank as it was
before, a plain FAISS scan of the goals, and DuckDB's own full-text search; then how long each takes in one process, and
how long the whole command takes in a new one, as wall time and as processor time, since machines are shared.

The last 38 questions ("set": "later") were written when search was made already, and have a column of their own. How much
goal, nearest passage and words count is then chosen anew on random halves of the questions and measured on the other
halves: that is the figure which knows nothing of the answers.

DuckDB's fts extension is packaged for DuckDB 1.5 only, so it runs by another Python: make it with
`python3 -m venv fts && fts/bin/pip install duckdb==1.5.5 duckdb-extension-fts==1.5.5`, and give --fts fts/bin/python.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from index.current import current_local
from index.embed import PACKAGED
from index.query import asker
from index.search import DEPTH, GOAL_PARTS, MIN_COSINE_BP, PASSAGE_PARTS, WORDS_BP, Searcher, meaning_bp, telling_words
from index.workspace import find_workspace

HOME = Path(__file__).parent.parent
LABELS = HOME / "bench" / "labels" / "questions.jsonl"
PLACES = 10
RRF = 60  # Cormack et al. 2009
MIXES = ((1, 0), (2, 1), (1, 1), (2, 3), (1, 2), (0, 1))  # goal : nearest passage
WORDS = (0, 500, 1000, 2000, 3000, 4000, 6000)  # basis points
SPLITS = 200


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answers: frozenset[str]  # procedures of the labelled threads
    later: bool  # written after search was made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--fts", metavar="PYTHON")
    parser.add_argument("--sweep", action="store_true", help="print the figure of every choice of weights")
    parser.add_argument("--cold", type=int, default=10, metavar="N")
    arguments = parser.parse_args()
    workspace = find_workspace(arguments.workspace)
    searcher = Searcher(current_local(workspace), PACKAGED)
    records = searcher.records(sorted(searcher.facets.procedures))
    questions, judged = read_questions(arguments.labels, records)
    ways = systems(searcher)
    if arguments.fts:
        ways["DuckDB full-text search"] = fulltext(arguments.fts, records, [question.text for question in questions])
    print(f"{len(questions)} questions, {len(judged)} SOPs of the forums that they are about, {len(records)} in all")
    print(f"{'':36}nDCG@10   of later ones   first right   p50 ms   p95 ms   processor ms")
    for name, way in ways.items():
        print_row(name, way, questions, judged)
    print_weights(searcher, questions, judged, arguments.sweep)
    if arguments.cold:
        print_cold(workspace.root, [question.text for question in questions[:: max(1, len(questions) // arguments.cold)]])


def read_questions(path: Path, records: Mapping[str, Mapping[str, Any]]) -> tuple[list[Question], frozenset[str]]:
    """Questions that some procedure answers, and the procedures of the labelled sources."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    of_thread: dict[str, set[str]] = {}
    for identifier, record in records.items():
        for thread in record["threads"]:
            of_thread.setdefault(thread, set()).add(identifier)
    questions = []
    for row in rows:
        answers = frozenset().union(*(of_thread.get(thread, set()) for thread in row["threads"]))
        if answers:
            questions.append(Question(row["question"], answers, row.get("set") == "later"))
        else:
            print(f"left out, no SOP of its threads here: {row['question']}", file=sys.stderr)
    sources = {thread.rpartition("/t/")[0] for row in rows for thread in row["threads"]}
    return questions, frozenset(i for i, r in records.items() if sources & {entry["source"] for entry in r["sources"]})


# --- the ways to search ---------------------------------------------------------------------------------------------

Way = Callable[[str], Sequence[str]]


def systems(searcher: Searcher) -> dict[str, Way]:
    def words(text: str) -> list[str]:
        return [entry.id for entry in searcher.rank(text, words_only=True)]

    def meaning(text: str) -> list[str]:
        goals, passages = searcher.by_meaning(text)
        scores = {i: meaning_bp(goals.get(i, 0), passages.get(i, (0, ""))[0]) for i in {*goals, *passages}}
        return sorted((i for i in scores if scores[i] >= MIN_COSINE_BP), key=lambda i: (-scores[i], i))

    def fused(text: str) -> list[str]:
        return [entry.id for entry in searcher.rank(text)]

    def by_rank(text: str) -> list[str]:
        goals, passages = searcher.by_meaning(text)
        lists = [
            searcher._words.search(telling_words(text), RRF),
            sorted(goals, key=lambda i: (-goals[i], i))[:RRF],
            sorted(passages, key=lambda i: (-passages[i][0], i))[:RRF],
        ]
        scores: dict[str, int] = {}
        for names in lists:
            for place, name in enumerate(names, start=1):
                scores[name] = scores.get(name, 0) + 1_000_000 // (RRF + place)
        return sorted(scores, key=lambda i: (-scores[i], i))

    def scan(text: str) -> list[str]:
        return [name for name, _ in searcher._goals.search(asker(PACKAGED).encode([text]), DEPTH)[0]]

    def answered(text: str) -> list[str]:
        return [hit.id for hit in searcher.search(text, PLACES)]

    def read_anew(text: str) -> list[str]:
        searcher._kept.clear()
        return answered(text)

    return {
        "words (BM25)": words,
        "meaning (goals and passages)": meaning,
        "both, as `search` ranks": fused,
        "both, fused by rank (RRF)": by_rank,
        "plain FAISS scan of goals": scan,
        "both, with quotes and highlights": answered,
        "the same, no record read before": read_anew,
    }


FTS = """
import json, sys, time, duckdb, duckdb_extension_fts
from pathlib import Path
told = json.load(sys.stdin)
c = duckdb.connect(config={"allow_unsigned_extensions": "true"})
(path,) = Path(duckdb_extension_fts.__file__).parent.rglob("fts.duckdb_extension")
c.execute(f"LOAD '{path}'")
c.execute("CREATE TABLE docs (id VARCHAR, title VARCHAR, body VARCHAR)")
c.executemany("INSERT INTO docs VALUES (?, ?, ?)", told["docs"])
c.execute("PRAGMA create_fts_index('docs', 'id', 'title', 'body', stemmer = 'english', stopwords = 'english')")
ask = "SELECT id FROM (SELECT id, fts_main_docs.match_bm25(id, ?) AS score FROM docs) WHERE score IS NOT NULL ORDER BY score DESC, id LIMIT 300"
out = []
for text in told["questions"]:
    begun, used = time.perf_counter(), time.process_time()
    found = [row[0] for row in c.execute(ask, [text]).fetchall()]
    out.append([found, time.perf_counter() - begun, time.process_time() - used])
print(json.dumps(out))
"""


@dataclass
class Replayed:
    """Answers that another process gave, with the times it took for them."""

    answers: dict[str, Sequence[str]]
    times: dict[str, tuple[float, float]]

    def __call__(self, text: str) -> Sequence[str]:
        return self.answers[text]


def fulltext(python: str, records: Mapping[str, Mapping[str, Any]], texts: Sequence[str]) -> Replayed:
    docs = [[i, f"{r['title']}\n{r['goal']}", "\n".join(step["text"] for step in r["steps"])] for i, r in records.items()]
    done = subprocess.run([python, "-c", FTS], input=json.dumps({"docs": docs, "questions": texts}), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} could not run DuckDB's fts: {done.stderr.strip().splitlines()[-1]}")
    rows = dict(zip(texts, json.loads(done.stdout), strict=True))
    return Replayed({t: row[0] for t, row in rows.items()}, {t: (row[1], row[2]) for t, row in rows.items()})


# --- figures --------------------------------------------------------------------------------------------------------


def ndcg(ranked: Sequence[str], answers: frozenset[str]) -> float:
    gain = sum(1 / math.log2(place + 1) for place, name in enumerate(ranked[:PLACES], start=1) if name in answers)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(PLACES, len(answers)) + 1))


def print_row(name: str, way: Way, questions: Sequence[Question], judged: frozenset[str]) -> None:
    way(questions[0].text)  # what is opened lazily is open now
    gains, later, first, walls, processor = [], [], 0, [], []
    for question in questions:
        begun, used = time.perf_counter(), time.process_time()
        found = way(question.text)
        wall, cpu = time.perf_counter() - begun, time.process_time() - used
        if isinstance(way, Replayed):
            wall, cpu = way.times[question.text]
        ranked = [identifier for identifier in found if identifier in judged]
        gains.append(ndcg(ranked, question.answers))
        later += gains[-1:] if question.later else []
        first += bool(ranked) and ranked[0] in question.answers
        walls.append(1000 * wall)
        processor.append(1000 * cpu)
    cut = statistics.quantiles(walls, n=20)
    figure = f"{statistics.mean(gains):7.3f}{statistics.mean(later or [0.0]):16.3f}{first:>11} of {len(questions)}"
    print(f"{name:36}{figure}{statistics.median(walls):9.1f}{cut[18]:9.1f}{statistics.mean(processor):12.1f}", flush=True)


def print_weights(searcher: Searcher, questions: Sequence[Question], judged: frozenset[str], whole: bool) -> None:
    """nDCG@10 by how much the nearest passage counts against the goal, and words against both: as it is, and as others
    would have chosen it that saw half of the questions."""
    gains = {weights: gains_of(weights, searcher, questions, judged) for weights in itertools.product(MIXES, WORDS)}
    if whole:
        print("goal:passage" + "".join(f"{words:>8}" for words in WORDS) + "  basis points for words")
        for mix in MIXES:
            print(f"{mix[0]}:{mix[1]:<10}" + "".join(f"{statistics.mean(gains[mix, words]):8.3f}" for words in WORDS))
    own = gains[(GOAL_PARTS, PASSAGE_PARTS), WORDS_BP]
    print(
        f"weights as they are: {statistics.mean(own):.3f}; of {len(gains)} choices the best {max(map(statistics.mean, gains.values())):.3f}"
    )
    chance, told = random.Random(6), []
    places = list(range(len(questions)))
    for _ in range(SPLITS):
        chance.shuffle(places)
        half = len(places) // 2
        for seen, unseen in ((places[:half], places[half:]), (places[half:], places[:half])):
            best = max(gains, key=lambda weights: sum(gains[weights][place] for place in seen))
            told.append(statistics.mean(gains[best][place] for place in unseen))
    print(
        f"chosen on half, measured on the other half, {2 * SPLITS} times: {statistics.mean(told):.3f}, deviation {statistics.stdev(told):.3f}"
    )


def gains_of(
    weights: tuple[tuple[int, int], int], searcher: Searcher, questions: Sequence[Question], judged: frozenset[str]
) -> list[float]:
    (goal, passage), most = weights
    found = []
    for question in questions:
        words, goals, passages = heard(searcher, question.text)
        top, least = max(words.values(), default=1), min((bp for bp, _ in passages.values()), default=0)
        score = {
            i: (goal * goals.get(i, 0) + passage * passages.get(i, (least, ""))[0]) / (goal + passage) + most * words.get(i, 0) / top
            for i in judged
        }
        found.append(ndcg(sorted(score, key=lambda i: (-score[i], i)), question.answers))
    return found


@lru_cache(maxsize=1000)
def heard(searcher: Searcher, text: str) -> tuple[dict[str, int], dict[str, int], dict[str, tuple[int, str]]]:
    return dict(searcher._words.scores(telling_words(text), DEPTH)), *searcher.by_meaning(text)


def print_cold(root: Path, texts: Sequence[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    walls, processor = [], []
    for text in texts:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run([sys.executable, str(HOME / "cli.py"), "search", text], cwd=root, env=environment, check=True, capture_output=True)
        walls.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    load = os.getloadavg()[0]
    print(
        f"`precipitate search` in a new process, {len(texts)} times: p50 {statistics.median(walls):.2f} s, worst {max(walls):.2f} s; "
        f"processor {statistics.median(processor):.2f} s (load {load:.1f} on {os.cpu_count()} cores)"
    )


if __name__ == "__main__":
    main()
