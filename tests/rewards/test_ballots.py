"""Votes: vouches from credits, contributions from a list, and a whole round by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index import tables_policies
from index import tables_rewards as tables
from index.config import Config
from index.errors import UsageError
from index.records import Identity
from index.store import Store
from index.workspace import Workspace
from publish.comparison import render_comparison, sparkline
from rewards import verify
from rewards.ballots import ballots, import_contributions
from rewards.compare import compare_round, gini_bp, lorenz_bp
from rewards.identities import ImportReport
from rewards.pipeline import credit
from rewards.policies import POLICIES
from rewards.published import read_round
from rewards.rounds import allocate, new_round
from rewards.why import render_why, why
from tests.rewards.builders import ADDRESSES, TOKEN, author_id, cite, procedure, put_forum, put_procedures, stance, step

VOTER = ADDRESSES[2]
RECORD = procedure(
    step(1, cite(1, "ann", 1, exact="Fill in the form.")),
    step(2, cite(2, "bob", 2, exact="Post it before noon.")),
    step(3, cite(3, "ann", 3, exact="Wait for the answer.")),
    stances=(
        stance("support", 1, cite(4, "cleo", 4, exact="Worked for me.")),
        stance("support", 3, cite(5, "cleo", 5, exact="This too.")),
        stance("support", 2, cite(6, "ann", 6, exact="Yes, noon.")),
    ),
)


@pytest.fixture
def filled(store: Store) -> Store:
    put_forum(store, RECORD, likes={1: ["fan"]})
    put_procedures(store, RECORD)
    credit(store, Config())
    return store


def import_text(store: Store, folder: Path, text: str | bytes, round_: str = "r1") -> ImportReport:
    path = folder / "votes.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_contributions(store, round_, 2, path)


def identify(store: Store, **addresses: str) -> None:
    tables.put_identities(store, [Identity(author_id(name), address, "test") for name, address in addresses.items()])


# --- vouches --------------------------------------------------------------------------------------------------------


def test_who_confirmed_a_step_vouches_for_who_said_it_first(filled: Store) -> None:
    found = [(b.voter, b.author, b.amount, b.origin) for b in ballots(filled, "r1", 100, tables.credits(filled))]
    assert found == [(author_id("ann"), author_id("bob"), 100, "vouch"), (author_id("cleo"), author_id("ann"), 200, "vouch")]
    assert ballots(filled, "r1", 0, tables.credits(filled)) == []


# --- importing ------------------------------------------------------------------------------------------------------


def test_contributions_are_imported_once(filled: Store, tmp_path: Path) -> None:
    text = f"voter,contributor,amount,trust\n{VOTER.lower()},ann@forum.example.org,1.5,0.25\nfan,bob,0,\n"
    assert import_text(filled, tmp_path, text) == ImportReport(2, 0, 0, ())
    given = {c.voter: c for c in tables_policies.contributions(filled, "r1")}
    assert (given[VOTER].amount, given[VOTER].trust_bp, given[VOTER].origin) == (150, 2500, "votes.csv:2")
    assert (given[author_id("fan")].amount, given[author_id("fan")].trust_bp) == (0, None)
    assert import_text(filled, tmp_path, text) == ImportReport(0, 0, 2, ())
    assert import_text(filled, tmp_path, f"voter,contributor,amount\n{VOTER},ann,2\n") == ImportReport(0, 1, 0, ())
    assert tables_policies.contributions(filled, "r2") == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("fan,ann,NaN", "is not a number"),
        ("fan,ann,Infinity", "is not a number"),
        ("fan,ann,-5", "starts like a spreadsheet formula"),
        ("fan,ann,1e9", "exponent"),
        ("fan,ann,0.001", "decimal places"),
        ("fan,ann,", "amount is empty"),
        ("fan,ann", "2 cells"),
        ("=cmd,ann,5", "starts like a spreadsheet formula"),
        ("fan,@ann,5", "starts like a spreadsheet formula"),
        ("nobody,ann,5", "no author named 'nobody'"),
        ("fan,nobody,5", "no author named 'nobody'"),
        ("ann,ann,5", "votes for themselves"),
        ("0x12,ann,5", "an address has 40"),
        (f"{VOTER[:-1]}e,ann,5", "wrong checksum"),
    ],
)
def test_a_bad_row_is_reported_and_the_rest_goes_on(filled: Store, tmp_path: Path, row: str, reason: str) -> None:
    report = import_text(filled, tmp_path, f"voter,contributor,amount\n{row}\nfan,bob,5\n")
    assert report.added == 1 and [c.author for c in tables_policies.contributions(filled, "r1")] == [author_id("bob")]
    (out,) = report.left_out
    assert out.where == "votes.csv:2" and reason in out.reason and out.way_out


def test_trust_is_between_zero_and_one(filled: Store, tmp_path: Path) -> None:
    report = import_text(filled, tmp_path, "voter,contributor,amount,trust\nfan,ann,5,1.5\nfan,bob,5,much\n")
    assert [out.reason.split()[0] for out in report.left_out] == ["trust", "trust"] and report.added == 0


def test_repeated_rows_count_once_and_contradictory_ones_not_at_all(filled: Store, tmp_path: Path) -> None:
    report = import_text(filled, tmp_path, "voter,contributor,amount\nfan,ann,5\nfan,ann,5.00\nfan,bob,1\nfan,bob,2\n")
    assert [(c.author, c.amount) for c in tables_policies.contributions(filled, "r1")] == [(author_id("ann"), 500)]
    assert [out.where for out in report.left_out] == ["votes.csv:3", "votes.csv:4", "votes.csv:5"]
    assert "duplicate of line 2" in report.left_out[0].reason and "different in lines 4, 5" in report.left_out[1].reason


@pytest.mark.parametrize("text", ["", "voter,amount\n", "voter,contributor,amount,amount\n", "voter,contributor,amount,trust,trust\n"])
def test_without_a_header_nothing_is_guessed(filled: Store, tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="header has no single column"):
        import_text(filled, tmp_path, text)


# --- whole rounds ---------------------------------------------------------------------------------------------------


def test_a_quadratic_round_is_published_with_its_votes_and_verifies(filled: Store, workspace: Workspace, tmp_path: Path) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, "quadratic", {"cap": "60%", "vouch": "1"})
    import_text(filled, tmp_path, f"voter,contributor,amount\n{VOTER},ann,4\nfan,bob,9\nbob,ann,1\n")
    report = allocate(filled, workspace, "r1")
    snapshot = read_round(workspace, "r1")
    assert verify.verify_round(snapshot) == []
    assert {a["handle"]: int(a["amount"]) for a in snapshot["allocations"]} == {"ann": 60_000, "bob": 40_000, "cleo": 0}
    assert len(snapshot["policy"]["votes"]) == 5 and snapshot["policy"]["terms"]["cap"] == "60000"
    assert any("many accounts" in note for note in report.notes) and "1 payee reaches the cap of 600" in report.notes
    snapshot["policy"]["votes"][0]["amount"] = "1"
    assert any("the votes give" in finding for finding in verify.verify_round(snapshot))


def test_why_tells_the_policy(filled: Store, workspace: Workspace, tmp_path: Path) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, "quadratic", {"cap": "45%"})
    import_text(filled, tmp_path, f"voter,contributor,amount\n{VOTER},ann,4\nfan,bob,9\n")
    allocate(filled, workspace, "r1")
    text = render_why(why(read_round(workspace, "r1"), "ann"))
    assert "The policy is quadratic (cap 450): 2 voters give a weight of" in text and "held down to the cap" in text
    assert "which is no share" in render_why(why(read_round(workspace, "r1"), "cleo"))


def test_a_second_balanced_round_pays_who_was_left_behind(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, "clrfund-linear")
    allocate(filled, workspace, "r1")
    new_round(filled, "r2", "1000", TOKEN, 2, options={"emission": "balanced"})
    allocate(filled, workspace, "r2")
    first, second = (read_round(workspace, name) for name in ("r1", "r2"))
    assert verify.verify_round(first) == verify.verify_round(second) == []
    both = {a["author"]: int(a["amount"]) for a in first["allocations"]}
    both = {a["author"]: both[a["author"]] + int(a["amount"]) for a in second["allocations"]}
    points, total = tables.points_by_author(filled), second["totals"]["points"]
    for author, amount in both.items():
        assert abs(amount - 200_000 * points[author] // total) <= 1, author


def test_a_verified_round_pays_people_and_holds_nothing(filled: Store, workspace: Workspace) -> None:
    identify(filled, ann=ADDRESSES[0], bob=ADDRESSES[1])
    new_round(filled, "r1", "1000", TOKEN, 2, options={"verified": True, "tilt": "0.5"})
    settlement = allocate(filled, workspace, "r1").settlement
    assert (settlement.paid, settlement.held) == (100_000, 0)
    snapshot = read_round(workspace, "r1")
    assert verify.verify_round(snapshot) == []
    ann, bob = (int(next(a for a in snapshot["allocations"] if a["handle"] == name)["amount"]) for name in ("ann", "bob"))
    points = tables.points_by_author(filled)
    ratio = points[author_id("ann")] / points[author_id("bob")]
    assert ann / bob == pytest.approx(ratio**0.5, rel=1e-4)
    assert "without a verified identity there is no share" in render_why(why(snapshot, "cleo"))


def test_a_round_from_before_there_were_settings_is_shared_as_before(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2)
    filled.execute("DELETE FROM round_terms")
    allocate(filled, workspace, "r1")
    snapshot = read_round(workspace, "r1")
    assert verify.verify_round(snapshot) == []
    assert "policy" not in snapshot  # points say all


# --- comparing ------------------------------------------------------------------------------------------------------


def test_a_round_is_compared_under_every_policy(filled: Store, tmp_path: Path) -> None:
    new_round(filled, "r1", "1000", TOKEN, 2, "quadratic")
    import_text(filled, tmp_path, f"voter,contributor,amount\n{VOTER},ann,4\nfan,bob,9\n")
    told = compare_round(filled, "r1")
    assert told == compare_round(filled, "r1") == json.loads(json.dumps(told))
    rows: dict[str, dict[str, Any]] = {row["policy"]: row for row in told["policies"]}
    assert list(rows) == list(POLICIES) and [p for p, row in rows.items() if row["chosen"]] == ["quadratic"]
    assert rows["proportional"]["payees"] == 3 and rows["proportional"]["splitting_gain_bp"] in (9_999, 10_000)
    assert rows["proportional"]["vote_splitting_gain_bp"] == 10_000 and rows["quadratic"]["vote_splitting_gain_bp"] > 10_000
    assert rows["proportional"]["newcomer_share_bp"] == 10_000 and told["newcomers"] == 3
    text = render_comparison(told)
    assert "quadratic *" in text and text.count("clrfund-linear") == 3


def test_figures_of_known_shares() -> None:
    assert gini_bp([5, 5, 5, 5]) == 0 and gini_bp([0, 0, 0, 8]) == 7500 and gini_bp([0]) is None
    assert lorenz_bp([1] * 10) == [n * 1000 for n in range(1, 11)]
    assert lorenz_bp([0, 10]) == [0, 0, 0, 0, 0, 2000, 4000, 6000, 8000, 10_000]
    assert sparkline([0, 1250, 5000, 10_000]) == "▁▂▅█"
