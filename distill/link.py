"""Across threads: copies joined with the earliest as origin, alternatives linked, neighbours found in FAISS.

FAISS nominates by goal and by step; frames and vectors of the steps decide; union-find joins. Similarity of goals alone never joins
anything: general embeddings find topics, not actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill.drafts import MOST_CITATIONS, unpack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

NEIGHBOURS = 12
NOMINATE_BP = 4000  # goals' cosine from which two drafts are compared step by step
SAME_STEP_BP = 7200
SAME_VERB_STEP_BP = 6600
# Tenths of the steps of the shorter and of the longer draft that must match: a draft that shares a few steps with a
# long one is no copy of it.
COPY_OF_SHORTER, COPY_OF_LONGER = 6, 4
ALTERNATIVE_BP = 6800  # goals' cosine from which two procedures are alternatives


@dataclass(slots=True)
class Linked:
    """A draft that stands for itself and its copies."""

    draft: dict[str, Any]
    alternatives: set[int]  # indices of linked drafts
    copies: list[int]


def link(drafts: Sequence[dict[str, Any]]) -> dict[int, Linked]:
    """Index of each draft that stands → what it is linked to. Drafts that are copies are folded into their origin."""
    import numpy as np

    from index import vectors

    if not drafts:
        return {}
    goals = np.array([np.frombuffer(unpack(d["goal_vector"]), dtype=np.int8) for d in drafts])
    names = [f"{i:08d}" for i in range(len(drafts))]
    near = vectors.build(names, goals).search(goals, NEIGHBOURS)
    pairs = {
        (min(i, int(name)), max(i, int(name))): bp
        for i, hits in enumerate(near)
        for name, bp in hits
        if int(name) != i and bp >= NOMINATE_BP
    }
    matched = {pair: match_steps(drafts[pair[0]], drafts[pair[1]]) for pair in pairs}
    parent = list(range(len(drafts)))
    for (a, b), found in sorted(matched.items()):
        shorter, longer = sorted((len(drafts[a]["steps"]), len(drafts[b]["steps"])))
        if len(found) >= 3 and len(found) * 10 >= max(shorter * COPY_OF_SHORTER, longer * COPY_OF_LONGER):
            parent[_root(parent, a)] = _root(parent, b)
    groups: dict[int, list[int]] = {}
    for i in range(len(drafts)):
        groups.setdefault(_root(parent, i), []).append(i)
    standing: dict[int, Linked] = {}
    stands_for: dict[int, int] = {}
    for members in groups.values():
        origin, *copies = sorted(members, key=lambda i: (said_at(drafts[i]), drafts[i]["thread"], i))
        draft = drafts[origin]
        for copy in copies:
            draft = _fold(draft, drafts[copy])
        standing[origin] = Linked(draft, set(), copies)
        stands_for |= dict.fromkeys(members, origin)
    for (a, b), bp in sorted(pairs.items()):
        left, right = stands_for[a], stands_for[b]
        if left != right and bp >= ALTERNATIVE_BP:
            standing[left].alternatives.add(right)
            standing[right].alternatives.add(left)
    return dict(sorted(standing.items()))


def said_at(draft: dict[str, Any]) -> str:
    """When the draft's first words were said."""
    return min(str(c["created"]) for step in draft["steps"] for c in step["citations"])


def match_steps(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[int, int]]:
    """Pairs of steps that say the same, one to one, best first. Polarity must agree, verbs lower the bar."""
    import numpy as np

    from index.embed import cosine_bp

    rows = [i for i, v in enumerate(a["step_vectors"]) if v]
    columns = [j for j, v in enumerate(b["step_vectors"]) if v]
    if not rows or not columns:
        return []
    left = np.array([np.frombuffer(unpack(a["step_vectors"][i]), dtype=np.int8) for i in rows])
    right = np.array([np.frombuffer(unpack(b["step_vectors"][j]), dtype=np.int8) for j in columns])
    table = cosine_bp(left, right)
    found: list[tuple[int, int]] = []
    candidates = sorted(
        ((int(table[r, c]), rows[r], columns[c]) for r in range(len(rows)) for c in range(len(columns))), key=lambda t: (-t[0], t[1], t[2])
    )
    left_negated, right_negated = (d.get("step_negated", [False] * len(d["steps"])) for d in (a, b))
    for bp, i, j in candidates:
        if left_negated[i] != right_negated[j]:
            continue
        needed = SAME_VERB_STEP_BP if a["step_verbs"][i] and a["step_verbs"][i] == b["step_verbs"][j] else SAME_STEP_BP
        if bp >= needed and all(i != x and j != y for x, y in found):
            found.append((i, j))
    return found


def _fold(origin: dict[str, Any], copy: dict[str, Any]) -> dict[str, Any]:
    """The origin with the copy's words as later statements of its steps. A copy is no new voice: support stays."""
    steps = [dict(step) for step in origin["steps"]]
    for i, j in match_steps(origin, copy):
        seen = {(c["post"], c["start"]) for c in steps[i]["citations"]}
        later = [c for c in copy["steps"][j]["citations"] if (c["post"], c["start"]) not in seen]
        steps[i] = {**steps[i], "citations": [*steps[i]["citations"], *later][:MOST_CITATIONS]}
    return {**origin, "steps": steps, "copied_in": sorted({*origin.get("copied_in", []), copy["thread"]} - {origin["thread"]})}


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def clusters(goal_vectors: Sequence[bytes]) -> list[int | None]:
    """HDBSCAN group of each goal, None for noise: what people browse by."""
    import numpy as np

    if len(goal_vectors) < 6:
        return [None] * len(goal_vectors)
    from hdbscan import HDBSCAN

    points = np.array([np.frombuffer(v, dtype=np.int8) for v in goal_vectors]).astype(np.float64)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    labels = HDBSCAN(min_cluster_size=3, min_samples=2, cluster_selection_method="leaf", core_dist_n_jobs=1).fit_predict(points)
    return [int(label) if label >= 0 else None for label in labels]
