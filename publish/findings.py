"""What `verify` found: levels, each with what it looked at and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST = 200  # findings kept per level: whoever broke more than that broke all

LEVELS = {1: "hashes", 2: "signatures", 3: "decisions", 4: "quotes", 5: "rebuild"}
NEEDS = {
    4: "the words of the posts: a body pack, or a crawl of your own (run it inside that workspace)",
    5: "all posts of the release: its body pack, or a crawl of your own; and --rebuild, for it takes as long as a run",
}


@dataclass(frozen=True, slots=True)
class Finding:
    level: int
    file: str
    where: str  # line, block, bytes; "" for the whole file
    what: str


@dataclass(slots=True)
class Level:
    number: int
    checked: dict[str, int] = field(default_factory=dict)  # what was looked at → how many
    findings: list[Finding] = field(default_factory=list)
    more: int = 0  # findings beyond MOST
    left_out: str = ""  # why it was not run, or not whole
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, where: str, what: str) -> None:
        if len(self.findings) < MOST:
            self.findings.append(Finding(self.number, file, where, what))
        else:
            self.more += 1

    def count(self, what: str, by: int = 1) -> None:
        self.checked[what] = self.checked.get(what, 0) + by

    @property
    def state(self) -> str:
        if self.findings:
            return "findings"
        return "not run" if self.left_out and not self.checked else "partly" if self.left_out else "ok"

    def value(self) -> dict[str, Any]:
        return {
            **{"level": self.number, "name": LEVELS[self.number], "state": self.state, "checked": self.checked},
            **{"needs": NEEDS.get(self.number), "left_out": self.left_out or None, "notes": self.notes},
            "findings": [{"file": f.file, "where": f.where, "what": f.what} for f in self.findings],
            "more": self.more,
        }
