"""Step text: an instruction made of the post's own words by small honest edits. No word that carries meaning is added."""

from __future__ import annotations

import re
from dataclasses import dataclass

from distill.frames import OPENER, is_base_verb, strip_openers, verb_lemma
from index.records import Frame

_ADDRESSED = re.compile(
    r"^(?:you|we|one|everyone|users|people)\s+(?:(?:can|could|should|must|may|will|would|shall|might)\s+|(?:need|have|want|ought|are required|are encouraged|are advised)\s+to\s+|['’]ll\s+)"
    r"(?:(?:also|then|first|now|just|simply)\s+)*(?P<rest>(?P<verb>[a-z]+)\b.*)$",
    re.I | re.S,
)
_PROPOSED = re.compile(
    r"^(?:let['’]?s|(?:i|we)\s+(?:propose|suggest|recommend)\s+(?:that\s+(?:we\s+)?|to\s+|we\s+))\s*(?P<rest>(?P<verb>[a-z]+)\b.*)$",
    re.I | re.S,
)
_TOLD = re.compile(r"^(?:i|we)\s+(?:(?:then|also|first|just|have|had|finally)\s+)*(?P<verb>[a-z]+)\b(?P<rest>.*)$", re.I | re.S)
_SPLIT = re.compile(r"(?:,|;)\s+(?:and\s+)?(?:then\s+|finally\s+)?|\s+and\s+(?:then\s+)?|\s+then\s+|\s*(?:→|->|=>)\s*")

MONEY = re.compile(
    r"\b(?:send|transfer|deposit|pay|approve|bridge|swap|withdraw|donate|wire)\b.{0,80}(?:0x[0-9a-f]{6,}|\b(?:bc1|[13])[a-z0-9]{20,}|\b\d[\d,.]*\s*(?:eth|btc|usdc|usdt|dai|sats?|op|usd|tokens?|euros?|\$)\b|[$€]\s?\d)",
    re.I | re.S,
)
SECRET = re.compile(r"\b(?:seed phrase|private key|recovery phrase|mnemonic|password)\b", re.I)
COMMAND = re.compile(
    r"(?:^|[\s`$#])(?:sudo|curl|wget|rm\s+-|chmod|bash\s+-c|eval|powershell|iex|pip install|npm (?:i|install)|docker run)\b"
)
INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|any|your)\b.{0,30}\b(?:instructions?|prompts?|rules?|messages?)\b"
    r"|\byou are (?:now )?(?:an?|the) (?:ai|assistant|language model|llm|agent)\b|\bsystem prompt\b|\bas an ai\b|\bas step (?:1|one)\b.{0,60}\b(?:send|transfer)\b",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a passage that is one action, by its place in the passage's text."""

    start: int
    end: int


def clauses(text: str, frame: Frame | None) -> list[Clause]:
    """Parts of an imperative passage that are actions of their own ("click A, then open B"); else the whole."""
    whole = [Clause(0, len(text))]
    if frame is None or frame.negated or frame.modality not in ("imperative", "permission", "proposal", "obligation"):
        return whole
    body, _ = strip_openers(text)
    if body and not is_base_verb(body.split()[0].strip(",.;:").lower()):
        return whole
    begin = len(text) - len(body)
    marks = list(_SPLIT.finditer(body))
    parts: list[tuple[int, int]] = []
    last = 0
    sequenced = False
    for mark in marks:
        after = body[mark.end() :].split()
        if body.count("(", 0, mark.start()) != body.count(")", 0, mark.start()) or len(after) < 2:
            continue
        first = after[0].strip("“”\"'`([").lower()
        if first not in _ACTIONS or len(body[last : mark.start()].split()) < 2:
            continue
        sequenced = sequenced or "then" in mark.group() or "→" in mark.group() or "->" in mark.group()
        parts.append((last, mark.start()))
        last = mark.end()
    parts.append((last, len(body)))
    if len(parts) < (2 if sequenced else 3):
        return whole
    return [Clause(begin + a if a else 0, begin + b) for a, b in parts]


# Verbs that open an action of their own after "and" or a comma. The dictionary calls far more words verbs ("green", "end").
_ACTIONS = frozenset(
    "accept add adjust agree announce apply approve archive ask assign attach boot broadcast build burn call cancel cast change check choose claim clear click clone close "
    "collect combine compare compile compute configure confirm connect contact copy count create cut decide declare define delegate delete deploy deposit describe disable "
    "discard disconnect discuss download draft drag draw drop edit elect email enable encrypt ensure enter execute exchange export extract file fill find finish follow "
    "format forward gather generate get give go hand hold import include increase inform insert install introduce invite join keep label launch leave lift list load lock log "
    "look lower make mark measure merge mount move multiply navigate nominate note notify open pass paste pay pick ping place post prepare present press print propose "
    "publish pull push put queue raise read reboot rebuild receive record redeem refresh register reinstall reject reload remove rename repeat replace reply report request "
    "reset resolve restart restore return review revoke rotate run save scan schedule scroll search select send set share sign simulate solder sort specify start stop store "
    "submit sum switch sync tag take talk tap tell test tick tie toggle transfer translate try turn type unlock unplug update upgrade upload use validate verify visit vote wait "
    "watch weigh wipe withdraw wrap write".split()
)


def step_text(text: str, frame: Frame | None) -> str:
    """The passage as an instruction: openers gone, "you should X" → "X", "I deleted X" → "Delete X"."""
    body = text
    if (opener := OPENER.match(body)) and opener.end() < len(body):
        body = body[opener.end() :]
    inner, condition = strip_openers(body)
    head = body[: len(body) - len(inner)] if condition else ""
    clause = inner if condition else body
    for pattern in (_ADDRESSED, _PROPOSED):
        match = pattern.match(clause)
        if match and is_base_verb(match["verb"].lower()):
            clause = match["rest"]
            break
    else:
        if frame and frame.modality == "account" and (told := _TOLD.match(clause)):
            lemma = verb_lemma(told["verb"].lower())
            if lemma and lemma == frame.verb:
                clause = lemma + told["rest"]
    joined = " ".join((head + clause).split()).strip(" ,;:–—-")
    joined = re.sub(r"\s*[.;:,]+$", "", joined)
    return joined[:1].upper() + joined[1:]


def risk_flags(text: str) -> list[str]:
    """What a reader should be warned of: steps that move money, ask for secrets or run commands."""
    flags = []
    if MONEY.search(text):
        flags.append("moves-money")
    if SECRET.search(text):
        flags.append("names-secret")
    if COMMAND.search(text):
        flags.append("runs-command")
    return flags
