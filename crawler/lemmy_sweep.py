"""Reading a Lemmy community or instance: posts by their newest comment, each with all its comments; then the log of moderators."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from crawler.answers import Answer, read_object
from crawler.fields import line, mapping, mappings, moment, whole
from crawler.job import Ask, Emit, Job, told_by
from crawler.lemmy import answer_records, comment_records, modlog_records, post_records, roster
from crawler.probe import Probe
from crawler.rising import Found, look_again, read_rising
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import Store, now

POSTS, COMMENTS = 50, 50
MAX_COMMENT_PAGES = 1_000
LOOKED_AT = 200
_COMMUNITY = re.compile(r"/c/([\w.-]{1,100}(?:@[\w.-]{3,200})?)/?$")


def find(address: str, probe: Probe) -> Source | None:
    """`https://instance` or `https://instance/c/community`, where the instance says that it is Lemmy's."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or (parts.path.strip("/") and not _COMMUNITY.search(parts.path)):
        return None
    base = f"{parts.scheme}://{parts.netloc.lower()}"
    for api in ("v3", "v4"):
        answer = probe.reads(f"{base}/api/{api}/site")
        site = _object(answer)
        if mapping(site.get("site_view")) and line(site.get("version")):
            community = _COMMUNITY.search(parts.path)
            name = community.group(1) if community else ""
            if name:
                _check_community(f"{base}/api/{api}", name, probe)
            title = line(mapping(mapping(site["site_view"]).get("site")).get("name")) or ""
            return Source(
                id=f"lemmy:{parts.netloc.lower()}{f'/c/{name}' if name else ''}",
                kind="lemmy",
                address=address,
                base_url=f"{base}/api/{api}",
                title=f"{title}: {name}" if name else title,
                allow_private=probe.allow_private,
            )
    return None


def _object(answer: Answer | None) -> dict[str, Any]:
    try:
        return read_object(answer) if answer is not None else {}
    except SourceError:
        return {}


def _check_community(base: str, name: str, probe: Probe) -> None:
    if not _object(probe.reads(f"{base}/community?name={quote(name)}")).get("community_view"):
        raise SourceError(f"{base} knows no community {name!r}", "see that its name is written as in its address")


def hints(store: Store, source: Source) -> dict[str, Any]:
    from index.tables_hints import known_threads

    return dict(known_threads(store, source.id, LOOKED_AT))


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    numbers: dict[str, int] = {}  # of posts, by their address: the listing tells them

    async def conversation(uri: str, cursor: dict[str, str]) -> None:
        if uri not in numbers:
            numbers[uri] = await _number(job, ask, uri)
        await _conversation(job, ask, emit, uri, numbers[uri], cursor)

    await read_rising(job, emit, _listing(job, ask, numbers), conversation)
    await look_again(job, emit, conversation, lambda thread: thread.removeprefix("ap:").removesuffix("#thread"), LOOKED_AT)
    answer = await ask(f"{job.source.base_url}/modlog?limit=50")
    if answer.status == 200:
        emit(told_by(modlog_records(job.source.id, read_object(answer), answer.seen or now()), answer), {})


async def _number(job: Job, ask: Ask, uri: str) -> int:
    """The instance's own number of a post: in the address of its own posts, else to be asked."""
    own = re.match(re.escape(job.source.base_url.partition("/api/")[0]) + r"/post/(\d{1,15})$", uri)
    if own:
        return int(own.group(1))
    answer = await ask(f"{job.source.base_url}/resolve_object?q={quote(uri, safe='')}")
    value = read_object(answer)
    found = mapping(mapping(value.get("post")).get("post")) or mapping(value.get("post"))
    number = whole(found.get("id"))
    if number is None:
        raise SourceError(f"{job.source.base_url} does not know {uri} any more", "run again later")
    return number


async def _listing(job: Job, ask: Ask, numbers: dict[str, int]) -> AsyncIterator[list[Found]]:
    """Posts by their newest comment. v3 pages by number, v4 by a cursor that the answer gives."""
    base, community = job.source.base_url, job.source.id.partition("/c/")[2]
    asked = {"sort": "NewComments", "limit": str(POSTS)}
    asked |= {"community_name": community} if community else {"type_": "Local"}
    page, place = 1, ""
    while True:
        turn = {"page_cursor": place} if place else {"page": str(page)} if base.endswith("v3") else {}
        value = read_object(await ask(f"{base}/post/list?{urlencode(asked | turn)}", keep=False))
        views = list(mappings(value.get("posts")))
        yield [one for view in views if (one := _found(view, numbers))]
        following = line(value.get("next_page"), 500) or ""
        if not views or (not base.endswith("v3") and (not following or following == place)):
            return
        page, place = page + 1, following if not base.endswith("v3") else ""


def _found(view: dict[str, Any], numbers: dict[str, int]) -> Found | None:
    raw = mapping(view.get("post"))
    counts = mapping(view.get("counts")) or raw
    uri, number = line(raw.get("ap_id"), 1_000), whole(raw.get("id"))
    moments = [raw.get("published"), raw.get("published_at"), raw.get("updated"), raw.get("updated_at")]
    moments += [counts.get("newest_comment_time"), counts.get("newest_comment_time_at")]
    known = [when for value in moments if (when := moment(value, now()))]
    if not uri or " " in uri or number is None or not known:
        return None
    numbers[uri] = number
    return Found(max(known), uri)


async def _conversation(job: Job, ask: Ask, emit: Emit, uri: str, number: int, cursor: dict[str, str]) -> None:
    """The post and all its comments: one batch, so that the thread is there whole."""
    base, source = job.source.base_url, job.source.id
    answer = await ask(f"{base}/post?id={number}")
    value = read_object(answer)
    records = told_by(post_records(source, value.get("post_view"), answer.seen or now()), answer)
    addresses: dict[int, str] = {}
    present: list[str] = []
    whole_tree, place = True, ""
    for page in range(1, MAX_COMMENT_PAGES + 1):
        turn = f"page_cursor={quote(place)}" if place else f"page={page}" if base.endswith("v3") else ""
        answer = await ask(f"{base}/comment/list?post_id={number}&sort=Old&limit={COMMENTS}&type_=All&{turn}".rstrip("&"))
        value = read_object(answer)
        views = list(mappings(value.get("comments")))
        found: list[Record] = []
        for view in sorted(views, key=lambda view: str(mapping(view.get("comment")).get("path", "")).count(".")):
            found += comment_records(source, view, addresses, answer.seen or now())
        before = len(present)
        present += [there for view in views if (there := line(mapping(view.get("comment")).get("ap_id"), 1_000)) and there not in present]
        records += told_by(found, answer)
        following = line(value.get("next_page"), 500) or ""
        if len(views) < COMMENTS or len(present) == before or (not base.endswith("v3") and not following):
            break
        place = following if not base.endswith("v3") else ""
    else:
        whole_tree = False
    if whole_tree:
        records.append(roster(uri, present))
    emit(records, cursor)


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`; comments answer what earlier answers named."""
    addresses: dict[int, str] = {}
    for answer in answers:
        yield told_by(answer_records(source.id, answer.url, answer.body, addresses, answer.seen), answer)
