"""Who signed a text: EIP-191 `personal_sign` (https://eips.ethereum.org/EIPS/eip-191) over secp256k1, checked offline.

A signature is 65 bytes, r ‖ s ‖ v. Only one form of it is taken: v is 27 or 28 and s is in the lower half of the curve's
order, so that a signature has no second form that says the same. Contract wallets sign in other ways, which only their
contract can judge (EIP-1271, EIP-6492): see `is_for_contract`.
"""

from __future__ import annotations

import re

from index.errors import ClaimError
from rewards.money import checksum_address, keccak256

LENGTH = 65
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
LONGEST = 65_536  # bytes: a wallet of many owners signs in some hundreds
WRAPPED = bytes.fromhex("6492" * 16)  # what an EIP-6492 signature ends with
AGAIN = "copy the whole signature again from the wallet: 0x and 130 hex digits"


def parse_signature(text: str, what: str = "signature") -> bytes:
    """'0x…' → bytes of any length above zero. Raises ClaimError where it is not hex."""
    text = text.strip()
    if not re.fullmatch(r"0x([0-9a-fA-F]{2})+", text) or len(text) > 2 * LONGEST + 2:
        raise ClaimError(f"{what} of {len(text):,} characters is not 0x and whole bytes of hex", AGAIN)
    return bytes.fromhex(text[2:])


def is_for_contract(signature: bytes) -> bool:
    """Whether only a contract can judge it: not the 65 bytes of a key, or wrapped for a contract yet to be deployed."""
    return len(signature) != LENGTH or signature.endswith(WRAPPED)


def personal_hash(text: str) -> bytes:
    """What a wallet signs: keccak of a prefix, the text's length in bytes, and the text."""
    data = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)


def personal_sign(secret: bytes, text: str) -> tuple[str, str]:
    """(checksummed address, signature) of a key of 32 bytes over this text, as a wallet would make them."""
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    signature = key.sign_recoverable(personal_hash(text), hasher=None)
    address = checksum_address("0x" + keccak256(key.public_key.format(compressed=False)[1:])[-20:].hex())
    return address, "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()


def recover_text(text: str, signature: str) -> str:
    """The checksummed address whose key made this signature ('0x…'). Raises ClaimError where none can have."""
    return recover(text, parse_signature(signature))


def recover(text: str, signature: bytes, what: str = "signature") -> str:
    """The checksummed address whose key signed this text. Raises ClaimError where no key can have made the signature."""
    from coincurve import PublicKey

    if len(signature) != LENGTH:
        raise ClaimError(f"{what} has {len(signature)} bytes, that of a key has {LENGTH}", AGAIN)
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in (27, 28):
        last = {0: "1b", 1: "1c"}.get(v)
        hint = f"this wallet counts from zero: write {last} in place of its last two digits" if last else AGAIN
        raise ClaimError(f"{what} ends with {v:#04x}, it should end with 0x1b or 0x1c", hint)
    if s > HALF_ORDER:
        raise ClaimError(f"{what} is in its upper form, which wallets do not make", "sign again with the wallet itself")
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([v - 27]), personal_hash(text), hasher=None)
    except ValueError:  # r or s is zero or too large, or r is no point of the curve
        raise ClaimError(f"{what} is no signature of any key", AGAIN) from None
    return checksum_address("0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex())
