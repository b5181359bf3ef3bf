"""Archives on disk: mbox, Stack Exchange's data dump, and posts as JSON lines or Parquet. Bad input, growth, interruption."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.mail import Conversations, MailList, message_records
from crawler.mbox import read_mbox
from crawler.reading import thread_meant
from crawler.stackexchange_dump import read_dump
from crawler.table import read_table, row_records
from index.errors import SourceError
from index.records import Author, Post, Reject, Source, Thread
from tests.crawler.conftest import Bench
from tests.emulators.conversations import mbox, message_id
from tests.emulators.world import World, iso

NOW = "2026-01-01T00:00:00Z"
LIST = MailList("list:dev", NOW)


@pytest.fixture
def world() -> World:
    return World.filled(threads=6, replies=5)


# --- mail -----------------------------------------------------------------------------------------------------------


def test_a_list_is_read_whole(bench: Bench, tmp_path: Path, world: World) -> None:
    path = tmp_path / "dev.mbox"
    path.write_bytes(mbox(world, list(world.posts.values())))
    source = bench.add(path)
    assert (source.id, source.kind, source.title) == ("list:dev.lists.example.org", "mbox", "Developers")
    assert bench.crawl().errors == {}
    rows = bench.store.rows(
        "SELECT p.id, p.plain, p.thread, p.reply_to, p.permalink, t.title FROM posts p JOIN threads t ON t.id = p.thread"
    )
    found = {row["id"]: row for row in rows}
    assert set(found) == {f"msgid:{message_id(post)}" for post in world.posts.values()}
    for post in world.posts.values():
        row = found[f"msgid:{message_id(post)}"]
        assert row["plain"].strip() == post.text and row["title"] == world.posts[post.root].title
        assert row["thread"] == f"{source.id}/t/{message_id(world.posts[post.root])}"
        assert row["reply_to"] == (f"msgid:{message_id(world.posts[post.parent])}" if post.parent else None)
        assert row["permalink"] == f"mid:{message_id(post)}"
    assert b"example.org" not in json.dumps(bench.store.rows("SELECT id FROM authors")).encode()


def test_a_list_that_grows_is_read_on_and_a_changed_one_anew(tmp_path: Path, world: World) -> None:
    path, posts = tmp_path / "dev.mbox.gz", list(world.posts.values())
    source = Source("list:dev", "mbox", str(path), "mid:")
    path.write_bytes(gzip.compress(mbox(world, posts[:-3])))
    parts = list(read_mbox(source, {}, NOW))
    cursor = parts[-1].cursor
    assert sum(isinstance(record, Post) for part in parts for record in part.records) == len(posts) - 3 and parts[0].fresh
    assert list(read_mbox(source, cursor, NOW)) == []
    path.write_bytes(gzip.compress(mbox(world, posts)))
    more = [record for part in read_mbox(source, cursor, NOW) for record in part.records if isinstance(record, Post)]
    assert [record.id for record in more] == [f"msgid:{message_id(post)}" for post in posts[-3:]]
    roots = {post.id: world.posts[post.root] for post in posts}
    assert [record.thread.rpartition("/t/")[2] for record in more] == [message_id(roots[post.id]) for post in posts[-3:]]
    path.write_bytes(gzip.compress(mbox(world, posts[1:])))
    assert sum(isinstance(record, Post) for part in read_mbox(source, cursor, NOW) for record in part.records) == len(posts) - 1


def records(raw: bytes, received: str = "") -> list[Any]:
    return message_records(LIST, Conversations(), raw, "here", received)


def test_mail_that_hides_its_sender_or_is_sent_by_the_list() -> None:
    body = b"Date: Mon, 3 May 2021 10:00:00 +0200\nSubject: x\n\nDo it.\n"
    plain = records(b"From: Ann <ann@example.org>\nMessage-ID: <1@x>\n" + body)
    for sender in (
        b"ann at example.org (Ann)",
        b"ann (a) example.org",
        b'"Ann via dev" <dev@lists.example.org>\nReply-To: Ann <ANN@example.org>',
    ):
        told = records(b"From: " + sender + b"\nMessage-ID: <1@x>\n" + body)
        assert told[0].id == plain[0].id, sender
    assert plain[0].handle == "Ann" and next(r for r in plain if isinstance(r, Post)).created == "2021-05-03T08:00:00Z"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"Date: Mon, 3 May 2021 10:00:00 +0200", "message without sender"),
        (b"From: a@b.c\nDate: Mon, 3 May 2199 10:00:00 +0200", "message without a possible date"),
        (b"From: a@b.c\nDate: Mon, 3 May 1970 10:00:00 +0200", "message without a possible date"),
        (b"From: a@b.c\nDate: 99999999999999999999", "message without a possible date"),
        (b"From: a@b.c\nDate: Mon, 3 May 2021 10:00:00 +0200\nContent-Type: application/pdf", "message without text"),
    ],
)
def test_mail_that_cannot_be_used(head: bytes, reason: str) -> None:
    found = records(head + b"\nMessage-ID: <1@x>\n\nDo it.\n")
    assert [(type(r), r.reason) for r in found] == [(Reject, reason)]


def test_an_impossible_date_gives_way_to_that_of_the_from_line(tmp_path: Path) -> None:
    path = tmp_path / "x.mbox"
    path.write_bytes(b"From a@b.c Mon May  3 10:00:00 2021\nFrom: a@b.c\nDate: tomorrow\nMessage-ID: <1@x>\n\n>From here on.\n")
    post = next(r for part in read_mbox(Source("list:x", "mbox", str(path), "mid:"), {}, NOW) for r in part.records if isinstance(r, Post))
    assert (post.created, post.body) == ("2021-05-03T10:00:00Z", "From here on.\n")


def test_an_id_that_is_used_again_with_other_words_is_refused() -> None:
    raw = b"From: a@b.c\nDate: Mon, 3 May 2021 10:00:00 +0200\nMessage-ID: <1@x>\n\n%s\n"
    conversations = Conversations()
    assert any(isinstance(r, Post) for r in message_records(LIST, conversations, raw % b"Do it.", "1"))
    assert message_records(LIST, conversations, raw % b"Do it.", "2") == []
    assert [r.reason for r in message_records(LIST, conversations, raw % b"Do that.", "3")] == ["message id used again with another text"]


def test_a_bomb_and_a_torn_file(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mbox.gz"
    path.write_bytes(gzip.compress(b"From a@b.c Mon May  3 10:00:00 2021\nFrom: a@b.c\n\n" + b"a" * 100_000_000))
    with pytest.raises(SourceError, match="200 times"):
        list(read_mbox(Source("list:x", "mbox", str(path), "mid:"), {}, NOW))
    path.write_bytes(gzip.compress(mbox(World.filled(), list(World.filled().posts.values())))[:-20])
    with pytest.raises(SourceError, match="unpacked"):
        list(read_mbox(Source("list:x", "mbox", str(path), "mid:"), {}, NOW))


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reading_of_mail_fail(junk: bytes) -> None:
    for raw in (junk, b"From: a@b.c\nDate: Mon, 3 May 2021 10:00:00 +0200\n" + junk, b"From: " + junk):
        for record in records(raw):
            assert isinstance(record, Post | Thread | Reject | Author) or record.kind == "reply"


# --- Stack Exchange's data dump ---------------------------------------------------------------------------------------


def dump(folder: Path, world: World) -> Path:
    """A folder as the dumps unpack; replies to questions are answers, those below are comments."""
    from xml.sax.saxutils import quoteattr

    folder.mkdir(exist_ok=True)
    people = {name: number for number, name in enumerate(sorted({post.author for post in world.posts.values()}), 1)}
    posts, comments = [], []
    for post in world.posts.values():
        times = f'CreationDate="{iso(post.created)[:-1]}.123" Score="{len(post.likes)}"'
        owner = people[post.author]
        if post.parent is None:
            title = quoteattr(post.title)
            posts.append(
                f'<row Id="{post.id}" PostTypeId="1" {times} OwnerUserId="{owner}" Title={title} Tags="|tide|" Body={quoteattr(post.text)} />'
            )
        elif world.posts[post.parent].parent is None:
            posts.append(
                f'<row Id="{post.id}" PostTypeId="2" ParentId="{post.parent}" {times} OwnerUserId="{owner}" Body={quoteattr(post.text)} />'
            )
        else:
            above = post
            while world.posts[above.parent or 0].parent is not None:
                above = world.posts[above.parent or 0]
            comments.append(f'<row Id="{post.id}" PostId="{above.id}" {times} UserId="{owner}" Text={quoteattr(post.text)} />')
    users = [f'<row Id="{number}" DisplayName={quoteattr(name)} />' for name, number in people.items()]
    for name, lines in (("Posts", posts), ("Comments", comments), ("Users", users)):
        text = f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<{name.lower()}>\n' + "\n".join(lines) + f"\n</{name.lower()}>\n"
        (folder / f"{name}.xml").write_text(text, encoding="utf-8")
    return folder


def test_a_dump_is_read_whole(bench: Bench, tmp_path: Path, world: World) -> None:
    source = bench.add(dump(tmp_path / "tide.stackexchange.com", world))
    assert (source.kind, source.licence) == ("stackexchange-dump", "CC-BY-SA-4.0")
    assert bench.crawl().errors == {}
    found = bench.store.rows(
        "SELECT p.plain, t.title, a.handle FROM posts p JOIN threads t ON t.id = p.thread JOIN authors a ON a.id = p.author"
    )
    assert sorted((row["plain"].strip(), row["title"], row["handle"]) for row in found) == sorted(
        (post.text, world.posts[post.root].title, post.author) for post in world.posts.values()
    )
    before = bench.content()
    assert bench.crawl().errors == {} and bench.content() == before


def test_a_dump_goes_on_where_it_was_interrupted(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.stackexchange_dump.BATCH_POSTS", 5)
    folder = dump(tmp_path / "tide.stackexchange.com", world)
    source = Source("stackexchange:tide.stackexchange.com", "stackexchange-dump", str(folder), "")
    first = list(islice(read_dump(source, {}, NOW), 2))
    rest = list(read_dump(source, first[-1].cursor, NOW))
    ids = [record.id for part in first + rest for record in part.records if isinstance(record, Post)]
    assert len(ids) == len(set(ids)) == len(world.posts)
    assert list(read_dump(source, rest[-1].cursor, NOW)) == []


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><posts><row Id="1" Body="&b;"/></posts>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "entities"),
        ("<posts><row Id='1'", "not well-formed"),
        ("no xml", "not well-formed"),
        ("<posts>" + "a" * 9_000_000, "more than"),
    ],
)
def test_a_dump_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    folder = tmp_path / "x.stackexchange.com"
    folder.mkdir()
    (folder / "Posts.xml").write_text(text)
    with pytest.raises(SourceError, match=said):
        list(read_dump(Source("stackexchange:x", "stackexchange-dump", str(folder), ""), {}, NOW))


# --- any network: JSON lines and Parquet ------------------------------------------------------------------------------


def rows_of(world: World) -> list[dict[str, Any]]:
    return [
        {
            "id": str(post.id),
            "thread": str(post.root),
            "title": post.title or None,
            "author": post.author,
            "created": iso(post.created),
            "text": post.text,
            "reply_to": str(post.parent) if post.parent else None,
            "likes": len(post.likes),
        }
        for post in world.posts.values()
    ]


def table(folder: Path, rows: list[dict[str, Any]], columns: bool) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "site.json").write_text(json.dumps({"base_url": "https://chat.example.org", "title": "Chat", "licence": "CC0-1.0"}))
    if columns:
        names = list(dict.fromkeys(name for row in rows for name in row))
        whole = [{name: row.get(name) for name in names} for row in rows]
        pq.write_table(pa.Table.from_pylist(whole), folder / "posts.parquet", row_group_size=7)
    else:
        (folder / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize("columns", [False, True])
def test_a_table_is_read_whole_and_its_changes(bench: Bench, tmp_path: Path, world: World, columns: bool) -> None:
    rows = rows_of(world)
    source = bench.add(table(tmp_path / "chat", rows, columns))
    assert (source.id, source.kind, source.licence) == ("archive:chat.example.org", "table", "CC0-1.0")
    assert bench.crawl().errors == {}
    assert bench.store.execute("SELECT count(*) FROM posts p JOIN threads t ON t.id = p.thread") == [(len(rows),)]
    rows += [rows[0] | {"text": "First, knock.", "edited": "2024-01-01T00:00:00Z"}, rows[1] | {"deleted": True}]
    table(tmp_path / "chat", rows, columns)
    assert bench.crawl().errors == {}
    states = bench.states()
    assert (states["1"], states["2"]) == ("edited", "author_deleted")
    assert bench.store.execute("SELECT count(*) FROM post_versions") == [(1,)]


def test_rows_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    good = {"id": 1, "thread": 1, "author": "ann", "created": "2024-01-01", "text": "Do it.", "title": "T"}
    bad = [good | {"id": None}, good | {"thread": "a b"}, good | {"format": "word"}, good | {"created": "1970-01-01"}, good | {"text": " "}]
    folder = table(tmp_path / "t", [good, *bad], False)
    with open(folder / "posts.jsonl", "ab") as file:
        file.write(b"{\n\xff\n" + b"[" * 100_000 + b"\n")
    source = Source("archive:t", "table", str(folder), "https://t.example")
    (part,) = read_table(source, {}, NOW)
    reasons = [record.reason for record in part.records if isinstance(record, Reject)]
    assert reasons == [
        "row without id",
        "row without thread",
        "format that is not known",
        "post with an impossible date",
        "post without text",
        "line is not JSON",
        "line is not UTF-8",
        "line is nested too deeply",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "links"]), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["id", "thread", "author", "created", "text", "format", "edited", "likes", "reply_to", "links", "permalink", "title"]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=12))
def test_no_row_makes_the_reading_fail(row: dict[str, Any]) -> None:
    source = Source("archive:t", "table", "/t", "https://t.example")
    good = {"id": "1", "thread": "1", "author": "ann", "created": "2024-01-01T00:00:00Z", "text": "Do it."}
    for value in (row, good | row, [row], None):
        row_records(source, value, "here", NOW)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://forum.example.org/t/some-words/123/4?u=ann", "discourse:forum.example.org/t/123"),
        ("https://Forum.example.org/t/123", "discourse:forum.example.org/t/123"),
        ("https://example.org/page", "https://example.org/page"),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_links_to_forums_point_at_their_threads(url: str | None, meant: str | None) -> None:
    assert thread_meant(url) == meant
