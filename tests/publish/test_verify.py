"""`verify` finds and names every changed byte, every forged line and every rewritten log, and believes nothing else."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import VerifyKey

from index.config import Config
from index.current import MANIFEST
from index.errors import StoreError
from index.snapshot import open_current
from index.store import Store, canonical_json
from index.workspace import Workspace
from publish import verify_bytes
from publish.bodies import FILE as BODIES
from publish.findings import Finding
from publish.keys import did_of, make_key, public_of, release_key
from publish.log import START, check_lines, line_hash, read_log
from publish.release import dress, release, sign, write_lines, write_manifest
from publish.signed import FILE as SIGNED
from publish.signed import PIECE
from publish.targets import opened, unzip, zip_release
from publish.verify import Means, Verification, verify
from rewards.recompute import recompute
from rewards.signatures import personal_sign, recover_text
from tests.conftest import FORUM
from tests.publish.conftest import fill, refresh

SOURCE = "discourse:forum.harbourside.example"
MEANS = Means(recompute, recover=recover_text, rebuild=lambda store, config: refresh(store))


@pytest.fixture
def folder(workspace: Workspace, store: Store) -> Path:
    """A release with a body pack, in a folder of its own."""
    release(workspace, store, Config(), "0.1.0", bodies=[SOURCE])
    shutil.copytree(workspace.current.resolve(), workspace.root / "out", ignore=shutil.ignore_patterns("local"))
    return workspace.root / "out"


def states(told: Verification) -> dict[int, str]:
    return {level.number: level.state for level in told.levels}


def findings(told: Verification) -> list[Finding]:
    return [finding for level in told.levels for finding in level.findings]


def resign(workspace: Workspace, folder: Path) -> None:
    """Sign a changed folder anew, as a dishonest publisher would: bytes, CAR, Parquet and signature are all in order."""
    files = {}
    for path in sorted(folder.glob("*.jsonl")):
        if path.name != "log.jsonl":
            files[path.name] = write_lines(path.with_suffix(".new"), [json.loads(line) for line in path.read_text().splitlines()])
            path.with_suffix(".new").replace(path)
    old = json.loads((folder / MANIFEST).read_text())
    facts = {key: value for key, value in old.items() if key not in ("schema", "files", "root", "set_root", "procedure_root", "car")}
    (folder / SIGNED).unlink()
    manifest = write_manifest(folder, files, facts)
    dress(folder, manifest)
    sign(workspace, folder, manifest)


def edit(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> None:
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    change(rows)
    (folder / name).write_text("".join(canonical_json(row) + "\n" for row in rows))


# --- what is in order ------------------------------------------------------------------------------------------------


def test_a_sound_release_holds_at_every_level(folder: Path) -> None:
    told = verify(folder, MEANS)
    assert told.sound, findings(told)
    assert set(states(told).values()) == {"ok"}
    assert told.levels[3].checked["quotes"] > 50
    assert told.levels[4].checked["files"] == 8
    json.dumps(told.value())


def test_without_words_the_deeper_levels_say_what_they_need(workspace: Workspace, store: Store) -> None:
    release(workspace, store, Config(), "0.1.0")
    told = verify(workspace.current, Means(recompute))
    assert told.sound
    assert [told.levels[n].state for n in (3, 4)] == ["not run", "not run"]
    assert "body pack" in told.levels[3].left_out
    own = verify(workspace.current, Means(recompute, texts=lambda ids: texts(workspace, list(ids))))
    assert own.levels[3].state == "ok"


def texts(workspace: Workspace, ids: list[str]) -> dict[str, str]:
    with open_current(workspace) as opened_:
        return opened_.texts(ids)


# --- bytes -----------------------------------------------------------------------------------------------------------


def test_one_changed_byte_anywhere_is_found_and_named(tmp_path: Path) -> None:
    """200 places, chosen over all bytes of all files: the file is named, and the place where it was."""
    folder = small_release(tmp_path)
    chance = random.Random(6)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sizes = [path.stat().st_size for path in files]
    for _ in range(200):
        (path,) = chance.choices(files, sizes)
        data = path.read_bytes()
        at = chance.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :])
        name = path.relative_to(folder).as_posix()
        found = [f for f in findings(verify(folder, Means(deepest=2))) if f.file == name]
        assert found, (name, at)
        if name not in (SIGNED, "log.jsonl"):
            assert any(covers(f.where, at) or f.what == "it is not a manifest" for f in found), (name, at, found)
        path.write_bytes(data)
    assert verify(folder, Means(deepest=2)).sound


def small_release(root: Path) -> Path:
    """A release of four threads, with a body pack: it is checked two hundred times."""
    (root / "forum").mkdir()
    shutil.copy(FORUM / "site.json", root / "forum")
    threads = (FORUM / "topics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:4]
    (root / "forum" / "topics.jsonl").write_text("".join(threads), encoding="utf-8")
    workspace = fill(root / "round", root / "forum")
    with Store(workspace.database) as store:
        path = release(workspace, store, Config(), "0.1.0", bodies=[SOURCE]).path
    shutil.copytree(path, root / "out", ignore=shutil.ignore_patterns("local"))
    return root / "out"


def covers(where: str, at: int) -> bool:
    if "bytes " not in where:
        return False
    start, end = (int(part.replace(",", "")) for part in where.split("bytes ")[1].split(" to "))
    return start <= at <= end


def test_a_changed_line_and_a_changed_block_are_told_by_their_number(folder: Path) -> None:
    lines = (folder / "procedures.jsonl").read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b'"draft"', b'"drift"')
    (folder / "procedures.jsonl").write_bytes(b"\n".join(lines))
    assert any(f.where.startswith("line 5, bytes ") for f in findings(verify(folder, MEANS)))
    data = bytearray((folder / "release.car").read_bytes())
    data[len(data) // 2] ^= 4
    (folder / "release.car").write_bytes(data)
    found = [f for f in findings(verify(folder, MEANS)) if f.file == "release.car"]
    assert any(f.where.startswith("block ") and covers(f.where, len(data) // 2) for f in found)


def test_files_that_are_missing_added_or_cut(folder: Path) -> None:
    (folder / "evidence.jsonl").unlink()
    (folder / "extra.txt").write_text("hello")
    (folder / "release.car").write_bytes((folder / "release.car").read_bytes()[:-7])
    found = {(f.file, f.what.split(",")[0].split(":")[0]) for f in findings(verify(folder, MEANS))}
    assert {("evidence.jsonl", "it is missing"), ("extra.txt", "it is no part of what was signed")} <= found
    assert any(file == "release.car" for file, _ in found)


def test_of_a_changed_release_nothing_deeper_is_said(folder: Path) -> None:
    (folder / "credits.jsonl").write_bytes((folder / "credits.jsonl").read_bytes().replace(b"a", b"e", 1))
    told = verify(folder, MEANS)
    assert {told.levels[n].state for n in (2, 3, 4)} == {"not run"}


def test_pieces_tell_where_a_large_file_was_changed(folder: Path, workspace: Workspace, store: Store) -> None:
    path = folder / "release.car"
    data = bytearray(path.read_bytes())
    assert len(data) > 2 * PIECE
    data[PIECE + 5] ^= 1
    path.write_bytes(data)
    assert any(f.where == f"bytes {PIECE:,} to {2 * PIECE - 1:,}" for f in findings(verify(folder, MEANS)))


def test_of_a_cut_file_only_what_is_there_is_pointed_at(folder: Path) -> None:
    path = folder / "release.car"
    path.write_bytes(path.read_bytes()[: PIECE // 2])
    found = [f for f in findings(verify(folder, MEANS)) if f.file == "release.car"]
    assert "cut off" in found[0].what
    assert [f.where for f in found if f.where.startswith("bytes")] == [f"bytes 0 to {PIECE // 2 - 1:,}"]


# --- signatures and the log -----------------------------------------------------------------------------------------


def test_an_independent_implementation_agrees_with_the_signature(folder: Path, workspace: Workspace) -> None:
    held = json.loads((folder / "log.jsonl").read_text())
    (signature,) = held["signatures"]
    VerifyKey(public_of(signature["key"])).verify(canonical_json(held["entry"]).encode(), bytes.fromhex(signature["value"]))
    assert signature["key"] == release_key(workspace).did == did_of(public_of(signature["key"]))
    assert (workspace.folder / "keys").stat().st_mode & 0o777 == 0o700
    assert release_key(workspace).path.stat().st_mode & 0o777 == 0o600
    assert release_key(workspace).seed.hex() not in "".join(p.read_text(errors="replace") for p in folder.iterdir() if p.is_file())


def test_ethereum_signs_beside_it(workspace: Workspace, store: Store) -> None:
    secret = bytes(range(1, 33))
    path = release(workspace, store, Config(), "0.1.0", lambda text: personal_sign(secret, text)).path
    assert verify(path, MEANS).sound
    line = (path / "log.jsonl").read_text()
    other = json.loads(line)
    other["signatures"][1]["value"] = personal_sign(bytes(range(2, 34)), canonical_json(other["entry"]))[1]
    assert any("EIP-191" in what for _, what in check_lines([canonical_json(other)], recover_text).findings)


def test_a_key_that_was_expected_and_one_that_was_not(folder: Path, workspace: Workspace) -> None:
    mine = release_key(workspace).did
    assert verify(folder, Means(recompute, key=mine)).sound
    stranger = did_of(bytes(32))
    (found,) = findings(verify(folder, Means(recompute, key=stranger)))
    assert mine in found.what and stranger in found.what
    line = json.loads((folder / "log.jsonl").read_text())
    line["entry"]["key"] = line["signatures"][0]["key"] = stranger
    (folder / "log.jsonl").write_text(canonical_json(line) + "\n")
    assert any("signature is not that of" in f.what for f in findings(verify(folder, MEANS)))


def test_a_new_key_is_handed_over_to_and_a_stolen_log_is_not(workspace: Workspace, store: Store) -> None:
    release(workspace, store, Config(), "0.1.0")
    old = release_key(workspace)
    make_key(workspace, network=False)
    new = release_key(workspace)
    assert old.did != new.did
    store.execute("UPDATE threads SET title = 'Another title'")
    refresh_all(store)
    path = release(workspace, store, Config(), "0.1.0").path
    told = verify(path, Means(recompute, key=old.did))
    assert told.sound, findings(told)
    assert (told.key, told.levels[1].checked["log entries"]) == (new.did, 3)
    lines = (path / "log.jsonl").read_text().splitlines()
    without = check_lines([lines[0], lines[2]])
    assert any("rewritten" in what for _, what in without.findings)
    assert any("hands over" in what for _, what in without.findings)


def refresh_all(store: Store) -> None:
    store.execute("DELETE FROM thread_work")
    refresh(store)


def test_a_rewritten_log_does_not_hold_the_head_that_was_seen(workspace: Workspace, store: Store, tmp_path: Path) -> None:
    first = release(workspace, store, Config(), "0.1.0").path
    head = read_log(first / "log.jsonl").head
    (workspace.folder / "log.jsonl").unlink()
    store.execute("UPDATE threads SET title = 'Rewritten'")
    refresh_all(store)
    again = release(workspace, store, Config(), "0.1.0").path
    assert verify(again, Means(recompute)).sound, "by itself it is a log like any other"
    (found,) = findings(verify(again, Means(recompute, head=head)))
    assert "rewritten" in found.what


def test_every_change_of_a_log_shows(workspace: Workspace, store: Store) -> None:
    for n in range(3):
        store.execute("UPDATE threads SET title = title || ' ' || ?", [str(n)])
        refresh_all(store)
        release(workspace, store, Config(), "0.1.0")
    lines = (workspace.folder / "log.jsonl").read_text().splitlines()
    assert check_lines(lines).findings == []
    assert json.loads(lines[0])["entry"]["prev"] == START
    assert json.loads(lines[2])["entry"]["prev"] == line_hash(lines[1])
    for broken in (
        lines[1:],
        [lines[0], lines[2]],
        [*lines, lines[2]],
        [lines[1], lines[0], lines[2]],
        [lines[0].replace("0.1.0", "0.1.1"), *lines[1:]],
    ):
        assert check_lines(broken).findings, broken


def test_the_log_holds_no_hash_that_could_be_guessed(folder: Path) -> None:
    """What may have to be erased is in the log as salted commitments only."""
    log, signed = (folder / "log.jsonl").read_text(), json.loads((folder / SIGNED).read_text())
    assert not any(value.removeprefix("sha256:") in log for value in signed["values"].values())
    assert signed["salt"] not in log
    assert not any(entry["sha256"] in log for entry in signed["files"].values())


# --- a dishonest publisher ------------------------------------------------------------------------------------------


def more_points(rows: list[dict[str, Any]]) -> None:
    rows[0]["points"] += 1


def another_author(rows: list[dict[str, Any]]) -> None:
    rows[0]["steps"][0]["first_said_by"] = "discourse:forum.harbourside.example/u/999"


def other_words(rows: list[dict[str, Any]]) -> None:
    rows[0]["steps"][0]["text"] = "Send the treasury to me"


def other_quote(rows: list[dict[str, Any]]) -> None:
    citation = rows[0]["steps"][0]["citations"][0]
    citation["exact"] = "x" * len(citation["exact"])


def unknown_post(rows: list[dict[str, Any]]) -> None:
    rows[0]["steps"][0]["citations"][0]["post"] = "discourse:forum.harbourside.example/p/99999999"


def no_schema(rows: list[dict[str, Any]]) -> None:
    rows[0]["schema"] = "precipitate/procedure/9"


def not_emitted(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row |= {"outcome": "abstained", "reason": "no list"}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *(("credits.jsonl", more_points), ("procedures.jsonl", another_author), ("procedures.jsonl", other_words)),
        *(
            ("procedures.jsonl", other_quote),
            ("procedures.jsonl", unknown_post),
            ("procedures.jsonl", no_schema),
            ("scores.jsonl", not_emitted),
        ),
    ],
)
def test_what_does_not_follow_is_found_though_it_is_signed(workspace: Workspace, folder: Path, name: str, change: Any) -> None:
    (folder / BODIES).unlink()
    edit(folder, name, change)
    resign(workspace, folder)
    told = verify(folder, Means(recompute))
    assert [level.state for level in told.levels[:2]] == ["ok", "ok"], findings(told)
    assert told.levels[2].findings


def test_a_made_up_quote_is_found_by_whoever_has_the_words(workspace: Workspace, folder: Path) -> None:
    """A publisher who makes up words and hashes to match is believed until level 4."""
    (folder / BODIES).unlink()

    def forge(rows: list[dict[str, Any]]) -> None:
        from distill.versions import version_id

        citation = rows[0]["steps"][0]["citations"][0]
        citation["exact"] = "x" * len(citation["exact"])
        rows[0]["version_id"] = version_id(rows[0]["goal"], rows[0]["steps"])

    edit(folder, "procedures.jsonl", forge)
    forged = json.loads((folder / "procedures.jsonl").read_text().splitlines()[0])

    def follow(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["procedure"] == forged["id"]:
                row["version_id"] = forged["version_id"]
                if row["step"] == 1:
                    row["quote"] = forged["steps"][0]["citations"][0]["exact"]

    edit(folder, "credits.jsonl", follow)
    resign(workspace, folder)
    assert verify(folder, Means(recompute)).sound
    told = verify(folder, Means(recompute, texts=lambda ids: texts(workspace, list(ids))))
    assert [f.level for f in findings(told)] == [4]
    assert "not those of the post" in findings(told)[0].what


def test_a_release_made_otherwise_is_found_by_making_it_anew(workspace: Workspace, folder: Path) -> None:
    def drop(rows: list[dict[str, Any]]) -> None:
        del rows[0]["steps"][-1]
        from distill.versions import version_id

        rows[0]["version_id"] = version_id(rows[0]["goal"], rows[0]["steps"])

    edit(folder, "procedures.jsonl", drop)
    known = [json.loads(line) for line in (folder / "procedures.jsonl").read_text().splitlines()]
    facts = [json.loads(line) for line in (folder / "evidence.jsonl").read_text().splitlines()]
    (first,) = [record for record in known if record["id"] == known[0]["id"]]
    keep = {(c["procedure"], c["step"], c["author"], c["role"]): c for c in recompute(known, facts, Config())}

    def follow(rows: list[dict[str, Any]]) -> None:
        rows[:] = [row for row in rows if (row["procedure"], row["step"], row["author"], row["role"]) in keep]
        for row in rows:
            row |= {key: keep[row["procedure"], row["step"], row["author"], row["role"]][key] for key in ("version_id", "points", "why")}

    edit(folder, "credits.jsonl", follow)
    resign(workspace, folder)
    told = verify(folder, MEANS)
    assert [level.state for level in told.levels] == ["ok", "ok", "ok", "ok", "findings"], findings(told)
    assert first["id"] and "procedures.jsonl" in {f.file for f in findings(told)}


# --- bad input ------------------------------------------------------------------------------------------------------


def test_a_newer_release_is_told_from_a_broken_one(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "schema": "precipitate/release/3"}))
    with pytest.raises(StoreError, match="release/3") as told:
        verify(folder, MEANS)
    assert "newer" in told.value.way_out
    (folder / MANIFEST).write_text(json.dumps({**manifest, "schema": "precipitate/release/1"}))
    with pytest.raises(StoreError, match="before releases were signed"):
        verify(folder, MEANS)
    for text in ("", "[]", "{}", "\x00", "[" * 100_000, '{"schema": 5}'):
        (folder / MANIFEST).write_text(text)
        assert not verify(folder, MEANS).sound
    with pytest.raises(StoreError, match="cannot be read"):
        verify(folder / "nothing", MEANS)


def test_a_gzip_bomb_is_refused(workspace: Workspace, folder: Path) -> None:
    with gzip.open(folder / BODIES, "wb") as out:
        for _ in range(400):
            out.write(bytes(1_000_000))
    resign(workspace, folder)
    (found,) = [f for f in findings(verify(folder, Means(recompute))) if f.level == 4]
    assert "bomb" in found.what or "line of more" in found.what, found.what


def test_a_zip_file_is_checked_like_a_folder_and_bombs_in_it_are_refused(folder: Path, tmp_path: Path) -> None:
    zip_release(folder, tmp_path / "r.zip")
    zip_release(folder, tmp_path / "again.zip")
    assert (tmp_path / "r.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with opened(str(tmp_path / "r.zip"), None) as unpacked:
        assert verify(unpacked, MEANS).sound
    bombs: dict[str, Callable[[zipfile.ZipFile], None]] = {
        "many": lambda out: [out.writestr(f"f{n}", b"") for n in range(100)] and None,  # type: ignore[func-returns-value]
        "large": lambda out: out.writestr("posts.jsonl", bytes(300_000_000)),
        "up": lambda out: out.writestr("../evil", b"x"),
        "absolute": lambda out: out.writestr("/tmp/evil", b"x"),
        "hidden": lambda out: out.writestr(".git/config", b"x"),
    }
    for name, pack in bombs.items():
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as out:
            pack(out)
        with pytest.raises(StoreError):
            unzip(tmp_path / f"{name}.zip", tmp_path / f"out-{name}")
    (tmp_path / "no.zip").write_bytes(b"PK no")
    with pytest.raises(StoreError, match="cannot be unpacked"):
        unzip(tmp_path / "no.zip", tmp_path / "out-no")


def test_hostile_lines_are_findings_not_errors(workspace: Workspace, folder: Path) -> None:
    (folder / BODIES).unlink()
    for text in (
        '{"a": 1.5}\n',
        "[1]\n",
        '{"id": "sop-x"}\n',
        '{"b":1,"a":2}\n',
        "\n",
        '{"id":1}\n{"id":1}\n',
        "[" * 5000 + "\n",
        '{"n":18446744073709551616}\n',
        '{"s":"\\ud800"}\n',
    ):
        (folder / "procedures.jsonl").write_text(text)
        assert not verify(folder, MEANS).sound
    for name in ("posts.jsonl", "scores.jsonl", "evidence.jsonl", "credits.jsonl", "outcomes.jsonl", "sources.jsonl"):
        held = (folder / name).read_bytes()
        (folder / name).write_text('{"id":[],"thread":{},"post":null}\n')
        assert not verify(folder, MEANS).sound
        (folder / name).write_bytes(held)


def test_a_line_without_end_is_not_read_into_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_bytes, "MOST_LINE", 1000)
    (folder / "outcomes.jsonl").write_text("{" + "x" * 50_000)
    assert any(f.file == "outcomes.jsonl" for f in findings(verify(folder, MEANS)))
