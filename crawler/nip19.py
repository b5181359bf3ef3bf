"""NIP-19: Nostr's ids as people write them ("npub1…", "note1…", "nevent1…", "naddr1…"). Pure; bad ones give None."""

from __future__ import annotations

from dataclasses import dataclass

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
MAX_LENGTH = 1_000  # characters; NIP-19 sets no limit, real ones have some 300


@dataclass(frozen=True, slots=True)
class Pointer:
    """What an entity points at: a person by `pubkey`, an event by `event`, or an addressable event by its coordinate."""

    pubkey: str = ""
    event: str = ""
    kind: int = 0
    identifier: str | None = None


def decode(text: str) -> Pointer | None:
    """The pointer that a bech32 entity stands for; None where it is none, or a secret."""
    prefix, data = _bech32(text)
    if prefix == "npub" and len(data) == 32:
        return Pointer(pubkey=data.hex())
    if prefix == "note" and len(data) == 32:
        return Pointer(event=data.hex())
    fields = _fields(data) if prefix in ("nprofile", "nevent", "naddr") else {}
    special = fields.get(0)
    if special is None:
        return None
    if prefix == "nprofile" and len(special) == 32:
        return Pointer(pubkey=special.hex())
    if prefix == "nevent" and len(special) == 32:
        return Pointer(event=special.hex())
    author, kind = fields.get(2, b""), fields.get(3, b"")
    if prefix == "naddr" and len(author) == 32 and len(kind) == 4:
        return Pointer(pubkey=author.hex(), kind=int.from_bytes(kind, "big"), identifier=special.decode("utf-8", "replace"))
    return None


def encode(prefix: str, data: bytes) -> str:
    """Bech32 of bytes: encode("note", id)."""
    words = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expand(prefix), *words, *[0] * 6]) ^ 1
    words += [(check >> 5 * (5 - place)) & 31 for place in range(6)]
    return prefix + "1" + "".join(_LETTERS[word] for word in words)


def encode_address(kind: int, pubkey: str, identifier: str) -> str:
    """The "naddr1…" of an addressable event."""
    special, author = identifier.encode("utf-8", "replace")[:255], bytes.fromhex(pubkey)
    fields = [(0, special), (2, author), (3, kind.to_bytes(4, "big"))]
    return encode("naddr", b"".join(bytes((kind_of, len(value))) + value for kind_of, value in fields))


def _bech32(text: str) -> tuple[str, bytes]:
    text = text.lower() if text.isupper() else text
    prefix, _, rest = text.rpartition("1")
    if not prefix or len(rest) < 6 or len(text) > MAX_LENGTH or not all(letter in _VALUES for letter in rest):
        return "", b""
    words = [_VALUES[letter] for letter in rest]
    if not prefix.isascii() or _polymod([*_expand(prefix), *words]) != 1:
        return "", b""
    return prefix, bytes(_regroup(bytes(words[:-6]), 5, 8, pad=False))


def _fields(data: bytes) -> dict[int, bytes]:
    """Type → value of a TLV list, the first of each type; cut off where it breaks off."""
    found: dict[int, bytes] = {}
    place = 0
    while place + 2 <= len(data):
        kind, length = data[place], data[place + 1]
        value = data[place + 2 : place + 2 + length]
        if len(value) < length:
            break
        found.setdefault(kind, value)
        place += 2 + length
    return found


def _expand(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return check


def _regroup(data: bytes, from_bits: int, to_bits: int, pad: bool) -> list[int]:
    held = bits = 0
    out: list[int] = []
    for value in data:
        held, bits = held << from_bits | value, bits + from_bits
        while bits >= to_bits:
            bits -= to_bits
            out.append(held >> bits & (1 << to_bits) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        out.append(held << (to_bits - bits) & (1 << to_bits) - 1)
    return out
