"""The whole job on the demo forum, with the real distiller, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import FORUM, HOME, Command

SECOND_RUN = """
import sys
sys.argv = ["precipitate", "run", "--quiet"]
from cli import app
try:
    app(prog_name="precipitate")
finally:
    print("heavy:", sorted({"torch", "sentence_transformers", "hdbscan"} & set(sys.modules)), file=sys.stderr)
"""


OWN = ("signed.json", "log.jsonl")


def published(root: Path) -> dict[str, bytes]:
    """All files of the release but the signature and its log, which are each workspace's own."""
    folder = root / ".precipitate" / "current"
    return {path.name: path.read_bytes() for path in sorted(folder.resolve().iterdir()) if path.is_file() and path.name not in OWN}


def records(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in published(root)["procedures.jsonl"].splitlines()]


def test_every_citation_is_verbatim(demo: Path) -> None:
    found = records(demo)
    assert len(found) >= 5
    local = demo / ".precipitate" / "current" / "local" / "read.duckdb"
    with duckdb.connect(str(local), read_only=True) as store:
        posts = {row[0]: row[1:] for row in store.execute("SELECT id, plain, author, permalink, thread FROM posts").fetchall()}
    for record in found:
        for citation in [c for step in record["steps"] for c in step["citations"]] + [s["citation"] for s in record["stances"]]:
            plain, author, permalink, thread = posts[citation["post"]]
            assert plain[citation["start"] : citation["end"]] == citation["exact"]
            assert (author, permalink, thread) == (citation["author"], citation["permalink"], citation["thread"])


def test_search_answers_the_question_of_the_readme(demo: Path, command: Command) -> None:
    done = command("search", "how do I apply for a grant", "--json", cwd=demo)
    assert done.returncode == 0, done.stderr
    assert any("/t/41" in hit["permalink"] for hit in json.loads(done.stdout)[:3])


def test_second_run_changes_nothing_and_loads_no_model(demo_copy: Path) -> None:
    before = published(demo_copy)
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SECOND_RUN], cwd=demo_copy, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "heavy: []"
    assert "unchanged: sha256:" in done.stdout
    assert time.monotonic() - started < 15
    assert published(demo_copy) == before


def test_fresh_run_elsewhere_gives_the_same_bytes(demo: Path, command: Command, tmp_path: Path) -> None:
    for words in (("init", "other"), ("add", str(FORUM)), ("run", "--quiet")):
        assert command(*words, cwd=tmp_path if words[0] == "init" else tmp_path / "other").returncode == 0
    assert published(tmp_path / "other") == published(demo)


@pytest.mark.parametrize("stage", ["crawl", "distill"])
def test_kill_and_run_again_gives_the_same(demo: Path, command: Command, tmp_path: Path, stage: str) -> None:
    """Killed at a moment that nobody chose, somewhere behind the first sign of life of a stage."""
    for words in (("init", "killed"), ("add", str(FORUM))):
        assert command(*words, cwd=tmp_path if words[0] == "init" else tmp_path / "killed").returncode == 0
    root = tmp_path / "killed"
    line_of_run = [sys.executable, str(HOME / "cli.py"), "run"]
    with subprocess.Popen(line_of_run, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        while stage == "distill" and line.startswith("discourse:"):
            line = process.stderr.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = command("run", "--quiet", cwd=root)
    assert done.returncode == 0, done.stderr
    assert published(root) == published(demo)


def test_a_stranger_makes_the_demo_release_anew(demo_copy: Path, command: Command) -> None:
    """The whole job once more from the body pack alone, with the real distiller: every hashed file comes out the same."""
    assert command("release", "--bodies", cwd=demo_copy).returncode == 0
    done = command("verify", "2", "--rebuild", "--json", cwd=demo_copy)
    assert done.returncode == 0, done.stdout
    levels = json.loads(done.stdout)["levels"]
    assert [level["state"] for level in levels] == ["ok"] * 5
    assert levels[4]["checked"] == {"files": 8}


def test_replay_lets_what_was_distilled_pass(demo_copy: Path, command: Command, tmp_path: Path) -> None:
    """Distilled again and linked again, all SOPs of the demo come out as they are in the release."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "remote.git")], check=True)
    done = command("publish", "--to", "git", "--replay", str(tmp_path / "remote.git"), "--json", cwd=demo_copy)
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert (told["sops"], told["held_back"]) == (len(records(demo_copy)), [])
