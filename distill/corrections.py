"""Corrections: a later post says what a step should say instead, and the step's text follows; the old one stays visible.

Only where the words leave no doubt: the passage names what is replaced ("21 days, not 14", "use X instead of Y") or says
the quoted words again with another name ("fill in form G4 instead"), and what is replaced stands in the step. Who corrects a step of another is followed only where the step's author gives way in answer, or
where two others agree. Else the passage stays an amendment beside the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from distill.amend import DraftStance, DraftStep, Statement, quotes_above
from distill.polarity import negations
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredThread
from distill.steptext import Clause, injects, risk_flags, step_text

_NAMED = r"(?P<{}>[\"“'`‘]?[^\s.;:!?][^.;:!?\n\"”]{{0,60}}?)[\"”'`’]?"
_END = r"(?=\s*(?:[.;:!?,)\n]|$|\bas\b|\bfor\b|\bin\b|\bbecause\b|\bsince\b|\bto\b|\bwhen\b|\bif\b))"
_SAYS_NO = r"(?!(?:only|just|merely|simply|because|sure|as|that|to|so|all|every|always)\b)"  # "not only X but Y" replaces nothing
_REPLACES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\b(?:use|be|is|are|needs?|takes?|run|set|choose|pick|to)\s+(?:the\s+)?" + _NAMED.format("new") + r",?\s+(?:instead of|rather than|and not|not)\s+" + _SAYS_NO + r"(?:the\s+)?" + _NAMED.format("old") + _END,
        r"\b(?:replace|change|swap)\s+(?:the\s+)?" + _NAMED.format("old") + r"\s+(?:with|by|to|for)\s+(?:the\s+)?" + _NAMED.format("new") + _END,
        r"\b(?:instead of|rather than)\s+(?:the\s+)?" + _NAMED.format("old") + r",\s+(?:you (?:should|must|need to)\s+)?(?:use|run|set|choose|pick|take)\s+(?:the\s+)?" + _NAMED.format("new") + _END,
        r"\bnot\s+" + _SAYS_NO + r"(?:the\s+)?" + _NAMED.format("old") + r",?\s+but\s+(?:rather\s+)?(?:the\s+)?" + _NAMED.format("new") + _END,
    )
)  # fmt: skip
_GIVES_WAY = re.compile(
    r"\b(?:good (?:catch|point|call|idea)|you(?:['’]re| are) (?:absolutely |completely )?right|thanks|thank you|fixed|corrected|updated|changed (?:it|that)|edited|my mistake|my bad|indeed|agreed|well spotted)\b",
    re.I,
)
_SECONDS = re.compile(
    r"\b(?:i agree|agreed|\+1|(?:that|this|it)(?:['’]s| is) (?:right|correct)|is right|makes sense|confirmed|worked)\b|(?:^|\s)\+1\b", re.I
)
_REFUSES = re.compile(r"\b(?:disagree|not (?:right|correct|true|needed)|(?:no|nope),|wrong|(?:do not|don['’]t) (?:agree|think))", re.I)
# Words that stand for nothing which could be replaced: "have to rely" is no correction of every "have".
_EMPTY = frozenset(
    "a an the this that these those it its they them their we us our you your i me my he she his her who which what and or but if when then than as of in on at by for from to with without into "
    "is are was were be been being am do does did done have has had having can could will would shall should may might must need not no only just also even so very really more most less least "
    "some any all each every one ones other others such same get got go going make makes take takes use uses using them there here now".split()
)
_CONTENT = re.compile(r"\w+")
_INSTEAD = re.compile(r"\binstead\b(?=\s*(?:[.,;:!)]|$))", re.I)
_NAME = re.compile(r"\w*[A-Z\d]\w*")
MOST_WORDS = 8  # of what replaces and what is replaced: longer is an argument, not a correction
SECONDS = 2  # others whose agreement stands for the author's


@dataclass(frozen=True, slots=True)
class Correction:
    """A passage that replaces words of a step; the step's text was made of its own words and these."""

    step: int
    place: Place
    clause: Clause
    text: str


def correct_steps(scored: ScoredThread, steps: Sequence[DraftStep], stances: list[DraftStance]) -> dict[int, Correction]:
    """Step → the last correction that was accepted; those that were not are added to `stances` as amendments."""
    texts = [_text_of(scored, step) for step in steps]
    accepted: dict[int, Correction] = {}
    for place, new, old, clause in _replacements(scored):
        step = _corrected_step(scored, steps, texts, place, old)
        if step is None:
            continue
        changed = _substitute(accepted[step].text if step in accepted else texts[step], old, new)
        if changed is None or set(risk_flags(changed)) - set(risk_flags(texts[step])):
            continue
        harmless = not risk_flags(texts[step]) and negations(changed) == negations(texts[step])
        if _is_accepted(scored, steps[step], place, by_others=harmless):
            accepted[step] = Correction(step, place, clause, changed)
        if _author(scored, place) != _author(scored, _first(steps[step])):
            _amends(stances, step, place)
    return accepted


def _amends(stances: list[DraftStance], step: int, place: Place) -> None:
    """See that the correction stands beside its step, also where it was heard as a word on the whole."""
    for stance in stances:
        first, last = stance.span or (stance.place.passage, stance.place.passage)
        if stance.place.post == place.post and first <= place.passage <= last:
            if stance.kind == "amendment" and stance.step is None:
                stance.step = step
            return
    stances.append(DraftStance("amendment", step, place))


def _replacements(scored: ScoredThread) -> Iterator[tuple[Place, str, str, Clause]]:
    for number, post in enumerate(scored.posts):
        for index, passage in enumerate(post.read.passages):
            if len(passage.text) > 400 or injects(passage.text):
                continue
            for pattern in _REPLACES:
                found = pattern.search(passage.text)
                if (
                    found
                    and _names_something(found["old"])
                    and _names_something(found["new"])
                    and max(len(found[name].split()) for name in ("new", "old")) <= MOST_WORDS
                ):
                    yield Place(number, index), found["new"].strip(), found["old"].strip(), Clause(0, len(passage.text))
                    break
            else:
                renewed = _renewed(scored, Place(number, index))
                if renewed:
                    yield Place(number, index), *renewed, Clause(0, len(passage.text))


def _renewed(scored: ScoredThread, place: Place) -> tuple[str, str] | None:
    """(new, old) where a passage says the start of what it quotes again, up to one name, with "instead" behind it."""
    post = scored.posts[place.post]
    passage = post.passage(place.passage)
    instead = _INSTEAD.search(passage.text)
    *same, new = _CONTENT.findall(passage.text[: instead.start()]) or [""] if instead else [""]
    if len(same) < 2 or not _NAME.fullmatch(new):
        return None
    wanted = [word.lower() for word in same]
    for quote in quotes_above(post.read, passage):
        words = _CONTENT.findall(quote)
        for start in range(len(words) - len(same)):
            old = words[start + len(same)]
            if (
                [word.lower() for word in words[start : start + len(same)]] == wanted
                and _NAME.fullmatch(old)
                and old.lower() != new.lower()
            ):
                return new, old
    return None


def without_renewed(scored: ScoredThread, part: Scaffold) -> Scaffold:
    """The sequence without additions that only renew a quoted step: they correct it and are no step beside it."""
    stated = [scored.posts[place.post].passage(place.passage).text for place in part.steps]

    def renews(place: Place) -> bool:
        renewed = _renewed(scored, place)
        return renewed is not None and sum(_substitute(text, renewed[1], "") is not None for text in stated) == 1

    return replace(part, added=tuple(place for place in part.added if not renews(place)))


def _names_something(words: str) -> bool:
    return any(word.lower() not in _EMPTY for word in _CONTENT.findall(words))


def _corrected_step(scored: ScoredThread, steps: Sequence[DraftStep], texts: Sequence[str], place: Place, old: str) -> int | None:
    """The only step, said before the passage, that holds the replaced words; None where there is none or more than one."""
    holding = [
        index
        for index, step in enumerate(steps)
        if step.statements[0].place.post < place.post
        and all(statement.place != place for statement in step.statements)
        and _substitute(texts[index], old, "") is not None
    ]
    return holding[0] if len(holding) == 1 else None


def _substitute(text: str, old: str, new: str) -> str | None:
    """`text` with the one place that says `old` saying `new`; None where it stands nowhere or more than once."""
    marks = list(re.finditer(rf"(?<!\w){re.escape(old)}(?!\w)", text, re.I))
    if len(marks) != 1 or not _CONTENT.search(old):
        return None
    start, end = marks[0].span()
    return text[:start] + new + text[end:]


def _is_accepted(scored: ScoredThread, step: DraftStep, place: Place, by_others: bool) -> bool:
    """Whether the step's author corrects their own words or gives way, or enough others agree and nobody refuses.

    Not `by_others` where the step moves money or runs commands, or would come to say the contrary: a handful of accounts
    is cheap, an address is not.
    """
    author, corrector = _author(scored, _first(step)), _author(scored, place)
    if author == corrector:
        return True
    correcting = scored.posts[place.post].read.post
    agreeing: set[str] = set()
    for number in range(place.post + 1, len(scored.posts)):
        answer = scored.posts[number].read.post
        if answer.reply_to != correcting.id and not (answer.reply_to is None and number == place.post + 1):
            continue
        said = answer.plain[:600]
        if _REFUSES.search(said):
            return False
        if answer.author == author and _GIVES_WAY.search(said):
            return True
        if answer.author not in (author, corrector) and _SECONDS.search(said):
            agreeing.add(answer.author)
    return by_others and len(agreeing) >= SECONDS


def _text_of(scored: ScoredThread, step: DraftStep) -> str:
    lead = step.statements[0]
    text = scored.posts[lead.place.post].passage(lead.place.passage).text
    return step_text(text[lead.clause.start : lead.clause.end], step.frame)


def _first(step: DraftStep) -> Place:
    return min(step.statements, key=Statement.sort_key).place


def _author(scored: ScoredThread, place: Place) -> str:
    return scored.posts[place.post].read.post.author
