"""The audit finds what was changed: in the ledger, the frozen snapshot, the round, the batches and the database."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.config import Config
from index.private import mask
from index.store import Store, canonical_json
from index.workspace import Workspace
from publish.release import write_files
from rewards import ledger, verify, verify_life
from rewards.audit import audit, is_quote_of
from rewards.disputes import decide, raise_dispute
from rewards.exports.rounds import round_files
from rewards.finalising import finalise, mark_paid, settle_held
from rewards.rounds import allocate, new_round
from rewards.teams import opt_out, set_team
from tests.rewards.builders import ADDRESSES, TOKEN, post_id
from tests.rewards.test_life import DAYS, RECORD, TX, filled, identify, make  # noqa: F401
from tests.rewards.test_verify import changed, leaves

# What a snapshot says that nothing else says again, and that decides nothing: times and names for people.
ALONE = {"handle", "source", "why", "title", "step_text", "quote", "permalink", "schema", "at", "reason", "origin", "uncredited"}


@pytest.fixture
def lived(filled: Store, workspace: Workspace) -> dict[str, Any]:  # noqa: F811
    """A round with all that can happen: files by name, as the verifier reads them."""
    set_team(filled, "duo", [f"{ADDRESSES[2]}=2", f"{ADDRESSES[3]}=1"], ["dora"], at=DAYS[0])
    opt_out(filled, "bob", "no, thank you", at=DAYS[0])
    make(filled, workspace, policy="proportional", cap="90%")
    raise_dispute(filled, workspace, "r1", "cleo", "more", [post_id(3)], at=DAYS[3])
    decide(filled, workspace, "r1", "r1-d1", "upheld", "yes", ["ann=90", "cleo=95"], at=DAYS[4])
    finalise(filled, workspace, "r1", at=DAYS[20])
    mark_paid(filled, workspace, "r1", TX, addresses=[ADDRESSES[0]], at=DAYS[21])
    identify(filled, cleo=ADDRESSES[1])
    settle_held(filled, workspace, "r1", at=DAYS[22])
    assert audit(filled, workspace, "r1")["findings"] == []
    return dict(round_files(workspace, "r1"))


def findings(files: dict[str, Any]) -> list[str]:
    """What the independent verifier says of a round's files, without release or workspace."""
    try:
        snapshot, frozen, batch = (json.loads(files[name]) for name in ("round-r1.json", "frozen-r1.json", "batch-r1-2.json"))
    except ValueError:
        return ["no JSON"]
    lines = files["ledger.jsonl"].split("\n")[:-1]
    return verify.verify_round(snapshot) or verify.verify_life(snapshot, frozen, lines, [batch])


def test_the_files_of_a_round_verify(lived: dict[str, Any]) -> None:
    assert list(lived) == ["round-r1.json", "frozen-r1.json", "ledger.jsonl", "batch-r1-2.json"]
    assert findings(lived) == []


@pytest.mark.parametrize("name", ["round-r1.json", "frozen-r1.json", "batch-r1-2.json"])
def test_every_changed_value_is_found(lived: dict[str, Any], name: str) -> None:
    paths = [path for path in leaves(json.loads(lived[name])) if not ALONE & set(map(str, path))]
    if name == "batch-r1-2.json":  # the verifier reads what is paid; shares and teams are told by the ledger
        paths = [path for path in paths if path[0] in ("payouts", "merkle_root") and "authors" not in path]

    @settings(max_examples=80, deadline=None)
    @given(st.sampled_from(paths), st.integers(0, 2**32))
    def find(path: tuple[Any, ...], seed: int) -> None:
        data = json.loads(lived[name])
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        before = holder[path[-1]]
        holder[path[-1]] = changed(before, random.Random(seed))
        if json.dumps(holder[path[-1]]) != json.dumps(before):
            assert findings({**lived, name: json.dumps(data)}), (path, before, holder[path[-1]])

    find()


@pytest.mark.parametrize("how", ["change", "leave out", "move", "double", "insert"])
def test_every_change_of_the_ledger_is_found(lived: dict[str, Any], how: str) -> None:
    lines = lived["ledger.jsonl"].split("\n")[:-1]
    for place in range(len(lines) - 1):  # the last line is followed by none: cutting it off takes a kept head to see
        spoiled = list(lines)
        if how == "change":
            spoiled[place] = spoiled[place].replace("2024-07", "2024-06")
        elif how == "leave out":
            spoiled.pop(place)
        elif how == "move":
            spoiled[place], spoiled[place + 1] = spoiled[place + 1], spoiled[place]
        else:
            spoiled.insert(place, spoiled[place] if how == "double" else "{}")
        assert findings({**lived, "ledger.jsonl": "\n".join(spoiled) + "\n"}), place


def rewritten(lines: list[str], edit: Any) -> list[str]:
    """A ledger written anew with all its hashes right, as a forger with the database would."""
    before, made = "", []
    for seq, line in enumerate(lines, 1):
        event = json.loads(line)
        edit(event)
        event |= {"prev": before, "seq": seq}
        made.append(canonical_json(event))
        before = hashlib.sha256(made[-1].encode()).hexdigest()
    return made


def test_a_ledger_written_anew_does_not_fit_the_published_round(lived: dict[str, Any]) -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["kind"] == "dispute_raised":
            event["data"]["reason"] = "nothing"

    lines = rewritten(lived["ledger.jsonl"].split("\n")[:-1], edit)
    assert verify_life.verify_ledger(lines) == []
    (found,) = findings({**lived, "ledger.jsonl": "\n".join(lines) + "\n"})
    assert "it was written anew" in found


EDITS: dict[str, tuple[str, Any]] = {
    "final inside the window": ("round_finalised", lambda e: e.update(at="2024-07-05T10:00:00Z")),
    "another root": ("round_finalised", lambda e: e["data"].update(merkle_root="0x" + "1" * 64)),
    "other amounts": ("round_allocated", lambda e: e["data"].update(amounts="sha256:" + "1" * 64)),
    "a dispute that was never decided": (
        "dispute_decided",
        lambda e: e.update(kind="dispute_raised", data={**e["data"], "dispute": "r1-d9"}),
    ),
    "another correction": ("corrected", lambda e: e["data"].update(after="1")),
    "a larger release": ("share_released", lambda e: e["data"].update(amount=str(int(e["data"]["amount"]) + 1))),
    "sent twice": ("payout_paid", lambda e: e["data"].update(addresses=[ADDRESSES[0], ADDRESSES[0]])),
    "another budget": ("round_made", lambda e: e["data"].update(budget="1")),
    "other rules": ("round_made", lambda e: e["data"]["rules"].update(window=1)),
    "money from nowhere": ("round_frozen", lambda e: e["data"].update(carried="5", budget=str(int(e["data"]["budget"]) + 5))),
    "another snapshot": ("round_frozen", lambda e: e["data"]["roots"].update(votes="sha256:" + "1" * 64)),
    "another team": ("team_set", lambda e: e["data"].update(members={ADDRESSES[3]: 1})),
}


@pytest.mark.parametrize("what", EDITS)
def test_even_where_the_round_was_made_to_fit_a_forged_ledger(lived: dict[str, Any], what: str) -> None:
    kind, change = EDITS[what]
    lines = rewritten(lived["ledger.jsonl"].split("\n")[:-1], lambda e: change(e) if e["kind"] == kind else None)
    snapshot = json.loads(lived["round-r1.json"])
    place = snapshot["life"]["ledger"]["seq"]
    snapshot["life"]["ledger"]["hash"] = hashlib.sha256(lines[place - 1].encode()).hexdigest()
    assert findings({**lived, "ledger.jsonl": "\n".join(lines) + "\n", "round-r1.json": json.dumps(snapshot)})


# --- in the workspace -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE ledger SET record = replace(record, 'more', 'less') WHERE seq = 8", "ledger: line 8"),
        ("DELETE FROM ledger WHERE seq = 3", "ledger: line 3"),
        ("UPDATE allocations SET amount = '1' WHERE author LIKE '%ann'", "store: discourse:forum.example.org/u/ann has another amount"),
        ("UPDATE allocations SET address = NULL WHERE author LIKE '%ann'", "is paid elsewhere in the database"),
        ("DELETE FROM allocations", "has another amount"),
        ("UPDATE rounds SET budget = '5'", "store: the database has the budget 5"),
        ("UPDATE posts SET plain = 'Something else was said.' WHERE number = 1", "quotes discourse:forum.example.org/p/1 otherwise"),
        ("UPDATE posts SET state = 'moderated' WHERE number = 1", "still has words of discourse:forum.example.org/p/1"),
    ],
)
def test_what_was_changed_in_the_database_is_found(lived: Any, filled: Store, workspace: Workspace, change: str, finding: str) -> None:  # noqa: F811
    filled.execute(change)
    assert any(finding in found for found in audit(filled, workspace, "r1")["findings"])


@pytest.mark.parametrize("name", ["r1.json", "frozen/r1.json", "batches/r1/2.json", "ledger.jsonl"])
@pytest.mark.parametrize("how", ["gone", "broken", "changed"])
def test_what_was_changed_in_the_files_is_found(lived: Any, filled: Store, workspace: Workspace, name: str, how: str) -> None:  # noqa: F811
    path = workspace.rounds / name
    if (name, how) == ("ledger.jsonl", "gone"):
        return  # it is written anew from the database, which is the truth
    if how == "gone":
        path.unlink()
    else:
        path.write_text("{" if how == "broken" else path.read_text(encoding="utf-8").replace("9", "8"), encoding="utf-8")
    assert audit(filled, workspace, "r1")["findings"]


def test_what_is_hidden_of_a_quote_is_no_finding() -> None:
    stored = "Write to ann@example.org before noon."
    assert is_quote_of(stored, stored) and is_quote_of(stored, mask(stored)) and mask(stored) != stored
    assert not is_quote_of(stored, mask(stored).replace("noon", "nine")) and not is_quote_of(stored, stored[:-1])


def test_a_kept_head_tells_that_the_end_was_cut_off(lived: Any, filled: Store, workspace: Workspace) -> None:  # noqa: F811
    new_round(filled, "r2", "10", TOKEN)
    ledger.publish(filled, workspace)
    head = audit(filled, workspace, "r1")["head"]
    assert audit(filled, workspace, "r1", head)["well"]
    filled.execute("DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)")
    ledger.publish(filled, workspace)
    assert audit(filled, workspace, "r1")["well"]
    (finding,) = audit(filled, workspace, "r1", head)["findings"]
    assert "cut off" in finding


def test_nothing_is_appended_to_a_broken_ledger(lived: Any, filled: Store, workspace: Workspace) -> None:  # noqa: F811
    from index.errors import StoreError

    filled.execute("UPDATE ledger SET record = replace(record, '2024-07', '2024-06') WHERE seq = 2")
    for attempt in (lambda: new_round(filled, "r2", "10", TOKEN), lambda: settle_held(filled, workspace, "r1")):
        with pytest.raises(StoreError, match="line 2 of the ledger"):
            attempt()


def test_the_verifier_as_a_program_reads_a_lived_round(filled: Store, workspace: Workspace, tmp_path: Path) -> None:  # noqa: F811
    """On a copy of the release and the round's files, with three files of code and nothing else at hand."""
    put = dict(RECORD) | {"generator": {"models": []}}
    from tests.rewards.builders import put_procedures

    put_procedures(filled, put)
    release = tmp_path / "release"
    release.mkdir()
    workspace.current.mkdir()
    (workspace.current / "manifest.json").write_text(json.dumps(write_files(filled, release, Config(), "0")), encoding="utf-8")
    make(filled, workspace, cap="60%", not_paid_in=None)
    finalise(filled, workspace, "r1", at=DAYS[20])
    for name, text in round_files(workspace, "r1"):
        (tmp_path / name).write_text(str(text), encoding="utf-8")
    for name in ("verify", "verify_policies", "verify_life"):
        shutil.copy(Path(verify.__file__).with_name(f"{name}.py"), tmp_path)
    words = [sys.executable, "-I", "verify.py", "release", "round-r1.json", "frozen-r1.json", "ledger.jsonl"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all well"), done.stdout + done.stderr
    (tmp_path / "ledger.jsonl").write_text((tmp_path / "ledger.jsonl").read_text().replace("round_opened", "round_closed"))
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 4 and "finding  life: line 3 of the ledger" in done.stdout


def test_a_round_that_is_not_allocated_has_its_ledger_checked(filled: Store, workspace: Workspace) -> None:  # noqa: F811
    new_round(filled, "r1", "10", TOKEN)
    told = audit(filled, workspace, "r1")
    assert told["well"] and told["events"] == 1 and told["state"] == "new"
    allocate(filled, workspace, "r1")
    assert audit(filled, workspace, "r1")["well"]
