"""AT Protocol from a PDS that none of us wrote: its trees, its CAR files, its signatures, its listing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from crawler import atproto_sweep
from crawler.probe import Probe
from index.config import CrawlConfig
from index.store import Store
from tests.crawler.streams import Visits
from tests.servers import running

POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"
ANN, BOB = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
T = "2024-05-01T10:00:00Z"

pytestmark = pytest.mark.system


class Client:
    """Writes as any client of a PDS does."""

    def __init__(self, url: str) -> None:
        self.url = url
        for did, handle in ((ANN, "ann.example.org"), (BOB, "bob.example.org")):
            self.call("/control/person", {"did": did, "handle": handle})

    def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Authorization": "Bearer token"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers), timeout=20) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from None

    def create(self, did: str, collection: str, **record: Any) -> str:
        body = {"repo": did, "collection": collection, "record": {"$type": collection, "createdAt": T, **record}}
        return str(self.call("/xrpc/com.atproto.repo.createRecord", body)["uri"])

    def put(self, uri: str, **record: Any) -> None:
        did, collection, rkey = uri.removeprefix("at://").split("/")
        body = {"repo": did, "collection": collection, "rkey": rkey, "record": {"$type": collection, "createdAt": T, **record}}
        self.call("/xrpc/com.atproto.repo.putRecord", body)

    def delete(self, uri: str) -> None:
        did, collection, rkey = uri.removeprefix("at://").split("/")
        write = {"$type": "com.atproto.repo.applyWrites#delete", "collection": collection, "rkey": rkey}
        self.call("/xrpc/com.atproto.repo.applyWrites", {"repo": did, "writes": [write]})  # its deleteRecord refuses its own answer


@pytest.fixture
def pds() -> Iterator[Client]:
    with running("pds.py") as url:
        yield Client(url)


def test_what_is_written_to_a_pds_is_found(pds: Client) -> None:
    roots = [pds.create(ANN, POST, text=f"Step {n}: do this") for n in range(40)]
    for root in roots:
        ref = {"uri": root, "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}
        pds.create(BOB, POST, text="done", reply={"root": ref, "parent": ref})
        pds.create(BOB, LIKE, subject=ref)
    with Store(":memory:") as store:
        source = atproto_sweep.find(pds.url, Probe(True, CrawlConfig(delay_seconds=0.0)))
        assert source is not None
        reading = Visits(store, source, atproto_sweep.sweep, lambda s, src: {**atproto_sweep.hints(s, src), "domains": []})
        assert reading.visit() is None and reading.rejects() == {}
        assert store.execute("SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state = 'live'") == [(80, 40, 40)]
        assert store.execute("SELECT handle FROM authors ORDER BY handle") == [("ann.example.org",), ("bob.example.org",)]
        asked = reading.requests
        assert reading.visit() is None and reading.requests - asked == 1  # the listing says that nothing changed

        pds.put(roots[0], text="Step 0: do that instead")
        pds.delete(roots[1])
        pds.create(ANN, POST, text="news")
        assert reading.visit() is None
        assert (reading.states()[roots[0]], reading.states()[roots[1]]) == ("edited", "author_deleted")  # by the signed tree
        assert store.execute("SELECT body FROM post_versions") == [("Step 0: do this",)]
        assert store.execute("SELECT count(*) FROM posts WHERE state IN ('live', 'edited')") == [(80,)]
