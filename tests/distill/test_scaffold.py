from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.scaffold import EXPECTED_BP, Place, Scaffold, find_scaffold, pruned
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


@given(gate_bp=st.integers(0, 10_000), sure=st.lists(st.integers(0, 10_000), min_size=1, max_size=12))
def test_the_less_sure_the_gate_the_surer_a_step_must_be(gate_bp: int, sure: list[int]) -> None:
    made = scored("\n".join(f"- Drain tank {n}." for n in range(len(sure))))
    post = replace(made.posts[0], step_bp=tuple(sure))
    made = replace(made, posts=(post,))
    whole = Scaffold(0, tuple(Place(0, n) for n in range(len(sure))), ())
    kept = pruned(made, whole, gate_bp).steps
    assert kept == tuple(place for place in whole.steps if sure[place.passage] * gate_bp >= EXPECTED_BP * 10_000)
    assert set(kept) <= set(pruned(made, whole, min(10_000, gate_bp + 500)).steps)
