"""Check every citation of a workspace's current release against the archive it came from. Imports nothing of distill/.

    python -m bench.citations WORKSPACE ARCHIVE [ARCHIVE …]

For each citation: the post is read from the archive's own JSON, its plain text derived anew, and then
text[start:end] == exact, the author and the permalink are compared, and no citation may lie in a quote block. Personal
data are published as █: such a quote must be exact in every other character, and is counted apart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.plain import derive
from index.private import HIDDEN

EXACT, MASKED = "span exact", "span exact but for personal data that is hidden"
OTHERS = ("author right", "permalink right", "not quoted")


def archived_posts(folder: Path) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Post id → (author id, permalink, post as archived)."""
    site = json.loads((folder / "site.json").read_text())
    base = site["base_url"].rstrip("/")
    host = urlsplit(base).netloc
    posts = {}
    for line in (folder / "topics.jsonl").read_text(encoding="utf-8").strip().split("\n"):
        topic = json.loads(line)
        for post in topic["post_stream"]["posts"]:
            number = post["post_number"]
            key = f"{topic['id']}/{number}" if site.get("ids") == "synthetic" else str(post["id"])
            kind = "t" if site.get("ids") == "synthetic" else "p"
            author = str(post["user_id"]) if post.get("user_id") is not None else post["username"].lower()
            posts[f"discourse:{host}/{kind}/{key}"] = (f"discourse:{host}/u/{author}", f"{base}/t/{topic['id']}/{number}", post)
    return posts


def check(workspace: Path, archives: list[Path]) -> Counter[str]:
    posts = {key: value for archive in archives for key, value in archived_posts(archive).items()}
    found: Counter[str] = Counter()
    for line in (workspace / ".precipitate" / "current" / "procedures.jsonl").read_text(encoding="utf-8").strip().split("\n"):
        record = json.loads(line)
        for citation in [c for step in record["steps"] for c in step["citations"]] + [s["citation"] for s in record["stances"]]:
            found["citations"] += 1
            author, permalink, post = posts[citation["post"]]
            plain = derive(post["cooked"], "cooked") if post.get("cooked") else derive(post["raw"], "raw")
            start, end = citation["start"], citation["end"]
            span = exactness(plain.text[start:end], citation["exact"])
            found[span] += 1
            found["author right"] += author == citation["author"] and post["username"] == citation["handle"]
            found["permalink right"] += permalink == citation["permalink"]
            found["not quoted"] += not any(b.kind == "quote" and b.start < end and b.end > start for b in plain.blocks)
    return found


def exactness(said: str, exact: str) -> str:
    """How a quote stands in its post: to the letter, but for what is hidden, or not."""
    if said == exact and exact:
        return EXACT
    shown = [(a, b) for a, b in zip(said, exact, strict=False) if b != HIDDEN]
    return MASKED if len(said) == len(exact) and shown and all(a == b for a, b in shown) else "wrong"


def right(found: Counter[str]) -> bool:
    return found[EXACT] + found[MASKED] == found["citations"] and all(found[name] == found["citations"] for name in OTHERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("archives", type=Path, nargs="+")
    arguments = parser.parse_args()
    found = check(arguments.workspace, arguments.archives)
    for name in (EXACT, MASKED, *OTHERS):
        print(f"{name}: {found[name]} of {found['citations']}")
    raise SystemExit(not right(found))


if __name__ == "__main__":
    main()
