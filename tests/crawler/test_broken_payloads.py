"""What broken payloads once did, found by bench/fuzz.py: each once crashed a reader, or lost or invented something."""

from __future__ import annotations

from typing import Any

import pytest

from crawler import github, hackernews, hive, stackexchange
from crawler.reading import Reading
from index.records import Post, Reject
from index.spool import Record, Roster

NOW = "2026-01-01T00:00:00Z"


def posts(records: list[Record]) -> dict[str, Post]:
    return {record.id: record for record in records if isinstance(record, Post)}


def roster(records: list[Record]) -> set[str] | None:
    return next((set(record.posts) for record in records if isinstance(record, Roster)), None)


def reasons(records: list[Record]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Reject)]


@pytest.mark.parametrize("moment", [253_402_300_799, 253_402_300_800, 2**39 + 2**38, 2**40 - 1, 2**40, -1, 0, True])
def test_moments_beyond_the_year_9999_are_none(moment: int) -> None:
    assert Reading("x", NOW).moment(moment) is None


def comment(number: Any, text: Any = "Dig.", created: Any = 1_714_557_600, *below: Any) -> dict[str, Any]:
    return {"id": number, "type": "comment", "author": "bob", "created_at_i": created, "text": text, "children": list(below)}


def story(*below: Any) -> list[Record]:
    raw = {"id": 1, "type": "story", "author": "ann", "title": "How", "created_at_i": 1_714_557_600, "points": 3, "children": list(below)}
    return hackernews.tree_records("hackernews:x", raw, NOW)


def test_answers_to_a_comment_without_id_are_read() -> None:
    records = story(comment(None, "Dig.", 1_714_557_600, comment(3, "Then water.")))
    assert reasons(records) == ["comment without id"]
    assert posts(records)["hackernews:3"].reply_to == "hackernews:1"
    assert roster(records) is None  # who knows what the nameless one is: nothing may count as missing


def test_a_story_s_comment_that_cannot_be_read_is_not_missing() -> None:
    records = story(comment(2, created="x"), comment(3), comment(4, text=None))
    assert set(posts(records)) == {"hackernews:1", "hackernews:3"}
    assert roster(records) == {"hackernews:1", "hackernews:2", "hackernews:3"}  # one without text was taken back


def test_a_hive_post_that_cannot_be_read_is_not_missing() -> None:
    root = {"author": "ann", "permlink": "a", "title": "How", "body": "Dig.", "created": "2024-05-01T10:00:00"}
    reply = root | {"author": "bob", "permlink": "b", "parent_author": "ann", "parent_permlink": "a"}
    value = {"ann/a": root, "bob/b": reply | {"created": "x"}, "bob/c": reply}
    records = hive.discussion_records("hive:h", "ann/a", value, NOW)
    assert set(posts(records)) == {"hive:ann/a"} and len(reasons(records)) == 2
    assert roster(records) == {"hive:ann/a", "hive:bob/b", "hive:bob/c"}


def answer(number: Any, created: Any = 1_714_557_600, *comments: Any) -> dict[str, Any]:
    owner = {"user_id": 7, "display_name": "Ann"}
    return {"answer_id": number, "owner": owner, "creation_date": created, "body": "<p>So.</p>", "score": 0, "comments": list(comments)}


def question(*answers: Any) -> list[Record]:
    raw = answer(None) | {"question_id": 1, "title": "How?", "answers": list(answers)}
    return stackexchange.question_records("stackexchange:t", "t", raw, NOW)


def test_an_answer_that_cannot_be_read_is_not_missing_and_neither_are_its_comments() -> None:
    remark = {"comment_id": 9, "owner": {"user_id": 8}, "creation_date": 1_714_557_600, "body": "Thanks."}
    records = question(answer(2, "x", remark), answer(3, 1_714_557_600, remark | {"comment_id": 10, "creation_date": None}))
    assert set(posts(records)) == {"stackexchange:t/p/1", "stackexchange:t/p/3", "stackexchange:t/c/9"}
    assert roster(records) == {f"stackexchange:t/{name}" for name in ("p/1", "p/2", "p/3", "c/9", "c/10")}


@pytest.mark.parametrize("broken", [answer(None), answer(2, 1_714_557_600, {"body": "x"})])
def test_a_question_with_something_nameless_says_nothing_of_what_is_missing(broken: dict[str, Any]) -> None:
    records = question(broken)
    assert roster(records) is None and any("without id" in reason for reason in reasons(records))
    assert roster(question(answer(2))) == {"stackexchange:t/p/1", "stackexchange:t/p/2"}


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", None, 7, "https://a b"])
def test_links_of_github_are_web_addresses(url: Any) -> None:
    said = {"databaseId": 5, "url": url, "body": "Dig.", "createdAt": "2024-05-01T10:00:00Z", "author": {"login": "ann", "databaseId": 7}}
    records = github.discussion_records("tide/harbour", said | {"number": 1, "title": "How", "comments": {"nodes": [said]}}, NOW)
    links = {post.permalink for post in posts(records).values()}
    here = "https://github.com/tide/harbour/discussions/1"
    assert links == {here, f"{here}#discussioncomment-5"}
