"""Queries about people on networks: accounts and their handles, evidence of who is who, and what is forgotten of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from index.records import Account, IdentityLink, Reject, Vanish
from index.store import Store, storable

# Networks where a handle is one account's at a time, so that two accounts with the same one mean that it changed hands.
UNIQUE_HANDLES = ("at://", "farcaster:", "ap:")


def stand_in(author: str) -> str:
    """What is shown of an account that has said no name: the end of its id, shortened."""
    tail = author.rstrip("/").rpartition("/")[2].rpartition(":")[2] if not author.startswith("at://") else author.removeprefix("at://")
    return tail if len(tail) <= 40 else tail[:16]


def load_accounts(store: Store, source: str, accounts: Sequence[Account]) -> list[Reject]:
    """The newest word of each account on its name counts, in whatever order it is read."""
    if not accounts:
        return []
    _add_unknown(store, {account.id: account for account in accounts}.values())
    rejects: list[Reject] = []
    for account in sorted(set(accounts), key=lambda account: (account.told, account.id, account.handle)):
        if account.told:
            rejects += _rename(store, source, account)
    return rejects


def _add_unknown(store: Store, accounts: Iterable[Account]) -> None:
    import pyarrow as pa

    rows = list(accounts)
    columns: dict[str, Any] = {
        "id": [a.id for a in rows],
        "source": [a.source for a in rows],
        "handle": [storable(a.handle) if not a.told and a.handle else stand_in(a.id) for a in rows],
        "name": [""] * len(rows),
        "staff": [False] * len(rows),
    }
    store.upsert("authors", pa.table(columns), replace=False)


def _rename(store: Store, source: str, account: Account) -> list[Reject]:
    if store.execute("SELECT 1 FROM vanished WHERE author = ? AND until >= ?", [account.id, account.told]):
        return []
    if account.name is not None and _is_news(store, account.id, "name", account.told):
        store.execute("UPDATE authors SET name = ? WHERE id = ?", [storable(account.name), account.id])
    if not account.handle:
        return []
    handle = storable(account.handle)
    store.execute(
        "INSERT INTO handles VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET told = greatest(told, excluded.told)",
        [account.id, handle, storable(account.name or ""), account.told],
    )
    if not _is_news(store, account.id, "handle", account.told):
        return []
    store.execute("UPDATE authors SET handle = ? WHERE id = ?", [handle, account.id])
    return _changed_hands(store, source, account, handle)


def _is_news(store: Store, author: str, via: str, told: str) -> bool:
    """Whether nothing newer was told of this; then this is the newest."""
    known = store.execute("SELECT told FROM identity_told WHERE author = ? AND via = ?", [author, via])
    if known and known[0][0] > told:
        return False
    store.execute("INSERT OR REPLACE INTO identity_told VALUES (?, ?, ?)", [author, via, told])
    return True


def _changed_hands(store: Store, source: str, account: Account, handle: str) -> list[Reject]:
    """A handle that was another account's: the other loses it, and the change stands among what `sources` tells."""
    network = next((prefix for prefix in UNIQUE_HANDLES if account.id.startswith(prefix)), None)
    if network is None or handle == stand_in(account.id):
        return []
    others = store.execute(
        "SELECT a.id FROM authors a JOIN handles h ON h.author = a.id AND h.handle = a.handle "
        "WHERE a.handle = ? AND a.id <> ? AND starts_with(a.id, ?) AND h.told <= ? ORDER BY a.id",
        [handle, account.id, network, account.told],
    )
    for (other,) in others:
        store.execute("UPDATE authors SET handle = ?, name = '' WHERE id = ?", [stand_in(other), other])
        store.execute("DELETE FROM identity_links WHERE author = ? AND kind = 'domain' AND target = ?", [other, handle])
    return [Reject(source, account.id, "handle changed hands", f"{handle} was the handle of {other}") for (other,) in others]


def handles(store: Store, author: str) -> list[tuple[str, str]]:
    """Every handle an account was seen with, and when it last said so, oldest first."""
    return [(row[0], row[1]) for row in store.execute("SELECT handle, told FROM handles WHERE author = ? ORDER BY told, handle", [author])]


# --- who is who ---------------------------------------------------------------------------------------------------


def load_links(store: Store, links: Sequence[IdentityLink]) -> None:
    """What an author says by one way is told whole; only the newest telling counts."""
    groups: dict[tuple[str, str, str], list[IdentityLink]] = {}
    for link in links:
        groups.setdefault((link.author, link.via, link.told), []).append(link)
    for (author, via, told), group in sorted(groups.items()):
        if store.execute("SELECT 1 FROM vanished WHERE author = ? AND until >= ?", [author, told]) or not _is_news(
            store, author, via, told
        ):
            continue
        store.execute("DELETE FROM identity_links WHERE author = ? AND via = ?", [author, via])
        for link in group:
            if link.kind:
                values = [author, via, link.kind, storable(link.target), link.strength, storable(link.evidence), told]
                store.execute("INSERT OR REPLACE INTO identity_links VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def identity_links(store: Store, author: str = "") -> list[IdentityLink]:
    """Evidence on one author, or on all: what rewards may show to a person who decides. Never merged by itself."""
    rows = store.rows(
        "SELECT author, via, told, kind, target, strength, evidence FROM identity_links WHERE ? IN ('', author) ORDER BY ALL", [author]
    )
    return [IdentityLink(**row) for row in rows]


def claimed_domains(store: Store, source: str, via: str) -> list[tuple[str, str, str]]:
    """(author, domain, evidence) of what people of a source say of themselves and nobody has looked up here."""
    rows = store.execute(
        "SELECT l.author, l.target, l.evidence FROM identity_links l JOIN authors a ON a.id = l.author "
        "WHERE a.source = ? AND l.via = ? AND l.kind = 'domain' ORDER BY l.author",
        [source, via],
    )
    return [(row[0], row[1], row[2]) for row in rows]


def shared_targets(store: Store) -> list[dict[str, Any]]:
    """Addresses, domains and accounts that accounts of several networks point at, with the strongest word of each."""
    return store.rows(
        "SELECT kind, target, author, max(CASE strength WHEN 'mutual' THEN 2 WHEN 'checked' THEN 1 ELSE 0 END)::INTEGER AS strength "
        "FROM identity_links WHERE (kind, target) IN (SELECT (kind, target) FROM identity_links GROUP BY kind, target "
        "HAVING count(DISTINCT author) > 1) GROUP BY kind, target, author ORDER BY kind, target, author"
    )


def accept_link(store: Store, author: str, kind: str, target: str, reason: str, at: str) -> None:
    store.execute("INSERT OR REPLACE INTO accepted_links VALUES (?, ?, ?, ?, ?)", [author, kind, target, reason, at])


def drop_link(store: Store, author: str, kind: str, target: str) -> None:
    store.execute("DELETE FROM accepted_links WHERE author = ? AND kind = ? AND target = ?", [author, kind, target])


def accepted_links(store: Store) -> list[dict[str, Any]]:
    """What a person accepted and the network still says, both sides or the other side: a link that was taken back counts no more."""
    return store.rows(
        "SELECT a.author, a.kind, a.target, a.reason, a.accepted, min(l.evidence) AS evidence FROM accepted_links a JOIN identity_links l "
        "ON l.author = a.author AND l.kind = a.kind AND l.target = a.target AND l.strength IN ('mutual', 'checked') "
        "GROUP BY ALL ORDER BY a.author, a.kind, a.target"
    )


# --- forgetting ---------------------------------------------------------------------------------------------------


def forget_people(store: Store, vanishings: Sequence[Vanish]) -> None:
    """Names and links of people who are to be forgotten; that the account wrote something stays known by its id."""
    for vanish in vanishings:
        newer = store.execute("SELECT 1 FROM handles WHERE author = ? AND told > ?", [vanish.author, vanish.until])
        store.execute("DELETE FROM handles WHERE author = ? AND told <= ?", [vanish.author, vanish.until])
        store.execute("DELETE FROM identity_links WHERE author = ? AND told <= ?", [vanish.author, vanish.until])
        store.execute("DELETE FROM accepted_links WHERE author = ?", [vanish.author])
        store.execute(
            "DELETE FROM edges WHERE post IN (SELECT id FROM posts WHERE author = ? AND coalesce(edited, created) <= ?)",
            [vanish.author, vanish.until],
        )
        if not newer:
            store.execute("UPDATE authors SET handle = ?, name = '' WHERE id = ?", [stand_in(vanish.author), vanish.author])
