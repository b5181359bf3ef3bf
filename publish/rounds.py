"""What the commands of a round's life say, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from publish.text import clean, table, wrap

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
            lines.append("  by default: " + ", ".join(f"{key} {_shown(value)}" for key, value in sorted(program["defaults"].items())))
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return ", ".join(map(clean, value)) if isinstance(value, list) else clean(str(value))


def render_freeze(told: Mapping[str, Any], amount: Amount) -> str:
    round_ = told["round"]
    lines = [
        f"{round_['name']} is frozen: {told['credits']:,} credits of {told['authors']:,} authors, {told['votes']:,} votes",
        f"snapshot {told['root']}",
    ]
    if int(told["carried"]):
        carried, budget = (amount(int(text), round_["decimals"]) for text in (told["carried"], round_["budget"]))
        lines.append(f"earlier rounds of the program left {carried}: the budget is {budget}")
    if told["excluded"]:
        lines.append(f"{len(told['excluded'])} authors have no share by the round's rules:")
        lines += [line for author, reason in sorted(told["excluded"].items()) for line in wrap(f"{author}: {reason}", "  ", "    ")]
    return "\n".join(lines) + f"\nnext: precipitate round allocate {round_['name']}\n"


def render_life(snapshot: Mapping[str, Any], events: Sequence[Mapping[str, Any]], amount: Amount) -> str:
    """Where a round stands: its window, disputes, end, what was sent and what is still held. One event a line."""
    life, decimals = snapshot.get("life"), snapshot["round"]["decimals"]
    if life is None:
        return ""
    lines = [f"frozen as {life['frozen'][:19]}…, allocated {life['allocated_at']}, disputed until {life['window_ends']}"]
    if life["finalised_at"]:
        lines.append(f"final since {life['finalised_at']}, held shares are claimed until {life['claim_until']}")
    for entry in snapshot.get("excluded", []):
        lines += wrap(f"no share: {entry['handle']}: {entry['reason']}", "", "  ")
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
    "payout_paid": lambda e, amount: f"{amount(e['amount'])} sent to {len(e['addresses'])} addresses of batch {e['batch']} in {e['tx']}",
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
    return (
        f"{told['round']['name']} is final: {sums}\nmerkle root {told['merkle_root']}\n"
        f"held shares can be claimed until {told['claim_until']}: precipitate round settle {told['round']['name']}\n"
    )


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
    lines += [f"{told['round']} is {told['state']}: {'all well' if told['well'] else str(len(told['findings'])) + ' findings'}"]
    if told["state"] in ("allocated", "final") and not told["release_compared"]:
        lines.append("the release that it was made from is no longer kept here: credits were not compared with it")
    lines.append(f"{told['events']} events, head {told['head'] or '(none)'}: keep it, --head shows later that nothing was cut off")
    return "\n".join(lines) + "\n"


def render_teams(teams: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"{clean(name)}: {', '.join(f'{a} × {w}' for a, w in team['members'].items())}; paid for {', '.join(map(clean, team['accounts'])) or 'nobody'}"
        for name, team in sorted(teams.items())
    ]
    return "\n".join(lines or ["No team yet."]) + "\n"
