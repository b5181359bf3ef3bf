"""From Nostr events to records: every kind that is read, and every way an event can be wrong."""

from __future__ import annotations

import json
import random
from typing import Any

from crawler.answers import Answer
from crawler.domains import look_up
from crawler.nip19 import decode, encode, encode_address
from crawler.nostr import Relay, domain_question, event_records
from crawler.nostr_event import read_event
from index.records import Account, Deletion, Edge, IdentityLink, Post, ReactionEvent, Reject, Thread, Vanish
from index.spool import Record
from tests.crawler.mutations import check_records, mutate
from tests.crawler.samples import SAMPLES, needs_samples
from tests.emulators.nostr import EPOCH, Event, Person

RELAY = Relay("nostr:relay.example.org", "wss://relay.example.org", "2026-07-01T00:00:00Z")
ANN, BOB = Person("ann"), Person("bob")
T = "2023-11-14T22:13:20Z"


def read(event: Any) -> list[Record]:
    return event_records(RELAY, event, "relay")


def only(kind: type, event: Event) -> Any:
    (found,) = [record for record in read(event) if isinstance(record, kind)]
    return found


def found_edges(event: Event) -> set[tuple[str, str]]:
    return {(edge.kind, edge.target) for edge in read(event) if isinstance(edge, Edge)}


def reasons(event: Any) -> list[str]:
    return [record.reason for record in read(event) if isinstance(record, Reject)]


def test_a_note_begins_a_thread() -> None:
    event = ANN.event(1, "How to plant\n\n1. dig", ["t", "garden"])
    post, thread = only(Post, event), only(Thread, event)
    assert (post.id, post.thread, post.author, post.created, post.format) == (
        f"nostr:{event['id']}",
        f"nostr:{event['id']}",
        ANN.id,
        T,
        "text",
    )
    assert (thread.title, thread.tags, post.reply_to) == ("How to plant", ("garden",), None)
    assert post.permalink == f"https://njump.me/{encode('note', bytes.fromhex(event['id']))}"
    assert only(Account, event) == Account(ANN.id, RELAY.source, encode("npub", bytes.fromhex(ANN.pubkey))[:16])


def test_replies_by_markers_and_by_order() -> None:
    root, mid = ANN.note("root"), BOB.note("mid", ANN.note("root"))
    marked = BOB.note("hi", mid, root)
    assert (only(Post, marked).thread, only(Post, marked).reply_to) == (f"nostr:{root['id']}", f"nostr:{mid['id']}")
    direct = BOB.note("hi", root)
    assert (only(Post, direct).thread, only(Post, direct).reply_to) == (f"nostr:{root['id']}",) * 2
    old = BOB.event(1, "hi", ["e", root["id"]], ["e", "f" * 64], ["e", mid["id"]])
    assert (only(Post, old).thread, only(Post, old).reply_to) == (f"nostr:{root['id']}", f"nostr:{mid['id']}")
    quoting = BOB.event(1, "see", ["e", root["id"], "", "mention"])
    assert only(Post, quoting).reply_to is None and ("quote", f"nostr:{root['id']}") in found_edges(quoting)
    assert only(Thread, marked).title == ""


def test_comments_on_articles_and_web_pages() -> None:
    address = f"30023:{ANN.pubkey}:guide"
    event = BOB.event(1111, "nice", ["A", address], ["K", "30023"], ["a", address], ["e", "a" * 64], ["k", "30023"])
    assert (only(Post, event).thread, only(Post, event).reply_to) == (f"nostr:{address}",) * 2
    assert only(Thread, event).permalink == f"https://njump.me/{encode_address(30023, ANN.pubkey, 'guide')}"
    page = BOB.event(1111, "nice", ["I", "https://example.org/a#x"], ["i", "https://example.org/a#x"])
    assert only(Post, page).thread == "https://example.org/a"
    assert reasons(BOB.event(1111, "nice")) == ["comment without what it is about"]


def test_an_article_is_named_by_its_address() -> None:
    event = ANN.article("guide", "text", at=EPOCH + 60)
    post = only(Post, event)
    assert (post.id, post.created, post.edited, post.format) == (f"nostr:30023:{ANN.pubkey}:guide", T, "2023-11-14T22:14:20Z", "raw")
    assert only(Thread, event).title == "An article"
    assert reasons(ANN.event(30023, "text")) == ["article without identifier"]


def test_reactions_reposts_and_forum_posts() -> None:
    note = ANN.note("x")
    assert only(ReactionEvent, BOB.like(note)) == ReactionEvent(f"nostr:{BOB.like(note)['id']}", f"nostr:{note['id']}", BOB.id, "like", T)
    kinds = {content: only(ReactionEvent, BOB.like(note, content)).kind for content in ("", "-", "🤙", "👍", "❤️")}
    assert kinds == {"": "like", "-": "dislike", "🤙": "🤙", "👍": "+1", "❤️": "heart"}
    assert only(ReactionEvent, BOB.event(6, json.dumps(note), ["e", note["id"]])).kind == "repost"
    article = f"30023:{ANN.pubkey}:g"
    assert only(ReactionEvent, BOB.event(7, "+", ["e", "a" * 64], ["a", article])).post == f"nostr:{article}"
    assert reasons(BOB.event(7, "+")) == ["reaction to nothing"]
    assert only(Thread, ANN.event(11, "body", ["title", "Shall we?"])).title == "Shall we?"


def test_deletions_bind_one_key_only() -> None:
    event = ANN.event(5, "oops", ["e", "a" * 64], ["a", f"30023:{ANN.pubkey}:g"], ["a", f"30023:{BOB.pubkey}:g"])
    assert [record for record in read(event) if isinstance(record, Deletion)] == [
        Deletion(f"nostr:{'a' * 64}", ANN.id, "oops"),
        Deletion(f"nostr:30023:{ANN.pubkey}:g", ANN.id, "oops", until=T),
    ]
    assert reasons(event) == ["deletion of what another key signed"] and reasons(ANN.event(5)) == ["deletion of nothing"]


def test_vanishing_here_or_everywhere() -> None:
    for url in ("ALL_RELAYS", "wss://relay.example.org", "wss://RELAY.example.org/"):
        assert only(Vanish, ANN.event(62, "", ["relay", url])) == Vanish(ANN.id, T, "asked to vanish (NIP-62)")
    assert reasons(ANN.event(62, "", ["relay", "wss://other.example"])) == ["request to vanish from another relay"]


def test_mentions_quotes_links_and_bridges() -> None:
    npub, note = encode("npub", bytes.fromhex(BOB.pubkey)), encode("note", b"\1" * 32)
    naddr = encode_address(30023, BOB.pubkey, "g")
    event = ANN.event(
        1,
        f"hi nostr:{npub}, see nostr:{note} and nostr:{naddr} at https://example.org/a.",
        ["q", "b" * 64],
        ["proxy", "https://fed.example/1", "activitypub"],
        ["proxy", "at://did:plc:x/app.bsky.feed.post/1", "atproto"],
    )
    assert found_edges(event) == {
        ("mention", BOB.id), ("quote", f"nostr:{'01' * 32}"), ("quote", f"nostr:30023:{BOB.pubkey}:g"), ("quote", f"nostr:{'b' * 64}"),
        ("link", "https://example.org/a"), ("bridged_from", "ap:https://fed.example/1"), ("bridged_from", "at://did:plc:x/app.bsky.feed.post/1"),
    }  # fmt: skip


def test_profiles_and_identities() -> None:
    profile = {"name": "ann", "display_name": "Ann", "nip05": "Ann@Example.org", "website": "https://a.example"}
    event = ANN.event(0, json.dumps(profile), ["proxy", "https://fed.example/@ann", "activitypub"], ["i", "github:ann", "gist"])
    assert only(Account, event) == Account(ANN.id, RELAY.source, "ann", "Ann", T)
    links = {(record.kind, record.target, record.strength) for record in read(event) if isinstance(record, IdentityLink) and record.kind}
    assert links == {
        ("domain", "ann@example.org", "claimed"), ("url", "https://a.example", "claimed"),
        ("account", "ap:https://fed.example/@ann", "claimed"), ("account", "github:ann", "claimed"),
    }  # fmt: skip
    assert reasons(ANN.event(0, "{")) == ["profile is not JSON"] and reasons(ANN.event(0, "[" * 5_000)) == ["profile is not JSON"]


def test_domains_are_looked_up_a_few_at_a_time() -> None:
    import asyncio
    from types import SimpleNamespace

    asked: list[str] = []
    emitted: list[tuple[list[Record], dict[str, str]]] = []

    async def ask(url: str, **_: Any) -> Answer:
        asked.append(url)
        return Answer(url, 200, {}, json.dumps({"names": {"ann": ANN.pubkey}}).encode())

    job: Any = SimpleNamespace(cursor={})
    names = {ANN.id: ("ann@example.org", "e"), BOB.id: ("ann@example.org", "e"), "nostr:u/x": ("x@y/../z", "e")}
    asyncio.run(
        look_up(job, ask, lambda records, cursor: emitted.append((list(records), dict(cursor))), names, "nostr/nip05", domain_question)
    )  # type: ignore[arg-type]
    assert asked == ["https://example.org/.well-known/nostr.json?name=ann"] * 2
    found = {link.author: link.kind for records, _ in emitted for link in records if isinstance(link, IdentityLink)}
    assert found == {ANN.id: "domain", BOB.id: "", "nostr:u/x": ""}
    assert set(json.loads(emitted[-1][1]["domains"])) == set(names)


def test_forged_and_broken_events_are_refused() -> None:
    good = ANN.note("words")
    assert reasons({**good, "content": "other words"}) == ["event id is not the hash of the event"]
    assert reasons({**good, "sig": BOB.note("words")["sig"]}) == ["forged signature"]
    assert reasons({**good, "sig": "0" * 128}) == ["forged signature"]
    assert reasons({**good, "created_at": "1"}) == ["event without date"] and reasons([]) == ["event is not an object"]
    assert reasons({**good, "tags": [["e", 1]]}) == ["event with a broken tag"] and reasons(ANN.note(" ")) == ["post without text"]
    assert reasons(ANN.note("x", at=4_000_000_000)) == reasons(ANN.note("x", at=5)) == ["event with an impossible date"]
    assert reasons(ANN.event(9999, "x")) == ["event of a kind that was not asked for"]
    stolen = {**BOB.note("words"), "pubkey": ANN.pubkey}
    assert reasons(stolen) == ["event id is not the hash of the event"]


def test_names_of_nip_19() -> None:
    """Pairs from the NIP's own text."""
    npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"
    hexed = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert encode("npub", bytes.fromhex(hexed)) == npub and decode(npub).pubkey == hexed  # type: ignore[union-attr]
    nprofile = "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p"
    assert decode(nprofile).pubkey == hexed  # type: ignore[union-attr]
    assert decode(npub[:-1] + "7") is None and decode("npub1") is None and decode("nsec1" + "q" * 58) is None


def test_names_agree_with_nostr_sdk() -> None:
    from nostr_sdk import Coordinate, Kind, Nip19Coordinate, PublicKey

    assert PublicKey.parse(ANN.pubkey).to_bech32() == encode("npub", bytes.fromhex(ANN.pubkey))
    theirs = Nip19Coordinate(coordinate=Coordinate(Kind(30023), PublicKey.parse(ANN.pubkey), "a b"), relays=[]).to_bech32()
    pointer = decode(theirs)
    assert pointer is not None and (pointer.kind, pointer.pubkey, pointer.identifier) == (30023, ANN.pubkey, "a b")
    assert decode(encode_address(30023, ANN.pubkey, "a b")) == pointer


def test_events_signed_by_nostr_sdk_hold() -> None:
    from nostr_sdk import EventBuilder, Keys, Kind

    event = EventBuilder(Kind(1), 'quotes " and \\ and \n tabs \t é 😀 \x07').finalize(Keys.generate())
    assert not isinstance(read_event(json.loads(event.as_json())), str)


@needs_samples
def test_real_samples_are_read_whole() -> None:
    events = [json.loads(row) for row in (SAMPLES / "nostr_ditto_hydrated.jsonl").read_text(encoding="utf-8").splitlines()]
    records = [record for event in events for record in read(event)]
    check_records(records)
    posts = {record.id for record in records if isinstance(record, Post)}
    told = {record.id for record in records if isinstance(record, Account) and record.told}
    assert len(posts) == sum(event["kind"] == 1 for event in events) and len(told) == sum(event["kind"] == 0 for event in events)
    assert sum(isinstance(record, ReactionEvent) for record in records) == sum(event["kind"] == 6 for event in events)
    assert not any(isinstance(record, Reject) for record in records)


def seeds() -> list[Event]:
    note = ANN.note("How to plant\n1. dig\n2. water")
    return [
        note, BOB.note("yes", note), BOB.like(note), ANN.delete(note), ANN.article("g", "# t\ntext"), ANN.event(62, "", ["relay", "ALL_RELAYS"]),
        ANN.event(0, '{"name": "ann", "nip05": "a@b.example"}', ["i", "github:ann", "x"]), BOB.event(1111, "c", ["E", note["id"]], ["e", note["id"]]),
        BOB.event(10011, "", ["i", "github:bob", "p"]), BOB.event(6, "", ["e", note["id"]]), ANN.event(11, "b", ["title", "t"]),
    ]  # fmt: skip


def fuzz(count: int, seed: int = 0) -> tuple[int, int]:
    """(payloads, refused): no crash, and no record but a Reject from an event whose signed part was touched."""
    chance, originals = random.Random(seed), seeds()
    refused = 0
    for _ in range(count):
        original = chance.choice(originals)
        broken = mutate(original, chance)
        records = read(broken)
        check_records(records)
        same = isinstance(broken, dict) and all(_same(broken.get(key), original[key]) for key in original)
        if not same:
            assert records and all(isinstance(record, Reject) for record in records), broken
            refused += 1
    return count, refused


def _same(one: object, two: object) -> bool:
    return type(one) is type(two) and one == two


def test_mutated_events_never_become_posts() -> None:
    count, refused = fuzz(2_000)
    assert refused > count * 0.9
