"""Drawing procedures for readers, and counting what they answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.drawn import draw, form, kappa, read_form, tally
from index.errors import UsageError

RECORDS = [{"id": f"sop-{source}{n}", "sources": [{"source": source}]} for source in "abc" for n in range(4 if source == "a" else 9)]


def test_each_source_gives_its_share_and_the_seed_decides() -> None:
    drawn = draw(RECORDS, 9, seed=1)
    assert sorted(record["sources"][0]["source"] for record in drawn) == list("aaabbbccc")
    assert drawn == draw(RECORDS[::-1], 9, seed=1) != draw(RECORDS, 9, seed=2)
    assert len(draw(RECORDS, 100, seed=1)) == len(RECORDS)


def test_filled_forms_are_counted(tmp_path: Path) -> None:
    drawn = draw(RECORDS, 4, seed=1)
    rows = [json.loads(line) for line in form(drawn).splitlines()]
    assert [row["id"] for row in rows] == [record["id"] for record in drawn]
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(json.dumps(row | {"answer": said}) + "\n" for row, said in zip(rows, ("yes", "edits", "no", "no"), strict=True))
    )
    answers = read_form(path)
    lines = tally([answers, {**answers, drawn[0]["id"]: "no"}])
    assert "1 yes, 1 edits, 2 no; yes or with edits 2 of 4 (50 %)" in lines[0]
    assert "yes or with edits 1 of 4 (25 %)" in lines[1]
    assert "same answer 3 of 4" in lines[2]


def test_a_form_that_is_not_filled_in_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(form(draw(RECORDS, 2, seed=1)))
    with pytest.raises(UsageError, match=r"b\.jsonl:1 answers ''"):
        read_form(path)


def test_kappa() -> None:
    assert kappa([("yes", "yes"), ("no", "no")]) == 1
    assert kappa([("yes", "no"), ("no", "yes")]) == -1
    assert kappa([("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")]) == 0
    assert kappa([("no", "no")]) == 1
