"""Which key point does an argument make? Our measures of "says the same" on the data of the KPA-2021 shared task.

    python -m bench.key_points FOLDER

FOLDER is ibm-kpa: arguments, key points and labels of train (24 topics) and dev (4 topics). As in the shared task:
within a topic and stance each argument gets its best key point, the half with the lowest scores is dropped, and average
precision is taken over the rest; mAP is the mean over topics and stances. Pairs that annotators left undecided count as
wrong (strict) or as right (relaxed). Published figures are on a test part of three other topics.

Compared: chance; word overlap (cosine of tf-idf); the cosine of index.embed.Encoder, which amend._twin uses; their sum;
and logistic scorers of the pair over a few numbers or over the encoder's vectors, trained on other topics only: on train
for dev, and over all 28 topics by sevenths. Intervals are 95 %, by bootstrap over topics (dev has four).
Then: what amend's thresholds for "the same step" would find among the labelled pairs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.amend import BESIDE_BP, NEAR_STEP_BP, SAME_FRAME_BP, SAME_STEP_BP
from index.embed import cosine_bp, encoder

ROUNDS = 1000
KEPT = 0.5  # share of a group's arguments, the surest first, that count
FOLDS = 7
Floats = npt.NDArray[np.float64]
Scores = dict[int, Floats]  # group → (arguments, key points)


@dataclass(frozen=True, slots=True)
class Group:
    """A topic and stance: its texts and labels, 1 matching, 0 not, -1 undecided, of shape (arguments, key points)."""

    part: str
    topic: str
    arguments: tuple[str, ...]
    points: tuple[str, ...]
    labels: npt.NDArray[np.int8]


def load(folder: Path) -> list[Group]:
    found: list[Group] = []
    for part in ("train", "dev"):
        arguments, points, labels = (_rows(folder / f"{name}_{part}.csv") for name in ("arguments", "key_points", "labels"))
        decided = {(row["arg_id"], row["key_point_id"]): int(row["label"]) for row in labels}
        for topic, stance in sorted({(row["topic"], row["stance"]) for row in arguments}):
            rows = [row for row in arguments if (row["topic"], row["stance"]) == (topic, stance)]
            columns = [row for row in points if (row["topic"], row["stance"]) == (topic, stance)]
            table = [[decided.get((a["arg_id"], k["key_point_id"]), -1) for k in columns] for a in rows]
            found.append(
                Group(
                    part, topic, tuple(a["argument"] for a in rows), tuple(k["key_point"] for k in columns), np.array(table, dtype=np.int8)
                )
            )
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def average_precision(hits: Sequence[bool] | npt.NDArray[np.bool_], scores: Floats) -> float:
    """Mean over the hits of the share of hits among all that score at least as high; 0 where nothing hits."""
    hit, score = np.asarray(hits, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not hit.any():
        return 0.0
    return float(np.mean([hit[score >= s].mean() for s in score[hit]]))


def group_precision(scores: Floats, labels: npt.NDArray[np.int8], strict: bool) -> float:
    """Average precision of the surest half of the arguments, each with its best key point."""
    best = scores.argmax(1)
    rows = np.arange(len(best))
    surety, label = scores[rows, best], labels[rows, best]
    kept = np.argsort(-surety, kind="stable")[: int(len(best) * KEPT)]
    return average_precision(label[kept] == 1 if strict else label[kept] != 0, surety[kept])


def precisions(groups: Sequence[Group], scores: Sequence[Floats], strict: bool) -> list[float]:
    """Of each group; their mean is mAP."""
    return [group_precision(s, group.labels, strict) for group, s in zip(groups, scores, strict=True)]


def spread(groups: Sequence[Group], values: Sequence[float]) -> tuple[float, float]:
    """Of the mean of the groups' values, by drawing topics."""
    by_topic: dict[str, list[float]] = {}
    for group, value in zip(groups, values, strict=True):
        by_topic.setdefault(group.topic, []).append(value)
    topics = sorted(by_topic)
    chance = np.random.default_rng(0)
    drawn = [np.mean([v for n in chance.integers(0, len(topics), len(topics)) for v in by_topic[topics[n]]]) for _ in range(ROUNDS)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def word_overlap(groups: Sequence[Group]) -> list[Floats]:
    """Cosine of tf-idf vectors; the words of a group's own arguments and key points say what is rare."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    found = []
    for group in groups:
        made = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit([*group.arguments, *group.points])
        found.append(np.asarray((made.transform(group.arguments) @ made.transform(group.points).T).todense(), dtype=np.float64))
    return found


Vectors = tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]  # of arguments and of key points


def embedded(groups: Sequence[Group]) -> list[Vectors]:
    model = encoder()
    return [(model.encode(group.arguments), model.encode(group.points)) for group in groups]


def few_features(cosines: Floats, overlaps: Floats) -> Floats:
    """(arguments × key points, 4): cosine and word overlap, each also beside the argument's mean over all key points."""
    parts = (cosines, overlaps, cosines - cosines.mean(1, keepdims=True), overlaps - overlaps.mean(1, keepdims=True))
    return np.stack([part.reshape(-1) for part in parts], axis=1)


def vector_features(vectors: Vectors) -> Floats:
    """(arguments × key points, 2 × dimensions + 1): |a - b|, a * b and the cosine."""
    a, b = (part.astype(np.float64) / 127 for part in vectors)
    left, right = np.repeat(a, len(b), axis=0), np.tile(b, (len(a), 1))
    return np.hstack([np.abs(left - right), left * right, cosine_bp(*vectors).reshape(-1, 1) / 10_000])


# Regularisation. Of the vectors': the best of 1e-5, 1e-4, 1e-3 by folds over the topics of train; of the few: as it comes.
STRENGTH = {"few": 1.0, "vector": 1e-5}
Features = Callable[[int], Floats]  # of a group, by its place


def logistic(groups: Sequence[Group], features: Features, strength: float, seen: Sequence[int], unseen: Sequence[int]) -> list[Floats]:
    """Scores of the unseen groups by a logistic scorer of pairs that learnt from the decided pairs of the seen ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = [(features(n)[(flat := groups[n].labels.reshape(-1)) >= 0], flat[flat >= 0]) for n in seen]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
    model.fit(np.vstack([x for x, _ in known]), np.concatenate([y for _, y in known]))
    return [np.asarray(model.decision_function(features(n))).reshape(groups[n].labels.shape) for n in unseen]


def by_sevenths(groups: Sequence[Group], features: Features, strength: float) -> list[Floats]:
    """Scores of every group by a scorer that has not seen its topic."""
    topics = sorted({group.topic for group in groups})
    found: list[Floats] = [np.zeros((0, 0))] * len(groups)
    for fold in range(FOLDS):
        held = {topic for n, topic in enumerate(topics) if n % FOLDS == fold}
        unseen = [n for n, group in enumerate(groups) if group.topic in held]
        seen = [n for n, group in enumerate(groups) if group.topic not in held]
        for n, table in zip(unseen, logistic(groups, features, strength, seen, unseen), strict=True):
            found[n] = table
    return found


def show(title: str, groups: Sequence[Group], ways: Mapping[str, Sequence[Floats]]) -> None:
    print(f"{title}: {len(groups)} topics and stances, {sum(len(g.arguments) for g in groups)} arguments")
    base = {strict: precisions(groups, ways["encoder's cosine"], strict) for strict in (True, False)}
    for name, scores in ways.items():
        cells = []
        for strict in (True, False):
            values = precisions(groups, scores, strict)
            apart = [value - other for value, other in zip(values, base[strict], strict=True)]
            cells.append(
                f"{'strict' if strict else 'relaxed'} {np.mean(values):.3f} [{_pair(spread(groups, values))}]"
                f" (beside the cosine {np.mean(apart):+.3f} [{_pair(spread(groups, apart))}])"
            )
        print(f"  {name:32} mAP {'  '.join(cells)}")


def _pair(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f}, {bounds[1]:.3f}"


def by_chance(groups: Sequence[Group]) -> list[Floats]:
    chance = np.random.default_rng(0)
    return [chance.random(group.labels.shape) for group in groups]


def thresholds(groups: Sequence[Group], cosines: Sequence[Floats], others: Mapping[str, Sequence[Floats]]) -> None:
    """What cosine thresholds find among the decided pairs, and what other scores find at the precision of the highest."""
    label = _flat([g.labels for g in groups])
    cosine, match = _flat(cosines)[label >= 0], label[label >= 0] == 1
    print(f"decided pairs: {len(match)}, matching: {int(match.sum())}")
    best = max(range(2000, 9500, 100), key=lambda bp: _f1(cosine >= bp, match))
    named = {
        "SAME_STEP_BP": SAME_STEP_BP,
        "SAME_FRAME_BP": SAME_FRAME_BP,
        "BESIDE_BP": BESIDE_BP,
        "NEAR_STEP_BP": NEAR_STEP_BP,
        "best F1": best,
    }
    for name, bp in named.items():
        found = cosine >= bp
        right = int((found & match).sum())
        print(f"  cosine >= {bp} ({name}): {int(found.sum())} pairs, P {right / max(1, found.sum()):.3f}  R {right / match.sum():.3f}")
    floor = float(match[cosine >= SAME_STEP_BP].mean())
    for name, scores in others.items():
        print(f"  most that {name} finds at P >= {floor:.3f}: R {recall_at(_flat(scores)[label >= 0], match, floor):.3f}")


def recall_at(scores: Floats, match: npt.NDArray[np.bool_], floor: float) -> float:
    """The highest recall at any threshold whose precision is at least `floor`."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(match[order])
    ends = np.append(np.diff(scores[order]) != 0, True)  # equal scores are found together
    good = ends & (hits >= floor * np.arange(1, len(hits) + 1))
    return float(hits[good].max() / match.sum()) if good.any() else 0.0


def _flat(tables: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate([table.reshape(-1) for table in tables])


def _f1(found: npt.NDArray[np.bool_], match: npt.NDArray[np.bool_]) -> float:
    return float(2 * (found & match).sum() / max(1, found.sum() + match.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    groups = load(parser.parse_args().folder)
    vectors = embedded(groups)
    train, dev = ([n for n, group in enumerate(groups) if group.part == part] for part in ("train", "dev"))
    cosines: list[Floats] = [cosine_bp(*v).astype(np.float64) for v in vectors]
    overlaps = word_overlap(groups)
    plain = {
        "chance": by_chance(groups), "word overlap": overlaps, "encoder's cosine": cosines,
        "cosine + overlap": [c / 10_000 + o for c, o in zip(cosines, overlaps, strict=True)],
    }  # fmt: skip
    features: dict[str, Features] = {
        "few": lambda n: few_features(cosines[n] / 10_000, overlaps[n]),
        "vector": lambda n: vector_features(vectors[n]),
    }
    on_dev = {name: [scores[n] for n in dev] for name, scores in plain.items()}
    on_dev |= {f"logistic over {kind} features": logistic(groups, made, STRENGTH[kind], train, dev) for kind, made in features.items()}
    everywhere = plain | {f"logistic over {kind} features": by_sevenths(groups, made, STRENGTH[kind]) for kind, made in features.items()}
    show("dev, trained on train", [groups[n] for n in dev], on_dev)
    show("train and dev, by sevenths", groups, everywhere)
    thresholds(groups, cosines, everywhere)


if __name__ == "__main__":
    main()
