"""Identity claims from the outside: made, signed, posted, read, taken, listed, revoked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.conftest import FORUM
from tests.rewards.builders import TOKEN
from tests.rewards.claimants import Wallet

ONE, TWO = Wallet("one"), Wallet("two")


@pytest.fixture
def forum(empty: Workspace, run: Runner, toy_distiller: None, tmp_path: Path) -> Path:
    """A workspace with a forum that people can still post in."""
    folder = tmp_path / "forum"
    shutil.copytree(FORUM, folder)
    for words in (("add", str(folder)), ("run", "--quiet"), ("round", "new", "r1", "--budget", "10", "--token", TOKEN)):
        assert run(*words).exit_code == 0
    return folder


def speak(folder: Path, number: int, user: tuple[int, str], words: str) -> None:
    """A further post in the demo forum's thread of introductions."""
    lines = (folder / "topics.jsonl").read_text(encoding="utf-8").splitlines()
    threads: list[dict[str, Any]] = [json.loads(line) for line in lines]
    thread = next(thread for thread in threads if thread["id"] == 38)
    last = thread["post_stream"]["posts"][-1]
    posted = {"id": 9000 + number, "post_number": last["post_number"] + 1, "user_id": user[0], "username": user[1], "raw": words}
    plain = {key: value for key, value in last.items() if key not in ("cooked", "post_action_users", "actions_summary")}
    thread["post_stream"]["posts"].append({**plain, **posted, "version": 1, "actions_summary": [], "reply_to_post_number": None})
    (folder / "topics.jsonl").write_text("".join(json.dumps(thread) + "\n" for thread in threads), encoding="utf-8")


def test_a_claim_from_first_to_last(forum: Path, run: Runner) -> None:
    words = ("claim", "new", "wrenfield", "--address", ONE.address, "--chain", "1", "--round", "r1")
    assert run("claim", "list").stdout == "No claim yet.\n"
    result = run(*words, "-o", "claim.txt")
    assert (result.exit_code, result.stdout) == (0, "")
    text = Path("claim.txt").read_text()
    line = next(line.strip() for line in result.stderr.splitlines() if "precipitate-claim:" in line)
    signed = ("claim", "verify", "claim.txt", "--signature", ONE.sign(text))
    told = run.json(*signed, code=1)
    assert "in no post that was read" in told["message"] and line in told["next"]

    speak(forum, 1, (8, "wrenfield"), f"Where I want mine:\n\n{line}")
    assert run("run", "--quiet").exit_code == 0
    assert run.json(*signed, "--round", "r2", code=1)["message"].startswith("claim.txt claims from round r1")
    result = run(*signed)
    assert result.exit_code == 0, result.stderr
    assert f"wrenfield@forum.harbourside.example is paid at {ONE.address}" in result.stdout
    assert "https://forum.harbourside.example/t/38/" in result.stdout
    assert "was used before" in run.json(*signed, code=1)["message"]
    assert run("round", "allocate", "r1").exit_code == 0
    assert [row["address"] for row in run.json("round", "show", "r1")["payouts"]] == [ONE.address]

    told = run.json("claim", "list", "--log")
    assert (told["events"], told["findings"], len(told["log"])) == (1, [], 1)
    assert run("claim", "list", "--head", told["head"]).exit_code == 0
    assert run("claim", "list", "--log").stdout == told["log"][0] + "\n"
    assert run("claim", "list", "--head", "0" * 64).exit_code == 4
    assert "cut off" in run("claim", "list", "--log", "--head", "0" * 64).stderr

    assert "is revoked" in run("claim", "revoke", "wrenfield", "--reason", "moved").stdout
    assert run("round", "freeze", "r1", "--again", "the claim was revoked").exit_code == 0
    assert run.json("round", "allocate", "r1")["payouts"] == []
    assert run("claim", "list").stdout.startswith("2 events, head ")


def test_a_contract_wallet_ends_with_3_until_it_was_asked(forum: Path, run: Runner) -> None:
    claim = run.json("claim", "new", "hexnut", "--address", TWO.address, "--chain", "10", "--round", "r1")
    Path("claim.txt").write_text(claim["text"] + "\n")
    speak(forum, 1, (17, "hexnut"), claim["post_back"])
    assert run("run", "--quiet").exit_code == 0
    signed = ("claim", "verify", "claim.txt", "--signature", "0x" + "11" * 130)
    result = run(*signed)
    assert result.exit_code == 3 and "pending" in result.stdout and "--checked-at-block" in result.stdout
    assert "pending" in run("claim", "list").stdout
    assert run.json(*signed, "--checked-at-block", "23000000")["kind"] == "claimed"


def test_a_merge_and_a_rotation(forum: Path, run: Runner) -> None:
    claim = run.json("claim", "new", "hexnut", "--with", "wrenfield", "--address", ONE.address, "--chain", "1", "--round", "r1")
    Path("both.txt").write_text(claim["text"])
    speak(forum, 1, (17, "hexnut"), claim["post_back"])
    speak(forum, 2, (8, "wrenfield"), claim["post_back"])
    assert run("run", "--quiet").exit_code == 0
    assert "are one person's from now on" in run("claim", "verify", "both.txt", "--signature", ONE.sign(claim["text"])).stdout
    assert "one person with 1 more" in run("claim", "list").stdout
    result = run("claim", "new", "hexnut", "--address", TWO.address, "--chain", "1", "--round", "r1")
    assert f"have {ONE.address} sign it, too" in result.stderr
    claim = run.json("claim", "new", "hexnut", "--address", TWO.address, "--chain", "1", "--round", "r1")
    Path("next.txt").write_text(claim["text"])
    speak(forum, 3, (17, "hexnut"), claim["post_back"])
    assert run("run", "--quiet").exit_code == 0
    signed = ("claim", "verify", "next.txt", "--signature", TWO.sign(claim["text"]))
    assert "--without-old-wallet" in run.json(*signed, code=1)["next"]
    assert f"no longer at {ONE.address}" in run(*signed, "--old-signature", ONE.sign(claim["text"])).stdout


def test_what_cannot_be_read(forum: Path, run: Runner) -> None:
    assert "cannot read nothing.txt" in run.json("claim", "verify", "nothing.txt", "--signature", "0x11", code=2)["message"]
    Path("odd.txt").write_bytes(b"\xff\xfe")
    assert "byte 0 is not ASCII" in run.json("claim", "verify", "odd.txt", "--signature", "0x11", code=1)["message"]
    assert "no author named" in run.json("claim", "revoke", "nobody-here", "--reason", "x", code=2)["message"]
