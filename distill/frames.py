"""Frames: what a passage says to do (verb, object, actor, modality, polarity, condition).

A shallow reader: clause openers, modals and verb forms from lemminflect's dictionary. It never guesses a word: each
part is copied from the passage or None. Polarity is part of the frame, so "don't send X" can never become "send X".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from distill import polarity
from distill.voices import other_voice
from index.records import Frame

_TOKEN = re.compile(r"[A-Za-z][A-Za-z'’/-]*|\d[\w.,]*|[^\sA-Za-z\d]")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")

# Openers that come before the clause that says what to do; they carry order, not meaning.
OPENER = re.compile(
    r"^\s*(?:[\"“”'‘(\[]*)(?:(?:and|or|but|so|also|then|next|now(?!\s+that)|finally|lastly|first(?!-)|firstly|second(?=[,:])|secondly|third(?=[,:])|thirdly|afterwards?|"
    r"after that|once done|again|alternatively|optionally|additionally|ideally|instead(?!\s+of)|simply|just|please|kindly|in addition|to begin with|to start|"
    r"(?:step|phase|stage)\s+(?:\d+|one|two|three|four|five))\b[\s,:.–-]*)+",
    re.I,
)
_CONDITION = re.compile(
    r"^\s*(?P<condition>(?:if|when|whenever|once|after|before|unless|until|upon|during|while|in case|as soon as|where|for each|for every|assuming|provided|within|by the end of|at the end of|every|whatever|no matter)\b[^,;:]{2,140}?)\s*[,;:]\s+",
    re.I,
)
# "If you have none then ask": no comma, but no modal before "then" either ("if it can then be opened").
_IF_THEN = re.compile(
    r"^\s*(?P<condition>if\b[^,;:]{2,140}?(?<!can)(?<!would)(?<!will)(?<!could)(?<!may)(?<!should)(?<!must))\s+(?=then\s+[a-z])", re.I
)
_TAIL_CONDITION = re.compile(
    r"\b(?P<condition>(?:if|unless|only when|when|once|as soon as|provided that|in case|until)\s+[^.;,]{4,140})[.;,]?\s*$", re.I
)
_PURPOSE = re.compile(r"^\s*(?:(?:in order\s+)?to\s+[a-z]|(?:instead\s+of|rather\s+than)\s+[a-z]+ing\b)[^,;:]{3,120}?,\s+", re.I)
_LABEL = re.compile(r"^\s*(?P<label>[A-Z][^:.!?]{1,60}?)\s*(?::|\s[–—-]\s)\s+(?=\S)")

_MODAL = re.compile(
    r"\b(?P<modal>must|shall|should|ought to|needs? to|need only|has to|have to|had to|is required to|are required to|(?:is|are) (?:expected|encouraged|asked|responsible|supposed|advised|recommended|allowed|able|going) (?:to|for)|"
    r"is to|are to|will|would|can|could|may|might|need not|cannot|(?:ca|wo|should|must|could|would|need)n['’]?t|want to|wish to|you['’]ll|we['’]ll|i['’]ll|they['’]ll)\b"
    r"(?P<between>(?:\s+(?:not|also|then|only|always|never|first|now|be|either|still|just|simply|both|ideally|all|have|need to|want to|be able to|subsequently|typically|usually|generally|definitely|absolutely|certainly|under any circumstances))*)"
    r"\s+(?P<verb>[a-z][a-z-]+)",
    re.I,
)
_PROPOSAL = re.compile(
    r"\b(?:i|we)\s+(?:would\s+|['’]d\s+)?(?:propose|suggest|recommend|advise)\b|\blet['’]?s\b|\b(?:my|our|the) (?:proposal|suggestion|recommendation) is\b|\bhow about\b|\bwhat if we\b|\bit (?:would|might) be (?:better|best|good|great|nice|useful|helpful) (?:to|if)\b|\b(?:try|consider)\b",
    re.I,
)
_NEGATION = re.compile(
    r"\b(?:not|never|no longer|without|avoid|cannot|neither|nor)\b|n['’]t\b|\b(?:do|does|did|is|are|was|were|should|must|can|could|would|will|have|has|need)nt\b",
    re.I,
)
_OPTIONAL = re.compile(
    r"\b(?:optional(?:ly)?|if you (?:want|like|wish|prefer)|you (?:can|may|could) also|alternatively|not (?:required|mandatory|necessary)|feel free)\b",
    re.I,
)
_ACCOUNT = re.compile(
    r"\b(?:i|we)(?:['’](?:ve|d)|\s+have|\s+had|\s+then|\s+just|\s+also|\s+first|\s+finally)*\s+(?P<verb>[a-z]+(?:ed|nt|d|t|w|k|g|n|e|s|p)?)\b",
    re.I,
)

_MODALITY = {
    "must": "obligation", "shall": "obligation", "should": "obligation", "ought to": "obligation", "needs to": "obligation", "need to": "obligation",
    "has to": "obligation", "have to": "obligation", "will": "statement", "would": "hypothetical", "could": "permission", "can": "permission",
    "may": "permission", "might": "hypothetical", "want to": "permission",
}  # fmt: skip

# Words that are base-form verbs in the dictionary and yet open sentences as something else.
NOT_IMPERATIVE = frozenset(
    "thank thanks please like will may can might must while being have has had do does did is are was were am be let's hope wish guess think believe suppose "
    "there this that it they we you he she i my our your the a an in on at of for with by from to as if when so but or and not no yes well good great "
    "interesting right up out down over under about back even still only better best second first last next more most less least much many other same such own mean "
    "love agree disagree sound seem look appear congrats welcome mind sorry hi hello hey dear per plus minus regard regarding given considering concerning including according "
    "following based due current open-source free clear sure fine true long short small light full hard fast close live present future past total average net light key main "
    "gas mainnet ether block".split()
)


@cache
def _lemmatiser() -> object:
    import lemminflect

    return lemminflect


@lru_cache(maxsize=100_000)
def verb_lemma(word: str) -> str | None:
    """The dictionary lemma of a word read as a verb, None where it cannot be one."""
    lemmas = _lemmatiser().getAllLemmas(word.lower(), upos="VERB")  # type: ignore[attr-defined]
    found = lemmas.get("VERB")
    return found[0] if found else None


@lru_cache(maxsize=20_000)
def known_word(word: str) -> bool:
    """Whether the dictionary holds the word in any form."""
    return bool(_lemmatiser().getAllLemmas(word.lower()))  # type: ignore[attr-defined]


def is_base_verb(word: str) -> bool:
    return verb_lemma(word) == word.lower()


def strip_openers(text: str) -> tuple[str, str | None]:
    """(the clause that says what to do, its opening condition). Openers, labels and purposes are peeled off."""
    condition: str | None = None
    for _ in range(4):
        before = text
        text = text[m.end() :] if (m := OPENER.match(text)) and m.end() < len(text) else text
        if (m := _CONDITION.match(text) or _IF_THEN.match(text)) and m.end() < len(text):
            condition = condition or m["condition"].strip()
            text = text[m.end() :]
        text = text[m.end() :] if (m := _PURPOSE.match(text)) and m.end() < len(text) else text
        if text == before:
            break
    return text, condition


def read_frame(text: str) -> Frame | None:
    """The main frame of a passage, or None where nothing in it says that someone does something."""
    body, condition = strip_openers(_ASSENT.sub("", text, count=1))
    label = _LABEL.match(body)
    clause = body[label.end() :] if label and label.end() < len(body) and not _starts_imperative(body) else body
    if label and clause is not body:
        clause, inner = strip_openers(clause)
        condition = condition or inner
    if condition is None and (tail := _TAIL_CONDITION.search(clause)) and tail.start() > 8:
        condition = tail["condition"].strip()
    optional = bool(_OPTIONAL.search(text))
    frame = _imperative(clause) or _imperative(body) or _modal(clause) or _account(clause) or _statement(clause) or _denied(clause)
    if frame is None:
        return None
    verb, rest, actor, modality, negated = frame
    place = len(clause) - len(rest)
    negated = negated or polarity.denies(clause, place) or (clause is not body and polarity.denies(body, len(body) - len(rest)))
    if reminded := polarity.reminds(clause):
        verb, negated = verb_lemma(reminded) or verb, False
    return Frame(verb, _object(rest), actor, other_voice(text) or modality, negated, condition, optional)


_Parts = tuple[str, str, str | None, str, bool]


_ASSENT = re.compile(r"^\s*(?:sure|great|ok(?:ay)?|cool|alright|perfect)[,!]\s+(?=\S)", re.I)
_APOSTROPHES = str.maketrans("‘’ʼ´`", "'''''")
# "Don't …", "never, ever …", "avoid …": up to the verb that is forbidden.
_FORBIDDING = re.compile(
    r"^\W*(?:(?:do\s+(?:\*\s?)?not(?:\s?\*)?|don'?t|do'nt|never)\b(?:\s*,[^,]{2,40},)?(?:\s+you\s+dare)?(?:\s+(?:ever|even|just|simply|again|also|blindly))*|(?P<avoid>avoid))"
    r"\s+(?P<verb>[a-z][a-z-]*)",
    re.I,
)
_FORBIDDING_HEAD = re.compile(r"^\W*(?:please\s+)?(?:don|do\s|never|be\s|under\s+no|on\s+no|in\s+no|by\s+no|at\s+no)", re.I)
_DENYING = re.compile(r"\b(?:not(?! (?:only|merely)\b)|never|cannot)\b|\b(?:ca|wo|should|must|could|would|need)n'?t\b")


def _starts_imperative(text: str) -> bool:
    return _imperative(text) is not None


def _imperative(clause: str) -> _Parts | None:
    words = _WORD.findall(clause[:120])
    if not words:
        return None
    if forbidden := _FORBIDDING.match(clause[:160].replace("\n", " ").translate(_APOSTROPHES)):
        verb = forbidden["verb"].lower()
        lemma = "avoid" if forbidden["avoid"] else verb_lemma(verb)
        return (
            (lemma, clause[forbidden.end() :] if not forbidden["avoid"] else clause[forbidden.end("avoid") :], None, "imperative", True)
            if lemma
            else None
        )
    first = words[0].lower().replace("’", "'")
    if first in ("let's", "lets"):
        at = 2 if len(words) > 2 and words[1].lower() == "not" else 1
        verb = words[at].lower() if len(words) > at else ""
        return (verb, clause.partition(words[at])[2], "we", "proposal", at == 2) if verb and is_base_verb(verb) else None
    at = 0
    while at < len(words) - 1 and _before_verb(words[at].lower()) and at < 2:  # "Carefully read …"
        at += 1
    verb = words[at].lower()
    if verb in NOT_IMPERATIVE or not is_base_verb(verb):
        return None
    after = words[at + 1].lower() if len(words) > at + 1 else ""
    rest = clause.partition(words[at])[2]
    # "Test results are …", "Set of …": a noun after all.
    if after in ("is", "are", "was", "were", "has", "of", "will", "would", "should", "can", "must", "may", "by") or rest.startswith(
        ("'", "’", "-", "/")
    ):
        return None
    return verb, rest, None, "imperative", bool(_NEGATION.match(rest.strip()))


def _before_verb(word: str) -> bool:
    return word == "always" or (word.endswith("ly") and not is_base_verb(word))  # "apply", "reply" are verbs


def _modal(clause: str) -> _Parts | None:
    match = _MODAL.search(clause)
    if not match:
        return None
    verb = match["verb"].lower()
    between = (match["between"] or "").lower()
    lemma = verb_lemma(verb)
    if lemma is None:
        return None
    modal = match["modal"].lower().replace("’", "'")
    before = polarity.plain_signs(clause[max(0, match.start() - 30) : match.start()])
    negated = bool(_DENYING.search(f"{modal} {between} {verb}")) or before.endswith(("not", "never", "no longer"))
    modality = _MODALITY.get(modal, "obligation" if "to" in modal or "for" in modal else "statement")
    if _PROPOSAL.search(clause[: match.start()]):
        modality = "proposal"
    return lemma, clause[match.end() :], _actor(clause[: match.start()]), modality, negated


def _account(clause: str) -> _Parts | None:
    match = _ACCOUNT.match(clause.strip())
    if not match:
        return None
    verb = match["verb"].lower()
    lemma = verb_lemma(verb)
    if lemma is None or lemma in _STATES:
        return None
    modality = "account" if lemma != verb else "proposal" if _PROPOSAL.match(clause) else "statement"
    return lemma, clause.strip()[match.end() :], clause.split()[0], modality, bool(_NEGATION.search(clause[: match.end() + 12]))


def _denied(clause: str) -> _Parts | None:
    """What no other reader takes for an action, and yet denies one: 'we never restart …', 'there is no need to …'."""
    denied = polarity.denial(clause)
    if denied is None:
        return None
    modality = "imperative" if _FORBIDDING_HEAD.match(clause) else "statement"
    before, behind = denied
    words = ["", *_WORD.findall(behind)[:6]]
    for at, word in enumerate(words[1:], start=1):
        if (lemma := verb_lemma(word)) and word not in _AUXILIARIES and words[at - 1] not in _BEFORE_NOUNS:
            return lemma, behind.partition(word)[2], None, modality, True
    lemma = next((lemma for word in reversed(_WORD.findall(before)) if word not in _AUXILIARIES and (lemma := verb_lemma(word))), None)
    return (lemma, behind, None, modality, True) if lemma else None


_AUXILIARIES = frozenset(
    "is are was were am be been being have has had do does did can could may might must shall should will would to not".split()
)
_BEFORE_NOUNS = frozenset("the a an any all each its their our your his her this that these those of in on at for with no".split())
_STATES = frozenset(
    "be have do think believe agree love like feel know see mean want hope wish guess look seem wonder understand appreciate find disagree".split()
)


_SUBJECT = re.compile(
    r"^\s*(?P<actor>(?:you|they|we|i|anyone|everyone|both|(?:the |all |both |each of the |these |those |most )?(?:[a-z-]+ ){0,2}[a-z-]+s))\s+"
    r"(?:(?:then|also|first|now|simply|just|both|only|finally|either|each|usually|always)\s+)?(?P<verb>[a-z]+)\s+(?P<rest>\S.*)$",
    re.I | re.S,
)


def _plural_statement(clause: str) -> _Parts | None:
    """'Signers exchange keys', 'you decrypt using …': a plural subject or pronoun, then a base verb and its object."""
    match = _SUBJECT.match(clause[:300])
    if not match:
        return None
    verb = match["verb"].lower()
    if (
        verb in _STATES
        or verb in NOT_IMPERATIVE
        or not is_base_verb(verb)
        or match["rest"].lower().startswith(("of ", "is ", "are ", "for "))
    ):
        return None
    return verb, match["rest"], match["actor"], "statement", False


def _third_person_item(clause: str) -> _Parts | None:
    """'Computes its public key: …' in a list under its actor's name: an item that opens with a verb in -s."""
    words = _WORD.findall(clause[:80])
    if len(words) < 2 or not words[0].lower().endswith("s") or words[0].lower().endswith("ss"):
        return None
    lemma = verb_lemma(words[0])
    if lemma is None or lemma == words[0].lower() or lemma in _STATES:
        return None
    if words[1].lower() not in (
        "its",
        "the",
        "a",
        "an",
        "their",
        "all",
        "each",
        "his",
        "her",
        "any",
        "this",
        "that",
        "whether",
        "if",
        "to",
        "from",
        "with",
        "one",
    ):
        return None
    return lemma, clause.partition(words[0])[2], None, "statement", False


def _statement(clause: str) -> _Parts | None:
    """'The Foundation reviews …', 'Votes are counted by …': the first finite verb after a short subject."""
    found = _third_person_item(clause) or _plural_statement(clause)
    if found:
        return found
    tokens = list(_WORD.finditer(clause[:160]))
    for index, token in enumerate(tokens[1:8], start=1):
        word = token.group().lower()
        if word in ("is", "are", "gets", "get", "be", "was", "were") and index + 1 < len(tokens):
            participle = tokens[index + 1].group().lower()
            if participle == "not" and index + 2 < len(tokens):
                participle = tokens[index + 2].group().lower()
            lemma = verb_lemma(participle)
            if lemma and lemma != participle and participle.endswith(("ed", "en", "nt", "t", "wn", "de", "d", "ne")):
                return (
                    lemma,
                    clause[tokens[index + 1].end() :],
                    _actor(clause[: token.start()]),
                    "statement",
                    bool(_NEGATION.search(clause[token.start() : token.start() + 24])),
                )
            return None
        lemma = verb_lemma(word)
        if (
            lemma
            and lemma != word
            and word.endswith("s")
            and not word.endswith("ss")
            and lemma not in _STATES
            and _looks_finite(tokens, index)
        ):
            return lemma, clause[token.end() :], _actor(clause[: token.start()]), "statement", False
    return None


def _looks_finite(tokens: list[re.Match[str]], index: int) -> bool:
    """A verb in -s is followed by its object, not by another verb ("tests are …")."""
    after = tokens[index + 1].group().lower() if index + 1 < len(tokens) else ""
    return after not in ("is", "are", "was", "were", "of", "and", "or", "that", "which", "who") and after != ""


_NO_ACTOR = frozenset("so and but or which that this these those if when as because there here then what how why where it".split())


def _actor(before: str) -> str | None:
    """The subject as it stands, where it is short enough to be one and no clause of its own."""
    words = before.replace("(", " ").split()
    if not words or len(words) > 6 or any(mark in before for mark in ",;:"):
        return None
    if words[0].lower() in _NO_ACTOR or (len(words) > 1 and is_base_verb(words[0].lower())):
        return None
    actor = " ".join(words).strip(" .\"“”'")
    return actor or None


def _object(rest: str) -> str:
    """The words after the verb, to the end of its clause."""
    cut = re.split(r"[.;:!?]|,\s|\s(?:and|then|so that|because|if|when|once|before|after|unless|until|which|who)\s", rest, maxsplit=1)[0]
    return " ".join(cut.split()[:12]).strip(" ,.:;()\"“”'")


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
_NO_ACTIVITY = _STATES | _words(
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
    return frozenset(_lemmatiser().getAllLemmas(word))  # type: ignore[attr-defined]


def read_activities(text: str) -> list[Activity]:
    """Everything that a passage says is done, in its order: `read_frame` gives the main one only.

    Reads coordination, passives, chains ("needs to check") and clauses with "when" or "once"; conditions, purposes and
    what somebody says or thinks are no activities. What is said not to be done is one, with `negated`.
    """
    tokens = list(itertools.islice(_TOKEN.finditer(text), MOST_WORDS))
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
