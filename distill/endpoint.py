"""One question to an OpenAI-compatible endpoint: bounded in size and time, never redirected, failures as values.

The endpoint is what the user wrote into precipitate.toml, so it may be on this machine. It is not trusted: what it sends
is read up to a limit, and no word of an error page is repeated, since it might hold the key.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from index.config import LlmConfig
from index.errors import ConfigError

MOST_BYTES = 1_000_000  # of an answer; a long list of operations has a hundredth of it
RETRIES = 2  # after the first try
BACKOFF_SECONDS = 0.5  # before the first further try; doubled for the next
LONGEST_WAIT = 60.0  # seconds that an endpoint may ask for; beyond, it is left alone for this run
MOST_TOKENS = 10_000_000  # told for one answer; beyond, the number is not believed
TRY_AGAIN = (408, 429, 500, 502, 503, 504)
MEANINGS = {
    400: "refuses the request (400)",
    401: "refuses the key (401)",
    402: "wants to be paid (402)",
    403: "refuses access (403)",
    404: "has no such model or address (404)",
    413: "finds the request too large (413)",
    429: "asks for fewer requests (429)",
}
SLOW = "does not answer in time"
FINAL = frozenset({"sends too much", SLOW, "has no valid certificate"})  # a further try would end the same
LEAVE_ALONE = (401, 402, 403, 404)  # no other request would fare better


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question: the model's text, or in a few countable words why there is none."""

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    failure: str = ""
    requests: int = 0
    leave_alone: bool = False  # nothing more is to be asked in this run


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int = 0
    body: bytes = b""
    content_type: str = ""
    retry_after: str = ""
    failure: str = ""


class Endpoint:
    """Raises ConfigError where the configuration cannot work; what the other side does is told in the Reply."""

    def __init__(self, config: LlmConfig) -> None:
        self._parts = urlsplit(config.endpoint)
        self._path = self._parts.path.rstrip("/") + "/chat/completions"
        self._seconds = float(config.timeout_seconds)
        self._key = _key(config.key_env)
        self._address = _private_address(config.endpoint) if self._parts.scheme == "http" else ""

    def ask(self, body: bytes) -> Reply:
        """POST a request; tried again after a pause where that may help."""
        for attempt in range(RETRIES + 1):
            raw = self._once(body)
            if raw.status == 200 and not raw.failure:
                return read_reply(raw.body, raw.content_type, attempt + 1)
            failure = raw.failure or MEANINGS.get(raw.status) or f"answers with status {raw.status}"
            if raw.status and raw.status not in TRY_AGAIN:
                return Reply(failure=failure, requests=attempt + 1, leave_alone=raw.status in LEAVE_ALONE)
            if raw.failure in FINAL:
                return Reply(failure=failure, requests=attempt + 1)
            wait = max(asked_wait(raw.retry_after, time.time()), BACKOFF_SECONDS * 2.0**attempt)
            if wait > LONGEST_WAIT:
                return Reply(failure=failure, requests=attempt + 1, leave_alone=True)
            if attempt < RETRIES:
                time.sleep(wait)
        return Reply(failure=failure, requests=RETRIES + 1)

    def _once(self, body: bytes) -> _Raw:
        """One request. A watch cuts the line at the deadline, also where the other side sends a byte now and then."""
        connection = self._connection()
        cut = threading.Event()
        try:
            connection.connect()
            watch = threading.Timer(self._seconds, _cut, [connection.sock, cut])
            watch.daemon = True
            watch.start()
            try:
                connection.request("POST", self._path, body=body, headers=self._headers())
                raw = _read(connection.getresponse())
            finally:
                watch.cancel()
            return _Raw(failure=SLOW) if cut.is_set() else raw  # a line that was cut may look like an end
        except TimeoutError:
            return _Raw(failure=SLOW)
        except ssl.SSLError:
            return _Raw(failure=SLOW if cut.is_set() else "has no valid certificate")
        except (OSError, http.client.HTTPException, ValueError):
            return _Raw(failure=SLOW if cut.is_set() else "cannot be reached, or breaks off")
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._parts.hostname or "", self._parts.port, timeout=self._seconds, context=context)
        return http.client.HTTPConnection(self._address, self._parts.port, timeout=self._seconds)

    def _headers(self) -> dict[str, str]:
        headers = {
            "Host": self._parts.netloc,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": "precipitate",
        }
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})


def _key(name: str) -> str:
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"llm.key_env names {name}, which is not set", f"export {name}=…, or leave llm.key_env empty")
    # http.client would name the whole header, and so the key, in its complaint.
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError(f"the key in {name} holds characters that no key has", "see that it was copied whole, on one line")
    return key


def _private_address(endpoint: str) -> str:
    """Where an endpoint without encryption is: only on this machine or its network. Resolved once and kept."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigError(f"llm.endpoint: {host} cannot be found", "see that the name is right and that this machine is online") from None
    addresses = [str(entry[4][0]) for entry in found]
    if any(ipaddress.ip_address(address.partition("%")[0]).is_global for address in addresses):
        raise ConfigError(f"llm.endpoint: {host} is a public host asked without encryption", "write https://")
    return addresses[0]


def _cut(sock: socket.socket, cut: threading.Event) -> None:
    cut.set()
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _read(response: http.client.HTTPResponse) -> _Raw:
    chunks: list[bytes] = []
    length = 0
    while chunk := response.read1(65_536):
        chunks.append(chunk)
        length += len(chunk)
        if length > MOST_BYTES:
            return _Raw(failure="sends too much")
    if response.length:
        return _Raw(failure="cannot be reached, or breaks off")
    return _Raw(response.status, b"".join(chunks), response.getheader("Content-Type", ""), response.getheader("Retry-After", ""))


def asked_wait(header: str, now: float) -> float:
    """Seconds that a Retry-After asks for: a number, or a date."""
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", header.strip()):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return 0.0


def read_reply(body: bytes, content_type: str, requests: int = 1) -> Reply:
    """The model's text and the tokens told, from the JSON of a chat completion."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return Reply(failure="answers with something that is not JSON", requests=requests)
    try:
        value: Any = json.loads(body)
        choice = value["choices"][0]
        text, usage = choice["message"]["content"], value.get("usage") or {}
        tokens_in, tokens_out = _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return Reply(failure="answers with JSON that is no chat completion", requests=requests)
    if not isinstance(text, str):
        return Reply("", tokens_in, tokens_out, "answers with JSON that is no chat completion", requests)
    if choice.get("finish_reason") == "length":
        return Reply("", tokens_in, tokens_out, "was cut off before its end", requests)
    return Reply(text, tokens_in, tokens_out, "", requests)


def _tokens(told: Any) -> int:
    return told if type(told) is int and 0 <= told <= MOST_TOKENS else 0
