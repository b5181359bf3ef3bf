"""The client of the language model: bounded whatever the other side does, and silent about the key."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from distill import endpoint
from distill.endpoint import Endpoint, Reply, asked_wait, read_reply
from index.config import LlmConfig
from index.errors import ConfigError
from tests.emulators.language_model import (
    LanguageModelEmulator,
    Misbehaviour,
    completion,
    endless,
    endless_headers,
    raw,
    status,
)

BODY = b'{"model": "m", "messages": []}'


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "BACKOFF_SECONDS", 0.02)


def ask(said: Any, seconds: int = 2, **config: Any) -> tuple[Reply, LanguageModelEmulator]:
    with LanguageModelEmulator(lambda _: said.pop(0) if isinstance(said, list) else said) as model:
        return Endpoint(LlmConfig(model.url, "m", timeout_seconds=seconds, **config)).ask(BODY), model


def test_an_answer_comes_with_its_tokens() -> None:
    reply, model = ask('{"operations": []}')
    assert reply == Reply('{"operations": []}', 1000, 50, "", 1)
    assert model.requests == [json.loads(BODY)] and model.headers[0][":path"] == "/v1/chat/completions"
    assert "authorization" not in model.headers[0]


@pytest.mark.parametrize(
    ("said", "failure", "tries"),
    [
        (raw(b"x" * 50_000_000), "sends too much", 1),
        (endless(b"[" * 65_536), "sends too much", 1),
        (endless(b" ", pause=0.1), "does not answer in time", 1),
        (endless_headers(), "does not answer in time", 1),
        (Misbehaviour(lambda _: time.sleep(5)), "does not answer in time", 1),
        (Misbehaviour(lambda handler: handler.wfile.write(b"what?\r\n\r\n")), "cannot be reached, or breaks off", 3),
        (raw(b'{"choices":', claimed=1000), "cannot be reached, or breaks off", 3),
        (raw(b"<html>hello</html>", "text/html"), "answers with something that is not JSON", 1),
        (raw(json.dumps(completion("{}")).encode(), "text/plain"), "answers with something that is not JSON", 1),
        (raw(b"[" * 900_000), "answers with JSON that is no chat completion", 1),
        (raw(b'{"choices": []}'), "answers with JSON that is no chat completion", 1),
        (raw(b"9" * 10_000), "answers with JSON that is no chat completion", 1),
        (raw(json.dumps(completion(None)).encode()), "answers with JSON that is no chat completion", 1),
        (raw(json.dumps(completion("{", finish="length")).encode()), "was cut off before its end", 1),
        (status(500), "answers with status 500", 3),
        (status(302, Location="http://127.0.0.1:1/"), "answers with status 302", 1),
        (status(400), "refuses the request (400)", 1),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_a_value_and_takes_no_longer_than_allowed(said: Any, failure: str, tries: int) -> None:
    began = time.monotonic()
    reply, model = ask(said, seconds=1)
    assert (reply.text, reply.failure, reply.requests) == ("", failure, tries)
    assert len(model.requests) == tries and not reply.leave_alone
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("code", (401, 402, 403, 404))
def test_where_no_request_would_fare_better_it_is_left_alone(code: int) -> None:
    reply, _ = ask(status(code))
    assert reply.leave_alone and reply.requests == 1


def test_retry_after_is_honoured() -> None:
    began = time.monotonic()
    reply, _ = ask([status(429, Retry_After="1"), "fine"])
    assert (reply.text, reply.requests) == ("fine", 2)
    assert time.monotonic() - began >= 1


def test_who_asks_for_an_hour_is_left_alone() -> None:
    reply, _ = ask(status(429, Retry_After="3600"))
    assert (reply.failure, reply.requests, reply.leave_alone) == ("asks for fewer requests (429)", 1, True)


def test_retry_after_in_words_dates_and_nonsense() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert asked_wait("2.5", 0) == 2.5
    assert asked_wait(format_datetime(now + timedelta(seconds=30), usegmt=True), now.timestamp()) == 30
    assert asked_wait(format_datetime(now - timedelta(seconds=30), usegmt=True), now.timestamp()) == 0
    for nonsense in ("", "soon", "-5", "1e999", "9" * 50, "\x00"):
        assert asked_wait(nonsense, 0) == 0


def test_a_failure_that_passes_is_tried_again() -> None:
    reply, model = ask([status(503), status(502), "fine"])
    assert (reply.text, reply.requests, len(model.requests)) == ("fine", 3, 3)


def test_nobody_listens() -> None:
    with LanguageModelEmulator(lambda _: "") as model:
        pass
    reply = Endpoint(LlmConfig(model.url, "m", timeout_seconds=2)).ask(BODY)
    assert reply.failure == "cannot be reached, or breaks off" and reply.requests == 3


@pytest.mark.parametrize("told", (None, "many", -1, 1.5, True, 10**12))
def test_tokens_that_cannot_be_believed_count_as_none(told: Any) -> None:
    value = completion("fine") | {"usage": {"prompt_tokens": told, "completion_tokens": 7}}
    reply = read_reply(json.dumps(value).encode(), "application/json; charset=utf-8")
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("fine", 0, 7)


# --- the key, and who gets it


def test_the_key_is_sent_and_told_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_TEST_KEY", "sk-quite-secret")
    said = [status(401, b'{"error": "bad key sk-quite-secret"}', WWW_Authenticate="sk-quite-secret")]
    reply, model = ask(said, key_env="LLM_TEST_KEY")
    assert model.headers[0]["authorization"] == "Bearer sk-quite-secret"
    assert "sk-quite" not in repr(reply)


def test_a_key_that_is_missing_or_broken_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match="LLM_TEST_KEY, which is not set"):
        Endpoint(LlmConfig("http://127.0.0.1:1", "m", key_env="LLM_TEST_KEY"))
    monkeypatch.setenv("LLM_TEST_KEY", "sk-secret\nX-Other: 1")
    with pytest.raises(ConfigError) as error:
        Endpoint(LlmConfig("http://127.0.0.1:1", "m", key_env="LLM_TEST_KEY"))
    assert "sk-secret" not in str(error.value) + error.value.way_out


def test_a_public_host_is_not_asked_without_encryption() -> None:
    with pytest.raises(ConfigError, match="public host asked without encryption"):
        Endpoint(LlmConfig("http://8.8.8.8/v1", "m"))


@contextmanager
def encrypted(model: LanguageModelEmulator, folder: Path) -> Iterator[str]:
    """The emulator behind a certificate that nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = certificate.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = certificate.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    model.server.socket = context.wrap_socket(model.server.socket, server_side=True)
    yield f"https://localhost:{model.server.server_address[1]}/v1"


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_TEST_KEY", "sk-quite-secret")
    with LanguageModelEmulator(lambda _: "fine") as model, encrypted(model, tmp_path) as url:
        config = LlmConfig(url, "m", key_env="LLM_TEST_KEY", timeout_seconds=3)
        assert Endpoint(config).ask(BODY) == Reply(failure="has no valid certificate", requests=1)
        assert model.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "both.pem"))
        assert Endpoint(config).ask(BODY).text == "fine"
