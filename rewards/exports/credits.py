"""Credit records as JSON, JSON lines, CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rewards.exports.files import Files, cell, csv_text, json_line, json_text, parquet_bytes

Records = Sequence[Mapping[str, Any]]

COLUMNS = (
    *("author", "handle", "source", "procedure", "version_id", "title", "step", "step_text", "role", "points", "why"),
    *("post", "permalink", "created", "start", "end", "quote"),
)
NUMBERS = ("step", "points", "start", "end")


def credits_json(records: Records) -> Files:
    return [("credits.json", json_text(list(records)))]


def credits_jsonl(records: Records) -> Files:
    return [("credits.jsonl", "".join(json_line(record) for record in records))]


def credits_csv(records: Records) -> Files:
    return [("credits.csv", csv_text(COLUMNS, [[cell(record[column]) for column in COLUMNS] for record in records]))]


def credits_parquet(records: Records) -> Files:
    columns = {name: ("int64" if name in NUMBERS else "string", [record[name] for record in records]) for name in COLUMNS}
    return [("credits.parquet", parquet_bytes(columns))]
