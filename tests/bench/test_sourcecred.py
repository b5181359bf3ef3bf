"""The walk of `bench.sourcecred` on graphs whose cred is known without a computer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.sourcecred import credrank, endorsements, read_instance, timeline

WEEKS = [{"startTimeMs": 0, "endTimeMs": 10}, {"startTimeMs": 10, "endTimeMs": 20}]
NODES = [["sc", "chat", "MEMBER", "ann"], ["sc", "chat", "MEMBER", "bob"], ["sc", "chat", "MESSAGE", "m"], ["sc", "chat", "REACTION", "r"]]
USERS = ["N\0sc\0chat\0MEMBER\0"]


def written(folder: Path, edges: list[dict[str, Any]], times: list[int | None], **weights: Any) -> Path:
    graph = {
        "nodes": [{"index": n, "timestampMs": time, "description": ""} for n, time in enumerate(times)],
        "edges": edges,
        "sortedNodeAddresses": [*NODES, ["sc", "chat", "MESSAGE", "gone"]],
    }
    weighted = {"graphJSON": [{}, graph], "weightsJSON": [{}, {"nodeWeights": {}, "edgeWeights": {}, **weights}]}
    path = folder / "weightedGraph-test.json"
    path.write_text(json.dumps([{}, weighted]), encoding="utf-8")
    return path


def edge(kind: str, source: int, target: int, at: int = 5) -> dict[str, Any]:
    return {"address": ["sc", "chat", kind], "srcIndex": source, "dstIndex": target, "timestampMs": at}


EDGES = [edge("AUTHORS", 0, 2), edge("ADDS_REACTION", 1, 3), edge("REACTS_TO", 3, 2), edge("MENTIONS", 0, 4)]
MINTS = {"N\0sc\0chat\0MEMBER\0": 0, "N\0sc\0chat\0MESSAGE\0": 0, "N\0sc\0chat\0REACTION\0": 4, "N\0sc\0": 2}


def test_weights_are_products_of_all_prefixes_and_dangling_edges_are_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path, EDGES, [None, None, 1, 5], nodeWeights=MINTS, edgeWeights={"E\0sc\0chat\0AUTHORS\0": {"forwards": 0.25, "backwards": 3}}
    )
    instance = read_instance(path, USERS)
    assert list(instance.minted) == [0, 0, 0, 8] and len(instance.source) == 3
    assert (instance.forwards[0], instance.backwards[0], instance.forwards[1]) == (0.25, 3, 1)
    assert list(read_instance(path, USERS, {"nodeWeights": {"N\0sc\0": 1}}).minted) == [0, 0, 0, 4]


def test_people_together_get_what_was_minted_and_half_of_it_the_week_after(tmp_path: Path) -> None:
    instance = read_instance(written(tmp_path, EDGES, [None, None, 1, 5], nodeWeights=MINTS), USERS)
    cred = timeline(instance, WEEKS, alpha=0.2, decay=0.5)
    assert cred[instance.users].sum(axis=0) == pytest.approx([8, 4])
    assert credrank(instance).sum() == pytest.approx(1, abs=1e-4)


def test_who_writes_for_whom_it_is_liked_gets_the_cred(tmp_path: Path) -> None:
    """Reactions hand all they have to the message, and the message all to its author: bob, who reacted, gets nothing."""
    one_way = {
        f"E\0sc\0chat\0{kind}\0": {"forwards": f, "backwards": b}
        for kind, f, b in (("AUTHORS", 0, 1), ("ADDS_REACTION", 0, 0), ("REACTS_TO", 1, 0))
    }
    instance = read_instance(written(tmp_path, EDGES, [None, None, 1, 5], nodeWeights=MINTS, edgeWeights=one_way), USERS)
    ann, bob = timeline(instance, WEEKS[:1], alpha=0.2, decay=0.5)[:2, 0]
    assert ann == pytest.approx(8, rel=1e-3) and bob < 1e-3
    shares = endorsements(instance)
    assert shares["N\0sc\0chat\0MEMBER\0ann\0"] > shares.get("N\0sc\0chat\0MEMBER\0bob\0", 0)
    assert np.isnan(instance.made[0])
