"""A Snapchain node that cannot be run here: stores of messages, events by shard that it forgets after three days, pruning."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crawler.farcaster_signed import digest, encoded

EPOCH = 1_609_459_200
Message = dict[str, Any]


def sign(data: dict[str, Any]) -> Message:
    """A message of its author, as the HTTP API gives it. That others sign the same is tested with messages of theirs."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(str(data["fid"]).encode()).digest())
    hash = digest(next(encoded(data)))
    schemes = {"hashScheme": "HASH_SCHEME_BLAKE3", "signatureScheme": "SIGNATURE_SCHEME_ED25519"}
    signature = base64.b64encode(key.sign(hash)).decode()
    return {
        "data": data,
        "hash": "0x" + hash.hex(),
        "signature": signature,
        "signer": "0x" + key.public_key().public_bytes_raw().hex(),
        **schemes,
    }


class FarcasterNode:
    def __init__(self, shards: int = 2) -> None:
        self.shards = shards
        self.clock = int(time.time()) - EPOCH - 100_000
        self.messages: dict[str, Message] = {}  # by hash: what the stores hold
        self.proofs: list[dict[str, Any]] = []
        self.events: dict[int, list[dict[str, Any]]] = {shard: [] for shard in range(1, shards + 1)}
        self.height = 0
        self.fids: set[int] = set()

    # --- what people do

    def tick(self) -> int:
        self.clock += 7
        self.height += 1
        return self.clock

    def _merge(self, fid: int, type: str, **body: Any) -> Message:
        self.fids.add(fid)
        data = {"type": type, "fid": fid, "timestamp": self.tick(), "network": "FARCASTER_NETWORK_MAINNET", **body}
        message = sign(data)
        self.messages[message["hash"]] = message
        self._event(fid, {"type": "HUB_EVENT_TYPE_MERGE_MESSAGE", "mergeMessageBody": {"message": message, "deletedMessages": []}})
        return message

    def _event(self, fid: int, event: dict[str, Any]) -> None:
        self.events[fid % self.shards + 1].append({"id": self.height << 14 | len(self.events[fid % self.shards + 1]) % 100, **event})

    def cast(self, fid: int, text: str, parent: Message | None = None, url: str = "", **more: Any) -> Message:
        add: dict[str, Any] = {
            "embedsDeprecated": [],
            "text": text,
            "embeds": [],
            "mentions": [],
            "mentionsPositions": [],
            "type": "CAST",
            **more,
        }
        if parent is not None:
            add["parentCastId"] = {"fid": parent["data"]["fid"], "hash": parent["hash"]}
        elif url:
            add["parentUrl"] = url
        return self._merge(fid, "MESSAGE_TYPE_CAST_ADD", castAddBody=add)

    def remove(self, cast: Message) -> None:
        del self.messages[cast["hash"]]
        self._merge(
            cast["data"]["fid"],
            "MESSAGE_TYPE_CAST_REMOVE",
            castRemoveBody={"targetHash": base64.b64encode(bytes.fromhex(cast["hash"][2:])).decode()},
        )

    def react(self, fid: int, cast: Message, type: str = "LIKE") -> Message:
        target = {"fid": cast["data"]["fid"], "hash": cast["hash"]}
        return self._merge(fid, "MESSAGE_TYPE_REACTION_ADD", reactionBody={"type": f"REACTION_TYPE_{type}", "targetCastId": target})

    def unreact(self, reaction: Message) -> None:
        del self.messages[reaction["hash"]]
        self._merge(reaction["data"]["fid"], "MESSAGE_TYPE_REACTION_REMOVE", reactionBody=reaction["data"]["reactionBody"])

    def say(self, fid: int, type: str, value: str) -> None:
        self._merge(fid, "MESSAGE_TYPE_USER_DATA_ADD", userDataBody={"type": f"USER_DATA_TYPE_{type}", "value": value})

    def verify(self, fid: int, address: str) -> Message:
        told = {"address": address, "claimSignature": "", "blockHash": "0x", "type": 0, "chainId": 0, "protocol": "PROTOCOL_ETHEREUM"}
        return self._merge(fid, "MESSAGE_TYPE_VERIFICATION_ADD_ETH_ADDRESS", verificationAddAddressBody=told)

    def unverify(self, message: Message) -> None:
        del self.messages[message["hash"]]
        address = message["data"]["verificationAddAddressBody"]["address"]
        self._merge(
            message["data"]["fid"],
            "MESSAGE_TYPE_VERIFICATION_REMOVE",
            verificationRemoveBody={"address": address, "protocol": "PROTOCOL_ETHEREUM"},
        )

    def name(self, fid: int, name: str) -> None:
        self.proofs.append({"timestamp": int(time.time()), "name": name, "owner": "0x00", "fid": fid, "type": "USERNAME_TYPE_FNAME"})

    def prune(self, cast: Message) -> None:
        """Out of room: the cast goes from the store, and nobody has said that it should be forgotten."""
        del self.messages[cast["hash"]]
        self.tick()
        self._event(cast["data"]["fid"], {"type": "HUB_EVENT_TYPE_PRUNE_MESSAGE", "pruneMessageBody": {"message": cast}})

    def forget_events(self) -> None:
        for shard in self.events:
            self.events[shard] = []

    # --- what it answers

    def answer(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = parts.path.removeprefix("/v1/")
        if name == "info":
            shards = [{"shardId": shard, "maxHeight": self.height} for shard in range(self.shards + 1)]
            return _json({"dbStats": {}, "numShards": self.shards, "shardInfos": shards})
        if name == "fids":
            fids = sorted(fid for fid in self.fids if fid % self.shards + 1 == int(query["shard_id"]))
            return _json(_page(fids, query, "fids"))
        if name == "events":
            events = [one for one in self.events[int(query["shard_index"])] if one["id"] >= int(query["from_event_id"])]
            return _json({"events": events[: int(query["pageSize"])]})
        if name == "userNameProofsByFid":
            return _json({"proofs": [proof for proof in self.proofs if proof["fid"] == int(query["fid"])]})
        found = [message for message in self.messages.values() if self._matches(name, message, query)]
        return _json(_page(sorted(found, key=lambda message: (message["data"]["timestamp"], message["hash"])), query, "messages"))

    def _matches(self, name: str, message: Message, query: dict[str, str]) -> bool:
        data = message["data"]
        mine = data["fid"] == int(query.get("fid", 0))
        if name == "castsByFid":
            return mine and data["type"] == "MESSAGE_TYPE_CAST_ADD"
        if name == "castsByParent":
            add = data.get("castAddBody", {})
            if "url" in query:
                return add.get("parentUrl") == query["url"]
            return add.get("parentCastId") == {"fid": int(query["fid"]), "hash": query["hash"]}
        if name in ("reactionsByCast", "reactionsByFid"):
            told = data.get("reactionBody", {})
            if data["type"] != "MESSAGE_TYPE_REACTION_ADD" or told["type"] != query["reaction_type"]:
                return False
            return (
                mine
                if name == "reactionsByFid"
                else told["targetCastId"] == {"fid": int(query["target_fid"]), "hash": query["target_hash"]}
            )
        kinds = {"userDataByFid": "MESSAGE_TYPE_USER_DATA_ADD", "verificationsByFid": "MESSAGE_TYPE_VERIFICATION_ADD_ETH_ADDRESS"}
        return mine and data["type"] == kinds.get(name)


def _page(values: list[Any], query: dict[str, str], name: str) -> dict[str, Any]:
    size, start = min(int(query.get("pageSize", 100)), 25), int(query.get("pageToken") or 0)
    following = str(start + size) if start + size < len(values) else ""
    return {name: values[start : start + size], "nextPageToken": following}


def _json(value: Any, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()
