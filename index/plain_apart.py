"""Plain text derived by processes of its own, while this one stores what was read before.

    with PlainApart() as apart:
        for part, plains in apart.ahead(parts, bodies_of): ...

Nothing that is stored depends on them: their rows are those that `plain_row` gives here. Where a process is killed, cannot
be started or does not answer, they are derived here. A body that crashes its process, or that it is never done with, stays
without plain text, and its row says why. The store sees none of this, only whole batches.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, TypeVar

from index.plain import Body, PlainRow, Plains, no_plain, plain_row

Part = TypeVar("Part")

READERS = 2  # processes: this one mostly waits for the store or for the archive, so two cores are busy
FEW = 200  # bodies that are derived here: to start a process takes longer
PATIENCE = 600.0  # seconds without an answer after which a process counts as stuck
MAX_ENDS = 3  # how often a process may end for no fault of a body before no other is started
CRASHED = "the text crashes the process that reads it"
# Ends that are a body's own doing, and would be this process's end, too.
OWN_DOING: dict[int, str] = {
    signal.SIGVTALRM: "the text is not read in a minute of the processor",
    **dict.fromkeys((signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL), CRASHED),
}


class PlainApart:
    """The processes, started when they are first worth it; they never outlive the block."""

    def __init__(self, program: Sequence[str] = ("-m", "index.plain_child"), readers: int | None = None) -> None:
        readers = (READERS if _processors() > 1 else 0) if readers is None else readers
        self._readers = [_Reader(program) for _ in range(readers)]

    def __enter__(self) -> PlainApart:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.end()

    def ahead(self, parts: Iterable[Part], bodies: Callable[[Part], list[Body]]) -> Iterator[tuple[Part, Plains]]:
        """Each part with the plain text of its bodies, in order; meanwhile the next one is read and derived.

        Where `parts` ends with an error, that comes after all that came before it.
        """
        waiting: list[tuple[Part, list[Body]]] = []  # one at most
        try:
            for part in parts:
                told = [(before, self._told(asked)) for before, asked in waiting]
                waiting = [(part, bodies(part))]
                self._ask(waiting[0][1])
                while told:
                    yield told.pop()
        except Exception:
            yield from [(before, self._told(asked)) for before, asked in waiting]
            raise
        yield from [(before, self._told(asked)) for before, asked in waiting]

    def _ask(self, bodies: list[Body]) -> None:
        if len(bodies) >= FEW:
            for reader in self._readers:
                reader.start()
            for place, reader in enumerate(self._readers):
                reader.ask(bodies[place :: len(self._readers)])

    def _told(self, bodies: list[Body]) -> Plains:
        if len(bodies) < FEW or not self._readers:
            return {body: plain_row(*body) for body in bodies}
        return {body: row for reader in self._readers for body, row in reader.told()}


class _EndedError(Exception):
    """A process ended before it answered; `why` is what the body did to it, "" where it did nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class _Reader:
    """One process, and the bodies that it is at."""

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._bodies: list[Body] = []
        self._ends = 0

    def ask(self, bodies: list[Body]) -> None:
        """Hand bodies over. The process has nothing else to do, so it takes them at once."""
        self._bodies = bodies
        self._send(bodies)

    def told(self) -> Iterable[tuple[Body, PlainRow]]:
        """What was handed over, with its rows."""
        try:
            rows = self._answer()
        except _EndedError:
            rows = [self._alone(body) for body in self._bodies]
        return zip(self._bodies, rows, strict=True)

    def end(self) -> int:
        """End the process whatever it is at; its exit status."""
        if self._process is None or self._connection is None:
            return 0
        self._connection.close()
        self._process.kill()
        status = self._process.wait()
        self._process = self._connection = None
        return status

    def _send(self, bodies: list[Body]) -> None:
        if self._connection is not None:
            with suppress(OSError):  # then it has ended, as `_answer` will see
                self._connection.send(bodies)

    def _answer(self) -> list[PlainRow]:
        if self._connection is None:
            raise _EndedError("")
        with suppress(EOFError, OSError):
            if self._connection.poll(PATIENCE):
                rows: list[PlainRow] = self._connection.recv()
                return rows
        why = OWN_DOING.get(-self.end(), "")
        self._ends += not why
        raise _EndedError(why)

    def _alone(self, body: Body) -> PlainRow:
        """After the process has ended among several bodies: is it this one's doing?"""
        self.start()
        try:
            self._send([body])
            (row,) = self._answer()
        except _EndedError as ended:
            return no_plain(ended.why) if ended.why else plain_row(*body)
        return row

    def start(self) -> None:
        """It finds this very code, and (-P) none in the folder where the user stands; a session of its own keeps the
        keyboard's interrupt from it."""
        if self._process is not None or self._ends >= MAX_ENDS:
            return
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        ours, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", *self._program, str(theirs.fileno()), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | {"PYTHONPATH": path},
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
                self._connection = ours
            except OSError:  # no more processes, or no memory for one
                ours.close()
                self._ends = MAX_ENDS


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
