"""Posts → procedures with citations, support and dissent, as a list of stages.

    changed threads → read, score, scaffold, amend, order, gate (per thread, pure) → drafts in the store
    all drafts      → link across threads → clusters → versions → current procedures

A thread is worked on again only when its posts or the configuration changed. Work is committed per partition of
threads, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from index import CODE_VERSION
from index.config import Config
from index.plain import PLAIN_VERSION
from index.records import PROCEDURE_SCHEMA
from index.store import Store, canonical_json
from index.tables_discussion import StoredThread, read_threads, sources, thread_hashes
from index.tables_procedures import (
    StoredProcedure,
    ThreadWork,
    current_procedures,
    drafts,
    drop_work,
    known_lineages,
    outcomes,
    save_procedures,
    save_work,
    work_hashes,
)

if TYPE_CHECKING:
    from distill.refine import Refiner, RefineReport
    from distill.scoring import Model
    from distill.windows import Window

PARTITION = 180  # threads per commit: a kill loses at most the work of these

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class DistillReport:
    threads: int
    changed: int
    procedures: int
    abstained: int
    costs: dict[str, tuple[int, int]] = field(default_factory=dict)  # stage → (items, microseconds)
    refined: RefineReport | None = None  # where a language model is asked

    @property
    def partial(self) -> bool:
        """The language model was asked and did not answer; what waits for the next run's budget is no failure."""
        return self.refined is not None and self.refined.unanswered > 0


def distill(store: Store, config: Config, progress: Progress) -> DistillReport:
    """Bring procedures up to date with the posts in the store."""
    began = time.perf_counter_ns()
    wanted = wanted_work(store, config)
    done = work_hashes(store)
    changed = [thread for thread, digest in wanted.items() if done.get(thread) != digest]
    gone = sorted(set(done) - set(wanted))
    drop_work(store, gone)
    refiner = refiner_of(store, config)
    for count in work_on(store, config, changed, wanted, refiner):
        progress("distil", count, len(changed))
    worked = time.perf_counter_ns()
    if changed or gone or not _linked(store):
        link_procedures(store, config)
    linked = time.perf_counter_ns()
    results = [row["outcome"] for row in outcomes(store)]
    return DistillReport(
        threads=len(wanted),
        changed=len(changed),
        procedures=len(current_procedures(store)),
        abstained=results.count("abstained"),
        costs={"threads": (len(changed), (worked - began) // 1000), "linking": (len(results), (linked - worked) // 1000)}
        | ({"language model": (refiner.report.requests, refiner.report.micros)} if refiner else {}),
        refined=refiner.report if refiner else None,
    )


def replay(store: Store, config: Config, threads: Sequence[str]) -> dict[str, set[str]]:
    """Thread → ids of the versions that distilling it anew gives, from the posts as they are now, linked with the drafts of
    all other threads; nothing is stored."""
    from distill.drafts import distill_thread
    from distill.link import link
    from distill.scorers import load_scorers
    from distill.versions import version_id

    scorers, model = load_scorers(), lazy_model(config.distill.model)
    anew = [draft for thread in read_threads(store, threads) for draft in distill_thread(thread, "", config.distill, scorers, model).drafts]
    others = [draft for draft in drafts(store) if draft["thread"] not in set(threads)]
    found: dict[str, set[str]] = {}
    for entry in link(sorted([*others, *anew], key=lambda draft: str(draft["thread"]))).values():
        for thread in (entry.draft["thread"], *entry.draft.get("copied_in", [])):
            found.setdefault(thread, set()).add(version_id(entry.draft["goal"], entry.draft["steps"]))
    return found


def refiner_of(store: Store, config: Config) -> Refiner | None:
    """The language model that is configured; None where none is."""
    if not config.llm.on:
        return None
    from distill.refine import Refiner

    return Refiner(store, config.llm)


def wanted_work(store: Store, config: Config) -> dict[str, str]:
    """Thread → hash of its posts, the configuration, the weights and this code: all that its drafts depend on."""
    parts = [config.digest("distill"), weights_digest(), CODE_VERSION]
    if config.llm.on:  # its address, its price and the budget change no answer
        from distill.spans import PROMPT_VERSION

        parts += [PROMPT_VERSION, config.llm.model]
    basis = canonical_json(parts)
    return {thread: hashlib.sha256(f"{basis} {digest}".encode()).hexdigest() for thread, digest in thread_hashes(store).items()}


@cache
def weights_digest() -> str:
    from importlib import resources

    from distill import hearing
    from distill.scorers import ADAPTER, WEIGHTS

    folder = resources.files("distill").joinpath("weights")
    return (
        "sha256:" + hashlib.sha256(b"".join(folder.joinpath(name).read_bytes() for name in (WEIGHTS, ADAPTER, hearing.WEIGHTS))).hexdigest()
    )


def work_on(store: Store, config: Config, threads: Sequence[str], hashes: dict[str, str], refiner: Refiner | None = None) -> Iterator[int]:
    """Distil threads partition by partition; yields how many are done after each commit."""
    if not threads:
        return
    from distill.drafts import distill_thread
    from distill.scorers import load_scorers

    scorers = load_scorers()
    model = lazy_model(config.distill.model)

    def work(place: int, thread: StoredThread) -> ThreadWork:
        if refiner is None:
            return distill_thread(thread, hashes[thread.id], config.distill, scorers, model)
        with refiner.turn(place) as refine:
            return refiner.signed(distill_thread(thread, hashes[thread.id], config.distill, scorers, model, refine))

    # A thread's work depends on nothing but the thread, so cores may share them out; the model takes one core a call.
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        for start in range(0, len(threads), PARTITION):
            part = threads[start : start + PARTITION]
            if refiner:
                refiner.begin()
            save_work(store, list(pool.map(work, range(len(part)), read_threads(store, part))))
            yield min(start + PARTITION, len(threads))
    finally:
        if refiner:
            refiner.stop()
        pool.shutdown(cancel_futures=True)


def lazy_model(name: str) -> Model:
    """The sentence model and the reader, each loaded once, at the first text that needs it."""
    from distill.scorers import load_adapter
    from distill.scoring import Model

    loading = threading.Lock()

    @cache
    def reader() -> Any:
        from index.embed import Reader

        return Reader(load_adapter())

    def encode(texts: Sequence[str]) -> Any:
        from index.embed import encoder

        with loading:
            loaded = encoder(name)
        return loaded.encode(texts)

    def read(windows: Sequence[Window]) -> Any:
        with loading:
            loaded = reader()
        return loaded.read([(window.head, window.pieces) for window in windows])

    return Model(encode, read)


def _linked(store: Store) -> bool:
    """Whether linking was finished since the last draft: a crash between the two leaves drafts without procedures."""
    known = {thread for procedure in current_procedures(store) for thread in procedure.record["threads"]}
    return all(row["thread"] in known for row in outcomes(store) if row["outcome"] == "procedures")


def link_procedures(store: Store, config: Config) -> None:
    """Drafts → procedures: copies joined, alternatives linked, ids and versions given, all in one transaction."""
    from distill.drafts import unpack
    from distill.link import clusters, link
    from distill.versions import lineages, version_id

    linked = link(drafts(store))
    named = lineages({i: entry.draft for i, entry in linked.items()}, known_lineages(store))
    groups = clusters([unpack(entry.draft["goal_vector"]) for entry in linked.values()])
    licences = {source.id: source.licence for source in sources(store)}
    generator = {
        "config": config.digest("distill"),
        "models": [_model_digest(config), weights_digest()],
        "code": CODE_VERSION,
        "plain": PLAIN_VERSION,
    }
    ready: list[StoredProcedure] = []
    for (index, entry), group in zip(linked.items(), groups, strict=True):
        identifier, old = named[index]
        hashed = version_id(entry.draft["goal"], entry.draft["steps"])
        same = old is not None and old.version_id == hashed
        version = 1 if old is None else old.version if same else old.version + 1
        supersedes = None if old is None else old.record["supersedes"] if same else old.version_id
        alternatives = sorted(named[other][0] for other in entry.alternatives)
        record = _record(entry.draft, identifier, version, hashed, supersedes, alternatives, licences, generator)
        ready.append(StoredProcedure(identifier, version, hashed, record, unpack(entry.draft["goal_vector"]), group))
    with store.transaction():
        save_procedures(store, sorted(ready, key=lambda p: p.id))


@cache
def _model_digest(config: Config) -> str:
    from index.embed import PACKAGED, PACKAGED_SHA256

    return "sha256:" + (PACKAGED_SHA256 if config.distill.model == PACKAGED else hashlib.sha256(config.distill.model.encode()).hexdigest())


def _record(
    draft: dict[str, Any],
    identifier: str,
    version: int,
    hashed: str,
    supersedes: str | None,
    alternatives: list[str],
    licences: dict[str, str | None],
    generator: dict[str, Any],
) -> dict[str, Any]:
    """The exported record of docs/records.md, from a draft."""
    steps = [{key: value for key, value in step.items() if key not in ("supporters", "dissenters")} for step in draft["steps"]]
    threads = sorted({draft["thread"], *draft.get("copied_in", [])})
    held = sorted({draft["source"], *(c["thread"].rsplit("/t/", 1)[0] for step in steps for c in step["citations"])})
    return {
        "schema": PROCEDURE_SCHEMA, "id": identifier, "version": version, "version_id": hashed, "supersedes": supersedes, "status": "draft",
        "title": draft["title"], "goal": draft["goal"], "purpose": draft["purpose"], "preconditions": draft["preconditions"],
        "roles": draft["roles"], "tools": draft["tools"], "verification": draft["verification"], "language": "en", "ordered": draft["ordered"],
        "steps": steps, "stances": draft["stances"], "alternatives": alternatives, "forked_from": None,
        "sources": [{"source": source, "licence": licences.get(source)} for source in held], "threads": threads,
        "quality": draft["quality"], "generator": generator | ({"refined": draft["refined"]} if "refined" in draft else {}),
    }  # fmt: skip
