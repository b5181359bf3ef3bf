"""Credits by a round's own weights (`round new --weights FILE`), and those of every other round.

They are worked out from the published procedures and the published evidence, as whoever holds the release would: the
verifier gets the same from its files alone. Two weights stay the workspace's, because the evidence is published after they
were applied: how endorsements fade, and what part of a fork's reports the origins get.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from index import tables_evidence
from index import tables_rewards as tables
from index.config import RewardsConfig
from index.errors import ConfigError, StoreError
from index.store import Store
from rewards.credit import Earned
from rewards.pipeline import read_procedures
from rewards.policies import Terms
from rewards.recompute import by_kind, earned_by
from rewards.weights import read_weights, weights_hash, weights_value

IN_EVIDENCE = ("decay_bp", "composed_bp")


def read_own(path: Path, base: RewardsConfig) -> RewardsConfig:
    """A round's weights: the workspace's, but for what the file says. Raises ConfigError or UnknownName."""
    weights = read_weights(path, base)
    for name in IN_EVIDENCE:
        if getattr(weights, name) != getattr(base, name):
            raise ConfigError(
                f"{path}: {name} is {getattr(weights, name)}, the workspace's is {getattr(base, name)}",
                "leave it out: a release publishes its evidence with this one applied; [rewards] of precipitate.toml changes it for all",
            )
    return weights


def own_value(weights: RewardsConfig) -> dict[str, Any]:
    """As a round publishes them."""
    return {"weights": weights_value(weights), "hash": weights_hash(weights)}


def round_credits(store: Store, terms: Terms) -> Earned:
    """What a round with these terms would share by, as the store stands.

    Raises StoreError where the stored evidence cannot be weighed so: there is none, or it was made by other settings.
    """
    if terms.weights is None:
        return Earned(tuple(tables.credits(store)), tuple(tables.uncredited(store)))
    rows = by_kind(tables_evidence.evidence_records(store))
    made = rows["weights"][0]["weights"] if rows.get("weights") else None
    if made is None:
        raise StoreError("there is no evidence to weigh by the round's own weights", "run `precipitate run` first")
    mine = asdict(terms.weights)
    for name in IN_EVIDENCE:
        if made[name] != mine[name]:
            raise StoreError(
                f"the evidence was made with {name} {made[name]}, the round has {mine[name]}",
                "put [rewards] back and run `precipitate run`, or make a new round",
            )
    return earned_by(read_procedures(store), rows, terms.weights)
