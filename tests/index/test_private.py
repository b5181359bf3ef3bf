"""Personal data and secrets are hidden, what procedures and payouts are about is not, and spans stay where they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.private import HIDDEN, kinds, mask, masked_value, masking

SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SECRETS = {
    "mail": ("ann.b+forum@example.co.uk", "ann [at] example [dot] org", "Jörg@exämple.de"),
    "phone": ("+44 20 7946 0958", "+1 (415) 555-0100", "415-555-0100", "(415) 555-0100", "0171 2345678", "01 23 45 67 89", "+493012345678"),
    "iban": ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"),
    "card": ("4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005"),
    "token": (
        *("sk-abcdefghijklmnopqrstuvwxyz0123", "ghp_" + "a1B2" * 9, "AKIAIOSFODNN7EXAMPLE", "xoxb-123456789012-abcdefghij"),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    ),
    "private key": (
        *("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "nsec1" + "q" * 58, "AGE-SECRET-KEY-1" + "Q" * 58),
        "-----BEGIN EC PRIVATE KEY-----\nMHQCAQEEIabc\n-----END EC PRIVATE KEY-----",
    ),
    "seed phrase": (SEED, SEED.replace(" ", ", "), "\n".join(f"{n}. {word}" for n, word in enumerate(SEED.split(), 1))),
}
PUBLIC = (
    *("0x52908400098527886E0F7030069857D2E4169EE7", "0x" + "ab12" * 16, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    *(
        "12500000000000000000 wei",
        "block 19426587",
        "2024-05-01T10:00:00Z",
        "01.05.2024",
        "git@github.com:org/repo.git",
        "@ann",
        "alice.eth",
    ),
    *("3.14159265358979", "1,000,000 OP", "EIP-4337", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "v1.2.3"),
    *(
        "192.168.100.200",
        "https://etherscan.io/tx/0x" + "cd" * 32,
        "sha256:" + "0f" * 32,
        "the quick brown fox jumps over the lazy dog again and again and again",
    ),
    *(
        "set the password to something long",
        "ask for an API key on their site",
        "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    ),
)


@pytest.mark.parametrize(("kind", "secret"), [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets])
@pytest.mark.parametrize("around", ["{}", "Write to {} before noon.", "- step 1: send ({})\n- step 2", "“{}”, he said"])
def test_secrets_are_hidden(kind: str, secret: str, around: str) -> None:
    text = around.format(secret)
    masked = mask(text)
    start = text.index(secret)
    left = masked[start : start + len(secret)]
    assert HIDDEN in left and not any(c.isalpha() if kind == "seed phrase" else not c.isspace() and c != HIDDEN for c in left), masked
    if kind != "seed phrase":  # a neighbouring word of the same list cannot be told from the phrase's
        assert (masked[:start], masked[start + len(secret) :]) == (text[:start], text[start + len(secret) :])
    assert kind in {name for name, _ in kinds(text)}


@pytest.mark.parametrize("text", PUBLIC)
def test_public_things_are_not(text: str) -> None:
    assert mask(text) == text
    assert mask(f"Pay {text} for step 3 (see {text}).") == f"Pay {text} for step 3 (see {text})."


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("my private key is 0x" + "cd" * 32, "0x" + "cd" * 32),
        ("password: hunter22 for the demo", "hunter22"),
        ("API_KEY=abcdef0123456789abcdef", "abcdef0123456789abcdef"),
        ("https://user:s3cret@host.example/path", "user:s3cret@host.example"),
        ("https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("call me at 5550100 tomorrow", "5550100"),
    ],
)
def test_what_the_words_before_make_a_secret(text: str, hidden: str) -> None:
    assert mask(text) == text.replace(hidden, HIDDEN * len(hidden))


def test_a_hash_behind_a_key_word_is_still_a_hash() -> None:
    text = "store the private key; the tx hash is 0x" + "cd" * 32
    assert mask(text) == text


def test_handles_of_who_opted_out_are_hidden_where_they_are_mentioned() -> None:
    hide = masking(["ann", "bob.b"])
    assert hide("thanks @ann and @Bob.b, not @anna; ann is a word") == f"thanks {HIDDEN * 4} and {HIDDEN * 6}, not @anna; ann is a word"
    assert masking([]) is mask


def test_values_are_masked_under_their_keys_only() -> None:
    value = {"id": "a@b.co", "text": "a@b.co", "steps": [{"text": ["a@b.co", 3], "post": "a@b.co"}]}
    hidden = HIDDEN * 6
    assert masked_value(value, mask, frozenset({"text"})) == {
        "id": "a@b.co",
        "text": hidden,
        "steps": [{"text": [hidden, 3], "post": "a@b.co"}],
    }


PIECES = st.one_of(
    st.sampled_from([secret for secrets in SECRETS.values() for secret in secrets]),
    st.sampled_from(PUBLIC),
    st.text(alphabet="abz09 .,@+-()\n/:█", max_size=30),
    st.text(max_size=20),
)


@given(st.lists(PIECES, max_size=8), st.sampled_from(["", " ", "\n"]))
def test_masking_keeps_length_and_white_space_and_is_done_at_once(pieces: list[str], glue: str) -> None:
    text = glue.join(pieces)
    masked = mask(text)
    assert len(masked) == len(text)
    assert all(a == b or b == HIDDEN for a, b in zip(text, masked, strict=True))
    assert all(b == a for a, b in zip(text, masked, strict=True) if a.isspace())
    assert mask(masked) == masked


@given(
    st.from_regex(r"0x([0-9a-fA-F]{40}|[0-9a-fA-F]{64})", fullmatch=True),
    st.sampled_from(["pay {} now", "{}", "tx: {}", "to={}&x=1", "({})"]),
)
def test_no_address_or_hash_loses_a_character(number: str, around: str) -> None:
    assert number in mask(around.format(number))
