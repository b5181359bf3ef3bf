"""What many ask: found by its form in people's own words, put together, counted by account, and silent where answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.embed import DIMENSIONS
from index.plain import derive
from index.search import Searcher, build_search
from index.snapshot import FILE, Snapshot, build_snapshot
from index.store import Store
from publish.frontier import body, embed, frontier, is_telling, questions_of, render_frontier, together
from tests.publish import toy

SILENT = lambda *_: None  # noqa: E731


def post(number: int, author: str, raw: str, thread: str = "t:1") -> dict[str, Any]:
    plain = derive(raw, "raw")
    return {
        **{"id": f"p:{number}", "thread": thread, "number": number, "author": author, "handle": author, "likes": 0},
        **{"permalink": f"https://f.example/t/1/{number}", "created": f"2025-01-{number:02}T00:00:00Z"},
        **{"plain": plain.text, "blocks": plain.blocks_json()},
    }


@pytest.mark.parametrize(
    "text",
    [
        "How do I delegate a portion of my tokens?",
        "Hi all. Is there a guide for running an archive node?",
        "what is the process for renewing a badge?",
        "Could someone explain slashing protection?",
        "Where can we find the minutes of the treasury call?",
        "how to export the signed ballot file?",
    ],
)
def test_questions_for_a_way_are_heard(text: str) -> None:
    (found,) = questions_of([post(1, "ann", text)])
    assert text.endswith(found["exact"]) and text[found["start"] : found["end"]] == found["exact"]


@pytest.mark.parametrize(
    "text",
    [
        "How does the sequencer order transactions?",
        "How can an attacker delay the channel?",
        "How do I do this?",
        "What should I do?",
        "But how can we solve it?",
        "Is that so?",
        "> How do I delegate a portion of my tokens?",
        "```\nHow do I delegate a portion of my tokens?\n```",
        "How do I delegate a portion of my tokens.",
    ],
)
def test_other_questions_and_other_people_s_are_not(text: str) -> None:
    assert questions_of([post(1, "ann", text)]) == []


def test_what_was_asked_before_word_for_word_is_a_quote() -> None:
    posts = [post(1, "ann", "How do I delegate my tokens?"), post(2, "bob", "how do I delegate my tokens ?")]
    assert [question["author"] for question in questions_of(posts)] == ["ann"]


def test_a_question_needs_words_of_its_own() -> None:
    assert is_telling("How do I renew a delegate badge?")
    assert not is_telling("How do we get this to them?")
    assert is_telling("How do I move this multisig wallet to another chain address?")


def test_groups_have_a_leader_and_no_chains() -> None:
    """a–b and b–c are near, a–c are not: b leads, and where b's account is a's own, that does not count twice."""
    a, b, c, far = np.zeros((4, DIMENSIONS), dtype=np.int8)
    a[:2], b[:2], c[:2], far[5] = (127, 0), (90, 90), (0, 127), 127
    questions = [{"author": name} for name in ("ann", "bob", "cyd", "dee")]
    assert together(questions, np.stack([a, b, c, far])) == [[1, 0, 2], [3]]


class Counting:
    model = "toy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return np.frombuffer(b"".join(toy.vector(text) for text in texts), dtype=np.int8).reshape(len(texts), -1)


def test_vectors_are_made_once_and_kept_without_words(tmp_path: Path) -> None:
    kept, counting = tmp_path / "cache" / "q.npz", Counting()
    first = embed(["a question", "another"], counting, kept, SILENT)  # type: ignore[arg-type]
    again = embed(["another", "a question", "new"], counting, kept, SILENT)  # type: ignore[arg-type]
    assert counting.asked == ["a question", "another", "new"]
    assert (first[0] == again[1]).all() and (first[1] == again[0]).all()
    assert b"question" not in kept.read_bytes()
    embed(["new"], counting, kept, SILENT)  # type: ignore[arg-type]
    assert np.load(kept)["vectors"].shape[0] == 1, "what is gone is forgotten"
    kept.write_bytes(b"damaged")
    embed(["new"], counting, kept, SILENT)  # type: ignore[arg-type]
    assert counting.asked[-1] == "new"


@pytest.fixture
def asked(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Snapshot, Searcher]:
    """The demo forum, with five posts that ask the same, one that agrees, and one question that an SOP answers."""
    texts = {
        "p/9001": ("wrenfield", "How do I ride zebra quizzes?"),
        "p/9002": ("jun_mesh", "So how can we ride the zebra quizzes?"),
        "p/9003": ("yusuf_b", "I'd like to know, too: +1"),
        "p/9004": ("jun_mesh", "How do I ride zebra quizzes now?"),
    }
    authors = dict(store.execute("SELECT handle, id FROM authors"))
    for n, (name, (handle, text)) in enumerate(texts.items()):
        plain = derive(text, "raw")
        store.execute(
            "INSERT INTO posts SELECT ?, source, thread, 900 + ?, ?, ?, format, body, permalink, edited, version, reply_to, 'live', likes, "
            "'post', 'hash', ?, ?, offsets, plain_version, first_seen, last_seen FROM posts WHERE thread LIKE '%/t/41' AND number = 1",
            [
                f"discourse:forum.harbourside.example/{name}",
                n,
                authors[handle],
                f"2025-09-0{n + 1}T00:00:00Z",
                plain.text,
                plain.blocks_json(),
            ],
        )
    build_snapshot(store, tmp_path / FILE)
    build_search(store, tmp_path)
    monkeypatch.setattr("index.query.asker", lambda name: type("Toy", (), {"encode": lambda self, texts: Counting().embed(texts)})())
    return Snapshot(tmp_path / FILE), Searcher(tmp_path, "toy")


def test_a_challenge_counts_accounts_and_has_its_receipts(
    asked: tuple[Snapshot, Searcher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publish.frontier.ANSWERED_BP", 10_001)
    snapshot, searcher = asked
    found = frontier(snapshot, searcher, tmp_path / "q.npz", 100, 2, SILENT)
    (told,) = [challenge for challenge in found if "zebra" in challenge["title"]]
    assert (told["asked"], told["agreed"], len(told["quotes"])) == (3, 1, 3), "two accounts asked, one agreed; one asked twice"
    posts = snapshot.posts([quote["post"] for quote in told["quotes"]])
    for quote in told["quotes"]:
        assert posts[quote["post"]]["plain"][quote["start"] : quote["end"]] == quote["exact"]
    assert told["first"] < told["last"] and told["id"].startswith("ask-") and told["nearest"]["id"].startswith("sop-")
    assert json.loads(json.dumps(found)) == found
    assert "asked by 3" in render_frontier(found)
    assert frontier(snapshot, searcher, tmp_path / "q.npz", 100, 2, SILENT) == found
    assert not [c for c in frontier(snapshot, searcher, tmp_path / "q.npz", 100, 4, SILENT) if "zebra" in c["title"]]


def test_what_an_sop_answers_is_no_challenge(asked: tuple[Snapshot, Searcher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publish.frontier.ANSWERED_BP", 0)
    assert frontier(*asked, tmp_path / "q.npz", 100, 1, SILENT) == []
    assert "No question" in render_frontier([])


def test_an_empty_index_has_no_frontier(tmp_path: Path) -> None:
    with Store(tmp_path / "work.duckdb") as store:
        build_snapshot(store, tmp_path / FILE)
        build_search(store, tmp_path)
    with Snapshot(tmp_path / FILE) as snapshot:
        assert frontier(snapshot, Searcher(tmp_path, "toy"), tmp_path / "q.npz", 5, 1, SILENT) == []


def test_a_bounty_calls_nobody_and_holds_no_markup() -> None:
    quote = {
        "exact": "How do I <b>@everyone</b> [x](javascript:1) `rm`?",
        "handle": "a_b*",
        "created": "2025-01-01",
        "permalink": "https://f.example/t/1",
    }
    told = {"asked": 2, "first": "2025-01-01", "last": "2025-02-01", "quotes": [quote] * 7, "id": "ask-1"}
    text = body(told)
    assert "\\@everyone" in text and "\\<b\\>" in text and "\\[x\\]\\(" in text and "\\`rm" in text and "and 2 more" in text
