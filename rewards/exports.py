"""What a round operator takes away: payouts and credits in the formats that other tools read.

`EXPORTS[what][format]` is a pure function of a round's snapshot (payouts) or of credit records (credits) to files, as
(file name, text) pairs. Amounts in JSON are strings of base units.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from index.errors import MoneyError, UnknownName
from index.records import Payout
from rewards import merkle
from rewards.identities import FORMULA_STARTS
from rewards.money import NATIVE, format_amount

Files = list[tuple[str, str]]

SAFE_ROWS = 500  # the app refuses longer files
SAFE_HEADER = ("token_type", "token_address", "receiver", "amount", "id")
CREDIT_COLUMNS = (
    *("author", "handle", "source", "procedure", "version_id", "title", "step", "step_text", "role", "points", "why"),
    *("post", "permalink", "created", "start", "end", "quote"),
)


def export(what: str, form: str, data: Any) -> Files:
    """Files of one export. Raises UnknownName with the valid names, MoneyError where there is nothing to pay."""
    if what not in EXPORTS:
        raise UnknownName("export", what, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    if form not in EXPORTS[what]:
        raise UnknownName(f"format of {what}", form, EXPORTS[what], f"there are: {', '.join(EXPORTS[what])}")
    return EXPORTS[what][form](data)


# --- payouts: snapshot → files --------------------------------------------------------------------------------------


def payouts_safe_csv(snapshot: Mapping[str, Any]) -> Files:
    """Safe's CSV Airdrop: decimal amounts, a blank token address for the chain's own coin, 500 rows a file."""
    round_ = snapshot["round"]
    kind, token = ("native", "") if round_["token"] == NATIVE else ("erc20", round_["token"])
    rows = [(kind, token, p.address, format_amount(p.amount, round_["decimals"]), "") for p in _some_payouts(snapshot)]
    parts = [rows[start : start + SAFE_ROWS] for start in range(0, len(rows), SAFE_ROWS)]
    stem = f"payouts-{round_['name']}"
    names = [f"{stem}.csv"] if len(parts) == 1 else [f"{stem}-{n}-of-{len(parts)}.csv" for n in range(1, len(parts) + 1)]
    return [(name, _csv(SAFE_HEADER, part)) for name, part in zip(names, parts, strict=True)]


def payouts_merkle(snapshot: Mapping[str, Any]) -> Files:
    """OpenZeppelin's standard-v1 dump: `StandardMerkleTree.load` takes it as it is."""
    return [(f"merkle-{snapshot['round']['name']}.json", _json(merkle.dump(_some_payouts(snapshot))))]


def payouts_json(snapshot: Mapping[str, Any]) -> Files:
    """Everything about the money of a round: what is paid to whom, held for whom, left over, and the merkle root."""
    round_ = snapshot["round"]
    payouts = _payouts(snapshot)
    data = {
        "schema": "precipitate/payouts/1",
        "round": round_,
        "release": snapshot["release"],
        "totals": snapshot["totals"],
        "merkle_root": merkle.root(merkle.dump(payouts)["tree"]) if payouts else None,
        "payouts": [
            {
                "address": payout.address,
                "amount": str(payout.amount),
                "decimal": format_amount(payout.amount, round_["decimals"]),
                "authors": list(payout.authors),
            }
            for payout in payouts
        ],
        "held": [
            {"author": a["author"], "handle": a["handle"], "amount": a["amount"]} for a in snapshot["allocations"] if a["state"] == "held"
        ],
    }
    return [(f"payouts-{round_['name']}.json", _json(data))]


def _payouts(snapshot: Mapping[str, Any]) -> list[Payout]:
    return [Payout(p["address"], int(p["amount"]), tuple(p["authors"])) for p in snapshot["payouts"]]


def _some_payouts(snapshot: Mapping[str, Any]) -> list[Payout]:
    """At least one: an empty list would look like a round that was paid out."""
    payouts = _payouts(snapshot)
    if not payouts:
        held = format_amount(int(snapshot["totals"]["held"]), snapshot["round"]["decimals"])
        raise MoneyError(f"round {snapshot['round']['name']} pays nobody yet: {held} is held", "import identities, then allocate it again")
    return payouts


# --- credits: records → files ---------------------------------------------------------------------------------------


def credits_json(records: Sequence[Mapping[str, Any]]) -> Files:
    return [("credits.json", _json(list(records)))]


def credits_jsonl(records: Sequence[Mapping[str, Any]]) -> Files:
    return [("credits.jsonl", "".join(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n" for record in records))]


def credits_csv(records: Sequence[Mapping[str, Any]]) -> Files:
    rows = [[_cell(record[column]) for column in CREDIT_COLUMNS] for record in records]
    return [("credits.csv", _csv(CREDIT_COLUMNS, rows))]


def _cell(value: Any) -> Any:
    """People's words go into spreadsheets: a cell that would run as a formula gets a leading apostrophe."""
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


# --- writing --------------------------------------------------------------------------------------------------------


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180. Its line ends matter: the writer quotes a cell for the characters that end a line, so for a bare CR too."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


EXPORTS: dict[str, dict[str, Callable[[Any], Files]]] = {
    "payouts": {"safe-csv": payouts_safe_csv, "merkle": payouts_merkle, "json": payouts_json},
    "credits": {"json": credits_json, "csv": credits_csv, "jsonl": credits_jsonl},
}
