"""Each network by whole runs, small: killed once, a fifth of all requests failing, then changes; everything is found."""

from __future__ import annotations

import pytest

from bench.networks import NETWORKS, Pushed, compare, measure
from index.store import Store


@pytest.mark.system
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_pushed_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(name, threads=10, kills=1, seed=3), capsys.readouterr().out


def test_the_measure_sees_what_is_missing() -> None:
    with Store(":memory:") as store:
        pushed = Pushed({"a": "word"}, {"a": "old"}, set(), 2, {"ann"}, {"https://ann.example"})
        assert compare(store, pushed) == {"posts": (1, 0), "reactions": (2, 0), "edits": (1, 0), "deletions": (0, 0), "identities": (2, 0)}
        store.execute(
            "INSERT INTO posts VALUES ('b', 's', 't', NULL, 'x', '', 'text', 'words', '', NULL, 1, NULL, 'pruned', 0, 'post', '', '', '', '', '', '', '')"
        )
        assert compare(store, Pushed(gone={"b", "never read"}))["deletions"] == (2, 1)  # gone by name, its words still there
