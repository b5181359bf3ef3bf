"""Stretches of time that were read, and sets of events that are compared: what holds of any of them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.intervals import Covered
from crawler.negentropy import Item, Reconciliation, fingerprint

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda span: (min(span), max(span))), max_size=12)


def seconds(covered: Covered) -> set[int]:
    return {second for low, high in covered.spans for second in range(low, high + 1)}


@given(SPANS, st.integers(0, 60), st.integers(0, 60))
def test_spans_are_sets_of_seconds(spans: list[tuple[int, int]], low: int, high: int) -> None:
    covered, wanted = Covered(), set[int]()
    for begin, end in spans:
        covered, wanted = covered.add(begin, end), wanted | set(range(begin, end + 1))
    assert seconds(covered) == wanted and list(covered.spans) == sorted(covered.spans)
    assert all(one[1] + 1 < two[0] for one, two in zip(covered.spans, covered.spans[1:], strict=False))
    gaps = covered.gaps(low, high)
    assert {second for begin, end in gaps for second in range(begin, end + 1)} == set(range(low, high + 1)) - wanted
    assert gaps == sorted(gaps, reverse=True)
    assert seconds(covered.without(low, high)) == wanted - set(range(low, high + 1))
    assert Covered.read(covered.write()) == covered


@pytest.mark.parametrize("text", ["", "x", "[[1]]", "[[2, 1]]", '[["a", 1]]', "[" * 9_000, "7"])
def test_a_damaged_cursor_covers_nothing(text: str) -> None:
    assert Covered.read(text) == Covered()


def items(chance: random.Random, count: int) -> list[Item]:
    return [(chance.randrange(1_000), chance.randbytes(32)) for _ in range(count)]


def test_equal_sets_are_done_in_one_message() -> None:
    held = sorted(items(random.Random(1), 500))
    one, two = Reconciliation(held), Reconciliation(held)
    assert two.answer(one.begin()) is None and two.lacking == []
    assert Reconciliation(held[:-1]).answer(one.begin()) is not None  # differing ones go on


def test_fingerprints_do_not_depend_on_order() -> None:
    held = items(random.Random(2), 40)
    assert fingerprint(held) == fingerprint(held[::-1]) != fingerprint(held[1:])


def test_broken_messages_are_value_errors() -> None:
    chance, talking = random.Random(3), Reconciliation(sorted(items(random.Random(4), 100)))
    sound = talking.begin()
    for _ in range(2_000):
        broken = bytearray(sound)
        place = chance.randrange(len(broken))
        broken[place : place + chance.randint(0, 5)] = chance.randbytes(chance.randint(0, 5))
        try:
            talking.answer(bytes(broken))
        except ValueError:
            continue
    with pytest.raises(ValueError):
        talking.answer(b"")
