"""A mailing list as public-inbox serves it: Debian's own package, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crawler.conftest import Bench
from tests.emulators.conversations import mail, message_id
from tests.emulators.world import World

pytestmark = pytest.mark.system


class Inbox:
    """A list in a home of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/dev"
        self.home, self.port = home, port
        self.env = os.environ | {"HOME": str(home), "PI_CONFIG": str(home / "config"), "PERL_INLINE_DIRECTORY": ""}
        address = "dev@lists.example.org"
        (home / "config").write_text("[publicinboxmda]\n\tspamcheck = none\n")
        self.run("public-inbox-init", "-V2", "dev", str(home / "dev"), self.url, address)

    def run(self, *words: str, given: bytes = b"") -> None:
        done = subprocess.run(words, input=given, env=self.env, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()

    def deliver(self, raw: bytes) -> None:
        done = subprocess.run(
            ["public-inbox-mda", "--no-precheck"],
            input=raw,
            env=self.env | {"ORIGINAL_RECIPIENT": "dev@lists.example.org"},
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Inbox(tmp_path, port)
    (tmp_path / "spam").mkdir()
    server = subprocess.Popen(
        ["public-inbox-httpd", "-l", f"127.0.0.1:{port}", "-W0"], env=made.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "public-inbox-httpd does not start"
                time.sleep(0.1)
        yield made
    finally:
        server.terminate()
        server.wait(20)


def test_a_list_is_read_and_what_is_new_is_read_on(bench: Bench, inbox: Inbox) -> None:
    world = World.filled(threads=12, replies=3)
    first = list(world.posts.values())
    for post in first:
        inbox.deliver(mail(world, post).as_bytes())
    source = bench.add(inbox.url)
    assert source.kind == "public-inbox"
    assert bench.crawl(max_requests=5).errors
    assert bench.crawl().errors == {}
    check(bench, inbox, world)
    late = world.reply(first[0].id, "zoe", "One more thing: lock the door.")
    inbox.deliver(mail(world, world.posts[late]).as_bytes())
    before = bench.store.execute("SELECT count(*) FROM post_versions")
    report = bench.crawl()
    assert report.errors == {} and report.sources[0].requests <= 6
    check(bench, inbox, world)
    assert bench.store.execute("SELECT count(*) FROM post_versions") == before


def check(bench: Bench, inbox: Inbox, world: World) -> None:
    rows = bench.store.rows("SELECT p.id, p.plain, p.permalink, t.title FROM posts p JOIN threads t ON t.id = p.thread")
    found = {row["id"]: row for row in rows}
    assert set(found) == {f"msgid:{message_id(post)}" for post in world.posts.values()}
    for post in world.posts.values():
        row = found[f"msgid:{message_id(post)}"]
        assert row["plain"].strip() == post.text and row["title"] == world.posts[post.root].title
        assert row["permalink"] == f"{inbox.url}/{message_id(post)}/"
