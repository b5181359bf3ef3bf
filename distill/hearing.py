"""Hearing what others say of a procedure: which sentences of which replies support it, object to it or amend it.

A reply takes a stance by what it answers as much as by its words. So each passage outside the procedure is seen with its
cues (and those of its neighbours), its relation to the procedure (who answers whom, what is quoted, how near it is to
a step), the scorers' facts, and its meaning. One linear scorer says whether it is a stance, another of which kind. Trained
by bench/stances.py; what it was trained on and how it measured stands in distill/weights/stances.json.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from distill.amend import MENTION, NAMED_STEP, WORD, HeardStance, outspoken, quoted_before
from distill.features import FACTS
from distill.passages import ReadPost, ReadThread
from distill.scaffold import Place
from distill.scorers import STANCES, to_bp
from distill.scoring import ScoredThread
from distill.steptext import injects
from index.plain import fold

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.scoring import Encode

    Floats = npt.NDArray[np.float64]
    Vectors = npt.NDArray[np.int8]

WEIGHTS = "stances.npz"
HEARD_BP = 2300  # surety from which a passage is taken for a stance: F1 is flat from 1500 to 2300, precision is not (docs/decisions/0016)
MOST_STANCES = 24
MOST_HEARD = 64  # passages of one thread that are encoded to be heard: the likeliest by everything but their meaning
MOST_WORDS = 60  # of a stance with the sentences around it: what is longer is no quote
READ = 600  # characters of a passage in which cues are looked for

CUES = {
    name: re.compile(pattern, re.I)
    for name, pattern in {
        "votes": r"\bvot(?:e|ed|ing)\b.{0,25}\b(?:for|in favou?r|yes|against|no|abstain)\b|\b(?:in favou?r of|for|against) this proposal\b",
        "sense": r"\bmakes? (?:a lot of |total |perfect |more |good |much )?sense\b|\breasonable\b|\bfair (?:point|enough)\b|\bgood point\b",
        "praised idea": r"\b(?:great|good|nice|excellent|interesting|brilliant|cool|solid|valid|important|awesome|amazing|fantastic|wonderful) (?:idea|proposal|initiative"
        r"|work|job|write-?up|post|approach|point|suggestion|step|stuff|summary|start|addition|plan|framework)\b",
        "fond": r"\b(?:i|we)(?:['’]d| would)?(?: also| really| definitely| personally)* (?:love|like|appreciate|support|endorse|welcome|agree|second|favou?r)\b",
        "glad": r"\b(?:excited|happy|glad|pleased|delighted|look(?:ing)? forward|keen)\b",
        "worked": r"\b(?:works?|worked|solved|fixed|helped|did the trick|thanks?)\b",
        "concern": r"\b(?:concerns?|worr(?:y|ies|ied)|afraid|s[ck]eptical|hesitant|reservations?|downsides?|drawbacks?|risks?|problems?|issues?)\b",
        "refuses": r"\b(?:disagree|not (?:agree|convinced|sure|a fan|clear|necessary|needed|enough|the (?:right|best))|oppos\w+|against|reject\w*|bad|wrong|terrible|unnecessary"
        r"|pointless|harmful|dangerous|miserable|too (?:much|many|long|short|high|low|complex|complicated|strict|vague|early|late|big|small|hard))\b",
        "but first": r"^\W*(?:but|however|although|though|that said|on the other hand|unfortunately|i don['’]t|i do not|no,|nope|not sure|why)\b",
        "yes first": r"^\W*(?:yes|yeah|yep|agreed?|\+1|absolutely|exactly|definitely|indeed|love|nice|great|good|awesome|thanks|thank you|lgtm|cool|amazing|this is|i agree|fully"
        r"|totally|strongly)\b",
        "would": r"\b(?:would|could|might) (?:be )?(?:also |really |probably )?(?:nice|great|good|better|helpful|useful|best|ideal|prefer|suggest|propose|recommend|add|love|like)\b",
        "suggests": r"\b(?:i|we)(?:['’]d| would| might| could)?(?: also| strongly| like to)*\s+(?:suggest|propose|recommend|add|prefer|advise|argue|urge|request|encourage)\b"
        r"|\bmy suggestions?\b|\bsuggestions?:",
        "ought": r"\b(?:should|must|need to|needs to|has to|have to)\b",
        "instead": r"\b(?:instead|rather than|alternative(?:ly)?|another (?:way|option|approach)|why not|how about|what about|what if)\b",
        "maybe": r"\b(?:maybe|perhaps|possibly|consider|ideally)\b",
        "thinks": r"\b(?:i|we) (?:think|believe|feel|guess|suspect|don['’]t think|do not think|doubt|find)\b|\b(?:imo|imho|in my (?:opinion|view))\b",
        "changed": r"\b(?:updated?|edit(?:ed)?|added|adding|changed|incorporated|removed|included?|clarif\w+|revised|amend\w+)\b",
        "of this": r"\b(?:this|these|your|the|op['’]?s?) (?:proposal|idea|approach|process|suggestion|framework|plan|change|draft|initiative|template|guide|solution|post|step|rule"
        r"|requirement|eip|erc|design|scheme|mechanism)s?\b",
        "you": r"\b(?:you|your|you['’](?:re|ve))\b",
        "asks": r"\b(?:could|can|would) you\b|\bwhy (?:do|did|is|are|not|would)\b",
        "not": r"\b(?:not|never|no|cannot)\b|n['’]t\b",
        "reasons": r"\b(?:because|since|therefore|so that|which means|otherwise|as it)\b",
        "if": r"\bif\b",
        "link": r"https?://|www\.",
        "digit": r"\d",
        "greets": r"^\W*(?:hi|hey|hello|gm|dear|welcome|@\w+)\b",
        "unless": r"\b(?:but|except|unless|only if|provided|as long as)\b",
        "question": r"\?",
        "numbered": NAMED_STEP.pattern,
        "praise": r"\b(?:thanks?|thank you|thx|appreciate|great|good|nice|excellent|love|like|awesome|fantastic|amazing|perfect|well done|helpful|useful|valuable|aligned|lgtm)\b",
        "doubt": r"\b(?:however|but|problem|issue|risk|unclear|unsure|against|(?:would|should|do|does|ca|wo|is)n['’]?t|not|difficult|confus\w+|why)\b",
        "own": r"\b(?:i|we|my|our)\b",
    }.items()
}
# Cues that say nothing by themselves: what holds no other is quoted around a stance, but never taken for one.
MUTE = frozenset(("link", "digit", "greets", "if", "reasons", "numbered", "own"))
AROUND = ("", "before: ", "after: ", "post: ", "near: ")  # cues of the passage, its neighbours, mean of its post, any within two
RELATIONS = (
    "nearest step", "second nearest", "mean of steps", "words of a step", "answers the procedure", "answers a step", "answers nobody", "next post",
    "by its author", "by the opener", "after it", "distance", "first passage", "second passage", "last passage", "place in post", "passages",
    "below a quote", "post quotes", "quotes a step", "quotes the post", "mentions its author", "mentions somebody", "list in post", "item", "likes",
    "words", "author's first post", "author of a step", "staff", "posts", "procedure opens",
)  # fmt: skip
SEEN = (*RELATIONS, *(prefix + cue for prefix in AROUND for cue in CUES), *(f"fact: {name}" for name in FACTS))


@dataclass(frozen=True, slots=True)
class Ears:
    """Linear scorers over SEEN and the components of the sentence vector: (rows of weights, bias last)."""

    seen: Floats  # (len(SEEN) + 1,): without the meaning, to choose what is worth encoding
    stance: Floats  # (len(SEEN) + 384 + 1,)
    kinds: Floats  # (3, len(SEEN) + 384 + 1), in the order of STANCES; for a passage that is a stance


@cache
def load_ears() -> Ears:
    import numpy as np

    with resources.files("distill").joinpath("weights", WEIGHTS).open("rb") as file, np.load(file) as arrays:
        ears = Ears(*(arrays[name].astype(np.float64) for name in ("seen", "stance", "kinds")))
    if ears.seen.shape != (len(SEEN) + 1,):
        raise ValueError(f"weights of stances see {ears.seen.shape[0] - 1} features, the code {len(SEEN)}: train again (bench/stances.py)")
    return ears


def margins(rows: Floats, weights: Floats) -> Floats:
    """Log-odds of each row; `weights` has the bias last."""
    found: Floats = rows @ weights[..., :-1].T + weights[..., -1]
    return found


@dataclass(frozen=True, slots=True)
class Spoken:
    """The procedure that stances are about: the post that carries it, and its steps with their meaning."""

    home: int
    steps: Mapping[Place, Vectors]


def hear_stances(scored: ScoredThread, spoken: Spoken, homes: set[int], encode: Encode) -> list[HeardStance]:
    """Support, dissent and amendments outside the scaffolds' posts, the surest MOST_STANCES in reading order.

    A stance comes with the sentences around it in its paragraph, up to MOST_WORDS: its reason is part of it.
    """
    import numpy as np

    ears = load_ears()
    places = [
        Place(number, index)
        for number, post in enumerate(scored.posts)
        if number not in homes
        for index, passage in enumerate(post.read.passages)
        if Place(number, index) not in spoken.steps and not injects(passage.text)
    ]
    if not places or not spoken.steps:
        return []
    blind = margins(see_places(scored, spoken, places, None), ears.seen)
    chosen = sorted(range(len(places)), key=lambda row: (-float(blind[row]), places[row]))[:MOST_HEARD]
    likely = sorted(places[row] for row in chosen)
    vectors = encode([scored.posts[p.post].passage(p.passage).text for p in likely])
    rows = np.hstack([see_places(scored, spoken, likely, vectors), vectors.astype(np.float64) / 127])
    surety = audible(scored.read, dict(zip(likely, to_bp(margins(rows, ears.stance)), strict=True)))
    kinds = dict(zip(likely, margins(rows, ears.kinds).argmax(1), strict=True))
    meaning = dict(zip(likely, vectors, strict=True))
    found = []
    for place, last in runs(scored.read, surety)[:MOST_STANCES]:
        words = scored.posts[place.post].passage(place.passage).text
        found.append(HeardStance(outspoken(words, STANCES[int(kinds[place])]), place, meaning[place], last))
    return sorted(found, key=lambda stance: stance.place)


def audible(read: ReadThread, surety: Mapping[Place, int]) -> dict[Place, int]:
    """The same surety, but below HEARD_BP for passages without a cue: of those that would be heard one in six is a stance."""
    found = {}
    for place, bp in surety.items():
        text = read.posts[place.post].passages[place.passage].text
        cued = any(cue.search(text, 0, READ) for name, cue in CUES.items() if name not in MUTE)
        found[place] = bp if cued else min(bp, HEARD_BP - 1)
    return found


def runs(read: ReadThread, surety: Mapping[Place, int]) -> list[tuple[Place, tuple[int, int]]]:
    """(surest passage, (first, last) of the sentences that are quoted with it), the surest first; each passage once."""
    left = set(surety)
    found = []
    for best in sorted(surety, key=lambda place: (-surety[place], place)):
        if surety[best] < HEARD_BP:
            break
        if best not in left:
            continue
        post = read.posts[best.post]
        first = last = best.passage
        left.discard(best)
        while True:
            beside = [
                place
                for place in (Place(best.post, first - 1), Place(best.post, last + 1))
                if place in left and _one_quote(post, min(first, place.passage), max(last, place.passage))
            ]
            if not beside:
                break
            joined = max(beside, key=lambda place: (surety[place], -place.passage))
            left.discard(joined)
            first, last = min(first, joined.passage), max(last, joined.passage)
        found.append((best, (first, last)))
    return found


def _one_quote(post: ReadPost, first: int, last: int) -> bool:
    """Whether passages are short enough together to be quoted as one, in one paragraph."""
    start, end = post.passages[first], post.passages[last]
    return start.block == end.block and len(WORD.findall(post.post.plain[start.start : end.end])) <= MOST_WORDS


# --- what is seen of a passage --------------------------------------------------------------------------------------


def see_places(scored: ScoredThread, spoken: Spoken, places: Sequence[Place], vectors: Vectors | None) -> Floats:
    """SEEN of each place, of shape (places, len(SEEN)); without vectors nothing is known of how near a step is."""
    import numpy as np

    cues = {number: cues_of(scored.posts[number].read) for number in sorted({place.post for place in places})}
    near = _nearness(vectors, list(spoken.steps.values())) if vectors is not None else np.zeros((len(places), 3))
    relations = _Relations(scored.read, spoken)
    rows = [
        [*near[row], *relations.of(place), *_around(cues[place.post], place.passage), *scored.posts[place.post].facts[place.passage]]
        for row, place in enumerate(places)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(SEEN))


def cues_of(post: ReadPost) -> Floats:
    """Which cues each passage of a post holds, of shape (passages, CUES)."""
    import numpy as np

    rows = [[bool(cue.search(passage.text, 0, READ)) for cue in CUES.values()] for passage in post.passages]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(CUES))


def _around(cues: Floats, place: int) -> list[float]:
    nothing = [0.0] * len(CUES)
    before = cues[place - 1] if place else nothing
    after = cues[place + 1] if place + 1 < len(cues) else nothing
    return [*cues[place], *before, *after, *cues.mean(0), *cues[max(0, place - 2) : place + 3].max(0)]


def _nearness(vectors: Vectors, steps: Sequence[Vectors]) -> Floats:
    """Cosine with the nearest step, the second nearest, and their mean."""
    import numpy as np

    from index.embed import cosine_bp

    close = np.sort(cosine_bp(vectors, np.array(steps)), axis=1) / 10_000
    second = close[:, -2] if close.shape[1] > 1 else np.zeros(len(close))
    return np.column_stack([close[:, -1], second, close.mean(1)])


class _Relations:
    """How passages of a thread stand to a procedure in it."""

    def __init__(self, read: ReadThread, spoken: Spoken) -> None:
        self.posts, self.home = read.posts, spoken.home
        self.carrier, self.opener = read.posts[spoken.home].post, read.posts[0].post.author
        self.words = [_words(read.posts[p.post].passages[p.passage].text) for p in spoken.steps]
        self.all_words = {word for words in self.words for word in words}
        self.post_words = _words(self.carrier.plain)
        self.step_posts = {read.posts[place.post].post.id for place in spoken.steps}
        self.step_authors = {read.posts[place.post].post.author for place in spoken.steps}
        self.handles = {post.post.handle.lower() for post in read.posts}
        self.firsts: set[int] = set()
        met: set[str] = set()
        for post in read.posts:
            if post.post.author not in met:
                self.firsts.add(post.number)
            met.add(post.post.author)
        self.shared = {number: self._of_post(read.posts[number]) for number in range(len(read.posts))}

    def _of_post(self, post: ReadPost) -> dict[str, float]:
        said, to = post.post, post.post.reply_to
        quotes = [block for block in said.blocks if block.kind == "quote"]
        quoted = {word for block in quotes for word in _words(said.plain[block.start : block.end])}
        named = {name.rstrip(".-_").lower() for name in MENTION.findall(said.plain[:3000])}
        return {
            "answers the procedure": to == self.carrier.id or (to is None and self.home == 0),
            "answers a step": to in self.step_posts,
            "answers nobody": to is None,
            "next post": post.number == self.home + 1,
            "by its author": said.author == self.carrier.author,
            "by the opener": said.author == self.opener,
            "after it": post.number > self.home,
            "distance": min(10, abs(post.number - self.home)) / 10,
            "passages": math.log1p(len(post.passages)),
            "post quotes": bool(quotes),
            "quotes the post": len(quoted & self.post_words) / len(quoted) if quoted else 0.0,
            "mentions its author": self.carrier.handle.lower() in named,
            "mentions somebody": bool(named & self.handles),
            "list in post": any(passage.kind == "item" for passage in post.passages),
            "likes": math.log1p(said.likes),
            "author's first post": post.number in self.firsts,
            "author of a step": said.author in self.step_authors,
            "staff": said.staff,
            "posts": math.log(len(self.posts)),
            "procedure opens": self.home == 0,
        }

    def of(self, place: Place) -> list[float]:
        """RELATIONS of a passage but the first three, which its meaning says."""
        post = self.posts[place.post]
        passage = post.passages[place.passage]
        words, last = _words(passage.text), len(post.passages) - 1
        quoted = quoted_before(post, passage)
        own = {
            "words of a step": max((len(words & step) / max(1, min(len(words), len(step))) for step in self.words), default=0.0),
            "first passage": place.passage == 0,
            "second passage": place.passage == 1,
            "last passage": place.passage == last,
            "place in post": place.passage / max(1, last),
            "below a quote": bool(quoted),
            "quotes a step": len(quoted & self.all_words) / len(quoted) if quoted else 0.0,
            "item": passage.kind == "item",
            "words": min(60, len(passage.text.split())) / 60,
        }
        known = self.shared[place.post] | own
        return [float(known[name]) for name in RELATIONS[3:]]


def _words(text: str) -> set[str]:
    return set(WORD.findall(fold(text)))
