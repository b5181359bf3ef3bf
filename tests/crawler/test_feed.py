"""Feeds: RSS, Atom and threads of RFC 4685, asked again only for what has changed."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.feed import feed_records
from index.errors import SourceError
from index.records import Post, Thread
from tests.crawler.conftest import Bench
from tests.emulators.world import Reply, World, WorldServer, iso

NOW = "2026-01-01T00:00:00Z"


class FeedServer(WorldServer):
    """An Atom feed of the newest posts, with ETag."""

    def answer(self, path: str, query: dict[str, str], body: bytes) -> Reply | None:
        if path != "/news.atom":
            return None
        tag = f'"{self.world.clock}"'
        if self.headers.get("if-none-match") == tag:
            return Reply(304, b"", {"ETag": tag})
        return Reply(200, atom(self.world), {"ETag": tag, "Content-Type": "application/atom+xml"})


def atom(world: World) -> bytes:
    entries = []
    for post in world.posts.values():
        answered = f'<thr:in-reply-to ref="urn:post:{post.parent}"/>' if post.parent else ""
        entries.append(
            f"<entry><id>urn:post:{post.id}</id><title>{escape(post.title or 'Re')}</title><author><name>{post.author}</name></author>"
            f'<link href="https://news.example.org/{post.id}"/><published>{iso(post.created)}</published><updated>{iso(post.moment)}</updated>'
            f'<content type="html">{escape(escape(f"<p>{post.text}</p>", quote=False).replace("&lt;", "<").replace("&gt;", ">"))}</content>{answered}</entry>'
        )
    head = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0"><title>News</title><id>urn:x</id>'
    return (head + f"<updated>{iso(world.clock)}</updated>" + "".join(entries) + "</feed>").encode()


def test_a_feed_is_read_and_asked_again_only_for_changes(bench: Bench) -> None:
    world = World.filled(3, 2)
    with FeedServer(world) as server:
        source = bench.add(f"{server.url}/news.atom")
        assert (source.kind, source.title) == ("feed", "News")
        assert bench.crawl().errors == {}
        rows = bench.store.rows("SELECT p.plain, t.title, p.reply_to FROM posts p JOIN threads t ON t.id = p.thread")
        assert sorted(row["plain"].strip() for row in rows) == sorted(post.text for post in world.posts.values())
        assert {row["title"] for row in rows} == {post.title for post in world.roots()}
        assert bench.crawl().errors == {} and server.log[-1].status == 304
        world.edit(1, "First, knock.")
        assert bench.crawl().errors == {}
        assert bench.store.execute("SELECT state, plain FROM posts WHERE version > 1") == [("edited", "First, knock.\n")]


RSS = b"""<rss version="2.0"><channel><title>N</title><item><title>T</title><guid>a</guid><link>/x</link>
<pubDate>Mon, 03 May 2021 10:00:00 GMT</pubDate><description>&lt;script&gt;x&lt;/script&gt;&lt;p&gt;Do it.&lt;/p&gt;</description>
<comments>https://forum.example.org/t/x/9</comments></item><item><title>no date</title><guid>b</guid></item><item/></channel></rss>"""


def test_rss_with_entries_that_cannot_be_used() -> None:
    found = feed_records("feed:n", "https://n.example/feed", RSS, NOW)
    (post,) = (record for record in found if isinstance(record, Post))
    assert (post.permalink, post.created, post.author) == ("https://n.example/x", "2021-05-03T10:00:00Z", "feed:n/u/n")
    assert [record.title for record in found if isinstance(record, Thread)] == ["T"]
    assert sorted(record.reason for record in found if hasattr(record, "reason")) == ["entry without id or link", "post without date"]
    assert [record.target for record in found if getattr(record, "kind", "") == "discusses"] == ["discourse:forum.example.org/t/9"]


def test_what_is_no_feed(bench: Bench) -> None:
    with FeedServer(World.filled(1, 0)) as server, pytest.raises(SourceError):
        bench.add(f"{server.url}/nothing")
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss version="2.0"><channel><title>&b;</title></channel></rss>'
    assert all(not isinstance(record, Post) for record in feed_records("feed:n", "https://n.example", bomb, NOW))


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reading_fail(junk: bytes) -> None:
    for body in (junk, RSS[:120] + junk, RSS.replace(b"Do it.", junk)):
        feed_records("feed:n", "https://n.example/feed", body, NOW)
