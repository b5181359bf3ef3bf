"""Plain text: what a mail's author wrote is told from what they quote, sign with and armour; every span leads back."""

from __future__ import annotations

import gc
import re
import time

from hypothesis import example, given
from hypothesis import strategies as st

from index.plain import derive

MAIL = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Hi all,

On Mon, 3 May 2021 at 10:00, Ann Smith via
list <list@example.org> wrote:
> To release, do this:
>> older still

I do it
differently:

1. Tag the release
   and sign it.
2. Upload it

    $ git push --tags

What is left
============

- the notes
- the mail
On Tuesday Bob said:
> not yet

--\x20
Ann
+1 555 0100
"""


def blocks(text: str) -> list[tuple[str, str]]:
    plain = derive(text, "text")
    return [(block.kind, plain.text[block.start : block.end]) for block in plain.blocks]


def test_a_mail_is_taken_apart() -> None:
    assert blocks(MAIL) == [
        ("paragraph", "Hi all,"),
        (
            "quote",
            "On Mon, 3 May 2021 at 10:00, Ann Smith via\nlist <list@example.org> wrote:\nTo release, do this:\nolder still",
        ),
        ("paragraph", "I do it differently:"),
        ("item", "Tag the release and sign it."),
        ("item", "Upload it"),
        ("code", "    $ git push --tags"),
        ("heading", "What is left"),
        ("item", "the notes"),
        ("item", "the mail"),
        ("quote", "On Tuesday Bob said:\nnot yet"),
    ]


def test_lists_are_numbered_and_nested() -> None:
    plain = derive("1. one\n\n2. two\n      - deep\n\ntext\n\n1) again", "text")
    items = [(block.list_id, block.list_index, block.ordered, block.depth) for block in plain.blocks if block.kind == "item"]
    assert items == [(0, 1, True, 0), (0, 2, True, 0), (1, 1, False, 2), (2, 1, True, 0)]


def test_forwarded_mail_and_footers_are_not_the_authors() -> None:
    assert blocks("See below.\n\n---- Original Message ----\nFrom: x\nDo that.") == [
        ("paragraph", "See below."),
        ("quote", "---- Original Message ----\nFrom: x\nDo that."),
    ]
    assert blocks("Yes.\n____________________________________\nlist mailing list") == [("paragraph", "Yes.")]


PIECES = st.sampled_from(
    ["> ", "- ", "1. ", "word", "\n", "\r\n", "    ", "On x wrote:", "-- ", "===", "```", "\u202e", "é", "_" * 25, "# "]
)


GAPS = re.compile(r"[\x00-\x1f\x7f-\x9f\s]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@given(st.lists(PIECES | st.text(max_size=5), max_size=60))
@example(["```", "\x1e\x1b0"])
@example(["0\x1f0"])
def test_any_text_can_be_read_and_every_word_stands_in_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    plain = derive(text, "text")
    ends = 0
    for block in plain.blocks:
        assert ends <= block.start < block.end <= len(plain.text)
        ends = block.end
        for start, raw, length, raw_length in plain.offsets:
            if length == raw_length and plain.text[start : start + length].strip():
                seen, read = text[raw : raw + raw_length], plain.text[start : start + length]
                if CONTROL.search(seen):  # some part words, some are left out: the letters are the same
                    seen, read = (GAPS.sub("", words) for words in (seen, read))
                assert seen.split() == read.split()


def test_reading_costs_what_its_length_costs() -> None:
    """Without the collector of garbage, whose share depends on what ran before; the least of three, since cores are shared."""

    def cost(text: str) -> float:
        found = []
        for _ in range(3):
            started = time.process_time()
            derive(text, "text")
            found.append(time.process_time() - started)
        return min(found)

    gc.disable()
    try:
        for piece in ("a wrote:\n", "> x\n", "On x\n", "1. x\n", "    y\n", "- - - "):
            small, large = max(cost(piece * 2_000), 0.004), cost(piece * 32_000)
            assert large < small * 64, piece  # sixteen times the length; the square would be 256
    finally:
        gc.enable()
