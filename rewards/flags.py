"""What a person should look at: rings, reciprocal pairs, bursts of new accounts, accounts that write alike.

A flag is evidence with its posts, never a ban: nothing here changes a credit. What honest accounts are flagged by mistake,
and what is found of injected ones, is measured by `python -m bench.attacks` (docs/decisions/0018). The detectors are pure;
`flags` reads the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from index import tables_evidence as tables
from index.store import Store
from rewards.credit import LIKE_KINDS
from rewards.endorsements import endorsements
from rewards.style import Manner, profile
from rewards.trust import Endorsement

FLAGS_SCHEMA = "precipitate/flags/1"
RING_LEAST, RING_INSIDE_BP, RING_DENSITY_BP, RING_TRUST_BP = 4, 8_000, 3_500, 500
PAIR_LEAST, PAIR_SHARE_BP = 3, 5_000
BURST_LEAST, BURST_HOURS, BURST_POSTS, BURST_DAYS = 4, 48, 4, 14
STYLE_CHARACTERS, STYLE_BP = 4_000, 6_200  # of 1,094 pairs of real accounts that endorse each other 4 are above, see 0018
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


def rings(given: Sequence[Endorsement], levels: Mapping[str, int] | None = None) -> list[Flag]:
    """Groups of four or more who endorse each other: dense and hardly endorsed by others, all in both directions, or a closed
    circle of accounts that nobody trusted endorses. Of groups within one another the largest; `levels`: trust in basis points.
    """
    found = [*_closed(given, levels), *_communities(given), *_returned(given)]
    found.sort(key=lambda flag: (-len(flag.accounts), flag.accounts))  # of equal groups the first of the three
    kept: list[Flag] = []
    for flag in found:
        if not any(set(flag.accounts) <= set(other.accounts) for other in kept):
            kept.append(flag)
    return sorted(kept, key=lambda flag: flag.accounts)


def _communities(given: Sequence[Endorsement]) -> list[Flag]:
    """Communities (Louvain) that are dense and turned inwards."""
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


def _returned(given: Sequence[Endorsement]) -> list[Flag]:
    """Groups in which each endorses three others of it, and is endorsed by these."""
    pairs = {(e.giver, e.taker) for e in given if e.giver != e.taker}
    both = [(one, other) for one, other in sorted(pairs) if one < other and (other, one) in pairs]
    return [_ring(group, given, "each endorses three others of them at least, and is endorsed in return") for group in _cores(both)]


def _closed(given: Sequence[Endorsement], levels: Mapping[str, int] | None) -> list[Flag]:
    """Groups of hardly trusted accounts in which each has endorsements with three others of it."""
    if levels is None:
        return []
    low = {name for e in given for name in (e.giver, e.taker) if levels.get(name, 0) < RING_TRUST_BP}
    pairs = {(min(e.giver, e.taker), max(e.giver, e.taker)) for e in given if e.giver != e.taker and {e.giver, e.taker} <= low}
    return [_ring(group, given, "hardly anybody who is trusted endorses them") for group in _cores(sorted(pairs))]


def _cores(pairs: Sequence[tuple[str, str]]) -> list[set[str]]:
    """Groups in which everybody has three partners or more."""
    import networkx as nx

    graph = nx.Graph(pairs)
    return [set(group) for group in nx.connected_components(nx.k_core(graph, RING_LEAST - 1))] if pairs else []


def _ring(group: set[str], given: Sequence[Endorsement], what: str) -> Flag:
    inside = [e for e in given if {e.giver, e.taker} <= group]
    return Flag("ring", tuple(sorted(group)), f"{len(group)} accounts give each other {len(inside)} endorsements; {what}", _shown(inside))


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
    found: dict[frozenset[str], Flag] = {}
    for taker, givers in sorted(by_taker.items()):
        order = sorted(givers, key=lambda name: (accounts[name].first, name))
        for group in _close(order, accounts):
            if len(group) >= BURST_LEAST:
                why = f"{len(group)} accounts appeared within {BURST_HOURS} hours, endorsed {taker} and hardly wrote again"
                flag = Flag("burst", (*group, taker), why, _shown(givers[name] for name in group))
                found.setdefault(frozenset(flag.accounts), flag)  # who do it for each other in turn are one group
    return list(found.values())


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


def styles(given: Sequence[Endorsement], texts: Mapping[str, Sequence[str]]) -> list[Flag]:
    """Accounts that endorse each other, in one direction at least, and write alike; only where both wrote enough to tell, and
    enough others did to know what is usual."""
    wrote = {name: sum(map(len, own)) for name, own in texts.items()}
    between: defaultdict[tuple[str, str], list[Endorsement]] = defaultdict(list)
    for e in given:
        if min(wrote.get(e.giver, 0), wrote.get(e.taker, 0)) >= STYLE_CHARACTERS:
            between[min(e.giver, e.taker), max(e.giver, e.taker)].append(e)
    profiles = {name: profile(own) for name, own in sorted(texts.items()) if wrote[name] >= STYLE_CHARACTERS} if between else {}
    manner, found = Manner(profiles.values()), []
    for (one, other), said in sorted(between.items()) if manner.enough else ():
        bp = manner.likeness_bp(profiles[one], profiles[other])
        if bp >= STYLE_BP:
            why = f"they write alike ({bp / 100:.1f} % as against what is usual here) and one endorses the other"
            found.append(Flag("style", (one, other), why, _shown(said)))
    return found


def _shown(evidence: Iterable[Endorsement]) -> tuple[str, ...]:
    return tuple(sorted({e.post for e in evidence})[:EVIDENCE])


# --- from the store -------------------------------------------------------------------------------------------------


def raise_flags(
    given: Sequence[Endorsement],
    accounts: Mapping[str, Account],
    texts: Mapping[str, Sequence[str]],
    levels: Mapping[str, int] | None = None,
) -> list[Flag]:
    """Every flag, by kind and accounts."""
    return [*rings(given, levels), *pairs(given), *bursts(given, accounts), *styles(given, texts)]


def read_accounts(store: Store) -> dict[str, Account]:
    return {row["id"]: Account(row["id"], row["first"], row["last"], row["posts"]) for row in tables.standing_accounts(store)}


def _with_handles(flag: Flag, handles: Mapping[str, str]) -> str:
    """What a flag says, with accounts called as people know them."""
    return " ".join(handles.get(word, word) for word in flag.why.split(" "))


def flags(store: Store, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Flags over a whole workspace as plain values, with permalinks, and how many accounts were looked at."""
    given = endorsements(store, records, LIKE_KINDS)
    accounts = read_accounts(store)
    linked = {name for e in given for name in (e.giver, e.taker)}
    trusted = tables.evidence_records(store, "trust") if tables.evidence_records(store, "seed") else None
    levels = None if trusted is None else {row["account"]: row["level_bp"] for row in trusted}  # as the last run found it
    raised = raise_flags(given, accounts, tables.own_words(store, linked), levels)
    links = tables.permalinks(store, {post for flag in raised for post in flag.posts})
    handles = {row["id"]: row["handle"] for row in tables.standing_accounts(store)}
    told = [
        {
            "kind": flag.kind,
            "accounts": list(flag.accounts),
            "handles": [handles.get(name, name) for name in flag.accounts],
            "why": _with_handles(flag, handles),
            "evidence": [{"post": post, "permalink": links.get(post, "")} for post in flag.posts],
        }
        for flag in raised
    ]
    return {"schema": FLAGS_SCHEMA, "accounts": len(accounts), "endorsements": len(given), "flags": told}
