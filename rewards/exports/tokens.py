"""ERC-721 metadata: a token that points at a procedure by its content id, and at those who worked it out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from index.errors import MoneyError
from rewards.exports.files import Files, json_text
from rewards.exports.payees import Paying
from rewards.money import keccak256


def erc721(paying: Paying) -> Files:
    """A metadata file for each procedure that earned credit in the round; `properties.token_id` is its content id as uint256."""
    by_version: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for credit in paying.snapshot["credits"]:
        by_version.setdefault((credit["procedure"], credit["version_id"]), []).append(credit)
    if not by_version:
        raise MoneyError(
            f"round {paying.name} holds no credits: there is no procedure to point at", "run `precipitate run`, then allocate it"
        )
    addresses = {a["author"]: a["address"] for a in paying.snapshot["allocations"]}
    return [
        (f"erc721-{paying.name}-{procedure}.json", json_text(_metadata(paying, version, credits, addresses)))
        for (procedure, version), credits in sorted(by_version.items())
    ]


def token_id(version_id: str) -> int:
    """The content id as a uint256: the hash itself where it is a sha256, a hash of it where it is not."""
    hashed = re.fullmatch("sha256:([0-9a-f]{64})", version_id)
    return int(hashed[1], 16) if hashed else int.from_bytes(keccak256(version_id.encode()), "big")


def _metadata(paying: Paying, version_id: str, credits: Sequence[Mapping[str, Any]], addresses: Mapping[str, str | None]) -> dict[str, Any]:
    first = min(credits, key=lambda credit: (credit["created"], credit["post"]))
    steps = {credit["step"] for credit in credits}
    contributors = _contributors(credits, addresses)
    return {
        "name": first["title"],
        "description": f"A procedure worked out in public. Contributors: {len(contributors)}. This token points at its content, {version_id}.",
        "external_url": first["permalink"],
        "attributes": [
            {"trait_type": "credited steps", "value": len(steps), "display_type": "number"},
            {"trait_type": "contributors", "value": len(contributors), "display_type": "number"},
            {"trait_type": "round", "value": paying.name},
        ],
        "properties": {
            "schema": "precipitate/token/1",
            "token_id": str(token_id(version_id)),
            "content_id": version_id,
            "procedure": first["procedure"],
            "release": paying.snapshot["release"],
            "contributors": contributors,
        },
    }


def _contributors(credits: Sequence[Mapping[str, Any]], addresses: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Who earned points with the procedure, most first; `address` is null where it is not known."""
    people: dict[str, dict[str, Any]] = {}
    for credit in credits:
        author = credit["author"]
        person = people.setdefault(author, {"author": author, "handle": credit["handle"], "address": addresses.get(author), "points": 0})
        person["points"] += credit["points"]
    return sorted(people.values(), key=lambda person: (-person["points"], person["author"]))
