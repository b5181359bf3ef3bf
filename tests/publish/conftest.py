from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.address import find_source
from crawler.pipeline import crawl
from index.config import Config
from index.store import Store
from index.tables_discussion import add_source
from index.workspace import Workspace, find_workspace, init_workspace
from rewards.pipeline import credit
from tests.conftest import FORUM
from tests.publish import toy


def fill(root: Path, forum: Path) -> Workspace:
    """A workspace with a forum read, distilled by the toy and credited."""
    workspace = init_workspace(root)
    with Store(workspace.database) as store:
        add_source(store, find_source(str(forum), False, Config().crawl))
        crawl(workspace, store, Config(), lambda *_: None)
        refresh(store)
    return workspace


def refresh(store: Store) -> None:
    toy.distill(store, Config(), lambda *_: None)
    credit(store, Config())


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("toy") / "round", FORUM).root


@pytest.fixture
def workspace(_template: Path, tmp_path: Path) -> Workspace:
    """A filled workspace of the test's own; nothing is released in it yet."""
    shutil.copytree(_template, tmp_path / "round", symlinks=True)
    return find_workspace(tmp_path / "round")


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    with Store(workspace.database) as opened:
        yield opened
