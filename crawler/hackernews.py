"""From Hacker News' JSON to records: pure. Items of Algolia (a story with the tree below it) and of Firebase (one item)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crawler.fields import line, mapping, mappings, whole, wholes
from crawler.reading import Reading, thread_meant
from index.records import Edge
from index.spool import Record, Roster

SITE = "https://news.ycombinator.com/item?id="
MAX_DEPTH = 300


def post_id(item: int) -> str:
    return f"hackernews:{item}"


def thread_id(story: int) -> str:
    return f"hackernews:t/{story}"


def tree_records(source: str, value: object, now: str) -> list[Record]:
    """A story of Algolia's `/items/{id}` with all comments below it. What was deleted has no text there and no author."""
    raw, reading = mapping(value), Reading(source, now)
    story = whole(raw.get("id"))
    if story is None or raw.get("type") not in ("story", "poll", "job"):
        reading.reject(f"item {raw.get('id')!r:.40}", "no story")
        return reading.records
    thread = thread_id(story)
    link = thread_meant(raw.get("url"))
    text = raw.get("text") or (f'<a href="{link}">{line(raw.get("title"))}</a>' if link else line(raw.get("title")))
    present = [] if raw.get("author") is None else [post_id(story)]
    if present and _post(reading, raw, story, thread, text, None):
        reading.thread(thread, raw.get("title"), raw.get("created_at_i"), f"{SITE}{story}", "", ())
        reading.likes(post_id(story), raw.get("points"))
        if link:
            reading.records.append(Edge("discusses" if link.startswith("discourse:") else "link", post_id(story), link))
    below = _comments(reading, raw, story, thread)
    if below is not None:
        reading.records.append(Roster(thread, (*present, *below)))
    return reading.records


def _comments(reading: Reading, raw: dict[str, Any], story: int, thread: str) -> list[str] | None:
    """All below an item, level by level; ids of those that are there, also of what cannot be read. None: not all have one."""
    present: list[str] = []
    named = True
    level: Sequence[tuple[dict[str, Any], int]] = [(child, story) for child in mappings(raw.get("children"))]
    for _ in range(MAX_DEPTH):
        below: list[tuple[dict[str, Any], int]] = []
        for child, parent in level:
            item = whole(child.get("id"))
            if item is None:
                reading.reject(f"{thread} below {parent}", "comment without id")
                named = False
            elif child.get("author") is not None and child.get("text") is None:
                reading.reject(post_id(item), "post without text")  # taken back
            elif child.get("author") is not None:
                _post(reading, child, item, thread, child["text"], parent)
                present.append(post_id(item))
            below += [(grandchild, item or parent) for grandchild in mappings(child.get("children"))]
        if not below:
            return present if named else None
        level = below
    reading.reject(thread, "comments nested too deeply", f"deeper than {MAX_DEPTH}")
    return None


def _post(reading: Reading, raw: dict[str, Any], item: int, thread: str, text: object, parent: int | None) -> bool:
    name = line(raw.get("author"), 60)
    author = reading.author(f"hackernews:u/{name}", name) if name else None
    reply = None if parent is None else post_id(parent)
    return reading.post(post_id(item), thread, author, raw.get("created_at_i"), text, "cooked", f"{SITE}{item}", reply_to=reply)


def item_records(source: str, value: object, now: str) -> list[Record]:
    """One item of Firebase: said to be deleted by its author, or killed by the site; anything else says nothing new."""
    raw, reading = mapping(value), Reading(source, now)
    item = whole(raw.get("id"))
    if item is not None and raw.get("deleted") is True:
        reading.gone(post_id(item), "author_deleted", "deleted by its author")
    elif item is not None and raw.get("dead") is True:
        reading.gone(post_id(item), "moderated", "killed by the site")
    return reading.records


def changed_items(value: object) -> list[int]:
    """Ids in Firebase's `/updates.json`."""
    return wholes(mapping(value).get("items"))


def stories_found(value: object) -> list[tuple[int, int]]:
    """(moment, id) of the stories in a page of Algolia's search."""
    found = []
    for hit in mappings(mapping(value).get("hits")):
        number, moment = line(hit.get("objectID"), 20) or "", whole(hit.get("created_at_i"))
        if number.isdecimal() and moment is not None:
            found.append((moment, int(number)))
    return found


def answer_records(source: str, url: str, body: bytes, now: str) -> list[Record]:
    """Records of a raw answer."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if "/items/" in url:
        return tree_records(source, value, now)
    return item_records(source, value, now) if "/item/" in url else []
