"""How far those who voted stand behind each statement: votes → support in basis points. Pure, numpy only.

Three things make the raw agree share mislead, and each has its part here (figures in docs/decisions/0007-consensus.md):

    few voices             → shares are drawn towards the mean of all statements, and that towards one half
    who votes on what      → voters who agree with nearly everything count for less than those who choose
    one camp outvotes all  → where voters split into two camps, a quarter of the measure asks each camp by itself

With the handful of voices that a step of a forum has, nobody's habits and no camps can be known: what is left is the
agree share, drawn towards the mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

Voice = Literal["agree", "disagree", "pass"]
Vote = tuple[str, str, Voice]  # voter, statement, voice

KNOWN_VOTES = 5  # from which a voter has habits and may stand in a camp; fewer, and each vote is taken as it is
MEAN_PRIOR = 2.0  # voices that the mean of all statements is drawn to one half with,
STATEMENT_PRIOR = 2.0  # a statement to that mean,
VOTER_PRIOR = 10.0  # a voter's habit to none,
CAMP_PRIOR = 4.0  # and a camp's share of a statement to everybody's
CAMPS_WEIGHT = 0.25  # of the measure; a small camp, or one made up, can take no more than this away
SMALLEST_CAMP = 5  # voters
ROUNDS = 1000  # at most, until nothing moves by more than STILL
STILL = 1e-10
_VALUES: dict[Voice, int] = {"agree": 1, "pass": 0, "disagree": -1}


@dataclass(frozen=True, slots=True)
class Support:
    """What is known of one statement; `_bp` are basis points."""

    agree: int
    disagree: int
    passed: int
    share_bp: int  # would agree, among all voters: for sparse and lopsided voting
    common_bp: int | None  # geometric mean of the two camps' shares; None where there are no camps
    support_bp: int  # the measure


@dataclass(frozen=True, slots=True)
class _Votes:
    """One row per voter and statement, ordered by both, so that the order of the input changes no sum."""

    voter: Ints
    statement: Ints
    value: Floats  # 1, 0 or −1
    voters: int
    statements: int

    @property
    def agrees(self) -> Floats:
        found: Floats = (self.value == 1).astype("float64")
        return found

    def per_voter(self, weights: Floats | None = None) -> Floats:
        return _sums(self.voter, self.voters, weights)

    def per_statement(self, weights: Floats | None = None) -> Floats:
        return _sums(self.statement, self.statements, weights)

    def of(self, kept: Bools) -> _Votes:
        return _Votes(self.voter[kept], self.statement[kept], self.value[kept], self.voters, self.statements)


def consensus(votes: Iterable[Vote], statements: Iterable[str] = ()) -> dict[str, Support]:
    """Support of every statement that was voted on, and of `statements`, by name.

    A voter has one voice per statement: who both agreed and disagreed passes. A pass says "seen, not agreed".
    """
    voices = _voices(votes)
    names = sorted({statement for _, statement in voices} | set(statements))
    if not names:
        return {}
    table = _table(voices, names)
    share = _shares(table)
    common = _common(table, share)
    measure = share if common is None else (1 - CAMPS_WEIGHT) * share + CAMPS_WEIGHT * common
    counts = {name: {1: 0, 0: 0, -1: 0} for name in names}
    for (_, statement), value in voices.items():
        counts[statement][value] += 1
    return {
        name: Support(
            agree=counts[name][1],
            disagree=counts[name][-1],
            passed=counts[name][0],
            share_bp=_bp(share[row]),
            common_bp=None if common is None else _bp(common[row]),
            support_bp=_bp(measure[row]),
        )
        for row, name in enumerate(names)
    }


def _bp(share: float) -> int:
    return int(10_000 * share + 0.5 + 1e-6)  # half up, also where the half is a hair short of one


def _voices(votes: Iterable[Vote]) -> dict[tuple[str, str], int]:
    said: dict[tuple[str, str], set[int]] = {}
    for voter, statement, voice in votes:
        if voice not in _VALUES:
            raise ValueError(f"{voter!r} voted {voice!r} on {statement!r}: a vote is one of {', '.join(_VALUES)}")
        said.setdefault((voter, statement), set()).add(_VALUES[voice])
    return {key: sum(said[key]) for key in sorted(said)}


def _table(voices: dict[tuple[str, str], int], names: list[str]) -> _Votes:
    import numpy as np

    place = {name: row for row, name in enumerate(names)}
    seat = {voter: row for row, voter in enumerate(sorted({voter for voter, _ in voices}))}
    return _Votes(
        np.array([seat[voter] for voter, _ in voices], dtype=np.int64),
        np.array([place[statement] for _, statement in voices], dtype=np.int64),
        np.array(list(voices.values()), dtype=np.float64),
        len(seat),
        len(names),
    )


def _shares(votes: _Votes) -> Floats:
    """The share of all voters that would agree with each statement, habits of voters taken out.

    agreement = level of the statement + habit of the voter; levels are drawn to their mean, the mean to one half and habits
    to none by Gaussian priors: the posterior mean, found by taking turns. Variances are fixed, so one more voice that agrees
    never lowers a statement.
    """
    import numpy as np

    seen, cast, agrees = votes.per_statement(), votes.per_voter(), votes.agrees
    known, asked = cast >= KNOWN_VOTES, seen > 0
    mean, level = 0.5, np.full(votes.statements, 0.5)
    for _ in range(ROUNDS):
        habit = np.where(known, votes.per_voter(agrees - level[votes.statement]) / (cast + VOTER_PRIOR), 0.0)
        told = votes.per_statement(agrees - habit[votes.voter])
        before, level = level, np.where(asked, (told + STATEMENT_PRIOR * mean) / (seen + STATEMENT_PRIOR), mean)
        mean = float(STATEMENT_PRIOR * level[asked].sum() + MEAN_PRIOR / 2) / (STATEMENT_PRIOR * int(asked.sum()) + MEAN_PRIOR)
        if float(np.abs(level - before).max()) < STILL:
            break
    share: Floats = np.clip(level, 0.0, 1.0)
    return share


def _common(votes: _Votes, share: Floats) -> Floats | None:
    """The geometric mean of both camps' agree shares, each drawn to everybody's share; None where there are no camps."""
    import numpy as np

    camps = _camps(votes)
    if camps is None:
        return None
    logs = np.zeros(votes.statements)
    for camp in camps:
        own = votes.of(camp[votes.voter])
        asked = (own.per_statement(own.agrees) + CAMP_PRIOR * share) / (own.per_statement() + CAMP_PRIOR)
        logs += np.log(np.maximum(asked, 1e-9))
    common: Floats = np.exp(logs / len(camps))
    return common


def _camps(votes: _Votes) -> tuple[Bools, Bools] | None:
    """Two camps of the voters with enough votes, split where they differ most along their main line of disagreement.

    Others stand in neither, so a handful of votes cannot move the border.
    """
    import numpy as np

    known = votes.per_voter() >= KNOWN_VOTES
    if known.sum() < 2 * SMALLEST_CAMP:
        return None
    stand = _stands(votes.of(known[votes.voter]))
    border = _border(np.sort(stand[known]))
    return None if border is None else (known & (stand <= border), known & (stand > border))


def _stands(votes: _Votes) -> Floats:
    """Where each voter stands on the first principal axis of what statements and habits leave unexplained."""
    import numpy as np

    left = votes.value - (votes.per_statement(votes.value) / np.maximum(votes.per_statement(), 1.0))[votes.statement]
    left -= (votes.per_voter(left) / (votes.per_voter() + 2.0))[votes.voter]
    spread = votes.per_statement(left**2)
    axis = np.zeros(votes.statements)
    axis[int(spread.argmax())] = 1.0
    for _ in range(ROUNDS):
        turned = votes.per_statement(left * votes.per_voter(left * axis[votes.statement])[votes.voter])
        length = float((turned**2).sum()) ** 0.5
        if length == 0.0:
            break
        moved, axis = float(np.abs(turned / length - axis).max()), turned / length
        if moved < STILL:
            break
    reach = votes.per_voter(axis[votes.statement] ** 2)
    stands: Floats = votes.per_voter(left * axis[votes.statement]) / np.sqrt(np.maximum(reach, 1e-12))
    return stands


def _border(stands: Floats) -> float | None:
    """The best border of two groups of sorted stands: least squares, exact; never between voters who stand alike."""
    import numpy as np

    count = len(stands)
    below = np.arange(1, count)
    sums = np.cumsum(stands)
    gain = sums[:-1] ** 2 / below + (sums[-1] - sums[:-1]) ** 2 / (count - below)
    allowed = (below >= SMALLEST_CAMP) & (count - below >= SMALLEST_CAMP) & (np.diff(stands) > 1e-6)
    if not allowed.any():
        return None
    return float(stands[int(np.where(allowed, gain, -1.0).argmax())])


def _sums(places: Ints, size: int, weights: Floats | None) -> Floats:
    import numpy as np

    found: Floats = np.bincount(places, weights=weights, minlength=size).astype(np.float64)
    return found
