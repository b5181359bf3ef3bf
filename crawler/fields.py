"""Values of foreign JSON, read with bounds: each function gives a clean value or None, and never raises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_ID = 2**53  # largest whole number that every JSON reader keeps exact
MAX_COUNT = 2**31 - 1  # what an INTEGER column of the store holds
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # nothing imported into a forum is older
LEEWAY = timedelta(days=2)  # how far a server's clock may run ahead of ours

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]+")


def whole(value: object, low: int = 1, high: int = MAX_ID) -> int | None:
    """A whole number within bounds. True and False are no numbers here, though Python thinks so."""
    return value if type(value) is int and low <= value <= high else None


def wholes(values: object) -> list[int]:
    """The ids of a list, in order, each once; what is no id is left out."""
    found = (whole(value) for value in (values if isinstance(values, list) else ()))
    return list(dict.fromkeys(number for number in found if number is not None))


def body(value: object) -> str | None:
    """Text as written. A lone surrogate cannot be stored as UTF-8 and becomes a question mark."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def line(value: object, longest: int = 500) -> str | None:
    """Text of one line, such as a name or a title: control characters and outer white space go."""
    text = body(value)
    return None if text is None else _CONTROL.sub(" ", text[:longest]).strip()


def moment(value: object, now: str) -> str | None:
    """An ISO 8601 date or time as "2024-05-01T10:00:00Z"; None where it is none, before 1980 or after `now`."""
    when = _when(value, now)
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_moment(value: object, now: str) -> str | None:
    """Like `moment` but with milliseconds, for watermarks: "2024-05-01T10:00:00.123Z"."""
    when = _when(value, now)
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _when(value: object, now: str) -> datetime | None:
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        when = datetime.fromisoformat(value)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return when if EARLIEST <= when <= datetime.fromisoformat(now) + LEEWAY else None


def parsed(data: bytes | str) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def mappings(values: object) -> Iterable[dict[str, Any]]:
    return (value for value in (values if isinstance(values, list) else ()) if isinstance(value, dict))
