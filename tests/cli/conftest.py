from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest
from typer.testing import CliRunner

from cli import app
from index.workspace import Workspace, find_workspace
from tests.conftest import FORUM
from tests.publish import toy


class Result(Protocol):
    exit_code: int
    stdout_bytes: bytes

    @property
    def stdout(self) -> str: ...

    @property
    def stderr(self) -> str: ...


class Runner:
    """Runs commands in this process, in the folder that the test stands in."""

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words), prog_name="precipitate", catch_exceptions=False)

    def json(self, *words: str, code: int = 0) -> Any:
        """What a command prints with --json; errors come from stderr."""
        result = self(*words, "--json")
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout or result.stderr)


@pytest.fixture
def run() -> Runner:
    return Runner()


@pytest.fixture
def toy_distiller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists for SOPs and letters for meaning: commands are tested without a model."""
    module = ModuleType("distill.pipeline")
    module.distill = toy.distill  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distill.pipeline", module)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Runner) -> Workspace:
    """A new workspace, and the test stands in it."""
    monkeypatch.chdir(tmp_path)
    assert run("init", "round").exit_code == 0
    monkeypatch.chdir(tmp_path / "round")
    return find_workspace(tmp_path / "round")


@pytest.fixture
def filled(empty: Workspace, run: Runner, toy_distiller: None) -> Iterator[Workspace]:
    """The demo forum, read, distilled by the toy, credited and released."""
    assert run("add", str(FORUM)).exit_code == 0
    result = run("run", "--quiet")
    assert result.exit_code == 0, result.stderr
    yield empty
