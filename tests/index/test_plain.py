"""plain/1: exact offsets whatever the body, quotes kept apart, hidden text left out, bombs that cost what they weigh."""

from __future__ import annotations

import gc
import hashlib
import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.plain import MAX_READ, Plain, blocks_from_json, derive, fold
from index.records import PostFormat

HTML_PARTS = (
    *(
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<br>",
        "<ul>",
        "<ol start=3>",
        "</ul>",
        "</ol>",
        "<li>",
        "</li>",
        "<h2>",
        "</h2>",
        "<pre>",
        "</pre>",
    ),
    *(
        "<blockquote>",
        "</blockquote>",
        '<aside class="quote" data-username="ann">',
        "</aside>",
        "<s>",
        "</s>",
        '<span style="display:none">',
    ),
    *(
        "</span>",
        "<!--",
        "-->",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "&amp;",
        "&nbsp;",
        "&#x202e;",
        "&copy;",
        "&bogus;",
        "&",
        "<",
        ">",
        '"',
        "'",
    ),
    *("one two", " ", "\n", "\t", "\r\n", "\u200b", "\u202e", "\u00ad", "é", "🙂", "\x00", "\u2028", "x"),
)
MARKDOWN_PARTS = (
    *("1. ", "2) ", "- ", "* ", "> ", "# ", "## ", "```\n", "`", "``", "**", "*", "_", "~~", "[", "](", ")", "![", "|", "|-|-|\n", "---\n"),
    *('[quote="ann, post:3, topic:12"]', "[quote]", "[/quote]", "[details=x]", "[/details]", "[poll]", "[/poll]", "\\*", "\\"),
    *(
        "<b>",
        "</b>",
        '<span style="display:none">',
        "</span>",
        "<!--",
        "-->",
        "<br>",
        "<https://a.example>",
        "<div>",
        "</div>",
        "&amp;",
        "&nbsp;",
    ),
    *("one two", "x", " ", "    ", "\n", "\n\n", "\t", "\r\n", "\u200b", "\u202e", "é", "🙂", "\x00", "\u2028", "\x0c"),
)


def bodies(parts: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts) | st.text(max_size=5), max_size=40).map("".join)


def assert_exact(raw: str, plain: Plain) -> None:
    """Blocks lie in order within the text; each verbatim character is the raw one, white space folded."""
    end = 0
    for block in plain.blocks:
        assert end <= block.start < block.end <= len(plain.text)
        assert plain.text[block.start : block.end].strip("\n")
        end = block.end
    place = 0
    for start, raw_start, length, raw_length in plain.offsets:
        assert start == place and 0 <= raw_start <= raw_start + raw_length <= len(raw)
        place += length
        if length == raw_length:
            pairs = zip(plain.text[start : start + length], raw[raw_start : raw_start + length], strict=True)
            assert all(said == stood or said in " \n" for said, stood in pairs)
    assert place == len(plain.text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies(HTML_PARTS))
def test_html_offsets_are_exact(raw: str) -> None:
    assert_exact(raw, derive(raw, "cooked"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies(MARKDOWN_PARTS))
def test_markdown_offsets_are_exact(raw: str) -> None:
    assert_exact(raw, derive(raw, "raw"))


@settings(max_examples=60, deadline=None)
@given(bodies(HTML_PARTS + MARKDOWN_PARTS), st.sampled_from(["cooked", "raw"]))
def test_same_body_same_text_and_blocks_survive_storage(raw: str, format: PostFormat) -> None:
    first, second = derive(raw, format), derive(raw, format)
    assert first == second
    assert blocks_from_json(first.blocks_json()) == first.blocks
    assert len(first.offsets_bytes()) == 16 * len(first.offsets)


UNEVEN = (
    *(
        '<ul class="onebox">',
        '<li class="onebox">',
        '<div class="title">',
        '<aside class="onebox quote">',
        "<a hidden=x>",
        "<!-->",
        "<PRE>",
    ),
    *(
        "\x85",
        " \u2009",
        "\u034f",
        "\u3000",
        "\x1c",
        "\ta",
        "  b",
        "\n\n",
        "\n \n",
        "<pre> a\n\n b</pre>",
        "&#10;",
        "word " * 9,
        "> x\n",
        "-- \n",
    ),
)


@pytest.mark.parametrize(
    ("format", "digest"),
    [
        ("cooked", "3b7afb9a67c8e48c"),
        ("raw", "2cccf74b5d1c7be6"),
        ("text", "6910f70f3bd2eaf7"),
    ],
)
def test_plain_1_is_what_it_was(format: PostFormat, digest: str) -> None:
    """Spans that were published count characters of this text: a faster reader has to say the same to the byte."""
    parts, draw = [*HTML_PARTS, *MARKDOWN_PARTS, *UNEVEN], random.Random(1).random
    said = hashlib.sha256()
    for _ in range(2_000):
        plain = derive("".join(parts[int(draw() * len(parts))] for _ in range(int(draw() * 40))), format)
        said.update(f"{plain.text}\0{plain.blocks_json()}\0".encode() + plain.offsets_bytes())
    assert said.hexdigest()[:16] == digest


@pytest.mark.parametrize("start", ["²", "9" * 40, "-1", "", "x", "٣"])
def test_lists_may_begin_anywhere(start: str) -> None:
    assert derive(f'<ol start="{start}"><li>one</li></ol>', "cooked").text == "one\n"


@pytest.mark.parametrize("format", ["cooked", "raw"])
def test_a_word_is_found_again_in_the_raw_body(format: PostFormat) -> None:
    raw = "one &amp; two &copy; **three** <b>four</b> five"
    plain = derive(raw, format)
    for word in ("one", "two", "three", "four", "five"):
        at = plain.text.index(word)
        begin, end = plain.raw_span(at, at + len(word))
        assert raw[begin:end] == word
    sign = plain.text.index("©")
    begin, end = plain.raw_span(sign, sign + 1)
    assert raw[begin:end] == "&copy;"


BOMBS = {
    "nested tags": ("cooked", "<div>" * 20_000),
    "nested lists": ("cooked", "<ul><li>" * 10_000),
    "tags without an end": ("cooked", "<a" * 200_000),
    "attributes without an end": ("cooked", "<a\"'" * 50_000),
    "comments without an end": ("cooked", "a<!--" * 80_000),
    "ampersands": ("cooked", "&" * 200_000),
    "quotes in Markdown": ("raw", "[quote]" * 57_000),
    "quotes ended in Markdown": ("raw", "[/quote]" * 50_000),
    "tags without an end in Markdown": ("raw", "<a" * 100_000),
    "brackets": ("raw", "[" * 100_000),
    "links": ("raw", "[a](" * 25_000),
    "images": ("raw", "![" * 50_000),
    "ticks": ("raw", "`" * 100_000),
    "stars": ("raw", "*" * 100_000),
    "quoted deep": ("raw", ">" * 100_000),
    "lists in lists": ("raw", "- " * 2_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_what_they_weigh(name: str) -> None:
    format, body = BOMBS[name]
    started = time.process_time()
    derive(body, format)  # type: ignore[arg-type]
    assert time.process_time() - started < 6


def cost(body: str) -> float:
    """Seconds of this process without the collector of garbage, whose share depends on what other tests left."""
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        derive(body, "raw")
        return time.process_time() - started
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "unit",
    [
        "[quote]a[/quote]\n",
        "[poll]a[/poll]\n",
        "<s>a</s>\n",
        "List<S> a\n",
        "|a|b|\n",
        "*a* ",
    ],
)
def test_many_marks_grow_with_their_length_only(unit: str) -> None:
    """Sixteen times the body costs about sixteen times the time, not 256: far apart, so that noise decides nothing."""
    head = "|a|b|\n|-|-|\n" if unit.startswith("|") else ""
    small, large = (min(cost(head + unit * (size // len(unit))) for _ in range(5)) for size in (10_000, 160_000))
    assert large < 0.05 or large < small * 48


@pytest.mark.parametrize("unit", ["[poll]", "a <!--"])
def test_openers_without_an_end_are_read_at_once(unit: str) -> None:
    assert min(cost(unit * (20_000 // len(unit))) for _ in range(3)) < 0.3


def test_a_type_parameter_strikes_nothing_out() -> None:
    """ "List<S>" opens no struck text: what follows stays."""
    assert words("Use a List<S> here.\n\nThen run it.", "raw").endswith("Then run it.")


def kinds(plain: Plain) -> list[tuple[str, str]]:
    return [(block.kind, plain.text[block.start : block.end]) for block in plain.blocks]


def words(body: str, format: PostFormat = "cooked") -> str:
    return " ".join(derive(body, format).text.split())


@pytest.mark.parametrize(
    "body",
    [
        "<p>seen</p><p style='display: none'>secret</p>",
        "<p>seen</p><p style='color:red;visibility:hidden'>secret</p>",
        "<p>seen <span style='font-size:0'>secret</span></p>",
        "<p>seen <span style='opacity:0'>secret</span></p>",
        "<p>seen <span hidden>secret</span></p>",
        "<p>seen <b class='hidden'>secret</b></p>",
        "<p>seen <s>secret</s> <del>secret</del> <strike>secret</strike></p>",
        "<script>secret</script><style>secret</style><noscript>secret</noscript><p>seen</p><template>secret</template>",
        "<p>seen</p><!-- secret -->",
        "<p>seen</p><!-- secret",
        "<div style='display:none'><div>x</div>secret</div><p>seen</p>",
        "<p>seen <img alt='secret' title='secret'></p>",
        "<p data-x='secret'>seen</p>",
    ],
)
def test_hidden_html_is_left_out(body: str) -> None:
    assert words(body) == "seen"


@pytest.mark.parametrize("body", ["<p style='font-size:0.9em'>seen</p>", "<p style='opacity:0.8'>seen</p>", "<p class='unhidden'>seen</p>"])
def test_visible_html_stays(body: str) -> None:
    assert words(body) == "seen"


@pytest.mark.parametrize(
    "body",
    [
        "seen ~~secret~~",
        "seen <s>secret</s>",
        "seen <del>secret</del>",
        '<span style="display:none">secret</span> seen',
        "seen <!-- secret -->",
        "seen\n\n<!-- secret\nsecret -->",
        '<div style="display:none">secret</div>\n\nseen',
        "seen ![secret](https://a.example/b.png)",
        'seen [poll name="x"]\n* secret\n[/poll]',
    ],
)
def test_hidden_markdown_is_left_out(body: str) -> None:
    assert words(body, "raw") == "seen"


@pytest.mark.parametrize(
    "body",
    [
        'seen <span style="display:none">secret\nsecret</span>',
        'seen <span style="display:none">x <span>y</span> secret</span>',
        'seen <b style="display:none">secret</b>',
        "seen <!-- secret\nsecret -->",
        "seen ~~secret\nsecret~~",
        '<div style="display:none">\n\nsecret\n\n</div>\n\nseen',
    ],
    ids=["span over two lines", "span in a span", "bold", "comment over two lines", "struck over two lines", "div around a paragraph"],
)
def test_hidden_markdown_is_left_out_over_lines_and_nesting(body: str) -> None:
    assert words(body, "raw") == "seen"


def test_hiding_reaches_deeper_than_the_deepest_nesting_read() -> None:
    assert "secret" not in words("<p>seen</p>" + "<div>" * 150 + "<span style='display:none'>secret</span>")


def test_what_is_nested_too_deep_is_left_out_and_never_the_authors() -> None:
    plain = derive("<div>" * 150 + "<blockquote>theirs</blockquote>" + "</div>" * 150 + "<p>mine</p>", "cooked")
    assert [text for _, text in kinds(plain)] == ["mine"]


@pytest.mark.parametrize("format", ["cooked", "raw"])
@pytest.mark.parametrize(
    "sign", ["\u200b", "\u200d", "\u2060", "\u202e", "\u2066", "\u2069", "\u00ad", "\ufeff", "\U000e0041", "&#8203;", "&#x202e;"]
)
def test_zero_width_and_direction_signs_are_left_out(format: PostFormat, sign: str) -> None:
    assert words(f"char{sign}ger on", format) == "charger on"


def test_quotes_in_markdown_are_blocks_of_their_own() -> None:
    plain = derive('before\n[quote="ann, post:3, topic:12"]\ntheirs\n\n- their item\n[/quote]\nmine', "raw")
    assert kinds(plain) == [("paragraph", "before"), ("quote", "theirs"), ("quote", "their item"), ("paragraph", "mine")]
    assert [block.quote_of for block in plain.blocks] == [None, "ann/12/3", "ann/12/3", None]


def test_quotes_within_a_line_part_from_what_stands_around() -> None:
    assert kinds(derive('a [quote="ann"]theirs[/quote] b', "raw")) == [("paragraph", "a"), ("quote", "theirs"), ("paragraph", "b")]


def test_a_quote_without_an_end_never_becomes_the_authors_words() -> None:
    assert {kind for kind, _ in kinds(derive("[quote]\ntheirs\n\nand theirs", "raw"))} == {"quote"}


def test_nested_quotes() -> None:
    plain = derive('[quote="ann"]\n[quote="bob"]\nold\n[/quote]\nnew\n[/quote]\nmine', "raw")
    assert kinds(plain) == [("quote", "old"), ("quote", "new"), ("paragraph", "mine")]


def test_angle_quotes() -> None:
    assert kinds(derive("> theirs\n> theirs too\n\nmine", "raw")) == [("quote", "theirs\ntheirs too"), ("paragraph", "mine")]


def test_quotes_in_html() -> None:
    body = (
        '<aside class="quote no-group" data-username="ann" data-post="3" data-topic="12"><div class="title">ann:</div>'
        "<blockquote><p>theirs</p></blockquote></aside><blockquote>anyone's</blockquote><p>mine</p>"
    )
    plain = derive(body, "cooked")
    assert kinds(plain) == [("quote", "theirs"), ("quote", "anyone's"), ("paragraph", "mine")]
    assert [block.quote_of for block in plain.blocks] == ["ann/12/3", None, None]


def test_onebox_is_an_embed() -> None:
    assert kinds(derive('<aside class="onebox"><p>elsewhere</p></aside><p>mine</p>', "cooked")) == [
        ("embed", "elsewhere"),
        ("paragraph", "mine"),
    ]


LISTS: dict[str, tuple[PostFormat, str]] = {
    "html": ("cooked", "<ol start='3'><li>a</li><li>b<ul><li>x</li><li>y</li></ul></li><li>c</li></ol>"),
    "html without ends": ("cooked", "<ol start=3><li>a<li>b<ul><li>x<li>y</ul><li>c</ol>"),
    "markdown": ("raw", "3. a\n4. b\n   - x\n   - y\n5. c"),
}


@pytest.mark.parametrize("form", LISTS)
def test_lists_keep_start_index_and_depth(form: str) -> None:
    format, body = LISTS[form]
    plain = derive(body, format)
    found = [(plain.text[b.start : b.end], b.list_index, b.ordered, b.depth) for b in plain.blocks]
    assert found == [("a", 3, True, 1), ("b", 4, True, 1), ("x", 1, False, 2), ("y", 2, False, 2), ("c", 5, True, 1)]
    assert all(block.kind == "item" for block in plain.blocks)
    outer, inner = plain.blocks[0].list_id, plain.blocks[2].list_id
    assert outer != inner and [block.list_id for block in plain.blocks] == [outer, outer, inner, inner, outer]


def test_paragraphs_of_one_item_share_its_index() -> None:
    assert [(b.kind, b.list_index) for b in derive("- a\n\n  more\n- b", "raw").blocks] == [("item", 1), ("item", 1), ("item", 2)]


def test_headings_code_and_tables() -> None:
    markdown = "## Head\n\ntext\n\n```sh\nrm  -rf x\n  y\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert kinds(derive(markdown, "raw")) == [
        ("heading", "Head"), ("paragraph", "text"), ("code", "rm  -rf x\n  y"), ("table", "a"), ("table", "b"), ("table", "1"), ("table", "2"),
    ]  # fmt: skip
    html = "<h3>Head</h3><p>text</p><pre><code>rm  -rf x\n  y</code></pre><table><tr><td>1</td><td>2</td></tr></table>"
    plain = derive(html, "cooked")
    assert kinds(plain) == [("heading", "Head"), ("paragraph", "text"), ("code", "rm  -rf x\n  y"), ("table", "1"), ("table", "2")]
    assert plain.blocks[0].level == 3


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("a &lt;b&gt; &amp;&nbsp;c", "a <b> & c"),
        ("&bogus; & &#38;", "&bogus; & &"),
        ("a\n\n\n  b", "a b"),
    ],
)
@pytest.mark.parametrize("format", ["cooked", "raw"])
def test_entities_and_space(body: str, text: str, format: PostFormat) -> None:
    assert words(body, format) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("**bold** and _slanted_ and `code_name`", "bold and slanted and code_name"),
        ("[the page](https://a.example/b_(c)) says", "the page says"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        (r"\*not bold\*", "*not bold*"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("a [note] here", "a [note] here"),
        ("a\r\nb\r\n\r\nc", "a b c"),
    ],
)
def test_inline_marks(body: str, text: str) -> None:
    assert words(body, "raw") == text


def test_line_ends_of_all_kinds_lose_no_word() -> None:
    assert words("a\rb\r\nc\r\n\r\nd", "raw") == "a b c d"


@pytest.mark.parametrize("format", ["cooked", "raw"])
def test_a_body_that_is_too_long_says_so(format: PostFormat) -> None:
    body = "word " * (MAX_READ // 5 + 1)
    plain = derive(body, format)
    assert plain.truncated and 0 < len(plain.text) <= MAX_READ + 1
    assert not derive("word", format).truncated


@pytest.mark.parametrize("body", ["", " ", "\n\n", "\u200b", "<p></p>", "<!--", "\x00"])
@pytest.mark.parametrize("format", ["cooked", "raw"])
def test_nothing_to_read_is_no_block(body: str, format: PostFormat) -> None:
    plain: Any = derive(body, format)
    assert (plain.text, plain.blocks) == ("", ())


def test_fold() -> None:
    assert fold("Ｆｏｏ\n  BAR") == "foo bar"
