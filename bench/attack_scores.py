"""What other ways of scoring would pay, on the same world: count, √count, PageRank, and a score like SourceCred's.

Floats: nothing here is paid by. A world is who contributed which posts and who endorsed which post of whom; the shares
returned sum to 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

Shares = dict[str, float]


@dataclass(frozen=True, slots=True)
class Graph:
    """Posts that contribute to SOPs, by author, and endorsements (giver, taker, post)."""

    posts: Mapping[str, str]  # post → author
    endorsed: tuple[tuple[str, str, str], ...]


def graph_of(records: Iterable[Mapping[str, Any]], endorsed: Iterable[tuple[str, str, str]]) -> Graph:
    posts = {}
    for record in records:
        cited = [c for step in record["steps"] for c in step["citations"]] + [s["citation"] for s in record["stances"]]
        posts.update({c["post"]: c["author"] for c in cited})
    return Graph(posts, tuple(endorsed))


def shares(weights: Mapping[str, float]) -> Shares:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total else {}


def count(graph: Graph) -> Shares:
    """Contributions and endorsements received, one point each."""
    return shares(Counter([*graph.posts.values(), *(taker for _, taker, _ in graph.endorsed)]))


def root_count(graph: Graph) -> Shares:
    return shares({name: sqrt(number) for name, number in Counter([*graph.posts.values(), *(t for _, t, _ in graph.endorsed)]).items()})


def pagerank(graph: Graph) -> Shares:
    """Uniform restart over accounts, α = .15, edges from who endorses to who is endorsed."""
    edges: Counter[tuple[str, str]] = Counter((giver, taker) for giver, taker, _ in graph.endorsed)
    names = {*graph.posts.values(), *(name for pair in edges for name in pair)}
    return shares(_walk(edges, dict.fromkeys(names, 1.0), 0.15))


def sourcecred(graph: Graph) -> Shares:
    """Like CredRank: cred is minted on endorsements, flows post → author and author → their posts, α = .1 to the mints."""
    edges: defaultdict[tuple[str, str], float] = defaultdict(float)
    mints: Counter[str] = Counter(f"post {post}" for _, _, post in graph.endorsed)
    authors = dict(graph.posts) | {post: taker for _, taker, post in graph.endorsed}
    for post, author in authors.items():
        edges[f"post {post}", author] += 2.0
        edges[author, f"post {post}"] += 0.5
    for giver, _, post in graph.endorsed:
        edges[giver, f"post {post}"] += 1.0
        edges[f"post {post}", giver] += 1 / 16
    cred = _walk(edges, {name: float(number) for name, number in mints.items()} or dict.fromkeys(authors.values(), 1.0), 0.1)
    return shares({name: value for name, value in cred.items() if not name.startswith("post ")})


def _walk(edges: Mapping[tuple[str, str], float], seeds: Mapping[str, float], restart: float) -> dict[str, float]:
    import numpy as np
    from scipy.sparse import csr_matrix

    names = sorted({*seeds, *(name for pair in edges for name in pair)})
    place = {name: number for number, name in enumerate(names)}
    start = np.array([seeds.get(name, 0.0) for name in names])
    start /= start.sum()
    out = np.zeros(len(names))
    for (giver, _), weight in edges.items():
        out[place[giver]] += weight
    rows = [place[taker] for _, taker in edges]
    columns = [place[giver] for giver, _ in edges]
    matrix = csr_matrix(([w / out[place[g]] for (g, _), w in edges.items()], (rows, columns)), shape=(len(names), len(names)))
    rank = start.copy()
    for _ in range(100):
        moved = matrix @ rank
        moved += (1 - moved.sum()) * start
        rank = restart * start + (1 - restart) * moved
    return dict(zip(names, rank.tolist(), strict=True))


RIVALS: dict[str, Callable[[Graph], Shares]] = {"count": count, "√count": root_count, "PageRank": pagerank, "SourceCred-like": sourcecred}
