"""From stored procedures to a published round, its exports and its explanation."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from index import tables_rewards as tables
from index.config import Config
from index.errors import MoneyError, StateError, StoreError, UnknownName, UsageError
from index.records import Identity
from index.store import Store
from index.workspace import Workspace
from rewards import verify
from rewards.exports import EXPORTS, export
from rewards.exports.sheets import SAFE_ROWS
from rewards.pipeline import credit
from rewards.published import read_round
from rewards.rounds import allocate, freeze, new_round
from rewards.why import render_why, why
from tests.rewards.builders import ADDRESSES, SOURCE, TOKEN, author_id, cite, procedure, put_forum, put_procedures, stance, step

RECORD = procedure(
    step(1, cite(1, "ann", 1, exact="Fill in Form G2."), cite(9, "copycat", 20, exact="Complete Form G2!"), text="Fill in Form G4"),
    step(2, cite(2, "bob", 2, exact="Then post it\nbefore\u202e noon\x1b[2J."), text="Post it before noon"),
    stances=(
        stance("amendment", 1, cite(3, "cleo", 3, exact="G2 is gone, fill in G4.")),
        stance("support", 2, cite(4, "dora", 4, exact="Did so.")),
    ),
)


@pytest.fixture
def filled(store: Store) -> Store:
    put_forum(store, RECORD, likes={1: ["fan", "ann"], 2: ["eve"]})
    put_procedures(store, RECORD)
    credit(store, Config())
    return store


def identify(store: Store, **addresses: str) -> None:
    tables.put_identities(store, [Identity(author_id(name), address, "test") for name, address in addresses.items()])


@pytest.fixture
def snapshot(filled: Store, workspace: Workspace) -> dict[str, Any]:
    identify(filled, ann=ADDRESSES[0], bob=ADDRESSES[1], cleo=ADDRESSES[0])
    new_round(filled, "r1", "10000", TOKEN, 18)
    allocate(filled, workspace, "r1")
    return read_round(workspace, "r1")


# --- credit ---------------------------------------------------------------------------------------------------------


def test_credit_is_stored_whole_and_again_the_same(filled: Store) -> None:
    first = tables.credits(filled), tables.uncredited(filled)
    report = credit(filled, Config())
    assert (tables.credits(filled), tables.uncredited(filled)) == first
    assert (report.procedures, report.steps, report.credits, report.authors) == (1, 2, 4, 4)
    assert report.left_out == {"late copy": 1}
    assert tables.points_by_author(filled) == {
        author_id(name): points for name, points in {"ann": 500_000, "bob": 700_000, "cleo": 200_000, "dora": 100_000}.items()
    }


def test_a_source_that_may_not_be_paid_earns_nothing(filled: Store) -> None:
    filled.execute("UPDATE sources SET payable = false")
    report = credit(filled, Config())
    assert report.credits == 0 and report.left_out == {"late copy": 1, "source not payable": 4}


def test_a_buried_post_earns_nothing(filled: Store) -> None:
    filled.execute("UPDATE posts SET state = 'author_deleted' WHERE number = 2")
    assert credit(filled, Config()).left_out == {"late copy": 1, "post gone": 1}
    assert author_id("bob") not in tables.points_by_author(filled)


def test_credits_without_their_procedure_are_refused(filled: Store, workspace: Workspace) -> None:
    put_procedures(filled, {**RECORD, "version_id": "another"})
    new_round(filled, "r1", "10", TOKEN)
    with pytest.raises(StoreError, match="older than the SOPs"):
        allocate(filled, workspace, "r1")
    assert tables.rounds(filled)[0].state == "new" and not (workspace.rounds / "r1.json").exists()


# --- rounds ---------------------------------------------------------------------------------------------------------


def test_an_allocated_round_holds_what_it_cannot_pay_and_verifies(snapshot: dict[str, Any]) -> None:
    totals = snapshot["totals"]
    assert int(totals["paid"]) + int(totals["held"]) + int(totals["residual"]) == 10_000 * 10**18
    assert totals["residual"] == "0" and snapshot["release"] is None
    assert {a["handle"]: a["state"] for a in snapshot["allocations"]} == {"ann": "paid", "bob": "paid", "cleo": "paid", "dora": "held"}
    assert [len(p["authors"]) for p in snapshot["payouts"]] == [2, 1]
    assert verify.verify_round(snapshot, json.loads(export("payouts", "merkle", snapshot)[0][1])) == []


@pytest.mark.parametrize("change", ["amount", "points", "held", "payout", "swap", "address"])
def test_the_verifier_finds_a_changed_round(snapshot: dict[str, Any], change: str) -> None:
    allocations = snapshot["allocations"]
    if change == "amount":
        allocations[0]["amount"] = str(int(allocations[0]["amount"]) + 1)
    elif change == "points":
        snapshot["credits"][0]["points"] += 1
    elif change == "held":
        snapshot["totals"]["held"] = "0"
    elif change == "payout":
        snapshot["payouts"].pop()
    elif change == "swap":
        one, other = int(allocations[0]["amount"]) + 1, int(allocations[1]["amount"]) - 1
        allocations[0]["amount"], allocations[1]["amount"] = str(one), str(other)
    else:
        allocations[0]["address"] = None
    assert verify.verify_round(snapshot)


def test_allocating_again_changes_nothing(filled: Store, workspace: Workspace) -> None:
    new_round(filled, "r1", "100", TOKEN, 0)
    assert allocate(filled, workspace, "r1").notes == ()
    assert read_round(workspace, "r1")["totals"]["held"] == "100"
    identify(filled, dora=ADDRESSES[3])
    report = allocate(filled, workspace, "r1")
    assert len(report.notes) == 1 and "nothing changed" in report.notes[0] and report.settlement.paid == 0
    freeze(filled, workspace, "r1", again="dora claimed")
    assert allocate(filled, workspace, "r1").settlement.paid == 7
    assert {a.author: a.amount for a in tables.allocations(filled, "r1") if a.state == "paid"} == {author_id("dora"): 7}


def test_an_identity_that_is_the_token_is_held(filled: Store, workspace: Workspace) -> None:
    identify(filled, ann=TOKEN)
    new_round(filled, "r1", "100", TOKEN, 0)
    report = allocate(filled, workspace, "r1")
    assert report.settlement.paid == 0 and "token's own contract" in report.notes[0]


def test_without_credit_all_is_residual(store: Store, workspace: Workspace) -> None:
    new_round(store, "r1", "100", "native", 0)
    settlement = allocate(store, workspace, "r1").settlement
    assert (settlement.paid, settlement.held, settlement.residual) == (0, 0, 100)
    assert verify.verify_round(read_round(workspace, "r1")) == []


def test_the_release_that_was_current_is_named(filled: Store, workspace: Workspace) -> None:
    workspace.current.mkdir()
    (workspace.current / "manifest.json").write_text('{"root": "sha256:abc"}', encoding="utf-8")
    new_round(filled, "r1", "10", TOKEN)
    allocate(filled, workspace, "r1")
    assert read_round(workspace, "r1")["release"] == "sha256:abc"


@pytest.mark.parametrize("name", ["", "../r1", "a/b", ".hidden", "r 1", "x" * 65, "r1.", "-r"])
def test_names_that_are_no_file_names_are_refused(store: Store, workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a file name"):
        new_round(store, name, "10", TOKEN)
    with pytest.raises(UsageError, match="cannot be a file name"):
        read_round(workspace, name)


def test_unknown_taken_and_unallocated_rounds(store: Store, workspace: Workspace) -> None:
    with pytest.raises(UnknownName) as caught:
        read_round(workspace, "r1")
    assert "no round yet" in caught.value.way_out
    new_round(store, "spring", "10", TOKEN, workspace=workspace)
    with pytest.raises(StateError, match="round spring is new") as early:
        read_round(workspace, "spring")
    assert "round allocate spring" in early.value.way_out
    with pytest.raises(UsageError, match="already"):
        new_round(store, "Spring", "10", TOKEN)
    with pytest.raises(UnknownName) as caught:
        allocate(store, workspace, "sprnig")
    assert caught.value.way_out == "nearest: spring"
    with pytest.raises(UnknownName, match="policy"):
        new_round(store, "r2", "10", TOKEN, policy="quadratik")
    with pytest.raises(MoneyError):
        new_round(store, "r2", "0.5", TOKEN, 0)


def test_a_damaged_snapshot_is_told(workspace: Workspace) -> None:
    for text in ("{", "{}", "[]"):
        (workspace.rounds / "r1.json").write_text(text, encoding="utf-8")
        with pytest.raises(StoreError, match=r"r1\.json"):
            read_round(workspace, "r1")


# --- exports --------------------------------------------------------------------------------------------------------


def safe_rows(snapshot: dict[str, Any]) -> list[dict[str, str]]:
    return [row for _, text in export("payouts", "safe-csv", snapshot) for row in csv.DictReader(io.StringIO(text))]


def test_safe_csv_sums_to_what_is_paid(snapshot: dict[str, Any]) -> None:
    (name, text), *rest = export("payouts", "safe-csv", snapshot)
    assert name == "payouts-r1.csv" and not rest
    assert text.splitlines()[0] == "token_type,token_address,receiver,amount,id"
    rows = safe_rows(snapshot)
    assert {(row["token_type"], row["token_address"], row["id"]) for row in rows} == {("erc20", TOKEN, "")}
    assert [row["receiver"] for row in rows] == [ADDRESSES[0], ADDRESSES[1]]
    assert sum(int(Decimal(row["amount"]).scaleb(18)) for row in rows) == int(snapshot["totals"]["paid"])


def test_safe_csv_is_split_and_leaves_the_native_token_blank(snapshot: dict[str, Any]) -> None:
    count = 2 * SAFE_ROWS + 1
    payouts = [{"address": f"0x{n:040x}", "amount": str(n), "authors": []} for n in range(1, count + 1)]
    totals = {**snapshot["totals"], "paid": str(count * (count + 1) // 2)}
    many = {**snapshot, "payouts": payouts, "totals": totals, "round": {**snapshot["round"], "token": "native"}}
    files = export("payouts", "safe-csv", many)
    assert [name for name, _ in files] == [f"payouts-r1-{n}-of-3.csv" for n in (1, 2, 3)]
    assert [len(text.splitlines()) - 1 for _, text in files] == [500, 500, 1]
    assert {(row["token_type"], row["token_address"]) for row in safe_rows(many)} == {("native", "")}
    assert sum(int(Decimal(row["amount"]).scaleb(18)) for row in safe_rows(many)) == count * (count + 1) // 2


def test_payouts_json_holds_the_root_and_the_held(snapshot: dict[str, Any]) -> None:
    data = json.loads(export("payouts", "json", snapshot)[0][1])
    assert data["merkle_root"] == json.loads(export("payouts", "merkle", snapshot)[0][1])["tree"][0]
    assert [entry["handle"] for entry in data["held"]] == ["dora"]
    held = sum(int(entry["amount"]) for entry in data["held"])
    assert sum(int(p["amount"]) for p in data["payouts"]) + held + int(data["totals"]["residual"]) == int(data["round"]["budget"])


def test_a_round_that_pays_nobody_has_no_payment_file(snapshot: dict[str, Any]) -> None:
    empty = {**snapshot, "payouts": [], "totals": {**snapshot["totals"], "paid": "0"}}
    for form in ("safe-csv", "merkle"):
        with pytest.raises(StateError, match="pays nobody"):
            export("payouts", form, empty)
    assert json.loads(export("payouts", "json", empty)[0][1])["merkle_root"] is None


def test_credits_go_out_in_every_format(filled: Store) -> None:
    records = tables.credit_records(filled)
    texts = {form: str(export("credits", form, records)[0][1]) for form in EXPORTS["credits"] if form != "parquet"}
    assert json.loads(texts["json"]) == [json.loads(line) for line in texts["jsonl"].splitlines()] == records
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [int(row["points"]) for row in rows] == [record["points"] for record in records]
    assert rows[0]["quote"] == "Fill in Form G2."


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_peoples_words_is_a_formula(filled: Store, start: str) -> None:
    records = [{**record, "quote": f"{start}HYPERLINK()", "handle": f"{start}x"} for record in tables.credit_records(filled)]
    row = next(csv.DictReader(io.StringIO(export("credits", "csv", records)[0][1], newline="")))
    assert row["quote"] == f"'{start}HYPERLINK()" and row["handle"] == f"'{start}x"


def test_an_unknown_export_is_answered_with_the_valid_ones(snapshot: dict[str, Any]) -> None:
    with pytest.raises(UnknownName) as caught:
        export("payouts", "xlsx", snapshot)
    assert caught.value.way_out.startswith("there are: safe-csv, merkle, json, csv, parquet, allo-v2")
    with pytest.raises(UnknownName):
        export("coins", "json", snapshot)


# --- why ------------------------------------------------------------------------------------------------------------


def test_why_goes_down_to_the_quote_and_sums(snapshot: dict[str, Any]) -> None:
    told = why(snapshot, "ann")
    assert told["money"]["shared_with"] == [author_id("cleo")]
    credits = [c for p in told["procedures"] for s in p["steps"] for c in s["credits"]]
    assert sum(int(c["amount"]) for c in credits) == int(told["money"]["amount"])
    assert sum(c["points"] for c in credits) == told["points"] == 500_000
    text = render_why(told)
    for part in (
        "“Fill in Form G2.”",
        "https://forum.example.org/t/1/1",
        "500,000 of 1,500,000 points",
        "budget of 10000 tokens",
        TOKEN,
        ADDRESSES[0],
    ):
        assert part in text
    assert "tokens in round r1, paid to" in text and author_id("cleo") in text


def test_why_shows_quotes_without_tricks_for_the_terminal(snapshot: dict[str, Any]) -> None:
    told = why(snapshot, f"bob@{SOURCE.partition(':')[2]}")
    assert told["procedures"][0]["steps"][0]["credits"][0]["quote"] == "Then post it\nbefore\u202e noon\x1b[2J."
    assert "“Then post it before noon[2J.”" in render_why(told)


def test_why_an_amendment_quotes_the_amendment(snapshot: dict[str, Any]) -> None:
    assert "“G2 is gone, fill in G4.”" in render_why(why(snapshot, "cleo"))
    assert "held until an address is known" in render_why(why(snapshot, "dora"))


def test_why_a_copy_earned_nothing(snapshot: dict[str, Any]) -> None:
    text = render_why(why(snapshot, "copycat"))
    assert "copycat@forum.example.org gets nothing in round r1" in text
    assert "step 1 was said before, in post" in text and "“Complete Form G2!”" in text


def test_why_without_a_round(filled: Store) -> None:
    text = render_why(why(tables.credit_records(filled), "ann"))
    assert text.startswith("ann@forum.example.org has 500,000 of 1,500,000 points.")
    assert "“Fill in Form G2.”" in text


def test_why_of_who_is_not_in_the_round(snapshot: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no author in round r1 named 'an0'") as caught:
        why(snapshot, "an0")
    assert "nearest: " in caught.value.way_out and "earns nothing" in caught.value.way_out
