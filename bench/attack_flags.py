"""How often flags are right: honest accounts flagged on the workspace as it is, and injected groups found."""

from __future__ import annotations

from pathlib import Path

from bench.attack_worlds import World, ring
from index import tables_evidence as tables
from index.store import Store
from rewards.flags import STYLE_BP, STYLE_CHARACTERS, Account, bursts, pairs, read_accounts, rings, styles
from rewards.style import Manner, profile
from rewards.trust import Endorsement


def rates(workspace: Path, world: World) -> None:
    """Prints a line for each kind of flag."""
    linked = {name for e in world.given for name in (e.giver, e.taker)}
    with Store(workspace / ".precipitate" / "work.duckdb") as store:
        accounts, texts = read_accounts(store), tables.own_words(store, linked)
    found = {
        "ring": rings(world.given, world.trusted()[0]),
        "pair": pairs(world.given),
        "burst": bursts(world.given, accounts),
        "style": styles(world.given, texts),
    }
    hits = {"ring": _rings(world), "pair": _pairs(world), "burst": _bursts(world, accounts), "style": _styles(texts)}
    print(f"\nflags: of {len(linked)} accounts that endorse or are endorsed; injected groups found")
    for kind, raised in found.items():
        names = {name for flag in raised for name in flag.accounts}
        got, tried = hits[kind]
        print(
            f"  {kind:6} {len(raised):3} flags name {len(names):3} accounts ({100 * len(names) / len(linked):.2f} %); found {got} of {tried} injected",
            flush=True,
        )


def _rings(world: World) -> tuple[int, int]:
    kinds = [(size, bridges, bribed) for size in (5, 10, 30, 100, 300) for bridges, bribed in ((1, False), (10, False), (1, True))]
    got = 0
    for size, bridges, bribed in kinds:
        attacked, names = ring(world, size, bridges, bribed)
        members = set(names)
        got += any(len(members & set(flag.accounts)) >= 0.8 * size for flag in rings(attacked.given, attacked.trusted()[0]))
    return got, len(kinds)


def _pairs(world: World) -> tuple[int, int]:
    made = [
        Endorsement(one, other, "2026-01-01T00:00:00Z", "reply", f"{one}{turn}")
        for n in range(20)
        for one, other in ((f"pair:{n}a", f"pair:{n}b"), (f"pair:{n}b", f"pair:{n}a"))
        for turn in range(3 + n % 3)
    ]
    return sum(flag.accounts[0].startswith("pair:") for flag in pairs([*world.given, *made])), 20


def _bursts(world: World, accounts: dict[str, Account]) -> tuple[int, int]:
    """Groups of 3 to 12 accounts that appear within 6 to 60 hours: the smallest and the slowest are below the bar."""
    got, tried, known = 0, 0, dict(accounts)
    for size in (3, 5, 8, 12):
        for hours in (6, 24, 60):
            tried += 1
            made = []
            for n in range(size):
                name, hour = f"burst:{size}:{hours}:{n}", n * hours // size
                moment = f"2026-02-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z"
                known[name] = Account(name, moment, moment, 1)
                made.append(Endorsement(name, f"star:{size}:{hours}", moment, "reply", name))
            got += any(f"star:{size}:{hours}" in flag.accounts for flag in bursts([*world.given, *made], known))
    return got, tried


def _styles(texts: dict[str, list[str]]) -> tuple[int, int]:
    """One person's posts dealt out to two accounts that each wrote enough."""
    manner = Manner(profile(own) for own in texts.values() if sum(map(len, own)) >= STYLE_CHARACTERS)
    got = tried = 0
    for own in texts.values():
        halves = [own[0::2], own[1::2]]
        if min(sum(map(len, half)) for half in halves) >= STYLE_CHARACTERS:
            tried += 1
            got += manner.likeness_bp(profile(halves[0]), profile(halves[1])) >= STYLE_BP
    return got, tried
