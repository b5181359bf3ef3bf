"""The independent verifier: as a program, on a copy of a release and a round, with nothing else at hand."""

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

from index import tables_rewards as tables
from index.config import Config
from index.records import Identity
from index.store import Store
from index.workspace import Workspace
from publish.release import FILES, write_files
from rewards import verify
from rewards.exports import export
from rewards.money import keccak256
from rewards.pipeline import credit
from rewards.rounds import allocate, new_round
from tests.rewards.builders import ADDRESSES, TOKEN, author_id, cite, procedure, put_forum, put_procedures, stance, step
from tests.rewards.snapshots import crowd, round_of

RECORD = procedure(
    step(1, cite(1, "ann", 1, exact="Fill in Form G2."), cite(9, "copycat", 20, exact="Complete Form G2!"), text="Fill in Form G4"),
    step(2, cite(2, "bob", 2, exact="Then post it before noon."), text="Post it before noon"),
    stances=(
        stance("amendment", 1, cite(3, "cleo", 3, exact="G2 is gone, fill in G4.")),
        stance("support", 2, cite(4, "dora", 4, exact="Did so.")),
    ),
) | {"generator": {"models": []}, "version": 1}
EXPORTED = ("merkle", "uniswap", "allo-v2", "allo-v1", "hypercerts", "json", "safe-csv")
# What a round says of itself alone: nothing in the release says another thing.
SAID_ALONE = {("round", key) for key in ("name", "token", "decimals", "created", "state")}


@pytest.fixture
def published(store: Store, workspace: Workspace, tmp_path: Path) -> Path:
    """A folder with release/, r1.json and exports/, and no workspace."""
    put_forum(store, RECORD, likes={1: ["fan"], 2: ["eve"]})
    put_procedures(store, RECORD)
    credit(store, Config())
    folder = tmp_path / "published"
    (folder / "release").mkdir(parents=True)
    (folder / "exports").mkdir()
    manifest = write_files(store, folder / "release", Config(), "0")
    workspace.current.mkdir()
    (workspace.current / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    paid = {"ann": ADDRESSES[0], "bob": ADDRESSES[1], "cleo": ADDRESSES[0], "dora": ADDRESSES[2]}
    tables.put_identities(store, [Identity(author_id(name), address, "test") for name, address in paid.items() if name != "dora"])
    new_round(store, "r1", "10000", TOKEN, 18)
    path = allocate(store, workspace, "r1").path
    shutil.copy(path, folder / "r1.json")
    snapshot = json.loads(path.read_text(encoding="utf-8"))
    for form in EXPORTED:
        for name, content in export("payouts", form, snapshot):
            if not (form == "hypercerts" and name.endswith(".csv")):
                (folder / "exports" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def program(folder: Path, *words: str, alone: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a copy of the verifier's one file, in isolation from this repository."""
    copy = folder / "verify.py"
    shutil.copy(Path(verify.__file__), copy)
    command = [sys.executable, *(["-I"] if alone else []), str(copy), "release", "r1.json", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def exports_of(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted((folder / "exports").iterdir())]


def test_a_stranger_gets_the_same_root_and_sums(published: Path) -> None:
    done = program(published, *exports_of(published), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    snapshot = json.loads((published / "r1.json").read_text(encoding="utf-8"))
    root = json.loads((published / "exports/payouts-r1.json").read_text(encoding="utf-8"))["merkle_root"]
    assert told["well"] and told["findings"] == []
    assert told["notes"] == ["the credits were not worked out again: verify_credit.py and evidence.jsonl do that"]
    assert (told["root"], told["totals"]) == (root, {key: snapshot["totals"][key] for key in ("paid", "held", "residual")})
    assert (told["points"], told["authors"]) == (snapshot["totals"]["points"], 4)
    assert told["round_sha256"] == hashlib.sha256((published / "r1.json").read_bytes()).hexdigest()
    assert f"root     {root}" in program(published).stdout


def test_it_needs_nothing_but_python(published: Path) -> None:
    """-S: no installed package can be found, so the hash is the plain one."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", verify.__file__, "release", "r1.json", *exports_of(published)],
        cwd=published,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.endswith("all well\n")


@pytest.mark.parametrize("change", ["round", "release", "missing", "export", "no round", "no json"])
def test_the_program_says_what_is_wrong_and_how_it_ended(published: Path, change: str) -> None:
    path = published / {"round": "r1.json", "export": "exports/merkle-r1.json", "no json": "r1.json"}.get(change, "release/credits.jsonl")
    if change in ("missing", "no round"):
        (path if change == "missing" else published / "r1.json").unlink()
    elif change == "no json":
        path.write_text("{", encoding="utf-8")
    else:
        path.write_text(path.read_text(encoding="utf-8").replace("Form", "form").replace(ADDRESSES[1], ADDRESSES[3]), encoding="utf-8")
    done = program(published, "exports/merkle-r1.json")
    assert done.returncode == (1 if change.startswith("no ") else 4)
    assert "Traceback" not in done.stderr and ("finding" in done.stdout or done.stderr.startswith("error: "))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value that is no container."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, inner in items for leaf in leaves(inner, (*path, key))]
    return found if isinstance(value, dict | list) else [path]


def changed(value: Any, how: random.Random) -> Any:
    """Another value, often of the same kind."""
    if isinstance(value, bool) or value is None:
        return "0x" + "12" * 20
    if isinstance(value, int):
        return how.choice([value + 1, value - 1, -value - 1, str(value), None])
    if value.isdecimal() and how.random() < 0.7:
        return how.choice([str(int(value) + 1), " " + value, "+" + value, "0" + value, str(-int(value) - 1), int(value) + 1])
    place = how.randrange(len(value)) if value else 0
    return how.choice([value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :] if value else "x", value + " ", "", None])


def tampered_with(snapshot: dict[str, Any], how: random.Random) -> str:
    """Change one value, drop, double or swap one entry; returns what was done, "" where it came to nothing."""
    before = json.dumps(snapshot)
    if how.random() < 0.7:
        path = how.choice([leaf for leaf in leaves(snapshot) if leaf[:2] not in SAID_ALONE and leaf[0] not in ("uncredited", "life")])
        holder = snapshot
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = changed(holder[path[-1]], how)
        done = f"{path} is {holder[path[-1]]!r}"
    else:
        name = how.choice(["allocations", "payouts", "credits"])
        entries = snapshot[name]
        place = how.randrange(len(entries))
        if how.random() < 0.5:
            entries.pop(place)
        else:
            entries.append(json.loads(json.dumps(entries[place])))
        done = f"{name}[{place}] dropped or doubled"
    return done if json.dumps(snapshot) != before else ""


def test_every_kind_of_tampering_with_a_round_is_found(published: Path) -> None:
    whole = json.loads((published / "r1.json").read_text(encoding="utf-8"))

    @settings(max_examples=400, deadline=None)
    @given(st.integers(0, 2**32))
    def find(seed: int) -> None:
        snapshot = json.loads(json.dumps(whole))
        done = tampered_with(snapshot, random.Random(seed))
        (published / "spoiled.json").write_text(json.dumps(snapshot), encoding="utf-8")
        told = verify.verify_all(published / "release", published / "spoiled.json", [])
        assert told["well"] == (done == ""), done

    find()


def test_every_changed_byte_of_a_release_is_found(published: Path) -> None:
    release = published / "release"
    # What stands beside these (CAR, Parquet, signature) is no business of a round: `precipitate verify` looks at it.
    names = sorted(path.name for path in release.iterdir() if path.name == "manifest.json" or path.name in FILES)

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(names), st.integers(0), st.integers(1, 255))
    def find(name: str, place: int, other: int) -> None:
        data = (release / name).read_bytes()
        if not data:
            return
        place %= len(data)
        spoiled = data[:place] + bytes([data[place] ^ other]) + data[place + 1 :]
        (release / name).write_bytes(spoiled)
        try:
            found = verify.verify_release(release) + verify.verify_against_release(SNAPSHOT, release)
        finally:
            (release / name).write_bytes(data)
        # The manifest also holds what no file of the release repeats: digests of the configuration, versions, dates.
        assert found or (name == "manifest.json" and same_files(data, spoiled)), (name, place, other)

    SNAPSHOT = json.loads((published / "r1.json").read_text(encoding="utf-8"))  # noqa: N806
    assert verify.verify_release(release) + verify.verify_against_release(SNAPSHOT, release) == []
    find()


def same_files(data: bytes, spoiled: bytes) -> bool:
    try:
        before, after = json.loads(data), json.loads(spoiled)
        return (before["files"], before["root"]) == (after["files"], after["root"])
    except (ValueError, KeyError):
        return False


@pytest.mark.parametrize("form", EXPORTED)
def test_every_changed_value_of_an_export_is_found(published: Path, form: str) -> None:
    snapshot = json.loads((published / "r1.json").read_text(encoding="utf-8"))
    text = str(export("payouts", form, snapshot)[0][1])
    if form == "safe-csv":
        assert verify.verify_safe_csv(snapshot, [text]) == []
        lines = text.splitlines(keepends=True)
        swapped = text.replace(ADDRESSES[0], ADDRESSES[3])
        for spoiled in ([text, text], [lines[0]], ["".join(lines[:2])], [swapped], [text.replace(TOKEN, "")], [text.replace("1", "2")]):
            assert verify.verify_safe_csv(snapshot, spoiled), spoiled
        return
    assert verify.verify_export(snapshot, text) == []
    for path in leaves(json.loads(text)):
        data = json.loads(text)
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        if path[-1] in ("handle", "decimal", "author") or path[0] == "held":
            continue  # shown, not paid by: the amounts beside them are what is checked
        if form == "json" and "authors" in path:
            continue
        value = holder[path[-1]]
        holder[path[-1]] = value + 1 if isinstance(value, int) else changed(value, random.Random(str(path)))
        assert verify.verify_export(snapshot, json.dumps(data)), (path, holder[path[-1]])


def test_a_credit_without_its_receipt_is_found(published: Path) -> None:
    """Even where release and round agree on it: the words have to stand in the procedure."""
    path = published / "release" / "credits.jsonl"
    snapshot = json.loads((published / "r1.json").read_text(encoding="utf-8"))
    text = path.read_text(encoding="utf-8").replace("Then post it before noon.", "Then send it before noon.")
    path.write_text(text, encoding="utf-8")
    for record in snapshot["credits"]:
        record["quote"] = record["quote"].replace("Then post it", "Then send it")
    found = verify.verify_against_release(snapshot, published / "release")
    assert found and all(finding.startswith("no receipt for ") for finding in found)


def test_what_is_not_checked_is_said() -> None:
    snapshot = round_of(crowd(3))
    snapshot["round"]["policy"] = "quadratic"
    assert verify.verify_round(snapshot) == ["the round says policy quadratic, its settings do not"]
    snapshot["credits"][0]["role"] = "asked"
    assert "receipts of asked credits" in verify._notes(snapshot)[0]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_the_plain_hash_is_the_fast_one(data: bytes) -> None:
    assert verify.plain_keccak(data) == keccak256(data)


@pytest.mark.parametrize("length", [0, 1, 135, 136, 137, 271, 272, 273])
def test_the_plain_hash_pads_at_the_edges(length: int) -> None:
    assert verify.plain_keccak(b"x" * length) == keccak256(b"x" * length)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70))
def test_the_root_by_a_queue_is_the_root_of_the_tree(count: int) -> None:
    snapshot = round_of(crowd(count))
    root = verify.payout_root((p["address"], int(p["amount"])) for p in snapshot["payouts"])
    assert root == json.loads(str(export("payouts", "merkle", snapshot)[0][1]))["tree"][0]


def test_what_is_no_round_or_export_is_told_without_a_traceback() -> None:
    for value in ({}, [], None, 5, "x", {"schema": "precipitate/round/1"}, {"schema": "precipitate/round/1", "round": 5}):
        assert verify.verify_round(value)  # type: ignore[arg-type]
        assert verify.verify_dump(value)  # type: ignore[arg-type]
        assert verify.verify_uniswap(value)  # type: ignore[arg-type]
        assert verify.verify_export(round_of(crowd(2)), json.dumps(value))
