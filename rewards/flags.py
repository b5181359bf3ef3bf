"""What a person should look at: rings, reciprocal pairs, bursts of new accounts, accounts that write alike.

A flag is evidence with its posts, never a ban: nothing here changes a credit. What honest accounts are flagged by mistake,
and what is found of injected ones, is measured by `python -m bench.attacks` (docs/decisions/0018). The detectors are pure;
`flags` reads the store.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import isqrt
from typing import Any

from index import tables_evidence as tables
from index.store import Store
from rewards.credit import LIKE_KINDS
from rewards.endorsements import endorsements
from rewards.trust import Endorsement

FLAGS_SCHEMA = "precipitate/flags/1"
RING_LEAST, RING_INSIDE_BP, RING_DENSITY_BP = 4, 8_000, 3_500
PAIR_LEAST, PAIR_SHARE_BP = 3, 5_000
BURST_LEAST, BURST_HOURS, BURST_POSTS, BURST_DAYS = 4, 48, 4, 14
STYLE_CHARACTERS, STYLE_BP = 4_000, 9_550  # of 1,091 pairs of real accounts that endorse each other 4 are above, see 0018
EVIDENCE = 10  # posts that a flag shows


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account's life."""

    id: str
    first: str
    last: str
    posts: int


@dataclass(frozen=True, slots=True)
class Flag:
    kind: str  # "ring" | "pair" | "burst" | "style"
    accounts: tuple[str, ...]
    why: str
    posts: tuple[str, ...]  # the evidence


def rings(given: Sequence[Endorsement]) -> list[Flag]:
    """Groups of four or more who endorse each other densely, and are endorsed by hardly anybody else."""
    import networkx as nx

    weights: Counter[tuple[str, str]] = Counter((min(e.giver, e.taker), max(e.giver, e.taker)) for e in given)
    graph = nx.Graph()
    graph.add_weighted_edges_from((one, other, weight) for (one, other), weight in sorted(weights.items()))
    groups = nx.community.louvain_communities(graph, seed=1) if graph.number_of_edges() else []
    received: defaultdict[str, list[Endorsement]] = defaultdict(list)
    for e in given:
        received[e.taker].append(e)
    found = []
    for group in sorted(map(sorted, groups)):
        members = _core(set(group), received)
        inside = [e for name in members for e in received[name] if e.giver in members]
        total = sum(len(received[name]) for name in members)
        pairs = len({(min(e.giver, e.taker), max(e.giver, e.taker)) for e in inside})
        possible = len(members) * (len(members) - 1) // 2
        dense = pairs * 10_000 >= min(RING_DENSITY_BP, 80_000 // max(1, len(members))) * possible
        if len(members) >= RING_LEAST and dense and len(inside) * 10_000 >= RING_INSIDE_BP * total and len(inside) >= 2 * len(members):
            why = f"{len(members)} accounts give each other {len(inside)} of the {total} endorsements that they get"
            found.append(Flag("ring", tuple(sorted(members)), why, _shown(inside)))
    return found


def _core(group: set[str], received: Mapping[str, Sequence[Endorsement]]) -> set[str]:
    """The group without those whom fewer than two of it endorse, until nothing changes."""
    while True:
        weak = {name for name in group if len({e.giver for e in received.get(name, ()) if e.giver in group}) < 2}
        if not weak:
            return group
        group = group - weak


def pairs(given: Sequence[Endorsement]) -> list[Flag]:
    """Two who endorse each other three times and more, and of whom one at least gets half of everything from the other."""
    both: defaultdict[tuple[str, str], list[Endorsement]] = defaultdict(list)
    received: Counter[str] = Counter(e.taker for e in given)
    for e in given:
        both[min(e.giver, e.taker), max(e.giver, e.taker)].append(e)
    found = []
    for (one, other), between in sorted(both.items()):
        to_one = sum(e.taker == one for e in between)
        to_other = len(between) - to_one
        shares = [to_one * 10_000 // max(1, received[one]), to_other * 10_000 // max(1, received[other])]
        if min(to_one, to_other) >= PAIR_LEAST and max(shares) >= PAIR_SHARE_BP:
            why = f"they endorse each other {to_one} and {to_other} times, {max(shares) // 100} % of what one of them gets"
            found.append(Flag("pair", (one, other), why, _shown(between)))
    return found


def bursts(given: Sequence[Endorsement], accounts: Mapping[str, Account]) -> list[Flag]:
    """Four or more short-lived accounts that appeared within two days and endorse the same account."""
    by_taker: defaultdict[str, dict[str, Endorsement]] = defaultdict(dict)
    for e in given:
        account = accounts.get(e.giver)
        if account and account.posts <= BURST_POSTS and _hours(account.first, account.last) <= 24 * BURST_DAYS:
            by_taker[e.taker].setdefault(e.giver, e)
    found = []
    for taker, givers in sorted(by_taker.items()):
        order = sorted(givers, key=lambda name: (accounts[name].first, name))
        for group in _close(order, accounts):
            if len(group) >= BURST_LEAST:
                why = f"{len(group)} accounts appeared within {BURST_HOURS} hours, endorsed {taker} and hardly wrote again"
                found.append(Flag("burst", (*group, taker), why, _shown(givers[name] for name in group)))
    return found


def _close(order: Sequence[str], accounts: Mapping[str, Account]) -> list[list[str]]:
    """Runs of accounts whose first posts follow each other within BURST_HOURS of the run's first."""
    groups: list[list[str]] = []
    for name in order:
        if groups and _hours(accounts[groups[-1][0]].first, accounts[name].first) <= BURST_HOURS:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _hours(earlier: str, later: str) -> int:
    return int((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()) // 3600


# --- style ----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[a-z]+['’]?[a-z]*|[^\sa-z0-9]", re.I)
_FUNCTION = frozenset(
    re.findall(
        r"\S+",
        "the a an and or but if so then than that this these those it its is are was were be been being have has had do does did not no "
        "can could will would should may might must shall i you he she we they me him her us them my your our their of in on at to for "
        "with from by about into over after before between as just also very really only even still yet here there when where why how "
        "what which who whom because while although though however therefore actually basically probably maybe perhaps quite rather , . "
        "; : ! ? ( ) - — … ' \" / * ~ & + =",
    )
)


def profile(texts: Iterable[str]) -> Counter[str]:
    """How somebody writes, whatever about: function words, punctuation, and which of them follow each other."""
    found: Counter[str] = Counter()
    for text in texts:
        tokens = [t.casefold().replace("’", "'") for t in _TOKEN.findall(text)]
        kept = [t if t in _FUNCTION else "_" for t in tokens]
        found.update(t for t in kept if t != "_")
        found.update(f"{one} {other}" for one, other in pairwise(kept) if (one, other) != ("_", "_"))
    return found


def likeness_bp(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Cosine of two profiles of square roots, in basis points: the frequent words do not say it all."""
    roots = [{key: isqrt(count * 10_000) for key, count in p.items()} for p in (one, other)]
    dot = sum(value * roots[1].get(key, 0) for key, value in roots[0].items())
    norms = sum(v * v for v in roots[0].values()) * sum(v * v for v in roots[1].values())
    return dot * 10_000 // max(1, isqrt(norms))


def styles(given: Sequence[Endorsement], texts: Mapping[str, Sequence[str]]) -> list[Flag]:
    """Accounts that endorse each other, in one direction at least, and write alike; only where both wrote enough to tell."""
    wrote = {name: sum(map(len, own)) for name, own in texts.items()}
    between: defaultdict[tuple[str, str], list[Endorsement]] = defaultdict(list)
    for e in given:
        if min(wrote.get(e.giver, 0), wrote.get(e.taker, 0)) >= STYLE_CHARACTERS:
            between[min(e.giver, e.taker), max(e.giver, e.taker)].append(e)
    profiles = {name: profile(texts[name]) for name in sorted({name for pair in between for name in pair})}
    found = []
    for (one, other), said in sorted(between.items()):
        bp = likeness_bp(profiles[one], profiles[other])
        if bp >= STYLE_BP:
            found.append(Flag("style", (one, other), f"they write alike ({bp / 100:.1f} %) and one endorses the other", _shown(said)))
    return found


def _shown(evidence: Iterable[Endorsement]) -> tuple[str, ...]:
    return tuple(sorted({e.post for e in evidence})[:EVIDENCE])


# --- from the store -------------------------------------------------------------------------------------------------


def raise_flags(given: Sequence[Endorsement], accounts: Mapping[str, Account], texts: Mapping[str, Sequence[str]]) -> list[Flag]:
    """Every flag, by kind and accounts."""
    return [*rings(given), *pairs(given), *bursts(given, accounts), *styles(given, texts)]


def read_accounts(store: Store) -> dict[str, Account]:
    return {row["id"]: Account(row["id"], row["first"], row["last"], row["posts"]) for row in tables.standing_accounts(store)}


def flags(store: Store, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Flags over a whole workspace as plain values, with permalinks, and how many accounts were looked at."""
    given = endorsements(store, records, LIKE_KINDS)
    accounts = read_accounts(store)
    linked = {name for e in given for name in (e.giver, e.taker)}
    raised = raise_flags(given, accounts, tables.own_words(store, linked))
    links = tables.permalinks(store, {post for flag in raised for post in flag.posts})
    handles = {row["id"]: row["handle"] for row in tables.standing_accounts(store)}
    told = [
        {
            "kind": flag.kind,
            "accounts": list(flag.accounts),
            "handles": [handles.get(name, name) for name in flag.accounts],
            "why": flag.why,
            "evidence": [{"post": post, "permalink": links.get(post, "")} for post in flag.posts],
        }
        for flag in raised
    ]
    return {"schema": FLAGS_SCHEMA, "accounts": len(accounts), "endorsements": len(given), "flags": told}
