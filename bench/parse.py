"""Reading archives: posts a second from file to store, beside merely parsing the JSON, mail or XML; memory as it grows.

    python -m bench.parse [PATH …] [--posts 20000]

PATH is anything that `precipitate add` takes as an archive. Without one, archives of so many posts are made of the demo
forum's words in three kinds: Discourse JSON, mbox, Stack Exchange XML. Each figure is a process of its own.

parsing/s    posts for a second of processor time by the parser alone
records/s    the same with our mapping to records
stored/s     the whole load on two cores: posts for half of the processor time of all its processes, or for all of the
             loader's own where that is more. Other work on the machine hardly counts; an idle machine is as fast by the clock
by clock     the same by the clock of this machine, whatever else it does
ratio        processor time of the load beside that of merely parsing
MB           the most memory that all its processes held at once, and how much of it was the loader's
"""

from __future__ import annotations

import argparse
import json
import mailbox
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from crawler.address import find_source
from crawler.pipeline import read_archive
from crawler.registry import ARCHIVES, part
from index import tables_discussion as tables
from index.config import CrawlConfig
from index.records import Post
from index.store import Store, now
from index.workspace import init_workspace

HOME = Path(__file__).parent.parent
DEMO = HOME / "docs" / "demo" / "forum" / "topics.jsonl"


# --- archives of any size -------------------------------------------------------------------------------------------


def texts(posts: int) -> Iterator[tuple[int, int, str]]:
    """(thread, number in it, cooked HTML), again and again with other words in between."""
    threads = [json.loads(line)["post_stream"]["posts"] for line in DEMO.read_text(encoding="utf-8").splitlines()]
    told = thread = 0
    while told < posts:
        thread += 1
        for number, post in enumerate(threads[thread % len(threads)], 1):
            if post.get("cooked") and told < posts:
                told += 1
                yield thread, number, f"{post['cooked']}<p>said for the {told}th time</p>"


def make_discourse(folder: Path, posts: int) -> Path:
    folder.mkdir()
    (folder / "site.json").write_text('{"base_url": "https://big.example.org"}')
    with open(folder / "topics.jsonl", "w", encoding="utf-8") as out:
        thread: list[dict[str, object]] = []
        for number_of, number, cooked in texts(posts):
            if number == 1 and thread:
                out.write(_topic(thread))
                thread = []
            post = len(thread) + 1
            entry = {
                "id": number_of * 1000 + post,
                "post_number": post,
                "topic_id": number_of,
                "username": f"user{(number_of * 7 + post) % 97}",
            }
            entry |= {"user_id": (number_of * 7 + post) % 97 + 1, "created_at": f"2024-01-01T{post % 24:02d}:00:00.000Z", "cooked": cooked}
            thread.append(
                entry | {"version": 1, "actions_summary": [{"id": 2, "count": post % 3}], "reply_to_post_number": post - 1 or None}
            )
        out.write(_topic(thread))
    return folder


def _topic(posts: list[dict[str, object]]) -> str:
    topic = {"id": posts[0]["topic_id"], "title": f"Thread {posts[0]['topic_id']}", "created_at": posts[0]["created_at"]}
    return json.dumps(topic | {"post_stream": {"posts": posts, "stream": [post["id"] for post in posts]}}) + "\n"


def make_mbox(folder: Path, posts: int) -> Path:
    folder.mkdir()
    path = folder / "list.mbox"
    with open(path, "w", encoding="utf-8") as out:
        for thread, number, cooked in texts(posts):
            text = cooked.replace("</p>", "\n\n").replace("<p>", "")
            out.write(
                f"From user{number} Mon Jan 01 10:00:00 2024\nFrom: User {number} <user{number}@example.org>\nSubject: Thread {thread}\n"
            )
            out.write(f"Date: Mon, 01 Jan 2024 {number % 24:02d}:00:00 +0000\nMessage-ID: <{thread}.{number}@example.org>\n")
            out.write(f"In-Reply-To: <{thread}.{number - 1}@example.org>\n" if number > 1 else "")
            out.write(
                "List-Id: <big.example.org>\nContent-Type: text/plain; charset=utf-8\n\n" + text.replace("\nFrom ", "\n>From ") + "\n\n"
            )
    return path


def make_dump(folder: Path, posts: int) -> Path:
    folder = folder / "big.stackexchange.com"
    folder.mkdir(parents=True)
    with open(folder / "Posts.xml", "w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
        for thread, number, cooked in texts(posts):
            kind = 'PostTypeId="1" Title="A question"' if number == 1 else f'PostTypeId="2" ParentId="{thread * 50 + 1}"'
            out.write(
                f'  <row Id="{thread * 50 + number}" {kind} CreationDate="2024-01-01T10:00:00.000" Score="3" OwnerUserId="{number}" '
                f'OwnerDisplayName="user{number}" Body={quoteattr(cooked)} ContentLicense="CC BY-SA 4.0" />\n'
            )
        out.write("</posts>\n")
    with open(folder / "Users.xml", "w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<users>\n')
        out.writelines(f'  <row Id="{number}" DisplayName="user{number}" />\n' for number in range(1, 60))
        out.write("</users>\n")
    return folder


MADE: dict[str, Callable[[Path, int], Path]] = {"archive": make_discourse, "mbox": make_mbox, "stackexchange-dump": make_dump}


# --- measuring ------------------------------------------------------------------------------------------------------


def merely_parse(kind: str, path: Path) -> int:
    """Things told by the parser alone: the least that any reader has to do."""
    if kind == "archive":
        return sum(len(json.loads(line)["post_stream"]["posts"]) for line in open(path / "topics.jsonl", "rb"))
    if kind == "mbox":
        return sum(1 for message in mailbox.mbox(path) if message.get_payload(decode=True) is not None or message.is_multipart())
    return sum(element.tag == "row" for _, element in ElementTree.iterparse(path / "Posts.xml") if element.clear() is None)


def read(path: Path, load: bool) -> int:
    """Posts read, and with `load` brought into a fresh store."""
    source = find_source(str(path), False, CrawlConfig())
    with tempfile.TemporaryDirectory() as folder:
        workspace = init_workspace(Path(folder) / "w")
        with Store(workspace.database) as store:
            tables.add_source(store, source)
            parts = read_archive(store, source) if load else part(ARCHIVES[source.kind].read)(source, {}, now())
            posts = sum(isinstance(record, Post) for piece in parts for record in piece.records)
    return posts


def one(what: str, kind: str, path: Path) -> dict[str, float]:
    began, busy = time.perf_counter(), time.process_time()
    with _watched() as memory:
        posts = merely_parse(kind, path) if what == "parse" else read(path, what == "load")
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN)
    others = helpers.ru_utime + helpers.ru_stime
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"posts": posts, "seconds": seconds, "busy": busy + others, "two_cores": max(busy, (busy + others) / 2)}
    return figures | {"megabytes": max([own, *memory]), "own": own}


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Megabytes that this process and its children hold, looked up ten times a second: ru_maxrss of a child counts its parent's."""
    told: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            told.append(sum(_resident(process) for process in [str(os.getpid()), *_children()]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield told
    finally:
        over.set()
        watcher.join()


def _children() -> list[str]:
    return [child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()]


def _resident(process: str) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def apart(what: str, kind: str, path: Path) -> dict[str, float]:
    words = [sys.executable, "-m", "bench.parse", "--one", what, kind, str(path)]
    done = subprocess.run(words, cwd=HOME, env=os.environ, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(kind: str, path: Path) -> float:
    """A row of the table; the memory of loading in MB."""
    parse, mapped, loaded = (apart(what, kind, path) for what in ("parse", "map", "load"))
    speeds = [parse["posts"] / parse["busy"], mapped["posts"] / mapped["busy"], loaded["posts"] / loaded["two_cores"]]
    speeds.append(loaded["posts"] / loaded["seconds"])
    ratio = loaded["busy"] / loaded["posts"] * speeds[0]
    print(
        f"{kind:<20}{loaded['posts']:>9,.0f}{''.join(f'{speed:>12,.0f}' for speed in speeds)}{ratio:>9.1f}"
        f"{loaded['megabytes']:>9.0f}{loaded['own']:>7.0f}",
        flush=True,
    )
    return loaded["megabytes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one[0], arguments.one[1], Path(arguments.one[2]))))
        return
    print(f"{'':<20}{'posts':>9}{'parsing/s':>12}{'records/s':>12}{'stored/s':>12}{'by clock':>12}{'ratio':>9}{'MB':>9}{'own':>7}")
    for path in arguments.paths:
        show(find_source(str(path), False, CrawlConfig()).kind, path.resolve())
    if not arguments.paths:
        with tempfile.TemporaryDirectory() as folder:
            for kind, make in MADE.items():
                small = show(kind, make(Path(folder) / f"{kind}-1", arguments.posts))
                large = show(kind, make(Path(folder) / f"{kind}-4", 4 * arguments.posts))
                print(f"{'':<20}four times the posts take {large / small:.2f} times the memory")


if __name__ == "__main__":
    main()
