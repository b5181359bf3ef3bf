"""Recompute every credit of a release from its own lines, trusting none: nothing here imports the code that made them.

    python -m rewards.verify_credit RELEASE

RELEASE is a folder with procedures.jsonl, evidence.jsonl, reports.jsonl and credits.jsonl. Trust is walked again from the
published endorsements and seeds, copies are found again from words and published nearness, and each role's points are
worked out by the rules of docs/decisions/0017, written here by the plainest way there is. This file needs Python and
nothing else. Ends with 0 (all credits are right), 4 (findings) or 1 (a file that cannot be read).

What stays a signed input: the moments of words, which posts are payable or gone, which words ask something, the nearness of
steps, endorsements and what identity scores say. `evidence.jsonl` has each with its post.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Key = tuple[str, str, int, str, str]  # author, procedure, step, role, post
STEP, FULL, ONE = 1_000_000, 10_000, 1 << 40
GRAMMAR = frozenset(
    "a an and are as at be by for from if in into is it its not of on or that the their them then this to up with you will your".split()
)
FAILED = re.compile(
    r"\b(?:(?:did|does|do|has|have|would)(?: not|n['’]t) work|not working|failed|fails|(?:got|get|getting|threw|throws) an error|broke|no luck)\b",
    re.I,
)
WORKED = re.compile(
    r"\b(?:worked|works (?:for me|fine|great|well|now|perfectly)|did the trick|solved (?:it|my|the)|fixed (?:it|my|the)|"
    r"(?:i|we) (?:just |have )?(?:followed|tried|did|went through|completed|ran through) (?:this|these|it|the|every|all|your|both)|"
    r"did every step|no problems?|got (?:it|mine) (?:working|done|approved))\b",
    re.I,
)


class Release:
    """The lines of a release, by kind."""

    def __init__(self, folder: Path, weights: Mapping[str, int] | None = None) -> None:
        lines = {name: _lines(folder / f"{name}.jsonl") for name in ("procedures", "credits", "evidence")}
        self.procedures: list[Row] = lines["procedures"]
        self.credits: list[Row] = lines["credits"]
        self.evidence: defaultdict[str, list[Row]] = defaultdict(list)
        for row in lines["evidence"]:
            self.evidence[row["kind"]].append(row)
        self.published: Mapping[str, int] = self.evidence["weights"][0]["weights"]
        self.weights = self.published if weights is None else weights
        self.posts = {row["post"]: row for row in self.evidence["post"]}
        self.since = {(row["post"], row["start"], row["end"]): row["since"] for row in self.evidence["moment"]}
        self.echo = {(row["post"], row["exact"]) for row in self.evidence["echo"]}
        self.questions = {row["answer"]: row for row in self.evidence["question"]}
        self.persons = {row["account"]: row["person"] for row in self.evidence["person"]}
        self.composers = {row["procedure"]: row["author"] for row in self.evidence["composer"]}
        self.trust: Mapping[str, int] | None = (
            {row["account"]: row["level_bp"] for row in self.evidence["trust"]} if self.evidence["seed"] else None
        )
        if weights is not None and self.trust is not None:
            self.trust = walked(self)
        self.spoken: Counter[tuple[str, str]] = Counter()

    def person(self, account: str) -> str:
        return str(self.persons.get(account, account))

    def level(self, account: str) -> int:
        return FULL if self.trust is None else self.trust.get(account, 0)

    def voice(self, account: str, way: str = "vouch") -> int:
        whole = {"vouch": 1, "ask": 5, "amend": 5}[way]
        return self.level(account) * whole // max(whole, self.spoken[way, account])

    def at(self, c: Row) -> tuple[str, str, int]:
        return (str(self.since.get((c["post"], c["start"], c["end"]), c["created"])), str(c["post"]), int(c["start"]))


def _lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# --- trust ----------------------------------------------------------------------------------------------------------


def walked(release: Release) -> dict[str, int]:
    """Levels in basis points from edges and seeds, by the sums themselves."""
    seeds = {row["account"]: row["weight"] for row in release.evidence["seed"]}
    edges = [(row["giver"], row["taker"], row["weight"]) for row in release.evidence["edge"]]
    restart, whole = release.weights["restart_bp"], sum(seeds.values())
    start = {name: ONE * weight // whole for name, weight in seeds.items()}
    given: Counter[str] = Counter()
    for giver, _, weight in edges:
        given[giver] += weight
    names = {*seeds, *(n for edge in edges for n in edge[:2])}
    trust = {name: start.get(name, 0) for name in names}
    for _ in range(100):
        idle = sum(trust[name] for name in names if not given[name]) * (FULL - restart) // FULL
        flow: Counter[str] = Counter()
        for giver, taker, weight in edges:
            flow[taker] += trust[giver] * weight // given[giver]
        after = {}
        for name in names:
            share = start.get(name, 0)
            back = (share * (idle >> 20) >> 20) + (share * (idle & ((1 << 20) - 1)) >> 40)
            after[name] = share * restart // FULL + back + flow[name] * (FULL - restart) // FULL
        moved = max((abs(after[name] - trust[name]) for name in names), default=0)
        trust = after
        if moved <= 1:
            break
    full = max(1, ONE * restart // FULL // len(seeds) // 20)
    verified = {row["account"] for row in release.evidence["score"] if row["verified"]}
    levels = {name: amount * FULL // full for name, amount in trust.items() if amount * FULL // full}
    if release.evidence["score"]:
        levels = {n: v if n in verified or n in seeds else v * release.weights["unverified_bp"] // FULL for n, v in levels.items()}
    return levels


# --- copies ---------------------------------------------------------------------------------------------------------


def words(text: str) -> frozenset[str]:
    kept = (word for word in re.findall(r"\w+", text.casefold()) if word not in GRAMMAR)
    return frozenset(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in kept)


def like(one: frozenset[str], other: frozenset[str], part: int = 2) -> bool:
    shared = len(one & other)
    return one == other or (shared >= 4 and part * shared >= min(len(one), len(other)))


def copies(release: Release) -> set[tuple[str, int]]:
    """Steps that were said before in another SOP."""
    said, sizes, links, found = [], {}, set(), set()
    known = {record["id"] for record in release.procedures}
    for record in release.procedures:
        sizes[record["id"]] = len(record["steps"])
        made = record.get("generator", {}).get("composed")
        others = {*record["alternatives"], record["forked_from"]} - {None}
        links |= {pair for other in others for pair in ((record["id"], other), (other, record["id"]))}
        for step in record["steps"]:
            if (
                made
                or any(flag.startswith("copy_of") for flag in step["flags"])
                or (record["forked_from"] and record["forked_from"] not in known)
            ):
                found.add((record["id"], step["n"]))
            places = [release.at(c) for c in step["citations"] if c["role"] == "states"]
            if places and not made:
                key = (record["id"], step["n"])
                said.append(((*min(places), record["forked_from"] is not None, *key), key, words(step["text"])))
    said.sort()
    order = {key: place for place, (_, key, _) in enumerate(said)}
    often = Counter(word for _, _, kept in said for word in kept)
    places_of: defaultdict[str, list[int]] = defaultdict(list)
    alike: dict[tuple[str, int], dict[str, int]] = {}
    for place, (_, key, kept) in enumerate(said):
        rare = [word for word in kept if often[word] <= 200]
        hits = Counter(earlier for word in rare for earlier in places_of[word])
        mine: dict[str, int] = {}
        for earlier in sorted(e for e, count in hits.items() if count >= min(2, len(kept))):
            other = said[earlier][1][0]
            if other != key[0] and other not in mine and like(kept, said[earlier][2]):
                mine[other] = earlier
        if mine:
            alike[key] = mine
        for word in rare:
            places_of[word].append(place)
    near = []
    for row in release.evidence["likeness"]:
        one, other = ((str(sop), int(n)) for sop, n in row["steps"])
        if one in order and other in order:
            late, early = (one, other) if order[one] > order[other] else (other, one)
            near.append((late, early, row["bp"]))
    matched = {(key, other) for key, others in alike.items() for other in others} | {(k, e[0]) for k, e, bp in near if bp >= 7_000}
    counts = Counter((key[0], other) for key, other in matched)
    whole = {pair for pair, n in counts.items() if n >= 2 and 2 * n >= min(sizes[pair[0]], max(4, sizes[pair[1]]))}
    found |= {key for key, others in alike.items() if any((key[0], other) in whole | links for other in others)}
    found |= {key for key, early, _ in near if (key[0], early[0]) in whole}
    by_sop: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_, key, _) in enumerate(said):
        by_sop[key[0]].append(place)
    for latter, former in whole:
        for i in by_sop[latter]:
            if any(said[j][0] < said[i][0] and like(said[i][2], said[j][2], 3) for j in by_sop[former]):
                found.add(said[i][1])
    return found


# --- roles ----------------------------------------------------------------------------------------------------------


def sorted_by(release: Release, citations: Iterable[Row]) -> list[Row]:
    """In the order of speaking, of one post by one author the first words."""
    seen: dict[tuple[str, str], Row] = {}
    for c in sorted(citations, key=release.at):
        seen.setdefault((c["author"], c["post"]), {**c, "when": release.at(c)[0]})
    return list(seen.values())


def one_each(release: Release, citations: Iterable[Row]) -> list[Row]:
    seen: dict[str, Row] = {}
    for c in sorted_by(release, citations):
        seen.setdefault(release.person(c["author"]), c)
    return list(seen.values())


def reports(release: Release, agreeing: Sequence[Row], against: Sequence[Row], logged: Iterable[Row], own: set[str]) -> list[Row]:
    """(author, post, result …) of those who say how it went: in the forum, then in the log."""
    told = [(c, "worked") for c in agreeing if WORKED.search(c["exact"]) and not FAILED.search(c["exact"])]
    told += [(c, "failed") for c in (*agreeing, *against) if FAILED.search(c["exact"])]
    found: dict[str, Row] = {}
    for c, result in sorted(told, key=lambda pair: release.at(pair[0])):
        if release.person(c["author"]) not in own:
            found.setdefault(
                release.person(c["author"]), {"author": c["author"], "post": c["post"], "result": result, "part_bp": FULL, "pays": True}
            )
    log = sorted(logged, key=lambda r: (r["created"], r["receipt"]))
    return [*found.values(), *({**r, "post": r["receipt"]} for r in log if release.person(r["author"]) not in own)]


class Step:
    """What was said of a step."""

    def __init__(self, release: Release, record: Row, step: Row, logged: Sequence[Row]) -> None:
        person = release.person
        stances = {kind: [s["citation"] for s in record["stances"] if s["step"] == step["n"] and s["kind"] == kind] for kind in _KINDS}
        states = [c for c in step["citations"] if c["role"] == "states"]
        self.n, self.first = step["n"], one_each(release, states)[0]
        mine = person(self.first["author"])
        self.amendments: list[Row] = []
        taken = {mine}
        for c in sorted_by(release, stances["amendment"]):
            taken.add(person(c["author"]))
            if not any(like(words(c["exact"]), words(other["exact"])) for other in self.amendments):
                self.amendments.append(c)
        objections = [c for c in one_each(release, stances["dissent"]) if person(c["author"]) not in taken]
        fresh = words(step["text"]) - words(step["previous_text"]) if step["previous_text"] else frozenset()
        later = [*sorted(states, key=release.at)[1:], *stances["amendment"]]
        until = max((release.at(c)[0] for c in later if fresh & words(c["exact"])), default="")
        self.objectors = [c for c in objections if c["when"] < until]
        taken |= {person(c["author"]) for c in self.objectors}
        restating = {c["post"] for c in states}
        agreeing = [c for c in step["citations"] if c["role"] == "confirms"] + stances["support"]
        agreeing = [c for c in agreeing if c["post"] not in restating]
        self.confirmers = [c for c in one_each(release, agreeing) if person(c["author"]) not in taken]
        self.dissenters = [c for c in objections if person(c["author"]) not in taken]
        self.told = reports(release, agreeing, stances["dissent"], [r for r in logged if r["step"] == step["n"]], {mine})


_KINDS = ("support", "dissent", "amendment", "alternative")


def recomputed(release: Release) -> dict[Key, int]:
    """Every credit's points."""
    points: dict[Key, int] = {}
    weights, copied, spoken = release.weights, copies(release), []
    for record in release.procedures:
        logged = [r for r in release.evidence["outcome"] if r["procedure"] == record["id"]]
        steps = [Step(release, record, s, logged) for s in record["steps"] if any(c["role"] == "states" for c in s["citations"])]
        firsts = {release.person(s.first["author"]) for s in steps}
        whole = {kind: [s["citation"] for s in record["stances"] if s["step"] is None and s["kind"] == kind] for kind in _KINDS}
        overall = reports(release, whole["support"], whole["dissent"], [r for r in logged if r["step"] is None], firsts)
        backers = [c for c in one_each(release, whole["support"]) if release.person(c["author"]) not in firsts]
        spoken.append((record, steps, firsts, overall, backers))
        for s in steps:
            asked = release.questions.get(s.first["post"])
            ways = {"vouch": {c["author"] for c in (*s.confirmers, *_everyone(release, s, overall))}}
            ways |= {"ask": {asked["author"]} if asked else set(), "amend": {c["author"] for c in s.amendments}}
            release.spoken.update((way, name) for way, names in ways.items() for name in names - {s.first["author"]})

    def pay(author: str, sop: str, step: int, role: str, post: str, amount: int) -> None:
        facts = release.posts.get(post)
        fit = post.startswith(("outcome:", "sop-")) or (
            facts is not None and facts["author"] == author and facts["payable"] and not facts["gone"] and not facts["forums_own"]
        )
        if fit and amount:
            points[author, sop, step, role, post] = amount

    def in_turn(role: str, sop: str, step: int, voices: Iterable[tuple[str, str]]) -> None:
        pool = left = STEP * weights[f"{role}_bp"] // FULL
        for author, post in voices:
            amount = min(left, pool * min(FULL, release.voice(author)) // FULL)
            left -= amount
            pay(author, sop, step, role, post, amount)

    def worked(told: Iterable[Row]) -> int:
        seen: dict[str, int] = {}
        for t in told:
            half = {"worked": 2, "partly": 1, "failed": -2}[t["result"]]
            seen.setdefault(t["author"], half * min(FULL, release.voice(t["author"])) * t["part_bp"] // (2 * FULL))
        return max(0, min(FULL, sum(seen.values())))

    for record, steps, firsts, overall, backers in spoken:
        sop, standing = record["id"], False
        for s in steps:
            if (sop, s.n) in copied or (s.first["post"], s.first["exact"]) in release.echo:
                continue
            standing = True
            author, post = s.first["author"], s.first["post"]
            everyone = _everyone(release, s, overall)
            words_of_it = STEP * weights["first_said_bp"] // FULL
            for c, amount in zip(s.amendments, _amended(release, s.amendments), strict=True):
                if release.person(c["author"]) != release.person(author):
                    pay(c["author"], sop, s.n, "amended", c["post"], amount)
                    words_of_it -= amount
            in_turn("objected", sop, s.n, [(c["author"], c["post"]) for c in s.objectors])
            if sum(release.voice(c["author"]) for c in s.dissenters) <= sum(release.voice(c["author"]) for c in s.confirmers):
                in_turn("confirmed", sop, s.n, [(c["author"], c["post"]) for c in s.confirmers])
            q = release.questions.get(post)
            if q and release.person(q["author"]) != release.person(author) and q["created"] < s.first["when"]:
                both = {release.person(q["author"]), release.person(author)}
                behind = {c["author"] for c in (*s.amendments, *s.confirmers, *backers)}
                behind |= {t["author"] for t in everyone if t["result"] == "worked"}
                level = min(FULL, sum(release.voice(n) for n in behind if release.person(n) not in both), release.voice(q["author"], "ask"))
                amount = STEP * weights["asked_bp"] // FULL * level // FULL
                pay(q["author"], sop, s.n, "asked", q["post"], amount)
                words_of_it -= amount
            pay(author, sop, s.n, "first_said", post, words_of_it)
            in_turn("outcome", sop, s.n, _paid_once(s.told))
            pay(author, sop, s.n, "worked", post, STEP * weights["worked_bp"] // FULL * worked(everyone) // FULL)
            if (author, sop, s.n, "first_said", post) in points:
                facts = release.posts[post]
                fans = [n for n in facts["likers"] if n != author]
                likes = sum(release.level(n) for n in fans) + facts["unnamed_likes"] * weights["unnamed_like_bp"]
                step_up = min(5, (1 + likes // FULL).bit_length() - 1)
                pay(author, sop, s.n, "liked", post, STEP * weights["likes_bp"] // FULL * step_up // 5)
        composer = release.composers.get(sop, "")
        if composer:
            in_turn("outcome", sop, 0, _paid_once(overall))
            if release.person(composer) not in firsts:
                by_others = [t for t in overall if release.person(t["author"]) != release.person(composer)]
                pool = STEP * weights["worked_bp"] // FULL * weights["composed_bp"] // FULL
                pay(composer, sop, 0, "composed", sop, pool * worked(by_others) // FULL)
        elif standing:
            in_turn("supported", sop, 0, [(c["author"], c["post"]) for c in backers])
            in_turn("outcome", sop, 0, _paid_once(overall))
    return points


def _everyone(release: Release, step: Step, overall: Sequence[Row]) -> list[Row]:
    known = {release.person(n) for n in (step.first["author"], *(t["author"] for t in step.told))}
    return [*step.told, *(t for t in overall if release.person(t["author"]) not in known)]


def _paid_once(told: Iterable[Row]) -> list[tuple[str, str]]:
    seen: dict[str, str] = {}
    for t in told:
        if t["pays"]:
            seen.setdefault(t["author"], t["post"])
    return list(seen.items())


def _amended(release: Release, amendments: Sequence[Row]) -> list[int]:
    """Shapley shares of a pool that fills up with trust: by all orders up to six, by the drawn ones above eight."""
    pool = STEP * release.weights["amended_bp"] // FULL
    each = Counter(c["author"] for c in amendments)
    levels = [release.voice(c["author"], "amend") // each[c["author"]] for c in amendments]

    def worth(players: Iterable[int]) -> int:
        return pool * min(FULL, sum(levels[p] for p in players)) // FULL

    count = len(levels)
    orders: Iterable[Sequence[int]]
    if count <= 8:
        orders = permutations(range(count))
    else:
        orders = [
            sorted(range(count), key=lambda p: hashlib.sha256(f"precipitate/shapley/1 {k} {p}".encode()).digest()) for k in range(256)
        ]
    totals, runs = [0] * count, 0
    for order in orders:
        runs += 1
        before = 0
        for place, player in enumerate(order, 1):
            after = worth(order[:place])
            totals[player] += after - before
            before = after
    means = [Fraction(total, runs) for total in totals]
    shares = [int(mean) for mean in means]
    for player in sorted(range(count), key=lambda p: (shares[p] - means[p], p))[: worth(range(count)) - sum(shares)]:
        shares[player] += 1
    return shares


# --- as a program ---------------------------------------------------------------------------------------------------


def verify_credits(folder: Path) -> list[str]:
    """What of the published credits is not what the published evidence gives."""
    release = Release(folder)
    findings = []
    if release.trust is not None and dict(release.trust) != (found := walked(release)):
        wrong = sorted(n for n in {*release.trust, *found} if release.trust.get(n) != found.get(n))
        findings.append(f"trust of {wrong[0]} is {release.trust.get(wrong[0], 0)}, the endorsements give {found.get(wrong[0], 0)}")
    mine = recomputed(release)
    told = {(c["author"], c["procedure"], c["step"], c["role"], c["post"]): c["points"] for c in release.credits}
    wrong_keys = sorted(key for key in {*mine, *told} if mine.get(key) != told.get(key))
    findings += [
        f"{k[0]}, {k[3]} in step {k[2]} of {k[1]}: {told.get(k, 0)} points, the evidence gives {mine.get(k, 0)}" for k in wrong_keys[:5]
    ]
    return findings + ([f"and {len(wrong_keys) - 5} more like it"] if len(wrong_keys) > 5 else [])


def verify_own(folder: Path, own: Row, credits: Sequence[Row]) -> list[str]:
    """What of a round's credits is not what the release's evidence gives by the round's own weights."""
    weights = own["weights"]
    found = "sha256:" + hashlib.sha256(json.dumps(weights, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    if found != own["hash"]:
        return [f"the round's weights have the hash {found}, it says {own['hash']}"]
    release = Release(folder, weights)
    if weights.keys() != release.published.keys() or any(type(v) is not int or not 0 <= v <= FULL for v in weights.values()):
        return ["the round's weights are not basis points, one for each weight of the release"]
    fixed = [name for name in ("decay_bp", "composed_bp") if weights[name] != release.published[name]]
    if fixed:
        return [f"the round's {fixed[0]} is {weights[fixed[0]]}, the release's evidence was made with {release.published[fixed[0]]}"]
    mine = recomputed(release)
    told = {(c["author"], c["procedure"], c["step"], c["role"], c["post"]): c["points"] for c in credits}
    wrong = sorted(key for key in {*mine, *told} if mine.get(key) != told.get(key))
    findings = [f"{k[0]}, {k[3]} in step {k[2]} of {k[1]}: {told.get(k, 0)} points, its weights give {mine.get(k, 0)}" for k in wrong[:5]]
    return findings + (["a credit of the round stands twice"] if len(told) != len(credits) else [])


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m rewards.verify_credit RELEASE", file=sys.stderr)
        return 2
    try:
        findings = verify_credits(Path(arguments[0]))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"error: {type(error).__name__} {str(error)!a}", file=sys.stderr)
        return 1
    print(
        "\n".join([*(f"finding  {ascii(f)[1:-1]}" for f in findings), f"{len(findings)} findings" if findings else "all credits are right"])
    )
    return 4 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
