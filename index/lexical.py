"""tantivy behind one door: BM25 over stemmed English words of procedures and kept passages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from index.errors import StoreError

TIES = 50  # hits beyond k that are looked at, so that among equal ones ids decide
LONGEST_QUERY = 1_000  # characters: a longer one is a paste, its beginning says what it is about
TITLE_BOOST = 2.0
_WORD = re.compile(r"\w+")


class Document(NamedTuple):
    """What is found by its words; `stored` is given back as it is."""

    id: str
    title: str
    body: str
    stored: str = ""


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("body", tokenizer_name="en_stem")
    builder.add_bytes_field("stored", stored=True, indexed=False)
    return builder.build()


def build(folder: Path, documents: Iterable[tuple[str, str, str] | Document]) -> None:
    """Write an index of documents into an empty folder."""
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(_schema(), path=str(folder))
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    for document in (Document(*row) for row in documents):
        writer.add_document(tantivy.Document(id=document.id, title=document.title, body=document.body, stored=document.stored.encode()))
    writer.commit()
    writer.wait_merging_threads()


class Lexical:
    """An index opened for reading, to be asked again and again."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        try:
            self._index = tantivy.Index.open(str(folder))
            self._searcher = self._index.searcher()
        except (ValueError, OSError) as error:
            raise StoreError(f"{folder} cannot be searched: {error}", "run `precipitate run` to make a new release") from None

    def search(self, query: str, k: int, allowed: Collection[str] | None = None) -> list[str]:
        """Ids, best first, of `allowed` alone if given. The query is words, never an expression: quotes and operators in it
        mean nothing."""
        words = " ".join(_WORD.findall(query[:LONGEST_QUERY].lower()))  # in capitals, AND, OR, NOT and IN would be operators
        if not words or k < 1:
            return []
        parsed, _ = self._index.parse_query_lenient(words, ["title", "body"], field_boosts={"title": TITLE_BOOST})
        limit = k + TIES if allowed is None else max(1, self._searcher.num_docs)
        hits = self._searcher.search(parsed, limit, count=False).hits
        found = [(round(score, 4), self._searcher.doc(address)["id"][0]) for score, address in hits]
        ranked = [identifier for _, identifier in sorted(found, key=lambda hit: (-hit[0], hit[1]))]
        return [identifier for identifier in ranked if allowed is None or identifier in allowed][:k]

    def stored(self, ids: Sequence[str]) -> dict[str, str]:
        """What was stored with each of these documents."""
        import tantivy

        if not ids:
            return {}
        wanted = tantivy.Query.term_set_query(self._index.schema, "id", list(ids))
        documents = [self._searcher.doc(address) for _, address in self._searcher.search(wanted, len(ids), count=False).hits]
        return {document["id"][0]: bytes(document["stored"][0]).decode() for document in documents}


def search(folder: Path, query: str, k: int) -> list[str]:
    """One question to an index that is not kept open."""
    return Lexical(folder).search(query, k)


@cache
def _analyzer() -> Any:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    return (
        builder.filter(tantivy.Filter.remove_long(40)).filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.stemmer("english")).build()
    )


def stems(text: str) -> list[str]:
    """The words of a text as the index holds them: in small letters, without endings."""
    return list(_analyzer().analyze(text))


def matches(text: str, asked: frozenset[str]) -> list[tuple[int, int]]:
    """Spans of the words of `text` whose stem is among `asked`."""
    return [(word.start(), word.end()) for word in _WORD.finditer(text) if not asked.isdisjoint(stems(word[0]))] if asked else []
