"""A world to attack: what a workspace's credit is computed from, held in memory, and the attacks as changes to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.attack_scores import RIVALS, graph_of
from index.config import RewardsConfig
from index.store import Store
from rewards import trust as walks
from rewards.credit import LIKE_KINDS, Earned, earn
from rewards.endorsements import endorsements
from rewards.evidence import gather, trust_levels
from rewards.facts import Evidence, PostFacts, Question
from rewards.pipeline import read_procedures
from rewards.trust import ONE, Endorsement

NOW = "2026-12-01T00:00:00Z"  # when attackers act: after everything else, or as early as they like to claim


@dataclass(frozen=True)
class World:
    records: list[dict[str, Any]]
    facts: dict[str, PostFacts]
    given: list[Endorsement]
    seeds: dict[str, int]
    evidence: Evidence
    weights: RewardsConfig = field(default_factory=RewardsConfig)

    def trusted(self) -> tuple[dict[str, int], dict[str, int]]:
        """(levels in basis points, trust in units of ONE)"""
        edges = walks.faded(self.given, self.weights.decay_bp)
        return (
            trust_levels(edges, self.seeds, self.weights, frozenset(), False),
            walks.walk(edges, self.seeds, self.weights.restart_bp),
        )

    def earned(self) -> Earned:
        levels, _ = self.trusted()
        return earn(self.records, self.facts, self.weights, frozenset(), replace(self.evidence, trust=levels))

    def points(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for credit in self.earned().credits:
            found[credit.author] = found.get(credit.author, 0) + credit.points
        return found

    def rival_shares(self, who: Iterable[str]) -> dict[str, float]:
        """The share of these accounts by every other way of scoring."""
        names = set(who)
        graph = graph_of(self.records, ((e.giver, e.taker, e.post) for e in self.given))
        return {name: sum(share for a, share in score(graph).items() if a in names) for name, score in RIVALS.items()}


def read_world(workspace: Path) -> World:
    with Store(workspace / ".precipitate" / "work.duckdb") as store:
        return world_of(store)


def world_of(store: Store) -> World:
    weights = RewardsConfig()
    records = read_procedures(store)
    found = gather(store, records, weights)
    return World(records, found.facts, endorsements(store, records, LIKE_KINDS), found.trust.seeds.weights, found.evidence, weights)


def cite(post: str, author: str, created: str, words: str, role: str = "states") -> dict[str, Any]:
    where = {"post": post, "thread": "attack/t/1", "number": 1, "author": author, "handle": author, "permalink": "https://attack.example/1"}
    return {"role": role, **where, "created": created, "start": 0, "end": len(words), "exact": words}


def step(n: int, text: str, *citations: dict[str, Any]) -> dict[str, Any]:
    first = citations[0]
    head = {"n": n, "text": text, "previous_text": None, "actor": None, "condition": None, "after": [], "optional": False, "flags": []}
    return {
        **head,
        "citations": list(citations),
        "support": 0,
        "dissent": 0,
        "first_said_by": first["author"],
        "first_said_in": first["post"],
    }


def procedure(identifier: str, steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    head = {"schema": "precipitate/procedure/1", "id": identifier, "version_id": "v", "title": identifier, "goal": identifier}
    return {**head, "steps": list(steps), "stances": [], "alternatives": [], "forked_from": None, "threads": [], "generator": {}}


# --- rings ----------------------------------------------------------------------------------------------------------


def ring(world: World, size: int, bridges: int, bribed: bool) -> tuple[World, list[str]]:
    """`size` accounts with an SOP of five steps of their own. They endorse each other, confirm and like all of it, and each
    confirms ten honest steps that nobody confirmed; `bridges` honest accounts endorse one of them each, and with `bribed` the
    most trusted seed gives all its endorsements to them."""
    names = [f"ring:{n}" for n in range(size)]
    posts = {name: f"ring/p/{n}" for n, name in enumerate(names)}
    own = [
        step(n, f"ringword{n}a ringword{n}b ringword{n}c ringword{n}d ringword{n}e", cite("ring/p/0", names[0], NOW, f"ring step {n}"))
        for n in range(1, 6)
    ]
    for one in own:
        one["citations"] += [cite(posts[name], name, NOW, "I agree, this works for me", "confirms") for name in names[1:]]
    records = [*_vouched(world.records, names, posts), procedure("sop-ring", own)]
    facts = {**world.facts, **{post: PostFacts(name, True, False) for name, post in posts.items()}}
    facts["ring/p/0"] = PostFacts(names[0], True, False, tuple(names[1:]), 0)
    reach = min(size - 1, 20)
    given = [
        Endorsement(name, names[(place + hop) % size], NOW, "like", posts[names[(place + hop) % size]])
        for place, name in enumerate(names)
        for hop in range(1, reach + 1)
    ]
    levels, _ = world.trusted()
    honest = sorted((level, name) for name, level in levels.items() if name not in world.seeds)
    middle = honest[len(honest) // 2 :][:bridges]
    given += [Endorsement(name, names[n % size], NOW, "like", posts[names[n % size]]) for n, (_, name) in enumerate(middle)]
    kept = world.given
    if bribed:
        seed = best_seed(world)
        kept = [e for e in kept if e.giver != seed]
        given += [Endorsement(seed, name, NOW, "like", posts[name]) for name in names]
    return replace(world, records=records, facts=facts, given=[*kept, *given]), names


def best_seed(world: World) -> str:
    _, trust = world.trusted()
    return max(world.seeds, key=lambda name: (trust.get(name, 0), name))


def seed_part(world: World) -> float:
    """The most trusted seed's own part of all trust."""
    _, trust = world.trusted()
    return trust.get(best_seed(world), 0) / ONE


def _vouched(records: Sequence[dict[str, Any]], names: Sequence[str], posts: Mapping[str, str]) -> list[dict[str, Any]]:
    """The records with ten confirmations by each account, of steps that nobody confirmed so far."""
    free = [(r["id"], s["n"]) for r in records for s in r["steps"] if all(c["role"] == "states" for c in s["citations"])]
    chosen: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for place, name in enumerate(names):
        for turn in range(10):
            key = free[(place * 10 + turn) % len(free)]
            chosen.setdefault(key, []).append(cite(posts[name], name, NOW, "yes, this is right", "confirms"))
    return [
        {**r, "steps": [{**s, "citations": [*s["citations"], *chosen.get((r["id"], s["n"]), ())]} for s in r["steps"]]} for r in records
    ]


# --- splitting ------------------------------------------------------------------------------------------------------


ALONE, VOUCHING, AMENDING = "", "vouching", "amending"  # what the accounts of a person do for each other


def split(world: World, author: str, parts: int, mutual: str = ALONE) -> tuple[World, list[str]]:
    """One author's posts, and endorsements in both directions, dealt out among `parts` accounts; with `mutual` these also
    endorse each other, and confirm each other's every step and say that it worked, or amend it."""
    names = [f"{author}\x00{n}" for n in range(parts)]
    posts = sorted(
        {c["post"] for r in world.records for c in cited(r) if c["author"] == author}
        | {e.post for e in world.given if author in (e.giver, e.taker)}
        | {post for post, facts in world.facts.items() if facts.author == author}
    )
    owner = {post: names[place % parts] for place, post in enumerate(posts)}
    records = [_renamed(r, author, owner, names, mutual) for r in world.records]
    facts = {
        post: replace(
            f, author=owner[post] if f.author == author else f.author, likers=tuple(n if n != author else names[0] for n in f.likers)
        )
        for post, f in world.facts.items()
    }
    given = [
        replace(e, giver=owner[e.post] if e.giver == author else e.giver, taker=owner[e.post] if e.taker == author else e.taker)
        if author in (e.giver, e.taker)
        else e
        for e in world.given
    ]
    if mutual:
        given += [Endorsement(one, other, NOW, "like", f"sock/{one}") for one in names for other in names if one != other]
        facts |= {f"sock/{name}": PostFacts(name, True, False) for name in names}
    questions = {
        answer: replace(q, author=owner.get(q.post, q.author) if q.author == author else q.author)
        for answer, q in world.evidence.questions.items()
    }
    return replace(world, records=records, facts=facts, given=given, evidence=replace(world.evidence, questions=questions)), names


def cited(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [c for s in record["steps"] for c in s["citations"]] + [s["citation"] for s in record["stances"]]


def _renamed(record: dict[str, Any], author: str, owner: Mapping[str, str], names: Sequence[str], mutual: bool) -> dict[str, Any]:
    def told(c: dict[str, Any]) -> dict[str, Any]:
        return {**c, "author": owner[c["post"]]} if c["author"] == author else c

    steps = []
    for s in record["steps"]:
        citations = [told(c) for c in s["citations"]]
        if mutual == VOUCHING and s["first_said_by"] == author:
            citations += [cite(f"sock/{name}", name, NOW, "agreed, this worked for me", "confirms") for name in names]
        by = owner.get(s["first_said_in"], s["first_said_by"]) if s["first_said_by"] == author else s["first_said_by"]
        steps.append({**s, "citations": citations, "first_said_by": by})
    stances = [{**x, "citation": told(x["citation"])} for x in record["stances"]]
    if mutual == AMENDING:
        stances += [
            amendment(s["n"], f"sock/{name}", name, place) for s in steps if s["first_said_by"] in names for place, name in enumerate(names)
        ]
    return {**record, "steps": steps, "stances": stances}


def amendment(step: int, post: str, author: str, place: int) -> dict[str, Any]:
    """An amendment in words that nobody else has."""
    return {"kind": "amendment", "step": step, "citation": cite(post, author, NOW, " ".join(f"amendment{place}word{n}" for n in range(6)))}


# --- asking oneself, voting a rival down ----------------------------------------------------------------------------


def ask_oneself(world: World, author: str, trusted: bool) -> tuple[World, list[str]]:
    """A second account asks what each of the author's steps answers; with `trusted` it has half of the author's endorsements."""
    sock = f"{author}\x00asker"
    first = {s["first_said_in"] for r in world.records for s in r["steps"] if s["first_said_by"] == author}
    asked = {post: Question(sock, "sock/q", "2000-01-01T00:00:00Z", 0, 12, "How is it done?") for post in first}
    given, turn = [], 0
    for e in world.given:
        if trusted and e.taker == author:
            turn += 1
            e = replace(e, taker=sock) if turn % 2 else e
        given.append(e)
    evidence = replace(world.evidence, questions={**world.evidence.questions, **asked})
    return replace(world, facts={**world.facts, "sock/q": PostFacts(sock, True, False)}, given=given, evidence=evidence), [author, sock]


def amend_rival(world: World, rival: str) -> tuple[World, str]:
    """A fully trusted account amends every step of a rival's: the one that is least above full trust."""
    levels, _ = world.trusted()
    by = min((level, name) for name, level in levels.items() if level >= 10_000 and name != rival)[1]
    mine = [
        {
            **record,
            "stances": [*record["stances"], *(amendment(s["n"], "rival/p", by, 0) for s in record["steps"] if s["first_said_by"] == rival)],
        }
        for record in world.records
    ]
    return replace(world, records=mine, facts={**world.facts, "rival/p": PostFacts(by, True, False)}), by


def vote_down(world: World, rival: str, socks: int = 100) -> World:
    """A hundred new accounts object to every step of a rival's, and say that it failed."""
    against = []
    for record in world.records:
        mine = [s["n"] for s in record["steps"] if s["first_said_by"] == rival]
        dissent = [
            {
                "kind": "dissent",
                "step": n,
                "citation": cite(f"down/{k}", f"down:{k}", "2000-01-01T00:00:00Z", "I disagree, this did not work"),
            }
            for n in mine
            for k in range(socks)
        ]
        against.append({**record, "stances": [*record["stances"], *dissent]})
    facts = {f"down/{k}": PostFacts(f"down:{k}", True, False) for k in range(socks)}
    return replace(world, records=against, facts={**world.facts, **facts})
