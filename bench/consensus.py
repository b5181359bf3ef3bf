"""Does a support measure, fed with a fifth of the voters, rank statements as all voters do?

    python -m bench.consensus POLIS_FOLDER [--draws 50]

POLIS_FOLDER holds conversations exported by Polis; those with votes.csv are used, the last vote of a voter on a statement
counts. In each draw a fifth of the voters is drawn, every measure sees their votes only, and its ranking is compared
(Spearman) with four of all voters:

    (a) agree share                     (b) the same measure on all voters
    (c) group-informed consensus ∏ (A+1)/(S+2) over the opinion groups that Polis itself published
    (d) agree share of the other four fifths

Statements with fewer than LEAST_VOTES votes of all are left out: nobody knows their rank. One that nobody of the fifth has
seen has no raw share; it gets the mean. `(a) seen` is (a) on statements that five or more of the fifth voted on.
`outvoted` is (a) with the larger group's members of the fifth counted five times over. Brackets hold 95 % of the draws, not
of other conversations; draws overlap.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from distill.consensus import Support, Voice, Vote, consensus
from index.errors import UsageError

Votes = np.ndarray[Any, Any]  # (voters, statements): 1 agree, 0 pass, −1 disagree, nan not seen
Floats = np.ndarray[Any, Any]
Measure = Callable[[Votes], Floats]

LEAST_VOTES = 10
SHARE = 0.2
FIRST_SEED = 1000  # constants of the measures were looked at on draws with lower seeds
VOICES: dict[int, Voice] = {1: "agree", 0: "pass", -1: "disagree"}
AIMS = ("a", "b", "c", "d", "a seen", "outvoted")


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    votes: Votes
    groups: np.ndarray[Any, Any]  # of each voter, as Polis published it; −1 where it gave none


def load(folder: Path) -> Conversation:
    last = {(int(r["voter-id"]), int(r["comment-id"])): int(r["vote"]) for r in rows_of(folder / "votes.csv")}
    published = {int(r["participant"]): r["group-id"] for r in rows_of(folder / "participants-votes.csv")}
    voters, statements = sorted({v for v, _ in last}), sorted({s for _, s in last})
    votes = np.full((len(voters), len(statements)), np.nan)
    for (voter, statement), vote in last.items():
        votes[voters.index(voter), statements.index(statement)] = vote
    votes = votes[:, (~np.isnan(votes)).sum(0) >= LEAST_VOTES]
    groups = np.array([int(published.get(voter) or -1) for voter in voters])
    present = (~np.isnan(votes)).any(1)
    return Conversation(folder.name, votes[present], groups[present])


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def counts(votes: Votes) -> tuple[Floats, Floats]:
    return (votes == 1).sum(0).astype(float), (~np.isnan(votes)).sum(0).astype(float)


# --- measures -------------------------------------------------------------------------------------------------------


def raw_share(votes: Votes) -> Floats:
    agree, seen = counts(votes)
    return np.where(seen > 0, agree / np.maximum(seen, 1), agree.sum() / seen.sum())


def shrunken_share(votes: Votes, prior: float = 2.0) -> Floats:
    agree, seen = counts(votes)
    return (agree + prior * agree.sum() / seen.sum()) / (seen + prior)


def completed(votes: Votes, rounds: int = 40) -> Floats:
    """Ridge completion of the matrix: mean + voter + statement + one factor; then everybody's share, votes filled in."""
    seen = ~np.isnan(votes)
    agrees = np.where(seen, votes == 1, 0.0)
    mean, voter, statement = agrees[seen].mean(), np.zeros((len(votes), 1)), np.zeros((1, votes.shape[1]))
    centred = np.where(seen, agrees - raw_share(votes), 0.0)
    left, _, right = np.linalg.svd(centred, full_matrices=False)
    stand, line = left[:, :1] * 0.5 * len(votes) ** 0.5, right[:1]
    for _ in range(rounds):
        part = np.where(seen, agrees - mean - stand * line, 0.0)
        statement = (part - voter * seen).sum(0, keepdims=True) / (seen.sum(0, keepdims=True) + 1)
        voter = (part - statement * seen).sum(1, keepdims=True) / (seen.sum(1, keepdims=True) + 3)
        part = np.where(seen, agrees - mean - voter - statement, 0.0)
        stand = (part * line).sum(1, keepdims=True) / ((seen * line**2).sum(1, keepdims=True) + 2)
        line = (part * stand).sum(0, keepdims=True) / ((seen * stand**2).sum(0, keepdims=True) + 2)
    return np.asarray((mean + voter + statement + stand * line).mean(0))


def group_informed(votes: Votes) -> Floats:
    """As Polis does it: two principal components, k-means with the k of the best silhouette, ∏ over groups of (A+1)/(S+2)."""
    return over_groups(votes, found_groups(votes))


def over_groups(votes: Votes, groups: np.ndarray[Any, Any]) -> Floats:
    product = np.ones(votes.shape[1])
    for group in sorted(set(groups.tolist()) - {-1}):
        agree, seen = counts(votes[groups == group])
        product *= (agree + 1) / (seen + 2)
    return product


def found_groups(votes: Votes) -> np.ndarray[Any, Any]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    seen = ~np.isnan(votes)
    known = seen.sum(1) >= min(7, int(np.median(seen.sum(1))))
    mean = np.nan_to_num(votes).sum(0) / np.maximum(seen.sum(0), 1)
    centred = np.where(seen, votes - mean, 0.0)
    axes = np.linalg.svd(centred[known], full_matrices=False)[2][:2]
    places = centred @ axes.T * np.sqrt(votes.shape[1] / seen.sum(1))[:, None]
    best = (-2.0, np.full(int(known.sum()), 0))
    for k in range(2, min(6, int(known.sum()))):
        labels = KMeans(k, n_init=5, random_state=0).fit_predict(places[known])
        best = max(best, (float(silhouette_score(places[known], labels)), labels), key=lambda b: b[0])
    groups = np.full(len(votes), -1)
    groups[known] = best[1]
    return groups


def as_product(votes: Votes, part: Callable[[Support], float]) -> Floats:
    """The project's own measure, through its front door."""
    rows: list[Vote] = [(f"{v:06}", f"{s:06}", VOICES[int(votes[v, s])]) for v, s in np.argwhere(~np.isnan(votes))]
    found = consensus(rows, [f"{s:06}" for s in range(votes.shape[1])])
    return np.array([part(found[name]) for name in sorted(found)])


def blend(weight: float) -> Callable[[Support], float]:
    return lambda s: s.share_bp if s.common_bp is None else (1 - weight) * s.share_bp + weight * s.common_bp


MEASURES: dict[str, Measure] = {
    "raw agree share": raw_share,
    "shrunken share": shrunken_share,
    "low-rank completion": completed,
    "group-informed": group_informed,
    "voter-corrected": partial(as_product, part=blend(0)),
    "  + camps 1/4 (kept)": partial(as_product, part=lambda s: s.support_bp),
    "  + camps 1/2": partial(as_product, part=blend(0.5)),
    "  camps alone": partial(as_product, part=blend(1)),
}


# --- draws ----------------------------------------------------------------------------------------------------------


def likeness(one: Floats, other: Floats) -> float:
    return float(spearmanr(np.round(one, 9), np.round(other, 9))[0])


def one_draw(talk: Conversation, seed: int, whole: dict[str, Floats]) -> dict[str, list[float]]:
    """For each measure its likeness to each of AIMS."""
    chance = np.random.default_rng(seed)
    drawn = np.sort(chance.choice(len(talk.votes), round(SHARE * len(talk.votes)), replace=False))
    votes, rest = talk.votes[drawn], np.delete(talk.votes, drawn, axis=0)
    known = talk.groups[talk.groups >= 0]
    crowd = votes[talk.groups[drawn] == np.bincount(known).argmax()]
    loud = np.concatenate([votes, *[crowd] * 4])
    all_share, by_group = whole["raw agree share"], over_groups(talk.votes, talk.groups)
    others, seen = raw_share(rest), counts(votes)[1] >= 5
    figures = {}
    for name, measure in MEASURES.items():
        found = measure(votes)
        figures[name] = [
            likeness(found, all_share), likeness(found, whole[name]), likeness(found, by_group), likeness(found, others),
            likeness(found[seen], all_share[seen]), likeness(measure(loud), all_share),
        ]  # fmt: skip
    return figures


def compared(talk: Conversation, draws: int) -> dict[str, Floats]:
    """Measure → (draws, AIMS); printed as it comes."""
    whole = {name: measure(talk.votes) for name, measure in MEASURES.items()}
    rows = [one_draw(talk, FIRST_SEED + n, whole) for n in range(draws)]
    table = {name: np.array([row[name] for row in rows]) for name in MEASURES}
    asked = counts(talk.votes)[1]
    print(f"\n{talk.name}: {len(talk.votes)} voters, {talk.votes.shape[1]} statements, {int(asked.sum())} votes, {draws} draws")
    print(f"{'':22}" + "".join(f"{f'({aim})':>10}" for aim in AIMS) + "   (a) 95 % of draws   (a) − raw, 95 % of draws, better in")
    for name, figures in table.items():
        ahead = figures[:, 0] - table["raw agree share"][:, 0]
        print(
            f"{name:22}" + "".join(f"{mean:10.3f}" for mean in figures.mean(0))
            + f"   [{' '.join(f'{q:.3f}' for q in np.quantile(figures[:, 0], (0.025, 0.975)))}]"
            + f"   {ahead.mean():+.3f} [{' '.join(f'{q:+.3f}' for q in np.quantile(ahead, (0.025, 0.975)))}] {100 * (ahead > 0).mean():.0f} %"
        )  # fmt: skip
    return table


def chosen_elsewhere(tables: dict[str, dict[str, Floats]]) -> None:
    """Which measure would be kept by (a), and by the mean of (a) and (c), if one conversation were not known."""
    for aims, title in (((0,), "(a)"), ((0, 2), "mean of (a) and (c)")):
        print(f"\nchosen on the other conversations by {title}, and its figure on the one left out, beside the raw share:")
        for name in tables:
            others = [table for other, table in tables.items() if other != name]
            best = max(MEASURES, key=lambda m: sum(table[m][:, aims].mean() for table in others))
            own = tables[name]
            print(f"  {name}: {best.strip()}, {own[best][:, aims].mean():.3f}, raw {own['raw agree share'][:, aims].mean():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=50)
    arguments = parser.parse_args()
    folders = sorted(path.parent for path in arguments.folder.glob("*/votes.csv"))
    if not folders:
        raise UsageError(f"no votes.csv in any folder of {arguments.folder}", "name a folder with exported Polis conversations")
    tables = {folder.name: compared(load(folder), arguments.draws) for folder in folders}
    print("\nmean over conversations")
    for name in MEASURES:
        print(f"{name:22}" + "".join(f"{np.mean([table[name][:, n].mean() for table in tables.values()]):10.3f}" for n in range(len(AIMS))))
    chosen_elsewhere(tables)


if __name__ == "__main__":
    main()
