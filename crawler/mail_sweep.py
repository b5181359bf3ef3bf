"""Reading mailing lists from their archives on the web: public-inbox and HyperKitty. Threads come as mbox, each whole.

public-inbox lists messages newest first in Atom pages of 25, and gives a whole thread as `/ID/t.mbox.gz`. HyperKitty has a
REST interface that lists threads by their last activity, and exports the mails of one as `/export/….mbox.gz?thread=`.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from crawler.answers import Answer, complain, read_object
from crawler.feed import parse_feed
from crawler.fields import line, mappings, moment
from crawler.files import ALLOWED, MAX_RATIO
from crawler.job import Ask, Emit, Job, told_by
from crawler.mail import Conversations, MailList, hyperkitty_link, message_records, public_inbox_link
from crawler.mbox import split_messages
from crawler.probe import Probe
from crawler.rising import Found, read_rising
from index.errors import SourceError
from index.records import Post, Source
from index.spool import Record
from index.store import now

_HYPERKITTY = re.compile(r"(https?://[^/]+(?:/[\w-]+)*?)/list/([^/\s]+@[^/\s]+)(?:/.*)?$")
_ENTRY_ID = re.compile(r"/([^/]+@[^/]+)/?$")


# --- public-inbox ---------------------------------------------------------------------------------------------------


def find_public_inbox(address: str, probe: Probe) -> Source | None:
    """An inbox's address: `/new.atom` below it lists its mails, and `/_/text/config` says whose they are."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.path.strip("/"):
        return None
    base = f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    config = probe.reads(f"{base}/_/text/config/raw", headers={"Accept": "text/plain"})
    if config is None or config.status != 200 or b"[publicinbox " not in config.body:
        return None
    told = re.search(rb"^;?\s*description\s*=\s*(.+)$", config.body, re.M) or re.search(rb"^\s*address\s*=\s*(\S+@\S+)", config.body, re.M)
    return Source(
        id=f"list:{parts.netloc.lower()}{parts.path.rstrip('/')}",
        kind="public-inbox",
        address=address,
        base_url=base,
        title=line(told.group(1).decode("utf-8", "replace"), 200) or "" if told else "",
        allow_private=probe.allow_private,
    )


async def sweep_public_inbox(job: Job, ask: Ask, emit: Emit) -> None:
    done: set[str] = set()  # messages of threads that were read in this run

    async def thread(key: str, cursor: dict[str, str]) -> None:
        if key in done:
            emit([], cursor)
            return
        answer = await ask(f"{job.source.base_url}/{quote(unquote(key), safe='@')}/t.mbox.gz", headers={"Accept": "*/*"})
        complain(answer)
        records = mail_records(job.source, answer)
        done.update(quote(name, safe="@") for name in message_ids(records))
        emit(told_by(records, answer), cursor)

    await read_rising(job, emit, _inbox_listing(job, ask), thread)


async def _inbox_listing(job: Job, ask: Ask) -> AsyncIterator[list[Found]]:
    """Messages by the time of their arrival, newest first; the next page begins before the oldest of this one."""
    before = ""
    while True:
        answer = await ask(f"{job.source.base_url}/new.atom{f'?t={before}' if before else ''}", headers={"Accept": "*/*"}, keep=False)
        if answer.status == 404 and before:
            return
        complain(answer)
        page = []
        for entry in parse_feed(answer.body, answer.url).entries:
            named, when = _ENTRY_ID.search(line(entry.get("link"), 1_000) or ""), moment(entry.get("updated"), now())
            if named and when:
                page.append(Found(when, quote(unquote(named.group(1)), safe="@")))
        yield page
        oldest = datetime.fromisoformat(min((one.moment for one in page), default="1980-01-01T00:00:00Z")).strftime("%Y%m%d%H%M%S")
        if not page or oldest == before:
            return
        before = oldest


def parse_public_inbox(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    for answer in answers:
        if answer.status == 200 and answer.url.endswith("/t.mbox.gz"):
            yield told_by(mail_records(source, answer), answer)


# --- HyperKitty -----------------------------------------------------------------------------------------------------


def find_hyperkitty(address: str, probe: Probe) -> Source | None:
    """A list's page, such as `https://lists.example.org/archives/list/dev@example.org/`."""
    named = _HYPERKITTY.match(address)
    if not named:
        return None
    base, name = named.group(1), named.group(2).lower()
    answer = probe.reads(f"{base}/api/list/{name}/?format=json")
    try:
        found = read_object(answer) if answer is not None else {}
    except SourceError:
        return None
    if (line(found.get("name")) or "").lower() != name:
        return None
    return Source(
        id=f"list:{name}",
        kind="hyperkitty",
        address=address,
        base_url=f"{base}/list/{name}",
        title=line(found.get("display_name")) or name,
        allow_private=probe.allow_private,
    )


def _api(source: Source) -> str:
    base, _, name = source.base_url.rpartition("/list/")
    return f"{base}/api/list/{name}"


async def sweep_hyperkitty(job: Job, ask: Ask, emit: Emit) -> None:
    async def thread(key: str, cursor: dict[str, str]) -> None:
        name = job.source.base_url.rpartition("/")[2]
        answer = await ask(f"{job.source.base_url}/export/{name}-{key}.mbox.gz?thread={quote(key)}", headers={"Accept": "*/*"})
        complain(answer)
        emit(told_by(mail_records(job.source, answer), answer), cursor)

    await read_rising(job, emit, _kitty_listing(job, ask), thread)


async def _kitty_listing(job: Job, ask: Ask) -> AsyncIterator[list[Found]]:
    url: str | None = f"{_api(job.source)}/threads/?format=json"
    while url:
        value = read_object(await ask(url, keep=False))
        page = [_kitty_thread(raw) for raw in mappings(value.get("results"))]
        yield [one for one in page if one]
        following = line(value.get("next"), 1_000)
        url = following if following and following != url and following.startswith(_api(job.source).partition("/api/")[0]) else None


def _kitty_thread(raw: dict[str, Any]) -> Found | None:
    key, when = line(raw.get("thread_id"), 100), moment(raw.get("date_active"), now())
    return Found(when, key) if when and key and re.fullmatch(r"[A-Z0-9]{10,64}", key) else None


def parse_hyperkitty(source: Source, answers: Iterable[Answer]) -> Iterator[list[Record]]:
    for answer in answers:
        if answer.status == 200 and "/export/" in answer.url:
            yield told_by(mail_records(source, answer), answer)


# --- both -----------------------------------------------------------------------------------------------------------


def mail_records(source: Source, answer: Answer) -> list[Record]:
    """Records of one thread's mbox. Raises SourceError where it cannot be unpacked."""
    links: dict[str, Callable[[str], Callable[[str], str]]] = {"public-inbox": public_inbox_link, "hyperkitty": hyperkitty_link}
    mails = MailList(source.id, answer.seen or now(), links[source.kind](source.base_url))
    conversations = Conversations()
    found: list[Record] = []
    for number, (raw, received) in enumerate(split_messages(io.BytesIO(_unpacked(answer))), 1):
        if raw is not None:
            found += message_records(mails, conversations, raw, f"{answer.url} message {number}", received)
    return found


def _unpacked(answer: Answer) -> bytes:
    if not answer.body.startswith(b"\x1f\x8b"):
        return answer.body  # some servers unpack on the way
    most = max(ALLOWED, len(answer.body) * MAX_RATIO)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(answer.body)) as file:
            body = file.read(most + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{answer.url} cannot be unpacked: {error}", "run again later") from None
    if len(body) > most:
        raise SourceError(f"{answer.url} unpacks to more than {MAX_RATIO} times its size", "it is a decompression bomb")
    return body


def message_ids(records: Sequence[Record]) -> list[str]:
    return [record.id.removeprefix("msgid:") for record in records if isinstance(record, Post)]
