"""DAOIP-5 and ERC-721 files by JSON schemas that were written from the standards, read by a schema library."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rewards.exports import export
from tests.rewards.builders import TOKEN
from tests.rewards.snapshots import crowd, round_of

ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
AMOUNT = {
    "type": "object",
    "required": ["amount", "denomination"],
    "properties": {
        "amount": {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"},
        "denomination": {"anyOf": [ADDRESS, {"type": "string", "minLength": 2}]},
    },
}
APPLICATION = {
    "type": "object",
    "required": ["type", "id", "grantPoolId", "grantPoolName", "projectId", "createdAt", "status", "payoutAddress", "fundsApproved"],
    "properties": {
        "type": {"const": "GrantApplication"},
        "id": {"type": "string", "pattern": "^daoip-5:[^:]+:grantPool:[^:]+:grantApplication:[^:]+$"},
        "grantPoolId": {"type": "string", "pattern": "^daoip-5:[^:]+:grantPool:[^:]+$"},
        "grantPoolName": {"type": "string"},
        "projectId": {"type": "string", "pattern": "^daoip-5:[^:]+:project:[^:]+$"},
        "projectName": {"type": "string"},
        "createdAt": {"type": "string", "pattern": "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9](:[0-5][0-9]){2}Z$"},
        "status": {"enum": ["pending", "in_review", "approved", "funded", "rejected", "completed"]},
        "payoutAddress": {
            "type": "object",
            "required": ["type", "value"],
            "properties": {"type": {"const": "EthereumAddress"}, "value": ADDRESS},
        },
        "fundsApproved": {"type": "array", "minItems": 1, "items": AMOUNT},
        "payouts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "value"],
                "properties": {"type": {"type": "string"}, "value": {"type": "object"}},
            },
        },
        "extensions": {"type": "object", "propertyNames": {"pattern": "^[a-z0-9.-]+$"}},
    },
    "additionalProperties": False,  # what is not of the standard belongs under extensions
}
POOL = {
    "type": "object",
    "required": ["type", "id", "name", "description", "grantFundingMechanism", "isOpen", "applications"],
    "properties": {
        "type": {"const": "GrantPool"},
        "id": {"type": "string", "pattern": "^daoip-5:[^:]+:grantPool:[^:]+$"},
        "name": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 1},
        "grantFundingMechanism": {"type": "string", "minLength": 1},
        "isOpen": {"type": "boolean"},
        "totalGrantPoolSize": {"type": "array", "minItems": 1, "items": AMOUNT},
        "applications": {"type": "array", "items": APPLICATION},
        "extensions": {"type": "object"},
    },
    "additionalProperties": False,
}
DAOIP5 = {
    "type": "object",
    "required": ["@context", "name", "type", "grantPools"],
    "properties": {
        "@context": {"const": "http://www.daostar.org/schemas"},
        "name": {"type": "string", "minLength": 1},
        "type": {"const": "DAO"},
        "grantPools": {"type": "array", "minItems": 1, "items": POOL},
    },
    "additionalProperties": False,
}
# EIP-721's "Asset Metadata" has name, description and image, none required; `attributes` as marketplaces read them.
TRAIT = {
    "type": "object",
    "required": ["trait_type", "value"],
    "properties": {
        "trait_type": {"type": "string"},
        "value": {"type": ["string", "integer"]},
        "display_type": {"enum": ["number", "boost_number", "boost_percentage", "date"]},
    },
    "if": {"required": ["display_type"]},
    "then": {"properties": {"value": {"type": "integer"}}},
}
ERC721 = {
    "title": "Asset Metadata",
    "type": "object",
    "required": ["name", "description"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 1},
        "image": {"type": "string", "pattern": "^[a-z]+:"},
        "external_url": {"type": "string", "pattern": "^https?://"},
        "attributes": {"type": "array", "items": TRAIT},
        "properties": {
            "type": "object",
            "required": ["token_id", "content_id"],
            "properties": {
                "token_id": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,77})$"},
                "content_id": {"type": "string", "minLength": 1},
            },
        },
    },
}
SCHEMAS: dict[str, dict[str, Any]] = {"daoip-5": DAOIP5, "erc721": ERC721}


def files(form: str, **changes: Any) -> list[Any]:
    snapshot = {**round_of(crowd(12), **changes)}
    if form == "daoip-5":
        snapshot["sent"] = {snapshot["payouts"][0]["address"]: "0x" + "ab" * 32}
    return [json.loads(content) for _, content in export("payouts", form, snapshot)]


def errors(form: str, data: Any) -> list[str]:
    Draft202012Validator.check_schema(SCHEMAS[form])
    return [error.json_path for error in Draft202012Validator(SCHEMAS[form]).iter_errors(data)]


@pytest.mark.parametrize("token", [TOKEN, "native"])
@pytest.mark.parametrize("form", list(SCHEMAS))
def test_files_are_of_the_standards_schema(form: str, token: str) -> None:
    found = files(form, token=token)
    assert found and [errors(form, data) for data in found] == [[]] * len(found)


@pytest.mark.parametrize(
    ("form", "path", "value"),
    [
        ("daoip-5", ("grantPools", 0, "applications", 1, "fundsApproved", 0, "amount"), 5),
        ("daoip-5", ("grantPools", 0, "applications", 1, "status"), "paid"),
        ("daoip-5", ("grantPools", 0, "applications", 1, "createdAt"), "yesterday"),
        ("daoip-5", ("grantPools", 0, "applications", 1, "payoutAddress", "value"), "0x12"),
        ("daoip-5", ("grantPools", 0, "isOpen"), "no"),
        ("erc721", ("attributes", 0, "value"), "three"),
        ("erc721", ("name",), ""),
        ("erc721", ("properties", "token_id"), 7),
    ],
)
def test_the_schemas_tell_a_spoiled_file(form: str, path: tuple[Any, ...], value: Any) -> None:
    data = deepcopy(files(form)[0])
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    assert inner[path[-1]] != value
    inner[path[-1]] = value
    assert errors(form, data)
