"""Whether the domains that people name as theirs name them, too: a few in each run, those longest not asked first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from crawler.answers import Answer
from crawler.fields import mapping, parsed
from crawler.job import Ask, Emit, Job, StoppedError
from index.errors import SourceError
from index.records import IdentityLink
from index.store import now

DOMAINS = 20  # that a run asks

Names = Mapping[str, tuple[str, str]]  # author → (what they name, where they say so)
Asked = Callable[[str, str], tuple[str, Callable[[Answer], bool]] | None]  # (author, name) → (URL, is the answer a yes?)


async def look_up(job: Job, ask: Ask, emit: Emit, names: Names, via: str, asked: Asked) -> None:
    """One link by `via` for each domain that agrees. One that no longer does loses it: the empty telling takes its place."""
    done = _object(job.cursor.get("domains", ""))
    for author in sorted(names, key=lambda author: (done.get(author, ""), author))[:DOMAINS]:
        name, evidence = names[author]
        question, told, agrees = asked(author, name), now(), False
        if question is not None:
            url, says_yes = question
            try:
                answer = await ask(url, keep=False)
            except StoppedError:
                raise
            except SourceError:
                continue  # nobody there now: what stood there stays
            if answer.status >= 500:
                continue
            agrees = answer.status == 200 and says_yes(answer)
        done[author] = told
        link = IdentityLink(author, via, told, "domain", name, "mutual", evidence) if agrees else IdentityLink(author, via, told)
        emit([link], {"domains": json.dumps(done)})


def _object(text: str) -> dict[str, str]:
    return {key: value for key, value in mapping(parsed(text)).items() if isinstance(value, str)}
