"""Units that run a workspace, checked by the programs that read them; figures for Prometheus."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from index.errors import UsageError
from index.records import Run
from publish.metrics import metrics, write_metrics
from publish.schedule import EVERY, KINDS, Plan, schedule

ODD = Path('/tmp/ann\'s 100% "best" work$pace')


def unit(kind: str, workspace: Path = Path("/srv/round"), every: str = "daily") -> dict[str, str]:
    return dict(schedule(kind, Plan(workspace, Path("/opt/p/bin/precipitate"), every)))


@pytest.mark.system
@pytest.mark.parametrize("every", EVERY)
def test_systemd_takes_the_unit(tmp_path: Path, every: str) -> None:
    workspace = tmp_path / 'ann\'s 100% "best" work$pace'
    program = workspace / "bin" / "precipitate"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    files = schedule("systemd", Plan(workspace, program, every))
    for name, text in files:
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name, _ in files)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "precipitate" not in done.stderr, done.stderr
    calendar = EVERY[every][0]
    assert subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("every", EVERY)
def test_a_line_of_crontab(every: str) -> None:
    (line,) = unit("cron", every=every)["crontab"].splitlines()
    times, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert all(re.fullmatch(r"\*|\d{1,2}", field) for field in times)
    assert subprocess.run(["sh", "-n", "-c", command]).returncode == 0


def test_cron_runs_in_an_odd_folder(tmp_path: Path) -> None:
    """What cron hands to the shell, carried out: it stands in the workspace and calls the program."""
    workspace, program = tmp_path / ODD.name, tmp_path / "it's" / "precipitate"
    (workspace / ".precipitate").mkdir(parents=True)
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$PWD: $*"\n')
    program.chmod(0o755)
    ((_, text),) = schedule("cron", Plan(workspace, program, "daily"))
    command = text.rstrip("\n").split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command)
    assert subprocess.run(["sh", "-c", command.replace("\\%", "%")]).returncode == 0
    assert (workspace / ".precipitate" / "run.log").read_text() == f"{workspace}: run --quiet\n"


def test_a_workflow_of_github() -> None:
    ((name, text),) = unit("github").items()
    workflow = yaml.safe_load(text)
    assert name == ".github/workflows/precipitate.yml"
    assert workflow[True]["schedule"] == [{"cron": EVERY["daily"][1]}]  # YAML 1.1 reads "on" as true
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert any("precipitate run" in step.get("run", "") for step in workflow["jobs"]["run"]["steps"])


def test_what_cannot_be_scheduled() -> None:
    for kind, every, workspace in (("launchd", "daily", "/a"), ("cron", "sometimes", "/a"), *((kind, "daily", "/a\nb") for kind in KINDS)):
        with pytest.raises(UsageError) as caught:
            unit(kind, Path(workspace), every)
        assert caught.value.way_out


FARE = {"source": 'discourse:a"b\\c\nd', "posts": 5, "read": 2, "requests": 7, "error": None, "newest": "2026-01-01T00:00:00Z"}
LINE = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"\})? -?\d+(\.\d+)?')


def test_figures_are_what_prometheus_reads(tmp_path: Path) -> None:
    text = metrics(
        {"run": 3, "status": "partial", "seconds": 4.5}, [FARE, FARE | {"source": "b", "error": "x", "newest": ""}], "2026-01-01T00:00:01Z"
    )
    for line in text.splitlines():
        assert line.startswith(("# HELP precipitate_", "# TYPE precipitate_")) or LINE.fullmatch(line), line
    assert 'precipitate_run_status{status="partial"} 1' in text and 'precipitate_source_error{source="b"} 1' in text
    assert text.count("newest_post_timestamp_seconds{") == 1
    run = Run(3, "2026-01-01T00:00:00Z", None, "error", "", {})
    write_metrics(tmp_path / "p.prom", run, [FARE])
    assert 'precipitate_run_status{status="error"} 1' in (tmp_path / "p.prom").read_text()
    with pytest.raises(UsageError, match="is no folder"):
        write_metrics(tmp_path / "nowhere" / "p.prom", run, [])
