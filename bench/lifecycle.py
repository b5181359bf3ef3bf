"""Do support and dissent of the first sixty days say which proposals become Final, better than activity does?

    python -m bench.lifecycle PROPOSALS.jsonl CORPUS

PROPOSALS.jsonl names for each proposal its status and the thread it is discussed in (`topic`); CORPUS is the archive of that
forum, or a workspace that has crawled it. Used are proposals that are Final, Stagnant or Withdrawn, were created OLD_ENOUGH
days before the newest one, and have a thread of their own, opened at most NEAR days before or after the proposal. Of the
thread, only posts of the first DAYS days are read. Stances are heard as `precipitate run` hears them, in the posts of others
than the one who opened the thread, and of what its opening post proposes. Beside who said what it is asked what came of it: objections
that the proposer answers or not, changes that they report, and people who say that they have built it.

AUC of logistic regression (standardised, C = 1) out of fold, mean of REPEATS times five stratified folds; brackets hold 95 %
of bootstraps over proposals (of the scores: nothing is fitted again, so they are a little narrow). `later` and `silence` look
past the sixty days and are there to show how much of "Stagnant" is just silence; some of it comes after the decision. The
archive keeps at most 20 replies of a thread, so activity of the busiest threads is cut.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distill.amend import HeardStance
from distill.consensus import Vote, consensus
from distill.features import read_frames
from distill.hearing import Spoken, hear_stances
from distill.passages import ReadThread, read_thread
from distill.pipeline import lazy_model
from distill.scaffold import Place
from distill.scoring import ScoredPost, ScoredThread, see
from index.config import Config
from index.errors import UsageError
from index.store import Store
from index.tables_discussion import StoredPost, StoredThread, add_source, read_threads
from index.workspace import find_workspace, init_workspace

if TYPE_CHECKING:
    from distill.scoring import Encode

Rows = np.ndarray[Any, Any]

DAYS, NEAR, OLD_ENOUGH = 60, 180, 540
SILENT = 30  # days after the sixty in which nobody writes
REPEATS, FOLDS, BOOTSTRAPS = 20, 5, 1000
KINDS = ("Core", "ERC", "Interface", "Networking")
ACTIVITY = ("posts", "authors", "characters", "own_replies")
STANCES = ("support", "dissent", "amendment", "share")
ANSWERS = ("answered", "unanswered", "changes", "builders")
SETS = {
    "activity": ACTIVITY,
    "stances": STANCES,
    "share of support only": ("share",),
    "what came of them": ANSWERS,
    "stances, what came of them": (*STANCES, *ANSWERS),
    "activity and stances": (*ACTIVITY, *STANCES),
    "kind of proposal": KINDS,
    "kind and activity": (*KINDS, *ACTIVITY),
    "kind and stances": (*KINDS, *STANCES),
    "kind, activity, stances": (*KINDS, *ACTIVITY, *STANCES),
    "all of these": (*KINDS, *ACTIVITY, *STANCES, *ANSWERS),
    "opening post's meaning": ("opening",),
    "kind and opening post": (*KINDS, "opening"),
    "later (leak)": ("later_posts", "later_authors", "silence"),
}
PAIRS = (
    ("stances", "activity"), ("stances, what came of them", "activity"), ("activity and stances", "activity"), ("kind, activity, stances", "kind and activity"),
    ("all of these", "kind and activity"),
)  # fmt: skip
QUESTIONS = {"Stagnant or Withdrawn": ("Stagnant", "Withdrawn"), "Stagnant": ("Stagnant",), "Withdrawn": ("Withdrawn",)}


MOST_OPENING = 40  # passages of the opening post that stand for what is proposed
OPENING_C, FACTS_C = 0.001, 1.0  # 384 columns for a few hundred proposals ask for a strong prior
_CHANGED = re.compile(r"\b(?:updated?|added|changed|incorporated|removed|revised|clarified|fixed|renamed|rewrote)\b", re.I)
_BUILT = re.compile(
    r"\b(?:we|i)(?:['’]ve| have| already| are| am)? ?(?:\w+ )?(?:implement(?:ed|ing)|deployed|shipped|built|integrated|adopt(?:ed|ing)|us(?:ed|ing))\b"
    r"|\b(?:reference|working|live|an?|our) implementation\b|\bin production\b|\bon (?:mainnet|testnet|goerli|sepolia|ropsten)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Case:
    number: int
    status: str
    facts: dict[str, float]
    opening: Rows  # meaning of the opening post, (384,)
    cut: bool  # the archive left replies of these days out


# --- proposals and their threads ------------------------------------------------------------------------------------


def stored_threads(corpus: Path, topics: Sequence[str]) -> dict[str, StoredThread]:
    """The threads by the number of their topic, as the distiller is given them."""
    if (corpus / "precipitate.toml").is_file():
        return _read(find_workspace(corpus).database, topics)
    from crawler.address import find_source
    from crawler.pipeline import crawl

    with tempfile.TemporaryDirectory() as folder:
        workspace, config = init_workspace(Path(folder)), Config()
        source = find_source(str(corpus), False, config.crawl)
        with workspace.lock("bench"), Store(workspace.database) as store:
            add_source(store, source)
            report = crawl(workspace, store, config, lambda *_: None)
        if report.partial:
            raise UsageError(f"{corpus} could not be read: {report.errors}", "name an archive: a folder with site.json and topics.jsonl")
        return _read(workspace.database, topics)


def _read(database: Path, topics: Sequence[str]) -> dict[str, StoredThread]:
    from index.tables_discussion import thread_hashes

    with Store(database) as store:  # not read-only: what is to be masked in texts is noted when they are first read
        ids = [thread for thread in thread_hashes(store) if "magicians" in thread and thread.rsplit("/", 1)[1] in set(topics)]
        return {thread.id.rsplit("/", 1)[1]: thread for thread in read_threads(store, ids)}


def chosen(proposals: Path, corpus: Path) -> list[tuple[dict[str, Any], StoredThread]]:
    rows = [json.loads(line) for line in proposals.read_text(encoding="utf-8").strip().split("\n")]
    newest = max(date.fromisoformat(row["created"]) for row in rows)
    own = [row for row in rows if row["topic_in_corpus"] and row["topic"].startswith("magicians:")]
    shared = Counter(row["topic"] for row in own)
    decided = [row for row in own if row["status"] in ("Final", "Stagnant", "Withdrawn")]
    old = [row for row in decided if (newest - date.fromisoformat(row["created"])).days >= OLD_ENOUGH]
    alone = [row for row in old if shared[row["topic"]] == 1]
    threads = stored_threads(corpus, [row["topic"].split(":")[1] for row in alone])
    found = [(row, threads[row["topic"].split(":")[1]]) for row in alone if row["topic"].split(":")[1] in threads]
    near = [(row, thread) for row, thread in found if abs((_day(thread.posts[0]) - date.fromisoformat(row["created"])).days) <= NEAR]
    print(
        f"{len(rows)} proposals, {len(own)} with a thread here, {len(decided)} of them decided, {len(old)} created {OLD_ENOUGH} days before "
        f"{newest}, {len(alone)} with a thread of their own, {len(near)} opened within {NEAR} days: "
        + ", ".join(f"{n} {status}" for status, n in sorted(Counter(row["status"] for row, _ in near).items()))
    )
    return near


def _day(post: StoredPost) -> date:
    return date.fromisoformat(post.created[:10])


# --- what the first sixty days show ---------------------------------------------------------------------------------


def hear(read: ReadThread, encode: Encode) -> tuple[list[HeardStance], Rows]:
    """The stances of a thread on what its first author proposes, whether or not it holds a procedure, and what the opening
    post means; the proposer's own posts are not asked."""
    frames = [tuple(read_frames(post)) for post in read.posts]
    inputs = tuple(see(read, post, own) for post, own in zip(read.posts, frames, strict=True))
    posts = tuple(
        ScoredPost(post, own, (nothing := (0,) * len(post.passages)), nothing, nothing, facts)
        for post, own, (_, facts) in zip(read.posts, frames, inputs, strict=True)
    )
    proposer, opening = read.posts[0].post.author, read.posts[0].passages[:MOST_OPENING]
    homes = {post.number for post in read.posts if post.post.author == proposer}
    if not opening:
        return [], np.zeros(384)
    meant = encode([passage.text for passage in opening])
    spoken = Spoken(0, {Place(0, index): vector for index, vector in enumerate(meant)})
    return hear_stances(ScoredThread(read, posts, 0, inputs), spoken, homes, encode), meant.mean(0) / 127


def came_of(read: ReadThread, heard: Sequence[HeardStance]) -> dict[str, float]:
    """Objections and amendments that the proposer answers or not, changes that they report, others who say they built it."""
    proposer = read.posts[0].post.author
    own = [post for post in read.posts[1:] if post.post.author == proposer]
    asked = {stance.place.post for stance in heard if stance.kind in ("dissent", "amendment")}
    answered = set()
    for number in asked:
        said = read.posts[number].post
        name = re.compile(rf"@{re.escape(said.handle)}\b", re.I)
        if any(p.number > number and (p.post.reply_to == said.id or p.number == number + 1 or name.search(p.post.plain)) for p in own):
            answered.add(number)
    builders = {p.post.author for p in read.posts[1:] if p.post.author != proposer and _BUILT.search(p.post.plain[:4000])}
    return {
        "answered": math.log1p(len(answered)),
        "unanswered": math.log1p(len(asked - answered)),
        "changes": math.log1p(sum(bool(_CHANGED.search(p.post.plain[:4000])) for p in own)),
        "builders": math.log1p(len(builders)),
    }


def facts_of(row: dict[str, Any], thread: StoredThread, encode: Encode) -> Case:
    end = _day(thread.posts[0]) + timedelta(days=DAYS)
    early, late = ([p for p in thread.posts if (_day(p) < end) == first] for first in (True, False))
    proposer, replies = thread.posts[0].author, early[1:]
    read = read_thread(replace(thread, posts=tuple(early)))
    heard, opening = hear(read, encode)
    voices = {kind: {read.posts[s.place.post].post.author for s in heard if s.kind == kind} for kind in ("support", "dissent", "amendment")}
    votes: list[Vote] = [(a, "it", "agree") for a in sorted(voices["support"])] + [(a, "it", "disagree") for a in sorted(voices["dissent"])]
    facts = {
        "posts": math.log1p(len(replies)),
        "authors": math.log1p(len({p.author for p in replies} - {proposer})),
        "characters": math.log1p(sum(len(p.plain) for p in replies)),
        "own_replies": math.log1p(sum(p.author == proposer for p in replies)),
        **{kind: math.log1p(len(who)) for kind, who in voices.items()},
        "share": consensus(votes, ["it"])["it"].support_bp / 10_000,
        **came_of(read, heard),
        **{kind: float(row["category"] == kind) for kind in KINDS},
        "later_posts": math.log1p(len(late)),
        "later_authors": math.log1p(len({p.author for p in late})),
        "silence": float(not any(_day(p) < end + timedelta(days=SILENT) for p in late)),
    }
    return Case(row["number"], row["status"], facts, opening, len(thread.posts) > 20 and not late)


# --- how well they tell ---------------------------------------------------------------------------------------------


def table(cases: Sequence[Case], keys: Sequence[str]) -> Rows:
    return np.array([[x for key in keys for x in (case.opening if key == "opening" else (case.facts[key],))] for case in cases])


def scored(rows: Rows, wanted: Rows) -> Rows:
    """Out-of-fold scores, (REPEATS, cases)."""
    c = FACTS_C if rows.shape[1] < 100 else OPENING_C
    found = np.zeros((REPEATS, len(wanted)))
    for seed in range(REPEATS):
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rows, wanted):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=c))
            found[seed, test] = model.fit(rows[train], wanted[train]).decision_function(rows[test])
    return found


def auc(scores: Rows, wanted: Rows) -> float:
    """Mean over repeats of the chance that a Final one scores above another."""
    ones = int(wanted.sum())
    ranks = rankdata(np.round(scores, 9), axis=1)[:, wanted].sum(1)
    return float(((ranks - ones * (ones + 1) / 2) / (ones * (len(wanted) - ones))).mean())


def asked(title: str, cases: Sequence[Case]) -> None:
    wanted = np.array([case.status == "Final" for case in cases])
    scores = {name: scored(table(cases, keys), wanted) for name, keys in SETS.items()}
    chance = np.random.default_rng(0)
    draws = [chance.integers(0, len(cases), len(cases)) for _ in range(BOOTSTRAPS)]
    draws = [draw for draw in draws if 0 < wanted[draw].sum() < len(draw)]
    spread = {name: np.array([auc(rows[:, draw], wanted[draw]) for draw in draws]) for name, rows in scores.items()}
    print(f"\nFinal ({wanted.sum()}) against {title} ({(~wanted).sum()})")
    for name, rows in scores.items():
        print(f"  {name:26} {auc(rows, wanted):.3f}  {_interval(spread[name])}")
    for key in (*ACTIVITY, *STANCES, *ANSWERS):  # nothing fitted: below one half, Final ones have less of it
        plain = np.array([[case.facts[key] for case in cases]])
        print(f"  {key + ', by itself':26} {auc(plain, wanted):.3f}  {_interval(np.array([auc(plain[:, d], wanted[d]) for d in draws]))}")
    for one, other in PAIRS:
        difference = auc(scores[one], wanted) - auc(scores[other], wanted)
        print(f"  {one} − {other}: {difference:+.3f}  {_interval(spread[one] - spread[other])}")


def _interval(values: Rows) -> str:
    return f"[{np.quantile(values, 0.025):.3f}, {np.quantile(values, 0.975):.3f}]"


def described(cases: Sequence[Case]) -> None:
    print(
        f"{'mean of':22}"
        + "".join(f"{key:>14}" for key in (*ACTIVITY, *STANCES, *ANSWERS, "later_posts", "silence"))
        + "   counts as log(1 + n)"
    )
    for status in ("Final", "Stagnant", "Withdrawn"):
        own = [case.facts for case in cases if case.status == status]
        print(
            f"{status:22}"
            + "".join(f"{np.mean([f[key] for f in own]):14.2f}" for key in (*ACTIVITY, *STANCES, *ANSWERS, "later_posts", "silence"))
        )
    quiet = sum(not any(case.facts[key] for key in ("support", "dissent", "amendment")) for case in cases)
    print(
        f"no stance heard in {quiet} of {len(cases)}; replies of the {DAYS} days cut by the archive in at least {sum(c.cut for c in cases)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proposals", type=Path)
    parser.add_argument("corpus", type=Path)
    arguments = parser.parse_args()
    pairs = chosen(arguments.proposals, arguments.corpus)
    encode = lazy_model(Config().distill.model).encode
    cases = [facts_of(row, thread, encode) for row, thread in pairs]
    described(cases)
    for title, statuses in QUESTIONS.items():
        asked(title, [case for case in cases if case.status in ("Final", *statuses)])


if __name__ == "__main__":
    main()
