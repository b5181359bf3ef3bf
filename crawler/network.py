"""Which hosts may be asked, and one plain request to a host whose addresses were checked.

A name is resolved once. All its addresses are checked, and connections go to these addresses only: so a name that
changes its mind after the check leads nowhere else. Proxies of the environment are not used, for the same reason.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from crawler.answers import REDIRECTS, Answer, is_login, redirect_target
from index.config import CrawlConfig
from index.errors import SourceError
from index.hosts import PORTS, check_place

MAX_REDIRECTS = 3
SCHEMES = tuple(PORTS)


def check_host(url: str, allow_private: bool) -> list[str]:
    """The addresses behind a URL, each of which may be asked. Raises SourceError otherwise."""
    split_address(url)
    return list(check_place(url, allow_private, SCHEMES).addresses)


def port_of(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def split_address(url: str) -> SplitResult:
    """The parts of a web address. Raises SourceError where it is none, or holds a password, which is never repeated."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SourceError(f"{url!r} is not a web address", "write it like https://forum.example.org") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise SourceError(f"{url!r} is not a web address", "write it like https://forum.example.org")
    if parts.username is not None or parts.password is not None:
        raise SourceError(f"the address of {parts.hostname} holds a user name or password", "write it without them")
    return parts


def may_follow(url: str, target: str) -> bool:
    """Only redirects within scheme, host and port are followed, and none to a login page."""
    one, two = urlsplit(url), urlsplit(target)
    return (one.scheme, one.netloc.lower()) == (two.scheme, two.netloc.lower()) and not is_login(target)


def ask(
    url: str,
    addresses: list[str],
    config: CrawlConfig,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, with up to three redirects within the host. Raises SourceError where no answer comes."""
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask_once(url, addresses, config, method, body, headers or {})
        target = redirect_target(url, answer.headers.get("location", ""))
        if answer.status not in REDIRECTS or not may_follow(url, target):
            return answer
        time.sleep(config.delay_seconds)
        url = target
    return answer


def _ask_once(url: str, addresses: list[str], config: CrawlConfig, method: str, sent: bytes | None, extra: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    headers = {"Accept": "application/json", **extra, "User-Agent": config.user_agent, "Accept-Encoding": "identity"}
    connection = _connection(parts, addresses, config.timeout_seconds)
    try:
        connection.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), sent, headers)
        response = connection.getresponse()
        body = _read(response, url, config)
        return Answer(url, response.status, {name.lower(): value for name, value in response.getheaders()}, body)
    except TimeoutError:
        raise SourceError(f"{url} did not answer within {config.timeout_seconds} seconds", "run again later") from None
    except ssl.SSLError as error:
        raise SourceError(f"{url} has no valid certificate: {error.reason}", "ask the forum's operators") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{url} cannot be reached: {error}", "see that the address is right and the host is up") from None
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, url: str, config: CrawlConfig) -> bytes:
    """The body, of bounded size and within a bounded time even if it comes byte by byte."""
    deadline = time.monotonic() + config.timeout_seconds
    chunks: list[bytes] = []
    length = 0
    while chunk := response.read1(65_536):
        chunks.append(chunk)
        length += len(chunk)
        if length > config.max_response_bytes:
            raise SourceError(f"{url} answers with more than {config.max_response_bytes:,} bytes", "raise crawl.max_response_bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(chunks)


def _connection(parts: SplitResult, addresses: list[str], timeout: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return _CheckedHTTPS(host, parts.port or 443, addresses, timeout)
    return _CheckedHTTP(host, parts.port or 80, addresses, timeout)


def _connect(addresses: list[str], port: int, timeout: float) -> socket.socket:
    """A connection to the first checked address that takes one."""
    error: OSError = ConnectionRefusedError("no address")
    for address in addresses[:4]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as failed:
            error = failed
    raise error


class _CheckedHTTP(http.client.HTTPConnection):
    """Connects to addresses that were checked before, whatever the name says now."""

    def __init__(self, host: str, port: int, addresses: list[str], timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._addresses, self._seconds = addresses, timeout

    def connect(self) -> None:
        self.sock = _connect(self._addresses, self.port, self._seconds)


class _CheckedHTTPS(http.client.HTTPSConnection):
    """The same over TLS; the certificate has to be the name's."""

    def __init__(self, host: str, port: int, addresses: list[str], timeout: float) -> None:
        self._context = ssl.create_default_context()
        super().__init__(host, port, timeout=timeout, context=self._context)
        self._addresses, self._seconds = addresses, timeout

    def connect(self) -> None:
        plain = _connect(self._addresses, self.port, self._seconds)
        try:
            self.sock = self._context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
