"""From mail to records: pure, and it never fails, whatever the message holds.

A post is named by its Message-ID (`msgid:…`), so the same mail in two lists is one post. Authors are named by a hash of
their address, which is nowhere stored in clear. Mail has no edits and no deletions.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime
from urllib.parse import quote

from crawler.discourse import MAX_BODY
from crawler.fields import body, line, moment
from index.records import Author, Edge, Post, PostFormat, Reject, Thread
from index.spool import Record

MAPPING_VERSION = "mail/1"
REMEMBERED = 500_000  # messages whose conversation is known while a list is read
_ID = re.compile(r"<([^<>\s]{3,250})>")
_RE = re.compile(r"(?i)^(?:\s*(?:re|aw|sv|fwd?|wg|antw)\s*(?:\[\d+\])?\s*:)+\s*")
_LIST_TAG = re.compile(r"^\s*\[[\w .+-]{1,40}\]\s*")
_HIDDEN_AT = re.compile(r"(\S+)\s*(?:\(a\)|\bat\b|\[at\])\s*(\S+\.\S+)")

Permalink = Callable[[str], str]  # Message-ID → address


def mid_link(message_id: str) -> str:
    """The standard's own address of a mail, where no archive on the web is known (RFC 2392)."""
    return f"mid:{quote(message_id, safe='@')}"


def public_inbox_link(base_url: str) -> Permalink:
    return lambda message_id: f"{base_url}/{quote(message_id, safe='@')}/"


def hyperkitty_link(base_url: str) -> Permalink:
    """HyperKitty names a message by the hash of its Message-ID (Message-ID-Hash)."""

    def link(message_id: str) -> str:
        digest = base64.b32encode(hashlib.sha1(message_id.encode()).digest()).decode()
        return f"{base_url}/message/{digest}/"

    return link


@dataclass(frozen=True, slots=True)
class MailList:
    """What the mapping has to know of a list."""

    source: str  # "list:dev.lists.example.org"
    now: str
    permalink: Permalink = mid_link


@dataclass(slots=True)
class Conversations:
    """Which conversation each message belongs to: that of what it answers, else its own. Bounded; the oldest are forgotten."""

    roots: OrderedDict[str, tuple[str, bytes]] = field(default_factory=OrderedDict)  # id → (root, digest of the text)
    begun: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def root(self, head: Head) -> str:
        """The first known root among what is answered, nearest first; else the oldest reference; else the message itself."""
        for reference in reversed(head.references):
            if reference in self.roots:
                return self.roots[reference][0]
        return head.references[0] if head.references else head.id

    def add(self, head: Head, text: str) -> tuple[str, bool]:
        """(root of the conversation, whether this is the first message of it that was seen)."""
        root = self.root(head)
        first = root not in self.begun
        self.begun[root] = None
        self.roots[head.id] = (root, _digest(text))
        for remembered in (self.roots, self.begun):
            if len(remembered) > REMEMBERED:
                remembered.popitem(last=False)
        return root, first


@dataclass(frozen=True, slots=True)
class Head:
    """What names a message and places it in its conversation."""

    id: str
    references: list[str]


def read_head(message: Message, raw: bytes) -> Head:
    """Its id (made from its bytes where it has none) and what it answers, oldest first."""
    found = _ID.findall(_text(message, "Message-ID"))
    message_id = found[0] if found else f"{hashlib.sha256(raw).hexdigest()[:32]}@without.message-id"
    references = _ID.findall(_text(message, "References"))[:200]
    answered = _ID.findall(_text(message, "In-Reply-To"))[:1]
    every = [reference for reference in dict.fromkeys([*references, *answered]) if reference != message_id]
    return Head(message_id, every)


def parse(raw: bytes) -> Message:
    return email.message_from_bytes(raw, policy=email.policy.compat32)


def message_records(mails: MailList, conversations: Conversations, raw: bytes, where: str, received: str = "") -> list[Record]:
    """Author, thread, post and edges of one message; a Reject and nothing else where it cannot be used.

    `received`: a date as mail writes it, taken where the message has none that is possible.
    """
    try:
        message = parse(raw)
        head = read_head(message, raw)
        return _records(mails, conversations, message, head, where, received)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError) as error:
        # The library's parser is lenient, but not with everything that 30 years of mail hold.
        return [Reject(mails.source, where, "message that cannot be parsed", f"{type(error).__name__}: {error}"[:200])]


def replay(conversations: Conversations, raw: bytes) -> None:
    """Learn a message's place in its conversation without making records of it."""
    try:
        message = parse(raw)
        conversations.add(read_head(message, raw), _words(message)[1])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError):
        return


def _records(mails: MailList, conversations: Conversations, message: Message, head: Head, where: str, received: str) -> list[Record]:
    author = _author(mails, message)
    created = _date(_text(message, "Date"), mails.now) or _date(received, mails.now)
    format, text = _words(message)
    lack = _lack(author, created, text)
    if lack or author is None or created is None:
        return [Reject(mails.source, where, lack, line(_text(message, "Date"), 100) or "" if "date" in lack else "")]
    known = conversations.roots.get(head.id)
    if known is not None:
        again = known[1] == _digest(text)
        return [] if again else [Reject(mails.source, where, "message id used again with another text", head.id)]
    root, first = conversations.add(head, text)
    parent = head.references[-1] if head.references else None
    post = Post(
        id=f"msgid:{head.id}",
        source=mails.source,
        thread=f"{mails.source}/t/{root}",
        number=None,
        author=author.id,
        created=created,
        format=format,
        body=text,
        permalink=mails.permalink(head.id),
        reply_to=None if parent is None else f"msgid:{parent}",
    )
    records: list[Record] = [author]
    if first or head.id == root:
        subject = _RE.sub("", _LIST_TAG.sub("", _RE.sub("", line(_text(message, "Subject")) or "")))
        records.append(Thread(post.thread, mails.source, subject, created, mails.permalink(root)))
    records.append(post)
    if parent is not None:
        records.append(Edge("reply", post.id, f"msgid:{parent}"))
    return records


def _lack(author: Author | None, created: str | None, text: str) -> str:
    if author is None:
        return "message without sender"
    if created is None:
        return "message without a possible date"
    if not text.strip():
        return "message without text"
    return "message too large" if len(text) > MAX_BODY else ""


def _text(message: Message, name: str) -> str:
    """A header's words, decoded where it says how; at most 20,000 characters."""
    value = str(message.get(name, ""))[:20_000]
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        return value


def _author(mails: MailList, message: Message) -> Author | None:
    """By the sender's address. A list that sends under its own name says elsewhere who wrote."""
    name, address = _sender(_text(message, "From"))
    if " via " in name.lower():
        for other in ("X-Original-From", "Reply-To"):
            shown, original = _sender(_text(message, other))
            if original and original != address:
                name, address = shown or name.lower().partition(" via ")[0], original
                break
    if "@" not in address:
        return None
    shown = line(name.strip("'\" "), 100) or ""
    handle = shown or address.partition("@")[0]
    return Author(f"mail:{hashlib.sha256(address.encode()).hexdigest()[:20]}", mails.source, handle, shown)


def _sender(value: str) -> tuple[str, str]:
    """(name, address in lower case) of "Ann <ann@x.org>", also where an archive hid the @ or wrote "ann at x.org (Ann)"."""
    name, address = parseaddr(value)
    if "@" not in address and (hidden := _HIDDEN_AT.search(value)):
        address = f"{hidden.group(1).lstrip('<(')}@{hidden.group(2).rstrip('>)')}"
        rest = value[hidden.end() :].strip(" <>()") or value[: hidden.start()].strip(' <>()"')
        name = name or rest
    return name, address.strip().lower()[:320]


def _date(value: str, now: str) -> str | None:
    try:
        when = parsedate_to_datetime(value)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        return moment(when.astimezone(UTC).isoformat(), now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _words(message: Message) -> tuple[PostFormat, str]:
    """The text part; where there is none, the HTML part."""
    html = ""
    for number, part in enumerate(message.walk()):
        if number > 200:
            break
        kind = part.get_content_type()
        if part.is_multipart() or kind not in ("text/plain", "text/html") or part.get_content_disposition() == "attachment":
            continue
        text = _decoded(part)
        if kind == "text/plain" and text.strip():
            return "text", text
        html = html or text
    return ("cooked", html) if html.strip() else ("text", "")


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("utf-8", "replace")
    return body(text.replace("\r\n", "\n")) or ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:12]
