"""From the statuses that Mastodon's API gives (and Pleroma, Friendica, GoToSocial with it) to records: pure, never failing.

Everything is named by its ActivityPub address, `ap:{uri}`, so the same post read from two servers is one. Authors are
named by the address of their page: names there cannot change, and every version of the API gives it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

from crawler.fields import MAX_COUNT, body, line, mapping, mappings, moment, whole
from crawler.social import MAX_BODY, edges, headline, stub
from index.plain import derive
from index.records import Account, IdentityLink, Post, PostVersion, Reaction, ReactionEvent, Reject, Thread
from index.spool import Record

_HREF = re.compile(r'<a\s[^<>]{0,1000}?href="(https?://[^"\s<>]{1,1000})"[^<>]{0,1000}>', re.I)
_MENTION = re.compile(r'<a\s[^<>]{0,1000}?class="[^"<>]*\b(?:mention|hashtag)\b[^"<>]*"[^<>]{0,1000}>', re.I)
# Bridges whose addresses tell what they stand for.
_BRIDGED_AT = re.compile(r"https://[a-z]+\.brid\.gy/convert/ap/(at://did:[\w:.%-]+/[\w.]+/\w+)\Z")
_BRIDGED_NOSTR = re.compile(r"https://mostr\.pub/objects/([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Instance:
    source: str  # "mastodon:fed.example.org"
    host: str  # "fed.example.org": behind the names of its own people
    now: str


def uri_of(status: Mapping[str, Any]) -> str | None:
    return address(status.get("uri")) or address(status.get("url"))


def address(value: object) -> str | None:
    """A web address that can name something."""
    text = line(value, 1_000)
    if not text or not text.startswith(("https://", "http://")) or " " in text or not text.isprintable():
        return None
    try:
        return text if urlsplit(text).hostname else None
    except ValueError:
        return None


def parents(statuses: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Number at this server → post, of the statuses of one answer or several: replies name each other by number."""
    return {number: f"ap:{uri}" for status in statuses if (number := line(status.get("id"), 100)) and (uri := uri_of(status))}


def status_records(instance: Instance, value: object, known: Mapping[str, str], where: str) -> list[Record]:
    """Records of one status; `known` as `parents` gives it."""
    status = mapping(value)
    uri, account = uri_of(status), mapping(status.get("account"))
    author = address(account.get("url")) or address(account.get("uri"))
    if uri is None:
        return [Reject(instance.source, f"{where} {status.get('id')!s:.40}", "post without address")]
    if status.get("visibility", "public") not in ("public", "unlisted"):
        return [Reject(instance.source, f"ap:{uri}", "post that is not public")]
    created = moment(status.get("created_at"), instance.now)
    if author is None or created is None:
        lack = "post without author" if author is None else "post with an impossible date"
        return [Reject(instance.source, f"ap:{uri}", lack, f"{status.get('created_at')!r:.100}" if author else "")]
    people = account_records(instance, account, f"ap:{author}")
    if isinstance(status.get("reblog"), dict):
        return [*people, *_boost(instance, status, known, where, f"ap:{author}", created)]
    return [*people, *_post(instance, status, known, f"ap:{uri}", f"ap:{author}", created)]


def _boost(instance: Instance, status: Mapping[str, Any], known: Mapping[str, str], where: str, actor: str, created: str) -> list[Record]:
    inner = mapping(status.get("reblog"))
    target = uri_of(inner)
    if target is None:
        return [Reject(instance.source, f"ap:{uri_of(status)}", "reaction to nothing")]
    event = ReactionEvent(f"ap:{uri_of(status)}", f"ap:{target}", actor, "repost", created)
    nested = {**inner, "reblog": None}
    return [*status_records(instance, nested, known, where), event]


def _post(instance: Instance, status: Mapping[str, Any], known: Mapping[str, str], post: str, author: str, created: str) -> list[Record]:
    text = _text(status)
    if not derive(text, "cooked").text.strip():
        return [Reject(instance.source, post, "post without text")]
    if len(text) > MAX_BODY:
        return [Reject(instance.source, post, "post too large")]
    edited = moment(status.get("edited_at"), instance.now)
    answered = line(status.get("in_reply_to_id"), 100)
    parent = known.get(answered) if answered else None
    parent = None if parent == post else parent
    permalink = address(status.get("url")) or post.removeprefix("ap:")
    thread = parent or post
    tags = tuple(dict.fromkeys(tag for entry in mappings(status.get("tags")) if (tag := line(entry.get("name"), 100))))[:20]
    title = headline(derive(text, "cooked").text)
    head = (
        stub(thread, instance.source, created, thread.removeprefix("ap:"))
        if parent
        else Thread(post, instance.source, title, created, permalink, "", tags)
    )
    likes = whole(status.get("favourites_count"), 0, MAX_COUNT) or 0
    made = Post(
        id=post,
        source=instance.source,
        thread=thread,
        number=None,
        author=author,
        created=created,
        format="cooked",
        body=text,
        permalink=permalink,
        edited=max(edited, created) if edited else None,
        version=2 if edited else 1,
        reply_to=parent,
        likes=likes,
    )
    return [head, made, Reaction(post, "", "like", likes), *_edges(status, post, parent, text)]


def _text(status: Mapping[str, Any]) -> str:
    """The content, behind its warning where it has one: both are the author's words."""
    warning, content = line(status.get("spoiler_text"), 1_000), body(status.get("content")) or ""
    return f"<p>{escape(warning)}</p>{content}" if warning else content


def _edges(status: Mapping[str, Any], post: str, parent: str | None, text: str) -> list[Record]:
    quoted = uri_of(mapping(mapping(status.get("quote")).get("quoted_status")))
    people = [f"ap:{url}" for entry in mappings(status.get("mentions")) if (url := address(entry.get("url")))]
    links = [url for url in _HREF.findall(_MENTION.sub("", text)) if address(url)]
    name = post.removeprefix("ap:")
    bridged_at, bridged_nostr = _BRIDGED_AT.match(name), _BRIDGED_NOSTR.match(name)
    origin = [bridged_at[1]] if bridged_at else [f"nostr:{bridged_nostr[1]}"] if bridged_nostr else []
    answered = [parent] if parent else []
    quotes = [f"ap:{quoted}"] if quoted else []
    return [*edges(post, ("reply", answered), ("quote", quotes), ("mention", people), ("link", links), ("bridged_from", origin))]


def account_records(instance: Instance, account: Mapping[str, Any], author: str) -> list[Record]:
    """The writer, and the links of their profile. A link whose page links back was checked by their server."""
    acct, shown = line(account.get("acct"), 300) or line(account.get("username"), 100) or "", line(account.get("display_name"), 100) or ""
    host = urlsplit(author.removeprefix("ap:")).netloc
    handle = acct if "@" in acct else f"{acct}@{instance.host or host}" if acct else ""
    links = [IdentityLink(author, "ap/fields", instance.now)]
    for entry in list(mappings(account.get("fields")))[:20]:
        for url in _HREF.findall(body(entry.get("value")) or "")[:5]:
            if address(url):
                strength = "mutual" if isinstance(entry.get("verified_at"), str) else "claimed"
                links.append(IdentityLink(author, "ap/fields", instance.now, "url", url, strength, author))  # type: ignore[arg-type]
    return [Account(author, instance.source, handle or f"@{host}", shown, instance.now), *links]


# --- what one status has beside ------------------------------------------------------------------------------------


def history_records(post: str, history: object, now: str) -> list[Record]:
    """Earlier texts, oldest first; the last entry is what stands there now."""
    entries = list(mappings(history))
    found: list[Record] = []
    for number, entry in enumerate(entries[:-1], 1):
        text = _text(entry)
        if text.strip() and len(text) <= MAX_BODY:
            found.append(PostVersion(post, number, "cooked", text, moment(entry.get("created_at"), now) if number > 1 else None))
    return found


def favourite_records(instance: Instance, post: str, accounts: object, count: int) -> list[Record]:
    """Who favourited a post, and the rest of the count without names."""
    named = [f"ap:{url}" for account in mappings(accounts) if (url := address(account.get("url")) or address(account.get("uri")))]
    named = list(dict.fromkeys(named))
    people = [
        record
        for account in mappings(accounts)
        if (url := address(account.get("url")))
        for record in account_records(instance, account, f"ap:{url}")
    ]
    rest = max(0, count - len(named))
    return [*people, *(Reaction(post, actor) for actor in named), *([Reaction(post, "", "like", rest)] if rest or not named else [])]


def statuses_of(answer: object) -> list[dict[str, Any]]:
    """The statuses of any answer: a timeline, a context, one status."""
    if isinstance(answer, list):
        return list(mappings(answer))
    found = mapping(answer)
    return [*mappings(found.get("ancestors")), *mappings(found.get("descendants"))] if "descendants" in found else [found] if found else []
