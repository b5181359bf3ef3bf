"""Who is meant, and where they are paid: author look-up, and the import of a list of addresses."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index import tables_rewards as tables
from index import tables_rounds
from index.errors import PrecipitateError, UnknownName, UsageError
from index.records import Author, Identity
from index.store import Store
from rewards.money import NATIVE, parse_address

COLUMNS = ("handle", "address")
CLAIM_ORIGIN = "claim "  # how the origin of an identity begins that stems from a signed claim (rewards/claims.py)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class AuthorBook:
    """Authors by what people type: `ann`, `ann@host` or the full id."""

    def __init__(self, authors: Iterable[Author]) -> None:
        self._by_id = {author.id: author for author in authors}
        self._by_name: defaultdict[str, list[Author]] = defaultdict(list)
        for author in self._by_id.values():
            for name in (author.handle, handle_at_host(author)):
                self._by_name[name.casefold()].append(author)

    def find(self, text: str) -> Author:
        """The one author that `text` names. Raises UsageError with the candidates, UnknownName with the nearest."""
        text = text.strip()
        if text in self._by_id:
            return self._by_id[text]
        text = text.removeprefix("@")
        found = self._by_name.get(text.casefold(), [])
        exact = [author for author in found if text in (author.handle, handle_at_host(author))]
        found = exact if len(exact) == 1 else found
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownName("author", text, [], self._nearest(text))
        names = Counter(handle_at_host(author) for author in found)
        shown = (name if names[name] == 1 else f"{name} ({author.id})" for author in found for name in (handle_at_host(author),))
        raise UsageError(f"{text!r} is {len(found)} authors", f"say which: {', '.join(sorted(shown))}")

    def _nearest(self, text: str) -> str:
        from rapidfuzz import process

        near = process.extract(text.casefold(), list(self._by_name), limit=3, score_cutoff=60)
        names = [handle_at_host(author) for name, _, _ in near for author in self._by_name[name]]
        return f"nearest: {', '.join(dict.fromkeys(names[:3]))}" if names else "give a handle, handle@host or a full author id"


def handle_at_host(author: Author) -> str:
    """'ann@forum.example.org': a source's id is its kind, a colon and its host."""
    return f"{author.handle}@{author.source.partition(':')[2] or author.source}"


def find_author(store: Store, text: str) -> Author:
    """The one stored author that `text` names; see AuthorBook.find."""
    return AuthorBook(tables.authors(store)).find(text)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that was not imported."""

    where: str  # "payees.csv:3"
    reason: str  # what is wrong with it
    way_out: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    added: int
    changed: int  # authors whose earlier address was replaced
    unchanged: int
    left_out: tuple[LeftOut, ...]  # in the order of the file


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    author: Author
    address: str


def import_identities(store: Store, csv_path: Path) -> ImportReport:
    """Read `handle,address` rows; good rows are imported, others reported with file and line. A second import changes nothing.

    Raises UsageError where the file cannot be read or has no header: which column is which is not guessed with money.
    """
    known = tables.identities(store)
    tokens = [round_.token for round_ in tables.rounds(store) if round_.token != NATIVE]
    rows, left_out = _read_rows(csv_path, AuthorBook(tables.authors(store)), tokens)
    rows, repeated = _one_row_per_author(csv_path, rows)
    rows, agreed, outranked = _without_claimed(csv_path, rows, known)
    rows, in_teams = _without_teams(csv_path, rows, tables_rounds.team_accounts(store))
    rows, contested = _one_account_per_address(csv_path, rows, known, {a.id: a for a in tables.authors(store)})
    entries = [Identity(row.author.id, row.address, f"import {csv_path.name}:{row.line}") for row in rows]
    fresh = [entry for entry in entries if entry.author not in known]
    changed = [entry for entry in entries if entry.author in known and known[entry.author].address != entry.address]
    tables.put_identities(store, fresh + changed)
    bad = sorted(left_out + repeated + outranked + in_teams + contested, key=lambda out: int(out.where.rpartition(":")[2]))
    return ImportReport(len(fresh), len(changed), len(entries) - len(fresh) - len(changed) + len(agreed), tuple(bad))


def _read_rows(path: Path, book: AuthorBook, tokens: Sequence[str]) -> tuple[list[_Row], list[LeftOut]]:
    rows, left_out = [], []
    try:
        # utf-8-sig drops the byte-order mark that spreadsheets write; broken bytes spoil their own row only.
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            columns = _columns(path, next(reader, []))
            for cells in reader:
                where = f"{path.name}:{reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                try:
                    rows.append(_row(reader.line_num, cells, columns, book, tokens))
                except PrecipitateError as error:
                    left_out.append(LeftOut(where, error.message, error.way_out))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give a CSV file with the columns handle,address") from None
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}", "mend the quotes of that line; nothing was imported") from None
    return rows, left_out


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    names = [name.strip().casefold() for name in header]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        raise UsageError(f"{path}:1: the header has no single column {' and '.join(missing)}", "make the first line: handle,address")
    return {name: names.index(name) for name in COLUMNS}


def _row(line: int, cells: Sequence[str], columns: Mapping[str, int], book: AuthorBook, tokens: Sequence[str]) -> _Row:
    if len(cells) <= max(columns.values()):
        raise UsageError(f"the row has {len(cells)} cells", "give handle and address")
    handle, address = (cells[columns[name]] for name in COLUMNS)
    for name, cell in zip(COLUMNS, (handle, address), strict=True):
        if cell.startswith(FORMULA_STARTS):
            raise UsageError(f"{name} {cell!r} starts like a spreadsheet formula", "write it without that sign: ann or ann@host")
        if not cell.strip():
            raise UsageError(f"{name} is empty", "give handle and address")
    author = book.find(handle)
    checked = parse_address(address)
    for token in tokens:
        parse_address(address, token=token)
    return _Row(line, author, checked)


def _one_row_per_author(path: Path, rows: Sequence[_Row]) -> tuple[list[_Row], list[LeftOut]]:
    """Rows that repeat one another count once; where they give an author two addresses none counts: neither is likelier."""
    by_author: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_author[row.author.id].append(row)
    kept, left_out = [], []
    for group in by_author.values():
        lines = ", ".join(str(row.line) for row in group)
        agree = len({row.address for row in group}) == 1
        kept += group[:1] if agree else []
        for row in group[1:] if agree else group:
            name = handle_at_host(row.author)
            reason = f"{name} is a duplicate of line {group[0].line}" if agree else f"{name} has different addresses in lines {lines}"
            left_out.append(LeftOut(f"{path.name}:{row.line}", reason, "keep one line for each author"))
    return kept, left_out


def _without_claimed(path: Path, rows: Sequence[_Row], known: Mapping[str, Identity]) -> tuple[list[_Row], list[_Row], list[LeftOut]]:
    """Rows of authors without a signed claim, rows that say what a claim says, and those that gainsay one.

    A list is a weaker word than a claim that the wallet signed: it changes none.
    """
    claimed = {author: identity.address for author, identity in known.items() if identity.origin.startswith(CLAIM_ORIGIN)}
    free = [row for row in rows if row.author.id not in claimed]
    agreed = [row for row in rows if claimed.get(row.author.id) == row.address]
    left_out = [
        LeftOut(
            f"{path.name}:{row.line}",
            f"{handle_at_host(row.author)} has a signed claim for {claimed[row.author.id]}",
            "have a new claim made, or revoke that one first (precipitate claim revoke)",
        )
        for row in rows
        if row not in free and row not in agreed
    ]
    return free, agreed, left_out


def _without_teams(path: Path, rows: Sequence[_Row], teams: Mapping[str, str]) -> tuple[list[_Row], list[LeftOut]]:
    """Rows of accounts that are not paid as a team: an account has one payee."""
    left_out = [
        LeftOut(
            f"{path.name}:{row.line}",
            f"{handle_at_host(row.author)} is paid as team {teams[row.author.id]}",
            "an account has one payee: take it out first (precipitate identity team --drop)",
        )
        for row in rows
        if row.author.id in teams
    ]
    return [row for row in rows if row.author.id not in teams], left_out


def _one_account_per_address(
    path: Path, rows: Sequence[_Row], known: Mapping[str, Identity], authors: Mapping[str, Author]
) -> tuple[list[_Row], list[LeftOut]]:
    """Refuse an address that two authors of one source claim. Accounts on different networks may be one person's.

    What counts is the state after the import; a refused row leaves its author's earlier address in force, which may
    be contested in turn, so this goes on until nothing changes.
    """
    kept = list(rows)
    left_out: list[LeftOut] = []
    while True:
        addresses = {author: identity.address for author, identity in known.items()} | {row.author.id: row.address for row in kept}
        owners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for author_id, address in addresses.items():
            if author_id in authors:
                owners[authors[author_id].source, address].append(author_id)
        contested = [row for row in kept if len(owners[row.author.source, row.address]) > 1]
        if not contested:
            return kept, left_out
        for row in contested:
            others = (handle_at_host(authors[o]) for o in owners[row.author.source, row.address] if o != row.author.id)
            reason = f"address {row.address} of {handle_at_host(row.author)} is claimed by {', '.join(sorted(others))} too"
            left_out.append(LeftOut(f"{path.name}:{row.line}", reason, "find out whose it is and give one of them"))
        kept = [row for row in kept if row not in contested]
