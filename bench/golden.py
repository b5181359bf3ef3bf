"""Published rounds of others, worked out again with the formulas of rewards/formulas.py.

    python -m bench.golden FOLDER

FOLDER holds clrfund-rounds/ and rpgf3/. For each clr.fund round that was not cancelled: every project's allocation from
the published tally, worst and total relative error. For RetroPGF 3: every passing project from the published medians, to
the cent, which projects pass, and the medians from the anonymised ballots, whose amounts were rounded by the publisher.
Ends with 1 if Arbitrum is not exact, an xDai round's total is off by more than 2e-4, or a RetroPGF 3 project by more than a cent.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from rewards.formulas import clrfund_linear_payouts, clrfund_payouts, median
from rewards.limits import fill

Tally = Mapping[str, tuple[int, int]]
Formula = Callable[[Tally, int, int], dict[str, int]]
LIMIT = Fraction(2, 10_000)
RPGF3_BUDGET, RPGF3_QUORUM, RPGF3_MINIMUM = 30_000_000_00, 17, 1_500_00  # OP with two decimals; ballots; OP
CENT = 100


def clrfund_round(path: Path) -> bool:
    """Print one round's errors; whether it holds."""
    data = json.loads(path.read_text(encoding="utf-8"))
    round_ = data["round"]
    if round_["isCancelled"]:
        return True
    tally, published = tally_of(data)
    pool, factor = int(round_["matchingPoolSize"]), int(round_["voiceCreditFactor"])
    exact = path.name.startswith("arbitrum")
    formula: Formula = clrfund_payouts if exact else clrfund_linear_payouts
    worst, total = errors(formula(tally, pool, factor), published)
    donated = factor * sum(spent for _, spent in tally.values())
    missing = sum(published.values()) - donated - pool
    line = f"{path.stem[:14]}  {len(published):3} projects  worst {float(worst):.2e}  total {float(total):.2e}"
    if worst:
        mended, _ = errors(formula(tally, pool + missing, factor), published)
        line += f"  pool short by {missing / 10**18:.6f}; with it, worst {float(mended):.1e}"
    print(line)
    return worst == 0 if exact else total <= LIMIT


def tally_of(data: Mapping[str, Any]) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Votes and credits spent for every place of the tally, and what was allocated, by place."""
    votes = data["tally"]["results"]["tally"]
    spent = data["tally"]["totalVoiceCreditsPerVoteOption"]["tally"]
    tally = {str(place): (int(v), int(s)) for place, (v, s) in enumerate(zip(votes, spent, strict=True))}
    published = {str(p["recipientIndex"]): int(p["allocatedAmount"]) for p in data["projects"] if "allocatedAmount" in p}
    return tally, published


def errors(found: Mapping[str, int], published: Mapping[str, int]) -> tuple[Fraction, Fraction]:
    """Largest relative error of a project, and that of all together."""
    worst = max(Fraction(abs(found[place] - amount), amount) if amount else Fraction(found[place]) for place, amount in published.items())
    both = sum(published.values())
    return worst, Fraction(abs(sum(found[place] for place in published) - both), both)


def cents(text: str) -> int:
    return int(Decimal(text.replace(",", "")) * CENT) if text.strip() else 0


def rpgf3(folder: Path) -> bool:
    with open(folder / "rpgf3_results_canonical.csv", encoding="utf-8-sig", newline="") as lines:
        results = list(csv.DictReader(lines))
    with open(folder / "rpgf3_anonymized_votes.csv", encoding="utf-8-sig", newline="") as lines:
        votes = {row["project_name"]: [cents(str(Decimal(str(a)))) for a in json.loads(row["amount"])] for row in csv.DictReader(lines)}
    # The published median stands for as many ballots as there were: the median of equal ballots is that ballot.
    stated = {row["Project Name"]: {str(n): cents(row["median amount"]) for n in range(int(row["ballots"]))} for row in results}
    got = {row["Project Name"]: cents(row["OP Received"]) for row in results}
    passing = {row["Project Name"] for row in results if row["Quorum reached"] == "TRUE"}
    weights = median(stated, RPGF3_QUORUM, RPGF3_MINIMUM)
    amounts = fill(weights, RPGF3_BUDGET).amounts
    off = {name: abs(amounts.get(name, 0) - got[name]) for name in passing}
    print(
        f"rpgf3: {len(passing)} passing projects, same set {set(weights) == passing}, "
        f"{sum(not d for d in off.values())} to the cent, worst {max(off.values()) / CENT:.2f} OP, "
        f"worst relative {max(d / got[n] for n, d in off.items()):.1e}, factor {RPGF3_BUDGET * 2 / sum(weights.values()):.6f}"
    )
    from_ballots = median({name: dict(enumerate_names(ballots)) for name, ballots in votes.items()}, RPGF3_QUORUM, RPGF3_MINIMUM)
    rounded = fill(from_ballots, RPGF3_BUDGET).amounts
    relative = sorted(abs(rounded.get(n, 0) - got[n]) / got[n] for n in passing)
    print(
        f"rpgf3 from anonymised ballots: same set {set(from_ballots) == passing}, medians equal "
        f"{sum(from_ballots.get(n) == weights[n] for n in passing)} of {len(passing)}, "
        f"relative error: median {relative[len(relative) // 2]:.1e}, worst {relative[-1]:.1e}"
    )
    return set(weights) == passing and max(off.values()) <= 1


def enumerate_names(ballots: list[int]) -> list[tuple[str, int]]:
    return [(str(place), ballot) for place, ballot in enumerate(ballots)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    held = [clrfund_round(path) for path in sorted((folder / "clrfund-rounds").glob("*.json"))]
    held.append(rpgf3(folder / "rpgf3"))
    raise SystemExit(not all(held))


if __name__ == "__main__":
    main()
