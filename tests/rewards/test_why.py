"""Explanations: amounts that add up down to the quote, what would have changed them, and the page that shows it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from index.config import Config
from index.store import Store
from index.workspace import Workspace
from rewards import ledger
from rewards.disputes import decide, raise_dispute
from rewards.finalising import finalise, mark_paid, settle_held
from rewards.pipeline import credit
from rewards.published import read_round
from rewards.teams import opt_out, set_team
from rewards.why import render_why, why
from rewards.why_html import render_html
from tests.rewards.builders import ADDRESSES, author_id, cite, procedure, put_forum, put_procedures, step
from tests.rewards.test_life import DAYS, LATE, TX, filled, identify, make  # noqa: F401


def told_of(workspace: Workspace, name: str, store: Store | None = None) -> dict[str, Any]:
    events = ledger.about(ledger.read_events(store), "r1") if store else ()
    told = why(read_round(workspace, "r1"), name, events=events)
    assert told == json.loads(json.dumps(told))
    if told["money"]:
        credits = [c for p in told["procedures"] for s in p["steps"] for c in s["credits"]]
        amount = int(told["money"]["amount"])
        assert sum(int(c["amount"]) for c in credits) == amount == sum(int(line["amount"]) for line in told["waterfall"])
    assert render_why(told) and render_html(told)
    return told


def otherwise(told: dict[str, Any], kind: str) -> list[dict[str, str]]:
    return [entry for entry in told["otherwise"] if entry["kind"] == kind]


@pytest.mark.parametrize("options", [{}, {"cap": "30%"}, {"policy": "clrfund-linear"}, {"verified": True, "tilt": "0.5"}, {"floor": "20%"}])
def test_the_waterfall_adds_up_under_every_setting(filled: Store, workspace: Workspace, options: dict[str, Any]) -> None:  # noqa: F811
    make(filled, workspace, **options)
    for name in ("ann", "bob", "cleo", "dora", "copycat"):
        told_of(workspace, name)


def test_without_the_cap_it_would_have_been_more(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace, cap="30%")
    told = told_of(workspace, "bob")
    (cap,) = otherwise(told, "cap")
    assert int(cap["amount"]) == int(told["money"]["amount"]) + int(cap["difference"]) > 30_000
    assert [line["what"] for line in told["waterfall"]][-1] == "the round's policy and limits"
    assert "without the cap" in render_why(told)


def test_had_it_not_been_said_before(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace)
    told = told_of(workspace, "copycat")
    (before,) = otherwise(told, "said before")
    ann = int(told_of(workspace, "ann")["money"]["amount"])
    assert told["money"] is None and 0 < int(before["amount"]) <= ann
    assert "had step 1 of sop-1 not been said before" in render_why(told)


def test_without_one_of_the_posts(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace)
    posts = otherwise(told_of(workspace, "bob"), "post")
    assert len(posts) == 2 and all(int(entry["difference"]) < 0 for entry in posts)
    assert otherwise(told_of(workspace, "ann"), "post") == []  # one post alone: without it, nothing


def test_without_an_identity_in_a_verified_round(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace, verified=True)
    (entry,) = otherwise(told_of(workspace, "cleo"), "identity")
    assert int(entry["amount"]) > 0


def test_with_an_identity_a_held_share_would_be_paid(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace)
    (entry,) = otherwise(told_of(workspace, "cleo"), "identity")
    assert entry["difference"] == "0" and "paid, and not held" in entry["what"]
    assert otherwise(told_of(workspace, "ann"), "identity") == []


def test_corrections_eligibility_and_what_came_afterwards(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    set_team(filled, "duo", [f"{ADDRESSES[2]}=2", f"{ADDRESSES[3]}=1"], ["dora"], at=DAYS[0])
    opt_out(filled, "bob", "no", at=DAYS[0])
    make(filled, workspace, claim_within="1d")
    raise_dispute(filled, workspace, "r1", "cleo", "more", at=DAYS[3])
    decide(filled, workspace, "r1", "r1-d1", "upheld", "yes", ["cleo=150"], at=DAYS[4])
    finalise(filled, workspace, "r1", at=DAYS[20])
    mark_paid(filled, workspace, "r1", TX, at=DAYS[21])
    settle_held(filled, workspace, "r1", at=LATE)
    cleo, bob, dora = (told_of(workspace, name, filled) for name in ("cleo", "bob", "dora"))
    assert cleo["waterfall"][-1]["what"] == "dispute r1-d1" and otherwise(cleo, "correction")[0]["difference"].startswith("-")
    assert [entry["what"] for entry in cleo["afterwards"]] == ["not claimed in time"]
    assert bob["money"]["amount"] == "0" and "opted out" in bob["waterfall"][-1]["what"] and "opted out" in render_why(bob)
    assert "paid to team duo: " in render_why(dora) and TX in render_why(dora)


def test_who_is_not_eligible_is_told_why(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace, stake="5")
    told = told_of(workspace, "ann")
    assert told["money"] is None and told["excluded"] == "no stake is known, the round asks for 5"
    assert int(otherwise(told, "eligible")[0]["amount"]) > 0
    assert "Not eligible: no stake is known" in render_why(told)


# --- the page -------------------------------------------------------------------------------------------------------

HOSTILE = "</bdi></blockquote><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J\x00 & \"' javascript:alert(1)"


class Page(HTMLParser):
    """What a browser would see: tags, attributes and whether they close."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[int] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag[0] == "h" and tag[1:].isdecimal():
            self.headings.append(int(tag[1:]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ALLOWED = set(
    "html head meta title style body main section h1 h2 h3 h4 p bdi a table caption thead tbody tfoot tr th td blockquote span".split()
)


@pytest.fixture
def hostile(store: Store, workspace: Workspace) -> dict[str, Any]:
    record = procedure(step(1, cite(1, "ann", 1, exact=HOSTILE), cite(2, "bob", 2, exact=HOSTILE), text=HOSTILE))
    record["title"] = HOSTILE
    record["steps"][0]["citations"][0]["permalink"] = "javascript:alert(1)"
    put_forum(store, record)
    put_procedures(store, record)
    credit(store, Config())
    identify(store, ann=ADDRESSES[0])
    make(store, workspace)
    return read_round(workspace, "r1")


def test_hostile_words_stay_words(hostile: dict[str, Any]) -> None:
    for name in ("ann", "bob"):
        text = render_html(why(hostile, name))
        page = Page(text)
        assert page.open == [] and {tag for tag, _ in page.tags} <= ALLOWED
        assert not {"\u202e", "\x1b", "\x00"} & set(text)
        assert "&lt;script&gt;" in text and not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
        assert all((attrs.get("href") or "#").startswith(("#", "https://")) for tag, attrs in page.tags if tag == "a")


def test_the_page_asks_nobody_for_anything_and_can_be_read_aloud(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    make(filled, workspace, cap="30%")
    text = render_html(told_of(workspace, "bob"))
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "form", "svg"} & {tag for tag, _ in page.tags}
    assert (
        not any(key in attrs for _, attrs in page.tags for key in ("src", "srcset", "action"))
        and "url(" not in text
        and "@import" not in text
    )
    assert "default-src 'none'" in next(a["content"] or "" for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert ("html", {"lang": "en"}) in page.tags and [tag for tag, _ in page.tags].count("main") == 1
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))  # no level is left out
    tables = [tag for tag, _ in page.tags if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * (len(tables) // 2) and len(tables) >= 6
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.tags if tag == "th")
    assert 'href="https://forum.example.org/t/1/2"' in text
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert all(f"#{identifier}" in text for identifier in ids) and len(ids) == len(set(ids))


def test_a_page_without_a_round(hostile: dict[str, Any]) -> None:
    text = render_html(why(hostile["credits"], author_id("ann")))
    assert Page(text).open == [] and "points." in text
