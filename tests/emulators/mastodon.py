"""A small Mastodon server: timelines by min_id, contexts cut for those without an account, histories, deletions, closed feeds."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

Status = dict[str, Any]


class MastodonServer:
    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.favourites: dict[str, list[str]] = {}
        self.clock, self.url = 1_700_000_000, ""
        self.closed = self.hidden = self.no_likers = False
        self.cut = 60

    def account(self, name: str) -> dict[str, Any]:
        fields = [{"name": "web", "value": f'<a href="https://{name}.example" rel="me">x</a>', "verified_at": "2023-01-01T00:00:00Z"}]
        return {"id": name, "username": name, "acct": name, "display_name": name.title(), "url": f"{self.url}/@{name}", "fields": fields}

    def _now(self) -> str:
        self.clock += 60
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.clock))

    def post(self, name: str, text: str, parent: str | None = None, tag: str = "") -> str:
        number = str(109_000_000_000_000_000 + len(self.statuses) * 1_000 + len(self.histories))
        self.statuses[number] = {
            "id": number, "uri": f"{self.url}/users/{name}/statuses/{number}", "url": f"{self.url}/@{name}/{number}", "created_at": self._now(),
            "edited_at": None, "in_reply_to_id": parent, "content": f"<p>{text}</p>", "spoiler_text": "", "visibility": "public", "reblog": None,
            "account": self.account(name), "mentions": [], "tags": [{"name": tag}] if tag else [], "replies_count": 0, "favourites_count": 0,
        }  # fmt: skip
        self.histories[number] = [{"content": f"<p>{text}</p>", "created_at": self.statuses[number]["created_at"]}]
        self.favourites[number] = []
        if parent in self.statuses:
            self.statuses[parent]["replies_count"] += 1
        return number

    def edit(self, number: str, text: str) -> None:
        self.statuses[number] |= {"content": f"<p>{text}</p>", "edited_at": self._now()}
        self.histories[number].append({"content": f"<p>{text}</p>", "created_at": self.statuses[number]["edited_at"]})

    def favourite(self, number: str, name: str) -> None:
        self.favourites[number].append(name)
        self.statuses[number]["favourites_count"] += 1

    def delete(self, number: str) -> None:
        del self.statuses[number]

    def answer(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        words = parts.path.removeprefix("/api/v1/").split("/")
        if words[0] == "instance":
            return _json({"uri": "fed.example", "title": "Fed", "version": "4.3.0", "stats": {"status_count": len(self.statuses)}})
        if words[0] == "timelines":
            if self.closed:
                return _json({"error": "This method requires an authenticated user"}, 422)
            tag = words[2] if words[1] == "tag" else ""
            found = [one for one in self.statuses.values() if not tag or {"name": tag} in one["tags"]]
            above = sorted((one for one in found if int(one["id"]) > int(query["min_id"])), key=lambda one: int(one["id"]))[
                : int(query["limit"])
            ]
            return _json([] if self.hidden else above[::-1])
        status = self.statuses.get(words[1]) if words[0] == "statuses" and len(words) > 1 else None
        if status is None:
            return _json({"error": "Record not found"}, 404)
        if len(words) == 2:
            return _json(status)
        if words[2] == "context":
            return _json({"ancestors": self._above(status), "descendants": self._below(status)[: self.cut]})
        if words[2] == "history":
            return _json(self.histories[words[1]])
        return _json({"error": "login"}, 401) if self.no_likers else _json([self.account(name) for name in self.favourites[words[1]]])

    def _above(self, status: Status) -> list[Status]:
        found: list[Status] = []
        while (status := self.statuses.get(status["in_reply_to_id"] or "", {})) and len(found) < 40:
            found.insert(0, status)
        return found

    def _below(self, status: Status) -> list[Status]:
        """Level by level, so that a cut leaves out what is deepest."""
        found, level = list[Status](), [status["id"]]
        while level:
            children = [one for one in self.statuses.values() if one["in_reply_to_id"] in level]
            found += children
            level = [one["id"] for one in children]
        return found


def _json(value: Any, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()
