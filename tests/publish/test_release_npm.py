"""A release in the hands of the libraries that others use (make test-system installs them)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from index.config import Config
from index.store import Store
from index.workspace import Workspace
from publish.release import release

NPM = Path(__file__).parent.parent / "npm"


def check(folder: Path) -> dict[str, object]:
    assert (NPM / "node_modules/@ipld/car").is_dir(), "run `make test-system`, or `npm install` in tests/npm"
    done = subprocess.run(["node", str(NPM / "check_release.mjs"), str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.system
def test_every_cid_matches_and_the_signature_is_ed25519(workspace: Workspace, store: Store) -> None:
    report = release(workspace, store, Config(), "0.1.0")
    manifest = json.loads((report.path / "manifest.json").read_text())
    records = {name: entry["records"] for name, entry in manifest["files"].items()}
    car = manifest["car"]
    assert check(report.path) == {
        **{"root": car["root"], "blocks": car["blocks"], "wrong": [], "records": records},
        **{"differing": [], "signatures": [True]},
    }


@pytest.mark.system
def test_others_see_a_changed_block_and_a_changed_entry(workspace: Workspace, store: Store) -> None:
    path = release(workspace, store, Config(), "0.1.0").path
    data = bytearray((path / "release.car").read_bytes())
    at = data.index(b"draft")
    data[at] ^= 1
    (path / "release.car").write_bytes(data)
    log = (path / "log.jsonl").read_text()
    (path / "log.jsonl").write_text(log.replace('"code_version":"0.1.0"', '"code_version":"0.1.1"'))
    found = check(path)
    assert len(found["wrong"]) == 1  # type: ignore[arg-type]
    assert found["signatures"] == [False]


@pytest.mark.system
def test_the_data_package_is_valid(workspace: Workspace, store: Store) -> None:
    """By frictionless, in a process of its own: it warns of itself on import."""
    path = release(workspace, store, Config(), "0.1.0").path
    script = (
        "import json, sys; from frictionless import Package, system; "
        "told = Package.validate_descriptor('datapackage.json'); package = Package('datapackage.json'); "
        "rows = {r.name: len(json.loads('[' + ','.join(open(r.path).read().splitlines()) + ']')) for r in package.resources if r.format == 'ndjson'}; "
        "hashes = [r.hash for r in package.resources if r.hash]; "
        "print(json.dumps({'errors': [e.message for e in told.errors], 'rows': rows, 'hashed': len(hashes)}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["errors"] == []
    assert told["rows"]["procedures-jsonl"] == json.loads((path / "manifest.json").read_text())["files"]["procedures.jsonl"]["records"]
    assert told["hashed"] == 9  # eight files of lines, and the CAR
