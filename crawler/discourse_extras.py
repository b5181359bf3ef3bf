"""Pure mapping of what a forum tells beside its threads: who liked a post, and what it said before its last edit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from crawler.discourse import LIKE, MAX_BODY, Forum, reaction_counts
from crawler.fields import MAX_COUNT, line, mapping, mappings, whole
from index.records import Author, PostVersion, Reaction
from index.spool import Record

MOST_NAMES = 27  # of one kind of reaction that is no like: what the plugin gives
_ROW = re.compile(r"<tr>(.*?)</tr>", re.S)
_CELL = re.compile(r"<td\b[^>]*>(.*?)</td>", re.S)
_MARK = re.compile(r"</?(?:del|ins)\b[^>]*>")


def like_count(entry: Mapping[str, Any]) -> int:
    """Likes of a post, as each of its tellings counts them."""
    counts = (whole(action.get("count"), 0, MAX_COUNT) for action in mappings(entry.get("actions_summary")) if action.get("id") == LIKE)
    return max((count for count in counts if count), default=0)


def other_reactions(forum: Forum, entry: Mapping[str, Any]) -> str | None:
    """Reactions of a post that are no likes, in one line: "tada 3, thinking 1". None where the forum has none of them."""
    counts = reaction_counts(forum.main_reaction, entry)
    return None if counts is None else ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()) if kind != "like")


def likers(forum: Forum, post: int, likes: int, people: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Who liked a post, from `/post_action_users.json`; what is left of the count stays without a name. [] for nobody."""
    authors: dict[str, Author] = {}
    for person in people:
        user, handle = whole(person.get("id")), line(person.get("username"), 100)
        if user is not None and handle:
            author = Author(forum.author_id(user, handle), forum.source, handle, line(person.get("name")) or "")
            authors.setdefault(author.id, author)
    if not authors:
        return []
    target, rest = forum.post_id(0, None, post), likes - len(authors)
    unnamed = [Reaction(target, "", "like", rest, alone=True)] if rest > 0 else []
    return [*authors.values(), *(Reaction(target, author, alone=True) for author in authors), *unnamed]


def reacted(forum: Forum, post: int, payload: Mapping[str, Any]) -> list[Record]:
    """Who reacted to a post with something else than a like, from `/discourse-reactions/posts/{id}/reactions-users.json`.

    It names people by their handles alone, at most MOST_NAMES for each kind; the rest of a count stays without names. The store
    finds the numbers of those it knows.
    """
    authors: dict[str, Author] = {}
    found: list[Record] = []
    target = forum.post_id(0, None, post)
    for entry in mappings(payload.get("reaction_users")):
        kinds = reaction_counts(forum.main_reaction, {"reactions": [entry]}) or {}
        for kind, count in kinds.items():
            people = [_by_handle(forum, person) for person in mappings(entry.get("users"))] if kind != "like" else []
            named = {author.id: author for author in people if author is not None}
            if named:
                authors |= named
                found += [Reaction(target, author, kind, alone=True) for author in named]
                found.append(Reaction(target, "", kind, max(0, count - len(named)), alone=True))
    return [*authors.values(), *found]


def _by_handle(forum: Forum, person: Mapping[str, Any]) -> Author | None:
    handle = line(person.get("username"), 100)
    return Author(forum.author_id(None, handle), forum.source, handle, line(person.get("name")) or "") if handle else None


def earlier_text(forum: Forum, post: int, payload: Mapping[str, Any]) -> PostVersion | None:
    """The text before a revision, as `/posts/{id}/revisions/{n}.json` shows it beside the new one; None where it does not.

    Revision n led to version n, so the text before it is version n - 1: the left column of the difference in Markdown.
    """
    number = whole(payload.get("current_revision"), 2, MAX_COUNT)
    table = mapping(payload.get("body_changes")).get("side_by_side_markdown")
    if number is None or payload.get("post_id") != post or not isinstance(table, str) or len(table) > 4 * MAX_BODY:
        return None
    left = [cells[0] for row in _ROW.findall(table) if len(cells := _CELL.findall(row)) == 2]
    text = unescape(_MARK.sub("", "".join(left)))
    if not text.strip() or len(text) > MAX_BODY:
        return None
    return PostVersion(forum.post_id(0, None, post), number - 1, "raw", text)
