"""Servers that mean harm or are broken, on loopback: each answers robots.txt and then does one bad thing."""

from __future__ import annotations

import datetime
import gzip
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Behaviour = Callable[["Handler"], None]
SITE = {"default_archetype": "regular", "post_types": {"regular": 1}, "categories": []}
CHUNK = b"x" * 65_536


class Handler(BaseHTTPRequestHandler):
    behave: Behaviour
    server: Hostile
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        try:
            if self.path.endswith("/robots.txt"):
                self.say(b"User-agent: *\nDisallow:\n", "text/plain")
            elif self.path.endswith("/site.json"):
                self.say(json.dumps(SITE).encode())
            else:
                type(self).behave(self)
        except OSError:
            pass  # the reader has hung up, as it should
        finally:
            if self.path != "/robots.txt":
                self.close_connection = True

    def say(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.send_body(body)

    def send_body(self, data: bytes) -> None:
        self.wfile.write(data)
        self.server.sent += len(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Hostile(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), type("One", (Handler,), {"behave": behave}))
        self.asked: list[str] = []
        self.sent = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken connections are what these servers are for


@contextmanager
def serve(behave: Behaviour, tls: bool = False) -> Iterator[tuple[str, Hostile]]:
    server = Hostile(behave)
    if tls:
        with tempfile.TemporaryDirectory() as folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(_certificate(Path(folder)))
            server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}", server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def topics(first: int, count: int = 30, bumped: str = "2024-05-01T10:00:00.000Z") -> bytes:
    listed = [{"id": number, "bumped_at": bumped} for number in range(first, first + count)]
    return json.dumps({"topic_list": {"topics": listed, "more_topics_url": "/latest?page=1"}}).encode()


# --- one bad thing each ---------------------------------------------------------------------------------------------


def endless_pages(handler: Handler) -> None:
    """Every page of the listing holds thirty threads that nobody has seen."""
    handler.say(topics(30 * len(handler.server.asked)))


def the_same_page(handler: Handler) -> None:
    """Every page is the first, and no thread can be read."""
    handler.say(topics(1) if "/latest" in handler.path else b'{"id": 1, "post_stream": {"posts": [], "stream": [1]}}')


def backwards(handler: Handler) -> None:
    """Later pages are newer than earlier ones."""
    page = len(handler.server.asked)
    handler.say(topics(page, 3, f"20{10 + page % 14:02d}-05-01T10:00:00.000Z"))


def endless_body(handler: Handler) -> None:
    """More than a gigabyte, if it is let."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(20_000):
        handler.send_body(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK))


def promised_body(handler: Handler) -> None:
    """Says that a gigabyte will come."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    for _ in range(16_000):
        handler.send_body(CHUNK)


def bomb(handler: Handler) -> None:
    """A hundred megabytes in a hundred kilobytes."""
    handler.say(gzip.compress(b" " * 100_000_000), Content_Encoding="gzip")


def drip(handler: Handler) -> None:
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(200):
        handler.send_body(b" ")
        time.sleep(0.1)


def hang_up(handler: Handler) -> None:
    handler.connection.close()


def nonsense(handler: Handler) -> None:
    handler.send_body(b"\x00\xff\x16\x03 not HTTP at all\r\n\r\n")


def wait_till_2099(handler: Handler) -> None:
    handler.say(b"Slow down", "text/plain", 429, Retry_After="Thu, 01 Jan 2099 00:00:00 GMT")


def elsewhere(handler: Handler) -> None:
    """A redirect to the machine's own services."""
    handler.say(b"", status=302, Location="http://169.254.169.254/latest/meta-data/")


def nested(handler: Handler) -> None:
    handler.say(b'{"a":' * 200_000)


def odd_clock(handler: Handler) -> None:
    """Threads bumped in 2099 and posts of 1970; one post is of today."""
    if "/latest" in handler.path:
        listed = [
            {"id": 1, "bumped_at": "2099-01-01T00:00:00.000Z", "created_at": "2024-01-01T00:00:00.000Z"},
            {"id": 2, "bumped_at": "1970-01-01T00:00:00.000Z"},
        ]
        handler.say(json.dumps({"topic_list": {"topics": listed}}).encode())
        return
    post = {"post_type": 1, "username": "ann", "user_id": 1, "cooked": "<p>x</p>", "version": 1}
    times = ("1970-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", "2024-01-01T00:00:00.000Z")
    posts = [post | {"id": 100 + number, "post_number": number, "created_at": when} for number, when in enumerate(times, 1)]
    handler.say(
        json.dumps({"id": 1, "title": "t", "created_at": times[1], "post_stream": {"posts": posts, "stream": [101, 102, 103]}}).encode()
    )


def _certificate(folder: Path) -> Path:
    """A certificate that nobody vouches for, and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    moment = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(moment - datetime.timedelta(days=1)).not_valid_after(moment + datetime.timedelta(days=1))
    certificate = built.sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "pair.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
