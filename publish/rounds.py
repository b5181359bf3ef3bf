"""What the commands of a round's life say, as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from index.counted import counted
from publish.report import render_round_line
from publish.text import clean, table, wrap

NAMED = 8  # people whom a line names
Amount = Callable[[int, int], str]  # base units and decimals → a decimal


def render_programs(programs: Sequence[Mapping[str, Any]], amount: Amount) -> str:
    if not programs:
        return "No program yet.\n"
    lines = []
    for program in programs:
        pot = int(program["pot"])
        lines.append(
            f"{clean(program['name'])}: token {program['token']}, rounds {', '.join(program['rounds']) or 'none yet'}"
            + (f", {amount(pot, program['decimals'])} left to the next round" if pot else "")
        )
        if program["defaults"]:
            lines.append(_by_default(program["defaults"]))
    return "\n".join(lines) + "\n"


def render_program(made: Mapping[str, Any]) -> str:
    defaults, name = json.loads(made["defaults"]), clean(made["name"])
    lines = [f"made program {name}, token {made['token']}", *([_by_default(defaults)] if defaults else [])]
    return "\n".join([*lines, f"next: precipitate round new r1 --program {name} --budget 10000"]) + "\n"


def _by_default(defaults: Mapping[str, Any]) -> str:
    return "  by default: " + ", ".join(f"{key.replace('_', '-')} {_shown(value)}" for key, value in sorted(defaults.items()))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):  # weights of credit
        return "of its own"
    return ", ".join(map(clean, value)) if isinstance(value, list) else clean(str(value))


def render_freeze(told: Mapping[str, Any], amount: Amount) -> str:
    round_ = told["round"]
    lines = [
        f"{round_['name']} is frozen: {counted(told['credits'], 'credit')} of {counted(told['authors'], 'author')}, {counted(told['votes'], 'vote')}",
        f"snapshot {told['root']}",
    ]
    if int(told["carried"]):
        carried, budget = (amount(int(text), round_["decimals"]) for text in (told["carried"], round_["budget"]))
        lines.append(f"earlier rounds of the program left {carried}: the budget is {budget}")
    if told["excluded"]:
        lines.append(f"no share by the round's rules: {counted(len(told['excluded']), 'author')}")
        lines += _by_reason((told["handles"].get(author, author), reason) for author, reason in sorted(told["excluded"].items()))
    return "\n".join(lines) + f"\nnext: precipitate round allocate {round_['name']}\n"


def _by_reason(entries: Iterable[tuple[str, str]]) -> list[str]:
    """A reason with whom it concerns, most people first; the names of the first NAMED."""
    found: dict[str, list[str]] = {}
    for name, reason in entries:
        found.setdefault(reason, []).append(name)
    lines: list[str] = []
    for reason, names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        lines += wrap(f"{reason}: {', '.join(names[:NAMED])}{more}", "  ", "    ")
    return lines


def render_waiting(told: Mapping[str, Any], rules: Sequence[str], amount: Amount) -> str:
    """A round that is not allocated yet: what it is, by which rules, and what comes next."""
    lines = [render_round_line(told["round"], amount).rstrip()]
    lines += [f"  of program {clean(told['program'])}"] if told["program"] else []
    lines += [f"  {line}" for line in rules]
    lines += [f"frozen as {told['frozen'][:19]}…"] if told["frozen"] else []
    lines += [f"no share by the round's rules: {counted(len(told['excluded']), 'author')}"] if told["excluded"] else []
    return "\n".join([*lines, clean(told["next"])]) + "\n"


def render_life(snapshot: Mapping[str, Any], events: Sequence[Mapping[str, Any]], amount: Amount) -> str:
    """Where a round stands: its window, disputes, end, what was sent and what is still held. One event a line."""
    life, decimals = snapshot.get("life"), snapshot["round"]["decimals"]
    if life is None:
        return ""
    lines = [f"frozen as {life['frozen'][:19]}…, allocated {life['allocated_at']}, disputed until {life['window_ends']}"]
    if life["finalised_at"]:
        lines.append(f"final since {life['finalised_at']}, held shares are claimed until {life['claim_until']}")
    out = snapshot.get("excluded", [])
    lines += [f"no share by the round's rules: {counted(len(out), 'author')}"] if out else []
    lines += _by_reason((entry["handle"], entry["reason"]) for entry in out)
    for event in events:
        words = EVENTS.get(event["kind"])
        if words:
            lines += wrap(f"{event['at']} {words(event['data'], lambda text: amount(int(text), decimals))}", "", "  ")
    return "\n".join(lines) + "\n"


EVENTS: dict[str, Callable[[Mapping[str, Any], Callable[[str], str]], str]] = {
    "dispute_raised": lambda e, amount: (
        f"dispute {e['dispute']} by {e['author']}: {e['reason']}" + (f" (evidence: {', '.join(e['evidence'])})" if e["evidence"] else "")
    ),
    "dispute_decided": lambda e, amount: f"dispute {e['dispute']} {e['outcome']}: {e['reason']}",
    "corrected": lambda e, amount: f"{e['author']}: {amount(e['before'])} → {amount(e['after'])} ({e['kind']} {e['ref']})",
    "payee": lambda e, amount: f"{e['author']} is paid at {e['address'] or e['team'] or 'no address'} ({e['origin'] or 'no identity'})",
    "share_released": lambda e, amount: f"{e['author']}: {amount(e['amount'])} released to {e['address'] or e['team']}, batch {e['batch']}",
    "share_expired": lambda e, amount: f"{e['author']}: {amount(e['amount'])} not claimed in time, goes to the {_destination(e)}",
    "share_forfeited": lambda e, amount: f"{e['author']}: {amount(e['amount'])} not wanted, goes to the {_destination(e)}",
    "payout_paid": lambda e, amount: (
        f"{amount(e['amount'])} sent to {counted(len(e['addresses']), 'address', 'addresses')} of batch {e['batch']} in {e['tx']}"
    ),
    "words_erased": lambda e, amount: f"the words of {', '.join(e['posts'])} were taken out: deleted at the source",
}


def _destination(data: Mapping[str, Any]) -> str:
    return "next round" if data["goes_to"] == "next" else "rest"


def render_dispute(told: Mapping[str, Any]) -> str:
    return f"{told['id']} is open: {clean(told['author'])}: {clean(told['reason'])}\nnext: precipitate round decide {told['id'].rpartition('-d')[0]} {told['id']}\n"


def render_final(told: Mapping[str, Any], amount: Amount) -> str:
    decimals = told["round"]["decimals"]
    sums = ", ".join(
        f"{amount(int(told[key]), decimals)} {word}" for key, word in (("paid", "paid"), ("held", "held"), ("residual", "left over"))
    )
    name = told["round"]["name"]
    root = f"merkle root {told['merkle_root']}" if told["merkle_root"] else "no merkle root: nobody is paid yet"
    held = f"held shares can be claimed until {told['claim_until']}: precipitate round settle {name}\n" if int(told["held"]) else ""
    return f"{name} is final: {sums}\n{root}\n{held}"


def render_settled(name: str, told: Mapping[str, Any], decimals: int, amount: Amount) -> str:
    rows = [["AUTHOR", "AMOUNT", "WHAT"]]
    for key, word in (("released", "released"), ("expired", "expired"), ("forfeited", "not wanted")):
        for a in told[key]:
            what = f"{word} to {a['address'] or a['team']}" if key == "released" else word
            rows.append([clean(a["author"]), amount(int(a["amount"]), decimals), what])
    lines = table(rows, right=frozenset({1})) if len(rows) > 1 else "nothing changed\n"
    more = f"next: precipitate export payouts --round {name} --batch {told['batch']}\n" if told["batch"] else ""
    return f"{lines}{amount(int(told['held']), decimals)} still held\n{more}"


def render_audit(told: Mapping[str, Any]) -> str:
    lines = [f"FINDING {clean(finding)}" for finding in told["findings"]]
    lines += [f"{told['round']} is {told['state']}: {'all well' if told['well'] else counted(len(told['findings']), 'finding')}"]
    if told["state"] in ("allocated", "final") and not told["release_compared"]:
        lines.append("the release that it was made from is no longer kept here: credits were not compared with it")
    lines.append(
        f"{counted(told['events'], 'event')}, head {told['head'] or '(none)'}: keep it, --head shows later that nothing was cut off"
    )
    return "\n".join(lines) + "\n"


def render_teams(teams: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"{clean(name)}: {', '.join(f'{a} × {w}' for a, w in team['members'].items())}; paid for {', '.join(map(clean, team['accounts'])) or 'nobody'}"
        for name, team in sorted(teams.items())
    ]
    return "\n".join(lines or ["No team yet."]) + "\n"
