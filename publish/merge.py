"""`precipitate merge`: releases of independent crawls become one, the same in whatever order they are named.

Each release is verified first, to level 3; one whose bytes or signature do not hold gives nothing. Of the others only what
holds by itself enters, and everything left out is told with its reason.

    posts        joined by id; word that one was taken back wins over any copy of it; of two texts the one seen edited wins
    procedures   joined by id: of its versions the higher one; by evidence: records that share three tenths of what states
                 them are one lineage under the id that is older. None that quotes a taken-back post remains
    credits      computed anew from what came of it; evidence, scores and sources are joined like posts

Every choice is the greatest by a total order of the records themselves, so it depends on no order of arguments.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.config import Config
from index.errors import StoreError, UsageError
from index.private import MASK_VERSION
from index.workspace import Workspace
from publish.joining import (
    LeftOut,
    Merged,
    earned_credits,
    join_evidence,
    join_posts,
    join_procedures,
    join_reports,
    join_scores,
    join_sources,
)
from publish.log import EthereumSign
from publish.release import SETTINGS, dress, sign, write_lines, write_manifest
from publish.verify import Means, Verification, verify


@dataclass(frozen=True, slots=True)
class MergeReport:
    path: Path
    root: str
    set_root: str
    releases: tuple[str, ...]  # that entered, by root
    counts: dict[str, int]
    left_out: tuple[LeftOut, ...]
    more: int
    taken_back: dict[str, int]


def merge(
    workspace: Workspace,
    folders: Sequence[tuple[str, Path]],
    out: Path,
    config: Config,
    code_version: str,
    means: Means,
    ethereum: EthereumSign | None = None,
) -> MergeReport:
    """Merge releases, given as (name, folder), into a release in the folder `out`, signed by this workspace. Under its lock.

    Raises UsageError where none of them holds or `out` is taken.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty", "name another folder with -o")
    merged, held = join(folders, config, means)
    if not held:
        why = "; ".join(f"{entry.release}: {entry.why}" for entry in merged.left_out[:3])
        raise UsageError(f"none of {len(folders)} releases holds: {why}", "run `precipitate verify` on each of them")
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".merging-", dir=out.parent))
    try:
        files = {name: write_lines(building / name, rows) for name, rows in merged.rows.items()}
        manifest = write_manifest(building, files, _facts(held, merged, config, code_version))
        dress(building, manifest)
        sign(workspace, building, manifest, ethereum)
        building.chmod(0o755)
        if out.exists():
            out.rmdir()
        building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    counts = {name.removesuffix(".jsonl"): len(rows) for name, rows in merged.rows.items()}
    entered = tuple(sorted(str(told.root) for told in held))
    return MergeReport(out, manifest["root"], manifest["set_root"], entered, counts, tuple(merged.left_out), merged.more, merged.taken_back)


def _facts(held: Sequence[Verification], merged: Merged, config: Config, code_version: str) -> dict[str, Any]:
    manifests = [json.loads((Path(told.folder) / "manifest.json").read_text(encoding="utf-8")) for told in held]
    return {
        "config": {section: config.digest(section) for section in SETTINGS},
        "settings": config.settings(*SETTINGS),
        "code": code_version,
        "plain": max(str(manifest["plain"]) for manifest in manifests),
        "mask": MASK_VERSION,
        "models": sorted({model for record in merged.rows["procedures.jsonl"] for model in record["generator"].get("models", [])}),
        "until": max((manifest["until"] for manifest in manifests if manifest["until"]), default=None),
        "merged": sorted({str(root) for manifest in manifests for root in manifest.get("merged", [manifest["root"]])}),
    }


# --- what enters ----------------------------------------------------------------------------------------------------


def join(folders: Sequence[tuple[str, Path]], config: Config, means: Means) -> tuple[Merged, list[Verification]]:
    """Everything of the releases that holds, joined; and the releases that gave something."""
    merged = Merged({})
    held: list[tuple[str, Path, Verification]] = []
    for name, folder in folders:
        told = _believed(name, folder, means, merged)
        if told is not None:
            held.append((name, folder, told))
    posts = join_posts(held, merged)
    gone = {row["id"] for row in posts.values() if row["body_hash"] is None}
    procedures = join_procedures(held, posts, gone, means.texts, merged)
    scores = join_scores(held, merged)
    evidence = join_evidence(held, gone, procedures, config, means)
    reports = join_reports(held)
    merged.rows = {
        "procedures.jsonl": procedures,
        "credits.jsonl": earned_credits(held, procedures, evidence, reports, config, means),
        "posts.jsonl": [posts[post] for post in sorted(posts)],
        "outcomes.jsonl": [{key: scores[thread][key] for key in ("thread", "outcome", "reason")} for thread in sorted(scores)],
        "sources.jsonl": join_sources(held),
        "evidence.jsonl": evidence,
        "reports.jsonl": reports,
        "scores.jsonl": [scores[thread] for thread in sorted(scores)],
    }
    return merged, [told for _, _, told in held]


def _believed(name: str, folder: Path, means: Means, merged: Merged) -> Verification | None:
    """The verification of a release that gives something; one whose bytes or signature do not hold is left out whole."""
    try:
        told = verify(folder, replace(means, deepest=3, key=None, head=None))
    except StoreError as error:
        merged.leave(name, "the whole release", error.message)
        return None
    for level in told.levels[:2]:
        if level.findings:
            first = level.findings[0]
            merged.leave(name, "the whole release", f"{first.file}{f', {first.where}' if first.where else ''}: {first.what}")
            return None
    for finding in told.levels[2].findings:
        merged.leave(name, f"{finding.file} {finding.where}".strip(), finding.what)
    return told


# --- as text --------------------------------------------------------------------------------------------------------


def render_merge(told: Mapping[str, Any]) -> str:
    from publish.text import clean

    counts = ", ".join(f"{count:,} {what}" for what, count in told["counts"].items())
    lines = [
        f"merged {len(told['releases'])} release{'s' * (len(told['releases']) != 1)} into {clean(told['path'])}",
        f"root {told['root']}",
        f"set root {told['set_root']}",
        counts,
    ]
    for name, count in told["taken_back"].items():
        lines.append(f"{clean(name)} says that {count:,} posts of the others were taken back: they are out (leave it out if you doubt it)")
    lines += [f"LEFT OUT of {clean(e['release'])}: {clean(e['what'])}: {clean(e['why'])}" for e in told["left_out"]]
    lines += [f"and {told['more']:,} more"] if told["more"] else []
    return "\n".join(lines) + "\n"
