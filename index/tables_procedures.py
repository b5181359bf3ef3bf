"""Queries about what was distilled: work per thread, kept passages, procedures and their versions, runs and costs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index.records import Run
from index.store import Store, canonical_json, now

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class KeptPassage:
    """A passage that a procedure cites, with its quantised vector."""

    post: str
    thread: str
    start: int
    stop: int
    text: str
    score_bp: int
    vector: bytes  # int8 × dimensions


@dataclass(frozen=True, slots=True)
class ThreadWork:
    """What distilling one thread came to; `drafts` and `report` are plain JSON values."""

    thread: str
    input_hash: str
    outcome: str  # "procedures" | "abstained"
    reason: str
    report: dict[str, Any]
    drafts: list[dict[str, Any]]
    passages_seen: int
    passages_scored: int
    micros: int
    kept: tuple[KeptPassage, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredProcedure:
    """A version of a procedure: its record as exported, and its goal's quantised vector."""

    id: str
    version: int
    version_id: str
    record: dict[str, Any]
    goal_vector: bytes
    cluster: int | None = None


# --- work per thread ----------------------------------------------------------------------------------------------


def work_hashes(store: Store) -> dict[str, str]:
    return dict(store.execute("SELECT thread, input_hash FROM thread_work ORDER BY thread"))


def save_work(store: Store, works: Sequence[ThreadWork]) -> None:
    """Replace the work of these threads. One transaction: a thread is done or not."""
    with store.transaction():
        for work in works:
            store.execute("DELETE FROM kept_passages WHERE thread = ?", [work.thread])
            store.execute(
                "INSERT OR REPLACE INTO thread_work VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    work.thread, work.input_hash, work.outcome, work.reason, canonical_json(work.report), canonical_json(work.drafts),
                    work.passages_seen, work.passages_scored, work.micros,
                ],
            )  # fmt: skip
        _save_passages(store, [passage for work in works for passage in work.kept])


def _save_passages(store: Store, kept: Sequence[KeptPassage]) -> None:
    if not kept:
        return
    import pyarrow as pa

    unique = list({(p.post, p.start, p.stop): p for p in kept}.values())
    columns: dict[str, Any] = {
        name: [getattr(p, name) for p in unique] for name in ("post", "thread", "start", "stop", "text", "score_bp", "vector")
    }
    columns["start"], columns["stop"] = pa.array(columns["start"], pa.int32()), pa.array(columns["stop"], pa.int32())
    columns["vector"] = pa.array(columns["vector"], pa.binary())
    store.upsert("kept_passages", pa.table(columns))


def drop_work(store: Store, threads: Iterable[str]) -> None:
    """Forget threads that are gone or have no readable post left."""
    with store.transaction():
        for thread in threads:
            store.execute("DELETE FROM thread_work WHERE thread = ?", [thread])
            store.execute("DELETE FROM kept_passages WHERE thread = ?", [thread])


def drafts(store: Store) -> list[dict[str, Any]]:
    """All drafts of all threads, in order of thread id and place in the thread."""
    rows = store.execute("SELECT drafts FROM thread_work WHERE outcome = 'procedures' ORDER BY thread")
    return [draft for (text,) in rows for draft in json.loads(text)]


def thread_outcome(store: Store, thread: str) -> dict[str, Any] | None:
    rows = store.rows(
        "SELECT thread, outcome, reason, report, passages_seen, passages_scored, micros FROM thread_work WHERE thread = ?", [thread]
    )
    return {**rows[0], "report": json.loads(rows[0]["report"])} if rows else None


def outcomes(store: Store) -> list[dict[str, Any]]:
    """For every thread that was read: what came of it and why, in order of thread id."""
    return store.rows("SELECT thread, outcome, reason FROM thread_work ORDER BY thread")


def kept_passages(store: Store) -> list[KeptPassage]:
    rows = store.rows("SELECT post, thread, start, stop, text, score_bp, vector FROM kept_passages ORDER BY post, start, stop")
    return [KeptPassage(**row) for row in rows]


# --- procedures ---------------------------------------------------------------------------------------------------


def current_procedures(store: Store) -> list[StoredProcedure]:
    rows = store.rows("SELECT id, version, version_id, record, goal_vector, cluster FROM procedures WHERE current ORDER BY id")
    return [StoredProcedure(**{**row, "record": json.loads(row["record"])}) for row in rows]


def current_records(store: Store) -> list[dict[str, Any]]:
    """Current procedures as exported records (precipitate/procedure/1), in order of id."""
    return [json.loads(text) for (text,) in store.execute("SELECT record FROM procedures WHERE current ORDER BY id")]


def versions(store: Store, procedure: str) -> list[StoredProcedure]:
    rows = store.rows(
        "SELECT id, version, version_id, record, goal_vector, cluster FROM procedures WHERE id = ? ORDER BY version", [procedure]
    )
    return [StoredProcedure(**{**row, "record": json.loads(row["record"])}) for row in rows]


def known_lineages(store: Store) -> list[StoredProcedure]:
    """The newest version of every distilled procedure that ever was, current or withdrawn; what people composed is no lineage of theirs."""
    rows = store.rows(
        "SELECT id, version, version_id, record, goal_vector, cluster FROM procedures WHERE id NOT IN (SELECT id FROM composed) QUALIFY row_number() OVER (PARTITION BY id ORDER BY version DESC) = 1 ORDER BY id"
    )
    return [StoredProcedure(**{**row, "record": json.loads(row["record"])}) for row in rows]


def save_procedures(store: Store, procedures: Sequence[StoredProcedure]) -> None:
    """Make these versions current, with what people composed; all others stay as history, but for those that quote a post
    which is gone. A composed SOP with such a post is withdrawn, too.

    Called inside a transaction.
    """
    store.execute("UPDATE procedures SET current = false WHERE current AND id NOT IN (SELECT id FROM composed)")
    store.execute(
        """UPDATE procedures SET current = false WHERE current AND EXISTS (SELECT 1 FROM tombstones t WHERE contains(record, '"' || t.post || '"'))"""
    )
    for procedure in procedures:
        text = canonical_json(procedure.record)
        store.execute(
            "INSERT OR REPLACE INTO procedures VALUES (?, ?, ?, true, ?, ?, sha256(?), ?, ?)",
            [
                procedure.id, procedure.version, procedure.version_id, procedure.record["threads"], text, text,
                procedure.goal_vector, procedure.cluster,
            ],
        )  # fmt: skip
    store.execute(
        """DELETE FROM procedures WHERE NOT current AND EXISTS (SELECT 1 FROM tombstones t WHERE contains(record, '"' || t.post || '"'))"""
    )


# --- runs ---------------------------------------------------------------------------------------------------------


def start_run(store: Store, config: str) -> int:
    """Open a run; one that was left running by a crash is marked as such."""
    store.execute("UPDATE runs SET status = 'interrupted' WHERE status = 'running'")
    number = int(store.execute("SELECT coalesce(max(id), 0) + 1 FROM runs")[0][0])
    store.execute("INSERT INTO runs VALUES (?, ?, NULL, 'running', ?, '{}')", [number, now(), config])
    return number


def finish_run(store: Store, number: int, status: str, counts: Mapping[str, Any]) -> None:
    store.execute("UPDATE runs SET finished = ?, status = ?, counts = ? WHERE id = ?", [now(), status, json.dumps(counts), number])


def runs(store: Store, limit: int = 20) -> list[Run]:
    rows = store.rows("SELECT id, started, finished, status, config, counts FROM runs ORDER BY id DESC LIMIT ?", [limit])
    return [Run(**{**row, "counts": json.loads(row["counts"])}) for row in rows]


def save_cost(store: Store, run: int, stage: str, items: int, micros: int) -> None:
    store.execute("INSERT OR REPLACE INTO stage_costs VALUES (?, ?, ?, ?)", [run, stage, items, micros])


def costs(store: Store) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT stage, sum(items)::BIGINT AS items, sum(micros)::BIGINT AS micros FROM stage_costs GROUP BY stage ORDER BY micros DESC"
    )


def inventory(store: Store) -> list[dict[str, Any]]:
    """Per source: threads and posts read, threads that held procedures, why the others did not, time spent."""
    return store.rows(
        "SELECT t.source, count(*)::BIGINT AS threads_read, count(*) FILTER (w.outcome = 'procedures')::BIGINT AS threads_with_procedures, "
        "sum(w.passages_seen)::BIGINT AS passages, sum(w.passages_scored)::BIGINT AS passages_encoded, sum(w.micros)::BIGINT AS micros "
        "FROM thread_work w JOIN threads t ON t.id = w.thread GROUP BY t.source ORDER BY t.source"
    )


def abstentions(store: Store) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT t.source, w.reason, count(*)::BIGINT AS threads FROM thread_work w JOIN threads t ON t.id = w.thread "
        "WHERE w.outcome = 'abstained' GROUP BY t.source, w.reason ORDER BY t.source, threads DESC, w.reason"
    )
