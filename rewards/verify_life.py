"""Check a round's life from its frozen snapshot, its ledger and its batches: nothing here imports the code that made them.

The ledger is replayed by a table of what may follow on what; roots, who is eligible, amounts after corrections, payees, sums and
what is still owed are worked out again. How the budget was shared out before corrections is checked by verify.py and
verify_policies.py. Findings in plain words; empty means that all holds.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Finding = str
Row = Mapping[str, Any]
Root = Callable[[Iterable[tuple[str, int]]], str | None]

# Kind of event → states in which it may happen, and the state after it (None: the same).
STEPS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "round_made": (("",), "new"),
    "round_opened": (("new",), "open"),
    "round_frozen": (("open", "frozen", "allocated"), "frozen"),
    "corrected": (("frozen", "allocated"), None),
    "round_allocated": (("frozen",), "allocated"),
    "dispute_raised": (("allocated",), None),
    "dispute_decided": (("allocated",), None),
    "payee": (("allocated",), None),
    "round_finalised": (("allocated",), "final"),
    "share_released": (("final",), None),
    "share_expired": (("final",), None),
    "share_forfeited": (("final",), None),
    "batch_made": (("final",), None),
    "payout_paid": (("final",), None),
}
CREDIT_KEYS = ("author", "procedure", "version_id", "step", "role", "points", "post", "created", "start", "end")
PARTS = ("round", "release", "posts", "terms", "rules", "votes", "identities", "teams", "team_accounts", "opted_out", "lists", "earlier")


def verify_life(snapshot: Row, frozen: Row, lines: Sequence[str], batches: Sequence[Row], root: Root) -> list[Finding]:
    """Everything about one round; `root` computes a merkle root over (address, amount)."""
    findings = verify_ledger(lines)
    if findings:
        return findings
    events = [json.loads(line) for line in lines]
    name = snapshot["round"]["name"]
    mine = [event for event in events if event["subject"] == name and event["kind"] in STEPS]
    findings = _anchor(snapshot, lines) + _order(mine, snapshot["round"]["state"])
    if findings:
        return findings
    findings = _frozen(snapshot, frozen, mine) + _carried(events, mine, name)
    findings += _eligible(snapshot, frozen) + _same(snapshot, frozen)
    findings += _amounts(snapshot, frozen, mine) + _payees(snapshot, frozen, events, mine)
    return findings + _outcome(snapshot, mine, root) + _held(snapshot, mine, batches, root) + _sent(snapshot, mine, batches)


# --- the chain ------------------------------------------------------------------------------------------------------


def verify_ledger(lines: Sequence[str]) -> list[Finding]:
    """Every line holds the hash of the one before, counts on, and is written in the one way; times never go back."""
    before, at = "", ""
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        if _canonical(event) != line or event["schema"] != "precipitate/ledger/1":
            return [f"line {number} of the ledger is not written as it should be"]
        if event["prev"] != before or event["seq"] != number:
            return [f"line {number} of the ledger does not follow on the one before: it was changed, moved or left out"]
        if event["at"] < at:
            return [f"line {number} of the ledger is of {event['at']}, the one before of {at}"]
        before, at = hashlib.sha256(line.encode()).hexdigest(), event["at"]
    return []


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _anchor(snapshot: Row, lines: Sequence[str]) -> list[Finding]:
    """The round was published with the hash of the ledger's last line then: that line has to be there still."""
    kept = snapshot["life"]["ledger"]
    found = hashlib.sha256(lines[kept["seq"] - 1].encode()).hexdigest() if 0 < kept["seq"] <= len(lines) else "nothing"
    return (
        []
        if found == kept["hash"]
        else [f"line {kept['seq']} of the ledger has the hash {found}, the round says {kept['hash']}: it was written anew"]
    )


def _order(mine: Sequence[Row], told: str) -> list[Finding]:
    """Only what may follow; windows and deadlines are kept; every dispute is decided once before the end."""
    state, ends, until = "", "", ""
    disputes: dict[str, bool] = {}
    for event in mine:
        kind, data, at = event["kind"], event["data"], event["at"]
        allowed, after = STEPS[kind]
        where = f"line {event['seq']} of the ledger"
        if state not in allowed:
            return [f"{where}: {kind} of a round that is {state or 'not made yet'}"]
        if kind == "round_frozen":
            if (state != "open") != bool(data["again"]):
                return [f"{where}: the round was frozen again without a reason"]
            disputes = {}
        if kind == "round_allocated":
            ends = data["window_ends"]
        if kind == "dispute_raised":
            if at > ends:
                return [f"{where}: a dispute after the window closed at {ends}"]
            disputes[data["dispute"]] = False
        if kind == "dispute_decided":
            if disputes.get(data["dispute"], True):
                return [f"{where}: {data['dispute']} is no open dispute"]
            disputes[data["dispute"]] = True
        if kind == "corrected" and data["kind"] == "dispute" and not disputes.get(data["ref"], False):
            return [f"{where}: a correction by dispute {data['ref']}, which was not decided"]
        if kind == "round_finalised":
            if at < ends or not all(disputes.values()):
                return [f"{where}: final inside the window, or with open disputes"]
            until = data["claim_until"]
        if kind == "share_expired" and at <= until:
            return [f"{where}: a share expired before the deadline {until}"]
        state = after or state
    return [] if state == told else [f"the round says that it is {told}, the ledger that it is {state}"]


# --- the frozen snapshot --------------------------------------------------------------------------------------------


def _sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _last(mine: Sequence[Row], kind: str) -> Row | None:
    return next((event for event in reversed(mine) if event["kind"] == kind), None)


def _frozen(snapshot: Row, frozen: Row, mine: Sequence[Row]) -> list[Finding]:
    """Its parts have the roots that the ledger keeps, and settings are those that the round was made with."""
    made, event = mine[0]["data"], (_last(mine, "round_frozen") or {})["data"]
    roots = {part: _sha(_canonical(frozen[part])) for part in PARTS}
    for part in ("credits", "uncredited"):
        roots[part] = _sha("".join(_canonical({key: record[key] for key in CREDIT_KEYS}) + "\n" for record in frozen[part]))
    findings = [
        f"{part} of the frozen snapshot are not those of the ledger" for part in sorted(roots) if roots[part] != event["roots"].get(part)
    ]
    if (
        frozen["roots"] != roots
        or _sha(_canonical(roots)) != event["root"]
        or snapshot["life"]["frozen"] != event["root"]
        or frozen["root"] != event["root"]
    ):
        findings.append("the root of the frozen snapshot is not that of the ledger and of the round")
    findings += [
        f"the {part} of the frozen snapshot are not those that the round was made with"
        for part in ("terms", "rules")
        if frozen[part] != made[part]
    ]
    if snapshot["life"]["rules"] != made["rules"] or snapshot["life"]["program"] != made["program"]:
        findings.append("the round tells other rules or another program than it was made with")
    findings += [
        f"the round's {key} is not {made[key]!r}, as it was made"
        for key in ("name", "token", "decimals", "policy", "created")
        if not made[key] == frozen["round"][key] == snapshot["round"][key]
    ]
    if not event["budget"] == frozen["round"]["budget"] == snapshot["round"]["budget"]:
        findings.append(f"the budget is {snapshot['round']['budget']}, the ledger says {event['budget']}")
    if int(event["budget"]) != int(made["budget"]) + int(event["carried"]):
        findings.append(f"the budget {event['budget']} is not {made['budget']} and the {event['carried']} of earlier rounds")
    if event["release"] != frozen["release"] or snapshot["release"] != frozen["release"]:
        findings.append("the round, its frozen snapshot and the ledger name different releases")
    return findings


def _carried(events: Sequence[Row], mine: Sequence[Row], name: str) -> list[Finding]:
    """What the round took from its program is what other final rounds of it had put by and none had taken, at that line."""
    program, freeze = mine[0]["data"]["program"], _last(mine, "round_frozen") or {}
    if program is None:
        return [] if freeze["data"]["carried"] == "0" else ["a round of no program took money from earlier ones"]
    others: dict[str, dict[str, Any]] = {}
    for event in events[: freeze["seq"] - 1]:
        kind, data, subject = event["kind"], event["data"], event["subject"]
        if kind == "round_made" and data["program"] == program and subject != name:
            others[subject] = {"put": 0, "took": 0, "final": False}
        book = others.get(subject)
        if book is None:
            continue
        if kind == "round_frozen":
            book.update(put=0, took=int(data["carried"]))
        elif kind == "round_finalised":
            book["final"] = True
        elif kind == "corrected" and data["goes_to"] == "next":
            book["put"] += int(data["before"]) - int(data["after"])
        elif kind in ("share_expired", "share_forfeited") and data["goes_to"] == "next":
            book["put"] += int(data["amount"])
    pot = sum(book["put"] for book in others.values() if book["final"]) - sum(book["took"] for book in others.values())
    return (
        [] if pot == int(freeze["data"]["carried"]) else [f"the round took {freeze['data']['carried']} from its program, which had {pot}"]
    )


def _points(frozen: Row) -> dict[str, int]:
    points: defaultdict[str, int] = defaultdict(int)
    for record in frozen["credits"]:
        points[record["author"]] += record["points"]
    return {author: count for author, count in points.items() if count}


def _eligible(snapshot: Row, frozen: Row) -> list[Finding]:
    """Exactly those are excluded whom the rules leave out."""
    rules, points = frozen["rules"], _points(frozen)
    had = {other["round"]: {a for a, amount in other["amounts"].items() if int(amount)} for other in frozen["earlier"]}

    def most(kind: str, author: str) -> int:
        team = frozen["teams"].get(frozen["team_accounts"].get(author), {})
        addresses = [frozen["identities"][author]] if author in frozen["identities"] else list(team)
        return max((int(frozen["lists"][kind].get(account, -1)) for account in (author, *addresses)), default=-1)

    def allowed(author: str) -> bool:
        listed = all(rules[kind] is None or most(kind, author) >= int(rules[kind]) for kind in ("stamps", "stake"))
        before = all(author in had[name] for name in rules["paid_in"]) and not any(author in had[name] for name in rules["not_paid_in"])
        return listed and before and not (rules["forfeited"] == "others" and author in frozen["opted_out"])

    should = {author for author in points if not allowed(author)}
    told = {entry["author"]: entry["points"] for entry in snapshot["excluded"]}
    findings = [
        f"{author} {'is' if author in told else 'is not'} excluded, the rules say otherwise" for author in sorted(should ^ told.keys())
    ]
    return findings + [
        f"{author} has {points[author]} points, not {told[author]}"
        for author in sorted(should & told.keys())
        if told[author] != points[author]
    ]


def _same(snapshot: Row, frozen: Row) -> list[Finding]:
    """The round publishes what was frozen: credits, votes, identities, earlier rounds."""
    findings = []
    for part in ("credits", "uncredited"):
        mine, theirs = ([{key: record[key] for key in CREDIT_KEYS} for record in rows[part]] for rows in (snapshot, frozen))
        if mine != theirs:
            findings.append(f"the round's {part} are not the frozen ones")
    own = snapshot.get("weights")
    if (own and own["weights"]) != frozen["terms"].get("weights"):
        findings.append("the round's own weights of credit are not the frozen ones")
    policy = snapshot.get("policy")
    if policy is None:
        return findings
    persons = frozen["identities"] | {account: f"team:{team}" for account, team in frozen["team_accounts"].items()}
    verified = frozen["terms"]["verified"]
    findings += [
        f"payee {unit['name']} has accounts of others"
        for unit in policy["units"]
        if any((persons.get(account) if verified else account) != unit["name"] for account in unit["accounts"])
    ]
    if policy["terms"] != frozen["terms"]:
        findings.append("the round's terms are not the frozen ones")
    if [{key: value for key, value in vote.items() if key != "aside"} for vote in policy["votes"]] != frozen["votes"]:
        findings.append("the round's votes are not the frozen ones")
    if any(persons.get(account) != person for account, person in policy["persons"].items()):
        findings.append("the round's persons are not those of the frozen identities")
    frozen_earlier = {other["round"]: other for other in frozen["earlier"]}
    for other in policy["earlier"]:
        known = frozen_earlier.get(other["round"], {"points": {}, "amounts": {}})
        if any(other[key].get(a) != known[key].get(a) for key in ("points", "amounts") for a in other[key]):
            findings.append(f"what round {other['round']} gave is not as it was frozen")
    return findings


# --- amounts and payees ---------------------------------------------------------------------------------------------


def _amounts(snapshot: Row, frozen: Row, mine: Sequence[Row]) -> list[Finding]:
    """The corrections are the ledger's, and the amounts at each stage have the hash that it keeps; nobody is over the cap."""
    since = max(place for place, event in enumerate(mine) if event["kind"] == "round_frozen")
    logged = [event["data"] for event in mine[since:] if event["kind"] == "corrected"]
    findings = [] if logged == list(snapshot["corrections"]) else ["the round's corrections are not those of the ledger"]
    amounts = {a["author"]: int(a["amount"]) for a in snapshot["allocations"]}
    for correction in reversed(snapshot["corrections"]):
        amounts[correction["author"]] = int(correction["before"])
    for event in mine[since:]:
        if event["kind"] == "corrected":
            amounts[event["data"]["author"]] = int(event["data"]["after"])
        if event["kind"] in ("round_allocated", "round_finalised"):
            lines = "".join(f"{account} {amount}\n" for account, amount in sorted(amounts.items()) if amount)
            if _sha(lines) != event["data"]["amounts"]:
                findings.append(f"the amounts are not those of line {event['seq']} of the ledger")
    findings += _over_cap(snapshot, frozen, amounts)
    return findings + _by_rule(frozen, logged)


def _over_cap(snapshot: Row, frozen: Row, amounts: Mapping[str, int]) -> list[Finding]:
    cap, floor = frozen["terms"]["cap"], int(frozen["terms"]["floor"])
    persons = frozen["identities"] | {account: f"team:{team}" for account, team in frozen["team_accounts"].items()}
    units: defaultdict[str, int] = defaultdict(int)
    for author, amount in amounts.items():
        units[persons.get(author, author) if frozen["terms"]["verified"] else author] += amount
    corrected = {c["author"] for c in snapshot["corrections"]}
    under = [unit for unit, amount in units.items() if 0 < amount < floor and not corrected]
    over = [unit for unit, amount in units.items() if cap is not None and amount > int(cap)]
    return [f"{unit} gets {units[unit]}, over the cap of {cap}" for unit in sorted(over)] + [
        f"{unit} gets less than the floor" for unit in sorted(under)
    ]


def _by_rule(frozen: Row, logged: Sequence[Row]) -> list[Finding]:
    """What opt-outs and deletions took is all of it, or the post's part, and goes where the rules say."""
    rules, findings = frozen["rules"], []
    to = "next" if rules["forfeited"] == "next" else "residual"
    earned: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for record in frozen["credits"]:
        earned[record["author"]][record["post"]] = earned[record["author"]].get(record["post"], 0) + record["points"]
    for correction in logged:
        author, before, after = correction["author"], int(correction["before"]), int(correction["after"])
        if correction["kind"] == "opted out" and (after or correction["goes_to"] != to):
            findings.append(f"{author} opted out and keeps {after}, or it goes elsewhere than the rules say")
        if correction["kind"] == "deleted":
            part, whole = earned[author].pop(correction["ref"], 0), sum(earned[author].values())
            quota = before * part - (before - after) * (part + whole)  # how far the part is off, in 1/(part+whole) of a unit
            if rules["deleted"] != "forfeit" or correction["goes_to"] != to or not part or abs(quota) >= part + whole:
                findings.append(f"what {correction['ref']} earned {author} was taken otherwise than the rules say")
    return findings


def _payees(snapshot: Row, frozen: Row, events: Sequence[Row], mine: Sequence[Row]) -> list[Finding]:
    """Everybody is paid where the frozen snapshot says, or where a payee event of the ledger says since then."""
    where = {author: (address, None) for author, address in frozen["identities"].items()}
    where |= {author: (None, team) for author, team in frozen["team_accounts"].items()}
    token = str(snapshot["round"]["token"]).lower()
    swallowed = {author for author, (address, _) in where.items() if address and address.lower() == token}
    where = {author: payee for author, payee in where.items() if author not in swallowed}
    findings = []
    since = max(place for place, event in enumerate(mine) if event["kind"] == "round_frozen")
    for event in mine[since:]:
        if event["kind"] == "payee":
            data = event["data"]
            if where.get(data["author"], (None, None)) != (data["address_before"], data["team_before"]):
                findings.append(f"line {event['seq']} of the ledger changes a payee from where they were not paid")
            where[data["author"]] = (data["address"], data["team"])
    findings += [
        f"{a['author']} is paid at {a['address'] or a.get('team')}, the snapshot and the ledger say {where.get(a['author'])}"
        for a in snapshot["allocations"]
        if (a["address"], a.get("team")) != where.get(a["author"], (None, None))
    ]
    return findings + _teams(snapshot, frozen, events, mine)


def _teams(snapshot: Row, frozen: Row, events: Sequence[Row], mine: Sequence[Row]) -> list[Finding]:
    """Weights are the frozen ones; of a final round, those that the ledger had by then."""
    known, final = dict(frozen["teams"]), _last(mine, "round_finalised")
    for event in events[: final["seq"]] if final else ():
        if event["kind"] == "team_set":
            known[event["subject"]] = event["data"]["members"]
    return [
        f"team {name} has other members than the ledger says"
        for name, members in snapshot.get("teams", {}).items()
        if known.get(name) != members
    ]


def _outcome(snapshot: Row, mine: Sequence[Row], root: Root) -> list[Finding]:
    """Sums and root are those of the last allocation or of the end, as the ledger keeps them."""
    last = next(event for event in reversed(mine) if event["kind"] in ("round_allocated", "round_finalised"))
    found = root((payout["address"], int(payout["amount"])) for payout in snapshot["payouts"])
    after = mine[mine.index(last) :]
    if any(event["kind"] == "corrected" for event in after):
        return []  # decided since then; the next stage will be compared
    told = {**{key: snapshot["totals"][key] for key in ("paid", "held", "residual")}, "merkle_root": found}
    findings = [
        f"{key} is {told[key]}, line {last['seq']} of the ledger says {last['data'][key]}" for key in told if told[key] != last["data"][key]
    ]
    life = {"allocated_at": _last(mine, "round_allocated"), "finalised_at": _last(mine, "round_finalised")}
    findings += [
        f"the round's {key} is not the ledger's" for key, event in life.items() if snapshot["life"][key] != (event["at"] if event else None)
    ]
    final = life["finalised_at"]
    ends = (life["allocated_at"] or {})["data"]["window_ends"], final["data"]["claim_until"] if final else None
    if (snapshot["life"]["window_ends"], snapshot["life"]["claim_until"]) != ends:
        findings.append("the round tells another window or deadline than the ledger")
    return findings


# --- after the end --------------------------------------------------------------------------------------------------


def _held(snapshot: Row, mine: Sequence[Row], batches: Sequence[Row], root: Root) -> list[Finding]:
    """Only held shares are released, expire or are forfeited, each once and whole; each batch pays what was released in it."""
    held = {a["author"]: int(a["amount"]) for a in snapshot["allocations"] if a["state"] == "held" and int(a["amount"])}
    findings, due = [], dict[int, dict[str, int]]()
    for event in mine:
        data = event["data"]
        if event["kind"] not in ("share_released", "share_expired", "share_forfeited"):
            continue
        if held.pop(data["author"], None) != int(data["amount"]):
            findings.append(f"line {event['seq']} of the ledger deals with a share of {data['author']} that is not held")
        if event["kind"] == "share_released":
            pay = due.setdefault(data["batch"], {})
            for address, part in (
                _split(data["members"], int(data["amount"])) if data["team"] else {data["address"]: int(data["amount"])}
            ).items():
                pay[address] = pay.get(address, 0) + part
    made = {event["data"]["batch"]: event["data"] for event in mine if event["kind"] == "batch_made"}
    files = {batch["batch"]: batch for batch in batches}
    for number in sorted(due.keys() | made.keys() | files.keys()):
        pay = {address: amount for address, amount in due.get(number, {}).items() if amount}
        told = made.get(number, {"merkle_root": None, "amount": "0", "payouts": 0})
        if (root(pay.items()), str(sum(pay.values())), len(pay)) != (told["merkle_root"], told["amount"], told["payouts"]):
            findings.append(f"batch {number} is not what was released in it")
        if number not in files:
            findings.append(f"the file of batch {number} is missing")
        elif {p["address"]: p["amount"] for p in files[number]["payouts"]} != {a: str(amount) for a, amount in pay.items()} or files[
            number
        ]["merkle_root"] != told["merkle_root"]:
            findings.append(f"the file of batch {number} pays otherwise than the ledger says")
    return findings


def _split(weights: Mapping[str, int], amount: int) -> dict[str, int]:
    """By weight, rounded down; what is left over goes to the largest remainders, ties by address."""
    total = sum(weights.values())
    parts = {address: amount * weight // total for address, weight in weights.items()}
    for address in sorted(weights, key=lambda a: (-(amount * weights[a] % total), a))[: amount - sum(parts.values())]:
        parts[address] += 1
    return parts


def _sent(snapshot: Row, mine: Sequence[Row], batches: Sequence[Row]) -> list[Finding]:
    """Nothing is marked as sent twice, nor what is not due."""
    due = {(1, payout["address"]): int(payout["amount"]) for payout in snapshot["payouts"]}
    due |= {(batch["batch"], payout["address"]): int(payout["amount"]) for batch in batches for payout in batch["payouts"]}
    findings = []
    for event in (event for event in mine if event["kind"] == "payout_paid"):
        data = event["data"]
        amounts = [due.pop((data["batch"], address), None) for address in data["addresses"]]
        if None in amounts or sum(amount or 0 for amount in amounts) != int(data["amount"]):
            findings.append(f"line {event['seq']} of the ledger marks a payout as sent that is not due, or was sent before")
    return findings
