"""One round of a distilled workspace under every policy, with and without a cap and verified identities.

    python -m bench.policies WORKSPACE

Reads the workspace's credits and vouches; contributions from outside it has none. "verified" gives every account an
identity of its own, so what is measured there is the splitting of one person's account. Gains are what the largest earner
gets after splitting into ten accounts, and when the largest vote for them comes from ten voters, against before; "ring" is
the share of the five smallest earners before and after they vote for one another.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from index import tables_rewards as tables
from index.store import Store
from rewards.ballots import vouches
from rewards.compare import figures, newcomers
from rewards.policies import POLICIES, Inputs, Terms

BUDGET = 10_000 * 10**18
SETTINGS = {
    "as it is": Terms(),
    "cap 5 %": Terms(cap=BUDGET // 20),
    "verified": Terms(verified=True),
    "verified, cap 5 %, tilt .75": Terms(verified=True, cap=BUDGET // 20, tilt_bp=7500),
}


def shown(bp: int | None, scale: int = 100) -> str:
    return "-" if bp is None else f"{bp / scale:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    with Store(parser.parse_args().workspace / ".precipitate" / "work.duckdb") as store:  # writes down what is hidden of quotes
        points, credits = tables.points_by_author(store), tables.credits(store)
        new = newcomers(tables.credit_records(store), [])
    ballots = vouches(credits, 10**18)
    inputs = Inputs(points, ballots, {account: f"person of {account}" for account in {*points, *(b.voter for b in ballots)}})
    print(f"{len(points)} authors, {len(new)} newcomers, {len(ballots)} vouches of {len({b.voter for b in ballots})} voters")
    for name, terms in SETTINGS.items():
        print(f"\n{name}\n{'':15} payees   gini  top10%   new%  left%  split  voters  ring%")
        given = inputs if terms.verified else replace(inputs, persons={})
        for policy in POLICIES:
            row = figures(replace(terms, policy=policy), given, BUDGET, new)
            ring = f"{shown(row['ring']['before_bp'])} → {shown(row['ring']['after_bp'])}" if row["ring"] else "-"
            left = int(row["residual"]) * 10_000 // BUDGET
            print(
                f"{policy:15} {row['payees']:6} {shown(row['gini_bp'], 10_000):>6} {shown(row['top_share_bp']):>7} "
                f"{shown(row['newcomer_share_bp']):>6} {shown(left):>6} {shown(row['splitting_gain_bp'], 10_000):>6} "
                f"{shown(row['vote_splitting_gain_bp'], 10_000):>7}  {ring}"
            )


if __name__ == "__main__":
    main()
