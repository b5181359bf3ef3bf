"""From GitHub's GraphQL to records: pure. A discussion is a thread; its comments and their replies are posts."""

from __future__ import annotations

from typing import Any

from crawler.fields import line, mapping, mappings, whole
from crawler.reading import Reading
from index.records import Reaction
from index.spool import Record, Roster

ACTOR = "login url ... on User { databaseId name } ... on Organization { databaseId } ... on Bot { databaseId }"
SAID = (
    f"id databaseId url body createdAt lastEditedAt author {{ {ACTOR} }} "
    f"reactions(first: 100) {{ totalCount nodes {{ content user {{ login databaseId }} }} }}"
)
REPLIES = f"replies(first: 100) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {SAID} isMinimized minimizedReason }} }}"
COMMENTS = f"pageInfo {{ hasNextPage endCursor }} nodes {{ {SAID} isMinimized minimizedReason isAnswer {REPLIES} }}"
LISTING = """query ($owner: String!, $name: String!, $after: String) { repository(owner: $owner, name: $name) {
  discussions(first: 50, after: $after, orderBy: {field: UPDATED_AT, direction: DESC}) {
    pageInfo { hasNextPage endCursor } nodes { number updatedAt } } } }"""
DISCUSSION = f"""query ($owner: String!, $name: String!, $number: Int!, $after: String) {{ repository(owner: $owner, name: $name) {{
  discussion(number: $number) {{ number title locked category {{ name }} labels(first: 20) {{ nodes {{ name }} }} answer {{ databaseId }}
    {SAID} comments(first: 50, after: $after) {{ {COMMENTS} }} }} }} }}"""
MORE_REPLIES = f"""query ($id: ID!, $after: String) {{ node(id: $id) {{ ... on DiscussionComment {{
  databaseId discussion {{ number }} replies(first: 100, after: $after) {{ pageInfo {{ hasNextPage endCursor }}
  nodes {{ {SAID} isMinimized minimizedReason }} }} }} }} }}"""
EXISTS = """query ($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {
  nameWithOwner description hasDiscussionsEnabled licenseInfo { spdxId } discussions(first: 1) { totalCount } } }"""
KINDS = {"THUMBS_UP": "like", "HEART": "heart", "HOORAY": "hooray", "ROCKET": "rocket", "THUMBS_DOWN": "downvote"}


def thread_id(repository: str, number: int) -> str:
    return f"github:{repository}/t/{number}"


def opening_id(repository: str, number: int) -> str:
    return f"github:{repository}/d/{number}"


def comment_id(repository: str, comment: int) -> str:
    return f"github:{repository}/c/{comment}"


def discussion_records(repository: str, value: object, now: str) -> list[Record]:
    """The discussion's thread and first post, and one page of its comments with the first replies to each."""
    raw, reading = mapping(value), Reading(f"github:{repository}", now)
    number = whole(raw.get("number"))
    if number is None:
        reading.reject(f"discussion {raw.get('number')!r:.40}", "discussion without number")
        return reading.records
    opening = opening_id(repository, number)
    link = _link(raw.get("url"), f"https://github.com/{repository}/discussions/{number}")
    answer = whole(mapping(raw.get("answer")).get("databaseId"))
    if _said(reading, raw, opening, repository, number, None, link):
        labels = [label.get("name") for label in mappings(mapping(raw.get("labels")).get("nodes"))]
        accepted = None if answer is None else comment_id(repository, answer)
        category = mapping(raw.get("category")).get("name")
        reading.thread(thread_id(repository, number), raw.get("title"), raw.get("createdAt"), link, category, labels, accepted)
    for comment in mappings(mapping(raw.get("comments")).get("nodes")):
        _comment(reading, comment, repository, number, opening)
        above = whole(comment.get("databaseId"))
        if above is not None:
            for reply in mappings(mapping(comment.get("replies")).get("nodes")):
                _comment(reading, reply, repository, number, comment_id(repository, above))
    return reading.records


def reply_records(repository: str, value: object, now: str) -> list[Record]:
    """A further page of replies to one comment."""
    raw, reading = mapping(value), Reading(f"github:{repository}", now)
    above, number = whole(raw.get("databaseId")), whole(mapping(raw.get("discussion")).get("number"))
    if above is not None and number is not None:
        for reply in mappings(mapping(raw.get("replies")).get("nodes")):
            _comment(reading, reply, repository, number, comment_id(repository, above))
    return reading.records


def roster(repository: str, number: int, comments: list[int] | None) -> Roster:
    """What a discussion held when all of it was read; None: the discussion is not there any more."""
    there = () if comments is None else (opening_id(repository, number), *(comment_id(repository, comment) for comment in comments))
    return Roster(thread_id(repository, number), there)


def _comment(reading: Reading, raw: dict[str, Any], repository: str, number: int, above: str) -> None:
    comment = whole(raw.get("databaseId"))
    if comment is None:
        reading.reject(thread_id(repository, number), "comment without id")
        return
    post = comment_id(repository, comment)
    if raw.get("isMinimized") is True and raw.get("minimizedReason") in ("abuse", "spam", "off-topic"):
        reading.gone(post, "moderated", f"hidden as {raw['minimizedReason']}")
        return
    fallback = f"https://github.com/{repository}/discussions/{number}#discussioncomment-{comment}"
    _said(reading, raw, post, repository, number, above, _link(raw.get("url"), fallback))


def _said(reading: Reading, raw: dict[str, Any], post: str, repository: str, number: int, above: str | None, link: str) -> bool:
    author = _person(reading, mapping(raw.get("author")))
    if author is None and "author" in raw and raw["author"] is None:
        author = reading.author("github:u/ghost", "ghost")  # what GitHub shows for accounts that are gone
    edited = raw.get("lastEditedAt")
    if not reading.post(post, thread_id(repository, number), author, raw.get("createdAt"), raw.get("body"), "raw", link, edited, above):
        return False
    _reactions(reading, post, mapping(raw.get("reactions")))
    return True


def _link(value: object, otherwise: str) -> str:
    told = line(value, 1_000) or ""
    return told if told.startswith("https://") and " " not in told else otherwise


def _reactions(reading: Reading, post: str, raw: dict[str, Any]) -> None:
    """By name as far as the page goes; the rest as a count."""
    told = 0
    for reaction in mappings(raw.get("nodes")):
        actor, kind = _person(reading, mapping(reaction.get("user"))), KINDS.get(str(reaction.get("content")))
        told += 1
        if actor and kind:
            reading.records.append(Reaction(post, actor, kind))
    rest = (whole(raw.get("totalCount"), 0) or 0) - told
    if rest > 0 or not told:
        reading.likes(post, max(0, rest))


def _person(reading: Reading, raw: dict[str, Any]) -> str | None:
    """By GitHub's number, which stays when the login changes."""
    login, number = line(raw.get("login"), 60), whole(raw.get("databaseId"))
    if not login:
        return None
    return reading.author(f"github:u/{number if number is not None else login.lower()}", login, line(raw.get("name"), 100) or "")
