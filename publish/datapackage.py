"""datapackage.json: what a release holds, for whoever finds it without us (https://specs.frictionlessdata.io/data-package/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from publish.preferences import LONGEST, longest_quote

FILE = "datapackage.json"
# Licences as forums name them, in the names that data packages use (Open Definition, SPDX), with their texts.
LICENCES: dict[str, tuple[str, str]] = {
    "cc0-1.0": ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "cc-by-4.0": ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "cc-by-3.0": ("CC-BY-3.0", "https://creativecommons.org/licenses/by/3.0/"),
    "cc-by-sa-4.0": ("CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
    "cc-by-sa-3.0": ("CC-BY-SA-3.0", "https://creativecommons.org/licenses/by-sa/3.0/"),
    "cc-by-nc-sa-3.0": ("CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
    "cc-by-nc-sa-4.0": ("CC-BY-NC-SA-4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
    "cc-by-nc-4.0": ("CC-BY-NC-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
}
TOLD = {
    "procedures.jsonl": "SOPs, each step with the words it came from (precipitate/procedure/1)",
    "credits.jsonl": "Credits with their receipts (precipitate/credit/1)",
    "posts.jsonl": "Every post that was read, by hash: no words",
    "outcomes.jsonl": "What came of every thread, and why",
    "sources.jsonl": "Where was read, under which licence",
    "evidence.jsonl": "What credits depend on beside the SOPs: posts, moments, trust, questions",
    "reports.jsonl": "Signed outcomes: who carried an SOP out, and how it went",
    "scores.jsonl": "Quantised scores of the gate per thread: what was emitted follows from them",
    "release.car": "The same records as content-addressed DAG-CBOR blocks (CAR version 1)",
}


def licence_of(told: str | None) -> tuple[str, str] | None:
    """(name, address) of a licence as a forum tells it; None where it tells none or one that is not known here."""
    key = (told or "").strip().lower().replace(" ", "-").replace("_", "-").removeprefix("creative-commons-")
    return LICENCES.get(key)


def may_pass_on(told: str | None) -> bool:
    """Whether a source's licence lets whole posts be passed on."""
    return longest_quote(told) == LONGEST


def datapackage(manifest: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], others: Sequence[str]) -> dict[str, Any]:
    """The descriptor of a release: its JSON lines, its CAR and `others` (Parquet). No time of the run, no float."""
    licences = sorted({found for source in sources if (found := licence_of(source["licence"]))})
    value: dict[str, Any] = {
        "profile": "data-package",
        "name": "precipitate-release",
        "id": manifest["root"],
        "title": "SOPs distilled from public discussion, with receipts",
        "description": "Quotes belong to their authors and stand under the licence of their source; see sources.",
        "sources": [
            {"title": source["title"] or source["id"], "path": source["base_url"], "licence": source["licence"] or "not stated"}
            for source in sources
            if source["base_url"]
        ],
        "resources": [_lines(name, entry) for name, entry in sorted(manifest["files"].items())]
        + [_resource("release.car", "application/vnd.ipld.car", manifest["car"])]
        + [
            {"name": name.replace("/", "-").replace(".", "-"), "path": name, "format": "parquet", "profile": "data-resource"}
            for name in others
        ],
    }
    if licences:
        value["licenses"] = [{"name": name, "path": path} for name, path in licences]
    return value


def _lines(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**_resource(name, "application/x-ndjson", entry), "format": "ndjson", "encoding": "utf-8"}


def _resource(name: str, kind: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    title = name.replace(".", "-")
    return {
        **{"name": title, "path": name, "mediatype": kind, "profile": "data-resource", "description": TOLD.get(name, "")},
        **{"bytes": entry["bytes"], "hash": f"sha256:{entry['sha256']}"},
    }


def licences_text(sources: Sequence[Mapping[str, Any]]) -> str:
    """LICENCES.txt: per source, what may be done with what is quoted from it."""
    lines = ["Quotes in this release belong to their authors. Per source:", ""]
    for source in sources:
        found = licence_of(source["licence"])
        lines += [
            f"{source['id']}  {source['base_url']}",
            f"  licence: {f'{found[0]} {found[1]}' if found else source['licence'] or 'not stated: short quotes with their source only'}",
            f"  whole posts may be passed on: {'yes' if may_pass_on(source['licence']) else 'no'}; paid for: {'yes' if source['payable'] else 'no'}",
        ]
    return "\n".join(lines) + "\n"
