"""What a server asks for, and the pace that follows from it."""

from __future__ import annotations

import pytest

from crawler.politeness import BREAKER, MAX_WAIT, Pace, asked_wait

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (200, {}, b"", 0),
        (429, {"retry-after": "7"}, b"Slow down", 7),
        (429, {"retry-after": "0.5"}, b"", 0.5),
        (503, {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, b"", 30),
        (503, {"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, b"", 0),
        (429, {"retry-after": "soon"}, b"", 0),
        (429, {"retry-after": "-5"}, b"", 0),
        (429, {"retry-after": "nan"}, b"", 0),
        (429, {"retry-after": "inf"}, b"", 0),
        (429, {}, b'{"errors": ["x"], "extras": {"wait_seconds": 12, "time_left": "12 seconds"}}', 12),
        (429, {"retry-after": "3"}, b'{"extras": {"wait_seconds": 12}}', 12),
        (429, {}, b'{"extras": {"wait_seconds": "x"}}', 0),
        (429, {}, b'{"extras": [1]}', 0),
        (429, {}, b"[" * 5000, 0),
        (200, {}, b'{"extras": {"wait_seconds": 12}}', 0),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"}, b"", 20),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000040"}, b"", 40),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2023-11-14T22:14:20Z"}, b"", 60),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "?"}, b"", 0),
        (200, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "20"}, b"", 0),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "9"}, b"", 9),
    ],
)
def test_what_an_answer_asks_for(status: int, headers: dict[str, str], body: bytes, seconds: float) -> None:
    assert asked_wait(status, headers, body, NOW) == pytest.approx(seconds)


def test_the_pause_counts_from_the_end_of_an_answer() -> None:
    pace = Pace(delay=2.0)
    assert pace.may_send(NOW) == 0
    pace.ended(NOW + 5)
    assert pace.may_send(NOW + 5) == 2.0
    assert pace.may_send(NOW + 7) == 0


def test_holds_and_crawl_delay_only_lengthen() -> None:
    pace = Pace(delay=2.0)
    pace.hold(NOW, 30)
    pace.hold(NOW, 1)
    assert pace.may_send(NOW) == 30
    pace.slow_down(1.0)
    assert pace.delay == 2.0
    pace.slow_down(9.0)
    assert pace.delay == 9.0


def test_too_long_a_wait_is_left_for_the_next_run_and_kept() -> None:
    kept: list[float] = []
    pace = Pace(delay=1.0, keep=[kept.append])
    pace.hold_as_asked(NOW, MAX_WAIT + 1)
    assert pace.may_send(NOW) < 0 and "left alone" in pace.stopped
    assert kept == [NOW + MAX_WAIT + 1]
    slow = Pace(delay=1.0)
    slow.slow_down(MAX_WAIT + 1)
    assert slow.may_send(NOW) < 0


def test_failures_in_a_row_end_it() -> None:
    breaker = Pace(delay=0.0)
    for _ in range(BREAKER - 1):
        breaker.failed("x")
    breaker.worked()
    breaker.failed("x")
    assert not breaker.stopped
    for _ in range(BREAKER - 1):
        breaker.failed("the last")
    assert "the last" in breaker.stopped


def test_backoff_doubles_and_is_bounded() -> None:
    pace = Pace(delay=1.0)
    assert [pace.backoff(attempt) for attempt in (1, 2, 3, 10)] == [2, 4, 8, 60]
