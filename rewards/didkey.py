"""Ed25519 keys named as did:key (https://w3c-ccg.github.io/did-key-spec/): multicodec 0xed01 and 32 bytes in base58btc."""

from __future__ import annotations

from pathlib import Path

from index.errors import ClaimError, UsageError

PREFIX = "did:key:z"
CODEC = b"\xed\x01"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SIGNATURE_BYTES = 64


def encode(public: bytes) -> str:
    """32 bytes of a public key → did:key:z6Mk…"""
    number, digits = int.from_bytes(CODEC + public, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        digits = ALPHABET[rest] + digits
    return PREFIX + digits


def public_key(did: str) -> bytes:
    """The 32 bytes that a did:key names. Raises ClaimError where it is of another kind or not the one way to write it."""
    number = 0
    for digit in did.removeprefix(PREFIX):
        if digit not in ALPHABET:
            raise ClaimError(f"{did[:80]!r} is no did:key: {digit!r} is not of base58", "give did:key:z6Mk…")
        number = number * 58 + ALPHABET.index(digit)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if not did.startswith(PREFIX) or not data.startswith(CODEC) or len(data) != len(CODEC) + 32 or encode(data[2:]) != did:
        raise ClaimError(f"{did[:80]!r} names no Ed25519 key", "give did:key:z6Mk…, of an Ed25519 key")
    return data[2:]


def verify(did: str, message: bytes, signature: bytes) -> None:
    """Raises ClaimError unless the key that `did` names signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(signature) != SIGNATURE_BYTES:
        raise ClaimError(f"the signature has {len(signature)} bytes, Ed25519 has {SIGNATURE_BYTES}", "give 0x and 128 hex digits")
    try:
        Ed25519PublicKey.from_public_bytes(public_key(did)).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise ClaimError(f"the signature is not {did}'s over this text", "sign the exact text, without a line end, with that key") from None


def read_key(path: Path) -> tuple[str, object]:
    """(did, private key) of a PEM file with an unencrypted Ed25519 key. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "make a key: openssl genpkey -algorithm ed25519 -out key.pem") from None
    except (ValueError, TypeError):
        raise UsageError(f"{path} holds no key that can be read", "make one: openssl genpkey -algorithm ed25519 -out key.pem") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} holds a key of another kind", "make one: openssl genpkey -algorithm ed25519 -out key.pem")
    return encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)), key


def sign(key: object, message: bytes) -> str:
    """0x and hex, by a key of `read_key`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    assert isinstance(key, Ed25519PrivateKey)
    return "0x" + key.sign(message).hex()
