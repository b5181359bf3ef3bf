"""Goals and titles a person would choose, from the words of the thread; purpose, tools and checks copied or empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from distill.circumstances import without_determiner
from distill.frames import is_base_verb, known_word, verb_lemma
from distill.passages import ReadPost
from distill.steptext import injects

LONGEST_TITLE = 90
LONGEST_ROLE = 6  # words
_TAG = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\](?=\s*\S)|\([^)]{1,25}\)|(?:(?:PRE-?)?(?:FINAL|DRAFT|REVIEW|RFC|RFP|PROPOSAL|DISCUSSION|IDEA|QUESTION|GUIDE|TUTORIAL|ANN|FAQ|UPDATED?|WIP|Solved)|Request for comments?)\s*[:\-–—\]]|#+(?=\s))\s*",
    re.I,
)
_TRAILING_TAG = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]|\((?:feedback|comments?|review|help|input|draft|wip|updated?|rfc)\b[^):]{0,30}\)|\+ (?:feedback|comments|discussion|poll)|(?<![\w#])#\d+)\s*$",
    re.I,
)
_HOWTO = re.compile(
    r"^\s*(?:(?:how|where) to|how (?:do i|do you|do we|can i|can we|can you|should i|should we|we|i)(?!\s+(?:feel|think|know|see|like|want|understand|say|mean)\b)|guide (?:to|for)|a guide to|steps? to|tutorial:?"
    r"|instructions for|what is the best way to|(?:the )?best way to|a (?:simple|quick) way to|(?:(?:a|the|my) )?(?:proposals?|suggestion|request|plan) to)\s+(?=[a-z])",
    re.I,
)
_ASKS_FOR = re.compile(r"^\s*(?:can|could|should|shall|may) (?:we|i|you)\s+(?:please\s+)?(?P<verb>[a-z]+)\b(?=.*\?\s*$)", re.I)
_PROPOSES = re.compile(r"(?<=: )(?:a |the )?(?:proposal|suggestion) to (?P<verb>[a-z]+)\b", re.I)
_GERUND = re.compile(r"^(?P<adverb>[A-Za-z]+ly\s+)?(?P<gerund>[A-Za-z]+ing)(?P<of>\s+of)?(?=\s)", re.I)
_OF_VERBS = (
    "dispose",
    "think",
    "speak",
    "hear",
    "know",
    "learn",
    "get",
)  # "Disposing of X" is to dispose of it, "reclaiming of X" to reclaim it
# "The goal of this guide is to …", "this post describes how to …": what the post itself says that it is for.
_PURPOSE = re.compile(
    r"(?i)^\W*(?:(?:so|and|but|overall|in short|tl;?dr)[\s,:]+)*(?:(?:the|our) (?:main |overall |primary )?(?:goal|purpose|aim|objective|intention)s? (?:of (?:this|these|the) [\w’' -]{2,50} |here )?(?:is|are)\b"
    r"|(?:this|the following) (?:short |quick |step-by-step )?(?:guide|tutorial|how-to|howto|post|thread|topic|proposal|process|procedure|document|runbook|checklist|template|policy|guideline)s?"
    r" (?:(?:is|are) (?:meant|intended|designed|written|here) (?:to|for)|(?:will |should )?(?:explains?|describes?|outlines?|sets? out|shows?|aims?|walks?|helps?|covers?|details?|defines?|establish(?:es)?))\b)"
)
_CHECK = re.compile(
    r"(?i)(?:\byou should (?:now |then )?(?:see|get|have|receive|find)\b|^\W*(?:then |now |finally )?(?:to (?:verify|check|confirm|test)|(?:verify|confirm|check|make sure|ensure) (?:that|whether|if)|if (?:it|everything|all) (?:worked|works|went))\b"
    r"|\b(?:it|this|the \w+) (?:should|will) (?:now |then )?(?:show|say|display|return|print|output|read)\b)"
)
# What somebody must have or be before they begin, said of whoever carries it out.
_NEEDS = re.compile(
    r"(?i)^\W*(?:(?:first|to (?:do this|begin|start|follow along|take part|participate|apply)|for this|before (?:you )?(?:start(?:ing)?|begin(?:ning)?)|in order to [\w ]{3,40})[\s,:]+)?"
    r"(?:(?:you|users?|applicants?|participants?|candidates?|proposers?|members?|teams?|everyone|anyone who [\w ]{3,40})(?:['’]ll| will)? (?:also )?(?:(?:need|require) (?:an?|the|your|at least|access|some|enough|one|two|three|\d)\b"
    r"|(?:must|should|need to|needs to) (?:already |first |also )?(?:have|hold|own|be (?:an?|the|at least|over|able|registered|logged|signed))\b)"
    r"|(?:pre-?)?requisites?\s*(?::|are|is)\s*\S|requirements?\s*:\s*\S|(?:this|the guide|it) assumes (?:that )?you\b|assuming (?:that )?you (?:already )?have\b)"
)
_TOLD = re.compile(r"(?i)\b(?:i|we|my|i['’]\w+|we['’]\w+)\b")
# Programs and sites that many communities use; what else is a tool has to be used in so many words.
_KNOWN_TOOLS = (
    "GitHub|GitLab|Gitea|Codeberg|HackMD|Discord|Discourse|Telegram|Slack|Zoom|Jitsi|Google (?:Docs?|Forms?|Sheets?|Drive|Meet|Calendar)|Notion|Airtable|Char[mM]verse|Snapshot|Gnosis Safe|Etherscan|Blockscout"
    "|MetaMask|WalletConnect|Ledger|Trezor|Coldcard|Sparrow|Electrum|Specter|Hardhat|Truffle|Docker|Kubernetes|Grafana|Prometheus|Dune|Infura|Alchemy|IPFS|Arweave|ENS|Gitcoin|Bitcoin Core|Geth|Nethermind|Besu"
    "|Erigon|Lighthouse|Prysm|Teku|Twitter|YouTube|Eventbrite|Meetup|Loomio|Jupyter|Wireshark"
)
_PARTS = frozenset(
    "and anti as by co de ex for forth in inter intra meta micro mini multi non of off on out per post pre pro re self semi sub super the to trans ultra un up".split()
)
_USED = r"(?:use|uses|using|used|via|through|run|runs|running|install|installing|open|opening|download|downloading|launch|execute|call|calling|invoke)"
_TOOL_NAMES = (
    re.compile(rf"\b(?i:{_USED}|with|in|on|into|to|from|at|an?|the|your|our|its)\s+(?P<name>{_KNOWN_TOOLS})\b(?!['’]s\b)"),
    re.compile(
        r"\b(?i:use|uses|using|run|runs|running|install|installing|open|download|launch)\s+(?i:(?:the|an?|your|our)\s+)?[`“\"']?(?P<name>[A-Z][a-z]+[A-Z][a-z]\w+|[a-z]{2,}(?:-[a-z\d]{2,})+)\b"
    ),
    re.compile(
        r"\b(?i:run|runs|running|call|calls|calling|execute|invoke)\s+(?i:(?:the|an?|your|our)\s+)?[`“\"']?(?P<name>[a-z]{2,}(?:_[a-z\d]{3,})+)\b"
    ),
    re.compile(r"(?<![\w/.@-])(?P<name>[\w-]{2,40}\.(?:py|sh|js|ts|exe|toml|ya?ml|json|csv|conf|service))\b"),
    re.compile(
        r"(?:https?://|(?<![\w/.@-])(?=(?:[\w-]+\.)+(?:org|com|io|net|xyz|dev|app|eth\.limo)\b))(?:www\.)?(?P<name>(?:[\w-]+\.)+[a-z]{2,6})(?![\w.-]*\.(?:jpe?g|png|gif|webp|svg)\b)(?!\S*\.(?:jpe?g|png|gif|webp|svg)\b)"
    ),
)


def goal_of(title: str, heading: str) -> str:
    """The thread's title as a goal: tags, "how to" and "a proposal to" gone, a leading gerund as an imperative."""
    text = _without_tags(title)
    if (asked := _ASKS_FOR.match(text)) and is_base_verb(asked["verb"].lower()):
        text = text[asked.start("verb") :]
    elif (howto := _HOWTO.match(text)) and howto.end() < len(text):
        text = text[howto.end() :]
    elif (proposes := _PROPOSES.search(text)) and is_base_verb(proposes["verb"].lower()):
        text = f"{text[: proposes.start()]}{_upper(text[proposes.start('verb') :])}"
    text = _imperative(text).strip(" ?!.:-–—")
    if len(text.split()) < 2 and heading:
        text = f"{text}: {heading}" if text else heading
    text = _upper(text)
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1].rsplit(" ", 1)[0].rstrip(" ,;:-–—") + "…"


def title_of_rival(goal: str, heading: str, number: int) -> str:
    """The title of a further procedure of the same thread: its section's heading tells it apart, else its number does."""
    heading = " ".join(heading.split()).strip(" :.-–—#*")
    distinct = 2 <= len(heading.split()) <= 8 and not injects(heading) and heading.casefold() not in goal.casefold()
    return f"{goal} ({heading if distinct else number})"


def _without_tags(title: str) -> str:
    text = title.strip()
    while (tag := _TAG.match(text)) and tag.end() < len(text):
        text = text[tag.end() :]
    while (tag := _TRAILING_TAG.search(text)) and len(text[: tag.start()].split()) > 1:
        text = text[: tag.start()]
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    if text.count("[") != text.count("]"):
        text = text.replace("[", " ").replace("]", " ")
    return " ".join(text.split())


def _imperative(text: str) -> str:
    """ "Flashing a node" → "Flash a node", "reading and signing it" → "read and sign it"; what is presented stays a name:
    "Introducing Committees" → "Committees", "Exploding Keys - a construction" as it is."""
    found = _GERUND.match(text)
    lemma = verb_lemma(found["gerund"].lower()) if found else None
    if not found or not lemma or lemma == found["gerund"].lower():
        return text
    rest = text[found.end() :].lstrip()
    if lemma in ("introduce", "announce", "present"):
        return rest
    if re.match(r"[A-Z]\w+s?\s+[-–—:]", rest):
        return text
    words = rest.split()
    if len(words) > 2 and words[0].lower() in ("and", "or") and words[1].lower().endswith("ing"):
        rest = " ".join([words[0], verb_lemma(words[1]) or words[1], *words[2:]])
    of = "of " if found["of"] and lemma in _OF_VERBS else ""
    return f"{found['adverb'] or ''}{lemma} {of}{rest}"


def _upper(text: str) -> str:
    """A capital at the front, unless it is a name that has its capital inside."""
    first = text.split(" ", 1)[0]
    return text if first[:1].islower() and any(c.isupper() for c in first) else text[:1].upper() + text[1:]


def purpose_of(post: ReadPost, steps: set[int]) -> str | None:
    """The first sentence before or amid the steps in which the post says what it is for, verbatim; None where none does."""
    last = max(steps, default=len(post.passages))
    for index, passage in enumerate(post.passages[: last + 1]):
        text = passage.text.rstrip()
        if index in steps or not 6 <= len(text.split()) <= 45 or text.endswith((":", "?")) or not text[:1].isupper():
            continue
        if _PURPOSE.search(text):
            return _one_line(text)
    return None


def checks_of(post: ReadPost, steps: set[int]) -> list[str]:
    """How one sees that it worked: sentences beside or behind the steps."""
    return _matching(post, steps, _CHECK, range(min(steps, default=0), max(steps, default=0) + 4))


def preconditions_of(post: ReadPost, steps: set[int]) -> list[str]:
    """What must be there before one begins: sentences before or amid the steps."""
    return _matching(post, steps, _NEEDS, range(max(steps, default=0) + 1))


def _matching(post: ReadPost, steps: set[int], pattern: re.Pattern[str], where: range) -> list[str]:
    """At most three sentences that say so of whoever carries it out: no questions, tales of one's own or mere lead-ins."""
    found = [
        p.text
        for i, p in enumerate(post.passages)
        if i in where
        and i not in steps
        and 3 <= len(p.text.split()) <= 40
        and not p.text.rstrip().endswith((":", "?"))
        and not _TOLD.search(p.text)
        and pattern.search(p.text)
    ]
    return [_one_line(text) for text in found[:3]]


_ANYBODY = frozenset("people person anyone anybody everyone everybody someone somebody nobody".split())  # who does a step, but no role


def roles_of(actors: Iterable[str | None]) -> list[str]:
    """Who takes part, as the steps name them, each once whatever its article, number and capitals."""
    seen: dict[str, str] = {}
    for actor in filter(None, actors):
        bare = without_determiner(actor)
        words = bare.split()
        if not words or len(words) > LONGEST_ROLE or bare.casefold() in _ANYBODY:
            continue
        if bare == actor and words[0][1:].islower() and all(word.islower() for word in words[1:]) and known_word(words[0].lower()):
            bare = bare[:1].lower() + bare[1:]  # a capital of the sentence's beginning
        key = bare.casefold().removesuffix("s")
        seen[key] = min(seen.get(key, bare), bare, key=lambda words: (words[:1].isupper(), len(words), words))
    return sorted(seen.values(), key=lambda words: (words.casefold(), words))


def tools_of(texts: Sequence[str], own_host: str = "") -> list[str]:
    """Programs, files and sites that the steps use. A compound of plain words ("two-step") is no name of a program, and the
    forum itself is no tool."""
    seen: dict[str, str] = {}
    for text in texts:
        for pattern in _TOOL_NAMES:
            for match in pattern.finditer(text):
                name = match["name"]
                plain = "-" in name and "." not in name and all(part in _PARTS or known_word(part) for part in name.split("-"))
                if not plain and name.casefold() != own_host.casefold():
                    seen.setdefault(name.casefold(), name)
    return sorted(seen.values())[:8]


def _one_line(text: str) -> str:
    return " ".join(text.split())
