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
    "nostr": Network(
        find="crawler.nostr_sweep:find",
        sweep="crawler.nostr_sweep:sweep",
        parse="crawler.nostr_sweep:parse",
        hints="crawler.nostr_sweep:hints",
        redact="crawler.nostr_sweep:redact",
    ),
    "jetstream": Network(
        find="crawler.jetstream_sweep:find",
        sweep="crawler.jetstream_sweep:sweep",
        parse="crawler.jetstream_sweep:parse",
        hints="crawler.jetstream_sweep:hints",
        redact="crawler.jetstream_sweep:redact",
    ),
    "atproto": Network(
        find="crawler.atproto_sweep:find",
        sweep="crawler.atproto_sweep:sweep",
        parse="crawler.atproto_sweep:parse",
        hints="crawler.atproto_sweep:hints",
        redact="crawler.atproto_sweep:redact",
    ),
    "farcaster": Network(
        find="crawler.farcaster_sweep:find",
        sweep="crawler.farcaster_sweep:sweep",
        parse="crawler.farcaster_sweep:parse",
        hints="crawler.farcaster_sweep:hints",
        redact="crawler.farcaster_sweep:redact",
    ),
    "mastodon": Network(
        find="crawler.mastodon_sweep:find",
        sweep="crawler.mastodon_sweep:sweep",
        parse="crawler.mastodon_sweep:parse",
        hints="crawler.mastodon_sweep:hints",
        redact="crawler.mastodon_sweep:redact",
    ),
    "snapshot": Network(
        find="crawler.snapshot_sweep:find",
        sweep="crawler.snapshot_sweep:sweep",
        parse="crawler.snapshot_sweep:parse",
        hints="crawler.snapshot_sweep:hints",
        redact="crawler.redact:snapshot",
    ),
    "hackernews": Network(
        find="crawler.hackernews_sweep:find",
        sweep="crawler.hackernews_sweep:sweep",
        parse="crawler.hackernews_sweep:parse",
        hints="crawler.hackernews_sweep:hints",
        redact="crawler.redact:hackernews",
    ),
    "hive": Network(
        find="crawler.hive_sweep:find",
        sweep="crawler.hive_sweep:sweep",
        parse="crawler.hive_sweep:parse",
        hints="crawler.hive_sweep:hints",
        redact="crawler.redact:hive",
    ),
    "stackexchange": Network(
        find="crawler.stackexchange_sweep:find",
        sweep="crawler.stackexchange_sweep:sweep",
        parse="crawler.stackexchange_sweep:parse",
        hints="crawler.stackexchange_sweep:hints",
        redact="crawler.redact:stackexchange",
    ),
    "github": Network(
        find="crawler.github_sweep:find",
        sweep="crawler.github_sweep:sweep",
        parse="crawler.github_sweep:parse",
        hints="crawler.github_sweep:hints",
        redact="crawler.redact:github",
    ),
    "lemmy": Network(
        find="crawler.lemmy_sweep:find",
        sweep="crawler.lemmy_sweep:sweep",
        parse="crawler.lemmy_sweep:parse",
        hints="crawler.lemmy_sweep:hints",
        redact="crawler.redact:lemmy",
    ),
    "hyperkitty": Network(
        find="crawler.mail_sweep:find_hyperkitty", sweep="crawler.mail_sweep:sweep_hyperkitty", parse="crawler.mail_sweep:parse_hyperkitty"
    ),
    "public-inbox": Network(
        find="crawler.mail_sweep:find_public_inbox",
        sweep="crawler.mail_sweep:sweep_public_inbox",
        parse="crawler.mail_sweep:parse_public_inbox",
    ),
    "feed": Network(find="crawler.feed_sweep:find", sweep="crawler.feed_sweep:sweep", parse="crawler.feed_sweep:parse"),
}

ARCHIVES: dict[str, Archive] = {
    "archive": Archive(find="crawler.archive:find", read="crawler.archive:read_archive"),
    "payloads": Archive(find="crawler.payloads:find", read="crawler.payloads:read_payloads"),
    "table": Archive(find="crawler.table:find", read="crawler.table:read_table"),
    "stackexchange-dump": Archive(find="crawler.stackexchange_dump:find", read="crawler.stackexchange_dump:read_dump"),
    "mbox": Archive(find="crawler.mbox:find", read="crawler.mbox:read_mbox"),
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
