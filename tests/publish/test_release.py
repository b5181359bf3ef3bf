"""A release is the same for the same posts, whole at every moment, and checked by hash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from index.config import Config
from index.current import current_local, current_release
from index.errors import StoreError
from index.facets import Filters, load
from index.records import Tombstone
from index.snapshot import FILE, Snapshot, open_current
from index.store import Store
from index.tables_discussion import load_records, set_source_error
from index.workspace import Workspace
from publish.local import missing
from publish.release import KEPT, ReleaseReport, current_number, numbers, release, tampered
from tests.conftest import FORUM, HOME
from tests.publish.conftest import fill, refresh

HASHED = (
    *("procedures.jsonl", "credits.jsonl", "posts.jsonl", "outcomes.jsonl", "sources.jsonl", "evidence.jsonl", "scores.jsonl"),
    "release.car",
)
SOURCE = "discourse:forum.harbourside.example"


def make(workspace: Workspace, store: Store) -> ReleaseReport:
    return release(workspace, store, Config(), "0.1.0")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (*HASHED, "manifest.json", "datapackage.json", "LICENCES.txt")}


def lines(folder: Path, name: str) -> list[Any]:
    return [json.loads(line, parse_float=_no_float) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def _no_float(text: str) -> None:
    raise AssertionError(f"a float is hashed: {text}")


def bury(store: Store, post: str) -> None:
    with store.transaction():
        load_records(store, SOURCE, "2026-01-01T00:00:00Z", {Tombstone: [Tombstone(post, "author_deleted", "said so")]})
    refresh(store)


def posts(store: Store) -> list[str]:
    return [row[0] for row in store.execute("SELECT id FROM posts WHERE state = 'live' ORDER BY id")]


def test_manifest_says_what_the_files_are(workspace: Workspace, store: Store) -> None:
    report = make(workspace, store)
    assert (report.number, report.changed, report.path) == (1, True, workspace.releases / "1")
    assert workspace.current.resolve() == report.path
    assert not workspace.current.readlink().is_absolute(), "the workspace can be moved"
    manifest = json.loads((report.path / "manifest.json").read_text(), parse_float=_no_float)
    for name in HASHED[:-1]:
        data = (report.path / name).read_bytes()
        assert manifest["files"][name] == {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "records": data.count(b"\n"),
        }
        assert lines(report.path, name), name
    canonical = json.dumps(manifest["files"], sort_keys=True, separators=(",", ":")).encode()
    assert manifest["root"] == report.root == "sha256:" + hashlib.sha256(canonical).hexdigest()
    kept = [row for row in lines(report.path, "posts.jsonl") if row["body_hash"]]
    joined = "".join(f"{row['id']} {row['body_hash']}\n" for row in sorted(kept, key=lambda row: row["id"]))
    assert manifest["set_root"] == "sha256:" + hashlib.sha256(joined.encode()).hexdigest()
    assert manifest["until"] == max(created for (created,) in store.execute("SELECT created FROM posts"))
    assert tampered(report.path) == []


def test_hashed_files_hold_no_bodies_paths_or_times_of_the_run(workspace: Workspace, store: Store) -> None:
    report = make(workspace, store)
    together = b"".join(bytes_of(report.path).values()).decode(errors="replace")
    assert str(FORUM) not in together
    assert str(workspace.root) not in together
    seen = {row[0] for row in store.execute("SELECT DISTINCT last_seen FROM posts")}
    assert not any(moment[:13] in together for moment in seen)
    assert all(
        set(row) == {"id", "thread", "body_hash", "plain_hash", "state", "plain_version"} for row in lines(report.path, "posts.jsonl")
    )


def test_same_posts_same_bytes_wherever_and_in_whatever_order(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "site.json").write_bytes((FORUM / "site.json").read_bytes())
    threads = (FORUM / "topics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (moved / "topics.jsonl").write_text("".join(reversed(threads)), encoding="utf-8")
    other = fill(tmp_path / "other", moved)
    with Store(other.database) as second:
        theirs = make(other, second)
    ours = make(workspace, store)
    assert bytes_of(ours.path) == bytes_of(theirs.path)
    assert ours.root == theirs.root


def test_nothing_new_writes_nothing(workspace: Workspace, store: Store) -> None:
    first = make(workspace, store)
    before = {path: path.stat().st_mtime_ns for path in workspace.releases.rglob("*")}
    again = make(workspace, store)
    assert (again.number, again.root, again.changed) == (1, first.root, False)
    assert {path: path.stat().st_mtime_ns for path in workspace.releases.rglob("*")} == before


def test_deleted_post_leaves_the_next_release(workspace: Workspace, store: Store) -> None:
    make(workspace, store)
    gone = next(c["post"] for row in lines(workspace.current, "procedures.jsonl") for c in row["steps"][0]["citations"])
    words = store.execute("SELECT plain FROM posts WHERE id = ?", [gone])[0][0]
    bury(store, gone)
    report = make(workspace, store)
    assert report.number == 2
    row = next(row for row in lines(report.path, "posts.jsonl") if row["id"] == gone)
    assert (row["state"], row["body_hash"], row["plain_hash"]) == ("author_deleted", None, None)
    assert gone not in (report.path / "procedures.jsonl").read_text()
    with Snapshot(report.path / "local" / FILE) as opened:
        assert words not in {plain for (plain,) in opened.store.execute("SELECT plain FROM posts")}


def test_older_releases_go_and_their_text_sooner(workspace: Workspace, store: Store) -> None:
    for post in [None, *posts(store)[: KEPT + 1]]:
        if post:
            bury(store, post)
        make(workspace, store)
    last = KEPT + 2
    assert current_number(workspace) == last
    assert numbers(workspace) == list(range(last - KEPT + 1, last + 1))
    assert [n for n in numbers(workspace) if (workspace.releases / str(n) / "local").exists()] == [last - 1, last]
    assert tampered(workspace.releases / str(last)) == []


def test_what_only_readers_see_is_renewed_without_a_new_release(workspace: Workspace, store: Store) -> None:
    make(workspace, store)
    before = bytes_of(current_release(workspace))
    set_source_error(store, SOURCE, "host is down")
    again = make(workspace, store)
    assert (again.number, again.changed) == (1, False)
    assert bytes_of(current_release(workspace)) == before
    with Snapshot(current_release(workspace) / "local" / FILE) as opened:
        assert opened.sources()[0]["last_error"] == "host is down"


@pytest.mark.parametrize("name", ["credits.jsonl", "manifest.json"])
def test_damaged_release_is_replaced(workspace: Workspace, store: Store, name: str) -> None:
    first = make(workspace, store)
    (first.path / name).unlink()
    assert tampered(first.path)
    again = make(workspace, store)
    assert (again.number, again.changed, again.root) == (2, True, first.root)
    assert tampered(again.path) == []


@pytest.mark.parametrize("name", [FILE, "facets.json", "SCHEMA", "lexical/procedures"])
def test_what_readers_lack_is_made_anew_beside_the_same_release(workspace: Workspace, store: Store, name: str) -> None:
    first = make(workspace, store)
    before = bytes_of(first.path)
    lost = first.path / "local" / name
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    assert missing(first.path / "local")
    again = make(workspace, store)
    assert (again.number, again.changed) == (1, False)
    assert missing(first.path / "local") == [] and bytes_of(first.path) == before
    assert [path.name for path in workspace.releases.iterdir()] == ["1"]


def test_new_tags_are_searched_by_without_a_new_release(workspace: Workspace, store: Store) -> None:
    first = make(workspace, store)
    thread = next(iter(store.execute("SELECT threads[1] FROM procedures WHERE current ORDER BY id")))[0]
    store.execute("UPDATE threads SET tags = ['harbour-lights'] WHERE id = ?", [thread])
    again = make(workspace, store)
    assert (again.number, again.root) == (1, first.root)
    facets = load(current_local(workspace))
    assert len(facets.allowed(Filters(tags=("harbour-lights",))) or ()) == 1


@pytest.mark.parametrize(("schema", "said"), [("precipitate/local/99", "a newer"), ("precipitate/local/1", "an older"), ("", "an older")])
def test_readers_refuse_what_another_program_prepared(workspace: Workspace, store: Store, schema: str, said: str) -> None:
    path = make(workspace, store).path
    (path / "local" / "SCHEMA").write_text(schema)
    with pytest.raises(StoreError, match=f"made by {said} precipitate") as told:
        open_current(workspace)
    assert "`precipitate run`" in told.value.way_out
    make(workspace, store)
    with open_current(workspace) as opened:
        assert opened.procedures()


def test_a_release_of_a_newer_program_is_not_read(workspace: Workspace, store: Store) -> None:
    path = make(workspace, store).path
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "schema": "precipitate/release/3"}))
    for reader in (current_release, current_local, open_current):
        with pytest.raises(StoreError, match="release/3") as told:
            reader(workspace)
        assert told.value.way_out == "install a newer precipitate"


def test_damaged_snapshot_is_built_anew(workspace: Workspace, store: Store) -> None:
    path = make(workspace, store).path / "local" / FILE
    path.write_bytes(b"no database")
    make(workspace, store)
    with Snapshot(path) as opened:
        assert opened.procedures()


def test_empty_store_gives_an_empty_release(tmp_path: Path) -> None:
    from index.workspace import init_workspace

    workspace = init_workspace(tmp_path / "empty")
    with Store(workspace.database) as store:
        report = make(workspace, store)
    assert set(report.counts.values()) == {0}
    assert tampered(report.path) == []


# --- kill -9 --------------------------------------------------------------------------------------------------------

KILLER = """
import os, pathlib, signal, sys
from index.config import Config
from index.current import current_local, current_release
from index.errors import StoreError
from index.facets import Filters, load
from index.store import Store
from index.workspace import find_workspace
import publish.local as local
import publish.release as module

def deadly(owner, name, after):
    real = getattr(owner, name)
    def wrapped(*words, **more):
        if not after:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, wrapped)

owner, name, after = sys.argv[2:5]
deadly({"module": module, "local": local, "Path": pathlib.Path, "snapshot": module.snapshot}[owner], name, after == "after")
workspace = find_workspace(pathlib.Path(sys.argv[1]))
with workspace.lock("run"), Store(workspace.database) as store:
    module.release(workspace, store, Config(), "0.1.0")
"""
MOMENTS = [
    ("module", "write_lines", "after"),
    ("snapshot", "build_snapshot", "after"),
    ("local", "build_search", "after"),
    ("module", "sync", "before"),
    ("Path", "rename", "before"),
    ("Path", "rename", "after"),
    ("Path", "replace", "before"),
    ("Path", "replace", "after"),
    ("module", "_prune", "after"),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=" ".join)
def test_kill_at_any_moment_leaves_a_valid_release(workspace: Workspace, moment: tuple[str, str, str]) -> None:
    with Store(workspace.database) as store:
        first = make(workspace, store)
        bury(store, posts(store)[0])
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    words = [sys.executable, "-c", KILLER, str(workspace.root), *moment]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert tampered(current_release(workspace)) == []
    assert current_number(workspace) in (1, 2)
    with Snapshot(current_release(workspace) / "local" / FILE) as opened:
        assert opened.procedures()
    with Store(workspace.database) as store:
        report = make(workspace, store)
    assert report.number == current_number(workspace) == 2
    assert report.root != first.root
    assert numbers(workspace) == [1, 2]
    assert [path.name for path in workspace.releases.iterdir() if path.name.startswith(".")] == []
    assert tampered(report.path) == []
