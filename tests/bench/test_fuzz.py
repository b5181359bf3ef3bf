"""The fuzzing harness itself: sound parsers pass, and one that crashes, invents or swallows is seen."""

from __future__ import annotations

import pytest

from bench import fuzz
from bench.fuzz import TARGETS
from bench.fuzz_target import Target
from index.spool import Record


@pytest.mark.parametrize("name", TARGETS)
def test_parsers_bear_broken_payloads(name: str) -> None:
    assert fuzz.fuzz(name, 250, 7) == 0


@pytest.mark.parametrize("way", ["crashes", "swallows"])
def test_a_bad_parser_is_seen(monkeypatch: pytest.MonkeyPatch, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    def read(payload: object) -> list[Record]:
        if way == "crashes":
            raise ValueError("x")
        return []

    monkeypatch.setitem(TARGETS, "bad", Target(fuzz.threads, read, fuzz.every_entry_told))
    assert fuzz.fuzz("bad", 20, 1) > 10
    assert "bad 0:" in capsys.readouterr().out
