"""Posts that were deleted after a round was frozen: their words are taken out of what the round keeps and publishes.

The places stay (post, span, points), so roots and amounts hold; whether the amount stays is the round's rule
(rewards/corrections.py). Called by every `precipitate run`, after credits were computed.
"""

from __future__ import annotations

import json
from pathlib import Path

from index import tables_rounds
from index.store import Store
from index.workspace import Workspace, write_atomic
from rewards import ledger
from rewards.frozen import FOLDER, erase_words
from rewards.ledger import Event
from rewards.published import snapshot_text


def erase(store: Store, workspace: Workspace, at: str | None = None) -> dict[str, list[str]]:
    """Round → posts whose words were taken out of its files now. The ledger says so; it never held the words."""
    gone = tables_rounds.gone_posts(store)
    told: dict[str, list[str]] = {}
    changes: list[tuple[Path, str]] = []
    for path in sorted([*(workspace.rounds / FOLDER).glob("*.json"), *workspace.rounds.glob("*.json")]):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            posts = erase_words(data, gone.keys())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # damaged: `round audit` and `round show` say so
        if posts:
            changes.append((path, snapshot_text(data)))
            told[data["round"]["name"]] = sorted({*told.get(data["round"]["name"], []), *posts})
    if not told:
        return {}
    events = [
        Event("words_erased", ledger.moment(store, at), name, {"posts": {post: gone[post] for post in posts}})
        for name, posts in sorted(told.items())
    ]
    with store.transaction():
        ledger.append(store, events)
        for path, text in changes:
            write_atomic(path, text)
    ledger.publish(store, workspace)
    return told
