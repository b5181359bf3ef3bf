"""The house keeps its shape: what may import what, where SQL lives, how light `--help` is, what lies at the top."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent
ROOMS = ("crawler", "distill", "rewards", "publish")
MAY_IMPORT = {room: {room, "index"} for room in ROOMS} | {"index": {"index"}, "cli": {"cli", *ROOMS, "index"}}
TOP = {
    *("cli.py", "crawler", "distill", "index", "publish", "rewards", "tests", "bench", "docs"),
    *("README.md", "LICENSE", "Makefile", "pyproject.toml", ".gitignore", ".ci", ".git"),
}
HEAVY = {
    *(
        "coincurve",
        "cryptography",
        "duckdb",
        "eth_hash",
        "faiss",
        "hdbscan",
        "lemminflect",
        "markdown_it",
        "networkx",
        "numpy",
        "nupunkt",
        "pandas",
        "pyarrow",
    ),
    *("rapidfuzz", "scipy", "scrapy", "sentence_transformers", "sklearn", "tantivy", "torch", "transformers", "twisted"),
}
SQL = re.compile(
    r"\b(SELECT\b.+?\bFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+)?(TABLE|VIEW|INDEX)"
    r"|ATTACH\s+'|COPY\s+\w+\s+TO|PRAGMA\s+\w)",
    re.DOTALL,
)
SECONDS = 0.3 * 3  # a third of it here; machines that build are slow and shared


def files(room: str) -> list[Path]:
    return [HOME / "cli.py"] if room == "cli" else sorted((HOME / room).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield node.lineno, node.module or ""


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String literals and f-strings, with their fixed parts joined."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    houses = set(MAY_IMPORT) | {"tests", "bench"}
    wrong = [
        f"{path.relative_to(HOME)}:{line} imports {name}"
        for path in files(room)
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in houses - MAY_IMPORT[room]
    ]
    assert wrong == []


def test_benches_use_what_is_there() -> None:
    """A bench runs seldom: what it imports from us has to be there still, or its figure cannot be had again."""
    wrong = []
    for path in sorted((HOME / "bench").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_types = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.If) for inner in node.body}
        for node in ast.walk(tree):
            ours = isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MAY_IMPORT
            if isinstance(node, ast.ImportFrom) and ours and id(node) not in for_types:
                module = importlib.import_module(node.module or "")
                names = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                rooms = hasattr(module, "__path__")  # of a folder its files can be imported
                lost = [name for name in names if not (rooms and importlib.util.find_spec(f"{node.module}.{name}"))]
                wrong += [f"{path.name}:{node.lineno} imports {name} from {node.module}" for name in lost]
    assert wrong == []


@pytest.mark.parametrize("room", ("cli", *ROOMS))
def test_sql_and_the_database_stay_in_index(room: str) -> None:
    wrong = []
    for path in files(room):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wrong += [f"{path.relative_to(HOME)}:{line} is SQL" for line, text in strings(tree) if SQL.search(text)]
        wrong += [f"{path.relative_to(HOME)}:{line} imports duckdb" for line, name in imported(tree) if name.split(".")[0] == "duckdb"]
    assert wrong == []


def test_the_guard_knows_sql_when_it_sees_it() -> None:
    for text in ("SELECT a FROM b", "INSERT OR REPLACE INTO t VALUES", "DELETE FROM t", "UPDATE t SET a = 1", "CREATE TABLE t (a INT)"):
        assert SQL.search(text), text
    for text in ("select one from the list", "What to UPDATE", "Insert the card", "FROM"):
        assert not SQL.search(text), text


def test_rooms_do_not_reach_into_each_other(tmp_path: Path) -> None:
    """The import test above sees what it should: a file that breaks the rule is found."""
    tree = ast.parse("def f():\n    from rewards.money import format_amount\n    import crawler.pipeline as p\n")
    assert [name for _, name in imported(tree)] == ["rewards.money", "crawler.pipeline"]


def test_only_known_things_lie_at_the_top() -> None:
    tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=HOME, capture_output=True, text=True)
    names = {line.split("/")[0] for line in tracked.stdout.splitlines()} or {path.name for path in HOME.iterdir()} & TOP
    assert names <= TOP


HELP = """
import sys
from typer.testing import CliRunner
from tests.cli.manual import all_paths
from cli import app
for path in all_paths():
    assert CliRunner().invoke(app, [*path, "--help"]).exit_code == 0, path
print(sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], cwd=HOME, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert set(ast.literal_eval(done.stdout)) & HEAVY == set()


def test_help_answers_at_once() -> None:
    def once() -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "cli.py", "--help"], cwd=HOME, capture_output=True, check=True, env=os.environ)
        return time.monotonic() - started

    assert min(once() for _ in range(3)) < SECONDS
