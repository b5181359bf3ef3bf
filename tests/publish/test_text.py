"""What people read: complete, and free of what could act on their terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index.errors import UsageError
from publish.exports import one_file, write_files
from publish.report import as_value, render_config
from publish.show import render_hits, render_list, render_procedure
from publish.text import clean, table, to_json
from tests.rewards.builders import cite, procedure, stance, step

NASTY = "pay\u202e here\x1b[2J\x9b2J now\u200b\u2066 \U000e0041\ufe0f\u3164"


def full_record() -> dict[str, Any]:
    record = procedure(
        step(1, cite(1, "ann", 1, exact=NASTY), cite(2, "bob", 2, role="confirms", exact="Did so."), text=f"Do {NASTY}"),
        step(2, cite(3, "cleo", 3, exact="Wait a day."), text="Wait a day", flags=("unverified address",)),
        stances=(
            stance("dissent", 2, cite(4, "dora", 4, exact="An hour is enough.")),
            stance("support", None, cite(5, "eve", 5, exact="Works for us.")),
        ),
        alternatives=("sop-2",),
    )
    record |= {name: [] for name in ("roles", "tools", "verification")}
    record |= {"status": "draft", "ordered": True, "purpose": "To be paid.", "preconditions": ["a wallet"], "language": "en"}
    record |= {"sources": [{"source": "discourse:forum.example.org", "licence": "CC-BY-4.0"}]}
    record["steps"][1] |= {
        "actor": "the clerk",
        "condition": "if it rains",
        "optional": True,
        "after": [1, 3],
        "dissent": 1,
        "previous_text": "Wait a week",
    }
    return record


def test_procedure_shows_every_receipt() -> None:
    text = render_procedure(full_record(), {"sop-2": "Another way"})
    text += " ".join(text.split())  # lines are wrapped
    for part in (
        "How to do sop-1",
        "sop-1 · version 1 · draft · in this order",
        "Goal: get it done",
        "Purpose: To be paid.",
        "Preconditions: a wallet",
        " 2. Wait a day",
        "who: the clerk · if it rains · optional · after 1, 3 · unverified address · 0 for, 1 against",
        "earlier: Wait a week",
        "“Wait a day.”",
        "cleo, 2024-05-03, https://forum.example.org/t/1/3",
        "confirmed: “Did so.”",
        "dissented: “An hour is enough.”",
        "supported: “Works for us.”",
        "sop-2 Another way",
        "licence CC-BY-4.0",
    ):
        assert part in text, part


def test_nothing_acts_on_the_terminal() -> None:
    listed = {"id": "sop-1", "title": NASTY, "steps": 1, "authors": 1, "support": 0, "dissent": 0}
    for text in (render_procedure(full_record()), render_list([listed]), clean(NASTY)):
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "\ufe0f" not in text


def test_json_is_whole_and_yet_harmless() -> None:
    text = to_json({"quote": NASTY, "ö": ["\x7f", "\u2028", "é", "😀"]})
    assert json.loads(text) == {"quote": NASTY, "ö": ["\x7f", "\u2028", "é", "😀"]}
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "é" in text
    assert "😀" in text


def test_tables_line_up_and_empty_lists_say_so() -> None:
    assert table([["A", "N"], ["long one", "1"]], right=frozenset({1})) == "A         N\nlong one  1\n"
    assert "No SOP yet" in render_list([])
    assert render_hits([], "wo\x1bman") == "Nothing found for “woman”.\n`precipitate list` shows all SOPs.\n"


def test_values_of_reports_are_json() -> None:
    assert as_value({"path": Path("a/b"), "rows": ({"n": 1},)}) == {"path": "a/b", "rows": [{"n": 1}]}
    shown = render_config({"a": {"x": 1, "y": "t"}}, {"a": {"x": 1, "y": "u"}})
    assert shown == 'a.x = 1\na.y = "t" # set in precipitate.toml\n'


def test_files_go_where_they_were_asked_to(tmp_path: Path) -> None:
    one, two = [("a.csv", "a\r\n")], [("a.csv", "a\r\n"), ("b.csv", "b\r\n")]
    assert write_files(one, str(tmp_path / "named.csv")) == [tmp_path / "named.csv"]
    assert (tmp_path / "named.csv").read_bytes() == b"a\r\n"
    assert write_files(two, f"{tmp_path}/new/") == [tmp_path / "new/a.csv", tmp_path / "new/b.csv"]
    assert write_files(two, str(tmp_path / "made")) == [tmp_path / "made/a.csv", tmp_path / "made/b.csv"]
    assert write_files([("sop-a/SKILL.md", "x")], str(tmp_path / "skills")) == [tmp_path / "skills/sop-a/SKILL.md"]
    assert write_files(one, str(tmp_path / "new")) == [tmp_path / "new/a.csv"]
    with pytest.raises(UsageError, match="2 files do not go into"):
        write_files(two, str(tmp_path / "named.csv"))
    with pytest.raises(UsageError, match="2 files"):
        one_file(two)
    with pytest.raises(UsageError, match="cannot write"):
        write_files(one, str(tmp_path / "named.csv" / "inside"))
