"""Who is trusted and where that begins, as plain values for people and programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from index import tables_evidence as tables
from index.store import Store
from rewards.seeds import add_seed, chosen_seeds


def _handles(store: Store) -> dict[str, str]:
    from index.tables_rewards import authors
    from rewards.identities import handle_at_host

    return {author.id: handle_at_host(author) for author in authors(store)}


def told_seeds(store: Store) -> dict[str, Any]:
    seeds, handles = chosen_seeds(store), _handles(store)
    rows = [
        {"account": name, "handle": handles.get(name, name), "weight": weight, "note": seeds.notes.get(name, "")}
        for name, weight in seeds.weights.items()
    ]
    return {"chosen": seeds.chosen, "seeds": rows}


def added_seed(store: Store, account: str, weight: int, note: str) -> dict[str, Any]:
    """Add a seed; `no_longer` are the seeds of the default that stop counting because of it."""
    before = chosen_seeds(store)
    seed, after, handles = add_seed(store, account, weight, note), chosen_seeds(store), _handles(store)
    gone = [handles.get(name, name) for name in before.weights if name not in after.weights]
    return {**asdict(seed), "no_longer": gone}


def told_trust(store: Store) -> dict[str, Any]:
    """As the last run found it; `levels` is None where there are no seeds, so that everybody counts fully."""
    handles = _handles(store)
    seeds = {row["account"] for row in tables.evidence_records(store, "seed")}
    levels = [
        {
            "account": r["account"],
            "handle": handles.get(r["account"], r["account"]),
            "level_bp": r["level_bp"],
            "seed": r["account"] in seeds,
        }
        for r in tables.evidence_records(store, "trust")
    ]
    levels.sort(key=lambda row: (-row["level_bp"], row["account"]))
    return {"levels": levels if seeds else None, "edges": len(tables.evidence_records(store, "edge"))}
