"""From AT Protocol's records and events to ours: pure, and it never fails, whatever a repository holds.

Ids: posts `at://did/collection/rkey`, authors `at://did`. The DID is the person; handles come and go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crawler.fields import LEEWAY, body, line, mapping, mappings, moment
from crawler.social import MAX_BODY, edges, headline, stub, unix_moment, urls
from index.records import Account, Deletion, IdentityLink, Post, ReactionEvent, Reject, Thread, Vanish
from index.spool import Record

POST, LIKE, REPOST = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost"
PROFILE = "app.bsky.actor.profile"
COLLECTIONS = (POST, LIKE, REPOST, PROFILE)
APP = "https://bsky.app/profile"

DID = re.compile(r"did:(?:plc:[a-z2-7]{24}|web:[a-zA-Z0-9.%-]{3,253})\Z")
_URI = re.compile(r"at://(did:[a-z]{2,10}:[a-zA-Z0-9.:%_-]{1,250})/([a-zA-Z0-9.-]{3,200})/([a-zA-Z0-9._:~-]{1,512})\Z")
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}\Z")
_TID_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}\Z")
# What a network says of an account that is not active: what follows for its posts.
GONE = {"deleted": "author_deleted", "takendown": "moderated"}


@dataclass(frozen=True, slots=True)
class Repo:
    """Where records come from. `known` says of posts that are stored: id → hash of the text, to tell edits."""

    source: str
    did: str
    now: str  # when it was read
    changed: str  # when the record was written at the latest, by the server's own clock
    update: bool = False  # the server says that the record took the place of another


def tid_moment(tid: object, now: str) -> str | None:
    """The moment in a TID, such as a repository's `rev`: microseconds since 1970, base 32."""
    if not isinstance(tid, str) or not _TID.match(tid):
        return None
    number = 0
    for letter in tid:
        number = number * 32 + _TID_LETTERS.index(letter)
    return unix_moment(number >> 10, now, 1_000_000)


def uri_of(did: str, collection: str, rkey: str) -> str:
    return f"at://{did}/{collection}/{rkey}"


def is_uri(value: object) -> bool:
    return isinstance(value, str) and len(value) < 1_000 and bool(_URI.match(value))


def permalink(uri: str) -> str:
    match = _URI.match(uri)
    return f"{APP}/{match[1]}/post/{match[3]}" if match else f"{APP}/{uri.removeprefix('at://')}"


def record_records(repo: Repo, collection: str, rkey: str, record: object) -> list[Record]:
    """Records of one record of a repository; nothing for collections that are not read."""
    reader = _READERS.get(collection)
    if reader is None:
        return []
    uri = uri_of(repo.did, collection, rkey)
    if not _URI.match(uri):
        return [Reject(repo.source, uri[:300], "record with an impossible address")]
    if not isinstance(record, dict):
        return [Reject(repo.source, uri, "record is not an object")]
    return reader(repo, uri, record)


def _account(repo: Repo) -> Account:
    return Account(f"at://{repo.did}", repo.source, repo.did)


def _reject(repo: Repo, uri: str, reason: str, detail: object = "") -> list[Record]:
    return [Reject(repo.source, uri, reason, f"{detail:.150}" if isinstance(detail, str) else f"{detail!r:.150}")]


# --- posts --------------------------------------------------------------------------------------------------------


def _post(repo: Repo, uri: str, record: Mapping[str, Any]) -> list[Record]:
    text = body(record.get("bridgyOriginalText")) or body(record.get("text")) or ""
    created = moment(record.get("createdAt"), repo.now)
    if created is None:
        reason = "post with an impossible date" if isinstance(record.get("createdAt"), str) else "post without date"
        return _reject(repo, uri, reason, record.get("createdAt"))
    if not text.strip():
        return _reject(repo, uri, "post without text")
    if len(text) > MAX_BODY:
        return _reject(repo, uri, "post too large")
    rejects: list[Record] = []
    root, parent = _reply(repo, uri, record, rejects)
    thread = root or uri
    tags = tuple(dict.fromkeys(tag for value in _list(record.get("tags")) if (tag := line(value, 60))))[:20]
    head = (
        stub(thread, repo.source, created, permalink(thread))
        if root
        else Thread(uri, repo.source, headline(text), created, permalink(uri), "", tags)
    )
    cooked = isinstance(record.get("bridgyOriginalText"), str)
    post = Post(
        id=uri,
        source=repo.source,
        thread=thread,
        number=None,
        author=f"at://{repo.did}",
        created=created,
        format="cooked" if cooked else "text",
        body=text,
        permalink=permalink(uri),
        edited=max(repo.changed, created) if repo.update else None,
        reply_to=parent,
    )
    return [_account(repo), head, post, *_edges(record, uri, parent, text), *rejects]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _reply(repo: Repo, uri: str, record: Mapping[str, Any], rejects: list[Record]) -> tuple[str | None, str | None]:
    """(root, parent), both or neither."""
    reply = record.get("reply")
    if reply is None:
        return None, None
    root, parent = (mapping(mapping(reply).get(name)).get("uri") for name in ("root", "parent"))
    if not (is_uri(root) and is_uri(parent)) or uri in (root, parent):
        rejects += _reject(repo, uri, "reply to nothing", reply)
        return None, None
    return str(root), str(parent)


def _edges(record: Mapping[str, Any], uri: str, parent: str | None, text: str) -> list[Record]:
    embed = mapping(record.get("embed"))
    inner = mapping(embed.get("record"))
    quoted = [str(value) for value in (inner.get("uri"), mapping(inner.get("record")).get("uri")) if is_uri(value)]
    external = [mapping(mapping(one).get("external")).get("uri") for one in (embed, embed.get("media"))]
    features = [feature for facet in mappings(record.get("facets")) for feature in mappings(facet.get("features"))]
    people = [f"at://{did}" for feature in features if isinstance(did := feature.get("did"), str) and DID.match(did)]
    links = [str(link) for link in (*(feature.get("uri") for feature in features), *external, *urls(text)) if _is_url(link)]
    origin = [str(url) for url in (record.get("bridgyOriginalUrl"),) if _is_url(url)]
    answered = [parent] if parent else []
    return [*edges(uri, ("reply", answered), ("quote", quoted), ("mention", people), ("link", links), ("bridged_from", origin))]


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) < 2_000 and value.isprintable()


# --- reactions, people --------------------------------------------------------------------------------------------


def _reaction(kind: str) -> Callable[[Repo, str, Mapping[str, Any]], list[Record]]:
    def read(repo: Repo, uri: str, record: Mapping[str, Any]) -> list[Record]:
        subject = mapping(record.get("subject")).get("uri")
        created = moment(record.get("createdAt"), repo.now)
        if not is_uri(subject):
            return _reject(repo, uri, "reaction to nothing", subject)
        if created is None:
            return _reject(repo, uri, "reaction with an impossible date", record.get("createdAt"))
        return [_account(repo), ReactionEvent(uri, str(subject), f"at://{repo.did}", kind, created)]

    return read


def _profile(repo: Repo, uri: str, record: Mapping[str, Any]) -> list[Record]:
    """The display name, and links that the person gives: one-way word."""
    if not uri.endswith("/self"):
        return []
    author = f"at://{repo.did}"
    text = " ".join(part for name in ("description", "website") if (part := body(record.get(name))))
    links = [IdentityLink(author, "at/profile", repo.changed, "url", url, "claimed", uri) for url in urls(text)[:20]]
    return [
        Account(author, repo.source, "", line(record.get("displayName"), 100) or "", repo.changed),
        *(links or [IdentityLink(author, "at/profile", repo.changed)]),
    ]


def handle_records(source: str, did: str, handle: object, told: str) -> list[Record]:
    """What a handle says of an account: it is the account's name, and a domain that it claims."""
    author, name = f"at://{did}", (line(handle, 260) or "").lower()
    if not _HANDLE.match(name) or name == "handle.invalid":
        return [Account(author, source, did), IdentityLink(author, "at/handle", told)]
    return [Account(author, source, name, None, told), IdentityLink(author, "at/handle", told, "domain", name, "claimed", author)]


def is_handle(value: str) -> bool:
    return bool(_HANDLE.match(value)) and len(value) <= 253


# --- events of Jetstream ------------------------------------------------------------------------------------------


def event_records(source: str, value: object, now: str) -> list[Record]:
    """Records of one event of a Jetstream."""
    event = mapping(value)
    did, kind, when = event.get("did"), event.get("kind"), unix_moment(event.get("time_us"), now, 1_000_000)
    if not isinstance(did, str) or not DID.match(did):
        return [Reject(source, "stream", "event without DID", f"{did!r:.100}")]
    if when is None:
        return [Reject(source, f"at://{did}", "event with an impossible date", f"{event.get('time_us')!r:.100}")]
    if kind == "commit":
        return _commit(source, did, mapping(event.get("commit")), when, now)
    if kind == "identity":
        return _identity(source, did, mapping(event.get("identity")), when, now)
    if kind == "account":
        return account_records(source, did, mapping(event.get("account")), when)
    return [Reject(source, f"at://{did}", "event of an unknown kind", f"{kind!r:.100}")]


def _commit(source: str, did: str, commit: Mapping[str, Any], when: str, now: str) -> list[Record]:
    collection, rkey, operation = commit.get("collection"), commit.get("rkey"), commit.get("operation")
    if collection not in COLLECTIONS:
        return [] if isinstance(collection, str) else [Reject(source, f"at://{did}", "commit without collection", f"{collection!r:.100}")]
    if not isinstance(rkey, str) or not _URI.match(uri_of(did, collection, rkey)):
        return [Reject(source, f"at://{did}/{collection}", "record with an impossible address", f"{rkey!r:.100}")]
    changed = tid_moment(commit.get("rev"), now) or when
    if operation == "delete":
        return deleted(source, did, collection, rkey, changed)
    if operation in ("create", "update"):
        return record_records(Repo(source, did, now, changed, operation == "update"), collection, rkey, commit.get("record"))
    return [Reject(source, uri_of(did, collection, rkey), "commit of an unknown operation", f"{operation!r:.100}")]


def deleted(source: str, did: str, collection: str, rkey: str, when: str) -> list[Record]:
    if collection == PROFILE:
        author = f"at://{did}"
        return [Account(author, source, "", "", when), IdentityLink(author, "at/profile", when)]
    # Without a bound: rkeys of posts are made from the clock and never come again, and authors' clocks run ahead.
    return [Deletion(uri_of(did, collection, rkey), f"at://{did}", "deleted by its author")]


def _identity(source: str, did: str, identity: Mapping[str, Any], when: str, now: str) -> list[Record]:
    """A handle that is told changes; one that is not told is no news of it."""
    told = moment(identity.get("time"), now) or when
    return handle_records(source, did, identity["handle"], told) if isinstance(identity.get("handle"), str) else []


def account_records(source: str, did: str, account: Mapping[str, Any], when: str) -> list[Record]:
    """An account that is deleted or taken down is forgotten; one that rests (deactivated, suspended) may come back."""
    state = GONE.get(str(account.get("status"))) if account.get("active") is False else None
    if state is None:
        return []
    until = (datetime.fromisoformat(when) + LEEWAY).strftime("%Y-%m-%dT%H:%M:%SZ")  # authors' clocks run ahead
    return [Vanish(f"at://{did}", until, f"account {account['status']}", state)]  # type: ignore[arg-type]


def rests(account: Mapping[str, Any]) -> bool:
    """Whether an account is away for now: neither active nor gone."""
    return account.get("active") is False and str(account.get("status")) not in GONE


_READERS: dict[str, Callable[[Repo, str, Mapping[str, Any]], list[Record]]] = {
    POST: _post,
    LIKE: _reaction("like"),
    REPOST: _reaction("repost"),
    PROFILE: _profile,
}
