"""Units that run a workspace by themselves: systemd, cron, GitHub Actions. Pure: settings → files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.errors import UsageError

EVERY = {  # name: (systemd's OnCalendar, minute hour day month weekday)
    "hourly": ("*-*-* *:17:00", "17 * * * *"),
    "daily": ("*-*-* 03:17:00", "17 3 * * *"),
    "weekly": ("Mon *-*-* 03:17:00", "17 3 * * 1"),
}
_ODD = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Plan:
    workspace: Path
    program: Path  # the installed `precipitate`
    every: str
    package: str = "precipitate"  # what GitHub's machine installs


def schedule(kind: str, plan: Plan) -> list[tuple[str, str]]:
    """Files of a unit, (name, text). Raises UsageError for an unknown kind or interval, or a path that no unit can hold."""
    if kind not in KINDS:
        raise UsageError(f"no schedule named {kind!r}", f"there are: {', '.join(KINDS)}")
    if plan.every not in EVERY:
        raise UsageError(f"cannot run {plan.every!r}", f"there are: {', '.join(EVERY)}")
    for path in (plan.workspace, plan.program):
        if _ODD.search(str(path)):
            raise UsageError(f"{str(path)!r} holds control characters", "move it to a path without them")
    return KINDS[kind](plan)


def _systemd(plan: Plan) -> list[tuple[str, str]]:
    service = f"""\
[Unit]
Description=precipitate: read, distil, credit, release ({_percent(plan.workspace.name)})
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={_percent(str(plan.workspace))}
ExecStart=/usr/bin/env {_quoted(str(plan.program))} run --quiet
# 75: another writer is at work, which is no failure. 3 (some source was not read) is one, so that somebody looks.
SuccessExitStatus=75
# SIGTERM ends a crawl softly, with all that was read so far.
TimeoutStopSec=60
Nice=10
NoNewPrivileges=yes
PrivateTmp=yes
"""
    timer = f"""\
[Unit]
Description=precipitate, {plan.every} ({_percent(plan.workspace.name)})

[Timer]
OnCalendar={EVERY[plan.every][0]}
RandomizedDelaySec=10min
Persistent=yes

[Install]
WantedBy=timers.target
"""
    return [("precipitate.service", service), ("precipitate.timer", timer)]


def _cron(plan: Plan) -> list[tuple[str, str]]:
    """A percent sign ends a command in a crontab, so it is escaped."""
    command = f"cd {_shell(str(plan.workspace))} && {_shell(str(plan.program))} run --quiet >> .precipitate/run.log 2>&1"
    return [("crontab", f"{EVERY[plan.every][1]} {command.replace('%', chr(92) + '%')}\n")]


def _github(plan: Plan) -> list[tuple[str, str]]:
    """The workspace is the repository; what was read lives in the cache of Actions and in the artifact of each run."""
    text = f"""\
name: precipitate
on:
  schedule:
    - cron: "{EVERY[plan.every][1]}"
  workflow_dispatch:
permissions:
  contents: read
concurrency:
  group: precipitate
  cancel-in-progress: false
jobs:
  run:
    runs-on: ubuntu-latest
    timeout-minutes: 300
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install torch --index-url https://download.pytorch.org/whl/cpu
      - run: pip install {plan.package}
      - uses: actions/cache@v4
        with:
          path: .precipitate
          key: precipitate-${{{{ github.run_id }}}}
          restore-keys: precipitate-
      - run: precipitate run --quiet
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: release
          path: .precipitate/releases
          include-hidden-files: true
"""
    return [(".github/workflows/precipitate.yml", text)]


KINDS: dict[str, Callable[[Plan], list[tuple[str, str]]]] = {"systemd": _systemd, "cron": _cron, "github": _github}


def render_schedule(files: list[tuple[str, str]]) -> str:
    """One file as it is; several each under its name, as a comment."""
    if len(files) == 1:
        return files[0][1]
    return "\n".join(f"# --- {name}\n{text}" for name, text in files)


def _percent(text: str) -> str:
    """systemd reads % as the start of a specifier."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_percent(escaped)}"'


def _shell(text: str) -> str:
    import shlex

    return shlex.quote(text)
