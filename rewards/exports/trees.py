"""Merkle distributors: OpenZeppelin, Allo v2 and v1, Hypercerts, Uniswap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from index.records import Payout
from rewards import merkle
from rewards.exports.files import Files, csv_text, json_text
from rewards.exports.payees import Paying, require_unique

HYPERCERT_UNITS = 100_000_000  # what the app scales to by rounding down: given exactly, nothing is lost there


def openzeppelin(paying: Paying) -> Files:
    """OpenZeppelin's standard-v1 dump: `StandardMerkleTree.load` takes it as it is."""
    return [(f"merkle-{paying.name}.json", json_text(merkle.dump(paying.some())))]


def allo_v2(paying: Paying) -> Files:
    """The dump of Allo v2's merkle strategy, and `distributions` as its `distribute` takes them.

    A leaf is (index, recipientId, recipientAddress, amount); what is submitted leaves the address out. Recipients are
    registered there before: recipientId is from --ids, else the payout address, as for one who registered from it.
    """
    payouts = paying.some()
    recipients = [paying.id_of(payout, "recipientId", payout.address) for payout in payouts]
    require_unique([recipient.lower() for recipient in recipients], "recipientId")
    rows = [[str(place), recipients[place], payout.address, str(payout.amount)] for place, payout in enumerate(payouts)]
    encoding = ("uint256", "address", "address", "uint256")
    return _allo(
        f"allo-v2-{paying.name}.json",
        encoding,
        rows,
        lambda row, proof: {"index": row[0], "recipientId": row[1], "amount": row[3], "merkleProof": proof},
    )


def allo_v1(paying: Paying) -> Files:
    """The dump of Allo v1's MerklePayoutStrategy, and `distributions` as its `payout` takes them.

    A leaf is (index, grantee, amount, projectId); projectId is from --ids, else a hash of who is paid.
    """
    payouts = paying.some()
    projects = [paying.id_of(payout, "projectId", paying.payee_id(payout)) for payout in payouts]
    require_unique(projects, "projectId")
    rows = [[str(place), payout.address, str(payout.amount), projects[place]] for place, payout in enumerate(payouts)]
    encoding = ("uint256", "address", "uint256", "bytes32")
    return _allo(
        f"allo-v1-{paying.name}.json",
        encoding,
        rows,
        lambda row, proof: {"index": row[0], "grantee": row[1], "amount": row[2], "merkleProof": proof, "projectId": row[3]},
    )


def _allo(
    name: str, encoding: Sequence[str], rows: Sequence[Sequence[str]], struct: Callable[[Sequence[str], list[str]], dict[str, Any]]
) -> Files:
    """One file: OpenZeppelin's loader reads its four keys and passes over the two of ours."""
    dump = merkle.standard_dump(encoding, rows)
    claims = [struct(entry["value"], merkle.proof(dump["tree"], entry["treeIndex"])) for entry in dump["values"]]
    return [(name, json_text({**dump, "merkleRoot": merkle.root(dump["tree"]), "distributions": claims}))]


def hypercerts(paying: Paying) -> Files:
    """An allowlist of exactly 100,000,000 units: the dump for the protocol, the CSV for the app."""
    units = [Payout(payout.address, part, payout.authors) for payout, part in paying.shares(HYPERCERT_UNITS, "a hypercert")]
    rows = [(payout.address, str(payout.amount)) for payout in units]
    return [
        (f"hypercerts-{paying.name}.json", json_text(merkle.dump(units))),
        (f"hypercerts-{paying.name}.csv", csv_text(("address", "units"), rows)),
    ]


def uniswap(paying: Paying) -> Files:
    """The claims of @uniswap/merkle-distributor, in the order in which its own script counts: by checksummed address."""
    payouts = sorted(paying.some(), key=lambda payout: payout.address)
    root, proofs = merkle.uniswap_claims(payouts)
    claims = {
        payout.address: {"index": place, "amount": _hex(payout.amount), "proof": proofs[place]} for place, payout in enumerate(payouts)
    }
    total = _hex(sum(payout.amount for payout in payouts))
    return [(f"uniswap-{paying.name}.json", json_text({"merkleRoot": root, "tokenTotal": total, "claims": claims}))]


def _hex(amount: int) -> str:
    """Whole bytes, as ethers writes them: 10 → 0x0a."""
    text = f"{amount:x}"
    return "0x" + text.rjust(len(text) + len(text) % 2, "0")
