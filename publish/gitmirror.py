"""SOPs in a Git repository: a folder for each, a commit for each new version, and only what passes review.

    sops/<id>/record.json    the record as released, one key a line: diffs show what changed
    sops/<id>/README.md      for people
    release.json             which release the newest commits are from, its signed line

Commits are written by `git fast-import` into a bare repository beside the workspace and pushed from there. Dates and names
in them are those of the release, so the same history gives the same commits. What quotes a taken-back post must not live
on in history: then the history starts anew, and the push replaces it. Nothing of a fetched repository is ever checked out
or run: files are read as blobs, hooks and submodules are off.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index.current import MANIFEST
from index.errors import SourceError, StoreError
from index.hosts import check_place
from index.snapshot import quoted_posts
from index.store import canonical_json
from publish.cbor import encode, link_to
from publish.log import FILE as LOG
from publish.log import check_lines, read_log
from publish.release import read_lines
from publish.review import Injects, Replay, review
from publish.text import clean
from publish.verify_said import Texts, record_problems

SCHEMA = "precipitate/git/1"
BRANCH = "main"
IDENTITY = "precipitate <precipitate@localhost>"
MOST_RECORD = 4_000_000  # bytes
MOST_SOPS = 1_000_000
SECONDS = 600
_FOLDER = re.compile(r"sops/(sop-[a-z0-9]{1,36})/record\.json")
# Nothing in a repository may run anything, and no address may mean anything but an address.
SAFE = (
    *(
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "protocol.allow=never",
        "-c",
        "protocol.file.allow=always",
        "-c",
        "protocol.https.allow=always",
    ),
    *("-c", "protocol.ssh.allow=always", "-c", "protocol.http.allow=always", "-c", "submodule.recurse=false", "-c", "core.fsmonitor=false"),
    *("-c", "gc.auto=0", "-c", "http.followRedirects=false", "-c", "fetch.fsckObjects=true"),
)
ENVIRONMENT = {
    **{"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1", "LC_ALL": "C"},
    "GIT_ALLOW_PROTOCOL": "file:https:http:ssh",
}


def git(repository: Path, *words: str, data: bytes | None = None, options: Sequence[str] = (), own: bool = False) -> bytes:
    """Run git on a bare repository. Raises SourceError with what it said. `own`: with the operator's own configuration,
    which knows how to log in where they push to; everything else runs without."""
    environment = {**os.environ, **({"GIT_TERMINAL_PROMPT": "0"} if own else ENVIRONMENT)}
    command = ["git", "--git-dir", str(repository), *SAFE, *options, *words]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False, env=environment)
    except FileNotFoundError:
        raise SourceError("git is not installed", "install git, or publish to a folder") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"git {words[0]} took longer than {SECONDS} seconds", "run again later") from None
    if done.returncode:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()] or ["it said nothing"]
        said = clean(next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1]))
        raise SourceError(f"git {words[0]} failed: {said[:300]}", "see that the repository is there and can be written")
    return done.stdout


def remote_options(address: str, allow_private: bool) -> tuple[str, ...]:
    """Pins a web address to the IP addresses that were checked. Raises SourceError for one that must not be asked."""
    if address.startswith("-") or "::" in address.split("/")[0]:
        raise SourceError(f"{address[:80]!r} is not an address of a repository", "give a folder, https://… or git@host:path")
    if not address.startswith(("http://", "https://")):
        return ()
    place = check_place(address, allow_private)
    return ("-c", f"http.curloptResolve={place.parts.hostname}:{place.port}:{','.join(place.addresses)}")


# --- publishing -----------------------------------------------------------------------------------------------------


def publish_git(
    folder: Path,
    repository: Path,
    remote: str,
    injects: Injects,
    texts: Texts | None = None,
    replay: Replay | None = None,
    allow_private: bool = False,
) -> dict[str, Any]:
    """Bring a repository up to a release and push it; `repository` is the bare one of this workspace."""
    options = remote_options(remote, allow_private) if remote else ()
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    states = {row["id"]: row for row in read_lines(folder, "posts.jsonl")}
    records = {record["id"]: record for record in read_lines(folder, "procedures.jsonl")}
    if not repository.exists():
        repository.mkdir(parents=True)
        git(repository, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    anew = _holds_gone(repository, states)
    if anew:
        shutil.rmtree(repository)
        repository.mkdir(parents=True)
        git(repository, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    there = {record["id"]: record for record in current_records(repository)}
    changed = [record for name, record in sorted(records.items()) if there.get(name) != record]
    failed = review(changed, states, texts, injects, replay)
    passing = [record for record in changed if record["id"] not in failed]
    # What fails leaves the version before in place, unless that one is no longer fit to be seen.
    gone = sorted(name for name in there if name not in records)
    commits = _commit(repository, folder, manifest, passing, gone)
    if remote:
        git(
            repository,
            "push",
            "--quiet",
            "--force" if anew else "--no-force",
            "--",
            remote,
            f"{BRANCH}:{BRANCH}",
            options=options,
            own=True,
        )
    held_back = [{"id": name, "why": "; ".join(why)[:300]} for name, why in sorted(failed.items())]
    told = {"to": remote or str(repository), "root": manifest["root"], "sops": len(passing), "removed": len(gone), "commits": commits}
    return {**told, "history_anew": anew, "held_back": held_back}


def _holds_gone(repository: Path, states: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any version in the history quotes a post that was taken back, or that the release no longer knows."""
    if not has_commits(repository):
        return False
    listed = git(repository, "rev-list", "--objects", "--all").decode(errors="replace").splitlines()
    blobs = [line.split(" ", 1)[0] for line in listed if line.count(" ") and _FOLDER.fullmatch(line.split(" ", 1)[1])]
    for _, data in _read_blobs(repository, blobs):
        record = json.loads(data)
        if any(states.get(post, {}).get("body_hash") is None for post in quoted_posts(record)):
            return True
    return False


def has_commits(repository: Path) -> bool:
    return bool(git(repository, "for-each-ref", f"refs/heads/{BRANCH}").strip())


def current_records(repository: Path) -> Iterator[dict[str, Any]]:
    """Records of the newest commit. What is no record in its right place is skipped: `fetch_git` tells it."""
    for _, record, why in _tip(repository):
        if record is not None and not why:
            yield record


def _tip(repository: Path) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """(path, record or None, what is wrong) of each record file of the newest commit."""
    if not has_commits(repository):
        return
    paths: dict[str, str] = {}
    for line in git(repository, "ls-tree", "-r", "-z", "--format=%(objectmode) %(objectname) %(objectsize) %(path)", BRANCH).split(b"\0"):
        mode, _, rest = line.decode(errors="replace").partition(" ")
        name, _, rest = rest.partition(" ")
        size, _, path = rest.partition(" ")
        if (
            mode == "100644"
            and _FOLDER.fullmatch(path)
            and size.strip().isdecimal()
            and int(size) <= MOST_RECORD
            and len(paths) < MOST_SOPS
        ):
            paths[path] = name
    for path, (_, data) in zip(paths, _read_blobs(repository, list(paths.values())), strict=True):
        try:
            record = json.loads(data, parse_float=_refuse, parse_constant=_refuse)
            right = isinstance(record, dict) and path == f"sops/{record.get('id')}/record.json"
            yield path, record if right else None, "" if right else "its folder is not named by its id"
        except (ValueError, RecursionError):
            yield path, None, "not a record"


def _refuse(text: str) -> None:
    raise ValueError(f"{text} stands in no record")


def _read_blobs(repository: Path, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of blobs, read in batches so that memory does not grow with the repository."""
    for start in range(0, len(blobs), 200):
        part = blobs[start : start + 200]
        out = git(repository, "cat-file", "--batch", data="".join(f"{blob}\n" for blob in part).encode())
        at = 0
        for blob in part:
            end = out.index(b"\n", at)
            size = int(out[at:end].split(b" ")[2])
            yield blob, out[end + 1 : end + 1 + size]
            at = end + 2 + size


def _commit(repository: Path, folder: Path, manifest: Mapping[str, Any], records: Sequence[Mapping[str, Any]], gone: Sequence[str]) -> int:
    """A commit for each version that came, one for all that went, and release.json with the last."""
    told = canonical_json(
        {
            "schema": SCHEMA,
            "root": manifest["root"],
            "line": read_log(folder / LOG).lines[-1],
            "sops": _cids(folder, records, repository, gone),
        }
    )
    changes: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
        (f"{record['id']}: version {record['version']}: {clean(record['title'])}"[:200], _files(record), ()) for record in records
    ]
    changes += [(f"{len(gone)} SOPs are no longer in the release", {}, tuple(gone))] if gone else []
    if not changes and has_commits(repository):
        return 0
    changes.append((f"release {manifest['root']}", {"release.json": told + "\n"}, ()))
    date = _seconds(manifest.get("until"))
    parent = git(repository, "rev-parse", BRANCH).decode().strip() if has_commits(repository) else ""
    stream = bytearray()
    for number, (message, files, removed) in enumerate(changes):
        said = message.encode()
        stream += (
            f"commit refs/heads/{BRANCH}\nmark :{number + 1}\ncommitter {IDENTITY} {date} +0000\ndata {len(said)}\n".encode() + said + b"\n"
        )
        stream += f"from {parent}\n".encode() if number == 0 and parent else b""
        for name in removed:
            stream += f"D sops/{name}\n".encode()
        for path, text in files.items():
            data = text.encode()
            stream += f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"
        stream += b"\n"
    git(repository, "fast-import", "--quiet", "--date-format=raw", data=bytes(stream))
    return len(changes)


def _cids(folder: Path, passing: Sequence[Mapping[str, Any]], repository: Path, gone: Sequence[str]) -> dict[str, str]:
    """The CID of every SOP that the newest commit holds."""
    held = {record["id"]: record for record in current_records(repository) if record["id"] not in set(gone)}
    held |= {record["id"]: dict(record) for record in passing}
    return {name: str(link_to(encode(held[name]))) for name in sorted(held)}


def _files(record: Mapping[str, Any]) -> dict[str, str]:
    from publish.show import render_procedure

    home = f"sops/{record['id']}"
    text = render_procedure(record)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return {
        f"{home}/record.json": json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1) + "\n",
        f"{home}/README.md": f"{fence}text\n{text}{fence}\n",
    }


def _seconds(moment: str | None) -> int:
    from datetime import UTC, datetime

    try:
        return max(0, int(datetime.fromisoformat(moment or "").replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return 0


# --- fetching -------------------------------------------------------------------------------------------------------


def fetch_git(remote: str, scratch: Path, allow_private: bool) -> dict[str, Any]:
    """SOPs of a repository: {records, left_out, line, key}. Only records with the CID that its release names are in it."""
    options = remote_options(remote, allow_private)
    scratch.mkdir(parents=True)
    git(scratch, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    refspec = f"refs/heads/{BRANCH}:refs/heads/{BRANCH}"
    git(scratch, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", remote, refspec, options=options)
    line, named = _read_release(scratch, remote)
    found, left_out = [], []
    for path, record, why in _tip(scratch):
        if record is not None and not why:
            posts = {post: {"body_hash": ""} for post in _quoted(record)}
            problems = record_problems(record, posts)
            why = problems[0] if problems else "" if named.get(record["id"]) == _cid(record) else "it is not the one that the release names"
        if record is None or why:
            left_out.append({"id": path[:80], "why": why})
        else:
            found.append(record)
    left_out += [{"id": name, "why": "the repository does not have it"} for name in sorted(set(named) - {r["id"] for r in found})]
    return {
        "records": sorted(found, key=lambda r: str(r["id"])),
        "left_out": left_out,
        "line": line,
        "key": json.loads(line)["entry"]["key"],
    }


def _cid(record: Mapping[str, Any]) -> str:
    try:
        return str(link_to(encode(record)))
    except TypeError:
        return ""


def _quoted(record: Mapping[str, Any]) -> set[str]:
    try:
        return quoted_posts(record)
    except (KeyError, TypeError):
        return set()


def _read_release(repository: Path, remote: str) -> tuple[str, dict[str, str]]:
    try:
        size = int(git(repository, "cat-file", "-s", f"{BRANCH}:release.json"))
        if size > 64_000_000:
            raise StoreError("release.json has more than 64 MB", "it is refused")
        value = json.loads(git(repository, "cat-file", "blob", f"{BRANCH}:release.json"))
        if value["schema"] != SCHEMA:
            raise StoreError(
                f"release.json is of schema {str(value['schema'])[:60]!r}, this program reads {SCHEMA!r}", "install a newer precipitate"
            )
        line, named = str(value["line"]), {str(name): str(cid) for name, cid in value["sops"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SourceError):
        raise SourceError(
            f"{remote} holds no release.json", "give the address of a repository that `precipitate publish --to git` made"
        ) from None
    wrong = [why for _, why in check_lines([line]).findings if "line before" not in why and "numbered" not in why]
    if wrong:
        raise SourceError(f"the release in {remote} is not signed rightly: {wrong[0]}", "ask who publishes it")
    return line, named
