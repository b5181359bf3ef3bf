"""The static site as files: every link leads somewhere, nothing comes from elsewhere, strangers' words stay words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from index.workspace import Workspace, find_workspace
from publish.site import words
from publish.site.build import build_site, page_kinds
from publish.site.data import gini, histogram, lorenz, safe_link, same_words, thread_links, tokens
from publish.site.layout import SIZE, layout
from publish.site.open import open_site
from tests.conftest import Command


class Page(HTMLParser):
    """Addresses that a page names, scripts and event handlers that stand in it, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.handlers: list[str] = []
        self.inline: list[str] = []
        self.said: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in = tag
        self.links += [(tag, value or "") for name, value in attrs if name in ("href", "src", "action", "srcset", "poster", "data")]
        self.handlers += [name for name in values if name.startswith("on")]
        if "style" in values:
            self.handlers.append("style")

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style") and data.strip():
            self.inline.append(data)
        self.said.append(data)


@pytest.fixture(scope="module")
def site(demo: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's site, made by the command, with a round."""
    import shutil

    workspace = tmp_path_factory.mktemp("site") / "round"
    shutil.copytree(demo, workspace, symlinks=True)
    for line in (
        ["identity", "import", str(Path(__file__).parents[2] / "docs" / "demo" / "payees.csv")],
        ["round", "new", "r1", "--budget", "10000", "--token", "native"],
        ["round", "allocate", "r1"],
        ["site", "public", "--title", "Harbourside", "--agents", "--json"],
    ):
        done = command(*line, cwd=workspace)
        assert done.returncode in (0, 3), done.stderr
    told = json.loads(done.stdout)
    assert told["files"] == sum(1 for path in (workspace / "public").rglob("*.*") if path.is_file()) - 1
    return workspace / "public"


def pages(site: Path) -> Iterator[tuple[Path, Page]]:
    for path in sorted(site.rglob("*.html")):
        yield path, Page(path.read_text(encoding="utf-8"))


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(site: Path) -> None:
    for path, page in pages(site):
        assert page.handlers == [] and page.inline == [], path
        for tag, url in page.links:
            if tag == "a" and url.startswith(("https://", "http://", "mid:", "#")):
                continue
            if url == "data:,":
                continue
            assert not re.match(r"[a-z]+:|//", url), (path, url)
            assert (path.parent / url.partition("#")[0].partition("?")[0]).is_file(), (path, url)


def test_agents_find_every_sop_from_the_root(site: Path) -> None:
    named = re.findall(r"\]\((sop-\w+\.sop\.md)\)", (site / "llms.txt").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(f"{path.stem}.sop.md" for path in (site / "sops").iterdir()) != []
    assert all((site / name).read_text(encoding="utf-8").startswith("# sop-") for name in named)


def test_every_sop_has_a_page_with_its_quotes_and_dissent(site: Path, demo: Path) -> None:
    for line in (demo / ".precipitate" / "current" / "procedures.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        said = " ".join(" ".join(Page((site / "sops" / f"{record['id']}.html").read_text(encoding="utf-8")).said).split())
        for step in record["steps"]:
            assert " ".join(step["text"].split()) in said
            for citation in step["citations"]:
                assert " ".join(citation["exact"].split()) in said
        assert said.count("Refused by") == sum(stance["kind"] == "dissent" for stance in record["stances"])


def test_people_and_rounds_add_up(site: Path, demo: Path) -> None:
    credits = [json.loads(line) for line in (demo / ".precipitate" / "current" / "credits.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(list((site / "people").glob("*.html"))) == len({credit["author"] for credit in credits})
    (page,) = (site / "rounds").glob("*.html")
    said = " ".join(Page(page.read_text(encoding="utf-8")).said)
    assert "10,000" in said and "Gini" in said and "<svg" in page.read_text(encoding="utf-8")


def test_each_kind_of_page_is_named(site: Path) -> None:
    kinds = list(page_kinds(site))
    assert len(kinds) == 13 and all((site / kind).is_file() for kind in kinds)


def test_a_second_site_takes_the_place_of_the_first_and_nothing_else_does(site: Path, tmp_path: Path) -> None:
    workspace = find_workspace(site.parent)
    with open_site(workspace, "Again") as (data, vectors):
        other = tmp_path / "mine"
        other.mkdir()
        (other / "letter.txt").write_text("keep me")
        with pytest.raises(UsageError, match="something other"):
            build_site(data, vectors, other, lambda *_: None)
        assert (other / "letter.txt").read_text() == "keep me"
        made = tmp_path / "made"
        build_site(data, vectors, made, lambda *_: None)
        (made / "stale.html").write_text("old")
        build_site(data, vectors, made, lambda *_: None)
        assert not (made / "stale.html").exists() and "Again" in (made / "index.html").read_text()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "mine"]


def test_what_fails_half_way_leaves_the_site_that_was_there(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = find_workspace(site.parent)
    made = tmp_path / "made"
    with open_site(workspace, "One") as (data, vectors):
        build_site(data, vectors, made, lambda *_: None)
        before = (made / "index.html").read_text()

        def stop(stage: str, done: int, total: int | None) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build_site(data, vectors, made, stop)
    assert (made / "index.html").read_text() == before and [path.name for path in tmp_path.iterdir()] == ["made"]


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "\u202etxt.exe\u202c \u200bhidden",
    "</script><!--",
    "\u2028alert(1)\u2029",
    "javascript:alert(1)",
]


class Told:
    """A snapshot that says what a hostile forum would."""

    def __init__(self, text: str) -> None:
        self.text = text
        quote = {"role": "states", "author": f"discourse:h/u/{text}", "handle": text, "permalink": f"javascript:{text}", "created": text}
        quote |= {"exact": text, "post": "p", "thread": text, "number": 1, "start": 0, "end": 1}
        step = {
            "n": 1,
            "text": text,
            "previous_text": text,
            "actor": text,
            "condition": text,
            "after": [],
            "optional": True,
            "flags": [text],
        }
        step |= {"citations": [quote], "support": 1, "dissent": 1}
        self.value = {"id": "sop-aaaa", "version": 1, "version_id": text, "title": text, "goal": text + " more", "purpose": text}
        self.value |= {name: [text] for name in ("preconditions", "roles", "tools", "verification", "threads")}
        self.value |= {"status": text, "ordered": False, "steps": [step], "alternatives": ["sop-aaaa"], "forked_from": text}
        self.value |= {"stances": [{"kind": "dissent", "step": None, "citation": quote}], "sources": [{"source": text, "licence": text}]}

    def procedures(self) -> list[dict[str, Any]]:
        row = {"id": "sop-aaaa", "version": 1, "title": self.text, "goal": self.text, "steps": 1, "authors": 1, "support": 1, "dissent": 1}
        return [row | {"sources": [self.text], "threads": [self.text], "cluster": 0}]

    def records(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        return dict.fromkeys(ids, self.value)

    def sources(self) -> list[dict[str, Any]]:
        row = {"id": self.text, "kind": "x", "address": self.text, "title": self.text, "licence": self.text, "payable": True, "posts": 1}
        return [row | {"threads": 1, "threads_with_procedures": 1, "procedures": 1, "micros": 1, "last_error": self.text}]

    def left_out(self) -> list[dict[str, Any]]:
        return [{"source": self.text, "reason": self.text, "count": 1, "example": self.text}]

    def abstentions(self) -> list[dict[str, Any]]:
        return [{"source": self.text, "reason": self.text, "threads": 1}]

    def costs(self) -> list[dict[str, Any]]:
        return [{"stage": self.text, "items": 1, "micros": 1}]

    def llm_costs(self) -> list[dict[str, Any]]:
        return []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_stay_words_everywhere(tmp_path: Path, text: str) -> None:
    from publish.site.data import SiteData

    credit = {"author": f"discourse:h/u/{text}", "handle": text, "source": text, "points": 5, "procedure": "sop-aaaa", "title": text}
    credit |= {"role": text, "step": 1, "step_text": text, "quote": text, "created": text, "permalink": text}
    allocation = {"author": credit["author"], "handle": text, "points": 5, "amount": "5", "state": text, "address": text}
    round_ = {"round": {"name": text, "policy": text, "token": text, "budget": "5", "decimals": 0}, "allocations": [allocation]}
    round_ |= {"totals": {"paid": "5", "held": "0", "residual": "0"}}
    told: Any = Told(text)
    data = SiteData(text, text, text, text, told, [credit], [round_])
    build_site(data, (["sop-aaaa"], np.ones((1, 3), dtype=np.float32)), tmp_path / "s", lambda *_: None)
    for path, page in pages(tmp_path / "s"):
        assert page.handlers == [] and page.inline == [], path
        assert all(not url.lower().startswith("javascript") for _, url in page.links), path
        raw = path.read_text(encoding="utf-8")
        assert "alert(1)</script>" not in raw and not set("\u202e\u200b\u2028\u2029") & set(raw), path
        assert "49" not in re.sub(r"[0-9a-f]{16}", "", " ".join(page.said)) or "{{" not in text
    for path in (tmp_path / "s" / "data").glob("*.js"):
        content = path.read_text(encoding="utf-8")
        assert "<" not in content and "\u2028" not in content, path
    assert all(re.fullmatch(r"[\w.-]+", path.name) for path in (tmp_path / "s").rglob("*"))


@given(st.text(max_size=200))
def test_links_lead_to_the_web_or_nowhere(text: str) -> None:
    for url in (text, f"https://{text}", f"javascript:{text}"):
        safe = safe_link(url)
        assert safe == "" or (safe == url and re.match(r"(https?://[^\s/@]+|(mid|nostr|at|ipfs):)", safe))


@given(st.integers(-(10**30), 10**30), st.integers(0, 30))
def test_amounts_are_written_exactly(amount: int, decimals: int) -> None:
    whole, _, rest = tokens(amount, decimals).replace(",", "").partition(".")
    assert int(whole.lstrip("-") + rest.ljust(decimals, "0")) == abs(amount)


def test_a_shortened_amount_says_that_it_goes_on() -> None:
    assert tokens(491_435875700308700078, 18, 4) == "491.4358…" and tokens(1_500_000, 6, 4) == "1.5" and tokens(7, 0, 4) == "7"


def test_the_same_words_of_many_stand_once_with_all_who_said_them() -> None:
    said = [
        ("states", "Open the port.", "a"),
        ("confirms", "Open it", "b"),
        ("states", "open  the PORT.", "c"),
        ("confirms", "Open the port.", "d"),
    ]
    grouped = same_words([{"role": role, "exact": exact, "author": author} for role, exact, author in said])
    assert [[citation["author"] for citation in group] for group in grouped] == [["a", "c"], ["b"], ["d"]]


def test_a_thread_is_linked_by_its_first_cited_post() -> None:
    cited = [("t1", 7, "https://h/t/1/7"), ("t1", 2, "https://h/t/1/2"), ("t2", None, "javascript:alert(1)"), ("t3", None, "https://h/x")]
    steps = [{"citations": [{"thread": thread, "number": number, "permalink": link} for thread, number, link in cited]}]
    assert thread_links({"steps": steps}) == {"t1": "https://h/t/1/2", "t3": "https://h/x"}


@given(st.lists(st.integers(0, 10**24), max_size=60).map(sorted))
def test_charts_hold_what_they_are_made_of(amounts: list[int]) -> None:
    assert 0 <= gini(amounts) <= 10_000
    curve = lorenz(amounts)
    assert curve[0] == (0, 0) and curve[-1] == (10_000, 10_000) and curve == sorted(curve)
    assert all(y <= x + 1 for x, y in curve)
    bins = histogram(amounts)
    assert sum(count for _, _, count in bins) == (len(amounts) if bins else 0)


def test_gini_of_known_rounds() -> None:
    assert gini([1, 1, 1, 1]) == 0 and gini([0, 0, 0, 1]) == 7500 and gini([]) == 0


def test_the_map_gives_each_a_place_and_the_same_twice() -> None:
    chance = np.random.default_rng(1)
    for count in (0, 1, 4, 30, 1_700):
        vectors = chance.normal(size=(count, 24)).astype(np.float32)
        places = layout(vectors)
        assert len(places) == count and all(0 <= x < SIZE and 0 <= y < SIZE for x, y in places)
        assert count > 100 or places == layout(vectors)


def test_words_are_found_where_they_stand() -> None:
    index = words.Words()
    index.add({"title": "Apply for grants", "goal": "Apply for grants", "steps": [{"text": "Fill in the form"}]})
    index.add({"title": "Run a node", "goal": "Run a node", "steps": [{"text": "Open the port"}, {"text": "Fill the tank"}]})
    files = dict(index.files())
    shard = files[f"data/words-{words.shard('fill')}.js"]
    found = json.loads(shard.partition(",")[2].rstrip(");\n"))
    assert list(found["fill"][::2]) == [0, 1]
    grants = json.loads(files[f"data/words-{words.shard('grant')}.js"].partition(",")[2].rstrip(");\n"))
    assert grants["grant"][0] == 0
    assert not any('"the"' in text or '"for"' in text for text in files.values()), "common words answer nothing"


def test_who_opted_out_is_in_no_page(demo: Path, command: Command, tmp_path: Path) -> None:
    """Nor in the round that was allocated before."""
    import shutil

    workspace = tmp_path / "round"
    shutil.copytree(demo, workspace, symlinks=True)
    for line in (
        ["round", "new", "r1", "--budget", "10000", "--token", "native"],
        ["round", "allocate", "r1"],
        ["optout", "add", "wrenfield", "--reason", "asked"],
        ["run", "--quiet"],
        ["site", "public", "--agents"],
    ):
        done = command(*line, cwd=workspace)
        assert done.returncode == 0, (line, done.stderr)
    files = [path for path in (workspace / "public").rglob("*") if path.is_file()]
    assert [path.name for path in files if "wrenfield" in path.read_text(encoding="utf-8")] == []
    (round_page,) = (workspace / "public" / "rounds").iterdir()
    assert "(opted out)" in round_page.read_text(encoding="utf-8")


def test_an_empty_workspace_has_a_site(tmp_path: Path, command: Command) -> None:
    for line, cwd in ((["init", "w"], tmp_path), (["run", "-q"], tmp_path / "w"), (["site", "out"], tmp_path / "w")):
        done = command(*line, cwd=cwd)
        assert done.returncode == 0, done.stderr
    assert "Nothing yet" in (tmp_path / "w" / "out" / "index.html").read_text()
    assert isinstance(find_workspace(tmp_path / "w"), Workspace)
