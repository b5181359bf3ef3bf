"""The mapping from Discourse's JSON to records: what it makes of good payloads, and that no payload breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.discourse import MAX_BODY, Forum, source_id, thread_records
from index.records import Author, Edge, Post, Reaction, Reject, Thread, Tombstone
from index.spool import Record, Roster, read_batch, write_batch

NOW = "2026-01-01T00:00:00Z"
FORUM = Forum("discourse:f.example.org", "https://f.example.org", NOW, categories={5: "Grants"})
D = "discourse:f.example.org"


def post(**changes: Any) -> dict[str, Any]:
    """A good post; None takes a key away."""
    good = {
        "id": 11,
        "post_number": 1,
        "post_type": 1,
        "username": "Ann",
        "user_id": 7,
        "name": "Ann A.",
        "created_at": "2024-05-01T10:00:00.123Z",
        "updated_at": "2024-05-02T10:00:00Z",
        "version": 1,
        "cooked": "<p>Hello</p>",
        "raw": "Hello",
        "actions_summary": [],
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def thread(*posts: Any, **changes: Any) -> dict[str, Any]:
    good = {"id": 3, "title": "How to", "created_at": "2024-05-01T09:00:00Z", "category_id": 5, "tags": ["a"]}
    return good | {"post_stream": {"posts": list(posts)}} | changes


def read(payload: Any, forum: Forum = FORUM) -> list[Record]:
    return thread_records(forum, payload, "topics.jsonl:17")


def only(records: list[Record], kind: type) -> Any:
    found = [record for record in records if isinstance(record, kind)]
    assert len(found) == 1, found
    return found[0]


def all_of(records: list[Record], kind: type) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def test_a_good_thread() -> None:
    records = read(thread(post()))
    assert only(records, Author) == Author(f"{D}/u/7", D, "Ann", "Ann A.", False)
    assert only(records, Thread) == Thread(
        f"{D}/t/3", D, "How to", "2024-05-01T09:00:00Z", "https://f.example.org/t/3", "Grants", ("a",), None
    )
    assert only(records, Post) == Post(
        id=f"{D}/p/11",
        source=D,
        thread=f"{D}/t/3",
        number=1,
        author=f"{D}/u/7",
        created="2024-05-01T10:00:00Z",
        format="cooked",
        body="<p>Hello</p>",
        permalink="https://f.example.org/t/3/1",
    )
    assert only(records, Reaction) == Reaction(f"{D}/p/11", "", "like", 0, alone=True)  # told that there is none
    assert not all_of(records, Reject) and not all_of(records, Roster)


def test_synthetic_ids_and_authors_without_number() -> None:
    forum = Forum(D, "https://f.example.org", NOW, synthetic=True)
    records = read(thread(post(user_id=None), post(id=12, post_number=2, user_id=None, username="42", reply_to_post_number=1)), forum)
    assert [p.id for p in all_of(records, Post)] == [f"{D}/t/3/1", f"{D}/t/3/2"]
    # Somebody who is called "42" is not the user whose number is 42.
    assert [p.author for p in all_of(records, Post)] == [f"{D}/u/ann", f"{D}/u/@42"]
    assert only(records, Edge) == Edge("reply", f"{D}/t/3/2", f"{D}/t/3/1")


@pytest.mark.parametrize(
    ("given_date", "expected"),
    [
        ("2018-02-16", "2018-02-16T00:00:00Z"),
        ("2024-05-01T10:00:00.999Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
    ],
)
def test_dates(given_date: str, expected: str) -> None:
    assert only(read(thread(post(created_at=given_date))), Post).created == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "post without id"),
        ({"id": True}, "post without id"),
        ({"id": "11"}, "post without id"),
        ({"id": 10**30}, "post without id"),
        ({"username": None}, "post without author"),
        ({"username": ["x"]}, "post without author"),
        ({"username": " \x00 "}, "post without author"),
        ({"created_at": None}, "post without date"),
        ({"created_at": 1714557600}, "post without date"),
        ({"created_at": "yesterday at noon"}, "post with an impossible date"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "post with an impossible date"),
        ({"created_at": "9999-12-31T23:59:59-14:00"}, "post with an impossible date"),
        ({"created_at": "2026-01-09T00:00:00Z"}, "post with an impossible date"),
        ({"created_at": "1970-01-01T00:00:00Z"}, "post with an impossible date"),
        ({"cooked": None, "raw": None}, "post without text"),
        ({"cooked": " \n", "raw": ""}, "post without text"),
        ({"cooked": {"a": 1}, "raw": 7}, "post without text"),
        ({"cooked": "x" * (MAX_BODY + 1)}, "post too large"),
        ({"post_type": 3, "cooked": "", "raw": ""}, "moderator's action without text"),
    ],
)
def test_a_bad_post_is_left_out_and_the_rest_goes_on(changes: dict[str, Any], reason: str) -> None:
    records = read(thread(post(post_number=3, **changes) if "post_number" not in changes else post(**changes), post(id=12, post_number=4)))
    assert [p.id for p in all_of(records, Post)] == [f"{D}/p/12"]
    assert (only(records, Reject).where, only(records, Reject).reason) == ("topics.jsonl:17 post 3", reason)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "not a thread"),
        ([], "not a thread"),
        ("x", "not a thread"),
        ({}, "thread without id"),
        (thread(post(), id="3"), "thread without id"),
        (thread(), "thread without posts"),
        ({"id": 3, "post_stream": {"posts": {"0": {}}}}, "thread without posts"),
        ({"id": 3, "post_stream": []}, "thread without posts"),
        ({"id": 3, "post_stream": {"posts": [None, 3]}}, "thread without posts"),
    ],
)
def test_what_is_no_thread(payload: Any, reason: str) -> None:
    assert only(read(payload), Reject) == Reject(D, "topics.jsonl:17", reason)


def test_bad_optional_fields_are_noted_and_the_post_stays() -> None:
    records = read(thread(post(version="two", actions_summary=[{"id": 2, "count": "many"}])))
    assert only(records, Post).version == 1
    assert {r.reason for r in all_of(records, Reject)} == {"version is not a number", "count is not a number"}


def test_raw_where_there_is_no_cooked() -> None:
    got = only(read(thread(post(cooked=None))), Post)
    assert (got.format, got.body) == ("raw", "Hello")


def test_edited_and_moderated() -> None:
    records = read(thread(post(version=3), post(id=12, post_number=2, hidden=True), post(id=13, post_number=3, post_type=2)))
    assert [(p.state, p.edited, p.kind) for p in all_of(records, Post)] == [
        ("edited", "2024-05-02T10:00:00Z", "post"),
        ("moderated", None, "post"),
        ("live", None, "action"),
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"user_deleted": True}, "author_deleted"),
        ({"cooked": "<p>(post deleted by author)</p>"}, "author_deleted"),
        ({"cooked": "<p>(topic deleted by author)</p>"}, "author_deleted"),
        ({"cooked": None, "raw": "(post withdrawn by author, will be automatically deleted in 24 hours)"}, "author_deleted"),
        ({"deleted_at": "2024-06-01T00:00:00Z"}, "moderated"),
    ],
)
def test_a_deleted_post_leaves_a_tombstone_and_no_text(changes: dict[str, Any], state: str) -> None:
    records = read(thread(post(**changes)))
    assert only(records, Tombstone).state == state
    assert (only(records, Post).state, only(records, Post).body) == (state, "")
    assert not all_of(records, Reaction) and not all_of(records, Edge)


def test_a_tombstone_needs_no_author() -> None:
    records = read(thread(post(user_deleted=True, username=None), post(id=12, post_number=2)))
    assert only(records, Tombstone).post == f"{D}/p/11"
    assert only(records, Post).id == f"{D}/p/12"


def test_likes_with_and_without_names() -> None:
    summary = [{"id": 2, "count": 3}, {"id": 8, "count": 9}]
    assert only(read(thread(post(actions_summary=summary))), Reaction) == Reaction(f"{D}/p/11", "", "like", 3, alone=True)
    likers = [{"id": 7, "username": "Ann"}, {"id": 9, "username": "bob"}, {"username": "Cy"}, "junk"]
    records = read(thread(post(actions_summary=[{"id": 2, "count": 5}], post_action_users=likers)))
    assert [(r.actor.rpartition("/")[2], r.count) for r in all_of(records, Reaction)] == [("7", 1), ("9", 1), ("cy", 1), ("", 2)]
    assert only(records, Post).likes == 5
    assert not all_of(read(thread(post(actions_summary=None))), Reaction)  # nothing was said of likes


def test_reactions_of_the_plugin() -> None:
    """A list of reactions is whole: likes are those of the emoji that is the like, which a thread tells."""
    told = [{"id": "+1", "type": "emoji", "count": 2}, {"id": "tada", "count": 1}, {"id": "x y", "count": 1}, {"id": "eyes", "count": 0}]
    raw = post(actions_summary=[{"id": 2, "count": 3}], reactions=told)
    records = read(thread(raw, valid_reactions=["+1", "tada"]))
    assert [(r.kind, r.count, r.alone) for r in all_of(records, Reaction)] == [("like", 2, False), ("tada", 1, False)]
    assert only(records, Reject).reason == "reaction without name or count" and only(records, Post).likes == 3
    kinds = [(r.kind, r.count) for r in all_of(read(thread(raw)), Reaction)]
    assert kinds == [("like", 0), ("+1", 2), ("tada", 1)]  # nothing says that the like is another one than the heart
    assert [(r.kind, r.count, r.alone) for r in all_of(read(thread(post(reactions=[]))), Reaction)] == [("like", 0, False)]


def test_edges_of_cooked() -> None:
    cooked = (
        '<aside class="quote no-group" data-username="bob" data-post="2" data-topic="3"><a href="https://f.example.org/t/x/3/2">q</a></aside>'
        '<aside class="quote" data-post="9" data-topic="8"></aside>'
        '<p><a class="mention" href="/u/Bob">@Bob</a> <a class="mention" href="/u/eve">@eve</a>'
        '<a href="https://f.example.org/t/some-slug/55/4?u=x">l</a> <a href="/t/66">m</a> <a href="https://other.org/t/x/1">no</a>'
        '<a href="https://f.example.org/t/how-to/3">this very thread</a></p>'
    )
    records = read(thread(post(cooked=cooked, reply_to_post_number=2), post(id=12, post_number=2, username="bob", user_id=8)))
    assert [(e.kind, e.target) for e in all_of(records, Edge)] == [
        ("reply", f"{D}/p/12"),
        ("quote", f"{D}/p/12"),
        ("quote", f"{D}/t/8#9"),
        ("mention", f"{D}/u/8"),
        ("mention", f"{D}/u/eve"),
        ("link", f"{D}/t/55#4"),
        ("link", f"{D}/t/66"),
    ]
    assert all_of(records, Post)[0].reply_to == f"{D}/p/12"


def test_edges_of_raw() -> None:
    raw = (
        '[quote="bob, post:2, topic:3, full:true"]\nwords\n[/quote]\n[quote=“Cy, post:1, topic:4”] x [/quote] me@mail.org @bob. (@eve)\n'
        "see https://f.example.org/t/a-slug/55, [here](/t/77/2) and https://f.example.org/c/6"
    )
    records = read(thread(post(cooked=None, raw=raw), post(id=12, post_number=2, username="bob", user_id=8)))
    assert [(e.kind, e.target) for e in all_of(records, Edge)] == [
        ("quote", f"{D}/p/12"),
        ("quote", f"{D}/t/4#1"),
        ("mention", f"{D}/u/8"),
        ("mention", f"{D}/u/eve"),
        ("link", f"{D}/t/55"),
        ("link", f"{D}/t/77#2"),
    ]


def test_a_reply_to_a_post_that_is_not_here() -> None:
    records = read(thread(post(reply_to_post_number=9)))
    assert only(records, Post).reply_to is None
    assert only(records, Edge).target == f"{D}/t/3#9"
    assert not all_of(read(thread(post(reply_to_post_number=1))), Edge)  # nothing answers itself


def test_the_accepted_post() -> None:
    two = post(id=12, post_number=2)
    assert only(read(thread(post(), two | {"accepted_answer": True})), Thread).accepted_post == f"{D}/p/12"
    assert only(read(thread(post(), two, accepted_answer={"post_number": 2})), Thread).accepted_post == f"{D}/p/12"
    assert only(read(thread(post(), two, accepted_answer={"post_number": 5})), Thread).accepted_post is None


def test_the_roster_is_believed_only_if_it_names_the_posts_given() -> None:
    def roster(stream: Any) -> list[Any]:
        return all_of(read(thread(post_stream={"posts": [post()], "stream": stream})), Roster)

    assert roster([11, 12]) == [Roster(f"{D}/t/3", (f"{D}/p/11", f"{D}/p/12"))]
    assert roster([12]) == roster(None) == roster("11") == roster([]) == []


def test_newer_tags_are_objects() -> None:
    assert only(read(thread(post(), tags=[{"id": 1, "name": "a"}, "b", 7, {"name": None}])), Thread).tags == ("a", "b")


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://f.example.org", "discourse:f.example.org"),
        ("https://F.Example.org:443/", "discourse:f.example.org"),
        ("http://127.0.0.1:8080", "discourse:127.0.0.1:8080"),
        ("https://example.org/forum", "discourse:example.org/forum"),
        ("https://[2001:db8::1]:3000", "discourse:[2001:db8::1]:3000"),
    ],
)
def test_source_ids(base_url: str, expected: str) -> None:
    assert source_id(base_url) == expected


# --- no payload breaks it ------------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["\ud800", "\x00", "2024-05-01", "99999-01-01", "<aside class=quote data-post=1 data-topic=2>", "@" * 50, "<a " * 50]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from(["id", "count", "username", "name", "post_number"]), st.integers() | st.text(max_size=5), max_size=3),
)
KEYS = [*post(), "hidden", "user_deleted", "deleted_at", "reply_to_post_number", "post_action_users", "accepted_answer"]
POSTS = st.lists(st.dictionaries(st.sampled_from(KEYS), ODD).map(lambda changes: post() | changes), max_size=4)
THREAD_KEYS = ["id", "title", "created_at", "category", "category_id", "tags", "accepted_answer", "post_stream"]


@settings(max_examples=300, deadline=None)
@given(POSTS, st.dictionaries(st.sampled_from(THREAD_KEYS), ODD), ODD, st.booleans())
def test_mutated_payloads_never_break_the_mapping(posts: list[Any], changes: dict[str, Any], stream: Any, synthetic: bool) -> None:
    payload = thread(*posts) | {"post_stream": {"posts": posts, "stream": stream}} | changes
    forum = Forum(D, "https://f.example.org", NOW, synthetic)
    for record in thread_records(forum, payload, "somewhere"):
        json.dumps([str(value) for value in (getattr(record, name) for name in record.__slots__)]).encode()
        if isinstance(record, Post):
            assert record.body.encode() is not None and 0 <= record.likes < 2**31 and record.created.endswith("Z")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(THREAD_KEYS + KEYS), inner, max_size=4))
)
def test_any_json_is_some_records(payload: Any) -> None:
    assert thread_records(FORUM, payload, "somewhere")


def test_odd_text_passes_the_spool(tmp_path: Any) -> None:
    records = read(thread(post(cooked="a\ud800b\x00c", username="a\ud800\nb")))
    batch = read_batch(write_batch(tmp_path, D, records, {}))
    assert batch.records == tuple(records)
    assert only(list(batch.records), Author).handle == "a? b"
