"""Each rule of credit, one test."""

from __future__ import annotations

import random
from typing import Any

import pytest

from index.config import RewardsConfig
from index.errors import ConfigError
from rewards.credit import POINTS_PER_STEP, Earned, PostFacts, earn, like_level
from tests.rewards.builders import author_id, cite, facts_of, post_id, procedure, stance, step

WEIGHTS = RewardsConfig()


def points(earned: Earned, role: str | None = None) -> dict[str, int]:
    """handle → points"""
    found: dict[str, int] = {}
    for credit in earned.credits:
        if role in (None, credit.role):
            name = credit.author.rpartition("/")[2]
            found[name] = found.get(name, 0) + credit.points
    return found


def reasons(earned: Earned) -> dict[str, str]:
    return {entry.author.rpartition("/")[2]: entry.reason for entry in earned.uncredited}


def earn_one(record: dict[str, Any], returned: frozenset[tuple[str, str]] = frozenset(), **changes: dict[str, Any]) -> Earned:
    return earn([record], facts_of(record, **changes), WEIGHTS, returned)


def test_the_first_speaker_earns_and_a_late_copy_earns_nothing() -> None:
    earned = earn_one(procedure(step(1, cite(2, "copycat", 9), cite(1, "ann", 1))))
    assert points(earned) == {"ann": 700_000}
    assert reasons(earned) == {"copycat": "late copy"}
    assert earned.credits[0].post == post_id(1)
    assert earned.credits[0].why == "first to say step 1; 1 who repeated it later earns nothing for that"
    assert post_id(1) in earned.uncredited[0].detail


def test_ties_in_time_go_to_the_lower_post_id() -> None:
    assert points(earn_one(procedure(step(1, cite(2, "bob", 1), cite(1, "ann", 1))))) == {"ann": 700_000}


def test_a_second_mention_earns_nothing() -> None:
    once = earn_one(procedure(step(1, cite(1, "ann", 1))))
    again = earn_one(
        procedure(
            step(1, cite(1, "ann", 1), cite(2, "ann", 2), cite(3, "ann", 3, "confirms")),
            stances=(stance("amendment", 1, cite(4, "ann", 4)), stance("support", 1, cite(5, "ann", 5))),
        )
    )
    assert points(once) == points(again) == {"ann": 700_000}


def test_length_and_number_of_citations_are_irrelevant() -> None:
    short = earn_one(procedure(step(1, cite(1, "ann", 1))))
    long = earn_one(procedure(step(1, *[cite(n, "ann", n, exact="Fill in the form. " * 500) for n in range(1, 20)], text="word " * 900)))
    assert points(short) == points(long)


def test_an_amendment_that_repeats_another_earns_nothing() -> None:
    amendments = tuple(stance("amendment", 1, cite(n, f"amender{n}", n)) for n in (2, 3, 4))
    earned = earn_one(procedure(step(1, cite(1, "ann", 1)), stances=amendments))
    assert points(earned, "amended") == {"amender2": 200_000}
    assert reasons(earned) == {"amender3": "late copy", "amender4": "late copy"}
    assert earned.credits[1].why == "amendment 1 of 1 of step 1"


def test_a_sole_amender_gets_the_whole_share_out_of_the_first_speakers_also_when_restating_the_step() -> None:
    record = procedure(step(1, cite(1, "ann", 1), cite(2, "bob", 2)), stances=(stance("amendment", 1, cite(2, "bob", 2)),))
    earned = earn_one(record)
    assert points(earned) == {"ann": 500_000, "bob": 200_000}
    assert earned.credits[0].why == "first to say step 1; who amended it takes 200,000 of it"


def test_what_an_amender_who_may_not_be_paid_would_take_is_not_handed_back() -> None:
    record = procedure(step(1, cite(1, "ann", 1)), stances=(stance("amendment", 1, cite(2, "bob", 2)),))
    assert points(earn_one(record, p2={"gone": True})) == {"ann": 500_000}


def test_who_repeats_an_amendment_that_the_first_speaker_made_earns_nothing() -> None:
    record = procedure(
        step(1, cite(1, "ann", 1)), stances=(stance("amendment", 1, cite(2, "ann", 2)), stance("amendment", 1, cite(3, "bob", 3)))
    )
    assert points(earn_one(record)) == {"ann": 700_000}
    assert reasons(earn_one(record)) == {"bob": "late copy"}


def test_who_confirms_first_takes_as_much_as_they_are_trusted() -> None:
    record = procedure(
        step(1, cite(1, "ann", 1), cite(2, "bob", 2, "confirms"), cite(3, "bob", 3, "confirms")),
        stances=(
            stance("support", 1, cite(4, "cleo", 4)),
            stance("support", None, cite(5, "dora", 5)),
            stance("dissent", 1, cite(6, "eve", 6)),
        ),
    )
    assert points(earn_one(record), "confirmed") == {"bob": 100_000}
    assert reasons(earn_one(record)) == {"cleo": "nothing left"}


def test_a_copy_is_not_a_confirmation() -> None:
    record = procedure(step(1, cite(1, "ann", 1), cite(2, "copycat", 2)), stances=(stance("support", 1, cite(2, "copycat", 2)),))
    assert points(earn_one(record)) == {"ann": 700_000}


def test_shares_without_a_taker_are_not_handed_on() -> None:
    assert sum(points(earn_one(procedure(step(1, cite(1, "ann", 1))))).values()) == POINTS_PER_STEP * 7 // 10


def test_likes_weigh_little_and_saturate() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    few, many, crowd = (
        points(earn_one(record, p1={"likers": tuple(author_id(f"fan{i}") for i in range(count))}), "liked")["ann"]
        for count in (1, 31, 5_000)
    )
    assert (few, many, crowd) == (10_000, 50_000, 50_000)


def test_an_unnamed_like_weighs_a_tenth() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    assert points(earn_one(record, p1={"unnamed_likes": 9}), "liked") == {}
    assert points(earn_one(record, p1={"unnamed_likes": 10}), "liked") == {"ann": 10_000}
    assert [like_level(10_000 * count) for count in (0, 1, 2, 3, 6, 7, 31, 10**9)] == [0, 1, 1, 2, 2, 3, 5, 5]


def test_self_likes_count_nothing() -> None:
    assert "liked" not in {c.role for c in earn_one(procedure(step(1, cite(1, "ann", 1))), p1={"likers": (author_id("ann"),)}).credits}


def test_likes_that_are_returned_count_nothing() -> None:
    ring = frozenset({(author_id("bob"), author_id("ann")), (author_id("ann"), author_id("bob"))})
    record, likers = procedure(step(1, cite(1, "ann", 1))), {"likers": (author_id("bob"),)}
    assert points(earn_one(record, p1=likers), "liked") == {"ann": 10_000}
    assert points(earn_one(record, ring, p1=likers), "liked") == {}


def test_likes_count_at_each_post_so_that_dividing_posts_among_accounts_gains_nothing() -> None:
    fan = {"likers": (author_id("fan"),)}
    one = points(earn_one(procedure(step(1, cite(2, "ann", 1)), step(2, cite(1, "ann", 2))), p1=fan, p2=fan), "liked")
    two = points(earn_one(procedure(step(1, cite(2, "ann", 1)), step(2, cite(1, "bea", 2))), p1=fan, p2=fan), "liked")
    assert sum(one.values()) == sum(two.values()) == 20_000


def test_no_share_of_a_post_that_may_not_be_paid_and_none_for_its_copier() -> None:
    earned = earn_one(procedure(step(1, cite(1, "ann", 1), cite(2, "copycat", 2))), p1={"payable": False})
    assert points(earned) == {}
    assert reasons(earned) == {"ann": "source not payable", "copycat": "late copy"}


def test_a_post_gone_or_unknown_is_no_receipt() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    assert reasons(earn_one(record, p1={"gone": True})) == {"ann": "post gone"}
    assert reasons(earn_one(record, p1={"author": author_id("someone else")})) == {"ann": "no receipt"}
    assert reasons(earn([record], {}, WEIGHTS)) == {"ann": "no receipt"}


def test_a_step_that_nobody_states_earns_nothing() -> None:
    assert points(earn_one(procedure(step(1, cite(1, "ann", 1, "confirms"))))) == {}


def test_shares_over_a_whole_are_refused() -> None:
    with pytest.raises(ConfigError, match="over 10000"):
        earn([], {}, RewardsConfig(first_said_bp=9_500))
    with pytest.raises(ConfigError, match="both are paid out of it"):
        earn([], {}, RewardsConfig(first_said_bp=1_000))


def test_the_order_of_the_input_does_not_matter() -> None:
    records = [
        procedure(
            *(step(n, cite(n, f"a{n}", n), cite(n + 10, f"b{n}", n + 1), cite(n + 20, "c", n + 2, "confirms")) for n in range(1, 6)),
            id=f"sop-{k}",
            stances=tuple(stance("amendment", n, cite(30 + n, f"d{n % 2}", 20)) for n in range(1, 6)),
        )
        for k in range(3)
    ]
    facts = {key: PostFacts(f.author, True, False, (author_id("fan"), author_id("c"))) for key, f in facts_of(*records).items()}
    told = earn(records, facts, WEIGHTS)
    for seed in range(20):
        shuffle = random.Random(seed).shuffle
        mixed = [{**record, "steps": [{**s, "citations": list(s["citations"])} for s in record["steps"]]} for record in records]
        shuffle(mixed)
        for record in mixed:
            shuffle(record["steps"])
            for s in record["steps"]:
                shuffle(s["citations"])
        assert earn(mixed, facts, WEIGHTS) == told
