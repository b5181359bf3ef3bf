"""Man pages from the commands' own help: one for each command, in the macros of man(7).

Words come from this program alone, yet all are escaped: a line that begins with a dot or a quote would be a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from publish import __version__

DATE = "2026-11-30"  # of this version: a page does not change with the day on which it is written
SECTION = 1
EXITS = (
    ("0", "All well."),
    ("1", "An error; it says what was wrong, where, and the way out."),
    ("2", "Wrong use: the command or its arguments."),
    ("3", "Partial: some source or row failed; the report says which."),
    ("4", "Findings of a command that checks."),
    ("75", "Another writer is at work in the workspace."),
    ("130", "Interrupted; run again to resume."),
)


def pages(command: Any, name: str) -> list[tuple[str, str]]:
    """(file name, page) of a Typer command and of all under it: precipitate.1, precipitate-search.1, …"""
    return [(f"{'-'.join(path)}.{SECTION}", _page(found, context, path)) for found, context, path in _walk(command, None, (name,))]


def _walk(command: Any, parent: Any, path: tuple[str, ...]) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    context = command.context_class(command, info_name=path[-1], parent=parent)
    yield command, context, path
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, context, (*path, name))


def _page(command: Any, context: Any, path: tuple[str, ...]) -> str:
    title = "-".join(path)
    example, text = _parts(command.help or "")
    lines = [f'.TH {title.upper()} {SECTION} "{DATE}" "precipitate {__version__}" "precipitate"']
    lines += [".SH NAME", f"{title} \\- {escaped(_short(command))}"]
    lines += [".SH SYNOPSIS", f"\\fB{escaped(' '.join(path))}\\fR {escaped(' '.join(command.collect_usage_pieces(context)))}"]
    lines += [".SH DESCRIPTION", *(escaped(line) for line in text or [_short(command)])]
    lines += [*_options(command, context), *_commands(command, path)]
    if example:
        lines += [".SH EXAMPLES", ".nf", escaped(example), ".fi"]
    lines += [".SH EXIT STATUS", *(line for code, meaning in EXITS for line in (".TP", f"\\fB{code}\\fR", escaped(meaning)))]
    above = "-".join(path[:-1])
    lines += [".SH SEE ALSO", f"\\fB{escaped(above)}\\fR({SECTION})"] if above else []
    return "\n".join(lines) + "\n"


def _short(command: Any) -> str:
    said: str = command.short_help or (command.help or "").split("\n")[0]
    return said.rstrip(".")


def _parts(text: str) -> tuple[str, list[str]]:
    """(example, lines of the description): every command's help leads with an example."""
    example = re.match(r"Example: (.*)", text)
    rest = text[example.end() :] if example else text
    return (example[1] if example else ""), [" ".join(part.split()) for part in rest.split("\n\n") if part.strip()]


def _options(command: Any, context: Any) -> Iterator[str]:
    records = [record for parameter in command.get_params(context) if (record := _record(parameter, context)) is not None]
    if records:
        yield ".SH OPTIONS"
    for name, said in records:
        yield from (".TP", f"\\fB{escaped(name)}\\fR", escaped(said or "See the synopsis."))


def _record(parameter: Any, context: Any) -> tuple[str, str] | None:
    found = parameter.get_help_record(context)
    return None if found is None else (found[0].strip(), " ".join(found[1].split()))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if children:
        yield ".SH COMMANDS"
    for name, child in children.items():
        yield from (".TP", f"\\fB{escaped('-'.join((*path, name)))}\\fR({SECTION})", escaped(_short(child) + "."))


def escaped(line: str) -> str:
    """Text as troff shows it: its signs are signs, and no line of it is a request."""
    line = (
        line.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace("^", "\\(ha")
        .replace("~", "\\(ti")
    )
    for sign, name in {"…": "\\&...", "“": "\\(lq", "”": "\\(rq", "→": "\\(->", "’": "\\(cq"}.items():
        line = line.replace(sign, name)
    return f"\\&{line}" if line.startswith((".", "'")) else line
