"""From Discourse's JSON to records: pure, and it never fails, whatever the JSON holds.

What cannot be used becomes a Reject that says where it stands and why; the rest goes on. The shapes are those of
`/t/{id}.json` and `/t/{id}/posts.json`; archives keep one such thread a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from crawler.discourse_edges import find_edges
from crawler.fields import MAX_COUNT, body, line, mapping, mappings, moment, whole, wholes
from index.records import Author, Edge, Post, PostFormat, PostState, Reaction, Reject, Thread, Tombstone
from index.spool import Record, Roster

MAPPING_VERSION = "discourse/2"  # another mapping reads archives again
MAX_BODY = 2_000_000  # characters; the longest real post seen has 83,817
LIKE = 2  # id of the like among Discourse's post actions
HEART = "heart"  # the emoji that stands for a like, where a forum that has several does not say which
_EMOJI = re.compile(r"[\w+:-]{1,60}\Z")
# What Discourse leaves in place of a post that its author deleted, until it is gone altogether.
_DELETED = re.compile(r"^\((?:post|topic) (?:deleted|withdrawn) by author\b[^)]{0,120}\)$")


@dataclass(frozen=True, slots=True)
class Forum:
    """What the mapping has to know of a forum."""

    source: str  # "discourse:forum.example.org": ids begin with it
    base_url: str  # "https://forum.example.org": permalinks begin with it
    now: str  # when it was read: nothing is younger
    synthetic: bool = False  # post ids are made up, so a post is named by its thread and number
    categories: Mapping[int, str] = field(default_factory=dict)
    main_reaction: str = HEART  # with the reactions plugin: the emoji that is the like

    def thread_id(self, thread: int) -> str:
        return f"{self.source}/t/{thread}"

    def post_id(self, thread: int, number: int | None, post: int) -> str:
        return f"{self.source}/t/{thread}/{number}" if self.synthetic else f"{self.source}/p/{post}"

    def author_id(self, user: int | None, handle: str) -> str:
        """By the lasting number where there is one. A name of digits alone must not pass for somebody's number."""
        if user is not None:
            return f"{self.source}/u/{user}"
        return f"{self.source}/u/{'@' if handle.isdecimal() else ''}{handle.lower()}"

    def permalink(self, thread: int, number: int | None = None) -> str:
        """Without the slug, which changes with the title; Discourse answers both."""
        return f"{self.base_url}/t/{thread}" + (f"/{number}" if number else "")


def source_id(base_url: str) -> str:
    """ "discourse:" and the host, with the port and folder where they are not the usual ones."""
    parts = urlsplit(base_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    port = f":{parts.port}" if parts.port and parts.port != usual else ""
    return f"discourse:{host}{port}{parts.path.rstrip('/')}"


def read_categories(site: Mapping[str, Any]) -> dict[int, str]:
    """Category names by number from `/site.json`."""
    found = ((whole(entry.get("id")), line(entry.get("name"))) for entry in mappings(site.get("categories")))
    return {number: name for number, name in found if number is not None and name}


@dataclass(slots=True)
class _Reading:
    """One thread while it is read: what its posts need to know of each other, and what was left out so far."""

    forum: Forum
    where: str
    thread: int
    posts_by_number: dict[int, str]
    authors_by_handle: dict[str, str]
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, where: str, reason: str, detail: str = "") -> None:
        self.rejects.append(Reject(self.forum.source, where, reason, detail[:200]))

    def post_ref(self, thread: int, number: int) -> str:
        """The id of a post as far as it is known here: "…/t/12#3" where only its thread and number are."""
        if number < 1:
            return self.forum.thread_id(thread)
        if self.forum.synthetic:
            return self.forum.post_id(thread, number, 0)
        known = self.posts_by_number.get(number) if thread == self.thread else None
        return known or f"{self.forum.thread_id(thread)}#{number}"

    def author_ref(self, handle: str) -> str:
        return self.authors_by_handle.get(handle.lower()) or self.forum.author_id(None, handle)


def thread_records(forum: Forum, payload: object, where: str) -> list[Record]:
    """Records of one thread as `/t/{id}.json` gives it, with all the posts that are to be read in `post_stream`."""
    thread = whole(mapping(payload).get("id"))
    stream = mapping(mapping(payload).get("post_stream"))
    raw_posts = list(mappings(stream.get("posts")))
    if not isinstance(payload, dict) or thread is None or not raw_posts:
        reason = "not a thread" if not isinstance(payload, dict) else "thread without id" if thread is None else "thread without posts"
        return [Reject(forum.source, where, reason)]
    forum = replace(forum, main_reaction=main_reaction(payload) or forum.main_reaction)
    reading = _reading(forum, where, thread, raw_posts)
    if len(raw_posts) < len(stream["posts"]):
        reading.reject(where, "post is not an object", f"{len(stream['posts']) - len(raw_posts)} of them")
    authors: dict[str, Author] = {}
    records: list[Record] = []
    for place, raw in enumerate(raw_posts, 1):
        records += _post_records(reading, raw, _place(where, raw, place), authors)
    posts = [record for record in records if isinstance(record, Post)]
    head = [_thread(reading, payload, posts, raw_posts)] if posts else []
    return [*authors.values(), *head, *records, *_roster(reading, stream, raw_posts), *reading.rejects]


def _reading(forum: Forum, where: str, thread: int, raw_posts: Sequence[dict[str, Any]]) -> _Reading:
    numbers: dict[int, str] = {}
    handles: dict[str, str] = {}
    for raw in raw_posts:
        number, post, handle = whole(raw.get("post_number"), 1, MAX_COUNT), whole(raw.get("id")), line(raw.get("username"), 100)
        if number is not None and (post is not None or forum.synthetic):
            numbers.setdefault(number, forum.post_id(thread, number, post or 0))
        if handle:
            handles.setdefault(handle.lower(), forum.author_id(_user(raw.get("user_id")), handle))
    return _Reading(forum, where, thread, numbers, handles)


def _place(where: str, raw: Mapping[str, Any], place: int) -> str:
    return f"{where} post {whole(raw.get('post_number'), 1, MAX_COUNT) or place}"


def _user(value: object) -> int | None:
    """Discourse's own accounts have negative numbers: -1 is "system"."""
    return whole(value, low=-1_000_000)


def _thread(reading: _Reading, payload: Mapping[str, Any], posts: Sequence[Post], raw_posts: Sequence[Mapping[str, Any]]) -> Thread:
    forum, thread = reading.forum, reading.thread
    created = moment(payload.get("created_at"), forum.now)
    if created is None:
        reading.reject(reading.where, "thread without date", "its first post's is taken instead")
        created = min(post.created for post in posts)
    title = line(payload.get("title"))
    if not title:
        reading.reject(reading.where, "thread without title")
    category = line(payload.get("category")) or forum.categories.get(whole(payload.get("category_id")) or 0, "")
    return Thread(
        id=forum.thread_id(thread),
        source=forum.source,
        title=title or "",
        created=created,
        permalink=forum.permalink(thread),
        category=category,
        tags=_tags(payload.get("tags")),
        accepted_post=_accepted(reading, payload, posts, raw_posts),
    )


def _tags(values: object) -> tuple[str, ...]:
    """Tags are names, or in newer versions objects with a name."""
    names = (mapping(value).get("name", value) for value in (values if isinstance(values, list) else ()))
    tags = (line(name, 100) for name in names)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _accepted(reading: _Reading, payload: Mapping[str, Any], posts: Sequence[Post], raw_posts: Sequence[Mapping[str, Any]]) -> str | None:
    """The post that the asker took as the answer: marked on the thread in newer versions, on the post in older ones."""
    numbers = [whole(mapping(payload.get("accepted_answer")).get("post_number"), 1, MAX_COUNT)]
    numbers += [whole(raw.get("post_number"), 1, MAX_COUNT) for raw in raw_posts if raw.get("accepted_answer") is True]
    kept = {post.id for post in posts}
    ids = (reading.posts_by_number.get(number) for number in numbers if number is not None)
    return next((post for post in ids if post in kept), None)


def _roster(reading: _Reading, stream: Mapping[str, Any], raw_posts: Sequence[Mapping[str, Any]]) -> list[Roster]:
    """Which posts the thread holds, where its list of ids can be believed: it has to name all the posts given."""
    listed = wholes(stream.get("stream"))
    numbers = {post: whole(raw.get("post_number"), 1, MAX_COUNT) for raw in raw_posts if (post := whole(raw.get("id"))) is not None}
    if not numbers or not set(numbers) <= set(listed):
        return []
    if reading.forum.synthetic and (len(numbers) < len(listed) or None in numbers.values()):
        return []
    ids = tuple(reading.forum.post_id(reading.thread, numbers.get(post), post) for post in listed)
    return [Roster(reading.forum.thread_id(reading.thread), ids)]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of `post_stream.posts`, and what its id, place and text turn out to be."""

    raw: Mapping[str, Any]
    where: str
    id: str
    number: int | None
    format: PostFormat
    text: str
    grave: Tombstone | None


def _post_records(reading: _Reading, raw: Mapping[str, Any], where: str, authors: dict[str, Author]) -> list[Record]:
    """The post with its reactions and edges, its tombstone, or nothing and a reject."""
    entry = _entry(reading, raw, where)
    if entry is None:
        return []
    author = _author(reading.forum, raw)
    if author is None and entry.grave:  # a forum need not say whose post is gone, nor does our archive
        return [entry.grave]
    post = _post(reading, entry, author)
    if post is None or author is None:
        return [entry.grave] if entry.grave else []
    authors[author.id] = author
    if entry.grave:
        return [post, entry.grave]
    return [post, *_reactions(reading, raw, post, where), *_edges(reading, raw, post)]


def _entry(reading: _Reading, raw: Mapping[str, Any], where: str) -> _Entry | None:
    forum = reading.forum
    post, number = whole(raw.get("id")), whole(raw.get("post_number"), 1, MAX_COUNT)
    if post is None and not forum.synthetic:
        reading.reject(where, "post without id")
        return None
    if number is None and forum.synthetic:
        reading.reject(where, "post without number", "this archive names its posts by thread and number")
        return None
    format, text = _text(raw)
    post_id = forum.post_id(reading.thread, number, post or 0)
    grave = _tombstone(post_id, raw, text)
    return _Entry(raw, where, post_id, number, format, "" if grave else text, grave)


def _text(raw: Mapping[str, Any]) -> tuple[PostFormat, str]:
    """Cooked HTML where there is any, since it says what readers saw; else raw Markdown."""
    cooked = body(raw.get("cooked")) or ""
    return ("cooked", cooked) if cooked.strip() else ("raw", body(raw.get("raw")) or "")


def _tombstone(post: str, raw: Mapping[str, Any], text: str) -> Tombstone | None:
    visible = re.sub(r"<[^<>]{0,200}>", "", text).strip() if len(text) < 400 else ""
    if raw.get("user_deleted") is True or _DELETED.match(visible):
        return Tombstone(post, "author_deleted", "deleted by its author")
    if isinstance(raw.get("deleted_at"), str):
        return Tombstone(post, "moderated", "deleted by the forum")
    return None


def _author(forum: Forum, raw: Mapping[str, Any]) -> Author | None:
    handle = line(raw.get("username"), 100)
    if not handle:
        return None
    staff = any(raw.get(key) is True for key in ("staff", "admin", "moderator"))
    return Author(forum.author_id(_user(raw.get("user_id")), handle), forum.source, handle, line(raw.get("name")) or "", staff)


def _post(reading: _Reading, entry: _Entry, author: Author | None) -> Post | None:
    """The post itself, or None and a reject that says what it lacks."""
    forum, raw = reading.forum, entry.raw
    created = moment(raw.get("created_at"), forum.now)
    lack = _lack(entry, author, created)
    if lack or author is None or created is None:
        reading.reject(entry.where, lack, f"{raw.get('created_at')!r:.100}" if "date" in lack else "")
        return None
    version = _number(reading, raw, "version", entry.where, default=1)
    return Post(
        id=entry.id,
        source=forum.source,
        thread=forum.thread_id(reading.thread),
        number=entry.number,
        author=author.id,
        created=created,
        format=entry.format,
        body=entry.text,
        permalink=forum.permalink(reading.thread, entry.number),
        edited=moment(raw.get("updated_at"), forum.now) if version > 1 else None,
        version=version,
        reply_to=_reply_to(reading, raw),
        state=_state(entry, version),
        likes=_like_count(reading, raw, entry.where),
        kind="action" if _is_action(raw) else "post",
    )


def _is_action(raw: Mapping[str, Any]) -> bool:
    """2 is a moderator's action, 3 a small one ("closed this on …"), 4 a whisper among staff; 1 or nothing a post."""
    return raw.get("post_type", 1) not in (1, None)


def _lack(entry: _Entry, author: Author | None, created: str | None) -> str:
    """Why a post cannot be kept: "" where it can."""
    if author is None:
        return "post without author"
    if created is None:
        return "post with an impossible date" if isinstance(entry.raw.get("created_at"), str) else "post without date"
    if not entry.text.strip() and not entry.grave:
        return "moderator's action without text" if _is_action(entry.raw) else "post without text"
    return "post too large" if len(entry.text) > MAX_BODY else ""


def _state(entry: _Entry, version: int) -> PostState:
    if entry.grave:
        return entry.grave.state
    if entry.raw.get("hidden") is True:
        return "moderated"
    return "edited" if version > 1 else "live"


def _number(reading: _Reading, raw: Mapping[str, Any], name: str, where: str, default: int) -> int:
    """An optional count; one that makes no sense is noted and the default taken."""
    value = raw.get(name)
    number = whole(value, 0, MAX_COUNT)
    if number is None and value is not None:
        reading.reject(where, f"{name} is not a number", f"{value!r:.100}")
    return default if number is None else number


def _reply_to(reading: _Reading, raw: Mapping[str, Any]) -> str | None:
    """The post that this one answers, where it is known; nothing answers itself."""
    number = whole(raw.get("reply_to_post_number"), 1, MAX_COUNT)
    return None if number is None or number == raw.get("post_number") else reading.posts_by_number.get(number)


def main_reaction(payload: Mapping[str, Any]) -> str:
    """The emoji that is the like: the first one that a thread says may be given; "" where it does not say."""
    valid = payload.get("valid_reactions")
    first = valid[0] if isinstance(valid, list) and valid else None
    return first if isinstance(first, str) and _EMOJI.match(first) else ""


def reaction_counts(main: str, raw: Mapping[str, Any]) -> dict[str, int] | None:
    """How many gave each kind of reaction, where the plugin for them tells it; None where the forum has none.

    `actions_summary` counts as likes all but the kinds that a forum excludes; this tells them apart.
    """
    if not isinstance(raw.get("reactions"), list):
        return None
    counts: dict[str, int] = {}
    for entry in mappings(raw["reactions"]):
        name, count = entry.get("id"), whole(entry.get("count"), 1, MAX_COUNT)
        if count is not None and isinstance(name, str) and _EMOJI.match(name):
            kind = "like" if name == main else name
            counts[kind] = min(MAX_COUNT, counts.get(kind, 0) + count)
    return counts


def _like_count(reading: _Reading, raw: Mapping[str, Any], where: str) -> int:
    counts = [_number(reading, action, "count", where, 0) for action in mappings(raw.get("actions_summary")) if action.get("id") == LIKE]
    return max([*counts, len(_likers(reading.forum, raw))])


def _likers(forum: Forum, raw: Mapping[str, Any]) -> list[str]:
    """Who liked a post, where the payload says it (`/post_action_users.json` holds the same pairs)."""
    named = ((_user(entry.get("id")), line(entry.get("username"), 100)) for entry in mappings(raw.get("post_action_users")))
    return list(dict.fromkeys(forum.author_id(user, handle or "") for user, handle in named if handle or user is not None))


def _reactions(reading: _Reading, raw: Mapping[str, Any], post: Post, where: str) -> list[Reaction]:
    """Likes by name, and the rest of their count without; a count of 0 tells the store that earlier ones are gone.

    A list of reactions is whole: kinds that are not in it are gone. Without one, nothing is said of other kinds.
    """
    named = _likers(reading.forum, raw)
    kinds = reaction_counts(reading.forum.main_reaction, raw)
    if kinds is not None and len(kinds) < len(raw["reactions"]):
        reading.reject(where, "reaction without name or count", f"{len(raw['reactions']) - len(kinds)} of them")
    alone = kinds is None
    likes = post.likes if kinds is None else kinds.pop("like", 0)
    found = [Reaction(post.id, actor, alone=alone) for actor in named]
    rest = max(0, likes - len(named))
    if rest or (not named and (isinstance(raw.get("actions_summary"), list) or kinds is not None)):
        found.append(Reaction(post.id, "", "like", rest, alone))
    return found + [Reaction(post.id, "", kind, count) for kind, count in (kinds or {}).items()]


def _edges(reading: _Reading, raw: Mapping[str, Any], post: Post) -> list[Edge]:
    found = find_edges(post.body, post.format, reading.forum.base_url, reading.post_ref, reading.author_ref)
    number = whole(raw.get("reply_to_post_number"), 1, MAX_COUNT)
    if number is not None and number != post.number:
        found.insert(0, ("reply", reading.post_ref(reading.thread, number)))
    here = (post.id, post.thread)
    return [Edge(kind, post.id, target) for kind, target in found if target not in here]  # type: ignore[arg-type]
