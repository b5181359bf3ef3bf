"""What the pages show, read from a release's snapshot and from allocated rounds: plain values, nothing of HTML."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from index.snapshot import Snapshot
from publish.inventory import inventory
from publish.text import clean

BATCH = 500  # records held in memory at once
ROLES = {
    "first_said": "said it first",
    "amended": "amended it",
    "corrected": "corrected it",
    "confirmed": "confirmed it",
    "vouched": "vouched early for it",
    "liked": "was liked for it",
    "asked": "asked what drew it out",
    "objected": "objected rightly",
    "outcome": "reported how it went",
    "origin": "is the origin of it",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A contributor: where their page is, and what they earned by SOP."""

    author: str
    handle: str
    source: str
    page: str  # "people/3f9a….html"
    points: int
    credits: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class SiteData:
    """Everything that the pages need; records come in batches, the rest fits in memory."""

    title: str
    root: str  # of the release
    made_by: str  # "precipitate 0.1.0"
    until: str  # the newest post
    snapshot: Snapshot
    credits: Sequence[Mapping[str, Any]]
    rounds: Sequence[Mapping[str, Any]]
    agents: bool = False  # with llms.txt and the .sop.md files that it links to
    procedures: list[dict[str, Any]] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    inventory: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.procedures = self.snapshot.procedures()
        self.people = _people(self.credits)
        self.inventory = inventory(self.snapshot)

    def records(self) -> Iterator[dict[str, Any]]:
        """Every procedure in the order of `procedures`."""
        for start in range(0, len(self.procedures), BATCH):
            ids = [row["id"] for row in self.procedures[start : start + BATCH]]
            found = self.snapshot.records(ids)
            yield from (found[identifier] for identifier in ids)


def _people(credits: Sequence[Mapping[str, Any]]) -> dict[str, Person]:
    """Contributors by their id, the largest first. A page is named by a hash: no name of a stranger becomes a file name."""
    by_author: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for credit in credits:
        by_author[credit["author"]].append(credit)
    total = {author: sum(int(credit["points"]) for credit in own) for author, own in by_author.items()}
    return {
        author: Person(author, own[0]["handle"], own[0]["source"], f"people/{short(author)}.html", total[author], own)
        for author, own in sorted(by_author.items(), key=lambda entry: (-total[entry[0]], entry[0]))
    }


def short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def safe_link(url: str) -> str:
    """An address that a page may link to: of the web or of a mail, without a way to hide where it leads; "" otherwise."""
    if len(url) > 2_000 or re.search(r"[\s\"'<>\\^`{|}\x00-\x20\x7f-\x9f]", url):
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in ("http", "https"):
        return url if parts.hostname and "@" not in parts.netloc else ""
    return url if parts.scheme in ("mid", "nostr", "at", "ipfs") else ""


def place(author: str) -> str:
    """ "forum.example.org" of "discourse:forum.example.org/u/7": where an account is."""
    return clean(author.partition(":")[2].partition("/")[0] or author)[:80]


def same_words(citations: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Citations of one role that say the same come together, in order of the first."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for citation in citations:
        found[citation["role"], " ".join(clean(citation["exact"]).casefold().split())].append(citation)
    return list(found.values())


def thread_links(record: Mapping[str, Any]) -> dict[str, str]:
    """Of each thread the address of its first post that is cited."""
    cited = [citation for step in record["steps"] for citation in step["citations"]]
    cited.sort(key=lambda citation: (citation["number"] is None, citation["number"] or 0))
    return {citation["thread"]: link for citation in reversed(cited) if (link := safe_link(citation["permalink"]))}


def tokens(amount: int, decimals: int, most: int | None = None) -> str:
    """Base units as a decimal number, exact: 1500000000000000000 with 18 decimals is "1.5". With `most` no more places than
    that: what is cut off ends in "…"."""
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(decimals + 1, "0")
    whole, rest = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    if most is not None and len(rest) > most:
        rest = rest[:most] + "…"
    return f"{sign}{int(whole):,}" + (f".{rest}" if rest else "")


@dataclass(frozen=True, slots=True)
class Round:
    """An allocated round as its page shows it."""

    name: str
    policy: str
    token: str
    budget: int
    decimals: int
    totals: Mapping[str, int]
    rows: Sequence[Mapping[str, Any]]  # allocations, the largest first
    gini_bp: int
    lorenz: Sequence[tuple[int, int]]  # basis points of payees, of the amount
    bins: Sequence[tuple[int, int, int]]  # (from, to, payees)


def round_of(raw: Mapping[str, Any]) -> Round:
    """Reads a round's file; tolerant of fields that later versions add."""
    head = raw["round"]
    rows = sorted(raw["allocations"], key=lambda row: (-int(row["amount"]), row["author"]))
    amounts = sorted(int(row["amount"]) for row in rows)
    totals = {name: int(raw["totals"].get(name, 0)) for name in ("paid", "held", "residual")}
    return Round(
        name=head["name"],
        policy=head["policy"],
        token=head["token"],
        budget=int(head["budget"]),
        decimals=int(head["decimals"]),
        totals=totals,
        rows=rows,
        gini_bp=gini(amounts),
        lorenz=lorenz(amounts),
        bins=histogram(amounts),
    )


def gini(amounts: Sequence[int]) -> int:
    """Basis points, of ascending amounts; 0 where there is nothing to be unequal in."""
    total, count = sum(amounts), len(amounts)
    if not total:
        return 0
    return 10_000 * sum((2 * place - count - 1) * amount for place, amount in enumerate(amounts, 1)) // (count * total)


def lorenz(amounts: Sequence[int], most: int = 100) -> list[tuple[int, int]]:
    """Points of the curve from (0, 0) to (10000, 10000), of ascending amounts."""
    total, count = sum(amounts), len(amounts)
    if not total:
        return [(0, 0), (10_000, 10_000)]
    points, running, step = [(0, 0)], 0, max(1, count // most)
    for place, amount in enumerate(amounts, 1):
        running += amount
        if place % step == 0 or place == count:
            points.append((10_000 * place // count, 10_000 * running // total))
    return points


def histogram(amounts: Sequence[int], bins: int = 12) -> list[tuple[int, int, int]]:
    """Equal bins from nothing to the largest amount."""
    if not amounts or not amounts[-1]:
        return []
    width = -(-amounts[-1] // bins)
    counts = [0] * bins
    for amount in amounts:
        counts[min(bins - 1, amount // width)] += 1
    return [(place * width, (place + 1) * width, count) for place, count in enumerate(counts)]
