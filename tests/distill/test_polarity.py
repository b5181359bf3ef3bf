"""Polarity: what a sentence forbids is never told as something to do, whole or parted, in text or in frame."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.amend import same_polarity
from distill.frames import read_frame
from distill.steptext import clause_frame, clauses, step_text
from index.records import Frame
from tests.distill.negated import SENTENCES

NEGATIVE = re.compile(
    r"\b(?:not|never|no|none|nobody|no-one|nothing|neither|nor|cannot|avoid|refrain|without|instead|rather|unless|against|unnecessary|"
    r"forbidden|mistake|hold off|fails?|stop|(?:do|should|must|ca|wo)nt|do'nt)\b|n['’ʼ`´]t\b",
    re.I,
)


def told(text: str) -> list[tuple[str, Frame | None]]:
    """Text and frame of each step that a passage is parted into."""
    whole = read_frame(text)
    parts = [(text[c.start : c.end], clause_frame(text, c, whole)) for c in clauses(text, whole)]
    return [(step_text(part, frame), frame) for part, frame in parts]


def signs(steps: list[tuple[str, Frame | None]]) -> str:
    return "".join("-" if frame and frame.negated else "+" for _, frame in steps)


def negatives(text: str) -> list[str]:
    return [word.lower() for word in NEGATIVE.findall(text)]


def test_there_are_two_hundred_and_each_is_one() -> None:
    assert len({sentence for sentence, _, _ in SENTENCES}) == len(SENTENCES) >= 200
    assert all(negatives(sentence) for sentence, _, _ in SENTENCES)


@pytest.mark.parametrize(("sentence", "expected", "opposite"), SENTENCES)
def test_polarity_is_kept(sentence: str, expected: str, opposite: str) -> None:
    steps = told(sentence)
    assert signs(steps) == expected
    assert negatives(" ".join(text for text, _ in steps)) == negatives(sentence)
    spoken_of = expected.index("-") if "-" in expected else 0
    contrary = told(opposite)[0]
    assert not same_polarity(steps[spoken_of][1], contrary[1])
    assert steps[spoken_of][0] != contrary[0]


ACTIONS = (
    ("open", "opening", "the vault"), ("delete", "deleting", "the old keys"), ("send", "sending", "the form to the desk"), ("merge", "merging", "the branch"),
    ("sign", "signing", "the second transaction"), ("restart", "restarting", "the node"), ("publish", "publishing", "the tally"), ("share", "sharing", "the list with the council"),
)  # fmt: skip
# {do} is the verb, {doing} its gerund, {what} the rest of the instruction.
DENIED = (
    "don't {do} {what}", "don’t {do} {what}", "dont {do} {what}", "do not {do} {what}", "never {do} {what}", "avoid {doing} {what}", "refrain from {doing} {what}",
    "stop {doing} {what}", "make sure not to {do} {what}", "make sure you don't {do} {what}", "be careful not to {do} {what}", "try not to {do} {what}",
    "under no circumstances {do} {what}", "you must not {do} {what}", "you should not {do} {what}", "you shouldn't {do} {what}", "you should never {do} {what}",
    "you cannot {do} {what}", "you can't {do} {what}", "you may not {do} {what}", "you do not need to {do} {what}", "you don't have to {do} {what}",
    "there is no need to {do} {what}", "no need to {do} {what}", "nobody should {do} {what}", "no one may {do} {what}", "let's not {do} {what}",
    "we suggest not {doing} {what}", "it is not advised to {do} {what}", "it's better not to {do} {what}", "we never {do} {what}", "we do not {do} {what}",
    "you no longer need to {do} {what}", "ask them not to {do} {what}", "I propose that we do not {do} {what}", "{doing} {what} is not recommended",
)  # fmt: skip
FRAMES = (
    "{}.", "{}", "Then {}.", "First, {}.", "But {}!", "Please {}.", "If the light is green, {}.", "If you do not have a copy, {}.", "Step 2: {}.",
    "When nobody objects, {}.", "{} before the vote has closed.", "{} if nobody objects.",
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ACTIONS), st.sampled_from(DENIED), st.sampled_from(FRAMES))
def test_a_negated_instruction_never_reads_like_the_instruction(action: tuple[str, str, str], denied: str, around: str) -> None:
    do, doing, what = action
    asked = told(around.format(f"{do} {what}"))
    assert signs(asked) == "+"
    refused = told(around.format(denied.format(do=do, doing=doing, what=what)))
    assert "-" in signs(refused)
    assert not {text.lower() for text, _ in asked} & {text.lower() for text, _ in refused}
    assert all(not same_polarity(asked[0][1], frame) for (_, frame), sign in zip(refused, signs(refused), strict=True) if sign == "-")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ACTIONS),
    st.sampled_from(ACTIONS),
    st.sampled_from(DENIED[:12]),
    st.sampled_from([", ", ", and ", " but ", " and ", ", but please "]),
)
def test_a_negation_behind_an_action_does_not_touch_it(
    first: tuple[str, str, str], second: tuple[str, str, str], denied: str, joint: str
) -> None:
    text = f"{first[0]} {first[2]}{joint}{denied.format(do=second[0], doing=second[1], what=second[2])}."
    steps = told(text)
    assert signs(steps) == "+-"
    assert NEGATIVE.search(steps[1][0]) and not NEGATIVE.search(steps[0][0])
