"""Windows: every passage is read exactly once, in the company it was written in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from distill.passages import read_thread
from distill.windows import LONGEST, WINDOW, windows_of
from index.tables_discussion import StoredThread
from tests.distill.builders import SOURCE, stored

LINES = st.lists(
    st.sampled_from(["- Open the box.", "1. Turn it off.", "## Before you start", "It is a warm day. Nobody moves.", "x" * 900, ""]),
    max_size=60,
)


def read(*bodies: str):
    posts = tuple(stored(body, n + 1) for n, body in enumerate(bodies))
    return read_thread(StoredThread(f"{SOURCE}/t/1", SOURCE, "How to open a box", "2024-05-01T10:00:00Z", "", "", (), None, posts))


@given(LINES)
def test_every_passage_is_in_exactly_one_window(lines):
    thread = read("\n\n".join(lines))
    for post in thread.posts:
        windows = windows_of(thread, post)
        assert [place for window in windows for place in window.places] == list(range(len(post.passages)))
        for window in windows:
            sizes = [min(len(text), LONGEST) for _, text in window.pieces]
            assert sum(sizes) <= WINDOW or len(sizes) == 1
            assert all(len(text) <= LONGEST for _, text in window.pieces)


def test_a_window_says_where_its_passages_stand():
    thread = read("## Opening\n\nDo this:\n\n1. Take the lid.\n2. Lift it.\n\nThen rest.", "I did that.")
    (first,) = windows_of(thread, thread.posts[0])
    assert first.head == "first post: How to open a box"
    assert [before for before, _ in first.pieces] == ["# Opening :", "1.", "2.", ""]
    (second,) = windows_of(thread, thread.posts[1])
    assert second.head == "reply: How to open a box"


def test_a_later_window_goes_on_from_what_was_before():
    thread = read(
        "These are the steps:\n\n" + "\n".join(f"- Number {n} is a thing that has to be done {'very ' * 12}well." for n in range(20))
    )
    windows = windows_of(thread, thread.posts[0])
    assert len(windows) > 1
    assert windows[1].pieces[0][0] == "These are the steps: -"
