"""SourceCred's published cred, worked out again from its own graph and weights.

    python -m bench.sourcecred FOLDER

FOLDER is sourcecred-graph: the weighted graph of an instance on one day, the weights that its operators set, and the cred that
SourceCred published for every node and week. Three scores of the same graph are compared with it:

- `timeline`: by the weights that the graph holds, the algorithm of that time (v0.6): week by week a walk with restart at what was minted, in which minted weight and
  edges fade by half each week; a week's scores are scaled so that its users together get what was minted;
- `weights.json`: the same by the weights of the file beside it, which has some that the graph was not made with;
- `credrank`: its successor in outline: one walk over the whole graph, without weeks, α = .1;
- `ours`: what the attack bench calls a SourceCred-like score: posts, authors and endorsements alone.

Spearman's ρ over users and over all nodes, and where users' places differ most. Floats: nothing is paid by these figures.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from bench.attack_scores import Graph as Endorsements
from bench.attack_scores import sourcecred as endorsement_score

LOOP = 1e-3  # weight of each node's edge to itself: a node without edges keeps what it has
ROUNDS, ENOUGH = 255, 1e-7  # most steps of a walk; it stops where no node changes by more
CREDRANK_ALPHA = 0.1
Array = Any


@dataclass(frozen=True)
class Instance:
    """A weighted graph: nodes by number, edges with what they carry each way, and when each was made."""

    names: Sequence[str]  # address of a node: "N\\0sourcecred\\0discord\\0MEMBER\\0…\\0"
    minted: Array  # weight of each node
    made: Array  # milliseconds, NaN where a node has no time
    source: Array
    target: Array
    forwards: Array
    backwards: Array
    edge_made: Array
    users: Array  # whether a node is a person


def read_instance(path: Path, user_types: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Instance:
    """A weighted graph as SourceCred writes it; dangling edges are left out, as it does.

    The weight of a node or edge is the product over all prefixes of its address that have one; `overrides` take the place of
    a prefix's weight.
    """
    data = json.loads(path.read_text(encoding="utf-8"))[1]
    graph, weights = data["graphJSON"][1], data["weightsJSON"][1]
    names = [_address("N", parts) for parts in graph["sortedNodeAddresses"]]
    there = {node["index"]: node["timestampMs"] for node in graph["nodes"]}
    place = {index: number for number, index in enumerate(sorted(there))}
    kept = [e for e in graph["edges"] if e["srcIndex"] in place and e["dstIndex"] in place]
    nodes = dict(weights["nodeWeights"]) | dict((overrides or {}).get("nodeWeights", {}))
    edges = dict(weights["edgeWeights"]) | dict((overrides or {}).get("edgeWeights", {}))
    ends = [
        (_product(edges, _address("E", e["address"]), "forwards"), _product(edges, _address("E", e["address"]), "backwards")) for e in kept
    ]
    ordered = [names[index] for index in sorted(there)]
    return Instance(
        ordered,
        np.array([_product(nodes, name, None) for name in ordered]),
        np.array([np.nan if there[index] is None else there[index] for index in sorted(there)], dtype=float),
        np.array([place[e["srcIndex"]] for e in kept]),
        np.array([place[e["dstIndex"]] for e in kept]),
        np.array([forwards for forwards, _ in ends]),
        np.array([backwards for _, backwards in ends]),
        np.array([e["timestampMs"] for e in kept], dtype=float),
        np.array([name.startswith(tuple(user_types)) for name in ordered]),
    )


def _address(kind: str, parts: Sequence[str]) -> str:
    return kind + "\0" + "".join(part + "\0" for part in parts)


def _product(weights: Mapping[str, Any], address: str, way: str | None) -> float:
    """The product of the weights of all prefixes of an address; 1 where none has one."""
    parts, prefix, product = address.split("\0")[:-1], "", 1.0
    for part in parts:
        prefix += part + "\0"
        if prefix in weights:
            product *= float(weights[prefix] if way is None else weights[prefix][way])
    return product


# --- scores ---------------------------------------------------------------------------------------------------------


def timeline(instance: Instance, weeks: Sequence[Mapping[str, int]], alpha: float, decay: float) -> Array:
    """Cred by node and week, as SourceCred computed it until 2020."""
    count = len(instance.names)
    seed, weight_to, weight_back = np.zeros(count), np.zeros(len(instance.source)), np.zeros(len(instance.source))
    cred = np.zeros((count, len(weeks)))
    scores = np.full(count, 1 / count)
    for number, week in enumerate(weeks):
        start, end = week["startTimeMs"], week["endTimeMs"]
        fresh = (instance.made >= start) & (instance.made < end)
        new = (instance.edge_made >= start) & (instance.edge_made < end)
        seed = seed * decay + np.where(fresh, instance.minted, 0)
        weight_to = weight_to * decay + np.where(new, instance.forwards, 0)
        weight_back = weight_back * decay + np.where(new, instance.backwards, 0)
        total = seed.sum()
        restart = seed / total if total else np.full(count, 1 / count)
        scores = _walk(_chain(instance, weight_to, weight_back), restart, alpha, scores)
        people = scores[instance.users].sum()
        cred[:, number] = scores * (total / people) if people else 0
    return cred


def credrank(instance: Instance) -> Array:
    """One walk over all of it: what is minted flows along the edges, with restart at the mints."""
    restart = np.where(np.isnan(instance.made), 0, instance.minted)
    return _walk(_chain(instance, instance.forwards, instance.backwards), restart / restart.sum(), CREDRANK_ALPHA, restart / restart.sum())


def endorsements(instance: Instance) -> dict[str, float]:
    """The attack bench's score, which knows posts, authors and endorsements: reactions and likes of posts."""
    posts, endorsed, owner = {}, [], {}
    names = instance.names
    for source, target, kind in zip(instance.source, instance.target, _kinds(instance), strict=True):
        if kind == "AUTHORS":
            posts[names[target]] = names[source]
        elif kind in ("ADDS_REACTION", "createsLike"):
            owner[names[target]] = names[source]  # a reaction belongs to who gave it
    for source, target, kind in zip(instance.source, instance.target, _kinds(instance), strict=True):
        if kind in ("REACTS_TO", "likes") and names[source] in owner and names[target] in posts:
            endorsed.append((owner[names[source]], posts[names[target]], names[target]))
    return endorsement_score(Endorsements(posts, tuple(endorsed)))


def _kinds(instance: Instance) -> list[str]:
    """What an edge is, by the kinds of its ends: the arrays hold no addresses."""
    told = {("person", kind): "AUTHORS" for kind in ("MESSAGE", "post", "topic", "COMMENT", "COMMIT", "ISSUE", "PULL", "REVIEW")}
    told |= {("person", "REACTION"): "ADDS_REACTION", ("person", "like"): "createsLike"}
    told |= {("REACTION", "MESSAGE"): "REACTS_TO", ("like", "post"): "likes"}
    kinds = ["person" if is_one else name.split("\0")[3] for name, is_one in zip(instance.names, instance.users, strict=True)]
    return [told.get((kinds[a], kinds[b]), "") for a, b in zip(instance.source, instance.target, strict=True)]


def _chain(instance: Instance, to: Array, back: Array) -> csr_matrix:
    """Column-stochastic: what each node hands to each. An edge carries `to` from its source on, and `back` the other way."""
    count = len(instance.names)
    rows = np.concatenate([instance.target, instance.source, np.arange(count)])
    columns = np.concatenate([instance.source, instance.target, np.arange(count)])
    weights = np.concatenate([to, back, np.full(count, LOOP)])
    matrix = csr_matrix((weights, (rows, columns)), shape=(count, count))
    out = np.asarray(matrix.sum(axis=0)).ravel()
    return matrix @ csr_matrix((1 / out, (np.arange(count), np.arange(count))), shape=(count, count))


def _walk(chain: csr_matrix, restart: Array, alpha: float, scores: Array) -> Array:
    for _ in range(ROUNDS):
        after = alpha * restart + (1 - alpha) * (chain @ scores)
        if np.abs(after - scores).max() <= ENOUGH:
            return after
        scores = after
    return scores


# --- comparing ------------------------------------------------------------------------------------------------------


def published(path: Path) -> tuple[dict[str, list[float]], list[dict[str, int]], dict[str, float], list[str]]:
    """Cred by node and week, the weeks, the parameters, and the types of people."""
    data = json.loads(path.read_text(encoding="utf-8"))[1]
    users = [kind["prefix"] for plugin in data["pluginsJSON"] for kind in plugin["userTypes"]]
    return data["credJSON"], data["intervalsJSON"], data["paramsJSON"], users


def compare(name: str, found: Mapping[str, float], theirs: Mapping[str, float], users: set[str]) -> float:
    """Print ρ over people and over all nodes; the first is returned."""
    lines = []
    for what, names in (("people", sorted(users)), ("nodes", sorted(theirs))):
        a, b = [found.get(n, 0.0) for n in names], [theirs[n] for n in names]
        lines.append((float(spearmanr(a, b).statistic), what, len(names)))
    told = ", ".join(f"ρ = {rho:.4f} over {count:,} {what}" for rho, what, count in lines)
    total = sum(abs(found.get(n, 0.0) - theirs[n]) for n in users) / sum(theirs[n] for n in users)
    print(f"{name:12} {told}; people's cred off by {total:.2%} of all, in sum")
    return lines[0][0]


def differences(found: Mapping[str, float], theirs: Mapping[str, float], users: set[str], most: int = 5) -> None:
    """People whose place differs most, by kind of account: names are not printed."""

    def places(scores: Mapping[str, float]) -> dict[str, int]:
        return {n: place for place, n in enumerate(sorted(users, key=lambda n: (-scores.get(n, 0.0), n)), 1)}

    ours, their = places(found), places(theirs)
    by_kind: defaultdict[str, list[int]] = defaultdict(list)
    for n in users:
        by_kind[_kind(n)].append(abs(ours[n] - their[n]))
    for kind, gaps in sorted(by_kind.items()):
        print(f"  {kind:18} {len(gaps):3} people, places differ by {sum(gaps) / len(gaps):.1f} in the mean, {max(gaps)} at most")
    worst = sorted(users, key=lambda n: -abs(ours[n] - their[n]))[:most]
    print("  furthest apart (theirs → ours): " + ", ".join(f"{_kind(n)} {their[n]} → {ours[n]}" for n in worst))


def _kind(name: str) -> str:
    """ "discord/MEMBER"; accounts that were joined to one identity are "identity": what follows there is a person's name."""
    parts = name.split("\0")[2:4]
    return parts[0] if parts[0] == "identity" else "/".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    cred, weeks, params, user_types = published(next(folder.glob("cred-*.json")))
    theirs = {name: sum(by_week) for name, by_week in cred.items()}
    graph = next(folder.glob("weightedGraph-*.json"))
    instance = read_instance(graph, user_types)
    people = {name for name, is_one in zip(instance.names, instance.users, strict=True) if is_one}
    print(f"{len(instance.names):,} nodes, {len(instance.source):,} edges, {len(people)} people, {len(weeks)} weeks, {params}")
    by_week = timeline(instance, weeks, params["alpha"], params["intervalDecay"])
    rho = compare("timeline", dict(zip(instance.names, by_week.sum(axis=1), strict=True)), theirs, people)
    worst = max(abs(value - cred[name][week]) for name, row in zip(instance.names, by_week, strict=True) for week, value in enumerate(row))
    print(f"  of {by_week.size:,} values of nodes and weeks the worst is off by {worst:.1e}")
    overrides = json.loads((folder / "weights.json").read_text(encoding="utf-8"))[1]
    other = read_instance(graph, user_types, overrides)
    found = dict(zip(other.names, timeline(other, weeks, params["alpha"], params["intervalDecay"]).sum(axis=1), strict=True))
    compare("weights.json", found, theirs, people)
    differences(found, theirs, people)
    one, total = credrank(instance), sum(theirs[n] for n in people)
    ranked = dict(zip(instance.names, one * (total / one[instance.users].sum()), strict=True))
    compare("credrank", ranked, theirs, people)
    differences(ranked, theirs, people)
    mine = endorsements(instance)
    compare("ours", {name: share * total for name, share in mine.items()}, theirs, people)
    differences(mine, theirs, people)
    raise SystemExit(rho < 0.999)


if __name__ == "__main__":
    main()
