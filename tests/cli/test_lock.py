"""One writer at a time; readers are never in its way; what interrupts it is no loss."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.conftest import FORUM, HOME
from tests.rewards.builders import ADDRESSES, TOKEN

WRITER = """
import sys, time
from pathlib import Path
from index.store import Store
from index.workspace import find_workspace
workspace = find_workspace(Path.cwd())
with workspace.lock("run"), Store(workspace.database) as store, store.transaction():
    store.execute("UPDATE sources SET title = 'half done'")
    print("holding", flush=True)
    time.sleep(120)
"""
SLOW_RUN = """
import sys, time, types
from tests.publish import toy
def distill(store, config, progress):
    progress("distill", 0, 1)
    time.sleep(120)
module = types.ModuleType("distill.pipeline")
module.distill = distill
sys.modules["distill.pipeline"] = module
from cli import app
app(["run"], prog_name="precipitate")
"""


def hear_ctrl_c() -> None:
    """Whoever runs the tests in the background has switched it off for all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(script: str, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script], cwd=cwd, env=environment, text=True, preexec_fn=hear_ctrl_c, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def writer(filled: Workspace, run: Runner) -> Iterator[subprocess.Popen[str]]:
    """Another process at work in the workspace, its database open in the middle of a transaction."""
    Path("payees.csv").write_text(f"handle,address\nwrenfield,{ADDRESSES[0]}\n")
    for words in (
        ("identity", "import", "payees.csv"),
        ("round", "new", "r1", "--budget", "10", "--token", TOKEN),
        ("round", "allocate", "r1"),
    ):
        assert run(*words).exit_code == 0
    process = start(WRITER, filled.root)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.communicate()


def test_second_writer_ends_with_75(writer: subprocess.Popen[str], run: Runner) -> None:
    for words in (
        *(("run",), ("add", str(FORUM)), ("identity", "import", "payees.csv"), ("round", "allocate", "r1"), ("round", "list")),
        ("round", "new", "r2", "--budget", "10", "--token", TOKEN),
    ):
        told = run.json(*words, code=75)
        assert f"(process {writer.pid}, since " in told["message"], words
        assert told["next"] == "wait for it to end, or stop it"


def test_readers_work_meanwhile(writer: subprocess.Popen[str], run: Runner) -> None:
    hit = run.json("search", "grant", "--lexical")[0]
    for words in (
        *(("list",), ("show", hit["id"]), ("sources",), ("explain", "discourse:forum.harbourside.example/t/41")),
        *(("why", "wrenfield", "r1"), ("why", "wrenfield"), ("round", "show", "r1")),
        *(("export", "procedures"), ("export", "credits"), ("export", "payouts", "--round", "r1"), ("doctor",)),
    ):
        assert run(*words).exit_code == 0, words
    assert "half done" not in run("sources").stdout


def test_lock_goes_with_its_holder(writer: subprocess.Popen[str], run: Runner) -> None:
    writer.kill()
    writer.communicate()
    assert run("run", "--quiet").exit_code == 0
    assert "half done" not in run("sources").stdout


def test_interrupted_run_says_how_to_go_on(filled: Workspace, run: Runner) -> None:
    process = start(SLOW_RUN, filled.root)
    assert process.stderr is not None
    while "distill" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "interrupted; run again to resume\n"
    assert run("run", "--quiet").exit_code == 0
