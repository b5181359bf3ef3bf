"""How spans of a text are matched with annotated ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench.pet import all_activities, counts, covered, document, load, main_frames, passage_counts, prf, right, spans, told

TAGGED = [
    ("The", "B-Actor"), ("keeper", "I-Actor"), ("weighs", "B-Activity"), ("the", "B-Activity Data"), ("grain", "I-Activity Data"),
    ("and", "O"), ("seals", "B-Activity"), ("the", "B-Activity Data"), ("sack", "I-Activity Data"), (".", "O"),
]  # fmt: skip
one_span = st.frozensets(st.integers(0, 6), min_size=1, max_size=3)


def test_tags_become_spans() -> None:
    found = spans([tag for _, tag in TAGGED])
    assert found == {
        "activity": [frozenset({2}), frozenset({6})],
        "data": [frozenset({3, 4}), frozenset({7, 8})],
        "actor": [frozenset({0, 1})],
    }
    assert spans(["B-Actor", "B-Actor", "I-Activity"])["actor"] == [frozenset({0}), frozenset({1})]


def test_words_are_found_in_the_plain_text() -> None:
    made = document(0, "doc-1 - Grain", TAGGED)
    plain = made.thread.posts[0].post.plain
    assert plain.strip() == "The keeper weighs the grain and seals the sack."
    assert [plain[a:b] for a, b in made.words] == [word for word, _ in TAGGED]
    assert covered(made, plain.index("grain"), plain.index("and")) == {4}


def test_strict_wants_the_same_words_relaxed_one_of_them() -> None:
    marked = [frozenset({1, 2}), frozenset({5})]
    assert right([frozenset({2}), frozenset({5})], marked, strict=True) == 1
    assert right([frozenset({2}), frozenset({5})], marked, strict=False) == 2
    # One to one: two that touch the same span count once, and the matching is the best there is.
    assert right([frozenset({1}), frozenset({2})], marked, strict=False) == 1
    assert right([frozenset({2, 5}), frozenset({2})], marked, strict=False) == 2
    assert right([], marked, strict=False) == right(marked, [], strict=False) == 0


@given(st.lists(one_span, max_size=5), st.lists(one_span, max_size=5))
def test_relaxed_is_never_below_strict(found: list[frozenset[int]], marked: list[frozenset[int]]) -> None:
    strict, relaxed = right(found, marked, strict=True), right(found, marked, strict=False)
    assert strict <= relaxed <= min(len(found), len(marked))
    assert right(marked, found, strict=False) == relaxed


def test_all_sums_the_kinds() -> None:
    made = document(0, "doc-1 - Grain", TAGGED)
    found = counts(told(made, all_activities, None), made.marked, strict=True)
    assert found["all"] == tuple(sum(found[kind][n] for kind in ("activity", "data", "actor")) for n in range(3))
    assert found["activity"] == (2, 2, 2)
    assert counts(told(made, main_frames, None), made.marked, strict=True)["activity"][0] == 1  # one a passage
    assert told(made, all_activities, set())["activity"] == []


def test_precision_recall_f1() -> None:
    assert prf((1, 2, 4)) == (0.5, 0.25, 2 / 6)
    assert prf((0, 0, 0)) == (0, 0, 0)


def test_passages_with_an_activity() -> None:
    made = document(0, "doc-1 - Grain", [*TAGGED, ("It", "O"), ("rained", "O"), (".", "O")])
    assert passage_counts(made, {0, 1}) == (1, 2, 1)
    assert passage_counts(made, {1}) == (0, 1, 1)


def test_files_are_read_by_document(tmp_path: Path) -> None:
    sentence = "\n".join(f"{word}\t{tag}" for word, tag in TAGGED)
    (tmp_path / "3.test.IOB2.tsv").write_text("\n\n".join([sentence] * 3) + "\n")
    (tmp_path / "3.test-doc-name.IOB2.tsv").write_text("1.1 - Grain\t2\n1.2 - Sacks\t1\n")
    found = load(tmp_path)
    assert [(d.fold, d.thread.thread.title, len(d.words), len(d.marked["activity"])) for d in found] == [
        (3, "Grain", 20, 4),
        (3, "Sacks", 10, 2),
    ]
