"""Paraphrased copies are joined, near misses are not: on procedures written for this project, with the real encoder."""

from __future__ import annotations

import pytest

from distill.link import link
from tests.distill.paraphrases import FILES, Found, Place, drafts_of, linked


@pytest.fixture(scope="module", params=FILES)
def found(request: pytest.FixtureRequest) -> Found:
    return linked(drafts_of(request.param))


def test_wrong_copies_are_rarer_than_missed_ones(found: Found) -> None:
    """A wrong one takes credit from its author, a missed one only shows two."""
    right = len(found.copies & found.wanted_copies)
    assert right / len(found.copies) >= 0.95 and right / len(found.wanted_copies) >= 0.8


def test_another_way_is_an_alternative_and_another_goal_is_none(found: Found) -> None:
    right = len(found.alternatives & found.wanted_alternatives)
    assert right / len(found.alternatives) >= 0.9 and right / len(found.wanted_alternatives) >= 0.75


def test_no_copy_joins_what_belongs_to_different_families(found: Found) -> None:
    assert all(len({number for number, _ in pair}) == 1 for pair in found.copies)


def test_the_earliest_is_the_origin_and_nobody_gains_a_voice() -> None:
    drafts = drafts_of(FILES[0])
    places: list[Place] = list(drafts)
    joined = {origin: entry for origin, entry in link(list(drafts.values())).items() if entry.copies}
    assert joined
    for origin, entry in joined.items():
        assert places[origin][1] == "base"
        for step, before in zip(entry.draft["steps"], drafts[places[origin]]["steps"], strict=True):
            assert {key: step[key] for key in ("text", "support", "dissent", "supporters", "first_said_by", "first_said_in")} == {
                key: before[key] for key in ("text", "support", "dissent", "supporters", "first_said_by", "first_said_in")
            }
