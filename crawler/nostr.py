"""From Nostr events to records: pure, and it never fails, whatever a relay sends.

An event that is refused becomes a Reject with the reason. Ids: posts `nostr:{event id}`, articles and their like
`nostr:{kind}:{pubkey}:{d}` since their event id changes with each edit, authors `nostr:u/{pubkey}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from crawler.answers import Answer
from crawler.fields import line, mapping
from crawler.nip19 import decode, encode, encode_address
from crawler.nostr_event import Event, is_hex64, read_event
from crawler.social import edges, headline, source_host, stub, unix_moment, urls
from index.records import Account, Deletion, IdentityLink, Post, PostFormat, ReactionEvent, Reject, Thread, Vanish
from index.spool import Record

KINDS = (0, 1, 5, 6, 7, 11, 62, 1111, 10011, 30023)
GATEWAY = "https://njump.me"  # shows any event by its NIP-19 name, from whichever relay has it

_ENTITY = re.compile(r"(?:nostr:|@)((?:npub|note|nprofile|nevent|naddr)1[02-9ac-hj-np-z]{20,900})", re.I)
_ADDRESS = re.compile(r"(\d{1,5}):([0-9a-f]{64}):(.{0,500})\Z", re.S)
_NIP05 = re.compile(r"([a-z0-9._-]{1,64})@((?:[a-z0-9-]{1,63}\.)+[a-z]{2,63})\Z")
REACTIONS = {"+": "like", "": "like", "-": "dislike", "👍": "+1", "❤": "heart", "❤️": "heart", "♥️": "heart", "🧡": "heart", "💜": "heart"}
# NIP-48: protocol of a bridged original → what its id begins with here.
BRIDGES = {"activitypub": "ap:", "atproto": "", "rss": "", "web": ""}


@dataclass(frozen=True, slots=True)
class Relay:
    """What the mapping has to know of a relay."""

    source: str  # "nostr:relay.example.org"
    url: str  # "wss://relay.example.org"
    now: str  # when it was read


def source_id(url: str) -> str:
    return f"nostr:{source_host(url)}"


def author_id(pubkey: str) -> str:
    return f"nostr:u/{pubkey}"


def event_records(relay: Relay, value: object, where: str) -> list[Record]:
    """Records of one event as a relay sends it."""
    event = read_event(value)
    if isinstance(event, str):
        claimed = mapping(value).get("id")
        return [Reject(relay.source, f"{where} {claimed}" if is_hex64(claimed) else where, event)]
    return checked_records(relay, event)


def checked_records(relay: Relay, event: Event) -> list[Record]:
    """Records of an event whose id and signature hold."""
    created = unix_moment(event.created_at, relay.now)
    if created is None:
        return [_reject(relay, event, "event with an impossible date", str(event.created_at))]
    reader = _READERS.get(event.kind)
    if reader is None:
        return [_reject(relay, event, "event of a kind that was not asked for", str(event.kind))]
    return reader(relay, event, created)


def _reject(relay: Relay, event: Event, reason: str, detail: str = "") -> Reject:
    return Reject(relay.source, f"nostr:{event.id}", reason, detail[:200])


def _seen(relay: Relay, pubkey: str) -> Account:
    """An account of which only the key is known here."""
    return Account(author_id(pubkey), relay.source, encode("npub", bytes.fromhex(pubkey))[:16])


# --- posts --------------------------------------------------------------------------------------------------------


def _note(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 1. Its thread by NIP-10: marked tags, or in old events their order."""
    root, parent, quoted = _marked(event)
    return _message(relay, event, created, root, parent, quoted, "")


def _forum_post(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 11, NIP-7D: the first post of a thread, with a title."""
    return _message(relay, event, created, "", "", [], line(event.value("title") or event.value("subject"), 300) or "")


def _comment(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 1111, NIP-22: what it is about in capital tags, what it answers in small ones."""
    root = _first_ref(event, "A", "E") or _outside(event, "I")
    parent = _first_ref(event, "a", "e") or _outside(event, "i")
    if not root:
        return [_reject(relay, event, "comment without what it is about")]
    return _message(relay, event, created, root, parent or root, [], "")


def _article(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 30023: replaceable, so its id is its address and each event a version of it."""
    identifier = event.value("d")
    if identifier is None:
        return [_reject(relay, event, "article without identifier")]
    post = f"nostr:{event.kind}:{event.pubkey}:{identifier}"
    published = event.value("published_at") or ""
    first = unix_moment(int(published), relay.now) if published.isascii() and published.isdigit() and len(published) < 12 else None
    begun = min(first, created) if first else created
    title = line(event.value("title"), 300) or headline(event.content)
    permalink = f"{GATEWAY}/{encode_address(event.kind, event.pubkey, identifier)}"
    return _post(relay, event, begun, post, "", "", [], title, permalink, "raw", created)


def _message(relay: Relay, event: Event, created: str, root: str, parent: str, quoted: list[str], title: str) -> list[Record]:
    permalink = f"{GATEWAY}/{encode('note', bytes.fromhex(event.id))}"
    return _post(
        relay, event, created, f"nostr:{event.id}", root, parent, quoted, title or headline(event.content), permalink, "text", None
    )


def _post(
    relay: Relay,
    event: Event,
    created: str,
    post: str,
    root: str,
    parent: str,
    quoted: list[str],
    title: str,
    permalink: str,
    format: PostFormat,
    edited: str | None,
) -> list[Record]:
    """The post with its author, thread and edges. `root` "" = it begins a thread."""
    if not event.content.strip():
        return [_reject(relay, event, "post without text")]
    thread = root if root and root != post else post
    if thread == post:
        tags = tuple(dict.fromkeys(filter(None, (line(tag[1], 60) for tag in event.tagged("t")))))[:20]
        head = Thread(post, relay.source, title, created, permalink, "", tags)
    else:
        head = stub(thread, relay.source, created, _permalink(thread))
    body = Post(
        id=post,
        source=relay.source,
        thread=thread,
        number=None,
        author=author_id(event.pubkey),
        created=created,
        format=format,
        body=event.content,
        permalink=permalink,
        edited=edited,
        reply_to=parent or None if parent != post else None,
    )
    return [_seen(relay, event.pubkey), head, body, *_edges(event, post, parent, quoted)]


def _permalink(post: str) -> str:
    """Where an event or an addressable event can be read; what is neither, such as a web page, stands for itself."""
    name = post.removeprefix("nostr:")
    address = _ADDRESS.match(name)
    if address:
        return f"{GATEWAY}/{encode_address(int(address[1]), address[2], address[3])}"
    return f"{GATEWAY}/{encode('note', bytes.fromhex(name))}" if is_hex64(name) else post


def _edges(event: Event, post: str, parent: str, quoted: list[str]) -> list[Record]:
    named, posts = _entities(event.content)
    quotes = [ref for ref in (_ref(tag[1]) for tag in event.tagged("q")) if ref]
    people = named if parent else [*named, *(author_id(tag[1]) for tag in event.tagged("p") if is_hex64(tag[1]))]
    origins = [BRIDGES[tag[2]] + tag[1] for tag in event.tagged("proxy") if len(tag) > 2 and tag[2] in BRIDGES and tag[1]]
    return [
        *edges(
            post,
            ("reply", [parent]),
            ("quote", [*quotes, *quoted, *posts]),
            ("mention", people),
            ("link", urls(event.content)),
            ("bridged_from", origins),
        )
    ]


def _entities(text: str) -> tuple[list[str], list[str]]:
    """People and posts that a text names by NIP-19."""
    people: list[str] = []
    posts: list[str] = []
    for match in list(_ENTITY.finditer(text))[:200]:
        pointer = decode(match.group(1).lower())
        if pointer is None:
            continue
        if pointer.identifier is not None:
            posts.append(f"nostr:{pointer.kind}:{pointer.pubkey}:{pointer.identifier}")
        elif pointer.event:
            posts.append(f"nostr:{pointer.event}")
        else:
            people.append(author_id(pointer.pubkey))
    return people, posts


def _ref(value: str) -> str:
    """The id of the post that an `e`, `a` or `q` tag names; "" where it names none."""
    if is_hex64(value):
        return f"nostr:{value}"
    return f"nostr:{value}" if _ADDRESS.match(value) else ""


def _first_ref(event: Event, *names: str) -> str:
    refs = (_ref(tag[1]) for name in names for tag in event.tagged(name))
    return next((ref for ref in refs if ref), "")


def _outside(event: Event, name: str) -> str:
    """What a comment is about outside Nostr: a web address or another `i` value (NIP-73)."""
    return (line(event.value(name), 500) or "").partition("#")[0]


def _marked(event: Event) -> tuple[str, str, list[str]]:
    """(root, parent, quoted) of a note by NIP-10. Old events go by order: first the root, last the parent."""
    found: list[tuple[str, str]] = []
    for tag in event.tags:
        ref = _ref(tag[1]) if tag[0] in ("e", "a") and len(tag) > 1 else ""
        if ref:
            found.append((tag[3] if len(tag) > 3 else "", ref))
    root = next((ref for marker, ref in found if marker == "root"), "")
    parent = next((ref for marker, ref in found if marker == "reply"), "")
    quoted = [ref for marker, ref in found if marker == "mention"]
    if root or parent:
        return root or parent, parent or root, quoted
    plain = [ref for marker, ref in found if marker != "mention"]
    return (plain[0], plain[-1], quoted) if plain else ("", "", quoted)


# --- reactions, deletions -----------------------------------------------------------------------------------------


def _reaction(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 7, NIP-25: the last `e` is the target; an `a` beside it names the article whose version that is."""
    targets = [ref for ref in (_ref(tag[1]) for tag in event.tagged("e")) if ref]
    target = _first_ref(event, "a") or (targets[-1] if targets else "")
    if not target:
        return [_reject(relay, event, "reaction to nothing")]
    said = line(event.content, 40) or ""
    kind = REACTIONS.get(said, said or "like")
    return [_seen(relay, event.pubkey), ReactionEvent(f"nostr:{event.id}", target, author_id(event.pubkey), kind, created)]


def _repost(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 6. The event inside, if any, is not taken from here: it comes from its own author or not at all."""
    target = _first_ref(event, "e")
    if not target:
        return [_reject(relay, event, "reaction to nothing")]
    return [_seen(relay, event.pubkey), ReactionEvent(f"nostr:{event.id}", target, author_id(event.pubkey), "repost", created)]


def _deletion(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 5: binds what the same key signed; of an article, its versions up to then."""
    by, reason = author_id(event.pubkey), line(event.content, 200) or "deleted by its author"
    found: list[Record] = [Deletion(ref, by, reason) for tag in event.tagged("e") if (ref := _ref(tag[1]))]
    foreign = 0
    for tag in event.tagged("a"):
        address = _ADDRESS.match(tag[1])
        if address and address[2] == event.pubkey:
            found.append(Deletion(f"nostr:{tag[1]}", by, reason, until=created))
        else:
            foreign += 1
    if foreign:
        found.append(_reject(relay, event, "deletion of what another key signed", f"{foreign} of them"))
    return found or [_reject(relay, event, "deletion of nothing")]


def _vanish(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 62, NIP-62: all that this key signed up to now goes, here or everywhere."""
    relays = [tag[1] for tag in event.tagged("relay")]
    if "ALL_RELAYS" in relays or any(source_id(_lower(url)) == relay.source for url in relays):
        return [Vanish(author_id(event.pubkey), created, line(event.content, 200) or "asked to vanish (NIP-62)")]
    return [_reject(relay, event, "request to vanish from another relay", " ".join(relays))]


def _lower(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return ""
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


# --- people -------------------------------------------------------------------------------------------------------


def _profile(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 0: names are what the person says; the domain (NIP-05) and links count one way until they are looked up."""
    try:
        profile = mapping(json.loads(event.content))
    except (ValueError, RecursionError):
        return [_reject(relay, event, "profile is not JSON")]
    author, evidence = author_id(event.pubkey), f"nostr:{event.id}"
    shown = line(profile.get("display_name"), 100) or line(profile.get("displayName"), 100) or ""
    handle = line(profile.get("name"), 100) or line(profile.get("username"), 100) or shown or _seen(relay, event.pubkey).handle
    links = [IdentityLink(author, "nostr/profile", created)]
    nip05, website = line(profile.get("nip05"), 200), line(profile.get("website"), 300)
    if nip05 and "@" in nip05:
        links.append(IdentityLink(author, "nostr/profile", created, "domain", nip05.lower(), "claimed", evidence))
    if website and website.startswith(("http://", "https://")):
        links.append(IdentityLink(author, "nostr/profile", created, "url", website, "claimed", evidence))
    links += [
        IdentityLink(author, "nostr/profile", created, "account", BRIDGES[tag[2]] + tag[1], "claimed", evidence)
        for tag in event.tagged("proxy")
        if len(tag) > 2 and tag[2] in BRIDGES and tag[1]
    ]
    return [Account(author, relay.source, handle, shown, created), *links, *_external(event, author, "nostr/profile-i", created)]


def _identities(relay: Relay, event: Event, created: str) -> list[Record]:
    """Kind 10011, NIP-39: accounts elsewhere, each with where its proof stands."""
    return [_seen(relay, event.pubkey), *_external(event, author_id(event.pubkey), "nostr/nip39", created)]


def _external(event: Event, author: str, via: str, told: str) -> list[Record]:
    links = [IdentityLink(author, via, told)]
    for tag in event.tagged("i"):
        platform, _, identity = (line(tag[1], 200) or "").partition(":")
        if platform and identity:
            proof = line(tag[2], 300) if len(tag) > 2 else ""
            links.append(
                IdentityLink(author, via, told, "account", f"{platform.lower()}:{identity}", "claimed", proof or f"nostr:{event.id}")
            )
    return [*links]


def domain_question(author: str, address: str) -> tuple[str, Callable[[Answer], bool]] | None:
    """NIP-05: what to ask for `name@domain`, and whether the answer names this key. None where it is no such name."""
    match = _NIP05.match(address)
    if not match:
        return None
    return f"https://{match[2]}/.well-known/nostr.json?name={match[1]}", lambda answer: _named(answer, match[1]) == author


def _named(answer: Answer, name: str) -> str:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return author_id(str(mapping(mapping(told).get("names")).get(name)))


_READERS: dict[int, Callable[[Relay, Event, str], list[Record]]] = {
    0: _profile,
    1: _note,
    5: _deletion,
    6: _repost,
    7: _reaction,
    11: _forum_post,
    62: _vanish,
    1111: _comment,
    10011: _identities,
    30023: _article,
}
