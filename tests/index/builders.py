"""Records of a small forum, said in one line each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from index.records import Author, Post, Source, Thread

SOURCE = "discourse:forum.example.org"
THREAD = f"{SOURCE}/t/1"
BASE = (
    Source(SOURCE, "discourse", "https://forum.example.org", "https://forum.example.org"),
    Author(f"{SOURCE}/u/1", SOURCE, "ann"),
    Thread(THREAD, SOURCE, "How to plant", "2024-05-01T10:00:00Z", "https://forum.example.org/t/1"),
)


def post_id(number: int) -> str:
    return f"{SOURCE}/p/{number}"


def post(number: int, body: str, **fields: Any) -> Post:
    made = Post(
        post_id(number), SOURCE, THREAD, number, f"{SOURCE}/u/1", f"2024-05-01T10:00:{number:02d}Z", "raw", body,
        f"https://forum.example.org/t/1/{number}",
    )  # fmt: skip
    return replace(made, **fields)
