"""Whatever happens to a round, in whatever order: the books add up at each stage, and the audit finds nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from index import tables_rewards as tables
from index import tables_rounds
from index.config import Config
from index.errors import StateError, UsageError
from index.records import Identity
from index.store import Store
from index.workspace import Workspace, init_workspace
from rewards.audit import audit
from rewards.disputes import decide, raise_dispute
from rewards.finalising import finalise, mark_paid, read_batches, settle_held
from rewards.pipeline import credit
from rewards.programs import list_programs, new_program
from rewards.published import read_round
from rewards.rounds import allocate, find_round, freeze, new_round
from rewards.rules import after
from rewards.teams import opt_out, set_team
from rewards.tombstones import erase
from tests.rewards.builders import ADDRESSES, TOKEN, author_id, put_forum, put_procedures
from tests.rewards.test_life import DAYS, RECORD, TX

PEOPLE = ("ann", "bob", "cleo", "dora")


class Life:
    """One workspace, driven by chance. Steps that the state does not allow are refused, and that changes nothing."""

    def __init__(self, store: Store, workspace: Workspace, chance: random.Random) -> None:
        self.store, self.workspace, self.chance, self.at = store, workspace, chance, DAYS[0]
        self.addresses = list(ADDRESSES)

    def later(self) -> str:
        self.at = after(self.at, self.chance.randrange(1, 40 * 3600))
        return self.at

    def setting(self) -> dict[str, object]:
        pick = self.chance.choice
        options: dict[str, object] = {"window": pick(["0", "1d"]), "claim_within": pick(["0", "3d"]), "deleted": pick(["keep", "forfeit"])}
        options |= {"unclaimed": pick(["residual", "next"]), "forfeited": pick(["residual", "others", "next"])}
        options |= {
            "policy": pick(["proportional", "proportional", "clrfund-linear"]),
            "cap": pick([None, None, "45%"]),
            "floor": pick([None, "5%"]),
        }
        return options | {"verified": pick([None, None, True])}

    def step(self, name: str) -> None:
        """One thing that may happen."""
        store, workspace, pick = self.store, self.workspace, self.chance.choice
        what = pick(
            ["claim", "team", "opt", "back", "delete", "dispute", "decide", "decide", "again", "allocate", "finalise", "settle", "paid"]
        )
        person, at = pick(PEOPLE), self.later()
        try:
            if what == "claim" and self.addresses and author_id(person) not in tables_rounds.team_accounts(store):
                tables.put_identities(store, [Identity(author_id(person), self.addresses.pop(), "test")])
            elif what == "team" and len(self.addresses) > 1:
                set_team(store, "duo", [f"{self.addresses[0]}=2", f"{self.addresses[1]}={self.chance.randrange(1, 9)}"], [person], at=at)
            elif what in ("opt", "back"):
                opt_out(store, person, "said so", back=what == "back", at=at)
            elif what == "delete":
                store.execute("UPDATE posts SET state = 'author_deleted' WHERE number = ?", [self.chance.randrange(1, 6)])
                erase(store, workspace, at=at)
            elif what == "dispute":
                raise_dispute(store, workspace, name, person, "hm", at=at)
            elif what == "decide":
                amounts = [f"{pick(PEOPLE)}={self.chance.randrange(0, 400)}.5"] if self.chance.random() < 0.6 else []
                number = self.chance.randrange(1, 4)
                decide(store, workspace, name, f"{name}-d{number}", "upheld" if amounts else "rejected", "so", amounts, at=at)
            elif what == "again":
                freeze(store, workspace, name, again="once more", at=at)
            elif what == "allocate":
                allocate(store, workspace, name, at=at)
            elif what == "finalise":
                finalise(store, workspace, name, at=at)
            elif what == "settle":
                settle_held(store, workspace, name, at=at)
            elif what == "paid":
                mark_paid(store, workspace, name, TX, batch=pick([1, 1, 2]), at=at)
        except (StateError, UsageError) as refused:
            assert refused.message and refused.way_out, what

    def check(self, name: str) -> None:
        assert audit(self.store, self.workspace, name)["findings"] == []
        round_ = find_round(self.store, name)
        if round_.state not in ("allocated", "final"):
            return
        snapshot = read_round(self.workspace, name)
        assert sum(int(snapshot["totals"][key]) for key in ("paid", "held", "residual")) == round_.budget
        rows = tables.allocations(self.store, name)
        batches = [int(p["amount"]) for batch in read_batches(self.workspace, name) for p in batch["payouts"]]
        assert sum(batches) == sum(a.amount for a in rows if (a.batch or 0) > 1)
        assert sum(int(p["amount"]) for p in snapshot["payouts"]) == int(snapshot["totals"]["paid"])
        assert sum(a.amount for a in rows) + int(snapshot["totals"]["residual"]) == round_.budget


@pytest.mark.parametrize("seed", range(6))
def test_any_life_adds_up(tmp_path: Path, seed: int) -> None:
    workspace = init_workspace(tmp_path / "round")
    with Store(workspace.database) as store:
        put_forum(store, RECORD)
        put_procedures(store, RECORD)
        credit(store, Config())
        life = Life(store, workspace, random.Random(seed))
        new_program(store, "docs", TOKEN, 2, {}, at=life.at)
        for name in ("r1", "r2"):
            new_round(store, name, "1000", options=life.setting(), program="docs", at=life.later())
            allocate(store, workspace, name, at=life.later())
            for place in range(14):
                life.step(name)
                if place % 5 == 0:
                    life.check(name)
            for known in ("r1", name):
                life.check(known)
        assert int(list_programs(store)[0]["pot"]) >= 0
