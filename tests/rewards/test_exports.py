"""Every payout format by its own rules; tests/rewards/test_clients.py asks the programs that read them."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from index.errors import MoneyError, StateError, UsageError
from publish.exports import as_values, one_file
from rewards import verify
from rewards.exports import EXPORTS, PAYOUTS, export
from rewards.exports.payees import payee_hash, paying, read_ids
from rewards.exports.splits import MILLION
from rewards.exports.tokens import token_id
from rewards.exports.trees import HYPERCERT_UNITS
from rewards.money import NATIVE, ZERO_ADDRESS
from tests.conftest import HOME
from tests.rewards.builders import ADDRESSES, TOKEN, author_id
from tests.rewards.snapshots import address_of, crowd, round_of

SMALL = round_of(crowd(5), held=1)
POINTS = st.dictionaries(st.from_regex("[a-z]{1,6}", fullmatch=True), st.integers(1, 50), min_size=2, max_size=12)


def text_of(form: str, snapshot: dict[str, Any], place: int = 0, **rest: Any) -> str:
    content = export("payouts", form, snapshot, **rest)[place][1]
    assert isinstance(content, str)
    return content


def data_of(form: str, snapshot: dict[str, Any], **rest: Any) -> Any:
    return json.loads(text_of(form, snapshot, **rest))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("form", PAYOUTS)
def test_the_same_round_gives_the_same_bytes_whatever_its_order(form: str) -> None:
    turned = {**SMALL, "allocations": SMALL["allocations"][::-1], "credits": SMALL["credits"][::-1]}
    assert export("payouts", form, SMALL) == export("payouts", form, json.loads(json.dumps(SMALL)))
    if form not in ("json", "erc721"):  # which list in the order of the snapshot
        assert export("payouts", form, SMALL) == export("payouts", form, turned)


@pytest.mark.parametrize("form", sorted(set(PAYOUTS) - {"json", "erc721"}))
def test_a_round_that_pays_nobody_has_no_file(form: str) -> None:
    with pytest.raises(StateError, match="pays nobody"):
        export("payouts", form, round_of(crowd(3), held=3))


@pytest.mark.parametrize("form", PAYOUTS)
@pytest.mark.parametrize("change", ["paid", "twice", "zero", "huge"])
def test_a_snapshot_that_does_not_add_up_is_not_exported(form: str, change: str) -> None:
    spoiled = json.loads(json.dumps(SMALL))
    payouts = spoiled["payouts"]
    if change == "paid":
        spoiled["totals"]["paid"] = "1"
    elif change == "twice":
        payouts[0]["address"] = payouts[1]["address"].lower()
    else:
        amount = 0 if change == "zero" else 2**256
        spoiled["totals"]["paid"] = str(int(spoiled["totals"]["paid"]) - int(payouts[0]["amount"]) + amount)
        payouts[0]["amount"] = str(amount)
    with pytest.raises(MoneyError) as caught:
        export("payouts", form, spoiled)
    assert caught.value.way_out


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_shares_sum_exactly_and_follow_the_amounts(points: dict[str, int]) -> None:
    snapshot = round_of(points)
    due = {p["address"]: int(p["amount"]) for p in snapshot["payouts"]}
    total = sum(due.values())
    split, drips = data_of("splits", snapshot), data_of("drips", snapshot)
    assert split["accounts"] == sorted(due, key=str.lower) == [receiver["address"] for receiver in drips]
    assert split["percentAllocations"] == [receiver["weight"] for receiver in drips]
    assert sum(split["percentAllocations"]) == MILLION and min(split["percentAllocations"]) > 0
    for address, part in zip(split["accounts"], split["percentAllocations"], strict=True):
        assert abs(part * total - due[address] * MILLION) < total
    units = {row["address"]: int(row["units"]) for row in rows_of(text_of("hypercerts", snapshot, 1))}
    assert sum(units.values()) == HYPERCERT_UNITS and units.keys() == due.keys()


@settings(max_examples=60, deadline=None)
@given(POINTS, st.integers(1, 10**30))
def test_amounts_are_those_of_the_round_in_every_format_that_holds_amounts(points: dict[str, int], budget: int) -> None:
    snapshot = round_of(points, budget)
    due = {p["address"]: p["amount"] for p in snapshot["payouts"]}
    assert {c["grantee"]: c["amount"] for c in data_of("allo-v1", snapshot)["distributions"]} == due
    assert {v["value"][2]: v["value"][3] for v in data_of("allo-v2", snapshot)["values"]} == due
    assert {row["payoutAddress"]: row["matched"] for row in rows_of(text_of("grants-stack", snapshot))} == due
    assert {row["address"]: row["amount"] for row in rows_of(text_of("csv", snapshot))} == due
    assert {a: str(int(c["amount"], 16)) for a, c in data_of("uniswap", snapshot)["claims"].items()} == due
    (pool,) = data_of("daoip-5", snapshot)["grantPools"]
    assert {a["payoutAddress"]["value"]: a["fundsApproved"][0]["amount"] for a in pool["applications"]} == due
    events = [json.loads(line)["action"] for line in text_of("sourcecred", snapshot).splitlines()]
    paid = [a["receipts"][0]["amount"] for a in events[-1]["distribution"]["allocations"]]
    assert sorted(map(int, paid)) == sorted(map(int, due.values()))
    for form in ("merkle", "allo-v1", "allo-v2", "uniswap", "json"):
        assert verify.verify_export(snapshot, text_of(form, snapshot)) == [], form


def test_who_would_get_nothing_is_told_not_dropped() -> None:
    tiny = round_of({"big": 10**9, "tiny": 1})
    for form, parts in (("splits", "1,000,000"), ("drips", "1,000,000"), ("hypercerts", "100,000,000")):
        with pytest.raises(MoneyError, match=rf"1 of 2 payees get less than a part in {parts}") as caught:
            export("payouts", form, tiny)
        assert address_of("tiny") in caught.value.message and "merkle" in caught.value.way_out


def test_splits_wants_two_and_drips_at_most_two_hundred() -> None:
    with pytest.raises(MoneyError, match="a split needs two"):
        export("payouts", "splits", round_of({"ann": 1}))
    assert len(data_of("drips", round_of(crowd(200)))) == 200
    with pytest.raises(MoneyError, match="pays 201 addresses, Drips holds 200"):
        export("payouts", "drips", round_of(crowd(201)))


def test_splits_and_drips_are_in_strict_order() -> None:
    split = data_of("splits", SMALL)
    numbers = [int(address, 16) for address in split["accounts"]]
    assert numbers == sorted(set(numbers)) == [int(r["accountId"]) for r in data_of("drips", SMALL)]
    assert split["controller"] == ZERO_ADDRESS and split["distributorFee"] == 0


def test_uniswap_counts_by_checksummed_address_and_writes_whole_bytes() -> None:
    data = data_of("uniswap", round_of({"ann": 1, "bob": 9}, budget=100))
    assert list(data["claims"]) == sorted(data["claims"]) and [c["index"] for c in data["claims"].values()] == [0, 1]
    assert {c["amount"] for c in data["claims"].values()} == {"0x0a", "0x5a"} and data["tokenTotal"] == "0x64"


def test_disperse_writes_decimals() -> None:
    assert text_of("disperse", round_of({"ann": 1}, budget=1_500, decimals=3)) == f"{address_of('ann')} 1.5\n"


def test_the_native_coin_is_named_as_each_reader_names_it() -> None:
    snapshot = round_of(crowd(2), token=NATIVE)
    assert data_of("daoip-5", snapshot)["grantPools"][0]["totalGrantPoolSize"] == [{"amount": str(10**22), "denomination": "native"}]
    assert paying(snapshot, {}).token == ZERO_ADDRESS and paying(SMALL, {}).token == TOKEN


def test_daoip5_has_what_the_standard_asks_for() -> None:
    data = data_of("daoip-5", SMALL)
    assert data["@context"] == "http://www.daostar.org/schemas" and data["name"] and data["type"]
    (pool,) = data["grantPools"]
    assert {"type", "id", "name", "description", "grantFundingMechanism", "isOpen"} <= pool.keys()
    assert pool["grantFundingMechanism"] == "Retro Funding" and pool["isOpen"] is False
    for application in pool["applications"]:
        assert {"type", "id", "grantPoolId", "projectId", "createdAt", "status", "payoutAddress", "fundsApproved"} <= application.keys()
        assert application["grantPoolId"] == pool["id"]
    assert len({application["id"] for application in pool["applications"]}) == len(SMALL["payouts"])
    assert pool["extensions"]["x-precipitate"]["merkleRoot"] == data_of("json", SMALL)["merkle_root"]


def test_parquet_holds_what_csv_holds() -> None:
    from pyarrow import parquet

    content = export("payouts", "parquet", SMALL)[0][1]
    assert isinstance(content, bytes)
    assert parquet.read_table(io.BytesIO(content)).to_pylist() == rows_of(text_of("csv", SMALL))
    content = export("credits", "parquet", SMALL["credits"])[0][1]
    assert isinstance(content, bytes)
    rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    assert rows == [{key: value for key, value in record.items() if key != "schema"} for record in SMALL["credits"]]


def test_binary_files_go_through_json_and_standard_output_whole() -> None:
    files = export("payouts", "parquet", SMALL)
    assert one_file(files) == files[0][1]
    (value,) = as_values(files)
    assert base64.b64decode(value["base64"]) == files[0][1]
    (value,) = as_values(export("payouts", "disperse", SMALL))
    assert value["text"].encode() == one_file(export("payouts", "disperse", SMALL))


def test_files_of_all_formats_can_lie_in_one_folder() -> None:
    names = [name for form in PAYOUTS for name, _ in export("payouts", form, SMALL)]
    assert len(set(names)) == len(names)


def test_a_token_points_at_the_content_and_at_who_made_it() -> None:
    files = export("payouts", "erc721", SMALL)
    assert [name for name, _ in files] == [f"erc721-r1-sop-{n}.json" for n in range(3)]
    data = json.loads(files[1][1])
    assert {"name", "description", "external_url", "attributes", "properties"} == data.keys()
    assert data["properties"]["content_id"] == f"sha256:{1:064x}" and data["properties"]["token_id"] == "1"
    people = data["properties"]["contributors"]
    assert [person["author"] for person in people] == [author_id("p00003"), author_id("p00000")]  # most points first
    assert people[1]["address"] == address_of("p00000")
    held = [p for _, text in files for p in json.loads(text)["properties"]["contributors"] if p["author"] == author_id("p00004")]
    assert held[0]["address"] is None
    assert token_id("another kind of id") < 2**256
    with pytest.raises(MoneyError, match="no credits"):
        export("payouts", "erc721", {**SMALL, "credits": []})


@pytest.mark.parametrize("form", ["csv", "grants-stack"])
def test_handles_cannot_be_formulas(form: str) -> None:
    snapshot = json.loads(json.dumps(SMALL))
    for allocation in snapshot["allocations"]:
        allocation["handle"] = "=HYPERLINK()"
    for row in rows_of(text_of(form, snapshot)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_sourcecred_names_are_its_own_kind_and_never_alike() -> None:
    snapshot = json.loads(json.dumps(SMALL))
    for allocation in snapshot["allocations"]:
        allocation["handle"] = "Ünï_çødé " * 9
    names = [
        event["action"]["identity"]["name"]
        for event in map(json.loads, text_of("sourcecred", snapshot).splitlines())
        if event["action"]["type"] == "CREATE_IDENTITY"
    ]
    assert len({name.lower() for name in names}) == len(SMALL["payouts"])
    assert all(len(name) <= 42 and name.replace("-", "").isascii() and name.replace("-", "").isalnum() for name in names)


# --- ids ------------------------------------------------------------------------------------------------------------


def ids_file(folder: Path, text: str) -> Path:
    (folder / "ids.csv").write_text(text, encoding="utf-8")
    return folder / "ids.csv"


def test_ids_take_the_place_of_ours(tmp_path: Path) -> None:
    due = SMALL["payouts"]
    lines = [f"{p['address'].lower()},{ADDRESSES[n]},0x{n:064x},Project {n},app-{n}" for n, p in enumerate(due)]
    ids = read_ids(ids_file(tmp_path, "address,recipientId,projectId,projectName,applicationId\n" + "\n".join(lines)))
    assert [d["recipientId"] for d in data_of("allo-v2", SMALL, ids=ids)["distributions"]] == list(ADDRESSES)
    assert [d["projectId"] for d in data_of("allo-v1", SMALL, ids=ids)["distributions"]] == [f"0x{n:064x}" for n in range(4)]
    rows = rows_of(text_of("grants-stack", SMALL, ids=ids))
    assert [(row["projectName"], row["applicationId"]) for row in rows] == [(f"Project {n}", f"app-{n}") for n in range(4)]
    assert [row["payoutAddress"] for row in rows] == [p["address"] for p in due]


def test_without_ids_payees_have_lasting_ones() -> None:
    payout = paying(SMALL, {}).payouts[0]
    assert data_of("allo-v1", SMALL)["distributions"][0]["projectId"] == payee_hash(payout)
    assert data_of("allo-v2", SMALL)["distributions"][0]["recipientId"] == payout.address


def test_ids_that_leave_somebody_out_or_double_are_refused(tmp_path: Path) -> None:
    due = [p["address"] for p in SMALL["payouts"]]
    some = read_ids(ids_file(tmp_path, f"address,recipientId\n{due[0]},{ADDRESSES[0]}\n"))
    with pytest.raises(MoneyError, match=f"{due[1]} has no recipientId"):
        export("payouts", "allo-v2", SMALL, some)
    same = read_ids(ids_file(tmp_path, "address,recipientId\n" + "".join(f"{a},{ADDRESSES[0]}\n" for a in due)))
    with pytest.raises(MoneyError, match="stands for 4 payees"):
        export("payouts", "allo-v2", SMALL, same)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has the columns"),
        ("address\n0x1\n", "has the columns"),
        ("recipientId\n0x1\n", "has the columns"),
        ("address,colour\n0x1,red\n", "has the columns"),
        (f"address,recipientId\n{ADDRESSES[0]}\n", "not as many cells"),
        (f"address,recipientId\n{ADDRESSES[0]},{ADDRESSES[1]},x\n", "not as many cells"),
        (f"address,recipientId\n{ADDRESSES[0]},{ADDRESSES[1]}\n{ADDRESSES[0].lower()},{ADDRESSES[2]}\n", "stands twice"),
        (f"address,recipientId\n{ADDRESSES[0]},{ADDRESSES[1][:-1]}\n", "39 hex digits"),
        (f"address,recipientId\n{ADDRESSES[0].swapcase().replace('0X', '0x')},{ADDRESSES[1]}\n", "wrong checksum"),
        (f"address,projectId\n{ADDRESSES[0]},0x12\n", "64 hex digits"),
        (f"address,projectName\n{ADDRESSES[0]},=1+1\n", "not a plain name"),
        (f"address,applicationId\n{ADDRESSES[0]},-1\n", "not a plain name"),
    ],
)
def test_wrong_lists_of_ids_are_refused_with_the_row(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises((UsageError, MoneyError), match=complaint) as caught:
        read_ids(ids_file(tmp_path, text))
    assert "ids.csv" in caught.value.message and caught.value.way_out


def test_a_list_of_ids_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "ids.csv", tmp_path / "missing.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_ids(path)


# --- told to the world ----------------------------------------------------------------------------------------------


def test_help_and_manual_name_every_format() -> None:
    told = {part.partition(":")[0].strip(): part.partition(":")[2] for part in cli.FORMATS.rstrip(".").split(";")}
    for what, formats in EXPORTS.items():
        assert sorted(name.strip() for name in told[what].split(",")) == sorted(formats)
    page = (HOME / "docs" / "exports.md").read_text(encoding="utf-8")
    for form in PAYOUTS:
        assert f"| `{form}` |" in page
