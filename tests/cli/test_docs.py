"""Every command's help stands in the manual and leads with an example."""

from __future__ import annotations

import pytest

from tests.cli.manual import PAGE, all_paths, help_of, page

GROUPS: set[tuple[str, ...]] = {(), ("identity",), ("round",), ("config",)}


def test_manual_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.cli.manual"


@pytest.mark.parametrize(
    "path",
    [path for path in all_paths() if path and path not in {("identity",), ("round",), ("claim",), ("config",), ("key",), ("optout",)}],
    ids=" ".join,
)
def test_help_leads_with_an_example(path: tuple[str, ...]) -> None:
    lines = help_of(path).splitlines()
    assert lines[2].startswith(f"  Example: precipitate {' '.join(path)}")
    assert any("--json" in line for line in lines)
