"""Queries about the life of a round: its ledger, programs, rules, lists for eligibility, shared payees and opt-outs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from index.store import Store
from index.tables_discussion import GONE


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A line of the ledger as it is stored: nothing in it is believed before the chain is checked."""

    seq: int
    hash: str  # hex SHA-256 of `record`
    record: str  # canonical JSON of an event


def ledger_rows(store: Store) -> list[LedgerRow]:
    return [LedgerRow(**row) for row in store.rows("SELECT seq, hash, record FROM ledger ORDER BY seq")]


def append_rows(store: Store, rows: Iterable[LedgerRow]) -> None:
    """Called inside a transaction, with what the events are about."""
    for row in rows:
        store.execute("INSERT INTO ledger VALUES (?, ?, ?)", [row.seq, row.hash, row.record])


# --- programs and rules ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """Rounds that belong together: they share a token, defaults, and what one leaves to the next."""

    name: str
    token: str
    decimals: int
    defaults: str  # canonical JSON
    created: str


def programs(store: Store) -> list[Program]:
    return [Program(**row) for row in store.rows("SELECT name, token, decimals, defaults, created FROM programs ORDER BY name")]


def add_program(store: Store, program: Program) -> None:
    values = [program.name, program.token, program.decimals, program.defaults, program.created]
    store.execute("INSERT INTO programs VALUES (?, ?, ?, ?, ?)", values)


def put_rules(store: Store, round_: str, program: str | None, rules: str) -> None:
    store.execute("INSERT OR REPLACE INTO round_rules VALUES (?, ?, ?)", [round_, program, rules])


def rules(store: Store, round_: str) -> tuple[str | None, str] | None:
    """The round's program and its rules as canonical JSON; None for a round made before there were any."""
    found = store.execute("SELECT program, rules FROM round_rules WHERE round = ?", [round_])
    return (found[0][0], str(found[0][1])) if found else None


def rounds_of_program(store: Store, program: str) -> list[str]:
    return [row[0] for row in store.execute("SELECT round FROM round_rules WHERE program = ? ORDER BY round", [program])]


def set_round(store: Store, round_: str, state: str, budget: int) -> None:
    store.execute("UPDATE rounds SET state = ?, budget = ? WHERE name = ?", [state, str(budget), round_])


# --- eligibility ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A stamp score or a stake that a list gives an account."""

    kind: str  # "stamps" | "stake"
    account: str  # an author id or a checksummed address
    value: int  # in 10^-18
    origin: str  # "stake.csv:3"


def listed(store: Store, round_: str) -> list[Listed]:
    rows = store.rows("SELECT kind, account, value, origin FROM listed WHERE round = ? ORDER BY kind, account", [round_])
    return [Listed(**{**row, "value": int(row["value"])}) for row in rows]


def put_listed(store: Store, round_: str, entries: Iterable[Listed]) -> None:
    with store.transaction():
        for entry in entries:
            values = [round_, entry.kind, entry.account, str(entry.value), entry.origin]
            store.execute("INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?)", values)


# --- opt-outs and shared payees -------------------------------------------------------------------------------------


def opt_outs(store: Store) -> dict[str, str]:
    """Author → reason, of those who do not want to be paid."""
    return dict(store.execute("SELECT author, reason FROM opt_outs ORDER BY author"))


def put_opt_out(store: Store, author: str, reason: str, since: str) -> None:
    store.execute("INSERT OR REPLACE INTO opt_outs VALUES (?, ?, ?)", [author, reason, since])


def drop_opt_out(store: Store, author: str) -> None:
    store.execute("DELETE FROM opt_outs WHERE author = ?", [author])


def teams(store: Store) -> dict[str, dict[str, int]]:
    """Team → address → weight."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, address, weight in store.execute("SELECT name, address, weight FROM teams ORDER BY name, address"):
        found[name][address] = weight
    return dict(found)


def put_team(store: Store, name: str, members: Mapping[str, int]) -> None:
    """Called inside a transaction."""
    store.execute("DELETE FROM teams WHERE name = ?", [name])
    for address, weight in members.items():
        store.execute("INSERT INTO teams VALUES (?, ?, ?)", [name, address, weight])


def team_accounts(store: Store) -> dict[str, str]:
    """Author → the team that is paid for them."""
    return dict(store.execute("SELECT author, team FROM team_accounts ORDER BY author"))


def put_team_account(store: Store, author: str, team: str) -> None:
    store.execute("INSERT OR REPLACE INTO team_accounts VALUES (?, ?)", [author, team])


def drop_team_account(store: Store, author: str) -> None:
    store.execute("DELETE FROM team_accounts WHERE author = ?", [author])


# --- what became of posts -------------------------------------------------------------------------------------------


def gone_posts(store: Store) -> dict[str, str]:
    """Post → state, of all posts that their network no longer shows, by explicit word or by two looks."""
    marks = ", ".join(f"'{state}'" for state in GONE)
    return dict(store.execute(f"SELECT id, state FROM posts WHERE state IN ({marks}) ORDER BY id"))


def quoted(store: Store, spans: Iterable[tuple[str, int, int]]) -> dict[tuple[str, int, int], str]:
    """The stored words at (post, start, end), of posts that are stored."""
    import pyarrow as pa

    rows = sorted(set(spans))
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    wanted = pa.table(
        {"id": pa.array(columns[0], pa.string()), "a": pa.array(columns[1], pa.int64()), "b": pa.array(columns[2], pa.int64())}
    )
    store.connection.register("wanted", wanted)
    try:
        found = store.execute("SELECT w.id, w.a, w.b, p.plain FROM wanted w JOIN posts p ON p.id = w.id")
    finally:
        store.connection.unregister("wanted")
    return {(post, start, end): plain[start:end] for post, start, end, plain in found}


def edited_posts(store: Store) -> set[str]:
    """Posts whose words are not what they were when first seen: a quote from before need not be in them."""
    return {row[0] for row in store.execute("SELECT id FROM posts WHERE state = 'edited' OR edited IS NOT NULL OR version > 1")}
