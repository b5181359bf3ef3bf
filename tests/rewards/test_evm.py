"""A payout on a real EVM: every claim of a round is paid, a tampered amount and a second claim are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewards.exports import export
from tests.rewards.snapshots import crowd, round_of

pytestmark = pytest.mark.system
PAYEES = 1_000


@pytest.fixture(scope="module")
def contracts() -> dict[str, str]:
    from tests.rewards.evm import compiled

    return compiled()


@pytest.fixture(scope="module")
def snapshot() -> dict[str, Any]:
    return round_of(crowd(PAYEES))


def exported(form: str, snapshot: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export("payouts", form, snapshot)[0][1])
    return found


def nodes(proof: list[str]) -> list[bytes]:
    return [bytes.fromhex(node[2:]) for node in proof]


class Payout:
    """A distributor with the round's money on a fresh chain, and what happens to each of its claims."""

    def __init__(self, token: str, distributor: str, root: str, signature: str, snapshot: dict[str, Any]) -> None:
        from tests.rewards.evm import Chain

        self.chain, self.signature, self.due = Chain(), signature, {p["address"]: int(p["amount"]) for p in snapshot["payouts"]}
        total = sum(self.due.values())
        self.token = self.chain.deploy(token, ["uint256"], [total])
        self.distributor = self.chain.deploy(distributor, ["address", "bytes32"], [self.token, bytes.fromhex(root[2:])])
        assert self.chain.send(self.token, "transfer(address,uint256)", self.distributor, total) is not None

    def claim(self, *values: Any) -> bool:
        return self.chain.send(self.distributor, self.signature, *values) is not None

    def run(self, claims: list[tuple[Any, ...]], of_amount: int) -> None:
        """Tampered before, paid, refused again; then everybody has their due and the distributor nothing."""
        for values in claims:
            more = [*values]
            more[of_amount] += 1
            assert not self.claim(*more), "a tampered amount was paid"
            assert self.claim(*values), "a right claim was refused"
            assert not self.claim(*values), "a second claim was paid"
        assert {address: self.chain.balance(self.token, address) for address in self.due} == self.due
        assert self.chain.balance(self.token, self.distributor) == 0


def test_openzeppelins_code_pays_every_leaf_once(contracts: dict[str, str], snapshot: dict[str, Any]) -> None:
    from rewards.merkle import proof

    dump = exported("merkle", snapshot)
    claims = [(*(entry["value"][0], int(entry["value"][1])), nodes(proof(dump["tree"], entry["treeIndex"]))) for entry in dump["values"]]
    payout = Payout(contracts["TestToken"], contracts["PayoutDistributor"], dump["tree"][0], "claim(address,uint256,bytes32[])", snapshot)
    assert not payout.claim(claims[0][0], claims[1][1], claims[1][2]), "another's proof was taken"
    assert not payout.claim(claims[0][0], claims[0][1], []), "no proof was taken"
    payout.run(claims, 1)


def test_uniswaps_published_code_pays_every_leaf_once(contracts: dict[str, str], snapshot: dict[str, Any]) -> None:
    from tests.rewards.evm import published

    data = exported("uniswap", snapshot)
    claims = [(c["index"], address, int(c["amount"], 16), nodes(c["proof"])) for address, c in data["claims"].items()]
    signature = "claim(uint256,address,uint256,bytes32[])"
    payout = Payout(contracts["TestToken"], published("MerkleDistributor"), data["merkleRoot"], signature, snapshot)
    assert int(data["tokenTotal"], 16) == int(snapshot["totals"]["paid"])
    assert not payout.claim(claims[1][0], *claims[0][1:]), "another's index was taken"
    payout.run(claims, 2)


def test_allo_v2_and_v1_leaves_are_paid_as_they_are_submitted(contracts: dict[str, str]) -> None:
    small = round_of(crowd(50))
    v2, v1 = exported("allo-v2", small), exported("allo-v1", small)
    address = {d["index"]: entry["value"][2] for d, entry in zip(v2["distributions"], v2["values"], strict=True)}
    payout = Payout(
        contracts["TestToken"],
        contracts["AlloV2Distributor"],
        v2["merkleRoot"],
        "claim(uint256,address,address,uint256,bytes32[])",
        small,
    )
    # The strategy knows the recipient's address from its registration; what is submitted leaves it out.
    payout.run(
        [(int(d["index"]), d["recipientId"], address[d["index"]], int(d["amount"]), nodes(d["merkleProof"])) for d in v2["distributions"]],
        3,
    )
    payout = Payout(
        contracts["TestToken"],
        contracts["AlloV1Distributor"],
        v1["merkleRoot"],
        "claim(uint256,address,uint256,bytes32,bytes32[])",
        small,
    )
    payout.run(
        [
            (int(d["index"]), d["grantee"], int(d["amount"]), bytes.fromhex(d["projectId"][2:]), nodes(d["merkleProof"]))
            for d in v1["distributions"]
        ],
        2,
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_smallest_rounds_are_paid_too(contracts: dict[str, str], count: int) -> None:
    from rewards.merkle import proof
    from tests.rewards.evm import published

    small = round_of(crowd(count))
    dump, data = exported("merkle", small), exported("uniswap", small)
    claims = [(e["value"][0], int(e["value"][1]), nodes(proof(dump["tree"], e["treeIndex"]))) for e in dump["values"]]
    Payout(contracts["TestToken"], contracts["PayoutDistributor"], dump["tree"][0], "claim(address,uint256,bytes32[])", small).run(
        claims, 1
    )
    claims = [(c["index"], address, int(c["amount"], 16), nodes(c["proof"])) for address, c in data["claims"].items()]
    signature = "claim(uint256,address,uint256,bytes32[])"
    Payout(contracts["TestToken"], published("MerkleDistributor"), data["merkleRoot"], signature, small).run(claims, 2)
