"""A tree of many leaves, beside @openzeppelin/merkle-tree in the same run: same root? how long?

    python -m bench.trees [--leaves 100000] [--times 3]

Needs `npm install` in tests/npm. Both sides are timed from rows in memory to the dump in memory, in turns; the least of
each is compared, as the machine's other work only ever adds. Wall seconds count against the limit; CPU seconds stand
beside them for machines that are busy. Then the independent verifier, and Uniswap's tree.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from index.records import Payout
from rewards import merkle, verify
from rewards.money import checksum_address, keccak256

NPM = Path(__file__).parent.parent / "tests" / "npm"
LIMIT = 10  # seconds for 100,000 leaves


Took = tuple[float, float]  # wall seconds, CPU seconds


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    began, spent = time.perf_counter(), time.process_time()
    made = work()
    return (time.perf_counter() - began, time.process_time() - spent), made


def theirs(path: Path) -> tuple[Took, str]:
    done = subprocess.run(["node", str(NPM / "time_tree.mjs"), str(path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return (told["wall_ms"] / 1000, told["cpu_ms"] / 1000), told["root"]


def told(name: str, runs: Sequence[Took], more: str = "") -> None:
    walls, cpus = zip(*runs, strict=True)
    print(f"  {name:27} wall {min(walls):6.2f} s, CPU {min(cpus):6.2f} s  {more}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    payouts = [Payout(checksum_address("0x" + keccak256(b"%d" % n)[:20].hex()), n * 10**18 + 1, ()) for n in range(1, arguments.leaves + 1)]
    ours, others = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "values.json"
        path.write_text(json.dumps([[p.address, str(p.amount)] for p in payouts]), encoding="utf-8")
        for _ in range(arguments.times):
            took, dump = timed(lambda: merkle.dump(payouts))
            ours.append(took)
            took, root = theirs(path)
            others.append(took)
            assert root == dump["tree"][0], "the roots differ"
    print(f"{arguments.leaves:,} leaves, the least of {arguments.times} each, in turns; same root")
    told("rewards/merkle.py", ours)
    told("@openzeppelin/merkle-tree", others)
    wall, cpu = (min(run[place] for run in ours) / min(run[place] for run in others) for place in (0, 1))
    print(f"  ours takes {wall:.2f} of their wall time, {cpu:.2f} of their CPU time")
    took, findings = timed(lambda: verify.verify_dump(dump))
    told("rewards/verify.py", [took], f"every leaf, node and proof, {len(findings)} findings")
    took, _ = timed(lambda: merkle.uniswap_claims(payouts))
    told("Uniswap's tree and proofs", [took])
    raise SystemExit(bool(findings) or min(ours)[0] > LIMIT * arguments.leaves / 100_000)


if __name__ == "__main__":
    main()
