"""Exports in the hands of those who read them (make test-system installs these clients)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rewards.exports import export
from rewards.exports.splits import DRIPS_RECEIVERS
from rewards.exports.trees import HYPERCERT_UNITS
from tests.rewards.builders import TOKEN
from tests.rewards.snapshots import crowd, round_of

pytestmark = pytest.mark.system
NPM = Path(__file__).parent.parent / "npm"
COUNTS = [2, 3, 7, 128]


def ask(script: str, *words: str | Path) -> dict[str, Any]:
    assert (NPM / "sourcecred/package").is_dir(), "run `make test-system`, or `npm install` in tests/npm"
    command = ["node", str(NPM / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written(form: str, snapshot: dict[str, Any], folder: Path) -> list[Path]:
    paths = []
    for name, content in export("payouts", form, snapshot):
        paths.append(folder / name)
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


@pytest.mark.parametrize("form", ["allo-v2", "allo-v1"])
@pytest.mark.parametrize("count", [1, *COUNTS])
def test_openzeppelin_loads_what_allo_is_given(form: str, count: int, tmp_path: Path) -> None:
    snapshot = round_of(crowd(count))
    (path,) = written(form, snapshot, tmp_path)
    root = json.loads(path.read_text(encoding="utf-8"))["merkleRoot"]
    assert ask("check_merkle.mjs", path) == {"root": root, "leaves": count, "total": snapshot["totals"]["paid"], "same": True}


@pytest.mark.parametrize("count", [1, *COUNTS])
def test_hypercerts_takes_the_allowlist(count: int, tmp_path: Path) -> None:
    paths = written("hypercerts", round_of(crowd(count)), tmp_path)
    told = ask("check_hypercerts.mjs", *paths, str(HYPERCERT_UNITS))
    assert told["valid"] == [True, True], told["errors"]
    assert len(set(told["roots"])) == 1


def test_hypercerts_would_refuse_one_unit_more(tmp_path: Path) -> None:
    paths = written("hypercerts", round_of(crowd(3)), tmp_path)
    assert ask("check_hypercerts.mjs", *paths, str(HYPERCERT_UNITS + 1))["valid"] == [False, False]


@pytest.mark.parametrize("token", [TOKEN, "native"])
@pytest.mark.parametrize("count", [1, 499, 500, 501])
def test_safes_csv_is_read_by_the_apps_parser_and_rules(count: int, token: str, tmp_path: Path) -> None:
    snapshot = round_of(crowd(count), token=token)
    paths = written("safe-csv", snapshot, tmp_path)
    told = ask("check_lists.mjs", "safe", "18", *paths)
    due = {p["address"]: p["amount"] for p in snapshot["payouts"]}
    assert told == {"paid": due, "payees": count, "refused": []} and len(paths) == 1 + (count > 500)


def test_safes_rules_would_refuse_a_line_end_after_row_500_and_a_spoiled_row(tmp_path: Path) -> None:
    (path,) = written("safe-csv", round_of(crowd(500)), tmp_path)
    text = path.read_bytes()
    path.write_bytes(text + b"\r\n")
    assert "more than 500 lines" in ask("check_lists.mjs", "safe", "18", path)["refused"]
    path.write_bytes(text.replace(b"erc20", b"erc777", 1))
    assert ask("check_lists.mjs", "safe", "18", path)["refused"] == ["no token: erc777"]


@pytest.mark.parametrize("form", ["grants-stack", "disperse"])
@pytest.mark.parametrize("count", [1, *COUNTS])
def test_lists_of_address_and_amount_are_read_by_others(form: str, count: int, tmp_path: Path) -> None:
    snapshot = round_of(crowd(count), budget=10**9, decimals=6)
    told = ask("check_lists.mjs", form, "6", *written(form, snapshot, tmp_path))
    due = {p["address"]: p["amount"] for p in snapshot["payouts"]}
    assert told == {"paid": due, "payees": count, "refused": []}


@pytest.mark.parametrize("count", COUNTS)
def test_splits_makes_the_same_arguments(count: int, tmp_path: Path) -> None:
    (path,) = written("splits", round_of(crowd(count)), tmp_path)
    split = json.loads(path.read_text(encoding="utf-8"))
    told = ask("check_splits.mjs", path)
    assert (told["accounts"], told["parts"]) == (split["accounts"], split["percentAllocations"])


@pytest.mark.parametrize("count", [1, *COUNTS, DRIPS_RECEIVERS])
def test_drips_sends_the_receivers_as_they_are(count: int, tmp_path: Path) -> None:
    (path,) = written("drips", round_of(crowd(count)), tmp_path)
    assert ask("check_drips.mjs", path) == {"sent": True, "most": DRIPS_RECEIVERS, "weight": 1_000_000}


@pytest.mark.parametrize("count", [1, *COUNTS])
def test_sourcecred_reads_the_ledger_and_owes_the_amounts(count: int, tmp_path: Path) -> None:
    snapshot = round_of(crowd(count))
    (path,) = written("sourcecred", snapshot, tmp_path)
    told = ask("check_sourcecred.mjs", path)
    due = {p["address"]: p["amount"] for p in snapshot["payouts"]}
    assert {account["alias"]: account["balance"] for account in told["accounts"]} == due
    assert told["allocations"] == count and all(account["active"] and account["paid"] == account["balance"] for account in told["accounts"])
