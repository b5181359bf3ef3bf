"""Numbers of things as people read them: 1 payee, 2 payees, 1,200 credits."""

from __future__ import annotations


def counted(number: int, word: str, many: str = "") -> str:
    """`many` is the word for several, where it is not the word with an s."""
    return f"{number:,} {word if number == 1 else many or word + 's'}"
