"""tantivy behind one door: BM25 over stemmed English words."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from index.errors import StoreError

TIES = 50  # hits beyond k that are looked at, so that among equal ones ids decide
LONGEST_QUERY = 1_000  # characters: a longer one is a paste, its beginning says what it is about
IDS = "ids.json"  # ids by place: fetching a document only for its id would unpack all that is stored with it
_WORD = re.compile(r"\w+")


class Document(NamedTuple):
    """What is found by its words; `stored` is given back as it is."""

    id: str
    text: str
    stored: str = ""


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("place", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name="en_stem")
    builder.add_bytes_field("stored", stored=True, indexed=False)
    return builder.build()


def build(folder: Path, documents: Iterable[tuple[str, str] | Document]) -> None:
    """Write an index of documents into an empty folder."""
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(_schema(), path=str(folder))
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    ids = []
    for place, document in enumerate(Document(*row) for row in documents):
        ids.append(document.id)
        entry = tantivy.Document(text=document.text, stored=document.stored.encode())
        entry.add_unsigned("place", place)
        writer.add_document(entry)
    writer.commit()
    writer.wait_merging_threads()
    (folder / IDS).write_text(json.dumps(ids), encoding="utf-8")


class Lexical:
    """An index opened for reading, to be asked again and again."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        try:
            self.ids: list[str] = json.loads((folder / IDS).read_text(encoding="utf-8"))
            self._index = tantivy.Index.open(str(folder))
            self._searcher = self._index.searcher()
        except (ValueError, OSError) as error:
            raise StoreError(f"{folder} cannot be searched: {error}", "run `precipitate run` to make a new release") from None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {identifier: place for place, identifier in enumerate(self.ids)}

    def scores(self, query: str, k: int, allowed: Collection[str] | None = None) -> list[tuple[str, int]]:
        """(id, BM25 in thousandths), best first, of `allowed` alone if given. The query is words, never an expression:
        quotes and operators in it mean nothing."""
        words = " ".join(_WORD.findall(query[:LONGEST_QUERY].lower()))  # in capitals, AND, OR, NOT and IN would be operators
        if not words or k < 1:
            return []
        parsed, _ = self._index.parse_query_lenient(words, ["text"])
        limit = k + TIES if allowed is None else max(1, len(self.ids))
        hits = self._searcher.search(parsed, limit, count=False).hits
        places = self._searcher.fast_field_values("place", [address for _, address in hits])
        found = [(self.ids[place], round(score * 1000)) for (score, _), place in zip(hits, places, strict=True)]
        return sorted((hit for hit in found if allowed is None or hit[0] in allowed), key=lambda hit: (-hit[1], hit[0]))[:k]

    def search(self, query: str, k: int, allowed: Collection[str] | None = None) -> list[str]:
        """Ids, best first."""
        return [identifier for identifier, _ in self.scores(query, k, allowed)]

    def stored(self, ids: Sequence[str]) -> dict[str, str]:
        """What was stored with each of these documents."""
        import tantivy

        places = [self._places[identifier] for identifier in ids]
        if not places:
            return {}
        wanted = tantivy.Query.term_set_query(self._index.schema, "place", places)
        addresses = [address for _, address in self._searcher.search(wanted, len(places), count=False).hits]
        found = self._searcher.fast_field_values("place", addresses)
        texts = {self.ids[p]: bytes(self._searcher.doc(a)["stored"][0]).decode() for p, a in zip(found, addresses, strict=True)}
        return {identifier: texts[identifier] for identifier in ids}


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
    return [(word.start(), word.end()) for word in _WORD.finditer(text) if not asked.isdisjoint(_stems_of(word[0]))] if asked else []


@lru_cache(maxsize=20_000)
def _stems_of(word: str) -> tuple[str, ...]:
    return tuple(stems(word))
