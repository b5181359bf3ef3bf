"""Releases of independent crawls join to one root in any order; what was taken back stays out, and what is forged never enters."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index.config import Config
from index.errors import UsageError
from index.records import Tombstone
from index.store import Store
from index.tables_discussion import load_records
from index.workspace import Workspace, init_workspace
from publish.joining import forged, lineages
from publish.merge import MergeReport, merge
from publish.release import release
from publish.verify import Means, verify
from rewards.recompute import recompute, settled
from tests.conftest import FORUM
from tests.publish.conftest import fill, refresh
from tests.publish.test_verify import edit, resign

MEANS = Means(recompute, settled)
SOURCE = "discourse:forum.harbourside.example"


def crawl(root: Path, chosen: slice, without: int = 0) -> tuple[Workspace, Path]:
    """A workspace that read some threads of the demo forum; the last `without` posts of each were not there yet."""
    forum = root / "forum"
    forum.mkdir(parents=True)
    shutil.copy(FORUM / "site.json", forum)
    threads = [json.loads(line) for line in (FORUM / "topics.jsonl").read_text(encoding="utf-8").splitlines()][chosen]
    for thread in threads:
        posts = thread["post_stream"]["posts"]
        del posts[max(1, len(posts) - without) :]
    (forum / "topics.jsonl").write_text("".join(json.dumps(thread) + "\n" for thread in threads), encoding="utf-8")
    workspace = fill(root / "round", forum)
    with Store(workspace.database) as store:
        return workspace, release(workspace, store, Config(), "0.1.0").path


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    """Three overlapping crawls; in the third a quoted post of all three was deleted, and an edit was seen."""
    root = tmp_path_factory.mktemp("three")
    one = crawl(root / "a", slice(0, 12))
    two = crawl(root / "b", slice(5, 18), without=1)
    third, _ = crawl(root / "c", slice(3, 15))
    with Store(third.database) as store:
        gone = json.loads((one[1] / "procedures.jsonl").read_text().splitlines()[0])["steps"][0]["citations"][0]["post"]
        with store.transaction():
            load_records(store, SOURCE, "2026-01-01T00:00:00Z", {Tombstone: [Tombstone(gone, "author_deleted", "said so")]})
        refresh(store)
        path = release(third, store, Config(), "0.1.0").path
    return [("a", one[1]), ("b", two[1]), ("c", path)]


def join(root: Path, folders: list[tuple[str, Path]], means: Means = MEANS) -> MergeReport:
    workspace = init_workspace(root)
    return merge(workspace, folders, root / "merged", Config(), "0.1.0", means)


def test_three_releases_in_all_six_orders_make_one_root(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    made = [join(tmp_path / str(n), list(order)) for n, order in enumerate(itertools.permutations(three))]
    assert len({(report.root, report.set_root) for report in made}) == 1
    assert len({(report.path / "release.car").read_bytes() for report in made}) == 1
    told = verify(made[0].path, MEANS)
    assert told.sound, [f for level in told.levels for f in level.findings]
    assert told.levels[2].checked["credits"] > 10
    alone = [json.loads((folder / "manifest.json").read_text())["files"]["procedures.jsonl"]["records"] for _, folder in three]
    assert made[0].counts["procedures"] > max(alone)


def test_merging_by_steps_holds_the_same_posts(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    whole = join(tmp_path / "whole", three)
    part = join(tmp_path / "part", three[:2])
    again = join(tmp_path / "again", [("ab", part.path), three[2]])
    assert again.set_root == whole.set_root
    assert join(tmp_path / "twice", [*three, *three]).root == whole.root
    assert (
        json.loads((again.path / "manifest.json").read_text())["merged"] == json.loads((whole.path / "manifest.json").read_text())["merged"]
    )


def test_what_was_taken_back_is_nowhere_in_it(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    report = join(tmp_path / "m", three)
    rows = {row["id"]: row for row in map(json.loads, (report.path / "posts.jsonl").read_text().splitlines())}
    gone = [post for post, row in rows.items() if row["state"] == "author_deleted" and row["body_hash"] is None]
    assert gone and report.taken_back["c"] >= 1
    told = "".join((report.path / name).read_text() for name in ("procedures.jsonl", "credits.jsonl", "evidence.jsonl"))
    assert not any(f'"{post}"' in told for post in gone)
    assert any("taken back" in entry.why for entry in report.left_out)


def test_a_hostile_release_gives_only_what_holds(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    workspace, path = crawl(tmp_path / "evil", slice(0, 12))
    folder = tmp_path / "evil-out"
    shutil.copytree(path, folder, ignore=shutil.ignore_patterns("local"))
    honest = join(tmp_path / "honest", three)

    def forge(rows: list[dict[str, Any]]) -> None:
        rows[1]["steps"][0]["text"] = "Send everything to 0x52908400098527886E0F7030069857D2E4169EE7"
        rows[2]["version"] = 99
        rows[2]["steps"][0]["citations"][0]["post"] = "discourse:forum.harbourside.example/p/123456789"
        rows[3]["steps"][0]["first_said_by"] = "discourse:forum.harbourside.example/u/31337"
        rows[4]["title"] = "Write to evil@example.com"

    edit(folder, "procedures.jsonl", forge)
    edit(folder, "credits.jsonl", lambda rows: rows[0].update(points=10**9))
    resign(workspace, folder)
    report = join(tmp_path / "with", [*three, ("evil", folder)])
    reasons = [entry.why for entry in report.left_out if entry.release == "evil"]
    for why in ("version id", "not among the posts", "first said by", "personal data"):
        assert any(why in reason for reason in reasons), (why, reasons)
    ours, theirs = ({name: (r.path / name).read_text() for name in ("procedures.jsonl", "credits.jsonl")} for r in (honest, report))
    assert theirs["credits.jsonl"] == ours["credits.jsonl"]
    assert "31337" not in theirs["procedures.jsonl"] and "evil@" not in theirs["procedures.jsonl"]
    assert verify(report.path, MEANS).sound


def test_a_release_that_was_changed_gives_nothing(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(three[0][1], folder, ignore=shutil.ignore_patterns("local"))
    data = bytearray((folder / "posts.jsonl").read_bytes())
    data[100] ^= 1
    (folder / "posts.jsonl").write_bytes(data)
    report = join(tmp_path / "m", [three[1], ("changed", folder)])
    assert [(entry.release, entry.what) for entry in report.left_out if entry.release == "changed"] == [("changed", "the whole release")]
    assert report.root == json.loads((three[1][1] / "manifest.json").read_text())["root"], "of one release the merge is that release"
    with pytest.raises(UsageError, match="none of 1 releases holds"):
        join(tmp_path / "none", [("changed", folder)])


def test_made_up_quotes_do_not_enter_where_the_posts_are_known(three: list[tuple[str, Path]], tmp_path: Path) -> None:
    """Bytes, signature and decisions hold, the words do not: whoever holds the posts sees it."""
    first = json.loads((three[0][1] / "procedures.jsonl").read_text().splitlines()[1])
    cited = first["steps"][0]["citations"][0]["post"]
    posts = {row["id"]: row for row in map(json.loads, (three[0][1] / "posts.jsonl").read_text().splitlines())}

    def texts(ids: Any) -> dict[str, str]:
        return {cited: "other words"} if cited in ids else {}

    posts[cited]["plain_hash"] = hashlib.sha256(b"other words").hexdigest()
    assert forged(first, posts, texts) == f"a quote of {cited} is not in that post"
    assert join(tmp_path / "m", three, Means(recompute, settled, texts=texts)).counts["procedures"] > 0


def test_a_fork_stays_beside_its_origin() -> None:
    """They share their words on purpose; two records of one lineage do not."""
    said = {"post": "p", "exact": "Open the door.", "role": "states", "created": "2024-01-01T00:00:00Z", "author": "a"}
    steps = [{"citations": [{**said, "exact": f"Do {n}."}]} for n in range(4)]
    origin: dict[str, Any] = {"id": "sop-a", "version": 1, "forked_from": None, "steps": steps, "stances": []}
    fork = {**origin, "id": "sop-b", "forked_from": "sop-a", "steps": steps[1:]}
    copy = {**origin, "id": "sop-c", "version": 2}
    assert [(record["id"], record["version"]) for record in lineages([fork, copy, origin])] == [("sop-a", 2), ("sop-b", 1)]
