"""Servers that mean harm: each ends in a clear error of its own source; the others go on, at their own pace."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from crawler import hosts as hosting
from crawler.hosts import CHECKED, Hosts
from index import hosts
from index import tables_discussion as tables
from index.errors import SourceError
from index.records import Source
from tests.crawler.conftest import Bench
from tests.crawler.test_live import children, fill
from tests.emulators import hostile
from tests.emulators.discourse import DiscourseEmulator

MESSAGES: dict[Callable[..., None], str] = {
    hostile.endless_pages: "stopped after 60 requests",
    hostile.the_same_page: "in a row failed",
    hostile.backwards: "stopped after 60 requests",
    hostile.endless_body: "answers with more than 2,000,000 bytes",
    hostile.promised_body: "answers with more than 2,000,000 bytes",
    hostile.bomb: "answers with more than 2,000,000 bytes",
    hostile.drip: "cannot be reached",
    hostile.hang_up: "cannot be reached",
    hostile.nonsense: "cannot be reached",
    hostile.wait_till_2099: "asks to be left alone",
    hostile.elsewhere: "redirects to http://169.254.169.254",
    hostile.nested: "not JSON",
}


def add(bench: Bench, url: str) -> str:
    source = Source(f"discourse:{url.partition('://')[2]}", "discourse", url, url, allow_private=True)
    tables.add_source(bench.store, source)
    return source.id


@contextmanager
def watched() -> Iterator[list[int]]:
    """The largest memory of the processes that this one starts, in kilobytes, looked at ten times a second (Linux)."""
    peak, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            for child in children():
                with suppress(OSError):
                    found = re.search(r"VmHWM:\s+(\d+)", (child / "status").read_text())
                    peak.append(int(found.group(1)) if found else 0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def test_each_ends_by_itself_and_the_others_go_on(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 30)
    good = bench.add(forum.url).id
    with ExitStack() as stack:
        servers = {behave: stack.enter_context(hostile.serve(behave)) for behave in MESSAGES}
        expected = {add(bench, url): MESSAGES[behave] for behave, (url, _) in servers.items()}
        expected[add(bench, stack.enter_context(hostile.serve(hostile.nested, tls=True))[0])] = "cannot be read"
        forum.log.clear()
        started = time.time()
        with watched() as peak:
            report = bench.crawl(max_requests=60, max_response_bytes=2_000_000, timeout_seconds=2)
        sent = {behave.__name__: server.sent for behave, (_, server) in servers.items()}
    errors = {source.source: source.error for source in report.sources}
    assert errors.pop(good) is None and len(bench.states()) == 60
    assert {source: message for source, message in expected.items() if message not in (errors[source] or "")} == {}, errors
    assert [source for source in report.sources if source.error and not source.way_out] == []
    assert max(sent.values()) < 40_000_000, sent  # nobody takes the gigabyte, in however many attempts
    assert forum.log[-1].at - started < 15.0 and max(hit.at_once for hit in forum.log) == 1  # no one waited for the drip
    assert 10_000 < max(peak) < 600_000, "kilobytes: the process that asked has not grown by what was sent to it, packed or not"


def test_clocks_of_1970_and_2099(bench: Bench) -> None:
    with hostile.serve(hostile.odd_clock) as (url, _):
        add(bench, url)
        report = bench.crawl()
    assert list(bench.states()) == ["103"] and not report.sources[0].waiting
    assert {"post with an impossible date", "thread without date"} <= set(bench.rejects())
    assert bench.store.execute("SELECT created FROM threads") == [("2024-01-01T00:00:00Z",)]


def test_a_name_is_asked_for_once_whatever_it_says_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS that first gives a public address, for the check, and then one of this machine, for the connection."""
    monkeypatch.setattr(hosting, "CHECKED", CHECKED)
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (next(answers), 443))]

    async def twice() -> None:
        known = Hosts(1.0, asyncio.Event())
        for path in ("/a", "/b"):
            await known.host(f"https://rebind.example{path}", False, "one", "", lambda _: None)
        assert CHECKED["rebind.example"] == ["93.184.216.34"]
        # Another source that may ask private hosts checks again, and the connection still goes where the first check said.
        await known.host("https://rebind.example/c", True, "two", "", lambda _: None)
        assert CHECKED.pop("rebind.example") == ["93.184.216.34"]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    asyncio.run(twice())


def test_a_source_that_may_not_ask_private_hosts_is_refused_where_another_may() -> None:
    async def both() -> None:
        known = Hosts(1.0, asyncio.Event())
        await known.host("https://127.0.0.1:1", True, "one", "", lambda _: None)
        with pytest.raises(SourceError, match="loopback or private"):
            await known.host("https://127.0.0.1:1", False, "two", "", lambda _: None)

    asyncio.run(both())
    CHECKED.pop("127.0.0.1")


def test_many_sources_on_one_host_share_its_pace(bench: Bench, forum: DiscourseEmulator) -> None:
    """Two sources that live on the same host and port: one request at a time, and the pause between all of them."""
    fill(forum, 5)
    bench.add(forum.url)
    second = Source("discourse:second", "discourse", forum.url, forum.url, allow_private=True)
    tables.add_source(bench.store, second)
    forum.log.clear()
    forum.slow = 0.01
    assert not bench.crawl(delay_seconds=0.05).partial
    assert max(hit.at_once for hit in forum.log) == 1 and len(forum.asked("/t/")) == 10
    gaps = [later.at - earlier.at for earlier, later in zip(forum.log, forum.log[1:], strict=False)]
    assert min(gaps) >= 0.05


def test_a_slow_forum_holds_up_no_other(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 20)
    with DiscourseEmulator() as slow:
        fill(slow, 6)
        slow.slow = 0.4
        bench.add(slow.url)
        bench.add(forum.url)
        forum.log.clear(), slow.log.clear()
        assert not bench.crawl().partial
        assert forum.log[-1].at < slow.log[len(slow.log) // 2].at and len(slow.log) == 9


def test_a_bug_in_one_network_does_not_take_the_others_with_it(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 3)
    bench.add(forum.url)
    tables.set_cursor(bench.store, add(bench, "http://127.0.0.1:9"), {"page": "not a number"})
    report = bench.crawl()
    assert "this is a bug" in next(source.way_out for source in report.sources if source.error) and len(bench.states()) == 6
