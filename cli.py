"""The commands: options → one call → print. No logic; what is heavy is imported by the command that needs it.

Longer than other files because there are many commands; each is its own page of the manual.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from index.errors import PrecipitateError
from publish.text import clean, to_json

if TYPE_CHECKING:
    from index.config import Config
    from index.search import Searcher
    from index.snapshot import Snapshot
    from index.store import Store
    from index.workspace import Workspace
    from publish.progress import Progress

PARTIAL, FINDINGS, INTERRUPTED = 3, 4, 130
SHELLS = ("bash", "zsh", "fish")


class Commands(TyperGroup):
    """The one place where an error becomes a line on stderr, or a JSON envelope, and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in words
        try:
            code = super().main(words, *rest, **{**extra, "standalone_mode": False})
        except PrecipitateError as error:
            complain(error.message, error.way_out, error.exit_code, as_json)
            code = error.exit_code
        except OSError as error:  # of a file or folder that a command was given, or of a full disk
            if error.filename is None:
                raise
            complain(f"{error.strerror}: {error.filename}", "choose a place that exists and may be written to", 1, as_json)
            code = 1
        except typer.TyperException as error:
            complain(error.format_message(), "add --help to see how it is used", error.exit_code, as_json)
            code = error.exit_code
        except Exception as error:
            from index.store import interrupted

            if not interrupted(error):
                raise
            code = INTERRUPTED
        if code == INTERRUPTED:
            complain("interrupted", "run again to resume", INTERRUPTED, as_json)
        sys.exit(code or 0)


def complain(message: str, way_out: str, code: int, as_json: bool) -> None:
    """Errors go to stderr: stdout holds data or nothing."""
    if as_json:
        typer.echo(to_json({"code": code, "message": message, "next": way_out or None}), err=True)
    else:
        lines = [f"error: {clean(message)}"] if code != INTERRUPTED else [f"{message}; {way_out}"]
        lines += [f"→ {clean(way_out)}"] if way_out and code != INTERRUPTED else []
        typer.echo("\n".join(lines), err=True)


def make_group(**extra: Any) -> typer.Typer:
    """Plain help, without boxes: it reads the same in a log, in the manual and on a narrow terminal."""
    return typer.Typer(rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False, **extra)


app = make_group(cls=Commands, help="Distil cited SOPs from public discussion, and reward who worked them out.")
identity = make_group(help="Where contributors are paid.")
round_ = make_group(help="Rounds: a budget, shared out by credit.")
program_ = make_group(help="Programs: rounds that belong together.")
config_ = make_group(help="The workspace's configuration.")
app.add_typer(program_, name="program", short_help="Programs: rounds that belong together.")
app.add_typer(identity, name="identity", short_help="Where contributors are paid.")
app.add_typer(round_, name="round", short_help="Rounds: a budget, shared out by credit.")
claim = make_group(help="Identity claims: an account and its wallet, proved by both.")
app.add_typer(claim, name="claim", short_help="Identity claims: an account and its wallet, proved by both.")
trust = make_group(help="Whose voice counts, and how far.")
app.add_typer(trust, name="trust", short_help="Whose voice counts, and how far.")
seed = make_group(help="The accounts that trust begins with.")
trust.add_typer(seed, name="seed", short_help="The accounts that trust begins with.")
scores = make_group(help="Identity scores: proofs from elsewhere.")
identity.add_typer(scores, name="scores", short_help="Identity scores: proofs from elsewhere.")
outcome = make_group(help="Outcomes: who carried an SOP out, and how it went.")
app.add_typer(outcome, name="outcome", short_help="Outcomes: who carried an SOP out, and how it went.")
key_ = make_group(help="The keys that sign what leaves.")
optout_ = make_group(help="People who asked to be left out.")
app.add_typer(optout_, name="optout", short_help="People who asked to be left out.")
app.add_typer(key_, name="key", short_help="The keys that sign what leaves.")
app.add_typer(config_, name="config", short_help="The workspace's configuration.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def emit(as_json: bool, value: Any, text: str) -> None:
    typer.echo(to_json(value) if as_json else text, nl=as_json)


def colours() -> bool:
    """Whether standard output shows them: a terminal, and nobody said no (https://no-color.org)."""
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def here() -> Workspace:
    from index.workspace import find_workspace

    return find_workspace(Path.cwd())


def snapshot() -> Snapshot:
    from index.snapshot import open_current

    return open_current(here())


def searcher() -> Searcher:
    from index.current import current_local
    from index.search import Searcher

    workspace = here()
    return Searcher(current_local(workspace), workspace.config().distill.model)


def sop_ids(incomplete: str) -> list[str]:
    """Ids that a shell offers to complete; none where nothing was released, rather than an error in the middle of a line."""
    try:
        known = sorted(searcher().facets.procedures)
        return [name for name in known if name.startswith(incomplete) and name.replace("-", "").isalnum() and name.isascii()]
    except PrecipitateError:
        return []


@contextmanager
def writing(what: str) -> Iterator[tuple[Workspace, Store]]:
    """The workspace with its lock held, and its database."""
    from index.store import Store

    workspace = here()
    with workspace.lock(what), Store(workspace.database) as store:
        yield workspace, store


# --- making and filling a workspace ---------------------------------------------------------------------------------


@app.command(short_help="Make a workspace.")
def init(name: Annotated[Path, typer.Argument(help="Folder to make.")], as_json: Json = False) -> None:
    """Example: precipitate init myround

    Make a workspace: a folder with a commented precipitate.toml, and .precipitate/ for everything that is read and made.
    """
    from index.workspace import init_workspace

    root = init_workspace(name).root
    emit(as_json, {"workspace": str(root)}, f"made {root}\nnext: cd {clean(str(name))} && precipitate add https://forum.example.org\n")


@app.command(short_help="Add a source: a network or an archive.")
def add(
    address: Annotated[str, typer.Argument(help="Where a network is read, such as https://forum.example.org, or files of an archive.")],
    allow_private: Annotated[bool, typer.Option("--allow-private", help="Allow an address on this machine or its network.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate add https://forum.example.org

    Add a source. What kind it is is found out by asking it; nothing is read until `precipitate run`.
    """
    from crawler.address import find_source
    from crawler.registry import NETWORKS
    from index.tables_discussion import add_source

    config = here().config()
    source = find_source(address, allow_private, config.crawl)
    with writing("add") as (_, store):
        add_source(store, source)
    text = f"added {clean(source.id)} ({source.kind}: {clean(source.title) or 'no title'})\n"
    if source.kind in NETWORKS and not config.crawl.contactable:
        text += "note: put an address where you can be reached into crawl.user_agent of precipitate.toml\n"
    emit(as_json, asdict(source), text + "next: precipitate run\n")


# --- run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Job:
    workspace: Workspace
    store: Store
    config: Config
    progress: Progress


def _crawl(job: Job) -> Any:
    from crawler.pipeline import crawl

    return crawl(job.workspace, job.store, job.config, job.progress)


def _distill(job: Job) -> Any:
    from distill.pipeline import distill

    return distill(job.store, job.config, job.progress)


def _credit(job: Job) -> Any:
    from rewards.pipeline import credit
    from rewards.tombstones import erase

    report = credit(job.store, job.config)
    erase(job.store, job.workspace)
    return report


def _release(job: Job) -> Any:
    from publish import __version__
    from publish.release import release

    return release(job.workspace, job.store, job.config, __version__, _ethereum(job.workspace))


def _ethereum(workspace: Workspace) -> Callable[[str], tuple[str, str]] | None:
    """What signs for Ethereum beside the release key; None where the workspace has no such key."""
    from publish.keys import network_key
    from rewards.signatures import personal_sign

    secret = network_key(workspace)
    return None if secret is None else lambda text: personal_sign(secret, text)


STAGES: dict[str, Callable[[Job], Any]] = {"crawl": _crawl, "distill": _distill, "credit": _credit, "release": _release}


def run_stages(job: Job, names: Sequence[str]) -> dict[str, Any]:
    """Stages in order, entered into the table of runs with what each cost."""
    from index.aside import leave_runs
    from index.store import interrupted
    from index.tables_procedures import finish_run, start_run
    from publish.report import run_value

    number = start_run(job.store, job.config.digest("crawl", "distill", "rewards"))
    leave_runs(job.workspace, job.store)
    reports: dict[str, Any] = {}
    started = time.monotonic_ns()
    try:
        for name in names:
            begun = time.monotonic_ns()
            reports[name] = STAGES[name](job)
            _save_costs(job.store, number, name, reports[name], (time.monotonic_ns() - begun) // 1000)
    except BaseException as error:
        finish_run(job.store, number, "interrupted" if interrupted(error) else "error", {"error": str(error)})
        leave_runs(job.workspace, job.store)
        raise
    status = "partial" if any(getattr(report, "partial", False) for report in reports.values()) else "ok"
    told = run_value(number, status, (time.monotonic_ns() - started) // 1000, reports)
    finish_run(job.store, number, status, told["stages"])
    leave_runs(job.workspace, job.store)
    return told


def _save_costs(store: Store, run: int, name: str, report: Any, micros: int) -> None:
    """A stage that keeps its own ledger is entered by its parts; the others as a whole."""
    from index.tables_llm import save_llm_cost
    from index.tables_procedures import save_cost
    from publish.report import items_of

    for part, (items, spent) in getattr(report, "costs", {name: (items_of(name, report), micros)}).items():
        save_cost(store, run, part, items, spent)
    if asked := getattr(report, "refined", None):
        save_llm_cost(store, run, asked.model, asked.requests, asked.tokens_in, asked.tokens_out, asked.microdollars)


def carry_out(what: str, names: Sequence[str], quiet: bool, metrics: Path | None, as_json: bool) -> int:
    """Stages under the lock, their report, and their figures for Prometheus, also where they end with an error."""
    from publish.progress import reporting
    from publish.report import render_run

    config = here().config()
    with writing(what) as (workspace, store), reporting(quiet) as progress:
        try:
            told = run_stages(Job(workspace, store, config, progress), names)
        finally:
            _write_metrics(store, metrics or (Path(config.watch.metrics) if config.watch.metrics else None))
    emit(as_json, told, render_run(told))
    return PARTIAL if told["status"] == "partial" else 0


def _write_metrics(store: Store, path: Path | None) -> None:
    from index.tables_procedures import runs as runs_of
    from index.tables_watch import last_fares
    from publish.metrics import write_metrics

    if path is not None and (last := runs_of(store, 1)):
        write_metrics(path, last[0], last_fares(store))


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be asked of whom, and ask nobody.")]
Metrics = Annotated[Path | None, typer.Option("--metrics", metavar="FILE", help="Write figures for Prometheus; else watch.metrics.")]


@app.command(short_help="Read what is new, distil it, credit it, release it.")
def run(quiet: Quiet = False, dry_run: DryRun = False, metrics: Metrics = None, as_json: Json = False) -> int:
    """Example: precipitate run

    Crawl every source, distil SOPs, compute credits and make a release. Whatever interrupts it, the next run goes on
    from there; a first Ctrl-C or SIGTERM ends a crawl softly, a second one at once. Ends with 3 if some source could not
    be read to its end, has fallen silent or shrunk, or a language model did not answer.
    """
    return show_plan(as_json) if dry_run else carry_out("run", list(STAGES), quiet, metrics, as_json)


@app.command(short_help="Only read what is new.")
def crawl(quiet: Quiet = False, dry_run: DryRun = False, metrics: Metrics = None, as_json: Json = False) -> int:
    """Example: precipitate crawl --dry-run

    Read what is new in every source, all side by side, and nothing else: no SOPs, no release. Ends like run.
    """
    return show_plan(as_json) if dry_run else carry_out("crawl", ["crawl"], quiet, metrics, as_json)


def show_plan(as_json: bool) -> int:
    from crawler.plan import plan
    from index.aside import reading
    from publish.crawls import render_plan

    workspace = here()
    with reading(workspace) as store:
        told = plan(store, workspace.config().crawl)
    emit(as_json, told, render_plan(told))
    return 0


@app.command(short_help="Derive everything anew from kept answers, asking nobody.")
def reparse(source: Annotated[str | None, typer.Argument(help="A source's id; without it: all.")] = None, as_json: Json = False) -> None:
    """Example: precipitate reparse

    Derive posts, versions and links anew from the raw archive, as a newer version reads it, without asking anybody. A
    source is done whole or not at all. Distil it with the next run.
    """
    from crawler.rawfiles import reparse as derive
    from index.errors import UnknownName
    from index.tables_raw import raw_counts

    with writing("reparse") as (workspace, store):
        from index.tables_discussion import sources as known

        kept, wanted = raw_counts(store), {entry.id: entry for entry in known(store)}
        if source is not None and source not in wanted:
            raise UnknownName("source", source, wanted)
        told = {name: sum(derive(workspace, store, wanted[name])) for name in kept if name in wanted and source in (None, name)}
    lines = [f"{clean(name)}: {count:,} records from {kept[name]:,} raw answers" for name, count in told.items()]
    emit(as_json, told, "".join(f"{line}\n" for line in lines) or "Nothing is kept in the raw archive yet.\n")


@app.command(short_help="Take back what somebody wrote, at their request.")
def forget(
    who: Annotated[str, typer.Argument(help="ann, ann@forum.example.org, a full author id, or the id of one post.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the tombstone.")],
    as_json: Json = False,
) -> None:
    """Example: precipitate forget ann@forum.example.org --reason "asked by mail on 3 May"

    Take all that an author wrote until now, or one post, out of the store, its versions, the raw archive and the next
    release; it is not read again. Releases that are out already stay as they are.
    """
    from crawler.forget import forget_author, forget_post
    from rewards.identities import find_author

    with writing("forget") as (workspace, store):
        from index.tables_discussion import source_of_post

        if source_of_post(store, who) is not None:
            told = asdict(forget_post(workspace, store, who, reason))
        else:
            author = find_author(store, who)
            told = asdict(forget_author(workspace, store, author.id, author.source, reason))
    emit(as_json, told, f"{clean(told['what'])}: {told['posts']:,} posts taken back, {told['raw_answers']:,} raw answers rid of them\n")


# --- reading the current release ------------------------------------------------------------------------------------


@app.command(short_help="Find SOPs for a question.")
def search(
    query: Annotated[str, typer.Argument(help="A question or a few words.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many SOPs at most.")] = 5,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only from this source: its id or host; may be repeated.")] = None,
    author: Annotated[
        list[str] | None, typer.Option("--author", help="Only with words of ann, ann@host or a full author id; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="Only with a quote from 2024, 2024-05 or 2024-05-01 on …")] = "",
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="… or up to and with that year, month or day.")] = "",
    status: Annotated[list[str] | None, typer.Option("--status", help="Only of this status, such as draft; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only from threads with this tag or category; may be repeated.")] = None,
    lexical: Annotated[bool, typer.Option("--lexical", help="By words alone: loads no model.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate search "how do I apply for a grant" --since 2024 --tag grants

    SOPs of the current release that answer a question, each with the words that answer best. Of one filter any value may
    hold, of different ones all must.
    """
    from index.current import current_local
    from index.facets import Filters
    from index.search import search as find
    from publish.show import render_hits

    workspace = here()
    filters = Filters(source or (), author or (), since, until, status or (), tag or ())
    hits = find(current_local(workspace), query, k, workspace.config(), lexical, filters)
    emit(as_json, [asdict(hit) for hit in hits], render_hits(hits, query, bold=colours()))


@app.command("list", short_help="List all SOPs.")
def list_(as_json: Json = False) -> None:
    """Example: precipitate list

    All SOPs of the current release, by title.
    """
    from publish.show import render_list

    with snapshot() as opened:
        rows = opened.procedures()
    emit(as_json, rows, render_list(rows))


@app.command(short_help="Show one SOP with its receipts.")
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its id, or enough of its beginning.", autocompletion=sop_ids)],
    context: Annotated[bool, typer.Option("--context", "-c", help="With the sentences before and after each quote.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate show sop-3f9a --context

    One SOP: its steps, each with the words it came from, who said them, where, and who was for or against it.
    """
    from publish.context import with_context
    from publish.show import render_procedure

    with snapshot() as opened:
        record = opened.record(identifier)
        titles = {other: found["title"] for other, found in opened.records(record["alternatives"]).items()}
        record = with_context(record, opened) if context else record
    emit(as_json, record, render_procedure(record, titles))


@app.command("alternatives", short_help="Show other ways to the goal of an SOP, side by side.")
def alternatives_(
    identifier: Annotated[str, typer.Argument(metavar="SOP", help="Its id, or enough of its beginning.", autocompletion=sop_ids)],
    as_json: Json = False,
) -> None:
    """Example: precipitate alternatives sop-3f9a

    Other SOPs with the same goal: how many said so, who is for and against, and which steps are in both, which in one.
    """
    from publish.alternatives import alternatives, render_alternatives

    with snapshot() as opened:
        record = opened.record(identifier)
        told = alternatives(record, list(opened.records(record["alternatives"]).values()))
    emit(as_json, told, render_alternatives(told))


@app.command(short_help="Work backwards from a goal: which SOPs, in which order, what is missing.")
def plan(goal: Annotated[str, typer.Argument(help="What is wanted, in a few words.")], as_json: Json = False) -> None:
    """Example: precipitate plan "get an EIP into the next upgrade"

    The SOP that reaches a goal, before it those that bring about what it needs, and so on; needs that no SOP meets are
    named. Needs are the words of the SOPs themselves.
    """
    from publish.plan import plan as work_out
    from publish.plan import render_plan

    told = work_out(searcher(), goal)
    emit(as_json, told, render_plan(told))


@app.command(short_help="List what many ask and no SOP answers, as challenges.")
def frontier(
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many challenges at most.")] = 20,
    least: Annotated[int, typer.Option("--least", min=1, help="How many must have asked.")] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate frontier --json

    Questions that several asked and that no SOP comes near, most asked first: each a challenge that can be posted as a
    bounty, with the questions as its receipts. The first time takes a while; what was read once is remembered.
    """
    from publish.frontier import frontier as find
    from publish.frontier import render_frontier
    from publish.progress import reporting

    kept = here().folder / "cache" / "questions.npz"
    with snapshot() as opened, reporting(quiet) as progress:
        told = find(opened, searcher(), kept, k, least, progress)
    emit(as_json, told, render_frontier(told))


@app.command(short_help="What the sources yield and what it costs.")
def sources(as_json: Json = False) -> None:
    """Example: precipitate sources

    For every source: posts, threads, SOPs, SOPs per 1,000 posts, cost, and what was left out and why.
    """
    from publish.inventory import inventory, render_inventory

    with snapshot() as opened:
        found = inventory(opened)
    emit(as_json, found, render_inventory(found))


@app.command(short_help="Say what came of one thread, and why.")
def explain(
    thread: Annotated[str, typer.Argument(help="Its id, its address or that of a post in it, or its number.")], as_json: Json = False
) -> None:
    """Example: precipitate explain https://forum.example.org/t/how-to-apply/41

    What came of a thread, why, and what would change it: what was seen, the surest passages, the post taken as skeleton,
    the gate's score and what made it; of each SOP its steps with their scores, what was heard of them, and copies.
    """
    from publish.explain import explain as account
    from publish.explain import render_explanation

    with snapshot() as opened:
        told = account(opened, thread)
    emit(as_json, told, render_explanation(told))


@app.command(short_help="Show what changed between two versions of an SOP.")
def diff(
    identifier: Annotated[str, typer.Argument(metavar="SOP", help="Its id, or enough of its beginning.", autocompletion=sop_ids)],
    old: Annotated[int | None, typer.Argument(metavar="[FROM]", help="A version; without it: the one before.")] = None,
    new: Annotated[int | None, typer.Argument(metavar="[TO]", help="A version; without it: the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate diff sop-3f9a 1 2

    What changed from one version of an SOP to another: steps added, removed, moved or reworded, citations and stances
    gained and lost. Ends with 0 whether or not anything did.
    """
    from publish.diff import diff as compare
    from publish.diff import render_diff

    with snapshot() as opened:
        told = compare(opened.versions(identifier), old, new)
    emit(as_json, told, render_diff(told))


@app.command(short_help="Say why an author gets what they get.")
def why(
    author: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    round_name: Annotated[str | None, typer.Argument(metavar="[ROUND]", help="A round; without it: their credit.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page that needs nothing else.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate why ann@forum.example.org r1

    What an author earned, down to the words it was earned with, what earned nothing and why, and what would have changed it.
    """
    from index.workspace import write_atomic
    from rewards.ledger import about, published_events
    from rewards.published import read_round
    from rewards.why import render_why
    from rewards.why import why as account
    from rewards.why_html import render_html

    if round_name is not None:
        told = account(read_round(here(), round_name), author, events=about(published_events(here()), round_name))
    else:
        with snapshot() as opened:
            told = account(_credits(None), author, opened.uncredited())
    if html is not None:
        write_atomic(html, render_html(told))
    emit(as_json, told, f"wrote {clean(str(html))}\n" if html is not None else render_why(told))


# --- settings of policies, as options of `round new` ----------------------------------------------------------------

Policy = Annotated[
    str | None,
    typer.Option(
        "--policy", help="proportional, quadratic, pairwise, cluster, median, clrfund or clrfund-linear: how credit or votes become shares."
    ),
]
Cap = Annotated[str | None, typer.Option("--cap", help="Most that one payee gets: tokens, or 5% of the budget.")]
Floor = Annotated[str | None, typer.Option("--floor", help="Least that one payee gets, else nothing: tokens, or a percentage.")]
Tilt = Annotated[
    str | None, typer.Option("--tilt", help="Exponent of each share, below 1 to lift the small, such as 0.75; needs --verified.")
]
Emission = Annotated[str | None, typer.Option("--emission", help="How earlier rounds count: whole (not), immediate, recent or balanced.")]
Verified = Annotated[
    bool | None, typer.Option("--verified/--unverified", help="One identity is one person; accounts without one get no share.")
]
Vouch = Annotated[
    str | None, typer.Option("--vouch", help="Tokens that a contributor's vouch for a step counts as a vote, 1 unless given; 0 for none.")
]
Bound = Annotated[str | None, typer.Option("--bound", help="M of the pairwise policy, in tokens; 1 unless given.")]
Quorum = Annotated[int | None, typer.Option("--quorum", help="Fewest ballots of the median policy; 3 unless given.")]
Minimum = Annotated[str | None, typer.Option("--minimum", help="Least median of the median policy, in tokens; 0 unless given.")]

# --- rules of rounds, as options of `round new` and `program new` ---------------------------------------------------

Window = Annotated[str | None, typer.Option("--window", help="How long an allocation can be disputed, such as 7d or 12h; 7d unless given.")]
ClaimWithin = Annotated[
    str | None, typer.Option("--claim-within", help="How long a held share can be claimed once the round is final; 90d unless given.")
]
Unclaimed = Annotated[str | None, typer.Option("--unclaimed", help="Where shares go that nobody claimed: residual or next (round).")]
Forfeited = Annotated[
    str | None, typer.Option("--forfeited", help="Where shares of who opted out go: residual, others (if out before the freeze) or next.")
]
Deleted = Annotated[
    str | None, typer.Option("--deleted", help="What posts deleted after the freeze earned: keep or forfeit. Their words go in any case.")
]
Stamps = Annotated[str | None, typer.Option("--stamps", help="Only who has a stamp score of this or more (round import --as stamps).")]
Stake = Annotated[str | None, typer.Option("--stake", help="Only who has a stake of this or more (round import --as stake).")]
PaidIn = Annotated[list[str] | None, typer.Option("--paid-in", help="Only who had a share in this round; may be repeated.")]
NotPaidIn = Annotated[list[str] | None, typer.Option("--not-paid-in", help="Only who had no share in this round; may be repeated.")]


# --- identities and rounds ------------------------------------------------------------------------------------------


@identity.command("import", short_help="Read payout addresses from a CSV file.")
def identity_import(
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the columns handle,address.")], as_json: Json = False
) -> int:
    """Example: precipitate identity import payees.csv

    Read who is paid where, from the columns handle (ann or ann@host) and address (0x…). Good rows count; ends with 3 if
    some row did not.
    """
    from publish.report import as_value, render_import
    from rewards.identities import import_identities

    with writing("identity import") as (_, store):
        told = as_value(import_identities(store, csv))
    emit(as_json, told, render_import(told))
    return PARTIAL if told["left_out"] else 0


@program_.command("new", short_help="Make a program of rounds.")
def program_new(
    name: Annotated[str, typer.Argument(help="Its name: letters, digits, - and _.")],
    token: Annotated[str, typer.Option("--token", help="The token's address, or native.")],
    decimals: Annotated[int, typer.Option("--decimals", help="How many decimals the token has.")] = 18,
    policy: Policy = None,
    cap: Cap = None,
    floor: Floor = None,
    tilt: Tilt = None,
    emission: Emission = None,
    verified: Verified = None,
    vouch: Vouch = None,
    bound: Bound = None,
    quorum: Quorum = None,
    minimum: Minimum = None,
    window: Window = None,
    claim_within: ClaimWithin = None,
    unclaimed: Unclaimed = None,
    forfeited: Forfeited = None,
    deleted: Deleted = None,
    stamps: Stamps = None,
    stake: Stake = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Weights of credit for its rounds, a file like rewards/weights.toml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate program new docs-2026 --token native --window 14d --unclaimed next

    Make a program: its rounds share a token, the settings, rules and weights of credit given here unless a round says
    otherwise, and what one round leaves to the next.
    """
    from publish.rounds import render_program
    from rewards.own_weights import read_own
    from rewards.programs import new_program

    options: dict[str, Any] = {"policy": policy, "cap": cap, "floor": floor, "tilt": tilt, "emission": emission, "verified": verified}
    options |= {"vouch": vouch, "bound": bound, "quorum": quorum, "minimum": minimum, "window": window, "claim_within": claim_within}
    options |= {"unclaimed": unclaimed, "forfeited": forfeited, "deleted": deleted, "stamps": stamps, "stake": stake}
    with writing("program new") as (workspace, store):
        own = read_own(weights, workspace.config().rewards) if weights else None
        made = asdict(new_program(store, name, token, decimals, options, weights=own, workspace=workspace))
    emit(as_json, made, render_program(made))


@program_.command("list", short_help="List the programs.")
def program_list(as_json: Json = False) -> None:
    """Example: precipitate program list

    All programs: their rounds, defaults, and what is left to the next round.
    """
    from publish.rounds import render_programs
    from rewards.money import format_amount
    from rewards.programs import list_programs

    with writing("program list") as (_, store):
        told = list_programs(store)
    emit(as_json, told, render_programs(told, format_amount))


@round_.command("new", short_help="Make a round.")
def round_new(
    name: Annotated[str, typer.Argument(help="Its name: letters, digits, - and _.")],
    budget: Annotated[str, typer.Option("--budget", help="How much in all, as a decimal number of tokens.")],
    token: Annotated[str | None, typer.Option("--token", help="The token's address, or native; without it: the program's.")] = None,
    decimals: Annotated[int | None, typer.Option("--decimals", help="How many decimals the token has; 18 unless given.")] = None,
    program: Annotated[str | None, typer.Option("--program", help="The program it belongs to: its token and defaults hold.")] = None,
    policy: Policy = None,
    cap: Cap = None,
    floor: Floor = None,
    tilt: Tilt = None,
    emission: Emission = None,
    verified: Verified = None,
    vouch: Vouch = None,
    bound: Bound = None,
    quorum: Quorum = None,
    minimum: Minimum = None,
    window: Window = None,
    claim_within: ClaimWithin = None,
    unclaimed: Unclaimed = None,
    forfeited: Forfeited = None,
    deleted: Deleted = None,
    stamps: Stamps = None,
    stake: Stake = None,
    paid_in: PaidIn = None,
    not_paid_in: NotPaidIn = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Weights of credit for this round alone, a file like rewards/weights.toml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate round new r1 --budget 10000 --token 0x52908400098527886E0F7030069857D2E4169EE7 --decimals 18

    Make a round: how it shares out, who is eligible, how long it can be disputed. Nothing is shared out until `precipitate
    round allocate`. Warns where splitting into accounts could pay. With --weights its credits are worked out by these
    weights, which are kept, published and hashed with it; what the file leaves out is as the workspace has it.
    """
    from publish.report import render_round_line
    from rewards.money import format_amount
    from rewards.own_weights import own_value, read_own
    from rewards.policies import warnings
    from rewards.rounds import new_round, rules_of, terms_of
    from rewards.rules import rules_value, told_rules

    options: dict[str, Any] = {"cap": cap, "floor": floor, "tilt": tilt, "emission": emission, "verified": verified}
    options |= {"vouch": vouch, "bound": bound, "quorum": quorum, "minimum": minimum, "window": window, "claim_within": claim_within}
    options |= {"unclaimed": unclaimed, "forfeited": forfeited, "deleted": deleted, "stamps": stamps, "stake": stake}
    options |= {"paid_in": paid_in or None, "not_paid_in": not_paid_in or None}
    with writing("round new") as (workspace, store):
        own = read_own(weights, workspace.config().rewards) if weights else None
        made = new_round(store, name, budget, token, decimals, policy, options, program, weights=own, workspace=workspace)
        terms, (_, rules) = terms_of(store, made), rules_of(store, made)
    warned = warnings(terms)
    told = {**_round_value(made), "program": program, "rules": rules_value(rules), "warnings": warned}
    if terms.weights:
        told["weights"] = own_value(terms.weights)
    for warning in warned:
        typer.echo(f"warning: {clean(warning)}", err=True)
    lines = [*told_rules(rules), *([f"weights of credit of its own, {told['weights']['hash']}"] if terms.weights else [])]
    text = render_round_line(told, format_amount) + "".join(f"  {line}\n" for line in lines)
    emit(as_json, told, text + f"next: precipitate round allocate {name}\n")


@round_.command("open", short_help="Open a round.")
def round_open(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round open r1

    Say in the ledger that a round is open: contributions, claims and lists are taken until it is frozen.
    """
    from publish.report import render_round_line
    from rewards.money import format_amount
    from rewards.rounds import open_round

    with writing("round open") as (workspace, store):
        told = _round_value(open_round(store, workspace, name))
    emit(as_json, told, render_round_line(told, format_amount))


@round_.command("freeze", short_help="Take the snapshot that a round is allocated from.")
def round_freeze(
    name: Annotated[str, typer.Argument(help="The round.")],
    again: Annotated[str, typer.Option("--again", help="Take it anew, for this reason: what was decided since the last one is void.")] = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate round freeze r1

    Freeze credits, votes, payees, lists, terms and rules. What happens to the forum afterwards does not change the round:
    posts that are deleted lose their words here, too, and what they earned stays or goes by the round's rule.
    """
    from publish.report import as_value
    from publish.rounds import render_freeze
    from rewards.money import format_amount
    from rewards.rounds import freeze

    with writing("round freeze") as (workspace, store):
        report = freeze(store, workspace, name, again)
    told = {**as_value(report), "round": _round_value(report.round), "carried": str(report.carried)}
    emit(as_json, told, render_freeze(told, format_amount))


def _round_value(made: Any) -> dict[str, Any]:
    """Base units as text: JSON numbers lose digits past 2**53 elsewhere."""
    return {**asdict(made), "budget": str(made.budget)}


@round_.command("allocate", short_help="Share a round's budget out by credit.")
def round_allocate(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round allocate r1

    Share the budget out by the frozen snapshot, exactly: paid + held + left over = budget. Freezes the round first where
    that was not done. From now on it can be disputed, until its window is over and it is made final.
    """
    from publish.report import render_round
    from rewards.money import format_amount
    from rewards.published import read_round
    from rewards.rounds import allocate

    with writing("round allocate") as (workspace, store):
        report = allocate(store, workspace, name)
    told = read_round(workspace, name)
    for note in report.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    shown = {
        key: told[key] for key in ("schema", "round", "release", "life", "totals", "allocations", "excluded", "corrections", "payouts")
    }
    emit(as_json, {**shown, "path": str(report.path), "notes": list(report.notes)}, render_round(told, format_amount))


@round_.command("list", short_help="List all rounds.")
def round_list(as_json: Json = False) -> None:
    """Example: precipitate round list

    All rounds, open and allocated.
    """
    from index.tables_rewards import rounds
    from publish.report import render_round_line
    from rewards.money import format_amount

    with writing("round list") as (_, store):
        told = [_round_value(found) for found in rounds(store)]
    emit(as_json, told, "".join(render_round_line(found, format_amount) for found in told) or "No round yet.\n")


@round_.command("show", short_help="Show where a round stands.")
def round_show(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round show r1

    Where a round stands. An allocated one: totals, each author's points, amount and address, and what happened to it:
    disputes, corrections, its end, what was sent.
    """
    from publish.report import render_round
    from publish.rounds import render_life, render_waiting
    from rewards.ledger import about, published_events
    from rewards.money import format_amount
    from rewards.published import read_round, waiting_round
    from rewards.rules import read_rules, told_rules

    workspace = here()
    waiting = waiting_round(workspace, name)
    if waiting is not None:
        emit(as_json, waiting, render_waiting(waiting, told_rules(read_rules(waiting["rules"])), format_amount))
        return
    told = read_round(workspace, name)
    events = [asdict(event) for event in about(published_events(workspace), name)]
    emit(as_json, {**told, "events": events}, render_round(told, format_amount) + render_life(told, events, format_amount))


# --- the life of a round --------------------------------------------------------------------------------------------


@round_.command("dispute", short_help="Dispute an allocated round.")
def round_dispute(
    name: Annotated[str, typer.Argument(help="The round.")],
    author: Annotated[str, typer.Option("--author", help="Who disputes: ann, ann@forum.example.org or a full author id.")],
    reason: Annotated[str, typer.Option("--reason", help="What is wrong; it is published.")],
    evidence: Annotated[list[str] | None, typer.Option("--evidence", help="The id of a post that shows it; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate round dispute r1 --author ann --reason "step 2 was mine" --evidence discourse:forum.example.org/p/12

    Note a dispute, within the round's window. The round cannot be final before it is decided.
    """
    from publish.rounds import render_dispute
    from rewards.disputes import raise_dispute

    with writing("round dispute") as (workspace, store):
        told = asdict(raise_dispute(store, workspace, name, author, reason, evidence or ()))
    emit(as_json, told, render_dispute(told))


@round_.command("decide", short_help="Decide a dispute.")
def round_decide(
    name: Annotated[str, typer.Argument(help="The round.")],
    dispute: Annotated[str, typer.Argument(help="The dispute, such as r1-d1.")],
    uphold: Annotated[bool, typer.Option("--uphold/--reject", help="Whether it holds.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is published.")],
    amounts: Annotated[list[str] | None, typer.Option("--set", help="AUTHOR=TOKENS: what they get from now on; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate round decide r1 r1-d1 --uphold --reason "it was" --set bob=80 --set ann=120

    Decide a dispute. What is taken from somebody is left over, what is given comes from what is left over: set both.
    Nothing is edited: the ledger and the round have the shares as they were, and each correction.
    """
    from publish.report import render_round
    from rewards.disputes import decide
    from rewards.money import format_amount
    from rewards.published import read_round

    with writing("round decide") as (workspace, store):
        decided, _ = decide(store, workspace, name, dispute, "upheld" if uphold else "rejected", reason, amounts or ())
    told = read_round(workspace, name)
    value = {**asdict(decided), "corrections": told["corrections"], "totals": told["totals"]}
    emit(as_json, value, f"{decided.id} is {decided.outcome}\n" + render_round(told, format_amount))


@round_.command("finalise", short_help="Make an allocated round final.")
def round_finalise(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round finalise r1

    Make a round final: its window is over and all disputes are decided. Who claimed by now is paid; from now on amounts and
    root do not change.
    """
    from publish.rounds import render_final
    from rewards.finalising import finalise
    from rewards.money import format_amount

    with writing("round finalise") as (workspace, store):
        report = finalise(store, workspace, name)
    told = {"round": _round_value(report.round), "merkle_root": report.merkle_root, "claim_until": report.claim_until}
    told |= {key: str(getattr(report.settlement, key)) for key in ("paid", "held", "residual")}
    for note in report.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    emit(as_json, {**told, "path": str(report.path), "notes": list(report.notes)}, render_final(told, format_amount))


@round_.command("settle", short_help="Deal with a final round's held shares.")
def round_settle(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round settle r1

    Pay who has claimed since the end in a further batch, with a root of its own; let what nobody claimed by the deadline go
    where the round's rules say.
    """
    from publish.report import as_value
    from publish.rounds import render_settled
    from rewards.finalising import settle_held
    from rewards.money import format_amount
    from rewards.rounds import find_round

    with writing("round settle") as (workspace, store):
        report, decimals = settle_held(store, workspace, name), find_round(store, name).decimals
    told = {**as_value(report), "held": str(report.held)}
    for key in ("released", "expired", "forfeited"):
        told[key] = [{**share, "amount": str(share["amount"])} for share in told[key]]
    emit(as_json, told, render_settled(name, told, decimals, format_amount))


@round_.command("paid", short_help="Note that payouts were sent.")
def round_paid(
    name: Annotated[str, typer.Argument(help="The round.")],
    tx: Annotated[str, typer.Option("--tx", help="The transaction's hash.")],
    batch: Annotated[int, typer.Option("--batch", help="The batch: 1 is the round itself.")] = 1,
    addresses: Annotated[list[str] | None, typer.Option("--address", help="Only to this address; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate round paid r1 --tx 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060

    Note in the ledger in which transaction payouts were sent. The chain is not asked.
    """
    from index.counted import counted
    from rewards.finalising import mark_paid

    with writing("round paid") as (workspace, store):
        told = asdict(mark_paid(store, workspace, name, tx, batch, addresses or ()))
    emit(
        as_json,
        {**told, "amount": str(told["amount"])},
        f"{counted(len(told['addresses']), 'payout')} of batch {batch} sent in {told['tx']}\n",
    )


@round_.command("audit", short_help="Work a round out again and compare.")
def round_audit(
    name: Annotated[str, typer.Argument(help="The round.")],
    head: Annotated[str | None, typer.Option("--head", help="A head printed earlier: is it still in the ledger?")] = None,
    as_json: Json = False,
) -> int:
    """Example: precipitate round audit r1

    Check the ledger's chain, work the round out again from its frozen snapshot by other code than made it, and compare with
    the database and the stored posts. Ends with 4 if something does not hold.
    """
    from publish.rounds import render_audit
    from rewards.audit import audit

    with writing("round audit") as (workspace, store):
        told = audit(store, workspace, name, head)
    emit(as_json, told, render_audit(told))
    return 0 if told["well"] else FINDINGS


@identity.command("team", short_help="Have accounts paid as a team.")
def identity_team(
    name: Annotated[str | None, typer.Argument(help="The team's name.")] = None,
    members: Annotated[list[str] | None, typer.Option("--member", help="0x…=WEIGHT; may be repeated. All members at once.")] = None,
    accounts: Annotated[list[str] | None, typer.Option("--account", help="An account that is paid to the team; may be repeated.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="An account that no longer is; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate identity team docs-team --member 0x52908400098527886E0F7030069857D2E4169EE7=3 --member 0x…=1 --account ann

    A shared payee: what its accounts get is split over addresses by fixed weights. Without arguments: list the teams.
    """
    from index.errors import UsageError
    from index.tables_rounds import team_accounts, teams
    from publish.rounds import render_teams
    from rewards.teams import drop_from_team, set_team

    if name is None and (members or accounts):
        raise UsageError("a team needs a name", "give it first: precipitate identity team docs-team --member …")
    with writing("identity team") as (_, store):
        for text in drop or ():
            drop_from_team(store, text)
        if name is not None:
            set_team(store, name, members or (), accounts or ())
        owners = team_accounts(store)
        told = {t: {"members": found, "accounts": [a for a, of in owners.items() if of == t]} for t, found in teams(store).items()}
    emit(as_json, told, render_teams(told))


@identity.command("links", short_help="Show who is linked with what on the networks.")
def identity_links(
    account: Annotated[str, typer.Argument(metavar="[AUTHOR]", help="ann, ann@forum.example.org or a full author id.")] = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate identity links ann@mastodon.example

    What crawled networks say of who is who: addresses, domains, keys and other accounts; how strong (mutual: both sides say
    so; checked: the other side says so, or signed; claimed: only the author does), and where it is said. Then what several
    accounts point at. Nobody is merged by it: see `precipitate identity accept`.
    """
    from publish.standing import render_links
    from rewards.links import told_links

    with writing("identity links") as (_, store):
        told = told_links(store, account)
    emit(as_json, told, render_links(told))


@identity.command("accept", short_help="Accept a link that the networks tell, as a person.")
def identity_accept(
    account: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    target: Annotated[str, typer.Argument(help="What it is linked with, as `identity links` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="How you know.")],
    back: Annotated[bool, typer.Option("--back", help="Take it back.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate identity accept ann@mastodon.example example.org --reason "the page names her accounts"

    A mutual or checked link that is accepted counts as a passing identity score, where any were imported; accounts whose
    accepted links lead to one thing, or to each other, are one person, whose words about each other earn nothing. It counts
    from the next run, as long as the network says so. Where they are paid does not change.
    """
    from rewards.links import accept

    with writing("identity accept") as (_, store):
        told = accept(store, account, target, reason, back)
    done = "is accepted" if told["accepted"] else "is taken back"
    emit(as_json, told, f"{clean(told['handle'])} → {clean(told['target'])} {done}\nnext: precipitate run\n")


@identity.command("opt-out", short_help="Note that somebody does not want to be paid.")
def identity_opt_out(
    account: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, or where they said so; it is logged.")],
    back: Annotated[bool, typer.Option("--back", help="They want to be paid again.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate identity opt-out ann@forum.example.org --reason "asked for it in post 12"

    Their share of rounds that are not final goes by each round's rule, and the ledger says so.
    """
    from rewards.identities import handle_at_host
    from rewards.teams import opt_out

    with writing("identity opt-out") as (_, store):
        person = opt_out(store, account, reason, back)
    handle = handle_at_host(person)
    told = {"author": person.id, "handle": handle, "opted_out": not back}
    emit(as_json, told, f"{clean(handle)} {'is paid again' if back else 'has opted out'}\n")


# --- claims ---------------------------------------------------------------------------------------------------------


@claim.command("new", short_help="Make the text that a claimant signs.")
def claim_new(
    account: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    address: Annotated[str, typer.Option("--address", help="Where to pay: 0x and 40 hex digits.")],
    chain: Annotated[int, typer.Option("--chain", help="The chain's EIP-155 number.")],
    round_name: Annotated[str, typer.Option("--round", help="The round that is claimed from.")],
    others: Annotated[list[str] | None, typer.Option("--with", help="A further account of the same person; may be repeated.")] = None,
    days: Annotated[int, typer.Option("--days", help="For how many days it can be handed in, at most 90.")] = 30,
    out: Annotated[str, typer.Option("--out", "-o", help="A file, or - for standard output.")] = "-",
    as_json: Json = False,
) -> None:
    """Example: precipitate claim new ann@gov.example.org --address 0x52908400098527886E0F7030069857D2E4169EE7 --chain 1 --round r1

    Make the EIP-4361 text by which an account claims to be paid at an address: the wallet signs it, and the account
    posts its digest. With --with, it claims for several accounts of one person. Changes nothing by itself.
    """
    from publish.claims import render_new
    from publish.exports import STDOUT, write_files
    from rewards.claims import new_claim

    with writing("claim new") as (workspace, store):
        told = asdict(new_claim(store, workspace, [account, *(others or [])], address, chain, round_name, days))
    if out != STDOUT:
        write_files([("claim.txt", told["text"])], out)
    emit(as_json, told, "" if out != STDOUT else told["text"] + "\n")
    if not as_json:
        typer.echo(render_new(told, clean(out) if out != STDOUT else "the text"), err=True, nl=False)


@claim.command("verify", short_help="Take a signed claim: wallet, post and log.")
def claim_verify(
    text: Annotated[Path, typer.Argument(metavar="TEXT_FILE", help="The text that was signed.")],
    signature: Annotated[str, typer.Option("--signature", help="What the wallet gave: 0x and hex.")],
    round_name: Annotated[str | None, typer.Option("--round", help="Take it only if it claims from this round.")] = None,
    old: Annotated[list[str] | None, typer.Option("--old-signature", help="By the wallet paid so far; may be repeated.")] = None,
    without_old: Annotated[str, typer.Option("--without-old-wallet", help="Why the wallet paid so far cannot sign.")] = "",
    contract: Annotated[bool, typer.Option("--contract-wallet", help="The address is a contract, such as a Safe.")] = False,
    block: Annotated[int | None, typer.Option("--checked-at-block", min=0, help="Block where the contract said yes.")] = None,
    as_json: Json = False,
) -> int:
    """Example: precipitate claim verify claim.txt --signature 0x1b…

    Check a signed claim: the wallet signed the exact text, the account posted its digest, it is in time, of a round here
    and was not used before. Then it is logged, and the account is paid there. Ends with 3 if it is pending: a contract
    wallet's signature cannot be checked offline.
    """
    from publish.claims import render_verified
    from rewards.claims import Presented, read_text, verify_claim

    shown = Presented(signature, tuple(old or ()), without_old, contract, block)
    with writing("claim verify") as (_, store):
        told = asdict(verify_claim(store, read_text(text), shown, round_name, clean(str(text))))
        handles = _handles(store)
    emit(as_json, told, render_verified(told, handles))
    return PARTIAL if told["kind"] == "pending" else 0


@claim.command("revoke", short_help="Take an account's claim back.")
def claim_revoke(
    account: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is logged.")],
    as_json: Json = False,
) -> None:
    """Example: precipitate claim revoke ann@gov.example.org --reason "says that the wallet is lost"

    Take an account's claim back, in force or pending: its share is held again. The log keeps both.
    """
    from publish.claims import render_revoked
    from rewards.claims import revoke_claim

    with writing("claim revoke") as (_, store):
        told = [asdict(event) for event in revoke_claim(store, account, reason)]
        handles = _handles(store)
    emit(as_json, told, render_revoked(told, handles))


@claim.command("list", short_help="List the claims and check their log.")
def claim_list(
    log: Annotated[bool, typer.Option("--log", help="Print the log itself, a record a line.")] = False,
    head: Annotated[str | None, typer.Option("--head", help="A head printed earlier: is it still in the log?")] = None,
    as_json: Json = False,
) -> int:
    """Example: precipitate claim list

    Claims in force and pending, after checking the chain of the log and every signature in it. Keep the head that is
    printed: with --head it shows later that nothing was cut off. Ends with 4 if something does not hold.
    """
    from publish.claims import render_claims
    from rewards.claims import list_claims, log_lines

    with writing("claim list") as (_, store):
        told, lines = list_claims(store, head), log_lines(store) if log else []
    if log and not as_json:
        typer.echo("".join(f"{line}\n" for line in lines), nl=False)
        typer.echo("".join(f"FINDING {clean(finding)}\n" for finding in told["findings"]), err=True, nl=False)
    else:
        emit(as_json, {**told, **({"log": lines} if log else {})}, render_claims(told))
    return FINDINGS if told["findings"] else 0


def _handles(store: Store) -> dict[str, str]:
    from index.tables_rewards import authors
    from rewards.identities import handle_at_host

    return {author.id: handle_at_host(author) for author in authors(store)}


# --- policies -------------------------------------------------------------------------------------------------------


@round_.command("import", short_help="Read contributions for a round from a CSV file.")
def round_import(
    name: Annotated[str, typer.Argument(help="The round.")],
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the columns voter,contributor,amount and maybe trust.")],
    kind: Annotated[
        str,
        typer.Option("--as", help="What it lists: votes, vouches (voter,contributor), stamps (account,score) or stake (account,amount)."),
    ] = "votes",
    as_json: Json = False,
) -> int:
    """Example: precipitate round import r1 contributions.csv

    Read who gave whom how much, for the policies that count votes: voter (an author or 0x…), contributor (ann or
    ann@host), amount (tokens), trust (0 to 1, how much of it counts). With --as vouches each row counts the round's --vouch;
    with --as stamps or stake: what decides who is eligible, by account (ann, ann@host or 0x…). Good rows count; ends with 3 if some row
    did not. What comes after the freeze counts only once the round is frozen again.
    """
    from publish.report import as_value, render_import
    from rewards.ballots import import_contributions
    from rewards.eligibility import import_list
    from rewards.rounds import find_round, require, terms_of

    with writing("round import") as (_, store):
        found = find_round(store, name)
        require(found, ("new", "open", "frozen", "allocated"), "no list changes it any more")
        if kind in ("votes", "vouches"):
            vouch = terms_of(store, found).vouch if kind == "vouches" else None
            report = import_contributions(store, name, found.decimals, csv, vouch)
        else:
            report = import_list(store, name, kind, csv)
        told = {**as_value(report), "counts": found.state in ("new", "open")}
    if not told["counts"]:
        typer.echo(
            f'note: {clean(name)} is frozen without it: it counts after precipitate round freeze {clean(name)} --again "the reason"',
            err=True,
        )
    emit(as_json, told, render_import(told))
    return PARTIAL if told["left_out"] else 0


@round_.command("compare", short_help="Show a round under every policy.")
def round_compare(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round compare r1

    The round as it stands under every policy: how even, how much for newcomers, what attackers would gain. Changes nothing.
    """
    from publish.comparison import render_comparison
    from rewards.compare import compare_round

    with writing("round compare") as (_, store):
        told = compare_round(store, name)
    emit(as_json, told, render_comparison(told))


# --- trust, flags, outcomes, forks ----------------------------------------------------------------------------------


@seed.command("add", short_help="Name an account that trust begins with.")
def trust_seed_add(
    account: Annotated[str, typer.Argument(help="ann, ann@host, a full author id, or a key that signs outcomes.")],
    weight: Annotated[int, typer.Option("--weight", help="Its part among the seeds, 1 to 1000.")] = 1,
    note: Annotated[str, typer.Option("--note", help="Why; shown in lists and published.")] = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate trust seed add ann@forum.example.org --note "moderator since 2021"

    Trust begins with the seeds and follows who they endorse. Named accounts take the place of the default, so name all that
    you want; keys stand beside it. Counts from the next run.
    """
    from publish.standing import render_added_seed
    from rewards.standing import added_seed

    with writing("trust seed add") as (_, store):
        told = added_seed(store, account, weight, note)
    emit(as_json, told, render_added_seed(told))


@seed.command("remove", short_help="Take a seed back.")
def trust_seed_remove(account: Annotated[str, typer.Argument(help="The seed.")], as_json: Json = False) -> None:
    """Example: precipitate trust seed remove ann@forum.example.org

    Take a seed back. Where none is left, the default chooses again.
    """
    from rewards.seeds import remove_seed

    with writing("trust seed remove") as (_, store):
        name = remove_seed(store, account)
    emit(as_json, {"removed": name}, f"{clean(name)} is no seed any more\nnext: precipitate run\n")


@seed.command("list", short_help="List the seeds, named or chosen by default.")
def trust_seed_list(as_json: Json = False) -> None:
    """Example: precipitate trust seed list

    Where trust begins: the seeds that were named, else those that the default takes, and why.
    """
    from publish.standing import render_seeds
    from rewards.standing import told_seeds

    with writing("trust seed list") as (_, store):
        told = told_seeds(store)
    emit(as_json, told, render_seeds(told))


@trust.command("list", short_help="List who is trusted, and how far.")
def trust_list(as_json: Json = False) -> None:
    """Example: precipitate trust list

    Who is trusted, and how far, as the last run found it: what confirmations, likes, questions and reports count by.
    """
    from publish.standing import render_trust
    from rewards.standing import told_trust

    with writing("trust list") as (_, store):
        told = told_trust(store)
    emit(as_json, told, render_trust(told))


@scores.command("import", short_help="Read identity scores from a file.")
def scores_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What was exported or fetched before; nothing is asked of the network.")],
    kind: Annotated[str, typer.Option("--kind", help="passport, farcaster, ens or nostr.")],
    as_json: Json = False,
) -> int:
    """Example: precipitate identity scores import passport.csv --kind passport

    Read who is proved to be a person, or the same person: Passport (CSV or API answers), Farcaster verifications, ENS text
    records (CSV), Nostr NIP-05 and NIP-39. Once there are any, voices without a passing one count less. Ends with 3 if some
    row did not count.
    """
    from publish.report import as_value, render_import
    from rewards.identity_scores import import_scores

    with writing("identity scores import") as (_, store):
        told = as_value(import_scores(store, file, kind))
    emit(as_json, told, render_import(told))
    return PARTIAL if told["left_out"] else 0


@scores.command("list", short_help="List the identity scores.")
def scores_list(as_json: Json = False) -> None:
    """Example: precipitate identity scores list

    Whose identity is proved, by what and where: what was imported, and links that were accepted.
    """
    from publish.standing import render_scores
    from rewards.links import told_scores

    with writing("identity scores list") as (_, store):
        told = told_scores(store)
    emit(as_json, told, render_scores(told))


@app.command(short_help="Show what a person should look at: rings, pairs, bursts, look-alikes.")
def flags(as_json: Json = False) -> None:
    """Example: precipitate flags

    Groups that endorse only each other, reciprocal pairs, bursts of new accounts, accounts that write alike; each with the
    posts that show it. Evidence for a person: no flag changes a credit.
    """
    from publish.standing import render_flags
    from rewards.flags import flags as raised
    from rewards.pipeline import read_procedures

    with writing("flags") as (_, store):
        told = raised(store, read_procedures(store))
    emit(as_json, told, render_flags(told))


@outcome.command("add", short_help="Report that an SOP was carried out, and how it went.")
def outcome_add(
    sop: Annotated[str, typer.Argument(metavar="SOP", help="Its id, or enough of its beginning.")],
    result: Annotated[str, typer.Option("--result", help="worked, failed or partly.")],
    by: Annotated[str, typer.Option("--by", help="Who signs: did:key:…, 0x…, or an account that is paid at a wallet.")] = "",
    step: Annotated[int | None, typer.Option("--step", help="One step; without it: all of it.")] = None,
    note: Annotated[str, typer.Option("--note", help="What should be known of it.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="A PEM file with an Ed25519 key: signs and takes it at once.")] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="A file for the text to sign, or - for standard output.")] = "-",
    as_json: Json = False,
) -> int:
    """Example: precipitate outcome add sop-3f9a --result worked --key agent.pem

    Report that a person or a program carried an SOP out. With --key it is signed and logged at once; else this prints the
    text to sign (Ed25519, or a wallet's personal_sign), nothing is logged yet, and it ends with 3.
    """
    from publish.exports import STDOUT, write_files
    from publish.standing import render_new_outcome, render_taken
    from rewards.outcomes import add_outcome

    with writing("outcome add") as (_, store):
        told = add_outcome(store, sop, step, result, by, note, key)
    if told["taken"]:
        emit(as_json, told, render_taken(told["outcome"]))
        return 0
    if out != STDOUT:
        write_files([("outcome.txt", told["text"])], out)
    emit(as_json, told, "" if out != STDOUT else told["text"] + "\n")
    if not as_json:
        typer.echo(render_new_outcome(told, clean(out) if out != STDOUT else "the text"), err=True, nl=False)
    return PARTIAL


@outcome.command("verify", short_help="Take a signed outcome.")
def outcome_verify(
    text: Annotated[Path, typer.Argument(metavar="TEXT_FILE", help="The text that was signed.")],
    signature: Annotated[str, typer.Option("--signature", help="What the key or the wallet gave: 0x and hex.")],
    as_json: Json = False,
) -> None:
    """Example: precipitate outcome verify outcome.txt --signature 0x1b…

    Check a signed outcome offline: layout, key or wallet, SOP, never logged before. Then it is appended to the log, which
    is chained by hash, and counts from the next run.
    """
    from publish.standing import render_taken
    from rewards.claims import read_text
    from rewards.outcomes import take_outcome

    with writing("outcome verify") as (_, store):
        told = asdict(take_outcome(store, read_text(text), signature))
    emit(as_json, told, render_taken(told))


@outcome.command("list", short_help="List the outcomes and check their log.")
def outcome_list(
    head: Annotated[str | None, typer.Option("--head", help="A head printed earlier: is it still in the log?")] = None,
    as_json: Json = False,
) -> int:
    """Example: precipitate outcome list

    Every outcome, after checking the chain of the log and every signature in it. Ends with 4 if something does not hold.
    """
    from publish.standing import render_outcomes
    from rewards.outcomes import list_outcomes

    with writing("outcome list") as (_, store):
        told = list_outcomes(store, head)
    emit(as_json, told, render_outcomes(told))
    return FINDINGS if told["findings"] else 0


By = Annotated[str, typer.Option("--by", help="Whose work it is: ann, ann@host or a full author id.")]
Title = Annotated[str, typer.Option("--title", help="What it is called.")]


@app.command(short_help="Make an SOP of another one's steps.")
def fork(
    sop: Annotated[str, typer.Argument(metavar="SOP", help="Its id, or enough of its beginning.")],
    by: By,
    drop: Annotated[list[int] | None, typer.Option("--drop", help="A step to leave out; may be repeated.")] = None,
    order: Annotated[list[int] | None, typer.Option("--order", help="A step to take, in this order; may be repeated.")] = None,
    title: Title = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate fork sop-3f9a --drop 4 --by ann@forum.example.org

    Make a new SOP of the steps of another, each with its receipts. Its words are paid where they were said; what is
    reported of the fork counts for the origin, less a part for who made it.
    """
    from publish.standing import render_composed
    from rewards.compose import fork as make

    with writing("fork") as (_, store):
        told = make(store, sop, by, drop or (), order or (), title)
    emit(as_json, told, render_composed(told))


@app.command(short_help="Make an SOP of the steps of several.")
def compose(
    sops: Annotated[list[str], typer.Argument(metavar="SOP SOP …", help="Their ids; one may name steps: sop-3f9a:1,2,5.")],
    by: By,
    title: Title = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate compose sop-3f9a sop-77c1:1,2 --by ann@forum.example.org

    Make a new SOP of the steps of several, one after the other, each with its receipts. Credit goes as with a fork.
    """
    from publish.standing import render_composed
    from rewards.compose import compose as make
    from rewards.compose import read_picks

    names, picks = read_picks(sops)
    with writing("compose") as (_, store):
        told = make(store, names, by, title, picks)
    emit(as_json, told, render_composed(told))


# --- exports --------------------------------------------------------------------------------------------------------


Exported = list[tuple[str, str | bytes]]


def _procedures_files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
    from index.current import current_release
    from publish.exports import export_procedures

    return export_procedures(current_release(here()), form)


def _credits(name: str | None) -> list[dict[str, Any]]:
    """Credit records of a round, or of the current release."""
    from index.current import current_release
    from publish.exports import read_records
    from rewards.published import read_round

    return read_round(here(), name)["credits"] if name else read_records(current_release(here()), "credits.jsonl")


def _credits_files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
    from rewards.exports import export

    return export("credits", form, _credits(name))


def _payouts_files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
    from index.errors import UsageError
    from rewards.exports import export
    from rewards.exports.payees import read_ids
    from rewards.finalising import read_payouts

    if name is None:
        raise UsageError("payouts are of a round", "say which: --round r1")
    found = read_payouts(here(), name, batch)
    if found["round"]["state"] != "final":
        typer.echo(f"note: {clean(name)} is not final: amounts and root may change (precipitate round finalise)", err=True)
    return export("payouts", form, found, read_ids(ids) if ids else None)


def _round_files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
    from index.errors import UsageError
    from rewards.exports.rounds import round_files

    if name is None:
        raise UsageError("which round?", "say which: --round r1")
    return round_files(here(), name, form)


def _agent_files(kind: str) -> Callable[[str, str | None, Path | None, int | None], Exported]:
    """SOPs as files for agents, of one kind; each kind has one format, named like it."""

    def files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
        from index.current import current_release
        from index.errors import UnknownName
        from publish import jsonld, skills
        from publish.exports import read_records

        if form != kind:
            raise UnknownName(f"format of {kind}", form, [kind], f"there is one: {kind}")
        make: dict[str, Callable[[Sequence[Any]], Exported]] = {
            **{"skills": skills.skills, "sop-md": skills.sop_md, "llms-txt": skills.llms_txt},
            "jsonld": jsonld.jsonld,
        }
        return make[kind](read_records(current_release(here()), "procedures.jsonl"))

    return files


def _preferences_files(form: str, name: str | None, ids: Path | None, batch: int | None) -> Exported:
    from publish.preferences import export_preferences

    with snapshot() as opened:
        files, notes = export_preferences(opened, form)
    for note in notes:
        typer.echo(f"note: {clean(note)}", err=True)
    return list(files)


EXPORTS: dict[str, tuple[str, Callable[[str, str | None, Path | None, int | None], Exported]]] = {  # name: default format, files
    "procedures": ("jsonl", _procedures_files),
    "credits": ("jsonl", _credits_files),
    "payouts": ("safe-csv", _payouts_files),
    "round": ("json", _round_files),
    "preferences": ("jsonl", _preferences_files),
    **{kind: (kind, _agent_files(kind)) for kind in ("skills", "sop-md", "jsonld", "llms-txt")},
}
FORMATS = (
    "procedures: jsonl, json; credits: jsonl, json, csv, parquet; payouts: safe-csv, merkle, json, csv, parquet, allo-v2, allo-v1, "
    "grants-stack, hypercerts, uniswap, splits, drips, disperse, sourcecred, daoip-5, erc721; round: json; preferences: jsonl, json. "
    "The others have one each."
)


@app.command("export", short_help="Write SOPs, credits, payouts or preferences for other programs and agents.")
def export_(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="procedures, credits, payouts, round, preferences, skills, sop-md, jsonld or llms-txt.")
    ],
    form: Annotated[str | None, typer.Option("--format", help=FORMATS)] = None,
    round_name: Annotated[str | None, typer.Option("--round", help="The round, for payouts; for credits, as they were in it.")] = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            metavar="CSV",
            help="For allo-v2, allo-v1 and grants-stack: what payees are called there. Columns address and any of recipientId, "
            "projectId, projectName, applicationId.",
        ),
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="For payouts: a later batch, of shares that were claimed late.")] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="A file, a folder, or - for standard output.")] = "-",
    as_json: Json = False,
) -> None:
    """Example: precipitate export payouts --round r1 --format safe-csv -o payouts.csv

    Write what the current release or a round holds, in a form that other programs take as it is. A round goes out whole, as
    the verifier reads it: its file, the frozen snapshot, the ledger, later batches. Preferences are for
    reward models: of two answers to one question the one that people preferred, why, and the posts that say so. Skills,
    sop-md, jsonld and llms-txt are for agents, a file for each SOP: give a folder with -o.
    """
    from index.errors import UnknownName
    from publish.exports import STDOUT, as_values, one_file, write_files

    if what not in EXPORTS:
        raise UnknownName("export", what, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    default, make = EXPORTS[what]
    files = make(form or default, round_name, ids, batch)
    if out != STDOUT:
        paths = [str(path) for path in write_files(files, out)]
        emit(as_json, {"files": paths}, "".join(f"wrote {path}\n" for path in paths) or "No SOP yet: nothing was written.\n")
    elif as_json:
        emit(as_json, as_values(files), "")
    else:
        typer.get_binary_stream("stdout").write(one_file(files))


# --- releases -------------------------------------------------------------------------------------------------------


@app.command("release", short_help="Make a release of what is known now.")
def release_(
    bodies: Annotated[
        bool, typer.Option("--bodies", help="With the posts' words, of sources whose licence lets them be passed on.")
    ] = False,
    bodies_of: Annotated[
        list[str] | None, typer.Option("--bodies-of", help="With the words of this source as well; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate release --bodies

    Make a signed release of what the workspace holds, as `precipitate run` does at its end. Posts' words leave only when
    asked for, in a file of their own (bodies.jsonl.gz), with personal data hidden.
    """
    from publish import __version__
    from publish.bodies import chosen_sources
    from publish.release import release, render_release

    config = here().config()
    with writing("release") as (workspace, store):
        chosen, others = chosen_sources(store, bodies_of or ()) if bodies or bodies_of else ([], [])
        report = release(workspace, store, config, __version__, _ethereum(workspace), chosen)
    for name in others:
        typer.echo(
            f"note: no words of {clean(name)}: its licence does not say that they may be passed on (--bodies-of {clean(name)})", err=True
        )
    told = {**asdict(report), "path": str(report.path)}
    emit(as_json, told, render_release(report))


@app.command("verify", short_help="Check a release, trusting nobody.")
def verify_(
    target: Annotated[str, typer.Argument(metavar="RELEASE", help="Its number here, a folder, a .zip, or an address (https://…).")],
    level: Annotated[str, typer.Option("--level", help="How deep: hashes, signatures, decisions, quotes or rebuild.")] = "quotes",
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make it anew from the posts, too; takes as long as a run.")] = False,
    key: Annotated[str | None, typer.Option("--key", help="The did:key that it should be signed by.")] = None,
    head: Annotated[str | None, typer.Option("--head", help="The head of its log as seen earlier: is it still in it?")] = None,
    as_json: Json = False,
) -> int:
    """Example: precipitate verify https://sops.example.org --key did:key:z6Mk…

    Check a release in levels: its bytes, its signature and log, its decisions from its scores, its quotes from the posts,
    and the whole made anew. Says what each level looked at, and what the deeper ones need. Ends with 4 if something does
    not hold, and names the file and the place.
    """
    from publish.targets import opened
    from publish.verify import deepest_of, render_verification, verify

    deepest = max(deepest_of(level), 5 if rebuild else 0)
    with opened(target, _workspace_or_none()) as folder:
        told = verify(folder, _means(key, head, deepest, rebuild or deepest == 5)).value()
    told["release"] = target
    emit(as_json, told, render_verification(told))
    return 0 if told["sound"] else FINDINGS


def _workspace_or_none() -> Workspace | None:
    from index.errors import StoreError

    try:
        return here()
    except StoreError:
        return None


def _means(key: str | None, head: str | None, deepest: int, rebuild: bool) -> Any:
    """What this installation can bring to bear on a release: its own crawl, where it stands in a workspace that has one."""
    from functools import partial

    from publish.verify import Means
    from rewards.recompute import recompute, settled
    from rewards.signatures import recover_text

    workspace = _workspace_or_none()
    texts = partial(_own_texts, workspace) if workspace and workspace.current.exists() else None
    own = partial(_own_pack, workspace) if workspace and workspace.current.exists() else None
    return Means(recompute, settled, recover_text, texts, _rebuild if rebuild else None, own, key, head, deepest)


def _own_texts(workspace: Workspace, ids: Sequence[str]) -> dict[str, str]:
    from index.snapshot import open_current

    with open_current(workspace) as opened:
        return opened.texts(ids)


def _own_pack(workspace: Workspace) -> Iterator[dict[str, Any]]:
    from index.pack import pack_rows
    from index.tables_discussion import sources

    with writing("verify") as (_, store):
        yield from pack_rows(store, [source.id for source in sources(store)])


def _rebuild(store: Store, config: Config) -> None:
    from distill.pipeline import distill
    from publish.progress import reporting
    from rewards.pipeline import credit

    with reporting(False) as progress:
        distill(store, config, progress)
    credit(store, config)


@key_.command("show", short_help="Show the key that signs releases.")
def key_show(as_json: Json = False) -> None:
    """Example: precipitate key show

    The did:key that signs this workspace's releases, made if there is none yet, and where it lies. Never the secret.
    """
    from publish.keys import keys_value, render_keys

    told = keys_value(here())
    emit(as_json, told, render_keys(told))


@key_.command("new", short_help="Make a new key.")
def key_new(
    network: Annotated[bool, typer.Option("--network", help="A secp256k1 key instead, for EIP-191 signatures and for Nostr.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate key new

    Make a new release key. The old one signs it over in the log, so that readers who know the old one follow; it is kept
    beside it. With --network: the key that signs releases for Ethereum as well, and SOPs for Nostr.
    """
    from publish.keys import keys_value, make_key, render_keys

    workspace = here()
    with workspace.lock("key new"):
        make_key(workspace, network)
    told = keys_value(workspace)
    emit(as_json, told, render_keys(told))


# --- agents ---------------------------------------------------------------------------------------------------------


@app.command(short_help="Write a static site of everything, with its receipts.")
def site(
    folder: Annotated[Path, typer.Argument(help="Folder to write: a new or an empty one, or a site made before.")] = Path("site"),
    title: Annotated[str, typer.Option("--title", help="What the site is called.")] = "precipitate",
    agents: Annotated[
        bool, typer.Option("--agents", help="With llms.txt and an .sop.md for each SOP, for agents that read the web.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate site public --title "Harbourside SOPs"

    Write the current release and all allocated rounds as web pages: search, a map, each SOP beside its quotes, people with
    where their credit comes from, rounds, sources. Nothing is asked from elsewhere: put it on any server, IPFS or a disk.
    """
    from publish.progress import reporting
    from publish.report import as_value
    from publish.site.build import build_site
    from publish.site.open import open_site

    workspace = here()
    with reporting(quiet) as progress, open_site(workspace, title, agents) as (data, vectors):
        report = build_site(data, vectors, folder, progress)
    text = f"wrote {report.path}: {report.procedures:,} SOPs in {report.files:,} files, {report.bytes / 1e6:.1f} MB\nnext: open {report.path / 'index.html'}\n"
    emit(as_json, as_value(report), text)


@app.command(short_help="Serve SOPs to agents over MCP.")
def mcp(
    http: Annotated[
        bool, typer.Option("--http", help="Over HTTP on this machine (127.0.0.1), rather than standard input and output.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="With --http: the port; 0 for any that is free.")] = 8765,
    as_json: Json = False,
) -> None:
    """Example: precipitate mcp

    Serve the current release to agents by the Model Context Protocol: search, get, cite, plan, explain. Reads only, and
    opens no connection. Words of posts are fenced and marked untrusted. Needs the extra: pip install 'precipitate[mcp]'.
    """
    from publish.mcp_server import serve_http, serve_stdio

    if http:
        serve_http(here(), port, lambda where: typer.echo(to_json({"url": where}) if as_json else f"serving {where}", err=True))
    else:
        serve_stdio(here())


# --- mirrors and merging --------------------------------------------------------------------------------------------

Private = Annotated[bool, typer.Option("--allow-private", help="Allow an address on this machine or its network.")]


@app.command("publish", short_help="Put the current release where others find it.")
def publish_(
    to: Annotated[str, typer.Option("--to", help="folder, https, nostr or git.")],
    address: Annotated[str, typer.Argument(help="A folder, https://…, wss://… or a Git repository.")],
    token: Annotated[Path | None, typer.Option("--token-file", help="For https: a file that holds the bearer token.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="For git: distil what is new once more, and hold back what differs.")] = False,
    allow_private: Private = False,
    as_json: Json = False,
) -> int:
    """Example: precipitate publish --to folder /srv/www/sops

    Publish the current release: into a folder that a web server shows, by HTTP PUT, as SOPs on a Nostr relay, or into a Git
    repository, a commit for each version that passes review. What is no longer in the release is taken back there, too.
    Ends with 3 if some SOP was held back.
    """
    from index.current import current_release
    from index.errors import UnknownName
    from publish.mirrors import publish_folder, publish_http, render_published, token_from

    workspace = here()
    folder = current_release(workspace)
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "folder": lambda: publish_folder(folder, Path(address)),
        "https": lambda: publish_http(folder, address, allow_private, token_from(token)),
        "nostr": lambda: _to_nostr(workspace, folder, address, allow_private),
        "git": lambda: _to_git(workspace, folder, address, replay, allow_private),
    }
    if to not in ways:
        raise UnknownName("way to publish", to, ways, f"there are: {', '.join(ways)}")
    told = ways[to]()
    emit(as_json, told, render_published(told))
    return PARTIAL if told.get("held_back") else 0


def _to_nostr(workspace: Workspace, folder: Path, address: str, allow_private: bool) -> dict[str, Any]:
    from publish.keys import network_key
    from publish.nostr import publish_nostr

    with workspace.lock("publish"):
        secret = network_key(workspace, make=True) or b""
    return publish_nostr(folder, address, secret, allow_private)


def _to_git(workspace: Workspace, folder: Path, address: str, replay: bool, allow_private: bool) -> dict[str, Any]:
    from functools import partial

    from distill.steptext import injects
    from publish.gitmirror import publish_git

    again = partial(_replay, workspace.config()) if replay else None
    repository = workspace.folder / "mirror.git"
    return publish_git(folder, repository, address, injects, partial(_own_texts, workspace), again, allow_private)


def _replay(config: Config, records: Sequence[Any]) -> dict[str, set[str]]:
    from distill.pipeline import replay

    with writing("publish") as (_, store):
        return replay(store, config, sorted({thread for record in records for thread in record["threads"]}))


@app.command(short_help="Get a release from a mirror, and check it.")
def fetch(
    address: Annotated[str, typer.Argument(help="A folder, https://…, wss://… or a Git repository (git+https://…, git+/path).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    key: Annotated[str | None, typer.Option("--key", help="The did:key that it should be signed by; for Nostr the public key.")] = None,
    allow_private: Private = False,
    as_json: Json = False,
) -> int:
    """Example: precipitate fetch https://sops.example.org -o sops --key did:key:z6Mk…

    Fetch a release and check bytes, signature and decisions. From Nostr and Git come SOPs alone, each checked against the
    signed list. In a workspace, heads of logs are remembered: a log that was rewritten is found. Ends with 4 if something
    does not hold, with 3 if some SOP was left out.
    """
    from publish.fetching import fetch_release, fetch_sops, render_fetched

    if address.startswith(("ws://", "wss://", "git+")):
        told = fetch_sops(address, out, key, allow_private)
        emit(as_json, told, render_fetched(told))
        return PARTIAL if told["left_out"] else 0
    told = fetch_release(address, out, _workspace_or_none(), _means(key, None, 3, False), allow_private)
    emit(as_json, told, render_fetched(told))
    return 0 if told["sound"] else FINDINGS


@app.command("merge", short_help="Join releases of independent crawls.")
def merge_(
    targets: Annotated[list[str], typer.Argument(metavar="RELEASE…", help="Numbers here, folders, .zip files or addresses.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    as_json: Json = False,
) -> int:
    """Example: precipitate merge 3 ../other/sops https://sops.example.org -o merged

    Join releases into one, the same in any order: what was taken back in one is out, one record remains of each SOP, credits
    are computed anew. Only what verifies enters; the rest is listed, and the command ends with 3.
    """
    from publish import __version__
    from publish.merge import merge, render_merge
    from publish.targets import all_opened

    workspace = here()
    config = workspace.config()
    with all_opened(targets, workspace) as folders, workspace.lock("merge"):
        report = merge(workspace, folders, out, config, __version__, _means(None, None, 3, False), _ethereum(workspace))
    told = {**asdict(report), "path": str(report.path)}
    emit(as_json, told, render_merge(told))
    return PARTIAL if report.left_out else 0


# --- people who asked to be left out --------------------------------------------------------------------------------


@optout_.command("add", short_help="Leave a person out from now on.")
def optout_add(
    account: Annotated[str, typer.Argument(help="ann, ann@forum.example.org or a full author id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, on your own word, where nothing else shows it.")] = "",
    signature: Annotated[
        str, typer.Option("--signature", help="Of the wallet that the account is paid at, over the text below: 0x….")
    ] = "",
    as_json: Json = False,
) -> None:
    """Example: precipitate optout add ann@forum.example.org --reason "asked by mail"

    Take a person's words, likes and name out of the store, the next release and every merge with it. It is believed by a
    signature over "precipitate: leave out all that AUTHOR-ID wrote, and its name.", by a post of the account that says
    "precipitate opt-out", or on your word.
    """
    from publish.optout import opt_out, render_report
    from rewards.identities import find_author
    from rewards.signatures import recover_text

    with writing("optout add") as (_, store):
        told = asdict(opt_out(store, find_author(store, account), reason, signature, recover_text))
    emit(as_json, told, render_report(told))


@optout_.command("list", short_help="List who is left out.")
def optout_list(as_json: Json = False) -> None:
    """Example: precipitate optout list

    Who is left out, since when, and why that is believed. The list stays on this machine.
    """
    from publish.optout import list_optouts, render_optouts

    with writing("optout list") as (_, store):
        told = list_optouts(store)
    emit(as_json, told, render_optouts(told))


@optout_.command("import", short_help="Read who is to be left out from a CSV file.")
def optout_import(
    path: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the columns account,reason.")], as_json: Json = False
) -> int:
    """Example: precipitate optout import optouts.csv

    Leave out everybody in a list, on your own word. Good rows count; ends with 3 if some row did not.
    """
    from functools import partial

    from publish.optout import import_optouts, render_report
    from rewards.identities import find_author

    with writing("optout import") as (_, store):
        told = asdict(import_optouts(store, path, partial(find_author, store)))
    emit(as_json, told, render_report(told))
    return PARTIAL if told["left_out"] else 0


# --- looking after it -----------------------------------------------------------------------------------------------


@app.command(short_help="Check the installation and the workspace.")
def doctor(as_json: Json = False) -> int:
    """Example: precipitate doctor

    Check Python, packages, model, configuration, database, spool, the hashes of the current release, lock and disk.
    Ends with 4 if something is wrong.
    """
    from publish.doctor import doctor as examine
    from publish.doctor import render_findings

    findings = examine(Path.cwd())
    emit(as_json, [asdict(finding) for finding in findings], render_findings(findings))
    return 0 if all(finding.ok for finding in findings) else FINDINGS


@app.command(short_help="List the runs so far.")
def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Example: precipitate runs

    The runs so far, newest first: when, how each ended, what it read and asked. With --json all that each stage said.
    """
    from index.aside import known_runs
    from publish.crawls import render_runs

    told = known_runs(here(), limit)
    emit(as_json, told, render_runs(told))


@app.command(short_help="Show the raw answers that a post was read from.")
def provenance(post: Annotated[str, typer.Argument(metavar="POST", help="A post's id.")], as_json: Json = False) -> None:
    """Example: precipitate provenance discourse:forum.example.org/p/12

    Where a post came from: each raw answer with its address, time, digest and place in the archive (WARC); for a post of
    an archive on disk the file and the record in it. While a run is at work, as of the current release.
    """
    from crawler.provenance import provenance as find
    from publish.crawls import render_provenance

    told = find(here(), post)
    emit(as_json, told, render_provenance(told))


@app.command(short_help="Print a unit that runs this workspace by itself.")
def schedule(
    systemd: Annotated[bool, typer.Option("--systemd", help="A service and a timer.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="A line for crontab.")] = False,
    github: Annotated[bool, typer.Option("--github", help="A workflow of GitHub Actions.")] = False,
    every: Annotated[str, typer.Option("--every", help="hourly, daily or weekly.")] = "daily",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder to write the files into.")] = None,
    as_json: Json = False,
) -> None:
    """Example: precipitate schedule --systemd --out ~/.config/systemd/user

    Print a working unit that runs this workspace: one-shot, one at a time, its exit code says how it went.
    """
    import shutil

    from index.errors import UsageError
    from publish.exports import write_files
    from publish.schedule import Plan, render_schedule
    from publish.schedule import schedule as units

    kinds = [name for name, wanted in (("systemd", systemd), ("cron", cron), ("github", github)) if wanted]
    if len(kinds) != 1:
        raise UsageError("say for what the unit is", "give one of --systemd, --cron, --github")
    program = Path(shutil.which("precipitate") or Path(sys.executable).parent / "precipitate")
    files = units(kinds[0], Plan(here().root, program, every))
    if out is None:
        emit(as_json, dict(files), render_schedule(files))
        return
    paths = [str(path) for name, text in files for path in write_files([(Path(name).name, text)], str(out / Path(name).name))]
    emit(as_json, {"files": paths}, "".join(f"wrote {clean(path)}\n" for path in paths))


@config_.command("show", short_help="Show every key with its value.")
def config_show(as_json: Json = False) -> None:
    """Example: precipitate config show

    Every key of the configuration with the value in force; those that precipitate.toml changes say so.
    """
    from index.config import Config
    from publish.report import render_config

    told = asdict(here().config())
    emit(as_json, told, render_config(told, asdict(Config())))


@app.command(short_help="Print what completes commands in a shell.")
def completion(shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")], as_json: Json = False) -> None:
    """Example: precipitate completion bash

    Print a script that completes commands, options and ids of SOPs: source it, or put it where the shell looks, such as
    ~/.local/share/bash-completion/completions/precipitate, a folder of zsh's fpath as _precipitate, or
    ~/.config/fish/completions/precipitate.fish.
    """
    from typer._completion_shared import get_completion_script

    from index.errors import UnknownName

    if shell not in SHELLS:
        raise UnknownName("shell", shell, SHELLS, f"there are: {', '.join(SHELLS)}")
    script = get_completion_script(prog_name="precipitate", complete_var="_PRECIPITATE_COMPLETE", shell=shell)
    emit(as_json, {"shell": shell, "script": script}, script + "\n")


@app.command(short_help="Write the man pages.")
def man(
    out: Annotated[str, typer.Option("--out", "-o", help="A folder, such as ~/.local/share/man/man1.")] = "man1", as_json: Json = False
) -> None:
    """Example: precipitate man -o ~/.local/share/man/man1

    Write a man page for every command, from the same words as its help. Then `man precipitate-search` shows one.
    """
    from publish.exports import write_files
    from publish.manpages import pages

    paths = [str(path) for path in write_files(list(pages(typer.main.get_command(app), "precipitate")), out.rstrip("/") + "/")]
    emit(as_json, {"files": paths}, f"wrote {len(paths)} pages to {clean(out)}\n")


@app.command(short_help="Show the version.")
def version(as_json: Json = False) -> None:
    """Example: precipitate version"""
    from publish import __version__

    emit(as_json, {"version": __version__}, f"precipitate {__version__}\n")


if __name__ == "__main__":
    app()
