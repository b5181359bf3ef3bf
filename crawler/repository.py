"""A person's AT Protocol repository as a CAR file: blocks checked by their hashes, the commit, and the tree of records.

The tree (MST) is complete under one signed commit. So what is in it is its author's, and what is not in it any more
was deleted by its author: the network's explicit word, if the signature holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crawler.dagcbor import Link, as_json, decode, encode

MAX_BLOCK = 2_000_000
MAX_RECORDS = 5_000_000
MAX_LEVELS = 128
# CIDv1, DAG-CBOR or raw bytes, SHA-256
_DAG_CBOR, _RAW = b"\x01\x71\x12\x20", b"\x01\x55\x12\x20"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_P256 = 0x1200
_K256 = 0xE7


class BrokenRepository(ValueError):
    """The file is no repository, or one that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Repository:
    did: str
    rev: str  # of the commit: a TID, so it tells time and order
    records: tuple[tuple[str, str, Any], ...]  # ("app.bsky.feed.post/3k…", CID, record as JSON), by path
    broken: tuple[tuple[str, str], ...]  # paths whose record cannot be read, and why
    signed: bytes  # what `signature` is over
    signature: bytes


def read_repository(data: bytes) -> Repository:
    """Raises BrokenRepository where the file is none, a hash is wrong, or the tree is not one."""
    try:
        root, blocks = _read_car(data)
        commit = decode(_block(blocks, root))
        if not isinstance(commit, dict) or commit.get("version") not in (2, 3) or not isinstance(commit.get("data"), Link):
            raise BrokenRepository("its root is no commit")
        did, rev, signature = commit.get("did"), commit.get("rev"), commit.get("sig")
        if not isinstance(did, str) or not isinstance(rev, str) or not isinstance(signature, bytes):
            raise BrokenRepository("its commit lacks did, rev or sig")
        records: list[tuple[str, str, Any]] = []
        broken: list[tuple[str, str]] = []
        for path, link in _walk(blocks, commit["data"].cid):
            if len(records) >= MAX_RECORDS:
                raise BrokenRepository(f"it has more than {MAX_RECORDS:,} records")
            try:
                records.append((path, str(link), as_json(decode(_block(blocks, link.cid)))))
            except ValueError as error:
                broken.append((path, str(error)))
    except BrokenRepository:
        raise
    except (ValueError, RecursionError) as error:
        raise BrokenRepository(str(error)) from None
    signed = encode({key: value for key, value in commit.items() if key != "sig"})
    return Repository(did, rev, tuple(records), tuple(broken), signed, signature)


def _read_car(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """(CID of the root, block by CID). Each block is checked against its CID when it is used."""
    length, at = _varint(data, 0)
    header = decode(data[at : at + length])
    roots = header.get("roots") if isinstance(header, dict) else None
    if (
        not isinstance(header, dict)
        or header.get("version") != 1
        or not isinstance(roots, list)
        or not roots
        or not isinstance(roots[0], Link)
    ):
        raise BrokenRepository("it is no CAR file of version 1")
    at += length
    blocks: dict[bytes, bytes] = {}
    while at < len(data):
        length, at = _varint(data, at)
        if not 36 < length <= MAX_BLOCK or at + length > len(data):
            raise BrokenRepository(f"a block of {length:,} bytes at {at:,} breaks off or is too large")
        blocks[data[at : at + 36]] = data[at + 36 : at + length]
        at += length
    return roots[0].cid, blocks


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(9):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise BrokenRepository("a length breaks off")


def _block(blocks: dict[bytes, bytes], cid: bytes) -> bytes:
    """A block whose hash holds."""
    block = blocks.get(cid)
    if block is None:
        raise ValueError("block is missing")
    if cid[:4] not in (_DAG_CBOR, _RAW) or hashlib.sha256(block).digest() != cid[4:]:
        raise ValueError("block is not what its hash says")
    return block


def _walk(blocks: dict[bytes, bytes], root: bytes) -> Iterator[tuple[str, Link]]:
    """Paths and records in order. A tree that is out of order, or holds a node twice, is none."""
    last = ""
    seen: set[bytes] = set()
    todo: list[tuple[bytes, int] | tuple[str, Link]] = [(root, 0)]
    while todo:
        one, two = todo.pop()
        if isinstance(one, str):
            if one <= last:
                raise BrokenRepository(f"its tree is out of order at {one[:100]!r}")
            last = one
            yield one, two  # type: ignore[misc]
            continue
        if one in seen or not isinstance(two, int) or two > MAX_LEVELS:
            raise BrokenRepository("its tree turns in a circle")
        seen.add(one)
        todo += reversed(_node(decode(_block(blocks, one)), two + 1))
    return


def _node(node: Any, level: int) -> list[tuple[bytes, int] | tuple[str, Link]]:
    """What a node holds, in order: the subtree on its left, then each entry and the subtree on its right."""
    if not isinstance(node, dict) or not isinstance(node.get("e"), list):
        raise BrokenRepository("a node of its tree is none")
    found: list[tuple[bytes, int] | tuple[str, Link]] = []
    if isinstance(node.get("l"), Link):
        found.append((node["l"].cid, level))
    key = b""
    for entry in node["e"]:
        prefix, rest, value = (entry.get("p"), entry.get("k"), entry.get("v")) if isinstance(entry, dict) else (None, None, None)
        if type(prefix) is not int or not isinstance(rest, bytes) or not isinstance(value, Link) or not 0 <= prefix <= len(key):
            raise BrokenRepository("an entry of its tree is none")
        key = key[:prefix] + rest
        found.append((key.decode("utf-8"), value))
        if isinstance(entry.get("t"), Link):
            found.append((entry["t"].cid, level))
    return found


# --- who signed ---------------------------------------------------------------------------------------------------


def is_signed_by(repository: Repository, multibase: str) -> bool:
    """Whether the commit is signed by the key of a DID document ("zQ3s…" or "zDna…")."""
    return verify(multibase, repository.signed, repository.signature)


def verify(multibase: str, message: bytes, signature: bytes) -> bool:
    """ECDSA over SHA-256, compact signature with low S; secp256k1 or P-256."""
    try:
        codec, key = _public_key(multibase)
    except ValueError:
        return False
    if len(signature) != 64:
        return False
    return _verify_k256(key, message, signature) if codec == _K256 else _verify_p256(key, message, signature)


def _public_key(multibase: str) -> tuple[int, bytes]:
    if not multibase.startswith("z") or len(multibase) > 100:
        raise ValueError("no multibase key")
    number = 0
    for letter in multibase[1:]:
        number = number * 58 + _ALPHABET.index(letter)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    codec, at = _varint(raw, 0)
    if codec not in (_K256, _P256) or len(raw) - at != 33:
        raise ValueError("key of another kind")
    return codec, raw[at:]


def _verify_k256(key: bytes, message: bytes, signature: bytes) -> bool:
    from coincurve import PublicKey
    from coincurve.ecdsa import cdata_to_der, deserialize_compact

    try:
        # libsecp256k1 takes signatures with low S only, as AT Protocol wants it.
        return PublicKey(key).verify(cdata_to_der(deserialize_compact(signature)), message)
    except Exception:  # coincurve raises a bare one for keys and signatures that are none
        return False


def _verify_p256(key: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if s > 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2:
        return False
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True
