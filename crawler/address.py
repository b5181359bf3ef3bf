"""What an address is: a folder with an archive, or a Discourse forum on the web. The kind is found by asking."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crawler.answers import Answer, read_object
from crawler.discourse import source_id
from crawler.fields import line, mapping
from crawler.network import ask, check_host
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source

POSTS_FILE, SITE_FILE = "topics.jsonl", "site.json"
MAX_SITE_BYTES = 32_000_000
# Keys of Discourse's /site.json since its first versions; any two of them will do.
DISCOURSE_KEYS = ("default_archetype", "notification_types", "post_types", "post_action_types", "categories", "groups", "top_menu_items")


def find_source(address: str, allow_private: bool, config: CrawlConfig) -> Source:
    """The source that an address names. Raises SourceError that says why it is none, and the way out."""
    address = address.strip()
    if "://" in address:
        return _find_forum(address, allow_private, config)
    folder = Path(address).expanduser()
    if folder.name == POSTS_FILE and folder.is_file():
        folder = folder.parent
    if folder.is_dir():
        return _find_archive(folder.resolve(), allow_private)
    hint = f"write https://{address}" if "." in address and "/" not in address.partition("/")[0] else "see that the path is right"
    raise SourceError(f"{address!r} is neither a folder here nor a web address", hint)


# --- archives -----------------------------------------------------------------------------------------------------


def _find_archive(folder: Path, allow_private: bool) -> Source:
    if not (folder / POSTS_FILE).is_file():
        raise SourceError(f"{folder} holds no {POSTS_FILE}", "an archive is a folder with topics.jsonl, a thread a line, and site.json")
    site = read_site(folder)
    base_url = archive_base_url(folder, site)
    return Source(
        id=source_id(base_url),
        kind="archive",
        address=str(folder),
        base_url=base_url,
        title=line(site.get("title")) or "",
        licence=line(site.get("licence")) or None,
        allow_private=allow_private,
    )


def read_site(folder: Path) -> dict[str, Any]:
    """`site.json` of an archive: `base_url`, and where they are known `title`, `licence`, `ids`, `categories`."""
    path = folder / SITE_FILE
    way_out = 'write one that says where the forum lives: {"base_url": "https://forum.example.org"}'
    try:
        if path.stat().st_size > MAX_SITE_BYTES:
            raise SourceError(f"{path} has more than {MAX_SITE_BYTES:,} bytes", way_out)
        site = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SourceError(f"{folder} holds no {SITE_FILE}", way_out) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "mend its permissions") from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not valid JSON: {error}", way_out) from None
    if not isinstance(site, dict):
        raise SourceError(f"{path} is not a JSON object", way_out)
    return site


def archive_base_url(folder: Path, site: dict[str, Any]) -> str:
    base_url = (line(site.get("base_url")) or "").rstrip("/")
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in base_url):
        raise SourceError(
            f"{folder / SITE_FILE}: base_url is {site.get('base_url')!r}", 'write where the forum lives: "https://forum.example.org"'
        )
    return parts._replace(netloc=parts.netloc.lower(), query="", fragment="").geturl()


# --- forums on the web ----------------------------------------------------------------------------------------------


def _find_forum(address: str, allow_private: bool, config: CrawlConfig) -> Source:
    scheme = address.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        raise SourceError(f"{scheme}:// addresses cannot be read yet", "add a Discourse forum (https://…) or a folder with an archive")
    addresses = check_host(address, allow_private)
    base_url, site = _ask_site(address, addresses, config)
    if sum(key in site for key in DISCOURSE_KEYS) < 2:
        raise SourceError(f"{base_url} is not a Discourse forum: its /site.json says something else", "only Discourse is read so far")
    time.sleep(config.delay_seconds)
    return Source(
        id=source_id(base_url),
        kind="discourse",
        address=address,
        base_url=base_url,
        title=_ask_title(base_url, addresses, config),
        allow_private=allow_private,
    )


def _ask_site(address: str, addresses: list[str], config: CrawlConfig) -> tuple[str, dict[str, Any]]:
    """The forum's front page and its /site.json: below the address as typed, else at the root of its host."""
    parts = urlsplit(address)
    root = f"{parts.scheme.lower()}://{parts.netloc.lower()}"
    path = parts.path.rstrip("/")
    answer: Answer | None = None
    for base_url in dict.fromkeys((root + path, root)):
        if answer is not None:
            time.sleep(config.delay_seconds)
        answer = ask(base_url + "/site.json", addresses, config)
        if answer.status != 404:
            break
    assert answer is not None
    return base_url, read_object(answer)


def _ask_title(base_url: str, addresses: list[str], config: CrawlConfig) -> str:
    """The forum's name; a forum that does not tell it has none."""
    try:
        about = read_object(ask(base_url + "/about.json", addresses, config))
    except SourceError:
        return ""
    return line(mapping(about.get("about")).get("title")) or ""
