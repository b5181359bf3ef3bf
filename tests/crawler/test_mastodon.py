"""Mastodon: statuses become records; a server is read upwards and whole, its edits and deletions are found."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from crawler import mastodon_sweep
from crawler.mastodon import Instance, favourite_records, history_records, parents, status_records
from crawler.probe import Probe
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Account, Edge, IdentityLink, Post, PostVersion, Reaction, ReactionEvent, Reject, Thread
from index.spool import Batch, Record, load_batch
from index.store import Store
from index.tables_people import identity_links
from tests.crawler.mutations import check_records, mutate
from tests.crawler.samples import SAMPLES, needs_samples
from tests.crawler.streams import Visits
from tests.emulators.loopback import Loopback
from tests.emulators.mastodon import MastodonServer

HERE = Instance("mastodon:fed.example", "fed.example", "2026-11-01T00:00:00Z")
URI = "https://fed.example/users/ann/statuses/1"


def status(**changes: Any) -> dict[str, Any]:
    account = {"id": "7", "username": "ann", "acct": "ann", "display_name": "Ann", "url": "https://fed.example/@ann", "fields": []}
    return {"id": "1", "uri": URI, "url": "https://fed.example/@ann/1", "created_at": "2024-05-01T10:00:00.000Z", "content": "<p>How to plant</p><p>dig</p>",
            "visibility": "public", "account": account, "favourites_count": 3, "tags": [{"name": "garden"}]} | changes  # fmt: skip


def read(value: Any, known: dict[str, str] | None = None) -> list[Record]:
    return status_records(HERE, value, known or {}, "page")


def only(kind: type, records: list[Record]) -> Any:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Reject)]


def test_a_status_and_a_reply() -> None:
    records = read(status())
    post, thread = only(Post, records), only(Thread, records)
    assert (post.id, post.author, post.created, post.likes, post.edited) == (
        f"ap:{URI}",
        "ap:https://fed.example/@ann",
        "2024-05-01T10:00:00Z",
        3,
        None,
    )
    assert (thread.title, thread.tags, thread.permalink) == ("How to plant", ("garden",), "https://fed.example/@ann/1")
    assert only(Account, records).handle == "ann@fed.example" and only(Reaction, records) == Reaction(post.id, "", "like", 3)
    content = '<p><a href="https://fed.example/@ann" class="u-url mention">@ann</a> see <a href="https://example.org/a">it</a></p>'
    reply = status(
        id="2",
        uri=f"{URI}2",
        in_reply_to_id="1",
        content=content,
        mentions=[{"url": "https://fed.example/@ann"}],
        quote={"quoted_status": {"uri": "https://q.example/1"}},
    )
    records = read(reply, parents([status(), reply]))
    assert (only(Post, records).thread, only(Post, records).reply_to) == (f"ap:{URI}",) * 2
    assert {(edge.kind, edge.target) for edge in records if isinstance(edge, Edge)} == {
        ("reply", f"ap:{URI}"), ("mention", "ap:https://fed.example/@ann"), ("link", "https://example.org/a"), ("quote", "ap:https://q.example/1"),
    }  # fmt: skip
    assert only(Post, read(status(spoiler_text="<b>Beware</b>"))).body.startswith("<p>&lt;b&gt;Beware&lt;/b&gt;</p>")


def test_boosts_histories_favourites_fields_and_bridges() -> None:
    records = read(status(uri="https://fed.example/boost/9", reblog=status()))
    assert only(ReactionEvent, records).post == only(Post, records).id == f"ap:{URI}"
    history = [
        {"content": "<p>a</p>", "created_at": "2024-05-01T10:00:00Z"},
        {"content": "<p>b</p>", "created_at": "2024-05-01T11:00:00Z"},
        {"content": "<p>c</p>"},
    ]
    assert history_records("p", history, HERE.now) == [
        PostVersion("p", 1, "cooked", "<p>a</p>"),
        PostVersion("p", 2, "cooked", "<p>b</p>", "2024-05-01T11:00:00Z"),
    ]
    found = [record for record in favourite_records(HERE, "p", [status()["account"]], 3) if isinstance(record, Reaction)]
    assert found == [Reaction("p", "ap:https://fed.example/@ann"), Reaction("p", "", "like", 2)]
    account = status()["account"] | {
        "fields": [
            {"value": '<a href="https://a.example">a</a>', "verified_at": "2024-01-01T00:00:00Z"},
            {"value": '<a href="https://b.example">b</a>', "verified_at": None},
        ]
    }
    links = {(link.target, link.strength) for link in read(status(account=account)) if isinstance(link, IdentityLink) and link.kind}
    assert links == {("https://a.example", "mutual"), ("https://b.example", "claimed")}
    for uri, origin in (
        ("https://bsky.brid.gy/convert/ap/at://did:plc:abc/app.bsky.feed.post/3k", "at://did:plc:abc/app.bsky.feed.post/3k"),
        (f"https://mostr.pub/objects/{'a' * 64}", f"nostr:{'a' * 64}"),
    ):
        assert ("bridged_from", origin) in {(edge.kind, edge.target) for edge in read(status(uri=uri)) if isinstance(edge, Edge)}


def test_what_cannot_be_used_says_why() -> None:
    assert reasons(read(status(uri=None, url="x"))) == ["post without address"] and reasons(read([])) == ["post without address"]
    assert reasons(read(status(visibility="private"))) == ["post that is not public"] and reasons(read(status(account={}))) == [
        "post without author"
    ]
    assert reasons(read(status(created_at="2099-01-01T00:00:00Z"))) == ["post with an impossible date"]
    assert reasons(read(status(content="<p> </p>"))) == ["post without text"]


@needs_samples
def test_real_samples_are_read_whole() -> None:
    statuses = json.loads((SAMPLES / "mastodon_public_timeline.json").read_text(encoding="utf-8"))
    known = parents(statuses)
    for one in statuses:
        records = read(one, known)
        check_records(records)
        assert only(Post, records).id == f"ap:{one['uri']}" if not reasons(records) else reasons(records) == ["post without text"]
    posts = sum(isinstance(record, Post) for one in statuses for record in read(one, known))
    assert posts >= len(statuses) - 2


def fuzz(count: int, seed: int = 0) -> tuple[int, int]:
    """(payloads, refused): no crash, and a status becomes a post of its own author or is refused with a reason."""
    chance, refused = random.Random(seed), 0
    originals = [
        status(),
        status(reblog=status()),
        status(in_reply_to_id="1", mentions=[{"url": "https://x.example"}], edited_at="2024-05-02T10:00:00Z"),
    ]
    for _ in range(count):
        broken = mutate(chance.choice(originals), chance)
        records = read(broken, {"1": f"ap:{URI}0"})
        check_records(records)
        refused += bool(reasons(records))
        assert records, broken
        if not isinstance(broken, dict) or broken.get("visibility", "public") not in ("public", "unlisted"):
            assert not any(isinstance(record, Post) for record in records)
    return count, refused


def test_mutated_statuses_leave_nothing_broken() -> None:
    count, refused = fuzz(1_500)
    assert refused > count // 5


# --- a server


@pytest.fixture
def fed() -> MastodonServer:
    return MastodonServer()


@pytest.fixture
def server(fed: MastodonServer) -> Iterator[Loopback]:
    with Loopback(fed.answer) as opened:
        fed.url = opened.url
        yield opened


def visits(store: Store, address: str) -> Visits:
    source = mastodon_sweep.find(address, Probe(True, CrawlConfig(delay_seconds=0.0)))
    assert source is not None and source.kind == "mastodon"
    return Visits(store, source, mastodon_sweep.sweep, mastodon_sweep.hints)


def fill(fed: MastodonServer, threads: int = 15) -> list[str]:
    roots = []
    for number in range(threads):
        root = fed.post("ann", f"Step {number}: first", tag="garden")
        one = fed.post("bob", f"did {number}", root)
        fed.post("cat", f"me too {number}", one)
        fed.favourite(root, "bob")
        fed.favourite(root, "cat")
        roots.append(root)
    return roots


def check(store: Store, threads: int = 15) -> None:
    assert store.execute("SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state = 'live'") == [
        (threads * 3, threads, threads * 2)
    ]
    assert store.execute("SELECT count(*) FROM threads WHERE title LIKE 'Step %'") == [(threads,)]
    assert store.execute("SELECT count(*) FROM reactions WHERE actor <> '' AND kind = 'like'") == [(threads * 2,)]
    assert {link.target for link in identity_links(store)} == {f"https://{name}.example" for name in ("ann", "bob", "cat")}


def test_from_first_reading_to_edits_and_deletions(store: Store, fed: MastodonServer, server: Loopback) -> None:
    roots = fill(fed)
    reading = visits(store, server.url)
    assert reading.visit() is None
    check(store)
    before = reading.content()
    assert reading.visit() is None and reading.content() == before

    fed.edit(roots[0], "another text")
    fed.edit(roots[0], "a third text")
    fed.delete(roots[1])
    fed.post("ann", "news")
    gone, edited = (f"ap:{fed.url}/users/ann/statuses/{number}" for number in (roots[1], roots[0]))
    assert reading.visit() is None
    states = reading.states()
    assert (states[edited], states[gone]) == ("edited", "live")  # one look settles nothing
    assert store.execute("SELECT version, body FROM post_versions ORDER BY version") == [
        (1, "<p>Step 0: first</p>"),
        (2, "<p>another text</p>"),
    ]
    assert store.execute("SELECT count(*) FROM posts WHERE body = '<p>news</p>'") == [(1,)]
    assert reading.visit() is None and reading.states()[gone] == "author_deleted"
    assert store.execute("SELECT reply_to IS NOT NULL, count(*) FROM posts GROUP BY ALL ORDER BY ALL") == [(False, 16), (True, 30)]


def test_a_hashtag_and_a_conversation_that_is_cut(store: Store, fed: MastodonServer, server: Loopback) -> None:
    root = last = fed.post("ann", "A long story", tag="garden")
    for number in range(150):
        last = fed.post("bob", f"part {number}", last)
    fed.post("cat", "elsewhere")
    reading = visits(store, f"{server.url}/tags/garden")
    assert reading.visit() is None
    assert store.execute("SELECT count(*), count(DISTINCT thread) FROM posts") == [(151, 1)] and root


def test_cut_off_anywhere_with_a_fifth_of_all_requests_failing(store: Store, fed: MastodonServer, server: Loopback) -> None:
    fill(fed, 15)
    reading = visits(store, server.url)
    monkey = mastodon_sweep.PAGE
    mastodon_sweep.PAGE = 6
    try:
        server.failing = 0.2
        chance = random.Random(2)
        for _ in range(5):
            reading.visit(cut_after=chance.randint(0, 3))
        for _ in range(100):
            if reading.visit() is None:
                break
        server.failing = 0.0
        assert reading.visit() is None
        assert store.execute("SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state = 'live'") == [(45, 15, 30)]
    finally:
        mastodon_sweep.PAGE = monkey


def test_closed_and_hidden_feeds_are_said(store: Store, fed: MastodonServer, server: Loopback) -> None:
    fill(fed, 2)
    reading = visits(store, server.url)
    fed.closed = True
    error = reading.visit()
    assert error is not None and "wants a login (422)" in error.message
    fed.closed, fed.hidden = False, True
    error = reading.visit()
    assert error is not None and "shows an empty timeline though it has 6 posts" in error.message
    fed.hidden, fed.no_likers = False, True
    assert reading.visit() is None
    assert store.execute("SELECT actor, count(*) FROM reactions GROUP BY actor") == [("", 2)]


def test_a_timeline_that_does_not_move_on(store: Store, fed: MastodonServer, server: Loopback) -> None:
    fill(fed, 2)
    answer = fed.answer
    server.answer = lambda path: answer(path.replace("min_id=", "min_id=0&x=")) if "timelines" in path else answer(path)
    error = visits(store, server.url).visit()
    assert isinstance(error, SourceError) and "does not move on" in error.message


def test_raw_answers_give_the_same_and_can_lose_a_post(store: Store, fed: MastodonServer, server: Loopback) -> None:
    roots = fill(fed, 4)
    fed.edit(roots[0], "another text")
    reading = visits(store, server.url)
    assert reading.visit() is None
    with Store(":memory:") as other:
        for number, records in enumerate(mastodon_sweep.parse(reading.source, reading.kept)):
            load_batch(other, Batch(f"r{number}", reading.source.id, "2024-01-01T00:00:00Z", {}, tuple(records)))
        told = "SELECT id, thread, author, created, body, reply_to FROM posts ORDER BY id"
        assert other.execute(told) == store.execute(told)
        assert other.execute("SELECT body FROM post_versions") == [("<p>Step 0: first</p>",)]
    left = [
        rest
        for answer in reading.kept
        if (rest := mastodon_sweep.redact(answer.body, f"ap:{fed.url}/users/ann/statuses/{roots[0]}")) is not None
    ]
    assert not any(b"another text" in rest or b"Step 0" in rest for rest in left) and any(b"Step 1" in rest for rest in left)
