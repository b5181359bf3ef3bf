"""Sizes and times of a workspace's release: made, checked level by level, broken in 200 places, merged.

    python -m bench.release WORKSPACE [--flips 200] [--rebuild] [--npm]

Works on a copy: the workspace stays as it is. `--npm` has the JavaScript libraries read it as well (make test-system
installs them); `--rebuild` distils everything anew, which takes as long as a run.

For merging, three crawls are made of the one, each without a third of the threads; to the last of them the author of a
quoted post has deleted it. Their releases are merged in all six orders.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.pipeline import distill
from index import CODE_VERSION
from index.config import Config
from index.current import LOCAL
from index.records import Tombstone
from index.snapshot import Snapshot
from index.store import Store
from index.tables_discussion import load_records
from index.tables_private import refresh_masks
from index.workspace import Workspace, find_workspace
from publish.merge import merge
from publish.release import release
from publish.verify import Means, verify
from publish.verify_bytes import records
from rewards.pipeline import credit
from rewards.recompute import recompute, settled

HOME = Path(__file__).parent.parent
MEANS = Means(recompute, settled)


def timed(what: str, work: Callable[[], Any]) -> Any:
    began, used = time.perf_counter(), time.process_time()
    found = work()
    print(f"{what:<46}{time.perf_counter() - began:8.1f} s{time.process_time() - used:8.1f} of the processor", flush=True)
    return found


def sizes(folder: Path) -> None:
    kinds: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and LOCAL not in path.relative_to(folder).parts:
            kinds[path.suffix] = kinds.get(path.suffix, 0) + path.stat().st_size
    print("sizes: " + ", ".join(f"{suffix} {size / 1e6:.2f} MB" for suffix, size in sorted(kinds.items(), key=lambda entry: -entry[1])))


def flips(folder: Path, count: int) -> tuple[int, int]:
    """(found and named, with the place) of `count` bytes changed one at a time, chosen over all bytes of all files."""
    chance = random.Random(6)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = placed = 0
    for _ in range(count):
        (path,) = chance.choices(files, [path.stat().st_size for path in files])
        at, bit = chance.randrange(path.stat().st_size), 1 << chance.randrange(8)
        with open(path, "r+b") as data:
            data.seek(at)
            byte = data.read(1)[0]
            data.seek(at)
            data.write(bytes([byte ^ bit]))
            data.flush()
            told = verify(folder, Means(deepest=2))
            data.seek(at)
            data.write(bytes([byte]))
        found = [f for level in told.levels for f in level.findings if f.file == path.relative_to(folder).as_posix()]
        named += bool(found)
        placed += any(_covers(f.where, at) for f in found)
    return named, placed


def _covers(where: str, at: int) -> bool:
    if "bytes " not in where:
        return False
    start, end = (int(part.replace(",", "")) for part in where.split("bytes ")[1].split(" to "))
    return start <= at <= end


# Rows of what is left out, by the column that names its thread or post.
OF_THREADS = ("posts", "thread_work", "kept_passages")
OF_POSTS = ("reactions", "edges", "post_masks")


def thirds(workspace: Workspace, scratch: Path) -> list[tuple[str, Path]]:
    """(name, release) of three crawls that each lack another third of the threads."""
    made = []
    for number, name in enumerate(("a", "b", "c")):
        folder = scratch / name
        shutil.copytree(workspace.root, folder, symlinks=True, ignore=shutil.ignore_patterns("releases", "current", "cache"))
        own = find_workspace(folder)
        config = own.config()
        with Store(own.database) as store:
            with store.transaction():
                store.execute("CREATE TEMP TABLE absent AS SELECT id FROM threads WHERE hash(id) % 3 = ?", [number])
                store.execute("DELETE FROM procedures WHERE list_has_any(threads, (SELECT list(id) FROM absent))")
                for table in OF_POSTS:
                    store.execute(f"DELETE FROM {table} WHERE post IN (SELECT p.id FROM posts p JOIN absent a ON p.thread = a.id)")
                for table in OF_THREADS:
                    store.execute(f"DELETE FROM {table} WHERE thread IN (SELECT id FROM absent)")
                store.execute("DELETE FROM threads WHERE id IN (SELECT id FROM absent)")
            if name == "c":
                _take_back(store, config)
            credit(store, config)
            made.append((name, release(own, store, config, CODE_VERSION).path))
    return made


def _take_back(store: Store, config: Config) -> None:
    """The author of a quoted post deletes it; its thread is read again."""
    quoted = store.execute("SELECT record FROM procedures WHERE current ORDER BY id LIMIT 1")[0][0]
    citation = json.loads(quoted)["steps"][0]["citations"][0]
    source = store.execute("SELECT source FROM posts WHERE id = ?", [citation["post"]])[0][0]
    with store.transaction():
        load_records(store, source, "2026-01-01T00:00:00Z", {Tombstone: [Tombstone(citation["post"], "author_deleted", "said so")]})
    distill(store, config, lambda *_: None)


def merging(workspace: Workspace, scratch: Path) -> None:
    folders = timed("three overlapping crawls, released", lambda: thirds(workspace, scratch))
    for name, folder in folders:
        counts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        print(f"  {name}: {counts['posts.jsonl']['records']:,} posts, {counts['procedures.jsonl']['records']:,} SOPs")
    roots, config = set(), workspace.config()
    for number, order in enumerate(itertools.permutations(folders)):
        names, out = " ".join(name for name, _ in order), scratch / f"merged-{number}"
        told = timed(f"merge {names}", lambda: merge(workspace, list(order), out, config, CODE_VERSION, MEANS))  # noqa: B023
        roots.add((told.root, told.set_root))
    print(f"  {len(roots)} root of six orders; {told.counts}, {len(told.left_out) + told.more} left out, taken back: {told.taken_back}")
    sound = timed("verify what was merged", lambda: verify(out, MEANS)).sound
    print(f"  sound: {sound}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--npm", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(options.workspace, Path(scratch) / "copy", symlinks=True)
        measure(find_workspace(Path(scratch) / "copy"), Path(scratch), options)


def measure(workspace: Workspace, scratch: Path, options: argparse.Namespace) -> None:
    config = workspace.config()
    with Store(workspace.database) as store:
        looked = timed("posts looked through for personal data", lambda: refresh_masks(store))
        if looked:
            credit(store, config)
        print(f"  {looked:,} posts")
        report = timed("release", lambda: release(workspace, store, config, CODE_VERSION))
        timed("release again, nothing new", lambda: release(workspace, store, config, CODE_VERSION))
        every = [row[0] for row in store.execute("SELECT id FROM sources")]
        packed = timed("release with a body pack", lambda: release(workspace, store, config, CODE_VERSION, bodies=every)).path
    print(", ".join(f"{count:,} {what}" for what, count in report.counts.items()))
    folder = scratch / "out"
    shutil.copytree(packed, folder, ignore=shutil.ignore_patterns(LOCAL))
    sizes(folder)
    for deepest, name in enumerate(("hashes", "and signatures", "and decisions", "and quotes"), 1):
        told = timed(f"verify: {name}", lambda deepest=deepest: verify(folder, replace(MEANS, deepest=deepest)))
        level = told.levels[deepest - 1]
        print(f"  {level.state}: {level.checked}" + "".join(f"\n    {f.file} {f.where}: {f.what}" for f in level.findings[:5]))
    with Snapshot(workspace.current / LOCAL / "read.duckdb") as opened:
        told = timed("verify: quotes in one's own crawl", lambda: verify(folder, replace(MEANS, texts=lambda ids: opened.texts(list(ids)))))
        print(f"  sound: {told.sound}")
    if options.rebuild:
        from cli import _rebuild

        told = timed("verify: all made anew", lambda: verify(folder, replace(MEANS, rebuild=_rebuild)))
        print(
            f"  {told.levels[4].state} {told.levels[4].left_out}"
            + "".join(f"\n    {f.file} {f.where}: {f.what}" for f in told.levels[4].findings)
        )
    if options.npm:
        done = timed(
            "@ipld/car, @ipld/dag-cbor, @noble/ed25519",
            lambda: subprocess.run(
                ["node", str(HOME / "tests/npm/check_release.mjs"), str(folder)], capture_output=True, text=True, check=True
            ),
        )
        value = json.loads(done.stdout)
        print(
            f"  {value['blocks']:,} blocks, {len(value['wrong'])} wrong, {len(value['differing'])} records differ, signatures {value['signatures']}"
        )
    if options.flips:
        named, placed = timed(f"{options.flips} changed bytes", lambda: flips(folder, options.flips))
        print(f"  {named} found and named, {placed} with the place")
    merging(workspace, scratch)
    masked = sum(
        1 for record in records(folder, "procedures.jsonl") for step in record["steps"] for c in step["citations"] if c.get("masked")
    )
    print(f"quotes with something hidden: {masked}")


if __name__ == "__main__":
    main()
