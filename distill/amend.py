"""Scaffold and amend, second half: what others said of the steps. Duplicates join, additions enter, stances attach.

A voice is counted once per step, never one's own; quoted text is never the quoter's words (passages leave quotes out).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from distill.passages import ReadPost
from distill.scaffold import Place, Scaffold
from distill.scoring import ScoredThread
from distill.steptext import Clause, clause_frame, clauses, injects, risk_flags
from index.plain import fold
from index.records import Frame, Passage, StanceKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from distill.scoring import Encode

    Vectors = npt.NDArray[np.int8]

SAME_STEP_BP = 8300  # cosine of two passages from which they say the same …
SAME_FRAME_BP = 7000  # … and where verb and polarity agree
BESIDE_BP = 6000  # cosine from which an added step stands beside the one it is closest to
# What speaks of a step by meaning alone is near it, and nearer than any other by so much or with so many words in common;
# else it speaks of the whole, since the nearest of a dozen steps is the one meant in one case of seven (0031).
NEAR_STEP_BP, AHEAD_BP, SHARED_WORDS = 5500, 1200, 4
_EMPTY_WORDS = frozenset(
    "the a an and or of to in on for is are be it this that with as by at from not i we you they would should could can will have has if but so what which who there their our your my me do "
    "does more just also about s t".split()
)
ECHO_WORDS = 7  # words from which the same words by two people are no accident ("works for me, thanks" is)
CONTAINED_WORDS = 8  # distinct words from which a sentence that stands whole in another of its author says nothing new
PART_WORDS = 4  # distinct words from which a quote can be told to be part of one step
WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[^\s.!?:] )[A-Z]\w+|\b[A-Za-z]+[A-Z\d]\w*")


# Plain words that outrank the scorer: who writes "I disagree" does not support (docs/decisions/0031-fields.md has what each is worth).
_OBJECTS = re.compile(
    r"\b(?:(?:strongly |i )disagree|(?:do not|don['’]t|cannot|can['’]t) (?:really |fully |quite |personally )?(?:agree|think|believe|like|support)|(?:will not|won['’]t|does not|doesn['’]t|didn['’]t|did not) work"
    r"|object(?:ions?)? to|(?<!as )oppos(?:e|ed)\b|reject(?:ed)?\b|vot(?:e|ed|ing) against|against (?:this|the|it)\b"
    r"|(?:bad|terrible|dangerous|wrong|poor) (?:idea|way|order|place|approach|choice|step|precedent)"
    r"|(?:my|our|main|biggest?|some|one|serious) (?:\w+ )?(?:concern|worry|objection|reservation)s?"
    r"|(?:i['’]m|i am|we are|we['’]re) (?:\w+ )?(?:concerned|worried|s[ck]eptical|afraid|hesitant|against|opposed|not (?:convinced|a fan|comfortable))"
    r"|unnecessary|pointless|overkill|too (?:much|many|long|short|high|low|complex|complicated|strict|vague|early|late|hard|restrictive|risky)|makes? (?:no|zero) sense"
    r"|(?:is|are) not (?:needed|necessary|fair|realistic|feasible))\b",
    re.I,
)
_AGREES = re.compile(
    r"\b(?:(?:that|this|it) (?:all )?worked|worked (?:first|for (?:me|us)|too|fine|great|well)|works (?:great|fine|well|for (?:me|us))|that (?:fixed|solved|did) it|did the trick|that was it"
    r"|(?:fully|totally|completely|strongly) agree|(?:i|we)(?:['’]m| am| are|['’]re)?(?: also| fully| strongly| very much| really| totally)* (?:support|supportive of|in favou?r of|endorse|second)"
    r"|vot(?:e|ed|ing) (?:for|yes|in favou?r)|(?:i|we)(?:['’]d| would)?(?: really| also| definitely| personally| very much)* (?:love|like|appreciate|welcome) (?:this|the|that|your|how|it)"
    r"|(?:great|good|nice|excellent|brilliant|awesome|amazing|fantastic|wonderful|solid|valuable) (?:idea|proposal|initiative|work|job|write-?up|approach|point|suggestion|step|stuff|summary|start|addition|plan"
    r"|framework|experiment|structure)|(?:excited|happy|glad|pleased|delighted|look(?:ing)? forward) (?:to|for|about|that|with))\b|(?:^|\s)\+1\b"
    r"|^\W*(?:(?:i|we|yes|yeah|yep|fully|totally|completely|strongly|absolutely|also|and)[\s,]+)*(?:agree|agreed)\b"
    r"|^\W*(?:thanks?|thank you|great|nice|awesome|love|cool|amazing|excellent|perfect|lgtm|very (?:good|clear|nice|helpful))\b",
    re.I,
)
_ADDS = re.compile(
    r"\b(?:(?:is|are) (?:also )?missing|missing (?:a )?step|a step missing|should also|you also need|one (?:more )?thing to add|(?:would|could|might) (?:also |really |probably )?be (?:\w+ )?(?:nice|great|good|better|helpful|useful|best|ideal)"
    r"|(?:i|we)(?:['’]d| would| might| could)?(?: also| strongly| like to)* (?:suggest|propose|recommend|prefer|advise)|(?:my|one|another) suggestions?)\b",
    re.I,
)


_OTHERWISE = re.compile(
    r"^\W*(?:alternatively|another (?:way|option|approach|route)\b|(?:you|we|one) (?:can|could|may) (?:also|instead)\b)"
    r"|\b(?:as an alternative|(?:can|could|would) instead)\b",
    re.I,
)
MENTION = re.compile(r"(?<![\w.])@([A-Za-z0-9_][\w.-]{0,59})")
_BEFORE_STEP = re.compile(r"\b(?:before|prior to|ahead of) (?:step|point|item|stage|phase|bullet)\b", re.I)
NAMED_STEP = re.compile(r"\b(?:step|point|item|stage|phase|bullet)\s+(?:no\.?\s*|number\s+|#)?(?P<number>\d{1,2})\b", re.I)


@dataclass(slots=True)
class Statement:
    """A clause of a passage that states a step."""

    place: Place
    clause: Clause

    def sort_key(self) -> tuple[Place, int]:
        return (self.place, self.clause.start)


@dataclass(slots=True)
class DraftStep:
    statements: list[Statement]
    frame: Frame | None
    vector: Vectors
    bp: int
    flags: list[str] = field(default_factory=list)
    supporters: set[str] = field(default_factory=set)
    dissenters: set[str] = field(default_factory=set)


@dataclass(slots=True)
class DraftStance:
    kind: StanceKind
    step: int | None  # index into the steps
    place: Place
    span: tuple[int, int] | None = None  # first and last passage that are quoted; None where it is `place` alone


def vectors_of(scored: ScoredThread, places: Sequence[Place], encode: Encode) -> dict[Place, Vectors]:
    """What the passages mean, to tell which say the same."""
    rows = encode([scored.posts[place.post].passage(place.passage).text for place in places])
    return dict(zip(places, rows, strict=True))


def gather_steps(scored: ScoredThread, scaffold: Scaffold, vectors: Mapping[Place, Vectors]) -> list[DraftStep]:
    """Steps of the scaffold in reading order, then what others added, each beside what it is closest to."""
    steps: list[DraftStep] = []
    for place in scaffold.steps:
        for step in _steps_at(scored, place, vectors[place]):
            twin = _twin(scored, step, steps)
            if twin is None:
                steps.append(step)
            else:
                twin.statements += step.statements
                twin.flags = sorted({*twin.flags, *step.flags})
    home = scored.posts[scaffold.post].read.post
    for place in scaffold.added:
        author = scored.posts[place.post].read.post.author
        for step in _steps_at(scored, place, vectors[place]):
            twin = _twin(scored, step, steps)
            if twin is not None:
                if author != home.author and set(step.flags) - set(twin.flags):
                    continue  # nor does it as a restatement that says one thing more
                if author != home.author and not _echoes(scored, step, twin):
                    twin.supporters.add(author)
                twin.statements += step.statements
                twin.flags = sorted({*twin.flags, *step.flags})
            elif author == home.author or not step.flags:  # a stranger's risky step never slips into another's procedure
                beside = _said_beside(scored, step, steps)
                steps.insert(position_of(step, steps) if beside is None else beside, step)
    return steps


def _steps_at(scored: ScoredThread, place: Place, vector: Vectors) -> list[DraftStep]:
    post = scored.posts[place.post]
    passage = post.passage(place.passage)
    if injects(passage.text):
        return []
    frame = post.frames[place.passage]
    found = []
    for clause in clauses(passage.text, frame):
        flags = risk_flags(passage.text[clause.start : clause.end])
        own = clause_frame(passage.text, clause, frame)
        found.append(DraftStep([Statement(place, clause)], own, vector, post.step_bp[place.passage], flags))
    return found


def _twin(scored: ScoredThread, step: DraftStep, steps: Sequence[DraftStep]) -> DraftStep | None:
    """The step that says the same, if any. Clauses of one passage are never twins.

    Whoever says two near things mostly means two things ("generate the public key", "generate the weaker public key"): of
    one author's words only what stands there twice is one step (docs/decisions/0031-fields.md).
    """
    return next((other for other in steps if _near(step, other) and _says_the_same(scored, step, other)), None)


def _near(step: DraftStep, other: DraftStep) -> bool:
    """Whether two steps of different passages mean nearly the same, by the model."""
    if other.statements[0].place == step.statements[0].place or not same_polarity(step.frame, other.frame):
        return False
    near = _cosine(step.vector, other.vector)
    same_verb = bool(step.frame and other.frame and step.frame.verb == other.frame.verb)
    return near >= SAME_STEP_BP or (near >= SAME_FRAME_BP and same_verb)


def distinct_steps(steps: Sequence[DraftStep]) -> int:
    """How many things there are to do: three that are nearly the same ("grants for X", "grants for Y") make no procedure."""
    found: list[DraftStep] = []
    for step in steps:
        if not any(_near(step, other) for other in found):
            found.append(step)
    return len(found)


def _says_the_same(scored: ScoredThread, step: DraftStep, other: DraftStep) -> bool:
    """Whether near vectors mean the same: not where each has a number or name that the other lacks, and of one author
    only where the words are the same."""
    one, two = step.statements[0], other.statements[0]
    new, old = _words_of(scored, one), _words_of(scored, two)
    if any(read(new) - read(old) and read(old) - read(new) for read in (_numbers_in, _names_in)):
        return False
    if scored.posts[one.place.post].read.post.author != scored.posts[two.place.post].read.post.author:
        return True
    words, known = set(WORD.findall(fold(new))), set(WORD.findall(fold(old)))
    shorter, shared = min(len(words), len(known)), len(words & known)
    return shared * 10 >= 8 * max(len(words), len(known)) or (shorter >= CONTAINED_WORDS and shared == shorter)


def _numbers_in(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _names_in(text: str) -> set[str]:
    return set(_NAME.findall(text))


def _words_of(scored: ScoredThread, statement: Statement) -> str:
    passage = scored.posts[statement.place.post].passage(statement.place.passage)
    return passage.text[statement.clause.start : statement.clause.end]


def _echoes(scored: ScoredThread, step: DraftStep, twin: DraftStep) -> bool:
    """Whether a statement is a copy of one that stands: the same words under another name are no other voice."""
    new, *known = (_said(scored, statement) for statement in (step.statements[0], *twin.statements))
    return any(len(new & old) * 10 >= 8 * max(len(new), len(old)) for old in known)


def _said(scored: ScoredThread, statement: Statement) -> set[str]:
    return set(WORD.findall(fold(_words_of(scored, statement))))


def same_polarity(a: Frame | None, b: Frame | None) -> bool:
    return bool(a and a.negated) == bool(b and b.negated)


def _said_beside(scored: ScoredThread, step: DraftStep, steps: Sequence[DraftStep]) -> int | None:
    """Where an added step goes that names another by its number or quotes it: behind it, or before it if it says so."""
    place = step.statements[0].place
    words = _passage_text(scored, place)
    meant = _named(scored, words, steps)
    if meant is None:
        meant = _quoted(scored, place, steps)
        return None if meant is None else meant + 1
    return meant if _BEFORE_STEP.search(words) else meant + 1


def position_of(step: DraftStep, steps: Sequence[DraftStep]) -> int:
    """After the step it is clearly close to in meaning; else where it was said in the thread."""
    near = [(_cosine(step.vector, other.vector), -i) for i, other in enumerate(steps)]
    best = max(near, default=(0, 0))
    if best[0] >= BESIDE_BP:
        return -best[1] + 1
    place = step.statements[0].place
    return sum(other.statements[0].place < place for other in steps)


def _cosine(a: Vectors, b: Vectors) -> int:
    import numpy as np

    left, right = a.astype(np.int64), b.astype(np.int64)
    norms = float((left @ left) * (right @ right)) ** 0.5
    return round(10_000 * float(left @ right) / norms) if norms else 0


@dataclass(frozen=True, slots=True)
class HeardStance:
    """A passage that supports, objects or amends, before it is known of what."""

    kind: StanceKind
    place: Place
    vector: Vectors
    span: tuple[int, int] | None = None  # first and last passage that are quoted with it; None where it stands alone


def outspoken(text: str, kind: StanceKind) -> StanceKind:
    """The stance that the words say outright; else what the scorer took it for."""
    return said_outright(text) or ("alternative" if _OTHERWISE.search(text) else kind)


def said_outright(text: str) -> StanceKind | None:
    """Dissent before what is added before support: "I like it, but I don't think …" objects, "great idea, I'd suggest …" adds."""
    if _OBJECTS.search(text):
        return "dissent"
    if _ADDS.search(text):
        return "amendment"
    return "support" if _AGREES.search(text) else None


def attach_stances(
    scored: ScoredThread,
    scaffold: Scaffold,
    steps: Sequence[DraftStep],
    others: Sequence[DraftStep],
    heard: Sequence[HeardStance],
    leftover: bool,
) -> list[DraftStance]:
    """The stances that speak of these steps rather than of a rival's; with `leftover` also those that speak of no step.

    An author neither supports nor objects to a procedure of their own. Words that stood before, under whatever name, are
    heard once, and risky words of a stranger are not put beside a step that is not as risky itself.
    """
    stances: list[DraftStance] = []
    said: set[str] = set()
    home = scored.posts[scaffold.post].read.post.author
    everything = [*steps, *others]
    for stance in heard:
        if scored.posts[stance.place.post].read.post.author == home and stance.kind != "amendment":
            continue
        text = scored.posts[stance.place.post].passage(stance.place.passage).text
        words = fold(text)
        if words in said:
            continue
        if len(WORD.findall(words)) >= ECHO_WORDS:
            said.add(words)
        step = _spoken_of(scored, stance, everything)
        risks = set(risk_flags(quoted_words(scored, stance)))
        if stance.kind != "dissent" and risks - set(everything[step].flags if step is not None else ()):
            continue
        if step is not None and step < len(steps):
            stances.append(DraftStance(stance.kind, step, stance.place, stance.span))
            _count_voice(scored, steps[step], stance.kind, stance.place)
        elif step is None and leftover:
            stances.append(DraftStance(stance.kind, None, stance.place, stance.span))
    return stances


def quoted_words(scored: ScoredThread, stance: HeardStance) -> str:
    """All that is quoted of a stance: the sentence that carries it and those around it."""
    post = scored.posts[stance.place.post].read
    first, last = stance.span or (stance.place.passage, stance.place.passage)
    return post.post.plain[post.passages[first].start : post.passages[last].end]


def _count_voice(scored: ScoredThread, step: DraftStep, kind: str, place: Place) -> None:
    author = scored.posts[place.post].read.post.author
    first = min(step.statements, key=Statement.sort_key)
    if author != scored.posts[first.place.post].read.post.author:
        if kind == "support":
            step.supporters.add(author)
        elif kind == "dissent":
            step.dissenters.add(author)


def _spoken_of(scored: ScoredThread, stance: HeardStance, steps: Sequence[DraftStep]) -> int | None:
    """The step that a stance is about: the one it names by number, the one it quotes, the one of the post that it
    answers or of the author that it mentions; else the one closest in meaning."""
    place, vector = stance.place, stance.vector
    named = _named(scored, quoted_words(scored, stance), steps)
    if named is not None:
        return named
    quoted = _quoted(scored, place, steps)
    if quoted is not None:
        return quoted
    answered = _answered(scored, place, steps)
    if len(answered) == 1:
        return answered[0]
    return _nearest(scored, place, steps, vector, answered or range(len(steps)))


def _quoted(scored: ScoredThread, place: Place, steps: Sequence[DraftStep]) -> int | None:
    """The first step that is quoted right above: most of its words, or words that are nearly all its own."""
    quotes = [set(WORD.findall(fold(text))) for text in quotes_above(scored.posts[place.post].read, _passage(scored, place))]
    whole = set().union(*quotes)
    for index, step in enumerate(steps if quotes else ()):
        words = set(WORD.findall(fold(_passage_text(scored, step.statements[0].place))))
        if len(words) >= 3 and len(words & whole) * 10 >= len(words) * 7:
            return index
    for quote in quotes:
        parts = [
            i
            for i, step in enumerate(steps)
            if len(quote & set(WORD.findall(fold(_words_of(scored, step.statements[0]))))) * 10 >= len(quote) * 9
        ]
        if len(quote) >= PART_WORDS and len(parts) == 1:
            return parts[0]
    return None


def _nearest(scored: ScoredThread, place: Place, steps: Sequence[DraftStep], vector: Vectors, among: Sequence[int]) -> int | None:
    """The step closest in meaning, where it stands out."""
    ranked = sorted(((_cosine(vector, steps[index].vector), -index) for index in among), reverse=True)
    if not ranked or ranked[0][0] < NEAR_STEP_BP:
        return None
    best = -ranked[0][1]
    if len(ranked) == 1 or ranked[0][0] - ranked[1][0] >= AHEAD_BP:
        return best
    said, stated = (_telling_words(text) for text in (_passage_text(scored, place), _words_of(scored, steps[best].statements[0])))
    return best if len(said & stated) >= SHARED_WORDS else None


def _telling_words(text: str) -> set[str]:
    return set(WORD.findall(fold(text))) - _EMPTY_WORDS


def _passage(scored: ScoredThread, place: Place) -> Passage:
    return scored.posts[place.post].passage(place.passage)


def _passage_text(scored: ScoredThread, place: Place) -> str:
    return _passage(scored, place).text


def _named(scored: ScoredThread, words: str, steps: Sequence[DraftStep]) -> int | None:
    """The step that "step 3" means: the one numbered so where it was said; None where that is none or several."""
    found = NAMED_STEP.search(words)
    if not found:
        return None
    number = int(found["number"])
    meant = {
        index
        for index, step in enumerate(steps)
        if (lead := scored.posts[step.statements[0].place.post].passage(step.statements[0].place.passage)).ordered
        and lead.depth <= 1
        and lead.list_index == number
    }
    return meant.pop() if len(meant) == 1 else None


def _answered(scored: ScoredThread, place: Place, steps: Sequence[DraftStep]) -> list[int]:
    """Steps of the post that is answered, or of whoever is mentioned, where these are not most of the steps anyway."""
    post = scored.posts[place.post].read.post
    named = {name.rstrip(".-_").lower() for name in MENTION.findall(scored.posts[place.post].passage(place.passage).text)}
    for meant in (
        lambda said: post.reply_to is not None and said.id == post.reply_to,
        lambda said: said.handle.lower() in named,
    ):
        found = [i for i, step in enumerate(steps) if any(meant(scored.posts[s.place.post].read.post) for s in step.statements)]
        if found and len(found) * 2 < len(steps):
            return found
    return []


def quoted_before(post: ReadPost, passage: Passage) -> set[str]:
    """Words of the quotes that stand right above a passage's block."""
    return {word for text in quotes_above(post, passage) for word in WORD.findall(fold(text))}


def quotes_above(post: ReadPost, passage: Passage) -> list[str]:
    """The quotes that stand right above a passage's block, the nearest first."""
    quotes: list[str] = []
    for block in reversed(post.post.blocks[: passage.block]):
        if block.kind != "quote":
            if quotes or passage.block - post.post.blocks.index(block) > 3:
                break
            continue
        quotes.append(post.post.plain[block.start : block.end])
    return quotes
