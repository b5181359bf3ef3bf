"""Trust, flags, outcomes and composed SOPs as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from publish.text import clean, wrap


def render_seeds(told: Mapping[str, Any]) -> str:
    head = "Seeds named here:" if told["chosen"] else "No seeds named (precipitate trust seed add ACCOUNT); the default takes:"
    lines = [f"  {clean(seed['handle'])}  weight {seed['weight']}  {clean(seed['note'])}".rstrip() for seed in told["seeds"]]
    return "\n".join([head, *(lines or ["  nobody: every voice counts fully"])]) + "\n"


def render_added_seed(told: Mapping[str, Any]) -> str:
    lines = [f"{clean(told['author'])} is a seed of weight {told['weight']}"]
    if told["no_longer"]:
        names = clean(", ".join(told["no_longer"]))
        lines += wrap(f"no seed any more, since seeds are named now: {names}; name those that you want to keep", "", "  ")
    return "\n".join([*lines, "next: precipitate run"]) + "\n"


def render_trust(told: Mapping[str, Any]) -> str:
    """Most trusted first; only accounts that somebody who is trusted stands behind."""
    if told["levels"] is None:
        return "No seeds: nothing is known of anybody, and every voice counts fully.\n"
    lines = [f"{row['level_bp'] / 100:6.1f} %  {clean(row['handle'])}{'  seed' if row['seed'] else ''}" for row in told["levels"]]
    return "\n".join([f"{len(lines)} accounts are trusted, {told['edges']} pairs of them endorse each other one way:", *lines]) + "\n"


def render_flags(told: Mapping[str, Any]) -> str:
    lines = [f"{told['accounts']:,} accounts, {told['endorsements']:,} endorsements looked at: {len(told['flags'])} flags."]
    lines += ["A flag is for a person to look at: it changes no credit."] if told["flags"] else []
    for flag in told["flags"]:
        more = f" and {len(flag['handles']) - 8} more" if len(flag["handles"]) > 8 else ""
        lines += ["", f"{flag['kind']}: {clean(', '.join(flag['handles'][:8]))}{more}", f"  {clean(flag['why'])}"]
        lines += [f"  {clean(row['permalink'] or row['post'])}" for row in flag["evidence"]]
    return "\n".join(lines) + "\n"


def render_new_outcome(told: Mapping[str, Any], file: str) -> str:
    return (
        f"1. sign {file} exactly as it is, without a line end: by {told['outcome']['by']}\n"
        f"2. precipitate outcome verify {file} --signature 0x…\n"
    )


def render_taken(told: Mapping[str, Any]) -> str:
    step = f"step {told['step']} of " if told["step"] else ""
    return f"{told['id'][:20]} taken: {step}{told['procedure']} {told['result']}, says {told['by']}\n"


def render_outcomes(told: Mapping[str, Any]) -> str:
    lines = [_outcome_line(row) for row in told["outcomes"]] or ["No outcome yet."]
    lines += [f"head {told['head']}"] if told["head"] else []
    return "\n".join([*(f"FINDING {clean(finding)}" for finding in told["findings"]), *lines]) + "\n"


def _outcome_line(row: Mapping[str, Any]) -> str:
    step = f" step {row['step']}" if row["step"] else ""
    note = f"  “{clean(row['note'])}”" if row["note"] else ""
    return f"{row['at'][:10]}  {row['procedure']}{step}  {row['result']:6}  {row['by']}{note}"


def render_composed(record: Mapping[str, Any]) -> str:
    steps: Sequence[Mapping[str, Any]] = record["steps"]
    came = record["generator"]["composed"]["steps"]
    lines = [f"{record['id']}: {clean(record['title'])} ({len(steps)} steps)"]
    lines += [f"{step['n']:3}. {clean(step['text'])}  [{sop} step {n}]" for step, (sop, n) in zip(steps, came, strict=True)]
    return "\n".join([*lines, "next: precipitate run"]) + "\n"


def render_links(told: Mapping[str, Any]) -> str:
    """Who is linked with what, the strength first; then what several accounts point at."""
    if not told["links"]:
        return "No links: no network that was read says who is who.\n"
    lines = []
    for row in told["links"]:
        said = f"  ({clean(row['via'])}, {row['told'][:10]}: {clean(row['evidence'])})"
        lines.append(
            f"{row['strength']:8} {clean(row['handle'])} → {row['kind']} {clean(row['target'])}{'  accepted' if row['accepted'] else ''}{said}"
        )
    for row in told["shared"]:
        accounts = ", ".join(f"{clean(one['handle'])} ({one['strength']})" for one in row["accounts"])
        lines.append(f"shared   {row['kind']} {clean(row['target'])}: {accounts}")
    return "\n".join(lines) + "\n"


def render_scores(told: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"{row['score_bp'] / 100:6.1f} %  {clean(row['handle'])}  {row['kind']}: {clean(row['subject'])}  ({clean(row['origin'])})"
        for row in told
    ]
    return "\n".join(lines or ["No identity scores."]) + "\n"
