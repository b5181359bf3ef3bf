"""A round as a whole, for whoever wants to check it: its file, the frozen snapshot, the ledger and later batches, as they lie there."""

from __future__ import annotations

from index.errors import StoreError, UnknownName
from index.workspace import Workspace
from rewards import ledger
from rewards.exports.files import Files
from rewards.finalising import BATCHES
from rewards.frozen import FOLDER
from rewards.published import read_round

FORMATS = ("json",)


def round_files(workspace: Workspace, name: str, form: str = "json") -> Files:
    """Every file that `python -m rewards.verify RELEASE …` reads of a round. Raises UnknownName (format, round) or StoreError."""
    if form not in FORMATS:
        raise UnknownName("format of round", form, FORMATS, f"there are: {', '.join(FORMATS)}")
    read_round(workspace, name)  # a round that is not there is answered with those that are
    found = [
        (f"round-{name}.json", workspace.rounds / f"{name}.json"),
        (f"frozen-{name}.json", workspace.rounds / FOLDER / f"{name}.json"),
        ("ledger.jsonl", workspace.rounds / ledger.FILE),
    ]
    batches = sorted((workspace.rounds / BATCHES / name).glob("*.json"), key=lambda path: (len(path.name), path.name))
    found += [(f"batch-{name}-{path.name}", path) for path in batches]
    try:
        return [(label, path.read_text(encoding="utf-8")) for label, path in found]
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be read: {error.strerror}", "`precipitate round audit` says what is missing") from None
