"""The walk, its bounds, seeds, endorsements and flags."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import tables_evidence as tables
from index.errors import UnknownName, UsageError
from index.records import Author, Post, Source, Thread
from index.store import Store
from index.tables_discussion import load_records
from rewards.endorsements import supportive
from rewards.flags import Account, bursts, flags, pairs, rings, styles
from rewards.pipeline import read_procedures
from rewards.seeds import add_seed, chosen_seeds, default_seeds, remove_seed
from rewards.standing import added_seed
from rewards.style import FEWEST
from rewards.trust import ONE, Endorsement, faded, levels, walk

DAY = "2024-05-01T00:00:00Z"


def test_the_published_eigentrust_vector() -> None:
    """The example of go-eigentrust's README: two who trust, one who is trusted, restart one half."""
    found = walk([("ek", "sd", 100), ("vm", "sd", 100), ("ek", "vm", 75)], {"ek": 50, "vm": 100}, 5_000)
    told = {"ek": 0.21705427907166472, "sd": 0.3023255429103218, "vm": 0.4806201780180134}
    assert {name: pytest.approx(amount / ONE, abs=1e-7) for name, amount in found.items()} == told


edges = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.integers(1, 4_000)).filter(lambda e: e[0] != e[1]),
    max_size=40,
    unique_by=lambda e: e[:2],
)


@settings(deadline=None)
@given(edges, st.integers(500, 9_500))
def test_no_trust_is_made_and_strangers_get_none(found: list[tuple[str, str, int]], restart: int) -> None:
    outside = [("x", "y", 5), ("y", "x", 5), ("x", "a", 5)]
    trust = walk([*found, *outside], {"a": 1, "b": 2}, restart)
    assert sum(trust.values()) <= ONE and "x" not in trust and "y" not in trust
    assert trust == walk([*reversed(outside), *reversed(found)], {"b": 2, "a": 1}, restart)


@pytest.mark.parametrize("size", (3, 30, 300))
def test_a_ring_holds_what_comes_in_over_the_restart_however_large_it_is(size: int) -> None:
    honest = [("seed", f"h{n}", 1_000) for n in range(10)] + [(f"h{n}", f"h{(n + 1) % 10}", 1_000) for n in range(10)]
    ring = [(f"r{n}", f"r{(n + hop) % size}", 1_000) for n in range(size) for hop in (1, 2)]
    trust = walk([*honest, *ring, ("h0", "r0", 1_000)], {"seed": 1}, 5_000)
    inflow = trust["h0"] // 2 // 2  # half of it goes over the bridge, and half of that restarts
    assert sum(amount for name, amount in trust.items() if name.startswith("r")) <= 2 * inflow + size


def test_a_bribed_seed_gives_no_more_than_it_has() -> None:
    ring = [("r0", "r1", 1), ("r1", "r2", 1), ("r2", "r0", 1)]
    trust = walk([*ring, ("bribed", "r0", 1), ("fair", "h", 1)], {"bribed": 1, "fair": 3}, 5_000)
    assert sum(trust.get(f"r{n}", 0) for n in range(3)) <= ONE // 4


def test_levels_are_measured_by_the_seeds_alone() -> None:
    seeds = {"a": 1, "b": 1}
    assert levels({"a": ONE // 4, "c": ONE // 80, "d": ONE // 800 + 1}, seeds, 5_000) == {"a": 200_000, "c": 10_000, "d": 1_000}
    assert levels({}, {}, 5_000) == {}


def said(giver: str, taker: str, created: str = DAY, post: str = "") -> Endorsement:
    return Endorsement(giver, taker, created, "reply", post or f"p/{giver}/{taker}/{created}")


def test_endorsements_fade_from_the_newest_and_own_ones_count_nothing() -> None:
    year_old = said("a", "b", "2023-05-01T00:00:00Z")
    assert faded([year_old, said("a", "c"), said("a", "a")], 9_000) == [("a", "b", 656), ("a", "c", 1_000)]
    assert faded([said("a", "c"), said("a", "c", post="p/2")], 9_000) == [("a", "c", 2_000)]
    assert faded([], 9_000) == []


def test_only_plain_thanks_and_agreement_count() -> None:
    for text in ("Thanks, that did the trick!", "+1", "I agree with every word", "Great write-up."):
        assert supportive(text), text
    for text in ("Thanks, but I disagree", "I do not agree", "Interesting", "This did not work", "x" * 300 + " thanks"):
        assert not supportive(text), text


# --- seeds ----------------------------------------------------------------------------------------------------------


def account(name: str, first: str, months: int = 12, staff: bool = False) -> dict[str, object]:
    return {"id": f"d:h/u/{name}", "source": "d:h", "handle": name, "staff": staff, "first": first, "posts": 9, "months": months}


def test_the_default_takes_staff_then_the_oldest_who_kept_writing() -> None:
    rows = [account("system", "2019", staff=True), account("mod", "2022", staff=True)]
    rows += [account(f"old{n}", f"202{n}") for n in range(6)] + [account("drop-in", "2018", months=1)]
    assert [name.rpartition("/")[2] for name in default_seeds(rows).weights] == ["mod", "old0", "old1", "old2", "old3"]


def forum(store: Store) -> None:
    source = "discourse:forum.example.org"
    thread = Thread(f"{source}/t/1", source, "A thread", DAY, "https://forum.example.org/t/1")
    authors = [Author(f"{source}/u/{name}", source, name) for name in ("ann", "bob", "cleo")]
    lines = [
        ("ann", "Here is how."),
        ("bob", "Thanks, very helpful!"),
        ("cleo", "[quote=bob]thanks[/quote]\nI have doubts."),
        ("bob", "@cleo +1"),
    ]
    posts = [
        Post(f"{source}/p/{n}", source, thread.id, n, f"{source}/u/{who}", f"2024-05-{n:02d}T00:00:00Z", "raw", text, f"https://f/t/1/{n}")
        for n, (who, text) in enumerate(lines, 1)
    ]
    with store.transaction():
        load_records(
            store,
            source,
            DAY,
            {Source: [Source(source, "archive", "folder", "https://forum.example.org")], Author: authors, Thread: [thread], Post: posts},
        )


def test_seeds_are_named_listed_and_taken_back(tmp_path: Path) -> None:
    with Store(tmp_path / "work.duckdb") as store:
        forum(store)
        assert not chosen_seeds(store).chosen
        assert add_seed(store, "ann", 3, "moderator").author.endswith("/u/ann")
        assert chosen_seeds(store).weights == {"discourse:forum.example.org/u/ann": 3}
        with pytest.raises(UsageError, match="out of range"):
            add_seed(store, "ann", 0)
        with pytest.raises(UnknownName, match="no trust seed named"):
            remove_seed(store, "bob")
        remove_seed(store, "ann")
        assert tables.seeds(store) == []


def test_a_key_stands_beside_the_default_and_an_account_takes_its_place(tmp_path: Path) -> None:
    with Store(tmp_path / "work.duckdb") as store:
        forum(store)
        usual = chosen_seeds(store).weights
        assert usual and added_seed(store, "did:key:z6MkAgent", 1, "")["no_longer"] == []
        assert chosen_seeds(store).weights == {**usual, "did:key:z6MkAgent": 1} and not chosen_seeds(store).chosen
        told = added_seed(store, "bob", 1, "")
        assert set(chosen_seeds(store).weights) == {"discourse:forum.example.org/u/bob", "did:key:z6MkAgent"}
        assert len(told["no_longer"]) == len(usual.keys() - {"discourse:forum.example.org/u/bob"})


def test_the_store_tells_who_endorses_whom(tmp_path: Path) -> None:
    from rewards.endorsements import endorsements

    with Store(tmp_path / "work.duckdb") as store:
        forum(store)
        found = {(e.giver.rpartition("/")[2], e.taker.rpartition("/")[2], e.kind) for e in endorsements(store, [], ("like",))}
        assert found == {("bob", "ann", "reply")}, (
            "quotes are not the quoter's words; bob's second answer goes to nobody that the edges name"
        )
        assert flags(store, read_procedures(store))["flags"] == []


# --- flags ----------------------------------------------------------------------------------------------------------


def honest(count: int = 40) -> list[Endorsement]:
    return [said(f"h{n}", f"h{(n * 7 + hop * 3 + 1) % count}", post=f"h/{n}/{hop}") for n in range(count) for hop in range(4)]


def test_a_ring_is_flagged_with_its_members_and_honest_people_are_not() -> None:
    ring = [said(f"r{a}", f"r{b}") for a in range(6) for b in range(6) if a != b]
    found = rings([*honest(), *ring, said("h1", "r1")])
    assert [flag.accounts for flag in found] == [tuple(f"r{n}" for n in range(6))]
    assert found[0].posts and "30 of the 31" in found[0].why
    assert rings(honest()) == []


def test_a_ring_is_flagged_also_where_as_many_from_outside_endorse_it() -> None:
    ring = [said(f"r{a}", f"r{b}") for a in range(5) for b in range(5) if a != b]
    (found,) = rings([*honest(), *ring, *(said(f"h{n}", f"r{n % 5}", post=f"b{n}") for n in range(30))])
    assert found.accounts == tuple(f"r{n}" for n in range(5)) and "endorsed in return" in found.why


def test_a_large_ring_in_a_circle_is_flagged_where_nobody_trusted_stands_behind_it() -> None:
    circle = [said(f"r{a}", f"r{(a + hop) % 200}") for a in range(200) for hop in range(1, 9)]
    known = {f"h{n}": 4_000 for n in range(40)} | {f"r{n}": 20 for n in range(200)}
    (found,) = rings([*honest(), *circle], known)
    assert len(found.accounts) == 200 and "hardly anybody who is trusted" in found.why
    assert rings(honest(), known) == []
    assert rings(honest(), dict.fromkeys(known, 0)) != [], "without seeds that reach them nobody could be told from a ring"


def test_a_reciprocal_pair_is_flagged_where_it_is_most_of_what_they_get() -> None:
    between = [said(a, b, post=f"{a}{n}") for a, b in (("x", "y"), ("y", "x")) for n in range(4)]
    assert [flag.accounts for flag in pairs([*honest(), *between])] == [("x", "y")]
    popular = [said(f"h{n}", who, post=f"{who}{n}") for n in range(20) for who in ("x", "y")]
    assert pairs([*between, *popular]) == []


def test_a_burst_of_new_accounts_for_one_is_flagged() -> None:
    accounts = {f"n{k}": Account(f"n{k}", f"2024-05-01T0{k}:00:00Z", "2024-05-03T00:00:00Z", 1) for k in range(5)}
    given_ = [said(name, "star") for name in accounts]
    assert [flag.accounts for flag in bursts(given_, accounts)] == [("n0", "n1", "n2", "n3", "n4", "star")]
    slow = {name: Account(name, f"2024-0{k + 1}-01T00:00:00Z", "2024-09-03T00:00:00Z", 1) for k, name in enumerate(accounts)}
    assert bursts(given_, slow) == []


def test_accounts_that_write_alike_are_flagged_only_where_one_endorses_the_other() -> None:
    one = "Well, I think that it is really quite simple; just do what they say, and then wait… " * 60
    other = "The committee shall convene before noon. Members must sign. Absence requires notice in writing. " * 60
    crowd = {f"p{n}": [" ".join(f"{word} thing {sign}" for word in WORDS[n : n + 6] for sign in ".,") * 60] for n in range(FEWEST)}
    texts = {"a": [one], "b": [one.replace("simple", "easy")], "c": [other]}
    assert styles([said("a", "b")], texts) == [], "of three accounts nobody knows what is usual"
    texts |= crowd
    assert [flag.accounts for flag in styles([said("a", "b"), said("a", "c"), said("p1", "c")], texts)] == [("a", "b")]
    assert styles([said("a", "c")], texts) == []


WORDS = "the of and to in that with for not but as at from this then when if or by on over into what who how".split()
