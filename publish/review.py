"""Review gates: what a new version of an SOP has to pass before it goes into a Git mirror, by rules and by replay.

Rules look at the record alone: its schema, its spans, what a SKILL.md needs, words aimed at whoever reads them, personal
data. Replay distils the threads again from the posts that are held and looks whether the same version comes out: what was
edited by hand, or made by another program, does not. A version that fails stays out, and the one before stays in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from index.private import mask, masked_value
from index.tables_private import WORDS
from publish.text import clean
from publish.verify_said import Texts, cited, record_problems, stands_in

Row = Mapping[str, Any]
Injects = Callable[[str], bool]
Replay = Callable[[Sequence[Row]], dict[str, set[str]]]  # records → thread id → version ids that distilling it anew gives

MOST_STEPS = 400
MOST_TEXT = 4_000  # characters of one step or title: no instruction needs more
# Hidden characters: what people do not see and programs read.
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")


def review(
    records: Iterable[Row], states: Mapping[str, Row], texts: Texts | None, injects: Injects, replay: Replay | None
) -> dict[str, list[str]]:
    """For every record that does not pass: why, by id."""
    records = list(records)
    found = {str(record.get("id")): why for record in records if (why := rule_problems(record, states, texts, injects))}
    if replay is not None:
        rest = [record for record in records if record["id"] not in found]
        made = replay(rest)
        for record in rest:
            if not any(record["version_id"] in made.get(thread, set()) for thread in record["threads"]):
                found[record["id"]] = ["distilled again from the posts held here, another version comes out"]
    return found


def rule_problems(record: Row, states: Mapping[str, Row], texts: Texts | None, injects: Injects) -> list[str]:
    problems = record_problems(record, states)
    if problems:
        return problems
    return [*_skill_problems(record), *_word_problems(record, injects), *(_span_problems(record, texts) if texts else [])]


def _skill_problems(record: Row) -> list[str]:
    """What a SKILL.md made of it could not be: nameless, endless, or with nothing to do."""
    found = []
    if not clean(record["title"]) or len(record["title"]) > MOST_TEXT:
        found.append("its title is empty or longer than a title")
    if not 1 <= len(record["steps"]) <= MOST_STEPS:
        found.append(f"it has {len(record['steps'])} steps")
    found += [
        f"step {step['n']} is empty or longer than a step"
        for step in record["steps"]
        if not clean(step["text"]) or len(step["text"]) > MOST_TEXT
    ]
    return found


def _word_problems(record: Row, injects: Injects) -> list[str]:
    found = []
    for where, text in _words(record):
        if injects(unicodedata.normalize("NFKC", text)):
            found.append(f"{where} is aimed at the program that reads it")
        if _HIDDEN.search(text):
            found.append(f"{where} holds characters that cannot be seen")
    if masked_value(record, mask, WORDS) != record:
        found.append("it shows personal data")
    return found


def _words(record: Row) -> Iterable[tuple[str, str]]:
    yield from ((name, record[name]) for name in ("title", "goal", "purpose") if record.get(name))
    for name in ("preconditions", "verification", "tools", "roles"):
        yield from ((name, text) for text in record.get(name, ()))
    yield from ((f"step {step['n']}", step["text"]) for step in record["steps"])


def _span_problems(record: Row, texts: Texts) -> list[str]:
    held = texts(sorted({c["post"] for c in cited(record)}))
    return [
        f"a quote of {c['post']} does not stand at its place in the post held here"
        for c in cited(record)
        if c["post"] in held and not stands_in(c, held[c["post"]])
    ]
