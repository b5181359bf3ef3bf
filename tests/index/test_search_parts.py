"""Vectors, words and the sentence model: same in, same out; ties by id; hostile queries find nothing and break nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import embed, lexical, vectors
from index.errors import StoreError


class ByHash:
    """In place of the sentence model, which is loaded for the demo forum only: a unit vector that follows from the text."""

    def encode(self, texts: list[str], **_: object) -> np.ndarray:
        self.seen = texts
        rows = [np.random.default_rng(list(text.encode())).normal(size=embed.DIMENSIONS) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows])


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> embed.Encoder:
    monkeypatch.setattr(embed, "_load", lambda name: ("sha256:0", ByHash()))
    return embed.Encoder()


def test_encoder_gives_int8_rows_in_the_order_asked(encoder: embed.Encoder) -> None:
    texts = ["Open the page.", "a much longer text about planting a tree in the yard", "b", "Open the page."]
    found = encoder.encode(texts)
    assert found.dtype == np.int8 and found.shape == (4, embed.DIMENSIONS)
    assert (found[0] == found[3]).all() and not (found[0] == found[2]).all()
    assert (encoder.encode(texts[::-1]) == found[::-1]).all()
    assert (encoder.encode(["b", "a"]) == encoder.encode(["a", "b"])[::-1]).all()


def test_the_model_sees_the_same_batches_whatever_the_order(encoder: embed.Encoder) -> None:
    """So that rounding, which depends on a batch, is the same: the model gets the texts shortest first."""
    encoder.encode(["ccc", "a", "bb", "b"])
    first = encoder._model.seen
    encoder.encode(["b", "bb", "ccc", "a"])
    assert encoder._model.seen == first == ["a", "b", "bb", "ccc"]


def test_encoder_with_nothing_and_with_much(encoder: embed.Encoder) -> None:
    assert encoder.encode([]).shape == (0, embed.DIMENSIONS)
    same = encoder.encode(["x" * 100_000, "x" * embed.LONGEST, "", "\u202e🙂"])
    assert (same[0] == same[1]).all() and same.shape == (4, embed.DIMENSIONS)


def test_weights_with_another_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "PACKAGED_SHA256", "0" * 64)
    with pytest.raises(StoreError, match="expected 000000000000") as error:
        embed.Encoder()
    assert "reinstall" in error.value.way_out


def test_cosine_in_basis_points() -> None:
    a = np.array([[127, 0], [0, 0]], dtype=np.int8)
    assert embed.cosine_bp(a, np.array([[50, 0], [0, 9], [-9, 0], [9, 9]], dtype=np.int8)).tolist() == [
        [10_000, 0, -10_000, 7071],
        [0, 0, 0, 0],
    ]


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(-127, 128, (count, 16)).astype(np.int8)


def test_vectors_round_trip(tmp_path: Path) -> None:
    points = rows(20)
    ids = [f"id {n}" for n in range(20)]
    index = vectors.build(ids, points)
    index.save(tmp_path, "goals")
    again = vectors.load(tmp_path, "goals")
    assert again.ids == tuple(ids)
    found = index.search(points, 5)
    assert again.search(points, 5) == found
    assert [line[0] for line in found] == [(name, 10_000) for name in ids]
    assert all([bp for _, bp in line] == sorted((bp for _, bp in line), reverse=True) for line in found)


def test_vectors_at_the_edges(tmp_path: Path) -> None:
    empty = vectors.build([], np.zeros((0, 16), dtype=np.int8))
    assert empty.search(rows(2), 3) == [[], []]
    empty.save(tmp_path, "none")
    assert vectors.load(tmp_path, "none").ids == ()
    index = vectors.build(["a"], rows(1))
    assert index.search(rows(0), 3) == [] and index.search(rows(1), 0) == [[]]
    assert len(index.search(rows(1), 99)[0]) == 1
    assert index.search(np.zeros((1, 16), dtype=np.int8), 1) == [[("a", 0)]]


def test_equal_vectors_come_by_id() -> None:
    same = np.ones((6, 16), dtype=np.int8)
    found = vectors.build(list("fedcba"), same).search(same[:1], 6)
    assert [name for name, _ in found[0]] == list("abcdef")


def test_equal_vectors_come_by_id_where_not_all_fit() -> None:
    same = np.ones((6, 16), dtype=np.int8)
    found = vectors.build(list("fedcba"), same).search(same[:1], 3)
    assert [name for name, _ in found[0]] == list("abc")


DOCUMENTS = [
    *((name, "grant form\napply for a grant") for name in "fedcba"),
    ("kayak", "Kayak rack\npaint the rack; Grants are not for kayaks"),
    ("zoë", "Café evening\nсварить суп"),
]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words") / "index"
    lexical.build(folder, DOCUMENTS)
    return folder


def test_words_are_found_by_stem_and_ties_come_by_id(words: Path) -> None:
    assert lexical.search(words, "applying", 9) == list("abcdef")
    assert lexical.search(words, "kayaks", 9) == ["kayak"]
    assert lexical.search(words, "суп", 9) == ["zoë"]
    assert lexical.search(words, "bicycle", 9) == []


def test_equal_words_come_by_id_where_not_all_fit(words: Path) -> None:
    assert lexical.search(words, "apply", 3) == list("abc")


@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            " ",
            '"',
            '""',
            "((((",
            "AND",
            "OR OR",
            "NOT",
            "+",
            "-",
            "*",
            "a:b:c",
            "title:",
            "[a TO z]",
            "{a TO z}",
            "~2",
            "^9",
            "\\",
            "\x00",
            "\ud800",
        ),
        *("kayak" * 20_000, "kayak " * 17_000, '"' * 100_000, "(" * 100_000, "🙂" * 1000, "a\u202eb", "/.*/", "IN [a b]", "TO"),
    ],
    ids=lambda q: ascii(q[:12]),
)
def test_hostile_queries_break_nothing(words: Path, query: str) -> None:
    assert set(lexical.search(words, query, 5)) <= {name for name, _ in DOCUMENTS}


def test_what_was_stored_comes_back(tmp_path: Path) -> None:
    rows = [lexical.Document(f"id {n}", "t", "x" * n + "ö\x00🙂") for n in range(5)]
    lexical.build(tmp_path / "index", rows)
    opened = lexical.Lexical(tmp_path / "index")
    assert opened.stored(["id 3", "id 0"]) == {"id 3": rows[3].stored, "id 0": rows[0].stored}
    assert opened.stored([]) == {}


def test_only_what_is_allowed_is_found(words: Path) -> None:
    opened = lexical.Lexical(words)
    assert opened.search("apply", 3, frozenset("fdz")) == ["d", "f"]
    assert opened.search("apply", 1, frozenset("f")) == ["f"]
    assert opened.search("apply", 9, frozenset()) == []


def test_an_index_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be searched") as told:
        lexical.Lexical(tmp_path / "nothing")
    assert "precipitate run" in told.value.way_out


def test_matches_are_by_stem() -> None:
    text = "Apply: applying applicants’ GRANTS, grant_x"
    spans = lexical.matches(text, frozenset(lexical.stems("apply grant")))
    assert [text[a:b] for a, b in spans] == ["Apply", "applying", "GRANTS", "grant_x"]
    assert lexical.matches(text, frozenset()) == []


def test_only_allowed_vectors_are_found(tmp_path: Path) -> None:
    points = rows(20)
    index = vectors.build([f"id {n:02}" for n in range(20)], points)
    allowed = {"id 03", "id 17"}
    (found,) = index.search(points[:1], 5, allowed)
    assert {name for name, _ in found} == allowed
    assert found == [hit for hit in index.search(points[:1], 20)[0] if hit[0] in allowed]


@pytest.mark.parametrize("query", ['"kayak"', "kayak)", "title:kayak", "kayak^9", "+kayak -nothing", "kayak~2"])
def test_signs_in_a_query_mean_nothing(words: Path, query: str) -> None:
    assert lexical.search(words, query, 1) == ["kayak"]


@pytest.mark.parametrize("query", ["NOT kayak", "kayak AND bicycle", "grant NOT kayak"])
def test_operator_words_in_a_query_mean_nothing(words: Path, query: str) -> None:
    assert "kayak" in lexical.search(words, query, 9)
