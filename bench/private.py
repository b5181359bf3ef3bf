"""What masking hides in the corpora, and what it must not: EVM addresses and hashes.

    python -m bench.private [--corpora ../shared/corpora] [--show 5]

Per kind: how many are hidden, with samples to read (a hidden thing that is none is a false positive; there is no other
judge than who reads them). Then the proof that no address and no hash of 64 digits behind 0x lost a character, and the time.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from index.plain import derive
from index.private import HIDDEN, kinds, mask

HOME = Path(__file__).parent.parent
PUBLIC = re.compile(r"\b0x(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\b")


def texts(corpora: Path) -> Iterator[str]:
    for path in sorted(corpora.glob("*/topics.jsonl")):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                for post in json.loads(line).get("post_stream", {}).get("posts", []):
                    raw = post.get("raw")
                    yield derive(raw if raw is not None else post.get("cooked") or "", "markdown" if raw is not None else "html").text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=HOME.parent / "shared" / "corpora")
    parser.add_argument("--show", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[str]] = defaultdict(list)
    posts = characters = hit = public = broken = 0
    spent = 0.0
    for text in texts(options.corpora):
        began = time.process_time()
        masked = mask(text)
        spent += time.process_time() - began
        posts, characters, hit = posts + 1, characters + len(text), hit + (masked != text)
        for kind, (start, end) in kinds(text) if masked != text else ():
            found[kind].append(f"{text[max(0, start - 30) : start]}⟦{text[start:end]}⟧{text[end : end + 20]}".replace("\n", " "))
        for match in PUBLIC.finditer(text):
            public += 1
            broken += HIDDEN in masked[match.start() : match.end()]
    print(
        f"{posts:,} posts, {characters:,} characters, {hit:,} posts with something hidden, {spent:.1f} s ({1e6 * spent / posts:.0f} µs a post)"
    )
    for kind, samples in sorted(found.items(), key=lambda entry: -len(entry[1])):
        print(f"{kind}: {len(samples):,}")
        for sample in samples[:: max(1, len(samples) // max(1, options.show))][: options.show]:
            print(f"    {sample[:200]}")
    print(f"0x addresses and hashes: {public:,}, of which {broken} lost a character")


if __name__ == "__main__":
    main()
