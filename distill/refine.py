"""The optional language model: it sees a draft as numbered spans and may only choose among them.

    draft → request (spans as data) → answer, remembered in the store → operations, each checked → the draft's own words

Whatever goes wrong, the extractive draft stands. The model's words never reach a record: what is kept of an answer is
which of our spans it chose, and its hash. Threads of discussion take turns, so that what is asked within a budget does
not depend on how many cores there are.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from distill.amend import DraftStep, HeardStance
from distill.endpoint import Endpoint
from distill.operations import REJECTIONS, Operation, read_operations, refusals
from distill.order import Order
from distill.spans import PROMPT_VERSION, Found, Open, View, carried_out, request_of, view_of
from index.config import LlmConfig
from index.store import Store, storable
from index.tables_llm import StoredAnswer, known_answer, save_answer
from index.tables_procedures import ThreadWork

BREAKER = 3  # failures in a row after which the endpoint is left alone for this run


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for one draft: its goal, and where the model had a say its order and the receipt of that."""

    goal: str
    order: Order | None = None
    receipt: dict[str, Any] | None = None


@dataclass(slots=True)
class Refined:
    found: list[Found]
    stances: list[HeardStance]
    chosen: list[Chosen]
    reason: str  # why no draft is left, where none is


Refine = Callable[[Open], Refined]


@dataclass(slots=True)
class RefineReport:
    """Of one run. Tokens are those that the endpoint told; microdollars follow from them and the configured prices."""

    model: str
    drafts: int = 0
    requests: int = 0
    remembered: int = 0  # answers of earlier runs
    refined: int = 0
    kept: int = 0
    rejected: int = 0
    refused: int = 0  # answers
    unanswered: int = 0
    waiting: int = 0  # drafts that the next run asks about
    tokens_in: int = 0
    tokens_out: int = 0
    microdollars: int = 0
    micros: int = 0
    operations: dict[str, int] = field(default_factory=dict)  # carried out
    refusals: dict[str, int] = field(default_factory=dict)  # of operations and answers, by reason
    failures: dict[str, int] = field(default_factory=dict)  # of requests


class Refiner:
    """One for a run. `turn(n)` gives the n-th thread of a partition its say, after all threads before it."""

    def __init__(self, store: Store, config: LlmConfig) -> None:
        self.store, self.config = store, config
        self.report = RefineReport(config.model)
        self._endpoint: Endpoint | None = None
        self._left_alone = False
        self._failed_in_a_row = 0
        self._asked: set[str] = set()
        self._waits: set[str] = set()
        self._told: dict[str, list[dict[str, Any]]] = {}
        self._turn = threading.Condition()
        self._over: set[int] = set()

    def begin(self) -> None:
        """A new partition: turns count from 0 again."""
        self._over = set()

    def stop(self) -> None:
        self._left_alone = True

    @contextmanager
    def turn(self, place: int) -> Iterator[Refine]:
        def refine(open_: Open) -> Refined:
            with self._turn:
                self._turn.wait_for(lambda: all(before in self._over for before in range(place)))
            return self.refine(open_)

        try:
            yield refine
        finally:
            with self._turn:
                self._over.add(place)
                self._turn.notify_all()

    def refine(self, open_: Open) -> Refined:
        stances, kept, chosen, reason = open_.stances, [], [], ""
        for number, part in enumerate(open_.found):
            self.report.drafts += 1
            others = [step for n, (_, steps, _) in enumerate(open_.found) if n != number for step in steps]
            view = view_of(open_.scored, part, others, stances)
            change = self._change(open_, part, view, stances)
            if isinstance(change, str):
                reason = change
                continue
            steps, stances, choice = change
            kept.append((part[0], steps, part[2]))
            chosen.append(choice)
        return Refined(kept, stances, chosen, "" if kept else reason)

    def _change(
        self, open_: Open, part: Found, view: View, stances: list[HeardStance]
    ) -> tuple[list[DraftStep], list[HeardStance], Chosen] | str:
        """Steps, stances and choices as the model would have them, or as they were; the reason where it rejects the draft."""
        thread, as_it_was = open_.scored.read.thread.id, (part[1], stances, Chosen(open_.goal))
        request = request_of(view, open_.scored, self.config.model, open_.goal)
        if request is None:
            self._tell(thread, "refused", [], ["too long to be asked about"])
            return as_it_was
        name = "sha256:" + hashlib.sha256(request).hexdigest()
        answer = self._answer(thread, name, request)
        if answer is None:
            return as_it_was
        receipt = {
            "model": self.config.model,
            "prompt": PROMPT_VERSION,
            "request": name,
            "answer": "sha256:" + hashlib.sha256(answer.text.encode()).hexdigest(),
        }
        operations, refused = read_operations(answer.text)
        refused = refused or refusals(operations, view.shown, view.sources, open_.min_steps)
        change = None
        if not refused and operations[0].op not in ("keep", "reject"):
            change, refused = carried_out(open_, part, view, operations, stances)
        if refused or operations[0].op in ("keep", "reject"):
            self._tell(thread, "refused" if refused else {"keep": "kept", "reject": "rejected"}[operations[0].op], [], refused, receipt)
            return as_it_was if refused or operations[0].op == "keep" else REJECTIONS[operations[0].reason]
        assert change is not None
        self._tell(thread, "refined", operations, [], receipt)
        return change.steps, change.stances, Chosen(change.goal or open_.goal, change.order, receipt)

    def _tell(
        self, thread: str, state: str, operations: list[Operation], refused: list[str], receipt: dict[str, Any] | None = None
    ) -> None:
        """Into the run's figures and, without a word of the model, into the thread's report."""
        report = self.report
        setattr(report, state, getattr(report, state) + 1)
        for operation in operations:
            _count(report.operations, operation.op)
        for reason in refused:
            _count(report.refusals, reason)
        told = {"state": state, "operations": dict(Counter(o.op for o in operations)), "refused": dict(Counter(refused)), **(receipt or {})}
        self._told.setdefault(thread, []).append(told)

    def _answer(self, thread: str, name: str, request: bytes) -> StoredAnswer | None:
        """What the model says to a request: remembered, or asked for; None where that failed or has to wait."""
        if (known := known_answer(self.store, name)) is not None:
            self.report.remembered += 1
            return known
        if not self._may_ask(thread):
            self._waits.add(thread)
            self.report.waiting += 1
            return None
        self._asked.add(thread)
        if self._endpoint is None:
            self._endpoint = Endpoint(self.config)
        began = time.monotonic_ns()
        reply = self._endpoint.ask(request)
        self.report.micros += (time.monotonic_ns() - began) // 1000
        self._pay(reply.requests, reply.tokens_in, reply.tokens_out)
        self._failed_in_a_row = self._failed_in_a_row + 1 if reply.failure else 0
        self._left_alone = self._left_alone or reply.leave_alone or self._failed_in_a_row >= BREAKER
        if reply.failure:
            _count(self.report.failures, reply.failure)
            self.report.unanswered += 1
            self._waits.add(thread)
            return None
        answer = StoredAnswer(storable(reply.text), reply.tokens_in, reply.tokens_out)
        save_answer(self.store, name, thread, self.config.model, answer)
        return answer

    def _may_ask(self, thread: str) -> bool:
        spent = self.config.input_price + self.config.output_price > 0 and self.report.microdollars >= self.config.max_cost
        full = thread not in self._asked and len(self._asked) >= self.config.max_threads
        return not (self._left_alone or spent or full)

    def _pay(self, requests: int, tokens_in: int, tokens_out: int) -> None:
        report = self.report
        report.requests += requests
        report.tokens_in += tokens_in
        report.tokens_out += tokens_out
        parts = report.tokens_in * self.config.input_price + report.tokens_out * self.config.output_price
        report.microdollars = -(-parts // 1_000_000)

    def signed(self, work: ThreadWork) -> ThreadWork:
        """The work with what the model had to say about it.

        A thread that waits for its answer keeps the extractive draft under another hash: the next run takes it up again.
        """
        told = self._told.get(work.thread)
        report = {**work.report, "language_model": told} if told else work.report
        waits = work.thread in self._waits
        return replace(work, report=report, input_hash=f"{work.input_hash} waits" if waits else work.input_hash)


def _count(counts: dict[str, int], what: str) -> None:
    """A plain dict, since `asdict` does not copy a Counter as one."""
    counts[what] = counts.get(what, 0) + 1
