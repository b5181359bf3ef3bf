"""Where a voting policy's votes come from: contributors' own vouches, and contributions imported from a list."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index import tables_policies, tables_rewards
from index.errors import PrecipitateError, UsageError
from index.records import Credit
from index.store import Store
from index.tables_policies import Contribution
from rewards.identities import FORMULA_STARTS, AuthorBook, ImportReport, LeftOut, handle_at_host
from rewards.money import parse_address
from rewards.policies import Ballot, zero_or_amount

COLUMNS = ("voter", "contributor", "amount")
TRUST = "trust"  # a fourth column that may be left out


def vouches(credits: Sequence[Credit], vouch: int) -> list[Ballot]:
    """Who confirmed a step vouches for who said it first: `vouch` base units for each step.

    Only confirmations that earned credit count, so a copy, a buried post or one of a source that may not be paid is no
    vote. Likes are none: nobody writes down why they like.
    """
    first = {(c.procedure, c.step): c.author for c in credits if c.role == "first_said"}
    steps = Counter((c.author, first[c.procedure, c.step]) for c in credits if c.role == "confirmed" and (c.procedure, c.step) in first)
    return [Ballot(voter, author, vouch * number, "vouch") for (voter, author), number in sorted(steps.items()) if vouch]


def ballots(store: Store, round_: str, vouch: int, credits: Sequence[Credit]) -> list[Ballot]:
    """All votes of a round: vouches by its credits, then imported contributions."""
    given = tables_policies.contributions(store, round_)
    return vouches(credits, vouch) + [Ballot(c.voter, c.author, c.amount, c.origin, c.trust_bp) for c in given]


# --- importing ------------------------------------------------------------------------------------------------------


def import_contributions(store: Store, round_: str, decimals: int, csv_path: Path, vouch: int | None = None) -> ImportReport:
    """Read `voter,contributor,amount[,trust]` rows for a round; good rows count, others are reported with file and line.

    A voter is an author or an address; an amount is a plain decimal of tokens, zero for a ballot of zero; trust is a
    decimal from 0 to 1 that says how much of it counts. With `vouch` the list has no amounts: each row counts so many base
    units. Raises UsageError where the file cannot be read or has no header.
    """
    rows, left_out = _read_rows(csv_path, AuthorBook(tables_rewards.authors(store)), decimals, vouch)
    rows, repeated = _one_row_per_pair(csv_path, rows)
    known = {(c.voter, c.author): c for c in tables_policies.contributions(store, round_)}
    entries = [row.entry for row in rows]
    same = [e for e in entries if (old := known.get((e.voter, e.author))) and (old.amount, old.trust_bp) == (e.amount, e.trust_bp)]
    changed = [e for e in entries if (e.voter, e.author) in known and e not in same]
    fresh = [e for e in entries if (e.voter, e.author) not in known]
    tables_policies.put_contributions(store, round_, fresh + changed)
    bad = sorted(left_out + repeated, key=lambda out: int(out.where.rpartition(":")[2]))
    return ImportReport(len(fresh), len(changed), len(same), tuple(bad))


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    name: str  # of the contributor, as shown
    entry: Contribution


def _read_rows(path: Path, book: AuthorBook, decimals: int, vouch: int | None) -> tuple[list[_Row], list[LeftOut]]:
    rows, left_out, wanted = [], [], COLUMNS if vouch is None else COLUMNS[:2]
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            columns = _columns(path, next(reader, []), wanted)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                where = f"{path.name}:{reader.line_num}"
                try:
                    rows.append(_row(reader.line_num, where, cells, columns, book, decimals, vouch))
                except PrecipitateError as error:
                    left_out.append(LeftOut(where, error.message, error.way_out))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", f"give a CSV file with the columns {','.join(wanted)}") from None
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}", "mend the quotes of that line; nothing was imported") from None
    return rows, left_out


def _columns(path: Path, header: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    names = [name.strip().casefold() for name in header]
    missing = [name for name in wanted if names.count(name) != 1]
    if missing or names.count(TRUST) > 1:
        wrong = " and ".join(missing) or TRUST
        raise UsageError(f"{path}:1: the header has no single column {wrong}", f"make the first line: {','.join(wanted)}")
    return {name: names.index(name) for name in (*wanted, TRUST) if name in names}


def _row(
    line: int, where: str, cells: Sequence[str], columns: Mapping[str, int], book: AuthorBook, decimals: int, vouch: int | None
) -> _Row:
    if len(cells) <= max(columns.values()):
        raise UsageError(f"the row has {len(cells)} cells", f"give {', '.join(columns)}")
    given = {name: cells[place] for name, place in columns.items()}
    for name, cell in given.items():
        if cell.startswith(FORMULA_STARTS):
            raise UsageError(f"{name} {cell!r} starts like a spreadsheet formula", "write it without that sign")
        if not cell.strip() and name != TRUST:
            raise UsageError(f"{name} is empty", f"give {', '.join(columns)}")
    voter = given["voter"].strip()
    voter_id = parse_address(voter, "voter") if voter.startswith("0x") else book.find(voter).id
    author = book.find(given["contributor"])
    if voter_id == author.id:
        raise UsageError(f"{handle_at_host(author)} votes for themselves", "leave that row out: it does not count")
    trust = _trust(given[TRUST]) if given.get(TRUST, "").strip() else None
    amount = vouch if vouch is not None else zero_or_amount(given["amount"], decimals, "amount")
    return _Row(line, handle_at_host(author), Contribution(voter_id, author.id, amount, trust, where))


def _trust(text: str) -> int:
    bp = zero_or_amount(text, 4, TRUST)
    if bp > 10_000:
        raise UsageError(f"trust {text!r} is above 1", "give a decimal from 0 to 1, such as 0.5")
    return bp


def _one_row_per_pair(path: Path, rows: Sequence[_Row]) -> tuple[list[_Row], list[LeftOut]]:
    """Rows that repeat one another count once; where they give one voter two amounts for one contributor none counts."""
    by_pair: defaultdict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows:
        by_pair[row.entry.voter, row.entry.author].append(row)
    kept, left_out = [], []
    for group in by_pair.values():
        lines = ", ".join(str(row.line) for row in group)
        agree = len({(row.entry.amount, row.entry.trust_bp) for row in group}) == 1
        kept += group[:1] if agree else []
        for row in group[1:] if agree else group:
            pair = f"the vote of {row.entry.voter} for {row.name}"
            reason = f"{pair} is a duplicate of line {group[0].line}" if agree else f"{pair} is different in lines {lines}"
            left_out.append(LeftOut(f"{path.name}:{row.line}", reason, "keep one line for each voter and contributor, with the sum"))
    return kept, left_out
