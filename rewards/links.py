"""Identity links from crawled networks: what is said, how surely, where, and which of it a person accepted.

A network's word merges nobody by itself: names change hands, and whoever proves an account first would become that person. An
accepted link counts as a passing identity score (where any were imported) and, where accounts point at one thing or at each
other, makes them one person; only what the other side says, too, can be accepted, and it counts as long as that side says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from index import tables_evidence
from index import tables_people as tables
from index.errors import UsageError
from index.store import Store, now
from index.tables_evidence import IdentityScore
from index.tables_rewards import authors
from rewards.identities import AuthorBook, handle_at_host

SURE = ("mutual", "checked")
LINK = "link"  # kind of the score
PASSING = 10_000


def told_links(store: Store, account: str = "") -> dict[str, Any]:
    """Links of one account, or of all, and what several accounts point at. Raises UsageError or UnknownName."""
    people = authors(store)
    author = AuthorBook(people).find(account).id if account else ""
    handles = {person.id: handle_at_host(person) for person in people}
    accepted = {(row["author"], row["kind"], row["target"]) for row in tables.accepted_links(store)}
    links = [
        {
            "author": link.author,
            "handle": handles.get(link.author, link.author),
            **{name: getattr(link, name) for name in ("kind", "target", "strength", "via", "evidence", "told")},
            "accepted": (link.author, link.kind, link.target) in accepted,
        }
        for link in tables.identity_links(store, author)
    ]
    strength = {2: "mutual", 1: "checked", 0: "claimed"}
    shared: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in tables.shared_targets(store):
        told = {"author": row["author"], "handle": handles.get(row["author"], row["author"]), "strength": strength[row["strength"]]}
        shared.setdefault((row["kind"], row["target"]), []).append(told)
    return {
        "links": links,
        "shared": [
            {"kind": kind, "target": target, "accounts": accounts}
            for (kind, target), accounts in shared.items()
            if not author or any(row["author"] == author for row in accounts)
        ],
    }


def accept(store: Store, account: str, target: str, reason: str, back: bool = False, at: str | None = None) -> dict[str, Any]:
    """Note a person's word that a link holds; with `back`, that it no longer does.

    Raises UsageError for a link that nobody tells, that only its author tells, or without a reason; UnknownName for no author.
    """
    if not reason.strip():
        raise UsageError("the reason is empty", 'say how you know: --reason "…"')
    author = AuthorBook(authors(store)).find(account)
    handle = handle_at_host(author)
    found = [link for link in tables.identity_links(store, author.id) if link.target == target]
    if not found:
        raise UsageError(f"{handle} has no link to {target!r}", f"`precipitate identity links {handle}` shows what is told")
    sure = [link for link in found if link.strength in SURE]
    if not sure and not back:
        raise UsageError(f"only {handle} says that {target!r} is theirs", "links that are mutual or checked can be accepted")
    for kind in sorted({link.kind for link in (found if back else sure)}):
        if back:
            tables.drop_link(store, author.id, kind, target)
        else:
            tables.accept_link(store, author.id, kind, target, reason.strip(), at or now())
    return {"author": author.id, "handle": handle, "target": target, "accepted": not back}


# --- what accepted links count for ----------------------------------------------------------------------------------


def with_links(store: Store, scores: Sequence[IdentityScore]) -> list[IdentityScore]:
    """The imported scores, and a passing one for each account with an accepted link."""
    found = {row["author"]: row for row in tables.accepted_links(store)}
    linked = [IdentityScore(row["author"], LINK, PASSING, f"{row['kind']} {row['target']}", row["evidence"]) for row in found.values()]
    return [*scores, *linked]


def linked(store: Store) -> list[tuple[str, str]]:
    """(account, mark) of accepted links: accounts with the same mark are one person. An account's own id is one, too."""
    found, known = [], {person.id for person in authors(store)}
    for row in tables.accepted_links(store):
        kind, target = row["kind"], row["target"]
        if kind == "address":
            found.append((row["author"], target.rpartition(":")[2].lower()))
        elif kind == "account":
            found += [(account, f"account {target}") for account in (row["author"], *([target] if target in known else []))]
        else:
            found.append((row["author"], f"{kind} {target}"))
    return found


def one_person(marks: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Account → the first account of the person, for every person with more than one. The order of marks does not matter."""
    above: dict[tuple[str, str], tuple[str, str]] = {}

    def top(name: tuple[str, str]) -> tuple[str, str]:
        while above.get(name, name) != name:
            name = above[name]
        return name

    accounts = set()
    for account, mark in sorted(set(marks)):
        accounts.add(account)
        above[top(("account", account))] = top(("mark", mark))
    groups: dict[tuple[str, str], list[str]] = {}
    for account in sorted(accounts):
        groups.setdefault(top(("account", account)), []).append(account)
    return {account: group[0] for group in groups.values() if len(group) > 1 for account in group}


def told_scores(store: Store) -> list[Mapping[str, Any]]:
    """All identity scores: those that were imported, and accepted links."""
    handles = {person.id: handle_at_host(person) for person in authors(store)}
    return [{"handle": handles.get(s.author, s.author), **asdict(s)} for s in with_links(store, tables_evidence.scores(store))]
