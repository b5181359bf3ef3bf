"""What changes amounts after a round was frozen: decided disputes, opt-outs and deleted posts. Pure.

The shares that the policy gave stay as they are; each change is an entry beside them, and an event of the ledger. What is
taken from somebody is left over, or goes to the program's next round: it is not shared out anew, since nobody should gain
by another's going.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.errors import MoneyError
from rewards.allocation import split
from rewards.ledger import Event
from rewards.rules import Rules

DISPUTE, DELETED, OPTED_OUT = "dispute", "deleted", "opted out"


@dataclass(frozen=True, slots=True)
class Correction:
    author: str
    before: int  # base units
    after: int
    kind: str  # DISPUTE | DELETED | OPTED_OUT
    ref: str  # the dispute, or the post, or the author
    goes_to: str  # "residual" | "next": what is taken; of what is given, where it is from

    def value(self) -> dict[str, Any]:
        """As logged and published."""
        return {
            "author": self.author,
            "before": str(self.before),
            "after": str(self.after),
            "kind": self.kind,
            "ref": self.ref,
            "goes_to": self.goes_to,
        }


def corrections_of(events: Iterable[Event]) -> list[Correction]:
    """The corrections among a round's events since it was frozen last."""
    found: list[Correction] = []
    for event in events:
        if event.kind == "round_frozen":
            found = []
        elif event.kind == "corrected":
            found.append(Correction(**{**event.data, "before": int(event.data["before"]), "after": int(event.data["after"])}))
    return found


def apply(amounts: Mapping[str, int], corrections: Iterable[Correction], budget: int) -> dict[str, int]:
    """The amounts after all corrections. Raises MoneyError where one does not fit, or more than the budget is given."""
    found = dict(amounts)
    for correction in corrections:
        if found.get(correction.author, 0) != correction.before:
            raise MoneyError(
                f"{correction.author} has {found.get(correction.author, 0)} base units, a correction is from {correction.before}",
                "this is a defect, or the ledger was changed: run `precipitate round audit`",
            )
        found[correction.author] = correction.after
    total = sum(found.values())
    if total > budget or min(found.values(), default=0) < 0:
        raise MoneyError(f"the amounts sum to {total} base units, the budget is {budget}", "lower some of them")
    return found


def for_opt_outs(amounts: Mapping[str, int], opted_out: Collection[str], rules: Rules) -> list[Correction]:
    """Everything of who opted out. (Where others share it, that was done before the policy, for who was out by then.)"""
    to = "next" if rules.forfeited == "next" else "residual"
    return [Correction(a, amount, 0, OPTED_OUT, a, to) for a, amount in amounts.items() if amount and a in opted_out]


def for_deletions(
    amounts: Mapping[str, int], credits: Sequence[Mapping[str, Any]], gone: Collection[str], known: Iterable[Correction], rules: Rules
) -> list[Correction]:
    """What posts earned that were deleted since the freeze, where the rules say that it goes.

    A post earned its author's amount by its part of their points, as `why` tells it; `known` posts were dealt with before.
    """
    if rules.deleted == "keep":
        return []
    to = "next" if rules.forfeited == "next" else "residual"
    done = {correction.ref for correction in known if correction.kind == DELETED}
    earned: dict[str, dict[str, int]] = {}
    for record in credits:
        posts = earned.setdefault(record["author"], {})
        posts[record["post"]] = posts.get(record["post"], 0) + record["points"]
    found = []
    for author, posts in sorted(earned.items()):
        left = amounts.get(author, 0)
        parts = split({post: points for post, points in posts.items() if post not in done}, left)
        for post, part in parts.items():
            if post in gone and part:
                found.append(Correction(author, left, left - part, DELETED, post, to))
                left -= part
    return found
