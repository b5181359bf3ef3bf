"""Everything that can go wrong and be mended by the person at the keyboard.

PrecipitateError            exit 1   what was wrong, where, and the way out
├── UsageError              exit 2   the command or its arguments
│   ├── ConfigError                  a key or value of precipitate.toml
│   ├── UnknownName                  a name that does not exist; lists the nearest ones
│   └── MoneyError                   an amount, address or budget that cannot be paid
├── StateError              exit 1   right in itself, but not now: a round that is not there yet, or past it
├── ClaimError              exit 1   an identity claim that does not hold
├── SourceError             exit 1   a source that cannot be reached or read
├── StoreError              exit 1   the workspace or its database
└── Locked                  exit 75  another writer is at work
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 200  # characters of a name that an error repeats


class PrecipitateError(Exception):
    """Base of all expected errors: `message` says what and where, `way_out` what to do next."""

    exit_code = 1

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


class UsageError(PrecipitateError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class MoneyError(UsageError):
    pass


class UnknownName(UsageError):
    """A name that is not there, answered with the ones that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str], way_out: str = "") -> None:
        known = list(known)
        name = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"  # whoever pasted a page knows what it was
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)[:5]
        hint = f"nearest: {', '.join(near)}" if near else f"there is no {kind} yet"
        super().__init__(f"no {kind} named {name!r}", way_out or hint)


class StateError(PrecipitateError):
    pass


class ClaimError(PrecipitateError):
    pass


class SourceError(PrecipitateError):
    pass


class StoreError(PrecipitateError):
    pass


class Locked(PrecipitateError):
    exit_code = 75
