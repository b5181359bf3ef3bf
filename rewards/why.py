"""Why an author gets what they get: amount → credits → steps → the words themselves.

Works on published records alone (a round's snapshot, or the credit records of a release), never on the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from index.errors import UnknownName
from index.records import Author
from rewards.allocation import split
from rewards.counterfactual import counterfactuals
from rewards.identities import AuthorBook, handle_at_host
from rewards.ledger import Event
from rewards.money import NATIVE, format_amount
from rewards.verify import before_corrections, is_plain

ROLE_WORDS = {
    "first_said": "said it first",
    "amended": "amended it",
    "confirmed": "confirmed it",
    "liked": "was liked for it",
    "objected": "objected rightly",
    "asked": "asked what drew it out",
    "outcome": "reported how it went",
    "worked": "it worked for others",
    "supported": "stood up for all of it",
    "composed": "made it from other SOPs",
}


def why(
    book: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    author: str,
    uncredited: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Event] = (),
) -> dict[str, Any]:
    """Explain an author's share of a round (`book` is its snapshot) or their credit alone (`book` is credit records).

    `author` is a handle, handle@host or a full id; `events` are the round's, from the ledger. Amounts in the result are
    strings of base units; the credits' amounts sum to the author's exactly, and the lines of `waterfall` add up to it.
    Raises UsageError or UnknownName where `author` is not one author in the book.
    """
    snapshot: Mapping[str, Any]
    snapshot = book if isinstance(book, Mapping) else {"round": None, "credits": book, "uncredited": uncredited, "allocations": []}
    person = _find(snapshot, author)
    earned = [record for record in snapshot["credits"] if record["author"] == person.id]
    money = _money(snapshot, person.id)
    return {
        "author": person.id,
        "handle": handle_at_host(person) if person.source else person.handle,
        "round": snapshot["round"],
        "points": sum(record["points"] for record in earned),
        "of_points": sum(record["points"] for record in snapshot["credits"]),
        "money": money,
        "excluded": next((e["reason"] for e in snapshot.get("excluded", ()) if e["author"] == person.id), None),
        "waterfall": _waterfall(snapshot, person.id, money),
        "afterwards": _afterwards(events, person.id, money),
        "procedures": _by_procedure(earned, _amounts(earned, money)),
        "nothing_for": [
            {key: record[key] for key in ("procedure", "title", "step", "step_text", "why", "quote", "permalink", "created")}
            for record in snapshot["uncredited"]
            if record["author"] == person.id
        ],
        "otherwise": counterfactuals(snapshot, person.id) if snapshot["round"] else [],
    }


def _find(snapshot: Mapping[str, Any], text: str) -> Author:
    people = {
        record["author"]: Author(record["author"], record["source"], record["handle"])
        for record in (*snapshot["allocations"], *snapshot["credits"], *snapshot["uncredited"])
        if record.get("handle")
    }
    try:
        return AuthorBook(people.values()).find(text)
    except UnknownName as error:
        where = f"round {snapshot['round']['name']}" if snapshot["round"] else "the credits"
        raise UnknownName(f"author in {where}", text, [], f"{error.way_out}; who was never cited in an SOP earns nothing") from None


def _money(snapshot: Mapping[str, Any], author: str) -> dict[str, Any] | None:
    """How the amount came about; None outside a round or for who got no share."""
    share = next((a for a in snapshot["allocations"] if a["author"] == author), None)
    if share is None:
        return None
    total, budget = snapshot["totals"]["points"], int(snapshot["round"]["budget"])
    floor, remainder = divmod(share["points"] * budget, total or 1)
    shared = int(next((a["amount"] for a in before_corrections(snapshot)["allocations"] if a["author"] == author), "0"))
    payout = next((p for p in snapshot["payouts"] if author in p["authors"]), None)
    return {
        "amount": share["amount"],
        "state": share["state"],
        "address": share["address"],
        "team": share.get("team"),
        "members": snapshot["teams"][share["team"]] if share.get("team") else {},
        "share": str(shared),
        "corrections": [c for c in snapshot.get("corrections", ()) if c["author"] == author],
        "shared_with": [other for other in payout["authors"] if other != author] if payout else [],
        "points": share["points"],
        "of_points": total,
        "budget": str(budget),
        "floor": str(floor),
        "remainder": f"{remainder}/{total}",
        "rounded_up": shared > floor,
        "policy": _policy(snapshot, author),
    }


def _waterfall(snapshot: Mapping[str, Any], author: str, money: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """From the share by points alone to the amount, a line for each thing that changes it; the lines add up to the amount."""
    if money is None:
        return []
    lines, reached = [{"what": "by points alone, rounded down", "amount": money["floor"]}], int(money["floor"])
    for what, amount in (("rounding, by the largest remainder", reached + 1), ("the round's policy and limits", int(money["share"]))):
        by_rounding = what.startswith("rounding")
        if (money["policy"] is None and by_rounding and money["rounded_up"]) or (not by_rounding and amount != reached):
            lines.append({"what": what, "amount": str(amount - reached)})
            reached = amount
    for correction in money["corrections"]:
        change = int(correction["after"]) - int(correction["before"])
        lines.append({"what": f"{correction['kind']} {correction['ref']}", "amount": str(change)})
    return lines


def _afterwards(events: Sequence[Event], author: str, money: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """What became of the amount: claimed late, expired, not wanted, sent."""
    told = []
    own = {money["address"], *money["members"]} - {None} if money else set()
    for event in events:
        data, words = event.data, ""
        if data.get("author") == author and event.kind in ("share_released", "share_expired", "share_forfeited"):
            own |= {data.get("address")} if data.get("address") else set(data.get("members", ()))
            words = {"share_released": "claimed and released", "share_expired": "not claimed in time", "share_forfeited": "not wanted"}[
                event.kind
            ]
        if event.kind == "payout_paid" and own & set(data["addresses"]):
            words = f"sent to {', '.join(sorted(own & set(data['addresses'])))} in {data['tx']}"
        if words:
            told.append({"at": event.at, "what": words})
    return told


def _policy(snapshot: Mapping[str, Any], author: str) -> dict[str, Any] | None:
    """How the author's payee stood under the round's policy; None where shares are points' shares and nothing else."""
    if is_plain(snapshot):
        return None
    policy = snapshot["policy"]
    unit = next((unit for unit in policy["units"] if author in unit["accounts"]), None)
    votes = [vote for vote in policy["votes"] if unit and vote["author"] in unit["accounts"]]
    return {
        "terms": policy["terms"],
        "state": unit["state"] if unit else "no identity",
        "accounts": unit["accounts"] if unit else [author],
        "weight": unit["weight"] if unit else "0",
        "of_weight": str(sum(int(other["weight"]) for other in policy["units"])),
        "votes": votes,
    }


def _amounts(earned: Sequence[Mapping[str, Any]], money: Mapping[str, Any] | None) -> list[str | None]:
    """The amount that each credit brought: the author's, split by points by the same rule."""
    if money is None:
        return [None] * len(earned)
    parts = split({f"{place:09d}": record["points"] for place, record in enumerate(earned)}, int(money["amount"]))
    return [str(parts.get(f"{place:09d}", 0)) for place in range(len(earned))]


def _by_procedure(earned: Sequence[Mapping[str, Any]], amounts: Sequence[str | None]) -> list[dict[str, Any]]:
    """Procedures, then steps, in the records' order."""
    procedures: dict[str, dict[str, Any]] = {}
    for record, amount in zip(earned, amounts, strict=True):
        procedure = procedures.setdefault(
            record["procedure"], {"procedure": record["procedure"], "title": record["title"], "points": 0, "steps": {}}
        )
        step = procedure["steps"].setdefault(record["step"], {"step": record["step"], "text": record["step_text"], "credits": []})
        procedure["points"] += record["points"]
        kept = {key: record[key] for key in ("role", "points", "why", "post", "permalink", "created", "start", "end", "quote")}
        step["credits"].append({**kept, "amount": amount})
    return [{**procedure, "steps": list(procedure["steps"].values())} for procedure in procedures.values()]


# --- as text --------------------------------------------------------------------------------------------------------


def render_why(told: Mapping[str, Any]) -> str:
    """The explanation as plain text; quotes lose line breaks and invisible characters, the record keeps them."""
    unit = unit_of(told["round"])
    lines = [*head_lines(told), ""]
    for procedure in told["procedures"]:
        lines.append(f"SOP {procedure['procedure']}: {clean_words(procedure['title'])} ({procedure['points']:,} points)")
        for step in procedure["steps"]:
            lines.append(f"  step {step['step']}: {clean_words(step['text'])}")
            for credit in step["credits"]:
                lines += _credit_lines(credit, told["round"], unit)
        lines.append("")
    if told["nothing_for"]:
        lines.append("Earned nothing:")
        for entry in told["nothing_for"]:
            lines += [f"  {entry['procedure']} step {entry['step']}: {clean_words(entry['why'])}", *_quote_lines(entry)]
        lines.append("")
    lines += _otherwise_lines(told, unit)
    return "\n".join(lines).rstrip() + "\n"


def _otherwise_lines(told: Mapping[str, Any], unit: str) -> list[str]:
    if not told["otherwise"]:
        return []
    decimals = told["round"]["decimals"]
    lines = ["What would have changed it:"]
    for entry in told["otherwise"]:
        amount, difference = (format_amount(int(entry[key]), decimals) for key in ("amount", "difference"))
        lines.append(f"  {clean_words(entry['what'])}: {amount} {unit} ({'' if difference.startswith('-') else '+'}{difference})")
    return lines


def head_lines(told: Mapping[str, Any]) -> Iterable[str]:
    """What the explanation begins with: how much, where to, and how it comes about."""
    round_, money, unit = told["round"], told["money"], unit_of(told["round"])
    points = f"{told['points']:,} of {told['of_points']:,} points"
    if round_ is None:
        return [f"{clean_words(told['handle'])} has {points}."]
    if money is None:
        reason = f" Not eligible: {clean_words(told['excluded'])}." if told["excluded"] else ""
        return [f"{clean_words(told['handle'])} gets nothing in round {round_['name']}: {points}.{reason}"]
    decimals = round_["decimals"]
    amount, budget = (format_amount(int(money[key]), decimals) for key in ("amount", "budget"))
    rounding = "and one base unit more, by the largest remainder" if money["rounded_up"] else "rounded down to a base unit"
    fate = f"paid to {money['address']}" if money["state"] == "paid" else "held until an address is known (precipitate identity import)"
    if money["team"]:
        fate = f"paid to team {money['team']}: {', '.join(f'{address} × {weight}' for address, weight in money['members'].items())}"
    lines = [
        f"{clean_words(told['handle'])} gets {amount} {unit} in round {round_['name']}, {fate}.",
        f"That is {points} of the round's budget of {budget} {unit} (token {round_['token']}), {rounding}."
        if money["policy"] is None
        else _policy_line(money["policy"], points, f"{budget} {unit} (token {round_['token']})", decimals),
    ]
    if len(told["waterfall"]) > 1 and money["corrections"]:
        lines += ["It comes about like this:"]
        lines += [f"  {format_amount(int(line['amount']), decimals)} {unit}: {clean_words(line['what'])}" for line in told["waterfall"]]
    lines += [f"{entry['at'][:10]}: {clean_words(entry['what'])}." for entry in told["afterwards"]]
    if money["shared_with"]:
        lines.append(f"That address is also paid for {', '.join(money['shared_with'])}.")
    return lines


STATE_WORDS = {
    "shared": "",
    "capped": ", held down to the cap",
    "below floor": ", under the floor, so nothing",
    "no weight": ", which is no share",
    "no identity": ", but without a verified identity there is no share in this round",
}


def _policy_line(policy: Mapping[str, Any], points: str, budget: str, decimals: int) -> str:
    """How the share came about under a policy that does more than count points."""
    terms = policy["terms"]
    counted = [vote for vote in policy["votes"] if vote["aside"] is None]
    by = points if terms["policy"] == "proportional" else f"{len({vote['voter'] for vote in counted})} voters"
    weight, whole = int(policy["weight"]), int(policy["of_weight"])
    share = f"{weight * 10_000 // whole / 100:.2f} %" if whole else "nothing"
    tweaks = [f"{name} {format_amount(int(terms[name]), decimals)}" for name in ("cap", "floor") if int(terms[name] or 0)]
    tweaks += [f"tilt {terms['tilt_bp'] / 10_000:g}"] if terms["tilt_bp"] != 10_000 else []
    tweaks += [f"{terms['emission']} emission"] if terms["emission"] != "whole" else []
    rules = f" ({', '.join(tweaks)})" if tweaks else ""
    state = STATE_WORDS[policy["state"]]
    return f"The policy is {terms['policy']}{rules}: {by} give a weight of {share} of all{state}, of a budget of {budget}."


def _credit_lines(credit: Mapping[str, Any], round_: Mapping[str, Any] | None, unit: str) -> list[str]:
    amount = f" = {format_amount(int(credit['amount']), round_['decimals'])} {unit}" if round_ and credit["amount"] is not None else ""
    role = ROLE_WORDS.get(credit["role"], credit["role"])
    return [f"    {role}: {credit['points']:,} points{amount} ({clean_words(credit['why'])})", *_quote_lines(credit)]


def _quote_lines(record: Mapping[str, Any]) -> list[str]:
    return [f"      “{clean_words(record['quote'])}”", f"      {record['created'][:10]} {clean_words(record['permalink'])}"]


def unit_of(round_: Mapping[str, Any] | None) -> str:
    return "coins" if round_ and round_["token"] == NATIVE else "tokens"


def clean_words(text: str) -> str:
    """Strangers' words on a terminal: control, direction-changing and zero-width characters are not let through."""
    return " ".join("".join(c if c.isprintable() else " " if c.isspace() else "" for c in text).split())
