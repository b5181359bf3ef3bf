"""What a visit to a forum has to know of the store: read by the parent, which alone opens it."""

from __future__ import annotations

from typing import Any

from index import tables_discussion as tables
from index.records import Source
from index.store import Store


def hints(store: Store, source: Source) -> dict[str, Any]:
    """`recheck`: numbers of threads where a post was missing at the last look; a second look settles it."""
    numbers = (thread.rpartition("/t/")[2] for thread in tables.unconfirmed_threads(store, source.id))
    return {"recheck": [int(number) for number in numbers if number.isdecimal()]}
