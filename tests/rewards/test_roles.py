"""The roles beyond first_said: what each takes, from whom, and what nobody gains by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import tables_rewards
from index.config import Config, RewardsConfig
from index.store import Store
from rewards.credit import Earned, earn
from rewards.facts import Evidence, PostFacts, Question, Report, forums_own
from rewards.moments import Moment
from rewards.pipeline import credit
from rewards.shapley import shapley
from rewards.weights import shipped
from tests.rewards.builders import author_id, cite, facts_of, post_id, procedure, put_forum, put_procedures, stance, step

WEIGHTS = RewardsConfig()


def points(earned: Earned, *roles: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in earned.credits:
        if not roles or one.role in roles:
            name = one.author.rpartition("/")[2]
            found[name] = found.get(name, 0) + one.points
    return found


def trusting(**levels: int) -> dict[str, int]:
    return {author_id(name): level for name, level in levels.items()}


def run(*records: dict[str, Any], evidence: Evidence | None = None, extra: dict[str, PostFacts] | None = None) -> Earned:
    return earn(list(records), {**facts_of(*records), **(extra or {})}, WEIGHTS, evidence=evidence)


def test_the_shipped_file_holds_the_defaults() -> None:
    assert shipped() == RewardsConfig()


# --- trust of voices ------------------------------------------------------------------------------------------------


def test_a_confirmation_counts_as_far_as_it_is_trusted_and_leaves_the_rest() -> None:
    record = procedure(step(1, cite(1, "ann", 1), *(cite(n, f"b{n}", n, "confirms") for n in (2, 3, 4, 5))))
    earned = run(record, evidence=Evidence(trust=trusting(b2=4_000, b4=5_000, b5=5_000)))
    assert points(earned, "confirmed") == {"b2": 40_000, "b4": 50_000, "b5": 10_000}
    assert [u.reason for u in earned.uncredited] == ["not trusted"]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6), st.integers(0, 5), st.integers(2, 5))
def test_dividing_trust_among_accounts_gains_no_confirmer_anything(levels: list[int], place: int, parts: int) -> None:
    place %= len(levels)
    split = [*levels[:place], *([levels[place] // parts] * parts), *levels[place + 1 :]]

    def taken(trust: list[int]) -> list[int]:
        record = procedure(step(1, cite(1, "ann", 1), *(cite(n, f"v{n}", n, "confirms") for n in range(2, 2 + len(trust)))))
        got = points(run(record, evidence=Evidence(trust=trusting(**{f"v{n}": t for n, t in enumerate(trust, 2)}))), "confirmed")
        return [got.get(f"v{n}", 0) for n in range(2, 2 + len(trust))]

    assert sum(taken(split)[place : place + parts]) <= taken(levels)[place]


def test_trusted_dissent_outweighs_support_and_a_crowd_of_strangers_does_not() -> None:
    heard = [cite(1, "ann", 1), cite(2, "bob", 2, "confirms")]
    crowd = tuple(stance("dissent", 1, cite(n, f"stranger{n}", n)) for n in range(3, 28))
    trust = trusting(bob=5_000, critic=6_000)
    assert points(run(procedure(step(1, *heard), stances=crowd), evidence=Evidence(trust=trust)), "confirmed") == {"bob": 50_000}
    against = (stance("dissent", 1, cite(3, "critic", 3)),)
    earned = run(procedure(step(1, *heard), stances=against), evidence=Evidence(trust=trust))
    assert points(earned, "confirmed") == {} and [u.reason for u in earned.uncredited] == ["outweighed"]


# --- amendments -----------------------------------------------------------------------------------------------------

SAYINGS = ("attach a photo of the meter", "send a paper copy to the clerk", "wait three days before asking again")


def amended(*authors: str, levels: dict[str, int] | None = None) -> dict[str, int]:
    amendments = tuple(stance("amendment", 1, cite(n, a, n, exact=SAYINGS[n - 2])) for n, a in enumerate(authors, 2))
    trust = None if levels is None else trusting(**levels)
    return points(run(procedure(step(1, cite(1, "ann", 1)), stances=amendments), evidence=Evidence(trust=trust)), "amended")


def test_distinct_amendments_share_alike_and_a_second_one_is_no_second_share() -> None:
    assert amended("bob", "cleo") == {"bob": 100_000, "cleo": 100_000}
    assert amended("bob", "bob", "cleo")["bob"] <= 100_000
    assert amended("bob", "cleo", levels={"bob": 2_000}) == {"bob": 40_000}


def test_amending_from_two_accounts_brings_no_more_than_from_one() -> None:
    one = amended("bob", "bob", "cleo", levels={"bob": 6_000, "cleo": 8_000})["bob"]
    two = amended("bob", "bea", "cleo", levels={"bob": 3_000, "bea": 3_000, "cleo": 8_000})
    assert two["bob"] + two["bea"] <= one


def person_gets(levels: dict[str, int], owner: dict[int, str], mine: set[str]) -> int:
    """What accounts get of two steps and of what was said to them; `owner` names who wrote which post."""
    said = {1: "Fill in form G2 in ink.", 2: "Wait three days before you ask.", 3: SAYINGS[0], 4: SAYINGS[1], 5: SAYINGS[2]}
    steps = step(1, cite(1, owner[1], 1, exact=said[1])), step(2, cite(2, owner[2], 1, exact=said[2]))
    stances = tuple(stance("amendment", n, cite(post, owner[post], post, exact=said[post])) for n, post in ((1, 3), (1, 4), (2, 5)))
    got = points(run(procedure(*steps, stances=stances), evidence=Evidence(trust=trusting(**levels))))
    return sum(amount for name, amount in got.items() if name in mine)


@given(st.lists(st.sampled_from(["ann", "bob"]), min_size=5, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_dividing_ones_statements_and_amendments_among_accounts_gains_nothing(authors: list[str], moved: list[bool]) -> None:
    """However ann deals her posts out to ann and ann2, and her trust with them, she gets no more than under one name."""
    one = dict(enumerate(authors, 1))
    two = {n: "ann2" if name == "ann" and move else name for (n, name), move in zip(one.items(), moved, strict=True)}
    whole = person_gets({"ann": 6_000, "bob": 8_000}, one, {"ann"})
    for share in (0, 1_500, 3_000, 6_000):
        assert person_gets({"ann": 6_000 - share, "ann2": share, "bob": 8_000}, two, {"ann", "ann2"}) <= whole + 1


# --- Shapley --------------------------------------------------------------------------------------------------------


def test_shapley_is_exact_for_few_and_close_for_many() -> None:
    # The glove game: players 0 and 1 hold left gloves, player 2 the right one.
    glove = shapley(3, lambda players: 600 * (2 in players and len(players) > 1))
    assert glove == [100, 100, 400]
    many = shapley(20, lambda players: min(1_000, 100 * len(players)))
    assert sum(many) == 1_000 and max(abs(share - 50) for share in many) < 15
    assert many == shapley(20, lambda players: min(1_000, 100 * len(players)))


@given(st.lists(st.integers(0, 10_000), min_size=0, max_size=12))
def test_shapley_shares_sum_to_the_whole(levels: list[int]) -> None:
    def value(players: Any) -> int:
        return min(10_000, sum(levels[p] for p in players))

    shares = shapley(len(levels), value)
    assert sum(shares) == value(range(len(levels))) and all(share >= 0 for share in shares)


# --- objections and questions ---------------------------------------------------------------------------------------


def corrected(*stances_: dict[str, Any]) -> dict[str, Any]:
    made = step(1, cite(1, "ann", 1, exact="Wait 14 days."), cite(9, "ann", 9, exact="Wait 21 days, not 14."), text="Wait 21 days.")
    return procedure({**made, "previous_text": "Wait 14 days."}, stances=stances_)


def test_who_objected_before_the_correction_earns_and_who_came_after_does_not() -> None:
    early, late = stance("dissent", 1, cite(2, "eve", 2)), stance("dissent", 1, cite(10, "zoe", 10))
    assert points(run(corrected(early, late)), "objected") == {"eve": 50_000}
    assert points(run(procedure(step(1, cite(1, "ann", 1)), stances=(early,))), "objected") == {}
    assert points(run(corrected(stance("dissent", 1, cite(2, "ann", 2)))), "objected") == {}


def asked(who: str = "quin", trust: dict[str, int] | None = None, answer_by: str = "ann") -> dict[str, int]:
    question = Question(author_id(who), post_id(50), "2024-04-01T10:00:00Z", 0, 20, "How do I do it, please?")
    record = procedure(step(1, cite(1, answer_by, 1), cite(2, "bob", 2, "confirms")))
    evidence = Evidence(trust=None if trust is None else trusting(**trust), questions={post_id(1): question})
    return points(run(record, evidence=evidence, extra={post_id(50): PostFacts(author_id(who), True, False)}), "asked")


def test_what_the_asker_takes_comes_out_of_the_answer_so_asking_oneself_gains_nothing() -> None:
    question = Question(author_id("quin"), post_id(50), "2024-04-01T10:00:00Z", 0, 20, "How do I do it, please?")
    record = procedure(step(1, cite(1, "ann", 1), cite(2, "bob", 2, "confirms")))
    extra = {post_id(50): PostFacts(author_id("quin"), True, False)}
    earned = run(record, evidence=Evidence(trust=trusting(quin=4_000, bob=10_000), questions={post_id(1): question}), extra=extra)
    assert points(earned, "asked", "first_said") == {"ann": 680_000, "quin": 20_000}
    assert next(c.why for c in earned.credits if c.role == "first_said") == "first to say step 1; who asked for it takes 20,000 of it"


def test_the_question_that_drew_a_step_out_earns_as_far_as_asker_and_backers_are_trusted() -> None:
    assert asked() == {"quin": 50_000}
    assert asked(trust={"quin": 9_000, "bob": 3_000}) == {"quin": 15_000}
    assert asked(trust={"quin": 0, "bob": 9_000}) == {}
    assert asked(trust={"quin": 9_000, "bob": 0}) == {}
    assert asked(who="ann") == {}, "asking oneself"
    assert asked(who="bob") == {}, "the only one behind the answer is the asker"


# --- outcomes -------------------------------------------------------------------------------------------------------


def report(who: str, result: Any = "worked", n: int | None = 1) -> Report:
    return Report(author_id(who), "sop-1", n, result, "2024-06-01T10:00:00Z", f"outcome:{who}{result}")


def test_a_report_pays_its_author_and_whose_step_worked() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    evidence = Evidence(trust=trusting(rob=4_000), reports=(report("rob"),))
    earned = run(record, evidence=evidence)
    assert points(earned, "outcome") == {"rob": 20_000} and points(earned, "worked") == {"ann": 40_000}


def test_failures_are_worth_reporting_and_take_off_what_worked() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    evidence = Evidence(trust=trusting(rob=4_000, sue=3_000), reports=(report("rob"), report("sue", "failed")))
    earned = run(record, evidence=evidence)
    assert points(earned, "worked") == {"ann": 10_000} and points(earned, "outcome") == {"rob": 20_000, "sue": 15_000}


def test_a_report_of_ones_own_step_and_one_of_nobody_trusted_earn_nothing() -> None:
    record = procedure(step(1, cite(1, "ann", 1)))
    for who in ("ann", "stranger"):
        evidence = Evidence(trust=trusting(ann=10_000), reports=(report(who), report(who, n=None)))
        assert points(run(record, evidence=evidence), "outcome", "worked") == {}


def test_the_forum_reports_outcomes_too() -> None:
    did = cite(2, "rob", 2, "confirms", exact="I followed these steps and it worked for me.")
    failed = stance("dissent", 1, cite(3, "sue", 3, exact="This did not work for me at all."))
    earned = run(procedure(step(1, cite(1, "ann", 1), did), stances=(failed,)), evidence=Evidence(trust=trusting(rob=9_000, sue=2_000)))
    assert points(earned, "outcome") == {"rob": 45_000, "sue": 5_000} and points(earned, "worked") == {"ann": 70_000}


def test_standing_behind_the_whole_earns_once_however_many_steps_there_are() -> None:
    for count in (1, 9):
        record = procedure(
            *(step(n, cite(n, "ann", n)) for n in range(1, count + 1)), stances=(stance("support", None, cite(20, "dora", 20)),)
        )
        earned = run(record)
        assert points(earned, "supported") == {"dora": 50_000}
        assert [c.step for c in earned.credits if c.role == "supported"] == [0]


# --- whose accounts, and when ---------------------------------------------------------------------------------------


def test_the_forums_own_accounts_earn_nothing() -> None:
    assert [forums_own(*pair) for pair in (("d:h/u/-1", "system"), ("d:h/u/system", "System"), ("d:h/u/7", "ann"))] == [True, True, False]
    record = procedure(step(1, cite(1, "system", 1)))
    facts = {post_id(1): PostFacts(author_id("system"), True, False, forums_own=True)}
    earned = earn([record], facts, WEIGHTS)
    assert points(earned) == {} and earned.uncredited[0].reason == "forum's own account"


def test_words_edited_into_an_old_post_are_not_first() -> None:
    record = procedure(step(1, cite(1, "thief", 1), cite(2, "ann", 5)))
    assert points(run(record), "first_said") == {"thief": 700_000}
    late = Moment("2024-05-09T10:00:00Z", "edited into the post")
    evidence = Evidence(moments={(post_id(1), 0, len("Fill in the form.")): late})
    assert points(run(record, evidence=evidence), "first_said") == {"ann": 700_000}


def test_moments_decide_between_sops_too() -> None:
    text = "hand the signed lease over to the housing clerk"
    old = procedure(*(step(n, cite(n, "thief", 1), text=f"{text} {n}") for n in (1, 2)), id="sop-old", alternatives=("sop-new",))
    new = procedure(*(step(n, cite(n + 10, "ann", 5), text=f"{text} {n}") for n in (1, 2)), id="sop-new", alternatives=("sop-old",))
    assert points(run(old, new), "first_said") == {"thief": 1_400_000}
    evidence = Evidence(moments={(post_id(n), 0, len("Fill in the form.")): Moment("2024-06-01T00:00:00Z", "") for n in (1, 2)})
    assert points(run(old, new, evidence=evidence), "first_said") == {"ann": 1_400_000}


@pytest.mark.parametrize("role", ("asked_bp", "worked_bp", "supported_bp", "objected_bp"))
def test_weights_can_switch_a_role_off(role: str) -> None:
    record = procedure(step(1, cite(1, "ann", 1), cite(2, "bob", 2, "confirms")), stances=(stance("support", None, cite(3, "dora", 3)),))
    question = Question(author_id("quin"), post_id(50), "2024-04-01T10:00:00Z", 0, 20, "How?")
    evidence = Evidence(questions={post_id(1): question}, reports=(report("rob"),))
    facts = {**facts_of(record), post_id(50): PostFacts(author_id("quin"), True, False)}
    earned = earn([record], facts, replace(WEIGHTS, **{role: 0}), evidence=evidence)
    assert role.removesuffix("_bp") not in {c.role for c in earned.credits}


def test_two_accounts_of_one_person_are_one_voice() -> None:
    record = procedure(step(1, cite(1, "ann", 1), cite(2, "ann2", 2, "confirms"), cite(3, "bob", 3, "confirms")))
    evidence = Evidence(
        trust=trusting(ann2=9_000, bob=4_000), persons={author_id("ann"): author_id("ann"), author_id("ann2"): author_id("ann")}
    )
    assert points(run(record, evidence=evidence), "confirmed") == {"bob": 40_000}


def test_who_vouches_for_everything_counts_for_little_each_time() -> None:
    def earned(count: int) -> dict[str, int]:
        steps = (step(n, cite(n, "ann", n), cite(30, "bob", 20, "confirms")) for n in range(1, count + 1))
        return points(run(procedure(*steps), evidence=Evidence(trust=trusting(bob=10_000))), "confirmed")

    assert earned(1) == earned(5) == earned(20) == {"bob": 100_000}


def test_trust_is_a_budget_of_its_own_for_each_way_of_speaking() -> None:
    """Five amendments at full trust, and a word of praise beside them takes nothing from them."""

    def earned(count: int) -> dict[str, int]:
        steps = [step(n, cite(n, "ann", n), cite(60, "bob", 20, "confirms")) for n in range(1, count + 1)]
        new = [stance("amendment", n, cite(30 + n, "cleo", 21, exact=f"word{n} other{n} third{n} fourth{n}")) for n in range(1, count + 1)]
        record = procedure(*steps, stances=tuple(new))
        return points(run(record, evidence=Evidence(trust=trusting(bob=10_000, cleo=10_000))), "amended", "confirmed")

    assert earned(5) == {"bob": 100_000, "cleo": 1_000_000} and earned(10) == earned(5)


def test_an_objection_is_paid_from_the_version_on_that_followed_it(store: Store) -> None:
    objection = stance("dissent", 1, cite(2, "obi", 2, exact="That is too short."))
    before = procedure(step(1, cite(1, "ann", 1, exact="Wait 14 days."), text="Wait 14 days."), stances=(objection,))
    after = corrected(objection)
    put_forum(store, after)
    paid = []
    for version in (before, after):
        put_procedures(store, version)
        credit(store, Config())
        paid.append({c.author for c in tables_rewards.credits(store) if c.role == "objected"})
    assert paid == [set(), {author_id("obi")}]
