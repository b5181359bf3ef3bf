"""From Stack Exchange to records: pure. The API's JSON and the data dump's rows; both are CC BY-SA.

A question is a thread; answers and comments are its further posts, each answering what it stands below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

from crawler.fields import line, mapping, mappings, whole
from crawler.reading import Reading
from index.records import Reaction
from index.spool import Record, Roster

LICENCE = "CC-BY-SA-4.0"
QUESTION, ANSWER = 1, 2  # PostTypeId of a dump
NameOf = Callable[[int], str]  # display name of a user by number, "" where it is not known


def source_id(host: str) -> str:
    return f"stackexchange:{host}"


def post_id(host: str, post: int) -> str:
    return f"stackexchange:{host}/p/{post}"


def comment_id(host: str, comment: int) -> str:
    return f"stackexchange:{host}/c/{comment}"


def thread_id(host: str, question: int) -> str:
    return f"stackexchange:{host}/t/{question}"


# --- the API ------------------------------------------------------------------------------------------------------


def question_records(source: str, host: str, value: object, now: str) -> list[Record]:
    """A question with the answers and comments that the payload holds. Its roster names them all, also what cannot be read; there is none where one has no id."""
    raw, reading = mapping(value), Reading(source, now)
    question = whole(raw.get("question_id"))
    if question is None:
        reading.reject(f"question {raw.get('question_id')!r:.40}", "question without id")
        return reading.records
    thread = thread_id(host, question)
    present: list[str | None] = [post_id(host, question)]
    if _api_post(reading, host, raw, question, thread, None):
        accepted = whole(raw.get("accepted_answer_id"))
        link = f"https://{host}/q/{question}"
        title = unescape(line(raw.get("title")) or "")
        mark = None if accepted is None else post_id(host, accepted)
        reading.thread(thread, title, raw.get("creation_date"), link, "", raw.get("tags"), mark)
    present += _api_comments(reading, host, raw, question, thread)
    for answer in mappings(raw.get("answers")):
        number = whole(answer.get("answer_id"))
        if number is None:
            reading.reject(thread, "answer without id")
            present.append(None)
        else:
            _api_post(reading, host, answer, number, thread, question)
            present += [post_id(host, number), *_api_comments(reading, host, answer, number, thread)]
    if None not in present:
        reading.records.append(Roster(thread, tuple(post for post in present if post is not None)))
    return reading.records


def _api_post(reading: Reading, host: str, raw: dict[str, Any], number: int, thread: str, above: int | None) -> bool:
    post, link = post_id(host, number), f"https://{host}/{'q' if above is None else 'a'}/{number}"
    reply = None if above is None else post_id(host, above)
    author = _api_person(reading, host, raw.get("owner"))
    created, edited = raw.get("creation_date"), raw.get("last_edit_date")
    if not reading.post(
        post, thread, author, created, raw.get("body"), "cooked", link, edited, reply, max(0, whole(raw.get("score"), -(2**31)) or 0)
    ):
        return False
    _score(reading, post, whole(raw.get("score"), -(2**31)) or 0)
    return True


def _api_comments(reading: Reading, host: str, raw: dict[str, Any], above: int, thread: str) -> list[str | None]:
    """Their ids; None for one that has none."""
    present: list[str | None] = []
    for comment in mappings(raw.get("comments")):
        number = whole(comment.get("comment_id"))
        if number is None:
            reading.reject(post_id(host, above), "comment without id")
            present.append(None)
            continue
        post, link = comment_id(host, number), f"https://{host}/posts/comments/{number}"
        author = _api_person(reading, host, comment.get("owner"))
        edited = comment.get("creation_date") if comment.get("edited") is True else None
        if reading.post(
            post, thread, author, comment.get("creation_date"), comment.get("body"), "cooked", link, edited, post_id(host, above)
        ):
            _score(reading, post, whole(comment.get("score"), 0) or 0)
        present.append(post)
    return present


def _api_person(reading: Reading, host: str, value: object) -> str | None:
    raw = mapping(value)
    name, user = unescape(line(raw.get("display_name"), 100) or ""), whole(raw.get("user_id"))
    if user is not None:
        return reading.author(f"stackexchange:{host}/u/{user}", name or f"user{user}")
    return reading.author(f"stackexchange:{host}/n/{name.lower()}", name) if name else None


def _score(reading: Reading, post: str, score: int) -> None:
    """Votes come as a sum only; who voted is nowhere said."""
    reading.likes(post, max(0, score))
    if score < 0:
        reading.records.append(Reaction(post, "", "downvote", -score))


# --- the data dump ------------------------------------------------------------------------------------------------


class Questions:
    """Which question each post belongs to, four bytes a post number: comments name only the post they stand below."""

    def __init__(self) -> None:
        from array import array

        self._question = array("I")

    def put(self, post: int, question: int) -> None:
        if post >= len(self._question):
            self._question.extend([0] * (post + 1 + post // 8 - len(self._question)))
        self._question[post] = question

    def get(self, post: int) -> int | None:
        return self._question[post] or None if post < len(self._question) else None


MAX_POST = 400_000_000  # more than all of Stack Exchange has; a larger number would only fill memory


def dump_post_records(host: str, row: Mapping[str, str], questions: Questions, name_of: NameOf, now: str) -> list[Record]:
    """A question or an answer of Posts.xml; other kinds (tag wikis and so on) are no discussion."""
    reading = Reading(source_id(host), now)
    post, kind = _number(row.get("Id")), _number(row.get("PostTypeId"))
    if post is None or post > MAX_POST:
        reading.reject(f"Posts.xml {row.get('Id')!r:.40}", "post without id")
        return reading.records
    if kind not in (QUESTION, ANSWER):
        return []
    question = post if kind == QUESTION else _number(row.get("ParentId"))
    if question is None:
        reading.reject(f"Posts.xml {post}", "answer without question")
        return reading.records
    questions.put(post, question)
    thread, reply = thread_id(host, question), None if kind == QUESTION else post_id(host, question)
    link = f"https://{host}/{'q' if kind == QUESTION else 'a'}/{post}"
    author = _dump_person(reading, host, row, "OwnerUserId", "OwnerDisplayName", name_of)
    edited, score = row.get("LastEditDate"), _number(row.get("Score"), low=-(2**31)) or 0
    if reading.post(
        post_id(host, post), thread, author, row.get("CreationDate"), row.get("Body"), "cooked", link, edited, reply, max(0, score)
    ):
        _score(reading, post_id(host, post), score)
        if kind == QUESTION:
            accepted = _number(row.get("AcceptedAnswerId"))
            mark = None if accepted is None else post_id(host, accepted)
            reading.thread(thread, row.get("Title"), row.get("CreationDate"), link, "", _tags(row.get("Tags")), mark)
    return reading.records


def dump_comment_records(host: str, row: Mapping[str, str], questions: Questions, name_of: NameOf, now: str) -> list[Record]:
    """A comment of Comments.xml, below a post that was read before."""
    reading = Reading(source_id(host), now)
    comment, above = _number(row.get("Id")), _number(row.get("PostId"))
    question = None if above is None else questions.get(above)
    if comment is None or above is None:
        reading.reject(f"Comments.xml {row.get('Id')!r:.40}", "comment without id")
    elif question is None:
        reading.reject(f"Comments.xml {comment}", "comment below a post that is not there")
    else:
        post, link = comment_id(host, comment), f"https://{host}/posts/comments/{comment}"
        author = _dump_person(reading, host, row, "UserId", "UserDisplayName", name_of)
        score = _number(row.get("Score")) or 0
        thread, created = thread_id(host, question), row.get("CreationDate")
        if reading.post(post, thread, author, created, row.get("Text"), "raw", link, None, post_id(host, above), score):
            _score(reading, post, score)
    return reading.records


def _dump_person(reading: Reading, host: str, row: Mapping[str, str], user: str, shown: str, name_of: NameOf) -> str | None:
    """By number where there is one; Users.xml says the name. Accounts that are gone leave a name, or nothing."""
    number, name = _number(row.get(user), low=-1), line(row.get(shown), 100)
    if number is not None:
        return reading.author(f"stackexchange:{host}/u/{number}", name_of(number) or name or f"user{number}")
    return reading.author(f"stackexchange:{host}/n/{name.lower()}", name) if name else None


def _tags(value: object) -> list[str]:
    """ "<a><b>" in older dumps, "|a|b|" in newer ones."""
    text = line(value) or ""
    return [tag for tag in text.replace("><", "|").strip("<>|").split("|") if tag]


def _number(value: object, low: int = 0) -> int | None:
    text = value if isinstance(value, str) and len(value) < 17 else ""
    return whole(int(text), low) if text.lstrip("-").isdecimal() and text.isascii() else None
