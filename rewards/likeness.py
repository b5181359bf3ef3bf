"""Which steps of different SOPs say the same in other words, by the vectors of the passages that state them.

Vectors are of a model, so they are no decision but an input: likenesses are quantised to basis points and published with
the credits, and what follows from them (rewards/novelty.py) is exact. Only pairs of SOPs of which one holds half of the
other's steps are kept: one like step is chance, a whole like SOP is a copy.

On 36 families of procedures written for this (tests/distill): every paraphrase of a whole is found at NEAR_BP, none of the
other ways to the same goal, and 8 of 36 that differ in one name or number throughout. Among 497 drafts of real forums 74
pairs are found, nearly all of them announcements of releases in the words of the release before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from index import tables_evidence as tables
from index.store import Store
from rewards.novelty import NEAR_BP, REST_BP, Near, StepKey

BLOCK = 2_000  # steps that are compared with all at once


def likenesses(store: Store, records: Sequence[Mapping[str, Any]]) -> tuple[Near, ...]:
    """(step, other step, basis points), each pair once, sorted."""
    keys, vectors = _step_vectors(store, records)
    return near_steps(keys, vectors, {record["id"]: len(record["steps"]) for record in records})


def _step_vectors(store: Store, records: Sequence[Mapping[str, Any]]) -> tuple[list[StepKey], list[bytes]]:
    """Each distilled step's first statement, as far as the vector of its passage is kept; composed SOPs have nothing new."""
    said = {}
    for record in records:
        for step in record["steps"] if not record.get("generator", {}).get("composed") else ():
            places = [(c["created"], c["post"], c["start"], c["end"]) for c in step["citations"] if c["role"] == "states"]
            if places:
                said[record["id"], step["n"]] = min(places)[1:]
    passages = tables.passage_vectors(store, {post for post, _, _ in said.values()})
    keys, vectors = [], []
    for key, (post, start, end) in sorted(said.items()):
        held = next((vector for first, last, vector in passages.get(post, ()) if first <= start and end <= last), None)
        if held is not None:
            keys.append(key)
            vectors.append(held)
    return keys, vectors


def near_steps(keys: Sequence[StepKey], vectors: Sequence[bytes], sizes: Mapping[str, int]) -> tuple[Near, ...]:
    """The pairs at REST_BP and more of SOPs of which one holds half of the other's steps at NEAR_BP. `vectors`: int8 × dimensions."""
    import numpy as np

    if not keys:
        return ()
    rows = np.array([np.frombuffer(vector, dtype=np.int8) for vector in vectors])
    unit = rows.astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
    found: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for start in range(0, len(keys), BLOCK):
        # Floats nominate, with a margin; integers decide.
        for i, j in np.argwhere(unit[start : start + BLOCK] @ unit.T >= (REST_BP - 20) / 10_000).tolist():
            one, other = start + i, j
            if one < other and keys[one][0] != keys[other][0]:
                bp = _cosine_bp(rows[one], rows[other])
                if bp >= REST_BP:
                    found.setdefault((keys[one][0], keys[other][0]), []).append((one, other, bp))
    kept = [pair for names, pairs in found.items() if _by_half(names, pairs, sizes) for pair in pairs]
    return tuple(sorted((keys[one], keys[other], bp) for one, other, bp in kept))


def _cosine_bp(one: Any, other: Any) -> int:
    from math import isqrt

    a, b = one.astype("int64"), other.astype("int64")
    return int((a * b).sum()) * 10_000 // max(1, isqrt(int((a * a).sum()) * int((b * b).sum())))


def _by_half(names: tuple[str, str], pairs: Sequence[tuple[int, int, int]], sizes: Mapping[str, int]) -> bool:
    sides = [Counter(pair[side] for pair in pairs if pair[2] >= NEAR_BP) for side in (0, 1)]
    return any(len(side) >= 2 and 2 * len(side) >= sizes[name] for name, side in zip(names, sides, strict=True))
