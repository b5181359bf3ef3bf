"""Taking one post's words out of raw answers: what was taken back leaves the archive, what stood beside it stays.

One function a network: (body, post id) → body without that post's words, or None where it cannot be parsed, so that the
whole answer goes. The post's place in the answer stays, with its id and without its words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

WORDS = ("title", "body", "text", "content", "reason", "name", "url", "markdown", "bodyText", "summary", "discussion")


def _redacted(body: bytes, is_post: Callable[[dict[str, Any]], bool], words: tuple[str, ...] = WORDS) -> bytes | None:
    try:
        value = json.loads(body)
        for found in _objects(value):
            if is_post(found):
                found.update({name: "" for name in words if isinstance(found.get(name), str)})
    except (ValueError, RecursionError):
        return None
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects, at any depth, without recursion."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def snapshot(body: bytes, post: str) -> bytes | None:
    """A proposal by its id, a vote by its voter and proposal."""
    name, _, voter = post.partition("/vote/")
    proposal = name.rpartition("/")[2]
    if voter:
        return _redacted(body, lambda raw: str(raw.get("voter")).lower() == voter and (raw.get("proposal") or {}).get("id") == proposal)
    return _redacted(body, lambda raw: raw.get("id") == proposal and "author" in raw)


def hackernews(body: bytes, post: str) -> bytes | None:
    item = post.rpartition(":")[2]
    return _redacted(body, lambda raw: str(raw.get("id")) == item)


def lemmy(body: bytes, post: str) -> bytes | None:
    uri = post.removeprefix("ap:")
    return _redacted(body, lambda raw: raw.get("ap_id") == uri)


def hive(body: bytes, post: str) -> bytes | None:
    author, _, permlink = post.removeprefix("hive:").partition("/")
    return _redacted(body, lambda raw: raw.get("author") == author and raw.get("permlink") == permlink)


def github(body: bytes, post: str) -> bytes | None:
    """An opening by the discussion's number, a comment by its own."""
    head, _, number = post.rpartition("/")
    key = "number" if head.endswith("/d") else "databaseId"
    return _redacted(body, lambda raw: str(raw.get(key)) == number and "body" in raw)


def stackexchange(body: bytes, post: str) -> bytes | None:
    head, _, number = post.rpartition("/")
    keys = ("comment_id",) if head.endswith("/c") else ("question_id", "answer_id")
    return _redacted(body, lambda raw: any(str(raw.get(key)) == number for key in keys))
