"""Check a round, its release and its exports, trusting none: nothing here imports the code that made them.

    python -m rewards.verify RELEASE ROUND.json [FROZEN.json LEDGER.jsonl [BATCH.json ...]] [EXPORT ...]

RELEASE is a folder with manifest.json, ROUND.json the published round, EXPORT any of its merkle dumps (OpenZeppelin, Allo,
Hypercerts), Uniswap claims, payouts.json or Safe CSV files. With the snapshot that the round was frozen at and the ledger
its life is checked, too: who was eligible, corrections, disputes, windows, payees, later batches. No workspace, no database,
no network. This file can be copied and run alone, which is why it is long: it needs Python and nothing else (pycryptodome
makes it faster), beside it verify_policies.py for rounds by another policy than points alone, and verify_life.py for ledgers.

Recomputed from the release's own lines: points, shares, payouts, sums and the merkle root. What a round says of itself
alone (its token, decimals, name and date; without a ledger its life) has nothing to be compared with but the exports and
what was announced: compare the digest of ROUND.json and the root. Each function returns findings in plain words; an empty
list means that all holds. Ends with 0 (all well), 4 (findings) or 1 (a file that cannot be read).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import io
import json
import re
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Finding = str
Row = Mapping[str, Any]

UNITS = 100_000_000  # of a hypercert
RECEIPT_ROLES = ("first_said", "amended", "confirmed", "liked")  # roles whose receipt stands in the procedure itself
# Of the leaves that are known: which value is the address, which the amount.
ENCODINGS = {
    ("address", "uint256"): (0, 1),
    ("uint256", "address", "address", "uint256"): (2, 3),  # Allo v2
    ("uint256", "address", "uint256", "bytes32"): (1, 2),  # Allo v1
}
ODD = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)  # what a file of another shape leads to


# --- values ---------------------------------------------------------------------------------------------------------


def _amount(text: Any) -> int:
    """Strict: int() would also take " 5", "+5" and "5_0"."""
    if not isinstance(text, str) or not re.fullmatch("0|[1-9][0-9]{0,77}", text, re.ASCII):
        raise ValueError(f"{text!r} is not an amount of base units")
    return int(text)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _node(text: Any) -> bytes:
    """32 bytes of lower-case hex, as every client writes them."""
    if not isinstance(text, str) or not re.fullmatch("0x[0-9a-f]{64}", text):
        raise ValueError(f"{text!r} is not 32 bytes of hex")
    return bytes.fromhex(text[2:])


def _hex_amount(text: Any) -> int:
    """Whole bytes of lower-case hex, as ethers writes a uint256."""
    if not isinstance(text, str) or not re.fullmatch("0x([0-9a-f]{2}){1,32}", text):
        raise ValueError(f"{text!r} is not an amount in hex")
    return int(text, 16)


def _is_address(text: Any) -> bool:
    """0x and 40 hex digits, not zero, with the checksum of EIP-55 unless it is of one case."""
    if not isinstance(text, str) or not re.fullmatch("0x[0-9a-fA-F]{40}", text) or int(text, 16) == 0:
        return False
    digits = text[2:]
    if digits in (digits.lower(), digits.upper()):
        return True
    nibbles = _keccak(digits.lower().encode()).hex()
    return all(c.isdecimal() or c.isupper() == (int(n, 16) > 7) for c, n in zip(digits, nibbles, strict=False))


# --- hashing --------------------------------------------------------------------------------------------------------

_ROUNDS = (
    *(0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B, 0x0000000080000001),
    *(0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A),
    *(0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080),
    *(0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008),
)
_WORD = (1 << 64) - 1


def _rotated(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & _WORD if by else word


def _permute(lanes: list[list[int]]) -> list[list[int]]:
    """keccak-f[1600] over lanes[x][y] (FIPS 202, section 3.3; the rotations follow from the walk over x, y)."""
    for constant in _ROUNDS:
        columns = [lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] for lane in lanes]
        mixed = [columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[word ^ mixed[x] for word in lanes[x]] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], _rotated(current, (step + 1) * (step + 2) // 2 % 64)
        lanes = [[lanes[x][y] ^ (~lanes[(x + 1) % 5][y] & lanes[(x + 2) % 5][y] & _WORD) for y in range(5)] for x in range(5)]
        lanes[0][0] ^= constant
    return lanes


def plain_keccak(data: bytes) -> bytes:
    """keccak256 in Python alone: a block is 136 bytes, padding starts with 0x01 (SHA-3's starts with 0x06)."""
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), 136):
        for place in range(17):
            lanes[place % 5][place // 5] ^= int.from_bytes(padded[start + 8 * place : start + 8 * place + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lanes[place][0].to_bytes(8, "little") for place in range(4))


def _fast_keccak() -> Callable[[bytes], bytes]:
    try:
        from Crypto.Hash import keccak
    except ImportError:
        return plain_keccak
    return lambda data: keccak.new(digest_bits=256, data=data).digest()


def _keccak(data: bytes) -> bytes:
    global _chosen
    if _chosen is None:
        _chosen = _fast_keccak()
    return _chosen(data)


_chosen: Callable[[bytes], bytes] | None = None


def _pair(one: bytes, other: bytes) -> bytes:
    return _keccak(one + other if one < other else other + one)


# --- merkle trees ---------------------------------------------------------------------------------------------------


def payout_root(payouts: Iterable[tuple[str, int]]) -> str | None:
    """The root over (address, amount), by a queue: the two smallest waiting places make the next node. None for no payout."""
    waiting = deque(sorted(_leaf(("address", "uint256"), (address, str(amount))) for address, amount in payouts))
    while len(waiting) > 1:
        waiting.append(_pair(waiting.popleft(), waiting.popleft()))
    return "0x" + waiting[0].hex() if waiting else None


def _leaf(encoding: Sequence[str], values: Sequence[str]) -> bytes:
    return _keccak(_keccak(b"".join(_word(kind, value) for kind, value in zip(encoding, values, strict=True))))


def _word(kind: str, value: str) -> bytes:
    """A static ABI value: numbers and addresses are padded on the left to 32 bytes."""
    if kind == "uint256":
        return _amount(value).to_bytes(32, "big")
    digits = 40 if kind == "address" else 64
    if not re.fullmatch(f"0x[0-9a-fA-F]{{{digits}}}", value):
        raise ValueError(f"{value!r} is not of type {kind}")
    return bytes(32 - digits // 2) + bytes.fromhex(value[2:])


def verify_dump(dump: Row) -> list[Finding]:
    """An OpenZeppelin standard-v1 dump: shape, every leaf, every node, every proof."""
    try:
        return _verify_dump(dump)
    except ODD as error:
        return [f"not a standard-v1 dump: {_told(error)}"]


def _verify_dump(dump: Row) -> list[Finding]:
    if dump.get("format") != "standard-v1" or tuple(dump["leafEncoding"]) not in ENCODINGS:
        return [f"not a standard-v1 dump that pays addresses: {dump.get('format')!r}, {dump.get('leafEncoding')!r}"]
    tree, values = dump["tree"], dump["values"]
    count = len(values)
    if count == 0 or len(tree) != 2 * count - 1:
        return [f"{count} leaves need {max(0, 2 * count - 1)} nodes, the tree has {len(tree)}"]
    nodes = [_node(text) for text in tree]
    findings = [
        f"node {place} is not the hash of its children"
        for place in range(count - 1)
        if nodes[place] != _pair(*nodes[2 * place + 1 : 2 * place + 3])
    ]
    return findings + _verify_leaves(tuple(dump["leafEncoding"]), nodes, values) + _verify_claims(dump, nodes)


def _verify_leaves(encoding: tuple[str, ...], nodes: Sequence[bytes], values: Sequence[Row]) -> list[Finding]:
    findings = []
    addresses, places = set(), set()
    of_address, of_amount = ENCODINGS[encoding]
    for index, entry in enumerate(values):
        value, place = entry["value"], _count(entry["treeIndex"])
        address = value[of_address]
        if not _is_address(address) or _amount(value[of_amount]) == 0:
            findings.append(f"leaf {address} {value[of_amount]} is not an address and a positive amount")
            continue
        if encoding[0] == "uint256" and value[0] != str(index):
            findings.append(f"leaf {address} has index {value[0]}, its place is {index}")
        if address.lower() in addresses or place in places:
            findings.append(f"leaf {address} stands twice")
        addresses.add(address.lower())
        places.add(place)
        if not len(values) - 1 <= place < len(nodes):
            findings.append(f"leaf {address} is at {place}, not among the leaves")
        elif nodes[place] != _leaf(encoding, value):  # with all nodes right, so is its proof: no need to fold each
            findings.append(f"leaf {address} is not what is hashed at its place: no proof leads from it to the root")
    return findings


def _verify_claims(dump: Row, nodes: Sequence[bytes]) -> list[Finding]:
    """What Allo's contracts are handed beside the dump, where it stands there: the same rows, and proofs that lead to the root."""
    if "distributions" not in dump:
        return []
    encoding = tuple(dump["leafEncoding"])
    names = {4: ("index", "recipientId", None, "amount"), 3: ("index", "grantee", "amount", "projectId")}[
        4 if encoding[2] == "address" else 3
    ]
    findings = [] if dump["merkleRoot"] == dump["tree"][0] else [f"merkleRoot {dump['merkleRoot']} is not the tree's"]
    if len(dump["distributions"]) != len(dump["values"]):
        return [*findings, f"{len(dump['distributions'])} distributions for {len(dump['values'])} leaves"]
    for claim, entry in zip(dump["distributions"], dump["values"], strict=True):
        told = [entry["value"][place] if name is None else claim[name] for place, name in enumerate(names)]
        proof = [_node(part) for part in claim["merkleProof"]]
        if told != list(entry["value"]) or _folded(_leaf(encoding, told), proof) != nodes[0]:
            findings.append(f"the distribution of index {claim['index']} does not lead to the root")
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
    return _folded(_leaf(("address", "uint256"), (address, str(amount))), proof) == root


def _folded(node: bytes, proof: Sequence[bytes]) -> bytes:
    for sibling in proof:
        node = _pair(node, sibling)
    return node


def verify_uniswap(claims: Row) -> list[Finding]:
    """Claims of Uniswap's distributor: every proof leads to the root, indexes count from 0, amounts sum to the total."""
    try:
        root, total, indexes, findings = _node(claims["merkleRoot"]), 0, [], []
        for address, claim in claims["claims"].items():
            index, amount, proof = _count(claim["index"]), _hex_amount(claim["amount"]), [_node(part) for part in claim["proof"]]
            leaf = _keccak(index.to_bytes(32, "big") + bytes.fromhex(address[2:]) + amount.to_bytes(32, "big"))
            if not _is_address(address) or amount == 0 or _folded(leaf, proof) != root:
                findings.append(f"the proof of {address} does not lead to the root")
            total += amount
            indexes.append(index)
        if sorted(indexes) != list(range(len(indexes))):
            findings.append("the indexes do not count from 0: two payees would share a claim")
        if total != _hex_amount(claims["tokenTotal"]):
            findings.append(f"the claims sum to {total}, tokenTotal says {int(claims['tokenTotal'], 16)}")
    except ODD as error:
        return [f"not claims of Uniswap's distributor: {_told(error)}"]
    return findings


# --- the round ------------------------------------------------------------------------------------------------------


def verify_round(snapshot: Row, dump: Row | None = None) -> list[Finding]:
    """paid + held + residual = budget, points are the credits', shares are right to the unit, payouts are what is paid."""
    try:
        if snapshot["schema"] != "precipitate/round/1":
            return [
                f"the round is of schema {snapshot['schema']!r}, this program reads precipitate/round/1: ROUND.json comes right after RELEASE"
            ]
        findings = _verify_sums(snapshot) + _verify_points(snapshot) + _verify_corrections(snapshot)
        findings += findings or _verify_amounts(before_corrections(snapshot))  # shares are judged before they were corrected
        findings += _verify_payouts(snapshot) + _verify_names(snapshot)
    except ODD as error:
        return [f"not a published round: {_told(error)}"]
    return findings + (verify_dump(dump) or _verify_paid(snapshot, _dump_amounts(dump)) if dump is not None else [])


def _told(error: BaseException) -> str:
    return f"{type(error).__name__} {error}"


def _verify_sums(snapshot: Row) -> list[Finding]:
    totals, budget = snapshot["totals"], _amount(snapshot["round"]["budget"])
    findings = []
    parts = [_amount(totals[name]) for name in ("paid", "held", "residual")]
    if sum(parts) != budget:
        findings.append(f"paid {parts[0]} + held {parts[1]} + residual {parts[2]} is {sum(parts)}, the budget is {budget}")
    for state, total in zip(("paid", "held"), parts, strict=False):
        found = sum(_amount(a["amount"]) for a in snapshot["allocations"] if a["state"] == state)
        if found != total:
            findings.append(f"{state} allocations sum to {found}, the total says {total}")
    odd = [a["author"] for a in snapshot["allocations"] if a["state"] not in ("paid", "held")]
    return findings + [f"{author} is neither paid nor held" for author in odd]


def _points(credits: Iterable[Row]) -> dict[str, int]:
    earned: defaultdict[str, int] = defaultdict(int)
    for credit in credits:
        earned[credit["author"]] += _count(credit["points"])
    return dict(earned)


def _verify_points(snapshot: Row) -> list[Finding]:
    earned = _points(snapshot["credits"])
    told = {a["author"]: _count(a["points"]) for a in snapshot["allocations"]}
    findings = [] if len(told) == len(snapshot["allocations"]) else ["an author stands twice among the allocations"]
    outside = {entry["author"]: _count(entry["points"]) for entry in snapshot.get("excluded", [])}
    if len(outside) != len(snapshot.get("excluded", [])) or any(told.get(author) for author in outside):
        findings.append("an author is excluded twice, or excluded and has points")
    if not all(isinstance(entry["reason"], str) and entry["reason"] for entry in snapshot.get("excluded", [])):
        findings.append("an author is excluded without a reason")
    if _count(snapshot["totals"]["points"]) != sum(earned.values()) - sum(outside.values()):
        findings.append(
            f"the total is {snapshot['totals']['points']} points, the credits give {sum(earned.values()) - sum(outside.values())}"
        )
    told = {author: told.get(author, 0) + outside.get(author, 0) for author in told.keys() | outside.keys()}
    return findings + [
        f"{author} has {told.get(author, 0)} points, the credits give {earned.get(author, 0)}"
        for author in sorted(earned.keys() | told.keys())
        if told.get(author, 0) != earned.get(author, 0)
    ]


def _verify_corrections(snapshot: Row) -> list[Finding]:
    """Each correction takes up where the one before left the author, and the last one's result is what they get."""
    amounts = {a["author"]: _amount(a["amount"]) for a in snapshot["allocations"]}
    findings: list[Finding] = []
    reached: dict[str, int] = {}
    for correction in snapshot.get("corrections", []):
        author, before, after = correction["author"], _amount(correction["before"]), _amount(correction["after"])
        if reached.get(author, before) != before or before == after:
            findings.append(f"a correction of {author} is from {before}, which is not what they had")
        if correction["kind"] not in ("dispute", "deleted", "opted out") or (correction["kind"] != "dispute" and after > before):
            findings.append(f"a correction of {author} is of kind {correction['kind']!r}")
        if correction["goes_to"] not in ("residual", "next") or not isinstance(correction["ref"], str) or not correction["ref"]:
            findings.append(f"a correction of {author} does not say where the money goes, or why")
        reached[author] = after
    return findings + [
        f"{author} gets {amounts.get(author, 0)}, the corrections come to {after}"
        for author, after in sorted(reached.items())
        if amounts.get(author, 0) != after
    ]


def before_corrections(snapshot: Row) -> dict[str, Any]:
    """The round as its policy shared it out: amounts before all corrections, and what was left over then."""
    first: dict[str, str] = {}
    for correction in snapshot.get("corrections", []):
        first.setdefault(correction["author"], correction["before"])
    allocations = [{**a, "amount": first.get(a["author"], a["amount"])} for a in snapshot["allocations"]]
    allocations = [a for a in allocations if a["points"] or _amount(a["amount"])]  # who got something by a dispute alone
    residual = _amount(snapshot["round"]["budget"]) - sum(_amount(a["amount"]) for a in allocations)
    if residual < 0:
        raise ValueError(f"the shares before corrections are {-residual} over the budget")
    return {**snapshot, "allocations": allocations, "totals": {**snapshot["totals"], "residual": str(residual)}}


def is_plain(snapshot: Row) -> bool:
    """Whether amounts are points' shares and nothing else: then the round publishes no settings and no votes."""
    return snapshot["round"]["policy"] == "proportional" and "policy" not in snapshot


def _verify_amounts(snapshot: Row) -> list[Finding]:
    return _verify_shares(snapshot) if is_plain(snapshot) else _verify_policy(snapshot)


def _verify_policy(snapshot: Row) -> list[Finding]:
    """Votes, caps and the like are worked out again by the file beside this one, which is needed only for them."""
    module = _beside("verify_policies")
    if module is None:
        return [f"the round shares out by {snapshot['round']['policy']} with settings: put verify_policies.py beside verify.py to check it"]
    return list(module.verify_policy(snapshot))


def _verify_shares(snapshot: Row) -> list[Finding]:
    """Each share is its quota rounded down or up by less than a unit, and up only for the largest remainders."""
    budget = _amount(snapshot["round"]["budget"]) - _amount(snapshot["totals"]["residual"])
    total = sum(a["points"] for a in snapshot["allocations"])
    findings, rounded_up, rounded_down = [], [], []
    if total and _amount(snapshot["totals"]["residual"]):
        findings.append(f"{snapshot['totals']['residual']} is left over, though somebody earned points")
    for a in snapshot["allocations"]:
        over = _amount(a["amount"]) * total - a["points"] * budget  # how far above its exact quota, in 1/total of a unit
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


def _verify_payouts(snapshot: Row) -> list[Finding]:
    token = str(snapshot["round"]["token"]).lower()
    due: defaultdict[str, int] = defaultdict(int)
    authors: defaultdict[str, list[str]] = defaultdict(list)
    for a in snapshot["allocations"]:
        team = a.get("team")
        if (a["state"] == "paid") != (a["address"] is not None or team is not None) or (a["address"] is not None and team is not None):
            return [f"{a['author']} is {a['state']} but {'has no' if a['state'] == 'paid' else 'has an'} address"]
        parts = {a["address"]: _amount(a["amount"])} if team is None else _team_parts(snapshot["teams"][team], _amount(a["amount"]))
        for address, amount in parts.items() if a["state"] == "paid" else ():
            if not _is_address(address) or address.lower() == token:
                return [f"{a['author']} is paid at {address!r}, where nobody can spend it"]
            if amount:
                due[address] += amount
                authors[address].append(a["author"])
    paid = {p["address"]: (_amount(p["amount"]), p["authors"]) for p in snapshot["payouts"]}
    if len(paid) != len(snapshot["payouts"]) or {address: amount for address, (amount, _) in paid.items()} != dict(due):
        total = sum(amount for amount, _ in paid.values())
        return [f"payouts of {total} to {len(paid)} addresses are not the {sum(due.values())} due to {len(due)}"]
    return [
        f"the payout to {address} names other authors than are paid there"
        for address in paid
        if sorted(paid[address][1]) != sorted(authors[address])
    ]


def _team_parts(weights: Mapping[str, int], amount: int) -> dict[str, int]:
    """An amount by weights: quotas rounded down, then a unit each to the largest remainders, ties by address."""
    total = sum(_count(weight) for weight in weights.values())
    parts = {address: amount * weight // total for address, weight in weights.items()}
    order = sorted(weights, key=lambda address: (-(amount * weights[address] % total), address))
    for address in order[: amount - sum(parts.values())]:
        parts[address] += 1
    return parts


def _verify_names(snapshot: Row) -> list[Finding]:
    """An allocation's handle is what the author's credits call them: nobody is shown under another's name."""
    named = {credit["author"]: (credit["handle"], credit["source"]) for credit in snapshot["credits"]}
    return [
        f"{a['author']} is called {a['handle']!r}, the credits say {named[a['author']][0]!r}"
        for a in (*snapshot["allocations"], *snapshot.get("excluded", []))
        if a["author"] in named and named[a["author"]] != (a["handle"], a["source"])
    ]


# --- the release ----------------------------------------------------------------------------------------------------


def verify_release(folder: Path) -> list[Finding]:
    """Every file has the hash that the manifest says, and the manifest's root is over these hashes."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = manifest["files"]
        root = "sha256:" + hashlib.sha256(_canonical(files).encode()).hexdigest()
        findings = [] if manifest["root"] == root else [f"the files make the root {root}, the manifest says {manifest['root']}"]
        for name, told in files.items():
            data = (folder / name).read_bytes() if re.fullmatch(r"[a-z]+\.jsonl", name) else b""
            found = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "records": data.count(b"\n")}
            if found != told:
                findings.append(f"{name} is not what the manifest says")
    except (OSError, *ODD) as error:
        return [f"the release cannot be checked: {_told(error)}"]
    return findings


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def verify_against_release(snapshot: Row, folder: Path) -> list[Finding]:
    """The round stands on this release: it names its root, and its credits are the release's, each with its receipt."""
    try:
        root = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["root"]
        credits, procedures = (_lines(folder / name) for name in ("credits.jsonl", "procedures.jsonl"))
        findings = [] if snapshot["release"] == root else [f"the round was made from release {snapshot['release']}, this is {root}"]
        if "weights" in snapshot:
            return findings + _by_own_weights(snapshot, folder, credits) + _receipts(snapshot, procedures)
        erased = {_spans(record) for record in snapshot["credits"] if record.get("erased")}
        mine, theirs = (
            Counter(_spans(record) if _spans(record) in erased else _canonical(record) for record in rows)
            for rows in (snapshot["credits"], credits)
        )
        for what, lot in (("is not in the release", mine - theirs), ("of the release is not in the round", theirs - mine)):
            findings += [f"a credit {what}: {_credit(json.loads(text))}" for text in sorted(lot)[:3]]
            findings += [f"and {lot.total() - 3} more like it"] if lot.total() > 3 else []
        findings += _receipts(snapshot, procedures)
    except (OSError, *ODD) as error:
        return [f"the round cannot be compared with the release: {_told(error)}"]
    return findings


def _receipts(snapshot: Row, procedures: Sequence[Row]) -> list[Finding]:
    known = {(record["id"], record["version_id"]): record for record in procedures}
    both = (*snapshot["credits"], *snapshot["uncredited"])
    findings = [f"no receipt for {_credit(record)}" for record in both if not _has_receipt(record, known)]
    return findings + [f"{_credit(record)} has points, though it earned none" for record in snapshot["uncredited"] if record["points"] != 0]


def _by_own_weights(snapshot: Row, folder: Path, credits: Sequence[Row]) -> list[Finding]:
    """Points worked out by the round's own weights; all else of a credit that the release has, too, is as it is there."""
    module = _beside("verify_credit")
    if module is None:
        return ["the round has weights of its own: put verify_credit.py beside verify.py to check its credits"]
    findings = list(module.verify_own(folder, snapshot["weights"], snapshot["credits"]))
    released = {_who(record): record for record in credits}
    for record in snapshot["credits"]:
        other = released.get(_who(record))
        erased = bool(record.get("erased"))
        if other is not None and _bare(record, erased) != _bare(other, erased):
            findings.append(f"a credit is told otherwise in the release: {_credit(record)}")
    return findings


def _bare(record: Row, erased: bool) -> str:
    """A credit without what weights change, and without people's words where they were taken back."""
    told = json.loads(_spans(record)) if erased else record
    return _canonical({key: value for key, value in told.items() if key not in ("points", "why")})


def _who(record: Row) -> str:
    return _canonical([record[key] for key in ("author", "procedure", "version_id", "step", "role", "post")])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _spans(record: Row) -> str:
    """A credit without people's words: what is left of it when an author has taken them back."""
    keys = ("author", "procedure", "version_id", "step", "role", "points", "post", "created", "start", "end")
    return _canonical({key: record[key] for key in keys})


def _credit(record: Row) -> str:
    return f"{record['author']}, {record['role']} in step {record['step']} of {record['procedure']}, {record['points']} points"


def _has_receipt(record: Row, procedures: Mapping[tuple[str, str], Row]) -> bool:
    """The quoted words stand in that step of that procedure, said by that author in that post."""
    if record["role"] not in RECEIPT_ROLES or record.get("erased"):
        return True  # see _notes
    procedure = procedures.get((record["procedure"], record["version_id"]))
    step = next((step for step in procedure["steps"] if step["n"] == record["step"]), None) if procedure else None
    if procedure is None or step is None or (record["title"], record["step_text"]) != (procedure["title"], step["text"]):
        return False
    cited = [*step["citations"], *(stance["citation"] for stance in procedure["stances"] if stance["step"] == step["n"])]
    keys = ("author", "post", "permalink", "created", "start", "end")
    return any(all(c[key] == record[key] for key in keys) and c["exact"] == record["quote"] for c in cited)


# --- exports --------------------------------------------------------------------------------------------------------


def _verify_paid(snapshot: Row, amounts: Mapping[str, int]) -> list[Finding]:
    """Does a list of lower-case address → amount pay what the round pays?"""
    due = {p["address"].lower(): int(p["amount"]) for p in snapshot["payouts"]}
    if amounts == due:
        return []
    wrong = sorted(address for address in amounts.keys() | due.keys() if amounts.get(address) != due.get(address))
    return [f"it does not pay the round's payouts: {wrong[0]} gets {amounts.get(wrong[0], 0)}, is due {due.get(wrong[0], 0)}"]


def _dump_amounts(dump: Row) -> dict[str, int]:
    of_address, of_amount = ENCODINGS[tuple(dump["leafEncoding"])]
    return {entry["value"][of_address].lower(): int(entry["value"][of_amount]) for entry in dump["values"]}


def verify_export(snapshot: Row, text: str) -> list[Finding]:
    """One exported JSON file, told by its shape: a dump, Uniswap's claims or payouts.json."""
    try:
        data = json.loads(text)
        if "leafEncoding" in data:
            amounts = _dump_amounts(data)
            units = sum(amounts.values()) == UNITS != int(snapshot["totals"]["paid"])
            return verify_dump(data) + (_verify_units(snapshot, amounts) if units else _verify_paid(snapshot, amounts))
        if "tokenTotal" in data:
            claims = {address.lower(): int(claim["amount"], 16) for address, claim in data["claims"].items()}
            return verify_uniswap(data) + _verify_paid(snapshot, claims)
        if data.get("schema") == "precipitate/payouts/1":
            return _verify_payouts_json(snapshot, data)
    except ODD as error:
        return [f"not an export that this program knows: {_told(error)}"]
    return ["not an export that this program knows: give merkle, allo-v2, allo-v1, hypercerts, uniswap or json files, or Safe's CSV"]


def _verify_units(snapshot: Row, units: Mapping[str, int]) -> list[Finding]:
    """Units are the payouts' parts of all units, to less than one unit."""
    due = {p["address"].lower(): int(p["amount"]) for p in snapshot["payouts"]}
    total = sum(due.values())
    wrong = sorted(a for a in due.keys() | units.keys() if abs(units.get(a, 0) * total - due.get(a, 0) * UNITS) >= total)
    return [f"{wrong[0]} has {units.get(wrong[0], 0)} units of {UNITS}, for {due.get(wrong[0], 0)} of {total}"] if wrong else []


def _verify_payouts_json(snapshot: Row, data: Row) -> list[Finding]:
    findings = [f"its {key} is not the round's" for key in ("round", "release", "totals") if data[key] != snapshot[key]]
    amounts = {p["address"].lower(): _amount(p["amount"]) for p in data["payouts"]}
    root = payout_root((p["address"], int(p["amount"])) for p in snapshot["payouts"])
    if data["merkle_root"] != root:
        findings.append(f"its merkle root is {data['merkle_root']}, the payouts give {root}")
    return findings + _verify_paid(snapshot, amounts)


def verify_safe_csv(snapshot: Row, texts: Sequence[str]) -> list[Finding]:
    """Safe's CSV, all its parts together: right token, right amounts, nobody twice."""
    round_, paid = snapshot["round"], dict[str, int]()
    kind, token = ("native", "") if round_["token"] == "native" else ("erc20", round_["token"])
    try:
        for row in (row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)):
            whole, _, fraction = row["amount"].partition(".")
            if (row["token_type"], row["token_address"]) != (kind, token) or row["receiver"].lower() in paid:
                return [f"{row['receiver']} is paid in another token, or twice"]
            if not re.fullmatch("[0-9]+", whole + fraction, re.ASCII) or len(fraction) > round_["decimals"]:
                return [f"{row['receiver']} is paid {row['amount']!r}, which is no amount"]
            paid[row["receiver"].lower()] = int(whole + fraction.ljust(round_["decimals"], "0"))
    except (csv.Error, *ODD) as error:
        return [f"not Safe's CSV: {_told(error)}"]
    return _verify_paid(snapshot, paid)


# --- as a program ---------------------------------------------------------------------------------------------------


def verify_all(folder: Path, round_path: Path, exports: Sequence[Path]) -> dict[str, Any]:
    """Everything at once, as the program prints it. Raises OSError or ValueError on a file that cannot be read."""
    data = round_path.read_bytes()
    snapshot = json.loads(data)
    findings = {"release": verify_release(folder), "round": verify_round(snapshot)}
    life, exports = _life_files(exports)
    if not findings["round"]:
        findings["round"] = verify_against_release(snapshot, folder)
        findings |= {"life": verify_life(snapshot, *life)} if life[0] is not None or life[1] else {}
        findings |= _verify_credits(folder)
        safe = [path for path in exports if path.suffix == ".csv"]
        findings |= {"Safe CSV": verify_safe_csv(snapshot, [_text(path) for path in safe])} if safe else {}
        findings |= {path.name: verify_export(snapshot, _text(path)) for path in exports if path not in safe}
    flat = [f"{where}: {finding}" for where, found in findings.items() for finding in found]
    told: dict[str, Any] = {"well": not flat, "findings": flat, "round_sha256": hashlib.sha256(data).hexdigest()}
    notes = _notes(snapshot) + (
        [] if "credits" in findings else ["the credits were not worked out again: verify_credit.py and evidence.jsonl do that"]
    )
    return told if findings["round"] else {**told, **_recomputed(snapshot, folder), "notes": notes}


def _verify_credits(folder: Path) -> dict[str, list[Finding]]:
    """Every credit worked out again from the release's evidence by the file beside this one; nothing where either is missing."""
    module = _beside("verify_credit")
    if module is None or not (folder / "evidence.jsonl").is_file():
        return {}
    try:
        return {"credits": list(module.verify_credits(folder))}
    except (OSError, *ODD) as error:
        return {"credits": [f"the evidence cannot be read: {_told(error)}"]}


Life = tuple[Row | None, Sequence[str], Sequence[Row]]  # frozen snapshot, lines of the ledger, batches


def _life_files(paths: Sequence[Path]) -> tuple[Life, list[Path]]:
    """Frozen snapshot, ledger and batches, told by their shape; the other files are exports."""
    frozen: Row | None = None
    lines: list[str] = []
    batches: list[Row] = []
    rest = []
    for path in paths:
        if path.suffix == ".jsonl":
            lines = [line for line in _text(path).split("\n") if line]
            continue
        data = json.loads(_text(path)) if path.suffix == ".json" else None
        schema = data.get("schema") if isinstance(data, dict) else None
        if data is not None and schema == "precipitate/frozen/1":
            frozen = data
        elif data is not None and schema == "precipitate/batch/1":
            batches.append(data)
        else:
            rest.append(path)
    return (frozen, lines, batches), rest


def verify_life(snapshot: Row, frozen: Row | None, lines: Sequence[str], batches: Sequence[Row] = ()) -> list[Finding]:
    """The round's life by its ledger and frozen snapshot, by the file beside this one."""
    if frozen is None or not lines:
        return ["a round's life is checked by its frozen snapshot and the ledger together: give both"]
    module = _beside("verify_life")
    if module is None:
        return ["put verify_life.py beside verify.py to check a ledger"]
    try:
        return list(module.verify_life(snapshot, frozen, lines, batches, payout_root))
    except ODD as error:
        return [f"not a frozen snapshot, ledger and batches of this round: {_told(error)}"]


def _beside(name: str) -> Any:
    """A module from the file of that name beside this one, None where there is none."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _recomputed(snapshot: Row, folder: Path) -> dict[str, Any]:
    """Points from the release's own lines; sums and root from the payouts, which were checked against them."""
    points = _points(_lines(folder / "credits.jsonl"))
    return {
        "authors": len(points),
        "points": sum(points.values()),
        "totals": {key: snapshot["totals"][key] for key in ("paid", "held", "residual")},
        "budget": snapshot["round"]["budget"],
        "root": payout_root((p["address"], int(p["amount"])) for p in snapshot["payouts"]),
    }


def _notes(snapshot: Row) -> list[str]:
    """What was not checked, so that nobody believes it was."""
    other = sorted({record["role"] for record in snapshot["credits"]} - set(RECEIPT_ROLES))
    notes = [f"receipts of {role} credits stand outside the procedures and are not compared" for role in other]
    erased = sum(bool(record.get("erased")) for record in snapshot["credits"])
    return notes + [f"the words of {erased} credits were taken back by their authors: only their places are compared"] * bool(erased)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rewards.verify", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("release", type=Path, metavar="RELEASE")
    parser.add_argument("round", type=Path, metavar="ROUND.json")
    parser.add_argument("exports", type=Path, nargs="*", metavar="EXPORT")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    given = parser.parse_args(words)
    try:
        told = verify_all(given.release, given.round, given.exports)
    except (OSError, ValueError) as error:
        print(f"error: {str(error)!a}", file=sys.stderr)
        return 1
    print(json.dumps(told, indent=1) if given.json else _rendered(told))
    return 0 if told["well"] else 4


def _rendered(told: Row) -> str:
    """Plain lines; what comes from the files is escaped where it is no plain letter."""
    lines = [f"round    sha256:{told['round_sha256']}"]
    if "root" in told:
        parts = " + ".join(f"{key} {amount}" for key, amount in told["totals"].items())
        lines += [f"points   {told['points']:,} of {told['authors']} authors", f"sums     {parts} = budget {told['budget']}"]
        lines += [f"root     {told['root']}"]
    lines += [f"note     {ascii(note)[1:-1]}" for note in told.get("notes", [])]
    lines += [f"finding  {ascii(finding)[1:-1]}" for finding in told["findings"]]
    return "\n".join([*lines, "all well" if told["well"] else f"{len(told['findings'])} findings"])


if __name__ == "__main__":
    sys.exit(main())
