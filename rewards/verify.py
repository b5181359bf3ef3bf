"""Check a round's snapshot and its merkle dump, trusting neither: nothing here imports the code that made them.

Hashes, sums and shares are worked out again from the published files alone, by other ways where there are any. Each
function returns its findings in plain words; an empty list means that everything holds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rewards.verify_policies import is_plain, verify_policy

Finding = str


def verify_dump(dump: Mapping[str, Any]) -> list[Finding]:
    """An OpenZeppelin standard-v1 dump of (address, uint256): shape, every leaf, every node, every proof."""
    if dump.get("format") != "standard-v1" or dump.get("leafEncoding") != ["address", "uint256"]:
        return [f"not a standard-v1 dump of address,uint256: {dump.get('format')!r}, {dump.get('leafEncoding')!r}"]
    tree, values = dump["tree"], dump["values"]
    count = len(values)
    if count == 0 or len(tree) != 2 * count - 1:
        return [f"{count} leaves need {max(0, 2 * count - 1)} nodes, the tree has {len(tree)}"]
    bad = [place for place, node in enumerate(tree) if not re.fullmatch("0x[0-9a-f]{64}", node)]
    if bad:
        return [f"node {bad[0]} is not 32 bytes of hex"]
    nodes = [bytes.fromhex(node[2:]) for node in tree]
    findings = [
        f"node {place} is not the hash of its children"
        for place in range(count - 1)
        if nodes[place] != _pair(*nodes[2 * place + 1 : 2 * place + 3])
    ]
    findings += _verify_leaves(nodes, values)
    return findings


def _verify_leaves(nodes: Sequence[bytes], values: Sequence[Mapping[str, Any]]) -> list[Finding]:
    findings = []
    addresses, places = set(), set()
    for entry in values:
        address, amount = entry["value"]
        place = entry["treeIndex"]
        if not re.fullmatch("0x[0-9a-fA-F]{40}", address) or int(address, 16) == 0 or not re.fullmatch("[1-9][0-9]*", amount):
            findings.append(f"leaf {address} {amount} is not an address and a positive amount")
            continue
        if address.lower() in addresses or place in places:
            findings.append(f"leaf {address} stands twice")
        addresses.add(address.lower())
        places.add(place)
        if not len(values) - 1 <= place < len(nodes):
            findings.append(f"leaf {address} is at {place}, not among the leaves")
        elif not proves(address, int(amount), siblings(nodes, place), nodes[0]):
            findings.append(f"the proof of {address} does not lead to the root")
    return findings


def siblings(nodes: Sequence[bytes], place: int) -> list[bytes]:
    """The proof of the leaf at `place`: parents are (i−1)/2, siblings the other child."""
    path = []
    while place:
        parent = (place - 1) // 2
        path.append(nodes[4 * parent + 3 - place])  # the two children are 2p+1 and 2p+2: they sum to 4p+3
        place = parent
    return path


def proves(address: str, amount: int, proof: Sequence[bytes], root: bytes) -> bool:
    """What a claim contract does: hash the leaf twice, then fold the proof over it."""
    node = _keccak(_keccak(bytes(12) + bytes.fromhex(address[2:]) + amount.to_bytes(32, "big")))
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def _pair(one: bytes, other: bytes) -> bytes:
    return _keccak(one + other if one < other else other + one)


def _keccak(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()


def verify_round(snapshot: Mapping[str, Any], dump: Mapping[str, Any] | None = None) -> list[Finding]:
    """paid + held + residual = budget, points are the credits', shares are right to the unit, payouts are what is paid."""
    shares = _verify_shares if is_plain(snapshot) else verify_policy
    findings = _verify_sums(snapshot) + _verify_points(snapshot) + shares(snapshot) + _verify_payouts(snapshot)
    if dump is not None:
        findings += verify_dump(dump)
        in_dump = {entry["value"][0].lower(): entry["value"][1] for entry in dump["values"]}
        if in_dump != {p["address"].lower(): p["amount"] for p in snapshot["payouts"]}:
            findings.append("the merkle dump does not hold the round's payouts")
    return findings


def _verify_sums(snapshot: Mapping[str, Any]) -> list[Finding]:
    totals, budget = snapshot["totals"], int(snapshot["round"]["budget"])
    findings = []
    parts = [int(totals[name]) for name in ("paid", "held", "residual")]
    if sum(parts) != budget or min(parts) < 0:
        findings.append(f"paid {parts[0]} + held {parts[1]} + residual {parts[2]} is {sum(parts)}, the budget is {budget}")
    for state, total in zip(("paid", "held"), parts, strict=False):
        found = sum(int(a["amount"]) for a in snapshot["allocations"] if a["state"] == state)
        if found != total:
            findings.append(f"{state} allocations sum to {found}, the total says {total}")
    return findings


def _verify_points(snapshot: Mapping[str, Any]) -> list[Finding]:
    earned: defaultdict[str, int] = defaultdict(int)
    for credit in snapshot["credits"]:
        earned[credit["author"]] += credit["points"]
    told = {a["author"]: a["points"] for a in snapshot["allocations"]}
    return [
        f"{author} has {told.get(author, 0)} points, the credits give {earned.get(author, 0)}"
        for author in sorted(earned.keys() | told.keys())
        if told.get(author, 0) != earned.get(author, 0)
    ]


def _verify_shares(snapshot: Mapping[str, Any]) -> list[Finding]:
    """Each share is its quota rounded down or up by less than a unit, and up only for the largest remainders."""
    budget = int(snapshot["round"]["budget"]) - int(snapshot["totals"]["residual"])
    total = sum(a["points"] for a in snapshot["allocations"])
    findings, rounded_up, rounded_down = [], [], []
    for a in snapshot["allocations"]:
        over = int(a["amount"]) * total - a["points"] * budget  # how far above its exact quota, in 1/total of a unit
        rank = (-(a["points"] * budget % total), a["author"])
        if not -total < over < total:
            findings.append(f"{a['author']} gets {a['amount']}, {a['points']} of {total} points of {budget} is not that")
        elif over > 0:
            rounded_up.append(rank)
        elif over < 0:
            rounded_down.append(rank)
    if rounded_up and rounded_down and max(rounded_up) > min(rounded_down):
        findings.append(f"{max(rounded_up)[1]} was rounded up before {min(rounded_down)[1]}, whose remainder is larger")
    return findings


def _verify_payouts(snapshot: Mapping[str, Any]) -> list[Finding]:
    due: defaultdict[str, int] = defaultdict(int)
    for a in snapshot["allocations"]:
        if (a["state"] == "paid") != bool(a["address"]):
            findings_of = "has no address" if a["state"] == "paid" else "has an address"
            return [f"{a['author']} is {a['state']} but {findings_of}"]
        if a["address"] and int(a["amount"]):
            due[a["address"].lower()] += int(a["amount"])
    paid = [(p["address"].lower(), int(p["amount"])) for p in snapshot["payouts"]]
    if len(paid) != len(due) or dict(paid) != due:
        return [
            f"payouts of {sum(amount for _, amount in paid)} to {len(paid)} addresses are not the {sum(due.values())} due to {len(due)}"
        ]
    return []
