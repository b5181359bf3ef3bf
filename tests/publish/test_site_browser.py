"""The site in Debian's Chromium, driven by playwright: axe-core finds nothing, nothing is asked outside, search and map work."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from publish.site.build import page_kinds
from tests.publish.test_site import site

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]
NPM = Path(__file__).parents[1] / "npm"
__all__ = ["site"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


def node(script: str, *words: str) -> Any:
    done = subprocess.run(["node", script, *words], cwd=NPM, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kind_of_page_is_accessible_and_asks_nothing_outside(site: Path, served: str) -> None:
    found = node("check_site.mjs", served, *page_kinds(site))
    wrong = {page: told for page, told in found.items() if told["violations"] or told["outside"] or told["errors"] or told["wide"]}
    assert wrong == {}
    assert len(found) == 4 * len(list(page_kinds(site)))


@pytest.mark.parametrize("from_folder", [False, True])
def test_search_theme_and_map_work(site: Path, served: str, from_folder: bool) -> None:
    told = node("use_site.mjs", f"file://{site}/" if from_folder else served, "apply for a grant")
    assert told["errors"] == []
    assert "grant" in told["hits"][0].lower() and told["title"] == told["hits"][0]
    assert told["before"] != told["after"]
    assert "steps)" in told["tip"] and told["opened"]
