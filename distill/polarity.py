"""Polarity: whether the main action of a clause is forbidden, needless or denied. Plain patterns, no model.

A negation counts only for the clause that it governs: in "if you do not have X, do Y" Y is to be done, and so it is in
"don't forget to do Y". Where it stands matters less: "send it to no one" forbids as much as "don't send it".
"""

from __future__ import annotations

import re

READ = 600  # characters of a passage in which its main clause is looked for: a wall of text must stay cheap
_SIGNS = str.maketrans("’‘ʼ´`", "'''''", "*_")
_BARE = re.compile(r"\b(do|does|did|is|are|was|were|should|must|can|ca|could|would|wo|have|has|need)'?n'?t\b")
_IS = re.compile(r"\b(it|that|there|here|what)'s\b")
_ARE = re.compile(r"\b(you|we|they)'re\b")
_AUX = r"(?:do|does|did|is|are|was|were|am|be|have|has|had|can|could|may|might|must|shall|should|will|would|need|needs|ought)"
_BOUND = r"(?! (?:later|more|less|fewer|matter|problem|doubt|longer|worries)\b)"  # "no later than Friday" bounds, it does not deny
_NONE = rf"(?:no one|no-one|nobody|none|nothing|no\b{_BOUND})"
_WORDS = r"(?:(?!and |but |then |that |who |which )[\w'-]+ )"

# What follows stands in a clause of its own, whose negation is not the main one's.
_SUBORDINATE = re.compile(
    r"\s(?:if|unless|when|whenever|once|while|because|since|so that|so|in case|as long as|although|though|even if|which|who|whose|where|until|before|after"
    r"|that (?:is|are|was|were|do|does|did|have|has|had|can|could|will|would|should|must|may|fails?|never|no longer)|what|whatever|why|how)\b"
)
_COURTESY = r"(?:(?:please|kindly|just|simply|also|then|so|and|but|really) )*"
_NEGATOR = rf"(?:do(?:es)?(?: not|n'?t)|never|not\b(?! only\b| merely\b)|avoid|refrain from|under no circumstances|stop \w+ing|(?:make sure|be sure|ensure|be careful|take care|try)\b[^.;,]{{0,60}}?\b(?:not|never|{_NONE}|\w+n'?t))\b"
NEGATED_CONJUNCT = re.compile(rf"(?:[,;]\s*(?:(?:and|but|or|then)\s)?|\s(?:and|but)\s)\s*(?={_COURTESY}{_NEGATOR})")

# A negation of what would be left undone: do it. `verb` is what is to be done.
_REMINDER = re.compile(
    r"\b(?:not|cannot|never)\s+(?:ever\s+)?(?:forget|hesitate|fail|neglect|omit|be (?:afraid|shy|scared))\s+to\s+(?P<verb>[a-z-]+)"
    r"|\b(?:not|cannot) hurt to\s+(?P<harmless>[a-z-]+)|^\W*why (?:not|do not (?:we|you))\s+(?P<asked>[a-z-]+)|\bno reason (?:why )?not to\s+(?P<reasoned>[a-z-]+)"
    r"|^\W*(?:do )?not (?:only|merely)\s+(?P<only>[a-z-]+)"
)

_DENIALS = (
    # at the head: "never …", "under no circumstances …", "nobody …", "no member may …"
    re.compile(
        rf"^\W*{_COURTESY}(?:do not(?! only\b| merely\b)|never|avoid|refrain from|(?:stop|quit|cease|hold off on) \w+ing|under no|at no|on no account|in no case|by no means|not until"
        r"|not (?:everyone|everybody|all|every)|nobody|no one|no-one|none|nothing|neither|no need|let'?s not|let us not)\b"
    ),
    re.compile(rf"^\W*no\b{_BOUND} (?:[\w-]+ ){{1,4}}(?:{_AUX})\b"),
    # an assurance: "make sure … not …"; "check that … is not …"
    re.compile(
        rf"^\W*{_WORDS}{{0,6}}?(?:make sure|be sure|ensure|note|remember|take care|careful|try|see to it|(?:check|verify|confirm) that)\b[^.;,]{{0,60}}?\b(?:not|never|{_NONE})\b"
    ),
    # "ask them not to …", "it is better not to …"
    re.compile(rf"^(?!.*\bnot to\b.*\bbut (?:rather |also )?to\b)\W*{_WORDS}{{0,6}}?(?<!or )not to\b(?! mention\b)"),
    re.compile(rf"^\W*{_WORDS}{{0,5}}?no (?:need|reason|point)\b|^\W*there (?:is|are|(?:should|must|may|can|will|shall) be) no\b{_BOUND}"),
    re.compile(
        rf"^\W*{_WORDS}{{0,8}}?(?:is|are|be) (?:\w+ly )?(?:forbidden|prohibited|disallowed|discouraged|banned|unnecessary|(?:a )?(?:mistake|bad idea|unwise|unsafe|dangerous) to)\b"
    ),
    re.compile(
        rf"^\W*{_WORDS}{{0,6}}?(?:should|must|(?:need|have|try|best|better|important|want|ought) to) (?:avoid|refrain from|stop \w+ing)\b"
    ),
    re.compile(rf"^\W*{_WORDS}{{1,5}}fail(?:s|ed)? to [a-z]"),
    re.compile(r"\b(?:suggest|recommend|propose|advise)\s+(?:(?:that )?(?:we|you|they) )?(?:not|against|never|do not)\b"),
    re.compile(r"^\W*how about\b[^,;]{0,20}\bnot\b"),
    # late: "… to no one", "change nothing", "… under no circumstances", "send it? never!"
    re.compile(
        rf"\b(?:to|with|for|by) (?:no one|no-one|nobody|none)\b|^\W*[a-z]+ (?:neither|{_NONE})(?=\W*$| [a-z])|\bunder no circumstances\b|\bin no (?:event|way|case)\b"
    ),
    re.compile(r"\?\s*(?:no|never|do not)\b"),
)
# In statements a "not" before the verb denies it; behind it, or behind "that", it belongs to something else.
_STATED = re.compile(
    rf"^\W*(?!what\b|whoever\b|why\b)(?:(?!(?<!think)(?<!propose)(?<!suggest)(?<!recommend) that | and (?:{_AUX}|cannot) )[^,;:?.]){{0,80}}?"
    rf"\b(?:{_AUX} (?:\w+ly )?not\b(?! only\b| merely\b)|cannot|no longer|never)(?!\S)"
)
_NEGATIVE = re.compile(rf"\b(?:not|cannot|never|{_NONE}|neither|nor|avoid|without|unless|refrain)\b")
_ASIDE = re.compile(r"(?<=\S)\s*\([^()]*\)")
_CONDITIONAL = re.compile(r"^\W*(?:if|unless|when|whenever|once|while|because|since|as long as|although|though|in case|should)\b")
_BOUNDARY = re.compile(r"[.;:—–!?]\s+|,\s+(?:but|and|so|then|we|you|they|the|it|this|any)\s")


# Most passages negate nothing; only those that hold one of these are looked at more closely.
_HINT = re.compile(
    r"\bno(?:t|ne|body|thing|r)?\b|\bn(?:ever|either)\b|cannot|n['’‘ʼ´`]t\b|do'nt|\b(?:do|does|did|is|are|was|were|should|must|ca|could|would|wo|have|has|need)nt\b|avoid|refrain|stop|quit|cease|hold off|fail|forbid|prohibit|disallow|discourage|banned|mistake|bad idea|un(?:necessary|wise|safe)|dangerous|against",
    re.I,
)


def plain_signs(text: str) -> str:
    """Lower case, one kind of apostrophe, contractions of "not" written out, single spaces: what the patterns read."""
    lowered = " ".join(text.translate(_SIGNS).lower().split())
    return _ARE.sub(r"\1 are", _IS.sub(r"\1 is", _BARE.sub(_written_out, lowered))).replace("can not", "cannot")


def _written_out(found: re.Match[str]) -> str:
    return {"ca": "can", "wo": "will"}.get(found[1], found[1]) + " not"


def negations(text: str) -> list[str]:
    """The words of a text that negate, in order."""
    return _NEGATIVE.findall(plain_signs(text))


def main_part(text: str) -> str:
    """The main clause, without what is subordinate or a negated action of its own, as the patterns read it."""
    plain = plain_signs(text[:READ])
    conjunct = NEGATED_CONJUNCT.search(plain, 1)
    plain = plain[: conjunct.start()] if conjunct else plain
    if _CONDITIONAL.match(plain):
        return ""
    plain = _ASIDE.sub("", plain)
    subordinate = _SUBORDINATE.search(plain, 1)
    return plain[: subordinate.start()] if subordinate and not plain.startswith(("not until", "why ")) else plain


def reminds(text: str) -> str | None:
    """The verb of what is to be done in "don't forget to …", "it can't hurt to …", "why not …"; else None."""
    found = _REMINDER.search(main_part(text)) if _HINT.search(text, 0, READ) else None
    return next((verb for verb in found.groups() if verb), None) if found else None


def denies(clause: str, place: int) -> bool:
    """Whether the action whose verb ends at `place` of a clause is negated, seen within its own part of the clause."""
    if not _HINT.search(clause, 0, READ):
        return False
    begin = max((found.end() for found in _BOUNDARY.finditer(clause[:READ]) if found.end() < place), default=0)
    part = main_part(clause[begin:])
    if any(pattern.search(part) for pattern in _DENIALS):
        return True
    return not _CONDITIONAL.match(part) and bool(_STATED.search(main_part(clause[begin : max(place, 0)])))


def denial(clause: str) -> tuple[str, str] | None:
    """What stands up to the end of the main negation of a clause and what behind it, None where there is no negation."""
    if not _HINT.search(clause, 0, READ):
        return None
    part = main_part(clause)
    found = next((match for pattern in (*_DENIALS, _STATED) if (match := pattern.search(part))), None)
    return (part[: found.end()], part[found.end() :]) if found else None
