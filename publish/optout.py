"""Opting out: a person's words, likes and name leave the store at once, the next release, and every merge with it.

Believed is a signature of the wallet that the account is paid at (EIP-191), a post of the account itself that says so, or
the operator's word with a reason. What it takes to be left out is little on purpose: to be left out harms nobody else.
What the release before holds of them goes with that release (five are kept); `precipitate release` makes the next.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import PrecipitateError, UsageError
from index.records import Author
from index.store import Store, now
from index.tables_claims import posts_with
from index.tables_private import OptOut, add_optouts, optouts
from index.tables_rewards import identities
from publish.text import clean

SAYS = "precipitate opt-out"  # what a post of one's own has to say
COLUMNS = ("account", "reason")

Find = Callable[[str], Author]
Recover = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class OptOutReport:
    added: tuple[OptOut, ...]
    posts: int  # whose words went
    left_out: tuple[tuple[str, str], ...]  # (account, why) of an import's rows


def optout_text(author: Author) -> str:
    """What the wallet signs, exactly; it names the account and nothing else."""
    return f"precipitate: leave out all that {author.id} wrote, and its name."


def opt_out(store: Store, author: Author, reason: str, signature: str, recover: Recover) -> OptOutReport:
    """Enter one author, by the surest proof at hand. Raises UsageError where there is none."""
    entry = OptOut(author.id, author.handle, proof_of(store, author, reason, signature, recover), now())
    return OptOutReport((entry,), add_optouts(store, [entry]), ())


def proof_of(store: Store, author: Author, reason: str, signature: str, recover: Recover) -> str:
    """Why it is believed, in words: a signature by the account's wallet, a post of its own, or the operator's reason."""
    if signature:
        paid = identities(store).get(author.id)
        if paid is None:
            raise UsageError(f"no wallet is known of {author.handle}", "have them post it, or enter it on your own word with --reason")
        signer = recover(optout_text(author), signature)
        if signer != paid.address:
            raise UsageError(f"{signer} signed, {author.handle} is paid at {paid.address}", f"have that wallet sign: {optout_text(author)}")
        return f"signed by {signer}"
    said = [post for post in posts_with(store, SAYS) if post.author == author.id]
    if said:
        return f"said in {said[0].id}"
    if not reason:
        raise UsageError(
            f"nothing shows that {author.handle} asked for it",
            f"give --signature of their wallet, have them post “{SAYS}”, or give --reason on your own word",
        )
    return f"operator: {clean(reason)[:300]}"


def import_optouts(store: Store, path: Path, find: Find) -> OptOutReport:
    """Enter a list on the operator's word: a CSV file with the columns account,reason. Good rows count."""
    added: list[OptOut] = []
    wrong: list[tuple[str, str]] = []
    for line, row in _rows(path):
        try:
            author = find(row["account"])
            added.append(OptOut(author.id, author.handle, f"operator: {clean(row['reason'])[:300] or f'{path.name}:{line}'}", now()))
        except PrecipitateError as error:
            wrong.append((f"{path.name}:{line}", error.message))
    return OptOutReport(tuple(added), add_optouts(store, added), tuple(wrong))


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restkey="", restval="")
            if not reader.fieldnames or "account" not in reader.fieldnames:
                raise UsageError(f"{path}: its first line names no column account", f"write: {','.join(COLUMNS)}")
            return [(number, {"reason": "", **row}) for number, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}", "give a CSV file in UTF-8") from None


def list_optouts(store: Store) -> list[dict[str, Any]]:
    return [{"author": entry.author, "proof": entry.proof, "added": entry.added} for entry in optouts(store)]


def render_optouts(told: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"{clean(entry['author'])}  since {entry['added'][:10]}, {clean(entry['proof'])}\n" for entry in told]
    return "".join(lines) or "Nobody opted out.\n"


def render_report(told: Mapping[str, Any]) -> str:
    lines = [f"left out from now on: {clean(entry['author'])} ({clean(entry['proof'])})" for entry in told["added"]]
    lines += [f"LEFT OUT {clean(where)}: {clean(why)}" for where, why in told["left_out"]]
    lines += [f"{told['posts']:,} posts are gone from the store", "next: precipitate run"] if told["added"] else []
    return "\n".join(lines) + "\n"
