"""The tree against golden vectors (merkle_vectors.json: dumps by @openzeppelin/merkle-tree 1.0.8) and the verifier."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import MoneyError
from index.records import Payout
from rewards import merkle, verify, verify_policies
from tests.rewards.builders import ADDRESSES

VECTORS = json.loads((Path(__file__).parent / "merkle_vectors.json").read_text(encoding="utf-8"))
PAYOUTS = st.dictionaries(st.binary(min_size=20, max_size=20).filter(any), st.integers(1, 2**256 - 1), min_size=1, max_size=40)


def payouts_of(dump: dict[str, Any]) -> list[Payout]:
    return [Payout(entry["value"][0], int(entry["value"][1]), ()) for entry in dump["values"]]


@pytest.mark.parametrize("vector", VECTORS)
def test_golden_vectors(vector: dict[str, Any]) -> None:
    assert merkle.dump(payouts_of(vector)) == vector
    assert verify.verify_dump(vector) == []


@settings(max_examples=100, deadline=None)
@given(PAYOUTS)
def test_the_verifier_accepts_every_tree_and_its_proofs(payouts: dict[bytes, int]) -> None:
    dump = merkle.dump([Payout("0x" + address.hex(), amount, ()) for address, amount in payouts.items()])
    assert verify.verify_dump(dump) == []
    nodes = [bytes.fromhex(node[2:]) for node in dump["tree"]]
    for entry in dump["values"]:
        proof = merkle.proof(dump["tree"], entry["treeIndex"])
        assert proof == ["0x" + node.hex() for node in verify.siblings(nodes, entry["treeIndex"])]
        assert not verify.proves(entry["value"][0], int(entry["value"][1]) ^ 1, [bytes.fromhex(p[2:]) for p in proof], nodes[0])


def test_the_root_does_not_depend_on_the_order() -> None:
    payouts = payouts_of(VECTORS[1])
    assert merkle.root(merkle.dump(payouts)["tree"]) == merkle.root(merkle.dump(payouts[::-1])["tree"])


def spoiled(change: str) -> dict[str, Any]:
    dump = copy.deepcopy(VECTORS[1])
    values = dump["values"]
    if change == "amount":
        values[0]["value"][1] = "5000000000000000001"
    elif change == "address":
        values[0]["value"][0] = ADDRESSES[1]
    elif change == "place":
        values[0]["treeIndex"], values[1]["treeIndex"] = values[1]["treeIndex"], values[0]["treeIndex"]
    elif change == "node":
        dump["tree"][1] = dump["tree"][2]
    elif change == "root":
        dump["tree"][0] = "0x" + "00" * 32
    elif change == "missing":
        values.pop()
    elif change == "format":
        dump["format"] = "simple-v1"
    elif change == "zero":
        values[0]["value"][1] = "0"
    elif change == "inner":
        values[0]["treeIndex"] = 0
    elif change == "hex":
        dump["tree"][3] = "0x12"
    return dump


@pytest.mark.parametrize("change", ["amount", "address", "place", "node", "root", "missing", "format", "zero", "inner", "hex"])
def test_the_verifier_finds_what_was_changed(change: str) -> None:
    assert verify.verify_dump(spoiled(change))


def test_no_payout_and_a_double_address_are_refused() -> None:
    with pytest.raises(MoneyError, match="at least one"):
        merkle.dump([])
    with pytest.raises(MoneyError, match="twice"):
        merkle.dump([Payout(ADDRESSES[0], 1, ()), Payout(ADDRESSES[0].lower(), 2, ())])


@pytest.mark.parametrize("module", [verify, verify_policies])
def test_the_verifier_is_independent(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    others = {name for name in imported if name and name.split(".")[0] in ("rewards", "index")}
    assert not others
