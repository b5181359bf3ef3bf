"""What a round is allocated from: credits, votes, payees, terms and rules as they stood when it was frozen, with their roots.

Nothing that happens to the forum afterwards changes it. The roots cover everything but people's words (quotes, step texts,
titles, handles): what an author takes back can so be taken out of the file, and the roots still hold. Whether quotes are
the posts' words is checked against the release that the snapshot names, and by `round audit` against the store.
rewards/verify_life.py computes the roots again without this file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from index import tables_evidence, tables_rounds
from index import tables_rewards as tables
from index.errors import StoreError
from index.records import Identity, Round
from index.snapshot import post_rows
from index.store import Store, canonical_json
from index.workspace import Workspace
from rewards import eligibility
from rewards.allocation import Team
from rewards.credit import Earned
from rewards.limits import Earlier
from rewards.policies import Ballot, Inputs, Terms, read_terms, terms_value
from rewards.rules import Rules, read_rules, rules_value
from rewards.teams import TEAM, teams_of

FROZEN_SCHEMA = "precipitate/frozen/1"
PASSPORT_PASSING = 20  # the score that Passport calls passing
FOLDER = "frozen"  # in the folder of rounds
# Of a credit record: what its root covers. A version's id is a hash over its words, so these are fixed by it, too.
HASHED = ("author", "procedure", "version_id", "step", "role", "points", "post", "created", "start", "end")
WORDS = ("quote", "step_text", "title")  # what goes when an author takes a post back
PARTS = ("round", "release", "posts", "terms", "rules", "votes", "identities", "teams", "team_accounts", "opted_out", "lists", "earlier")


def frozen_value(
    store: Store, round_: Round, terms: Terms, rules: Rules, inputs: Inputs, earned: Earned, release: str | None, at: str
) -> dict[str, Any]:
    """The snapshot of a round as the store stands; `earned` is what the round shares by (own_weights.round_credits)."""
    credits, uncredited = (tables.with_receipts(store, rows) for rows in (earned.credits, earned.uncredited))
    authors = {record["author"] for record in (*credits, *uncredited)}
    seen = authors | {who for ballot in inputs.ballots for who in (ballot.voter, ballot.author)}
    seen |= {account for other in inputs.earlier for account in (*other.points, *other.amounts)}
    identities = {a: i.address for a, i in tables.identities(store).items() if a in seen or i.address in seen}
    in_teams = {account: team for account, team in teams_of(store).items() if account in seen and account not in identities}
    value = {
        "schema": FROZEN_SCHEMA,
        "at": at,
        "round": {**asdict(round_), "budget": str(round_.budget)},
        "release": release,
        "posts": _posts(store),
        "terms": terms_value(terms),
        "rules": rules_value(rules),
        "credits": credits,
        "uncredited": uncredited,
        "votes": [{**asdict(ballot), "amount": str(ballot.amount)} for ballot in inputs.ballots],
        "identities": identities,
        "teams": {team.name: dict(team.members) for team in in_teams.values()},
        "team_accounts": {account: team.name for account, team in in_teams.items()},
        "opted_out": sorted(tables_rounds.opt_outs(store).keys() & authors),
        "lists": _lists(store, round_.name),
        "earlier": [
            {
                "round": other.name,
                "points": dict(sorted(other.points.items())),
                "amounts": {account: str(amount) for account, amount in sorted(other.amounts.items())},
            }
            for other in _earlier(store, round_, terms, rules, inputs)
        ],
    }
    erase_words(value, tables_rounds.gone_posts(store))  # credits may be from before the last look at the forum
    return {**value, "roots": (found := roots(value)), "root": _sha(canonical_json(found))}


def _lists(store: Store, name: str) -> dict[str, dict[str, str]]:
    """Kind → account → value in 10^-18. A stamp score that the round has no list for is the imported Passport's, at 20 for passing."""
    lists: dict[str, dict[str, str]] = {kind: {} for kind in eligibility.KINDS}
    for score in tables_evidence.scores(store):
        if score.kind == "passport":
            lists["stamps"][score.author] = str(score.score_bp * PASSPORT_PASSING * 10**18 // 10_000)
    for entry in tables_rounds.listed(store, name):
        lists[entry.kind][entry.account] = str(entry.value)
    return lists


def _posts(store: Store) -> dict[str, Any]:
    """Root and number of the posts that are held, as a release's `set_root`."""
    digest, count = hashlib.sha256(), 0
    for row in post_rows(store):
        if row["body_hash"] is not None:
            digest.update(f"{row['id']} {row['body_hash']}\n".encode())
            count += 1
    return {"set_root": f"sha256:{digest.hexdigest()}", "count": count}


def _earlier(store: Store, round_: Round, terms: Terms, rules: Rules, inputs: Inputs) -> list[Earlier]:
    """Earlier rounds that the emission or the rules look at."""
    found = {other.name: other for other in inputs.earlier} if terms.emission != "whole" else {}
    for name in sorted({*rules.paid_in, *rules.not_paid_in} - found.keys()):
        rows = tables.allocations(store, name)
        found[name] = Earlier(name, {a.author: a.points for a in rows}, {a.author: a.amount for a in rows})
    return list(found.values())


def roots(frozen: Mapping[str, Any]) -> dict[str, str]:
    """A hash for each part of a snapshot."""
    return {
        "credits": lines_root(frozen["credits"]),
        "uncredited": lines_root(frozen["uncredited"]),
        **{part: _sha(canonical_json(frozen[part])) for part in PARTS},
    }


def lines_root(records: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over the records' fields without people's words, as canonical JSON, a line each."""
    return _sha("".join(canonical_json({key: record[key] for key in HASHED}) + "\n" for record in records))


def _sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def erase_words(data: dict[str, Any], gone: Collection[str]) -> set[str]:
    """Take the words of `gone` posts out of a round's records; the posts whose words were still there.

    A step's text and an SOP's title go with the post that states them; they are not known apart from it here, so they go
    from every record of that step.
    """
    records = [*data["credits"], *data["uncredited"]]
    found = {record["post"] for record in records if record["post"] in gone and any(record[word] for word in WORDS)}
    steps = {(record["version_id"], record["step"]) for record in records if record["post"] in found and record["role"] == "first_said"}
    for record in records:
        if record["post"] in found:
            record.update(dict.fromkeys(WORDS, ""), erased=True)
        elif (record["version_id"], record["step"]) in steps:
            record.update({"step_text": "", "title": "", "erased": True})
    return found


# --- reading --------------------------------------------------------------------------------------------------------


def read_frozen(workspace: Workspace, name: str, root: str) -> dict[str, Any]:
    """The snapshot that the ledger names by `root`. Raises StoreError where the file is gone or says something else."""
    path = workspace.rounds / FOLDER / f"{name}.json"
    way_out = "restore it from a copy; `precipitate round audit` says what it differs in"
    try:
        frozen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = _sha(canonical_json(roots(frozen)))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing", way_out) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: {error!r}", way_out) from None
    if found != root:
        raise StoreError(f"{path} has the root {found}, the ledger says {root}", way_out)
    return frozen


def excluded(frozen: Mapping[str, Any]) -> dict[str, str]:
    """Authors with points who have no share in the round, each with the reason."""
    rules = read_rules(frozen["rules"])
    lists = {kind: {account: int(value) for account, value in rows.items()} for kind, rows in frozen["lists"].items()}
    had = {other["round"]: [a for a, amount in other["amounts"].items() if int(amount)] for other in frozen["earlier"]}
    found: dict[str, str] = {}
    for author in sorted({record["author"] for record in frozen["credits"] if record["points"]}):
        accounts = [author, *_addresses(frozen, author)]
        reason = eligibility.why_not(accounts, author, rules, lists, had)
        if reason is None and rules.forfeited == "others" and author in frozen["opted_out"]:
            reason = "opted out; the others share it"
        if reason:
            found[author] = reason
    return found


def _addresses(frozen: Mapping[str, Any], author: str) -> Sequence[str]:
    if author in frozen["identities"]:
        return [frozen["identities"][author]]
    return list(frozen["teams"].get(frozen["team_accounts"].get(author), {}))


def inputs_from(frozen: Mapping[str, Any], leave_out: Iterable[str]) -> Inputs:
    """What the round is shared by. Points of `leave_out` do not count; their votes do."""
    out = set(leave_out)
    points: dict[str, int] = {}
    for record in frozen["credits"]:
        if record["author"] not in out:
            points[record["author"]] = points.get(record["author"], 0) + record["points"]
    ballots = [Ballot(**{**vote, "amount": int(vote["amount"])}) for vote in frozen["votes"]]
    persons = frozen["identities"] | {account: TEAM + team for account, team in frozen["team_accounts"].items()}
    earlier = [
        Earlier(other["round"], other["points"], {a: int(amount) for a, amount in other["amounts"].items()}) for other in frozen["earlier"]
    ]
    return Inputs(points, ballots, persons, earlier if frozen["terms"]["emission"] != "whole" else ())


def payees_from(frozen: Mapping[str, Any]) -> tuple[dict[str, Identity], dict[str, Team]]:
    """Who is paid where, by account."""
    identities = {author: Identity(author, address, "frozen") for author, address in frozen["identities"].items()}
    return identities, {account: Team(name, frozen["teams"][name]) for account, name in frozen["team_accounts"].items()}


def terms_from(frozen: Mapping[str, Any]) -> Terms:
    return read_terms(frozen["terms"])
