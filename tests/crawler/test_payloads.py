"""Files of payloads as the networks' APIs give them: known by their first payload, read whole, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler import payloads
from crawler.payloads import find, read_payloads
from index.errors import SourceError
from index.records import Post, Reject
from tests.crawler.conftest import Bench
from tests.crawler.samples import SAMPLES, needs_samples
from tests.emulators.nostr import EPOCH, Person

ANN = Person("ann")
NOW = "2026-12-01T00:00:00Z"


def write(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_file_of_events_is_read_once_and_on_after_a_crash(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "BATCH", 10)
    events = [{**ANN.note(f"words {number}", at=EPOCH + number), "user": {"extra": 1}} for number in range(25)]
    path = write(tmp_path / "events.jsonl", *events[:5], "broken", *events[5:])
    source = bench.add(path)
    assert (source.kind, source.title) == ("payloads", "events") and source.id.startswith("payloads:nostr-events-")
    report = bench.crawl()
    assert not report.partial and report.sources[0].posts == 25 and list(bench.rejects()) == ["line is not JSON, or too long"]
    assert bench.crawl().sources[0].posts == 0
    parts = list(read_payloads(source, {}, NOW))
    assert [part.line for part in parts] == [10, 20, 26, 26]
    assert [part.records for part in read_payloads(source, parts[0].cursor, NOW)] == [part.records for part in parts[1:]]


def test_what_is_no_file_of_payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(write(tmp_path / "a.json", {"a": 1}), False) is None and find(write(tmp_path / "a.txt", ANN.note("x")), False) is None
    assert find(tmp_path, False) is None and find(write(tmp_path / "b.json", "["), False) is None
    path = write(tmp_path / "c.jsonl", ANN.note("x"), ANN.note("y" * 3_000))
    source = find(path, False)
    monkeypatch.setattr(payloads, "MAX_LINE", 1_000)
    assert source is not None
    records = [record for part in read_payloads(source, {}, NOW) for record in part.records]
    assert sum(isinstance(record, Post) for record in records) == 1 and sum(isinstance(record, Reject) for record in records) == 1
    write(path, {"a": 1})
    with pytest.raises(SourceError, match="does not begin with a payload"):
        list(read_payloads(source, {}, NOW))
    path.unlink()
    with pytest.raises(SourceError, match=r"does not begin|cannot be read"):
        list(read_payloads(source, {}, NOW))


@needs_samples
def test_real_samples_are_read_whole(bench: Bench) -> None:
    names = (
        "nostr_ditto_hydrated.jsonl",
        "bluesky_jetstream_expected_v1.jsonl",
        "farcaster_neynar_casts.json",
        "mastodon_public_timeline.json",
    )
    sources = [bench.add(SAMPLES / name) for name in names]
    assert [source.id.partition("-")[0] for source in sources] == [
        f"payloads:{kind}" for kind in ("nostr", "jetstream", "farcaster", "mastodon")
    ]
    report = bench.crawl()
    assert not report.partial and [
        source.posts for source in sorted(report.sources, key=lambda s: [x.id for x in sources].index(s.source))
    ] == [21, 16, 10, 20]
    assert set(bench.rejects()) <= {"post without text"}
