"""From Lemmy's JSON to records: pure. Both APIs: v3 (0.19) and v4 (1.0), which says `ap_id` for `actor_id`.

Everything is named by its ActivityPub address, so the same post read from two instances is one.
"""

from __future__ import annotations

import json
from typing import Any

from crawler.fields import line, mapping, mappings, whole
from crawler.reading import Reading, thread_meant
from index.records import Edge
from index.spool import Record, Roster

MAX_URI = 1_000


def post_records(source: str, view: object, now: str) -> list[Record]:
    """A post (Lemmy's word for what begins a conversation): its thread and first post."""
    reading, raw, counts, creator = _view(source, view, now, "post")
    uri = _uri(raw.get("ap_id"))
    if uri is None:
        reading.reject(f"post {whole(raw.get('id'))}", "post without address")
        return reading.records
    post, thread = f"ap:{uri}", f"ap:{uri}#thread"
    if _gone(reading, post, raw):
        return reading.records
    link = thread_meant(raw.get("url"))
    text = raw.get("body") or (f"[{line(raw.get('name'))}]({link})" if link else raw.get("name"))
    created, edited = raw.get("published") or raw.get("published_at"), raw.get("updated") or raw.get("updated_at")
    if reading.post(post, thread, _person(reading, creator), created, text, "raw", uri, edited, number=1):
        community = mapping(mapping(view).get("community"))
        reading.thread(thread, raw.get("name"), created, uri, community.get("name"), ())
        reading.likes(post, counts.get("upvotes"))
        if link:
            reading.records.append(Edge("discusses" if link.startswith("discourse:") else "link", post, link))
    return reading.records


def comment_records(source: str, view: object, addresses: dict[int, str], now: str) -> list[Record]:
    """A comment. `addresses`: of the comments of its thread by number, for what it answers; itself is added."""
    reading, raw, counts, creator = _view(source, view, now, "comment")
    uri, number = _uri(raw.get("ap_id")), whole(raw.get("id"))
    parent = _uri(mapping(mapping(view).get("post")).get("ap_id"))
    if uri is None or parent is None:
        reading.reject(f"comment {number}", "comment without address")
        return reading.records
    if number is not None:
        addresses[number] = uri
    post, thread = f"ap:{uri}", f"ap:{parent}#thread"
    if _gone(reading, post, raw):
        return reading.records
    created, edited = raw.get("published") or raw.get("published_at"), raw.get("updated") or raw.get("updated_at")
    answered = addresses.get(_answered(raw.get("path")) or 0, parent)
    if reading.post(post, thread, _person(reading, creator), created, raw.get("content"), "raw", uri, edited, f"ap:{answered}"):
        reading.likes(post, counts.get("upvotes"))
    return reading.records


def roster(uri: str, comments: list[str]) -> Roster:
    """What a thread held when all its comments were read."""
    return Roster(f"ap:{uri}#thread", (f"ap:{uri}", *(f"ap:{comment}" for comment in comments)))


def modlog_records(source: str, value: object, now: str) -> list[Record]:
    """What moderators removed, from the instance's log; what they restored is read again by itself."""
    reading = Reading(source, now)
    for kind, name in (("removed_posts", "post"), ("removed_comments", "comment")):
        for entry in mappings(mapping(value).get(kind)):
            action = next((found for key, found in entry.items() if key.startswith("mod_remove_") and isinstance(found, dict)), {})
            uri = _uri(mapping(entry.get(name)).get("ap_id"))
            if uri and action.get("removed") is True and mapping(entry.get(name)).get("removed") is True:
                reading.gone(f"ap:{uri}", "moderated", line(action.get("reason"), 200) or "removed by a moderator")
    return reading.records


def _view(source: str, view: object, now: str, name: str) -> tuple[Reading, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(reading, the thing, its counts, its creator); in v4 the counts are the thing's own."""
    value = mapping(view)
    raw = mapping(value.get(name))
    return Reading(source, now), raw, mapping(value.get("counts")) or raw, mapping(value.get("creator"))


def _gone(reading: Reading, post: str, raw: dict[str, Any]) -> bool:
    if raw.get("deleted") is True:
        reading.gone(post, "author_deleted", "deleted by its author")
    elif raw.get("removed") is True:
        reading.gone(post, "moderated", "removed by a moderator")
    else:
        return False
    return True


def _person(reading: Reading, raw: dict[str, Any]) -> str | None:
    uri, handle = _uri(raw.get("actor_id") or raw.get("ap_id")), line(raw.get("name"), 100)
    if uri is None or not handle:
        return None
    return reading.author(f"ap:{uri}", handle, line(raw.get("display_name"), 100) or "", raw.get("admin") is True)


def _answered(path: object) -> int | None:
    """ "0.12.15" is comment 15, an answer to 12; "0.12" answers the post."""
    numbers = path.split(".") if isinstance(path, str) and len(path) < 2_000 else []
    return int(numbers[-2]) if len(numbers) > 2 and numbers[-2].isdecimal() and len(numbers[-2]) < 16 else None


def _uri(value: object) -> str | None:
    uri = line(value, MAX_URI + 1)
    return uri if uri and uri.startswith(("https://", "http://")) and len(uri) <= MAX_URI and " " not in uri else None


def answer_records(source: str, url: str, body: bytes, addresses: dict[int, str], now: str) -> list[Record]:
    """Records of a raw answer: a page of posts, of comments, one post, or the log of moderators."""
    try:
        value = mapping(json.loads(body))
    except (ValueError, RecursionError):
        return []
    found: list[Record] = []
    for view in [*mappings(value.get("posts")), *([value["post_view"]] if "post_view" in value else [])]:
        found += post_records(source, view, now)
    for view in mappings(value.get("comments")):
        found += comment_records(source, view, addresses, now)
    return found + (modlog_records(source, value, now) if "/modlog" in url else [])
