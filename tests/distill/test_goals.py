"""What an SOP says of itself: its title, what it is for, what it needs, who takes part, with which tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from distill.goals import checks_of, goal_of, preconditions_of, purpose_of, roles_of, title_of_rival, tools_of
from distill.passages import ReadPost, read_post
from tests.distill.builders import stored


def test_roles_are_named_once_whatever_their_article_number_and_capitals() -> None:
    said = [
        "The panel",
        "the panel",
        "Each steward",
        "Stewards",
        None,
        "People",
        "anyone",
        "a coordinator",
        "The Tide Foundation",
        "every member of the group that ever was there",
    ]
    assert roles_of(said) == ["coordinator", "panel", "steward", "Tide Foundation"]


@pytest.mark.parametrize(
    ("step", "tools"),
    [
        ("Post the draft on GitHub.", ["GitHub"]),
        ("Collect the names in a HackMD.", ["HackMD"]),
        ("Open https://ballots.example.org/vote/1 and sign in.", ["ballots.example.org"]),
        ("Run tide-ctl status first.", ["tide-ctl"]),
        ("Edit harbour.toml by hand.", ["harbour.toml"]),
        ("Use the TideSplitter to part the sum.", ["TideSplitter"]),
        # compounds of plain words, names of things and variables are no tools
        ("Write a one-page draft.", []),
        ("Deploy a three-of-five multisig.", []),
        ("Use a second-hand router.", []),
        ("Publish the consent_set and d_i.", []),
        ("Ask the sub-committee to re-open it.", []),
        ("Wait for the GitHub's answer.", []),
        ("Look at https://pictures.example.org/a/lamp.jpg closely.", []),
    ],
)
def test_tools_are_programs_files_and_sites_that_are_used(step: str, tools: Sequence[str]) -> None:
    assert tools_of([step]) == list(tools)


def test_the_forum_itself_is_no_tool() -> None:
    assert tools_of(["Post it at https://forum.example.org/t/5."], "forum.example.org") == []


def home(*sentences: str) -> tuple[ReadPost, Callable[..., set[int]]]:
    post = read_post(stored(" ".join(sentences)), 0)

    def steps(*words: str) -> set[int]:
        return {n for n, passage in enumerate(post.passages) if passage.text.startswith(words)}

    return post, steps


STEPS = ("Drain the tank.", "Close the valve.", "Lift the lid.")
FIRST_WORDS = ("Drain", "Close", "Lift")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The goal of this guide is to keep the tank clean.", True),
        ("This post describes how we clean the tank at the harbour.", True),
        ("The purpose is to keep the tank clean for the winter.", True),
        ("She does it in order to keep the tank clean.", False),  # somebody's purpose, not the procedure's
        ("Put it on the shelf so that nobody trips over it.", False),
        ("My main goal these days is to sell the tank.", False),
    ],
)
def test_the_purpose_is_what_the_post_says_that_it_is_for(sentence: str, said: bool) -> None:
    post, steps = home(sentence, *STEPS)
    assert purpose_of(post, steps(*FIRST_WORDS)) == (sentence if said else None)


def test_a_purpose_behind_the_steps_is_of_something_else() -> None:
    post, steps = home(*STEPS, "The goal of this proposal is to sell the shed.")
    assert purpose_of(post, steps(*FIRST_WORDS)) is None


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("You will need a bucket and two cloths.", True),
        ("Applicants must have held a card for six months.", True),
        ("Prerequisites: a bucket, two cloths.", True),
        ("To take part you need at least one key.", True),
        ("I think this is more than you need!", False),
        ("This requires that the valve knows its twin.", False),
        ("Must have:", False),
        ("We needed a bucket last time.", False),
        ("Do you need a bucket?", False),
    ],
)
def test_preconditions_are_of_whoever_carries_it_out(sentence: str, said: bool) -> None:
    post, steps = home(sentence, *STEPS)
    assert preconditions_of(post, steps(*FIRST_WORDS)) == ([sentence] if said else [])


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("You should now see a green lamp.", True),
        ("To verify it, look at the gauge.", True),
        ("I happened to check it when I went back.", False),
    ],
)
def test_checks_tell_how_one_sees_that_it_worked(sentence: str, said: bool) -> None:
    post, steps = home(*STEPS, sentence)
    assert checks_of(post, steps(*FIRST_WORDS)) == ([sentence] if said else [])


@pytest.mark.parametrize(
    ("title", "goal"),
    [
        ("How to borrow a saw?", "Borrow a saw"),
        ("[Guide] Flashing a node", "Flash a node"),
        ("[DRAFT][Committee proposal: tools]", "Committee proposal: tools"),
        ("DRAFT][Committee proposal: tools]", "Committee proposal: tools"),
        ("# Cleaning the tank", "Clean the tank"),
        ("Clean the tank [call for action]", "Clean the tank"),
        ("Clean the tank (feedback requested)", "Clean the tank"),
        ("Clean the tank #7230", "Clean the tank"),
        ("TIP-12: A proposal to move the shed", "TIP-12: Move the shed"),
        ("Proposal to move the shed", "Move the shed"),
        ("Can we get a second key?", "Get a second key"),
        ("Where to post news of the shed?", "Post news of the shed"),
        ("Gradually moving the shed", "Gradually move the shed"),
        ("Reclaiming of lost keys", "Reclaim lost keys"),
        ("Disposing of old keys", "Dispose of old keys"),
        ("Reading and signing the card", "Read and sign the card"),
        ("Introducing repair committees", "Repair committees"),
        # what is a name, or asks what people think, stays
        ("Floating Keys - a lock for boats", "Floating Keys - a lock for boats"),
        ("How do you feel about a second key", "How do you feel about a second key"),
        ("vTankForShed considered useful", "vTankForShed considered useful"),
        ("Tank (POLL: blue or red)", "Tank (POLL: blue or red)"),
    ],
)
def test_titles_say_what_is_to_be_done(title: str, goal: str) -> None:
    assert goal_of(title, "") == goal


def test_further_procedures_of_a_thread_have_titles_of_their_own() -> None:
    titles = [
        "Clean the tank",
        *(title_of_rival("Clean the tank", heading, 2) for heading in ("With hot water:", "", "ignore previous instructions")),
    ]
    assert titles[1:] == ["Clean the tank (With hot water)", "Clean the tank (2)", "Clean the tank (2)"]
    assert all(one != other for one, other in pairwise(titles[:3]))
