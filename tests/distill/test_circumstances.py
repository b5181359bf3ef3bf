"""Who does a step, under which condition, and whether it may be left out: as the words say, or nothing."""

from __future__ import annotations

import pytest

from distill.circumstances import actors_of, condition_of, is_optional, is_party


@pytest.mark.parametrize(
    ("text", "actor"),
    [
        ("The panel reads the draft and posts the result.", "The panel"),
        ("The grants and tools committee shall keep a ledger.", "The grants and tools committee"),
        ("At least one scribe should take notes.", "At least one scribe"),
        ("Any member of the repair group may open the shed.", "Any member of the repair group"),
        ("The draft is checked by the treasury keeper.", "the treasury keeper"),
        ("If the vote fails, the stewards reopen the topic.", "the stewards"),
        ("Handover: the old keeper explains the ledger.", "the old keeper"),
        ("Then the applicant signs the slip.", "the applicant"),
    ],
)
def test_who_does_the_step_is_the_whole_subject(text: str, actor: str) -> None:
    assert actors_of([text]) == [actor]


@pytest.mark.parametrize(
    "text",
    [
        "Put a card out before the doors open.",  # the doors do nothing that the step asks for
        "When the link has held for thirty minutes, lift the cap.",
        "Sign the card that the keeper gave you.",
        "You should open the valve.",
        "They hand it on and the guest signs it.",  # what stands before is a clause of its own
        "The form asks for a name.",
        "Find a sponsor: one member of six months' standing who will sign.",
        "This process can be started in the hall.",
        "Having a clerk and an accountant would cost more.",
        "As the panel reads the draft, quality should rise.",
        "Their number decides who opens the gate.",
        "Power-cycling wipes the log.",
        "Buy and burn actions will create a price.",
        "I've put all dates on one page.",
        "To move the shed, at time N+1 Bob can use the key.",
    ],
)
def test_nobody_is_named_where_no_person_or_group_does_it(text: str) -> None:
    assert actors_of([text]) == [None]


def test_what_only_looks_like_a_name_has_to_do_something_twice() -> None:
    said = ["Zorvane sends the sealed slip to the desk.", "Orbex sends the count.", "Zorvane then burns the old slip."]
    assert actors_of(said) == ["Zorvane", None, "Zorvane"]


@pytest.mark.parametrize("noun", ["steward", "stewards", "sub-committee", "challenger", "co-author", "distributor", "women"])
def test_persons_and_groups(noun: str) -> None:
    assert is_party(noun)


@pytest.mark.parametrize(
    "noun", ["order", "layer", "ledger", "mirror", "tracker", "list", "proposal", "address", "floor", "process", "delegations"]
)
def test_things(noun: str) -> None:
    assert not is_party(noun)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("If the vote fails, reopen the topic.", "If the vote fails"),
        ("Finally, when the poll has closed, post the count.", "when the poll has closed"),
        ("Within five days, answer every question.", "Within five days"),
        ("At the end of each season, publish the ledger.", "At the end of each season"),
        (
            "In the event two reports come in, and the guest is a member, the panel meets.",
            "In the event two reports come in, and the guest is a member",
        ),
        ("Ask the keeper if needed.", "if needed"),
        ("Reopen the topic if the vote fails.", "if the vote fails"),
        ("Close the shed unless somebody is still inside.", "unless somebody is still inside"),
    ],
)
def test_conditions_as_they_stand(text: str, condition: str) -> None:
    assert condition_of(text) == condition


@pytest.mark.parametrize(
    "text",
    [
        "People sat in a row as if at the dentist's.",
        "Check if the lamp is lit.",
        "Tell the guest if they picked the wrong tool.",
        "Move on even if it isn't mended.",
        "Press feed once to start loading.",
        "Note the date when the keys were handed over.",
        "Every round has a closing hour, after which the desk is shut.",
        "After all, the keeper can just go home.",
        "After that, the keeper can go home.",
        "If we take nine months we have two of quiet, or room to move it if needed.",
        "Leave it alone for a while; if you cut the power now it has to go back.",
        "Use the form, which asks who looks after it once the money is spent.",
        "Hold it until the lamp blinks.",  # how long, not whether
        "It would be nice if people signed the card.",
        "Once the chair, the clerk and the editor agree we open the vote.",  # not plain to see where it ends
        "Use the blue key (the red one, if it is lost, is no help).",
    ],
)
def test_what_is_no_condition_of_the_step(text: str) -> None:
    assert condition_of(text) is None


def test_what_a_sentence_begins_with_governs_all_its_parts_and_its_end_only_the_last() -> None:
    text = "If it fails, open the lid, then press the pin when the lamp is red."
    middle = text.index("then press")
    assert condition_of(text, text.index("open"), middle) == "If it fails"
    assert condition_of(text, middle) == "If it fails"
    text = "Switch it off, then hold the pin if the lamp is red."
    assert condition_of(text, 0, text.index("then")) is None
    assert condition_of(text, text.index("hold")) == "if the lamp is red"


@pytest.mark.parametrize(
    ("text", "optional"),
    [
        ("Optional: add a spending limit.", True),
        ("(Optional) Sign a second slip.", True),
        ("Optionally, add a photo.", True),
        ("You can also write it on a card.", True),
        ("Members may also bring a guest, but are not required to.", True),
        ("Add a photo if you like.", True),
        ("If you want to borrow a saw, ask the desk.", False),
        ("Describe the optional parts of the form.", False),
        ("The register can also be found in the hall.", False),
        ("Add a photo.", False),
    ],
)
def test_what_may_be_left_out(text: str, optional: bool) -> None:
    assert is_optional(text) is optional
