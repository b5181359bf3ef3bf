"""A workspace, and the store's content without the times of reading, so that two crawls can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.address import find_source
from crawler.pipeline import crawl
from crawler.report import CrawlReport
from index import tables_discussion as tables
from index.config import Config, CrawlConfig
from index.records import Source
from index.store import Store
from index.workspace import Workspace, init_workspace
from tests.emulators.discourse import DiscourseEmulator

FAST = CrawlConfig(delay_seconds=0.001, timeout_seconds=5)
CONTENT = {
    "authors": "SELECT * FROM authors ORDER BY ALL",
    "threads": "SELECT * FROM threads ORDER BY ALL",
    "posts": "SELECT * EXCLUDE (first_seen, last_seen) FROM posts ORDER BY id",
    "versions": "SELECT * EXCLUDE (first_seen) FROM post_versions ORDER BY post, body_hash",
    "reactions": "SELECT * FROM reactions ORDER BY ALL",
    "edges": "SELECT * FROM edges ORDER BY ALL",
    "tombstones": "SELECT post, state, reason FROM tombstones ORDER BY post",
    "rejects": "SELECT * FROM rejects ORDER BY ALL",
}


class Bench:
    """A workspace under lock with its open store, and short ways to read into it."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self.workspace, self.store = workspace, store

    def add(self, address: str | Path) -> Source:
        source = find_source(str(address), True, FAST)
        tables.add_source(self.store, source)
        return source

    def crawl(self, **changes: Any) -> CrawlReport:
        settings = {"delay_seconds": 0.001, "timeout_seconds": 5, "extra_requests": 0} | changes
        return crawl(self.workspace, self.store, Config(crawl=CrawlConfig(**settings)), lambda *_: None)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.store.execute(sql) for name, sql in CONTENT.items()}

    def rejects(self) -> dict[str, list[str]]:
        """Reasons and where."""
        found: dict[str, list[str]] = {}
        for place, reason in self.store.execute("SELECT place, reason FROM rejects ORDER BY ALL"):
            found.setdefault(reason, []).append(place)
        return found

    def states(self) -> dict[str, str]:
        """State of each post, by the end of its id."""
        return {post.rpartition("/p/")[2]: state for post, state in self.store.execute("SELECT id, state FROM posts")}

    def last_error(self) -> str | None:
        error: str | None = self.store.execute("SELECT last_error FROM sources")[0][0]
        return error


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    workspace = init_workspace(tmp_path / "work")
    with workspace.lock("test"), Store(workspace.database) as store:
        yield Bench(workspace, store)


@pytest.fixture
def forum() -> Iterator[DiscourseEmulator]:
    with DiscourseEmulator() as emulator:
        yield emulator


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(":memory:") as opened:
        yield opened
