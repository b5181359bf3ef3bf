"""Is a Farcaster message what its author signed? Its data as protobuf, BLAKE3 of that, and Ed25519 over the hash. Pure.

A node's HTTP API gives messages as JSON, without the bytes that were hashed, so they are written again here. Clients write
the same data in one of a few orders of fields; one of them has to give the hash. What this does not say: that the key
belongs to the account. The chain says that, and a node only repeats it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

HASH_BYTES = 20
MOST_BYTES = 100_000  # of one message; the longest that the network takes has about 10,000

TYPES = {
    "MESSAGE_TYPE_CAST_ADD": 1,
    "MESSAGE_TYPE_CAST_REMOVE": 2,
    "MESSAGE_TYPE_REACTION_ADD": 3,
    "MESSAGE_TYPE_REACTION_REMOVE": 4,
    "MESSAGE_TYPE_VERIFICATION_ADD_ETH_ADDRESS": 7,
    "MESSAGE_TYPE_VERIFICATION_REMOVE": 8,
    "MESSAGE_TYPE_USER_DATA_ADD": 11,
}
NETWORKS = {"FARCASTER_NETWORK_NONE": 0, "FARCASTER_NETWORK_MAINNET": 1, "FARCASTER_NETWORK_TESTNET": 2, "FARCASTER_NETWORK_DEVNET": 3}
CASTS = {"CAST": 0, "LONG_CAST": 1, "TEN_K_CAST": 2}
REACTIONS = {"REACTION_TYPE_NONE": 0, "REACTION_TYPE_LIKE": 1, "REACTION_TYPE_RECAST": 2}
PROTOCOLS = {"PROTOCOL_ETHEREUM": 0, "PROTOCOL_SOLANA": 1}
USER_DATA = {
    "USER_DATA_TYPE_PFP": 1,
    "USER_DATA_TYPE_DISPLAY": 2,
    "USER_DATA_TYPE_BIO": 3,
    "USER_DATA_TYPE_URL": 5,
    "USER_DATA_TYPE_USERNAME": 6,
    "USER_DATA_TYPE_LOCATION": 7,
    "USER_DATA_TYPE_TWITTER": 8,
    "USER_DATA_TYPE_GITHUB": 9,
    "USER_DATA_TYPE_BANNER": 10,
    "USER_DATA_PRIMARY_ADDRESS_ETHEREUM": 11,
    "USER_DATA_PRIMARY_ADDRESS_SOLANA": 12,
    "USER_DATA_TYPE_PROFILE_TOKEN": 13,
    "USER_DATA_TYPE_LIVE_AT": 14,
}
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def fault(message: Mapping[str, Any]) -> str:
    """Why a message is not taken as its author's: "" where it is signed."""
    try:
        hash, signature, signer = _hex(message["hash"]), _base64(message["signature"]), _hex(message["signer"])
        schemes = (message["hashScheme"], message["signatureScheme"])
        if schemes != ("HASH_SCHEME_BLAKE3", "SIGNATURE_SCHEME_ED25519") or (len(hash), len(signature), len(signer)) != (
            HASH_BYTES,
            64,
            32,
        ):
            return "message without a signature"
    except (KeyError, TypeError, ValueError):
        return "message without a signature"
    try:
        spellings = dict.fromkeys(encoded(message["data"]))
    except (KeyError, TypeError, ValueError):
        return "message that cannot be checked"
    if all(digest(data) != hash for data in spellings):
        return "message that is not what was signed"
    return "" if _signed(signer, signature, hash) else "message with a forged signature"


def digest(data: bytes) -> bytes:
    from blake3 import blake3

    return blake3(data).digest(length=HASH_BYTES)


def _signed(signer: bytes, signature: bytes, hash: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, hash)
        return True
    except (InvalidSignature, ValueError):
        return False


# --- a message's data as bytes --------------------------------------------------------------------------------------


def encoded(message_data: object) -> Iterator[bytes]:
    """A message's data in each order that clients write it in. Raises KeyError, TypeError or ValueError where it is none."""
    data = _object(message_data)
    head = _number(1, TYPES[data["type"]]) + _number(2, data["fid"]) + _number(3, data["timestamp"]) + _number(4, NETWORKS[data["network"]])
    for name, field, write in _BODIES:
        if data.get(name) is not None:
            for body in write(_object(data[name])):
                made = head + _bytes(field, body)
                if len(made) > MOST_BYTES:
                    raise ValueError("too long")
                yield made
            return
    raise KeyError("body")


def _cast(body: Mapping[str, Any]) -> Iterator[bytes]:
    """TypeScript writes lists of numbers also where they are empty. The parent comes third there and in Rust, a parent's
    address by its number in C++ and Python, and either last in Go."""
    parent, where = b"", 0
    if body.get("parentCastId") is not None:
        parent, where = _bytes(3, _cast_id(body["parentCastId"])), 3
    elif body.get("parentUrl") is not None:
        parent, where = _text(7, body["parentUrl"]), 7
    urls = b"".join(_text(1, url) for url in body.get("embedsDeprecated") or ())
    text = _filled(4, _utf8(body["text"]))
    embeds = b"".join(_bytes(6, _embed(embed)) for embed in body.get("embeds") or ())
    last = _number(8, CASTS[body.get("type", "CAST")])
    for packed in (_bytes, _filled):
        first = urls + packed(2, _varints(body.get("mentions") or ()))
        middle = text + packed(5, _varints(body.get("mentionsPositions") or ())) + embeds
        yield first + parent + middle + last
        if where == 7:
            yield first + middle + parent + last
        if where:
            yield first + middle + last + parent


def _embed(value: object) -> bytes:
    embed = _object(value)
    return _bytes(2, _cast_id(embed["castId"])) if embed.get("castId") is not None else _text(1, embed["url"])


def _cast_id(value: object) -> bytes:
    named = _object(value)
    return _number(1, named["fid"]) + _filled(2, _hex(named["hash"]))


def _removed_cast(body: Mapping[str, Any]) -> Iterator[bytes]:
    yield _filled(1, _base64(body["targetHash"]))


def _reaction(body: Mapping[str, Any]) -> Iterator[bytes]:
    target = _bytes(2, _cast_id(body["targetCastId"])) if body.get("targetCastId") is not None else _text(3, body["targetUrl"])
    yield _number(1, REACTIONS[body["type"]]) + target


def _verification(body: Mapping[str, Any]) -> Iterator[bytes]:
    protocol = PROTOCOLS[body["protocol"]]
    yield (
        _filled(1, _address(body["address"], protocol))
        + _filled(2, _base64(body["claimSignature"]))
        + _filled(3, _address(body["blockHash"], protocol))
        + _number(4, body["type"])
        + _number(5, body["chainId"])
        + _number(7, protocol)
    )


def _removed_verification(body: Mapping[str, Any]) -> Iterator[bytes]:
    protocol = PROTOCOLS[body["protocol"]]
    yield _filled(1, _address(body["address"], protocol)) + _number(2, protocol)


def _user_data(body: Mapping[str, Any]) -> Iterator[bytes]:
    yield _number(1, USER_DATA[body["type"]]) + _filled(2, _utf8(body["value"]))


_BODIES: tuple[tuple[str, int, Callable[[Mapping[str, Any]], Iterator[bytes]]], ...] = (
    ("castAddBody", 5, _cast),
    ("castRemoveBody", 6, _removed_cast),
    ("reactionBody", 7, _reaction),
    ("verificationAddAddressBody", 9, _verification),
    ("verificationRemoveBody", 10, _removed_verification),
    ("userDataBody", 12, _user_data),
)


# --- fields ---------------------------------------------------------------------------------------------------------


def _varint(number: object) -> bytes:
    if type(number) is not int or not 0 <= number < 2**64:
        raise ValueError("not a number of protobuf")
    out, rest = bytearray(), number
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


def _number(field: int, value: object) -> bytes:
    """Zero is not written."""
    data = _varint(value)
    return _varint(field << 3) + data if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _filled(field: int, value: bytes) -> bytes:
    return _bytes(field, value) if value else b""


def _text(field: int, value: object) -> bytes:
    return _bytes(field, _utf8(value))


def _utf8(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value.encode("utf-8")


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _varints(values: object) -> bytes:
    if not isinstance(values, list | tuple):
        raise TypeError("no list")
    return b"".join(_varint(value) for value in values)


def _hex(value: object) -> bytes:
    if not isinstance(value, str) or not _HEX.match(value):
        raise ValueError("no hex")
    return bytes.fromhex(value[2:])


def _base64(value: object) -> bytes:
    """Bytes as the HTTP API writes most of them; hex is taken, too."""
    if not isinstance(value, str):
        raise TypeError("no text")
    if _HEX.match(value):
        return _hex(value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None


def _address(value: object, protocol: int) -> bytes:
    """Hex on Ethereum, base58 on Solana."""
    if protocol == PROTOCOLS["PROTOCOL_ETHEREUM"]:
        return _hex(value)
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError("no base58")
    number = 0
    for letter in value:
        number = number * 58 + _BASE58.index(letter)
    zeros = len(value) - len(value.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def hash_of(value: object) -> str:
    """A hash as ids hold it ("0x…"), from hex or from base64; "" for what is none."""
    try:
        found = _base64(value)
    except (TypeError, ValueError):
        return ""
    return "0x" + found.hex() if len(found) == HASH_BYTES else ""
