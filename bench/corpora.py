"""Time, memory, exactness and quality of whole runs on the corpora beside the checkout.

    python -m bench.corpora [--corpora ../shared/corpora] [--gold ../shared/gold] [NAME …]

For each corpus: a fresh workspace, the whole run (wall time, peak memory of the process tree's largest member), a second run without new posts,
every citation checked, then all procedures scored against the gold threads by the gold folder's own scorer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.citations import check

HOME = Path(__file__).parent.parent
LIMITS = {"optimism-gov": (60, 2), "delving-bitcoin": (120, 2), "ethereum-magicians": (480, 3)}  # seconds, GB


def run(*words: str, cwd: Path) -> tuple[float, float]:
    """(seconds, peak GB of one process) of a command."""
    before = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(HOME / "cli.py"), *words], cwd=cwd, env={**os.environ, "PYTHONPATH": str(HOME)}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return time.monotonic() - before, usage.ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=HOME.parent / "shared" / "corpora")
    parser.add_argument("--gold", type=Path, default=HOME.parent / "shared" / "gold")
    parser.add_argument("names", nargs="*", default=list(LIMITS))
    arguments = parser.parse_args()
    if not arguments.corpora.is_dir():
        raise SystemExit(f"no corpora in {arguments.corpora}: name their folder with --corpora")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder) / "procedures.jsonl"
        for name in arguments.names:
            archive = (arguments.corpora / name).resolve()
            workspace = Path(folder) / name
            run("init", str(workspace), cwd=Path(folder))
            run("add", str(archive), cwd=workspace)
            seconds, memory = run("run", "--quiet", cwd=workspace)
            again, _ = run("run", "--quiet", cwd=workspace)
            limit, most = LIMITS.get(name, (0, 0))
            found = check(workspace, [archive])
            text = (workspace / ".precipitate" / "current" / "procedures.jsonl").read_text(encoding="utf-8")
            count = text.count("\n")
            with open(every, "a", encoding="utf-8") as out:
                out.write(text)
            print(
                f"{name}: run {seconds:.0f} s (limit {limit}), {memory:.2f} GB (limit {most}), second run {again:.1f} s, {count} SOPs, "
                + ", ".join(f"{key} {value}" for key, value in found.items()),
                flush=True,
            )
        if (arguments.gold / "score.py").exists():
            scored = subprocess.run(
                [sys.executable, str(arguments.gold / "score.py"), str(arguments.gold), str(every), "--json", "--ci"],
                capture_output=True,
                text=True,
                check=True,
            )
            print(json.dumps(json.loads(scored.stdout), indent=1))


if __name__ == "__main__":
    main()
