"""Attacks on credit, injected into a distilled workspace, under our score and four others in the same run.

    python -m bench.attacks WORKSPACE [--quick] [--words]

Rings, splitting, self-answering and mass down-voting change what credit is computed from; copies, padding, edits after the
fact and backdated archives (--words) are posts that go through the whole chain on a copy of the workspace, which takes some
minutes. For each: the attackers' share of everything by ours, by count, √count, PageRank and a SourceCred-like score, and
what honest authors lose of their share: all together, and the one of the hundred largest who loses most.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.attack_flags import rates
from bench.attack_scores import RIVALS
from bench.attack_worlds import ALONE, AMENDING, VOUCHING, World, amend_rival, ask_oneself, read_world, ring, seed_part, split, vote_down
from rewards.ballots import vouches
from rewards.compare import socks_attack, split_attack
from rewards.policies import POLICIES, Inputs, Terms, warnings
from rewards.trust import ONE

BUDGET = 10_000 * 10**18

HEAD = f"{'':34} {'ours':>8} {'trust':>8} " + " ".join(f"{name:>15}" for name in RIVALS) + f" {'honest':>8} {'worst':>8}"


def per_cent(part: float) -> str:
    return f"{100 * part:.2f} %"


def row(name: str, ours: float, trust: float | None, rivals: Mapping[str, float], lost: tuple[float, float] | None) -> str:
    cells = [f"{per_cent(ours):>8}", f"{per_cent(trust) if trust is not None else '-':>8}"]
    cells += [f"{per_cent(rivals[r]) if r in rivals else '-':>15}" for r in RIVALS]
    cells += [f"{per_cent(value):>8}" for value in lost] if lost else [f"{'-':>8}"] * 2
    return f"{name:34} " + " ".join(cells)


def share_of(points: Mapping[str, int], who: Iterable[str]) -> float:
    return sum(points.get(name, 0) for name in who) / max(1, sum(points.values()))


def losses(before: Mapping[str, int], after: Mapping[str, int], attackers: set[str]) -> tuple[float, float]:
    """What honest authors lose of their share of everything: together, and the worst of the hundred largest."""
    honest = [name for name in before if name not in attackers]
    largest = sorted(honest, key=lambda name: (-before[name], name))[:100]

    def lost(names: list[str]) -> float:
        old = share_of(before, names)
        return 1 - share_of(after, names) / old if old else 0.0

    return lost(honest), max(lost([name]) for name in largest)


def rings(world: World, before: Mapping[str, int], quick: bool) -> None:
    part = seed_part(world)
    print(f"\nring (aim: 2 % at most; with a bribed seed that seed's own part of trust at most: {per_cent(part)})\n{HEAD}")
    for size in (30, 300) if quick else (3, 10, 30, 100, 300):
        for bridges, bribed in ((1, False), (10, False), (1, True)):
            attacked, names = ring(world, size, bridges, bribed)
            after = attacked.points()
            _, trust = attacked.trusted()
            label = f"{size} accounts, {bridges} bridge{'s' * (bridges > 1)}{', bribed seed' * bribed}"
            held = sum(trust.get(name, 0) for name in names) / ONE
            print(row(label, share_of(after, names), held, attacked.rival_shares(names), losses(before, after, set(names))), flush=True)


def candidates(world: World, before: Mapping[str, int], number: int) -> list[str]:
    """Large earners, and as many from the middle; no seeds."""
    order = [name for name in sorted(before, key=lambda name: (-before[name], name)) if name not in world.seeds]
    return [*order[:number], *order[len(order) // 3 :][:number]]


HOW = {
    ALONE: "",
    VOUCHING: ", each confirming every step of the others and saying that it worked",
    AMENDING: ", each amending every step of the others",
}


def splitting(world: World, before: Mapping[str, int], quick: bool) -> None:
    print("\nsplitting: what a person gets from n accounts, against one; mean and worst of the authors tried (aim: 1.0 at most)")
    for mutual, how in HOW.items():
        for parts in (2, 50) if quick else (2, 5, 10, 50):
            gains = []
            for author in candidates(world, before, 4 if quick else 8):
                attacked, names = split(world, author, parts, mutual)
                after = attacked.points()
                gains.append(share_of(after, names) / share_of(before, [author]))
            print(f"  {parts:3} accounts{how}: mean {sum(gains) / len(gains):.5f}, worst {max(gains):.5f}", flush=True)


def answering_oneself(world: World, before: Mapping[str, int], quick: bool) -> None:
    print("\nself-answering pair: what a person gets with a second account that asked, against before (aim: 1.0 at most)")
    for trusted in (False, True):
        gains = []
        for author in candidates(world, before, 4 if quick else 8):
            attacked, names = ask_oneself(world, author, trusted)
            gains.append(share_of(attacked.points(), names) / share_of(before, [author]))
        how = "with half of the person's endorsements" if trusted else "a new account"
        print(f"  asker is {how}: mean {sum(gains) / len(gains):.5f}, worst {max(gains):.5f}", flush=True)


def down_voting(world: World, before: Mapping[str, int], quick: bool) -> None:
    print("\nmass down-voting: what a rival loses when 100 new accounts object to every step (aim: 3 % at most)")
    lost = []
    for rival in candidates(world, before, 4 if quick else 8):
        after = vote_down(world, rival).points()
        lost.append(1 - share_of(after, [rival]) / share_of(before, [rival]))
    print(f"  mean {per_cent(sum(lost) / len(lost))}, worst {per_cent(max(lost))}", flush=True)
    print("mass amending: what a rival loses when one account that is trusted fully amends every step")
    lost = []
    for rival in candidates(world, before, 4 if quick else 8):
        after = amend_rival(world, rival)[0].points()
        lost.append(1 - share_of(after, [rival]) / share_of(before, [rival]))
    print(f"  mean {per_cent(sum(lost) / len(lost))}, worst {per_cent(max(lost))}", flush=True)


def policies(world: World, before: Mapping[str, int]) -> None:
    """Splitting into ten accounts under every policy, without and with verified identities; votes are the honest vouches."""
    print("\nsplitting the largest earner into 10 under each policy: by accounts, by voters (aim: 1.0 at most, or a warning)")
    votes = vouches(world.earned().credits, BUDGET // 10_000)
    persons = {name: f"person of {name}" for name in {*before, *(b.voter for b in votes)}}
    for policy in POLICIES:
        told = []
        for verified in (False, True):
            terms = Terms(policy=policy, verified=verified, cap=BUDGET // 20)
            inputs = Inputs(before, votes, persons if verified else {})
            gains = [attack(terms, inputs, BUDGET) for attack in (split_attack, socks_attack)]
            shown = ", ".join("-" if bp is None else f"{bp / 10_000:.2f}" for bp in gains)
            told.append(f"{'verified' if verified else 'cap 5 %'} {shown}{' (warns)' if warnings(terms) else ''}")
        plain = [attack(Terms(policy=policy), Inputs(before, votes, {}), BUDGET) for attack in (split_attack, socks_attack)]
        shown = ", ".join("-" if bp is None else f"{bp / 10_000:.2f}" for bp in plain)
        print(f"  {policy:15} as it is {shown}{' (warns)' if warnings(Terms(policy=policy)) else ''}; {'; '.join(told)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and authors")
    parser.add_argument("--words", action="store_true", help="also the attacks that go through the distiller")
    parser.add_argument("--only-words", action="store_true", help="those alone")
    given = parser.parse_args()
    begun = time.monotonic()
    world = read_world(given.workspace)
    before = world.points()
    accounts = len({name for e in world.given for name in (e.giver, e.taker)})
    print(
        f"{len(world.records)} SOPs, {len(before)} credited authors, {accounts} accounts in {len(world.given)} endorsements, {len(world.seeds)} seeds"
    )
    if not given.only_words:
        rings(world, before, given.quick)
        splitting(world, before, given.quick)
        answering_oneself(world, before, given.quick)
        down_voting(world, before, given.quick)
        policies(world, before)
        rates(given.workspace, world)
    if given.words or given.only_words:
        from bench.attack_words import through_the_distiller

        through_the_distiller(given.workspace, given.quick)
    print(f"\n{time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
