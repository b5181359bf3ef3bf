"""What an export is made of, and how text is written so that nothing in it acts up where it is opened."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rewards.identities import FORMULA_STARTS

Files = list[tuple[str, str | bytes]]  # (name, content)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180. Its line ends matter: the writer quotes a cell for the characters that end a line, so for a bare CR too."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def cell(value: Any) -> Any:
    """People's words go into spreadsheets: a cell that would run as a formula gets a leading apostrophe."""
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def json_text(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def json_line(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n"


def parquet_bytes(columns: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """A Parquet file of named columns, each with its Arrow type. Amounts are strings: no Arrow integer holds a uint256."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    arrays = {name: pa.array(values, getattr(pa, kind)()) for name, (kind, values) in columns.items()}
    out = io.BytesIO()
    parquet.write_table(pa.table(arrays), out)
    return out.getvalue()
