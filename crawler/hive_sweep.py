"""Reading a Hive community: discussions by the moment they were made, each in one request, from nodes that stand in for each other."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from crawler.answers import Answer, read_object
from crawler.fields import line, mapping, moment
from crawler.hive import discussion_records, key_of, roots_found
from crawler.job import Ask, Emit, ForbiddenError, Job, StoppedError, told_by
from crawler.probe import Probe
from crawler.rising import Found, look_again, read_rising
from index.errors import SourceError
from index.records import Source
from index.spool import Record
from index.store import Store, now

NODES = ("https://api.hive.blog", "https://api.deathwing.me", "https://hive-api.arcange.eu")
PAGE = 20  # the most that the bridge gives
LOOKED_AT = 200
_NAME = re.compile(r"hive:([a-z0-9][a-z0-9-]{1,40})(?:@(https?://\S+))?$")
_PAGE = re.compile(r"https://(?:hive\.blog|peakd\.com|ecency\.com)/(?:trending/|created/|c/)?(hive-\d{3,10})/?(?:[?#].*)?$")


# What the bridge says of a post that was deleted: every node that is asked has to say so.
_GONE = re.compile(r"does not exist|was deleted|not found", re.I)


def call(method: str, parameters: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": f"bridge.{method}", "params": parameters}, sort_keys=True).encode()


def find(address: str, probe: Probe) -> Source | None:
    """`hive:hive-167922`, `hive:TAG@https://node[,https://node]`, or the community's page."""
    named = _NAME.match(address) or _PAGE.match(address)
    if not named:
        if address.startswith("hive:"):
            raise SourceError(f"{address!r} names no Hive community", "write it like hive:hive-167922")
        return None
    tag = named.group(1)
    nodes = named.group(2).split(",") if named.re is _NAME and named.group(2) else list(NODES)
    answer = next((got for node in nodes if (got := probe.reads(node, "POST", call("get_community", {"name": tag})))), None)
    if answer is None:
        raise SourceError(f"none of {', '.join(nodes)} answers", "run again later")
    found = mapping(read_object(answer).get("result"))
    if tag.startswith("hive-") and found.get("name") != tag:
        raise SourceError(f"{nodes[0]} knows no community {tag!r}", "see that its name is written as in its address")
    title = line(found.get("title")) or tag
    return Source(id=f"hive:{tag}", kind="hive", address=address, base_url=",".join(nodes), title=title, allow_private=probe.allow_private)


def hints(store: Store, source: Source) -> dict[str, Any]:
    from index.tables_hints import known_threads

    return dict(known_threads(store, source.id, LOOKED_AT))


async def sweep(job: Job, ask: Ask, emit: Emit) -> None:
    tag = job.source.id.removeprefix("hive:")
    nodes = job.source.base_url.split(",")

    async def discussion(key: str, cursor: dict[str, str]) -> None:
        author, _, permlink = key.partition("/")
        answer, value = await _asked(ask, nodes, call("get_discussion", {"author": author, "permlink": permlink}))
        emit(told_by(discussion_records(job.source.id, key, value, answer.seen or now()), answer), cursor)

    await read_rising(job, emit, _listing(job, ask, nodes, tag), discussion)
    await look_again(job, emit, discussion, lambda thread: thread.removeprefix("hive:t/"), LOOKED_AT)


async def _listing(job: Job, ask: Ask, nodes: list[str], tag: str) -> AsyncIterator[list[Found]]:
    last = ""
    while True:
        asked: dict[str, Any] = {"sort": "created", "tag": tag, "limit": PAGE}
        if last:
            asked |= {"start_author": last.partition("/")[0], "start_permlink": last.partition("/")[2]}
        _, value = await _asked(ask, nodes, call("get_ranked_posts", asked), keep=False)
        roots = [(key, when) for key, told in roots_found(value) if (when := moment(told, now())) and key != last]
        yield [Found(when, key) for key, when in roots]
        if not roots:
            return
        last = roots[-1][0]


async def _asked(ask: Ask, nodes: list[str], sent: bytes, keep: bool = True) -> tuple[Answer, Any]:
    """The first node's answer that is one; a node that fails goes to the end of the list."""
    said, answer = "no node", Answer(nodes[0], 0)
    for _ in range(len(nodes)):
        try:
            answer = await ask(nodes[0], "POST", sent, {"Content-Type": "application/json"}, keep=keep)
            value = read_object(answer)
            if value.get("result") is not None:
                return answer, value["result"]
            said = line(mapping(value.get("error")).get("message"), 200) or "no result"
        except StoppedError:
            raise
        except (ForbiddenError, SourceError) as error:
            said = error.message
        nodes.append(nodes.pop(0))
    if _GONE.search(said):
        return answer, {}
    raise SourceError(f"no Hive node answers the question: {said}", "run again later, or name other nodes: hive:TAG@https://node")


def parse(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    """Records of raw answers, for `precipitate reparse`."""
    for answer in answers:
        try:
            sent, value = mapping(json.loads(answer.sent)), mapping(json.loads(answer.body)).get("result")
        except (ValueError, RecursionError):
            continue
        if sent.get("method") == "bridge.get_discussion" and (root := key_of(mapping(sent.get("params")))):
            yield told_by(discussion_records(source.id, root, value, answer.seen), answer)
