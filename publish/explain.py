"""Why a thread became an SOP or not: what was seen, how it was scored, what decided, and the way out.

Reads the release's snapshot alone. What an older program did not store is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from index.snapshot import Snapshot
from publish.facts import in_words
from publish.show import STANCES
from publish.text import clean, wrap

SCHEMA = "precipitate/explanation/1"
SHOWN = 5  # surest passages that the text quotes; --json has all that are stored

# Why a thread gave nothing, in words; and what its writers can do about it.
REASONS = {
    "not in English": (
        "Most of its words are not English, and only English is read so far: verbs of other languages would be misread.",
        "say the steps in English too, in a post of this thread or in a thread of their own",
    ),
    "fewer passages than a procedure has steps": (
        "It holds {passages} sentences and list items in all; a procedure needs at least {min_steps} steps.",
        "say at least {min_steps} steps, each in a sentence or list item of its own; code, tables and quotes are not read as steps",
    ),
    "nothing reads like a step": (
        "No sentence came near to a step, not even at a first look, so nothing was read closely.",
        "say what to do: one action a sentence or list item, its verb first (“Open the form”), in one post",
    ),
    "fewer steps than a procedure has": (
        "{steps} passages were sure enough to be steps; a procedure needs at least {min_steps}.",
        "say each step in a sentence or list item of its own, its verb first, in one post; at least {min_steps}",
    ),
    "fewer distinct steps than a procedure has": (
        "What read like steps says the same thing again: fewer than {min_steps} different ones are left.",
        "say at least {min_steps} different steps, each once",
    ),
    "the steps do not make a procedure": (
        "There are passages like steps, but taken together the gate was {gate} sure that they are a procedure; it takes {threshold}.",
        "put the steps into one post, in order, one action a list item, written for whoever wants to do it (rather than what a "
        "project plans, what was done, or what software does), under a title that says what for",
    ),
}
OPERATOR = {
    "fewer passages than a procedure has steps": "distill.min_steps is {min_steps}: a lower one lets shorter procedures through everywhere",
    "fewer steps than a procedure has": "distill.min_steps is {min_steps}: a lower one lets shorter procedures through everywhere",
    "fewer distinct steps than a procedure has": "distill.min_steps is {min_steps}: a lower one lets shorter procedures through everywhere",
    "the steps do not make a procedure": "distill.thread_threshold_bp is {threshold_bp}: at {gate_bp} or lower this thread would pass, and "
    "with it everything else that is no surer",
}
EMITTED = "to be more silent, raise distill.thread_threshold_bp above {gate_bp} (now {threshold_bp}); this thread would then give nothing"


def explain(snapshot: Snapshot, text: str) -> dict[str, Any]:
    """What came of the thread that `text` names (see Snapshot.thread), as docs/records.md has it."""
    row = snapshot.thread(text)
    report = row["report"]
    spans = [*report.get("surest", []), *_posts_named(report)]
    posts = snapshot.posts(sorted({span["post"] for span in spans}))
    records = list(snapshot.records(row["procedures"]).values())
    titles = snapshot.records([other for record in records for other in record["alternatives"]])
    surety = {(s["post"], s["start"], s["end"]): s["bp"] for sequence in report.get("sequences", []) for s in sequence["steps"]}
    return {
        "schema": SCHEMA,
        **{key: value for key, value in row.items() if key != "report"},
        "language": report.get("language"),
        "verdict": _verdict(row),
        "ways_out": list(_ways_out(row)),
        "surest": [quoted for span in report.get("surest", []) if (quoted := _quoted(span, posts))],
        "scaffold": _scaffold(report.get("scaffold"), posts),
        "gate": _gate(report),
        "sequences": [
            {**_where(posts.get(sequence["post"]), sequence["post"]), **{key: sequence[key] for key in ("gate_bp", "reason")},
             "steps": len(sequence["steps"])}
            for sequence in report.get("sequences", [])
        ],
        "sops": [_sop(record, row["id"], surety, {i: other["title"] for i, other in titles.items()}) for record in records],
        "report": report,
    }  # fmt: skip


# --- what the record says ---------------------------------------------------------------------------------------------


def _posts_named(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    scaffold = report.get("scaffold") or {"candidates": []}
    return [*scaffold["candidates"], *([scaffold] if "post" in scaffold else []), *report.get("sequences", [])]


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the sentences above are filled with; what an older program did not store reads as “enough” or “?”."""
    report = row["report"]
    scaffold = report.get("scaffold") or {}
    gate, threshold = report.get("gate_bp", 0), report.get("threshold_bp")
    return {
        "passages": row["passages_seen"],
        "steps": scaffold["steps"] + scaffold["added"] if scaffold else "Too few",
        "min_steps": report.get("min_steps", "a few"),
        "gate_bp": gate,
        "gate": percent(gate),
        "threshold_bp": "?" if threshold is None else threshold,
        "threshold": "more" if threshold is None else percent(threshold),
    }


def percent(bp: int) -> str:
    return f"{bp / 100:.1f} %"


def _verdict(row: Mapping[str, Any]) -> str:
    if row["outcome"] is None:
        if row["readable"]:
            return "Not distilled yet: `precipitate run` has not come to it."
        return "Not distilled: it has no readable post (all were deleted, have no words, or are moderators' notes)."
    if row["procedures"]:
        return f"It gave {_count(len(row['procedures']), 'SOP')}."
    if row["outcome"] == "procedures":
        return "It gave steps, and no SOP of the current release stands for them: they wait for the next run."
    words = REASONS.get(row["reason"])
    return words[0].format(**_figures(row)) if words else f"Its reason: {row['reason']}."


def _ways_out(row: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What a writer of the thread, and whoever runs the workspace, can do."""
    figures = _figures(row)
    if row["outcome"] is None and row["readable"]:
        yield {"for": "operator", "do": "run `precipitate run`"}
    if row["outcome"] == "abstained" and row["reason"] in REASONS:
        yield {"for": "writer", "do": REASONS[row["reason"]][1].format(**figures)}
        if row["reason"] in OPERATOR and "threshold_bp" in row["report"]:
            yield {"for": "operator", "do": OPERATOR[row["reason"]].format(**figures)}
    if row["procedures"] and "threshold_bp" in row["report"]:
        yield {"for": "operator", "do": EMITTED.format(**figures)}


def _where(post: Mapping[str, Any] | None, identifier: str) -> dict[str, Any]:
    """Who and where; empty strings for a post that was taken back since."""
    known = post or {"number": None, "author": "", "handle": "", "permalink": "", "created": ""}
    return {"post": identifier, **{key: known[key] for key in ("number", "author", "handle", "permalink", "created")}}


def _quoted(span: Mapping[str, Any], posts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """A stored span with its words; None where the post was taken back since."""
    post = posts.get(span["post"])
    if post is None or not (exact := post["plain"][span["start"] : span["end"]]):
        return None
    return {**_where(post, span["post"]), **{key: span[key] for key in span if key != "post"}, "exact": exact}


def _scaffold(stored: Mapping[str, Any] | None, posts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    if not stored:
        return None
    candidates = [
        {**_where(posts.get(entry["post"]), entry["post"]), "weight": entry["weight"], "steps": entry["steps"]}
        for entry in stored["candidates"]
    ]
    return {
        **_where(posts.get(stored["post"]), stored["post"]),
        "steps": stored["steps"],
        "added": stored["added"],
        "candidates": candidates,
    }


def _gate(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The gate's score, and the facts that made it, in words; log-odds × 10,000."""
    if "gate_bp" not in report:
        return None
    odds = report.get("odds")
    told = {**odds, "facts": [{**fact, "words": in_words(fact["fact"], fact["above"])} for fact in odds["facts"]]} if odds else None
    return {"score_bp": report["gate_bp"], "threshold_bp": report.get("threshold_bp"), "odds": told}


def _sop(record: Mapping[str, Any], thread: str, surety: Mapping[tuple[str, int, int], int], titles: Mapping[str, str]) -> dict[str, Any]:
    """An SOP as it stands to this thread: `origin` is the thread whose words came first, the others hold copies of it."""
    first = min((c["created"], c["thread"]) for step in record["steps"] for c in step["citations"])
    return {
        **{key: record[key] for key in ("id", "version", "title")},
        "origin": first[1],
        "copies": [other for other in record["threads"] if other != first[1]],
        "alternatives": [{"id": other, "title": titles.get(other, "")} for other in record["alternatives"]],
        "steps": [_step(step, thread, surety) for step in record["steps"]],
        "stances": [
            {"kind": stance["kind"], "step": stance["step"], "citation": stance["citation"]} for stance in record["stances"]
        ],
    }  # fmt: skip


def _step(step: Mapping[str, Any], thread: str, surety: Mapping[tuple[str, int, int], int]) -> dict[str, Any]:
    """`bp`: how sure its reader was of this step, null where its words stand in another thread."""
    sure = [bp for c in step["citations"] if (bp := surety.get((c["post"], c["start"], c["end"]))) is not None]
    here = [c for c in step["citations"] if c["thread"] == thread]
    return {
        **{key: step[key] for key in ("n", "text", "flags", "support", "dissent")},
        "bp": max(sure, default=None),
        "voices": len({c["author"] for c in step["citations"]}),
        "said_here": [{key: c[key] for key in ("role", "post", "handle", "permalink", "start", "end", "exact")} for c in here],
    }


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


# --- as text ----------------------------------------------------------------------------------------------------------


def render_explanation(told: Mapping[str, Any]) -> str:
    lines = [*wrap(told["title"], "", ""), f"{clean(told['id'])} · {clean(told['permalink'])}", ""]
    lines += wrap(told["verdict"], "", "")
    for way in told["ways_out"]:
        lines += wrap(way["do"], {"writer": "→ for its writers: "}.get(way["for"], "→ for the operator: "), "  ")
    lines += ["", *wrap(_seen(told), "Seen: ", "  ")]
    lines += [*_gate_lines(told["gate"]), *_scaffold_lines(told["scaffold"]), *_sequence_lines(told["sequences"])]
    lines += [line for sop in told["sops"] for line in _sop_lines(sop, told["id"])]
    if told["surest"]:
        lines += ["", "Most like a step, as sure as the reader was of it:"]
        lines += [line for entry in told["surest"][:SHOWN] for line in _quote_lines(entry, f"{percent(entry['bp']):>7}  ")]
    return "\n".join(lines).rstrip() + "\n"


def _seen(told: Mapping[str, Any]) -> str:
    parts = [
        f"{_count(told['posts'], 'post')}, {told['readable']:,} readable"
        if told["readable"] != told["posts"]
        else _count(told["posts"], "post")
    ]
    if told["outcome"] is not None:
        parts += [
            f"{_count(told['passages_seen'], 'passage')}, {told['passages_scored']:,} of them read closely by the model",
            f"{told['micros'] / 1e6:.3f} s",
        ]
        left_out = told["report"].get("left_out_passages", 0)
        parts += [f"{left_out:,} passages left out, their posts are too long"] if left_out else []
        foreign = told["report"].get("other_language_posts", 0)
        parts += [f"{_count(foreign, 'post')} in other languages left out"] if foreign and told["language"] == "en" else []
        parts += [{"en": "in English", "other": "not in English"}[told["language"]]] if told["language"] in ("en", "other") else []
    return "; ".join(parts) + "."


def _quote_lines(entry: Mapping[str, Any], mark: str) -> Iterator[str]:
    yield from wrap(f"“{entry['exact']}”", mark, " " * len(mark))
    yield f"{' ' * len(mark)}{clean(entry['handle'])}, {clean(entry['permalink'])}"


def _gate_lines(gate: Mapping[str, Any] | None) -> Iterator[str]:
    if gate is None or gate["odds"] is None:
        return
    threshold = gate["threshold_bp"]
    yield from wrap(
        f"{percent(gate['score_bp'])} sure that this is a procedure, {'passed' if gate['score_bp'] >= threshold else 'not passed'} "
        f"(distill.thread_threshold_bp = {threshold}).",
        "Gate: ",
        "  ",
    )
    odds = gate["odds"]
    yield from wrap("in log-odds; they overlap, and only their sum counts:", "  What made it, ", "  ")
    yield f"  {odds['start'] / 10_000:+7.2f}  where every thread starts"
    for fact in odds["facts"]:
        yield from wrap(fact["words"], f"  {fact['adds'] / 10_000:+7.2f}  ", " " * 11)
    yield f"  {odds['rest'] / 10_000:+7.2f}  all other facts"
    yield f"  {odds['total'] / 10_000:+7.2f}  in all"


def _scaffold_lines(scaffold: Mapping[str, Any] | None) -> Iterator[str]:
    if scaffold is None:
        return
    yield from wrap(
        f"{_post(scaffold)}: of all posts its surest passages weigh most. {_count(scaffold['steps'], 'passage')} of it "
        f"and {scaffold['added']:,} of other posts were sure enough to be steps.",
        "Skeleton: ",
        "  ",
    )
    for entry in scaffold["candidates"]:
        if entry["post"] != scaffold["post"]:
            yield from wrap(f"{_post(entry)}, {_weight(entry, scaffold)}", "  rather than ", "    ")


def _weight(entry: Mapping[str, Any], scaffold: Mapping[str, Any]) -> str:
    best = next((other["weight"] for other in scaffold["candidates"] if other["post"] == scaffold["post"]), 0)
    return f"which weighs {percent(10_000 * entry['weight'] // best)} of that" if best else "which weighs as little"


def _post(entry: Mapping[str, Any]) -> str:
    if not entry["permalink"]:
        return f"{clean(entry['post'])} (taken back since)"
    number = f"post {entry['number']}" if entry["number"] else "the post"
    return f"{number} by {clean(entry['handle'])} ({clean(entry['permalink'])})"


def _sequence_lines(sequences: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for entry in sequences[1:]:  # the first is the skeleton, and the gate's verdict on it stands above
        verdict = f"left out: {entry['reason']}" if entry["reason"] else "an SOP of its own"
        yield from wrap(f"{_post(entry)}, {_count(entry['steps'], 'step')}, gate {percent(entry['gate_bp'])}: {verdict}", "Rival: ", "  ")


def _sop_lines(sop: Mapping[str, Any], thread: str) -> Iterator[str]:
    yield ""
    yield from wrap(sop["title"], f"{clean(sop['id'])} (version {sop['version']}): ", "  ")
    if sop["origin"] != thread:
        yield from wrap(f"{sop['origin']} said it first; what stands here is a copy, which confirms and earns nothing.", "  ", "  ")
    for other in sop["copies"]:
        if other != thread:
            yield from wrap(f"also in {other}, as a copy", "  ", "  ")
    for step in sop["steps"]:
        sure = [percent(step["bp"])] if step["bp"] is not None else []
        elsewhere = [] if step["said_here"] else ["said elsewhere"]
        facts = [*sure, f"{step['support']} for, {step['dissent']} against", *elsewhere, *map(clean, step["flags"])]
        yield from wrap(f"{step['text']} [{' · '.join(facts)}]", f"  {step['n']:>2}. ", "      ")
    if sop["stances"]:
        yield "  Heard of it:"
    for stance in sop["stances"]:
        of = f"of step {stance['step']}" if stance["step"] else "of the whole"
        yield from _quote_lines(stance["citation"], f"    {STANCES.get(stance['kind'], stance['kind'])} {of}: ")
    for other in sop["alternatives"]:
        yield from wrap(f"{other['id']} {other['title']}", "  another way to the same goal: ", "    ")
