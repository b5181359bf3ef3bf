"""Commands from the outside: what they print, where, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index.workspace import Workspace
from publish import __version__
from tests.cli.conftest import Runner
from tests.conftest import FORUM, HOME
from tests.rewards.builders import ADDRESSES, TOKEN

AUTHOR = "wrenfield@forum.harbourside.example"


@pytest.fixture
def round_one(filled: Workspace, run: Runner) -> Workspace:
    Path("payees.csv").write_text(f"handle,address\nwrenfield,{ADDRESSES[0]}\njun_mesh,{ADDRESSES[1]}\n")
    assert run("identity", "import", "payees.csv").exit_code == 0
    assert run("round", "new", "r1", "--budget", "10000", "--token", TOKEN, "--decimals", "18").exit_code == 0
    assert run("round", "allocate", "r1").exit_code == 0
    return filled


def any_id(run: Runner) -> str:
    return str(run.json("list")[0]["id"])


# --- a workspace ----------------------------------------------------------------------------------------------------


def test_first_steps_say_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Runner, toy_distiller: None) -> None:
    monkeypatch.chdir(tmp_path)
    assert "next: cd mine && precipitate add" in run("init", "mine").stdout
    monkeypatch.chdir("mine")
    assert "next: precipitate run" in run("add", str(FORUM)).stdout
    text = run("run").stdout
    assert "18 threads" in text
    assert "release  1, new: sha256:" in text
    assert "release  1, unchanged: sha256:" in run("run").stdout


def test_relative_archive_is_found_from_anywhere(
    empty: Workspace, run: Runner, toy_distiller: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty.root / "inner").mkdir()
    (empty.root / "forum").symlink_to(FORUM)
    run("add", "forum")
    monkeypatch.chdir("inner")
    assert run.json("run", "--quiet")["stages"]["crawl"]["sources"][0]["posts"] > 100


def test_run_reports_every_stage(filled: Workspace, run: Runner) -> None:
    told = run.json("run", "--quiet")
    assert (told["schema"], told["status"]) == ("precipitate/run/1", "ok")
    assert list(told["stages"]) == ["crawl", "distill", "credit", "release"]
    assert told["stages"]["release"]["changed"] is False
    assert told["stages"]["release"]["path"] == str(filled.releases / "1")


def test_run_without_sources_gives_an_empty_release(empty: Workspace, run: Runner, toy_distiller: None) -> None:
    result = run("run")
    assert result.exit_code == 0
    assert "no source yet" in result.stdout
    assert run.json("list") == []
    assert run.json("sources") == {"sources": [], "stages": run.json("sources")["stages"]}
    assert run.json("search", "anything") == []


def test_progress_is_on_stderr_and_silent_when_quiet(filled: Workspace, run: Runner) -> None:
    assert "distill: 18 of 18" in run("run").stderr
    assert run("run", "--quiet").stderr == ""
    json.loads(run("run", "--json").stdout)


def test_source_that_fails_makes_a_run_partial(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    vanishing = tmp_path / "vanishing"
    vanishing.mkdir()
    (vanishing / "site.json").write_text('{"base_url": "https://gone.example"}')
    (vanishing / "topics.jsonl").write_text("")
    assert run("add", str(vanishing)).exit_code == 0
    (vanishing / "topics.jsonl").unlink()
    result = run("run")
    assert result.exit_code == 3
    assert "error:" in result.stdout
    told = {row["id"]: row["last_error"] for row in run.json("sources")["sources"]}
    assert told["discourse:gone.example"]
    assert told["discourse:forum.harbourside.example"] is None
    assert len(run.json("list")) == 12


def test_crashed_run_is_entered_as_such(filled: Workspace, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    import cli
    from index.store import Store
    from index.tables_procedures import runs

    def broken(job: Any) -> Any:
        raise RuntimeError("the sky fell")

    monkeypatch.setitem(cli.STAGES, "credit", broken)
    with pytest.raises(RuntimeError):
        run("run", "--quiet")
    with Store(filled.database) as store:
        assert (runs(store)[0].status, runs(store)[0].counts) == ("error", {"error": "the sky fell"})


# --- reading --------------------------------------------------------------------------------------------------------


def test_list_search_show_explain(filled: Workspace, run: Runner) -> None:
    assert "How to apply for a small grant" in run("list").stdout
    hits = run.json("search", "apply for a small grant", "--lexical", "-k", "2")
    assert len(hits) == 2
    record = run.json("show", hits[0]["id"])
    assert record["schema"] == "precipitate/procedure/1"
    assert run.json("show", hits[0]["id"][:9]) == record
    text = run("show", hits[0]["id"]).stdout
    assert all(step["citations"][0]["permalink"] in text for step in record["steps"])
    told = run.json("explain", record["threads"][0])
    assert (told["outcome"], told["procedures"]) == ("procedures", [record["id"]])
    assert "Its reason: no list." in run("explain", "https://forum.harbourside.example/t/say-hello/38").stdout


def test_diff_of_what_never_changed(filled: Workspace, run: Runner) -> None:
    identifier = any_id(run)
    told = run.json("diff", identifier)
    assert (told["schema"], told["id"], told["from"], told["to"], told["changed"]) == ("precipitate/diff/1", identifier, 1, 1, False)
    assert run("diff", identifier[:9]).stdout.startswith(f"{identifier}: version 1 → 1, the only one that is kept\nNothing changed.")
    assert run.json("diff", identifier, "2", code=2) == {
        "code": 2,
        "message": f"no version of {identifier} named '2'",
        "next": "there are: 1",
    }


def test_preferences_are_lines_and_notes_go_elsewhere(filled: Workspace, run: Runner, tmp_path: Path) -> None:
    result = run("export", "preferences")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows and {tuple(row) for row in rows} == {("schema", "kind", "prompt", "chosen", "rejected", "why", "receipts")}
    assert f"note: {len(rows)} rows" in result.stderr
    assert run("export", "preferences", "-o", str(tmp_path / "p.jsonl")).exit_code == 0
    assert (tmp_path / "p.jsonl").read_text(encoding="utf-8") == result.stdout


def test_sources_say_what_was_left_out(filled: Workspace, run: Runner) -> None:
    (row,) = run.json("sources")["sources"]
    assert (row["threads"], row["procedures"]) == (18, 12)
    assert row["threads_without_procedure"] == [{"reason": "no list", "threads": 6}]
    assert row["left_out"]
    assert "PER 1,000 POSTS" in run("sources").stdout


def test_config_version_and_doctor(filled: Workspace, run: Runner) -> None:
    assert run.json("config", "show")["distill"]["min_steps"] == 3
    (filled.root / "precipitate.toml").write_text("[distill]\nmin_steps = 4\n")
    assert "distill.min_steps = 4 # set in precipitate.toml" in run("config", "show").stdout
    assert run.json("version") == {"version": __version__}
    assert f'version = "{__version__}"' in (HOME / "pyproject.toml").read_text()
    assert all(finding["ok"] for finding in run.json("doctor"))
    credits = filled.current / "credits.jsonl"
    credits.write_bytes(credits.read_bytes() + b"\n")
    result = run("doctor")
    assert result.exit_code == 4
    assert "FINDING  release" in result.stdout


# --- money ----------------------------------------------------------------------------------------------------------


def test_round_adds_up_and_is_explained(round_one: Workspace, run: Runner) -> None:
    told = run.json("round", "show", "r1")
    assert told["release"] == json.loads((round_one.current / "manifest.json").read_text())["root"]
    totals = told["totals"]
    assert int(totals["paid"]) + int(totals["held"]) + int(totals["residual"]) == 10_000 * 10**18
    assert int(totals["paid"]) > 0
    for words in (("why", AUTHOR, "r1"), ("why", AUTHOR)):
        why = run.json(*words)
        assert why["procedures"]
        assert why["procedures"][0]["steps"][0]["credits"][0]["quote"] in run(*words).stdout
    assert [row["name"] for row in run.json("round", "list")] == ["r1"]
    assert "10000 of token" in run("round", "list").stdout


def test_allocating_again_says_so(round_one: Workspace, run: Runner) -> None:
    result = run("round", "allocate", "r1")
    assert "note: r1 is allocated already" in result.stderr and "nothing changed" in result.stderr
    assert run.json("round", "allocate", "r1")["notes"]


def test_exports_are_what_other_programs_take(round_one: Workspace, run: Runner, tmp_path: Path) -> None:
    sheet = run("export", "payouts", "--round", "r1").stdout_bytes
    assert sheet.startswith(b"token_type,token_address,receiver,amount,id\r\n")
    assert sheet.count(b"\r\n") == 1  # none after the last row: Safe's app would count one more
    assert run("export", "payouts", "--round", "r1", "--format", "merkle", "-o", str(tmp_path / "dump.json")).exit_code == 0
    dump = json.loads((tmp_path / "dump.json").read_text())
    assert dump["format"] == "standard-v1"
    lines = run("export", "procedures").stdout
    assert lines == (round_one.current / "procedures.jsonl").read_text(encoding="utf-8")
    assert json.loads(run("export", "procedures", "--format", "json").stdout) == [json.loads(line) for line in lines.splitlines()]
    assert len(run("export", "credits").stdout.splitlines()) == len(run.json("export", "credits", "--round", "r1")[0]["text"].splitlines())
    assert run.json("export", "credits", "--format", "csv", "-o", f"{tmp_path}/out/")["files"] == [f"{tmp_path}/out/credits.csv"]


def test_partly_bad_identities_end_with_3(filled: Workspace, run: Runner) -> None:
    Path("payees.csv").write_text(f"handle,address\nwrenfield,{ADDRESSES[0]}\nnobody,{ADDRESSES[1]}\n")
    told = run.json("identity", "import", "payees.csv", code=3)
    assert (told["added"], told["left_out"][0]["where"]) == (1, "payees.csv:3")
    assert "payees.csv:3: no author named 'nobody'" in run("identity", "import", "payees.csv").stdout


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message", "way_out"),
    [
        (("show", "sop-nothing"), "no SOP named 'sop-nothing'", "nearest: sop-"),
        (("explain", "https://forum.harbourside.example/t/4"), "no thread named", "nearest: discourse:"),
        (("explain", "4"), "no thread named '4'", "/t/4"),
        (("search", ""), "'' asks nothing", "in a few words"),
        (("plan", " ?!"), "' ?!' asks nothing", "in a few words"),
        (("diff", "sop-nothing"), "no SOP named 'sop-nothing'", "nearest: sop-"),
        (("diff", "sop-"), "'sop-' is 12 SOPs", "say which: sop-"),
        (("export", "preferences", "--format", "csv"), "no format of preferences named 'csv'", "jsonl, json"),
        (("why", "wrenfeild"), "no author in the credits named 'wrenfeild'", "nearest: wrenfield@"),
        (("why", "wrenfield", "r9"), "no round named 'r9'", "there is no round yet"),
        (("round", "show", "../x"), "round name '../x'", "use letters"),
        (("round", "allocate", "r9"), "no round named 'r9'", "there is no round yet"),
        (("round", "new", "r1", "--budget", "0", "--token", "native"), "budget '0' is zero", "above zero"),
        (("round", "new", "r1", "--budget=-5", "--token", "native"), "budget '-5' is negative", "plain decimal"),
        (("round", "new", "r1", "--budget", "0.5", "--token", "native", "--decimals", "0"), "1 decimal places", "cannot be split"),
        (("export", "everything"), "no export named 'everything'", "procedures, credits, payouts, round, preferences"),
        (("export", "procedures", "--format", "xml"), "no format of procedures named 'xml'", "jsonl, json"),
        (("export", "payouts"), "payouts are of a round", "--round r1"),
        (("identity", "import", "nothing.csv"), "cannot read nothing.csv", "handle,address"),
        (("init", "."), "is there already", "precipitate doctor"),
        (("shwo", "x"), "No such command 'shwo'. Did you mean 'show'", "--help"),
        (("search", "x", "-k", "0"), "greater than or equal to 1", "--help"),
        (("show",), "Missing argument", "--help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_ends_with_2_and_the_way_out(filled: Workspace, run: Runner, words: tuple[str, ...], message: str, way_out: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.strip().split("\n→ ")
    assert first.startswith("error: ")
    assert message in first
    assert way_out in second
    told = run.json(*words, code=2)
    assert (told["code"], set(told)) == (2, {"code", "message", "next"})


def test_errors_of_the_world_end_with_1(filled: Workspace, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "neither a folder here nor a web address" in run.json("add", "nowhere", code=1)["message"]
    told = run.json("add", "https://127.0.0.1:9", code=1)
    assert "127.0.0.1" in told["message"]
    assert "--allow-private" in told["next"]
    monkeypatch.chdir(tmp_path.parent)
    assert run.json("list", code=1)["next"] == "run `precipitate init NAME` and cd into it"


def test_readers_before_the_first_run(empty: Workspace, run: Runner) -> None:
    exports = (("export", "credits"), ("export", "preferences"))
    for words in (("list",), ("show", "x"), ("diff", "x"), ("sources",), ("search", "x"), ("explain", "x"), ("why", "x"), *exports):
        told = run.json(*words, code=1)
        assert told["next"] == "run `precipitate run`", words


def test_unknown_key_names_the_nearest(filled: Workspace, run: Runner) -> None:
    (filled.root / "precipitate.toml").write_text("[distill]\nmin_step = 4\n")
    told = run.json("run", code=2)
    assert "unknown key distill.min_step" in told["message"]
    assert told["next"] == "did you mean 'min_steps'?"


def test_help_without_a_command(run: Runner) -> None:
    assert "Usage: precipitate" in run().stderr + run().stdout


def test_every_reader_prints_json(round_one: Workspace, run: Runner) -> None:
    for words in (
        *(("list",), ("sources",), ("config", "show"), ("version",), ("doctor",), ("round", "list"), ("round", "show", "r1")),
        *(("search", "grant", "--lexical"), ("why", AUTHOR), ("why", AUTHOR, "r1"), ("show", any_id(run)), ("export", "procedures")),
        *(("diff", any_id(run)), ("explain", "41"), ("export", "preferences")),
    ):
        assert run.json(*words) is not None


@pytest.mark.parametrize("words", [("publish", "--to", "folder"), ("fetch", "{}", "-o"), ("merge", "1", "-o"), ("init",)], ids=" ".join)
def test_place_that_cannot_be_made_is_named(filled: Workspace, run: Runner, words: tuple[str, ...]) -> None:
    given = [word.replace("{}", str(filled.root / "mirror")) for word in words]
    assert run("publish", "--to", "folder", "mirror").exit_code == 0
    Path("file").write_text("in the way")
    told = run(*given, "file/inner/deep")
    assert told.exit_code == 1
    assert "error: Not a directory: " in told.stderr
    assert "file/inner" in told.stderr
    assert "→ choose a place" in told.stderr
