"""Posts → passages: one sentence or list item each, with its span in the post's plain text and what stands around it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.plain import Block
from index.records import Passage
from index.tables_discussion import StoredPost, StoredThread

MAX_PASSAGES_PER_POST = 400  # the longest real how-to has fewer; a wall of text must not cost more than a forum
LONGEST_ITEM_WORDS = 45  # a longer list item is read sentence by sentence: a quote that is a whole post is no evidence
BULLET = -1
WRAPPED_LINE = 60  # characters: a line this long that goes on in lower case was wrapped by a mail program

_NUMBERED = re.compile(r"\s*(?:step\s+|phase\s+|stage\s+)?(?P<number>\d{1,2})\s*[.):–-]\s+(?=\S)", re.I)
_BULLET = re.compile(r"\s*[-*•▪‣→>]\s+(?=\S)")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Context:
    """What stands around a passage: the nearest heading and the line that leads into its list ("" where none)."""

    heading: str
    lead_in: str
    list_length: int
    place: int  # ordinal of the passage in its post
    of: int  # passages in the post


@dataclass(frozen=True, slots=True)
class ReadPost:
    post: StoredPost
    number: int  # place in the thread, from 0
    passages: tuple[Passage, ...]
    contexts: tuple[Context, ...]
    left_out: int  # passages beyond MAX_PASSAGES_PER_POST


@dataclass(frozen=True, slots=True)
class ReadThread:
    thread: StoredThread
    posts: tuple[ReadPost, ...]

    @property
    def passage_count(self) -> int:
        return sum(len(post.passages) for post in self.posts)


def read_thread(thread: StoredThread) -> ReadThread:
    return ReadThread(thread, tuple(read_post(post, number) for number, post in enumerate(thread.posts)))


def read_post(post: StoredPost, number: int) -> ReadPost:
    """Passages of a post's own words: quotes, code, tables and embeds are left out."""
    passages: list[Passage] = []
    heads: list[tuple[str, str]] = []
    heading, lead_in, list_seen = "", "", -1
    pseudo_list = -2  # numbered lines that are no HTML list share an id below -1
    for ordinal, block in enumerate(post.blocks):
        text = post.plain[block.start : block.end]
        if block.kind == "heading" or _is_bold_heading(block, text):
            heading, lead_in = text, ""
            pseudo_list -= 1
            continue
        if block.kind not in ("paragraph", "item"):
            continue
        if block.kind == "item" and block.list_id != list_seen:
            list_seen = block.list_id
            lead_in = (
                passages[-1].text if passages and passages[-1].text.rstrip().endswith((":", "：")) else lead_in if block.depth > 1 else ""
            )
        for start, end, index in _units(text, block):
            kind = "item" if block.kind == "item" or index else "sentence"
            list_id = block.list_id if block.kind == "item" else pseudo_list if index else -1
            passages.append(
                Passage(
                    post=post.id,
                    start=block.start + start,
                    end=block.start + end,
                    text=text[start:end],
                    kind=kind,
                    block=ordinal,
                    list_id=list_id,
                    list_index=block.list_index or max(index, 0),
                    ordered=block.ordered or index > 0,
                    depth=block.depth,
                )
            )
            heads.append((heading, lead_in if kind == "item" else ""))
    kept = passages[:MAX_PASSAGES_PER_POST]
    lengths: dict[int, int] = {}
    for passage in kept:
        lengths[passage.list_id] = max(lengths.get(passage.list_id, 0), passage.list_index)
    contexts = tuple(
        Context(*heads[i], list_length=lengths[p.list_id] if p.list_id != -1 else 0, place=i, of=len(kept)) for i, p in enumerate(kept)
    )
    return ReadPost(post, number, tuple(kept), contexts, len(passages) - len(kept))


def _is_bold_heading(block: Block, text: str) -> bool:
    """A short line without an end sign that stands alone works as a heading ("How it works")."""
    return (
        block.kind == "paragraph"
        and len(text) <= 60
        and "\n" not in text
        and text[-1] not in ".!?:;,)…"
        and text[:1].isupper()
        and not _NUMBERED.match(text)
        and len(_WORD.findall(text)) <= 7
    )


def _units(text: str, block: Block) -> list[tuple[int, int, int]]:
    """(start, end, number) of each unit; number > 0 where the line itself is numbered ("2) …"), BULLET where it has one."""
    if block.kind == "item" and len(_WORD.findall(text)) <= LONGEST_ITEM_WORDS and "\n" not in text:
        return [(*_trim(text, 0, len(text)), 0)]
    units: list[tuple[int, int, int]] = []
    for start, end in _lines(text):
        numbered = _NUMBERED.match(text, start, end) if block.kind == "paragraph" else None
        bullet = _BULLET.match(text, start, end) if block.kind == "paragraph" and not numbered else None
        number = int(numbered["number"]) if numbered else BULLET if bullet else 0
        begin = numbered.end() if numbered else bullet.end() if bullet else start
        if number and len(_WORD.findall(text[begin:end])) <= LONGEST_ITEM_WORDS:
            units.append((*_trim(text, begin, end), number))
            continue
        for first, last in _sentences(text[begin:end]):
            units.append((*_trim(text, begin + first, begin + last), number))
    return [unit for unit in units if unit[1] > unit[0]]


def _lines(text: str) -> list[tuple[int, int]]:
    """Lines of a block, with wrapped ones joined."""
    spans: list[tuple[int, int]] = []
    for match in re.finditer(r"[^\n]+", text):
        start, end = match.span()
        wrapped = spans and start - 1 == spans[-1][1] and spans[-1][1] - spans[-1][0] >= WRAPPED_LINE and text[start].islower()
        if wrapped:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _sentences(text: str) -> list[tuple[int, int]]:
    import nupunkt

    return [(start, end) for start, end in nupunkt.sent_spans(text)]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
