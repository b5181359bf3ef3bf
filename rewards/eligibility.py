"""Who may have a share in a round: stamp scores and stakes from imported lists, and earlier rounds.

Whoever is not eligible has no share; what they would have had is shared among the others, as if they had earned nothing.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index import tables_rewards, tables_rounds
from index.errors import PrecipitateError, UnknownName, UsageError
from index.store import Store
from index.tables_rounds import Listed
from rewards.identities import FORMULA_STARTS, AuthorBook, ImportReport, LeftOut
from rewards.money import parse_address
from rewards.policies import zero_or_amount
from rewards.rules import VALUE_DECIMALS, Rules, shown_value

KINDS = {"stamps": "score", "stake": "amount"}  # kind of list → its column beside `account`


def why_not(
    accounts: Collection[str], author: str, rules: Rules, lists: Mapping[str, Mapping[str, int]], earlier: Mapping[str, Collection[str]]
) -> str | None:
    """Why an author has no share by the rules, or None.

    `accounts` are the author and the addresses where they are paid; a list counts with the most that it gives one of them.
    `earlier` has for each round that the rules name who had a share in it.
    """
    for kind, least in (("stamps", rules.stamps), ("stake", rules.stake)):
        if least is None:
            continue
        word = "stamp score" if kind == "stamps" else "stake"
        values = [lists.get(kind, {})[account] for account in accounts if account in lists.get(kind, {})]
        if not values:
            return f"no {word} is known, the round asks for {shown_value(least)}"
        if max(values) < least:
            return f"a {word} of {shown_value(max(values))}, the round asks for {shown_value(least)}"
    missing = [name for name in rules.paid_in if author not in earlier.get(name, ())]
    if missing:
        return f"no share in {', '.join(missing)}, which the round asks for"
    had = [name for name in rules.not_paid_in if author in earlier.get(name, ())]
    return f"a share in {', '.join(had)}; the round is for who had none" if had else None


# --- importing ------------------------------------------------------------------------------------------------------


def import_list(store: Store, round_: str, kind: str, csv_path: Path) -> ImportReport:
    """Read `account,score` (stamps) or `account,amount` (stake) rows; good rows count, others are reported with file and line.

    An account is an author or an address. Raises UnknownName (kind), UsageError where the file cannot be read or has no header.
    """
    if kind not in KINDS:
        raise UnknownName("kind of list", kind, ["votes", "vouches", *KINDS], f"there are: votes, vouches, {', '.join(KINDS)}")
    rows, left_out = _read_rows(csv_path, kind, AuthorBook(tables_rewards.authors(store)))
    entries, repeated = _one_row_per_account(csv_path, rows)
    known = {entry.account: entry.value for entry in tables_rounds.listed(store, round_) if entry.kind == kind}
    fresh = [entry for entry in entries if entry.account not in known]
    changed = [entry for entry in entries if entry.account in known and known[entry.account] != entry.value]
    tables_rounds.put_listed(store, round_, fresh + changed)
    bad = sorted(left_out + repeated, key=lambda out: int(out.where.rpartition(":")[2]))
    return ImportReport(len(fresh), len(changed), len(entries) - len(fresh) - len(changed), tuple(bad))


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    entry: Listed


def _read_rows(path: Path, kind: str, book: AuthorBook) -> tuple[list[_Row], list[LeftOut]]:
    rows, left_out, columns = [], [], ("account", KINDS[kind])
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            names = [name.strip().casefold() for name in next(reader, [])]
            if any(names.count(column) != 1 for column in columns):
                raise UsageError(
                    f"{path}:1: the header has not one column each of {', '.join(columns)}", f"make the first line: {','.join(columns)}"
                )
            places = [names.index(column) for column in columns]
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                where = f"{path.name}:{reader.line_num}"
                try:
                    rows.append(_Row(reader.line_num, _entry(kind, where, cells, places, book)))
                except PrecipitateError as error:
                    left_out.append(LeftOut(where, error.message, error.way_out))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", f"give a CSV file with the columns {','.join(columns)}") from None
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}", "mend the quotes of that line; nothing was imported") from None
    return rows, left_out


def _entry(kind: str, where: str, cells: Sequence[str], places: Sequence[int], book: AuthorBook) -> Listed:
    if len(cells) <= max(places):
        raise UsageError(f"the row has {len(cells)} cells", f"give account and {KINDS[kind]}")
    account, value = (cells[place] for place in places)
    for name, cell in (("account", account), (KINDS[kind], value)):
        if cell.startswith(FORMULA_STARTS):
            raise UsageError(f"{name} {cell!r} starts like a spreadsheet formula", "write it without that sign")
        if not cell.strip():
            raise UsageError(f"{name} is empty", f"give account and {KINDS[kind]}")
    found = parse_address(account, "account") if account.strip().startswith("0x") else book.find(account).id
    return Listed(kind, found, zero_or_amount(value, VALUE_DECIMALS, KINDS[kind]), where)


def _one_row_per_account(path: Path, rows: Sequence[_Row]) -> tuple[list[Listed], list[LeftOut]]:
    """Rows that repeat one another count once; where they give one account two values none counts."""
    groups: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.entry.account].append(row)
    kept, left_out = [], []
    for account, group in groups.items():
        agree = len({row.entry.value for row in group}) == 1
        kept += [group[0].entry] if agree else []
        lines = ", ".join(str(row.line) for row in group)
        for row in group[1:] if agree else group:
            reason = f"{account} is a duplicate of line {group[0].line}" if agree else f"{account} has different values in lines {lines}"
            left_out.append(LeftOut(f"{path.name}:{row.line}", reason, "keep one line for each account"))
    return kept, left_out
