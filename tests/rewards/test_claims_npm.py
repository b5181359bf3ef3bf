"""Claims in the hands of the real clients, siwe and viem (make test-system installs them), both ways round."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from index.store import Store
from index.workspace import Workspace
from rewards.claims import Presented, list_claims, verify_claim
from rewards.claimtext import parse_claim
from tests.rewards.claimants import TODAY, Wallet, make, paid, put_forums, say

NPM = Path(__file__).parent.parent / "npm"
ONE = Wallet("one")


def ask(request: dict[str, Any]) -> dict[str, Any]:
    assert (NPM / "node_modules/siwe").is_dir(), "run `make test-system`, or `npm install` in tests/npm"
    words = ["node", str(NPM / "claims.mjs")]
    done = subprocess.run(words, input=json.dumps(request), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def forum(store: Store, workspace: Workspace) -> Store:
    put_forums(store, workspace, "ann", "bob", "Zoë 50%")
    return store


@pytest.mark.system
def test_clients_read_our_text_sign_it_and_we_take_the_signature(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", "Zoë 50%", wallet=ONE, chain=42161)
    said = parse_claim(claim.text)
    told = ask({"key": "0x" + ONE.secret.hex(), "text": claim.text, "given": {"text": claim.text, "signature": ONE.sign(claim.text)}})
    assert (told["same"], told["siwe"], told["viem"], told["viemReads"]) == (True, True, True, True)
    assert told["address"] == told["recovered"] == ONE.address  # viem recovers the signature that was made here
    assert told["fields"] | {"statement": ""} == {
        **{"domain": said.domain, "address": said.address, "statement": "", "uri": said.accounts[0].url, "version": "1"},
        **{"chainId": 42161, "nonce": said.nonce, "issuedAt": said.issued, "expirationTime": said.expires},
        "resources": [line[2:] for line in claim.text.split("\n") if line.startswith("- ")],
    }
    say(forum, claim)
    assert verify_claim(forum, claim.text, Presented(told["signature"]), at=TODAY).kind == "merged"
    assert set(paid(forum).values()) == {ONE.address}
    assert list_claims(forum)["findings"] == []


@pytest.mark.system
def test_a_text_that_clients_make_is_ours_to_the_byte(forum: Store, workspace: Workspace) -> None:
    """siwe builds the message from the fields and viem signs it: that text and that signature are verified here."""
    claim = make(forum, workspace, "ann", wallet=ONE)
    told = ask({"key": "0x" + ONE.secret.hex(), "text": claim.text})
    again = ask({"key": "0x" + ONE.secret.hex(), "fields": told["fields"]})
    assert again["made"]["siwe"] == claim.text
    # viem writes milliseconds into the times; but for that it is the same text, and ours has one form only.
    assert again["made"]["viem"].replace(".000Z", "Z") == claim.text
    say(forum, claim)
    assert verify_claim(forum, again["made"]["siwe"], Presented(again["signature"]), at=TODAY).kind == "claimed"


@pytest.mark.system
def test_a_wrapped_signature_is_pending(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "bob", wallet=ONE)
    say(forum, claim)
    told = ask({"key": "0x" + ONE.secret.hex(), "text": claim.text})
    event = verify_claim(forum, claim.text, Presented(told["wrapped"]), at=TODAY)
    assert (event.kind, paid(forum)) == ("pending", {})


@pytest.mark.system
def test_siwe_too_refuses_what_is_expired(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    with pytest.raises(AssertionError, match=r"(?i)expired message"):
        ask({"key": "0x" + ONE.secret.hex(), "text": claim.text, "time": "2027-01-01T00:00:00Z"})
