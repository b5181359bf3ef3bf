"""A live forum through Scrapy, in the process that a run starts: what it reads, how politely, and what it survives."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.address import find_source
from index import tables_discussion as tables
from index.store import Store
from index.workspace import init_workspace
from tests.crawler.conftest import FAST, Bench
from tests.crawler.test_archive import crawl_and_kill
from tests.emulators.discourse import DiscourseEmulator, Reply, failure, json_reply, too_many, too_many_of_this


def fill(forum: DiscourseEmulator, threads: int = 6) -> None:
    for number in range(threads):
        forum.thread(f"thread {number}", "one", "two", by=f"user{number % 3}")


def gaps(forum: DiscourseEmulator) -> list[float]:
    times = [hit.at for hit in forum.log]
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_forum_from_first_crawl_to_edits_and_deletions(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 35)
    long = forum.thread("long", *(f"post {n}" for n in range(50)))
    forum.like(101, 3)
    bench.add(forum.url)
    report = bench.crawl()
    assert not report.partial and report.sources[0].posts == len(forum.posts) == 120
    assert bench.states() == {str(post): "live" for post in forum.posts}
    assert bench.store.execute("SELECT actor, count FROM reactions") == [("", 3)]
    assert bench.store.execute("SELECT DISTINCT category FROM threads") == [("Grants",)]
    assert max(hit.at_once for hit in forum.log) == 1 and {hit.agent for hit in forum.log} == {FAST.user_agent}

    before, asked = bench.content(), len(forum.log)
    assert not bench.crawl().partial and bench.content() == before
    assert [hit.path for hit in forum.log[asked:]] == ["/robots.txt", "/site.json", "/latest.json?order=activity&page=0"]

    forum.edit(101, "another text")
    forum.delete_by_author(104)
    forum.vanish(106)
    forum.delete_thread(10)  # nobody is told: only a look at it would show
    asked = len(forum.log)
    bench.crawl()
    assert {hit.path for hit in forum.log[asked:] if hit.path.startswith("/t/")} == {"/t/1.json", "/t/2.json", "/t/3.json"}
    states = bench.states()
    assert (states["101"], states["104"], states["106"]) == ("edited", "author_deleted", "missing_unconfirmed")
    assert bench.store.execute("SELECT body FROM post_versions") == [("<p>one</p>",)]
    bench.crawl()  # looks again, since one look settles nothing
    assert bench.states()["106"] == "pruned" and bench.states()["101"] == "edited"
    assert len([post for post in bench.states() if post in {str(p) for p in range(171, 221)}]) == 50 and long == 36


def test_waits_as_long_as_it_is_told(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum)
    bench.add(forum.url)
    forum.fail(r"/t/3\.json", lambda: too_many(0.6), times=1)
    forum.fail(r"/t/2\.json", lambda: too_many_of_this(0.4), times=1)
    assert not bench.crawl().partial
    limited = [index for index, hit in enumerate(forum.log) if hit.status == 429]
    assert [gaps(forum)[index] >= wait for index, wait in zip(limited, (0.6, 0.4), strict=True)] == [True, True]
    assert len(bench.states()) == len(forum.posts)


def test_the_pause_and_the_crawl_delay_are_kept(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 3)
    bench.add(forum.url)
    forum.robots = "User-agent: *\nCrawl-delay: 0.15\n"
    forum.slow = 0.05
    bench.crawl(delay_seconds=0.1)
    assert all(gap >= 0.15 for gap in gaps(forum)[2:]) and max(hit.at_once for hit in forum.log) == 1


def test_a_wait_too_long_is_kept_for_the_next_run(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum)
    bench.add(forum.url)
    forum.fail(r"/t/3\.json", lambda: too_many(5000), times=1)
    report = bench.crawl()
    assert report.partial and "left alone for 5,000 seconds" in (bench.last_error() or "")
    assert len(bench.states()) == 6 and report.sources[0].waiting == 3  # what was got stays
    asked = len(forum.log)
    assert "asked not to be read before" in str(bench.crawl().errors)
    assert len(forum.log) == asked


def test_robots_txt_is_obeyed(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum)
    bench.add(forum.url)
    forum.robots = "User-agent: *\nDisallow: /t/2.json\n\nUser-agent: otherbot\nDisallow: /\n"
    assert not bench.crawl().partial
    assert not forum.asked("/t/2.json") and list(bench.rejects()) == ["thread forbidden by robots.txt"]
    forum.robots = "User-agent: precipitate\nDisallow: /\n"
    asked = len(forum.log)
    assert "robots.txt forbids" in str(bench.crawl().errors)
    assert [hit.path for hit in forum.log[asked:]] == ["/robots.txt"]


def test_an_unreadable_robots_txt_forbids_all(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum)
    bench.add(forum.url)
    forum.log.clear()
    forum.fail("/robots.txt", failure)
    assert "robots.txt cannot be read" in str(bench.crawl().errors)
    assert {hit.path for hit in forum.log} == {"/robots.txt"}


def test_failures_that_pass_and_failures_that_stay(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum)
    bench.add(forum.url)
    forum.fail(r"/t/5\.json", lambda: failure(502), times=2)
    forum.fail(r"/t/2\.json", failure)
    report = bench.crawl()
    assert report.partial and report.sources[0].waiting == 1 and "1 of 6 threads" in (report.sources[0].error or "")
    assert bench.rejects() == {"not read: thread": [f"{forum.url}/t/2"]}
    assert len(forum.asked("/t/2.json")) == 5 and len(bench.states()) == 10
    forum.mend()
    assert not bench.crawl().partial and len(bench.states()) == 12 and not bench.rejects() and bench.last_error() is None


def test_a_forum_that_only_fails_is_left_alone(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 20)
    bench.add(forum.url)
    forum.fail("/t/", failure)
    report = bench.crawl()
    assert "failures in a row" in (report.sources[0].error or "") and report.sources[0].waiting == 20
    assert len(forum.asked("/t/")) == 15


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(302, b"", {"Location": "http://127.0.0.1:9/latest.json"}), "redirects to http://127.0.0.1:9/latest.json"),
        (Reply(302, b"", {"Location": "/login"}), "login page"),
        (json_reply({"x": "y" * 200_000}), "answers with more than 100,000 bytes"),
    ],
)
def test_answers_that_end_a_crawl(bench: Bench, forum: DiscourseEmulator, reply: Reply, message: str) -> None:
    bench.add(forum.url)
    forum.fail("/latest", lambda: reply)
    forum.login_page = "login" in message
    assert message in str(bench.crawl(max_response_bytes=100_000).errors)


def test_a_redirect_within_the_forum_is_followed(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 2)
    bench.add(forum.url)
    forum.fail(r"/t/1\.json$", lambda: Reply(301, b"", {"Location": "/t/1.json?slug=t-1"}), times=1)
    assert not bench.crawl().partial and len(bench.states()) == 4


def test_a_forum_that_is_gone(bench: Bench) -> None:
    with DiscourseEmulator() as forum:
        bench.add(forum.url)
    assert "cannot be read" in str(bench.crawl().errors)
    assert (bench.last_error() or "").startswith(forum.url)


def test_a_name_that_now_leads_to_a_private_address_is_refused(bench: Bench, forum: DiscourseEmulator) -> None:
    bench.add(forum.url)
    bench.store.execute("UPDATE sources SET allow_private = false, base_url = 'https://localhost'")
    asked = len(forum.log)
    assert "loopback or private" in str(bench.crawl().errors) and len(forum.log) == asked


def test_requests_are_bounded_and_the_rest_waits(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 10)
    bench.add(forum.url)
    forum.log.clear()
    report = bench.crawl(max_requests=7)
    assert len(forum.log) == 7 and report.partial and report.sources[0].waiting == 6
    bench.crawl(max_requests=7)
    bench.crawl()
    assert len(bench.states()) == 20


def test_nothing_listens_while_a_crawl_runs(bench: Bench, forum: DiscourseEmulator) -> None:
    """Scrapy opens a telnet console and a port that executes code, unless it is told not to."""
    fill(forum, 2)
    bench.add(forum.url)
    before = listening()
    seen: set[int] = set()

    def look() -> Reply:
        seen.update(listening() - before)
        return json_reply({"topic_list": {"topics": []}})

    forum.fail("/latest", look)
    assert not bench.crawl().partial and not seen


def listening() -> set[int]:
    """Ports on which a process that this one started listens (Linux)."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    own = {link for child in children() for link in sockets(child)}
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in own}


def children() -> list[Path]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.append(stat.parent)
    return found


def sockets(process: Path) -> set[str]:
    """Inodes of a process's sockets."""
    found = set()
    for handle in (process / "fd").glob("*"):
        with suppress(OSError):
            found.add(str(handle.readlink()).removeprefix("socket:[").rstrip("]"))
    return found


def test_kill_9_at_any_moment_gives_the_store_of_an_undisturbed_crawl(bench: Bench, forum: DiscourseEmulator, tmp_path: Path) -> None:
    fill(forum, 60)
    forum.thread("long", *(f"post {n}" for n in range(50)))
    bench.add(forum.url)
    assert not bench.crawl().partial
    other = init_workspace(tmp_path / "other")
    with Store(other.database) as store:
        tables.add_source(store, find_source(forum.url, True, FAST))
    forum.log.clear()
    forum.slow = 0.01
    chance = random.Random(11)
    for _ in range(5):
        crawl_and_kill(other.root, chance.uniform(0.5, 2.2))
    asked = len(forum.log)
    time.sleep(0.3)
    assert len(forum.log) <= asked + 1  # the child went with its parent
    assert crawl_and_kill(other.root, None) == 0
    with Store(other.database) as store:
        assert Bench(other, store).content() == bench.content()
    assert not list(other.spool.iterdir()) and max(hit.at_once for hit in forum.log) == 1


def test_a_port_that_accepts_and_says_nothing(bench: Bench, forum: DiscourseEmulator) -> None:
    bench.add(forum.url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bench.store.execute("UPDATE sources SET base_url = ?", [f"http://127.0.0.1:{silent.getsockname()[1]}"])
        assert "cannot be read" in str(bench.crawl(timeout_seconds=0.2).errors)


def test_a_crawling_process_that_dies_is_an_error_and_its_batches_stay(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 25)
    bench.add(forum.url)

    def kill() -> Reply:
        for children in Path("/proc/self/task").glob("*/children"):
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)
        return failure()

    forum.fail(r"/t/3\.json", kill)
    assert "ended with status -9" in str(bench.crawl().errors)
    assert len(bench.states()) == 40  # two batches of ten threads
    forum.mend()
    assert not bench.crawl().partial and len(bench.states()) == 50
