"""What a round operator takes away: payouts and credits in the formats that other tools read.

One path for all: a round's snapshot → its payouts, checked (payees.py) → files. `EXPORTS[what][format]` is a pure
function to (file name, content) pairs. Amounts in JSON are strings of base units. docs/exports.md has the table of who
reads which, what it cannot hold, and which client checked it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from index.errors import UnknownName
from rewards.exports import credits, ledgers, sheets, splits, tokens, trees
from rewards.exports.files import Files
from rewards.exports.payees import Ids, Paying, paying

PAYOUTS: dict[str, Callable[[Paying], Files]] = {
    "safe-csv": sheets.safe_csv,
    "merkle": trees.openzeppelin,
    "json": sheets.plain_json,
    "csv": sheets.plain_csv,
    "parquet": sheets.parquet,
    "allo-v2": trees.allo_v2,
    "allo-v1": trees.allo_v1,
    "grants-stack": sheets.grants_stack,
    "hypercerts": trees.hypercerts,
    "uniswap": trees.uniswap,
    "splits": splits.splits,
    "drips": splits.drips,
    "disperse": sheets.disperse,
    "sourcecred": ledgers.sourcecred,
    "daoip-5": ledgers.daoip5,
    "erc721": tokens.erc721,
}
CREDITS: dict[str, Callable[[credits.Records], Files]] = {
    "json": credits.credits_json,
    "csv": credits.credits_csv,
    "jsonl": credits.credits_jsonl,
    "parquet": credits.credits_parquet,
}
EXPORTS: dict[str, dict[str, Callable[[Any], Files]]] = {"payouts": {**PAYOUTS}, "credits": {**CREDITS}}


def export(what: str, form: str, data: Any, ids: Ids | None = None) -> Files:
    """Files of one export: `data` is a round's snapshot (payouts) or credit records (credits).

    Raises UnknownName with the valid names, MoneyError where the round does not fit the format.
    """
    if what not in EXPORTS:
        raise UnknownName("export", what, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    if form not in EXPORTS[what]:
        raise UnknownName(f"format of {what}", form, EXPORTS[what], f"there are: {', '.join(EXPORTS[what])}")
    return EXPORTS[what][form](paying(data, ids or {}) if what == "payouts" else data)
