"""A round by weights of its own: what is frozen, published, recomputed by a stranger, and found when it was changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index import tables_rewards as tables
from index.config import Config, RewardsConfig
from index.errors import ConfigError, StoreError
from index.records import Identity
from index.store import Store
from index.workspace import Workspace
from publish.release import write_files
from rewards import verify
from rewards.audit import audit
from rewards.compare import compare_round
from rewards.own_weights import read_own, round_credits
from rewards.pipeline import credit, credits_by
from rewards.published import read_round
from rewards.recompute import by_kind
from rewards.rounds import allocate, find_round, freeze, new_round, terms_of
from rewards.weights import weights_hash
from tests.rewards.builders import ADDRESSES, TOKEN, author_id, put_forum, put_procedures
from tests.rewards.test_verify import RECORD

OWN = "first_said_bp = 6000\namended_bp = 3000\nrestart_bp = 4000\nlikes_bp = 0\n"


@pytest.fixture
def own(tmp_path: Path) -> RewardsConfig:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return read_own(path, RewardsConfig())


@pytest.fixture
def filled(store: Store, workspace: Workspace) -> Store:
    put_forum(store, RECORD, likes={1: ["fan"], 2: ["eve"]})
    put_procedures(store, RECORD)
    credit(store, Config())
    workspace.releases.mkdir(exist_ok=True)
    folder = workspace.releases / "000001"
    folder.mkdir()
    manifest = write_files(store, folder, Config(), "0")
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.copytree(folder, workspace.current)
    tables.put_identities(store, [Identity(author_id(n), a, "test") for n, a in zip(("ann", "bob", "cleo"), ADDRESSES, strict=False)])
    return store


def allocated(store: Store, workspace: Workspace, own: RewardsConfig | None, name: str = "r1", **options: Any) -> dict[str, Any]:
    new_round(store, name, "10000", TOKEN, 18, options=options, weights=own)
    allocate(store, workspace, name)
    return read_round(workspace, name)


def by_role(snapshot: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in snapshot["credits"]:
        found[record["role"]] = found.get(record["role"], 0) + record["points"]
    return found


def test_what_is_frozen_is_what_the_rounds_own_weights_give(filled: Store, workspace: Workspace, own: RewardsConfig) -> None:
    before = tables.credits(filled)
    usual, mine = allocated(filled, workspace, None, "r0"), allocated(filled, workspace, own)
    assert "weights" not in usual and mine["weights"]["hash"] == weights_hash(own)
    assert (by_role(usual)["amended"], by_role(mine)["amended"]) == (200_000, 300_000)
    assert by_role(usual)["first_said"] % 700_000 == 500_000 and by_role(mine)["first_said"] % 600_000 == 300_000, "less what was amended"
    assert "liked" not in by_role(mine)
    _, gathered, _ = credits_by(filled, own)  # from the store itself, not from the evidence that is published
    assert {(c["author"], c["step"], c["role"], c["points"]) for c in mine["credits"]} == {
        (c.author, c.step, c.role, c.points) for c in gathered.credits
    }
    assert tables.credits(filled) == before, "the workspace's own credits stay"
    made = {a["author"]: int(a["amount"]) for a in mine["allocations"]}
    assert made[author_id("cleo")] > {a["author"]: int(a["amount"]) for a in usual["allocations"]}[author_id("cleo")]


def test_the_weights_are_part_of_the_terms_and_do_not_follow_the_workspace(filled: Store, workspace: Workspace, own: RewardsConfig) -> None:
    made = new_round(filled, "r1", "10000", TOKEN, 18, weights=own)
    assert terms_of(filled, made).weights == own
    expected = round_credits(filled, terms_of(filled, made))
    credit(filled, Config(rewards=RewardsConfig(first_said_bp=3000)))  # the operator thinks better of it
    assert round_credits(filled, terms_of(filled, find_round(filled, "r1"))) == expected
    freeze(filled, workspace, "r1")
    frozen = json.loads((workspace.rounds / "frozen" / "r1.json").read_text(encoding="utf-8"))
    assert frozen["terms"]["weights"]["first_said_bp"] == 6000
    assert sum(row["chosen"] for row in compare_round(filled, "r1")["policies"]) == 1


@pytest.mark.parametrize("options", [{}, {"cap": "50%"}], ids=["plain", "with a cap"])
def test_a_stranger_and_the_audit_recompute_it(filled: Store, workspace: Workspace, own: RewardsConfig, options: dict[str, Any]) -> None:
    snapshot = allocated(filled, workspace, own, **options)
    told = audit(filled, workspace, "r1")
    assert (told["findings"], told["release_compared"]) == ([], True)
    assert verify.verify_against_release(snapshot, workspace.current) == []


@pytest.mark.parametrize("what", ["weight", "hash", "points", "left out", "words", "no weights", "another decay"])
def test_what_was_changed_is_found(filled: Store, workspace: Workspace, own: RewardsConfig, what: str) -> None:
    snapshot = allocated(filled, workspace, own)
    first = snapshot["credits"][0]
    if what == "weight":
        snapshot["weights"]["weights"]["amended_bp"] = 5000
        snapshot["weights"]["hash"] = weights_hash(RewardsConfig(**snapshot["weights"]["weights"]))  # and the hash made to fit
    elif what == "hash":
        snapshot["weights"]["hash"] = "sha256:" + "0" * 64
    elif what == "points":
        first["points"] += 1
    elif what == "left out":
        snapshot["credits"].remove(first)
    elif what == "words":
        first["quote"] = "Something else."
    elif what == "no weights":
        del snapshot["weights"]
    else:
        snapshot["weights"]["weights"]["decay_bp"] = 1
        snapshot["weights"]["hash"] = weights_hash(RewardsConfig(**snapshot["weights"]["weights"]))
    assert verify.verify_against_release(snapshot, workspace.current)
    if what in ("weight", "no weights"):  # other points than the frozen file's terms give: the life tells it, too
        (workspace.rounds / "r1.json").write_text(json.dumps(snapshot), encoding="utf-8")
        assert any("own weights" in finding for finding in audit(filled, workspace, "r1")["findings"])


@pytest.mark.parametrize("line", ["decay_bp = 8000", "composed_bp = 0"])
def test_weights_that_are_in_the_evidence_stay_the_workspaces(tmp_path: Path, line: str) -> None:
    (tmp_path / "own.toml").write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match="the workspace's is"):
        read_own(tmp_path / "own.toml", RewardsConfig())


def test_evidence_of_other_settings_is_refused_and_so_is_none(filled: Store, workspace: Workspace, own: RewardsConfig) -> None:
    new_round(filled, "r1", "10000", TOKEN, 18, weights=own)
    credit(filled, Config(rewards=RewardsConfig(decay_bp=8000)))
    with pytest.raises(StoreError, match="decay_bp 8000"):
        freeze(filled, workspace, "r1")
    filled.execute("DELETE FROM credit_evidence")
    with pytest.raises(StoreError, match="no evidence"):
        freeze(filled, workspace, "r1")
    assert find_round(filled, "r1").state == "new" and by_kind([]) == {}
