"""The published dump in the hands of the real client (make test-system installs it)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from index.records import Payout
from rewards import merkle
from rewards.money import checksum_address, keccak256

NPM = Path(__file__).parent.parent / "npm"


def check(path: Path) -> dict[str, object]:
    assert (NPM / "node_modules/@openzeppelin/merkle-tree").is_dir(), "run `make test-system`, or `npm install` in tests/npm"
    done = subprocess.run(["node", str(NPM / "check_merkle.mjs"), str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.system
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 501])
def test_openzeppelin_loads_the_dump_and_verifies_every_proof(count: int, tmp_path: Path) -> None:
    payouts = [Payout(checksum_address("0x" + keccak256(b"%d" % n)[:20].hex()), n * 10**18 + 1, ()) for n in range(1, count + 1)]
    dump = merkle.dump(payouts)
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(dump), encoding="utf-8")
    total = sum(payout.amount for payout in payouts)
    assert check(path) == {"root": merkle.root(dump["tree"]), "leaves": count, "total": str(total), "same": True}


@pytest.mark.system
def test_openzeppelin_refuses_a_spoiled_dump(tmp_path: Path) -> None:
    dump = merkle.dump([Payout(checksum_address("0x" + "12" * 20), 5, ()), Payout(checksum_address("0x" + "34" * 20), 6, ())])
    dump["values"][0]["value"][1] = "6"
    path = tmp_path / "dump.json"
    path.write_text(json.dumps(dump), encoding="utf-8")
    with pytest.raises(AssertionError):
        check(path)
