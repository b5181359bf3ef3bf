from __future__ import annotations

import pytest

from distill.amend import outspoken
from index.records import StanceKind


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
    ],
)
def test_plain_words_outrank_the_scorer(text: str, taken_for: StanceKind, is_said: StanceKind) -> None:
    assert outspoken(text, taken_for) == is_said
