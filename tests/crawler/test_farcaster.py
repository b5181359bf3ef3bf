"""Farcaster: messages become records, a node's stores and events are read whole, and pruning is no deletion."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crawler import farcaster_sweep
from crawler.farcaster import Node, event_records, hydrated_records, message_records, name_records, with_mentions
from crawler.farcaster_signed import digest, encoded, fault, hash_of
from crawler.fields import mapping, moment
from crawler.probe import Probe
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Account, Deletion, Edge, IdentityLink, Post, ReactionEvent, Reject, Thread
from index.spool import Batch, Record, load_batch
from index.store import Store
from index.tables_people import identity_links
from tests.crawler.mutations import check_records, mutate
from tests.crawler.samples import SAMPLES, needs_samples
from tests.crawler.streams import Visits
from tests.emulators.farcaster import EPOCH, FarcasterNode, Message, sign
from tests.emulators.loopback import Loopback

NODE = Node("farcaster:node.example.org", "2027-01-01T00:00:00Z")
ETH = "0x" + "ab" * 20
CHANNEL = "https://example.org/channel"


def only(kind: type, records: list[Record]) -> Any:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


def signed_anew(message: Message) -> Message:
    """The message with whatever it says now signed by its author; as it is where that cannot be written down."""
    try:
        return {**message, **sign(message["data"])}
    except (KeyError, TypeError, ValueError):
        return message


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Reject)]


# --- the mapping


def test_casts_and_what_they_point_at() -> None:
    node = FarcasterNode()
    node.clock = 100_000_000
    root = node.cast(7, "How to plant\n1. dig", url=CHANNEL)
    records = message_records(NODE, root)
    post, thread = only(Post, records), only(Thread, records)
    assert (post.id, post.author, post.created) == (f"farcaster:7/{root['hash']}", "farcaster:7", "2024-03-03T09:46:47Z")
    assert (thread.title, thread.category, post.thread) == ("How to plant", CHANNEL, post.id)
    embeds = [{"castId": {"fid": 9, "hash": "0x" + "1" * 40}}, {"url": "https://example.org/a"}]
    reply = node.cast(8, "hi  and é  !", root, embeds=embeds, mentions=[3, 5], mentionsPositions=[3, 11])
    records = message_records(NODE, reply)
    assert only(Post, records).body == "hi @3 and é @5 !" and only(Post, records).reply_to == post.id
    assert {(edge.kind, edge.target) for edge in records if isinstance(edge, Edge)} == {
        ("reply", post.id), ("quote", "farcaster:9/0x" + "1" * 40), ("mention", "farcaster:3"), ("mention", "farcaster:5"), ("link", "https://example.org/a"),
    }  # fmt: skip
    assert only(Post, message_records(NODE, node.cast(8, "", embeds=[{"url": "https://example.org/a"}]))).body == "https://example.org/a"
    assert with_mentions("é", [(1, 99), (2, 2), (None, 0)]) == "é@2"


def test_reactions_deletions_people() -> None:
    node = FarcasterNode()
    root = node.cast(7, "x")
    like = node.react(8, root)
    event = only(ReactionEvent, message_records(NODE, like))
    assert (event.id, event.post, event.actor, event.kind) == (
        f"farcaster:8/like/farcaster:7/{root['hash']}",
        f"farcaster:7/{root['hash']}",
        "farcaster:8",
        "like",
    )
    node.unreact(like)
    gone = only(Deletion, message_records(NODE, list(node.messages.values())[-1]))
    assert gone.target == event.id and gone.until > event.created
    node.remove(root)
    assert only(Deletion, message_records(NODE, list(node.messages.values())[-1])).target == f"farcaster:7/{root['hash']}"
    node.say(7, "USERNAME", "ann.eth")
    told = [record for record in message_records(NODE, list(node.messages.values())[-1]) if isinstance(record, Account) and record.told]
    assert [(account.handle, account.name) for account in told] == [("ann.eth", None)]
    link = only(IdentityLink, message_records(NODE, node.verify(7, ETH.upper().replace("0X", "0x"))))
    assert (link.kind, link.target, link.strength) == ("address", f"eip155:1:{ETH}", "mutual")
    proof = {"timestamp": 1_700_000_000, "name": "ann", "fid": 7}
    assert only(IdentityLink, name_records(NODE, proof)).target == "ann"


def test_what_nodes_drop_is_nobodys_deletion() -> None:
    node = FarcasterNode()
    node.prune(node.cast(7, "x"))
    events = [event for shard in node.events.values() for event in shard]
    assert event_records(NODE, events[-1]) == [] and event_records(NODE, {**events[-1], "type": "HUB_EVENT_TYPE_REVOKE_MESSAGE"}) == []
    assert reasons(event_records(NODE, {})) == ["event without id"]


def test_what_cannot_be_used_says_why() -> None:
    good = FarcasterNode().cast(7, "x")

    def bad(**data: Any) -> list[str]:
        return reasons(message_records(NODE, signed_anew({**good, "data": {**good["data"], **data}})))

    assert bad(fid=0) == bad(fid="7") == reasons(message_records(NODE, [])) == ["message without fid or hash"]
    assert bad(timestamp=-1) == bad(timestamp=2**40) == bad(timestamp=2**32) == ["message with an impossible date"]
    assert bad(castAddBody={"text": " "}) == ["post without text"] and bad(
        castAddBody={"text": "x", "parentCastId": {"fid": 0, "hash": "0x" + "1" * 40}}
    ) == ["reply to nothing"]
    assert bad(type="MESSAGE_TYPE_LINK_ADD") == []


# --- signatures


def official() -> list[Message]:
    """Messages of every type that is read, made by Farcaster's own library (@farcaster/core 0.20.0), as a node's HTTP API writes them."""
    return [json.loads(line) for line in (Path(__file__).parent / "farcaster_signed.jsonl").read_text(encoding="utf-8").splitlines()]


def test_messages_that_others_signed_are_taken() -> None:
    messages = official()
    assert len(messages) == 15 and len({message["data"]["type"] for message in messages}) == 7
    for message in messages:
        assert fault(message) == "" and not reasons(message_records(NODE, message)) and message_records(NODE, message), message
    assert only(Deletion, message_records(NODE, messages[4])).target == "farcaster:7/0x" + "ab" * 20
    assert hash_of("q6urq6urq6urq6urq6urq6urq6s=") == "0x" + "ab" * 20 == hash_of("0x" + "ab" * 20)
    assert hash_of("") == hash_of(None) == hash_of("q6s=") == hash_of("?") == ""


def test_other_orders_of_fields_are_the_same_message() -> None:
    """Clients in Rust, Go, C++ and Python write empty lists not at all, and the parent in another place."""
    cast = official()[2]
    cast["data"]["castAddBody"]["type"] = "LONG_CAST"
    spelled = list(dict.fromkeys(encoded(cast["data"])))
    assert len(spelled) == 6
    for data in spelled:
        key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
        signature = base64.b64encode(key.sign(digest(data))).decode()
        signer = "0x" + key.public_key().public_bytes_raw().hex()
        assert fault({**cast, "hash": "0x" + digest(data).hex(), "signature": signature, "signer": signer}) == ""


def test_altered_and_forged_messages_are_refused() -> None:
    cast = official()[1]

    def told(**changes: Any) -> list[str]:
        return reasons(message_records(NODE, {**cast, **changes}))

    altered = "message that is not what was signed"
    for name, value in (("text", "Other words."), ("mentions", [3, 4]), ("parentCastId", None), ("embeds", []), ("type", "LONG_CAST")):
        assert told(data={**cast["data"], "castAddBody": {**cast["data"]["castAddBody"], name: value}}) == [altered], name
    assert told(data={**cast["data"], "fid": 8}) == told(data={**cast["data"], "timestamp": 1 + cast["data"]["timestamp"]}) == [altered]
    other = sign(FarcasterNode().cast(8, "x")["data"])
    assert told(signer=other["signer"]) == told(signature=other["signature"]) == ["message with a forged signature"]
    assert told(signature="") == told(signer=None) == told(hashScheme="") == ["message without a signature"]
    assert told(data={**cast["data"], "network": "?"}) == ["message that cannot be checked"]
    records = message_records(NODE, {**cast, "signature": other["signature"]})
    assert not [record for record in records if not isinstance(record, Reject)]


@needs_samples
def test_real_casts_have_the_hashes_that_are_worked_out_here() -> None:
    """Of those that the samples hold whole: they leave out parents and mentions."""
    casts = json.loads((SAMPLES / "farcaster_neynar_casts.json").read_text(encoding="utf-8"))
    found = 0
    for cast in casts:
        seconds = int(datetime.fromisoformat(cast["timestamp"]).timestamp()) - EPOCH
        head = {"type": "MESSAGE_TYPE_CAST_ADD", "fid": cast["author"]["fid"], "timestamp": seconds, "network": "FARCASTER_NETWORK_MAINNET"}
        embeds = [{"url": embed["url"]} for embed in cast["embeds"] if "url" in embed]
        bodies = ({"text": cast["text"], "embeds": embeds, "type": kind} for kind in ("CAST", "LONG_CAST", "TEN_K_CAST"))
        found += any("0x" + digest(data).hex() == cast["id"] for body in bodies for data in encoded({**head, "castAddBody": body}))
    assert found >= 1


@needs_samples
def test_real_samples_are_read_whole() -> None:
    casts = json.loads((SAMPLES / "farcaster_neynar_casts.json").read_text(encoding="utf-8"))
    for cast in casts:
        records = hydrated_records(NODE, cast, moment)
        check_records(records)
        assert not reasons(records) and only(Post, records).body and only(Post, records).author == f"farcaster:{cast['author']['fid']}"
        likes = sum(isinstance(record, ReactionEvent) and record.kind == "like" for record in records)
        assert likes == len(cast["reactions"]["likes"])
        addresses = sum(isinstance(record, IdentityLink) for record in records)
        assert addresses == sum(len(values) for values in cast["author"]["verified_addresses"].values())


def seeds() -> list[dict[str, Any]]:
    node = FarcasterNode()
    root = node.cast(7, "How to", url=CHANNEL)
    node.cast(
        8, "a", root, embeds=[{"url": "https://e.org"}, {"castId": {"fid": 7, "hash": root["hash"]}}], mentions=[3], mentionsPositions=[1]
    )
    node.unreact(node.react(8, root))
    node.remove(node.cast(8, "b", root))
    node.unverify(node.verify(7, ETH))
    node.say(7, "DISPLAY", "Ann")
    node.say(7, "BIO", "https://ann.example")
    return [event for shard in node.events.values() for event in shard]


def fuzz(count: int, seed: int = 0) -> tuple[int, int]:
    """(payloads, refused): no crash, and a cast is whole or it is refused with a reason."""
    chance, originals = random.Random(seed), seeds()
    refused = 0
    for _ in range(count):
        broken = mutate(chance.choice(originals), chance)
        body = mapping(mapping(broken).get("mergeMessageBody"))
        if "message" in body and chance.random() < 0.9:  # else the signature alone would be what refuses it
            body["message"] = signed_anew(mapping(body["message"]))
        records = event_records(NODE, broken)
        check_records(records)
        refused += any(isinstance(record, Reject) for record in records)
        for record in records:
            if isinstance(record, Post):
                data = broken["mergeMessageBody"]["message"]["data"]
                assert record.author == f"farcaster:{data['fid']}" and record.id.endswith(broken["mergeMessageBody"]["message"]["hash"])
    return count, refused


def test_mutated_events_leave_nothing_broken() -> None:
    count, refused = fuzz(2_000)
    assert refused > count // 5


# --- a node


@pytest.fixture
def node() -> FarcasterNode:
    return FarcasterNode()


@pytest.fixture
def server(node: FarcasterNode) -> Iterator[Loopback]:
    with Loopback(node.answer) as opened:
        yield opened


def visits(store: Store, address: str) -> Visits:
    source = farcaster_sweep.find(address, Probe(True, CrawlConfig(delay_seconds=0.0)))
    assert source is not None and source.kind == "farcaster"
    return Visits(store, source, farcaster_sweep.sweep, farcaster_sweep.hints)


def fill(node: FarcasterNode, threads: int = 12) -> list[Message]:
    """Threads of 1 in the channel, answered by 2 and 3 and liked by both; names and an address each."""
    roots = []
    for number in range(threads):
        root = node.cast(1, f"Step {number}: first\nthen", url=CHANNEL)
        one = node.cast(2, f"did {number}", root)
        node.cast(3, f"me too {number}", one)
        node.react(2, root)
        node.react(3, root)
        roots.append(root)
    for fid, name in ((1, "ann"), (2, "bob"), (3, "cat")):
        node.say(fid, "USERNAME", name)
        node.say(fid, "DISPLAY", name.title())
        node.verify(fid, "0x" + f"{fid:040x}")
        node.name(fid, name)
    return roots


def check(store: Store, threads: int = 12) -> None:
    assert store.execute("SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state = 'live'") == [
        (threads * 3, threads, threads * 2)
    ]
    assert store.execute("SELECT count(*) FROM threads WHERE title LIKE 'Step %'") == [(threads,)]
    assert store.execute("SELECT handle, name FROM authors ORDER BY handle") == [("ann", "Ann"), ("bob", "Bob"), ("cat", "Cat")]
    links = {(link.author, link.target) for link in identity_links(store) if link.kind == "address"}
    assert links == {(f"farcaster:{fid}", f"eip155:1:0x{fid:040x}") for fid in (1, 2, 3)}


@pytest.mark.parametrize("what", ["", "farcaster:1@", f"farcaster:{CHANNEL}@"])
def test_from_first_reading_to_deletions(what: str, store: Store, node: FarcasterNode, server: Loopback) -> None:
    roots = fill(node)
    reading = visits(store, what + server.url)
    assert reading.visit() is None
    check(store)
    before, asked = reading.content(), reading.requests
    assert reading.visit() is None and reading.content() == before and reading.requests - asked <= 4

    address = node.messages[next(hash for hash, one in node.messages.items() if "verificationAddAddressBody" in one["data"])]
    like = next(one for one in node.messages.values() if one["data"]["type"] == "MESSAGE_TYPE_REACTION_ADD")
    node.remove(roots[1])
    node.prune(roots[2])
    node.unreact(like)
    node.unverify(address)
    node.cast(4, "somebody new", roots[0])
    node.say(1, "USERNAME", "ann-two")
    node.cast(9, "somewhere else")
    assert reading.visit() is None
    states = reading.states()
    gone, pruned = (f"farcaster:1/{root['hash']}" for root in roots[1:3])
    assert (states[gone], states[pruned]) == ("author_deleted", "live")
    assert store.execute("SELECT likes FROM posts WHERE id = ?", [f"farcaster:1/{roots[0]['hash']}"]) == [(1,)]
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'somebody new'") == [(1,)]
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'somewhere else'") == [(0 if what else 1,)]
    assert store.execute("SELECT handle FROM authors WHERE id = 'farcaster:1'") == [("ann-two",)]
    assert [link.target for link in identity_links(store, "farcaster:1") if link.kind == "address"] == []
    node.react(2, roots[0])  # taken back, and given again
    assert reading.visit() is None
    assert store.execute("SELECT likes FROM posts WHERE id = ?", [f"farcaster:1/{roots[0]['hash']}"]) == [(2,)]


@pytest.mark.parametrize("what", ["", "farcaster:1@"])
def test_cut_off_anywhere_with_a_fifth_of_all_requests_failing(what: str, store: Store, node: FarcasterNode, server: Loopback) -> None:
    roots = fill(node, 8)
    reading = visits(store, what + server.url)
    server.failing = 0.03 if what else 0.2  # a page of the one is a hundred requests, each tried once here
    chance = random.Random(2)
    for _ in range(6):
        reading.visit(cut_after=chance.randint(0, 4))
    for _ in range(200):
        if reading.visit() is None:
            break
    check(store, 8)
    node.remove(roots[0])
    for _ in range(100):
        if reading.visit() is None:
            break
    assert reading.states()[f"farcaster:1/{roots[0]['hash']}"] == "author_deleted"


def test_three_days_away_is_said_and_made_good(store: Store, node: FarcasterNode, server: Loopback) -> None:
    fill(node, 3)
    reading = visits(store, server.url)
    assert reading.visit() is None
    node.cast(1, "while nobody looked")
    node.forget_events()
    old = int(time.time()) - 4 * 86_400
    store.execute("UPDATE cursors SET value = regexp_replace(value, ' .*', ?) WHERE starts_with(name, 'event:')", [f" {old}"])
    assert reading.visit() is None
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'while nobody looked'") == [(1,)]
    assert reading.rejects() == {"events since the last run are gone from the node; its stores were read again": 1}


def test_events_from_before_the_cursor_are_refused(store: Store, node: FarcasterNode, server: Loopback) -> None:
    fill(node, 2)
    reading = visits(store, server.url)
    assert reading.visit() is None
    answer = node.answer
    server.answer = lambda path: answer(path.replace("from_event_id=", "from_event_id=1&x=")) if "/events" in path else answer(path)
    error = reading.visit()
    assert error is not None and "from before" in error.message


def test_raw_casts_give_the_same_and_can_lose_one(store: Store, node: FarcasterNode, server: Loopback) -> None:
    fill(node, 4)
    reading = visits(store, server.url)
    assert reading.visit() is None
    node.cast(1, "by an event")
    assert reading.visit() is None
    with Store(":memory:") as other:
        for number, records in enumerate(farcaster_sweep.parse(reading.source, reading.kept)):
            load_batch(other, Batch(f"r{number}", reading.source.id, "2024-01-01T00:00:00Z", {}, tuple(records)))
        told = "SELECT id, thread, author, created, body, reply_to FROM posts ORDER BY id"
        assert other.execute(told) == store.execute(told)
    for post in list(reading.states())[:3]:
        left = [rest for answer in reading.kept if (rest := farcaster_sweep.redact(answer.body, post)) is not None]
        assert sum(len(rest.splitlines()) for rest in left) == len(reading.states()) - 1


def test_addresses(server: Loopback) -> None:
    probe = Probe(True, CrawlConfig(delay_seconds=0.0))
    source = farcaster_sweep.find(f"farcaster:1,2@{server.url}", probe)
    assert source is not None and source.id == f"farcaster:1,2@{server.url.removeprefix('http://')}"
    with pytest.raises(SourceError, match="names no Farcaster account"):
        farcaster_sweep.find("farcaster:ann", probe)
    assert farcaster_sweep.find("wss://x.example", probe) is None
