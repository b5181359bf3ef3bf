"""What an address is: files on this machine, or a place on a network. The kind is found by asking."""

from __future__ import annotations

from pathlib import Path

from crawler.network import split_address
from crawler.probe import Probe
from crawler.registry import ARCHIVES, NETWORKS, part
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source

# The order in which networks are tried. Those that know their addresses by the form alone (wss://, at://, "hive:")
# answer without asking anybody, so they come first; of the rest, what is most likely comes first. The last one's
# complaint is what the user sees where none fits, so that is the most common kind.
PROBING = (
    *("nostr", "jetstream", "snapshot", "hackernews", "hive", "stackexchange", "github", "hyperkitty"),
    *("discourse", "lemmy", "mastodon", "atproto", "farcaster", "public-inbox", "feed"),
)
# The same for files.
READING = ("table", "payloads", "stackexchange-dump", "mbox", "archive")


def find_source(address: str, allow_private: bool, config: CrawlConfig) -> Source:
    """The source that an address names. Raises SourceError that says why it is none, and the way out."""
    address = address.strip()
    path = Path(address).expanduser()
    if "://" not in address and path.exists():
        return _find_files(path.resolve(), allow_private)
    return _find_network(address, Probe(allow_private, config))


def _find_files(path: Path, allow_private: bool) -> Source:
    """The first kind of archive that a path holds; where none fits, what the first complained of."""
    complaint: SourceError | None = None
    for name in READING:
        try:
            source: Source | None = part(ARCHIVES[name].find)(path, allow_private)
        except SourceError as error:
            complaint = complaint or error
            continue
        if source is not None:
            return source
    raise complaint or SourceError(f"{path} holds no archive that can be read", f"there are: {', '.join(ARCHIVES)}")


def _find_network(address: str, probe: Probe) -> Source:
    """The first network that knows the address. A complaint counts only where no later one takes it."""
    if address.partition("://")[0].lower() in ("http", "https", "ws", "wss"):
        split_address(address)
    complaints: list[SourceError] = []
    for name in PROBING:
        try:
            source: Source | None = part(NETWORKS[name].find)(address, probe)
        except SourceError as error:
            complaints.append(error)
            continue
        if source is not None:
            return source
    raise complaints[-1] if complaints else _unknown(address)


def _unknown(address: str) -> SourceError:
    scheme, found, _ = address.partition("://")
    if found:
        return SourceError(f"{scheme.lower()}:// addresses cannot be read yet", f"networks that can: {', '.join(NETWORKS)}")
    hint = f"write https://{address}" if "." in address and "/" not in address.partition("/")[0] else "see that the path is right"
    return SourceError(f"{address!r} is neither a folder here nor a web address", hint)
