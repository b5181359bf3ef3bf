"""Average precision and what is built on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.key_points import Group, average_precision, by_sevenths, few_features, group_precision, load, recall_at, vector_features


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=20).filter(lambda rows: any(hit for hit, _ in rows)))
def test_average_precision_is_that_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    from sklearn.metrics import average_precision_score

    hits, scores = [hit for hit, _ in rows], np.array([score for _, score in rows], dtype=np.float64)
    assert average_precision(hits, scores) == pytest.approx(average_precision_score(hits, scores))


def test_average_precision_without_a_hit() -> None:
    assert average_precision([False, False], np.array([1.0, 2.0])) == 0.0


def test_the_surest_half_counts_and_undecided_pairs_are_wrong_or_right() -> None:
    # Best key points: 0, 1, 0, 1; by score the first two arguments are kept.
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.1], [0.1, 0.2]])
    labels = np.array([[1, 0], [0, -1], [0, 0], [0, 0]], dtype=np.int8)
    assert group_precision(scores, labels, strict=True) == 1.0  # hit, miss
    assert group_precision(scores, labels, strict=False) == 1.0  # hit, hit
    labels[0, 0] = 0
    assert group_precision(scores, labels, strict=True) == 0.0  # miss, miss
    assert group_precision(scores, labels, strict=False) == 0.5  # miss, hit
    labels[2, 0] = labels[3, 1] = 1  # what was dropped changes nothing
    assert group_precision(scores, labels, strict=False) == 0.5


def test_recall_at_a_precision() -> None:
    match = np.array([True, False, True, True])
    assert recall_at(np.array([4.0, 3.0, 2.0, 1.0]), match, 0.75) == 1.0
    assert recall_at(np.array([4.0, 3.0, 2.0, 1.0]), match, 0.9) == pytest.approx(1 / 3)
    assert recall_at(np.array([3.0, 3.0, 2.0, 1.0]), match, 0.9) == 0.0  # a threshold cannot part equal scores


def test_features() -> None:
    made = few_features(np.array([[0.2, 0.4]]), np.array([[0.0, 0.5]]))
    assert np.allclose(made, [[0.2, 0.0, -0.1, -0.25], [0.4, 0.5, 0.1, 0.25]])
    vectors = np.array([[127, 0], [0, 127]], dtype=np.int8)
    assert np.allclose(vector_features((vectors[:1], vectors)), [[0, 0, 1, 0, 1], [1, 1, 0, 0, 0]])


def test_no_group_is_scored_by_what_learnt_from_its_topic() -> None:
    """Each topic's labels say the opposite of its feature's sign in all others: only a leak could get it right."""
    groups = []
    tables = []
    for n in range(7):
        sign = -1 if n == 0 else 1
        groups.append(Group("train", f"topic {n}", ("a", "b"), ("x", "y"), np.array([[1, 0], [0, 1]], dtype=np.int8)))
        tables.append(sign * np.array([[1.0, -1.0], [-1.0, 1.0]]))
    found = by_sevenths(groups, lambda n: tables[n].reshape(-1, 1), 1.0)
    assert all(group_precision(found[n], groups[n].labels, strict=True) == 1.0 for n in range(1, 7))
    assert group_precision(found[0], groups[0].labels, strict=True) == 0.0


def test_files_are_read_by_topic_and_stance(tmp_path: Path) -> None:
    for part in ("train", "dev"):
        (tmp_path / f"arguments_{part}.csv").write_text('arg_id,argument,topic,stance\na1,"rain, mostly",Weather,1\na2,sun,Weather,-1\n')
        (tmp_path / f"key_points_{part}.csv").write_text(
            "key_point_id,key_point,topic,stance\nk1,wet,Weather,1\nk2,grey,Weather,1\nk3,dry,Weather,-1\n"
        )
        (tmp_path / f"labels_{part}.csv").write_text("arg_id,key_point_id,label\na1,k1,1\na2,k3,0\n")
    found = load(tmp_path)
    assert [(g.part, g.arguments, g.points, g.labels.tolist()) for g in found[:2]] == [
        ("train", ("sun",), ("dry",), [[0]]),
        ("train", ("rain, mostly",), ("wet", "grey"), [[1, -1]]),
    ]
