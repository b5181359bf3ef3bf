"""What changed between two versions of a procedure. Whole: applied to the old steps, it gives the new ones to the letter.

Steps are matched by the words they were taken from, then by their own; a step that kept its place among the others is
not moved, whatever its number.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from index.errors import UnknownName
from index.store import canonical_json
from publish.show import STANCES
from publish.text import clean, wrap

SCHEMA = "precipitate/diff/1"
ALIKE_BP = 5000  # shared words of two steps, of all their words, from which they are one step reworded
HEAD = (
    *("title", "goal", "purpose", "preconditions", "roles", "tools", "verification", "language", "ordered", "status"),
    *("alternatives", "forked_from", "sources", "threads", "quality", "generator"),
)
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_WORD = re.compile(r"\w+")

Record = Mapping[str, Any]


def diff(versions: Sequence[Mapping[str, Any]], old: int | None = None, new: int | None = None) -> dict[str, Any]:
    """The difference of two of a procedure's kept versions ({version, current, record}, oldest first), by default of the
    newest and the one before it; where only one is kept, of it and itself. Raises UnknownName with the versions there are.
    """
    known = {row["version"]: row["record"] for row in versions}
    last = max(known)
    new = last if new is None else new
    old = max((number for number in known if number < new), default=new) if old is None else old
    for asked in (old, new):
        if asked not in known:
            raise UnknownName(f"version of {known[last]['id']}", str(asked), [], _way_out(asked, sorted(known)))
    before, after = known[old], known[new]
    pairs = match(before["steps"], after["steps"])
    steps, stances = _steps(before, after, pairs), _stances(before, after, pairs)
    fields = {name: {"old": before.get(name), "new": after.get(name)} for name in HEAD if before.get(name) != after.get(name)}
    return {
        "schema": SCHEMA,
        "id": after["id"],
        "from": old,
        "to": new,
        "versions": sorted(known),
        "withdrawn": not any(row["current"] for row in versions),
        "supersedes": before["version_id"] == after["supersedes"],
        "changed": bool(fields or any(step["op"] != "kept" for step in steps) or any(stances.values())),
        "fields": fields,
        "steps": steps,
        "stances": stances,
    }


def _way_out(asked: int, known: list[int]) -> str:
    there = f"there are: {', '.join(map(str, known))}"
    return f"{there}; versions that quote a post which was taken back are not kept" if 0 < asked < known[-1] else there


# --- which step is which ----------------------------------------------------------------------------------------------


def match(old: Sequence[Record], new: Sequence[Record]) -> list[tuple[int, int]]:
    """Pairs (place in old, place in new) of steps that are the same or reworded, one to one, surest first."""
    words_old, words_new = [_words(step["text"]) for step in old], [_words(step["text"]) for step in new]
    said_old, said_new = [_said_at(step) for step in old], [_said_at(step) for step in new]
    candidates = []
    for i, left in enumerate(old):
        for j, right in enumerate(new):
            alike = _alike_bp(words_old[i], words_new[j])
            evidence = len(said_old[i] & said_new[j])
            corrected = right.get("previous_text") == left["text"]
            if evidence or corrected or left["text"] == right["text"] or alike >= ALIKE_BP:
                candidates.append((-evidence, -int(corrected), -int(left["text"] == right["text"]), -alike, abs(i - j), i, j))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for *_, i, j in sorted(candidates):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return sorted(pairs.items())


def _said_at(step: Record) -> set[tuple[str, str]]:
    """By words, not by span: an edit further up in a post moves all that stands below it."""
    return {(c["post"], c["exact"]) for c in step["citations"] if c["role"] == "states"}


def _words(text: str) -> Counter[str]:
    return Counter(word.casefold() for word in _WORD.findall(text))


def _alike_bp(a: Counter[str], b: Counter[str]) -> int:
    either = (a | b).total()
    return 10_000 * (a & b).total() // either if either else 0


def _in_place(pairs: Sequence[tuple[int, int]]) -> set[int]:
    """Old places of the longest run of pairs that keep their order: all other pairs were moved."""
    tails: list[int] = []  # smallest new place that ends a run of each length
    ends: list[int] = []  # pair at each tail
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(tails, j)
        tails[length : length + 1] = [j]
        ends[length : length + 1] = [index]
        before.append(ends[length - 1] if length else -1)
    kept, index = set(), ends[-1] if ends else -1
    while index >= 0:
        kept.add(pairs[index][0])
        index = before[index]
    return kept


# --- what changed -----------------------------------------------------------------------------------------------------


def _steps(before: Record, after: Record, pairs: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Every step of either version: those of the new one in its order, then those removed in the order of the old."""
    stayed = _in_place(pairs)
    came_from = {j: i for i, j in pairs}
    told = []
    for j, step in enumerate(after["steps"]):
        if j in came_from:
            told.append(_changed(before["steps"][came_from[j]], step, came_from[j] not in stayed, pairs, before, after))
        else:
            told.append({"op": "added", "old": None, "new": step["n"], "step": step})
    gone = [step for i, step in enumerate(before["steps"]) if i not in dict(pairs)]
    return told + [{"op": "removed", "old": step["n"], "new": None, "step": step} for step in gone]


def _changed(old: Record, new: Record, moved: bool, pairs: Sequence[tuple[int, int]], before: Record, after: Record) -> dict[str, Any]:
    """A step that is in both: its words as [sign, words] with "=", "-" and "+", its other keys, and its citations."""
    numbers = {before["steps"][i]["n"]: after["steps"][j]["n"] for i, j in pairs}
    others = [key for key in new if key not in ("n", "text", "citations")]
    fields = {key: {"old": old.get(key), "new": new[key]} for key in others if old.get(key) != new[key]}
    citations = _citations(old["citations"], new["citations"])
    telling = [key for key in fields if key != "after" or not _only_renumbered(old, new, numbers)]
    said = old["text"] != new["text"] or telling or citations["gained"] or citations["lost"]
    return {
        "op": "moved" if moved else "changed" if said else "kept",
        "old": old["n"],
        "new": new["n"],
        "text": words_changed(old["text"], new["text"]),
        "fields": fields,
        "citations": citations,
    }  # fmt: skip


def _only_renumbered(old: Record, new: Record, numbers: Mapping[int, int]) -> bool:
    """Whether a step comes after what it came after: the same steps by their new numbers, or whatever stands before it."""
    next_in_line = old["after"] == [old["n"] - 1] and new["after"] == [new["n"] - 1]
    return next_in_line or [numbers.get(n) for n in old["after"]] == list(new["after"])


def words_changed(old: str, new: str) -> list[list[str]]:
    """[sign, words] pieces: "=" and "-" joined are the old text, "=" and "+" the new one."""
    left, right = _TOKEN.findall(old), _TOKEN.findall(new)
    pieces: list[list[str]] = []
    for _, i, k, j, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        gone, come = "".join(left[i:k]), "".join(right[j:m])
        pieces += [["=", gone]] if gone == come else [[sign, words] for sign, words in (("-", gone), ("+", come)) if words]
    return pieces


def _citations(old: Sequence[Record], new: Sequence[Record]) -> dict[str, Any]:
    """`shifted`: the same words of the same post, at another place or by another handle. `order`: where the new list takes
    each citation from (the old list without those lost, then `gained`); null where it is that list as it stands."""
    lost, gained = _without(old, new), _without(new, old)
    shifted = []
    for before in list(lost):
        after = next((citation for citation in gained if _words_of(citation) == _words_of(before)), None)
        if after is not None:
            shifted.append({"old": before, "new": after})
            lost.remove(before)
            gained.remove(after)
    texts = [canonical_json(citation) for citation in (*stayed(old, lost, shifted), *gained)]
    order = []
    for citation in new:
        place = texts.index(canonical_json(citation))
        order.append(place)
        texts[place] = ""
    return {"gained": gained, "lost": lost, "shifted": shifted, "order": None if order == list(range(len(texts))) else order}


def stayed(old: Sequence[Record], lost: Sequence[Record], shifted: Sequence[Mapping[str, Record]]) -> list[Record]:
    """The old citations without those lost, and where they stand now."""
    moves = [(change["old"], change["new"]) for change in shifted]
    kept = []
    for citation in _without(old, lost):
        move = next((pair for pair in moves if pair[0] == citation), None)
        if move is not None:
            moves.remove(move)
        kept.append(citation if move is None else move[1])
    return kept


def _words_of(citation: Record) -> tuple[str, str, str]:
    return (citation["role"], citation["post"], citation["exact"])


def _without(values: Sequence[Record], others: Sequence[Record]) -> list[Record]:
    """Values that are not among the others, each of which takes away one."""
    left = Counter(canonical_json(other) for other in others)
    kept = []
    for value in values:
        if left[text := canonical_json(value)]:
            left[text] -= 1
        else:
            kept.append(value)
    return kept


def _stances(before: Record, after: Record, pairs: Sequence[tuple[int, int]]) -> dict[str, list[Record]]:
    """Gained and lost by what was said; one that now speaks of another step has moved. Steps as each version numbers them."""
    numbers = {before["steps"][i]["n"]: after["steps"][j]["n"] for i, j in pairs}
    old, new = ({_said(stance): stance for stance in record["stances"]} for record in (before, after))
    return {
        "gained": [stance for key, stance in new.items() if key not in old],
        "lost": [stance for key, stance in old.items() if key not in new],
        "moved": [
            {**stance, "before": old[key]["step"]}
            for key, stance in new.items()
            if key in old and numbers.get(old[key]["step"]) != stance["step"]
        ],
    }


def _said(stance: Record) -> tuple[Any, ...]:
    citation = stance["citation"]
    return (stance["kind"], citation["post"], citation["exact"])


# --- as text ----------------------------------------------------------------------------------------------------------

QUIET = ("quality", "generator", "sources", "threads", "alternatives")  # told in a line, not spelt out


def render_diff(told: Mapping[str, Any]) -> str:
    return "\n".join([*_head(told), *_fields(told["fields"]), *_step_lines(told["steps"]), *_stance_lines(told["stances"])]).rstrip() + "\n"


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    line = f"{clean(told['id'])}: version {told['from']} → {told['to']}"
    if told["from"] == told["to"]:
        line += ", the only one that is kept" if len(told["versions"]) == 1 else ", one and the same"
    elif told["supersedes"]:
        line += f" (supersedes {told['from']})"
    yield line
    if told["withdrawn"]:
        yield "No version of it is current: the discussion no longer holds it."
    kept = sum(step["op"] == "kept" for step in told["steps"])
    counts = Counter(step["op"] for step in told["steps"])
    changes = [f"{counts[op]} {op}" for op in ("added", "removed", "changed", "moved") if counts[op]]
    if told["changed"]:
        yield f"{', '.join(changes) or 'no step changed'}; {kept} as they were."
    else:
        shifted = any(step["citations"]["shifted"] for step in told["steps"] if step["op"] == "kept")
        yield "Nothing changed but where its words stand in their posts." if shifted else "Nothing changed."
    yield ""


def _fields(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, change in fields.items():
        if name == "generator":
            yield f"Made by: another {', '.join(sorted(_differing(change['old'], change['new'])))}"
        elif name in QUIET:
            yield f"{name.capitalize()}: {_few(change['old'])} → {_few(change['new'])}"
        else:
            yield from wrap(_marked(words_changed(_few(change["old"]), _few(change["new"]))), f"{name.capitalize()}: ", "  ")
    if fields:
        yield ""


def _differing(old: Any, new: Any) -> list[str]:
    return [key for key in {**(old or {}), **(new or {})} if (old or {}).get(key) != (new or {}).get(key)]


def _few(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_few(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_few(item) for item in value) or "none"
    return "none" if value is None else clean(str(value))


def _marked(pieces: Sequence[Sequence[str]]) -> str:
    """Words taken out as [-…-], words put in as {+…+}, as git marks them."""
    marks = {"=": ("", ""), "-": ("[-", "-]"), "+": ("{+", "+}")}
    return "".join(f"{marks[sign][0]}{words}{marks[sign][1]}" for sign, words in pieces)


def _step_lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step["op"] == "kept":
            continue
        if "step" in step:
            sign, n = ("+", step["new"]) if step["op"] == "added" else ("-", step["old"])
            yield from wrap(step["step"]["text"], f"{sign} {n:>2}. ", "      ")
            yield from _quotes("+" if sign == "+" else "-", step["step"]["citations"])
            continue
        place = f" (was {step['old']})" if step["op"] == "moved" else ""
        yield from wrap(_marked(step["text"]), f"{'~' if step['op'] == 'changed' else '↕'} {step['new']:>2}.{place} ", "      ")
        for key, change in step["fields"].items():
            in_line = key == "after" and (change["old"], change["new"]) == ([step["old"] - 1], [step["new"] - 1])
            if key != "first_said_in" and not in_line:  # the citations show the one, the numbers the other
                yield from wrap(f"{key.replace('_', ' ')}: {_few(change['old'])} → {_few(change['new'])}", "      ", "        ")
        yield from _quotes("+", step["citations"]["gained"])
        yield from _quotes("-", step["citations"]["lost"])


def _quotes(sign: str, citations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for citation in citations:
        yield from wrap(f"“{citation['exact']}”", f"      {sign} ", "        ")
        yield f"        {clean(citation['handle'])}, {clean(citation['permalink'])}"


def _stance_lines(stances: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for key, sign in (("gained", "+"), ("lost", "-"), ("moved", "↕")):
        for stance in stances[key]:
            of = f"of step {stance['step']}" if stance["step"] else "of the whole"
            was = f" (was {stance['before'] or 'of the whole'})" if key == "moved" else ""
            yield from wrap(f"{STANCES.get(stance['kind'], stance['kind'])} {of}{was}: “{stance['citation']['exact']}”", f"{sign} ", "    ")
            yield f"    {clean(stance['citation']['handle'])}, {clean(stance['citation']['permalink'])}"
