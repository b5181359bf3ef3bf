"""Reading a Mastodon server: its local timeline, or a hashtag, from the oldest on; contexts, edits, favourites, deletions.

Pages go upwards from `min_id`, so one mark says what is read: nothing older can be left behind it. What changes later
(edits, counts, deletions) is looked for among the youngest posts and, bit by bit, among all others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from crawler.answers import Answer, complain
from crawler.fields import line, mapping, parsed, whole
from crawler.job import Ask, Emit, Job, told_by
from crawler.mastodon import Instance, favourite_records, history_records, parents, status_records, statuses_of, uri_of
from crawler.probe import Probe
from crawler.social import source_host
from index.errors import SourceError
from index.records import Post, Source, Tombstone
from index.spool import Record
from index.store import Store, now

PAGE = 40  # the most that a timeline gives
LOOKED_AT = 200  # known posts that a run looks at again, half of them the youngest
BATCH = 500  # records of looking again in one batch
LIKERS = 100  # posts whose favourites one run asks for
CUT = 60  # descendants that a context gives to those without an account
MOST_CONTEXTS = 20  # of one conversation that goes on below the cut
_TAG = re.compile(r"/tags/([\w·]{1,200})/?\Z")
_OWN = re.compile(r"/@[^/]+/(\d{1,30}|[0-9A-Za-z]{10,40})\Z")


def find(address: str, probe: Probe) -> Source | None:
    """A server's address, or one of its hashtags': `https://fed.example.org/tags/governance`."""
    parts = urlsplit(address)
    tag = _TAG.match(parts.path)
    if parts.scheme not in ("https", "http") or not (tag or not parts.path.strip("/")):
        return None
    base_url = f"{parts.scheme}://{parts.netloc.lower()}"
    answer = probe.reads(f"{base_url}/api/v1/instance")
    about = mapping(parsed(answer.body)) if answer is not None and answer.status == 200 else {}
    if not (isinstance(about.get("version"), str) and isinstance(about.get("uri") or about.get("domain"), str)):
        return None
    return Source(
        id=f"mastodon:{source_host(base_url)}" + (f"/tags/{tag[1]}" if tag else ""),
        kind="mastodon",
        address=address,
        base_url=base_url,
        title=line(about.get("title"), 100) or "",
        allow_private=probe.allow_private,
    )


def hints(store: Store, source: Source) -> dict[str, Any]:
    """Posts that are known, the youngest first, with the permalink that holds their number at this server."""
    from index.tables_networks import known_permalinks

    return {"posts": known_permalinks(store, source.id)}


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    reading = _Reading(job, ask, emit)
    reading.numbers = {number: post for post, permalink in job.hints.get("posts", ()) if (number := reading.number(permalink))}
    await reading.upwards()
    await reading.look_again()


@dataclass(slots=True)
class _Reading:
    job: Job
    ask: Ask
    emit: Emit
    likers: int = LIKERS
    read: set[str] = field(default_factory=set)  # numbers of the statuses that came in this run
    numbers: dict[str, str] = field(default_factory=dict)  # number → post, of the server's own

    @property
    def base(self) -> str:
        return self.job.source.base_url

    def _instance(self) -> Instance:
        return Instance(self.job.source.id, urlsplit(self.base).netloc, now())

    def _timeline(self, after: str) -> str:
        tag = _TAG.match(urlsplit(self.job.source.address).path)
        path = f"tag/{quote(tag[1])}?" if tag else "public?local=true&"
        return f"{self.base}/api/v1/timelines/{path}limit={PAGE}&min_id={after}"

    async def upwards(self) -> None:
        """Pages above the mark. Each is written whole, with its conversations, before the mark moves."""
        mark = self.job.cursor.get("min_id", "0")
        while True:
            answer = await self._ask(self._timeline(mark))
            page = statuses_of(parsed(answer.body))
            numbers = [number for status in page if (number := line(status.get("id"), 100))]
            fresh = [number for number in numbers if _above(number, mark)]
            if page and not fresh:
                raise SourceError(f"{self.base} gives a timeline that does not move on from {mark}", "report it to its operators")
            if not page:
                if mark == "0":
                    await self._complain_of_silence()
                return
            answers, statuses = [answer], {str(status.get("id")): status for status in page}
            await self._conversations(page, statuses, answers)
            records = await self._records(list(statuses.values()), answers)
            mark = max(fresh, key=_order)
            self.emit(records, {"min_id": mark})
            self.read.update(statuses)

    async def _complain_of_silence(self) -> None:
        """A server may hide its timelines from those without an account: then an empty list says nothing of what is there."""
        about = mapping(parsed((await self.ask(f"{self.base}/api/v1/instance", keep=False)).body))
        count = whole(mapping(about.get("stats")).get("status_count"), 0) or 0
        if count and not _TAG.match(urlsplit(self.job.source.address).path):
            raise SourceError(
                f"{self.base} shows an empty timeline though it has {count:,} posts", "it hides its feeds from those without an account"
            )

    async def _ask(self, url: str, keep: bool = True) -> Answer:
        answer = await self.ask(url, keep=keep)
        if answer.status in (401, 403, 422):
            raise SourceError(f"{url} wants a login ({answer.status})", "this server hides its feeds from those without an account")
        complain(answer)
        return answer

    async def _conversations(self, page: Sequence[Mapping[str, Any]], statuses: dict[str, dict[str, Any]], answers: list[Answer]) -> None:
        """What stands above and below the statuses of a page, once for each conversation; on below where an answer is cut."""
        done: set[str] = set()
        todo = [str(status["id"]) for status in page if status.get("in_reply_to_id") or whole(status.get("replies_count"))]
        asked = 0
        while todo:
            number = todo.pop()
            if number in done or asked > MOST_CONTEXTS * max(1, len(page)):
                continue
            asked += 1
            answer = await self.ask(f"{self.base}/api/v1/statuses/{quote(number)}/context")
            done.add(number)
            if answer.status != 200:
                continue
            context = mapping(parsed(answer.body))
            found = {str(status.get("id")): status for status in statuses_of(context)}
            statuses.update({key: value for key, value in found.items() if key not in statuses})
            answers.append(answer)
            below = [str(status.get("id")) for status in context.get("descendants") or [] if isinstance(status, dict)]
            parents_here = {str(status.get("in_reply_to_id")) for status in found.values()}
            cut = len(below) >= CUT
            done.update(key for key in [*found] if not cut)
            if cut:  # those at its edge that say they have replies, none of which came
                todo += [key for key in below if whole(found[key].get("replies_count")) and key not in parents_here]
                done.update(key for key in below if key in parents_here)

    async def _records(self, statuses: Sequence[dict[str, Any]], answers: Sequence[Answer]) -> list[Record]:
        instance, known = self._instance(), {**self.numbers, **parents(statuses)}
        records: list[Record] = []
        for status in statuses:
            records += status_records(instance, status, known, self.base)
        told = told_by(records, *answers)
        posts = {record.id: record for record in records if isinstance(record, Post)}
        for status in statuses:
            post = posts.get(f"ap:{uri_of(status)}")
            if post is not None:
                told += await self._beside(status, post)
        return told

    async def _beside(self, status: Mapping[str, Any], post: Post) -> list[Record]:
        """Earlier texts of an edited status, and who favourited it, where the server says."""
        found: list[Record] = []
        where = f"{self.base}/api/v1/statuses/{quote(str(status.get('id')))}"
        if post.edited:
            answer = await self.ask(f"{where}/history", keep=False)
            if answer.status == 200:
                history = parsed(answer.body)
                kept = self.job.keep(f"{where}/history", json.dumps({"post": post.id, "history": history}).encode())
                found += told_by(history_records(post.id, history, now()), kept)
        if post.likes and self.likers > 0:
            self.likers -= 1
            answer = await self.ask(f"{where}/favourited_by?limit=80", keep=False)
            if answer.status == 200:
                found += favourite_records(self._instance(), post.id, parsed(answer.body), post.likes)
            else:
                self.likers = 0  # this server does not say it to us
        return found

    # --- what changed since

    async def look_again(self) -> None:
        """The youngest known posts, and some of the others in turn. One that is missing at two looks was deleted."""
        posts: list[tuple[str, str]] = [
            (post, number) for post, permalink in self.job.hints.get("posts", ()) if (number := self.number(permalink))
        ]
        young, old = posts[: LOOKED_AT // 2], posts[LOOKED_AT // 2 :]
        place = int(self.job.cursor.get("looked_at") or 0) % max(1, len(old))
        turn = (old[place:] + old[:place])[: LOOKED_AT // 2]
        missing = _object(self.job.cursor.get("missing", ""))
        records: list[Record] = []
        for post, number in dict.fromkeys([*young, *turn]):
            if number in self.read:
                continue
            answer = await self.ask(f"{self.base}/api/v1/statuses/{quote(number)}")
            if answer.status in (404, 410):
                records += _gone(post, answer.status, missing)
            elif answer.status == 200:
                missing.pop(post, None)
                records += await self._again(answer, number)
            if len(records) >= BATCH:
                self.emit(records, {"missing": json.dumps(missing)})
                records = []
        self.emit(records, {"missing": json.dumps(missing), "looked_at": str((place + len(turn)) % max(1, len(old)))})

    async def _again(self, answer: Answer, number: str) -> list[Record]:
        """A status by itself. What it answers is known by number, or by what stands above it."""
        answers, statuses = [answer], statuses_of(parsed(answer.body))
        answered = line(statuses[0].get("in_reply_to_id"), 100) if statuses else None
        if answered and answered not in self.numbers:
            context = await self.ask(f"{self.base}/api/v1/statuses/{quote(number)}/context", keep=False)
            self.numbers.update(parents(statuses_of(parsed(context.body))) if context.status == 200 else {})
        return await self._records(statuses, answers)

    def number(self, permalink: str) -> str | None:
        """The number of one of the server's own posts: only its own can be looked at again by their permalink."""
        match = _OWN.search(urlsplit(permalink).path)
        return match[1] if match and permalink.startswith(f"{self.base}/") else None


def _gone(post: str, status: int, missing: dict[str, str]) -> list[Record]:
    """410 is the server's word; 404 may be anything, so the second look settles it."""
    if status == 410 or post in missing:
        missing.pop(post, None)
        return [Tombstone(post, "author_deleted", "gone (410)" if status == 410 else "not there at two looks (404)")]
    missing[post] = now()
    return []


def _order(number: str) -> tuple[int, str]:
    """Numbers of statuses grow in length, then in order; some servers write them with letters."""
    return len(number), number


def _above(number: str, mark: str) -> bool:
    return mark == "0" or _order(number) > _order(mark)


def parse(source: Source, answers: Sequence[Answer]) -> Iterator[list[Record]]:
    """Records of kept answers, for `precipitate reparse`. Replies name each other by number across answers."""
    known: dict[str, str] = {}
    for answer in answers:
        value = parsed(answer.body)
        if isinstance(value, dict) and "history" in value:
            yield told_by(history_records(str(value.get("post")), value.get("history"), answer.seen), answer)
            continue
        statuses = statuses_of(value)
        known.update(parents(statuses))
        instance = Instance(source.id, urlsplit(source.base_url).netloc, answer.seen)
        yield told_by([record for status in statuses for record in status_records(instance, status, known, answer.url)], answer)


def redact(body: bytes, post: str) -> bytes | None:
    """A kept answer without one status; earlier texts of a post go whole."""
    value = parsed(body)
    if isinstance(value, list):
        rest: Any = [status for status in value if not _is(status, post)]
    elif isinstance(value, dict) and "descendants" in value:
        rest = {
            name: [status for status in value[name] if not _is(status, post)]
            for name in ("ancestors", "descendants")
            if isinstance(value.get(name), list)
        }
    else:
        return None
    return json.dumps(rest).encode()


def _is(status: object, post: str) -> bool:
    return f"ap:{uri_of(mapping(status))}" == post or _is_inner(status, post)


def _is_inner(status: object, post: str) -> bool:
    return f"ap:{uri_of(mapping(mapping(status).get('reblog')))}" == post


def _object(text: str) -> dict[str, str]:
    return {key: value for key, value in mapping(parsed(text.encode())).items() if isinstance(value, str)}
