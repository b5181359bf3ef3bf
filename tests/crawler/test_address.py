"""Finding out what an address is: forums, and everything that is none, each with a message and a way out."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from crawler.address import find_source
from crawler.network import check_host
from index import hosts
from index.config import CrawlConfig
from index.errors import SourceError
from index.hosts import is_public
from tests.crawler.conftest import FAST
from tests.emulators.discourse import DiscourseEmulator, Reply, failure, json_reply, not_found, too_many


def refused(address: str, allow_private: bool = True, config: CrawlConfig = FAST) -> str:
    with pytest.raises(SourceError) as caught:
        find_source(address, allow_private, config)
    assert caught.value.way_out
    return caught.value.message


def test_a_forum_is_found_by_asking_it(forum: DiscourseEmulator) -> None:
    source = find_source(forum.url, True, FAST)
    host = forum.url.removeprefix("http://")
    assert (source.id, source.kind, source.base_url, source.title) == (f"discourse:{host}", "discourse", forum.url, "The emulated forum")
    assert [hit.path for hit in forum.log] == ["/site.json", "/about.json"]
    assert forum.log[0].agent == FAST.user_agent
    assert find_source(forum.url + "/t/some-thread/12?u=me", True, FAST).id == source.id


def test_a_forum_without_a_name(forum: DiscourseEmulator) -> None:
    forum.fail("/about", not_found)
    assert find_source(forum.url + "/", True, FAST).title == ""


def html(body: bytes, status: int = 200) -> Reply:
    return Reply(status, body, {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (not_found(), "has nothing there (404)"),
        (failure(500), "failed on its own side (500)"),
        (too_many(9), "asks for fewer requests (429)"),
        (json_reply({"errors": ["You need to be logged in"], "error_type": "not_logged_in"}, 403), "refuses to be read (403)"),
        (html(b"<form><input name=login type=password></form>"), "login page instead of JSON"),
        (html(b"<html>Welcome to my blog</html>"), "a web page instead of JSON"),
        (Reply(200, b"hello"), "something that is not JSON"),
        (Reply(200, b"\xff\xfe{"), "something that is not JSON"),
        (Reply(200, b"[" * 100_000), "something that is not JSON"),
        (json_reply([1]), "JSON that is no object"),
        (json_reply({"name": "a shop", "categories": []}), "is not a Discourse forum"),
        (Reply(302, b"", {"Location": "/login"}), "redirects to a login page"),
        (Reply(301, b"", {"Location": "http://127.0.0.1:1/site.json"}), "redirects to http://127.0.0.1:1/site.json"),
        (Reply(301, b"", {"Location": "/site.json"}), "redirects to"),
        (Reply(301, b"", {"Location": "http://[x"}), "redirects to"),
        (Reply(418, b""), "status 418"),
    ],
)
def test_what_is_no_forum(forum: DiscourseEmulator, reply: Reply, message: str) -> None:
    forum.fail("/site.json", lambda: reply)
    assert message in refused(forum.url)


def test_answers_too_large_or_too_slow(forum: DiscourseEmulator) -> None:
    forum.fail("/site.json", lambda: json_reply({"x": "y" * 5000}))
    assert "more than 1,000 bytes" in refused(forum.url, config=CrawlConfig(delay_seconds=0, max_response_bytes=1000))
    forum.slow = 1.5
    assert "did not answer within 1 seconds" in refused(forum.url, config=CrawlConfig(delay_seconds=0, timeout_seconds=1))


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "cannot be reached" in refused(f"http://127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("wss://relay.invalid", "relay.invalid cannot be found"),
        ("https://", "not a web address"),
        ("https://[::1", "not a web address"),
        ("https://x:99999", "not a web address"),
        ("https://me:secret@forum.example.org", "holds a user name or password"),
        ("no/such/folder", "neither a folder here nor a web address"),
        ("forum.example.org", "neither a folder here nor a web address"),
    ],
)
def test_what_is_no_address(address: str, message: str) -> None:
    assert message in refused(address)


def test_a_password_is_never_repeated() -> None:
    assert "secret" not in refused("https://me:secret@forum.example.org")


@pytest.mark.parametrize(
    "address",
    [
        *("https://127.0.0.1", "https://localhost", "https://[::1]", "https://2130706433", "https://10.0.0.5:8443", "wss://127.0.0.1"),
        f"wss://localhost/subscribe?wantedDids=did:plc:{'a' * 24}",
        f"at://did:plc:{'a' * 24}@https://127.0.0.1",
        "farcaster:7@https://10.0.0.5",
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    assert "loopback or private" in refused(address, allow_private=False)


def test_https_only(forum: DiscourseEmulator) -> None:
    assert "not encrypted" in refused(forum.url, allow_private=False)
    assert not forum.log


def test_every_address_behind_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("192.168.1.1", 443))]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    with pytest.raises(SourceError, match=r"forum.example.org \(192.168.1.1\)"):
        check_host("https://forum.example.org", False)
    assert check_host("https://forum.example.org", True) == ["93.184.216.34", "192.168.1.1"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
