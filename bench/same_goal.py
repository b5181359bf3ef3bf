"""Which threads of a forum have the same goal: precision and recall against topics known to be about one proposal.

    python -m bench.same_goal WORKSPACE GROUPS.json [--source discourse:ethereum-magicians.org] [--vectors FILE.npz] [--sample 40]

GROUPS.json is {proposal number: [topic, …]}, made from the numbers that titles name. So these numbers are masked in
titles and text, and links are taken out. Pairs are sought among all threads of the forum. A pair belongs to the half of
its earlier thread's group; thresholds are chosen on one half, figures told of the other, with 95 % intervals by
bootstrap over groups and single threads. Pairs outside the groups count as wrong although many are right: --sample
prints some of the product's to be read. --vectors keeps the sentence vectors between runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill import link
from distill.goals import goal_of
from distill.link import Goal, Pair
from index.embed import LONGEST, cosine_bp, encoder
from index.store import Store
from index.tables_discussion import StoredThread, read_threads, thread_hashes

Ints = npt.NDArray[np.int64]
OPENING = 6 * LONGEST  # characters of the opening post that are read, in pieces that the encoder reads whole
COUNTS = (50, 100, 200, 400, 800, 1600)
ROUNDS = 1000
OLD_ALTERNATIVE_BP = 6800  # what made alternatives before: the cosine of goals alone
_PROPOSAL = re.compile(r"\b(?:EIP|ERC|RIP|CAIP|BIP)s?[\s_#:/‐‑–—-]*(\d+)", re.I)
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_BARE = re.compile(r"\b\d{3,}\b")


@dataclass(frozen=True, slots=True)
class Pool:
    """All threads of a forum: the labelled pairs among them, and the half (0: choose, 1: report) that each pair falls into."""

    threads: list[StoredThread]
    goals: list[Goal]
    titles: npt.NDArray[np.int8]
    openings: npt.NDArray[np.int8]
    group: list[int]  # of each thread; threads without a label have one of their own
    labelled: frozenset[Pair]

    def earlier(self, pair: Pair) -> int:
        return min(pair, key=lambda i: (self.threads[i].created, number(self.threads[i])))

    def half(self, pair: Pair) -> int:
        head = self.group[self.earlier(pair)]  # a group goes by the least of its threads
        return int(hashlib.sha256(self.threads[head].id.encode()).hexdigest(), 16) % 2


def number(thread: StoredThread) -> int:
    return int(thread.id.rsplit("/", 1)[1])


def proposal_numbers(titles: Sequence[str]) -> frozenset[str]:
    return frozenset(found for title in titles for found in _PROPOSAL.findall(title))


def masked(text: str, known: frozenset[str]) -> str:
    """The text without links and without numbers of proposals; other long numbers are only told to be there."""
    text = _PROPOSAL.sub(" ", _LINK.sub(" ", text))
    text = _BARE.sub(lambda m: " " if m.group() in known and not 2014 <= int(m.group()) <= 2030 else "#", text)
    return " ".join(text.split()).strip(" :-–—,|")


def read_pool(workspace: Path, source: str, groups: Mapping[str, Sequence[int]], kept: Path | None) -> Pool:
    with Store(workspace / ".precipitate" / "work.duckdb", read_only=True) as store:
        threads = read_threads(store, sorted(t for t in thread_hashes(store) if t.startswith(f"{source}/t/")))
    known = proposal_numbers([t.title for t in threads]) | frozenset(groups)
    goals = [goal_of(masked(t.title, known), "") for t in threads]
    openings = [masked(t.posts[0].plain[: 4 * OPENING], known)[:OPENING] if t.posts else "" for t in threads]
    titles, bodies = vectors_of(goals, openings, kept)
    group, labelled = components([number(t) for t in threads], groups)
    return Pool(threads, [link.read_goal(goal) for goal in goals], titles, bodies, group, labelled)


def vectors_of(goals: Sequence[str], openings: Sequence[str], kept: Path | None) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """int8 vectors of the titles, and of titles and opening posts together (mean over the pieces, half each)."""
    digest = hashlib.sha256(json.dumps([goals, openings]).encode()).hexdigest()
    if kept and kept.exists() and str((found := np.load(kept))["digest"]) == digest:
        return found["titles"], found["openings"]
    titles = encoder().encode(goals)
    pieces = [(i, text[k : k + LONGEST]) for i, text in enumerate(openings) for k in range(0, len(text), LONGEST)]
    bodies = np.zeros(titles.shape)
    np.add.at(bodies, [i for i, _ in pieces], unit(encoder().encode([piece for _, piece in pieces])))
    both = np.rint(127 * unit(unit(titles) + unit(bodies))).astype(np.int8)
    if kept:
        np.savez_compressed(kept, digest=digest, titles=titles, openings=both)
    return titles, both


def unit(rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9))


def components(numbers: Sequence[int], groups: Mapping[str, Sequence[int]]) -> tuple[list[int], frozenset[Pair]]:
    """Groups that share a topic are one. A labelled pair shares a proposal."""
    at = {n: i for i, n in enumerate(numbers)}
    rows = [sorted({at[n] for n in members if n in at}) for members in groups.values()]
    pairs = frozenset(pair for row in rows for pair in combinations(row, 2))
    return joined(len(numbers), pairs), pairs


def joined(count: int, pairs: Sequence[Pair] | frozenset[Pair]) -> list[int]:
    """Connected components: for each of `count` things the least of those it hangs together with."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(count)]


def word_neighbours(words: Sequence[frozenset[str]], weights: Mapping[str, int], k: int) -> set[Pair]:
    """For each title the k others that share the most of their words' weight."""
    from scipy.sparse import csr_matrix

    column = {word: n for n, word in enumerate(sorted(weights))}
    rows = [i for i, own in enumerate(words) for _ in own]
    columns = [column[word] for own in words for word in sorted(own)]
    values = [float(weights[word]) for own in words for word in sorted(own)]
    weighed = csr_matrix((values, (rows, columns)), shape=(len(words), len(column)))
    present = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=weighed.shape)
    whole = np.asarray(weighed.sum(1)).ravel()
    found = set()
    for i in range(len(words)):
        shared = (weighed[i] @ present.T).toarray().ravel()
        likeness = 2 * shared / np.maximum(whole[i] + whole, 1)
        likeness[i] = -1
        found |= {(min(i, int(j)), max(i, int(j))) for j in np.argsort(-likeness, kind="stable")[:k] if likeness[j] > 0}
    return found


def candidates(pool: Pool, weights: Mapping[str, int]) -> dict[str, set[Pair]]:
    return {
        "title words": word_neighbours([g.words for g in pool.goals], weights, link.NEIGHBOURS),
        "title vectors": set(link.neighbours(pool.titles, 0)),
        "title and opening vectors": set(link.neighbours(pool.openings, 0)),
    }


def likenesses(pool: Pool, pairs: Sequence[Pair], weights: Mapping[str, int]) -> dict[str, Ints]:
    """Basis points of each pair by each way of comparing."""
    left, right = np.array(pairs).T
    titles, bodies = (rowwise_bp(rows[left], rows[right]) for rows in (pool.titles, pool.openings))
    words = np.array([link.words_bp(pool.goals[a].words, pool.goals[b].words, weights) for a, b in pairs])
    odds = np.array([link.at_odds(pool.goals[a], pool.goals[b]) for a, b in pairs])
    product = np.array(
        [link.same_goal_bp(pool.goals[a], pool.goals[b], weights, int(bp)) for (a, b), bp in zip(pairs, titles, strict=True)]
    )
    found = {
        "title words": words,
        "title vectors": titles,
        "title and opening vectors": bodies,
        "words, title vectors": (words + titles) // 2,
    }
    found |= {f"{name}, not at odds": np.where(odds, 0, bp) for name, bp in list(found.items())[:3]}
    return found | {
        "words, title vectors, not at odds": product,
        "words, title and opening vectors, not at odds": np.where(odds, 0, (words + bodies) // 2),
    }


def rowwise_bp(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> Ints:
    return np.array([int(cosine_bp(x[None], y[None])[0, 0]) for x, y in zip(a, b, strict=True)])


PRODUCT = "words, title vectors, not at odds"
BEFORE = "title vectors"


@dataclass(frozen=True, slots=True)
class Judged:
    """Candidate pairs with their halves and labels, ready to be counted at any threshold."""

    pool: Pool
    pairs: list[Pair]
    right: npt.NDArray[np.bool_]
    half: Ints
    wanted: tuple[int, int]  # labelled pairs of each half, candidates or not

    def figures(self, bp: Ints, least: int, half: int) -> dict[str, float]:
        said = (bp >= least) & (self.half == half)
        return measures(int((said & self.right).sum()), int(said.sum()), self.wanted[half])

    def best(self, bp: Ints, half: int) -> int:
        """The threshold with the best F1 of pairs on a half; of equal ones the highest."""
        marks = sorted({int(x) for x in bp[(self.half == half) & self.right]}, reverse=True)
        return max(marks, key=lambda least: self.figures(bp, least, half)["F1"])

    def found_at(self, bp: Ints, half: int) -> list[int]:
        """Labelled pairs among the best 50, 100, … of a half."""
        mine = np.flatnonzero(self.half == half)
        order = mine[np.argsort(-bp[mine], kind="stable")]
        return [int(self.right[order[:count]].sum()) for count in COUNTS]

    def interval(self, bp: Ints, least: int, half: int) -> dict[str, tuple[float, float]]:
        """95 % by bootstrap over groups and single threads (each pair belongs to its earlier thread's)."""
        of_pair = np.array([self.pool.group[self.pool.earlier(pair)] for pair in self.pairs])
        count = len(self.pool.group)
        said = (bp >= least) & (self.half == half)
        per = [np.bincount(of_pair[rows], minlength=count) for rows in (said & self.right, said)]
        wanted = [self.pool.group[a] for a, b in self.pool.labelled if self.pool.half((a, b)) == half]
        per.append(np.bincount(wanted, minlength=count))
        alive = np.flatnonzero(per[1] + per[2])
        chance = np.random.default_rng(0)
        drawn = [chance.choice(alive, len(alive)) for _ in range(ROUNDS)]
        rows = [measures(*(int(column[d].sum()) for column in per)) for d in drawn]
        return {key: (float(np.quantile([r[key] for r in rows], 0.025)), float(np.quantile([r[key] for r in rows], 0.975))) for key in "PR"}

    def group_figures(self, bp: Ints, least: int, half: int) -> str:
        """Groups found (three quarters alike by Jaccard and exactly), and the thread that each is said to have begun in."""
        count = len(self.pool.threads)
        found = joined(count, [pair for pair, score in zip(self.pairs, bp, strict=True) if score >= least])
        halves = {g: self.pool.half((g, g)) for g in set(self.pool.group)}
        wanted = [g for g in sets(self.pool.group) if halves[self.pool.group[min(g)]] == half]
        said = [g for g in sets(found) if halves[self.pool.group[first(self.pool, g)]] == half]
        alike = sum(any(3 * len(g | w) <= 4 * len(g & w) for g in said) for w in wanted)
        begun = {(i, first(self.pool, g)) for g in said for i in g} - {(first(self.pool, g),) * 2 for g in said}
        true = {(i, first(self.pool, w)) for w in wanted for i in w} - {(first(self.pool, w),) * 2 for w in wanted}
        groups, origins = measures(alike, len(said), len(wanted)), measures(len(begun & true), len(begun), len(true))
        return f"groups {short(groups)} ({len(said)} said, {len(wanted)} labelled, largest said {max(map(len, said), default=0)}), origins {short(origins)}"


def sets(group: Sequence[int]) -> list[frozenset[int]]:
    members: dict[int, set[int]] = {}
    for i, g in enumerate(group):
        members.setdefault(g, set()).add(i)
    return [frozenset(m) for m in members.values() if len(m) > 1]


def first(pool: Pool, members: frozenset[int]) -> int:
    return min(members, key=lambda i: (pool.threads[i].created, number(pool.threads[i])))


def measures(right: int, said: int, wanted: int) -> dict[str, float]:
    return {"P": right / max(1, said), "R": right / max(1, wanted), "F1": 2 * right / max(1, said + wanted)}


def short(values: Mapping[str, float]) -> str:
    return " ".join(f"{key} {value:.3f}" for key, value in values.items())


def sample(judged: Judged, bp: Ints, least: int, most: int, count: int) -> None:
    """Titles of pairs outside the groups, for reading."""
    wrong = [pair for pair, score, right in zip(judged.pairs, bp, judged.right, strict=True) if least <= score < most and not right]
    print(f"\n{min(count, len(wrong))} of {len(wrong)} pairs from {least} to below {most} that no group holds:")
    for a, b in sorted(random.Random(0).sample(wrong, min(count, len(wrong)))):
        print(f"  {judged.pool.threads[a].title}  |  {judged.pool.threads[b].title}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("groups", type=Path)
    parser.add_argument("--source", default="discourse:ethereum-magicians.org")
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--band", type=int, nargs=2, default=(link.ALTERNATIVE_BP, 10_001), help="likeness of the pairs in the sample")
    arguments = parser.parse_args()
    pool = read_pool(arguments.workspace, arguments.source, json.loads(arguments.groups.read_text()), arguments.vectors)
    weights = link.rarity([goal.words for goal in pool.goals])
    nominated = candidates(pool, weights)
    pairs = sorted(set.union(*nominated.values()))
    halves = [pool.half(pair) for pair in sorted(pool.labelled)]
    judged = Judged(
        pool,
        pairs,
        np.array([p in pool.labelled for p in pairs]),
        np.array([pool.half(p) for p in pairs]),
        (halves.count(0), halves.count(1)),
    )
    print(
        f"{len(pool.threads)} threads, {len(pool.labelled)} labelled pairs ({judged.wanted[0]} to choose by, {judged.wanted[1]} to report)"
    )
    for name, found in nominated.items():
        print(f"nominated by {name}: {len(found)} pairs, {len(found & pool.labelled)} labelled")
    by_name = likenesses(pool, pairs, weights)
    for name, bp in by_name.items():
        report(judged, name, bp, judged.best(bp, 0))
    print("\nat the product's settings, before and now:")
    report(judged, BEFORE, by_name[BEFORE], OLD_ALTERNATIVE_BP)
    report(judged, PRODUCT, by_name[PRODUCT], link.ALTERNATIVE_BP)
    if arguments.sample:
        sample(judged, by_name[PRODUCT], *arguments.band, arguments.sample)
        sample(judged, by_name[BEFORE], OLD_ALTERNATIVE_BP, 10_001, arguments.sample)


def report(judged: Judged, name: str, bp: Ints, least: int) -> None:
    spread = judged.interval(bp, least, 1)
    said = int(((bp >= least) & (judged.half == 1)).sum())
    print(
        f"\n{name}, from {least}: pairs {short(judged.figures(bp, least, 1))}, {said} said, "
        + ", ".join(f"{key} [{low:.3f}, {high:.3f}]" for key, (low, high) in spread.items())
    )
    print(f"  {judged.group_figures(bp, least, 1)}")
    print(
        "  labelled among the best " + ", ".join(f"{n}: {found}" for n, found in zip(COUNTS, judged.found_at(bp, 1), strict=True)),
        flush=True,
    )


if __name__ == "__main__":
    main()
