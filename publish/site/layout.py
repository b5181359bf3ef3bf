"""Where each SOP stands on the map: near what has a near goal. Integers from 0 to 4095, the same for the same vectors.

Up to LANDMARKS goals are laid out by t-SNE (scikit-learn, which hdbscan brings along); the others stand among those of
them that are nearest, so that 20,000 take seconds.
"""

from __future__ import annotations

from typing import Any

SIZE = 4096
LANDMARKS = 1_500
NEIGHBOURS = 4


def layout(vectors: Any) -> list[tuple[int, int]]:
    """(x, y) for each row of `vectors` (n, d) float32; rows of length zero stand at the edge."""
    import numpy as np

    count = len(vectors)
    if count == 0:
        return []
    if count < 5:
        return [(SIZE * (place + 1) // (count + 1), SIZE // 2) for place in range(count)]
    normal = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    chosen = np.linspace(0, count - 1, min(count, LANDMARKS)).round().astype(int)
    marks = _landmarks(normal[chosen])
    places = marks if len(chosen) == count else _between(normal, normal[chosen], marks)
    low, high = np.percentile(places, 1, axis=0), np.percentile(places, 99, axis=0)
    scaled = np.clip((places - low) / np.maximum(high - low, 1e-9), -0.04, 1.04)
    pixels = np.rint((0.05 + 0.9 * scaled) * SIZE).astype(int)
    return [(int(x), int(y)) for x, y in np.clip(pixels, 0, SIZE - 1)]


def _landmarks(vectors: Any) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    small = PCA(min(30, len(vectors) - 1, vectors.shape[1]), svd_solver="full").fit_transform(vectors)
    near = min(30.0, max(2.0, (len(vectors) - 1) / 3))
    return TSNE(2, perplexity=near, init="pca", learning_rate="auto", random_state=0, max_iter=500).fit_transform(small)


def _between(normal: Any, landmarks: Any, places: Any) -> Any:
    """Each row at the mean of its nearest landmarks, weighted by likeness, and a little aside so that none hides another."""
    import numpy as np

    found = np.empty((len(normal), 2), dtype=np.float64)
    for start in range(0, len(normal), 2_000):
        like = normal[start : start + 2_000] @ landmarks.T
        nearest = np.argpartition(-like, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        weight = np.maximum(np.take_along_axis(like, nearest, axis=1), 1e-3) ** 8
        found[start : start + 2_000] = (places[nearest] * weight[:, :, None]).sum(1) / weight.sum(1)[:, None]
    spread = np.ptp(places, axis=0) / 160
    turn = np.arange(len(normal)) * 2.399963  # the golden angle
    return found + spread * np.stack([np.cos(turn), np.sin(turn)], axis=1) * ((np.arange(len(normal)) % 7) / 7)[:, None]
