"""From Snapshot's GraphQL to records: pure. A proposal is a thread; reasons given with votes are its further posts.

A voter votes once for a proposal: a new vote takes the place of the old one under another id, so votes are named by
proposal and voter, and a changed reason is an edit.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crawler.fields import line, mapping, mappings, whole
from crawler.reading import Reading, thread_meant
from index.records import Edge, IdentityLink, ReactionEvent
from index.spool import Record

MAPPING_VERSION = "snapshot/1"
SITE = "https://snapshot.org/#"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}$")
_PROPOSAL = re.compile(r"[0-9A-Za-z]{10,100}$")

PROPOSALS = """query ($space: String!, $from: Int!, $skip: Int!, $first: Int!) {
  proposals(first: $first, skip: $skip, where: {space_in: [$space], created_gte: $from}, orderBy: "created", orderDirection: asc) {
    id author title body choices created updated discussion flagged type state scores votes space { id } } }"""
CHANGED = """query ($space: String!, $from: Int!, $skip: Int!, $first: Int!) {
  proposals(first: $first, skip: $skip, where: {space_in: [$space], updated_gte: $from}, orderBy: "updated", orderDirection: asc) {
    id author title body choices created updated discussion flagged type state scores votes space { id } } }"""
NAMED = """query ($ids: [String!]!, $first: Int!) {
  proposals(first: $first, where: {id_in: $ids}) {
    id author title body choices created updated discussion flagged type state scores votes space { id } } }"""
VOTES = """query ($space: String!, $from: Int!, $skip: Int!, $first: Int!) {
  votes(first: $first, skip: $skip, where: {space_in: [$space], created_gte: $from}, orderBy: "created", orderDirection: asc) {
    id voter created choice vp reason space { id } proposal { id choices } } }"""
SPACE = "query ($id: String!) { space(id: $id) { id name about network symbol } }"


def post_id(space: str, proposal: str) -> str:
    return f"snapshot:{space}/{proposal}"


def thread_id(space: str, proposal: str) -> str:
    return f"snapshot:{space}/t/{proposal}"


def proposal_records(space: str, proposals: object, now: str) -> list[Record]:
    """Threads and posts of `proposals`; one of another space, or flagged by the hub, is told as such."""
    reading = Reading(f"snapshot:{space}", now)
    for raw in mappings(proposals):
        _proposal(reading, space, raw)
    return reading.records


def _proposal(reading: Reading, space: str, raw: dict[str, Any]) -> None:
    proposal = _name(raw.get("id"))
    if proposal is None or mapping(raw.get("space")).get("id", space) != space:
        reading.reject(f"proposal {line(raw.get('id'), 80)}", "proposal of another space" if proposal else "proposal without id")
        return
    post, thread = post_id(space, proposal), thread_id(space, proposal)
    if raw.get("flagged") is True:
        reading.gone(post, "moderated", "flagged by the hub")
        return
    permalink = f"{SITE}/{space}/proposal/{proposal}"
    author = _person(reading, raw.get("author"), whole(raw.get("created")))
    text = raw.get("body") if isinstance(raw.get("body"), str) and str(raw.get("body")).strip() else raw.get("title")
    if not reading.post(post, thread, author, raw.get("created"), text, "raw", permalink, raw.get("updated"), number=1):
        return
    reading.thread(thread, raw.get("title"), raw.get("created"), permalink, raw.get("type"), ())
    target = thread_meant(raw.get("discussion"))
    if target:
        reading.records.append(Edge("discusses", post, target))


def vote_records(space: str, votes: object, now: str) -> list[Record]:
    """Each vote as the voter's reaction to the proposal, and as a post of its own where it gives a reason."""
    reading = Reading(f"snapshot:{space}", now)
    for raw in mappings(votes):
        _vote(reading, space, raw)
    return reading.records


def _vote(reading: Reading, space: str, raw: dict[str, Any]) -> None:
    proposal, created = _name(mapping(raw.get("proposal")).get("id")), whole(raw.get("created"))
    voter = _person(reading, raw.get("voter"), created)
    if proposal is None or voter is None:
        reading.reject(f"vote {line(raw.get('id'), 80)}", "vote without proposal or voter")
        return
    name = f"{post_id(space, proposal)}/vote/{voter.rpartition('/')[2]}"
    when = reading.moment(created)
    if when is None:
        reading.reject(name, "vote without a possible date", f"{raw.get('created')!r:.100}")
        return
    choices = mapping(raw.get("proposal")).get("choices")
    kind = "vote:" + choice_words(raw.get("choice"), choices if isinstance(choices, list) else [])
    reading.records.append(ReactionEvent(name, post_id(space, proposal), voter, kind, when))
    if isinstance(raw.get("reason"), str) and str(raw.get("reason")).strip():
        permalink = f"{SITE}/{space}/proposal/{proposal}"
        reading.post(name, thread_id(space, proposal), voter, created, raw["reason"], "raw", permalink, reply_to=post_id(space, proposal))


def choice_words(choice: object, choices: list[Any]) -> str:
    """The words of a choice: one of the list, several of it, or weights by place; "other" where it names none of them."""
    if type(choice) is int:
        places: list[object] = [choice]
    elif isinstance(choice, list):
        places = list(choice)
    elif isinstance(choice, dict):
        places = [int(place) for place, weight in choice.items() if str(place).isdecimal() and len(str(place)) < 6 and weight]
    else:
        places = []
    words = [line(choices[place - 1], 40) or "" for place in places if type(place) is int and 0 < place <= len(choices)]
    return ", ".join(word for word in words if word)[:120] or "other"


def _person(reading: Reading, address: object, created: int | None) -> str | None:
    """Somebody who signed with their address; what it is called elsewhere is not Snapshot's to say."""
    if not isinstance(address, str) or not _ADDRESS.match(address):
        return None
    key = address.lower()
    author = reading.author(f"snapshot:u/{key}", f"{key[:6]}…{key[-4:]}")
    told = reading.moment(created) or ""
    link = IdentityLink(author, "snapshot", told, "address", f"eip155:1:{key}", "checked", "signed votes and proposals")
    if told and not any(isinstance(record, IdentityLink) and record.author == author for record in reading.records):
        reading.records.append(link)
    return author


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _PROPOSAL.match(value) else None


def answer_records(space: str, body: bytes, now: str) -> list[Record]:
    """Records of a raw answer, whichever of the questions it answers."""
    try:
        data = mapping(mapping(json.loads(body)).get("data"))
    except (ValueError, RecursionError):
        return []
    return [*proposal_records(space, data.get("proposals"), now), *vote_records(space, data.get("votes"), now)]
