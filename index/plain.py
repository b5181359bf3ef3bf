"""plain/1: the readable text of a post, its blocks, and where each character stands in the raw body.

Every span that precipitate cites counts characters of this text, so the derivation has a version: the same body
gives the same text for ever under "plain/1". Quoted, hidden, struck-out and invisible text never becomes the words
of the post's author: quotes are blocks of their own kind, the rest is left out.
"""

from __future__ import annotations

import array
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

from index.records import PostFormat

PLAIN_VERSION = "plain/1"
# Longest body that is read; what is behind it stays stored, unread. The longest real post seen has 83,817 characters.
MAX_READ = 400_000

BlockKind = Literal["paragraph", "item", "heading", "code", "quote", "table", "embed"]

# Zero-width, bidi and tag characters carry no words but can hide or reorder them.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = re.compile(f"[{_INVISIBLE.pattern[1:-1]}{_CONTROL.pattern[1:-1]}]")
# Words with one sign of white space between them: they stand in the plain text as they stand in the raw body.
_EVENLY_SPACED = re.compile(r"\S+(?:\s\S+)*+")


@dataclass(frozen=True, slots=True)
class Block:
    """A run of plain text: `text[start:end]` of one paragraph, list item, heading, code, quote, table row or embed."""

    kind: BlockKind
    start: int
    end: int
    list_id: int = -1  # ordinal of the list in the post; -1 outside lists
    list_index: int = 0  # number of the item in its list, from 1; further paragraphs of an item repeat it
    ordered: bool = False
    depth: int = 0  # nesting of lists
    level: int = 0  # of headings
    quote_of: str | None = None  # "username/topic/number" where the quote says so


@dataclass(frozen=True, slots=True)
class Plain:
    """`offsets` holds (plain start, raw start, length, raw length) per piece, in order of plain start."""

    text: str
    blocks: tuple[Block, ...]
    offsets: tuple[tuple[int, int, int, int], ...]
    truncated: bool = False

    def raw_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the raw body that covers plain characters [start, end)."""
        touched = [piece for piece in self.offsets if piece[0] < end and piece[0] + piece[2] > start]
        if not touched:
            return (0, 0)
        first, last = touched[0], touched[-1]
        begin = first[1] + (start - first[0] if first[2] == first[3] else 0)
        finish = last[1] + (end - last[0] if last[2] == last[3] else last[3])
        return (begin, finish)

    def blocks_json(self) -> str:
        return json.dumps(
            [[b.kind, b.start, b.end, b.list_id, b.list_index, int(b.ordered), b.depth, b.level, b.quote_of] for b in self.blocks]
        )

    def offsets_bytes(self) -> bytes:
        return array.array("i", chain.from_iterable(self.offsets)).tobytes()


def blocks_from_json(text: str) -> tuple[Block, ...]:
    return tuple(Block(k, s, e, li, ix, bool(o), d, lv, q) for k, s, e, li, ix, o, d, lv, q in json.loads(text))


def derive(body: str, format: PostFormat) -> Plain:
    """Plain text of a body. Never fails: what cannot be understood is read as text. Linear in the length read."""
    from index.plain_html import read_html
    from index.plain_markdown import read_markdown
    from index.plain_text import read_text

    builder = Builder()
    {"cooked": read_html, "text": read_text}.get(format, read_markdown)(body[:MAX_READ], builder)
    return builder.finish(truncated=len(body) > MAX_READ)


Body = tuple[str, PostFormat]


class PlainRow(NamedTuple):
    """Plain text as the store holds it; `trouble` says why it is empty where the body could not be read."""

    text: str
    blocks: str
    offsets: bytes
    truncated: bool
    trouble: str = ""


Plains = Mapping[Body, PlainRow]


def plain_row(body: str, format: PostFormat) -> PlainRow:
    """`derive`, for the store. A mistake of ours in reading one body must not keep all others out of the store."""
    try:
        plain = derive(body, format)
        return PlainRow(plain.text, plain.blocks_json(), plain.offsets_bytes(), plain.truncated)
    except Exception as error:
        return no_plain(f"{type(error).__name__}: {error}"[:200])


def no_plain(why: str) -> PlainRow:
    return PlainRow("", "[]", b"", False, why)


class Builder:
    """Collects pieces of text with their raw positions, block after block."""

    def __init__(self) -> None:
        self._chunks: list[str] = []
        self._length = 0
        self._offsets: list[tuple[int, int, int, int]] = []
        self._blocks: list[Block] = []
        self._block_start = 0
        self._space_wanted: int | None = None  # raw position of white space seen but not yet written

    def add(self, text: str, raw_start: int, raw_length: int | None = None, keep_space: bool = False) -> None:
        """Append text that stands at `raw_start`; white space is folded unless `keep_space`."""
        if raw_length is not None and raw_length != len(text):
            self._add_folded(text, raw_start, raw_length)
            return
        if keep_space:
            self._add_kept(text, raw_start)
            return
        words = text.split()
        if not words:
            self._want_space(raw_start, bool(text))
        elif _all_seen(folded := " ".join(words)):
            self._add_words(text, folded, raw_start)
        else:
            self._add_by_word(text, raw_start)

    def _add_words(self, text: str, folded: str, raw_start: int) -> None:
        """Text without signs that cannot be seen; `folded` is it with one space between the words."""
        end = len(text.rstrip())
        begin = end - len(text.strip())
        self._want_space(raw_start, begin > 0)
        self._flush_space()
        if len(folded) == end - begin:
            self._write(folded, raw_start + begin, len(folded))
        else:
            last = begin
            for match in _EVENLY_SPACED.finditer(text):
                self._want_space(raw_start + last, match.start() > last)
                self._flush_space()
                last = match.end()
                self._write(" ".join(match.group().split()), raw_start + match.start(), last - match.start())
        self._want_space(raw_start + end, end < len(text))

    def _add_by_word(self, text: str, raw_start: int) -> None:
        for match in re.finditer(r"\S+|\s+", text):
            word = match.group()
            if word.isspace():
                self._want_space(raw_start + match.start(), True)
            else:
                self._write_visible(word, raw_start + match.start())

    def _want_space(self, raw_start: int, seen: bool) -> None:
        """White space was seen: it is written before the next word of this block."""
        if seen and self._space_wanted is None and self._length > self._block_start:
            self._space_wanted = raw_start

    def line_break(self, raw_start: int) -> None:
        if self._length > self._block_start:
            self._space_wanted = None
            if self._chunks[-1] != "\n":
                self._write("\n", raw_start, 1)

    def begun(self) -> bool:
        """Whether anything was written since the last block was closed; if not, a space that was seen goes."""
        if self._length > self._block_start:
            return True
        self._space_wanted = None
        return False

    def end_block(self, kind: BlockKind, **place: object) -> None:
        """Close the current block, if anything was written since the last one."""
        self._space_wanted = None
        while self._length > self._block_start and self._chunks and self._chunks[-1] == "\n":
            self._chunks.pop()
            self._offsets.pop()
            self._length -= 1
        if self._length == self._block_start:
            return
        self._blocks.append(Block(kind, self._block_start, self._length, **place))  # type: ignore[arg-type]
        self._write("\n", self._offsets[-1][1] + self._offsets[-1][3], 0)
        self._block_start = self._length

    def finish(self, truncated: bool) -> Plain:
        self.end_block("paragraph")
        return Plain("".join(self._chunks), tuple(self._blocks), tuple(_merged(self._offsets)), truncated)

    def _add_folded(self, text: str, raw_start: int, raw_length: int) -> None:
        clean = _clean(text)
        if clean.isspace():
            self._want_space(raw_start, True)
        elif clean:
            self._flush_space()
            self._write(clean, raw_start, raw_length)

    def _add_kept(self, text: str, raw_start: int) -> None:
        inner = text.strip("\n")
        if inner and "\n\n" not in inner and inner.isascii() and not _CONTROL.search(inner):
            begin = text.index(inner[0])
            if begin:
                self.line_break(raw_start)
            self._flush_space()
            self._write(inner, raw_start + begin, len(inner))
            if begin + len(inner) < len(text):
                self.line_break(raw_start + begin + len(inner))
            return
        for match in re.finditer(r"[^\n]+|\n", text):
            if match.group() == "\n":
                self.line_break(raw_start + match.start())
            else:
                self._write_visible(match.group(), raw_start + match.start())

    def _write_visible(self, word: str, raw_start: int) -> None:
        if word.isascii() and not _CONTROL.search(word):
            self._flush_space()
            self._write(word, raw_start, len(word))
            return
        position = 0
        for part in re.split(f"({_INVISIBLE.pattern}+|{_CONTROL.pattern}+)", word):
            if part and not _INVISIBLE.match(part) and not _CONTROL.match(part):
                self._flush_space()
                self._write(part, raw_start + position, len(part))
            position += len(part)

    def _flush_space(self) -> None:
        if self._space_wanted is not None:
            if self._length > self._block_start and self._chunks[-1] != "\n":
                self._write(" ", self._space_wanted, 1)
            self._space_wanted = None

    def _write(self, text: str, raw_start: int, raw_length: int) -> None:
        self._offsets.append((self._length, raw_start, len(text), raw_length))
        self._chunks.append(text)
        self._length += len(text)


def _all_seen(text: str) -> bool:
    """Whether text without white space but single spaces holds no sign that cannot be seen."""
    return text.isprintable() if text.isascii() else _UNSEEN.search(text) is None


def _clean(text: str) -> str:
    return _CONTROL.sub("", _INVISIBLE.sub("", text))


def _merged(offsets: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Join pieces that follow each other in both texts."""
    merged: list[tuple[int, int, int, int]] = []
    for piece in offsets:
        if merged:
            start, raw, length, raw_length = merged[-1]
            exact = length == raw_length and piece[2] == piece[3]
            if exact and start + length == piece[0] and raw + raw_length == piece[1]:
                merged[-1] = (start, raw, length + piece[2], raw_length + piece[3])
                continue
        merged.append(piece)
    return merged


def fold(text: str) -> str:
    """Compare form: compatibility characters, case and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
