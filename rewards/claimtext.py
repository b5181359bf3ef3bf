"""The text that a claimant signs: EIP-4361 (https://eips.ethereum.org/EIPS/eip-4361), in one layout and no other.

    forum.example.org wants you to sign in with your Ethereum account:
    0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed

    I claim what precipitate round r1 owes to the accounts listed below. Pay it to the address above.

    URI: https://forum.example.org/u/ann
    Version: 1
    Chain ID: 1
    Nonce: 0f8a…
    Issued At: 2026-11-02T10:00:00Z
    Expiration Time: 2026-12-02T10:00:00Z
    Resources:
    - https://forum.example.org/u/ann
    - urn:precipitate:account:discourse:forum.example.org/u/7
    - urn:precipitate:round:r1
    - urn:precipitate:snapshot:sha256:…

The address of the account's page is for people; what counts is the account's lasting id below it, since handles change
owners. More accounts (a merge) are further pairs of lines; earlier claims that this one takes the place of are further
lines `urn:precipitate:replaces:DIGEST`. Pure: no store, no clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from index.errors import ClaimError, MoneyError
from index.records import Round
from index.store import canonical_json
from rewards.money import parse_address

ANEW = "make the claim anew with `precipitate claim new` and sign that text as it is"
NONCE_DIGITS = 32
MAX_CHAIN = 2**53 - 1  # wallets that count in JavaScript hold no more
LONGEST = 20_000  # characters; a claim of one account has about 700
URN = "urn:precipitate:"
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Account:
    """A forum account as a claim names it."""

    id: str  # "discourse:forum.example.org/u/7"
    url: str  # its page: "https://forum.example.org/u/ann"


@dataclass(frozen=True, slots=True)
class ClaimText:
    """What a claim's text says. `nonce` follows from the rest and from the round's own terms: see `nonce_of`."""

    domain: str  # "forum.example.org": where the first account is
    address: str  # EIP-55 checksummed
    chain: int
    round: str
    snapshot: str  # "sha256:…": root of the release that the claimant saw
    issued: str
    expires: str
    accounts: tuple[Account, ...]
    replaces: tuple[str, ...] = ()  # digests of the claims in force that this one takes the place of, ascending
    nonce: str = ""

    def render(self) -> str:
        """The exact text; no line break at its end."""
        return "\n".join(
            (
                f"{self.domain} wants you to sign in with your Ethereum account:",
                *(self.address, "", _statement(self.round), ""),
                *(f"URI: {self.accounts[0].url}", "Version: 1", f"Chain ID: {self.chain}", f"Nonce: {self.nonce}"),
                *(f"Issued At: {self.issued}", f"Expiration Time: {self.expires}", "Resources:"),
                *(f"- {resource}" for resource in self._resources()),
            )
        )

    def _resources(self) -> Iterator[str]:
        for account in self.accounts:
            yield account.url
            yield f"{URN}account:{quote(account.id, safe=':/@')}"
        yield f"{URN}round:{self.round}"
        yield f"{URN}snapshot:{self.snapshot}"
        for digest in self.replaces:
            yield f"{URN}replaces:{digest}"


def _statement(round_: str) -> str:
    return f"I claim what precipitate round {round_} owes to the accounts listed below. Pay it to the address above."


def digest_of(text: str) -> str:
    """What the claimant posts: hex SHA-256 of the text, as `sha256sum` prints it."""
    return hashlib.sha256(text.encode()).hexdigest()


def post_back(digest: str) -> str:
    """The line to be posted from the account. Only the digest in it counts; the rest tells readers what they see."""
    return f"precipitate-claim:{digest}"


def nonce_of(claim: ClaimText, round_: Round) -> str:
    """Bound to all that the text says and to the round's own terms: a round of the same name elsewhere gives another."""
    terms = {"name": round_.name, "token": round_.token, "decimals": round_.decimals, "created": round_.created}
    said = {**asdict(claim), "nonce": None, "round": terms}
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:NONCE_DIGITS]


def page_of(base_url: str, handle: str) -> str:
    """An account's page, as a plain URI."""
    return f"{base_url.rstrip('/')}/u/{quote(handle, safe='')}"


def moment(text: str) -> datetime:
    return datetime.strptime(text, TIME).replace(tzinfo=UTC)


# --- reading ------------------------------------------------------------------------------------------------------------

_HEAD = (  # one pattern a line, and what the line should be
    (r"(?P<domain>\S+) wants you to sign in with your Ethereum account:", "DOMAIN wants you to sign in with your Ethereum account:"),
    (r"(?P<address>0x[0-9a-fA-F]{40})", "an address, 0x and 40 hex digits"),
    ("", "empty"),
    (r"I claim .+", "the statement"),
    ("", "empty"),
    (r"URI: (?P<uri>\S+)", "URI: …"),
    (r"Version: 1", "Version: 1"),
    (r"Chain ID: (?P<chain>[1-9][0-9]{0,15})", "Chain ID: and a number above zero"),
    (rf"Nonce: (?P<nonce>[0-9a-f]{{{NONCE_DIGITS}}})", f"Nonce: and {NONCE_DIGITS} hex digits"),
    (r"Issued At: (?P<issued>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", "Issued At: 2026-11-02T10:00:00Z"),
    (r"Expiration Time: (?P<expires>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", "Expiration Time: 2026-12-02T10:00:00Z"),
    (r"Resources:", "Resources:"),
)
_TAIL = rf"""
(?P<accounts>(?:-\ [^\s]+\n-\ {URN}account:[^\s]+\n)+)
-\ {URN}round:(?P<round>[A-Za-z0-9][A-Za-z0-9._-]{{0,63}})\n
-\ {URN}snapshot:(?P<snapshot>sha256:[0-9a-f]{{64}})
(?P<replaces>(?:\n-\ {URN}replaces:[0-9a-f]{{64}})*)
"""


def parse_claim(text: str, where: str = "the text") -> ClaimText:
    """Read a claim's text. One line break at its end, which editors add, is passed over; nothing else is.

    Raises ClaimError with the line that is not as it should be, MoneyError for an address that cannot be paid.
    """
    if "\r" in text:
        raise ClaimError(f"{where} has line ends of another system (CR), so it is not the text that was signed", ANEW)
    text = text.removesuffix("\n")
    if len(text) > LONGEST or not re.fullmatch(r"[ -~\n]*", text):
        raise ClaimError(f"{where} is no claim: a claim has at most {LONGEST:,} characters, all of them printable ASCII", ANEW)
    lines = text.split("\n")
    found = _read_head(lines, where)
    tail = re.fullmatch(_TAIL, "\n".join(lines[len(_HEAD) :]), re.VERBOSE | re.ASCII)
    if tail is None:
        raise ClaimError(f"{where}:{len(_HEAD) + 1}: the resources are not accounts, round and snapshot", ANEW)
    claim = _claim(found, tail, where)
    _is_rendered(claim, lines, where)
    return claim


def _read_head(lines: list[str], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, (pattern, wanted) in enumerate(_HEAD, 1):
        line = lines[number - 1] if number <= len(lines) else None
        match = re.fullmatch(pattern, line, re.ASCII) if line is not None else None
        if match is None:
            raise ClaimError(f"{where}:{number}: {line!r} should be: {wanted}", ANEW)
        found |= match.groupdict()
    return found


def _claim(found: Mapping[str, str], tail: re.Match[str], where: str) -> ClaimText:
    named = [line[2:] for line in tail["accounts"].rstrip("\n").split("\n")]
    ids = [unquote(urn.removeprefix(f"{URN}account:")) for urn in named[1::2]]
    if len(set(ids)) != len(ids):
        raise ClaimError(f"{where} names an account twice", ANEW)
    chain = int(found["chain"])
    if chain > MAX_CHAIN:
        raise ClaimError(f"{where}:8: chain {chain} is larger than any chain's number", ANEW)
    for line, name in ((10, "issued"), (11, "expires")):
        _check_time(found[name], f"{where}:{line}")
    return ClaimText(
        domain=found["domain"],
        address=payable(found["address"], f"{where}:2: address"),
        chain=chain,
        round=tail["round"],
        snapshot=tail["snapshot"],
        issued=found["issued"],
        expires=found["expires"],
        accounts=tuple(Account(id, url) for id, url in zip(ids, named[0::2], strict=True)),
        replaces=tuple(line.rpartition(":")[2] for line in tail["replaces"].split()[1::2]),
        nonce=found["nonce"],
    )


def _check_time(text: str, where: str) -> None:
    try:
        moment(text)
    except ValueError:
        raise ClaimError(f"{where}: {text!r} is no moment of any day", ANEW) from None


def payable(text: str, what: str) -> str:
    """A checked address whose checksum is written out: in a signed text all-lower hex would hide a mistyped digit."""
    right = parse_address(text, what)
    if text != right:
        raise MoneyError(f"{what} {text!r} is written without its checksum", f"it should be {right}: {ANEW}")
    return right


def _is_rendered(claim: ClaimText, lines: list[str], where: str) -> None:
    """The text is exactly what its own values give: there is no second way to write a claim."""
    right = dict(enumerate(claim.render().split("\n"), 1))
    for number, line in enumerate(lines, 1):
        if right.get(number) != line:
            raise ClaimError(f"{where}:{number}: {line!r} should be {right.get(number)!r}", ANEW)
    if sorted(set(claim.replaces)) != list(claim.replaces):
        raise ClaimError(f"{where}: the replaced claims are not in ascending order", ANEW)
