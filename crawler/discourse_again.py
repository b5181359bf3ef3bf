"""What a forum's listing does not tell: edits and deletions that bump nothing, who reacted to a post, what it said before.

`/posts.json` shows fifty posts at a time with version and likes, so that many old posts are compared by one request;
only threads where something differs are read again. Two semantics of its `before` are met: "id < n, fifty of them", and
older, "ids of the window (n-50, n]", where an empty page is not the end. One rule serves both: go on below the lowest
id that came, or fifty lower where none came.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crawler.answers import read_object
from crawler.discourse import LIKE, Forum
from crawler.discourse_extras import earlier_text, like_count, likers, other_reactions, reacted
from crawler.discourse_hints import PAGE
from crawler.fields import mappings, whole
from crawler.job import Ask, Job, StoppedError, told_by
from index.errors import SourceError
from index.records import Reaction
from index.spool import Record

SHARE = 4  # one request more for so many that a run makes anyway
LIKERS = 200  # names on one page of likers, and as many pages as this are read at most
LIKER_PAGES = 10
QUIET = 20  # answers in a row without a name or text: then the forum hides them, and others are not asked for
MUTE = 5_000  # posts remembered of which nothing more is to be had

Look = Callable[[int, int], Awaitable[tuple[list[Record], bool]]]
Wanted = Iterable[tuple[int, int]]  # (post, count of what is wanted of it)


@dataclass(slots=True)
class Again:
    """Looking again, within a budget of requests."""

    job: Job
    ask: Ask
    forum: Forum
    suspects: list[int] = field(default_factory=list)  # threads where something differs
    cursor: dict[str, str] = field(default_factory=dict)
    _odd: dict[int, str] = field(default_factory=dict)  # posts that differed, and what the forum told of them then
    _spent: int = 0

    # --- comparing posts

    async def compare(self) -> None:
        """The newest posts with a quarter of the pages, older ones with the rest, going on where the last run ended.

        A fifth of the requests is left to names and earlier texts.
        """
        pages = self.job.config.extra_requests * 4 // 5
        newest = max(1, pages // 4)
        if not pages:
            return
        self._odd = {int(post): told for post, told in json.loads(self.job.cursor.get("again_odd") or "{}").items()}
        try:
            low = await self._walk(None, self.job.hints.get("newest", []), newest)
            place = self.job.cursor.get("again_before", "")
            start = int(place) if place.isdecimal() and int(place) > 1 else low
            end = await self._walk(start, self.job.hints.get("older", []), pages - newest) if start else start
            self.cursor["again_before"] = str(end) if end and end > 1 else ""
            self.cursor["again_odd"] = json.dumps(dict(list(self._odd.items())[-MUTE:]))
        except StoppedError:
            raise
        except SourceError:  # a forum that lists no posts: its threads are looked at in turn
            self.suspects += self.job.hints.get("stale", [])[:pages]

    async def _walk(self, before: int | None, known_posts: Iterable[list[Any]], pages: int) -> int | None:
        """Compare so many pages below `before`; the place that was reached, None where there was nothing."""
        known = {post[0]: post for post in known_posts}
        for _ in range(pages):
            if before is not None and before <= 1:
                break
            entries = await self._page(before)
            ids = [number for number in entries if before is None or number < before]
            if before is None and not ids:
                return None
            high = before if before is not None else max(ids) + 1
            low = min(ids) if ids else max(1, high - PAGE)
            self._differ(entries, known, low, high)
            before = low
        return before

    async def _page(self, before: int | None) -> dict[int, Mapping[str, Any]]:
        url = f"{self.forum.base_url}/posts.json" + (f"?before={before}" if before is not None else "")
        found = mappings(read_object(await self.ask(url, keep=False)).get("latest_posts"))
        self._spent += 1
        return {number: entry for entry in found if (number := whole(entry.get("id"))) is not None}

    def _differ(self, entries: Mapping[int, Mapping[str, Any]], known: Mapping[int, list[Any]], low: int, high: int) -> None:
        """Note the threads of posts that are gone, new, edited, or got more or fewer reactions than when last seen."""
        floor = min(known, default=2**62)
        for number, (_, version, likes, thread, others) in known.items():
            if low <= number < high:
                entry = entries.get(number)
                if entry is None or self._told(entry) not in ((version, likes, others), (version, likes, None)):
                    self._suspect(number, thread, entry)
        for number, entry in entries.items():
            if number >= floor and number not in known and low <= number < high and (found := whole(entry.get("topic_id"))):
                self._suspect(number, found, entry)

    def _told(self, entry: Mapping[str, Any]) -> tuple[int | None, int, str | None]:
        return whole(entry.get("version")), like_count(entry), other_reactions(self.forum, entry)

    def _suspect(self, number: int, thread: int, entry: Mapping[str, Any] | None) -> None:
        """Once: what still differs after its thread was read, such as a post that has no text, is left alone until it changes."""
        told = "" if entry is None else repr(self._told(entry))[:200]
        if self._odd.pop(number, None) != told:
            self.suspects.append(thread)
        self._odd[number] = told

    # --- names and earlier texts

    async def enrich(self, liked: Wanted, reacted: Wanted, edited: Wanted) -> list[Record]:
        """Names of those who reacted, and earlier texts, as far as the budget goes.

        A post of which not all is told is left alone until its count changes.
        """
        most = max(self.job.config.extra_requests, self.job.budget.spent // SHARE) - self._spent
        end = self.job.budget.spent + most
        found: list[Record] = []
        looks: tuple[tuple[str, Wanted, Look], ...] = (
            ("likers", liked, self._likers),
            ("reactions", reacted, self._reacted),
            ("edits", edited, self._versions),
        )
        for name, wanted, look in looks:
            mute = _mute(self.job.cursor.get(f"mute_{name}", ""))
            quiet = 0
            for post, count in wanted:
                if self.job.budget.spent >= end or quiet >= QUIET:
                    break
                if mute.get(post) == count:
                    continue
                records, settled = await self._try(look, post, count)
                quiet = 0 if records else quiet + 1
                found += records
                if not settled:
                    mute[post] = count
            self.cursor[f"mute_{name}"] = json.dumps(dict(list(mute.items())[-MUTE:]))
        return found

    async def _try(self, look: Look, post: int, count: int) -> tuple[list[Record], bool]:
        try:
            return await look(post, count)
        except StoppedError:
            raise
        except SourceError:  # hidden here
            return [], False

    async def _likers(self, post: int, likes: int) -> tuple[list[Record], bool]:
        """Names are not kept in the raw archive: who takes a like back, or wants to be forgotten, is not found there again."""
        people: list[Mapping[str, Any]] = []
        for page in range(LIKER_PAGES):
            url = f"{self.forum.base_url}/post_action_users.json?id={post}&post_action_type_id={LIKE}" + (f"&page={page}" if page else "")
            found = list(mappings(read_object(await self.ask(url, keep=False)).get("post_action_users")))
            people += found
            if len(found) < LIKERS:
                break
        records = likers(self.forum, post, likes, people)
        return records, bool(records) and not any(isinstance(record, Reaction) and not record.actor for record in records)

    async def _reacted(self, post: int, count: int) -> tuple[list[Record], bool]:
        """Who gave another reaction than a like; these names are not kept in the raw archive either."""
        answer = await self.ask(f"{self.forum.base_url}/discourse-reactions/posts/{post}/reactions-users.json", keep=False)
        records = reacted(self.forum, post, read_object(answer))
        named = sum(isinstance(record, Reaction) and bool(record.actor) for record in records)
        return records, named >= count

    async def _versions(self, post: int, version: int) -> tuple[list[Record], bool]:
        """The text before the last edit, then older ones as long as there are any."""
        found: list[Record] = []
        which = "latest"
        while version > 1:
            answer = await self.ask(f"{self.forum.base_url}/posts/{post}/revisions/{which}.json")
            payload = read_object(answer)
            text = earlier_text(self.forum, post, payload)
            if text is None or text.version >= version:
                break
            found += told_by([text], answer)
            version, which = text.version, str(payload.get("previous_revision"))
            if whole(payload.get("previous_revision"), 2) is None:
                break
        return found, bool(found)


def _mute(value: str) -> dict[int, int]:
    return {int(post): state for post, state in json.loads(value or "{}").items()}
