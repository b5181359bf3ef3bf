"""What would have changed an author's amount: the round's shares worked out again with one thing otherwise. Pure.

From the published snapshot alone. Corrections (disputes, opt-outs, deletions) come after shares and are told by themselves, so
every other line compares shares before corrections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from index.errors import MoneyError
from rewards.limits import Earlier
from rewards.policies import Ballot, Inputs, Terms, read_terms, share
from rewards.verify import before_corrections, is_plain

Row = Mapping[str, Any]
MOST = 12  # lines of one kind


def counterfactuals(snapshot: Row, author: str) -> list[dict[str, Any]]:
    """What would have changed it: `kind`, `what` in words, the share then and the difference, in base units as text."""
    terms, inputs, budget = _terms(snapshot), _inputs(snapshot), int(snapshot["round"]["budget"])
    now = _share(terms, inputs, budget, author)
    found = [
        *_settings(terms, inputs, budget, author),
        *_likes(snapshot, terms, inputs, budget, author),
        *_said_before(snapshot, terms, inputs, budget, author),
        *_without_post(snapshot, terms, inputs, budget, author),
        *_let_in(snapshot, terms, inputs, budget, author),
    ]
    told = [_line(kind, what, then, now) for kind, what, then in found if then != now or kind in ("likes", "identity")]
    return told + _corrections(snapshot, author)


def _line(kind: str, what: str, then: int, now: int) -> dict[str, Any]:
    return {"kind": kind, "what": what, "amount": str(then), "difference": str(then - now)}


def _terms(snapshot: Row) -> Terms:
    return Terms() if is_plain(snapshot) else read_terms(snapshot["policy"]["terms"])


def _inputs(snapshot: Row) -> Inputs:
    """What the round was shared by, as it publishes it."""
    points = {a["author"]: a["points"] for a in snapshot["allocations"] if a["points"]}
    if is_plain(snapshot):
        return Inputs(points)
    policy = snapshot["policy"]
    persons = dict(policy["persons"])
    if policy["terms"]["verified"]:
        persons |= {account: unit["name"] for unit in policy["units"] for account in unit["accounts"]}
    ballots = [Ballot(v["voter"], v["author"], int(v["amount"]), v["origin"], v["trust_bp"]) for v in policy["votes"]]
    earlier = [Earlier(e["round"], e["points"], {a: int(amount) for a, amount in e["amounts"].items()}) for e in policy["earlier"]]
    return Inputs(points, ballots, persons, earlier)


def _share(terms: Terms, inputs: Inputs, budget: int, author: str) -> int:
    try:
        return share(terms, inputs, budget).amounts.get(author, 0)
    except MoneyError:
        return 0


Found = Iterable[tuple[str, str, int]]


def _settings(terms: Terms, inputs: Inputs, budget: int, author: str) -> Found:
    """Without each setting of the round that is not the usual one."""
    without = {
        "cap": (terms.cap is not None, replace(terms, cap=None), "without the cap"),
        "floor": (terms.floor > 0, replace(terms, floor=0), "without the floor"),
        "tilt": (terms.tilt_bp != 10_000, replace(terms, tilt_bp=10_000), "without the tilt towards smaller shares"),
        "emission": (terms.emission != "whole", replace(terms, emission="whole"), "if earlier rounds did not count"),
        "policy": (terms.policy != "proportional", replace(terms, policy="proportional"), "if shares were by points, without votes"),
    }
    for kind, (is_set, tried, what) in without.items():
        if is_set:
            yield kind, what, _share(tried, inputs, budget, author)


def _changed(inputs: Inputs, changes: Mapping[str, int]) -> Inputs:
    """Points of some accounts raised or lowered."""
    points = {author: inputs.points.get(author, 0) + changes.get(author, 0) for author in inputs.points.keys() | changes.keys()}
    return replace(inputs, points={author: count for author, count in points.items() if count > 0})


def _likes(snapshot: Row, terms: Terms, inputs: Inputs, budget: int, author: str) -> Found:
    """Without anybody's likes, where there are any."""
    liked: dict[str, int] = {}
    for record in snapshot["credits"]:
        if record["role"] == "liked" and record["author"] in inputs.points:
            liked[record["author"]] = liked.get(record["author"], 0) - record["points"]
    if liked:
        yield "likes", "if likes counted for nobody", _share(terms, _changed(inputs, liked), budget, author)


def _said_before(snapshot: Row, terms: Terms, inputs: Inputs, budget: int, author: str) -> Found:
    """Had what others said before not been said: the first speaker's points would be the author's."""
    late = [record for record in snapshot["uncredited"] if record["author"] == author and record["role"] == "first_said"]
    firsts = {(r["procedure"], r["step"]): r for r in snapshot["credits"] if r["role"] == "first_said"}
    for record in late[:MOST]:
        first = firsts.get((record["procedure"], record["step"]))
        if first is not None and first["author"] in inputs.points:
            moved = _changed(inputs, {first["author"]: -first["points"], author: first["points"]})
            what = f"had step {record['step']} of {record['procedure']} not been said before, in {first['post']}"
            yield "said before", what, _share(terms, moved, budget, author)


def _without_post(snapshot: Row, terms: Terms, inputs: Inputs, budget: int, author: str) -> Found:
    """Without each of the author's own posts, those that earned most first."""
    if author not in inputs.points:
        return
    earned: dict[str, int] = {}
    for record in snapshot["credits"]:
        if record["author"] == author:
            earned[record["post"]] = earned.get(record["post"], 0) + record["points"]
    for post, points in sorted(earned.items(), key=lambda item: (-item[1], item[0]))[:MOST]:
        if len(earned) > 1:
            yield "post", f"without {post}", _share(terms, _changed(inputs, {author: -points}), budget, author)


def _let_in(snapshot: Row, terms: Terms, inputs: Inputs, budget: int, author: str) -> Found:
    """Were the author eligible; had they an identity where the round asks for one, or one to be paid at."""
    out = next((entry for entry in snapshot.get("excluded", ()) if entry["author"] == author), None)
    if out is not None:
        let_in = _changed(inputs, {author: out["points"]})
        if terms.verified and author not in let_in.persons:
            let_in = replace(let_in, persons={**let_in.persons, author: f"person of {author}"})
        yield "eligible", f"were it not for: {out['reason']}", _share(terms, let_in, budget, author)
    elif any(a["author"] == author and a["state"] == "held" and int(a["amount"]) for a in snapshot["allocations"]):
        yield "identity", "with an identity claim: paid, and not held", _share(terms, inputs, budget, author)
    elif terms.verified and author in inputs.points and author not in inputs.persons:
        known = replace(inputs, persons={**inputs.persons, author: f"person of {author}"})
        yield "identity", "with a verified identity of their own", _share(terms, known, budget, author)


def _corrections(snapshot: Row, author: str) -> list[dict[str, Any]]:
    """Without what was decided or taken afterwards."""
    mine = [c for c in snapshot.get("corrections", ()) if c["author"] == author]
    if not mine:
        return []
    now = next((int(a["amount"]) for a in snapshot["allocations"] if a["author"] == author), 0)
    before = next((int(a["amount"]) for a in before_corrections(snapshot)["allocations"] if a["author"] == author), 0)
    causes = dict.fromkeys(f"{c['kind']} {c['ref']}" for c in mine)
    what = f"without what came after: {', '.join(causes)}"
    return [_line("correction", what, before, now)]
