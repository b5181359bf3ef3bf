"""Scaffold and amend, first half: one author's best sequence is the skeleton, what others add is attached to it.

Strangers hardly ever restate a step (five pairs in a forum of 4,723 posts), so agreement cannot be counted by
clustering restatements. One post carries the procedure; continuations by its author and steps added by others join it
where they are as sure as they must be to stand outside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from distill.scoring import ScoredPost, ScoredThread

# Basis points of `step_bp` that a passage needs: in the scaffold's post, in other posts of its author, in posts of others.
IN_SCAFFOLD_BP = 3500
FEW_STEPS, LEAST_BP = 5, 1000  # where fewer passages of the post are so sure, the surest FEW_STEPS from LEAST_BP on are taken
SAME_AUTHOR_BP = 6000
OTHER_AUTHOR_BP = 7000
OUTSIDE_BP = 1000  # outside the scaffold's post, what `bp` must be as well
SPEAKING = 8  # surest passages that speak for a post as the scaffold
MOST_STEPS = 40
COMMANDING = ("imperative", "obligation", "permission", "proposal")  # moods of a line that may both act and lead in
EXPECTED_BP = 2500  # the gate's surety times a passage's `step_bp`: the less sure the procedure, the surer its steps must be
RIVAL_STEPS = 4  # steps in a row in one post of another author that make it a sequence of its own


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A passage by place: post in the thread, passage in the post."""

    post: int
    passage: int


@dataclass(frozen=True, slots=True)
class Scaffold:
    post: int
    steps: tuple[Place, ...]  # of the scaffold's post, in its order
    added: tuple[Place, ...]  # in other posts


def weight(post: ScoredPost) -> int:
    """How much a post offers as a scaffold: the sum of its surest passages."""
    return sum(sorted(post.bp, reverse=True)[:SPEAKING])


def find_scaffolds(scored: ScoredThread) -> list[Scaffold]:
    """The thread's best skeleton and its rivals: posts of other authors that hold a whole sequence of their own."""
    best = find_scaffold(scored)
    if best is None:
        return []
    posts = scored.posts
    author = posts[best.post].read.post.author
    by_post: dict[int, list[Place]] = {}
    for place in best.added:
        by_post.setdefault(place.post, []).append(place)
    rivals = [
        number
        for number, places in by_post.items()
        if len(places) >= RIVAL_STEPS and posts[number].read.post.author != author and weight(posts[number]) * 2 >= weight(posts[best.post])
        and places[-1].passage - places[0].passage < 2 * len(places)
    ]  # fmt: skip
    main = Scaffold(best.post, best.steps, tuple(place for place in best.added if place.post not in rivals))
    return [main, *(Scaffold(number, tuple(by_post[number]), ()) for number in rivals)]


def find_scaffold(scored: ScoredThread) -> Scaffold | None:
    """The thread's best skeleton with all that others added, or None where no post has anything like a step."""
    posts = scored.posts
    if not scored.passages_read:
        return None
    best = max(range(len(posts)), key=lambda i: (weight(posts[i]), -i))
    floor = scaffold_floor(posts[best])
    steps = [Place(best, i) for i, bp in enumerate(posts[best].step_bp) if bp >= floor and acts(posts[best], i)]
    author = posts[best].read.post.author
    added: list[Place] = []
    for number, post in enumerate(posts):
        if number != best:
            floor = SAME_AUTHOR_BP if post.read.post.author == author else OTHER_AUTHOR_BP
            added += [Place(number, i) for i, bp in enumerate(post.step_bp) if bp >= floor and post.bp[i] >= OUTSIDE_BP and acts(post, i)]
    return Scaffold(best, tuple(_surest(posts, steps)), tuple(_surest(posts, added)))


def scaffold_floor(post: ScoredPost) -> int:
    """The `step_bp` that a passage of the scaffold's post needs. Lower where few are sure, so that the gate, which sees the
    whole draft, is asked about a short procedure as well; it is the gate that says no."""
    surest = sorted((bp for i, bp in enumerate(post.step_bp) if acts(post, i)), reverse=True)
    if len(surest) < FEW_STEPS:
        return IN_SCAFFOLD_BP
    return min(IN_SCAFFOLD_BP, max(LEAST_BP, surest[FEW_STEPS - 1]))


def pruned(scored: ScoredThread, scaffold: Scaffold, gate_bp: int) -> Scaffold:
    """The scaffold without what is more likely an aside than a step, now that the gate has said how sure the whole is."""

    def sure(place: Place) -> bool:
        return expected(scored.posts[place.post].step_bp[place.passage], gate_bp)

    return Scaffold(scaffold.post, tuple(filter(sure, scaffold.steps)), tuple(filter(sure, scaffold.added)))


def expected(step_bp: int, gate_bp: int) -> bool:
    """Whether a passage is kept as a step: `step_bp` says how sure it is if there is a procedure, `gate_bp` whether there is."""
    return step_bp * gate_bp >= EXPECTED_BP * 10_000


def acts(post: ScoredPost, passage: int) -> bool:
    """No step: a question, and a line that only leads in what follows ("The flow looks like this:")."""
    text = post.passage(passage).text.rstrip("\"'”’)*_ ")
    if text.endswith((":", "：")):
        frame = post.frames[passage]
        return frame is not None and frame.modality in COMMANDING
    return not text.endswith(("?", "？"))


def _surest(posts: tuple[ScoredPost, ...], places: list[Place]) -> list[Place]:
    """At most MOST_STEPS, the surest ones, in reading order."""
    kept = sorted(places, key=lambda p: (-posts[p.post].step_bp[p.passage], p))[:MOST_STEPS]
    return sorted(kept)
