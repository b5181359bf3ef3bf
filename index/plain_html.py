"""Cooked HTML → plain text. A tokeniser of our own, because no HTML library tells where in the source a word stands.

It is a reader, not a validator: unknown tags are transparent, unclosed ones end with the post, and nesting deeper
than MAX_DEPTH is left out, so that a bomb of nested tags costs what its length costs and hides nothing.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from index.plain import BlockKind, Builder

MAX_DEPTH = 100

# A tag is at most 4,096 characters long: without an end, "<a<a<a…" would be scanned to the end from each "<".
# "<!doctype" and "</ 3" begin with a sign like any other.
_TOKEN = re.compile(
    r"(?P<comment><!--(?s:.*?)(?:-->|\Z))"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]*)(?P<attributes>(?:\"[^\"]{0,4096}\"|'[^']{0,4096}'|[^'\"<>]){0,4096})>"
    r"|&(?P<entity>#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});|(?P<text>[^<&]+)|(?P<odd>[<&])"
)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.I)
_HIDDEN = re.compile(r"(?:^|\s)hidden(?:\s|=|$)")

_VOID = {"br", "img", "hr", "input", "wbr", "source", "track", "col", "meta", "link", "area", "base", "embed"}
_DROPPED = {
    "script",
    "style",
    "noscript",
    "svg",
    "iframe",
    "template",
    "form",
    "select",
    "button",
    "textarea",
    "title",
    "head",
    "s",
    "del",
    "strike",
    "math",
    "object",
    "audio",
    "video",
    "canvas",
}
_DROPPED_CLASSES = {
    "meta",
    "poll",
    "poll-container",
    "badge-wrapper",
    "hidden",
    "cooked-selection-barrier",
    "elided",
    "katex-html",
    "footnotes-sep",
    "discourse-local-date-wrapper",
}
_BLOCKS = {
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "aside",
    "pre",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
    "th",
    "details",
    "summary",
    "section",
    "article",
    "dl",
    "dt",
    "dd",
    "figure",
    "figcaption",
    "hr",
    "header",
    "footer",
    "nav",
    "main",
    "center",
    "address",
}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}


@dataclass(slots=True)
class _Open:
    """An element that is open, with what it means for the text inside."""

    name: str
    dropped: bool = False
    quote_of: str | None = None
    quote: bool = False
    embed: bool = False
    list_id: int = -1
    ordered: bool = False
    count: int = 0


@dataclass(slots=True)
class _State:
    stack: list[_Open] = field(default_factory=list)
    lists: int = 0
    dropped: int = 0  # how many open elements are dropped ones
    kept: int = 0  # how many open elements are <pre>: white space in them stays
    too_deep: int = 0  # how many elements are open below MAX_DEPTH: their text is left out


def read_html(source: str, builder: Builder, base: int = 0) -> None:
    """Read HTML that stands at `base` of the raw body into the builder."""
    state = _State()
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind == "attributes":
            _tag(match, state, builder, base)
        elif kind == "comment" or state.dropped or state.too_deep:
            continue
        elif kind == "entity":
            builder.add(html.unescape(match.group()), base + match.start(), match.end() - match.start())
        else:
            builder.add(match.group(), base + match.start(), keep_space=state.kept > 0)
    _end_block(state, builder)


def _tag(match: re.Match[str], state: _State, builder: Builder, base: int) -> None:
    close, name, attributes = match.group("close", "name", "attributes")
    name = name.lower()
    if name == "br":
        if not state.dropped:
            builder.line_break(base + match.start())
        return
    if name in _BLOCKS and builder.begun():
        _end_block(state, builder)
    if close:
        _close(name, state)
    elif name == "li":
        _close_item(state)
        _open(name, attributes, state)
    elif name not in _VOID and not attributes.endswith("/"):
        if name == "p":
            _close_paragraph(state)
        _open(name, attributes, state)


def _open(name: str, attribute_text: str, state: _State) -> None:
    if len(state.stack) >= MAX_DEPTH:
        state.too_deep += 1
        return
    attributes = _attributes(attribute_text) if attribute_text else {}
    classes = attributes.get("class", "").split()
    element = _Open(name, dropped=name in _DROPPED or (bool(attribute_text) and _is_hidden(attribute_text, attributes, classes)))
    if name == "aside" and "quote" in classes:
        element.quote = True
        element.quote_of = "/".join(attributes.get(f"data-{key}", "") for key in ("username", "topic", "post"))
    elif name == "blockquote":
        element.quote = True
    elif name == "aside" or "onebox" in classes:
        element.embed = True
    elif name in ("ul", "ol"):
        element.list_id, element.ordered = state.lists, name == "ol"
        state.lists += 1
        start = attributes.get("start", "")
        element.count = int(start) - 1 if start.isdecimal() and len(start) < 6 else 0
    elif name == "li":
        parent = next((o for o in reversed(state.stack) if o.list_id >= 0), None)
        if parent is not None:
            parent.count += 1
    elif name == "div" and "title" in classes and state.stack and state.stack[-1].quote:
        element.dropped = True  # "ann:" above a quote
    state.kept += name == "pre"
    state.dropped += element.dropped
    state.stack.append(element)


def _attributes(text: str) -> dict[str, str]:
    return {m[1].lower(): html.unescape(m[2] or m[3] or m[4] or "") for m in _ATTRIBUTE.finditer(text)}


def _is_hidden(text: str, attributes: dict[str, str], classes: list[str]) -> bool:
    """Whether its attributes keep an element from readers' eyes."""
    return (
        not _DROPPED_CLASSES.isdisjoint(classes)
        or ("style" in attributes and _HIDDEN_STYLE.search(attributes["style"]) is not None)
        or ("hidden" in text and _HIDDEN.search(text) is not None)
    )


def _close(name: str, state: _State) -> None:
    if state.too_deep:
        state.too_deep -= 1
        return
    for index in range(len(state.stack) - 1, -1, -1):
        if state.stack[index].name == name:
            for element in state.stack[index:]:
                state.dropped -= element.dropped
                state.kept -= element.name == "pre"
            del state.stack[index:]
            return


def _close_item(state: _State) -> None:
    """An <li> ends the one before it in the same list."""
    for element in reversed(state.stack):
        if element.name in ("ul", "ol"):
            return
        if element.name == "li":
            _close("li", state)
            return


def _close_paragraph(state: _State) -> None:
    """A <p> ends an open <p>: only one straight above it, for the price of one look."""
    if state.stack and state.stack[-1].name == "p":
        _close("p", state)


def _end_block(state: _State, builder: Builder) -> None:
    """Close the block that was being written, with the kind that the open elements give it."""
    kind: BlockKind = "paragraph"
    names = [o.name for o in state.stack]
    lists = [o for o in state.stack if o.list_id >= 0]
    item = lists[-1] if lists and "li" in names else None
    place: dict[str, object] = {}
    if item is not None:
        kind = "item"
        place = {"list_id": item.list_id, "list_index": item.count, "ordered": item.ordered, "depth": len(lists)}
    heading = next((n for n in reversed(names) if n in _HEADINGS), None)
    if heading:
        kind, place = "heading", {"level": int(heading[1])}
    if "table" in names:
        kind = "table"
    if "pre" in names:
        kind = "code"
    if any(o.embed for o in state.stack):
        kind = "embed"
    if any(o.quote for o in state.stack):
        kind = "quote"
        place = {**place, "quote_of": next((o.quote_of for o in reversed(state.stack) if o.quote_of), None)}
    builder.end_block(kind, **place)
