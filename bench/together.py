"""Twelve networks in one workspace, read side by side and killed together: what was pushed and is found in the store.

    python -m bench.together [--kills 20] [--threads 20] [--seed 1]

A fifth of all requests fails. Each crawl is killed (kill -9) while it waits for answers: every server lets a random number
of its requests through and holds the next one, so whoever waits is at work for certain, however slow the machine is. Most
kills come when all wait, some when a few do. After each, people write, edit, react and take back on every network. It goes
on until each network was met by so many kills; then everything is crawled until it is at rest, and compared.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import conversations, networks
from bench import crawl as forums
from bench.kills import run
from crawler.address import find_source
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.errors import SourceError
from index.store import Store
from index.workspace import init_workspace
from tests.crawler.test_conversations import CASES
from tests.emulators.discourse import DiscourseEmulator
from tests.emulators.gate import Gate

HOME = Path(__file__).parent.parent
COMMAND = [sys.executable, str(HOME / "cli.py"), "crawl", "--quiet"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(HOME) + os.pathsep + os.environ.get("PYTHONPATH", ""), "GITHUB_TOKEN": "let-me-in"}
CONFIG = "[crawl]\ndelay_seconds = 0.01\ntimeout_seconds = 120\nextra_requests = 3000\n\n[watch]\nsilent_days = 0\nshrink_bp = 0\n"
FAILING, VISITS, WELL, MOST_KILLS = 0.2, 20, 3, 3
QUIET = 3.0  # seconds in which nobody asks anything more: those who are not at their gates by then have ended
Figures = dict[str, tuple[int, int]]  # kind → (pushed, found)


@dataclass
class Network:
    """One of them, as this needs it: `live_on` is told how many kills there were, `change` is what happens at the end."""

    name: str
    address: str
    gate: Gate
    live_on: Callable[[int], None]
    change: Callable[[], None]
    compare: Callable[[Store, str], Figures]


@contextmanager
def forum(threads: int, chance: random.Random) -> Iterator[Network]:
    with DiscourseEmulator() as server:
        forums.populate(server, threads, chance)
        server.flaky, gate, done = FAILING, Gate(), {"edited": {}, "gone": {}, "new": {}}
        server.while_answering = lambda _: gate.wait()

        def live_on(_: int) -> None:
            for kind, posts in forums.live_on(server, chance, 4).items():
                done[kind] = posts | done[kind]

        def compare(store: Store, _: str) -> Figures:
            return {kind: (pushed, got) for kind, (got, pushed) in forums.found(store, server, done).items()}

        yield Network("discourse", server.url, gate, live_on, lambda: None, compare)


@contextmanager
def social(name: str, threads: int, kills: int) -> Iterator[Network]:
    """Half of the threads are there at first, the others come after kills."""
    with networks.NETWORKS[name](threads) as life:
        life.begin()
        first = threads // 2
        for number in range(first):
            life.thread(number)
        written = [first]

        def live_on(killed: int) -> None:
            upto = min(threads, first + (threads - first) * killed // kills)
            for number in range(written[0], upto):
                life.thread(number)
            written[0] = max(written[0], upto)

        yield Network(
            name, life.address, life.gate, live_on, life.change, lambda store, source: networks.compare(store, life.pushed, source)
        )


@contextmanager
def conversation(name: str, count: int, chance: random.Random) -> Iterator[Network]:
    case, world = CASES[name], conversations.populated(count)
    with case.server(world) as server:
        server.failing, world.clock = FAILING, int(time.time()) - 4 * 3600
        yield Network(
            name,
            case.address(server),
            server.gate,
            lambda killed: conversations.live_on(case, world, chance, killed),
            lambda: None,
            lambda store, _: conversations.compare(store, case, world),
        )


def all_networks(threads: int, kills: int, chance: random.Random, stack: ExitStack) -> list[Network]:
    names = [name for name in CASES if name != "lemmy-1.0"]  # its ids are those of lemmy-0.19's emulator
    opened = [forum(threads, chance)]
    opened += [social(name, threads, kills) for name in networks.NETWORKS if name != "jetstream"]  # it is read by stream
    opened += [conversation(name, threads, random.Random(f"{name} {chance.random()}")) for name in names]
    return [stack.enter_context(network) for network in opened]


def added(workspace: Path, found: list[Network]) -> dict[str, str]:
    """Every network as a source, with its id. Asking what an address is may fail, too."""
    ids = {}
    with Store(workspace / ".precipitate" / "work.duckdb") as store:
        for network in found:
            for _ in range(30):
                try:
                    source = find_source(network.address, True, CrawlConfig(delay_seconds=0.001))
                    break
                except SourceError:
                    continue
            tables.add_source(store, source)
            ids[network.name] = source.id
    return ids


def kill_once(workspace: Path, found: list[Network], chance: random.Random) -> list[str]:
    """The networks that were met at work by one kill."""
    for network in found:
        network.gate.close(chance.randint(1, chance.choice((3, 10, 30))))
    wanted = len(found) if chance.random() < 0.7 else chance.randint(1, len(found))
    due, met, last = list[float](), list[str](), [(0, time.monotonic())]

    def kill() -> bool:
        waiting = sum(network.gate.held for network in found)
        passed = waiting + sum(network.gate.passed for network in found)
        if passed != last[0][0]:
            last[0] = (passed, time.monotonic())
        if not due and (waiting >= wanted or (waiting and time.monotonic() - last[0][1] > QUIET)):
            due.append(time.monotonic() + chance.uniform(0.0, 1.0))
        met[:] = [network.name for network in found if network.gate.held]
        return bool(due) and time.monotonic() >= due[0]

    status = run(COMMAND, workspace, ENVIRONMENT, kill)
    for network in found:
        network.gate.open()
    return met if status < 0 else []


def at_rest(workspace: Path) -> int:
    """How many crawls it took until WELL of them ended well in a row."""
    well = 0
    for number in range(1, VISITS + 1):
        well = well + 1 if run(COMMAND, workspace, ENVIRONMENT) == 0 else 0
        if well == WELL:
            return number
    return VISITS


def measure(threads: int, kills: int, seed: int) -> bool:
    """Prints a line for each network; True if all of everything was found, and each network was met by so many kills."""
    chance, met, count, began = random.Random(seed), Counter[str](), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found = all_networks(threads, kills, chance, stack)
        workspace = init_workspace(Path(folder) / "work").root
        (workspace / "precipitate.toml").write_text(CONFIG)
        ids = added(workspace, found)
        while count < MOST_KILLS * kills and min(met[network.name] for network in found) < kills:
            count += 1
            met.update(kill_once(workspace, found, chance))
            for network in found:
                network.live_on(count)
        for network in found:
            network.live_on(kills)
        first = at_rest(workspace)
        for network in found:
            network.change()
        second = at_rest(workspace)
        with Store(workspace / ".precipitate" / "work.duckdb") as store:
            figures = {network.name: network.compare(store, ids[network.name]) for network in found}
    print(f"{count} kills; {first} crawls to rest, {second} after the last changes; {time.monotonic() - began:.0f} s; {FAILING:.0%} fail")
    for name, kinds in figures.items():
        shown = ", ".join(f"{kind} {got}/{pushed}" for kind, (pushed, got) in kinds.items())
        print(f"{name:<14} met by {met[name]:>2} kills: {shown}", flush=True)
    whole = all(pushed == got for kinds in figures.values() for pushed, got in kinds.values())
    return whole and min(met[name] for name in figures) >= kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--threads", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ.setdefault("GITHUB_TOKEN", "let-me-in")
    raise SystemExit(not measure(arguments.threads, arguments.kills, arguments.seed))


if __name__ == "__main__":
    main()
