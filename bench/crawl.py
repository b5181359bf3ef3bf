"""Crawling a forum that lives, fails and is killed; politeness as the server sees it; beside two other archivers.

    python -m bench.crawl [--threads 200] [--kills 20] [--seed 1] [--peers]

A forum is emulated on loopback (tests/emulators/discourse.py). Its first crawl is killed (kill -9), each time after a random
number of its requests, while 20 % of them fail and people post, edit, react and delete; then it is crawled until it is at rest. What was
pushed to the server is compared with the store. With --peers, forum-dl and discosuck are installed from PyPI
into an environment of their own and read the same forum twice, before and after edits and deletions.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.kills import kill_again_and_again, run
from index.store import Store
from tests.emulators.discourse import DiscourseEmulator

HOME = Path(__file__).parent.parent
PEOPLE = ("ann", "bob", "cid", "dee", "eve")
EMOJI = ("heart", "heart", "tada", "-1")
PEERS = {"forum-dl": ("forum-dl==0.3.0", "pydantic<2"), "discosuck": ("discosuck==0.1.0",)}  # what has to be installed
VISITS = 12  # crawls until it has to be at rest
Words = tuple[str, ...]
Life = dict[str, dict[int, str]]  # "edited", "gone", "new": post → what it said before, or said first


def populate(forum: DiscourseEmulator, threads: int, chance: random.Random) -> None:
    for number in range(threads):
        topic = forum.thread(f"thread {number}", "words 0", by=chance.choice(PEOPLE))
        for reply in range(chance.choice((0, 1, 2, 4, 8, 30))):
            post = forum.reply(topic, f"words {number} {reply}", by=chance.choice(PEOPLE))
            if chance.random() < 0.2:
                for name in chance.sample(PEOPLE, chance.randint(1, 3)):
                    forum.react(post, name, chance.choice(EMOJI))


def live_on(forum: DiscourseEmulator, chance: random.Random, count: int) -> Life:
    """People write, edit (one in two bumps nothing), like and delete; which posts were edited and which went."""
    done: Life = {"edited": {}, "gone": {}, "new": {}}
    for _ in range(count):
        alive = sorted(post for post, data in forum.posts.items() if not data["user_deleted"] and data["post_number"] > 1)
        post, way = chance.choice(alive), chance.random()
        words = forum.posts[post]["cooked"][3:-4]
        if way < 0.4:
            fresh = f"new words {chance.random()}"
            done["new"][forum.reply(forum.posts[post]["topic_id"], fresh, by=chance.choice(PEOPLE))] = fresh
        elif way < 0.7:
            forum.edit(post, f"edited words {chance.random()}", bump=chance.random() < 0.5)
            done["edited"].setdefault(post, words)
        elif way < 0.8:
            forum.react(post, chance.choice(PEOPLE), chance.choice(EMOJI))
        elif way < 0.9:
            forum.delete_by_author(post)
            done["gone"][post] = words
        else:
            forum.vanish(post, bump=chance.random() < 0.5)
            done["gone"][post] = words
    return done


# --- our own --------------------------------------------------------------------------------------------------------


COMMAND = [sys.executable, str(HOME / "cli.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOME)}


def cli(*words: str, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def workspace(folder: Path, url: str, **settings: Any) -> Path:
    cli("init", str(folder), cwd=folder.parent).communicate()
    config = folder / "precipitate.toml"
    text = config.read_text()
    for name, value in {"delay_seconds": 0.001, "extra_requests": 3000, "shrink_bp": 0, **settings}.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
    config.write_text(text)
    process = cli("add", url, "--allow-private", cwd=folder)
    if process.wait():
        raise SystemExit(process.communicate()[1].decode())
    return folder


def crawl(folder: Path) -> int:
    process = cli("crawl", "-q", cwd=folder)
    _, errors = process.communicate()
    if process.returncode not in (0, 3):
        raise SystemExit(f"crawl ended with {process.returncode}: {errors.decode()}")
    return process.returncode


def found_in(folder: Path, forum: DiscourseEmulator, done: Life) -> dict[str, tuple[int, int]]:
    with Store(folder / ".precipitate" / "work.duckdb") as store:
        return found(store, forum, done)


def found(store: Store, forum: DiscourseEmulator, done: Life) -> dict[str, tuple[int, int]]:
    """(found, pushed) of each kind of thing."""
    source = f"discourse:{forum.url.partition('://')[2]}"
    mine = "(SELECT id FROM posts WHERE source = ?)"
    rows = store.execute("SELECT id, body, state, likes, author FROM posts WHERE source = ?", [source])
    stored = {int(post.rpartition("/")[2]): (body, state, likes, author) for post, body, state, likes, author in rows}
    named = set(store.execute(f"SELECT post, actor, kind FROM reactions WHERE actor <> '' AND post IN {mine}", [source]))
    people = dict(store.execute("SELECT id, handle FROM authors WHERE source = ?", [source]))
    earlier = store.execute(f"SELECT DISTINCT post FROM post_versions WHERE post IN {mine}", [source])
    versions = {int(post.rpartition("/")[2]) for (post,) in earlier}
    live = {post: data for post, data in forum.posts.items() if not data["user_deleted"]}
    given = {
        (f"{source}/p/{post}", f"{source}/u/{forum.users[name]}", "like" if emoji == forum.main_reaction else emoji)
        for post, data in live.items()
        for name, emoji in data.get("reacted_by", {}).items()
    }
    edited = [post for post in done["edited"] if post in live]
    return {
        "posts": (sum(stored.get(post, ("",))[0] == data["cooked"] for post, data in live.items()), len(live)),
        "reactions": (len(given & named), len(given | {one for one in named if int(one[0].rpartition("/")[2]) in live})),
        "edits": (sum(post in versions and stored[post][0] == live[post]["cooked"] for post in edited), len(edited)),
        "deletions": (
            sum(post not in stored or stored[post][1] in ("author_deleted", "pruned", "moderated") for post in done["gone"]),
            len(done["gone"]),
        ),
        "identities": (sum(people.get(f"{source}/u/{number}") == name for name, number in forum.users.items()), len(forum.users)),
    }


def durability(threads: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    with DiscourseEmulator() as forum, tempfile.TemporaryDirectory() as home:
        populate(forum, threads, chance)
        began = time.monotonic()
        calm, folder = (workspace(Path(home) / name, forum.url) for name in ("calm", "ours"))
        asked = len(forum.log)
        crawl(calm)
        whole = len(forum.log) - asked
        forum.log.clear()
        forum.flaky = 0.2
        done: Life = {"edited": {}, "gone": {}, "new": {}}

        def more(_: int) -> None:
            for name, posts in live_on(forum, chance, 6).items():
                done[name] = posts | done[name]

        kill = lambda when: run([*COMMAND, "crawl", "-q"], folder, ENVIRONMENT, when)  # noqa: E731
        killed = kill_again_and_again(kill, lambda: len(forum.log), whole, kills, chance, more)
        runs = 0
        while runs < VISITS:  # until nothing is left to be done: an absence has to be seen twice
            asked = len(forum.log)
            clean = crawl(folder) == 0
            runs += 1
            if clean and not [hit for hit in forum.log[asked:] if re.search(r"/t/|/revisions/|action_users", hit.path)]:
                break
        at_once = max(hit.at_once for hit in forum.log)
        failed = sum(hit.status != 200 for hit in forum.log) / len(forum.log)
        print(
            f"{len(forum.posts)} posts in {threads} threads, a crawl makes {whole} requests; killed {killed} times while it asked, "
            f"{failed:.0%} of {len(forum.log):,} requests failed,"
        )
        print(f"then {runs} further crawls, {time.monotonic() - began:.0f} s; requests at once at the server: {at_once}")
        for name, (got, pushed) in found_in(folder, forum, done).items():
            print(f"  {name:<11} {got:>6,} of {pushed:>6,}  {got / pushed if pushed else 1:7.2%}")


# --- politeness -----------------------------------------------------------------------------------------------------


def politeness(seed: int) -> None:
    """Spacing at the server with a pause of 50 ms, a Crawl-delay of 80 ms and limits that ask for 300 ms."""
    chance = random.Random(seed)
    with DiscourseEmulator() as forum, tempfile.TemporaryDirectory() as home:
        populate(forum, 40, chance)
        folder = workspace(Path(home) / "ours", forum.url, delay_seconds=0.05)
        for robots, least in (("User-agent: *\nDisallow: /search\n", 0.05), ("User-agent: *\nCrawl-delay: 0.08\n", 0.08)):
            forum.robots = robots
            for topic in list(forum.topics)[:20]:
                forum.bump(topic)
            forum.log.clear()
            crawl(folder)
            gaps = [later.at - earlier.at for earlier, later in pairwise(forum.log)][2:]
            print(
                f"asked for {least * 1000:.0f} ms between requests: least {min(gaps) * 1000:.0f} ms, at once {max(h.at_once for h in forum.log)}"
            )
        from tests.emulators.discourse import too_many, too_many_of_this

        waits = []
        for reply in (too_many, too_many_of_this):
            for topic in list(forum.topics)[:20]:
                forum.bump(topic)
            forum.log.clear()
            forum.fail(r"/t/\d+\.json", lambda reply=reply: reply(0.3), times=5)  # type: ignore[misc]
            crawl(folder)
            waits += [later.at - earlier.at for earlier, later in pairwise(forum.log) if earlier.status == 429]
        print(f"429 that ask for 300 ms, of both kinds: {len(waits)}, next request after {min(waits) * 1000:.0f} ms at least")


def incremental() -> None:
    with DiscourseEmulator() as forum, tempfile.TemporaryDirectory() as home:
        for number in range(1000):
            forum.thread(f"thread {number}", "one", "two")
        folder = workspace(Path(home) / "ours", forum.url, extra_requests=10)
        crawl(folder)
        for topic in range(50, 550, 50):
            forum.reply(topic, "news")
        asked = len(forum.log)
        crawl(folder)
        requests = forum.log[asked:]
        print(f"a forum of 1,000 threads, ten with a new post: {len(requests)} requests, {len(requests) / 10:.1f} for a new post")


# --- others ---------------------------------------------------------------------------------------------------------


def peer_words(name: str, programs: Path, url: str, out: Path) -> Words:
    if name == "forum-dl":
        return (str(programs / "forum-dl"), "--output-format", "jsonl", "--output", str(out), url + "/")
    return (str(programs / "discosuck"), "--output_file", str(out), url)


def side_by_side(threads: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        venv.create(Path(home) / "peers", with_pip=True)
        programs = Path(home) / "peers" / "bin"
        subprocess.run([str(programs / "pip"), "install", "--quiet", *(need for needs in PEERS.values() for need in needs)], check=True)
        print(f"{'':<18}{'posts':>14}{'edits':>14}{'deletions':>14}{'requests':>10}{'at once':>8}{'seconds':>9}")
        for name in ("precipitate", *PEERS):
            chance = random.Random(seed)
            with DiscourseEmulator() as forum:
                populate(forum, threads, chance)
                visit: Callable[[], object]
                if name == "precipitate":
                    folder = workspace(Path(home) / "ours", forum.url)
                    visit = lambda folder=folder: crawl(folder)  # type: ignore[misc]  # noqa: E731
                else:
                    out = Path(home) / name
                    words = peer_words(name, programs, forum.url, out)
                    visit = lambda words=words: subprocess.run(words, capture_output=True, timeout=600)  # type: ignore[misc]  # noqa: E731
                forum.log.clear()
                began = time.monotonic()
                visit()
                first = "" if name == "precipitate" else out.read_text(encoding="utf-8")
                done = live_on(forum, chance, 60)
                for _ in range(3):
                    visit()
                seconds = time.monotonic() - began
                if name == "precipitate":
                    told = found_in(folder, forum, done)
                    posts, edits, gone = told["posts"], told["edits"], told["deletions"]
                else:
                    posts, edits, gone = peer_found(first, out.read_text(encoding="utf-8"), forum, done)
                cells = "".join(f"{got:>7} of {all_:<4}" for got, all_ in (posts, edits, gone))
                print(f"{name:<18}{cells}{len(forum.log):>10}{max(hit.at_once for hit in forum.log):>8}{seconds:>9.1f}", flush=True)


def peer_found(first: str, last: str, forum: DiscourseEmulator, done: Life) -> tuple[tuple[int, int], ...]:
    """What the first and the last output of another archiver hold. They mark neither edits nor deletions, so what could be
    found by comparing the two counts: an edit where the old text stands in the first and the new one in the last, a
    deletion where the text stands in the first and not in the last."""
    live = {post: data["cooked"][3:-4] for post, data in forum.posts.items() if not data["user_deleted"]}
    edited = [post for post in done["edited"] if post in live]
    return (
        (sum(_holds(last, words) for words in live.values()), len(live)),
        (sum(_holds(first, done["edited"][post]) and _holds(last, live[post]) for post in edited), len(edited)),
        (sum(_holds(first, words) and not _holds(last, words) for words in done["gone"].values()), len(done["gone"])),
    )


def _holds(text: str, words: str) -> bool:
    return re.search(rf"<p>{re.escape(words)}<", text) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    durability(arguments.threads, arguments.kills, arguments.seed)
    politeness(arguments.seed)
    incremental()
    if arguments.peers:
        side_by_side(60, arguments.seed)


if __name__ == "__main__":
    main()
