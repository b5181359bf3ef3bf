"""Whoever opts out or deletes is gone from the next release in every form, and personal data is in none."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from index.config import Config, PublishConfig
from index.errors import UnknownName, UsageError
from index.pack import pack_rows
from index.private import HIDDEN
from index.records import Edge, Identity, Post
from index.search import search
from index.snapshot import open_current
from index.store import Store
from index.tables_discussion import load_records
from index.tables_private import optouts, refresh_masks
from index.tables_rewards import authors, put_identities
from index.workspace import Workspace
from publish.bodies import chosen_sources
from publish.log import read_log
from publish.optout import import_optouts, list_optouts, opt_out, optout_text
from publish.release import release
from publish.verify import Means, verify
from rewards.identities import find_author
from rewards.recompute import recompute
from rewards.signatures import personal_sign, recover_text
from tests.publish.conftest import refresh
from tests.publish.test_verify import SOURCE, findings

MAIL, PHONE = "rosa.lind@harbourside.example", "+44 20 7946 0958"


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything that a release publishes, as text: JSON lines, CAR, Parquet, body pack."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "local" not in path.relative_to(folder).parts:
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            yield path.name, data.decode(errors="replace")
            if path.suffix == ".parquet":
                yield path.name, json.dumps(parquet.read_table(path).to_pylist(), ensure_ascii=False)


def first_author(workspace: Workspace) -> str:
    record = json.loads((workspace.current / "procedures.jsonl").read_text().splitlines()[0])
    return str(record["steps"][0]["first_said_by"])


def test_a_person_who_opts_out_is_gone_everywhere_and_the_log_holds(workspace: Workspace, store: Store) -> None:
    old = release(workspace, store, Config(), "0.1.0", bodies=[SOURCE]).path
    head = read_log(old / "log.jsonl").head
    person = next(author for author in authors(store) if author.id == first_author(workspace))
    words = [row[0] for row in store.execute("SELECT plain FROM posts WHERE author = ? AND length(plain) > 40", [person.id])]
    assert words and any(words[0][:40] in text for _, text in texts(old))
    report = opt_out(store, person, "asked by mail", "", recover_text)
    assert report.posts >= len(words)
    refresh(store)
    new = release(workspace, store, Config(), "0.1.0", bodies=[SOURCE]).path
    assert new != old
    for name, text in texts(new):
        for said in words:
            assert said[:40] not in text, name
        assert f'"{person.id}"' not in text, name
        assert f"@{person.handle}" not in text, name
    with open_current(workspace) as opened:
        shown = json.dumps(
            [opened.store.rows(f"SELECT * FROM {table}") for table in ("authors", "posts", "procedures", "history", "citations")],
            ensure_ascii=False,
        )
    assert not any(json.dumps(said[:40], ensure_ascii=False)[1:-1] in shown for said in words) and f"@{person.handle}" not in shown
    for said in words:
        hits = search(new / "local", said[:60], 20, Config(), words_only=True)
        assert not any(said[:40] in hit.quote or person.handle == hit.handle for hit in hits)
    told = verify(new, Means(recompute, head=head))
    assert told.sound, findings(told)


def test_praise_of_theirs_names_them_no_more(workspace: Workspace, store: Store) -> None:
    """Others thanked them: by an answer to a post that is gone now, and by name."""
    person, other = authors(store)[:2]
    post, thread = store.execute("SELECT id, thread FROM posts WHERE author = ? ORDER BY id LIMIT 1", [person.id])[0]
    told = ("Thanks, great post! That is what I was looking for.", "2026-01-01T00:00:00Z")
    answer = Post("discourse:x/p/2", SOURCE, thread, 98, other.id, told[1], "markdown", told[0], "https://x.example/p/2", reply_to=post)
    by_name = Post("discourse:x/p/3", SOURCE, thread, 99, other.id, told[1], "markdown", told[0], "https://x.example/p/3")
    mention = Edge("mention", by_name.id, person.id)
    with store.transaction():
        load_records(store, SOURCE, "2026-01-02T00:00:00Z", {Post: [answer, by_name], Edge: [mention]})
    refresh(store)
    before = release(workspace, store, Config(), "0.1.0").path
    assert f'"taker":"{person.id}"' in (before / "evidence.jsonl").read_text()
    opt_out(store, person, "asked by mail", "", recover_text)
    refresh(store)
    after = release(workspace, store, Config(), "0.1.0").path
    assert [name for name, text in texts(after) if f'"{person.id}"' in text] == []
    assert verify(after, Means(recompute)).sound


def test_their_later_posts_do_not_come_in(workspace: Workspace, store: Store) -> None:
    person = authors(store)[0]
    opt_out(store, person, "asked", "", recover_text)
    thread = store.execute("SELECT id FROM threads LIMIT 1")[0][0]
    post = Post(
        "discourse:x/p/1", SOURCE, thread, 99, person.id, "2026-01-01T00:00:00Z", "markdown", "A later secret word", "https://x.example/p/1"
    )
    with store.transaction():
        load_records(store, SOURCE, "2026-01-02T00:00:00Z", {Post: [post]})
    assert store.execute("SELECT state, body, plain FROM posts WHERE id = ?", [post.id]) == [("author_deleted", "", "")]


def test_what_it_takes_to_be_believed(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    ann, bob = authors(store)[:2]
    with pytest.raises(UsageError, match="nothing shows"):
        opt_out(store, ann, "", "", recover_text)
    address, signature = personal_sign(bytes(range(1, 33)), optout_text(ann))
    with pytest.raises(UsageError, match="no wallet"):
        opt_out(store, ann, "", signature, recover_text)
    put_identities(store, [Identity(ann.id, address, "test")])
    stranger = personal_sign(bytes(range(2, 34)), optout_text(ann))[1]
    with pytest.raises(UsageError, match="is paid at"):
        opt_out(store, ann, "", stranger, recover_text)
    assert opt_out(store, ann, "", signature, recover_text).added[0].proof == f"signed by {address}"
    store.execute(
        "UPDATE posts SET plain = 'precipitate opt-out' WHERE id = (SELECT min(id) FROM posts WHERE author = ? AND kind = 'post')", [bob.id]
    )
    assert opt_out(store, bob, "", "", recover_text).added[0].proof.startswith("said in ")
    (tmp_path / "list.csv").write_text(f"account,reason\n{authors(store)[2].id},by mail\nnobody at all,\n")
    report = import_optouts(store, tmp_path / "list.csv", lambda text: find_author(store, text))
    assert (len(report.added), [where for where, _ in report.left_out]) == (1, ["list.csv:3"])
    assert [entry["author"] for entry in list_optouts(store)] == sorted(entry.author for entry in optouts(store))
    (tmp_path / "bad.csv").write_text("who\nann\n")
    with pytest.raises(UsageError, match="column account"):
        import_optouts(store, tmp_path / "bad.csv", lambda text: find_author(store, text))


# --- personal data ---------------------------------------------------------------------------------------------------


@pytest.fixture
def personal(workspace: Workspace, store: Store) -> Workspace:
    """A quoted list item that holds a mail address and a phone number, in body and text."""
    post, item = store.execute("SELECT post, text FROM kept_passages ORDER BY post, start LIMIT 1")[0]
    said = f"Write to {MAIL} or call {PHONE}, pay 0x52908400098527886E0F7030069857D2E4169EE7"
    (body,) = store.execute("SELECT body FROM posts WHERE id = ?", [post])[0]
    assert item in body or item[:20] in body
    row = store.rows("SELECT id, source, thread, number, author, created, format, permalink, version FROM posts WHERE id = ?", [post])[0]
    edited = f"1. {said}\n2. {said} twice\n3. {said} thrice\n"
    changed = Post(**{**row, "format": "markdown", "body": edited, "version": row["version"] + 1, "edited": "2026-01-01T00:00:00Z"})
    with store.transaction():
        load_records(store, row["source"], "2026-01-01T00:00:00Z", {Post: [changed]})
    refresh(store)
    return workspace


def test_personal_data_is_hidden_in_everything_and_quotes_still_stand(personal: Workspace, store: Store) -> None:
    path = release(personal, store, Config(), "0.1.0", bodies=[SOURCE]).path
    for name, text in texts(path):
        assert MAIL not in text and PHONE not in text, name
    with open_current(personal) as opened:
        shown = json.dumps(
            [opened.store.rows(f"SELECT * FROM {table}") for table in ("posts", "procedures", "threads", "authors")], ensure_ascii=False
        )
        own = opened.texts
        assert MAIL not in shown and PHONE not in shown and HIDDEN in shown
        told = verify(path, Means(recompute, texts=lambda ids: own(list(ids)), rebuild=lambda s, c: refresh(s)))
    assert told.sound, findings(told)
    masked = [
        c
        for line in (path / "procedures.jsonl").read_text().splitlines()
        for s in json.loads(line)["steps"]
        for c in s["citations"]
        if c.get("masked")
    ]
    assert len(masked) >= 3
    assert all("0x52908400098527886E0F7030069857D2E4169EE7" in c["exact"] and c["end"] - c["start"] == len(c["exact"]) for c in masked)


def test_masks_are_made_once_for_each_post(personal: Workspace, store: Store) -> None:
    refresh_masks(store)
    assert refresh_masks(store) == 0
    store.execute("UPDATE posts SET body_hash = 'other' WHERE id = (SELECT min(id) FROM posts)")
    assert refresh_masks(store) == 1


def test_quotes_are_cut_and_say_so(workspace: Workspace, store: Store) -> None:
    path = release(workspace, store, Config(publish=PublishConfig(quote_chars=30)), "0.1.0").path
    quotes = [c for line in (path / "procedures.jsonl").read_text().splitlines() for s in json.loads(line)["steps"] for c in s["citations"]]
    assert max(len(c["exact"]) for c in quotes) == 30
    assert all(c["end"] - c["start"] == len(c["exact"]) and c.get("whole_end", 10**9) > c["end"] for c in quotes)
    assert any("whole_end" in c for c in quotes)
    assert max(len(json.loads(line)["quote"]) for line in (path / "credits.jsonl").read_text().splitlines()) == 30
    with open_current(workspace) as opened:
        own = opened.texts
        assert verify(path, Means(recompute, texts=lambda ids: own(list(ids)))).sound


def test_bodies_leave_only_when_asked_for_and_allowed(workspace: Workspace, store: Store) -> None:
    assert not (release(workspace, store, Config(), "0.1.0").path / "bodies.jsonl.gz").exists()
    assert chosen_sources(store) == ([SOURCE], [])
    store.execute("UPDATE sources SET licence = 'CC BY-NC-ND 4.0'")
    assert chosen_sources(store) == ([], [SOURCE])
    assert chosen_sources(store, [SOURCE]) == ([SOURCE], [])
    with pytest.raises(UnknownName):
        chosen_sources(store, ["discourse:nowhere"])
    rows: list[dict[str, Any]] = list(pack_rows(store, []))
    assert all(row["plain"] == "" for row in rows if row.get("type") == "post")
    shutil.rmtree(workspace.releases / "1" / "local")
