"""Nostr from a relay that none of us wrote (nostr-sdk's, in Rust): what is pushed there is found, whatever breaks."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from crawler.nostr import source_id
from crawler.nostr_sweep import find, hints, parse, redact, sweep
from crawler.probe import Probe
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.store import Store
from tests.crawler.streams import Visits
from tests.emulators.nostr import EPOCH, Event, Person, RelayThread

ANN, BOB, CAT, DAN = (Person(name) for name in ("ann", "bob", "cat", "dan"))
MINUTE = 60


@pytest.fixture
def relay() -> Iterator[RelayThread]:
    with RelayThread() as opened:
        yield opened


def visits(store: Store, url: str) -> Visits:
    return Visits(store, Source(source_id(url), "nostr", url, url, allow_private=True), sweep, hints)


def conversation(threads: int = 30) -> list[Event]:
    """Threads with replies and likes, some taken back, articles that were edited, profiles, identities, one who vanishes."""
    events: list[Event] = [
        ANN.event(0, '{"name": "ann", "display_name": "Ann A.", "website": "https://ann.example"}', at=EPOCH),
        BOB.event(0, '{"name": "bob"}', at=EPOCH),
        BOB.event(10011, "", ["i", "github:bob", "a1b2"], ["i", "mastodon:fed.example/@bob", "99"], at=EPOCH),
    ]
    for number in range(threads):
        at = EPOCH + number * 600
        root = ANN.note(f"Step {number}: do this first\n\nand then that", at=at)
        one = BOB.note(f"I did {number}", root, at=at + MINUTE)
        two = CAT.note(f"Me too {number}", one, root, at=at + 2 * MINUTE)
        events += [root, one, two, CAT.like(root, at=at + 3 * MINUTE), DAN.like(root, "🤙", at=at + 4 * MINUTE)]
        if number % 10 == 0:
            undone = DAN.like(one, at=at + 5 * MINUTE)
            slip = BOB.note("a slip", root, at=at + 6 * MINUTE)
            events += [undone, DAN.delete(undone, at=at + 7 * MINUTE), slip, BOB.delete(slip, at=at + 8 * MINUTE)]
    events += [
        CAT.article("guide", "# One\n\nfirst text", EPOCH + MINUTE),
        CAT.article("guide", "# One\n\nsecond text", EPOCH + 3 * MINUTE),
    ]
    events += [DAN.note("remember me not", at=EPOCH + MINUTE)]
    return events


def check(visits: Visits, threads: int = 30) -> None:
    """All that stands on the relay, and nothing that was taken back."""
    store = visits.store
    live = store.execute("SELECT count(*) FROM posts WHERE state IN ('live', 'edited')")[0][0]
    assert live == threads * 3 + 2
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'a slip'") == [(0,)]
    assert store.execute("SELECT kind, count(*) FROM reactions GROUP BY kind ORDER BY kind") == [("like", threads), ("🤙", threads)]
    assert store.execute("SELECT body FROM posts WHERE format = 'raw'") == [("# One\n\nsecond text",)]
    assert store.execute("SELECT count(*), count(DISTINCT thread) FROM posts WHERE reply_to IS NOT NULL AND body <> ''") == [
        (threads * 2, threads)
    ]
    assert store.execute("SELECT handle, name FROM authors WHERE id = ?", [ANN.id]) == [("ann", "Ann A.")]
    assert store.execute("SELECT kind, target FROM identity_links ORDER BY ALL") == [
        ("account", "github:bob"),
        ("account", "mastodon:fed.example/@bob"),
        ("url", "https://ann.example"),
    ]


def test_all_that_is_pushed_is_found(store: Store, relay: RelayThread) -> None:
    relay.publish(*conversation())
    reading = visits(store, relay.url)
    assert reading.visit() is None
    check(reading)
    before, asked = reading.content(), reading.requests
    assert reading.visit() is None and reading.content() == before
    assert reading.requests - asked <= 8  # a page or two of the last day, not all again

    fresh = ANN.note("news", at=int(time.time()) - 5)
    relay.publish(fresh)
    assert reading.visit() is None and f"nostr:{fresh['id']}" in reading.states()
    relay.publish(ANN.delete(fresh, at=int(time.time())))
    assert reading.visit() is None and reading.states()[f"nostr:{fresh['id']}"] == "author_deleted"


def test_pages_of_a_relay_that_gives_little(store: Store) -> None:
    with RelayThread(most=25) as relay:
        relay.publish(*conversation())
        reading = visits(store, relay.url)
        assert reading.visit() is None
        check(reading)


def test_more_in_one_second_than_a_page_holds(store: Store) -> None:
    with RelayThread(most=30) as relay:
        crowd = [Person(f"p{n}").note(f"words {n}", at=EPOCH) for n in range(80)]
        relay.publish(
            *crowd, *(Person(f"p{n}").like(crowd[0], at=EPOCH) for n in range(20)), *(ANN.note(f"{n}", at=EPOCH - n) for n in range(1, 9))
        )
        reading = visits(store, relay.url)
        assert reading.visit() is None
        assert "perhaps more events in one second than the relay gives at once" in reading.rejects()  # said, not hidden
        assert store.execute("SELECT count(*) FROM posts WHERE author = ?", [ANN.id]) == [(8,)]  # and nothing below is lost
        assert store.execute("SELECT count(*) FROM reactions") == [(20,)]  # other kinds of that second come


def test_cut_off_anywhere_nothing_is_lost(store: Store) -> None:
    with RelayThread(most=25) as relay:
        relay.publish(*conversation(20))
        calm = visits(store, relay.url)
        assert calm.visit() is None
        chance = random.Random(5)
        with Store(":memory:") as other:
            reading = visits(other, relay.url)
            for _ in range(8):
                reading.visit(cut_after=chance.randint(0, 3))
            reading.visit(stop_after=1)
            assert reading.visit() is None
            assert reading.content() == calm.content()


def test_a_fifth_of_all_requests_fails(store: Store) -> None:
    chance = random.Random(3)

    def faults() -> None:
        if chance.random() < 0.2:
            raise SourceError("503")

    with RelayThread(most=25) as relay:
        relay.publish(*conversation(20))
        reading = visits(store, relay.url)
        reading.faults = faults
        for _ in range(20):
            if reading.visit() is None:
                break
        check(reading, 20)


def test_who_asks_to_vanish_is_forgotten(store: Store, relay: RelayThread) -> None:
    words, profile = DAN.note("my words", at=EPOCH + 5), DAN.event(0, '{"name": "dan"}', at=EPOCH)
    relay.publish(words, profile, DAN.like(words, at=EPOCH + 6), ANN.note("hello", at=EPOCH))
    reading = visits(store, relay.url)
    assert reading.visit() is None
    relay.publish(DAN.event(62, "please", ["relay", "ALL_RELAYS"], at=int(time.time())))
    assert reading.visit() is None
    assert reading.states()[f"nostr:{words['id']}"] == "author_deleted"
    assert store.execute("SELECT handle, name FROM authors WHERE id = ?", [DAN.id]) == [(DAN.pubkey[:16], "")]
    assert store.execute("SELECT count(*) FROM reactions") == [(0,)]
    assert store.execute("SELECT count(*) FROM posts WHERE body LIKE '%my words%'") == [(0,)]


def test_the_tail_reads_what_comes_live(store: Store, relay: RelayThread) -> None:
    import threading

    reading = visits(store, relay.url)
    relay.publish(ANN.note("before", at=EPOCH))
    late = [BOB.note(f"live {n}", at=int(time.time()) + n) for n in range(3)]
    timer = threading.Timer(1.0, lambda: relay.publish(*late))
    timer.start()
    assert reading.visit(tail_seconds=3) is None
    timer.join()
    assert {f"nostr:{event['id']}" for event in late} <= set(reading.states())


def test_the_raw_pages_give_the_same_posts_and_can_lose_one(store: Store, relay: RelayThread) -> None:
    relay.publish(*conversation(10))
    reading = visits(store, relay.url)
    assert reading.visit() is None
    with Store(":memory:") as other:
        again = visits(other, relay.url)
        from index.spool import Batch, load_batch

        for number, records in enumerate(parse(reading.source, reading.kept)):
            load_batch(other, Batch(f"r{number}", reading.source.id, "2024-01-01T00:00:00Z", {}, tuple(r for r in records)))
        told = "SELECT id, thread, author, created, body, state, reply_to FROM posts ORDER BY id"
        assert other.execute(told) == store.execute(told)
        assert again.content()["tombstones"] == reading.content()["tombstones"]
    page = reading.kept[0].body
    rows = [json.loads(row) for row in page.splitlines()]
    post = next(row for row in rows if row["kind"] == 1)
    rest = redact(page, f"nostr:{post['id']}")
    assert rest is not None and [json.loads(row) for row in rest.splitlines()] == [row for row in rows if row is not post]
    assert redact(json.dumps(post).encode(), f"nostr:{post['id']}") is None


def test_what_came_late_and_dated_back_is_found_by_negentropy(store: Store, relay: RelayThread) -> None:
    relay.publish(*conversation(20))
    reading = visits(store, relay.url)
    assert reading.visit() is None
    late = [BOB.note(f"late {n}", at=EPOCH + n * 97) for n in range(70)]
    relay.publish(*late)
    asked = reading.requests
    assert reading.visit() is None
    assert {f"nostr:{event['id']}" for event in late} <= set(reading.states())
    assert reading.requests - asked <= 16 and reading.visit() is None


def test_a_relay_is_known_by_its_scheme(relay: RelayThread) -> None:
    probe = Probe(True, CrawlConfig(delay_seconds=0.0))
    source = find(relay.url, probe)
    assert source is not None and (source.kind, source.id, source.base_url) == ("nostr", source_id(relay.url), relay.url)
    assert find("https://forum.example.org", probe) is None and find("wss://jetstream.example.org/subscribe", probe) is None


def test_sources_are_named_by_host() -> None:
    names: dict[str, Any] = {
        "wss://Relay.Example/": "nostr:relay.example",
        "ws://127.0.0.1:77/a/": "nostr:127.0.0.1:77/a",
        "wss://r:443": "nostr:r",
    }
    assert {url: source_id(url) for url in names} == names
