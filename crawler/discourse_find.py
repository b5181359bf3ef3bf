"""Is this address a Discourse forum? Asked of its /site.json: below the address as typed, else at the root of its host."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer, read_object
from crawler.discourse import source_id
from crawler.fields import line, mapping
from crawler.probe import Probe
from index.errors import SourceError
from index.records import Source

# Keys of Discourse's /site.json since its first versions; any two of them will do.
DISCOURSE_KEYS = ("default_archetype", "notification_types", "post_types", "post_action_types", "categories", "groups", "top_menu_items")


def find(address: str, probe: Probe) -> Source | None:
    """The forum at a web address. None for other schemes; SourceError, which says why, where it is no Discourse forum."""
    if address.partition("://")[0].lower() not in ("http", "https"):
        return None
    base_url, site = _ask_site(address, probe)
    if sum(key in site for key in DISCOURSE_KEYS) < 2:
        raise SourceError(
            f"{base_url} is not a Discourse forum: its /site.json says something else", "see that the address is that of its front page"
        )
    return Source(
        id=source_id(base_url),
        kind="discourse",
        address=address,
        base_url=base_url,
        title=_ask_title(base_url, probe),
        allow_private=probe.allow_private,
    )


def _ask_site(address: str, probe: Probe) -> tuple[str, dict[str, Any]]:
    """The forum's front page and its /site.json."""
    parts = urlsplit(address)
    root = f"{parts.scheme.lower()}://{parts.netloc.lower()}"
    answer: Answer | None = None
    for base_url in dict.fromkeys((root + parts.path.rstrip("/"), root)):
        answer = probe.ask(base_url + "/site.json")
        if answer.status != 404:
            break
    assert answer is not None
    return base_url, read_object(answer)


def _ask_title(base_url: str, probe: Probe) -> str:
    """The forum's name; a forum that does not tell it has none."""
    try:
        about = read_object(probe.ask(base_url + "/about.json"))
    except SourceError:
        return ""
    return line(mapping(about.get("about")).get("title")) or ""
