"""A Mastodon server that none of us wrote (mastodon-mock): `python mastodon.py`, prints its address, ends with its parent.

Its people are alice, bob and carol, with the tokens "alice_token" and so on.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn
from mastodon_mock.app import create_app
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig
from mastodon_mock.testing.seed import DEFAULT_TEST_SEED


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    config = MastodonMockConfig(domain=host, url_scheme="http", database=DatabaseConfig(path=":memory:"), seed=DEFAULT_TEST_SEED)
    server = uvicorn.Server(uvicorn.Config(create_app(config), log_level="error"))
    print(f"http://{host}", flush=True)
    server.run(sockets=[listener])
