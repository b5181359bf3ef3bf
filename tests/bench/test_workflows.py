"""Which actions the steps of a guideline cover, and in which order."""

from __future__ import annotations

import pytest

from bench.workflows import Guideline, Row, action_name, figures, posted, scored

GUIDELINE = Guideline(
    "Post office",
    "Return a parcel",
    ("find-parcel", "weigh", "stamp"),
    (
        ("find-parcel", ("Look for the parcel:", "ask for its number", "use <b> & co.")),
        ("n/a", ("Be kind to the customer.",)),
        ("weigh", ("Put it on the scales",)),
        ("stamp", ("Stamp it.", "twice")),
    ),
    ("The customer wants it sent back.", "Say goodbye."),
)


@pytest.mark.parametrize("as_list", [True, False])
def test_regions_are_the_texts_of_the_actions(as_list: bool) -> None:
    read, regions = posted(GUIDELINE, as_list)
    plain = read.posts[0].post.plain
    assert [(name, plain[start:end].split()[:2]) for start, end, name in regions] == [
        ("find-parcel", ["Look", "for"]), ("n/a", ["Be", "kind"]), ("weigh", ["Put", "it"]), ("stamp", ["Stamp", "it."]),
    ]  # fmt: skip
    assert "use <b> & co" in plain
    assert any(p.kind == "item" for p in read.posts[0].passages) is as_list


def test_steps_cover_actions() -> None:
    read, regions = posted(GUIDELINE, True)
    plain = read.posts[0].post.plain

    def at(words: str) -> tuple[int, int]:
        return plain.index(words), plain.index(words) + len(words)

    steps = [at("Stamp it"), at("Look for"), at("twice"), at("Be kind"), at("Say goodbye")]
    row = scored(GUIDELINE, regions, steps)
    assert row == Row("Post office", covered=2, wanted=3, good=3, said=5, agree=-1, pairs=1)
    assert figures([row]) == pytest.approx({"R": 2 / 3, "P": 3 / 5, "F1": 12 / 19, "steps/action": 1.5, "tau": -1.0})
    assert scored(GUIDELINE, regions, []) == Row("Post office", 0, 3, 0, 0, 0, 0)
    in_order = scored(GUIDELINE, regions, [at("Look for"), at("scales"), at("Stamp it")])
    assert (in_order.agree, in_order.pairs) == (3, 3)


def test_names_of_buttons() -> None:
    assert [action_name(button) for button in ("Pull up Account", "Notify Internal Team", "Boots")] == [
        "pull-up-account",
        "notify-team",
        "search-boots",
    ]
