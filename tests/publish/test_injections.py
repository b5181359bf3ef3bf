"""No post gets out of its place: 74 that try, in titles, steps, quotes, names and tags, through everything written for agents
and terminals. Of each output the fixture's marks are looked for outside of where strangers' words may stand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from index.config import Config
from index.search import Searcher
from index.snapshot import FILE, Snapshot
from index.store import Store
from index.workspace import Workspace, find_workspace
from publish import agents, jsonld, skills
from publish.exports import read_records, write_files
from publish.frontier import frontier
from publish.mcp_server import make_server
from publish.release import release
from publish.untrusted import unfenced
from tests.cli.conftest import Runner
from tests.injections import HOST, TEXTS, marks, workspace
from tests.publish.test_search import ToyEncoder

EVERY = {f"{number:02}" for number in range(1, len(TEXTS) + 1)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = workspace(tmp_path_factory.mktemp("injections") / "round")
    with Store(made.database) as store:
        release(made, store, Config(), "test")
    return made.root


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr("index.query.asker", lambda name: ToyEncoder())
    monkeypatch.chdir(home)
    return find_workspace(home)


@pytest.fixture
def run() -> Runner:
    return Runner()


@pytest.fixture
def records(here: Workspace) -> list[dict[str, Any]]:
    """The records as released, and each once more with the injection in every field that holds words."""
    plain = read_records(here.current, "procedures.jsonl")
    return [*plain, *(saturated(record) for record in plain)]


def saturated(record: dict[str, Any]) -> dict[str, Any]:
    text = record["title"]
    bad = {
        "exact": text,
        "handle": text,
        "permalink": f"https://{HOST}/t/{text}",
        "post": f"msgid:{text}",
        "author": f"ap:{text}",
        "created": text,
    }
    citation = {**record["steps"][0]["citations"][0], **bad}
    words = {"text": text, "previous_text": text, "actor": text, "condition": text, "flags": [text, "moves-money", "one-voice"]}
    steps = [{**step, **words, "citations": [citation], "first_said_by": text, "dissent": 1} for step in record["steps"]]
    stances = [{"kind": kind, "step": step, "citation": citation} for kind in ("support", "dissent", text) for step in (1, None)]
    lists = {name: [text, text] for name in ("preconditions", "roles", "tools", "verification")}
    sources = [{"source": f"discourse:{text}", "licence": text}]
    return {**record, **lists, "goal": text, "purpose": text, "status": text, "language": text, "version_id": text, "steps": steps,
            "stances": stances, "sources": sources, "threads": [text], "alternatives": [text]}  # fmt: skip


def test_the_corpus_gets_all_the_way_in(records: list[dict[str, Any]]) -> None:
    """Else nothing below says anything."""
    assert len(TEXTS) >= 60
    for field in ("title", "steps", "sources"):
        assert marks(json.dumps([record[field] for record in records])) == EVERY, field
    said = [record["steps"][1]["citations"][0] for record in records[: len(TEXTS)]]
    assert marks(json.dumps([c["exact"] for c in said])) == EVERY
    assert marks(json.dumps([c["handle"] for c in said])) == EVERY


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["skills", "sop_md", "llms_txt"])
def test_markdown_holds_strangers_words_in_code_blocks_alone(records: list[dict[str, Any]], kind: str) -> None:
    """Read by a CommonMark parser of its own: marks stand in fenced blocks, never in front matter, headings, links or text."""
    inside: set[str] = set()
    for name, text in getattr(skills, kind)(records):
        assert re.fullmatch(r"(sop-[a-z0-9]+(\.sop\.md|/SKILL\.md)|llms\.txt)", name)
        front, body = re.match(r"(---\n.*?\n---\n)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        assert marks(front or "") == set() and len(re.findall(r"^description:", front or "", re.M)) <= 1
        for token in MarkdownIt("commonmark").parse(body):
            if token.type == "fence":
                assert token.info == "text" and token.content.count("\n") == 1
                inside |= marks(token.content)
            else:
                assert token.type not in ("html_block", "code_block")
                assert marks(token.content + json.dumps(token.attrs)) == set(), (name, token.content)
                assert not [child for child in token.children or () if child.type in ("html_inline", "image")]
                links = [str(child.attrs["href"]) for child in token.children or () if child.type == "link_open"]
                assert all(re.fullmatch(r"sop-[a-z0-9]+\.sop\.md", link) for link in links)
    assert inside == EVERY


def test_skills_stay_valid(records: list[dict[str, Any]], tmp_path: Path) -> None:
    from skills_ref import read_properties, validate

    for path in write_files(skills.skills(records[len(TEXTS) :]), f"{tmp_path}/"):
        assert validate(path.parent) == []
        properties = read_properties(path.parent)
        assert marks(f"{properties.name} {properties.description} {properties.metadata} {properties.allowed_tools}") == set()
        assert properties.name == path.parent.name and properties.allowed_tools is None


def test_linked_data_holds_strangers_words_in_untrusted_literals_alone(records: list[dict[str, Any]]) -> None:
    inside: set[str] = set()
    for name, text in jsonld.jsonld(records):
        assert marks(name) == set() and not set(text) & set("<>&\u2028\u2029")
        for path, value in leaves(json.loads(text)):
            if path[-1] == "@value":
                inside |= marks(value)
            else:
                assert marks(value) == set(), (path, value)
        for node in nodes(json.loads(text)):
            assert "@value" not in node or node == {"@value": node["@value"], "@type": jsonld.UNTRUSTED}
    assert inside == EVERY


def leaves(value: Any, path: tuple[Any, ...] = ("",)) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every string of a JSON value with its path; keys are strings, too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, "(key)"), key
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif isinstance(value, str):
        yield path, value


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


# --- MCP ------------------------------------------------------------------------------------------------------------


def test_what_the_server_says_of_itself_holds_no_mark(here: Workspace) -> None:
    from mcp import Client

    async def all_of_it() -> str:
        async with Client(make_server(here)) as client:
            listed = [await client.list_tools(), await client.list_resources(), await client.list_prompts()]
            return "".join(part.model_dump_json() for part in listed) + str(client.instructions)

    said = asyncio.run(all_of_it())
    assert "Find procedures" in said and "Everything under a key named" in said
    assert marks(said) == set()


def test_tools_answer_with_strangers_words_in_fences_alone(here: Workspace) -> None:
    from mcp import Client

    plain = read_records(here.current, "procedures.jsonl")

    async def asked() -> list[Any]:
        async with Client(make_server(here)) as client:
            calls = [("get", {"id": record["id"]}) for record in plain]
            calls += [("cite", {"id": record["id"], "step": 2}) for record in plain[::4]]
            calls += [("explain", {"thread": record["threads"][0]}) for record in plain[::8]]
            calls += [(name, {key: "open the form"}) for name, key in (("search", "query"), ("plan", "goal"))]
            calls += [
                ("get", {"id": "sop-nope"}),
                ("search", {"query": "x", "author": "nobody"}),
                ("search", {"query": "x", "tag": "nothing"}),
            ]
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    inside: set[str] = set()
    for result in asyncio.run(asked()):
        assert not result.is_error
        assert json.loads(result.content[0].text) == result.structured_content
        inside |= fenced_marks(result.structured_content)
    assert inside == EVERY


def test_answers_of_hostile_records_are_fenced(records: list[dict[str, Any]]) -> None:
    inside: set[str] = set()
    for record in records[len(TEXTS) :]:
        inside |= fenced_marks(agents.whole(record)) | fenced_marks(agents.receipts(record, 1))
    assert inside == EVERY


def fenced_marks(answer: Any) -> set[str]:
    """Marks inside fences under `untrusted`; fails where one stands anywhere else, or where a fence does not hold."""
    inside: set[str] = set()
    for path, value in leaves(answer):
        if "untrusted" in path and path[-1] != "(key)":
            inside |= marks(unfenced(value))
        else:
            assert marks(value) == set(), (path, value)
    return inside


# --- the terminal ---------------------------------------------------------------------------------------------------


def test_nothing_reaches_a_terminal_but_what_can_be_seen(here: Workspace, run: Runner) -> None:
    some = [record["id"] for record in read_records(here.current, "procedures.jsonl")]
    seen: set[str] = set()
    for words in [("list",), ("search", "open the form", "-k", "100"), ("plan", "open the form"), ("frontier", "-q", "--least", "1")] + [
        (name, identifier) for identifier in some[::12] for name in ("show", "alternatives")
    ]:
        for as_json in ((), ("--json",)):
            result = run(*words, *as_json)
            assert result.exit_code == 0, result.stderr
            assert all(c.isprintable() or c == "\n" for c in result.stdout), words
            seen |= marks(result.stdout)
    assert seen == EVERY


def test_bounties_are_text_when_they_are_posted(here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The body of a challenge is Markdown that an operator posts: strangers' words in it make no link, image, markup or mention."""
    monkeypatch.setattr("publish.frontier.ANSWERED_BP", 10_001)
    monkeypatch.setattr("publish.frontier.SAME_BP", 10_001)
    local = here.current.resolve() / "local"
    with Snapshot(local / FILE) as snapshot:
        found = frontier(snapshot, Searcher(local, Config().distill.model), tmp_path / "q.npz", 100, 1, lambda *_: None)
    assert len(found) > 10
    for challenge in found:
        for token in MarkdownIt("commonmark").parse(challenge["body"]):
            assert token.type not in ("html_block", "code_block", "fence", "heading_open", "list_item_open", "hr")
            children = token.children or ()
            kinds = {child.type for child in children}
            assert kinds <= {"text", "softbreak", "strong_open", "strong_close", "text_special"}, (kinds, token.content)
        assert not re.search(r"(?<!\\)@", challenge["body"])


# --- the site and the release ---------------------------------------------------------------------------------------


class Places(HTMLParser):
    """Marks of a page by where they stand: text, or an attribute, script, style or comment."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: set[str] = set()
        self.elsewhere: set[tuple[str, str]] = set()
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elsewhere |= {(tag, f"{name}={value}") for name, value in attrs if marks(f"{tag} {name} {value or ''}")}
        self._inside = tag if tag in ("script", "style") else self._inside

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside and marks(data):
            self.elsewhere.add((self._inside, data[:80]))
        elif not self._inside:
            self.text |= marks(data)

    def handle_comment(self, data: str) -> None:
        self.elsewhere |= {("comment", data[:80])} if marks(data) else set()

    handle_decl = unknown_decl = handle_pi = handle_comment


def test_pages_show_strangers_words_as_text_alone(here: Workspace, run: Runner, tmp_path: Path) -> None:
    """Every page by a parser of its own. Files of data hold one call with one JSON value, and no sign that begins a tag."""
    result = run("site", str(tmp_path / "site"), "--quiet")
    assert result.exit_code == 0, result.stderr
    shown: set[str] = set()
    for path in sorted((tmp_path / "site").rglob("*")):
        assert marks(str(path.relative_to(tmp_path))) == set()
        if path.suffix == ".html":
            places = Places(path.read_text(encoding="utf-8"))
            assert places.elsewhere == set(), path.name
            shown |= places.text
        elif path.is_file() and marks(path.read_bytes().decode("utf-8", "replace")):
            call = re.fullmatch(r'precipitate\.put\("[a-z0-9-]+",(.*)\);\s*', path.read_text(encoding="utf-8"), re.DOTALL)
            assert call is not None and path.parent.name == "data", path
            json.loads(call[1])
            assert "</" not in call[1] and "<!--" not in call[1]
    assert shown == EVERY


def test_a_release_names_no_file_by_strangers_words(here: Workspace) -> None:
    for path in here.current.resolve().rglob("*"):
        assert marks(str(path.relative_to(here.root))) == set()
