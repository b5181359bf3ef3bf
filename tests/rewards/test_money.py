from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import MoneyError
from rewards.money import (
    MAX_UINT256,
    ZERO_ADDRESS,
    checksum_address,
    format_amount,
    keccak256,
    parse_address,
    parse_amount,
    parse_token,
)

EIP55 = (  # the vectors of the EIP
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@pytest.mark.parametrize(
    ("text", "decimals", "amount"),
    [
        ("10000", 18, 10_000 * 10**18),
        ("0.5", 18, 5 * 10**17),
        ("1.50", 1, 15),
        ("007", 0, 7),
        ("0.000000000000000001", 18, 1),
        (" 12 ", 2, 1_200),
        (str(MAX_UINT256), 0, MAX_UINT256),
    ],
)
def test_amounts(text: str, decimals: int, amount: int) -> None:
    assert parse_amount(text, decimals) == amount


@pytest.mark.parametrize(
    ("text", "decimals", "complaint"),
    [
        ("0", 18, "is zero"),
        ("0.000", 18, "is zero"),
        ("-1", 18, "is negative"),
        ("−1", 18, "is negative"),
        ("NaN", 18, "is not a number"),
        ("inf", 18, "is not a number"),
        ("+Infinity", 18, "is not a number"),
        ("1e21", 18, "exponent"),
        ("1.5E-3", 18, "exponent"),
        ("10,000", 18, "thousands separators"),
        ("10_000", 18, "thousands separators"),
        ("10 000", 18, "thousands separators"),
        ("0.5", 0, "1 decimal places, the token has 0"),
        ("1.0000000000000000001", 18, "19 decimal places"),
        ("", 18, "is empty"),
        ("ten", 18, "not a decimal number"),
        ("1.", 18, "not a decimal number"),
        (".5", 18, "not a decimal number"),
        ("0x10", 18, "not a decimal number"),
        ("١٠", 18, "not a decimal number"),
        ("9" * 5_000, 18, "characters"),
        (str(MAX_UINT256), 1, "uint256"),
        ("1", -1, "decimals is -1"),
        ("1", 78, "decimals is 78"),
    ],
)
def test_amounts_that_are_refused(text: str, decimals: int, complaint: str) -> None:
    with pytest.raises(MoneyError, match=complaint) as caught:
        parse_amount(text, decimals)
    assert caught.value.way_out and len(caught.value.message) < 300


@given(st.integers(1, MAX_UINT256), st.integers(0, 77))
def test_an_amount_is_read_back_as_it_was_written(amount: int, decimals: int) -> None:
    assert parse_amount(format_amount(amount, decimals), decimals) == amount


def test_keccak_is_not_sha3() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("address", EIP55)
def test_checksums(address: str) -> None:
    assert checksum_address(address.lower()) == address
    for written in (address, address.lower(), "0x" + address[2:].upper()):
        assert parse_address(written) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "wrong checksum"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "39 hex digits"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00", "42 hex digits"),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "not 0x and hex"),
        ("ann.eth", "not 0x and hex"),
        ("", "not 0x and hex"),
        (ZERO_ADDRESS, "zero address"),
    ],
)
def test_addresses_that_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(MoneyError, match=complaint) as caught:
        parse_address(text)
    assert caught.value.way_out


def test_the_tokens_own_address_is_refused() -> None:
    with pytest.raises(MoneyError, match="token's own contract"):
        parse_address(EIP55[0].lower(), token=EIP55[0])


def test_tokens() -> None:
    assert parse_token(EIP55[4].lower()) == EIP55[4]
    assert parse_token("native") == parse_token("Native") == parse_token(ZERO_ADDRESS) == "native"
    with pytest.raises(MoneyError, match="token"):
        parse_token("USDC")
