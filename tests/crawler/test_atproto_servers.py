"""A server of repositories and a Jetstream, both emulated: what is written there is found, whatever breaks."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from crawler import atproto_sweep, jetstream_sweep
from crawler.probe import Probe
from index.config import CrawlConfig
from index.errors import SourceError
from index.records import Source
from index.spool import Batch, load_batch
from index.store import Store
from index.tables_people import handles, identity_links
from tests.crawler.streams import Visits
from tests.emulators.atproto import LIKE, PROFILE, AtServer, AtWorld, Person


@pytest.fixture
def world() -> Iterator[AtWorld]:
    with AtServer(AtWorld()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream_sweep, "QUIET_SECONDS", 0.3)


def server(store: Store, world: AtWorld) -> Visits:
    source = atproto_sweep.find(world.url, Probe(True, CrawlConfig(delay_seconds=0.0)))
    assert source is not None and source.kind == "atproto"
    return Visits(store, source, atproto_sweep.sweep, _no_domains)


def stream(store: Store, world: AtWorld) -> Visits:
    people = "&".join(f"wantedDids={did}" for did in world.people)
    source = jetstream_sweep.find(f"{world.stream}?{people}#plc={world.url}/plc", Probe(True, CrawlConfig(delay_seconds=0.0)))
    assert source is not None and source.kind == "jetstream"
    return Visits(store, source, jetstream_sweep.sweep, _no_domains)


def _no_domains(store: Store, source: Source) -> dict[str, object]:
    """Domains are looked up by https, which nothing here has."""
    return {**atproto_sweep.hints(store, source), "domains": []}


def fill(world: AtWorld, threads: int = 12) -> tuple[Person, Person, Person]:
    ann, bob, cat = (world.people.get(f"did:plc:{name}") or world.person(name) for name in ("ann", "bob", "cat"))
    for number in range(threads):
        root = ann.post(f"Step {number}: first\nthen")
        one = bob.post(f"did {number}", root)
        cat.post(f"me too {number}", one, root)
        bob.like(root)
        cat.like(root)
    for person in (ann, bob):
        person.write(PROFILE, {"displayName": person.name.title(), "description": f"see https://{person.name}.example"}, "self")
    return ann, bob, cat


def check(store: Store, threads: int = 12) -> None:
    assert store.execute("SELECT count(*), count(DISTINCT thread), sum(likes) FROM posts WHERE state = 'live'") == [
        (threads * 3, threads, threads * 2)
    ]
    assert store.execute("SELECT count(*) FROM threads WHERE title LIKE 'Step %'") == [(threads,)]
    assert store.execute("SELECT handle, name FROM authors ORDER BY handle") == [
        ("ann.example.org", "Ann"),
        ("bob.example.org", "Bob"),
        ("cat.example.org", ""),
    ]
    assert {link.target for link in identity_links(store) if link.kind == "url"} == {"https://ann.example", "https://bob.example"}


@pytest.mark.parametrize("kind", ["server", "stream"])
def test_from_first_reading_to_edits_and_deletions(kind: str, store: Store, world: AtWorld) -> None:
    ann, bob, _cat = fill(world)
    reading = server(store, world) if kind == "server" else stream(store, world)
    assert reading.visit() is None
    check(store)
    before, asked = reading.content(), reading.requests
    assert reading.visit() is None and reading.content() == before and reading.requests - asked <= 3

    posts = [f"at://{ann.did}/{path}" for path in ann.records if "feed.post" in path]
    like = next(f"at://{bob.did}/{path}" for path in bob.records if LIKE in path)
    ann.edit(posts[0], "another text")
    ann.delete(posts[1])
    bob.delete(like)
    ann.say_handle("ann.new.example")
    ann.post("news")
    assert reading.visit() is None
    states = reading.states()
    assert (states[posts[0]], states[posts[1]]) == ("edited", "author_deleted")
    assert store.execute("SELECT body FROM post_versions") == [("Step 0: first\nthen",)]
    assert store.execute("SELECT body FROM posts WHERE id IN (?, ?) ORDER BY body", posts[:2]) == [("",), ("another text",)]
    assert store.execute("SELECT likes FROM posts WHERE id = ?", [posts[0]]) == [(1,)]
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'news'") == [(1,)]
    assert [handle for handle, _ in handles(store, f"at://{ann.did}")] == ["ann.example.org", "ann.new.example"]
    assert reading.visit() is None and reading.states() == states  # told twice, still the same


@pytest.mark.parametrize("kind", ["server", "stream"])
def test_accounts_that_rest_come_back_and_deleted_ones_are_forgotten(kind: str, store: Store, world: AtWorld) -> None:
    ann, bob, _ = fill(world, 3)
    reading = server(store, world) if kind == "server" else stream(store, world)
    assert reading.visit() is None
    ann.set_status("deactivated")
    bob.set_status("deleted")
    assert reading.visit() is None
    found = dict(store.execute("SELECT author, list(DISTINCT state) FROM posts GROUP BY author"))
    assert found[f"at://{ann.did}"] == ["missing_unconfirmed"] and found[f"at://{bob.did}"] == ["author_deleted"]
    assert store.execute("SELECT handle, name FROM authors WHERE id = ?", [f"at://{bob.did}"]) == [(bob.did, "")]
    assert store.execute("SELECT count(*) FROM reactions WHERE actor = ?", [f"at://{bob.did}"]) == [(0,)]
    ann.set_status("")
    ann.post("back again")
    assert reading.visit() is None
    assert store.execute("SELECT list(DISTINCT state), count(*) FROM posts WHERE author = ?", [f"at://{ann.did}"]) == [(["live"], 4)]


@pytest.mark.parametrize("kind", ["server", "stream"])
def test_cut_off_anywhere_with_a_fifth_of_all_requests_failing(kind: str, store: Store, world: AtWorld) -> None:
    fill(world, 6)
    world.failing, world.drop_after = 0.2, 7
    reading = server(store, world) if kind == "server" else stream(store, world)
    chance = random.Random(2)
    for _ in range(8):
        reading.visit(cut_after=chance.randint(0, 4))
    for _ in range(40):
        if reading.visit() is None:
            break
    check(store, 6)
    fill_more = world.people[next(iter(world.people))]
    fill_more.post("late")
    for _ in range(40):
        if reading.visit() is None:
            break
    assert store.execute("SELECT count(*) FROM posts WHERE body = 'late'") == [(1,)]


def test_without_cars_records_are_listed_and_two_looks_settle_what_is_gone(store: Store, world: AtWorld) -> None:
    ann, _, _ = fill(world)
    world.no_car = True
    reading = server(store, world)
    assert reading.visit() is None
    check(store)
    post = f"at://{ann.did}/{next(path for path in ann.records if 'feed.post' in path)}"
    ann.delete(post)
    assert reading.visit() is None and reading.states()[post] == "missing_unconfirmed"
    ann.post("something else, so that the repository is looked at again")
    assert reading.visit() is None and reading.states()[post] == "pruned"


def test_a_stream_that_does_not_reach_back_is_made_whole_from_repositories(store: Store, world: AtWorld) -> None:
    for refuses in (True, False):
        world.refuses_old = refuses
        people = fill(world, 2) if not world.people else tuple(world.people.values())
        reading = stream(store, world)
        assert reading.visit() is None
        gone = people[0].post("gone before it was seen")
        kept = people[0].post(f"written while nobody looked {refuses}")
        people[0].delete(gone)
        world.events.clear()  # the stream forgot
        old = int((time.time() - 3 * 86_400) * 1_000_000)
        store.execute("UPDATE cursors SET value = ? WHERE name = 'cursor'", [str(old)])
        assert reading.visit() is None
        assert reading.states()[kept] == "live" and gone not in reading.states()
        assert "the stream does not reach back to the last run; repositories were read again" in reading.rejects()


def test_a_clock_that_jumps_back_loses_nothing(store: Store, world: AtWorld) -> None:
    ann, _, _ = fill(world, 2)
    reading = stream(store, world)
    assert reading.visit() is None
    first = ann.post("before the jump")
    second = f"at://{ann.did}/app.bsky.feed.post/3zzzzzzzzzzzz"
    world.events.append({"did": ann.did, "time_us": world.events[-1]["time_us"] - 1_800_000_000, "kind": "commit", "commit": {
        "rev": "3zzzzzzzzzzzz", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3zzzzzzzzzzzz",
        "record": {"text": "after the jump", "createdAt": "2026-06-01T00:00:00Z"}}})  # fmt: skip
    assert reading.visit() is None
    assert {first, second} <= set(reading.states()) and "the stream's clock jumped back" in reading.rejects()


def test_a_domain_that_changes_hands(store: Store, world: AtWorld) -> None:
    web = world.person("web", method="web")
    web.post("mine")
    reading = server(store, world)
    assert reading.visit() is None and len(reading.states()) == 1
    web.new_key("thief")
    web.post("not mine")
    error = reading.visit()
    assert error is not None and len(reading.states()) == 1
    (detail,) = store.execute("SELECT detail FROM rejects WHERE reason = 'not read: repository'")[0]
    assert "another signing key" in detail


def test_one_broken_repository_does_not_stop_the_others(store: Store, world: AtWorld) -> None:
    ann, bob, _ = fill(world, 2)
    car = bob.car()
    bob.car = lambda: car[: len(car) // 2]  # type: ignore[method-assign]
    reading = server(store, world)
    assert reading.visit() is None  # listed instead
    check(store, 2)
    assert reading.rejects() == {"repository cannot be had whole; its records are listed instead": 1}
    bob.did, ann.did = ann.did, bob.did  # each is given for the other
    ann.tick = None  # type: ignore[attr-defined]
    ann.rev = bob.rev = "3zzzzzzzzzzzz"
    assert isinstance(reading.visit(), SourceError)


def test_one_person_is_found_by_handle(store: Store, world: AtWorld) -> None:
    ann, _, _ = fill(world, 2)
    probe = Probe(True, CrawlConfig(delay_seconds=0.0))
    source = atproto_sweep.find(f"at://{ann.handle}@{world.url}", probe)
    assert source is not None and (source.id, source.base_url, source.title) == (f"at://{ann.did}", world.url, ann.handle)
    reading = Visits(store, source, atproto_sweep.sweep, _no_domains)
    assert reading.visit() is None and len(reading.states()) == 2
    asked = reading.requests
    assert reading.visit() is None and reading.requests - asked == 1
    ann.set_status("deactivated")
    assert reading.visit() is None and set(reading.states().values()) == {"missing_unconfirmed"}
    with pytest.raises(SourceError, match="names no account"):
        atproto_sweep.find("at://nobody", probe)
    assert atproto_sweep.find("https://example.org/a/b", probe) is None
    with pytest.raises(SourceError, match="names nobody"):
        jetstream_sweep.find(world.stream, probe)


def test_raw_answers_give_the_same_and_can_lose_a_post(store: Store, world: AtWorld) -> None:
    ann, _, _ = fill(world, 4)
    reading = stream(store, world)
    assert reading.visit() is None
    late = ann.post("late")
    assert reading.visit() is None
    with Store(":memory:") as other:
        for number, records in enumerate(jetstream_sweep.parse(reading.source, reading.kept)):
            load_batch(other, Batch(f"r{number}", reading.source.id, "2024-01-01T00:00:00Z", {}, tuple(records)))
        told = "SELECT id, thread, author, created, body, reply_to FROM posts ORDER BY id"
        assert other.execute(told) == store.execute(told)
    some = next(iter(reading.states()))
    for post in (late, some):
        left = [rest for answer in reading.kept if (rest := jetstream_sweep.redact(answer.body, post)) is not None]
        assert sum(len(rest.splitlines()) for rest in left) == len(reading.states()) - 1
