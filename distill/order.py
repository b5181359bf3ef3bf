"""Order as a graph: explicit words, numbered lists and adjacency; cycles are cut at the weakest edge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distill.amend import DraftStep
from distill.scoring import ScoredThread

# Weights of an edge by what speaks for it.
SAID, NUMBERED, ADJACENT = 100, 60, 10

_FIRST = re.compile(r"^\W*(?:first(?:ly)?|to (?:begin|start)|initially|start by|begin by)\b", re.I)
_LAST = re.compile(r"^\W*(?:finally|lastly|at the end|in the end|last(?:ly)?)\b", re.I)
_NEXT = re.compile(
    r"^\W*(?:then|next|after that|afterwards?|once|when|after|subsequently|second(?:ly)?|third(?:ly)?|now|upon|following)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Order:
    ordered: bool
    sequence: tuple[int, ...]  # indices of the steps, first to last
    after: tuple[tuple[int, ...], ...]  # for each step in the sequence: positions (from 1) that come right before it


def find_order(scored: ScoredThread, steps: Sequence[DraftStep]) -> Order:
    """Sequence of the steps; one without any sign of order keeps reading order and is called unordered."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(steps)))
    said = 0
    for index in range(len(steps) - 1):
        weight = _edge(scored, steps, index, index + 1)
        said += weight > ADJACENT
        graph.add_edge(index, index + 1, weight=weight)
    for index, step in enumerate(steps):
        text = _text(scored, step)
        begin, end = _bullets_beside(scored, steps, index)
        if _FIRST.match(text) and index > begin:
            _move(graph, (index - 1, index), (index, begin))
            if begin:
                _move(graph, (begin - 1, begin), (begin - 1, index), ADJACENT)
            said += 1
        if _LAST.match(text) and index < end:
            _move(graph, (index, index + 1), (end, index))
            if end < len(steps) - 1:
                _move(graph, (end, end + 1), (index, end + 1), ADJACENT)
            said += 1
    while not nx.is_directed_acyclic_graph(graph):
        cycle = nx.find_cycle(graph)
        weakest = min(cycle, key=lambda edge: (graph.edges[edge[0], edge[1]]["weight"], edge))
        graph.remove_edge(weakest[0], weakest[1])
    sequence = list(nx.lexicographical_topological_sort(graph))
    bullets = sum(_is_bullet(scored, step) for step in steps)
    ordered = said > 0 or bullets * 2 < len(steps)
    position = {step: place + 1 for place, step in enumerate(sequence)}
    after = tuple(
        tuple(sorted(position[p] for p in graph.predecessors(step) if graph.edges[p, step]["weight"] > ADJACENT)) if ordered else ()
        for step in sequence
    )
    return Order(ordered, tuple(sequence), after)


def _bullets_beside(scored: ScoredThread, steps: Sequence[DraftStep], index: int) -> tuple[int, int]:
    """First and last of the steps in a row that are bullets of one list with this one; itself where it is no bullet.

    Only there do "first" and "finally" move a step: a numbered list has said its order, and in running text people write
    in the order in which things are done, each section with a "finally" of its own.
    """
    begin = end = index
    if _is_bullet(scored, steps[index]):
        mark = _list_of(scored, steps[index])
        while begin and _list_of(scored, steps[begin - 1]) == mark:
            begin -= 1
        while end < len(steps) - 1 and _list_of(scored, steps[end + 1]) == mark:
            end += 1
    return begin, end


def _list_of(scored: ScoredThread, step: DraftStep) -> tuple[int, int]:
    place = step.statements[0].place
    return place.post, scored.posts[place.post].passage(place.passage).list_id


def _move(graph: Any, away: tuple[int, int], to: tuple[int, int], weight: int = SAID) -> None:
    """A word moves a step: where it stood says nothing any more."""
    if graph.has_edge(*away):
        graph.remove_edge(*away)
    graph.add_edge(*to, weight=weight)


def _edge(scored: ScoredThread, steps: Sequence[DraftStep], left: int, right: int) -> int:
    a, b = steps[left].statements[0].place, steps[right].statements[0].place
    if a == b:
        return NUMBERED  # clauses of one sentence
    if _NEXT.match(_text(scored, steps[right])):
        return SAID
    first, second = scored.posts[a.post].passage(a.passage), scored.posts[b.post].passage(b.passage)
    if a.post == b.post and first.ordered and second.ordered and first.list_id == second.list_id:
        return NUMBERED
    return ADJACENT


def _is_bullet(scored: ScoredThread, step: DraftStep) -> bool:
    place = step.statements[0].place
    passage = scored.posts[place.post].passage(place.passage)
    return passage.kind == "item" and not passage.ordered


def _text(scored: ScoredThread, step: DraftStep) -> str:
    place = step.statements[0].place
    return scored.posts[place.post].passage(place.passage).text
