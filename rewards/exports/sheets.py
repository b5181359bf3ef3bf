"""Lists of address and amount: Safe, Disperse, grants-stack, and plain CSV, JSON and Parquet."""

from __future__ import annotations

from rewards import merkle
from rewards.exports.files import Files, cell, csv_text, json_text, parquet_bytes
from rewards.exports.payees import Paying, require_unique
from rewards.money import format_amount

SAFE_ROWS = 500  # the app refuses longer files
SAFE_HEADER = ("token_type", "token_address", "receiver", "amount", "id")
GRANTS_STACK_HEADER = ("projectId", "projectName", "applicationId", "payoutAddress", "matched", "contributionsCount")
PAYOUT_HEADER = ("address", "amount", "decimal", "authors", "handles")


def safe_csv(paying: Paying) -> Files:
    """Safe's CSV Airdrop: decimal amounts, a blank token address for the chain's own coin, 500 rows a file.

    No line end after the last row: the app counts what comes after it as a row, and refuses the 501st.
    """
    kind, token = ("native", "") if paying.native else ("erc20", paying.token)
    rows = [(kind, token, p.address, format_amount(p.amount, paying.decimals), "") for p in paying.some()]
    parts = [rows[start : start + SAFE_ROWS] for start in range(0, len(rows), SAFE_ROWS)]
    stem = f"payouts-{paying.name}"
    names = [f"{stem}.csv"] if len(parts) == 1 else [f"{stem}-{n}-of-{len(parts)}.csv" for n in range(1, len(parts) + 1)]
    return [(name, csv_text(SAFE_HEADER, part).removesuffix("\r\n")) for name, part in zip(names, parts, strict=True)]


def disperse(paying: Paying) -> Files:
    """disperse.app: an address and a decimal amount a line; the token is chosen there."""
    lines = [f"{p.address} {format_amount(p.amount, paying.decimals)}\n" for p in paying.some()]
    return [(f"disperse-{paying.name}.txt", "".join(lines))]


def grants_stack(paying: Paying) -> Files:
    """grants-stack's matching results: `matched` in base units. Ids are from --ids, else the payee's hash and place."""
    credits: dict[str, int] = {}
    for credit in paying.snapshot["credits"]:
        credits[credit["author"]] = credits.get(credit["author"], 0) + 1
    rows = [
        (
            paying.id_of(payout, "projectId", paying.payee_id(payout)),
            cell(paying.id_of(payout, "projectName", paying.handles(payout))),
            paying.id_of(payout, "applicationId", str(place)),
            payout.address,
            str(payout.amount),
            sum(credits.get(author, 0) for author in payout.authors),
        )
        for place, payout in enumerate(paying.some())
    ]
    require_unique([row[2] for row in rows], "applicationId")
    return [(f"grants-stack-{paying.name}.csv", csv_text(GRANTS_STACK_HEADER, rows))]


def plain_csv(paying: Paying) -> Files:
    rows = [
        (p.address, str(p.amount), format_amount(p.amount, paying.decimals), cell(" ".join(p.authors)), cell(paying.handles(p)))
        for p in paying.some()
    ]
    return [(f"payees-{paying.name}.csv", csv_text(PAYOUT_HEADER, rows))]


def parquet(paying: Paying) -> Files:
    """The columns of the plain CSV; both amounts as text."""
    payouts = paying.some()
    columns = {
        "address": [p.address for p in payouts],
        "amount": [str(p.amount) for p in payouts],
        "decimal": [format_amount(p.amount, paying.decimals) for p in payouts],
        "authors": [" ".join(p.authors) for p in payouts],
        "handles": [paying.handles(p) for p in payouts],
    }
    return [(f"payees-{paying.name}.parquet", parquet_bytes({name: ("string", values) for name, values in columns.items()}))]


def plain_json(paying: Paying) -> Files:
    """Everything about the money of a round: what is paid to whom, held for whom, left over, and the merkle root."""
    snapshot = paying.snapshot
    data = {
        "schema": "precipitate/payouts/1",
        "round": snapshot["round"],
        "release": snapshot["release"],
        "totals": snapshot["totals"],
        "merkle_root": merkle.root(merkle.dump(paying.payouts)["tree"]) if paying.payouts else None,
        "payouts": [
            {
                "address": payout.address,
                "amount": str(payout.amount),
                "decimal": format_amount(payout.amount, paying.decimals),
                "authors": list(payout.authors),
            }
            for payout in paying.payouts
        ],
        "held": [
            {"author": a["author"], "handle": a["handle"], "amount": a["amount"]} for a in snapshot["allocations"] if a["state"] == "held"
        ],
    }
    return [(f"payouts-{paying.name}.json", json_text(data))]
