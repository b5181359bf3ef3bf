"""Mastodon from a server that none of us wrote, by whole runs: with its edits, deletions, and limits that it sets."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.crawler.conftest import Bench
from tests.servers import running

pytestmark = pytest.mark.system


class Client:
    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, who: str = "alice", **body: Any) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {who}_token"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode() if body else None, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"{}")

    def post(self, text: str, who: str = "alice", **more: Any) -> str:
        return str(self.call("POST", "/api/v1/statuses", who, status=text, **more)["id"])


@pytest.fixture
def fed() -> Iterator[Client]:
    with running("mastodon.py") as url:
        yield Client(url)


def test_what_is_posted_edited_and_deleted_is_found(bench: Bench, fed: Client) -> None:
    roots = [fed.post(f"Step {number}: do this") for number in range(45)]
    for root in roots[:5]:
        one = fed.post("did it", "bob", in_reply_to_id=root)
        fed.post("good", in_reply_to_id=one)
        fed.call("POST", f"/api/v1/statuses/{root}/favourite", "bob")
    fault = {
        "match": {"path_regex": "timelines/public"},
        "effect": {"type": "status", "status": 429, "headers": {"Retry-After": "1"}},
        "count": 2,
    }
    fed.call("POST", "/api/v1/_mock/faults", **fault)
    source = bench.add(fed.url)
    assert source.kind == "mastodon"
    assert not bench.crawl().partial
    told = "SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state IN ('live', 'edited')"
    assert bench.store.execute(told) == [(55, 45, 5)]
    fed.call("PUT", f"/api/v1/statuses/{roots[0]}", status="Step 0: do that instead")
    fed.call("DELETE", f"/api/v1/statuses/{roots[1]}")
    fed.post("news")
    assert not bench.crawl().partial and not bench.crawl().partial
    states = dict(bench.store.execute("SELECT permalink, state FROM posts"))
    found = {number: state for permalink, state in states.items() for number in roots[:2] if permalink.endswith(f"/{number}")}
    assert found == {roots[0]: "edited", roots[1]: "author_deleted"}
    assert bench.store.execute("SELECT body FROM post_versions") == [("<p>Step 0: do this</p>",)]
    assert bench.store.execute("SELECT count(*) FROM posts WHERE body = '<p>news</p>'") == [(1,)]
