"""Quotes where they were said: the sentence before and the one after, from the plain text that this machine holds.

A snapshot holds the text of posts; a release that was fetched does not. Then, and where a post was taken back since,
both are empty: what is not there is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from index.snapshot import Snapshot

MOST = 240  # characters on each side
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|\n+")


def around(plain: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after a span, to the ends of the sentences there; each at most MOST characters."""
    before = [piece.strip() for piece in _END.split(plain[max(0, start - 4 * MOST) : start])]
    after = [piece.strip() for piece in _END.split(plain[end : end + 4 * MOST])]
    left = next((piece for piece in reversed(before) if piece), "")
    right = next((piece for piece in after if re.search(r"\w", piece)), "")
    return (left if len(left) <= MOST else "…" + left[1 - MOST :]), (right if len(right) <= MOST else right[: MOST - 1] + "…")


def with_context(record: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """The record with `before` and `after` in each citation of its steps and stances."""
    cited = [*(c for step in record["steps"] for c in step["citations"]), *(stance["citation"] for stance in record["stances"])]
    posts = snapshot.posts(sorted({citation["post"] for citation in cited}))

    def placed(citation: Mapping[str, Any]) -> dict[str, Any]:
        post = posts.get(citation["post"])
        known = post is not None and post["plain"][citation["start"] : citation["end"]] == citation["exact"]
        before, after = around(post["plain"], citation["start"], citation["end"]) if post is not None and known else ("", "")
        return {**citation, "before": before, "after": after}

    steps = [{**step, "citations": [placed(citation) for citation in step["citations"]]} for step in record["steps"]]
    return {**record, "steps": steps, "stances": [{**stance, "citation": placed(stance["citation"])} for stance in record["stances"]]}
