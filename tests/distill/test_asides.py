"""Asides are dropped behind the gate: examples, news and preambles; a step that is badly put stays."""

from __future__ import annotations

import pytest

from distill.asides import without_asides
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredThread
from tests.distill.builders import scored

LIST = "\n\n- Drain the tank.\n- Close the lower valve.\n- Lift the lid.\n- Wipe the seal."


def whole(made: ScoredThread) -> Scaffold:
    """Every passage a step."""
    places = [Place(post.read.number, n) for post in made.posts for n, _ in enumerate(post.read.passages)]
    return Scaffold(0, tuple(p for p in places if p.post == 0), tuple(p for p in places if p.post))


def kept(*bodies: str) -> list[str]:
    made = scored(*bodies)
    left = without_asides(made, whole(made))
    return [made.posts[p.post].passage(p.passage).text for p in (*left.steps, *left.added)]


@pytest.mark.parametrize(
    "aside",
    [
        "For example, the garden group did it twice.",
        "E.g. the blue one.",
        "Here is how to get one from the drawer to the mast in an hour.",
        "This guide describes how we clean the tank.",
        "Thanks to everybody who helped!",
        "Note that the old lid leaks.",
        "I will bring the card to the meeting.",
        "Yes, that is the same tank.",
    ],
)
def test_what_says_itself_that_it_is_no_step(aside: str) -> None:
    said = f"Drain the tank. {aside} Close the lower valve."
    assert aside not in kept(said) and len(kept(said)) == 2


@pytest.mark.parametrize(
    "news", ["Done, and it worked: the lamp came on.", "I did it in this order and the panel asked me nothing.", "That fixed it."]
)
def test_news_of_others_adds_no_step(news: str) -> None:
    assert kept("Drain the tank. Close the lower valve.", news) == ["Drain the tank.", "Close the lower valve."]


@pytest.mark.parametrize(
    "preamble",
    ["I got the tank cleaned in January and had to ask six people how.", "People keep buying tanks and then leave them in a drawer."],
)
def test_what_stands_before_the_list_that_is_the_procedure_is_preamble(preamble: str) -> None:
    assert kept(preamble + LIST)[0] == "Drain the tank."


@pytest.mark.parametrize(
    "first",
    ["Put on gloves before you start.", "You must wear gloves.", "The keeper unlocks the shed.", "Zorvane unlocks the shed."],
)
def test_what_says_what_to_do_or_who_does_it_is_none(first: str) -> None:
    assert kept(first + LIST)[0] == first


def test_prose_has_no_preamble_by_its_place() -> None:
    said = "The tank stands behind the shed. Drain it. Close the lower valve. Lift the lid."
    assert kept(said)[0] == "The tank stands behind the shed."


def test_what_others_answer_may_still_add_a_step() -> None:
    assert (
        kept("Drain the tank. Lift the lid.", "No, you first need to close the lower valve.")[-1]
        == "No, you first need to close the lower valve."
    )
