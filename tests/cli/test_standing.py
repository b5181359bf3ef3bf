"""trust, flags, outcome, fork, compose and identity scores on the command line."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from index.records import IdentityLink
from index.store import Store
from index.tables_people import load_links
from index.tables_rewards import authors
from index.workspace import Workspace
from tests.cli.conftest import Runner


def test_outcomes_forks_and_trust_from_the_command_line(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    key = tmp_path / "agent.pem"
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    sop = run.json("list")[0]["id"]
    taken = run.json("outcome", "add", sop, "--result", "worked", "--key", str(key), "--note", "=1+1")
    assert taken["taken"] and taken["outcome"]["procedure"] == sop
    text = tmp_path / "outcome.txt"
    pending = run("outcome", "add", sop, "--result", "failed", "--by", taken["outcome"]["by"], "-o", str(text))
    assert pending.exit_code == 3 and text.read_text().startswith("precipitate outcome/1\n")
    assert "outcome verify" in pending.stderr
    refused = run.json("outcome", "verify", str(text), "--signature", "0x" + "00" * 64, code=1)
    assert "not did:key" in refused["message"] or "signature" in refused["message"]
    listed = run.json("outcome", "list")
    assert len(listed["outcomes"]) == 1 and run("outcome", "list", "--head", "f" * 64).exit_code == 4
    made = run.json("fork", sop, "--drop", "1", "--by", "wrenfield")
    assert made["forked_from"] == sop and run("fork", sop, "--drop", "99", "--by", "wrenfield").exit_code == 2
    assert run("trust", "seed", "add", "wrenfield").exit_code == 0
    assert "wrenfield@" in run("trust", "seed", "list").stdout
    assert run("run", "--quiet").exit_code == 0
    assert any(row["seed"] for row in run.json("trust", "list")["levels"])
    assert made["id"] in {row["id"] for row in run.json("list")}
    assert run("trust", "seed", "remove", "wrenfield").exit_code == 0
    flags = run.json("flags")
    assert flags["accounts"] > 0 and all(flag["evidence"] for flag in flags["flags"])


def test_scores_tell_what_did_not_count(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    table = tmp_path / "passport.csv"
    table.write_text("address,score\n0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed,25\n")
    told = run("identity", "scores", "import", str(table), "--kind", "passport")
    assert told.exit_code == 3 and "nobody here is paid at" in told.stdout
    assert run("identity", "scores", "import", str(table), "--kind", "passports").exit_code == 2


def test_links_are_shown_and_accepted_by_a_person(filled: Workspace, run: Runner) -> None:
    assert "No links" in run("identity", "links").stdout and "No identity scores" in run("identity", "scores", "list").stdout
    with Store(filled.database) as store:
        author = next(a.id for a in authors(store) if a.handle == "wrenfield")
        said = {"told": "2024-05-01T00:00:00Z", "kind": "domain", "evidence": "https://wren.example/\x1b[31m"}
        load_links(store, [IdentityLink(author, f"net/{s}", target=f"{s}.example", strength=s, **said) for s in ("mutual", "claimed")])  # type: ignore[arg-type]
    shown = run("identity", "links", "wrenfield").stdout
    assert "mutual   wrenfield@" in shown and "\x1b" not in shown
    assert run("identity", "accept", "wrenfield", "claimed.example", "--reason", "sure").exit_code == 2
    assert "is accepted" in run("identity", "accept", "wrenfield", "mutual.example", "--reason", "their page").stdout
    assert [row["accepted"] for row in run.json("identity", "links")["links"]] == [False, True]
    assert run.json("identity", "scores", "list")[0]["subject"] == "domain mutual.example"
    assert "is taken back" in run("identity", "accept", "wrenfield", "mutual.example", "--reason", "sold it", "--back").stdout
    assert run.json("identity", "scores", "list") == []
