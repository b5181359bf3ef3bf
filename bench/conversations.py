"""What people said on networks of conversations and is found in the store: posts, reactions, edits, deletions, identities.

    python -m bench.conversations [snapshot|hackernews|lemmy-0.19|lemmy-1.0|hive|github|stackexchange|hyperkitty …] [--kills 20]

`precipitate crawl` runs in a process of its own and is killed (kill -9), each time after a random number of its requests, while
a fifth of all requests fails; after each kill somebody edits, takes back, likes or begins a conversation. Then it is run until it is at rest. The
servers are those of tests/emulators/conversations.py.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.kills import kill_again_and_again, run
from crawler.address import find_source
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.store import Store
from index.workspace import init_workspace
from tests.crawler.test_conversations import CASES, Case, visible
from tests.emulators.conversations import HyperKittyServer, SnapshotServer
from tests.emulators.world import Said, World

HOME = Path(__file__).parent.parent
FAILING = 0.2
VISITS = 30  # until it has to be at rest
WELL = 3  # crawls in a row that end well: what is missing counts as gone when it is missing twice
# The world is years old, and loses a tenth at once: both are told by a crawl, and neither is what is measured here.
CONFIG = "[crawl]\ndelay_seconds = 0.01\ntimeout_seconds = 5\n\n[watch]\nsilent_days = 0\nshrink_bp = 0\n"


def populated(conversations: int) -> World:
    """Each author answers once in a conversation, since a vote on Snapshot is one for each voter."""
    world = World()
    for number in range(conversations):
        root = world.thread("ann", f"How to do thing {number}", f"First, open the door of house {number}.")
        first = world.reply(root, "bob", f"Then close the window of thing {number}.")
        second = world.reply(first, "carol", f"And tell the neighbours of thing {number}.")
        world.reply(second, "dan", f"And sweep the floor of thing {number}.")
        world.like(root, "erin")
        world.like(root, "frank")
    return world


def live_on(case: Case, world: World, chance: random.Random, number: int) -> None:
    """One more thing happens. Mail has neither edits nor deletions, and on Snapshot only a whole proposal is taken back."""
    roots = [post for post in world.roots() if not post.deleted]
    root = chance.choice(roots)
    if not case.edits or number % 4 == 0:
        fresh = world.thread("eve", f"How to do another thing {number}", f"First, wait {number}.")
        world.reply(fresh, "bob", f"Then go home {number}.")
    elif number % 4 == 1:
        world.edit(root.id, f"First, knock at the door, {number} times.")
    elif number % 4 == 2:
        last = [post for post in world.of(root.id) if post.parent is not None and not world.below(post.id)]
        world.delete(root.id if not case.leaves or not last else last[-1].id)
    else:
        world.like(root.id, f"guest{number}")


def crawl(workspace: Path, kill: Callable[[], bool] | None = None) -> int:
    """`precipitate crawl`, its exit status; killed with its children where `kill` says so."""
    environment = os.environ | {"PYTHONPATH": str(HOME), "GITHUB_TOKEN": "let-me-in"}
    return run([sys.executable, "-m", "cli", "crawl", "--quiet"], workspace, environment, kill)


def at_rest(workspace: Path) -> int:
    """How many crawls it took until WELL of them ended well in a row."""
    well = 0
    for number in range(1, VISITS + 1):
        well = well + 1 if crawl(workspace) == 0 else 0
        if well == WELL:
            return number
    return VISITS


def compare(store: Store, case: Case, world: World) -> dict[str, tuple[int, int]]:
    """(pushed, found) of each kind."""
    rows = {row["id"]: row for row in store.rows("SELECT id, plain, state, author FROM posts")}
    live = [post for post in world.posts.values() if visible(world, post)]
    gone = [post for post in world.posts.values() if post.deleted]
    edited = [post for post in live if post.edited and case.edits]
    found = [post for post in live if _says(rows.get(case.post(world, post)), post)]
    kept = [post for post in gone if (row := rows.get(case.post(world, post))) and (row["state"] in ("live", "edited"))]
    # Where a network does not tell of edits, one of a text that was never read shows in nothing but the text.
    changed = [post for post in edited if post in found and (not case.tells_edits or rows[case.post(world, post)]["state"] == "edited")]
    told = {"posts": (len(live), len(found)), "edits": (len(edited), len(changed))}
    told["deletions"] = (len(gone), len(gone) - len(kept))
    if case.server is not HyperKittyServer:
        told["reactions"] = _reactions(store, case, world)
    people = {post.author: {rows[case.post(world, one)]["author"] for one in found if one.author == post.author} for post in live}
    single = [ids for ids in people.values() if len(ids) == 1]
    told["identities"] = (len(people), len(set().union(*single)) if single else 0)
    return told


def _says(row: dict[str, Any] | None, post: Said) -> bool:
    return row is not None and row["state"] in ("live", "edited") and row["plain"].strip() == post.text


def _reactions(store: Store, case: Case, world: World) -> tuple[int, int]:
    """Likes of what can be seen; on Snapshot each reason is a vote, too."""
    pushed = found = 0
    for post in world.roots():
        if visible(world, post):
            pushed += len(post.likes) + (len(world.of(post.id)) - 1 if case.server is SnapshotServer else 0)
            sql = "SELECT coalesce(sum(count), 0)::INTEGER FROM reactions WHERE post = ? AND kind IN ('like', 'vote:For')"
            found += store.execute(sql, [case.post(world, post)])[0][0]
    return pushed, found


def measure(name: str, kills: int, conversations: int, seed: int) -> bool:
    """Prints a line; True if all of everything was found, and all kills met a crawl."""
    case, chance, world = CASES[name], random.Random(f"{name} {seed}"), populated(conversations)
    with tempfile.TemporaryDirectory() as folder, case.server(world) as server:
        calm, workspace = (_workspace(Path(folder) / which, case.address(server)) for which in ("calm", "work"))
        crawl(calm)
        whole = len(server.log)
        server.failing = FAILING
        world.clock = int(time.time()) - 4 * 3600
        killed = kill_again_and_again(
            lambda kill: crawl(workspace, kill),
            lambda: len(server.log),
            whole,
            kills,
            chance,
            lambda number: live_on(case, world, chance, number),
            server.gate,
        )
        visits = at_rest(workspace)
        with Store(workspace / ".precipitate" / "work.duckdb") as store:
            figures = compare(store, case, world)
    shown = ", ".join(f"{kind} {found}/{pushed}" for kind, (pushed, found) in figures.items())
    print(f"{name:<14} {whole:>4} requests a crawl, killed {killed} times while asking, {visits} crawls to rest: {shown}", flush=True)
    return killed == kills and all(pushed == found for pushed, found in figures.values())


def _workspace(folder: Path, address: str) -> Path:
    workspace = init_workspace(folder)
    (workspace.root / "precipitate.toml").write_text(CONFIG)
    with Store(workspace.database) as store:
        tables.add_source(store, find_source(address, True, CrawlConfig(delay_seconds=0.001)))
    return workspace.root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--conversations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ.setdefault("GITHUB_TOKEN", "let-me-in")
    results = [measure(name, arguments.kills, arguments.conversations, arguments.seed) for name in arguments.names or CASES]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
