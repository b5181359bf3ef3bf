"""What a server answered, and what it means: a JSON object, or a SourceError that says what is wrong and the way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from index.errors import SourceError

REDIRECTS = (301, 302, 303, 307, 308)
# status: (what it means, way out)
MEANINGS: dict[int, tuple[str, str]] = {
    401: ("wants a login (401)", "only forums that can be read without an account are read"),
    403: ("refuses to be read (403)", "only what everybody may read is read; ask the forum's operators"),
    404: ("has nothing there (404)", "see that the address is right"),
    410: ("says that this is gone (410)", "see whether the forum has moved"),
    429: ("asks for fewer requests (429)", "run again later, or raise crawl.delay_seconds"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: str = ""  # its id in the raw archive, "" where it was not kept
    seen: str = ""  # when it came: what it says is not younger
    sent: bytes = b""  # the body of the request, such as a GraphQL query


def read_object(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer. Raises SourceError for every other answer: an error status, a web page, a list."""
    complain(answer)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _no_json(answer) from None
    if not isinstance(value, dict):
        raise SourceError(f"{answer.url} answers with JSON that is no object", "see that the address is right")
    return value


def complain(answer: Answer) -> None:
    """Raise what an answer other than 200 means."""
    if answer.status == 200:
        return
    if answer.status in REDIRECTS:
        target = redirect_target(answer.url, answer.headers.get("location", ""))
        if is_login(target):
            raise SourceError(f"{answer.url} redirects to a login page", MEANINGS[401][1])
        raise SourceError(f"{answer.url} redirects to {target}", "add that address instead, if it is the one you mean")
    if answer.status in MEANINGS:
        meaning, way_out = MEANINGS[answer.status]
        raise SourceError(f"{answer.url} {meaning}", way_out)
    if answer.status >= 500:
        raise SourceError(f"{answer.url} has failed on its own side ({answer.status})", "run again later")
    raise SourceError(f"{answer.url} answers with status {answer.status}", "see that the address is right")


def redirect_target(url: str, location: str) -> str:
    """Where a redirect leads; "" where the server wrote something that is no address."""
    try:
        target = urljoin(url, location)
        urlsplit(target)
        return target
    except ValueError:
        return ""


def is_login(url: str) -> bool:
    return any(part in ("login", "session", "signin", "sign_in") for part in urlsplit(url).path.lower().split("/"))


def is_web_page(answer: Answer) -> bool:
    return "html" in answer.headers.get("content-type", "").lower() or answer.body[:200].lstrip().startswith(b"<")


def is_json_error(answer: Answer) -> bool:
    """True where the forum itself says so, and not a proxy in front of it."""
    try:
        return isinstance(json.loads(answer.body), dict)
    except (ValueError, RecursionError):
        return False


def _no_json(answer: Answer) -> SourceError:
    if not is_web_page(answer):
        return SourceError(f"{answer.url} answers with something that is not JSON", "see that the address is right")
    if b"login" in answer.body[:200_000].lower() or b"password" in answer.body[:200_000].lower():
        return SourceError(f"{answer.url} answers with a login page instead of JSON", MEANINGS[401][1])
    return SourceError(f"{answer.url} answers with a web page instead of JSON", "see that the address is right")
