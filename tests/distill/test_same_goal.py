"""The bench of goals across threads: numbers stay hidden, and its figures count what they say."""

from __future__ import annotations

import pytest

from bench.same_goal import components, joined, masked, measures, proposal_numbers, word_neighbours


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("ABC about EIP-1234: Vaults", "ABC about : Vaults"),
        ("erc4321 and RIP 99 and CAIP‑10", "and and"),
        ("The 1234 again, see https://example.org/eip-1234 there", "The again, see there"),
        ("Call #145 of 2024", "Call ## of #"),
        ("Wait 12 days", "Wait 12 days"),
    ],
)
def test_numbers_of_proposals_and_links_are_hidden(text: str, hidden: str) -> None:
    assert masked(text, frozenset({"1234", "4321", "2024"})) == hidden


def test_numbers_of_proposals_are_those_behind_their_kind() -> None:
    assert proposal_numbers(["EIP-12 and ERC 345", "Call 678", "EIPs/901"]) == {"12", "345", "901"}


def test_groups_that_share_a_topic_are_one_and_pairs_are_not() -> None:
    group, pairs = components([10, 20, 30, 40], {"1": [10, 20], "2": [20, 30], "3": [40, 99]})
    assert group == [0, 0, 0, 3] and pairs == {(0, 1), (1, 2)}
    assert joined(5, [(3, 4), (1, 3)]) == [0, 1, 2, 1, 1]


def test_measures() -> None:
    assert measures(2, 4, 8) == {"P": 0.5, "R": 0.25, "F1": 4 / 12}
    assert measures(0, 0, 0) == {"P": 0.0, "R": 0.0, "F1": 0.0}


def test_neighbours_by_words_share_the_heaviest() -> None:
    words = [frozenset(text.split()) for text in ("a x", "a b x", "b c", "d")]
    assert word_neighbours(words, {"a": 5, "b": 3, "c": 3, "d": 9, "x": 1}, 1) == {(0, 1), (1, 2)}
