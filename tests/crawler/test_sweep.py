"""A visit without a network: the emulator answers in this process, and is cut off at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler import discourse_sweep as sweeping
from crawler.answers import Answer
from crawler.frontier import Frontier, Listed
from crawler.job import Report
from index.config import CrawlConfig
from index.records import Post, Reject, Source
from index.spool import Roster
from tests.crawler.scripted import Scripted
from tests.emulators.discourse import DiscourseEmulator, failure, json_reply

URL = "http://forum.test"


class Visits(Scripted):
    """Visits to an emulated forum, and the posts, rosters and rejects that they bring."""

    def __init__(self, spool: Path, emulator: DiscourseEmulator) -> None:
        super().__init__(
            Source("discourse:forum.test", "discourse", URL, URL), sweeping.sweep, self._answer, spool, CrawlConfig(extra_requests=0)
        )
        self.emulator = emulator

    def _answer(self, url: str, method: str, body: bytes | None) -> Answer:
        reply = self.emulator.answer(url.removeprefix(URL))
        return Answer(url, reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.body)

    def visit(self, requests: int = 10_000, hints: dict[str, Any] | None = None, stop_after: int | None = None) -> Report:
        report = super().visit(requests, hints, stop_after)
        self.asked = [url.removeprefix(URL) for url in self.asked]
        return report

    @property
    def posts(self) -> set[int]:
        return {int(record.id.rpartition("/")[2]) for record in self.records() if isinstance(record, Post)}

    @property
    def rosters(self) -> list[Roster]:
        return [record for record in self.records() if isinstance(record, Roster)]

    @property
    def rejects(self) -> list[Reject]:
        return [record for record in self.records() if isinstance(record, Reject)]

    def threads(self) -> int:
        """Threads that the last visit read."""
        return sum(path.startswith("/t/") and path.endswith(".json") for path in self.asked)


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(tmp_path, DiscourseEmulator())


def fill(emulator: DiscourseEmulator, threads: int) -> None:
    for number in range(threads):
        emulator.thread(f"thread {number}", "one", "two")


def test_a_full_visit_and_one_for_the_news(visits: Visits) -> None:
    fill(visits.emulator, 70)
    long = visits.emulator.thread("long", *(f"post {n}" for n in range(45)))
    assert visits.visit().error is None
    assert visits.posts == set(visits.emulator.posts)
    assert len([path for path in visits.asked if path.startswith(f"/t/{long}")]) == 1 + 2  # 20 with it, 20 + 5 in groups
    assert len([path for path in visits.asked if path.startswith("/latest")]) == 3
    assert visits.visit().error is None and visits.threads() == 0
    assert visits.asked == ["/site.json", "/latest.json?order=activity&page=0"]
    visits.emulator.reply(5, "news")
    visits.visit()
    assert visits.asked[2:] == [f"{path}" for path in ("/t/5.json",)]
    assert visits.posts == set(visits.emulator.posts)


def test_pinned_threads_on_top_do_not_end_a_listing(visits: Visits) -> None:
    fill(visits.emulator, 40)
    visits.visit()
    visits.emulator.topics[1]["pinned"] = True  # the oldest one
    visits.emulator.reply(40, "news")
    visits.visit()
    assert visits.posts == set(visits.emulator.posts)


def test_an_interrupted_first_visit_loses_no_old_thread(visits: Visits) -> None:
    fill(visits.emulator, 100)
    visits.visit(requests=30)
    assert 0 < len(visits.posts) < 200
    visits.emulator.reply(100, "bumped meanwhile")
    assert visits.visit().error is None
    assert visits.posts == set(visits.emulator.posts)


def test_a_listing_goes_on_where_it_was_cut_off(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "LISTING_PAGES", 2)
    fill(visits.emulator, 300)
    visits.visit(requests=7)  # the site and six pages of ten
    visits.emulator.reply(300, "news")
    visits.emulator.delete_thread(299)
    report = visits.visit(requests=1 + 2 + 1 + 5)
    assert [path.rpartition("=")[2] for path in visits.asked[1:]] == ["0", "5", "5", "6", "7", "8", "9", "/t/300.json"]
    assert report.error == "cut off"
    visits.visit()
    assert visits.posts == set(visits.emulator.posts)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happens_in_between_nothing_is_lost(tmp_path: Path, data: st.DataObject) -> None:
    """Visits cut off at random while the forum lives on, then one that is not: all is there."""
    visits = Visits(tmp_path, DiscourseEmulator())
    fill(visits.emulator, data.draw(st.integers(0, 80)))
    for _ in range(data.draw(st.integers(0, 5))):
        visits.visit(requests=data.draw(st.integers(0, 12)))
        for _ in range(data.draw(st.integers(0, 3))):
            threads = sorted(visits.emulator.topics)
            if threads and data.draw(st.booleans()):
                visits.emulator.reply(data.draw(st.sampled_from(threads)), "again")
            else:
                visits.emulator.thread("new", "first")
    assert visits.visit().error is None
    assert visits.posts == set(visits.emulator.posts)
    assert visits.visit().error is None and visits.threads() == 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_listing_that_is_reordered_while_it_is_read(tmp_path: Path, data: st.DataObject) -> None:
    """People write all the time: threads jump to the top between two pages. What is at rest at last is all there."""
    visits = Visits(tmp_path, DiscourseEmulator())
    fill(visits.emulator, 75)
    jumps = data.draw(st.lists(st.integers(1, 75), max_size=12))

    def jump(path: str) -> None:
        if jumps and "/latest" in path:
            visits.emulator.reply(jumps.pop(), "meanwhile")

    visits.emulator.while_answering = jump
    visits.visit(requests=data.draw(st.integers(1, 60)))
    visits.visit()
    jumps.clear()
    assert visits.visit().error is None
    assert visits.posts == set(visits.emulator.posts)


def test_a_deleted_thread_and_a_vanished_post_are_told_by_rosters(visits: Visits) -> None:
    fill(visits.emulator, 3)
    visits.visit()
    gone = next(post for post, data in visits.emulator.posts.items() if data["topic_id"] == 2)
    visits.emulator.vanish(gone)
    visits.emulator.delete_thread(1)
    visits.batches.clear()
    visits.visit(hints={"recheck": [1]})
    told = {roster.thread.rpartition("/")[2]: len(roster.posts) for roster in visits.rosters}
    assert told == {"1": 0, "2": 1}


def test_a_post_that_goes_between_two_requests_is_not_in_the_roster(visits: Visits) -> None:
    long = visits.emulator.thread("long", *(f"post {n}" for n in range(25)))
    last = max(visits.emulator.posts)
    visits.emulator.fail(r"/posts\.json", lambda: json_reply({"post_stream": {"posts": []}}))
    visits.visit()
    assert len(visits.rosters[0].posts) == 20 and not any(str(last) in post for post in visits.rosters[0].posts)
    assert visits.rosters[0].thread.endswith(f"/t/{long}")


def test_one_thread_that_fails_waits_for_the_next_run(visits: Visits) -> None:
    fill(visits.emulator, 4)
    visits.emulator.fail(r"/t/2\.json", failure)
    visits.emulator.fail(r"/t/3\.json", lambda: json_reply({"id": 4, "post_stream": {}}))
    report = visits.visit()
    assert (report.failed, report.waiting, report.error) == (2, 2, None) and len(visits.posts) == 4
    assert [(r.where.rpartition("/")[2], r.reason) for r in visits.rejects] == [("3", "not read: thread"), ("2", "not read: thread")]
    visits.emulator.mend()
    visits.visit()
    assert visits.posts == set(visits.emulator.posts)


def test_a_proxy_that_answers_404_deletes_nothing(visits: Visits) -> None:
    fill(visits.emulator, 2)
    visits.emulator.fail(r"/t/2\.json", lambda: failure(404))
    assert visits.visit().failed == 1
    assert {roster.thread.rpartition("/")[2] for roster in visits.rosters} == {"1"}


def test_many_threads_failing_in_a_row_end_the_visit(visits: Visits) -> None:
    fill(visits.emulator, 30)
    visits.emulator.fail(r"/t/", lambda: json_reply({"errors": ["no"]}, 403))
    report = visits.visit()
    assert report.error is not None and "403" in report.error
    assert report.waiting == 30 and len(visits.asked) < 10


@pytest.mark.parametrize(
    "listing",
    [
        {},
        {"topic_list": []},
        {"topic_list": {"topics": "x"}},
        {"topic_list": {"topics": [{"id": "x"}, {"id": 1}, {"id": 2, "bumped_at": "?"}, None], "more_topics_url": "/latest?page=1"}},
    ],
)
def test_odd_listings_end(visits: Visits, listing: Any) -> None:
    visits.emulator.fail("/latest", lambda: json_reply(listing))
    assert visits.visit(requests=20).error is None


def test_a_listing_that_repeats_itself_ends(visits: Visits) -> None:
    fill(visits.emulator, 60)
    first = visits.emulator.answer("/latest.json?page=0")
    visits.emulator.fail("/latest", lambda: first)
    assert visits.visit().error is None and len(visits.posts) == 60
    assert len([path for path in visits.asked if path.startswith("/latest")]) == 2


def test_waiting_threads_are_kept_in_pieces() -> None:
    frontier = Frontier()
    assert frontier.add(range(250)) == 250 and frontier.add([5, 250]) == 1
    assert len(frontier.changes()) == 3 + 6
    frontier.done(120)
    assert list(frontier.changes()) == ["waiting:000001"]
    again = Frontier.read(frontier._entries())
    assert again.threads() == frontier.threads() and 120 not in again.threads()


def test_ties_at_the_head_are_told_apart() -> None:
    frontier = Frontier(head="2024-01-01T00:00:00.000Z", head_threads={1})
    assert not frontier.is_news(Listed(1, "2024-01-01T00:00:00.000Z"))
    assert frontier.is_news(Listed(2, "2024-01-01T00:00:00.000Z"))
    assert not frontier.is_news(Listed(2, "2023-12-31T23:59:59.999Z"))
