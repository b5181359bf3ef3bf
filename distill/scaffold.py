"""Scaffold and amend, first half: one author's best sequence is the skeleton, what others add is attached to it.

Strangers hardly ever restate a step (five pairs in a forum of 4,723 posts), so agreement cannot be counted by
clustering restatements. One post carries the procedure; continuations by its author and steps added by others join it
where they are as sure as they must be to stand outside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from distill.scoring import ScoredPost, ScoredThread

# Basis points a passage needs: in the scaffold's post, in other posts of its author, in posts of others.
IN_SCAFFOLD_BP = 800
SAME_AUTHOR_BP = 2000
OTHER_AUTHOR_BP = 3000
# … and this share of the mean of the scaffold's four surest passages.
RELATIVE_BP = 4000
PLAIN_BP = 1500  # what a passage must have to speak for its post as the scaffold
MOST_STEPS = 30


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
    """How much a post offers as a scaffold: the surest ten passages, each above the floor."""
    return sum(bp - PLAIN_BP for bp in sorted(post.bp, reverse=True)[:10] if bp > PLAIN_BP)


def find_scaffold(scored: ScoredThread) -> Scaffold | None:
    """The thread's best skeleton, or None where no post has anything like a step."""
    posts = scored.posts
    if not posts:
        return None
    best = max(range(len(posts)), key=lambda i: (weight(posts[i]), -i))
    if weight(posts[best]) <= 0:
        return None
    surest = sorted(posts[best].bp, reverse=True)[:4]
    relative = RELATIVE_BP * (sum(surest) // len(surest)) // 10_000
    steps = [Place(best, i) for i, bp in enumerate(posts[best].bp) if bp >= max(IN_SCAFFOLD_BP, relative)]
    author = posts[best].read.post.author
    added: list[Place] = []
    for number, post in enumerate(posts):
        if number != best:
            floor = max(SAME_AUTHOR_BP if post.read.post.author == author else OTHER_AUTHOR_BP, relative)
            added += [Place(number, i) for i, bp in enumerate(post.bp) if bp >= floor]
    return Scaffold(best, tuple(_surest(posts, steps)), tuple(_surest(posts, added)))


def _surest(posts: tuple[ScoredPost, ...], places: list[Place]) -> list[Place]:
    """At most MOST_STEPS, the surest ones, in reading order."""
    kept = sorted(places, key=lambda p: (-posts[p.post].bp[p.passage], p))[:MOST_STEPS]
    return sorted(kept)
