"""A workspace is found from below, made once, and held by one writer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from index.errors import Locked, StoreError, UsageError
from index.workspace import CONFIG_NAME, Workspace, find_workspace, init_workspace, write_atomic
from tests.conftest import HOME


def test_found_from_below(tmp_path: Path) -> None:
    made = init_workspace(tmp_path / "round")
    deep = made.root / "a" / "b"
    deep.mkdir(parents=True)
    assert find_workspace(deep) == find_workspace(made.root) == made
    assert made.spool.is_dir() and made.releases.is_dir() and made.rounds.is_dir() and not made.current.exists()


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not in a workspace") as error:
        find_workspace(tmp_path)
    assert "precipitate init" in error.value.way_out


def test_init_twice_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    made = init_workspace(tmp_path)
    (made.root / CONFIG_NAME).write_text("[crawl]\n")
    with pytest.raises(UsageError, match="there already"):
        init_workspace(tmp_path)
    assert (made.root / CONFIG_NAME).read_text() == "[crawl]\n"


def test_inner_folders_lost_in_a_copy_are_made_again(tmp_path: Path) -> None:
    made = init_workspace(tmp_path)
    made.spool.rmdir()
    assert find_workspace(tmp_path).spool.is_dir()


def test_second_writer_is_told_who_is_at_work(tmp_path: Path) -> None:
    made = init_workspace(tmp_path)
    with made.lock("run"):
        with pytest.raises(Locked, match="being written by `precipitate run`") as error, Workspace(made.root).lock("add"):
            pass
        assert error.value.exit_code == 75
    with made.lock("add"):
        pass


def test_lock_goes_when_the_work_fails(tmp_path: Path) -> None:
    made = init_workspace(tmp_path)
    with pytest.raises(ZeroDivisionError), made.lock("run"):
        raise ZeroDivisionError
    with made.lock("run"):
        pass


HOLD = "import sys; from pathlib import Path; from index.workspace import Workspace\nwith Workspace(Path(sys.argv[1])).lock('run'): print('held', flush=True); input()"


def test_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    made = init_workspace(tmp_path)
    line = [sys.executable, "-c", HOLD, str(made.root)]
    with subprocess.Popen(line, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(Locked), made.lock("add"):
            pass
        process.kill()
    with made.lock("add"):
        pass


def test_write_atomic_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two" and path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_write_atomic_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, "one")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "two")
    assert path.read_text() == "one" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
