"""GraphQL over `ask`: a question with its variables in, the object under "data" out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crawler.answers import Answer, read_object
from crawler.fields import line, mapping, mappings
from crawler.job import Ask
from index.errors import SourceError


def question(query: str, variables: Mapping[str, Any]) -> bytes:
    """The body of a request; the same question has the same bytes."""
    return json.dumps({"query": query, "variables": dict(variables)}, sort_keys=True).encode()


async def ask_graphql(
    ask: Ask, url: str, query: str, variables: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> tuple[Answer, dict[str, Any]]:
    """The answer and its data. Raises SourceError where the server says that the question failed."""
    sent = {"Content-Type": "application/json"} | dict(headers or {})
    answer = await ask(url, "POST", question(query, variables), sent)
    return answer, data_of(answer)


def data_of(answer: Answer) -> dict[str, Any]:
    """Raises SourceError for answers without data."""
    value = read_object(answer)
    said = "; ".join(line(error.get("message"), 200) or "" for error in mappings(value.get("errors")))
    if said or not isinstance(value.get("data"), dict):
        raise SourceError(f"{answer.url} answers the question with: {said or 'no data'}", "run again later; if it stays so, report it")
    return mapping(value.get("data"))


def variables_of(answer: Answer) -> dict[str, Any]:
    """The variables that an answer of the raw archive was asked with."""
    try:
        return mapping(mapping(json.loads(answer.sent)).get("variables"))
    except (ValueError, RecursionError):
        return {}
