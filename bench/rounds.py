"""Ten thousand random rounds over every policy and setting.

    python -m bench.rounds [NUMBER]

Of each: budget = shares + left over; nothing negative; the order of the input does not matter; caps and floors hold; the
verifier, which has formulas of its own, agrees to the unit; more points never lower one's own share under
proportional; and with verified identities ten accounts get what one gets.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from tests.rewards.policy_rounds import Case, cases, check


def run(number: int) -> tuple[Counter[str], Counter[str]]:
    """Policies and payees' states seen in `number` rounds; raises AssertionError with the smallest failing round."""
    policies: Counter[str] = Counter()
    states: Counter[str] = Counter()

    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
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
    begun = time.monotonic()
    policies, states = run(parser.parse_args().number)
    print(f"{sum(policies.values()):,} rounds hold, {time.monotonic() - begun:.0f} s")
    print("policies:", ", ".join(f"{name} {count:,}" for name, count in sorted(policies.items())))
    print("rounds with:", ", ".join(f"{name} {count:,}" for name, count in sorted(states.items())))


if __name__ == "__main__":
    main()
