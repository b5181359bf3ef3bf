"""One question → its vector, without torch: the packaged sentence model read by numpy from its own weights.

Loading torch takes longer than a person waits; a question is a dozen tokens. This is BERT's forward pass (Devlin et al.
2019, arXiv 1810.04805; mean pooling as in Sentence-BERT, arXiv 1908.10084) in float32 over weights that are mapped into
memory, not read. It gives what sentence-transformers gives in float32; what a release holds was made in bfloat16 and
differs a little (docs/decisions/0024-search.md). A row of states is a token, and rows are filled up to a multiple of
four: the kernels of the matrix product take four at a time, and take longer for the odd ones than for a whole four.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from index.embed import DIMENSIONS, LONGEST, PACKAGED, checked_folder
from index.errors import StoreError
from index.store import storable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]
    Floats = npt.NDArray[np.float32]

LAYERS, HEADS = 6, 12
ROWS = 4  # tokens are filled up to a multiple of this
MOST_TOKENS = 256  # as sentence-transformers cuts this model's texts
EPSILON = 1e-12
KINDS = {"F32": "<f4"}


class Asker(Protocol):
    def encode(self, texts: Sequence[str]) -> Vectors: ...


@cache
def asker(model: str) -> Asker:
    """What embeds questions for vectors of this model: without torch for the packaged one, the whole encoder for others."""
    if model == PACKAGED:
        return QuestionEncoder(checked_folder())
    from index.embed import encoder

    return encoder(model)


class QuestionEncoder:
    """The packaged model for one question at a time."""

    def __init__(self, folder: Path) -> None:
        self._limit = one_thread()
        self._weights = map_weights(folder / "model.safetensors")
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """int8 vectors of shape (len(texts), DIMENSIONS), quantised as Encoder does."""
        import numpy as np

        found = np.empty((len(texts), DIMENSIONS), dtype=np.int8)
        for row, text in enumerate(texts):
            found[row] = np.clip(np.rint(self.unit(text).astype(np.float64) * 127), -127, 127)
        return found

    def unit(self, text: str) -> Floats:
        """The text's unit vector, shape (DIMENSIONS,)."""
        import numpy as np

        ids = self._tokenizer.encode(storable(text[:LONGEST])).ids
        padded = np.zeros(-(-len(ids) // ROWS) * ROWS, dtype=np.int64)
        padded[: len(ids)] = ids
        with self._limit():
            mean: Floats = self._states(padded, len(ids))[: len(ids)].mean(axis=0)
        unit: Floats = mean / np.maximum(np.linalg.norm(mean), 1e-9)
        return unit

    def _states(self, ids: npt.NDArray[np.int64], count: int) -> Floats:
        """The last states; only the first `count` tokens are looked at, the others fill up."""
        w = self._weights
        states: Floats = (
            w["embeddings.word_embeddings.weight"][ids]
            + w["embeddings.position_embeddings.weight"][: len(ids)]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._norm(states, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            seen = self._linear(self._attention(states, f"{name}attention.self.", count), f"{name}attention.output.dense")
            states = self._norm(seen + states, f"{name}attention.output.LayerNorm")
            wide = gelu(self._linear(states, f"{name}intermediate.dense"))
            states = self._norm(self._linear(wide, f"{name}output.dense") + states, f"{name}output.LayerNorm")
        return states

    def _attention(self, states: Floats, name: str, count: int) -> Floats:
        import numpy as np

        shape = (len(states), HEADS, DIMENSIONS // HEADS)
        query, key, value = (self._linear(states, name + part).reshape(shape).transpose(1, 0, 2) for part in ("query", "key", "value"))
        scores = query @ key[:, :count].transpose(0, 2, 1) * np.float32(1 / math.sqrt(shape[2]))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen: Floats = (scores @ value[:, :count]).transpose(1, 0, 2).reshape(-1, DIMENSIONS)
        return seen

    def _linear(self, states: Floats, name: str) -> Floats:
        found: Floats = states @ self._weights[f"{name}.weight"].T
        found += self._weights[f"{name}.bias"]
        return found

    def _norm(self, states: Floats, name: str) -> Floats:
        import numpy as np

        centred: Floats = states - states.mean(axis=-1, keepdims=True)
        centred /= np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        centred *= self._weights[f"{name}.weight"]
        centred += self._weights[f"{name}.bias"]
        return centred


def gelu(x: Floats) -> Floats:
    """x · Φ(x), with erf by Abramowitz and Stegun 7.1.26: its error of 1.5e-7 is float32's own."""
    import numpy as np

    size = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * np.float32(1.061405429)))))
    erf = np.copysign(1 - series * np.exp(-size * size), x)
    found: Floats = np.float32(0.5) * x * (1 + erf)
    return found


def map_weights(path: Path) -> Mapping[str, Floats]:
    """Arrays of a safetensors file by name, mapped into memory: 8 bytes of length, a JSON header, then the numbers."""
    import numpy as np

    raw = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        start = 8 + int(raw[:8].view("<u8")[0])
        head = json.loads(bytes(raw[8:start]))
        arrays = {}
        for name, entry in head.items():
            if entry.get("dtype") in KINDS:
                first, last = entry["data_offsets"]
                cut = raw[start + first : start + last].view(KINDS[entry["dtype"]])
                arrays[name] = np.asarray(cut.reshape(entry["shape"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no safetensors file: {error}", f"reinstall {PACKAGED}==0.1.0") from None
    return arrays


def one_thread() -> Any:
    """A context for matrix products on one thread: for a dozen tokens a second one costs more than it gives, and where
    other processes are at work it waits for them, twenty times as long. Set by the environment where numpy is not loaded
    yet; where it is, by what its library offers.
    """
    if "numpy" not in sys.modules:
        for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        return _as_it_is
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield
