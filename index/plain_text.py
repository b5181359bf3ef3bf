"""Plain text, such as mail → readable text. Lines are joined into paragraphs; quotes, signatures and armour are told apart.

What another person wrote (lines with ">", and the line that says who wrote them) is a quote block, never words of the
post's author. Signatures, list footers and PGP armour are left out. Linear in the length read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.plain import Builder

_QUOTED = re.compile(r"[ ]{0,2}(?:[>|][ ]?)+")
_ATTRIBUTION = re.compile(
    r"(?i)\b(?:wrote|writes|said|schrieb|a écrit|escribió|scrisse|skrev|écrit)\b[^.!?]{0,40}:\s*$|^\s*On\b.{5,200}:\s*$"
)
_OPENS = re.compile(r"\s*(?:On|Am|Le|El|Il|Den|Em|Op|\d{1,4}[-./])\b")
_FORWARDED = re.compile(r"(?i)^\s*-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine)\s*-{2,}\s*$")
_SIGNATURE = re.compile(r"^-- ?$")
_FOOTER = re.compile(r"^_{20,}\s*$")
_ITEM = re.compile(r"(?P<indent>[ \t]{0,12})(?:(?P<bullet>[-*+•o])|(?P<number>\(?(?:\d{1,3}|[a-z])[.)]))[ \t]+(?=\S)")
_UNDERLINE = re.compile(r"^[ ]{0,3}(=|-|~|\^)\1{2,}\s*$")
_HASHES = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_CODE = re.compile(r"(?:\t| {4,})\S|diff --git |@@ -|(?:\+\+\+|---) [ab/]|[$#] \S")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_ARMOUR = re.compile(r"^-----BEGIN PGP (SIGNED MESSAGE|SIGNATURE|PUBLIC KEY BLOCK|MESSAGE)-----\s*$")


@dataclass(slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def read_text(source: str, builder: Builder) -> None:
    """Write the blocks of a plain text into `builder`."""
    lines = _without_armour(_lines(source))
    place, lists = 0, _Lists()
    while place < len(lines):
        place = _block(lines, place, builder, lists)


def _lines(source: str) -> list[_Line]:
    found, start = [], 0
    for text in source.splitlines(keepends=True):
        found.append(_Line(start, start + len(text), text.rstrip("\r\n")))
        start += len(text)
    return found


def _without_armour(lines: list[_Line]) -> list[_Line]:
    """Up to the signature or the list's footer, without PGP's lines."""
    kept: list[_Line] = []
    skip_to = ""
    for line in lines:
        if skip_to:
            if line.blank if skip_to == "blank" else line.text.startswith(skip_to):
                skip_to = ""
        elif armour := _ARMOUR.match(line.text):
            skip_to = "blank" if armour.group(1) == "SIGNED MESSAGE" else f"-----END PGP {armour.group(1)}"
        elif _SIGNATURE.match(line.text) or _FOOTER.match(line.text):
            break
        else:
            kept.append(line)
    return kept


@dataclass(slots=True)
class _Lists:
    """Items belong to one list as long as nothing but blank lines stands between them."""

    id: int = -1
    index: int = 0
    open: bool = False
    numbered: bool = False

    def next(self, numbered: bool) -> None:
        if not self.open or numbered != self.numbered:
            self.id, self.index = self.id + 1, 0
        self.open, self.numbered, self.index = True, numbered, self.index + 1


def _block(lines: list[_Line], place: int, builder: Builder, lists: _Lists) -> int:
    """Write the block that begins at `place`; returns the place behind it."""
    line = lines[place]
    if line.blank:
        return place + 1
    if _FORWARDED.match(line.text):
        return _quote(lines, place, len(lines), builder, lists)
    if _QUOTED.match(line.text) or _leads_into_quote(lines, place):
        return _quote(lines, place, _end_of_quote(lines, place), builder, lists)
    if item := _ITEM.match(line.text):
        return _item(lines, place, item, builder, lists)
    lists.open = False
    if _FENCE.match(line.text) or _CODE.match(line.text):
        return _code(lines, place, builder)
    return _paragraph(lines, place, builder)


def _leads_into_quote(lines: list[_Line], place: int) -> bool:
    """ "On Monday Ann wrote:", over one or two lines, with a quote behind it."""
    for size in (1, 2, 3):
        if place + size > len(lines) or lines[place + size - 1].blank or (size > 1 and not _OPENS.match(lines[place].text)):
            return False
        if _ATTRIBUTION.search(" ".join(line.text for line in lines[place : place + size])):
            after = next((line for line in lines[place + size : place + size + 3] if not line.blank), None)
            return after is not None and _QUOTED.match(after.text) is not None
    return False


def _end_of_quote(lines: list[_Line], place: int) -> int:
    while place < len(lines) and not _QUOTED.match(lines[place].text):
        place += 1
    while place < len(lines) and _QUOTED.match(lines[place].text):
        place += 1
    return place


def _quote(lines: list[_Line], place: int, end: int, builder: Builder, lists: _Lists) -> int:
    lists.open = False
    for line in lines[place:end]:
        mark = _QUOTED.match(line.text)
        skip = mark.end() if mark else 0
        builder.add(line.text[skip:], line.start + skip)
        builder.line_break(line.start + len(line.text))
    builder.end_block("quote")
    return end


def _item(lines: list[_Line], place: int, item: re.Match[str], builder: Builder, lists: _Lists) -> int:
    """A list item goes on over lines that are no item, quote or blank of their own."""
    line, end = lines[place], place + 1
    while end < len(lines) and not lines[end].blank and not _ITEM.match(lines[end].text) and not _QUOTED.match(lines[end].text):
        if _leads_into_quote(lines, end):
            break
        end += 1
    numbered = item.group("number") is not None
    lists.next(numbered)
    builder.add(line.text[item.end() :], line.start + item.end())
    for more in lines[place + 1 : end]:
        builder.add(" " + more.text.strip(), more.start + len(more.text) - len(more.text.lstrip()) - 1)
    depth = len(item.group("indent").expandtabs(4)) // 3
    builder.end_block("item", list_id=lists.id, list_index=lists.index, ordered=numbered, depth=depth)
    return end


def _code(lines: list[_Line], place: int, builder: Builder) -> int:
    """A fence up to its end, else a run of lines up to a blank one."""
    fence = _FENCE.match(lines[place].text)
    end = place + 1
    if fence:
        while end < len(lines) and not lines[end].text.strip().startswith(fence.group(1)):
            end += 1
        end = min(end + 1, len(lines))
    else:
        while end < len(lines) and not lines[end].blank and not _QUOTED.match(lines[end].text):
            end += 1
    for line in lines[place:end]:
        builder.add(line.text, line.start, keep_space=True)
        builder.line_break(line.start + len(line.text))
    builder.end_block("code")
    return end


def _paragraph(lines: list[_Line], place: int, builder: Builder) -> int:
    line = lines[place]
    if hashes := _HASHES.match(line.text):
        builder.add(line.text[hashes.end() :], line.start + hashes.end())
        builder.end_block("heading", level=len(hashes.group(1)))
        return place + 1
    if place + 1 < len(lines) and _UNDERLINE.match(lines[place + 1].text):
        builder.add(line.text, line.start)
        builder.end_block("heading", level=1 if "=" in lines[place + 1].text else 2)
        return place + 2
    end = place
    while end < len(lines) and not lines[end].blank and not _ITEM.match(lines[end].text) and not _QUOTED.match(lines[end].text):
        if end > place and _leads_into_quote(lines, end):
            break
        builder.add(lines[end].text, lines[end].start)
        builder.add("\n", lines[end].start + len(lines[end].text))
        end += 1
    builder.end_block("paragraph")
    return end
