"""What a command that changed something says about it: reports of the stages and of rounds, as text and as JSON values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from publish.text import clean, table, wrap

RUN_SCHEMA = "precipitate/run/1"


def as_value(report: Any) -> Any:
    """A report dataclass, or anything made of them, as a JSON value."""
    if is_dataclass(report) and not isinstance(report, type):
        return as_value(asdict(report))
    if isinstance(report, Mapping):
        return {str(key): as_value(value) for key, value in report.items()}
    if isinstance(report, list | tuple):
        return [as_value(value) for value in report]
    return str(report) if isinstance(report, Path) else report


# --- run ------------------------------------------------------------------------------------------------------------


def run_value(number: int, status: str, micros: int, reports: Mapping[str, Any]) -> dict[str, Any]:
    stages = {name: as_value(report) for name, report in reports.items()}
    return {"schema": RUN_SCHEMA, "run": number, "status": status, "seconds": round(micros / 1e6, 3), "stages": stages}


def items_of(stage: str, report: Any) -> int:
    """How many things a stage dealt with, for its line in the ledger of costs."""
    return ITEMS[stage](report) if stage in ITEMS else 0


ITEMS: dict[str, Callable[[Any], int]] = {
    "crawl": lambda report: sum(source.posts for source in report.sources),
    "credit": lambda report: int(report.credits),
    "release": lambda report: sum(report.counts.values()),
}


def render_run(told: Mapping[str, Any]) -> str:
    lines = [line for name, lines in RUN_LINES.items() if name in told["stages"] for line in lines(told["stages"][name])]
    lines.append(f"run {told['run']}: {told['status']}, {told['seconds']:.1f} s")
    return "\n".join(lines) + "\n"


def _crawl_lines(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["sources"]:
        yield "crawl    no source yet; add one: precipitate add https://forum.example.org"
    for source in report["sources"]:
        waiting = f", {source['waiting']:,} threads wait" if source.get("waiting") else ""
        yield f"crawl    {clean(source['source'])}: {source['threads']:,} threads, {source['posts']:,} posts read{waiting}"
        if source["error"]:
            yield from wrap(f"error: {source['error']}", "         ", "           ")
            yield from wrap(f"→ {source['way_out']}", "         ", "           ") if source["way_out"] else ()


def _distill_lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"distill  {report['threads']:,} threads, {report['changed']:,} new or changed: "
        f"{report['procedures']:,} SOPs, {report['abstained']:,} threads without"
    )
    if report.get("refined"):
        yield from _refined_lines(report["refined"])


def _refined_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """What the language model was asked, said and cost; its refused operations and failures by reason."""
    indent = " " * 9
    yield from wrap(
        f"llm      {report['model']}: {report['drafts']:,} drafts shown, {report['refined']:,} refined, {report['kept']:,} kept, "
        f"{report['rejected']:,} rejected, {report['refused']:,} answers refused, {report['unanswered']:,} unanswered, {report['waiting']:,} wait",
        "",
        indent,
    )
    yield from wrap(
        f"{report['requests']:,} requests, {report['remembered']:,} answers remembered; {report['tokens_in']:,} tokens read, "
        f"{report['tokens_out']:,} written, {dollars(report['microdollars'])}",
        indent,
        indent,
    )
    for name, word in (("operations", "carried out"), ("refusals", "refused"), ("failures", "failed")):
        if report[name]:
            counted = sorted(report[name].items(), key=lambda entry: (-entry[1], entry[0]))
            yield from wrap(f"{word}: " + ", ".join(f"{reason} {count:,}" for reason, count in counted), indent, indent + "  ")


def dollars(microdollars: int) -> str:
    return f"${microdollars // 1_000_000:,}.{microdollars % 1_000_000:06d}"


def _credit_lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"credit   {report['credits']:,} credits of {report['authors']:,} authors in {report['steps']:,} steps"


def _release_lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"release  {report['number']}, {'new' if report['changed'] else 'unchanged'}: {report['root']}"


RUN_LINES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "crawl": _crawl_lines,
    "distill": _distill_lines,
    "credit": _credit_lines,
    "release": _release_lines,
}


# --- identities, rounds, configuration ------------------------------------------------------------------------------


def render_import(report: Mapping[str, Any]) -> str:
    lines = [
        f"{report['added']} added, {report['changed']} changed, {report['unchanged']} as they were, {len(report['left_out'])} left out"
    ]
    for entry in report["left_out"]:
        lines += wrap(f"{entry['where']}: {entry['reason']}", "  ", "    ")
        lines += wrap(f"→ {entry['way_out']}", "    ", "      ")
    return "\n".join(lines) + "\n"


def render_round_line(round_: Mapping[str, Any], amount: Callable[[int, int], str]) -> str:
    """One line about a round; `amount` turns base units and decimals into a decimal."""
    budget = amount(int(round_["budget"]), round_["decimals"])
    return f"{round_['name']}: {budget} of token {round_['token']}, {round_['policy']}, {round_['state']}, since {round_['created'][:10]}\n"


def render_round(snapshot: Mapping[str, Any], amount: Callable[[int, int], str]) -> str:
    """An allocated round: totals, then a row for each author."""
    round_, totals = snapshot["round"], snapshot["totals"]
    sums = ", ".join(f"{amount(int(totals[key]), round_['decimals'])} {word}" for key, word in TOTALS.items())
    head = ["AUTHOR", "POINTS", "AMOUNT", "STATE"]
    shares = sorted(snapshot["allocations"], key=lambda share: (-int(share["amount"]), share["author"]))
    rows = [
        [clean(share["handle"]), f"{share['points']:,}", amount(int(share["amount"]), round_["decimals"]), share["address"] or "held"]
        for share in shares
    ]
    return f"{render_round_line(round_, amount)}{sums}\n\n" + table([head, *rows], right=frozenset({1, 2}))


TOTALS = {"paid": "paid", "held": "held for authors without an address", "residual": "left over"}


def render_config(config: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Mapping[str, Any]]) -> str:
    """Every key with its value; those that precipitate.toml changes say so."""
    lines = [
        f"{section}.{key} = {json.dumps(value, ensure_ascii=False)}"
        + ("" if value == defaults[section][key] else "  # set in precipitate.toml")
        for section, keys in config.items()
        for key, value in keys.items()
    ]
    return "\n".join(clean(line) for line in lines) + "\n"
