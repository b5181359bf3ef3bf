"""Shared payees and opt-outs: accounts that are paid as a team, and people who do not want to be paid."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index import tables_rewards as tables
from index import tables_rounds
from index.errors import MoneyError, UnknownName, UsageError
from index.records import Author
from index.store import Store
from rewards.allocation import Team
from rewards.identities import find_author, handle_at_host
from rewards.ledger import Event, append, moment
from rewards.money import NATIVE, parse_address

LARGEST_WEIGHT = 1_000_000
TEAM = "team:"  # how a team is named where an address could stand, too


def teams_of(store: Store) -> dict[str, Team]:
    """Author → the team that is paid for them."""
    members = tables_rounds.teams(store)
    return {author: Team(name, members[name]) for author, name in tables_rounds.team_accounts(store).items()}


def set_team(store: Store, name: str, members: Sequence[str], accounts: Sequence[str], at: str | None = None) -> dict[str, int]:
    """Make or change a team of `0x…=WEIGHT` members, and have `accounts` paid to it from now on. Returns address → weight.

    Raises UsageError (name, member, an account that is paid elsewhere), UnknownName (account) or MoneyError (address).
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f"team name {name!r}", "use letters, digits, - and _, such as docs-team")
    known = tables_rounds.teams(store)
    weights = _members(members, [round_.token for round_ in tables.rounds(store)]) if members else known.get(name, {})
    if not weights:
        raise UnknownName(
            "team", name, known, f"a team needs members: --member 0x…=WEIGHT{'; there are: ' + ', '.join(known) if known else ''}"
        )
    people = [find_author(store, text) for text in accounts]
    for person in people:
        _check_free(store, person, name)
    with store.transaction():
        tables_rounds.put_team(store, name, weights)
        for person in people:
            tables_rounds.put_team_account(store, person.id, name)
        data = {"members": weights, "accounts": sorted(a for a, team in tables_rounds.team_accounts(store).items() if team == name)}
        append(store, [Event("team_set", moment(store, at), name, data)])
    return weights


def _members(texts: Sequence[str], tokens: Sequence[str]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for text in texts:
        address_text, sign, weight_text = text.partition("=")
        if not sign or not re.fullmatch("[1-9][0-9]{0,6}", weight_text) or int(weight_text) > LARGEST_WEIGHT:
            raise UsageError(
                f"member {text!r} is not an address and a weight", f"write 0x…=WEIGHT, a whole number from 1 to {LARGEST_WEIGHT:,}"
            )
        address = parse_address(address_text, "member")
        if any(address.lower() == token.lower() for token in tokens if token != NATIVE):
            raise MoneyError(f"member {address} is a token's own contract: what is sent there is lost", "give the member's own address")
        if address in weights:
            raise UsageError(f"member {address} stands twice", "name each address once, with the sum of its weights")
        weights[address] = int(weight_text)
    return dict(sorted(weights.items()))


def _check_free(store: Store, person: Author, team: str) -> None:
    """One payee for each account: whoever has an address, or is in another team, is asked to give that up first."""
    identity = tables.identities(store).get(person.id)
    if identity is not None:
        raise UsageError(
            f"{handle_at_host(person)} is paid at {identity.address} ({identity.origin})",
            "an account has one payee: leave it, or revoke that claim first",
        )
    other = tables_rounds.team_accounts(store).get(person.id, team)
    if other != team:
        raise UsageError(
            f"{handle_at_host(person)} is paid as team {other}", "an account has one payee: take it out first (identity team --drop)"
        )


def drop_from_team(store: Store, text: str, at: str | None = None) -> str:
    """An account is no longer paid as a team; returns the team's name. Raises UsageError where it was not."""
    person = find_author(store, text)
    team = tables_rounds.team_accounts(store).get(person.id)
    if team is None:
        raise UsageError(f"{handle_at_host(person)} is in no team", "`precipitate identity team --list` shows the teams")
    with store.transaction():
        tables_rounds.drop_team_account(store, person.id)
        append(store, [Event("team_left", moment(store, at), team, {"account": person.id})])
    return team


# --- opting out -----------------------------------------------------------------------------------------------------


def opt_out(store: Store, text: str, reason: str, back: bool = False, at: str | None = None) -> Author:
    """Note that an author does not want to be paid, or wants to again; the ledger says so.

    Their share of a round goes by the round's rule, from the next freeze, allocation or finalisation on.
    """
    person = find_author(store, text)
    out = tables_rounds.opt_outs(store)
    if not reason.strip():
        raise UsageError("an opt-out needs a reason", 'give --reason "…", such as where they said so: it is logged')
    if (person.id in out) != back:
        raise UsageError(f"{handle_at_host(person)} {'has not opted out' if back else 'has opted out already'}", "nothing was changed")
    with store.transaction():
        if back:
            tables_rounds.drop_opt_out(store, person.id)
        else:
            tables_rounds.put_opt_out(store, person.id, reason.strip(), moment(store, at))
        append(store, [Event("opted_in" if back else "opted_out", moment(store, at), "", {"author": person.id, "reason": reason.strip()})])
    return person
