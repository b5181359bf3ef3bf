"""From Hive's bridge API to records: pure. A discussion is a map of "author/permlink" to post."""

from __future__ import annotations

import json
import re
from typing import Any

from crawler.fields import line, mapping, mappings
from crawler.reading import Reading
from index.records import Reaction
from index.spool import Record, Roster

SITE = "https://hive.blog/@"
_NAME = re.compile(r"[a-z][a-z0-9.-]{1,20}$")
_PERMLINK = re.compile(r"[a-z0-9%._-]{1,300}$")


def key_of(raw: dict[str, Any], prefix: str = "") -> str | None:
    """ "author/permlink", Hive's own lasting name of a post."""
    author, permlink = raw.get(f"{prefix}author"), raw.get(f"{prefix}permlink")
    good = isinstance(author, str) and _NAME.match(author) and isinstance(permlink, str) and _PERMLINK.match(permlink)
    return f"{author}/{permlink}" if good else None


def post_id(key: str) -> str:
    return f"hive:{key}"


def thread_id(key: str) -> str:
    return f"hive:t/{key}"


def discussion_records(source: str, root: str, value: object, now: str) -> list[Record]:
    """All of a discussion whose first post is `root`; what is not there any more was deleted, or is hidden. An empty one is gone."""
    reading, found = Reading(source, now), mapping(value)
    present: list[str] = []
    if found and root not in found:
        reading.reject(thread_id(root), "discussion without its first post")
        return reading.records
    for key, raw in found.items():
        if key_of(mapping(raw)) != key:
            reading.reject(f"{thread_id(root)} {key[:100]}", "post named otherwise than it says")
        else:
            _post(reading, root, key, mapping(raw))
        present.append(post_id(key))  # it is there, even if it cannot be read
    reading.records.append(Roster(thread_id(root), tuple(present)))
    return reading.records


def _post(reading: Reading, root: str, key: str, raw: dict[str, Any]) -> None:
    name, post = key.partition("/")[0], post_id(key)
    author = reading.author(f"hive:u/{name}", name)
    parent = key_of(raw, "parent_") if key != root else None
    edited = raw.get("updated") or raw.get("last_update")
    reply = post_id(parent) if parent else None
    text = raw.get("body") if str(raw.get("body") or "").strip() else raw.get("title")
    if not reading.post(post, thread_id(root), author, raw.get("created"), text, "raw", f"{SITE}{key}", edited, reply):
        return
    if key == root:
        tags = _tags(raw.get("json_metadata"))
        reading.thread(thread_id(root), raw.get("title"), raw.get("created"), f"{SITE}{key}", raw.get("category"), tags)
    _votes(reading, post, raw)


def _votes(reading: Reading, post: str, raw: dict[str, Any]) -> None:
    """Votes are public, for and against; both are told by name."""
    told = 0
    for vote in mappings(raw.get("active_votes")):
        voter, weight = vote.get("voter"), vote.get("rshares")
        if isinstance(voter, str) and _NAME.match(voter) and type(weight) is int and weight:
            reading.author(f"hive:u/{voter}", voter)
            reading.records.append(Reaction(post, f"hive:u/{voter}", "like" if weight > 0 else "downvote"))
            told += 1
    if not told:
        reading.likes(post, 0)


def _tags(value: object) -> list[str]:
    try:
        data = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return []
    tags = mapping(data).get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def roots_found(value: object) -> list[tuple[str, str]]:
    """(key, moment as Hive writes it) of the posts in a listing."""
    return [(key, line(raw.get("created"), 40) or "") for raw in mappings(value) if (key := key_of(raw))]
