"""The small trained parts: scorers of passages, threads and stances, and the adapter of the model. Weights ship beside.

Each gives a probability in basis points; everything decided from it is integer. Trained by bench/adapter.py
and bench/train.py; what they were trained on and how they measured stands in distill/weights/card.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from distill.features import BUCKETS, FACTS
from index.records import StanceKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

WEIGHTS, ADAPTER = "scorers.npz", "adapter.npz"
# What the adapted model says of a passage, as log-odds: it is a step; its window holds several; it is a stance of some kind.
READINGS = ("step", "home", "support", "dissent", "amendment")
STANCES: tuple[StanceKind, ...] = ("support", "dissent", "amendment")


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights over hashed words (int16 × scale), facts and, where used, the passage's vector."""

    words: Floats  # (BUCKETS,)
    facts: Floats
    dense: Floats | None  # over the readings, or for stances over the components of the sentence vector
    bias: float

    def margins(self, hashed: Sequence[Sequence[int]], facts: Floats, dense: Floats | None = None) -> Floats:
        """Log-odds of each row; words are averaged by the root of their number."""
        import numpy as np

        words = np.array([self.words[list(row)].sum() / max(1.0, len(row)) ** 0.5 if row else 0.0 for row in hashed])
        margin = words + facts @ self.facts + self.bias
        if self.dense is not None and dense is not None:
            margin = margin + dense @ self.dense
        found: Floats = margin
        return found


@dataclass(frozen=True, slots=True)
class Scorers:
    cheap: Linear  # passage: words and facts
    full: Linear  # passage: words, facts and readings; says whether something like a step is here at all
    inside: Linear  # the same features, trained within posts that hold a procedure: which of its sentences are the steps
    thread: Floats  # over THREAD_FACTS, last one the bias
    thread_mean: Floats
    thread_scale: Floats
    stances: dict[str, Linear]
    digest: str
    card: dict[str, Any]


def to_bp(margins: Floats) -> list[int]:
    """Log-odds → probability in basis points, half up."""
    import numpy as np

    return [int(p) for p in np.floor(10_000 / (1 + np.exp(-np.clip(margins, -30, 30))) + 0.5)]


@cache
def load_scorers() -> Scorers:
    import hashlib
    import io

    import numpy as np

    data = resources.files("distill").joinpath("weights", WEIGHTS).read_bytes()
    card = json.loads(resources.files("distill").joinpath("weights", "card.json").read_text(encoding="utf-8"))
    with np.load(io.BytesIO(data)) as arrays:
        return Scorers(
            cheap=_linear(arrays, "cheap"),
            full=_linear(arrays, "full"),
            inside=_linear(arrays, "inside"),
            thread=arrays["thread"].astype(np.float64),
            thread_mean=arrays["thread_mean"].astype(np.float64),
            thread_scale=arrays["thread_scale"].astype(np.float64),
            stances={kind: _linear(arrays, kind) for kind in STANCES},
            digest="sha256:" + hashlib.sha256(data).hexdigest(),
            card=card,
        )


def load_adapter() -> dict[str, npt.NDArray[Any]]:
    """The low-rank adapter and the heads of index.embed.Reader."""
    import numpy as np

    with resources.files("distill").joinpath("weights", ADAPTER).open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _linear(arrays: Any, name: str) -> Linear:
    import numpy as np

    words = arrays[f"{name}_words"].astype(np.float64) * float(arrays[f"{name}_scale"])
    facts = arrays[f"{name}_facts"].astype(np.float64)
    if words.shape != (BUCKETS,) or facts.shape != (len(FACTS),):
        raise ValueError(
            f"weights of {name!r} have shapes {words.shape} and {facts.shape}, the features {BUCKETS} and {len(FACTS)}: train again"
        )
    dense = arrays[f"{name}_dense"].astype(np.float64) if f"{name}_dense" in arrays else None
    return Linear(words, facts, dense, float(arrays[f"{name}_bias"]))
