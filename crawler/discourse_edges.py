"""Who a Discourse post answers, quotes, names and links to, read from its body. Pure; linear in the body's length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from urllib.parse import unquote

from index.plain import MAX_READ
from index.records import PostFormat

PostRef = Callable[[int, int], str]  # (thread number, post number) → id of the post
AuthorRef = Callable[[str], str]  # handle → id of the author

# No "<" within a tag: so a bomb of unclosed tags is read once, not once for each of them.
_TAG = re.compile(r"<(aside|a)\s([^<>]{1,2000})>", re.I)
_ATTRIBUTE = re.compile(r"([\w-]{1,40})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# [quote="ann, post:3, topic:12"], also with the curly quotation marks that some editors put there
_RAW_QUOTE = re.compile('\\[quote=["“”]([^\\]\n]{1,300})\\]')
_QUOTED_POST = re.compile(r"\bpost:\s?(\d{1,9})\b")
_QUOTED_THREAD = re.compile(r"\btopic:\s?(\d{1,15})\b")
# Not after a word character: that would be an e-mail address.
_RAW_MENTION = re.compile(r"(?<![\w@/.+-])@(\w[\w.-]{0,59})")
_RAW_PATH = re.compile(r"(?:(https?://[^\s/\"'<>()\[\]]{1,200})|(?<=[(\"']))(/[^\s\"'<>()\[\]]{1,500})")
_THREAD_PATH = re.compile(r"^/t/(?:[^/?#]*[^/?#\d][^/?#]*/)?(\d{1,15})(?:/(\d{1,9}))?/?(?:[?#].*)?$")

Found = tuple[str, str]  # (kind of edge, target)


def find_edges(text: str, format: PostFormat, base_url: str, post_ref: PostRef, author_ref: AuthorRef) -> list[Found]:
    """Quotes, mentions and links to threads of the same forum, each once, in the order of the text."""
    finder = _in_html if format == "cooked" else _in_markdown
    found = list(dict.fromkeys(finder(text[:MAX_READ], base_url, post_ref, author_ref)))
    quoted = {target for kind, target in found if kind == "quote"}
    return [edge for edge in found if not (edge[0] == "link" and edge[1] in quoted)]


def _in_html(text: str, base_url: str, post_ref: PostRef, author_ref: AuthorRef) -> Iterator[Found]:
    for tag in _TAG.finditer(text):
        attributes = {name.lower(): unescape(one or two) for name, one, two in _ATTRIBUTE.findall(tag.group(2))}
        classes = attributes.get("class", "").split()
        if tag.group(1).lower() == "aside":
            if "quote" in classes:
                yield from _quote(attributes.get("data-topic", ""), attributes.get("data-post", ""), post_ref)
        elif "mention" in classes:
            handle = unquote(attributes.get("href", "").rstrip("/").rpartition("/")[2])
            if handle:
                yield "mention", author_ref(handle[:60])
        else:
            yield from _link(attributes.get("href", ""), base_url, post_ref)


def _in_markdown(text: str, base_url: str, post_ref: PostRef, author_ref: AuthorRef) -> Iterator[Found]:
    for quote in _RAW_QUOTE.finditer(text):
        post, thread = _QUOTED_POST.search(quote.group(1)), _QUOTED_THREAD.search(quote.group(1))
        yield from _quote(thread.group(1) if thread else "", post.group(1) if post else "", post_ref)
    for mention in _RAW_MENTION.finditer(text) if "@" in text else ():
        yield "mention", author_ref(mention.group(1).rstrip(".-"))
    for path in _RAW_PATH.finditer(text) if "/t/" in text else ():
        yield from _link((path.group(1) or "") + path.group(2).rstrip(".,;:!?*_"), base_url, post_ref)


def _quote(thread: str, post: str, post_ref: PostRef) -> Iterator[Found]:
    if thread.isdecimal() and post.isdecimal() and len(thread) <= 15 and len(post) <= 9:
        yield "quote", post_ref(int(thread), int(post))


def _link(url: str, base_url: str, post_ref: PostRef) -> Iterator[Found]:
    """A link to the start of a thread points at the thread (post number 0), one further in at that post."""
    host_and_path = base_url.partition("://")[2]
    if url.startswith(("http://", "https://")):
        rest = url.partition("://")[2]
        if not rest.lower().startswith(host_and_path.lower()):
            return
        path = rest[len(host_and_path) :]
    else:
        path = url.removeprefix("/" + host_and_path.partition("/")[2]) if "/" in host_and_path else url
    match = _THREAD_PATH.match(path)
    if match:
        yield "link", post_ref(int(match.group(1)), int(match.group(2) or 0))
