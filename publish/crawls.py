"""What crawling commands say: the runs so far, what would be asked, where a post came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from publish.text import clean, table, wrap


def render_runs(runs: Sequence[Mapping[str, Any]]) -> str:
    if not runs:
        return "No run yet.\n"
    rows = [["RUN", "STARTED", "FINISHED", "STATUS", "POSTS", "REQUESTS", "ERRORS"]]
    for run in runs:
        sources = run["counts"].get("crawl", {}).get("sources", [])
        sums = [sum(source.get(key) or 0 for source in sources) for key in ("posts", "requests")]
        errors = sum(source.get("error") is not None for source in sources)
        rows.append(
            [str(run["id"]), run["started"], run["finished"] or "", run["status"], *(f"{number:,}" for number in sums), str(errors)]
        )
    return table(rows)


def render_plan(plans: Sequence[Mapping[str, Any]]) -> str:
    if not plans:
        return "No source yet.\n"
    lines: list[str] = []
    for plan in plans:
        lines.append(f"{clean(plan['source'])} ({plan['kind']}): {clean(plan['reads'])}")
        if "at_most" in plan:
            lines += [f"  {clean(request)}" for request in plan["asks"]]
            for number, what in enumerate(plan["then"]):
                lines += wrap(clean(what), "  then " if not number else "   and ", "       ")
            hours = plan["at_most_seconds"] / 3600
            lines.append(
                f"  at most {plan['at_most']:,} requests in this run, one at a time and {plan['seconds_between']:g} s apart: {hours:,.1f} h"
            )
            lines += [f"  not before {until}: {clean(host)} asked for it" for host, until in plan["not_before"].items()]
            lines += wrap(f"error: {clean(plan['error'])}", "  ", "    ") if plan["error"] else []
    return "\n".join(lines) + "\n"


def render_provenance(told: Mapping[str, Any]) -> str:
    lines = [clean(told["post"])]
    if told["as_of_release"]:
        lines.append("  (as of the current release: somebody is writing)")
    for answer in told["answers"]:
        note = f", words taken out {answer['redacted']} times" if answer["redacted"] else ""
        lines += [f"  {answer['seen']}  {clean(answer['url'])}", f"    {answer['digest']}{note}"]
        lines.append(f"    .precipitate/raw/{clean(answer['file'])}, byte {answer['start']:,}, {answer['length']:,} bytes")
    for place in told["places"]:
        lines.append(f"  {clean(place['file'])}, {place['record']}" + (f"\n    {place['digest']}" if place["digest"] else ""))
    if told["archive"] and not told["places"]:
        lines.append(f"  it was read from the archive {clean(told['archive'])}, which is gone or holds it no more")
    if not told["answers"] and not told["archive"]:
        lines.append("  no raw answer is kept: it was taken back, or came by an answer that is not kept")
    return "\n".join(lines) + "\n"
