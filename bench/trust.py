"""A million endorsements scored: python -m bench.trust [ENDORSEMENTS]

Made-up accounts whose endorsements follow a power law, over five years. Timed: endorsements as records → faded edges → the
walk → levels, all that `rewards/trust.py` does; and the walk by itself. Prints processor and wall time, and peak memory.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date, timedelta

import numpy as np

from rewards.trust import ONE, Endorsement, faded, levels, walk

AIM_SECONDS = 20


def made(count: int) -> list[Endorsement]:
    draw = np.random.default_rng(1)
    accounts = max(10, count // 10)
    givers = draw.integers(0, accounts, count).tolist()
    takers = (accounts * draw.random(count) ** 3).astype(int).tolist()
    days = draw.integers(0, 1_800, count).tolist()
    start = date(2020, 1, 1)
    dates = [f"{start + timedelta(days=n)}T00:00:00Z" for n in range(1_800)]
    return [
        Endorsement(f"d:h/u/{giver}", f"d:h/u/{taker}", dates[day], "like", f"p/{n}")
        for n, (giver, taker, day) in enumerate(zip(givers, takers, days, strict=True))
    ]


def main() -> int:
    count = int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 1_000_000
    given = made(count)
    seeds = {f"d:h/u/{n}": 1 for n in range(20)}
    wall, cpu = time.monotonic(), time.process_time()
    edges = faded(given, 9_000)
    between = time.process_time()
    trust = walk(edges, seeds, 5_000)
    found = levels(trust, seeds, 5_000)
    wall, spent = time.monotonic() - wall, time.process_time() - cpu
    print(
        f"{count:,} endorsements, {len(edges):,} pairs, {len(found):,} accounts trusted, {sum(trust.values()) / ONE:.6f} of all trust held"
    )
    print(
        f"{spent:.1f} s of processor time ({between - cpu:.1f} s to fade, {spent - between + cpu:.1f} s to walk), {wall:.1f} s in all; aim {AIM_SECONDS} s"
    )
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB, the endorsements themselves among it")
    return 0 if wall <= AIM_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
