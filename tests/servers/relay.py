"""A Nostr relay that none of us wrote (nostr-relay, whose `until` is exclusive): `python relay.py`, prints its address."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

import nostr_relay
import uvicorn
import yaml
from alembic import config as alembic
from nostr_relay.config import Config
from nostr_relay.web import create_app


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    home = Path(tempfile.mkdtemp())
    os.chdir(home)
    validators = ["nostr_relay.validators.is_not_too_large", "nostr_relay.validators.is_signed"]
    settings = {
        "storage": {"sqlalchemy.url": f"sqlite+aiosqlite:///{home}/relay.sqlite3", "validators": validators},
        "authentication": {"enabled": False},
    }
    (home / "config.yaml").write_text(yaml.safe_dump(settings))
    Config.load(str(home / "config.yaml"))
    alembic.main([f"-c{Path(nostr_relay.__file__).parent / 'alembic.ini'}", "upgrade", "head"])
    threading.Thread(target=end_with_parent, daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error"))
    print(f"ws://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])
