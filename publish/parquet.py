"""The records of a release as Parquet, for DuckDB, pandas and Spark: the same rows, as columns.

Its bytes depend on the version of pyarrow, so it stands outside the root; `verify` compares every row with the JSON lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "parquet"
GROUP = 20_000  # rows in memory at once
Row = Mapping[str, Any]

TEXTS = ("preconditions", "roles", "tools", "verification", "alternatives", "threads")


def _procedure(record: Row) -> Iterator[dict[str, Any]]:
    row = {name: record[name] for name in COLUMNS["procedures"] if name in record}
    quality, generator = record["quality"], record["generator"]
    yield {**row, "sources": [s["source"] for s in record["sources"]], "quality": _text(quality), "generator": _text(generator)}


def _steps(record: Row) -> Iterator[dict[str, Any]]:
    for step in record["steps"]:
        yield {"procedure": record["id"], "version_id": record["version_id"], **{k: v for k, v in step.items() if k in COLUMNS["steps"]}}


def _citations(record: Row) -> Iterator[dict[str, Any]]:
    """Every quote, of steps and of stances: `kind` is states, confirms, support, dissent, amendment or alternative."""
    for step in record["steps"]:
        yield from (_citation(record["id"], step["n"], citation["role"], citation) for citation in step["citations"])
    yield from (_citation(record["id"], stance["step"], stance["kind"], stance["citation"]) for stance in record["stances"])


def _citation(procedure: str, step: int | None, kind: str, citation: Row) -> dict[str, Any]:
    told = {
        name: citation[name] for name in ("post", "thread", "number", "author", "handle", "permalink", "created", "start", "end", "exact")
    }
    return {"procedure": procedure, "step": step, "kind": kind, **told, "masked": citation.get("masked", False)}


def _as_it_is(record: Row) -> Iterator[dict[str, Any]]:
    yield dict(record)


def _source(record: Row) -> Iterator[dict[str, Any]]:
    yield {**{k: v for k, v in record.items() if k != "counts"}, **record["counts"]}


def _score(record: Row) -> Iterator[dict[str, Any]]:
    yield {**record, "odds": _text(record["odds"]), "sequences": _text(record["sequences"])}


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


COLUMNS: dict[str, dict[str, str]] = {
    "procedures": {
        **dict.fromkeys(("id", "version_id", "supersedes", "status", "title", "goal", "purpose", "language", "forked_from"), "string"),
        **{"version": "int32", "ordered": "bool"}, **dict.fromkeys((*TEXTS, "sources"), "strings"), "quality": "string", "generator": "string",
    },
    "steps": {
        **{"procedure": "string", "version_id": "string", "n": "int32", "after": "ints", "flags": "strings", "optional": "bool"},
        **dict.fromkeys(("text", "previous_text", "actor", "condition", "first_said_by", "first_said_in"), "string"),
        **{"support": "int32", "dissent": "int32"},
    },
    "citations": {
        **{"procedure": "string", "step": "int32", "kind": "string", "post": "string", "thread": "string", "number": "int32"},
        **dict.fromkeys(("author", "handle", "permalink", "created"), "string"), "start": "int32", "end": "int32", "exact": "string", "masked": "bool",
    },
    "credits": {
        **dict.fromkeys(("schema", "author", "handle", "source", "procedure", "version_id", "title", "step_text", "role", "why"), "string"),
        **dict.fromkeys(("post", "permalink", "created", "quote"), "string"), "step": "int32", "points": "int64", "start": "int32", "end": "int32",
    },
    "posts": dict.fromkeys(("id", "thread", "body_hash", "plain_hash", "state", "plain_version"), "string"),
    "evidence": {"kind": "string", "record": "string"},
    "reports": {"text": "string", "hash": "string", "record": "string"},
    "scores": {
        **{"thread": "string", "outcome": "string", "reason": "string", "passages": "int32", "gate_bp": "int32", "threshold_bp": "int32"},
        **{"min_steps": "int32", "odds": "string", "sequences": "string"},
    },
    "outcomes": dict.fromkeys(("thread", "outcome", "reason"), "string"),
    "sources": {
        **dict.fromkeys(("id", "kind", "base_url", "title", "licence"), "string"), "payable": "bool",
        **dict.fromkeys(("posts", "threads", "authors", "gone"), "int64"),
    },
}  # fmt: skip
# table: (file whose lines it is made of, rows of one record)
TABLES: dict[str, tuple[str, Callable[[Row], Iterator[dict[str, Any]]]]] = {
    "procedures": ("procedures.jsonl", _procedure),
    "steps": ("procedures.jsonl", _steps),
    "citations": ("procedures.jsonl", _citations),
    "credits": ("credits.jsonl", _as_it_is),
    "posts": ("posts.jsonl", _as_it_is),
    "evidence": ("evidence.jsonl", lambda row: iter([{"kind": row["kind"], "record": _text(row)}])),
    "reports": ("reports.jsonl", lambda row: iter([{"text": row["text"], "hash": row["hash"], "record": _text(row)}])),
    "scores": ("scores.jsonl", _score),
    "outcomes": ("outcomes.jsonl", _as_it_is),
    "sources": ("sources.jsonl", _source),
}


def file_name(table: str) -> str:
    return f"{FOLDER}/{table}.parquet"


def write_parquet(folder: Path, read: Callable[[str], Iterable[Row]]) -> list[str]:
    """Write all tables below `folder`; `read` gives the records of a file. Returns their names."""
    import pyarrow.parquet as parquet

    (folder / FOLDER).mkdir(exist_ok=True)
    for table, (file, rows) in TABLES.items():
        schema = _schema(table)
        with parquet.ParquetWriter(folder / file_name(table), schema, compression="zstd") as out:
            for batch in _batches((row for record in read(file) for row in rows(record)), schema):
                out.write_batch(batch)
    return [file_name(table) for table in TABLES]


def differing(folder: Path, table: str, read: Callable[[str], Iterable[Row]]) -> str | None:
    """How a Parquet file differs from the JSON lines it was made of; None where it says the same."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file, rows = TABLES[table]
    schema = _schema(table)
    at = 0
    try:
        with parquet.ParquetFile(folder / file_name(table), memory_map=False) as opened:
            if not opened.schema_arrow.equals(schema):
                return "its columns are not those of this table"
            wanted = (row for record in read(file) for row in rows(record))
            for group in opened.iter_batches(GROUP):
                held = group.to_pylist()
                for row, want in zip(held, _batch_rows(islice(wanted, len(held)), schema), strict=False):
                    if row != want:
                        return f"row {at} differs from {file}"
                    at += 1
                if at % GROUP and len(held) == GROUP:
                    return f"row {at} is not in {file}"
            if opened.metadata.num_rows != at or next(wanted, None) is not None:
                return f"it has {opened.metadata.num_rows:,} rows, {file} gives {'more' if opened.metadata.num_rows == at else at}"
    except (pa.ArrowException, OSError) as error:
        return f"it cannot be read: {str(error).splitlines()[0][:200]}"
    return None


def _batch_rows(rows: Iterable[Row], schema: pa.Schema) -> list[dict[str, Any]]:
    return [row for batch in _batches(rows, schema) for row in batch.to_pylist()]


def _batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rows = iter(rows)
    while held := list(islice(rows, GROUP)):
        yield pa.record_batch([pa.array([row.get(field.name) for row in held], field.type) for field in schema], schema=schema)


def _schema(table: str) -> pa.Schema:
    import pyarrow as pa

    kinds = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_()}
    kinds |= {"strings": pa.list_(pa.string()), "ints": pa.list_(pa.int32())}
    return pa.schema([(name, kinds[kind]) for name, kind in COLUMNS[table].items()])
