"""Amounts and addresses: exact, strict, and refused with a reason.

An amount is an integer of base units (wei for a token of 18 decimals); people read and write decimals. No float is ever
in between. Addresses follow EIP-55 (https://eips.ethereum.org/EIPS/eip-55).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from index.errors import MoneyError

MAX_UINT256 = 2**256 - 1
MAX_DECIMALS = 77  # 10**77 is the largest power of ten that a uint256 holds
NATIVE = "native"
ZERO_ADDRESS = "0x" + "0" * 40

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST = 160  # characters: longer than any uint256 with all its decimals


def parse_amount(text: str, decimals: int, what: str = "budget") -> int:
    """'10000' or '0.5' tokens → base units. Refuses what is not a plain positive decimal that comes out exactly.

    Raises MoneyError: zero, negative, NaN, infinity, exponents, separators, fractions of a base unit, over uint256.
    """
    check_decimals(decimals)
    text = text.strip()
    if len(text) > _LONGEST:
        raise MoneyError(f"{what} has {len(text):,} characters", f"give at most {_LONGEST}, such as 10000 or 0.5")
    if not _DECIMAL.fullmatch(text):
        raise MoneyError(f"{what} {text!r} {_complaint(text)}", "write a plain decimal, such as 10000 or 0.5")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")  # 1.50 is 1.5
    if len(fraction) > decimals:
        raise MoneyError(
            f"{what} {text!r} has {len(fraction)} decimal places, the token has {decimals}",
            "a base unit cannot be split: give fewer places, or the token's right --decimals",
        )
    amount = int(whole + fraction.ljust(decimals, "0"))
    if amount == 0:
        raise MoneyError(f"{what} {text!r} is zero", "give an amount above zero")
    if amount > MAX_UINT256:
        raise MoneyError(f"{what} {text!r} does not fit a uint256 at {decimals} decimals", "give a smaller amount or fewer --decimals")
    return amount


def _complaint(text: str) -> str:
    """Why `text` is not a plain decimal."""
    if not text:
        return "is empty"
    if text[0] in "-−":
        return "is negative"
    if text.lstrip("+").casefold() in ("nan", "inf", "infinity"):
        return "is not a number"
    if re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", text):
        return "is in exponent notation"
    if re.fullmatch(r"[0-9]+([,_' ][0-9]+)+(\.[0-9]+)?", text):
        return "has thousands separators"
    return "is not a decimal number"


def check_decimals(decimals: int) -> None:
    if not 0 <= decimals <= MAX_DECIMALS:
        raise MoneyError(f"decimals is {decimals}", f"give the token's own number of decimals, 0 to {MAX_DECIMALS} (18 for most)")


def format_amount(amount: int, decimals: int) -> str:
    """Base units → the shortest exact decimal: (1500, 3) → '1.5'."""
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return sign + whole + ("." + fraction if fraction else "")


def keccak256(data: bytes) -> bytes:
    """Ethereum's hash. Not hashlib.sha3_256: the final standard pads differently."""
    return keccak_function()(data)


def keccak_function() -> Callable[[bytes], bytes]:
    """keccak256 for many calls: the library is looked up once."""
    from eth_hash.backends.pycryptodome import keccak256 as keccak

    function: Callable[[bytes], bytes] = keccak
    return function


def checksum_address(address: str) -> str:
    """EIP-55: a hex letter is upper-case where the hash of the lower-case address has a nibble of 8 or more."""
    plain = address[2:].lower()
    nibbles = keccak256(plain.encode("ascii")).hex()
    return "0x" + "".join(c.upper() if int(n, 16) >= 8 else c for c, n in zip(plain, nibbles, strict=False))


def parse_address(text: str, what: str = "address", token: str | None = None) -> str:
    """Checked and checksummed. All-lower and all-upper hex carry no checksum and pass; mixed case must have the right one.

    Raises MoneyError, also for the zero address and for `token`'s own address, where money would be lost.
    """
    text = text.strip()
    if not re.fullmatch(r"0x[0-9a-fA-F]*", text):
        raise MoneyError(
            f"{what} {text!r} is not 0x and hex digits", "copy the 0x… address from the wallet (names such as ann.eth do not work)"
        )
    if len(text) != 42:
        raise MoneyError(f"{what} {text!r} has {len(text) - 2} hex digits, an address has 40", "copy it again from the wallet")
    right = checksum_address(text)
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != right:
        raise MoneyError(f"{what} {text!r} has a wrong checksum: a digit is mistyped", "copy it again from the wallet")
    if right == ZERO_ADDRESS:
        raise MoneyError(f"{what} is the zero address: nobody can spend from it", "give the payee's own address")
    if token is not None and right.lower() == token.lower():
        raise MoneyError(f"{what} {right} is the token's own contract: what is sent there is lost", "give the payee's own address")
    return right


def parse_token(text: str) -> str:
    """A token contract's address, or "native" (also written 0x0…0) for the chain's own coin."""
    text = text.strip()
    if text.lower() in (NATIVE, ZERO_ADDRESS):
        return NATIVE
    return parse_address(text, "token")
