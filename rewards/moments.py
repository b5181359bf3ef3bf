"""When words were said, by what was observed: edits after the fact and backdating seen through. Pure: no store, no clock.

The moment of a statement is the first of these that something vouches for:

1. *Edits.* The words count from the first version of the post that holds them. A version that was never edited counts
   from the post's `created`; an edited one from its `edited` (where the source hides that: from when the post was last
   seen). A version holds the words where one of its lines has four fifths of their content words, so that mending a typo
   costs nobody anything. Where only an edited version was ever observed, a quote of the words by somebody else proves
   that they stood there before: then the quote's own time counts, if it is earlier.
2. *Sources that came later.* A source that was first looked at after the day on which the workspace began counts what it
   dates before that look as said on that day, in its own order. So an archive that claims old dates does not win against
   posts that were seen here before it came.
3. *Archives read again.* An archive is read whole each time. What a later reading brings, dated before an earlier reading
   that did not have it, counts from the day of the reading that did.
4. *Links.* 2 and 3 give way to evidence: a post of a source that the workspace began with, linking to the post or its
   thread, proves that it was there at the time of the link.

Dates of the sources that a workspace began with are believed: nothing here is older and could gainsay them. Times are
ISO 8601 in UTC, which sort as text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from rewards.novelty import step_words

_LINE = re.compile(r"[\n.!?;]+")
HELD, OF = 4, 5  # part of the words that a line must have to hold them
ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Version:
    """A body that a post had before, as plain text."""

    text: str
    edited: str | None  # None: as it was first posted


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a post in somebody else's."""

    created: str
    text: str


@dataclass(frozen=True, slots=True)
class Looks:
    """When a source was read: the days that brought something new, ascending."""

    kind: str
    days: tuple[str, ...]  # "2024-05-01"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the store knows of a post's times."""

    created: str
    edited: str | None
    first_seen: str
    last_seen: str
    source: str
    earlier: tuple[Version, ...] = ()  # oldest first
    quotes: tuple[Quote, ...] = ()  # by other authors
    linked: str | None = None  # earliest link from another source that the workspace began with


@dataclass(frozen=True, slots=True)
class Moment:
    since: str
    why: str  # "" where it is simply the post's own date


def moment_of(words: str, post: Observed, looks: Looks | None, founded: str) -> Moment:
    """When `words` of a post were said. `founded`: the day on which the workspace first read anything."""
    said = _edits(words, post)
    base = _not_before(said.since, post, looks, founded)
    if base is None:
        return said
    if post.linked is not None and post.linked < base:
        when = max(said.since, post.linked)
        return Moment(when, f"dated {said.since[:10]}, linked to on {post.linked[:10]}") if when > said.since else said
    return Moment(base, f"dated {said.since[:10]}, but first seen on {base[:10]}")


def _edits(words: str, post: Observed) -> Moment:
    for version in post.earlier:
        if holds(version.text, words):
            when = version.edited or post.created
            return Moment(when, "" if version.edited is None else f"edited into the post on {when[:10]}")
    if post.edited is None and not post.earlier:
        return Moment(post.created, "")
    when = max(post.created, post.edited or post.last_seen)
    proof = min((q.created for q in post.quotes if q.created < when and holds(q.text, words)), default=None)
    if proof is not None:
        return Moment(max(post.created, proof), f"in a post edited later, but quoted on {proof[:10]}")
    return Moment(when, f"in a post edited on {when[:10]}: no earlier version with these words was seen")


def holds(text: str, words: str, held: int = HELD, of: int = OF) -> bool:
    """Whether one line of the text has four fifths (held/of) of the content words."""
    wanted = step_words(words)
    if not wanted or " ".join(words.split()) in " ".join(text.split()):
        return bool(wanted) or not words.strip()
    return any(of * len(wanted & step_words(line)) >= held * len(wanted) for line in _LINE.split(text))


def _not_before(claimed: str, post: Observed, looks: Looks | None, founded: str) -> str | None:
    """The end of the day from which a claimed date counts at the earliest; None where nothing speaks against it."""
    if looks is None or not looks.days:
        return None
    base = looks.days[0] if looks.days[0] > founded else None
    seen = post.first_seen[:10]
    place = bisect_left(looks.days, seen)
    if looks.kind == ARCHIVE and place and claimed[:10] < looks.days[place - 1]:
        base = seen
    return f"{base}T23:59:59Z" if base is not None and claimed < f"{base}T23:59:59Z" else None
