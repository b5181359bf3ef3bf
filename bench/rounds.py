"""Ten thousand random rounds over every policy and setting.

    python -m bench.rounds [NUMBER] [--seed N]

The same rounds each time, or with --seed other ones; `--seed 0` draws a seed and prints it.

Of each: budget = shares + left over; nothing negative; the order of the input does not matter; caps and floors hold; the
verifier, which has formulas of its own, agrees to the unit; more points never lower one's own share under
proportional; and with verified identities ten accounts get what one gets.
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.rewards.policy_rounds import Case, cases, check


def run(number: int, drawn: int | None = None) -> tuple[Counter[str], Counter[str]]:
    """Policies and payees' states seen in `number` rounds; raises AssertionError with the smallest failing round."""
    policies: Counter[str] = Counter()
    states: Counter[str] = Counter()

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=drawn is None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @(seed(drawn) if drawn is not None else lambda test: test)
    @given(cases())
    def rounds(case: Case) -> None:
        shares = check(case)
        policies[case.terms.policy] += 1
        states.update({unit.state for unit in shares.units} or {"nobody"})
        states["left over"] += shares.residual > 0

    rounds()
    return policies, states


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, help="other rounds than the same each time; 0: a seed drawn now")
    asked = parser.parse_args()
    drawn = secrets.randbits(64) if asked.seed == 0 else asked.seed
    print(f"seed {drawn}" if drawn is not None else "the same rounds each time", flush=True)
    begun = time.monotonic()
    policies, states = run(asked.number, drawn)
    print(f"{sum(policies.values()):,} rounds hold, {time.monotonic() - begun:.0f} s")
    print("policies:", ", ".join(f"{name} {count:,}" for name, count in sorted(policies.items())))
    print("rounds with:", ", ".join(f"{name} {count:,}" for name, count in sorted(states.items())))


if __name__ == "__main__":
    main()
