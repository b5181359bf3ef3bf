"""What an SOP says of itself: who takes part, as its steps name them."""

from __future__ import annotations

from distill.goals import roles_of


def test_a_role_is_one_that_somebody_could_take() -> None:
    said = [
        "the panel",
        "my supplier",
        "I've",
        "3.1",
        "a coordinator",
        "this",
        "our team",
        None,
        "the panel",
        "everyone who has ever been there before",
    ]
    assert roles_of(said) == ["a coordinator", "the panel"]
