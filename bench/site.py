"""The site: how long it takes to write, how large it is, and how fast a browser shows it.

    python -m bench.site WORKSPACE            the site of a workspace
    python -m bench.site --procedures 20000   one of made-up SOPs, as many as asked for

Prints seconds, files and megabytes; and for each kind of page, by Debian's Chromium from a server on loopback: when the
first content is painted and all is loaded, requests that leave the site, axe-core's findings (tests/npm, `make
test-system` installs it), and how long a search and the map take.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from index.workspace import find_workspace
from publish.site.build import SiteReport, build_site, page_kinds
from publish.site.data import SiteData
from publish.site.open import open_site

NPM = Path(__file__).parent.parent / "tests" / "npm"
VERBS = "open file send sign check post ask draft merge deploy rotate back up restore fund review audit vote claim dispute".split()
THINGS = (
    "ledger grant node wallet ballot release key budget forum council bridge oracle vault index archive council charter form panel".split()
)


class Made:
    """A snapshot of made-up SOPs, with the queries that the site asks."""

    def __init__(self, count: int) -> None:
        self.count = count

    def procedures(self) -> list[dict[str, Any]]:
        return [self._row(number) for number in range(self.count)]

    def records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {identifier: self._record(int(identifier[4:])) for identifier in ids}

    def _title(self, number: int) -> str:
        chance = random.Random(number)
        return f"How to {chance.choice(VERBS)} the {chance.choice(THINGS)} {chance.choice(THINGS)} {number}"

    def _row(self, number: int) -> dict[str, Any]:
        row = {"id": f"sop-{number:05}", "version": 1, "title": self._title(number), "goal": self._title(number), "steps": 8, "authors": 3}
        return row | {"support": number % 9, "dissent": number % 4, "sources": ["made"], "threads": [f"t{number}"], "cluster": number % 400}

    def _record(self, number: int) -> dict[str, Any]:
        chance = random.Random(number)
        steps = []
        for n in range(1, 9):
            text = " ".join([chance.choice(VERBS), "the", *chance.choices(THINGS, k=7), "before", chance.choice(THINGS), "closes"])
            cited = {"role": "states", "author": f"made:h/u/{number * 3 % 5000}", "handle": f"person{number * 3 % 5000}", "exact": text}
            cited |= {
                "permalink": f"https://made.example/t/{number}/{n}",
                "created": "2025-05-01T10:00:00Z",
                "thread": f"t{number}",
                "number": n,
            }
            again = {**cited, "role": "confirms", "exact": f"Yes: {text}", "number": n + 20}
            step = {"n": n, "text": text, "previous_text": None, "actor": None, "condition": None, "optional": False, "flags": []}
            steps.append(step | {"citations": [cited, again], "support": n % 3, "dissent": n % 2})
        record = {
            "id": f"sop-{number:05}",
            "version": 1,
            "version_id": "sha256:0",
            "title": self._title(number),
            "goal": self._title(number),
        }
        record |= {"purpose": None, "preconditions": [], "roles": [], "tools": [], "verification": [], "status": "draft", "ordered": True}
        other = f"sop-{(number + 1) % self.count:05}"
        return record | {"steps": steps, "stances": [], "alternatives": [other], "forked_from": None, "threads": [], "sources": []}

    def sources(self) -> list[dict[str, Any]]:
        row = {"id": "made:h", "kind": "archive", "address": "", "title": "Made", "licence": None, "payable": True, "posts": self.count * 9}
        return [row | {"threads": self.count, "threads_with_procedures": 9, "procedures": self.count, "micros": 1, "last_error": None}]

    def left_out(self) -> list[dict[str, Any]]:
        return []

    abstentions = costs = llm_costs = left_out


def made_up(count: int, folder: Path) -> SiteReport:
    snapshot: Any = Made(count)
    credits = [
        {"author": f"made:h/u/{n % 5000}", "handle": f"person{n % 5000}", "source": "made:h", "points": 700_000, "procedure": f"sop-{n:05}"}
        | {"title": snapshot._title(n), "role": "first_said", "step": 1, "step_text": "x", "quote": "x", "created": "2025", "permalink": ""}
        for n in range(count)
    ]
    vectors = np.random.default_rng(0).normal(size=(count, 384)).astype(np.float32)
    data = SiteData("Made up", "sha256:0", "precipitate", "2025-05-01T10:00:00Z", snapshot, credits, [])
    return build_site(data, ([f"sop-{n:05}" for n in range(count)], vectors), folder, lambda *_: None)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


def browse(folder: Path, question: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        found = json.loads(
            subprocess.run(["node", "check_site.mjs", base, *page_kinds(folder)], cwd=NPM, capture_output=True, check=True).stdout
        )
        for page, told in found.items():
            print(
                f"{page:44} painted {told['painted']:5} ms, loaded {told['loaded']:5} ms, axe {len(told['violations'])}, outside {len(told['outside'])}"
            )
        used = json.loads(subprocess.run(["node", "use_site.mjs", base, question], cwd=NPM, capture_output=True, check=True).stdout)
        print(f"search: {used['searched']} ms to the first hits ({used['hits'][0]!r}); map: {used['drawn']} ms; errors {used['errors']}")
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--procedures", type=int, default=20_000)
    parser.add_argument("--question", default="open the ledger")
    parser.add_argument("--out", type=Path, help="keep the site here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.out or Path(temporary) / "site"
        began = time.monotonic()
        if arguments.workspace:
            with open_site(find_workspace(arguments.workspace), "Site") as (data, vectors):
                report = build_site(data, vectors, folder, lambda *_: None)
        else:
            report = made_up(arguments.procedures, folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        peak, processor = used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime
        print(
            f"{report.procedures:,} SOPs: {time.monotonic() - began:.1f} s, {processor:.1f} of the processor, {report.files:,} files, "
            f"{report.bytes / 1e6:.1f} MB, peak {peak:.2f} GB"
        )
        browse(folder, arguments.question)


if __name__ == "__main__":
    main()
