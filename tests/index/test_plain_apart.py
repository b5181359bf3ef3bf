"""Plain text by processes of their own: the rows are those that are derived here, whatever happens to the processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import plain_apart
from index.plain import Body, PlainRow, plain_row
from index.plain_apart import PlainApart
from index.records import Post, Source, Thread
from index.spool import Batch, bodies, load_batch
from index.store import Store
from index.tables_discussion import add_source

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "docs" / "demo" / "forum" / "topics.jsonl"

# The real process, with a reader of bodies that some words do harm to.
FRAIL = """
import os, signal, time
from index import plain_child
honest = plain_child.plain_row
def frail(body, format):
    if "HANG" in body:
        while True:
            pass
    if "ABORT" in body:
        os.abort()
    if "KILL" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    if "EXIT" in body:
        os._exit(3)
    if "SLEEP" in body:
        open(body, "w").close()
        time.sleep(2)
    return honest(body, format)
plain_child.plain_row, plain_child.MOST_SECONDS = frail, 0.2
plain_child.main()
"""


@pytest.fixture(autouse=True)
def always_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_apart, "FEW", 1)


@pytest.fixture
def frail(tmp_path: Path) -> tuple[str]:
    path = tmp_path / "frail.py"
    path.write_text(FRAIL)
    return (str(path),)


def demo_parts() -> list[list[Body]]:
    """Bodies of the demo forum, a part for each thread; every third as Markdown, every fourth as mail, one empty part."""
    threads = [json.loads(line)["post_stream"]["posts"] for line in DEMO.read_text(encoding="utf-8").splitlines()]
    parts: list[list[Body]] = [[(post.get("cooked") or "", "cooked") for post in thread] for thread in threads]
    parts = [[(body, ("raw" if n % 3 == 0 else "text" if n % 4 == 0 else "cooked")) for n, (body, _) in enumerate(part)] for part in parts]
    return [*parts[:5], [], *parts[5:]]


def rows(apart: PlainApart, parts: list[list[Body]]) -> list[list[PlainRow]]:
    """What comes of the parts, which has to come in their order."""
    told = list(apart.ahead(parts, lambda part: part))
    assert [part for part, _ in told] == parts
    return [[plains[body] for body in part] for part, plains in told]


def here(parts: list[list[Body]]) -> list[list[PlainRow]]:
    return [[plain_row(*body) for body in part] for part in parts]


@pytest.mark.parametrize("readers", [0, 1, 2, 3])
def test_the_same_rows_in_the_same_order(readers: int) -> None:
    parts = demo_parts()
    with PlainApart(readers=readers) as apart:
        assert rows(apart, parts) == here(parts)


def test_processes_are_started_when_they_are_worth_it_and_do_not_outlive_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_apart, "FEW", 100)
    few, many = [("a", "raw")] * 99, [("<p>b</p>", "cooked")] * 100
    with pytest.raises(KeyboardInterrupt), PlainApart(readers=2) as apart:
        told = apart.ahead([few, many, many], lambda part: part)
        assert next(told)[0] == few and next(told)[0] == many
        ids = [reader._process.pid for reader in apart._readers if reader._process]
        assert len(ids) == 2
        raise KeyboardInterrupt
    assert not any(Path(f"/proc/{number}").exists() for number in ids)
    with PlainApart(readers=2) as apart:
        list(apart.ahead([few, few], lambda part: part))
        assert not any(reader._process for reader in apart._readers)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_processes_that_are_killed_or_stopped_at_any_time_change_nothing(blow: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    if blow == signal.SIGSTOP:
        monkeypatch.setattr(plain_apart, "PATIENCE", 2.0)
    parts, struck = demo_parts()[:8], 0

    def coming() -> Iterator[list[Body]]:
        nonlocal struck
        for number, part in enumerate(parts):
            process = apart._readers[number % 2]._process
            if number in (2, 3, 5) and process is not None:
                os.kill(process.pid, blow)
                struck += 1
            yield part

    with PlainApart(readers=2) as apart:
        told = list(apart.ahead(coming(), lambda part: part))
    assert struck
    assert [[plains[body] for body in part] for part, plains in told] == here(parts)


def test_a_process_that_keeps_dying_is_not_started_for_ever(frail: tuple[str]) -> None:
    parts: list[list[Body]] = [[(f"KILL {n}", "raw"), (f"fine {n}", "raw")] for n in range(6)]
    with PlainApart(frail, readers=1) as apart:
        assert rows(apart, parts) == here(parts)
        assert apart._readers[0]._ends == plain_apart.MAX_ENDS


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = demo_parts()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with PlainApart(readers=2) as apart:
        assert rows(apart, parts) == here(parts)
    with PlainApart(("-c", "raise SystemExit(1)"), readers=2) as apart:
        assert rows(apart, parts) == here(parts)


def test_a_body_that_hangs_or_crashes_its_process_takes_no_other_with_it(frail: tuple[str]) -> None:
    part: list[Body] = [(f"<p>{word} {n}</p>", "cooked") for n, word in enumerate(["one", "HANG", "two", "ABORT", "KILL", "EXIT", "three"])]
    with PlainApart(frail, readers=1) as apart:
        ((found, *rest),) = [rows(apart, [part, [("<p>after</p>", "cooked")]])]
    troubles = {body.split()[0][3:]: row.trouble for (body, _), row in zip(part, found, strict=True) if row.trouble}
    assert troubles == {"HANG": "the text is not read in a minute of the processor", "ABORT": plain_apart.CRASHED}
    assert [row for row in found if not row.trouble] == [plain_row(*body) for body in part if body[0][3:8] not in ("HANG ", "ABORT")]
    assert rest == here([[("<p>after</p>", "cooked")]])


def test_an_error_comes_after_all_that_came_before_it() -> None:
    def coming() -> Iterator[list[Body]]:
        yield [("one", "raw")]
        yield [("two", "raw")]
        raise ValueError("the archive broke off")

    told: list[str] = []
    with PlainApart(readers=2) as apart, pytest.raises(ValueError, match="broke off"):
        for part, plains in apart.ahead(coming(), lambda part: part):
            told.append(plains[part[0]].text)
    assert told == ["one\n", "two\n"]


PARENT = """
import signal, sys
from index import plain_apart
plain_apart.FEW = 1
signal.signal(signal.SIGINT, signal.default_int_handler)  # which is not there where the tests run in the background
with plain_apart.PlainApart(sys.argv[1:2], readers=1) as apart:
    list(apart.ahead([[(sys.argv[2], "raw"), ("more", "raw")]], lambda part: part))
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_processes_die_with_their_parent(frail: tuple[str], tmp_path: Path, blow: signal.Signals) -> None:
    begun = tmp_path / "SLEEP"
    command = [sys.executable, "-c", PARENT, frail[0], str(begun)]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL) as parent:
        assert within(30, begun.exists)
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert running(child)
        parent.send_signal(blow)
        assert parent.wait(30) != 0
    assert within(30, lambda: not running(child))


def running(process: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def within(seconds: float, holds: object) -> bool:
    assert callable(holds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_a_body_that_cannot_be_read_is_stored_and_told(tmp_path: Path, frail: tuple[str]) -> None:
    source = Source("discourse:f.example.org", "archive", str(tmp_path), "https://f.example.org")
    texts = ["<p>one</p>", "<p>ABORT</p>", "<p>two</p>"]
    moment = "2024-01-01T00:00:00Z"
    records = [
        Thread(f"{source.id}/t/1", source.id, "A thread", moment, ""),
        *(Post(f"{source.id}/p/{n}", source.id, f"{source.id}/t/1", n, "a", moment, "cooked", text, "") for n, text in enumerate(texts)),
    ]
    with Store(tmp_path / "work.duckdb") as store, PlainApart(frail, readers=2) as apart:
        add_source(store, source)
        for part, plains in apart.ahead([records], bodies):
            load_batch(store, Batch("b", source.id, moment, {"at": "1"}, tuple(part), plains))
        assert store.execute("SELECT body, plain FROM posts ORDER BY id") == [
            (text, "" if "ABORT" in text else f"{text[3:-4]}\n") for text in texts
        ]
        ((place, reason, detail),) = store.execute("SELECT place, reason, detail FROM rejects")
        assert (place, reason) == (f"{source.id}/p/1", "post that cannot be read") and detail.startswith(plain_apart.CRASHED)
