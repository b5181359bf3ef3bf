"""A relay read by whole runs, in a process that is killed: what `kill -9` leaves, the next run completes."""

from __future__ import annotations

import random

import pytest

from crawler.address import find_source
from index import tables_discussion as tables
from index.store import Store
from index.workspace import init_workspace
from tests.crawler.conftest import FAST, Bench
from tests.crawler.test_archive import crawl_and_kill
from tests.crawler.test_nostr_relay import conversation
from tests.emulators.nostr import RelayThread


@pytest.mark.system
def test_kill_9_at_any_moment_loses_nothing(bench: Bench) -> None:
    with RelayThread(most=25) as relay:
        relay.publish(*conversation(60))
        bench.add(relay.url)
        report = bench.crawl()
        assert not report.partial and report.sources[0].posts >= 180 and report.sources[0].requests > 5
        other = init_workspace(bench.workspace.root.parent / "other")
        with Store(other.database) as store:
            tables.add_source(store, find_source(relay.url, True, FAST))
        chance = random.Random(11)
        for _ in range(3):
            crawl_and_kill(other.root, chance.uniform(0.8, 2.5))
        assert crawl_and_kill(other.root, None) == 0
        with Store(other.database) as store:
            again = Bench(other, store)
            assert again.content() == bench.content()
