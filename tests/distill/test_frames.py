"""Frames: verb, modality and above all polarity of what a sentence says to do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.frames import read_frame, strip_openers, verb_lemma
from tests.distill.table import AFFIRMED, LOST, NEGATED, SILENT


@pytest.mark.parametrize(("text", "verb", "modality"), NEGATED)
def test_negated(text: str, verb: str | None, modality: str | None) -> None:
    frame = read_frame(text)
    assert frame is not None and frame.negated is True
    assert verb is None or frame.verb == verb
    assert modality is None or frame.modality == modality


@pytest.mark.parametrize(("text", "verb", "modality"), AFFIRMED)
def test_affirmed(text: str, verb: str, modality: str) -> None:
    frame = read_frame(text)
    assert frame is not None and (frame.verb, frame.modality, frame.negated) == (verb, modality, False)


@pytest.mark.parametrize("text", LOST)
def test_negated_wherever_the_negation_stands(text: str) -> None:
    frame = read_frame(text)
    assert frame is None or frame.negated


@pytest.mark.parametrize("text", SILENT)
def test_what_is_not_understood_is_not_turned_round(text: str) -> None:
    frame = read_frame(text)
    assert frame is None or frame.negated


@pytest.mark.parametrize(
    "text", ["", " ", "...", "The weather in March", "Thanks a lot!", "Great idea.", "Which one?", "1.", "🙂", "https://a.example/b"]
)
def test_nothing_to_do_is_no_instruction(text: str) -> None:
    frame = read_frame(text)
    assert frame is None or frame.modality not in ("imperative", "obligation")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("If it fails, restart the node.", "If it fails"),
        ("Restart the node if it does not come back.", "if it does not come back"),
        ("When the poll has closed, post the result.", "When the poll has closed"),
        ("Post the result.", None),
    ],
)
def test_condition(text: str, condition: str | None) -> None:
    frame = read_frame(text)
    assert frame is not None and frame.condition == condition


def test_an_instruction_is_not_its_own_condition() -> None:
    """A step of thread 97 of the demo."""
    text = "On the gateway's Leases page add a fixed lease for that MAC, choosing an address above 10.40.2.200 so that it can't clash."
    frame = read_frame(text)
    assert frame is None or "add" not in (frame.condition or "")


@pytest.mark.parametrize(("text", "actor"), [("The keeper must sign the ledger.", "The keeper"), ("Sign the ledger.", None)])
def test_actor(text: str, actor: str | None) -> None:
    frame = read_frame(text)
    assert frame is not None and frame.actor == actor


def test_optional() -> None:
    assert [bool(f and f.optional) for f in map(read_frame, ("Optionally, add a limit.", "You can also add a limit.", "Add a limit."))] == [
        True,
        True,
        False,
    ]


def test_lemmas() -> None:
    assert [verb_lemma(w) for w in ("deleted", "Running", "sent", "table", "zzzzq")] == ["delete", "run", "send", "table", None]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(["If ", "then ", "to ", "open", " the", ": ", ", ", "First", "do not ", "must ", "i ", "’", "\n", "(", "é"]),
        max_size=25,
    ).map("".join)
)
def test_parts_are_words_of_the_passage(text: str) -> None:
    """Never raises; the actor and the condition stand in the text as they are, and the clause is its end."""
    frame = read_frame(text)
    if frame:
        assert frame.condition is None or frame.condition in text
        assert frame.actor is None or all(word in text.lower() for word in frame.actor.lower().split())
    body, _ = strip_openers(text)
    assert text.endswith(body)
