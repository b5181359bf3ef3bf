"""Posts → windows: runs of passages that the adapted model reads together, each in the company it was written in.

A sentence alone does not say who acts or whether it is one of a row of steps; its heading, its list and its neighbours
do. Windows are cut by characters, so that no tokeniser is needed to know what would be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.passages import ReadPost, ReadThread

WINDOW = 700  # characters of passages in one window
LONGEST = 300  # characters of a passage that are read
TITLE, HEADING, LEAD_IN, BEFORE = 100, 80, 160, 120  # characters of what stands around it


@dataclass(frozen=True, slots=True)
class Window:
    """Passages `first`, `first + 1`, … of a post, each with the heading or list mark to be read before it."""

    post: int
    first: int
    head: str
    pieces: tuple[tuple[str, str], ...]  # (before, passage)

    @property
    def places(self) -> range:
        return range(self.first, self.first + len(self.pieces))


def windows_of(thread: ReadThread, post: ReadPost) -> list[Window]:
    """All windows of a post, in order; every passage is in exactly one."""
    head = f"{'reply' if post.number else 'first post'}: {thread.thread.title[:TITLE]}"
    cuts = _cuts([min(len(p.text), LONGEST) for p in post.passages])
    return [Window(post.number, start, head, tuple(_pieces(post, start, end))) for start, end in cuts]


def _cuts(lengths: Sequence[int]) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    start = size = 0
    for place, length in enumerate(lengths):
        if place > start and size + length > WINDOW:
            cuts.append((start, place))
            start, size = place, 0
        size += length
    if lengths:
        cuts.append((start, len(lengths)))
    return cuts


def _pieces(post: ReadPost, start: int, end: int) -> list[tuple[str, str]]:
    pieces: list[tuple[str, str]] = []
    heading = ""
    for place in range(start, end):
        passage, context = post.passages[place], post.contexts[place]
        before = []
        if context.heading and context.heading != heading:
            before.append(f"# {context.heading[:HEADING]} :")
        heading = context.heading
        if place == start and start:  # what the first passage of a later window goes on from
            before.append(context.lead_in[:LEAD_IN] or post.passages[place - 1].text[-BEFORE:])
        if passage.kind == "item":
            before.append(f"{passage.list_index}." if passage.ordered else "-")
        pieces.append((" ".join(before), passage.text[:LONGEST]))
    return pieces
