"""DAG-CBOR and CAR: byte for byte what others write, strict on what is read, and no hostile file goes far."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import StoreError
from publish.car import FAN, MOST_BLOCK, ROWS, Blocks, read_blocks, rows_of, write_car
from publish.cbor import PREFIX, Link, decode, encode, link_to, parse_link

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=40) | st.binary(max_size=40)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=20
)


@given(VALUES)
def test_same_bytes_as_an_independent_encoder(value: Any) -> None:
    data = encode(value)
    assert data == libipld.encode_dag_cbor(value)
    assert decode(data) == value == libipld.decode_dag_cbor(data)


def test_links_are_cids_that_others_read() -> None:
    data = encode({"a": 1})
    text = str(link_to(data))
    assert parse_link(text) == link_to(data)
    told = libipld.decode_cid(text)
    assert (told["version"], told["codec"], told["hash"]["digest"]) == (1, 0x71, hashlib.sha256(data).digest())
    assert decode(encode({"to": link_to(data)})) == {"to": link_to(data)}
    assert bytes(libipld.decode_dag_cbor(encode({"to": link_to(data)}))["to"])[-32:] == hashlib.sha256(data).digest()
    for wrong in ("", "b", text[:-1], text.upper(), "Qm" + text, text + "a"):
        with pytest.raises(StoreError):
            parse_link(wrong)


@pytest.mark.parametrize("value", [1.0, {"a": 0.5}, {1: 2}, 2**64, -(2**64) - 1, object()])
def test_what_must_not_be_hashed_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)


HOSTILE = {
    "a float": "fb3ff0000000000000",
    "an open list": "9f01ff",
    "a longer head than need be": "1817",
    "a long head": "190017",
    "keys out of order": "a2616201616102",
    "a key twice": "a2616101616102",
    "a key that is no text": "a10102",
    "text that is not UTF-8": "61ff",
    "a list of four billion": "9affffffff",
    "bytes without end": "5bffffffffffffffff",
    "a tag of something else": "c074323032342d30312d30315430303a30303a30305a",
    "undefined": "f7",
    "two values": "0101",
    "nothing": "",
    "deep": "81" * 200 + "01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_not_strict_are_refused(name: str) -> None:
    with pytest.raises(StoreError):
        decode(bytes.fromhex(HOSTILE[name]))


@given(st.binary(max_size=200))
def test_random_bytes_decode_to_themselves_or_are_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except StoreError:
        return
    assert encode(value) == data


# --- CAR ------------------------------------------------------------------------------------------------------------


def make(tmp_path: Path, count: int = 3) -> Path:
    rows = [{"id": f"p{n}", "n": n} for n in range(count)]
    write_car(tmp_path / "release.car", {"procedures.jsonl": rows[:40], "posts.jsonl": rows}, {"root": "sha256:…"})
    return tmp_path / "release.car"


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1, ROWS * (FAN + 1)])
def test_what_was_written_is_read_again(tmp_path: Path, count: int) -> None:
    path = make(tmp_path, count)
    blocks = Blocks(path)
    node = blocks.walk()
    assert node.facts == {"root": "sha256:…"}
    for name, wanted in (("procedures.jsonl", min(count, 40)), ("posts.jsonl", count)):
        found = [row for link in node.files[name] for row in rows_of(name, blocks.get(link))]
        assert found == [{"id": f"p{n}", "n": n} for n in range(wanted)]
    header, theirs = libipld.decode_car(path.read_bytes())
    assert len(theirs) == blocks.count
    assert bytes(header["roots"][0]) == node.root.cid


def test_the_same_records_give_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = make(tmp_path, 700), make(tmp_path / "other", 700)
    assert one.read_bytes() == other.read_bytes()


def test_a_cut_file_says_where(tmp_path: Path) -> None:
    path = make(tmp_path)
    data = path.read_bytes()
    for cut in (0, 1, 30, 60, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(StoreError, match=r"release\.car"):
            Blocks(path).walk()


def test_an_unsound_block_is_told_with_its_place(tmp_path: Path) -> None:
    path = make(tmp_path)
    data = bytearray(path.read_bytes())
    block = list(read_blocks(path))[1]
    data[block.end - 1] ^= 1
    path.write_bytes(data)
    (found,) = Blocks(path).unsound
    assert (found.number, found.offset, found.end) == (1, block.offset, block.end)


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def header(root: Link) -> bytes:
    data = encode({"roots": [root], "version": 1})
    return varint(len(data)) + data


def test_bombs_are_refused_before_they_go_off(tmp_path: Path) -> None:
    path, link = tmp_path / "release.car", Link(PREFIX + bytes(32))
    bombs = {
        "a block of a gigabyte": header(link) + varint(1 << 30) + link.cid,
        "a block too large by one": header(link) + varint(MOST_BLOCK + 37) + link.cid + bytes(MOST_BLOCK + 1),
        "a header of a gigabyte": varint(1 << 30) + b"\xa2",
        "a length without end": header(link) + b"\xff" * 20,
        "a length with padding": header(link) + b"\xa5\x80\x00" + bytes(40),
        "CAR version 2": bytes.fromhex("0aa16776657273696f6e02"),
        "no root": varint(len(encode({"roots": [], "version": 1}))) + encode({"roots": [], "version": 1}),
    }
    for name, data in bombs.items():
        path.write_bytes(data)
        with pytest.raises(StoreError):
            Blocks(path).walk()
            raise AssertionError(name)


def put(out: bytearray, value: Any) -> Link:
    data = encode(value)
    out += varint(36 + len(data)) + link_to(data).cid + data
    return link_to(data)


def test_trees_that_never_end_are_refused(tmp_path: Path) -> None:
    """A node that says it is a billion deep, and one whose links fan out into far more leaves than a release has."""
    for depth, fan in ((10**9, 0), (5, 512)):
        out = bytearray()
        node = put(out, {"depth": 0, "links": []})
        for level in range(1, 7):
            node = put(out, {"depth": level if fan else depth, "links": [node] * fan})
        root = put(out, {"schema": "precipitate/dag/1", "files": {"posts.jsonl": node}})
        (tmp_path / "release.car").write_bytes(header(root) + out)
        script = f"from publish.car import Blocks; from pathlib import Path; Blocks(Path({str(tmp_path / 'release.car')!r})).walk()"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert "StoreError" in done.stderr, done.stderr
