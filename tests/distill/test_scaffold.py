from __future__ import annotations

import pytest

from distill.scaffold import Place, find_scaffold
from tests.distill.builders import scored


@pytest.mark.parametrize(
    "line",
    ["The flow looks like this:", "Should we close the valve first?", "This is what we ended up with:", "Who opens the gate?”"],
)
def test_lines_that_ask_or_lead_in_are_no_steps(line: str) -> None:
    made = scored(f"{line}\n\n- Drain the tank.\n- Close the lower valve.\n- Lift the lid.")
    scaffold = find_scaffold(made)
    assert scaffold and [made.posts[0].passage(p.passage).text for p in scaffold.steps] == [
        "Drain the tank.",
        "Close the lower valve.",
        "Lift the lid.",
    ]


def test_a_command_that_leads_in_its_details_is_a_step() -> None:
    made = scored("Open these valves, in this order:\n\n- the lower one\n- the upper one\n\nLift the lid.")
    scaffold = find_scaffold(made)
    assert scaffold and Place(0, 0) in scaffold.steps


def test_questions_of_others_are_not_added() -> None:
    made = scored("- Drain the tank.\n- Close the lower valve.\n- Lift the lid.", "Do you label the bolts?", "Label the bolts.")
    scaffold = find_scaffold(made)
    assert scaffold and scaffold.added == (Place(2, 0),)
