"""NIP-05: whether the domains that people on Nostr name do name them, too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from crawler.fields import mapping
from crawler.job import Ask, Emit, Job, StoppedError
from crawler.nostr import domain_link
from index.errors import SourceError
from index.records import IdentityLink
from index.store import now

DOMAINS = 20  # names that a run looks up

_NIP05 = re.compile(r"([a-z0-9._-]{1,64})@((?:[a-z0-9-]{1,63}\.)+[a-z]{2,63})\Z")


async def look_up_domains(job: Job, ask: Ask, emit: Emit, names: Mapping[str, tuple[str, str]]) -> None:
    """Whether the domains that people name (NIP-05) name them, too; a few in each run, those not looked up before first.

    A domain that no longer names its person loses its link: the empty telling takes the place of what stood there.
    """
    done = _object(job.cursor.get("domains", ""))
    for author in sorted(names, key=lambda author: (done.get(author, ""), author))[:DOMAINS]:
        address, evidence = names[author]
        match = _NIP05.match(address)
        told = now()
        link: IdentityLink | None = None
        if match:
            try:
                answer = await ask(f"https://{match[2]}/.well-known/nostr.json?name={match[1]}", keep=False)
            except StoppedError:
                raise
            except SourceError:
                answer = None  # nobody there now: what stood there stays
            if answer is None or answer.status >= 500:
                continue
            link = domain_link(author, address, _json(answer.body), told, evidence)
        done[author] = told
        emit([link or IdentityLink(author, "nostr/nip05", told)], {"domains": json.dumps(done)})


def _object(text: str) -> dict[str, str]:
    try:
        return {key: value for key, value in mapping(json.loads(text or "{}")).items() if isinstance(value, str)}
    except (ValueError, RecursionError):
        return {}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
