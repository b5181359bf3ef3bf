"""Signed outcomes, forks and identity scores, on a real store with real keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from index import tables_evidence, tables_outcomes
from index.config import Config
from index.errors import ClaimError, StoreError, UnknownName, UsageError
from index.records import Identity
from index.store import Store, canonical_json
from index.tables_outcomes import outcome_records
from index.tables_procedures import current_records, known_lineages
from index.tables_rewards import credit_records, credits, put_identities
from rewards import didkey
from rewards.compose import compose, fork, read_picks
from rewards.identity_scores import import_scores
from rewards.money import checksum_address, keccak256
from rewards.outcomes import add_outcome, check_log, list_outcomes, new_outcome, read_text, take_outcome
from rewards.pipeline import credit
from rewards.seeds import add_seed
from rewards.signatures import personal_hash
from rewards.verify_credit import verify_credits
from tests.rewards.builders import ADDRESSES, author_id, cite, procedure, put_forum, put_procedures, stance, step

KEY = PrivateKey(b"\x07" * 32)
WALLET = checksum_address("0x" + keccak256(KEY.public_key.format(compressed=False)[1:])[-20:].hex())


def sops() -> tuple[dict[str, Any], ...]:
    one = procedure(
        *(step(n, cite(n, "ann", n, exact=f"Say thing {n} aloud.")) for n in (1, 2, 3)),
        id="sop-one",
        stances=(stance("support", None, cite(9, "bob", 9)),),
    )
    other = procedure(*(step(n, cite(n + 3, "cleo", n + 3), text=f"quite another matter {n} for cleo") for n in (1, 2)), id="sop-two")
    return one, other


@pytest.fixture
def filled(store: Store) -> Store:
    put_forum(store, *sops())
    put_procedures(store, *sops())
    return store


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pem"
    path.write_bytes(Ed25519PrivateKey.from_private_bytes(b"\x05" * 32).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def wallet_signature(text: str) -> str:
    data = KEY.sign_recoverable(personal_hash(text), hasher=None)
    return "0x" + (data[:64] + bytes([data[64] + 27])).hex()


def points(store: Store, *roles: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for c in credits(store):
        if c.role in roles:
            name = c.author.rpartition("/")[2]
            found[name] = found.get(name, 0) + c.points
    return found


# --- did:key --------------------------------------------------------------------------------------------------------


def test_the_did_key_of_the_specification() -> None:
    did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert didkey.encode(didkey.public_key(did)) == did
    for wrong in (did[:-1], did + "1", did.replace("z6Mk", "z7Mk"), "did:key:z0", "did:web:example.org"):
        with pytest.raises(ClaimError):
            didkey.public_key(wrong)


@settings(deadline=None, max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 63), st.integers(1, 255))
def test_a_signature_holds_for_its_text_and_key_alone(seed: bytes, message: bytes, place: int, change: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    did = didkey.encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    signature = bytes.fromhex(didkey.sign(key, message)[2:])
    didkey.verify(did, message, signature)
    broken = signature[:place] + bytes([signature[place] ^ change]) + signature[place + 1 :]
    for text, sig in ((message + b"x", signature), (message, broken), (message, signature[:-1])):
        with pytest.raises(ClaimError):
            didkey.verify(did, text, sig)


# --- outcomes -------------------------------------------------------------------------------------------------------


def test_an_agent_reports_with_its_key_and_a_wallet_with_its_own(filled: Store, pem: Path) -> None:
    told = add_outcome(filled, "sop-one", 2, "worked", "", "took an hour", pem)
    assert told["taken"] and told["outcome"]["by"].startswith("did:key:z6Mk")
    draft = new_outcome(filled, "sop-one", None, "partly", WALLET, "“quoted”")
    assert draft.text.isascii()
    assert take_outcome(filled, draft.text + "\n", wallet_signature(draft.text)).result == "partly"
    listed = list_outcomes(filled)
    assert [(o["step"], o["result"], o["note"]) for o in listed["outcomes"]] == [
        (2, "worked", "took an hour"),
        (None, "partly", "“quoted”"),
    ]
    assert listed["findings"] == [] and list_outcomes(filled, listed["head"])["findings"] == []
    assert len(list_outcomes(filled, "0" * 64)["findings"]) == 1
    assert [row["seq"] for row in outcome_records(filled)] == [1, 2]


def test_what_is_refused(filled: Store, pem: Path) -> None:
    draft = new_outcome(filled, "sop-one", 1, "worked", WALLET)
    with pytest.raises(ClaimError, match="signed by"):
        take_outcome(filled, draft.text, wallet_signature(draft.text + " "))
    with pytest.raises(ClaimError, match="layout"):
        take_outcome(filled, draft.text.replace("worked", "splendid"), wallet_signature(draft.text))
    with pytest.raises(ClaimError, match="to come"):
        late = new_outcome(filled, "sop-one", 1, "worked", WALLET, at="2999-01-01T00:00:00Z").text
        take_outcome(filled, late, wallet_signature(late))
    take_outcome(filled, draft.text, wallet_signature(draft.text))
    with pytest.raises(ClaimError, match="already"):
        take_outcome(filled, draft.text, wallet_signature(draft.text))
    with pytest.raises(UsageError, match="no step 9"):
        new_outcome(filled, "sop-one", 9, "worked", WALLET)
    with pytest.raises(UnknownName, match="no SOP named"):
        new_outcome(filled, "sop-nine", None, "worked", WALLET)
    with pytest.raises(UnknownName, match="no result named"):
        new_outcome(filled, "sop-one", None, "great", WALLET)
    with pytest.raises(UsageError, match="nobody is named"):
        add_outcome(filled, "sop-one", None, "worked", "")
    with pytest.raises(UsageError, match="no wallet here"):
        new_outcome(filled, "sop-one", None, "worked", "ann")
    with pytest.raises(UsageError, match="begins 2 SOPs"):
        new_outcome(filled, "sop-", None, "worked", WALLET)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_a_note_of_any_kind_comes_back_as_it_was(note: str) -> None:
    from index.records import Outcome
    from rewards.outcomes import render

    outcome = Outcome("", "sop-one", "v", None, "", "worked", WALLET, "2024-05-01T10:00:00Z", note)
    try:
        assert read_text(render(outcome)).note == note
    except ClaimError:
        assert not note.isascii() or any(ord(c) < 32 for c in note)


def test_a_changed_log_is_told_and_no_credit_is_computed_from_it(filled: Store, pem: Path) -> None:
    for n in (1, 2, 3):
        add_outcome(filled, "sop-one", n, "worked", "", "", pem)
    rows = tables_outcomes.log_rows(filled)
    assert check_log(rows) == [] and check_log(rows[1:]) != [] and check_log([rows[1], rows[0], rows[2]]) != []
    event = json.loads(rows[1].record)
    event["text"] = event["text"].replace("worked", "failed")
    filled.execute("UPDATE outcome_events SET record = ? WHERE seq = 2", [canonical_json(event)])
    assert list_outcomes(filled)["findings"]
    with pytest.raises(StoreError, match="line 2"):
        credit(filled, Config())


def test_outcomes_pay_reporters_that_are_trusted_and_whose_steps_worked(filled: Store, pem: Path) -> None:
    add_outcome(filled, "sop-one", 1, "worked", "", "went well", pem)
    add_seed(filled, "bob")
    credit(filled, Config())
    assert points(filled, "outcome", "worked") == {}, "nobody knows the key"
    did = didkey.read_key(pem)[0]
    add_seed(filled, did)
    credit(filled, Config())
    assert points(filled, "outcome") == {did: 50_000} and points(filled, "worked") == {"ann": 100_000}
    record = next(r for r in credit_records(filled) if r["role"] == "outcome")
    assert record["quote"] == "went well" and record["handle"] == did


def test_a_report_follows_its_step_and_not_its_number(filled: Store, pem: Path) -> None:
    add_outcome(filled, "sop-one", 1, "worked", "", "", pem)
    add_seed(filled, didkey.read_key(pem)[0])
    one, other = sops()
    moved = {**one, "steps": [{**one["steps"][1], "n": 1}, {**one["steps"][0], "n": 2}, one["steps"][2]]}
    put_procedures(filled, moved, other)
    credit(filled, Config())
    assert [c.step for c in credits(filled) if c.role == "worked"] == [2]


def test_of_two_reports_the_last_counts_and_ones_own_never(filled: Store) -> None:
    put_identities(filled, [Identity(author_id("bob"), WALLET, "test")])
    add_seed(filled, "bob")
    for result, at in (("worked", "2024-07-01T00:00:00Z"), ("failed", "2024-08-01T00:00:00Z")):
        text = new_outcome(filled, "sop-two", 1, result, "bob", at=at).text
        take_outcome(filled, text, wallet_signature(text))
    credit(filled, Config())
    assert points(filled, "worked") == {} and points(filled, "outcome") == {"bob": 50_000}
    put_identities(filled, [Identity(author_id("bob"), ADDRESSES[0], "test"), Identity(author_id("cleo"), WALLET, "test")])
    add_seed(filled, "cleo")
    credit(filled, Config())
    assert points(filled, "outcome") == {}, "cleo said that step"


# --- forks ----------------------------------------------------------------------------------------------------------


def test_a_fork_keeps_receipts_and_pays_the_origin(filled: Store, pem: Path) -> None:
    made = fork(filled, "sop-one", "bob", drop=[2])
    assert [s["n"] for s in made["steps"]] == [1, 2] and made["forked_from"] == "sop-one"
    assert made["steps"][1]["citations"] == sops()[0]["steps"][2]["citations"]
    assert made["id"] in {r["id"] for r in current_records(filled)}
    assert made["id"] not in {p.id for p in known_lineages(filled)}
    add_seed(filled, didkey.read_key(pem)[0])
    credit(filled, Config())
    before = points(filled, "first_said")
    add_outcome(filled, made["id"], None, "worked", "", "", pem)
    credit(filled, Config())
    assert points(filled, "first_said") == before, "no word is paid twice"
    assert points(filled, "worked") == {"ann": 180_000}, "two steps, less a tenth"
    assert points(filled, "composed") == {"bob": 10_000} and sum(points(filled, "outcome").values()) == 50_000
    assert {r["role"] for r in credit_records(filled)} >= {"composed", "outcome", "worked"}


def test_forking_oneself_gains_nothing(filled: Store, pem: Path) -> None:
    add_seed(filled, didkey.read_key(pem)[0])
    add_outcome(filled, "sop-one", None, "worked", "", "", pem)
    credit(filled, Config())
    before = sum(c.points for c in credits(filled) if c.author == author_id("ann"))
    for drop in ([], [1], [2], [3]):
        made = fork(filled, "sop-one", "ann", drop=drop)
        add_outcome(filled, made["id"], None, "worked", "", "", pem)
    credit(filled, Config())
    assert sum(c.points for c in credits(filled) if c.author == author_id("ann")) <= before


def test_a_fork_of_a_fork_names_the_first_origin_and_one_is_made_once(filled: Store) -> None:
    made = fork(filled, "sop-one", "bob", order=[3, 1])
    again = fork(filled, made["id"], "cleo")
    assert again["generator"]["composed"]["steps"] == [["sop-one", 3], ["sop-one", 1]]
    with pytest.raises(UsageError, match="made before"):
        fork(filled, "sop-one", "bob", order=[3, 1])
    with pytest.raises(UsageError, match="steps 1 to 3"):
        fork(filled, "sop-one", "bob", drop=[7])


def test_compose_takes_steps_of_several_and_distilling_leaves_it_alone(filled: Store) -> None:
    names, picks = read_picks(["sop-one:3,1", "sop-two"])
    made = compose(filled, names, "bob", "Both", picks)
    assert [s["text"] for s in made["steps"]] == [s["text"] for s in (*sops()[0]["steps"][2::-2], *sops()[1]["steps"])]
    from index.tables_procedures import save_procedures

    with filled.transaction():
        save_procedures(filled, [])
    assert [r["id"] for r in current_records(filled)] == [made["id"]]
    credit(filled, Config())
    assert points(filled, "first_said") == {}
    for words, match in ((["sop-one"], "two SOPs"), (["sop-one:x", "sop-two"], "names no steps")):
        with pytest.raises(UsageError, match=match):
            compose(filled, *_named(words))


def _named(words: list[str]) -> tuple[Any, ...]:
    names, picks = read_picks(words)
    return names, "bob", "", picks


# --- recomputing ----------------------------------------------------------------------------------------------------


def published(store: Store, folder: Path) -> Path:
    from publish.release import FILES

    folder.mkdir(exist_ok=True)
    for name in ("procedures.jsonl", "credits.jsonl", "evidence.jsonl", "reports.jsonl"):
        (folder / name).write_text("".join(canonical_json(row) + "\n" for row in FILES[name](store)), encoding="utf-8")
    return folder


def test_a_stranger_recomputes_every_credit_and_sees_a_changed_one(filled: Store, pem: Path, tmp_path: Path) -> None:
    add_seed(filled, didkey.read_key(pem)[0])
    add_seed(filled, "bob", 2)
    made = fork(filled, "sop-one", "bob", drop=[2])
    add_outcome(filled, made["id"], None, "worked", "", "", pem)
    add_outcome(filled, "sop-two", 1, "partly", "", "", pem)
    credit(filled, Config())
    folder = published(filled, tmp_path / "release")
    assert verify_credits(folder) == []
    for name, old, new in (
        ("credits.jsonl", '"points":700000', '"points":700001'),
        ("evidence.jsonl", '"level_bp":', '"level_bp":1'),
        ("evidence.jsonl", '"payable":true', '"payable":false'),
        ("evidence.jsonl", '"outcome_bp":500', '"outcome_bp":600'),
    ):
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        assert verify_credits(folder) != [], (name, old)
        (folder / name).write_text(text, encoding="utf-8")


# --- identity scores ------------------------------------------------------------------------------------------------


def test_passport_scores_from_csv_and_from_answers(filled: Store, tmp_path: Path) -> None:
    put_identities(filled, [Identity(author_id("ann"), ADDRESSES[0], "test"), Identity(author_id("bob"), ADDRESSES[1], "test")])
    table = tmp_path / "passport.csv"
    table.write_text(f"address,score\n{ADDRESSES[0]},25.5\n{ADDRESSES[2]},30\n{ADDRESSES[1]},NaN\n=1+1,9\n{ADDRESSES[1]},12\n")
    report = import_scores(filled, table, "passport")
    assert (report.added, len(report.left_out)) == (2, 3)
    assert {s.author.rpartition("/")[2]: s.score_bp for s in tables_evidence.scores(filled)} == {"ann": 12_750, "bob": 6_000}
    assert import_scores(filled, table, "passport").unchanged == 2
    answer = tmp_path / "answer.json"
    answer.write_text(
        json.dumps([{"address": ADDRESSES[1].lower(), "score": "19.9", "passing_score": True, "threshold": "20.00000", "error": None}])
    )
    assert import_scores(filled, answer, "passport").changed == 1
    assert {s.score_bp for s in tables_evidence.scores(filled)} == {12_750, 10_000}
    bad = tmp_path / "bad.json"
    bad.write_text('{"address": "0x0", "score": NaN}')
    with pytest.raises(UsageError, match="not JSON"):
        import_scores(filled, bad, "passport")
    with pytest.raises(UnknownName, match="kind of identity score"):
        import_scores(filled, table, "passports")


def test_farcaster_ens_and_nostr(filled: Store, tmp_path: Path) -> None:
    put_identities(filled, [Identity(author_id("ann"), ADDRESSES[0], "test")])
    hub = {"messages": [{"data": {"fid": 3, "verificationAddAddressBody": {"address": ADDRESSES[0]}}}]}
    (tmp_path / "hub.json").write_text(json.dumps(hub))
    report = import_scores(filled, tmp_path / "hub.json", "farcaster")
    assert report.added == 1 and "farcaster:3" in report.left_out[0].reason
    (tmp_path / "ens.csv").write_text(f"name,address,handle\nann.eth,{ADDRESSES[0]},ann\nnobody,{ADDRESSES[1]},bob\n")
    assert import_scores(filled, tmp_path / "ens.csv", "ens").added == 1
    assert {s.kind: s.score_bp for s in tables_evidence.scores(filled)} == {"farcaster": 10_000, "ens": 5_000}, "one way only"
    put_text(filled, "I am ann.eth over there")
    assert import_scores(filled, tmp_path / "ens.csv", "ens").changed == 1
    event = nostr_event([["i", "forum:ann", "proof"]])
    put_text(filled, f"my key is {event['pubkey']}")
    (tmp_path / "nostr.jsonl").write_text(json.dumps(event) + "\n" + json.dumps({**event, "content": "changed"}) + "\n")
    report = import_scores(filled, tmp_path / "nostr.jsonl", "nostr")
    assert report.added == 1 and "not signed by its key" in report.left_out[0].reason
    assert {s.kind: s.score_bp for s in tables_evidence.scores(filled)} == {"farcaster": 10_000, "ens": 10_000, "nostr": 10_000}


def put_text(store: Store, text: str) -> None:
    store.execute("UPDATE posts SET plain = plain || ' ' || ? WHERE author = ?", [text, author_id("ann")])


def nostr_event(tags: list[list[str]]) -> dict[str, Any]:
    import hashlib

    key = PrivateKey(b"\x09" * 32)
    public = key.public_key_xonly.format().hex()
    body = [0, public, 1_700_000_000, 0, tags, "{}"]
    digest = hashlib.sha256(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()).digest()
    head = {"id": digest.hex(), "pubkey": public, "created_at": 1_700_000_000, "kind": 0, "tags": tags, "content": "{}"}
    return {**head, "sig": key.sign_schnorr(digest).hex()}


def test_once_there_are_scores_the_unproved_count_half() -> None:
    from index.config import RewardsConfig
    from rewards.evidence import trust_levels

    edges, seeds = [("seed", "a", 1), ("seed", "b", 1)], {"seed": 1}
    plain = trust_levels(edges, seeds, RewardsConfig(), frozenset(), False)
    scored = trust_levels(edges, seeds, RewardsConfig(), frozenset({"a"}), True)
    assert scored["a"] == plain["a"] and scored["b"] == plain["b"] // 2 and scored["seed"] == plain["seed"]
