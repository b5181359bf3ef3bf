"""From Farcaster's messages and events, as a Snapchain node's HTTP API gives them, to records: pure, never failing.

Ids: casts `farcaster:{fid}/{hash}`, authors `farcaster:{fid}`. A fid is an account for good; names are rented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crawler.farcaster_signed import fault, hash_of
from crawler.fields import EARLIEST, LEEWAY, body, line, mapping, mappings, whole
from crawler.social import MAX_BODY, edges, headline, stub, unix_moment, urls
from index.records import Account, Deletion, IdentityLink, Post, ReactionEvent, Reject, Thread
from index.spool import Record

EPOCH = datetime(2021, 1, 1, tzinfo=UTC)  # Farcaster counts seconds from here
APP = "https://farcaster.xyz"
MAX_FID = 2**40

_HASH = re.compile(r"0x[0-9a-f]{40}\Z")
_ETH = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_SOL = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(?:\.eth|\.base\.eth)?\Z")
REACTIONS = {"REACTION_TYPE_LIKE": "like", "REACTION_TYPE_RECAST": "repost"}
# What a node drops for want of room or because an app's key was withdrawn: nobody's word that it be forgotten.
NO_DELETIONS = ("HUB_EVENT_TYPE_PRUNE_MESSAGE", "HUB_EVENT_TYPE_REVOKE_MESSAGE")
USER_DATA = {
    "USER_DATA_TYPE_DISPLAY": "name",
    "USER_DATA_TYPE_USERNAME": "handle",
    "USER_DATA_TYPE_URL": "url",
    "USER_DATA_TYPE_BIO": "bio",
}


@dataclass(frozen=True, slots=True)
class Node:
    """What the mapping has to know."""

    source: str
    now: str


def author_id(fid: int) -> str:
    return f"farcaster:{fid}"


def cast_id(fid: int, hash: str) -> str:
    return f"farcaster:{fid}/{hash}"


def moment(value: object, now: str) -> str | None:
    """Seconds since 2021 as the records write it; None for what is none, or after `now`."""
    seconds = whole(value, 0)
    if seconds is None or seconds > 2**33:
        return None
    when = EPOCH + timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if EARLIEST <= when <= datetime.fromisoformat(now) + LEEWAY else None


def permalink(post: str) -> str:
    """Farcaster's client finds a cast by its hash, whoever wrote it; a channel or page is its own address."""
    return f"{APP}/~/conversations/{post.partition('/')[2]}" if post.startswith("farcaster:") else post


def message_records(node: Node, value: object) -> list[Record]:
    """Records of one message, if its author signed it."""
    message = mapping(value)
    data = mapping(message.get("data"))
    kind, fid, hash = data.get("type"), whole(data.get("fid"), 1, MAX_FID), message.get("hash")
    where = f"farcaster:{data.get('fid')!s:.20}/{hash!s:.50}"
    if fid is None or not isinstance(hash, str) or not _HASH.match(hash):
        return [Reject(node.source, where, "message without fid or hash")]
    when = moment(data.get("timestamp"), node.now)
    if when is None:
        return [Reject(node.source, where, "message with an impossible date", f"{data.get('timestamp')!r:.100}")]
    reader = _READERS.get(str(kind))
    if reader is None:
        return []
    reason = fault(message)
    return [Reject(node.source, where, reason)] if reason else reader(node, data, fid, hash, when)


# --- casts --------------------------------------------------------------------------------------------------------


def _cast(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    add = mapping(data.get("castAddBody"))
    post = cast_id(fid, hash)
    people = [
        (whole(value, 1, MAX_FID), whole(at, 0, MAX_BODY))
        for value, at in zip(_list(add.get("mentions")), _list(add.get("mentionsPositions")), strict=False)
    ]
    text = with_mentions(body(add.get("text")) or "", people)
    embeds = [mapping(embed) for embed in _list(add.get("embeds"))]
    linked = [str(url) for embed in embeds if _is_url(url := embed.get("url"))]
    quoted = [ref for embed in embeds if (ref := cast_ref(embed.get("castId")))]
    text = text if text.strip() else "\n".join(linked)
    if not text.strip():
        return [Reject(node.source, post, "post without text")]
    if len(text) > MAX_BODY:
        return [Reject(node.source, post, "post too large")]
    rejects: list[Record] = []
    parent = _parent(node, add, post, rejects)
    channel = str(add["parentUrl"]) if parent is None and _is_url(add.get("parentUrl")) else ""
    # What is answered is all that a cast says of its thread; the store finds the rest once it knows the parent.
    head = (
        stub(parent, node.source, when, permalink(parent))
        if parent
        else Thread(post, node.source, headline(text), when, permalink(post), channel)
    )
    made = Post(
        id=post,
        source=node.source,
        thread=parent or post,
        number=None,
        author=author_id(fid),
        created=when,
        format="text",
        body=text,
        permalink=permalink(post),
        reply_to=parent,
    )
    named = [author_id(person) for person, _ in people if person]
    found = edges(post, ("reply", [parent] if parent else []), ("quote", quoted), ("mention", named), ("link", [*linked, *urls(text)]))
    return [_seen(node, fid), head, made, *found, *rejects]


def _list(value: object) -> list[Any]:
    return value[:100] if isinstance(value, list) else []


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) < 2_000 and value.isprintable()


def _parent(node: Node, add: Mapping[str, Any], post: str, rejects: list[Record]) -> str | None:
    if add.get("parentCastId") is None:
        return None
    parent = cast_ref(add.get("parentCastId"))
    if parent is None or parent == post:
        rejects.append(Reject(node.source, post, "reply to nothing", f"{add.get('parentCastId')!r:.100}"))
        return None
    return parent


def cast_ref(value: object) -> str | None:
    """The id of the cast that {"fid", "hash"} names."""
    fid, hash = whole(mapping(value).get("fid"), 1, MAX_FID), mapping(value).get("hash")
    return cast_id(fid, hash) if fid is not None and isinstance(hash, str) and _HASH.match(hash) else None


def with_mentions(text: str, people: list[tuple[int | None, int | None]]) -> str:
    """A cast's text has gaps where people are named, at offsets in UTF-8. They are filled with their fids: names change."""
    raw = text.encode("utf-8")
    places = [(at, f"@{fid}") for fid, at in people if fid is not None and at is not None and at <= len(raw)]
    for at, name in sorted(places, reverse=True):
        raw = raw[:at] + name.encode() + raw[at:]
    return raw.decode("utf-8", "replace")


def _seen(node: Node, fid: int) -> Account:
    return Account(author_id(fid), node.source, str(fid))


def _removed_cast(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    target = hash_of(mapping(data.get("castRemoveBody")).get("targetHash"))
    if not target:
        return [Reject(node.source, cast_id(fid, hash), "deletion of nothing")]
    return [Deletion(cast_id(fid, target), author_id(fid), "deleted by its author")]


# --- reactions ----------------------------------------------------------------------------------------------------


def _reaction_of(data: Mapping[str, Any], fid: int) -> tuple[str, str, str] | None:
    """(id, target, kind). An account has one reaction of a kind to a cast, so that is what names it."""
    told = mapping(data.get("reactionBody"))
    kind = REACTIONS.get(str(told.get("type")))
    target = cast_ref(told.get("targetCastId")) or (str(told["targetUrl"]) if _is_url(told.get("targetUrl")) else None)
    return (f"farcaster:{fid}/{kind}/{target}", target, kind) if kind and target else None


def _reaction(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    found = _reaction_of(data, fid)
    if found is None:
        return [Reject(node.source, cast_id(fid, hash), "reaction to nothing")]
    return [_seen(node, fid), ReactionEvent(found[0], found[1], author_id(fid), found[2], when)]


def _removed_reaction(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    """Bounded in time: who takes a like back may like again."""
    found = _reaction_of(data, fid)
    if found is None:
        return [Reject(node.source, cast_id(fid, hash), "deletion of nothing")]
    return [Deletion(found[0], author_id(fid), "taken back", until=when)]


# --- people -------------------------------------------------------------------------------------------------------


def _user_data(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    told = mapping(data.get("userDataBody"))
    what, value, author = USER_DATA.get(str(told.get("type"))), line(told.get("value"), 300) or "", author_id(fid)
    if what == "name":
        return [_seen(node, fid), Account(author, node.source, "", value, when)]
    if what == "handle":
        return [_seen(node, fid), Account(author, node.source, value, None, when)] if _NAME.match(value) else [_seen(node, fid)]
    if what in ("url", "bio"):
        links = [IdentityLink(author, f"farcaster/{what}", when, "url", url, "claimed", cast_id(fid, hash)) for url in urls(value)[:20]]
        return [_seen(node, fid), *(links or [IdentityLink(author, f"farcaster/{what}", when)])]
    return []


def address_of(told: Mapping[str, Any]) -> str | None:
    """An address as CAIP-10: "eip155:1:0x…" in lower case, or "solana:…"."""
    address, protocol = told.get("address"), told.get("protocol", "PROTOCOL_ETHEREUM")
    if not isinstance(address, str):
        return None
    if protocol == "PROTOCOL_ETHEREUM" and _ETH.match(address):
        return f"eip155:1:{address.lower()}"
    return f"solana:{address}" if protocol == "PROTOCOL_SOLANA" and _SOL.match(address) else None


def _verification(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    """The account's key and the address's own key both signed: the node has checked both, or it would not have it.

    Each address is a way of its own, so that one which is taken back leaves the others.
    """
    address = address_of(mapping(data.get("verificationAddAddressBody")))
    if address is None:
        return [Reject(node.source, cast_id(fid, hash), "verification of no address")]
    link = IdentityLink(author_id(fid), f"farcaster/{address}", when, "address", address, "mutual", cast_id(fid, hash))
    return [_seen(node, fid), link]


def _removed_verification(node: Node, data: Mapping[str, Any], fid: int, hash: str, when: str) -> list[Record]:
    told = mapping(data.get("verificationRemoveBody"))
    addresses = {address_of({**told, "protocol": protocol}) for protocol in ("PROTOCOL_ETHEREUM", "PROTOCOL_SOLANA")} - {None}
    if not addresses:
        return [Reject(node.source, cast_id(fid, hash), "verification of no address")]
    return [IdentityLink(author_id(fid), f"farcaster/{address}", when) for address in sorted(str(address) for address in addresses)]


def name_records(node: Node, value: object) -> list[Record]:
    """A name's proof: the registry, or the owner of an ENS name, says whose it is."""
    proof = mapping(value)
    fid, name = whole(proof.get("fid"), 1, MAX_FID), line(proof.get("name"), 100) or ""
    when = unix_moment(whole(proof.get("timestamp"), 0), node.now)
    if fid is None or when is None or not _NAME.match(name):
        return [Reject(node.source, f"farcaster:{proof.get('fid')!s:.20}", "name proof that is none", f"{proof.get('name')!r:.100}")]
    return [_seen(node, fid), IdentityLink(author_id(fid), f"farcaster/name/{name}", when, "domain", name, "mutual", f"{APP}/{name}")]


# --- events -------------------------------------------------------------------------------------------------------


def event_records(node: Node, value: object) -> list[Record]:
    """Records of one event: a message that was merged. What nodes prune or revoke is not gone by anybody's word."""
    event = mapping(value)
    kind = event.get("type")
    if whole(event.get("id"), 0, 2**63) is None:
        return [Reject(node.source, "event", "event without id", f"{event.get('id')!r:.100}")]
    if kind == "HUB_EVENT_TYPE_MERGE_MESSAGE":
        return message_records(node, mapping(event.get("mergeMessageBody")).get("message"))
    if kind == "HUB_EVENT_TYPE_MERGE_USERNAME_PROOF":
        proof = mapping(event.get("mergeUsernameProofBody")).get("usernameProof")
        return name_records(node, proof) if proof else []
    return []


_READERS: dict[str, Callable[[Node, Mapping[str, Any], int, str, str], list[Record]]] = {
    "MESSAGE_TYPE_CAST_ADD": _cast,
    "MESSAGE_TYPE_CAST_REMOVE": _removed_cast,
    "MESSAGE_TYPE_REACTION_ADD": _reaction,
    "MESSAGE_TYPE_REACTION_REMOVE": _removed_reaction,
    "MESSAGE_TYPE_USER_DATA_ADD": _user_data,
    "MESSAGE_TYPE_VERIFICATION_ADD_ETH_ADDRESS": _verification,
    "MESSAGE_TYPE_VERIFICATION_REMOVE": _removed_verification,
}


# --- hydrated casts -----------------------------------------------------------------------------------------------


def hydrated_records(node: Node, value: object, iso: Callable[[object, str], str | None]) -> list[Record]:
    """Records of one cast as Neynar-like APIs give it, with its author and reactions inside."""
    cast = mapping(value)
    author = mapping(cast.get("author"))
    fid, hash = whole(author.get("fid"), 1, MAX_FID), cast.get("hash", cast.get("id"))
    if fid is None or not isinstance(hash, str) or not _HASH.match(hash):
        return [Reject(node.source, f"farcaster:{author.get('fid')!s:.20}/{hash!s:.50}", "message without fid or hash")]
    when = iso(cast.get("timestamp"), node.now)
    if when is None:
        return [Reject(node.source, cast_id(fid, hash), "message with an impossible date", f"{cast.get('timestamp')!r:.100}")]
    embeds = [
        {"url": embed.get("url")} | ({"castId": embed["cast_id"]} if "cast_id" in embed else {}) for embed in mappings(cast.get("embeds"))
    ]
    parent = {"fid": mapping(cast.get("parent_author")).get("fid"), "hash": cast.get("parent_hash")} if cast.get("parent_hash") else None
    add = {"text": cast.get("text"), "embeds": embeds, "parentCastId": parent, "parentUrl": cast.get("parent_url")}
    records = _cast(node, {"castAddBody": add}, fid, hash, when)
    name, shown = line(author.get("username"), 100) or "", line(author.get("display_name"), 100) or ""
    records.append(Account(author_id(fid), node.source, name if _NAME.match(name) else "", shown, when))
    verified = mapping(author.get("verified_addresses"))
    for protocol, values in (("PROTOCOL_ETHEREUM", verified.get("eth_addresses")), ("PROTOCOL_SOLANA", verified.get("sol_addresses"))):
        for address in filter(None, (address_of({"address": one, "protocol": protocol}) for one in _list(values))):
            records.append(IdentityLink(author_id(fid), f"farcaster/{address}", when, "address", address, "checked", cast_id(fid, hash)))
    for kind, label in (("likes", "like"), ("recasts", "repost")):
        for one in mappings(mapping(cast.get("reactions")).get(kind)):
            actor = whole(one.get("fid"), 1, MAX_FID)
            if actor is not None:
                target = cast_id(fid, hash)
                records.append(ReactionEvent(f"farcaster:{actor}/{label}/{target}", target, author_id(actor), label, when))
    return records
