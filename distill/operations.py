"""What a language model may say: operations on numbered spans. Each is checked, and one that fails refuses the answer.

    keep                      the draft stands
    drop(span)                a step, or a further statement of one, goes
    add(span)                 a candidate becomes a step, in its author's words
    merge(span, into)         a step or candidate says the same as a step
    reorder(order)            all steps, first to last
    retitle(span | words)     the title is a span, or words copied from the thread
    relabel(span, stance)     what a candidate is: support, dissent, amendment, none
    reject(reason)            the draft is no procedure

A model that invents one id may have misread the others, and half of a change is a change that nobody proposed: so an
answer is taken whole or not at all. Nothing here takes a word from the model: `words` is compared, never copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.goals import LONGEST_TITLE
from distill.steptext import INJECTION, risk_flags, step_text
from index.records import Frame, StanceKind

MOST_OPERATIONS = 40
STANCE_WORDS: dict[str, StanceKind | None] = {"support": "support", "dissent": "dissent", "amendment": "amendment", "none": None}
# What a model may say against a draft; the text is ours.
REJECTIONS = {
    "not_a_procedure": "language model: the steps are no procedure",
    "software": "language model: software does this, not people",
    "own_plan": "language model: one person's own plan or report",
    "opinion": "language model: opinions or proposals without a way to act",
    "unrelated": "language model: the steps do not belong together",
}
# Operation → keys it must have, keys it may have.
KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "keep": (frozenset(), frozenset()),
    "drop": (frozenset({"span"}), frozenset({"words"})),
    "add": (frozenset({"span"}), frozenset({"words"})),
    "merge": (frozenset({"span", "into"}), frozenset({"words"})),
    "reorder": (frozenset({"order"}), frozenset()),
    "retitle": (frozenset(), frozenset({"span", "words"})),
    "relabel": (frozenset({"span", "stance"}), frozenset({"words"})),
    "reject": (frozenset({"reason"}), frozenset()),
}
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|without|avoid|cannot|neither|nor|unless|except|only|against)\b|n['’]t\b|\b(?:do|does|did|is|are|should|must|can|could|would|will|have|has|need)nt\b",
    re.I,
)
_MODAL = re.compile(
    r"\b(?:must|shall|should|ought|may|might|can|could|would|will|need(?:s|ed)?|required|optional(?:ly)?|if|perhaps|maybe)\b", re.I
)
_LINK = re.compile(r"https?://|www\.|0x[0-9a-f]{6,}", re.I)


@dataclass(frozen=True, slots=True)
class Operation:
    op: str
    span: str = ""
    into: str = ""
    words: str = ""
    stance: str = ""
    reason: str = ""
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A span as the model saw it, and what the checks need to know of it."""

    words: str
    frame: Frame | None
    step: int | None  # which step of the draft it states
    lead: bool  # its words are the step's text
    home: bool  # by the author of the scaffold


# --- reading --------------------------------------------------------------------------------------------------------


def read_operations(answer: str) -> tuple[list[Operation], list[str]]:
    """(operations, why the answer is refused); either is empty. JSON and nothing else: prose around it refuses it."""
    try:
        value = json.loads(answer, object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return [], ["not JSON"]
    rows = value.get("operations") if isinstance(value, dict) and set(value) == {"operations"} else None
    if not isinstance(rows, list) or not rows:
        return [], ["no list of operations"]
    if len(rows) > MOST_OPERATIONS:
        return [], ["too many operations"]
    read = [_operation(row) for row in rows]
    refused = [row for row in read if isinstance(row, str)]
    return ([], refused) if refused else ([row for row in read if isinstance(row, Operation)], [])


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _operation(row: Any) -> Operation | str:
    if not isinstance(row, dict) or not isinstance(row.get("op"), str):
        return "not an operation"
    if row["op"] not in KEYS:
        return "unknown operation"
    needed, allowed = KEYS[row["op"]]
    given = set(row) - {"op"}
    if not needed <= given <= needed | allowed or (row["op"] == "retitle" and not given):
        return "unknown or missing key"
    order = row.get("order", [])
    texts = [row[key] for key in given - {"order"}]
    if not isinstance(order, list) or not all(isinstance(value, str) and value for value in [*texts, *order]):
        return "a value of the wrong kind"
    return Operation(**{**row, "order": tuple(order)})


# --- checking -------------------------------------------------------------------------------------------------------


def refusals(operations: Sequence[Operation], spans: Mapping[str, Shown], sources: Sequence[str], floor: int) -> list[str]:
    """Why operations are refused, one reason each; empty where all may be carried out.

    `sources`: title, headings and passages that a title may be copied from. `floor`: fewest steps of a procedure.
    """
    found = [reason for operation in operations if (reason := _refusal(operation, spans, sources))]
    return found or _contradictions(operations, spans, floor)


def _refusal(o: Operation, spans: Mapping[str, Shown], sources: Sequence[str]) -> str:
    """Why an operation is refused, taken by itself; "" where it is not."""
    named = [identifier for identifier in (o.span, o.into, *o.order) if identifier]
    if any(identifier not in spans for identifier in named):
        return "unknown span"
    span = spans.get(o.span)
    if span and o.words and (reason := unlike(o.words, span.words)):
        return reason
    checks = {"drop": _drop, "add": _add, "relabel": _relabel}
    if span and o.op in checks:
        return checks[o.op](o, span)
    if span and o.op == "merge":
        return _merge(span, spans[o.into])
    if o.op == "retitle":
        return _retitle(span.words if span else o.words, sources)
    return "unknown reason" if o.op == "reject" and o.reason not in REJECTIONS else ""


def _drop(_: Operation, span: Shown) -> str:
    if span.step is None:
        return "not a step"
    # "Never send it to …" is the part of a procedure that must not get lost.
    return "a prohibition is not dropped" if span.frame and span.frame.negated else ""


def _add(_: Operation, span: Shown) -> str:
    if span.step is not None:
        return "a step already"
    if span.words.rstrip().endswith("?") or (span.frame and span.frame.modality == "hypothetical"):
        return "a question or a guess is no step"
    if risk_flags(span.words) and not span.home:
        return "risky words of another author"
    return _altered(step_text(span.words, span.frame), span.words)


def _merge(span: Shown, into: Shown) -> str:
    if into.step is None or not into.lead or (span.step == into.step):
        return "not a step"
    if set(risk_flags(span.words)) - set(risk_flags(into.words)):
        return "risky words do not join others"
    numbers, others = set(_NUMBER.findall(span.words)), set(_NUMBER.findall(into.words))
    if numbers and others and numbers != others:
        return "a changed number"
    if bool(span.frame and span.frame.negated) != bool(into.frame and into.frame.negated):
        return "a changed negation"
    return "a changed modality" if _free(span.frame) != _free(into.frame) else ""


def _free(frame: Frame | None) -> bool:
    """One may, rather than one does or must."""
    return bool(frame and frame.modality in ("permission", "hypothetical"))


def _relabel(o: Operation, span: Shown) -> str:
    from distill.amend import outspoken

    if o.stance not in STANCE_WORDS:
        return "unknown stance"
    if span.step is not None:
        return "a step already"
    for kind in ("support", "dissent"):  # who writes "I disagree" does not support, whatever is said about it
        if outspoken(span.words, "amendment") == kind != o.stance:
            return "against the plain words"
    return ""


def _retitle(words: str, sources: Sequence[str]) -> str:
    title = squash(words)
    if len(title.split()) < 2 or len(title) > LONGEST_TITLE:
        return "too short or too long for a title"
    if INJECTION.search(title) or _LINK.search(title) or risk_flags(title):
        return "risky words as a title"
    reasons = [reason for source in sources if (reason := _copied(title, squash(source))) is not None]
    if "" in reasons:
        return ""
    if reasons:
        return reasons[0]
    nearest = max(sources, key=lambda source: len(set(source.lower().split()) & set(title.lower().split())), default="")
    return unlike(title, nearest)


def _copied(title: str, source: str) -> str | None:
    """None where the source does not hold the title; else what is wrong with cutting it out there, "" for nothing."""
    wrong: str | None = None
    for match in re.finditer(re.escape(title), source):
        around = (source[: match.start()][-1:], source[match.end() :][:1])
        whole = not any(char.isalnum() or char in "'’-" for char in around if char)
        if not whole or re.match(r"[.,:/]\d", source[match.end() :]) or re.search(r"\d[.,:/]$", source[: match.start()]):
            wrong = wrong or "words that are not the thread's"
        elif len(_NEGATION.findall(title)) != len(_NEGATION.findall(source)):
            wrong = wrong or "a changed negation"
        else:
            return ""
    return wrong


def unlike(words: str, source: str) -> str:
    """ "" where words are copied from the source as they stand; else in what they differ from it."""
    given, wanted = squash(words), squash(source)
    if given == wanted:
        return ""
    if set(_NUMBER.findall(given)) - set(_NUMBER.findall(wanted)):
        return "a changed number"
    for pattern, reason in ((_NEGATION, "a changed negation"), (_MODAL, "a changed modality")):
        if sorted(map(str.lower, pattern.findall(given))) != sorted(map(str.lower, pattern.findall(wanted))):
            return reason
    return "words that are not the thread's"


def _altered(text: str, words: str) -> str:
    """What step_text may not do to words that were not meant as a step at first: lose a number or a negation."""
    if _NUMBER.findall(text) != _NUMBER.findall(words):
        return "a changed number"
    if len(_NEGATION.findall(text)) != len(_NEGATION.findall(words)):
        return "a changed negation"
    lost = set(map(str.lower, _MODAL.findall(words))) - set(map(str.lower, _MODAL.findall(text)))
    return "a changed modality" if lost & {"may", "might", "could", "would", "if", "perhaps", "maybe", "optional", "optionally"} else ""


def squash(text: str) -> str:
    return " ".join(text.split())


# --- together -------------------------------------------------------------------------------------------------------


def _contradictions(operations: Sequence[Operation], spans: Mapping[str, Shown], floor: int) -> list[str]:
    found: list[str] = []
    if len(set(operations)) < len(operations):
        found.append("the same operation twice")
    alone = [o for o in operations if o.op in ("keep", "reject")]
    if alone and len(operations) > 1:
        found.append("contradictory operations")
    subjects = [o.span for o in operations if o.op in ("drop", "add", "merge", "relabel")]
    single = [o.op for o in operations if o.op in ("retitle", "reorder")]
    if len(set(subjects)) < len(subjects) or len(set(single)) < len(single):
        found.append("contradictory operations")
    gone = {o.span for o in operations if o.op in ("drop", "merge")}
    if any(o.into in gone for o in operations if o.op == "merge"):
        found.append("contradictory operations")
    left = remaining(operations, spans)
    if len(left) < floor and not alone:
        found.append("too few steps left")
    if any(o.op == "reorder" and sorted(o.order) != sorted(left) for o in operations):
        found.append("an order of other steps")
    return list(dict.fromkeys(found))


def remaining(operations: Sequence[Operation], spans: Mapping[str, Shown]) -> list[str]:
    """Ids of the spans whose words are steps once the operations are carried out."""
    gone = {o.span for o in operations if o.op in ("drop", "merge")}
    return [i for i, span in spans.items() if span.lead and i not in gone] + [o.span for o in operations if o.op == "add"]
