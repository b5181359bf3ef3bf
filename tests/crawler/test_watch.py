"""Sources that fall silent or shrink are errors with a reason; archives, dead forums and quiet ones are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crawler import watch
from crawler.watch import is_silent
from index.tables_watch import Fare, last_fares
from tests.crawler.conftest import Bench
from tests.crawler.test_live import fill
from tests.emulators.discourse import DiscourseEmulator

NOW = "2026-06-30T00:00:00Z"


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    monkeypatch.setattr(watch, "now", lambda: moment)


@pytest.mark.parametrize(
    ("newest", "pause", "days", "silent"),
    [
        ("2026-06-29T00:00:00Z", 1, 30, False),
        ("2026-05-01T00:00:00Z", 1, 30, True),
        ("2026-05-01T00:00:00Z", 20, 30, False),  # it often is quiet for weeks
        ("2026-05-01T00:00:00Z", 19, 30, True),
        ("2026-05-01T00:00:00Z", 1, 0, False),
        ("", 0, 30, False),
    ],
)
def test_when_a_source_is_silent(newest: str, pause: int, days: int, silent: bool) -> None:
    assert is_silent(Fare("s", 5, newest, pause, 5, True), days, NOW) is silent


def test_a_forum_that_falls_silent(bench: Bench, forum: DiscourseEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    forum._clock = datetime.now(UTC) - timedelta(days=8)
    for _ in range(4):
        fill(forum, 1)
        forum.tick(86_400)
    bench.add(forum.url)
    assert not bench.crawl().partial
    later(monkeypatch, 40)
    report = bench.crawl()
    assert report.partial and "has fallen silent" in (report.sources[0].error or "") and "fallen silent" in (bench.last_error() or "")
    assert "watch.silent_days" in report.sources[0].way_out
    forum._clock = datetime.now(UTC)
    forum.reply(1, "we are back")
    later(monkeypatch, 1)
    assert not bench.crawl().partial and bench.last_error() is None


def test_a_forum_that_was_dead_when_it_was_added_is_no_error(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 3)  # in 2024
    bench.add(forum.url)
    assert not bench.crawl().partial and not bench.crawl().partial
    assert [fare["silent"] for fare in last_fares(bench.store)] == [True]


def test_a_forum_that_shrinks(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 20)
    bench.add(forum.url)
    assert not bench.crawl().partial
    for post in range(101, 107):
        forum.delete_by_author(post)
    report = bench.crawl()
    assert "has shrunk from 40 to 34 readable posts" in (report.sources[0].error or "")
    assert not bench.crawl().partial  # said once


def test_a_forum_that_lists_nothing_any_more(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 5)
    bench.add(forum.url)
    bench.crawl()
    threads, forum.topics = forum.topics, {}
    assert "lists no thread any more" in str(bench.crawl().errors)
    forum.topics = threads
    assert not bench.crawl().partial
