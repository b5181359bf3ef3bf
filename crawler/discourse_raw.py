"""Raw answers of a forum: back to records without asking again, and rid of the words of a post that was taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer, is_json_error
from crawler.discourse import Forum, read_categories, thread_records
from crawler.discourse_extras import earlier_text
from crawler.fields import mapping, mappings, parsed, whole
from crawler.job import told_by
from index.records import Source
from index.spool import Record, Roster

_THREAD = re.compile(r"/t/(\d+)\.json$")
_REVISION = re.compile(r"/posts/(\d+)/revisions/[^/]+\.json$")
_FURTHER = re.compile(r"/t/(\d+)/posts\.json$")
_TOLD = ("cooked", "raw", "username", "name", "display_username", "avatar_template", "user_id", "link_counts", "user_title")


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of each thread as each visit found it: its first posts come with it, the further ones right behind."""
    forum = Forum(source.id, source.base_url, "")
    thread: list[Answer] = []
    for answer in answers:
        path = urlsplit(answer.url).path
        if thread and _FURTHER.search(path):
            thread.append(answer)
            continue
        yield from _thread(forum, thread)
        thread = [answer] if _THREAD.search(path) else []
        if path.endswith("/site.json"):
            forum = replace(forum, categories=read_categories(mapping(parsed(answer.body))))
        elif (post := _REVISION.search(path)) and (text := earlier_text(forum, int(post.group(1)), mapping(parsed(answer.body)))):
            yield told_by([text], answer)
    yield from _thread(forum, thread)


def _thread(forum: Forum, answers: list[Answer]) -> Iterator[list[Record]]:
    if answers and answers[0].status != 200:
        if is_json_error(answers[0]):
            yield [Roster(forum.thread_id(int(_THREAD.findall(urlsplit(answers[0].url).path)[0])), ())]
    elif answers:
        payload = mapping(parsed(answers[0].body))
        groups = [mapping(parsed(answer.body)) for answer in answers[1:]]
        thread = whole(payload.get("id")) or 0
        yield told_by(thread_records(replace(forum, now=answers[-1].seen), join(payload, groups), forum.permalink(thread)), *answers)


def join(payload: dict[str, Any], groups: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A thread with all its posts in one stream. Ids listed for which no post came are gone, so the list names those that came."""
    posts = list(mappings(mapping(payload.get("post_stream")).get("posts")))
    for group in groups:
        posts += mappings(mapping(group.get("post_stream")).get("posts"))
    return payload | {"post_stream": {"posts": posts, "stream": [post.get("id") for post in posts]}}


def redact(body: bytes, post: str) -> bytes | None:
    """The answer without what a post says and who wrote it; None where it is not understood, and has to go whole.

    The entry itself stays with its id and number: the others refer to it. So does the thread's title: it is the thread's.
    """
    number = post.rpartition("/p/")[2]
    payload = mapping(parsed(body))
    if not number.isdecimal() or not payload:
        return None
    entries = [entry for entry in mappings(mapping(payload.get("post_stream")).get("posts")) if entry.get("id") == int(number)]
    if not entries:
        return None
    for entry in entries:
        for name in _TOLD:
            entry.pop(name, None)
        entry["user_deleted"] = True
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
