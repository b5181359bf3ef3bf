"""The bench of citations tells a quote to the letter, one that hides personal data, and a wrong one apart."""

from __future__ import annotations

import pytest

from bench.citations import EXACT, MASKED, exactness


@pytest.mark.parametrize(
    ("said", "exact", "found"),
    [
        ("Write to ann@x.org first.", "Write to ann@x.org first.", EXACT),
        ("Write to ann@x.org first.", "Write to █████████ first.", MASKED),
        ("Write to ann@x.org first.", "Write to ████████ first.", "wrong"),  # as long as what it hides
        ("Write to ann@x.org first.", "Wrote to █████████ first.", "wrong"),
        ("ann@x.org", "█████████", "wrong"),  # all of it hidden is no quote
        ("", "", "wrong"),
    ],
)
def test_how_exact_a_quote_is(said: str, exact: str, found: str) -> None:
    assert exactness(said, exact) == found
