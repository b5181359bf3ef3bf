"""A round's snapshot → its payouts, checked once, for every format alike; and the names that other systems give payees."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import MoneyError, StateError, UsageError
from index.records import Payout
from rewards.allocation import split
from rewards.money import MAX_UINT256, NATIVE, ZERO_ADDRESS, format_amount, keccak256, parse_address

Ids = Mapping[str, Mapping[str, str]]  # lower-case address → what other systems call the payee


@dataclass(frozen=True, slots=True)
class Paying:
    """What every payout export is made from."""

    snapshot: Mapping[str, Any]
    payouts: tuple[Payout, ...]  # by address, amounts above zero
    ids: Ids
    named: Mapping[str, str]  # author → "ann@forum.example.org"

    @property
    def name(self) -> str:
        return str(self.snapshot["round"]["name"])

    @property
    def decimals(self) -> int:
        return int(self.snapshot["round"]["decimals"])

    @property
    def native(self) -> bool:
        return bool(self.snapshot["round"]["token"] == NATIVE)

    @property
    def token(self) -> str:
        """The token's address; the zero address for the chain's own coin, as most contracts name it."""
        return ZERO_ADDRESS if self.native else str(self.snapshot["round"]["token"])

    def some(self) -> tuple[Payout, ...]:
        """At least one payout: an empty list would look like a round that was paid out."""
        if not self.payouts:
            held = format_amount(int(self.snapshot["totals"]["held"]), self.decimals)
            late = f"`precipitate round settle {self.name}` pays who has an address by now in a batch of its own: --batch 2"
            early = f"import or claim addresses, then `precipitate round finalise {self.name}` pays who has one by then"
            raise StateError(
                f"round {self.name} pays nobody: {held} is held", late if self.snapshot["round"]["state"] == "final" else early
            )
        return self.payouts

    def handles(self, payout: Payout) -> str:
        """ "ann@forum.example.org, bob@forum.example.org": who is paid at an address."""
        return ", ".join(self.named.get(author, author) for author in payout.authors)

    def payee_id(self, payout: Payout) -> str:
        """A bytes32 that stays the payee's from round to round; of an address of a team, where the same accounts are paid at several, its own."""
        alone = sum(other.authors == payout.authors for other in self.payouts) == 1
        return payee_hash(payout) if alone else "0x" + keccak256(f"{payee_hash(payout)} {payout.address}".encode()).hex()

    def id_of(self, payout: Payout, column: str, default: str) -> str:
        """What another system calls the payee. Raises MoneyError where a list was given that does not say it."""
        if not any(column in known for known in self.ids.values()):
            return default
        found = self.ids.get(payout.address.lower(), {}).get(column, "")
        if not found:
            raise MoneyError(f"{payout.address} has no {column} in the list of ids", "add a row for it, or leave the column out")
        return found

    def shares(self, total: int, reader: str) -> list[tuple[Payout, int]]:
        """Payouts as parts of `total`, by largest remainder: they sum to it exactly.

        Raises MoneyError where somebody's part would round to nothing: they would be paid nothing without a word.
        """
        payouts = self.some()
        parts = split({payout.address.lower(): payout.amount for payout in payouts}, total)
        lost = [payout for payout in payouts if parts.get(payout.address.lower(), 0) == 0]
        if lost:
            least = min(payout.amount for payout in lost)
            raise MoneyError(
                f"{len(lost)} of {len(payouts)} payees get less than a part in {total:,} that {reader} can hold: "
                f"{lost[0].address} and its like would get nothing (least: {format_amount(least, self.decimals)})",
                "use a format that holds amounts, such as merkle or safe-csv",
            )
        return [(payout, parts[payout.address.lower()]) for payout in payouts]


def paying(snapshot: Mapping[str, Any], ids: Ids) -> Paying:
    """The payouts of a snapshot. Raises MoneyError where they are not what its totals say is paid."""
    payouts = tuple(Payout(p["address"], int(p["amount"]), tuple(p["authors"])) for p in snapshot["payouts"])
    name, paid, total = snapshot["round"]["name"], int(snapshot["totals"]["paid"]), sum(payout.amount for payout in payouts)
    if total != paid:
        raise MoneyError(f"the payouts of round {name} sum to {total}, its total says {paid}", f"run `precipitate round allocate {name}`")
    if len({payout.address.lower() for payout in payouts}) != len(payouts):
        raise MoneyError(f"an address stands twice among the payouts of round {name}", f"run `precipitate round allocate {name}`")
    if any(not 0 < payout.amount <= MAX_UINT256 for payout in payouts):
        raise MoneyError(
            f"a payout of round {name} is no amount above zero that fits a uint256", f"run `precipitate round allocate {name}`"
        )
    named = {a["author"]: f"{a['handle']}@{a['source'].partition(':')[2] or a['source']}" for a in snapshot["allocations"]}
    return Paying(snapshot, payouts, ids, named)


def payee_hash(payout: Payout) -> str:
    """A bytes32 that stays the payee's from round to round while the same accounts are paid together."""
    return "0x" + keccak256(json.dumps(list(payout.authors), ensure_ascii=False).encode()).hex()


# --- names that other systems give payees ---------------------------------------------------------------------------

_BYTES32 = re.compile("0x[0-9a-fA-F]{64}")


def _plain(text: str, where: str) -> str:
    if not re.fullmatch(r"[\w .:/#@-]{1,200}", text) or text[0] in "-@":
        raise UsageError(f"{where} {text!r} is not a plain name", "use letters, digits, spaces and . : / # - _")
    return text


def _bytes32(text: str, where: str) -> str:
    if not _BYTES32.fullmatch(text):
        raise UsageError(f"{where} {text!r} is not 0x and 64 hex digits", "copy the project's id from the round")
    return text.lower()


ID_COLUMNS: dict[str, Callable[[str, str], str]] = {
    "recipientId": parse_address,  # Allo v2: the profile's anchor, or the address that registered
    "projectId": _bytes32,  # Allo v1 and grants-stack
    "projectName": _plain,  # grants-stack
    "applicationId": _plain,  # grants-stack
}


def read_ids(path: Path) -> dict[str, dict[str, str]]:
    """A CSV of `address` and any of ID_COLUMNS. Raises UsageError or MoneyError at the first row that is wrong."""
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {error}", "give a UTF-8 CSV file") from None
    wrong = [column for column in columns if column not in ("address", *ID_COLUMNS)]
    if "address" not in columns or len(columns) < 2 or wrong:
        raise UsageError(f"{path} has the columns {columns}", f"give address and any of {', '.join(ID_COLUMNS)}")
    found: dict[str, dict[str, str]] = {}
    for line, row in enumerate(rows, 2):
        _add_ids(found, row, f"{path}:{line}")
    return found


def _add_ids(found: dict[str, dict[str, str]], row: Mapping[str, Any], where: str) -> None:
    if None in row or None in row.values():
        raise UsageError(f"{where} has not as many cells as the header", "mend the row")
    address = parse_address(row["address"], f"{where} address")
    if address.lower() in found:
        raise UsageError(f"{where}: {address} stands twice", "keep one row for each address")
    given = {column: row[column].strip() for column in row if column != "address"}
    found[address.lower()] = {column: ID_COLUMNS[column](text, f"{where} {column}") for column, text in given.items() if text}


def require_unique(ids: Sequence[str], what: str) -> None:
    """Raises MoneyError where two payees carry the same id: one of them would be paid for both."""
    twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) != len(ids) else []
    if twice:
        raise MoneyError(f"{what} {twice[0]} stands for {ids.count(twice[0])} payees", "give each its own")
