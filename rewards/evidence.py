"""From the store to what credit is computed from, and to the records by which anyone recomputes it.

Records (evidence.jsonl of a release, `precipitate/evidence/1`; kind, then what it holds):

    weights      the weights themselves and their hash
    post         of each cited post: author, payable, gone, forums_own, likers, unnamed_likes
    moment       of words that count from another time than their post's date: post, start, end, since, why
    question     by answering post: who asked, where, the words
    seed         account, weight, note
    edge         giver, taker, weight: endorsements as the walk counts them, faded and summed
    score        identity scores as imported, without what they are about
    trust        account → basis points: what the walk and the discounts come to
    likeness     steps of two SOPs that say the same in other words, and how surely
    echo         words that stood before in somebody else's post
    person       accounts of one person: account → the first of them
    outcome      reports of the log that credit counts
    composer     SOPs that people made of others: by whom, when
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index import tables_evidence as tables
from index import tables_rewards
from index.config import RewardsConfig
from index.plain import blocks_from_json
from index.store import Store
from rewards import trust as walks
from rewards.compose import composers, passed_on
from rewards.credit import LIKE_KINDS
from rewards.endorsements import endorsements
from rewards.facts import Evidence, PostFacts, Question, forums_own
from rewards.likeness import likenesses
from rewards.links import linked, one_person, with_links
from rewards.moments import HELD, OF, Looks, Moment, Observed, Quote, Version, holds, moment_of
from rewards.novelty import Near
from rewards.outcomes import reports
from rewards.questions import find_question
from rewards.seeds import Seeds, chosen_seeds
from rewards.weights import weights_hash, weights_value

Records = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that `earn` needs beside the procedures."""

    facts: dict[str, PostFacts]
    returned: frozenset[tuple[str, str]]
    evidence: Evidence
    trust: Trust


@dataclass(frozen=True, slots=True)
class Trust:
    seeds: Seeds
    edges: tuple[walks.Edge, ...]
    levels: dict[str, int] | None  # None: nobody to begin from, so nothing is known of anybody
    verified: frozenset[str]  # accounts that a passing identity score speaks for
    scored: bool  # whether any identity scores were imported


def gather(store: Store, records: Sequence[Mapping[str, Any]], weights: RewardsConfig) -> Gathered:
    """Read from the store all that the credits of these procedures depend on."""
    cited = {c["post"] for c in citations(records)}
    rows = {row["id"]: row for row in tables.observed_rows(store, cited)}
    questions = questions_of(store, records)
    asked = {row["id"]: row for row in tables.observed_rows(store, {q.post for q in questions.values()})}
    likes = likes_of(store, {*rows, *asked})
    facts = {post: facts_of(row, likes.get(post, {})) for post, row in {**asked, **rows}.items()}
    persons = persons_of(store)
    moments = moments_of(store, records, rows)
    near = likenesses(store, records)
    trust = measure_trust(store, records, weights, persons)
    evidence = Evidence(
        moments=moments,
        trust=trust.levels,
        questions=questions,
        reports=passed_on(reports(store, records), records, weights.composed_bp),
        composers=composers(store),
        persons=persons,
        near=near,
        echoes=echoes_of(store, records, moments, near),
    )
    return Gathered(facts, tables_rewards.returned_likes(store, LIKE_KINDS), evidence, trust)


def citations(records: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for record in records:
        yield from (c for step in record["steps"] for c in step["citations"])
        yield from (stance["citation"] for stance in record["stances"])


def likes_of(store: Store, posts: Iterable[str]) -> dict[str, dict[str, int]]:
    likes: dict[str, dict[str, int]] = {}
    for row in tables_rewards.reaction_rows(store, posts, LIKE_KINDS):
        likes.setdefault(row["post"], {})[row["actor"]] = row["count"]
    return likes


def facts_of(row: Mapping[str, Any], likes: Mapping[str, int]) -> PostFacts:
    named = tuple(sorted(actor for actor in likes if actor))
    own = forums_own(row["author"], row["handle"])
    return PostFacts(row["author"], row["payable"], row["gone"], named, unnamed_likes=likes.get("", 0), forums_own=own)


# --- moments --------------------------------------------------------------------------------------------------------


def moments_of(
    store: Store, records: Sequence[Mapping[str, Any]], rows: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, int, int], Moment]:
    """The moments of all cited words that do not simply count from their post's date."""
    looks = {source: Looks(kind, days) for source, (kind, days) in tables.looks(store).items()}
    founded = min((days[0] for _, days in tables.looks(store).values()), default="")
    changed = {post for post, row in rows.items() if row["edited"] is not None}
    earlier = tables.earlier_versions(store, rows)
    quotes = tables.quoting(store, changed | set(earlier))
    first = [source for source, look in looks.items() if look.days[0] == founded]
    links = tables.linked_from(store, rows, first) if len(looks) > 1 else {}
    found = {}
    for c in citations(records):
        row = rows.get(c["post"])
        if row is None:
            continue
        observed = Observed(
            **{name: row[name] for name in ("created", "edited", "first_seen", "last_seen", "source")},
            earlier=tuple(Version(text, edited) for text, edited in earlier.get(c["post"], ())),
            quotes=tuple(Quote(created, text) for created, text in quotes.get(c["post"], ())),
            linked=links.get(c["post"]),
        )
        moment = moment_of(c["exact"], observed, looks.get(row["source"]), founded)
        if moment.since != c["created"]:
            found[c["post"], c["start"], c["end"]] = moment
    return found


def echoes_of(
    store: Store, records: Sequence[Mapping[str, Any]], moments: Mapping[tuple[str, int, int], Moment], near: Sequence[Near]
) -> dict[tuple[str, str], str]:
    """Words that state a step, and stood before in somebody else's post: (post, words) → that post.

    Looked at are the posts that the same SOP cites, and, with half of the words, those of an SOP that is near as a whole: who
    has a whole post repeated is first in none of it, also where the distiller took other sentences of it for steps.
    """
    said = {record["id"]: [c for step in record["steps"] for c in step["citations"] if c["role"] == "states"] for record in records}
    pairs = {(one, other) for (one, _), (other, _), _ in near}
    beside = {*pairs, *((other, one) for one, other in pairs)}
    beside |= {(sop, sop) for sop, cited in said.items() if len({c["post"] for c in cited}) > 1}
    texts = tables.texts(store, {c["post"] for pair in beside for sop in pair for c in said[sop]})
    found: dict[tuple[str, str], str] = {}
    for mine, theirs in sorted(beside):
        part = (HELD, OF) if mine == theirs else (1, 2)
        earliest: dict[str, tuple[str, str]] = {}
        for c in said[theirs]:
            earliest[c["post"]] = min(earliest.get(c["post"], ("~", "")), (_since(c, moments), c["author"]))
        for c in said[mine]:
            for post, (when, author) in sorted(earliest.items(), key=lambda item: item[1]):
                if when < _since(c, moments) and author != c["author"] and holds(texts.get(post, ""), c["exact"], *part):
                    found.setdefault((c["post"], c["exact"]), post)
    return found


def _since(c: Mapping[str, Any], moments: Mapping[tuple[str, int, int], Moment]) -> str:
    moment = moments.get((c["post"], c["start"], c["end"]))
    return moment.since if moment else str(c["created"])


# --- questions ------------------------------------------------------------------------------------------------------


def questions_of(store: Store, records: Sequence[Mapping[str, Any]]) -> dict[str, Question]:
    """For each post that a step is stated in: the question that it answers, if it answers one of somebody else's."""
    answers = {c["post"]: c for record in records for step in record["steps"] for c in step["citations"] if c["role"] == "states"}
    found: dict[str, Question] = {}
    for row in tables.question_rows(store, answers):
        answer = answers[row["answer"]]
        if row["answer"] in found or row["author"] == answer["author"] or forums_own(row["author"], row["handle"]):
            continue
        span = find_question(row["plain"], blocks_from_json(row["blocks"]), row["title"])
        if span is not None:
            start, end = span
            said = (row["author"], row["id"], row["created"], start, end, row["plain"][start:end], row["handle"], row["permalink"])
            found[row["answer"]] = Question(*said)
    return found


# --- trust ----------------------------------------------------------------------------------------------------------


def persons_of(store: Store) -> dict[str, str]:
    """Accounts that are paid at one address, or that a person accepted as linked → the first of them: their words about each
    other are words about oneself."""
    return one_person([*((account, i.address.lower()) for account, i in tables_rewards.identities(store).items()), *linked(store)])


def measure_trust(store: Store, records: Sequence[Mapping[str, Any]], weights: RewardsConfig, persons: Mapping[str, str]) -> Trust:
    """The walk over the store's endorsements, and what identity scores take off it."""
    seeds = chosen_seeds(store)
    given = endorsements(store, records, LIKE_KINDS)
    foreign = [e for e in given if persons.get(e.giver, e.giver) != persons.get(e.taker, e.taker)]
    edges = tuple(walks.faded(foreign, weights.decay_bp))
    scores = tables.scores(store)  # accepted links count beside them; alone they do not make everybody else count less
    verified = frozenset(score.author for score in with_links(store, scores) if score.score_bp >= 10_000) if scores else frozenset()
    levels = trust_levels(edges, seeds.weights, weights, verified, bool(scores)) if seeds.weights else None
    return Trust(seeds, edges, levels, verified, bool(scores))


def trust_levels(
    edges: Sequence[walks.Edge], seeds: Mapping[str, int], weights: RewardsConfig, verified: frozenset[str], scored: bool
) -> dict[str, int]:
    """Account → basis points. A seed is trusted as the operator said; others by the walk, less without a proved identity."""
    found = walks.levels(walks.walk(edges, seeds, weights.restart_bp), seeds, weights.restart_bp)
    if not scored:
        return found
    rate = weights.unverified_bp
    return {name: level if name in verified or seeds.get(name) else level * rate // 10_000 for name, level in found.items()}


# --- as records -----------------------------------------------------------------------------------------------------


def evidence_records(gathered: Gathered, weights: RewardsConfig) -> Records:
    """(kind, key) → record, all plain values: what a release publishes of the evidence."""
    evidence, trust = gathered.evidence, gathered.trust
    found: Records = {("weights", ""): {"weights": weights_value(weights), "hash": weights_hash(weights)}}
    for post, facts in gathered.facts.items():
        liked = {
            "likers": [liker for liker in facts.likers if (liker, facts.author) not in gathered.returned],
            "unnamed_likes": facts.unnamed_likes,
        }
        kept = {"author": facts.author, "payable": facts.payable, "gone": facts.gone, "forums_own": facts.forums_own}
        found["post", post] = {"post": post, **kept, **liked}
    for (post, start, end), moment in evidence.moments.items():
        found["moment", f"{post} {start} {end}"] = {"post": post, "start": start, "end": end, "since": moment.since, "why": moment.why}
    for answer, q in evidence.questions.items():
        where = {"post": q.post, "permalink": q.permalink, "created": q.created, "start": q.start, "end": q.end, "exact": q.exact}
        found["question", answer] = {"answer": answer, "author": q.author, "handle": q.handle, **where}
    for name, weight in trust.seeds.weights.items():
        found["seed", name] = {"account": name, "weight": weight, "note": trust.seeds.notes.get(name, "")}
    for giver, taker, weight in trust.edges:
        found["edge", f"{giver} {taker}"] = {"giver": giver, "taker": taker, "weight": weight}
    for name in sorted(trust.verified):
        found["score", name] = {"account": name, "verified": True}
    if trust.scored:
        found["score", ""] = {"account": "", "verified": False}  # says that scores were imported, so that others are discounted
    for name, level in (evidence.trust or {}).items():
        found["trust", name] = {"account": name, "level_bp": level}
    for (one, n), (other, m), bp in evidence.near:
        found["likeness", f"{one} {n} {other} {m}"] = {"steps": [[one, n], [other, m]], "bp": bp}
    for (post, words), earlier in evidence.echoes.items():
        found["echo", f"{post} {hashlib.sha256(words.encode()).hexdigest()[:16]}"] = {"post": post, "exact": words, "earlier": earlier}
    for account, person in evidence.persons.items():
        found["person", account] = {"account": account, "person": person}
    for r in evidence.reports:
        said = {"receipt": r.receipt, "author": r.author, "created": r.created, "result": r.result, "part_bp": r.part_bp, "pays": r.pays}
        found["outcome", f"{r.receipt} {r.procedure} {r.step}"] = {"procedure": r.procedure, "step": r.step, **said}
    for procedure, (author, made) in evidence.composers.items():
        found["composer", procedure] = {"procedure": procedure, "author": author, "created": made}
    return found
