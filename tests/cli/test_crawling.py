"""Commands around crawling: what would be asked, crawling alone, runs, provenance, reading again, forgetting, schedules."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.store import Store
from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.conftest import FORUM, HOME
from tests.emulators.discourse import DiscourseEmulator, failure, too_many


@pytest.fixture
def forum(empty: Workspace, run: Runner) -> Iterator[DiscourseEmulator]:
    """A forum of a few threads, added and not read yet."""
    config = empty.root / "precipitate.toml"
    config.write_text(config.read_text().replace("delay_seconds = 1.0", "delay_seconds = 0.001"))
    with DiscourseEmulator() as emulator:
        emulator.thread("How to apply", "Ask first", "1. Write it down", by="ann")
        emulator.thread("Other", "Words of eve", by="eve")
        assert run("add", emulator.url, "--allow-private").exit_code == 0
        emulator.log.clear()
        yield emulator


def test_whoever_crawls_can_be_reached(forum: DiscourseEmulator, run: Runner, empty: Workspace) -> None:
    assert "crawl.user_agent" in run("add", forum.url, "--allow-private").stdout
    config = empty.root / "precipitate.toml"
    config.write_text(config.read_text().replace("(+https://precipitate.example/bot)", "(+mailto:ann@example.org)"))
    assert "crawl.user_agent" not in run("add", forum.url, "--allow-private").stdout
    assert forum.log[-1].agent == "precipitate/0.1 (+mailto:ann@example.org)"


def test_a_dry_run_asks_nobody(forum: DiscourseEmulator, run: Runner) -> None:
    for words in (("crawl", "--dry-run"), ("run", "--dry-run")):
        result = run(*words)
        assert result.exit_code == 0 and f"GET {forum.url}/robots.txt" in result.stdout and f"GET {forum.url}/site.json" in result.stdout
    (told,) = run.json("crawl", "--dry-run")
    assert told["asks"] == [f"GET {forum.url}/robots.txt", f"GET {forum.url}/site.json"] and told["error"] is None
    assert told["then"][0] == "/latest.json, all pages: nothing is known yet" and told["then"][0] in run("crawl", "--dry-run").stdout
    assert not forum.log and run.json("runs") == []
    forum.fail(r"/t/", lambda: too_many(5000))
    assert run("crawl", "-q").exit_code == 3
    asked = len(forum.log)
    (told,) = run.json("crawl", "--dry-run")
    assert any(line.startswith("2 threads to be read") for line in told["then"]) and told["at_most_seconds"] > 0
    assert told["waiting"] == 2 and list(told["not_before"]) == [forum.url.removeprefix("http://")] and len(forum.log) == asked


def test_crawling_alone_and_the_table_of_runs(forum: DiscourseEmulator, run: Runner, tmp_path: Path) -> None:
    told = run.json("crawl", "--quiet", "--metrics", str(tmp_path / "p.prom"))
    assert list(told["stages"]) == ["crawl"] and told["stages"]["crawl"]["sources"][0]["posts"] == 3
    assert 'precipitate_run_status{status="ok"} 1' in (tmp_path / "p.prom").read_text()
    forum.fail("/latest", lambda: failure(404))
    assert run("crawl", "-q").exit_code == 3
    assert [(found["id"], found["status"]) for found in run.json("runs")] == [(2, "partial"), (1, "ok")]
    assert run("runs").stdout.splitlines()[0].split() == ["RUN", "STARTED", "FINISHED", "STATUS", "POSTS", "REQUESTS", "ERRORS"]


def test_where_a_post_came_from_and_reading_again(forum: DiscourseEmulator, run: Runner) -> None:
    run("crawl", "-q")
    post = f"discourse:{forum.url.removeprefix('http://')}/p/101"
    (answer,) = run.json("provenance", post)["answers"]
    assert answer["url"] == f"{forum.url}/t/1.json" and answer["digest"].startswith("sha256:")
    assert answer["url"] in run("provenance", post).stdout
    assert run.json("provenance", "nothing", code=2)["next"]
    asked = len(forum.log)
    assert sum(run.json("reparse").values()) > 5 and len(forum.log) == asked
    assert run("reparse", "nothing").exit_code == 2


def test_a_post_of_an_archive_is_found_in_its_file(empty: Workspace, run: Runner, tmp_path: Path) -> None:
    """The line of the thread it stands in; none once the archive is gone, and that is said."""
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(FORUM / "site.json", folder)
    lines = (FORUM / "topics.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "topics.jsonl").write_bytes(b"".join(lines))
    assert run("add", str(folder)).exit_code == 0 and run("crawl", "-q").exit_code == 0
    with Store(empty.database) as store:
        rows = store.execute("SELECT id, body FROM posts WHERE body <> '' ORDER BY id")
    number = next(n for n, line in enumerate(lines, 1) if json.dumps(rows[0][1])[1:-1].encode() in line or rows[0][1].encode() in line)
    told = run.json("provenance", rows[0][0])
    (place,) = told["places"]
    assert place["record"] == f"line {number}" and place["digest"] == "sha256:" + hashlib.sha256(lines[number - 1]).hexdigest()
    assert f"topics.jsonl, line {number}" in run("provenance", rows[0][0]).stdout and told["archive"] == str(folder)
    (folder / "topics.jsonl").unlink()
    assert run.json("provenance", rows[0][0])["places"] == [] and "is gone or holds it no more" in run("provenance", rows[0][0]).stdout


def test_asking_takes_no_lock_and_needs_none(forum: DiscourseEmulator, run: Runner, empty: Workspace, toy_distiller: None) -> None:
    """While somebody writes, the runs are told as they were, and a post's origin as of the release."""
    assert run("run", "-q").exit_code == 0
    post = f"discourse:{forum.url.removeprefix('http://')}/p/101"
    before = run.json("runs"), run.json("provenance", post)
    assert not before[1]["as_of_release"]
    with empty.lock("crawl"):
        assert run.json("runs") == before[0] and run.json("provenance", post) == before[1]  # the lock alone stops nobody
        holds = f"import duckdb, time; held = duckdb.connect({str(empty.database)!r}); print('in', flush=True); time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"in\n"
            assert run.json("runs") == before[0]
            assert run.json("provenance", post) == {**before[1], "as_of_release": True}
            assert "as of the current release" in run("provenance", post).stdout
            assert "crawl" in run.json("crawl", "--dry-run", code=75)["message"]
            writer.kill()


def test_forgetting_reaches_store_versions_archive_and_the_next_release(
    forum: DiscourseEmulator, run: Runner, empty: Workspace, toy_distiller: None
) -> None:
    forum.reply(2, "More of eve", by="eve")
    assert run("run", "-q").exit_code == 0
    forum.edit(103, "Edited words of eve")
    assert run("run", "-q").exit_code == 0
    host = forum.url.removeprefix("http://")
    told = run.json("forget", f"eve@{host}", "--reason", "asked")
    assert told["posts"] == 2 and told["raw_answers"] == 2
    assert run.json("forget", f"discourse:{host}/p/102", "--reason", "asked")["posts"] == 1
    assert run("run", "-q").exit_code == 0  # the forum still shows it all
    everything = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in [*(empty.folder / "raw").iterdir(), *(empty.folder / "current").resolve().rglob("*")]
        if path.is_file()
    )
    assert b"of eve" not in everything.replace(b"of every", b"") and b"Write it down" not in everything
    assert run("forget", "nobody", "--reason", "x").exit_code == 2


def test_a_schedule_is_printed_or_written(empty: Workspace, run: Runner, tmp_path: Path) -> None:
    assert "OnCalendar=" in run("schedule", "--systemd").stdout and str(empty.root) in run("schedule", "--cron").stdout
    assert sorted(path.name for path in map(Path, run.json("schedule", "--systemd", "--out", str(tmp_path / "u"))["files"])) == [
        "precipitate.service",
        "precipitate.timer",
    ]
    assert run("schedule").exit_code == 2 and run("schedule", "--cron", "--github").exit_code == 2
    assert run("schedule", "--cron", "--every", "never").exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_ends_a_crawl_softly(forum: DiscourseEmulator, run: Runner, number: signal.Signals) -> None:
    for count in range(60):
        forum.thread(f"thread {count}", "one", "two")
    forum.slow = 0.05
    with start(forum) as process:
        wait_for(forum, 15)
        process.send_signal(number)
        assert process.wait(15) == 130
    stopped, forum.slow = len(forum.log), 0.0
    read = {hit.path for hit in forum.asked("/t/")}
    assert stopped < 60
    assert run("crawl", "-q").exit_code == 0
    again = [hit.path for hit in forum.log[stopped:] if hit.path.startswith("/t/")]
    assert len(read & set(again)) <= 1  # what was read is not read again, but for what was under way
    assert run.json("runs")[1]["status"] == "interrupted"


def test_a_second_signal_ends_it_at_once(forum: DiscourseEmulator) -> None:
    for count in range(60):
        forum.thread(f"thread {count}", "one", "two")
    forum.slow = 0.05
    with start(forum) as process:
        wait_for(forum, 10)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130


def start(forum: DiscourseEmulator) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli import app; app()"
    return subprocess.Popen([sys.executable, "-c", code, "crawl", "-q"], env=environment, stderr=subprocess.DEVNULL)


def wait_for(forum: DiscourseEmulator, requests: int) -> None:
    deadline = time.monotonic() + 30
    while len(forum.log) < requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(forum.log) >= requests
