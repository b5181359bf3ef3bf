"""Procedures as text: a list of them, one of them with every receipt, and what a search found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from publish.text import clean, emphasised, shortened, table, wrap

STANCES = {"support": "supported", "dissent": "dissented", "amendment": "amended", "alternative": "offered another way"}


def render_procedure(record: Mapping[str, Any], known: Mapping[str, str] | None = None) -> str:
    """Title, goal, steps with their quotes, stances, alternatives. `known` gives titles of other procedures by id."""
    lines = [*_head(record), ""]
    for step in record["steps"]:
        lines += _step(step, [stance for stance in record["stances"] if stance["step"] == step["n"]], record["ordered"])
    whole = [stance for stance in record["stances"] if stance["step"] is None]
    if whole:
        lines += ["Of the whole:", *(line for stance in whole for line in _stance(stance)), ""]
    if record["alternatives"]:
        lines.append("Other ways to the same goal:")
        lines += [line for other in record["alternatives"] for line in wrap(f"{other} {(known or {}).get(other, '')}", "  ", "    ")]
        lines.append("")
    return "\n".join([*lines, *_foot(record)]).rstrip() + "\n"


def _head(record: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(record["title"], "", "")
    state = f"{clean(record['id'])} · version {record['version']} · {record['status']}"
    yield f"{state} · {'in this order' if record['ordered'] else 'in any order'}"
    if clean(record["goal"]) != clean(record["title"]):
        yield from wrap(record["goal"], "Goal: ", "      ")
    if record["purpose"]:
        yield from wrap(record["purpose"], "Purpose: ", "         ")
    for name in ("preconditions", "roles", "tools", "verification"):
        if record[name]:
            yield from wrap("; ".join(record[name]), f"{name.capitalize()}: ", "  ")


def _step(step: Mapping[str, Any], stances: Sequence[Mapping[str, Any]], ordered: bool) -> Iterator[str]:
    mark = f"{step['n']:>2}. " if ordered else f"{step['n']:>2}· "
    yield from wrap(step["text"], mark, "    ")
    facts = [
        *([f"who: {clean(step['actor'])}"] if step["actor"] else []),
        *([clean(step["condition"])] if step["condition"] else []),  # its words say "if" or "when" themselves
        *(["optional"] if step["optional"] else []),
        *([f"after {', '.join(map(str, step['after']))}"] if list(step["after"]) not in ([], [step["n"] - 1]) else []),
        *(clean(flag) for flag in step["flags"]),
        f"{step['support']} for, {step['dissent']} against",
    ]
    yield from wrap(f"[{' · '.join(facts)}]", "    ", "     ")
    if step["previous_text"]:
        yield from wrap(step["previous_text"], "    earlier: ", "      ")
    for citation in step["citations"]:
        yield from _citation(citation, "" if citation["role"] == "states" else "confirmed: ")
    for stance in stances:
        yield from _stance(stance)
    yield ""


def _stance(stance: Mapping[str, Any]) -> Iterator[str]:
    yield from _citation(stance["citation"], f"{STANCES.get(stance['kind'], stance['kind'])}: ")


def _citation(citation: Mapping[str, Any], word: str) -> Iterator[str]:
    if citation.get("before"):
        yield from wrap(f"… {citation['before']}", "      ", "      ")
    yield from wrap(f"{word}“{citation['exact']}”", "    ", "      ")
    if citation.get("after"):
        yield from wrap(f"{citation['after']} …", "      ", "      ")
    yield f"      {clean(citation['handle'])}, {clean(citation['created'])[:10]}, {clean(citation['permalink'])}"


def _foot(record: Mapping[str, Any]) -> Iterator[str]:
    for source in record["sources"]:
        yield f"Source: {clean(source['source'] or '')}, licence {clean(source['licence'] or '') or 'unknown'}"
    yield from wrap(", ".join(record["threads"]), "Threads: ", "  ")


# --- lists and search -----------------------------------------------------------------------------------------------


def render_list(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No SOP yet. `precipitate sources` says what was read and why nothing came of it.\n"
    head = ["SOP", "STEPS", "AUTHORS", "FOR", "AGAINST", "TITLE"]
    body = [[row["id"], *(str(row[key]) for key in ("steps", "authors", "support", "dissent")), clean(row["title"])] for row in rows]
    return table([head, *body], right=frozenset({1, 2, 3, 4}))


def render_hits(hits: Iterable[Any], query: str, bold: bool = False) -> str:
    """What a search found: objects with the fields of index.search.Hit. `bold`: the words that were asked for stand out."""
    lines: list[str] = []
    for hit in hits:
        found = {getattr(hit, name)[start:end].casefold() for name, spans in hit.highlights.items() for start, end in spans}
        mark = found if bold else set()
        lines += [f"{hit.id}  {emphasised(clean(hit.title), mark)}  ({hit.steps} steps)"]
        lines += [emphasised(line, mark) for line in wrap(f"step {hit.step}: “{hit.quote}”", "  ", "    ")]
        lines += [f"    {clean(hit.handle)}, {hit.created[:10]}, {clean(hit.permalink)}", ""]
    return "\n".join(lines).rstrip() + "\n" if lines else f"Nothing found for “{shortened(query)}”.\n`precipitate list` shows all SOPs.\n"
