"""Activities: everything that a passage says is done, by whom, to what. A frame is the main one only; a sentence may hold more.

Shallow like the frames: verb forms from the dictionary, clauses between marks and joining words. Parts are copied or None.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from distill.frames import NOT_IMPERATIVE, OPENER, STATES, TOKEN, is_base_verb, lemmatiser, verb_lemma

Span = tuple[int, int]  # [start, end) in the text
Range = tuple[int, int]  # [first, end) in its words
MOST_WORDS = 300  # and marks of a passage that are read: no sentence is longer, and the work grows with the square


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that somebody does. Parts lie in the text as they stand there; None where the text does not say."""

    lemma: str
    verb: Span  # with its particle: "back up"
    object: Span | None
    actor: Span | None
    party: Span | None  # whom it is sent to or told
    negated: bool


@dataclass(frozen=True, slots=True)
class _Clause:
    """Words between two marks or joining words."""

    first: int
    end: int
    joined: bool  # by "and", "or", "then", a comma: may go on with the verb form and the subject of the clause before
    silent: bool  # a condition, a purpose, what somebody says or thinks: nothing that is done


@dataclass(frozen=True, slots=True)
class _Group:
    """The words of a verb: "has not been sent" is `first` … `head`."""

    first: int
    head: int
    form: str  # base, s, past, ing, passive
    negated: bool


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


_BE = _words("is are was were be been being am")
_HELPERS = _BE | _words("has have had do does did will would shall should can could may might must cannot")
_NOT = _words("not never cannot neither")
_DETERMINERS = _words("the a an this these those its their his her our your my each every all any some no another both either such several")
_PRONOUNS = _words(
    "i you he she it we they who everyone someone somebody anyone anybody nobody himself herself itself themselves him them us me"
)
_PREPOSITIONS = _words(
    "of in on at by for from with to into onto about via through under over within without between during per as than upon against across towards toward except among"
)
_SILENT = _words("if unless whether because although though why how what where whose so that which provided since whereas")
_TIME = _words("when whenever once after before while until")
_JOINING = _words("and or but then otherwise nor plus")
_CATENATIVES = _words(
    "need want try begin start continue have help proceed intend attempt decide fail plan agree manage require ask allow go expect use oblige forget stop finish keep"
)
_NO_ACTIVITY = STATES | _words(
    "have contain include consist depend belong exist remain mean become appear concern follow comprise involve correspond act play end "
    "happen occur differ equal last lie matter own resemble stand need try begin start continue"
)
_PARTICLES = _words("up out off down back away")
_TELLING = _words("inform notify ask contact call tell advise remind invite instruct warn alert phone email consult pay thank")
_NOBODY = _words("it this that these those which what itself")
_WORK = _words("step task process procedure phase stage goal aim job work")  # what is said to do something, and is nobody
_EMPHATIC = _words("himself herself itself themselves then")
_PLURAL = _words("i you we they who people staff")
_SINGULAR = _words("he she it who everyone everybody someone somebody nobody")
_NONE = _words("no nobody none neither")
_STATIVE = _words("interested satisfied concerned based related located situated convinced worried pleased supposed unchanged limited")
_UNCHANGED = _words("put set cut read let hit cast split shut")  # participles that look like their base
_ADVERBS = _words(
    "then also first next now again always often still just only either both finally afterwards instead thus hence sometimes already there even "
    "soon therefore together"
)
_MARKS = frozenset(",;:.!?()–—")
_ENDS_PHRASE = _PREPOSITIONS | _JOINING | _SILENT | _TIME | _HELPERS
_CLOSED = _ENDS_PHRASE | _DETERMINERS | _PRONOUNS | _ADVERBS


@lru_cache(maxsize=100_000)
def _classes(word: str) -> frozenset[str]:
    """What the dictionary says a word can be: NOUN, VERB, ADJ, ADV; nothing for a word it does not know."""
    return frozenset(lemmatiser().getAllLemmas(word))  # type: ignore[attr-defined]


def read_activities(text: str) -> list[Activity]:
    """Everything that a passage says is done, in its order: `read_frame` gives the main one only.

    Reads coordination, passives, chains ("needs to check") and clauses with "when" or "once"; conditions, purposes and
    what somebody says or thinks are no activities. What is said not to be done is one, with `negated`.
    """
    tokens = list(itertools.islice(TOKEN.finditer(text), MOST_WORDS))
    words = _lowered(tokens)
    found: list[Activity] = []
    form, negated = "", False
    actor: Range | None = None
    for clause in _clauses(words):
        group = None if clause.silent else _verb_group(words, clause, form if clause.joined else "")
        if group is None:
            continue
        # "do not open or shake it": what is joined to a verb that is not done is not done either.
        goes_on = clause.joined and group.first == group.head and group.form == form and words[clause.first - 1] in ("and", "or", "nor")
        subject = _subject(words, clause, group)
        negated = group.negated or (negated and goes_on and subject is None) or bool(subject and words[subject[0]] in _NONE)
        form, actor = group.form, subject or (actor if clause.joined else None)
        group = replace(group, negated=negated)
        if made := _activity(tokens, words, group, actor):
            found.append(made)
    return found


def _lowered(tokens: Sequence[re.Match[str]]) -> list[str]:
    """Words in lower case, but for names: a capital inside a sentence."""
    words: list[str] = []
    for token in tokens:
        word = token.group().replace("’", "'")
        name = bool(words) and words[-1] not in ".!?:(-*" and word.lower() not in _CLOSED
        words.append(word if name else word.lower())
    return words


def _clauses(words: Sequence[str]) -> Iterator[_Clause]:
    """Cuts at marks and joining words. What comes after the comma of a condition or a time stands by itself again."""
    first, joined, silent, beside = 0, False, False, False
    for place, word in enumerate([*words, "."]):
        ended = _Clause(first, place, joined, silent)
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in _MARKS:
            joined = word == "," and not beside
            silent, beside = word == "(", False
        elif word in _JOINING:
            if word == "then" and place > first and _verb_group(words, ended, "") is None:
                continue  # "the clerk then checks": an adverb between subject and verb
            joined, silent = True, silent and word in ("and", "or", "nor")
        elif word in _SILENT and not _points(words, first, place, after):
            joined, silent, beside = False, word != "so" or after == "that", place == first
        elif word in _TIME:
            joined, silent, beside = False, False, place == first
        else:
            continue
        yield ended
        first = place + 1


def _points(words: Sequence[str], first: int, place: int, after: str) -> bool:
    """Whether "that" or "which" is a pronoun here: "after that they …", ", which is then sent"."""
    if words[place] == "that":
        return place == first
    return words[place] == "which" and place == first and place > 0 and words[place - 1] == "," and after in _HELPERS


def _verb_group(words: Sequence[str], clause: _Clause, before: str) -> _Group | None:
    """The first verb of a clause that says what is done; `before` is the form that a joined clause may go on with."""
    for place in range(clause.first, clause.end):
        word = words[place]
        previous = words[place - 1] if place > clause.first else ""
        if word in _HELPERS or word.endswith("n't"):
            return _chain(words, place, clause.end)
        if previous in _DETERMINERS | _PREPOSITIONS or previous.endswith("'s") or word != word.lower():
            continue
        form = _finite(words, clause, place, before)
        if form:
            negated = any(word in _NOT for word in words[clause.first : place])
            return _linked(words, _Group(place, place, form, negated), clause.end)
    return None


def _chain(words: Sequence[str], first: int, end: int) -> _Group | None:
    """Helpers and what they help: "is sent", "should not be sent", "has to check", "is to select"."""
    place, last, negated = first, "", False
    while place < end:
        word = words[place]
        if word in _NOT or word.endswith("n't"):
            negated = True
            last = word.removesuffix("n't") if word not in _NOT else last
        elif word in _HELPERS:
            last = word
        elif word == "to" and last in _BE | _words("has have had"):
            last = "to"
        elif not _is_adverb(word):
            break
        place += 1
    if place >= end:
        return None
    word, lemma = words[place], verb_lemma(words[place])
    if lemma is None or word in _DETERMINERS | _PREPOSITIONS | _PRONOUNS:
        return None
    if last in _BE:
        form = "ing" if word.endswith("ing") else "passive" if _is_participle(word, lemma) and word not in _STATIVE else ""
    elif last in ("has", "have", "had"):
        form = "past" if _is_participle(word, lemma) else ""
    else:
        form = "base" if word == lemma else ""
    return _linked(words, _Group(first, place, form, negated), end) if form else None


def _linked(words: Sequence[str], group: _Group, end: int) -> _Group:
    """The verb that a verb like "needs to", "starts", "is asked to" leads into."""
    place = group.head
    if verb_lemma(words[place]) in _CATENATIVES:
        at = place + 1
        while at < end and _is_adverb(words[at]):
            at += 1
        to = at < end and words[at] == "to"
        if at + to < end and (is_base_verb(words[at + 1]) if to else _gerund(words[at])):
            negated = group.negated or any(word in _NOT for word in words[place + 1 : at])
            return _linked(words, _Group(group.first, at + to, "base" if group.form == "passive" else group.form, negated), end)
    return group


def _finite(words: Sequence[str], clause: _Clause, place: int, before: str) -> str:
    """The form of a verb that stands without a helper, "" where the word is rather something else."""
    word, lemma = words[place], verb_lemma(words[place])
    after = words[place + 1] if place + 1 < clause.end else ""
    if lemma is None or word in NOT_IMPERATIVE or _is_adverb(word) or after in _HELPERS or after in ("of", "'", "/", "-"):
        return ""
    form = _form(word, lemma)
    if not all(_is_adverb(w) or OPENER.match(w + " ") for w in words[clause.first : place]):
        return form if _agrees(words, clause, place, form, after) else ""
    if clause.first and words[clause.first - 1] in ("after", "before", "upon", "while", "when"):
        return form if form == "ing" else ""
    if before == "passive" and form == "past":
        return before
    if form == "base":
        return form if before in ("", "base") and after else ""
    return form if form == before and form in ("s", "past") else ""


def _form(word: str, lemma: str) -> str:
    if word == lemma:
        return "base"
    return "ing" if word.endswith("ing") else "s" if word.endswith("s") else "past"


def _agrees(words: Sequence[str], clause: _Clause, place: int, form: str, after: str) -> bool:
    """Whether the word before a finite verb is a subject that goes with its form."""
    at = place - 1
    while at > clause.first and (_is_adverb(words[at]) or words[at] in _EMPHATIC):
        at -= 1
    subject = words[at]
    noun = subject not in _PRONOUNS and (not _classes(subject) or "NOUN" in _classes(subject))
    plural = noun and subject.endswith("s") and not subject.endswith("ss")
    if subject in _PREPOSITIONS | _DETERMINERS:
        return False
    if form == "base":  # a bare noun before a base form is more often one name of two words
        return plural or subject in _PLURAL
    if form == "s":
        return (noun and not plural) or subject in _SINGULAR
    return form == "past" and after not in ("by", "") and (noun or subject in _PRONOUNS)


def _is_adverb(word: str) -> bool:
    return word in _NOT or word in _ADVERBS or (word.endswith("ly") and len(word) > 4 and "NOUN" not in _classes(word))


def _gerund(word: str) -> bool:
    return word.endswith("ing") and verb_lemma(word) not in (None, word)


def _is_participle(word: str, lemma: str) -> bool:
    return _form(word, lemma) == "past" or word in _UNCHANGED


def _subject(words: Sequence[str], clause: _Clause, group: _Group) -> Range | None:
    """The noun phrase right before a verb."""
    end = group.first
    while end > clause.first and (_is_adverb(words[end - 1]) or words[end - 1] in _EMPHATIC):
        end -= 1
    first = end
    while first > clause.first and _in_subject(words, first - 1, end):
        first -= 1
    while first < end and (_is_adverb(words[first]) or words[first] in _PREPOSITIONS):
        first += 1
    return (first, end) if first < end and words[end - 1] not in _WORK else None


def _in_subject(words: Sequence[str], place: int, end: int) -> bool:
    word = words[place]
    if words[end - 1] in _PRONOUNS:
        return place == end - 1
    if word in ("of", "at", "for"):
        return place < end - 1
    return word not in _PREPOSITIONS | _HELPERS | _PRONOUNS and not (place + 1 < end and words[place + 1] in _DETERMINERS)


def _noun_phrase(words: Sequence[str], first: int) -> int:
    """Where the noun phrase that starts at `first` ends; `first` where none does."""
    place = first
    while place < len(words) and (word := words[place]) not in _MARKS:
        if word in _PRONOUNS:
            return place + 1 if place == first else place
        if word in _ENDS_PHRASE and not (word == "that" and place == first):
            break
        if place > first and (word in _DETERMINERS or (_is_adverb(word) and words[place - 1] not in _DETERMINERS)):
            break
        place += 1
    if place > first and place + 1 < len(words) and words[place] in ("of", "for") and (end := _noun_phrase(words, place + 1)) > place + 1:
        return end
    return place


def _activity(tokens: Sequence[re.Match[str]], words: Sequence[str], group: _Group, subject: Range | None) -> Activity | None:
    lemma = verb_lemma(words[group.head])
    if lemma is None or lemma in _NO_ACTIVITY:
        return None
    after = group.head + 1
    after += after < len(words) and words[after] in _PARTICLES
    end = _noun_phrase(words, after)
    thing, actor, party = ((after, end) if end > after else None), subject, None
    if group.form == "passive":
        thing, actor, end = subject, _after(words, after, "by"), after
    elif lemma in _TELLING and thing:
        party, thing = thing, _after(words, end, "about", "of")
    party = party or _after(words, end, "to")
    verb = (tokens[group.head].start(), tokens[after - 1].end())
    return Activity(lemma, verb, _span(tokens, thing), _somebody(tokens, words, actor), _somebody(tokens, words, party), group.negated)


def _after(words: Sequence[str], place: int, *prepositions: str) -> Range | None:
    """The noun phrase after one of these words, "by" and "to" only where a name or an article says that a thing follows."""
    while place < len(words) and _is_adverb(words[place]):
        place += 1
    if place + 1 >= len(words) or words[place] not in prepositions:
        return None
    opens = words[place + 1]
    if opens[0].isdigit() or (words[place] in ("by", "to") and opens == opens.lower() and opens not in _CLOSED and is_base_verb(opens)):
        return None
    end = _noun_phrase(words, place + 1)
    return (place + 1, end) if end > place + 1 else None


def _somebody(tokens: Sequence[re.Match[str]], words: Sequence[str], part: Range | None) -> Span | None:
    return None if part and words[part[0]] in _NOBODY else _span(tokens, part)


def _span(tokens: Sequence[re.Match[str]], part: Range | None) -> Span | None:
    return (tokens[part[0]].start(), tokens[part[1] - 1].end()) if part else None
