"""`round new` with settings, `round import` and `round compare` from the outside."""

from __future__ import annotations

from pathlib import Path

from index.workspace import Workspace
from tests.cli.conftest import Runner
from tests.rewards.builders import TOKEN

VOTER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_a_round_by_votes(filled: Workspace, run: Runner) -> None:
    result = run("round", "new", "r1", "--budget", "1000", "--token", TOKEN, "--policy", "quadratic", "--cap", "50%")
    assert result.exit_code == 0
    assert "warning: under quadratic who votes from many accounts" in result.stderr and "warning: the cap is" in result.stderr
    Path("votes.csv").write_text(f"voter,contributor,amount\n{VOTER},wrenfield,4\njun_mesh,wrenfield,9\njun_mesh,wrenfield,=1\n")
    result = run("round", "import", "r1", "votes.csv")
    assert result.exit_code == 3 and "votes.csv:4: amount '=1' starts like a spreadsheet formula" in result.stdout
    assert run.json("round", "import", "r1", "votes.csv", code=3)["unchanged"] == 2
    told = run.json("round", "compare", "r1")
    assert told["schema"] == "precipitate/comparison/1" and told["votes"] >= 2
    assert [row["policy"] for row in told["policies"] if row["chosen"]] == ["quadratic"]
    assert "* the round's own policy" in run("round", "compare", "r1").stdout
    shares = {a["handle"]: int(a["amount"]) for a in run.json("round", "allocate", "r1")["allocations"]}
    assert 0 < shares["wrenfield"] <= 500 * 10**18
    assert "The policy is quadratic (cap 500)" in run("why", "wrenfield", "r1").stdout


def test_settings_that_cannot_be_are_refused(filled: Workspace, run: Runner) -> None:
    told = run.json("round", "new", "r1", "--budget", "10", "--token", TOKEN, "--tilt", "0.5", code=2)
    assert "would gain" in told["message"] and "--verified" in told["next"]
    assert (
        "there are: proportional" in run.json("round", "new", "r1", "--budget", "10", "--token", TOKEN, "--policy", "best", code=2)["next"]
    )
    assert run.json("round", "list") == []
    assert run.json("round", "compare", "r1", code=2)["message"] == "no round named 'r1'"
    assert run.json("round", "import", "r1", "none.csv", code=2)["message"] == "no round named 'r1'"
