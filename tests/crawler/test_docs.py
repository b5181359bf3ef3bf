"""The manual of crawling says what the code does: every kind of source stands in it, and every limit with its number."""

from __future__ import annotations

import pytest

from crawler import (
    discourse_again,
    discourse_extras,
    feed,
    github_sweep,
    hackernews_sweep,
    hive_sweep,
    lemmy_sweep,
    mastodon_sweep,
    politeness,
    snapshot_sweep,
    stackexchange_sweep,
)
from crawler.registry import ARCHIVES, NETWORKS
from index import aside
from index.config import CrawlConfig
from tests.conftest import HOME

CRAWLING, SOCIAL = ((HOME / "docs" / name).read_text(encoding="utf-8") for name in ("crawling.md", "social-networks.md"))
KINDS = {
    "discourse": "| Discourse | `https://forum.example.org` |",
    "snapshot": "`snapshot:space.eth`",
    "hackernews": "`hackernews:WORDS`",
    "lemmy": "| Lemmy 0.19 and 1.0 |",
    "hive": "| Hive |",
    "github": "| GitHub Discussions |",
    "stackexchange": "| Stack Exchange |",
    "stackexchange-dump": "| Stack Exchange dump |",
    "public-inbox": "| public-inbox |",
    "hyperkitty": "| HyperKitty (Mailman 3) |",
    "mbox": "| mbox |",
    "feed": "| RSS, Atom |",
    "table": "| Tables | `posts.jsonl` or `posts.parquet` beside `site.json` |",
    "archive": "`topics.jsonl`",
    "nostr": "`wss://relay.example.org`",
    "atproto": "`at://ann.example.org`",
    "jetstream": "`wss://jetstream.example.org/subscribe",
    "farcaster": "`farcaster:557,2@https://node.example.org:3381`",
    "mastodon": "a Mastodon server's own public posts",
    "payloads": "`events.jsonl`, `statuses.json`",
}
OLDER = (CrawlConfig().extra_requests * 4 // 5 - max(1, CrawlConfig().extra_requests * 4 // 5 // 4)) * 50
LIMITS = [
    f"{feed.MAX_ENTRIES:,} entries",
    f"{snapshot_sweep.MOST_SKIPPED:,} votes of one second",
    f"{discourse_extras.MOST_NAMES} names of each reaction",
    f"a rest of more than {politeness.MAX_WAIT / 60:.0f} minutes",
    {15: "Fifteen"}[politeness.BREAKER] + " failed attempts in a row",
    f"({CrawlConfig().extra_requests}; { ({4: 'one in four'}[discourse_again.SHARE]) } requests of a long run at least)",
    f"compare {OLDER} older posts",
    f"{snapshot_sweep.LOOKED_AT} proposals (Snapshot)",
    f"{hackernews_sweep.LOOKED_AT} stories (Hacker News)",
    f"{lemmy_sweep.LOOKED_AT} posts (Lemmy)",
    f"{hive_sweep.LOOKED_AT} discussions (Hive)",
    f"{github_sweep.LOOKED_AT} discussions (GitHub)",
    f"{stackexchange_sweep.LOOKED_AT} questions (Stack Exchange)",
    f"{mastodon_sweep.LOOKED_AT} posts (Mastodon)",
    f"the last {aside.LEFT} as they were",
]


def test_every_kind_of_source_is_described() -> None:
    assert set(KINDS) == set(NETWORKS) | set(ARCHIVES)
    assert [kind for kind, words in KINDS.items() if words not in CRAWLING + SOCIAL] == []


@pytest.mark.parametrize("words", LIMITS)
def test_limits_are_those_of_the_code(words: str) -> None:
    assert words in CRAWLING
