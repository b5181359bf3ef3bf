"""A correction changes the step's text and keeps the old one, but only where nobody can doubt what is meant and who agrees."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.amend import DraftStance, DraftStep, Statement
from distill.corrections import Correction, correct_steps, without_renewed
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredThread
from distill.steptext import Clause
from tests.distill.builders import axis, scored

GUIDE = "- Post the draft in the proposals category.\n- Wait 14 days for comments.\n- Open the vote with the snapshot button."


def thread(*answers: str, authors: str = "", guide: str = GUIDE, replies: dict[int, int] | None = None) -> ScoredThread:
    """A guide by ann and answers by the authors named by letter; `replies` says which post (from 0) answers which."""
    names = ["ann", *({"a": "ann"}.get(letter, letter) for letter in (authors or "bcdefg"[: len(answers)]))]
    made = scored(guide, *answers, authors=names)
    posts = list(made.posts)
    for post, target in (replies or {}).items():
        own = replace(posts[post].read.post, reply_to=posts[target].read.post.id)
        posts[post] = replace(posts[post], read=replace(posts[post].read, post=own))
    return replace(made, posts=tuple(posts))


def steps_of(made: ScoredThread) -> list[DraftStep]:
    home = made.posts[0]
    return [
        DraftStep([Statement(Place(0, i), Clause(0, len(p.text)))], home.frames[i], axis(i), 9000) for i, p in enumerate(home.read.passages)
    ]


def corrected(made: ScoredThread) -> tuple[dict[int, Correction], list[DraftStance]]:
    stances: list[DraftStance] = []
    return correct_steps(made, steps_of(made), stances), stances


@pytest.mark.parametrize(
    ("answer", "step", "text"),
    [
        ("It should be 21 days, not 14 days.", 1, "Wait 21 days for comments"),
        ("Please use the ballot tab instead of the snapshot button.", 2, "Open the vote with the ballot tab"),
        ("Replace the proposals category with the drafts category.", 0, "Post the draft in the drafts category"),
        ("Instead of the snapshot button, use the ballot tab.", 2, "Open the vote with the ballot tab"),
    ],
)
def test_a_correction_that_the_author_takes_up_changes_the_step(answer: str, step: int, text: str) -> None:
    accepted, stances = corrected(thread(answer, "Good catch, fixed.", authors="ba", replies={2: 1}))
    assert {n: c.text for n, c in accepted.items()} == {step: text}
    assert [(s.kind, s.step) for s in stances] == [("amendment", step)]


def test_without_a_word_of_the_author_it_stays_an_amendment() -> None:
    accepted, stances = corrected(thread("It should be 21 days, not 14 days."))
    assert not accepted
    assert [(s.kind, s.step) for s in stances] == [("amendment", 1)]


def test_authors_correct_themselves_without_anyone_asking() -> None:
    accepted, stances = corrected(thread("It should be 21 days, not 14 days.", authors="a"))
    assert accepted[1].text == "Wait 21 days for comments"
    assert not stances  # nobody amends themselves


def test_two_others_stand_for_a_silent_author() -> None:
    answers = ("It should be 21 days, not 14 days.", "That is correct.", "+1, confirmed.")
    assert 1 in corrected(thread(*answers, authors="bcd", replies={2: 1, 3: 1}))[0]
    assert not corrected(thread(*answers, authors="bcc", replies={2: 1, 3: 1}))[0]  # one voice each
    assert not corrected(thread(*answers, authors="bbc", replies={2: 1, 3: 1}))[0]  # not one's own


def test_a_refusal_stands() -> None:
    answers = ("It should be 21 days, not 14 days.", "I disagree, 14 is enough.", "+1", "Agreed.")
    assert not corrected(thread(*answers, authors="bcde", replies={2: 1, 3: 1, 4: 1}))[0]


def test_accounts_that_agree_cannot_change_where_money_goes() -> None:
    guide = "- Write the invoice.\n- Send 5 ETH to 0xaaaaaaaaaaaaaaaa from the multisig.\n- Post the receipt."
    answers = ("Use 0xbbbbbbbbbbbbbbbb instead of 0xaaaaaaaaaaaaaaaa.", "That is correct.", "Confirmed, it worked.")
    accepted, stances = corrected(thread(*answers, guide=guide, replies={2: 1, 3: 1}))
    assert not accepted
    assert [s.kind for s in stances] == ["amendment"]


def test_words_that_stand_in_two_steps_correct_neither() -> None:
    guide = "- Wait 14 days for comments.\n- Wait 14 days for votes.\n- Close the round."
    assert corrected(thread("It should be 21 days, not 14 days.", authors="a", guide=guide)) == ({}, [])


def test_what_is_not_in_a_step_is_no_correction() -> None:
    assert corrected(thread("You should be kind, not rude.", "Use tabs instead of spaces.")) == ({}, [])


RENEWS = "[quote]\nOpen form G2 with\n[/quote]\n\nOpen form G4 instead, it is the new one."


def test_quoted_words_said_again_with_another_name_correct_the_step() -> None:
    guide = "- Post the draft.\n- Open form G2 with the snapshot button.\n- Wait 14 days."
    accepted, stances = corrected(thread(RENEWS, "Thank you, Dele.", authors="ba", guide=guide, replies={2: 1}))
    assert {n: c.text for n, c in accepted.items()} == {1: "Open form G4 with the snapshot button"}
    assert [(s.kind, s.step) for s in stances] == [("amendment", 1)]


def test_what_renews_a_step_is_no_step_beside_it() -> None:
    guide = "- Post the draft.\n- Open form G2 with the snapshot button.\n- Wait 14 days."
    made = thread(RENEWS, "- Open form G4 instead.", guide=guide)
    part = Scaffold(0, tuple(Place(0, n) for n in range(3)), (Place(1, 0), Place(2, 0)))
    assert without_renewed(made, part).added == (Place(2, 0),), "the second quotes nothing: nobody knows what it is instead of"


@pytest.mark.parametrize(
    "answer",
    [
        "Open form G4 instead.",  # quotes nothing
        RENEWS.replace("Open form G4", "Open the tab"),  # no name for a name
        RENEWS.replace("Open form G4", "Close form G4"),  # other words
        RENEWS.replace("Open form G4 instead", "Open form G4"),
        RENEWS.replace("G4", "G2"),
    ],
)
def test_words_that_only_look_like_renewing_change_nothing(answer: str) -> None:
    guide = "- Post the draft.\n- Open form G2 with the snapshot button.\n- Wait 14 days."
    assert corrected(thread(answer, authors="a", guide=guide))[0] == {}


def test_a_correction_heard_as_a_word_on_the_whole_stands_beside_its_step() -> None:
    made = thread("It was changed in May. It should be 21 days, not 14 days.")
    heard = [DraftStance("amendment", None, Place(1, 0), (0, 1))]
    correct_steps(made, steps_of(made), heard)
    assert [(s.kind, s.step, s.place) for s in heard] == [("amendment", 1, Place(1, 0))]


@given(st.sampled_from(["21 days", "a week", "as long as it takes"]), st.sampled_from(["14 days", "14"]))
def test_only_the_replaced_words_change(new: str, old: str) -> None:
    accepted, _ = corrected(thread(f"It should be {new}, not {old}.", authors="a"))
    assert accepted[1].text == "Wait 14 days for comments".replace(old, new)


@pytest.mark.parametrize(
    "answer",
    [
        "It makes sense to print them at once rather than have to rely on the hall.",  # "have" is nothing that could be replaced
        "This is way more ambitious, and not only because the hall is small, but of a kind.",
        "Use this instead of that.",
    ],
)
def test_words_that_name_nothing_replace_nothing(answer: str) -> None:
    guide = "- Count the cards (that we have listed) and print them.\n- The only risk is rain.\n- Use the form in that hall."
    assert corrected(thread(answer, authors="a", guide=guide)) == ({}, [])
