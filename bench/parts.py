"""What the parts of a run cost: reading plain text, and the sentence model in both precisions.

    python -m bench.parts ARCHIVE

ARCHIVE is a folder with topics.jsonl, such as one of the three corpora. Ratios within one run; machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from distill.passages import read_thread
from index.embed import LONGEST, checked_folder, encoder
from index.plain import derive
from index.tables_discussion import StoredPost, StoredThread

PASSAGES = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    topics = [json.loads(line) for line in (parser.parse_args().archive / "topics.jsonl").open(encoding="utf-8")]
    began = time.process_time()
    threads = [thread(topic) for topic in topics]
    seconds = time.process_time() - began
    posts = sum(len(t.posts) for t in threads)
    print(
        f"plain text: {posts} posts in {seconds:.1f} s of the processor, {sum(len(p.plain) for t in threads for p in t.posts) / seconds / 1e6:.1f} M characters a second"
    )
    began = time.perf_counter()
    by_thread = [texts for t in threads if (texts := [p.text for post in read_thread(t).posts for p in post.passages])]
    seconds = time.perf_counter() - began
    print(f"passages: {sum(map(len, by_thread))} in {seconds:.1f} s")
    chosen: list[list[str]] = []
    for texts in by_thread:
        if sum(map(len, chosen)) < PASSAGES:
            chosen.append(texts[:40])
    compare_precisions(chosen)


def thread(topic: dict[str, Any]) -> StoredThread:
    posts = []
    for p in topic["post_stream"]["posts"]:
        plain = derive(p["cooked"], "cooked") if p.get("cooked") else derive(p.get("raw") or "", "raw")
        posts.append(StoredPost(str(p["id"]), "t", p["post_number"], "a", "a", "2024", "", None, 0, False, plain.text, plain.blocks))
    return StoredThread("t", "s", topic["title"], "2024", "", "", (), None, tuple(posts))


def compare_precisions(by_thread: list[list[str]]) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    texts = [text[:LONGEST] for part in by_thread for text in part]
    exact = SentenceTransformer(str(checked_folder()), device="cpu")
    half = SentenceTransformer(str(checked_folder()), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    vectors, rates = [], []
    for model in (exact, half):
        model.encode(texts[:64])
        began = time.perf_counter()
        vectors.append(np.asarray(model.encode(texts, batch_size=32, normalize_embeddings=True), dtype=np.float64))
        rates.append(len(texts) / (time.perf_counter() - began))
    began = time.perf_counter()
    for part in by_thread:
        encoder().encode(part)
    rates.append(len(texts) / (time.perf_counter() - began))
    cosines = (vectors[0] * vectors[1]).sum(1) / np.linalg.norm(vectors[0], axis=1) / np.linalg.norm(vectors[1], axis=1)
    print(f"{len(texts)} passages a second: float32 {rates[0]:.0f}, bfloat16 {rates[1]:.0f}, bfloat16 thread by thread {rates[2]:.0f}")
    print(f"cosine of bfloat16 with float32: least {cosines.min():.4f}, mean {cosines.mean():.4f}")


if __name__ == "__main__":
    main()
