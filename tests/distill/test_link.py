"""Across threads: copies fold into the earliest, little in common joins nothing, ids last and are never shared."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.drafts import pack
from distill.frames import read_frame
from distill.link import clusters, link, match_steps, opposite, rarity, read_goal, same_goal_bp
from distill.versions import evidence, lineages, new_id, version_id
from index.tables_procedures import StoredProcedure
from tests.distill.builders import SOURCE, axis, between, draft, floats_in

GOAL = axis(60)


def axes(*numbers: int) -> list[np.ndarray]:
    return [axis(n) for n in numbers]


def test_nothing_links_to_nothing() -> None:
    assert link([]) == {}
    (only,) = link([draft(1, 1, axes(1, 2, 3), GOAL)]).values()
    assert only.copies == [] and only.alternatives == set()


@pytest.mark.parametrize("late_first", [True, False])
def test_a_copy_folds_into_the_earliest(late_first: bool) -> None:
    early, late = draft(1, 1, axes(1, 2, 3, 4), GOAL, author="ann"), draft(2, 9, axes(1, 2, 3, 4), GOAL, author="kev")
    drafts = [late, early] if late_first else [early, late]
    linked = link(drafts)
    ((index, standing),) = linked.items()
    assert drafts[index] is early and standing.copies == [1 - index]
    assert standing.draft["copied_in"] == [late["thread"]]
    for step in standing.draft["steps"]:
        assert [c["handle"] for c in step["citations"]] == ["ann", "kev"]
        assert (step["first_said_by"], step["support"], step["text"]) == (f"{SOURCE}/u/ann", 0, early["steps"][step["n"] - 1]["text"])


def test_copies_of_copies_fold_into_one() -> None:
    drafts = [draft(n, 10 - n, axes(1, 2, 3, 4), GOAL) for n in range(1, 5)]
    ((index, standing),) = link(drafts).items()
    assert index == 3 and sorted(standing.copies) == [0, 1, 2]
    assert all(len(step["citations"]) == 4 for step in standing.draft["steps"])


def test_linking_changes_no_draft() -> None:
    drafts = [draft(1, 1, axes(1, 2, 3), GOAL), draft(2, 2, axes(1, 2, 3), GOAL)]
    before = copy.deepcopy(drafts)
    link(drafts)
    assert drafts == before


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        ((1, 2, 3), (1, 2, 3), True),
        ((1, 2), (1, 2), False),  # fewer than three in common
        ((1, 2, 3, 4, 5), (1, 2, 3, 14, 15), True),  # three of five, six tenths
        ((1, 2, 3, 4, 5, 6), (1, 2, 3, 14, 15, 16), False),  # three of six
        ((1, 2, 3), (1, 2, 3, 4, 5, 6, 7, 8), False),  # all of the shorter, three eighths of the longer
        ((1, 2, 3), (1, 2, 3, 4, 5, 6, 7), True),
        ((1, 2, 3, 4), (11, 12, 13, 14), False),
    ],
)
def test_how_much_makes_a_copy(left: Sequence[int], right: Sequence[int], joined: bool) -> None:
    linked = link([draft(1, 1, axes(*left), GOAL), draft(2, 2, axes(*right), GOAL)])
    assert len(linked) == (1 if joined else 2)
    if not joined:
        assert [entry.alternatives for entry in linked.values()] == [{1}, {0}]


def test_drafts_are_compared_by_a_shared_goal_and_alternatives_by_a_near_one() -> None:
    far, some, near = between(60, 61, 0.3), between(60, 61, 0.55), between(60, 61, 0.8)
    assert len(link([draft(1, 1, axes(1, 2, 3, 4, 5), GOAL), draft(2, 2, axes(1, 2, 3, 14, 15), far)])) == 2
    assert len(link([draft(1, 1, axes(1, 2, 3, 4, 5), GOAL), draft(2, 2, axes(1, 2, 3, 14, 15), some)])) == 1
    one, other = (named(draft(n, n, axes(n, n + 1, n + 2), GOAL), "Grow apple trees") for n in (1, 4))
    others = [link([one, {**other, "goal_vector": pack(goal)}]) for goal in (far, some, near)]
    assert [linked[0].alternatives for linked in others] == [set(), set(), {1}]


def test_the_same_verb_lowers_the_bar() -> None:
    a, b = draft(1, 1, axes(1), GOAL, ["open"]), draft(2, 2, [between(1, 2, 0.69)], GOAL, ["open"])
    assert match_steps(a, b).pairs == [(0, 0)]
    assert (
        match_steps(a, {**b, "step_verbs": ["tell"]}).pairs == match_steps({**a, "step_verbs": [""]}, {**b, "step_verbs": [""]}).pairs == []
    )


def test_steps_match_one_to_one_best_first() -> None:
    a, b = draft(1, 1, [axis(1), between(1, 2, 0.9)], GOAL), draft(2, 2, axes(1), GOAL)
    assert match_steps(a, b).pairs == [(0, 0)]
    assert match_steps(a, {**b, "step_vectors": [""]}).pairs == []


def negated(made: dict[str, Any], text: str) -> dict[str, Any]:
    made["steps"][0]["text"] = made["steps"][0]["citations"][0]["exact"] = text
    made["step_negated"] = [bool(frame and frame.negated) for frame in (read_frame(step["text"]) for step in made["steps"])]
    return made


def test_opposite_steps_do_not_match() -> None:
    """ "Do not delete the backup" is near to "Delete the backup" in every embedding, and no copy of it."""
    a = negated(draft(1, 1, axes(1, 2, 3), GOAL, ["delete", "", ""]), "Delete the backup")
    b = negated(draft(2, 2, [between(1, 9, 0.95), axis(2), axis(3)], GOAL, ["delete", "", ""]), "Do not delete the backup")
    assert (0, 0) not in match_steps(a, b).pairs
    assert len(link([a, b])) == 2


def named(made: dict[str, Any], goal: str, *steps: str) -> dict[str, Any]:
    """The draft with another goal, and with these words for its first steps."""
    made = copy.deepcopy(made) | {"goal": goal}
    for step, text in zip(made["steps"], steps, strict=False):
        step["text"] = text
    return made


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Send the tokens to Arbitrum", "Send the tokens to Optimism", False),
        ("Send the tokens to Arbitrum", "Transfer the tokens to Arbitrum", True),
        ("Send the tokens to Arbitrum", "Send the tokens to the other network", True),
        ("Wait for ten minutes", "Wait for 3 minutes", False),
        ("Wait for twenty-eight days", "Wait 28 days", True),
        ("Wait for 1,000 blocks", "Wait for 1000 blocks", True),
        ("Do NOT forget the key", "Do not forget the key", True),
    ],
)
def test_steps_with_names_or_numbers_of_their_own_differ(left: str, right: str, same: bool) -> None:
    a, b = (named(draft(n, n, axes(1), GOAL), "Plant", text) for n, text in ((1, left), (2, right)))
    matched = match_steps(a, b)
    assert (matched.pairs, matched.clashes) == (([(0, 0)], 0) if same else ([], 1))


def test_near_steps_that_differ_are_weighed_against_those_that_match() -> None:
    texts = ("Open the page", "Choose Arbitrum as the target", "Confirm it", "Wait 10 minutes", "Look at the balance")
    changed = (texts[0], "Choose Optimism as the target", texts[2], "Wait 3 minutes", texts[4])
    a, same, one, two = (
        named(draft(n, n, axes(1, 2, 3, 4, 5), GOAL), "Bridge", *steps)
        for n, steps in enumerate((texts, texts, (texts[0], changed[1], *texts[2:]), changed), 1)
    )
    assert [len(link([a, other])) for other in (same, one, two)] == [1, 1, 2]  # 4 against 1 is a copy, 3 against 2 is none
    to = [named(made, f"Bridge all that you have to {network}") for made, network in ((a, "Arbitrum"), (one, "Optimism"))]
    assert len(link(to)) == 2


@pytest.mark.parametrize(
    ("one", "other", "undone"),
    [("lock", "unlock", True), ("stake", "unstake", True), ("deposit", "withdraw", True), ("cover", "discover", True), ("open", "open", False),
     ("", "un", False), ("send", "post", False), ("up", "deup", False)],
)  # fmt: skip
def test_verbs_that_undo_each_other(one: str, other: str, undone: bool) -> None:
    assert opposite(one, other) == opposite(other, one) == undone


@pytest.mark.parametrize(
    ("one", "other", "odd"),
    [
        ("Grants of cycle 13", "Grants of cycle 19", True),
        ("Grants of cycle 13", "How grants of cycle 13 are made", False),
        ("Weekly call, March notes", "Weekly call, April notes", True),
        ("Weekly call #", "Weekly call #", True),
        ("Release of v29.1", "Release of 29.1", False),
        ("ABC-123: locked tokens", "ABC-456: locked tokens", False),
        ("Compile it on Debian with care", "Compile it on Windows with care", True),
        ("Compile It On Debian", "Compile It On Windows", False),  # every word has a capital: no telling which are names
        ("Stake with Rocket Pool at home", "Stake ETH with rocket pool at home", False),
        ("Enable the login", "Disable the login", True),
        ("May we plant trees", "May I plant 2 trees", False),
    ],
)
def test_goals_at_odds(one: str, other: str, odd: bool) -> None:
    a, b = read_goal(one), read_goal(other)
    weights = rarity([a.words, b.words])
    assert (same_goal_bp(a, b, weights, 9000) == 0) == (same_goal_bp(b, a, weights, 9000) == 0) == odd


def test_rare_words_weigh_more_in_whole_numbers() -> None:
    weights = rarity([frozenset({"token", "vault"}), frozenset({"token", "bridge"}), frozenset({"token"})])
    assert weights == {"token": 41, "vault": 200, "bridge": 200}  # ⌊100 · log2(4/3)⌋, ⌊100 · log2(4/1)⌋
    assert rarity([]) == {} and same_goal_bp(read_goal(""), read_goal(""), {}, 0) == 0


def test_a_copy_under_another_title_is_found_by_its_steps() -> None:
    elsewhere = draft(2, 2, axes(1, 2, 3, 4), axis(50))
    linked = link([draft(1, 1, axes(1, 2, 3, 4), GOAL), elsewhere, draft(3, 3, axes(5, 6, 7), axis(50))])
    assert {index: entry.copies for index, entry in linked.items()} == {0: [1], 2: []}


def test_a_chain_of_likenesses_joins_nothing_to_what_it_is_not_like() -> None:
    """The second is a paraphrase of the first and the third of the second, but the third is none of the first."""
    second = draft(2, 2, [between(n, n + 20, 0.8) for n in (1, 2, 3)], GOAL)
    third = draft(3, 3, [between(n + 20, n, 0.95) for n in (1, 2, 3)], GOAL)
    linked = link([draft(1, 1, axes(1, 2, 3), GOAL), second, third])
    assert len(match_steps(second, third).pairs) == 3
    assert {index: entry.copies for index, entry in linked.items()} == {0: [1], 2: []}


def test_steps_without_vectors_are_near_to_nothing() -> None:
    bare = {**draft(2, 2, axes(1, 2, 3), GOAL), "step_vectors": ["", "", ""]}
    assert len(link([draft(1, 1, axes(1, 2, 3), GOAL), bare, copy.deepcopy(bare)])) == 3


made_drafts = st.lists(
    st.tuples(
        st.integers(1, 28), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.sampled_from(["Plant trees", "Fell trees", "Plant"])
    ),
    min_size=1,
    max_size=7,
)


@settings(deadline=None)
@given(made_drafts, st.randoms(use_true_random=False))
def test_everything_stands_once_the_earliest_first_in_whatever_order_it_comes(rows: list[Any], chance: Any) -> None:
    drafts = [named(draft(n, day, axes(*steps), GOAL), goal) for n, (day, steps, goal) in enumerate(rows, 1)]
    linked = link(drafts)
    assert sorted([*linked, *(i for entry in linked.values() for i in entry.copies)]) == list(range(len(drafts)))
    for index, entry in linked.items():
        assert all((rows[index][0], drafts[index]["thread"]) <= (rows[i][0], drafts[i]["thread"]) for i in entry.copies)
        assert index not in entry.alternatives and all(index in linked[other].alternatives for other in entry.alternatives)
    shuffled = chance.sample(drafts, len(drafts))
    assert threads_of(link(shuffled), shuffled) == threads_of(linked, drafts)


def threads_of(linked: dict[int, Any], drafts: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {drafts[index]["thread"]: sorted(drafts[i]["thread"] for i in entry.copies) for index, entry in linked.items()}


def test_few_goals_have_no_clusters_and_many_have() -> None:
    assert clusters([GOAL.tobytes()] * 5) == [None] * 5
    goals = [between(base, 50 + n, 0.97).tobytes() for base in (1, 2) for n in range(6)]
    found = clusters(goals)
    assert found == clusters(goals) and all(label is None or label >= 0 for label in found)
    assert {label for label in found[:6] if label is not None}.isdisjoint(label for label in found[6:] if label is not None)


def known(identifier: str, made: dict[str, Any], version: int = 1) -> StoredProcedure:
    record = {"id": identifier, "goal": made["goal"], "steps": made["steps"], "supersedes": None}
    return StoredProcedure(identifier, version, version_id(made["goal"], made["steps"]), record, b"")


def test_nothing_new_said_keeps_id_and_version() -> None:
    made = draft(1, 1, axes(1, 2, 3), GOAL)
    old = known(new_id(made), made)
    again = copy.deepcopy(made)
    again["steps"][0] |= {"support": 7, "dissent": 2, "supporters": ["x"]}
    again["stances"], again["alternatives"] = [{"kind": "support"}], ["sop-x"]
    again["steps"][0]["citations"].append({**again["steps"][0]["citations"][0], "role": "confirms", "start": 900, "end": 905})
    assert lineages({0: again}, [old]) == {0: (old.id, old)}
    assert version_id(again["goal"], again["steps"]) == old.version_id
    assert new_id(made) == new_id(copy.deepcopy(made)) and new_id(made).startswith("sop-") and len(new_id(made)) == 16


@pytest.mark.parametrize("change", ["text", "goal", "exact", "order", "citation"])
def test_what_is_said_makes_the_version(change: str) -> None:
    made = draft(1, 1, axes(1, 2, 3), GOAL)
    other = copy.deepcopy(made)
    if change == "text":
        other["steps"][1]["text"] += "!"
    elif change == "goal":
        other["goal"] += "!"
    elif change == "exact":
        other["steps"][1]["citations"][0]["exact"] += "!"
    elif change == "order":
        other["steps"].reverse()
    else:
        other["steps"][1]["citations"].append({**other["steps"][1]["citations"][0], "start": 900})
    assert version_id(other["goal"], other["steps"]) != version_id(made["goal"], made["steps"])
    old = known("sop-old", made)
    assert lineages({0: other}, [old]) == {0: ("sop-old", old)}


def spans(made: dict[str, Any], *starts: int) -> dict[str, Any]:
    for step, start in zip(made["steps"], starts, strict=True):
        step["citations"][0] |= {"start": start, "end": start + 5, "exact": f"at {start:02d}"}
    return made


def test_a_lineage_is_taken_over_by_overlap_only() -> None:
    old = known("sop-old", spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 10, 20, 30, 40))
    much = spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 10, 20, 70, 80)
    little = spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 50, 60, 70, 40)
    assert lineages({0: much}, [old])[0] == ("sop-old", old)
    assert lineages({0: little}, [old])[0][1] is None and lineages({0: little}, [old])[0][0] != "sop-old"


def test_most_evidence_wins_and_each_lineage_goes_once() -> None:
    old = known("sop-old", spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 10, 20, 30, 40))
    two, three = spans(draft(1, 1, axes(1, 2), GOAL), 10, 20), spans(draft(1, 1, axes(1, 2, 3), GOAL), 10, 30, 40)
    found = lineages({0: two, 1: three}, [old])
    assert found[1] == ("sop-old", old) and found[0][1] is None and found[0][0] != "sop-old"


def test_two_drafts_never_share_an_id() -> None:
    made = draft(1, 1, axes(1, 2, 3), GOAL)
    found = lineages({n: copy.deepcopy(made) for n in range(5)}, [known(new_id(made), made)])
    assert len({identifier for identifier, _ in found.values()}) == 5


def test_a_new_procedure_never_takes_an_old_id_without_its_history() -> None:
    """It begins with the same words as one of old, and has too little else in common with it to go on with it."""
    old_draft = spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 10, 20, 30, 40)
    fresh = spans(draft(1, 1, axes(1, 2, 3, 4), GOAL), 10, 60, 70, 80)
    ((identifier, before),) = lineages({0: fresh}, [known(new_id(old_draft), old_draft)]).values()
    assert before is not None or identifier != new_id(old_draft)


def test_nothing_hashed_holds_a_float() -> None:
    made = draft(1, 1, axes(1, 2, 3), GOAL)
    linked = link([made, draft(2, 2, axes(1, 2, 3), GOAL)])
    assert floats_in([entry.draft for entry in linked.values()]) == []
    assert floats_in(sorted(evidence(made["steps"]))) == []


@pytest.mark.parametrize(("shared", "alike"), [(0.9, True), (0.3, False)])
def test_procedures_of_one_thread_are_alternatives_where_they_do_like_things(shared: float, alike: bool) -> None:
    one = draft(1, 1, axes(1, 2, 3), GOAL)
    other = {**draft(2, 2, [between(n, n + 10, shared) for n in (1, 2, 3)], GOAL), "thread": one["thread"]}
    # not copies: the verbs and numbers of the steps are their own
    for step, text in zip(other["steps"], ("Wait 4 days", "Sign 5 slips", "Lift 6 lids"), strict=True):
        step["text"] = text
    linked = link([one, other])
    assert [sorted(entry.alternatives) for entry in linked.values()] == ([[1], [0]] if alike else [[], []])
