"""When two statements are one step: one author's near words are two steps, another's are support."""

from __future__ import annotations

import pytest

from distill.amend import distinct_steps, gather_steps
from distill.scaffold import Place, Scaffold
from tests.distill.builders import axis, between, scored


def stated(first: str, second: str, authors: tuple[str, ...] = ("ann",)) -> list[list[str]]:
    """Steps as the words that state each, of two near sentences: in one post, or in one post each of two authors."""
    bodies = (f"- {first}\n- {second}",) if len(authors) == 1 else (f"- {first}", f"- {second}")
    made = scored(*bodies, authors=authors)
    places = [Place(post.read.number, n) for post in made.posts for n in range(len(post.read.passages))]
    scaffold = Scaffold(0, tuple(p for p in places if p.post == 0), tuple(p for p in places if p.post))
    vectors = {place: between(0, n + 1, 0.95) if n else axis(0) for n, place in enumerate(places)}
    steps = gather_steps(made, scaffold, vectors)
    return [[made.posts[s.place.post].passage(s.place.passage).text for s in step.statements] for step in steps]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Publish the public key.", "Publish the weaker public key of the second curve."),
        ("The offerer hands the sealed slip to the desk.", "The taker hands the sealed slip over to the keeper."),
        ("Post monthly updates on the board.", "Post monthly updates as an answer to the topic of the round."),
    ],
)
def test_near_words_of_one_author_are_two_steps(first: str, second: str) -> None:
    assert len(stated(first, second)) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Follow the template below.", "Follow the template below."),
        (
            "Analyse: the outcome of the trial is measured and analysed by the keepers.",
            "Analyse: the outcome of the trial is measured and analysed by the keepers. Much of it is done by asking people.",
        ),
    ],
)
def test_what_one_author_says_twice_is_one_step(first: str, second: str) -> None:
    assert stated(first, second) == [[first, second]]


def test_near_words_of_another_author_are_one_step() -> None:
    said = "Fill in the form from the folder.", "Complete the form that lies in the folder."
    assert stated(*said, authors=("ann", "bob")) == [list(said)]


@pytest.mark.parametrize("second", ["Wait 21 days for comments.", "Wait 14 days for comments on the Harbour board."])
def test_another_number_or_name_is_another_step(second: str) -> None:
    assert len(stated("Wait 14 days for comments on the Tide board.", second, authors=("ann", "bob"))) == 2


def test_near_words_of_one_author_are_steps_but_not_things_to_do() -> None:
    """A list of three grants is written with three verbs that are the same, and is no procedure."""
    made = scored("- Grant the north team.\n- Grant the south team.\n- Open the vote.", authors=["ann"])
    places = tuple(Place(0, n) for n in range(3))
    vectors = dict(zip(places, [axis(0), between(0, 1, 0.95), axis(2)], strict=True))
    steps = gather_steps(made, Scaffold(0, places, ()), vectors)
    assert (len(steps), distinct_steps(steps)) == (3, 2)
