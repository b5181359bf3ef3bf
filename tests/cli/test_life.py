"""The life of a round from the outside: programs, freeze, dispute, final, settle, paid, audit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.conftest import HOME
from tests.rewards.builders import ADDRESSES, TOKEN

TX = "0x" + "5c" * 32


def test_a_round_from_a_program_to_what_was_sent(filled: Workspace, run: Runner) -> None:
    Path("payees.csv").write_text(f"handle,address\nwrenfield,{ADDRESSES[0]}\n")
    assert run("identity", "import", "payees.csv").exit_code == 0
    assert run("program", "new", "docs", "--token", TOKEN, "--window", "0", "--unclaimed", "next", "--deleted", "forfeit").exit_code == 0
    assert run.json("round", "new", "r1", "--program", "docs", "--budget", "1000")["rules"]["unclaimed"] == "next"
    assert "open, since" in run("round", "open", "r1").stdout
    frozen = run.json("round", "freeze", "r1")
    assert frozen["round"]["state"] == "frozen" and frozen["root"].startswith("sha256:")
    assert "root" not in frozen["round"] and "frozen as sha256:" in run("round", "show", "r1").stdout
    Path("votes.csv").write_text(f"voter,contributor,amount\n{ADDRESSES[1]},wrenfield,5\n")
    late = run("round", "import", "r1", "votes.csv")
    assert late.exit_code == 0 and "it counts after precipitate round freeze r1 --again" in late.stderr
    told = run.json("round", "allocate", "r1")
    assert told["life"]["frozen"] == frozen["root"]
    assert "is not final" in run("export", "payouts", "--round", "r1").stderr
    assert run.json("round", "audit", "r1")["well"]
    assert "final: " in run("round", "finalise", "r1").stdout
    assert run.json("round", "settle", "r1")["released"] == []
    assert "1 payout of batch 1 sent in" in run("round", "paid", "r1", "--tx", TX).stdout
    assert "wrote why.html" in run("why", "wrenfield", "r1", "--html", "why.html").stdout
    assert Path("why.html").read_text(encoding="utf-8").startswith("<!doctype html>") and TX in Path("why.html").read_text(encoding="utf-8")
    shown = run("round", "show", "r1").stdout
    assert "final since" in shown and TX in shown
    assert "docs: token" in run("program", "list").stdout
    assert run("export", "round", "--round", "r1", "-o", "published/").exit_code == 0
    words = ["published/round-r1.json", "published/frozen-r1.json", "published/ledger.jsonl"]
    command = [sys.executable, "-I", str(HOME / "rewards/verify.py"), str(filled.current.resolve()), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all well"), done.stdout
    ledger = filled.rounds / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace(TX, "0x" + "5d" * 32))
    assert "FINDING ledger:" in run("round", "audit", "r1").stdout and run("round", "audit", "r1").exit_code == 4


def test_a_dispute_is_decided_by_corrections(filled: Workspace, run: Runner) -> None:
    assert run("round", "new", "r1", "--token", TOKEN, "--budget", "1000").exit_code == 0
    assert "can be disputed for 7 days" in run("round", "new", "r2", "--token", TOKEN, "--budget", "1").stdout
    assert run("round", "allocate", "r1").exit_code == 0
    assert "can be disputed until" in run.json("round", "finalise", "r1", code=1)["message"]
    assert "r1-d1 is open" in run("round", "dispute", "r1", "--author", "wrenfield", "--reason", "too much for me").stdout
    told = run.json("round", "decide", "r1", "r1-d1", "--uphold", "--reason", "so be it", "--set", "wrenfield=1.5")
    assert told["outcome"] == "upheld" and told["corrections"][0]["after"] == "1500000000000000000"
    assert run.json("round", "audit", "r1")["well"]
    assert "dispute r1-d1 upheld: so be it" in run("round", "show", "r1").stdout


def test_teams_opt_outs_and_lists(filled: Workspace, run: Runner) -> None:
    assert (
        "duo: "
        in run("identity", "team", "duo", "--member", f"{ADDRESSES[0]}=2", "--member", f"{ADDRESSES[1]}=1", "--account", "wrenfield").stdout
    )
    assert run.json("identity", "opt-out", "jun_mesh", "--reason", "asked for it")["opted_out"]
    assert run("round", "new", "r1", "--token", TOKEN, "--budget", "1000", "--stamps", "20").exit_code == 0
    Path("stamps.csv").write_text("account,score\nwrenfield,31.5\njun_mesh,12\nnobody,5\n=cmd,1\n")
    result = run("round", "import", "r1", "stamps.csv", "--as", "stamps")
    assert result.exit_code == 3 and "2 added" in result.stdout and "formula" in result.stdout
    told = run.json("round", "allocate", "r1")
    assert [a["handle"] for a in told["allocations"]] == ["wrenfield"] and len(told["payouts"]) == 2
    assert run("round", "new", "r2", "--token", TOKEN, "--budget", "1000", "--stamps", "40").exit_code == 0
    assert run("round", "import", "r2", "stamps.csv", "--as", "stamps").exit_code == 3
    (out,) = run.json("round", "freeze", "r2")["excluded"].values()
    assert out == "a stamp score of 31.5, the round asks for 40"
    assert "no share by the round's rules: 1 author" in run("round", "show", "r2").stdout
    again = run("round", "freeze", "r2", "--again", "to see it").stdout
    assert "no share by the round's rules: 1 author\n  a stamp score of 31.5, the round asks for 40: wrenfield\n" in again
    assert run.json("round", "audit", "r1")["well"]
    assert json.loads((filled.rounds / "r1.json").read_text())["teams"]["duo"] == {ADDRESSES[0]: 2, ADDRESSES[1]: 1}


def test_a_round_with_weights_of_its_own(filled: Workspace, run: Runner) -> None:
    Path("own.toml").write_text("first_said_bp = 3500\n")
    made = run("program", "new", "docs", "--token", TOKEN, "--window", "0", "--weights", "own.toml").stdout
    assert "by default: weights of its own, window 0" in made and "weights of its own" in run("program", "list").stdout
    inherited = run.json("round", "new", "p1", "--program", "docs", "--budget", "10")
    told = run.json("round", "new", "r1", "--token", TOKEN, "--budget", "1000", "--weights", "own.toml")
    assert told["weights"] == inherited["weights"] and inherited["rules"]["window"] == 0
    assert told["weights"]["weights"]["first_said_bp"] == 3500 and told["weights"]["hash"].startswith("sha256:")
    assert run("round", "new", "r0", "--token", TOKEN, "--budget", "1000").exit_code == 0
    assert (
        "weights of credit of its own, sha256:"
        in run("round", "new", "r2", "--token", TOKEN, "--budget", "1", "--weights", "own.toml").stdout
    )
    assert all(run("round", "allocate", name).exit_code == 0 for name in ("r1", "r0"))
    mine, usual = (json.loads((filled.rounds / f"{name}.json").read_text(encoding="utf-8")) for name in ("r1", "r0"))
    first = [{(c["procedure"], c["step"]): c["points"] for c in r["credits"] if c["role"] == "first_said"} for r in (mine, usual)]
    assert first[0] and first[0] == {key: points // 2 for key, points in first[1].items()}
    assert run.json("round", "audit", "r1")["findings"] == []
    Path("own.toml").write_text("decay_bp = 1\n")
    assert (
        "the workspace's is 9000"
        in run.json("round", "new", "r3", "--token", TOKEN, "--budget", "1", "--weights", "own.toml", code=2)["message"]
    )


def test_where_a_round_stands_before_anything_is_shared_out(filled: Workspace, run: Runner) -> None:
    assert "there is no round yet" in run.json("round", "show", "r1", code=2)["next"]
    assert run("round", "new", "r1", "--token", TOKEN, "--budget", "1000").exit_code == 0
    shown = run("round", "show", "r1")
    assert "r1: 1000 of token" in shown.stdout and shown.stdout.endswith("next: precipitate round allocate r1\n")
    assert run.json("round", "show", "r1")["round"]["state"] == "new"
    for words in (["export", "payouts", "--round", "r1"], ["why", "wrenfield", "r1"]):
        told = run.json(*words, code=1)
        assert (told["message"], told["next"]) == ("round r1 is new: nothing is shared out yet", "next: precipitate round allocate r1")
    early = run.json("round", "finalise", "r1", code=1)
    assert early["next"] == "next: precipitate round allocate r1"


def test_a_round_that_pays_nobody_says_so_at_every_turn(filled: Workspace, run: Runner) -> None:
    assert run("round", "new", "r1", "--token", TOKEN, "--budget", "1000", "--window", "0").exit_code == 0
    assert run("round", "allocate", "r1").exit_code == 0
    assert "no merkle root: nobody is paid yet" in run("round", "finalise", "r1").stdout
    assert "batch 1 of round r1 pays nobody" in run.json("round", "paid", "r1", "--tx", TX, code=1)["message"]
    assert "precipitate round settle r1" in run.json("export", "payouts", "--round", "r1", code=1)["next"]


def test_a_round_without_any_credit_says_that_nothing_is_shared_out(empty: Workspace, run: Runner) -> None:
    assert run("round", "new", "r1", "--token", TOKEN, "--budget", "1000", "--window", "0").exit_code == 0
    done = run("round", "allocate", "r1")
    assert done.exit_code == 0 and "nobody has earned any credit" in done.stderr
