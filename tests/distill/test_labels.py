"""The labels: nothing that is trained on is measured on, and measuring the same reading against itself finds no fault."""

from __future__ import annotations

import json

import pytest

from bench import held_out

ROWS = {
    name: [json.loads(line) for line in (held_out.LABELS / f"{name}.jsonl").read_text().splitlines()]
    for name in ("threads", "held_out.a", "held_out.b")
}


def test_no_held_out_thread_is_trained_on() -> None:
    trained, *held = ({row["thread"] for row in rows} for rows in ROWS.values())
    assert held[0] == held[1]
    assert len(held[0]) >= 150
    assert not trained & held[0]


@pytest.mark.parametrize("name", ROWS)
def test_labels_are_ids_and_offsets(name: str) -> None:
    rows = ROWS[name]
    assert len({row["thread"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == {"thread", "procedural", "procedures"}
        assert bool(row["procedures"]) == row["procedural"]
        for procedure in row["procedures"]:
            spans = [e for step in procedure["steps"] for e in step["evidence"]]
            spans += [s["span"] for kind in ("amendments", "dissent", "support") for s in procedure[kind]]
            host = row["thread"].rsplit("/t/", 1)[0]
            assert all(post.startswith(host) and 0 <= start < end for post, start, end in spans)


def test_a_reading_agrees_with_itself_and_silence_with_nothing() -> None:
    reading = held_out.labelled(held_out.LABELS / "held_out.a.jsonl")
    same = held_out.figures([held_out.counted(own, own) for own in reading.values()])
    assert same["threads F1"] == pytest.approx(1)
    assert same["noise"] == 0
    assert same["steps F1"] > 0.98  # a span that two steps share may be matched crosswise, never missed
    silent = held_out.figures([held_out.counted(held_out.Reading(), own) for own in reading.values()])
    assert silent["threads F1"] == silent["steps F1"] == silent["noise"] == 0
