"""Which hosts may be asked, by crawls and by whatever fetches or sends releases, and requests to checked addresses only.

A name is resolved once and all its addresses are checked; connections go to these addresses, so that a name which changes
its mind leads nowhere else. No proxies, no redirects, no compression, bounded size and time.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from index.errors import SourceError

TIMEOUT = 30.0  # seconds without a byte
LONGEST = 3600.0  # seconds for one answer, even if it comes byte by byte
CHUNK = 65_536
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}
SECURE = ("https", "wss")


@dataclass(frozen=True, slots=True)
class Place:
    """An address that may be asked, with the IP addresses that were checked."""

    parts: SplitResult
    addresses: tuple[str, ...]

    @property
    def port(self) -> int:
        return self.parts.port or PORTS[self.parts.scheme]


def check_place(url: str, allow_private: bool, schemes: tuple[str, ...] = ("https", "http")) -> Place:
    """Raises SourceError where the address is no such address, not encrypted, or leads into a private network."""
    parts = split_address(url, schemes)
    if parts.scheme not in SECURE and not allow_private:
        raise SourceError(f"{url[:200]} is not encrypted", "give --allow-private for a host of your own")
    port = parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(
            f"{parts.hostname} cannot be found: {error}", "see that the name is right and that this machine is online"
        ) from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            raise SourceError(
                f"{parts.hostname} ({address}) is a loopback or private address", "give --allow-private if it is a host of your own"
            )
    return Place(parts, addresses)


def split_address(url: str, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """The parts of an address. Raises SourceError where it is none, or holds a password, which is never repeated."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in schemes or not parts.hostname:
        raise SourceError(f"{url[:200]!r} is not a web address", f"write it like {schemes[0]}://host.example.org/path")
    if parts.username is not None or parts.password is not None:
        raise SourceError(f"the address of {parts.hostname} holds a user name or password", "write it without them")
    return parts


def is_public(address: str) -> bool:
    """False for loopback, private, link-local, reserved and multicast addresses, also where IPv6 wraps such an IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


@contextmanager
def asked(
    place: Place,
    path: str,
    method: str = "GET",
    body: object = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[http.client.HTTPResponse]:
    """One request to a checked place. `body` is bytes or an open file. Raises SourceError where no answer comes."""
    url = f"{place.parts.scheme}://{place.parts.netloc}{path}"
    connection = _Checked(place, timeout)
    try:
        connection.request(method, path, body=body, headers={"Accept-Encoding": "identity", **(headers or {})})  # type: ignore[arg-type]
        yield connection.getresponse()
    except TimeoutError:
        raise SourceError(f"{url} did not answer within {timeout:g} seconds", "run again later") from None
    except ssl.SSLError as error:
        raise SourceError(f"{url} has no valid certificate: {error.reason}", "ask who runs that host") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{url} cannot be reached: {error}", "see that the address is right and the host is up") from None
    finally:
        connection.close()


def pieces(response: http.client.HTTPResponse, limit: int, what: str) -> Iterator[bytes]:
    """The body, of at most `limit` bytes and within LONGEST. Raises SourceError beyond."""
    deadline, length = time.monotonic() + LONGEST, 0
    while piece := response.read1(CHUNK):
        length += len(piece)
        if length > limit:
            raise SourceError(f"{what} is longer than the {limit:,} bytes it should have", "it is refused")
        if time.monotonic() > deadline:
            raise SourceError(f"{what} took longer than {LONGEST:.0f} seconds", "run again later")
        yield piece


class _Checked(http.client.HTTPConnection):
    """Connects to the checked addresses, whatever the name says now; over TLS the certificate has to be the name's."""

    def __init__(self, place: Place, timeout: float) -> None:
        super().__init__(place.parts.hostname or "", place.port, timeout=timeout)
        self._place, self._seconds = place, timeout

    def connect(self) -> None:
        error: OSError = ConnectionRefusedError("no address")
        for address in self._place.addresses[:4]:
            try:
                plain = socket.create_connection((address, self._place.port), self._seconds)
                break
            except OSError as failed:
                error = failed
        else:
            raise error
        if self._place.parts.scheme != "https":
            self.sock = plain
            return
        try:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
