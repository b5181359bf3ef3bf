"""What can be read: one line for each network and each kind of archive. A source's `kind` is its name here.

A part is written as "module:function" and imported when it is needed, so that `--help` and a run without that network
load none of it. How to add one: docs/networks.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from index.errors import SourceError


@dataclass(frozen=True, slots=True)
class Network:
    """A network that is read live.

    find    (address, Probe) → Source, or None where the address is not of this network; SourceError where it is but
            cannot be read
    sweep   async (Job, Ask, Emit) → None, see crawler/job.py
    parse   (source, raw answers in the order they came) → iterator of lists of records; pure: `precipitate reparse`
    hints   (store, source) → dict for Job.hints; "" = none
    redact  (body, post id) → body without that post's words, or None to drop it whole; "" = always drop it
    """

    find: str
    sweep: str
    parse: str
    hints: str = ""
    redact: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """Files on this machine.

    find    (path, allow_private) → Source, or None where the path holds something else
    read    (source, cursor, now) → iterator of crawler.archive.Part
    """

    find: str
    read: str


NETWORKS: dict[str, Network] = {
    "discourse": Network(
        find="crawler.discourse_find:find",
        sweep="crawler.discourse_sweep:sweep",
        parse="crawler.discourse_raw:parse",
        hints="crawler.discourse_hints:hints",
        redact="crawler.discourse_raw:redact",
    ),
}

ARCHIVES: dict[str, Archive] = {
    "archive": Archive(find="crawler.archive:find", read="crawler.archive:read_archive"),
}


def part(name: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def network(kind: str) -> Network:
    try:
        return NETWORKS[kind]
    except KeyError:
        raise SourceError(
            f"sources of kind {kind!r} cannot be read by this version", f"it reads: {', '.join([*NETWORKS, *ARCHIVES])}"
        ) from None
