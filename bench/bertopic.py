"""Side by side with BERTopic as it comes: time, memory, what is left out, and ten outputs of each.

    python -m bench.bertopic ARCHIVE [--cores 1] [--outputs 10]

ARCHIVE is a folder with topics.jsonl. BERTopic is no dependency: run this in an environment that has it beside precipitate
(`pip install bertopic==0.17.4`). It runs with its defaults over the plain text of all posts; only its sentence model is
given, the packaged MiniLM, which is the model that it would fetch from a hub. Each side runs in a process of its own, from
imports to results, one after the other, bound to the same cores. On a busy machine trust the processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from index.store import Store
from index.tables_procedures import current_procedures, outcomes

HOME = Path(__file__).parent.parent
MISSING = (
    "bertopic is not installed here: make an environment with precipitate and `pip install bertopic==0.17.4`, and run this bench in it"
)
HEAD = 110  # characters of a text that are printed


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one or more processes, one after the other: seconds of wall and of processor, peak GB of one of them."""

    wall: float
    processor: float
    memory: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.processor + other.processor, max(self.memory, other.memory))


def run(command: list[str], folder: Path, cores: int) -> Cost:
    environment = {**os.environ, "PYTHONPATH": str(HOME), "OMP_NUM_THREADS": str(cores), "TOKENIZERS_PARALLELISM": "false"}
    bound = sorted(os.sched_getaffinity(0))[:cores]
    before = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, bound),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(time.monotonic() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)


def run_bertopic(archive: Path, folder: Path, cores: int) -> tuple[Cost, dict[str, Any]]:
    result = folder / "topics.json"
    cost = run(["-m", "bench.bertopic", str(archive), "--topics-to", str(result)], folder, cores)
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return cost, found


def write_topics(archive: Path, result: Path) -> None:
    """The child process: BERTopic's defaults over every post."""
    from bertopic import BERTopic
    from sentence_transformers import SentenceTransformer

    from bench.parts import thread
    from index.embed import checked_folder

    with (archive / "topics.jsonl").open(encoding="utf-8") as lines:
        posts = [post.plain for line in lines for post in thread(json.loads(line)).posts if post.plain.strip()]
    model = BERTopic(embedding_model=SentenceTransformer(str(checked_folder()), device="cpu"))
    labels, _ = model.fit_transform(posts)
    topics = [
        {"words": [word for word, _ in model.get_topic(n)], "size": labels.count(n), "document": model.get_representative_docs(n)[0]}
        for n in sorted(set(labels))
        if n >= 0
    ]
    found = {"posts": len(posts), "noise": labels.count(-1), "topics": topics}
    result.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def run_precipitate(archive: Path, folder: Path, cores: int) -> tuple[Cost, list[dict[str, Any]], list[str]]:
    """(cost from nothing to a release, procedures, outcome of each thread)."""
    workspace, program = folder / "workspace", str(HOME / "cli.py")
    cost = run([program, "init", str(workspace)], folder, cores) + run([program, "add", str(archive)], workspace, cores)
    cost += run([program, "run", "--quiet"], workspace, cores)
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        return cost, [p.record for p in current_procedures(store)], [str(row["outcome"]) for row in outcomes(store)]


def head(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= HEAD else line[: HEAD - 1] + "…"


def print_outputs(topics: list[dict[str, Any]], procedures: list[dict[str, Any]], count: int) -> None:
    """As many of each, drawn at random, next to each other."""
    chance = random.Random(0)
    topics, procedures = (chance.sample(rows, min(count, len(rows))) for rows in (topics, procedures))
    for n, (topic, procedure) in enumerate(zip(topics, procedures, strict=False), 1):
        print(f"\n{n}. BERTopic, {topic['size']} posts: {', '.join(topic['words'])}\n     {head(topic['document'])}")
        print(f"   precipitate: {procedure['title']}")
        for step in procedure["steps"]:
            print(f"     {step['n']}. {head(step['text'])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--topics-to", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if find_spec("bertopic") is None:
        raise SystemExit(MISSING)
    archive = arguments.archive.resolve()
    if arguments.topics_to:
        write_topics(archive, arguments.topics_to)
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        theirs, found = run_bertopic(archive, Path(folder), arguments.cores)
        ours, procedures, threads = run_precipitate(archive, Path(folder), arguments.cores)
    for name, cost in (("BERTopic", theirs), ("precipitate", ours)):
        print(f"{name}: {cost.wall:.0f} s, {cost.processor:.0f} s of processor, {cost.memory:.2f} GB at most")
    print(
        f"precipitate to BERTopic: time {ours.wall / theirs.wall:.2f}, processor {ours.processor / theirs.processor:.2f}, "
        f"memory {ours.memory / theirs.memory:.2f}"
    )
    quiet = threads.count("abstained")
    print(
        f"BERTopic: {len(found['topics'])} topics, {found['noise']} of {found['posts']} posts are noise ({found['noise'] / found['posts']:.0%})"
    )
    print(f"precipitate: {len(procedures)} procedures, nothing said of {quiet} of {len(threads)} threads ({quiet / len(threads):.0%})")
    print_outputs(found["topics"], procedures, arguments.outputs)


if __name__ == "__main__":
    main()
