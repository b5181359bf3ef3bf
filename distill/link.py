"""Across threads: copies joined with the earliest as origin, alternatives linked, neighbours found in FAISS.

FAISS nominates by goal and by the mean of the steps; frames, words and vectors of the steps decide what is a copy, words
and vectors of the goals what is an alternative. Similarity of goals alone never joins anything: general embeddings find
topics, not actions. What embeddings do not see is asked of the words: a step that names another network, another number
or the opposite act is another step (docs/decisions/0008-same-goal.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from distill.drafts import MOST_CITATIONS, unpack
from distill.frames import verb_lemma

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]

Pair = tuple[int, int]

NEIGHBOURS = 12
NOMINATE_BP = 4000  # goals' cosine from which two drafts are compared step by step
NOMINATE_STEPS_BP = 6500  # the same for the means of their steps: a copy may stand under another title
SAME_STEP_BP = 7200
SAME_VERB_STEP_BP = 6600
LOOSER_BP = 700  # how much lower these bars are where nearly every step has its like
VERBATIM_STEP_BP = 9500
# Tenths of the steps of the shorter and of the longer draft that must match: a draft that shares a few steps with a
# long one is no copy of it.
COPY_OF_SHORTER, COPY_OF_LONGER, NEARLY_ALL = 6, 4, 8
FEWEST_SHARED = 3
AGREEING = 3  # steps that match for each step that is near and yet says something else
ALTERNATIVE_BP = 8000  # likeness of goals, half words and half vectors, from which two procedures are alternatives
RIVAL_BP = 6000  # cosine of the means of their steps from which two procedures of one thread are ways to the same goal

_GRAMMAR = frozenset(
    "a an and are as at be by can do for from how i if in into is it its my of off on or our out that the their then this to up via was we what when "
    "which will with you your".split()
)
_SHOUTED = frozenset("all always any before first must never no not now only please should stop".split())  # in capitals for stress
_MONTH = r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may(?=[ .,]*\d)|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_MARK = re.compile(rf"#(?!\d)|(?<![^\W_])v?\d[\d.]*|\b(?:{_MONTH})\b", re.I)
_NUMBERED_NAME = re.compile(r"\b[A-Z]{2,}s?[ ‐‑–-]?\d+")  # "ABC-123" names a thing, it is no place in a series
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: n for n, word in enumerate(_UNITS)} | {word: n * 10 for n, word in enumerate(_TENS, 2)}
_NUMBER = re.compile(rf"\d+(?:[.,]\d+)*|\b(?:(?:{'|'.join(_TENS)})-(?:{'|'.join(_UNITS[1:10])})|{'|'.join(_VALUES)})\b", re.I)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Capital letters inside a sentence or inside a word: at its beginning they say nothing.
_NAME = re.compile(r"(?<=[^\s.!?:] )[A-Z][^\W_]+|\b[^\W_]+[A-Z][^\W_]*")
_OPPOSITES = frozenset(
    frozenset(pair.split("/"))
    for pair in (
        "accept/refuse accept/reject add/delete add/remove allow/forbid allow/block approve/reject approve/revoke attach/detach begin/end bind/release "
        "buy/sell close/open connect/disconnect create/delete create/destroy decrease/increase decrease/raise deposit/withdraw disable/enable "
        "download/upload enter/exit enter/leave export/import freeze/thaw give/take grant/revoke hide/show include/exclude join/leave lend/borrow "
        "lock/release lower/raise mint/burn pause/resume push/pull reduce/increase reduce/raise send/receive start/stop subscribe/cancel support/oppose"
    ).split()
)
_UNDOING = ("un", "dis", "de")


@dataclass(slots=True)
class Linked:
    """A draft that stands for itself and its copies."""

    draft: dict[str, Any]
    alternatives: set[int]  # indices of linked drafts
    copies: list[int]


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal in words: what it is about, the names in it, and the numbers and dates that tell one of a series from the next."""

    words: frozenset[str]
    names: frozenset[str]
    marks: frozenset[str]


def link(drafts: Sequence[dict[str, Any]]) -> dict[int, Linked]:
    """Index of each draft that stands → what it is linked to. Drafts that are copies are folded into their origin."""
    if not drafts:
        return {}
    goals = [read_goal(draft["goal"], _names(step["text"] for step in draft["steps"])) for draft in drafts]
    pairs = nominate(drafts)
    origins = find_origins(drafts, goals, sorted(pairs))
    standing: dict[int, Linked] = {}
    for i in in_time(drafts, range(len(drafts))):
        if origins[i] == i:
            standing[i] = Linked(drafts[i], set(), [])
        else:
            entry = standing[origins[i]]
            entry.draft = _fold(entry.draft, drafts[i])
            entry.copies.append(i)
    weights = rarity([goal.words for goal in goals])
    for (a, b), bp in sorted(pairs.items()):
        left, right = origins[a], origins[b]
        alike = rivals(drafts, a, b) if _one_thread(drafts, a, b) else same_goal_bp(goals[a], goals[b], weights, bp) >= ALTERNATIVE_BP
        if left != right and alike:
            standing[left].alternatives.add(right)
            standing[right].alternatives.add(left)
    return dict(sorted(standing.items()))


def nominate(drafts: Sequence[dict[str, Any]]) -> dict[Pair, int]:
    """Pairs of drafts worth comparing → cosine of their goals in basis points: neighbours by goal, and by what is done."""
    import numpy as np

    from index.embed import cosine_bp

    goals = np.array([np.frombuffer(unpack(d["goal_vector"]), dtype=np.int8) for d in drafts])
    doing = np.array([_mean_step(d, goals.shape[1]) for d in drafts])
    pairs = neighbours(goals, NOMINATE_BP)
    for a, b in neighbours(doing, NOMINATE_STEPS_BP):
        pairs.setdefault((a, b), int(cosine_bp(goals[[a]], goals[[b]])[0, 0]))
    return pairs


def neighbours(rows: Vectors, least_bp: int) -> dict[Pair, int]:
    """(i, j) with i < j → cosine in basis points, for the nearest NEIGHBOURS of each row of int8 vectors."""
    from index import vectors

    near = vectors.build([f"{i:08d}" for i in range(len(rows))], rows).search(rows, NEIGHBOURS)
    return {
        (min(i, int(name)), max(i, int(name))): bp for i, hits in enumerate(near) for name, bp in hits if int(name) != i and bp >= least_bp
    }


def _mean_step(draft: dict[str, Any], dimensions: int) -> Vectors:
    """The direction of all steps together; zero, which is near to nothing, where no step has a vector."""
    import numpy as np

    total = np.zeros(dimensions)
    for vector in filter(None, draft["step_vectors"]):
        total += np.frombuffer(unpack(vector), dtype=np.int8)
    found: Vectors = np.rint(127 * total / max(float(np.linalg.norm(total)), 1.0)).astype(np.int8)
    return found


def find_origins(drafts: Sequence[dict[str, Any]], goals: Sequence[Goal], pairs: Iterable[Pair]) -> list[int]:
    """For each draft the index of the earliest draft that it is a copy of, or its own.

    What is the same nearly to the word is joined through any number of hands. A paraphrase must be like the origin
    itself: along a chain of likenesses one procedure turns into another.
    """
    parent = list(range(len(drafts)))
    likely: list[set[int]] = [set() for _ in drafts]
    for a, b in pairs:
        kind = copied(drafts[a], drafts[b])
        if kind == "word for word":
            parent[_root(parent, a)] = _root(parent, b)
        elif kind == "in great part" or (kind and (_one_thread(drafts, a, b) or not at_odds(goals[a], goals[b]))):
            likely[a].add(b)
            likely[b].add(a)
    place = {i: n for n, i in enumerate(in_time(drafts, range(len(drafts))))}
    first: dict[int, int] = {}
    for i in place:
        first.setdefault(_root(parent, i), i)
    stands: dict[int, int] = {}
    for i in first.values():
        stands[i] = min((j for j in likely[i] if stands.get(j) == j), key=lambda j: place[j], default=i)
    return [stands[first[_root(parent, i)]] for i in range(len(drafts))]


def _one_thread(drafts: Sequence[dict[str, Any]], a: int, b: int) -> bool:
    """Rival sequences of one thread have its goal, whatever it is called."""
    return bool(drafts[a]["thread"] == drafts[b]["thread"])


def rivals(drafts: Sequence[dict[str, Any]], a: int, b: int) -> bool:
    """Whether two procedures of one thread are ways to one goal: those that do quite different things only share the title."""
    import numpy as np

    from index.embed import cosine_bp

    dimensions = len(unpack(drafts[a]["goal_vector"]))
    means = np.array([_mean_step(drafts[i], dimensions) for i in (a, b)])
    return int(cosine_bp(means[:1], means[1:])[0, 0]) >= RIVAL_BP


def in_time(drafts: Sequence[dict[str, Any]], indices: Iterable[int]) -> list[int]:
    """The earliest said first."""
    return sorted(indices, key=lambda i: (said_at(drafts[i]), drafts[i]["thread"], i))


def said_at(draft: dict[str, Any]) -> str:
    """When the draft's first words were said."""
    return min(str(c["created"]) for step in draft["steps"] for c in step["citations"])


def copied(a: dict[str, Any], b: dict[str, Any]) -> str | None:
    """How one draft is a copy of the other by its steps: "word for word", "in great part" (word for word, too), "paraphrase"
    or None, where they have too little in common. A copy may have changed a step or two, but then goals must not be at odds."""
    shorter, longer = sorted((len(a["steps"]), len(b["steps"])))
    much = max(shorter * COPY_OF_SHORTER, longer * COPY_OF_LONGER)
    matched = match_steps(a, b)
    if len(matched.pairs) * 10 < much:
        much, matched = longer * NEARLY_ALL, match_steps(a, b, LOOSER_BP)
    if len(matched.pairs) < max(FEWEST_SHARED, AGREEING * matched.clashes) or len(matched.pairs) * 10 < much:
        return None
    if not matched.clashes and matched.verbatim >= FEWEST_SHARED and matched.verbatim * 10 >= much:
        return "word for word" if matched.verbatim * 10 >= longer * NEARLY_ALL else "in great part"
    return "paraphrase"


@dataclass(frozen=True, slots=True)
class Matched:
    """Pairs of steps that say the same, best first; how many of them nearly to the word; how many others are near and differ."""

    pairs: list[Pair]
    verbatim: int
    clashes: int


def match_steps(a: dict[str, Any], b: dict[str, Any], looser_bp: int = 0) -> Matched:
    """Steps of one draft matched with those of another, one to one, best first. The same verb lowers the bar."""
    found: list[Pair] = []
    differing: list[Pair] = []
    verbatim = 0
    said = _said(a), _said(b)
    for bp, i, j in _near_steps(a, b):
        one, other = a["step_verbs"][i], b["step_verbs"][j]
        if bp + looser_bp < (SAME_VERB_STEP_BP if one and one == other else SAME_STEP_BP) or any(i == x or j == y for x, y in found):
            continue
        if _differ(a, i, b, j, said):
            differing.append((i, j))
        else:
            found.append((i, j))
            verbatim += bp >= VERBATIM_STEP_BP
    clashes = [(i, j) for i, j in differing if all(i != x and j != y for x, y in found)]
    return Matched(found, verbatim, len(clashes))


def _near_steps(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[int, int, int]]:
    """(cosine in basis points, step of a, step of b), nearest first. Steps without a vector are near to none."""
    import numpy as np

    from index.embed import cosine_bp

    rows = [i for i, v in enumerate(a["step_vectors"]) if v]
    columns = [j for j, v in enumerate(b["step_vectors"]) if v]
    if not rows or not columns:
        return []
    left = np.array([np.frombuffer(unpack(a["step_vectors"][i]), dtype=np.int8) for i in rows])
    right = np.array([np.frombuffer(unpack(b["step_vectors"][j]), dtype=np.int8) for j in columns])
    table = cosine_bp(left, right)
    pairs = ((int(table[r, c]), i, j) for r, i in enumerate(rows) for c, j in enumerate(columns))
    return sorted(pairs, key=lambda t: (-t[0], t[1], t[2]))


def _differ(a: dict[str, Any], i: int, b: dict[str, Any], j: int, said: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Whether two steps say different things in spite of near vectors: one says not to, or the opposite, or each names its own.

    What the other draft says elsewhere is not one's own: who copies a guide after it was amended takes the new number along.
    """
    left_negated, right_negated = (d.get("step_negated", [False] * len(d["steps"])) for d in (a, b))
    if left_negated[i] != right_negated[j] or opposite(a["step_verbs"][i], b["step_verbs"][j]):
        return True
    one, other = a["steps"][i]["text"], b["steps"][j]["text"]
    return any(apart(read(one) - said[1], read(other) - said[0]) for read in (_names_in, _numbers))


def _said(draft: dict[str, Any]) -> frozenset[str]:
    """All names and numbers of a draft, in its steps and in what was said of them."""
    texts = [step["text"] for step in draft["steps"]] + [stance["citation"]["exact"] for stance in draft["stances"]]
    return frozenset(mark for text in texts for mark in _names_in(text) | _numbers(text))


def _names_in(text: str) -> frozenset[str]:
    return _names([text])


def opposite(one: str, other: str) -> bool:
    """Whether two verbs undo each other: "lock" and "unlock", "deposit" and "withdraw"."""
    shorter, longer = sorted((one, other), key=len)
    return frozenset((one, other)) in _OPPOSITES or (len(shorter) > 2 and any(longer == prefix + shorter for prefix in _UNDOING))


def apart(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether each has something of its own: "Arbitrum" and "Optimism", "10" and "3". More on one side only is no difference."""
    return bool(one - other and other - one)


def _names(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for text in texts for name in _NAME.findall(text)) - _GRAMMAR - _SHOUTED


@lru_cache(maxsize=50_000)
def _numbers(text: str) -> frozenset[str]:
    """Values of the numbers in a text, written in digits or as words."""
    return frozenset(_value(match) for match in _NUMBER.findall(text.lower()))


def _value(number: str) -> str:
    parts = number.split("-")
    return str(sum(_VALUES[part] for part in parts)) if parts[0] in _VALUES else number.replace(",", "")


def read_goal(text: str, names: frozenset[str] = frozenset()) -> Goal:
    """The words of a goal as lemmas. Its names have a capital letter inside, or at their head where not every long word
    has one, or are `names` known from elsewhere."""
    words = [word for word in _WORD.findall(text) if word.casefold() not in _GRAMMAR]
    small = any(len(word) > 3 and word.islower() for word in words[1:])
    named = {w for n, w in enumerate(words) if any(c.isupper() for c in w[1:]) or (small and n and w[0].isupper()) or w.casefold() in names}
    return Goal(frozenset(map(_lemma, words)), frozenset(map(_lemma, named)), _marks(text))


def _marks(text: str) -> frozenset[str]:
    """Numbers as they stand, months by their first three letters, and "#" for a number that is not there."""
    found = [mark.casefold().strip(".") for mark in _MARK.findall(_NUMBERED_NAME.sub(" ", text))]
    return frozenset(mark.removeprefix("v") if any(c.isdigit() for c in mark) else mark[:3] for mark in found)


def _lemma(word: str) -> str:
    word = word.casefold()
    plain = word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
    return verb_lemma(plain) or plain


def at_odds(a: Goal, b: Goal) -> bool:
    """Whether goals are different ones whatever their likeness: another instalment of a series, another name, the opposite act."""
    series = bool(a.marks and b.marks) and (a.marks != b.marks or "#" in a.marks)
    undone = any(opposite(one, other) for one in a.words - b.words for other in b.words - a.words)
    return series or undone or bool(a.names - b.words and b.names - a.words)


def rarity(goals: Sequence[frozenset[str]]) -> dict[str, int]:
    """Weight of each word: a hundred times the binary logarithm of how rare it is among the goals, in whole numbers."""
    count = Counter(word for words in goals for word in words)
    return {word: _log2_percent(len(goals) + 1, n) for word, n in count.items()}


def same_goal_bp(a: Goal, b: Goal, weights: Mapping[str, int], cosine_bp: int) -> int:
    """Likeness of two goals: half by their words, half by the cosine of their vectors; 0 where they are at odds."""
    return 0 if at_odds(a, b) else (words_bp(a.words, b.words, weights) + cosine_bp) // 2


def words_bp(a: frozenset[str], b: frozenset[str], weights: Mapping[str, int]) -> int:
    """The share of the weight of all words that lies on those that both have."""
    whole = sum(weights[word] for words in (a, b) for word in words)
    return 10_000 * 2 * sum(weights[word] for word in a & b) // max(whole, 1)


def _log2_percent(whole: int, part: int) -> int:
    """Exact: ⌊100 · log2(whole / part)⌋."""
    return (whole**100 // part**100).bit_length() - 1


def _fold(origin: dict[str, Any], copy: dict[str, Any]) -> dict[str, Any]:
    """The origin with the copy's words as later statements of its steps. A copy is no new voice: support stays."""
    steps = [dict(step) for step in origin["steps"]]
    for i, j in match_steps(origin, copy, LOOSER_BP).pairs:
        seen = {(c["post"], c["start"]) for c in steps[i]["citations"]}
        later = [c for c in copy["steps"][j]["citations"] if (c["post"], c["start"]) not in seen]
        steps[i] = {**steps[i], "citations": [*steps[i]["citations"], *later][:MOST_CITATIONS]}
    return {**origin, "steps": steps, "copied_in": sorted({*origin.get("copied_in", []), copy["thread"]} - {origin["thread"]})}


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def clusters(goal_vectors: Sequence[bytes]) -> list[int | None]:
    """HDBSCAN group of each goal, None for noise: what people browse by."""
    import numpy as np

    if len(goal_vectors) < 6:
        return [None] * len(goal_vectors)
    from hdbscan import HDBSCAN

    points = np.array([np.frombuffer(v, dtype=np.int8) for v in goal_vectors]).astype(np.float64)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    labels = HDBSCAN(min_cluster_size=3, min_samples=2, cluster_selection_method="leaf", core_dist_n_jobs=1).fit_predict(points)
    return [int(label) if label >= 0 else None for label in labels]
