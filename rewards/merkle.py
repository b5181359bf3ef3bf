"""OpenZeppelin's `standard-v1` merkle tree over payouts, as `StandardMerkleTree.load` of @openzeppelin/merkle-tree takes it.

A leaf is keccak(keccak(abi.encode(address, uint256))): hashed twice, so that no inner node can pass for a leaf. Leaves
are sorted and fill an array of 2n−1 nodes from its end; a node is the hash of its two children, the smaller one first;
tree[0] is the merkle root. rewards/verify.py checks dumps without this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from index.errors import MoneyError
from index.records import Payout
from rewards.money import keccak256

FORMAT = "standard-v1"
LEAF_ENCODING = ["address", "uint256"]


def leaf_hash(address: str, amount: int) -> bytes:
    """Both values are padded to 32 bytes, as abi.encode does."""
    encoded = bytes.fromhex(address[2:]).rjust(32, b"\0") + amount.to_bytes(32, "big")
    return keccak256(keccak256(encoded))


def node_hash(left: bytes, right: bytes) -> bytes:
    return keccak256(min(left, right) + max(left, right))


def dump(payouts: Sequence[Payout]) -> dict[str, Any]:
    """The tree of the payouts; `values` keep the payouts' order, each with its place in `tree`.

    Raises MoneyError where there is nothing to pay or an address stands twice.
    """
    if not payouts:
        raise MoneyError("a merkle tree needs at least one payout, there is none", "import identities, then allocate the round again")
    if len({payout.address.lower() for payout in payouts}) != len(payouts):
        raise MoneyError("an address stands twice among the payouts", "sum them first")
    count = len(payouts)
    hashes = [leaf_hash(payout.address, payout.amount) for payout in payouts]
    tree: list[bytes] = [b""] * (2 * count - 1)
    places = [0] * count
    for rank, leaf_index in enumerate(sorted(range(count), key=hashes.__getitem__)):
        places[leaf_index] = len(tree) - 1 - rank
        tree[places[leaf_index]] = hashes[leaf_index]
    for place in range(count - 2, -1, -1):
        tree[place] = node_hash(tree[2 * place + 1], tree[2 * place + 2])
    return {
        "format": FORMAT,
        "leafEncoding": list(LEAF_ENCODING),
        "tree": ["0x" + node.hex() for node in tree],
        "values": [
            {"value": [payout.address, str(payout.amount)], "treeIndex": place} for payout, place in zip(payouts, places, strict=True)
        ],
    }


def root(tree: Sequence[str]) -> str:
    return tree[0]


def proof(tree: Sequence[str], tree_index: int) -> list[str]:
    """The siblings from a leaf up to the root: what a claimant hands to the contract."""
    path = []
    while tree_index > 0:
        path.append(tree[tree_index + 1 if tree_index % 2 else tree_index - 1])
        tree_index = (tree_index - 1) // 2
    return path
