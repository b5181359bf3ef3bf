"""The trees that distributors read: OpenZeppelin's `standard-v1` and Uniswap's. rewards/verify.py checks both without this.

OpenZeppelin (`StandardMerkleTree.load` of @openzeppelin/merkle-tree takes a dump as it is): a leaf is
keccak(keccak(abi.encode(values))), hashed twice, so that no inner node can pass for a leaf. Leaves are sorted and fill an
array of 2n−1 nodes from its end; a node is the hash of its two children, the smaller one first; tree[0] is the root.

Uniswap (@uniswap/merkle-distributor): a leaf is keccak(encodePacked(index, account, amount)), hashed once. Layers of
sorted leaves; a node is the hash of its two children, the smaller one first; one that is left over goes up as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from index.errors import MoneyError
from index.records import Payout
from rewards.money import keccak_function

FORMAT = "standard-v1"
LEAF_ENCODING = ("address", "uint256")

# A static ABI value as a word of 32 bytes, from the text that the clients write.
WORDS: dict[str, Callable[[str], bytes]] = {
    "address": lambda text: bytes.fromhex(text[2:]).rjust(32, b"\0"),
    "uint256": lambda text: int(text).to_bytes(32, "big"),
    "bytes32": lambda text: bytes.fromhex(text[2:]),
}


def dump(payouts: Sequence[Payout]) -> dict[str, Any]:
    """The tree of (address, amount); `values` keep the payouts' order, each with its place in `tree`.

    Raises MoneyError where there is nothing to pay or an address stands twice.
    """
    if len({payout.address.lower() for payout in payouts}) != len(payouts):
        raise MoneyError("an address stands twice among the payouts", "sum them first")
    return standard_dump(LEAF_ENCODING, [[payout.address, str(payout.amount)] for payout in payouts])


def standard_dump(encoding: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """OpenZeppelin's dump of rows of static ABI values: address and bytes32 as 0x…, uint256 as decimal text.

    Raises MoneyError where there is no row.
    """
    if not rows:
        raise MoneyError("a merkle tree needs at least one payout, there is none", "import identities, then allocate the round again")
    keccak, count = keccak_function(), len(rows)
    words = [WORDS[kind] for kind in encoding]
    hashes = [keccak(keccak(b"".join([word(value) for word, value in zip(words, row, strict=True)]))) for row in rows]
    tree: list[bytes] = [b""] * (2 * count - 1)
    places = [0] * count
    for rank, leaf_index in enumerate(sorted(range(count), key=hashes.__getitem__)):
        places[leaf_index] = len(tree) - 1 - rank
        tree[places[leaf_index]] = hashes[leaf_index]
    for place in range(count - 2, -1, -1):
        left, right = tree[2 * place + 1], tree[2 * place + 2]
        tree[place] = keccak(left + right if left < right else right + left)
    return {
        "format": FORMAT,
        "leafEncoding": list(encoding),
        "tree": ["0x" + node.hex() for node in tree],
        "values": [{"value": list(row), "treeIndex": place} for row, place in zip(rows, places, strict=True)],
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


# --- Uniswap --------------------------------------------------------------------------------------------------------


def uniswap_claims(payouts: Sequence[Payout]) -> tuple[str, list[list[str]]]:
    """Root, and the proof of each payout, whose place in the list is its index. Raises MoneyError where there is none."""
    if not payouts:
        raise MoneyError("a merkle tree needs at least one payout, there is none", "import identities, then allocate the round again")
    keccak = keccak_function()
    leaves = [
        keccak(place.to_bytes(32, "big") + bytes.fromhex(payout.address[2:]) + payout.amount.to_bytes(32, "big"))
        for place, payout in enumerate(payouts)
    ]
    layers = [sorted(leaves)]
    while len(layers[-1]) > 1:
        layers.append(_parents(layers[-1], keccak))
    rank_of = {leaf: rank for rank, leaf in enumerate(layers[0])}
    return "0x" + layers[-1][0].hex(), [_path(layers, rank_of[leaf]) for leaf in leaves]


def _parents(layer: Sequence[bytes], keccak: Callable[[bytes], bytes]) -> list[bytes]:
    pairs = [layer[place : place + 2] for place in range(0, len(layer), 2)]
    return [keccak(min(pair) + max(pair)) if len(pair) == 2 else pair[0] for pair in pairs]


def _path(layers: Sequence[Sequence[bytes]], rank: int) -> list[str]:
    """Siblings from the leaves up; a node that has none adds nothing."""
    path = []
    for layer in layers[:-1]:
        if rank ^ 1 < len(layer):
            path.append("0x" + layer[rank ^ 1].hex())
        rank //= 2
    return path
