"""The weights of credit as a file: shipped defaults, a workspace's `[rewards]`, a round's own; and the hash that a round keeps.

weights.toml beside this module holds the defaults with a line on each; docs/decisions/0017 argues them. A round made with
`--weights FILE` keeps its weights in its terms, so that changing precipitate.toml later does not change the round.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from index.config import RewardsConfig
from index.errors import ConfigError, UnknownName
from index.store import canonical_json

IN_A_STEP = (
    "first_said_bp",
    "confirmed_bp",
)  # parts of one whole; amendments and questions are parts of the first, the other roles come on top
WHOLE = 10_000


def shipped() -> RewardsConfig:
    """The defaults, read from the shipped file."""
    text = resources.files("rewards").joinpath("weights.toml").read_text(encoding="utf-8")
    return weights_from(tomllib.loads(text), RewardsConfig(), "rewards/weights.toml")


def read_weights(path: Path, base: RewardsConfig) -> RewardsConfig:
    """A file like weights.toml over `base`: what it leaves out stays. Raises ConfigError or UnknownName."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "give a file like rewards/weights.toml") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", "mend that line") from None
    return weights_from(data, base, str(path))


def weights_from(data: Mapping[str, Any], base: RewardsConfig, where: str) -> RewardsConfig:
    known = [field.name for field in fields(RewardsConfig)]
    for name, value in data.items():
        if name not in known:
            raise UnknownName("weight", name, known)
        if type(value) is not int or not 0 <= value <= WHOLE:
            raise ConfigError(f"{where}: {name} is {value!r}", "give basis points, a whole number from 0 to 10000")
    return checked(replace(base, **data), where)


def checked(weights: RewardsConfig, where: str = "rewards") -> RewardsConfig:
    """The weights, if the parts of a step make no more than a whole, and amendments and questions no more than they are taken from.

    Raises ConfigError.
    """
    if weights.amended_bp + weights.asked_bp > weights.first_said_bp:
        taken = weights.amended_bp + weights.asked_bp
        raise ConfigError(
            f"{where}: amended_bp + asked_bp is {taken}, first_said_bp {weights.first_said_bp}: both are paid out of it",
            "lower them, or raise first_said_bp",
        )
    total = sum(int(getattr(weights, name)) for name in IN_A_STEP)
    if total > WHOLE:
        raise ConfigError(f"{where}: {' + '.join(IN_A_STEP)} is {total}, over 10000", "lower one of them")
    return weights


def weights_value(weights: RewardsConfig) -> dict[str, int]:
    """As stored in a round's terms and published: plain integers, in the order of the file."""
    return {name: int(value) for name, value in asdict(weights).items()}


def weights_hash(weights: RewardsConfig) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(weights_value(weights)).encode()).hexdigest()
