"""What a step says beside its action: who does it, under which condition, whether it may be left out.

Copied from the step's own words, or None. A wrong "who" is worse than none: only the subject of the main clause counts,
and only where it is a person, a group, or a name that does things again and again in the same procedure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from distill.activities import Activity, read_activities
from distill.frames import is_base_verb, known_word, strip_openers, verb_lemma

MOST_WORDS = 9  # of who does it: longer is a clause

# --- who --------------------------------------------------------------------------------------------------------------

_PEOPLE = frozenset(
    "acceptor account-holder accountant adversary agency agent alliance applicant arbiter architect army artist assembly assistant association attendee attorney auditor "
    "author badgeholder beneficiary board body bookkeeper branch building-group bureau cabinet candidate caretaker chair champion chief child citizen claimant class clerk client-team "
    "club co-author coalition colleague collective commission commissioner committee community company consortium consultant contributor coop cooperative "
    "core-dev coordinator council counterparty court creator crew custodian customer dao delegate department dev developer director donor driver "
    "editor employee entity exchange-operator expert facilitator faction family fellow fellowship firm folk foundation founder friend fund-manager government grantee "
    "group guardian guest guild head helper holder host house individual initiator institution instructor inspector investor jury keeper kid lawyer "
    "lead leader librarian maintainer maker man manager mediator member mentor merchant miner ministry moderator neighbour neighbor newcomer nominee "
    "notary nurse observer offeror office officer official opener operator organisation organiser organization organizer originator outsider owner panel parent "
    "participant partner party payee payer peer people person physician player president principal proponent proposer provider pupil "
    "quorum receiver recipient referee relative relayer representative requester requestor researcher resident respondent retailer reviewer ring scribe secretary seller sender "
    "shareholder signatory signer speaker specialist sponsor squad staff staffer stakeholder steward student sub-committee subcommittee submitter subset-of-voters supervisor "
    "supplier supporter taskforce taxpayer teacher team technician tenant tester trader translator treasurer treasury-keeper trustee tutor unit user validator "
    "vendor victim visitor volunteer voter watcher winner witness woman worker workgroup writer youth anybody anyone somebody someone everybody everyone nobody whoever".split()
)
# Words in -er, -or and -ist that are no persons.
_THINGS = frozenset(
    "order number paper layer server folder header letter register chapter tracker explorer charter browser buffer router computer printer timer parameter filter counter wrapper "
    "container poster newsletter matter laser offer transfer other another together either whether water power center centre cover tower shutter trigger pointer integer cluster master "
    "cipher answer banner corner disaster drawer barrier tier identifier modifier verifier ledger adapter cluster pager starter reminder remainder placeholder drawer marker finger "
    "error vector factor sector behaviour behavior colour color floor door minor major mirror indicator selector generator descriptor constructor accumulator simulator emulator calculator monitor "
    "doctor-note anchor labor labour favor favour processor connector author-field list checklist wordlist twist wrist whitelist blacklist allowlist denylist playlist shortlist decoder encoder compiler "
    "parser linker loader scanner iterator validator-set block-explorer character chamber silver winter summer september october november december member-list scooter meter "
    "kilometer diameter dinner supper power-user-mode cutter hammer sticker charger speaker-wire slider ladder rubber butter filler copper leather feather weather cloister register "
    "folder renderer scheduler timer dispatcher controller handler container divider spacer reader-mode viewer-mode toaster cooker locker blocker freezer boiler screwdriver sweeper roller border "
    "shoulder user-id builder-mode minter burner faucet sequencer-set banner motor sensor tractor tremor honor humor rumor tumor vapor razor rotor editor-mode refer defer infer prefer differ enter wonder "
    "consider remember deliver discover gather render former latter former-member later earlier better never ever over under after however forever order-id consist exist assist insist persist resist".split()
)
_GROUP_HEADS = re.compile(r"(?i)(?:.*-)?(?:committee|council|board|team|house|commission|foundation|ring|group|lead|council-lead|dao)s?$")
_DETERMINER = re.compile(
    r"(?i)^(?:(?:the|an?|each|every|any|all|both|our|my|your|their|these|those|this|that|most|some|no|at least one|at least two|either|one|two|three|four|five)\s+)+"
)
_PRONOUN = re.compile(
    r"(?i)^(?:i|you|he|she|it|we|they|who|one|this|that|these|those|there|what|which|some|many|most|others?|both|all|each|any|none|nobody|no one|nothing)\b(?:['’]\w+)?$"
)
_ENDS_HEAD = re.compile(r"(?i)\s(?:of|from|in|on|at|for|with|who|whose|that|to|under|behind|within|by|and/or|other than)\s")
_LABEL = re.compile(r"^(?:\W*\*\W*)?(?P<label>[A-Z][\w’'& /-]{1,40}?)\s*:\s+(?=\S)")
_ADVERB = re.compile(
    r"(?i)^(?:also|instead|then|so|now|finally|next|first|perhaps|maybe|ideally|generally|usually|typically|additionally)\s+"
)
# What begins something else than a subject, and words that say that a whole clause stands before it.
_NO_SUBJECT = re.compile(
    r"(?i)^(?:as|given|after|before|since|because|though|although|if|when|once|whether|how|what|why|where|while|until|in|on|at(?! least\b)|by|for|from|with|to|of|via|per|during|within|without|under|over|"
    r"your|their|his|her|its|my|[a-z]+ing)\b"
)
_VERBAL = frozenset(
    "is are was were be been has have had do does did will would can could may might must shall should they it he she we i you then".split()
)
_PHRASE = re.compile(r"^[\w’'\"“”&/.#@()-]+(?:\s+[\w’'\"“”&/.#@()-]+)*$")


@dataclass(frozen=True, slots=True)
class Named:
    """A subject as it stands, and whether it is somebody for sure or only looks like a name."""

    words: str
    sure: bool


def actors_of(texts: Sequence[str]) -> list[str | None]:
    """Who does each step. What only looks like a name ("Alice", "the LSP") has to do at least two of them."""
    named = [subject_of(text) for text in texts]
    doing = Counter(without_determiner(found.words).casefold() for found in named if found)
    return [found.words if found and (found.sure or doing[without_determiner(found.words).casefold()] > 1) else None for found in named]


def subject_of(text: str) -> Named | None:
    """The subject of the main clause, whole and as it stands; None where it is a pronoun, a thing, or not plain to see."""
    clause, _ = strip_openers(text)
    label = _LABEL.match(clause)
    named = _somebody(label["label"]) if label and len(label["label"].split()) <= 3 and not _commands(label["label"]) else None
    if named and named.sure:
        return named
    own = _own_subject(clause[label.end() :] if label else clause)
    return own if own and own.sure else named or own


def _commands(label: str) -> bool:
    """ "Find a sponsor: …" says what to do; "Clerk: …" says who."""
    first, *rest = label.lower().split()
    return bool(rest) and is_base_verb(first) and not is_party(first)


def _own_subject(clause: str) -> Named | None:
    first = next((activity for activity in read_activities(clause)[:1] if activity.actor), None)
    if first is None or first.actor is None:
        return None
    found = _whole_subject(clause, first) if first.actor[0] < first.verb[0] else clause[slice(*first.actor)]
    return _somebody(" ".join(found.split())) if found else None


def _whole_subject(clause: str, activity: Activity) -> str | None:
    """The words from the clause's beginning to the end of the actor, where nothing but a noun phrase stands there."""
    assert activity.actor is not None
    words = _ADVERB.sub("", clause[: activity.actor[1]].strip())
    inside = words.lower().split()
    if not inside or inside[-1] == "who" or not _PHRASE.match(words) or _NO_SUBJECT.match(words) or not set(inside).isdisjoint(_VERBAL):
        return None
    joined = any(word in ("and", "or", "&", "/") for word in inside)
    return None if joined and is_base_verb(inside[0]) else words


def _somebody(words: str) -> Named | None:
    words = words.strip(" \"“”'’*.")
    bare = without_determiner(words)
    if not bare or len(words.split()) > MOST_WORDS or _PRONOUN.match(bare) or _PRONOUN.match(words):
        return None
    head = _ENDS_HEAD.split(f" {bare} ")[0].split()[-1:] or [""]
    last = head[0].strip("\"“”'’()")
    if is_party(last):
        return Named(words, True)
    name = len(bare.split()) <= 3 and last[:1].isupper() and (not known_word(last.lower()) or last in _GIVEN_NAMES) and last[1:2] != "."
    return Named(words, False) if name and not any(c.isdigit() for c in bare) else None


_GIVEN_NAMES = frozenset(
    "Bob Carol Charlie Dave Eve Victor Grace Frank Heidi Ivan Peggy Trent Walter Dan Erin Faythe Olivia Rupert Sybil".split()
)


def is_party(noun: str) -> bool:
    """Whether a noun names a person or a group that can do something."""
    noun = noun.lower()
    if _GROUP_HEADS.match(noun):
        return True
    for form in (
        noun,
        noun.removesuffix("s"),
        noun[:-3] + "y" if noun.endswith("ies") else noun,
        {"men": "man", "women": "woman", "children": "child"}.get(noun, noun),
    ):
        if form in _THINGS:
            return False
        if form in _PEOPLE:
            return True
        last = form.rsplit("-", 1)[-1].rsplit("/", 1)[-1]
        if last in _PEOPLE:
            return True
        if len(form) > 5 and form.endswith(("er", "or", "ist", "eer", "ian")) and verb_lemma(form) != form and _from_verb(form):
            return True
    return False


def _from_verb(noun: str) -> bool:
    """Whether a noun in -er or -or comes of a verb: who does it ("challenger", "relayer", "distributor")."""
    if noun.endswith(("ist", "eer")):
        return known_word(noun)
    stem = noun[:-2]
    doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    return noun.endswith(("er", "or")) and any(is_base_verb(base) for base in (stem, stem + "e", doubled) if len(base) > 2)


def without_determiner(words: str) -> str:
    return words[found.end() :] if (found := _DETERMINER.match(words)) and found.end() < len(words) else words


# --- under which condition --------------------------------------------------------------------------------------------

# A clause follows these …
_CLAUSE = r"(?:only\s+)?(?:if|when|whenever|once|unless|as soon as|in case(?! of\b)|in the event|provided(?: that)?|assuming(?: that)?)"
# … and these may be followed by a noun alone.
_TIME = (
    r"(?:upon|after|before|during|within|by the end of|at the (?:end|beginning|start) of|for (?:each|every)|"
    r"(?:every|each) (?:time|day|week|month|quarter|year|season|cycle|round|call))"
)
_LEADING = re.compile(rf"^\s*(?:(?P<clause>{_CLAUSE})|{_TIME})\b(?=\s)", re.I)
_TRAILING = re.compile(
    r"(?:^|(?<=[\s,(]))(?P<condition>(?:only\s+)?(?:if|unless|when|once|as soon as|provided that|in case(?! of\b))\s[^.;:!?,\n—–]{3,120}?)[.;:!?\s]*$",
    re.I,
)
_NO_CONDITION = re.compile(
    r"(?i)^(?:after (?:all|that|this|which|it)\b|during (?:this|that|it)\b|before long|within reason|(?:once|when|if) (?:again|more|anything|and|or|to|not)\b|if not\b)"
)
# What "if" and "when" belong to something else behind: "see if", "as if", "the date when", "it would be nice if".
_GOVERNED = re.compile(
    r"(?i)(?:\b(?:see|check|know|verif|confirm|ask|tell|determin|decid|wonder|consider|indicat|test|find out|figure|unsure|unclear|clear|sure|matter|evaluat|assess|say|show)\w*(?:\s+\S+){0,2}"
    r"|\b(?:as|even|like|than|of|on|to|about|for|from|be|is|are|was|were|especially|particularly|including|except|just|great|nice|good|better|best|helpful|useful|appreciated?"
    r"|indicator|date|day|time|moment|point|period|stage|phase|case|cases|situations?|instances?|events?|examples?))\s*$"
)
_HELPER = re.compile(
    r"(?i)\b(?:is|are|was|were|been|has|have|had|do|does|did|can|cannot|could|will|would|must|should|may|might|need|want|\w+n['’]t|\w+['’](?:s|re|ve|d|ll))\b"
)
_INFLECTED = re.compile(r"(?i)\b(?:\w{2,}ed|\w{3,}(?<!s)s|\w{3,}ing)\b")
_SPEAKS = re.compile(r"(?i)^(?:only )?\S+ (?:you|we|they|i|it|he|she|this|that|people|anyone|someone|everyone)\s+[a-z]+")
_SHORT = re.compile(
    r"(?i)^(?:only )?(?:if|when|once|unless) (?:any|needed|necessary|possible|applicable|relevant|required|available|desired|appropriate|ready|done|asked|passed|approved|selected"
    r"|elected|rejected|accepted|successful|in doubt|otherwise \w+|\w+ed)$"
)
# A clause of its own, which follows from the condition and is no part of it.
_RESULT = re.compile(
    r"(?i)(?:\bplease\b|\bthen\b|(?<!that )(?<!which )(?<!what )(?<!who )(?<!and )(?<!or )(?<!if )(?<!when )\b(?:it|you|we|they|i|he|she|there)\s+(?:has|have|will|must|should|can|cannot|would|may|need|is|are)\b)"
)
_ANOTHER_CLAUSE = re.compile(
    r"(?i)(?:[.!?;:–—=]\s|\s-\s|,\s*(?:which|who|whose|where)\b|\b(?:so that|because|since|in order|what|that|which|who)\b|,\s*(?:it|you|we|they|i|the)\b)"
)
MOST_CHARACTERS = 180  # of a condition


def leading_condition(text: str) -> str | None:
    """The condition or time that a step begins with: "If the vote fails, …", "At the end of each cycle, …"."""
    body = _without_opener(text)
    begins = _LEADING.match(body)
    if not begins or _NO_CONDITION.match(body):
        return None
    for comma in re.finditer(r"\s*,\s+(?=\S)", body[:MOST_CHARACTERS]):
        words = " ".join(body[: comma.start()].split())
        if not _balanced(words) or re.match(r"(?i)(?:and|or|nor)\b", body[comma.end() :]):
            continue
        if begins["clause"] and not _has_verb(words):
            return None  # "once the chair, the clerk and the editor agree, …": not plain to see where it ends
        return words if _holds_together(words, bool(begins["clause"])) else None
    return None


def _has_verb(words: str) -> bool:
    """Whether something happens in it, as far as forms of words tell; in three words only a helper or a pronoun does."""
    inner = words.split(" ", 1)[-1]
    plain = _HELPER.search(inner) or _SPEAKS.match(words) or _SHORT.match(words)
    return bool(plain or (len(words.split()) > 3 and _INFLECTED.search(inner)))


def _holds_together(words: str, clause: bool) -> bool:
    """Whether a condition is one, and has not swallowed what follows from it."""
    if any(mark in words for mark in (".", ";", ":", "!", "?", "—", "–", " - ", "\n")) and not re.search(
        r"\d[.:]\d|\be\.g\.|\bi\.e\.", words
    ):
        return False
    if clause:
        subject = re.match(r"(?i)(?:only )?(?:in the event(?: that)?|as soon as|provided that|assuming that|\S+)\s+\S+\s+\S+", words)
        return not _RESULT.search(words, subject.end() if subject else 0)
    first_verb = re.search(r"(?i)\b(?:is|are|was|were|has|have|can|will|would|must|should|may)\b", words)
    return first_verb is None or bool(
        re.match(r"(?i)(?:before|after)\b", words) or re.search(r"(?i)\b(?:that|where|which|who)\b", words[: first_verb.start()])
    )


def trailing_condition(text: str) -> str | None:
    """The condition that a step ends with, where it belongs to the main clause: "…, if the vote fails"."""
    found, last = _TRAILING.search(text), None
    while found:
        last, found = found, _TRAILING.search(text, found.start() + 1)
    if last is None or last.start() <= 8 or _LEADING.match(_without_opener(text)):
        return None  # what begins with a condition whose end is not plain to see says nothing for sure behind it
    before, words = text[: last.start()], " ".join(last["condition"].split())
    if (
        _NO_CONDITION.match(words)
        or (_GOVERNED.search(before) and not _SHORT.match(words))
        or _ANOTHER_CLAUSE.search(before)
        or not _balanced(before)
        or not _balanced(words)
    ):
        return None
    if not _has_verb(words):
        return None
    return words if _holds_together(words, True) else None


def condition_of(text: str, start: int = 0, end: int | None = None) -> str | None:
    """The condition of the part [start, end) of a passage: what the passage begins with governs every part of it."""
    part = text[start:end]
    return leading_condition(part) or (leading_condition(text) if start else None) or trailing_condition(part)


def _without_opener(text: str) -> str:
    opener = _BEFORE_CONDITION.match(text)
    return text[opener.end() :] if opener else text.lstrip(" *-–•“\"'(")


_BEFORE_CONDITION = re.compile(
    r"(?i)^\W*(?:(?:and|but|so|also|then|next|now|finally|lastly|first|second|third|additionally|optional(?:ly)?|please|in general|generally|currently|however)\b[\s,:–—-]*)+(?=\S)"
)


def _balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("“") == text.count("”")


# --- whether it may be left out ---------------------------------------------------------------------------------------

_OPTIONAL = re.compile(
    r"(?i)^\W*(?:\(?optional(?:ly)?\b\)?|alternatively\b|feel free\b)|\(optional\)|\b(?:is|are) (?:entirely |purely |also )?optional\b"
    r"|^[^.!?]*\b(?:may|can|could) also\b(?! be (?:found|seen|read|accessed|used|viewed)\b)"
    r"|\b(?:you(?:['’]re| are)? (?:are )?|please )?feel free to\b|\bnot (?:required|obliged|mandatory|necessary) to\b|\bif you (?:like|wish|prefer)\b|\bif you want(?=\s*(?:[,.;)]|$|to (?:be|go|do) (?:extra|sure|safe|more)))"
)


def is_optional(text: str) -> bool:
    return bool(_OPTIONAL.search(text))
