"""Shared by all tests: the demo forum, brought through the whole job once, and the promise that CI skips nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
FORUM = HOME / "docs" / "demo" / "forum"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def precipitate(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a user does."""
    environment = {**os.environ, "PYTHONPATH": str(HOME), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, str(HOME / "cli.py"), *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=240
    )


@pytest.fixture(scope="session")
def command() -> Command:
    return precipitate


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the demo forum, run once with the real distiller. Not to be changed: see `demo_copy`."""
    home = tmp_path_factory.mktemp("demo")
    for words in (("init", "round"), ("add", str(FORUM)), ("run", "--quiet")):
        done = precipitate(*words, cwd=home / "round" if words[0] != "init" else home)
        assert done.returncode == 0, done.stderr
    return home / "round"


@pytest.fixture
def demo_copy(demo: Path, tmp_path: Path) -> Path:
    shutil.copytree(demo, tmp_path / "round", symlinks=True)
    return tmp_path / "round"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be skipped (PRECIPITATE_NO_SKIP=1, as CI says), a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PRECIPITATE_NO_SKIP") and reporter and reporter.stats.get("skipped") and not session.exitstatus:
        reporter.write_line("a test was skipped, and here none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
