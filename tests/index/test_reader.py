"""The adapted model: what it reads, it reads the same way again, whatever the text is."""

from __future__ import annotations

import numpy as np
import pytest

from distill.passages import MAX_PASSAGES_PER_POST
from distill.scorers import READINGS, load_adapter
from index import embed

WINDOWS = [
    ("first post: How to reset the router", [("1.", "Unplug the router."), ("2.", "Wait for ten seconds."), ("3.", "Plug it in again.")]),
    ("reply: How to reset the router", [("", "My cat sleeps on it.")]),
    ("reply: 0x", [("", "0x" + "9f3a" * 70), ("-", "⟁⟁⟁ ༒ \u202e"), ("", "猫" * 300), ("", "OP_CAT " * 40)]),
    ("", [("", "")]),
]


@pytest.fixture(scope="module")
def reader():
    return embed.Reader(load_adapter())


def test_a_row_for_every_passage_and_the_same_again(reader):
    found = reader.read(WINDOWS)
    assert [rows.shape for rows in found] == [(len(pieces), len(READINGS)) for _, pieces in WINDOWS]
    assert all(np.isfinite(rows).all() for rows in found)
    again = embed.Reader(load_adapter()).read(WINDOWS)
    assert all((a == b).all() for a, b in zip(found, again, strict=True))


def test_steps_read_more_like_steps_than_cats(reader):
    steps, cat = reader.read(WINDOWS[:2])
    assert steps[:, 0].min() > cat[0, 0]


def test_a_window_of_costly_signs_stays_within_the_positions(reader):
    for tokens, (_, pieces) in zip(embed.tokenized(embed.load_base()[1], WINDOWS), WINDOWS, strict=True):
        assert len(tokens.ids) <= embed.MOST_TOKENS
        assert len(tokens.spans) == len(pieces)
        assert all(0 < start < end < len(tokens.ids) for start, end in tokens.spans)


def test_the_most_passages_of_a_post_fit_the_positions(reader):
    window = ("first post: a list", [("-", "a")] * MAX_PASSAGES_PER_POST)
    assert len(embed.tokenized(embed.load_base()[1], [window])[0].ids) <= 512
    assert reader.read([window])[0].shape == (MAX_PASSAGES_PER_POST, len(READINGS))


def test_an_adapter_of_zeros_changes_nothing():
    base, _ = embed.load_base()
    name = "encoder.layer.5.output.dense.weight"
    out, into = base.get_parameter(name).shape
    folded = embed.fold(base.state_dict(), {f"{name}/a": np.ones((8, into), np.float16), f"{name}/b": np.zeros((out, 8), np.float16)})
    assert (folded[name] == base.get_parameter(name)).all()
