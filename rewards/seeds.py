"""Where trust begins: accounts that the operator names, or a default that a ring of new accounts cannot enter.

The default is each source's staff, without the forum's own accounts; where that is fewer than FEWEST people, the oldest
accounts that kept writing are added: the first to have written, with posts in MONTHS different months (in a younger source:
the fifth-most that anybody has). Being old cannot be had afterwards, but for backdating a whole archive, which is why an operator who adds archives from strangers should name
the seeds. All seeds of the default weigh the same; each is one part of all trust that there is.

Named accounts take the place of the default. Named keys, which sign outcomes and write in no forum, stand beside it: whoever
trusts an agent's reports has not said whom they trust in the forums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index import tables_evidence as tables
from index.errors import UnknownName, UsageError
from index.store import Store, now
from index.tables_evidence import TrustSeed
from rewards.facts import forums_own
from rewards.identities import find_author

FEWEST = 5
MONTHS = 6
MOST_WEIGHT = 1_000


@dataclass(frozen=True, slots=True)
class Seeds:
    weights: dict[str, int]
    notes: dict[str, str]
    chosen: bool  # by the operator, so that the default does not count


def is_key(name: str) -> bool:
    return name.startswith(("did:key:", "0x"))


def chosen_seeds(store: Store) -> Seeds:
    named = tables.seeds(store)
    chosen = any(not is_key(seed.author) for seed in named)
    usual = Seeds({}, {}, True) if chosen else default_seeds(tables.standing_accounts(store))
    return Seeds(usual.weights | {s.author: s.weight for s in named}, usual.notes | {s.author: s.note for s in named}, chosen)


def default_seeds(accounts: Sequence[Mapping[str, Any]]) -> Seeds:
    """`accounts`: rows of tables_evidence.standing_accounts."""
    by_source: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in accounts:
        if not forums_own(row["id"], row["handle"]):
            by_source[row["source"]].append(row)
    notes: dict[str, str] = {}
    for _, rows in sorted(by_source.items()):
        staff = [row["id"] for row in rows if row["staff"]]
        notes |= dict.fromkeys(staff, "staff")
        most = sorted((row["months"] for row in rows), reverse=True)[:FEWEST]
        enough = min([MONTHS, *most])
        lasting = sorted((row["first"], row["id"]) for row in rows if row["months"] >= enough and row["id"] not in staff)
        notes |= {name: "one of the oldest accounts that kept writing" for _, name in lasting[: max(0, FEWEST - len(staff))]}
    return Seeds(dict.fromkeys(sorted(notes), 1), notes, False)


def add_seed(store: Store, account: str, weight: int = 1, note: str = "") -> TrustSeed:
    """Trust an account to begin with: a handle, an author id, or a key that signs outcomes (did:key:…, 0x…)."""
    if not 1 <= weight <= MOST_WEIGHT:
        raise UsageError(f"weight {weight} is out of range", f"give 1 to {MOST_WEIGHT}")
    name = account if is_key(account) else find_author(store, account).id
    seed = TrustSeed(name, weight, note, now())
    tables.put_seed(store, seed)
    return seed


def remove_seed(store: Store, account: str) -> str:
    known = {seed.author for seed in tables.seeds(store)}
    name = account if account in known else find_author(store, account).id
    if name not in known:
        raise UnknownName("trust seed", account, sorted(known))
    tables.drop_seed(store, name)
    return name
