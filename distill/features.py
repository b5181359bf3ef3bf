"""What the scorers see of a passage: hashed words and a few dozen plain facts. No floats that depend on the machine."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

from distill.frames import OPENER, read_frame
from distill.passages import Context, ReadPost, ReadThread
from index.records import Frame, Passage

HASH_BITS = 15
BUCKETS = 1 << HASH_BITS

_TOKEN = re.compile(r"[a-z]+(?:['’][a-z]+)?|\d+|[?!:;@/$%()→]")
_PAST_FIRST = re.compile(r"\b(?:i|we)(?:['’]ve| have| had)?\s+\w+(?:ed|nt|ilt|id|ot|ook|ent|ade)\b", re.I)
_FIRST = re.compile(r"\b(?:i|me|my|mine|i['’]\w+)\b", re.I)
_WE = re.compile(r"\b(?:we|us|our|let['’]s|we['’]\w+)\b", re.I)
_YOU = re.compile(r"\b(?:you|your|yours|you['’]\w+)\b", re.I)
_EPISTEMIC = re.compile(
    r"\b(?:i think|i believe|imo|imho|in my opinion|i guess|perhaps|maybe|seems?|would be|it is|it's|there (?:is|are)|this is|that's|because|since|however|although)\b",
    re.I,
)
_HOWTO = re.compile(
    r"\b(?:how to|steps?|process|procedure|instructions?|guide|workflow|how it works|tutorial|to do this|as follows|the following|follow|stages?|phases?|timeline|what to do|setup|usage|getting started|recipe|protocol)\b",
    re.I,
)
_SPECIFIC = re.compile(
    r"\b(?:will (?:build|deliver|launch|release|develop|hire)|milestones?|deliverables?|budget|our team|roadmap|changelog|release notes|added|fixed|removed)\b",
    re.I,
)
_CODEY = re.compile(r"[{}=<>\\^|]|\w\(\w*\)|0x[0-9a-f]+|\b[A-Z]{2,}_[A-Z_]+\b|OP_\w+|\bEIP-?\d+|\bERC-?\d+|\bBIP-?\d+")


def _bucket(token: str) -> int:
    return zlib.crc32(token.encode()) & (BUCKETS - 1)


def hashed(passage: Passage, context: Context, frame: Frame | None) -> list[int]:
    """Buckets of words, word pairs, openers, frame parts and words of heading and lead-in; no repeats, sorted."""
    tokens = _TOKEN.findall(passage.text.lower())[:60]
    names = [f"w {t}" for t in tokens]
    names += [f"b {a} {b}" for a, b in itertools.pairwise(tokens)]
    names += [f"s{i} {t}" for i, t in enumerate(tokens[:3])]
    names += [f"h {t}" for t in _TOKEN.findall(context.heading.lower())[:12]]
    names += [f"l {t}" for t in _TOKEN.findall(context.lead_in.lower())[-14:]]
    if tokens:
        names.append(f"e {tokens[-1]}")
    if frame:
        names += [f"m {frame.modality}", f"mk {frame.modality} {passage.kind}", f"v {frame.verb}", f"vm {frame.verb} {frame.modality}"]
        if frame.actor:
            names += [f"a {word}" for word in frame.actor.lower().split()[-3:]]
    else:
        names.append("no frame")
    return sorted({_bucket(name) for name in names})


FACTS = (
    "item", "ordered", "list3", "list5", "list10", "nested", "first_in_list", "opening_post", "author_opened", "second_post", "late_post",
    "short", "words8", "words16", "words30", "words50", "question", "colon_end", "no_end_sign", "first_person", "we", "you", "past_first",
    "epistemic", "howto_heading", "howto_lead", "howto_post", "specific_heading", "specific_text", "codey", "url", "negated", "condition",
    "imperative", "obligation", "permission", "proposal", "account", "statement", "hypothetical", "no_frame", "opener", "long_post",
    "short_post", "upper_start", "digit", "parenthesis", "optional", "actor_you", "actor_we", "actor_i", "actor_named", "agenda_title",
    "title_howto", "title_question", "title_update", "list_imperative", "imperative_item",
)  # fmt: skip

_AGENDA = re.compile(
    r"\b(?:agenda|meeting|call #?\d|acd[ce]?|breakout|notes|minutes|recap|summary|roundup|update|report|announc|release|v\d)\b", re.I
)


def facts(thread: ReadThread, post: ReadPost, index: int, frame: Frame | None, list_imperatives: int) -> list[float]:
    """0/1 facts in the order of FACTS (list_imperatives: how many items of the same list start as imperatives)."""
    passage, context = post.passages[index], post.contexts[index]
    text, title = passage.text, thread.thread.title
    count = len(text.split())
    item = passage.kind == "item"
    opener_author = thread.posts[0].post.author
    modality = frame.modality if frame else ""
    actor = (frame.actor or "").lower() if frame else ""
    howto_post, *about_title = _around(post.post.plain[:400], title)
    values = (
        item, passage.ordered, item and context.list_length >= 3, item and context.list_length >= 5, item and context.list_length >= 10,
        passage.depth > 1, item and passage.list_index == 1, post.number == 0, post.post.author == opener_author, post.number == 1, post.number > 5,
        count <= 3, 4 <= count <= 8, 9 <= count <= 16, 17 <= count <= 30, count > 50, "?" in text, text.endswith(":"), text[-1:].isalnum(),
        bool(_FIRST.search(text)), bool(_WE.search(text)), bool(_YOU.search(text)), bool(_PAST_FIRST.search(text)),
        bool(_EPISTEMIC.search(text)), bool(_HOWTO.search(context.heading)), bool(_HOWTO.search(context.lead_in)), howto_post,
        bool(_SPECIFIC.search(context.heading)), bool(_SPECIFIC.search(text)), bool(_CODEY.search(text)), "http" in text or "www." in text,
        bool(frame and frame.negated), bool(frame and frame.condition), modality == "imperative", modality == "obligation",
        modality == "permission", modality == "proposal", modality == "account", modality == "statement", modality == "hypothetical",
        frame is None, bool(OPENER.match(text)), context.of > 30, context.of <= 3, text[:1].isupper(), any(c.isdigit() for c in text),
        "(" in text, bool(frame and frame.optional), actor in ("you", "users", "anyone"), actor.startswith("we"), actor == "i",
        bool(actor) and actor not in ("you", "we", "i", "it", "this", "that", "they"),
        *about_title,
        list_imperatives >= 2, item and modality == "imperative",
    )  # fmt: skip
    return [1.0 if value else 0.0 for value in values]


@lru_cache(maxsize=4096)
def _around(opening: str, title: str) -> tuple[bool, bool, bool, bool, bool]:
    """Facts of the post and the thread, the same for each of its passages."""
    return (
        bool(_HOWTO.search(opening)),
        bool(_AGENDA.search(title)),
        bool(_HOWTO.search(title)),
        "?" in title or title.lower().startswith(("how", "what", "why")),
        bool(re.search(r"\b(?:updat|announc|introduc|about)", title, re.I)),
    )


def read_frames(post: ReadPost) -> list[Frame | None]:
    return [read_frame(passage.text) for passage in post.passages]


def imperatives_by_list(post: ReadPost, frames: Sequence[Frame | None]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for passage, frame in zip(post.passages, frames, strict=True):
        if passage.list_id != -1 and frame and frame.modality == "imperative":
            counts[passage.list_id] = counts.get(passage.list_id, 0) + 1
    return counts
