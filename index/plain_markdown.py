"""Raw Discourse Markdown → plain text. markdown-it finds the blocks; the inline marks are taken out here, because
no Markdown library tells where in the source a word stands."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from index.plain import BlockKind, Builder
from index.plain_html import read_html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_QUOTE_TAG = re.compile(r"\[quote(?:=(?:\"(?P<by>[^\"\]\n]{0,300})\"|[^\]\n]{0,300}))?\]|\[/quote\]", re.I)
_BLANKED = re.compile(r"\[/?(?:details|spoiler|wrap|center|size|color|b|i|u|event|poll)(?:[ =][^\]\n]{0,300})?\]", re.I)
_HIDING = re.compile(
    r"<!--|\[poll\b|(?<!~)~~(?![~\s])|<(?P<name>[a-zA-Z][a-zA-Z0-9]{0,20})(?P<rest>(?:\s[^<>]{0,1000})?)>",
    re.I,
)
_POLL_END = re.compile(r"\[/poll\]", re.I)
_STRUCK = {"s", "del", "strike", "script", "style"}

# Marks to take out of a line of text. Each alternative is bounded, so that no input makes it slow.
_MARK = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>(?P<ticks>`{1,3})(?P<inner>[^`\n]{1,2000})(?P=ticks))"
    r"|(?P<image>!\[[^\]\n]{0,500}\]\([^)\n]{0,2000}\))"
    r"|(?P<link_end>\]\([^()\s]{0,2000}(?:\([^()\s]{0,200}\)[^()\s]{0,500})?(?:\s+\"[^\"\n]{0,300}\")?\))"
    r"|(?P<autolink><(?P<url>(?:https?://|mailto:)[^>\s]{1,2000})>)"
    r"|(?P<br><br\s*/?>)"
    r"|(?P<tag></?[a-zA-Z][^<>\n]{0,1000}>)"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)"
    r"|(?P<strong>\*{1,3}|(?<![A-Za-z0-9_])_{1,3}(?=\S)|(?<=\S)_{1,3}(?![A-Za-z0-9_]))"
)
_MARK_SIGN = re.compile(r"[\\`!\]<&*_]")  # each mark begins with one of these
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|\bhidden\b", re.I)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": 60}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def read_markdown(source: str, builder: Builder) -> None:
    """Read Discourse Markdown into the builder."""
    source = source.replace("\0", " ").replace("\r\n", " \n").replace("\r", "\n")
    text, quotes = _without_quote_tags(_without_hidden(source))
    text = _BLANKED.sub(_blank, text)
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    _Reader(text, lines, starts, quotes, builder).read(_parser().parse(text))


def _without_hidden(source: str) -> str:
    """Blank what no reader sees as the author's words: comments, polls, struck text and hidden elements.

    Each kind of end is searched for once past the last place where it was found missing, so time stays linear.
    """
    pieces: list[str] = []
    position = 0
    missing: set[str] = set()
    for match in _HIDING.finditer(source):
        if match.start() < position:
            continue
        end = _end_of_hidden(source, match, missing)
        if end:
            pieces += [source[position : match.start()], re.sub(r"[^\n]", " ", source[match.start() : end])]
            position = end
    return "".join([*pieces, source[position:]])


def _end_of_hidden(source: str, match: re.Match[str], missing: set[str]) -> int:
    """Where the hidden text that opens here ends; 0 where nothing is hidden or no end is found."""
    opener = match.group().lower()
    closer = {"<!--": "-->", "~~": "~~", "[poll": "[/poll]"}.get(opener)
    if closer is None:
        name = match["name"].lower()
        if name not in _STRUCK and not _HIDDEN.search(match["rest"]):
            return 0
        # Left open, a hidden element hides all that follows; "List<S>" is no struck text but a type.
        if name in missing and name in _STRUCK and not _HIDDEN.search(match["rest"]):
            return 0
        end = _end_of_element(source, name, match.end())
        if end == 0:
            missing.add(name)
            return 0 if name in _STRUCK and not _HIDDEN.search(match["rest"]) else len(source)
        return end
    if closer in missing:
        return 0
    found = source.find(closer, match.end())
    if closer == "[/poll]":
        poll_end = _POLL_END.search(source, match.end())
        found = poll_end.start() if poll_end else -1
    if found < 0:
        missing.add(closer)
        return 0
    if closer == "~~" and "\n\n" in source[match.end() : found]:
        return 0
    return found + len(closer)


def _end_of_element(source: str, name: str, start: int) -> int:
    """Behind the closing tag that matches; 0 where there is none."""
    depth = 1
    for tag in re.compile(rf"<(/?){name}(?=[\s>/])[^<>]{{0,1000}}>", re.I).finditer(source, start):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return 0


def _blank(match: re.Match[str]) -> str:
    """The same length of white space, with a line break at each end so that blocks part there."""
    tag = match.group()
    return "\n" + " " * (len(tag) - 2) + "\n" if "\n" not in tag else re.sub(r"[^\n]", " ", tag)


def _without_quote_tags(source: str) -> tuple[str, list[tuple[int, int, str | None]]]:
    """Blank [quote] tags, keeping every position, and say which ranges they enclose and whom they quote."""
    quotes: list[tuple[int, int, str | None]] = []
    open_tags: list[tuple[int, str | None]] = []
    for match in _QUOTE_TAG.finditer(source):
        if match.group().startswith("[/"):
            if open_tags:
                start, by = open_tags.pop()
                quotes.append((start, match.start(), by))
        elif len(open_tags) < 50:
            open_tags.append((match.end(), _quoted(match["by"])))
    quotes.extend((start, len(source), by) for start, by in open_tags)
    return _QUOTE_TAG.sub(_blank, source), quotes


def _quoted(by: str | None) -> str | None:
    """'ann, post:3, topic:12' → 'ann/12/3'."""
    if not by:
        return None
    parts = {key.strip(): value.strip() for key, _, value in (part.partition(":") for part in by.split(",")[1:])}
    return f"{by.split(',')[0].strip()}/{parts.get('topic', '')}/{parts.get('post', '')}"


class _Reader:
    def __init__(self, text: str, lines: list[str], starts: list[int], quotes: list[tuple[int, int, str | None]], builder: Builder) -> None:
        self.text, self.lines, self.starts, self.quotes, self.builder = text, lines, starts, quotes, builder
        self.lists: list[list[int]] = []  # [list id, ordered, count] of the open lists
        self.list_count = 0
        self.quote_depth = 0
        self.cell_search = 0
        self.quotes.sort(key=lambda quote: quote[:2])
        self.quote_starts = [start for start, _, _ in self.quotes]
        self.quote_reach: list[int] = []  # how far any quote up to this one goes
        for _, end, _ in self.quotes:
            self.quote_reach.append(max(end, self.quote_reach[-1] if self.quote_reach else 0))

    def read(self, tokens: list[Token]) -> None:
        heading = 0
        in_table = False
        for token in tokens:
            match token.type:
                case "bullet_list_open" | "ordered_list_open":
                    start = token.attrGet("start")
                    self.lists.append([self.list_count, int(token.type == "ordered_list_open"), int(start) - 1 if start is not None else 0])
                    self.list_count += 1
                case "bullet_list_close" | "ordered_list_close":
                    self.lists.pop()
                case "list_item_open":
                    self.lists[-1][2] += 1
                case "blockquote_open":
                    self.quote_depth += 1
                case "blockquote_close":
                    self.quote_depth -= 1
                case "heading_open":
                    heading = int(token.tag[1])
                case "heading_close":
                    heading = 0
                case "table_open":
                    in_table = True
                case "table_close":
                    in_table = False
                case "tr_open" if token.map:
                    self.cell_search = self.starts[token.map[0]]
                case "inline" if token.map:
                    self._inline(token, heading, in_table)
                case "fence" | "code_block" if token.map:
                    self._code(token)
                case "html_block" if token.map:
                    self._html(token)
                case _:
                    pass

    def _inline(self, token: Token, heading: int, in_table: bool) -> None:
        assert token.map is not None
        begin = self.starts[token.map[0]]
        if in_table:
            self._cell(token)
            self._end("table", begin)
            return
        for number, content in enumerate(token.content.split("\n")):
            line = token.map[0] + number
            if line >= len(self.lines):
                break
            at = self.lines[line].rfind(content) if content else 0
            if number:
                self.builder.line_break(self.starts[line])
            if at >= 0:
                self._marked(content, self.starts[line] + at)
        self._end("heading" if heading else "item" if self.lists else "paragraph", begin, heading)

    def _cell(self, token: Token) -> None:
        at = self.text.find(token.content, self.cell_search) if token.content else -1
        if at >= 0:
            self._marked(token.content, at)
            self.cell_search = at + len(token.content)

    def _code(self, token: Token) -> None:
        assert token.map is not None
        fenced = token.type == "fence"
        first, last = token.map[0] + int(fenced), min(token.map[1], len(self.lines))
        for line in range(first, last):
            if fenced and line == last - 1 and re.fullmatch(r"[\s>]*(?:`{3,}|~{3,})\s*", self.lines[line]):
                break
            self.builder.add(self.lines[line] + "\n", self.starts[line], keep_space=True)
        self._end("code", self.starts[token.map[0]])

    def _html(self, token: Token) -> None:
        assert token.map is not None
        begin, end = self.starts[token.map[0]], self.starts[min(token.map[1], len(self.lines))]
        if self._quote_at(begin) or self.quote_depth:
            self.builder.add(re.sub(r"<[^<>]{0,1000}>", lambda m: " " * len(m.group()), self.text[begin:end]), begin)
            self._end("quote", begin)
        else:
            read_html(self.text[begin:end], self.builder, begin)

    def _end(self, kind: BlockKind, begin: int, level: int = 0) -> None:
        place: dict[str, object] = {"level": level} if level else {}
        if self.lists:
            list_id, ordered, count = self.lists[-1]
            place |= {"list_id": list_id, "ordered": bool(ordered), "list_index": count, "depth": len(self.lists)}
        quote = self._quote_at(begin)
        if quote:
            kind, place = "quote", {**place, "quote_of": quote[2]}
        elif self.quote_depth:
            kind = "quote"
        self.builder.end_block(kind, **place)

    def _quote_at(self, position: int) -> tuple[int, int, str | None] | None:
        """The innermost quote around a position."""
        place = bisect_right(self.quote_starts, position) - 1
        while place >= 0 and self.quote_reach[place] > position:
            if self.quotes[place][1] > position:
                return self.quotes[place]
            place -= 1
        return None

    def _marked(self, content: str, start: int) -> None:
        """Write a line of text without its Markdown marks."""
        position = 0
        for mark in _marks(content):
            self._text(content, position, mark.start(), start)
            position = mark.end()
            kind = mark.lastgroup
            if kind == "escape":
                self.builder.add(mark.group()[1], start + mark.start() + 1)
            elif kind == "code":
                self.builder.add(mark["inner"], start + mark.start("inner"))
            elif kind == "autolink":
                self.builder.add(mark["url"], start + mark.start("url"))
            elif kind == "entity":
                self.builder.add(html.unescape(mark.group()), start + mark.start(), len(mark.group()))
            elif kind == "br":
                self.builder.line_break(start + mark.start())
            elif kind == "strong" and not _is_emphasis(content, mark):
                self.builder.add(mark.group(), start + mark.start())
        self._text(content, position, len(content), start)

    def _text(self, content: str, begin: int, end: int, start: int) -> None:
        """Plain characters; the "[" of a link goes, since its "](…)" is a mark too."""
        at = begin
        while (bracket := content.find("[", at, end)) >= 0:
            if bracket > at:
                self.builder.add(content[at:bracket], start + at)
            if not _LINK_TAIL.match(content, bracket):
                self.builder.add("[", start + bracket)
            at = bracket + 1
        if end > at:
            self.builder.add(content[at:end], start + at)


def _marks(content: str) -> Iterator[re.Match[str]]:
    """The marks of a line in order: looked for only where a sign may begin one."""
    sign = _MARK_SIGN.search(content)
    while sign:
        mark = _MARK.match(content, sign.start())
        if mark:
            yield mark
        sign = _MARK_SIGN.search(content, mark.end() if mark else sign.end())


_LINK_TAIL = re.compile(r"\[[^\[\]\n]{0,500}\]\(")


def _is_emphasis(content: str, mark: re.Match[str]) -> bool:
    """Asterisks between spaces are signs ("2 * 3"); next to a word they are marks."""
    before = content[mark.start() - 1 : mark.start()]
    after = content[mark.end() : mark.end() + 1]
    return bool(before.strip() or after.strip())
