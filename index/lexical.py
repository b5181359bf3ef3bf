"""tantivy behind one door: BM25 over stemmed English words of procedures and kept passages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TIES = 50  # hits beyond k that are looked at, so that among equal ones ids decide
LONGEST_QUERY = 1_000  # characters: a longer one is a paste, its beginning says what it is about


def _schema() -> Any:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("body", tokenizer_name="en_stem")
    return builder.build()


def build(folder: Path, documents: Iterable[tuple[str, str, str]]) -> None:
    """Write an index of (id, title, body) documents into an empty folder."""
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    index = tantivy.Index(_schema(), path=str(folder))
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    for identifier, title, body in documents:
        writer.add_document(tantivy.Document(id=identifier, title=title, body=body))
    writer.commit()
    writer.wait_merging_threads()


def search(folder: Path, query: str, k: int) -> list[str]:
    """Ids, best first. The query is words, never an expression: quotes and operators in it mean nothing."""
    import tantivy

    words = " ".join(re.findall(r"\w+", query[:LONGEST_QUERY].lower()))  # in capitals, AND, OR, NOT and IN would be operators
    if not words:
        return []
    index = tantivy.Index.open(str(folder))
    searcher = index.searcher()
    parsed, _ = index.parse_query_lenient(words, ["title", "body"], field_boosts={"title": 2.0})
    hits = searcher.search(parsed, k + TIES).hits
    found = [(round(score, 4), searcher.doc(address)["id"][0]) for score, address in hits]
    return [identifier for _, identifier in sorted(found, key=lambda hit: (-hit[0], hit[1]))][:k]
