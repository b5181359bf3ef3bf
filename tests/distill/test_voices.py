"""Who speaks how: what is imagined, pledged, executed by code, reported or to be filled in is no instruction."""

from __future__ import annotations

import pytest

from distill.frames import read_frame
from tests.distill.voices import CODE, INSTRUCTIONS, NO_INSTRUCTIONS

SAID = [(sentence, modality) for modality, sentences in NO_INSTRUCTIONS.items() for sentence in sentences]


def test_there_are_enough_of_both() -> None:
    assert len(set(SAID)) == len(SAID) >= 60 and len(set(INSTRUCTIONS)) >= 40


@pytest.mark.parametrize(("sentence", "modality"), SAID)
def test_no_instruction(sentence: str, modality: str) -> None:
    frame = read_frame(sentence)
    assert frame is None or frame.modality == modality


@pytest.mark.parametrize("sentence", INSTRUCTIONS)
def test_instruction(sentence: str) -> None:
    frame = read_frame(sentence)
    assert frame is not None and frame.modality in ("imperative", "obligation", "permission", "proposal")


@pytest.mark.parametrize("sentence", CODE)
def test_who_does_it(sentence: str) -> None:
    frame = read_frame(sentence)
    assert frame is None or frame.actor is None or frame.actor.lower() in sentence.lower()
    assert frame is None or (frame.actor or "").lower() not in ("you", "we", "i")
