from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index import tables_claims as log
from index import tables_rewards as tables
from index.errors import ClaimError, MoneyError, PrecipitateError, StoreError, UnknownName, UsageError
from index.records import Identity, Tombstone
from index.store import Store
from index.tables_discussion import load_records
from index.workspace import Workspace
from rewards.claimlog import check_log, head, merged_accounts, standing, trusted_events
from rewards.claims import Presented, list_claims, log_lines, new_claim, revoke_claim, verify_claim
from rewards.claimtext import Account, ClaimText, digest_of, nonce_of, page_of, parse_claim
from rewards.identities import import_identities
from rewards.rounds import find_round, new_round
from rewards.signatures import HALF_ORDER, recover
from tests.conftest import HOME
from tests.rewards.builders import TOKEN
from tests.rewards.claimants import HOME_FORUM, ISSUED, OTHER_FORUM, ROOT, TODAY, Wallet, author, make, paid, post, put_forums, say, take

ORDER = 2 * HALF_ORDER + 1
ONE, TWO, THREE = (Wallet(name) for name in ("one", "two", "three"))


@pytest.fixture
def forum(store: Store, workspace: Workspace) -> Store:
    put_forums(store, workspace, "ann", "bob", "cleo")
    return store


def refused(store: Store, text: str, shown: Presented, error: type[PrecipitateError] = ClaimError, **more: Any) -> PrecipitateError:
    """Verify and see it refused; nothing is written."""
    before = log.log_rows(store), tables.identities(store)
    with pytest.raises(error) as caught:
        verify_claim(store, text, shown, **{"at": TODAY, **more})
    assert (log.log_rows(store), tables.identities(store)) == before
    assert caught.value.way_out
    return caught.value


# --- what holds ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_signed_posted_taken_and_paid(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    event = verify_claim(forum, claim.text, Presented(ONE.sign(claim.text)), "r1", at=TODAY)
    assert (event.kind, event.accounts, event.address, event.round, event.at) == ("claimed", (author("ann"),), ONE.address, "r1", TODAY)
    assert tables.identities(forum) == {author("ann"): Identity(author("ann"), ONE.address, f"claim {claim.digest[:12]} round r1")}
    told = list_claims(forum)
    assert (told["findings"], told["events"], told["claims"][0]["state"]) == ([], 1, "in force")
    assert told["claims"][0]["posts"][0]["permalink"] == "https://forum.example.org/t/1/1"
    forum.execute("INSERT INTO credits VALUES (?, 's', 'v', 1, 'first_said', 10, 'p', 'w')", [author("ann")])
    assert [(a.address, a.state) for a in allocate_plainly(forum)] == [(ONE.address, "paid")]


def allocate_plainly(store: Store) -> Any:
    """The settlement alone: the snapshot would want the credits' receipts."""
    from rewards.allocation import settle

    return settle(find_round(store, "r1"), tables.points_by_author(store), tables.identities(store)).allocations


def test_a_line_break_at_the_end_is_no_change_and_others_are(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    shown = Presented(ONE.sign(claim.text))
    for text in (claim.text + "\n\n", "\n" + claim.text, claim.text.replace("\n", "\r\n"), claim.text + " ", claim.text + "\n \n"):
        refused(forum, text, shown)
    assert verify_claim(forum, claim.text + "\n", shown, at=TODAY).digest == claim.digest


@pytest.mark.parametrize("body", ["`{}`", "```\n{}\n```", "- {}", "# {}", "so: ({}), as told"])
def test_the_digest_counts_in_any_words_of_the_account(forum: Store, workspace: Workspace, body: str) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    post(forum, "ann", body.format(claim.digest))
    assert verify_claim(forum, claim.text, Presented(ONE.sign(claim.text)), at=TODAY).posts[0].account == author("ann")


def test_the_earliest_post_is_the_receipt(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    post(forum, "ann", claim.post_back, created="2026-11-04T00:00:00Z")
    first = post(forum, "ann", claim.post_back, created="2026-11-03T00:00:00Z")
    assert verify_claim(forum, claim.text, Presented(ONE.sign(claim.text)), at=TODAY).posts[0].post == first


# --- what does not ------------------------------------------------------------------------------------------------------


def test_replayed(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    shown = Presented(ONE.sign(claim.text))
    verify_claim(forum, claim.text, shown, at=TODAY)
    assert "was used before" in refused(forum, claim.text, shown).message
    revoke_claim(forum, "ann@forum.example.org", "wallet lost", at=TODAY)
    assert "was used before" in refused(forum, claim.text, shown).message
    assert paid(forum) == {}


def test_expired_and_not_yet_issued(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    shown = Presented(ONE.sign(claim.text))
    assert "expired at 2026-12-02T10:00:00Z" in refused(forum, claim.text, shown, at="2026-12-02T10:00:01Z").message
    assert "was issued at" in refused(forum, claim.text, shown, at="2026-11-02T09:49:59Z").message
    assert verify_claim(forum, claim.text, shown, at="2026-12-02T10:00:00Z").kind == "claimed"


def test_a_life_that_the_claimant_chose_is_not_taken(forum: Store, workspace: Workspace) -> None:
    claim = parse_claim(make(forum, workspace, "ann", wallet=ONE).text)
    longer = replace(claim, expires="2027-11-02T10:00:00Z")
    longer = replace(longer, nonce=nonce_of(longer, find_round(forum, "r1")))
    assert "at most 90 days" in refused(forum, longer.render(), Presented(ONE.sign(longer.render()))).message


def test_foreign_rounds(forum: Store, workspace: Workspace, tmp_path: Path) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    shown = Presented(ONE.sign(claim.text))
    new_round(forum, "r2", "5", TOKEN)
    assert "claims from round r1, not r2" in refused(forum, claim.text, shown, round_name="r2").message
    other = claim.text.replace("round r1", "round r2").replace("round:r1", "round:r2")
    assert "nonce" in refused(forum, other, Presented(ONE.sign(other))).message
    forum.execute("UPDATE rounds SET created = '2020-01-01T00:00:00Z' WHERE name = 'r1'")  # another workspace's r1
    assert "another round named r1" in refused(forum, claim.text, shown).message
    forum.execute("DELETE FROM rounds WHERE name = 'r1'")
    assert "is not a round here" in refused(forum, claim.text, shown).message


def test_a_snapshot_that_was_never_released(forum: Store, workspace: Workspace) -> None:
    claim = replace(parse_claim(make(forum, workspace, "ann", wallet=ONE).text), snapshot="sha256:" + "cd" * 32)
    text = replace(claim, nonce=nonce_of(claim, find_round(forum, "r1"))).render()
    assert "no release of this workspace" in refused(forum, text, Presented(ONE.sign(text))).message


def test_another_wallet(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    error = refused(forum, claim.text, Presented(TWO.sign(claim.text)))
    assert TWO.address in error.message and ONE.address in error.message and "--contract-wallet" in error.way_out


@pytest.mark.parametrize(
    ("body", "who", "reason"),
    [
        ("hello", "ann", "in no post that was read"),
        ("{}", "bob", "is by bob@forum.example.org"),
        ('[quote="bob, post:1, topic:1"]\n{}\n[/quote]\n\nWhat is this?', "ann", "only quotes it"),
        ("> {}\n\nWhat is this?", "ann", "only quotes it"),
        ("{}0", "ann", "only quotes it"),
    ],
)
def test_without_the_accounts_own_words(forum: Store, workspace: Workspace, body: str, who: str, reason: str) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    post(forum, who, body.format(claim.digest))
    error = refused(forum, claim.text, Presented(ONE.sign(claim.text)))
    assert reason in error.message and claim.post_back in error.way_out


def test_a_post_that_was_edited_or_is_gone(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    shown = Presented(ONE.sign(claim.text))
    identifier = post(forum, "ann", claim.post_back, state="edited", version=2, edited=TODAY)
    assert "perhaps by somebody else" in refused(forum, claim.text, shown).message
    quiet = post(forum, "ann", "Nothing here yet.")
    post(forum, "ann", claim.post_back, id=quiet, version=1)  # the same version with other words: an edit all the same
    assert "perhaps by somebody else" in refused(forum, claim.text, shown).message
    for gone in (identifier, quiet):
        with forum.transaction():
            load_records(forum, HOME_FORUM, TODAY, {Tombstone: [Tombstone(gone, "author_deleted", "said so")]})
    assert "in no post that was read" in refused(forum, claim.text, shown).message


def test_an_account_that_is_unknown_renamed_or_elsewhere(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    shown = Presented(ONE.sign(claim.text))
    forum.execute("UPDATE authors SET handle = 'anna' WHERE id = ?", [author("ann")])
    assert "as the page of" in refused(forum, claim.text, shown).message
    forum.execute("DELETE FROM authors WHERE id = ?", [author("ann")])
    assert "not in what was read" in refused(forum, claim.text, shown).message


# --- addresses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "wrong checksum"),
        ("0x" + "0" * 40, "zero address"),
        ("0x1234", "4 hex digits"),
        ("ann.eth", "not 0x and hex"),
        ("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "not 0x and hex"),
        (TOKEN, "token's own contract"),
    ],
)
def test_addresses_that_cannot_be_paid(forum: Store, workspace: Workspace, address: str, reason: str) -> None:
    with pytest.raises(MoneyError, match=reason):
        new_claim(forum, workspace, ["ann@forum.example.org"], address, 1, "r1")
    text = make(forum, workspace, "ann", wallet=ONE).text.replace(ONE.address, address)
    refused(forum, text, Presented(ONE.sign(text)), PrecipitateError)


def test_a_signed_address_has_its_checksum(forum: Store, workspace: Workspace) -> None:
    claim = new_claim(forum, workspace, ["ann@forum.example.org"], ONE.address.lower(), 1, "r1", at=ISSUED)
    assert ONE.address in claim.text
    for other in (ONE.address.lower(), "0x" + ONE.address[2:].upper()):
        text = claim.text.replace(ONE.address, other)
        assert "without its checksum" in refused(forum, text, Presented(ONE.sign(text)), MoneyError).message


def test_an_address_is_one_accounts_on_a_network(forum: Store, workspace: Workspace) -> None:
    late = make(forum, workspace, "bob", wallet=ONE)
    say(forum, late)
    take(forum, workspace, "ann", wallet=ONE)
    assert "is that of ann@forum.example.org" in refused(forum, late.text, Presented(ONE.sign(late.text))).message
    with pytest.raises(ClaimError, match="is that of ann@") as caught:
        make(forum, workspace, "bob", wallet=ONE)
    assert "--with ann@forum.example.org" in caught.value.way_out
    assert take(forum, workspace, "bob@gov.example.net", wallet=ONE).kind == "claimed"  # another network: may be the same person
    assert paid(forum) == {author("ann"): ONE.address, author("bob", OTHER_FORUM): ONE.address}


def test_an_imported_address_counts_too(forum: Store, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"handle,address\nann@forum.example.org,{ONE.address}\n")
    import_identities(forum, tmp_path / "p.csv")
    with pytest.raises(ClaimError, match="is that of ann@"):
        make(forum, workspace, "bob", wallet=ONE)
    assert take(forum, workspace, "ann", wallet=ONE).previous == ()
    with pytest.raises(ClaimError, match="is in force"):
        (tmp_path / "q.csv").write_text(f"handle,address\ncleo@forum.example.org,{THREE.address}\n")
        import_identities(forum, tmp_path / "q.csv")
        take(forum, workspace, "cleo", wallet=TWO)


def test_a_list_does_not_change_what_a_wallet_signed(forum: Store, workspace: Workspace, tmp_path: Path) -> None:
    take(forum, workspace, "ann", wallet=ONE)
    origin = tables.identities(forum)[author("ann")].origin
    (tmp_path / "p.csv").write_text(f"handle,address\nann@forum.example.org,{TWO.address}\nbob@forum.example.org,{THREE.address}\n")
    report = import_identities(forum, tmp_path / "p.csv")
    assert (report.added, report.changed, [out.where for out in report.left_out]) == (1, 0, ["p.csv:2"])
    assert "has a signed claim for" in report.left_out[0].reason and "claim revoke" in report.left_out[0].way_out
    (tmp_path / "p.csv").write_text(f"handle,address\nann@forum.example.org,{ONE.address}\n")
    assert import_identities(forum, tmp_path / "p.csv").unchanged == 1
    assert tables.identities(forum)[author("ann")].origin == origin


# --- rotation, merge, revocation ----------------------------------------------------------------------------------------


def test_rotation_needs_the_old_wallet_or_a_reason(forum: Store, workspace: Workspace) -> None:
    first = take(forum, workspace, "ann", wallet=ONE)
    claim = make(forum, workspace, "ann", wallet=TWO)
    assert (claim.replaces, claim.consents) == ((first.digest,), (ONE.address,))
    say(forum, claim)
    assert "is in force" in refused(forum, claim.text, Presented(TWO.sign(claim.text))).message
    refused(forum, claim.text, Presented(TWO.sign(claim.text), consents=(THREE.sign(claim.text),)))
    refused(forum, claim.text, Presented(TWO.sign(claim.text), without_old="  "))
    event = verify_claim(forum, claim.text, Presented(TWO.sign(claim.text), consents=(ONE.sign(claim.text),)), at=TODAY)
    assert (event.kind, event.previous, event.reason) == ("rotated", ((author("ann"), ONE.address),), "")
    again = take(forum, workspace, "ann", wallet=THREE, without_old="drowned in the harbour")
    assert (again.kind, again.reason, paid(forum)) == ("rotated", "drowned in the harbour", {author("ann"): THREE.address})
    assert list_claims(forum)["findings"] == [] and len(log.log_rows(forum)) == 3


def test_two_claims_at_once_are_one(forum: Store, workspace: Workspace) -> None:
    """One address for an account and round: the second text does not know of the first."""
    first, second = (make(forum, workspace, "ann", wallet=wallet) for wallet in (ONE, TWO))
    say(forum, first)
    say(forum, second)
    verify_claim(forum, first.text, Presented(ONE.sign(first.text)), at=TODAY)
    shown = Presented(TWO.sign(second.text), consents=(ONE.sign(second.text),))
    assert f"claim {first.digest[:12]} of this account stands" in refused(forum, second.text, shown).message
    stale = make(forum, workspace, "ann", wallet=TWO)
    say(forum, stale)
    revoke_claim(forum, "ann@forum.example.org", "asked for it", at=TODAY)
    assert "no longer stands" in refused(forum, stale.text, Presented(TWO.sign(stale.text))).message


def test_a_later_round_is_claimed_anew(forum: Store, workspace: Workspace) -> None:
    take(forum, workspace, "ann", wallet=ONE)
    new_round(forum, "r2", "5", TOKEN)
    event = take(forum, workspace, "ann", wallet=ONE, round_name="r2")
    assert (event.kind, event.round, tables.identities(forum)[author("ann")].origin[-8:]) == ("claimed", "r2", "round r2")


def test_merge_needs_both_accounts(forum: Store, workspace: Workspace) -> None:
    take(forum, workspace, "ann", wallet=ONE)
    claim = make(forum, workspace, "ann", "bob", wallet=ONE)
    post(forum, "ann", claim.post_back)
    assert "/u/bob says" in refused(forum, claim.text, Presented(ONE.sign(claim.text))).message
    post(forum, "bob", claim.post_back)
    assert verify_claim(forum, claim.text, Presented(ONE.sign(claim.text)), at=TODAY).kind == "merged"
    assert paid(forum) == {author("ann"): ONE.address, author("bob"): ONE.address}
    now = standing(trusted_events(log.log_rows(forum)))
    assert merged_accounts(now) == {author("ann"): author("ann"), author("bob"): author("ann")}
    with pytest.raises(ClaimError, match="is that of"):
        make(forum, workspace, "cleo", wallet=ONE)
    revoke_claim(forum, "bob@forum.example.org", "was not his", at=TODAY)
    assert paid(forum) == {author("ann"): ONE.address}
    assert merged_accounts(standing(trusted_events(log.log_rows(forum)))) == {}
    assert list_claims(forum)["findings"] == []


def test_merge_of_two_claims_needs_both_wallets(forum: Store, workspace: Workspace) -> None:
    take(forum, workspace, "ann", wallet=ONE)
    take(forum, workspace, "bob", wallet=TWO)
    claim = make(forum, workspace, "ann", "bob", wallet=ONE)
    say(forum, claim)
    assert TWO.address in refused(forum, claim.text, Presented(ONE.sign(claim.text))).message
    event = verify_claim(forum, claim.text, Presented(ONE.sign(claim.text), consents=(TWO.sign(claim.text),)), at=TODAY)
    assert (event.kind, event.previous) == ("rotated", ((author("bob"), TWO.address),))
    assert list_claims(forum)["findings"] == []


def test_revocation_is_an_event_and_needs_a_reason(forum: Store, workspace: Workspace) -> None:
    event = take(forum, workspace, "ann", wallet=ONE)
    with pytest.raises(UsageError, match="needs a reason"):
        revoke_claim(forum, "ann@forum.example.org", " ")
    with pytest.raises(ClaimError, match="no claim that could be revoked"):
        revoke_claim(forum, "bob@forum.example.org", "x")
    with pytest.raises(UnknownName):
        revoke_claim(forum, "nobody", "x")
    (revoked,) = revoke_claim(forum, "ann@forum.example.org", "lost", at=TODAY)
    assert (revoked.kind, revoked.digest, revoked.reason, paid(forum)) == ("revoked", event.digest, "lost", {})
    assert [e.kind for e in trusted_events(log.log_rows(forum))] == ["claimed", "revoked"]
    assert take(forum, workspace, "ann", wallet=TWO).kind == "claimed"  # nothing in force: no consent is asked for


# --- contract wallets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["many owners", "wrapped", "said so"])
def test_contract_wallets_are_pending_until_somebody_asked_them(forum: Store, workspace: Workspace, how: str) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    signature = {
        "many owners": TWO.sign(claim.text) + THREE.sign(claim.text)[2:],
        "wrapped": TWO.sign(claim.text) + "6492" * 16,
        "said so": TWO.sign(claim.text),
    }[how]
    shown = Presented(signature, contract_wallet=how == "said so")
    refused(forum, claim.text, shown)  # the post-back is asked for all the same
    say(forum, claim)
    event = verify_claim(forum, claim.text, shown, at=TODAY)
    assert (event.kind, paid(forum), list_claims(forum)["claims"][0]["state"]) == ("pending", {}, "pending")
    assert "is pending since" in refused(forum, claim.text, shown).message
    event = verify_claim(forum, claim.text, replace(shown, checked_at_block=23_000_000), at=TODAY)
    assert (event.kind, event.checked_at_block, paid(forum)) == ("claimed", 23_000_000, {author("ann"): ONE.address})
    assert list_claims(forum)["findings"] == []
    refused(forum, claim.text, replace(shown, checked_at_block=23_000_000))


def test_a_pending_claim_keeps_nobody_from_theirs(forum: Store, workspace: Workspace) -> None:
    mallory = make(forum, workspace, "bob", wallet=ONE)
    say(forum, mallory)
    verify_claim(forum, mallory.text, Presented("0x1234"), at=TODAY)
    assert take(forum, workspace, "ann", wallet=ONE).kind == "claimed"
    error = refused(forum, mallory.text, Presented("0x1234", checked_at_block=1))
    assert "is that of ann@" in error.message
    (revoked,) = revoke_claim(forum, "bob@forum.example.org", "not a contract", at=TODAY)
    assert revoked.accounts == (author("bob"),) and paid(forum) == {author("ann"): ONE.address}
    assert [claim["state"] for claim in list_claims(forum)["claims"]] == ["in force"]


def test_a_key_is_not_checked_at_a_block(forum: Store, workspace: Workspace) -> None:
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    refused(forum, claim.text, Presented(ONE.sign(claim.text), checked_at_block=5), UsageError)


# --- making -------------------------------------------------------------------------------------------------------------


def test_what_new_refuses(forum: Store, workspace: Workspace) -> None:
    ann = "ann@forum.example.org"
    for error, who, chain, round_name, days in (
        (UsageError, [ann], 0, "r1", 30),
        (UsageError, [ann], 2**53, "r1", 30),
        (UsageError, [ann], 1, "r1", 91),
        (UsageError, [ann], 1, "r1", 0),
        (UsageError, [ann, author("ann")], 1, "r1", 30),
        (UsageError, ["ann"], 1, "r1", 30),  # two networks have one
        (UnknownName, ["nobody"], 1, "r1", 30),
        (UnknownName, [ann], 1, "r9", 30),
    ):
        with pytest.raises(error) as caught:
            new_claim(forum, workspace, who, ONE.address, chain, round_name, days)
        assert caught.value.way_out
    (workspace.current / "manifest.json").unlink()
    with pytest.raises(ClaimError, match="nothing has been released"):
        new_claim(forum, workspace, [ann], ONE.address, 1, "r1")
    assert log.log_rows(forum) == []


HANDLES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(st.lists(HANDLES, min_size=1, max_size=3, unique=True), st.integers(1, 2**53 - 1), st.sets(st.integers(0, 2**256 - 1), max_size=3))
def test_a_text_is_read_as_it_was_written(handles: list[str], chain: int, replaced: set[int]) -> None:
    """Whatever accounts are called, the text stays ASCII, and its values come back."""
    claim = ClaimText(
        domain="forum.example.org:8443",
        address=ONE.address,
        chain=chain,
        round="2026-q4.b",
        snapshot=ROOT,
        issued=ISSUED,
        expires=TODAY,
        accounts=tuple(Account(f"{HOME_FORUM}/u/{handle}", page_of("https://forum.example.org/", handle)) for handle in handles),
        replaces=tuple(sorted(f"{number:064x}" for number in replaced)),
        nonce="0" * 32,
    )
    assert claim.render().isascii()
    assert parse_claim(claim.render()) == claim


def test_the_nonce_is_bound_to_every_value(forum: Store, workspace: Workspace) -> None:
    claim = parse_claim(make(forum, workspace, "ann", wallet=ONE).text)
    round_ = find_round(forum, "r1")
    others = [
        nonce_of(replace(claim, **{name: value}), round_)
        for name, value in (
            *(("address", TWO.address), ("chain", 10), ("issued", TODAY), ("expires", TODAY), ("snapshot", "sha256:" + "0" * 64)),
            *(("replaces", ("0" * 64,)), ("domain", "x"), ("accounts", (Account("a", "b"),))),
        )
    ]
    others += [
        nonce_of(claim, replace(round_, **{name: value})) for name, value in (("token", "native"), ("created", "x"), ("decimals", 6))
    ]
    assert len({claim.nonce, *others}) == len(others) + 1


# --- any changed byte ---------------------------------------------------------------------------------------------------


@pytest.fixture
def posted(forum: Store, workspace: Workspace) -> tuple[str, bytes]:
    """A claim that is posted, and its signature: all that is missing is to hand it in."""
    claim = make(forum, workspace, "ann", wallet=ONE)
    say(forum, claim)
    return claim.text, ONE.sign_bytes(claim.text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_any_changed_byte_of_the_text_is_refused(forum: Store, posted: tuple[str, bytes], data: st.DataObject) -> None:
    text, signature = posted
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(max_codepoint=255))
    before, after = text[:place], text[place:]
    changed = data.draw(st.sampled_from([before + character + after[1:], before + character + after, before + after[1:]]))
    if changed not in (text, text + "\n"):
        refused(forum, changed, Presented("0x" + signature.hex()), PrecipitateError)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(place=st.integers(0, 64), value=st.integers(0, 255))
def test_any_changed_byte_of_the_signature_is_refused(forum: Store, posted: tuple[str, bytes], place: int, value: int) -> None:
    text, signature = posted
    changed = signature[:place] + bytes([value]) + signature[place + 1 :]
    if changed != signature:
        refused(forum, text, Presented("0x" + changed.hex()))


def test_it_was_only_the_changes(forum: Store, posted: tuple[str, bytes]) -> None:
    assert verify_claim(forum, posted[0], Presented("0x" + posted[1].hex()), at=TODAY).kind == "claimed"


def test_a_signature_has_one_form() -> None:
    text = "any text — also beyond ASCII"
    raw = ONE.sign_bytes(text)
    assert recover(text, raw) == ONE.address
    s = int.from_bytes(raw[32:64], "big")
    upper = raw[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - raw[64]])
    with pytest.raises(ClaimError, match="upper form"):
        recover(text, upper)
    with pytest.raises(ClaimError, match="ends with 0x0") as caught:
        recover(text, raw[:64] + bytes([raw[64] - 27]))
    assert f"write {raw[64]:x}" in caught.value.way_out
    for bad in (bytes(64) + b"\x1b", b"\xff" * 32 + raw[32:], raw[:64], raw + b"\0"):
        with pytest.raises(ClaimError):
            recover(text, bad)


@pytest.mark.parametrize("text", ["", "0x", "0x123", "1b2c", "0xzz", "0x" + "00" * 70_000])
def test_signatures_that_are_none(forum: Store, posted: tuple[str, bytes], text: str) -> None:
    refused(forum, posted[0], Presented(text))


@pytest.mark.parametrize("text", ["", "\n" * 40, "hello", "x" * 50_000, "wants you to sign in with your Ethereum account:"])
def test_texts_that_are_none(forum: Store, text: str) -> None:
    refused(forum, text, Presented("0x" + "11" * 65))


def test_a_day_that_is_none(forum: Store, workspace: Workspace) -> None:
    text = make(forum, workspace, "ann", wallet=ONE).text.replace("2026-12-02T", "2026-13-02T")
    assert ":11: " in refused(forum, text, Presented(ONE.sign(text))).message


# --- the log ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(forum: Store, workspace: Workspace) -> list[log.LogRow]:
    take(forum, workspace, "ann", wallet=ONE)
    take(forum, workspace, "ann", wallet=TWO, without_old="gone")
    take(forum, workspace, "bob", "cleo", wallet=THREE)
    revoke_claim(forum, "cleo@forum.example.org", "asked", at=TODAY)
    return log.log_rows(forum)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_any_changed_byte_of_the_log_is_found(logged: list[log.LogRow], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(logged) - 1))
    field = data.draw(st.sampled_from(["record", "hash"]))
    text = getattr(logged[number], field)
    place = data.draw(st.integers(0, len(text) - 1))
    character = chr(data.draw(st.integers(32, 126).filter(lambda code: chr(code) != text[place])))
    rows = list(logged)
    rows[number] = replace(rows[number], **{field: text[:place] + character + text[place + 1 :]})
    assert check_log(rows)
    # Who hashes the changed record anew is found by the next line, and at the end of the log by a head that was kept.
    if field == "record":
        rows[number] = replace(rows[number], hash=digest_of(rows[number].record))
        assert check_log(rows, known_head=head(logged))


def test_lines_left_out_moved_put_in_or_cut_off_are_found(logged: list[log.LogRow]) -> None:
    assert check_log(logged) == [] and check_log(logged, head(logged)) == [] and check_log(logged, logged[1].hash) == []
    for rows in (logged[1:], logged[:1] + logged[2:], [logged[1], logged[0], *logged[2:]], [*logged, logged[-1]]):
        assert check_log(rows)
        renumbered = [replace(row, seq=number) for number, row in enumerate(rows, 1)]
        assert check_log(renumbered)
    assert check_log(logged[:-1]) == []
    assert "cut off" in check_log(logged[:-1], head(logged))[0]
    assert "cut off" in check_log([], head(logged))[0]


def test_a_log_written_anew_around_another_address_lacks_the_signature(logged: list[log.LogRow]) -> None:
    """Whoever rewrites the whole chain still cannot sign for the wallet."""
    from rewards.claimlog import next_row, read_event

    rows: list[log.LogRow] = []
    for row in logged:
        event = read_event(row)
        forged = replace(event, address=THREE.address, text=event.text.replace(TWO.address, THREE.address))
        forged = replace(forged, digest=digest_of(forged.text))
        rows.append(next_row(rows, forged if event.address == TWO.address else event))
    assert check_log(rows) == ["line 2 of the log of claims: the signature is not that of its address"]


def test_nothing_is_appended_to_a_broken_log(forum: Store, workspace: Workspace, logged: list[log.LogRow]) -> None:
    claim = make(forum, workspace, "cleo", wallet=Wallet("four"))
    say(forum, claim)
    forum.execute("UPDATE claim_events SET record = replace(record, 'gone', 'lost') WHERE seq = 2")
    with pytest.raises(StoreError, match="line 2 of the log") as caught:
        verify_claim(forum, claim.text, Presented(Wallet("four").sign(claim.text)), at=TODAY)
    assert caught.value.way_out
    with pytest.raises(StoreError):
        revoke_claim(forum, "ann@forum.example.org", "x")
    assert list_claims(forum)["findings"] and len(log.log_rows(forum)) == 4


def test_identities_that_no_claim_gave_are_found(forum: Store, workspace: Workspace, logged: list[log.LogRow]) -> None:
    assert list_claims(forum)["findings"] == []
    forum.execute("UPDATE identities SET address = ? WHERE author = ?", [ONE.address, author("ann")])
    assert "is paid at" in list_claims(forum)["findings"][0]


def test_the_printed_log_is_a_chain_for_anyone(forum: Store, logged: list[log.LogRow]) -> None:
    import json

    lines = log_lines(forum)
    hashes = ["", *(digest_of(line) for line in lines)]
    assert [json.loads(line)["prev"] for line in lines] == hashes[:-1]
    assert hashes[-1] == list_claims(forum)["head"]


APPENDING = """
import sys
from pathlib import Path
from index.store import Store
from index.workspace import find_workspace
from tests.rewards.claimants import Wallet, take
workspace = find_workspace(Path.cwd())
with workspace.lock("test"), Store(workspace.database) as store:
    for number in range(int(sys.argv[1]), 1000):
        take(store, workspace, f"m{number}", wallet=Wallet(str(number)))
        print(number, flush=True)
"""


def test_killed_while_appending(tmp_path: Path) -> None:
    """kill -9 at moments that nobody chose: what was told is kept, nothing is half there, and it goes on."""
    from index.workspace import init_workspace

    workspace = init_workspace(tmp_path / "killed")
    with Store(workspace.database) as store:
        put_forums(store, workspace, *(f"m{number}" for number in range(1000)))
    moments, told = random.Random(5), 0
    for _ in range(4):
        line = [sys.executable, "-c", APPENDING, str(told)]
        environment = {**os.environ, "PYTHONPATH": str(HOME)}
        with subprocess.Popen(line, cwd=workspace.root, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(moments.random() / 3)
            process.send_signal(signal.SIGKILL)
            told += 1 + len(process.stdout.read().splitlines())
        with Store(workspace.database) as store:
            found = list_claims(store)
            assert found["findings"] == []
            assert told <= found["events"] <= told + 1
            assert len(paid(store)) == found["events"]
            told = found["events"]
    assert told >= 4
