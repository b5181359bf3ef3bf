"""FAISS behind one door: exact inner product over unit vectors, ties broken by id."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]


TIES = 50  # hits beyond k that are looked at, so that among equal ones ids decide


@dataclass(frozen=True, slots=True)
class VectorIndex:
    ids: tuple[str, ...]
    _faiss: Any

    def search(self, queries: Vectors, k: int, allowed: Collection[str] | None = None) -> list[list[tuple[str, int]]]:
        """For each int8 query row: up to k (id, cosine in basis points), of `allowed` alone if given, best first, equal ones
        by id."""
        import numpy as np

        reach = (k + TIES if allowed is None else len(self.ids)) if k > 0 else 0
        if min(reach, len(self.ids), len(queries)) == 0:
            return [[] for _ in range(len(queries))]
        scores, rows = self._faiss.search(_unit(queries), min(reach, len(self.ids)))
        cosines = np.rint(scores * 10_000).astype(np.int64)
        return [self._best(line, places, k, allowed) for line, places in zip(cosines.tolist(), rows.tolist(), strict=True)]

    def _best(self, cosines: list[int], rows: list[int], k: int, allowed: Collection[str] | None) -> list[tuple[str, int]]:
        """Hits come best first: only runs of equal ones have to be put in order of their ids."""
        found = [(self.ids[row], cosine) for row, cosine in zip(rows, cosines, strict=True) if row >= 0]
        if allowed is not None:
            found = [hit for hit in found if hit[0] in allowed]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]

    def rows(self) -> npt.NDArray[np.float32]:
        """The unit vectors, one for each id."""
        import numpy as np

        return np.ascontiguousarray(self._faiss.reconstruct_n(0, len(self.ids))) if self.ids else np.empty((0, 1), dtype=np.float32)

    def save(self, folder: Path, name: str) -> None:
        import faiss

        faiss.write_index(self._faiss, str(folder / f"{name}.faiss"))
        (folder / f"{name}.ids.json").write_text(json.dumps(self.ids), encoding="utf-8")


def build(ids: Sequence[str], vectors: Vectors) -> VectorIndex:
    """An index of int8 vectors of shape (len(ids), dimensions)."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    if len(ids):
        index.add(_unit(vectors))
    return VectorIndex(tuple(ids), index)


def load(folder: Path, name: str) -> VectorIndex:
    import faiss

    ids = json.loads((folder / f"{name}.ids.json").read_text(encoding="utf-8"))
    return VectorIndex(tuple(ids), faiss.read_index(str(folder / f"{name}.faiss")))


def _unit(vectors: Vectors) -> npt.NDArray[np.float32]:
    import numpy as np

    wide = vectors.astype(np.float32)
    return np.ascontiguousarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9))
