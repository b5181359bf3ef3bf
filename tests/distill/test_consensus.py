"""What the support measure promises, whatever the votes are."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.consensus import KNOWN_VOTES, SMALLEST_CAMP, Support, Voice, Vote, consensus

VOICES: tuple[Voice, ...] = ("agree", "disagree", "pass")
VOTERS, STATEMENTS = "abcdefghijklmnop", "12345678"
SPARSE = st.lists(st.tuples(st.sampled_from(VOTERS), st.sampled_from(STATEMENTS), st.sampled_from(VOICES)), max_size=60)
# Nearly everybody on nearly everything: enough to have habits and camps.
DENSE = st.lists(st.sampled_from((*VOICES, None)), min_size=128, max_size=128).map(
    lambda voices: [(v, s, voice) for (v, s), voice in zip(((v, s) for v in VOTERS for s in STATEMENTS), voices, strict=True) if voice]
)
VOTES = st.one_of(SPARSE, DENSE)


def camp(name: str, size: int, agrees: str, disagrees: str) -> list[Vote]:
    """Voters who agree with the statements of one string and disagree with those of the other."""
    return [(f"{name}{n}", s, "agree" if s in agrees else "disagree") for n in range(size) for s in agrees + disagrees]


@given(VOTES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_votes_does_not_matter(votes: list[Vote], chance: random.Random) -> None:
    shuffled = list(votes)
    chance.shuffle(shuffled)
    assert consensus(shuffled) == consensus(votes)
    assert consensus(votes + shuffled) == consensus(votes)  # a vote cast twice is one voice


@given(VOTES)
@settings(max_examples=60, deadline=None)
def test_basis_points_keep_their_bounds_and_voices_are_counted_once(votes: list[Vote]) -> None:
    found = consensus(votes, ["silent"])
    assert set(found) == {s for _, s, _ in votes} | {"silent"}
    for name, support in found.items():
        for bp in (support.share_bp, support.support_bp, support.common_bp):
            assert bp is None or 0 <= bp <= 10_000
        assert support.agree + support.disagree + support.passed == len({voter for voter, s, _ in votes if s == name})


@given(VOTES, st.sampled_from(STATEMENTS))
@settings(max_examples=100, deadline=None)
def test_one_more_who_agrees_never_lowers_and_one_who_disagrees_never_raises(votes: list[Vote], statement: str) -> None:
    before = consensus(votes, [statement])[statement].support_bp
    for crowd in (1, 7):
        agree: list[Vote] = [(f"new{n}", statement, "agree") for n in range(crowd)]
        against: list[Vote] = [(f"new{n}", statement, "disagree") for n in range(crowd)]
        assert consensus(votes + agree)[statement].support_bp >= before
        assert consensus(votes + against)[statement].support_bp <= before


def test_one_more_who_agrees_never_lowers_where_there_are_camps() -> None:
    votes = camp("a", 9, "123", "456") + camp("b", 6, "345", "126")
    before = consensus(votes)
    assert before["1"].common_bp is not None
    for statement in "123456":
        assert consensus([*votes, ("new", statement, "agree")])[statement].support_bp > before[statement].support_bp


@pytest.mark.parametrize(("agree", "disagree"), [(0, 0), (1, 0), (0, 1), (2, 1), (5, 0), (1, 4)])
def test_few_voices_on_one_step_are_a_plain_shrunken_share(agree: int, disagree: int) -> None:
    votes: list[Vote] = [(f"a{n}", "step", "agree") for n in range(agree)] + [(f"d{n}", "step", "disagree") for n in range(disagree)]
    share = (agree + 0.5) / (agree + disagree + 1)
    assert consensus(votes, ["step"])["step"] == Support(agree, disagree, 0, round(10_000 * share), None, round(10_000 * share))


def test_a_step_that_nobody_spoke_of_stands_between_the_liked_and_the_refused() -> None:
    found = consensus([("ann", "liked", "agree"), ("ben", "liked", "agree"), ("cy", "refused", "disagree")], ["silent"])
    assert found["refused"].support_bp < found["silent"].support_bp < found["liked"].support_bp
    assert found["silent"].agree == found["silent"].disagree == found["silent"].passed == 0


def test_more_voices_of_one_mind_weigh_more_than_fewer() -> None:
    votes: list[Vote] = [("a0", "few", "agree"), *[(f"a{n}", "many", "agree") for n in range(1, 9)], ("d", "other", "disagree")]
    found = consensus(votes)
    assert found["many"].support_bp > found["few"].support_bp


def test_who_agrees_and_disagrees_with_the_same_passes() -> None:
    assert consensus([("ann", "1", "agree"), ("ann", "1", "disagree")])["1"].passed == 1
    assert consensus([("ann", "1", "agree"), ("ann", "1", "pass")])["1"].agree == 1


def test_who_agrees_with_everything_says_less_than_who_chooses() -> None:
    """`praised` and `chosen` have one agreement and one disagreement each; only the agreements come from different people."""
    statements = [f"s{n}" for n in range(12)]
    easy: list[Vote] = [("easy", s, "agree") for s in [*statements, "praised"]]
    strict: list[Vote] = [("strict", s, "disagree") for s in statements] + [("strict", "chosen", "agree")]
    found = consensus([*easy, *strict, ("x", "praised", "disagree"), ("y", "chosen", "disagree")])
    assert found["chosen"].share_bp > found["praised"].share_bp


@pytest.mark.parametrize("times", [1, 3, 10])
def test_a_duplicated_camp_does_not_drown_the_other(times: int) -> None:
    """Both camps like 7 and 8; each likes what the other refuses."""
    votes = camp("b", 8, "45678", "123")
    for copy in range(times):
        votes += camp(f"a{copy}-", 8, "12378", "456")
    found = consensus(votes)
    refused_by_few, liked_by_all = found["1"], found["7"]
    assert liked_by_all.support_bp > refused_by_few.support_bp + 1000
    assert refused_by_few.common_bp is not None and refused_by_few.common_bp < 6000
    assert liked_by_all.common_bp is not None and liked_by_all.common_bp > 9000
    assert refused_by_few.support_bp < refused_by_few.share_bp or times == 1


@given(st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_camps_take_at_most_their_weight(times: int) -> None:
    votes = camp("a", 10 * times, "1234", "567") + camp("b", 5, "567", "1234")
    for support in consensus(votes).values():
        assert support.support_bp >= support.share_bp * 3 // 4 - 1  # both are rounded


def test_voters_of_few_votes_move_no_border() -> None:
    votes = camp("a", 9, "12378", "456") + camp("b", 6, "45678", "123")
    crowd: list[Vote] = [(f"c{n}", s, "agree") for n in range(30) for s in "1237"[: KNOWN_VOTES - 1]]
    found, before = consensus(votes + crowd)["4"], consensus(votes)["4"]
    assert found.common_bp is not None and before.common_bp is not None
    assert abs(found.common_bp - before.common_bp) < 500


def test_one_mind_has_no_camps() -> None:
    assert all(support.common_bp is None for support in consensus(camp("a", 30, "12345", "678")).values())


def test_nothing_said_is_nothing_known() -> None:
    assert consensus([]) == {}
    assert consensus([], ["1"])["1"].support_bp == 5000


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(ValueError, match="'like' on '1'"):
        consensus([("ann", "1", "like")])  # type: ignore[list-item]


def test_memory_grows_with_the_votes_not_with_the_table() -> None:
    """Four thousand voters with eight votes each on 5,000 statements: the table would take 160 MB, the votes a few."""
    chance = random.Random(0)
    votes: list[Vote] = [(f"v{n}", f"s{s}", chance.choice(VOICES)) for n in range(4_000) for s in chance.sample(range(5_000), 8)]
    tracemalloc.start()
    try:
        assert len(consensus(votes)) == len({s for _, s, _ in votes})
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("size", "is_camp"), [(SMALLEST_CAMP - 1, False), (SMALLEST_CAMP, True)])
def test_fewer_than_five_are_no_camp(size: int, is_camp: bool) -> None:
    found = consensus(camp("a", 20, "12345", "678") + camp("b", size, "678", "12345"))
    assert (found["1"].common_bp is not None) == is_camp
