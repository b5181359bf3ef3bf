"""The search index that the pages' own script reads: words → SOPs with weights, in small files by first letters.

Weights are BM25's, worked out here and rounded, so that the browser only adds. Scripts rather than JSON, since a page
opened from a folder may load scripts and nothing else.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from index.search import COMMON as COMMON_WORDS
from publish.text import clean

BLOCK = 500  # SOPs in one file of titles
FIELDS = (("title", 3), ("goal", 2))  # and the text of steps, once
MOST_WORDS = 4_000  # of one SOP; the longest real one has about a thousand
K, B = 1.2, 0.4
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Words as search.js takes them apart: small letters, digits, no plural s."""
    return [stem(word) for word in _WORD.findall(clean(text).lower())]


def stem(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


COMMON = frozenset(map(stem, COMMON_WORDS))  # what every question has: in no file of words, and not asked for


def shard(word: str) -> str:
    """The file that a word is in: the code points of its first two letters."""
    return "-".join(f"{ord(letter):x}" for letter in word[:2])


def counts_of(record: Mapping[str, Any]) -> Counter[str]:
    """How often each word is in it, but those that every question has."""
    found: Counter[str] = Counter()
    for name, weight in FIELDS:
        for word in words_of(record[name]):
            found[word] += weight
    for step in record["steps"]:
        found.update(words_of(step["text"]))
        if found.total() > MOST_WORDS:
            break
    return Counter({word: count for word, count in found.items() if word not in COMMON})


class Words:
    """Fill with `add`, in the order of the SOPs, then write with `files`."""

    def __init__(self) -> None:
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._lengths: list[int] = []

    def add(self, record: Mapping[str, Any]) -> None:
        counts = counts_of(record)
        for word, count in counts.items():
            self._postings[word].append((len(self._lengths), count))
        self._lengths.append(counts.total())

    def files(self) -> Iterator[tuple[str, str]]:
        """(name, content) of each file."""
        mean = max(1.0, sum(self._lengths) / max(1, len(self._lengths)))
        shards: dict[str, dict[str, list[int]]] = defaultdict(dict)
        for word, postings in sorted(self._postings.items()):
            idf = math.log(1 + (len(self._lengths) - len(postings) + 0.5) / (len(postings) + 0.5))
            flat: list[int] = []
            for place, count in postings:
                share = count * (K + 1) / (count + K * (1 - B + B * self._lengths[place] / mean))
                flat += [place, max(1, round(100 * idf * share))]
            shards[shard(word)][word] = flat
        for name, words in shards.items():
            yield f"data/words-{name}.js", put(f"words-{name}", words)


def title_files(rows: Iterable[Mapping[str, Any]], firsts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, content): [id, title, steps, authors, begin of the first step] of the SOPs, block by block."""
    block: list[list[Any]] = []
    number = 0
    for row in rows:
        block.append([row["id"], clean(row["title"]), row["steps"], row["authors"], firsts.get(row["id"], "")])
        if len(block) == BLOCK:
            yield f"data/sops-{number}.js", put(f"sops-{number}", block)
            block, number = [], number + 1
    if block or number == 0:
        yield f"data/sops-{number}.js", put(f"sops-{number}", block)


def put(name: str, value: Any) -> str:
    """A script that hands a value over; nothing in it can end the script or begin another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"precipitate.put({json.dumps(name)},{text});\n"
