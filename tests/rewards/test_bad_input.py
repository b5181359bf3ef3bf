"""Bad input through a whole round: what the other tests say of each part, said once of all of it together.

Elsewhere: addresses in test_money.py, test_identities.py and test_life.py (teams); an address of two accounts in
test_identities.py and test_claims.py; replayed, expired and foreign claims and contract wallets in test_claims.py; numbers and
formulas in CSVs in test_ballots.py, test_identities.py and test_eligibility.py; opt-outs and deleted posts in test_life.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from index import tables_rewards as tables
from index.store import Store
from index.workspace import Workspace
from rewards.audit import audit
from rewards.ballots import import_contributions
from rewards.exports import PAYOUTS, export
from rewards.finalising import finalise, read_payouts
from rewards.identities import import_identities
from rewards.published import read_round
from rewards.rounds import allocate, find_round, new_round
from rewards.tombstones import erase
from tests.rewards.builders import ADDRESSES, TOKEN, author_id
from tests.rewards.test_life import DAYS, delete, filled  # noqa: F401

SHEET = f"""\
handle,address
ann,{ADDRESSES[0]}
bob,{ADDRESSES[0]}
cleo,0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD
dora,{"0x" + "0" * 40}
copycat,{TOKEN}
fan,0x12
eve,NaN
=HYPERLINK("x"),{ADDRESSES[1]}
nobody,{ADDRESSES[1]}
"""


def test_a_bad_sheet_pays_nobody_wrongly(filled: Store, workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    filled.execute("DELETE FROM identities")
    new_round(filled, "r1", "1000", TOKEN, 2, options={"window": "0"}, at=DAYS[0])
    (tmp_path / "payees.csv").write_text(SHEET, encoding="utf-8")
    report = import_identities(filled, tmp_path / "payees.csv")
    assert (report.added, len(report.left_out)) == (0, 9)  # ann and bob claim one address: neither gets it
    assert [out.where for out in report.left_out] == [f"payees.csv:{line}" for line in range(2, 11)] and all(
        out.way_out for out in report.left_out
    )
    allocate(filled, workspace, "r1", at=DAYS[0])
    snapshot = read_round(workspace, "r1")
    assert snapshot["payouts"] == [] and snapshot["totals"]["held"] == "100000" and audit(filled, workspace, "r1")["well"]


@pytest.mark.parametrize("budget", ["1", "2", "3"])
@pytest.mark.parametrize("policy", ["proportional", "clrfund-linear"])
def test_a_budget_smaller_than_the_number_of_payees(filled: Store, workspace: Workspace, budget: str, policy: str) -> None:  # noqa: F811
    new_round(filled, "r1", budget, TOKEN, 0, policy, {"window": "0"}, at=DAYS[0])
    report = allocate(filled, workspace, "r1", at=DAYS[0])
    finalise(filled, workspace, "r1", at=DAYS[0])
    totals = read_round(workspace, "r1")["totals"]
    assert sum(int(totals[key]) for key in ("paid", "held", "residual")) == int(budget)
    assert policy != "proportional" or any("more payees" in note for note in report.notes)
    assert audit(filled, workspace, "r1")["findings"] == []
    assert all(int(p["amount"]) > 0 for p in read_payouts(workspace, "r1")["payouts"])


def test_numbers_that_are_none_in_a_list_of_votes(filled: Store, workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    new_round(filled, "r1", "1000", TOKEN, 2, "quadratic", {"window": "0"}, at=DAYS[0])
    rows = [
        "fan,ann,NaN",
        "fan,bob,inf",
        "eve,ann,1e3",
        "eve,bob,0.001",
        "=1+1,ann,5",
        "fan,@ann,5",
        "0xzz,ann,5",
        "eve,ann,0x10",
        "eve,cleo,٣",
    ]
    (tmp_path / "votes.csv").write_text("voter,contributor,amount\n" + "\n".join(rows), encoding="utf-8")
    report = import_contributions(filled, "r1", 2, tmp_path / "votes.csv")
    assert (report.added, len(report.left_out)) == (0, len(rows))
    allocate(filled, workspace, "r1", at=DAYS[0])
    assert audit(filled, workspace, "r1")["well"]


def test_everybody_vanished_after_the_freeze(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    new_round(filled, "r1", "1000", TOKEN, 2, options={"window": "0", "deleted": "forfeit"}, at=DAYS[0])
    allocate(filled, workspace, "r1", at=DAYS[0])
    for number in (1, 2, 3, 4, 5, 9):
        delete(filled, number)
    erase(filled, workspace, at=DAYS[1])
    finalise(filled, workspace, "r1", at=DAYS[1])
    snapshot = read_round(workspace, "r1")
    assert snapshot["totals"]["residual"] == "100000" and snapshot["payouts"] == []
    assert not any(record["quote"] or record["step_text"] for record in (*snapshot["credits"], *snapshot["uncredited"]))
    assert audit(filled, workspace, "r1")["findings"] == []
    assert {c["author"] for c in snapshot["corrections"]} == {author_id(n) for n in ("ann", "bob", "cleo", "dora")}


def test_every_format_takes_a_team_and_refuses_a_round_that_pays_nobody(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    from rewards.teams import set_team

    set_team(filled, "duo", [f"{ADDRESSES[2]}=2", f"{ADDRESSES[3]}=1"], ["cleo", "dora"], at=DAYS[0])
    new_round(filled, "r1", "1000", TOKEN, 2, options={"window": "0"}, at=DAYS[0])
    allocate(filled, workspace, "r1", at=DAYS[0])
    finalise(filled, workspace, "r1", at=DAYS[0])
    for form in PAYOUTS:
        assert export("payouts", form, read_payouts(workspace, "r1")), form
    assert find_round(filled, "r1").state == "final" and len(tables.allocations(filled, "r1")) == 4
