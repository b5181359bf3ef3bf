"""A workspace's keys: Ed25519 as did:key signs releases; secp256k1, where there is one, signs them for Ethereum and Nostr.

Keys lie in .precipitate/keys (folder 0700, files 0600), made when first needed, and never leave it. A new release key is
introduced by the old one in the log, so that readers who know the old one follow.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import StoreError, UsageError
from index.workspace import Workspace

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEYS = "keys"
RELEASE_KEY = "release.ed25519"  # 64 hex digits: the seed
NETWORK_KEY = "network.secp256k1"  # 64 hex digits
MULTICODEC_ED25519 = b"\xed\x01"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    did: str
    path: Path
    seed: bytes

    def sign(self, data: bytes) -> str:
        """64 bytes as hex."""
        return self._private().sign(data).hex()

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed)


# --- the release key ------------------------------------------------------------------------------------------------


def release_key(workspace: Workspace) -> ReleaseKey:
    """The key that signs releases; made if there is none yet. Raises StoreError where its file is damaged or open to others."""
    path = workspace.folder / KEYS / RELEASE_KEY
    if not path.exists():
        _write_key(path, secrets.token_bytes(32))
    seed = _read_key(path)
    return ReleaseKey(did_of(_public(seed)), path, seed)


def new_release_key(workspace: Workspace) -> tuple[ReleaseKey | None, ReleaseKey]:
    """A new key in place of the old one, which is kept beside it: (old, new)."""
    path = workspace.folder / KEYS / RELEASE_KEY
    old = release_key(workspace) if path.exists() else None
    if old:
        number = 1
        while (kept := path.with_name(f"{RELEASE_KEY}.{number}")).exists():
            number += 1
        path.rename(kept)
    return old, release_key(workspace)


def _public(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


# --- the network key ------------------------------------------------------------------------------------------------


def network_key(workspace: Workspace, make: bool = False) -> bytes | None:
    """The secp256k1 key (32 bytes), or None where there is none and none is to be made."""
    path = workspace.folder / KEYS / NETWORK_KEY
    if not path.exists():
        if not make:
            return None
        _write_key(path, _secp256k1_secret())
    return _read_key(path)


def _secp256k1_secret() -> bytes:
    from coincurve import PrivateKey

    return PrivateKey().secret


# --- files ----------------------------------------------------------------------------------------------------------


def _write_key(path: Path, secret: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.parent.chmod(0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secret.hex() + "\n")
        out.flush()
        os.fsync(out.fileno())


def _read_key(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise StoreError(f"{path} can be read by others", f"chmod 600 {path}; if others had it, `precipitate key new`")
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        secret = b""
    if len(secret) != 32:
        raise StoreError(f"{path} is not 64 hex digits", "put the key back from a copy, or `precipitate key new`")
    return secret


# --- did:key --------------------------------------------------------------------------------------------------------


def did_of(public: bytes) -> str:
    """https://w3c-ccg.github.io/did-method-key/: multibase base58btc of the multicodec and the 32 bytes."""
    number, text = int.from_bytes(MULTICODEC_ED25519 + public, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return f"did:key:z{text}"


def public_of(did: str) -> bytes:
    """The 32 bytes of an Ed25519 did:key. Raises UsageError for any other text."""
    body = did.removeprefix("did:key:z")
    number = 0
    if did.startswith("did:key:z") and 0 < len(body) < 60 and set(body) <= set(_ALPHABET):
        for character in body:
            number = number * 58 + _ALPHABET.index(character)
    data = number.to_bytes(45, "big").lstrip(b"\0")
    if len(data) != 34 or not data.startswith(MULTICODEC_ED25519) or did_of(data[2:]) != did:
        raise UsageError(f"{did[:80]!r} is not the did:key of an Ed25519 key", "it begins with did:key:z6Mk")
    return data[2:]


def signed_by(did: str, signature: str, data: bytes) -> bool:
    """Whether the key that a did:key names made this signature (hex)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_of(did)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError, UsageError):
        return False
    return True


# --- as people ask for them -----------------------------------------------------------------------------------------


def make_key(workspace: Workspace, network: bool) -> None:
    """A new key; a release key is handed over to in the log. To be called under the workspace's lock."""
    if network:
        path = workspace.folder / KEYS / NETWORK_KEY
        if path.exists():
            raise UsageError(f"{path} is there already", "move it away first: what it signed would lose its author")
        network_key(workspace, make=True)
        return
    from publish.log import FILE, append_key

    old = release_key(workspace)
    new_release_key(workspace)
    if (workspace.folder / FILE).exists():
        append_key(workspace, old, release_key(workspace))


def keys_value(workspace: Workspace) -> dict[str, str | None]:
    """Public halves of the keys, and where the secret ones lie."""
    key = release_key(workspace)
    secret = network_key(workspace)
    told: dict[str, str | None] = {"release": key.did, "file": str(key.path), "nostr": None}
    if secret:
        from coincurve import PrivateKey

        told["nostr"] = PrivateKey(secret).public_key.format()[1:].hex()
    return told


def render_keys(told: dict[str, str | None]) -> str:
    lines = [f"releases are signed by {told['release']}", f"its secret half lies in {told['file']}: keep a copy where only you can read it"]
    lines += [f"Nostr public key {told['nostr']}"] if told["nostr"] else []
    return "\n".join(lines) + "\n"
