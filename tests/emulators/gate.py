"""A gate in front of a server: it lets so many requests through and holds the next one, so that a crawl is caught at work."""

from __future__ import annotations

import threading
import time


class Gate:
    """Open until `close`; `held` says that a request waits behind it."""

    def __init__(self) -> None:
        self.held = False
        self.passed = 0
        self._left: int | None = None
        self._guard = threading.Lock()

    def close(self, after: int) -> None:
        with self._guard:
            self.held, self._left = False, after

    def open(self) -> None:
        with self._guard:
            self.held, self._left = False, None

    def take(self) -> bool:
        """Whether one more request may go."""
        with self._guard:
            if self._left is None or self._left > 0:
                self.passed += 1
                self._left = None if self._left is None else self._left - 1
                return True
            self.held = True
            return False

    def is_open(self) -> bool:
        return self._left is None

    def wait(self) -> None:
        """For servers with a thread for each request."""
        if not self.take():
            while not self.is_open():
                time.sleep(0.02)
