"""One visit to a live Discourse forum: list what changed, then read those threads.

What fails for one thread becomes a Reject, and the thread waits for the next run; what fails for the forum ends the
visit with what was read so far.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crawler.answers import Answer, is_json_error, read_object
from crawler.discourse import HEART, Forum, main_reaction, read_categories, thread_records
from crawler.discourse_again import Again
from crawler.discourse_raw import join
from crawler.fields import exact_moment, mapping, mappings, whole, wholes
from crawler.frontier import Frontier, Listed, passes, reaches_into
from crawler.job import Ask, Emit, ForbiddenError, Job, StoppedError, told_by
from index.errors import SourceError
from index.records import Post, Reaction, Reject
from index.spool import Record, Roster
from index.store import now

GROUP = 20  # posts in one request, as Discourse's own pages ask
BATCH_THREADS, BATCH_POSTS, BATCH_SECONDS = 10, 500, 10.0  # whichever comes first ends a batch
LISTING_PAGES = 20  # pages between two batches while listing
FAILED_THREADS = 5  # failing in a row: then it is the forum that fails
NOT_READ = "not read: thread"  # told anew by each run


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    """Read what is new in a forum. Raises SourceError for what fails for the forum as a whole."""
    await Sweep(job, ask, emit).run()


class Sweep:
    """A visit under way."""

    def __init__(self, job: Job, ask: Ask, emit: Emit) -> None:
        self.job, self.ask, self.emit, self.report = job, ask, emit, job.report
        self.forum = Forum(job.source.id, job.source.base_url, now(), main_reaction=job.cursor.get("main_reaction") or HEART)
        self.frontier = Frontier.read(job.cursor)
        self.again = Again(job, ask, self.forum)
        self._first = not self.frontier.head  # nothing is known yet
        self._liked = Counter[int]()  # posts read in a first visit, and how many like them
        self._reacted = Counter[int]()  # the same of other reactions
        self._records: list[Record] = []
        self._posts = self._threads = self._done = 0
        self._flushed = time.monotonic()

    async def run(self) -> None:
        """List, then read. Threads to look at again, because a post was missing there, are in the job's hints."""
        try:
            await self._read_site()
            self.again.forum = self.forum
            self.frontier.add(self.job.hints.get("recheck", ()))
            await self._list()
            if not self._first:
                await self._compare()
            await self._read_waiting()
            await self._enrich()
        finally:
            self.flush()
            self.report.waiting = len(self.frontier.threads())

    def flush(self) -> None:
        """Write what was gathered, with the cursor that stands behind it."""
        cursor = self.frontier.changes() | self.again.cursor
        self.again.cursor = {}
        self.emit(self._records, cursor, self._done, self._done + len(self.frontier.chunk_of))
        self._records, self._posts, self._threads, self._flushed = [], 0, 0, time.monotonic()

    async def _read_site(self) -> None:
        site = read_object(await self.ask(f"{self.forum.base_url}/site.json"))
        self.forum = replace(self.forum, categories=read_categories(site))

    async def _compare(self) -> None:
        """What bumps nothing: threads where an old post is not as it was are read with the others."""
        await self.again.compare()
        self.frontier.add(self.again.suspects)
        self.flush()

    async def _enrich(self) -> None:
        """Names and earlier texts: what the store lacked before this visit; of a first visit what it has just read."""
        self.flush()  # a batch tells the reactions of a post once: counts come with threads, names now
        liked = [*self._liked.items(), *self.job.hints.get("unnamed", ())]
        reacted = [*self._reacted.items(), *self.job.hints.get("reacted", ())]
        self._records += await self.again.enrich(liked, reacted, self.job.hints.get("edited", ()))

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
            if not listed and not newest and self.frontier.head:
                raise SourceError(f"{self.forum.base_url} lists no thread any more", "see whether it can still be read without an account")
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
            if not listed and not seen and page == 0 and self.frontier.head:
                raise SourceError(f"{self.forum.base_url} lists no thread any more", "see whether it can still be read without an account")
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
        topics = mapping(read_object(await self.ask(url, keep=False)).get("topic_list"))
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
            raise SourceError(
                f"{answer.url} answers about another thread ({payload.get('id')!r:.50})",
                "see whether something in front of the forum mixes up its answers",
            )
        self._note_main_reaction(payload)
        try:
            answers = await self._further(thread, mapping(payload.get("post_stream")))
        except SourceError:  # what came stays; the thread waits for another try
            self._records += told_by(thread_records(replace(self.forum, now=now()), payload, self._where(thread)), answer)
            raise
        whole_thread = join(payload, [read_object(answer) for answer in answers])
        records = thread_records(replace(self.forum, now=now()), whole_thread, self._where(thread))
        self._take(thread, told_by(records, answer, *answers))

    def _note_main_reaction(self, payload: Mapping[str, Any]) -> None:
        """Threads say which emoji is the like; pages of posts do not, so it is remembered."""
        main = main_reaction(payload)
        if main and main != self.forum.main_reaction:
            self.forum = self.again.forum = replace(self.forum, main_reaction=main)
            self.again.cursor["main_reaction"] = main

    async def _further(self, thread: int, stream: Mapping[str, Any]) -> list[Answer]:
        """What follows the first posts, which come with the thread: the rest of its stream in groups."""
        have = {whole(post.get("id")) for post in mappings(stream.get("posts"))}
        rest = [post for post in wholes(stream.get("stream")) if post not in have]
        answers = []
        for start in range(0, len(rest), GROUP):
            query = "&".join(f"post_ids[]={post}" for post in rest[start : start + GROUP])
            answers.append(await self.ask(f"{self._where(thread)}/posts.json?{query}"))
        return answers

    def _take(self, thread: int, records: list[Record]) -> None:
        posts = sum(isinstance(record, Post) for record in records)
        self._records += records
        for record in records if self._first else ():
            if isinstance(record, Reaction) and not record.actor and record.count:
                (self._liked if record.kind == "like" else self._reacted)[int(record.post.rpartition("/")[2])] += record.count
        self._posts += posts
        self._threads += 1
        self._done += 1
        self.frontier.done(thread)

    def _where(self, thread: int) -> str:
        return self.forum.permalink(thread)

    def _reject(self, where: str, reason: str, detail: str) -> None:
        self._records.append(Reject(self.forum.source, where, reason, detail))
