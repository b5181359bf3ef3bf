"""precipitate.toml is strict, and every complaint says the way out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from index.config import DEFAULT_TOML, Config, read_config
from index.errors import ConfigError


def read(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "precipitate.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config(path)


def test_the_file_that_init_writes_holds_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, DEFAULT_TOML) == Config() == read(tmp_path, "")
    for section, keys in asdict(Config()).items():
        assert f"[{section}]" in DEFAULT_TOML
        assert all(f"\n{key} = " in DEFAULT_TOML for key in keys)


def test_values_are_taken(tmp_path: Path) -> None:
    config = read(tmp_path, "[crawl]\ndelay_seconds = 2\n[distill]\nmin_steps = 4\n")
    assert config.crawl.delay_seconds == 2.0 and type(config.crawl.delay_seconds) is float
    assert config.distill.min_steps == 4


@pytest.mark.parametrize(
    ("text", "message", "way_out"),
    [
        ("[distil]\n", "unknown key 'distil'", "did you mean 'distill'?"),
        ("[distill]\nmin_step = 3\n", "unknown key distill.min_step", "did you mean 'min_steps'?"),
        ("[crawl]\nqqqq = 3\n", "unknown key crawl.qqqq", "known keys: user_agent, delay_seconds"),
        ("crawl = 3\n", "'crawl' must be a table", "write [crawl]"),
        ("[distill]\nmin_steps = 'three'\n", "distill.min_steps is 'three'", "give a int"),
        ("[distill]\nmin_steps = 3.0\n", "distill.min_steps is 3.0", "give a int"),
        ("[distill]\nmin_steps = true\n", "distill.min_steps is True", "give a int"),
        ("[crawl]\nuser_agent = 3\n", "crawl.user_agent is 3", "give a str"),
        ("[crawl]\nmax_requests = -1\n", "crawl.max_requests is -1", "not negative"),
        ("[crawl]\ndelay_seconds = -0.5\n", "crawl.delay_seconds is -0.5", "not negative"),
        ("[rewards]\nfirst_said_bp = 10001\n", "rewards.first_said_bp is 10001", "0 to 10000"),
        ("[llm]\nendpoint = 'ftp://host/v1'\nmodel = 'm'\n", "llm.endpoint is not a web address", "https://host/v1"),
        ("[llm]\nendpoint = 'http://[::1/v1'\nmodel = 'm'\n", "llm.endpoint is not a web address", "https://host/v1"),
        ("[llm]\nendpoint = 'https://ann:pw@host/v1'\nmodel = 'm'\n", "llm.endpoint holds more than an address", "llm.key_env"),
        ("[llm]\nendpoint = 'https://host/v1?key=1'\nmodel = 'm'\n", "llm.endpoint holds more than an address", "llm.key_env"),
        ("[llm]\nendpoint = 'https://host/v1'\n", "llm.endpoint is set and llm.model is not", "model's name"),
        ("[llm]\nendpoint = 'https://host/v1'\nmodel = 'm'\ntimeout_seconds = 0\n", "llm.timeout_seconds is 0", "one second"),
        ("[llm]\nkey_env = 'sk-abc123'\n", "llm.key_env is not the name of an environment variable", "LLM_API_KEY"),
        ("[crawl\n", "not valid TOML", "mend"),
        (b"[crawl]\nuser_agent = '\xff'\n", "not valid TOML", "mend"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str | bytes, message: str, way_out: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert message in error.value.message and "precipitate.toml" in error.value.message
    assert way_out in error.value.way_out
    assert error.value.exit_code == 2


def test_ten_thousand_basis_points_are_allowed(tmp_path: Path) -> None:
    assert read(tmp_path, "[distill]\nthread_threshold_bp = 10000\n").distill.thread_threshold_bp == 10_000


def test_digest_speaks_of_the_named_sections_only(tmp_path: Path) -> None:
    other = read(tmp_path, "[rewards]\nlikes_bp = 1\n")
    assert other.digest("distill") == Config().digest("distill")
    assert other.digest("rewards") != Config().digest("rewards")


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    for text in (
        "key_env = 'sk-abc123'",
        "endpoint = 'https://ann:sk-abc123@host/v1'\nmodel = 'm'",
        "endpoint = 'https://host/?k=sk-abc123'",
    ):
        with pytest.raises(ConfigError) as error:
            read(tmp_path, f"[llm]\n{text}\n")
        assert "sk-abc123" not in error.value.message + error.value.way_out
