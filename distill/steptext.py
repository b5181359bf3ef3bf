"""Step text: an instruction made of the post's own words by small honest edits. No word that carries meaning is added."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from distill.frames import NOT_IMPERATIVE, is_base_verb, known_word, read_frame, strip_openers, verb_lemma
from distill.polarity import NEGATED_CONJUNCT
from index.records import Frame

# Words of order and courtesy before the instruction. Words that say more ("instead", "ideally", "or", "next week", "just
# before", "in addition to X") stay.
_OPENING = re.compile(
    r"^\s*(?:and(?!/)|but|so(?!-|\s+(?:that|far|long|as|many|much|called)\b)|also|then(?!-)|afterwards?|now(?!-|\s+that\b)|finally|lastly|firstly|secondly|thirdly|(?:first|second|third|next)(?=[,:])"
    r"|first off|first of all|after that|once done|additionally|in addition(?!\s+to\b)|to begin with|to start(?=,|\s+with\b)(?:\s+with\b)?|please|kindly"
    r"|(?:step|phase|stage)\s+(?:\d+|one|two|three|four|five)(?=\s*[:.,)–—-]))\b[\s,:.)–—-]*",
    re.I,
)
# Talk before the instruction that says nothing about it; what bounds it ("generally", "ideally", "no, …") stays.
_TALKED = re.compile(
    r"^\s*(?:yes|yeah|yep|ok(?:ay)?|sure|well|right|basically|essentially|of course|obviously|however|nevertheless|nonetheless|furthermore|moreover|therefore|thus|hence|personally|to be clear"
    r"|in short|in a nutshell|in my (?:opinion|view)|imh?o|tl;?dr)(?:\s*[,:;–—]+\s*|\s+-+\s+)(?=\S)",
    re.I,
)
# "I think the keeper should …" asks for the same as "the keeper should …".
_OPINION = re.compile(
    r"^(?:i|we)(?:['’]d| would)?(?: (?:also|still|strongly|really|personally|just))*\s+(?:think|believe|feel|say|suggest|recommend|propose)(?:\s+that)?\s*[:,]?\s+(?P<rest>\S.*)$",
    re.I | re.S,
)
_ASKED_FOR = re.compile(r"^(?!what\b)(?:\S+\s+){1,10}?(?:should|must|needs? to|has to|have to|ought to)\b", re.I)
_ROUNDABOUT = re.compile(
    r"^(?:(?:the|a|one) (?:best|better|easiest|simplest|safest|right|usual|recommended|correct|quickest) (?:way|thing|practice|option|approach|solution|fix)(?: to do (?:this|that|it|so))?"
    r"|(?:your|the|my|our) (?:only |main )?(?:job|task|trick|fix|solution|suggestion|recommendation|advice))(?: here| now)? (?:is|would be) to\s+(?P<rest>(?P<verb>[a-z]+)\b.*)$",
    re.I | re.S,
)
# "One addition: …", "There should be a step between 3 and 4: …": what announces an instruction behind a colon.
_ANNOUNCED = re.compile(
    r"^(?:(?:please )?note|suggestions?|tip|reminder|proposal|fix|solution|answer|recommendation|p\.?s\.?"
    r"|(?:i['’]d|i would|could i|can i|may i|let me|i want to|i['’]ll|one|another|a|an|there should be|there is|you forgot|we need)\b(?=[^:]{0,70}\b(?:add|addition|steps?|suggestion|thing|tip|idea)\b)[^:.?!]{3,80})"
    r":\s+(?P<rest>\S.*)$",
    re.I | re.S,
)
_OPTIONALLY = re.compile(r"^\s*optionally\b[\s,:–—-]*", re.I)
_ONLY_ORDER = re.compile(
    r"^\s*(?P<word>first|next|simply|just)\s+(?P<rest>(?P<after>[a-z'’]+)\b(?:\s+(?P<then>[a-z'’]+)\b)?.*)$", re.I | re.S
)
_DETERMINERS = frozenset(
    "the a an your our my its their this that these those all any each every it them both whether if what how one".split()
)
_SUBJECTS = frozenset("you we i they he she it the a an".split())
_PHRASAL = frozenset(
    "go look log set sign send start make take get put add open click run read check wait pull press turn talk head".split()
)

_ADDRESSED = re.compile(
    r"^(?P<who>you|we|one|everyone|users|people)\s+(?:(?:(?:will|may|might|should|also)\s+|['’]ll\s+)?(?P<need>need|have|want|ought|are required|are encouraged|are advised)\s+to|(?P<may>can|could|should|must|may|shall))\s+"
    r"(?:(?:also|then|first|now|just|simply)\s+)*(?:(?:need|have)\s+to\s+)?(?P<rest>(?P<verb>[a-z]+)\b.*)$",
    re.I | re.S,
)
_PROPOSED = re.compile(
    r"^(?:let['’]?s|(?:i|we)\s+(?:propose|suggest|recommend)\s+(?:that\s+(?:we\s+)?|to\s+|we\s+))\s*(?P<rest>(?P<verb>[a-z]+)\b.*)$",
    re.I | re.S,
)
_TOLD = re.compile(r"^(?:i|we)\s+(?:(?:then|also|first|just|have|had|finally)\s+)*(?P<verb>[a-z]+)\b(?P<rest>.*)$", re.I | re.S)
# What comes of an action or is in one's head is no action: "you should see a light", "you can find it here", "let's say".
_OUTCOMES = frozenset(
    "be see receive get have hear notice know find end expect need want like love feel wonder think argue imagine guess understand realize realise say assume believe hope".split()
)
_TALK = frozenset("say assume suppose imagine see hope face call be take look consider not pretend".split())
_BE = re.compile(
    r"^be\s+(?:sure|careful|aware|patient|prepared|ready|respectful|mindful|kind|concise|specific|honest|clear|consistent)\b", re.I
)
_THEIRS = re.compile(r"\b(?:their|they|them|themselves|one['’]s)\b", re.I)
# Deeds that are told as news rather than shown for others to repeat; their telling stays in the past.
_DEEDS = frozenset(
    "accept agree announce approve ask burn call claim create declare decide delegate describe discuss draft elect email finish give include increase inform introduce invite leave look lower "
    "make meet nominate note notify pay pick place present propose publish raise receive redeem reject reply report request resolve review see share store submit talk tell try vote weigh write".split()
)
_NEWS = re.compile(
    r"\b(?:(?:during|over|in) (?:this|the (?:last|past|previous))|last (?:week|month|year|season|cycle|night)|this (?:week|month|year|season|cycle|morning)|ago|yesterday|today|recently|so far|already"
    r"|relative to|since|in (?:20\d\d|january|february|march|april|may|june|july|august|september|october|november|december))\b",
    re.I,
)
_NEXT_VERB = re.compile(r"(?:\band\b|\bthen\b|,)\s+(?:(?:and|then|also|finally|later)\s+)*(?P<verb>[a-z]+)\b", re.I)
_SPLIT = re.compile(r"(?:,|;)\s+(?:and\s+)?(?:then\s+|finally\s+)?|\s+and\s+(?:then\s+)?|\s+then\s+|\s*(?:→|->|=>)\s*")
LONGEST_PARTED = 2000  # characters: what is longer is no list of clicks, and stays whole

_VALUE = (
    r"0x[0-9a-f]{6,}|\b(?:bc1|[13])[a-z0-9]{20,}|\b[\w-]+\.eth\b|\b\d[\d,.]*\s*(?:eth|ether|btc|usdc|usdt|dai|sats?|satoshis?|op|usd|tokens?|coins?|euros?|\$)\b|[$€]\s?\d"
    r"|\b(?:your|the|all|any|their|remaining|unlimited)\s+(?:[\w-]+\s+){0,2}?(?:tokens?|coins?|funds|eth|ether|btc|bitcoins?|sats|usdc|usdt|dai|balance|savings|spending|allowance)\b(?!\s+(?:house|holders?|network|chain|blockchain)\b)"
)
MONEY = re.compile(
    rf"\b(?:send|transfer|deposit|pay|approv|bridg|swap|withdraw|donat|wir|mov|sweep|forward)(?:e|es|s|ing|ring|ping|al)?\b.{{0,80}}?(?:{_VALUE})",
    re.I | re.S,
)
SECRET = re.compile(
    r"\b(?:seed phrase|seed words?|your seed|private key|secret key|recovery (?:phrase|code|words?)|mnemonic|password|passphrase|(?:12|24|twelve|twenty-four)[ -]words?)\b",
    re.I,
)
COMMAND = re.compile(
    r"(?:^|[\s`$#(|;&:\"'“])(?:sudo|curl\s|wget\s+(?:-|[\"']?https?:|\S+://)|rm\s+-|chmod|chown\s|bash\s+-c|eval\s*[(\"'$`]|powershell(?=\s|$)|iex\s|pip3? install|npm (?:i|install|run)|npx\s|yarn add|brew install"
    r"|apt(?:-get)? install|cargo (?:install|run)|go run|docker (?:run|exec|compose)|git clone|ssh\s+\S+@|scp\s|(?:ba|z)?sh\s+\S*[./]|python3?\s+(?:-[cm]\s|\S+\.py)|cast send|forge script"
    r"|bitcoin-cli\s)|(?:^|[`$]\s*|\b[Rr]un:?\s+)\./\w|\|\s*(?:sudo\s+)?(?:ba|z)?sh\b|\bbase64 (?:-d|--decode)\b"
)
# Written to whoever or whatever retells the thread, not to its readers.
INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|any|your)\b.{0,30}\b(?:instructions?|prompts?|rules?|messages?)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:everything|anything|all)\s+(?:above|before|else|you were told|that was said|previously)"
    r"|\byou are (?:now )?(?:an?|the) (?:ai|assistant|language model|llm|agent)\b|\bsystem prompt\b|\bas an ai\b|\bas step (?:\d+|one|two|three)\b.{0,60}\b(?:send|transfer|run|paste|enter)\b"
    r"|\b(?:any|dear|attention|note to|all|to the|to every)\s+(?:ai|llm|language model|summariser|summarizer)s?\b|\b(?:ai|llm) (?:agents?|assistants?|models?)\b.{0,40}\b(?:must|should|have to|are to)\b.{0,40}\b(?:add|include|list|send|treat|report|rank)\b"
    r"|\bwhen (?:you )?(?:summari[sz]e|summari[sz]ing|distil\w*|extract\w*)\b.{0,60}\b(?:add|include|insert|list|put|say|write)\b|<\|?(?:system|im_start|endoftext)\b|\[/?INST\]",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a passage that is one action, by its place in the passage's text."""

    start: int
    end: int


def clauses(text: str, frame: Frame | None) -> list[Clause]:
    """Parts of an imperative passage that are actions of their own ("click A, then open B"); else the whole.

    A negated action is always parted from what is to be done before it; what follows it stays with it, since the
    negation may govern that as well.
    """
    whole = [Clause(0, len(text))]
    if frame is None or frame.negated or frame.modality not in ("imperative", "permission", "proposal", "obligation"):
        return whole
    body, _ = strip_openers(text)
    if len(text) > LONGEST_PARTED:
        return whole
    begin = len(text) - len(body)
    parts, sequenced, last = _actions(body) if _opens_with_verb(body) else ([], False, 0)
    conjunct = _negated_conjunct(body)
    if conjunct:
        parts = [part for part in parts if part[1] < conjunct.start()]
        last = parts[-1][2] if parts else 0
        parts = [*parts, (last, conjunct.start(), conjunct.end())]
        last = conjunct.end()
    if len(parts) + 1 < (2 if sequenced or conjunct else 3):
        return whole
    spans = [*((a, b) for a, b, _ in parts), (last, len(body))]
    return [Clause(begin + a if a else 0, begin + b) for a, b in spans]


def _opens_with_verb(body: str) -> bool:
    return not body or is_base_verb(body.split()[0].strip(",.;:").lower())


def _actions(body: str) -> tuple[list[tuple[int, int, int]], bool, int]:
    """(start, end, start of the next) of each action but the last, whether "then" orders them, start of the last."""
    parts: list[tuple[int, int, int]] = []
    last = 0
    sequenced = False
    for mark in _SPLIT.finditer(body):
        after = body[mark.end() :].split()
        if body.count("(", 0, mark.start()) != body.count(")", 0, mark.start()) or len(after) < 2:
            continue
        first = after[0].strip("“”\"'`([").lower()
        if first not in _ACTIONS or len(body[last : mark.start()].split()) < 2:
            continue
        sequenced = sequenced or "then" in mark.group() or "→" in mark.group() or "->" in mark.group()
        parts.append((last, mark.start(), mark.end()))
        last = mark.end()
    return parts, sequenced, last


def _negated_conjunct(body: str) -> re.Match[str] | None:
    """Where "…, don't …" or "… but make sure not to …" begins behind at least two words of something to do."""
    plain = body.translate(_SIGNS).lower()
    found = NEGATED_CONJUNCT.search(plain)
    while found and (
        len(body[: found.start()].split()) < 2
        or plain.count("(", 0, found.start()) != plain.count(")", 0, found.start())
        or not _forbids(body[found.end() :])
    ):
        found = NEGATED_CONJUNCT.search(plain, found.end() + 1)
    return found


def _forbids(part: str) -> bool:
    frame = read_frame(part)
    return bool(frame and frame.negated and frame.modality == "imperative") or _not_to_be_done(part)


def _not_to_be_done(part: str) -> bool:
    """ "… but not click it": the bare verb that a modal of the clause before governs."""
    found = _NOT_VERB.match(part)
    return bool(found and is_base_verb(found["verb"].lower()) and found["verb"].lower() not in NOT_IMPERATIVE)


_SIGNS = str.maketrans("’‘ʼ´`", "'''''")
_NOT_VERB = re.compile(r"not\s+(?P<verb>[a-z]+)\b", re.I)


def clause_frame(text: str, clause: Clause, whole: Frame | None) -> Frame | None:
    """The frame of a part of a passage: its own verb and polarity, under the condition of the whole."""
    part = text[clause.start : clause.end]
    if whole is None or len(part) == len(text):
        return whole
    own = read_frame(part)
    if own is None:
        return replace(whole, negated=_forbids(part))
    return replace(
        own,
        condition=own.condition or whole.condition,
        optional=own.optional or whole.optional,
        negated=own.negated or _not_to_be_done(part),
    )


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
    """The passage as an instruction: openers gone, "you should X" → "X", "I deleted X" → "Delete X".

    What cannot be made an instruction without saying more or less than was said stays as it was said.
    """
    body = _behind_talk(_without_opening(_without_marks(text), frame), frame)
    inner, condition = strip_openers(body)
    head = body[: len(body) - len(inner)] if condition else ""
    clause = inner if condition else body
    if not text.rstrip().endswith("?"):
        clause = _instructed(clause) or _shown(clause, frame) or clause
    joined = _without_marks(" ".join((head + clause).split()))
    joined = re.sub(r"(?:,?\s+(?:and|or|but|then))?\s*[.;:,…]*$", "", joined)
    return _capitalised(joined)


def _behind_talk(text: str, frame: Frame | None) -> str:
    """The instruction behind what only leads up to it: agreement, "I think", "the best way is to", an announcement."""
    for _ in range(3):
        behind = _behind_lead(text)
        if not behind or not behind.strip():
            break
        text = _without_opening(behind, frame)
    return text


def _behind_lead(text: str) -> str | None:
    """What stands behind one such lead; None where there is none, or where something would be lost with it."""
    if talked := _TALKED.match(text):
        return text[talked.end() :]
    if (announced := _ANNOUNCED.match(text)) and _tells(announced["rest"]):
        return announced["rest"]
    if opinion := _OPINION.match(text):
        said = opinion["rest"]
        return said if _ASKED_FOR.match(said) or (":" in text[: opinion.start("rest")] and _tells(said)) else None
    roundabout = _ROUNDABOUT.match(text)
    verb = roundabout["verb"].lower() if roundabout else ""
    return roundabout["rest"] if roundabout and is_base_verb(verb) and verb not in (*_TALK, "be") else None


def _tells(text: str) -> bool:
    """Whether a text begins with a command, behind a condition if it has one."""
    first = (strip_openers(text)[0].split() or [""])[0].strip(",.;:").lower()
    return first in _ACTIONS or (is_base_verb(first) and first not in NOT_IMPERATIVE and text[:1].islower())


def _without_opening(text: str, frame: Frame | None) -> str:
    """The text behind its words of order and courtesy, as long as something stands behind them."""
    for _ in range(6):
        found = _OPENING.match(text) or (_OPTIONALLY.match(text) if frame and frame.optional else None)
        behind = text[found.end() :] if found else _behind_order(text)
        if not behind.strip() or behind == text:
            break
        text = behind
    return text


def _behind_order(text: str) -> str:
    """ "First open the page" → "open the page", but "first veto", "next week" and "just before" are more than order."""
    found = _ONLY_ORDER.match(text)
    if not found:
        return text
    after, then = found["after"].lower(), (found["then"] or "").lower()
    order = found["word"].lower() in ("first", "next")
    told = after in _PHRASAL or (is_base_verb(after) and after not in NOT_IMPERATIVE and (then in _DETERMINERS or not order))
    return found["rest"] if told or (order and after in _SUBJECTS) else text


def _instructed(clause: str) -> str | None:
    """ "You should open it" → "open it"; None where it is no instruction."""
    if found := _ADDRESSED.match(clause):
        verb, must = found["verb"].lower(), bool(found["need"]) or found["may"].lower() in ("must", "shall")
        outcome = verb in _OUTCOMES and not (must and verb != "be") and not _BE.match(found["rest"])
        others = found["who"].lower() not in ("you", "we") and _THEIRS.search(found["rest"])
        return found["rest"] if is_base_verb(verb) and not outcome and not others else None
    found = _PROPOSED.match(clause)
    return found["rest"] if found and is_base_verb(found["verb"].lower()) and found["verb"].lower() not in _TALK else None


def _shown(clause: str, frame: Frame | None) -> str | None:
    """ "I deleted the folder" → "delete the folder"; None where it is news, a finding or more than one deed."""
    found = _TOLD.match(clause)
    if not found or not frame or frame.modality != "account":
        return None
    lemma, rest = verb_lemma(found["verb"].lower()), found["rest"]
    if lemma != frame.verb or lemma not in _ACTIONS or lemma in _DEEDS or rest.lower().startswith(" that ") or _NEWS.search(clause):
        return None
    if any((other := verb_lemma(v["verb"].lower())) and other != v["verb"].lower() for v in _NEXT_VERB.finditer(rest)):
        return None
    return lemma + rest


_BOX = re.compile(r"^(?:\[[ xX]?\]|[☐☑✅✔️]+)\s*")
_ENUMERATOR = re.compile(r"^(?:[(（]?(?:\d{1,2}|[a-z]|[ivx]{1,4})(?:[)]\s|）)|\d{1,2}\.(?=\s+[A-Z“\"])\s)\s*")
_BULLETS = re.compile(r"^(?:[–—•▪‣→>#]+\s*|[-+*_]+\s+|\*+(?!\s)|[,;:]\s*)")


def _without_marks(text: str) -> str:
    """The text without what is left of list marks, emphasis and brackets that do not close."""
    text = text.strip()
    for _ in range(4):
        before = text
        for mark in (_BOX, _BULLETS, _ENUMERATOR):
            text = text[found.end() :] if (found := mark.match(text)) and found.end() < len(text) else text
        if text == before:
            break
    text = re.sub(r"\s+\*+$", "", text.replace("**", "")).rstrip(" ,;:–—-")
    if text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1]
    if text.startswith("(") and text.count("(") > text.count(")"):
        text = text[1:]
    return text.strip()


_CODE = re.compile(r"[_\d.:/@#\\$<>={}\[\]]|\w\(|[a-z][A-Z]")
_CLOSED = frozenset(
    "i a the an if when for and or but by at in on of to as is are we you he she it they this that these those with from no not who what which how why "
    "because although during against unless until upon toward towards onto into whereas whenever whichever via per than since though us them him her its every eg ie".split()
)


def _capitalised(text: str) -> str:
    """A capital at the front, unless it is code, a name of a command or a handle."""
    first = text.split(" ", 1)[0].rstrip(".,;:!?)")
    if first in ("e.g", "i.e"):
        return text[:1].upper() + text[1:]
    return (
        text
        if _CODE.search(first.removesuffix("(s")) or (first.islower() and not _is_word(first.removesuffix("(s")))
        else text[:1].upper() + text[1:]
    )


def _is_word(word: str) -> bool:
    """Whether the dictionary knows a word; names of programs it does not."""
    return word in _CLOSED or not word.isalpha() or known_word(word)


def risk_flags(text: str) -> list[str]:
    """What a reader should be warned of: steps that move money, ask for secrets or run commands."""
    seen = unicodedata.normalize("NFKC", text)
    found = {"moves-money": MONEY, "names-secret": SECRET, "runs-command": COMMAND}
    return [flag for flag, pattern in found.items() if pattern.search(seen)]


def injects(text: str) -> bool:
    """Whether words are aimed at the program that reads them: such a passage is no evidence of anything."""
    return bool(INJECTION.search(unicodedata.normalize("NFKC", text)))
