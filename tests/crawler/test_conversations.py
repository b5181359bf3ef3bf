"""Seven networks against servers that keep state: what was said, edited, taken back and liked there is what the store holds.

Each network is crawled whole, and in this process with interruptions and a fifth of all requests failing; the store is then
compared with the world post by post. bench/together.py does the same with processes that are killed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.address import find_source
from crawler.rawfiles import reparse
from crawler.registry import NETWORKS, part
from crawler.report import CrawlReport
from index.store import Store
from tests.crawler.conftest import FAST, Bench
from tests.crawler.streams import Visits
from tests.emulators.conversations import (
    GitHubServer,
    HackerNewsServer,
    HiveServer,
    HyperKittyServer,
    LemmyServer,
    SnapshotServer,
    StackExchangeServer,
    address,
    message_id,
)
from tests.emulators.world import Said, World, WorldServer, iso


@dataclass(frozen=True)
class Case:
    """A network: its server, its address there, and what the store should call a post."""

    server: type[WorldServer]
    address: Callable[[WorldServer], str]
    post: Callable[[World, Said], str]
    edits: bool = True
    deletions: bool = True
    tells_edits: bool = True  # says that a post was edited, not only what it now says
    leaves: bool = True  # a single answer can be taken back
    few: int = 6  # requests that do not suffice for all


class LemmyOne(LemmyServer):
    version = 4


def _stackexchange(world: World, post: Said) -> str:
    answer = post.parent is None or world.posts[post.parent].parent is None
    return f"stackexchange:tide.stackexchange.com/{'p' if answer else 'c'}/{post.id}"


def _snapshot(world: World, post: Said) -> str:
    proposal = f"snapshot:tide.eth/{SnapshotServer.name(post.root)}"
    return proposal if post.parent is None else f"{proposal}/vote/{address(post.author)}"


CASES = {
    "snapshot": Case(SnapshotServer, lambda s: f"snapshot:tide.eth@{s.url}", _snapshot, tells_edits=False, leaves=False, few=2),
    "hackernews": Case(HackerNewsServer, lambda s: f"hackernews:thing@{s.url}", lambda _, p: f"hackernews:{p.id}", tells_edits=False),
    "lemmy-0.19": Case(
        LemmyServer, lambda s: f"{s.url}/c/tide", lambda _, p: f"ap:https://harbour.example/{'comment' if p.parent else 'post'}/{p.id}"
    ),
    "lemmy-1.0": Case(
        LemmyOne, lambda s: f"{s.url}/c/tide", lambda _, p: f"ap:https://harbour.example/{'comment' if p.parent else 'post'}/{p.id}"
    ),
    "hive": Case(HiveServer, lambda s: f"hive:hive-100@{s.url}", lambda _, p: f"hive:{HiveServer.key(p)}"),
    "github": Case(
        GitHubServer,
        lambda s: f"github:tide/harbour@{s.url}",
        lambda _, p: f"github:tide/harbour/{'c' if p.parent else 'd'}/{p.id}",
    ),
    "stackexchange": Case(StackExchangeServer, lambda s: f"stackexchange:tide.stackexchange.com@{s.url}", _stackexchange, few=2),
    "hyperkitty": Case(
        HyperKittyServer,
        lambda s: f"{s.url}/archives/list/dev@lists.example.org/",
        lambda _, p: f"msgid:{message_id(p)}",
        edits=False,
        deletions=False,
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def world() -> World:
    """Each author answers once in a conversation, since a vote on Snapshot is one for each voter."""
    made = World()
    for number in range(1, 8):
        root = made.thread("ann", f"How to do thing {number}", f"First, open the door of house {number}.")
        first = made.reply(root, "bob", f"Then close the window of thing {number}.")
        second = made.reply(first, "carol", f"And tell the neighbours of thing {number}.")
        made.reply(second, "dan", f"And sweep the floor of thing {number}.")
        made.like(root, "erin")
        made.like(root, "frank")
    return made


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GITHUB_TOKEN", "let-me-in")
    yield


def stored(store: Store) -> dict[str, dict[str, Any]]:
    rows = store.rows(
        "SELECT p.id, p.plain, p.state, p.created, p.edited, p.reply_to, p.thread, t.title, a.handle FROM posts p "
        "JOIN authors a ON a.id = p.author LEFT JOIN threads t ON t.id = p.thread"
    )
    return {row.pop("id"): row for row in rows}


def visible(world: World, post: Said) -> bool:
    """A post below one that is gone is gone with it where a network keeps no empty place for it."""
    above: Said | None = post
    while above is not None:
        if above.deleted:
            return False
        above = world.posts[above.parent] if above.parent is not None else None
    return True


def check(store: Store, case: Case, world: World) -> None:
    """Every post, with its text, author, time, thread and what it answers."""
    found = stored(store)
    assert set(found) == {case.post(world, post) for post in world.posts.values()}
    for post in world.posts.values():
        row = found[case.post(world, post)]
        if post.deleted:
            assert row["state"] in ("author_deleted", "moderated", "pruned"), (post, row)
            continue
        if not visible(world, post):
            continue
        assert row["plain"].strip() == post.text, post
        assert row["created"] == iso(post.created) or (case.server is SnapshotServer and post.parent), post
        assert row["title"] == world.posts[post.root].title, post
        if post.parent is not None:
            assert row["reply_to"] is not None and row["reply_to"] in found, post
        if post.edited and case.edits:
            assert row["state"] == "edited" and (row["edited"] or not case.tells_edits), post


def likers(bench: Bench, case: Case, world: World, post: Said) -> int:
    total: int = bench.store.execute(
        "SELECT coalesce(sum(count), 0)::INTEGER FROM reactions WHERE post = ? AND kind IN ('like', 'vote:For')", [case.post(world, post)]
    )[0][0]
    return total


def test_everything_said_is_found_and_the_raw_archive_says_the_same(bench: Bench, case: Case, world: World) -> None:
    """`precipitate reparse` gives the same records from the raw answers, without asking."""
    with case.server(world) as server:
        source = bench.add(case.address(server))
        report = bench.crawl()
        assert report.errors == {}
        check(bench.store, case, world)
        for post in world.roots():
            if case.server is not HyperKittyServer:
                assert likers(bench, case, world, post) == 2 + (3 if case.server is SnapshotServer else 0)
        assert bench.store.execute("SELECT count(DISTINCT source) FROM posts") == [(1,)] and source.id
        assert max(hit.at_once for hit in server.log) == 1
        asked, before = len(server.log), bench.content()
        assert sum(reparse(bench.workspace, bench.store, source)) > 28
        assert len(server.log) == asked and bench.content() == before


def test_edits_deletions_and_likes_are_found(bench: Bench, case: Case, world: World) -> None:
    if not case.edits:
        return  # mail has neither
    with case.server(world) as server:
        bench.add(case.address(server))
        bench.crawl()
        versions = bench.store.execute("SELECT count(*) FROM post_versions")[0][0]
        world.clock = max(world.clock, _now() - 3600)
        fresh = world.thread("eve", "How to do thing 99", "First, wait.")
        world.reply(fresh, "bob", "Then go home.")
        world.edit(1, "First, knock at the door of house 1.")
        world.edit(2, "Then close all windows of thing 1.")
        if case.leaves:
            world.delete(8)
        world.delete(25)  # a whole conversation
        world.like(5, "gwen")
        for _ in range(3):
            assert faults(bench.crawl()) == []
        check(bench.store, case, world)
        assert bench.store.execute("SELECT count(*) FROM post_versions")[0][0] >= versions + 2
        assert likers(bench, case, world, world.posts[5]) == 3 + (3 if case.server is SnapshotServer else 0)


def faults(report: CrawlReport) -> list[str]:
    """What went wrong but for what is so of this world: it is years old, and loses more than a tenth at once."""
    return [error for error in report.errors.values() if "has fallen silent" not in error and "has shrunk from" not in error]


def _now() -> int:
    import time

    return int(time.time())


def test_cut_off_again_and_again_with_a_fifth_of_all_requests_failing(case: Case, world: World, store: Store) -> None:
    """In this process, each request tried once: budgets that do not suffice, then visits until all is read."""
    with case.server(world) as server:
        source = find_source(case.address(server), True, FAST)
        parts = NETWORKS[source.kind]
        reading = Visits(store, source, part(parts.sweep), part(parts.hints) if parts.hints else None)
        server.failing = 0.2
        cut_off = [reading.visit(budget=case.few) for _ in range(4)]
        assert any(cut_off)
        everything = {case.post(world, post) for post in world.posts.values()}
        for _ in range(30):
            if reading.visit() is None and everything <= set(reading.states()):
                break
        server.failing = 0.0
        assert reading.visit() is None
        check(store, case, world)


def test_addresses_that_name_nothing(bench: Bench) -> None:
    from index.errors import SourceError

    for wrong in ("snapshot:", "hackernews:", "hive:?", "stackexchange:", "github:tide"):
        with pytest.raises(SourceError):
            bench.add(wrong)


def test_github_wants_a_token(bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from index.errors import SourceError

    with GitHubServer(world) as server:
        monkeypatch.delenv("GITHUB_TOKEN")
        with pytest.raises(SourceError, match="token") as caught:
            bench.add(f"github:tide/harbour@{server.url}")
        assert "GITHUB_TOKEN" in caught.value.way_out
        monkeypatch.setenv("GITHUB_TOKEN", "let-me-in")
        bench.add(f"github:tide/harbour@{server.url}")
        bench.crawl()
    kept = b"".join(path.read_bytes() for path in bench.workspace.folder.rglob("*") if path.is_file())
    assert b"let-me-in" not in kept and json.dumps("let-me-in").encode() not in kept


def test_what_was_taken_back_leaves_the_raw_archive(bench: Bench, case: Case, world: World) -> None:
    """The words of a post whose deletion is said, not only concluded, are in no raw answer any more; those beside it still are."""
    if not issubclass(case.server, HackerNewsServer | LemmyServer):
        return  # elsewhere a post is only missing, and what is missing stays in the archive
    with case.server(world) as server:
        bench.add(case.address(server))
        bench.crawl()
        world.clock = max(world.clock, _now() - 3600)
        world.posts[8].text = "These words were taken back."
        world.edit(8, "These words were taken back.")
        bench.crawl()
        world.delete(8)
        for _ in range(3):
            bench.crawl()
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in bench.workspace.raw.rglob("*.gz"))
    assert b"taken back" not in kept
    assert b"neighbours of thing 1" in kept
