"""What a listing does not tell: silent edits and deletions, likers, earlier texts; within a budget, also where hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.discourse import Forum
from crawler.discourse_extras import earlier_text, likers
from crawler.rawfiles import reparse
from index.records import Author, Reaction
from tests.crawler.conftest import Bench
from tests.crawler.test_live import fill
from tests.emulators.discourse import DiscourseEmulator, side_by_side

FORUM = Forum("discourse:f.test", "https://f.test", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize("old_before", [False, True])
def test_silent_edits_and_deletions_are_found(bench: Bench, forum: DiscourseEmulator, old_before: bool) -> None:
    """Far down, with a gap of more than fifty ids that are gone, under both meanings of `before`."""
    forum.old_before = old_before
    fill(forum, 20)
    for post in range(120, 141):
        forum.posts.pop(post, None)
    forum.posts |= {post + 100: data | {"id": post + 100} for post, data in list(forum.posts.items()) if post > 130}
    fill(forum, 130)
    bench.add(forum.url)
    bench.crawl()
    forum.edit(103, "silently edited", bump=False)
    forum.vanish(105, bump=False)
    forum.like(107, 4)
    forum.log.clear()
    for _ in range(6):  # the newest posts each time, older ones in turn
        assert not bench.crawl(extra_requests=4).partial
    assert bench.states()["103"] == "edited" and bench.states()["105"] == "pruned"
    assert bench.store.execute("SELECT likes FROM posts WHERE id LIKE '%/107'") == [(4,)]
    assert bench.store.execute("SELECT body FROM post_versions") == [("<p>one</p>",)]
    read = [hit.path for hit in forum.asked("/t/")]
    assert set(read) == {"/t/2.json", "/t/3.json", "/t/4.json"} and len(read) <= 5
    assert max(len(forum.asked("/posts.json")), 1) <= 6 * 4


def test_a_thread_that_slipped_through_the_pages_is_found(bench: Bench, forum: DiscourseEmulator) -> None:
    """A thread of the first page is deleted while it is read: all below move up by one, and one is on no page."""
    fill(forum, 70)
    bench.add(forum.url)

    def delete(path: str) -> None:
        if path.endswith("page=1") and 70 in forum.topics:
            forum.delete_thread(70)

    forum.while_answering = delete
    bench.crawl()
    slipped = {str(post) for post in forum.posts} - set(bench.states())
    assert len(slipped) == 2
    bench.crawl(extra_requests=10)
    assert {str(post) for post in forum.posts} <= set(bench.states())


def test_a_forum_that_lists_no_posts_is_looked_at_in_turn(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 6)
    bench.add(forum.url)
    bench.crawl()
    forum.hides.add("posts")
    forum.edit(103, "silently edited", bump=False)
    forum.log.clear()
    bench.crawl(extra_requests=4)
    bench.store.execute("UPDATE posts SET last_seen = '2020-01-01T00:00:00Z' WHERE id LIKE '%/103'")
    bench.crawl(extra_requests=4)
    assert bench.states()["103"] == "edited" and len(forum.asked("/t/")) == 6


def test_who_liked_a_post(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 4)
    forum.like_by(101, "bob", "eve")
    source = bench.add(forum.url)
    bench.crawl(extra_requests=10)
    people = "SELECT a.handle, r.count FROM reactions r LEFT JOIN authors a ON a.id = r.actor ORDER BY ALL"
    assert bench.store.execute(people) == [("bob", 1), ("eve", 1)]
    asked = len(forum.asked("/post_action_users"))
    forum.edit(101, "other words")
    bench.crawl(extra_requests=10)  # the thread tells a count without names: the names stay
    assert bench.store.execute(people) == [("bob", 1), ("eve", 1)] and len(forum.asked("/post_action_users")) == asked
    forum.like_by(101, "bob", "eve", "ann")
    forum.bump(1)
    bench.crawl(extra_requests=10)
    assert bench.store.execute(people) == [("bob", 1), ("eve", 1), (None, 1)]
    bench.crawl(extra_requests=10)
    assert bench.store.execute(people) == [("ann", 1), ("bob", 1), ("eve", 1)]
    forum.like_by(101, "eve")
    forum.bump(1)
    bench.crawl(extra_requests=10)
    bench.crawl(extra_requests=10)
    assert bench.store.execute(people) == [("eve", 1)]
    before = bench.content()
    list(reparse(bench.workspace, bench.store, source))
    assert bench.content()["reactions"] == before["reactions"]
    assert "eve" not in "".join(str(raw) for raw in bench.workspace.raw.iterdir())


def test_likers_and_history_that_are_hidden_cost_little(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 30)
    for post in range(101, 151):
        forum.like(post, 2)
        forum.edit(post, "changed")
    forum.hides |= {"likers", "history"}
    bench.add(forum.url)
    for _ in range(4):
        bench.crawl(extra_requests=100)
    assert len(forum.asked("/post_action_users")) <= 50 and len(forum.asked("/revisions/")) <= 50
    asked = len(forum.log)
    bench.crawl(extra_requests=100)
    assert not [hit for hit in forum.log[asked:] if "post_action" in hit.path or "revisions" in hit.path]
    assert bench.store.execute("SELECT actor, sum(count) FROM reactions GROUP BY actor") == [("", 100)]


def test_what_a_post_said_before_it_was_first_seen(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 2)
    forum.edit(101, "second & <third>\nline")
    forum.edit(101, "now")
    source = bench.add(forum.url)
    bench.crawl(extra_requests=10)
    bench.crawl(extra_requests=10)
    versions = "SELECT version, format, body FROM post_versions ORDER BY version"
    assert bench.store.execute(versions) == [(1, "raw", "one"), (2, "raw", "second & <third>\nline")]
    assert bench.states()["101"] == "edited" and len(forum.asked("/revisions/")) == 2
    before = bench.content()
    list(reparse(bench.workspace, bench.store, source))
    assert bench.content() == before
    forum.delete_by_author(101)
    bench.crawl()
    assert bench.store.execute(versions) == []
    assert [raw for raw in bench.workspace.raw.iterdir() if b"third" in _unpacked(raw)] == []


def _unpacked(path: Path) -> bytes:
    import gzip

    return gzip.decompress(path.read_bytes())


def test_few_requests_for_few_news(bench: Bench, forum: DiscourseEmulator) -> None:
    """A forum of 1,000 threads with ten changed: at most 25 requests in all, robots.txt and looking again included."""
    for number in range(1000):
        forum.thread(f"thread {number}", "one", "two")
    bench.add(forum.url)
    assert not bench.crawl(extra_requests=10).partial
    for topic in range(100, 1000, 100):
        forum.reply(topic, "news")
    forum.edit(forum._posts_of(50)[1]["id"], "changed")
    asked = len(forum.log)
    report = bench.crawl(extra_requests=10)
    assert not report.partial and report.sources[0].threads == 10 and report.sources[0].requests == len(forum.log) - asked <= 25


@pytest.mark.parametrize(
    "people", [[], [{}], [{"id": 1}], [{"username": "x"}], [{"id": "1", "username": "x"}], [{"id": 1, "username": "\x00"}]]
)
def test_likers_that_make_no_sense(people: list[dict[str, Any]]) -> None:
    assert likers(FORUM, 5, 3, people) == []


def test_likers_are_told_once_with_the_rest() -> None:
    found = likers(FORUM, 5, 3, [{"id": 1, "username": "ann"}, {"id": 1, "username": "ann"}, {"id": 2, "username": "bob"}])
    assert [record.id for record in found if isinstance(record, Author)] == ["discourse:f.test/u/1", "discourse:f.test/u/2"]
    assert [(record.actor[-3:], record.count) for record in found if isinstance(record, Reaction)] == [("u/1", 1), ("u/2", 1), ("", 1)]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"current_revision": 2, "post_id": 6, "body_changes": {"side_by_side_markdown": side_by_side("a", "b")}},
        {"current_revision": 1, "post_id": 5, "body_changes": {"side_by_side_markdown": side_by_side("a", "b")}},
        {"current_revision": 2, "post_id": 5, "body_changes": {"side_by_side_markdown": "<table>"}},
        {"current_revision": 2, "post_id": 5, "body_changes": []},
        {"current_revision": "2", "post_id": 5, "body_changes": {"side_by_side_markdown": 7}},
    ],
)
def test_revisions_that_make_no_sense(payload: dict[str, Any]) -> None:
    assert earlier_text(FORUM, 5, payload) is None


def test_an_earlier_text_is_the_left_column() -> None:
    payload = {
        "current_revision": 3,
        "post_id": 5,
        "body_changes": {"side_by_side_markdown": side_by_side("a <b>\nc & d\nsame\n", "x\nsame\n")},
    }
    found = earlier_text(FORUM, 5, payload)
    assert found is not None and (found.version, found.body) == (2, "a <b>\nc & d\nsame\n")


def given(bench: Bench) -> list[tuple[Any, ...]]:
    """(emoji, who or None, count) of the reactions in the store."""
    return bench.store.execute("SELECT r.kind, a.handle, r.count FROM reactions r LEFT JOIN authors a ON a.id = r.actor ORDER BY ALL")


def test_reactions_that_are_no_likes(bench: Bench, forum: DiscourseEmulator) -> None:
    """Each kind with its names; people who are known by number are the same ones; a kind that is told no more is gone."""
    fill(forum, 3)
    for name, emoji in (("bob", "heart"), ("user1", "tada"), ("eve", "tada"), ("dan", "-1")):
        forum.react(101, name, emoji)
    source = bench.add(forum.url)
    bench.crawl(extra_requests=10)
    assert given(bench) == [("-1", "dan", 1), ("like", "bob", 1), ("tada", "eve", 1), ("tada", "user1", 1)]
    assert bench.store.execute("SELECT likes FROM posts WHERE id LIKE '%/101'") == [(3,)]  # what the forum counts as likes
    assert bench.store.execute("SELECT actor FROM reactions WHERE kind = 'tada' ORDER BY ALL") == [
        (f"{source.id}/u/{forum.users['user1']}",),
        (f"{source.id}/u/eve",),  # who never wrote has no number here
    ]
    forum.reply(2, "hello", by="eve")
    bench.crawl()
    eve = f"{source.id}/u/{forum.users['eve']}"
    assert bench.store.execute("SELECT actor FROM reactions WHERE kind = 'tada' ORDER BY ALL") == [
        (f"{source.id}/u/{forum.users['user1']}",),
        (eve,),
    ]
    assert bench.store.execute("SELECT id FROM authors WHERE handle = 'eve'") == [(eve,)]
    forum.react(101, "eve", "thinking")  # changes her mind: bumps nothing, and the sum is the same
    forum.react(101, "dan")
    bench.crawl(extra_requests=10)
    bench.crawl(extra_requests=10)
    assert given(bench) == [("like", "bob", 1), ("tada", "user1", 1), ("thinking", "eve", 1)]
    asked = len(forum.log)
    bench.crawl(extra_requests=10)
    assert not [hit for hit in forum.log[asked:] if "/t/" in hit.path or "users" in hit.path]  # nothing is left to ask
    before = bench.content()["reactions"]
    list(reparse(bench.workspace, bench.store, source))
    assert bench.content()["reactions"] == before


def test_a_telling_of_likes_alone_takes_no_other_reaction(bench: Bench, forum: DiscourseEmulator) -> None:
    """The plugin is switched off: nothing is told of other reactions any more, so none of them is taken back."""
    fill(forum, 2)
    forum.main_reaction = "+1"
    for name, emoji in (("bob", "+1"), ("ann", "tada")):
        forum.react(101, name, emoji)
    bench.add(forum.url)
    bench.crawl(extra_requests=10)
    assert given(bench) == [("like", "bob", 1), ("tada", "ann", 1)]
    forum.reactions_plugin = False
    forum.like_by(101, "eve", "dan")
    forum.bump(1)
    bench.crawl(extra_requests=10)
    bench.crawl(extra_requests=10)
    assert given(bench) == [("like", "dan", 1), ("like", "eve", 1), ("tada", "ann", 1)]


def test_what_stays_different_is_read_once(bench: Bench, forum: DiscourseEmulator) -> None:
    """A post that its author took back, and one that cannot be read: listed, but never to be had."""
    fill(forum, 3)
    bench.add(forum.url)
    bench.crawl()
    forum.delete_by_author(103)
    forum.reply(3, "")
    forum.posts[max(forum.posts)]["cooked"] = ""
    for _ in range(3):
        bench.crawl(extra_requests=10)
    asked = len(forum.log)
    bench.crawl(extra_requests=10)
    assert not [hit.path for hit in forum.log[asked:] if "/t/" in hit.path]
    forum.edit(max(forum.posts), "now it says something", bump=False)
    bench.crawl(extra_requests=10)
    assert bench.states()[str(max(forum.posts))] in ("live", "edited")
