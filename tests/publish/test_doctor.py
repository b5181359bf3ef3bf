"""The doctor finds what is wrong, names the way out, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.config import Config
from index.store import Store
from index.workspace import Workspace
from publish.doctor import Finding, doctor, render_findings
from publish.release import release


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are 90 MB: one test reads them."""
    monkeypatch.setattr("publish.doctor.check_model", lambda: Finding("model", True, "not looked at"))


@pytest.fixture
def released(workspace: Workspace) -> Workspace:
    with Store(workspace.database) as store:
        release(workspace, store, Config(), "0.1.0")
    return workspace


def wrong(start: Path) -> dict[str, Finding]:
    return {finding.check: finding for finding in doctor(start) if not finding.ok}


def test_all_is_well(released: Workspace) -> None:
    assert wrong(released.root) == {}
    assert "FINDING" not in render_findings(doctor(released.root))


def test_all_is_well_before_the_first_run(tmp_path: Path) -> None:
    from index.workspace import init_workspace

    assert wrong(init_workspace(tmp_path / "new").root) == {}


@pytest.mark.parametrize("name", ["procedures.jsonl", "posts.jsonl"])
def test_tampering_is_found(released: Workspace, name: str) -> None:
    path = released.current / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    (finding,) = wrong(released.root).values()
    assert (finding.check, finding.way_out.split("`")[1]) == ("release", "precipitate run")
    assert f"{name} has hash" in finding.detail


def test_tampered_manifest_is_found(released: Workspace) -> None:
    path = released.current / "manifest.json"
    path.write_text(path.read_text().replace('"bytes": ', '"bytes": 1'))
    assert "wrong root" in wrong(released.root)["release"].detail
    path.write_text("{")
    assert "missing or damaged" in wrong(released.root)["release"].detail


def test_configuration_spool_and_disk(released: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (released.root / "precipitate.toml").write_text("[destill]\n")
    (released.spool / "left.jsonl").write_text("{}\n")
    monkeypatch.setattr("publish.doctor.LEAST_DISK", 10**18)
    found = wrong(released.root)
    assert set(found) == {"configuration", "spool", "disk"}
    assert found["configuration"].way_out == "did you mean 'distill'?"
    assert "1 batches wait" in found["spool"].detail


def test_database_that_cannot_be_opened(released: Workspace) -> None:
    released.database.write_bytes(b"no database")
    assert "cannot open" in wrong(released.root)["database"].detail


def test_workspace_at_work_is_no_fault(released: Workspace) -> None:
    with released.lock("run"):
        assert wrong(released.root) == {}
        text = render_findings(doctor(released.root))
    assert "is being written by `precipitate run` (process " in " ".join(text.split())
    assert "not looked into" in text


def test_outside_a_workspace(tmp_path: Path) -> None:
    assert wrong(tmp_path)["workspace"].way_out == "run `precipitate init NAME` and cd into it"


def test_weights_are_checked_by_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    from publish.doctor import check_model

    assert check_model().ok
    monkeypatch.setattr("index.embed.PACKAGED_SHA256", "0" * 64)
    assert "expected 000000000000…" in check_model().detail
