"""Reading a repository's discussions: by their last change, each whole with its comments and replies. A token is needed, always."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from crawler.answers import Answer
from crawler.fields import line, mapping, mappings, moment, whole
from crawler.github import DISCUSSION, EXISTS, LISTING, MORE_REPLIES, discussion_records, reply_records, roster
from crawler.graphql import ask_graphql, data_of, question
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from crawler.rising import Found, look_again, read_rising
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import Store, now

API = "https://api.github.com/graphql"
TOKEN = "GITHUB_TOKEN"  # the environment variable that holds it; it is never stored or shown
MAX_PAGES = 1_000
LOOKED_AT = 100
_NAME = re.compile(r"(?:github:|https://github\.com/)([\w.-]{1,100}/[\w.-]{1,100}?)(?:/discussions(?:/.*)?)?/?(?:@(https?://\S+))?$")


def find(address: str, probe: Probe) -> Source | None:
    """`https://github.com/owner/name[/discussions]`, or `github:owner/name[@https://api.example.org/graphql]`."""
    named = _NAME.match(address)
    if not named:
        if address.startswith("github:"):
            raise SourceError(f"{address!r} names no repository", "write it like github:owner/name")
        return None
    repository, api = named.group(1), named.group(2) or API
    asked = question(EXISTS, _names(repository))
    found = mapping(data_of(probe.ask(api, "POST", asked, _headers())).get("repository"))
    if not found:
        raise SourceError(f"{api} knows no repository {repository!r}", "see that the token may read it")
    if found.get("hasDiscussionsEnabled") is False:
        raise SourceError(f"{repository} has no discussions", "only discussions are read, not issues")
    return Source(
        id=f"github:{line(found.get('nameWithOwner')) or repository}",
        kind="github",
        address=address,
        base_url=api,
        title=line(found.get("description")) or repository,
        allow_private=probe.allow_private,
    )


def _names(repository: str) -> dict[str, Any]:
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}


def _headers() -> dict[str, str]:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise SourceError(
            f"GitHub answers nobody without a token, and {TOKEN} is not set", f"make a token that may read, and export {TOKEN}=…"
        )
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


def hints(store: Store, source: Source) -> dict[str, Any]:
    from index.tables_hints import known_threads

    return dict(known_threads(store, source.id, LOOKED_AT))


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    async def discussion(key: str, cursor: dict[str, str]) -> None:
        records, comments = await _discussion(job, ask, int(key))
        repository = job.source.id.removeprefix("github:")
        emit([*records, roster(repository, int(key), comments)], cursor)

    await read_rising(job, emit, _listing(job, ask), discussion)
    await look_again(job, emit, discussion, lambda thread: thread.rpartition("/")[2], LOOKED_AT)


async def _listing(job: Job, ask: Ask) -> AsyncIterator[list[Found]]:
    names, after = _names(job.source.id.removeprefix("github:")), None
    while True:
        sent = names | {"after": after}
        _, data = await ask_graphql(ask, job.source.base_url, LISTING, sent, _headers())
        page = mapping(mapping(data.get("repository")).get("discussions"))
        nodes = list(mappings(page.get("nodes")))
        yield [
            Found(when, str(number))
            for raw in nodes
            if (number := whole(raw.get("number"))) is not None and (when := moment(raw.get("updatedAt"), now()))
        ]
        following = _following(page)
        if not nodes or following is None or following == after:
            return
        after = following


def _following(connection: dict[str, Any]) -> str | None:
    info = mapping(connection.get("pageInfo"))
    return line(info.get("endCursor"), 500) if info.get("hasNextPage") is True else None


async def _discussion(job: Job, ask: Ask, number: int) -> tuple[list[Record], list[int] | None]:
    """Records of all pages, and the comments that are there; None where the discussion is gone."""
    repository, url = job.source.id.removeprefix("github:"), job.source.base_url
    records: list[Record] = []
    comments: list[int] = []
    after: str | None = None
    for _ in range(MAX_PAGES):
        answer, data = await ask_graphql(ask, url, DISCUSSION, _names(repository) | {"number": number, "after": after}, _headers())
        raw = mapping(mapping(data.get("repository")).get("discussion"))
        if not raw:
            return [], None
        records += told_by(discussion_records(repository, raw, answer.seen or now()), answer)
        page = mapping(raw.get("comments"))
        for comment in mappings(page.get("nodes")):
            comments += [there for one in (comment, *_replies(comment)) if (there := whole(one.get("databaseId"))) is not None]
            more, found = await _more_replies(job, ask, comment)
            records, comments = records + more, comments + found
        following = _following(page)
        if following is None or following == after:
            return records, comments
        after = following
    raise SourceError(f"{repository}#{number} has more than {MAX_PAGES:,} pages of comments", "its listing may never end")


def _replies(comment: dict[str, Any]) -> list[dict[str, Any]]:
    return list(mappings(mapping(comment.get("replies")).get("nodes")))


async def _more_replies(job: Job, ask: Ask, comment: dict[str, Any]) -> tuple[list[Record], list[int]]:
    """Replies behind the first page of one comment."""
    repository = job.source.id.removeprefix("github:")
    records: list[Record] = []
    found: list[int] = []
    after = _following(mapping(comment.get("replies")))
    for _ in range(MAX_PAGES):
        if after is None:
            break
        sent = {"id": line(comment.get("id"), 200), "after": after}
        answer, data = await ask_graphql(ask, job.source.base_url, MORE_REPLIES, sent, _headers())
        node = mapping(data.get("node"))
        records += told_by(reply_records(repository, node, answer.seen or now()), answer)
        found += [there for one in _replies(node) if (there := whole(one.get("databaseId"))) is not None]
        following = _following(mapping(node.get("replies")))
        after = None if following == after else following
    return records, found


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    repository = source.id.removeprefix("github:")
    for answer in answers:
        try:
            data = mapping(mapping(json.loads(answer.body)).get("data"))
        except (ValueError, RecursionError):
            continue
        raw = mapping(mapping(data.get("repository")).get("discussion"))
        found = discussion_records(repository, raw, answer.seen) if raw else reply_records(repository, data.get("node"), answer.seen)
        yield told_by(found, answer)
