"""Archives: the demo forum, every kind of bad input, resuming, and edits and deletions between two readings."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crawler import archive as archiving
from crawler.address import find_source
from crawler.archive import read_archive
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.spool import write_batch
from index.store import now
from tests.crawler.conftest import Bench
from tests.crawler.test_discourse import post, thread

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "docs" / "demo" / "forum"
D = "discourse:f.example.org"


def write_archive(folder: Path, *lines: Any, **site: Any) -> Path:
    """An archive of these lines: bytes as they are, everything else as JSON."""
    folder.mkdir(exist_ok=True)
    (folder / "site.json").write_text(json.dumps({"base_url": "https://f.example.org"} | site))
    (folder / "topics.jsonl").write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return folder


def many(count: int, posts: int = 3) -> list[Any]:
    """Threads 1, 2, 3… of some posts each."""
    return [
        thread(*(post(id=100 * number + n, post_number=n, cooked=f"<p>{number} {n}</p>") for n in range(1, posts + 1)), id=number)
        for number in range(1, count + 1)
    ]


def test_the_demo_forum(bench: Bench) -> None:
    source = bench.add(DEMO)
    assert (source.id, source.kind, source.licence) == ("discourse:forum.harbourside.example", "archive", "CC0-1.0")
    report = bench.crawl()
    assert not report.partial and (report.sources[0].threads, report.sources[0].posts) == (18, 140)
    assert bench.rejects() == {"moderator's action without text": ["topics.jsonl:5 post 4"]}
    assert bench.states()["191"] == "author_deleted" and bench.states()["168"] == "edited"
    assert bench.store.execute("SELECT body, plain FROM posts WHERE id LIKE '%/p/191'") == [("", "")]
    before = bench.content()
    again = bench.crawl()
    assert (again.sources[0].threads, again.sources[0].posts) == (0, 0) and bench.content() == before


def test_bad_lines_become_rejects_and_the_rest_goes_on(bench: Bench, tmp_path: Path) -> None:
    good = thread(post(id=1, post_number=1), id=1)
    lines: list[Any] = [
        good,
        b'{"id": 2, "post_stream": {"posts": [',
        b'{"id": 3, "title": "\xff\xfe"}',
        thread(id=4),
        b"[" * 100_000 + b"]" * 100_000,
        b'{"id": 6, "post_stream": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"",
        b"null",
        b'{"id": ' + b"9" * 5000 + b"}",
        b"NaN",
        thread(post(id=91, post_number=1, cooked="x" * 5_000_000), post(id=92, post_number=2), id=9),
        thread(
            post(id=101, post_number=1, username=None), post(id=102, post_number=2, created_at=None), post(id=103, post_number=3), id=10
        ),
    ]
    bench.add(write_archive(tmp_path / "a", *lines))
    report = bench.crawl()
    assert not report.partial
    assert bench.rejects() == {
        "line is not JSON": ["topics.jsonl:2", "topics.jsonl:9"],
        "line is not UTF-8": ["topics.jsonl:3"],
        "thread without posts": ["topics.jsonl:4"],
        "line is nested too deeply": ["topics.jsonl:5", "topics.jsonl:6"],
        "not a thread": ["topics.jsonl:10", "topics.jsonl:8"],
        "post too large": ["topics.jsonl:11 post 1"],
        "post without author": ["topics.jsonl:12 post 1"],
        "post without date": ["topics.jsonl:12 post 2"],
    }
    assert sorted(bench.states()) == ["1", "103", "92"]


def test_a_byte_order_mark_and_a_last_line_without_end(bench: Bench, tmp_path: Path) -> None:
    folder = write_archive(tmp_path / "a", *many(2))
    text = (folder / "topics.jsonl").read_bytes()
    (folder / "topics.jsonl").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n").rstrip())
    bench.add(folder)
    assert bench.crawl().sources[0].threads == 2 and not bench.rejects()


def test_a_line_too_long_is_never_held_whole(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "MAX_LINE", 3000)
    bench.add(write_archive(tmp_path / "a", b"x" * 10_000, *many(1), b"y" * 3001, b"z" * 3000))
    assert bench.crawl().sources[0].threads == 1
    assert bench.rejects() == {"line too long": ["topics.jsonl:1", "topics.jsonl:3"], "line is not JSON": ["topics.jsonl:4"]}


def test_a_duplicate_id_with_other_content_is_an_edit(bench: Bench, tmp_path: Path) -> None:
    bench.add(write_archive(tmp_path / "a", thread(post(cooked="<p>first</p>")), thread(post(cooked="<p>second</p>"))))
    bench.crawl()
    assert bench.store.execute("SELECT body, state FROM posts") == [("<p>second</p>", "edited")]
    assert bench.store.execute("SELECT body FROM post_versions") == [("<p>first</p>",)]


def test_a_changed_archive_is_read_again(bench: Bench, tmp_path: Path) -> None:
    def stream(*posts: Any) -> dict[str, Any]:
        return thread(post_stream={"posts": list(posts), "stream": [one["id"] for one in posts]})

    one, two, three = (post(id=n, post_number=n, cooked=f"<p>{n}</p>") for n in (1, 2, 3))
    folder = write_archive(tmp_path / "a", stream(one, two, three), b"broken")
    bench.add(folder)
    bench.crawl()
    assert bench.rejects() == {"line is not JSON": ["topics.jsonl:2"]}
    write_archive(folder, stream(one | {"version": 2, "cooked": "<p>new</p>"}, three | {"user_deleted": True}))
    bench.crawl()
    assert bench.states() == {"1": "edited", "2": "missing_unconfirmed", "3": "author_deleted"}
    assert bench.store.execute("SELECT body FROM post_versions") == [("<p>1</p>",)]
    assert not bench.rejects()  # that line is gone
    write_archive(folder, stream(one | {"version": 2, "cooked": "<p>new</p>"}), thread(post(id=9), id=9))
    bench.crawl()
    assert bench.states() == {"1": "edited", "2": "pruned", "3": "author_deleted", "9": "live"}


def test_reading_resumes_after_the_last_batch(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "BATCH_POSTS", 10)
    source = bench.add(write_archive(tmp_path / "a", *many(20)))
    parts = list(read_archive(source, {}, now()))
    assert [part.line for part in parts] == [4, 8, 12, 16, 20, 20] and [part.fresh for part in parts] == [True] + [False] * 5
    rest = list(read_archive(source, parts[1].cursor, now()))
    assert [part.records for part in rest] == [part.records for part in parts[2:]]
    assert not list(read_archive(source, parts[-1].cursor, now()))
    write_archive(tmp_path / "a", *many(21))
    assert len(list(read_archive(source, parts[1].cursor, now()))) == len(parts)  # it changed: from the start


def test_an_archive_that_changes_while_it_is_read(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "BATCH_POSTS", 10)
    source = bench.add(write_archive(tmp_path / "a", *many(20)))
    parts = read_archive(source, {}, now())
    next(parts)
    with open(tmp_path / "a" / "topics.jsonl", "ab") as file:
        file.write(b"{}\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        list(parts)


def test_what_waits_in_the_spool_is_loaded_first(bench: Bench, tmp_path: Path) -> None:
    source = bench.add(write_archive(tmp_path / "a", *many(3)))
    (part,) = read_archive(source, {}, now())
    write_batch(bench.workspace.spool, source.id, part.records, part.cursor)
    assert bench.crawl().sources[0].posts == 0 and len(bench.states()) == 9


def test_a_source_that_fails_does_not_stop_the_others(bench: Bench, tmp_path: Path) -> None:
    bad = bench.add(write_archive(tmp_path / "a", *many(1)))
    good = bench.add(write_archive(tmp_path / "b", *many(1), base_url="https://g.example.org"))
    (tmp_path / "a" / "topics.jsonl").unlink()
    report = bench.crawl()
    assert report.partial and list(report.errors) == [bad.id]
    assert dict(bench.store.execute("SELECT id, last_error IS NULL FROM sources")) == {bad.id: False, good.id: True}
    write_archive(tmp_path / "a", *many(1), base_url="https://other.example.org")
    assert "now says https://other.example.org" in bench.crawl().errors[bad.id]
    write_archive(tmp_path / "a", *many(1))
    assert not bench.crawl().partial and bench.store.execute("SELECT count(*) FROM sources WHERE last_error IS NULL") == [(2,)]


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (None, "holds no site.json"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b"{}", "base_url is None"),
        (b'{"base_url": "forum"}', "base_url is 'forum'"),
        (b'{"base_url": "https://"}', "base_url"),
        (b'{"base_url": "https://a:b@c"}', "base_url"),
        (b'{"base_url": "https://x:99999"}', "base_url"),
        (b'{"base_url": "https://[::1"}', "base_url"),
    ],
)
def test_bad_site_files(tmp_path: Path, site: bytes | None, message: str) -> None:
    (tmp_path / "topics.jsonl").write_bytes(b"")
    if site is not None:
        (tmp_path / "site.json").write_bytes(site)
    with pytest.raises(SourceError, match=message) as caught:
        find_source(str(tmp_path), False, CrawlConfig())
    assert caught.value.way_out


def test_an_archive_is_found_by_folder_or_file_and_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "a", *many(1), base_url="https://F.example.org/", title="F", licence="CC0")
    monkeypatch.chdir(tmp_path)
    source = find_source("a", False, CrawlConfig())
    assert source == find_source("a/topics.jsonl", False, CrawlConfig())
    assert (source.id, source.address, source.base_url) == (D, str(tmp_path / "a"), "https://f.example.org")
    assert (source.title, source.licence) == ("F", "CC0")


CRAWL = """
import sys
from pathlib import Path
from crawler import archive
from crawler.pipeline import crawl
from index import plain_apart
from index.config import Config, CrawlConfig
from index.store import Store
from index.workspace import Workspace
archive.BATCH_POSTS, plain_apart.FEW, plain_apart._processors = 30, 1, lambda: 2
workspace = Workspace(Path(sys.argv[1]))
with workspace.lock("test"), Store(workspace.database) as store:
    report = crawl(workspace, store, Config(crawl=CrawlConfig(delay_seconds=0.002)), lambda *_: None)
    sys.exit(3 if report.partial else 0)
"""


def crawl_and_kill(workspace: Path, after: float | None) -> int:
    """A crawl in a process of its own, killed after so many seconds; its exit status."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", CRAWL, str(workspace)], env=environment) as process:
        if after is not None:
            time.sleep(after)
            process.send_signal(signal.SIGKILL)
        return process.wait(240)


def test_kill_9_at_any_moment_loses_nothing_and_repeats_nothing(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.plain_apart._processors", lambda: 1)  # what the others have to equal is read by one process
    folder = write_archive(tmp_path / "a", *many(400, posts=5), b"broken")
    bench.add(folder)
    bench.crawl()
    from index.workspace import init_workspace

    other = init_workspace(tmp_path / "other")
    from index.store import Store

    with Store(other.database) as store:
        tables.add_source(store, find_source(str(folder), False, CrawlConfig()))
    chance = random.Random(7)
    for _ in range(5):
        crawl_and_kill(other.root, chance.uniform(0.3, 1.6))
    assert crawl_and_kill(other.root, None) == 0
    with Store(other.database) as store:
        again = Bench(other, store)
        assert again.content() == bench.content()
        assert again.store.execute("SELECT count(*) FROM post_versions") == [(0,)]
    assert not list(other.spool.iterdir())


@pytest.mark.parametrize("readers", [1, 2])
def test_the_store_holds_the_same_with_and_without_processes_for_plain_text(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    monkeypatch.setattr(archiving, "BATCH_POSTS", 40)
    monkeypatch.setattr("index.plain_apart.FEW", 1)
    monkeypatch.setattr("index.plain_apart.READERS", readers)
    bench.add(DEMO)
    assert bench.crawl().sources[0].posts == 140
    from index.store import Store
    from index.workspace import init_workspace

    alone = init_workspace(tmp_path / "alone")
    monkeypatch.setattr("index.plain_apart._processors", lambda: 1)
    with Store(alone.database) as store:
        other = Bench(alone, store)
        other.add(DEMO)
        other.crawl()
        text = "SELECT id, plain, blocks, offsets, plain_version FROM posts ORDER BY id"
        assert other.content() == bench.content() and store.execute(text) == bench.store.execute(text)


def test_a_store_that_has_too_little_memory_takes_more(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.store.LOAD_MEMORY", "6MB")
    long = [
        thread(*(post(id=100 * n + m, post_number=m, cooked=f"<p>{n} {m} {'word ' * 4_000}</p>") for m in range(1, 41)), id=n)
        for n in range(1, 60)
    ]
    bench.add(write_archive(tmp_path / "a", *long))
    assert not bench.crawl().partial
    assert bench.store.execute("SELECT count(*), count(DISTINCT body_hash) FROM posts") == [(2_360, 2_360)]
    assert bench.store.execute("SELECT current_setting('memory_limit')") == [("953.6 MiB",)]
