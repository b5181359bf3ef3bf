"""Completion in real shells, and man pages that real formatters read without a warning."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.workspace import Workspace
from publish.manpages import escaped
from tests.cli.conftest import Runner
from tests.cli.manual import all_paths
from tests.conftest import HOME


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `precipitate` is the command of this checkout."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "precipitate"
    code = "import sys; sys.argv[0] = 'precipitate'; from cli import app; app()"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(HOME))} exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    program.chmod(0o755)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


def answer(words: list[str], path: str, home: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={"PATH": path, "HOME": str(home), "TERM": "dumb"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def completed_by_bash(script: Path, line: str, path: str, home: Path) -> set[str]:
    words = line.split(" ")
    typed = line + ('""' if line.endswith(" ") else "")
    told = f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
    return set(answer(["bash", "-c", told + '_precipitate_completion precipitate; printf "%s\\n" "${COMPREPLY[@]}"'], path, home).split())


def test_bash_completes_commands_options_and_sops(filled: Workspace, run: Runner, path: str, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash").stdout)
    ids = {row["id"] for row in run.json("list")}
    assert {"search", "sources"} <= completed_by_bash(script, "precipitate s", path, tmp_path)
    assert completed_by_bash(script, "precipitate show sop-", path, tmp_path) == ids
    assert "--since" in completed_by_bash(script, "precipitate search --s", path, tmp_path)
    assert {"new", "list"} <= completed_by_bash(script, "precipitate round ", path, tmp_path)


def test_nothing_to_complete_is_no_error(tmp_path: Path, path: str, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash").stdout)
    assert completed_by_bash(script, "precipitate show sop-", path, tmp_path) == set()


def test_unknown_shell_is_answered_with_the_known_ones(run: Runner) -> None:
    told = run.json("completion", "tcsh", code=2)
    assert "no shell named 'tcsh'" in told["message"] and told["next"] == "there are: bash, zsh, fish"
    for shell in ("bash", "zsh", "fish"):
        assert "_PRECIPITATE_COMPLETE" in run.json("completion", shell)["script"]


@pytest.mark.system
def test_zsh_and_fish_complete(filled: Workspace, run: Runner, path: str, tmp_path: Path) -> None:
    ids = sorted(row["id"] for row in run.json("list"))
    zsh, fish = tmp_path / "_precipitate", tmp_path / "precipitate.fish"
    zsh.write_text(run("completion", "zsh").stdout)
    fish.write_text(run("completion", "fish").stdout)
    # zsh completes inside its line editor only: its function is run with what the editor would set, its result printed.
    told = f"_arguments() {{ print -r -- $@ }}; compdef() {{ }}; source {zsh}; words=(precipitate show sop-); CURRENT=3; _precipitate_completion"
    assert all(identifier in answer(["zsh", "-f", "-c", told], path, tmp_path) for identifier in ids)
    completed = answer(["fish", "--no-config", "-c", f"source {fish}; complete -C 'precipitate show sop-'"], path, tmp_path)
    assert sorted(line.split("\t")[0] for line in completed.splitlines()) == ids


# --- man pages ------------------------------------------------------------------------------------------------------


@pytest.fixture
def man1(run: Runner, tmp_path: Path) -> Path:
    told = run.json("man", "-o", str(tmp_path / "man1"))
    assert len(told["files"]) == len(all_paths())
    return tmp_path / "man1"


def test_every_command_has_a_page_with_its_options(man1: Path) -> None:
    for command in all_paths():
        text = (man1 / f"{'-'.join(('precipitate', *command))}.1").read_text()
        assert all(f".SH {name}" in text for name in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS"))
        if command not in {path[:-1] for path in all_paths()}:  # groups have no example of their own
            assert ".SH EXAMPLES\n.nf\nprecipitate" in text and "\\-\\-json" in text and ".SH SEE ALSO" in text
    assert "precipitate\\-search" in (man1 / "precipitate.1").read_text()


@given(st.text(max_size=80))
def test_no_words_become_a_request(text: str) -> None:
    line = escaped(text.replace("\n", " ").replace("\r", " "))
    assert not line.startswith((".", "'"))
    assert "\\" not in line.replace("\\e", "").replace("\\-", "").replace("\\(", "").replace("\\&", "")


@pytest.mark.system
def test_formatters_have_nothing_to_say(man1: Path, tmp_path: Path) -> None:
    assert all(shutil.which(name) for name in ("mandoc", "man", "groff")), "apt-get install mandoc man-db groff"
    for page in sorted(man1.iterdir()):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), page.name
    page = str(man1 / "precipitate-search.1")
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "HOME": str(tmp_path)}
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True, env=environment)
    assert done.stderr == "" and "how do I apply for a grant" in done.stdout
    bad = tmp_path / "bad.1"
    bad.write_text(".TH BAD 1\n.XX\n.SH\n")
    assert subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(bad)], capture_output=True).returncode != 0


def test_pages_do_not_change_with_the_day(man1: Path, run: Runner, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run("man", "-o", str(again))
    assert {p.name: p.read_bytes() for p in man1.iterdir()} == {p.name: p.read_bytes() for p in again.iterdir()}
    assert json.loads(run("man", "-o", str(again), "--json").stdout)["files"]
