from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.store import Store
from index.workspace import Workspace, init_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init_workspace(tmp_path / "round")


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    with Store(workspace.database) as opened:
        yield opened
