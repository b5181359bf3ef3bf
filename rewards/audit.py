"""`round audit`: everything about a round worked out again by the independent verifier, and compared with the store.

The verifier (verify.py, verify_policies.py, verify_life.py) gets what is published and nothing else. What only a workspace
can tell is compared here: that files and database agree, that quotes are the stored posts' words, and that words of posts
which are gone are gone from the files, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from index import tables_rewards as tables
from index import tables_rounds
from index.private import HIDDEN
from index.records import Round
from index.store import Store
from index.workspace import Workspace
from rewards import ledger, verify
from rewards.finalising import BATCHES
from rewards.frozen import FOLDER
from rewards.rounds import find_round

Finding = str


def audit(store: Store, workspace: Workspace, name: str, head: str | None = None) -> dict[str, Any]:
    """Findings of a round, and the ledger's head to keep; `head` is one that somebody kept. Changes nothing.

    Raises UnknownName where there is no such round.
    """
    round_ = find_round(store, name)
    rows = tables_rounds.ledger_rows(store)
    findings = [f"ledger: {finding}" for finding in ledger.check_chain(rows)]
    if head is not None and head not in {row.hash for row in rows}:
        findings.append(f"ledger: no line has the hash {head}: lines were cut off, or all was written anew")
    findings += _published_ledger(workspace, [row.record for row in rows])
    release = None
    if round_.state in ("allocated", "final"):
        findings += _round(store, workspace, round_, [row.record for row in rows])
        release = _release(workspace, name)
        findings += release or []
    return {
        "schema": "precipitate/audit/1",
        "round": name,
        "state": round_.state,
        "well": not findings,
        "findings": findings,
        "events": len(rows),
        "head": rows[-1].hash if rows else "",
        "release_compared": release is not None,
    }


def _published_ledger(workspace: Workspace, records: Sequence[str]) -> list[Finding]:
    path = workspace.rounds / ledger.FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        return [f"ledger: {path} cannot be read: {error}"]
    whole = "".join(f"{record}\n" for record in records)
    if whole.startswith(text) and text[-1:] in ("", "\n"):  # it may be behind: it is written anew with the next event of a round
        return []
    return [f"ledger: {path} is not what the database holds"]


def _read(path: Path) -> Any:
    """The JSON of a file, or a finding about it as text."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {error}"


def _round(store: Store, workspace: Workspace, round_: Round, records: Sequence[str]) -> list[Finding]:
    name = round_.name
    paths = [workspace.rounds / f"{name}.json", workspace.rounds / FOLDER / f"{name}.json"]
    paths += sorted((workspace.rounds / BATCHES / name).glob("*.json"))
    read = [_read(path) for path in paths]
    unread = [f"files: {found}" for found in read if isinstance(found, str)]
    if unread:
        return unread
    snapshot, frozen, *batches = read
    findings = [f"round: {finding}" for finding in verify.verify_round(snapshot)]
    if findings:
        return findings
    findings += [f"life: {finding}" for finding in verify.verify_life(snapshot, frozen, records, batches)]
    findings += [f"store: {finding}" for finding in _stored(store, round_, snapshot)]
    return findings + [
        f"words: {finding}" for where, data in (("round", snapshot), ("snapshot", frozen)) for finding in _words(store, where, data)
    ]


def _stored(store: Store, round_: Round, snapshot: Mapping[str, Any]) -> Iterable[Finding]:
    """The database says what the file says; after the end only held shares may have changed, which the ledger has."""
    if (str(round_.budget), round_.state) != (snapshot["round"]["budget"], snapshot["round"]["state"]):
        yield f"the database has the budget {round_.budget} and the state {round_.state}, the file another"
    rows = {a.author: a for a in tables.allocations(store, round_.name)}
    for a in snapshot["allocations"]:
        row = rows.pop(a["author"], None)
        if row is None or (row.points, str(row.amount)) != (a["points"], a["amount"]):
            yield f"{a['author']} has another amount or other points in the database than in the file"
        elif a["state"] == "paid" and (row.state, row.address, row.team) != ("paid", a["address"], a.get("team")):
            yield f"{a['author']} is paid elsewhere in the database than in the file"
    yield from (f"{author} has a share in the database and none in the file" for author in sorted(rows))


def _words(store: Store, where: str, data: Mapping[str, Any]) -> Iterable[Finding]:
    """Quotes are the stored words of posts that are there; of posts that are gone, none is kept."""
    records = [*data["credits"], *data["uncredited"]]
    spans = {(record["post"], record["start"], record["end"]) for record in records}
    gone, words, edited = tables_rounds.gone_posts(store), tables_rounds.quoted(store, spans), tables_rounds.edited_posts(store)
    for record in records:
        post = record["post"]
        if post in gone and record["quote"]:
            yield f"the {where} still has words of {post}, which is {gone[post]}: `precipitate run` takes them out"
        elif not record.get("erased") and post not in gone and post not in edited:
            found = words.get((post, record["start"], record["end"]))
            if found is not None and not is_quote_of(found, record["quote"]):
                yield f"the {where} quotes {post} otherwise than it is stored"


def is_quote_of(stored: str, told: str) -> bool:
    """Whether `told` are the stored words, but for what is hidden of them before anything leaves: mail addresses and the like."""
    return len(stored) == len(told) and all(theirs in (mine, HIDDEN) for mine, theirs in zip(stored, told, strict=True))


def _release(workspace: Workspace, name: str) -> list[Finding] | None:
    """The round against the release it was made from; None where that is no longer kept here."""
    snapshot = _read(workspace.rounds / f"{name}.json")
    if not isinstance(snapshot, dict):
        return None
    for folder in sorted(workspace.releases.glob("[0-9]*")):
        manifest = _read(folder / "manifest.json")
        if isinstance(manifest, dict) and manifest.get("root") == snapshot.get("release"):
            return [f"release: {finding}" for finding in (*verify.verify_release(folder), *verify.verify_against_release(snapshot, folder))]
    return None
