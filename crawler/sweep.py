"""One visit to a live Discourse forum: list what changed, then read those threads. Knows nothing of Scrapy.

It is given `ask`, which sends one request at a time, and writes batches into the spool, each together with the cursor
that stands behind it. What fails for one thread becomes a Reject, and the thread waits for the next run; what fails
for the forum ends the visit with what was read so far.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.answers import Answer, is_json_error, read_object
from crawler.discourse import Forum, read_categories, thread_records
from crawler.fields import exact_moment, mapping, mappings, whole, wholes
from crawler.frontier import Frontier, Listed, passes, reaches_into
from index.errors import SourceError
from index.records import Post, Reject
from index.spool import Record, Roster, write_batch
from index.store import now

GROUP = 20  # posts in one request, as Discourse's own pages ask
BATCH_THREADS, BATCH_POSTS, BATCH_SECONDS = 10, 500, 10.0  # whichever comes first ends a batch
LISTING_PAGES = 20  # pages between two batches while listing
FAILED_THREADS = 5  # failing in a row: then it is the forum that fails
NOT_READ = "thread not read"  # how the reasons of threads that wait for another try begin


class StoppedError(SourceError):
    """Nothing more is asked of this forum in this run."""


class ForbiddenError(SourceError):
    """robots.txt forbids this one address."""


Ask = Callable[[str], Awaitable[Answer]]


@dataclass(slots=True)
class Report:
    """What a visit did, as the child process tells its parent."""

    threads: int = 0
    posts: int = 0
    failed: int = 0  # threads that wait for another try
    waiting: int = 0  # threads not read yet, these included
    requests: int = 0
    error: str | None = "the visit broke off"  # until it has come to its end
    way_out: str = ""


@dataclass(slots=True)
class Sweep:
    """A visit under way. `tell` is told (threads read, threads in all) after each batch."""

    forum: Forum
    spool: Path
    frontier: Frontier
    ask: Ask
    tell: Callable[[int, int], None]
    report: Report
    _records: list[Record]
    _posts: int = 0
    _threads: int = 0
    _flushed: float = 0.0
    _batches: int = 0

    @classmethod
    def begin(cls, forum: Forum, spool: Path, cursor: Mapping[str, str], ask: Ask, tell: Callable[[int, int], None]) -> Sweep:
        return cls(forum, spool, Frontier.read(cursor), ask, tell, Report(), [], _flushed=time.monotonic())

    async def run(self, recheck: Sequence[int] = ()) -> Report:
        """List, then read. `recheck`: threads to look at again, because a post was missing there."""
        try:
            await self._read_site()
            self.frontier.add(recheck)
            await self._list()
            await self._read_waiting()
            self.report.error, self.report.way_out = None, ""
        except SourceError as error:
            self.report.error, self.report.way_out = error.message, error.way_out
        self.flush()
        self.report.waiting = len(self.frontier.threads())
        return self.report

    def flush(self, extra: Mapping[str, str] | None = None) -> None:
        """Write what was gathered, with the cursor that stands behind it."""
        cursor = self.frontier.changes() | dict(extra or {})
        if self._records or cursor:
            write_batch(self.spool, self.forum.source, self._records, cursor, self._batches)
            self._batches += 1
            self.tell(self.report.threads, self.report.threads + len(self.frontier.chunk_of))
        self._records, self._posts, self._threads, self._flushed = [], 0, 0, time.monotonic()

    def keep_hold(self, not_before: float) -> None:
        """The forum asked for a long rest: it has it also if this run is stopped and another one begins."""
        self.flush({"not_before": datetime.fromtimestamp(not_before, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")})

    async def _read_site(self) -> None:
        site = read_object(await self.ask(f"{self.forum.base_url}/site.json"))
        self.forum = replace(self.forum, categories=read_categories(site))

    # --- listing

    async def _list(self) -> None:
        """Note every thread bumped since the head as waiting, going on where an earlier listing was cut off."""
        page = 0
        if self.frontier.top:
            if await self._list_news():
                self._close_listing()
                return
            page = await self._find_bottom()
        await self._list_down(page)
        self._close_listing()

    def _close_listing(self) -> None:
        self.frontier.close()
        self.flush()

    async def _list_news(self) -> bool:
        """From the first page down to the top of the listed interval; True if the listing ended on the way."""
        newest: dict[int, str] = {}
        page, ended = 0, False
        while not ended:
            listed, last = await self._page(page)
            ended = last or all(entry.thread in newest for entry in listed)
            newest.update({entry.thread: entry.bumped for entry in listed})
            self.frontier.add(entry.thread for entry in listed if self.frontier.is_news(entry))
            if passes(listed, self.frontier.top):
                break
            page += 1
        self.frontier.extend(newest)
        return ended

    async def _find_bottom(self) -> int:
        """The page to go on with. Threads deleted since may have moved it up, so it has to reach into what is listed."""
        page = self.frontier.page
        while page > 0:
            listed, _ = await self._page(page)
            if reaches_into(listed, self.frontier.bottom):
                break
            page -= 1
        return page

    async def _list_down(self, page: int) -> None:
        """From a page down to the head, or to the end of the list."""
        seen: set[int] = set()
        ended = False
        while not ended:
            listed, last = await self._page(page)
            fresh = [entry for entry in listed if entry.thread not in seen]
            seen.update(entry.thread for entry in fresh)
            self.frontier.add(entry.thread for entry in fresh if self.frontier.is_news(entry))
            self._note_reach(fresh, page)
            ended = last or not fresh or passes(listed, self.frontier.head)
            page += 1
            if page % LISTING_PAGES == 0:
                self.flush()

    def _note_reach(self, listed: Sequence[Listed], page: int) -> None:
        if not self.frontier.top:
            self.frontier.extend({entry.thread: entry.bumped for entry in listed})
        in_order = [entry.bumped for entry in listed if not entry.pinned]
        if in_order:
            self.frontier.reach(min(in_order), page)

    async def _page(self, page: int) -> tuple[list[Listed], bool]:
        """One page of the listing, and whether it is the last."""
        url = f"{self.forum.base_url}/latest.json?order=activity&page={page}"
        topics = mapping(read_object(await self.ask(url)).get("topic_list"))
        entries = list(mappings(topics.get("topics")))
        listed = [self._listed(entry, url) for entry in entries]
        return [entry for entry in listed if entry is not None], not entries or not topics.get("more_topics_url")

    def _listed(self, entry: Mapping[str, Any], url: str) -> Listed | None:
        moments = (exact_moment(entry.get(key), now()) for key in ("bumped_at", "last_posted_at", "created_at"))
        thread, bumped = whole(entry.get("id")), next((moment for moment in moments if moment), None)
        if thread is None or bumped is None:
            self._reject(url, "listed thread without id or date", f"{entry.get('id')!r:.100}")
            return None
        return Listed(thread, bumped, entry.get("pinned") is True or entry.get("pinned_globally") is True)

    # --- threads

    async def _read_waiting(self) -> None:
        in_a_row = 0
        for thread in self.frontier.threads():
            try:
                await self._read_thread(thread)
                in_a_row = 0
            except StoppedError:
                raise
            except ForbiddenError as error:
                self.frontier.done(thread)
                self._reject(self._where(thread), "thread forbidden by robots.txt", error.message)
            except SourceError as error:
                in_a_row += 1
                self.report.failed += 1
                self._reject(self._where(thread), NOT_READ, error.message)
                if in_a_row >= FAILED_THREADS:
                    raise StoppedError(f"left alone after {in_a_row} threads in a row failed: {error.message}", error.way_out) from None
            self._flush_if_due()

    def _flush_if_due(self) -> None:
        late = time.monotonic() - self._flushed > BATCH_SECONDS
        if late or self._posts >= BATCH_POSTS or self._threads >= BATCH_THREADS:
            self.flush()

    async def _read_thread(self, thread: int) -> None:
        """All posts of a thread, then its records at once: they refer to each other by number."""
        answer = await self.ask(f"{self._where(thread)}.json")
        if answer.status in (404, 410) and is_json_error(answer):
            self._take(thread, [Roster(self.forum.thread_id(thread), ())])
            return
        payload = read_object(answer)
        if payload.get("id") != thread:
            raise SourceError(f"{answer.url} answers about another thread ({payload.get('id')!r:.50})", "")
        posts = await self._all_posts(thread, mapping(payload.get("post_stream")))
        # Ids in the stream for which no post came are gone: so the roster names the posts that came.
        payload["post_stream"] = {"posts": posts, "stream": [post.get("id") for post in posts]}
        self._take(thread, thread_records(replace(self.forum, now=now()), payload, self._where(thread)))

    async def _all_posts(self, thread: int, stream: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The first posts, which come with the thread, and the rest of its stream in groups."""
        posts = list(mappings(stream.get("posts")))
        have = {whole(post.get("id")) for post in posts}
        rest = [post for post in wholes(stream.get("stream")) if post not in have]
        for start in range(0, len(rest), GROUP):
            query = "&".join(f"post_ids[]={post}" for post in rest[start : start + GROUP])
            answer = read_object(await self.ask(f"{self._where(thread)}/posts.json?{query}"))
            posts += mappings(mapping(answer.get("post_stream")).get("posts"))
        return posts

    def _take(self, thread: int, records: list[Record]) -> None:
        posts = sum(isinstance(record, Post) for record in records)
        self._records += records
        self._posts += posts
        self._threads += 1
        self.report.threads += 1
        self.report.posts += posts
        self.frontier.done(thread)

    def _where(self, thread: int) -> str:
        return self.forum.permalink(thread)

    def _reject(self, where: str, reason: str, detail: str) -> None:
        self._records.append(Reject(self.forum.source, where, reason, detail))
