"""What readers open: one DuckDB file in a release, built by the writer and swapped in whole.

Readers of what was released never open work.duckdb: its writer shuts every other process out (index/aside.py). A snapshot holds plain text and records, no
bodies. It is a convenience of this machine and no part of what a release publishes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.current import current_local
from index.errors import StoreError, UnknownName, UsageError
from index.private import Mask
from index.store import MEMORY_LIMIT, Store, canonical_json, migration_names
from index.tables_discussion import GONE, READABLE
from index.tables_private import JOIN_MASKS, MASKED_PLAIN, mask_of, publishable, published_records, quote_chars, refresh_masks
from index.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FILE = "read.duckdb"
BATCH = 20_000  # rows held in memory while copying
RECORDS_BATCH = 500  # the same of whole records, which are long
# Their text was taken back: not even a hash of it leaves, since short texts can be guessed from one.
ERASED = "('author_deleted', 'moderated')"

TABLES = {
    "sources": "SELECT id, kind, address, base_url, title, licence, payable, last_error FROM sources ORDER BY id",
    "authors": "SELECT id, source, handle, name, staff FROM authors ORDER BY id",
    "threads": "SELECT t.id, t.source, t.title, t.created, t.permalink, t.accepted_post, w.outcome, w.reason, w.report, w.passages_seen, "
    "w.passages_scored, w.micros FROM threads t LEFT JOIN thread_work w ON w.thread = t.id ORDER BY t.id",
    "posts": "SELECT p.id, p.source, p.thread, p.number, p.author, p.created, p.permalink, p.reply_to, p.state, p.kind, "
    f"{MASKED_PLAIN} AS plain, p.blocks FROM posts p {JOIN_MASKS} ORDER BY p.id",
    "reactions": "SELECT post, actor, kind, count FROM reactions ORDER BY post, actor, kind",
    "raws": "SELECT id, source, url, seen, file, start, length, digest, redacted FROM raws ORDER BY seen, file, start",
    "origins": "SELECT post, raw FROM origins ORDER BY post, raw",
    "rejects": "SELECT source, reason, count(*)::BIGINT AS count, min(place) AS example FROM rejects GROUP BY ALL ORDER BY source, reason",
    "costs": "SELECT stage, sum(items)::BIGINT AS items, sum(micros)::BIGINT AS micros FROM stage_costs GROUP BY stage ORDER BY stage",
    "llm_costs": "SELECT model, sum(requests)::BIGINT AS requests, sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out, "
    "sum(microdollars)::BIGINT AS microdollars FROM llm_costs GROUP BY model ORDER BY model",
}
# Columns of these that hold words of people: personal data in them is masked as in everything else that others see.
WORDS = {"authors": ("handle", "name"), "threads": ("title",)}
# What a snapshot shows beyond the release's hashed files; times are left out, they differ with every run.
SHOWN = (
    "SELECT id, kind, address, title, licence, payable, last_error FROM sources",
    "SELECT id, handle, name, staff FROM authors",
    "SELECT id, category, tags FROM threads WHERE id IN (SELECT unnest(threads) FROM procedures WHERE current)",
    "SELECT t.id, t.title, t.permalink, t.accepted_post, w.outcome, w.reason, w.report FROM threads t LEFT JOIN thread_work w ON w.thread = t.id",
    "SELECT id, state, kind, body_hash, permalink, reply_to FROM posts",
    "SELECT post, actor, kind, count FROM reactions",
    "SELECT source, place, reason FROM rejects",
    "SELECT id, version, record_hash, cluster FROM procedures WHERE current",
    "SELECT id, version, record_hash FROM procedures WHERE NOT current",
    "SELECT author, procedure, step, role, post, reason, detail FROM uncredited",
    "SELECT post, plain_digest FROM post_masks WHERE plain_digest IS NOT NULL",
    "SELECT name, value FROM publishing",
)


# --- writing: snapshots ---------------------------------------------------------------------------------------------


def build_snapshot(store: Store, path: Path, meta: Mapping[str, str] | None = None) -> None:
    """Write the snapshot of `store` as it stands; `path` must not exist yet."""
    import duckdb

    refresh_masks(store)
    hide = mask_of(store)
    with closing(duckdb.connect(str(path))) as out:
        out.execute("SET threads = 2")
        out.execute("SET memory_limit = ?", [MEMORY_LIMIT])
        for table, sql in TABLES.items():
            _copy(out, table, _masked(store.connection.sql(sql).to_arrow_reader(BATCH), WORDS.get(table, ()), hide))
        _copy(out, "procedures", _procedures(store))
        _copy(out, "history", _history(store))
        _copy(out, "citations", _citations(store))
        _copy(out, "uncredited", _uncredited(store))
        _copy(out, "meta", _strings(("name", "value"), {**(meta or {}), "fingerprint": fingerprint(store)}.items()))
        out.execute("CHECKPOINT")


def _masked(rows: pa.RecordBatchReader, columns: Sequence[str], hide: Mask) -> pa.RecordBatchReader:
    """The same rows with personal data in the given columns hidden."""
    import pyarrow as pa

    if not columns:
        return rows

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            held = {name: batch.column(i) for i, name in enumerate(batch.schema.names)}
            held |= {name: pa.array([hide(text) for text in held[name].to_pylist()], batch.schema.field(name).type) for name in columns}
            yield pa.record_batch([held[name] for name in batch.schema.names], schema=batch.schema)

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _copy(out: duckdb.DuckDBPyConnection, table: str, rows: Any) -> None:
    out.register("incoming", rows)
    out.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")
    out.unregister("incoming")


def _strings(names: tuple[str, ...], rows: Any) -> pa.Table:
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def _procedures(store: Store) -> pa.Table:
    """Current procedures with the columns that lists need, so that a list parses no records."""
    import pyarrow as pa

    rows = store.rows("SELECT id, version, cluster FROM procedures WHERE current ORDER BY id")
    records = list(published_records(store))
    return pa.table(
        {
            "id": pa.array([row["id"] for row in rows], pa.string()),
            "version": pa.array([row["version"] for row in rows], pa.int32()),
            "cluster": pa.array([row["cluster"] for row in rows], pa.int32()),
            "title": pa.array([record["title"] for record in records], pa.string()),
            "goal": pa.array([record["goal"] for record in records], pa.string()),
            "steps": pa.array([len(record["steps"]) for record in records], pa.int32()),
            "authors": pa.array([len(_authors(record)) for record in records], pa.int32()),
            "support": pa.array([sum(step["support"] for step in record["steps"]) for record in records], pa.int32()),
            "dissent": pa.array([sum(step["dissent"] for step in record["steps"]) for record in records], pa.int32()),
            "sources": pa.array([[source["source"] for source in record["sources"]] for record in records], pa.list_(pa.string())),
            "threads": pa.array([record["threads"] for record in records], pa.list_(pa.string())),
            "record": pa.array([canonical_json(record) for record in records], pa.string()),
        }
    )


def _authors(record: Mapping[str, Any]) -> set[str]:
    return {citation["author"] for step in record["steps"] for citation in step["citations"]}


def _history(store: Store) -> pa.RecordBatchReader:
    """Versions that are no longer current, for `diff`: here and not in the release's hashed files, which say what holds
    now and depend on the posts alone, while the versions before depend on when somebody happened to look. Readers cannot
    open the store while a writer holds it, so they get the history with everything else. A version that quotes a post
    which is gone from its forum is left out: what was taken back does not live on as history.
    """
    import pyarrow as pa

    names = ("id", "version", "version_id", "record")
    schema = pa.schema([(name, pa.int32() if name == "version" else pa.string()) for name in names])
    marks = ", ".join(f"'{state}'" for state in GONE)
    gone = {row[0] for row in store.execute(f"SELECT id FROM posts WHERE state IN ({marks}) UNION SELECT post FROM tombstones")}
    hide, longest = mask_of(store), quote_chars(store)

    def batches() -> Iterator[pa.RecordBatch]:
        cursor = store.connection.cursor()
        cursor.execute("SELECT id, version, version_id, record FROM procedures WHERE NOT current ORDER BY id, version")
        while rows := cursor.fetchmany(RECORDS_BATCH):
            parsed = [(*row[:3], json.loads(row[3])) for row in rows]
            kept = [(*row[:3], canonical_json(publishable(row[3], hide, longest))) for row in parsed if not gone & quoted_posts(row[3])]
            yield pa.record_batch([pa.array([row[i] for row in kept], field.type) for i, field in enumerate(schema)], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def quoted_posts(record: Mapping[str, Any]) -> set[str]:
    """Every post whose words a procedure's record holds."""
    of_steps = {citation["post"] for step in record["steps"] for citation in step["citations"]}
    return of_steps | {stance["citation"]["post"] for stance in record["stances"]}


def _citations(store: Store) -> pa.Table:
    """Where each procedure's words stand: what leads from a passage to the procedures that cite it."""
    import pyarrow as pa

    rows = []
    for record in published_records(store):
        rows += [
            (record["id"], step["n"], citation["post"], citation["start"], citation["end"])
            for step in record["steps"]
            for citation in step["citations"]
        ]
    columns = list(zip(*rows, strict=True)) or [()] * 5
    types = {"procedure": pa.string(), "step": pa.int32(), "post": pa.string(), "start": pa.int32(), "stop": pa.int32()}
    return pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)})


def _uncredited(store: Store) -> pa.Table:
    from index.tables_rewards import uncredited_records

    return _strings(("record",), [(json.dumps(record, ensure_ascii=False),) for record in uncredited_records(store)])


def fingerprint(store: Store) -> str:
    """Changes when a snapshot of the store would show something else, though no published file changed."""
    parts = [store.execute(f"SELECT count(*), bit_xor(hash(shown)) FROM ({sql}) shown")[0] for sql in SHOWN]
    return " ".join(f"{count}:{value or 0:x}" for count, value in parts)


# --- writing: what a release publishes ------------------------------------------------------------------------------


def post_rows(store: Store) -> Iterator[dict[str, Any]]:
    """Every stored post by hash, in order of id, without holding them all: no words, nothing that the crawl's time decides.

    The hashes are of the masked body and plain text: a hash of what is hidden would give it away. A post that was taken
    back has none, and is named so that whoever merges releases takes it out as well.
    """
    cursor = store.connection.cursor()
    cursor.execute(
        f"SELECT p.id, p.thread, CASE WHEN p.state NOT IN {ERASED} THEN coalesce(m.body_digest, p.body_hash) END AS body_hash, "
        f"CASE WHEN p.state NOT IN {ERASED} THEN coalesce(m.plain_digest, sha256(p.plain)) END AS plain_hash, p.state, p.plain_version "
        f"FROM posts p {JOIN_MASKS} "
        "UNION ALL SELECT t.post, NULL, NULL, NULL, t.state, NULL FROM tombstones t WHERE t.post NOT IN (SELECT id FROM posts) ORDER BY 1"
    )
    names = ("id", "thread", "body_hash", "plain_hash", "state", "plain_version")
    while rows := cursor.fetchmany(BATCH):
        for row in rows:
            yield dict(zip(names, row, strict=True))


def source_rows(store: Store) -> list[dict[str, Any]]:
    """Sources as published, with their counts; never the address typed, which may be a folder of this machine."""
    gone = ", ".join(f"'{state}'" for state in GONE)
    rows = store.rows(
        "SELECT s.id, s.kind, s.base_url, s.title, s.licence, s.payable, count(p.id)::BIGINT AS posts, "
        f"count(DISTINCT p.thread)::BIGINT AS threads, count(DISTINCT p.author) FILTER (p.state NOT IN {ERASED})::BIGINT AS authors, "
        f"count(*) FILTER (p.state IN ({gone}))::BIGINT AS gone "
        "FROM sources s LEFT JOIN posts p ON p.source = s.id GROUP BY ALL ORDER BY s.id"
    )
    counted = ("posts", "threads", "authors", "gone")
    return [{**{k: v for k, v in row.items() if k not in counted}, "counts": {k: row[k] for k in counted}} for row in rows]


def score_rows(store: Store) -> Iterator[dict[str, Any]]:
    """The gate's quantised scores for every thread that was read, with the thresholds they were held against: from these
    anybody recomputes what was emitted. Scores are told, not proved: they come from floats, which differ between machines."""
    cursor = store.connection.cursor()
    cursor.execute("SELECT thread, outcome, reason, report, passages_seen FROM thread_work ORDER BY thread")
    while rows := cursor.fetchmany(RECORDS_BATCH):
        for thread, outcome, reason, text, passages in rows:
            report = json.loads(text)
            told = {name: report.get(name) for name in ("gate_bp", "threshold_bp", "min_steps", "odds", "sequences")}
            yield {"thread": thread, "outcome": outcome, "reason": reason, "passages": passages, **told}


def newest_post(store: Store) -> str | None:
    newest: str | None = store.execute("SELECT max(created) FROM posts")[0][0]
    return newest


def goal_vectors(store: Store) -> list[tuple[str, bytes]]:
    return [(row[0], row[1]) for row in store.execute("SELECT id, goal_vector FROM procedures WHERE current ORDER BY id")]


# --- looking after the database -------------------------------------------------------------------------------------


def missing_migrations(path: Path) -> list[str]:
    """Migrations that the database still lacks. Raises StoreError where it cannot be opened or is newer than this program."""
    with Store(path, read_only=True) as store:
        done = {row[0] for row in store.execute("SELECT name FROM migrations")}
        store.execute("SELECT count(*) FROM posts")
    if done - set(migration_names()):
        raise StoreError(f"{path} has migration {max(done)}, which this program does not know", "install a newer precipitate")
    return sorted(set(migration_names()) - done)


# --- reading --------------------------------------------------------------------------------------------------------


class Snapshot:
    """A release's read.duckdb, opened read-only and shut off from every other file."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise StoreError(f"{path} is missing", "run `precipitate run` to make a new release")
        self.store = Store(path, read_only=True)
        self.store.connection.execute("SET enable_external_access = false")
        self.store.connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def meta(self) -> dict[str, str]:
        return dict(self.store.execute("SELECT name, value FROM meta"))

    # procedures

    def procedures(self) -> list[dict[str, Any]]:
        """What a list shows of each procedure, by title."""
        return self.store.rows(
            "SELECT id, version, title, goal, steps, authors, support, dissent, sources, threads, cluster FROM procedures "
            "ORDER BY lower(title), id"
        )

    def records(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        rows = self.store.execute("SELECT id, record FROM procedures WHERE id IN (SELECT unnest(?::VARCHAR[]))", [ids])
        return {identifier: json.loads(record) for identifier, record in rows}

    def record(self, text: str) -> dict[str, Any]:
        """The procedure with this id, or whose id alone begins like this. Raises UnknownName with the nearest, UsageError."""
        known = [row[0] for row in self.store.execute("SELECT id FROM procedures ORDER BY id")]
        found = _one_sop(text, known)
        return self.records([found])[found]

    def versions(self, text: str) -> list[dict[str, Any]]:
        """Every kept version of the procedure with this id (or whose id alone begins like this), oldest first, each as
        {version, current, record}. One that is current no more, and so shown nowhere else, is found as well.
        """
        self.need("history")
        both = "(SELECT id, version, record, true AS current FROM procedures UNION ALL SELECT id, version, record, false FROM history)"
        known = [row[0] for row in self.store.execute(f"SELECT DISTINCT id FROM {both} ORDER BY id")]
        rows = self.store.rows(f"SELECT version, current, record FROM {both} WHERE id = ? ORDER BY version", [_one_sop(text, known)])
        return [{**row, "record": json.loads(row["record"])} for row in rows]

    def citing(self, spans: list[tuple[str, int, int]]) -> dict[tuple[str, int, int], list[str]]:
        """For each (post, start, stop): the procedures that cite words of it."""
        rows = self.store.execute(
            "SELECT DISTINCT w.post, w.start, w.stop, c.procedure FROM (SELECT unnest(?::VARCHAR[]) AS post, "
            "unnest(?::INTEGER[]) AS start, unnest(?::INTEGER[]) AS stop) w "
            "JOIN citations c ON c.post = w.post AND c.start < w.stop AND c.stop > w.start ORDER BY ALL",
            [[span[i] for span in spans] for i in range(3)],
        )
        found: dict[tuple[str, int, int], list[str]] = {}
        for post, start, stop, procedure in rows:
            found.setdefault((post, start, stop), []).append(procedure)
        return found

    def nameless(self) -> set[str]:
        """Accounts whose name is shown nowhere, since they opted out (or none was ever told)."""
        return {author for (author,) in self.store.execute("SELECT id FROM authors WHERE handle = ''")}

    def uncredited(self) -> list[dict[str, Any]]:
        return [json.loads(text) for (text,) in self.store.execute("SELECT record FROM uncredited")]

    # threads

    def thread(self, text: str) -> dict[str, Any]:
        """The thread with this id, permalink (of it or of one of its posts), post id or number; what came of it, with its
        report. `posts` are all that are stored, `readable` those that are read: not deleted, with words, no moderator's note.
        """
        found = self._thread_id(text)
        (row,) = self.store.rows(
            "SELECT t.id, t.source, t.title, t.created, t.permalink, t.outcome, t.reason, t.report, "
            "t.passages_seen, t.passages_scored, t.micros, "
            "(SELECT count(*) FROM posts p WHERE p.thread = t.id) AS posts, "
            f"(SELECT count(*) FROM posts WHERE thread = t.id AND {READABLE}) AS readable, "
            "(SELECT list(id ORDER BY id) FROM procedures WHERE list_contains(threads, t.id)) AS procedures "
            "FROM threads t WHERE t.id = ?",
            [found],
        )
        return {**row, "report": json.loads(row["report"] or "{}"), "procedures": row["procedures"] or []}

    def _thread_id(self, text: str) -> str:
        address = text.split("?")[0].split("#")[0].rstrip("/")
        forum = re.fullmatch(r"https?://(.+?)/t/(?:[^/]+/)?(\d+)(?:/\d+)?", address)  # its words are for show, its number counts
        numbered = f"discourse:{forum[1].lower()}/t/{forum[2]}" if forum else text
        tail = f"/t/{text}" if re.fullmatch(r"[0-9]+", text) else None
        rows = self.store.execute(
            "SELECT id FROM threads WHERE id IN (?, ?) OR permalink = ? OR ends_with(id, ?) "
            "OR id IN (SELECT thread FROM posts WHERE id = ? OR permalink = ?) ORDER BY id",
            [text, numbered, address, tail, text, address],
        )
        if not rows:
            near = self.store.execute(
                "SELECT id FROM threads ORDER BY levenshtein(CASE WHEN ? THEN split_part(id, '/t/', 2) ELSE id END, ?), id LIMIT 3",
                [tail is not None, numbered[:500]],
            )
            raise UnknownName("thread", text, [], f"nearest: {', '.join(row[0] for row in near)}" if near else "")
        if tail and len(rows) > 1:
            raise UsageError(f"{len(rows)} sources have a thread {text}", f"say which: {', '.join(row[0] for row in rows[:5])}")
        return str(rows[0][0])

    def posts(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Readable posts by id, with author, handle and plain text; those that were taken back are not among them."""
        rows = self.store.rows(
            "SELECT p.id, p.number, p.author, coalesce(a.handle, p.author) AS handle, p.permalink, p.created, p.plain "
            f"FROM (SELECT * FROM posts WHERE {READABLE}) p LEFT JOIN authors a ON a.id = p.author "
            "WHERE p.id IN (SELECT unnest(?::VARCHAR[]))",
            [list(ids)],
        )
        return {row["id"]: row for row in rows}

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """Masked plain text of stored posts that were not taken back."""
        rows = self.store.execute(
            f"SELECT id, plain FROM posts WHERE id IN (SELECT unnest(?::VARCHAR[])) AND plain <> '' AND state NOT IN {ERASED}",
            [list(ids)],
        )
        return {str(post): str(text) for post, text in rows}

    # sources

    def sources(self) -> list[dict[str, Any]]:
        """Per source: what was read of it and what came of it."""
        return self.store.rows(
            "SELECT s.id, s.kind, s.address, s.title, s.licence, s.payable, s.last_error, coalesce(p.posts, 0) AS posts, "
            "coalesce(t.threads, 0) AS threads, coalesce(t.with_procedures, 0) AS threads_with_procedures, "
            "(SELECT count(*) FROM procedures WHERE list_contains(sources, s.id)) AS procedures, coalesce(t.micros, 0) AS micros "
            "FROM sources s LEFT JOIN (SELECT source, count(*) AS posts FROM posts GROUP BY source) p ON p.source = s.id "
            "LEFT JOIN (SELECT source, count(*) AS threads, count(*) FILTER (outcome = 'procedures') AS with_procedures, "
            "sum(micros)::BIGINT AS micros FROM threads GROUP BY source) t ON t.source = s.id ORDER BY s.id"
        )

    def left_out(self) -> list[dict[str, Any]]:
        return self.store.rows("SELECT source, reason, count, example FROM rejects ORDER BY source, count DESC, reason")

    def abstentions(self) -> list[dict[str, Any]]:
        """Why threads gave no procedure, counted by source; threads without any readable post have no work and say so."""
        return self.store.rows(
            "SELECT source, coalesce(reason, 'no readable post') AS reason, count(*) AS threads FROM threads "
            "WHERE outcome IS DISTINCT FROM 'procedures' GROUP BY ALL ORDER BY source, threads DESC, reason"
        )

    def costs(self) -> list[dict[str, Any]]:
        return self.store.rows("SELECT stage, items, micros FROM costs ORDER BY micros DESC, stage")

    def llm_costs(self) -> list[dict[str, Any]]:
        """Per language model: requests, tokens and micro-dollars of all runs. A snapshot of an older program holds none."""
        if not self.store.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'llm_costs'"):
            return []
        return self.store.rows("SELECT model, requests, tokens_in, tokens_out, microdollars FROM llm_costs ORDER BY model")

    def need(self, table: str) -> None:
        """Snapshots of older programs lack what was added since."""
        if not self.store.execute("SELECT 1 FROM information_schema.tables WHERE table_name = ?", [table]):
            raise StoreError("the current release was made by an older precipitate", "run `precipitate run` to refresh it")


def _one_sop(text: str, known: list[str]) -> str:
    """The id meant by an id or its beginning. Raises UnknownName with the nearest, UsageError."""
    prefix = text if text.startswith("sop-") else f"sop-{text}"
    found = [text] if text in known else [identifier for identifier in known if identifier.startswith(prefix)]
    if not found:
        raise UnknownName("SOP", text, known)
    if len(found) > 1:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise UsageError(f"{text!r} is {len(found)} SOPs", f"say which: {', '.join(found[:5])}{more}")
    return found[0]


def open_current(workspace: Workspace) -> Snapshot:
    return Snapshot(current_local(workspace) / FILE)
