"""A PDS that none of us wrote (arroba), in an environment of its own: `python serve.py`, prints its address, ends with its parent.

POST /control/person {"did", "handle"} makes a repository; GET /control/document/{did} is its DID document. All else is
the PDS's own XRPC: records are written with `com.atproto.repo.*` as any client does.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

os.environ |= {"REPO_TOKEN": "token", "PDS_HOST": "localhost", "PLC_HOST": "localhost", "REPO_PASSWORD": "x", "ROLLBACK_WINDOW": "1000"}

from arroba import server, xrpc_repo, xrpc_server, xrpc_sync  # noqa: F401 (their methods register themselves)
from arroba.did import encode_did_key
from arroba.repo import Repo
from arroba.storage import MemoryStorage
from arroba.util import new_key
from flask import Flask, request
from lexrpc.flask_server import init_flask

app = Flask("pds")
server.storage = MemoryStorage()
KEYS = {}
# The directory of DIDs of the whole network is out of reach here; the one below stands in for it.
for name in ("resolve_did", "resolve_plc"):
    if hasattr(xrpc_repo.did, name):
        setattr(xrpc_repo.did, name, lambda did, **_: document(did))


@app.post("/control/person")
def person() -> dict[str, str]:
    did, handle = request.json["did"], request.json["handle"]
    KEYS[did] = (new_key(), handle)
    Repo.create(server.storage, did, handle=handle, signing_key=KEYS[did][0])
    return {"did": did}


@app.get("/control/document/<did>")
def document(did: str) -> dict[str, object]:
    key, handle = KEYS[did]
    return {
        "id": did,
        "alsoKnownAs": [f"at://{handle}"],
        "verificationMethod": [{"id": f"{did}#atproto", "publicKeyMultibase": encode_did_key(key.public_key()).removeprefix("did:key:")}],
        "service": [{"id": "#atproto_pds", "serviceEndpoint": request.host_url.rstrip("/")}],
    }


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    init_flask(server.server, app)
    threading.Thread(target=end_with_parent, daemon=True).start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    from werkzeug.serving import make_server

    make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno()).serve_forever()
