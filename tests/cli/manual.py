"""docs/manual/commands.md from the commands' own help: `python -m tests.cli.manual` writes it, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from cli import app
from tests.conftest import HOME

PAGE = HOME / "docs" / "manual" / "commands.md"
HEAD = """\
# Commands

This page is the commands' own help. `python -m tests.cli.manual` writes it, `tests/cli/test_docs.py` compares it.

Every command takes `--json`. Data goes to standard output, messages to standard error. Commands end with 0 (all well),
1 (error), 2 (wrong use), 3 (partial: some source or row failed, the report says which), 4 (findings of `verify`,
`doctor`, `claim list` or `round audit`), 75 (another writer is at work) or 130 (interrupted). An error is a line and the way out; with `--json` it is
`{"code": …, "message": …, "next": …}`.
"""


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, groups before their commands."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


def all_paths() -> list[tuple[str, ...]]:
    return list(paths(typer.main.get_command(app)))


def help_of(path: tuple[str, ...]) -> str:
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="precipitate", env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    return done.output.strip()


def page() -> str:
    parts = [f"## {' '.join(('precipitate', *path))}\n\n```text\n{help_of(path)}\n```\n" for path in all_paths()]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
