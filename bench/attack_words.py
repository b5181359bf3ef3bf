"""Attacks that are posts: copies and paraphrases, padding, edits after the fact, backdated archives, through the whole chain.

Each works on a copy of the workspace: posts are loaded as a crawler would have, the distiller reads what is new, and credit
is computed. Victims are SOPs of one author in one post. Paraphrases are made by a table of words and of ways to begin, so
they are closer to their originals than a person's; the 36 families that people wrote are tried beside them, by the linking
of drafts and by credit.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from pathlib import Path
from typing import Any

from bench.attack_scores import RIVALS
from bench.attack_worlds import World, world_of
from distill.drafts import unpack
from distill.pipeline import distill
from index.config import Config, RewardsConfig
from index.plain import Block, blocks_from_json, derive
from index.records import Author, Post, Source, Thread
from index.store import Store
from index.tables_discussion import load_records
from rewards.credit import earn
from rewards.facts import Evidence, PostFacts
from rewards.likeness import near_steps

OTHER = "discourse:mirror.example"
WORDS = {
    **dict(pair.split("/") for pair in (
        "make/prepare create/set_up check/verify ensure/see_to_it_that use/employ get/obtain add/put_in remove/take_out send/pass_on "
        "write/draft read/go_through update/refresh run/start open/bring_up choose/pick find/look_up need/require want/wish must/have_to "
        "should/ought_to before/ahead_of after/once_you_have_done new/fresh old/former big/large small/little first/to_begin_with "
        "then/next also/too only/just all/every_one_of many/lots_of change/alter keep/hold_on_to show/display provide/supply submit/hand_in "
        "define/lay_down implement/build test/try_out deploy/roll_out discuss/talk_over vote/cast_a_vote propose/put_forward include/contain "
        "proposal/suggestion community/people member/participant project/undertaking team/group result/outcome process/procedure "
        "information/details number/count amount/sum list/overview please/kindly"
    ).split()),
}  # fmt: skip
OPENERS = ("What you do is: ", "From experience, ", "The way to go: ", "", "Make it so: ", "")
FILLER = (
    "It was a long winter and the river stood high that year. Nobody in the town remembered the like of it. My cousin kept a small boat "
    "that he had painted green, and the colour had faded since. The market was quiet on most days. Somebody had hung lanterns over the "
    "bridge, and they stayed there until spring. I have always liked the smell of rain on stone. The old clock was slow again. "
)


@dataclass(frozen=True, slots=True)
class Victim:
    """An SOP that one author said in one post, and that post's words."""

    sop: str
    author: str
    post: str
    thread: str
    title: str
    created: str
    text: str  # Markdown


def victims(store: Store, world: World, number: int) -> list[Victim]:
    """SOPs whose steps were all first said in one post, spread over the workspace."""
    found = []
    for record in world.records:
        posts = {step["first_said_in"] for step in record["steps"]}
        paid = posts and (facts := world.facts.get(min(posts))) and facts.payable and not facts.gone and not facts.forums_own
        if len(posts) == 1 and paid and not record["source" if "source" in record else "threads"][0].startswith("discourse:written"):
            found.append((record, posts.pop()))
    chosen = found[:: max(1, len(found) // number)][:number]
    rows = {
        row["id"]: row
        for row in store.rows(
            "SELECT p.id, p.author, p.thread, p.created, p.plain, p.blocks, t.title FROM posts p JOIN threads t ON t.id = p.thread"
        )
        if row["id"] in {post for _, post in chosen}
    }
    return [
        Victim(
            record["id"], r["author"], post, r["thread"], r["title"], r["created"], as_markdown(r["plain"], blocks_from_json(r["blocks"]))
        )
        for record, post in chosen
        if (r := rows.get(post))
    ]


def as_markdown(plain: str, blocks: Sequence[Block]) -> str:
    parts = []
    for block in blocks:
        words = " ".join(plain[block.start : block.end].split())
        if block.kind == "item":
            parts.append(("  " * block.depth) + (f"{block.list_index}. " if block.ordered else "- ") + words)
        elif block.kind == "heading":
            parts.append(f"\n{'#' * max(1, block.level)} {words}\n")
        elif block.kind == "paragraph":
            parts.append(f"\n{words}\n")
    return "\n".join(parts).strip()


def paraphrased(text: str) -> str:
    """The same in other words: two of three known words are replaced, sentences begin another way, "and" turns round."""
    turn = 0

    def other(found: re.Match[str]) -> str:
        nonlocal turn
        word = found[0]
        plain = word.lower()
        known = WORDS.get(plain) or WORDS.get(plain.removesuffix("s"))
        turn += 1
        return known.replace("_", " ") if known and turn % 3 else word

    lines = []
    for number, line in enumerate(text.split("\n")):
        mark = re.match(r"\s*(?:[-#]+|\d+\.)?\s*", line)
        head, words = (mark[0], line[mark.end() :]) if mark else ("", line)
        words = re.sub(r"[A-Za-z]+", other, words)
        words = re.sub(r"\b(\w{4,}) and (\w{4,})\b", r"\2 and \1", words)
        lines.append(head + (OPENERS[number % len(OPENERS)] if words.strip() and not head.strip().startswith("#") else "") + words)
    return "\n".join(lines)


def later(moment: str, **delta: int) -> str:
    return (datetime.fromisoformat(moment) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def copy_of(workspace: Path) -> Any:
    """A store on a copy of the workspace's database, thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.duckdb"
        shutil.copy(workspace / ".precipitate" / "work.duckdb", path)
        with Store(path) as store:
            yield store


def put(store: Store, source: str, kind: str, seen: str, threads: Iterable[tuple[Thread, Post]]) -> None:
    threads = list(threads)
    host = source.partition(":")[2]
    authors = {post.author: Author(post.author, source, post.author.rpartition("/")[2]) for _, post in threads}
    known = bool(store.execute("SELECT 1 FROM sources WHERE id = ?", [source]))
    with store.transaction():
        load_records(
            store,
            source,
            seen,
            {
                Source: [] if known else [Source(source, kind, "folder", f"https://{host}")],
                Author: list(authors.values()),
                Thread: [thread for thread, _ in threads],
                Post: [post for _, post in threads],
            },
        )


def posted(source: str, name: str, key: str, title: str, created: str, text: str) -> tuple[Thread, Post]:
    """A new thread with one post by an attacker."""
    thread, link = f"{source}/t/{key}", f"https://{source.partition(':')[2]}/t/{key}"
    return (
        Thread(thread, source, title, created, link),
        Post(f"{source}/p/{key}", source, thread, 1, f"{source}/u/{name}", created, "raw", text, f"{link}/1"),
    )


def redistilled(store: Store) -> tuple[World, dict[str, int]]:
    distill(store, Config(), lambda *_: None)
    world = world_of(store)
    return world, world.points()


def by_author(world: World, names: set[str]) -> int:
    return sum(c.points for c in world.earned().credits if c.author in names)


def told(label: str, attackers: float, victims_: float, rivals: Mapping[str, float], lost: float) -> None:
    rest = "  ".join(f"{name} {100 * share:.2f} %" for name, share in rivals.items())
    print(
        f"  {label:44} {100 * attackers / victims_ if victims_ else 0:6.2f} % of the originals' credit; victims lose {100 * lost:5.2f} %; {rest}",
        flush=True,
    )


def of_sops(world: World, chosen: Sequence[Victim]) -> tuple[dict[str, int], int]:
    """Points by author, and what the victims have of their posts."""
    points: dict[str, int] = {}
    mine = 0
    posts = {v.post for v in chosen}
    for c in world.earned().credits:
        points[c.author] = points.get(c.author, 0) + c.points
        mine += c.points if c.post in posts else 0
    return points, mine


def attack(workspace: Path, label: str, chosen: Sequence[Victim], change: Callable[[Store], set[str]], before: int) -> None:
    """Load what the attackers post, distil, and compare what they get with what the originals have."""
    with copy_of(workspace) as store:
        attackers = change(store)
        world, _ = redistilled(store)
        points, mine = of_sops(world, chosen)
        rivals = world.rival_shares(attackers)
        told(label, sum(points.get(a, 0) for a in attackers), before, rivals, 1 - mine / before)


# --- what the attackers post ----------------------------------------------------------------------------------------


def copying(store: Store, chosen: Sequence[Victim], reword: bool, **delta: int) -> set[str]:
    names = set()
    for place, v in enumerate(chosen):
        source = v.thread.rsplit("/t/", 1)[0]
        text = paraphrased(v.text) if reword else v.text
        title = paraphrased(v.title) if reword else v.title
        thread, post = posted(
            source, f"copier{place}", f"9{place:05d}{sum(delta.values())}{int(reword)}", title, later(v.created, **delta), text
        )
        put(store, source, "archive", NOW_SEEN, [(thread, post)])
        names.add(post.author)
    return names


NOW_SEEN = "2026-12-05T00:00:00Z"


def backdating(store: Store, chosen: Sequence[Victim]) -> set[str]:
    """A new archive, with everything dated three years before the originals."""
    threads = [posted(OTHER, f"mirror{n}", f"{n + 1}", v.title, later(v.created, days=-1_100), v.text) for n, v in enumerate(chosen)]
    put(store, OTHER, "archive", NOW_SEEN, threads)
    return {post.author for _, post in threads}


def editing(store: Store, chosen: Sequence[Victim]) -> set[str]:
    """Old posts of the attackers that now hold the originals' words: they were seen without them, and edited last week."""
    names = set()
    for place, v in enumerate(chosen):
        source = v.thread.rsplit("/t/", 1)[0]
        thread, post = posted(
            source, f"editor{place}", f"8{place:05d}", "A few words", later(v.created, days=-400), "Hello everybody, glad to be here."
        )
        put(store, source, "archive", "2026-11-30T08:51:00Z", [(thread, post)])
        put(
            store,
            source,
            "archive",
            NOW_SEEN,
            [(replace(thread, title=v.title), replace(post, body=v.text, edited="2026-12-01T00:00:00Z", version=2))],
        )
        names.add(post.author)
    return names


def padding(workspace: Path, chosen: Sequence[Victim], before: Mapping[str, int], times: int) -> tuple[float, float, float]:
    """(mean elasticity, credit after / before, length after / before) when posts are made longer with words that say nothing."""
    with copy_of(workspace) as store:
        grown = []
        for v in chosen:
            row = store.rows("SELECT * FROM posts WHERE id = ?", [v.post])[0]
            more = FILLER * max(1, round(len(row["plain"]) * (times - 1) / len(FILLER)))
            old = len(row["plain"])
            body = f"<p>{more}</p>\n{row['body']}" if row["format"] == "cooked" else f"{more}\n\n{row['body']}"
            plain = derive(body, row["format"])
            grown.append(len(plain.text) / old)
            store.execute(
                "UPDATE posts SET body = ?, plain = ?, blocks = ?, offsets = ?, body_hash = md5(?) WHERE id = ?",
                [body, plain.text, plain.blocks_json(), plain.offsets_bytes(), body, v.post],
            )
        world, _ = redistilled(store)
        after: dict[str, int] = {}
        for c in world.earned().credits:
            after[c.post] = after.get(c.post, 0) + c.points
    old = sum(before[v.post] for v in chosen)
    new = sum(after.get(v.post, 0) for v in chosen)
    length = sum(grown) / len(grown)
    return log(max(new, 1) / old) / log(length), new / old, length


# --- the families that people wrote ---------------------------------------------------------------------------------


def families() -> None:
    """Paraphrases written by hand: what the copy's author gets of what the base's author gets."""
    from tests.distill.paraphrases import FILES, drafts_of, link

    for name in FILES:
        drafts = drafts_of(name)
        places = list(drafts)
        standing = link(list(drafts.values()))
        ids = {index: f"sop-{index}" for index in standing}
        records, facts = [], {}
        for index, entry in standing.items():
            draft = {**entry.draft, "steps": [_owned(places, list(drafts.values()), s, n) for n, s in enumerate(entry.draft["steps"], 1)]}
            head = {"id": ids[index], "version_id": "v", "title": "", "goal": "", "stances": [], "forked_from": None}
            records.append({**head, "steps": draft["steps"], "alternatives": sorted(ids[a] for a in entry.alternatives)})
            facts.update({c["post"]: PostFacts(c["author"], True, False) for s in draft["steps"] for c in s["citations"]})
        near = near_steps(*_vectors(records, standing), {r["id"]: len(r["steps"]) for r in records})
        points: dict[str, int] = {}
        for c in earn(records, facts, RewardsConfig(), evidence=Evidence(near=near)).credits:
            kind = c.author.partition("-")[0]
            points[kind] = points.get(kind, 0) + c.points
        print(f"  {name}: copies get {100 * points.get('copy', 0) / points['base']:.2f} % of the bases' credit", flush=True)


def _vectors(records: Sequence[Mapping[str, Any]], standing: Mapping[int, Any]) -> tuple[list[tuple[str, int]], list[bytes]]:
    keys = [(r["id"], s["n"]) for r in records for s in r["steps"]]
    return keys, [unpack(text) for entry in standing.values() for text in entry.draft["step_vectors"]]


def _owned(places: Sequence[Any], drafts: Sequence[Mapping[str, Any]], step: Mapping[str, Any], n: int) -> dict[str, Any]:
    """The step with each citation given to the author of the draft that it comes from."""
    owners = {d["thread"]: f"{kind}-{family}" for (family, kind), d in zip(places, drafts, strict=True)}
    citations = [{**c, "author": owners[c["thread"]], "post": f"{c['thread']}/{c['post']}"} for c in step["citations"]]
    return {"n": n, "text": step["text"], "previous_text": None, "flags": [], "citations": citations}


# --- all of it ------------------------------------------------------------------------------------------------------


def through_the_distiller(workspace: Path, quick: bool) -> None:
    with Store(workspace / ".precipitate" / "work.duckdb") as store:
        world = world_of(store)
        chosen = victims(store, world, 12 if quick else 30)
    by_post: dict[str, int] = {}
    for c in world.earned().credits:
        by_post[c.post] = by_post.get(c.post, 0) + c.points
    chosen = [v for v in chosen if by_post.get(v.post)]
    before = sum(by_post[v.post] for v in chosen)
    print(f"\nposts through the distiller: {len(chosen)} SOPs of one author each ({', '.join(RIVALS)}: the attackers' share of everything)")
    print(" copies (aim: 0.5 % of the originals' credit at most)")
    delays: tuple[dict[str, int], ...] = ({"hours": 1}, {"days": 1}, {"days": 30})
    for reword in (False, True):
        for delay in delays[:1] if quick else delays:
            name = f"{'paraphrase' if reword else 'copy-paste'} after {' '.join(f'{n} {unit}' for unit, n in delay.items())}"
            attack(workspace, name, chosen, lambda s, r=reword, d=delay: copying(s, chosen, r, **d), before)
    families()
    print(" time")
    attack(workspace, "an old post edited to hold the words", chosen, lambda s: editing(s, chosen), before)
    attack(workspace, "an archive that claims dates 3 years older", chosen, lambda s: backdating(s, chosen), before)
    print(" padding (aim: elasticity 0.05 at most)")
    for times in (2,) if quick else (2, 4):
        elasticity, credit, length = padding(workspace, chosen, by_post, times)
        print(f"  length × {length:.2f}: credit × {credit:.4f}, elasticity {elasticity:+.4f}", flush=True)


__all__ = ["through_the_distiller"]
