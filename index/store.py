"""The DuckDB store: open, migrate, one transaction at a time. The tables' queries live in index/tables_*.py."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import StoreError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY_LIMIT = "1GB"
# While much is written, one row after another: more would fill up with blocks that nobody asks for again.
LOAD_MEMORY = "64MB"
CHECKPOINT_AT, LOAD_CHECKPOINT_AT = "16MB", "64MB"  # of the log; each checkpoint writes all indexes anew
PATIENCE = 10.0  # seconds


def now() -> str:
    """Now, as the records write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def interrupted(error: BaseException) -> bool:
    """Whether somebody ended the command: amid a query DuckDB makes an error of its own of it."""
    import duckdb

    if isinstance(error, KeyboardInterrupt | duckdb.InterruptException):
        return True
    return isinstance(error, duckdb.Error | RuntimeError) and bool(re.search(r"KeyboardInterrupt|Query interrupted", str(error)))


def _connect(path: Path | str, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Who writes waits for those who read without a lock (index/aside.py): they take a moment."""
    import duckdb

    deadline = time.monotonic() + (0.0 if read_only else PATIENCE)
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() > deadline:
                raise StoreError(f"cannot open {path}: {str(error).splitlines()[0]}", "see that no other process holds it") from None
            time.sleep(0.05)


class Store:
    """One connection to a workspace's database. `execute` returns rows as tuples, `rows` as dicts."""

    def __init__(self, path: Path | str, read_only: bool = False) -> None:
        self.connection = _connect(path, read_only)
        # A workspace's database is never a way to other files: no extensions, no remote reads.
        self.connection.execute("SET memory_limit = ?", [MEMORY_LIMIT])
        self.connection.execute("SET threads = 2")
        self.connection.execute("SET preserve_insertion_order = true")
        if not read_only:
            self._migrate()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested use joins the outer transaction's fate through the exception."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def frugal(self) -> Iterator[None]:
        """A block that writes much: the database keeps little in memory, however large it grows."""
        import duckdb

        self._allow(LOAD_MEMORY)
        self.connection.execute("SET wal_autocheckpoint = ?", [LOAD_CHECKPOINT_AT])
        try:
            yield
            with suppress(duckdb.Error):  # else the next one to close it does it, with more memory
                self.connection.execute("CHECKPOINT")
        finally:
            self.connection.execute("SET wal_autocheckpoint = ?", [CHECKPOINT_AT])
            self._allow(MEMORY_LIMIT)

    def commit(self, work: Callable[[], None]) -> None:
        """Do `work` in one transaction; where a frugal store has too little memory for it, again with all there is."""
        import duckdb

        try:
            with self.transaction():
                work()
        except duckdb.OutOfMemoryException:
            self._allow(MEMORY_LIMIT)
            with self.transaction():
                work()

    def _allow(self, memory: str) -> None:
        import duckdb

        with suppress(duckdb.OutOfMemoryException):  # more than that is in use just now
            self.connection.execute("SET memory_limit = ?", [memory])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        cursor = self.connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def upsert(self, table: str, batch: pa.Table, replace: bool = True) -> None:
        """Insert an Arrow table by column name; rows whose key is there are replaced, or kept with `replace=False`."""
        if batch.num_rows == 0:
            return
        columns = ", ".join(batch.column_names)
        verb = "INSERT OR REPLACE" if replace else "INSERT OR IGNORE"
        self.connection.register("incoming", batch)
        try:
            self.connection.execute(f"{verb} INTO {table} ({columns}) SELECT {columns} FROM incoming")
        finally:
            self._forget("incoming")

    def _forget(self, view: str) -> None:
        """Drop a registered table; in a transaction that already failed this cannot be done, nor need it be."""
        import duckdb

        with suppress(duckdb.TransactionException):
            self.connection.unregister(view)

    def _migrate(self) -> None:
        self.connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name VARCHAR, applied VARCHAR)")
        done = {row[0] for row in self.execute("SELECT number FROM migrations")}
        known = {int(name.split("_")[0]): name for name in migration_names()}
        if done - set(known):
            raise StoreError(
                f"the database has migration {max(done)}, this program knows up to {max(known)}", "install a newer precipitate"
            )
        for number in sorted(set(known) - done):
            with self.transaction():
                self.connection.execute(resources.files("index").joinpath("migrations", known[number]).read_text(encoding="utf-8"))
                self.execute("INSERT INTO migrations VALUES (?, ?, ?)", [number, known[number], now()])


def storable(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8; they become the replacement character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def migration_names() -> list[str]:
    folder = resources.files("index").joinpath("migrations")
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # made once: half of a short record's time


def canonical_json(value: Any) -> str:
    """The one way this project writes JSON that is hashed or compared: sorted keys, no spaces, UTF-8, no floats."""
    return _CANONICAL.encode(value)
