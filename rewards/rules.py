"""A round's rules: how long its result can be challenged, what becomes of what nobody takes, and who is eligible.

Rules are settled when a round is made and frozen with it; rewards/policies.py has how it shares out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from index.errors import UnknownName, UsageError
from rewards.money import format_amount
from rewards.policies import zero_or_amount

DAY = 86_400
VALUE_DECIMALS = 18  # places that scores and stakes keep
TIME = "%Y-%m-%dT%H:%M:%SZ"
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY, "w": 7 * DAY}
LONGEST = 10 * 365 * DAY
DESTINATIONS = {
    "unclaimed": ("residual", "next"),  # held shares that nobody claimed by the deadline
    "forfeited": ("residual", "others", "next"),  # shares of who opted out, and of deleted posts where those forfeit theirs
    "deleted": ("keep", "forfeit"),  # what posts deleted after the freeze earned
}


@dataclass(frozen=True, slots=True)
class Rules:
    window: int = 7 * DAY  # seconds in which an allocation can be disputed
    claim_within: int = 90 * DAY  # seconds after it is final in which a held share can be claimed
    unclaimed: str = "residual"
    forfeited: str = "residual"
    deleted: str = "keep"
    stamps: int | None = None  # least stamp score, in 10^-18
    stake: int | None = None  # least stake, in 10^-18
    paid_in: tuple[str, ...] = ()  # only who had a share in all of these rounds
    not_paid_in: tuple[str, ...] = ()  # only who had none in any of these

    @property
    def open_to_all(self) -> bool:
        return (self.stamps, self.stake, self.paid_in, self.not_paid_in) == (None, None, (), ())


OPTIONS = tuple(field.name for field in fields(Rules))


def parse_rules(options: Mapping[str, Any], program: str | None = None) -> Rules:
    """Rules from a command's options; a missing or None option is its default.

    `window` and `claim_within` are durations such as 7d or 12h; `stamps` and `stake` decimals; `paid_in` and `not_paid_in`
    names of rounds. Raises UsageError, UnknownName or MoneyError.
    """
    given = {name: value for name, value in options.items() if value is not None and name in OPTIONS}
    for name, known in DESTINATIONS.items():
        if given.get(name, known[0]) not in known:
            raise UnknownName(f"rule for --{name}", given[name], known, f"there are: {', '.join(known)}")
        if given.get(name) == "next" and program is None:
            raise UsageError(f"--{name} next hands money to the next round of a program, this round is of none", "add --program")
    defaults = Rules()
    return Rules(
        parse_duration(given["window"], "window") if "window" in given else defaults.window,
        parse_duration(given["claim_within"], "claim-within") if "claim_within" in given else defaults.claim_within,
        given.get("unclaimed", defaults.unclaimed),
        given.get("forfeited", defaults.forfeited),
        given.get("deleted", defaults.deleted),
        zero_or_amount(given["stamps"], VALUE_DECIMALS, "stamps") if "stamps" in given else None,
        zero_or_amount(given["stake"], VALUE_DECIMALS, "stake") if "stake" in given else None,
        tuple(sorted(set(given.get("paid_in", ())))),
        tuple(sorted(set(given.get("not_paid_in", ())))),
    )


def parse_duration(text: str, what: str) -> int:
    """'7d', '12h', '30m', '90s', '2w' or '0' → seconds."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text.strip())
    if not found or (not found[2] and int(found[1])):
        raise UsageError(f"{what} {text!r} is no duration", "write a whole number and s, m, h, d or w, such as 7d or 12h; 0 for none")
    seconds = int(found[1]) * UNITS.get(found[2], 1)
    if seconds > LONGEST:
        raise UsageError(f"{what} {text!r} is over ten years", "give a shorter one, such as 90d")
    return seconds


def shown_duration(seconds: int) -> str:
    """604800 → '7 days'."""
    for word, size in (("day", DAY), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {word}{'s' * (seconds != size)}"
    return f"{seconds} second{'s' * (seconds != 1)}"


def after(at: str, seconds: int) -> str:
    """The moment `seconds` later, as records write it."""
    return (datetime.strptime(at, TIME).replace(tzinfo=UTC) + timedelta(seconds=seconds)).strftime(TIME)


def shown_value(value: int) -> str:
    return format_amount(value, VALUE_DECIMALS)


def rules_value(rules: Rules) -> dict[str, Any]:
    """As stored and published: no number above 2**53, which JSON would not carry everywhere."""
    value = asdict(rules)
    as_text = {name: str(value[name]) if value[name] is not None else None for name in ("stamps", "stake")}
    return {**value, **as_text, "paid_in": list(rules.paid_in), "not_paid_in": list(rules.not_paid_in)}


def read_rules(value: Mapping[str, Any]) -> Rules:
    plain: dict[str, Any] = dict(value)
    for name in ("stamps", "stake"):
        plain[name] = int(plain[name]) if plain[name] is not None else None
    for name in ("paid_in", "not_paid_in"):
        plain[name] = tuple(plain[name])
    return Rules(**plain)


def told_rules(rules: Rules) -> Sequence[str]:
    """The rules that are not the usual ones, in words."""
    window = f"can be disputed for {shown_duration(rules.window)}" if rules.window else "cannot be disputed: the window is 0"
    lines = [f"{window}; held shares are claimed within {shown_duration(rules.claim_within)}"]
    lines += [f"unclaimed shares go to the {'next round' if rules.unclaimed == 'next' else 'rest'}"]
    where = {"next": "the next round", "others": "the others", "residual": "the rest"}[rules.forfeited]
    lines += [
        f"forfeited shares go to {where}; of posts deleted after the freeze the amount {'stays' if rules.deleted == 'keep' else 'goes'}"
    ]
    lines += [f"a stamp score of {shown_value(rules.stamps)} or more"] if rules.stamps is not None else []
    lines += [f"a stake of {shown_value(rules.stake)} or more"] if rules.stake is not None else []
    lines += [f"a share in {', '.join(rules.paid_in)}"] if rules.paid_in else []
    lines += [f"no share in {', '.join(rules.not_paid_in)}"] if rules.not_paid_in else []
    return lines
