"""Praise in a community that paid by it: does what we compute from endorsements alone go with pay and with human value?

    python -m bench.praise FOLDER

FOLDER is tec-praise: praise.jsonl (who praised whom for what, and what three to five people scored it) and payouts.csv (what
each was paid for it in each round). Nothing that we compute sees a score; the baselines neither. For each person and round:

- `count`, `length`: how many praises, how many characters of them;
- `givers`: how many people praised;
- `copies out`: count without a giver's further praises of the same words in the round (rewards/novelty.py: half of the words);
- `quadratic`, `pairwise`, `cluster`: the policies' formulas, a praise being a vote of one token (rewards/formulas.py);
- `trust`: praises weighed by what the giver is trusted, a giver's trust being a budget that is divided among all that they
  praise in the round (rewards/trust.py; seeds are those who scored in the first round, endorsements all praises until then);
- `trust, copies`: both, which is how the product treats who stands behind a step.

Spearman's ρ within each round, averaged by the number of people, with 95 % of 2,000 draws of rounds: with what was paid, with the
sum of mean scores, and with the mean score of a person's praises. The human ceiling is one scorer against the mean of the others,
over the same people. Then praises one by one: what goes with a praise's mean score.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from scipy.stats import spearmanr

from index.config import RewardsConfig
from rewards.formulas import cluster_match, pairwise, quadratic
from rewards.novelty import alike, step_words
from rewards.trust import Endorsement, faded, walk

TOKEN = 10**18
RESTART_BP, DECAY_BP = RewardsConfig().restart_bp, RewardsConfig().decay_bp  # the product's defaults: nothing is fitted here
DRAWS = 2_000
FEWEST = 8  # people in a round


@dataclass(frozen=True)
class Praise:
    round: int
    day: str
    giver: str
    taker: str
    text: str
    value: float  # mean of the scores
    scores: Mapping[str, float]  # scorer → score, without dismissed ones


def read_praise(path: Path) -> list[Praise]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        scores = {q["rater"]: float(q["score"]) for q in data["quantifications"] if not q["dismissed"] and q["duplicate_of"] is None}
        found.append(Praise(data["round"], data["date"], data["giver"], data["to"], data["reason"], float(data["avg_score"]), scores))
    return found


def read_paid(path: Path) -> dict[tuple[int, str], float]:
    with open(path, encoding="utf-8", newline="") as lines:
        return {(int(float(row["ROUND"])), row["contributor"]): float(row["PRAISE_REWARD"] or 0) for row in csv.DictReader(lines)}


# --- scores of people in a round ------------------------------------------------------------------------------------

Scores = dict[str, float]
Score = Callable[[Sequence[Praise], Sequence[Praise]], Scores]  # this round's praises, all until then


def _sum(values: Iterable[tuple[str, float]]) -> Scores:
    total: defaultdict[str, float] = defaultdict(float)
    for name, value in values:
        total[name] += value
    return dict(total)


def _votes(now: Sequence[Praise]) -> dict[str, dict[str, int]]:
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for praise in now:
        if praise.giver != praise.taker:
            votes[praise.taker][praise.giver] += TOKEN
    return {taker: dict(given) for taker, given in votes.items()}


def _as_scores(now: Sequence[Praise], weights: Mapping[str, int]) -> Scores:
    return {praise.taker: float(weights.get(praise.taker, 0)) for praise in now}


def copies_out(now: Sequence[Praise], until: Sequence[Praise]) -> Scores:
    return {praise.taker: 0.0 for praise in now} | _sum((praise.taker, 1.0) for praise in without_copies(now))


def without_copies(now: Sequence[Praise]) -> list[Praise]:
    """A giver's praise of the same words counts for whom it named first."""
    kept: list[Praise] = []
    said: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    for praise in now:
        words = step_words(praise.text)
        copied = any(alike(words, before) for before in said[praise.giver])
        said[praise.giver].append(words)
        if not copied:
            kept.append(praise)
    return kept


def trusted(seeds: frozenset[str], once: bool = False) -> Score:
    def score(now: Sequence[Praise], until: Sequence[Praise]) -> Scores:
        nobody = {praise.taker: 0.0 for praise in now}
        now = without_copies(now) if once else now
        edges = faded([Endorsement(p.giver, p.taker, p.day, "like", "") for p in until], DECAY_BP)
        trust = walk(edges, dict.fromkeys(seeds, 1), RESTART_BP)
        given = Counter(praise.giver for praise in now)
        return nobody | _sum((p.taker, trust.get(p.giver, 0) / given[p.giver] if p.giver != p.taker else 0.0) for p in now)

    return score


def scores_by_name(praises: Sequence[Praise]) -> dict[str, Score]:
    first = min(praise.round for praise in praises)
    seeds = frozenset(scorer for praise in praises if praise.round == first for scorer in praise.scores)
    return {
        "count": lambda now, until: _sum((p.taker, 1.0) for p in now),
        "length": lambda now, until: _sum((p.taker, float(len(p.text))) for p in now),
        "givers": lambda now, until: _as_scores(now, {t: len(given) for t, given in _votes(now).items()}),
        "copies out": copies_out,
        "quadratic": lambda now, until: _as_scores(now, quadratic(_votes(now))),
        "pairwise": lambda now, until: _as_scores(now, pairwise(_votes(now), TOKEN)),
        "cluster": lambda now, until: _as_scores(now, cluster_match(_votes(now))),
        "trust": trusted(seeds),
        "trust, copies": trusted(seeds, once=True),
    }


# --- comparing ------------------------------------------------------------------------------------------------------

Table = list[tuple[float, int]]  # for each round: ρ and how many people


def correlated(found: Mapping[str, float], target: Mapping[str, float]) -> tuple[float, int] | None:
    """ρ over the people of both; None where there are too few, or all are alike."""
    names = sorted(found.keys() & target.keys())
    a, b = [found[n] for n in names], [target[n] for n in names]
    if len(names) < FEWEST or len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return float(spearmanr(a, b).statistic), len(names)


def shown(table: Table) -> str:
    def average(rows: Table) -> float:
        return sum(rho * count for rho, count in rows) / sum(count for _, count in rows)

    if not table:
        return "      -        "
    chance = random.Random(1)
    draws = sorted(average(chance.choices(table, k=len(table))) for _ in range(DRAWS))
    return f"{average(table):5.2f} [{draws[DRAWS // 40]:.2f}, {draws[-DRAWS // 40]:.2f}]"


def ceiling(now: Sequence[Praise], over: Callable[[Iterable[float]], float]) -> Table:
    """Each scorer's view of the people whom they scored, against the mean of the others' on the same praises."""
    rows = []
    for scorer in sorted({name for praise in now for name in praise.scores}):
        both = [
            (p.taker, p.scores[scorer], mean(v for n, v in p.scores.items() if n != scorer))
            for p in now
            if scorer in p.scores and len(p.scores) > 1
        ]
        one, others = (_gathered(((taker, pair[place]) for taker, *pair in both), over) for place in (0, 1))
        found = correlated(one, others)
        rows += [found] if found else []
    return rows


def _gathered(values: Iterable[tuple[str, float]], over: Callable[[Iterable[float]], float]) -> Scores:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for name, value in values:
        groups[name].append(value)
    return {name: over(group) for name, group in groups.items()}


def people(praises: Sequence[Praise], paid: Mapping[tuple[int, str], float]) -> None:
    scores = scores_by_name(praises)
    tables: defaultdict[tuple[str, str], Table] = defaultdict(list)
    for number in sorted({praise.round for praise in praises}):
        now = [praise for praise in praises if praise.round == number]
        until = [praise for praise in praises if praise.round <= number]
        values = [(praise.taker, praise.value) for praise in now]
        targets = {
            "paid": {name: amount for (r, name), amount in paid.items() if r == number},
            "sum of scores": _sum(values),
            "mean score": _gathered(values, mean),
        }
        for name, score in scores.items():
            found = score(now, until)
            for target, wanted in targets.items():
                row = correlated(found, wanted)
                tables[name, target] += [row] if row else []
        tables["human ceiling", "sum of scores"] += ceiling(now, sum)
        tables["human ceiling", "mean score"] += ceiling(now, mean)
    columns = ("paid", "sum of scores", "mean score")
    print(f"{'people':14} " + "  ".join(f"{column:>19}" for column in columns))
    for name in (*scores, "human ceiling"):
        print(f"{name:14} " + "  ".join(f"{shown(tables[name, column]):>19}" for column in columns))


def one_by_one(praises: Sequence[Praise]) -> None:
    """What goes with a single praise's mean score, within rounds."""
    trust_of: dict[int, dict[str, int]] = {}
    seeds = frozenset(scorer for praise in praises if praise.round == min(p.round for p in praises) for scorer in praise.scores)
    for number in sorted({praise.round for praise in praises}):
        edges = faded([Endorsement(p.giver, p.taker, p.day, "like", "") for p in praises if p.round <= number], DECAY_BP)
        trust_of[number] = walk(edges, dict.fromkeys(seeds, 1), RESTART_BP)
    given = Counter((praise.round, praise.giver) for praise in praises)
    got = Counter((praise.round, praise.taker) for praise in praises)
    measures: dict[str, Callable[[Praise], float]] = {
        "count": lambda p: float(got[p.round, p.taker]),
        "length": lambda p: float(len(p.text)),
        "giver's trust": lambda p: float(trust_of[p.round].get(p.giver, 0)),
        "as a budget": lambda p: trust_of[p.round].get(p.giver, 0) / given[p.round, p.giver],
        "taker's trust": lambda p: float(trust_of[p.round].get(p.taker, 0)),
    }
    print(f"\n{'praises':14} {'mean score':>19}")
    for name, measure in measures.items():
        rows: Table = []
        for number in sorted(trust_of):
            now = [praise for praise in praises if praise.round == number]
            row = correlated({str(n): measure(p) for n, p in enumerate(now)}, {str(n): p.value for n, p in enumerate(now)})
            rows += [row] if row else []
        print(f"{name:14} {shown(rows):>19}")
    rows = []
    for number in sorted(trust_of):
        singles = [Praise(p.round, p.day, p.giver, str(n), p.text, p.value, p.scores) for n, p in enumerate(praises) if p.round == number]
        rows += ceiling(singles, mean)
    print(f"{'human ceiling':14} {shown(rows):>19}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    praises, paid = read_praise(folder / "praise.jsonl"), read_paid(folder / "payouts.csv")
    scorers = {name for praise in praises for name in praise.scores}
    print(f"{len(praises):,} praises of {len({p.round for p in praises})} rounds, {len(scorers)} scorers, {len(paid):,} payouts\n")
    people(praises, paid)
    one_by_one(praises)


if __name__ == "__main__":
    main()
