"""Strangers' words on a terminal: nothing that moves the cursor, turns text around or hides in it gets through."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Collection, Iterator
from typing import Any

WIDEST = 100
# Printable by Unicode's reckoning, and yet nothing to see: fillers, variation selectors, Hangul and Khmer blanks.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def clean(text: str) -> str:
    """One line of what can be seen."""
    seen = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    return " ".join(_BLANK.sub("", seen).split())


def shortened(text: str, most: int = 80) -> str:
    """One line of what can be seen, cut where it is long."""
    line = clean(text[: most * 10])
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def emphasised(line: str, words: Collection[str]) -> str:
    """A cleaned line with these words (in small letters) in bold, for a terminal."""
    return re.sub(r"\w+", lambda word: f"\x1b[1m{word[0]}\x1b[22m" if word[0].casefold() in words else word[0], line) if words else line


def to_json(value: Any) -> str:
    """Readable JSON; what could act on a terminal is escaped, so that the value stays whole."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return json.dumps(character, ensure_ascii=True)[1:-1] if ord(character) > 0x7E else f"\\u{ord(character):04x}"


def wrap(text: str, first: str, rest: str) -> Iterator[str]:
    """Lines of cleaned text as wide as the terminal, at most 100 columns."""
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    text = clean(text)
    yield from textwrap.wrap(
        text, max(width, 40), initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def table(rows: list[list[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as their widest cell; those in `right` are aligned to the right. The first row is the header."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)
