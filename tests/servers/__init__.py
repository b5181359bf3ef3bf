"""Servers that none of us wrote, in an environment of their own: what they need must not meet what we need.

`make test-system` builds it from requirements.txt. A server prints its address and ends when its standard input closes.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"


@contextmanager
def running(script: str, *arguments: str) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    assert PYTHON.exists(), "run `make test-system`, which installs the servers"
    command = [str(PYTHON), str(HERE / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")  # some talk before the server does
            address = next((line.strip() for line in lines if line.startswith(("http://", "ws://"))), "")
            assert address, f"{script} did not start: {' '.join(command)}"
            threading.Thread(target=lambda: list(lines), daemon=True).start()  # nobody listens, and a full pipe would stop it
            yield address
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
