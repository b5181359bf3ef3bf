"""Small procedures and posts, said in one line each."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from index.records import Author, Post, Reaction, Source, Thread
from index.store import Store
from rewards.credit import PostFacts

SOURCE = "discourse:forum.example.org"
ADDRESSES = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
TOKEN = "0x52908400098527886E0F7030069857D2E4169EE7"


def author_id(name: str, source: str = SOURCE) -> str:
    return f"{source}/u/{name}"


def post_id(number: int, source: str = SOURCE) -> str:
    return f"{source}/p/{number}"


def cite(post: int, author: str, day: int, role: str = "states", exact: str = "Fill in the form.", source: str = SOURCE) -> dict[str, Any]:
    return {
        "role": role,
        "post": post_id(post, source),
        "thread": f"{source}/t/1",
        "number": post,
        "author": author_id(author, source),
        "handle": author,
        "permalink": f"https://forum.example.org/t/1/{post}",
        "created": f"2024-05-{day:02d}T10:00:00Z",
        "start": 0,
        "end": len(exact),
        "exact": exact,
    }


def step(n: int, *citations: dict[str, Any], text: str = "", flags: tuple[str, ...] = ()) -> dict[str, Any]:
    states = sorted((c["created"], c["post"], c["author"]) for c in citations if c["role"] == "states")
    return {
        "n": n,
        "text": text or f"step number {n} of this procedure alone",
        "previous_text": None,
        "actor": None,
        "condition": None,
        "after": [],
        "optional": False,
        "flags": list(flags),
        "citations": list(citations),
        "support": 0,
        "dissent": 0,
        "first_said_by": states[0][2] if states else "",
        "first_said_in": states[0][1] if states else "",
    }


def stance(kind: str, n: int | None, citation: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "step": n, "citation": citation}


def procedure(
    *steps: dict[str, Any],
    id: str = "sop-1",
    stances: tuple[dict[str, Any], ...] = (),
    alternatives: tuple[str, ...] = (),
    forked_from: str | None = None,
) -> dict[str, Any]:
    return {
        "schema": "precipitate/procedure/1",
        "id": id,
        "version": 1,
        "version_id": f"v-{id}",
        "supersedes": None,
        "status": "draft",
        "title": f"How to do {id}",
        "goal": "get it done",
        "steps": list(steps),
        "stances": list(stances),
        "alternatives": list(alternatives),
        "forked_from": forked_from,
        "threads": [f"{SOURCE}/t/1"],
    }


def facts_of(*records: dict[str, Any], **changes: dict[str, Any]) -> dict[str, PostFacts]:
    """Facts of every cited post; `changes` by post number, as p12={"payable": False}."""
    facts = {}
    for record in records:
        cited = [c for s in record["steps"] for c in s["citations"]] + [s["citation"] for s in record["stances"]]
        for c in cited:
            change = changes.get(f"p{c['number']}", {})
            facts[c["post"]] = PostFacts(**{"author": c["author"], "payable": True, "gone": False, **change})
    return facts


def put_procedures(store: Store, *records: dict[str, Any]) -> None:
    store.execute("DELETE FROM procedures")
    for record in records:
        text = json.dumps(record)
        store.execute(
            "INSERT INTO procedures VALUES (?, ?, ?, true, ?, ?, ?, ?, NULL)",
            [record["id"], 1, record["version_id"], record["threads"], text, hashlib.sha256(text.encode()).hexdigest(), b""],
        )


def put_forum(store: Store, *records: dict[str, Any], likes: dict[int, list[str]] | None = None, payable: bool = True) -> None:
    """Put the cited posts of the records into the store, with their authors and named likes by post number."""
    from index.tables_discussion import load_records

    cited = [c for r in records for s in r["steps"] for c in s["citations"]] + [s["citation"] for r in records for s in r["stances"]]
    posts = {c["post"]: c for c in cited}
    names = {(c["author"], c["handle"]) for c in cited} | {(author_id(name), name) for who in (likes or {}).values() for name in who}
    with store.transaction():
        load_records(
            store,
            SOURCE,
            "2024-06-01T00:00:00Z",
            {
                Source: [Source(SOURCE, "archive", "folder", "https://forum.example.org", payable=payable)],
                Author: [Author(id, SOURCE, handle) for id, handle in sorted(names)],
                Thread: [Thread(f"{SOURCE}/t/1", SOURCE, "A thread", "2024-05-01T00:00:00Z", "https://forum.example.org/t/1")],
                Post: [_post(c) for c in posts.values()],
                Reaction: [Reaction(post_id(number), author_id(name)) for number, who in (likes or {}).items() for name in who],
            },
        )


def _post(c: dict[str, Any]) -> Post:
    return Post(c["post"], SOURCE, c["thread"], c["number"], c["author"], c["created"], "raw", c["exact"], c["permalink"])
