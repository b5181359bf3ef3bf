"""Reading a Stack Exchange site: questions in the order of their last activity, oldest first, each whole with answers and comments.

The API says how long to wait (`backoff`) and how much is left of the day (`quota_remaining`); both are obeyed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from crawler.answers import Answer, read_object
from crawler.fields import line, mapping, mappings, whole
from crawler.job import Ask, Emit, Job, told_by
from crawler.probe import Probe
from crawler.stackexchange import LICENCE, question_records, source_id, thread_id
from index.errors import SourceError
from index.records import Source
from index.spool import Record, Roster
from index.store import Store, now

API = "https://api.stackexchange.com/2.3"
PAGE, NAMES = 50, 100
MOST_BACKOFF = 120  # seconds; asked for more, the run ends and goes on another time
LOOKED_AT = 500
MAX_PAGES = 10_000
INCLUDED = (
    ".backoff;.error_message;.has_more;.items;.quota_remaining;question.body;question.answers;question.comments;question.last_edit_date;"
    "question.accepted_answer_id;answer.body;answer.comments;answer.last_edit_date;comment.body;comment.edited"
)
_OWN = r"(?:[a-z0-9-]+(?:\.meta)?\.stackexchange\.com|(?:meta\.)?(?:stackoverflow|serverfault|superuser|askubuntu|stackapps)\.com|mathoverflow\.net)"
_NAME = re.compile(r"stackexchange:([a-z0-9.-]{3,100})(?:/([\w.+#-]{1,100}))?(?:@(https?://\S+))?$")
_PAGE = re.compile(rf"https://({_OWN})(?:/questions/tagged/([\w.+#-]{{1,100}}))?(?:/questions)?/?$")


def find(address: str, probe: Probe) -> Source | None:
    """`https://dba.stackexchange.com[/questions/tagged/TAG]`, or `stackexchange:HOST[/TAG][@https://api.example.org]`."""
    named = _PAGE.match(address) or _NAME.match(address)
    if not named:
        if address.startswith("stackexchange:"):
            raise SourceError(f"{address!r} names no site", "write it like stackexchange:dba.stackexchange.com")
        return None
    host, tag = named.group(1), named.group(2) or ""
    base = (named.group(3) if named.re is _NAME else None) or API
    value = _checked(probe.ask(f"{base}/info?{urlencode({'site': host})}"))
    if not list(mappings(value.get("items"))):
        raise SourceError(f"{base} knows no site {host!r}", "see that it is one of Stack Exchange's")
    return Source(
        id=source_id(host) + (f"/tagged/{tag}" if tag else ""),
        kind="stackexchange",
        address=address,
        base_url=base,
        title=f"{host}: {tag}" if tag else host,
        licence=LICENCE,
        allow_private=probe.allow_private,
    )


def hints(store: Store, source: Source) -> dict[str, Any]:
    from index.tables_hints import thread_ids

    return {"questions": [thread.rpartition("/")[2] for thread in thread_ids(store, source.id)]}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    host, _, tag = job.source.id.removeprefix("stackexchange:").partition("/tagged/")
    shape = job.cursor.get("filter") or await _filter(job, ask)
    emit([], {"filter": shape})
    asked = {"site": host, "filter": shape, "pagesize": str(PAGE), "order": "asc", "sort": "activity"} | ({"tagged": tag} if tag else {})
    start, page = int(job.cursor.get("active_from") or 0), 1
    for _ in range(MAX_PAGES):
        answer, value = await _ask(job, ask, f"{job.source.base_url}/questions?{urlencode(asked | {'min': str(start), 'page': str(page)})}")
        items = list(mappings(value.get("items")))
        moments = [moment for raw in items if (moment := whole(raw.get("last_activity_date"))) is not None]
        if any(moment < start for moment in moments) or moments != sorted(moments):
            raise SourceError(f"{job.source.base_url} gives questions out of order of activity", "its pages cannot be trusted")
        last = min(max(moments, default=start), _seconds(now()))
        emit(_records(job.source, host, items, answer), {"active_from": str(last)})
        if value.get("has_more") is not True or not items:
            break
        page, start = (page + 1, start) if last == start else (1, last)
    await _look_again(job, ask, emit, host, shape)


def _records(source: Source, host: str, items: Sequence[dict[str, Any]], answer: Answer) -> list[Record]:
    found = [record for raw in items for record in question_records(source.id, host, raw, answer.seen or now())]
    return told_by(found, answer)


async def _filter(job: Job, ask: Ask) -> str:
    """The API's name for the fields that are wanted; the same fields always get the same name."""
    url = f"{job.source.base_url}/filters/create?{urlencode({'include': INCLUDED, 'base': 'default', 'unsafe': 'false'}, quote_via=quote)}"
    value = _checked(await ask(url, keep=False))
    shape = line(next(iter(mappings(value.get("items"))), {}).get("filter"), 200)
    if not shape:
        raise SourceError(f"{job.source.base_url} makes no filter", "run again later")
    return shape


async def _ask(job: Job, ask: Ask, url: str) -> tuple[Answer, dict[str, Any]]:
    answer = await ask(url)
    value = _checked(answer)
    backoff = whole(value.get("backoff"), 0) or 0
    if whole(value.get("quota_remaining"), 0) == 0:
        raise SourceError(f"{job.source.base_url}: the day's requests are used up", "run again tomorrow: it goes on where it was")
    if backoff > MOST_BACKOFF:
        raise SourceError(f"{job.source.base_url} asks for a rest of {backoff} seconds", "run again after that")
    await asyncio.sleep(backoff)
    return answer, value


def _checked(answer: Answer) -> dict[str, Any]:
    """The API answers what is wrong as JSON with status 400."""
    if answer.status == 400:
        try:
            said = line(mapping(json.loads(answer.body)).get("error_message"), 200)
        except (ValueError, RecursionError):
            said = None
        raise SourceError(f"{answer.url.partition('?')[0]} refuses: {said or 'status 400'}", "see that the site's name is right")
    return read_object(answer)


async def _look_again(job: Job, ask: Ask, emit: Emit, host: str, shape: str) -> None:
    """Some of the questions that are known: who is missing is noted, and gone when missing twice."""
    known: list[str] = sorted((number for number in job.hints.get("questions", ()) if number.isdecimal()), key=int)
    place = int(job.cursor.get("looked_at") or 0) % max(1, len(known))
    wanted = (known[place:] + known[:place])[:LOOKED_AT]
    for start in range(0, len(wanted), NAMES):
        names = wanted[start : start + NAMES]
        asked = urlencode({"site": host, "filter": shape, "pagesize": str(NAMES)})
        answer, value = await _ask(job, ask, f"{job.source.base_url}/questions/{';'.join(names)}?{asked}")
        items = list(mappings(value.get("items")))
        here = {str(raw.get("question_id")) for raw in items}
        missing: list[Record] = [Roster(thread_id(host, int(name)), ()) for name in names if name not in here]
        emit([*_records(job.source, host, items, answer), *missing], {"looked_at": str((place + start + len(names)) % len(known))})


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    host = source.id.removeprefix("stackexchange:").partition("/tagged/")[0]
    for answer in answers:
        try:
            items = list(mappings(mapping(json.loads(answer.body)).get("items")))
        except (ValueError, RecursionError):
            continue
        yield _records(source, host, items, answer)


def _seconds(moment: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(moment).timestamp())
