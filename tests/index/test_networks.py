"""What networks tell piece by piece: the store ends the same in whatever order and however often it is read."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from index.records import Account, Deletion, Edge, Holdings, IdentityLink, Post, ReactionEvent, Reject, Thread, Vanish
from index.spool import Batch, Record, load_batch
from index.store import Store
from index.tables_networks import known_events
from index.tables_people import claimed_domains, handles, identity_links, shared_targets

S = "nostr:relay.example.org"
CONTENT = (
    "SELECT * FROM authors ORDER BY ALL",
    "SELECT id, title, created FROM threads ORDER BY ALL",
    "SELECT id, thread, author, body, state, likes FROM posts ORDER BY ALL",
    "SELECT post, body FROM post_versions WHERE post NOT IN (SELECT post FROM tombstones) ORDER BY ALL",
    "SELECT * FROM reactions ORDER BY ALL",
    "SELECT post, state, reason FROM tombstones ORDER BY ALL",
    "SELECT * FROM identity_links ORDER BY ALL",
    "SELECT * FROM handles ORDER BY ALL",
)
_numbers = itertools.count()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(":memory:") as opened:
        yield opened


def load(store: Store, *records: Record) -> None:
    load_batch(store, Batch(f"b{next(_numbers)}", S, "2024-06-01T00:00:00Z", {}, records))


def content(store: Store) -> list[Any]:
    return [store.execute(sql) for sql in CONTENT]


def at(minute: int) -> str:
    return f"2024-05-01T10:{minute:02d}:00Z"


def author(name: str) -> str:
    return f"nostr:u/{name}"


def note(name: str, by: str, minute: int = 0, under: str = "", body: str = "", **fields: Any) -> list[Record]:
    """A post with its thread as a mapping tells it that knows only what is answered."""
    post, thread = f"nostr:{name}", f"nostr:{under or name}"
    head = Thread(thread, S, "" if under else f"about {name}", at(minute), "https://x")
    made = Post(post, S, thread, None, author(by), at(minute), "text", body or f"words of {name}", "https://x")
    made = replace(made, reply_to=f"nostr:{under}" if under else None, **fields)
    return [Account(author(by), S, by[:8]), head, made, *([Edge("reply", post, f"nostr:{under}")] if under else [])]


def like(name: str, post: str, by: str, minute: int = 5, kind: str = "like") -> ReactionEvent:
    return ReactionEvent(f"nostr:{name}", f"nostr:{post}", author(by), kind, at(minute))


STORY: list[list[Record]] = [
    note("root", "ann", 1),
    note("mid", "bob", 2, "root"),
    note("leaf", "cat", 3, "mid"),
    note("gone", "bob", 4, "leaf"),
    [Deletion("nostr:gone", author("bob"), "oops")],
    [Deletion("nostr:leaf", author("bob"), "not mine to delete")],
    [like("l1", "root", "bob"), like("l2", "root", "cat"), like("l3", "mid", "cat", kind="🤙")],
    [Deletion("nostr:l1", author("bob"), "")],
    [Deletion("nostr:l2", author("bob"), "not mine")],
    [like("l4", "gone", "cat")],
    [Account(author("ann"), S, "ann-old", "Ann", at(1))],
    [Account(author("ann"), S, "ann-new", "Ann", at(2))],
    note("old", "dan", 5),
    note("young", "dan", 50),
    [like("l5", "root", "dan", 6), Account(author("dan"), S, "dan", "Dan", at(6))],
    [Vanish(author("dan"), at(30), "forget me")],
    [IdentityLink(author("ann"), "nostr/profile", at(1), "url", "https://old.example")],
    [
        IdentityLink(author("ann"), "nostr/profile", at(2), "url", "https://new.example"),
        IdentityLink(author("ann"), "nostr/profile", at(2)),
    ],
    [IdentityLink(author("dan"), "nostr/profile", at(6), "url", "https://dan.example")],
    note("essay", "eve", 10, body="first", edited=at(10)),
    note("essay", "eve", 10, body="second", edited=at(20)),
    note("essay", "eve", 10, body="third", edited=at(30)),
]


def test_the_story(store: Store) -> None:
    for part in STORY:
        load(store, *part)
    states = dict(store.execute("SELECT id, state FROM posts"))
    assert states == {
        "nostr:root": "live", "nostr:mid": "live", "nostr:leaf": "live", "nostr:gone": "author_deleted",
        "nostr:old": "author_deleted", "nostr:young": "live", "nostr:essay": "edited",
    }  # fmt: skip
    assert store.execute("SELECT body FROM posts WHERE id IN ('nostr:old', 'nostr:gone')") == [("",), ("",)]
    assert dict(store.execute("SELECT id, thread FROM posts WHERE id IN ('nostr:mid', 'nostr:leaf', 'nostr:gone')")) == dict.fromkeys(
        ("nostr:mid", "nostr:leaf", "nostr:gone"), "nostr:root"
    )
    assert store.execute("SELECT id FROM threads WHERE id = 'nostr:mid'") == []
    assert store.execute("SELECT title FROM threads WHERE id IN ('nostr:root', 'nostr:old') ORDER BY ALL") == [("",), ("about root",)]
    assert store.execute("SELECT post, actor, kind FROM reactions ORDER BY ALL") == [
        ("nostr:mid", author("cat"), "🤙"),
        ("nostr:root", author("cat"), "like"),
    ]
    assert store.execute("SELECT likes FROM posts WHERE id = 'nostr:root'") == [(1,)]
    assert store.execute("SELECT body FROM post_versions ORDER BY ALL") == [("first",), ("second",)]
    assert store.execute("SELECT handle, name FROM authors WHERE id IN ('nostr:u/ann', 'nostr:u/dan') ORDER BY ALL") == [
        ("ann-new", "Ann"),
        ("dan", ""),
    ]
    assert [link.target for link in identity_links(store)] == ["https://new.example"]
    assert handles(store, author("ann")) == [("ann-old", at(1)), ("ann-new", at(2))]


def test_order_and_repetition_change_nothing(store: Store) -> None:
    for part in STORY:
        load(store, *part)
    wanted = content(store)
    for seed in range(8):
        with Store(":memory:") as other:
            for part in _shuffled(random.Random(seed)):
                load(other, *part)
            assert content(other) == wanted, f"seed {seed}"


def _shuffled(chance: random.Random) -> list[list[Record]]:
    """The story in another order, some of it twice, in batches of other sizes."""
    parts = [*STORY, *chance.sample(STORY, 6)]
    chance.shuffle(parts)
    batches: list[list[Record]] = []
    while parts:
        size = chance.randint(2, 9)
        batches.append([record for part in parts[:size] for record in part])
        parts = parts[size:]
    return batches


def test_what_was_deleted_can_be_written_again_under_its_address(store: Store) -> None:
    load(store, *note("30023:k:d", "k", 1, edited=at(1)))
    load(store, Deletion("nostr:30023:k:d", author("k"), "", until=at(5)))
    assert store.execute("SELECT state FROM posts") == [("author_deleted",)]
    load(store, *note("30023:k:d", "k", 1, edited=at(4), body="also gone"))
    assert store.execute("SELECT state, body FROM posts") == [("author_deleted", "")]
    load(store, *note("30023:k:d", "k", 1, edited=at(9), body="again"))
    assert store.execute("SELECT body FROM posts WHERE state IN ('live', 'edited')") == [("again",)]


def test_a_ring_of_replies_ends(store: Store) -> None:
    load(store, *note("a", "x", 1, "c"), *note("b", "x", 2, "a"), *note("c", "x", 3, "b"))
    assert store.execute("SELECT count(*) FROM posts") == [(3,)]


def test_a_handle_that_changes_hands_is_noticed(store: Store) -> None:
    one, two = "at://did:plc:one", "at://did:plc:two"
    load(store, Account(one, S, "ann.example", "", at(1)), IdentityLink(one, "at/handle", at(1), "domain", "ann.example", "mutual"))
    load(store, Account(two, S, "ann.example", "", at(2)))
    assert store.execute("SELECT place, reason FROM rejects") == [(two, "handle changed hands")]
    assert store.execute("SELECT id, handle FROM authors ORDER BY id") == [(one, "did:plc:one"), (two, "ann.example")]
    assert identity_links(store, one) == [] and handles(store, one) == [("ann.example", at(1))]
    load(store, Account(author("p"), S, "sam", "", at(1)), Account(author("q"), S, "sam", "", at(2)))  # no network of unique names
    assert store.execute("SELECT count(*) FROM rejects") == [(1,)]


def test_accounts_that_point_at_one_address(store: Store) -> None:
    address = "eip155:1:0xabc"
    load(store, IdentityLink("farcaster:7", "farcaster/verifications", at(1), "address", address, "mutual"))
    load(store, IdentityLink(author("ann"), "nostr/nip39", at(1), "address", address), Account(author("ann"), S, "ann"))
    load(store, IdentityLink(author("ann"), "nostr/profile", at(1), "domain", "ann@example.org", "claimed", "nostr:e"))
    assert [(row["author"], row["strength"]) for row in shared_targets(store)] == [("farcaster:7", 2), (author("ann"), 0)]
    assert claimed_domains(store, S, "nostr/profile") == [(author("ann"), "ann@example.org", "nostr:e")]


def test_what_an_author_does_not_hold_any_more_is_gone(store: Store) -> None:
    mine = "nostr:"
    load(store, *note("a", "x"), *note("b", "x"), *note("c", "y"), like("l", "c", "x"), like("m", "c", "z"))
    load(store, Holdings(author("x"), mine, ("nostr:b", "nostr:l"), False))
    assert dict(store.execute("SELECT id, state FROM posts")) == {"nostr:a": "missing_unconfirmed", "nostr:b": "live", "nostr:c": "live"}
    load(store, Holdings(author("x"), mine, ("nostr:a", "nostr:b"), False))  # it is back; a like is not
    assert dict(store.execute("SELECT id, state FROM posts")) == dict.fromkeys(("nostr:a", "nostr:b", "nostr:c"), "live")
    assert store.execute("SELECT actor FROM reactions") == [(author("z"),)]
    load(store, Holdings(author("x"), mine, ("nostr:b",), False))
    load(store, Holdings(author("x"), mine, ("nostr:b",), False))
    assert store.execute("SELECT state, body <> '' FROM posts WHERE id = 'nostr:a'") == [("pruned", True)]
    load(store, Holdings(author("x"), mine, ("nostr:a",), True))
    assert store.execute("SELECT id, state, body FROM posts WHERE author = ? ORDER BY id", [author("x")]) == [
        ("nostr:a", "live", "words of a"),
        ("nostr:b", "author_deleted", ""),
    ]


def test_known_events_are_named_by_their_second(store: Store) -> None:
    name = "ab" * 32
    load(store, *note(name, "x", 1), *note("short", "x", 2))
    assert known_events(store, "nostr:", 10) == [(1714557660, name)]


def test_batches_come_back_from_the_spool(tmp_path: Any) -> None:
    from index.spool import read_batch, write_batch

    records: Sequence[Record] = [*(record for part in STORY for record in part), Reject(S, "x", "why")]
    assert read_batch(write_batch(tmp_path, S, records, {})).records == tuple(records)
