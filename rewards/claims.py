"""Identity claims: "this account pays out to this address", proved by the wallet's signature and the account's own post.

`new_claim` makes the text, `verify_claim` takes it signed, `revoke_claim` takes it back, `list_claims` tells what stands.
All offline: the signature is checked here, the post is looked up in what was crawled. A signature alone proves nothing
about the account, a post alone nothing about the wallet. Everything that happens is a further event of the log
(rewards/claimlog.py); the identity that pays follows from it in the same transaction. docs/claims.md tells it to people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from index import tables_claims as log
from index import tables_rewards as tables
from index.errors import ClaimError, MoneyError, UsageError
from index.records import Author, Identity, Round, Source
from index.store import Store, now
from index.tables_discussion import sources
from index.workspace import Workspace
from rewards.claimlog import ClaimEvent, Kind, PostBack, Standing, check_log, head, merged_accounts, next_row, standing, trusted_events
from rewards.claimtext import (
    ANEW,
    MAX_CHAIN,
    TIME,
    Account,
    ClaimText,
    digest_of,
    moment,
    nonce_of,
    page_of,
    parse_claim,
    post_back,
)
from rewards.identities import CLAIM_ORIGIN, AuthorBook, handle_at_host
from rewards.money import NATIVE, parse_address
from rewards.rounds import find_round, release_root
from rewards.signatures import is_for_contract, parse_signature, recover

LONGEST_LIFE = 90  # days
SKEW = timedelta(minutes=10)  # how far another machine's clock may be ahead
OWN_WORDS = ("paragraph", "item", "heading", "code", "table")  # blocks that the post's author wrote


# --- making -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewClaim:
    text: str  # to be signed, exactly
    digest: str
    post_back: str  # to be posted from every account of the claim
    accounts: tuple[str, ...]  # handle@host of those accounts
    replaces: tuple[str, ...]
    consents: tuple[str, ...]  # addresses in force now whose wallets have to sign, too


def new_claim(
    store: Store, workspace: Workspace, who: Sequence[str], address: str, chain: int, round_name: str, days: int = 30, at: str | None = None
) -> NewClaim:
    """The text by which the accounts `who` (more than one: a merge) claim what a round owes them. Writes nothing.

    Raises UsageError or UnknownName (account, round, chain, days), MoneyError (address), ClaimError (no release yet).
    """
    if not 1 <= chain <= MAX_CHAIN:
        raise UsageError(f"chain {chain} is no chain's number", "give the chain's EIP-155 number, such as --chain 1 for Ethereum")
    if not 1 <= days <= LONGEST_LIFE:
        raise UsageError(f"a claim of {days} days", f"give --days 1 to {LONGEST_LIFE}")
    round_ = find_round(store, round_name)
    book = AuthorBook(tables.authors(store))
    people = [book.find(text) for text in who]
    if len({person.id for person in people}) != len(people):
        raise UsageError("an account is named twice", "name each account once")
    snapshot = release_root(workspace)
    if snapshot is None:
        raise ClaimError("nothing has been released yet, so there is nothing to claim", "run `precipitate run`")
    issued = at or now()
    bases = {source.id: source for source in sources(store)}
    current = standing(trusted_events(log.log_rows(store)))
    claim = ClaimText(
        domain=_domain(bases[people[0].source]),
        address=parse_address(address),
        chain=chain,
        round=round_.name,
        snapshot=snapshot,
        issued=issued,
        expires=(moment(issued) + timedelta(days=days)).strftime(TIME),
        accounts=tuple(Account(person.id, page_of(bases[person.source].base_url, person.handle)) for person in people),
        replaces=_in_force(current, [person.id for person in people]),
    )
    claim = parse_claim(replace(claim, nonce=nonce_of(claim, round_)).render())
    _check_address(store, claim, round_)
    digest = digest_of(claim.render())
    wallets = {old for _, old in _previous(tables.identities(store), claim)}
    names = tuple(handle_at_host(person) for person in people)
    return NewClaim(claim.render(), digest, post_back(digest), names, claim.replaces, tuple(sorted(wallets)))


def _domain(source: Source) -> str:
    return re.sub("^[a-z]+://", "", source.base_url).partition("/")[0]


def _in_force(current: Standing, accounts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({current.in_force[account].digest for account in accounts if account in current.in_force}))


def _previous(identities: Mapping[str, Identity], claim: ClaimText) -> tuple[tuple[str, str], ...]:
    """Addresses of the claim's accounts that it would change."""
    known = ((account.id, identities[account.id].address) for account in claim.accounts if account.id in identities)
    return tuple((account, address) for account, address in known if address != claim.address)


# --- verifying ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Presented:
    """What somebody hands in with a claim's text."""

    signature: str
    consents: tuple[str, ...] = ()  # signatures of the wallets that were paid so far
    without_old: str = ""  # why they cannot sign: a person's word, logged
    contract_wallet: bool = False
    checked_at_block: int | None = None  # the block at which the contract said that the signature is good


def verify_claim(
    store: Store, text: str, shown: Presented, round_name: str | None = None, where: str = "the text", at: str | None = None
) -> ClaimEvent:
    """Check a signed claim against round, clock, wallet, post and log; append it, and pay its accounts there from now on.

    A contract wallet's claim comes back as "pending" and changes no identity until `checked_at_block` is given.
    Raises ClaimError (or MoneyError for the address) with what does not hold; then nothing is written.
    """
    at = at or now()
    claim = parse_claim(text, where)
    if round_name is not None and claim.round != round_name:
        raise ClaimError(f"{where} claims from round {claim.round}, not {round_name}", f"say --round {claim.round}, or {ANEW}")
    rows = log.log_rows(store)
    current = standing(trusted_events(rows))
    _check_round(store, claim, where)
    _check_time(claim, where, at)
    digest = digest_of(claim.render())
    _check_unused(current, digest, claim, shown)
    _check_accounts(store, claim, where)
    _check_address(store, claim, find_round(store, claim.round))
    by_key = _check_signature(claim, shown)
    posts = _find_posts(store, claim, digest)
    _check_replaces(current, claim, where)
    previous = _previous(tables.identities(store), claim)
    taken = by_key or shown.checked_at_block is not None
    consents = _check_consent(claim, previous, shown) if taken else ()
    event = ClaimEvent(
        kind=_kind(current, claim, previous) if taken else "pending",
        at=at,
        digest=digest,
        accounts=tuple(account.id for account in claim.accounts),
        address=claim.address,
        chain=claim.chain,
        round=claim.round,
        text=claim.render(),
        signature=shown.signature.strip().lower(),
        posts=posts,
        previous=previous if taken else (),
        consents=consents,
        reason=shown.without_old.strip() if taken and previous else "",
        checked_at_block=None if by_key else shown.checked_at_block,
    )
    origin = f"{CLAIM_ORIGIN}{digest[:12]} round {claim.round}"
    paid = [Identity(account, claim.address, origin) for account in event.accounts] if taken else []
    log.append_event(store, next_row(rows, event), put=paid)
    return event


def _kind(current: Standing, claim: ClaimText, previous: Sequence[Any]) -> Kind:
    if previous:
        return "rotated"
    group = {account.id for account in claim.accounts}
    before = {current.in_force[account].digest if account in current.in_force else account for account in group}
    return "merged" if len(before) > 1 else "claimed"


def _check_round(store: Store, claim: ClaimText, where: str) -> None:
    """The round is one of this workspace, by its own terms and not only by name, and so is the snapshot."""
    known = {round_.name: round_ for round_ in tables.rounds(store)}
    if claim.round not in known:
        raise ClaimError(f"{where} claims from round {claim.round}, which is not a round here", "`precipitate round list` shows the rounds")
    if claim.nonce != nonce_of(claim, known[claim.round]):
        raise ClaimError(
            f"{where} has a nonce that does not belong to it: the text was altered, or it is for another round named {claim.round}", ANEW
        )
    if claim.snapshot not in log.released_roots(store):
        raise ClaimError(f"{where} names snapshot {claim.snapshot[:19]}…, which is no release of this workspace", ANEW)


def _check_time(claim: ClaimText, where: str, at: str) -> None:
    issued, expires, today = moment(claim.issued), moment(claim.expires), moment(at)
    if not issued < expires <= issued + timedelta(days=LONGEST_LIFE):
        raise ClaimError(f"{where} is good from {claim.issued} to {claim.expires}, at most {LONGEST_LIFE} days are taken", ANEW)
    if today > expires:
        raise ClaimError(f"{where} expired at {claim.expires}, it is {at} now", ANEW)
    if today + SKEW < issued:
        raise ClaimError(f"{where} was issued at {claim.issued}, it is {at} now", "see that this machine's clock is right, or wait")


def _check_unused(current: Standing, digest: str, claim: ClaimText, shown: Presented) -> None:
    """A nonce counts once; a pending claim may come again, with the word of somebody who asked its contract."""
    if digest in current.pending:
        if shown.checked_at_block is None:
            raise ClaimError(
                f"claim {digest[:12]} is pending since {current.pending[digest].at}",
                "ask the contract isValidSignature at some block, then give --checked-at-block",
            )
        return
    if digest in current.used:
        event = current.used[digest]
        raise ClaimError(f"nonce {claim.nonce} was used before: claim {digest[:12]} was {event.kind} at {event.at}", ANEW)


def _check_accounts(store: Store, claim: ClaimText, where: str) -> None:
    """Every account is stored, and the page and domain that the signer read are those of the accounts."""
    people = {author.id: author for author in tables.authors(store)}
    bases = {source.id: source for source in sources(store)}
    for place, account in enumerate(claim.accounts):
        person = people.get(account.id)
        if person is None or person.source not in bases:
            raise ClaimError(f"{where} names account {account.id}, which is not in what was read", "run `precipitate run`, then try again")
        page = page_of(bases[person.source].base_url, person.handle)
        if account.url != page:
            raise ClaimError(f"{where} gives {account.url} as the page of {account.id}, it is {page}", ANEW)
        if place == 0 and claim.domain != _domain(bases[person.source]):
            raise ClaimError(f"{where}:1: domain {claim.domain} is not that of {account.id}", ANEW)


def _check_address(store: Store, claim: ClaimText, round_: Round) -> None:
    """Not a token's own contract, and nobody else's on any network of the claim."""
    for token in {found.token for found in tables.rounds(store)} | {round_.token}:
        if token != NATIVE and claim.address.lower() == token.lower():
            raise MoneyError(
                f"address {claim.address} is a token's own contract: what is sent there is lost", "give the payee's own address"
            )
    people = {author.id: author for author in tables.authors(store)}
    own = {account.id for account in claim.accounts}
    networks = {people[account].source for account in own if account in people}
    for author, identity in tables.identities(store).items():
        other = people.get(author)
        if other is not None and author not in own and other.source in networks and identity.address == claim.address:
            name = handle_at_host(other)
            raise ClaimError(
                f"address {claim.address} is that of {name} already",
                f"if both accounts are one person's, claim for both: --with {name}; else give another address",
            )


def _check_signature(claim: ClaimText, shown: Presented) -> bool:
    """True where a key signed, False where only a contract can say. Raises ClaimError where it is another's signature."""
    signature = parse_signature(shown.signature)
    if shown.contract_wallet or is_for_contract(signature):
        return False
    if shown.checked_at_block is not None:
        raise UsageError("--checked-at-block is for contract wallets", "leave it out, or add --contract-wallet")
    signer = recover(claim.render(), signature)
    if signer != claim.address:
        raise ClaimError(
            f"the signature is by {signer}, the text claims for {claim.address}: another wallet signed, or the text was altered",
            "sign the exact text with the claimed wallet; if that is a contract (a Safe, for one), add --contract-wallet",
        )
    return True


def _check_replaces(current: Standing, claim: ClaimText, where: str) -> None:
    """One address for an account at a time: a claim says which claims it takes the place of, so none is overtaken unseen."""
    standing_now = _in_force(current, [account.id for account in claim.accounts])
    if claim.replaces != standing_now:
        missing = [digest[:12] for digest in standing_now if digest not in claim.replaces]
        told = f"claim {missing[0]} of this account stands" if missing else "a claim that it replaces no longer stands"
        raise ClaimError(f"{where} does not fit: {told}", f"revoke that claim, or {ANEW}" if missing else ANEW)


def _check_consent(claim: ClaimText, previous: Sequence[tuple[str, str]], shown: Presented) -> tuple[str, ...]:
    """Who changes an address needs its wallet's word: a stolen forum account shall not redirect what is owed."""
    signers = {recover(claim.render(), parse_signature(text, "old signature"), "old signature") for text in shown.consents}
    missing = sorted({address for _, address in previous} - signers)
    if missing and not shown.without_old.strip():
        raise ClaimError(
            f"this changes the address {missing[0]} that is in force",
            "have the old wallet sign the same text (--old-signature), or say why it cannot: --without-old-wallet REASON",
        )
    return tuple(text.strip().lower() for text in shown.consents) if previous else ()


# --- the post-back ------------------------------------------------------------------------------------------------------


def _find_posts(store: Store, claim: ClaimText, digest: str) -> tuple[PostBack, ...]:
    """For every account its earliest post that says the digest in its own words. Raises ClaimError with why there is none."""
    found = log.posts_with(store, digest)
    posts = []
    for account in claim.accounts:
        own = [post for post in found if post.author == account.id]
        good = [post for post in own if _why_not(post, digest) is None]
        if not good:
            why = _why_not(own[0], digest) if own else _nowhere(store, found)
            raise ClaimError(
                f"no post by {account.url} says the digest of this claim: {why}",
                f"post this from that account, in a post of its own: {post_back(digest)} — then `precipitate run`, then this again",
            )
        posts.append(PostBack(account.id, good[0].id, good[0].permalink, good[0].created))
    return tuple(posts)


def _why_not(post: log.DigestPost, digest: str) -> str | None:
    """A quote is somebody else's words; an edited post may be a moderator's; one that is gone says nothing any more."""
    if post.state != "live":
        words = {"edited": "was edited, perhaps by somebody else", "missing_unconfirmed": "was not there at the last look"}
        return f"{post.permalink} {words.get(post.state, 'is gone')}"
    whole = re.compile(rf"(?<![0-9a-fA-F]){digest}(?![0-9a-fA-F])")
    if not any(block.kind in OWN_WORDS and whole.search(post.plain, block.start, block.end) for block in post.blocks):
        return f"{post.permalink} only quotes it"
    return None


def _nowhere(store: Store, found: Sequence[log.DigestPost]) -> str:
    if not found:
        return "it is in no post that was read"
    people: dict[str, Author] = {author.id: author for author in tables.authors(store)}
    other = people.get(found[0].author)
    return f"{found[0].permalink} is by {handle_at_host(other) if other else found[0].author}"


# --- taking back, telling -----------------------------------------------------------------------------------------------


def revoke_claim(store: Store, who: str, reason: str, at: str | None = None) -> tuple[ClaimEvent, ...]:
    """Take back an account's claim, in force or pending: its share is held again. Returns an event for each.

    Raises UsageError (no reason), UnknownName (account), ClaimError (nothing to take back).
    """
    if not reason.strip():
        raise UsageError("a revocation needs a reason", 'give --reason "…": it is logged')
    person = AuthorBook(tables.authors(store)).find(who)
    current = standing(trusted_events(log.log_rows(store)))
    standing_claims = [event for event in current.pending.values() if person.id in event.accounts]
    standing_claims += [current.in_force[person.id]] if person.id in current.in_force else []
    if not standing_claims:
        raise ClaimError(f"{handle_at_host(person)} has no claim that could be revoked", "`precipitate claim list` shows the claims")
    return tuple(_revoke(store, person, event, reason.strip(), at or now()) for event in standing_claims)


def _revoke(store: Store, person: Author, event: ClaimEvent, reason: str, at: str) -> ClaimEvent:
    whole = event.kind == "pending"
    revoked = ClaimEvent(
        kind="revoked",
        at=at,
        digest=event.digest,
        accounts=event.accounts if whole else (person.id,),
        address=event.address,
        chain=event.chain,
        round=event.round,
        reason=reason,
    )
    log.append_event(store, next_row(log.log_rows(store), revoked), drop=() if whole else (person.id,))
    return revoked


def list_claims(store: Store, known_head: str | None = None) -> dict[str, Any]:
    """Claims in force and pending, the log's head, and what does not hold (empty: all well). All JSON values."""
    rows = log.log_rows(store)
    findings = check_log(rows, known_head)
    current = standing(trusted_events(rows)) if not findings else Standing({}, {}, {})
    findings = findings or _check_identities(store, current)
    people = {author.id: author for author in tables.authors(store)}
    together = merged_accounts(current)
    told = [_told(people, account, event, together) for account, event in sorted(current.in_force.items())]
    told += [_told(people, account, event, {}) for event in current.pending.values() for account in event.accounts]
    return {"head": head(rows), "events": len(rows), "claims": told, "findings": findings}


def _told(people: Mapping[str, Author], account: str, event: ClaimEvent, together: Mapping[str, str]) -> dict[str, Any]:
    person = people.get(account)
    others = [other for other, first in together.items() if other != account and first == together.get(account)]
    return {
        "account": account,
        "handle": handle_at_host(person) if person else account,
        "state": "pending" if event.kind == "pending" else "in force",
        **{key: getattr(event, key) for key in ("address", "chain", "round", "digest", "at", "kind", "reason", "checked_at_block")},
        "posts": [asdict(post) for post in event.posts],
        "merged_with": others,
    }


def _check_identities(store: Store, current: Standing) -> list[str]:
    """Identities that stem from claims are those in force, and none else."""
    claimed = {id: found.address for id, found in tables.identities(store).items() if found.origin.startswith(CLAIM_ORIGIN)}
    should = {account: event.address for account, event in current.in_force.items()}
    return [
        f"{account} is paid at {claimed.get(account, 'no claimed address')}, its claim says {should.get(account, 'nothing')}"
        for account in sorted(claimed.keys() | should.keys())
        if claimed.get(account) != should.get(account)
    ]


def log_lines(store: Store) -> list[str]:
    """The log as it is chained: canonical JSON, a record a line; the SHA-256 of a line is the next one's `prev`."""
    return [row.record for row in log.log_rows(store)]


def read_text(path: Path) -> str:
    """A claim's text from its file. Raises UsageError where that cannot be read."""
    try:
        with open(path, encoding="ascii", newline="") as lines:
            return lines.read(100_000)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give the file that holds the text which was signed") from None
    except UnicodeDecodeError as error:
        raise ClaimError(f"{path} is no claim: byte {error.start} is not ASCII", ANEW) from None
