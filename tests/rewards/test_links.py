"""Identity links: shown with where they are said, accepted by a person only where both sides or the other side say so."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import tables_evidence, tables_people
from index import tables_rewards as tables
from index.config import Config
from index.errors import UnknownName, UsageError
from index.records import Identity, IdentityLink, Vanish
from index.store import Store
from index.tables_evidence import IdentityScore
from publish.standing import render_links, render_scores
from rewards.evidence import gather, persons_of
from rewards.links import accept, one_person, told_links, told_scores
from rewards.pipeline import credit
from tests.rewards.builders import ADDRESSES, author_id, cite, procedure, put_forum, put_procedures, stance, step

RECORD = procedure(
    step(1, cite(1, "ann", 1, exact="Fill in the form.")),
    stances=(stance("support", 1, cite(2, "bob", 2, exact="Yes, that form.")), stance("support", 1, cite(3, "cleo", 3, exact="Right."))),
)
WALLET = f"eip155:1:{ADDRESSES[0].lower()}"


@pytest.fixture
def filled(store: Store) -> Store:
    put_forum(store, RECORD)
    put_procedures(store, RECORD)
    return store


def link(name: str, kind: str, target: str, strength: Any, when: int = 1, via: str = "net/profile") -> IdentityLink:
    return IdentityLink(author_id(name), f"{via}/{kind}", f"2024-01-{when:02d}T00:00:00Z", kind, target, strength, f"event {name}")


def confirmed(store: Store) -> set[str]:
    credit(store, Config())
    return {c.author for c in tables.credits(store) if c.role == "confirmed"}


def test_links_are_shown_with_strength_and_place_and_what_is_shared(filled: Store) -> None:
    told = [
        link("ann", "domain", "ann.example", "mutual"),
        link("bob", "domain", "ann.example", "claimed"),
        link("cleo", "url", "https://c", "claimed"),
    ]
    tables_people.load_links(filled, told)
    found = told_links(filled)
    assert [(row["strength"], row["target"], row["evidence"]) for row in found["links"]] == [
        ("mutual", "ann.example", "event ann"),
        ("claimed", "ann.example", "event bob"),
        ("claimed", "https://c", "event cleo"),
    ]
    assert [one["strength"] for one in found["shared"][0]["accounts"]] == ["mutual", "claimed"]
    assert told_links(filled, "cleo") == {"links": found["links"][2:], "shared": []}
    text = render_links(found)
    assert "mutual   ann@" in text and "event ann" in text and "shared   domain ann.example: ann@" in text
    with pytest.raises(UnknownName):
        told_links(filled, "nobody")


def test_nobody_is_merged_by_a_link_that_nobody_accepted(filled: Store) -> None:
    tables_people.load_links(filled, [link(name, "address", WALLET, "mutual") for name in ("ann", "bob")])
    assert persons_of(filled) == {} and confirmed(filled) == {author_id("bob")}
    accept(filled, "ann", WALLET, "her profile")
    assert persons_of(filled) == {}, "one account's link joins nobody"
    accept(filled, "bob", WALLET, "same wallet")
    assert persons_of(filled) == dict.fromkeys((author_id("ann"), author_id("bob")), author_id("ann"))
    assert confirmed(filled) == {author_id("cleo")}, "bob's word for ann's step is their own: the next one in turn takes the share"
    accept(filled, "bob", WALLET, "was wrong", back=True)
    assert persons_of(filled) == {}


def test_an_address_joins_who_is_paid_there_and_an_account_joins_that_account(filled: Store) -> None:
    tables.put_identities(filled, [Identity(author_id("cleo"), ADDRESSES[0], "test")])
    tables_people.load_links(filled, [link("ann", "address", WALLET, "checked"), link("bob", "account", author_id("ann"), "mutual")])
    accept(filled, "ann", WALLET, "signed")
    assert persons_of(filled) == dict.fromkeys((author_id("ann"), author_id("cleo")), author_id("ann"))
    accept(filled, "bob", author_id("ann"), "both say so")
    assert set(persons_of(filled)) == {author_id(name) for name in ("ann", "bob", "cleo")}


def test_what_only_the_author_says_and_what_nobody_says_is_refused(filled: Store) -> None:
    tables_people.load_links(filled, [link("ann", "domain", "ann.example", "claimed")])
    with pytest.raises(UsageError, match="only ann@"):
        accept(filled, "ann", "ann.example", "sure")
    with pytest.raises(UsageError, match="no link"):
        accept(filled, "ann", "other.example", "sure")
    with pytest.raises(UsageError, match="reason"):
        accept(filled, "ann", "ann.example", " ")


def test_a_link_that_was_taken_back_or_whose_author_is_forgotten_counts_no_more(filled: Store) -> None:
    tables_people.load_links(filled, [link(name, "domain", "d.example", "mutual") for name in ("ann", "bob")])
    for name in ("ann", "bob"):
        accept(filled, name, "d.example", "seen")
    assert len(persons_of(filled)) == 2
    tables_people.load_links(filled, [link("bob", "domain", "d.example", "claimed", when=2)])
    assert persons_of(filled) == {} and not told_links(filled, "bob")["links"][0]["accepted"]
    tables_people.load_links(filled, [link("bob", "domain", "d.example", "mutual", when=3)])
    assert len(persons_of(filled)) == 2
    tables_people.forget_people(filled, [Vanish(author_id("bob"), "2024-02-01T00:00:00Z", "asked")])
    assert persons_of(filled) == {}
    assert filled.execute("SELECT count(*) FROM accepted_links WHERE author = ?", [author_id("bob")]) == [(0,)]


def test_an_accepted_link_passes_beside_imported_scores_and_alone_discounts_nobody(filled: Store) -> None:
    tables_people.load_links(filled, [link("bob", "domain", "bob.example", "mutual")])
    accept(filled, "bob", "bob.example", "his page")
    trust = gather(filled, [RECORD], Config().rewards).trust
    assert not trust.scored and trust.verified == frozenset()
    tables_evidence.put_scores(filled, [IdentityScore(author_id("ann"), "passport", 20_000, ADDRESSES[1], "p.csv:2")])
    trust = gather(filled, [RECORD], Config().rewards).trust
    assert trust.scored and trust.verified == {author_id("ann"), author_id("bob")}
    assert [(row["kind"], row["subject"]) for row in told_scores(filled)] == [("passport", ADDRESSES[1]), ("link", "domain bob.example")]
    assert "link: domain bob.example" in render_scores(told_scores(filled))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=12), st.randoms(use_true_random=False))
def test_persons_are_the_connected_accounts_in_whatever_order(marks: list[tuple[str, str]], how: random.Random) -> None:
    found = one_person(marks)
    how.shuffle(marks)
    assert one_person(marks) == found
    for account, first in found.items():
        assert found[first] == first <= account
    for one, mark in marks:
        for other, theirs in marks:
            assert mark != theirs or found.get(one, one) == found.get(other, other)
