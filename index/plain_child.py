"""A process that derives plain text: `python -m index.plain_child HANDLE PARENT`, started by index/plain_apart.py.

It holds neither the store nor a file nor a lock, so it may be killed at any time. A list of bodies comes over the
connection, their rows go back in the same order. It ends when the connection closes, after the body it is at when its
parent is gone, and by a signal when one body takes more than MOST_SECONDS of the processor, however it is caught up.
"""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection

from index.plain import Body, PlainRow, plain_row

MOST_SECONDS = 60.0  # the longest body that is read takes one second


def main() -> None:
    connection, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    try:
        while True:
            connection.send([_row(body, parent) for body in connection.recv()])
    except (EOFError, OSError):
        os._exit(0)


def _row(body: Body, parent: int) -> PlainRow:
    if os.getppid() != parent:
        raise EOFError
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    row = plain_row(*body)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return row


if __name__ == "__main__":
    main()
