"""Human feedback for reward models: of two answers to one question, the one that people preferred, with receipts.

Rows have the shape that preference trainers take (`prompt`, `chosen`, `rejected` as strings, other columns left alone).
Where they come from, surest first:

accepted    the answer that was marked as the solution, over other answers of the thread
outcome     an answer of which somebody else said in a reply that it worked, over one that stood there by then and of
            which nobody did
correction  a step as it was corrected, over the step as it was
amendment   a correction of a step that says the step again with something changed, over the step's words
dissent     an objection that stood, over the step that it objects to: more against the step than for it, and its author
            never answered. The objection must say what to do instead.
votes       of two answers, the later one where clearly more voices are for it. Who comes later had less time to be seen,
            so having more voices is a fact about the answer (as in the Stanford Human Preferences data set).

"Clearly": at least CLEAR_VOICES voices, and CLEAR_TIMES as many as the other answer has. A voice is an account that likes
the post or whose support the SOPs cite, once per post, never its author. Where a network only counts likes, the count is
taken: it lets an account like a post once, and not its own.

Only an author's own words are used, never what a post quotes. An answer is used whole or not at all: people preferred all
of it, and a part of it may say something else. So answers longer than a short quote are used only where the source's
licence lets bodies be passed on; of the question, the beginning is enough. Every chosen and rejected text is the lines
of its receipts' `exact`, or for a correction a step's text; receipts hold post, author, permalink and span of every word.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from index.discussions import discussions
from index.errors import UnknownName
from index.plain import blocks_from_json
from index.snapshot import Snapshot
from publish.exports import Files

SCHEMA = "precipitate/preference/1"
KINDS = ("accepted", "outcome", "correction", "amendment", "dissent", "votes")
# Nothing that a release quotes was longer (554 characters among 4,600 citations of three forums): bodies are not passed
# on, so neither is more of an answer than a release might quote of it.
SHORT_QUOTE = 600
LONGEST = 4000  # characters, where the licence allows whole posts
BRIEF_QUESTION = 100  # words
LEAST_WORDS = 8  # "Thanks, works!" is no answer
MOST_PAIRS = 3  # of one kind from one thread: a long thread must not outweigh the others
CLEAR_VOICES, CLEAR_TIMES = 3, 2
RESTATES = 5  # tenths of a step's words (of four letters and more) that an amendment or objection has to take up

Row = dict[str, Any]
Post = dict[str, Any]

_OPEN = re.compile(r"\b(?:cc0|cc[- ]by(?:[- ]sa)?|public domain|pddl|odbl|mit|apache)\b", re.I)
_FORBIDS = re.compile(
    r"\b(?:nd|no[- ]?deriv\w*|all rights reserved|proprietary|confidential|no[- ]?(?:ai|ml|training|tdm)|tdm[- ]?reserv\w*)\b", re.I
)
_NOT_FOR_ALL = re.compile(r"\b(?:nc|non[- ]?commercial)\b", re.I)  # whoever takes the file may not be one who may
_ASKS = re.compile(
    r"^(?:how (?:to|do|does|did|can|could|should|would|is|are|many|much|often|long)|(?:what|why|where|when|which|who)(?: is| are| do| does| did| can| should|['’]s)"
    r"|(?:can|could|is|are|does|do|should|has|have) (?:i|we|you|it|there|this|that|the|any\w*)|any(?:one|body)|(?:need )?help)\b",
    re.I,
)
_WORKED = re.compile(
    r"\b(?:(?:that|this|it|which|your (?:fix|solution|answer|suggestion|steps?))(?: has| have|['’]s)?(?: now| just| all)? (?:worked|works|fixed (?:it|this|the)|solved (?:it|this|the|my)|did (?:it|the trick))"
    r"|(?:worked|works) (?:for me|perfectly|like a charm|now|great|fine)|did the trick|problem solved|solved my)\b",
    re.I,
)
_UNSURE = re.compile(r"\b(?:if|not|never|hardly|would|could|hope|wish|whether|until|unless|but)\b|n['’]t\b|\?", re.I)
_INSTEAD = re.compile(
    r"\b(?:instead|rather than|better to|(?:should|must|need to|have to|please|just|only|first) \w+|make sure|use \w+|no longer|has (?:changed|moved)|correct\w*)\b",
    re.I,
)
_HEDGED = re.compile(
    r"\?|\b(?:i|we|my|me|our)\b|\b(?:maybe|perhaps|might|could|would|seems?|wonder\w*|think|guess|probably|not sure)\b|^(?:if|while|although|however)\b",
    re.I,
)
_INJECTED = re.compile(
    r"\b(?:ignore|disregard|forget) (?:all |any )?(?:the |your |of the )?(?:previous|prior|above|earlier) (?:instructions?|prompts?)\b",
    re.I,
)
_MENTION = re.compile(r"(?:^|(?<=[\s(]))@([\w.-]*\w)")
_ANSWERS_NOT = re.compile(r"\b(?:same (?:problem|issue|question|here)|any (?:news|update)|following|bump)\b", re.I)


@dataclass(slots=True)
class Preferences:
    """Rows in order of kind, thread and post, and what was left out, counted by reason."""

    rows: list[Row]
    left_out: Counter[str] = field(default_factory=Counter)

    def notes(self) -> list[str]:
        """What to tell beside the rows: nothing is left out silently."""
        told = Counter(row["kind"] for row in self.rows)
        counts = ", ".join(f"{told[kind]} {kind}" for kind in KINDS if told[kind])
        none = "no preference found: no accepted answer, correction, outcome or clear vote among what was read"
        return [f"{len(self.rows):,} rows: {counts}" if self.rows else none] + [
            f"left out: {count:,} × {reason}" for reason, count in sorted(self.left_out.items())
        ]


def preferences(snapshot: Snapshot) -> Preferences:
    """All preferences of a release, in a fixed order."""
    records = list(snapshot.records([row["id"] for row in snapshot.procedures()]).values())
    licences = {source["id"]: source["licence"] for source in snapshot.sources()}
    found = Preferences([])
    rows = [*_of_threads(snapshot, _supporters(records), found.left_out), *_of_steps(snapshot, records, licences, found.left_out)]
    found.rows = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
    return found


# --- texts and receipts -----------------------------------------------------------------------------------------------


def longest_quote(licence: str | None) -> int:
    """How many characters of a post may be passed on under a licence: 0 where it forbids."""
    if licence and _FORBIDS.search(licence):
        return 0
    open_ = licence and _OPEN.search(licence) and not _NOT_FOR_ALL.search(licence)
    return LONGEST if open_ else SHORT_QUOTE


def own_words(post: Post) -> list[tuple[int, int]]:
    """Spans of all blocks that are the author's own, code and tables too: not quotes, nor what an address unfolds to."""
    spans = [(b.start, b.end) for b in blocks_from_json(post["blocks"]) if b.kind not in ("quote", "embed")]
    return [span for span in spans if post["plain"][span[0] : span[1]].strip()]


def beginning(post: Post, most: int) -> list[tuple[int, int]]:
    """The first of these spans, whole ones, at most `most` characters. A line that leads to what is cut off goes with it; a
    first one that is too long by itself is cut behind its last whole sentence."""
    spans, room = own_words(post), most
    for place, (start, end) in enumerate(spans):
        if end - start > room:
            stop = 0 if place else _last_sentence(post["plain"], start, start + room)
            kept = spans[:place] or ([(start, stop)] if stop else [])
            while kept and post["plain"][: kept[-1][1]].endswith((":", "：")):
                kept = kept[:-1]
            return kept
        room -= end - start
    return spans


def _last_sentence(text: str, start: int, end: int) -> int:
    """End of the last sentence that ends in text[start:end]; 0 where none does."""
    ends = [match.end() for match in re.finditer(r"[.!?…](?=\s)", text[start : end + 1])]
    return start + ends[-1] if ends and start + ends[-1] <= end else 0


def _receipt(side: str, post: Mapping[str, Any], start: int, end: int, exact: str, licence: str | None, note: str) -> Row:
    """The same keys and types in every row: loaders of JSON lines insist on it. `side`: which text it is a receipt for."""
    return {
        "side": side,
        "post": post["id"] if "id" in post else post["post"],
        "thread": post["thread"],
        "author": post["author"],
        "handle": post["handle"],
        "permalink": post["permalink"],
        "created": post["created"],
        "start": start,
        "end": end,
        "exact": exact,
        "licence": licence or "unknown",
        "note": note,
    }


def _receipts(side: str, post: Post, spans: Sequence[tuple[int, int]], licence: str | None, note: str) -> list[Row]:
    return [_receipt(side, post, start, end, post["plain"][start:end], licence, note) for start, end in spans]


def _row(kind: str, why: str, prompt: str, receipts: Sequence[Row], chosen: str = "", rejected: str = "") -> Row:
    texts = {side: "\n".join(r["exact"] for r in receipts if r["side"] == side) for side in ("prompt", "chosen", "rejected")}
    return {
        "schema": SCHEMA,
        "kind": kind,
        "prompt": "\n\n".join(part for part in (prompt, texts["prompt"]) if part),
        "chosen": chosen or texts["chosen"],
        "rejected": rejected or texts["rejected"],
        "why": why,
        "receipts": list(receipts),
    }


def _unfit(row: Row) -> str:
    """Why a row must not be trained on; "" where it may be."""
    chosen, rejected = (" ".join(row[side].casefold().split()) for side in ("chosen", "rejected"))
    if not chosen or not rejected:
        return "an empty answer"
    if chosen in rejected or rejected in chosen:
        return "one answer quotes the other"
    if _INJECTED.search(row["prompt"]) or _INJECTED.search(row["chosen"]):
        return "an instruction to whoever reads it by machine"  # as the answer refused it may stand: it was refused
    authors = {side: {r["author"] for r in row["receipts"] if r["side"] == side} for side in ("chosen", "rejected")}
    return "both answers are by one author" if authors["chosen"] == authors["rejected"] and row["kind"] in ("votes", "outcome") else ""


# --- answers of a thread ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    thread: Mapping[str, Any]
    asks: Post
    answers: list[Post]
    room: int  # characters of a post that may be passed on


def _of_threads(snapshot: Snapshot, supporters: Mapping[str, set[str]], left_out: Counter[str]) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for thread in discussions(snapshot):
        question = _question(thread)
        if question is None:
            continue
        made: Counter[str] = Counter()
        for kind, why, better, worse, proof in [*_accepted(question), *_outcomes(question), *_votes(question, supporters)]:
            if not question.room:
                left_out["a source whose licence forbids it"] += 1
            elif max(len(_text(better)), len(_text(worse))) > question.room:
                left_out["an answer longer than may be quoted"] += 1
            elif made[kind] >= MOST_PAIRS:
                left_out[f"more than {MOST_PAIRS} of one kind from one thread"] += 1
            else:
                row = _answers_row(question, kind, why, better, worse, proof)
                if reason := _unfit(row):
                    left_out[reason] += 1
                    continue
                made[kind] += 1
                yield (KINDS.index(kind), thread["id"], better["number"] or 0, worse["number"] or 0, better["id"], worse["id"]), row


def _question(thread: Mapping[str, Any]) -> Question | None:
    """A thread that asks something, with the posts of others that answer its opening post: one with a marked solution, with
    a title that asks, or a short opening post that ends with a question (announcements end with "what do you think?", too)."""
    asks, *rest = thread["posts"]
    title, said = thread["title"].strip(), _text(asks).rstrip()
    asks_in_title = title.endswith("?") or (bool(_ASKS.match(title)) and "?" in said)  # "How to …" may be a guide
    briefly = said.endswith("?") and len(said.split()) <= BRIEF_QUESTION
    if not (thread["accepted_post"] or asks_in_title or briefly):
        return None
    answers = [post for post in rest if post["author"] != asks["author"] and _answers(post, asks, thread["accepted_post"])]
    return Question(thread, asks, answers, longest_quote(thread["licence"]))


def _answers(post: Post, asks: Post, accepted: str | None) -> bool:
    """Whether a post answers the opening post: said to it rather than to somebody else, long enough, and no question."""
    if post["id"] == accepted:
        return True
    said = _text(post)
    direct = post["reply_to"] in (None, asks["id"])
    answers = len(said.split()) >= LEAST_WORDS and not said.rstrip().endswith("?") and not _ANSWERS_NOT.search(said)
    elsewhere = {name.casefold() for name in _MENTION.findall(said)} - {asks["handle"].casefold()}
    return direct and answers and not elsewhere


def _text(post: Post) -> str:
    return "\n".join(post["plain"][start:end] for start, end in own_words(post))


def _answers_row(question: Question, kind: str, why: str, better: Post, worse: Post, proof: Sequence[Row]) -> Row:
    licence = question.thread["licence"]
    receipts = [
        *_receipts("prompt", question.asks, beginning(question.asks, question.room), licence, "the question"),
        *_receipts("chosen", better, own_words(better), licence, "the answer preferred"),
        *_receipts("rejected", worse, own_words(worse), licence, "the other answer"),
        *proof,
    ]
    return _row(kind, why, question.thread["title"], receipts)


Pair = tuple[str, str, Post, Post, list[Row]]  # kind, why, chosen, rejected, receipts of the preference itself


def _accepted(question: Question) -> Iterator[Pair]:
    best = next((post for post in question.answers if post["id"] == question.thread["accepted_post"]), None)
    if best is None:
        return
    length = len(best["plain"])
    # Nearest in length first: what is to be learnt is not that longer answers are better.
    for other in sorted(question.answers, key=lambda post: (abs(len(post["plain"]) - length), post["id"])):
        if other["id"] != best["id"] and other["author"] != best["author"]:
            yield "accepted", f"{best['handle']}'s answer was marked as the solution of the thread", best, other, []


def _outcomes(question: Question) -> Iterator[Pair]:
    reports = {post["id"]: report for post in question.answers if (report := _worked(question, post))}
    for better in question.answers:
        if better["id"] not in reports:
            continue
        told, start, end = reports[better["id"]]
        others = [
            p for p in question.answers if p["id"] not in reports and p["author"] != better["author"] and p["created"] <= told["created"]
        ]
        proof = _receipts("proof", told, [(start, end)], question.thread["licence"], "says that it worked")
        for other in sorted(others, key=lambda post: (abs(len(post["plain"]) - len(better["plain"])), post["id"])):
            yield "outcome", f"{told['handle']} replied to {better['handle']}'s answer that it worked", better, other, proof


def _worked(question: Question, answer: Post) -> tuple[Post, int, int] | None:
    """The first reply to an answer, by somebody else, of which a sentence says that it worked, and that sentence's span."""
    for post in question.thread["posts"]:
        if post["reply_to"] == answer["id"] and post["author"] != answer["author"]:
            for begin, stop in own_words(post):
                for sentence in re.finditer(r"[^.!?\n]+[.!?]*", post["plain"][begin:stop]):
                    if _WORKED.search(sentence[0]) and not _UNSURE.search(sentence[0]):
                        trimmed = len(sentence[0]) - len(sentence[0].lstrip())
                        return post, begin + sentence.start() + trimmed, begin + sentence.end()
    return None


def _votes(question: Question, supporters: Mapping[str, set[str]]) -> Iterator[Pair]:
    voices = {post["id"]: _voices(post, supporters.get(post["id"], set())) for post in question.answers}
    pairs = [
        (better, worse)
        for worse, better in itertools.combinations(question.answers, 2)
        if better["created"] > worse["created"] and voices[better["id"]] >= max(CLEAR_VOICES, CLEAR_TIMES * voices[worse["id"]])
    ]
    pairs.sort(key=lambda pair: (voices[pair[1]["id"]] - voices[pair[0]["id"]], pair[0]["id"], pair[1]["id"]))
    for better, worse in pairs:
        counts = f"{voices[better['id']]} voices for it, {voices[worse['id']]} for {worse['handle']}'s, which was there before it"
        yield "votes", f"{better['handle']}'s answer: {counts}", better, worse, []


def _voices(post: Post, supporters: set[str]) -> int:
    """Distinct accounts for a post. Unnamed likes may be those of named supporters: the larger number counts, not the sum."""
    named = (set(post["likers"]) | supporters) - {post["author"]}
    return max(len(named), int(post["unnamed"]) + len(set(post["likers"]) - {post["author"]}))


def _supporters(records: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Post → who supports the steps that it states, as the SOPs cite it."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        stated = {step["n"]: step["first_said_in"] for step in record["steps"]}
        for stance in record["stances"]:
            if stance["kind"] == "support" and stance["step"] in stated:
                found[stated[stance["step"]]].add(stance["citation"]["author"])
    return found


# --- steps of SOPs ----------------------------------------------------------------------------------------------------


def _of_steps(
    snapshot: Snapshot, records: Sequence[Mapping[str, Any]], licences: Mapping[str, str | None], left_out: Counter[str]
) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for record in records:
        made: Counter[str] = Counter()
        live = snapshot.posts(sorted({c["post"] for c in _cited(record)}))
        for kind, step, row in [
            *_corrections(record, licences),
            *_amendments(record, licences, left_out),
            *_dissents(record, licences, live),
        ]:
            sources = {r["thread"].rsplit("/t/", 1)[0] for r in row["receipts"]}
            if any(longest_quote(licences.get(source)) == 0 for source in sources):
                left_out["a source whose licence forbids it"] += 1
            elif any(r["post"] not in live for r in row["receipts"]):
                left_out["a post that was taken back"] += 1
            elif reason := _unfit(row):
                left_out[reason] += 1
            elif made[kind] >= MOST_PAIRS:
                left_out[f"more than {MOST_PAIRS} of one kind from one SOP"] += 1
            else:
                made[kind] += 1
                first = row["receipts"][0]
                yield (KINDS.index(kind), record["id"], step, made[kind], first["post"], row["chosen"]), row


def _cited(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for step in record["steps"] for c in step["citations"]] + [stance["citation"] for stance in record["stances"]]


def _asked(record: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    """What a step answers: the SOP's title, and the step before it."""
    before = next((other["text"] for other in record["steps"] if other["n"] == step["n"] - 1), "")
    return f"{record['title']}\n\n" + (f"This is done: {before}\nWhat is to be done next?" if before else "What is to be done first?")


def _citation_receipts(side: str, citations: Iterable[Mapping[str, Any]], licences: Mapping[str, str | None], note: str) -> list[Row]:
    return [_receipt(side, c, c["start"], c["end"], c["exact"], licences.get(c["thread"].rsplit("/t/", 1)[0]), note) for c in citations]


Made = tuple[str, int, Row]


def _corrections(record: Mapping[str, Any], licences: Mapping[str, str | None]) -> Iterator[Made]:
    for step in record["steps"]:
        if step["previous_text"]:
            proof = _citation_receipts("proof", step["citations"], licences, "what states the step, before and after")
            heard = [s["citation"] for s in record["stances"] if s["kind"] == "amendment" and s["step"] == step["n"]]
            proof += _citation_receipts("proof", heard, licences, "what corrected it")
            why = f"step {step['n']} was corrected in the discussion"
            yield "correction", step["n"], _row("correction", why, _asked(record, step), proof, step["text"], step["previous_text"])


def _amendments(record: Mapping[str, Any], licences: Mapping[str, str | None], left_out: Counter[str]) -> Iterator[Made]:
    """An amendment that only adds something is no better than the step, just more: those are left out."""
    for step, citation in _stances_of(record, "amendment"):
        if step["previous_text"]:
            continue  # the correction says it already
        if not _says_anew(step, citation):
            left_out["an amendment that does not say the step anew"] += 1
            continue
        why = f"{citation['handle']} amended step {step['n']}"
        yield "amendment", step["n"], _against_step(record, step, citation, "amendment", why, licences)


def _dissents(record: Mapping[str, Any], licences: Mapping[str, str | None], live: Mapping[str, Mapping[str, Any]]) -> Iterator[Made]:
    spoke = {(c["author"], c["created"]) for c in _cited(record)}
    for step, citation in _stances_of(record, "dissent"):
        answered = any(author == step["first_said_by"] and created > citation["created"] for author, created in spoke)
        if step["dissent"] > step["support"] and not answered and _says_anew(step, citation):
            why = f"{citation['handle']} objected to step {step['n']}, {step['dissent']} against and {step['support']} for it, unanswered"
            yield "dissent", step["n"], _against_step(record, step, citation, "dissent", why, licences)


def _stances_of(record: Mapping[str, Any], kind: str) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    steps = {step["n"]: step for step in record["steps"]}
    for stance in record["stances"]:
        if stance["kind"] == kind and stance["step"] in steps and stance["citation"]["author"] != steps[stance["step"]]["first_said_by"]:
            yield steps[stance["step"]], stance["citation"]


def _says_anew(step: Mapping[str, Any], citation: Mapping[str, Any]) -> bool:
    """Whether a stance could stand in the step's place: it says what to do, without hedging, and takes up the step's words."""
    said = citation["exact"]
    wanted, given = _long_words(step["citations"][0]["exact"]), _long_words(said)
    takes_up = bool(wanted) and len(wanted & given) * 10 >= len(wanted) * RESTATES
    return takes_up and bool(_INSTEAD.search(said)) and not _HEDGED.search(said)


def _long_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) >= 4}


def _against_step(
    record: Mapping[str, Any], step: Mapping[str, Any], citation: Mapping[str, Any], kind: str, why: str, licences: Mapping[str, str | None]
) -> Row:
    receipts = [
        *_citation_receipts("chosen", [citation], licences, f"the {kind}"),
        *_citation_receipts("rejected", step["citations"][:1], licences, "the step"),
    ]
    return _row(kind, why, _asked(record, step), receipts)


# --- files ------------------------------------------------------------------------------------------------------------


def preferences_jsonl(rows: Iterable[Row]) -> Files:
    return [("preferences.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))]


def preferences_json(rows: Iterable[Row]) -> Files:
    return [("preferences.json", json.dumps(list(rows), ensure_ascii=False, indent=1) + "\n")]


EXPORTS = {"jsonl": preferences_jsonl, "json": preferences_json}


def export_preferences(snapshot: Snapshot, form: str) -> tuple[Files, list[str]]:
    """The file, and notes on what is in it and what was left out."""
    if form not in EXPORTS:
        raise UnknownName("format of preferences", form, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    found = preferences(snapshot)
    return EXPORTS[form](found.rows), found.notes()
