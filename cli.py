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
    from index.snapshot import Snapshot
    from index.store import Store
    from index.workspace import Workspace
    from publish.progress import Progress

PARTIAL, FINDINGS, INTERRUPTED = 3, 4, 130


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
        except typer.TyperException as error:
            complain(error.format_message(), "add --help to see how it is used", error.exit_code, as_json)
            code = error.exit_code
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
config_ = make_group(help="The workspace's configuration.")
app.add_typer(identity, name="identity", short_help="Where contributors are paid.")
app.add_typer(round_, name="round", short_help="Rounds: a budget, shared out by credit.")
claim = make_group(help="Identity claims: an account and its wallet, proved by both.")
app.add_typer(claim, name="claim", short_help="Identity claims: an account and its wallet, proved by both.")
app.add_typer(config_, name="config", short_help="The workspace's configuration.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def emit(as_json: bool, value: Any, text: str) -> None:
    typer.echo(to_json(value) if as_json else text, nl=as_json)


def here() -> Workspace:
    from index.workspace import find_workspace

    return find_workspace(Path.cwd())


def snapshot() -> Snapshot:
    from index.snapshot import open_current

    return open_current(here())


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

    return credit(job.store, job.config)


def _release(job: Job) -> Any:
    from publish import __version__
    from publish.release import release

    return release(job.workspace, job.store, job.config, __version__)


STAGES: dict[str, Callable[[Job], Any]] = {"crawl": _crawl, "distill": _distill, "credit": _credit, "release": _release}


def run_stages(job: Job, names: Sequence[str]) -> dict[str, Any]:
    """Stages in order, entered into the table of runs with what each cost."""
    from index.tables_procedures import finish_run, start_run
    from publish.report import run_value

    number = start_run(job.store, job.config.digest("crawl", "distill", "rewards"))
    reports: dict[str, Any] = {}
    started = time.monotonic_ns()
    try:
        for name in names:
            begun = time.monotonic_ns()
            reports[name] = STAGES[name](job)
            _save_costs(job.store, number, name, reports[name], (time.monotonic_ns() - begun) // 1000)
    except BaseException as error:
        finish_run(job.store, number, "interrupted" if isinstance(error, KeyboardInterrupt) else "error", {"error": str(error)})
        raise
    status = "partial" if any(getattr(report, "partial", False) for report in reports.values()) else "ok"
    told = run_value(number, status, (time.monotonic_ns() - started) // 1000, reports)
    finish_run(job.store, number, status, told["stages"])
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
    from publish.crawls import render_plan

    with writing("dry run") as (workspace, store):
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
    lexical: Annotated[bool, typer.Option("--lexical", help="By words alone: loads no model, answers at once.")] = False,
    as_json: Json = False,
) -> None:
    """Example: precipitate search "how do I apply for a grant"

    SOPs of the current release that answer a question, each with the words that answer best.
    """
    from index.search import search as find
    from index.snapshot import current_release
    from publish.show import render_hits

    workspace = here()
    hits = find(current_release(workspace) / "local", query, k, workspace.config(), words_only=lexical)
    emit(as_json, [asdict(hit) for hit in hits], render_hits(hits, query))


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
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Its id, or enough of its beginning.")], as_json: Json = False
) -> None:
    """Example: precipitate show sop-3f9a

    One SOP: its steps, each with the words it came from, who said them, where, and who was for or against it.
    """
    from publish.show import render_procedure

    with snapshot() as opened:
        record = opened.record(identifier)
        titles = {other: found["title"] for other, found in opened.records(record["alternatives"]).items()}
    emit(as_json, record, render_procedure(record, titles))


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
    identifier: Annotated[str, typer.Argument(metavar="SOP", help="Its id, or enough of its beginning.")],
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
    as_json: Json = False,
) -> None:
    """Example: precipitate why ann@forum.example.org r1

    What an author earned, down to the words it was earned with, and what earned nothing and why.
    """
    from rewards.rounds import read_round
    from rewards.why import render_why
    from rewards.why import why as account

    if round_name is not None:
        told = account(read_round(here(), round_name), author)
    else:
        with snapshot() as opened:
            told = account(_credits(None), author, opened.uncredited())
    emit(as_json, told, render_why(told))


# --- settings of policies, as options of `round new` ----------------------------------------------------------------

Policy = Annotated[
    str,
    typer.Option(
        "--policy", help="proportional, quadratic, pairwise, cluster, median, clrfund or clrfund-linear: how credit or votes become shares."
    ),
]
Cap = Annotated[str | None, typer.Option("--cap", help="Most that one payee gets: tokens, or 5% of the budget.")]
Floor = Annotated[str | None, typer.Option("--floor", help="Least that one payee gets, else nothing: tokens, or a percentage.")]
Tilt = Annotated[
    str | None, typer.Option("--tilt", help="Exponent of each share, below 1 to lift the small, such as 0.75; needs --verified.")
]
Emission = Annotated[str, typer.Option("--emission", help="How earlier rounds count: whole (not), immediate, recent or balanced.")]
Verified = Annotated[bool, typer.Option("--verified", help="One identity is one person; accounts without one get no share.")]
Vouch = Annotated[str, typer.Option("--vouch", help="Tokens that a contributor's vouch for a step counts as a vote; 0 for none.")]
Bound = Annotated[str, typer.Option("--bound", help="M of the pairwise policy, in tokens.")]
Quorum = Annotated[int, typer.Option("--quorum", help="Fewest ballots of the median policy.")]
Minimum = Annotated[str, typer.Option("--minimum", help="Least median of the median policy, in tokens.")]


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


@round_.command("new", short_help="Open a round.")
def round_new(
    name: Annotated[str, typer.Argument(help="Its name: letters, digits, - and _.")],
    budget: Annotated[str, typer.Option("--budget", help="How much in all, as a decimal number of tokens.")],
    token: Annotated[str, typer.Option("--token", help="The token's address, or native.")],
    decimals: Annotated[int, typer.Option("--decimals", help="How many decimals the token has.")] = 18,
    policy: Policy = "proportional",
    cap: Cap = None,
    floor: Floor = None,
    tilt: Tilt = None,
    emission: Emission = "whole",
    verified: Verified = False,
    vouch: Vouch = "1",
    bound: Bound = "1",
    quorum: Quorum = 3,
    minimum: Minimum = "0",
    as_json: Json = False,
) -> None:
    """Example: precipitate round new r1 --budget 10000 --token 0x52908400098527886E0F7030069857D2E4169EE7 --decimals 18

    Open a round. Nothing is shared out until `precipitate round allocate`. How it shares out is settled here; warns where
    splitting into accounts could pay.
    """
    from publish.report import render_round_line
    from rewards.money import format_amount
    from rewards.policies import warnings
    from rewards.rounds import new_round, terms_of

    options: dict[str, Any] = {"cap": cap, "floor": floor, "tilt": tilt, "emission": emission, "verified": verified}
    options |= {"vouch": vouch, "bound": bound, "quorum": quorum, "minimum": minimum}
    with writing("round new") as (_, store):
        made = new_round(store, name, budget, token, decimals, policy, options)
        warned = warnings(terms_of(store, made))
    told = {**_round_value(made), "warnings": warned}
    for warning in warned:
        typer.echo(f"warning: {clean(warning)}", err=True)
    emit(as_json, told, render_round_line(told, format_amount) + f"next: precipitate round allocate {name}\n")


def _round_value(made: Any) -> dict[str, Any]:
    """Base units as text: JSON numbers lose digits past 2**53 elsewhere."""
    return {**asdict(made), "budget": str(made.budget)}


@round_.command("allocate", short_help="Share a round's budget out by credit.")
def round_allocate(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round allocate r1

    Share the budget out by the credits as they stand, exactly: paid + held + left over = budget. Again: anew.
    """
    from publish.report import render_round
    from rewards.money import format_amount
    from rewards.rounds import allocate, read_round

    with writing("round allocate") as (workspace, store):
        report = allocate(store, workspace, name)
    told = read_round(workspace, name)
    for note in report.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    shown = {key: told[key] for key in ("schema", "round", "release", "totals", "allocations", "payouts")}
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


@round_.command("show", short_help="Show an allocated round.")
def round_show(name: Annotated[str, typer.Argument(help="The round.")], as_json: Json = False) -> None:
    """Example: precipitate round show r1

    An allocated round: totals, and each author's points, amount and address.
    """
    from publish.report import render_round
    from rewards.money import format_amount
    from rewards.rounds import read_round

    told = read_round(here(), name)
    emit(as_json, told, render_round(told, format_amount))


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
    as_json: Json = False,
) -> int:
    """Example: precipitate round import r1 contributions.csv

    Read who gave whom how much, for the policies that count votes: voter (an author or 0x…), contributor (ann or
    ann@host), amount (tokens), trust (0 to 1, how much of it counts). Good rows count; ends with 3 if some row did not.
    """
    from publish.report import as_value, render_import
    from rewards.ballots import import_contributions
    from rewards.rounds import find_round

    with writing("round import") as (_, store):
        found = find_round(store, name)
        told = as_value(import_contributions(store, found.name, found.decimals, csv))
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


# --- exports --------------------------------------------------------------------------------------------------------


Exported = list[tuple[str, str | bytes]]


def _procedures_files(form: str, name: str | None, ids: Path | None) -> Exported:
    from index.snapshot import current_release
    from publish.exports import export_procedures

    return export_procedures(current_release(here()), form)


def _credits(name: str | None) -> list[dict[str, Any]]:
    """Credit records of a round, or of the current release."""
    from index.snapshot import current_release
    from publish.exports import read_records
    from rewards.rounds import read_round

    return read_round(here(), name)["credits"] if name else read_records(current_release(here()), "credits.jsonl")


def _credits_files(form: str, name: str | None, ids: Path | None) -> Exported:
    from rewards.exports import export

    return export("credits", form, _credits(name))


def _payouts_files(form: str, name: str | None, ids: Path | None) -> Exported:
    from index.errors import UsageError
    from rewards.exports import export
    from rewards.exports.payees import read_ids
    from rewards.rounds import read_round

    if name is None:
        raise UsageError("payouts are of a round", "say which: --round r1")
    return export("payouts", form, read_round(here(), name), read_ids(ids) if ids else None)


def _preferences_files(form: str, name: str | None, ids: Path | None) -> Exported:
    from publish.preferences import export_preferences

    with snapshot() as opened:
        files, notes = export_preferences(opened, form)
    for note in notes:
        typer.echo(f"note: {clean(note)}", err=True)
    return list(files)


EXPORTS: dict[str, tuple[str, Callable[[str, str | None, Path | None], Exported]]] = {  # name: default format, files
    "procedures": ("jsonl", _procedures_files),
    "credits": ("jsonl", _credits_files),
    "payouts": ("safe-csv", _payouts_files),
    "preferences": ("jsonl", _preferences_files),
}
FORMATS = (
    "procedures: jsonl, json; credits: jsonl, json, csv, parquet; payouts: safe-csv, merkle, json, csv, parquet, allo-v2, allo-v1, "
    "grants-stack, hypercerts, uniswap, splits, drips, disperse, sourcecred, daoip-5, erc721; preferences: jsonl, json."
)


@app.command("export", short_help="Write SOPs, credits, payouts or preferences for other programs.")
def export_(
    what: Annotated[str, typer.Argument(metavar="procedures|credits|payouts|preferences")],
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
    out: Annotated[str, typer.Option("--out", "-o", help="A file, a folder, or - for standard output.")] = "-",
    as_json: Json = False,
) -> None:
    """Example: precipitate export payouts --round r1 --format safe-csv -o payouts.csv

    Write what the current release or a round holds, in a form that other programs take as it is. Preferences are for
    reward models: of two answers to one question the one that people preferred, why, and the posts that say so.
    """
    from index.errors import UnknownName
    from publish.exports import STDOUT, as_values, one_file, write_files

    if what not in EXPORTS:
        raise UnknownName("export", what, EXPORTS, f"there are: {', '.join(EXPORTS)}")
    default, make = EXPORTS[what]
    files = make(form or default, round_name, ids)
    if out != STDOUT:
        paths = [str(path) for path in write_files(files, out)]
        emit(as_json, {"files": paths}, "".join(f"wrote {path}\n" for path in paths))
    elif as_json:
        emit(as_json, as_values(files), "")
    else:
        typer.get_binary_stream("stdout").write(one_file(files))


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
    from index.tables_procedures import runs as runs_of
    from publish.crawls import render_runs

    with writing("runs") as (_, store):
        told = [asdict(found) for found in runs_of(store, limit)]
    emit(as_json, told, render_runs(told))


@app.command(short_help="Show the raw answers that a post was read from.")
def provenance(post: Annotated[str, typer.Argument(metavar="POST", help="A post's id.")], as_json: Json = False) -> None:
    """Example: precipitate provenance discourse:forum.example.org/p/12

    Where a post came from: each raw answer with its address, time, digest and place in the archive (WARC).
    """
    from index.errors import UnknownName
    from index.tables_discussion import source_of_post
    from index.tables_raw import origins
    from publish.crawls import render_provenance

    with writing("provenance") as (_, store):
        if source_of_post(store, post) is None:
            raise UnknownName("post", post, [], "give its full id, as `precipitate show` and exports write it")
        told = {"post": post, "answers": origins(store, post)}
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


@app.command(short_help="Show the version.")
def version(as_json: Json = False) -> None:
    """Example: precipitate version"""
    from publish import __version__

    emit(as_json, {"version": __version__}, f"precipitate {__version__}\n")


if __name__ == "__main__":
    app()
