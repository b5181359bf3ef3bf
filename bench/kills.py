"""kill -9 of a crawl while it asks: after so many of its requests came to the server, and a moment more.

Counted at the server, and with a gate in front of it that holds what comes after, a kill meets a crawl at work however slow
or fast the machine is. A crawl that ends before its kill is no kill, and another one is tried.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.emulators.gate import Gate

LONGEST = 1_800.0  # seconds for one crawl
MOMENT = 0.3  # seconds at most from the request to the kill
TRIES = 3  # for each kill

Asked = Callable[[], int]  # requests that came to the server so far


def run(command: list[str], cwd: Path, environment: Mapping[str, str], kill: Callable[[], bool] | None = None) -> int:
    """A process with children of its own, its exit status. `kill`: killed with all of them as soon as this is true."""
    with subprocess.Popen(
        command, cwd=cwd, env=dict(environment), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + LONGEST
        while process.poll() is None and (kill is None or not kill()):
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                raise SystemExit(f"{' '.join(command)} did not end in {LONGEST:.0f} seconds")
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def killed_while_asking(
    crawl: Callable[[Callable[[], bool]], int], asked: Asked, requests: int, moment: float, gate: Gate | None = None
) -> bool:
    """Whether a crawl was killed a moment after it had made so many requests; a gate lets no more through."""
    before = asked()
    due: list[float] = []
    if gate:
        gate.close(requests)

    def kill() -> bool:
        if not due and (asked() - before >= requests or (gate is not None and gate.held)):
            due.append(time.monotonic() + moment)
        return bool(due) and time.monotonic() >= due[0]

    try:
        return crawl(kill) == -signal.SIGKILL
    finally:
        if gate:
            gate.open()


def kill_again_and_again(
    crawl: Callable[[Callable[[], bool]], int],
    asked: Asked,
    whole: int,
    kills: int,
    chance: random.Random,
    live_on: Callable[[int], None],
    gate: Gate | None = None,
) -> int:
    """So many kills, spread over the requests that an undisturbed crawl makes in all; life goes on after each. How many there were."""
    most, killed = max(1, min(max(2 * whole // max(1, kills), 6), whole - 2)), 0
    for _ in range(kills * TRIES):
        if killed == kills:
            break
        if killed_while_asking(crawl, asked, chance.randint(1, most), chance.uniform(0.0, MOMENT), gate):
            killed += 1
            live_on(killed)
    return killed
