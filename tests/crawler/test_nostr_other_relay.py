"""Nostr from another relay that none of us wrote, in Python, which takes `until` as exclusive and knows no negentropy."""

from __future__ import annotations

import asyncio

import pytest

from index.store import Store
from tests.crawler.test_nostr_relay import ANN, check, conversation, visits
from tests.emulators.nostr import EPOCH, Person, publish
from tests.servers import running

pytestmark = pytest.mark.system


def test_all_that_is_pushed_is_found() -> None:
    crowd = [Person(f"p{number}").event(1111, f"words {number}", ["I", "https://example.org"], at=EPOCH - 9) for number in range(70)]
    with running("relay.py") as url, Store(":memory:") as store:
        assert (
            asyncio.run(
                publish(url, [*conversation(), *crowd, ANN.event(1111, "first of all", ["I", "https://example.org"], at=EPOCH - 99)])
            )
            == []
        )
        reading = visits(store, url)
        assert reading.visit() is None
        assert store.execute("SELECT count(*) FROM posts WHERE thread = 'https://example.org'") == [(71,)]  # a second, over page ends
        store.execute("DELETE FROM posts WHERE thread = 'https://example.org'")
        check(reading)
        late = ANN.note("late, and dated back", at=EPOCH + 7)
        asyncio.run(publish(url, [late]))
        asked = reading.requests
        assert reading.visit() is None and reading.requests - asked <= 8
