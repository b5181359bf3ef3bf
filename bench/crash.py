"""kill -9 at random moments of a run, then run again: is the result that of an undisturbed run?

    python -m bench.crash ARCHIVE [--kills 10] [--seed 1]

Each kill is a workspace of its own: init, add, run killed after a random share of the undisturbed run's time (with all
its children), run again to the end. The release's root and every exported byte must equal the undisturbed ones.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOME = Path(__file__).parent.parent
COMPARED = ("manifest.json", "procedures.jsonl", "credits.jsonl", "posts.jsonl", "outcomes.jsonl")


def command(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    return subprocess.Popen(
        [sys.executable, str(HOME / "cli.py"), *words],
        cwd=cwd,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(*words: str, cwd: Path) -> None:
    process = command(*words, cwd=cwd)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}: {errors.decode()}")


def workspace(folder: Path, archive: Path) -> Path:
    finish("init", str(folder), cwd=folder.parent)
    finish("add", str(archive), cwd=folder)
    return folder


def released(folder: Path) -> list[bytes]:
    return [(folder / ".precipitate" / "current" / name).read_bytes() for name in COMPARED]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        calm = workspace(home / "calm", arguments.archive.resolve())
        began = time.monotonic()
        finish("run", "--quiet", cwd=calm)
        whole = time.monotonic() - began
        wanted = released(calm)
        same = 0
        for number in range(arguments.kills):
            killed = workspace(home / f"killed{number}", arguments.archive.resolve())
            after = moments.random() * whole
            process = command("run", "--quiet", cwd=killed)
            time.sleep(after)
            ended = process.poll() is not None
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            finish("run", "--quiet", cwd=killed)
            equal = released(killed) == wanted
            same += equal
            print(
                f"killed after {after:5.1f} of {whole:.1f} s{' (had ended)' if ended else ''}: {'same' if equal else 'DIFFERENT'}",
                flush=True,
            )
    print(f"{same} of {arguments.kills} the same as the undisturbed run")
    raise SystemExit(same != arguments.kills)


if __name__ == "__main__":
    main()
