"""The raw archive: answers as they came, where each post came from, reading again without asking, taking words back."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from crawler.answers import Answer
from crawler.pipeline import load_waiting
from crawler.rawfiles import redact, reparse
from crawler.warc import RawArchive, read_raw
from index import tables_discussion as tables
from index import tables_raw
from index.errors import SourceError
from index.records import Tombstone
from index.spool import write_batch
from tests.crawler.conftest import Bench
from tests.crawler.test_live import fill
from tests.emulators.discourse import DiscourseEmulator

SEEN = "2026-01-01T00:00:00Z"


def words(bench: Bench) -> str:
    """All that the raw archive holds, unpacked."""
    return "".join(gzip.decompress(path.read_bytes()).decode("utf-8", "replace") for path in sorted(bench.workspace.raw.iterdir()))


def test_answers_come_back_as_they_were_written(tmp_path: Path) -> None:
    archive = RawArchive(tmp_path, "discourse:x", "20260101T000000Z")
    answers = [
        Answer("https://x/t/1.json", 200, {"content-type": "application/json", "x-é": "é\x01"}, b'{"a":1}\r\n\r\nWARC/1.1\r\n', seen=SEEN),
        Answer("https://x/graphql", 200, {"content-encoding": "gzip"}, b"{}", seen=SEEN, sent=b'{"query": "x"}'),
        Answer("https://x/graphql", 404, {}, b"", seen=SEEN, sent=b'{"query": "y"}'),
        Answer("wss://x", 0, {}, b"\xff\x00", seen=SEEN),
    ]
    written = [archive.write(answer) for answer in answers]
    raws = archive.take()
    assert len({raw.id for raw in raws}) == 4 and [answer.raw for answer in written] == [raw.id for raw in raws]
    for raw, answer in zip(raws, answers, strict=True):
        found = read_raw(tmp_path, raw)
        assert (found.url, found.status, found.body, found.sent, found.seen) == (answer.url, answer.status, answer.body, answer.sent, SEEN)
    assert archive.write(answers[0]).raw == raws[0].id and archive.take() == []  # the same again is not kept twice
    archive.close()


def test_other_programs_read_the_archive(bench: Bench, forum: DiscourseEmulator) -> None:
    from warcio.archiveiterator import ArchiveIterator

    fill(forum, 3)
    bench.add(forum.url)
    bench.crawl()
    (path,) = bench.workspace.raw.iterdir()
    with open(path, "rb") as file:
        urls = [record.rec_headers.get_header("WARC-Target-URI") for record in ArchiveIterator(file, check_digests="raise")]
    assert urls == [f"{forum.url}{end}" for end in ("/site.json", "/t/3.json", "/t/2.json", "/t/1.json")]


def test_where_a_post_came_from(bench: Bench, forum: DiscourseEmulator) -> None:
    long = forum.thread("long", *(f"post {n}" for n in range(45)))
    source = bench.add(forum.url)
    bench.crawl()
    found = tables_raw.origins(bench.store, f"{source.id}/p/101")
    assert next(row["url"].rpartition("?")[0] or row["url"] for row in found) == f"{forum.url}/t/{long}.json"
    bodies = [read_raw(bench.workspace.raw, raw).body for raw in tables_raw.raw_answers(bench.store, source.id)]
    assert sum(b"<p>post 0</p>" in body for body in bodies) == 1


def test_reparse_gives_the_same_store_and_asks_nobody(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 12)
    forum.thread("long", *(f"post {n}" for n in range(50)))
    forum.like(101, 3)
    source = bench.add(forum.url)
    bench.crawl()
    forum.edit(101, "another text")
    forum.delete_by_author(104)
    forum.vanish(106)
    bench.crawl()
    forum.edit(103, "twice")
    bench.crawl()
    assert bench.states()["106"] == "pruned"
    before, asked = bench.content(), len(forum.log)
    bench.store.execute("UPDATE posts SET plain = 'x', author = 'nobody', thread = thread || '' WHERE id NOT LIKE '%/104'")
    assert sum(reparse(bench.workspace, bench.store, source)) > 60
    assert bench.content() == before and len(forum.log) == asked


def test_reparse_is_all_or_nothing(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 12)
    source = bench.add(forum.url)
    bench.crawl()
    before = bench.content()
    (path,) = bench.workspace.raw.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SourceError, match=path.name):
        list(reparse(bench.workspace, bench.store, source))
    assert bench.content() == before
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        list(reparse(bench.workspace, bench.store, source))
    assert bench.content() == before


def test_what_was_taken_back_leaves_the_archive_too(bench: Bench, forum: DiscourseEmulator) -> None:
    forum.thread("The secret plan", "first words here", "others stay")
    forum.thread("other", "innocent")
    source = bench.add(forum.url)
    bench.crawl()
    forum.edit(102, "others stay, edited")
    bench.crawl()
    assert words(bench).count("first words here") == 2  # one for each visit
    forum.delete_by_author(101)
    bench.crawl()
    assert "first words here" not in words(bench)
    assert "others stay" in words(bench) and "innocent" in words(bench)
    assert tables_raw.origins(bench.store, f"{source.id}/p/101") == []
    before = bench.content()
    list(reparse(bench.workspace, bench.store, source))
    assert bench.content() == before and bench.states()["101"] == "author_deleted"
    for raw in tables_raw.raw_answers(bench.store, source.id):
        read_raw(bench.workspace.raw, raw)  # each still where the store says, with its digest


def test_a_crash_while_words_are_taken_back(bench: Bench, forum: DiscourseEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the store is told, and after it but before the old file is gone: the next run sets it right."""
    fill(forum, 3)
    source = bench.add(forum.url)
    bench.crawl()
    forum.delete_by_author(101)
    write_batch(bench.workspace.spool, source.id, [Tombstone(f"{source.id}/p/101", "author_deleted", "asked")], {})

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("crawler.rawfiles.tables.replace_file", "pathlib.Path.unlink"):
        load_waiting(bench.workspace, bench.store)
        with monkeypatch.context() as patch:
            patch.setattr(place, crash)
            with pytest.raises(KeyboardInterrupt):
                redact(bench.workspace, bench.store, [source])
        assert len(list(bench.workspace.raw.iterdir())) == 2
    load_waiting(bench.workspace, bench.store)
    redact(bench.workspace, bench.store, [source])
    assert len(list(bench.workspace.raw.iterdir())) == 1
    assert [raw.id for raw in tables_raw.raw_answers(bench.store, source.id)] and "user1" in words(bench)
    assert '"id": 101, "topic_id": 1, "post_number": 1, "post_type": 1, "username"' not in words(bench)


def test_what_a_killed_run_left_behind_goes(bench: Bench, forum: DiscourseEmulator) -> None:
    fill(forum, 3)
    source = bench.add(forum.url)
    bench.crawl()
    (path,) = bench.workspace.raw.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + random.Random(1).randbytes(500))
    (bench.workspace.raw / "20260101T000000Z-x.warc.gz").write_bytes(b"half a record")
    load_waiting(bench.workspace, bench.store)
    assert [found.read_bytes() for found in bench.workspace.raw.iterdir()] == [whole]
    assert tables.sources(bench.store) == [source]
