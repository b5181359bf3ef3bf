"""What a visit would ask beyond its first requests, as far as cursor and store tell it. In words, for `--dry-run`."""

from __future__ import annotations

from collections.abc import Callable

from crawler.frontier import Frontier
from crawler.job import Job
from index.counted import counted

# Entries of a cursor that say up to where a source was read, and hints that say what is looked at again.
MARKS = ("changed_from", "read_until", "active_from", "min_id", "etag", "modified")
AGAIN = {
    "unsettled": "where something was missing at the last look: read again",
    "young": "known and spoken in lately: some are read again",
    "proposals": "known proposals: some are asked for again, in turn",
    "questions": "known questions: some are asked for again, in turn",
    "posts": "known posts: some are looked at again, in turn",
    "domains": "domains that people name: some are asked whether they name them back",
    "people": "people who are known: those without a profile are asked for, some in each run",
}


def outlook(job: Job) -> list[str]:
    """Lines such as "3 threads wait from the last run"."""
    find: Callable[[Job], list[str]] = _forum if job.source.kind == "discourse" else _other
    return find(job)


def _forum(job: Job) -> list[str]:
    frontier, hints, extra = Frontier.read(job.cursor), job.hints, job.config.extra_requests
    if frontier.top:
        lines = [f"/latest.json for what is new, then on from page {frontier.page}, where the last listing was cut off"]
    elif frontier.head:
        lines = [f"/latest.json, page by page, down to what was written before {frontier.head}"]
    else:
        lines = ["/latest.json, all pages: nothing is known yet"]
    waiting = set(frontier.threads()) | set(hints.get("recheck", ()))
    if waiting:
        lines.append(f"{counted(len(waiting), 'thread')} to be read: left from the last run, or a post was missing there")
    lines.append("each thread that the listing shows as changed: one request for 20 posts")
    pages = extra * 4 // 5 if frontier.head else 0
    if pages:
        lines.append(
            f"up to {counted(pages, 'page')} of /posts.json, to compare {pages * 50:,} older posts; threads that differ are read again"
        )
    wanted = {"likers": "unnamed", "other reactions": "reacted", "earlier texts": "edited"}
    counts = [f"{what} of {len(hints.get(name, ())):,}" for what, name in wanted.items() if hints.get(name)]
    if counts:
        lines.append(f"for posts, as far as {extra:,} requests or a fourth of all go: {', '.join(counts)}")
    return lines


def _other(job: Job) -> list[str]:
    marks = [f"{name} {job.cursor[name]}" for name in MARKS if job.cursor.get(name)]
    lines = [f"what is new since {', '.join(marks)}"] if marks else []
    lines += [f"{len(job.hints[name]):,} {words}" for name, words in AGAIN.items() if job.hints.get(name)]
    left = [name for name, value in job.cursor.items() if name.endswith("_again") and value]
    lines += [f"{len(job.cursor[name].split()):,} that failed in the last run: tried again" for name in left]
    return lines or ["all that is there: nothing is known yet"] if not job.cursor else lines
