"""Passages: one sentence or item each, exact spans, only the author's own words."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill.passages import LONGEST_ITEM_WORDS, MAX_PASSAGES_PER_POST, read_post, read_thread
from index.records import PostFormat
from index.tables_discussion import StoredThread
from tests.distill.builders import stored, texts

PARTS = (
    *(
        "Open the page. ",
        "Then click Save! ",
        "e.g. this one. ",
        "1. ",
        "2) ",
        "Step 3: ",
        "- ",
        "• ",
        "\n",
        "\n\n",
        "> ",
        "## ",
        "Steps:\n",
        "wrapped " * 9,
    ),
    *(
        "\n```\ncode\n```\n",
        '[quote="ann"]',
        "[/quote]",
        "| a | b |\n|---|---|\n",
        " ",
        "\t",
        "é",
        "🙂",
        "\u200b",
        "…",
        "?",
        "Dr. Who. ",
        "x",
    ),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=30).map("".join), st.sampled_from(["raw", "cooked"]))
def test_spans_are_exact_and_in_the_authors_own_blocks(body: str, format: PostFormat) -> None:
    post = stored(body, format=format)
    read = read_post(post, 0)
    assert len(read.contexts) == len(read.passages)
    end = 0
    for place, (passage, context) in enumerate(zip(read.passages, read.contexts, strict=True)):
        assert post.plain[passage.start : passage.end] == passage.text == passage.text.strip() != ""
        assert end <= passage.start < passage.end
        end = passage.end
        block = post.blocks[passage.block]
        assert block.kind in ("paragraph", "item") and block.start <= passage.start and passage.end <= block.end
        assert (context.place, context.of) == (place, len(read.passages))


def test_sentences() -> None:
    assert texts("Open the page. Then click Save, e.g. with the mouse. Done!") == [
        "Open the page.",
        "Then click Save, e.g. with the mouse.",
        "Done!",
    ]


def test_list_items_are_whole() -> None:
    read = read_post(stored("Do this:\n\n1. Open it. Then wait.\n2. Close it.\n   - gently"), 0)
    found = [(p.text, p.kind, p.list_index, p.ordered, p.depth) for p in read.passages]
    assert found == [
        ("Do this:", "sentence", 0, False, 0), ("Open it. Then wait.", "item", 1, True, 1), ("Close it.", "item", 2, True, 1),
        ("gently", "item", 1, False, 2),
    ]  # fmt: skip


def test_a_long_item_is_read_by_sentence() -> None:
    sentence = "Put the tool back on the shelf it came from. "
    read = read_post(stored("1. " + sentence * (LONGEST_ITEM_WORDS // 10 + 2)), 0)
    assert len(read.passages) > 1 and {(p.kind, p.list_index) for p in read.passages} == {("item", 1)}


def test_numbered_lines_are_a_list_of_their_own() -> None:
    read = read_post(stored("<p>Step 1: Open it.<br>Step 2: Close it.<br>3) Leave.</p>", format="cooked"), 0)
    assert [(p.text, p.kind, p.list_index, p.ordered) for p in read.passages] == [
        ("Open it.", "item", 1, True), ("Close it.", "item", 2, True), ("Leave.", "item", 3, True),
    ]  # fmt: skip
    assert len({p.list_id for p in read.passages}) == 1 and read.passages[0].list_id < -1


def test_lines_with_bullets_are_not_numbered() -> None:
    read = read_post(stored("<p>• Open it.<br>• Close it.</p>", format="cooked"), 0)
    assert [(p.text, p.kind) for p in read.passages] == [("Open it.", "item"), ("Close it.", "item")]
    assert not any(p.ordered for p in read.passages)


def test_wrapped_lines_are_joined_and_short_ones_are_not() -> None:
    long = "Please bring the signed form to the desk in the library before the"
    assert texts(f"{long}\nclinic closes at noon.") == [f"{long} clinic closes at noon."]
    assert len(texts("<p>Bring the form<br>Sign the card</p>", "cooked")) == 2


def test_only_the_authors_own_words() -> None:
    body = 'Mine one.\n\n[quote="ann, post:1, topic:2"]\nTheirs.\n[/quote]\n\n> Theirs too.\n\n```\nrm -rf x\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nMine two.'
    assert texts(body) == ["Mine one.", "Mine two."]
    html = '<p>Mine.</p><aside class="quote"><blockquote>Theirs.</blockquote></aside><aside class="onebox">Elsewhere.</aside><pre>x</pre>'
    assert texts(html, "cooked") == ["Mine."]


def test_headings_and_lead_ins_are_context() -> None:
    body = "## Applying\n\nDo it in this order:\n\n1. Open it.\n2. Close it.\n\n**After that**\n\nWait a week.\n\nNo lead in.\n\n- Alone."
    read = read_post(stored(body), 0)
    found = {p.text: (c.heading, c.lead_in, c.list_length) for p, c in zip(read.passages, read.contexts, strict=True)}
    assert found == {
        "Do it in this order:": ("Applying", "", 0),
        "Open it.": ("Applying", "Do it in this order:", 2),
        "Close it.": ("Applying", "Do it in this order:", 2),
        "Wait a week.": ("After that", "", 0),
        "No lead in.": ("After that", "", 0),
        "Alone.": ("After that", "", 1),
    }


def test_a_wall_of_text_is_cut_and_counted() -> None:
    read = read_post(stored("\n".join(f"{n}. Do it.\n" for n in range(1, MAX_PASSAGES_PER_POST + 51))), 0)
    assert (len(read.passages), read.left_out) == (MAX_PASSAGES_PER_POST, 50)


def test_thread_is_read_post_by_post() -> None:
    posts = (stored("One. Two."), stored("[quote]x[/quote]", 2), stored("Three.", 3))
    read = read_thread(StoredThread("t", "s", "Title", "", "", "", (), None, posts))
    assert [(p.number, len(p.passages)) for p in read.posts] == [(0, 2), (1, 0), (2, 1)]
    assert read.passage_count == 3
