"""What many ask and no SOP answers: each a challenge, ready to be posted as a bounty, with the questions as its receipts.

Questions that ask for a way of doing something are found by their form, put together by meaning (everyone within reach of
the question that most others are near), counted by account, and kept where no SOP comes near. From cheap to dear: form,
then vectors, of which those made once are kept beside the release by the hash of their question.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.asked import posts_that_ask, short_replies
from index.plain import blocks_from_json
from index.search import COMMON, Searcher, meaning_bp, telling_words
from index.snapshot import Snapshot
from publish.text import clean, shortened, wrap

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

SCHEMA = "precipitate/challenge/1"
SAME_BP = 6_200  # cosine with the leading question from which another asks the same
ANSWERED_BP = 5_000  # score of the nearest SOP (search's, without the part for words) from which a question counts as answered
MOST_QUESTIONS = 20_000  # the newest; what else there is waits, and is counted
TELLING, TELLING_BACK = 2, 4  # words of its own that a question needs to be understood alone; where it points back to others, more
BLOCK = 1_000  # rows compared at once
POST_KEYS = ("thread", "number", "author", "handle", "permalink", "created", "likes")
UNSAID = ("quote", "code", "table")  # blocks whose words are not the writer's, or no sentences
SHOWN = 5  # quotes of a challenge in the text; --json has all

_SENTENCE = re.compile(r"[^.!?\n]{12,240}\?")
# Asked for oneself or for all: how one does a thing, not how a thing works or what somebody means to do.
_ASKS = re.compile(
    r"\b(?:how (?:do|can|could|should|would|might|did) (?:i|we|one|someone|somebody|anyone|people|newcomers|beginners|a (?:new|normal|regular) )"
    r"|how to |how (?:i|we|one) (?:can|could|should)\b"
    r"|what(?:['’]?s| is| are) the (?:(?:best|right|proper|correct|current|easiest|recommended|exact|next) )?"
    r"(?:process|steps?|procedure|way|workflow|requirements?|path)\b"
    r"|where (?:do|can|should|would) (?:i|we|one)\b|who (?:do|should|can) (?:i|we|one) (?:contact|ask|talk|speak|reach|write|message)"
    r"|is there (?:an?|any) (?:way|guide|process|tutorial|template|documentation|doc|procedure|how-?to|instructions?|checklist|step)\b"
    r"|(?:can|could) (?:some|any)(?:one|body) (?:explain|help|tell|point|walk|show)|any (?:guides?|tutorials?|documentation|docs|instructions)\b"
    r"|what (?:do|should|must) (?:i|we|one) (?:do|need)\b)",
    re.I,
)
_POINTS_BACK = re.compile(r"\b(?:this|that|it|its|these|those|they|them|their|such|he|she)\b", re.I)
# Words that a question may well have and that leave open what it is about.
_VAGUE = frozenset(
    "this that it these those them thing things way best right process step steps possible something anything someone anyone explain help "
    "please know think feel make work sure want need use get see go say really here question like just also more about exactly currently "
    "problem problems issue issues solve solved address addressed achieve achieved handle ensure avoid prevent deal done happen happens "
    "improve change future example case point idea approach solution understand find help".split()
)
_AGREES = re.compile(
    r"\b(?:same (?:question|problem|issue|here)|me too|\+1|i(?:['’]d| would) (?:also )?(?:like|love) to know|(?:i[’']m |i am )?also "
    r"(?:wondering|curious|interested)|wondering the same|any (?:update|news|answer)s?(?: on this)?\?)",
    re.I,
)


def frontier(
    snapshot: Snapshot, searcher: Searcher, kept: Path, most: int, least: int, progress: Callable[[str, int, int | None], None]
) -> list[dict[str, Any]]:
    """Up to `most` challenges that at least `least` accounts asked about, most asked first. `kept` is the file of vectors."""
    questions = questions_of(posts_that_ask(snapshot))[-MOST_QUESTIONS:]
    if not questions:
        return []
    vectors = embed([question["exact"] for question in questions], searcher, kept, progress)
    groups = [group for group in together(questions, vectors) if len({questions[i]["author"] for i in group}) >= least]
    open_ = [(group, near) for group in groups if (near := _nearest(searcher, vectors[group[0]]))["score"] < ANSWERED_BP]
    replies: dict[str, list[dict[str, Any]]] = {}
    for reply in short_replies(snapshot, sorted({questions[i]["thread"] for group, _ in open_ for i in group})):
        if _AGREES.search(reply["plain"]):
            replies.setdefault(reply["thread"], []).append(reply)
    found = [_challenge([questions[i] for i in group], near, replies, searcher) for group, near in open_]
    return sorted(found, key=lambda challenge: (-challenge["asked"], challenge["id"]))[:most]


# --- questions --------------------------------------------------------------------------------------------------------


def questions_of(posts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sentences of the posts, verbatim with their spans, that ask for a way and can be understood by themselves; each only
    where it was said first, in the writer's own words: what a post quotes is not its question."""
    found: dict[str, dict[str, Any]] = {}
    for post in posts:
        for block in blocks_from_json(post["blocks"]):
            if block.kind in UNSAID:
                continue
            for match in _SENTENCE.finditer(post["plain"], block.start, block.end):
                exact = match[0].strip()
                key = " ".join(re.findall(r"\w+", exact.casefold()))
                if key not in found and _ASKS.search(exact) and is_telling(exact):
                    start = match.start() + match[0].index(exact)
                    asked = {"post": post["id"], **{k: post[k] for k in POST_KEYS}}
                    found[key] = {**asked, "start": start, "end": start + len(exact), "exact": exact}
    return list(found.values())


def is_telling(question: str) -> bool:
    words = {word.casefold() for word in telling_words(question).split()} - COMMON
    own = [word for word in words - _VAGUE if len(word) > 2]
    return len(own) >= (TELLING_BACK if _POINTS_BACK.search(question) else TELLING)


def embed(texts: Sequence[str], searcher: Searcher, kept: Path, progress: Callable[[str, int, int | None], None]) -> Vectors:
    """Vectors of shape (len(texts), dimensions). Those made before are read; afterwards the file holds exactly these, by hash
    of their text: it keeps no words, and nothing of what is gone."""
    import numpy as np

    keys = [hashlib.sha256(f"{searcher.model}\n{text}".encode("utf-8", "replace")).hexdigest()[:32] for text in texts]
    known = _read(kept)
    fresh = [i for i, key in enumerate(keys) if key not in known]
    for done, i in enumerate(fresh, start=1):
        known[keys[i]] = searcher.embed([texts[i]])[0]
        if done % 100 == 0 or done == len(fresh):
            progress("frontier", done, len(fresh))
    vectors: Vectors = np.stack([known[key] for key in keys])
    if fresh or len(known) > len(set(keys)):
        _write(kept, {key: known[key] for key in keys})
    return vectors


def _read(path: Path) -> dict[str, Vectors]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            return dict(zip(held["keys"].tolist(), held["vectors"], strict=True))
    except (OSError, ValueError, KeyError, EOFError):
        return {}  # a file that is missing or damaged costs time, nothing else


def _write(path: Path, vectors: Mapping[str, Vectors]) -> None:
    import io

    import numpy as np

    from index.workspace import write_atomic

    held = io.BytesIO()
    np.savez(held, keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, held.getvalue())


def together(questions: Sequence[Mapping[str, Any]], vectors: Vectors) -> list[list[int]]:
    """Groups of questions that ask the same, the leading one first: the one that most other accounts are near, then the
    oldest. No chains: every member is near the leading one."""
    near = _neighbours(vectors)
    askers = [len({questions[j]["author"] for j in row}) for row in near]
    taken: set[int] = set()
    groups = []
    for leader in sorted(range(len(questions)), key=lambda i: (-askers[i], i)):
        if leader not in taken:
            group = [leader, *(j for j in near[leader] if j != leader and j not in taken)]
            taken.update(group)
            groups.append(group)
    return groups


def _neighbours(vectors: Vectors) -> list[list[int]]:
    from index.embed import cosine_bp

    found: list[list[int]] = []
    for first in range(0, len(vectors), BLOCK):
        rows = cosine_bp(vectors[first : first + BLOCK], vectors) >= SAME_BP
        found += [row.nonzero()[0].tolist() for row in rows]
    return found


def _nearest(searcher: Searcher, vector: Vectors) -> dict[str, Any]:
    """The SOP nearest to a question: its score, and what it is."""
    goals, passages = searcher.near_vector(vector[None, :])
    steps: dict[str, int] = {}
    for cosine, _, identifiers in passages:
        for identifier in identifiers:
            steps.setdefault(identifier, cosine)
    near = dict(goals)
    scored = [(meaning_bp(near.get(i, 0), steps.get(i, 0)), i) for i in {*near, *steps}]
    score, identifier = max(scored, key=lambda entry: (entry[0], entry[1]), default=(0, ""))
    return {"score": score, "id": identifier}


# --- challenges -------------------------------------------------------------------------------------------------------


def _challenge(
    group: Sequence[Mapping[str, Any]], near: Mapping[str, Any], replies: Mapping[str, Sequence[Mapping[str, Any]]], searcher: Searcher
) -> dict[str, Any]:
    """One open question as a challenge. `asked` counts accounts, `agreed` those that only said that they wonder, too."""
    askers = {question["author"] for question in group}
    agreeing = {
        reply["author"]: reply
        for question in group
        for reply in replies.get(question["thread"], ())
        if reply["created"] > question["created"] and reply["author"] not in askers
    }
    leading = group[0]
    title = shortened(leading["exact"], 120)
    found = searcher.records([near["id"]]) if near["id"] else {}
    told = {
        "schema": SCHEMA,
        "id": "ask-" + hashlib.sha256(f"{leading['post']}#{leading['start']}".encode()).hexdigest()[:12],
        "title": title,
        "asked": len(askers) + len(agreeing),
        "agreed": len(agreeing),
        "threads": sorted({question["thread"] for question in group}),
        "first": min(question["created"] for question in group),
        "last": max(question["created"] for question in group),
        "likes": sum(question["likes"] for question in group),
        "quotes": [dict(question) for question in group],
        "agreeing": [{key: reply[key] for key in ("id", "author", "handle", "permalink", "created")} for reply in agreeing.values()],
        "nearest": {"id": near["id"], "title": found[near["id"]]["title"], "score": near["score"]} if found else None,
    }
    return {**told, "body": body(told)}


def body(told: Mapping[str, Any]) -> str:
    """The challenge as Markdown, to be posted: who asked, where, and what an answer has to hold."""
    lines = [
        f"**Wanted: the steps.** {told['asked']} people asked this, from {told['first'][:10]} to {told['last'][:10]}, and no SOP answers it yet.",
        "",
    ]
    for quote in told["quotes"][:SHOWN]:
        lines += [f"> {_plain(quote['exact'])}", f"> {_plain(quote['handle'])}, {quote['created'][:10]}, {quote['permalink']}", ""]
    if len(told["quotes"]) > SHOWN:
        lines += [f"and {len(told['quotes']) - SHOWN} more.", ""]
    lines += [
        "An answer is a post with the steps in order, one action each, its verb first, that others can carry out and confirm.",
        f"Challenge {told['id']}.",
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Strangers' words in Markdown that is posted for them: nothing of it is markup, and nobody is called."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~@:-])", r"\\\1", clean(text))


def render_frontier(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "No question that several asked is without an answer here.\n"
    lines: list[str] = []
    for challenge in found:
        lines += list(_lines(challenge))
    return "\n".join(lines).rstrip() + "\n"


def _lines(challenge: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(challenge["title"], f"{challenge['id']}  ", "  ")
    threads = len(challenge["threads"])
    yield f"  asked by {challenge['asked']}, in {threads} {'thread' if threads == 1 else 'threads'}, last {challenge['last'][:10]}"
    for quote in challenge["quotes"][:SHOWN]:
        yield from wrap(f"“{quote['exact']}”", "    ", "      ")
        yield f"      {clean(quote['handle'])}, {quote['created'][:10]}, {clean(quote['permalink'])}"
    if challenge["nearest"]:
        yield from wrap(f"nearest: {challenge['nearest']['id']} {challenge['nearest']['title']}", "  ", "    ")
    yield ""
