"""Books of other systems: SourceCred's ledger and DAOIP-5's grant pools."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from index.records import Payout
from rewards import merkle
from rewards.exports.files import Files, json_line, json_text
from rewards.exports.payees import Paying

# SourceCred refuses ids with these: signs, and pairs of letters that could spell a curse.
_UNCLEAN = re.compile(r"[+/_-]|[csfhuit]{2}", re.IGNORECASE)
_NODE_END = "\0"  # of a part of a SourceCred node address


def sourcecred(paying: Paying) -> Files:
    """Events to append to SourceCred's ledger: payees as identities, then one distribution of the amounts, in base units.

    Each payee is an allocation of its own by the SPECIAL policy, the one that says that SourceCred did not compute it.
    """
    ids = _Uuids(f"{paying.name}/{paying.snapshot['round']['created']}")
    payees = {payout.address: ids.make(payout.address) for payout in paying.some()}
    actions = [action for payout in paying.payouts for action in _identity(paying, payout, payees[payout.address])]
    allocations = [
        {
            "id": ids.make(f"allocation {payout.address}"),
            "policy": {
                "policyType": "SPECIAL",
                "budget": str(payout.amount),
                "memo": f"precipitate round {paying.name}",
                "recipient": payees[payout.address],
            },
            "receipts": [{"id": payees[payout.address], "amount": str(payout.amount)}],
        }
        for payout in paying.payouts
    ]
    time = _milliseconds(paying.snapshot["round"]["created"])
    distribution = {"id": ids.make("distribution"), "credTimestamp": time, "allocations": allocations}
    actions.append({"type": "DISTRIBUTE_GRAIN", "distribution": distribution})
    events = [
        {"action": action, "ledgerTimestamp": time, "version": "1", "uuid": ids.make(f"event {place}")}
        for place, action in enumerate(actions)
    ]
    return [(f"sourcecred-{paying.name}.ndjson", "".join(json_line(event) for event in events))]


def _identity(paying: Paying, payout: Payout, uuid: str) -> Iterator[dict[str, Any]]:
    """A new identity with its payout address as alias; it has to be active to be given anything."""
    handle = re.sub("[^A-Za-z0-9-]", "-", paying.handles(payout).partition("@")[0])[:33] or "payee"
    name = f"{handle}-{payout.address[2:10]}"  # at most 42 characters, and its own even where handles are alike
    address = _node("sourcecred", "core", "IDENTITY", uuid)
    yield {"type": "CREATE_IDENTITY", "identity": {"id": uuid, "name": name, "subtype": "USER", "address": address, "aliases": []}}
    alias = {"description": payout.address, "address": _node("sourcecred", "ethereum", payout.address)}
    yield {"type": "ADD_ALIAS", "identityId": uuid, "alias": alias}
    yield {"type": "TOGGLE_ACTIVATION", "identityId": uuid}


def _node(*parts: str) -> str:
    return "N" + _NODE_END + "".join(part + _NODE_END for part in parts)


class _Uuids:
    """SourceCred's ids, 128 bits in base64 without signs: hashes of what they name, so that the same round gives the same."""

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def make(self, what: str) -> str:
        attempt = 0
        while True:
            digest = hashlib.sha256(f"{self.seed}\n{what}\n{attempt}".encode()).digest()[:16]
            text = base64.b64encode(digest).decode().rstrip("=")
            if not _UNCLEAN.search(text):
                return text
            attempt += 1


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) * 1000


def daoip5(paying: Paying) -> Files:
    """DAOIP-5 (DAOstar's grants standard): a closed grant pool with an approved application for each payee."""
    snapshot = paying.snapshot
    round_ = snapshot["round"]
    pool = f"daoip-5:precipitate:grantPool:{paying.name}"
    denomination = round_["token"]
    data = {
        "@context": "http://www.daostar.org/schemas",
        "name": f"precipitate round {paying.name}",
        "type": "DAO",
        "grantPools": [
            {
                "type": "GrantPool",
                "id": pool,
                "name": paying.name,
                "description": "Retroactive rewards for those whose posts became cited procedures. Amounts are base units of the token.",
                "grantFundingMechanism": "Retro Funding",
                "isOpen": False,
                "totalGrantPoolSize": [{"amount": round_["budget"], "denomination": denomination}],
                "applications": [_application(paying, place, payout, pool) for place, payout in enumerate(paying.some())],
                "extensions": {
                    "x-precipitate": {
                        "release": snapshot["release"],
                        "merkleRoot": merkle.root(merkle.dump(paying.payouts)["tree"]),
                        "totals": snapshot["totals"],
                        "decimals": paying.decimals,
                        "policy": round_["policy"],
                    }
                },
            }
        ],
    }
    return [(f"daoip-5-{paying.name}.json", json_text(data))]


def _application(paying: Paying, place: int, payout: Payout, pool: str) -> dict[str, Any]:
    funds = {"amount": str(payout.amount), "denomination": paying.snapshot["round"]["token"]}
    sent = paying.snapshot.get("sent", {}).get(payout.address)  # the transaction that the operator noted in the ledger
    return {
        "type": "GrantApplication",
        "id": f"daoip-5:precipitate:grantPool:{paying.name}:grantApplication:{place}",
        "grantPoolId": pool,
        "grantPoolName": paying.name,
        "projectId": f"daoip-5:precipitate:project:{paying.payee_id(payout)}",
        "projectName": paying.handles(payout),
        "createdAt": paying.snapshot["round"]["created"],
        "fundsApproved": [funds],
        "payoutAddress": {"type": "EthereumAddress", "value": payout.address},
        "status": "funded" if sent else "approved",
        "payouts": [{"type": "OnchainTransaction", "value": {"to": payout.address, **funds}, "proof": sent}] if sent else [],
        "extensions": {"x-precipitate": {"authors": list(payout.authors)}},
    }
