"""What a mapping gathers from one payload: records, each author once, and what could not be used with its reason.

For networks whose payloads name posts, authors and answers plainly. Nothing here raises, whatever a payload holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crawler.discourse import MAX_BODY
from crawler.fields import MAX_COUNT, body, line, moment, whole
from index.records import Author, Edge, Post, PostFormat, PostState, Reaction, Reject, Thread, Tombstone
from index.spool import Record

# "https://forum.example.org/t/some-words/123/4?u=ann": what other networks write when they mean a forum's thread.
_FORUM_THREAD = re.compile(r"^https?://([\w.-]{3,200}(?::\d{1,5})?)/t/(?:[^/?#]*[^/?#\d][^/?#]*/)?(\d{1,15})(?:/\d{1,9})?/?(?:[?#].*)?$")
PAST_9999 = 253_402_300_800  # seconds since 1970: the first moment that Python's dates cannot hold


@dataclass(slots=True)
class Reading:
    source: str
    now: str  # nothing is younger
    records: list[Record] = field(default_factory=list)
    _authors: set[str] = field(default_factory=set)

    def reject(self, where: str, reason: str, detail: str = "") -> None:
        self.records.append(Reject(self.source, where, reason, detail[:300]))

    def author(self, author: str, handle: str, name: str = "", staff: bool = False) -> str:
        if author not in self._authors:
            self._authors.add(author)
            self.records.append(Author(author, self.source, handle, name, staff))
        return author

    def thread(
        self,
        thread: str,
        title: object,
        created: object,
        permalink: str,
        category: object = "",
        tags: object = (),
        accepted: str | None = None,
    ) -> None:
        """A thread whose date is impossible is not told: its posts say when it was."""
        when = self.moment(created)
        if when is None:
            self.reject(thread, "thread without date")
            return
        names = tuple(dict.fromkeys(name for tag in tags if (name := line(tag, 100)))) if isinstance(tags, list | tuple) else ()
        self.records.append(
            Thread(thread, self.source, line(title) or "", when, permalink, line(category, 100) or "", names[:50], accepted)
        )

    def post(
        self,
        post: str,
        thread: str,
        author: str | None,
        created: object,
        text: object,
        format: PostFormat,
        permalink: str,
        edited: object = None,
        reply_to: str | None = None,
        likes: object = 0,
        number: int | None = None,
    ) -> bool:
        """Add a post and its reply edge; False and a reject where it lacks what a post must have."""
        when, words = self.moment(created), body(text) or ""
        lack = _lack(author, created, when, words)
        if lack or author is None or when is None:
            self.reject(post, lack, f"{created!r:.100}" if "date" in lack else "")
            return False
        changed = self.moment(edited)
        changed = changed if changed is not None and changed > when else None
        version = 2 if changed else 1
        state: PostState = "edited" if changed else "live"
        count = whole(likes, 0, MAX_COUNT) or 0
        answered = None if reply_to == post else reply_to
        self.records.append(
            Post(post, self.source, thread, number, author, when, format, words, permalink, changed, version, answered, state, count)
        )
        if answered:
            self.records.append(Edge("reply", post, answered))
        return True

    def likes(self, post: str, count: object) -> None:
        """How many liked it, where the network does not say who."""
        self.records.append(Reaction(post, "", "like", whole(count, 0, MAX_COUNT) or 0))

    def gone(self, post: str, state: PostState, reason: str) -> None:
        self.records.append(Tombstone(post, state, reason))

    def moment(self, value: object) -> str | None:
        """ISO 8601, or seconds since 1970."""
        if type(value) is int and 0 < value < PAST_9999:
            value = datetime.fromtimestamp(value, UTC).isoformat()
        return moment(value, self.now)


def _lack(author: str | None, created: object, when: str | None, words: str) -> str:
    """Why a post cannot be kept: "" where it can."""
    if author is None:
        return "post without author"
    if when is None:
        return "post without date" if created is None else "post with an impossible date"
    if not words.strip():
        return "post without text"
    return "post too large" if len(words) > MAX_BODY else ""


def thread_meant(url: object) -> str | None:
    """What a link to a discussion points at: a Discourse thread by its id, else the address itself; None where it is none."""
    address = line(url, 1_000) or ""
    if not re.match(r"https?://[^\s/]", address):
        return None
    found = _FORUM_THREAD.match(address)
    return f"discourse:{found.group(1).lower()}/t/{found.group(2)}" if found else address
