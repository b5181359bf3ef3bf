"""What procedures are filtered by: source, author, the days of their quotes, status, and the tags of their threads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import StoreError, UnknownName, UsageError

FILE = "facets.json"
SCHEMA = "precipitate/facets/1"
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is narrowed to; empty ones narrow nothing. Of one kind any may hold, of different kinds all must."""

    sources: Sequence[str] = ()
    authors: Sequence[str] = ()
    since: str = ""  # a year, month or day: the procedure holds a quote from then on …
    until: str = ""  # … and up to then, that whole year, month or day included
    statuses: Sequence[str] = ()
    tags: Sequence[str] = ()

    @property
    def any(self) -> bool:
        return bool(self.sources or self.authors or self.since or self.until or self.statuses or self.tags)


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Facets:
    """Of every procedure of a release what it can be filtered by; which passages are cited by which; which models made it."""

    procedures: Mapping[str, Mapping[str, Any]]  # id: sources, authors, days, status, tags
    citing: Mapping[str, Sequence[str]]  # passage id: procedures
    authors: Mapping[str, str]  # id: handle
    models: Sequence[str] = ()  # digests

    def save(self, folder: Path) -> None:
        whole = {"schema": SCHEMA, "procedures": self.procedures, "citing": self.citing, "authors": self.authors, "models": self.models}
        (folder / FILE).write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")

    def allowed(self, filters: Filters) -> frozenset[str] | None:
        """Ids of the procedures that pass, None where nothing is filtered. Raises UnknownName, UsageError."""
        if not filters.any or not self.procedures:
            return None
        sources = {found for text in filters.sources for found in self._source(text)}
        authors = {self._author(text) for text in filters.authors}
        statuses = {self._known("status", text) for text in filters.statuses}
        tags = {self._known("tag", text) for text in filters.tags}
        since, until = _first_day(filters.since), _last_day(filters.until)
        return frozenset(
            identifier
            for identifier, facet in self.procedures.items()
            if (not sources or not sources.isdisjoint(facet["sources"]))
            and (not authors or not authors.isdisjoint(facet["authors"]))
            and (not statuses or facet["status"].casefold() in statuses)
            and (not tags or not tags.isdisjoint(map(str.casefold, facet["tags"])))
            and (not (since or until) or any(since <= day and (not until or day <= until) for day in facet["days"]))
        )

    def _source(self, text: str) -> list[str]:
        """Sources by their id, host or address; a host may have several, one of each kind."""
        known = sorted({source for facet in self.procedures.values() for source in facet["sources"]})
        host = re.sub(r"^https?://", "", text.strip()).rstrip("/").casefold()
        found = [source for source in known if text == source or host == source.partition(":")[2].casefold()]
        if not found:
            raise UnknownName("source with SOPs", text, known)
        return found

    def _author(self, text: str) -> str:
        """An author by id, `ann` or `ann@host`. Raises UnknownName with the nearest, UsageError with the candidates."""
        if text in self.authors:
            return text
        names = {identifier: f"{handle}@{host_of(identifier)}" for identifier, handle in self.authors.items()}
        asked = text.casefold()
        found = [i for i, handle in self.authors.items() if asked in (handle.casefold(), names[i].casefold())]
        exact = [i for i in found if text in (self.authors[i], names[i])]
        found = exact if len(exact) == 1 else found
        if not found:
            raise UnknownName("author of a cited post", text, sorted(set(names.values()) | set(self.authors.values())))
        if len(found) > 1:
            raise UsageError(f"{text!r} is {len(found)} authors", f"say which: {', '.join(f'{names[i]} ({i})' for i in sorted(found)[:5])}")
        return found[0]

    def _known(self, kind: str, text: str) -> str:
        known = {
            value.casefold() for facet in self.procedures.values() for value in ([facet["status"]] if kind == "status" else facet["tags"])
        }
        if text.casefold() not in known:
            raise UnknownName(kind, text, sorted(known))
        return text.casefold()


def host_of(identifier: str) -> str:
    """'forum.example.org' of 'discourse:forum.example.org/u/7'."""
    return identifier.partition(":")[2].partition("/")[0]


def _first_day(text: str) -> str:
    _check_day(text)
    return text


def _last_day(text: str) -> str:
    """Comparable with days: everything in that year or month comes before it."""
    _check_day(text)
    return text if not text or len(text) == 10 else text + "-99"


def _check_day(text: str) -> None:
    if text and not _DAY.fullmatch(text):
        raise UsageError(f"{text!r} is not a date", "write 2024, 2024-05 or 2024-05-01")


def facets_of(
    records: Iterable[Mapping[str, Any]], tags: Mapping[str, Sequence[str]], passages: Mapping[str, tuple[str, int, int]]
) -> Facets:
    """`tags` by thread; `passages` (post, start, stop) by their ids."""
    procedures, authors, models = {}, {}, set()
    cited: dict[str, list[tuple[int, int, str]]] = {}  # by post
    for record in records:
        citations = [citation for step in record["steps"] for citation in step["citations"]]
        for c in citations:
            cited.setdefault(c["post"], []).append((c["start"], c["end"], record["id"]))
            authors[c["author"]] = c["handle"]
        models.update(record["generator"].get("models", ()))
        procedures[record["id"]] = {
            "sources": sorted({entry["source"] for entry in record["sources"]}),
            "authors": sorted({c["author"] for c in citations}),
            "days": sorted({c["created"][:10] for c in citations}),
            "status": record["status"],
            "tags": sorted({tag for thread in record["threads"] for tag in tags.get(thread, ())}),
        }
    citing = {
        name: sorted({identifier for first, last, identifier in cited.get(post, ()) if first < stop and last > start})
        for name, (post, start, stop) in passages.items()
    }
    return Facets(procedures, citing, dict(sorted(authors.items())), sorted(models))


def load(folder: Path) -> Facets:
    try:
        whole = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if whole["schema"] != SCHEMA:
            raise ValueError(whole["schema"])
        return Facets(whole["procedures"], whole["citing"], whole["authors"], whole["models"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(
            f"{folder / FILE} is missing or of another version: the current release was made by another precipitate",
            "run `precipitate run` to refresh it",
        ) from None
