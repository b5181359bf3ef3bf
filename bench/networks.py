"""What was pushed to a network and is found in the store: posts, reactions, edits, deletions, identities.

    python -m bench.networks [nostr|atproto|jetstream|farcaster|mastodon …] [--threads 60] [--kills 20] [--fuzz 20000]

The first crawl is killed (kill -9) again and again, each time after a random number of its requests, while a fifth of all
requests fails and people go on to write. Then they edit, take back and rename; then it is crawled until it is at rest, with
a fifth failing still. How many requests a crawl makes is found out by one that nobody disturbs. nostr is read from nostr-sdk's relay behind a
proxy that breaks connections, the others from the emulators of tests/emulators. --fuzz reads so many mutated payloads.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kills import kill_again_and_again, run
from crawler.address import find_source
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.store import Store
from index.workspace import init_workspace
from tests.emulators.atproto import PROFILE, AtServer, AtWorld
from tests.emulators.farcaster import FarcasterNode
from tests.emulators.flaky import Flaky
from tests.emulators.gate import Gate
from tests.emulators.loopback import Loopback
from tests.emulators.mastodon import MastodonServer
from tests.emulators.nostr import EPOCH, Event, Person, RelayThread

HOME = Path(__file__).parent.parent
FAILING = 0.2
VISITS = 60  # until it has to be at rest
CRAWL = """
import sys
from pathlib import Path
from crawler import jetstream_sweep
from crawler.pipeline import crawl
from index.config import Config, CrawlConfig
from index.store import Store
from index.workspace import Workspace
jetstream_sweep.QUIET_SECONDS = 0.5
workspace = Workspace(Path(sys.argv[1]))
with workspace.lock("bench"), Store(workspace.database) as store:
    config = CrawlConfig(delay_seconds=0.001, timeout_seconds=10, extra_requests=100_000)
    report = crawl(workspace, store, Config(crawl=config), lambda *_: None)
    for source in report.sources:
        print(source.error or "", source.way_out)
    sys.exit(3 if report.partial else 0)
"""


@dataclass
class Pushed:
    """What the network holds in the end: ids of posts by what became of them, and counts of the rest."""

    live: dict[str, str] = field(default_factory=dict)  # post → a word that its text holds
    edited: dict[str, str] = field(default_factory=dict)  # post → a word of the text before
    gone: set[str] = field(default_factory=set)
    reactions: int = 0
    handles: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)


@dataclass
class Life:
    """One network on loopback: its address, who is there, one thread more, and what happens to them later."""

    address: str
    begin: Callable[[], None]
    thread: Callable[[int], None]
    change: Callable[[], None]
    asked: Callable[[], int]  # requests so far, as the server counts them
    pushed: Pushed
    gate: Gate


# --- the networks -------------------------------------------------------------------------------------------------


@contextmanager
def nostr(threads: int) -> Iterator[Life]:
    people = [Person(name) for name in ("ann", "bob", "cat", "dan")]
    pushed, roots = Pushed(handles={"ann", "bob-two"}, links={"github:bob", "https://ann.example"}), list[Event]()
    with RelayThread(most=100) as relay, Flaky(relay.url, FAILING) as proxy:
        ann, bob, cat, dan = people

        def begin() -> None:
            events = [
                ann.event(0, '{"name": "ann", "website": "https://ann.example"}', at=EPOCH),
                bob.event(0, '{"name": "bob"}', at=EPOCH),
            ]
            events.append(bob.event(10011, "", ["i", "github:bob", "proof"], at=EPOCH))
            events.append(cat.article("guide", "first text", EPOCH + 5))
            pushed.live[f"nostr:30023:{cat.pubkey}:guide"] = "second"
            assert relay.publish(*events) == []

        def thread(number: int) -> None:
            root = ann.note(f"root {number}", at=EPOCH + number * 100)
            reply = bob.note(f"reply {number}", root, at=EPOCH + number * 100 + 10)
            likes = [cat.like(root, at=EPOCH + number * 100 + 20), dan.like(reply, "🤙", at=EPOCH + number * 100 + 30)]
            roots.append(root)
            pushed.live |= {f"nostr:{root['id']}": "root", f"nostr:{reply['id']}": "reply"}
            pushed.reactions += 2
            assert relay.publish(root, reply, *likes) == []

        def change() -> None:
            now = int(time.time())
            gone = roots[: threads // 10]
            undone = cat.like(roots[-1], at=EPOCH + (len(roots) - 1) * 100 + 20)
            late = ann.note("late, dated back", at=EPOCH + 55)
            events = [ann.delete(*gone, at=now), cat.article("guide", "second text", now), bob.event(0, '{"name": "bob-two"}', at=now)]
            assert relay.publish(*events, cat.delete(undone, at=now), late) == []
            pushed.gone = {f"nostr:{root['id']}" for root in gone}
            pushed.edited[f"nostr:30023:{cat.pubkey}:guide"] = "first"
            pushed.live[f"nostr:{late['id']}"] = "late"
            pushed.reactions -= len(gone) + 1

        yield Life(proxy.url, begin, thread, change, lambda: proxy.passed, pushed, proxy.gate)


@contextmanager
def at_network(threads: int, stream: bool) -> Iterator[Life]:
    with AtServer(AtWorld(failing=FAILING, drop_after=40)) as world:
        writers = [world.person(f"ann{number}") for number in range(max(1, threads // 3))]  # each with a repository to be read
        bob, cat = world.person("bob"), world.person("cat")
        people = [*writers, bob, cat]
        for person in people:
            person.handle = f"{person.name}.invalid"
        pushed = Pushed(
            handles={f"{person.name}.invalid" for person in [*writers, cat]} | {"bob-two.invalid"}, links={"https://ann.example"}
        )
        roots, likes = dict[str, Any](), list[str]()

        def begin() -> None:
            writers[0].write(PROFILE, {"displayName": "Ann", "description": "https://ann.example"}, "self")

        def thread(number: int) -> None:
            writer = writers[number % len(writers)]
            root = writer.post(f"root {number}")
            reply = bob.post(f"reply {number}", root)
            likes.extend((cat.like(root), cat.like(reply)))
            roots[root] = writer
            pushed.live |= {root: "root", reply: "reply"}
            pushed.reactions += 2

        def change() -> None:
            share, known = threads // 10, list(roots)
            for root in known[:share]:
                roots[root].delete(root)
            for number, root in enumerate(known[share : 2 * share]):
                roots[root].edit(root, f"edited {number}")
                pushed.live[root], pushed.edited[root] = "edited", "root"
            cat.delete(likes[-1])
            bob.say_handle("bob-two.invalid")
            bob.post("news")
            pushed.gone = set(known[:share])
            pushed.reactions -= share + 1

        wanted = "&".join(f"wantedDids={person.did}" for person in people)
        address = f"{world.stream}?{wanted}#plc={world.url}/plc" if stream else world.url
        yield Life(address, begin, thread, change, lambda: len(world.asked) + world.streamed, pushed, world.gate)


@contextmanager
def farcaster(threads: int) -> Iterator[Life]:
    node = FarcasterNode()
    pushed, roots, likes = Pushed(handles={"ann", "bob-two"}, links={f"eip155:1:0x{1:040x}"}), list[Any](), list[Any]()
    with Loopback(node.answer) as server:
        server.failing = FAILING

        def begin() -> None:
            node.say(1, "USERNAME", "ann")
            node.say(2, "USERNAME", "bob")
            node.verify(1, f"0x{1:040x}")

        def thread(number: int) -> None:
            root = node.cast(1, f"root {number}")
            reply = node.cast(2, f"reply {number}", root)
            likes.extend((node.react(3, root), node.react(3, reply)))
            roots.append(root)
            pushed.live |= {f"farcaster:1/{root['hash']}": "root", f"farcaster:2/{reply['hash']}": "reply"}
            pushed.reactions += 2

        def change() -> None:
            share = threads // 10
            for root in roots[:share]:
                node.remove(root)
            node.unreact(likes[-1])
            node.prune(roots[-1])  # out of room: it stays here
            node.say(2, "USERNAME", "bob-two")
            pushed.gone = {f"farcaster:1/{root['hash']}" for root in roots[:share]}
            pushed.reactions -= share + 1

        yield Life(server.url, begin, thread, change, lambda: len(server.asked), pushed, server.gate)


@contextmanager
def mastodon(threads: int) -> Iterator[Life]:
    fed = MastodonServer()
    pushed, roots = Pushed(links={"https://ann.example", "https://bob.example"}), list[str]()
    with Loopback(fed.answer) as server:
        server.failing, fed.url = FAILING, server.url
        host = server.url.removeprefix("http://")
        pushed.handles = {f"ann@{host}", f"bob@{host}"}

        def post(number: str, name: str) -> str:
            return f"ap:{fed.url}/users/{name}/statuses/{number}"

        def thread(number: int) -> None:
            root = fed.post("ann", f"root {number}")
            reply = fed.post("bob", f"reply {number}", root)
            fed.favourite(root, "bob")
            fed.favourite(reply, "ann")
            roots.append(root)
            pushed.live |= {post(root, "ann"): "root", post(reply, "bob"): "reply"}
            pushed.reactions += 2

        def change() -> None:
            share = threads // 10
            for root in roots[:share]:
                fed.delete(root)
            for root in roots[share : 2 * share]:
                fed.edit(root, "edited")
                pushed.live[post(root, "ann")], pushed.edited[post(root, "ann")] = "edited", "root"
            pushed.gone = {post(root, "ann") for root in roots[:share]}
            pushed.reactions -= share

        yield Life(server.url, lambda: None, thread, change, lambda: len(server.asked), pushed, server.gate)


NETWORKS: dict[str, Callable[[int], Any]] = {
    "nostr": nostr,
    "atproto": lambda threads: at_network(threads, stream=False),
    "jetstream": lambda threads: at_network(threads, stream=True),
    "farcaster": farcaster,
    "mastodon": mastodon,
}


# --- the measure --------------------------------------------------------------------------------------------------


def crawl(workspace: Path, kill: Callable[[], bool] | None = None) -> int:
    """A crawl in a process of its own, its exit status; killed with all its children where `kill` says so."""
    return run([sys.executable, "-c", CRAWL, str(workspace)], workspace, os.environ | {"PYTHONPATH": str(HOME)}, kill)


def at_rest(workspace: Path) -> int:
    """Crawls until two in a row end well; how many it took."""
    well = 0
    for number in range(1, VISITS + 1):
        well = well + 1 if crawl(workspace) == 0 else 0
        if well == 2:
            return number
    return VISITS


def compare(store: Store, pushed: Pushed, source: str = "") -> dict[str, tuple[int, int]]:
    """(pushed, found) of each kind; of one source where the store holds several."""
    posts = {row[0]: (row[1], row[2]) for row in store.execute("SELECT id, state, body FROM posts")}
    versions = {row[0]: row[1] for row in store.execute("SELECT post, string_agg(body, ' ') FROM post_versions GROUP BY post")}
    live = {post: word for post, word in pushed.live.items() if post not in pushed.gone}
    found = sum(posts.get(post, ("", ""))[0] in ("live", "edited") and word in posts[post][1] for post, word in live.items())
    edits = sum(posts.get(post, ("", ""))[0] == "edited" and word in versions.get(post, "") for post, word in pushed.edited.items())
    # What was deleted before it was ever read need not be known; what is known of it must be gone.
    kept = sum(post in posts and (posts[post][0] not in ("author_deleted",) or posts[post][1] != "") for post in pushed.gone)
    mine = [source, source]
    reactions = store.execute(
        "SELECT count(*) FROM reactions WHERE actor <> '' AND (? = '' OR post IN (SELECT id FROM posts WHERE source = ?))", mine
    )[0][0]
    handles = {row[0] for row in store.execute("SELECT handle FROM authors WHERE ? = '' OR source = ?", mine)}
    links = {row[0] for row in store.execute("SELECT target FROM identity_links")}
    named, linked = len(pushed.handles & handles), len(pushed.links & links)
    return {
        "posts": (len(live), found),
        "reactions": (pushed.reactions, reactions),
        "edits": (len(pushed.edited), edits),
        "deletions": (len(pushed.gone), len(pushed.gone) - kept),
        "identities": (len(pushed.handles) + len(pushed.links), named + linked),
    }


def measure(name: str, threads: int, kills: int, seed: int) -> bool:
    """Prints one line for each kind; True if all of everything was found, and all kills met a crawl."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, NETWORKS[name](threads) as life:
        life.begin()
        first = max(1, threads // 2)  # the others are written while the crawl is killed again and again
        for number in range(first):
            life.thread(number)
        calm, workspace = (_workspace(Path(folder) / which, life.address) for which in ("calm", "work"))
        before = life.asked()
        crawl(calm)
        whole, written = life.asked() - before, [first]

        def live_on(killed: int) -> None:
            for number in range(written[-1], first + (threads - first) * killed // kills):
                life.thread(number)
                written.append(number + 1)

        killed = kill_again_and_again(lambda kill: crawl(workspace, kill), life.asked, whole, kills, chance, live_on, life.gate)
        live_on(kills)
        rests = [at_rest(workspace)]
        life.change()
        rests.append(at_rest(workspace))
        with Store(workspace / ".precipitate" / "work.duckdb") as store:
            figures = compare(store, life.pushed)
    print(
        f"{name}: a crawl makes {whole} requests; killed {killed} of {kills} times while it asked, then {rests[0]} crawls to rest, "
        f"{rests[1]} after the changes; {FAILING:.0%} of requests fail"
    )
    for kind, (pushed, found) in figures.items():
        print(f"  {kind:<12}{pushed:>6} pushed{found:>6} found  {100 * found // pushed if pushed else 100} %", flush=True)
    return killed == kills and all(pushed == found for pushed, found in figures.values())


def _workspace(folder: Path, address: str) -> Path:
    workspace = init_workspace(folder)
    with Store(workspace.database) as store:
        tables.add_source(store, _found(address))
    return workspace.root


def _found(address: str) -> Any:
    """The source; asking what it is may fail, too."""
    from index.errors import SourceError

    for _ in range(30):
        try:
            return find_source(address, True, CrawlConfig(delay_seconds=0.001))
        except SourceError:
            continue
    raise SystemExit(f"{address} was not found in 30 tries")


def fuzz(count: int) -> None:
    from tests.crawler import test_atproto, test_farcaster, test_mastodon, test_nostr

    for name, module in {"nostr": test_nostr, "atproto": test_atproto, "farcaster": test_farcaster, "mastodon": test_mastodon}.items():
        began = time.process_time()
        payloads, refused = module.fuzz(count, seed=1)
        print(
            f"{name}: {payloads:,} mutated payloads, no crash, {refused:,} with a reason stored, {time.process_time() - began:.0f} s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], default=[])
    parser.add_argument("--threads", type=int, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fuzz", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.fuzz:
        fuzz(arguments.fuzz)
        return
    results = [measure(name, arguments.threads, arguments.kills, arguments.seed) for name in arguments.names or NETWORKS]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
