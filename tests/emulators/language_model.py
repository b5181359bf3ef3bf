"""An OpenAI-compatible endpoint on loopback whose "model" is a script: it gets what was asked and says what it likes.

It logs every request. It can also misbehave as servers do: other statuses, too much, too slowly, never.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any]], Any]


class Misbehaviour:
    """What the server does in place of a chat completion."""

    def __init__(self, act: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.act = act


def status(code: int, body: bytes = b"{}", **headers: str) -> Misbehaviour:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return Misbehaviour(act)


def raw(body: bytes, content_type: str = "application/json", claimed: int | None = None) -> Misbehaviour:
    return status(200, body, Content_Type=content_type, Content_Length=str(len(body) if claimed is None else claimed))


def endless(chunk: bytes, pause: float = 0.0, seconds: float = 30.0) -> Misbehaviour:
    """A body without end: as fast as it goes, or a little now and then."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        until = time.monotonic() + seconds
        with suppress(OSError):
            while time.monotonic() < until:
                handler.wfile.write(chunk)
                handler.wfile.flush()
                time.sleep(pause)

    return Misbehaviour(act)


def endless_headers(seconds: float = 30.0) -> Misbehaviour:
    def act(handler: BaseHTTPRequestHandler) -> None:
        until = time.monotonic() + seconds
        with suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while time.monotonic() < until:
                handler.wfile.write(b"a")
                time.sleep(0.1)

    return Misbehaviour(act)


def completion(content: Any, tokens: tuple[int, int] = (1000, 50), finish: str = "stop") -> dict[str, Any]:
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}], "usage": usage}  # fmt: skip


def shown_to(request: dict[str, Any]) -> dict[str, Any]:
    """The data of a request, as a model reads it."""
    text = request["messages"][-1]["content"]
    data: dict[str, Any] = json.loads(text.split("<data>\n")[1].split("\n</data>")[0])
    return data


class LanguageModelEmulator:
    """`with LanguageModelEmulator(script) as model:` serves it at `model.url`.

    The script's answer is operations (a list), the text of a message, or a Misbehaviour.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def __enter__(self) -> LanguageModelEmulator:
        emulator = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                emulator.requests.append(request)
                emulator.headers.append({name.lower(): value for name, value in self.headers.items()} | {":path": self.path})
                said = emulator.script(request)
                if isinstance(said, list):
                    said = {"operations": said}
                act = said if isinstance(said, Misbehaviour) else raw(json.dumps(completion(said)).encode())
                with suppress(OSError):
                    act.act(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.socket.close()
        self._thread.join()
