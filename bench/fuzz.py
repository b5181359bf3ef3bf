"""Mutated payloads for every parser: none may crash, none may make a post of what is broken, each loss has its reason.

    python -m bench.fuzz [TARGET …] [--payloads 20000] [--seed 1]

A target is a name of TARGETS: sound payloads, and the mapping that reads them. Those of other networks than Discourse stand in
bench/fuzz_networks.py; another one registers by one line.
Payloads are mutated by tests/crawler/mutations.py; what holds of every record is checked there, what holds of a target
here: a post's text stands in the payload, and what is listed becomes a post, a tombstone or a reject.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.fuzz_networks import NETWORKS
from bench.fuzz_target import Target
from crawler.answers import Answer
from crawler.discourse import Forum, thread_records
from crawler.discourse_extras import earlier_text, likers
from crawler.discourse_raw import parse, redact
from crawler.fields import mapping, mappings
from index.records import Post, PostVersion, Reject, Source, Tombstone
from index.spool import Record
from tests.crawler.mutations import check_records, mutate
from tests.emulators.discourse import DiscourseEmulator, side_by_side

DEMO = Path(__file__).parent.parent / "docs" / "demo" / "forum" / "topics.jsonl"
FORUM = Forum("discourse:f.example.org", "https://f.example.org", "2026-01-01T00:00:00Z")
SOURCE = Source(FORUM.source, "discourse", FORUM.base_url, FORUM.base_url)


# --- Discourse ------------------------------------------------------------------------------------------------------


def threads() -> list[Any]:
    demo = [json.loads(line) for line in DEMO.read_text(encoding="utf-8").splitlines()]
    forum = DiscourseEmulator()
    topic = forum.thread("emulated", "one", "two", "three")
    forum.like_by(101, "bob")
    forum.delete_by_author(102)
    return [*demo, json.loads(forum.answer(f"/t/{topic}.json").body)]


def revisions() -> list[Any]:
    return [
        {
            "current_revision": 3,
            "post_id": 5,
            "previous_revision": 2,
            "body_changes": {"side_by_side_markdown": side_by_side("a\nb", "a\nc")},
        }
    ]


def people() -> list[Any]:
    return [[{"id": number, "username": f"user{number}", "name": None} for number in range(1, 6)]]


def read_revision(payload: Any) -> list[Record]:
    text = earlier_text(FORUM, 5, mapping(payload))
    return [text] if text else []


def read_raw_answer(payload: Any) -> list[Record]:
    """The way of `reparse`: bytes of an answer, with the words of one post taken out of them too."""
    body = json.dumps(payload).encode("utf-8", "surrogatepass")
    hidden = redact(body, f"{FORUM.source}/p/101")
    answers = [Answer(f"{FORUM.base_url}/t/1.json", 200, {}, found, "sha256:x", FORUM.now) for found in (body, hidden) if found is not None]
    return [record for records in parse(SOURCE, answers) for record in records if not isinstance(record, PostVersion)]


def every_entry_told(payload: Any, records: list[Record]) -> str:
    """What `post_stream.posts` lists is a post, a tombstone or a reject; and a post's words stand in the payload."""
    posts = [record for record in records if isinstance(record, Post)]
    told = {post.id for post in posts} | {record.post for record in records if isinstance(record, Tombstone)}
    entries = list(mappings(mapping(mapping(payload).get("post_stream")).get("posts")))
    rejected = [record.where for record in records if isinstance(record, Reject)]
    ids = {json.dumps(entry.get("id"), default=str) for entry in entries}
    whole = not told and rejected  # the thread itself is what cannot be read
    if entries and not whole and len(told) + len(rejected) < len(ids):
        return f"{len(ids)} entries became {len(told)} posts or tombstones and {len(rejected)} rejects"
    words = {text.encode("utf-8", "replace") for entry in entries for name in ("cooked", "raw") if isinstance(text := entry.get(name), str)}
    odd = next((post for post in posts if post.body and post.body.encode("utf-8", "replace") not in words), None)
    return f"{odd.id} says what the payload does not" if odd else ""


TARGETS: dict[str, Target] = {
    "discourse-thread": Target(threads, lambda payload: thread_records(FORUM, payload, "here"), every_entry_told),
    "discourse-raw": Target(threads, read_raw_answer),
    "discourse-revision": Target(revisions, read_revision),
    "discourse-likers": Target(people, lambda payload: likers(FORUM, 5, 3, mappings(payload))),
    **NETWORKS,
}


# --- the run --------------------------------------------------------------------------------------------------------


def checked(records: list[Record]) -> None:
    """A post that is taken back right here has no text; everything else holds as everywhere."""
    gone = {record.post for record in records if isinstance(record, Tombstone)}
    check_records(record for record in records if not (isinstance(record, Post) and record.id in gone))
    for record in records:
        json.dumps([getattr(record, name) for name in record.__slots__])


def fuzz(name: str, payloads: int, seed: int) -> int:
    """Number of failures; prints them and a summary."""
    target, chance = TARGETS[name], random.Random(f"{name} {seed}")
    sound = list(target.payloads())
    failures, counts, reasons = 0, Counter[str](), Counter[str]()
    began = time.process_time()
    for number in range(payloads):
        payload = mutate(chance.choice(sound), chance)
        try:
            records = target.read(payload)
            checked(records)
            complaint = target.account(payload, records)
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
            records = []
        if complaint:
            failures += 1
            print(f"{name} {number}: {complaint[:300]}")
        counts.update(type(record).__name__ for record in records)
        reasons.update(record.reason for record in records if isinstance(record, Reject))
    print(
        f"{name:<20}{payloads:>8,} payloads{failures:>6} failures{counts['Post']:>9,} posts{counts['Reject']:>8,} rejects of "
        f"{len(reasons)} kinds, {time.process_time() - began:.0f} s"
    )
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--payloads", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    raise SystemExit(sum(fuzz(name, arguments.payloads, arguments.seed) for name in arguments.targets) > 0)


if __name__ == "__main__":
    main()
