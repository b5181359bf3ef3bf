"""WebSockets behind the same checks as requests: the host's checked addresses, its pace, bounded messages."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from crawler.hosts import CHECKED, SPENT, STOPPED, Host
from crawler.job import Job, StoppedError
from crawler.network import port_of
from index.errors import SourceError
from index.hosts import SECURE

CLOSE_SECONDS = 5


class Socket:
    """An open connection; see Channel in crawler/job.py."""

    def __init__(self, url: str, host: Host, job: Job, connection: Any) -> None:
        self.url, self.host, self.job, self._connection = url, host, job, connection

    async def send(self, text: str) -> None:
        from websockets.exceptions import ConnectionClosed

        await _turn(self.url, self.host, self.job)
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise _closed(self.url, error) from None
        self.host.pace.ended(time.time())

    async def receive(self, seconds: float) -> str | bytes | None:
        """The next message; None where none comes in time. What has come already is given also once the run is to stop."""
        from websockets.exceptions import ConnectionClosed

        receiving = asyncio.ensure_future(self._connection.recv())
        stopping = asyncio.ensure_future(self.job.stop.wait())
        try:
            await asyncio.wait({receiving, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                message: str | bytes = receiving.result()
                return message
        except ConnectionClosed as error:
            raise _closed(self.url, error) from None
        finally:
            for task in (receiving, stopping):
                task.cancel()
        if self.job.stop.is_set():
            raise StoppedError(f"{self.job.source.id}: {STOPPED}", "run again to resume")
        return None


@asynccontextmanager
async def open_socket(url: str, host: Host, job: Job) -> AsyncIterator[Socket]:
    """One connection at a time to a host; opening it is a request like any other."""
    import websockets
    from websockets.exceptions import WebSocketException

    async with host.streaming:
        await _turn(url, host, job)
        parts = urlsplit(url)
        try:
            plain = await _connect(CHECKED[(parts.hostname or "").lower()], port_of(parts), job.config.timeout_seconds)
            connection = await websockets.connect(
                url,
                sock=plain,
                ssl=ssl.create_default_context() if parts.scheme in SECURE else None,
                server_hostname=parts.hostname if parts.scheme in SECURE else None,
                user_agent_header=job.config.user_agent,
                max_size=job.config.max_response_bytes,
                open_timeout=job.config.timeout_seconds,
                close_timeout=CLOSE_SECONDS,
                proxy=None,
            )
        except ssl.SSLError as error:
            raise SourceError(f"{url} has no valid certificate: {error.reason}", "ask its operators") from None
        except (OSError, TimeoutError, WebSocketException) as error:
            host.pace.ended(time.time())
            host.pace.failed(f"{url}: {error or type(error).__name__}")
            raise SourceError(f"{url} cannot be reached: {error or type(error).__name__}", "run again later") from None
        host.pace.ended(time.time())
        host.pace.worked()
        try:
            yield Socket(url, host, job, connection)
        finally:
            await connection.close()


async def _turn(url: str, host: Host, job: Job) -> None:
    async with host.turn(job.budget):
        refusal = await host.may_send()
    if refusal == SPENT:
        raise StoppedError(
            f"{job.source.id}: stopped after {job.budget.spent:,} requests", "run again for the rest, or raise crawl.max_requests"
        )
    if refusal:
        raise StoppedError(f"{url}: {refusal}", host.pace.way_out)


async def _connect(addresses: list[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first checked address that takes one."""
    error: OSError = ConnectionRefusedError("no address")
    for address in addresses[:4]:
        plain = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        plain.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(plain, (address, port)), seconds)
            return plain
        except OSError as failed:
            plain.close()
            error = failed
    raise error


def _closed(url: str, error: Any) -> SourceError:
    frame = error.rcvd or error.sent
    said = f": {frame.code} {frame.reason!r}" if frame else ""
    return SourceError(f"{url} closed the connection{said}"[:300], "run again to go on")
