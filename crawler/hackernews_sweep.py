"""Reading Hacker News by a search: stories from the oldest on, each with its tree in one request; then what changed.

Algolia finds and gives whole trees; Firebase says which items were deleted or killed. Known stories are read again in turn.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from crawler.answers import Answer, read_object
from crawler.fields import mapping, whole
from crawler.hackernews import answer_records, changed_items, item_records, stories_found, tree_records
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from crawler.rising import Found, look_again, read_rising
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import Store, now

ALGOLIA, FIREBASE = "https://hn.algolia.com/api", "https://hacker-news.firebaseio.com"
PAGE = 100
LOOKED_AT = 200  # stories that a run reads again at most
KNOWN_POSTS = 20_000  # youngest posts whose deletion is looked for
_NAME = re.compile(r"hackernews:([^@]{1,200}?)(?:@(https?://\S+))?$")
_ITEM = re.compile(r"https://news\.ycombinator\.com/item\?id=(\d{1,12})$")


def find(address: str, probe: Probe) -> Source | None:
    """`hackernews:WORDS`: the stories that a search finds; or the address of one story."""
    one, named = _ITEM.match(address), _NAME.match(address)
    if one:
        story = read_object(probe.ask(f"{ALGOLIA}/v1/items/{one.group(1)}"))
        if story.get("type") not in ("story", "poll", "job"):
            raise SourceError(f"{address} is not a story", "give the address of a story, or hackernews:WORDS")
        return _source(f"hackernews:item/{one.group(1)}", address, ALGOLIA, str(story.get("title"))[:200], probe)
    if not named:
        if address.startswith("hackernews:"):
            raise SourceError(f"{address!r} names no search", "write it like hackernews:retroactive funding")
        return None
    words, base = named.group(1).strip(), named.group(2) or ALGOLIA
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    if not name:
        raise SourceError(f"{address!r} has no words to search for", "write it like hackernews:retroactive funding")
    found = whole(read_object(probe.ask(_search(base, words, "", 0))).get("nbHits"), 0) or 0
    return _source(f"hackernews:search/{name}", address, base, f"Hacker News: {words} ({found:,} stories)", probe)


def _source(name: str, address: str, base: str, title: str, probe: Probe) -> Source:
    return Source(id=name, kind="hackernews", address=address, base_url=base, title=title, allow_private=probe.allow_private)


def _search(base: str, words: str, start: str, page: int) -> str:
    since = int(datetime.fromisoformat(start).timestamp()) if start else 0
    asked = {"query": words, "tags": "story", "numericFilters": f"created_at_i>={since}", "hitsPerPage": str(PAGE), "page": str(page)}
    return f"{base}/v1/search_by_date?{urlencode(asked, quote_via=quote)}"


def hints(store: Store, source: Source) -> dict[str, Any]:
    from index.tables_hints import known_threads, youngest_posts

    posts = [post.rpartition(":")[2] for post in youngest_posts(store, source.id, KNOWN_POSTS)]
    return {**known_threads(store, source.id, LOOKED_AT), "posts": posts}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    async def story(key: str, cursor: dict[str, str]) -> None:
        answer = await ask(f"{job.source.base_url}/v1/items/{key}")
        records = tree_records(job.source.id, read_object(answer), answer.seen or now())
        emit(told_by(records, answer), cursor)

    item = _ITEM.match(job.source.address)
    if item:
        await story(item.group(1), {})
        return
    await read_rising(job, emit, _listing(job, ask), story)
    await _bury(job, ask, emit)
    await look_again(job, emit, story, lambda thread: thread.rpartition("/")[2], LOOKED_AT)


async def _listing(job: Job, ask: Ask) -> AsyncIterator[list[Found]]:
    """Stories that the search finds, newest first, by the moment they were made."""
    words = _NAME.match(job.source.address)
    page = 0
    while words:
        url = _search(job.source.base_url, words.group(1).strip(), job.cursor.get("read_until", ""), page)
        value = read_object(await ask(url, keep=False))
        yield [Found(_moment(seconds), str(number)) for seconds, number in stories_found(value)]
        page += 1
        if page >= (whole(value.get("nbPages"), 0) or 0):
            return


async def _bury(job: Job, ask: Ask, emit: Emit) -> None:
    """Known items among those that changed lately: said to be deleted, or killed."""
    base = FIREBASE if job.source.base_url == ALGOLIA else job.source.base_url
    known = set(job.hints.get("posts", ()))
    for number in changed_items(read_object(await ask(f"{base}/v0/updates.json", keep=False))):
        if str(number) in known:
            answer = await ask(f"{base}/v0/item/{number}.json")
            value = mapping(read_object(answer)) if answer.body.strip() != b"null" else {}
            emit(told_by(item_records(job.source.id, value, answer.seen or now()), answer), {})


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(min(seconds, 2**33), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    for answer in answers:
        yield told_by(answer_records(source.id, answer.url, answer.body, answer.seen), answer)
