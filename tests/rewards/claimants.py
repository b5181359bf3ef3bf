"""A forum whose members claim: wallets that sign, posts that say digests. Keys are made here and hold nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from index import tables_rewards as tables
from index.records import Author, Post, Source, Thread
from index.store import Store
from index.tables_discussion import load_records
from index.tables_procedures import finish_run, start_run
from index.workspace import Workspace
from rewards.claimlog import ClaimEvent
from rewards.claims import NewClaim, Presented, new_claim, verify_claim
from rewards.money import checksum_address, keccak256
from rewards.rounds import new_round
from tests.rewards.builders import TOKEN

HOME_FORUM, OTHER_FORUM = "discourse:forum.example.org", "discourse:gov.example.net"
ROOT = "sha256:" + "ab" * 32
ISSUED, TODAY = "2026-11-02T10:00:00Z", "2026-11-05T08:30:00Z"


class Wallet:
    """A key in pure Python (eth-keys without libsecp256k1): a second implementation beside the one that verifies."""

    def __init__(self, name: str) -> None:
        from eth_keys.backends import NativeECCBackend
        from eth_keys.main import KeyAPI

        self.secret = hashlib.sha256(f"a test wallet: {name}".encode()).digest()
        self._key = KeyAPI(NativeECCBackend()).PrivateKey(self.secret)
        self.address = checksum_address(self._key.public_key.to_address())

    def sign_bytes(self, text: str) -> bytes:
        data = text.encode()
        prefixed = b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data
        signature: bytes = self._key.sign_msg_hash(keccak256(prefixed)).to_bytes()
        return signature[:64] + bytes([signature[64] + 27])

    def sign(self, text: str) -> str:
        return "0x" + self.sign_bytes(text).hex()


def author(name: str, source: str = HOME_FORUM) -> str:
    return f"{source}/u/{name}"


def put_forums(store: Store, workspace: Workspace, *names: str) -> None:
    """Two forums with the same members, an open round and a release."""
    for source in (HOME_FORUM, OTHER_FORUM):
        base = source.replace("discourse:", "https://")
        records: dict[type, list[Any]] = {
            Source: [Source(source, "archive", "folder", base)],
            Author: [Author(author(name, source), source, name) for name in names],
            Thread: [Thread(f"{source}/t/1", source, "A thread", "2026-05-01T00:00:00Z", f"{base}/t/1")],
        }
        with store.transaction():
            load_records(store, source, ISSUED, records)
    new_round(store, "r1", "100", TOKEN)
    run = start_run(store, "sha256:test")
    finish_run(store, run, "ok", {"release": {"root": ROOT}})
    workspace.current.mkdir()
    (workspace.current / "manifest.json").write_text(json.dumps({"root": ROOT}))


def post(store: Store, name: str, body: str, source: str = HOME_FORUM, **changes: Any) -> str:
    """Put a post by `name`; returns its id."""
    number = store.execute("SELECT count(*) FROM posts")[0][0] + 1
    base = source.replace("discourse:", "https://")
    fields: dict[str, Any] = {
        **{"id": f"{source}/p/{number}", "source": source, "thread": f"{source}/t/1", "number": number, "author": author(name, source)},
        **{"created": TODAY, "format": "raw", "body": body, "permalink": f"{base}/t/1/{number}"},
    }
    with store.transaction():
        load_records(store, source, TODAY, {Post: [Post(**{**fields, **changes})]})
    return str({**fields, **changes}["id"])


def make(store: Store, workspace: Workspace, *who: str, wallet: Wallet, round_name: str = "r1", chain: int = 1) -> NewClaim:
    names = [name if "@" in name else f"{name}@forum.example.org" for name in who]
    return new_claim(store, workspace, names, wallet.address, chain, round_name, at=ISSUED)


def say(store: Store, claim: NewClaim) -> None:
    """The post-back of every account of a claim."""
    for name in claim.accounts:
        handle, _, host = name.partition("@")
        post(store, handle, f"Here is mine.\n\n{claim.post_back}", f"discourse:{host}")


def take(store: Store, workspace: Workspace, *who: str, wallet: Wallet, round_name: str = "r1", **shown: Any) -> ClaimEvent:
    """Make, post, sign and verify a claim in one go."""
    claim = make(store, workspace, *who, wallet=wallet, round_name=round_name)
    say(store, claim)
    return verify_claim(store, claim.text, Presented(wallet.sign(claim.text), **shown), at=TODAY)


def paid(store: Store) -> dict[str, str]:
    return {id: identity.address for id, identity in tables.identities(store).items()}
