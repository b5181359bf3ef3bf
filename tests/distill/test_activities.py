"""All that a passage says is done: coordination, passives, chains; not conditions, purposes or what is thought."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.activities import read_activities

CASES: list[tuple[str, list[tuple[str, str | None, str | None]]]] = [
    # (text, [(verb, object, actor)])
    ("The miller grinds the wheat.", [("grinds", "the wheat", "The miller")]),
    (
        "The miller then grinds the wheat and fills the sacks.",
        [("grinds", "the wheat", "The miller"), ("fills", "the sacks", "The miller")],
    ),
    ("The wheat is weighed by the miller.", [("weighed", "The wheat", "the miller")]),
    ("The wheat must not be stored before it is dried.", [("stored", "The wheat", None), ("dried", "it", None)]),
    ("When a cart arrives, the gate is opened.", [("arrives", None, "a cart"), ("opened", "the gate", None)]),
    ("If the wheat is wet, the miller rejects it.", [("rejects", "it", "the miller")]),
    ("The clerk needs to check the receipt.", [("check", "the receipt", "The clerk")]),
    (
        "Open the valve, lock the door and wait for the bell.",
        [("Open", "the valve", None), ("lock", "the door", None), ("wait", None, None)],
    ),
    ("We start filling the tank.", [("filling", "the tank", "We")]),
    ("The inspector checks whether the seal is broken.", [("checks", None, "The inspector")]),
    ("The Harbour Office sends the permit to the captain.", [("sends", "the permit", "The Harbour Office")]),
    ("The first task is to count the crates.", [("count", "the crates", None)]),
    ("The crates are heavy.", []),
    ("The captain has three crates.", []),
    ("The sender of the parcel is asked to sign the form.", [("sign", "the form", "The sender of the parcel")]),
    ("", []),
]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_activities(text: str, wanted: list[tuple[str, str | None, str | None]]) -> None:
    found = read_activities(text)
    told = [tuple(None if span is None else text[slice(*span)] for span in (a.verb, a.object, a.actor)) for a in found]
    assert told == wanted


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("The Harbour Office sends the permit to the captain.", "the captain"),
        ("The clerk informs the captain about the delay.", "the captain"),
        ("The clerk locks the door.", None),
    ],
)
def test_whom_it_is_told(text: str, party: str | None) -> None:
    (found,) = read_activities(text)
    assert (text[slice(*found.party)] if found.party else None) == party


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("The clerk does not open the letter.", [True]),
        ("The letter is never opened.", [True]),
        ("The letter isn't opened.", [True]),
        ("The clerk can't open the letter.", [True]),
        ("The clerk won’t open the letter.", [True]),
        ("The clerk cannot open the letter.", [True]),
        ("Don't open the letter.", [True]),
        ("Never open the letter.", [True]),
        ("No clerk opens the letter.", [True]),
        ("Nobody opens the letter.", [True]),
        ("The clerk is asked not to open the letter.", [True]),
        ("Do not open the letter or burn it.", [True, True]),
        ("The clerk does not open the letter but she burns it.", [True, False]),
        ("The letter is not opened and the clerk burns it.", [True, False]),
        ("The clerk opens the letter.", [False]),
    ],
)
def test_what_is_not_done_is_negated(text: str, negated: list[bool]) -> None:
    assert [a.negated for a in read_activities(text)] == negated


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "If ",
                "then ",
                "to ",
                "open ",
                " the ",
                ": ",
                ", ",
                "is ",
                "sent ",
                "by ",
                "not ",
                "and ",
                "that ",
                "who ",
                "’s ",
                "(",
                "\n",
                "é",
                "keeper ",
                "checks ",
                "Keys ",
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_parts_lie_in_the_passage(text: str) -> None:
    """Never raises; verbs come in the order of the text, and no two share a word."""
    found = read_activities(text)
    for activity in found:
        for start, end in filter(None, (activity.verb, activity.object, activity.actor, activity.party)):
            assert 0 <= start < end <= len(text) and text[start:end].strip()
    assert all(a.verb[1] <= b.verb[0] for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("words", ["then ", "of the ", "need to ", "and open ", "the keeper checks of ", "do not ", "who then checks "])
def test_a_wall_of_text_costs_no_more_than_a_long_sentence(words: str) -> None:
    read_activities("Open the gate.")  # loads the dictionary
    began = time.perf_counter()
    read_activities(words * 20_000)
    assert time.perf_counter() - began < 2
