"""A server on loopback whose answers a function gives. A share of its requests can be made to fail."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.emulators.gate import Gate

Answering = Callable[[str], tuple[int, bytes] | tuple[int, bytes, dict[str, str]]]


class Quiet(ThreadingHTTPServer):
    """A client that was killed is no news."""

    def handle_error(self, *_: Any) -> None:
        pass


class Loopback:
    """`with Loopback(answer) as server`: `server.url`, `server.asked`, and `server.failing`, the share that gets a 503."""

    def __init__(self, answer: Answering) -> None:
        self.answer, self.failing, self.asked, self.url = answer, 0.0, list[str](), ""
        self.gate = Gate()
        self._chance = random.Random(4)

    def __enter__(self) -> Loopback:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536

            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.gate.wait()
                if self.path == "/robots.txt":
                    reply: tuple[Any, ...] = (404, b"")
                elif server._chance.random() < server.failing:
                    reply = (503, b"busy")
                else:
                    reply = server.answer(self.path)
                self.send_response(reply[0])
                for name, value in (reply[2] if len(reply) > 2 else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply[1])))
                self.end_headers()
                self.wfile.write(reply[1])

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)
