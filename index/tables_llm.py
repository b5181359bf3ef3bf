"""Queries about the optional language model: what it answered to which request, and what the runs paid for it."""

from __future__ import annotations

from dataclasses import dataclass

from index.store import Store, storable


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The words of an answer, and the tokens that the endpoint said it took."""

    text: str
    tokens_in: int
    tokens_out: int


def known_answer(store: Store, request: str) -> StoredAnswer | None:
    rows = store.execute("SELECT answer, tokens_in, tokens_out FROM llm_answers WHERE request = ?", [request])
    return StoredAnswer(*rows[0]) if rows else None


def save_answer(store: Store, request: str, thread: str, model: str, answer: StoredAnswer) -> None:
    """At once, in a transaction of its own: an answer that was paid for is not lost by what comes after."""
    with store.transaction():
        store.execute(
            "INSERT OR REPLACE INTO llm_answers VALUES (?, ?, ?, ?, ?, ?)",
            [request, thread, storable(model), storable(answer.text), answer.tokens_in, answer.tokens_out],
        )


def save_llm_cost(store: Store, run: int, model: str, requests: int, tokens_in: int, tokens_out: int, microdollars: int) -> None:
    store.execute(
        "INSERT OR REPLACE INTO llm_costs VALUES (?, ?, ?, ?, ?, ?)", [run, storable(model), requests, tokens_in, tokens_out, microdollars]
    )
