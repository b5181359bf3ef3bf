"""Frames: what a passage says to do (verb, object, actor, modality, polarity, condition).

A shallow reader: clause openers, modals and verb forms from lemminflect's dictionary. It never guesses a word: each
part is copied from the passage or None. Polarity is part of the frame, so "don't send X" can never become "send X".
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from distill import polarity
from distill.voices import other_voice
from index.records import Frame

TOKEN = re.compile(r"[A-Za-z][A-Za-z'’/-]*|\d[\w.,]*|[^\sA-Za-z\d]")
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
def lemmatiser() -> object:
    import lemminflect

    return lemminflect


@lru_cache(maxsize=100_000)
def verb_lemma(word: str) -> str | None:
    """The dictionary lemma of a word read as a verb, None where it cannot be one."""
    lemmas = lemmatiser().getAllLemmas(word.lower(), upos="VERB")  # type: ignore[attr-defined]
    found = lemmas.get("VERB")
    return found[0] if found else None


@lru_cache(maxsize=20_000)
def known_word(word: str) -> bool:
    """Whether the dictionary holds the word in any form."""
    return bool(lemmatiser().getAllLemmas(word.lower()))  # type: ignore[attr-defined]


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
    if lemma is None or lemma in STATES:
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
STATES = frozenset(
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
        verb in STATES
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
    if lemma is None or lemma == words[0].lower() or lemma in STATES:
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
            and lemma not in STATES
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
