"""Identity scores from files: what others found out about who is a person, or the same person.

    passport   CSV with the columns address,score, or answers of Passport's API (`/v2/stamps/{scorer}/score/{address}`)
    farcaster  answers with verified addresses: a hub's messages, or users with `verified_addresses`
    ens        CSV with the columns name,address,handle, from the names' text records
    nostr      NIP-05 (`nostr.json`, names → keys) or signed kind-0 events with NIP-39 `i` tags

An account is scored where the proof leads to it: by the address that it is paid at, by its own id, or by a handle. What an
account says of itself alone is one way only and counts as half; it passes where a post of that account names it back. Rows
that lead nowhere are told, not dropped. Files are what the operator fetched: nothing here goes to the network.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import tables_evidence, tables_rewards
from index.errors import PrecipitateError, UnknownName, UsageError
from index.store import Store
from index.tables_evidence import IdentityScore
from rewards.identities import FORMULA_STARTS, AuthorBook, ImportReport, LeftOut
from rewards.money import parse_address, parse_amount

PASSING = 10_000
ONE_WAY = 5_000  # self-asserted, and nobody's post says so back
PASSPORT_THRESHOLD = "20"  # of a unique humanity score
MOST_BP = 100_000
LARGEST = 200_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """One row of a file, before it is known whose it is."""

    where: str
    subject: str  # the address, name or key
    score_bp: int
    address: str | None = None
    account: str | None = None  # a handle or an author id
    back: str = ""  # what a post of the account has to hold, for a proof that is one way otherwise


def import_scores(store: Store, path: Path, kind: str) -> ImportReport:
    """Read proofs of one kind. Good rows count, others are told with their place. A second import changes nothing."""
    if kind not in KINDS:
        raise UnknownName("kind of identity score", kind, list(KINDS), f"there are: {', '.join(KINDS)}")
    proofs, left_out = _collect(KINDS[kind](path))
    book, paid_at = AuthorBook(tables_rewards.authors(store)), _paid_at(store)
    found: dict[str, IdentityScore] = {}
    for proof in proofs:
        try:
            for account, score in _accounts(store, proof, book, paid_at):
                known = found.get(account)
                if known is None or known.score_bp < score:
                    found[account] = IdentityScore(account, kind, score, proof.subject, f"{path.name}:{proof.where}")
        except PrecipitateError as error:
            left_out.append(LeftOut(f"{path.name}:{proof.where}", error.message, error.way_out))
    before = {score.author: score for score in tables_evidence.scores(store) if score.kind == kind}
    fresh = [score for account, score in found.items() if account not in before]
    changed = [s for a, s in found.items() if a in before and (before[a].score_bp, before[a].subject) != (s.score_bp, s.subject)]
    tables_evidence.put_scores(store, fresh + changed)
    return ImportReport(len(fresh), len(changed), len(found) - len(fresh) - len(changed), tuple(left_out))


def _collect(rows: Iterable[Proof | LeftOut]) -> tuple[list[Proof], list[LeftOut]]:
    proofs: list[Proof] = []
    left_out: list[LeftOut] = []
    for row in rows:
        (proofs if isinstance(row, Proof) else left_out).append(row)  # type: ignore[arg-type]
    return proofs, left_out


def _paid_at(store: Store) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for author, identity in tables_rewards.identities(store).items():
        found[identity.address].append(author)
    return found


def _accounts(store: Store, proof: Proof, book: AuthorBook, paid_at: Mapping[str, list[str]]) -> Iterator[tuple[str, int]]:
    """(account, score) that a proof leads to. Raises UsageError or UnknownName where it leads nowhere."""
    accounts = list(paid_at.get(proof.address or "", ()))
    if proof.account is not None:
        named = book.find(proof.account).id
        if proof.back and not tables_evidence.says(store, named, proof.back):
            yield named, min(proof.score_bp, ONE_WAY)
        else:
            yield named, proof.score_bp
        accounts = [account for account in accounts if account != named]
    elif not accounts:
        raise UsageError(f"nobody here is paid at {proof.address}", "import or claim the account's address first, then the score")
    for account in accounts:
        yield account, proof.score_bp


# --- files ----------------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} has more than {LARGEST:,} bytes", "give it in parts")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give a file that was exported or fetched before") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8", "export it as UTF-8") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, value) of a JSON file: its items where it is a list, itself, or one value a line. Numbers stay as text."""
    text = _text(path)
    read: dict[str, Any] = {"parse_float": str, "parse_int": str, "parse_constant": _refuse_constant}
    try:
        whole = json.loads(text, **read)
        yield from ((str(place), item) for place, item in enumerate(whole if isinstance(whole, list) else [whole], 1))
        return
    except (ValueError, RecursionError) as error:
        if text.count("\n") < 1:
            raise UsageError(f"{path} is not JSON: {error}", "give the answer of the API as it came") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield str(number), json.loads(line, **read)
            except (ValueError, RecursionError) as error:
                raise UsageError(f"{path}:{number}: not JSON: {error}", "mend that line; nothing was imported") from None


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(line, cells by column) of a CSV file. Raises UsageError where a column is missing."""
    reader = csv.reader(_text(path).splitlines(), strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        missing = [name for name in columns if header.count(name) != 1]
        if missing:
            raise UsageError(
                f"{path}:1: the header has no single column {' and '.join(missing)}", f"make the first line: {','.join(columns)}"
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * len(header)]
                yield str(reader.line_num), {name: padded[header.index(name)].strip() for name in header}
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: {error}", "mend the quotes of that line; nothing was imported") from None


def _guarded(path: Path, rows: Iterable[tuple[str, Any]], read: Callable[[str, Any], Iterable[Proof]]) -> Iterator[Proof | LeftOut]:
    """Each row by itself: a bad one is told and the others count."""
    for where, row in rows:
        try:
            yield from list(read(where, row))
        except PrecipitateError as error:
            yield LeftOut(f"{path.name}:{where}", error.message, error.way_out)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            yield LeftOut(f"{path.name}:{where}", f"is of another shape: {error!r}", "give it as the source exported it")


def _passport(path: Path) -> Iterator[Proof | LeftOut]:
    if path.suffix.lower() == ".csv":
        yield from _guarded(path, _rows(path, ("address", "score")), _passport_row)
    else:
        yield from _guarded(path, _values(path), _passport_answer)


def _passport_row(where: str, row: Mapping[str, str]) -> Iterable[Proof]:
    for name in ("address", "score"):
        if row[name].startswith(FORMULA_STARTS):
            raise UsageError(f"{name} {row[name]!r} starts like a spreadsheet formula", "write it without that sign")
    return [_passport_proof(where, row["address"], row["score"], PASSPORT_THRESHOLD, None)]


def _passport_answer(where: str, row: Any) -> Iterable[Proof]:
    if row.get("error"):
        raise UsageError(f"Passport answered with an error: {row['error']}", "ask again later")
    passing = row.get("passing_score")
    threshold = str(row.get("threshold") or PASSPORT_THRESHOLD)
    return [_passport_proof(where, row["address"], str(row["score"]), threshold, passing if isinstance(passing, bool) else None)]


def _passport_proof(where: str, address: str, score: str, threshold: str, passing: bool | None) -> Proof:
    """Scores are decimals; a passing one is 10000 basis points at least, whatever the scorer's threshold is."""
    checked = parse_address(address)
    points = 0 if re.fullmatch(r"0+(\.0+)?", score) else parse_amount(_places(score), 6, "score")
    bp = min(MOST_BP, points * PASSING // parse_amount(_places(threshold), 6, "threshold"))
    bp = max(bp, PASSING) if passing is True else min(bp, PASSING - 1) if passing is False else bp
    return Proof(where, checked, bp, address=checked)


def _places(decimal: str) -> str:
    """Six decimal places are kept: Passport gives five, some exports more."""
    whole, dot, rest = decimal.partition(".")
    return f"{whole}.{rest[:6]}" if dot and rest.isdecimal() else decimal


def _farcaster(path: Path) -> Iterator[Proof | LeftOut]:
    yield from _guarded(path, _values(path), _farcaster_value)


def _farcaster_value(where: str, value: Any) -> Iterable[Proof]:
    """A hub's answer or message, or users as indexers give them; verifications that were taken back are left out."""
    if "messages" in value:
        return [proof for message in value["messages"] for proof in _farcaster_value(where, message)]
    if "users" in value:
        return [proof for user in value["users"] for proof in _farcaster_value(where, user)]
    if "data" in value:
        body = value["data"].get("verificationAddAddressBody") or value["data"].get("verificationAddEthAddressBody")
        pairs = [(value["data"]["fid"], body["address"])] if body else []
    else:
        pairs = [(value["fid"], address) for address in value["verified_addresses"]["eth_addresses"]]
    checked = [(str(fid), parse_address(address)) for fid, address in pairs]
    return [Proof(where, address, PASSING, address=address, account=f"farcaster:{fid}") for fid, address in checked] + [
        Proof(where, f"farcaster:{fid}", PASSING, address=address) for fid, address in checked
    ]


def _ens(path: Path) -> Iterator[Proof | LeftOut]:
    yield from _guarded(path, _rows(path, ("name", "address", "handle")), _ens_row)


def _ens_row(where: str, row: Mapping[str, str]) -> Iterable[Proof]:
    name = row["name"].casefold()
    if not re.fullmatch(r"[^\s.]+(\.[^\s.]+)+", name) or name.startswith(FORMULA_STARTS):
        raise UsageError(f"{row['name']!r} is no ENS name", "give it as ann.eth")
    return [Proof(where, name, PASSING, address=parse_address(row["address"]), account=row["handle"], back=name)]


def _nostr(path: Path) -> Iterator[Proof | LeftOut]:
    yield from _guarded(path, _values(path), _nostr_value)


def _nostr_value(where: str, value: Any) -> Iterable[Proof]:
    if "names" in value:
        keys = [_nostr_key(key) for key in value["names"].values()]
        return [Proof(where, key, ONE_WAY, account=f"nostr:{key}") for key in keys]
    key = _nostr_key(value["pubkey"])
    check_event(value)
    accounts = [tag[1].partition(":")[2] for tag in value["tags"] if len(tag) > 1 and tag[0] == "i"]
    return [Proof(where, key, PASSING, account=account, back=key) for account in accounts]


def _nostr_key(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise UsageError(f"{str(text)[:80]!r} is no Nostr key", "give 64 lower-case hex digits")
    return text


def check_event(event: Mapping[str, Any]) -> None:
    """Raises UsageError unless the event's id is its hash and its key signed it (NIP-01, BIP-340)."""
    from coincurve import PublicKeyXOnly

    body = [0, event["pubkey"], int(event["created_at"]), int(event["kind"]), event["tags"], event["content"]]
    digest = hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).digest()
    signature = bytes.fromhex(event["sig"])
    if digest.hex() != event["id"] or len(signature) != 64 or not PublicKeyXOnly(bytes.fromhex(event["pubkey"])).verify(signature, digest):
        raise UsageError(f"event {str(event['id'])[:16]}… was not signed by its key", "fetch it again from a relay")


KINDS: dict[str, Callable[[Path], Iterator[Proof | LeftOut]]] = {
    "passport": _passport,
    "farcaster": _farcaster,
    "ens": _ens,
    "nostr": _nostr,
}
