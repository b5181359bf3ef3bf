"""Order of the steps: what is said, what is numbered, what merely stands side by side; cycles are cut."""

from __future__ import annotations

import pytest

from distill.amend import DraftStep, Statement
from distill.order import Order, find_order
from distill.scaffold import Place
from distill.steptext import Clause
from tests.distill.builders import scored


def order(*bodies: str, places: list[tuple[int, int]] | None = None) -> Order:
    thread = scored(*bodies)
    places = places or [(n, i) for n, post in enumerate(thread.posts) for i in range(len(post.bp))]
    steps = [DraftStep([Statement(Place(n, i), Clause(0, len(thread.posts[n].passage(i).text)))], None, None, 9000) for n, i in places]
    return find_order(thread, steps)


def test_numbered_lists_are_ordered() -> None:
    assert order("1. Open it.\n2. Turn it.\n3. Close it.") == Order(True, (0, 1, 2), ((), (1,), (2,)))


def test_bullets_are_not_ordered() -> None:
    assert order("- Open it.\n- Turn it.\n- Close it.") == Order(False, (0, 1, 2), ((), (), ()))


def test_words_order_bullets() -> None:
    found = order("- Open it.\n- Then turn it.\n- Close it.")
    assert found.ordered and found.sequence == (0, 1, 2) and found.after == ((), (1,), ())


def test_what_is_said_to_be_last_comes_last() -> None:
    found = order("- Open it.\n- Finally, close it.\n- Turn it.\n- Shake it.")
    assert found.sequence == (0, 2, 3, 1)


@pytest.mark.parametrize("body", ["- Open it.\n- Finally, close it.\n- Turn it.", "- Turn it.\n- First, open it.\n- Close it."])
def test_what_is_moved_by_words_is_called_ordered(body: str) -> None:
    assert order(body).ordered


def test_what_is_said_to_be_first_comes_first() -> None:
    assert order("- Turn it.\n- First, open it.\n- Close it.").sequence == (1, 0, 2)


def test_what_is_said_to_be_first_comes_first_from_anywhere() -> None:
    assert order("- Turn it.\n- Shake it.\n- First, open it.\n- Close it.").sequence[0] == 2


@pytest.mark.parametrize(
    "body",
    [
        "1. Open it.\n2. Start by turning it.\n3. Finally, shake it.\n4. Close it.",
        "Open it. Finally, turn it.\n\nTo begin, shake it. Lastly, close it.",
    ],
)
def test_numbers_and_running_text_keep_reading_order(body: str) -> None:
    assert order(body).sequence == (0, 1, 2, 3)


def test_words_in_inner_bullets_never_outrank_the_numbers_around_them() -> None:
    found = order("1. Open it.\n    - Finally, wipe it.\n    - Oil it.\n2. Start by turning it.\n    - First, shake it.\n3. Close it.")
    assert found.ordered
    assert [n for n in found.sequence if n in (0, 3, 5)] == [0, 3, 5]
    assert found.sequence == (0, 2, 1, 3, 4, 5)


def test_words_move_a_bullet_within_its_own_list() -> None:
    found = order("- Open it.\n- Finally, close it.\n- Turn it.\n\nAnd then:\n\n- Shake it.\n- First, lift it.")
    assert [n for n in found.sequence if n != 3] == [0, 2, 1, 5, 4]


def test_steps_of_several_posts_keep_reading_order() -> None:
    found = order("1. Open it.\n2. Turn it.", "Shake it.", "1. Close it.\n2. Leave it.")
    assert found.sequence == (0, 1, 2, 3, 4) and found.after == ((), (1,), (), (), (4,))


def test_clauses_of_one_sentence_follow_each_other() -> None:
    found = order("- Open it and turn it.\n- Shake it.\n- Leave it.", places=[(0, 0), (0, 0), (0, 1), (0, 2)])
    assert found.ordered and found.after[:2] == ((), (1,))


@pytest.mark.parametrize(
    "body",
    [
        "- Finally, close it.\n- First, open it.\n- Then turn it.",
        "1. Finally, close it.\n2. Last, leave.\n3. First, open it.\n4. To begin, sit.",
        "- First, open it.\n- First, turn it.\n- First, shake it.",
        "- Then a thing.\n- Then b thing.\n- Finally c.\n- Finally d.\n- First e.",
    ],
)
def test_cycles_are_cut(body: str) -> None:
    found = order(body)
    assert sorted(found.sequence) == list(range(len(found.sequence)))
    for place, before in enumerate(found.after, 1):
        assert all(1 <= n < place for n in before)
    assert found == order(body)


def test_one_step() -> None:
    assert order("- Open it.").sequence == (0,)
