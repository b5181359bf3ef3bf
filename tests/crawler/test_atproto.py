"""AT Protocol's records, events and repositories: what they become, and every way they can be wrong."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from crawler.atproto import Repo, event_records, handle_records, record_records, tid_moment
from crawler.atproto_identity import read_document
from crawler.dagcbor import Link, as_json, decode, encode
from crawler.repository import BrokenRepository, is_signed_by, read_repository, verify
from index.records import Account, Deletion, Edge, IdentityLink, Post, ReactionEvent, Reject, Thread, Vanish
from index.spool import Record
from tests.crawler.mutations import check_records, mutate
from tests.crawler.samples import SAMPLES, needs_samples
from tests.emulators.atproto import LIKE, POST, PROFILE, REPOST, AtWorld, tid

S, NOW, T = "atproto:pds.example.org", "2026-11-01T00:00:00Z", "2024-05-01T10:00:00Z"
DID, OTHER = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
ROOT = f"at://{OTHER}/{POST}/3kroot"
REPO = Repo(S, DID, NOW, "2024-06-01T00:00:00Z")


def read(record: Any, collection: str = POST, rkey: str = "3kabc", repo: Repo = REPO) -> list[Record]:
    return record_records(repo, collection, rkey, record)


def only(kind: type, records: list[Record]) -> Any:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Reject)]


def test_a_post_a_reply_and_what_it_points_at() -> None:
    records = read({"text": "How to plant\n1. dig", "createdAt": "2024-05-01T10:00:00.123Z", "tags": ["garden"]})
    post = only(Post, records)
    assert (post.id, post.thread, post.author, post.created) == (f"at://{DID}/{POST}/3kabc",) * 2 + (f"at://{DID}", T)
    assert post.permalink == f"https://bsky.app/profile/{DID}/post/3kabc" and only(Thread, records).title == "How to plant"
    reply = {
        "text": "see https://example.org/a and @bob",
        "createdAt": T,
        "reply": {"root": {"uri": ROOT}, "parent": {"uri": f"at://{DID}/{POST}/3kmid"}},
        "embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": f"at://{OTHER}/{POST}/3kquoted"}}, "media": {"external": {"uri": "https://example.org/b"}}},
        "facets": [{"index": {}, "features": [{"did": OTHER}, {"uri": "https://example.org/c"}, {"tag": "x"}]}],
        "bridgyOriginalUrl": "https://fed.example/1",
    }  # fmt: skip
    records = read(reply)
    post = only(Post, records)
    assert (post.thread, post.reply_to, only(Thread, records).title) == (ROOT, f"at://{DID}/{POST}/3kmid", "")
    assert {(edge.kind, edge.target) for edge in records if isinstance(edge, Edge)} == {
        ("reply", f"at://{DID}/{POST}/3kmid"), ("quote", f"at://{OTHER}/{POST}/3kquoted"), ("mention", f"at://{OTHER}"),
        ("link", "https://example.org/a"), ("link", "https://example.org/b"), ("link", "https://example.org/c"),
        ("bridged_from", "https://fed.example/1"),
    }  # fmt: skip


def test_reactions_profiles_and_handles() -> None:
    like = only(ReactionEvent, read({"subject": {"uri": ROOT}, "createdAt": T}, LIKE))
    assert like == ReactionEvent(f"at://{DID}/{LIKE}/3kabc", ROOT, f"at://{DID}", "like", T)
    assert only(ReactionEvent, read({"subject": {"uri": ROOT}, "createdAt": T}, REPOST)).kind == "repost"
    profile = read({"displayName": "Ann", "description": "I am at https://ann.example"}, PROFILE, "self")
    assert only(Account, profile) == Account(f"at://{DID}", S, "", "Ann", REPO.changed)
    assert only(IdentityLink, profile).target == "https://ann.example"
    assert [record.target for record in handle_records(S, DID, "Ann.Example", T) if isinstance(record, IdentityLink)] == ["ann.example"]
    assert [record.kind for record in handle_records(S, DID, "handle.invalid", T) if isinstance(record, IdentityLink)] == [""]
    assert read({"anything": 1}, "app.bsky.graph.follow") == []


def test_what_cannot_be_used_says_why() -> None:
    assert reasons(read({"text": "x"})) == ["post without date"]
    assert reasons(read({"text": "x", "createdAt": "1970-01-01T00:00:00Z"})) == ["post with an impossible date"]
    assert reasons(read({"text": "x", "createdAt": "2099-01-01T00:00:00Z"})) == ["post with an impossible date"]
    assert reasons(read({"text": " ", "createdAt": T})) == ["post without text"] and reasons(read([])) == ["record is not an object"]
    assert reasons(read({"text": "x", "createdAt": T, "reply": {"root": {"uri": "x"}}})) == ["reply to nothing"]
    assert reasons(read({"subject": {"uri": "https://x"}, "createdAt": T}, LIKE)) == ["reaction to nothing"]
    assert reasons(read({"text": "x", "createdAt": T}, rkey="a b")) == ["record with an impossible address"]


def event(kind: str, **body: Any) -> dict[str, Any]:
    return {"did": DID, "time_us": 1_714_557_600_000_000, "kind": kind, kind: body}


def test_events_of_a_jetstream() -> None:
    rev = tid(1_714_557_660_000_000)
    made = event("commit", rev=rev, operation="update", collection=POST, rkey="3kabc", record={"text": "new", "createdAt": T})
    assert only(Post, event_records(S, made, NOW)).edited == "2024-05-01T10:01:00Z"
    gone = event("commit", rev=rev, operation="delete", collection=POST, rkey="3kabc")
    assert event_records(S, gone, NOW) == [Deletion(f"at://{DID}/{POST}/3kabc", f"at://{DID}", "deleted by its author")]
    assert only(Vanish, event_records(S, event("account", active=False, status="deleted"), NOW)).state == "author_deleted"
    assert only(Vanish, event_records(S, event("account", active=False, status="takendown"), NOW)).state == "moderated"
    assert event_records(S, event("account", active=False, status="deactivated"), NOW) == []
    assert only(Account, event_records(S, event("identity", handle="ann.example", time=T), NOW)).handle == "ann.example"
    assert reasons(event_records(S, {"did": "x"}, NOW)) == ["event without DID"]
    assert reasons(event_records(S, {**made, "time_us": 1}, NOW)) == ["event with an impossible date"]
    assert tid_moment(rev, NOW) == "2024-05-01T10:01:00Z" and tid_moment("x", NOW) is None


def test_documents_of_dids() -> None:
    world = AtWorld()
    ann = world.person("ann")
    world.url = "https://pds.example"
    person = read_document(ann.did, ann.document())
    assert (person.handle, person.pds, person.key) == ("ann.example.org", "https://pds.example", ann.multibase)
    assert read_document(OTHER, ann.document()).pds == "" and read_document(OTHER, []).key == ""


def test_a_repository_is_checked_and_signed() -> None:
    world = AtWorld()
    ann, bob = world.person("ann"), world.person("bob")
    posts = [ann.post(f"words {n}") for n in range(40)]
    car = ann.car()
    repository = read_repository(car)
    assert [path for path, _, _ in repository.records] == [uri.split("/", 3)[3] for uri in posts] and repository.rev == ann.rev
    assert is_signed_by(repository, ann.multibase) and not is_signed_by(repository, bob.multibase) and not is_signed_by(repository, "zx")
    place = car.index(b"words 7")
    tampered = read_repository(car[:place] + b"forged!" + car[place + 7 :])
    assert [why for _, why in tampered.broken] == ["block is not what its hash says"] and len(tampered.records) == 39
    for broken in (b"", b"\x00", car[:50], car[: len(car) // 2] + b"\xff" * 9, car[100:]):
        with pytest.raises(BrokenRepository):
            read_repository(broken)


def test_trees_that_turn_in_a_circle_or_are_out_of_order() -> None:
    from tests.emulators.atproto import block, varint

    def car(*entries: dict[str, Any], left: Link | None = None) -> bytes:
        root, node = block({"l": left, "e": list(entries)})
        head, commit = block({"did": DID, "version": 3, "data": Link(root), "rev": "x", "prev": None, "sig": b"x"})
        header = encode({"roots": [Link(head)], "version": 1})
        blocks = [(head, commit), (root, node)]
        return varint(len(header)) + header + b"".join(varint(len(c) + len(d)) + c + d for c, d in blocks)

    value = Link(b"\x01\x71\x12\x20" + b"\0" * 32)
    entry = {"p": 0, "k": b"b/1", "v": value, "t": None}
    for entries in ([entry, entry], [entry, {**entry, "k": b"a/1"}], [{**entry, "p": 3}], [{"p": 0}], ["x"]):
        with pytest.raises(BrokenRepository):
            read_repository(car(*entries))  # type: ignore[arg-type]
    assert read_repository(car(entry)).broken == (("b/1", "block is missing"),)


def test_dag_cbor_both_ways() -> None:
    value = {"a": [1, -7, 2**40, "é", b"\0", None, True, {"longer": Link(b"\x01\x71\x12\x20" + b"\1" * 32)}]}
    assert decode(encode(value)) == value and as_json(value)["a"][4] == {"$bytes": "AA"}
    for broken in (
        b"",
        b"\x9f",
        b"\xff",
        b"\x1c",
        b"\x82\x01",
        b"\xa1\x01\x01",
        b"\x61\xff",
        b"\xc1\x01",
        b"\x81" * 200 + b"\x01",
        b"\x01\x01",
        b"\x9b" + b"\xff" * 8,
    ):
        with pytest.raises(ValueError):
            decode(broken)


def test_signatures_of_both_curves() -> None:
    """The key of P-256 is made by `cryptography`; one bit of the message, or a high S, breaks the signature."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    key = ec.derive_private_key(77, ec.SECP256R1())
    raw = b"\x80\x24" + key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    letters, number, text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = letters[digit] + text
    r, s = utils.decode_dss_signature(key.sign(b"words", ec.ECDSA(hashes.SHA256())))
    low, high = min(s, order - s), max(s, order - s)
    good = r.to_bytes(32, "big") + low.to_bytes(32, "big")
    assert verify("z" + text, b"words", good) and not verify("z" + text, b"Words", good)
    assert not verify("z" + text, b"words", r.to_bytes(32, "big") + high.to_bytes(32, "big")) and not verify(
        "z" + text, b"words", good[:-1]
    )


@needs_samples
def test_real_samples_are_read_whole() -> None:
    events = [json.loads(row) for row in (SAMPLES / "bluesky_jetstream_expected_v1.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [event_records(S, event, "2026-12-01T00:00:00Z") for event in events]
    for event, records in zip(events, found, strict=True):
        check_records(records)
        commit = event.get("commit", {})
        if commit.get("collection") in (LIKE, REPOST) and commit["operation"] == "create":
            assert only(ReactionEvent, records).created
        if commit.get("collection") == POST:
            words = commit.get("record", {}).get("text", "").strip()
            kind = Deletion if commit["operation"] == "delete" else Post if words else Reject
            assert only(kind, records)
    left_out = [reason for records in found for reason in reasons(records)]
    assert set(left_out) <= {"post without text"} and sum(isinstance(record, Post) for records in found for record in records) > 10


def seeds() -> list[dict[str, Any]]:
    post = {"text": "How to", "createdAt": T, "reply": {"root": {"uri": ROOT, "cid": "x"}, "parent": {"uri": ROOT, "cid": "x"}}, "tags": ["a"],
            "embed": {"record": {"uri": ROOT}, "external": {"uri": "https://example.org"}}, "facets": [{"features": [{"did": OTHER}, {"uri": "https://e.org"}]}]}  # fmt: skip
    rev = tid(1_714_557_660_000_000)
    return [
        *(event("commit", rev=rev, operation=op, collection=POST, rkey="3kabc", record=post) for op in ("create", "update", "delete")),
        event("commit", rev=rev, operation="create", collection=LIKE, rkey="3kabc", record={"subject": {"uri": ROOT}, "createdAt": T}),
        event("commit", rev=rev, operation="create", collection=PROFILE, rkey="self", record={"displayName": "A", "description": "https://a.example"}),
        event("identity", handle="ann.example", time=T, seq=7), event("account", active=False, status="deleted", time=T),
    ]  # fmt: skip


def fuzz(count: int, seed: int = 0) -> tuple[int, int]:
    """(payloads, refused): no crash, nothing from a broken part, and a reason wherever nothing came of a commit."""
    chance, originals = random.Random(seed), seeds()
    refused = 0
    for _ in range(count):
        broken = mutate(chance.choice(originals), chance)
        records = event_records(S, broken, NOW)
        check_records(records)
        refused += any(isinstance(record, Reject) for record in records)
        commit = broken.get("commit") if isinstance(broken, dict) else None
        if isinstance(commit, dict) and commit.get("collection") == POST and broken.get("kind") == "commit":
            assert records, broken
        for record in records:
            if isinstance(record, Post):
                written = commit["record"]  # type: ignore[index]
                assert record.body in (
                    written.get("text"),
                    written.get("bridgyOriginalText"),
                    str(written.get("text")).encode("utf-8", "replace").decode(),
                )
                assert record.id.startswith(f"at://{broken['did']}/") and record.author == f"at://{broken['did']}"
    return count, refused


def test_mutated_events_leave_nothing_broken() -> None:
    count, refused = fuzz(2_000)
    assert refused > count // 4


def test_mutated_repositories_are_refused_or_checked() -> None:
    world = AtWorld()
    ann = world.person("ann")
    for number in range(20):
        ann.post(f"words {number}")
    car, chance = ann.car(), random.Random(1)
    whole = {(path, json.dumps(record)) for path, _, record in read_repository(car).records}
    for _ in range(1_000):
        place = chance.randrange(len(car))
        broken = bytearray(car)
        broken[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        try:
            found = read_repository(bytes(broken))
        except BrokenRepository:
            continue
        assert {(path, json.dumps(record)) for path, _, record in found.records} <= whole
