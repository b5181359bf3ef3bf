"""What the sources yield and what it costs: the inventory of forums from which SOPs can be articulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from index.snapshot import Snapshot
from publish.report import dollars
from publish.text import clean, table, wrap


def inventory(snapshot: Snapshot) -> dict[str, Any]:
    """Sources with yield, cost and what was left out; stages with what they cost in all runs."""
    left_out, abstained = snapshot.left_out(), snapshot.abstentions()
    asked = snapshot.llm_costs()
    return {
        "sources": [_row(source, _of(left_out, source["id"]), _of(abstained, source["id"])) for source in snapshot.sources()],
        "stages": [{"stage": row["stage"], "items": row["items"], "seconds": round(row["micros"] / 1e6, 3)} for row in snapshot.costs()],
    } | ({"language_models": asked} if asked else {})


def _of(rows: Sequence[Mapping[str, Any]], source: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "source"} for row in rows if row["source"] == source]


def _row(source: Mapping[str, Any], left_out: list[dict[str, Any]], abstained: list[dict[str, Any]]) -> dict[str, Any]:
    seconds, procedures = source["micros"] / 1e6, source["procedures"]
    return {
        **{key: source[key] for key in ("id", "kind", "address", "title", "licence", "payable")},
        **{key: source[key] for key in ("posts", "threads", "threads_with_procedures", "procedures")},
        "procedures_per_1000_posts": round(1000 * procedures / source["posts"], 2) if source["posts"] else None,
        "seconds": round(seconds, 3),
        "seconds_per_procedure": round(seconds / procedures, 3) if procedures else None,
        "left_out": left_out,
        "threads_without_procedure": abstained,
        "last_error": source["last_error"],
    }


def render_inventory(found: Mapping[str, Any]) -> str:
    if not found["sources"]:
        return "No source yet. Add one: precipitate add https://forum.example.org\n"
    head = ["SOURCE", "POSTS", "THREADS", "SOPS", "PER 1,000 POSTS", "SECONDS", "PER SOP"]
    body = [
        [
            clean(row["id"]),
            *(f"{row[key]:,}" for key in ("posts", "threads", "procedures")),
            _figure(row["procedures_per_1000_posts"], 1),
            _figure(row["seconds"], 2),
            _figure(row["seconds_per_procedure"], 3),
        ]
        for row in found["sources"]
    ]
    lines = [line for row in found["sources"] for line in _details(row)]
    return (
        table([head, *body], right=frozenset(range(1, 7)))
        + "\n".join(["", *lines, *_stages(found["stages"]), *_models(found.get("language_models", []))]).rstrip()
        + "\n"
    )


def _figure(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:,.{places}f}"


def _details(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{clean(row['id'])}: {clean(row['title']) or 'no title'}, licence {clean(row['licence'] or '') or 'unknown'}"
    if row["last_error"]:
        yield from wrap(f"last error: {row['last_error']}", "  ", "    ")
    if row["threads_without_procedure"]:
        yield f"  {sum(entry['threads'] for entry in row['threads_without_procedure']):,} threads gave no SOP:"
        for entry in row["threads_without_procedure"]:
            yield from wrap(entry["reason"], f"  {entry['threads']:>6,}  ", " " * 12)
    if row["left_out"]:
        yield f"  {sum(entry['count'] for entry in row['left_out']):,} items were left out:"
        for entry in row["left_out"]:
            yield from wrap(f"{entry['reason']}, such as {entry['example']}", f"  {entry['count']:>6,}  ", " " * 12)
    yield ""


def _stages(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if stages:
        rows = [[clean(row["stage"]), f"{row['items']:,}", f"{row['seconds']:,.2f}"] for row in stages]
        yield table([["STAGE", "ITEMS", "SECONDS"], *rows], right=frozenset({1, 2}))


def _models(asked: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What language models cost in all runs; nothing where none was ever asked."""
    if asked:
        head = ["LANGUAGE MODEL", "REQUESTS", "TOKENS READ", "WRITTEN", "COST"]
        rows = [
            [clean(row["model"]), *(f"{row[key]:,}" for key in ("requests", "tokens_in", "tokens_out")), dollars(row["microdollars"])]
            for row in asked
        ]
        yield table([head, *rows], right=frozenset(range(1, 5)))
