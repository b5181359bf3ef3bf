"""release, verify, key, publish, fetch, merge and optout as people type them."""

from __future__ import annotations

import json
from pathlib import Path

from index.workspace import Workspace
from tests.cli.conftest import Runner

SOURCE = "discourse:forum.harbourside.example"


def test_a_release_is_made_verified_published_fetched_and_merged(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    told = run.json("release", "--bodies")
    assert (told["number"], told["changed"], (filled.current / "bodies.jsonl.gz").exists()) == (2, True, True)
    assert run.json("release")["changed"] is False
    key = run.json("key", "show")["release"]
    report = run.json("verify", "2", "--key", key)
    assert report["sound"] and [level["state"] for level in report["levels"]] == ["ok", "ok", "ok", "ok", "not run"]
    head = report["log_head"]
    assert "all that was looked at holds" in run("verify", str(filled.current), "--head", head).stdout
    assert "rebuild    ok" in run("verify", "2", "--rebuild").stdout
    mirror = tmp_path / "mirror"
    assert run.json("publish", "--to", "folder", str(mirror))["files"] > 15
    fetched = run.json("fetch", str(mirror), "-o", str(tmp_path / "got"), "--key", key)
    assert fetched["sound"] and (tmp_path / "got" / "release.car").exists()
    assert "SOPs" in run("fetch", f"git+{_git(run, filled)}", "-o", str(tmp_path / "sops"), "--key", key).stdout
    merged = run.json("merge", "1", "2", str(mirror), "-o", str(tmp_path / "merged"))
    assert (merged["set_root"], merged["left_out"]) == (json.loads((filled.current / "manifest.json").read_text())["set_root"], [])
    assert run("verify", str(tmp_path / "merged")).exit_code == 0


def _git(run: Runner, workspace: Workspace) -> Path:
    import subprocess

    remote = workspace.root.parent / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(remote)], check=True)
    assert run("publish", "--to", "git", str(remote)).exit_code == 0
    return remote


def test_what_does_not_hold_ends_with_four_and_is_named(filled: Workspace, run: Runner) -> None:
    path = filled.current / "credits.jsonl"
    path.write_bytes(path.read_bytes().replace(b"first", b"furst", 1))
    done = run("verify", "1")
    assert done.exit_code == 4
    assert "FINDING credits.jsonl, line 1, bytes 0 to" in done.stdout
    report = run.json("verify", "1", "--level", "hashes", code=4)
    assert report["levels"][0]["findings"][0]["file"] == "credits.jsonl"
    assert run("merge", "1", "-o", "out").exit_code == 2


def test_bad_words_are_answered_with_good_ones(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    for words, said in {
        ("verify", "9"): "there is no release 9",
        ("verify", "nowhere"): "is no release",
        ("verify", "1", "--level", "all"): "no level named 'all'",
        ("verify", "http://127.0.0.1:1/x"): "not encrypted",
        ("publish", "--to", "ftp", "x"): "no way to publish named 'ftp'",
        ("fetch", "nowhere", "-o", "x"): "is no mirror",
        ("fetch", "wss://127.0.0.1:1", "-o", "y"): "no public key",
        ("release", "--bodies-of", "discourse:nowhere"): "no source named",
        ("optout", "add", "nobody"): "no author named",
        ("optout", "import", "nothing.csv"): "cannot be read",
    }.items():
        done = run(*words)
        assert done.exit_code in (1, 2), (words, done.stdout)
        assert said in done.stderr, (words, done.stderr)


def test_keys_and_optouts(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    old = run.json("key", "show")
    assert old["nostr"] is None
    assert run.json("key", "new", "--network")["nostr"]
    assert run("key", "new", "--network").exit_code == 2
    assert run.json("key", "new")["release"] != old["release"]
    assert "no Nostr" not in run("key", "show").stdout
    record = json.loads((filled.current / "procedures.jsonl").read_text().splitlines()[0])
    person = record["steps"][0]["first_said_by"]
    assert run.json("optout", "list") == []
    assert run("optout", "add", person).exit_code == 2
    told = run.json("optout", "add", person, "--reason", "asked by mail")
    assert told["posts"] > 0
    (tmp_path / "list.csv").write_text("account,reason\nnobody,x\n")
    assert run("optout", "import", str(tmp_path / "list.csv")).exit_code == 3
    assert run("run", "--quiet").exit_code == 0
    assert person not in (filled.current / "procedures.jsonl").read_text()
    report = run.json("verify", str(filled.current), "--key", old["release"])
    assert report["sound"], report
