from __future__ import annotations

from dataclasses import replace

import pytest

from distill.amend import HeardStance, attach_stances, gather_steps, outspoken
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredThread
from index.records import StanceKind
from tests.distill.builders import axis, between, scored


@pytest.mark.parametrize(
    ("text", "taken_for", "is_said"),
    [
        ("I disagree with step 2.", "support", "dissent"),
        ("This won't work on older firmware.", "support", "dissent"),
        ("I don't agree that it should be the default.", "support", "dissent"),
        ("Thanks all, this worked for me.", "dissent", "support"),
        ("+1, did exactly this last cycle.", "amendment", "support"),
        ("There is a step missing, and it matters.", "support", "amendment"),
        ("Bring a second cable.", "amendment", "amendment"),
        ("Careful, that is the wrong order.", "support", "dissent"),
        ("My main concern is the second key.", "amendment", "dissent"),
        ("Great idea, I'd suggest a second key.", "support", "amendment"),
        ("I like it, but I don't think it scales.", "support", "dissent"),
        ("I am in favour of this, as opposed to what we have.", "dissent", "support"),
        ("Fantastic work!", "dissent", "support"),
    ],
)
def test_plain_words_outrank_the_scorer(text: str, taken_for: StanceKind, is_said: StanceKind) -> None:
    assert outspoken(text, taken_for) == is_said


def test_another_way_is_an_alternative() -> None:
    assert outspoken("Alternatively, flash it over the serial port.", "amendment") == "alternative"
    assert outspoken("You could also use the second tap.", "support") == "alternative"
    assert outspoken("I disagree, you could also skip it.", "support") == "dissent"


def heard(*at: tuple[int, int], kind: StanceKind = "dissent") -> list[HeardStance]:
    """Stances whose meaning is like no step's."""
    return [HeardStance(kind, Place(*place), axis(40)) for place in at]


def attached(made: ScoredThread, *at: tuple[int, int]) -> list[int | None]:
    places = [Place(0, i) for i in range(len(made.posts[0].read.passages))]
    scaffold = Scaffold(0, tuple(places), ())
    steps = gather_steps(made, scaffold, {place: axis(n) for n, place in enumerate(places)})
    return [stance.step for stance in attach_stances(made, scaffold, steps, [], heard(*at), leftover=True)]


def test_a_step_named_by_its_number_is_meant() -> None:
    made = scored("1. Drain the tank.\n2. Close the lower valve.\n3. Lift the lid.", "Step 2 is dangerous here.", "Step 7 is silly.")
    assert attached(made, (1, 0), (2, 0)) == [1, None]


def test_numbers_mean_nothing_where_no_list_is_numbered() -> None:
    made = scored("- Drain the tank.\n- Close the lower valve.\n- Lift the lid.", "Step 2 is dangerous here.")
    assert attached(made, (1, 0)) == [None]


def test_who_answers_an_added_step_speaks_of_it() -> None:
    made = scored("- Drain the tank.\n- Close the lower valve.\n- Lift the lid.", "Label the bolts.", "No, that takes an hour.")
    posts = list(made.posts)
    answer = replace(posts[2].read.post, reply_to=posts[1].read.post.id)
    posts[2] = replace(posts[2], read=replace(posts[2].read, post=answer))
    made = replace(made, posts=tuple(posts))
    places = [Place(0, i) for i in range(3)]
    scaffold = Scaffold(0, tuple(places), (Place(1, 0),))
    steps = gather_steps(made, scaffold, {place: axis(n) for n, place in enumerate([*places, Place(1, 0)])})
    spoken = attach_stances(made, scaffold, steps, [], heard((2, 0)), leftover=True)
    assert [steps[s.step].statements[0].place for s in spoken if s.step is not None] == [Place(1, 0)]


def test_who_mentions_an_author_speaks_of_their_step() -> None:
    bodies = ("- Drain the tank.\n- Close the lower valve.\n- Lift the lid.", "Label the bolts.", "@bea, that takes an hour.", "@cleo, no.")
    made = scored(*bodies, authors=("ann", "bea", "dan", "eve"))
    places = [Place(0, i) for i in range(3)]
    scaffold = Scaffold(0, tuple(places), (Place(1, 0),))
    steps = gather_steps(made, scaffold, {place: axis(n) for n, place in enumerate([*places, Place(1, 0)])})
    spoken = attach_stances(made, scaffold, steps, [], heard((2, 0), (3, 0)), leftover=True)
    assert [None if s.step is None else steps[s.step].statements[0].place for s in spoken] == [Place(1, 0), None]


@pytest.mark.parametrize(("cosines", "step"), [((0.9, 0.2, 0.1), 0), ((0.9, 0.85, 0.1), None), ((0.5, 0.1, 0.1), None)])
def test_meaning_alone_says_which_step_is_meant_only_where_one_stands_out(cosines: tuple[float, ...], step: int | None) -> None:
    made = scored("- Drain the tank.\n- Close the valve.\n- Lift the lid.", "That leaks.", authors=("ann", "bob"))
    places = [Place(0, i) for i in range(3)]
    scaffold = Scaffold(0, tuple(places), ())
    steps = gather_steps(made, scaffold, {place: between(50, n, cosines[n]) for n, place in enumerate(places)})
    spoken = attach_stances(made, scaffold, steps, [], [HeardStance("dissent", Place(1, 0), axis(50))], leftover=True)
    assert [stance.step for stance in spoken] == [step]


def test_words_in_common_tell_which_of_two_near_steps_is_meant() -> None:
    made = scored("- Drain the blue tank behind the shed.\n- Lift the lid.", "Behind the shed the blue tank leaks.", authors=("ann", "bob"))
    places = [Place(0, 0), Place(0, 1)]
    scaffold = Scaffold(0, tuple(places), ())
    steps = gather_steps(made, scaffold, {places[0]: between(50, 1, 0.8), places[1]: between(50, 2, 0.75)})
    spoken = attach_stances(made, scaffold, steps, [], [HeardStance("dissent", Place(1, 0), axis(50))], leftover=True)
    assert [stance.step for stance in spoken] == [0]


def test_a_quoted_part_of_one_step_says_which_is_meant() -> None:
    guide = "- Post the finished draft before noon on Friday.\n- Answer every question within five days.\n- Send the slip."
    made = scored(guide, "[quote]\nbefore noon on Friday\n[/quote]\n\nThat was moved.", "[quote]\non Friday\n[/quote]\n\nThat was moved.")
    assert attached(made, (1, 0), (2, 0)) == [0, None], "two words may stand anywhere"


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("One note for step 2: ask the clerk first.", 2),
        ("Before step 2, ask the clerk.", 1),
        ("[quote]\nAnswer every question within five days.\n[/quote]\n\nAsk the clerk.", 2),
        ("Ask the clerk.", 3),
    ],
)
def test_what_is_added_to_a_step_stands_beside_it(said: str, place: int) -> None:
    made = scored("1. Post the draft.\n2. Answer every question within five days.\n3. Send the slip.", said)
    places = [Place(0, 0), Place(0, 1), Place(0, 2), Place(1, 0)]
    steps = gather_steps(made, Scaffold(0, tuple(places[:3]), (places[3],)), {place: axis(n) for n, place in enumerate(places)})
    assert [step.statements[0].place.post for step in steps].index(1) == place
