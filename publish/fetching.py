"""`precipitate fetch`: a release or its SOPs from a mirror, checked before they are kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.errors import UsageError
from index.store import canonical_json
from index.workspace import Workspace, write_atomic
from publish.log import FILE as LOG
from publish.mirrors import check_known, fetch_folder, fetch_http, make_empty
from publish.text import clean
from publish.verify import Means, render_verification, verify

SOPS = "procedures.jsonl"


def fetch_release(address: str, out: Path, workspace: Workspace | None, means: Means, allow_private: bool) -> dict[str, Any]:
    """Fetch a release into `out` and verify it; what does not hold is not kept. The verification, with `kept`."""
    out = out.resolve()
    make_empty(out)
    scratch = Path(tempfile.mkdtemp(prefix=".fetching-", dir=out.parent))
    try:
        folder = scratch / "release"
        folder.mkdir()
        if address.startswith(("http://", "https://")):
            fetch_http(address, folder, allow_private)
        elif Path(address).is_dir():
            fetch_folder(Path(address), folder)
        else:
            raise UsageError(f"{address!r} is no mirror", "give a folder, https://…, wss://… or git+…")
        told = verify(folder, means).value() | {"release": address, "kept": None}
        rewritten = check_known(workspace, folder / LOG) if workspace and told["sound"] else []
        if rewritten:
            told["sound"] = False
            signatures = told["levels"][1]
            signatures["state"] = "findings"
            signatures["findings"] += [{"file": LOG, "where": "", "what": what} for what in rewritten]
        if told["sound"]:
            out.rmdir()
            folder.rename(out)
            told["kept"] = str(out)
        return told
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if out.exists() and not any(out.iterdir()):
            out.rmdir()


def fetch_sops(address: str, out: Path, key: str | None, allow_private: bool) -> dict[str, Any]:
    """SOPs from Nostr or Git into `out`/procedures.jsonl, only those that the signed release names."""
    make_empty(out)
    if address.startswith("git+"):
        from publish.gitmirror import fetch_git

        with tempfile.TemporaryDirectory() as scratch:
            told = fetch_git(address.removeprefix("git+"), Path(scratch) / "mirror.git", allow_private)
        if key and told["key"] != key:
            raise UsageError(f"it is signed by {told['key']}, not by {key}", "ask who publishes it")
    else:
        from publish.nostr import fetch_nostr

        told = fetch_nostr(address, key or "", allow_private)
    text = "".join(canonical_json(record) + "\n" for record in told["records"])
    write_atomic(out / SOPS, text)
    return {"address": address, "key": told["key"], "sops": len(told["records"]), "left_out": told["left_out"], "kept": str(out / SOPS)}


def render_fetched(told: Mapping[str, Any]) -> str:
    if "levels" in told:
        return render_verification(told) + (f"kept in {clean(told['kept'])}\n" if told["kept"] else "nothing was kept\n")
    lines = [f"{told['sops']:,} SOPs signed by {clean(told['key'])}, kept in {clean(told['kept'])}"]
    lines += [f"LEFT OUT {clean(entry['id'])}: {clean(entry['why'])}" for entry in told["left_out"]]
    return "\n".join(lines) + "\n"
